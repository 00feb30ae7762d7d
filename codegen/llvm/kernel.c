/* Kernels to LLVM IR: functions, parameters, blocks, and the pass list.  See kernel.h for the ABI. */
#include "codegen/llvm/kernel_emit.h"
#include "ir/base/diag.h"
#include <llvm-c/Transforms/PassBuilder.h>
#include <stdio.h>

void emit_fail(Emit *e, const char *message) {
    if (!e->has_failed)
        *e->message = arena_format(e->arena, "kernel %s: %s", e->symbol, message);
    e->has_failed = true;
}

LLVMValueRef emit_i64(Emit *e, int64_t value) {
    return LLVMConstInt(LLVMInt64TypeInContext(e->build.context), (uint64_t)value, 1);
}

LLVMValueRef emit_i32(Emit *e, int64_t value) {
    return LLVMConstInt(LLVMInt32TypeInContext(e->build.context), (uint64_t)value, 1);
}

LLVMValueRef emit_add(Emit *e, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildNSWAdd(e->build.builder, a, b, "");
}

LLVMValueRef emit_mul(Emit *e, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildNSWMul(e->build.builder, a, b, "");
}

LLVMValueRef emit_alloca(Emit *e, LLVMTypeRef type) {
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->build.builder);
    LLVMPositionBuilderBefore(e->build.builder, e->entry_end);
    LLVMValueRef slot = LLVMBuildAlloca(e->build.builder, type, "");
    LLVMPositionBuilderAtEnd(e->build.builder, here);
    return slot;
}

static void add_attribute(Emit *e, LLVMValueRef function, const char *name) {
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAddAttributeAtIndex(function, LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(e->build.context, kind, 0));
}

static void add_text_attribute(Emit *e, LLVMValueRef function, const char *name, const char *value) {
    LLVMAddAttributeAtIndex(function, LLVMAttributeFunctionIndex,
                            LLVMCreateStringAttribute(e->build.context, name, (unsigned)strlen(name), value,
                                                      (unsigned)strlen(value)));
}

LLVMValueRef emit_runtime_call(Emit *e, const char *name, LLVMTypeRef result, LLVMValueRef *arguments,
                               unsigned count) {
    LLVMTypeRef types[8];
    for (unsigned i = 0; i < count; i++)
        types[i] = LLVMTypeOf(arguments[i]);
    LLVMTypeRef type = LLVMFunctionType(result, types, count, 0);
    LLVMValueRef function = LLVMGetNamedFunction(e->build.module, name);
    if (!function) {
        function = LLVMAddFunction(e->build.module, name, type);
        add_attribute(e, function, "nounwind");
    }
    return LLVMBuildCall2(e->build.builder, type, function, arguments, count, "");
}

/* ---- functions ---------------------------------------------------------------------------------- */

static void add_target_attributes(Emit *e, LLVMValueRef function) {
    char bits[16];
    snprintf(bits, sizeof bits, "%u", e->options->vector_bytes * 8);
    add_attribute(e, function, "nounwind");
    add_text_attribute(e, function, "prefer-vector-width", bits);
    add_text_attribute(e, function, "min-legal-vector-width", bits);
    if (e->options->cpu)
        add_text_attribute(e, function, "target-cpu", e->options->cpu);
    if (e->options->features)
        add_text_attribute(e, function, "target-features", e->options->features);
}

void emit_function_begin(Emit *e, const char *name, bool is_body) {
    LLVMContextRef context = e->build.context;
    LLVMTypeRef i64 = LLVMInt64TypeInContext(context), i32 = LLVMInt32TypeInContext(context);
    LLVMTypeRef pointer = LLVMPointerTypeInContext(context, 0);
    LLVMTypeRef type =
        is_body ? LLVMFunctionType(LLVMVoidTypeInContext(context), (LLVMTypeRef[]){pointer, i64, i64}, 3, 0)
                : LLVMFunctionType(i32, (LLVMTypeRef[]){pointer, pointer}, 2, 0);
    e->build.function = LLVMAddFunction(e->build.module, name, type);
    if (is_body)
        LLVMSetLinkage(e->build.function, LLVMInternalLinkage);
    add_target_attributes(e, e->build.function);
    LLVMBasicBlockRef entry = build_block(&e->build, "entry"), start = build_block(&e->build, "start");
    e->leave = build_block(&e->build, "leave");
    LLVMPositionBuilderAtEnd(e->build.builder, entry);
    e->entry_end = LLVMBuildBr(e->build.builder, start);
    LLVMPositionBuilderAtEnd(e->build.builder, start);
    e->flags = emit_alloca(e, i32);
    e->status = emit_alloca(e, i32);
    LLVMBuildStore(e->build.builder, emit_i32(e, 0), e->flags);
    LLVMBuildStore(e->build.builder, emit_i32(e, 0), e->status);
    e->scratch.count = 0;
    e->has_streamed = false;
}

/* Reports one kind of fault when its flag is set. */
static void report_fault(Emit *e, unsigned fault, DiagCode code, const char *message) {
    LLVMBuilderRef b = e->build.builder;
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->build.context);
    LLVMBasicBlockRef report = build_block(&e->build, "fault"), next = build_block(&e->build, "fault.next");
    LLVMValueRef bits = LLVMBuildAnd(b, LLVMBuildLoad2(b, i32, e->flags, ""), emit_i32(e, fault), "");
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntNE, bits, emit_i32(e, 0), ""), report, next);
    LLVMPositionBuilderAtEnd(b, report);
    LLVMValueRef arguments[] = {e->ctx, emit_i32(e, code), LLVMBuildGlobalStringPtr(b, message, "message"),
                                emit_i64(e, 0)};
    emit_runtime_call(e, "gmxrt_fail_message", i32, arguments, 4);
    LLVMBuildStore(b, emit_i32(e, 1), e->status);
    LLVMBuildBr(b, next);
    LLVMPositionBuilderAtEnd(b, next);
}

/* The set of ops that can fault is small: kernels without them need no report. */
static void find_faulting(void *user, const KernelExpr *expr) {
    bool can_fault = expr->kind == KERNEL_OP && !dtype_is_float(expr->dtype) &&
                     (expr->op == OP_floordiv || expr->op == OP_mod || expr->op == OP_fmod ||
                      expr->op == OP_pow || expr->op == OP_whole_sum);
    *(bool *)user |= can_fault;
}

void emit_function_end(Emit *e, LLVMValueRef failed_or_null) {
    LLVMBuilderRef b = e->build.builder;
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->build.context);
    LLVMBuildBr(b, e->leave);
    LLVMMoveBasicBlockAfter(e->leave, LLVMGetLastBasicBlock(e->build.function));
    LLVMPositionBuilderAtEnd(b, e->leave);
    emit_release_from(e, 0);
    emit_stream_fence(e);
    bool can_fault = false;
    kernel_visit(&e->kernel->body, &(KernelVisitor){.expr = find_faulting, .user = &can_fault});
    if (can_fault) {
        report_fault(e, FAULT_ZERO_DIVISOR, DIAG_E0303, "integer division by zero");
        report_fault(e, FAULT_NEGATIVE_POWER, DIAG_E0307,
                     "integers to negative integer powers are not allowed");
        report_fault(e, FAULT_SUM_OVERFLOW, DIAG_E0307, "the sum does not fit in 64 bits");
    }
    LLVMValueRef status = LLVMBuildLoad2(b, i32, e->status, "");
    if (!failed_or_null) {
        LLVMBuildRet(b, status);
        return;
    }
    LLVMBasicBlockRef report = build_block(&e->build, "failed"), done = build_block(&e->build, "done");
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntNE, status, emit_i32(e, 0), ""), report, done);
    LLVMPositionBuilderAtEnd(b, report);
    LLVMValueRef store = LLVMBuildStore(b, emit_i32(e, 1), failed_or_null); /* all threads store the same */
    LLVMSetOrdering(store, LLVMAtomicOrderingMonotonic);
    LLVMSetAlignment(store, 4);
    LLVMBuildBr(b, done);
    LLVMPositionBuilderAtEnd(b, done);
    LLVMBuildRetVoid(b);
}

/* ---- blocks ------------------------------------------------------------------------------------- */

static void emit_declare(Emit *e, const KernelStatement *s) {
    Binding *binding = &e->variables[s->variable->id];
    *binding = (Binding){0};
    if (s->variable->kind == KERNEL_LET) {
        if (e->lanes && s->variable->dtype == DTYPE_i64 &&
            emit_affine(e, s->value, &binding->base, &binding->coefficient))
            return;
        binding->value = emit_expr(e, s->value);
        return;
    }
    bool varies = e->lanes && e->lanes->varying[s->variable->id];
    LLVMValueRef value = varies ? emit_varying(e, s->value) : emit_uniform(e, s->value);
    binding->type = LLVMTypeOf(value);
    binding->slot = emit_alloca(e, binding->type);
    LLVMBuildStore(e->build.builder, value, binding->slot);
}

static void emit_statement(Emit *e, const KernelStatement *s) {
    switch (s->kind) {
    case KERNEL_DECLARE:
        emit_declare(e, s);
        break;
    case KERNEL_ASSIGN:
        emit_assign(e, &e->variables[s->variable->id], emit_expr(e, s->value));
        break;
    case KERNEL_ACCUMULATE:
        emit_accumulate(e, s);
        break;
    case KERNEL_ALLOC:
        emit_alloc(e, s);
        break;
    case KERNEL_STORE:
        emit_store(e, s->array, s->indices, s->count, emit_expr(e, s->value));
        break;
    case KERNEL_FOR:
        emit_for(e, s);
        break;
    case KERNEL_FOR_NZ:
        emit_for_nz(e, s);
        break;
    case KERNEL_MERGE:
        emit_merge(e, s);
        break;
    case KERNEL_WHILE:
        emit_while(e, s);
        break;
    case KERNEL_IF:
        emit_if(e, s);
        break;
    case KERNEL_APPEND:
        emit_append(e, s);
        break;
    case KERNEL_BARRIER: /* one thread runs a whole work-group */
        break;
    case KERNEL_PREFETCH:
        emit_prefetch(e, s);
        break;
    case KERNEL_STREAM:
        emit_stream(e, s);
        break;
    case KERNEL_TILE_MMA:
        emit_tile_mma(e, s);
        break;
    }
}

void emit_block(Emit *e, const KernelBlock *block) {
    uint32_t scratch = e->scratch.count;
    KernelStatement *const *statements = block->statements.items;
    for (uint32_t i = 0; i < block->statements.count; i++)
        if (i + 1 < block->statements.count && emit_store_pair(e, statements[i], statements[i + 1]))
            i++;
        else
            emit_statement(e, statements[i]);
    emit_release_from(e, scratch);
}

/* ---- entry -------------------------------------------------------------------------------------- */

/* Loads every parameter; what is not used is dropped by the optimiser. */
static LLVMValueRef load_parameter(Emit *e, uint32_t index, LLVMTypeRef type) {
    LLVMBuilderRef b = e->build.builder;
    LLVMTypeRef i64 = LLVMInt64TypeInContext(e->build.context);
    LLVMValueRef at = emit_i64(e, index);
    LLVMValueRef place = LLVMBuildInBoundsGEP2(b, i64, e->arguments, &at, 1, "");
    LLVMValueRef value =
        LLVMBuildLoad2(b, LLVMGetTypeKind(type) == LLVMPointerTypeKind ? type : i64, place, "");
    LLVMSetAlignment(value, 8);
    unsigned kind = LLVMGetMDKindIDInContext(e->build.context, "invariant.load", 14);
    LLVMSetMetadata(value, kind,
                    LLVMMetadataAsValue(e->build.context, LLVMMDNodeInContext2(e->build.context, NULL, 0)));
    return value;
}

static LLVMValueRef scalar_from_i64(Emit *e, LLVMValueRef word, Dtype dtype) {
    LLVMBuilderRef b = e->build.builder;
    LLVMTypeRef type = llvm_register_type(e->build.context, dtype);
    if (dtype == DTYPE_f64)
        return LLVMBuildBitCast(b, word, type, "");
    if (dtype != DTYPE_f32)
        return dtype_info[dtype].bytes == 8 ? word : LLVMBuildTrunc(b, word, type, "");
    word = LLVMBuildTrunc(b, word, LLVMInt32TypeInContext(e->build.context), "");
    return LLVMBuildBitCast(b, word, type, "");
}

void emit_bind_parameters(Emit *e) {
    LLVMTypeRef pointer = LLVMPointerTypeInContext(e->build.context, 0);
    LLVMTypeRef i64 = LLVMInt64TypeInContext(e->build.context);
    for (uint32_t i = 0; i < e->kernel->parameters.count; i++) {
        const KernelParameter *parameter = &e->kernel->parameters.items[i];
        if (parameter->array) {
            e->arrays[parameter->array->id].pointer = load_parameter(e, i, pointer);
            continue;
        }
        LLVMValueRef word = load_parameter(e, i, i64);
        e->variables[parameter->variable->id] =
            (Binding){.value = scalar_from_i64(e, word, parameter->variable->dtype)};
    }
}

bool llvm_emit_kernel(const LlvmBuild *build, const Kernel *kernel, const char *symbol,
                      const LlvmKernelOptions *options, Arena *arena, const char **message) {
    Kernel extended = *kernel;
    extended.next_id += TILE_IDS;
    Emit e = {.build = {.context = build->context, .module = build->module},
              .kernel = &extended,
              .options = options,
              .symbol = symbol,
              .arena = arena,
              .message = message};
    e.variables = ARENA_ARRAY(arena, Binding, extended.next_id);
    e.arrays = ARENA_ARRAY(arena, ArrayBinding, extended.next_id);
    e.build.builder = LLVMCreateBuilderInContext(build->context);
    emit_function_begin(&e, symbol, false);
    e.ctx = LLVMGetParam(e.build.function, 0);
    e.arguments = LLVMGetParam(e.build.function, 1);
    emit_alias_scopes(&e);
    emit_bind_parameters(&e);
    emit_block(&e, &kernel->body);
    emit_function_end(&e, NULL);
    LLVMDisposeBuilder(e.build.builder);
    return !e.has_failed;
}

bool llvm_optimize_module(LLVMModuleRef module, LLVMTargetMachineRef machine, int level, char **message) {
    static const char *const passes[] = {
        "function(sroa,early-cse,simplifycfg,loop-mssa(licm),simplifycfg)",
        "function(sroa,early-cse,simplifycfg,instcombine<no-verify-fixpoint>,loop-mssa(licm),simplifycfg)"};
    if (level <= 0)
        return true;
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(module, passes[level > 2], machine, options);
    LLVMDisposePassBuilderOptions(options);
    if (!error)
        return true;
    char *text = LLVMGetErrorMessage(error);
    *message = LLVMCreateMessage(text);
    LLVMDisposeErrorMessage(text);
    return false;
}
