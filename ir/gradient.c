/* Reverse mode: which nodes matter, and the walk from the outputs back to the variables. */
#include "ir/gradient.h"

#include "ir/internal.h"

#include <string.h>

IrNode *gradient_number(IrBuilder *b, double value, const IrNode *x) {
    IrNode *number = ir_const_number(b, ir_dtype(x), value);
    return ir_rank(x) ? ir_broadcast(b, number, NULL, x->types[0].dims, ir_rank(x)) : number;
}

static bool is_zero(const IrNode *node) {
    if (node->op == OP_broadcast)
        node = node->operands[0];
    return node->op == OP_const && node->attributes[0] == 0;
}

/* A part written into zeros is added to that part alone: a loop that reads x[i] does not pay for all of x. */
static IrNode *sum_of(IrBuilder *b, IrNode *x, IrNode *y) {
    if (y->op != OP_update || !is_zero(y->operands[0]) ||
        (y->attributes[0] >= 0 && y->attributes[0] != OP_add))
        return ir_binary(b, OP_add, x, y);
    return gradient_updated(b, y, x, y->operands[1], OP_add);
}

void gradient_add(Gradient *g, const IrNode *x, IrNode *contribution) {
    if (!gradient_wants(g, x))
        return;
    IrNode **adjoint = &g->adjoint[x->id];
    *adjoint = *adjoint ? sum_of(g->b, *adjoint, contribution) : contribution;
}

typedef VEC(IrNode *) NodeVec;

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

static const IrNode *marked_in(const Gradient *g, IrNode *const *marks, const IrNode *node) {
    for (uint32_t i = 0; i < node->operand_count; i++)
        if (node->operands[i]->id < g->count && marks[node->operands[i]->id])
            return node->operands[i];
    for (uint32_t r = 0; r < node->region_count; r++) {
        const IrRegion *region = node->regions[r];
        const IrNode *found = NULL;
        for (uint32_t i = 0; !found && i < region->nodes.count; i++)
            found = marked_in(g, marks, region->nodes.items[i]);
        if (found)
            return found;
    }
    return NULL;
}

/* The way by which an output depends on `node`, for the message: each step is what the next one uses. */
static void add_route(Gradient *g, const GradientRequest *request, const NodeVec *nodes, IrNode *node) {
    IrNode **next = ARENA_ARRAY(ir_arena(g->b), IrNode *, g->count);
    VEC(const IrNode *) back = {0};
    next[node->id] = node;
    for (uint32_t i = 0; i < nodes->count; i++) {
        IrNode *at = nodes->items[i];
        const IrNode *used = at->id < g->count && !next[at->id] ? marked_in(g, next, at) : NULL;
        if (used)
            next[at->id] = (IrNode *)used;
    }
    for (uint32_t i = 0; i < request->output_count; i++) {
        const IrNode *at = request->outputs[i];
        if (at->id >= g->count || !next[at->id])
            continue;
        for (; at != node; at = next[at->id])
            vec_push(ir_arena(g->b), &back, at);
        break;
    }
    vec_push(ir_arena(g->b), &g->failure->route, node);
    while (back.count)
        vec_push(ir_arena(g->b), &g->failure->route, back.items[--back.count]);
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

bool gradient_uses(const Gradient *g, const bool *marks, const IrNode *node) {
    for (uint32_t i = 0; i < node->operand_count; i++)
        if (node->operands[i]->id < g->count && marks[node->operands[i]->id])
            return true;
    for (uint32_t r = 0; r < node->region_count; r++) {
        const IrRegion *region = node->regions[r];
        for (uint32_t i = 0; i < region->nodes.count; i++)
            if (gradient_uses(g, marks, region->nodes.items[i]))
                return true;
        for (uint32_t i = 0; i < region->results.count; i++) /* a value from outside, as it is */
            if (region->results.items[i]->id < g->count && marks[region->results.items[i]->id])
                return true;
    }
    return false;
}

static bool is_marked(const Gradient *g, const bool *marks, const IrNode *node) {
    return node->id < g->count && marks[node->id];
}

/* Is one of several results computed from a marked value? */
static bool is_result_marked(const Gradient *g, const bool *marks, const IrNode *node, uint32_t i) {
    if (node->op == OP_custom || !node->region_count) { /* none: the results of a pattern */
        for (uint32_t k = node->op == OP_custom ? node->result_count : 0; k < node->operand_count; k++)
            if (is_marked(g, marks, node->operands[k]))
                return true;
        return false;
    }
    const IrRegion *last = node->regions[node->region_count - 1];
    if (is_marked(g, marks, last->results.items[i]))
        return true;
    switch (node->op) {
    case OP_checkpoint:
        return false;
    case OP_if:
        return is_marked(g, marks, node->operands[0]) ||
               is_marked(g, marks, node->regions[0]->results.items[i]);
    case OP_for:
        return is_marked(g, marks, node->operands[0]) || is_marked(g, marks, node->operands[1]) ||
               is_marked(g, marks, node->operands[2 + i]);
    default: /* while */
        return is_marked(g, marks, node->regions[0]->results.items[0]) ||
               is_marked(g, marks, node->operands[i]);
    }
}

static bool set_mark(const Gradient *g, bool *marks, const IrNode *node, bool value) {
    if (!value || node->id >= g->count || marks[node->id])
        return false;
    return marks[node->id] = true;
}

static bool mark_node(Gradient *g, const IrNode *node);

/* What loop variables are made of, by going round until nothing changes. */
static bool mark_regions(Gradient *g, const IrNode *node) {
    bool any = false;
    uint32_t skip = node->op == OP_for;
    for (bool changed = true; changed; any = any || changed) {
        changed = false;
        for (uint32_t r = 0; r < node->region_count; r++) {
            const IrRegion *region = node->regions[r];
            for (uint32_t i = skip; i < region->parameters.count; i++) {
                const IrNode *parameter = region->parameters.items[i];
                changed |=
                    set_mark(g, g->depends, parameter, is_result_marked(g, g->depends, node, i - skip));
                changed |=
                    set_mark(g, g->is_active, parameter,
                             any_float(parameter) && is_result_marked(g, g->is_active, node, i - skip));
            }
            for (uint32_t i = 0; i < region->nodes.count; i++)
                changed |= mark_node(g, region->nodes.items[i]);
        }
    }
    return any;
}

/* A size says how many elements there are, not what they are: 0, 1, 2, … stays that, repeated or not. */
static bool depends_on_operands(const Gradient *g, const IrNode *node) {
    if (node->op == OP_iota)
        return false;
    if (node->op == OP_broadcast || node->op == OP_reshape)
        return is_marked(g, g->depends, node->operands[0]);
    return gradient_uses(g, g->depends, node);
}

/* True if that changed anything. */
static bool mark_node(Gradient *g, const IrNode *node) {
    bool changed = node->region_count && node->op != OP_custom && mark_regions(g, node);
    bool depends = false, is_active = false;
    if (node->id >= g->count)
        return changed;
    if (node->op == OP_result || node->region_count) {
        const IrNode *owner = node->op == OP_result ? node->operands[0] : node;
        uint32_t first = node->op == OP_result ? (uint32_t)node->attributes[0] : 0;
        uint32_t last = node->op == OP_result ? first + 1 : node->result_count;
        for (uint32_t i = first; i < last; i++) {
            depends = depends || is_result_marked(g, g->depends, owner, i);
            is_active = is_active || is_result_marked(g, g->is_active, owner, i);
        }
    } else {
        bool from_integer = node->op == OP_cast && dtype_is_integer(ir_dtype(node->operands[0]));
        depends = depends_on_operands(g, node);
        is_active = gradient_uses(g, from_integer ? g->depends : g->is_active, node);
    }
    changed |= set_mark(g, g->depends, node, depends);
    changed |= set_mark(g, g->is_active, node, is_active && any_float(node));
    return changed;
}

/* ---- the walk ------------------------------------------------------------------------------------------ */

/* A result's adjoint waits for those of its siblings. */
static void add_to_owner(Gradient *g, const IrNode *result, IrNode *dy) {
    const IrNode *owner = result->operands[0];
    if (owner->id >= g->count)
        return;
    IrNode ***slot = &g->results[owner->id];
    if (!*slot)
        *slot = ARENA_ARRAY(ir_arena(g->b), IrNode *, owner->result_count);
    (*slot)[result->attributes[0]] = dy;
}

static bool has_complex(const IrNode *y) {
    bool found = dtype_is_complex(ir_dtype(y));
    for (uint32_t i = 0; i < y->operand_count; i++)
        found = found ||
                (y->operands[i]->types[0].kind == IR_TENSOR && dtype_is_complex(ir_dtype(y->operands[i])));
    return found;
}

static bool apply_rule(Gradient *g, IrNode *y, IrNode *dy) {
    if (has_complex(y))
        return gradient_fails(g, y, "derivatives of complex numbers are not supported yet");
    if (y->op == OP_result)
        return add_to_owner(g, y, dy), true;
    if (y->region_count)
        return gradient_control(g, y, &dy);
    return op_is_elementwise(y->op) ? gradient_elementwise(g, y, dy) : gradient_structured(g, y, dy);
}

static bool pass_back(Gradient *g, IrNode *y) {
    IrNode *dy = g->adjoint[y->id], **several = g->results[y->id];
    if ((!dy && !several) || g->is_variable[y->id] || !gradient_uses(g, g->depends, y))
        return true;
    Span saved = g->b->span;
    g->b->span = y->span;
    bool ok = several ? gradient_control(g, y, several) : apply_rule(g, y, dy);
    g->b->span = saved;
    return ok;
}

/* What is visible from a region, in program order: nodes of enclosing regions, then its own.  A copy, for
 * loops that are prepared for their derivative add nodes before themselves. */
static void collect(Arena *arena, const IrRegion *region, NodeVec *nodes) {
    if (region->parent)
        collect(arena, region->parent, nodes);
    for (uint32_t i = 0; i < region->nodes.count; i++)
        vec_push(arena, nodes, region->nodes.items[i]);
}

bool ir_gradient(IrBuilder *b, const GradientRequest *request, IrNode **gradients, GradientFailure *failure) {
    Arena *arena = ir_arena(b);
    NodeVec nodes = {0};
    collect(arena, b->region, &nodes);
    uint32_t end = (uint32_t)nodes.count, first = end;
    Gradient g = {.b = b, .function = b->function, .count = b->function->node_count, .failure = failure};
    g.is_variable = ARENA_ARRAY(arena, bool, g.count);
    g.depends = ARENA_ARRAY(arena, bool, g.count);
    g.is_active = ARENA_ARRAY(arena, bool, g.count);
    g.adjoint = ARENA_ARRAY(arena, IrNode *, g.count);
    g.results = ARENA_ARRAY(arena, IrNode **, g.count);
    for (uint32_t i = 0; i < request->variable_count; i++) {
        uint32_t id = request->variables[i]->id;
        g.is_variable[id] = g.depends[id] = g.is_active[id] = true;
    }
    for (uint32_t i = 0; request->initial && i < request->variable_count; i++)
        g.adjoint[request->variables[i]->id] = request->initial[i];
    for (uint32_t i = 0; i < end; i++) {
        mark_node(&g, nodes.items[i]);
        if (first == end && g.depends[nodes.items[i]->id])
            first = i;
    }
    for (uint32_t i = 0; i < request->output_count; i++)
        gradient_add(&g, request->outputs[i], request->seeds[i]);
    for (uint32_t i = end; i-- > first;)
        if (!pass_back(&g, nodes.items[i]))
            return add_route(&g, request, &nodes, nodes.items[i]), false;
    for (uint32_t i = 0; i < request->variable_count; i++)
        gradients[i] = g.adjoint[request->variables[i]->id];
    return true;
}
