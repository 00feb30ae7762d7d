/* Reverse mode of control flow: what regions read from outside, their order, and `if` (`for`: gradient_for.c,
 * `while`: gradient_while.c).
 *
 * The backward `if` recomputes the branch that was taken and differentiates it. */
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
        gradients[i] = gradient_or_zeros(b, gradients[i], captured->items[i]);
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
                                                   .attributes = old->attributes,
                                                   .attribute_count = old->attribute_count,
                                                   .types = types,
                                                   .result_count = old->result_count + added,
                                                   .regions = old->regions,
                                                   .region_count = old->region_count});
    node->region = region;
    node->span = old->span;
    node->statement = old->statement;
    node->remarks = old->remarks;
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

bool gradient_control(Gradient *g, IrNode *y, IrNode *const *dy) {
    switch (y->op) {
    case OP_if:
        return if_rule(g, y, dy);
    case OP_for:
        return gradient_for(g, y, dy);
    default:
        return gradient_while(g, y, dy);
    }
}
