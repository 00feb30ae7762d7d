/* simplify: results of loops and branches that nobody reads.
 *
 * A value that a loop carries lives if its result is read, or if the body or the condition needs it for one
 * that lives; tapes of a derivative that reads none of them, and counters nobody asks for, do not.  Dead ones
 * are taken out of operands, parameters and results in place. */
#include "passes/simplify.h"

#include <string.h>

typedef struct Liveness {
    Arena *arena;
    bool *live;    /* by id */
    bool **values; /* by id of a loop or branch: which of its results live */
} Liveness;

static bool is_loop(const IrNode *node) {
    return node->op == OP_for || node->op == OP_while;
}

static bool has_values(const IrNode *node) {
    return is_loop(node) || node->op == OP_if;
}

/* Operands before the initial values: as many as parameters before the carried ones, and one more. */
static uint32_t first_initial(const IrNode *loop) {
    return loop->op == OP_for ? 2 : 0;
}

static uint32_t first_carried(const IrNode *loop) {
    return loop->op == OP_for;
}

static void mark(Liveness *l, const IrNode *node);

static void mark_value(Liveness *l, const IrNode *owner, uint32_t index) {
    bool **values = &l->values[owner->id];
    if (!*values)
        *values = ARENA_ARRAY(l->arena, bool, owner->result_count);
    if ((*values)[index])
        return;
    (*values)[index] = true;
    l->live[owner->id] = true;
    for (uint32_t k = 0; k < owner->types[index].rank; k++)
        mark(l, owner->types[index].dims[k]);
    for (uint32_t i = 0; i < (owner->op == OP_if ? 1 : first_initial(owner)); i++)
        mark(l, owner->operands[i]);
    if (is_loop(owner))
        mark(l, owner->operands[first_initial(owner) + index]);
    if (owner->op == OP_while)
        mark(l, owner->regions[0]->results.items[0]);
    for (uint32_t r = owner->op == OP_while; r < owner->region_count; r++)
        mark(l, owner->regions[r]->results.items[index]);
}

static void mark_parameter(Liveness *l, const IrNode *parameter) {
    const IrNode *owner = parameter->region->owner;
    uint32_t position = (uint32_t)parameter->attributes[0];
    if (owner && is_loop(owner) && position >= first_carried(owner))
        mark_value(l, owner, position - first_carried(owner));
}

static void mark(Liveness *l, const IrNode *node) {
    bool is_projection = node->op == OP_result && has_values(node->operands[0]);
    if (l->live[node->id] && !has_values(node))
        return;
    l->live[node->id] = true;
    if (is_projection) {
        mark_value(l, node->operands[0], (uint32_t)node->attributes[0]);
        return;
    }
    if (has_values(node)) { /* its only result */
        mark_value(l, node, 0);
        return;
    }
    for (uint32_t i = 0; i < node->operand_count; i++)
        mark(l, node->operands[i]);
    for (uint32_t i = 0; i < node->result_count; i++)
        for (uint32_t k = 0; k < node->types[i].rank; k++)
            mark(l, node->types[i].dims[k]);
    for (uint32_t r = 0; r < node->region_count; r++)
        for (uint32_t i = 0; i < node->regions[r]->results.count; i++)
            mark(l, node->regions[r]->results.items[i]);
    if (node->op == OP_param)
        mark_parameter(l, node);
}

/* Keeps the items[first + i] whose value lives; gives how many items are left. */
static uint32_t compress(void *items, size_t size, uint32_t first, uint32_t count, const bool *live) {
    uint32_t kept = first;
    for (uint32_t i = 0; i < count; i++) {
        if (!live[i])
            continue;
        memmove((char *)items + kept * size, (char *)items + (first + i) * size, size);
        kept++;
    }
    return kept;
}

static void compress_region(const IrNode *node, IrRegion *region, bool has_results, const bool *live) {
    uint32_t first = first_carried(node), count = node->result_count;
    if (has_results)
        region->results.count =
            compress(region->results.items, sizeof *region->results.items, 0, count, live);
    if (!is_loop(node))
        return;
    region->parameters.count =
        compress(region->parameters.items, sizeof *region->parameters.items, first, count, live);
    for (uint32_t i = first; i < region->parameters.count; i++)
        region->parameters.items[i]->attributes[0] = i;
}

/* Takes the dead values of one loop or branch away; false: all live. */
static bool prune_node(const Liveness *l, IrNode *node) {
    const bool *live = l->values[node->id];
    bool all = true;
    for (uint32_t i = 0; live && i < node->result_count; i++)
        all = all && live[i];
    if (!live || all)
        return false;
    for (uint32_t r = 0; r < node->region_count; r++)
        compress_region(node, node->regions[r], node->op != OP_while || r == 1, live);
    if (is_loop(node))
        node->operand_count =
            compress(node->operands, sizeof *node->operands, first_initial(node), node->result_count, live);
    node->result_count = compress(node->types, sizeof *node->types, 0, node->result_count, live);
    return true;
}

/* Projections of pruned nodes count what is left. */
static void renumber(const Liveness *l, IrNode *projection) {
    const bool *live = l->values[projection->operands[0]->id];
    int64_t index = 0;
    for (int64_t i = 0; live && i < projection->attributes[0]; i++)
        index += live[i];
    if (live && l->live[projection->id])
        projection->attributes[0] = index;
}

static uint32_t prune_region(const Liveness *l, IrRegion *region) {
    uint32_t changes = 0;
    for (uint32_t i = 0; i < region->nodes.count; i++) {
        IrNode *node = region->nodes.items[i];
        if (node->op == OP_result && has_values(node->operands[0]))
            renumber(l, node);
        for (uint32_t r = 0; r < node->region_count; r++)
            changes += prune_region(l, node->regions[r]);
        if (has_values(node))
            changes += prune_node(l, node);
    }
    return changes;
}

uint32_t simplify_results(Arena *arena, IrFunction *function) {
    Liveness l = {.arena = arena};
    l.live = ARENA_ARRAY(arena, bool, function->node_count);
    l.values = ARENA_ARRAY(arena, bool *, function->node_count);
    for (uint32_t i = 0; i < function->body->results.count; i++)
        mark(&l, function->body->results.items[i]);
    return prune_region(&l, function->body);
}
