/* Expressions that keep a shape: the bodies of statements, loops, branches and functions. */
#include "tests/fuzz/programs/generate.h"

static const Variable *pick_same(Generator *g, const Variable *x) {
    uint32_t found = 1;
    const Variable *picked = x;
    for (uint32_t i = 0; i < g->count; i++)
        if (same_shape(g->variables[i].value, x->value) && below(g, ++found) == 0)
            picked = &g->variables[i];
    return picked;
}

static void put_unary(Generator *g, Text *out, const Variable *x, int depth) {
    const char *before, *after = ")";
    if (x->value->dtype == DTYPE_bool && chance(g, 50)) {
        before = "(not ";
    } else if (!dtype_is_float(x->value->dtype) && chance(g, 70)) {
        before = ONE_OF(g, "(-", "abs(", "sign(", "f32(", "f64(", "i64(", "square(");
    } else {
        static const char *const pairs[][2] = {
            {"(-", ")"},
            {"abs(", ")"},
            {"tanh(", ")"},
            {"sin(", ")"},
            {"cos(", ")"},
            {"exp(-abs(", "))"},
            {"sqrt(abs(", "))"},
            {"log(1 + abs(", "))"},
            {"erf(", ")"},
            {"relu(", ")"},
            {"sigmoid(", ")"},
            {"square(", ")"},
            {"floor(", ")"},
            {"ceil(", ")"},
            {"round(", ")"},
            {"trunc(", ")"},
            {"sign(", ")"},
            {"expm1(", ")"},
            {"log1p(abs(", "))"},
            {"exp2(", ")"},
            {"cbrt(", ")"},
            {"atan(", ")"},
            {"sinh(", ")"},
            {"cosh(", ")"},
            {"asinh(", ")"},
            {"erfc(", ")"},
            {"isnan(", ")"},
            {"isfinite(", ")"},
            {"f32(", ")"},
            {"f64(", ")"},
            {"f16(", ")"},
            {"bf16(", ")"},
            {"silu(", ")"},
            {"gelu(", ")"},
            {"softplus(", ")"},
            {"clip(", ", -2, 3)"},
            {"reciprocal(1 + abs(", "))"},
            {"leaky_relu(", ")"},
            {"log2(1 + abs(", "))"},
            {"acos(tanh(", "))"},
        };
        uint32_t i = below(g, sizeof pairs / sizeof *pairs);
        before = pairs[i][0];
        after = pairs[i][1];
    }
    text_put(out, "%s", before);
    put_same_shape(g, out, x, depth - 1);
    text_put(out, "%s", after);
}

static void put_binary(Generator *g, Text *out, const Variable *x, int depth) {
    const char *op = ONE_OF(g, "+", "-", "*", "+", "-", "*", "/", "//", "%", "<", ">=", "==", "!=");
    bool call = chance(g, 25);
    if (call)
        op = ONE_OF(g, "minimum", "maximum", "maximum", "hypot", "fmod", "atan2", "copysign", "logical_and");
    text_put(out, call ? "%s(" : "(", op);
    bool literal_first = chance(g, 8);
    if (literal_first)
        text_put(out, "%s", literal(g, x->value));
    else
        put_same_shape(g, out, x, depth - 1);
    text_put(out, call ? ", " : " %s ", op);
    if (!literal_first && chance(g, 30))
        text_put(out, "%s", literal(g, x->value));
    else
        put_same_shape(g, out, x, depth - 1);
    text_put(out, ")");
}

static void put_reduced(Generator *g, Text *out, const Variable *x, int depth) {
    text_put(out, "(");
    put_same_shape(g, out, x, depth - 1);
    text_put(out, " %s %s(", ONE_OF(g, "-", "+", "*"), ONE_OF(g, "sum", "mean", "max", "min", "mean"));
    put_same_shape(g, out, x, depth - 1);
    if (x->value->rank && chance(g, 80))
        text_put(out, ", axis=%d", (int)below(g, x->value->rank) - (chance(g, 40) ? (int)x->value->rank : 0));
    text_put(out, ", keepdims=true))");
}

static void put_flipped(Generator *g, Text *out, const Variable *x, int depth) {
    put_same_shape(g, out, x, depth - 1);
    text_put(out, "[");
    for (uint32_t k = 0; k < x->value->rank; k++)
        text_put(out, "%s%s", k ? ", " : "", ONE_OF(g, ":", "::-1", "::-1"));
    text_put(out, "]");
}

static void put_chosen(Generator *g, Text *out, const Variable *x, int depth) {
    text_put(out, "where(");
    put_same_shape(g, out, x, depth - 2);
    text_put(out, " %s ", ONE_OF(g, "<", ">", ">=", "!="));
    text_put(out, "%s, ", literal(g, x->value));
    put_same_shape(g, out, x, depth - 1);
    text_put(out, ", ");
    if (chance(g, 30))
        text_put(out, "%s", literal(g, x->value));
    else
        put_same_shape(g, out, x, depth - 1);
    text_put(out, ")");
}

/* Library calls, copies and gathers: what needs buffers of its own wherever it stands. */
static void put_buffered(Generator *g, Text *out, const Variable *x, int depth) {
    static const char *const forms[][3] = {
        /* before, between two uses, after */
        {"sort(", NULL, ", axis=-1)"},   {"cumsum(", NULL, ", axis=0)"},
        {"cummax(", NULL, ", axis=-1)"}, {"softmax(", NULL, ", axis=-1)"},
        {"roll(", NULL, ", 1, axis=0)"}, {"concat((", "[1:], ", "[:1]))"},
        {"stack((", ", ", "))[1]"},      {"reshape(flatten(", ")[::-1], ", ".shape)"},
        {"argsort(", NULL, ", axis=0)"}, {"take(", ", arange(len(", "))[::-1], axis=0)"},
    };
    uint32_t i = below(g, sizeof forms / sizeof *forms);
    if (x->value->rank == 2 && chance(g, 35)) {
        bool square = x->value->shape[0] == x->value->shape[1];
        const char *a = pick_same(g, x)->name, *b = pick_same(g, x)->name;
        if (square)
            text_put(out, "(%s @ %s%s / 4)", a, b, chance(g, 50) ? ".T" : "");
        else
            text_put(out, chance(g, 50) ? "(%s @ (%s.T @ %s) / 8)" : "(%s @ %s.T @ %s / 8)", a, b, a);
        return;
    }
    text_put(out, "%s", forms[i][0]);
    put_same_shape(g, out, x, depth - 1);
    if (forms[i][1]) {
        text_put(out, "%s", forms[i][1]);
        put_same_shape(g, out, x, 0);
    }
    text_put(out, "%s", forms[i][2]);
}

void put_same_shape(Generator *g, Text *out, const Variable *x, int depth) {
    uint32_t draw = below(g, 100);
    if (depth <= 0) {
        text_put(out, "%s", chance(g, 50) ? x->name : pick_same(g, x)->name);
    } else if (draw < 12) {
        text_put(out, "%s", pick_same(g, x)->name);
    } else if (draw < 40) {
        put_unary(g, out, pick_same(g, x), depth);
    } else if (draw < 70) {
        put_binary(g, out, x, depth);
    } else if (draw < 78) {
        put_reduced(g, out, x, depth);
    } else if (draw < 83 && x->value->rank) {
        put_flipped(g, out, x, depth);
    } else if (draw < 89 && x->value->rank) {
        put_buffered(g, out, x, depth);
    } else if (draw < 94) {
        put_chosen(g, out, x, depth);
    } else {
        text_put(out, "(%s %s %s)", x->name, ONE_OF(g, "+", "*", "-", "/", "<"), pick_beside(g, x, 0)->name);
    }
}

bool put_condition(Generator *g, Text *out) {
    const Variable *x = pick(g, WANT_NUMBER | WANT_ELEMENTS);
    if (!x)
        return false;
    switch (below(g, 4)) {
    case 0:
        text_put(out, "sum(f64(%s)) > %s", x->name, literal(g, x->value));
        break;
    case 1:
        text_put(out, "any(%s > %s)", x->name, literal(g, x->value));
        break;
    case 2:
        text_put(out, "max(%s) >= %s and %s.size > %u", x->name, literal(g, x->value), x->name, below(g, 40));
        break;
    default:
        text_put(out, "not all(%s != %s)", x->name, literal(g, x->value));
    }
    return true;
}
