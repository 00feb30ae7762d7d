/* The frame of a host function: entry, the way out, slots of owned buffers, and the dispatch over nodes. */
#include "codegen/llvm/host.h"
#include "runtime/rt/gmxrt.h"
#include <stdio.h>

enum { HOST_FRAME_PADDING = 1 }; /* areas hold at least one element */

void host_unsupported(Host *host, const char *format, ...) {
    va_list list;
    va_start(list, format);
    if (!host->message)
        host->message = arena_format_list(host->arena, format, list);
    va_end(list);
}

/* ---- values ------------------------------------------------------------------------------------------ */
HostValue *host_new_values(Host *host, const IrNode *node, uint32_t count) {
    HostValue *values = ARENA_ARRAY(host->arena, HostValue, count);
    for (uint32_t i = 0; i < count; i++)
        values[i].root = &values[i];
    return host->values[node->id] = values;
}

LLVMValueRef host_const_i64(Host *host, int64_t value) {
    return LLVMConstInt(host->i64, (uint64_t)value, true);
}

/* Constants and extents of parameters are available from the entry block on, wherever they stand. */
static void entry_value(Host *host, const IrNode *node) {
    LLVMBuilderRef here = host->build.builder;
    host->build.builder = host->entry;
    HostValue *value = host_new_values(host, node, 1);
    if (node->op == OP_const) {
        int32_t slot = host->plan->constant_slot[node->id];
        LLVMValueRef bits =
            slot < 0 ? LLVMConstInt(host->i64, (uint64_t)node->attributes[0], false)
                     : host_load_field(host, host->i64, host->table, (uint64_t)slot * sizeof(uint64_t));
        value->scalar = host_from_bits(host, ir_dtype(node), bits);
    } else {
        LLVMValueRef tensor = host_load_field(host, host->pointer, host->parameters,
                                              sizeof(void *) * (uint64_t)node->operands[0]->attributes[0]);
        uint64_t field = node->op == OP_dim ? offsetof(gmxrt_tensor, shape) : offsetof(gmxrt_tensor, strides);
        value->scalar =
            host_load_field(host, host->i64, tensor, field + sizeof(int64_t) * (uint64_t)node->attributes[0]);
    }
    host->build.builder = here;
}

static bool is_entry_node(const Host *host, const IrNode *node) {
    if (node->op == OP_const)
        return true;
    return (node->op == OP_dim || node->op == OP_stride) && node->operands[0]->op == OP_param &&
           node->operands[0]->region == host->plan->function->body;
}

HostValue *host_value(Host *host, const IrNode *node) {
    if (!host->values[node->id] && is_entry_node(host, node))
        entry_value(host, node);
    if (host->values[node->id])
        return host->values[node->id];
    host_unsupported(host, "the value of `%s` is used before it is computed", op_name(node->op));
    return &host->missing;
}

LLVMValueRef host_scalar(Host *host, const IrNode *node) {
    LLVMValueRef scalar = host_value(host, node)->scalar;
    if (scalar)
        return scalar;
    host_unsupported(host, "`%s` gives no scalar where one is needed", op_name(node->op));
    return LLVMGetPoison(host_type(host, ir_dtype(node)));
}

LLVMValueRef host_extent(Host *host, const IrType *type, uint32_t axis) {
    return host_scalar(host, type->dims[axis]);
}

LLVMValueRef host_span(Host *host, const IrNode *node) {
    int32_t slot = host->plan->span_slot[node->id];
    return slot < 0 ? host_const_i64(host, 0)
                    : host_load_field(host, host->i64, host->table, (uint64_t)slot * sizeof(uint64_t));
}

LLVMValueRef host_bytes(Host *host, const char *text, size_t length) {
    LLVMValueRef value = LLVMConstStringInContext2(host->build.context, text, length, false);
    LLVMValueRef global = LLVMAddGlobal(host->build.module, LLVMTypeOf(value), "text");
    LLVMSetInitializer(global, value);
    LLVMSetGlobalConstant(global, true);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    LLVMSetUnnamedAddress(global, LLVMGlobalUnnamedAddr); /* equal texts may be one */
    return global;
}

LLVMValueRef host_text(Host *host, const char *text) {
    return host_bytes(host, text, strlen(text));
}

/* ---- memory and calls -------------------------------------------------------------------------------- */
LLVMValueRef host_offset(Host *host, LLVMValueRef address, uint64_t bytes) {
    LLVMValueRef index = LLVMConstInt(host->i64, bytes, false);
    return LLVMBuildGEP2(host->build.builder, host->i8, address, &index, 1, "");
}

LLVMValueRef host_load_field(Host *host, LLVMTypeRef type, LLVMValueRef address, uint64_t bytes) {
    return LLVMBuildLoad2(host->build.builder, type, host_offset(host, address, bytes), "");
}

void host_store_field(Host *host, LLVMValueRef value, LLVMValueRef address, uint64_t bytes) {
    LLVMBuildStore(host->build.builder, value, host_offset(host, address, bytes));
}

LLVMValueRef host_call(Host *host, const char *name, LLVMTypeRef result, LLVMValueRef *arguments,
                       unsigned count) {
    LLVMTypeRef types[16];
    for (unsigned i = 0; i < count; i++)
        types[i] = LLVMTypeOf(arguments[i]);
    LLVMTypeRef type = LLVMFunctionType(result, types, count, false);
    LLVMValueRef function = LLVMGetNamedFunction(host->build.module, name);
    if (!function)
        function = LLVMAddFunction(host->build.module, name, type);
    return LLVMBuildCall2(host->build.builder, type, function, arguments, count, "");
}

/* The area's place is a stand-in until its size is known (frame_area). */
LLVMValueRef host_area(Host *host, HostArea *area, uint32_t index, uint32_t size) {
    if (index >= area->used)
        area->used = index + 1;
    return host_offset(host, area->place, (uint64_t)index * size);
}

static void begin_area(Host *host, HostArea *area) {
    area->place = LLVMBuildAlloca(host->entry, host->i8, "");
}

static LLVMValueRef finish_area(Host *host, HostArea *area, uint32_t size) {
    uint32_t count = area->used ? area->used : HOST_FRAME_PADDING;
    LLVMPositionBuilderBefore(host->entry, area->place);
    LLVMTypeRef type = LLVMArrayType2(host->i8, (uint64_t)count * size);
    LLVMValueRef place = LLVMBuildAlloca(host->entry, type, "");
    LLVMSetAlignment(place, 64);
    LLVMReplaceAllUsesWith(area->place, place);
    LLVMInstructionEraseFromParent(area->place);
    return area->place = place;
}

/* ---- failure ----------------------------------------------------------------------------------------- */
LLVMBasicBlockRef host_if_rarely(Host *host, LLVMValueRef condition) {
    LLVMBasicBlockRef cold = build_block(&host->build, "rare"), next = build_block(&host->build, "");
    build_branch_unlikely(&host->build, condition, cold, next);
    LLVMPositionBuilderAtEnd(host->build.builder, cold);
    return next;
}

void host_fail(Host *host, LLVMBasicBlockRef next) {
    LLVMBuildBr(host->build.builder, host->failure);
    LLVMPositionBuilderAtEnd(host->build.builder, next);
}

void host_fail_if(Host *host, LLVMValueRef condition) {
    LLVMBasicBlockRef next = host_if_rarely(host, condition);
    host_fail(host, next);
}

void host_fail_message(Host *host, LLVMValueRef condition, DiagCode code, const char *text,
                       const IrNode *node) {
    LLVMBasicBlockRef next = host_if_rarely(host, condition);
    LLVMValueRef arguments[] = {host->ctx, LLVMConstInt(host->i32, code, false), host_text(host, text),
                                host_span(host, node)};
    host_call(host, "gmxrt_fail_message", host->i32, arguments, 4);
    host_fail(host, next);
}

/* ---- ownership --------------------------------------------------------------------------------------- */
static LLVMValueRef slot_address(Host *host, uint32_t slot) {
    return host_area(host, &host->slots, slot, sizeof(void *));
}

void host_own(Host *host, const HostValue *root, LLVMValueRef buffer) {
    uint32_t slot =
        host->free_slots.count ? host->free_slots.items[--host->free_slots.count] : host->slot_count++;
    LLVMBuildStore(host->build.builder, buffer, slot_address(host, slot));
    vec_push(host->arena, &host->live, ((HostReference){root, slot}));
}

static int32_t find_reference(const Host *host, const HostValue *root) {
    for (uint32_t i = host->live.count; i-- > host->loop_mark;)
        if (host->live.items[i].root == root)
            return (int32_t)i;
    return -1;
}

bool host_holds(const Host *host, const HostValue *root) {
    return find_reference(host, root) >= 0;
}

/* Empties the slot of live reference `index` and forgets the reference. */
static void drop_reference(Host *host, uint32_t index) {
    uint32_t slot = host->live.items[index].slot;
    LLVMBuildStore(host->build.builder, LLVMConstNull(host->pointer), slot_address(host, slot));
    memmove(host->live.items + index, host->live.items + index + 1,
            (host->live.count - index - 1) * sizeof *host->live.items);
    host->live.count--;
    vec_push(host->arena, &host->free_slots, slot);
}

void host_give(Host *host, const HostValue *value) {
    int32_t index = find_reference(host, value->root);
    if (index >= 0) {
        drop_reference(host, (uint32_t)index);
        return;
    }
    LLVMValueRef buffer = value->buffer;
    host_call(host, "gmxrt_buffer_retain", LLVMVoidTypeInContext(host->build.context), &buffer, 1);
}

void host_move(Host *host, const HostValue *from, const HostValue *to) {
    int32_t source = find_reference(host, from->root), target = find_reference(host, to->root);
    LLVMBuildStore(host->build.builder, from->buffer, slot_address(host, host->live.items[target].slot));
    LLVMBuildStore(host->build.builder, LLVMConstNull(host->pointer),
                   slot_address(host, host->live.items[source].slot));
}

static void release_reference(Host *host, uint32_t index) {
    LLVMValueRef buffer = LLVMBuildLoad2(host->build.builder, host->pointer,
                                         slot_address(host, host->live.items[index].slot), "");
    host_call(host, "gmxrt_buffer_release", LLVMVoidTypeInContext(host->build.context), &buffer, 1);
    drop_reference(host, index);
}

void host_release(Host *host, const HostValue *value) {
    int32_t index = find_reference(host, value->root);
    if (index >= 0)
        release_reference(host, (uint32_t)index);
}

void host_release_since(Host *host, uint32_t mark) {
    while (host->live.count > mark)
        release_reference(host, host->live.count - 1);
}

/* ---- nodes ------------------------------------------------------------------------------------------- */
static void lower_retain(Host *host, const IrNode *node) {
    const HostValue *operand = host_value(host, node->operands[0]);
    HostValue *value = host_new_values(host, node, 1);
    *value = *operand; /* the same root: references to one buffer are interchangeable */
    if (!operand->buffer)
        return;
    LLVMValueRef buffer = operand->buffer;
    host_call(host, "gmxrt_buffer_retain", LLVMVoidTypeInContext(host->build.context), &buffer, 1);
    host_own(host, value->root, buffer);
}

static void lower_result(Host *host, const IrNode *node) {
    host->values[node->id] = host_value(host, node->operands[0]) + node->attributes[0];
}

static void lower_control(Host *host, const IrNode *node) {
    switch (node->op) {
    case OP_const:
    case OP_dim:
    case OP_stride:
        if (!host->values[node->id] && !is_entry_node(host, node))
            host_new_values(host, node, 1)->scalar =
                node->op == OP_dim
                    ? host_extent(host, &node->operands[0]->types[0], (uint32_t)node->attributes[0])
                    : host_stride(host, &node->operands[0]->types[0], host_value(host, node->operands[0]),
                                  (uint32_t)node->attributes[0]);
        return;
    case OP_token:
        host_new_values(host, node, 1);
        return;
    case OP_cast:
        host_cast(host, node);
        return;
    case OP_result:
        lower_result(host, node);
        return;
    case OP_if:
        host_if(host, node);
        return;
    case OP_for:
    case OP_while:
        host_loop(host, node);
        return;
    case OP_after: { /* its reader owns nothing: the same root */
        const HostValue *x = host_value(host, node->operands[0]);
        *host_new_values(host, node, 1) = *x;
        return;
    }
    case OP_check_equal:
    case OP_check_true:
    case OP_check_index:
        host_check(host, node);
        return;
    case OP_print:
        host_print(host, node);
        return;
    case OP_launch:
        host_launch(host, node);
        return;
    case OP_retain:
        lower_retain(host, node);
        return;
    case OP_release:
        host_release(host, host_value(host, node->operands[0]));
        return;
    default:
        host_unsupported(host, "`%s` was not scheduled into a kernel", op_name(node->op));
    }
}

static void lower_node(Host *host, const IrNode *node) {
    switch (op_info[node->op].class) {
    case CLASS_ELEMENTWISE:
        host_elementwise(host, node);
        return;
    case CLASS_VIEW:
        host_view(host, node);
        return;
    case CLASS_CALL:
        host_library(host, node);
        return;
    case CLASS_PATTERN:
        host_pattern(host, node);
        return;
    case CLASS_CONTROL:
        lower_control(host, node);
        return;
    default:
        host_unsupported(host, "`%s` was not scheduled into a kernel", op_name(node->op));
    }
}

void host_region(Host *host, const IrRegion *region) {
    for (uint32_t i = 0; i < region->nodes.count && !host->message; i++)
        lower_node(host, region->nodes.items[i]);
}

/* ---- the function ------------------------------------------------------------------------------------ */
static void bind_parameter(Host *host, const IrNode *node, uint32_t position, bool contiguous) {
    HostValue *value = host_new_values(host, node, 1);
    LLVMValueRef tensor =
        host_load_field(host, host->pointer, host->parameters, sizeof(void *) * (uint64_t)position);
    LLVMValueRef data = host_load_field(host, host->pointer, tensor, offsetof(gmxrt_tensor, data));
    uint32_t rank = ir_rank(node);
    if (rank == 0) {
        value->scalar = host_load(host, ir_dtype(node), data);
        return;
    }
    value->data = data;
    value->buffer = host_load_field(host, host->pointer, tensor, offsetof(gmxrt_tensor, buffer));
    if (contiguous)
        return;
    value->strides = ARENA_ARRAY(host->arena, LLVMValueRef, rank);
    for (uint32_t k = 0; k < rank; k++)
        value->strides[k] =
            host_load_field(host, host->i64, tensor, offsetof(gmxrt_tensor, strides) + k * sizeof(int64_t));
}

static void begin_frame(Host *host, LLVMValueRef function, LLVMValueRef fixed_table) {
    LLVMContextRef context = host->build.context;
    host->ctx = LLVMGetParam(function, 0);
    host->parameters = LLVMGetParam(function, 1);
    host->results = LLVMGetParam(function, 2);
    host->table = fixed_table ? fixed_table : LLVMGetParam(function, 3);
    LLVMBasicBlockRef entry = LLVMAppendBasicBlockInContext(context, function, "entry");
    LLVMBasicBlockRef body = LLVMAppendBasicBlockInContext(context, function, "body");
    host->failure = LLVMAppendBasicBlockInContext(context, function, "failure");
    host->entry = LLVMCreateBuilderInContext(context);
    host->build.builder = LLVMCreateBuilderInContext(context);
    LLVMPositionBuilderAtEnd(host->entry, entry);
    begin_area(host, &host->slots);
    begin_area(host, &host->views);
    begin_area(host, &host->arguments);
    begin_area(host, &host->shapes);
    LLVMPositionBuilderAtEnd(host->build.builder, body);
}

/* for (i in 0 .. slot_count) gmxrt_buffer_release(slots[i]); a loop, so that the slots stay in memory and
 * failure has no phi per slot. */
static void release_slots(Host *host) {
    LLVMBuilderRef b = host->build.builder;
    if (!host->slot_count)
        return;
    LLVMBasicBlockRef before = LLVMGetInsertBlock(b), loop = build_block(&host->build, "release");
    LLVMBasicBlockRef after = build_block(&host->build, "released");
    LLVMBuildBr(b, loop);
    LLVMPositionBuilderAtEnd(b, loop);
    LLVMValueRef index = LLVMBuildPhi(b, host->i64, "");
    LLVMValueRef address =
        LLVMBuildGEP2(b, host->pointer, host_area(host, &host->slots, 0, sizeof(void *)), &index, 1, "");
    LLVMValueRef buffer = LLVMBuildLoad2(b, host->pointer, address, "");
    host_call(host, "gmxrt_buffer_release", LLVMVoidTypeInContext(host->build.context), &buffer, 1);
    LLVMValueRef next = LLVMBuildAdd(b, index, host_const_i64(host, 1), "");
    LLVMValueRef values[] = {host_const_i64(host, 0), next};
    LLVMBasicBlockRef blocks[] = {before, loop};
    LLVMAddIncoming(index, values, blocks, 2);
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntULT, next, host_const_i64(host, host->slot_count), ""), loop,
                    after);
    LLVMPositionBuilderAtEnd(b, after);
}

/* results[k] that were made before a later one failed go back. */
static void release_results(Host *host, uint32_t count) {
    LLVMBuilderRef b = host->build.builder;
    for (uint32_t k = 0; k < count; k++) {
        LLVMValueRef tensor = host_load_field(host, host->pointer, host->results, k * sizeof(void *));
        LLVMBasicBlockRef made = build_block(&host->build, ""), next = build_block(&host->build, "");
        LLVMBuildCondBr(b, LLVMBuildIsNull(b, tensor, ""), next, made);
        LLVMPositionBuilderAtEnd(b, made);
        host_call(host, "gmxrt_tensor_release", LLVMVoidTypeInContext(host->build.context), &tensor, 1);
        host_store_field(host, LLVMConstNull(host->pointer), host->results, k * sizeof(void *));
        LLVMBuildBr(b, next);
        LLVMPositionBuilderAtEnd(b, next);
    }
}

static void finish_frame(Host *host, uint32_t result_count) {
    LLVMBuilderRef b = host->build.builder;
    release_slots(host);
    LLVMBuildRet(b, LLVMConstInt(host->i32, 0, false));
    LLVMPositionBuilderAtEnd(b, host->failure);
    release_slots(host);
    release_results(host, result_count);
    LLVMBuildRet(b, LLVMConstInt(host->i32, 1, false));
    /* entry: empty slots and results, then the body */
    LLVMBasicBlockRef entry = LLVMGetInsertBlock(host->entry);
    LLVMValueRef slots = finish_area(host, &host->slots, sizeof(void *));
    finish_area(host, &host->views, sizeof(gmxrt_view));
    finish_area(host, &host->arguments, sizeof(uint64_t));
    finish_area(host, &host->shapes, 2 * GMXRT_MAX_RANK * sizeof(int64_t));
    LLVMPositionBuilderAtEnd(host->entry, entry);
    LLVMBuildMemSet(host->entry, slots, LLVMConstInt(host->i8, 0, false),
                    host_const_i64(host, (int64_t)sizeof(void *) * (host->slot_count ? host->slot_count : 1)),
                    8);
    host->build.builder = host->entry;
    for (uint32_t k = 0; k < result_count; k++)
        host_store_field(host, LLVMConstNull(host->pointer), host->results, k * sizeof(void *));
    host->build.builder = b;
    LLVMBuildBr(host->entry, LLVMGetNextBasicBlock(entry));
}

static void lower_body(Host *host) {
    const IrFunction *function = host->plan->function;
    const IrRegion *body = function->body;
    LLVMBuilderRef here = host->build.builder;
    host->build.builder = host->entry;
    for (uint32_t i = 0; i < body->parameters.count; i++)
        if (body->parameters.items[i]->types[0].kind != IR_TOKEN)
            bind_parameter(host, body->parameters.items[i], i,
                           function->parameter_contiguous && function->parameter_contiguous[i]);
        else
            host_new_values(host, body->parameters.items[i], 1);
    host->build.builder = here;
    host_region(host, body);
    uint32_t count = 0;
    for (uint32_t i = 0; i < body->results.count && !host->message; i++)
        if (body->results.items[i]->types[0].kind != IR_TOKEN)
            host_return(host, body->results.items[i], count++);
    finish_frame(host, count);
}

LLVMValueRef host_emit(LlvmUnit *unit, const HostPlan *plan, const char *symbol, LLVMValueRef fixed_table,
                       Arena *arena, const char **message) {
    LLVMContextRef context = unit->context;
    Host host = {.unit = unit, .arena = arena, .plan = plan};
    host.i1 = LLVMInt1TypeInContext(context);
    host.i8 = LLVMInt8TypeInContext(context);
    host.i32 = LLVMInt32TypeInContext(context);
    host.i64 = LLVMInt64TypeInContext(context);
    host.pointer = LLVMPointerTypeInContext(context, 0);
    LLVMTypeRef types[] = {host.pointer, host.pointer, host.pointer, host.pointer};
    LLVMValueRef function =
        LLVMAddFunction(unit->module, symbol, LLVMFunctionType(host.i32, types, 4, false));
    target_attributes(unit->target, function);
    host.build = (LlvmBuild){.context = context, .module = unit->module, .function = function};
    host.missing.buffer = host.missing.data = LLVMGetPoison(host.pointer);
    host.values = ARENA_ARRAY(arena, HostValue *, plan->function->node_count);
    begin_frame(&host, function, fixed_table);
    lower_body(&host);
    LLVMDisposeBuilder(host.entry);
    LLVMDisposeBuilder(host.build.builder);
    *message = host.message;
    return host.message ? NULL : function;
}
