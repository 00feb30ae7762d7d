/* Compares what the JIT computes with the reference. */
#include "tests/fuzz/programs/judge.h"

#include "runtime/api/gmx.h"
#include "tests/reference/program.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BUDGET = 12000000, LITERAL_MAX = 40 };

static const char *const no_fuse[] = {"fuse", NULL};
static const struct {
    int optimization;
    const char *const *disabled;
} configurations[CONFIGURATION_COUNT] = {{0, NULL}, {3, no_fuse}, {3, NULL}};
const char *const configuration_names[CONFIGURATION_COUNT] = {"-O0", "-O3 --no-pass=fuse", "-O3"};

static const char *cache_folder = "";

void judge_set_cache(const char *folder) {
    cache_folder = folder ? folder : "";
}

typedef struct Answer { /* of the reference */
    RefTensor *values[OUTPUT_MAX];
    char codes[OUTPUT_MAX][8]; /* the run-time error of each, or "" */
    uint32_t count, failures;
} Answer;

static void settle(Judgement *out, Verdict verdict, int configuration, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void settle(Judgement *out, Verdict verdict, int configuration, const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(out->message, sizeof out->message, format, list);
    va_end(list);
    out->configuration = configuration;
    out->verdict = verdict;
}

/* ---- comparing -------------------------------------------------------------------------------------------
 */

static bool is_close(const RefTensor *want, int64_t i, double found) {
    const RefElement *e = &want->at[i];
    if (isnan(e->hi) || isnan(found))
        return isnan(e->hi) && isnan(found);
    if (isinf(e->hi) || isinf(found))
        return e->hi == found;
    if (e->exact)
        return e->lo == found;
    double least = want->dtype == DTYPE_f64 ? 1e-300 : want->dtype == DTYPE_f16 ? 1e-6 : 1e-37;
    return fabsl(e->hi - found) <= want->tolerance * want->scale + least;
}

static bool compare_element(Judgement *out, int configuration, uint32_t output, const RefTensor *want,
                            int64_t i, const void *at) {
    RefElement found = ref_load(want->dtype, at);
    if (dtype_is_float(want->dtype) ? is_close(want, i, found.lo) : want->at[i].i == found.i)
        return true;
    if (dtype_is_float(want->dtype))
        settle(out, VERDICT_WRONG, configuration,
               "r%u: element %lld of %lld (%s) is %.17g, not %.20Lg (%.17g in its own precision; off by "
               "%.3Lg, %.3g "
               "allowed)",
               output, (long long)i, (long long)want->size, dtype_name(want->dtype), found.lo, want->at[i].hi,
               want->at[i].lo, fabsl(want->at[i].hi - found.lo),
               want->at[i].exact ? 0.0 : want->tolerance * want->scale);
    else
        settle(out, VERDICT_WRONG, configuration, "r%u: element %lld of %lld (%s) is %lld, not %lld", output,
               (long long)i, (long long)want->size, dtype_name(want->dtype), (long long)found.i,
               (long long)want->at[i].i);
    return false;
}

static bool compare(Judgement *out, int configuration, uint32_t output, const RefTensor *want,
                    const gmx_tensor *found) {
    const int64_t *shape = gmx_tensor_shape(found), *strides = gmx_tensor_strides(found);
    bool same = (int)gmx_tensor_dtype(found) == (int)want->dtype &&
                gmx_tensor_rank(found) == (int)want->rank &&
                !memcmp(shape, want->shape, want->rank * sizeof *shape);
    if (!same) {
        settle(out, VERDICT_WRONG, configuration, "r%u: another dtype or shape than %s of rank %u", output,
               dtype_name(want->dtype), want->rank);
        return false;
    }
    int64_t index[IR_MAX_RANK] = {0};
    for (int64_t i = 0; i < want->size; i++, ref_next(want, index)) {
        int64_t offset = 0;
        for (uint32_t k = 0; k < want->rank; k++)
            offset += index[k] * strides[k];
        const char *at = (const char *)gmx_tensor_data(found) + offset * dtype_info[want->dtype].bytes;
        if (!compare_element(out, configuration, output, want, i, at))
            return false;
    }
    return true;
}

/* ---- running ---------------------------------------------------------------------------------------------
 */

static void drop(void *user, const char *text, size_t length) {
    (void)user, (void)text, (void)length;
}

static bool is_expected(const Answer *answer, const char *code) {
    for (uint32_t i = 0; i < answer->count; i++)
        if (answer->codes[i][0] && !strcmp(answer->codes[i], code))
            return true;
    return false;
}

static bool check_run(gmx_session *session, gmx_status status, int configuration, const Answer *answer,
                      Judgement *out) {
    if (status != GMX_OK && !is_expected(answer, gmx_errcode(session))) {
        settle(out, VERDICT_WRONG, configuration, "fails: %s", gmx_errmsg(session));
        return false;
    }
    if (status == GMX_OK && answer->failures) {
        settle(out, VERDICT_WRONG, configuration, "runs, but should fail");
        return false;
    }
    for (uint32_t i = 0; status == GMX_OK && i < answer->count; i++) {
        char name[NAME_SIZE];
        gmx_tensor *tensor = NULL;
        snprintf(name, sizeof name, "r%u", i);
        if (gmx_get(session, name, &tensor) != GMX_OK) {
            settle(out, VERDICT_WRONG, configuration, "%s: %s", name, gmx_errmsg(session));
            return false;
        }
        bool same = compare(out, configuration, i, answer->values[i], tensor);
        gmx_tensor_release(tensor);
        if (!same)
            return false;
    }
    return true;
}

static gmx_status run_pieces(gmx_session *session, const char *text) {
    gmx_status status = GMX_OK;
    while (text && status == GMX_OK) {
        const char *mark = strstr(text, STAGE_MARK);
        status = gmx_run_text(session, "program.gmx", text, mark ? mark - text : -1);
        text = mark ? mark + strlen(STAGE_MARK) : NULL;
    }
    return status;
}

static bool run(const char *text, int configuration, const Answer *answer, Judgement *out) {
    gmx_options options;
    gmx_session *session;
    gmx_options_init(&options);
    options.optimization = configurations[configuration].optimization;
    options.disabled_passes = configurations[configuration].disabled;
    options.cache_directory = configurations[configuration].disabled ? cache_folder : "";
    options.memory_bytes = (int64_t)1 << 30;
    options.write = options.write_error = drop;
    if (gmx_session_open(&options, &session) != GMX_OK) {
        settle(out, VERDICT_WRONG, configuration, "no session");
        return false;
    }
    gmx_status status = run_pieces(session, text);
    bool ok = check_run(session, status, configuration, answer, out);
    gmx_session_close(session);
    return ok;
}

/* ---- the reference ---------------------------------------------------------------------------------------
 */

static bool answer_of(RefProgram *reference, uint32_t count, Answer *answer, Judgement *out) {
    const Reference *state = ref_program_state(reference);
    for (uint32_t i = 0; i < count; i++) {
        char name[NAME_SIZE];
        snprintf(name, sizeof name, "r%u", i);
        answer->count++;
        answer->values[i] = ref_program_value(reference, name);
        if (answer->values[i])
            continue;
        if (state->status == REF_BROKEN) {
            settle(out, VERDICT_WRONG, -1, "the IR contradicts itself: %s", state->message);
            return false;
        }
        if (state->status != REF_FAILED) {
            settle(out, VERDICT_UNSTABLE, -1, "%s", state->message);
            return false;
        }
        snprintf(answer->codes[i], sizeof answer->codes[i], "%s", diag_code_text(state->code));
        answer->failures++;
    }
    return true;
}

static void judge_text(const char *text, uint32_t count, int only, Judgement *out) {
    RefProgram *reference = ref_program_open(false, BUDGET);
    Answer answer = {0};
    if (!ref_program_add(reference, text)) {
        settle(out, VERDICT_REFUSED, -1, "%s", ref_program_errors(reference));
    } else if (answer_of(reference, count, &answer, out)) {
        bool ok = true;
        const char *invalid = ref_program_verify(reference);
        if (invalid)
            settle(out, VERDICT_WRONG, -1, "the front end's IR is not valid: %s", invalid);
        for (int k = 0; ok && !invalid && k < CONFIGURATION_COUNT; k++)
            ok = (only >= 0 && k != only) || run(text, k, &answer, out);
        out->has_failed = answer.failures > 0;
        if (ok && !invalid)
            out->verdict = VERDICT_PASS;
    }
    ref_program_close(reference);
}

void judge(const Program *program, int only, Judgement *out) {
    Text text = {0};
    *out = (Judgement){.configuration = -1};
    program_write(program, &text);
    judge_text(text.bytes, program->output_count, only, out);
    text_free(&text);
}

/* ---- literals for the reducer ----------------------------------------------------------------------------
 */

static void put_literal(const RefTensor *x, uint32_t axis, int64_t *at, Text *out) {
    if (axis == x->rank) {
        const RefElement *e = &x->at[(*at)++];
        if (x->dtype == DTYPE_bool)
            text_put(out, "%s", e->i ? "true" : "false");
        else if (!dtype_is_float(x->dtype))
            text_put(out, "%lld", (long long)e->i);
        else if (isfinite(e->lo) && e->lo == rint(e->lo) && fabs(e->lo) < 1e15)
            text_put(out, "%.1f", e->lo);
        else
            text_put(out, "%.17g", e->lo);
        return;
    }
    text_put(out, "[");
    for (int64_t i = 0; i < x->shape[axis]; i++) {
        text_put(out, "%s", i ? ", " : "");
        put_literal(x, axis + 1, at, out);
    }
    text_put(out, "]");
}

bool judge_literal(const Program *program, const char *name, Text *out) {
    Program *top = &(Program){0};
    Text text = {0};
    int64_t at = 0;
    *top = *program;
    top->in_function = top->staged = false;
    program_write(top, &text);
    RefProgram *reference = ref_program_open(false, BUDGET);
    RefTensor *x = ref_program_add(reference, text.bytes) ? ref_program_value(reference, name) : NULL;
    bool ok = x && x->size > 0 && x->size <= LITERAL_MAX;
    if (ok) {
        text_put(out, "%s(", dtype_name(x->dtype));
        put_literal(x, 0, &at, out);
        text_put(out, ")");
    }
    ref_program_close(reference);
    text_free(&text);
    return ok;
}
