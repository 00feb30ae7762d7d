/* Short names for the LLVM IR that numeric code is made of.
 *
 * Every helper works on a scalar or on a vector of any lane count, and takes
 * the shape from its operands.  No fast-math flag is ever set here: the same
 * operations in the same order give the same bits at every vector width. */
#ifndef GMX_CODEGEN_LLVM_BUILD_H
#define GMX_CODEGEN_LLVM_BUILD_H

#include <llvm-c/Core.h>
#include <stdbool.h>
#include <stdint.h>

/* Where instructions go.  `builder` stands in a block of `function`, which lies in `module`. */
typedef struct LlvmBuild {
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef builder;
    LLVMValueRef function;
} LlvmBuild;

/* The widest vector these helpers make constants for. */
enum { BUILD_MAX_LANES = 256 };

/* Lane count of a vector type; 0 for a scalar. */
unsigned build_lanes(LLVMTypeRef type);
/* The element type of a vector; a scalar type itself. */
LLVMTypeRef build_scalar_type(LLVMTypeRef type);
/* `scalar` with the lane count of `shape` (a scalar when `shape` is one). */
LLVMTypeRef build_type_like(LLVMTypeRef scalar, LLVMTypeRef shape);
/* Whether the (element) type is double. */
bool build_is_f64(LLVMTypeRef type);

/* Constants in every lane of a value of the type of `like`. */
LLVMValueRef build_real(LLVMValueRef like, double value);
LLVMValueRef build_integer(LLVMValueRef like, uint64_t value);

LLVMValueRef build_add(LlvmBuild *build, LLVMValueRef x, LLVMValueRef y);
LLVMValueRef build_sub(LlvmBuild *build, LLVMValueRef x, LLVMValueRef y);
LLVMValueRef build_mul(LlvmBuild *build, LLVMValueRef x, LLVMValueRef y);
LLVMValueRef build_div(LlvmBuild *build, LLVMValueRef x, LLVMValueRef y);
/* x * y + z, rounded once. */
LLVMValueRef build_fma(LlvmBuild *build, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z);
/* The same with a constant in place of one operand. */
LLVMValueRef build_add_real(LlvmBuild *build, LLVMValueRef x, double y);
LLVMValueRef build_mul_real(LlvmBuild *build, LLVMValueRef x, double y);
LLVMValueRef build_fma_real(LlvmBuild *build, LLVMValueRef x, double y, LLVMValueRef z);
LLVMValueRef build_neg(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef build_abs(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef build_sqrt(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef build_trunc(LlvmBuild *build, LLVMValueRef x);
/* |x| with the sign of `sign`. */
LLVMValueRef build_copysign(LlvmBuild *build, LLVMValueRef x, LLVMValueRef sign);
/* A call of the overloaded intrinsic `name` ("llvm.fabs"), whose operands all have the type of the result. */
LLVMValueRef build_intrinsic(LlvmBuild *build, const char *name, LLVMValueRef *arguments, unsigned count);

/* At most / at least `bound`; a NaN stays what it is. */
LLVMValueRef build_at_most(LlvmBuild *build, LLVMValueRef x, double bound);
LLVMValueRef build_at_least(LlvmBuild *build, LLVMValueRef x, double bound);

LLVMValueRef build_compare(LlvmBuild *build, LLVMRealPredicate predicate, LLVMValueRef x, LLVMValueRef y);
LLVMValueRef build_compare_real(LlvmBuild *build, LLVMRealPredicate predicate, LLVMValueRef x, double y);
LLVMValueRef build_select(LlvmBuild *build, LLVMValueRef condition, LLVMValueRef then,
                          LLVMValueRef otherwise);
/* Whether any lane of a mask is set, as one i1. */
LLVMValueRef build_any(LlvmBuild *build, LLVMValueRef mask);

/* The bits of a float as an integer of its width in the same lanes, and back. */
LLVMValueRef build_to_bits(LlvmBuild *build, LLVMValueRef x);
LLVMValueRef build_from_bits(LlvmBuild *build, LLVMValueRef bits);
/* Bitwise operations and shifts with a constant, on integers. */
LLVMValueRef build_and_mask(LlvmBuild *build, LLVMValueRef bits, uint64_t mask);
LLVMValueRef build_shift_left(LlvmBuild *build, LLVMValueRef bits, unsigned count);
LLVMValueRef build_shift_right(LlvmBuild *build, LLVMValueRef bits, unsigned count);

/* coefficients[0] + coefficients[1] * x + ... by Horner's rule with fma; count >= 1. */
LLVMValueRef build_polynomial(LlvmBuild *build, LLVMValueRef x, const double *coefficients, unsigned count);
#define BUILD_POLYNOMIAL(build, x, table) build_polynomial(build, x, table, sizeof(table) / sizeof *(table))

/* A new block at the end of the function. */
LLVMBasicBlockRef build_block(LlvmBuild *build, const char *name);
/* Branches on `condition`, which is expected to be false nearly always. */
void build_branch_unlikely(LlvmBuild *build, LLVMValueRef condition, LLVMBasicBlockRef then,
                           LLVMBasicBlockRef otherwise);

#endif
