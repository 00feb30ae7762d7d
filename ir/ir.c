/* The tensor IR core: modules, regions, hash-consed node construction, and questions about nodes.
 * Typed builders are in ir/build.c, folding in ir/fold.c. */
#include "ir/internal.h"
#include "ir/number.h"

IrModule *ir_module_new(Arena *arena, Interner *names) {
    IrModule *module = ARENA_NEW(arena, IrModule);
    module->arena = arena;
    module->names = names;
    return module;
}

IrFunction *ir_function_new(IrModule *module, Name name) {
    IrFunction *function = ARENA_NEW(module->arena, IrFunction);
    function->module = module;
    function->name = name;
    function->body = ir_region_new(function, NULL);
    vec_push(module->arena, &module->functions, function);
    return function;
}

IrRegion *ir_region_new(IrFunction *function, IrRegion *parent) {
    IrRegion *region = ARENA_NEW(function->module->arena, IrRegion);
    region->function = function;
    region->parent = parent;
    return region;
}

IrBuilder ir_builder_at(IrFunction *function, IrRegion *region) {
    return (IrBuilder){.function = function, .region = region};
}

void ir_set_results(IrBuilder *b, IrNode *const *results, uint32_t count) {
    Arena *arena = ir_arena(b);
    b->region->results.count = 0;
    for (uint32_t i = 0; i < count; i++)
        vec_push(arena, &b->region->results, results[i]);
}

/* ---- hash-consing ------------------------------------------------------------------------------- */

bool ir_is_pure(Op op) {
    switch (op) {
    case OP_none:
    case OP_param:
    case OP_print:
    case OP_token:
    case OP_checkpoint:
    case OP_custom:
    case OP_if:
    case OP_for:
    case OP_while:
    case OP_fused:
    case OP_launch:
    case OP_release:
    case OP_retain:
    case OP_pattern_make:
    case OP_pattern_union:
    case OP_pattern_intersection:
    case OP_pattern_product:
    case OP_pattern_select:
        return false;
    default:
        return true;
    }
}

bool ir_can_fail(Op op) {
    return op_info[op].class == CLASS_CALL || op == OP_check_equal || op == OP_check_true ||
           op == OP_check_index || op == OP_pattern_make;
}

static uint64_t hash_type(uint64_t hash, const IrType *type) {
    uint32_t head[] = {type->kind, type->dtype, type->rank, type->order};
    hash = hash_bytes(hash, head, sizeof head);
    return hash_bytes(hash, type->dims, type->rank * sizeof *type->dims);
}

static uint64_t hash_spec(const IrNodeSpec *spec) {
    uint64_t hash = hash_bytes(HASH_SEED, &spec->op, sizeof spec->op);
    hash = hash_bytes(hash, spec->operands, spec->operand_count * sizeof *spec->operands);
    hash = hash_bytes(hash, spec->attributes, spec->attribute_count * sizeof *spec->attributes);
    hash = hash_bytes(hash, &spec->text, sizeof spec->text);
    for (uint32_t i = 0; i < spec->result_count; i++)
        hash = hash_type(hash, &spec->types[i]);
    return hash;
}

static bool same_type(const IrType *a, const IrType *b) {
    return a->kind == b->kind && a->dtype == b->dtype && a->rank == b->rank && ir_same_dims(a, b);
}

static bool same_bytes(const void *a, const void *b, size_t length) {
    return !length || !memcmp(a, b, length);
}

static bool node_matches(const IrNode *node, const IrNodeSpec *spec) {
    if (node->op != spec->op || node->operand_count != spec->operand_count || node->text != spec->text ||
        node->attribute_count != spec->attribute_count || node->result_count != spec->result_count)
        return false;
    if (!same_bytes(node->operands, spec->operands, node->operand_count * sizeof *node->operands) ||
        !same_bytes(node->attributes, spec->attributes, node->attribute_count * sizeof *node->attributes))
        return false;
    for (uint32_t i = 0; i < node->result_count; i++)
        if (!same_type(&node->types[i], &spec->types[i]))
            return false;
    return true;
}

static IrNodeSpec spec_of(const IrNode *node) {
    return (IrNodeSpec){.op = node->op,
                        .operands = node->operands,
                        .operand_count = node->operand_count,
                        .attributes = node->attributes,
                        .attribute_count = node->attribute_count,
                        .types = node->types,
                        .result_count = node->result_count,
                        .text = node->text};
}

static void table_insert(IrRegion *region, IrNode *node, uint64_t hash) {
    for (uint32_t i = (uint32_t)hash;; i++) {
        IrNode **slot = &region->table[i & (region->table_capacity - 1)];
        if (!*slot) {
            *slot = node;
            region->table_count++;
            return;
        }
    }
}

static void table_add(IrRegion *region, IrNode *node, uint64_t hash) {
    if (region->table_count * 2 >= region->table_capacity) {
        IrNode **old = region->table;
        uint32_t old_capacity = region->table_capacity;
        region->table_capacity = old_capacity ? old_capacity * 2 : 16;
        region->table_count = 0;
        region->table = ARENA_ARRAY(region->function->module->arena, IrNode *, region->table_capacity);
        for (uint32_t i = 0; i < old_capacity; i++)
            if (old[i]) {
                IrNodeSpec spec = spec_of(old[i]);
                table_insert(region, old[i], hash_spec(&spec));
            }
    }
    table_insert(region, node, hash);
}

static IrNode *table_find(const IrRegion *region, const IrNodeSpec *spec, uint64_t hash) {
    for (; region; region = region->parent) {
        if (!region->table_capacity)
            continue;
        for (uint32_t i = (uint32_t)hash;; i++) {
            IrNode *node = region->table[i & (region->table_capacity - 1)];
            if (!node)
                break;
            if (node_matches(node, spec))
                return node;
        }
    }
    return NULL;
}

/* ---- nodes -------------------------------------------------------------------------------------- */

static void *copy_array(Arena *arena, const void *items, size_t count, size_t size) {
    if (!count)
        return NULL;
    void *copy = arena_alloc_array(arena, count, size);
    return memcpy(copy, items, count * size);
}

IrNode *ir_node_create(IrBuilder *b, const IrNodeSpec *spec) {
    Arena *arena = ir_arena(b);
    IrNode *node = ARENA_NEW(arena, IrNode);
    node->op = spec->op;
    node->id = b->function->node_count++;
    node->span = b->span;
    node->statement = b->statement;
    node->region = b->region;
    node->operand_count = spec->operand_count;
    node->attribute_count = spec->attribute_count;
    node->result_count = spec->result_count;
    node->region_count = spec->region_count;
    node->operands = copy_array(arena, spec->operands, spec->operand_count, sizeof *spec->operands);
    node->attributes = copy_array(arena, spec->attributes, spec->attribute_count, sizeof *spec->attributes);
    node->types = copy_array(arena, spec->types, spec->result_count, sizeof *spec->types);
    for (uint32_t i = 0; i < spec->result_count; i++)
        node->types[i].dims = copy_array(arena, spec->types[i].dims, spec->types[i].rank, sizeof(IrNode *));
    for (uint32_t i = 0; i < spec->region_count; i++) {
        node->regions[i] = spec->regions[i];
        spec->regions[i]->owner = node;
    }
    node->text = spec->text;
    return node;
}

IrNode *ir_build_raw(IrBuilder *b, const IrNodeSpec *spec) {
    IrNode *node = ir_node_create(b, spec);
    vec_push(ir_arena(b), &b->region->nodes, node);
    if (ir_is_pure(spec->op))
        table_add(b->region, node, hash_spec(spec));
    return node;
}

IrNode *ir_build(IrBuilder *b, const IrNodeSpec *given) {
    if (!ir_is_pure(given->op))
        return ir_build_raw(b, given);
    IrNodeSpec spec = *given;
    IrNode *ordered[2];
    if (spec.operand_count == 2 && op_is_commutative(spec.op)) { /* constants last, else by age */
        bool swap = ir_is_const(spec.operands[0]) != ir_is_const(spec.operands[1])
                        ? ir_is_const(spec.operands[0])
                        : spec.operands[0]->id > spec.operands[1]->id;
        ordered[0] = spec.operands[swap];
        ordered[1] = spec.operands[!swap];
        spec.operands = ordered;
    }
    IrNode *folded = ir_fold(b, &spec);
    if (folded)
        return folded;
    uint64_t hash = hash_spec(&spec);
    IrNode *node = table_find(b->region, &spec, hash);
    if (node)
        return node;
    node = ir_node_create(b, &spec);
    vec_push(ir_arena(b), &b->region->nodes, node);
    table_add(b->region, node, hash);
    ir_fold_hint(node);
    return node;
}

/* ---- questions ---------------------------------------------------------------------------------- */

bool ir_same_dims(const IrType *a, const IrType *b) {
    if (a->rank != b->rank)
        return false;
    for (uint32_t i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i])
            return false;
    return true;
}

/* The value of check_equal is each of its operands, that of check_true what it guards: two extents agree if
 * they share one below their checks. */
bool ir_same_extent(const IrNode *a, const IrNode *b) {
    if (a == b)
        return true;
    if (a->op == OP_check_equal)
        return ir_same_extent(a->operands[0], b) || ir_same_extent(a->operands[1], b);
    if (a->op == OP_check_true)
        return ir_same_extent(a->operands[1], b);
    if (b->op == OP_check_equal)
        return ir_same_extent(a, b->operands[0]) || ir_same_extent(a, b->operands[1]);
    if (b->op == OP_check_true)
        return ir_same_extent(a, b->operands[1]);
    return false;
}

bool ir_same_extents(const IrType *type, IrNode *const *dims, uint32_t rank) {
    if (type->rank != rank)
        return false;
    for (uint32_t k = 0; k < rank; k++)
        if (!ir_same_extent(type->dims[k], dims[k]))
            return false;
    return true;
}

static bool is_constant(const IrNode *node, int64_t wanted) {
    int64_t value;
    return ir_const_value_i64(node, &value) && value == wanted;
}

/* Axes of extent 1 may be anywhere. */
static bool permute_is_dense(const IrNode *view) {
    int64_t last = -1;
    for (uint32_t k = 0; k < ir_rank(view); k++) {
        if (is_constant(view->types[0].dims[k], 1))
            continue;
        if (view->attributes[k] < last)
            return false;
        last = view->attributes[k];
    }
    return true;
}

/* One element of each leading axis, a run of the next, all of the rest. */
static bool slice_is_dense(const IrNode *view) {
    bool cut = false; /* an axis behind this one is not whole */
    for (uint32_t k = ir_rank(view->operands[0]); k-- > 0;) {
        const IrNode *start = view->operands[1 + 3 * k], *extent = view->operands[2 + 3 * k];
        bool is_unit = is_constant(extent, 1);
        if ((cut && !is_unit) || (!is_unit && !is_constant(view->operands[3 + 3 * k], 1)))
            return false;
        cut |= !is_constant(start, 0) || !ir_same_extent(extent, view->operands[0]->types[0].dims[k]);
    }
    return true;
}

/* New axes of extent 1, nothing repeated. */
static bool broadcast_is_dense(const IrNode *view) {
    const IrType *from = &view->operands[0]->types[0], *to = &view->types[0];
    uint32_t next = 0;
    for (uint32_t k = 0; k < to->rank; k++) {
        bool is_new = next == from->rank || view->attributes[next] != k;
        if (is_new ? !is_constant(to->dims[k], 1)
                   : is_constant(from->dims[next], 1) && !is_constant(to->dims[k], 1))
            return false;
        next += !is_new;
    }
    return next == from->rank;
}

bool ir_view_is_dense(const IrNode *view) {
    switch (view->op) {
    case OP_reshape:
        return true;
    case OP_permute:
        return permute_is_dense(view);
    case OP_slice:
        return slice_is_dense(view);
    case OP_broadcast:
        return broadcast_is_dense(view);
    default:
        return false;
    }
}

bool ir_is_const(const IrNode *node) {
    return node->op == OP_const;
}

bool ir_const_value_i64(const IrNode *node, int64_t *out) {
    if (node->op != OP_const || dtype_is_float(ir_dtype(node)) || dtype_kind(ir_dtype(node)) == KIND_COMPLEX)
        return false;
    *out = number_integer(ir_dtype(node), (uint64_t)node->attributes[0]);
    return true;
}

bool ir_known_i64(const IrNode *node, int64_t *out) {
    if (ir_const_value_i64(node, out))
        return true;
    if (node->has_hint)
        *out = node->hint;
    return node->has_hint;
}

bool ir_region_encloses(const IrRegion *region, const IrRegion *inner) {
    for (; inner; inner = inner->parent)
        if (inner == region)
            return true;
    return false;
}

double ir_const_as_double(const IrNode *node) {
    return number_value(ir_dtype(node), (uint64_t)node->attributes[0]);
}
