/* From IR to objects: one kernel, or one host function, is one LLVM module and one object. */
#ifndef GMX_CODEGEN_LLVM_COMPILE_H
#define GMX_CODEGEN_LLVM_COMPILE_H

#include "codegen/llvm/digest.h"
#include "codegen/llvm/host.h"
#include "codegen/llvm/target.h"
#include "ir/kernel.h"

enum { SYMBOL_SIZE = 48, COMPILE_WORKERS = 2, COMPILE_THREADS_FROM = 4 };

typedef struct CompileJob {
    const Kernel *kernel; /* or */
    const HostPlan *plan;
    Digest key;
    char symbol[SYMBOL_SIZE];
    LLVMMemoryBufferRef object; /* result; NULL: message says why not */
    char message[512];
} CompileJob;

/* Adds the job's functions to a module.  The symbol stays visible. */
bool compile_into(LlvmUnit *unit, CompileJob *job, LLVMValueRef fixed_table);
/* Optimises the module of a unit: `effort` 0…3. */
bool compile_optimize(LlvmUnit *unit, int effort);
/* Fills `object` of every job; several kernels at once are shared among threads.  The objects do not depend
 * on which thread made them. */
void compile_jobs(const LlvmTarget *target, TargetMachines machines[COMPILE_WORKERS], CompileJob *jobs,
                  uint32_t count);

/* Hash of a kernel's canonical text. */
Digest compile_kernel_key(const Kernel *kernel);

#endif
