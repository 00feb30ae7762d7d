/* memory: says who owns every buffer, so that the host program can run.
 *
 * in    launches, calls, control and host-level views
 * out   the same with `retain` and `release` nodes, and launches that take over a dying operand's buffer
 *
 * Rules.  A launch, call or control node's tensor result is born with one reference, owned by the region that
 * it is in; a loop body owns its tensor parameters; function parameters are borrowed.  A view shares its
 * base's buffer and owns nothing.  Values that a region yields, initial values of loops and results of a
 * function hand a reference over: an owned value that dies there is moved, anything else is retained first.
 * Every owned reference that is not handed over is released right after its last use.
 *
 * Taking over: a launch may write its result into the buffer of an operand that dies there, if every element
 * is read only where it is written and the sizes agree; an update may write into the buffer of the tensor
 * that it updates, else it starts from a copy.  Whether nobody else holds the buffer is seen at run time. */
#include "ir/kernel.h"
#include "passes/pipeline.h"

typedef struct Memory {
    Arena *arena;
    IrFunction *function;
    VEC(IrNode *) order; /* the region being rebuilt */
} Memory;

static bool is_buffer(const IrType *type) {
    return type->kind == IR_PATTERN || (type->kind == IR_TENSOR && type->rank > 0);
}

/* The node whose buffer a tensor value lives in. */
static IrNode *owner_of(IrNode *node) {
    while (op_is_view(node->op) || node->op == OP_check_true || node->op == OP_after ||
           node->op == OP_pattern_part)
        node = node->operands[node->op == OP_check_true];
    return node;
}

static bool has_buffer_result(const IrNode *node) {
    return node->result_count == 1 && is_buffer(&node->types[0]);
}

/* Is this value's reference held by the region that defines it? */
static bool is_owned(const IrNode *node) {
    if (!has_buffer_result(node))
        return false;
    if (node->op == OP_param) /* loop bodies own; functions and conditions borrow */
        return node->region->owner &&
               node->region == node->region->owner->regions[node->region->owner->op == OP_while];
    return node->op == OP_launch || node->op == OP_if || node->op == OP_for || node->op == OP_while ||
           node->op == OP_result || node->op == OP_retain || node->op == OP_check_index ||
           node->op == OP_concat || op_info[node->op].class == CLASS_CALL ||
           (op_info[node->op].class == CLASS_PATTERN && node->op != OP_pattern_part);
}

/* ---- last uses --------------------------------------------------------------------------------------------
 */

typedef struct LastUse {
    int64_t *at; /* node id -> position in the region of the last node that uses its buffer; -1: never */
} LastUse;

static void note_use(LastUse *last, IrNode *value, int64_t position) {
    IrNode *owner = owner_of(value);
    if (last->at[owner->id] < position)
        last->at[owner->id] = position;
}

static void note_region(LastUse *last, const IrRegion *region, int64_t position) {
    for (uint32_t i = 0; i < region->nodes.count; i++) {
        const IrNode *node = region->nodes.items[i];
        for (uint32_t k = 0; k < node->operand_count; k++)
            note_use(last, node->operands[k], position);
        for (uint32_t k = 0; k < node->region_count; k++)
            note_region(last, node->regions[k], position);
    }
    for (uint32_t i = 0; i < region->results.count; i++)
        note_use(last, region->results.items[i], position);
}

static bool is_data_use(const IrNode *user) {
    return !op_is_view(user->op) || user->types[0].rank == 0; /* making a view reads nothing */
}

static LastUse last_uses(Memory *m, const IrRegion *region) {
    uint32_t n = m->function->node_count;
    LastUse last = {ARENA_ARRAY(m->arena, int64_t, n)};
    for (uint32_t i = 0; i < n; i++)
        last.at[i] = -1;
    for (uint32_t i = 0; i < region->nodes.count; i++) {
        const IrNode *node = region->nodes.items[i];
        for (uint32_t k = 0; k < node->operand_count && is_data_use(node); k++)
            note_use(&last, node->operands[k], i);
        for (uint32_t k = 0; k < node->region_count; k++)
            note_region(&last, node->regions[k], i);
    }
    for (uint32_t i = 0; i < region->results.count; i++)
        note_use(&last, region->results.items[i], region->nodes.count);
    return last;
}

/* What is known of a region while its nodes are planned. */
typedef struct Plan {
    const struct Plan *outer;
    IrRegion *region;
    const LastUse *last;
    bool *moved;      /* node id -> its reference was handed over here */
    int64_t position; /* the node being planned */
    bool is_branch;   /* of an `if`: runs once at most, where `outer` is */
} Plan;

/* ---- building
 * ------------------------------------------------------------------------------------------------ */

/* retain and release never fold, so they are built raw and placed by hand. */
static IrNode *ownership_node(Memory *m, Op op, IrNode *value, IrRegion *region) {
    IrBuilder b = ir_builder_at(m->function, region);
    ir_builder_place(&b, value);
    uint32_t count = region->nodes.count;
    IrNode *node = ir_build_raw(&b, &(IrNodeSpec){.op = op,
                                                  .operands = &value,
                                                  .operand_count = 1,
                                                  .types = value->types,
                                                  .result_count = op == OP_retain});
    region->nodes.count = count; /* the caller decides where it stands */
    vec_push(m->arena, &m->order, node);
    return node;
}

static bool dies_at(const LastUse *last, const IrNode *value, int64_t position) {
    return last->at[value->id] <= position;
}

/* Does a region (of a loop) read the buffer of `owner`? */
static bool region_reads(const IrRegion *region, const IrNode *owner) {
    for (uint32_t i = 0; i < region->nodes.count; i++) {
        const IrNode *node = region->nodes.items[i];
        for (uint32_t k = 0; k < node->operand_count; k++)
            if (owner_of(node->operands[k]) == owner)
                return true;
        for (uint32_t k = 0; k < node->region_count; k++)
            if (region_reads(node->regions[k], owner))
                return true;
    }
    for (uint32_t i = 0; i < region->results.count; i++)
        if (owner_of(region->results.items[i]) == owner)
            return true;
    return false;
}

static bool loop_reads(const IrNode *loop, const IrNode *owner) {
    for (uint32_t k = 0; k < loop->region_count; k++)
        if (region_reads(loop->regions[k], owner))
            return true;
    return false;
}

/* Hands one reference of *slot over at `position`: moves it when this is its only remaining use.  `loop` is
 * the loop that takes it, or NULL: its body may read the same value in every trip, besides owning its
 * parameter. */
static void hand_over(Memory *m, const LastUse *last, bool *moved, IrRegion *region, IrNode **slot,
                      const IrNode *loop, int64_t position) {
    if (!has_buffer_result(*slot))
        return;
    IrNode *value = *slot;
    bool own = is_owned(value) && value->region == region && !(loop && loop_reads(loop, value));
    if (own && dies_at(last, value, position) && !moved[value->id])
        moved[value->id] = true;
    else
        *slot = ownership_node(m, OP_retain, value, region);
}

static bool same_bytes(const IrType *a, const IrType *b) {
    return dtype_info[a->dtype].bytes == dtype_info[b->dtype].bytes && ir_same_extents(a, b->dims, b->rank);
}

static uint32_t uses_in(const IrNode *node, const IrNode *owner) {
    uint32_t count = 0;
    for (uint32_t k = 0; k < node->operand_count; k++)
        count += owner_of(node->operands[k]) == owner;
    return count;
}

/* Does the buffer of `value` belong to nobody after `position` of the region?  It may be owned by the region
 * or by one around it, with nothing but branches between: they are the last that use it. */
static bool is_last_use(const Plan *plan, const IrNode *value, int64_t position) {
    while (!plan->moved[value->id] && dies_at(plan->last, value, position)) {
        if (plan->region == value->region)
            return true;
        if (!plan->is_branch)
            return false;
        plan = plan->outer;
        position = plan->position;
    }
    return false;
}

/* Lets a launch write over an operand that dies here. */
static void take_over(Memory *m, const Plan *plan, IrNode *launch, int64_t position) {
    Kernel *kernel = m->function->module->kernels.items[launch->attributes[0]];
    for (uint32_t k = 0; k < launch->operand_count && is_buffer(&launch->types[0]); k++) {
        IrNode *value = launch->operands[k];
        bool starts_filled = launch->attribute_count > 2; /* an update: it starts from this operand only */
        if ((starts_filled && launch->attributes[2] != k) || !is_owned(value) ||
            !is_last_use(plan, value, position) || uses_in(launch, value) != 1 ||
            !same_bytes(&value->types[0], &launch->types[0]) ||
            !kernel->parameters.items[k].array->is_pointwise)
            continue;
        launch->attributes[1] = k;
        plan->moved[value->id] = true;
        kernel->parameters.items[kernel->parameters.count - 1].array->may_alias = true;
        return;
    }
}

/* The same for one element: nothing but the buffer itself is read. */
static void take_over_element(const Plan *plan, IrNode *update, int64_t position) {
    IrNode *value = update->operands[0];
    if (!is_owned(value) || !is_last_use(plan, value, position))
        return;
    update->attributes[1] = true;
    plan->moved[value->id] = true;
}

static void plan_region(Memory *m, IrRegion *region, const Plan *outer, bool is_branch);

static void plan_node(Memory *m, Plan *plan, IrNode *node, int64_t position) {
    const LastUse *last = plan->last;
    bool *moved = plan->moved;
    IrRegion *region = plan->region;
    plan->position = position;
    for (uint32_t k = 0; k < node->region_count; k++)
        plan_region(m, node->regions[k], plan, node->op == OP_if);
    uint32_t first = node->op == OP_for ? 2 : 0;
    for (uint32_t k = first; (node->op == OP_for || node->op == OP_while) && k < node->operand_count; k++)
        hand_over(m, last, moved, region, &node->operands[k], node, position);
    if (node->op == OP_launch)
        take_over(m, plan, node, position);
    if (node->op == OP_update)
        take_over_element(plan, node, position);
    vec_push(m->arena, &m->order, node);
}

/* Every tensor result of a node with several needs a projection, so that somebody can release it. */
static void project_results(Memory *m, IrRegion *region) {
    IrBuilder b = ir_builder_at(m->function, region);
    uint32_t count = region->nodes.count;
    for (uint32_t i = 0; i < count; i++) {
        IrNode *node = region->nodes.items[i];
        for (uint32_t k = 0; node->result_count > 1 && k < node->result_count; k++)
            if (is_buffer(&node->types[k]))
                ir_result(&b, node, k);
    }
    VEC(IrNode *) ordered = {0}; /* new projections behind their node and the extents that it gives */
    for (uint32_t i = 0; i < count; i++) {
        IrNode *node = region->nodes.items[i];
        vec_push(m->arena, &ordered, node);
        while (i + 1 < count && region->nodes.items[i + 1]->op == OP_result &&
               region->nodes.items[i + 1]->operands[0] == node)
            vec_push(m->arena, &ordered, region->nodes.items[++i]);
        for (uint32_t j = count; j < region->nodes.count; j++)
            if (region->nodes.items[j]->operands[0] == node)
                vec_push(m->arena, &ordered, region->nodes.items[j]);
    }
    if (ordered.count)
        memcpy(region->nodes.items, ordered.items, ordered.count * sizeof *ordered.items);
}

static void release_dead(Memory *m, const LastUse *last, bool *moved, IrRegion *region, IrNode *value,
                         int64_t position) {
    if (is_owned(value) && value->region == region && !moved[value->id] && last->at[value->id] == position) {
        ownership_node(m, OP_release, value, region);
        moved[value->id] = true;
    }
}

static void plan_region(Memory *m, IrRegion *region, const Plan *outer, bool is_branch) {
    project_results(m, region);
    LastUse last = last_uses(m, region);
    Memory inner = {.arena = m->arena, .function = m->function};
    bool *moved = ARENA_ARRAY(m->arena, bool, m->function->node_count + 16);
    int64_t count = region->nodes.count;
    Plan plan = {outer, region, &last, moved, 0, is_branch};
    for (uint32_t i = 0; i < region->parameters.count; i++)
        release_dead(&inner, &last, moved, region, region->parameters.items[i], -1);
    for (int64_t i = 0; i < count; i++) {
        IrNode *node = region->nodes.items[i];
        plan_node(&inner, &plan, node, i);
        if (last.at[node->id] < 0 && is_owned(node)) /* nobody reads it */
            last.at[node->id] = i;
        for (int64_t j = 0; j <= i; j++)
            release_dead(&inner, &last, moved, region, region->nodes.items[j], i);
        for (uint32_t j = 0; j < region->parameters.count; j++)
            release_dead(&inner, &last, moved, region, region->parameters.items[j], i);
    }
    for (uint32_t i = 0; i < region->results.count; i++) {
        IrNode *owner =
            has_buffer_result(region->results.items[i]) ? owner_of(region->results.items[i]) : NULL;
        if (owner != region->results.items[i] && owner) { /* a view: its base's reference goes with it */
            IrNode *base = owner;
            hand_over(&inner, &last, moved, region, &base, NULL, count);
        } else {
            hand_over(&inner, &last, moved, region, &region->results.items[i], NULL, count);
        }
    }
    region->nodes.items = inner.order.items;
    region->nodes.count = inner.order.count;
    region->nodes.capacity = inner.order.capacity;
}

IrFunction *pass_memory(PassContext *context, IrFunction *function) {
    IrFunction *fresh = ir_rewrite_function(function, NULL, NULL); /* edited in place below */
    Memory m = {.arena = context->arena, .function = fresh};
    plan_region(&m, fresh->body, NULL, false);
    return fresh;
}
