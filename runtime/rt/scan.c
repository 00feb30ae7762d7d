/* cumsum, cumprod, cummax and cummin along an axis: any strides; complex numbers have no max and min.
 *
 * f32 accumulates in f64, c64 in c128, f16 and bf16 in f32, integers wrap.  Neighbouring lines are scanned
 * together when they lie closer than the steps along the axis.  A line is never cut, so the result does not
 * depend on threads. */
#include "runtime/rt/order.h"

enum { LANES = 32, CHUNK = 1 << 14 };

typedef enum ScanOp { SCAN_SUM, SCAN_PRODUCT, SCAN_MAX, SCAN_MIN } ScanOp;

typedef struct Lines { /* `lanes` lines that start lane_in, lane_out bytes apart */
    const char *from;
    char *to;
    int64_t n, step_in, step_out, lanes, lane_in, lane_out;
} Lines;

#define FOR_EACH_ELEMENT                                                                                     \
    for (int64_t i = 0; i < l->n; i++)                                                                       \
        for (int64_t k = 0; k < l->lanes; k++)
#define SCAN(name, T, ACC, first, LOAD, STORE, COMBINE)                                                      \
    static void name(const Lines *l) {                                                                       \
        ACC sum[LANES];                                                                                      \
        for (int64_t k = 0; k < l->lanes; k++)                                                               \
            sum[k] = first;                                                                                  \
        FOR_EACH_ELEMENT {                                                                                   \
            T element;                                                                                       \
            memcpy(&element, l->from + i * l->step_in + k * l->lane_in, sizeof element);                     \
            ACC a = sum[k], b = LOAD(element);                                                               \
            sum[k] = i ? (COMBINE) : b;                                                                      \
            element = (T)STORE(sum[k]);                                                                      \
            memcpy(l->to + i * l->step_out + k * l->lane_out, &element, sizeof element);                     \
        }                                                                                                    \
    }
#define PLAIN(x) (x)
#define SCANS(t, T, ACC, SUM, LOAD, STORE)                                                                   \
    SCAN(sum_##t, T, ACC, 0, LOAD, STORE, (ACC)((SUM)a + (SUM)b))                                            \
    SCAN(product_##t, T, ACC, 1, LOAD, STORE, (ACC)((SUM)a * (SUM)b))                                        \
    SCAN(max_##t, T, ACC, 0, LOAD, STORE, b != b || b > a ? b : a)                                           \
    SCAN(min_##t, T, ACC, 0, LOAD, STORE, b != b || b < a ? b : a)

SCANS(bool, uint8_t, uint8_t, uint8_t, PLAIN, PLAIN)
SCANS(u8, uint8_t, uint8_t, uint64_t, PLAIN, PLAIN)
SCANS(u16, uint16_t, uint16_t, uint64_t, PLAIN, PLAIN)
SCANS(u32, uint32_t, uint32_t, uint64_t, PLAIN, PLAIN)
SCANS(u64, uint64_t, uint64_t, uint64_t, PLAIN, PLAIN)
SCANS(i8, int8_t, int8_t, uint64_t, PLAIN, PLAIN)
SCANS(i16, int16_t, int16_t, uint64_t, PLAIN, PLAIN)
SCANS(i32, int32_t, int32_t, uint64_t, PLAIN, PLAIN)
SCANS(i64, int64_t, int64_t, uint64_t, PLAIN, PLAIN)
SCANS(f16, uint16_t, float, float, gmxrt_f16_to_f32, gmxrt_f32_to_f16)
SCANS(bf16, uint16_t, float, float, gmxrt_bf16_to_f32, gmxrt_f32_to_bf16)
SCANS(f32, float, double, double, PLAIN, PLAIN)
SCANS(f64, double, double, double, PLAIN, PLAIN)

/* The textbook product: C's own looks after infinities. */
static inline double _Complex product_of(double _Complex x, double _Complex y) {
    double _Complex product;
    __real__ product = __real__ x * __real__ y - __imag__ x * __imag__ y;
    __imag__ product = __real__ x * __imag__ y + __imag__ x * __real__ y;
    return product;
}
#define COMPLEX_SCANS(t, T)                                                                                  \
    SCAN(sum_##t, T, double _Complex, 0, PLAIN, PLAIN, a + b)                                                \
    SCAN(product_##t, T, double _Complex, 1, PLAIN, PLAIN, product_of(a, b))
COMPLEX_SCANS(c64, float _Complex)
COMPLEX_SCANS(c128, double _Complex)

typedef void (*ScanLines)(const Lines *lines);
#define SCANS_OF(t) [RT_##t] = {sum_##t, product_##t, max_##t, min_##t}
static const ScanLines scans[RT_DTYPE_COUNT][4] = {
    SCANS_OF(bool),
    SCANS_OF(u8),
    SCANS_OF(u16),
    SCANS_OF(u32),
    SCANS_OF(u64),
    SCANS_OF(i8),
    SCANS_OF(i16),
    SCANS_OF(i32),
    SCANS_OF(i64),
    SCANS_OF(f16),
    SCANS_OF(bf16),
    SCANS_OF(f32),
    SCANS_OF(f64),
    [RT_c64] = {sum_c64, product_c64},
    [RT_c128] = {sum_c128, product_c128},
};

typedef struct Scan {
    gmxrt_view x, out; /* without `axis` and the lane axis */
    Lines lines;       /* of the first group; lanes: all of one row of groups */
    int64_t groups;    /* lane groups of LANES in a row */
    ScanLines scan;
} Scan;

static void scan_groups(void *arguments, int64_t begin, int64_t end) {
    const Scan *s = arguments;
    for (int64_t g = begin; g < end; g++) {
        int64_t row = g / s->groups, lane = g % s->groups * LANES;
        Lines lines = s->lines;
        lines.from += row_offset(&s->x, -1, row) + lane * lines.lane_in;
        lines.to += row_offset(&s->out, -1, row) + lane * lines.lane_out;
        lines.lanes = lines.lanes - lane < LANES ? lines.lanes - lane : LANES;
        s->scan(&lines);
    }
}

static void drop_axis(gmxrt_view *view, int32_t axis) {
    for (int32_t k = axis; k + 1 < view->rank; k++) {
        view->shape[k] = view->shape[k + 1];
        view->strides[k] = view->strides[k + 1];
    }
    view->rank--;
}

static int64_t magnitude(int64_t value) {
    return value < 0 ? -value : value;
}

static int32_t run(gmxrt_ctx *ctx, const gmxrt_view *x, const gmxrt_view *out, int64_t axis, ScanOp op,
                   uint64_t span) {
    int64_t size = view_size(x), bytes = rt_dtype_bytes(x->dtype);
    if (size == 0)
        return 0;
    Scan s = {.x = *x, .out = *out, .groups = 1, .scan = scans[x->dtype][op]};
    if (!s.scan)
        return gmxrt_fail(ctx, RT_E0502, span, "a scan of %s", rt_dtype_info[x->dtype].name);
    s.lines = (Lines){
        x->data, out->data, x->shape[axis], x->strides[axis] * bytes, out->strides[axis] * bytes, 1, 0, 0};
    int32_t lane = -1;
    for (int32_t k = 0; k < x->rank; k++)
        if (k != axis && x->shape[k] > 1 && magnitude(x->strides[k]) < magnitude(x->strides[axis]) &&
            (lane < 0 || magnitude(x->strides[k]) <= magnitude(x->strides[lane])))
            lane = k;
    if (lane >= 0) {
        s.lines.lanes = x->shape[lane];
        s.lines.lane_in = x->strides[lane] * bytes;
        s.lines.lane_out = out->strides[lane] * bytes;
        s.groups = (s.lines.lanes - 1) / LANES + 1;
        drop_axis(&s.x, lane);
        drop_axis(&s.out, lane);
        axis -= lane < axis;
    }
    drop_axis(&s.x, (int32_t)axis);
    drop_axis(&s.out, (int32_t)axis);
    int64_t rows = view_size(&s.x), per_group = s.lines.n * (s.lines.lanes < LANES ? s.lines.lanes : LANES);
    gmxrt_parallel_for(ctx, scan_groups, &s, rows * s.groups, CHUNK / per_group + 1);
    return 0;
}

#define GMXRT_SCAN(name, op)                                                                                 \
    int32_t gmxrt_##name(gmxrt_ctx *ctx, const gmxrt_view *x, const gmxrt_view *out, int64_t axis,           \
                         uint64_t span) {                                                                    \
        return run(ctx, x, out, axis, op, span);                                                             \
    }
GMXRT_SCAN(cumsum, SCAN_SUM)
GMXRT_SCAN(cumprod, SCAN_PRODUCT)
GMXRT_SCAN(cummax, SCAN_MAX)
GMXRT_SCAN(cummin, SCAN_MIN)
