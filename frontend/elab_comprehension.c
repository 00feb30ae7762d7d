/* Index expressions: `[body for i, j in 0..n]` and reductions `sum(body for k)`.
 *
 * The body is elaborated once, in a region whose parameters are the index variables; vectorising the region
 * (elab_vectorize.c) then gives a tensor with one axis for each of them before the body's own. */
#include "frontend/elab_sparse.h"
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
    /* `u -> v in g`: the number of an entry; its ends, as nodes of the body, under their names */
    IrNode *pattern;
    Name end_names[2];
    Span end_spans[2];
    IrNode *ends[2], *at[2];
    Name received_name; /* of a rule's update: what the node received, or NULL */
    IrNode *received;
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
    if (value.kind == VALUE_GRAPH || value.kind == VALUE_SPARSE) { /* its nodes, or rows */
        variable->first = ir_const_i64(&e->b, 0);
        variable->extent = ir_pattern_extent(elab_entries(e, value).pattern, IR_SIDE_ROWS);
        return true;
    }
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

/* A variable that runs over the entries, whose ends have these names. */
static void over_entries(Elaborator *e, const AstNode *const *ends, IrNode *pattern, Span span,
                         IndexVariable *variable) {
    *variable = (IndexVariable){.name = elab_intern(e, "->"), .span = span, .pattern = pattern};
    variable->first = ir_const_i64(&e->b, 0);
    variable->extent = ir_pattern_count(pattern);
    for (int i = 0; i < 2; i++) {
        variable->end_names[i] = ends[i]->name;
        variable->end_spans[i] = ends[i]->span;
        variable->ends[i] = elab_ends(e, pattern, (IrSide)i);
    }
}

/* u -> v in g */
static bool read_edges(Elaborator *e, const AstNode *binder, IndexVariable *variable) {
    const AstNode *ends[] = {ast_edge_binder_source(binder), ast_edge_binder_target(binder)};
    Value graph = elab_expression(e, ast_edge_binder_graph(binder));
    if (value_is(graph, VALUE_POISON))
        return false;
    if (!value_is_on_pattern(graph)) {
        elab_fail(e, DIAG_E0201, ast_edge_binder_graph(binder)->span,
                  "edges are those of a graph or a sparse matrix, not of %s", elab_kind_text(e, graph));
        return false;
    }
    over_entries(e, ends, elab_entries(e, graph).pattern, binder->span, variable);
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
            if (i) {
                elab_fail(e, DIAG_E0201, binder->span, "the edges come first: `for u -> v in g, k`");
                return false;
            }
            if (!read_edges(e, binder, &variables->items[0]))
                return false;
            continue;
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

/* The row of a tensor of entries that is the current entry's. */
static IrNode *at_entry(Elaborator *e, IrNode *tensor, const IndexVariable *variable) {
    IrNode *starts[IR_MAX_RANK], *extents[IR_MAX_RANK], *steps[IR_MAX_RANK];
    bool drop[IR_MAX_RANK] = {true};
    for (uint32_t k = 0; k < ir_rank(tensor); k++) {
        starts[k] = k ? ir_const_i64(&e->b, 0) : variable->parameter;
        extents[k] = k ? tensor->types[0].dims[k] : ir_const_i64(&e->b, 1);
        steps[k] = ir_const_i64(&e->b, 1);
    }
    return ir_slice(&e->b, tensor, starts, extents, steps, drop);
}

static void bind_ends(Elaborator *e, IndexVariable *variable) {
    for (int i = 0; i < 2; i++) {
        variable->at[i] = at_entry(e, variable->ends[i], variable);
        elab_bind(e, e->scope, variable->end_names[i], BINDING_LET, value_weak(variable->at[i]),
                  variable->end_spans[i]);
    }
}

/* The innermost variable over entries, or NULL. */
static const IndexVariable *edge_variable(const Elaborator *e) {
    for (const IndexVariables *level = e->index_variables; level; level = level->outer)
        if (level->count && level->items[0].pattern)
            return &level->items[0];
    return NULL;
}

bool elab_at_edge(Elaborator *e, Value base, Value source, Value target, Value *out) {
    const IndexVariable *variable = edge_variable(e);
    Entries entries = elab_entries(e, base);
    bool is_it = variable && source.kind == VALUE_TENSOR && target.kind == VALUE_TENSOR &&
                 source.node == variable->at[0] && target.node == variable->at[1] &&
                 entries.pattern == variable->pattern;
    if (is_it)
        *out = value_tensor(at_entry(e, entries.values, variable));
    return is_it;
}

IrNode *elab_collect(Elaborator *e, IrNode *x, IrCollect what) {
    const IndexVariable *variable = edge_variable(e);
    return variable ? ir_collect(&e->b, x, variable->pattern, variable->parameter, what) : NULL;
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
        if (variable->pattern)
            bind_ends(e, variable);
        if (variable->received)
            elab_bind(e, e->scope, variable->received_name, BINDING_LET,
                      value_tensor(at_entry(e, variable->received, variable)), variable->span);
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
static IrNode *over_variables(Elaborator *e, const AstNode *body, IndexVariables *variables) {
    IrRegion *region;
    Vectorized out;
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

static IrNode *over_indices(Elaborator *e, const AstNode *body, AstList binders, IndexVariables *variables) {
    return read_binders(e, binders, variables) ? over_variables(e, body, variables) : NULL;
}

IrNode *elab_messages(Elaborator *e, const AstNode *message, IrNode *pattern) {
    IndexVariables variables = {.count = 1};
    const AstNode *ends[] = {ast_message_source(message), ast_message_target(message)};
    over_entries(e, ends, pattern, message->span, &variables.items[0]);
    return over_variables(e, ast_message_body(message), &variables);
}

IrNode *elab_updates(Elaborator *e, const AstNode *update, IrNode *pattern, IrNode *received) {
    IndexVariables variables = {.count = 1};
    const AstNode *node = ast_update_node(update);
    variables.items[0] = (IndexVariable){.name = node->name,
                                         .span = node->span,
                                         .first = ir_const_i64(&e->b, 0),
                                         .extent = ir_pattern_extent(pattern, IR_SIDE_COLUMNS),
                                         .received_name = ast_update_received(update)->name,
                                         .received = received};
    return over_variables(e, ast_update_body(update), &variables);
}

Value elab_comprehension(Elaborator *e, const AstNode *node) {
    IndexVariables variables = {0};
    if (elab_makes_layers(e, node))
        return elab_layer_list(e, node);
    IrNode *made = over_indices(e, ast_comprehension_body(node), ast_comprehension_binders(node), &variables);
    if (made && variables.items[0].pattern)
        return elab_on_pattern(e, VALUE_EDGES, variables.items[0].pattern, made);
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

/* An end of the edges that an index expression around this one has bound: only edges with this end count. */
static bool find_matched(const Elaborator *e, const IndexVariable *edges, const IndexVariable **outer,
                         IrSide *side) {
    for (const IndexVariables *level = e->index_variables; level; level = level->outer)
        for (uint32_t i = 0; i < level->count; i++)
            for (int end = 0; end < 2; end++)
                if (level->items[i].name == edges->end_names[end]) {
                    *outer = &level->items[i];
                    *side = (IrSide)end;
                    return true;
                }
    return false;
}

static IrNode *mean_over(Elaborator *e, IrNode *x, const uint32_t *axes, uint32_t count) {
    Dtype dtype = dtype_is_float(ir_dtype(x)) || dtype_is_complex(ir_dtype(x)) ? ir_dtype(x) : DTYPE_f64;
    return elab_mean(e, x, axes, count, dtype, ir_accumulator(OP_sum, dtype));
}

/* sum(… for u -> v in g) where `v` (or `u`) is bound outside: over the edges into v (out of u), 0 for none.
 */
static Value aggregated(Elaborator *e, Op op, IrNode *x, const IndexVariables *variables,
                        const IndexVariable *outer, IrSide side, const AstNode *call) {
    Span span = call->span;
    IrNode *pattern = variables->items[0].pattern;
    uint32_t axes[IR_MAX_RANK], count = variables->count - 1;
    bool is_place = op == OP_argmax || op == OP_argmin;
    if (is_place && count)
        return elab_fail(e, DIAG_E0206, span, "`%s` over edges takes no other index variable", op_name(op));
    for (uint32_t i = 0; i < count; i++)
        axes[i] = i + 1;
    elab_at(e, span);
    if (count && op == OP_COUNT) /* each edge has as many of the others: a mean of means */
        x = mean_over(e, x, axes, count);
    else if (count && !(x = reduced(e, op, x, axes, count, span)))
        return elab_poison();
    IrNode *all =
        is_place ? elab_place_per_node(e, op, x, pattern, side) : elab_per_node(e, op, x, pattern, side);
    IrNode *starts[IR_MAX_RANK], *extents[IR_MAX_RANK], *steps[IR_MAX_RANK];
    bool drop[IR_MAX_RANK] = {true};
    for (uint32_t k = 0; k < ir_rank(all); k++) {
        starts[k] = k ? ir_const_i64(&e->b, 0) : outer->parameter;
        extents[k] = k ? all->types[0].dims[k] : ir_const_i64(&e->b, 1);
        steps[k] = ir_const_i64(&e->b, 1);
    }
    Value subscript = value_weak(outer->parameter);
    if (!elab_infer_range(e, subscript, all->types[0].dims[0], call) && !outer->extent)
        return elab_poison();
    return value_tensor(ir_slice(&e->b, all, starts, extents, steps, drop));
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
    const IndexVariable *outer;
    IrSide side;
    if (variables.items[0].pattern && find_matched(e, &variables.items[0], &outer, &side))
        return aggregated(e, op, x, &variables, outer, side, call);
    bool is_place = op == OP_argmax || op == OP_argmin;
    if (is_place && count != 1)
        return elab_fail(e, DIAG_E0206, generator->span, "`%s` takes one index variable, not %u", op_name(op),
                         count);
    for (uint32_t i = 0; i < count; i++)
        axes[i] = i;
    elab_at(e, call->span);
    if (op == OP_COUNT)
        return value_tensor(mean_over(e, x, axes, count));
    IrNode *made = reduced(e, op, x, axes, count, call->span);
    if (made && is_place && variables.items[0].pattern) { /* the source of that edge */
        IrNode *sources = variables.items[0].ends[IR_SIDE_ROWS];
        return value_tensor(ir_rank(made) ? ir_gather(&e->b, sources, made, 0)
                                          : elab_first_axis_item(e, sources, made));
    }
    if (made && is_place) {
        IrNode *first = elab_with_dims(e, variables.items[0].first, made->types[0].dims, ir_rank(made));
        made = ir_binary(&e->b, OP_add, made, first);
    }
    return made ? value_tensor(made) : elab_poison();
}
