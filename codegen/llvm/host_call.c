/* What a host program asks of others: memory, kernels, library functions, print and failing checks. */
#include "codegen/llvm/host.h"
#include "runtime/rt/gmxrt.h"
#include <stdio.h>

static LLVMValueRef is_nonzero(Host *host, LLVMValueRef status) {
    return LLVMBuildICmp(host->build.builder, LLVMIntNE, status, LLVMConstNull(LLVMTypeOf(status)), "");
}

/* ---- memory ------------------------------------------------------------------------------------------ */
/* Writes a type's extents to the frame and returns their address. */
static LLVMValueRef store_shape(Host *host, const IrType *type) {
    LLVMValueRef shape = host_area(host, &host->shapes, 0, 0);
    for (uint32_t k = 0; k < type->rank; k++)
        host_store_field(host, host_extent(host, type, k), shape, k * sizeof(int64_t));
    return shape;
}

static LLVMValueRef bytes_of(Host *host, const IrNode *node, const IrType *type) {
    if (type->rank == 0)
        return host_const_i64(host, dtype_info[type->dtype].bytes);
    LLVMValueRef arguments[] = {LLVMConstInt(host->i32, type->dtype, false),
                                LLVMConstInt(host->i32, type->rank, false), store_shape(host, type)};
    LLVMValueRef bytes = host_call(host, "gmxrt_bytes_of", host->i64, arguments, 3);
    LLVMValueRef negative =
        LLVMBuildICmp(host->build.builder, LLVMIntSLT, bytes, host_const_i64(host, 0), "");
    host_fail_message(host, negative, DIAG_E0306, "the size of a tensor does not fit in memory", node);
    return bytes;
}

void host_allocate(Host *host, const IrNode *node, const IrType *type, HostValue *value) {
    LLVMValueRef arguments[] = {host->ctx, bytes_of(host, node, type), host_span(host, node)};
    value->buffer = host_call(host, "gmxrt_buffer_new", host->pointer, arguments, 3);
    host_fail_if(host, LLVMBuildIsNull(host->build.builder, value->buffer, ""));
    value->data = host_load_field(host, host->pointer, value->buffer, offsetof(gmxrt_buffer, data));
    host_own(host, value->root, value->buffer);
}

/* ---- launches ---------------------------------------------------------------------------------------- */
/* A new buffer with the elements of a contiguous tensor of the same type. */
static void allocate_copy(Host *host, const IrNode *node, const IrType *type, const HostValue *operand,
                          HostValue *output) {
    host_allocate(host, node, type, output);
    LLVMValueRef arguments[] = {host->ctx, host_describe(host, 0, type, operand),
                                host_describe(host, 1, type, output), host_span(host, node)};
    host_fail_if(host, is_nonzero(host, host_call(host, "gmxrt_copy", host->i32, arguments, 4)));
}

/* The output takes the operand's buffer if nobody else refers to it, else a new one; the operand's slot then
 * holds what is to be released after the launch.  starts_filled: the output starts with the operand's
 * elements. */
static void take_over(Host *host, const IrNode *node, const IrType *type, const HostValue *operand,
                      HostValue *output, bool starts_filled) {
    LLVMBuilderRef b = host->build.builder;
    LLVMValueRef address = host_offset(host, operand->buffer, offsetof(gmxrt_buffer, references));
    LLVMValueRef references = LLVMBuildLoad2(b, host->i64, address, "");
    LLVMSetOrdering(references, LLVMAtomicOrderingAcquire);
    LLVMSetAlignment(references, 8);
    LLVMValueRef is_only = LLVMBuildICmp(b, LLVMIntEQ, references, host_const_i64(host, 1), "");
    LLVMBasicBlockRef fresh = build_block(&host->build, "fresh"), reuse = build_block(&host->build, "reuse");
    LLVMBasicBlockRef join = build_block(&host->build, "");
    LLVMBuildCondBr(b, is_only, reuse, fresh);
    LLVMPositionBuilderAtEnd(b, fresh);
    if (starts_filled)
        allocate_copy(host, node, type, operand, output);
    else
        host_allocate(host, node, type, output);
    LLVMBasicBlockRef blocks[] = {LLVMGetInsertBlock(b), reuse};
    LLVMBuildBr(b, join);
    LLVMPositionBuilderAtEnd(b, reuse);
    host_move(host, operand, output);
    LLVMBuildBr(b, join);
    LLVMPositionBuilderAtEnd(b, join);
    LLVMValueRef buffers[] = {output->buffer, operand->buffer}, data[] = {output->data, operand->data};
    LLVMAddIncoming(output->buffer = LLVMBuildPhi(b, host->pointer, ""), buffers, blocks, 2);
    LLVMAddIncoming(output->data = LLVMBuildPhi(b, host->pointer, ""), data, blocks, 2);
}

static LLVMValueRef scalar_slot(Host *host) {
    return LLVMBuildAlloca(host->entry, host->i64, "");
}

/* The address where output `index` goes. */
static LLVMValueRef launch_output(Host *host, const IrNode *node, uint32_t index, HostValue *output) {
    const IrType *type = &node->types[index];
    if (type->rank == 0)
        return scalar_slot(host);
    int64_t taken = 1 + index < node->attribute_count ? node->attributes[1 + index] : -1;
    const HostValue *operand = taken >= 0 ? host_value(host, node->operands[taken]) : NULL;
    bool starts_filled = index == 0 && node->attribute_count == 2 + node->result_count;
    if (operand && operand->buffer && !operand->strides && host_holds(host, operand->root))
        take_over(host, node, type, operand, output, starts_filled);
    else if (starts_filled)
        allocate_copy(host, node, type,
                      host_value(host, node->operands[node->attributes[1 + node->result_count]]), output);
    else
        host_allocate(host, node, type, output);
    return output->data;
}

/* An operand as the kernel gets it: the address of a buffer, or the bits of a scalar. */
static LLVMValueRef launch_operand(Host *host, const Kernel *kernel, const IrNode *operand, uint32_t index) {
    const HostValue *value = host_value(host, operand);
    if (ir_rank(operand) > 0)
        return value->data;
    if (index >= kernel->parameters.count || !kernel->parameters.items[index].array)
        return host_scalar(host, operand);
    LLVMValueRef slot = scalar_slot(host);
    host_store(host, ir_dtype(operand), host_scalar(host, operand), slot);
    return slot;
}

/* Leaves when `status` says that a callee failed.  An error without a place belongs to `node`: kernels know
 * no places, nor does the pool. */
static void fail_on_status(Host *host, const IrNode *node, LLVMValueRef status) {
    LLVMBasicBlockRef next = host_if_rarely(host, is_nonzero(host, status));
    uint64_t field = offsetof(gmxrt_ctx, error) + offsetof(gmxrt_error, span);
    LLVMValueRef span = host_load_field(host, host->i64, host->ctx, field);
    LLVMValueRef place =
        LLVMBuildSelect(host->build.builder, is_nonzero(host, span), span, host_span(host, node), "");
    host_store_field(host, place, host->ctx, field);
    host_fail(host, next);
}

static void call_library(Host *host, const IrNode *node, const char *name, LLVMValueRef *arguments,
                         unsigned count) {
    LLVMValueRef status = host_call(host, name, host->i32, arguments, count);
    /* What was interrupted inside a library function did not finish, whatever the function says. */
    LLVMValueRef code =
        host_load_field(host, host->i32, host->ctx, offsetof(gmxrt_ctx, error) + offsetof(gmxrt_error, code));
    fail_on_status(host, node, LLVMBuildOr(host->build.builder, status, code, ""));
}

static void call_kernel(Host *host, const IrNode *node, LLVMValueRef const *arguments, uint32_t count) {
    for (uint32_t k = 0; k < count; k++)
        LLVMBuildStore(host->build.builder, host_to_bits(host, arguments[k]),
                       host_area(host, &host->arguments, k, sizeof(uint64_t)));
    LLVMValueRef given[] = {host->ctx, host_area(host, &host->arguments, 0, sizeof(uint64_t))};
    LLVMValueRef status =
        host_call(host, host->plan->kernel_symbols[node->attributes[0]], host->i32, given, 2);
    fail_on_status(host, node, status);
}

void host_launch(Host *host, const IrNode *node) {
    const IrModule *module = host->plan->function->module;
    const Kernel *kernel = module->kernels.items[node->attributes[0]];
    uint32_t count = node->operand_count + node->result_count;
    LLVMValueRef *arguments = ARENA_ARRAY(host->arena, LLVMValueRef, count);
    for (uint32_t k = 0; k < node->operand_count; k++)
        arguments[k] = launch_operand(host, kernel, node->operands[k], k);
    HostValue *outputs = host_new_values(host, node, node->result_count);
    for (uint32_t o = 0; o < node->result_count; o++)
        arguments[node->operand_count + o] = launch_output(host, node, o, &outputs[o]);
    if (host->message)
        return;
    HostClock clock = host_profile_begin(host, node);
    call_kernel(host, node, arguments, count);
    host_profile_end(host, node, clock);
    for (uint32_t o = 0; o < node->result_count; o++) {
        if (node->types[o].rank == 0)
            outputs[o].scalar = host_load(host, node->types[o].dtype, arguments[node->operand_count + o]);
        else if (1 + o < node->attribute_count && node->attributes[1 + o] >= 0) /* or what was left of it */
            host_release(host, host_value(host, node->operands[node->attributes[1 + o]]));
    }
}

enum { MOST_OPERANDS = 4 };

/* ---- library calls ----------------------------------------------------------------------------------- */
/* out[..., offset : offset + extent, ...] = operand, one operand after another along the axis */
static void lower_concat(Host *host, const IrNode *node) {
    LLVMBuilderRef b = host->build.builder;
    const IrType *type = &node->types[0];
    uint32_t axis = (uint32_t)node->attributes[0];
    HostClock clock = host_profile_begin(host, node);
    HostValue *output = host_new_values(host, node, 1);
    host_allocate(host, node, type, output);
    LLVMValueRef strides[IR_MAX_RANK], extents[IR_MAX_RANK], data = output->data;
    for (uint32_t k = 0; k < type->rank; k++)
        strides[k] = host_stride(host, type, output, k);
    for (uint32_t i = 0; i < node->operand_count; i++) {
        const IrType *part = &node->operands[i]->types[0];
        for (uint32_t k = 0; k < part->rank; k++)
            extents[k] = host_extent(host, part, k);
        LLVMValueRef arguments[] = {
            host->ctx, host_describe(host, 0, part, host_value(host, node->operands[i])),
            host_describe_parts(host, 1, type->dtype, type->rank, extents, strides, data),
            host_span(host, node)};
        host_fail_if(host, is_nonzero(host, host_call(host, "gmxrt_copy", host->i32, arguments, 4)));
        LLVMValueRef step = LLVMBuildMul(b, extents[axis], strides[axis], "");
        step = LLVMBuildMul(b, step, host_const_i64(host, dtype_info[type->dtype].bytes), "");
        data = LLVMBuildGEP2(b, host->i8, data, &step, 1, "");
    }
    host_profile_end(host, node, clock);
}

/* ---- products ---------------------------------------------------------------------------------------- */
/* The address of kernel attribute `index`, or null. */
static LLVMValueRef kernel_address(Host *host, const IrNode *node, uint32_t index) {
    const char *symbol = host_kernel_symbol(host->plan, node, index);
    LLVMModuleRef module = host->build.module;
    if (!*symbol)
        return LLVMConstNull(host->pointer);
    bool is_lazy = host_kernel_is_lazy(node, index);
    LLVMValueRef known = is_lazy ? LLVMGetNamedGlobal(module, symbol) : LLVMGetNamedFunction(module, symbol);
    if (known)
        return known;
    LLVMTypeRef types[] = {host->pointer, host->pointer};
    return is_lazy ? LLVMAddGlobal(module, host->i8, symbol)
                   : LLVMAddFunction(module, symbol, LLVMFunctionType(host->i32, types, 2, false));
}

_Static_assert(KERNEL_EPILOGUE_RANGE == GMXRT_EPILOGUE_RANGE && KERNEL_EPILOGUE_MOST == GMXRT_EPILOGUE_MOST,
               "the compiler and the runtime agree on epilogues");

/* gmxrt_product(ctx, a, b, out, kernel, epilogue, arguments of the epilogue, their count, span) */
static void lower_product_call(Host *host, const IrNode *node) {
    HostValue *output = host_new_values(host, node, 1);
    host_allocate(host, node, &node->types[0], output);
    uint32_t count = 0;
    if (node->attributes[1] >= 0) {
        const Kernel *epilogue = host->plan->function->module->kernels.items[node->attributes[1]];
        count = epilogue->parameters.count;
        for (uint32_t k = GMXRT_EPILOGUE_RANGE; k < count; k++) {
            bool is_output = k + 1 == count;
            uint32_t given = 2 + k - GMXRT_EPILOGUE_RANGE;
            LLVMValueRef value =
                is_output ? output->data : launch_operand(host, epilogue, node->operands[given], k);
            LLVMBuildStore(host->build.builder, host_to_bits(host, value),
                           host_area(host, &host->arguments, k, sizeof(uint64_t)));
        }
    }
    LLVMValueRef arguments[] = {
        host->ctx,
        host_describe(host, 0, &node->operands[0]->types[0], host_value(host, node->operands[0])),
        host_describe(host, 1, &node->operands[1]->types[0], host_value(host, node->operands[1])),
        host_describe(host, 2, &node->types[0], output),
        kernel_address(host, node, 0),
        kernel_address(host, node, 1),
        host_area(host, &host->arguments, 0, sizeof(uint64_t)),
        host_const_i64(host, count),
        host_span(host, node)};
    for (uint32_t k = 0; k < 2; k++)
        host_profile_operand(host, node, arguments[1 + k]);
    HostClock clock = host_profile_begin(host, node);
    call_library(host, node, "gmxrt_product", arguments, 9);
    host_profile_end(host, node, clock);
}

/* One element stored: in place, or into a copy. */
static void lower_update(Host *host, const IrNode *node) {
    LLVMBuilderRef b = host->build.builder;
    const IrType *type = &node->types[0];
    const HostValue *x = host_contiguous(host, node, type, host_value(host, node->operands[0]));
    HostValue *output = host_new_values(host, node, 1);
    LLVMValueRef offset = host_const_i64(host, 0);
    if (node->attributes[1] && host_holds(host, x->root)) {
        take_over(host, node, type, x, output, true);
        host_release(host, x);
    } else {
        allocate_copy(host, node, type, x, output);
    }
    for (uint32_t k = 0; k < type->rank; k++) {
        LLVMValueRef start = host_scalar(host, ir_update_start(node, k));
        offset = LLVMBuildMul(b, offset, host_extent(host, type, k), "");
        offset = LLVMBuildAdd(b, offset, start, "");
    }
    offset = LLVMBuildMul(b, offset, host_const_i64(host, dtype_info[type->dtype].bytes), "");
    LLVMValueRef address = LLVMBuildGEP2(b, host->i8, output->data, &offset, 1, "");
    host_store(host, type->dtype, host_scalar(host, node->operands[1]), address);
}

/* gmxrt_<op>(ctx, operands…, result, attributes…, span). */
void host_library(Host *host, const IrNode *node) {
    if (node->op == OP_update) {
        lower_update(host, node);
        return;
    }
    if (node->op == OP_concat) {
        lower_concat(host, node);
        return;
    }
    if (node->op == OP_product) {
        lower_product_call(host, node);
        return;
    }
    if (node->op == OP_gather || node->operand_count > MOST_OPERANDS ||
        node->attribute_count > MOST_OPERANDS) {
        host_unsupported(host, "`%s` has no library function", op_name(node->op));
        return;
    }
    LLVMValueRef arguments[2 * MOST_OPERANDS + 3] = {host->ctx};
    HostValue *output = host_new_values(host, node, 1);
    host_allocate(host, node, &node->types[0], output);
    uint32_t views = 0, count = 1;
    for (; views < node->operand_count; views++)
        arguments[count++] = host_describe(host, views, &node->operands[views]->types[0],
                                           host_value(host, node->operands[views]));
    arguments[count++] = host_describe(host, views, &node->types[0], output);
    for (uint32_t k = 0; k < node->attribute_count; k++)
        arguments[count++] = host_const_i64(host, node->attributes[k]);
    arguments[count++] = host_span(host, node);
    char name[64];
    snprintf(name, sizeof name, "gmxrt_%s", op_name(node->op));
    for (uint32_t k = 0; k < node->operand_count && node->op == OP_matmul; k++)
        host_profile_operand(host, node, arguments[1 + k]);
    HostClock clock = host_profile_begin(host, node);
    call_library(host, node, name, arguments, count);
    host_profile_end(host, node, clock);
}

void host_print(Host *host, const IrNode *node) {
    host_new_values(host, node, 1);
    uint32_t count = node->operand_count - 1;
    for (uint32_t k = 0; k < count; k++)
        host_describe(host, k, &node->operands[1 + k]->types[0], host_value(host, node->operands[1 + k]));
    LLVMValueRef format =
        host_bytes(host, node->text ? node->text->text : "", node->text ? node->text->length : 0);
    LLVMValueRef arguments[] = {host->ctx, format, LLVMConstInt(host->i32, count, false),
                                host_area(host, &host->views, 0, sizeof(gmxrt_view)), host_span(host, node)};
    host_fail_if(host, is_nonzero(host, host_call(host, "gmxrt_print", host->i32, arguments, 5)));
}

/* ---- checks ------------------------------------------------------------------------------------------ */
static const char *message_of(const IrNode *node, const char *otherwise) {
    return node->text ? node->text->text : otherwise;
}

static void check_equal(Host *host, const IrNode *node) {
    LLVMValueRef x = host_scalar(host, node->operands[0]), y = host_scalar(host, node->operands[1]);
    host_new_values(host, node, 1)->scalar = x;
    LLVMBasicBlockRef next = host_if_rarely(host, LLVMBuildICmp(host->build.builder, LLVMIntNE, x, y, ""));
    LLVMValueRef arguments[] = {host->ctx, host_text(host, message_of(node, "sizes differ")), x, y,
                                host_span(host, node)};
    host_call(host, "gmxrt_fail_extents", host->i32, arguments, 5);
    host_fail(host, next);
}

/* A tensor of indices: the checked ones are a new tensor. */
static void check_indices(Host *host, const IrNode *node) {
    const IrNode *indices = node->operands[0];
    HostValue *output = host_new_values(host, node, 1);
    host_allocate(host, node, &node->types[0], output);
    LLVMValueRef arguments[] = {host->ctx,
                                host_describe(host, 0, &indices->types[0], host_value(host, indices)),
                                host_scalar(host, node->operands[1]),
                                host_const_i64(host, node->attributes[0]),
                                host_describe(host, 1, &node->types[0], output),
                                host_span(host, node)};
    HostClock clock = host_profile_begin(host, node);
    host_fail_if(host, is_nonzero(host, host_call(host, "gmxrt_check_index", host->i32, arguments, 6)));
    host_profile_end(host, node, clock);
}

static void check_index(Host *host, const IrNode *node) {
    if (ir_rank(node) != 0) {
        check_indices(host, node);
        return;
    }
    LLVMBuilderRef b = host->build.builder;
    LLVMValueRef index = host_scalar(host, node->operands[0]), extent = host_scalar(host, node->operands[1]);
    LLVMValueRef is_negative = LLVMBuildICmp(b, LLVMIntSLT, index, host_const_i64(host, 0), "");
    LLVMValueRef wrapped = LLVMBuildSelect(b, is_negative, LLVMBuildAdd(b, index, extent, ""), index, "");
    LLVMBasicBlockRef next = host_if_rarely(host, LLVMBuildICmp(b, LLVMIntUGE, wrapped, extent, ""));
    LLVMValueRef arguments[] = {host->ctx, index, extent, host_const_i64(host, node->attributes[0]),
                                host_span(host, node)};
    host_call(host, "gmxrt_fail_index", host->i32, arguments, 5);
    host_fail(host, next);
    host_new_values(host, node, 1)->scalar = wrapped;
}

void host_check(Host *host, const IrNode *node) {
    if (node->op == OP_check_equal) {
        check_equal(host, node);
    } else if (node->op == OP_check_index) {
        check_index(host, node);
    } else {
        LLVMValueRef fails = LLVMBuildNot(host->build.builder, host_scalar(host, node->operands[0]), "");
        host_fail_message(host, fails, (DiagCode)node->attributes[0], message_of(node, "a check failed"),
                          node);
        host->values[node->id] = host_value(host, node->operands[1]);
    }
}

/* ---- results ----------------------------------------------------------------------------------------- */
static LLVMValueRef make_tensor(Host *host, const IrType *type, const HostValue *value) {
    LLVMValueRef shape = store_shape(host, type);
    LLVMValueRef strides = host_offset(host, shape, GMXRT_MAX_RANK * sizeof(int64_t));
    for (uint32_t k = 0; k < type->rank; k++)
        host_store_field(host, host_stride(host, type, value, k), strides, k * sizeof(int64_t));
    LLVMValueRef arguments[] = {host->ctx,
                                value->buffer,
                                value->data,
                                LLVMConstInt(host->i32, type->dtype, false),
                                LLVMConstInt(host->i32, type->rank, false),
                                shape,
                                strides};
    return host_call(host, "gmxrt_tensor_make", host->pointer, arguments, 7);
}

void host_return(Host *host, const IrNode *node, uint32_t index) {
    const IrType *type = &node->types[0];
    const HostValue *value = host_value(host, node);
    if (type->rank == 0) {
        HostValue *stored = ARENA_NEW(host->arena, HostValue);
        stored->root = stored;
        LLVMValueRef scalar = host_scalar(host, node);
        host_allocate(host, node, type, stored);
        host_store(host, type->dtype, scalar, stored->data);
        value = stored;
    }
    LLVMValueRef tensor = make_tensor(host, type, value);
    host_store_field(host, tensor, host->results, index * sizeof(void *));
    host_fail_if(host, LLVMBuildIsNull(host->build.builder, tensor, ""));
    host_release(host, value);
}
