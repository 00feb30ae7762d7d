/* erf.
 *
 * Near zero x + x P(x^2); further out 1 - 2^q(x), where q is a polynomial for
 * the binary logarithm of 1 - erf(x), whose errors count the less the nearer
 * erf is to 1. */
#include "codegen/llvm/math_parts.h"

/* erf(x) / x - 1 in x^2, relative to erf: 2^-25.8 on x <= 0.925 and 2^-56.0 on x <= 1. */
static const double small_f32[] = {0x1.06eba6p-3,  -0x1.8126e4p-2, 0x1.ce19fcp-4,
                                   -0x1.b683d8p-6, 0x1.470c58p-8,  -0x1.394f2cp-11};
static const double small_f64[] = {0x1.06eba8214db68p-3,   -0x1.812746b0379b1p-2,  0x1.ce2f21a04082ep-4,
                                   -0x1.b82ce311eba5fp-6,  0x1.565bccf79918cp-8,   -0x1.c02db00a4932ep-11,
                                   0x1.f9a2b66c1a280p-14,  -0x1.f4ca130bd4b37p-17, 0x1.b97dc7cd14904p-20,
                                   -0x1.5bfb9f8386962p-23, 0x1.d6d1129df1c7dp-27,  -0x1.aadfed8c5cab7p-31};
/* log2(1 - erf(x)) in x on 0.92 <= x <= 4 and in x - 1 on 1 <= x <= 6; relative to erf 2^-29.2 and 2^-57.0.
 */
static const double large_f32[] = {-0x1.280a3cp-12, -0x1.a07c0cp+0, -0x1.d6a8ccp-1, -0x1.331704p-3,
                                   0x1.06b7b8p-5,   -0x1.1fcf0ep-8, 0x1.2893ecp-12};
static const double large_f64[] = {-0x1.558eada6637f3p+1,  -0x1.e75328fe78c30p+1,  -0x1.37627e9b5d728p+0,
                                   -0x1.eb313686205acp-5,  0x1.da5764187fc06p-7,   -0x1.7603da9e83405p-9,
                                   0x1.6701cb92bd572p-12,  0x1.3e3b6814d8ebbp-15,  -0x1.492582d1348dbp-15,
                                   0x1.d411ae382c4f6p-17,  -0x1.9c6420bb3920cp-19, 0x1.3ad9aef6ff724p-22,
                                   0x1.6c765f0866464p-24,  -0x1.a187f328f055ep-25, 0x1.aa28d55728c1ep-27,
                                   -0x1.083ae4c423e1bp-29, 0x1.7ef223d70c63cp-33,  -0x1.f457a409fcf00p-38};
/* 1 - 2^q for -100 < q < 0 */
static LLVMValueRef one_minus_exp2(LlvmBuild *build, LLVMValueRef q) {
    ExpReduction reduced = math_exp2_reduce(build, q, false);
    LLVMValueRef mantissa = math_exp2_polynomial(build, reduced.r);
    LLVMValueRef power = math_exp_power(build, q, reduced.shifted, 0);
    return build_fma(build, build_neg(build, mantissa), power, build_real(q, 1.0));
}

LLVMValueRef math_erf(LlvmBuild *build, LLVMValueRef x) {
    bool is_f64 = build_is_f64(LLVMTypeOf(x));
    /* Beyond these erf rounds to 1. */
    LLVMValueRef a = build_at_most(build, build_abs(build, x), is_f64 ? 6.0 : 4.0);
    LLVMValueRef square = build_mul(build, a, a);
    LLVMValueRef p =
        is_f64 ? BUILD_POLYNOMIAL(build, square, small_f64) : BUILD_POLYNOMIAL(build, square, small_f32);
    LLVMValueRef q = is_f64 ? BUILD_POLYNOMIAL(build, build_add_real(build, a, -1.0), large_f64)
                            : BUILD_POLYNOMIAL(build, a, large_f32);
    LLVMValueRef is_small = build_compare_real(build, LLVMRealOLT, a, is_f64 ? 1.0 : 0.925);
    LLVMValueRef value = build_select(build, is_small, build_fma(build, a, p, a), one_minus_exp2(build, q));
    return build_copysign(build, value, x);
}
