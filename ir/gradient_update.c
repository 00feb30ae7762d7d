/* Reverse mode of `update`: x with a part replaced by v, or combined with it.
 *
 * Where indices repeat, `=` keeps the last of the values, `+=` and `*=` take all of them. */
#include "ir/gradient.h"

#include "ir/internal.h"

IrNode *gradient_indices_first(IrBuilder *b, IrNode *value, uint32_t before, uint32_t index_rank) {
    uint32_t permutation[2 * IR_MAX_RANK];
    for (uint32_t k = 0; k < ir_rank(value); k++)
        permutation[k] = k;
    for (uint32_t k = 0; k < before + index_rank; k++)
        permutation[k] = k < index_rank ? before + k : k - index_rank;
    return ir_permute(b, value, permutation);
}

IrNode *gradient_updated(IrBuilder *b, const IrNode *y, IrNode *into, IrNode *value, Op combine) {
    uint32_t rank = ir_rank(into), count = ir_update_index_count(y), axes[IR_MAX_RANK];
    IrNode *starts[IR_MAX_RANK], *extents[IR_MAX_RANK], *steps[IR_MAX_RANK], *indices[IR_MAX_RANK];
    for (uint32_t k = 0; k < rank; k++) {
        starts[k] = ir_update_start(y, k);
        extents[k] = ir_update_extent(y, k);
        steps[k] = ir_update_step(y, k);
    }
    for (uint32_t i = 0; i < count; i++) {
        axes[i] = (uint32_t)y->attributes[2 + i];
        indices[i] = ir_update_indices(y, axes[i]);
    }
    return ir_update(b, into, value, starts, extents, steps, indices, axes, count, combine);
}

/* What an update writes, read from `from` in the layout of its value. */
static IrNode *read_part(IrBuilder *b, const IrNode *y, IrNode *from) {
    uint32_t rank = ir_rank(from), count = ir_update_index_count(y), axes[IR_MAX_RANK];
    IrNode *starts[IR_MAX_RANK], *extents[IR_MAX_RANK], *steps[IR_MAX_RANK], *indices[IR_MAX_RANK];
    for (uint32_t k = 0; k < rank; k++) {
        bool is_indexed = ir_update_indices(y, k) != NULL;
        starts[k] = is_indexed ? ir_const_i64(b, 0) : ir_update_start(y, k);
        extents[k] = is_indexed ? from->types[0].dims[k] : ir_update_extent(y, k);
        steps[k] = is_indexed ? ir_const_i64(b, 1) : ir_update_step(y, k);
    }
    IrNode *part = ir_slice(b, from, starts, extents, steps, NULL);
    if (!count)
        return part;
    for (uint32_t i = 0; i < count; i++) {
        axes[i] = (uint32_t)y->attributes[2 + i];
        indices[i] = ir_update_indices(y, axes[i]);
    }
    part = ir_gather_many(b, part, indices, axes, count);
    return gradient_indices_first(b, part, axes[0], ir_rank(indices[0]));
}

/* v over all that it is written to. */
static IrNode *spread_over(IrBuilder *b, IrNode *v, const IrNode *part) {
    return ir_rank(v) || !ir_rank(part) ? v : ir_broadcast(b, v, NULL, part->types[0].dims, ir_rank(part));
}

/* `=`: the adjoint of what stands there in the end.  Each value writes its number; those that find theirs
 * again were not overwritten. */
static IrNode *part_of_last(IrBuilder *b, const IrNode *y, IrNode *part) {
    if (!ir_update_index_count(y))
        return part;
    const IrNode *x = y->operands[0];
    IrNode *number = ir_reshape(b, ir_iota(b, ir_size(b, part)), part->types[0].dims, ir_rank(part));
    IrNode *none = ir_broadcast(b, ir_const_i64(b, 0), NULL, x->types[0].dims, ir_rank(x));
    IrNode *found = read_part(b, y, gradient_updated(b, y, none, number, OP_none));
    return ir_where(b, ir_binary(b, OP_eq, found, number), part, gradient_number(b, 0, part));
}

/* `*=`: dy x times the product of the other values for the same place, also where some are zero. */
static IrNode *part_of_factor(IrBuilder *b, const IrNode *y, IrNode *dy) {
    IrNode *x = y->operands[0], *part = read_part(b, y, ir_binary(b, OP_mul, dy, x));
    if (!ir_update_index_count(y))
        return part;
    IrNode *v = spread_over(b, y->operands[1], part);
    IrNode *zero = gradient_number(b, 0, v), *one = gradient_number(b, 1, v);
    IrNode *is_zero = ir_binary(b, OP_eq, v, zero), *nonzero = ir_where(b, is_zero, one, v);
    IrNode *product = read_part(b, y, gradient_updated(b, y, gradient_number(b, 1, x), nonzero, OP_mul));
    IrNode *zeros = gradient_updated(b, y, gradient_number(b, 0, x), ir_where(b, is_zero, one, zero), OP_add);
    zeros = read_part(b, y, zeros);
    IrNode *at_zero = ir_where(b, ir_binary(b, OP_eq, zeros, one), product, zero);
    IrNode *elsewhere =
        ir_where(b, ir_binary(b, OP_eq, zeros, zero), ir_binary(b, OP_div, product, nonzero), zero);
    return ir_binary(b, OP_mul, part, ir_where(b, is_zero, at_zero, elsewhere));
}

/* `/=`: - dy y / v. */
static IrNode *part_of_divisor(IrBuilder *b, const IrNode *y, IrNode *dy) {
    IrNode *part = read_part(b, y, ir_binary(b, OP_mul, dy, (IrNode *)y));
    return ir_unary(b, OP_neg, ir_binary(b, OP_div, part, spread_over(b, y->operands[1], part)));
}

static IrNode *part_for_value(IrBuilder *b, const IrNode *y, IrNode *dy, Op combine) {
    switch (combine) {
    case OP_add:
        return read_part(b, y, dy);
    case OP_sub:
        return ir_unary(b, OP_neg, read_part(b, y, dy));
    case OP_mul:
        return part_of_factor(b, y, dy);
    case OP_div:
        return part_of_divisor(b, y, dy);
    default:
        return part_of_last(b, y, read_part(b, y, dy));
    }
}

bool gradient_update(Gradient *g, const IrNode *y, IrNode *dy) {
    IrBuilder *b = g->b;
    IrNode *x = y->operands[0], *v = y->operands[1];
    Op combine = y->attributes[0] >= 0 ? (Op)y->attributes[0] : OP_none;
    bool adds = combine == OP_add || combine == OP_sub, scales = combine == OP_mul || combine == OP_div;
    if (combine != OP_none && !adds && !scales)
        return gradient_fails(g, y, "an assignment with this operator; write it as `x[i] = …`");
    if (gradient_wants(g, x)) {
        IrNode *factor = scales ? v : ir_const_number(b, ir_dtype(x), 0);
        gradient_add(g, x, adds ? dy : gradient_updated(b, y, dy, factor, combine));
    }
    if (!gradient_wants(g, v))
        return true;
    IrNode *part = part_for_value(b, y, dy, combine);
    if (!ir_rank(v) && ir_rank(part)) {
        uint32_t axes[2 * IR_MAX_RANK];
        for (uint32_t k = 0; k < ir_rank(part); k++)
            axes[k] = k;
        part =
            ir_reduce(b, OP_sum, part, axes, ir_rank(part), ir_accumulator(OP_sum, ir_dtype(v)), ir_dtype(v));
    }
    gradient_add(g, v, part);
    return true;
}
