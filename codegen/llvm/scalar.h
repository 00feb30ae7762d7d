/* LLVM IR of the elementwise ops and of casts, on scalars or on vectors of any lane count.
 *
 * Values in registers: bool is i1, f16 and bf16 are i16 bits (arithmetic converts to f32 and back), the rest
 * as expected.  In memory bool is one byte, 0 or 1. */
#ifndef GMX_CODEGEN_LLVM_SCALAR_H
#define GMX_CODEGEN_LLVM_SCALAR_H

#include "codegen/llvm/build.h"
#include "ir/dtype.h"
#include "ir/op.h"

/* Where integer faults are recorded: nothing traps, the flag is looked at when the kernel has run. */
typedef struct LlvmFaults {
    LLVMValueRef flags; /* an i32 in memory; NULL: not recorded */
    LLVMValueRef mask;  /* lanes that count (vectors only); NULL: all */
} LlvmFaults;
enum { FAULT_ZERO_DIVISOR = 1, FAULT_NEGATIVE_POWER = 2, FAULT_SUM_OVERFLOW = 4 };

LLVMTypeRef llvm_register_type(LLVMContextRef context, Dtype dtype);
LLVMTypeRef llvm_memory_type(LLVMContextRef context, Dtype dtype);
/* Between the two representations of one value (only bool differs). */
LLVMValueRef llvm_from_memory(LlvmBuild *build, Dtype dtype, LLVMValueRef stored);
LLVMValueRef llvm_to_memory(LlvmBuild *build, Dtype dtype, LLVMValueRef value);

LLVMValueRef llvm_scalar_const(LLVMContextRef context, Dtype dtype, uint64_t bits);
/* A scalar in all of `lanes` lanes; vectors, and anything when lanes is 0, are returned unchanged. */
LLVMValueRef llvm_splat(LlvmBuild *build, LLVMValueRef value, unsigned lanes);

/* Ops that are many instructions or a loop. */
bool llvm_op_is_heavy(Op op);
/* op(operands): all scalars or all vectors of one lane count; `dtype` is that of the operands (of the last
 * two for `where`).  May create basic blocks. */
LLVMValueRef llvm_scalar_op(LlvmBuild *build, Op op, Dtype dtype, const LLVMValueRef *operands,
                            const LlvmFaults *faults);
LLVMValueRef llvm_scalar_cast(LlvmBuild *build, LLVMValueRef x, Dtype from, Dtype to);

/* The neutral element of an accumulating op, as a scalar constant: op(identity, x) is x. */
LLVMValueRef llvm_scalar_identity(LLVMContextRef context, Op op, Dtype dtype);
/* Whether `value` replaces `best` in an argmax (OP_argmax) or argmin: strictly better, a NaN is best. */
LLVMValueRef llvm_scalar_better(LlvmBuild *build, Op op, Dtype dtype, LLVMValueRef value, LLVMValueRef best);

#endif
