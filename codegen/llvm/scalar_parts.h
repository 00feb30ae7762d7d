/* Inside of scalar*.c: the operands of one op, and the CUSTOM rows of ops.def. */
#ifndef GMX_CODEGEN_LLVM_SCALAR_PARTS_H
#define GMX_CODEGEN_LLVM_SCALAR_PARTS_H

#include "codegen/llvm/scalar.h"

typedef struct ScalarOp {
    LlvmBuild *build;
    Op op;
    Dtype dtype; /* of the operands; never f16 or bf16 but in `where` */
    LLVMValueRef operands[3];
    const LlvmFaults *faults;
} ScalarOp;

LLVMValueRef llvm_scalar_neg(ScalarOp *op);
LLVMValueRef llvm_scalar_abs(ScalarOp *op);
LLVMValueRef llvm_scalar_sign(ScalarOp *op);
LLVMValueRef llvm_scalar_logical_not(ScalarOp *op);
LLVMValueRef llvm_scalar_floordiv(ScalarOp *op);
LLVMValueRef llvm_scalar_mod(ScalarOp *op);
LLVMValueRef llvm_scalar_fmod(ScalarOp *op);
LLVMValueRef llvm_scalar_copysign(ScalarOp *op);
LLVMValueRef llvm_scalar_pow(ScalarOp *op);
LLVMValueRef llvm_scalar_minimum(ScalarOp *op);
LLVMValueRef llvm_scalar_maximum(ScalarOp *op);
LLVMValueRef llvm_scalar_left_shift(ScalarOp *op);
LLVMValueRef llvm_scalar_right_shift(ScalarOp *op);
LLVMValueRef llvm_scalar_philox(ScalarOp *op);
LLVMValueRef llvm_scalar_whole_sum(ScalarOp *op);
LLVMValueRef llvm_scalar_where(ScalarOp *op);

#endif
