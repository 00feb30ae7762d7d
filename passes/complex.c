/* complex: complex arithmetic becomes real arithmetic on parts.
 *
 * In:  any tensor IR after promote.  Out: of what computes elementwise only `real`, `imag` and `complex` have
 * complex operands or results, and no reduction has; complex numbers live in parameters, views, calls,
 * control flow, gathers and concats, which move them whole.  So kernels, constants and the C family never see
 * a complex number: a kernel reads and writes a complex buffer as one of parts, twice as long.
 *
 * A part of a view of parts just put together is a view of that part; a part of any other view is read
 * through it. */
#include "passes/complex.h"
#include "passes/pipeline.h"

static bool is_complex(const IrNode *x) {
    return x->types[0].kind == IR_TENSOR && dtype_is_complex(ir_dtype(x));
}

static IrNode *same_view(IrBuilder *b, const IrNode *view, IrNode *operand) {
    IrNode **operands = ARENA_ARRAY(b->function->module->arena, IrNode *, view->operand_count);
    IrType type = view->types[0];
    memcpy(operands, view->operands, view->operand_count * sizeof *operands);
    operands[0] = operand;
    type.dtype = ir_dtype(operand);
    return ir_build(b, &(IrNodeSpec){.op = view->op,
                                     .operands = operands,
                                     .operand_count = view->operand_count,
                                     .attributes = view->attributes,
                                     .attribute_count = view->attribute_count,
                                     .types = &type,
                                     .result_count = 1});
}

/* `which`: OP_real or OP_imag. */
static IrNode *part_of(IrBuilder *b, IrNode *x, Op which) {
    const IrNode *base = x;
    while (op_is_view(base->op))
        base = base->operands[0];
    if (base == x || (base->op != OP_complex && ir_rank(base) > 0))
        return ir_unary(b, which, x);
    return same_view(b, x, part_of(b, x->operands[0], which));
}

static ComplexParts parts_of(IrBuilder *b, IrNode *x) {
    if (!is_complex(x))
        return (ComplexParts){x, NULL};
    IrNode *re = part_of(b, x, OP_real);
    return (ComplexParts){re, part_of(b, x, OP_imag)};
}

static IrNode *whole(IrBuilder *b, ComplexParts x) {
    return x.im ? ir_complex(b, x.re, x.im) : x.re;
}

static ComplexBuilder builder_like(IrBuilder *b, const IrNode *x) {
    return (ComplexBuilder){b, ir_type(x), dtype_part(ir_dtype(x))};
}

static IrNode *expand_elementwise(IrBuilder *b, const IrNode *old, IrNode *const *operands) {
    ComplexParts parts[3];
    for (uint32_t i = 0; i < old->operand_count; i++)
        parts[i] = parts_of(b, operands[i]);
    ComplexBuilder c = builder_like(b, operands[old->operand_count - 1]);
    ComplexParts made = complex_expand(&c, old->op, parts);
    return made.re ? whole(b, made) : NULL;
}

static IrNode *expand_cast(IrBuilder *b, IrNode *x, Dtype to) {
    ComplexParts parts = parts_of(b, x);
    if (dtype_is_complex(to)) {
        ComplexBuilder c = {b, ir_type(x), dtype_part(to)};
        IrNode *re = ir_cast(b, parts.re, dtype_part(to));
        IrNode *im = parts.im ? ir_cast(b, parts.im, dtype_part(to)) : complex_number(&c, 0);
        return ir_complex(b, re, im);
    }
    if (to != DTYPE_bool)
        return ir_cast(b, parts.re, to);
    ComplexBuilder c = builder_like(b, x);
    IrNode *has_real = real_is(&c, OP_ne, parts.re, 0);
    return real_either(&c, has_real, real_is(&c, OP_ne, parts.im, 0));
}

/* ---- reductions ---------------------------------------------------------------------------------------- */

static IrNode *reduce_part(IrBuilder *b, const IrNode *old, IrNode *x) {
    uint32_t axes[IR_MAX_RANK], count = old->attribute_count - 1;
    for (uint32_t i = 0; i < count; i++)
        axes[i] = (uint32_t)old->attributes[1 + i];
    return ir_reduce(b, old->op, x, axes, count, dtype_part((Dtype)old->attributes[0]),
                     dtype_part(ir_dtype(old)));
}

/* x with the reduced axes in one, which is the last. */
static IrNode *reduced_axes_last(IrBuilder *b, const IrNode *old, IrNode *x) {
    uint32_t order[IR_MAX_RANK], rank = ir_rank(x), kept = 0, next = 1;
    IrNode *dims[IR_MAX_RANK], *size = ir_const_i64(b, 1);
    for (uint32_t axis = 0; axis < rank; axis++) {
        if (next < old->attribute_count && old->attributes[next] == axis) {
            next++;
            size = ir_binary(b, OP_mul, size, x->types[0].dims[axis]);
        } else {
            dims[kept] = x->types[0].dims[axis];
            order[kept++] = axis;
        }
    }
    for (uint32_t i = 1; i < old->attribute_count; i++)
        order[kept + i - 1] = (uint32_t)old->attributes[i];
    dims[kept] = size;
    return ir_reshape(b, ir_permute(b, x, order), dims, kept + 1);
}

/* Parts of a product depend on both parts: it is the last of the running products from 1 on. */
static IrNode *expand_product(IrBuilder *b, const IrNode *old, IrNode *x) {
    Dtype result = ir_dtype(old);
    x = reduced_axes_last(b, old, ir_dtype(x) == result ? x : ir_cast(b, x, result));
    uint32_t last = ir_rank(x) - 1;
    IrNode *dims[IR_MAX_RANK], *starts[IR_MAX_RANK], *extents[IR_MAX_RANK], *steps[IR_MAX_RANK];
    bool drop[IR_MAX_RANK] = {0};
    memcpy(dims, x->types[0].dims, (last + 1) * sizeof *dims);
    IrNode *one = ir_const_i64(b, 1), *size = dims[last];
    dims[last] = one;
    IrType type = {.kind = IR_TENSOR, .dtype = result, .rank = last + 1, .dims = dims};
    ComplexBuilder c = {b, &type, dtype_part(result)};
    IrNode *one_part = complex_number(&c, 1), *ones = ir_complex(b, one_part, complex_number(&c, 0));
    IrNode *terms = ir_concat(b, (IrNode *[]){ones, x}, 2, last);
    int64_t axis = last;
    IrNode *running =
        ir_call(b, OP_cumprod, &terms, 1, &axis, 1, result, terms->types[0].dims, ir_rank(terms));
    for (uint32_t k = 0; k <= last; k++) {
        starts[k] = k == last ? size : ir_const_i64(b, 0);
        extents[k] = k == last ? one : terms->types[0].dims[k];
        steps[k] = one;
    }
    drop[last] = true;
    return ir_slice(b, running, starts, extents, steps, drop);
}

static IrNode *expand_reduction(IrBuilder *b, const IrNode *old, IrNode *x) {
    if (old->op == OP_prod)
        return expand_product(b, old, x);
    ComplexParts parts = parts_of(b, x);
    IrNode *re = reduce_part(b, old, parts.re);
    return ir_complex(b, re, reduce_part(b, old, parts.im));
}

static IrNode *segment_part(IrBuilder *b, const IrNode *old, IrNode *x, IrNode *pattern) {
    return ir_segment(b, (Op)old->attributes[1], x, pattern, (IrSide)old->attributes[2],
                      dtype_part((Dtype)old->attributes[0]), dtype_part(ir_dtype(old)));
}

/* Sums; the front end lets no other reduction of complex entries through. */
static IrNode *expand_segment(IrBuilder *b, const IrNode *old, IrNode *const *operands) {
    ComplexParts parts = parts_of(b, operands[0]);
    IrNode *re = segment_part(b, old, parts.re, operands[1]);
    return ir_complex(b, re, segment_part(b, old, parts.im, operands[1]));
}

/* ---- the rule ------------------------------------------------------------------------------------------ */

static IrNode *complex_rule(IrRewrite *rewrite, const IrNode *old, IrNode *const *operands) {
    IrBuilder *b = &rewrite->builder;
    if (!old->operand_count || old->result_count != 1 || old->types[0].kind != IR_TENSOR)
        return NULL;
    if (old->op == OP_segment)
        return is_complex(old) ? expand_segment(b, old, operands) : NULL;
    const IrNode *x = operands[old->operand_count - 1];
    if (!is_complex(old) && !is_complex(x))
        return NULL;
    if (old->op == OP_real || old->op == OP_imag)
        return part_of(b, operands[0], old->op);
    if (old->op == OP_cast)
        return expand_cast(b, operands[0], ir_dtype(old));
    if (op_is_reduction(old->op))
        return expand_reduction(b, old, operands[0]);
    return op_is_elementwise(old->op) && old->op != OP_complex ? expand_elementwise(b, old, operands) : NULL;
}

IrFunction *pass_complex(PassContext *context, IrFunction *function) {
    (void)context;
    return ir_rewrite_function(function, complex_rule, NULL);
}
