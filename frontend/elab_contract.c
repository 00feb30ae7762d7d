/* Sums of products over shared axes as matrix products, and reductions in the order in which memory is read.
 */
#include "frontend/elab_vectorize.h"

enum { FACTOR_MAX = 16 };

/* A factor of a product: its axes are the axes of the product in `set`, ascending. */
typedef struct Factor {
    IrNode *node;
    uint32_t set;
} Factor;

typedef struct Product {
    Elaborator *e;
    IrNode *const *dims; /* of the product */
    uint32_t rank, reduced;
    Factor factors[FACTOR_MAX];
    uint32_t count;
} Product;

static uint32_t bits(uint32_t set) {
    return (uint32_t)__builtin_popcount(set);
}

/* ---- taking a product apart ------------------------------------------------------------------------------
 */

static bool add_factor(Product *p, IrNode *node, const uint32_t *axes) {
    uint32_t permutation[IR_MAX_RANK], set = 0;
    if (p->count == FACTOR_MAX)
        return false;
    for (uint32_t k = 0; k < ir_rank(node); k++)
        set |= 1u << axes[k];
    for (uint32_t k = 0; k < ir_rank(node); k++)
        permutation[bits(set & ((1u << axes[k]) - 1))] = k;
    if (ir_rank(node))
        node = elab_permuted(p->e, node, permutation);
    p->factors[p->count++] = (Factor){node, set};
    return true;
}

/* Axis k of the node is axis axes[k] of the product. */
static bool take_apart(Product *p, IrNode *node, const uint32_t *axes) {
    uint32_t inner[IR_MAX_RANK];
    IrNode *x = node->operand_count ? node->operands[0] : NULL, *dims[IR_MAX_RANK], *made;
    switch (node->op) {
    case OP_mul: /* of the index expression itself: how an operand was made does not matter */
        if (node->id < p->e->index_first)
            return add_factor(p, node, axes);
        return take_apart(p, x, axes) && take_apart(p, node->operands[1], axes);
    case OP_permute:
        for (uint32_t k = 0; k < ir_rank(node); k++)
            inner[node->attributes[k]] = axes[k];
        return take_apart(p, x, inner);
    case OP_broadcast:
        for (uint32_t k = ir_rank(x); k-- > 0;) {
            int64_t one;
            if (ir_const_value_i64(x->types[0].dims[k], &one) && one == 1 &&
                x->types[0].dims[k] != node->types[0].dims[node->attributes[k]])
                return add_factor(p, node, axes);
        }
        for (uint32_t k = 0; k < ir_rank(x); k++) {
            inner[k] = axes[node->attributes[k]];
            dims[k] = node->types[0].dims[node->attributes[k]];
        }
        if (!ir_same_extents(ir_type(x), dims, ir_rank(x)))
            return add_factor(p, node, axes);
        /* A check that made extents equal stays in use. */
        made = elab_with_dims(p->e, x, dims, ir_rank(x));
        return made == x ? take_apart(p, x, inner) : add_factor(p, made, inner);
    default:
        return add_factor(p, node, axes);
    }
}

static bool product_of(Elaborator *e, IrNode *x, const uint32_t *axes, uint32_t count, Product *p) {
    uint32_t all[IR_MAX_RANK];
    *p = (Product){.e = e, .dims = x->types[0].dims, .rank = ir_rank(x)};
    for (uint32_t i = 0; i < count; i++)
        p->reduced |= 1u << axes[i];
    for (uint32_t k = 0; k < p->rank; k++)
        all[k] = k;
    return dtype_is_float(ir_dtype(x)) && take_apart(p, x, all);
}

bool elab_is_contraction(Elaborator *e, IrNode *x, const uint32_t *axes, uint32_t count) {
    Product p;
    uint32_t summed = 0, once = 0;
    if (!product_of(e, x, axes, count, &p))
        return false;
    for (uint32_t i = 0; i < p.count; i++) {
        summed |= once & p.factors[i].set & p.reduced;
        once |= p.factors[i].set;
    }
    return summed != 0;
}

/* ---- one pair as a matrix product -------------------------------------------------------------------------
 */

/* The axes of a factor in the order of three groups. */
static IrNode *grouped(Product *p, const Factor *factor, const uint32_t *groups) {
    uint32_t permutation[IR_MAX_RANK], next = 0;
    for (int g = 0; g < 3; g++)
        for (uint32_t axis = 0; axis < p->rank; axis++)
            if (groups[g] & factor->set & (1u << axis))
                permutation[next++] = bits(factor->set & ((1u << axis) - 1));
    return elab_permuted(p->e, factor->node, permutation);
}

static IrNode *extent_of(Product *p, uint32_t set) {
    IrNode *size = NULL;
    for (uint32_t axis = 0; axis < p->rank; axis++)
        if (set >> axis & 1)
            size = size ? ir_binary(&p->e->b, OP_mul, size, p->dims[axis]) : p->dims[axis];
    return size ? size : ir_const_i64(&p->e->b, 1);
}

/* Axes [batch..., rows, columns], where rows and columns may be none or several of the factor's axes. */
static IrNode *as_matrix(Product *p, const Factor *factor, uint32_t batch, uint32_t rows, uint32_t columns) {
    IrNode *x = grouped(p, factor, (uint32_t[]){batch, rows, columns}), *dims[IR_MAX_RANK];
    uint32_t lead = bits(batch), rank = lead;
    if (bits(rows) == 1 && bits(columns) == 1)
        return x;
    if (!rows && bits(columns) == 1)
        return elab_with_unit_axis(p->e, x, lead);
    if (!columns && bits(rows) == 1)
        return elab_with_unit_axis(p->e, x, lead + 1);
    for (uint32_t axis = 0, k = 0; axis < p->rank; axis++)
        if (batch >> axis & 1)
            dims[k++] = p->dims[axis];
    dims[rank++] = extent_of(p, rows);
    dims[rank++] = extent_of(p, columns);
    return ir_reshape(&p->e->b, x, dims, rank);
}

/* The result [batch..., rows, columns] back to one axis per axis of the product, ascending. */
static Factor from_matrix(Product *p, IrNode *x, uint32_t batch, uint32_t rows, uint32_t columns) {
    uint32_t axes[IR_MAX_RANK], permutation[IR_MAX_RANK], rank = 0, set = batch | rows | columns;
    IrNode *dims[IR_MAX_RANK];
    uint32_t groups[3] = {batch, rows, columns};
    for (int g = 0; g < 3; g++)
        for (uint32_t axis = 0; axis < p->rank; axis++)
            if (groups[g] >> axis & 1) {
                dims[rank] = p->dims[axis];
                axes[rank++] = axis;
            }
    if (bits(rows) <= 1 && bits(columns) <= 1) {
        if (!columns)
            x = elab_drop_unit_axis(p->e, x, ir_rank(x) - 1);
        if (!rows)
            x = elab_drop_unit_axis(p->e, x, ir_rank(x) - 1 - (columns != 0));
    } else {
        x = ir_reshape(&p->e->b, x, dims, rank);
    }
    for (uint32_t k = 0; k < rank; k++)
        permutation[bits(set & ((1u << axes[k]) - 1))] = k;
    return (Factor){rank ? elab_permuted(p->e, x, permutation) : x, set};
}

static bool multiply(Product *p, const Factor *a, const Factor *b, uint32_t summed, Factor *out) {
    uint32_t batch = a->set & b->set & ~summed, rows = a->set & ~b->set, columns = b->set & ~a->set;
    if (!rows && !columns)
        return false; /* products of vectors, one or rows of them: one fused kernel reads each element once */
    bool swap = rows && columns && (columns & -columns) < (rows & -rows);
    if (!rows != !columns) { /* a matrix and a vector: the matrix as it lies in memory */
        IrNode *left = grouped(p, rows ? a : b, (uint32_t[]){batch, rows | columns, summed});
        swap = (left->op != OP_permute) == !rows;
    }
    if (swap) {
        const Factor *other = a;
        uint32_t set = rows;
        a = b, b = other;
        rows = columns, columns = set;
    }
    IrNode *x = as_matrix(p, a, batch, rows, summed), *y = as_matrix(p, b, batch, summed, columns);
    *out = from_matrix(p, ir_matmul(&p->e->b, x, y), batch, rows, columns);
    return true;
}

/* ---- the whole product
 * -------------------------------------------------------------------------------------- */

/* True if reading the factor means reading some element of memory at many places of it: it is never stored.
 */
static bool repeats_elements(const IrNode *node, int depth) {
    if (node->op == OP_window)
        return true;
    bool looks_deeper = op_is_elementwise(node->op) || op_is_view(node->op) || node->op == OP_cast;
    for (uint32_t k = 0; looks_deeper && depth && k < node->operand_count; k++)
        if (ir_rank(node->operands[k]) && repeats_elements(node->operands[k], depth - 1))
            return true;
    return false;
}

static IrNode *widened(Product *p, const Factor *x, uint32_t set) {
    uint32_t map[IR_MAX_RANK], next = 0, rank = 0;
    IrNode *dims[IR_MAX_RANK];
    for (uint32_t axis = 0; axis < p->rank; axis++) {
        if (!(set >> axis & 1))
            continue;
        if (x->set >> axis & 1)
            map[next++] = rank;
        dims[rank++] = p->dims[axis];
    }
    return x->set == set ? x->node : ir_broadcast(&p->e->b, x->node, map, dims, rank);
}

static void remove_factor(Product *p, uint32_t i) {
    p->count--;
    memmove(&p->factors[i], &p->factors[i + 1], (p->count - i) * sizeof *p->factors);
}

/* While there are more than two, a factor whose axes another one has is multiplied into that one. */
static bool absorb_one(Product *p) {
    for (uint32_t i = 0; i < p->count; i++) {
        uint32_t best = p->count;
        bool scales = !(p->factors[i].set & p->reduced);
        if (p->count <= 2 && !(scales && p->count == 2 && !p->factors[i].set))
            continue;
        for (uint32_t k = 0; k < p->count; k++)
            if (k != i && !(p->factors[i].set & ~p->factors[k].set) &&
                (best == p->count || bits(p->factors[k].set) < bits(p->factors[best].set)))
                best = k;
        if (best == p->count)
            continue;
        Factor *into = &p->factors[best], *from = &p->factors[i];
        uint32_t set = into->set;
        bool first = i < best;
        IrNode *a = widened(p, from, set), *b = into->node;
        into->node = ir_binary(&p->e->b, OP_mul, first ? a : b, first ? b : a);
        remove_factor(p, i);
        return true;
    }
    return false;
}

/* Axes that are summed in one factor alone. */
static void sum_alone(Product *p, Factor *x, uint32_t axes_set) {
    uint32_t axes[IR_MAX_RANK], count = 0;
    for (uint32_t axis = 0; axis < p->rank; axis++)
        if (x->set & axes_set & (1u << axis))
            axes[count++] = bits(x->set & ((1u << axis) - 1));
    Dtype dtype = ir_dtype(x->node);
    if (count)
        x->node = ir_reduce(&p->e->b, OP_sum, x->node, axes, count, dtype_info[dtype].compute, dtype);
    x->set &= ~axes_set;
}

static bool multiply_pair(Product *p, uint32_t i, uint32_t k) {
    uint32_t elsewhere = 0;
    Factor *a = &p->factors[i], *b = &p->factors[k], product;
    for (uint32_t other = 0; other < p->count; other++)
        if (other != i && other != k)
            elsewhere |= p->factors[other].set;
    uint32_t summed = a->set & b->set & p->reduced & ~elsewhere;
    if (!summed)
        return false;
    Factor left = *a, right = *b;
    sum_alone(p, &left, p->reduced & ~elsewhere & ~b->set);
    sum_alone(p, &right, p->reduced & ~elsewhere & ~a->set);
    if (!multiply(p, &left, &right, summed, &product))
        return false;
    *a = product;
    remove_factor(p, k);
    return true;
}

static bool multiply_some(Product *p) {
    for (uint32_t i = 0; i < p->count; i++)
        for (uint32_t k = i + 1; k < p->count; k++)
            if (multiply_pair(p, i, k))
                return true;
    return false;
}

IrNode *elab_contract(Elaborator *e, IrNode *x, const uint32_t *axes, uint32_t count) {
    Product p;
    if (!product_of(e, x, axes, count, &p) || p.count < 2)
        return NULL;
    for (uint32_t i = 0; i < p.count; i++)
        if (repeats_elements(p.factors[i].node, 8))
            return NULL;
    while (p.count > 1) {
        if (absorb_one(&p))
            continue;
        if (!multiply_some(&p))
            return NULL;
    }
    uint32_t kept = ((1u << p.rank) - 1) & ~p.reduced;
    return p.factors[0].set & ~kept ? NULL : widened(&p, &p.factors[0], kept);
}

/* ---- reductions in memory order
 * ------------------------------------------------------------------------------- */

typedef struct Vote {
    uint32_t reduced;
    int kept, summed; /* operands read fastest along a kept axis, along a reduced one */
} Vote;

/* Which axes of the result the last axis of a view's operand is read along. */
static uint32_t last_axis(const IrNode *view, const uint32_t *sets) {
    uint32_t last = ir_rank(view->operands[0]) - 1, set = 0;
    for (uint32_t i = 0; i < view->attribute_count / 2; i++) {
        IrWindowTerm term = ir_window_term(view, i);
        set |= term.axis == last ? sets[term.result_axis] : 0;
    }
    return set;
}

/* sets[k]: the axes of the reduced tensor that axis k of the node is read along. */
static void vote(Vote *v, const IrNode *node, const uint32_t *sets, int depth) {
    uint32_t inner[IR_MAX_RANK] = {0}, rank = ir_rank(node);
    if (!rank || node->op == OP_iota || !depth)
        return;
    const IrNode *x = node->operand_count ? node->operands[0] : NULL;
    if (op_is_elementwise(node->op) || node->op == OP_cast) {
        for (uint32_t k = 0; k < node->operand_count; k++)
            vote(v, node->operands[k], sets, depth - 1);
        return;
    }
    uint32_t last = sets[rank - 1], next = 0;
    if (op_is_view(node->op) && node->op != OP_reshape) {
        if (!ir_rank(x))
            return;
        for (uint32_t k = 0; k < ir_rank(x); k++) {
            bool dropped = false;
            for (uint32_t i = 0; node->op == OP_slice && i < node->attribute_count; i++)
                dropped |= node->attributes[i] == (int64_t)k;
            if (node->op == OP_broadcast)
                inner[k] = sets[node->attributes[k]];
            else if (node->op == OP_slice && !dropped)
                inner[k] = sets[next++];
        }
        for (uint32_t k = 0; node->op == OP_permute && k < rank; k++)
            inner[node->attributes[k]] = sets[k];
        if (node->op == OP_window)
            inner[ir_rank(x) - 1] = last_axis(node, sets);
        vote(v, x, inner, depth - 1);
        return;
    }
    v->kept += (last & ~v->reduced) != 0;
    v->summed += last && !(last & ~v->reduced);
}

IrNode *elab_reduce_in_order(Elaborator *e, Op op, IrNode *x, const uint32_t *axes, uint32_t count,
                             Dtype accumulator, Dtype result) {
    uint32_t rank = ir_rank(x), sets[IR_MAX_RANK] = {0}, permutation[IR_MAX_RANK];
    uint32_t first[IR_MAX_RANK] = {0}, next = 0;
    Vote v = {0};
    for (uint32_t i = 0; i < count; i++)
        v.reduced |= 1u << axes[i];
    for (uint32_t k = 0; k < rank; k++)
        sets[k] = 1u << k;
    vote(&v, x, sets, 16);
    if (count == rank || !(v.reduced >> (rank - 1) & 1) || v.kept <= v.summed)
        return ir_reduce(&e->b, op, x, axes, count, accumulator, result);
    for (int round = 1; round >= 0; round--)
        for (uint32_t k = 0; k < rank; k++)
            if ((v.reduced >> k & 1) == (uint32_t)round)
                permutation[next++] = k;
    for (uint32_t i = 0; i < count; i++)
        first[i] = i;
    return ir_reduce(&e->b, op, elab_permuted(e, x, permutation), first, count, accumulator, result);
}
