/* vmap(f): a function applied along the first axis of its arguments.
 *
 * The call elaborates f once, on the item number i of every argument, in a region whose parameter is i;
 * vectorising that region (elab_vectorize.c) then gives the results for all items at once, as in
 * [f(x[i], y[i]) for i]. */
#include "frontend/elab_builtin.h"
#include "frontend/elab_sparse.h"
#include "frontend/elab_vectorize.h"

/* The function, and the axis of each argument: None, an integer, or a tuple of them. */
enum { MAPPED_FUNCTION, MAPPED_AXES, MAPPED_COUNT };

Value builtin_vmap(Elaborator *e, BuiltinCall *call) {
    Value function = call->values[0];
    if (function.kind != VALUE_FUNCTION && function.kind != VALUE_BUILTIN && function.kind != VALUE_MAPPED &&
        function.kind != VALUE_DERIVATIVE)
        return value_is(function, VALUE_POISON)
                   ? function
                   : elab_fail(e, DIAG_E0201, call->spans[0], "`vmap` takes a function, not %s",
                               elab_kind_text(e, function));
    ValueTuple *tuple = elab_tuple(e, MAPPED_COUNT);
    tuple->items[MAPPED_FUNCTION] = function;
    tuple->items[MAPPED_AXES] = call->values[1];
    return (Value){.kind = VALUE_MAPPED, .tuple = tuple};
}

typedef struct Mapping {
    Elaborator *e;
    IrNode *index;  /* the region's parameter */
    IrNode *extent; /* how many items; NULL: not known yet */
    Span span;      /* of the argument in hand */
} Mapping;

/* x with the mapped axis first. */
static IrNode *axis_first(Mapping *m, IrNode *x, uint32_t axis) {
    uint32_t permutation[IR_MAX_RANK] = {axis}, next = 1;
    for (uint32_t k = 0; k < ir_rank(x); k++)
        if (k != axis)
            permutation[next++] = k;
    return axis ? elab_permuted(m->e, x, permutation) : x;
}

static bool take_extent(Mapping *m, IrNode *extent) {
    IrNode *same =
        m->extent ? elab_same_extent(m->e, m->extent, extent, "`vmap` runs over sizes that differ") : extent;
    if (!same)
        elab_fail(m->e, DIAG_E0203, m->span, "`vmap` runs over %s items of one argument and %s of another",
                  elab_extent_text(m->e, m->extent), elab_extent_text(m->e, extent));
    m->extent = same;
    return same != NULL;
}

/* The tensors of a value with the mapped axis first; counts the items. */
static Value prepared(Mapping *m, Value value, Value axis) {
    Elaborator *e = m->e;
    uint32_t at;
    Dtype dtype;
    if (value.kind == VALUE_TUPLE) {
        ValueTuple *tuple = elab_tuple_like(e, value.tuple);
        for (uint32_t i = 0; i < tuple->count; i++)
            if (value_is(tuple->items[i] = prepared(m, value.tuple->items[i], axis), VALUE_POISON))
                return elab_poison();
        value.tuple = tuple;
        return value;
    }
    if (!value_is(axis, VALUE_NONE) && value_is_on_pattern(value))
        return elab_fail(e, DIAG_E0201, m->span,
                         "`vmap` runs over an axis of a tensor, not of %s; in_axes=None passes it as it is",
                         elab_kind_text(e, value));
    if (value_is(axis, VALUE_NONE) || !elab_dtype_of(value, &dtype))
        return value;
    value = elab_node(e, value);
    if (ir_rank(value.node) == 0)
        return elab_fail(e, DIAG_E0203, m->span,
                         "`vmap` runs over an axis of every argument, and a scalar has none; "
                         "in_axes=(0, None) passes the second as it is");
    if (!elab_axis(e, axis, ir_rank(value.node), m->span, &at))
        return elab_poison();
    value.node = axis_first(m, value.node, at);
    return take_extent(m, value.node->types[0].dims[0]) ? value : elab_poison();
}

/* Item number `index` of the tensors of a prepared value. */
static Value item_of(Mapping *m, Value value, Value axis) {
    Elaborator *e = m->e;
    Dtype dtype;
    if (value_is(axis, VALUE_NONE))
        return value;
    if (value.kind == VALUE_TUPLE) {
        ValueTuple *tuple = elab_tuple_like(e, value.tuple);
        for (uint32_t i = 0; i < tuple->count; i++)
            tuple->items[i] = item_of(m, value.tuple->items[i], axis);
        value.tuple = tuple;
    } else if (elab_dtype_of(value, &dtype)) {
        value.node = elab_first_axis_item(e, value.node, m->index);
    }
    return value;
}

static bool axis_of(Elaborator *e, Value axes, uint32_t argument, uint32_t count, Span span, Value *out) {
    if (axes.kind == VALUE_TUPLE && axes.tuple->count != count) {
        elab_fail(e, DIAG_E0204, span, "`in_axes` has %u entries for %u arguments", axes.tuple->count, count);
        return false;
    }
    *out = axes.kind == VALUE_TUPLE ? axes.tuple->items[argument] : axes;
    return true;
}

/* The tensors of a result with an axis for the items in front. */
static Value stacked(Elaborator *e, Vectorizer *v, Value value, Span span) {
    Vectorized out;
    switch (value.kind) {
    case VALUE_TUPLE: {
        ValueTuple *tuple = elab_tuple_like(e, value.tuple);
        for (uint32_t i = 0; i < tuple->count; i++)
            if (value_is(tuple->items[i] = stacked(e, v, value.tuple->items[i], span), VALUE_POISON))
                return elab_poison();
        value.tuple = tuple;
        return value;
    }
    case VALUE_TENSOR: {
        IrNode *all = elab_vectorize(v, value.node, &out) ? elab_over_all(v, out) : NULL;
        return all ? value_tensor(all) : elab_poison();
    }
    case VALUE_POISON:
        return value;
    default:
        return elab_fail(e, DIAG_E0201, span, "a function under `vmap` gives tensors, not %s",
                         elab_kind_text(e, value));
    }
}

static bool is_changed(const Snapshot *before) {
    for (uint32_t i = 0; i < before->count; i++)
        if (!elab_same_value(before->values[i], before->bindings[i]->value))
            return true;
    return false;
}

/* Nodes for the constants and slots in a result, in the region that is being built. */
static Value with_nodes(Elaborator *e, Value value) {
    if (value.kind != VALUE_TUPLE)
        return elab_strengthen(elab_node(e, value));
    ValueTuple *tuple = elab_tuple_like(e, value.tuple);
    for (uint32_t i = 0; i < tuple->count; i++)
        tuple->items[i] = with_nodes(e, value.tuple->items[i]);
    value.tuple = tuple;
    return value;
}

Value elab_call_mapped(Elaborator *e, const ValueTuple *mapped, Argument *arguments, uint32_t count,
                       Span span) {
    Mapping m = {.e = e};
    Value *axes = ARENA_ARRAY(e->arena, Value, count), *whole = ARENA_ARRAY(e->arena, Value, count);
    uint32_t errors = e->sink->error_count;
    for (uint32_t i = 0; i < count; i++) {
        m.span = arguments[i].span;
        if (!axis_of(e, mapped->items[MAPPED_AXES], i, count, span, &axes[i]) ||
            value_is(whole[i] = prepared(&m, arguments[i].value, axes[i]), VALUE_POISON))
            return elab_poison();
    }
    if (!m.extent)
        return elab_fail(e, DIAG_E0203, span, "`vmap` needs an argument with an axis to run over");
    if (!e->index_depth) {
        e->reach_checks = NULL;
        e->index_first = e->b.function->node_count;
    }
    Snapshot before = elab_snapshot(e);
    IrRegion *outer = e->b.region, *region = elab_enter_region(e);
    m.index = ir_parameter(&e->b, NULL, DTYPE_i64, 0, NULL, NULL);
    e->index_depth++;
    for (uint32_t i = 0; i < count; i++)
        arguments[i].value = item_of(&m, whole[i], axes[i]);
    Value value = with_nodes(e, elab_call_value(e, mapped->items[MAPPED_FUNCTION], arguments, count, span));
    e->index_depth--;
    e->b.region = outer;
    if (e->sink->error_count == errors && is_changed(&before))
        elab_fail(e, DIAG_E0211, span, "a function under `vmap` cannot print or draw");
    elab_restore(e, &before);
    if (e->sink->error_count != errors)
        return elab_poison();
    elab_at(e, span);
    Vectorizer *v = elab_vectorizer(e, region);
    elab_vectorizer_range(v, 0, elab_intern(e, "i"), ir_const_i64(&e->b, 0), m.extent);
    return stacked(e, v, value, span);
}
