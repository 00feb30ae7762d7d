/* Elementwise ops and casts of the reference evaluator. */
#include "tests/reference/reference.h"

#include <math.h>

#define REAL       double
#define F(name)    name
#define NAME(name) narrow_##name
#include "tests/reference/real_ops.inc"
#define REAL       long double
#define F(name)    name##l
#define NAME(name) wide_##name
#include "tests/reference/real_ops.inc"

/* ---- floats: where the outcome hangs on a rounding ------------------------------------------------------
 */

/* Functions that are not rounded correctly, so that nothing of theirs is exact. */
static bool is_approximate(Op op) {
    return op_is_math(op) || op == OP_hypot || op == OP_atan2;
}

static void decide_unary(Reference *r, Op op, const RefTensor *x, int64_t i) {
    long double v = x->at[i].hi;
    switch (op) {
    case OP_sign:
    case OP_sqrt:
    case OP_log:
    case OP_log2:
    case OP_log10:
        ref_decide(r, x, i, 0);
        break;
    case OP_floor:
    case OP_ceil:
    case OP_trunc:
        ref_decide(r, x, i, rintl(v));
        break;
    case OP_round:
        ref_decide(r, x, i, floorl(v) + 0.5L);
        break;
    case OP_log1p:
        ref_decide(r, x, i, -1);
        break;
    case OP_asin:
    case OP_acos:
    case OP_acosh:
    case OP_atanh:
        ref_decide(r, x, i, 1);
        ref_decide(r, x, i, -1);
        break;
    default:
        break;
    }
    /* Reducing a large argument is not asked to be accurate, nor is a function where it is steep. */
    if ((op == OP_sin || op == OP_cos || op == OP_tan) && fabsl(v) > 1e4L)
        ref_stop(r, REF_UNSTABLE, 0, "a large angle");
}

/* Division with remainder needs operands that are known and a quotient that the dtype can count to. */
static void decide_division(Reference *r, const RefTensor *x, const RefTensor *y, int64_t i) {
    double limit = x->dtype == DTYPE_bf16 ? 60 : x->dtype == DTYPE_f16 ? 500 : 1e5;
    long double a = x->at[i].hi, b = y->at[i].hi;
    if (!x->at[i].exact || !y->at[i].exact || isinf(a) || isinf(b) || fabsl(a) > limit * fabsl(b))
        ref_stop(r, REF_UNSTABLE, 0, "a remainder of rounded numbers");
}

static void decide_binary(Reference *r, Op op, const RefTensor *x, const RefTensor *y, int64_t i) {
    long double a = x->at[i].hi, b = y->at[i].hi;
    double slack = ref_slack(x, i) + ref_slack(y, i);
    switch (op) {
    case OP_div:
        ref_decide(r, y, i, 0);
        break;
    case OP_floordiv:
    case OP_mod:
    case OP_fmod:
        decide_division(r, x, y, i);
        break;
    case OP_pow:
        ref_decide(r, x, i, 0);
        if (a < 0)
            ref_decide(r, y, i, rintl(b));
        break;
    case OP_atan2:
    case OP_copysign: /* the sign of zero */
        ref_decide(r, op == OP_atan2 ? x : y, i, 0);
        if ((op == OP_atan2 ? a : b) == 0)
            ref_stop(r, REF_UNSTABLE, 0, "the sign of zero");
        break;
    case OP_eq:
    case OP_ne:
    case OP_lt:
    case OP_le:
    case OP_gt:
    case OP_ge:
        if (slack > 0 && fabsl(a - b) <= slack)
            ref_stop(r, REF_UNSTABLE, 0, "a comparison of almost equal numbers");
        break;
    default:
        break;
    }
}

/* ---- integers and bool ----------------------------------------------------------------------------------
 */

static int compare_integers(Dtype dtype, int64_t a, int64_t b) {
    if (dtype == DTYPE_u64)
        return ((uint64_t)a > (uint64_t)b) - ((uint64_t)a < (uint64_t)b);
    return (a > b) - (a < b);
}

/* The floored quotient and its remainder; b is not 0. */
static void divide_integers(Dtype dtype, int64_t a, int64_t b, uint64_t *quotient, uint64_t *rest) {
    if (dtype == DTYPE_u64) {
        *quotient = (uint64_t)a / (uint64_t)b;
        *rest = (uint64_t)a % (uint64_t)b;
        return;
    }
    if (b == -1) {
        *quotient = 0 - (uint64_t)a;
        *rest = 0;
        return;
    }
    bool below = a % b != 0 && (a < 0) != (b < 0);
    *quotient = (uint64_t)(a / b - below);
    *rest = (uint64_t)(a % b + (below ? b : 0));
}

static uint64_t power(uint64_t base, uint64_t exponent) {
    uint64_t result = 1;
    for (; exponent; exponent >>= 1, base *= base)
        result *= exponent & 1 ? base : 1;
    return result;
}

/* Philox4x32-10, Salmon et al. 2011: the first two words of block `counter` under `key`. */
static uint64_t philox(uint64_t key, uint64_t counter) {
    uint32_t c[4] = {(uint32_t)counter, (uint32_t)(counter >> 32), 0, 0};
    uint32_t k[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
    for (int round = 0; round < 10; round++) {
        uint64_t p = 0xD2511F53ull * c[0], q = 0xCD9E8D57ull * c[2];
        uint32_t next[4] = {(uint32_t)(q >> 32) ^ c[1] ^ k[0], (uint32_t)q, (uint32_t)(p >> 32) ^ c[3] ^ k[1],
                            (uint32_t)p};
        memcpy(c, next, sizeof c);
        k[0] += 0x9E3779B9u;
        k[1] += 0xBB67AE85u;
    }
    return (uint64_t)c[1] << 32 | c[0];
}

static uint64_t shift(Dtype dtype, Op op, int64_t a, int64_t b) {
    unsigned width = 8u * dtype_info[dtype].bytes;
    bool is_far = b < 0 || (uint64_t)b >= width;
    if (op == OP_left_shift)
        return is_far ? 0 : (uint64_t)a << b;
    if (dtype_kind(dtype) == KIND_SIGNED)
        return (uint64_t)(a >> (is_far ? 63 : b));
    return is_far ? 0 : (uint64_t)a >> b;
}

static uint64_t integer_division(Reference *r, Op op, Dtype dtype, int64_t a, int64_t b) {
    uint64_t quotient, rest;
    if (b == 0)
        ref_stop(r, REF_FAILED, DIAG_E0303, "integer division by zero");
    divide_integers(dtype, a, b, &quotient, &rest);
    if (op == OP_fmod && rest && dtype != DTYPE_u64 && ((int64_t)rest < 0) != (a < 0))
        rest -= (uint64_t)b;
    return op == OP_floordiv ? quotient : rest;
}

static uint64_t integer_binary(Reference *r, Op op, Dtype dtype, int64_t a, int64_t b) {
    int order = compare_integers(dtype, a, b);
    switch (op) {
    case OP_add:
        return dtype == DTYPE_bool ? (uint64_t)(a | b) : (uint64_t)a + (uint64_t)b;
    case OP_sub:
        return (uint64_t)a - (uint64_t)b;
    case OP_mul:
        return (uint64_t)a * (uint64_t)b;
    case OP_floordiv:
    case OP_mod:
    case OP_fmod:
        return integer_division(r, op, dtype, a, b);
    case OP_pow:
        if (dtype != DTYPE_u64 && b < 0)
            ref_stop(r, REF_FAILED, DIAG_E0307, "an integer to a negative power");
        return power((uint64_t)a, (uint64_t)b);
    case OP_minimum:
        return (uint64_t)(order < 0 ? a : b);
    case OP_maximum:
        return (uint64_t)(order > 0 ? a : b);
    case OP_eq:
        return order == 0;
    case OP_ne:
        return order != 0;
    case OP_lt:
        return order < 0;
    case OP_le:
        return order <= 0;
    case OP_gt:
        return order > 0;
    case OP_ge:
        return order >= 0;
    case OP_logical_and:
    case OP_bitwise_and:
        return (uint64_t)(a & b);
    case OP_logical_or:
    case OP_bitwise_or:
        return (uint64_t)(a | b);
    case OP_bitwise_xor:
        return (uint64_t)(a ^ b);
    case OP_left_shift:
    case OP_right_shift:
        return shift(dtype, op, a, b);
    case OP_philox:
        return philox((uint64_t)a, (uint64_t)b);
    default:
        ref_stop(r, REF_BROKEN, 0, "%s of integers", op_name(op));
    }
}

static uint64_t integer_unary(Reference *r, Op op, Dtype dtype, int64_t a) {
    bool is_negative = dtype_kind(dtype) == KIND_SIGNED && a < 0;
    switch (op) {
    case OP_neg:
        return 0 - (uint64_t)a;
    case OP_abs:
        return is_negative ? 0 - (uint64_t)a : (uint64_t)a;
    case OP_sign:
        return is_negative ? UINT64_MAX : a != 0;
    case OP_floor:
    case OP_ceil:
    case OP_round:
    case OP_trunc:
        return (uint64_t)a;
    case OP_logical_not:
        return !a;
    default:
        ref_stop(r, REF_BROKEN, 0, "%s of integers", op_name(op));
    }
}

/* ---- ops ------------------------------------------------------------------------------------------------
 */

static void float_element(Reference *r, Op op, RefTensor *y, RefTensor **x, int64_t i) {
    const RefElement *a = &x[0]->at[i], *b = op_info[op].arity > 1 ? &x[1]->at[i] : NULL;
    if (!b) {
        decide_unary(r, op, x[0], i);
        ref_set(y, i, narrow_unary(op, a->lo), wide_unary(op, a->hi), a->exact && !is_approximate(op));
        return;
    }
    if (op == OP_fma) {
        const RefElement *c = &x[2]->at[i];
        ref_set(y, i, fma(a->lo, b->lo, c->lo), fmal(a->hi, b->hi, c->hi), a->exact && b->exact && c->exact);
        return;
    }
    decide_binary(r, op, x[0], x[1], i);
    if (!dtype_is_float(y->dtype)) {
        y->at[i].i = narrow_compare(op, a->lo, b->lo);
        if (y->at[i].i != wide_compare(op, a->hi, b->hi))
            ref_stop(r, REF_UNSTABLE, 0, "two precisions compare differently");
        return;
    }
    double lo = narrow_binary(op, a->lo, b->lo);
    if (x[0]->dtype != DTYPE_f64 && (op == OP_floordiv || op == OP_mod))
        lo = (double)wide_binary(op, a->hi, b->hi); /* rounded once */
    ref_set(y, i, lo, wide_binary(op, a->hi, b->hi), a->exact && b->exact && !is_approximate(op));
}

static void element(Reference *r, Op op, RefTensor *y, RefTensor **x, int64_t i) {
    if (op == OP_where)
        y->at[i] = x[x[0]->at[i].i ? 1 : 2]->at[i];
    else if (dtype_is_float(x[0]->dtype))
        float_element(r, op, y, x, i);
    else if (op_info[op].arity == 1)
        y->at[i].i = ref_wrap(y->dtype, integer_unary(r, op, x[0]->dtype, x[0]->at[i].i));
    else
        y->at[i].i = ref_wrap(y->dtype, integer_binary(r, op, x[0]->dtype, x[0]->at[i].i, x[1]->at[i].i));
}

RefTensor *ref_elementwise(Reference *r, const IrNode *node, RefTensor **x) {
    RefTensor *y = ref_tensor_like(r, ir_dtype(node), x[0]);
    for (uint32_t k = 1; k < node->operand_count; k++)
        if (x[k]->size != y->size)
            ref_stop(r, REF_BROKEN, 0, "operands of %s differ in size", op_name(node->op));
    for (int64_t i = 0; i < y->size; i++)
        element(r, node->op, y, x, i);
    ref_finish(r, y, (const RefTensor *const *)x, node->operand_count);
    return y;
}

/* ---- casts ----------------------------------------------------------------------------------------------
 */

static long double least_of(Dtype dtype) {
    return dtype_kind(dtype) == KIND_SIGNED ? -ldexpl(1, 8 * dtype_info[dtype].bytes - 1) : 0;
}

static long double most_of(Dtype dtype) {
    return ldexpl(1, 8 * dtype_info[dtype].bytes - (dtype_kind(dtype) == KIND_SIGNED)) - 1;
}

/* Truncated; what is out of range gives the nearest that is in range, NaN gives 0. */
static int64_t float_to_integer(Reference *r, const RefTensor *x, int64_t i, Dtype to) {
    long double v = x->at[i].hi, whole = truncl(v);
    if (to == DTYPE_bool) {
        ref_decide(r, x, i, 0);
        return v != 0;
    }
    ref_decide(r, x, i, rintl(v));
    if (isnan(v))
        return 0;
    whole = whole < least_of(to) ? least_of(to) : whole > most_of(to) ? most_of(to) : whole;
    return to == DTYPE_u64 ? (int64_t)(uint64_t)whole : (int64_t)whole;
}

static void integer_to_float(RefTensor *y, int64_t i, int64_t value, Dtype from) {
    bool is_u64 = from == DTYPE_u64;
    double lo = y->dtype == DTYPE_f64 ? (is_u64 ? (double)(uint64_t)value : (double)value)
                                      : (is_u64 ? (double)(float)(uint64_t)value : (double)(float)value);
    ref_set(y, i, lo, is_u64 ? (long double)(uint64_t)value : (long double)value, true);
}

RefTensor *ref_cast(Reference *r, RefTensor *x, Dtype dtype) {
    if (x->dtype == dtype)
        return x;
    RefTensor *y = ref_tensor_like(r, dtype, x);
    for (int64_t i = 0; i < y->size; i++) {
        const RefElement *e = &x->at[i];
        if (dtype_is_float(x->dtype) && dtype_is_float(dtype))
            ref_set(y, i, e->lo, e->hi, e->exact);
        else if (dtype_is_float(x->dtype))
            y->at[i].i = float_to_integer(r, x, i, dtype);
        else if (dtype_is_float(dtype))
            integer_to_float(y, i, e->i, x->dtype);
        else
            y->at[i].i = dtype == DTYPE_bool ? e->i != 0 : ref_wrap(dtype, (uint64_t)e->i);
    }
    ref_finish(r, y, (const RefTensor *const *)&x, 1);
    return y;
}
