/* The in-process compiler of kernel tests; see kernel_runner.h. */
#include "tests/unit_llvm/kernel_runner.h"
#include <llvm-c/Analysis.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Target.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- the runtime's stand-ins -------------------------------------------------------------------- */

static int32_t parallel_for(gmxrt_ctx *ctx, gmxrt_body body, void *arguments, int64_t count, int64_t grain) {
    RunnerContext *context = (RunnerContext *)ctx;
    int64_t pieces = context->chunks > 0 ? context->chunks : 1;
    context->last_grain = grain;
    for (int64_t piece = pieces; piece-- > 0;) { /* later pieces first: order must not matter */
        int64_t begin = count * piece / pieces, end = count * (piece + 1) / pieces;
        if (begin < end && !(piece && context->only_first_chunk))
            body(arguments, begin, end), context->calls++;
    }
    return 0;
}

static int32_t fail_message(gmxrt_ctx *ctx, int32_t code, const char *message, uint64_t span) {
    if (!ctx->error.code) {
        ctx->error.code = code;
        ctx->error.span = span;
        snprintf(ctx->error.message, sizeof ctx->error.message, "%s", message);
    }
    return 1;
}

static gmxrt_buffer *buffer_new(gmxrt_ctx *ctx, int64_t bytes, uint64_t span) {
    RunnerContext *context = (RunnerContext *)ctx;
    if (bytes < 0 || context->fail_buffers) {
        fail_message(ctx, DIAG_E0306, "no memory", span);
        return NULL;
    }
    gmxrt_buffer *buffer = calloc(1, sizeof *buffer);
    buffer->data = malloc(bytes ? (size_t)bytes : 1); /* the sanitizer sees overruns */
    context->live_buffers++;
    buffer->owner = context;
    return buffer;
}

static void buffer_release(gmxrt_buffer *buffer) {
    if (!buffer)
        return;
    ((RunnerContext *)buffer->owner)->live_buffers--;
    free(buffer->data);
    free(buffer);
}

/* ---- compiling ---------------------------------------------------------------------------------- */

/* Processor time: other work on the machine does not count. */
static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

static LLVMTargetMachineRef machine_new(const char *named_cpu) {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    char *triple = LLVMGetDefaultTargetTriple(), *cpu = LLVMGetHostCPUName(),
         *features = LLVMGetHostCPUFeatures(), *error = NULL;
    LLVMTargetRef target;
    LLVMGetTargetFromTriple(triple, &target, &error);
    LLVMTargetMachineRef machine =
        LLVMCreateTargetMachine(target, triple, named_cpu ? named_cpu : cpu, named_cpu ? "" : features,
                                LLVMCodeGenLevelLess, LLVMRelocPIC, LLVMCodeModelJITDefault);
    LLVMDisposeMessage(triple);
    LLVMDisposeMessage(cpu);
    LLVMDisposeMessage(features);
    return machine;
}

static void define(LLVMOrcLLJITRef jit, const char *name, void *function) {
    LLVMOrcCSymbolMapPair pair = {
        LLVMOrcLLJITMangleAndIntern(jit, name),
        {(LLVMOrcJITTargetAddress)(uintptr_t)function,
         {LLVMJITSymbolGenericFlagsExported | LLVMJITSymbolGenericFlagsCallable, 0}}};
    LLVMOrcJITDylibDefine(LLVMOrcLLJITGetMainJITDylib(jit), LLVMOrcAbsoluteSymbols(&pair, 1));
}

static bool failed(KernelRunner *runner, LLVMErrorRef error) {
    if (!error)
        return false;
    char *text = LLVMGetErrorMessage(error);
    runner->message = arena_copy_text(&runner->arena, text, strlen(text));
    LLVMDisposeErrorMessage(text);
    return true;
}

static void link_object(KernelRunner *runner, LLVMMemoryBufferRef object) {
    LLVMOrcLLJITRef jit;
    LLVMOrcExecutorAddress at = 0;
    if (failed(runner, LLVMOrcCreateLLJIT(&jit, NULL)))
        return;
    runner->jit = jit;
    define(jit, "gmxrt_parallel_for", (void *)parallel_for);
    define(jit, "gmxrt_fail_message", (void *)fail_message);
    define(jit, "gmxrt_buffer_new", (void *)buffer_new);
    define(jit, "gmxrt_buffer_release", (void *)buffer_release);
    LLVMOrcDefinitionGeneratorRef generator;
    if (failed(runner, LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(&generator, 0, NULL, NULL)))
        return;
    LLVMOrcJITDylibAddGenerator(LLVMOrcLLJITGetMainJITDylib(jit), generator);
    if (failed(runner, LLVMOrcLLJITAddObjectFile(jit, LLVMOrcLLJITGetMainJITDylib(jit), object)) ||
        failed(runner, LLVMOrcLLJITLookup(jit, &at, "kernel")))
        return;
    runner->run = (CompiledKernel)(uintptr_t)at;
}

static void compile_module(KernelRunner *runner, LLVMModuleRef module, RunnerOptions options) {
    LLVMTargetMachineRef machine = machine_new(options.cpu);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    LLVMSetModuleDataLayout(module, layout);
    LLVMDisposeTargetData(layout);
    char *message = NULL;
    LLVMMemoryBufferRef object = NULL;
    if (LLVMVerifyModule(module, LLVMReturnStatusAction, &message)) {
        runner->message = arena_format(&runner->arena, "invalid LLVM IR: %s", message);
        LLVMDisposeMessage(message);
        LLVMDisposeTargetMachine(machine);
        return;
    }
    LLVMDisposeMessage(message);
    double start = now();
    if (!llvm_optimize_module(module, machine, options.level ? options.level : 1, &message))
        runner->message = message;
    double optimized = now();
    runner->milliseconds[1] = optimized - start;
    if (options.wants_assembly) {
        LLVMMemoryBufferRef text;
        LLVMTargetMachineEmitToMemoryBuffer(machine, module, LLVMAssemblyFile, &message, &text);
        runner->assembly = arena_copy_text(&runner->arena, LLVMGetBufferStart(text), LLVMGetBufferSize(text));
        LLVMDisposeMemoryBuffer(text);
    }
    start = now();
    LLVMTargetMachineEmitToMemoryBuffer(machine, module, LLVMObjectFile, &message, &object);
    runner->milliseconds[2] = now() - start;
    LLVMDisposeTargetMachine(machine);
    link_object(runner, object);
}

static void compile(KernelRunner *runner, const Kernel *kernel, RunnerOptions options) {
    if (!kernel_verify(kernel, &runner->arena, &runner->message))
        return;
    LlvmBuild build = {.context = LLVMContextCreate()};
    build.module = LLVMModuleCreateWithNameInContext("kernel", build.context);
    LlvmKernelOptions emission = {.vector_bytes = options.vector_bytes ? options.vector_bytes : 64};
    double start = now();
    bool is_done = llvm_emit_kernel(&build, kernel, "kernel", &emission, &runner->arena, &runner->message);
    runner->milliseconds[0] = now() - start;
    if (is_done)
        compile_module(runner, build.module, options);
    LLVMDisposeModule(build.module);
    LLVMContextDispose(build.context);
}

static void runner_init(KernelRunner *runner) {
    memset(runner, 0, sizeof *runner);
    arena_init(&runner->arena, NULL);
    interner_init(&runner->names, &runner->arena);
    diag_init(&runner->sink, &runner->arena);
}

bool runner_open_kernel(KernelRunner *runner, const Kernel *kernel, RunnerOptions options) {
    runner_init(runner);
    compile(runner, kernel, options);
    return runner->run != NULL;
}

bool runner_open_text(KernelRunner *runner, const char *text, RunnerOptions options) {
    runner_init(runner);
    Kernel *kernel = kernel_parse(&runner->arena, &runner->names, &runner->sink, text, strlen(text), 0);
    if (kernel)
        compile(runner, kernel, options);
    else
        runner->message = arena_format(&runner->arena, "%s at %u", runner->sink.diags.items[0]->message,
                                       runner->sink.diags.items[0]->span.begin);
    return runner->run != NULL;
}

bool runner_open_file(KernelRunner *runner, const char *path, RunnerOptions options) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        runner_init(runner);
        runner->message = "the file cannot be opened";
        return false;
    }
    static const size_t most = 1 << 16;
    char *text = calloc(most + 1, 1);
    size_t length = fread(text, 1, most, file);
    text[length] = 0;
    fclose(file);
    bool is_open = runner_open_text(runner, text, options);
    free(text);
    return is_open;
}

void runner_close(KernelRunner *runner) {
    if (runner->jit)
        LLVMConsumeError(LLVMOrcDisposeLLJIT(runner->jit));
    arena_free(&runner->arena);
}

int32_t runner_call(KernelRunner *runner, RunnerContext *context, const int64_t *arguments) {
    return runner->run(&context->ctx, arguments);
}
