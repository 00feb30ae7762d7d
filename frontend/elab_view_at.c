/* Reading a tensor at computed positions: affine positions become views, others one gather. */
#include "frontend/elab_vectorize.h"

static IrNode *int_node(Elaborator *e, int64_t value) {
    return ir_const_i64(&e->b, value);
}

static bool is_int(const IrNode *node, int64_t wanted) {
    int64_t value;
    return ir_const_value_i64(node, &value) && value == wanted;
}

void elab_axis_term(AxisAt *axis, uint32_t label, IrNode *step) {
    axis->labels[axis->count] = (uint8_t)label;
    axis->steps[axis->count++] = step;
    axis->set |= 1u << label;
}

static uint32_t position(uint32_t set, uint32_t label) {
    return (uint32_t)__builtin_popcount(set & ((1u << label) - 1));
}

IrNode *elab_permuted(Elaborator *e, IrNode *x, const uint32_t *permutation) {
    uint32_t direct[IR_MAX_RANK];
    if (x->op != OP_permute)
        return ir_permute(&e->b, x, permutation);
    for (uint32_t k = 0; k < ir_rank(x); k++)
        direct[k] = (uint32_t)x->attributes[permutation[k]];
    return ir_permute(&e->b, x->operands[0], direct);
}

/* ---- affine positions -----------------------------------------------------------------------------------
 */

static bool each_label_once(const AxisAt *axes, uint32_t rank) {
    uint32_t seen = 0;
    for (uint32_t k = 0; k < rank; k++) {
        if (axes[k].count > 1 || (seen & axes[k].set))
            return false;
        seen |= axes[k].set;
    }
    return true;
}

/* x whole, with extents that a check made equal to its own; false where it is a part or a repetition. */
static bool is_whole(const IrNode *x, const AxisAt *axes, IrNode *const *extents) {
    for (uint32_t k = 0; k < ir_rank(x); k++)
        if (axes[k].count != 1 || !is_int(axes[k].offset, 0) || !is_int(axes[k].steps[0], 1) ||
            !ir_same_extent(extents[axes[k].labels[0]], x->types[0].dims[k]))
            return false;
    return true;
}

/* Every axis runs along one result axis at most: a slice, then another order. */
static IrNode *sliced(Elaborator *e, IrNode *x, const AxisAt *axes, IrNode *const *extents) {
    IrNode *starts[IR_MAX_RANK] = {0}, *sizes[IR_MAX_RANK] = {0}, *steps[IR_MAX_RANK] = {0};
    bool drop[IR_MAX_RANK] = {0};
    uint32_t labels[IR_MAX_RANK], permutation[IR_MAX_RANK], set = 0, rank = 0;
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        starts[k] = axes[k].offset;
        drop[k] = axes[k].count == 0;
        sizes[k] = drop[k] ? int_node(e, 1) : extents[axes[k].labels[0]];
        steps[k] = drop[k] ? int_node(e, 1) : axes[k].steps[0];
        if (!drop[k])
            labels[rank++] = axes[k].labels[0];
        set |= axes[k].set;
    }
    x = is_whole(x, axes, extents) ? elab_with_dims(e, x, sizes, ir_rank(x))
                                   : ir_slice(&e->b, x, starts, sizes, steps, drop);
    for (uint32_t k = 0; k < rank; k++)
        permutation[position(set, labels[k])] = k;
    return rank ? elab_permuted(e, x, permutation) : x;
}

static IrNode *windowed(Elaborator *e, IrNode *x, const AxisAt *axes, uint32_t set, IrNode *const *extents) {
    IrWindowTerm terms[IR_MAX_RANK * LABEL_COUNT];
    IrNode *offsets[IR_MAX_RANK] = {0}, *dims[IR_MAX_RANK] = {0};
    uint32_t count = 0, rank = 0;
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        offsets[k] = axes[k].offset;
        for (uint32_t i = 0; i < axes[k].count; i++)
            terms[count++] = (IrWindowTerm){k, position(set, axes[k].labels[i]), axes[k].steps[i]};
    }
    for (uint32_t label = 0; label < LABEL_COUNT; label++)
        if (set >> label & 1)
            dims[rank++] = extents[label];
    return ir_window(&e->b, x, offsets, terms, count, dims, rank);
}

/* ---- positions out of tensors ----------------------------------------------------------------------------
 */

/* A node whose axes are the labels of `from`, seen with those of `to`. */
static IrNode *with_labels(Elaborator *e, IrNode *x, uint32_t from, uint32_t to, IrNode *const *extents) {
    uint32_t map[IR_MAX_RANK], rank = 0, next = 0;
    IrNode *dims[IR_MAX_RANK];
    for (uint32_t label = 0; label < LABEL_COUNT; label++) {
        if (!(to >> label & 1))
            continue;
        if (from >> label & 1)
            map[next++] = rank;
        dims[rank++] = extents[label];
    }
    return from == to ? x : ir_broadcast(&e->b, x, map, dims, rank);
}

/* The positions of an affine axis as a tensor over its labels. */
static IrNode *positions(Elaborator *e, const AxisAt *axis, IrNode *const *extents) {
    if (axis->tensor)
        return axis->tensor;
    IrNode *sum =
        is_int(axis->offset, 0) && axis->count ? NULL : with_labels(e, axis->offset, 0, axis->set, extents);
    for (uint32_t i = 0; i < axis->count; i++) {
        uint32_t own = 1u << axis->labels[i];
        IrNode *term = with_labels(e, ir_iota(&e->b, extents[axis->labels[i]]), own, axis->set, extents);
        if (!is_int(axis->steps[i], 1))
            term = ir_binary(&e->b, OP_mul, term, with_labels(e, axis->steps[i], 0, axis->set, extents));
        sum = sum ? ir_binary(&e->b, OP_add, sum, term) : term;
    }
    return sum;
}

/* Axes whose labels meet those of a gathered axis are gathered with it.  Returns how many are. */
static uint32_t gathered_axes(const AxisAt *axes, uint32_t rank, bool *gathers, uint32_t *set) {
    uint32_t count = 0;
    *set = 0;
    for (uint32_t k = 0; k < rank; k++) {
        gathers[k] = axes[k].tensor != NULL;
        count += gathers[k];
        *set |= gathers[k] ? axes[k].set : 0;
    }
    for (bool changed = true; changed && count;) {
        changed = false;
        for (uint32_t k = 0; k < rank; k++)
            if (!gathers[k] && (axes[k].set & *set)) {
                gathers[k] = changed = true;
                *set |= axes[k].set;
                count++;
            }
    }
    return count;
}

/* Replaces the gathered axes by one per label of theirs; `axes` becomes what is left to read. */
static IrNode *gathered(Elaborator *e, IrNode *x, AxisAt *axes, const bool *gathers, uint32_t count,
                        uint32_t set, IrNode *const *extents) {
    uint32_t rank = ir_rank(x), labels = (uint32_t)__builtin_popcount(set), next = 0, tensors = 0;
    uint32_t at[IR_MAX_RANK] = {0};
    IrNode *indices[IR_MAX_RANK] = {0};
    AxisAt left[LABEL_COUNT + IR_MAX_RANK] = {0};
    if (rank - count + labels > IR_MAX_RANK)
        return NULL;
    for (uint32_t k = 0; k < rank; k++) {
        if (!gathers[k])
            continue;
        at[tensors] = k;
        indices[tensors++] = with_labels(e, positions(e, &axes[k], extents), axes[k].set, set, extents);
    }
    x = ir_gather_many(&e->b, x, indices, at, count);
    for (uint32_t k = 0; k < rank; k++) {
        if (k == at[0])
            for (uint32_t label = 0; label < LABEL_COUNT; label++)
                if (set >> label & 1) {
                    left[next].offset = int_node(e, 0);
                    elab_axis_term(&left[next++], label, int_node(e, 1));
                }
        if (!gathers[k])
            left[next++] = axes[k];
    }
    memcpy(axes, left, next * sizeof *axes);
    return x;
}

IrNode *elab_view_at(Elaborator *e, IrNode *x, AxisAt *axes, IrNode *const *extents) {
    bool gathers[IR_MAX_RANK];
    uint32_t set, count = gathered_axes(axes, ir_rank(x), gathers, &set), all = 0;
    for (uint32_t k = 0; k < ir_rank(x); k++)
        all |= axes[k].set;
    if (__builtin_popcount(all) > IR_MAX_RANK)
        return NULL;
    if (count && !(x = gathered(e, x, axes, gathers, count, set, extents)))
        return NULL;
    return each_label_once(axes, ir_rank(x)) ? sliced(e, x, axes, extents)
                                             : windowed(e, x, axes, all, extents);
}
