/* Loops over nonzeros, co-iteration of coordinate lists, and append. */
#include "codegen/llvm/kernel_emit.h"

/* An element of an index array as i64. */
static LLVMValueRef index_at(Emit *e, const KernelArray *array, LLVMValueRef position) {
    return llvm_scalar_cast(&e->build, emit_load_at(e, array, position), array->dtype, DTYPE_i64);
}

void emit_for_nz(Emit *e, const KernelStatement *s) {
    LLVMValueRef row = emit_uniform(e, s->value), one = emit_i64(e, 1);
    LLVMValueRef begin = index_at(e, s->array, row), end = index_at(e, s->array, emit_add(e, row, one));
    Loop loop = emit_loop_begin(e, begin, end, one);
    e->variables[s->variable->id] = (Binding){.value = loop.index};
    e->variables[s->second->id] = (Binding){.value = index_at(e, s->array2, loop.index)};
    emit_block(e, &s->body);
    emit_loop_end(e, &loop);
}

/* ---- merge -------------------------------------------------------------------------------------- */

enum { MAX_ITERATORS = 8 };
typedef struct Merge {
    const KernelStatement *s;
    LLVMValueRef slots[MAX_ITERATORS], ends[MAX_ITERATORS];     /* of all iterations */
    LLVMValueRef positions[MAX_ITERATORS], live[MAX_ITERATORS]; /* of this one */
    LLVMValueRef present[MAX_ITERATORS];
} Merge;

/* Whether some case can still occur: all of its operands have entries left. */
static LLVMValueRef can_continue(Emit *e, const Merge *merge) {
    LLVMBuilderRef b = e->build.builder;
    LLVMTypeRef i1 = LLVMInt1TypeInContext(e->build.context);
    LLVMValueRef any = LLVMConstInt(i1, 0, 0);
    for (uint32_t i = 0; i < merge->s->cases.count; i++) {
        LLVMValueRef all = LLVMConstInt(i1, 1, 0);
        for (uint32_t k = 0; k < merge->s->iterators.count; k++)
            if (merge->s->cases.items[i].subset >> k & 1)
                all = LLVMBuildAnd(b, all, merge->live[k], "");
        any = LLVMBuildOr(b, any, all, "");
    }
    return any;
}

/* The coordinate under operand k, the largest i64 when it has no entries left. */
static LLVMValueRef coordinate(Emit *e, const Merge *merge, uint32_t k) {
    LLVMBuilderRef b = e->build.builder;
    LLVMBasicBlockRef before = LLVMGetInsertBlock(b), read = build_block(&e->build, "merge.read");
    LLVMBasicBlockRef after = build_block(&e->build, "merge.next");
    LLVMBuildCondBr(b, merge->live[k], read, after);
    LLVMPositionBuilderAtEnd(b, read);
    LLVMValueRef value = index_at(e, merge->s->iterators.items[k].indices, merge->positions[k]);
    LLVMBuildBr(b, after);
    LLVMPositionBuilderAtEnd(b, after);
    LLVMValueRef phi = LLVMBuildPhi(b, LLVMInt64TypeInContext(e->build.context), "");
    LLVMAddIncoming(phi, (LLVMValueRef[]){emit_i64(e, INT64_MAX), value}, (LLVMBasicBlockRef[]){before, read},
                    2);
    return phi;
}

/* Binds the smallest coordinate; the subset of operands that have it as an i32. */
static LLVMValueRef find_subset(Emit *e, Merge *merge) {
    LLVMBuilderRef b = e->build.builder;
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->build.context);
    LLVMValueRef coordinates[MAX_ITERATORS], least = NULL, subset = emit_i32(e, 0);
    for (uint32_t k = 0; k < merge->s->iterators.count; k++) {
        coordinates[k] = coordinate(e, merge, k);
        LLVMValueRef is_less = least ? LLVMBuildICmp(b, LLVMIntSLT, coordinates[k], least, "") : NULL;
        least = least ? LLVMBuildSelect(b, is_less, coordinates[k], least, "") : coordinates[k];
    }
    for (uint32_t k = 0; k < merge->s->iterators.count; k++) {
        LLVMValueRef is_least = LLVMBuildICmp(b, LLVMIntEQ, coordinates[k], least, "");
        merge->present[k] = LLVMBuildAnd(b, is_least, merge->live[k], "");
        LLVMValueRef bit = LLVMBuildZExt(b, merge->present[k], i32, "");
        subset = LLVMBuildOr(b, subset, LLVMBuildShl(b, bit, emit_i32(e, k), ""), "");
    }
    e->variables[merge->s->variable->id] = (Binding){.value = least};
    return subset;
}

static void emit_cases(Emit *e, const Merge *merge, LLVMValueRef subset) {
    LLVMBuilderRef b = e->build.builder;
    LLVMBasicBlockRef join = build_block(&e->build, "merge.join");
    LLVMValueRef choice = LLVMBuildSwitch(b, subset, join, merge->s->cases.count);
    for (uint32_t i = 0; i < merge->s->cases.count; i++) {
        LLVMBasicBlockRef block = build_block(&e->build, "case");
        LLVMAddCase(choice, emit_i32(e, merge->s->cases.items[i].subset), block);
        LLVMPositionBuilderAtEnd(b, block);
        emit_block(e, &merge->s->cases.items[i].body);
        LLVMBuildBr(b, join);
    }
    LLVMPositionBuilderAtEnd(b, join);
}

void emit_merge(Emit *e, const KernelStatement *s) {
    LLVMBuilderRef b = e->build.builder;
    LLVMTypeRef i64 = LLVMInt64TypeInContext(e->build.context);
    Merge merge = {.s = s};
    for (uint32_t k = 0; k < s->iterators.count; k++) {
        merge.slots[k] = emit_alloca(e, i64);
        LLVMBuildStore(b, emit_uniform(e, s->iterators.items[k].begin), merge.slots[k]);
        merge.ends[k] = emit_uniform(e, s->iterators.items[k].end);
    }
    LLVMBasicBlockRef head = build_block(&e->build, "merge"), body = build_block(&e->build, "merge.body");
    LLVMBasicBlockRef after = build_block(&e->build, "merge.end");
    LLVMBuildBr(b, head);
    LLVMPositionBuilderAtEnd(b, head);
    for (uint32_t k = 0; k < s->iterators.count; k++) {
        merge.positions[k] = LLVMBuildLoad2(b, i64, merge.slots[k], "");
        merge.live[k] = LLVMBuildICmp(b, LLVMIntSLT, merge.positions[k], merge.ends[k], "");
        e->variables[s->iterators.items[k].position->id] = (Binding){.value = merge.positions[k]};
    }
    LLVMBuildCondBr(b, can_continue(e, &merge), body, after);
    LLVMPositionBuilderAtEnd(b, body);
    emit_cases(e, &merge, find_subset(e, &merge));
    for (uint32_t k = 0; k < s->iterators.count; k++) {
        LLVMValueRef advance = LLVMBuildZExt(b, merge.present[k], i64, "");
        LLVMBuildStore(b, emit_add(e, merge.positions[k], advance), merge.slots[k]);
    }
    LLVMBuildBr(b, head);
    LLVMMoveBasicBlockAfter(after, LLVMGetInsertBlock(b));
    LLVMPositionBuilderAtEnd(b, after);
}

/* ---- append ------------------------------------------------------------------------------------- */

void emit_append(Emit *e, const KernelStatement *s) {
    LLVMBuilderRef b = e->build.builder;
    Binding *counter = &e->variables[s->variable->id];
    LLVMValueRef position = emit_value(e, counter);
    LLVMBasicBlockRef fill = build_block(&e->build, "fill"), after = build_block(&e->build, "fill.end");
    if (s->value)
        LLVMBuildCondBr(b, emit_uniform(e, s->value), fill, after);
    else
        LLVMBuildBr(b, fill);
    LLVMPositionBuilderAtEnd(b, fill);
    for (uint32_t i = 0; i < s->count; i++)
        emit_store_at(e, s->targets[i], position, emit_uniform(e, s->target_values[i]));
    LLVMBuildBr(b, after);
    LLVMPositionBuilderAtEnd(b, after);
    emit_assign(e, counter, emit_add(e, position, emit_i64(e, 1)));
}
