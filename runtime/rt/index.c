/* Index tensors: checked once before the loop that gathers by them; masks as index tensors. */
#include "runtime/rt/internal.h"

/* Moves `at` to the next element of a view in C order; `position` counts along each axis. */
static const char *next_element(const gmxrt_view *view, int64_t bytes, int64_t *position, const char *at) {
    for (int32_t k = view->rank; k-- > 0;) {
        int64_t step = view->strides[k] * bytes;
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
    for (int64_t i = 0; i < count; i++, at = next_element(indices, sizeof *to, position, at)) {
        int64_t index = *(const int64_t *)at;
        to[i] = index < 0 ? index + extent : index;
        if (index < -extent || index >= extent)
            return gmxrt_fail_index(ctx, index, extent, axis, span);
    }
    return 0;
}

int32_t gmxrt_nonzero(gmxrt_ctx *ctx, const gmxrt_view *mask, const gmxrt_view *count, const gmxrt_view *out,
                      uint64_t span) {
    int64_t position[GMXRT_MAX_RANK] = {0}, size = view_size(mask), found = 0;
    const char *at = mask->data;
    (void)count;
    for (int64_t i = 0; i < size; i++) {
        if (*(const uint8_t *)at) {
            if (found == out->shape[1])
                return gmxrt_fail(ctx, RT_E0502, span, "the mask has more true elements than were counted");
            for (int32_t k = 0; k < mask->rank; k++)
                ((int64_t *)out->data)[k * out->shape[1] + found] = position[k];
            found++;
        }
        at = next_element(mask, 1, position, at);
    }
    return 0;
}
