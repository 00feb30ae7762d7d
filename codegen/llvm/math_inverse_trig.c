/* atan, atan2, asin and acos. */
#include "codegen/llvm/math_parts.h"

#include <math.h>
#include <stddef.h>

/* (atan t - t) / t^3 in t^2 on |t| <= tan(pi / 8): relative to atan 2^-30.4 and 2^-59.4. */
static const double atan_f32[] = {-0x1.55554ap-2, 0x1.9991dep-3, -0x1.23b92ep-3, 0x1.b21c46p-4,
                                  -0x1.f2b88ap-5};
static const double atan_f64[] = {-0x1.555555555553dp-2, 0x1.99999999957f6p-3,  -0x1.24924922a8ff6p-3,
                                  0x1.c71c70e400948p-4,  -0x1.745cf89b1075dp-4, 0x1.3b11144cf8b59p-4,
                                  -0x1.10eb7fb25cf2dp-4, 0x1.df0c02f4c8783p-5,  -0x1.9cc3c76be0370p-5,
                                  0x1.37af6cd31f693p-5,  -0x1.2516834ff8f03p-6};
/* (asin t - t) / t^3 in t^2 on |t| <= 1/2: relative to asin 2^-27.6 and 2^-55.8. */
static const double asin_f32[] = {0x1.5555c8p-3, 0x1.33023ep-4, 0x1.74735ep-5, 0x1.8c9e26p-6, 0x1.590538p-5};
static const double asin_f64[] = {0x1.555555555538ep-3, 0x1.333333336e14bp-4,  0x1.6db6db42f6a57p-5,
                                  0x1.f1c72c071d020p-6, 0x1.6e89f97451c29p-6,  0x1.1c6b8e8a0d0ecp-6,
                                  0x1.c7045d1c84332p-7, 0x1.8e970810269cbp-7,  0x1.ad4c81ec425b8p-8,
                                  0x1.3ef12040c789cp-6, -0x1.083fd6bca9ad8p-6, 0x1.04e5073d7a506p-5};

#define TAN_PI_8   0.41421356237309503
#define TAN_3_PI_8 2.4142135623730949

/* A multiple of pi / 4 as a constant in two pieces; they are precise for a power of two, and for 3 pi / 4. */
typedef struct Angle {
    double high, low;
} Angle;

typedef struct Angles {
    Angle quarter, half, three_quarters, whole; /* of pi */
} Angles;

static const Angles angles_f32 = {{0x1.921fb6p-1, -0x1.777a5cp-26},
                                  {0x1.921fb6p+0, -0x1.777a5cp-25},
                                  {0x1.2d97c80000000p+1, -0x1.99bc5c0000000p-28},
                                  {0x1.921fb6p+1, -0x1.777a5cp-24}};
static const Angles angles_f64 = {{0x1.921fb54442d18p-1, 0x1.1a62633145c07p-55},
                                  {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54},
                                  {0x1.2d97c7f3321d2p+1, 0x1.a79394c9e8a0ap-54},
                                  {0x1.921fb54442d18p+1, 0x1.1a62633145c07p-53}};

static const Angles *angles_of(LLVMValueRef x) {
    return build_is_f64(LLVMTypeOf(x)) ? &angles_f64 : &angles_f32;
}

static LLVMValueRef select_3(LlvmBuild *build, LLVMValueRef large, LLVMValueRef middle, LLVMValueRef x,
                             LLVMValueRef y, LLVMValueRef z) {
    return build_select(build, large, x, build_select(build, middle, y, z));
}

/* The angle of the point (b, a) with a, b >= 0, or of (-b, a) in the lanes of `mirrored` (may be NULL):
 *   atan(a / b) = pi / 2 + atan(-b / a) = pi / 4 + atan((a - b) / (a + b)). */
static LLVMValueRef angle(LlvmBuild *build, LLVMValueRef a, LLVMValueRef b, LLVMValueRef mirrored) {
    const Angles *c = angles_of(a);
    LLVMValueRef zero = build_real(a, 0.0);
    LLVMValueRef large = build_compare(build, LLVMRealOGT, a, build_mul_real(build, b, TAN_3_PI_8));
    LLVMValueRef middle = build_compare(build, LLVMRealOGT, a, build_mul_real(build, b, TAN_PI_8));
    LLVMValueRef numerator = select_3(build, large, middle, build_neg(build, b), build_sub(build, a, b), a);
    LLVMValueRef denominator = select_3(build, large, middle, a, build_add(build, a, b), b);
    LLVMValueRef high =
        select_3(build, large, middle, build_real(a, c->half.high), build_real(a, c->quarter.high), zero);
    LLVMValueRef low =
        select_3(build, large, middle, build_real(a, c->half.low), build_real(a, c->quarter.low), zero);
    LLVMValueRef t = build_div(build, numerator, denominator);
    if (mirrored) {
        LLVMValueRef far_high = select_3(build, large, middle, build_real(a, c->half.high),
                                         build_real(a, c->three_quarters.high), build_real(a, c->whole.high));
        LLVMValueRef far_low = select_3(build, large, middle, build_real(a, c->half.low),
                                        build_real(a, c->three_quarters.low), build_real(a, c->whole.low));
        high = build_select(build, mirrored, far_high, high);
        low = build_select(build, mirrored, far_low, low);
        t = build_select(build, mirrored, build_neg(build, t), t);
    }
    LLVMValueRef square = build_mul(build, t, t);
    LLVMValueRef series = build_is_f64(LLVMTypeOf(a)) ? BUILD_POLYNOMIAL(build, square, atan_f64)
                                                      : BUILD_POLYNOMIAL(build, square, atan_f32);
    LLVMValueRef tail = build_fma(build, build_mul(build, t, square), series, low);
    return build_add(build, high, build_add(build, t, tail));
}

LLVMValueRef math_atan(LlvmBuild *build, LLVMValueRef x) {
    return build_copysign(build, angle(build, build_abs(build, x), build_real(x, 1.0), NULL), x);
}

/* Both coordinates are scaled out of the ranges where a sum overflows or a comparison underflows; (0, 0)
 * counts as (0, 1), and two infinities as equal. */
LLVMValueRef math_atan2(LlvmBuild *build, LLVMValueRef y, LLVMValueRef x) {
    bool is_f64 = build_is_f64(LLVMTypeOf(x));
    LLVMBuilderRef builder = build->builder;
    LLVMValueRef a = build_abs(build, y), b = build_abs(build, x), one = build_real(x, 1.0);
    LLVMValueRef larger = build_select(build, build_compare(build, LLVMRealOGT, a, b), a, b);
    LLVMValueRef is_huge = build_compare_real(build, LLVMRealOGT, larger, is_f64 ? 0x1p1000 : 0x1p120);
    LLVMValueRef is_little = build_compare_real(build, LLVMRealOLT, larger, is_f64 ? 0x1p-900 : 0x1p-90);
    LLVMValueRef scale = select_3(build, is_huge, is_little, build_real(x, 0x1p-8),
                                  build_real(x, is_f64 ? 0x1p200 : 0x1p60), one);
    LLVMValueRef both_zero = build_compare_real(build, LLVMRealOEQ, larger, 0.0);
    LLVMValueRef same = LLVMBuildAnd(builder, build_compare_real(build, LLVMRealOEQ, a, INFINITY),
                                     build_compare_real(build, LLVMRealOEQ, b, INFINITY), "");
    a = build_select(build, same, one, build_mul(build, a, scale));
    b = build_select(build, LLVMBuildOr(builder, same, both_zero, ""), one, build_mul(build, b, scale));
    LLVMValueRef x_bits = build_to_bits(build, x);
    LLVMValueRef mirrored = LLVMBuildICmp(builder, LLVMIntSLT, x_bits, build_integer(x_bits, 0), "");
    return build_copysign(build, angle(build, a, b, mirrored), y);
}

/* asin(z) = z + tail for |x| < 1/2 with z = |x|; otherwise it is pi / 2 - 2 (z + tail) with z = sqrt((1 -
 * |x|) / 2). */
typedef struct HalfAngle {
    LLVMValueRef is_small, z, tail;
} HalfAngle;

static HalfAngle half_angle(LlvmBuild *build, LLVMValueRef x) {
    LLVMValueRef a = build_abs(build, x);
    LLVMValueRef is_small = build_compare_real(build, LLVMRealOLT, a, 0.5);
    LLVMValueRef half = build_fma_real(build, a, -0.5, build_real(x, 0.5));
    LLVMValueRef square = build_select(build, is_small, build_mul(build, a, a), half);
    LLVMValueRef z = build_select(build, is_small, a, build_sqrt(build, half));
    LLVMValueRef series = build_is_f64(LLVMTypeOf(x)) ? BUILD_POLYNOMIAL(build, square, asin_f64)
                                                      : BUILD_POLYNOMIAL(build, square, asin_f32);
    return (HalfAngle){is_small, z, build_mul(build, build_mul(build, z, square), series)};
}

/* angle - 2 (z + tail); what rounding takes from the first difference is given back. */
static LLVMValueRef less_twice(LlvmBuild *build, Angle from, HalfAngle h) {
    LLVMValueRef start = build_real(h.z, from.high), high = build_fma_real(build, h.z, -2.0, start);
    LLVMValueRef lost = build_fma_real(build, h.z, -2.0, build_sub(build, start, high));
    LLVMValueRef low = build_fma_real(build, h.tail, -2.0, build_real(h.z, from.low));
    return build_add(build, high, build_add(build, lost, low));
}

LLVMValueRef math_asin(LlvmBuild *build, LLVMValueRef x) {
    HalfAngle h = half_angle(build, x);
    LLVMValueRef large = less_twice(build, angles_of(x)->half, h);
    LLVMValueRef value = build_select(build, h.is_small, build_add(build, h.z, h.tail), large);
    return build_copysign(build, value, x);
}

LLVMValueRef math_acos(LlvmBuild *build, LLVMValueRef x) {
    const Angles *c = angles_of(x);
    HalfAngle h = half_angle(build, x);
    LLVMValueRef tail = build_copysign(build, h.tail, x);
    LLVMValueRef small = build_add(build, build_sub(build, build_real(x, c->half.high), x),
                                   build_sub(build, build_real(x, c->half.low), tail));
    LLVMValueRef near = build_add(build, h.z, h.tail);
    LLVMValueRef large = build_select(build, build_compare_real(build, LLVMRealOLT, x, 0.0),
                                      less_twice(build, c->whole, h), build_add(build, near, near));
    return build_select(build, h.is_small, small, large);
}
