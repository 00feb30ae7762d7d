/* Matrix products without the compiler: the same elements, bit for bit, as the compiler's kernel makes
 * (passes/lower_product.h), for work that is too little to compile for, and for vectors, where there is
 * nothing to keep in registers.  Rows by eight of b at a time; a contiguous row times a contiguous column
 * sums in four vectors of 32 bytes, which are added up in order at the end. */
#include "runtime/rt/internal.h"

#include "runtime/rt/matmul.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

enum { VECTOR_BYTES = 32, STREAMS = 8, DOT_VECTORS = 4 };

/* sum + x * y: floats in one rounding, on vectors as well. */
#define STEP_INTEGER(sum, x, y) ((sum) + (x) * (y))
#define STEP_U16(sum, x, y)     ((sum) + 1u * (x) * (y))
#define STEP_f32(sum, x, y)     fmaf(x, y, sum)
#define STEP_f64(sum, x, y)     fma(x, y, sum)

/* By lanes, for machines without the instruction. */
#define DEFINE_SLOW(type, vector, function)                                                                  \
    static inline void slow_##type(vector *sum, const vector *x, const vector *y) {                          \
        for (size_t i = 0; i < sizeof(vector) / sizeof(type); i++) {                                         \
            (*sum)[i] = function((*x)[i], (*y)[i], (*sum)[i]);                                               \
        }                                                                                                    \
    }

#define DEFINE_VECTOR(name, type)                                                                            \
    typedef type name __attribute__((vector_size(VECTOR_BYTES)));                                            \
    typedef struct name##_memory {                                                                           \
        name v;                                                                                              \
    } __attribute__((packed, aligned(sizeof(type)), may_alias)) name##_memory;

#define LOAD(vector, at)         (((const vector##_memory *)(at))->v)
#define STORE(vector, at, value) (((vector##_memory *)(at))->v = (value))

#define DEFINE_PLAIN(name, type, vector, attributes, STEP, VECTOR_STEP)                                      \
    attributes static void name##_streams(const type *a, int64_t a_column, const type *b, int64_t b_row,     \
                                          type *c, int64_t n, bool is_first) {                               \
        enum { LANES = VECTOR_BYTES / sizeof(type) };                                                        \
        const type *rows[STREAMS];                                                                           \
        vector factors[STREAMS];                                                                             \
        for (int i = 0; i < STREAMS; i++) {                                                                  \
            rows[i] = b + i * b_row;                                                                         \
            factors[i] = a[i * a_column] - (vector){0};                                                      \
        }                                                                                                    \
        int64_t j = 0;                                                                                       \
        for (; j + LANES <= n; j += LANES) {                                                                 \
            vector sum = {0}, y;                                                                             \
            if (!is_first) {                                                                                 \
                sum = LOAD(vector, c + j);                                                                   \
            }                                                                                                \
            y = LOAD(vector, rows[0] + j), VECTOR_STEP(sum, factors[0], y);                                  \
            y = LOAD(vector, rows[1] + j), VECTOR_STEP(sum, factors[1], y);                                  \
            y = LOAD(vector, rows[2] + j), VECTOR_STEP(sum, factors[2], y);                                  \
            y = LOAD(vector, rows[3] + j), VECTOR_STEP(sum, factors[3], y);                                  \
            y = LOAD(vector, rows[4] + j), VECTOR_STEP(sum, factors[4], y);                                  \
            y = LOAD(vector, rows[5] + j), VECTOR_STEP(sum, factors[5], y);                                  \
            y = LOAD(vector, rows[6] + j), VECTOR_STEP(sum, factors[6], y);                                  \
            y = LOAD(vector, rows[7] + j), VECTOR_STEP(sum, factors[7], y);                                  \
            STORE(vector, c + j, sum);                                                                       \
        }                                                                                                    \
        for (; j < n; j++) {                                                                                 \
            type sum = is_first ? 0 : c[j];                                                                  \
            for (int i = 0; i < STREAMS; i++) {                                                              \
                sum = (type)STEP(sum, factors[i][0], rows[i][j]);                                            \
            }                                                                                                \
            c[j] = sum;                                                                                      \
        }                                                                                                    \
    }                                                                                                        \
    attributes static void name##_row(const type *a, int64_t a_column, const type *b, int64_t b_row,         \
                                      type *c, int64_t n, int64_t k) {                                       \
        enum { LANES = VECTOR_BYTES / sizeof(type) };                                                        \
        int64_t p = 0;                                                                                       \
        for (; p + STREAMS <= k; p += STREAMS) {                                                             \
            name##_streams(a + p * a_column, a_column, b + p * b_row, b_row, c, n, p == 0);                  \
        }                                                                                                    \
        if (p == 0) {                                                                                        \
            memset(c, 0, (size_t)n * sizeof *c);                                                             \
        }                                                                                                    \
        for (; p < k; p++) {                                                                                 \
            const type *row = b + p * b_row;                                                                 \
            type x = a[p * a_column];                                                                        \
            vector factor = x - (vector){0};                                                                 \
            int64_t j = 0;                                                                                   \
            for (; j + LANES <= n; j += LANES) {                                                             \
                vector sum = LOAD(vector, c + j), y = LOAD(vector, row + j);                                 \
                VECTOR_STEP(sum, factor, y);                                                                 \
                STORE(vector, c + j, sum);                                                                   \
            }                                                                                                \
            for (; j < n; j++) {                                                                             \
                c[j] = (type)STEP(c[j], x, row[j]);                                                          \
            }                                                                                                \
        }                                                                                                    \
    }                                                                                                        \
    attributes static type name##_dot(const type *a, const type *b, int64_t k) {                             \
        enum { LANES = VECTOR_BYTES / sizeof(type) };                                                        \
        vector s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0}, x, y;                                                 \
        int64_t p = 0;                                                                                       \
        for (; p + DOT_VECTORS * LANES <= k; p += DOT_VECTORS * LANES) {                                     \
            x = LOAD(vector, a + p), y = LOAD(vector, b + p), VECTOR_STEP(s0, x, y);                         \
            x = LOAD(vector, a + p + LANES), y = LOAD(vector, b + p + LANES), VECTOR_STEP(s1, x, y);         \
            x = LOAD(vector, a + p + 2 * LANES), y = LOAD(vector, b + p + 2 * LANES);                        \
            VECTOR_STEP(s2, x, y);                                                                           \
            x = LOAD(vector, a + p + 3 * LANES), y = LOAD(vector, b + p + 3 * LANES);                        \
            VECTOR_STEP(s3, x, y);                                                                           \
        }                                                                                                    \
        for (; p + LANES <= k; p += LANES) {                                                                 \
            x = LOAD(vector, a + p), y = LOAD(vector, b + p), VECTOR_STEP(s0, x, y);                         \
        }                                                                                                    \
        vector sums = (s0 + s1) + (s2 + s3);                                                                 \
        type sum = 0;                                                                                        \
        for (int i = 0; i < LANES; i++) {                                                                    \
            sum = (type)(sum + sums[i]);                                                                     \
        }                                                                                                    \
        for (; p < k; p++) {                                                                                 \
            sum = (type)STEP(sum, a[p], b[p]);                                                               \
        }                                                                                                    \
        return sum;                                                                                          \
    }                                                                                                        \
    attributes static type name##_chain(const type *a, int64_t a_column, const type *b, int64_t b_row,       \
                                        int64_t k) {                                                         \
        type sum = 0;                                                                                        \
        for (int64_t p = 0; p < k; p++) {                                                                    \
            sum = (type)STEP(sum, a[p * a_column], b[p * b_row]);                                            \
        }                                                                                                    \
        return sum;                                                                                          \
    }                                                                                                        \
    attributes static int32_t name(gmxrt_ctx *ctx, const int64_t *arguments) {                               \
        (void)ctx;                                                                                           \
        ProductCall s;                                                                                       \
        memcpy(&s, arguments, sizeof s);                                                                     \
        bool is_dot = s.n == 1 && s.a_column == 1 && s.b_row == 1;                                           \
        for (int64_t t = 0; t < s.batches; t++) {                                                            \
            const type *b = (const type *)s.b + t * s.b_batch;                                               \
            for (int64_t i = 0; i < s.m; i++) {                                                              \
                const type *a = (const type *)s.a + t * s.a_batch + i * s.a_row;                             \
                type *c = (type *)s.c + t * s.c_batch + i * s.c_row;                                         \
                if (is_dot) {                                                                                \
                    *c = name##_dot(a, b, s.k);                                                              \
                } else if (s.b_column == 1) {                                                                \
                    name##_row(a, s.a_column, b, s.b_row, c, s.n, s.k);                                      \
                } else {                                                                                     \
                    for (int64_t j = 0; j < s.n; j++) {                                                      \
                        c[j] = name##_chain(a, s.a_column, b + j * s.b_column, s.b_row, s.k);                \
                    }                                                                                        \
                }                                                                                            \
            }                                                                                                \
        }                                                                                                    \
        return 0;                                                                                            \
    }

DEFINE_VECTOR(vector_f32, float)
DEFINE_VECTOR(vector_f64, double)
DEFINE_VECTOR(vector_u8, uint8_t)
DEFINE_VECTOR(vector_u16, uint16_t)
DEFINE_VECTOR(vector_u32, uint32_t)
DEFINE_VECTOR(vector_u64, uint64_t)
DEFINE_SLOW(float, vector_f32, fmaf)
DEFINE_SLOW(double, vector_f64, fma)

#define ANY
#define FAST                        __attribute__((target("avx2,fma")))
#define ADVANCE_INTEGER(sum, x, y)  (sum = (sum) + (x) * (y))
#define ADVANCE_f32(sum, x, y)      (sum = (vector_f32)_mm256_fmadd_ps((__m256)(x), (__m256)(y), (__m256)(sum)))
#define ADVANCE_f64(sum, x, y)      (sum = (vector_f64)_mm256_fmadd_pd((__m256d)(x), (__m256d)(y), (__m256d)(sum)))
#define ADVANCE_SLOW_f32(sum, x, y) slow_float(&sum, &x, &y)
#define ADVANCE_SLOW_f64(sum, x, y) slow_double(&sum, &x, &y)

DEFINE_PLAIN(fast_f32, float, vector_f32, FAST, STEP_f32, ADVANCE_f32)
DEFINE_PLAIN(fast_f64, double, vector_f64, FAST, STEP_f64, ADVANCE_f64)
DEFINE_PLAIN(any_f32, float, vector_f32, ANY, STEP_f32, ADVANCE_SLOW_f32)
DEFINE_PLAIN(any_f64, double, vector_f64, ANY, STEP_f64, ADVANCE_SLOW_f64)
DEFINE_PLAIN(fast_u8, uint8_t, vector_u8, FAST, STEP_INTEGER, ADVANCE_INTEGER)
DEFINE_PLAIN(fast_u16, uint16_t, vector_u16, FAST, STEP_U16, ADVANCE_INTEGER)
DEFINE_PLAIN(fast_u32, uint32_t, vector_u32, FAST, STEP_INTEGER, ADVANCE_INTEGER)
DEFINE_PLAIN(fast_u64, uint64_t, vector_u64, FAST, STEP_INTEGER, ADVANCE_INTEGER)
DEFINE_PLAIN(any_u8, uint8_t, vector_u8, ANY, STEP_INTEGER, ADVANCE_INTEGER)
DEFINE_PLAIN(any_u16, uint16_t, vector_u16, ANY, STEP_U16, ADVANCE_INTEGER)
DEFINE_PLAIN(any_u32, uint32_t, vector_u32, ANY, STEP_INTEGER, ADVANCE_INTEGER)
DEFINE_PLAIN(any_u64, uint64_t, vector_u64, ANY, STEP_INTEGER, ADVANCE_INTEGER)

/* Signed integers wrap as the unsigned ones of their width do. */
gmxrt_kernel product_plain(int32_t dtype) {
    bool fast = rt_cpu_level() >= 3;
    switch (dtype) {
    case RT_f32:
        return fast ? fast_f32 : any_f32;
    case RT_f64:
        return fast ? fast_f64 : any_f64;
    case RT_u8:
    case RT_i8:
        return fast ? fast_u8 : any_u8;
    case RT_u16:
    case RT_i16:
        return fast ? fast_u16 : any_u16;
    case RT_u32:
    case RT_i32:
        return fast ? fast_u32 : any_u32;
    case RT_u64:
    case RT_i64:
        return fast ? fast_u64 : any_u64;
    default:
        return NULL;
    }
}
