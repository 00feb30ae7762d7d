/* Records: named values, as a file with several arrays holds them.
 *
 * A record is flat.  A name such as `fc1.w` is a path, so that `r.fc1` is the record of the fields below
 * `fc1`, `r.fc1.w` is the field, and so is `r["fc1.w"]`, which takes names of any kind. */
#include "frontend/elab.h"

ValueTuple *elab_tuple_of(Elaborator *e, uint32_t count, Value *items) {
    ValueTuple *out = ARENA_NEW(e->arena, ValueTuple);
    *out = (ValueTuple){.count = count, .items = items};
    return out;
}

ValueTuple *elab_tuple(Elaborator *e, uint32_t count) {
    return elab_tuple_of(e, count, ARENA_ARRAY(e->arena, Value, count));
}

ValueTuple *elab_tuple_like(Elaborator *e, const ValueTuple *tuple) {
    ValueTuple *out = elab_tuple(e, tuple->count);
    out->names = tuple->names;
    out->layer = tuple->layer;
    return out;
}

bool elab_same_form(const ValueTuple *a, const ValueTuple *b) {
    for (uint32_t i = 0; a->count == b->count && a->names && i < a->count; i++)
        if (a->names[i] != b->names[i])
            return false;
    return a->count == b->count && a->layer == b->layer;
}

Value elab_record_new(Elaborator *e, uint32_t count, Name **names) {
    ValueTuple *tuple = elab_tuple(e, count);
    tuple->names = *names = ARENA_ARRAY(e->arena, Name, count);
    return (Value){.kind = VALUE_RECORD, .tuple = tuple};
}

static bool is_below(Name path, Name name) {
    return path->length > name->length && path->text[name->length] == '.' &&
           !memcmp(path->text, name->text, name->length);
}

bool elab_record_field(Elaborator *e, const ValueTuple *record, Name name, Value *out) {
    uint32_t below = 0;
    Name *names;
    for (uint32_t i = 0; i < record->count; i++) {
        if (record->names[i] == name)
            return *out = record->items[i], true;
        below += is_below(record->names[i], name);
    }
    if (!below)
        return false;
    *out = elab_record_new(e, below, &names);
    for (uint32_t i = 0, k = 0; i < record->count; i++) {
        Name path = record->names[i];
        if (!is_below(path, name))
            continue;
        names[k] = intern(e->names, path->text + name->length + 1, path->length - name->length - 1);
        out->tuple->items[k++] = record->items[i];
    }
    return true;
}

Value elab_no_field(Elaborator *e, Value record, const char *name, Span span) {
    const ValueTuple *fields = record.tuple;
    Diag *diag = diag_error(e->sink, DIAG_E0110, span, "the record has no field `%s`", name);
    Nearest nearest = elab_nearest(name);
    elab_each_field(e, record, elab_consider, &nearest);
    elab_note_nearest(e, diag, &nearest);
    if (fields->count)
        diag_note(e->sink, diag, "it is %s", elab_type_text(e, record));
    else
        diag_note(e->sink, diag, "it has no fields");
    return elab_poison();
}

Value elab_index_record(Elaborator *e, const AstNode *node, Value record) {
    AstList list = ast_index_subscripts(node);
    Value out, name = list.count == 1 && list.items[0]->kind != AST_SLICE ? elab_expression(e, list.items[0])
                                                                          : value_of_kind(VALUE_NONE);
    if (value_is(name, VALUE_POISON))
        return name;
    if (name.kind != VALUE_STRING)
        return elab_fail(e, DIAG_E0201, node->span, "a record takes one name as its index: r[\"name\"]");
    if (elab_record_field(e, record.tuple, intern(e->names, name.text, name.length), &out))
        return out;
    return elab_no_field(e, record, arena_format(e->arena, "%.*s", (int)name.length, name.text),
                         list.items[0]->span);
}
