/* Which slots the names of a session still reach, so that the driver can give the others' tensors back. */
#include "frontend/elab.h"

typedef struct SlotWalk {
    Elaborator *e;
    ElabSlotVisit visit;
    void *context;
} SlotWalk;

static void walk_value(SlotWalk *w, Value value);

/* What a function captured.  Each environment is looked at once. */
static void walk_scope(SlotWalk *w, Scope *scope) {
    for (; scope && scope != w->e->globals && scope != w->e->library; scope = scope->parent) {
        if (scope->walk == w->e->walk_count)
            return;
        scope->walk = w->e->walk_count;
        for (uint32_t i = 0; i < scope->bindings.count; i++)
            walk_value(w, scope->bindings.items[i]->value);
    }
}

static void walk_value(SlotWalk *w, Value value) {
    if (value.kind == VALUE_SLOT)
        w->visit(w->context, value.slot);
    else if (value.kind == VALUE_FUNCTION)
        walk_scope(w, value.function->environment);
    else if (value.kind == VALUE_DERIVATIVE)
        walk_value(w, elab_derived_function(value.derivative));
    for (uint32_t i = 0; value_has_items(value) && i < value.tuple->count; i++)
        walk_value(w, value.tuple->items[i]);
}

void elab_each_slot(Elaborator *e, ElabSlotVisit visit, void *context) {
    SlotWalk w = {e, visit, context};
    e->walk_count++;
    for (uint32_t i = 0; i < e->globals->bindings.count; i++)
        walk_value(&w, e->globals->bindings.items[i]->value);
    walk_value(&w, e->random_key->value);
    walk_value(&w, e->random_counter->value);
}

ElabSlot *elab_random_slot(Elaborator *e, bool is_counter) {
    Value value = (is_counter ? e->random_counter : e->random_key)->value;
    return value.kind == VALUE_SLOT ? value.slot : NULL;
}

void elab_set_random_slot(Elaborator *e, bool is_counter, ElabSlot *slot) {
    (is_counter ? e->random_counter : e->random_key)->value = (Value){.kind = VALUE_SLOT, .slot = slot};
}
