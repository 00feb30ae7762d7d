/* gmx fmt: what it makes of a source, and that doing it twice changes nothing. */
#include "frontend/fmt.h"

#include <criterion/criterion.h>
#include <string.h>

static const char *format(Arena *arena, const char *text) {
    Interner interner;
    SourceMap sources;
    DiagSink diags;
    interner_init(&interner, arena);
    source_map_init(&sources, arena);
    diag_init(&diags, arena);
    ParseContext context = {arena, &interner, &diags};
    return fmt_source(&context, source_add(&sources, &diags, "t.gmx", text, strlen(text)));
}

static const char *const cases[][2] = {
    {"", ""},
    {"  let   x=1 ;  y=2\n\n\n\n z", "let x = 1; y = 2\n\nz\n"},
    {"f( a,b , k = 3 )[ i,: , 1 : 2 ]", "f(a, b, k=3)[i, :, 1:2]\n"},
    {"a+b; a +b; 0..n-1; -x^2; a- -b; not(x)", "a+b; a + b; 0..n-1; -x^2; a - -b; not (x)\n"},
    {"fn f(x:f32[ 3 ],p:f32=1,q=2)->f32{\nlet y=x#note\n# own\n  y}",
     "fn f(x: f32[3], p: f32 = 1, q=2) -> f32 {\n    let y = x  #note\n    # own\n    y }\n"},
    {"let y = x\n|> f(\n1,\n)\n.T", "let y = x\n    |> f(\n        1,\n    )\n    .T\n"},
    {"g(if c {\n1\n} else { 2 }, 3)", "g(if c {\n    1\n} else { 2 }, 3)\n"},
    {"\"a {x  +  \"{ y }\"} b\"  ", "\"a {x  +  \"{ y }\"} b\"\n"},
    {"## doc  \r\nconst α=1\r\n", "## doc\nconst α = 1\n"},
    {"[s[u->v] for u->v in g]", "[s[u -> v] for u -> v in g]\n"},
};

Test(fmt, canonical_and_idempotent) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena arena;
        arena_init(&arena, NULL);
        const char *once = format(&arena, cases[i][0]);
        cr_assert_not_null(once, "%s", cases[i][0]);
        cr_expect_str_eq(once, cases[i][1], "%s\ngave     %s\nexpected %s", cases[i][0], once, cases[i][1]);
        cr_expect_str_eq(format(&arena, once), once, "%s", cases[i][0]);
        arena_free(&arena);
    }
}

Test(fmt, refuses_wrong_source) {
    Arena arena;
    arena_init(&arena, NULL);
    cr_expect_null(format(&arena, "let x ="));
    arena_free(&arena);
}
