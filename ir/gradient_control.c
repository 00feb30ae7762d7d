/* Reverse mode of `if` and `for` (`while`: gradient_while.c).
 *
 * The backward `if` recomputes the branch that was taken and differentiates it.  The backward `for` runs the
 * iterations from the last to the first: the forward loop is extended by tapes, tensors with one slice per
 * iteration that keep the loop variables as each iteration found them; the backward body reads them,
 * recomputes the iteration and differentiates it.  Adjoints of the variables, and of what the body reads from
 * outside, are carried. */
#include "ir/gradient.h"

#include "ir/internal.h"

#include <string.h>

/* ---- what a region reads from outside
 * ------------------------------------------------------------------------ */

static bool contains(const GradientNodes *list, const IrNode *node) {
    for (uint32_t i = 0; i < list->count; i++)
        if (list->items[i] == node)
            return true;
    return false;
}

static void add_captured(Gradient *g, const IrRegion *owner, IrNode *node, GradientNodes *out) {
    if (gradient_wants(g, node) && !ir_region_encloses(owner, node->region) && !contains(out, node))
        vec_push(ir_arena(g->b), out, node);
}

/* Active nodes outside of `owner` that `region`, which is it or lies in it, uses. */
void gradient_captured(Gradient *g, const IrRegion *owner, const IrRegion *region, GradientNodes *out) {
    for (uint32_t i = 0; i < region->nodes.count; i++) {
        const IrNode *node = region->nodes.items[i];
        for (uint32_t k = 0; k < node->operand_count; k++)
            add_captured(g, owner, node->operands[k], out);
        for (uint32_t r = 0; r < node->region_count; r++)
            gradient_captured(g, owner, node->regions[r], out);
    }
    for (uint32_t i = 0; i < region->results.count; i++)
        add_captured(g, owner, region->results.items[i], out);
}

/* A map under which everything visible from `region` stands for itself. */
IrNode **gradient_outside_map(IrBuilder *b, const IrRegion *region) {
    IrNode **map = ARENA_ARRAY(ir_arena(b), IrNode *, b->function->node_count);
    for (; region; region = region->parent) {
        for (uint32_t i = 0; i < region->parameters.count; i++)
            map[region->parameters.items[i]->id] = region->parameters.items[i];
        for (uint32_t i = 0; i < region->nodes.count; i++)
            map[region->nodes.items[i]->id] = region->nodes.items[i];
    }
    return map;
}

static IrNode *or_zeros(IrBuilder *b, IrNode *adjoint, const IrNode *like) {
    return adjoint ? adjoint : gradient_number(b, 0, like);
}

/* ---- if
 * ---------------------------------------------------------------------------------------------------------
 */

static bool branch(Gradient *g, const IrNode *y, const IrRegion *taken, IrNode *const *dy,
                   const GradientNodes *captured, IrRegion **out) {
    IrBuilder *b = g->b, saved = *b;
    Arena *arena = ir_arena(b);
    GradientNodes outputs = {0}, seeds = {0};
    IrNode **gradients = ARENA_ARRAY(arena, IrNode *, captured->count);
    *out = ir_region_new(b->function, b->region);
    IrNode **map = gradient_outside_map(b, b->region);
    b->region = *out;
    ir_copy_nodes(b, taken, map);
    for (uint32_t i = 0; i < y->result_count; i++)
        if (dy[i]) {
            vec_push(arena, &outputs, map[taken->results.items[i]->id]);
            /* the branch may know its extents better than the result does */
            IrNode *output = map[taken->results.items[i]->id];
            vec_push(arena, &seeds, ir_reshape(b, dy[i], output->types[0].dims, ir_rank(output)));
        }
    GradientRequest request = {.outputs = outputs.items,
                               .seeds = seeds.items,
                               .output_count = outputs.count,
                               .variables = captured->items,
                               .variable_count = captured->count};
    bool ok = ir_gradient(b, &request, gradients, g->failure);
    for (uint32_t i = 0; ok && i < captured->count; i++)
        gradients[i] = or_zeros(b, gradients[i], captured->items[i]);
    if (ok)
        ir_set_results(b, gradients, captured->count);
    *b = saved;
    return ok;
}

static bool if_rule(Gradient *g, const IrNode *y, IrNode *const *dy) {
    GradientNodes captured = {0};
    IrRegion *regions[2];
    for (uint32_t r = 0; r < 2; r++)
        gradient_captured(g, y->regions[r], y->regions[r], &captured);
    if (!captured.count)
        return true;
    for (uint32_t r = 0; r < 2; r++)
        if (!branch(g, y, y->regions[r], dy, &captured, &regions[r]))
            return false;
    IrNode *node = ir_if(g->b, y->operands[0], regions[0], regions[1]);
    for (uint32_t i = 0; i < captured.count; i++)
        gradient_add(g, captured.items[i], ir_result(g->b, node, i));
    return true;
}

/* ---- for: what matters
 * ---------------------------------------------------------------------------------------------- */

typedef struct Loop {
    Gradient *g;
    IrNode *node; /* the forward loop */
    IrRegion *body;
    uint32_t count;  /* carried values */
    bool *is_active; /* carried values with an adjoint */
    bool *is_read;   /* the body computes with it: it needs a tape */
    GradientNodes captured;
    IrNode *trips;
    IrNode **tapes; /* per carried value: the filled tape, or NULL */
} Loop;

static IrNode *parameter_of(const Loop *loop, uint32_t i) {
    return loop->body->parameters.items[1 + i];
}

static bool is_float_tensor(const IrNode *node) {
    return node->types[0].kind == IR_TENSOR && dtype_is_float(ir_dtype(node));
}

static bool region_reads(const IrRegion *region, const IrNode *value) {
    for (uint32_t i = 0; i < region->nodes.count; i++) {
        const IrNode *node = region->nodes.items[i];
        for (uint32_t k = 0; k < node->operand_count; k++)
            if (node->operands[k] == value)
                return true;
        for (uint32_t r = 0; r < node->region_count; r++) {
            const IrRegion *inner = node->regions[r];
            for (uint32_t k = 0; k < inner->results.count; k++)
                if (inner->results.items[k] == value)
                    return true;
            if (region_reads(inner, value))
                return true;
        }
    }
    return false;
}

/* ---- for: tapes
 * ---------------------------------------------------------------------------------------------------------
 */

/* The place of one iteration on a tape: starts, extents, steps. */
static void slot_of(IrBuilder *b, IrNode *iteration, const IrNode *tape, IrNode **starts, IrNode **extents,
                    IrNode **steps) {
    for (uint32_t k = 0; k < ir_rank(tape); k++) {
        starts[k] = k ? ir_const_i64(b, 0) : iteration;
        extents[k] = k ? tape->types[0].dims[k] : ir_const_i64(b, 1);
        steps[k] = ir_const_i64(b, 1);
    }
}

static IrNode *write_tape(IrBuilder *b, IrNode *tape, IrNode *iteration, IrNode *value) {
    IrNode *starts[IR_MAX_RANK], *extents[IR_MAX_RANK], *steps[IR_MAX_RANK];
    slot_of(b, iteration, tape, starts, extents, steps);
    value = ir_reshape(b, value, extents, ir_rank(tape));
    return ir_update(b, tape, value, starts, extents, steps, NULL, NULL, 0, OP_none);
}

static IrNode *read_tape(IrBuilder *b, IrNode *tape, IrNode *iteration) {
    IrNode *starts[IR_MAX_RANK], *extents[IR_MAX_RANK], *steps[IR_MAX_RANK];
    bool drop[IR_MAX_RANK] = {true};
    slot_of(b, iteration, tape, starts, extents, steps);
    return ir_slice(b, tape, starts, extents, steps, drop);
}

static IrNode *empty_tape(const Loop *loop, IrBuilder *b, const IrNode *value) {
    IrNode *dims[IR_MAX_RANK] = {loop->trips};
    for (uint32_t k = 0; k < ir_rank(value); k++)
        dims[1 + k] = value->types[0].dims[k];
    return ir_broadcast(b, ir_const_number(b, ir_dtype(value), 0), NULL, dims, ir_rank(value) + 1);
}

/* Order: every node of the region after what it uses. */
typedef struct Ordering {
    const IrRegion *region;
    bool *is_placed; /* by id */
    GradientNodes nodes;
    Arena *arena;
} Ordering;

static void place(Ordering *o, IrNode *node);

static void place_inner(Ordering *o, const IrRegion *inner) {
    for (uint32_t i = 0; i < inner->nodes.count; i++) {
        IrNode *node = inner->nodes.items[i];
        for (uint32_t k = 0; k < node->operand_count; k++)
            place(o, node->operands[k]);
        for (uint32_t t = 0; t < node->result_count; t++)
            for (uint32_t k = 0; k < node->types[t].rank; k++)
                place(o, node->types[t].dims[k]);
        for (uint32_t r = 0; r < node->region_count; r++)
            place_inner(o, node->regions[r]);
    }
    for (uint32_t i = 0; i < inner->results.count; i++)
        place(o, inner->results.items[i]);
}

static void place(Ordering *o, IrNode *node) {
    if (!node || node->region != o->region || o->is_placed[node->id] || node->op == OP_param)
        return;
    o->is_placed[node->id] = true;
    for (uint32_t k = 0; k < node->operand_count; k++)
        place(o, node->operands[k]);
    for (uint32_t t = 0; t < node->result_count; t++)
        for (uint32_t k = 0; k < node->types[t].rank; k++)
            place(o, node->types[t].dims[k]);
    for (uint32_t r = 0; r < node->region_count; r++)
        place_inner(o, node->regions[r]);
    vec_push(o->arena, &o->nodes, node);
}

void gradient_order_region(IrBuilder *b, IrRegion *region) {
    Ordering o = {.region = region, .arena = ir_arena(b)};
    o.is_placed = ARENA_ARRAY(o.arena, bool, b->function->node_count);
    for (uint32_t i = 0; i < region->nodes.count; i++)
        place(&o, region->nodes.items[i]);
    memcpy(region->nodes.items, o.nodes.items, region->nodes.count * sizeof *region->nodes.items);
}

/* The loop with more carried values in place of the old one, whose users see the same results. */
IrNode *gradient_extend_loop(IrBuilder *b, IrNode *old, IrNode *const *initial, uint32_t added) {
    Arena *arena = ir_arena(b);
    IrRegion *region = old->region;
    IrNode **operands = ARENA_ARRAY(arena, IrNode *, old->operand_count + added);
    IrType *types = ARENA_ARRAY(arena, IrType, old->result_count + added);
    memcpy(operands, old->operands, old->operand_count * sizeof *operands);
    memcpy(types, old->types, old->result_count * sizeof *types);
    for (uint32_t i = 0; i < added; i++) {
        operands[old->operand_count + i] = initial[i];
        types[old->result_count + i] = initial[i]->types[0];
    }
    IrNode *node = ir_node_create(b, &(IrNodeSpec){.op = old->op,
                                                   .operands = operands,
                                                   .operand_count = old->operand_count + added,
                                                   .types = types,
                                                   .result_count = old->result_count + added,
                                                   .regions = old->regions,
                                                   .region_count = old->region_count});
    node->region = region;
    node->span = old->span;
    for (uint32_t r = 0; r < old->region_count; r++)
        old->regions[r]->owner = node;
    for (uint32_t i = 0; i < region->nodes.count; i++) {
        IrNode *user = region->nodes.items[i];
        if (user == old)
            region->nodes.items[i] = node;
        else if (user->op == OP_result && user->operands[0] == old)
            user->operands[0] = node;
    }
    if (old->result_count > 1)
        return node;
    /* The only result was the loop itself: it becomes a projection. */
    int64_t *first = ARENA_ARRAY(arena, int64_t, 1);
    IrNode **from = ARENA_ARRAY(arena, IrNode *, 1);
    from[0] = node;
    old->op = OP_result;
    old->operands = from;
    old->operand_count = 1;
    old->attributes = first;
    old->attribute_count = 1;
    old->region_count = 0;
    vec_push(arena, &region->nodes, old);
    return node;
}

/* Extends the forward loop by the tapes it needs. */
static void record(Loop *loop) {
    /* The loop may stand in a region around the one where the derivative is built. */
    IrBuilder around = *loop->g->b, inside = around;
    Arena *arena = ir_arena(&around);
    GradientNodes initial = {0};
    IrNode *begin = loop->node->operands[0];
    uint32_t old_count = loop->node->result_count;
    around.region = loop->node->region;
    for (uint32_t i = 0; i < loop->count; i++)
        if (loop->is_read[i])
            vec_push(arena, &initial, empty_tape(loop, &around, parameter_of(loop, i)));
    if (!initial.count)
        return;
    inside.region = loop->body;
    IrNode *iteration = ir_binary(&inside, OP_sub, loop->body->parameters.items[0], begin);
    for (uint32_t i = 0, next = 0; i < loop->count; i++) {
        if (!loop->is_read[i])
            continue;
        const IrType *type = ir_type(initial.items[next++]);
        IrNode *tape = ir_parameter(&inside, NULL, type->dtype, type->rank, type->dims, NULL);
        IrNode *written = write_tape(&inside, tape, iteration, parameter_of(loop, i));
        vec_push(arena, &loop->body->results, written);
    }
    loop->node = gradient_extend_loop(&around, loop->node, initial.items, initial.count);
    for (uint32_t i = 0, next = 0; i < loop->count; i++)
        if (loop->is_read[i])
            loop->tapes[i] = ir_result(&around, loop->node, old_count + next++);
    gradient_order_region(&around, loop->node->region);
}

/* ---- for: the loop backwards
 * ------------------------------------------------------------------------------------------------- */

/* The body of the backward loop: parameters k, adjoints of active values, adjoints of what is captured. */
static bool backward_body(Loop *loop, uint32_t active_count, const IrNode *const *like, uint32_t total,
                          IrRegion **out) {
    Gradient *g = loop->g;
    IrBuilder *b = g->b, saved = *b;
    Arena *arena = ir_arena(b);
    IrNode **map = gradient_outside_map(b, b->region);
    *out = ir_region_new(b->function, b->region);
    b->region = *out;
    IrNode *k = ir_parameter(b, NULL, DTYPE_i64, 0, NULL, NULL);
    IrNode **adjoints = ARENA_ARRAY(arena, IrNode *, total),
           **variables = ARENA_ARRAY(arena, IrNode *, total);
    IrNode **initial = ARENA_ARRAY(arena, IrNode *, total), **gradients = ARENA_ARRAY(arena, IrNode *, total);
    for (uint32_t i = 0; i < total; i++)
        adjoints[i] = ir_parameter(b, NULL, ir_dtype(like[i]), ir_rank(like[i]),
                                   ir_rank(like[i]) ? like[i]->types[0].dims : NULL, NULL);
    IrNode *last = ir_binary(b, OP_sub, loop->trips, ir_const_i64(b, 1)),
           *iteration = ir_binary(b, OP_sub, last, k);
    map[loop->body->parameters.items[0]->id] = ir_binary(b, OP_add, loop->node->operands[0], iteration);
    GradientNodes outputs = {0};
    uint32_t next = 0;
    for (uint32_t i = 0; i < loop->count; i++) {
        IrNode *parameter = parameter_of(loop, i);
        IrNode *value =
            loop->tapes[i] ? read_tape(b, loop->tapes[i], iteration) : gradient_number(b, 0, parameter);
        if (loop->is_active[i])
            value = variables[next++] = ir_variable(b, value);
        map[parameter->id] = value;
    }
    for (uint32_t i = 0; i < loop->captured.count; i++) {
        variables[next] = loop->captured.items[i];
        initial[next] = adjoints[next];
        next++;
    }
    /* The tapes' part of the body is not copied: only what the old results need. */
    IrRegion old = *loop->body;
    old.results.count = loop->count;
    ir_copy_nodes(b, &old, map);
    for (uint32_t i = 0; i < loop->count; i++)
        if (loop->is_active[i])
            vec_push(arena, &outputs, map[loop->body->results.items[i]->id]);
    GradientRequest request = {.outputs = outputs.items,
                               .seeds = adjoints,
                               .output_count = active_count,
                               .variables = variables,
                               .initial = initial,
                               .variable_count = total};
    bool ok = ir_gradient(b, &request, gradients, g->failure);
    for (uint32_t i = 0; ok && i < total; i++)
        gradients[i] = or_zeros(b, gradients[i], variables[i]);
    if (ok)
        ir_set_results(b, gradients, total);
    *b = saved;
    return ok;
}

static bool backward_loop(Loop *loop, IrNode *const *dy) {
    Gradient *g = loop->g;
    IrBuilder *b = g->b;
    Arena *arena = ir_arena(b);
    uint32_t active_count = 0;
    for (uint32_t i = 0; i < loop->count; i++)
        active_count += loop->is_active[i];
    uint32_t total = active_count + loop->captured.count, next = 0;
    IrNode **initial = ARENA_ARRAY(arena, IrNode *, total);
    const IrNode **like = ARENA_ARRAY(arena, const IrNode *, total);
    for (uint32_t i = 0; i < loop->count; i++)
        if (loop->is_active[i]) {
            like[next] = parameter_of(loop, i);
            initial[next] = or_zeros(b, dy[i], like[next]);
            next++;
        }
    for (uint32_t i = 0; i < loop->captured.count; i++, next++) {
        like[next] = loop->captured.items[i];
        initial[next] = gradient_number(b, 0, like[next]);
    }
    IrRegion *body;
    if (!backward_body(loop, active_count, like, total, &body))
        return false;
    IrNode *node = ir_for(b, ir_const_i64(b, 0), loop->trips, initial, total, body);
    next = 0;
    for (uint32_t i = 0; i < loop->count; i++)
        if (loop->is_active[i])
            gradient_add(g, loop->node->operands[2 + i], ir_result(b, node, next++));
    for (uint32_t i = 0; i < loop->captured.count; i++)
        gradient_add(g, loop->captured.items[i], ir_result(b, node, next++));
    return true;
}

static bool for_rule(Gradient *g, IrNode *y, IrNode *const *dy) {
    Arena *arena = ir_arena(g->b);
    Loop loop = {.g = g, .node = y, .body = y->regions[0], .count = y->operand_count - 2};
    loop.is_active = ARENA_ARRAY(arena, bool, loop.count);
    loop.is_read = ARENA_ARRAY(arena, bool, loop.count);
    loop.tapes = ARENA_ARRAY(arena, IrNode *, loop.count);
    gradient_captured(g, loop.body, loop.body, &loop.captured);
    for (uint32_t i = 0; i < loop.count; i++) {
        if (parameter_of(&loop, i)->types[0].kind == IR_TOKEN)
            return gradient_fails(g, y, "the loop prints");
        loop.is_active[i] =
            is_float_tensor(parameter_of(&loop, i)) && gradient_wants(g, parameter_of(&loop, i));
        loop.is_read[i] = region_reads(loop.body, parameter_of(&loop, i));
    }
    IrBuilder around = *g->b;
    around.region = y->region;
    loop.trips = ir_binary(&around, OP_sub, y->operands[1], y->operands[0]);
    loop.trips = ir_binary(&around, OP_maximum, loop.trips, ir_const_i64(&around, 0));
    record(&loop);
    return backward_loop(&loop, dy);
}

bool gradient_control(Gradient *g, IrNode *y, IrNode *const *dy) {
    switch (y->op) {
    case OP_if:
        return if_rule(g, y, dy);
    case OP_for:
        return for_rule(g, y, dy);
    default:
        return gradient_while(g, y, dy);
    }
}
