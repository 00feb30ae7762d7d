/* Parallel loops: the body becomes a function over iteration numbers that gmxrt_parallel_for runs.
 *
 * What the body needs from outside travels in a structure on the stack: the context, the arguments, where to
 * report a failure, and the outer variables and allocations that it uses.  A balanced loop runs over chunks
 * of a fixed amount of work (rows + nonzeros), so the partition depends on the matrix alone. */
#include "codegen/llvm/kernel_emit.h"
#include <stdio.h>

enum { BALANCED_WORK = 8192 }; /* rows + nonzeros of a chunk */

typedef struct Capture {
    VEC(LLVMValueRef) values; /* in the enclosing function */
    LLVMTypeRef type;
    LLVMValueRef memory; /* in the body: the structure */
} Capture;

/* Members 0, 1, 2, ... of the structure are read back in the order they were added. */
static void add(Emit *e, Capture *capture, LLVMValueRef value) {
    vec_push(e->arena, &capture->values, value);
}

static void add_outer(Emit *e, Capture *capture, const bool *used) {
    for (uint32_t id = 0; id < e->kernel->next_id; id++) {
        const Binding *binding = &e->variables[id];
        if (e->arrays[id].stream)
            add(e, capture, emit_read_mask(e, &e->arrays[id]));
        if (used[id] && (binding->slot || binding->value))
            add(e, capture, emit_value(e, binding));
        if (used[id] && e->arrays[id].pointer) {
            add(e, capture, e->arrays[id].pointer);
            for (int k = 0; k < 4 && e->arrays[id].extents[k]; k++)
                add(e, capture, e->arrays[id].extents[k]);
        }
    }
}

static LLVMValueRef pack(Emit *e, Capture *capture) {
    LLVMBuilderRef b = e->build.builder;
    LLVMTypeRef *types = ARENA_ARRAY(e->arena, LLVMTypeRef, capture->values.count);
    for (uint32_t i = 0; i < capture->values.count; i++)
        types[i] = LLVMTypeOf(capture->values.items[i]);
    capture->type = LLVMStructTypeInContext(e->build.context, types, capture->values.count, 0);
    LLVMValueRef memory = emit_alloca(e, capture->type);
    for (uint32_t i = 0; i < capture->values.count; i++)
        LLVMBuildStore(b, capture->values.items[i], LLVMBuildStructGEP2(b, capture->type, memory, i, ""));
    return memory;
}

static LLVMValueRef take(Emit *body, Capture *capture, uint32_t *next) {
    LLVMBuilderRef b = body->build.builder;
    uint32_t index = (*next)++;
    LLVMValueRef place = LLVMBuildStructGEP2(b, capture->type, capture->memory, index, "");
    return LLVMBuildLoad2(b, LLVMTypeOf(capture->values.items[index]), place, "");
}

static void take_outer(Emit *body, const Emit *outer, Capture *capture, const bool *used, uint32_t *next) {
    for (uint32_t id = 0; id < outer->kernel->next_id; id++) {
        const Binding *binding = &outer->variables[id];
        if (outer->arrays[id].stream)
            emit_stream_mask(body, &body->arrays[id], take(body, capture, next));
        if (used[id] && (binding->slot || binding->value))
            body->variables[id] = (Binding){.value = take(body, capture, next)};
        if (used[id] && outer->arrays[id].pointer) {
            body->arrays[id].pointer = take(body, capture, next);
            for (int k = 0; k < 4 && outer->arrays[id].extents[k]; k++) {
                LLVMValueRef extent = outer->arrays[id].extents[k], taken = take(body, capture, next);
                body->arrays[id].extents[k] = LLVMIsConstant(extent) ? extent : taken;
            }
        }
    }
}

/* ---- balance ------------------------------------------------------------------------------------ */

static LLVMValueRef row_start(Emit *e, const KernelArray *indptr, LLVMValueRef row) {
    return llvm_scalar_cast(&e->build, emit_load_at(e, indptr, row), indptr->dtype, DTYPE_i64);
}

/* Rows and nonzeros before `row`. */
static LLVMValueRef work_before(Emit *e, const KernelArray *indptr, LLVMValueRef begin, LLVMValueRef row) {
    LLVMBuilderRef b = e->build.builder;
    LLVMValueRef entries = LLVMBuildNSWSub(b, row_start(e, indptr, row), row_start(e, indptr, begin), "");
    return emit_add(e, entries, LLVMBuildNSWSub(b, row, begin, ""));
}

/* The first row in begin .. end with at least `target` work before it (binary search), or end. */
static LLVMValueRef find_row(Emit *e, const KernelArray *indptr, LLVMValueRef begin, LLVMValueRef end,
                             LLVMValueRef target) {
    LLVMBuilderRef b = e->build.builder;
    LLVMTypeRef i64 = LLVMInt64TypeInContext(e->build.context);
    LLVMBasicBlockRef before = LLVMGetInsertBlock(b), head = build_block(&e->build, "find");
    LLVMBasicBlockRef body = build_block(&e->build, "find.body"), after = build_block(&e->build, "find.end");
    LLVMBuildBr(b, head);
    LLVMPositionBuilderAtEnd(b, head);
    LLVMValueRef low = LLVMBuildPhi(b, i64, ""), high = LLVMBuildPhi(b, i64, "");
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSLT, low, high, ""), body, after);
    LLVMPositionBuilderAtEnd(b, body);
    LLVMValueRef half = LLVMBuildLShr(b, LLVMBuildNSWSub(b, high, low, ""), emit_i64(e, 1), "");
    LLVMValueRef middle = emit_add(e, low, half);
    LLVMValueRef is_enough = LLVMBuildICmp(b, LLVMIntSGE, work_before(e, indptr, begin, middle), target, "");
    LLVMValueRef next_low = LLVMBuildSelect(b, is_enough, low, emit_add(e, middle, emit_i64(e, 1)), "");
    LLVMValueRef next_high = LLVMBuildSelect(b, is_enough, middle, high, "");
    LLVMBuildBr(b, head);
    LLVMBasicBlockRef from[] = {before, body};
    LLVMAddIncoming(low, (LLVMValueRef[]){begin, next_low}, from, 2);
    LLVMAddIncoming(high, (LLVMValueRef[]){end, next_high}, from, 2);
    LLVMPositionBuilderAtEnd(b, after);
    return low;
}

/* Number of chunks of begin .. end; 0 for an empty range. */
static LLVMValueRef chunk_count(Emit *e, const KernelArray *indptr, LLVMValueRef begin, LLVMValueRef end) {
    LLVMBuilderRef b = e->build.builder;
    LLVMBasicBlockRef before = LLVMGetInsertBlock(b), some = build_block(&e->build, "chunks");
    LLVMBasicBlockRef after = build_block(&e->build, "chunks.end");
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSLT, begin, end, ""), some, after);
    LLVMPositionBuilderAtEnd(b, some);
    LLVMValueRef work = emit_add(e, work_before(e, indptr, begin, end), emit_i64(e, BALANCED_WORK - 1));
    LLVMValueRef chunks = LLVMBuildSDiv(b, work, emit_i64(e, BALANCED_WORK), "");
    LLVMBuildBr(b, after);
    LLVMPositionBuilderAtEnd(b, after);
    LLVMValueRef count = LLVMBuildPhi(b, LLVMInt64TypeInContext(e->build.context), "");
    LLVMAddIncoming(count, (LLVMValueRef[]){emit_i64(e, 0), chunks}, (LLVMBasicBlockRef[]){before, some}, 2);
    return count;
}

/* ---- the loop ----------------------------------------------------------------------------------- */

static bool mentions(const KernelExpr *expr, const KernelVariable *variable) {
    bool found = expr->kind == KERNEL_USE && expr->variable == variable;
    for (uint32_t i = 0; !found && i < expr->count; i++)
        found = mentions(expr->operands[i], variable);
    return found;
}

/* How many statements at the start of a loop's body allocate memory of the same size in every iteration:
 * their contents are undefined at first, so one allocation serves all iterations of a chunk. */
static uint32_t common_allocations(const KernelStatement *s) {
    uint32_t count = 0;
    for (; count < s->body.statements.count; count++) {
        const KernelStatement *alloc = s->body.statements.items[count];
        if (alloc->kind != KERNEL_ALLOC)
            break;
        for (uint32_t k = 0; k < alloc->array->rank; k++)
            if (mentions(alloc->array->shape[k], s->variable))
                return count;
    }
    return count;
}

/* The body function's own loop, from iteration (or chunk) parameter 1 to parameter 2. */
static void emit_range(Emit *body, const KernelStatement *s, LLVMValueRef begin, LLVMValueRef end,
                       LLVMValueRef step) {
    LLVMValueRef first = LLVMGetParam(body->build.function, 1);
    LLVMValueRef last = LLVMGetParam(body->build.function, 2);
    if (s->balance) {
        LLVMValueRef work = emit_i64(body, BALANCED_WORK);
        LLVMValueRef from = find_row(body, s->balance, begin, end, emit_mul(body, first, work));
        last = find_row(body, s->balance, begin, end, emit_mul(body, last, work));
        first = from;
    }
    uint32_t allocations = common_allocations(s), scratch = body->scratch.count;
    for (uint32_t i = 0; i < allocations; i++)
        emit_alloc(body, s->body.statements.items[i]);
    KernelBlock rest = {{s->body.statements.items + allocations, s->body.statements.count - allocations, 0}};
    Loop loop = emit_loop_begin(body, first, last, emit_i64(body, 1));
    LLVMValueRef index = s->balance ? loop.index : emit_add(body, begin, emit_mul(body, loop.index, step));
    body->variables[s->variable->id] = (Binding){.value = index};
    emit_block(body, &rest);
    emit_loop_end(body, &loop);
    emit_release_from(body, scratch);
}

static LLVMValueRef emit_body(Emit *e, const KernelStatement *s, Capture *capture, const bool *used) {
    Emit body = *e;
    char name[256];
    snprintf(name, sizeof name, "%.200s.body%u", e->symbol, e->body_count++);
    body.variables = ARENA_ARRAY(e->arena, Binding, e->kernel->next_id);
    body.arrays = ARENA_ARRAY(e->arena, ArrayBinding, e->kernel->next_id);
    for (uint32_t id = 0; id < e->kernel->next_id; id++)
        body.arrays[id].scope = e->arrays[id].scope, body.arrays[id].other = e->arrays[id].other;
    memset(&body.scratch, 0, sizeof body.scratch);
    body.build.builder = LLVMCreateBuilderInContext(e->build.context);
    emit_function_begin(&body, name, true);
    capture->memory = LLVMGetParam(body.build.function, 0);
    uint32_t next = 0;
    body.ctx = take(&body, capture, &next);
    body.arguments = take(&body, capture, &next);
    LLVMValueRef failed = take(&body, capture, &next), begin = take(&body, capture, &next);
    LLVMValueRef end = take(&body, capture, &next), step = take(&body, capture, &next);
    emit_bind_parameters(&body);
    take_outer(&body, e, capture, used, &next);
    emit_range(&body, s, begin, end, step);
    emit_function_end(&body, failed);
    LLVMDisposeBuilder(body.build.builder);
    e->has_failed |= body.has_failed;
    return body.build.function;
}

/* Parameters are read from the arguments again: they are not captured. */
static void exclude_parameters(const Kernel *kernel, bool *used) {
    for (uint32_t i = 0; i < kernel->parameters.count; i++) {
        const KernelParameter *parameter = &kernel->parameters.items[i];
        used[parameter->array ? parameter->array->id : parameter->variable->id] = false;
    }
}

void emit_parallel(Emit *e, const KernelStatement *s) {
    LLVMBuilderRef b = e->build.builder;
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->build.context);
    if (e->lanes) {
        emit_fail(e, "a parallel loop is nested in another loop");
        return;
    }
    LLVMValueRef begin = emit_uniform(e, s->begin), end = emit_uniform(e, s->end), one = emit_i64(e, 1);
    LLVMValueRef step = s->step ? emit_uniform(e, s->step) : one, count;
    if (s->balance) {
        count = chunk_count(e, s->balance, begin, end);
    } else { /* ceil((end - begin) / step), which is at most 0 for an empty range */
        count = LLVMBuildNSWSub(b, end, begin, "");
        if (s->step)
            count = LLVMBuildSDiv(b, emit_add(e, count, LLVMBuildNSWSub(b, step, one, "")), step, "");
    }
    LLVMValueRef failed = emit_alloca(e, i32);
    LLVMBuildStore(b, emit_i32(e, 0), failed);
    bool *used = kernel_names_used(e->kernel, &s->body, e->arena);
    exclude_parameters(e->kernel, used);
    Capture capture = {0};
    LLVMValueRef fixed[] = {e->ctx, e->arguments, failed, begin, end, step};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        add(e, &capture, fixed[i]);
    add_outer(e, &capture, used);
    LLVMValueRef memory = pack(e, &capture);
    LLVMValueRef body = emit_body(e, s, &capture, used);
    LLVMBasicBlockRef run = build_block(&e->build, "parallel"),
                      after = build_block(&e->build, "parallel.end");
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSGT, count, emit_i64(e, 0), ""), run, after);
    LLVMPositionBuilderAtEnd(b, run);
    LLVMValueRef arguments[] = {e->ctx, body, memory, count, emit_i64(e, s->grain > 1 ? s->grain : 1)};
    LLVMValueRef stopped = emit_runtime_call(e, "gmxrt_parallel_for", i32, arguments, 5);
    LLVMValueRef status =
        LLVMBuildOr(b, LLVMBuildLoad2(b, i32, e->status, ""), LLVMBuildLoad2(b, i32, failed, ""), "");
    status = LLVMBuildOr(b, status, stopped, "");
    LLVMBuildStore(b, status, e->status);
    LLVMBuildBr(b, after);
    LLVMPositionBuilderAtEnd(b, after);
}
