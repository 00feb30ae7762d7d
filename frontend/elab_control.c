/* Blocks and statements: `if`, early `return`, bindings, assignment.  Loops are in elab_loop.c. */
#include "frontend/elab_sparse.h"

bool elab_has_return(const AstNode *node) {
    if (!node || node->kind == AST_FUNCTION)
        return false;
    if (node->kind == AST_RETURN)
        return true;
    for (uint32_t i = 0; i < node->child_count; i++)
        if (elab_has_return(node->children[i]))
            return true;
    return false;
}

/* ---- if
 * ------------------------------------------------------------------------------------------------------- */

static bool rest_continues(const Rest *rest) {
    for (; rest; rest = rest->outer)
        if (rest->next < rest->statements.count)
            return true;
    return false;
}

Value elab_continue(Elaborator *e, const Rest *rest, bool wants_value) {
    Scope *saved = e->scope;
    e->scope = elab_scope_new(e, rest->scope);
    Value value = elab_statements(e, rest->statements, rest->next, rest->outer, wants_value);
    e->scope = saved;
    return value;
}

/* One branch: a BLOCK, an `else if`, or nothing. */
static Value branch_value(Elaborator *e, const AstNode *node, const Rest *rest, bool wants_value) {
    Scope *saved = e->scope;
    Value value = value_of_kind(VALUE_UNIT);
    if (node && node->kind == AST_IF) {
        value = elab_if(e, node, rest, wants_value);
    } else if (node) {
        e->scope = elab_scope_new(e, saved);
        value = elab_statements(e, ast_block_statements(node), 0, rest, wants_value);
    } else if (rest && rest_continues(rest)) {
        value = elab_continue(e, rest, wants_value);
    }
    e->scope = saved;
    return value;
}

static Value elab_condition(Elaborator *e, const AstNode *node, const char *what) {
    Value value = elab_tensor(e, elab_expression(e, node), node->span, "a condition");
    if (value_is(value, VALUE_POISON))
        return value;
    if (ir_dtype(value.node) != DTYPE_bool || ir_rank(value.node) != 0)
        return elab_fail(e, DIAG_E0201, node->span, "the condition of `%s` must be a scalar bool, not %s",
                         what, elab_type_text(e, value));
    return value;
}

/* The branch that is not taken is judged as well: its value must fit.  What is wrong inside it is not
 * reported, as functions for any rank or dtype choose by them. */
static bool fits_other_branch(Elaborator *e, const AstNode *node, const AstNode *other, bool condition,
                              Value value) {
    DiagSink own, *sink = e->sink;
    Snapshot before = elab_snapshot(e);
    IrRegion *region = e->b.region;
    Branch branches[2] = {{.value = value}, {0}};
    elab_enter_region(e); /* nothing uses it */
    diag_init(&own, sink->arena);
    e->sink = &own;
    IrRegion *scratch = e->b.region;
    branches[0].region = elab_enter_region(e);
    elab_finish_branch(e, &before, &branches[0]);
    e->b.region = scratch;
    branches[1].region = elab_enter_region(e);
    branches[1].value = branch_value(e, other, NULL, true);
    elab_restore(e, &before);
    elab_finish_branch(e, &before, &branches[1]);
    e->sink = sink;
    e->b.region = scratch;
    uint32_t errors = sink->error_count;
    if (!own.error_count && !value_is(branches[1].value, VALUE_POISON))
        elab_join(e, ir_const_bool(&e->b, true), &before, &branches[!condition], &branches[condition], true,
                  elab_mark(node));
    elab_restore(e, &before);
    e->b.region = region;
    return sink->error_count == errors;
}

static bool is_in_library(const Elaborator *e) {
    return e->frame && e->frame->closure->is_library;
}

Value elab_if(Elaborator *e, const AstNode *node, const Rest *rest, bool wants_value) {
    Value condition = elab_condition(e, ast_if_condition(node), "if");
    const AstNode *yes_node = ast_if_then(node), *no_node = ast_if_else(node);
    bool known;
    wants_value = (wants_value && no_node) || (rest && !e->loop_return);
    if (value_is(condition, VALUE_POISON)) /* what follows is judged all the same */
        return branch_value(e, yes_node, rest, wants_value), elab_poison();
    if (elab_constant_bool(condition, &known)) {
        Value value = branch_value(e, known ? yes_node : no_node, rest, wants_value);
        bool is_judged = wants_value && !rest && !is_in_library(e) && !value_is(value, VALUE_POISON);
        return !is_judged || fits_other_branch(e, node, known ? no_node : yes_node, known, value)
                   ? value
                   : elab_poison();
    }
    Snapshot before = elab_snapshot(e);
    IrRegion *region = e->b.region;
    Branch branches[2] = {0};
    for (int i = 0; i < 2; i++) {
        branches[i].region = elab_enter_region(e);
        branches[i].value = branch_value(e, i ? no_node : yes_node, rest, wants_value);
        elab_finish_branch(e, &before, &branches[i]);
        elab_restore(e, &before);
        e->b.region = region;
    }
    return elab_join(e, condition.node, &before, &branches[0], &branches[1], wants_value, elab_mark(node));
}

/* ---- and, or
 * ------------------------------------------------------------------------------------------------------- */

static bool is_simple(const AstNode *node) { /* cannot fail and costs little: both sides may be computed */
    switch ((AstKind)node->kind) {
    case AST_NAME:
    case AST_BOOL:
    case AST_INTEGER:
    case AST_FLOAT:
    case AST_STRING:
        return true;
    case AST_FIELD:
    case AST_NEGATE:
    case AST_NOT:
        return is_simple(node->children[0]);
    case AST_BINARY:
        return node->operator!= AST_OPERATOR_FLOOR_DIV && node->operator!= AST_OPERATOR_MOD && node->
               operator!= AST_OPERATOR_MATMUL && is_simple(node->children[0]) &&
               is_simple(node->children[1]);
    default:
        return false;
    }
}

static bool is_scalar_bool(Value value) {
    Dtype dtype;
    return elab_dtype_of(value, &dtype) && dtype == DTYPE_bool && elab_is_scalar(value);
}

/* The right side only runs where the left one leaves the question open. */
static Value short_circuit(Elaborator *e, const AstNode *node, Value left) {
    const AstNode *right = ast_binary_right(node);
    bool is_and = node->operator== AST_OPERATOR_AND, known;
    if (elab_constant_bool(left, &known) && known != is_and)
        return left;
    if (elab_constant_bool(left, &known) || is_simple(right))
        return elab_binary(e, node, node->operator, left, elab_expression(e, right));
    Value condition = elab_node(e, left);
    Snapshot before = elab_snapshot(e);
    IrRegion *region = e->b.region;
    Branch branches[2] = {0};
    Branch *taken = &branches[is_and ? 0 : 1], *skipped = &branches[is_and ? 1 : 0];
    taken->region = elab_enter_region(e);
    taken->value = elab_expression(e, right);
    elab_finish_branch(e, &before, taken);
    elab_restore(e, &before);
    e->b.region = region;
    if (!is_scalar_bool(taken->value)) /* a tensor: elementwise after all */
        return value_is(taken->value, VALUE_POISON)
                   ? elab_poison()
                   : elab_binary(e, node, node->operator, left, elab_expression(e, right));
    skipped->region = elab_enter_region(e);
    skipped->value = elab_constant(DTYPE_bool, !is_and, false);
    elab_finish_branch(e, &before, skipped);
    e->b.region = region;
    return elab_join(e, condition.node, &before, &branches[0], &branches[1], true, elab_mark(node));
}

Value elab_logical(Elaborator *e, const AstNode *node) {
    Value left = elab_expression(e, ast_binary_left(node));
    if (is_scalar_bool(left))
        return short_circuit(e, node, left);
    return elab_binary(e, node, node->operator, left, elab_expression(e, ast_binary_right(node)));
}

/* ---- bindings and assignment
 * ------------------------------------------------------------------------------------- */

/* A variable has the dtype of its value for good; the name that `let` gives to a number or a size promotes as
 * the number does (as a Python variable does in NumPy). */
static Value strengthen_all(Elaborator *e, Value value, bool keeps_scalars) {
    if (value.kind != VALUE_TUPLE)
        return keeps_scalars && elab_is_scalar(value) ? value : elab_strengthen(value);
    ValueTuple *tuple = elab_tuple_like(e, value.tuple);
    for (uint32_t i = 0; i < tuple->count; i++)
        tuple->items[i] = strengthen_all(e, value.tuple->items[i], keeps_scalars);
    value.tuple = tuple;
    return value;
}

static Value elab_binding(Elaborator *e, const AstNode *node) {
    const AstNode *pattern = ast_binding_pattern(node), *type = ast_binding_type(node);
    const AstNode *expression = ast_binding_value(node);
    Value value = elab_expression(e, expression);
    if (value_is(value, VALUE_UNIT))
        value = elab_fail(e, DIAG_E0201, expression->span, "this has no value");
    if (type)
        value = elab_declared(e, type, value, e->scope, expression->span,
                              pattern->name ? pattern->name : elab_intern(e, "the value"), false);
    if (node->kind == AST_CONST && value.kind == VALUE_TENSOR) {
        if (!ir_is_const(value.node))
            value = elab_fail(e, DIAG_E0210, expression->span,
                              "the value of a `const` must be known when compiling");
        else
            value = elab_constant(ir_dtype(value.node), (uint64_t)value.node->attributes[0], value.is_weak);
    }
    BindingKind kind = node->kind == AST_CONST ? BINDING_CONST
                       : node->kind == AST_MUT ? BINDING_MUT
                                               : BINDING_LET;
    if (node->kind != AST_CONST)
        value = strengthen_all(e, value, node->kind == AST_LET);
    elab_pattern(e, pattern, kind, value, e->scope);
    return value_of_kind(VALUE_UNIT);
}

static Binding *assignable(Elaborator *e, const AstNode *target) {
    Scope *where;
    Binding *binding = elab_lookup(e, target->name, &where);
    Diag *diag;
    if (!binding) {
        elab_unknown_name(e, target->name, target->span, "name");
        return NULL;
    }
    if (binding->kind != BINDING_MUT && binding->kind != BINDING_STATE) {
        diag = diag_error(e->sink, DIAG_E0112, target->span, "`%s` cannot be assigned", target->name->text);
        if (binding->kind == BINDING_LET && binding->span.end)
            diag_note(e->sink, diag, "declare it with `mut` at %s", elab_place(e, binding->span));
        else if (binding->kind == BINDING_PARAMETER)
            diag_note(e->sink, diag, "it is a parameter: copy it with `mut`");
        return NULL;
    }
    if (where == e->globals && e->frame) {
        diag = diag_error(e->sink, DIAG_E0115, target->span, "a function assigns the top-level `mut` `%s`",
                          target->name->text);
        diag_note(e->sink, diag, "return the new value instead");
        return NULL;
    }
    return binding;
}

/* A sparse matrix or an edge tensor keeps its dtype, and the rank of its rows. */
static Value kept_entries(Elaborator *e, Name name, Value old, Value value, Span span) {
    Dtype dtype;
    uint32_t rank = 0, new_rank = 0;
    elab_rank_of(old.tuple->items[1], &rank);
    elab_rank_of(value.tuple->items[1], &new_rank);
    if (rank != new_rank)
        return elab_fail(e, DIAG_E0208, span, "`%s` is %s and cannot become %s: a `mut` keeps its rank",
                         name->text, elab_type_text(e, old), elab_type_text(e, value));
    elab_dtype_of(old, &dtype);
    return elab_coerce(e, value, dtype, span, DIAG_E0207, arena_format(e->arena, "`%s`", name->text));
}

/* A variable keeps its dtype and rank. */
static Value kept_type(Elaborator *e, Name name, Value old, Value value, Span span) {
    Dtype dtype;
    uint32_t rank, new_rank;
    if (value_is(value, VALUE_POISON) || value_is(old, VALUE_POISON) || elab_same_value(old, value))
        return value;
    if (value_is_on_pattern(old) && value.kind == old.kind) /* which entries there are may change */
        return old.kind == VALUE_GRAPH ? value : kept_entries(e, name, old, value, span);
    bool was_tensor = elab_dtype_of(old, &dtype) && !value_is_on_pattern(old);
    bool are_texts = value_is_text(old) && value_is_text(value);
    if (was_tensor ? !elab_rank_of(value, &new_rank) : value.kind != old.kind && !are_texts)
        return elab_fail(e, DIAG_E0208, span, "`%s` is %s and cannot become %s", name->text,
                         elab_kind_text(e, old), elab_kind_text(e, value));
    if (was_tensor) {
        elab_rank_of(old, &rank);
        if (rank != new_rank)
            return elab_fail(e, DIAG_E0208, span, "`%s` is %s and cannot become %s: a `mut` keeps its rank",
                             name->text, elab_type_text(e, old), elab_type_text(e, value));
        return elab_coerce(e, value, dtype, span, DIAG_E0207, arena_format(e->arena, "`%s`", name->text));
    }
    if (old.kind != VALUE_TUPLE && old.kind != VALUE_RECORD && old.kind != VALUE_LAYER)
        return value;
    if (!elab_same_form(old.tuple, value.tuple))
        return elab_fail(e, DIAG_E0208, span, "`%s` is %s and cannot become %s", name->text,
                         elab_kind_text(e, old), elab_kind_text(e, value));
    ValueTuple *tuple = elab_tuple_like(e, old.tuple);
    for (uint32_t i = 0; i < tuple->count; i++)
        tuple->items[i] = kept_type(e, name, old.tuple->items[i], value.tuple->items[i], span);
    value.tuple = tuple;
    return value;
}

/* `x[…] = value`: x becomes the value with that part replaced. */
static void assign_indexed(Elaborator *e, const AstNode *assignment, AstOperator operator,
                           const AstNode * target, Value value, Span span) {
    Binding *binding = assignable(e, elab_assigned_name(target));
    if (!binding)
        return;
    Value after = elab_updated(e, assignment, operator, target, binding->value, value, span);
    after = kept_type(e, binding->name, binding->value, after, span);
    if (!value_is(after, VALUE_POISON)) /* else the old value will do for what follows */
        elab_set(e, binding, strengthen_all(e, after, false));
}

static void assign_to(Elaborator *e, const AstNode *assignment, const AstNode *target, Value value,
                      Span span) {
    if (target->kind == AST_TUPLE) {
        bool fits = value.kind == VALUE_TUPLE && value.tuple->count == target->child_count;
        if (!fits && value.kind != VALUE_POISON)
            elab_fail(e, DIAG_E0201, span, "a tuple of %u is needed here, not %s", target->child_count,
                      elab_kind_text(e, value));
        for (uint32_t i = 0; i < target->child_count; i++)
            assign_to(e, assignment, target->children[i], fits ? value.tuple->items[i] : elab_poison(), span);
        return;
    }
    if (target->kind == AST_INDEX && elab_assigned_name(target)) {
        assign_indexed(e, assignment, AST_OPERATOR_NONE, target, value, span);
        return;
    }
    if (target->kind != AST_NAME) {
        elab_unsupported(e, target->span, "assignment through a field");
        return;
    }
    Binding *binding = assignable(e, target);
    if (binding)
        elab_set(e, binding,
                 strengthen_all(e, kept_type(e, binding->name, binding->value, value, span), false));
}

Value elab_assign(Elaborator *e, const AstNode *node) {
    const AstNode *target = ast_assign_target(node), *expression = ast_assign_value(node);
    bool is_indexed = target->kind == AST_INDEX && elab_assigned_name(target);
    Value value, unit = value_of_kind(VALUE_UNIT);
    if (node->operator!= AST_OPERATOR_NONE && target->kind != AST_NAME && !is_indexed) {
        elab_unsupported(e, target->span, "assignment through a field");
        return unit;
    }
    Binding *binding = NULL;
    if (node->operator!= AST_OPERATOR_NONE && !is_indexed && !(binding = assignable(e, target)))
        return elab_expression(e, expression), unit;
    value = elab_expression(e, expression);
    if (value_is(value, VALUE_UNIT))
        value = elab_fail(e, DIAG_E0201, expression->span, "this has no value");
    if (is_indexed && node->operator!= AST_OPERATOR_NONE) {
        assign_indexed(e, node, node->operator, target, value, expression->span);
        return unit;
    }
    if (binding)
        value = elab_binary(e, node, node->operator, binding->value, value);
    assign_to(e, node, target, value, expression->span);
    return unit;
}

static void find_own_name(void *context, const AstNode *node) {
    const AstNode **found = context;
    if (node->kind == AST_NAME && node->name == found[0]->name)
        found[1] = node;
}

/* A function declared inside a block: it captures values as an anonymous one does. */
static Value local_function(Elaborator *e, const AstNode *node) {
    const AstNode *found[2] = {node, NULL};
    elab_walk(ast_function_body(node), find_own_name, found);
    Value value = elab_closure(e, node);
    if (found[1] && !elab_lookup(e, node->name, NULL))
        value = elab_fail(e, DIAG_E0113, found[1]->span, "`%s` calls itself; recursion is not allowed",
                          node->name->text);
    elab_bind(e, e->scope, node->name, BINDING_LET, value, elab_mark(node));
    return value_of_kind(VALUE_UNIT);
}

/* ---- statements
 * -------------------------------------------------------------------------------------------------------- */

Value elab_one_statement(Elaborator *e, const AstNode *node, const Rest *rest, bool wants_value) {
    switch ((AstKind)node->kind) {
    case AST_LET:
    case AST_MUT:
    case AST_CONST:
        return elab_binding(e, node);
    case AST_ASSIGN:
        return elab_assign(e, node);
    case AST_IF:
        return elab_if(e, node, rest, wants_value);
    case AST_FOR:
        return elab_for(e, node);
    case AST_WHILE:
        return elab_while(e, node);
    case AST_FUNCTION:
        return node->name ? local_function(e, node) : elab_expression(e, node);
    case AST_LAYER:
        return elab_unsupported(e, elab_mark(node), "a `layer` inside a function or a block");
    case AST_RULE:
        return elab_unsupported(e, elab_mark(node), "a `rule` inside a function or a block");
    case AST_RETURN:
        if (!e->frame)
            return elab_fail(e, DIAG_E0101, node->span, "`return` stands in a function");
        return elab_unsupported(e, node->span, "a `return` inside an expression");
    case AST_IMPORT:
        return elab_fail(e, DIAG_E0101, node->span, "`import` stands at the top level of a file");
    default:
        return elab_expression(e, node);
    }
}

Value elab_statements(Elaborator *e, AstList statements, uint32_t next, const Rest *outer, bool wants_value) {
    Value value = value_of_kind(VALUE_UNIT);
    for (uint32_t i = next; i < statements.count; i++) {
        const AstNode *node = statements.items[i];
        bool is_last = i + 1 == statements.count;
        if (node->kind == AST_RETURN && outer && e->loop_return)
            return elab_return_from_loop(e, node);
        if (node->kind == AST_RETURN && outer) {
            const AstNode *result = ast_return_value(node);
            return result ? elab_expression(e, result) : value_of_kind(VALUE_UNIT);
        }
        if (node->kind == AST_IF && outer && elab_has_return(node)) {
            Rest rest = {statements, i + 1, e->scope, outer};
            return elab_if(e, node, &rest, true);
        }
        if ((node->kind == AST_FOR || node->kind == AST_WHILE) && outer && elab_has_return(node)) {
            Rest rest = {statements, i + 1, e->scope, outer};
            return elab_returning_loop(e, node, &rest);
        }
        Value token = e->token->value;
        bool wants = is_last && wants_value && !rest_continues(outer);
        value = elab_one_statement(e, node, NULL, wants);
        bool has_effect = !elab_same_value(token, e->token->value);
        if (!is_last && value.kind != VALUE_UNIT && value.kind != VALUE_POISON && !has_effect)
            elab_fail(e, DIAG_E0114, node->span, "the value of this expression, %s, is not used",
                      elab_kind_text(e, value));
    }
    return outer && rest_continues(outer) ? elab_continue(e, outer, wants_value) : value;
}

Value elab_block(Elaborator *e, const AstNode *block) {
    Scope *saved = e->scope;
    e->scope = elab_scope_new(e, saved);
    Value value = elab_statements(e, ast_block_statements(block), 0, NULL, true);
    e->scope = saved;
    return value;
}

Value elab_function_body(Elaborator *e, const AstNode *block) {
    static const Rest end;
    LoopReturn *loop_return = e->loop_return;
    e->loop_return = NULL;
    Value value = elab_statements(e, ast_block_statements(block), 0, &end, true);
    e->loop_return = loop_return;
    return value;
}
