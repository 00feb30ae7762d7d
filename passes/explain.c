/* The walk over a host program that gathers its steps and follows its buffers: see explain.h.
 *
 * Buffers are followed through one trip of every loop and both branches of an `if`.  A launch that takes over
 * an operand's buffer makes none.  The walk is made twice: which buffers outlive the function is known at its
 * end. */
#include "passes/explain.h"

typedef struct Buffer {
    CostSum bytes;
    int32_t references;
    bool is_kept; /* a result of the function lives in it */
} Buffer;

enum { NO_BUFFER = 0 }; /* borrowed from the caller, or no tensor */

typedef struct Walk {
    Arena *arena;
    const IrFunction *function;
    Explain *explain;
    uint32_t **places; /* node id -> the buffer of each result */
    VEC(Buffer) buffers;
    const bool *kept;  /* by buffer, from the first walk; NULL in it */
    CostSum live, all; /* temporaries, and with results */
    ExplainStatement *statement;
    uint32_t depth;
    double trips;
} Walk;

/* ---- buffers ------------------------------------------------------------------------------------------- */

static bool is_buffer(const IrType *type) {
    return type->kind == IR_TENSOR && type->rank > 0;
}

static const IrNode *owner_of(const IrNode *node) {
    while (op_is_view(node->op) || node->op == OP_check_true || node->op == OP_after)
        node = node->operands[node->op == OP_check_true];
    return node;
}

static uint32_t buffer_of(const Walk *w, const IrNode *value) {
    const IrNode *owner = owner_of(value);
    uint32_t index = owner->op == OP_result ? (uint32_t)owner->attributes[0] : 0;
    if (owner->op == OP_result)
        owner = owner->operands[0];
    return w->places[owner->id] ? w->places[owner->id][index] : NO_BUFFER;
}

static void set_buffer(Walk *w, const IrNode *node, uint32_t index, uint32_t buffer) {
    if (!w->places[node->id])
        w->places[node->id] = ARENA_ARRAY(w->arena, uint32_t, node->result_count + 1);
    w->places[node->id][index] = buffer;
}

static void note_sum(Walk *w, ExplainPeak *peak, const CostSum *live) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < peak->candidates.count; i++)
        if (cost_covers(&peak->candidates.items[i], live))
            return;
    for (uint32_t i = 0; i < peak->candidates.count; i++)
        if (!cost_covers(live, &peak->candidates.items[i]))
            peak->candidates.items[kept++] = peak->candidates.items[i];
    peak->candidates.count = kept;
    CostSum copy = {0};
    cost_add_sum(w->arena, &copy, 1, live);
    vec_push(w->arena, &peak->candidates, copy);
}

static void note_peaks(Walk *w) {
    if (!w->kept)
        return;
    note_sum(w, &w->explain->peak, &w->live);
    note_sum(w, &w->explain->all, &w->all);
    if (!w->statement)
        return;
    note_sum(w, &w->statement->peak, &w->live);
    note_sum(w, &w->statement->all, &w->all);
}

static void make_buffer(Walk *w, const IrNode *node, uint32_t index) {
    Buffer buffer = {.references = 1};
    uint32_t number = w->buffers.count;
    buffer.is_kept = w->kept && w->kept[number];
    cost_add_bytes(w->arena, &buffer.bytes, 1, &node->types[index]);
    vec_push(w->arena, &w->buffers, buffer);
    set_buffer(w, node, index, number);
    if (!w->kept)
        return;
    cost_add_sum(w->arena, &w->all, 1, &buffer.bytes);
    if (buffer.is_kept)
        return;
    cost_add_sum(w->arena, &w->live, 1, &buffer.bytes);
    w->explain->temporaries++;
    cost_add_sum(w->arena, &w->explain->temporary_bytes, 1, &buffer.bytes);
    if (w->statement) {
        w->statement->temporaries++;
        cost_add_sum(w->arena, &w->statement->temporary_bytes, 1, &buffer.bytes);
    }
}

static void drop_reference(Walk *w, uint32_t number) {
    Buffer *buffer = &w->buffers.items[number];
    if (number == NO_BUFFER || --buffer->references || !w->kept)
        return;
    cost_add_sum(w->arena, &w->all, -1, &buffer->bytes);
    if (!buffer->is_kept)
        cost_add_sum(w->arena, &w->live, -1, &buffer->bytes);
}

static void make_outputs(Walk *w, const IrNode *node) {
    for (uint32_t k = 0; k < node->result_count; k++) {
        if (!is_buffer(&node->types[k]))
            continue;
        int64_t taken = node->op == OP_launch && 1 + k < node->attribute_count ? node->attributes[1 + k] : -1;
        if (node->op == OP_update && node->attributes[1])
            taken = 0;
        uint32_t buffer = taken >= 0 ? buffer_of(w, node->operands[taken]) : NO_BUFFER;
        if (buffer != NO_BUFFER)
            set_buffer(w, node, k, buffer);
        else
            make_buffer(w, node, k);
    }
}

/* ---- steps --------------------------------------------------------------------------------------------- */

static ExplainStatement *statement_of(Walk *w, uint32_t statement) {
    for (uint32_t i = 0; i < w->explain->statements.count; i++)
        if (w->explain->statements.items[i].statement == statement)
            return &w->explain->statements.items[i];
    ExplainStatement made = {.statement = statement};
    vec_push(w->arena, &w->explain->statements, made);
    return &w->explain->statements.items[w->explain->statements.count - 1];
}

static void add_step(Walk *w, ExplainKind kind, const IrNode *node) {
    w->statement = statement_of(w, node->statement);
    ExplainStep step = {.kind = kind,
                        .node = node,
                        .depth = w->depth,
                        .statement = node->statement,
                        .trips = w->trips,
                        .cost = ir_cost(node, w->arena)};
    vec_push(w->arena, &w->statement->steps, step);
}

static void walk_region(Walk *w, const IrRegion *region);

static double trips_of(const IrNode *node) {
    int64_t begin, end;
    if (node->op != OP_for || !ir_known_i64(node->operands[0], &begin) ||
        !ir_known_i64(node->operands[1], &end))
        return -1;
    return end > begin ? (double)end - (double)begin : 0;
}

static void walk_loop(Walk *w, const IrNode *node) {
    uint32_t first = node->op == OP_for ? 2 : 0; /* operands before the initial values */
    double saved = w->trips, trips = trips_of(node);
    add_step(w, EXPLAIN_LOOP, node);
    w->trips = saved < 0 || trips < 0 ? -1 : saved * trips;
    w->depth++;
    for (uint32_t r = 0; r < node->region_count; r++) {
        const IrRegion *region = node->regions[r];
        uint32_t skipped = node->op == OP_for; /* the index */
        for (uint32_t k = skipped; k < region->parameters.count; k++)
            set_buffer(w, region->parameters.items[k], 0, buffer_of(w, node->operands[first + k - skipped]));
        walk_region(w, region);
    }
    const IrRegion *body = node->regions[node->op == OP_while];
    for (uint32_t k = 0; k < node->result_count && k < body->results.count; k++)
        set_buffer(w, node, k, buffer_of(w, body->results.items[k]));
    w->depth--;
    w->trips = saved;
}

static int32_t *save_references(const Walk *w) {
    int32_t *saved = ARENA_ARRAY(w->arena, int32_t, w->buffers.count);
    for (uint32_t i = 0; i < w->buffers.count; i++)
        saved[i] = w->buffers.items[i].references;
    return saved;
}

static void restore_references(Walk *w, const int32_t *saved, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        w->buffers.items[i].references = saved[i];
}

static CostSum copy_sum(Arena *arena, const CostSum *sum) {
    CostSum copy = {0};
    cost_add_sum(arena, &copy, 1, sum);
    return copy;
}

/* After it, what is alive is as after the first branch. */
static void walk_branches(Walk *w, const IrNode *node) {
    add_step(w, EXPLAIN_BRANCH, node);
    double saved = w->trips;
    uint32_t count = w->buffers.count;
    int32_t *before = save_references(w), *after;
    CostSum live_before = copy_sum(w->arena, &w->live), live_after;
    CostSum all_before = copy_sum(w->arena, &w->all), all_after;
    w->trips = -1;
    w->depth++;
    walk_region(w, node->regions[0]);
    for (uint32_t k = 0; k < node->result_count && k < node->regions[0]->results.count; k++)
        set_buffer(w, node, k, buffer_of(w, node->regions[0]->results.items[k]));
    uint32_t count_after = w->buffers.count;
    after = save_references(w);
    live_after = w->live;
    all_after = w->all;
    restore_references(w, before, count);
    w->live = live_before;
    w->all = all_before;
    if (node->region_count > 1)
        walk_region(w, node->regions[1]);
    restore_references(w, after, count_after);
    w->live = live_after;
    w->all = all_after;
    w->depth--;
    w->trips = saved;
}

static void walk_node(Walk *w, const IrNode *node) {
    switch (node->op) {
    case OP_for:
    case OP_while:
        walk_loop(w, node);
        break;
    case OP_if:
        walk_branches(w, node);
        break;
    case OP_retain: {
        uint32_t buffer = buffer_of(w, node->operands[0]);
        set_buffer(w, node, 0, buffer);
        w->buffers.items[buffer].references++;
        break;
    }
    case OP_release:
        drop_reference(w, buffer_of(w, node->operands[0]));
        break;
    default:
        if (!ir_has_cost(node))
            break;
        add_step(w, node->op == OP_launch ? EXPLAIN_KERNEL : EXPLAIN_CALL, node);
        make_outputs(w, node);
        note_peaks(w);
    }
}

static void walk_region(Walk *w, const IrRegion *region) {
    for (uint32_t i = 0; i < region->nodes.count; i++)
        walk_node(w, region->nodes.items[i]);
}

static Walk begin_walk(const IrFunction *function, Arena *arena) {
    Walk w = {.arena = arena, .function = function, .explain = ARENA_NEW(arena, Explain), .trips = 1};
    w.places = ARENA_ARRAY(arena, uint32_t *, function->node_count);
    vec_push(arena, &w.buffers, (Buffer){0}); /* NO_BUFFER */
    return w;
}

Explain *pass_explain(const IrFunction *function, Arena *arena) {
    Walk first = begin_walk(function, arena);
    walk_region(&first, function->body);
    bool *kept = ARENA_ARRAY(arena, bool, first.buffers.count);
    for (uint32_t i = 0; i < function->body->results.count; i++)
        kept[buffer_of(&first, function->body->results.items[i])] = true;
    Walk second = begin_walk(function, arena);
    second.kept = kept;
    walk_region(&second, function->body);
    return second.explain;
}
