/* Random programs: inputs, then statements drawn one by one.  The reference evaluates each candidate at once;
 * what the front end refuses, what hangs on roundings and what is dull (nothing but NaN) is drawn again. */
#include "tests/fuzz/programs/generate.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUDGET = 3000000, TRIES = 400, FOCUS_WEIGHT = 90, SMALL_MAX = 4000, LARGE_MAX = 70000 };

/* ---- choosing --------------------------------------------------------------------------------------------
 */

bool fits(const RefTensor *x, int want) {
    int kinds = want & (WANT_NUMBER | WANT_BOOL);
    int kind = dtype_is_float(x->dtype) ? WANT_FLOAT : x->dtype == DTYPE_bool ? WANT_BOOL : WANT_INTEGER;
    return (!kinds || (kinds & kind)) && (!(want & WANT_AXES) || x->rank >= 1) &&
           (!(want & WANT_MATRIX) || x->rank >= 2) && (!(want & WANT_ELEMENTS) || x->size > 0) &&
           (!(want & WANT_VECTOR) || x->rank == 1);
}

const Variable *pick(Generator *g, int want) {
    uint32_t found = 0, recent = g->count > 5 && chance(g, 55) ? g->count - 5 : 0;
    const Variable *picked = NULL;
    for (uint32_t i = recent; i < g->count; i++)
        if (fits(g->variables[i].value, want) && below(g, ++found) == 0)
            picked = &g->variables[i];
    return picked || !recent ? picked : pick(g, want);
}

bool same_shape(const RefTensor *a, const RefTensor *b) {
    return a->rank == b->rank && !memcmp(a->shape, b->shape, a->rank * sizeof *a->shape);
}

static bool broadcasts(const RefTensor *a, const RefTensor *b) {
    for (uint32_t k = 1; k <= a->rank && k <= b->rank; k++) {
        int64_t m = a->shape[a->rank - k], n = b->shape[b->rank - k];
        if (m != n && m != 1 && n != 1)
            return false;
    }
    return true;
}

const Variable *pick_beside(Generator *g, const Variable *x, int want) {
    uint32_t found = 0;
    const Variable *picked = NULL;
    for (uint32_t i = 0; i < g->count; i++)
        if (fits(g->variables[i].value, want) && broadcasts(g->variables[i].value, x->value) &&
            below(g, ++found) == 0)
            picked = &g->variables[i];
    return picked ? picked : x;
}

void fresh(Generator *g, const char *prefix, char name[NAME_SIZE]) {
    snprintf(name, NAME_SIZE, "%s%u", prefix, g->next++);
}

int64_t pick_extent(Generator *g) {
    if (g->has_empty && chance(g, 30))
        return 0;
    static const int16_t large[] = {1, 3, 64, 130, 257, 700};
    if (g->element_max > SMALL_MAX)
        return large[below(g, sizeof large / sizeof *large)];
    static const int16_t extents[] = {1, 1, 2, 2, 3, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 130};
    return extents[below(g, sizeof extents / sizeof *extents)];
}

const char *pick_dtype(Generator *g) {
    return ONE_OF(g, "bool", "u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "i64", "f16", "bf16",
                  "f32", "f32", "f32", "f32", "f64", "f64", "f64");
}

const char *literal(Generator *g, const RefTensor *beside) {
    if (!dtype_is_float(beside->dtype) && chance(g, 85))
        return ONE_OF(g, "1", "2", "3", "5", "7", "0", "100");
    return ONE_OF(g, "1", "2", "3", "0.5", "0.25", "1.5", "2.0", "-1", "0.1", "3.7", "-0.75", "10");
}

bool value_put(Generator *g, const char *format, ...) {
    va_list list;
    va_start(list, format);
    text_put_list(&g->value, format, list);
    va_end(list);
    return true;
}

/* ---- inputs ----------------------------------------------------------------------------------------------
 */

static void put_number(Generator *g, Text *out, Dtype dtype, int style) {
    if (dtype == DTYPE_bool) {
        text_put(out, "%s", chance(g, 50) ? "true" : "false");
        return;
    }
    if (!dtype_is_float(dtype)) {
        int limit = style == 1 ? 100 : 6;
        text_put(out, "%d",
                 (int)below(g, (uint32_t)limit) - (dtype_kind(dtype) == KIND_SIGNED ? limit / 2 : 0));
        return;
    }
    if (style == 2 && chance(g, 4)) {
        text_put(out, "%s", ONE_OF(g, "nan", "inf", "-inf", "-0.0", "0.0"));
        return;
    }
    if (style == 0) /* exact in every float dtype */
        text_put(out, "%g", ((int)below(g, 33) - 16) / 4.0);
    else
        text_put(out, "%.3f", ((int)below(g, 8001) - 4000) / 1000.0);
}

static void put_array(Generator *g, Text *out, Dtype dtype, int style, uint32_t rank, const int64_t *shape) {
    if (!rank) {
        put_number(g, out, dtype, style);
        return;
    }
    text_put(out, "[");
    for (int64_t i = 0; i < shape[0]; i++) {
        text_put(out, "%s", i ? ", " : "");
        put_array(g, out, dtype, style, rank - 1, shape + 1);
    }
    text_put(out, "]");
}

static void put_shape(Text *out, uint32_t rank, const int64_t *shape) {
    text_put(out, "(");
    for (uint32_t k = 0; k < rank; k++)
        text_put(out, "%s%lld", k ? ", " : "", (long long)shape[k]);
    text_put(out, "%s)", rank == 1 ? "," : "");
}

/* Large inputs are computed, empty ones made, the others written out. */
static void put_input(Generator *g, Text *out, const char *dtype_text, uint32_t rank, const int64_t *shape) {
    Dtype dtype = DTYPE_f64;
    int64_t size = 1;
    dtype_find(dtype_text, &dtype);
    for (uint32_t k = 0; k < rank; k++)
        size *= shape[k];
    if (size == 0) {
        text_put(out, "zeros(");
        put_shape(out, rank, shape);
        text_put(out, ", dtype=%s)", dtype_text);
    } else if (size > 300) {
        text_put(out, "%s(reshape((arange(%lld) * %u %% %u - %u)", dtype_text, (long long)size,
                 1 + below(g, 20), 17 + below(g, 20), dtype_kind(dtype) == KIND_UNSIGNED ? 0 : below(g, 12));
        text_put(out, dtype_is_float(dtype) ? " / 8, " : ", ");
        put_shape(out, rank, shape);
        text_put(out, "))");
    } else {
        text_put(out, "%s(", dtype_text);
        put_array(g, out, dtype, (int)below(g, 3), rank, shape);
        text_put(out, ")");
    }
}

static void push(Generator *g, const char *name, const RefTensor *value) {
    Variable *v = &g->variables[g->count++];
    snprintf(v->name, sizeof v->name, "%s", name);
    v->value = value;
}

static bool add_input(Generator *g) {
    char name[NAME_SIZE];
    int64_t shape[4];
    uint32_t rank = below(g, 10) < 1 ? 0 : 1 + below(g, 3);
    Text text = {0};
    for (uint32_t k = 0; k < rank; k++)
        shape[k] = chance(g, 15) ? 1 : g->extents[below(g, 3)];
    while (rank > 1 && shape[0] * shape[1] * (rank > 2 ? shape[2] : 1) > g->element_max * 5 / 8)
        rank--;
    fresh(g, "x", name);
    text_put(&text, "let %s = ", name);
    put_input(g, &text, pick_dtype(g), rank, shape);
    RefTensor *value =
        ref_program_add(g->reference, text.bytes) ? ref_program_value(g->reference, name) : NULL;
    if (value) {
        program_add(g->program, CHUNK_INPUT, name, text.bytes);
        push(g, name, value);
    }
    text_free(&text);
    return value != NULL;
}

/* ---- statements ------------------------------------------------------------------------------------------
 */

/* Values that show little: mostly NaN or infinite, or so large that tolerances say nothing. */
static bool is_dull(Generator *g, const RefTensor *x) {
    int64_t odd = 0;
    if (x->size > g->element_max || x->rank > 5 || (x->size == 0 && !g->has_empty && !chance(g, 8)))
        return true;
    if (!dtype_is_float(x->dtype))
        return false;
    for (int64_t i = 0; i < x->size; i++)
        odd += !isfinite(x->at[i].hi);
    double largest = 0;
    for (int64_t i = 0; i < x->size; i++)
        largest = isfinite(x->at[i].hi) ? fmax(largest, (double)fabsl(x->at[i].hi)) : largest;
    return (odd * 4 > x->size && !chance(g, 3)) || x->scale > 1e9 ||
           (x->scale > 1e5 * fmax(largest, 1) && !chance(g, 5));
}

static void count_refusal(Generator *g) {
    const char *code = ref_program_error_code(g->reference);
    g->counts->refused++;
    if (code[0] == 'E' && atoi(code + 1) < 1000)
        g->counts->refusals[atoi(code + 1)]++;
    if (getenv("GMX_FUZZ_REFUSALS"))
        fprintf(stderr, "%s", ref_program_errors(g->reference));
}

/* Is the new value wanted? */
static bool judge(Generator *g, const RefTensor *value) {
    const Reference *state = ref_program_state(g->reference);
    if (value) {
        bool dull = is_dull(g, value);
        g->counts->dull += dull;
        return !dull;
    }
    if (state->status == REF_BROKEN) {
        fprintf(stderr, "broken IR: %s\n%s%s%s\n", state->message,
                g->functions.bytes ? g->functions.bytes : "", g->before.bytes ? g->before.bytes : "",
                g->value.bytes);
        g->has_failed = true; /* the whole program shows it */
        return true;
    }
    g->counts->unstable += state->status == REF_UNSTABLE;
    g->counts->failed += state->status == REF_FAILED;
    g->has_failed = state->status == REF_FAILED && g->may_fail;
    return g->has_failed;
}

static uint32_t weight_of(const Generator *g, const struct OperationRow *rows, uint32_t i) {
    bool is_focus = rows == operations && (i == g->focus[0] || i == g->focus[1]);
    return rows[i].weight + (is_focus ? FOCUS_WEIGHT : 0);
}

static const struct OperationRow *pick_row(Generator *g, const struct OperationRow *rows, uint32_t count) {
    uint32_t total = 0, i = 0;
    for (uint32_t k = 0; k < count; k++)
        total += weight_of(g, rows, k);
    uint32_t at = below(g, total);
    while (at >= weight_of(g, rows, i))
        at -= weight_of(g, rows, i++);
    return &rows[i];
}

static bool try_statement(Generator *g, uint32_t control_percent) {
    char name[NAME_SIZE];
    bool is_control = chance(g, control_percent);
    text_clear(&g->functions);
    text_clear(&g->before);
    text_clear(&g->value);
    const struct OperationRow *row =
        is_control ? pick_row(g, controls, control_count) : pick_row(g, operations, operation_count);
    if (!row->make(g))
        return false;
    fresh(g, "v", name);
    Text text = {0}, all = {0};
    text_put(&text, "%slet %s = %s", g->before.length ? g->before.bytes : "", name, g->value.bytes);
    text_put(&all, "%s%s\n", g->functions.length ? g->functions.bytes : "", text.bytes);
    g->counts->tried++;
    bool kept = ref_program_add(g->reference, all.bytes);
    RefTensor *value = NULL;
    if (kept) {
        value = ref_program_value(g->reference, name);
        kept = judge(g, value);
    } else {
        count_refusal(g);
    }
    if (kept) {
        if (g->functions.length)
            program_add(g->program, CHUNK_FUNCTION, "", g->functions.bytes);
        program_add(g->program, CHUNK_STATEMENT, name, text.bytes);
        if (value)
            push(g, name, value);
        else
            snprintf(g->program->outputs[g->program->output_count++], NAME_SIZE, "%s", name);
        g->counts->kept++;
    }
    text_free(&text);
    text_free(&all);
    return kept;
}

static bool is_known_output(const Program *p, const char *name) {
    for (uint32_t k = 0; k < p->output_count; k++)
        if (!strcmp(p->outputs[k], name))
            return true;
    return false;
}

/* Is the variable read by a statement after its own? */
static bool is_used(const Program *p, const char *name) {
    bool seen = false;
    size_t length = strlen(name);
    for (uint32_t i = 0; i < p->chunk_count; i++) {
        const Chunk *c = &p->chunks[i];
        const char *text = p->text + c->begin, *end = text + c->length;
        for (const char *at = text; seen && (at = memmem(at, (size_t)(end - at), name, length)); at += length)
            if ((at + length == end || !isdigit((unsigned char)at[length])) &&
                !isalnum((unsigned char)at[-1]))
                return true;
        seen |= !strcmp(c->name, name);
    }
    return false;
}

/* Mostly what nothing else reads, so that little of the program is dead. */
static void choose_outputs(Generator *g, uint32_t inputs) {
    Program *p = g->program;
    uint32_t wanted = 2 + below(g, 4);
    for (uint32_t i = g->count; i-- > inputs && p->output_count < wanted;)
        if (!is_used(p, g->variables[i].name))
            snprintf(p->outputs[p->output_count++], NAME_SIZE, "%s", g->variables[i].name);
    if (p->output_count < wanted && g->count > inputs && chance(g, 40)) {
        const char *name = g->variables[inputs + below(g, g->count - inputs)].name;
        if (!is_known_output(p, name))
            snprintf(p->outputs[p->output_count++], NAME_SIZE, "%s", name);
    }
}

bool generate_program(Program *p, uint64_t seed, GenerateCounts *counts) {
    static const uint8_t control_percents[] = {0, 5, 12, 30};
    Generator g = {.random = {seed * 0x9E3779B97F4A7C15ull + 1}, .program = p, .counts = counts};
    p->seed = seed;
    p->chunk_count = p->output_count = p->used = 0;
    p->in_function = chance(&g, 70);
    p->staged = !p->in_function && chance(&g, 60);
    g.reference = ref_program_open(true, BUDGET);
    g.may_fail = chance(&g, 8);
    for (int k = 0; k < 2; k++)
        g.focus[k] = below(&g, chance(&g, 60) ? operation_count : 1000); /* or none */
    g.has_empty = chance(&g, 8);
    g.element_max = chance(&g, 10) ? LARGE_MAX : SMALL_MAX;
    for (int k = 0; k < 3; k++)
        g.extents[k] = pick_extent(&g);
    uint32_t inputs = 2 + below(&g, 4), wanted = 5 + below(&g, chance(&g, 12) ? 36 : 8);
    for (uint32_t i = 0; i < inputs; i++)
        add_input(&g);
    inputs = g.count;
    uint32_t control_percent = control_percents[below(&g, 4)], made = 0;
    for (uint32_t i = 0; i < TRIES && made < wanted && g.count < VARIABLE_MAX - 2 && !g.has_failed; i++)
        made += try_statement(&g, control_percent);
    choose_outputs(&g, inputs);
    p->ops = made;
    p->staged = p->staged && !g.has_failed; /* sizes known between pieces turn some errors into broadcasts */
    ref_program_close(g.reference);
    text_free(&g.functions);
    text_free(&g.before);
    text_free(&g.value);
    return p->output_count > 0 && (made >= 5 || g.has_failed);
}
