/* exp, exp2, expm1, and their pieces for the functions made of them.
 *
 * x = n ln 2 + r with an integer n and |r| <= ln 2 / 2; e^r is a polynomial and
 * 2^n is put together from exponent bits.  n comes from adding 1.5 * 2^23 (or
 * 1.5 * 2^52), which leaves it in the low bits of the sum: no conversion. */
#include "codegen/llvm/math_parts.h"

typedef struct ExpConstants {
    double log2_e;
    double minus_ln2_high, minus_ln2_low;
    double lowest, highest; /* exp is 0 below and infinite above */
    double exp2_lowest, exp2_highest;
    double expm1_lowest; /* expm1 is -1 below */
    double tanh_highest; /* tanh is 1 above */
} ExpConstants;

static const ExpConstants exp_f32 = {0x1.715476p+0, -0x1.62e43p-1, 0x1.05c61p-29, -104.0, 89.0,
                                     -151.0,        129.0,         -18.0,         9.1};
static const ExpConstants exp_f64 = {0x1.71547652b82fep+0,
                                     -0x1.62e42fefa39efp-1,
                                     -0x1.abc9e3b39803fp-56,
                                     -746.0,
                                     710.0,
                                     -1076.0,
                                     1025.0,
                                     -38.0,
                                     19.2};

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

/* (2^r - 1) / r on |r| <= 1/2, relative to 2^r: 2^-28.1 and 2^-57.3. */
static const double exp2_f32[] = {0x1.62e43p-1, 0x1.ebfbd8p-3,  0x1.c6af78p-5,
                                  0x1.3b30bp-7, 0x1.5f0a66p-10, 0x1.3f9068p-13};
static const double exp2_f64[] = {0x1.62e42fefa39efp-1,  0x1.ebfbdff82c5a5p-3,  0x1.c6b08d704a122p-5,
                                  0x1.3b2ab6fb9ffb3p-7,  0x1.5d87fe78a1128p-10, 0x1.4309130f13ab3p-13,
                                  0x1.ffcbfc5955a20p-17, 0x1.62bfc71e56b30p-20, 0x1.b5253f704829cp-24,
                                  0x1.e61c11310341fp-28, 0x1.e94701d28dccdp-32};

static const ExpConstants *exp_constants(LLVMValueRef x) {
    return build_is_f64(LLVMTypeOf(x)) ? &exp_f64 : &exp_f32;
}

/* What is added to round to an integer. */
static LLVMValueRef rounding_shift(LLVMValueRef x, bool biased) {
    const FloatFormat *format = math_format(x);
    double bias = biased ? 2.0 * (double)(format->one >> format->fraction_bits) : 0.0;
    return build_real(x, format->to_integer + bias);
}

ExpReduction math_exp_reduce_roughly(LlvmBuild *build, LLVMValueRef x, bool biased) {
    const ExpConstants *c = exp_constants(x);
    LLVMValueRef magic = rounding_shift(x, biased);
    LLVMValueRef shifted = build_fma_real(build, x, c->log2_e, magic);
    LLVMValueRef n = build_sub(build, shifted, magic);
    LLVMValueRef high = build_fma_real(build, n, c->minus_ln2_high, x);
    return (ExpReduction){n, high, build_to_bits(build, shifted)};
}

ExpReduction math_exp_reduce(LlvmBuild *build, LLVMValueRef x, bool biased) {
    ExpReduction reduced = math_exp_reduce_roughly(build, x, biased);
    reduced.r = build_fma_real(build, reduced.n, exp_constants(x)->minus_ln2_low, reduced.r);
    return reduced;
}

ExpReduction math_exp_reduce_sum(LlvmBuild *build, LLVMValueRef high, LLVMValueRef low) {
    ExpReduction reduced = math_exp_reduce_roughly(build, high, true);
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

ExpReduction math_exp2_reduce(LlvmBuild *build, LLVMValueRef x, bool biased) {
    LLVMValueRef magic = rounding_shift(x, biased), shifted = build_add(build, x, magic);
    LLVMValueRef n = build_sub(build, shifted, magic);
    return (ExpReduction){n, build_sub(build, x, n), build_to_bits(build, shifted)};
}

LLVMValueRef math_exp2_polynomial(LlvmBuild *build, LLVMValueRef r) {
    LLVMValueRef series = build_is_f64(LLVMTypeOf(r)) ? BUILD_POLYNOMIAL(build, r, exp2_f64)
                                                      : BUILD_POLYNOMIAL(build, r, exp2_f32);
    return build_fma(build, series, r, build_real(r, 1.0));
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

LLVMValueRef math_exp2(LlvmBuild *build, LLVMValueRef x) {
    const ExpConstants *c = exp_constants(x);
    x = build_at_least(build, build_at_most(build, x, c->exp2_highest), c->exp2_lowest);
    ExpReduction reduced = math_exp2_reduce(build, x, true);
    return math_exp_scale(build, math_exp2_polynomial(build, reduced.r), reduced.shifted);
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
