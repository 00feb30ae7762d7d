/* `return` inside loops.
 *
 * The outermost loop that holds one gets two hidden variables, carried as any other: whether the function has
 * returned, and what.  A loop goes on while it has not; what follows a loop runs where it has not.  What is
 * returned is found by elaborating the loop once to no effect, so that the variable has a type before it. */
#include "frontend/elab_sparse.h"

static const Rest loop_end; /* a loop's body: nothing of the function follows in the same iteration */

/* ---- the value ---------------------------------------------------------------------------------------- */

/* An extent of the returned value, in the region before the loop; NULL: only the loop knows it. */
static IrNode *extent_outside(Elaborator *e, IrNode *extent) {
    int64_t known;
    if (ir_const_value_i64(extent, &known))
        return ir_const_i64(&e->b, known);
    return ir_region_encloses(extent->region, e->b.region) ? extent : NULL;
}

/* Zeros of the type of a returned leaf. */
static IrNode *zeros_like(Elaborator *e, const IrNode *leaf, Span span) {
    IrNode *dims[IR_MAX_RANK];
    for (uint32_t k = 0; k < ir_rank(leaf); k++) {
        dims[k] = extent_outside(e, leaf->types[0].dims[k]);
        if (dims[k])
            continue;
        Diag *diag = diag_error(e->sink, DIAG_E0208, span,
                                "a loop returns a tensor whose size is not known before the loop");
        diag_note(e->sink, diag, "keep it in a `mut` that has its shape before the loop");
        return NULL;
    }
    Value zero = elab_constant(DTYPE_f64, 0, true);
    IrNode *scalar = elab_cast(e, elab_node(e, zero).node, ir_dtype(leaf));
    return ir_rank(leaf) ? elab_fill(e, value_tensor(scalar), dims, ir_rank(leaf)).node : scalar;
}

static Value initial_result(Elaborator *e, Value returned, Span span) {
    NodeList leaves = {0};
    uint32_t next = 0;
    Value form = elab_flatten(e, returned, &leaves);
    for (uint32_t i = 0; i < leaves.count; i++)
        if (!(leaves.items[i] = zeros_like(e, leaves.items[i], span)))
            return elab_poison();
    return elab_rebuild(e, form, leaves.items, &next);
}

/* Two returns: a literal takes the other's dtype. */
static Value common_result(Elaborator *e, Value first, Value second, Span span) {
    Dtype a, b;
    uint32_t rank_a, rank_b;
    if (!elab_dtype_of(first, &a) || !elab_dtype_of(second, &b))
        return first;
    elab_rank_of(first, &rank_a);
    elab_rank_of(second, &rank_b);
    Dtype dtype = a == b ? a : elab_common_dtype((Value[]){first, second}, 2);
    bool fits = rank_a == rank_b && (a == dtype || first.is_weak) && (b == dtype || second.is_weak);
    if (!fits)
        return elab_fail(e, DIAG_E0208, span, "the function returns %s here and %s before",
                         elab_kind_text(e, second), elab_kind_text(e, first));
    bool is_weak = first.is_weak && second.is_weak;
    Value common = elab_promote_to(e, a == dtype ? first : second, dtype, span);
    common.is_weak = is_weak;
    return common;
}

Value elab_return_from_loop(Elaborator *e, const AstNode *node) {
    LoopReturn *loop = e->loop_return;
    const AstNode *expression = ast_return_value(node);
    Value value = expression ? elab_expression(e, expression) : value_of_kind(VALUE_UNIT), form;
    Value unit = value_of_kind(VALUE_UNIT);
    Dtype dtype, wanted;
    if (expression && value_is(value, VALUE_UNIT))
        value = elab_fail(e, DIAG_E0201, expression->span, "this has no value");
    if (elab_has_pattern(value))
        value = elab_unsupported(e, expression->span, "returning a sparse matrix or a graph from a loop");
    if (value_is(value, VALUE_POISON))
        return unit;
    if (loop->is_probing) {
        NodeList leaves = {0};
        form = elab_flatten(e, value, &leaves);
        loop->found = loop->has_found ? common_result(e, loop->found, form, node->span) : form;
        loop->has_found = true;
        return unit;
    }
    Value result = loop->result->value;
    if (elab_dtype_of(value, &dtype) && elab_dtype_of(result, &wanted) && dtype != wanted)
        value = elab_promote_to(e, value, wanted, node->span);
    value.is_weak = value.is_weak && result.is_weak;
    elab_set(e, loop->result, value);
    elab_set(e, loop->returned, elab_constant(DTYPE_bool, 1, false));
    return unit;
}

/* ---- control --------------------------------------------------------------------------------------------
 */

/* The value of `run` where the function has not returned, else `otherwise`. */
static Value unless_returned(Elaborator *e, Value otherwise, bool wants_value, Span span,
                             Value (*run)(Elaborator *e, void *context), void *context) {
    LoopReturn *loop = e->loop_return;
    Binding *returned = loop->returned;
    bool known;
    if (elab_constant_bool(returned->value, &known))
        return known ? otherwise : run(e, context);
    Value condition = elab_node(e, returned->value);
    Snapshot before = elab_snapshot(e);
    IrRegion *region = e->b.region;
    Branch yes = {.value = otherwise}, no = {0};
    yes.region = elab_enter_region(e);
    elab_finish_branch(e, &before, &yes);
    e->b.region = region;
    no.region = elab_enter_region(e);
    elab_set(e, returned, elab_constant(DTYPE_bool, 0, false));
    no.value = run(e, context);
    elab_finish_branch(e, &before, &no);
    elab_restore(e, &before);
    e->b.region = region;
    return elab_join(e, condition.node, &before, &yes, &no, wants_value, span);
}

static Value run_expression(Elaborator *e, void *node) {
    return elab_expression(e, node);
}

Value elab_while_condition(Elaborator *e, const AstNode *node) {
    if (!e->loop_return)
        return elab_expression(e, node);
    return unless_returned(e, elab_constant(DTYPE_bool, 0, false), true, node->span, run_expression,
                           (void *)(uintptr_t)node);
}

static Value run_statements(Elaborator *e, void *statements) {
    elab_statements(e, *(const AstList *)statements, 0, e->loop_return ? &loop_end : NULL, false);
    return value_of_kind(VALUE_UNIT);
}

void elab_loop_statements(Elaborator *e, const AstNode *body) {
    AstList statements = ast_block_statements(body);
    if (e->loop_return)
        unless_returned(e, value_of_kind(VALUE_UNIT), false, body->span, run_statements, &statements);
    else
        run_statements(e, &statements);
}

static void run_loop(Elaborator *e, const AstNode *node) {
    if (node->kind == AST_FOR)
        elab_for(e, node);
    else
        elab_while(e, node);
}

/* What the loop returns, from elaborating it in a region that nothing uses.  False after an error. */
static bool probe(Elaborator *e, LoopReturn *loop, const AstNode *node) {
    uint32_t errors = e->sink->error_count;
    Snapshot before = elab_snapshot(e);
    IrRegion *region = e->b.region;
    elab_enter_region(e);
    loop->is_probing = true;
    run_loop(e, node);
    loop->is_probing = false;
    elab_restore(e, &before);
    e->b.region = region;
    return e->sink->error_count == errors;
}

static Value run_rest(Elaborator *e, void *rest) {
    return elab_continue(e, rest, !e->loop_return);
}

/* A loop inside one that has begun: its variables are there. */
static Value inner_loop(Elaborator *e, const AstNode *node, const Rest *rest) {
    run_loop(e, node);
    Rest copy = *rest;
    unless_returned(e, value_of_kind(VALUE_UNIT), false, elab_mark(node), run_rest, &copy);
    return value_of_kind(VALUE_UNIT);
}

typedef struct After { /* what follows the outermost loop */
    const Rest *rest;
} After;

static Value run_after(Elaborator *e, void *context) {
    LoopReturn *loop = e->loop_return;
    e->loop_return = NULL;
    Value value = elab_continue(e, ((After *)context)->rest, true);
    e->loop_return = loop;
    return value;
}

Value elab_returning_loop(Elaborator *e, const AstNode *node, const Rest *rest) {
    if (e->loop_return)
        return inner_loop(e, node, rest);
    Scope *saved = e->scope;
    LoopReturn loop = {0};
    e->scope = elab_scope_new(e, saved);
    loop.returned = elab_bind(e, e->scope, elab_intern(e, "%returned"), BINDING_MUT,
                              elab_constant(DTYPE_bool, 0, false), (Span){0});
    loop.result =
        elab_bind(e, e->scope, elab_intern(e, "%result"), BINDING_MUT, value_of_kind(VALUE_UNIT), (Span){0});
    e->loop_return = &loop;
    Value value = elab_poison();
    bool ok = probe(e, &loop, node);
    elab_at(e, elab_mark(node));
    if (ok && loop.has_found)
        loop.result->value = initial_result(e, loop.found, elab_mark(node));
    if (ok && !value_is(loop.result->value, VALUE_POISON)) {
        run_loop(e, node);
        After after = {rest};
        value = unless_returned(e, loop.result->value, true, elab_mark(node), run_after, &after);
    }
    e->loop_return = NULL;
    e->scope = saved;
    return value;
}
