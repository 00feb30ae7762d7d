/* The pass pipeline: its table is in an order that its own constraints accept, and its options address passes
 * by name. */
#include "passes/pipeline.h"

#include <criterion/criterion.h>

typedef struct World {
    Arena arena;
    Interner names;
    DiagSink sink;
    PassContext context;
    IrModule *module;
    char dump[8192];
    size_t length;
} World;

static void append(void *user, const char *bytes, size_t length) {
    World *w = user;
    cr_assert_lt(w->length + length, sizeof w->dump);
    memcpy(w->dump + w->length, bytes, length);
    w->length += length;
    w->dump[w->length] = 0;
}

/* sin(x * 1) over x: f16[n]; broken: its dtype is wrong. */
static World *world_open(bool broken) {
    World *w = calloc(1, sizeof *w);
    arena_init(&w->arena, NULL);
    interner_init(&w->names, &w->arena);
    diag_init(&w->sink, &w->arena);
    w->context = (PassContext){.arena = &w->arena, .sink = &w->sink};
    w->module = ir_module_new(&w->arena, &w->names);
    IrFunction *f = ir_function_new(w->module, intern_text(&w->names, "f"));
    IrBuilder b = ir_builder_at(f, f->body);
    IrNode *x = ir_parameter(&b, intern_text(&w->names, "x"), DTYPE_f16, 1, NULL, NULL);
    IrNode *one = ir_broadcast(&b, ir_const_number(&b, DTYPE_f16, 1), NULL, x->types[0].dims, 1);
    IrNode *y = ir_unary(&b, OP_sin, ir_binary(&b, OP_mul, x, one));
    if (broken)
        y->types[0].dtype = DTYPE_f32;
    ir_set_results(&b, &y, 1);
    f->parameter_contiguous = ARENA_ARRAY(&w->arena, bool, 1);
    return w;
}

static void world_close(World *w) {
    arena_free(&w->arena);
    free(w);
}

static PassOptions options_of(World *w) {
    return (PassOptions){.verify_each = true, .dump = {.write = append, .user = w}};
}

static const char *error_of(const World *w) {
    return w->sink.diags.count ? w->sink.diags.items[0]->message : "";
}

Test(pipeline, runs_to_the_host_program) {
    World *w = world_open(false);
    PassOptions options = options_of(w);
    cr_assert(pass_pipeline_run(&w->context, w->module, &options), "%s", error_of(w));
    PassStructure structure = pass_structure(w->module->functions.items[0]);
    cr_assert_eq(structure.kernels, 1);
    cr_assert_eq(w->module->kernels.count, 1);
    cr_assert_eq(w->length, 0, "nothing is written unless asked");
    world_close(w);
}

/* Kernels come before the functions that launch them by name. */
Test(pipeline, the_host_program_parses_back) {
    World *w = world_open(false);
    PassOptions options = options_of(w);
    cr_assert(pass_pipeline_run(&w->context, w->module, &options), "%s", error_of(w));
    ir_print_module(w->module, &options.dump);
    char *first = arena_copy_text(&w->arena, w->dump, w->length);
    cr_assert(strstr(first, "kernel ") && strstr(first, "= launch["), "%s", first);
    IrModule *again = ir_parse_module(&w->arena, &w->names, &w->sink, first, w->length, 0);
    cr_assert(again, "%s\n%s", error_of(w), first);
    cr_assert_eq(again->kernels.count, 1);
    w->length = 0;
    ir_print_module(again, &options.dump);
    cr_assert_str_eq(w->dump, first);
    const char *message = "";
    cr_assert(ir_verify_function(again->functions.items[0], &w->arena, &message), "%s", message);
    world_close(w);
}

Test(pipeline, stops_after_a_pass_and_dumps_it) {
    World *w = world_open(false);
    PassOptions options = options_of(w);
    options.stop_after = options.dump_after = "promote";
    cr_assert(pass_pipeline_run(&w->context, w->module, &options), "%s", error_of(w));
    cr_assert(strstr(w->dump, "# after promote\nfunction f("), "%s", w->dump);
    cr_assert(strstr(w->dump, " = sin %") && strstr(w->dump, " = mul %"), "%s", w->dump);
    cr_assert(!strstr(w->dump, "# after simplify"));
    cr_assert(ir_parse_module(&w->arena, &w->names, &w->sink, w->dump, w->length, 0));
    world_close(w);
}

Test(pipeline, leaves_out_what_is_not_required) {
    for (int left_out = 0; left_out < 2; left_out++) {
        World *w = world_open(false);
        PassOptions options = options_of(w);
        options.disabled = left_out ? (const char *const[]){"simplify", NULL} : NULL;
        options.dump_after = "all";
        options.stop_after = "simplify";
        cr_assert(pass_pipeline_run(&w->context, w->module, &options), "%s", error_of(w));
        cr_assert_eq(strstr(w->dump, "# after simplify") != NULL, !left_out);
        world_close(w);
    }
}

/* The sine and the casts around it. */
Test(pipeline, without_fusion_every_op_is_a_kernel) {
    World *w = world_open(false);
    PassOptions options = options_of(w);
    options.disabled = (const char *const[]){"fuse", NULL};
    cr_assert(pass_pipeline_run(&w->context, w->module, &options), "%s", error_of(w));
    cr_assert_eq(pass_structure(w->module->functions.items[0]).kernels, 3);
    world_close(w);
}

Test(pipeline, refuses_what_it_does_not_know) {
    const char *const none[] = {"polish", NULL}, *const required[] = {"memory", NULL};
    PassOptions wrong[] = {
        {.dump_after = "polish"}, {.stop_after = "polish"}, {.disabled = none}, {.disabled = required}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        World *w = world_open(false);
        cr_assert(!pass_pipeline_run(&w->context, w->module, &wrong[i]));
        cr_assert_eq(w->sink.error_count, 1);
        cr_assert(strstr(error_of(w), i < 3 ? "there is no pass `polish`" : "`memory` cannot be left out"));
        world_close(w);
    }
}

Test(pipeline, says_where_the_ir_broke) {
    World *w = world_open(true);
    PassOptions options = options_of(w);
    cr_assert(!pass_pipeline_run(&w->context, w->module, &options));
    cr_assert(strstr(error_of(w), "before the first pass in f: sin"), "%s", error_of(w));
    cr_assert(strstr(error_of(w), "the result is not f16"), "%s", error_of(w));
    world_close(w);
}

Test(pipeline, times_passes_by_name) {
    World *w = world_open(false);
    PassOptions options = options_of(w);
    options.time_passes = true;
    cr_assert(pass_pipeline_run(&w->context, w->module, &options), "%s", error_of(w));
    for (uint32_t i = 0; i < pass_count; i++)
        cr_assert(strstr(w->dump, arena_format(&w->arena, "# time %s f ", pass_table[i].name)));
    world_close(w);
}
