/* Reverse mode of `while`: the forward loop counts its trips n, and the derivative is that of the same loop
 * written
 *
 *     for s in 0..k { for t in 0..min(m, n - s m) { body } }      with m = ceil(sqrt(n)), k = ceil(n / m)
 *
 * whose outer tapes keep k states and whose inner ones m: memory grows with the root of n, and every
 * iteration is computed three times in all. */
#include "ir/gradient.h"

#include "ir/internal.h"

/* The trips of a loop, counted by a carried value more. */
static IrNode *count_trips(Gradient *g, IrNode **loop) {
    IrBuilder around = *g->b, inside = *g->b;
    IrNode *old = *loop;
    IrRegion *body = old->regions[1];
    uint32_t count = old->result_count;
    around.region = old->region;
    IrNode *zero = ir_const_i64(&around, 0);
    inside.region = old->regions[0];
    ir_parameter(&inside, NULL, DTYPE_i64, 0, NULL, NULL);
    inside.region = body;
    IrNode *trips = ir_parameter(&inside, NULL, DTYPE_i64, 0, NULL, NULL);
    vec_push(ir_arena(g->b), &body->results, ir_binary(&inside, OP_add, trips, ir_const_i64(&inside, 1)));
    *loop = gradient_extend_loop(&around, old, &zero, 1);
    trips = ir_result(&around, *loop, count);
    gradient_order_region(&around, (*loop)->region);
    return trips;
}

/* The iterations of one segment: a `for` over a copy of the body. */
static IrNode *segment(IrBuilder *b, const IrRegion *body, IrNode *trips, IrNode *const *initial,
                       uint32_t count) {
    IrBuilder inside = *b;
    IrNode **map = gradient_outside_map(b, b->region);
    IrNode **parameters = ARENA_ARRAY(ir_arena(b), IrNode *, count),
           **results = ARENA_ARRAY(ir_arena(b), IrNode *, count);
    inside.region = ir_region_new(b->function, b->region);
    ir_parameter(&inside, NULL, DTYPE_i64, 0, NULL, NULL);
    gradient_loop_parameters(&inside, initial, count, parameters);
    for (uint32_t i = 0; i < count; i++)
        map[body->parameters.items[i]->id] = parameters[i];
    IrRegion first = *body; /* without the count */
    first.results.count = count;
    ir_copy_nodes(&inside, &first, map);
    for (uint32_t i = 0; i < count; i++)
        results[i] = map[body->results.items[i]->id];
    ir_set_results(&inside, results, count);
    return gradient_kept_for(b, ir_const_i64(b, 0), trips, initial, count, inside.region);
}

/* The whole loop as segments. */
static IrNode *segmented(IrBuilder *b, const IrNode *loop, IrNode *trips, uint32_t count) {
    IrBuilder inside = *b;
    IrNode *one = ir_const_i64(b, 1);
    IrNode *length = gradient_segment_length(b, trips);
    IrNode *rounded = ir_binary(b, OP_add, trips, ir_binary(b, OP_sub, length, one));
    IrNode *segments = ir_binary(b, OP_floordiv, rounded, length);
    IrNode **parameters = ARENA_ARRAY(ir_arena(b), IrNode *, count);
    inside.region = ir_region_new(b->function, b->region);
    IrNode *s = ir_parameter(&inside, NULL, DTYPE_i64, 0, NULL, NULL);
    gradient_loop_parameters(&inside, loop->operands, count, parameters);
    IrNode *left = ir_binary(&inside, OP_sub, trips, ir_binary(&inside, OP_mul, s, length));
    IrNode *node =
        segment(&inside, loop->regions[1], ir_binary(&inside, OP_minimum, length, left), parameters, count);
    for (uint32_t i = 0; i < count; i++)
        parameters[i] = ir_result(&inside, node, i);
    ir_set_results(&inside, parameters, count);
    return gradient_kept_for(b, ir_const_i64(b, 0), segments, loop->operands, count, inside.region);
}

bool gradient_while(Gradient *g, IrNode *y, IrNode *const *dy) {
    IrBuilder *b = g->b;
    Arena *arena = ir_arena(b);
    uint32_t count = y->result_count;
    GradientNodes variables = {0}, outputs = {0}, seeds = {0};
    for (uint32_t i = 0; i < count; i++)
        if (y->types[i].kind == IR_TOKEN)
            return gradient_fails(g, y, "the loop prints");
    gradient_captured(g, y->regions[1], y->regions[1], &variables);
    for (uint32_t i = 0; i < count; i++) {
        bool is_new = gradient_wants(g, y->operands[i]);
        for (uint32_t k = 0; is_new && k < variables.count; k++)
            is_new = variables.items[k] != y->operands[i];
        if (is_new)
            vec_push(arena, &variables, y->operands[i]);
    }
    IrNode *loop = y, *trips = count_trips(g, &loop), *again = segmented(b, loop, trips, count);
    for (uint32_t i = 0; i < count; i++)
        if (dy[i]) {
            vec_push(arena, &outputs, ir_result(b, again, i));
            vec_push(arena, &seeds, dy[i]);
        }
    IrNode **gradients = ARENA_ARRAY(arena, IrNode *, variables.count);
    GradientRequest request = {.outputs = outputs.items,
                               .seeds = seeds.items,
                               .output_count = outputs.count,
                               .variables = variables.items,
                               .variable_count = variables.count};
    if (!ir_gradient(b, &request, gradients, g->failure))
        return false;
    for (uint32_t i = 0; i < variables.count; i++)
        if (gradients[i])
            gradient_add(g, variables.items[i], gradients[i]);
    return true;
}
