/* Patterns inside the runtime: what several views of the same entries share, and how new ones are put
 * together. */
#ifndef GMX_RUNTIME_RT_PATTERN_H
#define GMX_RUNTIME_RT_PATTERN_H

#include "runtime/rt/internal.h"

#include <pthread.h>

/* Seen from side 0 (rows) or 1 (columns); transposed patterns see them the other way round.  Entries of a
 * side are in the order of its indices; `cross` says where each stands in the order of the other side. Arrays
 * are buffers, made when they are first asked for and never changed then; side 0 is there from the start, or
 * side 1. */
typedef struct PatternSide {
    gmxrt_buffer *starts;   /* i64 [extent + 1] */
    gmxrt_buffer *indices;  /* [count]: the other end */
    gmxrt_buffer *cross;    /* [count] */
    gmxrt_buffer *expanded; /* [count]: the own end */
    gmxrt_buffer *places;   /* order GIVEN: [count], where the entries stand in the given order */
    gmxrt_buffer *given;    /* order GIVEN: [count], the own end in the given order */
} PatternSide;

typedef struct gmxrt_pattern_parts {
    int64_t references; /* atomic: patterns that show these entries */
    pthread_mutex_t lock;
    int64_t extents[2], count;
    bool is_wide; /* indices are i64 */
    PatternSide sides[2];
} PatternParts;

static inline const void *pattern_data(const gmxrt_buffer *buffer) {
    return buffer ? buffer->data : NULL;
}

static inline int64_t pattern_index(const void *data, bool is_wide, int64_t i) {
    return is_wide ? ((const int64_t *)data)[i] : ((const int32_t *)data)[i];
}

static inline void pattern_set_index(void *data, bool is_wide, int64_t i, int64_t value) {
    if (is_wide)
        ((int64_t *)data)[i] = value;
    else
        ((int32_t *)data)[i] = (int32_t)value;
}

/* E0306 unless indices of 32 bits do. */
int32_t pattern_check_narrow(gmxrt_ctx *ctx, int64_t rows, int64_t columns, int64_t count, uint64_t span);
/* A buffer for `count` indices (or with `wide`, i64); NULL after E0306. */
gmxrt_buffer *pattern_array(gmxrt_ctx *ctx, bool is_wide, int64_t count, uint64_t span);
/* Empty parts with one reference; NULL after E0306. */
PatternParts *pattern_parts_new(gmxrt_ctx *ctx, int64_t rows, int64_t columns, int64_t count, bool is_wide,
                                uint64_t span);
void pattern_parts_release(PatternParts *parts);
/* A buffer that holds a pattern over `parts`, taking over one reference to them, also on failure (NULL). */
gmxrt_buffer *pattern_wrap(gmxrt_ctx *ctx, PatternParts *parts, bool is_transposed, int32_t order,
                           bool has_repeats, uint64_t span);
static inline gmxrt_pattern *pattern_of(const gmxrt_buffer *buffer) {
    return buffer->data;
}
/* An array of a pattern; NULL data is 0, 1, 2, …; nonzero after an error. */
int32_t pattern_part(gmxrt_ctx *ctx, const gmxrt_pattern *pattern, int64_t part, const void **data,
                     uint64_t span);
/* The rows of a pattern, for those who walk them. */
typedef struct PatternRows {
    int64_t rows, columns, count;
    const int64_t *starts;
    const void *indices, *places; /* places: NULL where they are the positions */
    bool is_wide;
} PatternRows;
int32_t pattern_rows(gmxrt_ctx *ctx, const gmxrt_pattern *pattern, PatternRows *rows, uint64_t span);

#endif
