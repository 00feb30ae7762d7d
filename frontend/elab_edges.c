/* Rules of message passing, subscripts at edges, and what functions over a node's edges make. */
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
    IrNode *counts = counts_of(e, pattern, side), *one = ir_const_i64(b, 1);
    IrNode *ones = elab_with_dims(e, one, counts->types[0].dims, 1);
    if (is_mean) {
        IrNode *divisor = elab_cast(e, ir_binary(b, OP_maximum, counts, ones), result);
        return ir_binary(b, OP_div, made, along_first(e, divisor, made));
    }
    IrNode *zero = elab_with_dims(e, ir_const_number(b, result, 0), made->types[0].dims, ir_rank(made));
    return ir_where(b, along_first(e, ir_binary(b, OP_ge, counts, ones), made), made, zero);
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

/* ---- subscripts
 * -------------------------------------------------------------------------------------------- */

/* a[i, j] anywhere: the entry, or zero. */
static Value looked_up(Elaborator *e, Value base, Value row, Value column, Span span) {
    Entries a = elab_entries(e, base);
    Value ends[2] = {elab_index_scalar(e, row, span, "a row"),
                     elab_index_scalar(e, column, span, "a column")};
    IrNode *lists[2], *one = ir_const_i64(&e->b, 1);
    for (int i = 0; i < 2; i++) {
        if (value_is(ends[i], VALUE_POISON))
            return ends[i];
        elab_at(e, span);
        IrNode *extent = ir_pattern_extent(a.pattern, (IrSide)i);
        lists[i] = elab_with_dims(e, ir_check_index(&e->b, ends[i].node, extent, (uint32_t)i), &one, 1);
    }
    IrNode *found = ir_pattern_locate(&e->b, a.pattern, lists[0], lists[1]);
    return value_tensor(elab_drop_unit_axis(e, elab_entries_at(e, a.values, found), 0));
}

Value elab_sparse_index(Elaborator *e, const AstNode *node, Value base) {
    AstList list = ast_index_subscripts(node);
    Value ends[2], out;
    if (base.kind == VALUE_GRAPH)
        return elab_fail(e, DIAG_E0209, node->span, "a graph is not indexed: its adjacency matrix is `.adj`");
    if (list.count == 1 && list.items[0]->kind == AST_EDGE) {
        ends[0] = elab_expression(e, ast_edge_source(list.items[0]));
        ends[1] = elab_expression(e, ast_edge_target(list.items[0]));
    } else if (list.count == 2 && list.items[0]->kind != AST_SLICE && list.items[1]->kind != AST_SLICE &&
               base.kind == VALUE_SPARSE) {
        ends[0] = elab_expression(e, list.items[0]);
        ends[1] = elab_expression(e, list.items[1]);
    } else {
        return elab_fail(e, DIAG_E0900, node->span, "this subscript of %s is not supported yet",
                         base.kind == VALUE_SPARSE ? "a sparse matrix: a[i, j] and `dense(a)` are"
                                                   : "an edge tensor: w[u -> v] is");
    }
    if (value_is(ends[0], VALUE_POISON) || value_is(ends[1], VALUE_POISON))
        return elab_poison();
    if (elab_at_edge(e, base, ends[0], ends[1], &out))
        return out;
    if (base.kind == VALUE_SPARSE)
        return looked_up(e, base, ends[0], ends[1], node->span);
    return elab_fail(e, DIAG_E0209, node->span,
                     "an edge tensor is read at the edge `u -> v` of an index expression over its own graph");
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
        return ir_unary(&e->b, OP_sqrt, elab_per_node(e, OP_COUNT, squared(e, far), pattern, side));
    }
    Value value = elab_expression(e, function);
    if (value_is(value, VALUE_POISON))
        return NULL;
    bool is_mean = value.kind == VALUE_BUILTIN && !strcmp(value.builtin->name, "mean");
    if (is_mean || (value.kind == VALUE_BUILTIN && op_is_reduction(value.builtin->op) &&
                    value.builtin->op != OP_argmax && value.builtin->op != OP_argmin))
        return elab_per_node(e, is_mean ? OP_COUNT : value.builtin->op, messages, pattern, side);
    elab_fail(e, DIAG_E0201, function->span,
              "messages are aggregated by sum, mean, max, min, prod, std or softmax, not by %s",
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
