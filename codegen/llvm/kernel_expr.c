/* Expressions and memory access of kernels.
 *
 * In a vector loop an i64 index that is base + coefficient * lane stays scalar: coefficient 1 gives whole
 * vectors, 0 one scalar for all lanes, -1 a reversed vector, anything else a gather or scatter. */
#include "codegen/llvm/kernel_emit.h"

unsigned emit_width(const Emit *e) {
    return e->lanes ? e->lanes->width : 0;
}

/* ---- affine indices ----------------------------------------------------------------------------- */

static bool is_const(LLVMValueRef value, int64_t expected) {
    return LLVMIsAConstantInt(value) && LLVMConstIntGetSExtValue(value) == expected;
}

/* i64 values wrap, also where they only look like indices: no overflow flags here. */
static LLVMValueRef index_add(Emit *e, LLVMValueRef a, LLVMValueRef b) {
    return is_const(a, 0) ? b : is_const(b, 0) ? a : LLVMBuildAdd(e->build.builder, a, b, "");
}

static LLVMValueRef index_mul(Emit *e, LLVMValueRef a, LLVMValueRef b) {
    if (is_const(a, 0) || is_const(b, 1))
        return a;
    return is_const(b, 0) || is_const(a, 1) ? b : LLVMBuildMul(e->build.builder, a, b, "");
}

static bool varies(const Emit *e, const KernelExpr *expr) {
    return e->lanes && kernel_expr_varies(expr, e->lanes->varying);
}

static bool affine_op(Emit *e, const KernelExpr *expr, LLVMValueRef *base, LLVMValueRef *coefficient) {
    LLVMValueRef b[2], c[2];
    if (expr->op != OP_add && expr->op != OP_sub && expr->op != OP_mul)
        return false;
    for (int i = 0; i < 2; i++)
        if (!emit_affine(e, expr->operands[i], &b[i], &c[i]))
            return false;
    if (expr->op == OP_mul) {
        if (!is_const(c[0], 0) && !is_const(c[1], 0))
            return false;
        *base = index_mul(e, b[0], b[1]);
        *coefficient = is_const(c[0], 0) ? index_mul(e, b[0], c[1]) : index_mul(e, c[0], b[1]);
        return true;
    }
    *base = expr->op == OP_add ? index_add(e, b[0], b[1]) : LLVMBuildSub(e->build.builder, b[0], b[1], "");
    *coefficient =
        expr->op == OP_add ? index_add(e, c[0], c[1]) : LLVMBuildSub(e->build.builder, c[0], c[1], "");
    return true;
}

bool emit_affine(Emit *e, const KernelExpr *expr, LLVMValueRef *base, LLVMValueRef *coefficient) {
    if (!varies(e, expr)) {
        *base = emit_expr(e, expr);
        *coefficient = emit_i64(e, 0);
        return true;
    }
    if (expr->dtype != DTYPE_i64)
        return false;
    if (expr->kind == KERNEL_OP)
        return affine_op(e, expr, base, coefficient);
    if (expr->kind != KERNEL_USE || !e->variables[expr->variable->id].coefficient)
        return false;
    *base = e->variables[expr->variable->id].base;
    *coefficient = e->variables[expr->variable->id].coefficient;
    return true;
}

/* 0, 1, 2, ... as i64 lanes. */
static LLVMValueRef lane_numbers(Emit *e) {
    LLVMValueRef numbers[64];
    for (unsigned lane = 0; lane < e->lanes->width; lane++)
        numbers[lane] = emit_i64(e, lane);
    return LLVMConstVector(numbers, e->lanes->width);
}

static LLVMValueRef spread(Emit *e, LLVMValueRef base, LLVMValueRef coefficient) {
    unsigned width = emit_width(e);
    LLVMBuilderRef b = e->build.builder;
    LLVMValueRef steps = lane_numbers(e);
    if (is_const(coefficient, 0))
        return base;
    if (!is_const(coefficient, 1))
        steps = LLVMBuildMul(b, steps, llvm_splat(&e->build, coefficient, width), "");
    return LLVMBuildAdd(b, llvm_splat(&e->build, base, width), steps, "");
}

/* ---- places ------------------------------------------------------------------------------------- */

typedef enum PlaceKind { PLACE_UNIFORM, PLACE_CONTIGUOUS, PLACE_REVERSED, PLACE_SCATTERED } PlaceKind;
typedef struct Place {
    PlaceKind kind;
    LLVMValueRef pointer; /* one address; reversed: of the last lane; scattered: a vector of them */
    bool needs_mask;
} Place;

static LLVMTypeRef memory_type(Emit *e, const KernelArray *array) {
    return llvm_memory_type(e->build.context, array->dtype);
}

LLVMValueRef emit_element_pointer(Emit *e, const KernelArray *array, LLVMValueRef offset) {
    LLVMValueRef pointer = e->arrays[array->id].pointer;
    if (build_lanes(LLVMTypeOf(offset)))
        return LLVMBuildGEP2(e->build.builder, memory_type(e, array), pointer, &offset, 1, "");
    return LLVMBuildInBoundsGEP2(e->build.builder, memory_type(e, array), pointer, &offset, 1, "");
}

/* The linear index as a vector, when some index is not affine. */
static LLVMValueRef vector_offset(Emit *e, const KernelArray *array, KernelExpr *const *indices,
                                  uint32_t count) {
    LLVMBuilderRef b = e->build.builder;
    unsigned width = emit_width(e);
    LLVMValueRef offset = NULL;
    for (uint32_t i = 0; i < count; i++) {
        LLVMValueRef index = llvm_splat(&e->build, emit_expr(e, indices[i]), width);
        if (offset)
            offset =
                LLVMBuildMul(b, offset, llvm_splat(&e->build, e->arrays[array->id].extents[i], width), "");
        offset = offset ? LLVMBuildAdd(b, offset, index, "") : index;
    }
    return offset;
}

/* Registers are padded, so that a masked vector within a row needs no mask. */
static bool fits_padding(Emit *e, const KernelArray *array, LLVMValueRef last_base) {
    LLVMValueRef extent = array->rank ? e->arrays[array->id].extents[array->rank - 1] : NULL;
    return array->kind == KERNEL_REG && extent && LLVMIsAConstantInt(last_base) &&
           LLVMConstIntGetSExtValue(last_base) + emit_width(e) <= LLVMConstIntGetSExtValue(extent);
}

static Place find_place(Emit *e, const KernelArray *array, KernelExpr *const *indices, uint32_t count) {
    LLVMValueRef base = emit_i64(e, 0), coefficient = base, b = base, c = base;
    for (uint32_t i = 0; i < count; i++) {
        if (!emit_affine(e, indices[i], &b, &c))
            return (Place){PLACE_SCATTERED,
                           emit_element_pointer(e, array, vector_offset(e, array, indices, count)), true};
        if (i) {
            base = index_mul(e, base, e->arrays[array->id].extents[i]);
            coefficient = index_mul(e, coefficient, e->arrays[array->id].extents[i]);
        }
        base = index_add(e, base, b);
        coefficient = index_add(e, coefficient, c);
    }
    bool is_masked = e->lanes && e->lanes->mask;
    if (is_const(coefficient, 0))
        return (Place){PLACE_UNIFORM, emit_element_pointer(e, array, base), false};
    if (is_const(coefficient, 1))
        return (Place){PLACE_CONTIGUOUS, emit_element_pointer(e, array, base),
                       is_masked && !fits_padding(e, array, b)};
    if (is_const(coefficient, -1) && !is_masked) {
        LLVMValueRef last = emit_add(e, base, emit_i64(e, 1 - (int64_t)emit_width(e)));
        return (Place){PLACE_REVERSED, emit_element_pointer(e, array, last), false};
    }
    return (Place){PLACE_SCATTERED, emit_element_pointer(e, array, spread(e, base, coefficient)), true};
}

/* ---- loads and stores --------------------------------------------------------------------------- */

LLVMValueRef emit_set_alias(Emit *e, const KernelArray *array, LLVMValueRef access) {
    const ArrayBinding *binding = &e->arrays[array->id];
    LLVMContextRef context = e->build.context;
    if (binding->scope)
        LLVMSetMetadata(access, LLVMGetMDKindIDInContext(context, "alias.scope", 11), binding->scope);
    if (binding->other)
        LLVMSetMetadata(access, LLVMGetMDKindIDInContext(context, "noalias", 7), binding->other);
    return access;
}

LLVMValueRef emit_describe(Emit *e, const KernelArray *array, LLVMValueRef access) {
    LLVMSetAlignment(access, dtype_info[array->dtype].bytes);
    return emit_set_alias(e, array, access);
}

static LLVMValueRef active_lanes(Emit *e) {
    LLVMTypeRef bits = LLVMVectorType(LLVMInt1TypeInContext(e->build.context), emit_width(e));
    return e->lanes->mask ? e->lanes->mask : LLVMConstAllOnes(bits);
}

static LLVMValueRef call_intrinsic(Emit *e, const char *name, LLVMTypeRef result, LLVMTypeRef overload,
                                   LLVMValueRef pointer, LLVMValueRef *arguments, unsigned count) {
    LLVMTypeRef overloads[] = {overload, LLVMTypeOf(pointer)}, types[4];
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(e->build.module, id, overloads, 2);
    for (unsigned i = 0; i < count; i++)
        types[i] = LLVMTypeOf(arguments[i]);
    return LLVMBuildCall2(e->build.builder, LLVMFunctionType(result, types, count, 0), function, arguments,
                          count, "");
}

/* Gathers of less than four bytes have no instruction, and a mask would make a branch for every lane:
 * inactive lanes read what lane 0 reads, which is always active. */
static LLVMValueRef unmasked_pointers(Emit *e, LLVMValueRef pointers) {
    LLVMBuilderRef b = e->build.builder;
    LLVMValueRef first = LLVMBuildExtractElement(b, pointers, emit_i32(e, 0), "");
    return LLVMBuildSelect(b, active_lanes(e), pointers, llvm_splat(&e->build, first, emit_width(e)), "");
}

static LLVMValueRef masked_load(Emit *e, const KernelArray *array, const Place *place, LLVMTypeRef type) {
    bool is_gather = place->kind == PLACE_SCATTERED;
    const char *name = is_gather ? "llvm.masked.gather" : "llvm.masked.load";
    LLVMValueRef arguments[] = {place->pointer, emit_i32(e, dtype_info[array->dtype].bytes), active_lanes(e),
                                LLVMConstNull(type)};
    if (is_gather && e->lanes->mask && dtype_info[array->dtype].bytes < 4) {
        arguments[0] = unmasked_pointers(e, place->pointer);
        arguments[2] = LLVMConstAllOnes(LLVMTypeOf(arguments[2]));
    }
    return call_intrinsic(e, name, type, type, place->pointer, arguments, 4);
}

static void masked_store(Emit *e, const KernelArray *array, const Place *place, LLVMValueRef value) {
    const char *name = place->kind == PLACE_SCATTERED ? "llvm.masked.scatter" : "llvm.masked.store";
    LLVMValueRef arguments[] = {value, place->pointer, emit_i32(e, dtype_info[array->dtype].bytes),
                                active_lanes(e)};
    LLVMTypeRef result = LLVMVoidTypeInContext(e->build.context);
    emit_set_alias(e, array,
                   call_intrinsic(e, name, result, LLVMTypeOf(value), place->pointer, arguments, 4));
}

LLVMValueRef emit_masked_load(Emit *e, const KernelArray *array, LLVMValueRef pointer, LLVMValueRef mask,
                              LLVMTypeRef type) {
    LLVMValueRef arguments[] = {pointer, emit_i32(e, dtype_info[array->dtype].bytes), mask,
                                LLVMConstNull(type)};
    return call_intrinsic(e, "llvm.masked.load", type, type, pointer, arguments, 4);
}

LLVMValueRef emit_masked_store(Emit *e, const KernelArray *array, LLVMValueRef pointer, LLVMValueRef mask,
                               LLVMValueRef value) {
    LLVMValueRef arguments[] = {value, pointer, emit_i32(e, dtype_info[array->dtype].bytes), mask};
    LLVMTypeRef result = LLVMVoidTypeInContext(e->build.context);
    return call_intrinsic(e, "llvm.masked.store", result, LLVMTypeOf(value), pointer, arguments, 4);
}

static LLVMValueRef reverse(Emit *e, LLVMValueRef value) {
    LLVMValueRef order[64];
    unsigned width = emit_width(e);
    for (unsigned lane = 0; lane < width; lane++)
        order[lane] = emit_i32(e, width - 1 - lane);
    return LLVMBuildShuffleVector(e->build.builder, value, LLVMGetPoison(LLVMTypeOf(value)),
                                  LLVMConstVector(order, width), "");
}

static LLVMValueRef load(Emit *e, const KernelArray *array, KernelExpr *const *indices, uint32_t count) {
    LLVMValueRef part = emit_load_part(e, array, indices[0]);
    if (part)
        return part;
    Place place = find_place(e, array, indices, count);
    LLVMTypeRef scalar = memory_type(e, array);
    LLVMTypeRef type = place.kind == PLACE_UNIFORM ? scalar : LLVMVectorType(scalar, emit_width(e));
    LLVMValueRef value = place.needs_mask ? masked_load(e, array, &place, type)
                                          : LLVMBuildLoad2(e->build.builder, type, place.pointer, "");
    if (place.needs_mask)
        emit_set_alias(e, array, value);
    else
        emit_describe(e, array, value);
    if (place.kind == PLACE_REVERSED)
        value = reverse(e, value);
    return llvm_from_memory(&e->build, array->dtype, value);
}

void emit_store(Emit *e, const KernelArray *array, KernelExpr *const *indices, uint32_t count,
                LLVMValueRef value) {
    Place place = find_place(e, array, indices, count);
    value = llvm_to_memory(&e->build, array->dtype, value);
    if (place.kind == PLACE_UNIFORM && build_lanes(LLVMTypeOf(value))) /* the last active lane stays */
        place = (Place){PLACE_SCATTERED, llvm_splat(&e->build, place.pointer, emit_width(e)), true};
    if (place.kind != PLACE_UNIFORM)
        value = llvm_splat(&e->build, value, emit_width(e));
    if (place.kind == PLACE_REVERSED)
        value = reverse(e, value);
    if (place.needs_mask)
        masked_store(e, array, &place, value);
    else if (place.kind != PLACE_CONTIGUOUS || !emit_stream_store(e, array, place.pointer, value))
        emit_describe(e, array, LLVMBuildStore(e->build.builder, value, place.pointer));
}

LLVMValueRef emit_load_at(Emit *e, const KernelArray *array, LLVMValueRef offset) {
    LLVMValueRef value =
        LLVMBuildLoad2(e->build.builder, memory_type(e, array), emit_element_pointer(e, array, offset), "");
    emit_describe(e, array, value);
    return llvm_from_memory(&e->build, array->dtype, value);
}

void emit_store_at(Emit *e, const KernelArray *array, LLVMValueRef offset, LLVMValueRef value) {
    value = llvm_to_memory(&e->build, array->dtype, value);
    LLVMValueRef store = LLVMBuildStore(e->build.builder, value, emit_element_pointer(e, array, offset));
    emit_describe(e, array, store);
}

void emit_prefetch(Emit *e, const KernelStatement *s) {
    Place place = find_place(e, s->array, s->indices, s->count);
    if (place.kind == PLACE_SCATTERED)
        return; /* a hint for one cache line */
    if (LLVMIsAGetElementPtrInst(place.pointer))
        LLVMSetIsInBounds(place.pointer, 0); /* a hint may go beyond the end */
    LLVMTypeRef overload = LLVMTypeOf(place.pointer), i32 = LLVMInt32TypeInContext(e->build.context);
    unsigned id = LLVMLookupIntrinsicID("llvm.prefetch", 13);
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(e->build.module, id, &overload, 1);
    LLVMTypeRef types[] = {overload, i32, i32, i32};
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(e->build.context), types, 4, 0);
    LLVMValueRef arguments[] = {place.pointer, emit_i32(e, s->array->is_output), emit_i32(e, 3),
                                emit_i32(e, 1)};
    LLVMBuildCall2(e->build.builder, type, function, arguments, 4, "");
}

/* ---- expressions -------------------------------------------------------------------------------- */

LLVMValueRef emit_value(Emit *e, const Binding *binding) {
    if (binding->slot)
        return LLVMBuildLoad2(e->build.builder, binding->type, binding->slot, "");
    if (binding->coefficient)
        return spread(e, binding->base, binding->coefficient);
    if (!binding->value)
        emit_fail(e, "a variable is used before it is declared");
    return binding->value ? binding->value : emit_i64(e, 0);
}

static LLVMValueRef emit_op(Emit *e, const KernelExpr *expr) {
    LLVMValueRef operands[3];
    bool is_vector = false;
    for (uint32_t i = 0; i < expr->count; i++) {
        operands[i] = emit_expr(e, expr->operands[i]);
        is_vector = is_vector || build_lanes(LLVMTypeOf(operands[i]));
    }
    for (uint32_t i = 0; is_vector && i < expr->count; i++)
        operands[i] = llvm_splat(&e->build, operands[i], emit_width(e));
    LlvmFaults faults = {e->flags, e->lanes ? e->lanes->mask : NULL};
    Dtype dtype = expr->operands[expr->op == OP_where]->dtype;
    return llvm_scalar_op(&e->build, expr->op, dtype, operands, &faults);
}

LLVMValueRef emit_expr(Emit *e, const KernelExpr *expr) {
    switch (expr->kind) {
    case KERNEL_CONST:
        return llvm_scalar_const(e->build.context, expr->dtype, expr->bits);
    case KERNEL_USE:
        return emit_value(e, &e->variables[expr->variable->id]);
    case KERNEL_OP:
        return emit_op(e, expr);
    case KERNEL_CAST:
        return llvm_scalar_cast(&e->build, emit_expr(e, expr->operands[0]), expr->operands[0]->dtype,
                                expr->dtype);
    default:
        return load(e, expr->array, expr->operands, expr->count);
    }
}

LLVMValueRef emit_uniform(Emit *e, const KernelExpr *expr) {
    LLVMValueRef value = emit_expr(e, expr);
    if (!build_lanes(LLVMTypeOf(value)))
        return value;
    emit_fail(e, "a bound or condition depends on the lane of a vector loop");
    return LLVMBuildExtractElement(e->build.builder, value, emit_i32(e, 0), "");
}

LLVMValueRef emit_varying(Emit *e, const KernelExpr *expr) {
    return llvm_splat(&e->build, emit_expr(e, expr), emit_width(e));
}
