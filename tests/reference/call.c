/* Structured ops of the reference evaluator that are neither products nor about order. */
#include "tests/reference/reference.h"

#include <math.h>

static RefTensor *concat(Reference *r, const IrNode *node, RefTensor **x) {
    int64_t shape[IR_MAX_RANK], axis = node->attributes[0], before = 1, after = 1, begin = 0;
    uint32_t rank = x[0]->rank;
    memcpy(shape, x[0]->shape, sizeof shape);
    for (uint32_t i = 1; i < node->operand_count; i++)
        shape[axis] += x[i]->shape[axis];
    for (uint32_t k = 0; k < rank; k++)
        *(k < axis ? &before : k > axis ? &after : &(int64_t){0}) *= shape[k];
    RefTensor *y = ref_tensor_new(r, x[0]->dtype, rank, shape);
    for (uint32_t i = 0; i < node->operand_count; i++) {
        int64_t n = x[i]->shape[axis];
        if (x[i]->size != before * n * after)
            ref_stop(r, REF_BROKEN, 0, "operands of concat do not fit");
        for (int64_t p = 0; p < before; p++)
            memcpy(y->at + (p * shape[axis] + begin) * after, x[i]->at + p * n * after,
                   (size_t)(n * after) * sizeof *y->at);
        begin += n;
    }
    ref_finish(r, y, (const RefTensor *const *)x, node->operand_count);
    return y;
}

static bool is_among(const int64_t *axes, uint32_t count, int64_t axis) {
    for (uint32_t i = 0; i < count; i++)
        if (axes[i] == axis)
            return true;
    return false;
}

/* The indices' axes stand where the first of the gathered axes was. */
static RefTensor *gather(Reference *r, const IrNode *node, RefTensor *x, RefTensor **indices) {
    const int64_t *axes = node->attributes;
    uint32_t rank = 0, count = node->attribute_count, first = (uint32_t)axes[0];
    int64_t shape[2 * IR_MAX_RANK], index[2 * IR_MAX_RANK] = {0}, at[IR_MAX_RANK];
    for (uint32_t k = 0; k < x->rank; k++) {
        for (uint32_t i = 0; k == first && i < indices[0]->rank; i++)
            shape[rank++] = indices[0]->shape[i];
        if (!is_among(axes, count, k))
            shape[rank++] = x->shape[k];
    }
    RefTensor *y = ref_tensor_new(r, x->dtype, rank, shape);
    for (int64_t i = 0; i < y->size; i++, ref_next(y, index)) {
        int64_t from = ref_offset(indices[0], index + first);
        for (uint32_t k = 0, next = 0, which = 0; k < x->rank; k++) {
            next += k == first ? indices[0]->rank : 0;
            at[k] = is_among(axes, count, k) ? indices[which++]->at[from].i : index[next++];
            if (at[k] < 0 || at[k] >= x->shape[k])
                ref_stop(r, REF_BROKEN, 0, "gather at %lld of %lld", (long long)at[k],
                         (long long)x->shape[k]);
        }
        y->at[i] = x->at[ref_offset(x, at)];
    }
    ref_finish(r, y, (const RefTensor *const *)&x, 1);
    return y;
}

/* x with a part replaced by v, in C order of v. */
static RefTensor *update(Reference *r, const IrNode *node, RefTensor **operands) {
    RefTensor *x = operands[0], *v = operands[1], **triples = operands + 2, **indices = triples + 3 * x->rank;
    const int64_t *axes = node->attributes + 2;
    uint32_t count = node->attribute_count - 2, rank = count ? indices[0]->rank : 0, lead = rank;
    int64_t shape[2 * IR_MAX_RANK], index[2 * IR_MAX_RANK] = {0}, at[IR_MAX_RANK];
    if (node->attributes[0] > 0)
        ref_stop(r, REF_TOO_MUCH, 0, "there is no reference for updates that combine");
    for (uint32_t i = 0; i < rank; i++)
        shape[i] = indices[0]->shape[i];
    for (uint32_t k = 0; k < x->rank; k++)
        if (!is_among(axes, count, k))
            shape[rank++] = triples[3 * k + 1]->at[0].i;
    RefTensor *y = ref_tensor_like(r, x->dtype, x), *part = ref_tensor_new(r, x->dtype, rank, shape);
    memcpy(y->at, x->at, (size_t)x->size * sizeof *x->at);
    for (int64_t i = 0; i < part->size; i++, ref_next(part, index)) {
        int64_t from = count ? ref_offset(indices[0], index) : 0;
        for (uint32_t k = 0, next = lead, which = 0; k < x->rank; k++) {
            at[k] = is_among(axes, count, k)
                        ? indices[which++]->at[from].i
                        : triples[3 * k]->at[0].i + index[next++] * triples[3 * k + 2]->at[0].i;
            if (at[k] < 0 || at[k] >= x->shape[k])
                ref_stop(r, REF_BROKEN, 0, "update at %lld of %lld", (long long)at[k],
                         (long long)x->shape[k]);
        }
        y->at[ref_offset(x, at)] = v->at[v->rank ? i : 0];
    }
    ref_finish(r, y, (const RefTensor *const[]){x, v}, 2);
    return y;
}

/* Where a mask is true, in C order, a row per axis. */
static RefTensor *nonzero(Reference *r, const RefTensor *mask, int64_t number) {
    RefTensor *y = ref_tensor_new(r, DTYPE_i64, 2, (int64_t[]){mask->rank, number});
    int64_t index[IR_MAX_RANK] = {0}, found = 0;
    for (int64_t i = 0; i < mask->size; i++, ref_next(mask, index)) {
        if (!mask->at[i].i)
            continue;
        for (uint32_t k = 0; k < mask->rank && found < number; k++)
            y->at[k * number + found].i = index[k];
        found++;
    }
    if (found != number)
        ref_stop(r, REF_BROKEN, 0, "nonzero finds %lld, not %lld", (long long)found, (long long)number);
    return y;
}

/* ---- linear systems --------------------------------------------------------------------------------------
 */

/* Gaussian elimination with partial pivoting of a [n, n] and b [n, k], both copies. */
static bool eliminate(long double *a, long double *b, int64_t n, int64_t k) {
    for (int64_t c = 0; c < n; c++) {
        int64_t p = c;
        for (int64_t i = c + 1; i < n; i++)
            if (fabsl(a[i * n + c]) > fabsl(a[p * n + c]))
                p = i;
        if (a[p * n + c] == 0)
            return false;
        for (int64_t j = 0; j < n; j++) {
            long double t = a[c * n + j];
            a[c * n + j] = a[p * n + j], a[p * n + j] = t;
        }
        for (int64_t j = 0; j < k; j++) {
            long double t = b[c * k + j];
            b[c * k + j] = b[p * k + j], b[p * k + j] = t;
        }
        for (int64_t i = 0; i < n; i++) {
            long double f = a[i * n + c] / a[c * n + c];
            for (int64_t j = c; j < n && i != c; j++)
                a[i * n + j] -= f * a[c * n + j];
            for (int64_t j = 0; j < k && i != c; j++)
                b[i * k + j] -= f * b[c * k + j];
        }
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < k; j++)
            b[i * k + j] /= a[i * n + i];
    return true;
}

static bool factor(long double *a, int64_t n) {
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < n; i++) {
            long double s = i < j ? 0 : a[i * n + j];
            for (int64_t k = 0; k < j && i >= j; k++)
                s -= a[i * n + k] * a[j * n + k];
            if (i == j && !(s > 0))
                return false;
            a[i * n + j] = i < j ? 0 : i == j ? sqrtl(s) : s / a[j * n + j];
        }
    return true;
}

/* One system, in lo's values or in hi's. */
static void run_system(Reference *r, const IrNode *node, RefTensor **x, int64_t batch, bool wide,
                       long double *out) {
    RefTensor *a = x[0], *last = x[node->operand_count - 1];
    int64_t n = a->shape[a->rank - 1], k = last->shape[last->rank - 1];
    long double *m = ARENA_ARRAY(r->arena, long double, (size_t)(n * n));
    for (int64_t i = 0; i < n * n; i++)
        m[i] = wide ? a->at[batch * n * n + i].hi : a->at[batch * n * n + i].lo;
    for (int64_t i = 0; i < n * k; i++)
        out[i] = wide ? last->at[batch * n * k + i].hi : last->at[batch * n * k + i].lo;
    bool ok = node->op == OP_solve ? eliminate(m, out, n, k) : factor(out, n);
    if (!ok)
        ref_stop(r, REF_FAILED, DIAG_E0304, "singular or not positive definite");
}

static RefTensor *solve(Reference *r, const IrNode *node, RefTensor **x) {
    RefTensor *a = x[0], *last = x[node->operand_count - 1];
    int64_t n = a->shape[a->rank - 1], k = last->shape[last->rank - 1], each = n * k;
    RefTensor *y = ref_tensor_like(r, a->dtype, last);
    long double *lo = ARENA_ARRAY(r->arena, long double, (size_t)each),
                *hi = ARENA_ARRAY(r->arena, long double, (size_t)each);
    for (int64_t g = 0; each && g < y->size / each; g++) {
        run_system(r, node, x, g, false, lo);
        run_system(r, node, x, g, true, hi);
        for (int64_t i = 0; i < each; i++)
            ref_set(y, g * each + i, (double)lo[i], hi[i], node->op == OP_cholesky && i / k < i % k);
    }
    ref_finish(r, y, (const RefTensor *const *)x, node->operand_count);
    return y;
}

RefTensor *ref_call(Reference *r, const IrNode *node, RefTensor **x) {
    switch (node->op) {
    case OP_matmul:
        return ref_matmul(r, x[0], x[1]);
    case OP_concat:
        return concat(r, node, x);
    case OP_gather:
        return gather(r, node, x[0], x + 1);
    case OP_update:
        return update(r, node, x);
    case OP_nonzero:
        return nonzero(r, x[0], x[1]->at[0].i);
    case OP_solve:
    case OP_cholesky:
        return solve(r, node, x);
    default:
        return ref_order(r, node, x);
    }
}
