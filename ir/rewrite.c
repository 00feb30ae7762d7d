/* The rewriting driver: copies a function bottom-up through a rule; nodes that nothing uses are left behind.
 */
#include "ir/internal.h"

/* ---- liveness: what results and effects need ---------------------------------------------------------- */

static void mark(bool *live, const IrNode *node);

static void mark_region(bool *live, const IrRegion *region) {
    for (uint32_t i = 0; i < region->results.count; i++)
        mark(live, region->results.items[i]);
    for (uint32_t i = 0; i < region->parameters.count; i++)
        mark(live, region->parameters.items[i]);
}

static void mark(bool *live, const IrNode *node) {
    if (live[node->id])
        return;
    live[node->id] = true;
    for (uint32_t i = 0; i < node->operand_count; i++)
        mark(live, node->operands[i]);
    for (uint32_t i = 0; i < node->result_count; i++)
        for (uint32_t k = 0; k < node->types[i].rank; k++)
            mark(live, node->types[i].dims[k]);
    for (uint32_t i = 0; i < node->region_count; i++)
        mark_region(live, node->regions[i]);
}

/* ---- copying --------------------------------------------------------------------------------------------
 */

IrNode *ir_rewrite_value(IrRewrite *rewrite, const IrNode *old) {
    return rewrite->map[old->id];
}

static IrType map_type(IrRewrite *rewrite, const IrType *old) {
    IrType type = *old;
    type.dims = ARENA_ARRAY(ir_arena(&rewrite->builder), IrNode *, old->rank);
    for (uint32_t k = 0; k < old->rank; k++)
        type.dims[k] = rewrite->map[old->dims[k]->id];
    return type;
}

static void copy_parameter(IrRewrite *rewrite, const IrNode *old) {
    IrBuilder *b = &rewrite->builder;
    IrNode *node;
    ir_builder_place(b, old);
    if (old->types[0].kind == IR_TOKEN)
        node = ir_token_parameter(b);
    else if (old->region->parent) {
        IrType type = map_type(rewrite, &old->types[0]);
        node = ir_parameter_of(b, old->text, &type, type.dims, NULL);
    } else {
        int64_t sizes[IR_MAX_RANK];
        for (uint32_t k = 0; k < ir_rank(old); k++)
            if (!ir_const_value_i64(old->types[0].dims[k], &sizes[k]))
                sizes[k] = -1;
        node = ir_parameter_of(b, old->text, ir_type(old), NULL, sizes);
        for (uint32_t k = 0; k < ir_rank(old); k++) {
            const IrNode *dim = old->types[0].dims[k];
            IrNode *copy = node->types[0].dims[k];
            rewrite->map[dim->id] = copy;
            copy->has_hint = dim->has_hint, copy->hint = dim->hint;
        }
    }
    node->is_weak = old->is_weak;
    node->has_hint = old->has_hint, node->hint = old->hint;
    rewrite->map[old->id] = node;
}

static void copy_region_nodes(IrRewrite *rewrite, const IrRegion *old);

static IrRegion *copy_region(IrRewrite *rewrite, const IrRegion *old) {
    IrBuilder saved = rewrite->builder;
    IrRegion *region = ir_region_new(saved.function, saved.region);
    rewrite->builder.region = region;
    for (uint32_t i = 0; i < old->parameters.count; i++)
        copy_parameter(rewrite, old->parameters.items[i]);
    copy_region_nodes(rewrite, old);
    IrNode **results = ARENA_ARRAY(ir_arena(&saved), IrNode *, old->results.count);
    for (uint32_t i = 0; i < old->results.count; i++)
        results[i] = rewrite->map[old->results.items[i]->id];
    ir_set_results(&rewrite->builder, results, old->results.count);
    rewrite->builder = saved;
    return region;
}

/* An `if` whose extents are results of its own: its types refer to projections that do not exist yet. */
static bool refers_to_itself(const IrNode *old, const IrNode *dim) {
    return dim->op == OP_result && dim->operands[0] == old;
}

static void map_types(IrRewrite *rewrite, const IrNode *old, IrType *types) {
    for (uint32_t i = 0; i < old->result_count; i++) {
        types[i] = old->types[i];
        types[i].dims = ARENA_ARRAY(ir_arena(&rewrite->builder), IrNode *, old->types[i].rank);
        for (uint32_t k = 0; k < old->types[i].rank; k++)
            if (!refers_to_itself(old, old->types[i].dims[k]))
                types[i].dims[k] = rewrite->map[old->types[i].dims[k]->id];
    }
}

static void patch_own_extents(IrRewrite *rewrite, const IrNode *old, IrNode *node) {
    for (uint32_t i = 0; i < old->result_count; i++)
        for (uint32_t k = 0; k < old->types[i].rank; k++) {
            const IrNode *dim = old->types[i].dims[k];
            if (refers_to_itself(old, dim)) {
                IrNode *copy = ir_result(&rewrite->builder, node, (uint32_t)dim->attributes[0]);
                node->types[i].dims[k] = rewrite->map[dim->id] = copy;
            }
        }
}

IrNode *ir_rewrite_copy(IrRewrite *rewrite, const IrNode *old, IrNode *const *operands) {
    IrBuilder *b = &rewrite->builder;
    IrType *types = ARENA_ARRAY(ir_arena(b), IrType, old->result_count);
    IrRegion *regions[2];
    for (uint32_t i = 0; i < old->region_count; i++)
        regions[i] = copy_region(rewrite, old->regions[i]);
    map_types(rewrite, old, types);
    IrNode *node = ir_build(b, &(IrNodeSpec){.op = old->op,
                                             .operands = operands,
                                             .operand_count = old->operand_count,
                                             .attributes = old->attributes,
                                             .attribute_count = old->attribute_count,
                                             .types = types,
                                             .result_count = old->result_count,
                                             .regions = regions,
                                             .region_count = old->region_count,
                                             .text = old->text});
    node->remarks = old->remarks;
    node->cost = old->cost;
    patch_own_extents(rewrite, old, node);
    return node;
}

static void copy_region_nodes(IrRewrite *rewrite, const IrRegion *old) {
    for (uint32_t i = 0; i < old->nodes.count; i++) {
        const IrNode *node = old->nodes.items[i];
        if (!rewrite->live[node->id] || rewrite->map[node->id])
            continue;
        IrNode **operands = ARENA_ARRAY(ir_arena(&rewrite->builder), IrNode *, node->operand_count);
        for (uint32_t k = 0; k < node->operand_count; k++)
            operands[k] = rewrite->map[node->operands[k]->id];
        ir_builder_place(&rewrite->builder, node);
        IrNode *made = rewrite->rule ? rewrite->rule(rewrite, node, operands) : NULL;
        if (!made)
            made = ir_rewrite_copy(rewrite, node, operands);
        rewrite->map[node->id] = made;
    }
}

void ir_copy_nodes(IrBuilder *b, const IrRegion *source, IrNode **map) {
    bool *live = ARENA_ARRAY(ir_arena(b), bool, b->function->node_count);
    for (uint32_t i = 0; i < source->results.count; i++)
        mark(live, source->results.items[i]);
    IrRewrite rewrite = {.builder = *b, .map = map, .live = live};
    copy_region_nodes(&rewrite, source);
}

IrFunction *ir_rewrite_function(IrFunction *source,
                                IrNode *(*rule)(IrRewrite *, const IrNode *, IrNode *const *),
                                void *context) {
    IrModule *module = source->module;
    Arena *arena = module->arena;
    bool *live = ARENA_ARRAY(arena, bool, source->node_count);
    mark_region(live, source->body);

    IrFunction *function = ARENA_NEW(arena, IrFunction);
    function->module = module;
    function->name = source->name;
    function->parameter_contiguous = source->parameter_contiguous;
    function->body = ir_region_new(function, NULL);
    IrRewrite rewrite = {.builder = ir_builder_at(function, function->body),
                         .context = context,
                         .live = live,
                         .map = ARENA_ARRAY(arena, IrNode *, source->node_count),
                         .rule = rule};
    for (uint32_t i = 0; i < source->body->parameters.count; i++)
        copy_parameter(&rewrite, source->body->parameters.items[i]);
    copy_region_nodes(&rewrite, source->body);
    IrNode **results = ARENA_ARRAY(arena, IrNode *, source->body->results.count);
    for (uint32_t i = 0; i < source->body->results.count; i++)
        results[i] = rewrite.map[source->body->results.items[i]->id];
    ir_set_results(&rewrite.builder, results, source->body->results.count);
    return function;
}
