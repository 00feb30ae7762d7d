/* Patterns: their arrays, made when they are first asked for by counting, and other views of the same
 * entries. */
#include "runtime/rt/pattern.h"

#include <stdlib.h>
#include <string.h>

int32_t pattern_check_narrow(gmxrt_ctx *ctx, int64_t rows, int64_t columns, int64_t count, uint64_t span) {
    if (rows <= INT32_MAX && columns <= INT32_MAX && count <= INT32_MAX)
        return 0;
    return gmxrt_fail(ctx, RT_E0306, span,
                      "a sparse matrix of %lld x %lld with %lld entries needs 64-bit indices",
                      (long long)rows, (long long)columns, (long long)count);
}

gmxrt_buffer *pattern_array(gmxrt_ctx *ctx, bool is_wide, int64_t count, uint64_t span) {
    int64_t bytes;
    if (__builtin_mul_overflow(count, is_wide ? 8 : 4, &bytes)) {
        gmxrt_fail(ctx, RT_E0306, span, "%lld indices do not fit in memory", (long long)count);
        return NULL;
    }
    return gmxrt_buffer_new(ctx, bytes, span);
}

/* ---- what patterns share --------------------------------------------------------------------------------
 */

PatternParts *pattern_parts_new(gmxrt_ctx *ctx, int64_t rows, int64_t columns, int64_t count, bool is_wide,
                                uint64_t span) {
    PatternParts *parts = calloc(1, sizeof *parts);
    if (!parts || pthread_mutex_init(&parts->lock, NULL) != 0) {
        free(parts);
        gmxrt_fail(ctx, RT_E0306, span, "memory for a pattern cannot be had");
        return NULL;
    }
    parts->references = 1;
    parts->extents[0] = rows;
    parts->extents[1] = columns;
    parts->count = count;
    parts->is_wide = is_wide;
    return parts;
}

void pattern_parts_release(PatternParts *parts) {
    if (__atomic_sub_fetch(&parts->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (int side = 0; side < 2; side++) {
        PatternSide *s = &parts->sides[side];
        gmxrt_buffer *buffers[] = {s->starts, s->indices, s->cross, s->expanded, s->places, s->given};
        for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
            gmxrt_buffer_release(buffers[i]);
    }
    pthread_mutex_destroy(&parts->lock);
    free(parts);
}

/* ---- patterns in buffers --------------------------------------------------------------------------------
 */

typedef struct Holder { /* what the buffer owns */
    gmxrt_pattern pattern;
    bool is_transposed; /* its rows are side 1 of the parts */
} Holder;

static bool is_transposed(const gmxrt_pattern *pattern) {
    return ((const Holder *)pattern)->is_transposed;
}

static void release_holder(void *owner) {
    Holder *holder = owner;
    pattern_parts_release(holder->pattern.parts);
    free(holder);
}

gmxrt_buffer *pattern_wrap(gmxrt_ctx *ctx, PatternParts *parts, bool is_transposed, int32_t order,
                           bool has_repeats, uint64_t span) {
    Holder *holder = calloc(1, sizeof *holder);
    gmxrt_buffer *buffer =
        holder ? gmxrt_buffer_lend(ctx, holder, sizeof *holder, release_holder, holder) : NULL;
    if (!buffer) {
        free(holder);
        pattern_parts_release(parts);
        gmxrt_fail(ctx, RT_E0306, span, "memory for a pattern cannot be had");
        return NULL;
    }
    holder->is_transposed = is_transposed;
    holder->pattern = (gmxrt_pattern){.rows = parts->extents[is_transposed],
                                      .columns = parts->extents[!is_transposed],
                                      .count = parts->count,
                                      .index = parts->is_wide ? RT_i64 : RT_i32,
                                      .order = order,
                                      .has_repeats = has_repeats,
                                      .parts = parts};
    return buffer;
}

/* ---- making arrays --------------------------------------------------------------------------------------
 */

/* starts[i]: how many ends are below i. */
static gmxrt_buffer *count_starts(gmxrt_ctx *ctx, const void *ends, bool is_wide, int64_t count,
                                  int64_t extent, uint64_t span) {
    if (extent == INT64_MAX) {
        gmxrt_fail(ctx, RT_E0306, span, "%lld rows do not fit in memory", (long long)extent);
        return NULL;
    }
    gmxrt_buffer *buffer = pattern_array(ctx, true, extent + 1, span);
    if (!buffer)
        return NULL;
    int64_t *starts = buffer->data;
    memset(starts, 0, (size_t)(extent + 1) * sizeof *starts);
    for (int64_t i = 0; i < count; i++)
        starts[pattern_index(ends, is_wide, i) + 1]++;
    for (int64_t i = 0; i < extent; i++)
        starts[i + 1] += starts[i];
    return buffer;
}

/* Seen from the other side: stable, so that indices ascend. */
static int32_t make_side(gmxrt_ctx *ctx, PatternParts *parts, int side, uint64_t span) {
    PatternSide *made = &parts->sides[side], *from = &parts->sides[!side];
    bool wide = parts->is_wide;
    int64_t count = parts->count;
    if (made->starts)
        return 0;
    gmxrt_buffer *starts = count_starts(ctx, from->indices->data, wide, count, parts->extents[side], span);
    gmxrt_buffer *indices = starts ? pattern_array(ctx, wide, count, span) : NULL;
    gmxrt_buffer *cross = indices ? pattern_array(ctx, wide, count, span) : NULL;
    gmxrt_buffer *next = cross ? pattern_array(ctx, true, parts->extents[side], span) : NULL;
    if (!next) {
        gmxrt_buffer_release(starts);
        gmxrt_buffer_release(indices);
        gmxrt_buffer_release(cross);
        return 1;
    }
    int64_t *at = next->data;
    const int64_t *from_starts = from->starts->data;
    memcpy(at, starts->data, (size_t)parts->extents[side] * sizeof *at);
    for (int64_t row = 0; row < parts->extents[!side]; row++)
        for (int64_t q = from_starts[row]; q < from_starts[row + 1]; q++) {
            int64_t to = at[pattern_index(from->indices->data, wide, q)]++;
            pattern_set_index(indices->data, wide, to, row);
            pattern_set_index(cross->data, wide, to, q);
        }
    gmxrt_buffer_release(next);
    made->indices = indices;
    made->cross = cross;
    made->starts = starts;
    return 0;
}

/* to[from[i]] = values ? values[i] : i */
static gmxrt_buffer *scattered(gmxrt_ctx *ctx, const void *from, const void *values, bool is_wide,
                               int64_t count, uint64_t span) {
    gmxrt_buffer *made = pattern_array(ctx, is_wide, count, span);
    for (int64_t i = 0; made && i < count; i++)
        pattern_set_index(made->data, is_wide, pattern_index(from, is_wide, i),
                          values ? pattern_index(values, is_wide, i) : i);
    return made;
}

/* Where each entry of `side` stands in the order of the other one. */
static gmxrt_buffer *side_cross(gmxrt_ctx *ctx, PatternParts *parts, int side, uint64_t span) {
    PatternSide *s = &parts->sides[side];
    if (!s->cross && !make_side(ctx, parts, side, span) && !make_side(ctx, parts, !side, span) && !s->cross)
        s->cross = scattered(ctx, parts->sides[!side].cross->data, NULL, parts->is_wide, parts->count, span);
    return s->cross;
}

static gmxrt_buffer *side_expanded(gmxrt_ctx *ctx, PatternParts *parts, int side, uint64_t span) {
    PatternSide *s = &parts->sides[side];
    if (s->expanded || make_side(ctx, parts, side, span))
        return s->expanded;
    gmxrt_buffer *made = pattern_array(ctx, parts->is_wide, parts->count, span);
    const int64_t *starts = s->starts->data;
    for (int64_t row = 0; made && row < parts->extents[side]; row++)
        for (int64_t q = starts[row]; q < starts[row + 1]; q++)
            pattern_set_index(made->data, parts->is_wide, q, row);
    return s->expanded = made;
}

/* Order GIVEN: where the entries of a side stand, from what the other side knows. */
static gmxrt_buffer *side_places(gmxrt_ctx *ctx, PatternParts *parts, int side, uint64_t span) {
    PatternSide *s = &parts->sides[side];
    if (s->places)
        return s->places;
    gmxrt_buffer *cross = side_cross(ctx, parts, side, span);
    gmxrt_buffer *made = cross ? pattern_array(ctx, parts->is_wide, parts->count, span) : NULL;
    const void *others = pattern_data(parts->sides[!side].places);
    for (int64_t q = 0; made && q < parts->count; q++)
        pattern_set_index(
            made->data, parts->is_wide, q,
            pattern_index(others, parts->is_wide, pattern_index(cross->data, parts->is_wide, q)));
    return s->places = made;
}

/* Order GIVEN: the own end of each entry. */
static gmxrt_buffer *side_given(gmxrt_ctx *ctx, PatternParts *parts, int side, uint64_t span) {
    PatternSide *s = &parts->sides[side];
    if (s->given)
        return s->given;
    gmxrt_buffer *places = side_places(ctx, parts, side, span), *own = side_expanded(ctx, parts, side, span);
    if (!places || !own)
        return NULL;
    return s->given = scattered(ctx, places->data, own->data, parts->is_wide, parts->count, span);
}

/* ---- parts ----------------------------------------------------------------------------------------------
 */

static gmxrt_buffer *find_part(gmxrt_ctx *ctx, const gmxrt_pattern *pattern, int64_t part, uint64_t span) {
    static const int sides[] = {0, 0, 0, 1, 1, 1, 0, 1};
    PatternParts *parts = pattern->parts;
    int seen = sides[part], side = seen ^ is_transposed(pattern);
    bool is_own = pattern->order == (seen ? GMXRT_ORDER_COLUMNS : GMXRT_ORDER_ROWS);
    switch (part) {
    case GMXRT_PART_ROW_STARTS:
    case GMXRT_PART_COLUMN_STARTS:
        return make_side(ctx, parts, side, span) ? NULL : parts->sides[side].starts;
    case GMXRT_PART_ROW_INDICES:
    case GMXRT_PART_COLUMN_INDICES:
        return make_side(ctx, parts, side, span) ? NULL : parts->sides[side].indices;
    case GMXRT_PART_ROW_PLACES:
    case GMXRT_PART_COLUMN_PLACES:
        return pattern->order == GMXRT_ORDER_GIVEN ? side_places(ctx, parts, side, span)
                                                   : side_cross(ctx, parts, side, span);
    default: /* an end of each entry in the pattern's order */
        if (pattern->order == GMXRT_ORDER_GIVEN)
            return side_given(ctx, parts, side, span);
        if (is_own)
            return side_expanded(ctx, parts, side, span);
        return make_side(ctx, parts, !side, span) ? NULL : parts->sides[!side].indices;
    }
}

int32_t pattern_part(gmxrt_ctx *ctx, const gmxrt_pattern *pattern, int64_t part, const void **data,
                     uint64_t span) {
    bool is_position = (part == GMXRT_PART_ROW_PLACES && pattern->order == GMXRT_ORDER_ROWS) ||
                       (part == GMXRT_PART_COLUMN_PLACES && pattern->order == GMXRT_ORDER_COLUMNS);
    gmxrt_buffer *found = NULL;
    if (!is_position) {
        pthread_mutex_lock(&pattern->parts->lock);
        found = find_part(ctx, pattern, part, span);
        pthread_mutex_unlock(&pattern->parts->lock);
        if (!found)
            return 1;
    }
    *data = pattern_data(found);
    return 0;
}

int32_t gmxrt_pattern_part(gmxrt_ctx *ctx, gmxrt_pattern *pattern, int64_t part, void **data, uint64_t span) {
    const void *found;
    if (pattern_part(ctx, pattern, part, &found, span))
        return 1;
    *data = (void *)found;
    return 0;
}

int32_t pattern_rows(gmxrt_ctx *ctx, const gmxrt_pattern *pattern, PatternRows *rows, uint64_t span) {
    const void *starts;
    *rows = (PatternRows){pattern->rows, pattern->columns,       pattern->count, NULL, NULL,
                          NULL,          pattern->parts->is_wide};
    if (pattern_part(ctx, pattern, GMXRT_PART_ROW_STARTS, &starts, span) ||
        pattern_part(ctx, pattern, GMXRT_PART_ROW_INDICES, &rows->indices, span) ||
        pattern_part(ctx, pattern, GMXRT_PART_ROW_PLACES, &rows->places, span))
        return 1;
    rows->starts = starts;
    return 0;
}

/* ---- other views of the same entries --------------------------------------------------------------------
 */

static int32_t view_again(gmxrt_ctx *ctx, gmxrt_pattern *x, bool transposed, int32_t order,
                          gmxrt_buffer **pattern, uint64_t span) {
    __atomic_add_fetch(&x->parts->references, 1, __ATOMIC_RELAXED);
    gmxrt_buffer *made = pattern_wrap(ctx, x->parts, transposed, order, x->has_repeats, span);
    if (!made)
        return 1;
    *pattern = made;
    return 0;
}

int32_t gmxrt_pattern_transpose(gmxrt_ctx *ctx, gmxrt_pattern *x, gmxrt_buffer **pattern, uint64_t span) {
    static const int32_t transposed[] = {[GMXRT_ORDER_ROWS] = GMXRT_ORDER_COLUMNS,
                                         [GMXRT_ORDER_COLUMNS] = GMXRT_ORDER_ROWS,
                                         [GMXRT_ORDER_GIVEN] = GMXRT_ORDER_GIVEN};
    return view_again(ctx, x, !is_transposed(x), transposed[x->order], pattern, span);
}

int32_t gmxrt_pattern_reorder(gmxrt_ctx *ctx, gmxrt_pattern *x, int64_t order, gmxrt_buffer **pattern,
                              uint64_t span) {
    return view_again(ctx, x, is_transposed(x), (int32_t)order, pattern, span);
}
