/* Patterns over the arrays of a compressed sparse row matrix that somebody lends: nothing is copied but
 * starts of 32 bits. */
#include "runtime/rt/pattern.h"

static bool is_list(const gmxrt_tensor *tensor) {
    bool is_index = tensor->dtype == RT_i64 || tensor->dtype == RT_i32;
    return is_index && tensor->rank == 1 && (tensor->shape[0] < 2 || tensor->strides[0] == 1);
}

static void release_tensor(void *owner) {
    gmxrt_tensor_release(owner);
}

/* The elements of a tensor as a buffer that keeps the tensor; NULL after E0306. */
static gmxrt_buffer *lent(gmxrt_ctx *ctx, gmxrt_tensor *tensor) {
    int64_t bytes = tensor->shape[0] * rt_dtype_bytes(tensor->dtype);
    gmxrt_buffer *buffer = gmxrt_buffer_lend(ctx, tensor->data, bytes, release_tensor, tensor);
    if (buffer)
        gmxrt_tensor_retain(tensor);
    return buffer;
}

static gmxrt_buffer *starts_of(gmxrt_ctx *ctx, gmxrt_tensor *tensor, uint64_t span) {
    if (tensor->dtype == RT_i64)
        return lent(ctx, tensor);
    gmxrt_buffer *wide = pattern_array(ctx, true, tensor->shape[0], span);
    for (int64_t i = 0; wide && i < tensor->shape[0]; i++)
        ((int64_t *)wide->data)[i] = ((const int32_t *)tensor->data)[i];
    return wide;
}

/* Starts ascend from 0 to the count, indices in each row, within the columns. */
static int32_t check(gmxrt_ctx *ctx, const PatternParts *parts, uint64_t span) {
    const int64_t *starts = parts->sides[0].starts->data;
    const void *indices = parts->sides[0].indices->data;
    int64_t rows = parts->extents[0], columns = parts->extents[1], count = parts->count;
    if (starts[0] != 0 || starts[rows] != count)
        return gmxrt_fail(ctx, RT_E0204, span, "the starts of rows go from %lld to %lld, not from 0 to %lld",
                          (long long)starts[0], (long long)starts[rows], (long long)count);
    for (int64_t row = 0; row < rows; row++) {
        if (starts[row + 1] < starts[row] || starts[row + 1] > count)
            return gmxrt_fail(ctx, RT_E0204, span, "row %lld goes from %lld to %lld of %lld entries",
                              (long long)row, (long long)starts[row], (long long)starts[row + 1],
                              (long long)count);
        int64_t last = -1;
        for (int64_t q = starts[row]; q < starts[row + 1]; q++) {
            int64_t index = pattern_index(indices, parts->is_wide, q);
            if (index < 0 || index >= columns)
                return gmxrt_fail_index(ctx, index, columns, 1, span);
            if (index <= last) {
                gmxrt_fail(ctx, RT_E0204, span, "the columns of row %lld do not ascend: %lld after %lld",
                           (long long)row, (long long)index, (long long)last);
                gmxrt_set_hint(ctx, "from_entries(rows, columns, values, shape) sorts and adds repeats");
                return 1;
            }
            last = index;
        }
    }
    return 0;
}

int32_t gmxrt_pattern_lend(gmxrt_ctx *ctx, int64_t rows, int64_t columns, gmxrt_tensor *starts,
                           gmxrt_tensor *indices, gmxrt_buffer **pattern, uint64_t span) {
    if (!is_list(starts) || !is_list(indices))
        return gmxrt_fail(ctx, RT_E0204, span, "starts and indices are contiguous vectors of i32 or i64");
    if (rows < 0 || columns < 0 || rows == INT64_MAX || starts->shape[0] != rows + 1)
        return gmxrt_fail_extents(ctx, "a matrix has a start for each row and one for the end", rows + 1,
                                  starts->shape[0], span);
    bool is_wide = indices->dtype == RT_i64;
    int64_t count = indices->shape[0];
    if (!is_wide && pattern_check_narrow(ctx, rows, columns, count, span))
        return 1;
    PatternParts *parts = pattern_parts_new(ctx, rows, columns, count, is_wide, span);
    if (!parts)
        return 1;
    parts->sides[0].starts = starts_of(ctx, starts, span);
    parts->sides[0].indices = parts->sides[0].starts ? lent(ctx, indices) : NULL;
    gmxrt_buffer *made = NULL;
    if (!parts->sides[0].indices || check(ctx, parts, span))
        pattern_parts_release(parts);
    else
        made = pattern_wrap(ctx, parts, false, GMXRT_ORDER_ROWS, false, span);
    if (!made)
        return 1;
    *pattern = made;
    return 0;
}

gmxrt_tensor *gmxrt_pattern_tensor(gmxrt_ctx *ctx, gmxrt_buffer *pattern) {
    const gmxrt_pattern *made = pattern_of(pattern);
    int64_t shape[] = {made->rows, made->columns, made->count}, strides[] = {1, 1, 1};
    return gmxrt_tensor_make(ctx, pattern, pattern->data, made->index, 3, shape, strides);
}
