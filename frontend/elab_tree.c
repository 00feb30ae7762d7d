/* Trees: the tensors in a tuple, record or layer, their paths, and what is done with all of them. */
#include "frontend/elab_builtin.h"
#include "frontend/elab_sparse.h"
#include "frontend/elab_text.h"

bool elab_is_tree(Value value) {
    return value.kind == VALUE_TUPLE || value.kind == VALUE_RECORD || value.kind == VALUE_LAYER;
}

bool elab_has_pattern(Value value) {
    bool has = value_is_on_pattern(value);
    for (uint32_t i = 0; !has && elab_is_tree(value) && i < value.tuple->count; i++)
        has = elab_has_pattern(value.tuple->items[i]);
    return has;
}

static const char *path_of_item(Elaborator *e, const char *path, const ValueTuple *tuple, uint32_t i) {
    const char *dot = *path ? "." : "";
    return tuple->names ? arena_format(e->arena, "%s%s%s", path, dot, tuple->names[i]->text)
                        : arena_format(e->arena, "%s%s%u", path, dot, i);
}

typedef struct Place { /* of a value in a tree */
    LayerRole role;
    bool is_in_layer, is_in_state;
} Place;

static Place place_of_item(const ValueTuple *tuple, uint32_t i, Place place) {
    if (!tuple->layer)
        return place;
    LayerRole role = (LayerRole)tuple->layer->roles[i];
    return (Place){role, true, place.is_in_state || role == ROLE_STATE};
}

/* Tensors that a layer was made with, or computed when it was made, are no leaves; its sub-layers are. */
static bool is_leaf(Place place, Value value) {
    Dtype dtype;
    return elab_dtype_of(value, &dtype) && !value_is_on_pattern(value) &&
           (!place.is_in_layer || place.role == ROLE_PARAM || place.role == ROLE_STATE);
}

/* Of a sparse matrix or an edge tensor the values are: the pattern stays. */
static bool has_values(Value value) {
    return value.kind == VALUE_SPARSE || value.kind == VALUE_EDGES;
}

static void collect(Elaborator *e, Place place, const char *path, Value value, LeafList *out) {
    if (is_leaf(place, value))
        vec_push(e->arena, out, ((Leaf){path, value, place.is_in_state ? ROLE_STATE : place.role}));
    if (has_values(value))
        collect(e, place, path, value_tensor(elab_entries(e, value).values), out);
    if (!elab_is_tree(value))
        return;
    for (uint32_t i = 0; i < value.tuple->count; i++)
        collect(e, place_of_item(value.tuple, i, place), path_of_item(e, path, value.tuple, i),
                value.tuple->items[i], out);
}

void elab_leaves(Elaborator *e, Value tree, LeafList *out) {
    collect(e, (Place){.role = ROLE_OUTSIDE}, "", tree, out);
}

typedef struct Replacement {
    const Value *values;
    uint32_t next;
    bool drops_others; /* `()` stands for what is no leaf, and for leaves that are not to be trained */
} Replacement;

static bool is_trained(Value value, LayerRole role) {
    Dtype dtype;
    return role != ROLE_STATE && elab_dtype_of(value, &dtype) && dtype_is_float(dtype);
}

static Value replaced(Elaborator *e, Place place, Value value, Replacement *r) {
    if (elab_is_tree(value)) {
        ValueTuple *tuple = elab_tuple_like(e, value.tuple);
        for (uint32_t i = 0; i < tuple->count; i++)
            tuple->items[i] = replaced(e, place_of_item(value.tuple, i, place), value.tuple->items[i], r);
        value.tuple = tuple;
        if (value.kind == VALUE_LAYER)
            value.instance = NULL; /* which has the leaves that it had */
        return value;
    }
    if (has_values(value)) {
        Value values = replaced(e, place, value.tuple->items[1], r);
        return values.kind == VALUE_TUPLE ? values
                                          : elab_on_pattern(e, value.kind, elab_entries(e, value).pattern,
                                                            elab_node(e, values).node);
    }
    LayerRole role = place.is_in_state ? ROLE_STATE : place.role;
    if (is_leaf(place, value) && (!r->drops_others || is_trained(value, role)))
        return r->values[r->next++];
    return r->drops_others ? (Value){.kind = VALUE_TUPLE, .tuple = elab_tuple(e, 0)} : value;
}

Value elab_with_leaves(Elaborator *e, Value tree, const Value *values) {
    Replacement r = {.values = values};
    return replaced(e, (Place){.role = ROLE_OUTSIDE}, tree, &r);
}

Value elab_trained_form(Elaborator *e, Value tree, const Value *values) {
    Replacement r = {.values = values, .drops_others = true};
    return replaced(e, (Place){.role = ROLE_OUTSIDE}, tree, &r);
}

void elab_trained_leaves(Elaborator *e, Value tree, LeafList *out) {
    LeafList all = {0};
    elab_leaves(e, tree, &all);
    for (uint32_t i = 0; i < all.count; i++)
        if (is_trained(all.items[i].value, all.items[i].role))
            vec_push(e->arena, out, all.items[i]);
}

Value elab_with_trained(Elaborator *e, Value tree, const Value *values) {
    LeafList all = {0};
    elab_leaves(e, tree, &all);
    Value *merged = ARENA_ARRAY(e->arena, Value, all.count);
    for (uint32_t i = 0, k = 0; i < all.count; i++)
        merged[i] = is_trained(all.items[i].value, all.items[i].role) ? values[k++] : all.items[i].value;
    return elab_with_leaves(e, tree, merged);
}

Value elab_cast_tree(Elaborator *e, Value tree, Dtype dtype, Span span) {
    LeafList leaves = {0};
    elab_leaves(e, tree, &leaves);
    Value *values = ARENA_ARRAY(e->arena, Value, leaves.count);
    for (uint32_t i = 0; i < leaves.count; i++) {
        const Leaf *leaf = &leaves.items[i];
        values[i] = is_trained(leaf->value, leaf->role)
                        ? elab_convert(e, leaf->value, dtype, span, "what is converted")
                        : leaf->value;
        if (value_is(values[i], VALUE_POISON))
            return values[i];
    }
    return elab_with_leaves(e, tree, values);
}

/* ---- builtins ---------------------------------------------------------------------------------------- */

static bool takes_tree(Elaborator *e, const char *name, Value value, Span span) {
    Dtype dtype;
    if (elab_is_tree(value) || elab_dtype_of(value, &dtype))
        return true;
    if (!value_is(value, VALUE_POISON))
        elab_fail(e, DIAG_E0201, span, "`%s` takes tensors, tuples, records and layers, not %s", name,
                  elab_kind_text(e, value));
    return false;
}

/* trainable(net): the same tree with `()` for all that is not trained. */
Value builtin_trainable(Elaborator *e, BuiltinCall *call) {
    LeafList leaves = {0};
    if (!takes_tree(e, "trainable", call->values[0], call->spans[0]))
        return elab_poison();
    elab_trained_leaves(e, call->values[0], &leaves);
    Value *values = ARENA_ARRAY(e->arena, Value, leaves.count);
    for (uint32_t i = 0; i < leaves.count; i++)
        values[i] = leaves.items[i].value;
    return elab_trained_form(e, call->values[0], values);
}

/* tree_leaves(tree): a tuple of its float tensors; of a layer, of its parameters. */
Value builtin_tree_leaves(Elaborator *e, BuiltinCall *call) {
    LeafList leaves = {0};
    if (!takes_tree(e, "tree_leaves", call->values[0], call->spans[0]))
        return elab_poison();
    elab_trained_leaves(e, call->values[0], &leaves);
    ValueTuple *tuple = elab_tuple(e, leaves.count);
    for (uint32_t i = 0; i < leaves.count; i++)
        tuple->items[i] = leaves.items[i].value;
    return (Value){.kind = VALUE_TUPLE, .tuple = tuple};
}

/* False after reporting that the leaves of a tree are others than those of the first. */
static bool same_leaves(Elaborator *e, const LeafList *first, const LeafList *other, Span span) {
    uint32_t i = 0;
    while (i < other->count && i < first->count && !strcmp(other->items[i].path, first->items[i].path))
        i++;
    if (i == other->count && i == first->count)
        return true;
    elab_fail(e, DIAG_E0203, span, "the trees differ: one has `%s`, the other has `%s`",
              i < first->count ? first->items[i].path : "nothing more",
              i < other->count ? other->items[i].path : "nothing more");
    return false;
}

/* The leaves of each tree; false after reporting that one has others than the first. */
static bool matching_leaves(Elaborator *e, BuiltinCall *call, const ValueTuple *trees, LeafList *lists) {
    for (uint32_t k = 0; k < trees->count; k++) {
        if (!takes_tree(e, "tree_map", trees->items[k], call->rest[k].span))
            return false;
        elab_trained_leaves(e, trees->items[k], &lists[k]);
        if (!same_leaves(e, &lists[0], &lists[k], call->rest[k].span))
            return false;
    }
    return true;
}

/* tree_where(condition, a, b): where(condition, …) of every tensor, states and integers too. */
Value builtin_tree_where(Elaborator *e, BuiltinCall *call) {
    LeafList lists[2] = {{0}};
    for (int k = 0; k < 2; k++) {
        if (!takes_tree(e, "tree_where", call->values[k + 1], call->spans[k + 1]))
            return elab_poison();
        elab_leaves(e, call->values[k + 1], &lists[k]);
    }
    if (!same_leaves(e, &lists[0], &lists[1], call->spans[2]))
        return elab_poison();
    Value *values = ARENA_ARRAY(e->arena, Value, lists[0].count);
    for (uint32_t i = 0; i < lists[0].count; i++) {
        Argument arguments[3] = {{.value = call->values[0], .span = call->spans[0]},
                                 {.value = lists[0].items[i].value, .span = call->spans[1]},
                                 {.value = lists[1].items[i].value, .span = call->spans[2]}};
        values[i] = elab_call_builtin(e, elab_find_builtin("where"), arguments, 3, call->span);
        if (value_is(values[i], VALUE_POISON))
            return values[i];
    }
    return elab_with_leaves(e, call->values[1], values);
}

/* tree_map(f, tree, …): the first tree with f(leaf, …) for each leaf, given those of all the trees. */
Value builtin_tree_map(Elaborator *e, BuiltinCall *call) {
    const ValueTuple *trees = call->values[1].tuple;
    LeafList *lists = ARENA_ARRAY(e->arena, LeafList, trees->count), all = {0};
    if (!trees->count)
        return elab_fail(e, DIAG_E0204, call->span, "`tree_map` takes a function and at least one tree");
    if (!matching_leaves(e, call, trees, lists))
        return elab_poison();
    elab_leaves(e, trees->items[0], &all);
    Value *values = ARENA_ARRAY(e->arena, Value, all.count);
    for (uint32_t i = 0, k = 0; i < all.count; i++) {
        values[i] = all.items[i].value;
        if (!is_trained(all.items[i].value, all.items[i].role))
            continue;
        Argument *arguments = ARENA_ARRAY(e->arena, Argument, trees->count);
        for (uint32_t t = 0; t < trees->count; t++)
            arguments[t] = (Argument){.value = lists[t].items[k].value, .span = call->rest[t].span};
        k++;
        values[i] = elab_strengthen(elab_call_value(e, call->values[0], arguments, trees->count, call->span));
        Dtype dtype;
        if (value_is(values[i], VALUE_POISON))
            return values[i];
        if (!elab_dtype_of(values[i], &dtype) || value_is_on_pattern(values[i]))
            return elab_fail(e, DIAG_E0201, call->span,
                             "`tree_map` needs a function that gives a tensor, not %s",
                             elab_kind_text(e, values[i]));
    }
    return elab_with_leaves(e, trees->items[0], values);
}

/* ---- tables -------------------------------------------------------------------------------------------- */

static void add_text(TextBuilder *t, const char *text) {
    text_builder_add(t, text, strlen(text));
}

Value elab_known_size(Elaborator *e, Value size) {
    int64_t known;
    if (size.kind == VALUE_SLOT && size.slot->has_value)
        return elab_int(e, size.slot->value);
    return size.kind == VALUE_TENSOR && ir_known_i64(size.node, &known) ? elab_int(e, known) : size;
}

static void add_size(TextBuilder *t, Value size, Span span) {
    int64_t known;
    Value exact = elab_known_size(t->e, size);
    if (elab_constant_int(exact, &known))
        add_text(t, arena_format(t->e->arena, "%lld", (long long)known));
    else
        text_builder_add_value(t, elab_strengthen(exact), NULL, 0, span);
}

static void add_leaf(TextBuilder *t, const Leaf *leaf, Span span) {
    Elaborator *e = t->e;
    Dtype dtype;
    uint32_t rank;
    elab_dtype_of(leaf->value, &dtype);
    elab_rank_of(leaf->value, &rank);
    add_text(t, arena_format(e->arena, "\n  %s  %s", leaf->path, dtype_name(dtype)));
    Value shape = elab_shape(e, leaf->value);
    for (uint32_t k = 0; k < rank; k++) {
        add_text(t, k ? ", " : "[");
        add_size(t, shape.tuple->items[k], span);
    }
    add_text(t, rank ? "]  " : "  ");
    add_size(t, value_weak(ir_size(&e->b, elab_node(e, leaf->value).node)), span);
    if (leaf->role == ROLE_STATE)
        add_text(t, "  state");
}

static Value parameter_count(Elaborator *e, const LeafList *leaves) {
    IrNode *count = ir_const_i64(&e->b, 0);
    for (uint32_t i = 0; i < leaves->count; i++)
        if (leaves->items[i].role == ROLE_PARAM) {
            IrNode *size = ir_size(&e->b, elab_node(e, leaves->items[i].value).node);
            Value known = elab_known_size(e, value_weak(size));
            count = ir_binary(&e->b, OP_add, count, elab_node(e, known).node);
        }
    return value_weak(count);
}

/* "MLP(64, 10): 9098 parameters", then one line for each tensor: path, type, count. */
Value elab_layer_table(Elaborator *e, Value layer, Span span) {
    TextBuilder t = {.e = e};
    LeafList leaves = {0};
    elab_leaves(e, layer, &leaves);
    add_text(&t, elab_layer_text(e, layer.tuple));
    add_text(&t, ": ");
    add_size(&t, parameter_count(e, &leaves), span);
    add_text(&t, " parameters");
    for (uint32_t i = 0; i < leaves.count; i++)
        add_leaf(&t, &leaves.items[i], span);
    return text_builder_value(&t);
}

/* parameters(net): that text. */
Value builtin_parameters(Elaborator *e, BuiltinCall *call) {
    if (call->values[0].kind != VALUE_LAYER)
        return elab_fail(e, DIAG_E0201, call->spans[0], "`parameters` lists those of a layer, not of %s",
                         elab_kind_text(e, call->values[0]));
    return elab_layer_table(e, call->values[0], call->span);
}
