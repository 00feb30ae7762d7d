/* Checks of declared functions before anything runs: unknown names and recursion in all of them, and a whole
 * elaboration with symbolic sizes of those whose types are spelled. */
#include "frontend/elab_export.h"

/* ---- names
 * ----------------------------------------------------------------------------------------------------------
 */

typedef struct NameScope {
    const struct NameScope *parent;
    VEC(Name) names;
} NameScope;

typedef struct NameCheck {
    Elaborator *e;
    VEC(Closure *) stack; /* functions being looked into, for cycles */
} NameCheck;

static void check_names(NameCheck *c, const AstNode *node, NameScope *scope);
static void check_function(NameCheck *c, Closure *closure);

static void add_name(NameCheck *c, NameScope *scope, Name name) {
    if (name)
        vec_push(c->e->arena, &scope->names, name);
}

static bool is_local(const NameScope *scope, Name name) {
    for (; scope; scope = scope->parent)
        for (uint32_t i = 0; i < scope->names.count; i++)
            if (scope->names.items[i] == name)
                return true;
    return false;
}

static void report_cycle(NameCheck *c, uint32_t first, Span span) {
    TextBuffer text = {.arena = c->e->sink->arena};
    for (uint32_t i = first; i < c->stack.count; i++) {
        text_format(&text, "`%s` calls ", c->stack.items[i]->name->text);
        c->stack.items[i]->is_broken = true;
    }
    text_format(&text, "`%s`", c->stack.items[first]->name->text);
    Diag *diag = diag_error(c->e->sink, DIAG_E0113, span, "recursion is not allowed: %s", text.text);
    diag_note(c->e->sink, diag, "write it as a loop");
}

static void check_name(NameCheck *c, const AstNode *node, const NameScope *scope) {
    Elaborator *e = c->e;
    Value constant;
    if (is_local(scope, node->name) || name_is(node->name, "_"))
        return;
    Binding *binding = elab_find(e->globals, node->name);
    if (!binding) {
        if (elab_find_builtin(node->name->text) || elab_is_builtin_constant(e, node->name, &constant))
            return;
        elab_load_library(e);
        if (!elab_find(e->library, node->name)) {
            elab_unknown_name(e, node->name, node->span, "name");
            c->stack.items[c->stack.count - 1]->is_broken = true;
        }
        return;
    }
    if (binding->kind != BINDING_FUNCTION || binding->value.kind != VALUE_FUNCTION)
        return;
    Closure *closure = binding->value.function;
    for (uint32_t i = 0; i < c->stack.count; i++)
        if (c->stack.items[i] == closure) {
            if (!closure->is_broken)
                report_cycle(c, i, node->span);
            return;
        }
    check_function(c, closure);
}

static void add_pattern(NameCheck *c, const AstNode *pattern, NameScope *scope) {
    if (pattern->kind == AST_NAME)
        add_name(c, scope, pattern->name);
    for (uint32_t i = 0; i < pattern->child_count; i++)
        add_pattern(c, pattern->children[i], scope);
}

static void add_type_names(void *context, const AstNode *node) {
    struct {
        NameCheck *c;
        NameScope *scope;
    } *target = context;
    if (node->kind == AST_NAME || node->kind == AST_DIM_REST || node->kind == AST_TYPE_NAME)
        add_name(target->c, target->scope, node->name);
}

/* Types that this build does not have yet are reported where they are declared. */
static void check_type(NameCheck *c, const AstNode *type) {
    const char *what =
        type && type->kind == AST_TYPE_STORAGE && name_is(type->name, "bsr") ? "block-sparse matrices" : NULL;
    Dtype dtype;
    bool is_named = type && (type->kind == AST_TYPE_NAME || type->kind == AST_TYPE_LAYER);
    if (what)
        elab_unsupported(c->e, type->span, what);
    else if (is_named && !elab_is_dtype_letter(type) && !dtype_find(type->name->text, &dtype) &&
             !elab_find_layer(c->e, type->name))
        elab_unknown_name(c->e, type->name, type->span, "type");
    else
        return;
    c->stack.items[c->stack.count - 1]->is_broken = true;
}

static void check_signature(NameCheck *c, const AstNode *function, NameScope *scope) {
    struct {
        NameCheck *c;
        NameScope *scope;
    } target = {c, scope};
    AstList parameters = ast_declaration_parameters(function);
    for (uint32_t i = 0; i < parameters.count; i++) {
        elab_walk(ast_parameter_type(parameters.items[i]), add_type_names, &target);
        check_type(c, ast_parameter_type(parameters.items[i]));
        check_names(c, ast_parameter_default(parameters.items[i]), scope);
        add_name(c, scope, parameters.items[i]->name);
    }
    if (function->kind == AST_FUNCTION)
        check_names(c, ast_function_body(function), scope);
    for (uint32_t i = 0; function->kind == AST_RULE && i < ast_rule_members(function).count; i++)
        check_names(c, ast_rule_members(function).items[i], scope);
}

static void check_children(NameCheck *c, const AstNode *node, uint32_t first, NameScope *scope) {
    for (uint32_t i = first; i < node->child_count; i++)
        check_names(c, node->children[i], scope);
}

static void check_names(NameCheck *c, const AstNode *node, NameScope *scope) {
    if (!node)
        return;
    NameScope inner = {.parent = scope};
    switch ((AstKind)node->kind) {
    case AST_NAME:
        check_name(c, node, scope);
        break;
    case AST_BLOCK:
        check_children(c, node, 0, &inner);
        break;
    case AST_LET:
    case AST_MUT:
    case AST_CONST:
        check_names(c, ast_binding_value(node), scope);
        add_pattern(c, ast_binding_pattern(node), scope);
        break;
    case AST_FOR:
        check_names(c, ast_for_iterable(node), scope);
        add_pattern(c, ast_for_pattern(node), &inner);
        check_names(c, ast_for_body(node), &inner);
        break;
    case AST_FUNCTION:
        check_signature(c, node, &inner);
        add_name(c, scope, node->name);
        break;
    case AST_COMPREHENSION:
    case AST_GENERATOR:
        for (uint32_t i = 1; i < node->child_count; i++) {
            const AstNode *binder = node->children[i];
            check_names(c,
                        binder->kind == AST_BINDER ? ast_binder_range(binder) : ast_edge_binder_graph(binder),
                        &inner);
            add_name(c, &inner, binder->name);
            for (uint32_t k = 0; binder->kind == AST_EDGE_BINDER && k < 2; k++)
                add_name(c, &inner, binder->children[k]->name);
        }
        check_names(c, node->children[0], &inner);
        break;
    case AST_MESSAGE:
    case AST_UPDATE:
        for (uint32_t k = 0; k < 2; k++)
            add_name(c, &inner, node->children[k]->name);
        check_names(c, node->children[2], &inner);
        break;
    case AST_LAYER_PARAM:
    case AST_LAYER_STATE:
        check_names(c, node->children[1], scope);
        break;
    case AST_LAYER:
        break; /* reported as unsupported where it is declared */
    default:
        check_children(c, node, 0, scope);
    }
}

/* The members of a layer see each other, and methods see all of them. */
static void check_layer(NameCheck *c, const LayerClass *layer) {
    NameScope scope = {0};
    AstList parameters = ast_declaration_parameters(layer->node), members = ast_layer_members(layer->node);
    vec_push(c->e->arena, &c->stack, layer->closure);
    for (uint32_t i = 0; i < parameters.count; i++)
        check_names(c, ast_parameter_default(parameters.items[i]), &scope);
    for (uint32_t i = 0; i < layer->count; i++) {
        for (uint32_t k = 0; k < i; k++)
            if (layer->names[k] == layer->names[i] && !layer->closure->is_broken) {
                elab_fail(c->e, DIAG_E0111, elab_mark(layer->node),
                          "`%s` is declared twice in the layer `%s`", layer->names[i]->text,
                          layer->closure->name->text);
                layer->closure->is_broken = true;
            }
        add_name(c, &scope, layer->names[i]);
    }
    for (uint32_t i = 0; i < members.count; i++)
        if (members.items[i]->kind == AST_FUNCTION)
            add_name(c, &scope, members.items[i]->name);
    for (uint32_t i = 0; i < members.count; i++)
        check_names(c, members.items[i], &scope);
    c->stack.count--;
}

static void check_function(NameCheck *c, Closure *closure) {
    NameScope scope = {0};
    if (closure->is_checked)
        return;
    closure->is_checked = true;
    vec_push(c->e->arena, &c->stack, closure);
    if (c->stack.count <= ELAB_CALL_LIMIT)
        check_signature(c, closure->function, &scope);
    c->stack.count--;
}

/* ---- symbolic elaboration
 * ----------------------------------------------------------------------------------------------- */

bool elab_function_is_spelled(const AstNode *function) {
    AstList parameters = ast_declaration_parameters(function);
    Dtype dtype;
    for (uint32_t i = 0; i < parameters.count; i++) {
        const AstNode *type = ast_parameter_type(parameters.items[i]);
        if (function->kind == AST_RULE)
            return false; /* a graph is among them */
        if (ast_is(type, AST_TYPE_STORAGE) && name_is(type->name, "dense"))
            type = ast_type_storage_element(type);
        if (!type || type->kind != AST_TYPE_NAME || !dtype_find(type->name->text, &dtype) ||
            type->child_count > IR_MAX_RANK)
            return false;
        for (uint32_t k = 0; k < type->child_count; k++)
            if (type->children[k]->kind == AST_DIM_REST)
                return false;
    }
    return true;
}

bool elab_symbolic_parameters(Elaborator *e, const AstNode *function, Scope *scope, Value *values) {
    AstList parameters = ast_declaration_parameters(function);
    bool *given = ARENA_ARRAY(e->arena, bool, parameters.count);
    Span *spans = ARENA_ARRAY(e->arena, Span, parameters.count);
    for (uint32_t i = 0; i < parameters.count; i++) {
        const AstNode *type = ast_parameter_type(parameters.items[i]);
        given[i] = true;
        spans[i] = parameters.items[i]->span;
        elab_at(e, spans[i]);
        if (elab_is_layer_type(e, type)) {
            values[i] = elab_symbolic_layer(e, type);
            continue;
        }
        if (type->kind == AST_TYPE_STORAGE)
            type = ast_type_storage_element(type);
        int64_t sizes[IR_MAX_RANK];
        Dtype dtype;
        dtype_find(type->name->text, &dtype);
        for (uint32_t k = 0; k < type->child_count; k++)
            sizes[k] = type->children[k]->kind == AST_INTEGER && type->children[k]->integer <= INT64_MAX
                           ? (int64_t)type->children[k]->integer
                           : -1;
        values[i] = value_tensor(
            ir_parameter(&e->b, parameters.items[i]->name, dtype, type->child_count, NULL, sizes));
    }
    return elab_bind_parameters(e, function, values, given, spans, scope, function->span);
}

static void check_spelled(Elaborator *e, Closure *closure) {
    Arena scratch;
    arena_init(&scratch, e->arena->guard);
    ElabUnit *saved_unit = e->unit;
    IrBuilder saved_builder = e->b;
    Value token = e->token->value, key = e->random_key->value, counter = e->random_counter->value;
    uint32_t errors = e->sink->error_count, undo = e->undo.count;
    e->is_checking = true;
    elab_begin_unit(e, &scratch);
    e->undo.count = undo;
    uint32_t count = ast_declaration_parameters(closure->function).count;
    Value *values = ARENA_ARRAY(&scratch, Value, count);
    Scope *scope = elab_scope_new(e, e->globals);
    CallFrame frame = {.closure = closure, .call = elab_mark(closure->function)};
    e->frame = &frame;
    e->steps = e->depth = 0;
    e->call_depth = 1;
    if (elab_symbolic_parameters(e, closure->function, scope, values)) {
        e->scope = scope;
        elab_expand_body(e, closure, scope);
    }
    e->frame = NULL;
    e->scope = e->globals;
    e->is_checking = false;
    e->unit = saved_unit;
    e->b = saved_builder;
    e->token->value = token;
    e->random_key->value = key;
    e->random_counter->value = counter;
    closure->is_broken = closure->is_broken || e->sink->error_count != errors;
    arena_free(&scratch);
}

void elab_check_file(Elaborator *e, const AstNode *block) {
    NameCheck c = {.e = e};
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < block->child_count; i++) {
            const AstNode *node = block->children[i];
            Binding *binding =
                (node->kind == AST_FUNCTION || node->kind == AST_LAYER || node->kind == AST_RULE) &&
                        node->name
                    ? elab_find(e->globals, node->name)
                    : NULL;
            if (pass == 0 && binding && binding->declaration == node && binding->value.kind == VALUE_CLASS)
                check_layer(&c, binding->value.layer);
            if (!binding || binding->declaration != node || binding->value.kind != VALUE_FUNCTION)
                continue;
            Closure *closure = binding->value.function;
            if (pass == 0)
                check_function(&c, closure);
            else if (!closure->is_broken && elab_function_is_spelled(node))
                check_spelled(e, closure);
        }
}
