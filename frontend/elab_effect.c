/* Builtins with effects: print, load, save, help. */
#include "frontend/elab_builtin.h"
#include "frontend/elab_sparse.h"
#include "frontend/elab_text.h"

/* False after E0211: effects have no place here.  `what`: "print". */
bool elab_allows_effect(Elaborator *e, const BuiltinCall *call, const char *what) {
    if (e->is_exporting)
        return elab_fail(e, DIAG_E0211, call->span, "an `export fn` cannot %s", what), false;
    if (!e->is_differentiating)
        return true;
    Diag *diag = diag_error(e->sink, DIAG_E0211, call->span, "a differentiated function cannot %s", what);
    diag_note(e->sink, diag, "with `has_aux=true` it returns (loss, anything): use what it returns outside");
    return false;
}

Value builtin_print(Elaborator *e, BuiltinCall *call) {
    TextBuilder t = {.e = e};
    if (!elab_allows_effect(e, call, "print"))
        return elab_poison();
    const ValueTuple *values = call->values[0].tuple;
    for (uint32_t i = 0; i < values->count; i++) {
        const AstNode *node = call->rest ? call->rest[i].node : NULL;
        if (i)
            text_builder_add(&t, " ", 1);
        text_builder_add_value(&t, values->items[i], NULL, 0, node ? node->span : call->span);
    }
    return text_builder_print(&t, call->span);
}

/* ---- files
 * ------------------------------------------------------------------------------------------------------------
 */

const char *elab_path(Elaborator *e, Value value, Span span) {
    value = elab_known_text(e, value, span);
    if (value.kind == VALUE_STRING) {
        if (!memchr(value.text, 0, value.length))
            return arena_copy_text(e->arena, value.text, value.length);
        elab_fail(e, DIAG_E0401, span, "a path cannot hold a NUL byte");
    } else if (value_is(value, VALUE_TEXT)) {
        elab_fail(e, DIAG_E0210, span, "a path must be known before the statements around it run");
    } else if (!value_is(value, VALUE_POISON)) {
        elab_fail(e, DIAG_E0201, span, "a path must be a string, not %s", elab_kind_text(e, value));
    }
    return NULL;
}

/* The tensor that a file has for a leaf, in the leaf's dtype and shape. */
static Value loaded_leaf(Elaborator *e, BuiltinCall *call, const char *path, Value file, const Leaf *leaf) {
    Dtype wanted, actual;
    IrNode *dims[IR_MAX_RANK];
    Value value = file;
    if (*leaf->path &&
        !(file.kind == VALUE_RECORD && elab_record_field(e, file.tuple, elab_intern(e, leaf->path), &value)))
        return elab_fail(e, DIAG_E0403, call->span, "`%s` has nothing for `%s`", path, leaf->path);
    IrNode *like = elab_node(e, leaf->value).node;
    elab_dtype_of(leaf->value, &wanted);
    value = elab_node(e, value);
    bool fits = elab_dtype_of(value, &actual) && actual == wanted && ir_rank(value.node) == ir_rank(like);
    for (uint32_t k = 0; fits && k < ir_rank(like); k++)
        fits =
            (dims[k] = elab_same_extent(e, like->types[0].dims[k], value.node->types[0].dims[k],
                                        "`%s` in `%s` has another size than axis %u of the tensor it is for",
                                        leaf->path, path, k)) != NULL;
    if (!fits)
        return elab_fail(e, DIAG_E0403, call->span, "`%s` in `%s` is %s where %s is needed", leaf->path, path,
                         elab_type_text(e, value), elab_type_text(e, leaf->value));
    value.node = elab_with_dims(e, value.node, dims, ir_rank(like));
    return value;
}

/* load(path, like=tree): the tree with its tensors from the file. */
static Value loaded_like(Elaborator *e, BuiltinCall *call, const char *path, Value file) {
    LeafList leaves = {0};
    elab_leaves(e, call->values[1], &leaves);
    Value *values = ARENA_ARRAY(e->arena, Value, leaves.count);
    for (uint32_t i = 0; i < leaves.count; i++) {
        values[i] = loaded_leaf(e, call, path, file, &leaves.items[i]);
        if (value_is(values[i], VALUE_POISON))
            return values[i];
    }
    return elab_with_leaves(e, call->values[1], values);
}

Value builtin_load(Elaborator *e, BuiltinCall *call) {
    const ElabHost *host = &e->options.host;
    const char *path = elab_path(e, call->values[0], call->spans[0]);
    Value value;
    if (!path)
        return elab_poison();
    if (e->is_exporting)
        return elab_fail(e, DIAG_E0211, call->span,
                         "an `export fn` cannot read files; a top-level `let` can");
    if (!elab_allows_effect(e, call, "read files"))
        return elab_poison();
    if (e->is_checking)
        return elab_poison();
    if (!host->load)
        return elab_unsupported(e, call->span, "`load` here");
    if (!host->load(host->user, path, call->spans[0], &value))
        return elab_poison();
    return call->given[1] ? loaded_like(e, call, path, value) : value;
}

typedef struct Saved { /* what one `save` writes */
    VEC(Value) values;
    VEC(Name) names;
} Saved;

/* A tensor under its name, or each field of a record under its path; false after E0201. */
static bool add_saved(Elaborator *e, Saved *saved, const char *name, Value value, Span span) {
    if (elab_has_pattern(value))
        return elab_unsupported(e, span, "`save` of sparse matrices and graphs to such a file"), false;
    if (elab_is_tree(value) && value.kind != VALUE_RECORD) {
        LeafList leaves = {0};
        elab_leaves(e, value, &leaves);
        for (uint32_t i = 0; i < leaves.count; i++)
            if (!add_saved(e, saved,
                           *name ? arena_format(e->arena, "%s.%s", name, leaves.items[i].path)
                                 : leaves.items[i].path,
                           leaves.items[i].value, span))
                return false;
        return true;
    }
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
    if (!elab_allows_effect(e, call, "write files"))
        return false;
    if (e->b.region != e->b.function->body)
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
    effect.path = elab_path(e, values->items[at], span);
    bool has_names = has_keywords || elab_is_tree(values->items[0]);
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
    TextBuffer text = {.arena = e->arena};
    if (file) { /* the signature as it is written */
        const char *begin = file->text + (function->span.begin - file->base);
        size_t length = function->kind == AST_RULE
                            ? strcspn(begin, "{\n")
                            : ast_function_body(function)->span.begin - function->span.begin;
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
    TextBuilder t = {.e = e};
    if (!elab_allows_effect(e, call, "print"))
        return elab_poison();
    const char *text = value_help(e, call->values[0], NULL);
    text_builder_add(&t, text ? text : "", text ? strlen(text) : 0);
    return text_builder_print(&t, call->span);
}

/* For the library: a wrong option of one of its functions. */
Value builtin_error(Elaborator *e, BuiltinCall *call) {
    if (call->values[0].kind != VALUE_STRING)
        return elab_fail(e, DIAG_E0201, call->spans[0], "the message must be a string");
    return elab_fail(e, DIAG_E0201, call->span, "%.*s", (int)call->values[0].length, call->values[0].text);
}
