/* What the files that emit mathematics share: the facts of the two formats, the
 * pieces of exp that other functions are built from, and one emitter for each
 * INLINE row of math.def.  Not for other files. */
#ifndef GMX_CODEGEN_LLVM_MATH_PARTS_H
#define GMX_CODEGEN_LLVM_MATH_PARTS_H

#include "codegen/llvm/math.h"

/* float or double, as bit fields. */
typedef struct FloatFormat {
    unsigned bits;          /* 32, 64 */
    unsigned fraction_bits; /* 23, 52 */
    uint64_t one;           /* bits of 1.0 */
    uint64_t exponent_mask;
    double to_integer; /* 1.5 * 2^fraction_bits: x + to_integer rounds x to an integer, which then is the low
                          bits */
    double min_normal;
    double tiny; /* 2^-(fraction_bits + 2): odd functions of slope 1 at 0 return x itself below it */
} FloatFormat;

const FloatFormat *math_format(LLVMValueRef x);

/* x split as n * ln 2 + r with |r| <= ln 2 / 2; `shifted` has n + bias in its low bits, as a float's bits. */
typedef struct ExpReduction {
    LLVMValueRef n, r, shifted;
} ExpReduction;

/* The bias is twice that of the format when `biased`, as math_exp_scale wants it, and 0 otherwise. */
ExpReduction math_exp_reduce(LlvmBuild *build, LLVMValueRef x, bool biased);
/* The same for little effort: r lacks the low part of n ln 2. */
ExpReduction math_exp_reduce_roughly(LlvmBuild *build, LLVMValueRef x, bool biased);
/* The biased reduction of high + low, where low is at most about an ulp of high. */
ExpReduction math_exp_reduce_sum(LlvmBuild *build, LLVMValueRef high, LLVMValueRef low);
/* e^r for a reduced r. */
LLVMValueRef math_exp_polynomial(LlvmBuild *build, LLVMValueRef r);
/* x split as n + r with |r| <= 1/2, and 2^r. */
ExpReduction math_exp2_reduce(LlvmBuild *build, LLVMValueRef x, bool biased);
LLVMValueRef math_exp2_polynomial(LlvmBuild *build, LLVMValueRef r);
/* value * 2^n over the whole range, rounded once: overflow to infinity, gradual underflow (biased reduction).
 */
LLVMValueRef math_exp_scale(LlvmBuild *build, LLVMValueRef value, LLVMValueRef shifted);
/* 2^(n + offset) in the type of `like`, where that is a normal number (unbiased reduction). */
LLVMValueRef math_exp_power(LlvmBuild *build, LLVMValueRef like, LLVMValueRef shifted, int offset);

/* The fraction, between sqrt(1/2) and sqrt(2), and the exponent k of a positive finite x, subnormals too. */
LLVMValueRef math_log_split(LlvmBuild *build, LLVMValueRef x, LLVMValueRef *k);

/* fn(x) of libm for every lane whose bit in `mask` is set (every lane: NULL); the other lanes are
 * `otherwise`'s. */
LLVMValueRef math_libm(LlvmBuild *build, const char *name, LLVMValueRef mask, LLVMValueRef otherwise,
                       LLVMValueRef x, LLVMValueRef y_or_null);

LLVMValueRef math_exp(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef math_exp2(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef math_expm1(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef math_tanh(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef math_log(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef math_log1p(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef math_sinh(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef math_cosh(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef math_log2(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef math_log10(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef math_cbrt(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef math_asin(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef math_acos(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef math_atan(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef math_atan2(LlvmBuild *build, LLVMValueRef y, LLVMValueRef x);
LLVMValueRef math_tan(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef math_asinh(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef math_acosh(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef math_atanh(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef math_erfc(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef math_hypot(LlvmBuild *build, LLVMValueRef x, LLVMValueRef y);
LLVMValueRef math_sin(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef math_cos(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef math_erf(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef math_pow(LlvmBuild *build, LLVMValueRef x, LLVMValueRef y);

#endif
