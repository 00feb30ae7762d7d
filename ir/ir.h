/* The tensor IR: pure, typed, hash-consed nodes in regions.
 *
 * Values.  A node has one result, or several that `result` nodes project.  A result is a tensor (dtype, rank
 * and one i64 node per extent), a scalar (rank 0) or an effect token.  Extents are ordinary scalar i64 nodes,
 * so equal extents are the same node and shape arithmetic is folded like any other; a `const` extent is
 * known. The extents of a function's parameters are `dim` nodes of them, or `const 1` where 1 was known at
 * the call.
 *
 * Regions.  A function's body, and the bodies of `if`, `for`, `while` and `fused`, are regions: parameters,
 * nodes in program order, results.  Nodes may use values of enclosing regions.  Pure nodes are hash-consed
 * per region and with everything visible from it: building an equal node again gives the old one.  The span
 * is not part of the key.
 *
 * Failure.  A node that can fail (`check_*`, a `call`) is never moved out of its region; unused, it may
 * vanish. A check returns the value that it guards, and what relies on it uses that result: no use, no check.
 *
 * Effects.  `print` takes and gives a token, so effects keep program order; a region that prints carries a
 * token.
 *
 * Building folds: scalar i64 arithmetic, casts and views of constants, neutral elements and the like are
 * simplified by ir_build itself, so that extents are canonical from the start.
 *
 * After `fuse` every tensor computation sits in a `fused` node, a call or a host-level view; after `schedule`
 * the fused nodes are launches of kernels (ir/kernel.h); after `memory` retain and release say who owns what,
 * and the function is the host program that codegen prints. */
#ifndef GMX_IR_IR_H
#define GMX_IR_IR_H

#include "ir/base/arena.h"
#include "ir/base/diag.h"
#include "ir/base/intern.h"
#include "ir/base/span.h"
#include "ir/base/vec.h"
#include "ir/dtype.h"
#include "ir/op.h"

enum { IR_MAX_RANK = 16 };

typedef struct IrNode IrNode;
typedef struct IrRegion IrRegion;
typedef struct IrFunction IrFunction;
typedef struct IrModule IrModule;
struct Kernel; /* ir/kernel.h */

typedef enum IrTypeKind { IR_TENSOR, IR_TOKEN, IR_PATTERN } IrTypeKind;

/* Patterns: which entries of a matrix are stored, or the edges of a graph (runtime/rt/gmxrt.h).  Their dtype
 * is that of their indices, i32 or i64, their dims are the rows, the columns and the number of entries, and
 * the order of the entries is known when compiling.  A sparse matrix is a pattern and a tensor [count] of
 * values, an edge tensor a pattern and a tensor [count, ...]. */
typedef enum IrOrder {
#define ORDER(name, ...) IR_ORDER_##name,
#include "ir/formats.def"
} IrOrder;
typedef enum IrRepeats {
#define REPEATS(name, ...) IR_REPEATS_##name,
#include "ir/formats.def"
} IrRepeats;
typedef enum IrPart {
#define PART(name, ...) IR_PART_##name,
#include "ir/formats.def"
} IrPart;
typedef enum IrSide { IR_SIDE_ROWS, IR_SIDE_COLUMNS } IrSide; /* of a pattern, what entries are seen from */

typedef struct IrType {
    IrTypeKind kind;
    Dtype dtype;
    uint32_t rank;
    IrNode **dims; /* rank scalar i64 nodes, outermost first; of a pattern three */
    IrOrder order; /* of a pattern */
} IrType;

struct IrNode {
    Op op;
    uint32_t id; /* unique in its function, creation order: passes keep side tables indexed by it */
    Span span;
    uint32_t statement;       /* where the top-level statement that it comes from begins; 0: not known */
    struct IrRemark *remarks; /* fused, launch: why it stands alone (ir/remark.h); not part of the key */
    struct LaunchCost *cost;  /* launch; product: of its epilogue (ir/cost.h); not part of the key */
    IrRegion *region;         /* where it lives */
    uint32_t operand_count, attribute_count, result_count, region_count;
    IrNode **operands;
    int64_t *attributes; /* meaning: the op's row in ops.def */
    IrType *types;       /* result_count entries */
    IrRegion *regions[2];
    Name text;    /* parameter name, message, print template; or NULL */
    bool is_weak; /* scalars: promotes like a literal (front end only) */
    bool has_hint;
    int64_t hint; /* scalar i64: the value at this call when the front end knows it; not part of the key */
};

struct IrRegion {
    IrFunction *function;
    IrRegion *parent; /* NULL for a function's body */
    IrNode *owner;    /* the if/for/while/fused node once it is built */
    VEC(IrNode *) parameters;
    VEC(IrNode *) nodes; /* parameters excluded; operands come before users */
    VEC(IrNode *) results;
    IrNode **table; /* hash-consing: open addressing */
    uint32_t table_count, table_capacity;
};

struct IrFunction {
    IrModule *module;
    Name name;
    IrRegion *body;
    uint32_t node_count; /* next id */
    /* Per parameter of the body: known to be C-contiguous at this call (part of the specialisation key). */
    bool *parameter_contiguous;
};

struct IrModule {
    Arena *arena;
    Interner *names;
    VEC(IrFunction *) functions;
    VEC(struct Kernel *) kernels;
};

/* Where new nodes go: the end of `region`, with `span` and `statement`. */
typedef struct IrBuilder {
    IrFunction *function;
    IrRegion *region;
    Span span;
    uint32_t statement;
} IrBuilder;

/* What is built next stands for `node`. */
static inline void ir_builder_place(IrBuilder *b, const IrNode *node) {
    b->span = node->span;
    b->statement = node->statement;
}

/* ---- modules, functions, regions ------------------------------------------------------------------ */
IrModule *ir_module_new(Arena *arena, Interner *names);
IrFunction *ir_function_new(IrModule *module, Name name); /* with an empty body */
IrRegion *ir_region_new(IrFunction *function, IrRegion *parent);
IrBuilder ir_builder_at(IrFunction *function, IrRegion *region);
/* A parameter of b's region.  Its extents are given; for a function parameter whose extents are its own, pass
 * dims == NULL, and sizes[k] is an extent that is a constant, or below 0 (sizes == NULL: none is). */
IrNode *ir_parameter(IrBuilder *b, Name name, Dtype dtype, uint32_t rank, IrNode *const *dims,
                     const int64_t *sizes);
/* The same of the kind, dtype, rank and order of *type: a tensor or a pattern. */
IrNode *ir_parameter_of(IrBuilder *b, Name name, const IrType *type, IrNode *const *dims,
                        const int64_t *sizes);
IrNode *ir_token_parameter(IrBuilder *b);
void ir_set_results(IrBuilder *b, IrNode *const *results, uint32_t count); /* of b's region */

/* ---- building nodes -------------------------------------------------------------------------------
 * Contract of all: operands are already promoted and broadcast (elementwise operands have one dtype and the
 * same extents); the caller has reported user errors.  Broken contracts are caught by ir_verify, not here. */
IrNode *ir_const(IrBuilder *b, Dtype dtype, uint64_t bits); /* bits of one element, zero-extended */
IrNode *ir_const_i64(IrBuilder *b, int64_t value);
IrNode *ir_const_bool(IrBuilder *b, bool value);
IrNode *ir_const_number(IrBuilder *b, Dtype dtype, double value);     /* rounded to dtype */
IrNode *ir_elementwise(IrBuilder *b, Op op, IrNode *const *operands); /* op_info[op].arity operands */
IrNode *ir_unary(IrBuilder *b, Op op, IrNode *x);
IrNode *ir_binary(IrBuilder *b, Op op, IrNode *x, IrNode *y);
IrNode *ir_where(IrBuilder *b, IrNode *condition, IrNode *x, IrNode *y);
IrNode *ir_complex(IrBuilder *b, IrNode *real, IrNode *imag);
IrNode *ir_cast(IrBuilder *b, IrNode *x, Dtype dtype);
/* axes ascending and unique; accumulator as language.md section 3 says (ir_accumulator gives the default) */
IrNode *ir_reduce(IrBuilder *b, Op op, IrNode *x, const uint32_t *axes, uint32_t count, Dtype accumulator,
                  Dtype result);
Dtype ir_accumulator(Op reduction, Dtype dtype); /* f32 sum -> f64, i32 sum -> i64, f16 -> f32, … */
Dtype ir_reduction_dtype(
    Op reduction, Dtype dtype); /* NumPy's result dtype: sum of i32 -> i64, argmax -> i64, any -> bool */
IrNode *ir_permute(IrBuilder *b, IrNode *x, const uint32_t *permutation);
/* starts, extents, steps: one i64 node per axis; drop[k]: the axis vanishes (drop may be NULL) */
IrNode *ir_slice(IrBuilder *b, IrNode *x, IrNode *const *starts, IrNode *const *extents, IrNode *const *steps,
                 const bool *drop);
/* axis_map[k]: result axis of operand axis k (ascending); extents of the result */
IrNode *ir_broadcast(IrBuilder *b, IrNode *x, const uint32_t *axis_map, IrNode *const *dims, uint32_t rank);
IrNode *ir_broadcast_trailing(IrBuilder *b, IrNode *x, IrNode *const *dims,
                              uint32_t rank); /* NumPy alignment */
IrNode *ir_reshape(IrBuilder *b, IrNode *x, IrNode *const *dims, uint32_t rank);
/* x read at affine combinations of the result's indices: operand axis k is read at offsets[k] plus, for each
 * term (axis k, result axis r) with its step, step * index r.  In range for every index of the result. */
typedef struct IrWindowTerm {
    uint32_t axis, result_axis;
    IrNode *step; /* i64 */
} IrWindowTerm;
IrNode *ir_window(IrBuilder *b, IrNode *x, IrNode *const *offsets, const IrWindowTerm *terms, uint32_t count,
                  IrNode *const *dims, uint32_t rank);
IrNode *ir_window_offset(const IrNode *window, uint32_t axis);
IrWindowTerm ir_window_term(const IrNode *window, uint32_t index); /* of attribute_count / 2 */
IrNode *ir_variable(IrBuilder *b, IrNode *x); /* x as a value of its own: see ir/gradient.h */
IrNode *ir_stop_gradient(IrBuilder *b, IrNode *x);
IrNode *ir_after(IrBuilder *b, IrNode *x, IrNode *const *values, uint32_t count);
/* The results of a region that was built with b->region as parent; derivatives compute it again. */
IrNode *ir_checkpoint(IrBuilder *b, IrRegion *region);
/* values[], whose adjoints the region turns into those of sources[]. */
IrNode *ir_custom(IrBuilder *b, IrNode *const *values, uint32_t count, IrNode *const *sources,
                  uint32_t source_count, IrRegion *region);
IrNode *ir_iota(IrBuilder *b, IrNode *extent);
IrNode *ir_dim(IrBuilder *b, IrNode *x, uint32_t axis); /* extent of axis: the node from x's type */
IrNode *ir_size(IrBuilder *b, IrNode *x);               /* product of extents */
IrNode *ir_matmul(IrBuilder *b, IrNode *x, IrNode *y);
IrNode *ir_solve(IrBuilder *b, IrNode *a, IrNode *rhs);
IrNode *ir_cholesky(IrBuilder *b, IrNode *a);
/* Any structured op of one result whose type is given: sort, cumsum, searchsorted, … */
IrNode *ir_call(IrBuilder *b, Op op, IrNode *const *operands, uint32_t count, const int64_t *attributes,
                uint32_t attribute_count, Dtype dtype, IrNode *const *dims, uint32_t rank);
IrNode *ir_concat(IrBuilder *b, IrNode *const *operands, uint32_t count, uint32_t axis);
IrNode *ir_gather(IrBuilder *b, IrNode *x, IrNode *indices, uint32_t axis); /* indices checked already */
/* Several indices of one shape, for ascending axes. */
IrNode *ir_gather_many(IrBuilder *b, IrNode *x, IrNode *const *indices, const uint32_t *axes, uint32_t count);
/* x with a part replaced by v (see ops.def); combine: an elementwise op of (old, v), or OP_none. */
IrNode *ir_update(IrBuilder *b, IrNode *x, IrNode *v, IrNode *const *starts, IrNode *const *extents,
                  IrNode *const *steps, IrNode *const *indices, const uint32_t *axes, uint32_t count,
                  Op combine);
IrNode *ir_nonzero(IrBuilder *b, IrNode *mask); /* its last extent: the number of true elements */
/* Folds when both are known and equal; otherwise a run-time check of the two scalars. */
IrNode *ir_check_equal(IrBuilder *b, IrNode *x, IrNode *y, Name message);
IrNode *ir_check_true(IrBuilder *b, IrNode *condition, IrNode *value, DiagCode code, Name message);
IrNode *ir_check_index(IrBuilder *b, IrNode *indices, IrNode *extent, uint32_t axis);
IrNode *ir_token(IrBuilder *b);
IrNode *ir_print(IrBuilder *b, IrNode *token, Name format, IrNode *const *values, uint32_t count);
/* Control: regions were built with b->region as parent; results have the types of the region results, where
 * an extent that is not visible outside the region becomes an extra i64 result.  Callers use ir_result. */
IrNode *ir_if(IrBuilder *b, IrNode *condition, IrRegion *then_region, IrRegion *else_region);
IrNode *ir_for(IrBuilder *b, IrNode *begin, IrNode *end, IrNode *const *initial, uint32_t count,
               IrRegion *body);
IrNode *ir_while(IrBuilder *b, IrNode *const *initial, uint32_t count, IrRegion *condition, IrRegion *body);
IrNode *ir_result(IrBuilder *b, IrNode *node, uint32_t index); /* `node` itself when it has one result */
/* ---- patterns.  Where a node has several results, ir_result takes them. */
/* A parameter of b's region; of a function's body with dims == NULL: extents of its own, as ir_parameter has.
 */
IrNode *ir_pattern_parameter(IrBuilder *b, Name name, Dtype index, IrOrder order, IrNode *const *dims,
                             const int64_t *sizes);
/* [count, ...]: for each entry what x [rows, ...] has for its row (IR_SIDE_COLUMNS: x [columns, ...], its
 * column).  The adjoint of ir_segment with OP_sum. */
IrNode *ir_spread(IrBuilder *b, IrNode *x, IrNode *pattern, IrSide side);
/* [rows, ...] (or [columns, ...]): the reduction of x [count, ...] over the entries of each row, in the order
 * of the pattern's ROW_PLACES; the identity of the reduction where there are none.  sum prod max min any all.
 */
IrNode *ir_segment(IrBuilder *b, Op reduction, IrNode *x, IrNode *pattern, IrSide side, Dtype accumulator,
                   Dtype result);
/* An array of a pattern (formats.def): i64 starts, others of the pattern's dtype.  Not the places of its own
 * order, which are 0, 1, 2, … */
IrNode *ir_pattern_part(IrBuilder *b, IrNode *pattern, IrPart part);
/* Result 0: the pattern of the pairs (rows[k], columns[k]), i64 [e]; 1: i64 [e], where each stands in it. */
IrNode *ir_pattern_make(IrBuilder *b, IrNode *rows, IrNode *columns, IrNode *row_count, IrNode *column_count,
                        Dtype index, IrOrder order, IrRepeats repeats);
IrNode *ir_pattern_transpose(IrBuilder *b, IrNode *x); /* rows and columns change places, values stay */
/* The same entries in order ROWS or COLUMNS: values are those at the places of x for that order. */
IrNode *ir_pattern_reorder(IrBuilder *b, IrNode *x, IrOrder order);
/* Result 0: entries of either (of both), in order ROWS; 1 and 2: i64 [count], where each stands in x and in
 * y, or -1.  Equal shapes and index dtypes.  Of one node twice in order ROWS: that, and iotas. */
IrNode *ir_pattern_union(IrBuilder *b, IrNode *x, IrNode *y);
IrNode *ir_pattern_intersection(IrBuilder *b, IrNode *x, IrNode *y);
/* Result 0: the entries that the product of x and y can have, in order ROWS. */
IrNode *ir_pattern_product(IrBuilder *b, IrNode *x, IrNode *y);
/* Result 0: row k is row rows[k] of x, column k is columns[k] (i64 [any], checked; NULL: all), in order ROWS;
 * 1: i64 [count], where each entry stands in x. */
IrNode *ir_pattern_select(IrBuilder *b, IrNode *x, IrNode *rows, IrNode *columns);
/* In the body of an index expression over the entries of a pattern, of which `entry` is the number: the
 * softmax, sum, mean or max of x over the entries of its column. */
typedef enum IrCollect { IR_COLLECT_SOFTMAX, IR_COLLECT_SUM, IR_COLLECT_MEAN, IR_COLLECT_MAX } IrCollect;
IrNode *ir_collect(IrBuilder *b, IrNode *x, IrNode *pattern, IrNode *entry, IrCollect what);
/* The same for all entries, x [count, ...]; SUM, MEAN and MAX per column: 0 for one without entries. */
IrNode *ir_collected(IrBuilder *b, IrNode *x, IrNode *pattern, IrCollect what);
/* i64 of the shape of rows and columns (checked): where (rows[k], columns[k]) stands in x, or -1. */
IrNode *ir_pattern_locate(IrBuilder *b, IrNode *x, IrNode *rows, IrNode *columns);
/* [count of z]: the entries of the product of (x, x_values) and (y, y_values) that z has. */
IrNode *ir_sparse_product(IrBuilder *b, IrNode *x, IrNode *x_values, IrNode *y, IrNode *y_values, IrNode *z);
static inline IrNode *ir_pattern_extent(const IrNode *pattern, IrSide side) {
    return pattern->types[0].dims[side];
}
static inline IrNode *ir_pattern_count(const IrNode *pattern) {
    return pattern->types[0].dims[2];
}
/* The general entry (parsers, passes): everything given; folds and hash-conses when `op` is pure. */
typedef struct IrNodeSpec {
    Op op;
    IrNode *const *operands;
    uint32_t operand_count;
    const int64_t *attributes;
    uint32_t attribute_count;
    const IrType *types;
    uint32_t result_count;
    IrRegion *const *regions;
    uint32_t region_count;
    Name text;
} IrNodeSpec;
IrNode *ir_build(IrBuilder *b, const IrNodeSpec *spec);
/* The same without folding (the IR text parser, so that text round-trips). */
IrNode *ir_build_raw(IrBuilder *b, const IrNodeSpec *spec);

/* ---- asking --------------------------------------------------------------------------------------- */
static inline const IrType *ir_type(const IrNode *node) {
    return &node->types[0];
}
static inline Dtype ir_dtype(const IrNode *node) {
    return node->types[0].dtype;
}
static inline uint32_t ir_rank(const IrNode *node) {
    return node->types[0].rank;
}
static inline bool ir_is_scalar(const IrNode *node) {
    return node->result_count == 1 && node->types[0].kind == IR_TENSOR && node->types[0].rank == 0;
}
/* Update nodes: the triple of an axis, the indices, and whether it is one element at known-to-be-one extents
 * (which host programs store without a kernel). */
static inline IrNode *ir_update_start(const IrNode *node, uint32_t axis) {
    return node->operands[2 + 3 * axis];
}
static inline IrNode *ir_update_extent(const IrNode *node, uint32_t axis) {
    return node->operands[3 + 3 * axis];
}
static inline IrNode *ir_update_step(const IrNode *node, uint32_t axis) {
    return node->operands[4 + 3 * axis];
}
static inline uint32_t ir_update_index_count(const IrNode *node) {
    return node->attribute_count - 2;
}
/* The indices of an axis, NULL where the slice counts. */
IrNode *ir_update_indices(const IrNode *node, uint32_t axis);
bool ir_update_is_element(const IrNode *node);
bool ir_is_const(const IrNode *node);
bool ir_const_value_i64(const IrNode *node, int64_t *out); /* integer and bool constants */
bool ir_known_i64(const IrNode *node, int64_t *out);       /* constant or hint */
double ir_const_as_double(const IrNode *node);
bool ir_is_pure(Op op); /* hash-consed; may be moved within its region */
bool ir_can_fail(Op op);
bool ir_same_dims(const IrType *a, const IrType *b);
/* Extents that are one value whenever both can be used: the same node, or made equal by a passed check. */
bool ir_same_extent(const IrNode *a, const IrNode *b);
bool ir_same_extents(const IrType *type, IrNode *const *dims, uint32_t rank);
/* True if the elements of this view follow each other in C order without gaps whenever its operand's do. */
bool ir_view_is_dense(const IrNode *view);
/* True if `region` is `inner` or encloses it. */
bool ir_region_encloses(const IrRegion *region, const IrRegion *inner);

/* ---- rewriting: the driver under every rewriting pass -----------------------------------------------
 * Copies `source` region by region, bottom-up, into a new function of the same module.  For each node the
 * driver maps the operands, then calls `rule`; the rule returns the replacement (built with b) or NULL to
 * copy the node.  Nodes that nothing uses are not copied. */
typedef struct IrRewrite IrRewrite;
struct IrRewrite {
    IrBuilder builder;
    void *context;
    IrNode **map;     /* old id -> new node */
    const bool *live; /* old id -> anything uses it */
    IrNode *(*rule)(IrRewrite *rewrite, const IrNode *old, IrNode *const *operands);
};
IrFunction *ir_rewrite_function(IrFunction *source,
                                IrNode *(*rule)(IrRewrite *, const IrNode *, IrNode *const *), void *context);
/* Copies one node with mapped operands (types, attributes, regions too). */
IrNode *ir_rewrite_copy(IrRewrite *rewrite, const IrNode *old, IrNode *const *operands);
/* Copies the nodes of a region, its parameters and results apart, to the builder's place.  map (old id -> new
 * node) has what they use from outside, and values for the parameters; the copies are added. */
void ir_copy_nodes(IrBuilder *b, const IrRegion *source, IrNode **map);
IrNode *ir_rewrite_value(IrRewrite *rewrite, const IrNode *old); /* the new node of an old one */

/* ---- text and checking (ir/print.c, ir/parse.c, ir/verify.c) ----------------------------------------
 * The text of a function: one node a line, `%id = op[attributes] operands "text" : types`, regions indented
 * in braces; ids are renumbered in program order so that equal functions print equally (the cache key). */
typedef struct IrWriter {
    void (*write)(void *user, const char *text, size_t length);
    void *user;
    bool with_spans; /* a trailing @begin:end */
} IrWriter;
void ir_print_function(const IrFunction *function, const IrWriter *writer);
/* Kernels (under the names by which launches call them), then functions. */
void ir_print_module(const IrModule *module, const IrWriter *writer);
/* Parses functions (and kernels) of IR text; errors go to the sink.  NULL on error. */
IrModule *ir_parse_module(Arena *arena, Interner *names, DiagSink *sink, const char *text, size_t length,
                          uint32_t base);
/* Checks every rule above; false after it described the first violation in *message (arena text). */
bool ir_verify_function(const IrFunction *function, Arena *arena, const char **message);

#endif
