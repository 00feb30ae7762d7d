/* Rules of message passing, and what functions over a node's edges make. */
#include "frontend/elab_builtin.h"
#include "frontend/elab_sparse.h"

/* ---- over the entries of each row or column
 * ---------------------------------------------------------------- */

static IrNode *counts_of(Elaborator *e, IrNode *pattern, IrSide side) {
    IrBuilder *b = &e->b;
    IrNode *starts =
        ir_pattern_part(b, pattern, side == IR_SIDE_ROWS ? IR_PART_ROW_STARTS : IR_PART_COLUMN_STARTS);
    IrNode *extent = ir_pattern_extent(pattern, side), *zero = ir_const_i64(b, 0), *one = ir_const_i64(b, 1);
    IrNode *first = ir_slice(b, starts, &zero, &extent, &one, NULL);
    return ir_binary(b, OP_sub, ir_slice(b, starts, &one, &extent, &one, NULL), first);
}

/* A vector along the first axis of x. */
static IrNode *along_first(Elaborator *e, IrNode *vector, const IrNode *x) {
    uint32_t axis = 0;
    return ir_broadcast(&e->b, vector, &axis, x->types[0].dims, ir_rank(x));
}

/* x, [nodes, ...], where there are edges; else 0. */
static IrNode *over_edges_only(Elaborator *e, IrNode *x, IrNode *pattern, IrSide side) {
    IrBuilder *b = &e->b;
    IrNode *counts = counts_of(e, pattern, side);
    IrNode *ones = elab_with_dims(e, ir_const_i64(b, 1), counts->types[0].dims, 1);
    IrNode *zero = elab_with_dims(e, ir_const_number(b, ir_dtype(x), 0), x->types[0].dims, ir_rank(x));
    return ir_where(b, along_first(e, ir_binary(b, OP_ge, counts, ones), x), x, zero);
}

IrNode *elab_per_node(Elaborator *e, Op op, IrNode *x, IrNode *pattern, IrSide side) {
    IrBuilder *b = &e->b;
    Dtype dtype = ir_dtype(x);
    bool is_mean = op == OP_COUNT;
    if (is_mean && !dtype_is_float(dtype) && !dtype_is_complex(dtype))
        x = elab_cast(e, x, dtype = DTYPE_f64);
    if (op == OP_any || op == OP_all)
        x = elab_cast(e, x, dtype = DTYPE_bool);
    Op reduction = is_mean ? OP_sum : op;
    bool is_float = dtype_is_float(dtype) || dtype_is_complex(dtype);
    Dtype result = is_float ? dtype : ir_reduction_dtype(reduction, dtype);
    Dtype accumulator = is_float ? dtype_info[dtype].compute : ir_accumulator(reduction, dtype);
    IrNode *made =
        ir_segment(b, reduction, elab_fit_entries(e, x, pattern), pattern, side, accumulator, result);
    if (op == OP_sum || op == OP_any)
        return made;
    if (is_mean) {
        IrNode *counts = counts_of(e, pattern, side), *one = ir_const_i64(b, 1);
        IrNode *ones = elab_with_dims(e, one, counts->types[0].dims, 1);
        IrNode *divisor = elab_cast(e, ir_binary(b, OP_maximum, counts, ones), result);
        return ir_binary(b, OP_div, made, along_first(e, divisor, made));
    }
    return over_edges_only(e, made, pattern, side);
}

IrNode *elab_place_per_node(Elaborator *e, Op op, IrNode *x, IrNode *pattern, IrSide side) {
    IrBuilder *b = &e->b;
    Dtype dtype = ir_dtype(x);
    uint32_t axis = 0;
    IrNode *extremes = ir_segment(b, op == OP_argmax ? OP_max : OP_min, x, pattern, side, dtype, dtype);
    IrNode *is_it = ir_binary(b, OP_eq, x, ir_spread(b, extremes, pattern, side));
    if (dtype_is_float(dtype)) /* the first NaN, where there is one */
        is_it = ir_binary(b, OP_logical_or, is_it, ir_binary(b, OP_ne, x, x));
    IrNode *edges = ir_broadcast(b, ir_iota(b, x->types[0].dims[0]), &axis, x->types[0].dims, ir_rank(x));
    IrNode *past = elab_with_dims(e, ir_const_i64(b, INT64_MAX), x->types[0].dims, ir_rank(x));
    IrNode *first =
        ir_segment(b, OP_min, ir_where(b, is_it, edges, past), pattern, side, DTYPE_i64, DTYPE_i64);
    IrNode *none = elab_with_dims(e, ir_const_i64(b, INT64_MAX), first->types[0].dims, ir_rank(first));
    IrNode *absent = elab_with_dims(e, ir_const_i64(b, -1), first->types[0].dims, ir_rank(first));
    IrNode *at = ir_where(b, ir_binary(b, OP_eq, first, none), absent, first);
    return elab_entries_at(e, elab_ends(e, pattern, side == IR_SIDE_COLUMNS ? IR_SIDE_ROWS : IR_SIDE_COLUMNS),
                           at);
}

/* softmax_in, sum_in, mean_in, max_in: in a message for every edge; of an edge tensor per edge (softmax_in),
 * or per node. */
Value builtin_collect(Elaborator *e, BuiltinCall *call) {
    const char *name = call->builtin->name;
    IrCollect what = !strcmp(name, "softmax_in") ? IR_COLLECT_SOFTMAX
                     : !strcmp(name, "sum_in")   ? IR_COLLECT_SUM
                     : !strcmp(name, "mean_in")  ? IR_COLLECT_MEAN
                                                 : IR_COLLECT_MAX;
    Value x = call->values[0];
    elab_at(e, call->span);
    if (x.kind == VALUE_EDGES) {
        Entries entries = elab_entries(e, x);
        IrNode *made = ir_collected(&e->b, entries.values, entries.pattern, what);
        return what == IR_COLLECT_SOFTMAX ? elab_on_pattern(e, VALUE_EDGES, entries.pattern, made)
                                          : value_tensor(made);
    }
    x = builtin_tensor(e, call, 0, arena_format(e->arena, "the argument of `%s`", name));
    if (value_is(x, VALUE_POISON))
        return x;
    if (!dtype_is_float(ir_dtype(x.node)))
        x.node = elab_cast(e, x.node, DTYPE_f64);
    IrNode *made = elab_collect(e, x.node, what);
    if (!made)
        return elab_fail(e, DIAG_E0201, call->spans[0],
                         "`%s` needs an edge tensor, or a message of a rule around it", name);
    return value_tensor(made);
}

/* ---- rules
 * ------------------------------------------------------------------------------------------------- */

static const AstNode *member(const AstNode *rule, AstKind kind) {
    AstList members = ast_rule_members(rule);
    for (uint32_t i = 0; i < members.count; i++)
        if (members.items[i]->kind == kind)
            return members.items[i];
    return NULL;
}

/* The first graph, or sparse matrix, among the parameters. */
static bool find_graph(Elaborator *e, const AstNode *rule, Value *out) {
    AstList parameters = ast_declaration_parameters(rule);
    for (uint32_t i = 0; i < parameters.count; i++) {
        Binding *binding = elab_find(e->scope, parameters.items[i]->name);
        if (binding && (binding->value.kind == VALUE_GRAPH || binding->value.kind == VALUE_SPARSE))
            return *out = binding->value, true;
    }
    return false;
}

static IrNode *squared(Elaborator *e, IrNode *x) {
    return ir_binary(&e->b, OP_mul, x, x);
}

/* The square root with the derivative 0 at 0: where one message came in, or the same ones. */
static IrNode *flat_root(Elaborator *e, IrNode *x) {
    IrBuilder *b = &e->b;
    IrNode *zero = elab_with_dims(e, ir_const_number(b, ir_dtype(x), 0), x->types[0].dims, ir_rank(x));
    IrNode *one = elab_with_dims(e, ir_const_number(b, ir_dtype(x), 1), x->types[0].dims, ir_rank(x));
    IrNode *is_some = ir_binary(b, OP_ne, x, zero);
    return ir_where(b, is_some, ir_unary(b, OP_sqrt, ir_where(b, is_some, x, one)), zero);
}

/* A function of the messages, an edge tensor: it gives a tensor with a row for each node. */
static IrNode *by_function(Elaborator *e, Value function, IrNode *messages, IrNode *pattern, Span span) {
    Argument argument = {.value = elab_on_pattern(e, VALUE_EDGES, pattern, messages), .span = span};
    Value made = elab_call_value(e, function, &argument, 1, span);
    if (value_is(made, VALUE_POISON))
        return NULL;
    IrNode *nodes = ir_pattern_extent(pattern, IR_SIDE_COLUMNS), *same = NULL, *dims[IR_MAX_RANK];
    if (made.kind == VALUE_TENSOR && ir_rank(made.node))
        same = elab_same_extent(e, nodes, made.node->types[0].dims[0],
                                "an aggregation gives a row for each node");
    if (!same) {
        Diag *diag = diag_error(e->sink, DIAG_E0203, span,
                                "the function that aggregates must give a row for each node, not %s",
                                elab_kind_text(e, made));
        diag_note(e->sink, diag, "its argument is the edge tensor of the messages: sum_in(m), max_in(m)");
        return NULL;
    }
    elab_copy_dims(dims, made.node);
    dims[0] = same;
    return over_edges_only(e, elab_with_dims(e, made.node, dims, ir_rank(made.node)), pattern,
                           IR_SIDE_COLUMNS);
}

/* What the nodes receive; NULL after reporting. */
static IrNode *aggregate(Elaborator *e, const AstNode *aggregate, IrNode *messages, IrNode *pattern) {
    const AstNode *function = ast_aggregate_function(aggregate);
    const IrSide side = IR_SIDE_COLUMNS;
    elab_at(e, function->span);
    if (function->kind == AST_NAME && name_is(function->name, "softmax")) {
        IrNode *shares = ir_collected(&e->b, messages, pattern, IR_COLLECT_SOFTMAX);
        return elab_per_node(e, OP_sum, ir_binary(&e->b, OP_mul, shares, messages), pattern, side);
    }
    if (function->kind == AST_NAME && name_is(function->name, "std")) {
        IrNode *mean = elab_per_node(e, OP_COUNT, messages, pattern, side);
        IrNode *far = ir_binary(&e->b, OP_sub, messages, ir_spread(&e->b, mean, pattern, side));
        return flat_root(e, elab_per_node(e, OP_COUNT, squared(e, far), pattern, side));
    }
    Value value = elab_expression(e, function);
    if (value_is(value, VALUE_POISON))
        return NULL;
    bool is_mean = value.kind == VALUE_BUILTIN && !strcmp(value.builtin->name, "mean");
    if (is_mean || (value.kind == VALUE_BUILTIN && op_is_reduction(value.builtin->op) &&
                    value.builtin->op != OP_argmax && value.builtin->op != OP_argmin))
        return elab_per_node(e, is_mean ? OP_COUNT : value.builtin->op, messages, pattern, side);
    if (value.kind == VALUE_FUNCTION)
        return by_function(e, value, messages, pattern, function->span);
    elab_fail(e, DIAG_E0201, function->span,
              "messages are aggregated by sum, mean, max, min, prod, std, softmax or a function, not by %s",
              elab_kind_text(e, value));
    return NULL;
}

Value elab_rule(Elaborator *e, const AstNode *rule) {
    const AstNode *message = member(rule, AST_MESSAGE), *by = member(rule, AST_AGGREGATE);
    const AstNode *update = member(rule, AST_UPDATE);
    Value graph;
    if (!message || !by)
        return elab_fail(e, DIAG_E0101, rule->span, "a rule has a `message` and an `aggregate`");
    if (!find_graph(e, rule, &graph))
        return elab_fail(e, DIAG_E0204, rule->span, "no argument of the rule is a graph or a sparse matrix");
    IrNode *pattern = elab_entries(e, graph).pattern, *messages = elab_messages(e, message, pattern);
    IrNode *received = messages ? aggregate(e, by, messages, pattern) : NULL;
    if (!received || !update)
        return received ? value_tensor(received) : elab_poison();
    IrNode *made = elab_updates(e, update, pattern, received);
    return made ? value_tensor(made) : elab_poison();
}
