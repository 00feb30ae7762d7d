/* The numbers of a product of sparse matrices, at the entries that its result has (Gustavson 1978): row by
 * row, each into a row of accumulators; rows run in parallel and do not depend on each other. */
#include "runtime/rt/pattern.h"

#include <string.h>

typedef struct Complex32 {
    float re, im;
} Complex32;
typedef struct Complex64 {
    double re, im;
} Complex64;

typedef struct Product {
    gmxrt_ctx *ctx;
    uint64_t span;
    PatternRows x, y, z;
    const void *x_values, *y_values;
    void *out;
    int32_t dtype;
    int32_t failed; /* atomic */
} Product;

static inline int64_t position(const PatternRows *rows, int64_t q) {
    return rows->places ? pattern_index(rows->places, rows->is_wide, q) : q;
}

#define ADD_REAL(sum, a, b) sum += a * b
#define ADD_COMPLEX(sum, a, b)                                                                               \
    do {                                                                                                     \
        sum.re += a.re * b.re - a.im * b.im;                                                                 \
        sum.im += a.re * b.im + a.im * b.re;                                                                 \
    } while (0)

/* column -> accumulator of the row's entry, -1: not in z */
#define DEFINE_ROW(name, Type, ADD)                                                                          \
    static void name(const Product *p, int64_t row, int64_t *at) {                                           \
        const Type *xv = p->x_values, *yv = p->y_values;                                                     \
        Type *out = p->out;                                                                                  \
        for (int64_t i = p->z.starts[row]; i < p->z.starts[row + 1]; i++) {                                  \
            int64_t place = position(&p->z, i);                                                              \
            at[pattern_index(p->z.indices, p->z.is_wide, i)] = place;                                        \
            memset(out + place, 0, sizeof *out);                                                             \
        }                                                                                                    \
        for (int64_t i = p->x.starts[row]; i < p->x.starts[row + 1]; i++) {                                  \
            int64_t k = pattern_index(p->x.indices, p->x.is_wide, i);                                        \
            Type a = xv[position(&p->x, i)];                                                                 \
            for (int64_t q = p->y.starts[k]; q < p->y.starts[k + 1]; q++) {                                  \
                int64_t place = at[pattern_index(p->y.indices, p->y.is_wide, q)];                            \
                if (place >= 0) {                                                                            \
                    Type b = yv[position(&p->y, q)];                                                         \
                    ADD(out[place], a, b);                                                                   \
                }                                                                                            \
            }                                                                                                \
        }                                                                                                    \
        for (int64_t i = p->z.starts[row]; i < p->z.starts[row + 1]; i++)                                    \
            at[pattern_index(p->z.indices, p->z.is_wide, i)] = -1;                                           \
    }

DEFINE_ROW(row_f32, float, ADD_REAL)
DEFINE_ROW(row_f64, double, ADD_REAL)
DEFINE_ROW(row_i64, uint64_t, ADD_REAL) /* wraps */
DEFINE_ROW(row_c64, Complex32, ADD_COMPLEX)
DEFINE_ROW(row_c128, Complex64, ADD_COMPLEX)

static void (*row_function(int32_t dtype))(const Product *, int64_t, int64_t *) {
    switch (dtype) {
    case RT_f32:
        return row_f32;
    case RT_f64:
        return row_f64;
    case RT_i64:
        return row_i64;
    case RT_c64:
        return row_c64;
    case RT_c128:
        return row_c128;
    default:
        return NULL;
    }
}

static void run_rows(void *arguments, int64_t begin, int64_t end) {
    Product *p = arguments;
    gmxrt_buffer *buffer = pattern_array(p->ctx, true, p->z.columns, p->span);
    if (!buffer) {
        __atomic_store_n(&p->failed, 1, __ATOMIC_RELAXED);
        return;
    }
    void (*run)(const Product *, int64_t, int64_t *) = row_function(p->dtype);
    memset(buffer->data, 0xff, (size_t)p->z.columns * sizeof(int64_t));
    for (int64_t row = begin; row < end; row++)
        run(p, row, buffer->data);
    gmxrt_buffer_release(buffer);
}

int32_t gmxrt_sparse_product(gmxrt_ctx *ctx, gmxrt_pattern *x, const gmxrt_view *x_values, gmxrt_pattern *y,
                             const gmxrt_view *y_values, gmxrt_pattern *z, const gmxrt_view *out,
                             uint64_t span) {
    enum { GRAIN = 256 };
    Product p = {.ctx = ctx,
                 .span = span,
                 .x_values = x_values->data,
                 .y_values = y_values->data,
                 .out = out->data,
                 .dtype = out->dtype};
    if (!row_function(out->dtype))
        return gmxrt_fail(ctx, RT_E0502, span, "no sparse product of %s", rt_dtype_info[out->dtype].name);
    if (x->columns != y->rows || x->rows != z->rows || y->columns != z->columns)
        return gmxrt_fail_extents(ctx, "the sizes of a sparse product do not fit", x->columns, y->rows, span);
    if (pattern_rows(ctx, x, &p.x, span) || pattern_rows(ctx, y, &p.y, span) ||
        pattern_rows(ctx, z, &p.z, span))
        return 1;
    int32_t status = gmxrt_parallel_for(ctx, run_rows, &p, z->rows, GRAIN);
    return status || p.failed;
}
