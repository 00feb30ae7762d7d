/* Vectorising control: branches that depend on an index compute both sides and select; loops carry tensors.
 */
#include "frontend/elab_lift.h"

/* The results of a nested region over all of `set`, in the region that is being built. */
static bool lift_results(Vectorizer *v, const IrRegion *region, uint32_t set, IrNode **nodes) {
    if (!elab_lift_region(v, region))
        return false;
    for (uint32_t i = 0; i < region->results.count; i++) {
        const Lifted *x = elab_lift(v, region->results.items[i]);
        if (!x || !elab_lift_rank_fits(v, set, ir_rank(region->results.items[i])))
            return false;
        if (x->set & ~set)
            return elab_lift_invariant(v, region->results.items[i], "a size") != NULL; /* reports */
        nodes[i] = elab_lift_node(v, x, set);
    }
    return true;
}

/* ---- if: a branch that an item does not take gives it no derivative, not 0 times infinity ---- */

typedef VEC(const IrNode *) OldNodes;

/* The float values of the items that `region`, which is `branch` or lies in it, uses from outside of
 * `branch`. */
static void captured(Vectorizer *v, const IrRegion *branch, const IrRegion *region, OldNodes *out) {
    for (uint32_t i = 0; i < region->nodes.count; i++) {
        const IrNode *node = region->nodes.items[i];
        for (uint32_t k = 0; k < node->operand_count; k++) {
            const IrNode *x = node->operands[k];
            const Lifted *made = x->id < v->old_count ? v->map[x->id] : NULL;
            bool is_float = made && x->types[0].kind == IR_TENSOR && dtype_is_float(ir_dtype(x));
            if (is_float && made->node && !ir_region_encloses(branch, x->region))
                vec_push(v->e->arena, out, x);
        }
        for (uint32_t r = 0; r < node->region_count; r++)
            captured(v, branch, node->regions[r], out);
    }
}

/* x itself, over the variables of `set`, which gets nothing back where `mask` is false. */
static IrNode *guarded(Vectorizer *v, const Lifted *mask, IrNode *x, uint32_t set) {
    uint32_t map[IR_MAX_RANK], rank = ir_rank(x);
    for (uint32_t k = 0; k < rank; k++)
        map[k] = k;
    IrNode *taken = ir_broadcast(&v->e->b, elab_lift_node(v, mask, set), map, x->types[0].dims, rank);
    return ir_where(&v->e->b, taken, x, ir_stop_gradient(&v->e->b, x));
}

/* Lifts a branch, which reads the values of the items guarded.  A value that all items share is read as it
 * is. */
static bool lift_branch(Vectorizer *v, const IrRegion *branch) {
    const Lifted *mask = v->mask;
    OldNodes nodes = {0};
    captured(v, branch, branch, &nodes);
    Lifted **saved = ARENA_ARRAY(v->e->arena, Lifted *, nodes.count);
    for (uint32_t i = 0; i < nodes.count; i++) {
        Lifted *x = saved[i] = v->map[nodes.items[i]->id];
        if (mask->set & ~x->set)
            continue;
        Lifted *inside = v->map[nodes.items[i]->id] = ARENA_NEW(v->e->arena, Lifted);
        elab_lift_own(inside, guarded(v, mask, x->node, x->set), x->set);
    }
    bool ok = elab_lift_region(v, branch);
    for (uint32_t i = nodes.count; i-- > 0;)
        v->map[nodes.items[i]->id] = saved[i];
    return ok;
}

/* A scalar integer result of a branch may be a size: it stays a scalar where nothing depends on an index. */
static bool lift_select(Vectorizer *v, const IrNode *old, const Lifted *condition, Lifted *out) {
    const Lifted *outer = v->mask;
    Lifted masks[2];
    uint32_t set = condition->set | (outer ? outer->set : 0);
    IrBuilder *b = &v->e->b;
    IrNode *yes = elab_lift_node(v, condition, set);
    elab_lift_own(&masks[0], yes, set);
    elab_lift_own(&masks[1], ir_unary(b, OP_logical_not, yes), set);
    for (int side = 0; side < 2; side++) {
        if (outer)
            masks[side].node = ir_binary(b, OP_logical_and, masks[side].node, elab_lift_node(v, outer, set));
        v->mask = &masks[side];
        bool ok = lift_branch(v, old->regions[side]);
        v->mask = outer;
        if (!ok)
            return false;
    }
    for (uint32_t i = 0; i < old->result_count; i++) {
        const IrNode *results[2] = {old->regions[0]->results.items[i], old->regions[1]->results.items[i]};
        const Lifted *x = elab_lift(v, results[0]), *y = elab_lift(v, results[1]);
        if (!x || !y)
            return false;
        uint32_t all = condition->set | x->set | y->set, map[IR_MAX_RANK];
        if (!elab_lift_rank_fits(v, all, ir_rank(results[0])))
            return false;
        IrNode *nodes[2] = {elab_lift_node(v, x, all), elab_lift_node(v, y, all)}, *dims[IR_MAX_RANK];
        for (uint32_t k = 0; k < ir_rank(nodes[0]); k++) {
            map[k] = k;
            dims[k] = elab_same_extent(v->e, nodes[0]->types[0].dims[k], nodes[1]->types[0].dims[k],
                                       "the branches of an `if` in an index expression differ in shape");
            if (!dims[k]) {
                elab_fail(v->e, DIAG_E0203, old->span,
                          "the branches of this `if` depend on %s and differ in shape",
                          elab_lift_names(v, condition->set));
                return false;
            }
        }
        IrNode *taken = ir_broadcast(b, elab_lift_node(v, condition, all), map, dims, ir_rank(nodes[0]));
        elab_lift_own(&out[i],
                      ir_where(b, taken, elab_with_dims(v->e, nodes[0], dims, ir_rank(nodes[0])),
                               elab_with_dims(v->e, nodes[1], dims, ir_rank(nodes[0]))),
                      all);
    }
    return true;
}

static IrRegion *enter(Vectorizer *v) {
    v->e->b.region = ir_region_new(v->e->b.function, v->e->b.region);
    return v->e->b.region;
}

bool elab_lift_if(Vectorizer *v, const IrNode *old, Lifted *out) {
    const Lifted *condition = elab_lift(v, old->operands[0]);
    IrRegion *regions[2], *outer = v->e->b.region;
    if (!condition)
        return false;
    if (condition->set)
        return lift_select(v, old, condition, out);
    uint32_t set = all_variables(v), count = old->result_count;
    IrNode *test = elab_lift_node(v, condition, 0), **nodes = ARENA_ARRAY(v->e->arena, IrNode *, count);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < old->types[i].rank; k++)
            if (old->types[i].dims[k]->op == OP_result && old->types[i].dims[k]->operands[0] == old) {
                elab_unsupported(v->e, old->span,
                                 "an `if` whose branches differ in shape, in an index expression");
                return false;
            }
    for (int side = 0; side < 2; side++) {
        regions[side] = enter(v);
        bool ok = lift_results(v, old->regions[side], set, nodes);
        if (ok)
            ir_set_results(&v->e->b, nodes, count);
        v->e->b.region = outer;
        if (!ok)
            return false;
    }
    IrNode *made = ir_if(&v->e->b, test, regions[0], regions[1]);
    for (uint32_t i = 0; i < count; i++)
        elab_lift_own(&out[i], ir_result(&v->e->b, made, i), set);
    return true;
}

static bool loop_body(Vectorizer *v, const IrNode *old, uint32_t counters, IrNode *const *initial,
                      uint32_t count) {
    const IrRegion *body = old->regions[0];
    IrNode **nodes = ARENA_ARRAY(v->e->arena, IrNode *, count);
    uint32_t set = all_variables(v);
    for (uint32_t i = 0; i < body->parameters.count; i++) {
        const IrNode *parameter = body->parameters.items[i];
        const IrType *type = i < counters ? ir_type(parameter) : ir_type(initial[i - counters]);
        Lifted *x = v->map[parameter->id] = ARENA_NEW(v->e->arena, Lifted);
        IrNode *node =
            ir_parameter(&v->e->b, NULL, type->dtype, type->rank, type->rank ? type->dims : NULL, NULL);
        elab_lift_own(x, node, i < counters ? 0 : set);
    }
    if (!lift_results(v, body, set, nodes))
        return false;
    for (uint32_t i = 0; i < count; i++)
        nodes[i] = elab_with_dims(v->e, nodes[i], initial[i]->types[0].dims, ir_rank(initial[i]));
    ir_set_results(&v->e->b, nodes, count);
    return true;
}

bool elab_lift_for(Vectorizer *v, const IrNode *old, Lifted *out) {
    uint32_t count = old->operand_count - 2, set = all_variables(v);
    IrNode **initial = ARENA_ARRAY(v->e->arena, IrNode *, count);
    IrNode *begin = elab_lift_invariant(v, old->operands[0], "the range of a loop");
    IrNode *end = begin ? elab_lift_invariant(v, old->operands[1], "the range of a loop") : NULL;
    if (!end)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const Lifted *x = elab_lift(v, old->operands[2 + i]);
        if (!x || !elab_lift_rank_fits(v, set, ir_rank(old->operands[2 + i])))
            return false;
        initial[i] = elab_lift_node(v, x, set);
    }
    IrRegion *outer = v->e->b.region, *body = enter(v);
    bool ok = loop_body(v, old, 1, initial, count);
    v->e->b.region = outer;
    if (!ok)
        return false;
    IrNode *made = ir_for(&v->e->b, begin, end, initial, count, body);
    for (uint32_t i = 0; i < count; i++)
        elab_lift_own(&out[i], ir_result(&v->e->b, made, i), set);
    return true;
}

/* ---- while: runs until no item goes on; the others keep their values ---- */

static void forget(Vectorizer *v, const IrRegion *region) {
    for (uint32_t i = 0; i < region->nodes.count; i++) {
        const IrNode *node = region->nodes.items[i];
        if (node->id < v->old_count)
            v->map[node->id] = NULL;
        for (uint32_t r = 0; r < node->region_count; r++)
            forget(v, node->regions[r]);
    }
}

static void bind(Vectorizer *v, const IrRegion *region, IrNode *const *parameters) {
    for (uint32_t i = 0; i < region->parameters.count; i++) {
        Lifted *x = v->map[region->parameters.items[i]->id] = ARENA_NEW(v->e->arena, Lifted);
        elab_lift_own(x, parameters[i], all_variables(v));
    }
}

static void parameters_like(Vectorizer *v, IrNode *const *initial, uint32_t count, IrNode **parameters) {
    for (uint32_t i = 0; i < count; i++) {
        const IrType *type = ir_type(initial[i]);
        parameters[i] = ir_parameter(&v->e->b, NULL, type->dtype, type->rank, type->dims, NULL);
    }
}

/* Which items go on, over all variables: those of a taken branch whose condition holds. */
static IrNode *going_on(Vectorizer *v, const IrRegion *condition, IrNode *const *parameters) {
    uint32_t all = all_variables(v);
    forget(v, condition);
    bind(v, condition, parameters);
    const Lifted *x = elab_lift_region(v, condition) ? elab_lift(v, condition->results.items[0]) : NULL;
    if (!x)
        return NULL;
    IrNode *node = elab_lift_node(v, x, all);
    return v->mask ? ir_binary(&v->e->b, OP_logical_and, node, elab_lift_node(v, v->mask, all)) : node;
}

static bool while_body(Vectorizer *v, const IrNode *old, IrNode *const *initial, uint32_t count) {
    IrNode **parameters = ARENA_ARRAY(v->e->arena, IrNode *, count);
    IrNode **nodes = ARENA_ARRAY(v->e->arena, IrNode *, count);
    const Lifted *outer = v->mask;
    Lifted mask;
    parameters_like(v, initial, count, parameters);
    IrNode *active = going_on(v, old->regions[0], parameters);
    if (!active)
        return false;
    elab_lift_own(&mask, active, all_variables(v));
    v->mask = &mask;
    for (uint32_t i = 0; i < count; i++)
        nodes[i] = dtype_is_float(ir_dtype(parameters[i]))
                       ? guarded(v, &mask, parameters[i], all_variables(v))
                       : parameters[i];
    bind(v, old->regions[1], nodes);
    bool ok = lift_results(v, old->regions[1], all_variables(v), nodes);
    v->mask = outer;
    for (uint32_t i = 0; ok && i < count; i++) {
        uint32_t map[IR_MAX_RANK], rank = ir_rank(initial[i]);
        for (uint32_t k = 0; k < rank; k++)
            map[k] = k;
        IrNode *goes_on = ir_broadcast(&v->e->b, active, map, initial[i]->types[0].dims, rank);
        nodes[i] = elab_with_dims(v->e, nodes[i], initial[i]->types[0].dims, rank);
        nodes[i] = ir_where(&v->e->b, goes_on, nodes[i], parameters[i]);
    }
    if (ok)
        ir_set_results(&v->e->b, nodes, count);
    return ok;
}

static bool while_condition(Vectorizer *v, const IrNode *old, IrNode *const *initial, uint32_t count) {
    IrNode **parameters = ARENA_ARRAY(v->e->arena, IrNode *, count);
    uint32_t axes[IR_MAX_RANK];
    parameters_like(v, initial, count, parameters);
    IrNode *active = going_on(v, old->regions[0], parameters);
    if (!active)
        return false;
    for (uint32_t k = 0; k < ir_rank(active); k++)
        axes[k] = k;
    active = ir_reduce(&v->e->b, OP_any, active, axes, ir_rank(active), DTYPE_bool, DTYPE_bool);
    ir_set_results(&v->e->b, &active, 1);
    return true;
}

bool elab_lift_while(Vectorizer *v, const IrNode *old, Lifted *out) {
    uint32_t count = old->operand_count, set = all_variables(v);
    IrNode **initial = ARENA_ARRAY(v->e->arena, IrNode *, count);
    for (uint32_t i = 0; i < count; i++) {
        const Lifted *x = elab_lift(v, old->operands[i]);
        if (!x || !elab_lift_rank_fits(v, set, ir_rank(old->operands[i])))
            return false;
        initial[i] = elab_lift_node(v, x, set);
    }
    IrRegion *outer = v->e->b.region, *regions[2];
    for (int part = 0; part < 2; part++) {
        regions[part] = enter(v);
        bool ok = part ? while_body(v, old, initial, count) : while_condition(v, old, initial, count);
        v->e->b.region = outer;
        if (!ok)
            return false;
    }
    IrNode *made = ir_while(&v->e->b, initial, count, regions[0], regions[1]);
    for (uint32_t i = 0; i < count; i++)
        elab_lift_own(&out[i], ir_result(&v->e->b, made, i), set);
    return true;
}
