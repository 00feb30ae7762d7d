/* Matrix Market files (NIST): what one holds. */
#ifndef GMX_RUNTIME_RT_MTX_H
#define GMX_RUNTIME_RT_MTX_H

#include "runtime/rt/runtime.h"

/* A matrix that was read.  Coordinates give a pattern (a tensor that wraps it, see gmxrt.h) in order ROWS
 * with values [count]; an array gives `values` [rows, columns] alone. */
typedef struct gmxrt_matrix {
    gmxrt_tensor *pattern, *values;
} gmxrt_matrix;

/* True for `.mtx` and `.mtx.gz`. */
bool gmxrt_is_matrix_file(const char *path);
/* Entries that are given twice are added, halves of symmetric matrices completed.  pattern: f32 ones, real:
 * f64, integer: i64, complex: c128.  0, or nonzero after an error that names the line. */
int32_t gmxrt_matrix_load(gmxrt_ctx *ctx, const char *path, gmxrt_matrix *out, uint64_t span);
void gmxrt_matrix_free(gmxrt_matrix *matrix);

#endif
