/* Calls: arguments, functions expanded in place, conversions, and dispatch to the library. */
#include "frontend/elab_sparse.h"

/* Which parameter an argument is for: -1 after reporting. */
static int find_parameter(Elaborator *e, AstList parameters, const Argument *argument, uint32_t position,
                          const char *function) {
    if (!argument->name) {
        if (position < parameters.count)
            return (int)position;
        elab_fail(e, DIAG_E0204, argument->span, "`%s` takes %u argument%s, more are given", function,
                  parameters.count, parameters.count == 1 ? "" : "s");
        return -1;
    }
    for (uint32_t i = 0; i < parameters.count; i++)
        if (parameters.items[i]->name == argument->name)
            return (int)i;
    Diag *diag = diag_error(e->sink, DIAG_E0204, argument->span, "`%s` has no parameter `%s`", function,
                            argument->name->text);
    Nearest nearest = elab_nearest(argument->name->text);
    for (uint32_t i = 0; i < parameters.count; i++)
        elab_consider(&nearest, parameters.items[i]->name->text);
    elab_note_nearest(e, diag, &nearest);
    return -1;
}

bool elab_match_arguments(Elaborator *e, const Closure *closure, const Argument *arguments, uint32_t count,
                          Value *values, bool *given, Span *spans, Span call) {
    AstList parameters = ast_declaration_parameters(closure->function);
    const char *name = closure->name ? closure->name->text : "fn";
    for (uint32_t i = 0; i < count; i++) {
        int k = find_parameter(e, parameters, &arguments[i], i, name);
        if (k < 0)
            return false;
        if (given[k]) {
            elab_fail(e, DIAG_E0204, arguments[i].span, "the argument `%s` is given twice",
                      parameters.items[k]->name->text);
            return false;
        }
        given[k] = true;
        values[k] = arguments[i].value;
        spans[k] = arguments[i].span;
    }
    for (uint32_t i = 0; i < parameters.count; i++)
        if (!given[i] && !ast_parameter_default(parameters.items[i])) {
            elab_fail(e, DIAG_E0204, call, "`%s` needs the argument `%s`", name,
                      parameters.items[i]->name->text);
            return false;
        }
    return true;
}

bool elab_is_recursive(Elaborator *e, const Closure *closure, Span span) {
    for (CallFrame *frame = e->frame; frame; frame = frame->parent)
        if (frame->closure->function == closure->function &&
            (!closure->layer || frame->closure->environment == closure->environment)) {
            elab_fail(e, DIAG_E0113, span, "`%s` calls itself; recursion is not allowed",
                      closure->name ? closure->name->text : "fn");
            return true;
        }
    if (e->call_depth < ELAB_CALL_LIMIT)
        return false;
    elab_fail(e, DIAG_E0113, span, "calls nest deeper than %d", ELAB_CALL_LIMIT);
    return true;
}

/* Errors inside a body also name the call; inside the library they belong to the call, which has one. */
void elab_note_calls(Elaborator *e, uint32_t first_diag, const Closure *closure, Span call) {
    while (closure->is_library && e->sink->diags.count > first_diag + 1) {
        Diag *last = e->sink->diags.items[--e->sink->diags.count];
        e->sink->error_count -= !last->is_warning;
    }
    for (uint32_t i = first_diag; i < e->sink->diags.count; i++) {
        Diag *diag = e->sink->diags.items[i];
        const SourceFile *file = source_find(e->options.sources, diag->span.begin);
        if (closure->is_library && file && !strncmp(file->name, "stdlib/", 7)) {
            diag->span = call;
            diag->label_count = 0;
            diag->notes.count = 0;
        }
        if (closure->name)
            diag_note(e->sink, diag, "in the call of `%s` at %s", closure->name->text, elab_place(e, call));
        else
            diag_note(e->sink, diag, "in a call at %s", elab_place(e, call));
    }
}

Value elab_expand_body(Elaborator *e, const Closure *closure, Scope *scope) {
    e->scope = scope;
    if (closure->function->kind == AST_RULE) {
        const AstNode *result = ast_rule_result(closure->function);
        Value made = elab_rule(e, closure->function);
        e->scope = scope;
        return result ? elab_declared(e, result, made, scope, closure->function->span, NULL, false) : made;
    }
    const AstNode *body = ast_function_body(closure->function),
                  *type = ast_function_result(closure->function);
    Value value = body->kind == AST_BLOCK ? elab_function_body(e, body) : elab_expression(e, body);
    e->scope = scope;
    if (!type)
        return value;
    const AstNode *last = body;
    while (last->kind == AST_BLOCK && last->child_count)
        last = last->children[last->child_count - 1];
    return elab_declared(e, type, value, scope, last->span, NULL, false);
}

/* ---- checks that nothing uses ---------------------------------------------------------------------------
 */

static void reach(bool *reached, const IrNode *node);

static void reach_region(bool *reached, const IrRegion *region) {
    for (uint32_t i = 0; i < region->results.count; i++)
        reach(reached, region->results.items[i]);
}

static void reach(bool *reached, const IrNode *node) {
    if (reached[node->id])
        return;
    reached[node->id] = true;
    for (uint32_t i = 0; i < node->operand_count; i++)
        reach(reached, node->operands[i]);
    for (uint32_t r = 0; r < node->result_count; r++)
        for (uint32_t k = 0; k < node->types[r].rank; k++)
            reach(reached, node->types[r].dims[k]);
    for (uint32_t i = 0; i < node->region_count; i++)
        reach_region(reached, node->regions[i]);
}

/* A check that nothing uses would vanish.  The sizes of arguments are checked also where the body leaves an
 * argument alone: the value of the call then hangs on the check. */
static Value with_checks(Elaborator *e, Value value, uint32_t first) {
    NodeList leaves = {0};
    uint32_t next = 0;
    if (first == e->checks.count || value_is(value, VALUE_POISON))
        return value;
    Value form = elab_flatten(e, value, &leaves);
    bool *reached = ARENA_ARRAY(e->unit->arena, bool, e->b.function->node_count), changes = false;
    for (uint32_t i = 0; i < leaves.count; i++)
        reach(reached, leaves.items[i]);
    uint32_t held = 0; /* by a tensor: a pattern cannot hang on a check */
    while (held < leaves.count && leaves.items[held]->types[0].kind != IR_TENSOR)
        held++;
    for (uint32_t i = first; i < e->checks.count && held < leaves.count; i++) {
        IrNode *check = e->checks.items[i];
        if (reached[check->id])
            continue;
        e->b.span = check->span;
        IrNode *holds = ir_binary(&e->b, OP_ge, check, ir_const_i64(&e->b, 0));
        leaves.items[held] = ir_check_true(&e->b, holds, leaves.items[held], DIAG_E0301, check->text);
        changes = true;
    }
    return changes ? elab_rebuild(e, form, leaves.items, &next) : value;
}

Value elab_call_closure(Elaborator *e, Closure *closure, Argument *arguments, uint32_t count, Span span) {
    uint32_t parameters = ast_declaration_parameters(closure->function).count;
    Value *values = ARENA_ARRAY(e->arena, Value, parameters);
    bool *given = ARENA_ARRAY(e->arena, bool, parameters);
    Span *spans = ARENA_ARRAY(e->arena, Span, parameters);
    if (closure->is_broken || elab_is_recursive(e, closure, span) ||
        !elab_match_arguments(e, closure, arguments, count, values, given, spans, span))
        return elab_poison();
    Scope *scope = elab_scope_new(e, closure->environment), *saved = e->scope;
    uint32_t first_diag = e->sink->diags.count;
    CallFrame frame = {.parent = e->frame, .closure = closure, .call = span, .has_place = true};
    /* Arguments are checked in the caller's name: their errors are not errors of the body. */
    bool keeps_checks = e->keeps_checks;
    uint32_t first_check = e->checks.count;
    e->keeps_checks = !closure->is_library && !e->is_checking;
    bool ok = elab_bind_parameters(e, closure->function, values, given, spans, scope, span);
    e->keeps_checks = keeps_checks;
    Value value = elab_poison();
    if (ok || e->sink->diags.count == first_diag) {
        first_diag = e->sink->diags.count;
        e->frame = &frame;
        e->call_depth++;
        LayerCall layer = elab_layer_enter(e, closure);
        value = elab_expand_body(e, closure, scope);
        elab_layer_leave(e, closure, layer);
        e->call_depth--;
        e->frame = frame.parent;
        if (closure->is_library && !(frame.parent && frame.parent->closure->is_library))
            value = elab_check_zeros(e, value, closure->name, span);
        value = with_checks(e, value, first_check);
        elab_note_calls(e, first_diag, closure, span);
    }
    e->checks.count = first_check;
    e->scope = saved;
    elab_at(e, span);
    return value;
}

/* ---- conversions
 * --------------------------------------------------------------------------------------------- */

Value elab_convert(Elaborator *e, Value value, Dtype dtype, Span span, const char *what) {
    Dtype from;
    if (value.kind == VALUE_TUPLE) {
        OperandInfo *infos = ARENA_ARRAY(e->arena, OperandInfo, value.tuple->count);
        for (uint32_t i = 0; i < value.tuple->count; i++)
            infos[i].span = span;
        value = elab_array_of(e, value.tuple->items, infos, value.tuple->count, span);
    }
    if (value.kind == VALUE_SPARSE || value.kind == VALUE_EDGES)
        return elab_sparse_cast(e, value, dtype);
    bool was_constant = value.kind == VALUE_CONSTANT;
    value = elab_tensor(e, value, span, what);
    if (value_is(value, VALUE_POISON))
        return value;
    elab_dtype_of(value, &from);
    elab_at(e, span);
    value.node = elab_cast(e, value.node, dtype);
    if (was_constant && ir_is_const(value.node))
        return elab_constant(dtype, (uint64_t)value.node->attributes[0], false);
    return elab_strengthen(value);
}

/* ---- calls
 * ------------------------------------------------------------------------------------------------------ */

Value elab_call_value(Elaborator *e, Value callee, Argument *arguments, uint32_t count, Span span) {
    switch (callee.kind) {
    case VALUE_POISON:
        return callee;
    case VALUE_FUNCTION:
        return elab_call_closure(e, callee.function, arguments, count, span);
    case VALUE_BUILTIN:
        return elab_call_builtin(e, callee.builtin, arguments, count, span);
    case VALUE_MAPPED:
        return elab_call_mapped(e, callee.tuple, arguments, count, span);
    case VALUE_DERIVATIVE:
        return elab_call_derivative(e, callee.derivative, arguments, count, span);
    case VALUE_CLASS:
        return elab_layer_new(e, callee.layer, arguments, count, span);
    case VALUE_LAYER:
        return elab_layer_call(e, callee, arguments, count, span);
    case VALUE_DTYPE:
        if (count != 1 || arguments[0].name)
            return elab_fail(e, DIAG_E0204, span, "`%s` converts one value", dtype_name(callee.dtype));
        return elab_convert(e, arguments[0].value, callee.dtype, arguments[0].span, "what is converted");
    default:
        return elab_fail(e, DIAG_E0201, span, "%s is not a function", elab_kind_text(e, callee));
    }
}

/* `x.f(a)` where x has no field f is `f(x, a)`. */
static Value method(Elaborator *e, const AstNode *field, Argument *self) {
    Value base = elab_expression(e, ast_field_base(field)), member;
    if (value_is(base, VALUE_POISON))
        return base;
    if (elab_find_field(e, base, field->name, &member))
        return member;
    *self = (Argument){.value = base, .node = ast_field_base(field), .span = ast_field_base(field)->span};
    Value conversion = value_of_kind(VALUE_DTYPE);
    if (dtype_find(field->name->text, &conversion.dtype))
        return conversion;
    AstNode name = {.kind = AST_NAME, .span = elab_mark(field), .name = field->name};
    return elab_name(e, &name);
}

/* `concat` and `stack` take the elements of a list as they are: their sizes may differ. */
static Value list_argument(Elaborator *e, Value callee, const AstNode *node) {
    bool joins = callee.kind == VALUE_BUILTIN && node->kind == AST_ARRAY && node->child_count &&
                 !strncmp(callee.builtin->signature, "tensors", 7);
    if (!joins)
        return elab_expression(e, node);
    ValueTuple *tuple = elab_tuple(e, node->child_count);
    for (uint32_t i = 0; i < tuple->count; i++)
        tuple->items[i] = elab_expression(e, node->children[i]);
    return (Value){.kind = VALUE_TUPLE, .tuple = tuple};
}

Value elab_call(Elaborator *e, const AstNode *node, const Value *piped, const AstNode *piped_node) {
    const AstNode *function = ast_call_callee(node);
    AstList list = ast_call_arguments(node);
    Argument *arguments = ARENA_ARRAY(e->arena, Argument, list.count + 2);
    uint32_t count = 0;
    Value callee;
    bool is_poisoned = false;
    if (piped)
        arguments[count++] = (Argument){.value = *piped, .node = piped_node, .span = piped_node->span};
    if (function->kind == AST_FIELD) {
        Argument self = {0};
        callee = method(e, function, &self);
        if (self.node)
            arguments[count++] = self;
    } else {
        callee = elab_expression(e, function);
    }
    if (list.count == 1 && list.items[0]->kind == AST_GENERATOR)
        return elab_generator(e, callee, node);
    for (uint32_t i = 0; i < list.count; i++) {
        const AstNode *argument = list.items[i];
        bool is_keyword = argument->kind == AST_KEYWORD;
        const AstNode *value = is_keyword ? ast_keyword_value(argument) : argument;
        arguments[count] =
            (Argument){.name = is_keyword ? argument->name : NULL, .node = value, .span = value->span};
        arguments[count].value = list_argument(e, callee, value);
        is_poisoned = is_poisoned || value_is(arguments[count].value, VALUE_POISON);
        count++;
    }
    elab_at(e, node->span);
    if (is_poisoned || value_is(callee, VALUE_POISON))
        return elab_poison();
    return elab_call_value(e, callee, arguments, count, node->span);
}
