/* pow: |x|^y = e^(y log|x|), then C's special cases and the sign.
 *
 * float goes through double.  double needs the logarithm to about 2^-66, because
 * y log|x| reaches 745: it is a sum of two doubles here, and so is the product. */
#include "codegen/llvm/math_parts.h"

#include <math.h>

/* An unevaluated sum; |low| is at most about an ulp of high. */
typedef struct Pair {
    LLVMValueRef high, low;
} Pair;

/* atanh(s) = s + s z (1/3 + z T(z)) with z = s^2 on |s| <= 3 - 2 sqrt(2): relative error 2^-73. */
static const double third_high = 0x1.5555555555555p-2, third_low = 0x1.5555555555555p-56;
static const double atanh_tail[] = {0x1.9999999999995p-3, 0x1.249249249315dp-3, 0x1.c71c71c561afap-4,
                                    0x1.745d183f85360p-4, 0x1.3b135f8019189p-4, 0x1.112127fa3e0f5p-4,
                                    0x1.de2278adda24cp-5, 0x1.eb9682574a7e1p-5};
/* ln 2 in two pieces; the first times an exponent is exact. */
static const double ln2_high = 0x1.62e42fefa38p-1, ln2_low = 0x1.ef35793c7673p-45;

/* x + y for |x| >= |y| or x = 0, exactly. */
static Pair pair_sum(LlvmBuild *build, LLVMValueRef x, LLVMValueRef y) {
    LLVMValueRef high = build_add(build, x, y);
    return (Pair){high, build_add(build, build_sub(build, x, high), y)};
}

/* x * y, exactly. */
static Pair pair_product(LlvmBuild *build, LLVMValueRef x, LLVMValueRef y) {
    LLVMValueRef high = build_mul(build, x, y);
    return (Pair){high, build_fma(build, x, y, build_neg(build, high))};
}

static Pair pair_multiply(LlvmBuild *build, Pair x, Pair y) {
    Pair product = pair_product(build, x.high, y.high);
    LLVMValueRef cross = build_fma(build, x.high, y.low, product.low);
    return (Pair){product.high, build_fma(build, x.low, y.high, cross)};
}

/* s = (m - 1) / (m + 1) */
static Pair log_argument(LlvmBuild *build, LLVMValueRef m) {
    LLVMValueRef one = build_real(m, 1.0);
    Pair divisor = pair_sum(build, one, m);
    LLVMValueRef f = build_sub(build, m, one), inverse = build_div(build, one, divisor.high);
    LLVMValueRef high = build_mul(build, f, inverse), minus = build_neg(build, high);
    LLVMValueRef rest = build_fma(build, minus, divisor.low, build_fma(build, minus, divisor.high, f));
    return (Pair){high, build_mul(build, rest, inverse)};
}

/* log x of a positive finite double */
static Pair pair_log(LlvmBuild *build, LLVMValueRef x) {
    LLVMValueRef k, m = math_log_split(build, x, &k);
    Pair s = log_argument(build, m), z = pair_multiply(build, s, s);
    LLVMValueRef tail = build_mul(build, z.high, BUILD_POLYNOMIAL(build, z.high, atanh_tail));
    Pair w = pair_sum(build, build_real(x, third_high), tail);
    w.low = build_add_real(build, w.low, third_low);
    Pair cube = pair_multiply(build, s, pair_multiply(build, z, w));
    Pair half = pair_sum(build, s.high, cube.high);
    half.low = build_add(build, half.low, build_add(build, s.low, cube.low));

    Pair sum = pair_sum(build, build_mul_real(build, k, ln2_high), build_add(build, half.high, half.high));
    LLVMValueRef low = build_fma_real(build, k, ln2_low, build_add(build, half.low, half.low));
    return pair_sum(build, sum.high, build_add(build, sum.low, low));
}

/* e^(p.high + p.low), where p.low counts only if the result is neither 0 nor infinite */
static LLVMValueRef pair_exp(LlvmBuild *build, Pair p) {
    enum { BEYOND = 760 };
    LLVMValueRef high = build_at_least(build, build_at_most(build, p.high, BEYOND), -BEYOND);
    LLVMValueRef in_range = build_compare_real(build, LLVMRealOLT, build_abs(build, p.high), BEYOND);
    LLVMValueRef low = build_select(build, in_range, p.low, build_real(p.low, 0.0));
    ExpReduction reduced = math_exp_reduce_sum(build, high, low);
    return math_exp_scale(build, math_exp_polynomial(build, reduced.r), reduced.shifted);
}

/* a^y for a positive finite a and any finite y */
static LLVMValueRef power_f64(LlvmBuild *build, LLVMValueRef a, LLVMValueRef y) {
    Pair logarithm = pair_log(build, a), product = pair_product(build, y, logarithm.high);
    product.low = build_fma(build, y, logarithm.low, product.low);
    return pair_exp(build, product);
}

static LLVMValueRef power_f32(LlvmBuild *build, LLVMValueRef a, LLVMValueRef y) {
    LLVMTypeRef narrow = LLVMTypeOf(a);
    LLVMTypeRef wide = build_type_like(LLVMDoubleTypeInContext(build->context), narrow);
    LLVMValueRef logarithm = math_log(build, LLVMBuildFPExt(build->builder, a, wide, ""));
    LLVMValueRef product = build_mul(build, LLVMBuildFPExt(build->builder, y, wide, ""), logarithm);
    return LLVMBuildFPTrunc(build->builder, math_exp(build, product), narrow, "");
}

static LLVMValueRef is_integer(LlvmBuild *build, LLVMValueRef x) {
    return build_compare(build, LLVMRealOEQ, build_trunc(build, x), x);
}

/* Infinite or zero results from |x| = a that is 0 or infinite, or from an infinite y; 1 for a = 1. */
static LLVMValueRef power_at_ends(LlvmBuild *build, LLVMValueRef power, LLVMValueRef a, LLVMValueRef y) {
    LLVMBuilderRef b = build->builder;
    LLVMValueRef zero = build_real(a, 0.0), infinity = build_real(a, INFINITY), one = build_real(a, 1.0);
    LLVMValueRef a_ends = LLVMBuildOr(b, build_compare(build, LLVMRealOEQ, a, zero),
                                      build_compare(build, LLVMRealOEQ, a, infinity), "");
    LLVMValueRef y_ends = build_compare(build, LLVMRealOEQ, build_abs(build, y), infinity);
    LLVMValueRef is_large = build_compare(build, LLVMRealOGT, a, one);
    LLVMValueRef is_growing = build_compare(build, LLVMRealOGT, y, zero);
    LLVMValueRef differ = LLVMBuildXor(b, is_large, is_growing, "");
    LLVMValueRef end = build_select(build, differ, zero, infinity);
    LLVMValueRef value = build_select(build, LLVMBuildOr(b, a_ends, y_ends, ""), end, power);
    return build_select(build, build_compare(build, LLVMRealOEQ, a, one), one, value);
}

/* C's rules on top of power = |x|^y: sign, NaN for a negative x to a fraction, NaN operands, and 1 for y = 0
 * or x = 1 whatever the other is. */
static LLVMValueRef power_rules(LlvmBuild *build, LLVMValueRef power, LLVMValueRef x, LLVMValueRef y) {
    LLVMBuilderRef b = build->builder;
    LLVMValueRef one = build_real(x, 1.0), zero = build_real(x, 0.0), nan = build_real(x, NAN);
    LLVMValueRef y_integer = is_integer(build, y);
    LLVMValueRef y_even = is_integer(build, build_mul_real(build, y, 0.5));
    LLVMValueRef y_odd = LLVMBuildAnd(b, y_integer, LLVMBuildNot(b, y_even, ""), "");
    LLVMValueRef value = build_select(build, y_odd, build_copysign(build, power, x), power);

    LLVMValueRef is_negative = LLVMBuildAnd(b, build_compare(build, LLVMRealOLT, x, zero),
                                            build_compare_real(build, LLVMRealOGT, x, -INFINITY), "");
    LLVMValueRef invalid = LLVMBuildAnd(b, is_negative, LLVMBuildNot(b, y_integer, ""), "");
    LLVMValueRef unordered = build_compare(build, LLVMRealUNO, x, y);
    value = build_select(build, LLVMBuildOr(b, invalid, unordered, ""), nan, value);
    LLVMValueRef trivial = LLVMBuildOr(b, build_compare(build, LLVMRealOEQ, y, zero),
                                       build_compare(build, LLVMRealOEQ, x, one), "");
    return build_select(build, trivial, one, value);
}

LLVMValueRef math_pow(LlvmBuild *build, LLVMValueRef x, LLVMValueRef y) {
    LLVMValueRef a = build_abs(build, x);
    bool is_f64 = build_is_f64(LLVMTypeOf(x));
    LLVMValueRef power = is_f64 ? power_f64(build, a, y) : power_f32(build, a, y);
    return power_rules(build, power_at_ends(build, power, a, y), x, y);
}
