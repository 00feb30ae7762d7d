/* Runs kernels given as text: parses, verifies, compiles in process, and calls them with stand-ins for the
 * runtime that count what happened. */
#ifndef GMX_TESTS_KERNEL_RUNNER_H
#define GMX_TESTS_KERNEL_RUNNER_H

#include "codegen/llvm/kernel.h"
#include "runtime/rt/gmxrt.h"

typedef int32_t (*CompiledKernel)(gmxrt_ctx *ctx, const int64_t *arguments);

typedef struct KernelRunner {
    Arena arena;
    Interner names;
    DiagSink sink;
    void *jit;
    CompiledKernel run;
    const char *message;    /* what went wrong while compiling, or NULL */
    char *assembly;         /* when asked for */
    double milliseconds[3]; /* emission, passes, code */
} KernelRunner;

typedef struct RunnerOptions {
    unsigned vector_bytes; /* 0: 64 */
    const char *cpu;       /* NULL: this machine's */
    int level;             /* 0: the default list */
    bool wants_assembly;
    int chunks; /* parallel loops are cut into this many calls; 0: one */
} RunnerOptions;

/* True when `runner->run` can be called. */
bool runner_open_text(KernelRunner *runner, const char *text, RunnerOptions options);
bool runner_open_file(KernelRunner *runner, const char *path, RunnerOptions options);
bool runner_open_kernel(KernelRunner *runner, const Kernel *kernel, RunnerOptions options);
void runner_close(KernelRunner *runner);

/* The stand-in context: errors, and buffers that are alive. */
typedef struct RunnerContext {
    gmxrt_ctx ctx;
    int live_buffers, fail_buffers; /* fail_buffers: that allocations fail */
    int64_t last_grain, calls;
    int chunks;
    bool only_first_chunk; /* the others are left out */
} RunnerContext;

/* Calls with pointers and scalars already in `arguments`. */
int32_t runner_call(KernelRunner *runner, RunnerContext *context, const int64_t *arguments);
static inline int64_t address(const void *pointer) {
    return (int64_t)(intptr_t)pointer;
}

#endif
