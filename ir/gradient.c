/* Reverse mode: which nodes matter, and the walk from the outputs back to the variables. */
#include "ir/gradient.h"

#include "ir/internal.h"

IrNode *gradient_number(IrBuilder *b, double value, const IrNode *x) {
    IrNode *number = ir_const_number(b, ir_dtype(x), value);
    return ir_rank(x) ? ir_broadcast(b, number, NULL, x->types[0].dims, ir_rank(x)) : number;
}

void gradient_add(Gradient *g, const IrNode *x, IrNode *contribution) {
    if (!gradient_wants(g, x))
        return;
    IrNode **adjoint = &g->adjoint[x->id];
    *adjoint = *adjoint ? ir_binary(g->b, OP_add, *adjoint, contribution) : contribution;
}

/* ---- failure ------------------------------------------------------------------------------------------- */

static const IrNode *depending_operand(const Gradient *g, const IrNode *node) {
    for (uint32_t i = 0; i < node->operand_count; i++)
        if (node->operands[i]->id < g->count && g->depends[node->operands[i]->id])
            return node->operands[i];
    return NULL;
}

bool gradient_fails(Gradient *g, const IrNode *node, const char *why) {
    g->failure->node = node;
    g->failure->why = why;
    for (const IrNode *at = node; at; at = depending_operand(g, at))
        vec_push(ir_arena(g->b), &g->failure->path, at);
    return false;
}

/* ---- what matters -------------------------------------------------------------------------------------- */

static bool is_differentiable(const IrType *type) {
    return type->kind == IR_TENSOR &&
           (dtype_is_float(type->dtype) || dtype_kind(type->dtype) == KIND_COMPLEX);
}

static bool any_float(const IrNode *node) {
    for (uint32_t i = 0; i < node->result_count; i++)
        if (is_differentiable(&node->types[i]))
            return true;
    return false;
}

/* Does the node, or what its regions read from outside, use a marked value? */
static bool uses_marked(const Gradient *g, const bool *marks, const IrNode *node) {
    for (uint32_t i = 0; i < node->operand_count; i++)
        if (node->operands[i]->id < g->count && marks[node->operands[i]->id])
            return true;
    for (uint32_t r = 0; r < node->region_count; r++)
        for (uint32_t i = 0; i < node->regions[r]->nodes.count; i++)
            if (uses_marked(g, marks, node->regions[r]->nodes.items[i]))
                return true;
    return false;
}

static void mark_node(Gradient *g, const IrNode *node) {
    if (node->id >= g->count || g->depends[node->id])
        return;
    g->depends[node->id] = uses_marked(g, g->depends, node);
    bool from_integer = node->op == OP_cast && dtype_is_integer(ir_dtype(node->operands[0]));
    g->is_active[node->id] = any_float(node) && uses_marked(g, from_integer ? g->depends : g->is_active, node);
}

/* ---- the walk ------------------------------------------------------------------------------------------ */

static bool pass_back(Gradient *g, const IrNode *y) {
    IrNode *dy = y->id < g->count ? g->adjoint[y->id] : NULL;
    if (!dy || !uses_marked(g, g->depends, y))
        return true;
    IrBuilder *b = g->b;
    Span saved = b->span;
    b->span = y->span;
    bool ok = op_is_elementwise(y->op) ? gradient_elementwise(g, y, dy) : gradient_structured(g, y, dy);
    b->span = saved;
    return ok;
}

bool ir_gradient(IrBuilder *b, const GradientRequest *request, IrNode **gradients, GradientFailure *failure) {
    IrRegion *region = b->region;
    uint32_t end = (uint32_t)region->nodes.count, first = end;
    Arena *arena = ir_arena(b);
    Gradient g = {.b = b, .function = b->function, .count = b->function->node_count, .failure = failure};
    g.depends = ARENA_ARRAY(arena, bool, g.count);
    g.is_active = ARENA_ARRAY(arena, bool, g.count);
    g.adjoint = ARENA_ARRAY(arena, IrNode *, g.count);
    for (uint32_t i = 0; i < request->variable_count; i++)
        g.depends[request->variables[i]->id] = g.is_active[request->variables[i]->id] = true;
    for (uint32_t i = 0; i < end; i++) {
        mark_node(&g, region->nodes.items[i]);
        if (first == end && g.depends[region->nodes.items[i]->id])
            first = i;
    }
    for (uint32_t i = 0; i < request->output_count; i++)
        gradient_add(&g, request->outputs[i], request->seeds[i]);
    for (uint32_t i = end; i-- > first;)
        if (!pass_back(&g, region->nodes.items[i]))
            return false;
    for (uint32_t i = 0; i < request->variable_count; i++)
        gradients[i] = g.adjoint[request->variables[i]->id];
    return true;
}
