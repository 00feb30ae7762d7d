/* Helpers of the runtime's tests: random layouts over one block of memory, and elements of any
 * dtype read and written one by one, without the code under test. */
#ifndef TESTS_UNIT_RT_SUPPORT_H
#define TESTS_UNIT_RT_SUPPORT_H

#include "runtime/rt/runtime.h"

#include <stdlib.h>
#include <string.h>

typedef struct RtRandom {
    uint64_t state;
} RtRandom;

static inline uint32_t rt_random(RtRandom *random) {
    random->state = random->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random->state >> 33);
}

/* Uniform in [low, high]. */
static inline int64_t rt_random_between(RtRandom *random, int64_t low, int64_t high) {
    return low + (int64_t)(rt_random(random) % (uint64_t)(high - low + 1));
}

static inline void rt_set(void *address, int32_t dtype, double value) {
    switch (dtype) {
    case RT_bool:
        *(uint8_t *)address = value != 0;
        break;
    case RT_u8:
    case RT_i8:
        *(uint8_t *)address = (uint8_t)(int64_t)value;
        break;
    case RT_u16:
    case RT_i16:
        *(uint16_t *)address = (uint16_t)(int64_t)value;
        break;
    case RT_u32:
    case RT_i32:
        *(uint32_t *)address = (uint32_t)(int64_t)value;
        break;
    case RT_u64:
    case RT_i64:
        *(uint64_t *)address = (uint64_t)(int64_t)value;
        break;
    case RT_f16:
        *(uint16_t *)address = gmxrt_f64_to_f16(value);
        break;
    case RT_bf16:
        *(uint16_t *)address = gmxrt_f32_to_bf16((float)value);
        break;
    case RT_f32:
        *(float *)address = (float)value;
        break;
    default:
        *(double *)address = value;
    }
}

static inline double rt_get(const void *address, int32_t dtype) {
    switch (dtype) {
    case RT_bool:
    case RT_u8:
        return *(const uint8_t *)address;
    case RT_i8:
        return *(const int8_t *)address;
    case RT_u16:
        return *(const uint16_t *)address;
    case RT_i16:
        return *(const int16_t *)address;
    case RT_u32:
        return *(const uint32_t *)address;
    case RT_i32:
        return *(const int32_t *)address;
    case RT_u64:
        return (double)*(const uint64_t *)address;
    case RT_i64:
        return (double)*(const int64_t *)address;
    case RT_f16:
        return (double)gmxrt_f16_to_f32(*(const uint16_t *)address);
    case RT_bf16:
        return (double)gmxrt_bf16_to_f32(*(const uint16_t *)address);
    case RT_f32:
        return (double)*(const float *)address;
    default:
        return *(const double *)address;
    }
}

static inline void *rt_element(const gmxrt_view *view, const int64_t *index) {
    int64_t at = 0;
    for (int32_t i = 0; i < view->rank; i++) {
        at += index[i] * view->strides[i];
    }
    return (char *)view->data + at * rt_dtype_info[view->dtype].bytes;
}

/* Steps through all indices in row-major order; false after the last. */
static inline bool rt_next_index(const gmxrt_view *view, int64_t *index) {
    for (int32_t i = view->rank - 1; i >= 0; i--) {
        if (++index[i] < view->shape[i]) {
            return true;
        }
        index[i] = 0;
    }
    return false;
}

static inline int64_t rt_count(const gmxrt_view *view) {
    int64_t count = 1;
    for (int32_t i = 0; i < view->rank; i++) {
        count *= view->shape[i];
    }
    return count;
}

/* Memory of a layout, to be freed; the view covers a part of it. */
typedef struct RtLayout {
    gmxrt_view view;
    char *memory;
    size_t bytes;
} RtLayout;

/* A layout of the given shape: axes in random order in memory, with random gaps, some reversed if
 * `wild`; plain row-major otherwise.  Memory is filled with 0xA5. */
static inline RtLayout rt_layout(RtRandom *random, int32_t dtype, int32_t rank, const int64_t *shape,
                                 bool wild) {
    RtLayout layout = {.view = {.dtype = dtype, .rank = rank}};
    int32_t order[GMXRT_MAX_RANK];
    for (int32_t i = 0; i < rank; i++) {
        order[i] = rank - 1 - i;
        layout.view.shape[i] = shape[i];
    }
    for (int32_t i = rank - 1; wild && i > 0; i--) {
        int32_t k = (int32_t)rt_random_between(random, 0, i), kept = order[i];
        order[i] = order[k];
        order[k] = kept;
    }
    int64_t span = 1, start = 0;
    for (int32_t i = 0; i < rank; i++) {
        int32_t axis = order[i];
        int64_t gap = wild && rt_random(random) % 3 == 0 ? rt_random_between(random, 1, 3) : 0;
        int64_t stride = span + gap, extent = shape[axis] > 0 ? shape[axis] : 1;
        bool reversed = wild && rt_random(random) % 4 == 0;
        layout.view.strides[axis] = reversed ? -stride : stride;
        start += reversed ? stride * (extent - 1) : 0;
        span = stride * extent;
    }
    int64_t size = rt_dtype_info[dtype].bytes;
    layout.bytes = (size_t)(span * size);
    layout.memory = malloc(layout.bytes);
    memset(layout.memory, 0xA5, layout.bytes);
    layout.view.data = layout.memory + start * size;
    return layout;
}

#endif
