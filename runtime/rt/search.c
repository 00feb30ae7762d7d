/* searchsorted and bincount: any strides; NaN is the greatest value. */
#include "runtime/rt/order.h"

enum { CHUNK = 1 << 12, NEAR = 8 };

typedef struct Search {
    const gmxrt_view *sorted, *values, *out;
    uint64_t *keys; /* of `sorted`; NULL for few values */
    bool right;
} Search;

static uint64_t key_at(const gmxrt_view *view, int64_t offset) {
    int64_t bytes = rt_dtype_bytes(view->dtype);
    return order_key(view->dtype, load_bits((const char *)view->data + offset, (int32_t)bytes), true);
}

static void make_keys(void *arguments, int64_t begin, int64_t end) {
    const Search *s = arguments;
    int64_t step = s->sorted->strides[0] * rt_dtype_bytes(s->sorted->dtype);
    for (int64_t i = begin; i < end; i++)
        s->keys[i] = key_at(s->sorted, i * step);
}

static bool is_before(const Search *s, int64_t i, uint64_t key) {
    uint64_t found = s->keys
                         ? s->keys[i]
                         : key_at(s->sorted, i * s->sorted->strides[0] * rt_dtype_bytes(s->sorted->dtype));
    return s->right ? found <= key : found < key;
}

/* How many of the sorted come before `key`; `last` answered another search, near ones are found from there.
 */
static int64_t position(const Search *s, uint64_t key, int64_t last) {
    int64_t low = 0, high = s->sorted->shape[0];
    if (last == 0 || is_before(s, last - 1, key)) {
        low = last;
        if (high - last > NEAR && !is_before(s, last + NEAR, key))
            high = last + NEAR;
    } else {
        high = last - 1;
    }
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        bool before = is_before(s, middle, key);
        low = before ? middle + 1 : low;
        high = before ? high : middle;
    }
    return low;
}

static void search_values(void *arguments, int64_t begin, int64_t end) {
    const Search *s = arguments;
    int64_t at = 0, bytes = rt_dtype_bytes(s->values->dtype);
    bool contiguous = view_is_contiguous(s->values) && view_is_contiguous(s->out);
    for (int64_t i = begin; i < end; i++) {
        int64_t from = contiguous ? i * bytes : row_offset(s->values, -1, i);
        int64_t to = contiguous ? i * (int64_t)sizeof at : row_offset(s->out, -1, i);
        at = position(s, key_at(s->values, from), at);
        memcpy((char *)s->out->data + to, &at, sizeof at);
    }
}

int32_t gmxrt_searchsorted(gmxrt_ctx *ctx, const gmxrt_view *sorted, const gmxrt_view *values,
                           const gmxrt_view *out, int64_t right, uint64_t span) {
    if (sorted->rank != 1 || sorted->dtype != values->dtype)
        return gmxrt_fail(ctx, RT_E0502, span, "searchsorted of other ranks or dtypes");
    int64_t size = view_size(values), needed;
    if (size == 0)
        return 0;
    if (__builtin_mul_overflow(sorted->shape[0], (int64_t)sizeof(uint64_t), &needed))
        return gmxrt_fail(ctx, RT_E0306, span, "the tensor is too large to be searched");
    Search s = {sorted, values, out, NULL, right != 0};
    gmxrt_buffer *buffer = NULL;
    if (size >= sorted->shape[0] / 16) {
        buffer = gmxrt_buffer_new(ctx, needed, span);
        if (!buffer)
            return 1;
        s.keys = buffer->data;
        gmxrt_parallel_for(ctx, make_keys, &s, sorted->shape[0], CHUNK);
    }
    gmxrt_parallel_for(ctx, search_values, &s, size, CHUNK);
    gmxrt_buffer_release(buffer);
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
