/* Arithmetic on scalar constants while elaborating: literals, `const`, axes, sizes.  Integers as run-time
 * code would (what overflows is left to it), floats in f64 and rounded once. */
#include "frontend/elab.h"
#include <math.h>

static bool fold_power(int64_t base, int64_t exponent, int64_t *out) {
    *out = 1;
    if (base == 0 || base == 1)
        return *out = exponent == 0 || base == 1, true;
    if (base == -1)
        return *out = exponent % 2 ? -1 : 1, true;
    for (int64_t k = 0; k < exponent; k++) /* at most 64 rounds before it overflows */
        if (__builtin_mul_overflow(*out, base, out))
            return false;
    return true;
}

static bool fold_integers(Op op, int64_t a, int64_t b, int64_t *out) {
    switch (op) {
    case OP_add:
        return !__builtin_add_overflow(a, b, out);
    case OP_sub:
        return !__builtin_sub_overflow(a, b, out);
    case OP_mul:
        return !__builtin_mul_overflow(a, b, out);
    case OP_neg:
        return !__builtin_sub_overflow(0, a, out);
    case OP_floordiv:
    case OP_mod: {
        if (b == 0 || (b == -1 && a == INT64_MIN))
            return false;
        int64_t quotient = a / b - (a % b != 0 && (a < 0) != (b < 0));
        *out = op == OP_floordiv ? quotient : a - quotient * b;
        return true;
    }
    case OP_pow:
        return b >= 0 && fold_power(a, b, out);
    case OP_minimum:
        return *out = a < b ? a : b, true;
    case OP_maximum:
        return *out = a > b ? a : b, true;
    case OP_abs:
        return a != INT64_MIN && (*out = a < 0 ? -a : a, true);
    default:
        return false;
    }
}

static bool fold_floats(Op op, double a, double b, double *out) {
    switch (op) {
    case OP_add:
        return *out = a + b, true;
    case OP_sub:
        return *out = a - b, true;
    case OP_mul:
        return *out = a * b, true;
    case OP_div:
        return *out = a / b, true;
    case OP_neg:
        return *out = -a, true;
    case OP_abs:
        return *out = fabs(a), true;
    case OP_sqrt:
        return *out = sqrt(a), true;
    case OP_pow:
        return *out = pow(a, b), true;
    case OP_floor:
        return *out = floor(a), true;
    case OP_ceil:
        return *out = ceil(a), true;
    default:
        return false;
    }
}

static bool fold_comparison(Op op, double a, double b, bool *out) {
    switch (op) {
    case OP_eq:
        return *out = a == b, true;
    case OP_ne:
        return *out = a != b, true;
    case OP_lt:
        return *out = a < b, true;
    case OP_le:
        return *out = a <= b, true;
    case OP_gt:
        return *out = a > b, true;
    case OP_ge:
        return *out = a >= b, true;
    case OP_logical_and:
        return *out = a && b, true;
    case OP_logical_or:
        return *out = a || b, true;
    case OP_logical_not:
        return *out = !a, true;
    default:
        return false;
    }
}

/* A constant in i64, f64 or bool: the dtypes that literals have. */
static bool as_constant(Value value, Value *out) {
    if (value.kind == VALUE_TENSOR && ir_is_const(value.node))
        value = elab_constant(ir_dtype(value.node), (uint64_t)value.node->attributes[0], value.is_weak);
    *out = value;
    return value.kind == VALUE_CONSTANT &&
           (value.dtype == DTYPE_i64 || value.dtype == DTYPE_f64 || value.dtype == DTYPE_bool);
}

static double number_of(Value value) {
    union {
        uint64_t bits;
        double number;
    } f64 = {.bits = value.bits};
    return value.dtype == DTYPE_f64 ? f64.number : (double)(int64_t)value.bits;
}

static bool is_exact(Value value) { /* as a double */
    int64_t integer = (int64_t)value.bits;
    return value.dtype == DTYPE_f64 || (integer < (int64_t)1 << 53 && integer > -((int64_t)1 << 53));
}

bool elab_fold(Elaborator *e, Op op, const Value *operands, uint32_t count, Value *out) {
    (void)e;
    Value x = {0}, y = {0};
    if (count > 2 || !as_constant(operands[0], &x) || (count > 1 && !as_constant(operands[1], &y)))
        return false;
    if (count == 1)
        y = x;
    bool truth, is_weak = x.is_weak && y.is_weak;
    if (is_exact(x) && is_exact(y) && fold_comparison(op, number_of(x), number_of(y), &truth)) {
        *out = elab_constant(DTYPE_bool, truth, is_weak);
        return true;
    }
    int64_t integer;
    if (x.dtype == DTYPE_i64 && y.dtype == DTYPE_i64 && op_info[op].dtype != RULE_FLOAT) {
        if (!fold_integers(op, (int64_t)x.bits, (int64_t)y.bits, &integer))
            return false;
        *out = elab_constant(DTYPE_i64, (uint64_t)integer, is_weak);
        return true;
    }
    union {
        uint64_t bits;
        double number;
    } f64;
    bool is_float = x.dtype == DTYPE_f64 || y.dtype == DTYPE_f64 ||
                    (op_info[op].dtype == RULE_FLOAT && x.dtype == DTYPE_i64 && y.dtype == DTYPE_i64);
    if (!is_float || !is_exact(x) || !is_exact(y) ||
        !fold_floats(op, number_of(x), number_of(y), &f64.number))
        return false;
    *out = elab_constant(DTYPE_f64, f64.bits, is_weak);
    return true;
}
