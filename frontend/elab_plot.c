/* plot(y…, path): curves as a picture, made by the driver after the unit ran. */
#include "frontend/elab_builtin.h"

static bool ends_with(const char *path, const char *suffix) {
    size_t length = strlen(path), end = strlen(suffix);
    return length > end && !strcmp(path + length - end, suffix);
}

/* A vector of f64, or POISON after reporting. */
static Value curve_of(Elaborator *e, Value value, Span span) {
    value = elab_tensor(e, value, span, "a curve");
    if (value_is(value, VALUE_POISON))
        return value;
    if (ir_rank(value.node) != 1)
        return elab_fail(e, DIAG_E0203, span, "a curve of `plot` is a vector, not %s",
                         elab_type_text(e, value));
    if (dtype_is_complex(ir_dtype(value.node)))
        return elab_fail(e, DIAG_E0202, span, "a curve of `plot` is real, not %s", elab_type_text(e, value));
    return value_tensor(elab_cast(e, value.node, DTYPE_f64));
}

/* The path if the last positional value, or the first before keywords, is one. */
static bool takes_path(Elaborator *e, BuiltinCall *call, uint32_t *count, ElabEffect *effect) {
    const ValueTuple *values = call->values[0].tuple;
    if (!*count || !value_is_text(values->items[*count - 1]))
        return true;
    Span span = call->rest[--*count].span;
    effect->path = elab_path(e, values->items[*count], span);
    if (effect->path && !ends_with(effect->path, ".svg"))
        return elab_fail(e, DIAG_E0403, span, "`plot` writes `.svg` files"), false;
    return effect->path != NULL;
}

Value builtin_plot(Elaborator *e, BuiltinCall *call) {
    uint32_t count = call->values[0].tuple->count, next = 0;
    ElabEffect effect = {.kind = ELAB_PLOT, .span = call->span};
    if (!elab_allows_effect(e, call, "plot"))
        return elab_poison();
    if (e->b.region != e->b.function->body)
        return elab_unsupported(e, call->span, "`plot` inside a loop or a branch");
    if (!takes_path(e, call, &count, &effect))
        return elab_poison();
    if (!(count + call->keywords.count))
        return elab_fail(e, DIAG_E0204, call->span, "`plot` takes at least one vector");
    Name *names;
    effect.value = elab_record_new(e, count + call->keywords.count, &names);
    effect.has_names = call->keywords.count > 0;
    for (uint32_t i = 0; i < effect.value.tuple->count; i++) {
        const Argument *argument = i < count ? &call->rest[i] : &call->keywords.items[next++];
        names[i] = argument->name ? argument->name : elab_intern(e, arena_format(e->arena, "%u", i + 1));
        effect.value.tuple->items[i] = curve_of(e, argument->value, argument->span);
        if (value_is(effect.value.tuple->items[i], VALUE_POISON))
            return elab_poison();
    }
    if (!e->is_checking)
        vec_push(e->unit->arena, &e->unit->effects, effect);
    return value_of_kind(VALUE_UNIT);
}
