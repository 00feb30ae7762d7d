/* Index expressions: `[body for i, j in 0..n]` and reductions `sum(body for k)`.
 *
 * The body is elaborated once, in a region whose parameters are the index variables; vectorising the region
 * (elab_vectorize.c) then gives a tensor with one axis for each of them before the body's own. */
#include "frontend/elab_vectorize.h"

typedef struct RangeUse { /* a subscript that is the bare name */
    IrNode *extent;
    const AstNode *node;
} RangeUse;

typedef struct IndexVariable {
    Name name;
    Span span;
    IrNode *parameter;
    IrNode *first, *extent; /* NULL: found from the uses */
    VEC(RangeUse) uses;
} IndexVariable;

typedef struct IndexVariables {
    struct IndexVariables *outer;
    uint32_t count;
    IndexVariable items[IR_MAX_RANK];
} IndexVariables;

bool elab_infer_range(Elaborator *e, Value subscript, IrNode *extent, const AstNode *node) {
    if (subscript.kind != VALUE_TENSOR)
        return false;
    for (IndexVariables *level = e->index_variables; level; level = level->outer)
        for (uint32_t i = 0; i < level->count; i++) {
            IndexVariable *variable = &level->items[i];
            if (variable->parameter != subscript.node || variable->first)
                continue;
            RangeUse use = {extent, node};
            vec_push(e->arena, &variable->uses, use);
            return true;
        }
    return false;
}

/* ---- ranges ---------------------------------------------------------------------------------------------
 */

static IrNode *range_extent(Elaborator *e, IrNode *first, IrNode *stop) {
    int64_t low, high;
    bool known = ir_const_value_i64(first, &low);
    if (known && low == 0 && stop->op == OP_dim)
        return stop;
    if (known && ir_const_value_i64(stop, &high) && low >= INT64_MIN / 2 && high <= INT64_MAX / 2)
        return ir_const_i64(&e->b, high > low ? high - low : 0);
    IrNode *length = ir_binary(&e->b, OP_sub, stop, first);
    return ir_binary(&e->b, OP_maximum, length, ir_const_i64(&e->b, 0));
}

static bool written_range(Elaborator *e, const AstNode *binder, IndexVariable *variable) {
    const AstNode *range = ast_binder_range(binder);
    if (!range)
        return true;
    Value value = elab_expression(e, range);
    if (value_is(value, VALUE_POISON))
        return false;
    if (value.kind != VALUE_RANGE) {
        elab_fail(e, DIAG_E0201, range->span, "an index variable runs over a range such as 0..n, not %s",
                  elab_kind_text(e, value));
        return false;
    }
    elab_at(e, range->span);
    variable->first = elab_node(e, value.tuple->items[0]).node;
    variable->extent = range_extent(e, variable->first, elab_node(e, value.tuple->items[1]).node);
    return true;
}

static bool read_binders(Elaborator *e, AstList binders, IndexVariables *variables) {
    if (binders.count > IR_MAX_RANK) {
        elab_fail(e, DIAG_E0203, binders.items[IR_MAX_RANK]->span,
                  "a tensor has at most %d axes, index variables included", IR_MAX_RANK);
        return false;
    }
    for (uint32_t i = 0; i < binders.count; i++) {
        const AstNode *binder = binders.items[i];
        if (binder->kind == AST_EDGE_BINDER) {
            elab_unsupported(e, binder->span, "an index expression over edges");
            return false;
        }
        variables->items[i] = (IndexVariable){.name = binder->name, .span = binder->span};
        for (uint32_t k = 0; k < i; k++)
            if (variables->items[k].name == binder->name) {
                elab_fail(e, DIAG_E0111, binder->span, "the index variable `%s` is bound twice",
                          binder->name->text);
                return false;
            }
        if (!written_range(e, binder, &variables->items[i]))
            return false;
    }
    variables->count = binders.count;
    return true;
}

/* The range of a variable that has none written: the extents of what it indexes, which must agree. */
static bool inferred_range(Elaborator *e, Vectorizer *v, IndexVariable *variable) {
    IrNode *extent = NULL;
    for (uint32_t i = 0; i < variable->uses.count; i++) {
        const RangeUse *use = &variable->uses.items[i], *first = &variable->uses.items[0];
        IrNode *own = elab_invariant(v, use->extent, use->node->span, "a size");
        if (!own)
            return false;
        elab_at(e, use->node->span);
        IrNode *same = extent ? elab_same_extent(e, extent, own, "the sizes that `%s` runs over differ",
                                                 variable->name->text)
                              : own;
        if (!same) {
            Diag *diag = diag_error(e->sink, DIAG_E0203, use->node->span,
                                    "the sizes that `%s` runs over differ", variable->name->text);
            diag_label(e->sink, diag, use->node->span, "here it has %s values", elab_extent_text(e, own));
            diag_label(e->sink, diag, first->node->span, "here %s", elab_extent_text(e, extent));
            return false;
        }
        extent = same;
    }
    if (!extent) {
        elab_fail(e, DIAG_E0209, variable->span,
                  "`%s` has no range: no subscript is the bare name `%s`; write `for %s in 0..n`",
                  variable->name->text, variable->name->text, variable->name->text);
        return false;
    }
    variable->first = ir_const_i64(&e->b, 0);
    variable->extent = extent;
    return true;
}

/* ---- bodies ---------------------------------------------------------------------------------------------
 */

static bool changes_variables(const Snapshot *before) {
    for (uint32_t i = 0; i < before->count; i++)
        if (!elab_same_value(before->values[i], before->bindings[i]->value))
            return true;
    return false;
}

/* Elaborates the body in a region of its own; POISON after reporting. */
static Value body_value(Elaborator *e, const AstNode *body, IndexVariables *variables, IrRegion **region) {
    Snapshot before = elab_snapshot(e);
    IrRegion *outer = e->b.region;
    Scope *saved = e->scope;
    uint32_t errors = e->sink->error_count;
    *region = elab_enter_region(e);
    e->scope = elab_scope_new(e, saved);
    variables->outer = e->index_variables;
    e->index_variables = variables;
    e->index_depth++;
    for (uint32_t i = 0; i < variables->count; i++) {
        IndexVariable *variable = &variables->items[i];
        variable->parameter = ir_parameter(&e->b, variable->name, DTYPE_i64, 0, NULL, NULL);
        elab_bind(e, e->scope, variable->name, BINDING_LET, value_weak(variable->parameter), variable->span);
    }
    Value value = elab_expression(e, body);
    if (e->sink->error_count == errors)
        value = elab_tensor(e, elab_strengthen(value), body->span, "the body of an index expression");
    e->index_depth--;
    e->index_variables = variables->outer;
    e->scope = saved;
    e->b.region = outer;
    if (e->sink->error_count == errors && changes_variables(&before))
        elab_unsupported(e, body->span, "printing, drawing or assigning in an index expression");
    elab_restore(e, &before);
    return e->sink->error_count == errors ? value : elab_poison();
}

/* The body for all indices, with an axis for each variable; NULL after reporting. */
static IrNode *over_indices(Elaborator *e, const AstNode *body, AstList binders, IndexVariables *variables) {
    IrRegion *region;
    Vectorized out;
    if (!read_binders(e, binders, variables))
        return NULL;
    if (!e->index_depth) {
        e->reach_checks = NULL; /* nodes of another expression, or of a unit that is gone */
        e->index_first = e->b.function->node_count;
    }
    Value value = body_value(e, body, variables, &region);
    if (value_is(value, VALUE_POISON))
        return NULL;
    elab_at(e, body->span);
    Vectorizer *v = elab_vectorizer(e, region);
    for (uint32_t i = 0; i < variables->count; i++) {
        IndexVariable *variable = &variables->items[i];
        elab_vectorizer_range(v, i, variable->name, variable->first, variable->extent);
    }
    for (uint32_t i = 0; i < variables->count; i++) {
        IndexVariable *variable = &variables->items[i];
        if (!variable->first && !inferred_range(e, v, variable))
            return NULL;
        elab_vectorizer_range(v, i, variable->name, variable->first, variable->extent);
    }
    elab_at(e, body->span);
    return elab_vectorize(v, value.node, &out) ? elab_over_all(v, out) : NULL;
}

Value elab_comprehension(Elaborator *e, const AstNode *node) {
    IndexVariables variables = {0};
    if (elab_makes_layers(e, node))
        return elab_layer_list(e, node);
    IrNode *made = over_indices(e, ast_comprehension_body(node), ast_comprehension_binders(node), &variables);
    return made ? value_tensor(made) : elab_poison();
}

/* ---- reductions -------------------------------------------------------------------------------------------
 */

static IrNode *reduced(Elaborator *e, Op op, IrNode *x, const uint32_t *axes, uint32_t count, Span span) {
    Dtype dtype = ir_dtype(x), accumulator = ir_accumulator(op, dtype);
    if (op == OP_any || op == OP_all)
        x = elab_cast(e, x, dtype = DTYPE_bool);
    if (elab_has_no_identity(op) && !(x = elab_not_empty(e, op, x, axes, count, span)))
        return NULL;
    Dtype result = ir_reduction_dtype(op, dtype);
    if (op == OP_sum && elab_is_contraction(e, x, axes, count)) {
        accumulator = dtype_info[dtype].compute;
        IrNode *product = e->index_depth ? NULL : elab_contract(e, x, axes, count);
        if (product)
            return product;
    }
    return e->index_depth ? ir_reduce(&e->b, op, x, axes, count, accumulator, result)
                          : elab_reduce_in_order(e, op, x, axes, count, accumulator, result);
}

/* The reduction that a builtin is; OP_COUNT for `mean`.  False for every other value. */
static bool reduction_of(Value callee, Op *op) {
    if (callee.kind != VALUE_BUILTIN)
        return false;
    *op = OP_COUNT;
    if (!strcmp(callee.builtin->name, "mean"))
        return true;
    *op = callee.builtin->op;
    return op_is_reduction(*op) && !strcmp(callee.builtin->name, op_name(*op));
}

Value elab_generator(Elaborator *e, Value callee, const AstNode *call) {
    const AstNode *generator = ast_call_arguments(call).items[0];
    IndexVariables variables = {0};
    uint32_t axes[IR_MAX_RANK];
    Op op;
    if (value_is(callee, VALUE_POISON))
        return callee;
    if (!reduction_of(callee, &op))
        return elab_fail(
            e, DIAG_E0201, call->span,
            "only sum, prod, max, min, mean, any, all, argmax and argmin take `expression for …`");
    IrNode *x = over_indices(e, ast_generator_body(generator), ast_generator_binders(generator), &variables);
    if (!x)
        return elab_poison();
    uint32_t count = variables.count;
    bool is_place = op == OP_argmax || op == OP_argmin;
    if (is_place && count != 1)
        return elab_fail(e, DIAG_E0206, generator->span, "`%s` takes one index variable, not %u", op_name(op),
                         count);
    for (uint32_t i = 0; i < count; i++)
        axes[i] = i;
    elab_at(e, call->span);
    if (op == OP_COUNT) {
        Dtype dtype = dtype_is_float(ir_dtype(x)) || dtype_is_complex(ir_dtype(x)) ? ir_dtype(x) : DTYPE_f64;
        return value_tensor(elab_mean(e, x, axes, count, dtype, ir_accumulator(OP_sum, dtype)));
    }
    IrNode *made = reduced(e, op, x, axes, count, call->span);
    if (made && is_place) {
        IrNode *first = elab_with_dims(e, variables.items[0].first, made->types[0].dims, ir_rank(made));
        made = ir_binary(&e->b, OP_add, made, first);
    }
    return made ? value_tensor(made) : elab_poison();
}
