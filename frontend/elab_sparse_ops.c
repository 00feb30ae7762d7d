/* Operations on sparse matrices and edge tensors: the pattern of the result follows from the operation's zero
 * rule, its values from an operation on tensors of entries. */
#include "frontend/elab_sparse.h"
#include "ir/number.h"
#include <math.h>

enum { OPERANDS = 3 };

static Value fills(Elaborator *e, const char *what, Value sparse, Span span) {
    Value rows, columns;
    const char *size = "";
    Name shape = elab_intern(e, "shape");
    Value sizes;
    if (elab_sparse_field(e, sparse, shape, &sizes)) {
        rows = sizes.tuple->items[0], columns = sizes.tuple->items[1];
        IrNode *n = elab_node(e, rows).node, *m = elab_node(e, columns).node;
        size = arena_format(e->sink->arena, "%s x %s", elab_extent_text(e, n), elab_extent_text(e, m));
    }
    Diag *diag = diag_error(e->sink, DIAG_E0213, span, "`%s` would fill the %s zeros of %s", what, size,
                            elab_type_text(e, sparse));
    diag_note(e->sink, diag,
              "dense(a) makes a dense matrix of it; nonzeros(a, fn(v) = …) changes the entries alone");
    return elab_poison();
}

static bool is_number(Value value) {
    return elab_is_scalar(value) && !value_is_on_pattern(value);
}

/* ---- edge tensors -------------------------------------------------------------------------------------- */

/* [count, t…] as [count, 1, …, t…] with `behind` axes behind the entries. */
static IrNode *with_axes_behind(Elaborator *e, IrNode *x, uint32_t behind) {
    while (ir_rank(x) < behind + 1)
        x = elab_with_unit_axis(e, x, 1);
    return x;
}

static Value edge_elementwise(Elaborator *e, Op op, const Value *operands, uint32_t count,
                              const OperandInfo *infos, Span span) {
    IrNode *pattern = NULL;
    Value values[OPERANDS];
    uint32_t behind = 0, rank;
    for (uint32_t i = 0; i < count; i++) {
        values[i] = operands[i];
        if (operands[i].kind == VALUE_EDGES || operands[i].kind == VALUE_SPARSE) {
            Entries entries = elab_entries(e, operands[i]);
            if (pattern && pattern != entries.pattern)
                return elab_fail(e, DIAG_E0203, infos[i].span,
                                 "the operands of `%s` are on the edges of different graphs",
                                 elab_spelling(op));
            pattern = entries.pattern;
            values[i] = value_tensor(entries.values);
            rank = ir_rank(entries.values) - 1;
        } else if (!elab_rank_of(values[i], &rank)) {
            return elab_tensor(e, values[i], infos[i].span, "an operand beside an edge tensor");
        }
        behind = rank > behind ? rank : behind;
    }
    for (uint32_t i = 0; i < count; i++)
        if (operands[i].kind == VALUE_EDGES || operands[i].kind == VALUE_SPARSE)
            values[i].node = with_axes_behind(e, values[i].node, behind);
    Value made = elab_elementwise(e, op, values, infos, span);
    return value_is(made, VALUE_POISON) ? made : elab_on_pattern(e, VALUE_EDGES, pattern, made.node);
}

/* ---- sparse matrices ------------------------------------------------------------------------------------
 */

/* What stands where there is no entry. */
static double zeros_of(Value sparse) {
    union {
        uint64_t bits;
        double number;
    } constant = {.bits = sparse.tuple->count > 2 ? sparse.tuple->items[2].bits : 0};
    return constant.number;
}

static bool constant_number(Value value, double *out) {
    if (value.kind == VALUE_SPARSE)
        return *out = zeros_of(value), true;
    if (value.kind == VALUE_CONSTANT)
        *out = number_value(value.dtype, value.bits);
    return value.kind == VALUE_CONSTANT && !dtype_is_complex(value.dtype);
}

/* The operation on numbers; false where nobody needed it yet. */
static bool evaluate(Op op, double a, double b, double c, double *out) {
    switch (op) {
#define CASE(name, value)                                                                                    \
    case OP_##name:                                                                                          \
        return *out = (value), true;
        CASE(add, a + b)
        CASE(sub, a - b)
        CASE(mul, a * b)
        CASE(div, a / b)
        CASE(pow, pow(a, b))
        CASE(minimum, isnan(a) || a < b ? a : b)
        CASE(maximum, isnan(a) || a > b ? a : b)
        CASE(eq, a == b)
        CASE(ne, a != b)
        CASE(lt, a < b)
        CASE(le, a <= b)
        CASE(gt, a > b)
        CASE(ge, a >= b)
        CASE(logical_and, a != 0 && b != 0)
        CASE(logical_or, a != 0 || b != 0)
        CASE(logical_not, a == 0)
        CASE(where, a != 0 ? b : c)
        CASE(fma, a * b + c)
        CASE(neg, -a)
        CASE(abs, fabs(a))
        CASE(sign, (a > 0) - (a < 0))
        CASE(floor, floor(a))
        CASE(ceil, ceil(a))
        CASE(round, rint(a))
        CASE(trunc, trunc(a))
        CASE(sqrt, sqrt(a))
        CASE(exp, exp(a))
        CASE(exp2, exp2(a))
        CASE(expm1, expm1(a))
        CASE(log, log(a))
        CASE(log1p, log1p(a))
        CASE(sin, sin(a))
        CASE(cos, cos(a))
        CASE(tanh, tanh(a))
        CASE(erf, erf(a))
        CASE(erfc, erfc(a))
#undef CASE
    default:
        return false;
    }
}

/* What the operation makes of the zeros, where that is known now. */
static bool zeros_become(Op op, const Value *operands, uint32_t count, double *out) {
    double at[OPERANDS] = {0};
    for (uint32_t i = 0; i < count; i++)
        if (!constant_number(operands[i], &at[i]))
            return false;
    return evaluate(op, at[0], at[1], at[2], out);
}

static bool is_in_library(const Elaborator *e) {
    return e->frame && e->frame->closure->is_library;
}

static Value with_zeros_as(Elaborator *e, Value sparse, double number) {
    union {
        double number;
        uint64_t bits;
    } constant = {.number = number};
    if (sparse.kind != VALUE_SPARSE || number == 0)
        return sparse;
    ValueTuple *tuple = elab_tuple(e, 3);
    memcpy(tuple->items, sparse.tuple->items, 2 * sizeof *tuple->items);
    tuple->items[2] = elab_constant(DTYPE_f64, constant.bits, false);
    return (Value){.kind = VALUE_SPARSE, .tuple = tuple};
}

Value elab_check_zeros(Elaborator *e, Value value, Name function, Span span) {
    if (value.kind != VALUE_SPARSE || value.tuple->count < 3)
        return value;
    return fills(e, function ? function->text : "the function", value, span);
}

/* What a dense operand [n, m], or one that broadcasts to it, has at the entries. */
Value elab_at_entries(Elaborator *e, IrNode *pattern, Value value, const OperandInfo *info, Op op) {
    IrBuilder *b = &e->b;
    IrNode *x = elab_node(e, value).node;
    uint32_t rank = ir_rank(x);
    IrNode *ends[2] = {ir_pattern_extent(pattern, IR_SIDE_ROWS), ir_pattern_extent(pattern, IR_SIDE_COLUMNS)};
    bool runs[2] = {false, false};
    int64_t one;
    if (rank > 2)
        return elab_fail(e, DIAG_E0203, info->span,
                         "`%s` of a sparse matrix and %s: a sparse matrix has two axes", elab_spelling(op),
                         elab_type_text(e, value));
    for (uint32_t k = 0; k < rank; k++) {
        uint32_t side = k + 2 - rank;
        IrNode *extent = x->types[0].dims[k];
        if (ir_const_value_i64(extent, &one) && one == 1)
            continue;
        IrNode *same = elab_same_extent(e, ends[side], extent, "the sizes of axis %u of `%s` differ", side,
                                        elab_spelling(op));
        if (!same)
            return elab_fail(e, DIAG_E0203, info->span,
                             "%s does not fit axis %u of the sparse matrix, which is %s long",
                             elab_type_text(e, value), side, elab_extent_text(e, ends[side]));
        IrNode *dims[IR_MAX_RANK];
        elab_copy_dims(dims, x);
        dims[k] = same;
        x = elab_with_dims(e, x, dims, rank);
        runs[side] = true;
    }
    while (ir_rank(x) < 2)
        x = elab_with_unit_axis(e, x, 0);
    if (runs[0] && runs[1])
        return value_tensor(ir_gather_many(
            b, x, (IrNode *[]){elab_ends(e, pattern, IR_SIDE_ROWS), elab_ends(e, pattern, IR_SIDE_COLUMNS)},
            (uint32_t[]){0, 1}, 2));
    if (!runs[0] && !runs[1])
        return value_tensor(elab_drop_unit_axis(e, elab_drop_unit_axis(e, x, 1), 0));
    x = elab_drop_unit_axis(e, x, runs[0]);
    return value_tensor(ir_spread(b, x, pattern, runs[0] ? IR_SIDE_ROWS : IR_SIDE_COLUMNS));
}

static Value on_pattern_of(Elaborator *e, IrNode *pattern, Value values) {
    if (value_is(values, VALUE_POISON))
        return values;
    IrNode *count = ir_pattern_count(pattern), *v = values.node;
    if (ir_rank(v) == 0)
        v = elab_with_dims(e, v, &count, 1);
    return elab_on_pattern(e, VALUE_SPARSE, pattern, v);
}

/* Of two patterns: the union, the intersection, or the left one. */
static Value join(Elaborator *e, Op op, const Value *operands, const OperandInfo *infos, Span span) {
    IrBuilder *b = &e->b;
    Entries x = elab_entries(e, operands[0]), y = elab_entries(e, operands[1]);
    ZeroRule rule = op_info[op].zero;
    for (uint32_t axis = 0; axis < 2; axis++)
        if (!elab_same_extent(e, x.pattern->types[0].dims[axis], y.pattern->types[0].dims[axis],
                              "the sizes of sparse matrices differ")) {
            elab_shape_error(e, span, elab_spelling(op), operands, infos, 2,
                             "sparse matrices do not broadcast");
            return elab_poison();
        }
    if (x.pattern == y.pattern)
        return on_pattern_of(
            e, x.pattern,
            elab_elementwise(e, op, (Value[]){value_tensor(x.values), value_tensor(y.values)}, infos, span));
    if (rule == ZERO_LEFT) {
        IrNode *at = ir_pattern_locate(b, y.pattern, elab_ends(e, x.pattern, IR_SIDE_ROWS),
                                       elab_ends(e, x.pattern, IR_SIDE_COLUMNS));
        Value values[] = {value_tensor(x.values), value_tensor(elab_entries_at(e, y.values, at))};
        return on_pattern_of(e, x.pattern, elab_elementwise(e, op, values, infos, span));
    }
    IrNode *made = rule == ZERO_MEET ? ir_pattern_intersection(b, x.pattern, y.pattern)
                                     : ir_pattern_union(b, x.pattern, y.pattern);
    IrNode *maps[] = {ir_result(b, made, 1), ir_result(b, made, 2)}, *sides[] = {x.values, y.values};
    Value values[2];
    for (int i = 0; i < 2; i++)
        values[i] = value_tensor(rule == ZERO_MEET ? ir_gather(b, sides[i], maps[i], 0)
                                                   : elab_entries_at(e, sides[i], maps[i]));
    return on_pattern_of(e, ir_result(b, made, 0), elab_elementwise(e, op, values, infos, span));
}

static Value sparse_unary(Elaborator *e, Op op, const Value *operands, uint32_t count,
                          const OperandInfo *infos, Span span) {
    Value values[OPERANDS];
    IrNode *pattern = NULL;
    for (uint32_t i = 0; i < count; i++) {
        values[i] = operands[i];
        if (operands[i].kind == VALUE_SPARSE) {
            Entries entries = elab_entries(e, operands[i]);
            pattern = entries.pattern;
            values[i] = value_tensor(entries.values);
        }
    }
    return on_pattern_of(e, pattern, elab_elementwise(e, op, values, infos, span));
}

/* A sparse matrix with a dense tensor. */
static Value with_dense(Elaborator *e, Op op, const Value *operands, const OperandInfo *infos, Span span) {
    uint32_t at = operands[0].kind == VALUE_SPARSE ? 0 : 1;
    ZeroRule rule = op_info[op].zero;
    if (rule != ZERO_MEET && !(rule == ZERO_LEFT && at == 0))
        return fills(e, elab_spelling(op), operands[at], span);
    Entries a = elab_entries(e, operands[at]);
    Value values[2];
    values[at] = value_tensor(a.values);
    values[!at] = elab_at_entries(e, a.pattern, operands[!at], &infos[!at], op);
    if (value_is(values[!at], VALUE_POISON))
        return values[!at];
    return on_pattern_of(e, a.pattern, elab_elementwise(e, op, values, infos, span));
}

static bool is_one_pattern(Elaborator *e, const Value *operands, uint32_t count) {
    const IrNode *pattern = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (operands[i].kind != VALUE_SPARSE)
            continue;
        const IrNode *own = elab_entries(e, operands[i]).pattern;
        if (pattern && own != pattern)
            return false;
        pattern = own;
    }
    return true;
}

static bool has_other_zeros(const Value *operands, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (operands[i].kind == VALUE_SPARSE && operands[i].tuple->count > 2)
            return true;
    return false;
}

Value elab_sparse_elementwise(Elaborator *e, Op op, const Value *operands, const OperandInfo *infos,
                              Span span) {
    uint32_t count = op_info[op].arity, sparse = 0, numbers = 0;
    const Value *any = NULL;
    elab_at(e, span);
    for (uint32_t i = 0; i < count; i++) {
        if (value_is(operands[i], VALUE_POISON))
            return elab_poison();
        if (operands[i].kind == VALUE_EDGES)
            return edge_elementwise(e, op, operands, count, infos, span);
        if (operands[i].kind == VALUE_GRAPH)
            return elab_fail(e, DIAG_E0201, infos[i].span, "`%s` of a graph: its adjacency matrix is `.adj`",
                             elab_spelling(op));
        if (operands[i].kind == VALUE_SPARSE)
            sparse++, any = &operands[i];
        else
            numbers += is_number(operands[i]);
    }
    ZeroRule rule = op_info[op].zero;
    if (sparse + numbers == count && is_one_pattern(e, operands, count)) {
        double zeros = NAN;
        bool is_known = zeros_become(op, operands, count, &zeros);
        bool keeps = count == 1
                         ? rule == ZERO_KEEPS
                         : rule == ZERO_MEET || (rule == ZERO_LEFT && operands[0].kind == VALUE_SPARSE);
        keeps = keeps && !has_other_zeros(operands, count);
        if (keeps || (is_known && (zeros == 0 || is_in_library(e)))) {
            Value made = sparse_unary(e, op, operands, count, infos, span);
            return keeps ? made : with_zeros_as(e, made, zeros);
        }
        if (sparse == 1)
            return fills(e, elab_spelling(op), *any, span);
    }
    if (has_other_zeros(operands, count))
        return fills(e, elab_spelling(op), *any, span);
    if (count == 2 && sparse == 2)
        return rule == ZERO_FILLS ? fills(e, elab_spelling(op), *any, span)
                                  : join(e, op, operands, infos, span);
    if (count == 2)
        return with_dense(e, op, operands, infos, span);
    Value made;
    if (op == OP_where && elab_sparse_where(e, operands, infos, span, &made))
        return made;
    return fills(e, elab_spelling(op), *any, span);
}

Value elab_sparse_cast(Elaborator *e, Value value, Dtype dtype) {
    Entries entries = elab_entries(e, value);
    return elab_on_pattern(e, value.kind, entries.pattern, elab_cast(e, entries.values, dtype));
}

/* ---- products -------------------------------------------------------------------------------------------
 */

/* The entries of a row times the rows of x that they stand for, summed; side: what the result runs along. */
static IrNode *entries_times(Elaborator *e, Entries a, IrNode *x, IrSide side) {
    IrBuilder *b = &e->b;
    Dtype dtype = ir_dtype(x), wide = dtype_info[dtype].compute;
    IrNode *rows = ir_spread(b, x, a.pattern, side == IR_SIDE_ROWS ? IR_SIDE_COLUMNS : IR_SIDE_ROWS);
    IrNode *dims[IR_MAX_RANK];
    elab_copy_dims(dims, rows);
    dims[0] = a.values->types[0].dims[0];
    IrNode *values = ir_broadcast(b, a.values, (uint32_t[]){0}, dims, ir_rank(x));
    return ir_segment(b, OP_sum, ir_binary(b, OP_mul, values, elab_with_dims(e, rows, dims, ir_rank(x))),
                      a.pattern, side, wide, dtype);
}

static Value inner_error(Elaborator *e, const Value *values, const OperandInfo *infos, IrNode *left,
                         IrNode *right, Span span) {
    elab_shape_error(e, span, "@", values, infos, 2,
                     elab_sizes_note(e, "inner sizes", left, infos[0].node, right, infos[1].node));
    return elab_poison();
}

static Value sparse_times_sparse(Elaborator *e, const Value *operands, const OperandInfo *infos, Dtype dtype,
                                 Span span) {
    IrBuilder *b = &e->b;
    Entries x = elab_entries(e, operands[0]), y = elab_entries(e, operands[1]);
    IrNode *left = ir_pattern_extent(x.pattern, IR_SIDE_COLUMNS),
           *right = ir_pattern_extent(y.pattern, IR_SIDE_ROWS);
    if (!elab_same_extent(e, left, right, "inner sizes of `@` differ"))
        return inner_error(e, operands, infos, left, right, span);
    IrNode *pattern = ir_result(b, ir_pattern_product(b, x.pattern, y.pattern), 0);
    IrNode *values = ir_sparse_product(b, x.pattern, elab_cast(e, x.values, dtype), y.pattern,
                                       elab_cast(e, y.values, dtype), pattern);
    return elab_on_pattern(e, VALUE_SPARSE, pattern, values);
}

Value elab_sparse_matmul(Elaborator *e, Value left, Value right, const OperandInfo *infos, Span span) {
    Value operands[] = {left, right};
    Dtype dtype = elab_common_dtype(operands, 2);
    elab_at(e, span);
    for (int i = 0; i < 2; i++) {
        if (operands[i].kind == VALUE_GRAPH || operands[i].kind == VALUE_EDGES)
            return elab_fail(e, DIAG_E0201, infos[i].span,
                             "an operand of `@` must be a tensor or a sparse matrix, not %s",
                             elab_kind_text(e, operands[i]));
    }
    if (dtype == DTYPE_bool)
        return elab_fail(e, DIAG_E0202, span, "`@` is not defined for %s", dtype_name(dtype));
    if (left.kind == VALUE_SPARSE && right.kind == VALUE_SPARSE)
        return sparse_times_sparse(e, operands, infos, dtype, span);
    uint32_t at = left.kind != VALUE_SPARSE; /* of the sparse operand */
    Entries a = elab_entries(e, operands[at]);
    IrNode *x = elab_cast(e, elab_node(e, operands[!at]).node, dtype);
    if (ir_rank(x) < 1 || ir_rank(x) > 2)
        return elab_fail(e, DIAG_E0203, infos[!at].span,
                         "a sparse matrix is multiplied with a vector or a matrix, not with %s",
                         elab_type_text(e, operands[!at]));
    bool turn = at && ir_rank(x) == 2; /* x @ a = (a.T @ x.T).T */
    if (turn)
        x = ir_permute(&e->b, x, (uint32_t[]){1, 0});
    IrNode *inner = ir_pattern_extent(a.pattern, at ? IR_SIDE_ROWS : IR_SIDE_COLUMNS);
    IrNode *same = elab_same_extent(e, inner, x->types[0].dims[0], "inner sizes of `@` differ");
    if (!same)
        return inner_error(e, operands, infos, at ? x->types[0].dims[0] : inner,
                           at ? inner : x->types[0].dims[0], span);
    IrNode *dims[IR_MAX_RANK];
    elab_copy_dims(dims, x);
    dims[0] = same;
    a.values = elab_cast(e, a.values, dtype);
    x = entries_times(e, a, elab_with_dims(e, x, dims, ir_rank(x)), at ? IR_SIDE_COLUMNS : IR_SIDE_ROWS);
    return value_tensor(turn ? ir_permute(&e->b, x, (uint32_t[]){1, 0}) : x);
}

/* ---- reductions -----------------------------------------------------------------------------------------
 */

/* How many entries each row (column) has. */
static IrNode *entry_counts(Elaborator *e, IrNode *pattern, IrSide side) {
    IrBuilder *b = &e->b;
    IrNode *starts =
        ir_pattern_part(b, pattern, side == IR_SIDE_ROWS ? IR_PART_ROW_STARTS : IR_PART_COLUMN_STARTS);
    IrNode *extent = ir_pattern_extent(pattern, side), *zero = ir_const_i64(b, 0), *one = ir_const_i64(b, 1);
    IrNode *first = ir_slice(b, starts, &zero, &extent, &one, NULL);
    return ir_binary(b, OP_sub, ir_slice(b, starts, &one, &extent, &one, NULL), first);
}

static IrNode *broadcast_scalar(Elaborator *e, IrNode *x, const IrNode *like) {
    return elab_with_dims(e, x, like->types[0].dims, ir_rank(like));
}

/* Where zeros are left out, they count too: max and min with 0, all and prod as 0. */
static IrNode *with_zeros(Elaborator *e, Op op, IrNode *made, IrNode *is_full) {
    if (op == OP_sum || op == OP_any)
        return made;
    IrNode *zero = broadcast_scalar(e, ir_const_number(&e->b, ir_dtype(made), 0), made);
    IrNode *with = op == OP_max   ? ir_binary(&e->b, OP_maximum, made, zero)
                   : op == OP_min ? ir_binary(&e->b, OP_minimum, made, zero)
                                  : zero;
    return ir_where(&e->b, is_full, made, with);
}

/* The accumulator and result of op over entries of dtype. */
static void reduction_dtypes(Op op, Dtype dtype, const Dtype *wanted, Dtype *accumulator, Dtype *result) {
    *result = wanted ? *wanted : ir_reduction_dtype(op, dtype);
    *accumulator = wanted ? dtype_info[*wanted].compute : ir_accumulator(op, dtype);
}

static Value reduce_all(Elaborator *e, Op op, Entries a, const Dtype *dtype, Span span, Span axis_span) {
    IrBuilder *b = &e->b;
    IrNode *size = ir_binary(b, OP_mul, ir_pattern_extent(a.pattern, IR_SIDE_ROWS),
                             ir_pattern_extent(a.pattern, IR_SIDE_COLUMNS));
    IrNode *is_full = ir_binary(b, OP_eq, ir_pattern_count(a.pattern), size), *values = a.values;
    Value none = value_of_kind(VALUE_NONE);
    Dtype accumulator, result;
    if (op != OP_max && op != OP_min) {
        Value made = elab_reduce(e, op, value_tensor(values), none, false, dtype, span, axis_span);
        if (value_is(made, VALUE_POISON))
            return made;
        return value_tensor(with_zeros(e, op, elab_node(e, made).node, is_full));
    }
    reduction_dtypes(op, ir_dtype(values), dtype, &accumulator, &result);
    uint32_t axis = 0;
    IrNode *made = ir_reduce(b, op, values, &axis, 1, accumulator, result);
    return value_tensor(with_zeros(e, op, made, is_full));
}

/* Axis 1 goes: what is left runs along the rows; axis 0: along the columns. */
static IrNode *reduce_side(Elaborator *e, Op op, Entries a, IrSide side, const Dtype *dtype) {
    IrBuilder *b = &e->b;
    Dtype accumulator, result;
    IrNode *values = op == OP_any || op == OP_all ? elab_cast(e, a.values, DTYPE_bool) : a.values;
    if (dtype)
        values = elab_cast(e, values, *dtype);
    reduction_dtypes(op, ir_dtype(values), dtype, &accumulator, &result);
    IrNode *made = ir_segment(b, op, values, a.pattern, side, accumulator, result);
    IrNode *counts = entry_counts(e, a.pattern, side);
    IrNode *most = ir_pattern_extent(a.pattern, side == IR_SIDE_ROWS ? IR_SIDE_COLUMNS : IR_SIDE_ROWS);
    return with_zeros(e, op, made, ir_binary(b, OP_eq, counts, broadcast_scalar(e, most, counts)));
}

static Value shaped(Elaborator *e, IrNode *made, const uint32_t *axes, uint32_t count, bool keepdims) {
    for (uint32_t i = 0; keepdims && i < count; i++)
        made = elab_with_unit_axis(e, made, axes[i]);
    return value_tensor(made);
}

/* The values, once the sizes of the axes are known to be positive: the largest of nothing is an error. */
static IrNode *over_something(Elaborator *e, Op op, Entries a, const uint32_t *axes, uint32_t count,
                              Span span) {
    IrBuilder *b = &e->b;
    Name message = elab_intern(e, arena_format(e->arena, "`%s` over nothing", op_name(op)));
    for (uint32_t i = 0; i < count; i++) {
        int64_t size;
        IrNode *extent = ir_pattern_extent(a.pattern, (IrSide)axes[i]);
        if (ir_known_i64(extent, &size) && size == 0)
            return elab_fail(e, DIAG_E0305, span, "`%s` over nothing: axis %u has the size 0", op_name(op),
                             axes[i]),
                   NULL;
        IrNode *fits = ir_binary(b, OP_gt, extent, ir_const_i64(b, 0));
        if (!ir_const_value_i64(extent, &size))
            a.values = ir_check_true(b, fits, a.values, DIAG_E0305, message);
    }
    return a.values;
}

Value elab_sparse_reduce(Elaborator *e, Op op, Value value, Value axis, bool keepdims, const Dtype *dtype,
                         Span span, Span axis_span) {
    uint32_t axes[IR_MAX_RANK], count;
    if (value.kind == VALUE_GRAPH)
        return elab_fail(e, DIAG_E0201, span, "`%s` of a graph: its adjacency matrix is `.adj`", op_name(op));
    Entries a = elab_entries(e, value);
    elab_at(e, span);
    if (value.kind == VALUE_EDGES) { /* the edge axis is not counted */
        if (value_is(axis, VALUE_NONE))
            return elab_reduce(e, op, value_tensor(a.values), axis, keepdims, dtype, span, axis_span);
        if (!elab_axes(e, axis, ir_rank(a.values) - 1, axis_span, axes, &count))
            return elab_poison();
        Value *numbers = ARENA_ARRAY(e->arena, Value, count);
        for (uint32_t i = 0; i < count; i++)
            numbers[i] = elab_int(e, axes[i] + 1);
        Value shifted = {.kind = VALUE_TUPLE, .tuple = elab_tuple_of(e, count, numbers)};
        Value made = elab_reduce(e, op, value_tensor(a.values), shifted, keepdims, dtype, span, axis_span);
        return value_is(made, VALUE_POISON) ? made : elab_on_pattern(e, VALUE_EDGES, a.pattern, made.node);
    }
    if (!elab_axes(e, axis, 2, axis_span, axes, &count))
        return elab_poison();
    if (count == 0)
        return value;
    if (elab_has_no_identity(op) && !(a.values = over_something(e, op, a, axes, count, span)))
        return elab_poison();
    if (op == OP_argmax || op == OP_argmin) {
        Value made = elab_sparse_place(e, op, value, axes, count, span);
        return value_is(made, VALUE_POISON) ? made : shaped(e, made.node, axes, count, keepdims);
    }
    if (count == 2) {
        Value made = reduce_all(e, op, a, dtype, span, axis_span);
        return value_is(made, VALUE_POISON) ? made : shaped(e, made.node, axes, count, keepdims);
    }
    return shaped(e, reduce_side(e, op, a, axes[0] ? IR_SIDE_ROWS : IR_SIDE_COLUMNS, dtype), axes, count,
                  keepdims);
}

/* Over all; with axes over those behind the edges. */
static Value edge_mean(Elaborator *e, Value value, Value axis, bool keepdims, Span span, Span axis_span) {
    uint32_t axes[IR_MAX_RANK], count = 0;
    Entries w = elab_entries(e, value);
    Dtype dtype = ir_dtype(w.values);
    Dtype wanted = dtype_is_float(dtype) || dtype_is_complex(dtype) ? dtype : DTYPE_f64;
    Value sum = elab_sparse_reduce(e, OP_sum, value, axis, keepdims, &wanted, span, axis_span);
    if (value_is(sum, VALUE_POISON))
        return sum;
    IrNode *size = ir_const_i64(&e->b, 1);
    if (value_is(axis, VALUE_NONE))
        size = ir_size(&e->b, w.values);
    else if (!elab_axes(e, axis, ir_rank(w.values) - 1, axis_span, axes, &count))
        return elab_poison();
    for (uint32_t i = 0; i < count; i++)
        size = ir_binary(&e->b, OP_mul, size, w.values->types[0].dims[axes[i] + 1]);
    OperandInfo infos[2] = {{span, NULL}, {span, NULL}};
    return elab_elementwise(e, OP_div, (Value[]){sum, value_weak(size)}, infos, span);
}

Value elab_sparse_mean(Elaborator *e, Value value, Value axis, bool keepdims, Span span, Span axis_span) {
    uint32_t axes[IR_MAX_RANK], count;
    Dtype dtype;
    if (value.kind == VALUE_GRAPH)
        return elab_sparse_reduce(e, OP_sum, value, axis, keepdims, NULL, span, axis_span); /* reports it */
    if (value.kind == VALUE_EDGES)
        return edge_mean(e, value, axis, keepdims, span, axis_span);
    elab_dtype_of(value, &dtype);
    Dtype wanted = dtype_is_float(dtype) || dtype_is_complex(dtype) ? dtype : DTYPE_f64;
    Value sum = elab_sparse_reduce(e, OP_sum, value, axis, keepdims, &wanted, span, axis_span);
    if (value_is(sum, VALUE_POISON) || !elab_axes(e, axis, 2, axis_span, axes, &count))
        return elab_poison();
    IrNode *pattern = elab_entries(e, value).pattern, *size = ir_const_i64(&e->b, 1);
    for (uint32_t i = 0; i < count; i++)
        size = ir_binary(&e->b, OP_mul, size, pattern->types[0].dims[axes[i]]);
    OperandInfo infos[2] = {{span, NULL}, {span, NULL}};
    return elab_elementwise(e, OP_div, (Value[]){sum, value_weak(size)}, infos, span);
}
