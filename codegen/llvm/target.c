/* Target machines, contexts and the handlers that keep LLVM from printing or ending the process. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "codegen/llvm/target.h"
#include <llvm-c/Analysis.h>
#include <llvm-c/ErrorHandling.h>
#include <llvm-c/Target.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* LLVM reports an unknown CPU on stderr only, so the names are ours. */
static const char *const target_cpus[] = {
    "x86-64",     "x86-64-v2",      "x86-64-v3",      "x86-64-v4",      "haswell",
    "broadwell",  "skylake",        "znver1",         "skylake-avx512", "cascadelake",
    "cooperlake", "icelake-client", "icelake-server", "znver2",         "znver3",
    "znver4",     "alderlake",      "sapphirerapids", "graniterapids",  NULL};

char *llvm_format(const char *format, ...) {
    va_list list;
    va_start(list, format);
    char *text = NULL;
    if (vasprintf(&text, format, list) < 0)
        text = NULL;
    va_end(list);
    return text;
}

/* ---- fatal errors ---------------------------------------------------------------------------------- */
typedef struct FatalGuard {
    jmp_buf target;
    char *message;
    size_t size;
} FatalGuard;
static _Thread_local FatalGuard *fatal_guard; /* LLVM's handler has no argument of ours */

static void on_fatal_error(const char *reason) {
    FatalGuard *guard = fatal_guard;
    if (!guard)
        return; /* not our call: LLVM goes on as without a handler */
    snprintf(guard->message, guard->size, "%s", reason ? reason : "fatal error");
    longjmp(guard->target, 1);
}

bool target_guarded(void (*work)(void *user), void *user, char *message, size_t size) {
    FatalGuard guard = {.message = message, .size = size}, *outer = fatal_guard;
    if (setjmp(guard.target)) {
        fatal_guard = outer;
        return false;
    }
    fatal_guard = &guard;
    work(user);
    fatal_guard = outer;
    return true;
}

static pthread_once_t initialized = PTHREAD_ONCE_INIT;
static void initialize(void) {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInstallFatalErrorHandler(on_fatal_error);
}

/* ---- targets --------------------------------------------------------------------------------------- */
static bool known_cpu(const char *cpu) {
    for (int i = 0; target_cpus[i]; i++)
        if (strcmp(target_cpus[i], cpu) == 0)
            return true;
    return false;
}

static unsigned widest_vector(const LlvmTarget *target) {
    static const char *const wide[] = {"x86-64-v4",  "skylake-avx512", "cascadelake",
                                       "cooperlake", "icelake-client", "icelake-server",
                                       "znver4",     "sapphirerapids", "graniterapids"};
    if (target->is_host)
        return strstr(target->features, "+avx512vl") ? 512 : strstr(target->features, "+avx2") ? 256 : 128;
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (strcmp(wide[i], target->cpu) == 0)
            return 512;
    return strncmp(target->cpu, "x86-64", 6) == 0 && strcmp(target->cpu, "x86-64-v3") != 0 ? 128 : 256;
}

static char *take_message(char *text) {
    char *copy = strdup(text ? text : "");
    LLVMDisposeMessage(text);
    return copy;
}

bool target_init(LlvmTarget *target, const char *cpu, int optimization, char **message) {
    pthread_once(&initialized, initialize);
    *target = (LlvmTarget){.optimization = optimization < 0 ? 0 : optimization > 3 ? 3 : optimization};
    target->is_host = !cpu || strcmp(cpu, "native") == 0;
    if (!target->is_host && !known_cpu(cpu)) {
        *message = llvm_format("`%s` is not a CPU that code can be made for (native, x86-64-v3, x86-64-v4, "
                               "haswell, skylake-avx512, znver4, ...)",
                               cpu);
        return false;
    }
    target->triple = take_message(LLVMGetDefaultTargetTriple());
    target->cpu = target->is_host ? take_message(LLVMGetHostCPUName()) : strdup(cpu);
    target->features = target->is_host ? take_message(LLVMGetHostCPUFeatures()) : strdup("");
    char *error = NULL;
    LLVMTargetMachineRef machine = NULL;
    if (target->triple && target->cpu && target->features &&
        !LLVMGetTargetFromTriple(target->triple, &target->target, &error))
        machine = target_machine(target, 2, false);
    if (!machine) {
        *message =
            llvm_format("LLVM has no code generator for this machine: %s", error ? error : "no memory");
        LLVMDisposeMessage(error);
        target_dispose(target);
        return false;
    }
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    target->data_layout = take_message(LLVMCopyStringRepOfTargetData(layout));
    LLVMDisposeTargetData(layout);
    LLVMDisposeTargetMachine(machine);
    target->vector_bits = widest_vector(target);
    return true;
}

void target_dispose(LlvmTarget *target) {
    free(target->triple);
    free(target->cpu);
    free(target->features);
    free(target->data_layout);
    *target = (LlvmTarget){0};
}

LLVMTargetMachineRef target_machine(const LlvmTarget *target, int level, bool for_jit) {
    static const LLVMCodeGenOptLevel levels[] = {LLVMCodeGenLevelNone, LLVMCodeGenLevelLess,
                                                 LLVMCodeGenLevelDefault, LLVMCodeGenLevelAggressive};
    return LLVMCreateTargetMachine(target->target, target->triple, target->cpu, target->features,
                                   levels[level], LLVMRelocPIC,
                                   for_jit ? LLVMCodeModelJITDefault : LLVMCodeModelDefault);
}

static void add_text_attribute(LLVMValueRef function, const char *key, const char *value) {
    LLVMContextRef context = LLVMGetModuleContext(LLVMGetGlobalParent(function));
    LLVMAddAttributeAtIndex(
        function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
        LLVMCreateStringAttribute(context, key, (unsigned)strlen(key), value, (unsigned)strlen(value)));
}

void target_attributes(const LlvmTarget *target, LLVMValueRef function) {
    LLVMContextRef context = LLVMGetModuleContext(LLVMGetGlobalParent(function));
    add_text_attribute(function, "target-cpu", target->cpu);
    if (*target->features)
        add_text_attribute(function, "target-features", target->features);
    char width[16];
    snprintf(width, sizeof width, "%u", target->vector_bits);
    add_text_attribute(function, "prefer-vector-width", width);
    unsigned nounwind = LLVMGetEnumAttributeKindForName("nounwind", 8);
    LLVMAddAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(context, nounwind, 0));
}

/* ---- one compilation ------------------------------------------------------------------------------- */
static void unit_fail(LlvmUnit *unit, const char *text) {
    if (!unit->message[0])
        snprintf(unit->message, sizeof unit->message, "%s", text ? text : "unknown error");
}

static void on_diagnostic(LLVMDiagnosticInfoRef info, void *user) {
    LlvmUnit *unit = user;
    if (LLVMGetDiagInfoSeverity(info) != LLVMDSError)
        return;
    char *text = LLVMGetDiagInfoDescription(info);
    unit_fail(unit, text);
    LLVMDisposeMessage(text);
}

void unit_begin(LlvmUnit *unit, const LlvmTarget *target, TargetMachines *machines, const char *name) {
    *unit = (LlvmUnit){.target = target, .machines = machines, .context = LLVMContextCreate()};
    LLVMContextSetDiagnosticHandler(unit->context, on_diagnostic, unit);
    unit->module = LLVMModuleCreateWithNameInContext(name, unit->context);
    LLVMSetTarget(unit->module, target->triple);
    LLVMSetDataLayout(unit->module, target->data_layout);
}

void unit_end(LlvmUnit *unit) {
    if (unit->lost)
        return;
    LLVMDisposeModule(unit->module);
    LLVMContextDispose(unit->context);
}

bool unit_verify(LlvmUnit *unit) {
    char *text = NULL;
    bool broken = LLVMVerifyModule(unit->module, LLVMReturnStatusAction, &text);
    if (broken)
        unit_fail(unit, text);
    LLVMDisposeMessage(text);
    return !broken;
}

void target_machines_dispose(TargetMachines *machines) {
    for (int i = 0; i < 4; i++)
        if (machines->by_level[i])
            LLVMDisposeTargetMachine(machines->by_level[i]);
    *machines = (TargetMachines){{NULL}};
}

LLVMTargetMachineRef unit_machine(LlvmUnit *unit, int level) {
    if (!unit->machines)
        return target_machine(unit->target, level, false);
    LLVMTargetMachineRef *kept = &unit->machines->by_level[level];
    if (!*kept)
        *kept = target_machine(unit->target, level, true);
    return *kept;
}

void unit_machine_done(LlvmUnit *unit, int level, LLVMTargetMachineRef machine) {
    if (unit->machines && unit->lost)
        unit->machines->by_level[level] = NULL;
    else if (!unit->machines && !unit->lost)
        LLVMDisposeTargetMachine(machine);
}

typedef struct EmitWork {
    LlvmUnit *unit;
    LLVMTargetMachineRef machine;
    LLVMCodeGenFileType type;
    LLVMMemoryBufferRef buffer;
} EmitWork;

static void emit_work(void *user) {
    EmitWork *work = user;
    char *text = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(work->machine, work->unit->module, work->type, &text,
                                            &work->buffer)) {
        unit_fail(work->unit, text);
        work->buffer = NULL;
    }
    LLVMDisposeMessage(text);
}

LLVMMemoryBufferRef unit_emit(LlvmUnit *unit, int level, LLVMCodeGenFileType type) {
    EmitWork work = {.unit = unit, .machine = unit_machine(unit, level), .type = type};
    char reason[512] = "";
    if (!target_guarded(emit_work, &work, reason, sizeof reason)) {
        unit_fail(unit, reason);
        unit->lost = true;
        work.buffer = NULL;
    }
    unit_machine_done(unit, level, work.machine);
    if (work.buffer && unit->message[0]) {
        LLVMDisposeMemoryBuffer(work.buffer);
        work.buffer = NULL;
    }
    return work.buffer;
}
