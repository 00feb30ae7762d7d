/* Vectorising updates, orders and scans: with an axis for every index variable in front, each item of the
 * batch gets what it would get alone. */
#include "frontend/elab_lift.h"

/* x[part] = v for all indices.  Where the part is the same for every item, the index variables are whole axes
 * of the slice that is written.  Where it differs, they and every axis whose start differs become indexed. */
typedef struct Updating {
    Vectorizer *v;
    const IrNode *old;
    uint32_t set, lead; /* index variables of the result, and how many */
    uint32_t rank;      /* of x, without them */
    uint32_t index_rank;
    bool is_own[IR_MAX_RANK];        /* axis k of x starts where the item says */
    IrNode *common[2 * IR_MAX_RANK]; /* the shape of all index tensors */
    uint32_t common_rank;
    uint32_t place[2 * IR_MAX_RANK]; /* where each axis of the value [items, indices, slices] goes */
    IrNode *starts[IR_MAX_RANK], *extents[IR_MAX_RANK], *steps[IR_MAX_RANK], *indices[IR_MAX_RANK];
    uint32_t axes[IR_MAX_RANK], count;
} Updating;

static uint32_t item_extents(Vectorizer *v, uint32_t set, IrNode **dims) {
    uint32_t lead = 0;
    for (uint32_t b = 0; b < v->count; b++)
        if (set >> b & 1)
            dims[lead++] = v->extents[b];
    return lead;
}

/* Lifts the operands; true in *differs if items write different parts. */
static bool lift_parts(Updating *u, bool *differs) {
    Vectorizer *v = u->v;
    const IrNode *old = u->old;
    *differs = false;
    for (uint32_t i = 0; i < old->operand_count; i++) {
        const Lifted *x = elab_lift(v, old->operands[i]);
        if (!x)
            return false;
        u->set |= x->set;
        *differs = *differs || (i >= 2 && x->set);
        bool is_start = i >= 2 && i < 2 + 3 * u->rank && (i - 2) % 3 == 0;
        if (is_start)
            u->is_own[(i - 2) / 3] = x->set && !ir_update_indices(old, (i - 2) / 3);
        else if (i >= 2 && i < 2 + 3 * u->rank && !elab_lift_invariant(v, old->operands[i], "a size"))
            return false;
    }
    u->lead = bits(u->set);
    return true;
}

static IrNode *lifted_scalar(Updating *u, const IrNode *old) {
    return elab_lift_node(u->v, elab_lift(u->v, old), 0);
}

/* `x`, whose axes are from axis `first` of the common shape on, in that shape. */
static IrNode *in_common_shape(Updating *u, IrNode *x, uint32_t first) {
    uint32_t map[2 * IR_MAX_RANK];
    for (uint32_t k = 0; k < ir_rank(x); k++)
        map[k] = first + k;
    return ir_broadcast(&u->v->e->b, x, map, u->common, u->common_rank);
}

static void add_index(Updating *u, uint32_t axis, IrNode *index) {
    u->axes[u->count] = axis;
    u->indices[u->count++] = index;
}

/* The axis k of x, whose start differs; its positions are axis `at` of the common shape. */
static IrNode *own_positions(Updating *u, uint32_t k, uint32_t at) {
    IrBuilder *b = &u->v->e->b;
    IrNode *start = elab_lift_node(u->v, elab_lift(u->v, ir_update_start(u->old, k)), u->set);
    IrNode *along = ir_iota(b, u->common[at]);
    IrNode *step = ir_broadcast(b, lifted_scalar(u, ir_update_step(u->old, k)), NULL, &u->common[at], 1);
    return int_op(u->v, OP_add, in_common_shape(u, start, 0),
                  in_common_shape(u, int_op(u->v, OP_mul, along, step), at));
}

/* The shape of the index tensors, and the order of the value's axes that goes with it. */
static void plan_common(Updating *u, bool differs) {
    uint32_t next = 0, from = u->lead + u->index_rank;
    const IrNode *old = u->old;
    IrNode *first = u->old->attribute_count > 2 ? old->operands[2 + 3 * u->rank] : NULL;
    if (differs)
        u->common_rank = item_extents(u->v, u->set, u->common);
    if (first) {
        const Lifted *at = elab_lift(u->v, first);
        IrNode *node = elab_lift_node(u->v, at, at->set);
        for (uint32_t i = 0; i < u->index_rank; i++)
            u->common[u->common_rank++] = node->types[0].dims[bits(at->set) + i];
    }
    if (differs)
        for (uint32_t i = 0; i < u->lead; i++)
            u->place[next++] = i;
    for (uint32_t i = 0; i < u->index_rank; i++)
        u->place[next++] = u->lead + i;
    for (uint32_t k = 0, axis = from; k < u->rank; k++) {
        if (u->is_own[k]) {
            u->common[u->common_rank++] = lifted_scalar(u, ir_update_extent(old, k));
            u->place[next++] = axis;
        }
        axis += !ir_update_indices(old, k);
    }
    if (!differs)
        for (uint32_t i = 0; i < u->lead; i++)
            u->place[next++] = i;
    for (uint32_t k = 0, axis = from; k < u->rank; k++) {
        if (!u->is_own[k] && !ir_update_indices(old, k))
            u->place[next++] = axis;
        axis += !ir_update_indices(old, k);
    }
}

static void plan_axes(Updating *u, const IrNode *x, bool differs) {
    Vectorizer *v = u->v;
    uint32_t own = u->lead + u->index_rank;
    for (uint32_t k = 0; k < u->lead + u->rank; k++) {
        u->starts[k] = int_node(v, 0);
        u->extents[k] = x->types[0].dims[k];
        u->steps[k] = int_node(v, 1);
        if (k < u->lead) {
            if (differs)
                add_index(u, k, in_common_shape(u, ir_iota(&v->e->b, u->common[k]), k));
            continue;
        }
        uint32_t old_axis = k - u->lead;
        const IrNode *at = ir_update_indices(u->old, old_axis);
        if (at && differs) {
            add_index(u, k, in_common_shape(u, elab_lift_node(v, elab_lift(v, at), u->set), 0));
        } else if (at) {
            add_index(u, k, elab_lift_node(v, elab_lift(v, at), 0));
        } else if (u->is_own[old_axis]) {
            add_index(u, k, own_positions(u, old_axis, own++));
        } else {
            u->starts[k] = lifted_scalar(u, ir_update_start(u->old, old_axis));
            u->extents[k] = lifted_scalar(u, ir_update_extent(u->old, old_axis));
            u->steps[k] = lifted_scalar(u, ir_update_step(u->old, old_axis));
        }
    }
}

/* The value in the layout that the new update writes: one number for all items stays one. */
static IrNode *value_of(Updating *u, bool differs) {
    Vectorizer *v = u->v;
    IrBuilder *b = &v->e->b;
    const Lifted *x = elab_lift(v, u->old->operands[1]);
    IrNode *dims[2 * IR_MAX_RANK];
    uint32_t map[2 * IR_MAX_RANK], rank = item_extents(v, u->set, dims), first = differs ? u->lead : 0;
    if (!ir_rank(u->old->operands[1])) {
        if (!x->set)
            return elab_lift_node(v, x, 0);
        for (uint32_t i = 0; i < u->index_rank; i++)
            dims[rank++] = u->common[first + i];
        for (uint32_t k = 0; k < u->rank; k++)
            if (!ir_update_indices(u->old, k))
                dims[rank++] = lifted_scalar(u, ir_update_extent(u->old, k));
        for (uint32_t k = 0; k < u->lead; k++)
            map[k] = k;
        return elab_permuted(v->e, ir_broadcast(b, elab_lift_node(v, x, u->set), map, dims, rank), u->place);
    }
    return elab_permuted(v->e, elab_lift_node(v, x, u->set), u->place);
}

bool elab_lift_update(Vectorizer *v, const IrNode *old, Lifted *out) {
    Updating u = {.v = v, .old = old, .rank = ir_rank(old)};
    uint32_t indexed = ir_update_index_count(old);
    bool differs;
    u.index_rank = indexed ? ir_rank(old->operands[2 + 3 * u.rank]) : 0;
    if (!lift_parts(&u, &differs) || !elab_lift_rank_fits(v, u.set, u.rank + u.index_rank))
        return false;
    IrNode *x = elab_lift_node(v, elab_lift(v, old->operands[0]), u.set);
    plan_common(&u, differs);
    plan_axes(&u, x, differs);
    IrNode *value = value_of(&u, differs);
    elab_lift_own(out,
                  ir_update(&v->e->b, x, value, u.starts, u.extents, u.steps, u.indices, u.axes, u.count,
                            old->attributes[0] < 0 ? OP_none : (Op)old->attributes[0]),
                  u.set);
    return true;
}

/* sort, argsort and the scans: along one axis, which moves behind the items. */
bool elab_lift_along(Vectorizer *v, const IrNode *old, Lifted *out) {
    const Lifted *x = elab_lift(v, old->operands[0]);
    int64_t attributes[2];
    if (!x)
        return false;
    IrNode *node = elab_lift_node(v, x, x->set);
    for (uint32_t i = 0; i < old->attribute_count; i++)
        attributes[i] = old->attributes[i];
    attributes[0] += bits(x->set);
    elab_lift_own(out,
                  ir_call(&v->e->b, old->op, &node, 1, attributes, old->attribute_count, ir_dtype(old),
                          node->types[0].dims, ir_rank(node)),
                  x->set);
    return true;
}

/* Searching in one vector for the values of all items. */
bool elab_lift_searchsorted(Vectorizer *v, const IrNode *old, Lifted *out) {
    const Lifted *sorted = elab_lift(v, old->operands[0]), *x = elab_lift(v, old->operands[1]);
    if (!sorted || !x)
        return false;
    if (sorted->set) {
        elab_unsupported(v->e, old->span, "`searchsorted` in a vector that depends on an index");
        return false;
    }
    IrNode *operands[2] = {elab_lift_node(v, sorted, 0), elab_lift_node(v, x, x->set)};
    elab_lift_own(out,
                  ir_call(&v->e->b, old->op, operands, 2, old->attributes, old->attribute_count, DTYPE_i64,
                          operands[1]->types[0].dims, ir_rank(operands[1])),
                  x->set);
    return true;
}
