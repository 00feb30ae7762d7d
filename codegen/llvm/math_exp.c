/* exp and what is made of it: expm1, tanh.
 *
 * x = n ln 2 + r with an integer n and |r| <= ln 2 / 2; e^r is a polynomial and
 * 2^n is put together from exponent bits.  n comes from adding 1.5 * 2^23 (or
 * 1.5 * 2^52), which leaves it in the low bits of the sum: no conversion. */
#include "codegen/llvm/math_parts.h"

typedef struct ExpConstants {
    double log2_e;
    double minus_ln2_high, minus_ln2_low;
    double lowest, highest; /* exp is 0 below and infinite above */
    double expm1_lowest;    /* expm1 is -1 below */
    double tanh_highest;    /* tanh is 1 above */
} ExpConstants;

static const ExpConstants exp_f32 = {0x1.715476p+0, -0x1.62e43p-1, 0x1.05c61p-29, -104.0, 89.0, -18.0, 9.1};
static const ExpConstants exp_f64 = {
    0x1.71547652b82fep+0, -0x1.62e42fefa39efp-1, -0x1.abc9e3b39803fp-56, -746.0, 710.0, -38.0, 19.2};

/* Minimax fits of (e^r - 1 - r) / r^2 on |r| <= ln 2 / 2, weighted for the relative error of e^r - 1:
 * 2^-26.1 and 2^-61.5. */
static const double expm1_f32[] = {0x1.fffffep-2, 0x1.5554aep-3, 0x1.555722p-5, 0x1.1228c2p-7,
                                   0x1.6b6514p-10};
static const double expm1_f64[] = {0x1p-1,
                                   0x1.5555555555559p-3,
                                   0x1.555555555554cp-5,
                                   0x1.111111110f659p-7,
                                   0x1.6c16c16c1b322p-10,
                                   0x1.a01a01b00095fp-13,
                                   0x1.a01a018b44f8bp-16,
                                   0x1.71ddf819562cbp-19,
                                   0x1.27e5198469b2ep-22,
                                   0x1.af5f172ab98f7p-26,
                                   0x1.1f102bb7c77e5p-29};
/* The same, weighted for the relative error of e^r (one degree less suffices): 2^-57.9. */
static const double exp_poly_f64[] = {0x1.000000000000ap-1,  0x1.5555555555508p-3,  0x1.55555555506d5p-5,
                                      0x1.11111111248cfp-7,  0x1.6c16c1846fbe4p-10, 0x1.a01a013a44bccp-13,
                                      0x1.a01999745ce37p-16, 0x1.71df03fa9ed83p-19, 0x1.28ade8c816d70p-22,
                                      0x1.adb1825eeb3a1p-26};

/* (tanh a - a) / a^3 = P(a^2) / Q(a^2) on a <= 0.625: relative to tanh 2^-27.6 and 2^-59.3. */
#define TANH_SMALL 0.625
static const double tanh_p_f32[] = {-0x1.555544p-2, -0x1.941decp-10};
static const double tanh_q_f32[] = {1.0, 0x1.9e52aep-2};
static const double tanh_p_f64[] = {-0x1.5555555555554p-2, -0x1.4fd1c04172b1dp-6, -0x1.a1850a04e405ap-13};
static const double tanh_q_f64[] = {1.0, 0x1.d890eda5df0abp-2, 0x1.7d8fab38505afp-6, 0x1.b0eeb40020282p-13};

static const ExpConstants *exp_constants(LLVMValueRef x) {
    return build_is_f64(LLVMTypeOf(x)) ? &exp_f64 : &exp_f32;
}

/* n and shifted of math_exp_reduce; its r holds x - n * minus_ln2_high, which is exact or nearly so. */
static ExpReduction reduce_high(LlvmBuild *build, LLVMValueRef x, bool biased) {
    const ExpConstants *c = exp_constants(x);
    const FloatFormat *format = math_format(x);
    double bias = biased ? 2.0 * (double)(format->one >> format->fraction_bits) : 0.0;
    LLVMValueRef magic = build_real(x, format->to_integer + bias);
    LLVMValueRef shifted = build_fma_real(build, x, c->log2_e, magic);
    LLVMValueRef n = build_sub(build, shifted, magic);
    LLVMValueRef high = build_fma_real(build, n, c->minus_ln2_high, x);
    return (ExpReduction){n, high, build_to_bits(build, shifted)};
}

ExpReduction math_exp_reduce(LlvmBuild *build, LLVMValueRef x, bool biased) {
    ExpReduction reduced = reduce_high(build, x, biased);
    reduced.r = build_fma_real(build, reduced.n, exp_constants(x)->minus_ln2_low, reduced.r);
    return reduced;
}

ExpReduction math_exp_reduce_sum(LlvmBuild *build, LLVMValueRef high, LLVMValueRef low) {
    ExpReduction reduced = reduce_high(build, high, true);
    LLVMValueRef rest = build_fma_real(build, reduced.n, exp_constants(high)->minus_ln2_low, low);
    reduced.r = build_add(build, reduced.r, rest);
    return reduced;
}

LLVMValueRef math_exp_polynomial(LlvmBuild *build, LLVMValueRef r) {
    LLVMValueRef one = build_real(r, 1.0);
    LLVMValueRef q = build_is_f64(LLVMTypeOf(r)) ? BUILD_POLYNOMIAL(build, r, exp_poly_f64)
                                                 : BUILD_POLYNOMIAL(build, r, expm1_f32);
    return build_fma(build, build_fma(build, q, r, one), r, one);
}

/* With n + 2 bias in the low bits, half of it (rounded down) is the exponent field of one factor and the rest
 * that of the other.  The first product is exact, so that the second rounds only once. */
LLVMValueRef math_exp_scale(LlvmBuild *build, LLVMValueRef value, LLVMValueRef shifted) {
    const FloatFormat *format = math_format(value);
    LLVMValueRef half = build_and_mask(build, build_shift_left(build, shifted, format->fraction_bits - 1),
                                       format->exponent_mask);
    LLVMValueRef whole = build_shift_left(build, shifted, format->fraction_bits);
    LLVMValueRef rest = LLVMBuildSub(build->builder, whole, half, "");
    LLVMValueRef scaled = build_mul(build, value, build_from_bits(build, half));
    return build_mul(build, scaled, build_from_bits(build, rest));
}

LLVMValueRef math_exp_power(LlvmBuild *build, LLVMValueRef value, LLVMValueRef shifted, int offset) {
    const FloatFormat *format = math_format(value);
    uint64_t base = format->one + ((uint64_t)(int64_t)offset << format->fraction_bits);
    LLVMValueRef bits = build_shift_left(build, shifted, format->fraction_bits);
    return build_from_bits(build, LLVMBuildAdd(build->builder, bits, build_integer(bits, base), ""));
}

LLVMValueRef math_exp(LlvmBuild *build, LLVMValueRef x) {
    const ExpConstants *c = exp_constants(x);
    x = build_at_least(build, build_at_most(build, x, c->highest), c->lowest);
    ExpReduction reduced = math_exp_reduce(build, x, true);
    return math_exp_scale(build, math_exp_polynomial(build, reduced.r), reduced.shifted);
}

/* e^x - 1 = 2^n (e^r - 1) + (2^n - 1), in halves so that n = 128 (1024) does not overflow on the way. */
LLVMValueRef math_expm1(LlvmBuild *build, LLVMValueRef x) {
    const ExpConstants *c = exp_constants(x);
    LLVMValueRef clamped = build_at_least(build, build_at_most(build, x, c->highest), c->expm1_lowest);
    ExpReduction reduced = math_exp_reduce(build, clamped, false);
    LLVMValueRef r = reduced.r;
    LLVMValueRef q = build_is_f64(LLVMTypeOf(x)) ? BUILD_POLYNOMIAL(build, r, expm1_f64)
                                                 : BUILD_POLYNOMIAL(build, r, expm1_f32);
    LLVMValueRef small = build_fma(build, build_mul(build, r, r), q, r);
    LLVMValueRef power = math_exp_power(build, r, reduced.shifted, -1);
    LLVMValueRef half = build_fma(build, power, small, build_add_real(build, power, -0.5));
    LLVMValueRef is_tiny = build_compare_real(build, LLVMRealOLT, build_abs(build, x), math_format(x)->tiny);
    return build_select(build, is_tiny, x, build_add(build, half, half));
}

/* Both branches have the form base + numerator / denominator and share the division:
 *   |x| small:  |x| + |x|^3 P / Q        otherwise:  1 - 2 / (e^(2|x|) + 1) */
LLVMValueRef math_tanh(LlvmBuild *build, LLVMValueRef x) {
    bool is_f64 = build_is_f64(LLVMTypeOf(x));
    LLVMValueRef one = build_real(x, 1.0);
    LLVMValueRef a = build_at_most(build, build_abs(build, x), exp_constants(x)->tanh_highest);
    LLVMValueRef square = build_mul(build, a, a), cube = build_mul(build, a, square);
    LLVMValueRef p =
        is_f64 ? BUILD_POLYNOMIAL(build, square, tanh_p_f64) : BUILD_POLYNOMIAL(build, square, tanh_p_f32);
    LLVMValueRef q =
        is_f64 ? BUILD_POLYNOMIAL(build, square, tanh_q_f64) : BUILD_POLYNOMIAL(build, square, tanh_q_f32);

    /* In float n is at most 26 and an error of e^(2|x|) counts little: the low part of n ln 2 can go. */
    LLVMValueRef twice = build_add(build, a, a);
    ExpReduction reduced = is_f64 ? math_exp_reduce(build, twice, false) : reduce_high(build, twice, false);
    LLVMValueRef power = math_exp_power(build, a, reduced.shifted, 0);
    LLVMValueRef e_plus_1 = build_fma(build, math_exp_polynomial(build, reduced.r), power, one);

    LLVMValueRef is_small = build_compare_real(build, LLVMRealOLT, a, TANH_SMALL);
    LLVMValueRef numerator = build_select(build, is_small, build_mul(build, cube, p), build_real(x, -2.0));
    LLVMValueRef quotient = build_div(build, numerator, build_select(build, is_small, q, e_plus_1));
    return build_copysign(build, build_add(build, build_select(build, is_small, a, one), quotient), x);
}
