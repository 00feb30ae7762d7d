/* Builtins that compute: elementwise ops, reductions, `where`, and the library calls of linear algebra. */
#include "frontend/elab_builtin.h"
#include "frontend/elab_sparse.h"

Value builtin_elementwise(Elaborator *e, BuiltinCall *call) {
    OperandInfo infos[3];
    Dtype dtype;
    for (uint32_t i = 0; i < call->count; i++) {
        infos[i] = (OperandInfo){call->spans[i], call->nodes[i]};
        if (!elab_dtype_of(call->values[i], &dtype) &&
            value_is(builtin_tensor(e, call, i,
                                    arena_format(e->arena, "an argument of `%s`", call->builtin->name)),
                     VALUE_POISON))
            return elab_poison();
    }
    return elab_elementwise(e, call->builtin->op, call->values, infos, call->span);
}

Value elab_part_of(Elaborator *e, Value value, Op op) {
    value = elab_node(e, value);
    if (value_is(value, VALUE_POISON))
        return value;
    IrNode *x = value.node;
    if (dtype_is_complex(ir_dtype(x)))
        value.node = ir_unary(&e->b, op, x);
    else if (op == OP_imag)
        value.node =
            elab_fill(e, value_tensor(ir_const_number(&e->b, ir_dtype(x), 0)), x->types[0].dims, ir_rank(x))
                .node;
    return value;
}

static Value complex_of(Elaborator *e, BuiltinCall *call, const Value *values) {
    OperandInfo infos[2];
    IrNode *nodes[2];
    bool is_weak = true;
    Dtype dtype = elab_common_dtype(values, 2);
    if (dtype_is_complex(dtype))
        return elab_fail(e, DIAG_E0202, call->span, "the parts of a complex number are real, not %s",
                         dtype_name(dtype));
    Dtype part = dtype_part(dtype_promote(dtype_to_float(dtype), DTYPE_c64));
    for (uint32_t i = 0; i < 2; i++) {
        infos[i] = (OperandInfo){call->spans[i], call->nodes[i]};
        nodes[i] = elab_cast(e, values[i].node, part);
        is_weak = is_weak && values[i].is_weak && elab_is_scalar(values[i]);
    }
    if (!elab_broadcast(e, nodes, infos, 2, call->span, "complex"))
        return elab_poison();
    IrNode *made = ir_complex(&e->b, nodes[0], nodes[1]);
    return is_weak ? value_weak(made) : value_tensor(made);
}

/* real, imag and complex. */
Value builtin_parts(Elaborator *e, BuiltinCall *call) {
    Value values[2];
    for (uint32_t i = 0; i < call->count; i++) {
        values[i] =
            builtin_tensor(e, call, i, arena_format(e->arena, "an argument of `%s`", call->builtin->name));
        if (value_is(values[i], VALUE_POISON))
            return values[i];
        values[i].is_weak = call->values[i].is_weak;
    }
    return call->builtin->op == OP_complex ? complex_of(e, call, values)
                                           : elab_part_of(e, values[0], call->builtin->op);
}

Value builtin_where(Elaborator *e, BuiltinCall *call) {
    OperandInfo infos[3];
    Value values[3];
    bool known;
    for (uint32_t i = 0; i < 3; i++) {
        infos[i] = (OperandInfo){call->spans[i], call->nodes[i]};
        values[i] = call->values[i];
        Dtype dtype;
        if (!elab_dtype_of(values[i], &dtype) &&
            value_is(builtin_tensor(e, call, i, "an argument of `where`"), VALUE_POISON))
            return elab_poison();
    }
    /* A literal takes the dtype of the other side. */
    if (elab_constant_bool(values[0], &known) && elab_is_scalar(values[1]) && elab_is_scalar(values[2]) &&
        values[1].kind == VALUE_CONSTANT && values[2].kind == VALUE_CONSTANT &&
        values[1].dtype == values[2].dtype)
        return values[known ? 1 : 2];
    return elab_elementwise(e, OP_where, values, infos, call->span);
}

/* ---- reductions
 * ----------------------------------------------------------------------------------------------------- */

static bool is_in_library(const Elaborator *e) {
    return e->frame && e->frame->closure->is_library;
}

/* x, once every size in `axes` is known to be positive: max and argmax of nothing are errors. */
IrNode *elab_not_empty(Elaborator *e, Op op, IrNode *x, const uint32_t *axes, uint32_t count, Span span) {
    IrNode *starts[IR_MAX_RANK], *extents[IR_MAX_RANK], *steps[IR_MAX_RANK];
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        starts[k] = ir_const_i64(&e->b, 0);
        steps[k] = ir_const_i64(&e->b, 1);
        extents[k] = x->types[0].dims[k];
    }
    const char *message = arena_format(e->arena, "`%s` over nothing", op_name(op));
    for (uint32_t i = 0; i < count; i++) {
        int64_t size;
        IrNode *extent = extents[axes[i]];
        if (ir_known_i64(extent, &size) && size == 0) {
            elab_fail(e, DIAG_E0305, span, "%s: axis %u has the size 0", message, axes[i]);
            return NULL;
        }
        if (ir_const_value_i64(extent, &size))
            continue;
        IrNode *fits = ir_binary(&e->b, OP_gt, extent, ir_const_i64(&e->b, 0));
        extents[axes[i]] = ir_check_true(&e->b, fits, extent, DIAG_E0305, elab_intern(e, message));
    }
    return ir_slice(&e->b, x, starts, extents, steps, NULL);
}

/* A reduced node with its axes back as extents of 1. */
static IrNode *keep_axes(Elaborator *e, IrNode *x, const uint32_t *axes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        x = elab_with_unit_axis(e, x, axes[i]);
    return x;
}

bool elab_has_no_identity(Op op) {
    return op == OP_max || op == OP_min || op == OP_argmax || op == OP_argmin;
}

Value elab_reduce(Elaborator *e, Op op, Value value, Value axis, bool keepdims, const Dtype *dtype, Span span,
                  Span axis_span) {
    uint32_t axes[IR_MAX_RANK], count;
    if (value_is_on_pattern(value))
        return elab_sparse_reduce(e, op, value, axis, keepdims, dtype, span, axis_span);
    Value tensor = elab_node(e, value);
    IrNode *x = tensor.node;
    if (!elab_axes(e, axis, ir_rank(x), axis_span, axes, &count))
        return elab_poison();
    if ((op == OP_argmax || op == OP_argmin) && count != 1 && count != ir_rank(x))
        return elab_fail(e, DIAG_E0206, axis_span, "`%s` takes one axis, or none for all", op_name(op));
    elab_at(e, span);
    if (op == OP_any || op == OP_all)
        x = elab_cast(e, x, DTYPE_bool);
    if (dtype)
        x = elab_cast(e, x, *dtype);
    if (!elab_takes_complex(e, op, ir_dtype(x), span))
        return elab_poison();
    if (elab_has_no_identity(op) && !is_in_library(e) && !(x = elab_not_empty(e, op, x, axes, count, span)))
        return elab_poison();
    Dtype result = dtype ? *dtype : ir_reduction_dtype(op, ir_dtype(x));
    Dtype accumulator = dtype ? dtype_info[*dtype].compute : ir_accumulator(op, ir_dtype(x));
    IrNode *out;
    if (count) {
        out = ir_reduce(&e->b, op, x, axes, count, accumulator, result);
    } else if (op == OP_argmax || op == OP_argmin) {
        out = ir_const_i64(&e->b, 0); /* of a scalar, or over no axis */
    } else {
        out = elab_cast(e, x, result);
    }
    return value_tensor(keepdims ? keep_axes(e, out, axes, count) : out);
}

Value builtin_reduce(Elaborator *e, BuiltinCall *call) {
    Op op = call->builtin->op;
    bool keepdims, takes_dtype = op == OP_sum || op == OP_prod;
    Dtype dtype = DTYPE_f64;
    const char *what = arena_format(e->arena, "the argument of `%s`", call->builtin->name);
    Value x = value_is_on_pattern(call->values[0]) ? call->values[0] : builtin_tensor(e, call, 0, what);
    if (value_is(x, VALUE_POISON) ||
        !elab_bool_argument(e, call->values[2], call->spans[2], "keepdims", &keepdims))
        return elab_poison();
    bool has_dtype = !value_is(call->values[3], VALUE_NONE);
    if (has_dtype && !takes_dtype)
        return elab_fail(e, DIAG_E0204, call->spans[3], "`%s` takes no `dtype`", call->builtin->name);
    if (has_dtype && !elab_dtype_argument(e, call->values[3], call->spans[3], &dtype))
        return elab_poison();
    return elab_reduce(e, op, x, call->values[1], keepdims, has_dtype ? &dtype : NULL, call->span,
                       call->given[1] ? call->spans[1] : call->span);
}

/* Sum and quotient are formed in the accumulator's dtype and rounded once. */
IrNode *elab_mean(Elaborator *e, IrNode *x, const uint32_t *axes, uint32_t count, Dtype result, Dtype wide) {
    IrNode *terms = wide != ir_accumulator(OP_sum, ir_dtype(x)) ? elab_cast(e, x, wide) : x;
    IrNode *sum =
        count ? ir_reduce(&e->b, OP_sum, terms, axes, count, wide, wide) : elab_cast(e, terms, wide);
    IrNode *size = ir_const_i64(&e->b, 1);
    for (uint32_t i = 0; i < count; i++)
        size = ir_binary(&e->b, OP_mul, size, x->types[0].dims[axes[i]]);
    IrNode *divisor = elab_with_dims(e, elab_cast(e, size, wide), sum->types[0].dims, ir_rank(sum));
    return elab_cast(e, ir_binary(&e->b, OP_div, sum, divisor), result);
}

Value builtin_mean(Elaborator *e, BuiltinCall *call) {
    bool keepdims;
    uint32_t axes[IR_MAX_RANK], count;
    Dtype result;
    if (value_is_on_pattern(call->values[0]) && value_is(call->values[3], VALUE_NONE))
        return elab_bool_argument(e, call->values[2], call->spans[2], "keepdims", &keepdims)
                   ? elab_sparse_mean(e, call->values[0], call->values[1], keepdims, call->span,
                                      call->given[1] ? call->spans[1] : call->span)
                   : elab_poison();
    Value x = builtin_tensor(e, call, 0, "the argument of `mean`");
    if (value_is(x, VALUE_POISON) ||
        !elab_bool_argument(e, call->values[2], call->spans[2], "keepdims", &keepdims))
        return elab_poison();
    Span axis_span = call->given[1] ? call->spans[1] : call->span;
    if (!elab_axes(e, call->values[1], ir_rank(x.node), axis_span, axes, &count))
        return elab_poison();
    bool is_exact = !dtype_is_float(ir_dtype(x.node)) && !dtype_is_complex(ir_dtype(x.node));
    result = is_exact ? DTYPE_f64 : ir_dtype(x.node);
    bool has_dtype = !value_is(call->values[3], VALUE_NONE);
    if (has_dtype && !elab_dtype_argument(e, call->values[3], call->spans[3], &result))
        return elab_poison();
    if (!dtype_is_float(result) && !dtype_is_complex(result))
        return elab_fail(e, DIAG_E0202, call->spans[3], "`mean` gives a float, not %s", dtype_name(result));
    elab_at(e, call->span);
    Dtype wide = has_dtype ? dtype_info[result].compute : ir_accumulator(OP_sum, result);
    IrNode *out = elab_mean(e, x.node, axes, count, result, wide);
    return value_tensor(keepdims ? keep_axes(e, out, axes, count) : out);
}

/* ---- linear algebra
 * ----------------------------------------------------------------------------------------------------- */

Value builtin_matmul(Elaborator *e, BuiltinCall *call) {
    OperandInfo infos[2] = {{call->spans[0], call->nodes[0]}, {call->spans[1], call->nodes[1]}};
    Value a = builtin_tensor(e, call, 0, "an argument of `matmul`");
    Value b = builtin_tensor(e, call, 1, "an argument of `matmul`");
    if (value_is(a, VALUE_POISON) || value_is(b, VALUE_POISON))
        return elab_poison();
    if (!strcmp(call->builtin->name, "dot") && (elab_is_scalar(a) || elab_is_scalar(b)))
        return elab_elementwise(e, OP_mul, (Value[]){a, b}, infos, call->span);
    return elab_matmul(e, a, b, infos, call->span);
}

static bool float_operands(Elaborator *e, const char *name, Value *values, uint32_t count, Span span) {
    Dtype dtype = elab_common_dtype(values, count);
    dtype = dtype_is_float(dtype) || dtype_is_complex(dtype) ? dtype : DTYPE_f64;
    if (dtype_info[dtype].compute != dtype) {
        elab_fail(e, DIAG_E0202, span, "`%s` is done in f32, f64, c64 or c128, not in %s", name,
                  dtype_name(dtype));
        return false;
    }
    for (uint32_t i = 0; i < count; i++)
        values[i].node = elab_cast(e, values[i].node, dtype);
    return true;
}

/* a with its last two extents made one; NULL after reporting. */
static IrNode *square(Elaborator *e, Value a, Span span, const char *name) {
    uint32_t rank = ir_rank(a.node);
    if (rank < 2) {
        elab_fail(e, DIAG_E0203, span, "`%s` needs a square matrix, not %s", name, elab_type_text(e, a));
        return NULL;
    }
    IrNode *dims[IR_MAX_RANK];
    elab_copy_dims(dims, a.node);
    IrNode *same = elab_same_extent(e, dims[rank - 2], dims[rank - 1],
                                    "`%s` needs a square matrix; its sizes differ", name);
    if (!same) {
        elab_fail(e, DIAG_E0203, span, "`%s` needs a square matrix, not %s", name, elab_type_text(e, a));
        return NULL;
    }
    dims[rank - 2] = dims[rank - 1] = same;
    return elab_with_dims(e, a.node, dims, rank);
}

static bool same_rows(Elaborator *e, IrNode **sides, const BuiltinCall *call, const Value *values) {
    uint32_t last = ir_rank(sides[0]) - 1, rows = ir_rank(sides[1]) - 2;
    IrNode *dims[2][IR_MAX_RANK];
    for (int i = 0; i < 2; i++)
        elab_copy_dims(dims[i], sides[i]);
    OperandInfo infos[2] = {{call->spans[0], call->nodes[0]}, {call->spans[1], call->nodes[1]}};
    IrNode *same = elab_same_extent(e, dims[0][last], dims[1][rows], "sizes of `solve` differ");
    if (!same) {
        elab_shape_error(
            e, call->span, "solve", values, infos, 2,
            elab_sizes_note(e, "sizes", dims[0][last], infos[0].node, dims[1][rows], infos[1].node));
        return false;
    }
    dims[0][last] = dims[0][last - 1] = dims[1][rows] = same;
    for (int i = 0; i < 2; i++)
        sides[i] = elab_with_dims(e, sides[i], dims[i], ir_rank(sides[i]));
    return true;
}

Value builtin_solve(Elaborator *e, BuiltinCall *call) {
    Value values[2] = {builtin_tensor(e, call, 0, "an argument of `solve`"),
                       builtin_tensor(e, call, 1, "an argument of `solve`")};
    if (value_is(values[0], VALUE_POISON) || value_is(values[1], VALUE_POISON))
        return elab_poison();
    elab_at(e, call->span);
    if (!float_operands(e, "solve", values, 2, call->span))
        return elab_poison();
    bool is_vector = ir_rank(values[1].node) == 1;
    IrNode *sides[2] = {square(e, values[0], call->spans[0], "solve"), values[1].node};
    if (!sides[0])
        return elab_poison();
    if (ir_rank(sides[1]) == 0)
        return elab_fail(e, DIAG_E0203, call->spans[1],
                         "the right side of `solve` must be a vector or a matrix");
    if (is_vector)
        sides[1] = elab_with_unit_axis(e, sides[1], 1);
    if (!same_rows(e, sides, call, values))
        return elab_poison();
    if (!elab_broadcast_batch(e, sides, "solve"))
        return elab_fail(e, DIAG_E0203, call->span,
                         "the sizes of the leading (batch) axes of `solve` differ");
    IrNode *out = ir_solve(&e->b, sides[0], sides[1]);
    return value_tensor(is_vector ? elab_drop_unit_axis(e, out, ir_rank(out) - 1) : out);
}

Value builtin_cholesky(Elaborator *e, BuiltinCall *call) {
    Value a = builtin_tensor(e, call, 0, "the argument of `cholesky`");
    elab_at(e, call->span);
    if (value_is(a, VALUE_POISON) || !float_operands(e, "cholesky", &a, 1, call->span))
        return elab_poison();
    IrNode *x = square(e, a, call->spans[0], "cholesky");
    return x ? value_tensor(ir_cholesky(&e->b, x)) : elab_poison();
}
