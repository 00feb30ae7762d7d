/* simplify: views of views become one view, views of one repeated scalar become its repetition.  Views that
 * change nothing, and chains of reshape and broadcast, are folded as they are built (ir/fold.c). */
#include "passes/simplify.h"

/* The scalar that a broadcast repeats everywhere, or NULL. */
static IrNode *repeated_scalar(const IrNode *x) {
    return x->op == OP_broadcast && ir_rank(x->operands[0]) == 0 ? x->operands[0] : NULL;
}

static IrNode *permute_of_permute(IrBuilder *b, const IrNode *old, const IrNode *inner) {
    uint32_t permutation[IR_MAX_RANK];
    for (uint32_t k = 0; k < old->attribute_count; k++)
        permutation[k] = (uint32_t)inner->attributes[old->attributes[k]];
    return ir_permute(b, inner->operands[0], permutation);
}

static bool has_attribute(const IrNode *node, int64_t value) {
    for (uint32_t i = 0; i < node->attribute_count; i++)
        if (node->attributes[i] == value)
            return true;
    return false;
}

/* Element i of the outer slice is element start + i * step of the inner one. */
static IrNode *slice_of_slice(IrBuilder *b, const IrNode *old, IrNode *const *operands) {
    const IrNode *inner = operands[0];
    IrNode *x = inner->operands[0], *starts[IR_MAX_RANK], *extents[IR_MAX_RANK], *steps[IR_MAX_RANK];
    bool drop[IR_MAX_RANK];
    uint32_t axis = 0; /* of the inner result */
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        IrNode *start = inner->operands[1 + 3 * k], *step = inner->operands[3 + 3 * k];
        starts[k] = start, extents[k] = inner->operands[2 + 3 * k], steps[k] = step;
        drop[k] = has_attribute(inner, k);
        if (drop[k])
            continue;
        IrNode *offset = ir_binary(b, OP_mul, operands[1 + 3 * axis], step);
        starts[k] = ir_binary(b, OP_add, start, offset);
        extents[k] = operands[2 + 3 * axis];
        steps[k] = ir_binary(b, OP_mul, step, operands[3 + 3 * axis]);
        drop[k] = has_attribute(old, axis);
        axis++;
    }
    return ir_slice(b, x, starts, extents, steps, drop);
}

/* A start that is computed may rest on a check of the index, which must not vanish with it. */
static bool has_known_starts(IrNode *const *operands) {
    for (uint32_t k = 0; k < ir_rank(operands[0]); k++)
        if (!ir_is_const(operands[1 + 3 * k]))
            return false;
    return true;
}

/* The extents of a view of a scalar's repetition. */
static IrNode *repeat_for_view(IrBuilder *b, const IrNode *old, IrNode *const *operands, IrNode *scalar) {
    IrNode *dims[IR_MAX_RANK];
    const IrType *from = ir_type(operands[0]);
    uint32_t rank = 0;
    for (uint32_t k = 0; k < from->rank; k++)
        if (old->op == OP_permute)
            dims[rank++] = from->dims[old->attributes[k]];
        else if (!has_attribute(old, k))
            dims[rank++] = operands[2 + 3 * k];
    IrType type = {.kind = IR_TENSOR, .dtype = from->dtype, .rank = rank, .dims = dims};
    return simplify_repeat(b, scalar, &type);
}

IrNode *simplify_view(IrBuilder *b, const IrNode *old, IrNode *const *operands) {
    IrNode *x = operands[0], *scalar = repeated_scalar(x);
    switch (old->op) {
    case OP_permute:
        if (scalar)
            return repeat_for_view(b, old, operands, scalar);
        return x->op == OP_permute ? permute_of_permute(b, old, x) : NULL;
    case OP_slice:
        if (scalar && has_known_starts(operands))
            return repeat_for_view(b, old, operands, scalar);
        return x->op == OP_slice ? slice_of_slice(b, old, operands) : NULL;
    case OP_reshape:
        scalar = ir_rank(x) ? scalar : x;
        return scalar ? ir_broadcast(b, scalar, NULL, operands + 1, old->operand_count - 1) : NULL;
    default:
        return NULL;
    }
}
