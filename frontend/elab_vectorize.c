/* Vectorising: a region with scalar i64 parameters (index variables) becomes nodes that compute its result
 * for all their values at once.  A node that depends on index variables gets one axis for each, before its
 * own; the others are built once, outside. */
#include "frontend/elab_lift.h"

bool elab_lift_is_inside(const Vectorizer *v, const IrNode *node) {
    return node->id < v->old_count && ir_region_encloses(v->body, node->region);
}

/* ---- layouts ---- */

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

IrNode *elab_lift_node(Vectorizer *v, const Lifted *x, uint32_t to) {
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

bool elab_lift_rank_fits(Vectorizer *v, uint32_t set, uint32_t own) {
    if (bits(set) + own <= IR_MAX_RANK)
        return true;
    elab_fail(v->e, DIAG_E0203, v->e->b.span, "a tensor has at most %d axes, index variables included",
              IR_MAX_RANK);
    return false;
}

const char *elab_lift_names(Vectorizer *v, uint32_t set) {
    TextBuffer text = {.arena = v->e->sink->arena};
    for (uint32_t b = 0; b < v->count; b++)
        if (set >> b & 1)
            text_format(&text, "%s`%s`", text.length ? ", " : "", v->names[b] ? v->names[b]->text : "?");
    return text.text ? text.text : "an index variable";
}

/* A size or a bound: a scalar that is the same for all indices. */
IrNode *elab_lift_invariant(Vectorizer *v, const IrNode *old, const char *what) {
    const Lifted *x = elab_lift(v, old);
    if (x && x->set) {
        elab_fail(v->e, DIAG_E0203, v->e->b.span,
                  "%s depends on %s, but every element must have the same shape; read a fixed range and drop "
                  "the rest: `where(j < i, ..., 0)`",
                  what, elab_lift_names(v, x->set));
        return NULL;
    }
    return x ? elab_lift_node(v, x, 0) : NULL;
}

static bool lift_dims(Vectorizer *v, IrNode *const *old, uint32_t rank, IrNode **dims) {
    for (uint32_t k = 0; k < rank; k++)
        if (!(dims[k] = elab_lift_invariant(v, old[k], "a size")))
            return false;
    return true;
}

void elab_lift_own(Lifted *out, IrNode *node, uint32_t set) {
    *out = (Lifted){.node = node, .set = set};
}

/* ---- affine scalars ---- */

/* The affine form of a scalar; false where it has none. */
bool elab_lift_form(Vectorizer *v, const Lifted *x, Lifted *out) {
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
        if (__builtin_mul_overflow(x->steps[b], factor, &step) || step > LIFT_STEP_LIMIT ||
            step < -LIFT_STEP_LIMIT)
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
    if (!is_index_scalar(old->operands[0]) || !elab_lift_form(v, operands[0], &x) ||
        (old->operand_count > 1 && !elab_lift_form(v, operands[1], &y)))
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
            if (out->steps[b] > LIFT_STEP_LIMIT || out->steps[b] < -LIFT_STEP_LIMIT)
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

/* ---- elementwise ops and others that only need equal leading axes ---- */

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
        if (!(operands[k] = elab_lift(v, old->operands[k])))
            return false;
        *set |= operands[k]->set;
    }
    return true;
}

static bool lift_elementwise(Vectorizer *v, const IrNode *old, Lifted *out) {
    const Lifted *operands[3];
    IrNode *nodes[3], *dims[IR_MAX_RANK];
    uint32_t set;
    bool divides = old->op == OP_floordiv || old->op == OP_mod || old->op == OP_fmod;
    bool is_masked = v->mask && divides && dtype_is_integer(ir_dtype(old));
    if (!lift_operands(v, old, operands, &set))
        return false;
    if (is_masked)
        set |= v->mask->set;
    if (!elab_lift_rank_fits(v, set, ir_rank(old)))
        return false;
    if (set && is_index_scalar(old) && lift_affine(v, old, operands, out))
        return true;
    for (uint32_t k = 0; k < old->operand_count; k++)
        nodes[k] = elab_lift_node(v, operands[k], set);
    if (is_masked) /* a division by zero fails in the kernel too */
        nodes[1] = elab_lift_masked(v, nodes[1], set, 1);
    elab_copy_dims(dims, nodes[0]);
    elab_lift_own(out, rebuilt(v, old, nodes, ir_rank(nodes[0]), dims), set);
    return true;
}

/* ---- views ---- */

static bool lift_permute(Vectorizer *v, const IrNode *old, Lifted *out) {
    const Lifted *x = elab_lift(v, old->operands[0]);
    uint32_t permutation[IR_MAX_RANK], lead;
    if (!x)
        return false;
    lead = bits(x->set);
    for (uint32_t k = 0; k < lead; k++)
        permutation[k] = k;
    for (uint32_t k = 0; k < ir_rank(old); k++)
        permutation[lead + k] = lead + (uint32_t)old->attributes[k];
    elab_lift_own(out, elab_permuted(v->e, elab_lift_node(v, x, x->set), permutation), x->set);
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
    const Lifted *x = elab_lift(v, old->operands[0]);
    IrNode *dims[IR_MAX_RANK];
    uint32_t map[IR_MAX_RANK], lead;
    if (!x || !elab_lift_rank_fits(v, x->set, ir_rank(old)))
        return false;
    lead = lead_extents(v, x->set, dims);
    if (!lift_dims(v, old->operands + 1, ir_rank(old), dims + lead))
        return false;
    IrNode *node = elab_lift_node(v, x, x->set);
    if (old->op == OP_reshape) {
        elab_lift_own(out, ir_reshape(&v->e->b, node, dims, lead + ir_rank(old)), x->set);
        return true;
    }
    for (uint32_t k = 0; k < lead; k++)
        map[k] = k;
    for (uint32_t k = 0; k < ir_rank(old->operands[0]); k++)
        map[lead + k] = lead + (uint32_t)old->attributes[k];
    elab_lift_own(out, ir_broadcast(&v->e->b, node, map, dims, lead + ir_rank(old)), x->set);
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
    if (elab_lift_form(v, start, &form)) {
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
    axis.tensor = elab_lift_node(v, start, start->set);
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
        return elab_lift_rank_fits(v, set, IR_MAX_RANK);
    elab_lift_own(out, node, set & ((1u << OWN_LABEL) - 1));
    return true;
}

/* Lifts every operand, so that lifting one later on cannot disturb v->extents. */
static bool lift_all(Vectorizer *v, const IrNode *old) {
    for (uint32_t k = 0; k < old->operand_count; k++)
        if (!elab_lift(v, old->operands[k]))
            return false;
    return true;
}

static bool lift_slice(Vectorizer *v, const IrNode *old, Lifted *out) {
    const IrNode *base = old->operands[0];
    AxisAt axes[IR_MAX_RANK] = {0};
    uint32_t lead, dropped = 0, label = OWN_LABEL;
    if (!lift_all(v, old))
        return false;
    const Lifted *x = elab_lift(v, base);
    lead = read_lead(v, x, axes);
    for (uint32_t k = 0; k < ir_rank(base); k++) {
        const Lifted *start = elab_lift(v, old->operands[1 + 3 * k]);
        IrNode *step = NULL;
        if (!start)
            return false;
        if (dropped < old->attribute_count && old->attributes[dropped] == k) {
            dropped++;
        } else {
            v->extents[label] = elab_lift_invariant(v, old->operands[2 + 3 * k], "a length here");
            step = elab_lift_invariant(v, old->operands[3 + 3 * k], "the step of a slice");
            if (!v->extents[label] || !step)
                return false;
        }
        if (!elab_lift_rank_fits(v, start->set, step != NULL))
            return false;
        axes[lead + k] = axis_at(v, start, label, step);
        label += step != NULL;
    }
    return finish_view(v, elab_lift_node(v, x, x->set), axes, lead + ir_rank(base), out);
}

static bool lift_window(Vectorizer *v, const IrNode *old, Lifted *out) {
    const IrNode *base = old->operands[0];
    AxisAt axes[IR_MAX_RANK] = {0};
    const Lifted *x = lift_all(v, old) ? elab_lift(v, base) : NULL;
    if (!x || !lift_dims(v, old->operands + 1, ir_rank(old), v->extents + OWN_LABEL))
        return false;
    uint32_t lead = read_lead(v, x, axes);
    for (uint32_t k = 0; k < ir_rank(base); k++) {
        const Lifted *start = elab_lift(v, ir_window_offset(old, k));
        Lifted form;
        if (!start)
            return false;
        if (!elab_lift_form(v, start, &form)) {
            elab_unsupported(v->e, old->span, "an affine subscript of a subscripted index");
            return false;
        }
        axes[lead + k] = axis_at(v, start, 0, NULL);
    }
    for (uint32_t i = 0; i < old->attribute_count / 2; i++) {
        IrWindowTerm term = ir_window_term(old, i);
        IrNode *step = elab_lift_invariant(v, term.step, "a step");
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
    return finish_view(v, elab_lift_node(v, x, x->set), axes, lead + ir_rank(base), out);
}

/* The positions along one gathered axis; the axes of the indices are the labels from `label` on. */
static bool gather_axis(Vectorizer *v, const IrNode *indices, uint32_t label, AxisAt *to) {
    const Lifted *at = elab_lift(v, indices);
    if (!at || !elab_lift_rank_fits(v, at->set, ir_rank(indices)))
        return false;
    IrNode *node = elab_lift_node(v, at, at->set);
    if (!ir_rank(indices) && !at->set) { /* one position for all */
        to->offset = node;
        return true;
    }
    to->tensor = node;
    to->set = at->set;
    for (uint32_t i = 0; i < ir_rank(indices); i++) {
        v->extents[label + i] = node->types[0].dims[bits(at->set) + i];
        to->set |= 1u << (label + i);
    }
    return true;
}

static bool lift_gather(Vectorizer *v, const IrNode *old, Lifted *out) {
    const IrNode *base = old->operands[0];
    AxisAt axes[IR_MAX_RANK] = {0};
    uint32_t label = OWN_LABEL, shared = 0, indexed = 0;
    const Lifted *x = lift_all(v, old) ? elab_lift(v, base) : NULL;
    if (!x || !elab_lift_rank_fits(v, x->set, ir_rank(base)))
        return false;
    uint32_t lead = read_lead(v, x, axes);
    for (uint32_t k = 0; k < ir_rank(base); k++) {
        AxisAt *to = &axes[lead + k];
        if (indexed == old->attribute_count || old->attributes[indexed] != k) {
            v->extents[label] = elab_lift_node(v, x, x->set)->types[0].dims[lead + k];
            to->offset = int_node(v, 0);
            elab_axis_term(to, label++, int_node(v, 1));
            continue;
        }
        if (indexed == 0) {
            shared = label;
            label += ir_rank(old->operands[1]);
        }
        if (!gather_axis(v, old->operands[1 + indexed++], shared, to))
            return false;
    }
    return finish_view(v, elab_lift_node(v, x, x->set), axes, lead + ir_rank(base), out);
}

/* ---- reductions and calls ---- */

static bool lift_reduce(Vectorizer *v, const IrNode *old, Lifted *out) {
    const Lifted *x = elab_lift(v, old->operands[0]);
    uint32_t axes[IR_MAX_RANK], count = old->attribute_count - 1;
    if (!x)
        return false;
    Dtype accumulator = (Dtype)old->attributes[0], dtype = ir_dtype(old->operands[0]);
    IrNode *node = elab_lift_node(v, x, x->set), *made = NULL;
    for (uint32_t i = 0; i < count; i++)
        axes[i] = bits(x->set) + (uint32_t)old->attributes[1 + i];
    bool outermost = v->e->index_depth == 0;
    if (outermost && old->op == OP_sum && accumulator == dtype_info[dtype].compute && dtype == ir_dtype(old))
        made = elab_contract(v->e, node, axes, count);
    if (!made && outermost)
        made = elab_reduce_in_order(v->e, old->op, node, axes, count, accumulator, ir_dtype(old));
    if (!made)
        made = ir_reduce(&v->e->b, old->op, node, axes, count, accumulator, ir_dtype(old));
    elab_lift_own(out, made, x->set);
    return true;
}

/* A value [i, 1, k] that is the matrix [i, k] with an axis put in; else NULL. */
static IrNode *without_unit_axis(Vectorizer *v, const IrNode *x) {
    bool is_spread = x->op == OP_broadcast && ir_rank(x) == 3 && ir_rank(x->operands[0]) == 2 &&
                     x->attributes[0] == 0 && x->attributes[1] == 2;
    int64_t rows;
    if (!is_spread || !ir_const_value_i64(x->types[0].dims[1], &rows) || rows != 1)
        return NULL;
    IrNode *dims[2] = {x->types[0].dims[0], x->types[0].dims[2]}, *matrix = x->operands[0];
    return ir_same_extents(ir_type(matrix), dims, 2) ? elab_with_dims(v->e, matrix, dims, 2) : NULL;
}

/* x @ w with rows x[i]: the index variables become rows of one product. */
static IrNode *rows_times(Vectorizer *v, IrNode *x, IrNode *w) {
    IrBuilder *b = &v->e->b;
    IrNode *dims[IR_MAX_RANK], *flat[2], *matrix = without_unit_axis(v, x);
    uint32_t rank = ir_rank(x);
    if (matrix)
        return elab_with_unit_axis(v->e, ir_matmul(b, matrix, w), 1);
    elab_copy_dims(dims, x);
    flat[0] = int_node(v, 1);
    for (uint32_t k = 0; k + 1 < rank; k++)
        flat[0] = int_op(v, OP_mul, flat[0], dims[k]);
    flat[1] = dims[rank - 1];
    IrNode *product = ir_matmul(b, ir_reshape(b, x, flat, 2), w);
    dims[rank - 1] = product->types[0].dims[1];
    return ir_reshape(b, product, dims, rank);
}

static bool lift_call(Vectorizer *v, const IrNode *old, Lifted *out) {
    const Lifted *operands[2];
    IrNode *nodes[2] = {NULL, NULL};
    uint32_t set;
    IrBuilder *b = &v->e->b;
    if (!lift_operands(v, old, operands, &set) || !elab_lift_rank_fits(v, set, ir_rank(old)))
        return false;
    bool rows = old->op == OP_matmul && ir_rank(old) == 2 && operands[0]->set == set && !operands[1]->set;
    for (uint32_t k = 0; k < old->operand_count; k++)
        nodes[k] = elab_lift_node(v, operands[k], rows && k == 1 ? 0 : set);
    if (rows)
        elab_lift_own(out, rows_times(v, nodes[0], nodes[1]), set);
    else if (old->op == OP_matmul)
        elab_lift_own(out, ir_matmul(b, nodes[0], nodes[1]), set);
    else if (old->op == OP_solve)
        elab_lift_own(out, ir_solve(b, nodes[0], nodes[1]), set);
    else
        elab_lift_own(out, ir_cholesky(b, nodes[0]), set);
    return true;
}

static bool lift_concat(Vectorizer *v, const IrNode *old, Lifted *out) {
    const Lifted **operands = ARENA_ARRAY(v->e->arena, const Lifted *, old->operand_count);
    IrNode **nodes = ARENA_ARRAY(v->e->arena, IrNode *, old->operand_count);
    uint32_t set;
    if (!lift_operands(v, old, operands, &set) || !elab_lift_rank_fits(v, set, ir_rank(old)))
        return false;
    for (uint32_t k = 0; k < old->operand_count; k++)
        nodes[k] = elab_lift_node(v, operands[k], set);
    elab_lift_own(
        out, ir_concat(&v->e->b, nodes, old->operand_count, bits(set) + (uint32_t)old->attributes[0]), set);
    return true;
}

static bool lift_same(Vectorizer *v, const IrNode *old, Lifted *out) {
    const Lifted *x = elab_lift(v, old->operands[0]);
    if (!x)
        return false;
    if (old->op == OP_variable)
        *out = *x;
    else
        elab_lift_own(out, ir_stop_gradient(&v->e->b, elab_lift_node(v, x, x->set)), x->set);
    return true;
}

/* ---- the walk ---- */

static bool lift_op(Vectorizer *v, const IrNode *old, Lifted *out) {
    IrBuilder *b = &v->e->b;
    if (op_is_elementwise(old->op) || old->op == OP_cast)
        return lift_elementwise(v, old, out);
    if (op_is_reduction(old->op))
        return lift_reduce(v, old, out);
    switch (old->op) {
    case OP_const:
        elab_lift_own(out, ir_const(b, ir_dtype(old), (uint64_t)old->attributes[0]), 0);
        return true;
    case OP_iota: {
        IrNode *extent = elab_lift_invariant(v, old->operands[0], "a size");
        elab_lift_own(out, extent ? ir_iota(b, extent) : NULL, 0);
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
        return elab_lift_check_index(v, old, out);
    case OP_check_equal:
    case OP_check_true:
        return elab_lift_check(v, old, out);
    case OP_if:
        return elab_lift_if(v, old, out);
    case OP_for:
        return elab_lift_for(v, old, out);
    case OP_while:
        return elab_lift_while(v, old, out);
    case OP_update:
        return elab_lift_update(v, old, out);
    case OP_sort:
    case OP_argsort:
    case OP_cumsum:
    case OP_cumprod:
    case OP_cummax:
    case OP_cummin:
        return elab_lift_along(v, old, out);
    case OP_searchsorted:
        return elab_lift_searchsorted(v, old, out);
    case OP_variable: /* its derivative has been taken: from here on it is its operand */
    case OP_stop_gradient:
        return lift_same(v, old, out);
    case OP_nonzero:
        elab_unsupported(v->e, old->span, "a mask or `nonzero` in an index expression");
        return false;
    case OP_collect:
    case OP_spread:
    case OP_segment:
    case OP_sparse_product:
    case OP_pattern_part:
    case OP_pattern_make:
    case OP_pattern_transpose:
    case OP_pattern_reorder:
    case OP_pattern_union:
    case OP_pattern_intersection:
    case OP_pattern_product:
    case OP_pattern_select:
    case OP_pattern_locate:
        return elab_lift_entries(v, old, out);
    default:
        elab_unsupported(v->e, old->span,
                         arena_format(v->e->arena, "`%s` in an index expression", op_name(old->op)));
        return false;
    }
}

const Lifted *elab_lift(Vectorizer *v, const IrNode *old) {
    if (!elab_lift_is_inside(v, old)) {
        Lifted *made = ARENA_NEW(v->e->arena, Lifted);
        elab_lift_own(made, (IrNode *)old, 0);
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
        const Lifted *all = elab_lift(v, old->operands[0]);
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
bool elab_lift_region(Vectorizer *v, const IrRegion *region) {
    bool *live = ARENA_ARRAY(v->e->arena, bool, v->old_count);
    mark_region(v, live, region);
    for (uint32_t i = 0; i < region->nodes.count; i++) {
        const IrNode *node = region->nodes.items[i];
        if (node->id < v->old_count && live[node->id] && !elab_lift(v, node))
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
    return elab_lift_invariant(v, node, what);
}

void elab_vectorizer_range(Vectorizer *v, uint32_t b, Name name, IrNode *first, IrNode *extent) {
    v->names[b] = name;
    v->first[b] = first;
    v->extents[b] = extent;
}

bool elab_vectorize(Vectorizer *v, const IrNode *result, Vectorized *out) {
    IrRegion *region = (IrRegion *)v->body;
    vec_push(v->e->arena, &region->results, (IrNode *)result);
    const Lifted *x = elab_lift_region(v, region) ? elab_lift(v, result) : NULL;
    if (!x)
        return false;
    *out = (Vectorized){elab_lift_node(v, x, x->set), x->set};
    return true;
}

IrNode *elab_over_all(Vectorizer *v, Vectorized x) {
    return elab_lift_rank_fits(v, all_variables(v), ir_rank(x.node) - bits(x.set))
               ? widened(v, x.node, x.set, all_variables(v))
               : NULL;
}
