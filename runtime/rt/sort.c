/* sort and argsort along an axis: stable, NaN last, any strides, every real dtype.
 *
 * Elements become unsigned keys (order.h).  Short rows are merged by insertion, long ones sorted by the
 * digits of their keys, least first, digits that all keys share left out.  Rows are shared out over the pool;
 * a row is one task, so the result does not depend on the number of threads. */
#include "runtime/rt/order.h"

enum { TASKS = 16, SHORT_ROW = 48, SMALL_WORK = 1 << 13, DIGITS = 256 };

typedef struct Sort {
    const gmxrt_view *x, *out;
    int64_t axis, n, rows, tasks;
    bool descending, wants_indices;
    char *scratch;
    int64_t scratch_bytes; /* of one task */
} Sort;

typedef struct Row {
    uint64_t *keys, *other_keys;
    int64_t *indices, *other_indices; /* NULL when only values are wanted */
} Row;

static void sort_short(Row *row, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        uint64_t key = row->keys[i];
        int64_t index = row->indices ? row->indices[i] : 0, at = i;
        for (; at > 0 && row->keys[at - 1] > key; at--) {
            row->keys[at] = row->keys[at - 1];
            if (row->indices)
                row->indices[at] = row->indices[at - 1];
        }
        row->keys[at] = key;
        if (row->indices)
            row->indices[at] = index;
    }
}

static void move_by_digit(Row *row, int64_t n, int32_t shift, int64_t *place) {
    for (int64_t i = 0; i < n; i++) {
        int64_t to = place[row->keys[i] >> shift & (DIGITS - 1)]++;
        row->other_keys[to] = row->keys[i];
        if (row->indices)
            row->other_indices[to] = row->indices[i];
    }
    uint64_t *keys = row->keys;
    int64_t *indices = row->indices;
    row->keys = row->other_keys;
    row->other_keys = keys;
    row->indices = row->other_indices;
    row->other_indices = indices;
}

static void sort_long(Row *row, int64_t n, int32_t bytes) {
    int64_t counts[8][DIGITS] = {{0}};
    for (int64_t i = 0; i < n; i++)
        for (int32_t d = 0; d < bytes; d++)
            counts[d][row->keys[i] >> 8 * d & (DIGITS - 1)]++;
    for (int32_t d = 0; d < bytes; d++) {
        int64_t sum = 0;
        if (counts[d][row->keys[0] >> 8 * d & (DIGITS - 1)] == n)
            continue;
        for (int32_t k = 0; k < DIGITS; k++) {
            int64_t count = counts[d][k];
            counts[d][k] = sum;
            sum += count;
        }
        move_by_digit(row, n, 8 * d, counts[d]);
    }
}

static void sort_row(const Sort *s, int64_t number, char *scratch) {
    int64_t n = s->n, bytes = rt_dtype_bytes(s->x->dtype), out_bytes = rt_dtype_bytes(s->out->dtype);
    int64_t step = s->x->strides[s->axis] * bytes, out_step = s->out->strides[s->axis] * out_bytes;
    const char *from = (const char *)s->x->data + row_offset(s->x, s->axis, number);
    char *to = (char *)s->out->data + row_offset(s->out, s->axis, number);
    Row row = {(uint64_t *)scratch, (uint64_t *)scratch + n, NULL, NULL};
    uint64_t flip = s->descending ? ~(uint64_t)0 >> (64 - 8 * bytes) : 0;
    if (s->wants_indices) {
        row.indices = (int64_t *)scratch + 2 * n;
        row.other_indices = row.indices + n;
        for (int64_t i = 0; i < n; i++)
            row.indices[i] = i;
    }
    for (int64_t i = 0; i < n; i++)
        row.keys[i] =
            order_key(s->x->dtype, load_bits(from + i * step, (int32_t)bytes), s->wants_indices) ^ flip;
    if (n <= SHORT_ROW)
        sort_short(&row, n);
    else
        sort_long(&row, n, (int32_t)bytes);
    for (int64_t i = 0; i < n; i++)
        if (s->wants_indices)
            memcpy(to + i * out_step, &row.indices[i], sizeof(int64_t));
        else
            store_bits(to + i * out_step, order_element(s->x->dtype, row.keys[i] ^ flip), (int32_t)bytes);
}

static void sort_rows(void *arguments, int64_t begin, int64_t end) {
    const Sort *s = arguments;
    for (int64_t task = begin; task < end; task++)
        for (int64_t row = task; row < s->rows; row += s->tasks)
            sort_row(s, row, s->scratch + task * s->scratch_bytes);
}

static int32_t run(gmxrt_ctx *ctx, const gmxrt_view *x, const gmxrt_view *out, int64_t axis, bool descending,
                   bool wants_indices, uint64_t span) {
    int64_t size = view_size(x), needed;
    if (size == 0)
        return 0;
    Sort s = {.x = x, .out = out, .axis = axis, .descending = descending, .wants_indices = wants_indices};
    s.n = x->shape[axis];
    s.rows = size / s.n;
    s.tasks = size < SMALL_WORK ? 1 : s.rows < TASKS ? s.rows : TASKS;
    s.scratch_bytes = s.n * (wants_indices ? 32 : 16);
    if (s.n > INT64_MAX / 32 || __builtin_mul_overflow(s.scratch_bytes, s.tasks, &needed))
        return gmxrt_fail(ctx, RT_E0306, span, "the tensor is too large to be sorted");
    gmxrt_buffer *buffer = gmxrt_buffer_new(ctx, needed, span);
    if (!buffer)
        return 1;
    s.scratch = buffer->data;
    gmxrt_parallel_for(ctx, sort_rows, &s, s.tasks, 1);
    gmxrt_buffer_release(buffer);
    return 0;
}

int32_t gmxrt_sort(gmxrt_ctx *ctx, const gmxrt_view *x, const gmxrt_view *out, int64_t axis,
                   int64_t descending, uint64_t span) {
    return run(ctx, x, out, axis, descending != 0, false, span);
}

int32_t gmxrt_argsort(gmxrt_ctx *ctx, const gmxrt_view *x, const gmxrt_view *out, int64_t axis,
                      int64_t descending, uint64_t span) {
    return run(ctx, x, out, axis, descending != 0, true, span);
}
