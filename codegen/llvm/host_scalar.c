/* Scalars of host programs: the lowering of the kernel's elementwise ops at width one. */
#include "codegen/llvm/host.h"
#include "codegen/llvm/scalar.h"

LLVMTypeRef host_type(Host *host, Dtype dtype) {
    return llvm_register_type(host->build.context, dtype);
}

LLVMValueRef host_load(Host *host, Dtype dtype, LLVMValueRef address) {
    LLVMTypeRef type = llvm_memory_type(host->build.context, dtype);
    LLVMValueRef stored = LLVMBuildLoad2(host->build.builder, type, address, "");
    LLVMSetAlignment(stored, 1); /* lent memory and slices of it may lie anywhere */
    return llvm_from_memory(&host->build, dtype, stored);
}

void host_store(Host *host, Dtype dtype, LLVMValueRef value, LLVMValueRef address) {
    LLVMValueRef stored =
        LLVMBuildStore(host->build.builder, llvm_to_memory(&host->build, dtype, value), address);
    LLVMSetAlignment(stored, 1);
}

LLVMValueRef host_to_bits(Host *host, LLVMValueRef value) {
    LLVMBuilderRef b = host->build.builder;
    LLVMTypeRef type = LLVMTypeOf(value);
    switch (LLVMGetTypeKind(type)) {
    case LLVMPointerTypeKind:
        return LLVMBuildPtrToInt(b, value, host->i64, "");
    case LLVMFloatTypeKind:
        value = LLVMBuildBitCast(b, value, host->i32, "");
        break;
    case LLVMDoubleTypeKind:
        return LLVMBuildBitCast(b, value, host->i64, "");
    default:
        break;
    }
    return LLVMTypeOf(value) == host->i64 ? value : LLVMBuildZExt(b, value, host->i64, "");
}

LLVMValueRef host_from_bits(Host *host, Dtype dtype, LLVMValueRef bits) {
    LLVMBuilderRef b = host->build.builder;
    LLVMTypeRef type = host_type(host, dtype);
    switch (LLVMGetTypeKind(type)) {
    case LLVMDoubleTypeKind:
        return LLVMBuildBitCast(b, bits, type, "");
    case LLVMFloatTypeKind:
        return LLVMBuildBitCast(b, LLVMBuildTrunc(b, bits, host->i32, ""), type, "");
    default:
        return type == host->i64 ? bits : LLVMBuildTrunc(b, bits, type, "");
    }
}

static bool may_fault(Op op, Dtype dtype) {
    return (op == OP_floordiv || op == OP_mod || op == OP_fmod || op == OP_pow) && !dtype_is_float(dtype);
}

/* flags != 0 after an op that records faults: says which and leaves */
static void check_faults(Host *host, const IrNode *node, LLVMValueRef flags) {
    LLVMBuilderRef b = host->build.builder;
    LLVMValueRef found = LLVMBuildLoad2(b, host->i32, flags, "");
    bool is_power = node->op == OP_pow;
    host_fail_message(
        host, LLVMBuildICmp(b, LLVMIntNE, found, LLVMConstNull(host->i32), ""),
        is_power ? DIAG_E0307 : DIAG_E0303,
        is_power ? "an integer to a negative power is not an integer" : "integer division by zero", node);
}

/* Complex scalars are vectors of two parts. */
static LLVMValueRef parts_op(Host *host, const IrNode *node) {
    LLVMBuilderRef b = host->build.builder;
    LLVMValueRef x = host_scalar(host, node->operands[0]), second = LLVMConstInt(host->i32, 1, false);
    LLVMValueRef first = LLVMConstInt(host->i32, 0, false);
    if (node->op != OP_complex)
        return LLVMBuildExtractElement(b, x, node->op == OP_imag ? second : first, "");
    LLVMValueRef both = LLVMGetPoison(host_type(host, ir_dtype(node)));
    both = LLVMBuildInsertElement(b, both, x, first, "");
    return LLVMBuildInsertElement(b, both, host_scalar(host, node->operands[1]), second, "");
}

void host_elementwise(Host *host, const IrNode *node) {
    if (ir_rank(node) != 0) {
        host_unsupported(host, "`%s` on a tensor was not scheduled into a kernel", op_name(node->op));
        return;
    }
    if (op_is_parts(node->op)) {
        LLVMValueRef made = parts_op(host, node);
        host_new_values(host, node, 1)->scalar = made;
        return;
    }
    LLVMValueRef operands[3];
    for (uint32_t k = 0; k < node->operand_count && k < 3; k++)
        operands[k] = host_scalar(host, node->operands[k]);
    Dtype dtype = ir_dtype(node->operands[node->operand_count - 1]);
    LlvmFaults faults = {0};
    if (may_fault(node->op, dtype)) {
        faults.flags = LLVMBuildAlloca(host->entry, host->i32, "");
        LLVMBuildStore(host->build.builder, LLVMConstNull(host->i32), faults.flags);
    }
    HostValue *value = host_new_values(host, node, 1);
    value->scalar = llvm_scalar_op(&host->build, node->op, dtype, operands, &faults);
    if (faults.flags)
        check_faults(host, node, faults.flags);
}

void host_cast(Host *host, const IrNode *node) {
    if (ir_rank(node) != 0) {
        host_unsupported(host, "a cast of a tensor was not scheduled into a kernel");
        return;
    }
    LLVMValueRef x = host_scalar(host, node->operands[0]);
    HostValue *value = host_new_values(host, node, 1);
    value->scalar = llvm_scalar_cast(&host->build, x, ir_dtype(node->operands[0]), ir_dtype(node));
}
