/* Reverse mode of casts, reductions, views and structured ops. */
#include "ir/gradient.h"

#include "ir/internal.h"

static IrNode *zeros_like(IrBuilder *b, const IrNode *x) {
    return gradient_number(b, 0, x);
}

static bool is_extent(const IrNode *extent, int64_t wanted) {
    int64_t value;
    return ir_const_value_i64(extent, &value) && value == wanted;
}

/* ---- reductions -----------------------------------------------------------------------------------------
 */

/* The axes that stay, in the order in which they stand in the result: a value over them seen over all of x.
 */
static IrNode *over_axes(IrBuilder *b, IrNode *value, const IrNode *y) {
    const IrNode *x = y->operands[0];
    uint32_t map[IR_MAX_RANK], kept = 0, next = 1;
    for (uint32_t axis = 0; axis < ir_rank(x); axis++) {
        if (next < y->attribute_count && y->attributes[next] == axis)
            next++;
        else
            map[kept++] = axis;
    }
    return ir_broadcast(b, value, map, x->types[0].dims, ir_rank(x));
}

static IrNode *reduced_as(IrBuilder *b, Op op, IrNode *x, const IrNode *y) {
    uint32_t axes[IR_MAX_RANK], count = y->attribute_count - 1;
    for (uint32_t i = 0; i < count; i++)
        axes[i] = (uint32_t)y->attributes[1 + i];
    return ir_reduce(b, op, x, axes, count, ir_accumulator(op, ir_dtype(x)), ir_dtype(x));
}

static bool sum_rule(Gradient *g, const IrNode *y, IrNode *dy) {
    IrNode *x = y->operands[0];
    gradient_add(g, x, over_axes(g->b, ir_cast(g->b, dy, ir_dtype(x)), y));
    return true;
}

/* Each factor's adjoint is the product of the others, also where one of them is zero. */
static bool prod_rule(Gradient *g, const IrNode *y, IrNode *dy) {
    IrBuilder *b = g->b;
    IrNode *x = y->operands[0], *zero = zeros_like(b, x), *one = gradient_number(b, 1, x);
    IrNode *is_zero = ir_binary(b, OP_eq, x, zero), *without = ir_where(b, is_zero, one, x);
    IrNode *others = over_axes(b, reduced_as(b, OP_prod, without, y), y);
    IrNode *zeros = over_axes(b, reduced_as(b, OP_sum, ir_where(b, is_zero, one, zero), y), y);
    IrNode *at_zero = ir_where(b, ir_binary(b, OP_eq, zeros, one), others, zero);
    IrNode *elsewhere =
        ir_where(b, ir_binary(b, OP_eq, zeros, zero), ir_binary(b, OP_div, others, without), zero);
    dy = over_axes(b, ir_cast(b, dy, ir_dtype(x)), y);
    gradient_add(g, x, ir_binary(b, OP_mul, dy, ir_where(b, is_zero, at_zero, elsewhere)));
    return true;
}

/* Shared evenly by all that are the extreme. */
static bool extreme_rule(Gradient *g, const IrNode *y, IrNode *dy) {
    IrBuilder *b = g->b;
    IrNode *x = y->operands[0], *zero = zeros_like(b, x), *one = gradient_number(b, 1, x);
    IrNode *is_extreme = ir_binary(b, OP_eq, x, over_axes(b, (IrNode *)y, y));
    IrNode *share = ir_where(b, is_extreme, one, zero);
    dy = ir_binary(b, OP_div, dy, reduced_as(b, OP_sum, share, y));
    gradient_add(g, x, ir_where(b, is_extreme, over_axes(b, dy, y), zero));
    return true;
}

/* ---- views ------------------------------------------------------------------------------------------------
 */

static bool permute_rule(Gradient *g, const IrNode *y, IrNode *dy) {
    uint32_t inverse[IR_MAX_RANK];
    for (uint32_t k = 0; k < y->attribute_count; k++)
        inverse[y->attributes[k]] = k;
    gradient_add(g, y->operands[0], ir_permute(g->b, dy, inverse));
    return true;
}

/* x without those axes, which have extent 1. */
static IrNode *without_axes(IrBuilder *b, IrNode *x, const bool *drop) {
    IrNode *starts[IR_MAX_RANK], *steps[IR_MAX_RANK];
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        starts[k] = ir_const_i64(b, 0);
        steps[k] = ir_const_i64(b, 1);
    }
    return ir_slice(b, x, starts, x->types[0].dims, steps, drop);
}

/* dy with the extents of y: what comes from a loop may have others, equal by a check, and that check is then
 * the one place that says so. */
static IrNode *as_shaped(IrBuilder *b, IrNode *dy, const IrNode *y) {
    uint32_t map[IR_MAX_RANK];
    for (uint32_t k = 0; k < ir_rank(y); k++)
        map[k] = k;
    return ir_broadcast(b, dy, map, y->types[0].dims, ir_rank(y));
}

/* Sums over the axes that are new and those that repeat an extent of 1; no kernel where there is nothing to
 * add. */
static bool broadcast_rule(Gradient *g, const IrNode *y, IrNode *dy) {
    IrBuilder *b = g->b;
    IrNode *x = y->operands[0];
    uint32_t axes[IR_MAX_RANK], map[IR_MAX_RANK], count = 0, k = 0, kept = 0;
    bool drop[IR_MAX_RANK] = {false}, is_summed = false;
    dy = as_shaped(b, dy, y);
    for (uint32_t axis = 0; axis < ir_rank(y); axis++) {
        bool is_mapped = k < ir_rank(x) && y->attributes[k] == axis;
        bool repeats =
            is_mapped && x->types[0].dims[k] != y->types[0].dims[axis] && is_extent(x->types[0].dims[k], 1);
        drop[axis] = !is_mapped || repeats;
        if (drop[axis])
            axes[count++] = axis;
        else
            map[kept++] = k;
        is_summed = is_summed || (drop[axis] && !is_extent(y->types[0].dims[axis], 1));
        k += is_mapped;
    }
    if (is_summed)
        dy = ir_reduce(b, OP_sum, dy, axes, count, ir_accumulator(OP_sum, ir_dtype(x)), ir_dtype(x));
    else if (count)
        dy = without_axes(b, dy, drop);
    gradient_add(g, x, ir_broadcast(b, dy, map, x->types[0].dims, ir_rank(x)));
    return true;
}

static bool reshape_rule(Gradient *g, const IrNode *y, IrNode *dy) {
    IrNode *x = y->operands[0];
    gradient_add(g, x, ir_reshape(g->b, dy, x->types[0].dims, ir_rank(x)));
    return true;
}

static bool slice_drops(const IrNode *y, uint32_t axis) {
    for (uint32_t i = 0; i < y->attribute_count; i++)
        if (y->attributes[i] == axis)
            return true;
    return false;
}

/* Does the slice only take away axes of extent 1? */
static bool takes_all(const IrNode *y) {
    const IrNode *x = y->operands[0];
    for (uint32_t k = 0; k < ir_rank(x); k++)
        if (!is_extent(y->operands[1 + 3 * k], 0) || !is_extent(y->operands[3 + 3 * k], 1) ||
            y->operands[2 + 3 * k] != x->types[0].dims[k] ||
            (slice_drops(y, k) && !is_extent(x->types[0].dims[k], 1)))
            return false;
    return true;
}

static bool slice_rule(Gradient *g, const IrNode *y, IrNode *dy) {
    IrNode *x = y->operands[0], *starts[IR_MAX_RANK], *extents[IR_MAX_RANK], *steps[IR_MAX_RANK];
    uint32_t map[IR_MAX_RANK], kept = 0;
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        starts[k] = y->operands[1 + 3 * k];
        extents[k] = y->operands[2 + 3 * k];
        steps[k] = y->operands[3 + 3 * k];
        if (!slice_drops(y, k))
            map[kept++] = k;
    }
    if (takes_all(y))
        return gradient_add(g, x, ir_broadcast(g->b, dy, map, x->types[0].dims, ir_rank(x))), true;
    dy = ir_reshape(g->b, dy, extents, ir_rank(x)); /* with the axes that vanished */
    gradient_add(g, x,
                 ir_update(g->b, zeros_like(g->b, x), dy, starts, extents, steps, NULL, NULL, 0, OP_none));
    return true;
}

/* 0, 1, 2, … along one axis of a shape. */
static IrNode *along(IrBuilder *b, const IrType *type, uint32_t axis) {
    return ir_broadcast(b, ir_iota(b, type->dims[axis]), &axis, type->dims, type->rank);
}

static IrNode *spread(IrBuilder *b, IrNode *scalar, const IrType *type) {
    return ir_broadcast(b, scalar, NULL, type->dims, type->rank);
}

/* dx[indices[0][i], indices[1][i], …] += dy[i]: every axis of x is indexed. */
static IrNode *scatter(IrBuilder *b, const IrNode *x, IrNode *dy, IrNode *const *indices) {
    IrNode *zero = ir_const_i64(b, 0), *one = ir_const_i64(b, 1);
    IrNode *starts[IR_MAX_RANK], *steps[IR_MAX_RANK];
    uint32_t axes[IR_MAX_RANK];
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        starts[k] = zero;
        steps[k] = one;
        axes[k] = k;
    }
    return ir_update(b, zeros_like(b, x), dy, starts, x->types[0].dims, steps, indices, axes, ir_rank(x),
                     OP_add);
}

static bool window_rule(Gradient *g, const IrNode *y, IrNode *dy) {
    IrBuilder *b = g->b;
    IrNode *x = y->operands[0], *indices[IR_MAX_RANK];
    const IrType *type = ir_type(y);
    if (!ir_rank(x))
        return gradient_add(g, x, dy), true;
    for (uint32_t k = 0; k < ir_rank(x); k++)
        indices[k] = spread(b, ir_window_offset(y, k), type);
    for (uint32_t i = 0; i < y->attribute_count / 2; i++) {
        IrWindowTerm term = ir_window_term(y, i);
        IrNode *scaled = ir_binary(b, OP_mul, along(b, type, term.result_axis), spread(b, term.step, type));
        indices[term.axis] = ir_binary(b, OP_add, indices[term.axis], scaled);
    }
    gradient_add(g, x, scatter(b, x, dy, indices));
    return true;
}

/* ---- gathers and updates
 * ------------------------------------------------------------------------------------ */

static bool gather_rule(Gradient *g, const IrNode *y, IrNode *dy) {
    IrBuilder *b = g->b;
    IrNode *x = y->operands[0], *starts[IR_MAX_RANK], *steps[IR_MAX_RANK];
    uint32_t axes[IR_MAX_RANK], count = y->attribute_count;
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        starts[k] = ir_const_i64(b, 0);
        steps[k] = ir_const_i64(b, 1);
    }
    for (uint32_t i = 0; i < count; i++)
        axes[i] = (uint32_t)y->attributes[i];
    dy = gradient_indices_first(b, dy, axes[0], ir_rank(y->operands[1]));
    gradient_add(g, x,
                 ir_update(b, zeros_like(b, x), dy, starts, x->types[0].dims, steps, &y->operands[1], axes,
                           count, OP_add));
    return true;
}

static bool concat_rule(Gradient *g, const IrNode *y, IrNode *dy) {
    IrBuilder *b = g->b;
    uint32_t axis = (uint32_t)y->attributes[0];
    IrNode *at = ir_const_i64(b, 0), *starts[IR_MAX_RANK], *steps[IR_MAX_RANK];
    for (uint32_t k = 0; k < ir_rank(y); k++) {
        starts[k] = at;
        steps[k] = ir_const_i64(b, 1);
    }
    for (uint32_t i = 0; i < y->operand_count; i++) {
        IrNode *x = y->operands[i];
        starts[axis] = at;
        gradient_add(g, x, ir_slice(b, dy, starts, x->types[0].dims, steps, NULL));
        at = ir_binary(b, OP_add, at, x->types[0].dims[axis]);
    }
    return true;
}

/* ---- products and solutions
 * ----------------------------------------------------------------------------------- */

static IrNode *transposed(IrBuilder *b, IrNode *x) {
    uint32_t permutation[IR_MAX_RANK], rank = ir_rank(x);
    for (uint32_t k = 0; k < rank; k++)
        permutation[k] = k + 2 < rank ? k : rank - 1 - (k - (rank - 2));
    return ir_permute(b, x, permutation);
}

static bool matmul_rule(Gradient *g, const IrNode *y, IrNode *dy) {
    IrNode *a = y->operands[0], *c = y->operands[1];
    if (gradient_wants(g, a))
        gradient_add(g, a, ir_matmul(g->b, dy, transposed(g->b, c)));
    if (gradient_wants(g, c))
        gradient_add(g, c, ir_matmul(g->b, transposed(g->b, a), dy));
    return true;
}

/* a x = c: dc = a^-T dx, da = -dc x^T. */
static bool solve_rule(Gradient *g, const IrNode *y, IrNode *dy) {
    IrBuilder *b = g->b;
    IrNode *a = y->operands[0], *dc = ir_solve(b, transposed(b, a), dy);
    gradient_add(g, y->operands[1], dc);
    if (gradient_wants(g, a))
        gradient_add(g, a, ir_unary(b, OP_neg, ir_matmul(b, dc, transposed(b, (IrNode *)y))));
    return true;
}

/* Where the row is greater than the column, and where they are equal, over the last two axes. */
static IrNode *rows_and_columns(IrBuilder *b, Op compare, const IrNode *x) {
    const IrType *type = ir_type(x);
    return ir_binary(b, compare, along(b, type, type->rank - 2), along(b, type, type->rank - 1));
}

/* Murray, "Differentiation of the Cholesky decomposition" (2016), eq. 10: with P = phi(L^T dL), where phi
 * takes the lower triangle and halves the diagonal, S = L^-T P L^-1 and dA = (S + S^T) / 2. */
static bool cholesky_rule(Gradient *g, const IrNode *y, IrNode *dy) {
    IrBuilder *b = g->b;
    IrNode *l = (IrNode *)y, *zero = zeros_like(b, y), *half = gradient_number(b, 0.5, y);
    IrNode *p = ir_matmul(b, transposed(b, l), dy);
    p = ir_where(b, rows_and_columns(b, OP_gt, y), p,
                 ir_where(b, rows_and_columns(b, OP_eq, y), ir_binary(b, OP_mul, half, p), zero));
    IrNode *left = ir_solve(b, transposed(b, l), p);                               /* L^-T P */
    IrNode *s = transposed(b, ir_solve(b, transposed(b, l), transposed(b, left))); /* … L^-1 */
    gradient_add(g, y->operands[0], ir_binary(b, OP_mul, half, ir_binary(b, OP_add, s, transposed(b, s))));
    return true;
}

/* ---- orders and scans
 * ------------------------------------------------------------------------------------------- */

static IrNode *reversed(IrBuilder *b, IrNode *x, uint32_t axis) {
    IrNode *starts[IR_MAX_RANK], *steps[IR_MAX_RANK], *one = ir_const_i64(b, 1);
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        starts[k] = ir_const_i64(b, 0);
        steps[k] = one;
    }
    starts[axis] = ir_binary(b, OP_sub, x->types[0].dims[axis], one);
    steps[axis] = ir_const_i64(b, -1);
    return ir_slice(b, x, starts, x->types[0].dims, steps, NULL);
}

static IrNode *scanned(IrBuilder *b, Op op, IrNode *x, int64_t axis) {
    return ir_call(b, op, &x, 1, &axis, 1, ir_dtype(x), x->types[0].dims, ir_rank(x));
}

/* The sums from each element to the end. */
static IrNode *sums_after(IrBuilder *b, IrNode *x, uint32_t axis) {
    return reversed(b, scanned(b, OP_cumsum, reversed(b, x, axis), axis), axis);
}

static bool cumsum_rule(Gradient *g, const IrNode *y, IrNode *dy) {
    IrNode *x = y->operands[0];
    gradient_add(g, x, sums_after(g->b, ir_cast(g->b, dy, ir_dtype(x)), (uint32_t)y->attributes[0]));
    return true;
}

/* Before the first zero: the sum of dy * y to the end, over x.  At it: the same of the products without it.
 */
static bool cumprod_rule(Gradient *g, const IrNode *y, IrNode *dy) {
    IrBuilder *b = g->b;
    uint32_t axis = (uint32_t)y->attributes[0];
    IrNode *x = y->operands[0], *zero = zeros_like(b, x), *one = gradient_number(b, 1, x);
    IrNode *is_zero = ir_binary(b, OP_eq, x, zero);
    IrNode *seen = scanned(b, OP_cumsum, ir_where(b, is_zero, one, zero), axis);
    IrNode *is_first = ir_binary(b, OP_logical_and, is_zero, ir_binary(b, OP_eq, seen, one));
    IrNode *without = scanned(b, OP_cumprod, ir_where(b, is_first, one, x), axis);
    dy = ir_cast(b, dy, ir_dtype(x));
    IrNode *at_first = sums_after(b, ir_binary(b, OP_mul, dy, without), axis);
    IrNode *product = ir_cast(b, (IrNode *)y, ir_dtype(x));
    IrNode *nonzero = ir_where(b, is_zero, one, x); /* a division by zero would spoil second derivatives */
    IrNode *before = ir_binary(b, OP_div, sums_after(b, ir_binary(b, OP_mul, dy, product), axis), nonzero);
    gradient_add(g, x,
                 ir_where(b, is_first, at_first, ir_where(b, ir_binary(b, OP_eq, seen, zero), before, zero)));
    return true;
}

/* dx[…, along[…, i], …] += dy[…, i]: the indices along one axis. */
static IrNode *scatter_along(IrBuilder *b, const IrNode *x, IrNode *dy, IrNode *indices, uint32_t axis) {
    IrNode *all[IR_MAX_RANK];
    for (uint32_t k = 0; k < ir_rank(x); k++)
        all[k] = k == axis ? indices : along(b, ir_type(dy), k);
    return scatter(b, x, dy, all);
}

static bool sort_rule(Gradient *g, const IrNode *y, IrNode *dy) {
    IrNode *x = y->operands[0];
    IrNode *order = ir_call(g->b, OP_argsort, &x, 1, y->attributes, y->attribute_count, DTYPE_i64,
                            x->types[0].dims, ir_rank(x));
    gradient_add(g, x, scatter_along(g->b, x, dy, order, (uint32_t)y->attributes[0]));
    return true;
}

/* To the last element so far that is the greatest (least). */
static bool running_extreme_rule(Gradient *g, const IrNode *y, IrNode *dy) {
    IrBuilder *b = g->b;
    IrNode *x = y->operands[0];
    uint32_t axis = (uint32_t)y->attributes[0];
    IrNode *place = along(b, ir_type(x), axis);
    IrNode *is_new = ir_binary(b, OP_eq, x, (IrNode *)y);
    IrNode *last = scanned(b, OP_cummax, ir_where(b, is_new, place, gradient_number(b, 0, place)), axis);
    gradient_add(g, x, scatter_along(b, x, dy, last, axis));
    return true;
}

/* ---- the rest
 * ---------------------------------------------------------------------------------------------------- */

static bool cast_rule(Gradient *g, const IrNode *y, IrNode *dy) {
    IrNode *x = y->operands[0];
    if (dtype_is_float(ir_dtype(x)))
        return gradient_add(g, x, ir_cast(g->b, dy, ir_dtype(x))), true;
    if (ir_dtype(x) == DTYPE_bool || x->id >= g->count || !g->depends[x->id])
        return true; /* a condition is constant almost everywhere */
    return gradient_fails(g, x, "it is an integer");
}

bool gradient_structured(Gradient *g, const IrNode *y, IrNode *dy) {
    switch (y->op) {
    case OP_stop_gradient:
        return true;
    case OP_variable:
    case OP_after:
        return gradient_add(g, y->operands[0], dy), true;
    case OP_cast:
        return cast_rule(g, y, dy);
    case OP_sum:
        return sum_rule(g, y, dy);
    case OP_prod:
        return prod_rule(g, y, dy);
    case OP_max:
    case OP_min:
        return extreme_rule(g, y, dy);
    case OP_permute:
        return permute_rule(g, y, dy);
    case OP_slice:
        return slice_rule(g, y, dy);
    case OP_broadcast:
        return broadcast_rule(g, y, dy);
    case OP_window:
        return window_rule(g, y, dy);
    case OP_reshape:
        return reshape_rule(g, y, dy);
    case OP_matmul:
        return matmul_rule(g, y, dy);
    case OP_solve:
        return solve_rule(g, y, dy);
    case OP_cholesky:
        return cholesky_rule(g, y, dy);
    case OP_sort:
        return sort_rule(g, y, dy);
    case OP_cumsum:
        return cumsum_rule(g, y, dy);
    case OP_cumprod:
        return cumprod_rule(g, y, dy);
    case OP_cummax:
    case OP_cummin:
        return running_extreme_rule(g, y, dy);
    case OP_concat:
        return concat_rule(g, y, dy);
    case OP_gather:
        return gather_rule(g, y, dy);
    case OP_spread:
    case OP_segment:
    case OP_sparse_product:
        return gradient_entries(g, y, dy);
    case OP_update:
        return gradient_update(g, y, dy);
    case OP_check_true:
        return gradient_add(g, y->operands[1], dy), true;
    default:
        return gradient_fails(g, y, "not supported yet");
    }
}
