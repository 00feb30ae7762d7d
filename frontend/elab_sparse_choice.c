/* Choices among the entries of sparse matrices: `where`, and the places of the largest and smallest. */
#include "frontend/elab_sparse.h"

/* ---- where ----------------------------------------------------------------------------------------------
 */

static bool is_zero(Value value) {
    if (value.kind == VALUE_TENSOR && ir_is_scalar(value.node) && ir_is_const(value.node))
        return ir_const_as_double(value.node) == 0;
    return value.kind == VALUE_CONSTANT && value.bits == 0;
}

static bool is_matrix(Value value) {
    return value.kind == VALUE_SPARSE && value.tuple->count == 2;
}

/* The entries of both; of a value that is no matrix none. */
static IrNode *either_pattern(Elaborator *e, Value x, Value y) {
    IrNode *patterns[] = {is_matrix(x) ? elab_entries(e, x).pattern : NULL,
                          is_matrix(y) ? elab_entries(e, y).pattern : NULL};
    if (!patterns[0] || !patterns[1] || patterns[0] == patterns[1])
        return patterns[0] ? patterns[0] : patterns[1];
    return ir_result(&e->b, ir_pattern_union(&e->b, patterns[0], patterns[1]), 0);
}

static Value values_on(Elaborator *e, IrNode *pattern, Value value, const OperandInfo *info) {
    if (!is_matrix(value))
        return elab_is_scalar(value) ? value : elab_at_entries(e, pattern, value, info, OP_where);
    Entries entries = elab_entries(e, value);
    if (entries.pattern == pattern)
        return value_tensor(entries.values);
    IrNode *at = ir_pattern_locate(&e->b, entries.pattern, elab_ends(e, pattern, IR_SIDE_ROWS),
                                   elab_ends(e, pattern, IR_SIDE_COLUMNS));
    return value_tensor(elab_entries_at(e, entries.values, at));
}

static bool same_sizes(Elaborator *e, const Value *operands, const OperandInfo *infos, Span span) {
    const IrNode *first = NULL;
    for (int i = 0; i < 3; i++) {
        if (!is_matrix(operands[i]))
            continue;
        const IrNode *pattern = elab_entries(e, operands[i]).pattern;
        for (uint32_t axis = 0; first && axis < 2; axis++)
            if (!elab_same_extent(e, first->types[0].dims[axis], pattern->types[0].dims[axis],
                                  "the sizes of sparse matrices differ")) {
                elab_shape_error(e, span, "where", operands, infos, 3, "sparse matrices do not broadcast");
                return false;
            }
        first = pattern;
    }
    return true;
}

bool elab_sparse_where(Elaborator *e, const Value *operands, const OperandInfo *infos, Span span,
                       Value *out) {
    IrNode *pattern = NULL;
    Value values[3];
    bool no = is_matrix(operands[2]) || is_zero(operands[2]),
         yes = is_matrix(operands[1]) || is_zero(operands[1]);
    if (no && is_matrix(operands[0])) /* false without an entry: there it is what operands[2] is */
        pattern = either_pattern(e, operands[0], operands[2]);
    else if (no && yes && !is_matrix(operands[0]))
        pattern = either_pattern(e, operands[1], operands[2]);
    if (!pattern)
        return false;
    *out = elab_poison();
    if (!same_sizes(e, operands, infos, span))
        return true;
    for (int i = 0; i < 3; i++)
        if (value_is(values[i] = values_on(e, pattern, operands[i], &infos[i]), VALUE_POISON))
            return true;
    Value made = elab_elementwise(e, OP_where, values, infos, span);
    if (value_is(made, VALUE_POISON))
        return true;
    IrNode *count = ir_pattern_count(pattern);
    made = elab_node(e, made);
    *out = elab_on_pattern(e, VALUE_SPARSE, pattern,
                           ir_rank(made.node) ? made.node : elab_with_dims(e, made.node, &count, 1));
    return true;
}

/* ---- places of extremes ----------------------------------------------------------------------------------
 */

static IrNode *like(Elaborator *e, IrNode *scalar, const IrNode *x) {
    return elab_with_dims(e, scalar, x->types[0].dims, ir_rank(x));
}

static IrNode *number_like(Elaborator *e, double number, const IrNode *x) {
    return like(e, ir_const_number(&e->b, ir_dtype(x), number), x);
}

/* The least of x, i64 [count], over the entries of each row where `counts` says so; `none` for a row without.
 */
static IrNode *least(Elaborator *e, IrNode *counts, IrNode *x, IrNode *pattern, IrNode *none) {
    IrBuilder *b = &e->b;
    IrNode *most = like(e, ir_const_i64(b, INT64_MAX), x);
    IrNode *made =
        ir_segment(b, OP_min, ir_where(b, counts, x, most), pattern, IR_SIDE_ROWS, DTYPE_i64, DTYPE_i64);
    IrNode *is_none = ir_binary(b, OP_eq, made, like(e, ir_const_i64(b, INT64_MAX), made));
    return ir_where(b, is_none, like(e, none, made), made);
}

/* The first column of each row in which it is largest (smallest), zeros included; `a` in order ROWS. */
static IrNode *place_in_rows(Elaborator *e, Entries a, IrNode *extreme) {
    IrBuilder *b = &e->b;
    IrNode *columns = elab_ends(e, a.pattern, IR_SIDE_COLUMNS), *v = a.values;
    IrNode *rows = ir_pattern_extent(a.pattern, IR_SIDE_ROWS), *zero = ir_const_i64(b, 0),
           *one = ir_const_i64(b, 1);
    IrNode *starts = ir_slice(b, ir_pattern_part(b, a.pattern, IR_PART_ROW_STARTS), &zero, &rows, &one, NULL);
    IrNode *wanted = ir_spread(b, extreme, a.pattern, IR_SIDE_ROWS);
    IrNode *is_it = ir_binary(b, OP_eq, v, wanted);
    if (dtype_is_float(ir_dtype(v))) /* the first NaN, where there is one */
        is_it = ir_binary(b, OP_logical_or, is_it, ir_binary(b, OP_ne, v, v));
    IrNode *past = ir_pattern_extent(a.pattern, IR_SIDE_COLUMNS);
    IrNode *stored = least(e, is_it, columns, a.pattern, past);
    /* The first gap: where an entry stands further right than it is in its row, else behind the last. */
    IrNode *ranks = ir_binary(b, OP_sub, ir_iota(b, ir_pattern_count(a.pattern)),
                              ir_spread(b, starts, a.pattern, IR_SIDE_ROWS));
    IrNode *ends = ir_slice(b, ir_pattern_part(b, a.pattern, IR_PART_ROW_STARTS), &one, &rows, &one, NULL);
    IrNode *lengths = ir_binary(b, OP_sub, ends, starts);
    IrNode *gap = least(e, ir_binary(b, OP_ne, columns, ranks), ranks, a.pattern, lengths);
    IrNode *zeros = ir_binary(b, OP_eq, extreme, number_like(e, 0, extreme));
    return ir_where(b, zeros, ir_binary(b, OP_minimum, stored, gap), stored);
}

static Value place_in_all(Elaborator *e, Op op, Value a, Span span) {
    Op extreme = op == OP_argmax ? OP_max : OP_min;
    Value axis = elab_int(e, 1), none = value_of_kind(VALUE_NONE);
    Value largest = elab_sparse_reduce(e, extreme, a, axis, false, NULL, span, span);
    Value columns = elab_sparse_reduce(e, op, a, axis, false, NULL, span, span);
    if (value_is(largest, VALUE_POISON) || value_is(columns, VALUE_POISON))
        return elab_poison();
    Value row = elab_reduce(e, op, largest, none, false, NULL, span, span);
    if (value_is(row, VALUE_POISON))
        return row;
    IrBuilder *b = &e->b;
    IrNode *column = elab_first_axis_item(e, columns.node, row.node);
    IrNode *width = ir_pattern_extent(elab_entries(e, a).pattern, IR_SIDE_COLUMNS);
    return value_tensor(ir_binary(b, OP_add, ir_binary(b, OP_mul, row.node, width), column));
}

Value elab_sparse_place(Elaborator *e, Op op, Value a, const uint32_t *axes, uint32_t count, Span span) {
    Value turned = a;
    if (!elab_takes_complex(e, op, ir_dtype(elab_entries(e, a).values), span))
        return elab_poison();
    if (count == 2)
        return place_in_all(e, op, a, span);
    if (!axes[0])
        elab_sparse_field(e, a, elab_intern(e, "T"), &turned);
    turned = elab_reordered(e, turned, IR_ORDER_ROWS);
    Value extreme = elab_sparse_reduce(e, op == OP_argmax ? OP_max : OP_min, turned, elab_int(e, 1), false,
                                       NULL, span, span);
    if (value_is(extreme, VALUE_POISON))
        return extreme;
    return value_tensor(place_in_rows(e, elab_entries(e, turned), extreme.node));
}
