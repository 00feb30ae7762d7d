/* Shared parts of the dense decompositions; see linalg.h. */
#include "runtime/rt/internal.h"

#include "runtime/rt/linalg.h"

#include <limits.h>
#include <stdio.h>

/* Keeps the sizes of workspaces, and LAPACK's integers, from overflowing. */
static const int64_t largest_order = 1 << 26;

int32_t linalg_check(gmxrt_ctx *ctx, const char *name, const gmxrt_view *a, const gmxrt_view *out,
                     uint64_t span) {
    int32_t part = rt_dtype_part(a->dtype);
    if ((part != RT_f32 && part != RT_f64) || out->dtype != a->dtype || a->rank < 2 || out->rank < a->rank) {
        return gmxrt_fail(ctx, RT_E0502, span, "operands of %s were not prepared", name);
    }
    int64_t n = a->shape[a->rank - 1], rows = a->shape[a->rank - 2];
    if (n != rows) {
        return gmxrt_fail(ctx, RT_E0301, span, "%s needs a square matrix, this one is %lld x %lld", name,
                          (long long)rows, (long long)n);
    }
    if (out->shape[out->rank - 2] != n) {
        return gmxrt_fail_extents(ctx, "the result has the wrong size", out->shape[out->rank - 2], n, span);
    }
    for (int32_t i = 0; i < a->rank - 2; i++) {
        int64_t extent = out->shape[i + out->rank - a->rank];
        if (a->shape[i] != extent && a->shape[i] != 1) {
            return gmxrt_fail_extents(ctx, "the batch sizes differ", a->shape[i], extent, span);
        }
    }
    if (n > largest_order || out->shape[out->rank - 1] > INT_MAX) {
        return gmxrt_fail(ctx, RT_E0306, span, "%s: a matrix of %lld rows is too large", name, (long long)n);
    }
    if (!blas_get()) {
        gmxrt_fail(ctx, RT_E0501, span, "%s needs OpenBLAS (libopenblas.so.0), which was not found", name);
        gmxrt_set_hint(ctx, "install it (Debian: apt install libopenblas0), or name the file in the "
                            "environment variable GMX_OPENBLAS");
        return 1;
    }
    return 0;
}

gmxrt_view linalg_expand(const gmxrt_view *view, const gmxrt_view *out) {
    gmxrt_view wide = *out;
    wide.data = view->data;
    wide.dtype = view->dtype;
    int32_t missing = out->rank - view->rank;
    for (int32_t i = 0; i < out->rank; i++) {
        bool matrix = i >= out->rank - 2;
        bool repeated = i < missing || (!matrix && view->shape[i - missing] == 1);
        wide.shape[i] = matrix ? view->shape[i - missing] : out->shape[i];
        wide.strides[i] = repeated ? 0 : view->strides[i - missing];
    }
    return wide;
}

gmxrt_view linalg_matrix(const gmxrt_view *view, int64_t batch) {
    int32_t r = view->rank - 2, c = view->rank - 1;
    gmxrt_view matrix = {.dtype = view->dtype, .rank = 2};
    matrix.shape[0] = view->shape[r], matrix.strides[0] = view->strides[r];
    matrix.shape[1] = view->shape[c], matrix.strides[1] = view->strides[c];
    int64_t at = 0;
    for (int32_t i = r - 1; i >= 0; i--) {
        at += batch % view->shape[i] * view->strides[i];
        batch /= view->shape[i];
    }
    matrix.data = (char *)view->data + at * rt_dtype_bytes(view->dtype);
    return matrix;
}

gmxrt_view linalg_columns(const gmxrt_view *matrix, void *data) {
    gmxrt_view columns = *matrix;
    columns.data = data;
    columns.strides[0] = 1;
    columns.strides[1] = matrix->shape[0];
    return columns;
}

void linalg_describe_batch(char *text, size_t capacity, int64_t batch, int64_t batches) {
    text[0] = '\0';
    if (batches > 1) {
        snprintf(text, capacity, " (batch %lld)", (long long)batch);
    }
}

int64_t linalg_grain(int64_t n) {
    int64_t work = n > 1000 ? INT64_MAX / 2 : n * n * n;
    return (1 << 16) / (work + 1) + 1;
}
