/* Values that leave regions: snapshots of the variables, branches joined into one `if`, leaves of values. */
#include "frontend/elab_sparse.h"

IrRegion *elab_enter_region(Elaborator *e) {
    e->b.region = ir_region_new(e->b.function, e->b.region);
    return e->b.region;
}

/* ---- snapshots ------------------------------------------------------------------------------------------
 */

Snapshot elab_snapshot(Elaborator *e) {
    VEC(Binding *) list = {0};
    vec_push(e->arena, &list, e->token);
    vec_push(e->arena, &list, e->random_key);
    vec_push(e->arena, &list, e->random_counter);
    for (uint32_t i = 0; i < e->states.count; i++)
        vec_push(e->arena, &list, e->states.items[i]);
    for (Scope *scope = e->scope; scope; scope = scope->parent)
        for (uint32_t i = 0; i < scope->bindings.count; i++)
            if (scope->bindings.items[i]->kind == BINDING_MUT)
                vec_push(e->arena, &list, scope->bindings.items[i]);
    Snapshot out = {list.count, list.items, ARENA_ARRAY(e->arena, Value, list.count)};
    for (uint32_t i = 0; i < list.count; i++)
        out.values[i] = list.items[i]->value;
    return out;
}

static void read_again(Elaborator *e, const Snapshot *before, Snapshot *after) {
    *after = *before;
    after->values = ARENA_ARRAY(e->arena, Value, before->count);
    for (uint32_t i = 0; i < before->count; i++)
        after->values[i] = before->bindings[i]->value;
}

void elab_restore(Elaborator *e, const Snapshot *snapshot) {
    (void)e;
    for (uint32_t i = 0; i < snapshot->count; i++)
        snapshot->bindings[i]->value = snapshot->values[i];
}

/* ---- leaves
 * ------------------------------------------------------------------------------------------------ */

/* The numbers that a layer was made with are a part of its type: no loop or branch changes them. */
static bool is_numbers(Value value) {
    if (value.kind != VALUE_TUPLE)
        return elab_is_scalar(value);
    for (uint32_t i = 0; i < value.tuple->count; i++)
        if (!is_numbers(value.tuple->items[i]))
            return false;
    return true;
}

static bool is_fixed(const ValueTuple *tuple, uint32_t i) {
    return tuple->layer && (tuple->layer->roles[i] == ROLE_ARGUMENT || tuple->layer->roles[i] == ROLE_LET) &&
           is_numbers(tuple->items[i]);
}

/* So is the pattern of a sparse matrix. */
static bool is_changing(Value value) {
    return value_has_node(value) && value.node->types[0].kind != IR_PATTERN;
}

Value elab_flatten(Elaborator *e, Value value, NodeList *nodes) {
    if (value.kind == VALUE_SLOT || value.kind == VALUE_CONSTANT)
        value = elab_node(e, value);
    if (is_changing(value)) {
        vec_push(e->arena, nodes, value.node);
    } else if (value_has_items(value)) {
        ValueTuple *tuple = elab_tuple_like(e, value.tuple);
        for (uint32_t i = 0; i < tuple->count; i++)
            tuple->items[i] = is_fixed(value.tuple, i) ? value.tuple->items[i]
                                                       : elab_flatten(e, value.tuple->items[i], nodes);
        value.tuple = tuple;
    }
    return value;
}

Value elab_rebuild(Elaborator *e, Value value, IrNode *const *nodes, uint32_t *next) {
    if (is_changing(value)) {
        value.node = nodes[(*next)++];
    } else if (value_has_items(value)) {
        ValueTuple *tuple = elab_tuple_like(e, value.tuple);
        for (uint32_t i = 0; i < tuple->count; i++)
            tuple->items[i] = is_fixed(value.tuple, i) ? value.tuple->items[i]
                                                       : elab_rebuild(e, value.tuple->items[i], nodes, next);
        value.tuple = tuple;
    }
    return value;
}

bool elab_same_value(Value a, Value b) {
    if (a.kind != b.kind)
        return false;
    switch (a.kind) {
    case VALUE_TENSOR:
    case VALUE_TOKEN:
        return a.node == b.node;
    case VALUE_CONSTANT:
        return a.dtype == b.dtype && a.bits == b.bits;
    case VALUE_SLOT:
        return a.slot == b.slot;
    case VALUE_DTYPE:
        return a.dtype == b.dtype;
    case VALUE_FUNCTION:
        return a.function == b.function;
    case VALUE_BUILTIN:
        return a.builtin == b.builtin;
    case VALUE_DERIVATIVE:
        return a.derivative == b.derivative;
    case VALUE_CLASS:
        return a.layer == b.layer;
    case VALUE_STRING:
        return a.length == b.length && !memcmp(a.text, b.text, a.length);
    case VALUE_RANGE:
    case VALUE_SEQUENCE:
    case VALUE_TUPLE:
    case VALUE_RECORD:
    case VALUE_TEXT:
    case VALUE_MAPPED:
    case VALUE_LAYER:
    case VALUE_SPARSE:
    case VALUE_EDGES:
    case VALUE_GRAPH:
        if ((a.kind == VALUE_TEXT && a.pieces != b.pieces) ||
            (a.kind == VALUE_LAYER && a.instance != b.instance) || !elab_same_form(a.tuple, b.tuple))
            return false;
        for (uint32_t i = 0; i < a.tuple->count; i++)
            if (!elab_same_value(a.tuple->items[i], b.tuple->items[i]))
                return false;
        return true;
    default:
        return true;
    }
}

/* ---- joining branches
 * --------------------------------------------------------------------------------------- */

typedef struct Join {
    Branch *yes, *no;
    NodeList yes_nodes, no_nodes;
    Span span;
    Name name; /* the variable, NULL: the value of the `if` */
} Join;

static Value join_error(Elaborator *e, const Join *join, Value yes, Value no) {
    if (join->name)
        return elab_fail(e, DIAG_E0208, join->span, "`%s` is %s after one branch and %s after the other",
                         join->name->text, elab_kind_text(e, yes), elab_kind_text(e, no));
    return elab_fail(e, DIAG_E0208, join->span, "the branches have different types, %s and %s",
                     elab_kind_text(e, yes), elab_kind_text(e, no));
}

static Value leaf(Elaborator *e, Join *join, IrNode *yes, IrNode *no, ValueKind kind, bool is_weak) {
    vec_push(e->arena, &join->yes_nodes, yes);
    vec_push(e->arena, &join->no_nodes, no);
    return (Value){.kind = kind, .is_weak = is_weak};
}

static Value join_tensors(Elaborator *e, Join *join, Value yes, Value no) {
    Dtype a, b;
    uint32_t rank_a, rank_b;
    elab_dtype_of(yes, &a);
    elab_dtype_of(no, &b);
    elab_rank_of(yes, &rank_a);
    elab_rank_of(no, &rank_b);
    Dtype dtype = a == b ? a : elab_common_dtype((Value[]){yes, no}, 2);
    /* A literal takes the other branch's dtype; nothing else is converted. */
    bool fits = (a == dtype || yes.is_weak) && (b == dtype || no.is_weak);
    if (!fits || rank_a != rank_b)
        return join_error(e, join, yes, no);
    IrRegion *region = e->b.region;
    e->b.region = join->yes->region;
    Value left = elab_promote_to(e, yes, dtype, join->span);
    e->b.region = join->no->region;
    Value right = elab_promote_to(e, no, dtype, join->span);
    e->b.region = region;
    if (value_is(left, VALUE_POISON) || value_is(right, VALUE_POISON))
        return elab_poison();
    return leaf(e, join, left.node, right.node, VALUE_TENSOR, yes.is_weak && no.is_weak);
}

static Value join_values(Elaborator *e, Join *join, Value yes, Value no);

/* A pattern that is another one in each branch: in one order. */
static Value join_patterns(Elaborator *e, Join *join, Value yes, Value no) {
    Branch *branches[] = {join->yes, join->no};
    Value sides[] = {yes, no};
    IrRegion *region = e->b.region;
    bool differ = elab_node(e, yes.tuple->items[0]).node != elab_node(e, no.tuple->items[0]).node;
    for (int i = 0; i < 2 && differ && yes.kind == VALUE_SPARSE; i++) {
        e->b.region = branches[i]->region;
        sides[i] = elab_reordered(e, sides[i], IR_ORDER_ROWS);
    }
    e->b.region = region;
    ValueTuple *tuple = elab_tuple_like(e, yes.tuple);
    tuple->items[0] = elab_node(e, sides[0].tuple->items[0]);
    if (differ)
        tuple->items[0] = leaf(e, join, tuple->items[0].node, elab_node(e, sides[1].tuple->items[0]).node,
                               VALUE_TENSOR, false);
    for (uint32_t i = 1; i < tuple->count; i++)
        tuple->items[i] = join_values(e, join, sides[0].tuple->items[i], sides[1].tuple->items[i]);
    yes.tuple = tuple;
    return yes;
}

/* A value whose new leaves have no node yet. */
static Value join_values(Elaborator *e, Join *join, Value yes, Value no) {
    Dtype dtype;
    if (value_is(yes, VALUE_POISON) || value_is(no, VALUE_POISON))
        return elab_poison();
    if (elab_same_value(yes, no))
        return yes;
    if (yes.kind == VALUE_TOKEN && no.kind == VALUE_TOKEN)
        return leaf(e, join, yes.node, no.node, VALUE_TOKEN, false);
    if (value_is_on_pattern(yes) && yes.kind == no.kind && elab_same_form(yes.tuple, no.tuple))
        return join_patterns(e, join, yes, no);
    if (value_is_on_pattern(yes) || value_is_on_pattern(no))
        return join_error(e, join, yes, no);
    if (elab_dtype_of(yes, &dtype) && elab_dtype_of(no, &dtype))
        return join_tensors(e, join, yes, no);
    if (value_is_text(yes) && value_is_text(no) && !elab_match_texts(e, &yes, &no, join->no->region))
        return elab_unsupported(e, join->span, "an `if` between two strings with different values in them");
    if (!value_has_items(yes) || yes.kind != no.kind || !elab_same_form(yes.tuple, no.tuple))
        return join_error(e, join, yes, no);
    ValueTuple *tuple = elab_tuple_like(e, yes.tuple);
    for (uint32_t i = 0; i < tuple->count; i++)
        tuple->items[i] = join_values(e, join, yes.tuple->items[i], no.tuple->items[i]);
    yes.tuple = tuple;
    return yes;
}

static Value fill_leaves(Elaborator *e, Value value, IrNode *node, uint32_t *next) {
    if (value_has_node(value) && !value.node) {
        value.node = ir_result(&e->b, node, (*next)++);
    } else if (value_has_items(value)) {
        for (uint32_t i = 0; i < value.tuple->count; i++)
            if (value_has_items(value.tuple->items[i]) || value_has_node(value.tuple->items[i])) {
                /* Only tuples made by join_values hold leaves without a node: they may be changed. */
                Value filled = fill_leaves(e, value.tuple->items[i], node, next);
                if (!elab_same_value(filled, value.tuple->items[i]))
                    value.tuple->items[i] = filled;
            }
    }
    return value;
}

static void set_results(Elaborator *e, IrRegion *region, const NodeList *nodes) {
    IrBuilder b = e->b;
    b.region = region;
    ir_set_results(&b, nodes->items, nodes->count);
}

Value elab_join(Elaborator *e, IrNode *condition, const Snapshot *before, Branch *yes, Branch *no,
                bool wants_value, Span span) {
    Join join = {.yes = yes, .no = no, .span = span};
    bool has_value = wants_value && yes->value.kind != VALUE_UNIT && no->value.kind != VALUE_UNIT;
    Value value = has_value ? join_values(e, &join, yes->value, no->value) : value_of_kind(VALUE_UNIT);
    Value *joined = ARENA_ARRAY(e->arena, Value, before->count);
    for (uint32_t i = 0; i < before->count; i++) {
        join.name = before->bindings[i]->name;
        joined[i] = join_values(e, &join, yes->after.values[i], no->after.values[i]);
    }
    IrNode *node = NULL;
    if (join.yes_nodes.count) {
        set_results(e, yes->region, &join.yes_nodes);
        set_results(e, no->region, &join.no_nodes);
        elab_at(e, span);
        node = ir_if(&e->b, condition, yes->region, no->region);
    }
    uint32_t next = 0;
    value = fill_leaves(e, value, node, &next);
    for (uint32_t i = 0; i < before->count; i++) {
        Value filled = fill_leaves(e, joined[i], node, &next);
        before->bindings[i]->value = before->values[i];
        if (!elab_same_value(filled, before->values[i]) || value_has_items(filled))
            elab_set(e, before->bindings[i], filled);
    }
    return value;
}

void elab_finish_branch(Elaborator *e, const Snapshot *before, Branch *branch) {
    read_again(e, before, &branch->after);
}
