/* Vectorising checks: an affine subscript is checked once by its ends, other conditions for every index. */
#include "frontend/elab_lift.h"

static IrNode *clamped(Vectorizer *v, IrNode *x, int64_t limit) {
    int64_t value;
    if ((ir_const_value_i64(x, &value) && value <= limit && value >= -limit) || x->op == OP_dim)
        return x;
    return int_op(v, OP_maximum, int_op(v, OP_minimum, x, int_node(v, limit)), int_node(v, -limit));
}

static IrNode *logical(Vectorizer *v, Op op, IrNode *x, IrNode *y) {
    int64_t a, c;
    bool stops = op == OP_logical_or; /* the constant that decides */
    if (ir_const_value_i64(x, &a))
        return (a != 0) == stops ? x : y;
    if (ir_const_value_i64(y, &c))
        return (c != 0) == stops ? y : x;
    return ir_binary(&v->e->b, op, x, y);
}

/* What the node of a check of positions stands for, so that an index expression around it can widen it. */
typedef struct ElabReachCheck {
    const IrNode *check;     /* check_true; it guards the offset */
    IrNode *low, *high;      /* the positions are offset + low … offset + high */
    IrNode *is_empty, *size; /* no position at all; the bound */
    int64_t axis;
    struct ElabReachCheck *next;
} ElabReachCheck;

/* The positions of an affine subscript against 0 … size - 1, once for all indices.  `reach` says how far they
 * go on both sides of x. */
static bool check_affine(Vectorizer *v, Span span, const ElabReachCheck *reach, Lifted *x) {
    IrNode *ends[2] = {reach->low, reach->high}, *empty = reach->is_empty, *size = reach->size;
    int64_t low, high, n, offset;
    bool nothing = ir_known_i64(empty, &low) && low;
    for (uint32_t b = 0; b < v->count; b++) {
        if (!x->steps[b])
            continue;
        IrNode *last = int_op(v, OP_sub, clamped(v, v->extents[b], LIFT_SIZE_LIMIT), int_node(v, 1));
        int end = x->steps[b] > 0;
        ends[end] = int_op(v, OP_add, ends[end], int_op(v, OP_mul, last, int_node(v, x->steps[b])));
        empty = logical(v, OP_logical_or, empty, int_op(v, OP_le, v->extents[b], int_node(v, 0)));
        nothing = nothing || (ir_known_i64(v->extents[b], &n) && n <= 0);
        bool is_all = v->extents[b] == size && x->steps[b] == 1 && x->set == 1u << b;
        if (is_all && ir_const_value_i64(x->offset, &offset) && !offset &&
            ir_const_value_i64(reach->low, &low) && !low && ir_const_value_i64(reach->high, &high) && !high)
            return true; /* the whole axis */
    }
    IrNode *start = clamped(v, x->offset, LIFT_OFFSET_LIMIT);
    IrNode *first = int_op(v, OP_add, start, ends[0]), *last = int_op(v, OP_add, start, ends[1]);
    bool known = ir_known_i64(first, &low) && ir_known_i64(last, &high) && ir_known_i64(size, &n);
    if (known && !nothing && (low < 0 || high >= n)) {
        elab_fail(v->e, DIAG_E0209, span,
                  "the index runs from %lld to %lld, out of range for axis %lld with size %lld",
                  (long long)low, (long long)high, (long long)reach->axis, (long long)n);
        return false;
    }
    IrNode *fits =
        logical(v, OP_logical_and, int_op(v, OP_ge, first, int_node(v, 0)), int_op(v, OP_lt, last, size));
    const char *message = arena_format(v->e->arena, "an index over %s is out of range for axis %lld",
                                       elab_lift_names(v, x->set), (long long)reach->axis);
    IrNode *check = ir_check_true(&v->e->b, logical(v, OP_logical_or, empty, fits), x->offset, DIAG_E0302,
                                  elab_intern(v->e, message));
    x->offset = check;
    x->node = NULL;
    ElabReachCheck *record = ARENA_NEW(v->e->arena, ElabReachCheck);
    *record = (ElabReachCheck){check, ends[0], ends[1], empty, size, reach->axis, v->e->reach_checks};
    v->e->reach_checks = record;
    return true;
}

static const ElabReachCheck *find_reach(const Vectorizer *v, const IrNode *check) {
    const ElabReachCheck *record = check->op == OP_check_true ? v->e->reach_checks : NULL;
    while (record && record->check != check)
        record = record->next;
    return record;
}

/* The same for a check that an index expression in the body made. */
static bool widen_check(Vectorizer *v, const IrNode *old, const ElabReachCheck *record, Lifted *out,
                        bool *ok) {
    const Lifted *x = elab_lift(v, old->operands[1]), *parts[4];
    IrNode *const nodes[4] = {record->low, record->high, record->is_empty, record->size};
    ElabReachCheck reach = *record;
    Lifted form;
    if (v->mask || !x || !elab_lift_form(v, x, &form))
        return false;
    for (int i = 0; i < 4; i++)
        if (!(parts[i] = elab_lift(v, nodes[i])) || parts[i]->set)
            return false;
    reach.low = elab_lift_node(v, parts[0], 0);
    reach.high = elab_lift_node(v, parts[1], 0);
    reach.is_empty = elab_lift_node(v, parts[2], 0);
    reach.size = elab_lift_node(v, parts[3], 0);
    *out = form;
    *ok = check_affine(v, old->span, &reach, out);
    return true;
}

IrNode *elab_lift_masked(Vectorizer *v, IrNode *x, uint32_t set, uint64_t otherwise) {
    IrNode *dims[IR_MAX_RANK];
    uint32_t map[IR_MAX_RANK], lead = bits(set);
    elab_copy_dims(dims, x);
    for (uint32_t k = 0; k < lead; k++)
        map[k] = k;
    IrNode *taken = ir_broadcast(&v->e->b, elab_lift_node(v, v->mask, set), map, dims, ir_rank(x));
    IrNode *rest = ir_const(&v->e->b, ir_dtype(x), otherwise);
    return ir_where(&v->e->b, taken, x, ir_broadcast(&v->e->b, rest, NULL, dims, ir_rank(x)));
}

bool elab_lift_check_index(Vectorizer *v, const IrNode *old, Lifted *out) {
    const Lifted *x = elab_lift(v, old->operands[0]);
    IrNode *size = elab_lift_invariant(v, old->operands[1], "a size");
    Lifted form;
    if (!x || !size)
        return false;
    uint32_t set = x->set | (v->mask ? v->mask->set : 0);
    if (!v->mask && set && is_index_scalar(old->operands[0]) && elab_lift_form(v, x, &form)) {
        ElabReachCheck reach = {.low = int_node(v, 0), .high = int_node(v, 0), .size = size};
        reach.is_empty = ir_const_bool(&v->e->b, false);
        reach.axis = old->attributes[0];
        *out = form;
        return check_affine(v, old->span, &reach, out);
    }
    IrNode *node = elab_lift_node(v, x, set);
    if (v->mask)
        node = elab_lift_masked(v, node, set, 0);
    elab_lift_own(out, ir_check_index(&v->e->b, node, size, (uint32_t)old->attributes[0]), set);
    return true;
}

/* A condition that must hold for every index (and where the branch is taken). */
static IrNode *for_all(Vectorizer *v, const Lifted *condition) {
    uint32_t set = condition->set | (v->mask ? v->mask->set : 0), axes[IR_MAX_RANK];
    IrNode *node = elab_lift_node(v, condition, set);
    if (v->mask)
        node = elab_lift_masked(v, node, set, 1);
    for (uint32_t k = 0; k < ir_rank(node); k++)
        axes[k] = k;
    return ir_rank(node) ? ir_reduce(&v->e->b, OP_all, node, axes, ir_rank(node), DTYPE_bool, DTYPE_bool)
                         : node;
}

bool elab_lift_check(Vectorizer *v, const IrNode *old, Lifted *out) {
    const ElabReachCheck *record = find_reach(v, old);
    bool ok;
    if (record && widen_check(v, old, record, out, &ok))
        return ok;
    const Lifted *x = elab_lift(v, old->operands[0]), *y = elab_lift(v, old->operands[1]);
    IrBuilder *b = &v->e->b;
    if (!x || !y)
        return false;
    if (!v->mask && !x->set && !y->set && old->op == OP_check_equal) {
        elab_lift_own(out, ir_check_equal(b, elab_lift_node(v, x, 0), elab_lift_node(v, y, 0), old->text), 0);
        return true;
    }
    Lifted same = *x;
    const Lifted *condition = x, *value = y;
    DiagCode code = DIAG_E0301;
    if (old->op == OP_check_equal) {
        uint32_t set = x->set | y->set;
        elab_lift_own(&same, ir_binary(b, OP_eq, elab_lift_node(v, x, set), elab_lift_node(v, y, set)), set);
        condition = &same, value = x;
    } else {
        code = (DiagCode)old->attributes[0];
    }
    IrNode *holds = for_all(v, condition), *guarded = elab_lift_node(v, value, value->set);
    if (!ir_rank(guarded)) {
        elab_lift_own(out, ir_check_true(b, holds, guarded, code, old->text), 0);
        return true;
    }
    IrNode *dims[IR_MAX_RANK]; /* the check hangs on an extent */
    elab_copy_dims(dims, guarded);
    dims[0] = ir_check_true(b, holds, dims[0], code, old->text);
    elab_lift_own(out, elab_with_dims(v->e, guarded, dims, ir_rank(guarded)), value->set);
    return true;
}
