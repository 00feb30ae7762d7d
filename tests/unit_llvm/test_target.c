/* LLVM kept in check: what it calls a fatal error is a message here, and the process goes on. */
#include "codegen/llvm/target.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* A function that calls an AVX-512 instruction by name, for a CPU without it: it cannot be selected. */
static void add_impossible(LlvmUnit *unit) {
    static const char name[] = "llvm.x86.avx512.mask.getexp.ps.512";
    unsigned id = LLVMLookupIntrinsicID(name, sizeof name - 1);
    LLVMValueRef intrinsic = LLVMGetIntrinsicDeclaration(unit->module, id, NULL, 0), arguments[8];
    LLVMTypeRef type = LLVMIntrinsicGetType(unit->context, id, NULL, 0), types[8];
    unsigned count = LLVMCountParamTypes(type);
    LLVMGetParamTypes(type, types);
    LLVMTypeRef empty = LLVMFunctionType(LLVMVoidTypeInContext(unit->context), NULL, 0, false);
    LLVMValueRef function = LLVMAddFunction(unit->module, "impossible", empty);
    LLVMBuilderRef builder = LLVMCreateBuilderInContext(unit->context);
    LLVMPositionBuilderAtEnd(builder, LLVMAppendBasicBlockInContext(unit->context, function, "entry"));
    for (unsigned i = 0; i < count; i++)
        arguments[i] = i + 1 < count ? LLVMConstNull(types[i]) : LLVMConstInt(types[i], 4, false);
    LLVMValueRef value = LLVMBuildCall2(builder, type, intrinsic, arguments, count, "");
    LLVMValueRef place = LLVMAddGlobal(unit->module, LLVMTypeOf(value), "place");
    LLVMBuildStore(builder, value, place);
    LLVMBuildRetVoid(builder);
    LLVMDisposeBuilder(builder);
}

static void add_possible(LlvmUnit *unit) {
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(unit->context), NULL, 0, false);
    LLVMValueRef function = LLVMAddFunction(unit->module, "possible", type);
    LLVMBuilderRef builder = LLVMCreateBuilderInContext(unit->context);
    LLVMPositionBuilderAtEnd(builder, LLVMAppendBasicBlockInContext(unit->context, function, "entry"));
    LLVMBuildRetVoid(builder);
    LLVMDisposeBuilder(builder);
}

Test(target, fatal_errors_are_messages) {
#ifdef __SANITIZE_ADDRESS__
    cr_skip("what LLVM held when it gave up is lost, which LeakSanitizer reports");
#endif
    LlvmTarget target;
    TargetMachines machines = {{NULL}};
    char *message = NULL;
    cr_assert(target_init(&target, "x86-64", 2, &message));
    for (int attempt = 0; attempt < 3; attempt++) {
        LlvmUnit unit;
        unit_begin(&unit, &target, &machines, "impossible");
        add_impossible(&unit);
        cr_assert(unit_verify(&unit), "%s", unit.message);
        cr_assert_null(unit_emit(&unit, 2, LLVMObjectFile));
        cr_assert(strlen(unit.message) > 0);
        unit_end(&unit);
        unit_begin(&unit, &target, &machines, "possible");
        add_possible(&unit);
        LLVMMemoryBufferRef object = unit_emit(&unit, 2, LLVMObjectFile);
        cr_assert(object, "%s", unit.message);
        LLVMDisposeMemoryBuffer(object);
        unit_end(&unit);
    }
    target_machines_dispose(&machines);
    target_dispose(&target);
}

Test(target, broken_modules_are_messages) {
    LlvmTarget target;
    LlvmUnit unit;
    char *message = NULL;
    cr_assert(target_init(&target, NULL, 2, &message));
    unit_begin(&unit, &target, NULL, "broken");
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(unit.context), NULL, 0, false);
    LLVMValueRef function = LLVMAddFunction(unit.module, "broken", type);
    LLVMAppendBasicBlockInContext(unit.context, function, "no_terminator");
    cr_assert_not(unit_verify(&unit));
    cr_assert(strlen(unit.message) > 0);
    unit_end(&unit);
    target_dispose(&target);
}
