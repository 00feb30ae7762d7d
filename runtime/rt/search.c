/* searchsorted and bincount: any strides; NaN is the greatest value. */
#include "runtime/rt/order.h"

enum { CHUNK = 1 << 10 };

typedef struct Search {
    const gmxrt_view *sorted, *values, *out;
    bool right;
} Search;

static uint64_t key_at(const gmxrt_view *view, int64_t offset) {
    int64_t bytes = rt_dtype_bytes(view->dtype);
    return order_key(view->dtype, load_bits((const char *)view->data + offset, (int32_t)bytes), true);
}

/* How many elements are less than the key, or not greater if `right`. */
static int64_t position(const gmxrt_view *sorted, uint64_t key, bool right) {
    int64_t step = sorted->strides[0] * rt_dtype_bytes(sorted->dtype), low = 0, high = sorted->shape[0];
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        uint64_t found = key_at(sorted, middle * step);
        if (right ? found <= key : found < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void search_values(void *arguments, int64_t begin, int64_t end) {
    const Search *s = arguments;
    for (int64_t i = begin; i < end; i++) {
        int64_t at = position(s->sorted, key_at(s->values, row_offset(s->values, -1, i)), s->right);
        memcpy((char *)s->out->data + row_offset(s->out, -1, i), &at, sizeof at);
    }
}

int32_t gmxrt_searchsorted(gmxrt_ctx *ctx, const gmxrt_view *sorted, const gmxrt_view *values,
                           const gmxrt_view *out, int64_t right, uint64_t span) {
    if (sorted->rank != 1 || sorted->dtype != values->dtype)
        return gmxrt_fail(ctx, RT_E0502, span, "searchsorted of other ranks or dtypes");
    Search s = {sorted, values, out, right != 0};
    gmxrt_parallel_for(ctx, search_values, &s, view_size(values), CHUNK);
    return 0;
}

int32_t gmxrt_bincount(gmxrt_ctx *ctx, const gmxrt_view *x, const gmxrt_view *extent, const gmxrt_view *out,
                       uint64_t span) {
    (void)extent;
    int64_t n = view_size(x), bins = out->shape[0], *counts = out->data;
    if (n > 0 && bins == 0)
        return gmxrt_fail(ctx, RT_E0302, span, "`bincount` counts numbers from 0, not others");
    memset(counts, 0, (size_t)bins * sizeof *counts);
    for (int64_t i = 0; i < n; i++) {
        int64_t value = (int64_t)load_bits((const char *)x->data + row_offset(x, -1, i), 8);
        if (value < 0 || value >= bins)
            return gmxrt_fail(ctx, RT_E0302, span, "`bincount` counts numbers from 0, not %lld",
                              (long long)value);
        counts[value]++;
    }
    return 0;
}
