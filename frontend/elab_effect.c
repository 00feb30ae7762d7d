/* Builtins with effects: print, load, save, help. */
#include "frontend/elab_builtin.h"

/* ---- print
 * ----------------------------------------------------------------------------------------------------------
 */

typedef struct Template { /* of gmxrt_print: text with \1 k \2 spec \3 where value number k goes */
    TextBuffer text;
    NodeList nodes;
    bool failed;
} Template;

static void add_text(Template *t, const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) /* the marks of holes, and NUL, cannot be printed */
        if ((unsigned char)text[i] > 3)
            text_append(&t->text, text + i, 1);
}

static void add_value(Elaborator *e, Template *t, Value value, const char *spec, size_t spec_length,
                      Span span);

static void add_tuple(Elaborator *e, Template *t, const ValueTuple *tuple, Span span) {
    add_text(t, "(", 1);
    for (uint32_t i = 0; i < tuple->count; i++) {
        if (i)
            add_text(t, ", ", 2);
        add_value(e, t, tuple->items[i], NULL, 0, span);
    }
    add_text(t, ",)", tuple->count == 1 ? 2 : 0);
    if (tuple->count != 1)
        add_text(t, ")", 1);
}

static void add_record(Elaborator *e, Template *t, const ValueTuple *record, Span span) {
    add_text(t, "(", 1);
    for (uint32_t i = 0; i < record->count; i++) {
        if (i)
            add_text(t, ", ", 2);
        add_text(t, record->names[i]->text, record->names[i]->length);
        add_text(t, "=", 1);
        add_value(e, t, record->items[i], NULL, 0, span);
    }
    add_text(t, ")", 1);
}

static void add_hole(Elaborator *e, Template *t, Value value, const char *spec, size_t spec_length,
                     Span span) {
    if (t->nodes.count >= 255) {
        elab_unsupported(e, span, "more than 255 values in one `print`");
        t->failed = true;
        return;
    }
    char number = (char)(t->nodes.count + 1);
    text_append(&t->text, "\1", 1);
    text_append(&t->text, &number, 1);
    text_append(&t->text, "\2", 1);
    add_text(t, spec, spec_length);
    text_append(&t->text, "\3", 1);
    vec_push(e->arena, &t->nodes, elab_node(e, value).node);
}

static void add_value(Elaborator *e, Template *t, Value value, const char *spec, size_t spec_length,
                      Span span) {
    const char *text;
    switch (value.kind) {
    case VALUE_POISON:
        t->failed = true;
        return;
    case VALUE_TENSOR:
    case VALUE_CONSTANT:
    case VALUE_SLOT:
        add_hole(e, t, value, spec, spec_length, span);
        return;
    case VALUE_STRING:
        add_text(t, value.text, value.length);
        return;
    case VALUE_TUPLE:
        add_tuple(e, t, value.tuple, span);
        return;
    case VALUE_RECORD:
        add_record(e, t, value.tuple, span);
        return;
    case VALUE_RANGE:
        add_value(e, t, value.tuple->items[0], NULL, 0, span);
        add_text(t, "..", 2);
        add_value(e, t, value.tuple->items[1], NULL, 0, span);
        return;
    case VALUE_DTYPE:
        text = dtype_name(value.dtype);
        break;
    case VALUE_UNIT:
        elab_fail(e, DIAG_E0201, span, "this has no value to print");
        t->failed = true;
        return;
    default:
        text = elab_type_text(e, value);
    }
    add_text(t, text, strlen(text));
}

static void add_interpolation(Elaborator *e, Template *t, const AstNode *node) {
    AstList pieces = ast_interpolation_pieces(node);
    for (uint32_t i = 0; i < pieces.count; i++) {
        const AstNode *piece = pieces.items[i];
        if (piece->kind == AST_STRING) {
            add_text(t, piece->text, piece->text_length);
            continue;
        }
        const AstNode *inner = ast_interpolated_value(piece);
        if (inner->kind == AST_INTERPOLATION)
            add_interpolation(e, t, inner);
        else
            add_value(e, t, elab_expression(e, inner), piece->text, piece->text ? piece->text_length : 0,
                      inner->span);
    }
}

static Value emit(Elaborator *e, Template *t, Span span) {
    if (t->failed)
        return elab_poison();
    elab_at(e, span);
    Name format = intern(e->names, t->text.length ? t->text.text : "", t->text.length);
    IrNode *token = ir_print(&e->b, e->token->value.node, format, t->nodes.items, t->nodes.count);
    elab_set(e, e->token, (Value){.kind = VALUE_TOKEN, .node = token});
    return value_of_kind(VALUE_UNIT);
}

Value builtin_print(Elaborator *e, BuiltinCall *call) {
    Template t = {.text = {.arena = e->arena}};
    if (e->is_exporting)
        return elab_fail(e, DIAG_E0211, call->span, "an `export fn` cannot print");
    const ValueTuple *values = call->values[0].tuple;
    for (uint32_t i = 0; i < values->count; i++) {
        const AstNode *node = call->rest ? call->rest[i].node : NULL;
        if (i)
            add_text(&t, " ", 1);
        if (ast_is(node, AST_INTERPOLATION))
            add_interpolation(e, &t, node);
        else
            add_value(e, &t, values->items[i], NULL, 0, node ? node->span : call->span);
    }
    return emit(e, &t, call->span);
}

/* ---- files
 * ------------------------------------------------------------------------------------------------------------
 */

static const char *path_of(Elaborator *e, Value value, Span span) {
    if (value.kind == VALUE_STRING) {
        if (!memchr(value.text, 0, value.length))
            return arena_copy_text(e->arena, value.text, value.length);
        elab_fail(e, DIAG_E0401, span, "a path cannot hold a NUL byte");
    } else if (!value_is(value, VALUE_POISON)) {
        elab_fail(e, DIAG_E0201, span, "a path must be a string, not %s", elab_kind_text(e, value));
    }
    return NULL;
}

Value builtin_load(Elaborator *e, BuiltinCall *call) {
    const ElabHost *host = &e->options.host;
    const char *path = path_of(e, call->values[0], call->spans[0]);
    Value value;
    if (!path)
        return elab_poison();
    if (call->given[1])
        return elab_unsupported(e, call->spans[1], "`like=`");
    if (e->is_exporting)
        return elab_fail(e, DIAG_E0211, call->span,
                         "an `export fn` cannot read files; a top-level `let` can");
    if (e->is_checking)
        return elab_poison();
    if (!host->load)
        return elab_unsupported(e, call->span, "`load` here");
    return host->load(host->user, path, call->spans[0], &value) ? value : elab_poison();
}

typedef struct Saved { /* what one `save` writes */
    VEC(Value) values;
    VEC(Name) names;
} Saved;

/* A tensor under its name, or each field of a record under its path; false after E0201. */
static bool add_saved(Elaborator *e, Saved *saved, const char *name, Value value, Span span) {
    if (value.kind != VALUE_RECORD) {
        value = elab_tensor(e, value, span, "what is saved");
        vec_push(e->arena, &saved->values, value);
        vec_push(e->arena, &saved->names, elab_intern(e, name));
        return !value_is(value, VALUE_POISON);
    }
    for (uint32_t i = 0; i < value.tuple->count; i++) {
        const char *field = value.tuple->names[i]->text;
        const char *path = *name ? arena_format(e->arena, "%s.%s", name, field) : field;
        if (!add_saved(e, saved, path, value.tuple->items[i], span))
            return false;
    }
    return true;
}

static Value saved_record(Elaborator *e, const Saved *saved) {
    Name *names;
    Value record = elab_record_new(e, saved->values.count, &names);
    for (uint32_t i = 0; i < saved->values.count; i++) {
        names[i] = saved->names.items[i];
        record.tuple->items[i] = saved->values.items[i];
    }
    return record;
}

static bool can_save(Elaborator *e, const BuiltinCall *call, const char *path, bool has_names, Span span) {
    const ElabHost *host = &e->options.host;
    if (e->is_exporting)
        elab_fail(e, DIAG_E0211, call->span, "an `export fn` cannot write files");
    else if (e->b.region != e->b.function->body)
        elab_unsupported(e, call->span, "`save` inside a loop or a branch");
    else
        return !host->can_save || host->can_save(host->user, path, has_names, span);
    return false;
}

/* save(x, "f.npy"), save(record, "f.npz") or save("f.npz", a=x, b=y) */
Value builtin_save(Elaborator *e, BuiltinCall *call) {
    const ValueTuple *values = call->values[0].tuple;
    bool has_keywords = call->keywords.count > 0;
    Saved saved = {0};
    if (values->count != (has_keywords ? 1u : 2u))
        return elab_fail(e, DIAG_E0204, call->span,
                         "`save` takes a value and a path, or a path and named values");
    uint32_t at = has_keywords ? 0 : 1;
    Span span = call->rest[at].span;
    ElabEffect effect = {.kind = ELAB_SAVE, .span = call->span};
    effect.path = path_of(e, values->items[at], span);
    bool has_names = has_keywords || values->items[0].kind == VALUE_RECORD;
    bool ok = effect.path && can_save(e, call, effect.path, has_names, span);
    for (uint32_t i = 0; ok && i < call->keywords.count; i++) {
        const Argument *argument = &call->keywords.items[i];
        ok = add_saved(e, &saved, argument->name->text, argument->value, argument->span);
    }
    if (ok && !has_keywords)
        ok = add_saved(e, &saved, "", values->items[0], call->rest[0].span);
    if (!ok)
        return elab_poison();
    effect.value = has_names ? saved_record(e, &saved) : saved.values.items[0];
    if (!e->is_checking)
        vec_push(e->unit->arena, &e->unit->effects, effect);
    return value_of_kind(VALUE_UNIT);
}

Value builtin_time(Elaborator *e, BuiltinCall *call) {
    return elab_unsupported(e, call->span, "`time`");
}

/* ---- help
 * ---------------------------------------------------------------------------------------------------------------
 */

static const char *function_help(Elaborator *e, const Closure *closure) {
    const AstNode *function = closure->function;
    const SourceFile *file = source_find(e->options.sources, function->span.begin);
    const AstNode *body = ast_function_body(function);
    TextBuffer text = {.arena = e->arena};
    if (file) { /* the signature as it is written */
        const char *begin = file->text + (function->span.begin - file->base);
        size_t length = body->span.begin - function->span.begin;
        while (length && (begin[length - 1] == ' ' || begin[length - 1] == '=' || begin[length - 1] == '{'))
            length--;
        text_append(&text, begin, length);
    }
    if (function->doc)
        text_format(&text, "\n%s", function->doc);
    return text.text;
}

static const char *value_help(Elaborator *e, Value value, const char *name) {
    if (value.kind == VALUE_BUILTIN) {
        const char *signature = value.builtin->signature;
        return arena_format(e->arena, "%s(%s)\n%s", name ? name : value.builtin->name, signature,
                            value.builtin->doc);
    }
    if (value.kind == VALUE_FUNCTION)
        return function_help(e, value.function);
    return elab_type_text(e, value);
}

const char *elab_help(Elaborator *e, Name name) {
    Binding *binding = elab_find(e->globals, name);
    if (binding)
        return value_help(e, binding->value, name->text);
    const Builtin *builtin = elab_find_builtin(name->text);
    if (builtin)
        return value_help(e, (Value){.kind = VALUE_BUILTIN, .builtin = builtin}, name->text);
    elab_load_library(e);
    binding = elab_find(e->library, name);
    return binding ? value_help(e, binding->value, name->text) : NULL;
}

Value builtin_help(Elaborator *e, BuiltinCall *call) {
    Template t = {.text = {.arena = e->arena}};
    const char *text = value_help(e, call->values[0], NULL);
    add_text(&t, text ? text : "", text ? strlen(text) : 0);
    return emit(e, &t, call->span);
}

/* For the library: a wrong option of one of its functions. */
Value builtin_error(Elaborator *e, BuiltinCall *call) {
    if (call->values[0].kind != VALUE_STRING)
        return elab_fail(e, DIAG_E0201, call->spans[0], "the message must be a string");
    return elab_fail(e, DIAG_E0201, call->span, "%.*s", (int)call->values[0].length, call->values[0].text);
}
