/* promote: f16 and bf16 are storage; arithmetic on them is done in f32.
 *
 * In:  any tensor IR.  Out: elementwise ops and reductions have no f16 or bf16 operands, save `where`, which
 * only moves values.  As NumPy does it, the result of every op is rounded to its own dtype, also within a
 * chain that becomes one kernel: cast, compute, cast back.  Conversions between a half dtype and integers or
 * the other half dtype go through f32 (f32 holds every half exactly).  Calls such as matmul stay: the runtime
 * accumulates them in f32.  The marks of derivatives, `variable`, `stop_gradient`, `checkpoint` and `custom`,
 * are taken away. */
#include "passes/pipeline.h"

static bool is_half(Dtype dtype) {
    return dtype_info[dtype].compute != dtype;
}

static IrNode *widen(IrBuilder *b, IrNode *x) {
    return is_half(ir_dtype(x)) ? ir_cast(b, x, dtype_info[ir_dtype(x)].compute) : x;
}

static IrNode *promote_elementwise(IrBuilder *b, const IrNode *old, IrNode *const *operands) {
    IrNode *wide[3];
    bool any = false;
    for (uint32_t i = 0; i < old->operand_count; i++) {
        any |= is_half(ir_dtype(operands[i]));
        wide[i] = widen(b, operands[i]);
    }
    if (!any || old->op == OP_where)
        return NULL;
    return ir_cast(b, ir_elementwise(b, old->op, wide), ir_dtype(old));
}

static IrNode *promote_reduction(IrBuilder *b, const IrNode *old, IrNode *x) {
    uint32_t axes[IR_MAX_RANK], count = old->attribute_count - 1;
    Dtype accumulator = (Dtype)old->attributes[0], result = ir_dtype(old);
    if (!is_half(ir_dtype(x)) && !is_half(result) && !is_half(accumulator))
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        axes[i] = (uint32_t)old->attributes[1 + i];
    IrNode *wide = ir_reduce(b, old->op, widen(b, x), axes, count, dtype_info[accumulator].compute,
                             dtype_info[result].compute);
    return ir_cast(b, wide, result);
}

static IrNode *promote_segment(IrBuilder *b, const IrNode *old, IrNode *const *operands) {
    Dtype accumulator = (Dtype)old->attributes[0], result = ir_dtype(old);
    if (!is_half(ir_dtype(operands[0])) && !is_half(result) && !is_half(accumulator))
        return NULL;
    IrNode *wide =
        ir_segment(b, (Op)old->attributes[1], widen(b, operands[0]), operands[1], (IrSide)old->attributes[2],
                   dtype_info[accumulator].compute, dtype_info[result].compute);
    return ir_cast(b, wide, result);
}

static IrNode *promote_cast(IrBuilder *b, IrNode *x, Dtype to) {
    Dtype from = ir_dtype(x);
    bool through_f32 = is_half(from)
                           ? to != DTYPE_f32 && to != from
                           : is_half(to) && from != DTYPE_f32 && !(from == DTYPE_f64 && to == DTYPE_f16);
    return through_f32 ? ir_cast(b, ir_cast(b, x, DTYPE_f32), to) : NULL;
}

static IrNode *promote_rule(IrRewrite *rewrite, const IrNode *old, IrNode *const *operands) {
    IrBuilder *b = &rewrite->builder;
    if (op_is_elementwise(old->op))
        return promote_elementwise(b, old, operands);
    if (op_is_reduction(old->op))
        return promote_reduction(b, old, operands[0]);
    if (old->op == OP_segment)
        return promote_segment(b, old, operands);
    if (old->op == OP_variable || old->op == OP_stop_gradient)
        return operands[0];
    return old->op == OP_cast ? promote_cast(b, operands[0], ir_dtype(old)) : NULL;
}

/* ---- marks with regions ----------------------------------------------------------------------------------
 */

typedef VEC(IrNode *) NodeVec;

static void inline_nodes(Arena *arena, IrRegion *region, const IrRegion *source, NodeVec *out);

/* The node stands for `value` from now on. */
static void become(Arena *arena, IrNode *node, IrNode *value) {
    IrNode **operands = ARENA_ARRAY(arena, IrNode *, 1);
    operands[0] = value;
    node->op = OP_variable;
    node->operands = operands;
    node->operand_count = 1;
    node->attributes = ARENA_ARRAY(arena, int64_t, 1);
    node->attribute_count = 1;
    node->region_count = 0;
}

static bool is_mark(const IrNode *node) {
    return node->op == OP_checkpoint || node->op == OP_custom;
}

static IrNode *value_of_mark(const IrNode *mark, int64_t index) {
    return mark->op == OP_custom ? mark->operands[index] : mark->regions[0]->results.items[index];
}

static void inline_node(Arena *arena, IrRegion *region, IrNode *node, NodeVec *out) {
    node->region = region;
    if (node->op == OP_result && is_mark(node->operands[0])) {
        become(arena, node, value_of_mark(node->operands[0], node->attributes[0]));
    } else if (is_mark(node)) {
        if (node->op == OP_checkpoint)
            inline_nodes(arena, region, node->regions[0], out);
        if (node->result_count > 1)
            return; /* its projections still look at it */
        become(arena, node, value_of_mark(node, 0));
    }
    for (uint32_t r = 0; r < node->region_count; r++)
        node->regions[r]->parent = region;
    vec_push(arena, out, node);
}

static void inline_nodes(Arena *arena, IrRegion *region, const IrRegion *source, NodeVec *out) {
    for (uint32_t i = 0; i < source->nodes.count; i++)
        inline_node(arena, region, source->nodes.items[i], out);
}

/* Takes `checkpoint` and `custom` away, in place: what stands in the first stands in the region around it. */
static void inline_marks(Arena *arena, IrRegion *region) {
    NodeVec nodes = {0};
    inline_nodes(arena, region, region, &nodes);
    region->nodes.items = nodes.items;
    region->nodes.count = nodes.count;
    region->nodes.capacity = nodes.capacity;
    for (uint32_t i = 0; i < nodes.count; i++)
        for (uint32_t r = 0; r < nodes.items[i]->region_count; r++)
            inline_marks(arena, nodes.items[i]->regions[r]);
}

IrFunction *pass_promote(PassContext *context, IrFunction *function) {
    inline_marks(context->arena, function->body);
    return ir_rewrite_function(function, promote_rule, NULL);
}
