/* Patterns from lists of pairs: sorted by counting, repeats found. */
#include "runtime/rt/pattern.h"

#include <string.h>

typedef struct Pairs {
    gmxrt_ctx *ctx;
    uint64_t span;
    int64_t count, extents[2];
    int64_t *ends[2]; /* as listed */
    int64_t *order;   /* sorted position -> number in the list */
    gmxrt_buffer *buffers[4];
    int buffer_count;
} Pairs;

static int64_t *borrow(Pairs *p, int64_t count) {
    gmxrt_buffer *buffer = pattern_array(p->ctx, true, count, p->span);
    if (!buffer)
        return NULL;
    p->buffers[p->buffer_count++] = buffer;
    return buffer->data;
}

static void free_pairs(Pairs *p) {
    while (p->buffer_count > 0)
        gmxrt_buffer_release(p->buffers[--p->buffer_count]);
}

/* Copies a list of ends and checks it. */
static int32_t read_ends(Pairs *p, const gmxrt_view *view, int side) {
    const char *at = view->data;
    int64_t bytes = rt_dtype_bytes(view->dtype), step = view->strides[0] * bytes;
    if (!(p->ends[side] = borrow(p, p->count)))
        return 1;
    for (int64_t i = 0; i < p->count; i++, at += step) {
        int64_t index = bytes == 8 ? *(const int64_t *)at : *(const int32_t *)at;
        if (index < 0 || index >= p->extents[side])
            return gmxrt_fail_index(p->ctx, index, p->extents[side], side, p->span);
        p->ends[side][i] = index;
    }
    return 0;
}

/* Stable, by the ends of one side; `from` NULL: 0, 1, 2, … */
static int32_t sort_by(Pairs *p, int side, const int64_t *from, int64_t *to) {
    int64_t extent = p->extents[side];
    gmxrt_buffer *buffer = pattern_array(p->ctx, true, extent, p->span);
    if (!buffer)
        return 1;
    int64_t *next = buffer->data, sum = 0;
    memset(next, 0, (size_t)extent * sizeof *next);
    for (int64_t i = 0; i < p->count; i++)
        next[p->ends[side][i]]++;
    for (int64_t i = 0; i < extent; i++) {
        int64_t own = next[i];
        next[i] = sum;
        sum += own;
    }
    for (int64_t i = 0; i < p->count; i++) {
        int64_t number = from ? from[i] : i;
        to[next[p->ends[side][number]]++] = number;
    }
    gmxrt_buffer_release(buffer);
    return 0;
}

static int compare(const Pairs *p, int64_t a, int64_t b, int major) {
    int64_t first = p->ends[major][a] - p->ends[major][b];
    int64_t second = p->ends[!major][a] - p->ends[!major][b];
    return first ? (first > 0) - (first < 0) : (second > 0) - (second < 0);
}

/* p->order: by the ends of the major side, then of the other, then as listed. */
static int32_t sort_pairs(Pairs *p, int major) {
    bool is_sorted = true;
    if (!(p->order = borrow(p, p->count)))
        return 1;
    for (int64_t i = 1; i < p->count && is_sorted; i++)
        is_sorted = compare(p, i - 1, i, major) <= 0;
    if (is_sorted) {
        for (int64_t i = 0; i < p->count; i++)
            p->order[i] = i;
        return 0;
    }
    gmxrt_buffer *half = pattern_array(p->ctx, true, p->count, p->span);
    int32_t status = !half || sort_by(p, !major, NULL, half->data) || sort_by(p, major, half->data, p->order);
    gmxrt_buffer_release(half);
    return status;
}

static int32_t fail_repeat(const Pairs *p) {
    int64_t first = -1, number = -1;
    for (int64_t i = 1; i < p->count; i++)
        if (compare(p, p->order[i - 1], p->order[i], 0) == 0 && (number < 0 || p->order[i] < number)) {
            number = p->order[i];
            first = p->order[i - 1];
        }
    gmxrt_fail(p->ctx, RT_E0310, p->span, "the pair (%lld, %lld) is listed twice, at %lld and %lld",
               (long long)p->ends[0][number], (long long)p->ends[1][number], (long long)first,
               (long long)number);
    gmxrt_set_hint(p->ctx, "`unique=true` keeps one of each, `multi=true` keeps all as parallel edges");
    return 1;
}

static int64_t count_repeats(const Pairs *p) {
    int64_t repeats = 0;
    for (int64_t i = 1; i < p->count; i++)
        repeats += compare(p, p->order[i - 1], p->order[i], 0) == 0;
    return repeats;
}

/* map[k]: the sorted position of pair k, of `kept` positions (repeats share one unless they are kept). */
static void number_pairs(const Pairs *p, bool keep, int64_t *map) {
    int64_t position = -1;
    for (int64_t i = 0; i < p->count; i++) {
        position += keep || i == 0 || compare(p, p->order[i - 1], p->order[i], 0) != 0;
        map[p->order[i]] = position;
    }
}

/* The major side of the parts: starts and indices by sorted position. */
static int32_t fill_side(const Pairs *p, PatternParts *parts, int major, const int64_t *map) {
    PatternSide *side = &parts->sides[major];
    side->starts = pattern_array(p->ctx, true, p->extents[major] + 1, p->span);
    side->indices = side->starts ? pattern_array(p->ctx, parts->is_wide, parts->count, p->span) : NULL;
    if (!side->indices)
        return 1;
    int64_t *starts = side->starts->data, last = -1;
    memset(starts, 0, (size_t)(p->extents[major] + 1) * sizeof *starts);
    for (int64_t i = 0; i < p->count; i++) {
        int64_t number = p->order[i], position = map[number];
        if (position == last)
            continue;
        last = position;
        starts[p->ends[major][number] + 1]++;
        pattern_set_index(side->indices->data, parts->is_wide, position, p->ends[!major][number]);
    }
    for (int64_t i = 0; i < p->extents[major]; i++)
        starts[i + 1] += starts[i];
    return 0;
}

/* In the given order an entry stands where its first pair does among the first ones: turns map into these
 * places. */
static int32_t fill_places(Pairs *p, PatternParts *parts, int64_t *map) {
    PatternSide *side = &parts->sides[0];
    side->places = pattern_array(p->ctx, parts->is_wide, parts->count, p->span);
    if (!side->places)
        return 1;
    bool wide = parts->is_wide;
    int64_t next = 0;
    for (int64_t i = 0; i < parts->count; i++)
        pattern_set_index(side->places->data, wide, i, -1);
    for (int64_t k = 0; k < p->count; k++) {
        if (pattern_index(side->places->data, wide, map[k]) < 0)
            pattern_set_index(side->places->data, wide, map[k], next++);
        map[k] = pattern_index(side->places->data, wide, map[k]);
    }
    return 0;
}

static gmxrt_buffer *make(Pairs *p, int32_t order, int64_t repeats, bool is_wide, int64_t *map) {
    int major = order == GMXRT_ORDER_COLUMNS;
    if (sort_pairs(p, major))
        return NULL;
    int64_t repeated = count_repeats(p);
    if (repeated && repeats == GMXRT_REPEATS_ERROR)
        return fail_repeat(p), NULL;
    bool keep = repeats == GMXRT_REPEATS_KEEP;
    int64_t count = p->count - (keep ? 0 : repeated);
    number_pairs(p, keep, map);
    PatternParts *parts = pattern_parts_new(p->ctx, p->extents[0], p->extents[1], count, is_wide, p->span);
    if (!parts)
        return NULL;
    if (fill_side(p, parts, major, map) || (order == GMXRT_ORDER_GIVEN && fill_places(p, parts, map))) {
        pattern_parts_release(parts);
        return NULL;
    }
    return pattern_wrap(p->ctx, parts, false, order, keep && repeated, p->span);
}

int32_t gmxrt_pattern_make(gmxrt_ctx *ctx, const gmxrt_view *rows, const gmxrt_view *columns,
                           int64_t row_count, int64_t column_count, int64_t order, int64_t repeats,
                           int64_t index, gmxrt_buffer **pattern, gmxrt_buffer **map, uint64_t span) {
    Pairs p = {.ctx = ctx, .span = span, .count = rows->shape[0], .extents = {row_count, column_count}};
    if (columns->shape[0] != p.count)
        return gmxrt_fail_extents(ctx, "the lists of rows and columns differ in length", p.count,
                                  columns->shape[0], span);
    if (row_count < 0 || column_count < 0 || row_count == INT64_MAX || column_count == INT64_MAX)
        return gmxrt_fail(ctx, RT_E0301, span, "a matrix cannot have %lld x %lld elements",
                          (long long)row_count, (long long)column_count);
    gmxrt_buffer *made = NULL, *places = pattern_array(ctx, true, p.count, span);
    bool is_narrow_enough = true;
    bool is_wide = index == RT_i64;
    if (places && !is_wide)
        is_narrow_enough = !pattern_check_narrow(ctx, row_count, column_count, p.count, span);
    if (places && is_narrow_enough && !read_ends(&p, rows, 0) && !read_ends(&p, columns, 1))
        made = make(&p, (int32_t)order, repeats, is_wide, places->data);
    free_pairs(&p);
    if (!made) {
        gmxrt_buffer_release(places);
        return 1;
    }
    *pattern = made;
    *map = places;
    return 0;
}
