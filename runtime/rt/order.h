/* The order of sort.c and search.c: unsigned keys that compare as the elements do, NaN last; and rows of a
 * view. */
#ifndef GMX_RUNTIME_RT_ORDER_H
#define GMX_RUNTIME_RT_ORDER_H

#include "runtime/rt/internal.h"
#include <string.h>

/* Bits of one element as an unsigned number of the same width in the same order.  NaN is the greatest key; -0
 * and +0 have one key if `equal_zeros`, else -0 comes first and the key can be turned back into the element.
 */
static inline uint64_t order_key(int32_t dtype, uint64_t bits, bool equal_zeros) {
    int32_t width = rt_dtype_info[dtype].bytes * 8;
    uint64_t all = ~(uint64_t)0 >> (64 - width), sign = (uint64_t)1 << (width - 1);
    switch (rt_dtype_info[dtype].kind) {
    case RT_SIGNED:
        return bits ^ sign;
    case RT_FLOAT: {
        uint64_t infinity = dtype == RT_f16    ? 0x7c00
                            : dtype == RT_bf16 ? 0x7f80
                            : dtype == RT_f32  ? 0x7f800000
                                               : (uint64_t)0x7ff << 52;
        if ((bits & ~sign) > infinity)
            return all;
        if (equal_zeros && bits == sign)
            return sign;
        return bits & sign ? ~bits & all : bits | sign;
    }
    default:
        return bits;
    }
}

/* The element of a key made without `equal_zeros`. */
static inline uint64_t order_element(int32_t dtype, uint64_t key) {
    int32_t width = rt_dtype_info[dtype].bytes * 8;
    uint64_t all = ~(uint64_t)0 >> (64 - width), sign = (uint64_t)1 << (width - 1);
    switch (rt_dtype_info[dtype].kind) {
    case RT_SIGNED:
        return key ^ sign;
    case RT_FLOAT:
        if (key == all) /* the quiet NaN */
            return dtype == RT_f16    ? 0x7e00
                   : dtype == RT_bf16 ? 0x7fc0
                   : dtype == RT_f32  ? 0x7fc00000
                                      : (uint64_t)0x7ff8 << 48;
        return key & sign ? key ^ sign : ~key & all;
    default:
        return key;
    }
}

static inline uint64_t load_bits(const char *at, int32_t bytes) {
    uint64_t bits = 0;
    switch (bytes) {
    case 1:
        return *(const uint8_t *)at;
    case 2:
        return *(const uint16_t *)at;
    case 4:
        return *(const uint32_t *)at;
    default:
        memcpy(&bits, at, 8);
        return bits;
    }
}

static inline void store_bits(char *at, uint64_t bits, int32_t bytes) {
    memcpy(at, &bits, (size_t)bytes); /* little-endian */
}

/* Offset in bytes of row number `row`, counted in C order over every axis but `axis`. */
static inline int64_t row_offset(const gmxrt_view *view, int64_t axis, int64_t row) {
    int64_t offset = 0;
    for (int32_t k = view->rank; k-- > 0;) {
        if (k == axis)
            continue;
        offset += row % view->shape[k] * view->strides[k];
        row /= view->shape[k];
    }
    return offset * rt_dtype_bytes(view->dtype);
}

#endif
