/* log, log2, log10, log1p and cbrt (which takes a float apart the same way).
 *
 * x = 2^k (1 + f) with 1 + f between sqrt(1/2) and sqrt(2); log(1 + f) comes
 * from a polynomial in f (float) or in s = f / (2 + f) (double, where a
 * polynomial in f would cost more than the division). */
#include "codegen/llvm/math_parts.h"

#include <math.h>

typedef struct LogConstants {
    double ln2_high, ln2_low; /* k * ln2_high is exact */
    uint64_t sqrt_half;       /* bits of sqrt(1/2) */
    double subnormal_scale;   /* 2^subnormal_shift makes every subnormal normal */
    double subnormal_shift;
} LogConstants;

static const LogConstants log_f32 = {0x1.62e4p-1, 0x1.7f7d1cp-20, 0x3f3504f3, 0x1p24, 24.0};
static const LogConstants log_f64 = {0x1.62e42fefa38p-1, 0x1.ef35793c7673p-45, 0x3fe6a09e667f3bcdull, 0x1p54,
                                     54.0};

/* 1 / ln(b) and log_b(2) in two pieces each; an exponent times the first of the latter is exact. */
typedef struct LogBase {
    double scale_high, scale_low, log_of_2_high, log_of_2_low;
} LogBase;

static const LogBase base_2_f32 = {0x1.715476p+0, 0x1.4ae0cp-26, 1.0, 0.0};
static const LogBase base_2_f64 = {0x1.71547652b82fep+0, 0x1.777d0ffda0d24p-56, 1.0, 0.0};
static const LogBase base_10_f32 = {0x1.bcb7b2p-2, -0x1.5b235ep-27, 0x1.344p-2, 0x1.3509f8p-18};
static const LogBase base_10_f64 = {0x1.bcb7b1526e50ep-2, 0x1.95355baaafad3p-57, 0x1.34413509f78p-2,
                                    0x1.fef311f12b358p-46};

/* log(1 + f) = f + f^2 L(f) on [sqrt(1/2) - 1, sqrt(2) - 1]: relative error 2^-26.6. */
static const double log1p_f32[] = {-0.5,           0x1.555554p-2,  -0x1.00022cp-2,
                                   0x1.99a03ep-3,  -0x1.546fc8p-3, 0x1.22d442p-3,
                                   -0x1.0dac0cp-3, 0x1.05a772p-3,  -0x1.38627ap-4};
/* 2 atanh(s) = 2 s + s^3 L(s^2) on |s| <= 3 - 2 sqrt(2): relative error 2^-59.5. */
static const double atanh_f64[] = {0x1.5555555555593p-1, 0x1.999999997f9d4p-2, 0x1.249249422d891p-2,
                                   0x1.c71c51d463268p-3, 0x1.74664a842453dp-3, 0x1.39a07d46a7ac6p-3,
                                   0x1.2f128d537a414p-3};

static const LogConstants *log_constants(LLVMValueRef x) {
    return build_is_f64(LLVMTypeOf(x)) ? &log_f64 : &log_f32;
}

/* k + bias as an integer, for normal positive x; `*fraction` gets the bits of 2^-k x. */
static LLVMValueRef biased_exponent(LlvmBuild *build, LLVMValueRef x, LLVMValueRef *fraction) {
    const FloatFormat *format = math_format(x);
    uint64_t sqrt_half = log_constants(x)->sqrt_half;
    LLVMValueRef bits = build_to_bits(build, x);
    LLVMValueRef moved = LLVMBuildAdd(build->builder, bits, build_integer(bits, format->one - sqrt_half), "");
    LLVMValueRef low = build_and_mask(build, moved, ((uint64_t)1 << format->fraction_bits) - 1);
    *fraction = LLVMBuildAdd(build->builder, low, build_integer(low, sqrt_half), "");
    return build_shift_right(build, moved, format->fraction_bits);
}

/* The biased exponent as a float, less `bias` lanes: the integer is put under the exponent of
 * 2^fraction_bits. */
static LLVMValueRef exponent_value(LlvmBuild *build, LLVMValueRef biased, LLVMValueRef bias) {
    const FloatFormat *format = math_format(bias);
    uint64_t top = format->one + ((uint64_t)format->fraction_bits << format->fraction_bits);
    LLVMValueRef bits = LLVMBuildOr(build->builder, biased, build_integer(biased, top), "");
    return build_sub(build, build_from_bits(build, bits), bias);
}

/* 2^fraction_bits plus the format's bias: what exponent_value takes off for x itself. */
static double exponent_bias(const FloatFormat *format) {
    return ldexp(1.0, (int)format->fraction_bits) + (double)(format->one >> format->fraction_bits);
}

/* log(1 + f) - f + addend */
static LLVMValueRef log1p_tail(LlvmBuild *build, LLVMValueRef f, LLVMValueRef addend) {
    LLVMValueRef square = build_mul(build, f, f);
    if (!build_is_f64(LLVMTypeOf(f)))
        return build_fma(build, square, BUILD_POLYNOMIAL(build, f, log1p_f32), addend);
    LLVMValueRef s = build_div(build, f, build_add_real(build, f, 2.0));
    LLVMValueRef z = build_mul(build, s, s), half = build_mul_real(build, square, 0.5);
    LLVMValueRef inner = build_fma(build, z, BUILD_POLYNOMIAL(build, z, atanh_f64), half);
    return build_fma(build, s, inner, build_sub(build, addend, half));
}

/* k ln 2 + log(1 + f) */
static LLVMValueRef log_sum(LlvmBuild *build, LLVMValueRef k, LLVMValueRef f) {
    const LogConstants *c = log_constants(f);
    LLVMValueRef tail = log1p_tail(build, f, build_mul_real(build, k, c->ln2_low));
    return build_fma_real(build, k, c->ln2_high, build_add(build, f, tail));
}

/* `result`, but -infinity where x is `pole`, NaN below it, and x itself where x is infinite or NaN. */
static LLVMValueRef log_special(LlvmBuild *build, LLVMValueRef result, LLVMValueRef x, double pole) {
    LLVMValueRef at_pole = build_compare_real(build, LLVMRealOEQ, x, pole);
    LLVMValueRef beyond = build_compare_real(build, LLVMRealOLE, x, pole);
    LLVMValueRef top = build_compare_real(build, LLVMRealUGE, x, INFINITY);
    LLVMValueRef bad = build_select(build, at_pole, build_real(x, -INFINITY), build_real(x, NAN));
    return build_select(build, top, x, build_select(build, beyond, bad, result));
}

LLVMValueRef math_log_split(LlvmBuild *build, LLVMValueRef x, LLVMValueRef *k) {
    const FloatFormat *format = math_format(x);
    const LogConstants *c = log_constants(x);
    double bias = exponent_bias(format);
    LLVMValueRef is_subnormal = build_compare_real(build, LLVMRealOLT, x, format->min_normal), fraction;
    LLVMValueRef normal = build_select(build, is_subnormal, build_mul_real(build, x, c->subnormal_scale), x);
    LLVMValueRef biased = biased_exponent(build, normal, &fraction);
    LLVMValueRef offset =
        build_select(build, is_subnormal, build_real(x, bias + c->subnormal_shift), build_real(x, bias));
    *k = exponent_value(build, biased, offset);
    return build_from_bits(build, fraction);
}

LLVMValueRef math_log(LlvmBuild *build, LLVMValueRef x) {
    LLVMValueRef k, fraction = math_log_split(build, x, &k);
    return log_special(build, log_sum(build, k, build_add_real(build, fraction, -1.0)), x, 0.0);
}

/* k log_b(2) + f / ln(b) + tail / ln(b), where the products with f keep a second word: the logarithm of a
 * power of two to base 2 is exact. */
static LLVMValueRef log_base(LlvmBuild *build, LLVMValueRef x, const LogBase *base) {
    LLVMValueRef k, f = build_add_real(build, math_log_split(build, x, &k), -1.0);
    LLVMValueRef tail = log1p_tail(build, f, build_real(f, 0.0));
    LLVMValueRef high = build_mul_real(build, f, base->scale_high);
    LLVMValueRef low = build_fma_real(build, f, base->scale_high, build_neg(build, high));
    low = build_fma_real(build, f, base->scale_low, low);
    low = build_fma_real(build, tail, base->scale_high, low);
    low = build_fma_real(build, k, base->log_of_2_low, low);
    LLVMValueRef exponent = build_mul_real(build, k, base->log_of_2_high),
                 sum = build_add(build, exponent, high);
    LLVMValueRef rest = build_add(build, build_sub(build, exponent, sum), high);
    return log_special(build, build_add(build, sum, build_add(build, rest, low)), x, 0.0);
}

LLVMValueRef math_log2(LlvmBuild *build, LLVMValueRef x) {
    return log_base(build, x, build_is_f64(LLVMTypeOf(x)) ? &base_2_f64 : &base_2_f32);
}

LLVMValueRef math_log10(LlvmBuild *build, LLVMValueRef x) {
    return log_base(build, x, build_is_f64(LLVMTypeOf(x)) ? &base_10_f64 : &base_10_f32);
}

/* k comes from 1 + x as rounded, f from x itself: f = 2^-k x + (2^-k - 1), rounded once.  2^-k is made as a
 * quarter of 2^(2 - k), which is a normal number up to the largest k. */
LLVMValueRef math_log1p(LlvmBuild *build, LLVMValueRef x) {
    const FloatFormat *format = math_format(x);
    LLVMValueRef unused, biased = biased_exponent(build, build_add_real(build, x, 1.0), &unused);
    LLVMValueRef k = exponent_value(build, biased, build_real(x, exponent_bias(format)));
    uint64_t top = (format->one >> format->fraction_bits) * 2 + 2;
    LLVMValueRef field = LLVMBuildSub(build->builder, build_integer(biased, top), biased, "");
    LLVMValueRef scale = build_from_bits(build, build_shift_left(build, field, format->fraction_bits));
    LLVMValueRef rest = build_fma_real(build, scale, 0.25, build_real(x, -1.0));
    LLVMValueRef f = build_fma(build, build_mul_real(build, x, 0.25), scale, rest);
    LLVMValueRef is_tiny = build_compare_real(build, LLVMRealOLT, build_abs(build, x), format->tiny);
    LLVMValueRef result = log_special(build, log_sum(build, k, f), x, -1.0);
    return build_select(build, is_tiny, x, result);
}

/* Minimax fits of m^(-1/3) between sqrt(2) / 4 and 2 sqrt(2): relative error 2^-7.1 and 2^-11.8. */
static const double inverse_cbrt_f32[] = {0x1.e44f04p+0, -0x1.c3597p+0, 0x1.3a15dap+0, -0x1.a90df4p-2,
                                          0x1.b12976p-5};
static const double inverse_cbrt_f64[] = {0x1.28594cp+1,  -0x1.1f48c8p+2, 0x1.02bb08p+3,
                                          -0x1.30435ap+3, 0x1.ccf0c6p+2,  -0x1.bd66a2p+1,
                                          0x1.08a30cp+0,  -0x1.5fd3eep-3, 0x1.9013ecp-7};

/* m^(1/3) for m between sqrt(2) / 4 and 2 sqrt(2): a step of third order on m^(-1/3), whose error is then
 * squared by a Newton step on the root. */
static LLVMValueRef reduced_cbrt(LlvmBuild *build, LLVMValueRef m) {
    LLVMValueRef z = build_is_f64(LLVMTypeOf(m)) ? BUILD_POLYNOMIAL(build, m, inverse_cbrt_f64)
                                                 : BUILD_POLYNOMIAL(build, m, inverse_cbrt_f32);
    LLVMValueRef cube = build_mul(build, build_mul(build, z, z), z);
    LLVMValueRef h = build_fma(build, build_neg(build, m), cube, build_real(m, 1.0));
    LLVMValueRef step = build_fma_real(build, h, 2.0 / 9.0, build_real(m, 1.0 / 3.0));
    z = build_fma(build, build_mul(build, z, h), step, z);
    LLVMValueRef square = build_mul(build, z, z), root = build_mul(build, m, square);
    LLVMValueRef minus_square = build_neg(build, build_mul(build, root, root));
    LLVMValueRef residual = build_fma(build, minus_square, root, m);
    return build_fma(build, build_mul_real(build, square, 1.0 / 3.0), residual, root);
}

/* x = 2^(3 q) 2^e m with e = -1, 0 or 1. */
LLVMValueRef math_cbrt(LlvmBuild *build, LLVMValueRef x) {
    LLVMValueRef a = build_abs(build, x), magic = build_real(x, math_format(x)->to_integer), k;
    LLVMValueRef fraction = math_log_split(build, a, &k);
    LLVMValueRef shifted = build_fma_real(build, k, 1.0 / 3.0, magic);
    LLVMValueRef e = build_fma_real(build, build_sub(build, shifted, magic), -3.0, k);
    LLVMValueRef e_bits = build_to_bits(build, build_add(build, e, magic));
    LLVMValueRef m = build_mul(build, fraction, math_exp_power(build, x, e_bits, 0));
    LLVMValueRef power = math_exp_power(build, x, build_to_bits(build, shifted), 0);
    LLVMValueRef value = build_mul(build, reduced_cbrt(build, m), power);
    LLVMValueRef regular = LLVMBuildAnd(build->builder, build_compare_real(build, LLVMRealOGT, a, 0.0),
                                        build_compare_real(build, LLVMRealOLT, a, INFINITY), "");
    return build_select(build, regular, build_copysign(build, value, x), x);
}
