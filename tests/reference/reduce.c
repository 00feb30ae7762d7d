/* Reductions and matrix products of the reference evaluator. */
#include "tests/reference/reference.h"

#include <math.h>

typedef struct Total { /* of one element of the result */
    double lo;
    long double hi;
    long double reach; /* the sum of the magnitudes, the product of them */
    bool exact, any_nan;
    uint64_t i;
    __int128 whole; /* the sum of integers */
    int64_t best, count;
} Total;

/* Totals of multiples of this that stay small have the same value in any order and grouping. */
static long double granularity(Dtype dtype) {
    return dtype == DTYPE_f16 || dtype == DTYPE_bf16 ? 0.25L : 0x1p-10L;
}

static long double exact_limit(Dtype dtype) {
    int bits = dtype == DTYPE_f16 ? 11 : dtype == DTYPE_bf16 ? 8 : dtype == DTYPE_f32 ? 24 : 53;
    return ldexpl(granularity(dtype), bits);
}

static bool is_multiple(long double x, Dtype dtype) {
    long double units = x / granularity(dtype);
    return isfinite(units) && units == rintl(units);
}

static void add(Total *t, Dtype accumulator, double lo, long double hi) {
    t->lo = ref_round(accumulator, t->lo + lo);
    t->hi += hi;
    t->reach += isfinite(hi) ? fabsl(hi) : 0;
}

/* ---- reductions ------------------------------------------------------------------------------------------
 */

static bool is_better(Op op, const RefTensor *x, int64_t i, int64_t best) {
    bool up = op == OP_max || op == OP_argmax;
    if (dtype_is_float(x->dtype)) {
        long double a = x->at[i].hi, b = x->at[best].hi;
        return isnan(b) ? false : isnan(a) || (up ? a > b : a < b);
    }
    if (x->dtype == DTYPE_u64)
        return up ? (uint64_t)x->at[i].i > (uint64_t)x->at[best].i
                  : (uint64_t)x->at[i].i < (uint64_t)x->at[best].i;
    return up ? x->at[i].i > x->at[best].i : x->at[i].i < x->at[best].i;
}

static void take(const IrNode *node, Total *t, const RefTensor *x, int64_t i, Dtype result) {
    const RefElement *e = &x->at[i];
    bool is_float = dtype_is_float(x->dtype);
    Dtype accumulator = (Dtype)node->attributes[0];
    switch (node->op) {
    case OP_sum:
        t->exact = t->exact && is_float && e->exact && (is_multiple(e->hi, result) || !isfinite(e->hi));
        if (is_float)
            add(t, accumulator, e->lo, e->hi);
        else if (dtype_is_float(result))
            add(t, accumulator, (double)ref_real(x, i), ref_real(x, i));
        else
            t->whole += x->dtype == DTYPE_u64 ? (__int128)(uint64_t)e->i : (__int128)e->i;
        break;
    case OP_prod:
        t->exact = t->exact && is_float && e->exact && e->hi == rintl(e->hi);
        if (is_float || dtype_is_float(result)) {
            t->lo = ref_round(accumulator, t->lo * (is_float ? e->lo : (double)ref_real(x, i)));
            t->hi *= ref_real(x, i);
            t->reach *= fmaxl(1, fabsl(ref_real(x, i)));
        } else {
            t->i *= (uint64_t)e->i;
        }
        break;
    case OP_any:
        t->i |= e->i != 0;
        break;
    case OP_all:
        t->i &= e->i != 0;
        break;
    default:
        if (t->count == 0 || is_better(node->op, x, i, t->best))
            t->best = i;
    }
    t->count++;
}

/* The library takes max and min over nothing (softmax of no elements): the number that any other replaces. */
static RefElement identity(Dtype dtype, Identity which) {
    RefElement e = {.exact = true};
    bool lowest = which == IDENTITY_LOWEST;
    int bits = 8 * dtype_info[dtype].bytes;
    if (dtype_is_float(dtype))
        e.hi = e.lo = lowest ? -INFINITY : INFINITY;
    else if (dtype_kind(dtype) == KIND_SIGNED)
        e.i = ref_wrap(dtype, (1ull << (bits - 1)) - !lowest);
    else
        e.i = lowest ? 0 : ref_wrap(dtype, UINT64_MAX);
    return e;
}

static void store(Reference *r, const IrNode *node, RefTensor *y, int64_t at, Total *t, const RefTensor *x) {
    if (node->op == OP_max || node->op == OP_min) {
        y->at[at] = t->count ? x->at[t->best] : identity(y->dtype, op_info[node->op].identity);
    } else if (dtype_is_float(y->dtype)) {
        long double limit =
            node->op == OP_prod ? exact_limit(y->dtype) / granularity(y->dtype) : exact_limit(y->dtype);
        ref_set(y, at, t->lo, t->hi, (t->exact && t->reach < limit) || !t->count);
        /* Partial results that overflow in one order do not in another. */
        if (isinf(ref_round((Dtype)node->attributes[0], (double)(t->reach * 64))) && isfinite(t->hi))
            ref_stop(r, REF_UNSTABLE, 0, "a total near overflow");
    } else if (node->op == OP_sum) {
        Dtype accumulator = (Dtype)node->attributes[0];
        bool fits = accumulator == DTYPE_u64 ? t->whole >= 0 && t->whole <= (__int128)UINT64_MAX
                                             : t->whole >= INT64_MIN && t->whole <= INT64_MAX;
        if (!fits) /* as OP_whole_sum has it */
            ref_stop(r, REF_FAILED, DIAG_E0307, "the sum does not fit in 64 bits");
        y->at[at].i = ref_wrap(y->dtype, (uint64_t)t->whole);
    } else {
        y->at[at].i = ref_wrap(y->dtype, t->i);
    }
}

/* Where each element goes: for each operand axis, its weight in the offset of the result. */
static void result_weights(const IrNode *node, const RefTensor *x, int64_t *weights) {
    int64_t weight = 1;
    uint32_t next = node->attribute_count;
    for (uint32_t k = x->rank; k-- > 0;) {
        weights[k] = 0;
        if (next > 1 && node->attributes[next - 1] == k) {
            next--;
            continue;
        }
        weights[k] = weight;
        weight *= x->shape[k];
    }
}

/* The index of the first best, along the reduced axis or in C order over all. */
static void store_arg(Reference *r, const IrNode *node, RefTensor *y, const Total *totals, const RefTensor *x,
                      const int64_t *where) {
    for (int64_t i = 0; i < x->size; i++) {
        int64_t best = totals[where[i]].best;
        long double gap = fabsl(ref_real(x, i) - ref_real(x, best));
        double slack = ref_slack(x, i) + ref_slack(x, best);
        if (i != best && slack > 0 && gap <= slack)
            ref_stop(r, REF_UNSTABLE, 0, "%s of almost equal numbers", op_name(node->op));
    }
    for (int64_t i = 0; i < y->size; i++) {
        if (!totals[i].count)
            ref_stop(r, REF_BROKEN, 0, "%s over nothing", op_name(node->op));
        int64_t index = totals[i].best, after = 1;
        if (node->attribute_count == 2) {
            for (uint32_t k = x->rank; k-- > (uint32_t)node->attributes[1] + 1;)
                after *= x->shape[k];
            index = index / after % x->shape[node->attributes[1]];
        }
        y->at[i].i = index;
    }
}

RefTensor *ref_reduce(Reference *r, const IrNode *node, RefTensor *x) {
    int64_t shape[IR_MAX_RANK], weights[IR_MAX_RANK], index[IR_MAX_RANK] = {0};
    uint32_t rank = 0;
    for (uint32_t k = 0, next = 1; k < x->rank; k++) {
        if (next < node->attribute_count && node->attributes[next] == k)
            next++;
        else
            shape[rank++] = x->shape[k];
    }
    RefTensor *y = ref_tensor_new(r, ir_dtype(node), rank, shape);
    Total *totals = ARENA_ARRAY(r->arena, Total, (size_t)y->size);
    int64_t *where = ARENA_ARRAY(r->arena, int64_t, (size_t)x->size);
    bool is_product = node->op == OP_prod || node->op == OP_all;
    for (int64_t i = 0; i < y->size; i++)
        totals[i] =
            (Total){.lo = is_product, .hi = is_product, .reach = is_product, .i = is_product, .exact = true};
    result_weights(node, x, weights);
    for (int64_t i = 0; i < x->size; i++, ref_next(x, index)) {
        for (uint32_t k = 0; k < x->rank; k++)
            where[i] += index[k] * weights[k];
        take(node, &totals[where[i]], x, i, y->dtype);
    }
    if (node->op == OP_argmax || node->op == OP_argmin)
        store_arg(r, node, y, totals, x, where);
    else
        for (int64_t i = 0; i < y->size; i++)
            store(r, node, y, i, &totals[i], x);
    ref_finish(r, y, (const RefTensor *const *)&x, 1);
    return y;
}

/* ---- matrix products -------------------------------------------------------------------------------------
 */

static void dot(Reference *r, RefTensor *y, int64_t at, const RefTensor *a, int64_t i, const RefTensor *b,
                int64_t j, int64_t n, int64_t step) {
    Total t = {.exact = true};
    bool is_float = dtype_is_float(y->dtype);
    Dtype accumulator = dtype_info[y->dtype].compute;
    for (int64_t k = 0; k < n; k++, i++, j += step) {
        const RefElement *p = &a->at[i], *q = &b->at[j];
        if (!is_float) {
            t.i = y->dtype == DTYPE_bool ? t.i | (uint64_t)(p->i & q->i)
                                         : t.i + (uint64_t)p->i * (uint64_t)q->i;
            continue;
        }
        long double product = p->hi * q->hi;
        t.exact = t.exact && p->exact && q->exact && is_multiple(product, y->dtype);
        add(&t, accumulator, ref_round(accumulator, p->lo * q->lo), product);
        if (!isfinite(p->hi) || !isfinite(q->hi))
            t.exact = false;
    }
    if (!is_float) {
        y->at[at].i = ref_wrap(y->dtype, t.i);
        return;
    }
    if (isinf(ref_round(accumulator, (double)(t.reach * 64))) && isfinite(t.hi))
        ref_stop(r, REF_UNSTABLE, 0, "a product near overflow");
    ref_set(y, at, t.lo, t.hi, (t.exact && t.reach < exact_limit(y->dtype)) || !n);
    if ((double)t.reach > y->scale) /* terms that cancel leave their rounding */
        y->scale = (double)t.reach;
}

RefTensor *ref_matmul(Reference *r, RefTensor *a, RefTensor *b) {
    int64_t shape[IR_MAX_RANK], batch = 1;
    uint32_t rank = a->rank;
    for (uint32_t k = 0; k + 2 < rank; k++)
        batch *= shape[k] = a->shape[k];
    int64_t m = a->shape[rank - 2], n = a->shape[rank - 1], p = b->shape[rank - 1];
    shape[rank - 2] = m;
    shape[rank - 1] = p;
    if (b->rank != rank || b->shape[rank - 2] != n || b->size != batch * n * p)
        ref_stop(r, REF_BROKEN, 0, "operands of matmul do not fit");
    RefTensor *y = ref_tensor_new(r, a->dtype, rank, shape);
    if ((r->budget -= y->size * n) < 0)
        ref_stop(r, REF_TOO_MUCH, 0, "a large product");
    for (int64_t g = 0; g < batch; g++)
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < p; j++)
                dot(r, y, (g * m + i) * p + j, a, (g * m + i) * n, b, g * n * p + j, n, p);
    ref_finish(r, y, (const RefTensor *const[]){a, b}, 2);
    return y;
}
