/* Loops: `for` over ranges, tensors and tuples, and `while`, as regions that carry the variables they change.
 */
#include "frontend/elab_sparse.h"

/* ---- which variables a body changes
 * -------------------------------------------------------------------------- */

typedef struct BodyScan {
    Elaborator *e;
    VEC(Binding *) carried;
    VEC(const AstNode *) seen; /* functions already looked into */
    bool prints, draws;
} BodyScan;

static void carry(BodyScan *scan, Binding *binding) {
    for (uint32_t i = 0; i < scan->carried.count; i++)
        if (scan->carried.items[i] == binding)
            return;
    vec_push(scan->e->arena, &scan->carried, binding);
}

static void scan_target(BodyScan *scan, const AstNode *target) {
    Scope *where;
    if (target->kind == AST_TUPLE)
        for (uint32_t i = 0; i < target->child_count; i++)
            scan_target(scan, target->children[i]);
    target = elab_assigned_name(target);
    if (!target)
        return;
    Binding *binding = elab_lookup(scan->e, target->name, &where);
    if (binding && (binding->kind == BINDING_MUT || binding->kind == BINDING_STATE) &&
        !(where == scan->e->globals && scan->e->frame))
        carry(scan, binding);
}

static void scan_assignments(void *context, const AstNode *node) {
    if (node->kind == AST_ASSIGN)
        scan_target(context, ast_assign_target(node));
}

static void scan_effects(void *context, const AstNode *node);
static void scan_value(BodyScan *scan, Value value);
static void scan_declaration(BodyScan *scan, const AstNode *node, Scope *environment);

static void scan_name(BodyScan *scan, Name name) {
    Elaborator *e = scan->e;
    static const char *const drawing[] = {"rand", "randn", "seed"};
    scan->prints = scan->prints || name_is(name, "print") || name_is(name, "report") ||
                   name_is(name, "progress") || name_is(name, "help");
    for (size_t i = 0; i < sizeof drawing / sizeof *drawing; i++)
        scan->draws = scan->draws || name_is(name, drawing[i]);
    Binding *binding = elab_lookup(e, name, NULL);
    if (!binding && !elab_find_builtin(name->text)) {
        elab_load_library(e);
        binding = elab_find(e->library, name);
    }
    if (binding)
        scan_value(scan, binding->value);
}

static void scan_value(BodyScan *scan, Value value) {
    if (value.kind == VALUE_FUNCTION)
        scan_declaration(scan, value.function->function, value.function->environment);
    if (value.kind == VALUE_CLASS)
        scan_declaration(scan, value.layer->node, value.layer->closure->environment);
    if (value.kind == VALUE_LAYER)
        scan_declaration(scan, value.tuple->layer->node, value.tuple->layer->closure->environment);
    for (uint32_t i = 0; value_has_items(value) && i < value.tuple->count; i++)
        scan_value(scan, value.tuple->items[i]);
}

/* What a function or the methods of a layer name. */
static void scan_declaration(BodyScan *scan, const AstNode *node, Scope *environment) {
    Elaborator *e = scan->e;
    for (uint32_t i = 0; i < scan->seen.count; i++)
        if (scan->seen.items[i] == node)
            return;
    vec_push(e->arena, &scan->seen, node);
    Scope *saved = e->scope;
    e->scope = environment;
    elab_walk(node, scan_effects, scan);
    e->scope = saved;
}

/* Any function that a body can reach is named somewhere in it or in the functions it names. */
static void scan_effects(void *context, const AstNode *node) {
    if (node->kind == AST_NAME || node->kind == AST_FIELD)
        scan_name(context, node->name);
}

/* `over`: what the loop runs over, if that can print or draw. */
static BodyScan scan_body(Elaborator *e, const AstNode *condition, const AstNode *body, const Value *over) {
    BodyScan scan = {.e = e};
    if (over && over->kind == VALUE_SEQUENCE) {
        scan.prints = elab_sequence_has_bar(*over);
        scan_value(&scan, elab_sequence_source(*over));
    }
    elab_walk(body, scan_assignments, &scan);
    if (e->loop_return && elab_has_return(body)) {
        carry(&scan, e->loop_return->returned);
        carry(&scan, e->loop_return->result);
    }
    elab_walk(body, scan_effects, &scan);
    elab_walk(condition, scan_effects, &scan);
    for (uint32_t i = 0; i < e->states.count; i++) /* whatever the body calls may assign to them */
        carry(&scan, e->states.items[i]);
    if (scan.prints)
        carry(&scan, e->token);
    if (scan.draws) {
        carry(&scan, e->random_key);
        carry(&scan, e->random_counter);
    }
    return scan;
}

/* ---- carried values
 * ---------------------------------------------------------------------------------------------- */

typedef struct Carried {
    BodyScan scan;
    Value *values;    /* flattened templates, one per variable */
    NodeList initial; /* their leaves before the loop */
    NodeList parameters;
} Carried;

static Carried carried_begin(Elaborator *e, const AstNode *condition, const AstNode *body,
                             const Value *over) {
    Carried c = {.scan = scan_body(e, condition, body, over)};
    c.values = ARENA_ARRAY(e->arena, Value, c.scan.carried.count);
    for (uint32_t i = 0; i < c.scan.carried.count; i++)
        c.values[i] = elab_flatten(e, c.scan.carried.items[i]->value, &c.initial);
    return c;
}

/* Parameters of the current region for the carried leaves; the variables become them. */
static void carried_parameters(Elaborator *e, Carried *c) {
    uint32_t next = 0;
    c->parameters.count = 0;
    for (uint32_t i = 0; i < c->initial.count; i++) {
        const IrType *type = ir_type(c->initial.items[i]);
        IrNode *parameter = type->kind == IR_TOKEN ? ir_token_parameter(&e->b)
                                                   : ir_parameter(&e->b, NULL, type->dtype, type->rank,
                                                                  type->rank ? type->dims : NULL, NULL);
        vec_push(e->arena, &c->parameters, parameter);
    }
    for (uint32_t i = 0; i < c->scan.carried.count; i++)
        c->scan.carried.items[i]->value = elab_rebuild(e, c->values[i], c->parameters.items, &next);
}

/* A leaf at the body's end, with the shape it had at its start. */
static IrNode *kept_shape(Elaborator *e, Name name, IrNode *node, IrNode *parameter, Span span) {
    const IrType *wanted = ir_type(parameter), *actual = ir_type(node);
    if (wanted->kind == IR_TOKEN || ir_same_dims(wanted, actual))
        return node;
    IrNode *dims[IR_MAX_RANK];
    for (uint32_t k = 0; k < wanted->rank; k++) {
        dims[k] = elab_same_extent(e, wanted->dims[k], actual->dims[k],
                                   "in a loop `%s` keeps its shape; sizes of axis %u differ", name->text, k);
        if (dims[k])
            continue;
        elab_fail(e, DIAG_E0208, span,
                  "in a loop `%s` keeps its shape: it is %s before an iteration, %s after it", name->text,
                  elab_type_text(e, value_tensor(parameter)), elab_type_text(e, value_tensor(node)));
        return NULL;
    }
    return elab_with_dims(e, node, dims, wanted->rank);
}

/* The variables' leaves at the body's end as the region's results, and `more`, a value that is no variable's.
 */
static bool carried_results(Elaborator *e, Carried *c, IrNode *more, Span span) {
    NodeList results = {0};
    for (uint32_t i = 0; i < c->scan.carried.count; i++) {
        Binding *binding = c->scan.carried.items[i];
        uint32_t first = results.count;
        if (value_is(binding->value, VALUE_POISON))
            return false;
        Value value = elab_flatten(e, binding->value, &results), again = value;
        uint32_t next = first;
        NodeList wanted = {0};
        elab_flatten(e, c->values[i], &wanted);
        if (results.count - first == wanted.count)
            again = elab_rebuild(e, c->values[i], results.items, &next);
        if (value_is_text(value) &&
            (results.count - first != wanted.count || !elab_same_value(again, value))) {
            elab_unsupported(e, span, "a string that a loop changes");
            return false;
        }
        if (results.count - first == wanted.count && value_is_on_pattern(value) && value.kind == again.kind &&
            !elab_same_value(again, value)) {
            Diag *diag =
                diag_error(e->sink, DIAG_E0208, span,
                           "in a loop `%s` keeps its pattern: another one may not have as many entries",
                           binding->name->text);
            diag_note(e->sink, diag, "%s before an iteration, and a matrix with other entries after it",
                      elab_kind_text(e, c->values[i]));
            return false;
        }
        if (results.count - first != wanted.count || !elab_same_value(again, value)) {
            elab_fail(e, DIAG_E0208, span,
                      "in a loop `%s` keeps its type: it is %s before an iteration, %s after it",
                      binding->name->text, elab_kind_text(e, c->values[i]), elab_kind_text(e, value));
            return false;
        }
        for (uint32_t k = first; k < results.count; k++) {
            results.items[k] = kept_shape(e, binding->name, results.items[k], c->parameters.items[k], span);
            if (!results.items[k])
                return false;
        }
    }
    if (more)
        vec_push(e->arena, &results, more);
    ir_set_results(&e->b, results.items, results.count);
    return true;
}

static void carried_end(Elaborator *e, Carried *c, IrNode *loop, const Snapshot *before) {
    NodeList nodes = {0};
    uint32_t next = 0;
    elab_restore(e, before);
    for (uint32_t i = 0; loop && i < c->initial.count; i++)
        vec_push(e->arena, &nodes, ir_result(&e->b, loop, i));
    for (uint32_t i = 0; i < c->scan.carried.count; i++)
        elab_set(e, c->scan.carried.items[i],
                 loop ? elab_rebuild(e, c->values[i], nodes.items, &next) : elab_poison());
}

/* ---- for
 * ------------------------------------------------------------------------------------------------------------
 */

static void loop_body(Elaborator *e, const AstNode *node, Value item) {
    Scope *saved = e->scope;
    e->scope = elab_scope_new(e, saved);
    elab_pattern(e, ast_for_pattern(node), BINDING_LET, item, e->scope);
    Scope *inner = e->scope;
    e->scope = elab_scope_new(e, inner);
    elab_loop_statements(e, ast_for_body(node));
    e->scope = saved;
}

static void unrolled_for(Elaborator *e, const AstNode *node, const ValueTuple *tuple) {
    for (uint32_t i = 0; i < tuple->count; i++) {
        uint32_t errors = e->sink->error_count;
        loop_body(e, node, tuple->items[i]);
        if (e->sink->error_count != errors)
            return;
    }
}

typedef struct Run { /* of the index of a `for` */
    IrNode *begin, *end;
    Value over; /* a TENSOR or SEQUENCE whose items are meant; else the index itself is */
} Run;

static void run_body(Elaborator *e, const AstNode *node, const Run *run, IrNode *index) {
    Value item = value_weak(index);
    if (run->over.kind == VALUE_TENSOR)
        item = value_tensor(elab_first_axis_item(e, run->over.node, index));
    if (run->over.kind == VALUE_SEQUENCE) {
        elab_at(e, ast_for_iterable(node)->span);
        if (elab_sequence_has_bar(run->over))
            elab_sequence_show(e, run->over, index);
        item = elab_sequence_item(e, run->over, index, ast_for_iterable(node)->span);
    }
    loop_body(e, node, item);
}

static void counted_for(Elaborator *e, const AstNode *node, const Run *run) {
    Snapshot before = elab_snapshot(e);
    Carried c = carried_begin(e, NULL, ast_for_body(node), &run->over);
    IrRegion *outer = e->b.region, *body = elab_enter_region(e);
    IrNode *index = ir_parameter(&e->b, NULL, DTYPE_i64, 0, NULL, NULL);
    carried_parameters(e, &c);
    run_body(e, node, run, index);
    bool ok = carried_results(e, &c, NULL, elab_mark(node));
    e->b.region = outer;
    elab_at(e, elab_mark(node));
    IrNode *loop = ok && c.initial.count
                       ? ir_for(&e->b, run->begin, run->end, c.initial.items, c.initial.count, body)
                       : NULL;
    carried_end(e, &c, loop, &before);
}

/* The same where the body may return: the index is one more variable of a `while`. */
static void stopping_for(Elaborator *e, const AstNode *node, const Run *run) {
    Snapshot before = elab_snapshot(e);
    Carried c = carried_begin(e, NULL, ast_for_body(node), &run->over);
    IrRegion *outer = e->b.region, *condition = elab_enter_region(e);
    vec_push(e->arena, &c.initial, run->begin);
    carried_parameters(e, &c);
    IrNode *index = c.parameters.items[c.parameters.count - 1];
    IrNode *returned = elab_node(e, e->loop_return->returned->value).node;
    IrNode *goes_on = ir_binary(&e->b, OP_logical_and, ir_binary(&e->b, OP_lt, index, run->end),
                                ir_unary(&e->b, OP_logical_not, returned));
    ir_set_results(&e->b, &goes_on, 1);
    e->b.region = outer;
    IrRegion *body = elab_enter_region(e);
    carried_parameters(e, &c);
    index = c.parameters.items[c.parameters.count - 1];
    elab_set(e, e->loop_return->returned, elab_constant(DTYPE_bool, 0, false)); /* the condition says so */
    run_body(e, node, run, index);
    IrNode *next = ir_binary(&e->b, OP_add, index, ir_const_i64(&e->b, 1));
    bool ok = carried_results(e, &c, next, elab_mark(node));
    e->b.region = outer;
    elab_at(e, elab_mark(node));
    IrNode *loop = ok ? ir_while(&e->b, c.initial.items, c.initial.count, condition, body) : NULL;
    carried_end(e, &c, loop, &before);
}

static void run_for(Elaborator *e, const AstNode *node, const Run *run) {
    if (e->loop_return && elab_has_return(ast_for_body(node)))
        stopping_for(e, node, run);
    else
        counted_for(e, node, run);
}

Value elab_for(Elaborator *e, const AstNode *node) {
    const AstNode *iterable = ast_for_iterable(node);
    Value over = elab_expression(e, iterable), unit = value_of_kind(VALUE_UNIT);
    if (value_is(over, VALUE_POISON)) {
        loop_body(e, node, over);
        return unit;
    }
    IrNode *zero = ir_const_i64(&e->b, 0);
    if (over.kind == VALUE_TUPLE) {
        unrolled_for(e, node, over.tuple);
    } else if (over.kind == VALUE_GRAPH) { /* its nodes */
        IrNode *nodes = ir_pattern_extent(elab_entries(e, over).pattern, IR_SIDE_ROWS);
        run_for(e, node, &(Run){.begin = zero, .end = nodes});
    } else if (over.kind == VALUE_RANGE) {
        run_for(e, node,
                &(Run){.begin = elab_node(e, over.tuple->items[0]).node,
                       .end = elab_node(e, over.tuple->items[1]).node});
    } else if (over.kind == VALUE_SEQUENCE) {
        IrNode *count = elab_node(e, elab_sequence_count(over)).node;
        run_for(e, node, &(Run){zero, count, over});
        elab_at(e, iterable->span);
        if (elab_sequence_has_bar(over))
            elab_sequence_show(e, over, count);
    } else {
        over = elab_tensor(e, over, iterable->span, "what `for` runs over");
        if (value_is(over, VALUE_POISON))
            return unit;
        if (ir_rank(over.node) == 0) {
            elab_fail(e, DIAG_E0201, iterable->span, "`for` runs over a range, a tensor or a tuple, not %s",
                      elab_type_text(e, over));
            return unit;
        }
        run_for(e, node, &(Run){zero, ir_dim(&e->b, over.node, 0), over});
    }
    return unit;
}

/* ---- while
 * -------------------------------------------------------------------------------------------------------------
 */

static IrNode *while_condition(Elaborator *e, const AstNode *node) {
    Value token = e->token->value, counter = e->random_counter->value;
    Value value = elab_tensor(e, elab_while_condition(e, node), node->span, "the condition of `while`");
    if (value_is(value, VALUE_POISON))
        return NULL;
    if (ir_dtype(value.node) != DTYPE_bool || ir_rank(value.node) != 0) {
        elab_fail(e, DIAG_E0201, node->span, "the condition of `while` must be a scalar bool, not %s",
                  elab_type_text(e, value));
        return NULL;
    }
    if (!elab_same_value(token, e->token->value) || !elab_same_value(counter, e->random_counter->value)) {
        elab_unsupported(e, node->span, "printing or drawing in the condition of `while`");
        return NULL;
    }
    ir_set_results(&e->b, &value.node, 1);
    return value.node;
}

Value elab_while(Elaborator *e, const AstNode *node) {
    Snapshot before = elab_snapshot(e);
    Carried c = carried_begin(e, ast_while_condition(node), ast_while_body(node), NULL);
    IrRegion *outer = e->b.region, *condition = elab_enter_region(e);
    carried_parameters(e, &c);
    bool ok = while_condition(e, ast_while_condition(node)) != NULL;
    e->b.region = outer;
    IrRegion *body = elab_enter_region(e);
    carried_parameters(e, &c);
    Scope *saved = e->scope;
    e->scope = elab_scope_new(e, saved);
    elab_loop_statements(e, ast_while_body(node));
    e->scope = saved;
    ok = carried_results(e, &c, NULL, elab_mark(node)) && ok;
    e->b.region = outer;
    elab_at(e, elab_mark(node));
    IrNode *loop =
        ok && c.initial.count ? ir_while(&e->b, c.initial.items, c.initial.count, condition, body) : NULL;
    carried_end(e, &c, loop, &before);
    return value_of_kind(VALUE_UNIT);
}
