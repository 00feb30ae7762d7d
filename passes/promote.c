/* promote: f16 and bf16 are storage; arithmetic on them is done in f32.
 *
 * In:  any tensor IR.  Out: elementwise ops and reductions have no f16 or bf16 operands, save `where`, which
 * only moves values.  As NumPy does it, the result of every op is rounded to its own dtype, also within a
 * chain that becomes one kernel: cast, compute, cast back.  Conversions between a half dtype and integers or
 * the other half dtype go through f32 (f32 holds every half exactly).  Calls such as matmul stay: the runtime
 * accumulates them in f32.  The marks of derivatives, `variable` and `stop_gradient`, are taken away. */
#include "passes/pipeline.h"

static bool is_half(Dtype dtype) {
    return dtype_info[dtype].compute != dtype;
}

static IrNode *widen(IrBuilder *b, IrNode *x) {
    return is_half(ir_dtype(x)) ? ir_cast(b, x, dtype_info[ir_dtype(x)].compute) : x;
}

static IrNode *promote_elementwise(IrBuilder *b, const IrNode *old, IrNode *const *operands) {
    IrNode *wide[3];
    bool any = false;
    for (uint32_t i = 0; i < old->operand_count; i++) {
        any |= is_half(ir_dtype(operands[i]));
        wide[i] = widen(b, operands[i]);
    }
    if (!any || old->op == OP_where)
        return NULL;
    return ir_cast(b, ir_elementwise(b, old->op, wide), ir_dtype(old));
}

static IrNode *promote_reduction(IrBuilder *b, const IrNode *old, IrNode *x) {
    uint32_t axes[IR_MAX_RANK], count = old->attribute_count - 1;
    Dtype accumulator = (Dtype)old->attributes[0], result = ir_dtype(old);
    if (!is_half(ir_dtype(x)) && !is_half(result) && !is_half(accumulator))
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        axes[i] = (uint32_t)old->attributes[1 + i];
    IrNode *wide = ir_reduce(b, old->op, widen(b, x), axes, count, dtype_info[accumulator].compute,
                             dtype_info[result].compute);
    return ir_cast(b, wide, result);
}

static IrNode *promote_cast(IrBuilder *b, IrNode *x, Dtype to) {
    Dtype from = ir_dtype(x);
    bool through_f32 = is_half(from)
                           ? to != DTYPE_f32 && to != from
                           : is_half(to) && from != DTYPE_f32 && !(from == DTYPE_f64 && to == DTYPE_f16);
    return through_f32 ? ir_cast(b, ir_cast(b, x, DTYPE_f32), to) : NULL;
}

static IrNode *promote_rule(IrRewrite *rewrite, const IrNode *old, IrNode *const *operands) {
    IrBuilder *b = &rewrite->builder;
    if (op_is_elementwise(old->op))
        return promote_elementwise(b, old, operands);
    if (op_is_reduction(old->op))
        return promote_reduction(b, old, operands[0]);
    if (old->op == OP_variable || old->op == OP_stop_gradient)
        return operands[0];
    return old->op == OP_cast ? promote_cast(b, operands[0], ir_dtype(old)) : NULL;
}

IrFunction *pass_promote(PassContext *context, IrFunction *function) {
    (void)context;
    return ir_rewrite_function(function, promote_rule, NULL);
}
