/* The lexer, the grammar and the rendering of errors: tables of programs with the tree or the error expected.
 */
#include "frontend/parse.h"
#include "frontend/source.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Bench {
    Arena arena;
    Interner interner;
    SourceMap sources;
    DiagSink diags;
    AstNode *tree;
} Bench;

static void bench_parse(Bench *bench, const char *text, size_t length) {
    arena_init(&bench->arena, NULL);
    interner_init(&bench->interner, &bench->arena);
    source_map_init(&bench->sources, &bench->arena);
    diag_init(&bench->diags, &bench->arena);
    ParseContext context = {&bench->arena, &bench->interner, &bench->diags};
    SourceFile *file = source_add(&bench->sources, &bench->diags, "t.gmx", text, length);
    bench->tree = file ? parse_source(&context, file) : NULL;
}

static const char *bench_errors(Bench *bench) {
    return source_render_all(&bench->sources, &bench->arena, &bench->diags, DIAG_HUMAN);
}

/* ---- good programs ---- */

typedef struct Good {
    const char *text, *tree;
} Good;

static void check_good(const Good *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        Bench bench;
        bench_parse(&bench, cases[i].text, strlen(cases[i].text));
        cr_assert_eq(bench.diags.error_count, 0, "%s\n%s", cases[i].text, bench_errors(&bench));
        const char *tree = ast_print_tree(&bench.arena, bench.tree);
        cr_expect_str_eq(tree, cases[i].tree, "%s\ngave     %sexpected %s", cases[i].text, tree,
                         cases[i].tree);
        arena_free(&bench.arena);
    }
}

#define CHECK_GOOD(cases) check_good((cases), sizeof(cases) / sizeof *(cases))

Test(parse, precedence) {
    static const Good cases[] = {
        {"-x^2", "(negate (^ x 2))\n"},
        {"2^-x", "(^ 2 (negate x))\n"},
        {"2^-x*3", "(* (^ 2 (negate x)) 3)\n"},
        {"a^b^c", "(^ a (^ b c))\n"},
        {"-x.T^2", "(negate (^ (field T x) 2))\n"},
        {"a - b - c", "(- (- a b) c)\n"},
        {"a / b * c // d % e @ f", "(@ (% (// (* (/ a b) c) d) e) f)\n"},
        {"a + b * -c", "(+ a (* b (negate c)))\n"},
        {"not a == b and c", "(and (not (== a b)) c)\n"},
        {"a or b and not c", "(or a (and b (not c)))\n"},
        {"not not a", "(not (not a))\n"},
        {"a == b and c != d or e <= f", "(or (and (== a b) (!= c d)) (<= e f))\n"},
        {"a < (b < c)", "(< a (< b c))\n"},
        {"(a < b) < c", "(< (< a b) c)\n"},
        {"0..n-1", "(range 0 (- n 1))\n"},
        {"a..b == c", "(== (range a b) c)\n"},
        {"a |> f |> g(2, k=3)", "(pipe (pipe a f) (call g 2 (keyword k 3)))\n"},
        {"a or b |> f", "(pipe (or a b) f)\n"},
        {"x |> (grad(f))", "(pipe x (call grad f))\n"},
        {"x |> fn(v) = v + 1", "(pipe x (fn (parameters (parameter v _ _)) _ (+ v 1)))\n"},
        {"fn(x) = x |> f", "(fn (parameters (parameter x _ _)) _ (pipe x f))\n"},
        {"f(x)[0].w(y)", "(call (field w (index (call f x) 0)) y)\n"},
    };
    CHECK_GOOD(cases);
}

Test(parse, statements) {
    static const Good cases[] = {
        {"let (a, (b, _)) = f(x)", "(let (tuple-pattern a (tuple-pattern b _)) _ (call f x))\n"},
        {"mut x: f32[3] = zeros(3)", "(mut x (type f32 3) (call zeros 3))\n"},
        {"(a, x[0].w) = (b, 1)", "(= (tuple a (field w (index x 0))) (tuple b 1))\n"},
        {"x[i, j] += 3; y //= 2; z @= w; k ^= 2", "(+= (index x i j) 3)\n(//= y 2)\n(@= z w)\n(^= k 2)\n"},
        {"for i in 0..3 { print(i) }", "(for i (range 0 3) (block (call print i)))\n"},
        {"while not done { i -= 1 }", "(while (not done) (block (-= i 1)))\n"},
        {"if a { 1 } else if b { 2 } else { 3 }", "(if a (block 1) (if b (block 2) (block 3)))\n"},
        {"import \"a.gmx\"", "(import \"a.gmx\")\n"},
        {"let a = b; ;; let c = d;", "(let a _ b)\n(let c _ d)\n"},
        {"fn f(x) { if x { return x }; return }",
         "(fn f (parameters (parameter x _ _)) _ (block (if x (block (return x)) _) (return _)))\n"},
        {"", ""},
        {"# only a comment", ""},
        {"let dim = 3; on + graph(x, state=1)", "(let dim _ 3)\n(+ on (call graph x (keyword state 1)))\n"},
        {"x.in.for.state.f32.break", "(field break (field f32 (field state (field for (field in x)))))\n"},
    };
    CHECK_GOOD(cases);
}

Test(parse, newline_rule) {
    static const Good cases[] = {
        {"let y = x\n    |> relu\n    # between\n\n    |> f", "(let y _ (pipe (pipe x relu) f))\n"},
        {"let y = x\n  .reshape(3)\n  .T", "(let y _ (field T (call (field reshape x) 3)))\n"},
        {"let y = a +\n  b *\n  c", "(let y _ (+ a (* b c)))\n"},
        {"let y = a\n- b", "(let y _ a)\n(negate b)\n"},
        {"f(a,\n  b,\n)", "(call f a b)\n"},
        {"let m = [[1, 2],\n [3, 4],]", "(let m _ (array (array 1 2) (array 3 4)))\n"},
        {"if a {\n 1\n}\nelse {\n 2\n}", "(if a (block 1) (block 2))\n"},
        {"f(if c {\n let a = 1\n a\n} else { b }, 2)", "(call f (if c (block (let a _ 1) a) (block b)) 2)\n"},
        {"return\nx", "(return _)\nx\n"},
        {"fn f(x)\n  -> f32 = x", "(fn f (parameters (parameter x _ _)) (type f32) x)\n"},
        {"let x = 1\r\nlet y = x +\r\n 2\r\n", "(let x _ 1)\n(let y _ (+ x 2))\n"},
        {"elsewhere\nelse_where", "elsewhere\nelse_where\n"},
        {"fn f(x) {}", "(fn f (parameters (parameter x _ _)) _ (block))\n"},
    };
    CHECK_GOOD(cases);
}

Test(parse, types) {
    static const Good cases[] = {
        {"fn f(a: f32, b: f32[], c: u16[2*n+1, _, ...s], d: sparse T[n]) = a",
         "(fn f (parameters (parameter a (type f32) _) (parameter b (type f32) _) (parameter c (type u16 (+ "
         "(* 2 n) "
         "1) _ (dim-rest s)) _) (parameter d (storage-type sparse (type T n)) _)) _ a)\n"},
        {"fn f(g: graph, h: graph[n], s: dim, w: f32[h] on g, v: csr c128[n, m] on a) = w",
         "(fn f (parameters (parameter g (graph-type) _) (parameter h (graph-type n) _) (parameter s "
         "(dim-type) _) "
         "(parameter w (edge-type (type f32 h) g) _) (parameter v (edge-type (storage-type csr (type c128 n "
         "m)) a) "
         "_)) _ w)\n"},
        {"fn f(net: MLP(784, h), b: bool = true) -> (f32[n], (i64,), ()) = net",
         "(fn f (parameters (parameter net (layer-type MLP 784 h) _) (parameter b (type bool) true)) "
         "(tuple-type "
         "(type f32 n) (tuple-type (type i64)) (tuple-type)) net)\n"},
        {"fn f(x: (f32)) = x", "(fn f (parameters (parameter x (type f32) _)) _ x)\n"},
    };
    CHECK_GOOD(cases);
}

Test(parse, declarations) {
    static const Good cases[] = {
        {"layer L(d: dim, act = relu) {\n ## weight\n ## two lines\n param w: f32[d] = zeros()\n state m: "
         "f32 = 0\n"
         " let fc = Linear(d, d); let k = 1\n\n ## doc\n fn forward(x) { let state = x; state }\n}",
         "(layer L (parameters (parameter d (dim-type) _) (parameter act _ relu)) (param w ##\"weight\\ntwo "
         "lines\" "
         "(type f32 d) (call zeros)) (state m (type f32) 0) (let fc _ (call Linear d d)) (let k _ 1) (fn "
         "forward "
         "##\"doc\" (parameters (parameter x _ _)) _ (block (let state _ x) state)))\n"},
        {"rule r(g: graph[n], x: f32[n]) -> f32[n] {\n message u -> v = x[u]\n aggregate sum\n"
         " update v, m { m }\n}",
         "(rule r (parameters (parameter g (graph-type n) _) (parameter x (type f32 n) _)) (type f32 n) "
         "(message u v "
         "(index x u)) (aggregate sum) (update v m (block m)))\n"},
        {"## of f\nexport fn f(x: f32) -> f32 = x",
         "(export-fn f ##\"of f\" (parameters (parameter x (type f32) _)) (type f32) x)\n"},
        {"## not of f\n\nfn f() = 1 ## nor this\nfn g() = 2",
         "(fn f (parameters) _ 1)\n(fn g (parameters) _ 2)\n"},
        {"const eps = 1e-5", "(const eps _ 1e-05)\n"},
    };
    CHECK_GOOD(cases);
}

Test(parse, index_expressions) {
    static const Good cases[] = {
        {"x[..., -1, None, ::2, :-1, 1:, :, a:b:c]", "(index x ... (negate 1) None (slice _ _ 2) (slice _ "
                                                     "(negate 1) _) (slice 1 _ _) (slice _ _ _) (slice a b "
                                                     "c))\n"},
        {"[a[i] for i, j in 0..3, u -> v in g]",
         "(comprehension (index a i) (binder i _) (binder j (range 0 3)) (edge-binder u v g))\n"},
        {"[sum(h[u] * w[u -> v] for u -> v in g) for v in g]",
         "(comprehension (call sum (generator (* (index h u) (index w (edge u v))) (edge-binder u v g))) "
         "(binder v "
         "g))\n"},
        {"f(x, axis=0, dtype=f32)", "(call f x (keyword axis 0) (keyword dtype f32))\n"},
    };
    CHECK_GOOD(cases);
}

Test(parse, literals) {
    static const Good cases[] = {
        {"1_000; 0xff_FF; 18446744073709551615; 007.5", "1000\n65535\n18446744073709551615\n7.5\n"},
        {"1.5e-3; 1e3; 2.5j; 3j; 0.1; 1e-999", "0.0015\n1000.0\n2.5j\n3.0j\n0.1\n0.0\n"},
        {"1.T; 1..n; [1, 2][0]", "(field T 1)\n(range 1 n)\n(index (array 1 2) 0)\n"},
        {"true; false; (); (1,); [];", "true\nfalse\n(tuple)\n(tuple 1)\n(array)\n"},
        {"\"a\\n\\t\\r\\\"\\\\\\u{3b1}{{}}\"", "\"a\\n\\u{9}\\u{d}\\\"\\\\α{}\"\n"},
        {"\"\"", "\"\"\n"},
        {"\"{x}\"", "(interpolation (interpolated x))\n"},
        {"\"a {x:.3f} c {f(\"q {z}\")} {a[1:2]}!\"",
         "(interpolation \"a \" (interpolated \".3f\" x) \" c \" (interpolated (call f (interpolation \"q \" "
         "(interpolated z)))) \" \" (interpolated (index a (slice 1 2 _))) \"!\")\n"},
        {"\"{if c { 1 } else { 2 }:*^+08.2e}\"",
         "(interpolation (interpolated \"*^+08.2e\" (if c (block 1) (block 2))))\n"},
        {"let α = 1; αβ2 + α", "(let α _ 1)\n(+ αβ2 α)\n"},
    };
    CHECK_GOOD(cases);
}

/* "é" as one code point and as `e` with an accent are one name. */
Test(parse, names_are_nfc) {
    static const char *const pairs[][2] = {{"caf\u00e9", "cafe\u0301"},
                                           {"\u1e69", "s\u0307\u0323"},
                                           {"\uac01", "\u1100\u1161\u11a8"},
                                           {"\u212b", "A\u030a"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s + %s", pairs[i][0], pairs[i][1]);
        Bench bench;
        bench_parse(&bench, text, strlen(text));
        cr_assert_eq(bench.diags.error_count, 0, "%s", bench_errors(&bench));
        AstNode *sum = ast_block_statements(bench.tree).items[0];
        cr_expect_eq(ast_binary_left(sum)->name, ast_binary_right(sum)->name, "%s", text);
        arena_free(&bench.arena);
    }
}

Test(parse, numbers_are_exact) {
    static const char *const texts[] = {"0.1",    "3.141592653589793",      "1e22",
                                        "1e23",   "9007199254740993.0",     "1.7976931348623157e308",
                                        "5e-324", "123456789012345678e-10", "2.2250738585072011e-308"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Bench bench;
        bench_parse(&bench, texts[i], strlen(texts[i]));
        AstNode *number = ast_block_statements(bench.tree).items[0];
        cr_expect_eq(number->number, strtod(texts[i], NULL), "%s", texts[i]);
        arena_free(&bench.arena);
    }
}

/* ---- wrong programs ---- */

typedef struct Wrong {
    const char *text, *code;
    uint32_t line, column;
    uint32_t count; /* of errors in all */
} Wrong;

static void check_wrong(const Wrong *wrong) {
    Bench bench;
    bench_parse(&bench, wrong->text, strlen(wrong->text));
    cr_assert_gt(bench.diags.error_count, 0, "accepted: %s", wrong->text);
    const Diag *first = bench.diags.diags.items[0];
    SourcePlace place = source_place(&bench.sources, first->span.begin);
    bool as_expected = !strcmp(diag_code_text(first->code), wrong->code) && place.line == wrong->line &&
                       place.column == wrong->column && bench.diags.error_count == wrong->count;
    cr_expect(as_expected, "%s\nexpected %s at %u:%u, %u errors, got %u:\n%s", wrong->text, wrong->code,
              wrong->line, wrong->column, wrong->count, bench.diags.error_count, bench_errors(&bench));
    arena_free(&bench.arena);
}

static const Wrong wrong_programs[] = {
    {"x ** 2", "E0105", 1, 3, 1},
    {"a && b || !c", "E0105", 1, 3, 3},
    {"a & b", "E0105", 1, 3, 1},
    {"~a", "E0105", 1, 1, 1},
    {"x **= 2", "E0105", 1, 3, 1},
    {"let x = 1.", "E0004", 1, 9, 1},
    {"let x = .5", "E0004", 1, 9, 1},
    {"1.e5", "E0004", 1, 1, 1},
    {"12abc", "E0004", 1, 1, 1},
    {"1__0", "E0004", 1, 1, 1},
    {"0x", "E0004", 1, 1, 1},
    {"0b11", "E0004", 1, 1, 1},
    {"007", "E0004", 1, 1, 1},
    {"18446744073709551616", "E0004", 1, 1, 1},
    {"0x1_0000_0000_0000_0000", "E0004", 1, 1, 1},
    {"1e999", "E0004", 1, 1, 1},
    {"a < b < c", "E0104", 1, 7, 1},
    {"a == b != c", "E0104", 1, 8, 1},
    {"0..1..2", "E0104", 1, 5, 1},
    {"f(x) = 3", "E0106", 1, 1, 1},
    {"a + b = 3", "E0106", 1, 1, 1},
    {"(a, b) += 1", "E0106", 1, 1, 1},
    {"(a, 1) = x", "E0106", 1, 5, 1},
    {"() = x", "E0106", 1, 1, 1},
    {"f(x).y = 3", "E0106", 1, 1, 1},
    {"a == not b", "E0107", 1, 6, 1},
    {"- not b", "E0107", 1, 3, 1},
    {"0..not b", "E0107", 1, 4, 1},
    {"x |> f + 1", "E0108", 1, 6, 1},
    {"x |> 3", "E0108", 1, 6, 1},
    {"x |> f[0]", "E0108", 1, 6, 1},
    {"let x =\nlet y = 2", "E0101", 1, 7, 1},
    {"let y = a @\nfn f(x) = x", "E0101", 1, 11, 1},
    {"x +", "E0101", 1, 3, 1},
    {"let if = 3", "E0101", 1, 5, 1},
    {"let layer = 3", "E0101", 1, 5, 1},
    {"f(layer=3)", "E0101", 1, 3, 1},
    {"let a b = 3\nlet = 4\nmut y", "E0101", 1, 7, 3},
    {"fn f(x)\n{\n x\n}\nlet y = 1", "E0101", 1, 8, 1},
    {"else { 2 }", "E0101", 1, 1, 1},
    {"def f(x): return x", "E0101", 1, 5, 1},
    {"for i in n: print(i)", "E0101", 1, 11, 1},
    {"c = {1: 2}", "E0101", 1, 5, 1},
    {"x = y = z", "E0101", 1, 7, 1},
    {"if x = 3 { 1 }", "E0101", 1, 6, 1},
    {"sum(e for i, axis=0)", "E0101", 1, 18, 1},
    {"sum(e for i if i > 0)", "E0101", 1, 13, 1},
    {"f(k=1 for i)", "E0101", 1, 7, 1},
    {"type T = f32", "E0101", 1, 1, 1},
    {"break", "E0101", 1, 1, 1},
    {"fn f(x: sparse) = x", "E0101", 1, 15, 1},
    {"layer L(d) { x = 3 }", "E0101", 1, 14, 1},
    {"rule r(g) { message u, v { 1 }; aggregate sum }", "E0101", 1, 22, 1},
    {"x[a -> b -> c]", "E0101", 1, 10, 1},
    {"\"{}\"", "E0101", 1, 3, 1},
    {"\"{x:q}\"", "E0101", 1, 4, 1},
    {"\"{x:99999}\"", "E0101", 1, 4, 1},
    {"f(a, b\nlet y = 3\nfn g(x) = x", "E0102", 1, 2, 1},
    {"let x = (((1))\nlet z = 2", "E0102", 1, 9, 1},
    {"if a { 1\nlet x = 2", "E0102", 1, 6, 1},
    {"(1, 2", "E0102", 1, 1, 1},
    {"(1, 2]", "E0102", 1, 6, 1},
    {"f([1, 2)\nlet z = 3", "E0102", 1, 8, 1},
    {"} let a = 1", "E0102", 1, 1, 1},
    {"fn f(x) { g(x }", "E0102", 1, 12, 1},
    {"let x = \"abc\nlet y = 2", "E0005", 1, 9, 1},
    {"print(\"abc)\nlet y = 2", "E0005", 1, 7, 1},
    {"\"a {x\"\nlet y = 3", "E0005", 1, 1, 1},
    {"\"a {x\n} b\"\nlet y = 3", "E0005", 1, 1, 2},
    {"\"{x:.3f\"", "E0005", 1, 1, 1},
    {"\"a } b\"", "E0006", 1, 4, 1},
    {"\"\\q\"", "E0006", 1, 2, 1},
    {"\"\\u{d800} \\u{110000} \\u41\"", "E0006", 1, 2, 3},
    {"let s = 'abc'", "E0003", 1, 9, 1},
    {"α $ 1", "E0003", 1, 3, 2},
    {"a − b", "E0003", 1, 3, 2},
};

Test(parse, wrong_programs) {
    for (size_t i = 0; i < sizeof wrong_programs / sizeof *wrong_programs; i++)
        check_wrong(&wrong_programs[i]);
}

Test(parse, recovery_keeps_the_rest) {
    static const char text[] =
        "let a = 1\nlet b = = 2\nfn f(x) {\n  let c = )\n  let d = x\n  d\n}\nlet e = 3\n";
    Bench bench;
    bench_parse(&bench, text, strlen(text));
    cr_expect_eq(bench.diags.error_count, 2, "%s", bench_errors(&bench));
    cr_expect_str_eq(
        ast_print_tree(&bench.arena, bench.tree),
        "(let a _ 1)\n(error)\n(fn f (parameters (parameter x _ _)) _ (block (error) (let d _ x) d))\n"
        "(let e _ 3)\n");
    arena_free(&bench.arena);
}

Test(parse, at_most_twenty_errors) {
    char text[4096] = "";
    for (int i = 0; i < 100; i++)
        strcat(text, "let if = 3\n");
    Bench bench;
    bench_parse(&bench, text, strlen(text));
    cr_expect_eq(bench.diags.diags.count, DIAG_LIMIT);
    arena_free(&bench.arena);
}

/* ---- rendering ---- */

Test(render, one_place) {
    Bench bench;
    bench_parse(&bench, "let α = 1\n\tα ** 2", strlen("let α = 1\n\tα ** 2"));
    cr_expect_str_eq(bench_errors(&bench), "error[E0105]: `**` is written `^` in GMX\n"
                                           "  --> t.gmx:2:4\n"
                                           "   |\n"
                                           " 2 |     α ** 2\n"
                                           "   |       ^^\n");
    cr_expect_str_eq(
        source_render(&bench.sources, &bench.arena, bench.diags.diags.items[0], DIAG_JSON),
        "{\"code\":\"E0105\",\"severity\":\"error\",\"file\":\"t.gmx\",\"line\":2,\"column\":4,"
        "\"end_line\":2,\"end_column\":6,\"message\":\"`**` is written `^` in GMX\",\"labels\":[],"
        "\"notes\":[]}\n");
    arena_free(&bench.arena);
}

/* The shape error of docs/language.md, and labels on other lines. */
Test(render, labels) {
    static const char text[] = "fn f(x, w1) {\n        let h = x @ w1\n}\n";
    Bench bench;
    bench_parse(&bench, text, strlen(text));
    uint32_t base = bench.sources.files.items[0]->base, x = base + 30, bound = base + 5;
    Diag *diag = diag_error(&bench.diags, DIAG_E0203, (Span){x + 2, x + 3}, "shapes do not match for `@`");
    diag_label(&bench.diags, diag, (Span){x, x + 1}, "f32[64, 784]");
    diag_label(&bench.diags, diag, (Span){x + 4, x + 6}, "f32[32, 512]");
    diag_label(&bench.diags, diag, (Span){bound, bound + 1}, "bound here");
    diag_note(&bench.diags, diag, "the inner sizes 784 and 32 differ");
    cr_expect_str_eq(bench_errors(&bench), "error[E0203]: shapes do not match for `@`\n"
                                           "  --> t.gmx:2:19\n"
                                           "   |\n"
                                           " 2 |         let h = x @ w1\n"
                                           "   |                 ^ ~ ^^ f32[32, 512]\n"
                                           "   |                 |\n"
                                           "   |                 f32[64, 784]\n"
                                           "  --> t.gmx:1:6\n"
                                           "   |\n"
                                           " 1 | fn f(x, w1) {\n"
                                           "   |      - bound here\n"
                                           "   = the inner sizes 784 and 32 differ\n");
    arena_free(&bench.arena);
}

/* ---- bytes, sizes and depth ---- */

Test(source, bytes) {
    static const struct {
        const char *text;
        size_t length;
        const char *message;
    } cases[] = {
        {"let x\0 = 1", 10, "a NUL byte at offset 5; a source is text"},
        {"# \xc3\xa9\n\xff", 6, "byte 0xff at offset 5 is not valid UTF-8"},
        {"12345678\xc0\x80", 10, "byte 0xc0 at offset 8 is not valid UTF-8"},
        {"\xed\xa0\x80", 3, "byte 0xed at offset 0 is not valid UTF-8"},
        {"\xf4\x90\x80\x80", 4, "byte 0xf4 at offset 0 is not valid UTF-8"},
        {"ab\xe2\x82", 4, "byte 0xe2 at offset 2 is not valid UTF-8"},
        {"\xef\xbb\xbfx", 4, "the source begins with a byte order mark"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Bench bench;
        bench_parse(&bench, cases[i].text, cases[i].length);
        cr_assert_eq(bench.diags.error_count, 1);
        cr_expect_eq(bench.diags.diags.items[0]->code, DIAG_E0001);
        cr_expect_str_eq(bench.diags.diags.items[0]->message, cases[i].message);
        cr_expect_neq(bench_errors(&bench)[0], 0);
        arena_free(&bench.arena);
    }
}

Test(source, places_in_a_long_file) {
    size_t lines = 40000;
    char *text = malloc(lines * 6 + 1), *end = text;
    for (size_t i = 0; i < lines; i++, end += 6)
        memcpy(end,
               i % 2 ? "# \xce\xb1"
                       "b\n"
                     : "x + 1\n",
               6);
    *end = 0;
    Bench bench;
    bench_parse(&bench, text, (size_t)(end - text));
    uint32_t base = bench.sources.files.items[0]->base;
    for (uint32_t line = 1; line <= lines; line += 997) {
        SourcePlace place = source_place(&bench.sources, base + (line - 1) * 6 + 4);
        cr_expect_eq(place.line, line);
        cr_expect_eq(place.column, line % 2 ? 5 : 4);
    }
    arena_free(&bench.arena);
    free(text);
}

static char *repeat(const char *before, const char *text, size_t count, const char *after, size_t *length) {
    size_t size = strlen(text), head = strlen(before), tail = strlen(after);
    char *all = malloc(head + size * count + tail + 1), *end = all + head;
    memcpy(all, before, head);
    for (size_t i = 0; i < count; i++, end += size)
        memcpy(end, text, size);
    memcpy(end, after, tail + 1);
    *length = (size_t)(end - all) + tail;
    return all;
}

/* Inputs made to exhaust a parser: a clear error, quickly. */
Test(parse, hostile_inputs, .timeout = 120) {
    enum { MEGA = 1 << 20 };
    static const struct {
        const char *before, *text;
        size_t count;
        const char *after;
        DiagCode code; /* DIAG_NONE: accepted */
    } cases[] = {
        {"", "(", 100000, "", DIAG_E0103},
        {"let x = ", "[", 100000, "\n", DIAG_E0103},
        {"", "\"{", 100000, "", DIAG_E0103},
        {"", "-", 100000, "x", DIAG_E0103},
        {"", "not ", 100000, "x", DIAG_E0103},
        {"1", "^1", 100000, "", DIAG_E0103},
        {"let f = ", "fn(x) = ", 100000, "x", DIAG_E0103},
        {"if a { 1 } ", "else if a { 1 } ", 100000, "", DIAG_E0103},
        {"", "if a { ", 100000, "", DIAG_E0103},
        {"", "fn f(x) { ", 100000, "", DIAG_E0103},
        {"x", ".a", 100000, "", DIAG_E0103},
        {"x", "(1)", 100000, "", DIAG_E0103},
        {"x", " |> f", 100000, "", DIAG_E0103},
        {"1", "+1", 25 * MEGA, "", DIAG_E0103},
        {"", "+", 50 * MEGA, "", DIAG_E0101},
        {"", "* ", 25 * MEGA, "", DIAG_E0101},
        {"", "-", 50 * MEGA, "1", DIAG_E0103},
        {"", "$ ", 25 * MEGA, "1", DIAG_E0003},
        {"[", "1,", 25 * MEGA, "]", DIAG_E0002},
        {"", "x\n", 25 * MEGA, "", DIAG_E0002},
        {"", "x = 1\n", 100 * MEGA / 6, "", DIAG_E0002},
        {"", "\n", 50 * MEGA, "", DIAG_NONE},
        {"\"", "a", 50 * MEGA, "\"", DIAG_NONE},
        {"let y = ", "-", AST_NESTING_LIMIT, "x", DIAG_NONE},
        {"let y = ", "-", AST_NESTING_LIMIT + 1, "x", DIAG_E0103},
        {"x", " |> f", AST_HEIGHT_LIMIT - 1, "", DIAG_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t length;
        char *text = repeat(cases[i].before, cases[i].text, cases[i].count, cases[i].after, &length);
        Bench bench;
        bench_parse(&bench, text, length);
        free(text);
        DiagCode code = bench.diags.diags.count ? bench.diags.diags.items[0]->code : DIAG_NONE;
        cr_expect_eq(code, cases[i].code, "%s × %zu gave %s", cases[i].text, cases[i].count,
                     diag_code_text(code));
        cr_expect_lt(strlen(bench_errors(&bench)), 20000);
        arena_free(&bench.arena);
    }
}

Test(parse, nesting_of_256_is_allowed) {
    static const struct {
        const char *open, *close;
    } cases[] = {{"(", ")"}, {"[", "]"}, {"f(", ")"}, {"-(", ")"}, {"if a { ", " }"}, {"fn(x) { ", " }"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t depth = AST_NESTING_LIMIT; depth <= AST_NESTING_LIMIT + 1; depth++) {
            size_t length;
            char *tail = repeat("x", cases[i].close, depth, "", &length);
            char *text = repeat("", cases[i].open, depth, tail, &length);
            Bench bench;
            bench_parse(&bench, text, length);
            cr_expect_eq(bench.diags.error_count, depth > AST_NESTING_LIMIT, "%s %zu", cases[i].open, depth);
            arena_free(&bench.arena);
            free(text);
            free(tail);
        }
}

/* ---- the REPL's question ---- */

Test(parse, is_complete) {
    static const struct {
        const char *text;
        bool is_complete;
    } cases[] = {
        {"", true},
        {"x\n", true},
        {"x +\n", false},
        {"f(a,\n", false},
        {"let x =\n", false},
        {"if a {\n", false},
        {"if a {\n1\n}\n", true},
        {"f(a))\n", true},
        {"(1]\n", true},
        {"\"abc\n", true},
        {"\"abc", true},
        {"\"{x\n", true},
        {"# note\n", true},
        {"## doc\n", false},
        {"## doc\nfn f(x) = x\n", true},
        {"fn f(x) =\n", false},
        {"x # +\n", true},
        {"let a b\n", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena scratch;
        arena_init(&scratch, NULL);
        cr_expect_eq(parse_is_complete(&scratch, cases[i].text, strlen(cases[i].text)), cases[i].is_complete,
                     "%s", cases[i].text);
        arena_free(&scratch);
    }
}

Test(parse, tokens) {
    Bench bench;
    bench_parse(&bench, "", 0);
    ParseContext context = {&bench.arena, &bench.interner, &bench.diags};
    SourceFile *file = source_add(&bench.sources, &bench.diags, "u.gmx", "α = 1.5 # c\nx", 14);
    cr_expect_str_eq(parse_print_tokens(&context, file),
                     "1:1\ta name\tα\n1:3\t`=`\t=\n1:5\ta number\t1.5\n1:12\tthe end of the statement\n"
                     "2:1\ta name\tx\n2:2\tthe end of the statement\n");
    arena_free(&bench.arena);
}
