/* Subscripts of sparse matrices and edge tensors.
 *
 *   a[i, j]                 the entry, or zero; with index tensors or a mask one for each place: dense
 *   a[i], a[:, j]           a row, a column: dense vectors
 *   a[2:5], a[:, idx], …    some rows and columns, repeated where an index is: sparse
 *   w[u -> v], a[u, v]      at the edge that an index expression runs over */
#include "frontend/elab_index.h"
#include "frontend/elab_sparse.h"

/* ---- entries at places ----------------------------------------------------------------------------------
 */

/* The entries at (rows[k], columns[k]), i64 of one shape. */
static IrNode *entries_at_places(Elaborator *e, Entries a, IrNode *rows, IrNode *columns) {
    IrBuilder *b = &e->b;
    return elab_entries_at(e, a.values, ir_pattern_locate(b, a.pattern, rows, columns));
}

/* Where a part reads, as an i64 tensor of the shape of `like`; an integer is the same for all. */
static IrNode *places_of(Elaborator *e, const Part *part, IrNode *const *dims, uint32_t rank) {
    IrNode *at = part->kind == PART_GATHER ? part->indices : part->cut.start;
    return elab_with_dims(e, at, dims, rank);
}

static Value at_places(Elaborator *e, Entries a, const Subscripts *s, const Part *const *parts) {
    IrNode *tensors[IR_MAX_RANK], *one = ir_const_i64(&e->b, 1);
    uint32_t axes[IR_MAX_RANK], count = elab_index_tensors(e, s, tensors, axes);
    if (count == UINT32_MAX)
        return elab_poison();
    uint32_t rank = count ? ir_rank(tensors[0]) : 1;
    IrNode *const *dims = count ? tensors[0]->types[0].dims : &one;
    IrNode *places[2];
    for (uint32_t i = 0, next = 0; i < 2; i++)
        places[i] = parts[i]->kind == PART_GATHER ? tensors[next++] : places_of(e, parts[i], dims, rank);
    IrNode *made = entries_at_places(e, a, places[0], places[1]);
    return value_tensor(count ? made : elab_drop_unit_axis(e, made, 0));
}

/* ---- rows and columns ------------------------------------------------------------------------------------
 */

static bool is_whole(const Part *part, const IrNode *extent) {
    int64_t start, step;
    return part->kind == PART_CUT && !part->cut.drop && part->cut.extent == extent &&
           ir_const_value_i64(part->cut.start, &start) && start == 0 &&
           ir_const_value_i64(part->cut.step, &step) && step == 1;
}

/* The rows (columns) that a part takes, i64 [any]. */
static IrNode *chosen(Elaborator *e, const Part *part) {
    IrBuilder *b = &e->b;
    IrNode *extent = part->cut.extent;
    if (part->kind == PART_GATHER)
        return part->indices;
    IrNode *along = ir_iota(b, extent);
    IrNode *step = elab_with_dims(e, part->cut.step, &extent, 1);
    return ir_binary(b, OP_add, ir_binary(b, OP_mul, along, step),
                     elab_with_dims(e, part->cut.start, &extent, 1));
}

static Value some_rows(Elaborator *e, Value base, Entries a, const Part *const *parts) {
    IrBuilder *b = &e->b;
    IrNode *sides[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++)
        if (!is_whole(parts[i], a.pattern->types[0].dims[i]))
            sides[i] = chosen(e, parts[i]);
    Value made = base;
    if (sides[0] || sides[1]) {
        IrNode *selected = ir_pattern_select(b, a.pattern, sides[0], sides[1]);
        made = elab_on_pattern(e, VALUE_SPARSE, ir_result(b, selected, 0),
                               ir_gather(b, a.values, ir_result(b, selected, 1), 0));
    }
    if (!parts[0]->cut.drop && !parts[1]->cut.drop)
        return made;
    return value_tensor(elab_drop_unit_axis(e, elab_densify(e, made), parts[0]->cut.drop ? 0 : 1));
}

/* One row or column, of which the number may be an index variable: its entries are looked up. */
static Value row_of_index(Elaborator *e, Entries a, const Part *const *parts) {
    int other = parts[0]->cut.drop;
    IrNode *places[2];
    places[other] = chosen(e, parts[other]);
    places[!other] = elab_with_dims(e, parts[!other]->cut.start, places[other]->types[0].dims, 1);
    return value_tensor(entries_at_places(e, a, places[0], places[1]));
}

/* A tensor of the matrix's shape that nothing is computed of: subscripts are read against it. */
static IrNode *stand_in(Elaborator *e, Entries a) {
    IrNode *zero = ir_const_number(&e->b, ir_dtype(a.values), 0);
    return elab_with_dims(e, zero, a.pattern->types[0].dims, 2);
}

static Value index_matrix(Elaborator *e, const AstNode *node, Value base) {
    Entries a = elab_entries(e, base);
    Subscripts s;
    const Part *parts[2] = {NULL, NULL};
    uint32_t axis = 0, indices = 0, tensors = 0;
    if (!elab_subscripts(e, node, value_tensor(stand_in(e, a)), &s))
        return elab_poison();
    for (uint32_t i = 0; i < s.count; i++) {
        if (s.parts[i].kind == PART_NEW)
            return elab_fail(e, DIAG_E0209, s.parts[i].span,
                             "a sparse matrix has two axes and takes no new one: dense(a) does");
        parts[axis++] = &s.parts[i];
        tensors += s.parts[i].kind == PART_GATHER;
        indices += s.parts[i].kind == PART_GATHER || s.parts[i].cut.drop;
    }
    elab_at(e, node->span);
    if (indices == 2)
        return at_places(e, a, &s, parts);
    if (indices == 1 && !tensors && e->index_depth) /* another row for each index */
        return row_of_index(e, a, parts);
    for (int i = 0; i < 2; i++)
        if (parts[i]->kind == PART_GATHER && ir_rank(parts[i]->indices) != 1)
            return elab_fail(
                e, DIAG_E0209, parts[i]->span,
                "rows and columns of a sparse matrix are chosen by a vector, not by a tensor of rank %u",
                ir_rank(parts[i]->indices));
    return some_rows(e, base, a, parts);
}

/* ---- edges -----------------------------------------------------------------------------------------------
 */

/* The ends that a subscript names, as `u -> v` or `u, v`; false for other subscripts. */
static bool names_ends(AstList list, const AstNode **ends) {
    if (list.count == 1 && list.items[0]->kind == AST_EDGE) {
        ends[0] = ast_edge_source(list.items[0]);
        ends[1] = ast_edge_target(list.items[0]);
        return true;
    }
    if (list.count != 2 || list.items[0]->kind != AST_NAME || list.items[1]->kind != AST_NAME)
        return false;
    ends[0] = list.items[0];
    ends[1] = list.items[1];
    return true;
}

Value elab_sparse_index(Elaborator *e, const AstNode *node, Value base) {
    AstList list = ast_index_subscripts(node);
    const AstNode *names[2];
    Value out;
    if (base.kind == VALUE_GRAPH)
        return elab_fail(e, DIAG_E0209, node->span, "a graph is not indexed: its adjacency matrix is `.adj`");
    bool is_edge = list.count == 1 && list.items[0]->kind == AST_EDGE;
    if (names_ends(list, names)) {
        Value ends[2] = {elab_expression(e, names[0]), elab_expression(e, names[1])};
        if (value_is(ends[0], VALUE_POISON) || value_is(ends[1], VALUE_POISON))
            return elab_poison();
        if (elab_at_edge(e, base, ends[0], ends[1], &out))
            return out;
    }
    if (base.kind == VALUE_SPARSE && !is_edge)
        return index_matrix(e, node, base);
    if (is_edge)
        return elab_fail(
            e, DIAG_E0209, node->span,
            "`u -> v` is the edge of an index expression over the edges that this is a tensor of");
    return elab_fail(e, DIAG_E0209, node->span,
                     "an edge tensor is read at an edge, w[u -> v]; nonzeros(w) is its tensor");
}
