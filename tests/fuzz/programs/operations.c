/* Single operations: each draws operands and writes one expression.  What does not fit is refused by the
 * front end and drawn again, so these need to be right often, not always. */
#include "tests/fuzz/programs/generate.h"
#include <stdio.h>

#define TAKE(variable, want)                                                                                 \
    const Variable *variable = pick(g, want);                                                                \
    if (!variable)                                                                                           \
    return false
#define PUT(...) value_put(g, __VA_ARGS__)

static int axis_of(Generator *g, const Variable *x) {
    int rank = (int)x->value->rank;
    return (int)below(g, (uint32_t)rank) - (chance(g, 35) ? rank : 0);
}

/* ---- elementwise ---- */

static bool op_chain(Generator *g) {
    TAKE(x, 0);
    put_same_shape(g, &g->value, x, 1 + (int)below(g, 4));
    return true;
}

static bool op_unary(Generator *g) {
    TAKE(x, WANT_NUMBER);
    return PUT("%s(%s)",
               ONE_OF(g, "sqrt", "exp", "log", "tanh", "sin", "cos", "erf", "expm1", "log1p", "exp2", "log2",
                      "log10", "cbrt", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh",
                      "atanh", "erfc", "floor", "round", "sign", "abs", "isinf", "signbit", "rsqrt", "mish",
                      "softsign", "hardswish", "relu6", "logsigmoid", "hardsigmoid", "nan_to_num", "deg2rad",
                      "sinc", "trunc", "ceil"),
               x->name);
}

static bool op_binary(Generator *g) {
    TAKE(x, 0);
    const Variable *y = pick_beside(g, x, 0);
    if (chance(g, 60))
        return PUT("%s %s %s", x->name,
                   ONE_OF(g, "+", "-", "*", "/", "//", "%", "<", "<=", ">", ">=", "==", "!=", "+", "*"),
                   y->name);
    return PUT("%s(%s, %s)",
               ONE_OF(g, "minimum", "maximum", "fmod", "hypot", "atan2", "copysign", "logical_and",
                      "logical_or", "logical_xor", "fmax", "fmin", "logaddexp", "isclose", "add", "mul"),
               x->name, y->name);
}

static bool op_bits(Generator *g) {
    TAKE(x, WANT_INTEGER | WANT_BOOL);
    const Variable *y = pick_beside(g, x, WANT_INTEGER | WANT_BOOL);
    if (chance(g, 30))
        return PUT("%s(%s, %u)", ONE_OF(g, "left_shift", "right_shift"), x->name, below(g, 12));
    if (chance(g, 15))
        return PUT("bitwise_not(%s)", x->name);
    return PUT("%s(%s, %s)",
               ONE_OF(g, "bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift", "minimum"),
               x->name, y->name);
}

static bool op_literal(Generator *g) {
    TAKE(x, 0);
    const char *op = ONE_OF(g, "+", "-", "*", "/", "//", "%", "^", "<", ">=", "==", "^");
    if (chance(g, 25))
        return PUT("%s %s %s", literal(g, x->value), op, x->name);
    return PUT("%s %s %s", x->name, op,
               op[0] == '^' ? ONE_OF(g, "2", "3", "0.5", "2.0", "-1", "1.5", "0") : literal(g, x->value));
}

static bool op_divide(Generator *g) {
    TAKE(x, WANT_INTEGER);
    const Variable *y = pick_beside(g, x, WANT_INTEGER);
    if (g->may_fail && chance(g, 30))
        return PUT("%s %s %s", x->name, ONE_OF(g, "//", "%"), y->name);
    return PUT("%s %s where(%s == 0, %u, %s)", x->name, ONE_OF(g, "//", "%"), y->name, 1 + below(g, 3),
               y->name);
}

static bool op_where(Generator *g) {
    TAKE(x, 0);
    const Variable *c = pick_beside(g, x, WANT_BOOL), *y = pick_beside(g, x, 0);
    if (c->value->dtype == DTYPE_bool)
        return PUT("where(%s, %s, %s)", c->name, x->name, y->name);
    return PUT("where(%s > %s, %s, %s)", c->name, literal(g, c->value), x->name, y->name);
}

static bool op_cast(Generator *g) {
    TAKE(x, 0);
    return PUT("%s(%s)", pick_dtype(g), x->name);
}

/* ---- views ---- */

static void put_bound(Generator *g, int64_t n) {
    int64_t bounds[] = {0, 1, 2, -1, -2, n, n + 3, -n - 2, n / 2, -n};
    if (chance(g, 65))
        PUT("%lld", (long long)bounds[below(g, 10)]);
}

/* A slice that keeps something, whose start and step are seldom the plain ones. */
static void put_slice(Generator *g, int64_t n) {
    int64_t first = chance(g, 50) ? below(g, (uint32_t)(n + 2) / 3 + 1) : 0;
    const char *step = ONE_OF(g, "", "", ":2", ":-1", ":-2", ":3", ":-3", ":1");
    bool back = step[0] && step[1] == '-', from_end = chance(g, 25);
    int64_t start = (back ? n - 1 - first : first) - (from_end ? n : 0);
    if (first || from_end)
        PUT("%lld", (long long)start);
    PUT(":");
    if (!back && chance(g, 30))
        PUT("%lld", (long long)(n > 3 ? n - 1 : n) - (chance(g, 30) ? (long long)n + 1 : 0));
    PUT("%s", step);
}

static void put_one_index(Generator *g, int64_t n) {
    uint32_t draw = below(g, 100);
    if (draw < 30) {
        PUT(":");
    } else if (draw < 42 && (n || g->may_fail)) {
        PUT("%lld", (long long)below(g, (uint32_t)(n ? n : 1)) - (chance(g, 40) ? (long long)n : 0));
    } else if (draw < 85) {
        put_slice(g, n);
    } else {
        put_bound(g, n);
        PUT(":");
        put_bound(g, n);
        if (chance(g, 60))
            PUT(":%s", ONE_OF(g, "1", "2", "-1", "-1", "3", "-2", "-7", "1000"));
    }
}

static bool op_index(Generator *g) {
    TAKE(x, WANT_AXES);
    uint32_t rank = x->value->rank, from = 0;
    PUT("%s[", x->name);
    if (chance(g, 12)) {
        from = below(g, rank);
        PUT("..., ");
    }
    for (uint32_t k = from; k < rank; k++) {
        if (k > from)
            PUT(", ");
        if (chance(g, 8))
            PUT("None, ");
        put_one_index(g, x->value->shape[k]);
        if (!from && chance(g, 12))
            break;
    }
    return PUT("%s]", chance(g, 8) ? ", None" : "");
}

static bool op_axes(Generator *g) {
    TAKE(x, WANT_AXES);
    uint32_t rank = x->value->rank;
    switch (below(g, 6)) {
    case 0:
        return PUT("%s.T", x->name);
    case 1:
        return PUT("swapaxes(%s, %d, %d)", x->name, axis_of(g, x), axis_of(g, x));
    case 2:
        return PUT("moveaxis(%s, %d, %d)", x->name, axis_of(g, x), axis_of(g, x));
    case 3:
        return PUT("expand_dims(%s, %u)", x->name, below(g, rank + 1));
    case 4:
        return PUT("flip(%s%s)", x->name, chance(g, 50) ? "" : ", axis=0");
    default: {
        uint32_t order[5] = {0, 1, 2, 3, 4};
        if (rank > 5 || rank < 2)
            return PUT("squeeze(%s)", x->name);
        PUT("transpose(%s, (", x->name);
        for (uint32_t k = 0; k < rank; k++) {
            uint32_t at = k + below(g, rank - k), swap = order[at];
            order[at] = order[k];
            order[k] = swap;
            PUT("%s%u", k ? ", " : "", swap);
        }
        return PUT("))");
    }
    }
}

static bool op_reshape(Generator *g) {
    TAKE(x, WANT_AXES);
    int64_t n = x->value->size;
    static const int8_t factors[] = {2, 3, 4, 5, 8, 16, 17, 33};
    if (chance(g, 20))
        return PUT("flatten(%s)", x->name);
    PUT("reshape(%s, (", x->name);
    bool wild = chance(g, 40) && n;
    for (int k = 0; k < 2; k++) {
        int64_t f = factors[below(g, sizeof factors)];
        if (n && n % f == 0) {
            PUT("%lld, ", (long long)f);
            n /= f;
        } else if (chance(g, 25)) {
            PUT("1, ");
        }
    }
    return PUT("%lld,))", wild ? -1LL : (long long)n);
}

static bool op_spread(Generator *g) {
    TAKE(x, 0);
    PUT("broadcast_to(%s, (", x->name);
    if (chance(g, 50) || x->value->rank == 0)
        PUT("%u, ", below(g, 5));
    for (uint32_t k = 0; k < x->value->rank; k++)
        PUT("%lld, ", (long long)(x->value->shape[k] == 1 ? g->extents[below(g, 3)] : x->value->shape[k]));
    return PUT("))");
}

static bool op_rearrange(Generator *g) {
    TAKE(x, WANT_AXES);
    int axis = axis_of(g, x);
    switch (below(g, 9)) {
    case 0:
        return PUT("roll(%s, %d, axis=%d)", x->name, (int)below(g, 7) - 3, axis);
    case 1:
        return PUT("tile(%s, %u)", x->name, below(g, 4));
    case 2:
        return PUT("repeat(%s, %u, axis=%d)", x->name, below(g, 4), axis);
    case 3:
        return PUT("pad(%s, (%u, %u), mode=\"%s\")", x->name, below(g, 3), below(g, 3),
                   ONE_OF(g, "constant", "edge", "wrap", "reflect", "symmetric"));
    case 4:
        return PUT("diff(%s, axis=%d)", x->name, axis);
    case 5:
        return x->value->rank >= 2
                   ? PUT("%s(%s, k=%d)", ONE_OF(g, "tril", "triu"), x->name, (int)below(g, 5) - 2)
                   : PUT("diag(%s)", x->name);
    case 6:
        return x->value->rank == 2 ? PUT("diagonal(%s, offset=%d)", x->name, (int)below(g, 3) - 1)
                                   : PUT("outer(%s, %s)", x->name, pick(g, WANT_AXES)->name);
    case 7:
        return PUT("trace(%s)", x->name);
    default:
        return PUT("kron(%s, %s)", x->name, pick(g, WANT_AXES)->name);
    }
}

/* ---- several into one, one out of several ---- */

static bool op_concat(Generator *g) {
    TAKE(x, WANT_AXES);
    int axis = axis_of(g, x);
    const Variable *y = x;
    for (int i = 0; i < 20; i++) {
        const Variable *v = pick(g, WANT_AXES);
        bool same = v->value->rank == x->value->rank;
        for (uint32_t k = 0; same && k < x->value->rank; k++)
            same = (int)k == axis || (int)k == axis + (int)x->value->rank ||
                   v->value->shape[k] == x->value->shape[k];
        y = same ? v : y;
    }
    if (same_shape(x->value, y->value) && chance(g, 40))
        return PUT("stack((%s, %s), axis=%d)", x->name, y->name, axis);
    if (chance(g, 30))
        return PUT("concat((%s, %s, %s), axis=%d)", y->name, x->name, y->name, axis);
    return PUT("concat((%s, %s), axis=%d)", x->name, y->name, axis);
}

static bool op_gather(Generator *g) {
    TAKE(x, WANT_AXES | WANT_ELEMENTS);
    uint32_t axis = below(g, x->value->rank);
    int64_t n = x->value->shape[axis];
    const Variable *index = pick(g, WANT_INTEGER | WANT_AXES);
    if (index && index->value->rank <= 2 && chance(g, 60)) {
        bool loose = g->may_fail && chance(g, 50);
        return PUT("take(%s, i64(%s)%s%.0lld, axis=%u)", x->name, index->name, loose ? "" : " % ",
                   loose ? 0LL : (long long)n, axis);
    }
    PUT(axis ? "%s[:, [" : "%s[[", x->name);
    if (axis > 1)
        return false;
    for (uint32_t i = 0, count = 1 + below(g, 5); i < count; i++)
        PUT("%s%lld", i ? ", " : "", (long long)below(g, (uint32_t)n) - (chance(g, 30) ? (long long)n : 0));
    return PUT("]]");
}

static bool op_reduce(Generator *g) {
    TAKE(x, chance(g, 95) ? WANT_AXES : 0);
    const char *name =
        ONE_OF(g, "sum", "sum", "sum", "prod", "mean", "mean", "max", "max", "min", "any", "all", "argmax",
               "argmin", "var", "std", "count_nonzero", "norm", "logsumexp", "ptp");
    PUT("%s(%s", name, x->name);
    if (x->value->rank >= 2 && chance(g, 15))
        PUT(", axis=(%u, %d)", below(g, x->value->rank - 1), -1);
    else if (x->value->rank && chance(g, 75))
        PUT(", axis=%d", axis_of(g, x));
    return PUT("%s)", chance(g, 40) ? ", keepdims=true" : "");
}

static bool op_normalise(Generator *g) {
    TAKE(x, WANT_FLOAT | WANT_AXES | WANT_ELEMENTS);
    int axis = axis_of(g, x);
    if (chance(g, 25))
        return PUT("layer_norm(%s, %lld, eps=0.5)", x->name, (long long)x->value->shape[x->value->rank - 1]);
    if (chance(g, 25))
        return PUT("%s / (1 + %s(abs(%s), axis=%d, keepdims=true))", x->name, ONE_OF(g, "max", "sum", "mean"),
                   x->name, axis);
    return PUT("%s(%s, axis=%d)", ONE_OF(g, "softmax", "log_softmax", "softmax"), x->name, axis);
}

static bool op_product(Generator *g) {
    TAKE(x, WANT_AXES);
    const Variable *y = x;
    const char *left = x->value->rank > 1 && chance(g, 30) ? ".T" : "",
               *right = x->value->rank > 1 ? ".T" : "";
    int64_t inner = x->value->shape[left[0] ? 0 : x->value->rank - 1];
    if (left[0])
        right = "";
    for (int i = 0; i < 30; i++) {
        const Variable *v = pick(g, WANT_AXES);
        const RefTensor *t = v->value;
        if (t->rank <= 3 && (t->rank == 1 || t->rank == 2 || t->rank == x->value->rank)) {
            bool plain = t->shape[t->rank > 1 ? t->rank - 2 : 0] == inner,
                 turned = t->rank == 2 && t->shape[1] == inner;
            if (!plain && !turned)
                continue;
            y = v;
            right = plain ? "" : ".T";
        }
    }
    if (x->value->rank > 2 && y == x)
        return PUT("%s @ swapaxes(%s, -1, -2)", x->name, x->name);
    if (chance(g, 15))
        return PUT("matmul(%s%s, %s%s)", x->name, left, y->name, right);
    return PUT("%s%s @ %s%s", x->name, left, y->name, right);
}

static bool op_einsum(Generator *g) {
    TAKE(x, WANT_MATRIX);
    const Variable *y = pick_beside(g, x, WANT_MATRIX);
    if (x->value->rank == 2 && y->value->rank == 2)
        return PUT("einsum(\"%s\", %s, %s)",
                   ONE_OF(g, "ij,ij->i", "ij,ij->ji", "ij,ij->", "ij,ik->jk", "ij,kj->ik", "ij,ij->j"),
                   x->name, y->name);
    return PUT("einsum(\"%s\", %s)", ONE_OF(g, "...ij->...ji", "...ij->...i", "...i->..."), x->name);
}

static bool op_order(Generator *g) {
    TAKE(x, WANT_AXES);
    int axis = axis_of(g, x);
    switch (below(g, 6)) {
    case 0:
        return PUT("sort(%s, axis=%d%s)", x->name, axis, chance(g, 30) ? ", descending=true" : "");
    case 1:
        return PUT("argsort(%s, axis=%d%s)", x->name, axis, chance(g, 30) ? ", descending=true" : "");
    case 2:
        return PUT("%s(%s, axis=%d)", ONE_OF(g, "cumsum", "cumprod", "cummax", "cummin"), x->name, axis);
    case 3:
        return PUT("cumsum(%s)", x->name);
    case 4:
        return PUT("searchsorted(sort(flatten(%s)), %s%s)", x->name, pick(g, 0)->name,
                   chance(g, 40) ? ", side=\"right\"" : "");
    default:
        return PUT("bincount(abs(i64(flatten(%s))) %% %u)", x->name, 1 + below(g, 20));
    }
}

static bool op_make(Generator *g) {
    TAKE(x, WANT_AXES);
    switch (below(g, 6)) {
    case 0:
        return PUT("arange(%s.shape[%u])%s", x->name, below(g, x->value->rank),
                   ONE_OF(g, "", " * 0.5", " % 3", " + 1"));
    case 1:
        return PUT("%s(%s.shape, seed=%u)", ONE_OF(g, "rand", "randn"), x->name, below(g, 99));
    case 2:
        return PUT("%s(%s)", ONE_OF(g, "zeros_like", "ones_like"), x->name);
    case 3:
        return PUT("one_hot(abs(i64(%s)) %% 4, %u)", x->name, 1 + below(g, 5));
    case 4:
        return PUT("eye(%s.shape[0], %u, k=%d)", x->name, 1 + below(g, 6), (int)below(g, 3) - 1);
    default:
        return PUT("linspace(-1, %u, num=%lld)", 1 + below(g, 4), (long long)g->extents[below(g, 3)]);
    }
}

static bool op_system(Generator *g) {
    TAKE(x, WANT_MATRIX | WANT_FLOAT | WANT_ELEMENTS);
    if (x->value->rank > 2 || x->value->shape[0] > 33 ||
        (x->value->dtype != DTYPE_f32 && x->value->dtype != DTYPE_f64))
        return false;
    /* what is added is as large as the product: both stay far from singular in every precision */
    char ridge[160];
    snprintf(ridge, sizeof ridge, "(1 + sum(%s * %s)) * cast(eye(%s.shape[0]), %s.dtype)", x->name, x->name,
             x->name, x->name);
    if (chance(g, 50))
        return PUT("cholesky(%s @ %s.T + %s)", x->name, x->name, ridge);
    return PUT("solve(%s @ %s.T + %s, %s)", x->name, x->name, ridge, x->name);
}

/* Fails when it runs, for some data. */
static bool op_failing(Generator *g) {
    TAKE(x, WANT_INTEGER | WANT_AXES);
    const Variable *y = pick(g, WANT_AXES);
    if (!g->may_fail)
        return false;
    switch (below(g, 6)) {
    case 0:
        return PUT("take(%s, i64(%s) + %u, axis=0)", y->name, x->name, below(g, 4));
    case 1:
        return PUT("%s[i64(%s) - %u]", y->name, x->name, below(g, 4));
    case 2:
        return PUT("%s %s (%s // 2)", x->name, ONE_OF(g, "//", "%"), x->name);
    case 3:
        return PUT("%s ^ (i32(%s) - 1)", x->name, x->name);
    case 4:
        return PUT("%s + arange(abs(i64(sum(%s))) %% %u)", y->name, x->name, 2 + below(g, 6));
    default:
        return PUT("%s[abs(i64(sum(%s))) %% %u]", y->name, x->name, 1 + below(g, 9));
    }
}

const struct OperationRow operations[] = {
    {op_chain, 22},    {op_unary, 6},  {op_binary, 16}, {op_bits, 4},    {op_literal, 8},   {op_divide, 3},
    {op_where, 6},     {op_cast, 8},   {op_index, 20},  {op_axes, 9},    {op_reshape, 6},   {op_spread, 3},
    {op_rearrange, 6}, {op_concat, 6}, {op_gather, 6},  {op_reduce, 16}, {op_normalise, 5}, {op_product, 8},
    {op_einsum, 2},    {op_order, 5},  {op_make, 3},    {op_system, 1},  {op_failing, 12},
};
const uint32_t operation_count = sizeof operations / sizeof *operations;
