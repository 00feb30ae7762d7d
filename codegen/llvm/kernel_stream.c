/* Streaming stores: results that are larger than the caches go past them, which saves reading every line
 * before it is overwritten and leaves the caches to what is read.
 *
 * `stream y, n by m` gives y a mask of address bits: those within a line, or all when this launch does not
 * stream: n elements fit the caches; runs of m elements share lines, and a line that gets both kinds of store
 * costs hundreds of nanoseconds; y takes over the buffer of an input, whose lines are there already.  A loop
 * streams if these bits are 0 where it begins.  It is not there twice: its stores branch on that, which a
 * loop in cache hardly notices (0 to 4 %) and compiles faster.  The bits stored are the same either way. */
#include "codegen/llvm/kernel_emit.h"
#include "runtime/rt/gmxrt.h"

enum { LINE = 64, SMALLEST = 16 }; /* bytes; of a vector, of which a line has a whole number */

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
    return LLVMBuildICmp(b, LLVMIntEQ, rest, emit_i64(e, 0), "");
}

/* Index arithmetic that is written the same. */
static bool is_same(const KernelExpr *x, const KernelExpr *y) {
    if (x == y)
        return true;
    if (x->kind != y->kind || x->count != y->count || x->op != y->op || x->bits != y->bits ||
        x->variable != y->variable || x->array != y->array)
        return false;
    for (uint32_t i = 0; i < x->count; i++)
        if (!is_same(x->operands[i], y->operands[i]))
            return false;
    return true;
}

static LLVMValueRef is_elsewhere(Emit *e, const KernelArray *array, const KernelArray *input) {
    return LLVMBuildICmp(e->build.builder, LLVMIntNE, e->arrays[array->id].pointer,
                         e->arrays[input->id].pointer, "");
}

void emit_stream(Emit *e, const KernelStatement *s) {
    LLVMBuilderRef b = e->build.builder;
    LLVMValueRef streams = exceeds_caches(e, s);
    if (!is_same(s->value, s->value2)) /* more than one run */
        streams = LLVMBuildAnd(b, streams, has_whole_lines(e, s), "");
    for (uint32_t i = 0; s->array->may_alias && i < e->kernel->parameters.count; i++) {
        const KernelArray *input = e->kernel->parameters.items[i].array;
        if (input && !input->is_output)
            streams = LLVMBuildAnd(b, streams, is_elsewhere(e, s->array, input), "");
    }
    LLVMValueRef mask = LLVMBuildSelect(b, streams, emit_i64(e, LINE - 1), emit_i64(e, -1), "");
    emit_stream_mask(e, &e->arrays[s->array->id], mask);
}

/* A slot, since the fence also stands on paths around the hint. */
void emit_stream_mask(Emit *e, ArrayBinding *binding, LLVMValueRef mask) {
    LLVMBuilderRef b = e->build.builder;
    binding->stream = emit_alloca(e, LLVMTypeOf(mask));
    LLVMBasicBlockRef here = LLVMGetInsertBlock(b);
    LLVMPositionBuilderBefore(b, e->entry_end);
    LLVMBuildStore(b, emit_i64(e, -1), binding->stream);
    LLVMPositionBuilderAtEnd(b, here);
    LLVMBuildStore(b, mask, binding->stream);
}

LLVMValueRef emit_read_mask(Emit *e, const ArrayBinding *binding) {
    return LLVMBuildLoad2(e->build.builder, LLVMInt64TypeInContext(e->build.context), binding->stream, "");
}

static void set_nontemporal(Emit *e, LLVMValueRef store) {
    LLVMContextRef context = e->build.context;
    LLVMMetadataRef one = LLVMValueAsMetadata(emit_i32(e, 1));
    LLVMSetMetadata(store, LLVMGetMDKindIDInContext(context, "nontemporal", 11),
                    LLVMMetadataAsValue(context, LLVMMDNodeInContext2(context, &one, 1)));
}

/* Sums and products of what is known before the loop and the loop's index: computing one cannot fail. */
static bool is_known(const KernelExpr *expr, const bool *declared) {
    if (expr->kind == KERNEL_USE)
        return !declared[expr->variable->id];
    if (expr->kind == KERNEL_OP && expr->op != OP_add && expr->op != OP_sub && expr->op != OP_mul)
        return false;
    for (uint32_t i = 0; i < expr->count; i++)
        if (!is_known(expr->operands[i], declared))
            return false;
    return expr->kind == KERNEL_CONST || expr->kind == KERNEL_OP;
}

/* A store of whole vectors to a streaming array. */
static bool may_stream(const Emit *e, const KernelStatement *s, unsigned width) {
    if (s->kind != KERNEL_STORE || !e->arrays[s->array->id].stream)
        return false;
    unsigned bytes = width * dtype_info[s->array->dtype].bytes;
    return bytes >= SMALLEST && bytes <= LINE;
}

typedef struct Count {
    const Emit *e;
    unsigned width, stores;
} Count;

static void count_store(void *user, const KernelStatement *s) {
    Count *count = user;
    count->stores += may_stream(count->e, s, count->width);
}

LLVMValueRef emit_loop_streams(Emit *e, const KernelStatement *loop, unsigned width, LLVMValueRef begin,
                               const bool *declared) {
    LLVMBuilderRef b = e->build.builder;
    LLVMValueRef bits = NULL;
    Count all = {e, width, 0};
    kernel_visit(&loop->body, &(KernelVisitor){.statement = count_store, .user = &all});
    for (uint32_t i = 0; i < loop->body.statements.count; i++) {
        const KernelStatement *s = loop->body.statements.items[i];
        if (!may_stream(e, s, width) || !is_known(s->indices[0], declared))
            continue;
        e->variables[loop->variable->id] = (Binding){.value = begin};
        LLVMValueRef at = emit_element_pointer(e, s->array, emit_uniform(e, s->indices[0]));
        at = LLVMBuildPtrToInt(b, at, LLVMInt64TypeInContext(e->build.context), "");
        at = LLVMBuildAnd(b, at, emit_read_mask(e, &e->arrays[s->array->id]), "");
        bits = bits ? LLVMBuildOr(b, bits, at, "") : at;
        all.stores--;
    }
    if (!bits || all.stores) /* one of them is nested, or its address not known */
        return NULL;
    return LLVMBuildICmp(b, LLVMIntEQ, bits, emit_i64(e, 0), "");
}

bool emit_stream_store(Emit *e, const KernelArray *array, LLVMValueRef pointer, LLVMValueRef value) {
    LLVMBuilderRef b = e->build.builder;
    unsigned bytes = emit_width(e) * dtype_info[array->dtype].bytes;
    if (!e->lanes || !e->lanes->streams || !e->arrays[array->id].stream || bytes < SMALLEST || bytes > LINE)
        return false;
    e->has_streamed = true;
    LLVMBasicBlockRef past = build_block(&e->build, "stream"), plain = build_block(&e->build, "store");
    LLVMBasicBlockRef after = build_block(&e->build, "store.end");
    LLVMBuildCondBr(b, e->lanes->streams, past, plain);
    LLVMPositionBuilderAtEnd(b, past);
    LLVMValueRef store = emit_describe(e, array, LLVMBuildStore(b, value, pointer));
    LLVMSetAlignment(store, bytes);
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
    LLVMValueRef masks = NULL;
    for (uint32_t i = 0; e->has_streamed && i < e->kernel->parameters.count; i++) {
        const KernelArray *array = e->kernel->parameters.items[i].array;
        if (!array || !e->arrays[array->id].stream)
            continue;
        LLVMValueRef mask = emit_read_mask(e, &e->arrays[array->id]);
        masks = masks ? LLVMBuildAnd(b, masks, mask, "") : mask;
    }
    if (!masks)
        return;
    LLVMBasicBlockRef fence = build_block(&e->build, "fence"), after = build_block(&e->build, "fence.end");
    LLVMValueRef streams = LLVMBuildICmp(b, LLVMIntNE, masks, emit_i64(e, -1), "");
    LLVMBuildCondBr(b, streams, fence, after);
    LLVMPositionBuilderAtEnd(b, fence);
    LLVMBuildFence(b, LLVMAtomicOrderingSequentiallyConsistent, 0, "");
    LLVMBuildBr(b, after);
    LLVMPositionBuilderAtEnd(b, after);
}
