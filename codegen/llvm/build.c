/* Builder helpers: see build.h.  Each one is a thin name for one or a few LLVM
 * C API calls; the shape of constants and of intrinsic names is worked out from
 * the operands, so callers never spell a vector type. */
#include "codegen/llvm/build.h"

#include <assert.h>
#include <string.h>

enum { MAX_INTRINSIC_ARGUMENTS = 3, UNLIKELY_WEIGHT = 1, LIKELY_WEIGHT = 1 << 20 };

unsigned build_lanes(LLVMTypeRef type) {
    return LLVMGetTypeKind(type) == LLVMVectorTypeKind ? LLVMGetVectorSize(type) : 0;
}

LLVMTypeRef build_scalar_type(LLVMTypeRef type) {
    return LLVMGetTypeKind(type) == LLVMVectorTypeKind ? LLVMGetElementType(type) : type;
}

LLVMTypeRef build_type_like(LLVMTypeRef scalar, LLVMTypeRef shape) {
    unsigned lanes = build_lanes(shape);
    return lanes ? LLVMVectorType(scalar, lanes) : scalar;
}

bool build_is_f64(LLVMTypeRef type) {
    return LLVMGetTypeKind(build_scalar_type(type)) == LLVMDoubleTypeKind;
}

/* `scalar` in every lane of `type`.  A vector constant is built by halves of a fixed buffer's size at most.
 */
static LLVMValueRef splat_constant(LLVMTypeRef type, LLVMValueRef scalar) {
    unsigned lanes = build_lanes(type);
    if (!lanes)
        return scalar;
    LLVMValueRef elements[BUILD_MAX_LANES];
    assert(lanes <= BUILD_MAX_LANES);
    for (unsigned i = 0; i < lanes; i++)
        elements[i] = scalar;
    return LLVMConstVector(elements, lanes);
}

LLVMValueRef build_real(LLVMValueRef like, double value) {
    LLVMTypeRef type = LLVMTypeOf(like);
    return splat_constant(type, LLVMConstReal(build_scalar_type(type), value));
}

LLVMValueRef build_integer(LLVMValueRef like, uint64_t value) {
    LLVMTypeRef type = LLVMTypeOf(like);
    return splat_constant(type, LLVMConstInt(build_scalar_type(type), value, 0));
}

LLVMValueRef build_add(LlvmBuild *build, LLVMValueRef x, LLVMValueRef y) {
    return LLVMBuildFAdd(build->builder, x, y, "");
}

LLVMValueRef build_sub(LlvmBuild *build, LLVMValueRef x, LLVMValueRef y) {
    return LLVMBuildFSub(build->builder, x, y, "");
}

LLVMValueRef build_mul(LlvmBuild *build, LLVMValueRef x, LLVMValueRef y) {
    return LLVMBuildFMul(build->builder, x, y, "");
}

LLVMValueRef build_div(LlvmBuild *build, LLVMValueRef x, LLVMValueRef y) {
    return LLVMBuildFDiv(build->builder, x, y, "");
}

LLVMValueRef build_neg(LlvmBuild *build, LLVMValueRef x) {
    return LLVMBuildFNeg(build->builder, x, "");
}

LLVMValueRef build_add_real(LlvmBuild *build, LLVMValueRef x, double y) {
    return build_add(build, x, build_real(x, y));
}

LLVMValueRef build_mul_real(LlvmBuild *build, LLVMValueRef x, double y) {
    return build_mul(build, x, build_real(x, y));
}

LLVMValueRef build_fma_real(LlvmBuild *build, LLVMValueRef x, double y, LLVMValueRef z) {
    return build_fma(build, x, build_real(x, y), z);
}

LLVMValueRef build_intrinsic(LlvmBuild *build, const char *name, LLVMValueRef *arguments, unsigned count) {
    LLVMTypeRef type = LLVMTypeOf(arguments[0]), parameters[MAX_INTRINSIC_ARGUMENTS];
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    assert(id && count <= MAX_INTRINSIC_ARGUMENTS);
    LLVMValueRef callee = LLVMGetIntrinsicDeclaration(build->module, id, &type, 1);
    for (unsigned i = 0; i < count; i++)
        parameters[i] = type;
    return LLVMBuildCall2(build->builder, LLVMFunctionType(type, parameters, count, 0), callee, arguments,
                          count, "");
}

LLVMValueRef build_fma(LlvmBuild *build, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z) {
    return build_intrinsic(build, "llvm.fma", (LLVMValueRef[]){x, y, z}, 3);
}

LLVMValueRef build_abs(LlvmBuild *build, LLVMValueRef x) {
    return build_intrinsic(build, "llvm.fabs", &x, 1);
}

LLVMValueRef build_sqrt(LlvmBuild *build, LLVMValueRef x) {
    return build_intrinsic(build, "llvm.sqrt", &x, 1);
}

LLVMValueRef build_trunc(LlvmBuild *build, LLVMValueRef x) {
    return build_intrinsic(build, "llvm.trunc", &x, 1);
}

LLVMValueRef build_copysign(LlvmBuild *build, LLVMValueRef x, LLVMValueRef sign) {
    return build_intrinsic(build, "llvm.copysign", (LLVMValueRef[]){x, sign}, 2);
}

/* Written as compare and select in this operand order because it is what one x86 min/max instruction does. */
LLVMValueRef build_at_most(LlvmBuild *build, LLVMValueRef x, double bound) {
    LLVMValueRef limit = build_real(x, bound);
    return build_select(build, build_compare(build, LLVMRealOLT, limit, x), limit, x);
}

LLVMValueRef build_at_least(LlvmBuild *build, LLVMValueRef x, double bound) {
    LLVMValueRef limit = build_real(x, bound);
    return build_select(build, build_compare(build, LLVMRealOGT, limit, x), limit, x);
}

LLVMValueRef build_compare(LlvmBuild *build, LLVMRealPredicate predicate, LLVMValueRef x, LLVMValueRef y) {
    return LLVMBuildFCmp(build->builder, predicate, x, y, "");
}

LLVMValueRef build_compare_real(LlvmBuild *build, LLVMRealPredicate predicate, LLVMValueRef x, double y) {
    return build_compare(build, predicate, x, build_real(x, y));
}

LLVMValueRef build_select(LlvmBuild *build, LLVMValueRef condition, LLVMValueRef then,
                          LLVMValueRef otherwise) {
    return LLVMBuildSelect(build->builder, condition, then, otherwise, "");
}

LLVMValueRef build_any(LlvmBuild *build, LLVMValueRef mask) {
    unsigned lanes = build_lanes(LLVMTypeOf(mask));
    if (!lanes)
        return mask;
    LLVMTypeRef word = LLVMIntTypeInContext(build->context, lanes);
    LLVMValueRef bits = LLVMBuildBitCast(build->builder, mask, word, "");
    return LLVMBuildICmp(build->builder, LLVMIntNE, bits, LLVMConstInt(word, 0, 0), "");
}

LLVMValueRef build_to_bits(LlvmBuild *build, LLVMValueRef x) {
    LLVMTypeRef type = LLVMTypeOf(x);
    LLVMTypeRef word = LLVMIntTypeInContext(build->context, build_is_f64(type) ? 64 : 32);
    return LLVMBuildBitCast(build->builder, x, build_type_like(word, type), "");
}

LLVMValueRef build_from_bits(LlvmBuild *build, LLVMValueRef bits) {
    LLVMTypeRef type = LLVMTypeOf(bits);
    bool is_f64 = LLVMGetIntTypeWidth(build_scalar_type(type)) == 64;
    LLVMTypeRef real =
        is_f64 ? LLVMDoubleTypeInContext(build->context) : LLVMFloatTypeInContext(build->context);
    return LLVMBuildBitCast(build->builder, bits, build_type_like(real, type), "");
}

LLVMValueRef build_and_mask(LlvmBuild *build, LLVMValueRef bits, uint64_t mask) {
    return LLVMBuildAnd(build->builder, bits, build_integer(bits, mask), "");
}

LLVMValueRef build_shift_left(LlvmBuild *build, LLVMValueRef bits, unsigned count) {
    return LLVMBuildShl(build->builder, bits, build_integer(bits, count), "");
}

LLVMValueRef build_shift_right(LlvmBuild *build, LLVMValueRef bits, unsigned count) {
    return LLVMBuildLShr(build->builder, bits, build_integer(bits, count), "");
}

LLVMValueRef build_polynomial(LlvmBuild *build, LLVMValueRef x, const double *coefficients, unsigned count) {
    LLVMValueRef sum = build_real(x, coefficients[count - 1]);
    for (unsigned i = count - 1; i-- > 0;)
        sum = build_fma(build, sum, x, build_real(x, coefficients[i]));
    return sum;
}

LLVMBasicBlockRef build_block(LlvmBuild *build, const char *name) {
    return LLVMAppendBasicBlockInContext(build->context, build->function, name);
}

void build_branch_unlikely(LlvmBuild *build, LLVMValueRef condition, LLVMBasicBlockRef then,
                           LLVMBasicBlockRef otherwise) {
    LLVMTypeRef i32 = LLVMInt32TypeInContext(build->context);
    LLVMValueRef branch = LLVMBuildCondBr(build->builder, condition, then, otherwise);
    LLVMMetadataRef weights[] = {
        LLVMMDStringInContext2(build->context, "branch_weights", strlen("branch_weights")),
        LLVMValueAsMetadata(LLVMConstInt(i32, UNLIKELY_WEIGHT, 0)),
        LLVMValueAsMetadata(LLVMConstInt(i32, LIKELY_WEIGHT, 0))};
    LLVMMetadataRef node = LLVMMDNodeInContext2(build->context, weights, 3);
    LLVMSetMetadata(branch, LLVMGetMDKindIDInContext(build->context, "prof", strlen("prof")),
                    LLVMMetadataAsValue(build->context, node));
}
