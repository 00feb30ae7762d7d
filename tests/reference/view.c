/* Views, gathers and concatenation of the reference evaluator: every one is a table of source elements. */
#include "tests/reference/reference.h"

static RefTensor *pick(Reference *r, const IrNode *node, RefTensor *x, uint32_t rank, const int64_t *shape,
                       int64_t (*source)(const IrNode *, const RefTensor *, const int64_t *, const int64_t *),
                       const int64_t *numbers) {
    RefTensor *y = ref_tensor_new(r, x->dtype, rank, shape);
    int64_t index[IR_MAX_RANK] = {0};
    for (int64_t i = 0; i < y->size; i++, ref_next(y, index)) {
        int64_t at = source(node, x, index, numbers);
        if (at < 0 || at >= x->size)
            ref_stop(r, REF_BROKEN, 0, "%s reads outside of its operand", op_name(node->op));
        y->at[i] = x->at[at];
    }
    ref_finish(r, y, (const RefTensor *const *)&x, 1);
    return y;
}

/* The offset of an index of x, -1 if it is out of range. */
static int64_t checked_offset(const RefTensor *x, const int64_t *at) {
    for (uint32_t k = 0; k < x->rank; k++)
        if (at[k] < 0 || at[k] >= x->shape[k])
            return -1;
    return ref_offset(x, at);
}

static int64_t permute_source(const IrNode *node, const RefTensor *x, const int64_t *index,
                              const int64_t *numbers) {
    int64_t at[IR_MAX_RANK];
    (void)numbers;
    for (uint32_t k = 0; k < x->rank; k++)
        at[node->attributes[k]] = index[k];
    return checked_offset(x, at);
}

static bool is_dropped(const IrNode *node, uint32_t axis) {
    for (uint32_t i = 0; i < node->attribute_count; i++)
        if (node->attributes[i] == axis)
            return true;
    return false;
}

/* numbers: start, extent, step per operand axis. */
static int64_t slice_source(const IrNode *node, const RefTensor *x, const int64_t *index,
                            const int64_t *numbers) {
    int64_t at[IR_MAX_RANK];
    for (uint32_t k = 0, next = 0; k < x->rank; k++)
        at[k] = numbers[3 * k] + (is_dropped(node, k) ? 0 : index[next++] * numbers[3 * k + 2]);
    return checked_offset(x, at);
}

static int64_t broadcast_source(const IrNode *node, const RefTensor *x, const int64_t *index,
                                const int64_t *numbers) {
    int64_t at[IR_MAX_RANK];
    (void)numbers;
    for (uint32_t k = 0; k < x->rank; k++)
        at[k] = x->shape[k] == 1 ? 0 : index[node->attributes[k]];
    return checked_offset(x, at);
}

/* numbers: the result's extents, an offset per operand axis, a step per term. */
static int64_t window_source(const IrNode *node, const RefTensor *x, const int64_t *index,
                             const int64_t *numbers) {
    int64_t at[IR_MAX_RANK];
    const int64_t *offsets = numbers + ir_rank(node), *steps = offsets + x->rank;
    for (uint32_t k = 0; k < x->rank; k++)
        at[k] = offsets[k];
    for (uint32_t i = 0; i < node->attribute_count / 2; i++)
        at[node->attributes[2 * i]] += steps[i] * index[node->attributes[2 * i + 1]];
    return checked_offset(x, at);
}

static RefTensor *reshape(Reference *r, RefTensor *x, uint32_t rank, const int64_t *shape) {
    RefTensor *y = ref_tensor_new(r, x->dtype, rank, shape);
    if (y->size != x->size)
        ref_stop(r, REF_BROKEN, 0, "%lld elements become %lld", (long long)x->size, (long long)y->size);
    y->at = x->at;
    ref_finish(r, y, (const RefTensor *const *)&x, 1);
    return y;
}

RefTensor *ref_view(Reference *r, const IrNode *node, RefTensor *x, const int64_t *numbers) {
    int64_t shape[IR_MAX_RANK];
    uint32_t rank = 0;
    switch (node->op) {
    case OP_permute:
        for (; rank < x->rank; rank++)
            shape[rank] = x->shape[node->attributes[rank]];
        return pick(r, node, x, rank, shape, permute_source, numbers);
    case OP_slice:
        for (uint32_t k = 0; k < x->rank; k++)
            if (!is_dropped(node, k))
                shape[rank++] = numbers[3 * k + 1];
        return pick(r, node, x, rank, shape, slice_source, numbers);
    case OP_broadcast:
        return pick(r, node, x, ir_rank(node), numbers, broadcast_source, numbers);
    case OP_window:
        return pick(r, node, x, ir_rank(node), numbers, window_source, numbers);
    default:
        return reshape(r, x, ir_rank(node), numbers);
    }
}
