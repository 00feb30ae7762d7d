/* float functions computed in double, where plain formulas are accurate enough:
 * tan, asinh, acosh, atanh, erfc and hypot.  (Their double versions are libm's,
 * but for hypot.) */
#include "codegen/llvm/math_parts.h"

#include <math.h>

static LLVMValueRef widen(LlvmBuild *build, LLVMValueRef x) {
    LLVMTypeRef wide = build_type_like(LLVMDoubleTypeInContext(build->context), LLVMTypeOf(x));
    return LLVMBuildFPExt(build->builder, x, wide, "");
}

static LLVMValueRef narrow(LlvmBuild *build, LLVMValueRef x) {
    LLVMTypeRef type = build_type_like(LLVMFloatTypeInContext(build->context), LLVMTypeOf(x));
    return LLVMBuildFPTrunc(build->builder, x, type, "");
}

LLVMValueRef math_tan(LlvmBuild *build, LLVMValueRef x) {
    LLVMValueRef wide = widen(build, x), sine = math_sin(build, wide);
    return narrow(build, build_div(build, sine, math_cos(build, wide)));
}

/* log1p(a + a^2 / (1 + sqrt(1 + a^2))) */
LLVMValueRef math_asinh(LlvmBuild *build, LLVMValueRef x) {
    LLVMValueRef a = widen(build, build_abs(build, x)), square = build_mul(build, a, a);
    LLVMValueRef root = build_sqrt(build, build_add_real(build, square, 1.0));
    LLVMValueRef quotient = build_div(build, square, build_add_real(build, root, 1.0));
    LLVMValueRef value = narrow(build, math_log1p(build, build_add(build, a, quotient)));
    LLVMValueRef is_infinite = build_compare_real(build, LLVMRealOEQ, build_abs(build, x), INFINITY);
    return build_copysign(build, build_select(build, is_infinite, x, value), x);
}

/* log1p(d + sqrt(d (d + 2))) with d = x - 1 */
LLVMValueRef math_acosh(LlvmBuild *build, LLVMValueRef x) {
    LLVMValueRef d = build_add_real(build, widen(build, x), -1.0);
    LLVMValueRef root = build_sqrt(build, build_mul(build, d, build_add_real(build, d, 2.0)));
    LLVMValueRef value = narrow(build, math_log1p(build, build_add(build, d, root)));
    LLVMValueRef outside = build_compare_real(build, LLVMRealOLT, x, 1.0);
    return build_select(build, outside, build_real(x, NAN), value);
}

/* log1p(2 a / (1 - a)) / 2 */
LLVMValueRef math_atanh(LlvmBuild *build, LLVMValueRef x) {
    LLVMValueRef a = widen(build, build_abs(build, x));
    LLVMValueRef rest = build_sub(build, build_real(a, 1.0), a);
    LLVMValueRef ratio = build_div(build, build_add(build, a, a), rest);
    return build_copysign(build, narrow(build, build_mul_real(build, math_log1p(build, ratio), 0.5)), x);
}

/* (1 + 2 a) e^(a^2) erfc(a) in t = (a - 3) / (a + 3) on 0 <= a <= 10.1: relative error 2^-29. */
static const double erfc_series[] = {0x1.40c522db8dd49p+0,   -0x1.15c0892f4735dp-3, -0x1.85a194c54de0fp-5,
                                     0x1.09840f2f2a7f1p-3,   -0x1.e888ae99afbffp-4, 0x1.17bd4db02067ep-4,
                                     -0x1.85e613fc90286p-6,  0x1.5082d12c4f106p-9,  0x1.0661a84e251eep-9,
                                     -0x1.97ad38c2720a6p-11, -0x1.1926b91cc94d8p-12};

/* Both quotients, t and 1 / (1 + 2 a), come from one division.  Beyond 10.1 a float erfc is 0. */
LLVMValueRef math_erfc(LlvmBuild *build, LLVMValueRef x) {
    LLVMValueRef wide = widen(build, x), a = build_at_most(build, build_abs(build, wide), 10.1);
    LLVMValueRef one = build_real(a, 1.0), sum = build_add_real(build, a, 3.0);
    LLVMValueRef scale = build_fma_real(build, a, 2.0, one);
    LLVMValueRef inverse = build_div(build, one, build_mul(build, sum, scale));
    LLVMValueRef t = build_mul(build, build_mul(build, build_add_real(build, a, -3.0), scale), inverse);
    LLVMValueRef gauss = math_exp(build, build_neg(build, build_mul(build, a, a)));
    LLVMValueRef series = BUILD_POLYNOMIAL(build, t, erfc_series);
    LLVMValueRef value = build_mul(build, build_mul(build, gauss, series), build_mul(build, sum, inverse));
    LLVMValueRef is_negative = build_compare_real(build, LLVMRealOLT, wide, 0.0);
    return narrow(build,
                  build_select(build, is_negative, build_sub(build, build_real(value, 2.0), value), value));
}

/* sqrt(a^2 + b^2) of doubles, scaled by a power of two where the squares would leave the range. */
static LLVMValueRef hypot_f64(LlvmBuild *build, LLVMValueRef a, LLVMValueRef b) {
    LLVMValueRef larger = build_select(build, build_compare(build, LLVMRealOGT, a, b), a, b);
    LLVMValueRef is_huge = build_compare_real(build, LLVMRealOGT, larger, 0x1p500);
    LLVMValueRef is_little = build_compare_real(build, LLVMRealOLT, larger, 0x1p-450);
    LLVMValueRef one = build_real(a, 1.0), up = build_real(a, 0x1p600), down = build_real(a, 0x1p-600);
    LLVMValueRef scale = build_select(build, is_huge, down, build_select(build, is_little, up, one));
    LLVMValueRef back = build_select(build, is_huge, up, build_select(build, is_little, down, one));
    a = build_mul(build, a, scale);
    b = build_mul(build, b, scale);
    LLVMValueRef sum = build_fma(build, a, a, build_mul(build, b, b));
    return build_mul(build, build_sqrt(build, sum), back);
}

LLVMValueRef math_hypot(LlvmBuild *build, LLVMValueRef x, LLVMValueRef y) {
    LLVMValueRef a = build_abs(build, x), b = build_abs(build, y), value;
    if (build_is_f64(LLVMTypeOf(x))) {
        value = hypot_f64(build, a, b);
    } else {
        LLVMValueRef c = widen(build, a), d = widen(build, b);
        value = narrow(build, build_sqrt(build, build_fma(build, c, c, build_mul(build, d, d))));
    }
    /* An infinite side counts even beside a NaN. */
    LLVMValueRef infinity = build_real(x, INFINITY);
    LLVMValueRef is_infinite = LLVMBuildOr(build->builder, build_compare(build, LLVMRealOEQ, a, infinity),
                                           build_compare(build, LLVMRealOEQ, b, infinity), "");
    return build_select(build, is_infinite, infinity, value);
}
