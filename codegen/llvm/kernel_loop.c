/* Loops of one value at a time, branches, assignments and accumulation. */
#include "codegen/llvm/kernel_emit.h"

Loop emit_loop_begin(Emit *e, LLVMValueRef begin, LLVMValueRef end, LLVMValueRef step) {
    LLVMBuilderRef b = e->build.builder;
    Loop loop = {.before = LLVMGetInsertBlock(b),
                 .head = build_block(&e->build, "loop"),
                 .after = build_block(&e->build, "loop.end"),
                 .step = step,
                 .end = end};
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSLT, begin, end, ""), loop.head, loop.after);
    LLVMPositionBuilderAtEnd(b, loop.head);
    loop.index = LLVMBuildPhi(b, LLVMInt64TypeInContext(e->build.context), "");
    LLVMAddIncoming(loop.index, &begin, &loop.before, 1);
    return loop;
}

void emit_loop_end(Emit *e, Loop *loop) {
    LLVMBuilderRef b = e->build.builder;
    LLVMValueRef next = emit_add(e, loop->index, loop->step);
    LLVMBasicBlockRef latch = LLVMGetInsertBlock(b);
    LLVMAddIncoming(loop->index, &next, &latch, 1);
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSLT, next, loop->end, ""), loop->head, loop->after);
    LLVMMoveBasicBlockAfter(loop->after, latch);
    LLVMPositionBuilderAtEnd(b, loop->after);
}

static LLVMValueRef step_of(Emit *e, const KernelStatement *s) {
    return s->step ? emit_uniform(e, s->step) : emit_i64(e, 1);
}

static void emit_serial(Emit *e, const KernelStatement *s) {
    LLVMValueRef begin = emit_uniform(e, s->begin), end = emit_uniform(e, s->end);
    Loop loop = emit_loop_begin(e, begin, end, step_of(e, s));
    e->variables[s->variable->id] = (Binding){.value = loop.index};
    emit_block(e, &s->body);
    emit_loop_end(e, &loop);
}

static void emit_unrolled(Emit *e, const KernelStatement *s) {
    enum { MOST = 4096 };
    int64_t begin, end, step = 1;
    if (!kernel_is_const_i64(s->begin, &begin) || !kernel_is_const_i64(s->end, &end) ||
        (s->step && (!kernel_is_const_i64(s->step, &step) || step <= 0)) || (end - begin) / step > MOST) {
        emit_serial(e, s);
        return;
    }
    for (int64_t i = begin; i < end; i += step) {
        e->variables[s->variable->id] = (Binding){.value = emit_i64(e, i)};
        emit_block(e, &s->body);
    }
}

void emit_for(Emit *e, const KernelStatement *s) {
    switch (s->loop) {
    case LOOP_SERIAL:
        emit_serial(e, s);
        break;
    case LOOP_UNROLLED:
        emit_unrolled(e, s);
        break;
    case LOOP_VECTOR:
        emit_vector_loop(e, s);
        break;
    case LOOP_PARALLEL:
        emit_parallel(e, s);
        break;
    }
}

void emit_while(Emit *e, const KernelStatement *s) {
    LLVMBuilderRef b = e->build.builder;
    LLVMBasicBlockRef head = build_block(&e->build, "while"), body = build_block(&e->build, "while.body");
    LLVMBasicBlockRef after = build_block(&e->build, "while.end");
    LLVMBuildBr(b, head);
    LLVMPositionBuilderAtEnd(b, head);
    LLVMBuildCondBr(b, emit_uniform(e, s->value), body, after);
    LLVMPositionBuilderAtEnd(b, body);
    emit_block(e, &s->body);
    LLVMBuildBr(b, head);
    LLVMMoveBasicBlockAfter(after, LLVMGetInsertBlock(b));
    LLVMPositionBuilderAtEnd(b, after);
}

void emit_if(Emit *e, const KernelStatement *s) {
    LLVMBuilderRef b = e->build.builder;
    LLVMBasicBlockRef then = build_block(&e->build, "then"), otherwise = build_block(&e->build, "else");
    LLVMBasicBlockRef after = build_block(&e->build, "if.end");
    LLVMBuildCondBr(b, emit_uniform(e, s->value), then, otherwise);
    LLVMPositionBuilderAtEnd(b, then);
    emit_block(e, &s->body);
    LLVMBuildBr(b, after);
    LLVMPositionBuilderAtEnd(b, otherwise);
    emit_block(e, &s->otherwise);
    LLVMBuildBr(b, after);
    LLVMPositionBuilderAtEnd(b, after);
}

/* ---- variables ---------------------------------------------------------------------------------- */

void emit_assign(Emit *e, Binding *binding, LLVMValueRef value) {
    if (!binding->slot) {
        emit_fail(e, "assignment to something that is not a variable");
        return;
    }
    value = llvm_splat(&e->build, value, build_lanes(binding->type));
    if (LLVMTypeOf(value) != binding->type) {
        emit_fail(e, "an outer variable is assigned in a vector loop");
        return;
    }
    LLVMBuildStore(e->build.builder, value, binding->slot);
}

LLVMValueRef emit_fold(Emit *e, Op op, Dtype dtype, LLVMValueRef accumulator, LLVMValueRef value) {
    return llvm_scalar_op(&e->build, op, dtype, (LLVMValueRef[]){accumulator, value}, NULL);
}

/* The binding that an accumulate statement folds into: the lanes' own part of an outer variable, or the
 * variable itself. */
static Binding *target_of(Emit *e, const KernelVariable *variable, bool *is_lane) {
    *is_lane = e->lanes && e->lanes->accumulators[variable->id].slot;
    return *is_lane ? &e->lanes->accumulators[variable->id] : &e->variables[variable->id];
}

/* A value in the shape of the binding that takes it. */
static LLVMValueRef shaped(Emit *e, const Binding *binding, const KernelExpr *value) {
    return llvm_splat(&e->build, emit_expr(e, value), binding->type ? build_lanes(binding->type) : 0);
}

static void accumulate_pair(Emit *e, const KernelStatement *s) {
    LLVMBuilderRef b = e->build.builder;
    bool is_lane;
    Binding *best = target_of(e, s->variable, &is_lane), *index = target_of(e, s->second, &is_lane);
    LLVMValueRef value = shaped(e, best, s->value), at = shaped(e, index, s->value2);
    LLVMValueRef old = emit_value(e, best);
    LLVMValueRef better = llvm_scalar_better(&e->build, s->op, s->variable->dtype, value, old);
    if (is_lane && e->lanes->mask)
        better = LLVMBuildAnd(b, better, e->lanes->mask, "");
    emit_assign(e, best, LLVMBuildSelect(b, better, value, old, ""));
    emit_assign(e, index, LLVMBuildSelect(b, better, at, emit_value(e, index), ""));
}

void emit_accumulate(Emit *e, const KernelStatement *s) {
    bool is_lane;
    if (s->second) {
        accumulate_pair(e, s);
        return;
    }
    Binding *target = target_of(e, s->variable, &is_lane);
    LLVMValueRef value = shaped(e, target, s->value), old = emit_value(e, target);
    LLVMValueRef folded = emit_fold(e, s->op, s->variable->dtype, old, value);
    if (is_lane && e->lanes->mask)
        folded = LLVMBuildSelect(e->build.builder, e->lanes->mask, folded, old, "");
    emit_assign(e, target, folded);
}
