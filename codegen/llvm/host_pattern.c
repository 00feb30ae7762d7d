/* Patterns of host programs: calls of the runtime that make them, and their arrays. */
#include "codegen/llvm/host.h"
#include "runtime/rt/gmxrt.h"
#include <stdio.h>

#define ORDER(name, ...)                                                                                     \
    _Static_assert((int)IR_ORDER_##name == GMXRT_ORDER_##name,                                               \
                   "the compiler and the runtime agree on orders");
#define PART(name, ...)                                                                                      \
    _Static_assert((int)IR_PART_##name == GMXRT_PART_##name, "the compiler and the runtime agree on parts");
#include "ir/formats.def"

enum { MOST_ARGUMENTS = 12 };

typedef struct Call {
    Host *host;
    const IrNode *node;
    LLVMValueRef arguments[MOST_ARGUMENTS];
    uint32_t count, views;
} Call;

static void add(Call *call, LLVMValueRef argument) {
    call->arguments[call->count++] = argument;
}

/* A pattern by its address, a tensor by a view (contiguous if asked for), a scalar by value. */
static void add_operand(Call *call, uint32_t k, bool contiguous) {
    Host *host = call->host;
    const IrNode *operand = call->node->operands[k];
    HostValue *value = host_value(host, operand);
    if (operand->types[0].kind == IR_PATTERN)
        add(call, value->data);
    else if (ir_rank(operand) == 0)
        add(call, host_scalar(host, operand));
    else
        add(call,
            host_describe(host, call->views++, ir_type(operand),
                          contiguous ? host_contiguous(host, call->node, ir_type(operand), value) : value));
}

static LLVMValueRef out_slot(Call *call) {
    LLVMValueRef slot = LLVMBuildAlloca(call->host->entry, call->host->pointer, "");
    add(call, slot);
    return slot;
}

static void finish(Call *call) {
    Host *host = call->host;
    char name[64];
    snprintf(name, sizeof name, "gmxrt_%s", op_name(call->node->op));
    add(call, host_span(host, call->node));
    HostClock clock = host_profile_begin(host, call->node);
    LLVMValueRef status = host_call(host, name, host->i32, call->arguments, call->count);
    host_fail_if(host, LLVMBuildICmp(host->build.builder, LLVMIntNE, status, LLVMConstNull(host->i32), ""));
    host_profile_end(host, call->node, clock);
}

/* The buffer that a call left in its slot, owned from here on: a pattern, or a tensor. */
static void take_buffer(Host *host, LLVMValueRef slot, HostValue *value) {
    value->buffer = LLVMBuildLoad2(host->build.builder, host->pointer, slot, "");
    value->data = host_load_field(host, host->pointer, value->buffer, offsetof(gmxrt_buffer, data));
    value->root = value;
    host_own(host, value, value->buffer);
}

/* Results: the pattern, buffers of i64, the count of entries. */
static void lower_made(Call *call) {
    Host *host = call->host;
    const IrNode *node = call->node;
    uint32_t buffers = node->result_count > 1 ? node->result_count - 1 : 1;
    LLVMValueRef slots[4];
    for (uint32_t i = 0; i < buffers; i++)
        slots[i] = out_slot(call);
    finish(call);
    HostValue *values = host_new_values(host, node, node->result_count);
    for (uint32_t i = 0; i < buffers; i++)
        take_buffer(host, slots[i], &values[i]);
    if (node->result_count > 1)
        values[buffers].scalar =
            host_load_field(host, host->i64, values[0].data, offsetof(gmxrt_pattern, count));
}

static void lower_part(Call *call) {
    Host *host = call->host;
    const HostValue *pattern = host_value(host, call->node->operands[0]);
    add_operand(call, 0, false);
    add(call, host_const_i64(host, call->node->attributes[0]));
    LLVMValueRef slot = out_slot(call);
    finish(call);
    *host_new_values(host, call->node, 1) =
        (HostValue){.buffer = pattern->buffer,
                    .data = LLVMBuildLoad2(host->build.builder, host->pointer, slot, ""),
                    .root = pattern->root};
}

/* select(x, rows or null, columns or null, …) */
static void add_selection(Call *call) {
    uint32_t next = 1;
    add_operand(call, 0, false);
    for (int64_t bit = 1; bit <= 2; bit *= 2)
        if (call->node->attributes[0] & bit)
            add_operand(call, next++, false);
        else
            add(call, LLVMConstNull(call->host->pointer));
}

static void lower_tensor(Call *call) {
    HostValue *output = host_new_values(call->host, call->node, 1);
    host_allocate(call->host, call->node, &call->node->types[0], output);
    LLVMValueRef view = host_describe(call->host, call->views++, &call->node->types[0], output);
    add(call, view);
    finish(call);
}

void host_pattern(Host *host, const IrNode *node) {
    Call call = {.host = host, .node = node, .arguments = {host->ctx}, .count = 1};
    if (node->op == OP_pattern_part) {
        lower_part(&call);
        return;
    }
    if (node->op == OP_pattern_select)
        add_selection(&call);
    for (uint32_t k = 0; k < node->operand_count && node->op != OP_pattern_select; k++)
        add_operand(&call, k, node->op == OP_sparse_product);
    if (node->op == OP_pattern_make || node->op == OP_pattern_reorder)
        add(&call, host_const_i64(host, node->types[0].order));
    if (node->op == OP_pattern_make)
        add(&call, host_const_i64(host, node->attributes[0]));
    if (node->op == OP_pattern_make)
        add(&call, host_const_i64(host, ir_dtype(node)));
    if (node->types[0].kind == IR_PATTERN)
        lower_made(&call);
    else
        lower_tensor(&call);
}
