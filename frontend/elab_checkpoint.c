/* checkpoint(f) and custom_vjp(f, backward): functions that are f, and tell derivatives what to do with them.
 *
 * Outside of a derivative a call is a call of f.  Under one, checkpoint(f) builds f in the region of a
 * `checkpoint` node, and custom_vjp(f, backward) puts a `custom` node behind the results of f, whose region
 * is the call of `backward`. */
#include "frontend/elab_derivative.h"

static Value make(Elaborator *e, BuiltinCall *call, DerivativeKind kind, Value backward) {
    Derivative *d = ARENA_NEW(e->arena, Derivative);
    *d = (Derivative){.kind = kind, .function = call->values[0], .backward = backward};
    return (Value){.kind = VALUE_DERIVATIVE, .derivative = d};
}

static bool takes_function(Elaborator *e, const BuiltinCall *call, uint32_t at) {
    if (elab_is_function(call->values[at]) || call->values[at].kind == VALUE_LAYER)
        return true;
    if (!value_is(call->values[at], VALUE_POISON))
        elab_fail(e, DIAG_E0201, call->spans[at], "`%s` takes a function, not %s", call->builtin->name,
                  elab_kind_text(e, call->values[at]));
    return false;
}

Value builtin_checkpoint(Elaborator *e, BuiltinCall *call) {
    return takes_function(e, call, 0) ? make(e, call, DERIVATIVE_CHECKPOINT, elab_poison()) : elab_poison();
}

Value builtin_custom_vjp(Elaborator *e, BuiltinCall *call) {
    return takes_function(e, call, 0) && takes_function(e, call, 1)
               ? make(e, call, DERIVATIVE_CUSTOM, call->values[1])
               : elab_poison();
}

/* In an index expression, too, what is called is vectorised: there are no regions to compute again. */
static bool is_plain(const Elaborator *e) {
    return !e->is_differentiating || e->index_depth;
}

/* ---- checkpoint ---------------------------------------------------------------------------------------- */

/* False after reporting: a function would take values out of the region with it. */
static bool can_leave(Elaborator *e, Value value, Span span) {
    if (value.kind == VALUE_FUNCTION || value.kind == VALUE_DERIVATIVE || value.kind == VALUE_MAPPED)
        return elab_fail(e, DIAG_E0201, span, "what `checkpoint` calls returns tensors, not a function"),
               false;
    if (value.kind == VALUE_TENSOR && value.node->types[0].kind == IR_PATTERN &&
        value.node->region == e->b.region)
        return elab_unsupported(e, span, "a sparse matrix with a new pattern as a result of `checkpoint`"),
               false;
    for (uint32_t i = 0; value_has_items(value) && i < value.tuple->count; i++)
        if (!can_leave(e, value.tuple->items[i], span))
            return false;
    return true;
}

/* The leaves of the value, then of the variables that the call changed. */
static Value results_of(Elaborator *e, Value value, const Snapshot *before, Value *changed,
                        NodeList *leaves) {
    value = elab_flatten(e, value, leaves);
    for (uint32_t i = 0; i < before->count; i++) {
        Value now = before->bindings[i]->value;
        changed[i] = elab_same_value(now, before->values[i]) ? value_of_kind(VALUE_UNIT)
                                                             : elab_flatten(e, now, leaves);
    }
    return value;
}

Value elab_call_checkpoint(Elaborator *e, const Derivative *d, Argument *arguments, uint32_t count,
                           Span span) {
    if (is_plain(e))
        return elab_call_value(e, d->function, arguments, count, span);
    Snapshot before = elab_snapshot(e);
    IrRegion *outer = e->b.region, *region = elab_enter_region(e);
    Value value = elab_call_value(e, d->function, arguments, count, span);
    bool ok = !value_is(value, VALUE_POISON) && can_leave(e, value, span);
    NodeList leaves = {0};
    Value *changed = ARENA_ARRAY(e->arena, Value, before.count);
    if (ok)
        value = results_of(e, value, &before, changed, &leaves);
    ir_set_results(&e->b, leaves.items, leaves.count);
    elab_restore(e, &before);
    e->b.region = outer;
    if (!ok || !leaves.count)
        return ok ? value : elab_poison();
    elab_at(e, span);
    uint32_t next = 0, kept = leaves.count;
    IrNode *node = ir_checkpoint(&e->b, region);
    for (uint32_t i = 0; i < kept; i++)
        leaves.items[i] = ir_result(&e->b, node, i);
    value = elab_rebuild(e, value, leaves.items, &next);
    for (uint32_t i = 0; i < before.count; i++)
        if (!value_is(changed[i], VALUE_UNIT))
            elab_set(e, before.bindings[i], elab_rebuild(e, changed[i], leaves.items, &next));
    return value;
}

/* ---- custom_vjp ---------------------------------------------------------------------------------------- */

static bool is_float_node(const IrNode *node) {
    return node->types[0].kind == IR_TENSOR && dtype_is_float(ir_dtype(node));
}

/* The gradients that `backward` gave: one per argument, as the results of the region. */
static bool backward_results(Elaborator *e, Value value, const Argument *arguments, uint32_t count,
                             Span span) {
    NodeList results = {0};
    if (count > 1 && (value.kind != VALUE_TUPLE || value.tuple->count != count))
        return elab_fail(e, DIAG_E0201, span, "`backward` gives a tuple of %u gradients, one per argument",
                         count),
               false;
    bool is_tuple = count > 1 || (value.kind == VALUE_TUPLE && value.tuple->count == 1);
    for (uint32_t i = 0; i < count; i++) {
        NodeList all = {0}, floats = {0};
        elab_flatten(e, arguments[i].value, &all);
        for (uint32_t k = 0; k < all.count; k++)
            if (is_float_node(all.items[k]))
                vec_push(e->arena, &floats, all.items[k]);
        Argument given = {.value = is_tuple ? value.tuple->items[i] : value, .span = span};
        IrNode **seeds = ARENA_ARRAY(e->arena, IrNode *, floats.count);
        if (floats.count && !elab_as_seeds(e, &given, &floats, seeds))
            return false;
        for (uint32_t k = 0; k < floats.count; k++)
            vec_push(e->arena, &results, seeds[k]);
    }
    ir_set_results(&e->b, results.items, results.count);
    return true;
}

/* backward((arguments), y, dy) in a region whose parameters are dy. */
static IrRegion *backward_region(Elaborator *e, const Derivative *d, const Argument *arguments,
                                 uint32_t count, Value y, const NodeList *floats, Span span) {
    IrRegion *outer = e->b.region, *region = elab_enter_region(e);
    NodeList leaves = {0}, adjoints = {0};
    elab_flatten(e, y, &leaves);
    for (uint32_t i = 0, next = 0; i < leaves.count; i++) {
        IrNode *leaf = leaves.items[i];
        bool is_float = next < floats->count && floats->items[next] == leaf;
        next += is_float;
        vec_push(e->arena, &adjoints,
                 is_float ? ir_parameter(&e->b, NULL, ir_dtype(leaf), ir_rank(leaf),
                                         ir_rank(leaf) ? leaf->types[0].dims : NULL, NULL)
                          : leaf);
    }
    uint32_t next = 0;
    ValueTuple *all = elab_tuple(e, count);
    for (uint32_t i = 0; i < count; i++)
        all->items[i] = arguments[i].value;
    Argument given[3] = {{.value = {.kind = VALUE_TUPLE, .tuple = all}, .span = span},
                         {.value = y, .span = span},
                         {.value = elab_rebuild(e, y, adjoints.items, &next), .span = span}};
    Value value = elab_call_value(e, d->backward, given, 3, span);
    bool ok = !value_is(value, VALUE_POISON) && backward_results(e, value, arguments, count, span);
    e->b.region = outer;
    return ok ? region : NULL;
}

Value elab_call_custom(Elaborator *e, const Derivative *d, Argument *arguments, uint32_t count, Span span) {
    Value value = elab_call_value(e, d->function, arguments, count, span);
    if (is_plain(e) || value_is(value, VALUE_POISON))
        return value;
    NodeList leaves = {0}, values = {0}, sources = {0};
    value = elab_flatten(e, elab_strengthen(value), &leaves);
    for (uint32_t i = 0; i < leaves.count; i++)
        if (is_float_node(leaves.items[i])) {
            leaves.items[i] = ir_variable(&e->b, leaves.items[i]); /* not an argument, where f gives one */
            vec_push(e->arena, &values, leaves.items[i]);
        }
    uint32_t next = 0;
    value = elab_rebuild(e, value, leaves.items, &next);
    for (uint32_t i = 0; i < count; i++) {
        NodeList all = {0};
        if (arguments[i].name)
            return elab_fail(e, DIAG_E0204, arguments[i].span,
                             "a function of `custom_vjp` takes its arguments by position");
        arguments[i].value = elab_flatten(e, elab_strengthen(arguments[i].value), &all);
        for (uint32_t k = 0; k < all.count; k++)
            if (is_float_node(all.items[k]))
                vec_push(e->arena, &sources, all.items[k]);
    }
    if (!values.count || !sources.count)
        return value;
    IrRegion *region = backward_region(e, d, arguments, count, value, &values, span);
    if (!region)
        return elab_poison();
    elab_at(e, span);
    IrNode *node = ir_custom(&e->b, values.items, values.count, sources.items, sources.count, region);
    next = 0;
    for (uint32_t i = 0, k = 0; i < leaves.count; i++)
        if (is_float_node(leaves.items[i]))
            leaves.items[i] = ir_result(&e->b, node, k++);
    return elab_rebuild(e, value, leaves.items, &next);
}
