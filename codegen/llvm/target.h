/* The machine that code is made for, and LLVM's habits kept in check: one target machine and one context per
 * compilation, diagnostics collected and never printed, fatal errors turned into messages. */
#ifndef GMX_CODEGEN_LLVM_TARGET_H
#define GMX_CODEGEN_LLVM_TARGET_H

#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>
#include <setjmp.h>
#include <stdbool.h>

typedef struct LlvmTarget {
    char *triple, *cpu, *features, *data_layout; /* malloc'ed */
    LLVMTargetRef target;
    unsigned vector_bits; /* of the widest register that vector code should use: 512, 256 or 128 */
    int optimization;     /* 0…3 */
    bool is_host;
} LlvmTarget;

/* cpu: NULL or "native", or a name of target_cpus.  false after *message (malloc'ed) was set. */
bool target_init(LlvmTarget *target, const char *cpu, int optimization, char **message);
void target_dispose(LlvmTarget *target);
/* `level` is the effort of instruction selection, 0…3; `for_jit` allows code near the runtime only. */
LLVMTargetMachineRef target_machine(const LlvmTarget *target, int level, bool for_jit);

/* Target machines kept from one compilation to the next of one thread: making one costs as much as compiling
 * a small function. */
typedef struct TargetMachines {
    LLVMTargetMachineRef by_level[4]; /* for the JIT; NULL: not made yet */
} TargetMachines;
void target_machines_dispose(TargetMachines *machines);

/* Sets target-cpu, target-features, prefer-vector-width and nounwind on a function. */
void target_attributes(const LlvmTarget *target, LLVMValueRef function);

/* One compilation: a context whose diagnostics land in `message`, and a module for the target. */
typedef struct LlvmUnit {
    const LlvmTarget *target;
    TargetMachines *machines; /* code is for the JIT and machines come from here; NULL: for a file */
    LLVMContextRef context;
    LLVMModuleRef module;
    char message[512]; /* the first error */
    bool lost;         /* LLVM gave up inside: its objects cannot be disposed of */
} LlvmUnit;

void unit_begin(LlvmUnit *unit, const LlvmTarget *target, TargetMachines *machines, const char *name);
void unit_end(LlvmUnit *unit);
bool unit_verify(LlvmUnit *unit); /* false: message says why */
/* The object or assembly text of the module; NULL: message says why. */
LLVMMemoryBufferRef unit_emit(LlvmUnit *unit, int level, LLVMCodeGenFileType type);
/* A machine for the unit, and giving it back.  A unit that is lost takes its machine along. */
LLVMTargetMachineRef unit_machine(LlvmUnit *unit, int level);
void unit_machine_done(LlvmUnit *unit, int level, LLVMTargetMachineRef machine);

/* Runs work(user) so that a fatal error inside LLVM ends the work and not the process: false, and *message
 * (of `size` bytes) says why.  What LLVM held at that point is lost. */
bool target_guarded(void (*work)(void *user), void *user, char *message, size_t size);

/* A malloc'ed printf; never NULL unless memory is gone. */
char *llvm_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
