/* Vector mathematics emitted in place: exp, log, tanh, sin, pow ... of float or
 * double, scalar or vector of any lane count.
 *
 * The functions and their accuracy are the rows of math.def.  No fast-math flag
 * is used and every operation is correctly rounded by itself, so a function has
 * the same bits at every vector width and on every CPU with FMA. */
#ifndef GMX_CODEGEN_LLVM_MATH_H
#define GMX_CODEGEN_LLVM_MATH_H

#include "codegen/llvm/build.h"

typedef enum MathFunction {
#define MATH(name, arity, ulp_f32, ulp_f64, f32, f64) MATH_##name,
#include "codegen/llvm/math.def"
    MATH_COUNT
} MathFunction;

typedef struct MathInfo {
    const char *name; /* as in <math.h>, without the suffix f */
    unsigned arity;
    double ulp_f32, ulp_f64; /* largest error in units in the last place of the result */
} MathInfo;

const MathInfo *llvm_math_info(MathFunction function);

/* Emits fn(x), or fn(x, y) when the arity is 2, at the builder's position.  x and y are of one type, float or
 * double or a vector of either, and so is the result.  May create basic blocks and declare functions of libm
 * (which the caller's linker or JIT resolves): afterwards the builder stands at the end of the block in which
 * the result is available. */
LLVMValueRef llvm_math(LlvmBuild *build, MathFunction function, LLVMValueRef x, LLVMValueRef y_or_null);

#endif
