/* The canonical form of a host function: what its code depends on, hashed, and the table of what it does not.
 *
 * A constant goes to the table when nothing is gained by knowing it: sizes and shape arithmetic, and values
 * that are only handed to kernels.  -1, 0 and 1, divisors and shift counts stay in the code. */
#include "codegen/llvm/host.h"
#include "ir/cost.h"

typedef struct KeyWalk {
    HostPlan *plan;
    Arena *arena;
    Digester digester;
    uint32_t *numbers; /* by node id: 1 + order of first appearance */
    uint32_t next;
    bool *literal; /* by node id: constants that stay in the code */
} KeyWalk;

/* ---- which constants stay ---------------------------------------------------------------------------- */
static bool stays_for_use(const IrNode *user, uint32_t position, const IrNode *constant) {
    if (ir_dtype(constant) != DTYPE_i64)
        return user->op != OP_launch && user->op != OP_product;
    switch (user->op) {
    case OP_floordiv:
    case OP_mod:
    case OP_left_shift:
    case OP_right_shift:
        return position == 1;
    case OP_if:
        return true;
    default:
        return false;
    }
}

static bool stays_for_value(const IrNode *constant) {
    int64_t value = constant->attributes[0];
    if (dtype_info[ir_dtype(constant)].bytes > 8 || ir_dtype(constant) == DTYPE_bool)
        return true;
    return ir_dtype(constant) == DTYPE_i64 && value >= -1 && value <= 1;
}

static void mark_region(KeyWalk *walk, const IrRegion *region) {
    for (uint32_t i = 0; i < region->nodes.count; i++) {
        const IrNode *node = region->nodes.items[i];
        for (uint32_t k = 0; k < node->operand_count; k++)
            if (ir_is_const(node->operands[k]) && stays_for_use(node, k, node->operands[k]))
                walk->literal[node->operands[k]->id] = true;
        for (uint32_t k = 0; k < node->region_count; k++)
            mark_region(walk, node->regions[k]);
    }
    for (uint32_t i = 0; i < region->results.count; i++)
        if (ir_is_const(region->results.items[i]) && ir_dtype(region->results.items[i]) != DTYPE_i64)
            walk->literal[region->results.items[i]->id] = true;
}

/* ---- kernels that a node runs -------------------------------------------------------------------------- */
uint32_t host_kernel_count(const IrNode *node) {
    return node->op == OP_launch ? 1 : node->op == OP_product ? 2 : 0;
}

bool host_kernel_is_lazy(const IrNode *node, uint32_t index) {
    return node->op == OP_product && index == 0;
}

const char *host_kernel_symbol(const HostPlan *plan, const IrNode *node, uint32_t index) {
    return node->attributes[index] < 0 ? "" : plan->kernel_symbols[node->attributes[index]];
}

/* ---- the walk ---------------------------------------------------------------------------------------- */
static int32_t table_slot(KeyWalk *walk, uint64_t value) {
    vec_push(walk->arena, &walk->plan->table, value);
    return (int32_t)walk->plan->table.count - 1;
}

static void add_reference(KeyWalk *walk, const IrNode *node);

static void add_type(KeyWalk *walk, const IrType *type) {
    uint32_t head[] = {type->kind, type->dtype, type->rank, type->order};
    digest_add(&walk->digester, head, sizeof head);
    for (uint32_t k = 0; type->kind != IR_TOKEN && k < type->rank; k++)
        add_reference(walk, type->dims[k]);
}

/* A constant is described where it is first used: its own place does not matter. */
static void add_constant(KeyWalk *walk, const IrNode *node) {
    digest_add_u64(&walk->digester, ir_dtype(node));
    bool literal = walk->literal[node->id] || stays_for_value(node);
    digest_add_u64(&walk->digester, literal);
    if (literal)
        digest_add_u64(&walk->digester, (uint64_t)node->attributes[0]);
    else
        walk->plan->constant_slot[node->id] = table_slot(walk, (uint64_t)node->attributes[0]);
}

static void add_reference(KeyWalk *walk, const IrNode *node) {
    bool is_new = !walk->numbers[node->id];
    if (is_new)
        walk->numbers[node->id] = ++walk->next;
    digest_add_u64(&walk->digester, walk->numbers[node->id]);
    if (is_new && ir_is_const(node))
        add_constant(walk, node);
}

static bool needs_span(const IrNode *node) {
    switch (node->op) {
    case OP_const:
    case OP_param:
    case OP_dim:
    case OP_stride:
    case OP_result:
    case OP_token:
    case OP_retain:
    case OP_release:
    case OP_if:
        return false;
    case OP_floordiv:
    case OP_mod:
    case OP_for:
    case OP_while:
    case OP_launch:
    case OP_print:
        return true;
    default:
        return op_info[node->op].class == CLASS_CALL || op_info[node->op].class == CLASS_PATTERN ||
               op_is_view(node->op) || ir_can_fail(node->op);
    }
}

static void add_region(KeyWalk *walk, const IrRegion *region);

static uint64_t hash_text(uint64_t hash, const char *text) {
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

/* Code that measures holds the formulas of costs, and finds names in the table. */
static void add_profile(KeyWalk *walk, const IrNode *node) {
    const IrModule *module = walk->plan->function->module;
    bool launch = node->op == OP_launch;
    const char *name =
        launch ? module->kernels.items[node->attributes[0]]->name->text : op_user_name(node->op);
    uint64_t key = hash_text(UINT64_C(0xcbf29ce484222325),
                             launch ? walk->plan->kernel_symbols[node->attributes[0]] : name);
    if (!launch && node->operand_count)
        key = hash_text(key, dtype_info[ir_dtype(node->operands[0])].name);
    walk->plan->profile_slot[node->id] = table_slot(walk, (uint64_t)(uintptr_t)name);
    table_slot(walk, key);
    IrCost cost = ir_cost(node, walk->arena);
    for (int part = 0; part < COST_PARTS; part++) {
        digest_add_u64(&walk->digester, cost.parts[part].terms.count);
        for (uint32_t i = 0; i < cost.parts[part].terms.count; i++) {
            const CostTerm *term = &cost.parts[part].terms.items[i];
            digest_add(&walk->digester, &term->coefficient, sizeof term->coefficient);
            digest_add_u64(&walk->digester, term->count);
            for (uint32_t k = 0; k < term->count; k++)
                add_reference(walk, term->factors[k]);
        }
    }
}

static void add_node(KeyWalk *walk, const IrNode *node) {
    add_reference(walk, node);
    if (ir_is_const(node))
        return;
    digest_add_u64(&walk->digester, node->op);
    digest_add_u64(&walk->digester, node->attribute_count);
    uint32_t kernels = host_kernel_count(node);
    for (uint32_t k = 0; k < kernels; k++)
        digest_add_text(&walk->digester, host_kernel_symbol(walk->plan, node, k));
    for (uint32_t k = kernels; k < node->attribute_count; k++)
        digest_add_u64(&walk->digester, (uint64_t)node->attributes[k]);
    digest_add_u64(&walk->digester, node->operand_count);
    for (uint32_t k = 0; k < node->operand_count; k++)
        add_reference(walk, node->operands[k]);
    digest_add_u64(&walk->digester, node->result_count);
    for (uint32_t k = 0; k < node->result_count; k++)
        add_type(walk, &node->types[k]);
    uint32_t length = node->text && node->op != OP_param ? node->text->length : 0;
    digest_add_u64(&walk->digester, length);
    digest_add(&walk->digester, length ? node->text->text : "", length);
    if (needs_span(node))
        walk->plan->span_slot[node->id] = table_slot(walk, node->span.begin | (uint64_t)node->span.end << 32);
    if (walk->plan->profile && ir_has_cost(node))
        add_profile(walk, node);
    walk->plan->has_loop |= node->op == OP_for || node->op == OP_while;
    for (uint32_t k = 0; k < node->region_count; k++)
        add_region(walk, node->regions[k]);
}

static void add_region(KeyWalk *walk, const IrRegion *region) {
    digest_add_u64(&walk->digester, region->parameters.count);
    for (uint32_t i = 0; i < region->parameters.count; i++)
        add_node(walk, region->parameters.items[i]);
    for (uint32_t i = 0; i < region->nodes.count; i++)
        if (!ir_is_const(region->nodes.items[i]))
            add_node(walk, region->nodes.items[i]);
    digest_add_u64(&walk->digester, region->results.count);
    for (uint32_t i = 0; i < region->results.count; i++)
        add_reference(walk, region->results.items[i]);
}

void host_plan(HostPlan *plan, const IrFunction *function, const char *const *kernel_symbols, bool profile,
               Arena *arena) {
    uint32_t count = function->node_count;
    *plan = (HostPlan){.function = function, .kernel_symbols = kernel_symbols, .profile = profile};
    plan->profile_slot = profile ? ARENA_ARRAY(arena, int32_t, count) : NULL;
    plan->constant_slot = ARENA_ARRAY(arena, int32_t, count);
    plan->span_slot = ARENA_ARRAY(arena, int32_t, count);
    memset(plan->constant_slot, 0xff, count * sizeof *plan->constant_slot);
    memset(plan->span_slot, 0xff, count * sizeof *plan->span_slot);
    KeyWalk walk = {.plan = plan,
                    .arena = arena,
                    .numbers = ARENA_ARRAY(arena, uint32_t, count),
                    .literal = ARENA_ARRAY(arena, bool, count)};
    digest_begin(&walk.digester);
    if (profile)
        digest_add_text(&walk.digester, "profile");
    mark_region(&walk, function->body);
    for (uint32_t i = 0; i < function->body->parameters.count; i++)
        digest_add_u64(&walk.digester, function->parameter_contiguous && function->parameter_contiguous[i]);
    add_region(&walk, function->body);
    plan->key = digest_end(&walk.digester);
}
