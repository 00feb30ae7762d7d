/* Allocations of kernels, what the optimiser may assume of arrays, and tile.mma. */
#include "codegen/llvm/kernel_emit.h"
#include "runtime/rt/gmxrt.h"
#include <stdio.h>

/* ---- aliasing ----------------------------------------------------------------------------------- */

typedef struct Arrays {
    Arena *arena;
    VEC(const KernelArray *) list;
} Arrays;

static void collect_allocation(void *user, const KernelStatement *s) {
    Arrays *arrays = user;
    if (s->kind == KERNEL_ALLOC && s->array->kind != KERNEL_REG)
        vec_push(arrays->arena, &arrays->list, s->array);
}

/* Distinct arrays are distinct memory, except an output that may stand in for an input. */
static bool may_overlap(const KernelArray *a, const KernelArray *b) {
    if (a->kind != KERNEL_BUFFER || b->kind != KERNEL_BUFFER)
        return false;
    return (a->may_alias && !b->is_output) || (b->may_alias && !a->is_output);
}

static LLVMMetadataRef text_node(LLVMContextRef context, const char *text, LLVMMetadataRef parent) {
    LLVMMetadataRef items[] = {LLVMMDStringInContext2(context, text, strlen(text)), parent};
    return LLVMMDNodeInContext2(context, items, parent ? 2 : 1);
}

void emit_alias_scopes(Emit *e) {
    LLVMContextRef context = e->build.context;
    Arrays arrays = {.arena = e->arena};
    for (uint32_t i = 0; i < e->kernel->parameters.count; i++)
        if (e->kernel->parameters.items[i].array)
            vec_push(e->arena, &arrays.list, e->kernel->parameters.items[i].array);
    kernel_visit(&e->kernel->body, &(KernelVisitor){.statement = collect_allocation, .user = &arrays});
    LLVMMetadataRef domain = text_node(context, e->symbol, NULL);
    LLVMMetadataRef *scopes = ARENA_ARRAY(e->arena, LLVMMetadataRef, arrays.list.count);
    LLVMMetadataRef *others = ARENA_ARRAY(e->arena, LLVMMetadataRef, arrays.list.count);
    for (uint32_t i = 0; i < arrays.list.count; i++)
        scopes[i] = text_node(context, arena_format(e->arena, "%s.%u", e->symbol, i), domain);
    for (uint32_t i = 0; i < arrays.list.count; i++) {
        uint32_t count = 0;
        for (uint32_t k = 0; k < arrays.list.count; k++)
            if (k != i && !may_overlap(arrays.list.items[i], arrays.list.items[k]))
                others[count++] = scopes[k];
        ArrayBinding *binding = &e->arrays[arrays.list.items[i]->id];
        binding->scope = LLVMMetadataAsValue(context, LLVMMDNodeInContext2(context, &scopes[i], 1));
        if (count)
            binding->other = LLVMMetadataAsValue(context, LLVMMDNodeInContext2(context, others, count));
    }
}

/* ---- allocation --------------------------------------------------------------------------------- */

static int64_t round_up(int64_t extent, int64_t lanes) {
    int64_t power = 1;
    if (extent >= lanes)
        return (extent + lanes - 1) / lanes * lanes;
    while (power < extent)
        power *= 2;
    return power;
}

/* The constant shape of an array with its element count; false when it is not constant (or absurd). */
static bool constant_shape(Emit *e, const KernelArray *array, int64_t extents[4], int64_t *count) {
    *count = 1;
    for (uint32_t i = 0; i < array->rank; i++) {
        if (!kernel_is_const_i64(array->shape[i], &extents[i]) || extents[i] < 0 || extents[i] > 1 << 20)
            return false;
        if (array->kind == KERNEL_REG && i + 1 == array->rank)
            extents[i] = round_up(extents[i], e->options->vector_bytes / 4);
        *count *= extents[i];
        if (*count > 1 << 20)
            return false;
    }
    return true;
}

static void allocate_on_stack(Emit *e, const KernelArray *array, const int64_t extents[4], int64_t count) {
    LLVMTypeRef element = llvm_memory_type(e->build.context, array->dtype);
    ArrayBinding *binding = &e->arrays[array->id];
    binding->pointer = emit_alloca(e, LLVMArrayType2(element, (uint64_t)(count ? count : 1)));
    LLVMSetAlignment(binding->pointer, 64);
    for (uint32_t i = 0; i < array->rank; i++)
        binding->extents[i] = emit_i64(e, extents[i]);
}

/* Bytes of the allocation, -1 when they do not fit i64 or an extent is negative. */
static LLVMValueRef checked_bytes(Emit *e, const KernelArray *array) {
    LLVMBuilderRef b = e->build.builder;
    LLVMTypeRef i64 = LLVMInt64TypeInContext(e->build.context), i1 = LLVMInt1TypeInContext(e->build.context);
    LLVMValueRef bytes = emit_i64(e, dtype_info[array->dtype].bytes), is_bad = LLVMConstInt(i1, 0, 0);
    unsigned id = LLVMLookupIntrinsicID("llvm.smul.with.overflow", 23);
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(e->build.module, id, &i64, 1);
    LLVMTypeRef pair = LLVMStructTypeInContext(e->build.context, (LLVMTypeRef[]){i64, i1}, 2, 0);
    LLVMTypeRef type = LLVMFunctionType(pair, (LLVMTypeRef[]){i64, i64}, 2, 0);
    for (uint32_t i = 0; i < array->rank; i++) {
        LLVMValueRef extent = e->arrays[array->id].extents[i];
        LLVMValueRef product = LLVMBuildCall2(b, type, function, (LLVMValueRef[]){bytes, extent}, 2, "");
        is_bad = LLVMBuildOr(b, is_bad, LLVMBuildICmp(b, LLVMIntSLT, extent, emit_i64(e, 0), ""), "");
        is_bad = LLVMBuildOr(b, is_bad, LLVMBuildExtractValue(b, product, 1, ""), "");
        bytes = LLVMBuildExtractValue(b, product, 0, "");
    }
    return LLVMBuildSelect(b, is_bad, emit_i64(e, -1), bytes, "");
}

static void allocate_buffer(Emit *e, const KernelArray *array) {
    LLVMBuilderRef b = e->build.builder;
    LLVMTypeRef pointer = LLVMPointerTypeInContext(e->build.context, 0);
    for (uint32_t i = 0; i < array->rank; i++)
        e->arrays[array->id].extents[i] = emit_uniform(e, array->shape[i]);
    LLVMValueRef slot = emit_alloca(e, pointer), null = LLVMConstNull(pointer);
    LLVMBasicBlockRef here = LLVMGetInsertBlock(b), got = build_block(&e->build, "scratch");
    LLVMPositionBuilderBefore(b, e->entry_end);
    LLVMBuildStore(b, null, slot);
    LLVMPositionBuilderAtEnd(b, here);
    LLVMValueRef arguments[] = {e->ctx, checked_bytes(e, array), emit_i64(e, 0)};
    LLVMValueRef buffer = emit_runtime_call(e, "gmxrt_buffer_new", pointer, arguments, 3);
    LLVMBuildStore(b, buffer, slot);
    vec_push(e->arena, &e->scratch, slot);
    LLVMBasicBlockRef failed = build_block(&e->build, "scratch.failed");
    LLVMBuildCondBr(b, LLVMBuildIsNull(b, buffer, ""), failed, got);
    LLVMPositionBuilderAtEnd(b, failed);
    LLVMBuildStore(b, emit_i32(e, 1), e->status);
    LLVMBuildBr(b, e->leave);
    LLVMPositionBuilderAtEnd(b, got);
    LLVMValueRef offset = emit_i64(e, offsetof(gmxrt_buffer, data));
    LLVMTypeRef byte = LLVMInt8TypeInContext(e->build.context);
    LLVMValueRef place = LLVMBuildInBoundsGEP2(b, byte, buffer, &offset, 1, "");
    e->arrays[array->id].pointer = LLVMBuildLoad2(b, pointer, place, "");
}

void emit_alloc(Emit *e, const KernelStatement *s) {
    enum { STACK_BYTES = 16384 }; /* of scratch; registers always */
    const KernelArray *array = s->array;
    int64_t extents[4], count;
    bool is_constant = constant_shape(e, array, extents, &count);
    if (array->kind == KERNEL_REG && !is_constant)
        emit_fail(e, "a register allocation without a constant shape");
    else if (is_constant &&
             (array->kind == KERNEL_REG || count * dtype_info[array->dtype].bytes <= STACK_BYTES))
        allocate_on_stack(e, array, extents, count);
    else
        allocate_buffer(e, array);
}

void emit_release_from(Emit *e, uint32_t first) {
    LLVMBuilderRef b = e->build.builder;
    LLVMTypeRef pointer = LLVMPointerTypeInContext(e->build.context, 0);
    for (uint32_t i = first; i < e->scratch.count; i++) {
        LLVMValueRef slot = e->scratch.items[i], buffer = LLVMBuildLoad2(b, pointer, slot, "");
        emit_runtime_call(e, "gmxrt_buffer_release", LLVMVoidTypeInContext(e->build.context), &buffer, 1);
        LLVMBuildStore(b, LLVMConstNull(pointer), slot);
    }
}

/* ---- tiles -------------------------------------------------------------------------------------- */

static KernelVariable *tile_index(Emit *e, uint32_t number) {
    KernelVariable *variable = ARENA_NEW(e->arena, KernelVariable);
    variable->kind = KERNEL_INDEX;
    variable->dtype = DTYPE_i64;
    variable->id = e->kernel->next_id - TILE_IDS + number;
    return variable;
}

static KernelStatement *tile_loop(Emit *e, Kernel *kernel, KernelBlock *block, KernelLoop kind,
                                  uint32_t number, int64_t extent) {
    KernelStatement *loop = kernel_statement(kernel, block, KERNEL_FOR);
    loop->loop = kind;
    loop->variable = tile_index(e, number);
    loop->begin = kernel_const_i64(kernel, 0);
    loop->end = kernel_const_i64(kernel, extent);
    return loop;
}

/* c[i, j] = fma(a[i, p], b[p, j], c[i, j]) with j in lanes, unrolled while it stays small. */
void emit_tile_mma(Emit *e, const KernelStatement *s) {
    enum { MOST_UNROLLED = 1024 };
    Kernel kernel = *e->kernel; /* builders only need the arena */
    kernel.arena = e->arena;
    KernelBlock block = {0};
    KernelLoop outer = s->tile[0] * s->tile[2] <= MOST_UNROLLED ? LOOP_UNROLLED : LOOP_SERIAL;
    KernelStatement *p = tile_loop(e, &kernel, &block, outer, 0, s->tile[2]);
    KernelStatement *i = tile_loop(e, &kernel, &p->body, outer, 1, s->tile[0]);
    KernelStatement *j = tile_loop(e, &kernel, &i->body, LOOP_VECTOR, 2, s->tile[1]);
    KernelExpr *ip[] = {kernel_use(&kernel, i->variable), kernel_use(&kernel, p->variable)};
    KernelExpr *pj[] = {kernel_use(&kernel, p->variable), kernel_use(&kernel, j->variable)};
    KernelExpr *ij[] = {ip[0], pj[1]};
    Dtype dtype = s->array->dtype;
    KernelExpr *a = kernel_cast(&kernel, kernel_load(&kernel, s->array2, ip, 2), dtype);
    KernelExpr *b = kernel_cast(&kernel, kernel_load(&kernel, s->array3, pj, 2), dtype);
    KernelExpr *c = kernel_load(&kernel, s->array, ij, 2);
    KernelExpr *sum = dtype_is_float(dtype)
                          ? kernel_op(&kernel, OP_fma, (KernelExpr *[]){a, b, c})
                          : kernel_op2(&kernel, OP_add, kernel_op2(&kernel, OP_mul, a, b), c);
    kernel_store(&kernel, &j->body, s->array, ij, 2, sum);
    emit_block(e, &block);
}
