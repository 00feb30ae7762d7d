/* simplify: elementwise ops on constants, with the semantics of ops.def: integers wrap, floats are computed
 * in their own precision (f16 and bf16 in f32, rounded once more), NumPy's rules for // and %. */
#include "ir/number.h"
#include "passes/simplify.h"
#include <math.h>

static uint64_t integer_power(uint64_t base, uint64_t exponent) {
    uint64_t result = 1;
    for (; exponent; exponent >>= 1, base *= base)
        if (exponent & 1)
            result *= base;
    return result;
}

static bool signed_division(Op op, int64_t a, int64_t b, uint64_t *out) {
    if (b == 0)
        return false;
    if (b == -1) /* a / -1 wraps */
        return *out = op == OP_floordiv ? 0 - (uint64_t)a : 0, true;
    int64_t quotient = a / b, remainder = a % b;
    if (remainder && (remainder < 0) != (b < 0))
        quotient--, remainder += b;
    return *out = (uint64_t)(op == OP_floordiv ? quotient : remainder), true;
}

static bool unsigned_division(Op op, uint64_t a, uint64_t b, uint64_t *out) {
    return b && (*out = op == OP_floordiv ? a / b : a % b, true);
}

static uint64_t shift(Op op, Dtype dtype, uint64_t a, uint64_t b) {
    bool too_far = b >= dtype_info[dtype].bytes * 8u; /* also any negative count */
    bool negative = dtype_kind(dtype) == KIND_SIGNED && (int64_t)a < 0;
    if (op == OP_left_shift)
        return too_far ? 0 : a << b;
    if (too_far)
        return negative ? UINT64_MAX : 0;
    return negative ? ~(~a >> b) : a >> b;
}

/* -1, 0 or 1 */
static int compare_integers(Dtype dtype, uint64_t a, uint64_t b) {
    if (dtype_kind(dtype) == KIND_SIGNED)
        return ((int64_t)a > (int64_t)b) - ((int64_t)a < (int64_t)b);
    return (a > b) - (a < b);
}

static bool compared(Op op, int order, uint64_t *out) {
    switch (op) {
    case OP_eq:
        return *out = order == 0, true;
    case OP_ne:
        return *out = order != 0, true;
    case OP_lt:
        return *out = order < 0, true;
    case OP_le:
        return *out = order <= 0, true;
    case OP_gt:
        return *out = order > 0, true;
    case OP_ge:
        return *out = order >= 0, true;
    default:
        return false;
    }
}

/* Operands are sign- or zero-extended; the low bits of *out are the result. */
static bool integer_op(Op op, Dtype dtype, uint64_t a, uint64_t b, uint64_t *out) {
    bool is_signed = dtype_kind(dtype) == KIND_SIGNED;
    int order = compare_integers(dtype, a, b);
    switch (op) {
    case OP_neg:
        return *out = 0 - a, true;
    case OP_abs:
        return *out = is_signed && (int64_t)a < 0 ? 0 - a : a, true;
    case OP_sign:
        return *out = is_signed && (int64_t)a < 0 ? UINT64_MAX : a != 0, true;
    case OP_floor:
    case OP_ceil:
    case OP_round:
    case OP_trunc:
        return *out = a, true;
    case OP_add:
        return *out = a + b, true;
    case OP_sub:
        return *out = a - b, true;
    case OP_mul:
        return *out = a * b, true;
    case OP_floordiv:
    case OP_mod:
        return is_signed ? signed_division(op, (int64_t)a, (int64_t)b, out)
                         : unsigned_division(op, a, b, out);
    case OP_pow:
        return !(is_signed && (int64_t)b < 0) && (*out = integer_power(a, b), true);
    case OP_minimum:
        return *out = order <= 0 ? a : b, true;
    case OP_maximum:
        return *out = order >= 0 ? a : b, true;
    case OP_bitwise_and:
        return *out = a & b, true;
    case OP_bitwise_or:
        return *out = a | b, true;
    case OP_bitwise_xor:
        return *out = a ^ b, true;
    case OP_left_shift:
    case OP_right_shift:
        return *out = shift(op, dtype, a, b), true;
    default:
        return compared(op, order, out);
    }
}

/* add is `or` and mul is `and`, as in NumPy. */
static bool bool_op(Op op, uint64_t a, uint64_t b, uint64_t *out) {
    switch (op) {
    case OP_logical_not:
        return *out = !a, true;
    case OP_add:
    case OP_maximum:
    case OP_logical_or:
    case OP_bitwise_or:
        return *out = a | b, true;
    case OP_mul:
    case OP_minimum:
    case OP_logical_and:
    case OP_bitwise_and:
        return *out = a & b, true;
    case OP_bitwise_xor:
        return *out = a ^ b, true;
    case OP_abs:
    case OP_floor:
    case OP_ceil:
    case OP_round:
    case OP_trunc:
        return *out = a, true;
    default:
        return compared(op, (a > b) - (a < b), out);
    }
}

/* ---- floats: values are held in double, which holds every one of them -----------------------------------
 */

/* The result of one operation in the compute dtype.  Rounding a double result once more is exact for
 * + - * / sqrt on f32, as 53 >= 2 * 24 + 2 significand bits. */
static double rounded(Dtype dtype, double value) {
    return dtype_info[dtype].compute == DTYPE_f32 ? (double)(float)value : value;
}

static double float_mod(double a, double b) {
    double remainder = fmod(a, b);
    if (remainder == 0)
        return copysign(0.0, b);
    return remainder;
}

/* npy_divmod: the quotient is made consistent with the remainder. */
static void float_divmod(Dtype dtype, double a, double b, double *quotient, double *remainder) {
    double mod = fmod(a, b), div = rounded(dtype, rounded(dtype, a - mod) / b);
    if (b == 0) {
        *quotient = rounded(dtype, a / b);
        *remainder = mod;
        return;
    }
    if (mod != 0 && (b < 0) != (mod < 0)) {
        mod = rounded(dtype, mod + b);
        div = rounded(dtype, div - 1);
    } else if (mod == 0)
        mod = float_mod(a, b);
    double whole = floor(div);
    if (div != 0 && rounded(dtype, div - whole) > 0.5)
        whole = rounded(dtype, whole + 1);
    *quotient = div != 0 ? whole : copysign(0.0, rounded(dtype, a / b));
    *remainder = mod;
}

static bool float_compare(Op op, double a, double b, uint64_t *out) {
    bool ordered = !isnan(a) && !isnan(b);
    if (!ordered)
        return compared(op, 0, out) && (*out = op == OP_ne, true);
    return compared(op, (a > b) - (a < b), out);
}

static bool float_extreme(Op op, double a, double b, double *out) {
    if (a == 0 && b == 0 && signbit(a) != signbit(b))
        return false; /* which zero wins is the machine's choice */
    if (isnan(a) || isnan(b))
        return *out = isnan(a) ? a : b, true;
    return *out = (a < b) == (op == OP_minimum) ? a : b, true;
}

static bool float_op(Op op, Dtype dtype, const double *x, double *out) {
    double quotient, remainder;
    switch (op) {
    case OP_neg:
        return *out = -x[0], true;
    case OP_abs:
        return *out = fabs(x[0]), true;
    case OP_sign:
        return *out = x[0] > 0 ? 1 : x[0] < 0 ? -1 : x[0] == 0 ? 0 : x[0], true;
    case OP_floor:
        return *out = floor(x[0]), true;
    case OP_ceil:
        return *out = ceil(x[0]), true;
    case OP_round:
        return *out = rint(x[0]), true;
    case OP_trunc:
        return *out = trunc(x[0]), true;
    case OP_sqrt:
        return *out = rounded(dtype, sqrt(x[0])), true;
    case OP_add:
        return *out = rounded(dtype, x[0] + x[1]), true;
    case OP_sub:
        return *out = rounded(dtype, x[0] - x[1]), true;
    case OP_mul:
        return *out = rounded(dtype, x[0] * x[1]), true;
    case OP_div:
        return *out = rounded(dtype, x[0] / x[1]), true;
    case OP_floordiv:
        return float_divmod(dtype, x[0], x[1], out, &remainder), true;
    case OP_mod:
        return float_divmod(dtype, x[0], x[1], &quotient, out), true;
    case OP_minimum:
    case OP_maximum:
        return float_extreme(op, x[0], x[1], out);
    case OP_fma:
        return *out = dtype == DTYPE_f64 ? fma(x[0], x[1], x[2])
                                         : (double)fmaf((float)x[0], (float)x[1], (float)x[2]),
               true;
    default:
        return false;
    }
}

static bool float_constant(Op op, Dtype dtype, const uint64_t *bits, uint64_t *out) {
    double x[3] = {0}, value;
    for (uint32_t i = 0; i < op_info[op].arity; i++)
        x[i] = number_value(dtype, bits[i]);
    if (op_info[op].dtype == RULE_BOOL)
        return float_compare(op, x[0], x[1], out);
    if (!float_op(op, dtype, x, &value))
        return false;
    *out = number_float_bits(dtype, isnan(value) ? (double)NAN : value);
    return true;
}

bool simplify_constant(Op op, Dtype dtype, const uint64_t *bits, uint64_t *out) {
    if (op == OP_where)
        return *out = bits[0] ? bits[1] : bits[2], true;
    switch (dtype_kind(dtype)) {
    case KIND_BOOL:
        return bool_op(op, bits[0], bits[1], out);
    case KIND_FLOAT:
        return float_constant(op, dtype, bits, out);
    case KIND_COMPLEX:
        return false;
    default:
        break;
    }
    if (!integer_op(op, dtype, (uint64_t)number_integer(dtype, bits[0]),
                    (uint64_t)number_integer(dtype, bits[1]), out))
        return false;
    if (op_info[op].dtype != RULE_BOOL)
        *out = number_integer_bits(dtype, *out);
    return true;
}
