/* The tensor IR core: nodes that are equal are one pointer, spans are not part of what makes them equal,
 * sizes fold as they are built, regions see outwards only, and text returns what was built. */
#include "ir/ir.h"

#include <criterion/criterion.h>
#include <math.h>

typedef struct World {
    Arena arena;
    Interner names;
    DiagSink sink;
    IrModule *module;
    IrFunction *function;
    IrBuilder b;
} World;

static void world_open(World *w) {
    arena_init(&w->arena, NULL);
    interner_init(&w->names, &w->arena);
    diag_init(&w->sink, &w->arena);
    w->module = ir_module_new(&w->arena, &w->names);
    w->function = ir_function_new(w->module, intern_text(&w->names, "f"));
    w->b = ir_builder_at(w->function, w->function->body);
}

static IrNode *matrix(World *w, const char *name, Dtype dtype) {
    return ir_parameter(&w->b, intern_text(&w->names, name), dtype, 2, NULL, NULL);
}

static IrNode *scalar(World *w, const char *name, Dtype dtype) {
    return ir_parameter(&w->b, intern_text(&w->names, name), dtype, 0, NULL, NULL);
}

typedef struct Text {
    char bytes[4096];
    size_t length;
} Text;

static void append(void *user, const char *bytes, size_t length) {
    Text *text = user;
    cr_assert_lt(text->length + length, sizeof text->bytes);
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = 0;
}

static Text print(const IrFunction *function, bool with_spans) {
    Text text = {.length = 0};
    IrWriter writer = {append, &text, with_spans};
    ir_print_function(function, &writer);
    return text;
}

static void cr_assert_verifies(World *w) {
    const char *message = "";
    cr_assert(ir_verify_function(w->function, &w->arena, &message), "%s", message);
}

Test(ir, equal_nodes_are_one) {
    World w;
    world_open(&w);
    IrNode *x = matrix(&w, "x", DTYPE_f32), *y = matrix(&w, "y", DTYPE_f32);
    w.b.span = (Span){3, 5};
    IrNode *first = ir_unary(&w.b, OP_sin, x);
    w.b.span = (Span){30, 50};
    IrNode *second = ir_unary(&w.b, OP_sin, x);
    cr_assert_eq(first, second);
    cr_assert_eq(first->span.begin, 3, "the first in program order stays");
    cr_assert_neq(first, ir_unary(&w.b, OP_cos, x));
    cr_assert_neq(first, ir_unary(&w.b, OP_sin, y));
    cr_assert_eq(ir_reduce(&w.b, OP_sum, x, (uint32_t[]){1}, 1, DTYPE_f64, DTYPE_f32),
                 ir_reduce(&w.b, OP_sum, x, (uint32_t[]){1}, 1, DTYPE_f64, DTYPE_f32));
    cr_assert_neq(ir_reduce(&w.b, OP_sum, x, (uint32_t[]){1}, 1, DTYPE_f64, DTYPE_f32),
                  ir_reduce(&w.b, OP_sum, x, (uint32_t[]){1}, 1, DTYPE_f32, DTYPE_f32));
    cr_assert_verifies(&w);
    arena_free(&w.arena);
}

Test(ir, operands_of_commutative_ops_are_ordered) {
    World w;
    world_open(&w);
    IrNode *x = scalar(&w, "x", DTYPE_f64), *y = scalar(&w, "y", DTYPE_f64);
    cr_assert_eq(ir_binary(&w.b, OP_add, x, y), ir_binary(&w.b, OP_add, y, x));
    cr_assert_neq(ir_binary(&w.b, OP_sub, x, y), ir_binary(&w.b, OP_sub, y, x));
    arena_free(&w.arena);
}

Test(ir, many_nodes_stay_unique) {
    World w;
    world_open(&w);
    IrNode *made[500];
    for (int i = 0; i < 500; i++)
        made[i] = ir_const_number(&w.b, DTYPE_f64, i * 0.5);
    for (int i = 0; i < 500; i++)
        cr_assert_eq(made[i], ir_const_number(&w.b, DTYPE_f64, i * 0.5));
    cr_assert_neq(ir_const_number(&w.b, DTYPE_f64, 0.0), ir_const_number(&w.b, DTYPE_f64, -0.0));
    cr_assert_eq(ir_const_number(&w.b, DTYPE_f64, NAN), ir_const_number(&w.b, DTYPE_f64, NAN));
    arena_free(&w.arena);
}

static int64_t value_of(const IrNode *node) {
    int64_t value;
    cr_assert(ir_const_value_i64(node, &value));
    return value;
}

Test(ir, sizes_fold) {
    World w;
    world_open(&w);
    IrNode *n = scalar(&w, "n", DTYPE_i64), *two = ir_const_i64(&w.b, 2);
    IrNode *minus_seven = ir_const_i64(&w.b, -7);
    cr_assert_eq(value_of(ir_binary(&w.b, OP_floordiv, minus_seven, two)), -4);
    cr_assert_eq(value_of(ir_binary(&w.b, OP_mod, minus_seven, two)), 1);
    cr_assert_eq(ir_binary(&w.b, OP_mul, n, ir_const_i64(&w.b, 1)), n);
    IrNode *plus_two = ir_binary(&w.b, OP_add, n, two);
    cr_assert_eq(ir_binary(&w.b, OP_sub, plus_two, two), n);
    cr_assert_eq(ir_binary(&w.b, OP_sub, plus_two, n), two);
    cr_assert_eq(value_of(ir_binary(&w.b, OP_sub, n, n)), 0);
    IrNode *largest = ir_const_i64(&w.b, INT64_MAX);
    cr_assert_eq(ir_binary(&w.b, OP_add, largest, two)->op, OP_add, "an overflow is left alone");
    cr_assert_eq(ir_binary(&w.b, OP_floordiv, n, ir_const_i64(&w.b, 0))->op, OP_floordiv);
    arena_free(&w.arena);
}

Test(ir, views_and_casts_that_change_nothing_vanish) {
    World w;
    world_open(&w);
    IrNode *x = matrix(&w, "x", DTYPE_f32);
    cr_assert_eq(ir_permute(&w.b, x, (uint32_t[]){0, 1}), x);
    cr_assert_eq(ir_reshape(&w.b, x, x->types[0].dims, 2), x);
    cr_assert_eq(ir_cast(&w.b, x, DTYPE_f32), x);
    IrNode *rows = ir_dim(&w.b, x, 0);
    cr_assert_eq(ir_check_equal(&w.b, rows, rows, intern_text(&w.names, "m")), rows);
    cr_assert_eq(ir_dim(&w.b, ir_permute(&w.b, x, (uint32_t[]){1, 0}), 1), rows);
    arena_free(&w.arena);
}

Test(ir, constants_round_to_their_dtype) {
    World w;
    world_open(&w);
    cr_assert_eq(ir_const_number(&w.b, DTYPE_f16, 65520)->attributes[0], 0x7c00, "inf");
    cr_assert_eq(ir_const_number(&w.b, DTYPE_f16, 65519)->attributes[0], 0x7bff);
    cr_assert_eq(ir_const_number(&w.b, DTYPE_f16, 0x1p-25)->attributes[0], 0, "a tie to even");
    cr_assert_eq(ir_const_number(&w.b, DTYPE_f16, 0x1.8p-25)->attributes[0], 1, "the smallest subnormal");
    cr_assert_eq(ir_const_number(&w.b, DTYPE_bf16, 0.1)->attributes[0], 0x3dcd);
    cr_assert_eq(ir_const_number(&w.b, DTYPE_f32, 0.1)->attributes[0], 0x3dcccccd);
    IrNode *large = ir_cast(&w.b, ir_const_i64(&w.b, (1ll << 53) + 1), DTYPE_f32);
    cr_assert_eq(large->attributes[0], 0x5a000000, "2^53");
    arena_free(&w.arena);
}

Test(ir, regions_see_outwards_only) {
    World w;
    world_open(&w);
    IrNode *p = scalar(&w, "p", DTYPE_bool), *x = scalar(&w, "x", DTYPE_f64);
    IrNode *outer = ir_unary(&w.b, OP_sin, x);
    IrRegion *yes = ir_region_new(w.function, w.b.region), *no = ir_region_new(w.function, w.b.region);
    IrBuilder in_yes = ir_builder_at(w.function, yes), in_no = ir_builder_at(w.function, no);
    cr_assert_eq(ir_unary(&in_yes, OP_sin, x), outer, "values of enclosing regions are found");
    IrNode *a = ir_unary(&in_yes, OP_cos, x), *b = ir_unary(&in_no, OP_cos, x);
    cr_assert_neq(a, b, "a branch does not see the other");
    ir_set_results(&in_yes, &a, 1);
    ir_set_results(&in_no, &b, 1);
    IrNode *both = ir_if(&w.b, p, yes, no);
    IrNode *after = ir_unary(&w.b, OP_cos, x);
    cr_assert_neq(after, a, "nor does what follows");
    cr_assert(ir_region_encloses(w.function->body, yes) && !ir_region_encloses(yes, no));
    ir_set_results(&w.b, (IrNode *[]){both, after}, 2);
    cr_assert_verifies(&w);
    arena_free(&w.arena);
}

Test(ir, an_extent_that_differs_by_branch_becomes_a_result) {
    World w;
    world_open(&w);
    IrNode *p = scalar(&w, "p", DTYPE_bool), *x = matrix(&w, "x", DTYPE_f64);
    IrRegion *yes = ir_region_new(w.function, w.b.region), *no = ir_region_new(w.function, w.b.region);
    IrBuilder in_yes = ir_builder_at(w.function, yes), in_no = ir_builder_at(w.function, no);
    IrNode *turned = ir_permute(&in_no, x, (uint32_t[]){1, 0});
    ir_set_results(&in_yes, &x, 1);
    ir_set_results(&in_no, &turned, 1);
    IrNode *either = ir_result(&w.b, ir_if(&w.b, p, yes, no), 0);
    cr_assert_eq(ir_dim(&w.b, either, 0)->op, OP_result);
    ir_set_results(&w.b, &either, 1);
    cr_assert_verifies(&w);
    arena_free(&w.arena);
}

/* A function with most of what text has to carry. */
static void build_sample(World *w) {
    IrNode *x = matrix(w, "x", DTYPE_f32), *n = scalar(w, "n", DTYPE_i64);
    w->b.span = (Span){7, 9};
    IrNode *extents[] = {ir_dim(&w->b, x, 0), ir_const_i64(&w->b, 3)};
    IrNode *scale = ir_broadcast(&w->b, ir_const_number(&w->b, DTYPE_f32, 0.1), NULL, extents, 2);
    IrRegion *body = ir_region_new(w->function, w->b.region);
    IrBuilder in = ir_builder_at(w->function, body);
    ir_parameter(&in, intern_text(&w->names, "i"), DTYPE_i64, 0, NULL, NULL);
    IrNode *carried = ir_parameter(&in, NULL, DTYPE_f32, 2, extents, NULL);
    IrNode *twice = ir_binary(&in, OP_add, carried, carried);
    ir_set_results(&in, &twice, 1);
    IrNode *loop = ir_for(&w->b, ir_const_i64(&w->b, 0), n, &scale, 1, body);
    IrNode *total = ir_reduce(&w->b, OP_sum, loop, (uint32_t[]){0, 1}, 2, DTYPE_f64, DTYPE_f32);
    ir_set_results(&w->b, &total, 1);
    w->b.span = (Span){0};
}

Test(ir, text_returns_what_was_built) {
    World w;
    world_open(&w);
    build_sample(&w);
    cr_assert_verifies(&w);
    for (int with_spans = 0; with_spans < 2; with_spans++) {
        Text text = print(w.function, with_spans);
        IrModule *parsed = ir_parse_module(&w.arena, &w.names, &w.sink, text.bytes, text.length, 0);
        cr_assert(parsed && parsed->functions.count == 1, "%s", text.bytes);
        IrFunction *again = parsed->functions.items[0];
        cr_assert_str_eq(print(again, with_spans).bytes, text.bytes);
        cr_assert_eq(strstr(text.bytes, "@7:9") != NULL, with_spans == 1);
        const char *message = "";
        cr_assert(ir_verify_function(again, &w.arena, &message), "%s", message);
    }
    arena_free(&w.arena);
}

Test(ir, ids_in_text_do_not_depend_on_history) {
    World w, v;
    world_open(&w);
    world_open(&v);
    build_sample(&w);
    v.function->node_count += 1000; /* as after a pass that made and dropped nodes */
    build_sample(&v);
    cr_assert_str_eq(print(w.function, false).bytes, print(v.function, false).bytes);
    arena_free(&w.arena);
    arena_free(&v.arena);
}

Test(ir, rewriting_leaves_unused_nodes_behind) {
    World w;
    world_open(&w);
    IrNode *x = scalar(&w, "x", DTYPE_f64);
    ir_unary(&w.b, OP_exp, x);
    IrNode *used = ir_unary(&w.b, OP_sin, x);
    ir_set_results(&w.b, &used, 1);
    IrFunction *copy = ir_rewrite_function(w.function, NULL, NULL);
    cr_assert_eq(copy->body->nodes.count, 1);
    cr_assert_eq(copy->body->nodes.items[0]->op, OP_sin);
    cr_assert_eq(w.function->body->nodes.count, 2, "the source is left as it was");
    arena_free(&w.arena);
}
