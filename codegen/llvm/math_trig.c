/* sin and cos.
 *
 * x = m pi + r (sin) or (m - 1/2) pi + r (cos) with |r| <= pi / 2; either is
 * then sin(r) up to the sign (-1)^m, one odd polynomial.  pi is taken off in
 * three pieces by fma: the first difference is exact, so that r is right to a
 * last place as long as m is small.  Beyond that libm reduces, lane by lane. */
#include "codegen/llvm/math_parts.h"

#include <stddef.h>

typedef struct TrigConstants {
    double inverse_pi;
    double minus_pi[3]; /* -pi to three times the precision */
    double limit;       /* of |x| for this reduction */
} TrigConstants;

static const TrigConstants trig_f32 = {
    0x1.45f306p-2, {-0x1.921fb6p+1, 0x1.777a5cp-24, 0x1.ee59dap-49}, 0x1p17};
static const TrigConstants trig_f64 = {
    0x1.45f306dc9c883p-2, {-0x1.921fb54442d18p+1, -0x1.1a62633145c07p-53, 0x1.f1976b7ed8fbcp-109}, 0x1p30};

/* (sin r - r) / r^3 as a polynomial in r^2 on |r| <= 1.01 pi / 2: relative to sin 2^-26.9 and 2^-61.2. */
static const double sin_f32[] = {-0x1.55554ap-3, 0x1.110e86p-7, -0x1.9f6138p-13, 0x1.5ce6c6p-19};
static const double sin_f64[] = {-0x1.5555555555555p-3,  0x1.11111111110c4p-7,   -0x1.a01a01a0147c8p-13,
                                 0x1.71de3a5270d11p-19,  -0x1.ae6454bb8a89bp-26, 0x1.6123c631da12dp-33,
                                 -0x1.ae419f09606fdp-41, 0x1.87fcf68b1c24cp-49};

static const TrigConstants *trig_constants(LLVMValueRef x) {
    return build_is_f64(LLVMTypeOf(x)) ? &trig_f64 : &trig_f32;
}

/* Bits with only the sign, set where the integer in the low bits of `shifted` is odd. */
static LLVMValueRef odd_sign(LlvmBuild *build, LLVMValueRef shifted) {
    LLVMValueRef bits = build_to_bits(build, shifted);
    return build_shift_left(build, bits, math_format(shifted)->bits - 1);
}

/* sin(a - multiple * pi), for a multiple that leaves at most pi / 2 or little more.  Rounding near pi / 2
 * must not give more than 1. */
static LLVMValueRef reduced_sin(LlvmBuild *build, LLVMValueRef a, LLVMValueRef multiple) {
    const TrigConstants *c = trig_constants(a);
    LLVMValueRef r = a;
    for (unsigned i = 0; i < 3; i++)
        r = build_fma_real(build, multiple, c->minus_pi[i], r);
    LLVMValueRef square = build_mul(build, r, r);
    LLVMValueRef series = build_is_f64(LLVMTypeOf(a)) ? BUILD_POLYNOMIAL(build, square, sin_f64)
                                                      : BUILD_POLYNOMIAL(build, square, sin_f32);
    LLVMValueRef value = build_fma(build, build_mul(build, r, square), series, r);
    return build_at_least(build, build_at_most(build, value, 1.0), -1.0);
}

/* `result`, with libm's value in the lanes whose |x| is beyond the limit of the reduction. */
static LLVMValueRef with_large(LlvmBuild *build, const char *name, LLVMValueRef result, LLVMValueRef x,
                               LLVMValueRef a) {
    LLVMValueRef is_large = build_compare_real(build, LLVMRealOGT, a, trig_constants(x)->limit);
    LLVMBasicBlockRef fast = LLVMGetInsertBlock(build->builder);
    LLVMBasicBlockRef large = build_block(build, "large"), done = build_block(build, "large.done");
    build_branch_unlikely(build, build_any(build, is_large), large, done);
    LLVMPositionBuilderAtEnd(build->builder, large);
    LLVMValueRef patched = math_libm(build, name, is_large, result, x, NULL);
    LLVMBasicBlockRef from[] = {fast, LLVMGetInsertBlock(build->builder)};
    LLVMBuildBr(build->builder, done);
    LLVMPositionBuilderAtEnd(build->builder, done);
    LLVMValueRef merged = LLVMBuildPhi(build->builder, LLVMTypeOf(x), "");
    LLVMAddIncoming(merged, (LLVMValueRef[]){result, patched}, from, 2);
    return merged;
}

LLVMValueRef math_sin(LlvmBuild *build, LLVMValueRef x) {
    LLVMValueRef a = build_abs(build, x), magic = build_real(x, math_format(x)->to_integer);
    LLVMValueRef shifted = build_fma_real(build, a, trig_constants(x)->inverse_pi, magic);
    LLVMValueRef value = reduced_sin(build, a, build_sub(build, shifted, magic));
    LLVMValueRef x_bits = build_to_bits(build, x);
    LLVMValueRef x_sign = build_and_mask(build, x_bits, (uint64_t)1 << (math_format(x)->bits - 1));
    LLVMValueRef sign = LLVMBuildXor(build->builder, odd_sign(build, shifted), x_sign, "");
    LLVMValueRef bits = LLVMBuildXor(build->builder, build_to_bits(build, value), sign, "");
    return with_large(build, "sin", build_from_bits(build, bits), x, a);
}

/* cos((m - 1/2) pi + r) = (-1)^m sin(r), with m rounded from x / pi + 1/2. */
LLVMValueRef math_cos(LlvmBuild *build, LLVMValueRef x) {
    LLVMValueRef a = build_abs(build, x), magic = build_real(x, math_format(x)->to_integer);
    LLVMValueRef turns = build_fma_real(build, a, trig_constants(x)->inverse_pi, build_real(x, 0.5));
    LLVMValueRef shifted = build_add(build, turns, magic);
    LLVMValueRef half_odd = build_add_real(build, build_sub(build, shifted, magic), -0.5);
    LLVMValueRef value = reduced_sin(build, a, half_odd);
    LLVMValueRef bits =
        LLVMBuildXor(build->builder, build_to_bits(build, value), odd_sign(build, shifted), "");
    return with_large(build, "cos", build_from_bits(build, bits), x, a);
}
