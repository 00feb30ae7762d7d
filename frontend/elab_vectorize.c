/* Vectorising: a region with scalar i64 parameters (index variables) becomes nodes that compute its result
 * for all their values at once.  A node that depends on index variables gets one axis for each, before its
 * own; the others are built once, outside. */
#include "frontend/elab_vectorize.h"

/* A value of the body.  A scalar that is an affine function of the indices has no node until one is needed.
 */
typedef struct Lifted {
    IrNode *node;
    uint32_t set; /* index variables it depends on */
    bool is_affine;
    IrNode *offset;
    int64_t steps[IR_MAX_RANK]; /* per step along the variable's range */
} Lifted;

struct Vectorizer {
    Elaborator *e;
    const IrRegion *body;
    uint32_t count;
    uint32_t old_count; /* nodes with larger ids were built here */
    Name names[IR_MAX_RANK];
    IrNode *first[IR_MAX_RANK], *extents[LABEL_COUNT];
    Lifted **map;       /* old id -> one per result */
    const Lifted *mask; /* inside a branch: where it is taken */
};

/* Steps and sizes within these bounds cannot overflow i64 when an affine index is checked. */
enum { STEP_LIMIT = 256 };
#define SIZE_LIMIT   ((int64_t)1 << 48)
#define OFFSET_LIMIT ((int64_t)1 << 61)

static const Lifted *lift(Vectorizer *v, const IrNode *old);
static bool lift_region(Vectorizer *v, const IrRegion *region);

static IrNode *int_node(Vectorizer *v, int64_t value) {
    return ir_const_i64(&v->e->b, value);
}

static IrNode *int_op(Vectorizer *v, Op op, IrNode *x, IrNode *y) {
    return ir_binary(&v->e->b, op, x, y);
}

static bool is_inside(const Vectorizer *v, const IrNode *node) {
    return node->id < v->old_count && ir_region_encloses(v->body, node->region);
}

static uint32_t bits(uint32_t set) {
    return (uint32_t)__builtin_popcount(set);
}

/* ---- layouts --------------------------------------------------------------------------------------------
 */

/* A node over the variables of `from`, over those of `to`; its own axes stay. */
static IrNode *widened(Vectorizer *v, IrNode *x, uint32_t from, uint32_t to) {
    uint32_t map[IR_MAX_RANK], rank = 0, next = 0;
    IrNode *dims[IR_MAX_RANK];
    if (from == to)
        return x;
    for (uint32_t b = 0; b < v->count; b++) {
        if (!(to >> b & 1))
            continue;
        if (from >> b & 1)
            map[next++] = rank;
        dims[rank++] = v->extents[b];
    }
    for (; next < ir_rank(x); next++) {
        map[next] = rank;
        dims[rank++] = x->types[0].dims[next];
    }
    return ir_broadcast(&v->e->b, x, map, dims, rank);
}

static IrNode *node_of(Vectorizer *v, const Lifted *x, uint32_t to) {
    Lifted *made = (Lifted *)x; /* the node is made on demand */
    if (!x->node) {
        AxisAt axis = {.offset = x->offset};
        IrNode *sum = NULL;
        for (uint32_t b = 0; b < v->count; b++) {
            if (!x->steps[b])
                continue;
            IrNode *term = widened(v, ir_iota(&v->e->b, v->extents[b]), 1u << b, x->set);
            if (x->steps[b] != 1)
                term = int_op(v, OP_mul, term, widened(v, int_node(v, x->steps[b]), 0, x->set));
            sum = sum ? int_op(v, OP_add, sum, term) : term;
        }
        int64_t offset;
        if (!ir_const_value_i64(axis.offset, &offset) || offset || !sum) {
            IrNode *start = widened(v, axis.offset, 0, x->set);
            sum = sum ? int_op(v, OP_add, sum, start) : start;
        }
        made->node = sum;
    }
    return widened(v, x->node, x->set, to);
}

static bool rank_fits(Vectorizer *v, uint32_t set, uint32_t own) {
    if (bits(set) + own <= IR_MAX_RANK)
        return true;
    elab_fail(v->e, DIAG_E0203, v->e->b.span, "a tensor has at most %d axes, index variables included",
              IR_MAX_RANK);
    return false;
}

static const char *names_of(Vectorizer *v, uint32_t set) {
    TextBuffer text = {.arena = v->e->sink->arena};
    for (uint32_t b = 0; b < v->count; b++)
        if (set >> b & 1)
            text_format(&text, "%s`%s`", text.length ? ", " : "", v->names[b] ? v->names[b]->text : "?");
    return text.text ? text.text : "an index variable";
}

/* A size or a bound: a scalar that is the same for all indices. */
static IrNode *invariant(Vectorizer *v, const IrNode *old, const char *what) {
    const Lifted *x = lift(v, old);
    if (x && x->set) {
        elab_fail(v->e, DIAG_E0203, v->e->b.span,
                  "%s depends on %s, but every element must have the same shape; read a fixed range and drop "
                  "the rest: `where(j < i, ..., 0)`",
                  what, names_of(v, x->set));
        return NULL;
    }
    return x ? node_of(v, x, 0) : NULL;
}

static bool lift_dims(Vectorizer *v, IrNode *const *old, uint32_t rank, IrNode **dims) {
    for (uint32_t k = 0; k < rank; k++)
        if (!(dims[k] = invariant(v, old[k], "a size")))
            return false;
    return true;
}

static void own(Lifted *out, IrNode *node, uint32_t set) {
    *out = (Lifted){.node = node, .set = set};
}

/* ---- affine scalars -------------------------------------------------------------------------------------
 */

static bool is_index_scalar(const IrNode *old) {
    return ir_is_scalar(old) && ir_dtype(old) == DTYPE_i64;
}

/* The affine form of a scalar; false where it has none. */
static bool affine(Vectorizer *v, const Lifted *x, Lifted *out) {
    if (x->is_affine) {
        *out = *x;
        return true;
    }
    *out = (Lifted){.is_affine = true, .offset = x->node};
    (void)v;
    return x->set == 0;
}

static bool scale(const Lifted *x, int64_t factor, Lifted *out) {
    for (uint32_t b = 0; b < IR_MAX_RANK; b++) {
        int64_t step;
        if (__builtin_mul_overflow(x->steps[b], factor, &step) || step > STEP_LIMIT || step < -STEP_LIMIT)
            return false;
        out->steps[b] = step;
    }
    return true;
}

static void find_set(Lifted *x) {
    x->set = 0;
    x->node = NULL;
    for (uint32_t b = 0; b < IR_MAX_RANK; b++)
        x->set |= x->steps[b] ? 1u << b : 0;
}

static bool lift_affine(Vectorizer *v, const IrNode *old, const Lifted *const *operands, Lifted *out) {
    Lifted x, y = {0};
    int64_t factor;
    if (!is_index_scalar(old->operands[0]) || !affine(v, operands[0], &x) ||
        (old->operand_count > 1 && !affine(v, operands[1], &y)))
        return false;
    *out = x;
    switch (old->op) {
    case OP_cast:
        return true;
    case OP_neg:
        if (!scale(&x, -1, out))
            return false;
        out->offset = ir_unary(&v->e->b, OP_neg, x.offset);
        break;
    case OP_sub:
    case OP_add:
        for (uint32_t b = 0; b < IR_MAX_RANK; b++) {
            out->steps[b] = old->op == OP_add ? x.steps[b] + y.steps[b] : x.steps[b] - y.steps[b];
            if (out->steps[b] > STEP_LIMIT || out->steps[b] < -STEP_LIMIT)
                return false;
        }
        out->offset = int_op(v, old->op, x.offset, y.offset);
        break;
    case OP_mul: {
        bool left = x.set == 0 && ir_const_value_i64(x.offset, &factor);
        if (!left && !(y.set == 0 && ir_const_value_i64(y.offset, &factor)))
            return false;
        if (!scale(left ? &y : &x, factor, out))
            return false;
        out->offset = int_op(v, OP_mul, x.offset, y.offset);
        break;
    }
    default:
        return false;
    }
    find_set(out);
    return true;
}

/* ---- elementwise ops and others that only need equal leading axes ----------------------------------------
 */

static IrNode *rebuilt(Vectorizer *v, const IrNode *old, IrNode **operands, uint32_t rank, IrNode **dims) {
    IrType type = {.kind = IR_TENSOR, .dtype = ir_dtype(old), .rank = rank, .dims = dims};
    return ir_build(&v->e->b, &(IrNodeSpec){.op = old->op,
                                            .operands = operands,
                                            .operand_count = old->operand_count,
                                            .attributes = old->attributes,
                                            .attribute_count = old->attribute_count,
                                            .types = &type,
                                            .result_count = 1,
                                            .text = old->text});
}

static bool lift_operands(Vectorizer *v, const IrNode *old, const Lifted **operands, uint32_t *set) {
    *set = 0;
    for (uint32_t k = 0; k < old->operand_count; k++) {
        if (!(operands[k] = lift(v, old->operands[k])))
            return false;
        *set |= operands[k]->set;
    }
    return true;
}

static bool lift_elementwise(Vectorizer *v, const IrNode *old, Lifted *out) {
    const Lifted *operands[3];
    IrNode *nodes[3], *dims[IR_MAX_RANK];
    uint32_t set;
    if (!lift_operands(v, old, operands, &set) || !rank_fits(v, set, ir_rank(old)))
        return false;
    if (set && is_index_scalar(old) && lift_affine(v, old, operands, out))
        return true;
    for (uint32_t k = 0; k < old->operand_count; k++)
        nodes[k] = node_of(v, operands[k], set);
    elab_copy_dims(dims, nodes[0]);
    own(out, rebuilt(v, old, nodes, ir_rank(nodes[0]), dims), set);
    return true;
}

/* ---- views -----------------------------------------------------------------------------------------------
 */

static bool lift_permute(Vectorizer *v, const IrNode *old, Lifted *out) {
    const Lifted *x = lift(v, old->operands[0]);
    uint32_t permutation[IR_MAX_RANK], lead;
    if (!x)
        return false;
    lead = bits(x->set);
    for (uint32_t k = 0; k < lead; k++)
        permutation[k] = k;
    for (uint32_t k = 0; k < ir_rank(old); k++)
        permutation[lead + k] = lead + (uint32_t)old->attributes[k];
    own(out, elab_permuted(v->e, node_of(v, x, x->set), permutation), x->set);
    return true;
}

static uint32_t lead_extents(Vectorizer *v, uint32_t set, IrNode **dims) {
    uint32_t lead = 0;
    for (uint32_t b = 0; b < v->count; b++)
        if (set >> b & 1)
            dims[lead++] = v->extents[b];
    return lead;
}

static bool lift_broadcast(Vectorizer *v, const IrNode *old, Lifted *out) {
    const Lifted *x = lift(v, old->operands[0]);
    IrNode *dims[IR_MAX_RANK];
    uint32_t map[IR_MAX_RANK], lead;
    if (!x || !rank_fits(v, x->set, ir_rank(old)))
        return false;
    lead = lead_extents(v, x->set, dims);
    if (!lift_dims(v, old->operands + 1, ir_rank(old), dims + lead))
        return false;
    IrNode *node = node_of(v, x, x->set);
    if (old->op == OP_reshape) {
        own(out, ir_reshape(&v->e->b, node, dims, lead + ir_rank(old)), x->set);
        return true;
    }
    for (uint32_t k = 0; k < lead; k++)
        map[k] = k;
    for (uint32_t k = 0; k < ir_rank(old->operands[0]); k++)
        map[lead + k] = lead + (uint32_t)old->attributes[k];
    own(out, ir_broadcast(&v->e->b, node, map, dims, lead + ir_rank(old)), x->set);
    return true;
}

/* Starts reading x: its index variables are read along themselves.  Returns how many they are. */
static uint32_t read_lead(Vectorizer *v, const Lifted *x, AxisAt *axes) {
    uint32_t lead = 0;
    for (uint32_t b = 0; b < v->count; b++)
        if (x->set >> b & 1) {
            axes[lead] = (AxisAt){.offset = int_node(v, 0)};
            elab_axis_term(&axes[lead++], b, int_node(v, 1));
        }
    return lead;
}

/* Where a scalar position is read, at `step` along an own label too unless it is NULL. */
static AxisAt axis_at(Vectorizer *v, const Lifted *start, uint32_t label, IrNode *step) {
    Lifted form;
    AxisAt axis = {0};
    if (affine(v, start, &form)) {
        axis.offset = form.offset;
        for (uint32_t b = 0; b < v->count; b++)
            if (form.steps[b])
                elab_axis_term(&axis, b, int_node(v, form.steps[b]));
        if (step)
            elab_axis_term(&axis, label, step);
        return axis;
    }
    IrBuilder *b = &v->e->b;
    axis.set = start->set;
    axis.tensor = node_of(v, start, start->set);
    if (step) {
        uint32_t rank = ir_rank(axis.tensor), map[IR_MAX_RANK];
        IrNode *dims[IR_MAX_RANK];
        elab_copy_dims(dims, axis.tensor);
        dims[rank] = v->extents[label];
        for (uint32_t k = 0; k < rank; k++)
            map[k] = k;
        IrNode *along = ir_iota(b, dims[rank]);
        along = int_op(v, OP_mul, along, ir_broadcast(b, step, NULL, &dims[rank], 1));
        IrNode *starts = ir_broadcast(b, axis.tensor, map, dims, rank + 1);
        axis.tensor = int_op(v, OP_add, starts, ir_broadcast(b, along, &rank, dims, rank + 1));
        axis.set |= 1u << label;
    }
    return axis;
}

static bool finish_view(Vectorizer *v, IrNode *x, AxisAt *axes, uint32_t rank, Lifted *out) {
    uint32_t set = 0;
    for (uint32_t k = 0; k < rank; k++)
        set |= axes[k].set;
    IrNode *node = elab_view_at(v->e, x, axes, v->extents);
    if (!node)
        return rank_fits(v, set, IR_MAX_RANK);
    own(out, node, set & ((1u << OWN_LABEL) - 1));
    return true;
}

/* Lifts every operand, so that lifting one later on cannot disturb v->extents. */
static bool lift_all(Vectorizer *v, const IrNode *old) {
    for (uint32_t k = 0; k < old->operand_count; k++)
        if (!lift(v, old->operands[k]))
            return false;
    return true;
}

static bool lift_slice(Vectorizer *v, const IrNode *old, Lifted *out) {
    const IrNode *base = old->operands[0];
    AxisAt axes[IR_MAX_RANK] = {0};
    uint32_t lead, dropped = 0, label = OWN_LABEL;
    if (!lift_all(v, old))
        return false;
    const Lifted *x = lift(v, base);
    lead = read_lead(v, x, axes);
    for (uint32_t k = 0; k < ir_rank(base); k++) {
        const Lifted *start = lift(v, old->operands[1 + 3 * k]);
        IrNode *step = NULL;
        if (!start)
            return false;
        if (dropped < old->attribute_count && old->attributes[dropped] == k) {
            dropped++;
        } else {
            v->extents[label] = invariant(v, old->operands[2 + 3 * k], "a length here");
            step = invariant(v, old->operands[3 + 3 * k], "the step of a slice");
            if (!v->extents[label] || !step)
                return false;
        }
        if (!rank_fits(v, start->set, step != NULL))
            return false;
        axes[lead + k] = axis_at(v, start, label, step);
        label += step != NULL;
    }
    return finish_view(v, node_of(v, x, x->set), axes, lead + ir_rank(base), out);
}

static bool lift_window(Vectorizer *v, const IrNode *old, Lifted *out) {
    const IrNode *base = old->operands[0];
    AxisAt axes[IR_MAX_RANK] = {0};
    const Lifted *x = lift_all(v, old) ? lift(v, base) : NULL;
    if (!x || !lift_dims(v, old->operands + 1, ir_rank(old), v->extents + OWN_LABEL))
        return false;
    uint32_t lead = read_lead(v, x, axes);
    for (uint32_t k = 0; k < ir_rank(base); k++) {
        const Lifted *start = lift(v, ir_window_offset(old, k));
        Lifted form;
        if (!start)
            return false;
        if (!affine(v, start, &form)) {
            elab_unsupported(v->e, old->span, "an affine subscript of a subscripted index");
            return false;
        }
        axes[lead + k] = axis_at(v, start, 0, NULL);
    }
    for (uint32_t i = 0; i < old->attribute_count / 2; i++) {
        IrWindowTerm term = ir_window_term(old, i);
        IrNode *step = invariant(v, term.step, "a step");
        if (!step)
            return false;
        elab_axis_term(&axes[lead + term.axis], OWN_LABEL + term.result_axis, step);
    }
    /* Result axes that nothing reads repeat: rare enough to be left out of the view above. */
    uint32_t used = 0;
    for (uint32_t k = 0; k < ir_rank(base); k++)
        used |= axes[lead + k].set >> OWN_LABEL;
    if (used != (1u << ir_rank(old)) - 1) {
        elab_unsupported(v->e, old->span, "this view in an index expression");
        return false;
    }
    return finish_view(v, node_of(v, x, x->set), axes, lead + ir_rank(base), out);
}

static bool lift_gather(Vectorizer *v, const IrNode *old, Lifted *out) {
    const IrNode *base = old->operands[0], *indices = old->operands[1];
    const Lifted *x = lift(v, base), *at = lift(v, indices);
    AxisAt axes[IR_MAX_RANK] = {0};
    uint32_t axis = (uint32_t)old->attributes[0], label = OWN_LABEL;
    if (!x || !at)
        return false;
    uint32_t lead = read_lead(v, x, axes), first = bits(at->set);
    for (uint32_t k = 0; k < ir_rank(base); k++) {
        AxisAt *to = &axes[lead + k];
        if (k != axis) {
            v->extents[label] = node_of(v, x, x->set)->types[0].dims[lead + k];
            to->offset = int_node(v, 0);
            elab_axis_term(to, label++, int_node(v, 1));
            continue;
        }
        to->tensor = node_of(v, at, at->set);
        to->set = at->set;
        for (uint32_t i = 0; i < ir_rank(indices); i++) {
            v->extents[label] = to->tensor->types[0].dims[first + i];
            to->set |= 1u << label++;
        }
        if (!ir_rank(indices) && !at->set) { /* one position for all */
            to->offset = to->tensor;
            to->tensor = NULL;
        }
    }
    return finish_view(v, node_of(v, x, x->set), axes, lead + ir_rank(base), out);
}

/* ---- reductions and calls ---------------------------------------------------------------------------------
 */

static bool lift_reduce(Vectorizer *v, const IrNode *old, Lifted *out) {
    const Lifted *x = lift(v, old->operands[0]);
    uint32_t axes[IR_MAX_RANK], count = old->attribute_count - 1;
    if (!x)
        return false;
    Dtype accumulator = (Dtype)old->attributes[0], dtype = ir_dtype(old->operands[0]);
    IrNode *node = node_of(v, x, x->set), *made = NULL;
    for (uint32_t i = 0; i < count; i++)
        axes[i] = bits(x->set) + (uint32_t)old->attributes[1 + i];
    bool outermost = v->e->index_depth == 0;
    if (outermost && old->op == OP_sum && accumulator == dtype_info[dtype].compute && dtype == ir_dtype(old))
        made = elab_contract(v->e, node, axes, count);
    if (!made && outermost)
        made = elab_reduce_in_order(v->e, old->op, node, axes, count, accumulator, ir_dtype(old));
    if (!made)
        made = ir_reduce(&v->e->b, old->op, node, axes, count, accumulator, ir_dtype(old));
    own(out, made, x->set);
    return true;
}

/* x @ w with rows x[i]: the index variables become rows of one product. */
static IrNode *rows_times(Vectorizer *v, IrNode *x, IrNode *w, uint32_t lead) {
    IrBuilder *b = &v->e->b;
    IrNode *dims[IR_MAX_RANK], *flat[2];
    uint32_t rank = ir_rank(x);
    elab_copy_dims(dims, x);
    flat[0] = int_node(v, 1);
    for (uint32_t k = 0; k + 1 < rank; k++)
        flat[0] = int_op(v, OP_mul, flat[0], dims[k]);
    flat[1] = dims[rank - 1];
    (void)lead;
    IrNode *product = ir_matmul(b, ir_reshape(b, x, flat, 2), w);
    dims[rank - 1] = product->types[0].dims[1];
    return ir_reshape(b, product, dims, rank);
}

static bool lift_call(Vectorizer *v, const IrNode *old, Lifted *out) {
    const Lifted *operands[2];
    IrNode *nodes[2] = {NULL, NULL};
    uint32_t set;
    IrBuilder *b = &v->e->b;
    if (!lift_operands(v, old, operands, &set) || !rank_fits(v, set, ir_rank(old)))
        return false;
    bool rows = old->op == OP_matmul && ir_rank(old) == 2 && operands[0]->set == set && !operands[1]->set;
    for (uint32_t k = 0; k < old->operand_count; k++)
        nodes[k] = node_of(v, operands[k], rows && k == 1 ? 0 : set);
    if (rows)
        own(out, rows_times(v, nodes[0], nodes[1], bits(set)), set);
    else if (old->op == OP_matmul)
        own(out, ir_matmul(b, nodes[0], nodes[1]), set);
    else if (old->op == OP_solve)
        own(out, ir_solve(b, nodes[0], nodes[1]), set);
    else
        own(out, ir_cholesky(b, nodes[0]), set);
    return true;
}

static bool lift_concat(Vectorizer *v, const IrNode *old, Lifted *out) {
    const Lifted **operands = ARENA_ARRAY(v->e->arena, const Lifted *, old->operand_count);
    IrNode **nodes = ARENA_ARRAY(v->e->arena, IrNode *, old->operand_count);
    uint32_t set;
    if (!lift_operands(v, old, operands, &set) || !rank_fits(v, set, ir_rank(old)))
        return false;
    for (uint32_t k = 0; k < old->operand_count; k++)
        nodes[k] = node_of(v, operands[k], set);
    own(out, ir_concat(&v->e->b, nodes, old->operand_count, bits(set) + (uint32_t)old->attributes[0]), set);
    return true;
}

/* ---- checks -----------------------------------------------------------------------------------------------
 */

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
        IrNode *last = int_op(v, OP_sub, clamped(v, v->extents[b], SIZE_LIMIT), int_node(v, 1));
        int end = x->steps[b] > 0;
        ends[end] = int_op(v, OP_add, ends[end], int_op(v, OP_mul, last, int_node(v, x->steps[b])));
        empty = logical(v, OP_logical_or, empty, int_op(v, OP_le, v->extents[b], int_node(v, 0)));
        nothing = nothing || (ir_known_i64(v->extents[b], &n) && n <= 0);
        bool is_all = v->extents[b] == size && x->steps[b] == 1 && x->set == 1u << b;
        if (is_all && ir_const_value_i64(x->offset, &offset) && !offset &&
            ir_const_value_i64(reach->low, &low) && !low && ir_const_value_i64(reach->high, &high) && !high)
            return true; /* the whole axis */
    }
    IrNode *start = clamped(v, x->offset, OFFSET_LIMIT);
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
                                       names_of(v, x->set), (long long)reach->axis);
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
    const Lifted *x = lift(v, old->operands[1]), *parts[4];
    IrNode *const nodes[4] = {record->low, record->high, record->is_empty, record->size};
    ElabReachCheck reach = *record;
    Lifted form;
    if (v->mask || !x || !affine(v, x, &form))
        return false;
    for (int i = 0; i < 4; i++)
        if (!(parts[i] = lift(v, nodes[i])) || parts[i]->set)
            return false;
    reach.low = node_of(v, parts[0], 0);
    reach.high = node_of(v, parts[1], 0);
    reach.is_empty = node_of(v, parts[2], 0);
    reach.size = node_of(v, parts[3], 0);
    *out = form;
    *ok = check_affine(v, old->span, &reach, out);
    return true;
}

static IrNode *masked(Vectorizer *v, IrNode *x, uint32_t set, uint32_t rank, uint64_t otherwise) {
    IrNode *dims[IR_MAX_RANK];
    uint32_t map[IR_MAX_RANK], lead = bits(set);
    elab_copy_dims(dims, x);
    for (uint32_t k = 0; k < lead; k++)
        map[k] = k;
    (void)rank;
    IrNode *taken = ir_broadcast(&v->e->b, node_of(v, v->mask, set), map, dims, ir_rank(x));
    IrNode *rest = ir_const(&v->e->b, ir_dtype(x), otherwise);
    return ir_where(&v->e->b, taken, x, ir_broadcast(&v->e->b, rest, NULL, dims, ir_rank(x)));
}

static bool lift_check_index(Vectorizer *v, const IrNode *old, Lifted *out) {
    const Lifted *x = lift(v, old->operands[0]);
    IrNode *size = invariant(v, old->operands[1], "a size");
    Lifted form;
    if (!x || !size)
        return false;
    uint32_t set = x->set | (v->mask ? v->mask->set : 0);
    if (!v->mask && set && is_index_scalar(old->operands[0]) && affine(v, x, &form)) {
        ElabReachCheck reach = {.low = int_node(v, 0), .high = int_node(v, 0), .size = size};
        reach.is_empty = ir_const_bool(&v->e->b, false);
        reach.axis = old->attributes[0];
        *out = form;
        return check_affine(v, old->span, &reach, out);
    }
    IrNode *node = node_of(v, x, set);
    if (v->mask)
        node = masked(v, node, set, ir_rank(old), 0);
    own(out, ir_check_index(&v->e->b, node, size, (uint32_t)old->attributes[0]), set);
    return true;
}

/* A condition that must hold for every index (and where the branch is taken). */
static IrNode *for_all(Vectorizer *v, const Lifted *condition) {
    uint32_t set = condition->set | (v->mask ? v->mask->set : 0), axes[IR_MAX_RANK];
    IrNode *node = node_of(v, condition, set);
    if (v->mask)
        node = masked(v, node, set, 0, 1);
    for (uint32_t k = 0; k < ir_rank(node); k++)
        axes[k] = k;
    return ir_rank(node) ? ir_reduce(&v->e->b, OP_all, node, axes, ir_rank(node), DTYPE_bool, DTYPE_bool)
                         : node;
}

static bool lift_check(Vectorizer *v, const IrNode *old, Lifted *out) {
    const ElabReachCheck *record = find_reach(v, old);
    bool ok;
    if (record && widen_check(v, old, record, out, &ok))
        return ok;
    const Lifted *x = lift(v, old->operands[0]), *y = lift(v, old->operands[1]);
    IrBuilder *b = &v->e->b;
    if (!x || !y)
        return false;
    if (!v->mask && !x->set && !y->set && old->op == OP_check_equal) {
        own(out, ir_check_equal(b, node_of(v, x, 0), node_of(v, y, 0), old->text), 0);
        return true;
    }
    Lifted same = *x;
    const Lifted *condition = x, *value = y;
    DiagCode code = DIAG_E0301;
    if (old->op == OP_check_equal) {
        uint32_t set = x->set | y->set;
        own(&same, ir_binary(b, OP_eq, node_of(v, x, set), node_of(v, y, set)), set);
        condition = &same, value = x;
    } else {
        code = (DiagCode)old->attributes[0];
    }
    IrNode *holds = for_all(v, condition), *guarded = node_of(v, value, value->set);
    if (!ir_rank(guarded)) {
        own(out, ir_check_true(b, holds, guarded, code, old->text), 0);
        return true;
    }
    IrNode *dims[IR_MAX_RANK]; /* the check hangs on an extent */
    elab_copy_dims(dims, guarded);
    dims[0] = ir_check_true(b, holds, dims[0], code, old->text);
    own(out, elab_with_dims(v->e, guarded, dims, ir_rank(guarded)), value->set);
    return true;
}

/* ---- control
 * ------------------------------------------------------------------------------------------------ */

/* The results of a nested region over all of `set`, in the region that is being built. */
static bool lift_results(Vectorizer *v, const IrRegion *region, uint32_t set, IrNode **nodes) {
    if (!lift_region(v, region))
        return false;
    for (uint32_t i = 0; i < region->results.count; i++) {
        const Lifted *x = lift(v, region->results.items[i]);
        if (!x || !rank_fits(v, set, ir_rank(region->results.items[i])))
            return false;
        if (x->set & ~set)
            return invariant(v, region->results.items[i], "a size") != NULL; /* reports */
        nodes[i] = node_of(v, x, set);
    }
    return true;
}

static uint32_t all_variables(const Vectorizer *v) {
    return v->count == 32 ? UINT32_MAX : (1u << v->count) - 1;
}

/* A scalar integer result of a branch may be a size: it stays a scalar where nothing depends on an index. */
static bool lift_select(Vectorizer *v, const IrNode *old, const Lifted *condition, Lifted *out) {
    const Lifted *outer = v->mask;
    Lifted masks[2];
    uint32_t set = condition->set | (outer ? outer->set : 0);
    IrBuilder *b = &v->e->b;
    IrNode *yes = node_of(v, condition, set);
    own(&masks[0], yes, set);
    own(&masks[1], ir_unary(b, OP_logical_not, yes), set);
    for (int side = 0; side < 2; side++) {
        if (outer)
            masks[side].node = ir_binary(b, OP_logical_and, masks[side].node, node_of(v, outer, set));
        v->mask = &masks[side];
        bool ok = lift_region(v, old->regions[side]);
        v->mask = outer;
        if (!ok)
            return false;
    }
    for (uint32_t i = 0; i < old->result_count; i++) {
        const IrNode *results[2] = {old->regions[0]->results.items[i], old->regions[1]->results.items[i]};
        const Lifted *x = lift(v, results[0]), *y = lift(v, results[1]);
        if (!x || !y)
            return false;
        uint32_t all = condition->set | x->set | y->set, map[IR_MAX_RANK];
        if (!rank_fits(v, all, ir_rank(results[0])))
            return false;
        IrNode *nodes[2] = {node_of(v, x, all), node_of(v, y, all)}, *dims[IR_MAX_RANK];
        for (uint32_t k = 0; k < ir_rank(nodes[0]); k++) {
            map[k] = k;
            dims[k] = elab_same_extent(v->e, nodes[0]->types[0].dims[k], nodes[1]->types[0].dims[k],
                                       "the branches of an `if` in an index expression differ in shape");
            if (!dims[k]) {
                elab_fail(v->e, DIAG_E0203, old->span,
                          "the branches of this `if` depend on %s and differ in shape",
                          names_of(v, condition->set));
                return false;
            }
        }
        IrNode *taken = ir_broadcast(b, node_of(v, condition, all), map, dims, ir_rank(nodes[0]));
        own(&out[i],
            ir_where(b, taken, elab_with_dims(v->e, nodes[0], dims, ir_rank(nodes[0])),
                     elab_with_dims(v->e, nodes[1], dims, ir_rank(nodes[0]))),
            all);
    }
    return true;
}

static IrRegion *enter(Vectorizer *v) {
    v->e->b.region = ir_region_new(v->e->b.function, v->e->b.region);
    return v->e->b.region;
}

static bool lift_if(Vectorizer *v, const IrNode *old, Lifted *out) {
    const Lifted *condition = lift(v, old->operands[0]);
    IrRegion *regions[2], *outer = v->e->b.region;
    if (!condition)
        return false;
    if (condition->set)
        return lift_select(v, old, condition, out);
    uint32_t set = all_variables(v), count = old->result_count;
    IrNode *test = node_of(v, condition, 0), **nodes = ARENA_ARRAY(v->e->arena, IrNode *, count);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < old->types[i].rank; k++)
            if (old->types[i].dims[k]->op == OP_result && old->types[i].dims[k]->operands[0] == old) {
                elab_unsupported(v->e, old->span,
                                 "an `if` whose branches differ in shape, in an index expression");
                return false;
            }
    for (int side = 0; side < 2; side++) {
        regions[side] = enter(v);
        bool ok = lift_results(v, old->regions[side], set, nodes);
        if (ok)
            ir_set_results(&v->e->b, nodes, count);
        v->e->b.region = outer;
        if (!ok)
            return false;
    }
    IrNode *made = ir_if(&v->e->b, test, regions[0], regions[1]);
    for (uint32_t i = 0; i < count; i++)
        own(&out[i], ir_result(&v->e->b, made, i), set);
    return true;
}

static bool loop_body(Vectorizer *v, const IrNode *old, uint32_t counters, IrNode *const *initial,
                      uint32_t count) {
    const IrRegion *body = old->regions[0];
    IrNode **nodes = ARENA_ARRAY(v->e->arena, IrNode *, count);
    uint32_t set = all_variables(v);
    for (uint32_t i = 0; i < body->parameters.count; i++) {
        const IrNode *parameter = body->parameters.items[i];
        const IrType *type = i < counters ? ir_type(parameter) : ir_type(initial[i - counters]);
        Lifted *x = v->map[parameter->id] = ARENA_NEW(v->e->arena, Lifted);
        IrNode *node =
            ir_parameter(&v->e->b, NULL, type->dtype, type->rank, type->rank ? type->dims : NULL, NULL);
        own(x, node, i < counters ? 0 : set);
    }
    if (!lift_results(v, body, set, nodes))
        return false;
    for (uint32_t i = 0; i < count; i++)
        nodes[i] = elab_with_dims(v->e, nodes[i], initial[i]->types[0].dims, ir_rank(initial[i]));
    ir_set_results(&v->e->b, nodes, count);
    return true;
}

static bool lift_for(Vectorizer *v, const IrNode *old, Lifted *out) {
    uint32_t count = old->operand_count - 2, set = all_variables(v);
    IrNode **initial = ARENA_ARRAY(v->e->arena, IrNode *, count);
    IrNode *begin = invariant(v, old->operands[0], "the range of a loop");
    IrNode *end = begin ? invariant(v, old->operands[1], "the range of a loop") : NULL;
    if (!end)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const Lifted *x = lift(v, old->operands[2 + i]);
        if (!x || !rank_fits(v, set, ir_rank(old->operands[2 + i])))
            return false;
        initial[i] = node_of(v, x, set);
    }
    IrRegion *outer = v->e->b.region, *body = enter(v);
    bool ok = loop_body(v, old, 1, initial, count);
    v->e->b.region = outer;
    if (!ok)
        return false;
    IrNode *made = ir_for(&v->e->b, begin, end, initial, count, body);
    for (uint32_t i = 0; i < count; i++)
        own(&out[i], ir_result(&v->e->b, made, i), set);
    return true;
}

/* ---- the walk
 * ----------------------------------------------------------------------------------------------- */

static bool lift_op(Vectorizer *v, const IrNode *old, Lifted *out) {
    IrBuilder *b = &v->e->b;
    if (op_is_elementwise(old->op) || old->op == OP_cast)
        return lift_elementwise(v, old, out);
    if (op_is_reduction(old->op))
        return lift_reduce(v, old, out);
    switch (old->op) {
    case OP_const:
        own(out, ir_const(b, ir_dtype(old), (uint64_t)old->attributes[0]), 0);
        return true;
    case OP_iota: {
        IrNode *extent = invariant(v, old->operands[0], "a size");
        own(out, extent ? ir_iota(b, extent) : NULL, 0);
        return extent != NULL;
    }
    case OP_permute:
        return lift_permute(v, old, out);
    case OP_broadcast:
    case OP_reshape:
        return lift_broadcast(v, old, out);
    case OP_slice:
        return lift_slice(v, old, out);
    case OP_window:
        return lift_window(v, old, out);
    case OP_gather:
        return lift_gather(v, old, out);
    case OP_matmul:
    case OP_solve:
    case OP_cholesky:
        return lift_call(v, old, out);
    case OP_concat:
        return lift_concat(v, old, out);
    case OP_check_index:
        return lift_check_index(v, old, out);
    case OP_check_equal:
    case OP_check_true:
        return lift_check(v, old, out);
    case OP_if:
        return lift_if(v, old, out);
    case OP_for:
        return lift_for(v, old, out);
    default:
        elab_unsupported(v->e, old->span,
                         arena_format(v->e->arena, "`%s` in an index expression", op_name(old->op)));
        return false;
    }
}

static const Lifted *lift(Vectorizer *v, const IrNode *old) {
    if (!is_inside(v, old)) {
        Lifted *made = ARENA_NEW(v->e->arena, Lifted);
        own(made, (IrNode *)old, 0);
        return made;
    }
    if (v->map[old->id])
        return v->map[old->id];
    if (old->op == OP_param && old->region == v->body) {
        uint32_t b = (uint32_t)old->attributes[0];
        Lifted *made = ARENA_NEW(v->e->arena, Lifted);
        *made = (Lifted){.set = 1u << b, .is_affine = true, .offset = v->first[b]};
        made->steps[b] = 1;
        if (!v->extents[b]) {
            elab_fail(v->e, DIAG_E0209, v->e->b.span, "a range depends on the index variable `%s`",
                      v->names[b] ? v->names[b]->text : "?");
            return NULL;
        }
        return v->map[old->id] = made;
    }
    if (old->op == OP_result) {
        const Lifted *all = lift(v, old->operands[0]);
        return all ? v->map[old->id] = (Lifted *)all + old->attributes[0] : NULL;
    }
    Lifted *made = ARENA_ARRAY(v->e->arena, Lifted, old->result_count ? old->result_count : 1);
    Span saved = v->e->b.span;
    v->e->b.span = old->span;
    bool ok = lift_op(v, old, made);
    v->e->b.span = saved;
    return ok ? v->map[old->id] = made : NULL;
}

static void mark(bool *live, const IrNode *node) {
    live[node->id] = true;
}

/* What the results need; operands come before users, so one sweep from the end finds all. */
static void mark_region(const Vectorizer *v, bool *live, const IrRegion *region) {
    for (uint32_t i = 0; i < region->results.count; i++)
        mark(live, region->results.items[i]);
    for (uint32_t i = region->nodes.count; i-- > 0;) {
        const IrNode *node = region->nodes.items[i];
        if (!live[node->id])
            continue;
        for (uint32_t k = 0; k < node->region_count; k++)
            mark_region(v, live, node->regions[k]);
        for (uint32_t k = 0; k < node->operand_count; k++)
            mark(live, node->operands[k]);
    }
}

/* In program order, so that `lift` does not recurse deeply. */
static bool lift_region(Vectorizer *v, const IrRegion *region) {
    bool *live = ARENA_ARRAY(v->e->arena, bool, v->old_count);
    mark_region(v, live, region);
    for (uint32_t i = 0; i < region->nodes.count; i++) {
        const IrNode *node = region->nodes.items[i];
        if (node->id < v->old_count && live[node->id] && !lift(v, node))
            return false;
    }
    return true;
}

Vectorizer *elab_vectorizer(Elaborator *e, const IrRegion *body) {
    Vectorizer *v = ARENA_NEW(e->arena, Vectorizer);
    v->e = e;
    v->body = body;
    v->count = body->parameters.count;
    v->old_count = body->function->node_count;
    v->map = ARENA_ARRAY(e->arena, Lifted *, v->old_count);
    return v;
}

IrNode *elab_invariant(Vectorizer *v, const IrNode *node, Span span, const char *what) {
    elab_at(v->e, span);
    return invariant(v, node, what);
}

void elab_vectorizer_range(Vectorizer *v, uint32_t b, Name name, IrNode *first, IrNode *extent) {
    v->names[b] = name;
    v->first[b] = first;
    v->extents[b] = extent;
}

bool elab_vectorize(Vectorizer *v, const IrNode *result, Vectorized *out) {
    IrRegion *region = (IrRegion *)v->body;
    vec_push(v->e->arena, &region->results, (IrNode *)result);
    const Lifted *x = lift_region(v, region) ? lift(v, result) : NULL;
    if (!x)
        return false;
    *out = (Vectorized){node_of(v, x, x->set), x->set};
    return true;
}

IrNode *elab_over_all(Vectorizer *v, Vectorized x) {
    return rank_fits(v, all_variables(v), ir_rank(x.node) - bits(x.set))
               ? widened(v, x.node, x.set, all_variables(v))
               : NULL;
}
