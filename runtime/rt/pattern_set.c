/* Patterns from patterns: unions, intersections, products, selections; and where an entry stands. */
#include "runtime/rt/pattern.h"

#include <stdlib.h>
#include <string.h>

static bool is_ascending(const PatternRows *x) {
    return !x->places;
}

static int64_t place_of(const PatternRows *x, int64_t q) {
    return is_ascending(x) ? q : pattern_index(x->places, x->is_wide, q);
}

static int64_t column_of(const PatternRows *x, int64_t q) {
    return pattern_index(x->indices, x->is_wide, q);
}

/* A new pattern in order ROWS that is filled row by row, and the maps that come with it. */
typedef struct Made {
    gmxrt_ctx *ctx;
    uint64_t span;
    PatternParts *parts;
    int64_t *starts;
    void *indices;
    gmxrt_buffer *maps[2];
} Made;

static void give_up(Made *made) {
    if (made->parts)
        pattern_parts_release(made->parts);
    gmxrt_buffer_release(made->maps[0]);
    gmxrt_buffer_release(made->maps[1]);
}

/* starts[row + 1] holds the count of each row; indices and maps are allocated. */
static int32_t begin(Made *made, gmxrt_buffer *starts, bool wide, int64_t rows, int64_t columns, int maps) {
    int64_t *at = starts->data;
    at[0] = 0;
    for (int64_t i = 0; i < rows; i++)
        at[i + 1] += at[i];
    int64_t count = at[rows];
    if (!wide && pattern_check_narrow(made->ctx, rows, columns, count, made->span)) {
        gmxrt_buffer_release(starts);
        return 1;
    }
    made->parts = pattern_parts_new(made->ctx, rows, columns, count, wide, made->span);
    if (!made->parts) {
        gmxrt_buffer_release(starts);
        return 1;
    }
    made->starts = at;
    made->parts->sides[0].starts = starts;
    made->parts->sides[0].indices = pattern_array(made->ctx, wide, count, made->span);
    bool failed = !made->parts->sides[0].indices;
    for (int i = 0; i < maps && !failed; i++)
        failed = !(made->maps[i] = pattern_array(made->ctx, true, count, made->span));
    if (failed)
        return give_up(made), 1;
    made->indices = made->parts->sides[0].indices->data;
    return 0;
}

static int32_t finish(Made *made, bool has_repeats, gmxrt_buffer **pattern) {
    gmxrt_buffer *buffer =
        pattern_wrap(made->ctx, made->parts, false, GMXRT_ORDER_ROWS, has_repeats, made->span);
    made->parts = NULL;
    if (!buffer)
        return give_up(made), 1;
    *pattern = buffer;
    return 0;
}

/* ---- unions and intersections ----------------------------------------------------------------------------
 */

typedef struct Merge {
    PatternRows x, y;
    bool is_union;
} Merge;

/* Goes through the entries of a row of both; fills where `made` is given.  The number of entries. */
static int64_t merge_row(const Merge *m, int64_t row, Made *made, int64_t at) {
    const PatternRows *x = &m->x, *y = &m->y;
    int64_t p = x->starts[row], p_end = x->starts[row + 1], q = y->starts[row], q_end = y->starts[row + 1];
    int64_t count = 0;
    while (m->is_union ? p < p_end || q < q_end : p < p_end && q < q_end) {
        int64_t a = p < p_end ? column_of(x, p) : INT64_MAX, b = q < q_end ? column_of(y, q) : INT64_MAX;
        int64_t column = a < b ? a : b;
        if (m->is_union || a == b) {
            if (made) {
                pattern_set_index(made->indices, made->parts->is_wide, at + count, column);
                ((int64_t *)made->maps[0]->data)[at + count] = a == column ? place_of(x, p) : -1;
                ((int64_t *)made->maps[1]->data)[at + count] = b == column ? place_of(y, q) : -1;
            }
            count++;
        }
        p += a == column;
        q += b == column;
    }
    return count;
}

static int32_t merge(gmxrt_ctx *ctx, gmxrt_pattern *x, gmxrt_pattern *y, bool is_union,
                     gmxrt_buffer **pattern, gmxrt_buffer **maps[2], uint64_t span) {
    Merge m = {.is_union = is_union};
    Made made = {.ctx = ctx, .span = span};
    if (x->rows != y->rows || x->columns != y->columns)
        return gmxrt_fail_extents(ctx, "the sizes of sparse matrices differ",
                                  x->rows != y->rows ? x->rows : x->columns,
                                  x->rows != y->rows ? y->rows : y->columns, span);
    if (pattern_rows(ctx, x, &m.x, span) || pattern_rows(ctx, y, &m.y, span))
        return 1;
    gmxrt_buffer *starts = pattern_array(ctx, true, x->rows + 1, span);
    if (!starts)
        return 1;
    for (int64_t row = 0; row < x->rows; row++)
        ((int64_t *)starts->data)[row + 1] = merge_row(&m, row, NULL, 0);
    if (begin(&made, starts, m.x.is_wide, x->rows, x->columns, 2))
        return 1;
    for (int64_t row = 0; row < x->rows; row++)
        merge_row(&m, row, &made, made.starts[row]);
    if (finish(&made, false, pattern))
        return 1;
    *maps[0] = made.maps[0];
    *maps[1] = made.maps[1];
    return 0;
}

int32_t gmxrt_pattern_union(gmxrt_ctx *ctx, gmxrt_pattern *x, gmxrt_pattern *y, gmxrt_buffer **pattern,
                            gmxrt_buffer **x_map, gmxrt_buffer **y_map, uint64_t span) {
    return merge(ctx, x, y, true, pattern, (gmxrt_buffer * *[2]){x_map, y_map}, span);
}

int32_t gmxrt_pattern_intersection(gmxrt_ctx *ctx, gmxrt_pattern *x, gmxrt_pattern *y, gmxrt_buffer **pattern,
                                   gmxrt_buffer **x_map, gmxrt_buffer **y_map, uint64_t span) {
    return merge(ctx, x, y, false, pattern, (gmxrt_buffer * *[2]){x_map, y_map}, span);
}

/* ---- products (Gustavson 1978) ----------------------------------------------------------------------------
 */

static int ascending(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The columns of a row of the product, unsorted; seen[c] == row: c is among them. */
static int64_t product_row(const PatternRows *x, const PatternRows *y, int64_t row, int64_t *seen,
                           int64_t *columns) {
    int64_t count = 0;
    for (int64_t p = x->starts[row]; p < x->starts[row + 1]; p++) {
        int64_t k = column_of(x, p);
        for (int64_t q = y->starts[k]; q < y->starts[k + 1]; q++) {
            int64_t c = column_of(y, q);
            if (seen[c] == row)
                continue;
            seen[c] = row;
            columns[count++] = c;
        }
    }
    return count;
}

static void fill_product(Made *made, const PatternRows *x, const PatternRows *y, int64_t *seen,
                         int64_t *columns) {
    memset(seen, 0xff, (size_t)y->columns * sizeof *seen);
    for (int64_t row = 0; row < x->rows; row++) {
        int64_t count = product_row(x, y, row, seen, columns);
        qsort(columns, (size_t)count, sizeof *columns, ascending);
        for (int64_t i = 0; i < count; i++)
            pattern_set_index(made->indices, made->parts->is_wide, made->starts[row] + i, columns[i]);
    }
}

int32_t gmxrt_pattern_product(gmxrt_ctx *ctx, gmxrt_pattern *x, gmxrt_pattern *y, gmxrt_buffer **pattern,
                              uint64_t span) {
    PatternRows a, b;
    Made made = {.ctx = ctx, .span = span};
    if (x->columns != y->rows)
        return gmxrt_fail_extents(ctx, "the inner sizes of a sparse product differ", x->columns, y->rows,
                                  span);
    if (pattern_rows(ctx, x, &a, span) || pattern_rows(ctx, y, &b, span))
        return 1;
    gmxrt_buffer *work = pattern_array(ctx, true, 2 * y->columns, span);
    gmxrt_buffer *starts = work ? pattern_array(ctx, true, x->rows + 1, span) : NULL;
    int32_t status = 1;
    if (starts) {
        int64_t *seen = work->data, *columns = seen + y->columns;
        memset(seen, 0xff, (size_t)y->columns * sizeof *seen);
        for (int64_t row = 0; row < x->rows; row++)
            ((int64_t *)starts->data)[row + 1] = product_row(&a, &b, row, seen, columns);
        if (!begin(&made, starts, a.is_wide, x->rows, y->columns, 0)) {
            fill_product(&made, &a, &b, seen, columns);
            status = finish(&made, false, pattern);
        }
    }
    gmxrt_buffer_release(work);
    return status;
}

/* ---- selections -------------------------------------------------------------------------------------------
 */

static int64_t index_at(const gmxrt_view *view, int64_t i) {
    return ((const int64_t *)view->data)[i * view->strides[0]];
}

/* The columns of the result that show column c of x: heads[c], then next[k], …; -1 ends. */
typedef struct Shown {
    int64_t *heads, *next;
} Shown;

static void list_shown(const gmxrt_view *columns, int64_t extent, Shown *shown) {
    memset(shown->heads, 0xff, (size_t)extent * sizeof *shown->heads);
    for (int64_t k = columns->shape[0]; k-- > 0;) {
        int64_t c = index_at(columns, k);
        shown->next[k] = shown->heads[c];
        shown->heads[c] = k;
    }
}

typedef struct Entry {
    int64_t column, place;
} Entry;

static int by_column(const void *a, const void *b) {
    const Entry *x = a, *y = b;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

typedef struct Selection {
    const PatternRows *x;
    const gmxrt_view *rows;
    const Shown *shown; /* NULL: all columns */
    Entry *entries;     /* of one row */
} Selection;

static int64_t select_row(const Selection *s, int64_t row, bool collect) {
    int64_t from = s->rows ? index_at(s->rows, row) : row, count = 0;
    for (int64_t q = s->x->starts[from]; q < s->x->starts[from + 1]; q++) {
        int64_t column = column_of(s->x, q);
        if (!s->shown) {
            if (collect)
                s->entries[count] = (Entry){column, place_of(s->x, q)};
            count++;
            continue;
        }
        for (int64_t k = s->shown->heads[column]; k >= 0; k = s->shown->next[k]) {
            if (collect)
                s->entries[count] = (Entry){k, place_of(s->x, q)};
            count++;
        }
    }
    return count;
}

static int32_t select_entries(Made *made, Selection *s, int64_t rows, int64_t columns) {
    gmxrt_buffer *starts = pattern_array(made->ctx, true, rows + 1, made->span);
    int64_t most = 0;
    if (!starts)
        return 1;
    for (int64_t row = 0; row < rows; row++) {
        int64_t count = ((int64_t *)starts->data)[row + 1] = select_row(s, row, false);
        most = count > most ? count : most;
    }
    if (begin(made, starts, s->x->is_wide, rows, columns, 1))
        return 1;
    gmxrt_buffer *entries = pattern_array(made->ctx, true, 2 * most, made->span);
    if (!entries)
        return give_up(made), 1;
    s->entries = entries->data;
    for (int64_t row = 0; row < rows; row++) {
        int64_t count = select_row(s, row, true);
        if (s->shown)
            qsort(s->entries, (size_t)count, sizeof *s->entries, by_column);
        for (int64_t i = 0; i < count; i++) {
            pattern_set_index(made->indices, made->parts->is_wide, made->starts[row] + i,
                              s->entries[i].column);
            ((int64_t *)made->maps[0]->data)[made->starts[row] + i] = s->entries[i].place;
        }
    }
    gmxrt_buffer_release(entries);
    return 0;
}

int32_t gmxrt_pattern_select(gmxrt_ctx *ctx, gmxrt_pattern *x, const gmxrt_view *rows,
                             const gmxrt_view *columns, gmxrt_buffer **pattern, gmxrt_buffer **map,
                             uint64_t span) {
    PatternRows all;
    Made made = {.ctx = ctx, .span = span};
    Selection s = {.x = &all, .rows = rows};
    if (pattern_rows(ctx, x, &all, span))
        return 1;
    int64_t row_count = rows ? rows->shape[0] : x->rows,
            column_count = columns ? columns->shape[0] : x->columns;
    gmxrt_buffer *work = columns ? pattern_array(ctx, true, x->columns + column_count, span) : NULL;
    if (columns && !work)
        return 1;
    Shown shown = {0};
    if (columns) {
        shown = (Shown){work->data, (int64_t *)work->data + x->columns};
        list_shown(columns, x->columns, &shown);
        s.shown = &shown;
    }
    int32_t status =
        select_entries(&made, &s, row_count, column_count) || finish(&made, x->has_repeats, pattern);
    gmxrt_buffer_release(work);
    if (!status)
        *map = made.maps[0];
    return status;
}

/* ---- looking up -------------------------------------------------------------------------------------------
 */

static int64_t find(const PatternRows *x, int64_t row, int64_t column) {
    int64_t low = x->starts[row], high = x->starts[row + 1], end = high;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (column_of(x, middle) < column)
            low = middle + 1;
        else
            high = middle;
    }
    return low < end && column_of(x, low) == column ? place_of(x, low) : -1;
}

/* The offset of element i (C order) of a view, in elements. */
static int64_t offset_of(const gmxrt_view *view, int64_t i) {
    int64_t offset = 0;
    for (int32_t k = view->rank; k-- > 0; i /= view->shape[k] ? view->shape[k] : 1)
        offset += i % (view->shape[k] ? view->shape[k] : 1) * view->strides[k];
    return offset;
}

int32_t gmxrt_pattern_locate(gmxrt_ctx *ctx, gmxrt_pattern *x, const gmxrt_view *rows,
                             const gmxrt_view *columns, const gmxrt_view *out, uint64_t span) {
    PatternRows all;
    int64_t count = view_size(out), *to = out->data;
    if (pattern_rows(ctx, x, &all, span))
        return 1;
    for (int64_t i = 0; i < count; i++) {
        int64_t row = ((const int64_t *)rows->data)[offset_of(rows, i)];
        int64_t column = ((const int64_t *)columns->data)[offset_of(columns, i)];
        if (row < 0 || row >= x->rows)
            return gmxrt_fail_index(ctx, row, x->rows, 0, span);
        if (column < 0 || column >= x->columns)
            return gmxrt_fail_index(ctx, column, x->columns, 1, span);
        to[i] = find(&all, row, column);
    }
    return 0;
}
