/* Builtins that order and search, and running sums: calls of the runtime along one axis. */
#include "frontend/elab_builtin.h"

static bool along_axis(Elaborator *e, BuiltinCall *call, uint32_t axis_at, Value *x, uint32_t *axis) {
    *x = builtin_tensor(e, call, 0, arena_format(e->arena, "the argument of `%s`", call->builtin->name));
    if (value_is(*x, VALUE_POISON))
        return false;
    elab_at(e, call->span);
    if (value_is(call->values[axis_at], VALUE_NONE)) { /* the elements in a row */
        IrNode *size = ir_size(&e->b, x->node);
        x->node = ir_reshape(&e->b, x->node, &size, 1);
        *axis = 0;
        return true;
    }
    Span span = call->given[axis_at] ? call->spans[axis_at] : call->span;
    return elab_axis(e, call->values[axis_at], ir_rank(x->node), span, axis);
}

static Value call_along(Elaborator *e, Op op, IrNode *x, const int64_t *attributes, uint32_t count,
                        Dtype dtype) {
    return value_tensor(ir_call(&e->b, op, &x, 1, attributes, count, dtype, x->types[0].dims, ir_rank(x)));
}

static Value sorted(Elaborator *e, BuiltinCall *call, Op op) {
    uint32_t axis;
    bool descending, stable;
    Value x;
    if (!along_axis(e, call, 1, &x, &axis) || !elab_takes_complex(e, op, ir_dtype(x.node), call->span) ||
        !elab_bool_argument(e, call->values[2], call->spans[2], "descending", &descending) ||
        !elab_bool_argument(e, call->values[3], call->spans[3], "stable", &stable))
        return elab_poison();
    return call_along(e, op, x.node, (int64_t[]){axis, descending}, 2,
                      op == OP_sort ? ir_dtype(x.node) : DTYPE_i64);
}

Value builtin_sort(Elaborator *e, BuiltinCall *call) {
    return sorted(e, call, OP_sort);
}

Value builtin_argsort(Elaborator *e, BuiltinCall *call) {
    return sorted(e, call, OP_argsort);
}

/* cumsum, cumprod, cummax, cummin: the sums in the dtype of `sum`. */
Value builtin_scan(Elaborator *e, BuiltinCall *call) {
    uint32_t axis;
    Value x;
    Op op = op_find(call->builtin->name);
    if (!along_axis(e, call, 1, &x, &axis))
        return elab_poison();
    Dtype dtype = ir_dtype(x.node);
    if (op == OP_cumsum || op == OP_cumprod)
        dtype = ir_reduction_dtype(op == OP_cumsum ? OP_sum : OP_prod, dtype);
    if (!value_is(call->values[2], VALUE_NONE) &&
        !elab_dtype_argument(e, call->values[2], call->spans[2], &dtype))
        return elab_poison();
    if (!elab_takes_complex(e, op, dtype, call->span))
        return elab_poison();
    return call_along(e, op, elab_cast(e, x.node, dtype), (int64_t[]){axis}, 1, dtype);
}

Value builtin_searchsorted(Elaborator *e, BuiltinCall *call) {
    Value side = call->values[2], values[2];
    for (uint32_t i = 0; i < 2; i++)
        if (value_is(values[i] = builtin_tensor(e, call, i, "an argument of `searchsorted`"), VALUE_POISON))
            return elab_poison();
    bool right = side.kind == VALUE_STRING && side.length == 5 && !memcmp(side.text, "right", 5);
    if (!right && !(side.kind == VALUE_STRING && side.length == 4 && !memcmp(side.text, "left", 4)))
        return elab_fail(e, DIAG_E0204, call->spans[2], "`side` of `searchsorted` is \"left\" or \"right\"");
    if (ir_rank(values[0].node) != 1)
        return elab_fail(e, DIAG_E0203, call->spans[0], "`searchsorted` searches in a vector, not in %s",
                         elab_type_text(e, values[0]));
    elab_at(e, call->span);
    Dtype dtype = elab_common_dtype(values, 2);
    if (!elab_takes_complex(e, OP_searchsorted, dtype, call->span))
        return elab_poison();
    IrNode *operands[2] = {elab_cast(e, values[0].node, dtype), elab_cast(e, values[1].node, dtype)};
    bool is_scalar = ir_rank(operands[1]) == 0;
    if (is_scalar)
        operands[1] = elab_with_unit_axis(e, operands[1], 0);
    IrNode *out = ir_call(&e->b, OP_searchsorted, operands, 2, (int64_t[]){right}, 1, DTYPE_i64,
                          operands[1]->types[0].dims, ir_rank(operands[1]));
    return value_tensor(is_scalar ? elab_drop_unit_axis(e, out, 0) : out);
}

/* How often each of 0 .. n occurs in integers; the library finds n. */
Value builtin_count_into(Elaborator *e, BuiltinCall *call) {
    Value x = builtin_tensor(e, call, 0, "the argument of `bincount`");
    if (value_is(x, VALUE_POISON))
        return x;
    if (!dtype_is_integer(ir_dtype(x.node)))
        return elab_fail(e, DIAG_E0202, call->span, "`bincount` counts integers, not %s",
                         elab_type_text(e, x));
    IrNode *extent = elab_size_node(e, call->values[1], call->spans[1], "the number of bins");
    if (!extent)
        return elab_poison();
    IrNode *operands[2] = {elab_cast(e, x.node, DTYPE_i64), extent};
    return value_tensor(ir_call(&e->b, OP_bincount, operands, 2, NULL, 0, DTYPE_i64, &extent, 1));
}
