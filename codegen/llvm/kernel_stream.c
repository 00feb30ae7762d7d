/* Streaming stores: results that are larger than the caches go past them, which saves reading every line
 * before it is overwritten and leaves the caches to what is read.
 *
 * `stream y, n by m` gives y a mask of address bits: those within a line, or all when this launch does not
 * stream: n elements fit the caches; runs of m elements share lines, and a line that gets both kinds of store
 * costs hundreds of nanoseconds; y takes over the buffer of an input, whose lines are there already.  A
 * vector streams where the bits are 0, so one test chooses and the loop is not there twice.  Vectors of half
 * a line go in pairs.  The bits stored are the same either way. */
#include "codegen/llvm/kernel_emit.h"
#include "runtime/rt/gmxrt.h"

enum { LINE = 64 };

static LLVMValueRef as_integer(Emit *e, LLVMValueRef pointer) {
    return LLVMBuildPtrToInt(e->build.builder, pointer, LLVMInt64TypeInContext(e->build.context), "");
}

static LLVMValueRef bytes_of(Emit *e, const KernelStatement *s, const KernelExpr *elements) {
    return emit_mul(e, emit_uniform(e, elements), emit_i64(e, dtype_info[s->array->dtype].bytes));
}

static LLVMValueRef exceeds_caches(Emit *e, const KernelStatement *s) {
    LLVMBuilderRef b = e->build.builder;
    LLVMTypeRef i8 = LLVMInt8TypeInContext(e->build.context), i64 = LLVMInt64TypeInContext(e->build.context);
    LLVMValueRef offset = emit_i64(e, offsetof(gmxrt_ctx, stream_bytes));
    LLVMValueRef limit = LLVMBuildLoad2(b, i64, LLVMBuildInBoundsGEP2(b, i8, e->ctx, &offset, 1, ""), "");
    return LLVMBuildICmp(b, LLVMIntSGT, bytes_of(e, s, s->value), limit, "");
}

static LLVMValueRef has_whole_lines(Emit *e, const KernelStatement *s) {
    LLVMBuilderRef b = e->build.builder;
    LLVMValueRef rest = LLVMBuildAnd(b, bytes_of(e, s, s->value2), emit_i64(e, LINE - 1), "");
    LLVMValueRef is_whole = LLVMBuildICmp(b, LLVMIntEQ, rest, emit_i64(e, 0), "");
    LLVMValueRef is_one =
        LLVMBuildICmp(b, LLVMIntEQ, emit_uniform(e, s->value), emit_uniform(e, s->value2), "");
    return LLVMBuildOr(b, is_whole, is_one, "");
}

static LLVMValueRef is_elsewhere(Emit *e, const KernelArray *array, const KernelArray *input) {
    return LLVMBuildICmp(e->build.builder, LLVMIntNE, e->arrays[array->id].pointer,
                         e->arrays[input->id].pointer, "");
}

void emit_stream(Emit *e, const KernelStatement *s) {
    LLVMBuilderRef b = e->build.builder;
    LLVMValueRef streams = LLVMBuildAnd(b, exceeds_caches(e, s), has_whole_lines(e, s), "");
    for (uint32_t i = 0; s->array->may_alias && i < e->kernel->parameters.count; i++) {
        const KernelArray *input = e->kernel->parameters.items[i].array;
        if (input && !input->is_output)
            streams = LLVMBuildAnd(b, streams, is_elsewhere(e, s->array, input), "");
    }
    LLVMValueRef mask = LLVMBuildSelect(b, streams, emit_i64(e, LINE - 1), emit_i64(e, -1), "");
    e->arrays[s->array->id].stream = mask;
    emit_may_stream(e, mask);
}

void emit_may_stream(Emit *e, LLVMValueRef mask) {
    LLVMBuilderRef b = e->build.builder;
    LLVMTypeRef i1 = LLVMInt1TypeInContext(e->build.context);
    if (!e->has_streamed) {
        e->has_streamed = emit_alloca(e, i1);
        LLVMBasicBlockRef here = LLVMGetInsertBlock(b);
        LLVMPositionBuilderBefore(b, e->entry_end);
        LLVMBuildStore(b, LLVMConstInt(i1, 0, 0), e->has_streamed);
        LLVMPositionBuilderAtEnd(b, here);
    }
    LLVMValueRef streams = LLVMBuildICmp(b, LLVMIntNE, mask, emit_i64(e, -1), "");
    LLVMValueRef before = LLVMBuildLoad2(b, i1, e->has_streamed, "");
    LLVMBuildStore(b, LLVMBuildOr(b, before, streams, ""), e->has_streamed);
}

static void set_nontemporal(Emit *e, LLVMValueRef store) {
    LLVMContextRef context = e->build.context;
    LLVMMetadataRef one = LLVMValueAsMetadata(emit_i32(e, 1));
    LLVMSetMetadata(store, LLVMGetMDKindIDInContext(context, "nontemporal", 11),
                    LLVMMetadataAsValue(context, LLVMMDNodeInContext2(context, &one, 1)));
}

static unsigned vector_bytes(const KernelArray *array, unsigned width) {
    return width * dtype_info[array->dtype].bytes;
}

unsigned emit_stream_copies(const Emit *e, const KernelStatement *loop, unsigned width) {
    for (uint32_t i = 0; i < loop->body.statements.count; i++) {
        const KernelStatement *s = loop->body.statements.items[i];
        if (s->kind == KERNEL_STORE && e->arrays[s->array->id].stream &&
            vector_bytes(s->array, width) == LINE / 2)
            return 2;
    }
    return 1;
}

bool emit_stream_store(Emit *e, const KernelArray *array, LLVMValueRef pointer, LLVMValueRef value) {
    LLVMBuilderRef b = e->build.builder;
    LLVMValueRef mask = e->arrays[array->id].stream;
    unsigned bytes = e->lanes ? vector_bytes(array, e->lanes->width) : 1;
    if (!mask || bytes * (e->lanes ? e->lanes->copies : 1) % LINE)
        return false;
    LLVMValueRef in_line = emit_i64(e, e->lanes->copy * bytes % LINE);
    LLVMBasicBlockRef past = build_block(&e->build, "stream"), plain = build_block(&e->build, "store");
    LLVMBasicBlockRef after = build_block(&e->build, "store.end");
    LLVMValueRef bits = LLVMBuildAnd(b, as_integer(e, pointer), mask, "");
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntEQ, bits, in_line, ""), past, plain);
    LLVMPositionBuilderAtEnd(b, past);
    LLVMValueRef store = emit_describe(e, array, LLVMBuildStore(b, value, pointer));
    LLVMSetAlignment(store, bytes < LINE ? bytes : LINE);
    set_nontemporal(e, store);
    LLVMBuildBr(b, after);
    LLVMPositionBuilderAtEnd(b, plain);
    emit_describe(e, array, LLVMBuildStore(b, value, pointer));
    LLVMBuildBr(b, after);
    LLVMPositionBuilderAtEnd(b, after);
    return true;
}

/* Streaming stores are not ordered with the ordinary ones by which a thread says that it is done. */
void emit_stream_fence(Emit *e) {
    LLVMBuilderRef b = e->build.builder;
    if (!e->has_streamed)
        return;
    LLVMBasicBlockRef fence = build_block(&e->build, "fence"), after = build_block(&e->build, "fence.end");
    LLVMBuildCondBr(b, LLVMBuildLoad2(b, LLVMInt1TypeInContext(e->build.context), e->has_streamed, ""), fence,
                    after);
    LLVMPositionBuilderAtEnd(b, fence);
    LLVMBuildFence(b, LLVMAtomicOrderingSequentiallyConsistent, 0, "");
    LLVMBuildBr(b, after);
    LLVMPositionBuilderAtEnd(b, after);
}
