/* simplify: makes the function smaller without changing a bit of its results.
 *
 * In and out: any tensor IR before `fuse`.  Folds constants, applies exact algebra, merges views, decides
 * `if` on constants, removes loops that never run (and inlines those that run once) and values of loops and
 * branches that nobody reads, drops checks that hold, and hoists pure work that cannot fail out of loops.
 * Equal nodes become one and unused ones vanish by the rewriting driver.  Runs until nothing changes. */
#include "passes/simplify.h"
#include "passes/pipeline.h"

enum { MAX_ROUNDS = 8, GENERATED_DEPTH = 8 };

typedef struct Simplify {
    IrNode ***inlined; /* by old id: the values that replace a control node's results, or NULL */
    uint32_t changes;
} Simplify;

static IrNode *simplify_rule(IrRewrite *rewrite, const IrNode *old, IrNode *const *operands);

/* ---- control flow that is decided -----------------------------------------------------------------------
 */

/* Copies the nodes of an old region to where the builder stands; its parameters are mapped already. */
static void inline_nodes(IrRewrite *rewrite, const IrRegion *old) {
    Arena *arena = rewrite->builder.function->module->arena;
    for (uint32_t i = 0; i < old->nodes.count; i++) {
        const IrNode *node = old->nodes.items[i];
        if (!rewrite->live[node->id] || rewrite->map[node->id])
            continue;
        IrNode **operands = ARENA_ARRAY(arena, IrNode *, node->operand_count);
        for (uint32_t k = 0; k < node->operand_count; k++)
            operands[k] = ir_rewrite_value(rewrite, node->operands[k]);
        ir_builder_place(&rewrite->builder, node);
        IrNode *made = simplify_rule(rewrite, node, operands);
        rewrite->map[node->id] = made ? made : ir_rewrite_copy(rewrite, node, operands);
    }
}

/* Replaces the results of a control node by `values`; later `result` nodes look them up. */
static IrNode *replace_results(IrRewrite *rewrite, const IrNode *old, IrNode **values) {
    Simplify *simplify = rewrite->context;
    simplify->inlined[old->id] = values;
    return values[0];
}

static IrNode *inline_region(IrRewrite *rewrite, const IrNode *old, const IrRegion *region) {
    Simplify *simplify = rewrite->context;
    Arena *arena = rewrite->builder.function->module->arena;
    IrNode **values = ARENA_ARRAY(arena, IrNode *, old->result_count);
    simplify->inlined[old->id] = values; /* nodes of the region know that it is gone */
    inline_nodes(rewrite, region);
    for (uint32_t i = 0; i < old->result_count; i++)
        values[i] = ir_rewrite_value(rewrite, region->results.items[i]);
    return replace_results(rewrite, old, values);
}

static IrNode *keep_initial(IrRewrite *rewrite, const IrNode *old, IrNode *const *initial) {
    Arena *arena = rewrite->builder.function->module->arena;
    IrNode **values = ARENA_ARRAY(arena, IrNode *, old->result_count);
    memcpy(values, initial, old->result_count * sizeof *values);
    return replace_results(rewrite, old, values);
}

static IrNode *simplify_for(IrRewrite *rewrite, const IrNode *old, IrNode *const *operands) {
    int64_t begin, end;
    const IrRegion *body = old->regions[0];
    if (operands[0] == operands[1])
        return keep_initial(rewrite, old, operands + 2);
    if (!ir_const_value_i64(operands[0], &begin) || !ir_const_value_i64(operands[1], &end))
        return NULL;
    if (begin >= end)
        return keep_initial(rewrite, old, operands + 2);
    if (begin != end - 1)
        return NULL;
    rewrite->map[body->parameters.items[0]->id] = operands[0];
    for (uint32_t i = 0; i < old->result_count; i++)
        rewrite->map[body->parameters.items[1 + i]->id] = operands[2 + i];
    return inline_region(rewrite, old, body);
}

static IrNode *simplify_control(IrRewrite *rewrite, const IrNode *old, IrNode *const *operands) {
    Simplify *simplify = rewrite->context;
    int64_t value;
    if (old->op == OP_result) {
        IrNode **values = simplify->inlined[old->operands[0]->id];
        if (values)
            return values[old->attributes[0]];
        return operands[0]->result_count == 1 ? operands[0] : NULL;
    }
    if (!old->result_count)
        return NULL;
    switch (old->op) {
    case OP_if:
        if (!ir_const_value_i64(operands[0], &value))
            return NULL;
        return inline_region(rewrite, old, old->regions[value ? 0 : 1]);
    case OP_for:
        return simplify_for(rewrite, old, operands);
    default: /* while */
        if (!ir_const_value_i64(old->regions[0]->results.items[0], &value) || value)
            return NULL;
        return keep_initial(rewrite, old, operands);
    }
}

/* ---- checks
 * --------------------------------------------------------------------------------------------------- */

static bool at_most(const IrNode *x, const IrNode *limit) {
    int64_t a, b;
    if (ir_const_value_i64(x, &a) && ir_const_value_i64(limit, &b))
        return a <= b;
    return ir_same_extent(x, limit);
}

/* The counter of `for begin .. end` with 0 <= begin and end <= extent. */
static bool is_counter_below(IrRewrite *rewrite, const IrNode *old, const IrNode *extent) {
    int64_t begin;
    const IrNode *loop = old->op == OP_param ? old->region->owner : NULL;
    if (!loop || loop->op != OP_for || old->attributes[0] != 0)
        return false;
    return ir_const_value_i64(ir_rewrite_value(rewrite, loop->operands[0]), &begin) && begin >= 0 &&
           at_most(ir_rewrite_value(rewrite, loop->operands[1]), extent);
}

static IrNode *simplify_check_index(IrRewrite *rewrite, const IrNode *old, IrNode *const *operands) {
    IrNode *x = operands[0], *extent = operands[1];
    uint64_t bits;
    int64_t size;
    if (x->op == OP_iota && at_most(x->operands[0], extent))
        return x;
    if (is_counter_below(rewrite, old->operands[0], extent))
        return x;
    if (!simplify_splat(x, &bits) || !ir_const_value_i64(extent, &size))
        return NULL;
    int64_t index = (int64_t)bits;
    if (index >= 0)
        return index < size ? x : NULL;
    if (size < 0 || index < -size)
        return NULL;
    return simplify_repeat(&rewrite->builder, ir_const_i64(&rewrite->builder, index + size), ir_type(x));
}

/* ---- loop-invariant work
 * -------------------------------------------------------------------------------------- */

/* True for tensors that a kernel makes out of nothing: storing them would cost more than making them again.
 */
static bool is_generated(const IrNode *node, int depth) {
    bool is_step = op_is_elementwise(node->op) || op_is_view(node->op) || node->op == OP_cast;
    if (ir_rank(node) == 0 || node->op == OP_iota)
        return true;
    if (!is_step || !depth)
        return false;
    uint32_t count = op_is_view(node->op) ? 1 : node->operand_count;
    for (uint32_t i = 0; i < count; i++)
        if (!is_generated(node->operands[i], depth - 1))
            return false;
    return true;
}

static bool is_integer_division(const IrNode *node) {
    return (node->op == OP_floordiv || node->op == OP_mod || node->op == OP_fmod) &&
           !dtype_is_float(ir_dtype(node));
}

/* Pure, cannot fail, and worth a place outside: constants and generated tensors are not. */
static bool may_hoist(const IrNode *old, IrNode *const *operands) {
    uint64_t divisor;
    if (old->result_count != 1 || old->types[0].kind != IR_TENSOR || old->region_count ||
        !ir_is_pure(old->op) || old->op == OP_const || old->op == OP_result)
        return false;
    if (ir_can_fail(old->op) && old->op != OP_matmul && old->op != OP_concat)
        return false;
    if (old->op == OP_sum && old->attributes[0] != DTYPE_f64 && dtype_info[ir_dtype(operands[0])].bytes == 8)
        return false; /* a total of 64-bit integers may not fit */
    if (is_integer_division(old) && !(simplify_splat(operands[1], &divisor) && divisor))
        return false;
    if (ir_rank(old) == 0)
        return true;
    bool from_nothing = old->op == OP_iota;
    if (op_is_elementwise(old->op) || op_is_view(old->op) || old->op == OP_cast) {
        uint32_t count = op_is_view(old->op) ? 1 : old->operand_count;
        from_nothing = true;
        for (uint32_t i = 0; i < count; i++)
            from_nothing &= is_generated(operands[i], GENERATED_DEPTH);
    }
    return !from_nothing;
}

static bool is_usable_in(const IrRegion *region, const IrNode *node) {
    return ir_is_const(node) || ir_region_encloses(node->region, region);
}

static bool inputs_usable_in(IrRewrite *rewrite, const IrRegion *region, const IrNode *old,
                             IrNode *const *operands) {
    for (uint32_t i = 0; i < old->operand_count; i++)
        if (!is_usable_in(region, operands[i]))
            return false;
    for (uint32_t k = 0; k < ir_rank(old); k++)
        if (!is_usable_in(region, ir_rewrite_value(rewrite, old->types[0].dims[k])))
            return false;
    return true;
}

/* The outermost region that a node of this region can be built in. */
static IrRegion *hoist_target(IrRewrite *rewrite, const IrNode *old, IrNode *const *operands) {
    Simplify *simplify = rewrite->context;
    IrRegion *target = rewrite->builder.region;
    const IrRegion *source = old->region;
    while (source->owner && (source->owner->op == OP_for || source->owner->op == OP_while) &&
           !simplify->inlined[source->owner->id] &&
           inputs_usable_in(rewrite, target->parent, old, operands)) {
        target = target->parent;
        source = source->parent;
    }
    return target;
}

/* Constants are made again where they are used. */
static IrNode *constant_here(IrBuilder *b, IrNode *node) {
    return ir_is_const(node) && !ir_region_encloses(node->region, b->region)
               ? ir_const(b, ir_dtype(node), (uint64_t)node->attributes[0])
               : node;
}

static IrNode *copy_with_constants(IrRewrite *rewrite, const IrNode *old, IrNode *const *operands) {
    IrBuilder *b = &rewrite->builder;
    Arena *arena = b->function->module->arena;
    IrNode **moved = ARENA_ARRAY(arena, IrNode *, old->operand_count);
    IrType type = old->types[0];
    type.dims = ARENA_ARRAY(arena, IrNode *, type.rank);
    for (uint32_t i = 0; i < old->operand_count; i++)
        moved[i] = constant_here(b, operands[i]);
    for (uint32_t k = 0; k < type.rank; k++)
        type.dims[k] = constant_here(b, ir_rewrite_value(rewrite, old->types[0].dims[k]));
    return ir_build(b, &(IrNodeSpec){.op = old->op,
                                     .operands = moved,
                                     .operand_count = old->operand_count,
                                     .attributes = old->attributes,
                                     .attribute_count = old->attribute_count,
                                     .types = &type,
                                     .result_count = 1,
                                     .text = old->text});
}

static IrNode *hoist(IrRewrite *rewrite, const IrNode *old, IrNode *const *operands) {
    Simplify *simplify = rewrite->context;
    IrRegion *here = rewrite->builder.region;
    if (!may_hoist(old, operands))
        return NULL;
    IrRegion *target = hoist_target(rewrite, old, operands);
    if (target == here)
        return NULL;
    simplify->changes++;
    rewrite->builder.region = target;
    IrNode *made = copy_with_constants(rewrite, old, operands);
    rewrite->builder.region = here;
    return made;
}

/* ---- the rule
 * --------------------------------------------------------------------------------------------------- */

static IrNode *simplify_node(IrRewrite *rewrite, const IrNode *old, IrNode *const *operands) {
    IrBuilder *b = &rewrite->builder;
    switch (old->op) {
    case OP_cast:
        return simplify_cast(b, operands[0], ir_dtype(old));
    case OP_check_index:
        return simplify_check_index(rewrite, old, operands);
    case OP_if:
    case OP_for:
    case OP_while:
    case OP_result:
        return simplify_control(rewrite, old, operands);
    default:
        if (op_is_elementwise(old->op))
            return simplify_elementwise(b, old->op, operands);
        return op_is_view(old->op) ? simplify_view(b, old, operands) : NULL;
    }
}

static IrNode *simplify_rule(IrRewrite *rewrite, const IrNode *old, IrNode *const *operands) {
    Simplify *simplify = rewrite->context;
    IrNode *made = simplify_node(rewrite, old, operands);
    if (made) {
        simplify->changes++;
        return made;
    }
    return hoist(rewrite, old, operands);
}

IrFunction *pass_simplify(PassContext *context, IrFunction *function) {
    for (int round = 0; round < MAX_ROUNDS; round++) {
        Simplify simplify = {.inlined = ARENA_ARRAY(context->arena, IrNode **, function->node_count)};
        simplify.changes = simplify_results(context->arena, function);
        function = ir_rewrite_function(function, simplify_rule, &simplify);
        if (!simplify.changes)
            break;
    }
    return function;
}
