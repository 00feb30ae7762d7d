/* Checks the rules of ir/ir.h and ir/ops.def on a function and describes the first violation.  The walk is
 * here: ids, visibility, regions, tokens.  What each op asks of its operands and result is ir/verify_ops.c.
 */
#include "ir/verify.h"

static bool is_visible(const Verifier *v, const IrNode *node) {
    return node && node->id < v->function->node_count && v->visible[node->id] == node;
}

bool verify_fail(Verifier *v, const IrNode *node, const char *format, ...) {
    va_list list;
    va_start(list, format);
    const char *text = arena_format_list(v->arena, format, list);
    va_end(list);
    if (node)
        text = arena_format(v->arena, "%s (id %u): %s", op_name(node->op), node->id, text);
    *v->message = text;
    return false;
}

bool verify_same_extent(const IrNode *a, const IrNode *b) {
    int64_t x, y;
    return ir_same_extent(a, b) || (ir_const_value_i64(a, &x) && ir_const_value_i64(b, &y) && x == y);
}

bool verify_same_extents(const IrType *a, const IrType *b) {
    if (a->rank != b->rank)
        return false;
    for (uint32_t k = 0; k < a->rank; k++)
        if (!verify_same_extent(a->dims[k], b->dims[k]))
            return false;
    return true;
}

/* ---- types -----------------------------------------------------------------------------------------------
 */

static bool refers_to(const IrNode *dim, const IrNode *node) {
    return dim && dim->op == OP_result && dim->operands[0] == node;
}

static bool verify_type(Verifier *v, const IrNode *node, const IrType *type) {
    if (type->kind == IR_TOKEN)
        return true;
    if ((unsigned)type->dtype >= DTYPE_COUNT || type->rank > IR_MAX_RANK)
        return verify_fail(v, node, "no such dtype or rank");
    if (type->kind == IR_PATTERN &&
        (type->rank != 3 || (type->dtype != DTYPE_i32 && type->dtype != DTYPE_i64)))
        return verify_fail(v, node, "a pattern has i32 or i64 indices and three extents");
    bool is_function_parameter = node->op == OP_param && !node->region->parent;
    for (uint32_t k = 0; k < type->rank; k++) {
        const IrNode *dim = type->dims[k];
        if (!dim || dim->result_count != 1 || dim->types[0].kind != IR_TENSOR || dim->types[0].rank ||
            dim->types[0].dtype != DTYPE_i64)
            return verify_fail(v, node, "extent %u is not a scalar i64", k);
        if (!is_function_parameter && !refers_to(dim, node) && !is_visible(v, dim))
            return verify_fail(v, node, "extent %u is not visible here", k);
    }
    return true;
}

/* ---- tokens: each is used at most once on any path --------------------------------------------------------
 */

/* True if the users stand in different branches of one `if`. */
static bool exclude_each_other(const IrRegion *a, const IrRegion *b) {
    for (const IrRegion *r = a; r; r = r->parent)
        for (const IrRegion *s = b; s; s = s->parent)
            if (r != s && r->owner && r->owner == s->owner)
                return r->owner->op == OP_if;
    return false;
}

static bool verify_token_use(Verifier *v, const IrNode *user, const IrRegion *region, const IrNode *token) {
    const IrRegion *before = v->token_user[token->id];
    if (before && !exclude_each_other(before, region))
        return verify_fail(v, user, "a token is used twice");
    v->token_user[token->id] = region;
    return true;
}

static bool is_token(const IrNode *node) {
    return node->result_count == 1 && node->types[0].kind == IR_TOKEN;
}

/* ---- regions ---------------------------------------------------------------------------------------------
 */

static bool verify_region(Verifier *v, IrRegion *region);

static bool enter(Verifier *v, const IrNode *node, const IrRegion *region) {
    if (node->region != region)
        return verify_fail(v, node, "the node says that it is in another region");
    if (node->id >= v->function->node_count || v->seen[node->id])
        return verify_fail(v, node, "the id is not unique in the function");
    v->seen[node->id] = true;
    return true;
}

static bool verify_operands(Verifier *v, const IrNode *node) {
    for (uint32_t i = 0; i < node->operand_count; i++) {
        const IrNode *x = node->operands[i];
        if (!is_visible(v, x))
            return verify_fail(v, node, "operand %u is not visible here", i);
        if (x->result_count != 1 && node->op != OP_result)
            return verify_fail(v, node, "operand %u has several results or none", i);
        if (is_token(x) && !verify_token_use(v, node, node->region, x))
            return false;
        const IrRegion *r = node->region;
        if (r->owner && r->owner->op == OP_fused && x->region != r && !ir_is_scalar(x))
            return verify_fail(v, node, "a fused body uses an outer tensor");
    }
    return true;
}

static bool verify_node(Verifier *v, IrNode *node) {
    if (node->op <= OP_none || node->op >= OP_COUNT)
        return verify_fail(v, NULL, "no such op");
    if (!verify_operands(v, node))
        return false;
    for (uint32_t i = 0; i < node->result_count; i++)
        if (!verify_type(v, node, &node->types[i]))
            return false;
    for (uint32_t i = 0; i < node->region_count; i++) {
        if (node->regions[i]->parent != node->region || node->regions[i]->owner != node)
            return verify_fail(v, node, "region %u is not this node's", i);
        if (!verify_region(v, node->regions[i]))
            return false;
    }
    return verify_op(v, node);
}

static bool verify_parameters(Verifier *v, const IrRegion *region) {
    for (uint32_t i = 0; i < region->parameters.count; i++) {
        IrNode *node = region->parameters.items[i];
        if (node->op != OP_param || node->attribute_count != 1 || node->attributes[0] != i ||
            node->result_count != 1 || node->operand_count || node->region_count)
            return verify_fail(v, node, "not parameter %u", i);
        if (!enter(v, node, region) || !verify_type(v, node, ir_type(node)))
            return false;
        v->visible[node->id] = node;
    }
    return true;
}

static bool verify_results(Verifier *v, const IrRegion *region) {
    for (uint32_t i = 0; i < region->results.count; i++) {
        const IrNode *x = region->results.items[i];
        if (!is_visible(v, x) || x->result_count != 1)
            return verify_fail(v, region->owner, "result %u of a region is not visible at its end", i);
        if (is_token(x) && !verify_token_use(v, region->owner, region, x))
            return false;
    }
    return true;
}

static bool verify_region(Verifier *v, IrRegion *region) {
    if (region->function != v->function)
        return verify_fail(v, region->owner, "a region says that it is in another function");
    if (!verify_parameters(v, region))
        return false;
    for (uint32_t i = 0; i < region->nodes.count; i++) {
        IrNode *node = region->nodes.items[i];
        if (!enter(v, node, region) || !verify_node(v, node))
            return false;
        v->visible[node->id] = node;
    }
    if (!verify_results(v, region))
        return false;
    for (uint32_t i = 0; i < region->parameters.count; i++)
        v->visible[region->parameters.items[i]->id] = NULL;
    for (uint32_t i = 0; i < region->nodes.count; i++)
        v->visible[region->nodes.items[i]->id] = NULL;
    return true;
}

/* The extents of a function's parameters are its own `dim` nodes or constants. */
static bool verify_parameter_extents(Verifier *v) {
    const IrRegion *body = v->function->body;
    for (uint32_t i = 0; i < body->parameters.count; i++) {
        const IrNode *node = body->parameters.items[i];
        for (uint32_t k = 0; k < node->types[0].rank; k++) {
            const IrNode *dim = node->types[0].dims[k];
            int64_t value;
            bool is_own = dim->op == OP_dim && dim->operands[0] == node && dim->attributes[0] == k;
            if (!is_own && !ir_const_value_i64(dim, &value))
                return verify_fail(v, node, "extent %u is neither its own nor a constant", k);
            if (dim->region != body)
                return verify_fail(v, node, "extent %u is not in the function's body", k);
        }
    }
    return true;
}

bool ir_verify_function(const IrFunction *function, Arena *arena, const char **message) {
    Verifier v = {.function = function, .arena = arena, .message = message};
    v.visible = ARENA_ARRAY(arena, const IrNode *, function->node_count);
    v.seen = ARENA_ARRAY(arena, bool, function->node_count);
    v.token_user = ARENA_ARRAY(arena, const IrRegion *, function->node_count);
    if (function->body->parent || function->body->owner)
        return verify_fail(&v, NULL, "the body is inside another region");
    return verify_region(&v, function->body) && verify_parameter_extents(&v);
}
