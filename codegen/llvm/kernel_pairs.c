/* Arrays of pairs (complex numbers) in vector loops: lanes read and write whole pairs.
 *
 * The lanes' parts lie two elements apart.  Instead of a gather, one vector twice as wide is loaded from the
 * first lane's pair on and one part taken out of it; a store of both parts, one statement after the other, is
 * one vector of both in turn.  The optimiser sees that both parts load the same memory. */
#include "codegen/llvm/kernel_emit.h"

enum { MOST_LANES = 128 };

static bool is_op_with(const KernelExpr *expr, Op op, int64_t constant) {
    int64_t value;
    return expr->kind == KERNEL_OP && expr->op == op && kernel_is_const_i64(expr->operands[1], &value) &&
           value == constant;
}

/* An index `first` or `first + 1`, with first = 2 * something: the part, or -1. */
static int part_of(const KernelExpr *index, const KernelExpr **first) {
    int part = is_op_with(index, OP_add, 1);
    *first = part ? index->operands[0] : index;
    return is_op_with(*first, OP_mul, 2) ? part : -1;
}

/* The address of the first lane's pair; NULL where lanes do not hold neighbouring pairs. */
static LLVMValueRef pairs_at(Emit *e, const KernelArray *array, const KernelExpr *index, int *part) {
    LLVMValueRef base, coefficient;
    const KernelExpr *first;
    if (!e->lanes || !array->is_pairs || 2 * emit_width(e) > MOST_LANES)
        return NULL;
    *part = part_of(index, &first);
    if (*part < 0 || !emit_affine(e, first, &base, &coefficient) || !LLVMIsAConstantInt(coefficient) ||
        LLVMConstIntGetSExtValue(coefficient) != 2)
        return NULL;
    return emit_element_pointer(e, array, base);
}

static LLVMValueRef shuffled(Emit *e, LLVMValueRef x, LLVMValueRef y, unsigned count,
                             unsigned (*lane_of)(unsigned lane, unsigned part, unsigned width),
                             unsigned part) {
    LLVMValueRef lanes[MOST_LANES];
    for (unsigned lane = 0; lane < count; lane++)
        lanes[lane] = emit_i32(e, lane_of(lane, part, emit_width(e)));
    return LLVMBuildShuffleVector(e->build.builder, x, y, LLVMConstVector(lanes, count), "");
}

static unsigned part_lane(unsigned lane, unsigned part, unsigned width) {
    (void)width;
    return 2 * lane + part;
}

static unsigned repeated_lane(unsigned lane, unsigned part, unsigned width) {
    (void)part, (void)width;
    return lane / 2;
}

static unsigned woven_lane(unsigned lane, unsigned part, unsigned width) {
    (void)part;
    return lane / 2 + lane % 2 * width;
}

/* The loop's mask for both parts of each lane. */
static LLVMValueRef pair_mask(Emit *e) {
    LLVMValueRef mask = e->lanes->mask;
    return shuffled(e, mask, LLVMGetPoison(LLVMTypeOf(mask)), 2 * emit_width(e), repeated_lane, 0);
}

LLVMValueRef emit_load_part(Emit *e, const KernelArray *array, const KernelExpr *index) {
    int part;
    LLVMValueRef place = pairs_at(e, array, index, &part), both;
    if (!place)
        return NULL;
    unsigned width = emit_width(e);
    LLVMTypeRef type = LLVMVectorType(llvm_memory_type(e->build.context, array->dtype), 2 * width);
    if (e->lanes->mask)
        both = emit_masked_load(e, array, place, pair_mask(e), type);
    else
        both = LLVMBuildLoad2(e->build.builder, type, place, "");
    if (!e->lanes->mask)
        LLVMSetAlignment(both, dtype_info[array->dtype].bytes);
    emit_set_alias(e, array, both);
    return shuffled(e, both, LLVMGetPoison(type), width, part_lane, (unsigned)part);
}

static bool same_expr(const KernelExpr *x, const KernelExpr *y) {
    if (x == y)
        return true;
    if (x->kind != y->kind || x->dtype != y->dtype || x->op != y->op || x->bits != y->bits ||
        x->variable != y->variable || x->array != y->array || x->count != y->count)
        return false;
    for (uint32_t i = 0; i < x->count; i++)
        if (!same_expr(x->operands[i], y->operands[i]))
            return false;
    return true;
}

/* Already computed: evaluating it before the first part is stored changes nothing. */
static bool is_plain(const KernelExpr *expr) {
    return expr->kind == KERNEL_CONST || expr->kind == KERNEL_USE;
}

bool emit_store_pair(Emit *e, const KernelStatement *s, const KernelStatement *next) {
    const KernelExpr *first, *second;
    int part;
    if (s->kind != KERNEL_STORE || next->kind != KERNEL_STORE || s->array != next->array ||
        !s->array->is_pairs || !is_plain(next->value) || part_of(s->indices[0], &first) != 0 ||
        part_of(next->indices[0], &second) != 1 || !same_expr(first, second))
        return false;
    LLVMValueRef place = pairs_at(e, s->array, s->indices[0], &part);
    if (!place)
        return false;
    unsigned width = emit_width(e);
    LLVMValueRef both =
        shuffled(e, emit_varying(e, s->value), emit_varying(e, next->value), 2 * width, woven_lane, 0);
    LLVMValueRef store;
    if (e->lanes->mask)
        store = emit_masked_store(e, s->array, place, pair_mask(e), both);
    else
        store = LLVMBuildStore(e->build.builder, both, place);
    if (!e->lanes->mask)
        LLVMSetAlignment(store, dtype_info[s->array->dtype].bytes);
    emit_set_alias(e, s->array, store);
    return true;
}
