/* One object per kernel and per host function: see compile.h. */
#include "codegen/llvm/compile.h"
#include "codegen/llvm/kernel.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

/* ---- keys -------------------------------------------------------------------------------------------- */
static void digest_writer(void *user, const char *text, size_t length) {
    digest_add(user, text, length);
}

Digest compile_kernel_key(const Kernel *kernel) {
    Digester digester;
    digest_begin(&digester);
    const IrWriter writer = {.write = digest_writer, .user = &digester};
    kernel_print(kernel, &writer);
    return digest_end(&digester);
}

/* ---- one module -------------------------------------------------------------------------------------- */
static void set_message(LlvmUnit *unit, const char *text) {
    if (!unit->message[0])
        snprintf(unit->message, sizeof unit->message, "%s", text ? text : "unknown error");
}

static bool emit_functions(LlvmUnit *unit, CompileJob *job, LLVMValueRef fixed_table, Arena *arena) {
    const char *message = NULL;
    bool emitted;
    if (job->kernel) {
        const LlvmBuild build = {.context = unit->context, .module = unit->module};
        const LlvmKernelOptions options = {.vector_bytes = unit->target->vector_bits / 8,
                                           .cpu = unit->target->cpu,
                                           .features = unit->target->features};
        emitted = llvm_emit_kernel(&build, job->kernel, job->symbol, &options, arena, &message);
    } else {
        emitted = host_emit(unit, job->plan, job->symbol, fixed_table, arena, &message) != NULL;
    }
    if (!emitted)
        set_message(unit, message);
    return emitted;
}

bool compile_into(LlvmUnit *unit, CompileJob *job, LLVMValueRef fixed_table) {
    ArenaGuard guard = {.fail_at = 0};
    Arena arena;
    arena_init(&arena, &guard);
    bool emitted = false;
    if (setjmp(guard.target) == 0)
        emitted = emit_functions(unit, job, fixed_table, &arena);
    else
        set_message(unit, "memory cannot be had");
    arena_free(&arena);
    return emitted;
}

typedef struct OptimizeWork {
    LlvmUnit *unit;
    LLVMTargetMachineRef machine;
    int effort;
    char *message;
    bool done;
} OptimizeWork;

static void optimize_work(void *user) {
    OptimizeWork *work = user;
    work->done = llvm_optimize_module(work->unit->module, work->machine, work->effort, &work->message);
}

bool compile_optimize(LlvmUnit *unit, int effort) {
    OptimizeWork work = {.unit = unit, .machine = unit_machine(unit, effort), .effort = effort};
    char reason[256] = "";
    if (!target_guarded(optimize_work, &work, reason, sizeof reason)) {
        set_message(unit, reason);
        unit->lost = true;
    }
    unit_machine_done(unit, effort, work.machine);
    if (!work.done)
        set_message(unit, work.message);
    LLVMDisposeMessage(work.message);
    return work.done;
}

/* Host functions without loops are run once per call: nothing is gained by working on them. */
static int effort_of(const LlvmTarget *target, const CompileJob *job) {
    return job->plan && !job->plan->has_loop ? 0 : target->optimization;
}

static void compile_job(const LlvmTarget *target, TargetMachines *machines, CompileJob *job) {
    LlvmUnit unit;
    unit_begin(&unit, target, machines, job->symbol);
    int effort = effort_of(target, job);
    if (compile_into(&unit, job, NULL) && unit_verify(&unit) && compile_optimize(&unit, effort))
        job->object = unit_emit(&unit, effort, LLVMObjectFile);
    if (!job->object)
        snprintf(job->message, sizeof job->message, "%s", unit.message[0] ? unit.message : "unknown error");
    unit_end(&unit);
}

/* ---- several at once --------------------------------------------------------------------------------- */
typedef struct JobQueue {
    const LlvmTarget *target;
    TargetMachines *machines;
    CompileJob *jobs;
    uint32_t count;
    atomic_uint next, workers;
} JobQueue;

static void *work_on_queue(void *user) {
    JobQueue *queue = user;
    TargetMachines *machines = &queue->machines[atomic_fetch_add(&queue->workers, 1)];
    for (uint32_t i; (i = atomic_fetch_add(&queue->next, 1)) < queue->count;)
        compile_job(queue->target, machines, &queue->jobs[i]);
    return NULL;
}

void compile_jobs(const LlvmTarget *target, TargetMachines machines[COMPILE_WORKERS], CompileJob *jobs,
                  uint32_t count) {
    JobQueue queue = {.target = target, .machines = machines, .jobs = jobs, .count = count};
    pthread_t helper;
    bool helped = count >= COMPILE_THREADS_FROM && pthread_create(&helper, NULL, work_on_queue, &queue) == 0;
    work_on_queue(&queue);
    if (helped)
        pthread_join(helper, NULL);
}
