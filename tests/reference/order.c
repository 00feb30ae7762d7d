/* Sorting, scans, searches and counting of the reference evaluator. */
#include "tests/reference/reference.h"

#include <math.h>

/* NaN after everything. */
static int compare(const RefTensor *x, int64_t i, const RefTensor *y, int64_t j) {
    if (!dtype_is_float(x->dtype)) {
        int64_t a = x->at[i].i, b = y->at[j].i;
        return x->dtype == DTYPE_u64 ? ((uint64_t)a > (uint64_t)b) - ((uint64_t)a < (uint64_t)b)
                                     : (a > b) - (a < b);
    }
    long double a = x->at[i].hi, b = y->at[j].hi;
    if (isnan(a) || isnan(b))
        return isnan(a) - isnan(b);
    return (a > b) - (a < b);
}

static void decide_order(Reference *r, const RefTensor *x, int64_t i, const RefTensor *y, int64_t j) {
    double slack = ref_slack(x, i) + ref_slack(y, j);
    if (slack > 0 && fabsl(x->at[i].hi - y->at[j].hi) <= slack)
        ref_stop(r, REF_UNSTABLE, 0, "the order of almost equal numbers");
}

/* A line along an axis: elements begin + i * step. */
typedef struct Line {
    int64_t begin, step, n;
} Line;

static Line line_at(const RefTensor *x, int64_t axis, int64_t number) {
    int64_t after = 1;
    for (uint32_t k = x->rank; k-- > (uint32_t)axis + 1;)
        after *= x->shape[k];
    int64_t n = x->shape[axis];
    return (Line){number / after * after * n + number % after, after, n};
}

/* Insertion keeps equal elements in their order. */
static void sort_line(Reference *r, const RefTensor *x, Line line, bool descending, int64_t *order) {
    for (int64_t i = 0; i < line.n; i++) {
        int64_t k = i, at = line.begin + i * line.step;
        for (; k > 0; k--) {
            int sign = compare(x, at, x, order[k - 1]);
            if (descending ? sign <= 0 : sign >= 0)
                break;
            order[k] = order[k - 1];
        }
        order[k] = at;
    }
    if ((r->budget -= line.n * line.n / 64) < 0)
        ref_stop(r, REF_TOO_MUCH, 0, "a long sort");
}

static RefTensor *sort(Reference *r, const IrNode *node, RefTensor *x) {
    RefTensor *y = ref_tensor_like(r, ir_dtype(node), x);
    int64_t axis = node->attributes[0], n = x->shape[axis],
            *order = ARENA_ARRAY(r->arena, int64_t, (size_t)n);
    for (int64_t l = 0; n && l < x->size / n; l++) {
        Line line = line_at(x, axis, l);
        sort_line(r, x, line, node->attributes[1] == 1, order);
        for (int64_t i = 0; i < n; i++) {
            int64_t at = line.begin + i * line.step;
            if (node->op == OP_argsort && i)
                decide_order(r, x, order[i], x, order[i - 1]);
            if (node->op == OP_sort)
                y->at[at] = x->at[order[i]];
            else
                y->at[at].i = (order[i] - line.begin) / line.step;
        }
    }
    ref_finish(r, y, (const RefTensor *const *)&x, 1);
    return y;
}

static Dtype scan_accumulator(Dtype dtype) {
    return dtype == DTYPE_f32 ? DTYPE_f64 : dtype_info[dtype].compute;
}

static bool is_small(const RefTensor *y, long double v) {
    long double unit = y->dtype == DTYPE_f16 || y->dtype == DTYPE_bf16 ? 0.25L : 0x1p-10L;
    return v / unit == rintl(v / unit) && fabsl(v / unit) < (y->dtype == DTYPE_bf16 ? 256 : 2048);
}

static void scan_line(const IrNode *node, const RefTensor *x, RefTensor *y, Line line) {
    double lo = 0;
    long double hi = 0, reach = 0;
    bool exact = true;
    uint64_t total = 0;
    int64_t best = line.begin;
    for (int64_t i = 0; i < line.n; i++) {
        int64_t at = line.begin + i * line.step;
        const RefElement *e = &x->at[at];
        if (node->op == OP_cummax || node->op == OP_cummin) {
            int sign = compare(x, at, x, best);
            bool is_nan = dtype_is_float(x->dtype) && isnan(x->at[best].hi);
            if (!is_nan &&
                (node->op == OP_cummax ? sign > 0 : sign < 0 || (dtype_is_float(x->dtype) && isnan(e->hi))))
                best = at;
            y->at[at] = x->at[best];
            continue;
        }
        bool is_sum = node->op == OP_cumsum;
        if (!dtype_is_float(x->dtype)) {
            total = i == 0 ? (uint64_t)e->i : is_sum ? total + (uint64_t)e->i : total * (uint64_t)e->i;
            if (x->dtype == DTYPE_bool)
                total = total != 0;
            y->at[at].i = ref_wrap(y->dtype, total);
            continue;
        }
        lo = i == 0 ? e->lo : ref_round(scan_accumulator(x->dtype), is_sum ? lo + e->lo : lo * e->lo);
        hi = i == 0 ? e->hi : is_sum ? hi + e->hi : hi * e->hi;
        reach = is_sum ? reach + fabsl(e->hi) : hi;
        exact = exact && e->exact && is_small(y, e->hi) && is_small(y, reach);
        ref_set(y, at, lo, hi, exact);
    }
}

static RefTensor *scan(Reference *r, const IrNode *node, RefTensor *x) {
    RefTensor *y = ref_tensor_like(r, ir_dtype(node), x);
    int64_t axis = node->attributes[0], n = x->shape[axis];
    for (int64_t l = 0; n && l < x->size / n; l++)
        scan_line(node, x, y, line_at(x, axis, l));
    ref_finish(r, y, (const RefTensor *const *)&x, 1);
    return y;
}

static RefTensor *search(Reference *r, const IrNode *node, RefTensor *sorted, RefTensor *values) {
    RefTensor *y = ref_tensor_like(r, DTYPE_i64, values);
    for (int64_t i = 0; i < y->size; i++)
        for (int64_t k = 0; k < sorted->size; k++) {
            int sign = compare(sorted, k, values, i);
            decide_order(r, sorted, k, values, i);
            y->at[i].i += sign < 0 || (sign == 0 && node->attributes[0] == 1);
        }
    return y;
}

static RefTensor *count(Reference *r, const RefTensor *x, const RefTensor *extent) {
    RefTensor *y = ref_tensor_new(r, DTYPE_i64, 1, (int64_t[]){extent->at[0].i});
    for (int64_t i = 0; i < x->size; i++) {
        if (x->at[i].i < 0 || x->at[i].i >= y->size)
            ref_stop(r, REF_FAILED, DIAG_E0302, "bincount of %lld", (long long)x->at[i].i);
        y->at[x->at[i].i].i++;
    }
    return y;
}

RefTensor *ref_order(Reference *r, const IrNode *node, RefTensor **x) {
    switch (node->op) {
    case OP_sort:
    case OP_argsort:
        return sort(r, node, x[0]);
    case OP_searchsorted:
        return search(r, node, x[0], x[1]);
    case OP_bincount:
        return count(r, x[0], x[1]);
    case OP_cumsum:
    case OP_cumprod:
    case OP_cummax:
    case OP_cummin:
        return scan(r, node, x[0]);
    default:
        ref_stop(r, REF_BROKEN, 0, "no reference for %s", op_name(node->op));
    }
}
