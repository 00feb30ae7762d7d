/* Casts between all dtypes, with f16 and bf16 as 16-bit storage.
 *
 * Float to integer truncates and saturates (NaN gives 0), so that no input is undefined. */
#include "codegen/llvm/scalar.h"
#include <stdio.h>
#include <string.h>

static LLVMTypeRef integer_like(LlvmBuild *build, LLVMValueRef x, unsigned bits) {
    return build_type_like(LLVMIntTypeInContext(build->context, bits), LLVMTypeOf(x));
}

static LLVMTypeRef real_like(LlvmBuild *build, LLVMValueRef x, Dtype dtype) {
    return build_type_like(llvm_register_type(build->context, dtype), LLVMTypeOf(x));
}

/* ---- 16-bit floats ------------------------------------------------------------------------------ */

static LLVMValueRef f32_from_half(LlvmBuild *build, LLVMValueRef bits, Dtype dtype) {
    LLVMBuilderRef b = build->builder;
    LLVMTypeRef f32 = real_like(build, bits, DTYPE_f32);
    if (dtype == DTYPE_f16) {
        LLVMTypeRef half = build_type_like(LLVMHalfTypeInContext(build->context), LLVMTypeOf(bits));
        return LLVMBuildFPExt(b, LLVMBuildBitCast(b, bits, half, ""), f32, "");
    }
    LLVMValueRef wide = LLVMBuildZExt(b, bits, integer_like(build, bits, 32), "");
    return LLVMBuildBitCast(b, build_shift_left(build, wide, 16), f32, "");
}

/* bf16: the upper half of the f32, rounded to nearest even; a NaN stays one. */
static LLVMValueRef bf16_from_f32(LlvmBuild *build, LLVMValueRef x) {
    LLVMBuilderRef b = build->builder;
    LLVMValueRef bits = build_to_bits(build, x);
    LLVMValueRef odd = build_and_mask(build, build_shift_right(build, bits, 16), 1);
    LLVMValueRef rounded = LLVMBuildAdd(b, LLVMBuildAdd(b, bits, build_integer(bits, 0x7fff), ""), odd, "");
    LLVMValueRef quiet = LLVMBuildOr(b, bits, build_integer(bits, 0x400000), "");
    rounded = LLVMBuildSelect(b, LLVMBuildFCmp(b, LLVMRealUNO, x, x, ""), quiet, rounded, "");
    return LLVMBuildTrunc(b, build_shift_right(build, rounded, 16), integer_like(build, x, 16), "");
}

static LLVMValueRef half_from_f32(LlvmBuild *build, LLVMValueRef x, Dtype dtype) {
    if (dtype == DTYPE_bf16)
        return bf16_from_f32(build, x);
    LLVMTypeRef half = build_type_like(LLVMHalfTypeInContext(build->context), LLVMTypeOf(x));
    LLVMValueRef rounded = LLVMBuildFPTrunc(build->builder, x, half, "");
    return LLVMBuildBitCast(build->builder, rounded, integer_like(build, x, 16), "");
}

/* f64 to f32 rounded to odd (an inexact result has its last bit set), after which rounding to f16 is right:
 * no bit that matters was lost. */
static LLVMValueRef f32_to_odd(LlvmBuild *build, LLVMValueRef x) {
    LLVMBuilderRef b = build->builder;
    LLVMValueRef nearest = LLVMBuildFPTrunc(b, x, real_like(build, x, DTYPE_f32), "");
    LLVMValueRef back = LLVMBuildFPExt(b, nearest, LLVMTypeOf(x), "");
    LLVMValueRef bits = build_to_bits(build, nearest);
    LLVMValueRef too_large = LLVMBuildFCmp(b, LLVMRealOGT, build_abs(build, back), build_abs(build, x), "");
    LLVMValueRef is_inexact = LLVMBuildFCmp(b, LLVMRealONE, back, x, "");
    LLVMValueRef one = build_integer(bits, 1);
    LLVMValueRef toward_zero = LLVMBuildSelect(b, too_large, LLVMBuildSub(b, bits, one, ""), bits, "");
    LLVMValueRef odd = LLVMBuildSelect(b, is_inexact, LLVMBuildOr(b, toward_zero, one, ""), bits, "");
    return build_from_bits(build, odd);
}

/* ---- between kinds ------------------------------------------------------------------------------ */

static LLVMValueRef to_bool(LlvmBuild *build, LLVMValueRef x, Dtype from) {
    LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(x));
    if (dtype_is_float(from))
        return LLVMBuildFCmp(build->builder, LLVMRealUNE, x, zero, "");
    return LLVMBuildICmp(build->builder, LLVMIntNE, x, zero, "");
}

static LLVMValueRef float_to_integer(LlvmBuild *build, LLVMValueRef x, Dtype to) {
    const char *name = dtype_kind(to) == KIND_SIGNED ? "llvm.fptosi.sat" : "llvm.fptoui.sat";
    LLVMTypeRef types[] = {real_like(build, x, to), LLVMTypeOf(x)};
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(build->module, id, types, 2);
    LLVMTypeRef type = LLVMFunctionType(types[0], &types[1], 1, 0);
    return LLVMBuildCall2(build->builder, type, function, &x, 1, "");
}

static LLVMValueRef integer_to_float(LlvmBuild *build, LLVMValueRef x, Dtype from, Dtype to) {
    LLVMOpcode opcode = dtype_kind(from) == KIND_SIGNED ? LLVMSIToFP : LLVMUIToFP;
    return LLVMBuildCast(build->builder, opcode, x, real_like(build, x, to), "");
}

static LLVMValueRef resize_integer(LlvmBuild *build, LLVMValueRef x, Dtype from, Dtype to) {
    LLVMTypeRef type = real_like(build, x, to);
    unsigned old = from == DTYPE_bool ? 1 : dtype_info[from].bytes * 8u;
    unsigned new = dtype_info[to].bytes * 8u;
    LLVMOpcode opcode = new < old ? LLVMTrunc : dtype_kind(from) == KIND_SIGNED ? LLVMSExt : LLVMZExt;
    return new == old ? x : LLVMBuildCast(build->builder, opcode, x, type, "");
}

static LLVMValueRef to_half(LlvmBuild *build, LLVMValueRef x, Dtype from, Dtype to) {
    if (from == DTYPE_f32)
        return half_from_f32(build, x, to);
    bool is_exact_in_f32 = dtype_fits(from, DTYPE_f32);
    if (to == DTYPE_bf16 || is_exact_in_f32) /* ml_dtypes too rounds to f32 first */
        return half_from_f32(build, llvm_scalar_cast(build, x, from, DTYPE_f32), to);
    LLVMValueRef wide = llvm_scalar_cast(build, x, from, DTYPE_f64);
    return half_from_f32(build, f32_to_odd(build, wide), to);
}

LLVMValueRef llvm_scalar_cast(LlvmBuild *build, LLVMValueRef x, Dtype from, Dtype to) {
    if (from == to)
        return x;
    if (from == DTYPE_f16 || from == DTYPE_bf16)
        return llvm_scalar_cast(build, f32_from_half(build, x, from), DTYPE_f32, to);
    if (to == DTYPE_f16 || to == DTYPE_bf16)
        return to_half(build, x, from, to);
    if (to == DTYPE_bool)
        return to_bool(build, x, from);
    if (dtype_is_float(from) && dtype_is_float(to)) {
        LLVMOpcode opcode = to == DTYPE_f64 ? LLVMFPExt : LLVMFPTrunc;
        return LLVMBuildCast(build->builder, opcode, x, real_like(build, x, to), "");
    }
    if (dtype_is_float(from))
        return float_to_integer(build, x, to);
    return dtype_is_float(to) ? integer_to_float(build, x, from, to) : resize_integer(build, x, from, to);
}
