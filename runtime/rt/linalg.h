/* What solve.c and cholesky.c share: checks, and matrices out of batches. */
#ifndef GMX_RUNTIME_RT_LINALG_H
#define GMX_RUNTIME_RT_LINALG_H

#include "runtime/rt/blas.h"
#include "runtime/rt/gmxrt.h"

/* f32 or f64, square, sizes that LAPACK's 32-bit integers hold, and the library is there (else
 * E0501). */
int32_t linalg_check(gmxrt_ctx *ctx, const char *name, const gmxrt_view *a, const gmxrt_view *out,
                     uint64_t span);
/* `view` with the batch axes of `out`: missing ones and extents of 1 repeat. */
gmxrt_view linalg_expand(const gmxrt_view *view, const gmxrt_view *out);
/* Matrix number `batch` (row-major over the batch axes) as a view of rank 2. */
gmxrt_view linalg_matrix(const gmxrt_view *view, int64_t batch);
/* A view of `matrix`'s shape over dense memory, column by column. */
gmxrt_view linalg_columns(const gmxrt_view *matrix, void *data);
/* " (batch 3)", or "" for a single matrix. */
void linalg_describe_batch(char *text, size_t capacity, int64_t batch, int64_t batches);
/* Batches of n x n that make a chunk of a parallel loop. */
int64_t linalg_grain(int64_t n);

#endif
