/* Index tensors: checked once before the loop that gathers by them. */
#include "runtime/rt/internal.h"

/* Moves `at` to the next element of a view in C order; `position` counts along each axis. */
static const char *next_element(const gmxrt_view *view, int64_t *position, const char *at) {
    for (int32_t k = view->rank; k-- > 0;) {
        int64_t step = view->strides[k] * (int64_t)sizeof(int64_t);
        at += step;
        if (++position[k] < view->shape[k])
            return at;
        at -= step * view->shape[k];
        position[k] = 0;
    }
    return at;
}

int32_t gmxrt_check_index(gmxrt_ctx *ctx, const gmxrt_view *indices, int64_t extent, int64_t axis,
                          const gmxrt_view *out, uint64_t span) {
    int64_t position[GMXRT_MAX_RANK] = {0}, count = view_size(indices), *to = out->data;
    const char *at = indices->data;
    for (int64_t i = 0; i < count; i++, at = next_element(indices, position, at)) {
        int64_t index = *(const int64_t *)at;
        to[i] = index < 0 ? index + extent : index;
        if (index < -extent || index >= extent)
            return gmxrt_fail_index(ctx, index, extent, axis, span);
    }
    return 0;
}
