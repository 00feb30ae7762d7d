/* Kernels to LLVM IR.
 *
 * A kernel becomes one function
 *
 *     int32_t NAME(gmxrt_ctx *ctx, const int64_t *arguments)
 *
 * arguments[k] holds parameter k: the data pointer of a buffer, or the value of a scalar (integers sign- or
 * zero-extended, floats by their bits in the low end).  It returns 0, or nonzero after ctx->error was set
 * (scratch memory, integer division by zero, a negative power of integers) with span 0: equal kernels share
 * their code, so the caller knows the place and fills it in.
 *
 * Each for.parallel is outlined into a function over iteration numbers that gmxrt_parallel_for runs; the rest
 * runs once.  Vector loops become explicit vector code: whole vectors, then one masked iteration with the
 * same operations, so no vectoriser is needed and a lane's bits do not depend on the extent. */
#ifndef GMX_CODEGEN_LLVM_KERNEL_H
#define GMX_CODEGEN_LLVM_KERNEL_H

#include "codegen/llvm/build.h"
#include "ir/kernel.h"
#include <llvm-c/TargetMachine.h>

typedef struct LlvmKernelOptions {
    unsigned vector_bytes; /* 64, 32 or 16 */
    const char *cpu;       /* function attributes; NULL: what the target machine says */
    const char *features;
} LlvmKernelOptions;

/* Adds the functions of a verified kernel to build->module (only context and module of `build` are read).
 * False after *message was set (arena text): a kernel that breaks a rule of ir/kernel.h. */
bool llvm_emit_kernel(const LlvmBuild *build, const Kernel *kernel, const char *symbol,
                      const LlvmKernelOptions *options, Arena *arena, const char **message);

/* The passes that kernels and host functions want (vectorisation is explicit already): level 0 none, 1 and 2
 * the short list, 3 with instruction combining (twice the time; it rarely pays).  The data layout must be
 * set.  False after *message was set (LLVMDisposeMessage). */
bool llvm_optimize_module(LLVMModuleRef module, LLVMTargetMachineRef machine, int level, char **message);

#endif
