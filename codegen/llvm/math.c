/* Which emitter stands behind a row of math.def, and the fallback that calls
 * libm for each lane.  The emitters are in math_exp.c, math_hyperbolic.c,
 * math_log.c, math_pow.c, math_trig.c, math_inverse_trig.c, math_erf.c
 * and math_wide.c. */
#include "codegen/llvm/math.h"
#include "codegen/llvm/math_parts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

const MathInfo *llvm_math_info(MathFunction function) {
    static const MathInfo infos[] = {
#define MATH(name, arity, ulp_f32, ulp_f64, f32, f64) {#name, arity, ulp_f32, ulp_f64},
#include "codegen/llvm/math.def"
    };
    assert(function < MATH_COUNT);
    return &infos[function];
}

const FloatFormat *math_format(LLVMValueRef x) {
    static const FloatFormat f32 = {32, 23, 0x3f800000, 0x7f800000, 0x1.8p23, 0x1p-126, 0x1p-25};
    static const FloatFormat f64 = {64,        52,     0x3ff0000000000000, 0x7ff0000000000000, 0x1.8p52,
                                    0x1p-1022, 0x1p-54};
    return build_is_f64(LLVMTypeOf(x)) ? &f64 : &f32;
}

/* The declaration of a libm function of `count` scalars, reused when the module has it. */
static LLVMValueRef libm_function(LlvmBuild *build, const char *name, LLVMTypeRef real, unsigned count,
                                  LLVMTypeRef *type) {
    enum { MAX_NAME = 16 };
    char symbol[MAX_NAME];
    snprintf(symbol, sizeof symbol, "%s%s", name, build_is_f64(real) ? "" : "f");
    *type = LLVMFunctionType(real, (LLVMTypeRef[]){real, real}, count, 0);
    LLVMValueRef function = LLVMGetNamedFunction(build->module, symbol);
    if (function)
        return function;
    function = LLVMAddFunction(build->module, symbol, *type);
    /* errno does not count, so that the rest of a kernel is optimised as if nothing were called:
     * memory(none). */
    static const char *const attributes[] = {"nounwind", "willreturn", "nofree", "memory"};
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        unsigned kind = LLVMGetEnumAttributeKindForName(attributes[i], strlen(attributes[i]));
        LLVMAddAttributeAtIndex(function, LLVMAttributeFunctionIndex,
                                LLVMCreateEnumAttribute(build->context, kind, 0));
    }
    return function;
}

/* One libm call for lane `lane` of x and y (for all of them when they are scalars: lane NULL). */
static LLVMValueRef libm_call(LlvmBuild *build, const char *name, LLVMValueRef lane, LLVMValueRef x,
                              LLVMValueRef y_or_null) {
    LLVMValueRef arguments[2] = {x, y_or_null};
    unsigned count = y_or_null ? 2 : 1;
    for (unsigned i = 0; lane && i < count; i++)
        arguments[i] = LLVMBuildExtractElement(build->builder, arguments[i], lane, "");
    LLVMTypeRef type;
    LLVMValueRef function = libm_function(build, name, build_scalar_type(LLVMTypeOf(x)), count, &type);
    return LLVMBuildCall2(build->builder, type, function, arguments, count, "");
}

/* A loop over the lanes, so that the code does not grow with their number. */
LLVMValueRef math_libm(LlvmBuild *build, const char *name, LLVMValueRef mask, LLVMValueRef otherwise,
                       LLVMValueRef x, LLVMValueRef y_or_null) {
    LLVMTypeRef type = LLVMTypeOf(x), i32 = LLVMInt32TypeInContext(build->context);
    unsigned lanes = build_lanes(type);
    if (!lanes)
        return libm_call(build, name, NULL, x, y_or_null);
    LLVMBuilderRef b = build->builder;
    LLVMBasicBlockRef entry = LLVMGetInsertBlock(b), head = build_block(build, "lane");
    LLVMBasicBlockRef call = build_block(build, "lane.call"), next = build_block(build, "lane.next");
    LLVMBasicBlockRef done = build_block(build, "lane.done");
    LLVMBuildBr(b, head);

    LLVMPositionBuilderAtEnd(b, head);
    LLVMValueRef lane = LLVMBuildPhi(b, i32, ""), result = LLVMBuildPhi(b, type, "");
    if (mask)
        LLVMBuildCondBr(b, LLVMBuildExtractElement(b, mask, lane, ""), call, next);
    else
        LLVMBuildBr(b, call);

    LLVMPositionBuilderAtEnd(b, call);
    LLVMValueRef value = libm_call(build, name, lane, x, y_or_null);
    LLVMValueRef inserted = LLVMBuildInsertElement(b, result, value, lane, "");
    LLVMBuildBr(b, next);

    LLVMPositionBuilderAtEnd(b, next);
    LLVMValueRef merged = inserted;
    if (mask) {
        merged = LLVMBuildPhi(b, type, "");
        LLVMAddIncoming(merged, (LLVMValueRef[]){inserted, result}, (LLVMBasicBlockRef[]){call, head}, 2);
    }
    LLVMValueRef following = LLVMBuildAdd(b, lane, LLVMConstInt(i32, 1, 0), "");
    LLVMValueRef more = LLVMBuildICmp(b, LLVMIntULT, following, LLVMConstInt(i32, lanes, 0), "");
    LLVMBuildCondBr(b, more, head, done);

    LLVMBasicBlockRef from[] = {entry, next};
    LLVMAddIncoming(lane, (LLVMValueRef[]){LLVMConstInt(i32, 0, 0), following}, from, 2);
    LLVMAddIncoming(result, (LLVMValueRef[]){otherwise, merged}, from, 2);
    LLVMPositionBuilderAtEnd(b, done);
    return merged;
}

#define CALL_1(name)             math_##name(build, x)
#define CALL_2(name)             math_##name(build, x, y)
#define EMIT_INLINE(name, arity) CALL_##arity(name)
#define EMIT_LIBM(name, arity)   math_libm(build, #name, NULL, x, x, y)

LLVMValueRef llvm_math(LlvmBuild *build, MathFunction function, LLVMValueRef x, LLVMValueRef y_or_null) {
    bool is_f64 = build_is_f64(LLVMTypeOf(x));
    LLVMValueRef y = llvm_math_info(function)->arity == 2 ? y_or_null : NULL;
    (void)y;
    switch (function) {
#define MATH(name, arity, ulp_f32, ulp_f64, f32, f64)                                                        \
    case MATH_##name:                                                                                        \
        return is_f64 ? EMIT_##f64(name, arity) : EMIT_##f32(name, arity);
#include "codegen/llvm/math.def"
    case MATH_COUNT:
        break;
    }
    assert(!"no such function");
    return x;
}
