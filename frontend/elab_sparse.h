/* Sparse matrices, graphs and edge tensors: values of two or of one item, of which the first is a pattern.
 *
 *   SPARSE   (pattern, values [count])        a matrix: what is not an entry is zero; or, inside a function
 * of the (pattern, values, constant)      library, which gets rid of it again, that constant EDGES (pattern,
 * tensor [count, ...])   a value or a row per entry of a graph or a sparse matrix GRAPH    (pattern,) rows
 * are sources, columns destinations
 *
 * Below the front end there are none of these: everything on them is IR on the tensors and the pattern. */
#ifndef GMX_FRONTEND_ELAB_SPARSE_H
#define GMX_FRONTEND_ELAB_SPARSE_H

#include "frontend/elab.h"

typedef struct Entries {
    IrNode *pattern, *values; /* values: NULL of a graph */
} Entries;

static inline bool value_is_on_pattern(Value value) {
    return value.kind == VALUE_SPARSE || value.kind == VALUE_EDGES || value.kind == VALUE_GRAPH;
}
/* elab_tree.c: a sparse matrix, edge tensor or graph, or a tree with one. */
bool elab_has_pattern(Value value);
/* elab_sparse.c */
Entries elab_entries(Elaborator *e, Value value);
Value elab_on_pattern(Elaborator *e, ValueKind kind, IrNode *pattern, IrNode *values);
/* The values of a tensor [count, ...] with the pattern's own count as their first extent. */
IrNode *elab_fit_entries(Elaborator *e, IrNode *values, IrNode *pattern);
/* i64 [count]: the row (column) of each entry. */
IrNode *elab_ends(Elaborator *e, IrNode *pattern, IrSide side);
/* values[map], zero where map is -1. */
IrNode *elab_entries_at(Elaborator *e, IrNode *values, IrNode *map);
const char *elab_sparse_text(Elaborator *e, Value value);
/* elab_text.c: as it is printed. */
Value elab_shown_on_pattern(Elaborator *e, Value value, Span span);
bool elab_sparse_field(Elaborator *e, Value base, Name name, Value *out);
IrNode *elab_densify(Elaborator *e, Value sparse);
Value elab_reordered(Elaborator *e, Value sparse, IrOrder order);
/* elab_comprehension.c: base[u -> v] for the ends of the entry that an index expression is at; false for
 * others. */
bool elab_at_edge(Elaborator *e, Value base, Value source, Value target, Value *out);
/* There, softmax_in(x) and its like; NULL outside of such an expression. */
IrNode *elab_collect(Elaborator *e, IrNode *x, IrCollect what);
/* What the edges send, [count, ...], and what the nodes make of what they received, [nodes, ...]; NULL after
 * reporting. */
IrNode *elab_messages(Elaborator *e, const AstNode *message, IrNode *pattern);
IrNode *elab_updates(Elaborator *e, const AstNode *update, IrNode *pattern, IrNode *received);
/* elab_edges.c: the reduction (OP_COUNT: mean) of x [count, ...] over the entries of each row or column, 0
 * for none. */
IrNode *elab_per_node(Elaborator *e, Op op, IrNode *x, IrNode *pattern, IrSide side);
/* w[u -> v], a[u, v], a[i, j]. */
Value elab_sparse_index(Elaborator *e, const AstNode *node, Value base);
/* The body of a rule whose parameters are bound in the scope in hand. */
Value elab_rule(Elaborator *e, const AstNode *rule);
/* elab_sparse_ops.c: what elab_elementwise, elab_matmul, elab_reduce and casts do with such operands */
Value elab_sparse_elementwise(Elaborator *e, Op op, const Value *operands, const OperandInfo *infos,
                              Span span);
Value elab_sparse_matmul(Elaborator *e, Value left, Value right, const OperandInfo *infos, Span span);
Value elab_sparse_reduce(Elaborator *e, Op op, Value value, Value axis, bool keepdims, const Dtype *dtype,
                         Span span, Span axis_span);
Value elab_sparse_mean(Elaborator *e, Value value, Value axis, bool keepdims, Span span, Span axis_span);
/* What a function of the library gives: an error if its zeros are something else. */
Value elab_check_zeros(Elaborator *e, Value value, Name function, Span span);
/* The value with its tensor converted. */
Value elab_sparse_cast(Elaborator *e, Value value, Dtype dtype);

#endif
