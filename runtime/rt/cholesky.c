/* Cholesky factors through LAPACK; like NumPy's, it reads the lower triangle alone. */
#include "runtime/rt/internal.h"

#include "runtime/rt/linalg.h"

#include <string.h>

typedef struct Cholesky {
    gmxrt_ctx *ctx;
    const Blas *blas;
    const gmxrt_view *a, *out;
    int32_t *infos; /* LAPACK's, one for each batch; -1: no workspace */
    int n;
    uint64_t span;
} Cholesky;

static int32_t factor_one(const Cholesky *c, int64_t batch) {
    int64_t bytes = rt_dtype_bytes(c->a->dtype), n = c->n;
    gmxrt_view a = linalg_matrix(c->a, batch), out = linalg_matrix(c->out, batch);
    gmxrt_buffer *space = gmxrt_buffer_new(c->ctx, bytes * n * n, c->span);
    if (!space) {
        return -1;
    }
    int info = -1;
    gmxrt_view columns = linalg_columns(&a, space->data);
    if (gmxrt_copy(c->ctx, &a, &columns, c->span) == 0) {
        if (c->a->dtype == RT_c64) {
            c->blas->cpotrf("L", &c->n, space->data, &c->n, &info, 1);
        } else if (c->a->dtype == RT_c128) {
            c->blas->zpotrf("L", &c->n, space->data, &c->n, &info, 1);
        } else if (c->a->dtype == RT_f32) {
            c->blas->spotrf("L", &c->n, space->data, &c->n, &info, 1);
        } else {
            c->blas->dpotrf("L", &c->n, space->data, &c->n, &info, 1);
        }
        for (int64_t j = 1; j < n; j++) { /* column j holds zeros above its diagonal */
            memset((char *)space->data + j * n * bytes, 0, (size_t)(j * bytes));
        }
        if (info == 0 && gmxrt_copy(c->ctx, &columns, &out, c->span) != 0) {
            info = -1;
        }
    }
    gmxrt_buffer_release(space);
    return info;
}

static void factor_body(void *arguments, int64_t begin, int64_t end) {
    const Cholesky *c = arguments;
    for (int64_t batch = begin; batch < end; batch++) {
        c->infos[batch] = factor_one(c, batch);
    }
}

static int32_t judge(const Cholesky *c, int64_t batches) {
    for (int64_t i = 0; i < batches; i++) {
        char where[40];
        linalg_describe_batch(where, sizeof where, i, batches);
        if (c->infos[i] < 0) {
            return gmxrt_fail(c->ctx, RT_E0502, c->span, "cholesky could not run%s", where);
        }
        if (c->infos[i] > 0) {
            return gmxrt_fail(c->ctx, RT_E0304, c->span,
                              "the matrix is not positive definite%s: its leading part of %d x %d is not",
                              where, (int)c->infos[i], (int)c->infos[i]);
        }
    }
    return 0;
}

int32_t gmxrt_cholesky(gmxrt_ctx *ctx, const gmxrt_view *a, const gmxrt_view *out, uint64_t span) {
    if (linalg_check(ctx, "cholesky", a, out, span) != 0) {
        return 1;
    }
    int64_t n = a->shape[a->rank - 1], batches = shape_product(out->rank - 2, out->shape);
    if (out->shape[out->rank - 1] != n) {
        return gmxrt_fail_extents(ctx, "the result has the wrong size", out->shape[out->rank - 1], n, span);
    }
    if (n == 0 || batches == 0) {
        return 0;
    }
    gmxrt_buffer *infos = gmxrt_buffer_new(ctx, batches * (int64_t)sizeof(int32_t), span);
    if (!infos) {
        return 1;
    }
    gmxrt_view wide = linalg_expand(a, out);
    Cholesky cholesky = {.ctx = ctx,
                         .blas = blas_get(),
                         .a = &wide,
                         .out = out,
                         .infos = infos->data,
                         .n = (int)n,
                         .span = span};
    gmxrt_parallel_for(ctx, factor_body, &cholesky, batches, linalg_grain(n));
    int32_t failed = judge(&cholesky, batches);
    gmxrt_buffer_release(infos);
    return failed;
}
