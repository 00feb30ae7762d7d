/* Elaboration: what a program becomes in the tensor IR, how values live between units, export interfaces.
 * What programs compute and which errors they get is tested by the programs under tests/lang. */
#include "frontend/elaborate.h"
#include "frontend/parse.h"
#include "frontend/text.h"
#include <criterion/criterion.h>

typedef struct Bench {
    Arena arena, unit_arena;
    Interner names;
    SourceMap sources;
    DiagSink sink;
    Elaborator *e;
} Bench;

static Bench *bench_new(void) {
    Bench *b = calloc(1, sizeof *b);
    arena_init(&b->arena, NULL);
    arena_init(&b->unit_arena, NULL);
    interner_init(&b->names, &b->arena);
    source_map_init(&b->sources, &b->arena);
    diag_init(&b->sink, &b->arena);
    b->e = elab_new(&(ElabOptions){.arena = &b->arena,
                                   .names = &b->names,
                                   .sources = &b->sources,
                                   .sink = &b->sink,
                                   .is_interactive = true,
                                   .show_values = true});
    return b;
}

static void bench_free(Bench *b) {
    arena_free(&b->unit_arena);
    arena_free(&b->arena);
    free(b);
}

static AstNode *parse(Bench *b, const char *text) {
    SourceFile *file = source_add(&b->sources, &b->sink, "test.gmx", text, strlen(text));
    ParseContext context = {&b->arena, &b->names, &b->sink};
    AstNode *block = parse_source(&context, file);
    elab_declare(b->e, block);
    return block;
}

/* Elaborates a program as one unit. */
static ElabUnit *unit_of(Bench *b, const char *text) {
    AstNode *block = parse(b, text);
    const char *message = "";
    elab_begin_unit(b->e, &b->unit_arena);
    for (uint32_t i = 0; i < block->child_count; i++)
        elab_statement(b->e, block->children[i]);
    ElabUnit *unit = elab_end_unit(b->e);
    cr_assert(ir_verify_function(unit->function, &b->arena, &message), "%s: %s", text, message);
    return unit;
}

static void append(void *user, const char *text, size_t length) {
    text_append(user, text, length);
}

static const char *text_of(Bench *b, const IrFunction *function) {
    TextBuffer text = {.arena = &b->arena};
    ir_print_function(function, &(IrWriter){append, &text, false});
    return text.text;
}

static uint32_t count_ops(const IrRegion *region, Op op) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < region->nodes.count; i++) {
        const IrNode *node = region->nodes.items[i];
        count += node->op == op;
        for (uint32_t k = 0; k < node->region_count; k++)
            count += count_ops(node->regions[k], op);
    }
    return count;
}

static uint32_t ops(const ElabUnit *unit, Op op) {
    return count_ops(unit->function->body, op);
}

Test(elaborate, sizes_in_top_level_code_share_their_code) {
    Bench *b = bench_new();
    const char *small = text_of(b, unit_of(b, "let x = zeros(17)\nsum(x * 2)")->function);
    const char *large = text_of(b, unit_of(b, "let x = zeros(40000)\nsum(x * 2)")->function);
    cr_assert_str_eq(small, large);
    cr_assert_eq(b->sink.error_count, 0);
    bench_free(b);
}

Test(elaborate, equal_sizes_are_equal_nodes) {
    Bench *b = bench_new();
    ElabUnit *unit = unit_of(b, "let x = arange(10)\nx[1:] - x[:-1] + x[:-1]");
    cr_assert_eq(ops(unit, OP_check_equal), 0);
    unit = unit_of(b, "fn f(x: f64[n], y: f64[n]) = x + y\nf(zeros(3), ones(3))");
    cr_assert_eq(ops(unit, OP_check_equal), 0, "the same literal is the same size");
    bench_free(b);
}

Test(elaborate, sizes_only_known_later_are_checked) {
    Bench *b = bench_new();
    ElabSlot *slots[2];
    const char *names[] = {"a", "c"};
    for (int i = 0; i < 2; i++) {
        slots[i] = elab_slot_new(b->e, NULL, DTYPE_f64, 1);
        slots[i]->is_known = slots[i]->is_contiguous = true;
        slots[i]->shape[0] = 5;
        elab_bind_global(b->e, intern_text(&b->names, names[i]),
                         (Value){.kind = VALUE_SLOT, .slot = slots[i]});
    }
    ElabUnit *unit = unit_of(b, "a + c");
    cr_assert_eq(unit->parameters.count, 2);
    cr_assert_eq(ops(unit, OP_check_equal), 1);
    slots[1]->shape[0] = 1; /* an extent of 1 is part of the specialisation: it broadcasts */
    unit = unit_of(b, "a + c");
    cr_assert_eq(ops(unit, OP_check_equal), 0);
    slots[1]->shape[0] = 4; /* known to differ at this call */
    unit_of(b, "a + c");
    cr_assert_eq(b->sink.error_count, 1);
    cr_assert_eq(b->sink.diags.items[0]->code, DIAG_E0203);
    bench_free(b);
}

Test(elaborate, values_live_between_units_as_slots) {
    Bench *b = bench_new();
    ElabUnit *first = unit_of(b, "let x = sum(arange(10) * 2)\nlet t = (x, [x, x], 7)\nlet k = 3");
    cr_assert_eq(first->results.count, 2, "x and the array; 7 and k are constants");
    Value value;
    cr_assert(elab_find_global(b->e, intern_text(&b->names, "k"), &value));
    cr_assert_eq(value.kind, VALUE_CONSTANT);
    ElabUnit *second = unit_of(b, "t[0] + x + k");
    cr_assert_eq(second->parameters.count, 1, "t[0] is x");
    cr_assert_eq(second->parameters.items[0].slot, first->results.items[0].slot);
    bench_free(b);
}

Test(elaborate, lambdas_keep_what_they_captured) {
    Bench *b = bench_new();
    unit_of(b, "mut w = sum([1.0, 2.0])\nlet f = fn(x) = x * w\nw = w + 1");
    ElabUnit *unit = unit_of(b, "f(3.0) + w");
    cr_assert_eq(unit->parameters.count, 2, "the old w and the new one");
    bench_free(b);
}

Test(elaborate, a_failed_statement_leaves_no_effect) {
    Bench *b = bench_new();
    ElabUnit *unit = unit_of(b, "print(1)\nif sum([1]) > 0 { print(2)\nunknown_name }\nprint(3)");
    cr_assert_eq(b->sink.error_count, 1);
    cr_assert_eq(ops(unit, OP_print), 2);
    cr_assert_eq(ops(unit, OP_if), 0);
    cr_assert(unit->has_token);
    bench_free(b);
}

Test(elaborate, an_abandoned_unit_gives_the_old_values_back) {
    Bench *b = bench_new();
    unit_of(b, "mut x = 1");
    AstNode *block = parse(b, "x = 2\nlet y = sum([1.0])");
    elab_begin_unit(b->e, &b->unit_arena);
    for (uint32_t i = 0; i < block->child_count; i++)
        elab_statement(b->e, block->children[i]);
    elab_end_unit(b->e);
    elab_abandon_unit(b->e);
    Value value;
    cr_assert(elab_find_global(b->e, intern_text(&b->names, "x"), &value));
    cr_assert_eq(value.kind, VALUE_CONSTANT);
    cr_assert_eq(value.bits, 1);
    bench_free(b);
}

Test(elaborate, loops_carry_what_they_change) {
    Bench *b = bench_new();
    ElabUnit *unit = unit_of(b, "mut s = 0.0\nmut t = 0.0\nlet k = 2.0\nfor i in 0..10 { s += k * i }");
    const IrRegion *body = unit->function->body;
    for (uint32_t i = 0; i < body->nodes.count; i++)
        if (body->nodes.items[i]->op == OP_for)
            cr_assert_eq(body->nodes.items[i]->result_count, 1, "only s changes");
    cr_assert_eq(ops(unit, OP_for), 1, "loops are not unrolled");
    bench_free(b);
}

Test(elaborate, conditions_known_when_compiling_choose_one_branch) {
    Bench *b = bench_new();
    ElabUnit *unit = unit_of(b, "gelu([1.0, 2.0], approximate=\"tanh\")");
    cr_assert_eq(ops(unit, OP_if), 0);
    cr_assert_eq(ops(unit, OP_tanh), 1);
    cr_assert_eq(ops(unit, OP_erf), 0);
    bench_free(b);
}

Test(elaborate, softmax_accumulates_in_its_own_dtype) {
    Bench *b = bench_new();
    cr_assert(strstr(text_of(b, unit_of(b, "softmax(f32([1, 2, 3]))")->function), "sum[f32; 0]"));
    cr_assert(strstr(text_of(b, unit_of(b, "sum(f32([1, 2, 3]))")->function), "sum[f64; 0]"));
    bench_free(b);
}

static ExportFunction *export_of(Bench *b, const char *text, IrModule **module) {
    AstNode *block = parse(b, text);
    *module = ir_module_new(&b->unit_arena, &b->names);
    ExportList exports = {0};
    ExportFunction *out =
        elab_export_function(b->e, *module, block->children[block->child_count - 1], &exports);
    const char *message = "";
    if (out)
        cr_assert(ir_verify_function((*module)->functions.items[out->function], &b->arena, &message), "%s",
                  message);
    return out;
}

Test(elaborate, exports_describe_their_interface) {
    Bench *b = bench_new();
    IrModule *module;
    ExportFunction *f =
        export_of(b,
                  "const k = 4\n"
                  "export fn f(x: f32[b, 2*n], w: f32[n, k], int: i64, m: u8[3]) -> (f32[b, n], f64) = "
                  "(x[:, :n] + w[0, 0], sum(f64(x)) + int + sum(f64(m)))",
                  &module);
    cr_assert(f, "%s", b->sink.diags.count ? b->sink.diags.items[0]->message : "");
    cr_assert_eq(f->dims.count, 2);
    cr_assert_str_eq(f->dims.items[0], "b");
    cr_assert_str_eq(f->dims.items[1], "n");
    cr_assert_eq(f->parameters.count, 4);
    cr_assert_str_eq(f->parameters.items[2].name, "int_");
    cr_assert(f->parameters.items[2].is_scalar);
    cr_assert_str_eq(f->parameters.items[0].dims[1].formula, "(2 * n)");
    cr_assert(f->parameters.items[1].dims[1].is_fixed && f->parameters.items[1].dims[1].value == 4);
    cr_assert_eq(f->results.count, 2);
    cr_assert_str_eq(f->results.items[1].name, "out1");
    cr_assert_eq(module->functions.items[f->function]->body->results.count, 2);
    bench_free(b);
}

Test(elaborate, exports_refuse_what_a_library_cannot_do) {
    static const char *const wrong[] = {
        "export fn f(x) -> f32 = f32(x)",
        "export fn f(x: f32[n]) = x",
        "export fn f(x: f32[_]) -> f32 = sum(x)",
        "export fn f(x: f32[n]) -> f32[_] = x",
        "export fn f(x: T[n]) -> f32 = 1",
        "export fn f(x: f32[n]) -> f32 { print(1)\nsum(x) }",
        "export fn f(x: f32[n]) -> f64 = sum(rand(3))",
        "export fn \xce\xb1(x: f32[n]) -> f32 = sum(x)",
        "export fn f(x: f32[n]) -> f64[n] = load(\"x.npy\")",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        Bench *b = bench_new();
        IrModule *module;
        cr_assert_null(export_of(b, wrong[i], &module), "%s", wrong[i]);
        cr_assert_eq(b->sink.diags.items[0]->code, DIAG_E0211, "%s: %s", wrong[i],
                     b->sink.diags.items[0]->message);
        bench_free(b);
    }
}

Test(elaborate, deep_and_wide_programs_end_with_an_error) {
    Bench *b = bench_new();
    TextBuffer text = {.arena = &b->arena};
    text_add(&text, "fn g0(x) = x + x\n");
    for (int i = 1; i < 40; i++) /* 2^40 calls once expanded */
        text_format(&text, "fn g%d(x) = g%d(x) + g%d(x * 2)\n", i, i - 1, i - 1);
    text_add(&text, "g39(1.5)");
    unit_of(b, text.text);
    cr_assert_eq(b->sink.error_count, 1);
    cr_assert_eq(b->sink.diags.items[0]->code, DIAG_E0900);
    bench_free(b);
}
