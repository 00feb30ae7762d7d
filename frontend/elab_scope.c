/* Names: scopes, bindings, what functions capture, and what an unknown name was probably meant to be. */
#include "frontend/elab.h"
#include "frontend/parse.h"
#include "frontend/stdlib.h"
#include <math.h>

Scope *elab_scope_new(Elaborator *e, Scope *parent) {
    Scope *scope = ARENA_NEW(e->arena, Scope);
    scope->parent = parent;
    return scope;
}

Binding *elab_find(const Scope *scope, Name name) {
    for (uint32_t i = scope->bindings.count; i-- > 0;)
        if (scope->bindings.items[i]->name == name)
            return scope->bindings.items[i];
    return NULL;
}

static void note_change(Elaborator *e, Binding *binding) {
    if (e->unit && !e->is_checking)
        vec_push(e->arena, &e->undo, ((BindingChange){binding, *binding}));
}

void elab_set(Elaborator *e, Binding *binding, Value value) {
    note_change(e, binding);
    binding->value = value;
}

Binding *elab_bind(Elaborator *e, Scope *scope, Name name, BindingKind kind, Value value, Span span) {
    Binding *old = elab_find(scope, name);
    if (name_is(name, "_"))
        old = NULL;
    else if (old && old->kind != BINDING_PENDING && !(scope == e->globals && e->options.is_interactive)) {
        Diag *diag = diag_error(e->sink, DIAG_E0111, span, "`%s` is declared twice", name->text);
        if (old->span.end)
            diag_note(e->sink, diag, "it was declared before at %s", elab_place(e, old->span));
        return old;
    }
    if (old)
        note_change(e, old);
    Binding *binding = old ? old : ARENA_NEW(e->arena, Binding);
    *binding = (Binding){.name = name, .kind = kind, .value = value, .span = span};
    if (!old)
        vec_push(e->arena, &scope->bindings, binding);
    return binding;
}

Binding *elab_lookup(Elaborator *e, Name name, Scope **where) {
    for (Scope *scope = e->scope; scope; scope = scope->parent) {
        Binding *binding = elab_find(scope, name);
        if (binding) {
            if (where)
                *where = scope;
            return binding;
        }
    }
    return NULL;
}

/* Binds the names of `let p = …`: a NAME, or a TUPLE_PATTERN that a tuple must fit. */
bool elab_pattern(Elaborator *e, const AstNode *pattern, BindingKind kind, Value value, Scope *scope) {
    if (pattern->kind == AST_NAME) {
        elab_bind(e, scope, pattern->name, kind, value, pattern->span);
        return true;
    }
    if (pattern->kind != AST_TUPLE_PATTERN) {
        elab_fail(e, DIAG_E0106, pattern->span, "this cannot be bound to a value");
        return false;
    }
    bool fits = value.kind == VALUE_TUPLE && value.tuple->count == pattern->child_count;
    if (!fits && value.kind != VALUE_POISON)
        elab_fail(e, DIAG_E0201, pattern->span, "a tuple of %u is needed here, not %s", pattern->child_count,
                  elab_kind_text(e, value));
    for (uint32_t i = 0; i < pattern->child_count; i++)
        elab_pattern(e, pattern->children[i], kind, fits ? value.tuple->items[i] : elab_poison(), scope);
    return fits;
}

/* ---- walking ----------------------------------------------------------------------------------------- */

void elab_walk(const AstNode *node, AstVisit visit, void *context) {
    if (!node)
        return;
    visit(context, node);
    for (uint32_t i = 0; i < node->child_count; i++)
        elab_walk(node->children[i], visit, context);
}

/* ---- functions ------------------------------------------------------------------------------------------
 */

typedef struct Capture {
    Elaborator *e;
    Scope *into;
} Capture;

/* Copies local values, and top-level `mut` ones, into the environment of a function being made. */
static void capture(void *context, const AstNode *node) {
    Capture *c = context;
    Scope *where;
    if (node->kind != AST_NAME || elab_find(c->into, node->name))
        return;
    Binding *binding = elab_lookup(c->e, node->name, &where);
    if (!binding || where == c->e->library || (where == c->e->globals && binding->kind != BINDING_MUT))
        return;
    Binding *copy = elab_bind(c->e, c->into, binding->name, BINDING_LET, binding->value, binding->span);
    copy->declaration = binding->declaration;
}

Value elab_closure(Elaborator *e, const AstNode *function) {
    Scope *root = e->scope;
    while (root->parent)
        root = root->parent;
    Capture c = {e, elab_scope_new(e, root)};
    for (uint32_t i = 0; i < function->child_count; i++)
        elab_walk(function->children[i], capture, &c);
    Closure *closure = ARENA_NEW(e->arena, Closure);
    *closure = (Closure){.function = function,
                         .environment = c.into->bindings.count ? c.into : root,
                         .name = function->name,
                         .is_library = root == e->library};
    return (Value){.kind = VALUE_FUNCTION, .function = closure};
}

/* ---- the library ------------------------------------------------------------------------------------------
 */

void elab_load_library(Elaborator *e) {
    if (e->library_is_loaded)
        return;
    e->library_is_loaded = true;
    ParseContext context = {e->arena, e->names, e->sink};
    for (size_t i = 0; i < stdlib_source_count; i++) {
        const char *name = arena_format(e->arena, "stdlib/%s.gmx", stdlib_sources[i].name);
        SourceFile *file =
            source_add(e->options.sources, e->sink, name, stdlib_sources[i].text, stdlib_sources[i].length);
        AstNode *block = file ? parse_source(&context, file) : NULL;
        for (uint32_t k = 0; block && k < block->child_count; k++) {
            AstNode *node = block->children[k];
            if (node->kind == AST_LAYER)
                elab_declare_layer(e, node, e->library, true);
            if (node->kind != AST_FUNCTION || !node->name)
                continue;
            Closure *closure = ARENA_NEW(e->arena, Closure);
            *closure = (Closure){
                .function = node, .environment = e->library, .name = node->name, .is_library = true};
            Binding *binding = elab_bind(e, e->library, node->name, BINDING_FUNCTION,
                                         (Value){.kind = VALUE_FUNCTION, .function = closure}, node->mark);
            binding->declaration = node;
        }
    }
}

bool elab_is_builtin_constant(Elaborator *e, Name name, Value *out) {
    static const struct {
        const char *name;
        double value;
    } constants[] = {{"pi", 3.14159265358979323846}, {"inf", INFINITY}, {"nan", NAN}};
    if (name_is(name, "training"))
        return *out = elab_constant(DTYPE_bool, e->is_training, false), true;
    if (name_is(name, "None"))
        return *out = value_of_kind(VALUE_NONE), true;
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (name_is(name, constants[i].name)) {
            union {
                double number;
                uint64_t bits;
            } f64 = {.number = constants[i].value};
            return *out = elab_constant(DTYPE_f64, f64.bits, true), true;
        }
    return false;
}

/* ---- looking up
 * ---------------------------------------------------------------------------------------------- */

static bool is_planned(const char *name) {
    static const char *const names[] = {
#define PLANNED(name) #name,
#include "frontend/planned.def"
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}

/* What other languages call something that GMX has, for the hint. */
static const char *foreign_hint(Name name) {
    static const struct {
        const char *name, *hint;
    } names[] = {
        {"True", "GMX writes `true`"},
        {"False", "GMX writes `false`"},
        {"null", "GMX writes `None`"},
        {"nil", "GMX writes `None`"},
        {"int", "the dtype is spelled with its size: `i64(x)` truncates"},
        {"float", "the dtype is spelled with its size: `f64(x)`"},
        {"float32", "the dtype is spelled `f32`"},
        {"float64", "the dtype is spelled `f64`"},
        {"float16", "the dtype is spelled `f16`"},
        {"bfloat16", "the dtype is spelled `bf16`"},
        {"int64", "the dtype is spelled `i64`"},
        {"int32", "the dtype is spelled `i32`"},
        {"uint8", "the dtype is spelled `u8`"},
        {"complex64", "the dtype is spelled `c64`"},
        {"complex128", "the dtype is spelled `c128`"},
        {"double", "the dtype is spelled with its size: `f64(x)`"},
        {"complex", "the dtype is spelled with its size: `c128(x)`"},
        {"str", "text of a value is written \"{x}\""},
        {"range", "a range is written `0..n`; `arange(0, n, 2)` has a step"},
        {"np", "library functions have no prefix: `zeros(3)`"},
        {"numpy", "library functions have no prefix: `zeros(3)`"},
        {"torch", "library functions have no prefix: `zeros(3)`"},
        {"def", "a function is declared with `fn name(x) = …`"},
        {"lambda", "an anonymous function is written `fn(x) = …`"},
        {"elif", "GMX writes `else if`"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (name_is(name, names[i].name))
            return names[i].hint;
    return NULL;
}

Value elab_unknown_name(Elaborator *e, Name name, Span span, const char *what) {
    const char *hint = foreign_hint(name);
    if (e->misses_import && e->sink->error_count)
        return elab_poison();
    if (is_planned(name->text))
        return elab_unsupported(e, span, arena_format(e->arena, "`%s`", name->text));
    Nearest nearest = elab_nearest(name->text);
    elab_each_name(e, elab_consider, &nearest);
    Diag *diag = diag_error(e->sink, DIAG_E0110, span, "unknown %s `%s`", what, name->text);
    if (hint)
        diag_note(e->sink, diag, "%s", hint);
    else
        elab_note_nearest(e, diag, &nearest);
    return elab_poison();
}

/* The value of a `const`, found when it is first needed: declarations may stand in any order. */
static Value constant_value(Elaborator *e, Binding *binding) {
    if (binding->is_evaluating)
        return elab_fail(e, DIAG_E0113, binding->span, "the value of `%s` depends on itself",
                         binding->name->text);
    const AstNode *declaration = binding->declaration;
    binding->is_evaluating = true;
    Scope *scope = e->scope;
    CallFrame *frame = e->frame;
    IrRegion *region = e->b.region;
    e->scope = e->globals;
    e->frame = NULL;
    if (e->unit)
        e->b.region = e->unit->function->body;
    Value value = elab_expression(e, ast_binding_value(declaration));
    if (ast_binding_type(declaration))
        value = elab_declared(e, ast_binding_type(declaration), value, e->globals,
                              ast_binding_value(declaration)->span, binding->name, false);
    e->b.region = region;
    e->scope = scope;
    e->frame = frame;
    binding->is_evaluating = false;
    if (value.kind == VALUE_TENSOR && ir_is_const(value.node))
        value = elab_constant(ir_dtype(value.node), (uint64_t)value.node->attributes[0], value.is_weak);
    switch (value.kind) {
    case VALUE_TENSOR:
    case VALUE_UNIT:
    case VALUE_RANGE:
        value = elab_fail(e, DIAG_E0210, ast_binding_value(declaration)->span,
                          "the value of the constant `%s` must be known when compiling", binding->name->text);
        break;
    default:
        break;
    }
    binding->kind = BINDING_CONST;
    binding->value = value;
    return value;
}

static Value binding_value(Elaborator *e, const AstNode *node, Binding *binding, Scope *where) {
    if (binding->kind == BINDING_PENDING && ast_is(binding->declaration, AST_CONST))
        return constant_value(e, binding);
    if (binding->kind == BINDING_PENDING) {
        if (e->is_checking)
            return elab_poison();
        return elab_fail(e, DIAG_E0110, node->span, "`%s` is used before its declaration at %s",
                         node->name->text, elab_place(e, binding->span));
    }
    if (where == e->globals && binding->kind == BINDING_MUT && e->frame && !e->frame->closure->is_library) {
        Diag *diag = diag_error(e->sink, DIAG_E0115, node->span, "a function reads the top-level `mut` `%s`",
                                node->name->text);
        diag_note(e->sink, diag, "pass it as an argument, or declare it with `let`");
        return elab_poison();
    }
    if (e->is_exporting && where == e->globals &&
        binding->value.kind == VALUE_TENSOR) /* of an unfinished unit */
        return elab_fail(e, DIAG_E0210, node->span,
                         "the value of `%s` is not known when the library is built", node->name->text);
    return binding->value;
}

Value elab_name(Elaborator *e, const AstNode *node) {
    Scope *where;
    Value constant;
    Binding *binding = elab_lookup(e, node->name, &where);
    if (binding)
        return binding_value(e, node, binding, where);
    const Builtin *builtin = elab_find_builtin(node->name->text);
    if (builtin)
        return (Value){.kind = VALUE_BUILTIN, .builtin = builtin};
    if (elab_is_builtin_constant(e, node->name, &constant))
        return constant;
    elab_load_library(e);
    binding = elab_find(e->library, node->name);
    return binding ? binding->value : elab_unknown_name(e, node->name, node->span, "name");
}
