/* tanh, sinh and cosh. */
#include "codegen/llvm/math_parts.h"

/* (tanh a - a) / a^3 = P(a^2) / Q(a^2) on a <= 0.625: relative to tanh 2^-27.6 and 2^-59.3. */
#define TANH_SMALL 0.625
static const double tanh_p_f32[] = {-0x1.555544p-2, -0x1.941decp-10};
static const double tanh_q_f32[] = {1.0, 0x1.9e52aep-2};
static const double tanh_p_f64[] = {-0x1.5555555555554p-2, -0x1.4fd1c04172b1dp-6, -0x1.a1850a04e405ap-13};
static const double tanh_q_f64[] = {1.0, 0x1.d890eda5df0abp-2, 0x1.7d8fab38505afp-6, 0x1.b0eeb40020282p-13};

/* (sinh a - a) / a^3 in a^2 on a <= 1: relative to sinh 2^-31.4 and 2^-61.5. */
#define SINH_SMALL 1.0
static const double sinh_f32[] = {0x1.555556p-3, 0x1.1110eap-7, 0x1.a01c22p-13, 0x1.76771ep-19};
static const double sinh_f64[] = {0x1.5555555555556p-3,  0x1.1111111111040p-7,  0x1.a01a01a0318d3p-13,
                                  0x1.71de3a4056daap-19, 0x1.ae646b4cd4e38p-26, 0x1.6118dfb2fe615p-33,
                                  0x1.b52ea7510497dp-41};

/* Both branches have the form base + numerator / denominator and share the division:
 *   |x| small:  |x| + |x|^3 P / Q        otherwise:  1 - 2 / (e^(2|x|) + 1) */
LLVMValueRef math_tanh(LlvmBuild *build, LLVMValueRef x) {
    bool is_f64 = build_is_f64(LLVMTypeOf(x));
    LLVMValueRef one = build_real(x, 1.0);
    LLVMValueRef a = build_at_most(build, build_abs(build, x), is_f64 ? 19.2 : 9.1);
    LLVMValueRef square = build_mul(build, a, a), cube = build_mul(build, a, square);
    LLVMValueRef p =
        is_f64 ? BUILD_POLYNOMIAL(build, square, tanh_p_f64) : BUILD_POLYNOMIAL(build, square, tanh_p_f32);
    LLVMValueRef q =
        is_f64 ? BUILD_POLYNOMIAL(build, square, tanh_q_f64) : BUILD_POLYNOMIAL(build, square, tanh_q_f32);

    /* In float n is at most 26 and an error of e^(2|x|) counts little: the low part of n ln 2 can go. */
    LLVMValueRef twice = build_add(build, a, a);
    ExpReduction reduced =
        is_f64 ? math_exp_reduce(build, twice, false) : math_exp_reduce_roughly(build, twice, false);
    LLVMValueRef power = math_exp_power(build, a, reduced.shifted, 0);
    LLVMValueRef e_plus_1 = build_fma(build, math_exp_polynomial(build, reduced.r), power, one);

    LLVMValueRef is_small = build_compare_real(build, LLVMRealOLT, a, TANH_SMALL);
    LLVMValueRef numerator = build_select(build, is_small, build_mul(build, cube, p), build_real(x, -2.0));
    LLVMValueRef quotient = build_div(build, numerator, build_select(build, is_small, q, e_plus_1));
    return build_copysign(build, build_add(build, build_select(build, is_small, a, one), quotient), x);
}

/* e^a / 2 and e^-a / 2 for a >= 0.  The first overflows only where half of it still is sinh and cosh. */
static LLVMValueRef half_exp(LlvmBuild *build, LLVMValueRef a, LLVMValueRef *inverse) {
    /* Here n reaches 129 (1025), one more than a power can have: half of e^a and a doubling stay in range. */
    a = build_at_most(build, a, build_is_f64(LLVMTypeOf(a)) ? 711.0 : 90.0);
    ExpReduction reduced = math_exp_reduce(build, a, true);
    LLVMValueRef mantissa = build_mul_real(build, math_exp_polynomial(build, reduced.r), 0.5);
    LLVMValueRef half = math_exp_scale(build, mantissa, reduced.shifted);
    *inverse = build_div(build, build_real(a, 0.25), half);
    return half;
}

LLVMValueRef math_cosh(LlvmBuild *build, LLVMValueRef x) {
    LLVMValueRef inverse, half = half_exp(build, build_abs(build, x), &inverse);
    return build_add(build, half, inverse);
}

LLVMValueRef math_sinh(LlvmBuild *build, LLVMValueRef x) {
    LLVMValueRef a = build_abs(build, x), square = build_mul(build, a, a);
    LLVMValueRef series = build_is_f64(LLVMTypeOf(x)) ? BUILD_POLYNOMIAL(build, square, sinh_f64)
                                                      : BUILD_POLYNOMIAL(build, square, sinh_f32);
    LLVMValueRef small = build_fma(build, build_mul(build, a, square), series, a);
    LLVMValueRef inverse, half = half_exp(build, a, &inverse);
    LLVMValueRef is_small = build_compare_real(build, LLVMRealOLT, a, SINH_SMALL);
    LLVMValueRef value = build_select(build, is_small, small, build_sub(build, half, inverse));
    return build_copysign(build, value, x);
}
