/* Tensors of host programs and views of them: arithmetic on data pointers and strides, no code that moves
 * data except where a layout must become contiguous. */
#include "codegen/llvm/host.h"
#include "runtime/rt/gmxrt.h"

LLVMValueRef host_stride(Host *host, const IrType *type, const HostValue *value, uint32_t axis) {
    if (value->strides)
        return value->strides[axis];
    LLVMValueRef stride = host_const_i64(host, 1);
    for (uint32_t k = axis + 1; k < type->rank; k++)
        stride = LLVMBuildMul(host->build.builder, stride, host_extent(host, type, k), "");
    return stride;
}

/* ---- descriptors ------------------------------------------------------------------------------------- */
LLVMValueRef host_describe_parts(Host *host, uint32_t index, Dtype dtype, uint32_t rank,
                                 LLVMValueRef const *extents, LLVMValueRef const *strides,
                                 LLVMValueRef data) {
    LLVMValueRef view = host_area(host, &host->views, index, sizeof(gmxrt_view));
    host_store_field(host, data, view, offsetof(gmxrt_view, data));
    host_store_field(host, LLVMConstInt(host->i32, dtype, false), view, offsetof(gmxrt_view, dtype));
    host_store_field(host, LLVMConstInt(host->i32, rank, false), view, offsetof(gmxrt_view, rank));
    LLVMValueRef contiguous = host_const_i64(host, 1);
    for (uint32_t k = rank; k-- > 0;) {
        host_store_field(host, extents[k], view, offsetof(gmxrt_view, shape) + k * sizeof(int64_t));
        host_store_field(host, strides ? strides[k] : contiguous, view,
                         offsetof(gmxrt_view, strides) + k * sizeof(int64_t));
        if (!strides && k > 0)
            contiguous = LLVMBuildMul(host->build.builder, contiguous, extents[k], "");
    }
    return view;
}

LLVMValueRef host_describe(Host *host, uint32_t index, const IrType *type, const HostValue *value) {
    LLVMValueRef extents[IR_MAX_RANK], data = value->data;
    for (uint32_t k = 0; k < type->rank; k++)
        extents[k] = host_extent(host, type, k);
    if (type->rank == 0) {
        data = LLVMBuildAlloca(host->entry, LLVMArrayType2(host->i64, 2), ""); /* of any dtype */
        host_store(host, type->dtype, value->scalar, data);
    }
    return host_describe_parts(host, index, type->dtype, type->rank, extents, value->strides, data);
}

/* ---- changes of layout ------------------------------------------------------------------------------- */
HostValue *host_contiguous(Host *host, const IrNode *node, const IrType *type, HostValue *value) {
    if (!value->strides)
        return value;
    HostValue *copy = ARENA_NEW(host->arena, HostValue);
    copy->root = copy;
    host_allocate(host, node, type, copy);
    LLVMValueRef arguments[] = {host->ctx, host_describe(host, 0, type, value),
                                host_describe(host, 1, type, copy), host_span(host, node)};
    LLVMValueRef status = host_call(host, "gmxrt_copy", host->i32, arguments, 4);
    host_fail_if(host, LLVMBuildICmp(host->build.builder, LLVMIntNE, status, LLVMConstNull(host->i32), ""));
    return copy;
}

/* A scalar that is looked at as a tensor gets memory of its own. */
static HostValue *scalar_in_memory(Host *host, const IrNode *node, const HostValue *value) {
    HostValue *stored = ARENA_NEW(host->arena, HostValue);
    stored->root = stored;
    const IrType type = {.kind = IR_TENSOR, .dtype = ir_dtype(node->operands[0])};
    host_allocate(host, node, &type, stored);
    host_store(host, type.dtype, value->scalar, stored->data);
    return stored;
}

static HostValue *view_operand(Host *host, const IrNode *node) {
    HostValue *value = host_value(host, node->operands[0]);
    return ir_rank(node->operands[0]) == 0 ? scalar_in_memory(host, node, value) : value;
}

/* A view without axes is a scalar: it is read here. */
static void finish_view(Host *host, const IrNode *node, const HostValue *source, LLVMValueRef data,
                        LLVMValueRef *strides) {
    HostValue *value = host_new_values(host, node, 1);
    if (ir_rank(node) == 0) {
        value->scalar = host_load(host, ir_dtype(node), data);
        return;
    }
    bool is_contiguous = !source->strides && ir_view_is_dense(node);
    *value = (HostValue){.buffer = source->buffer,
                         .data = data,
                         .strides = is_contiguous ? NULL : strides,
                         .root = source->root};
}

/* ---- the views --------------------------------------------------------------------------------------- */
static void lower_permute(Host *host, const IrNode *node) {
    const IrNode *x = node->operands[0];
    const HostValue *source = view_operand(host, node);
    uint32_t rank = ir_rank(node);
    LLVMValueRef *strides = ARENA_ARRAY(host->arena, LLVMValueRef, rank);
    for (uint32_t k = 0; k < rank; k++)
        strides[k] = host_stride(host, &x->types[0], source, (uint32_t)node->attributes[k]);
    finish_view(host, node, source, source->data, strides);
}

static bool is_dropped(const IrNode *node, uint32_t axis) {
    for (uint32_t i = 0; i < node->attribute_count; i++)
        if (node->attributes[i] == axis)
            return true;
    return false;
}

static void lower_slice(Host *host, const IrNode *node) {
    LLVMBuilderRef b = host->build.builder;
    const IrNode *x = node->operands[0];
    const HostValue *source = view_operand(host, node);
    LLVMValueRef *strides = ARENA_ARRAY(host->arena, LLVMValueRef, ir_rank(x));
    LLVMValueRef offset = host_const_i64(host, 0);
    uint32_t rank = 0;
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        LLVMValueRef stride = host_stride(host, &x->types[0], source, k);
        LLVMValueRef start = host_scalar(host, node->operands[1 + 3 * k]);
        offset = LLVMBuildAdd(b, offset, LLVMBuildMul(b, start, stride, ""), "");
        if (!is_dropped(node, k))
            strides[rank++] = LLVMBuildMul(b, stride, host_scalar(host, node->operands[3 + 3 * k]), "");
    }
    offset = LLVMBuildMul(b, offset, host_const_i64(host, dtype_info[ir_dtype(x)].bytes), "");
    LLVMValueRef data = LLVMBuildGEP2(b, host->i8, source->data, &offset, 1, "");
    finish_view(host, node, source, data, strides);
}

/* The stride of an operand axis seen with a larger extent: 0 when it repeats. */
static LLVMValueRef repeated_stride(Host *host, const IrNode *x, const HostValue *source, uint32_t axis,
                                    const IrNode *wanted) {
    const IrNode *extent = x->types[0].dims[axis];
    LLVMValueRef stride = host_stride(host, &x->types[0], source, axis);
    if (extent == wanted)
        return stride;
    LLVMBuilderRef b = host->build.builder;
    LLVMValueRef is_one = LLVMBuildICmp(b, LLVMIntEQ, host_scalar(host, extent), host_const_i64(host, 1), "");
    return LLVMBuildSelect(b, is_one, host_const_i64(host, 0), stride, "");
}

static void lower_broadcast(Host *host, const IrNode *node) {
    const IrNode *x = node->operands[0];
    const HostValue *source = view_operand(host, node);
    uint32_t rank = ir_rank(node);
    LLVMValueRef *strides = ARENA_ARRAY(host->arena, LLVMValueRef, rank);
    for (uint32_t k = 0; k < rank; k++)
        strides[k] = host_const_i64(host, 0);
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        uint32_t axis = (uint32_t)node->attributes[k];
        strides[axis] = repeated_stride(host, x, source, k, node->types[0].dims[axis]);
    }
    finish_view(host, node, source, source->data, strides);
}

static void lower_window(Host *host, const IrNode *node) {
    LLVMBuilderRef b = host->build.builder;
    const IrNode *x = node->operands[0];
    const HostValue *source = view_operand(host, node);
    LLVMValueRef *strides = ARENA_ARRAY(host->arena, LLVMValueRef, ir_rank(node));
    LLVMValueRef offset = host_const_i64(host, 0), steps[IR_MAX_RANK];
    for (uint32_t k = 0; k < ir_rank(node); k++)
        strides[k] = host_const_i64(host, 0);
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        steps[k] = host_stride(host, &x->types[0], source, k);
        LLVMValueRef start = host_scalar(host, ir_window_offset(node, k));
        offset = LLVMBuildAdd(b, offset, LLVMBuildMul(b, start, steps[k], ""), "");
    }
    for (uint32_t i = 0; i < node->attribute_count / 2; i++) {
        IrWindowTerm term = ir_window_term(node, i);
        LLVMValueRef stride = LLVMBuildMul(b, steps[term.axis], host_scalar(host, term.step), "");
        strides[term.result_axis] = LLVMBuildAdd(b, strides[term.result_axis], stride, "");
    }
    offset = LLVMBuildMul(b, offset, host_const_i64(host, dtype_info[ir_dtype(x)].bytes), "");
    LLVMValueRef data = LLVMBuildGEP2(b, host->i8, source->data, &offset, 1, "");
    finish_view(host, node, source, data, strides);
}

static void lower_reshape(Host *host, const IrNode *node) {
    const IrNode *x = node->operands[0];
    const HostValue *source = host_contiguous(host, node, &x->types[0], view_operand(host, node));
    finish_view(host, node, source, source->data, NULL);
}

void host_view(Host *host, const IrNode *node) {
    if (ir_rank(node) == 0 && ir_rank(node->operands[0]) == 0) {
        host_new_values(host, node, 1)->scalar = host_scalar(host, node->operands[0]);
        return;
    }
    switch (node->op) {
    case OP_permute:
        lower_permute(host, node);
        return;
    case OP_slice:
        lower_slice(host, node);
        return;
    case OP_broadcast:
        lower_broadcast(host, node);
        return;
    case OP_window:
        lower_window(host, node);
        return;
    case OP_reshape:
        lower_reshape(host, node);
        return;
    default:
        host_unsupported(host, "the view `%s` has no lowering", op_name(node->op));
    }
}
