/* Branches, loops, functions and index expressions. */
#include "tests/fuzz/programs/generate.h"

#include <stdio.h>
#include <string.h>

#define BEFORE(...) text_put(&g->before, __VA_ARGS__)
#define PUT(...)    value_put(g, __VA_ARGS__)

/* A variable of another name that stands for x where a block sees it. */
static Variable renamed(const Variable *x, const char *name) {
    Variable v = *x;
    snprintf(v.name, sizeof v.name, "%s", name);
    return v;
}

static bool op_if(Generator *g) {
    const Variable *x = pick(g, 0);
    const char *dtype = x ? dtype_name(x->value->dtype) : "";
    Text condition = {0};
    bool ok = x && put_condition(g, &condition);
    if (ok) {
        PUT("if %s { %s(", condition.bytes, dtype);
        put_same_shape(g, &g->value, x, 1 + (int)below(g, 3));
        PUT(") } else { %s(", dtype);
        put_same_shape(g, &g->value, x, (int)below(g, 3));
        PUT(") }");
    }
    text_free(&condition);
    return ok;
}

/* Branches whose sizes differ: the size of the result is known when it runs. */
static bool op_if_sizes(Generator *g) {
    const Variable *x = pick(g, WANT_AXES);
    Text condition = {0};
    bool ok = x && put_condition(g, &condition);
    if (ok) {
        const char *one = ONE_OF(g, "", "[1:]", "[:-1] * 1", "[::-1]"),
                   *two = ONE_OF(g, "[::2]", "[1:]", "[:0]", "[2:][::-1] + 0");
        PUT("if %s { %s%s } else { ", condition.bytes, x->name, one);
        if (chance(g, 40))
            PUT("concat((%s, %s)) }", x->name, x->name);
        else
            PUT("%s%s }", x->name, two);
    }
    text_free(&condition);
    return ok;
}

/* A branch that changes a `mut`. */
static bool op_if_statement(Generator *g) {
    const Variable *x = pick(g, 0);
    char name[NAME_SIZE];
    if (!x)
        return false;
    fresh(g, "m", name);
    Variable m = renamed(x, name);
    Text condition = {0};
    bool ok = put_condition(g, &condition);
    if (ok) {
        BEFORE("mut %s = %s\nif %s {\n    %s = %s(", name, x->name, condition.bytes, name,
               dtype_name(x->value->dtype));
        put_same_shape(g, &g->before, &m, 2);
        BEFORE(")\n}%s", chance(g, 50) ? "\n" : " else {\n");
        if (g->before.bytes[g->before.length - 2] == '{') {
            BEFORE("    %s = %s(", name, dtype_name(x->value->dtype));
            put_same_shape(g, &g->before, &m, 2);
            BEFORE(")\n}\n");
        }
        PUT("%s", name);
    }
    text_free(&condition);
    return ok;
}

static void put_update(Generator *g, const char *indent, const Variable *m, const Variable *other) {
    const char *dtype = dtype_name(m->value->dtype);
    BEFORE("%s%s = %s(", indent, m->name, dtype);
    switch (below(g, 4)) {
    case 0:
        BEFORE("%s * 0.5 + ", m->name);
        put_same_shape(g, &g->before, m, 1);
        break;
    case 1:
        put_same_shape(g, &g->before, m, 2);
        break;
    case 2:
        BEFORE("where(%s > %s, %s, ", m->name, literal(g, m->value), m->name);
        put_same_shape(g, &g->before, m, 1);
        BEFORE(")");
        break;
    default:
        BEFORE("%s + %s", m->name, other->name);
    }
    BEFORE(")\n");
}

/* A row of a tensor that depends on the loop's counter. */
static void put_row(Generator *g, const char *counter, const Variable *m) {
    const Variable *rows = pick(g, WANT_NUMBER | WANT_MATRIX | WANT_ELEMENTS);
    if (!rows || rows->value->rank != m->value->rank + 1 ||
        memcmp(rows->value->shape + 1, m->value->shape, m->value->rank * sizeof *m->value->shape))
        return;
    BEFORE("    %s = %s(%s - %s[%s %% %lld])\n", m->name, dtype_name(m->value->dtype), m->name, rows->name,
           counter, (long long)rows->value->shape[0]);
}

/* Part of a tensor whose size depends on the counter. */
static void put_part(Generator *g, const char *counter, const Variable *m) {
    const Variable *x = pick(g, WANT_NUMBER | WANT_AXES);
    if (x)
        BEFORE("    %s = %s(%s + %s(%s[%s:%s]) %% 10)\n", m->name, dtype_name(m->value->dtype), m->name,
               ONE_OF(g, "sum", "sum", "prod"), x->name, chance(g, 50) ? counter : "",
               chance(g, 50) ? "" : "5");
}

/* A loop over the first axis of a tensor. */
static bool op_rows(Generator *g) {
    const Variable *x = pick(g, WANT_AXES);
    char total[NAME_SIZE], row[NAME_SIZE];
    if (!x || x->value->shape[0] > 40)
        return false;
    fresh(g, "m", total);
    fresh(g, "row", row);
    const char *dtype = dtype_name(x->value->dtype);
    BEFORE("mut %s = %s(sum(%s, axis=0))\n", total, dtype, x->name);
    BEFORE("for %s in %s {\n    %s = %s(%s %s %s)\n}\n", row, x->name, total, dtype, row,
           ONE_OF(g, "+", "-", "*"), total);
    return PUT("%s", total);
}

/* A loop that ends when its value says so. */
static bool op_search(Generator *g) {
    const Variable *x = pick(g, WANT_FLOAT | WANT_ELEMENTS);
    char name[NAME_SIZE], counter[NAME_SIZE];
    if (!x)
        return false;
    fresh(g, "m", name);
    fresh(g, "at", counter);
    BEFORE("mut %s = %s\nmut %s = 0\nwhile %s < 12 and max(abs(%s)) > %s {\n", name, x->name, counter,
           counter, name, ONE_OF(g, "0.5", "1", "3"));
    BEFORE("    %s = %s(%s * 0.5)\n    %s += 1\n}\n", name, dtype_name(x->value->dtype), name, counter);
    return PUT(chance(g, 60) ? "%s" : "%s + %s", name, counter);
}

/* A function with two results. */
static bool op_pair(Generator *g) {
    const Variable *x = pick(g, WANT_AXES), *y = pick(g, 0);
    char name[NAME_SIZE], one[NAME_SIZE], two[NAME_SIZE];
    if (!x)
        return false;
    fresh(g, "call", name);
    fresh(g, "left", one);
    fresh(g, "right", two);
    text_put(&g->functions,
             "fn %s(a, b) {\n    let s = a + a\n    if ndim(a) > 1 { return (s, b) }\n    (%s, b)\n}\n", name,
             ONE_OF(g, "s[::-1]", "s", "a", "cumsum(s)"));
    BEFORE("let (%s, %s) = %s(%s, %s)\n", one, two, name, x->name, y->name);
    return PUT("%s", chance(g, 70) ? one : two);
}

static bool op_loop(Generator *g) {
    const Variable *x = pick(g, 0), *y = pick(g, 0);
    char first[NAME_SIZE], second[NAME_SIZE], counter[NAME_SIZE];
    if (!x)
        return false;
    fresh(g, "m", first);
    fresh(g, "n", second);
    fresh(g, "at", counter);
    Variable m = renamed(x, first), n = renamed(y, second);
    bool is_while = chance(g, 35), is_pair = chance(g, 50);
    uint32_t trips = below(g, 5);
    BEFORE("mut %s = %s\n", first, x->name);
    if (is_pair)
        BEFORE("mut %s = %s\n", second, y->name);
    if (is_while)
        BEFORE("mut %s = 0\nwhile %s < %u%s {\n", counter, counter, trips, chance(g, 30) ? " and true" : "");
    else
        BEFORE("for %s in 0..%u {\n", counter, trips);
    if (is_pair && chance(g, 60))
        put_update(g, "    ", &n, y);
    put_row(g, counter, &m);
    if (chance(g, 20))
        put_part(g, counter, &m);
    if (chance(g, 25)) {
        BEFORE("    if %s %% 2 == %u {\n", counter, below(g, 2));
        put_update(g, "        ", &m, x);
        BEFORE("    }\n");
    }
    if (chance(g, 20)) {
        BEFORE("    for %sj in 0..%s {\n", counter, counter);
        put_update(g, "        ", &m, x);
        BEFORE("    }\n");
    }
    put_update(g, "    ", &m, is_pair && same_shape(m.value, n.value) ? &n : x);
    if (is_while)
        BEFORE("    %s += 1\n", counter);
    BEFORE("}\n");
    if (is_pair && same_shape(x->value, y->value) && chance(g, 60))
        return PUT("%s + %s", first, second);
    return PUT("%s", first);
}

static void put_type(Generator *g, const RefTensor *x) {
    text_put(&g->functions, ": %s[", dtype_name(x->dtype));
    for (uint32_t k = 0; k < x->rank; k++)
        text_put(&g->functions, k ? ", d%u" : "d%u", k);
    text_put(&g->functions, "]");
}

static bool op_function(Generator *g) {
    const Variable *x = pick(g, 0), *y = pick(g, 0);
    char name[NAME_SIZE], one[NAME_SIZE], two[NAME_SIZE];
    if (!x)
        return false;
    fresh(g, "call", name);
    fresh(g, "p", one);
    fresh(g, "q", two);
    /* The body sees its parameters alone. */
    Generator inner = *g;
    inner.variables[0] = renamed(x, one);
    inner.variables[1] = renamed(y, two);
    inner.count = 2;
    inner.value = (Text){0};
    put_same_shape(&inner, &inner.value, &inner.variables[0], 1 + (int)below(g, 3));
    g->random = inner.random;
    bool is_block = chance(g, 40);
    text_put(&g->functions, "fn %s(%s", name, one);
    if (chance(g, 35)) /* a spelled type: every size has its own name */
        put_type(g, x->value);
    text_put(&g->functions, ", %s%s)", two, chance(g, 10) ? "=2" : "");
    if (is_block)
        text_put(&g->functions, " {\n    let t = %s\n    let u = t + %s\n    where(u > 1, u, t)\n}\n",
                 inner.value.bytes, one);
    else
        text_put(&g->functions, " = %s\n", inner.value.bytes);
    text_free(&inner.value);
    const Variable *again = pick_beside(g, x, 0);
    if (chance(g, 30))
        return PUT("%s(%s, %s) + %s(%s, %s)", name, x->name, y->name, name, again->name, y->name);
    if (chance(g, 20))
        return PUT("(fn(a) = %s(a, %s) * 2)(%s)", name, y->name, x->name);
    return PUT("%s(%s, %s)", name, x->name, y->name);
}

/* Assignment to parts of a `mut`. */
static bool op_assign(Generator *g) {
    const Variable *x = pick(g, WANT_AXES);
    char name[NAME_SIZE];
    if (!x)
        return false;
    fresh(g, "m", name);
    BEFORE("mut %s = %s\n", name, x->name);
    for (uint32_t i = 0, count = 1 + below(g, 3); i < count; i++) {
        const char *form = ONE_OF(g, "%s[1:] = %s[:-1]\n", "%s[::2] = 1\n", "%s[::-1] = %s + 0\n",
                                  "%s[0] = %s[-1]\n", "%s[[0, -1]] = 0\n");
        for (const char *c = form; *c; c++)
            if (c[0] == '%')
                BEFORE("%s", name), c++;
            else
                BEFORE("%c", *c);
    }
    return PUT(chance(g, 50) ? "%s" : "(%s, %s)[0]", name, x->name);
}

/* The elements for which a condition holds. */
static bool op_mask(Generator *g) {
    const Variable *x = pick(g, WANT_AXES | WANT_NUMBER);
    return x && PUT("%s[%s %s %s]", x->name, x->name, ONE_OF(g, ">", "!=", "<="), literal(g, x->value));
}

static bool op_comprehension(Generator *g) {
    const Variable *x = pick(g, WANT_AXES), *y = pick(g, WANT_AXES);
    if (!x)
        return false;
    const char *red = ONE_OF(g, "sum", "max", "min", "mean", "prod", "any");
    if (x->value->rank == 1 && y->value->rank == 1)
        return PUT("[%s[i] %s %s[j] for i, j]", x->name, ONE_OF(g, "*", "+", "-", "<"), y->name);
    if (x->value->rank == 2) {
        long long n = x->value->shape[0], m = x->value->shape[1];
        switch (below(g, 6)) {
        case 0:
            return PUT("[sum(%s[i, k] * %s[j, k] for k) for i, j]", x->name, x->name);
        case 1:
            return PUT("[%s(%s[i, k] for k) for i]", red, x->name);
        case 2:
            return PUT("[%s[i + 1, j] - %s[i, j] for i in 0..%lld, j]", x->name, x->name, n > 0 ? n - 1 : 0);
        case 3:
            return PUT("[%s(%s[i + p, j + q] for p in 0..2, q in 0..2) for i in 0..%lld, j in 0..%lld]", red,
                       x->name, n > 0 ? n - 1 : 0, m > 0 ? m - 1 : 0);
        case 4:
            return PUT("[where(i <= j, %s[i, j], %s) for i, j]", x->name, literal(g, x->value));
        default:
            return PUT("[%s[j, i] * i + j for i, j]", x->name);
        }
    }
    long long n = x->value->shape[0];
    if (chance(g, 50))
        return PUT("[%s[%lld - 1 - i] for i in 0..%lld]", x->name, n, n);
    return PUT("[sum(where(j <= i, f64(%s[j]), 0) for j) for i in 0..%u]", x->name, below(g, 6));
}

const struct OperationRow controls[] = {{op_if, 20},       {op_if_statement, 12}, {op_if_sizes, 8},
                                        {op_loop, 40},     {op_rows, 6},          {op_search, 6},
                                        {op_function, 22}, {op_pair, 6},          {op_comprehension, 20},
                                        {op_assign, 15},   {op_mask, 8}};
const uint32_t control_count = sizeof controls / sizeof *controls;
