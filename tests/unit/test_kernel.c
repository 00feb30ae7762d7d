/* Kernel IR without a back end: folding while building, text that parses back, and what the verifier refuses.
 */
#include "ir/kernel.h"
#include "ir/kernel_text.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct Fixture {
    Arena arena;
    Interner names;
    DiagSink sink;
} Fixture;

static void start(Fixture *f) {
    memset(f, 0, sizeof *f);
    arena_init(&f->arena, NULL);
    interner_init(&f->names, &f->arena);
    diag_init(&f->sink, &f->arena);
}

typedef struct Text {
    Arena *arena;
    VEC(char) bytes;
} Text;

static void collect(void *user, const char *text, size_t length) {
    Text *into = user;
    for (size_t i = 0; i < length; i++)
        vec_push(into->arena, &into->bytes, text[i]);
}

static const char *printed(Fixture *f, const Kernel *kernel, bool is_named) {
    Text text = {.arena = &f->arena};
    IrWriter writer = {.write = collect, .user = &text};
    (is_named ? kernel_print_named : kernel_print)(kernel, &writer);
    vec_push(&f->arena, &text.bytes, '\0');
    return text.bytes.items;
}

static Kernel *parsed(Fixture *f, const char *text) {
    return kernel_parse(&f->arena, &f->names, &f->sink, text, strlen(text), 0);
}

/* One kernel with every statement, loop, allocation and expression kind. */
static const char everything[] =
    "kernel all(x: buffer f32, p: buffer i64, i: buffer i32, n: i64, fill: bool, h: buffer f16,\n"
    "           y: out alias buffer f32, j: out buffer i32, w: out buffer f64) {\n"
    "    stream w, n * 4 by 4\n"
    "    let big: i64 = n * 4 + 3\n"
    "    var k: i64 = 0\n"
    "    alloc.reg r: f32[8, 16]\n"
    "    alloc.scratch s: f32[n, 16]\n"
    "    alloc.group g: f32[16, 16]\n"
    "    for.parallel a in 0 .. n grain 64 { y[a] = x[a] }\n"
    "    for.parallel a in 0 .. n balance p {\n"
    "        for.nz (q, u) in a of (p, i) { prefetch x[u + 12]  y[a] = x[q] }\n"
    "    }\n"
    "    for.serial a in big .. n step n + 1 { barrier }\n"
    "    for.unrolled a in 0 .. 8 step 2 { for.vector b in 0 .. 16 { r[a, b] = -0.0 } }\n"
    "    var best: f32 = -inf  var at: i64 = -1  var sum: f64 = 1e300  var all: bool = true\n"
    "    for.vector a in 0 .. n step 2 {\n"
    "        (best, at) argmax= (x[a], a)\n"
    "        sum add= f64(x[a]) * (f64(h[a]) - 0.1) / 3\n"
    "        all logical_and= (x[a] < 1 || !(x[a] != 2)) && a > 5\n"
    "    }\n"
    "    tile.mma r, s, g (8, 16, 16)\n"
    "    while k < 3 { k = k + 1 }\n"
    "    if all { w[0] = sum } else { w[0] = nan }\n"
    "    merge u over (a in p[0] .. p[1] of i, b in 0 .. n of p) {\n"
    "        case 0 1 { append k to j, y = i32(u), where(fill, x[a], fma(x[b], 2, 0.1)) if fill }\n"
    "        case 1 { append k to j = 7 }\n"
    "    }\n"
    "}\n";

static const char *source_of_everything(Fixture *f) {
    char *text = arena_copy_text(&f->arena, everything, strlen(everything));
    char *not = strstr(text, "!(x[a] != 2)"); /* the text has no `!`: write it as a call */
    cr_assert(not != NULL);
    size_t before = (size_t)(not -text);
    return arena_format(&f->arena, "%.*slogical_not(x[a] != 2)%s", (int)before, text, not +12);
}

Test(kernel, text_round_trips) {
    Fixture f;
    const char *message = "";
    start(&f);
    Kernel *kernel = parsed(&f, source_of_everything(&f));
    cr_assert(kernel != NULL, "%s at %u", f.sink.diags.items[0]->message, f.sink.diags.items[0]->span.begin);
    cr_assert(kernel_verify(kernel, &f.arena, &message), "%s", message);
    const char *canonical = printed(&f, kernel, false), *named = printed(&f, kernel, true);
    for (int form = 0; form < 2; form++) {
        Kernel *again = parsed(&f, form ? named : canonical);
        cr_assert(again != NULL, "%s\n%s", f.sink.diags.items[0]->message, form ? named : canonical);
        cr_assert(kernel_verify(again, &f.arena, &message), "%s", message);
        cr_expect_str_eq(printed(&f, again, false), canonical);
        if (form)
            cr_expect_str_eq(printed(&f, again, true), named);
    }
    for (const char *const *word =
             (const char *const[]){"append", "merge", "tile.mma", "argmax", "balance", "grain", "alias",
                                   "alloc.group", "prefetch", "stream", "barrier", "while", "for.nz", "else",
                                   "step", NULL};
         *word; word++)
        cr_expect(strstr(canonical, *word) != NULL, "%s is lost", *word);
    arena_free(&f.arena);
}

Test(kernel, equal_kernels_print_equally) {
    Fixture f;
    start(&f);
    Kernel *a = parsed(&f, "kernel one(x: buffer f32, n: i64, y: out buffer f32) {"
                           " for.vector i in 0 .. n { let t: f32 = x[i] y[i] = t + 1 } }");
    Kernel *b = parsed(&f, "kernel two(in_: buffer f32, m: i64, o: out buffer f32) {"
                           " for.vector q in 0 .. m { let z: f32 = in_[q] o[q] = z + 1.0_f32 } }");
    Kernel *c = parsed(&f, "kernel two(in_: buffer f32, m: i64, o: out buffer f32) {"
                           " for.vector q in 0 .. m { let z: f32 = in_[q] o[q] = z + 2.0_f32 } }");
    cr_assert(a && b && c);
    cr_expect_str_eq(printed(&f, a, false), printed(&f, b, false));
    cr_expect_str_neq(printed(&f, b, false), printed(&f, c, false));
    arena_free(&f.arena);
}

Test(kernel, float_constants_keep_their_bits) {
    static const struct {
        Dtype dtype;
        uint64_t bits;
    } cases[] = {{DTYPE_f32, 0x80000000},
                 {DTYPE_f32, 0x3dcccccd},
                 {DTYPE_f32, 0x7fc00001},
                 {DTYPE_f32, 0xff800000},
                 {DTYPE_f32, 1},
                 {DTYPE_f64, 0x3fb999999999999a},
                 {DTYPE_f64, 0x7ff8000000000000},
                 {DTYPE_f64, 1},
                 {DTYPE_f16, 0x2e66},
                 {DTYPE_f16, 0x0001},
                 {DTYPE_f16, 0x7bff},
                 {DTYPE_f16, 0xfc00},
                 {DTYPE_bf16, 0x3dcd},
                 {DTYPE_bf16, 0x0001},
                 {DTYPE_bf16, 0x7f7f},
                 {DTYPE_u64, UINT64_MAX},
                 {DTYPE_i64, 1ull << 63},
                 {DTYPE_i8, 0x80},
                 {DTYPE_u8, 255},
                 {DTYPE_f32, 0x7f7fffff},
                 {DTYPE_f64, 0x7fefffffffffffff}};
    Fixture f;
    start(&f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Kernel *kernel = kernel_new(&f.arena, &f.names, intern_text(&f.names, "k"));
        KernelArray *y = kernel_buffer(kernel, "y", cases[i].dtype, true);
        KernelExpr *zero = kernel_const_i64(kernel, 0);
        kernel_store(kernel, &kernel->body, y, &zero, 1, kernel_const(kernel, cases[i].dtype, cases[i].bits));
        const char *text = printed(&f, kernel, false);
        Kernel *again = parsed(&f, text);
        cr_assert(again != NULL, "%s: %s", text, f.sink.diags.items[0]->message);
        cr_expect(again->body.statements.items[0]->value->bits == cases[i].bits, "%s", text);
    }
    arena_free(&f.arena);
}

/* Every 16-bit float is printed and read back as itself (NaNs as their class). */
Test(kernel, sixteen_bit_floats_convert_both_ways) {
    for (uint64_t bits = 0; bits < 0x10000; bits++)
        for (Dtype dtype = DTYPE_f16; dtype <= DTYPE_bf16; dtype++) {
            double value = kernel_text_float(dtype, bits);
            cr_assert(value != value || kernel_text_float_bits(dtype, value) == bits);
        }
    cr_expect(kernel_text_float_bits(DTYPE_f16, 65519.9) == 0x7bff);
    cr_expect(kernel_text_float_bits(DTYPE_f16, 65520) == 0x7c00);
    cr_expect(kernel_text_float_bits(DTYPE_f16, 0x1p-25) == 0);
    cr_expect(kernel_text_float_bits(DTYPE_f16, 0x1.8p-25) == 1);
}

Test(kernel, index_arithmetic_folds) {
    Fixture f;
    start(&f);
    Kernel *kernel = kernel_new(&f.arena, &f.names, intern_text(&f.names, "k"));
    KernelExpr *n = kernel_use(kernel, kernel_scalar(kernel, "n", DTYPE_i64));
    KernelExpr *zero = kernel_const_i64(kernel, 0), *one = kernel_const_i64(kernel, 1);
    int64_t value;
    cr_expect(kernel_op2(kernel, OP_add, n, zero) == n && kernel_op2(kernel, OP_add, zero, n) == n);
    cr_expect(kernel_op2(kernel, OP_mul, one, n) == n && kernel_op2(kernel, OP_floordiv, n, one) == n);
    cr_expect(kernel_is_const_i64(kernel_op2(kernel, OP_mul, n, zero), &value) && value == 0);
    cr_expect(kernel_is_const_i64(kernel_op2(kernel, OP_mod, n, one), &value) && value == 0);
    cr_expect(kernel_is_const_i64(kernel_op2(kernel, OP_sub, n, n), &value) && value == 0);
    for (int64_t a = -9; a <= 9; a++)
        for (int64_t b = -4; b <= 4; b++) {
            if (!b)
                continue;
            KernelExpr *x = kernel_const_i64(kernel, a), *y = kernel_const_i64(kernel, b);
            int64_t down = (int64_t)__builtin_floor((double)a / (double)b);
            cr_expect(kernel_is_const_i64(kernel_op2(kernel, OP_floordiv, x, y), &value) && value == down);
            cr_expect(kernel_is_const_i64(kernel_op2(kernel, OP_mod, x, y), &value) && value == a - down * b);
        }
    KernelExpr *sum = kernel_op2(kernel, OP_add, kernel_op2(kernel, OP_add, n, kernel_const_i64(kernel, 5)),
                                 kernel_const_i64(kernel, -5));
    cr_expect(sum == n);
    cr_expect(kernel_op2(kernel, OP_floordiv, n, zero)->kind == KERNEL_OP); /* the fault stays */
    cr_expect(kernel_op2(kernel, OP_floordiv, one, zero)->kind == KERNEL_OP);
    arena_free(&f.arena);
}

/* ---- refusals ----------------------------------------------------------------------------------- */

#define HEAD                                                                                                 \
    "kernel k(x: buffer f32, p: buffer i64, b: bool, n: i64, y: out buffer f32, w: out buffer i64) { "

typedef struct Refused {
    const char *body, *reason; /* reason: part of the message */
} Refused;

static const Refused by_verifier[] = {
    {"x[0] = 1 }", "is an input"},
    {"stream x, n by n }", "is no output"},
    {"if b { stream y, n by n } }", "not at the top level"},
    {"let v: i64 = 1 v = 2 }", "not a var"},
    {"for.vector i in 0 .. n { for.vector j in 0 .. n { y[j] = 1 } } }", "in a vector loop"},
    {"for.vector i in 0 .. n { for.serial j in 0 .. i { y[j] = 1 } } }", "depends on the lane"},
    {"for.vector i in 0 .. n { if x[i] > 0 { y[i] = 1 } } }", "depends on the lane"},
    {"for.vector i in 0 .. n { for.nz (q, u) in i of (p, p) { y[i] = 1 } } }", "depends on the lane"},
    {"var s: f32 = 0 for.vector i in 0 .. n { s = x[i] } }", "outside of the vector loop"},
    {"var s: f32 = 0 for.vector i in 0 .. n { s add= x[i] y[i] = s } }", "is read in the vector loop"},
    {"var s: f32 = 0 for.vector i in 0 .. n { s add= x[i] s mul= x[i] } }", "two ops"},
    {"var s: f32 = 0 s sub= 1 }", "does not accumulate"},
    {"var s: f32 = 0 s argmax= 1 }", "does not accumulate"},
    {"var s: f32 = 0 s bitwise_or= 1 }", "does not take f32"},
    {"var s: f32 = 0 for.parallel i in 0 .. n { s add= x[i] } }", "shared by the iterations"},
    {"for.serial j in 0 .. n { for.parallel i in 0 .. n { y[i] = 1 } } }", "not at the top level"},
    {"for.vector i in 0 .. n { barrier } }", "cannot contain"},
    {"for.vector i in 0 .. n { alloc.reg t: f32[4] } }", "cannot contain"},
    {"var k: i64 = 0 for.vector i in 0 .. n { append k to w = 1 } }", "cannot contain"},
    {"alloc.reg t: f32[n] }", "constant shape"},
    {"for.unrolled i in 0 .. n { y[i] = 1 } }", "not constant"},
    {"for.vector i in 0 .. n step n { y[i] = 1 } }", "not constant"},
    {"for.serial i in 0 .. n step 0 { y[i] = 1 } }", "not positive"},
    {"for.serial i in 0 .. n grain 4 { y[i] = 1 } }", "grain or balance"},
    {"for.parallel i in 0 .. n balance x { y[i] = 1 } }", "does not hold indices"},
    {"for.parallel i in 0 .. n step 2 balance p { y[i] = 1 } }", "has a step"},
    {"y[0] = exp(f32(1)) + x[0] w[0] = exp(1) }", "does not take i64"},
    {"w[0] = left_shift(i64(b), 1) w[1] = i64(left_shift(b, b)) }", "does not take bool"},
    {"w[0] = philox(1, 2) }", "does not take i64"},
    {"merge u over (a in 0 .. n of p) { case 0 { w[0] = 1 } case 0 { w[0] = 2 } } }", "are the same"},
    {"merge u over (a in 0 .. n of p) { case { w[0] = 1 } } }", "names no operand"},
    {"alloc.scratch t: f32[4, 4] tile.mma t, t, t (4, 4, 8) }", "does not fit"},
    {"alloc.scratch t: f32[4] tile.mma t, t, t (4, 4, 4) }", "rank 2"},
    {"var k: i64 = 0 append k to x = 1 }", "is an input"},
    {"var k: f32 = 0 append k to y = 1 }", "not i64"},
};

static const Refused by_parser[] = {
    {"y[0] = z }", "unknown name"},
    {"y[0] = 1 + }", "expected a name"},
    {"y = 1 }", "expected `[`"},
    {"y[0, 1] = 1 }", "takes 1 indices"},
    {"w[0] = 1.5 }", "float literal"},
    {"w[0] = x[0] }", "f32 where i64"},
    {"y[0] = x[0] + n }", "operands of"},
    {"var s: f32 = 0 var s: f32 = 1 }", "declared twice"},
    {"for.serial i in 0 .. n { let t: f32 = 1 } y[0] = t }", "unknown name"},
    {"if n { y[0] = 1 } }", "i64 where bool"},
    {"for.sideways i in 0 .. n { } }", "expected serial"},
    {"let c: u8 = 256 }", "does not fit u8"},
    {"let c: u8 = -1 }", "does not fit u8"},
    {"let c: i64 = 99999999999999999999 }", "too large"},
    {"y[0] = exp(1, 2) }", "takes 1 operands"},
    {"y[0] = 1 ", "expected a name"},
    {"} }", "after the kernel's end"},
    {"merge u over (a in 0 .. n of p) { case 1 { } } }", "no operand 1"},
};

Test(kernel, verifier_refuses) {
    for (size_t i = 0; i < sizeof by_verifier / sizeof *by_verifier; i++) {
        Fixture f;
        const char *message = "accepted";
        start(&f);
        Kernel *kernel = parsed(&f, arena_format(&f.arena, HEAD "%s", by_verifier[i].body));
        cr_assert(kernel != NULL, "%s: %s", by_verifier[i].body, f.sink.diags.items[0]->message);
        cr_expect(!kernel_verify(kernel, &f.arena, &message) && strstr(message, by_verifier[i].reason),
                  "%s: %s", by_verifier[i].body, message);
        arena_free(&f.arena);
    }
}

Test(kernel, parser_refuses) {
    for (size_t i = 0; i < sizeof by_parser / sizeof *by_parser; i++) {
        Fixture f;
        start(&f);
        Kernel *kernel = parsed(&f, arena_format(&f.arena, HEAD "%s", by_parser[i].body));
        cr_assert(kernel == NULL && f.sink.error_count == 1, "accepted: %s", by_parser[i].body);
        cr_expect(strstr(f.sink.diags.items[0]->message, by_parser[i].reason), "%s: %s", by_parser[i].body,
                  f.sink.diags.items[0]->message);
        arena_free(&f.arena);
    }
}

Test(kernel, deep_nesting_is_an_error) {
    Fixture f;
    start(&f);
    enum { DEPTH = 100000 };
    char *text = calloc(DEPTH + 200, 1);
    strcpy(text, HEAD "y[0] = ");
    memset(text + strlen(text), '(', DEPTH);
    cr_expect(parsed(&f, text) == NULL && f.sink.diags.items[0]->code == DIAG_E0103);
    memset(text, 0, DEPTH + 200);
    strcpy(text, HEAD "y[0] = ");
    memset(text + strlen(text), '-', DEPTH);
    cr_expect(parsed(&f, text) == NULL);
    free(text);
    arena_free(&f.arena);
}

/* Built by hand, which the parser cannot write: the verifier sees what builders can get wrong. */
Test(kernel, verifier_refuses_built_kernels) {
    Fixture f;
    const char *message = "";
    start(&f);
    Kernel *kernel = kernel_new(&f.arena, &f.names, intern_text(&f.names, "k"));
    KernelArray *x = kernel_buffer(kernel, "x", DTYPE_f32, true);
    KernelExpr *zero = kernel_const_i64(kernel, 0);
    KernelVariable *unknown = kernel_variable(kernel, KERNEL_LET, "t", DTYPE_f32);
    KernelStatement *store = kernel_store(kernel, &kernel->body, x, &zero, 1, kernel_use(kernel, unknown));
    cr_expect(!kernel_verify(kernel, &f.arena, &message) && strstr(message, "not declared"));
    store->value = kernel_const(kernel, DTYPE_f64, 0);
    cr_expect(!kernel_verify(kernel, &f.arena, &message) && strstr(message, "f64, not f32"));
    store->value =
        kernel_op2(kernel, OP_add, kernel_const(kernel, DTYPE_f32, 0), kernel_const(kernel, DTYPE_f64, 0));
    cr_expect(!kernel_verify(kernel, &f.arena, &message) && strstr(message, "an operand of `add`"));
    store->value = kernel_const(kernel, DTYPE_f32, 0);
    store->indices[0] = kernel_const(kernel, DTYPE_i32, 0);
    cr_expect(!kernel_verify(kernel, &f.arena, &message) && strstr(message, "not i64"));
    store->indices[0] = zero;
    store->count = 2;
    store->indices[1] = zero;
    cr_expect(!kernel_verify(kernel, &f.arena, &message) && strstr(message, "has rank 1"));
    store->count = 1;
    cr_expect(kernel_verify(kernel, &f.arena, &message));
    kernel_declare(kernel, &kernel->body, unknown, store->value);
    kernel_declare(kernel, &kernel->body, unknown, store->value);
    cr_expect(!kernel_verify(kernel, &f.arena, &message) && strstr(message, "declared twice"));
    arena_free(&f.arena);
}
