/* Linear systems through LAPACK: LU with partial pivoting, and the estimate of the condition.
 *
 * Batches run on the pool, each in a workspace of its own; what went wrong is judged after the
 * loop, in batch order, so that the report does not depend on threads. */
#include "runtime/rt/internal.h"

#include "runtime/rt/linalg.h"

#include <complex.h>
#include <float.h>
#include <math.h>

typedef struct Outcome {
    int32_t info; /* LAPACK's: k > 0 means that pivot k is exactly zero; -1: no workspace */
    double rcond;
} Outcome;

typedef struct Solve {
    gmxrt_ctx *ctx;
    const Blas *blas;
    const gmxrt_view *a, *b, *out;
    Outcome *outcomes;
    int n, k;
    uint64_t span;
} Solve;

#define DEFINE_SOLVE(name, type, real, letter, absolute, spare_type, spare_place)                            \
    static real name##_norm(const type *a, int n) {                                                          \
        real norm = 0;                                                                                       \
        for (int64_t j = 0; j < n; j++) {                                                                    \
            real sum = 0;                                                                                    \
            for (int64_t i = 0; i < n; i++) {                                                                \
                sum += absolute(a[j * n + i]);                                                               \
            }                                                                                                \
            norm = sum > norm || isnan(sum) ? sum : norm;                                                    \
        }                                                                                                    \
        return norm;                                                                                         \
    }                                                                                                        \
    /* a and b by columns, overwritten; `work` has room for 4 n elements, `pivots` for 2 n integers. */      \
    static Outcome name(const Solve *s, type *a, type *b, type *work, int *pivots) {                         \
        Outcome outcome = {0, 1.0};                                                                          \
        int info;                                                                                            \
        spare_type *spare = (spare_type *)(void *)(spare_place);                                             \
        real norm = name##_norm(a, s->n), rcond = 1;                                                         \
        s->blas->letter##getrf(&s->n, &s->n, a, &s->n, pivots, &outcome.info);                               \
        if (outcome.info != 0) {                                                                             \
            return outcome;                                                                                  \
        }                                                                                                    \
        if (isfinite(norm)) {                                                                                \
            s->blas->letter##gecon("1", &s->n, a, &s->n, &norm, &rcond, work, spare, &info, 1);              \
            outcome.rcond = (double)rcond;                                                                   \
        }                                                                                                    \
        if (s->k > 0) {                                                                                      \
            s->blas->letter##getrs("N", &s->n, &s->k, a, &s->n, pivots, b, &s->n, &info, 1);                 \
        }                                                                                                    \
        return outcome;                                                                                      \
    }

DEFINE_SOLVE(solve_f32, float, float, s, fabsf, int, pivots + s->n)
DEFINE_SOLVE(solve_f64, double, double, d, fabs, int, pivots + s->n)
DEFINE_SOLVE(solve_c64, float _Complex, float, c, cabsf, float, work + 2 * s->n)
DEFINE_SOLVE(solve_c128, double _Complex, double, z, cabs, double, work + 2 * s->n)

/* One system; a zero in `info` only if `out` was written. */
static Outcome solve_one(const Solve *s, int64_t batch) {
    int64_t bytes = rt_dtype_bytes(s->a->dtype), n = s->n, k = s->k;
    gmxrt_view a = linalg_matrix(s->a, batch), b = linalg_matrix(s->b, batch);
    gmxrt_view out = linalg_matrix(s->out, batch);
    gmxrt_buffer *space = gmxrt_buffer_new(s->ctx, bytes * (n * n + n * k + 4 * n) + 8 * n, s->span);
    Outcome outcome = {-1, 1.0};
    if (!space) {
        return outcome;
    }
    char *columns_a = space->data, *columns_b = columns_a + bytes * n * n, *work = columns_b + bytes * n * k;
    int *pivots = (int *)(void *)(work + bytes * 4 * n);
    gmxrt_view to_a = linalg_columns(&a, columns_a), to_b = linalg_columns(&b, columns_b);
    if (gmxrt_copy(s->ctx, &a, &to_a, s->span) == 0 && gmxrt_copy(s->ctx, &b, &to_b, s->span) == 0) {
        void *x = columns_a, *y = columns_b, *w = work;
        switch (s->a->dtype) {
        case RT_f32:
            outcome = solve_f32(s, x, y, w, pivots);
            break;
        case RT_c64:
            outcome = solve_c64(s, x, y, w, pivots);
            break;
        case RT_c128:
            outcome = solve_c128(s, x, y, w, pivots);
            break;
        default:
            outcome = solve_f64(s, x, y, w, pivots);
        }
        if (outcome.info == 0 && gmxrt_copy(s->ctx, &to_b, &out, s->span) != 0) {
            outcome.info = -1;
        }
    }
    gmxrt_buffer_release(space);
    return outcome;
}

static void solve_body(void *arguments, int64_t begin, int64_t end) {
    const Solve *s = arguments;
    for (int64_t batch = begin; batch < end; batch++) {
        s->outcomes[batch] = solve_one(s, batch);
    }
}

/* Errors and warnings, from the first batch on. */
static int32_t judge(const Solve *s, int64_t batches) {
    double epsilon = rt_dtype_part(s->a->dtype) == RT_f32 ? FLT_EPSILON : DBL_EPSILON;
    bool warned = false;
    for (int64_t i = 0; i < batches; i++) {
        const Outcome *outcome = &s->outcomes[i];
        char where[40];
        linalg_describe_batch(where, sizeof where, i, batches);
        if (outcome->info < 0) {
            return gmxrt_fail(s->ctx, RT_E0502, s->span, "solve could not run%s", where);
        }
        if (outcome->info > 0) {
            return gmxrt_fail(s->ctx, RT_E0304, s->span, "the matrix is singular%s: pivot %d of %d is zero",
                              where, (int)outcome->info, s->n);
        }
        if (outcome->rcond < epsilon && !warned) {
            gmxrt_warning(s->ctx, RT_E0304, s->span,
                          "the matrix is nearly singular%s (reciprocal condition number %.3g): the "
                          "solution may be inaccurate",
                          where, outcome->rcond);
            warned = true;
        }
    }
    return 0;
}

int32_t gmxrt_solve(gmxrt_ctx *ctx, const gmxrt_view *a, const gmxrt_view *b, const gmxrt_view *out,
                    uint64_t span) {
    if (linalg_check(ctx, "solve", a, out, span) != 0) {
        return 1;
    }
    int64_t n = a->shape[a->rank - 1], k = out->shape[out->rank - 1];
    if (b->rank < 2 || b->dtype != a->dtype || b->shape[b->rank - 2] != n || b->shape[b->rank - 1] != k) {
        return gmxrt_fail(ctx, RT_E0301, span, "the right side of solve does not fit the matrix");
    }
    int64_t batches = shape_product(out->rank - 2, out->shape);
    if (n == 0 || batches == 0) {
        return 0;
    }
    gmxrt_buffer *outcomes = gmxrt_buffer_new(ctx, batches * (int64_t)sizeof(Outcome), span);
    if (!outcomes) {
        return 1;
    }
    gmxrt_view wide_a = linalg_expand(a, out), wide_b = linalg_expand(b, out);
    Solve solve = {.ctx = ctx,
                   .blas = blas_get(),
                   .a = &wide_a,
                   .b = &wide_b,
                   .out = out,
                   .outcomes = outcomes->data,
                   .n = (int)n,
                   .k = (int)k,
                   .span = span};
    gmxrt_parallel_for(ctx, solve_body, &solve, batches, linalg_grain(n));
    int32_t failed = judge(&solve, batches);
    gmxrt_buffer_release(outcomes);
    return failed;
}
