/* Reverse mode of `for`: the loop backwards.
 *
 * The backward loop runs the iterations from the last to the first.  The forward loop is extended by tapes,
 * tensors with one slice per iteration that keep those loop variables which the backward body turns out to
 * read, as each iteration found them; the body recomputes the iteration from them and differentiates it.
 * Adjoints of the variables, and of what the body reads from outside, are carried.
 *
 * All states are kept while the tapes take at most KEPT_BYTES.  Beyond that, for n trips and with
 * m = ceil(sqrt(n)), the loop is cut in two,
 *
 *     for s in 0..k { for t in s m .. (s + 1) m { body } }        with k = (n - 1) // m
 *     for i in k m .. n { body }
 *
 * where the first keeps one state per segment and computes a segment again for its derivative: memory grows
 * with the root of n.  Where sizes are known only when the program runs, so is m: n if all can be kept. */
#include "ir/gradient.h"

#include "ir/cost.h"
#include "ir/internal.h"
#include "ir/remark.h"

#include <string.h>

#define KEPT_BYTES 268435456.0

/* ---- what matters ----------------------------------------------------------------------------------------
 */

typedef struct Loop {
    Gradient *g;
    IrNode *node; /* the forward loop */
    IrRegion *body;
    uint32_t count; /* carried values */
    uint32_t active_count;
    bool *is_active; /* carried values with an adjoint */
    IrNode **found;  /* per carried value: what the backward body has for it, as the iteration found it */
    bool *is_read;   /* the backward body reads it: it needs a tape */
    GradientNodes captured;
    IrNode *begin, *trips; /* marks: what they are is known once the loop was cut */
    IrRegion *backward;
    IrNode *iteration; /* in the backward body */
} Loop;

static IrNode *parameter_of(const Loop *loop, uint32_t i) {
    return loop->body->parameters.items[1 + i];
}

static bool is_float_tensor(const IrNode *node) {
    return node->types[0].kind == IR_TENSOR && dtype_is_float(ir_dtype(node));
}

static void reach_region(bool *seen, const IrRegion *region);

/* Marks what a value is made of. */
static void reach(bool *seen, const IrNode *node) {
    if (seen[node->id])
        return;
    seen[node->id] = true;
    for (uint32_t i = 0; i < node->operand_count; i++)
        reach(seen, node->operands[i]);
    for (uint32_t i = 0; i < node->result_count; i++)
        for (uint32_t k = 0; k < node->types[i].rank; k++)
            reach(seen, node->types[i].dims[k]);
    for (uint32_t r = 0; r < node->region_count; r++)
        reach_region(seen, node->regions[r]);
}

static void reach_region(bool *seen, const IrRegion *region) {
    for (uint32_t i = 0; i < region->results.count; i++)
        reach(seen, region->results.items[i]);
}

/* ---- tapes ------------------------------------------------------------------------------------------------
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

static IrNode *empty_tape(IrBuilder *b, IrNode *trips, const IrNode *value) {
    IrNode *dims[IR_MAX_RANK] = {trips};
    for (uint32_t k = 0; k < ir_rank(value); k++)
        dims[1 + k] = value->types[0].dims[k];
    return ir_broadcast(b, ir_const_number(b, ir_dtype(value), 0), NULL, dims, ir_rank(value) + 1);
}

/* Extends the forward loop by the tapes that the backward body needs, which then reads them. */
static void record(Loop *loop, IrNode *trips) {
    /* The loop may stand in a region around the one where the derivative is built. */
    IrBuilder around = *loop->g->b, inside = around, behind = around;
    Arena *arena = ir_arena(&around);
    GradientNodes initial = {0};
    IrNode *begin = loop->node->operands[0];
    uint32_t old_count = loop->node->result_count;
    around.region = loop->node->region;
    for (uint32_t i = 0; i < loop->count; i++)
        if (loop->is_read[i])
            vec_push(arena, &initial, empty_tape(&around, trips, parameter_of(loop, i)));
    inside.region = loop->body;
    IrNode *iteration =
        initial.count ? ir_binary(&inside, OP_sub, loop->body->parameters.items[0], begin) : NULL;
    for (uint32_t i = 0, next = 0; i < loop->count; i++) {
        if (!loop->is_read[i])
            continue;
        const IrType *type = ir_type(initial.items[next++]);
        IrNode *tape = ir_parameter(&inside, NULL, type->dtype, type->rank, type->dims, NULL);
        IrNode *written = write_tape(&inside, tape, iteration, parameter_of(loop, i));
        vec_push(arena, &loop->body->results, written);
    }
    if (initial.count) {
        ir_remark_add(arena, &loop->node->remarks, REMARK_tapes, OP_none, (Span){0});
        loop->node = gradient_extend_loop(&around, loop->node, initial.items, initial.count);
    }
    behind.region = loop->backward;
    for (uint32_t i = 0, next = 0; i < loop->count; i++)
        if (loop->is_read[i]) {
            IrNode *tape = ir_result(&around, loop->node, old_count + next++);
            loop->found[i]->operands[0] = read_tape(&behind, tape, loop->iteration);
        }
    gradient_order_region(&around, loop->node->region);
    gradient_order_region(&behind, loop->backward);
}

/* ---- the body backwards
 * ------------------------------------------------------------------------------------ */

/* The loop variables as the iteration found them: marks, behind which tapes come once it is known that they
 * are read. */
static void find_variables(Loop *loop, IrBuilder *b, IrNode **map) {
    for (uint32_t i = 0; i < loop->count; i++) {
        IrNode *parameter = parameter_of(loop, i);
        map[parameter->id] = loop->found[i] = ir_variable(b, gradient_number(b, 0, parameter));
    }
}

/* What the backward body differentiates for: active loop variables, then what is captured. */
static uint32_t list_variables(const Loop *loop, IrNode **variables) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < loop->count; i++)
        if (loop->is_active[i])
            variables[count++] = loop->found[i];
    for (uint32_t i = 0; i < loop->captured.count; i++)
        variables[count++] = loop->captured.items[i];
    return count;
}

/* The body's adjoints for adjoints[] of the active loop variables, added to those of what is captured. */
static bool differentiate_body(Loop *loop, IrNode **map, IrNode *const *adjoints) {
    IrBuilder *b = loop->g->b;
    Arena *arena = ir_arena(b);
    uint32_t total = loop->active_count + loop->captured.count;
    IrNode **variables = ARENA_ARRAY(arena, IrNode *, total), **initial = ARENA_ARRAY(arena, IrNode *, total);
    IrNode **gradients = ARENA_ARRAY(arena, IrNode *, total);
    GradientNodes outputs = {0};
    list_variables(loop, variables);
    for (uint32_t i = loop->active_count; i < total; i++)
        initial[i] = adjoints[i];
    for (uint32_t i = 0; i < loop->count; i++)
        if (loop->is_active[i])
            vec_push(arena, &outputs, map[loop->body->results.items[i]->id]);
    GradientRequest request = {.outputs = outputs.items,
                               .seeds = adjoints,
                               .output_count = outputs.count,
                               .variables = variables,
                               .initial = initial,
                               .variable_count = total};
    if (!ir_gradient(b, &request, gradients, loop->g->failure))
        return false;
    for (uint32_t i = 0; i < total; i++)
        gradients[i] = gradient_or_zeros(b, gradients[i], variables[i]);
    ir_set_results(b, gradients, total);
    return true;
}

/* Parameters: k, adjoints of active values, adjoints of what is captured. */
static bool backward_body(Loop *loop) {
    IrBuilder *b = loop->g->b, saved = *b;
    Arena *arena = ir_arena(b);
    uint32_t total = loop->active_count + loop->captured.count, next = 0;
    IrNode **map = gradient_outside_map(b, b->region);
    IrNode **adjoints = ARENA_ARRAY(arena, IrNode *, total), **like = ARENA_ARRAY(arena, IrNode *, total);
    for (uint32_t i = 0; i < loop->count; i++)
        if (loop->is_active[i])
            like[next++] = parameter_of(loop, i);
    for (uint32_t i = 0; i < loop->captured.count; i++)
        like[next++] = loop->captured.items[i];
    b->region = loop->backward = ir_region_new(b->function, b->region);
    IrNode *k = ir_parameter(b, NULL, DTYPE_i64, 0, NULL, NULL);
    gradient_loop_parameters(b, like, total, adjoints);
    IrNode *last = ir_binary(b, OP_sub, loop->trips, ir_const_i64(b, 1));
    loop->iteration = ir_binary(b, OP_sub, last, k);
    map[loop->body->parameters.items[0]->id] = ir_binary(b, OP_add, loop->begin, loop->iteration);
    find_variables(loop, b, map);
    ir_copy_nodes(b, loop->body, map);
    bool ok = differentiate_body(loop, map, adjoints);
    *b = saved;
    if (!ok)
        return false;
    bool *seen = ARENA_ARRAY(arena, bool, b->function->node_count);
    reach_region(seen, loop->backward);
    for (uint32_t i = 0; i < loop->count; i++)
        loop->is_read[i] = seen[loop->found[i]->id];
    return true;
}

/* The backward loop; adjoints[i]: of the i-th initial value, NULL where it has none. */
static void backward_loop(Loop *loop, IrNode *trips, IrNode *const *dy, IrNode **adjoints) {
    IrBuilder *b = loop->g->b;
    Arena *arena = ir_arena(b);
    uint32_t total = loop->active_count + loop->captured.count, next = 0;
    IrNode **initial = ARENA_ARRAY(arena, IrNode *, total);
    for (uint32_t i = 0; i < loop->count; i++)
        if (loop->is_active[i])
            initial[next++] = gradient_or_zeros(b, dy[i], parameter_of(loop, i));
    for (uint32_t i = 0; i < loop->captured.count; i++)
        initial[next++] = gradient_number(b, 0, loop->captured.items[i]);
    IrNode *node = ir_for(b, ir_const_i64(b, 0), trips, initial, total, loop->backward);
    ir_remark_add(arena, &node->remarks, REMARK_backward, OP_for, loop->node->span);
    next = 0;
    for (uint32_t i = 0; i < loop->count; i++)
        if (loop->is_active[i])
            adjoints[i] = ir_result(b, node, next++);
    for (uint32_t i = 0; i < loop->captured.count; i++)
        gradient_add(loop->g, loop->captured.items[i], ir_result(b, node, next++));
}

/* ---- segments
 * ---------------------------------------------------------------------------------------------- */

IrNode *gradient_kept_for(IrBuilder *b, IrNode *begin, IrNode *end, IrNode *const *initial, uint32_t count,
                          IrRegion *body) {
    IrNode *node = ir_for(b, begin, end, initial, count, body);
    node->attributes = ARENA_ARRAY(ir_arena(b), int64_t, 1);
    node->attributes[0] = 1;
    node->attribute_count = 1;
    return node;
}

void gradient_loop_parameters(IrBuilder *b, IrNode *const *initial, uint32_t count, IrNode **out) {
    for (uint32_t i = 0; i < count; i++) {
        const IrType *type = ir_type(initial[i]);
        out[i] = ir_parameter(b, NULL, type->dtype, type->rank, type->rank ? type->dims : NULL, NULL);
    }
}

IrNode *gradient_segment_length(IrBuilder *b, IrNode *trips) {
    IrNode *root = ir_unary(b, OP_ceil, ir_unary(b, OP_sqrt, ir_cast(b, trips, DTYPE_f64)));
    return ir_binary(b, OP_maximum, ir_cast(b, root, DTYPE_i64), ir_const_i64(b, 1));
}

/* How many trips a segment has; NULL: the loop stays whole. */
static IrNode *choose_length(const Loop *loop, IrBuilder *b, IrNode *trips) {
    CostSum bytes = {0};
    double known;
    int64_t known_trips;
    if (loop->node->attribute_count)
        return NULL;
    for (uint32_t i = 0; i < loop->count; i++)
        if (loop->is_read[i])
            cost_add_bytes(ir_arena(b), &bytes, 1, ir_type(parameter_of(loop, i)));
    if (!bytes.terms.count)
        return NULL;
    bool is_known = cost_known(&bytes, &known) && ir_known_i64(trips, &known_trips);
    if (is_known && known * (double)known_trips <= KEPT_BYTES)
        return NULL;
    IrNode *length = gradient_segment_length(b, trips);
    if (is_known)
        return length;
    IrNode *total = ir_const_number(b, DTYPE_f64, 0);
    for (uint32_t i = 0; i < loop->count; i++)
        if (loop->is_read[i]) {
            double each = dtype_info[ir_dtype(parameter_of(loop, i))].bytes;
            IrNode *size = ir_cast(b, ir_size(b, parameter_of(loop, i)), DTYPE_f64);
            total =
                ir_binary(b, OP_add, total, ir_binary(b, OP_mul, size, ir_const_number(b, DTYPE_f64, each)));
        }
    total = ir_binary(b, OP_mul, total, ir_cast(b, trips, DTYPE_f64));
    IrNode *fits = ir_binary(b, OP_le, total, ir_const_number(b, DTYPE_f64, KEPT_BYTES));
    return ir_binary(b, OP_maximum, ir_where(b, fits, trips, length), ir_const_i64(b, 1));
}

/* One segment of the loop: its trips from `begin` on, over a copy of its body. */
static IrNode *segment(const Loop *loop, IrBuilder *b, IrNode *begin, IrNode *length,
                       IrNode *const *initial) {
    IrBuilder inside = *b;
    Arena *arena = ir_arena(b);
    IrNode **map = gradient_outside_map(b, b->region);
    IrNode **parameters = ARENA_ARRAY(arena, IrNode *, loop->count);
    IrNode **results = ARENA_ARRAY(arena, IrNode *, loop->count);
    inside.region = ir_region_new(b->function, b->region);
    IrNode *t = ir_parameter(&inside, NULL, DTYPE_i64, 0, NULL, NULL);
    map[loop->body->parameters.items[0]->id] = ir_binary(&inside, OP_add, begin, t);
    gradient_loop_parameters(&inside, initial, loop->count, parameters);
    for (uint32_t i = 0; i < loop->count; i++)
        map[parameter_of(loop, i)->id] = parameters[i];
    ir_copy_nodes(&inside, loop->body, map);
    for (uint32_t i = 0; i < loop->count; i++)
        results[i] = map[loop->body->results.items[i]->id];
    ir_set_results(&inside, results, loop->count);
    return gradient_kept_for(b, ir_const_i64(b, 0), length, initial, loop->count, inside.region);
}

/* The segments before the last one, and the loop cut down to that; gives the first of the two loops. */
static IrNode *cut(Loop *loop, IrBuilder *b, IrNode *trips, IrNode *length) {
    IrBuilder inside = *b;
    Arena *arena = ir_arena(b);
    IrNode *one = ir_const_i64(b, 1), *zero = ir_const_i64(b, 0), *begin = loop->node->operands[0];
    IrNode *count = ir_binary(b, OP_floordiv, ir_binary(b, OP_sub, trips, one), length);
    count = ir_binary(b, OP_maximum, count, zero);
    IrNode **parameters = ARENA_ARRAY(arena, IrNode *, loop->count);
    inside.region = ir_region_new(b->function, b->region);
    IrNode *s = ir_parameter(&inside, NULL, DTYPE_i64, 0, NULL, NULL);
    gradient_loop_parameters(&inside, loop->node->operands + 2, loop->count, parameters);
    IrNode *first = ir_binary(&inside, OP_add, begin, ir_binary(&inside, OP_mul, s, length));
    IrNode *node = segment(loop, &inside, first, length, parameters);
    for (uint32_t i = 0; i < loop->count; i++)
        parameters[i] = ir_result(&inside, node, i);
    ir_set_results(&inside, parameters, loop->count);
    IrNode *segments =
        gradient_kept_for(b, zero, count, loop->node->operands + 2, loop->count, inside.region);
    ir_remark_add(arena, &segments->remarks, REMARK_segments, OP_none, (Span){0});
    IrNode **operands = ARENA_ARRAY(arena, IrNode *, loop->count + 2);
    operands[0] = ir_binary(b, OP_add, begin, ir_binary(b, OP_mul, count, length));
    operands[1] = loop->node->operands[1];
    for (uint32_t i = 0; i < loop->count; i++)
        operands[2 + i] = ir_result(b, segments, i);
    loop->node->operands = operands;
    loop->node->attributes = segments->attributes;
    loop->node->attribute_count = 1;
    return segments;
}

/* ---- the rule
 * ---------------------------------------------------------------------------------------------- */

/* The adjoints of a node's results passed back to what the loop captures and starts from. */
static bool pass_through(Loop *loop, IrNode *node, IrNode *const *adjoints) {
    Gradient *g = loop->g;
    Arena *arena = ir_arena(g->b);
    GradientNodes variables = {0}, outputs = {0}, seeds = {0};
    for (uint32_t i = 0; i < loop->captured.count; i++)
        vec_push(arena, &variables, loop->captured.items[i]);
    for (uint32_t i = 0; i < loop->count; i++) {
        IrNode *start = node->operands[2 + i];
        bool is_new = gradient_wants(g, start);
        for (uint32_t k = 0; is_new && k < variables.count; k++)
            is_new = variables.items[k] != start;
        if (is_new)
            vec_push(arena, &variables, start);
        if (!adjoints[i])
            continue;
        IrBuilder around = *g->b;
        around.region = node->region;
        vec_push(arena, &outputs, ir_result(&around, node, i));
        vec_push(arena, &seeds, adjoints[i]);
    }
    IrNode **gradients = ARENA_ARRAY(arena, IrNode *, variables.count);
    GradientRequest request = {.outputs = outputs.items,
                               .seeds = seeds.items,
                               .output_count = outputs.count,
                               .variables = variables.items,
                               .variable_count = variables.count};
    if (!ir_gradient(g->b, &request, gradients, g->failure))
        return false;
    for (uint32_t i = 0; i < variables.count; i++)
        if (gradients[i])
            gradient_add(g, variables.items[i], gradients[i]);
    return true;
}

/* max(end - begin, 0) */
static IrNode *trips_of(IrBuilder *b, const IrNode *loop) {
    IrNode *trips = ir_binary(b, OP_sub, loop->operands[1], loop->operands[0]);
    return ir_binary(b, OP_maximum, trips, ir_const_i64(b, 0));
}

static bool prepare(Loop *loop, Gradient *g, IrNode *y) {
    Arena *arena = ir_arena(g->b);
    *loop = (Loop){.g = g, .node = y, .body = y->regions[0], .count = y->operand_count - 2};
    loop->is_active = ARENA_ARRAY(arena, bool, loop->count);
    loop->is_read = ARENA_ARRAY(arena, bool, loop->count);
    loop->found = ARENA_ARRAY(arena, IrNode *, loop->count);
    loop->begin = ir_variable(g->b, ir_const_i64(g->b, 0));
    loop->trips = ir_variable(g->b, ir_const_i64(g->b, 0));
    gradient_captured(g, loop->body, loop->body, &loop->captured);
    for (uint32_t i = 0; i < loop->count; i++) {
        const IrNode *parameter = parameter_of(loop, i);
        if (parameter->types[0].kind == IR_TOKEN)
            return gradient_fails(g, y, "the loop prints");
        if (dtype_is_complex(ir_dtype(parameter)))
            return gradient_fails(g, y, "derivatives of complex numbers are not supported yet");
        loop->is_active[i] = is_float_tensor(parameter) && gradient_wants(g, parameter);
        loop->active_count += loop->is_active[i];
    }
    return true;
}

bool gradient_for(Gradient *g, IrNode *y, IrNode *const *dy) {
    Loop loop;
    if (!prepare(&loop, g, y) || !backward_body(&loop))
        return false;
    IrBuilder around = *g->b;
    around.region = y->region;
    IrNode *trips = trips_of(&around, y), *length = choose_length(&loop, &around, trips), *segments = NULL;
    if (length) {
        segments = cut(&loop, &around, trips, length);
        trips = trips_of(&around, y);
    }
    record(&loop, trips);
    loop.begin->operands[0] = loop.node->operands[0];
    loop.trips->operands[0] = trips;
    IrNode **adjoints = ARENA_ARRAY(ir_arena(g->b), IrNode *, loop.count);
    backward_loop(&loop, trips, dy, adjoints);
    gradient_order_region(g->b, g->b->region); /* the marks before what they stand for */
    if (segments)
        return pass_through(&loop, segments, adjoints);
    for (uint32_t i = 0; i < loop.count; i++)
        if (adjoints[i])
            gradient_add(g, loop.node->operands[2 + i], adjoints[i]);
    return true;
}
