/* simplify: algebra of elementwise ops and casts.  Every rule gives the same bits for all values, signed
 * zeros, infinities and NaN included (which NaN is not promised). */
#include "ir/number.h"
#include "passes/simplify.h"
#include <math.h>
#include <stdlib.h>

bool simplify_splat(const IrNode *node, uint64_t *bits) {
    while (op_is_view(node->op))
        node = node->operands[0];
    if (!ir_is_const(node))
        return false;
    *bits = (uint64_t)node->attributes[0];
    return true;
}

IrNode *simplify_repeat(IrBuilder *b, IrNode *scalar, const IrType *type) {
    return type->rank ? ir_broadcast(b, scalar, NULL, type->dims, type->rank) : scalar;
}

static uint64_t bits_of(Dtype dtype, int value) {
    return dtype_is_float(dtype) ? number_float_bits(dtype, value)
                                 : number_integer_bits(dtype, (uint64_t)(int64_t)value);
}

/* True if every element of x is exactly `value` (+0.0 for 0). */
static bool is_all(const IrNode *x, int value) {
    uint64_t bits;
    return simplify_splat(x, &bits) && bits == bits_of(ir_dtype(x), value);
}

static bool is_all_negative_zero(const IrNode *x) {
    uint64_t bits;
    return simplify_splat(x, &bits) && bits == number_float_bits(ir_dtype(x), -0.0);
}

/* `value` in every element, typed and shaped as `like` (dtype apart). */
static IrNode *all(IrBuilder *b, Dtype dtype, int value, const IrNode *like) {
    return simplify_repeat(b, ir_const(b, dtype, bits_of(dtype, value)), ir_type(like));
}

static bool is_float(const IrNode *x) {
    return dtype_is_float(ir_dtype(x)) || dtype_kind(ir_dtype(x)) == KIND_COMPLEX;
}

static bool is_complex(const IrNode *x) {
    return dtype_kind(ir_dtype(x)) == KIND_COMPLEX;
}

/* ---- one operand
 * -------------------------------------------------------------------------------------------- */

static bool is_rounding(Op op) {
    return op == OP_floor || op == OP_ceil || op == OP_round || op == OP_trunc;
}

/* The comparison that is true exactly when `op` is false, or OP_none. */
static Op opposite(Op op, bool total_order) {
    switch (op) {
    case OP_eq:
        return OP_ne;
    case OP_ne:
        return OP_eq;
    case OP_lt:
        return total_order ? OP_ge : OP_none;
    case OP_le:
        return total_order ? OP_gt : OP_none;
    case OP_gt:
        return total_order ? OP_le : OP_none;
    case OP_ge:
        return total_order ? OP_lt : OP_none;
    default:
        return OP_none;
    }
}

static IrNode *simplify_not(IrBuilder *b, IrNode *x) {
    if (x->op == OP_logical_not)
        return x->operands[0];
    Op op = op_is_elementwise(x->op) ? opposite(x->op, !is_float(x->operands[0])) : OP_none;
    return op ? ir_binary(b, op, x->operands[0], x->operands[1]) : NULL;
}

static IrNode *simplify_unary(IrBuilder *b, Op op, IrNode *x) {
    DtypeKind kind = dtype_kind(ir_dtype(x));
    switch (op) {
    case OP_neg:
        return x->op == OP_neg ? x->operands[0] : NULL;
    case OP_abs:
        if (kind == KIND_BOOL || kind == KIND_UNSIGNED || x->op == OP_abs)
            return x;
        return x->op == OP_neg ? ir_unary(b, OP_abs, x->operands[0]) : NULL;
    case OP_logical_not:
        return simplify_not(b, x);
    default:
        return is_rounding(op) && (!is_float(x) || is_rounding(x->op)) ? x : NULL;
    }
}

/* ---- sums and products
 * ------------------------------------------------------------------------------------- */

static IrNode *simplify_add(IrBuilder *b, IrNode *x, IrNode *y) {
    if (is_float(x) ? is_all_negative_zero(y) : is_all(y, 0))
        return x;
    if (is_float(x) ? is_all_negative_zero(x) : is_all(x, 0))
        return y;
    if (y->op == OP_neg)
        return ir_binary(b, OP_sub, x, y->operands[0]);
    return x->op == OP_neg ? ir_binary(b, OP_sub, y, x->operands[0]) : NULL;
}

static IrNode *simplify_sub(IrBuilder *b, IrNode *x, IrNode *y) {
    if (is_all(y, 0))
        return x;
    if (y->op == OP_neg)
        return ir_binary(b, OP_add, x, y->operands[0]);
    return x == y && !is_float(x) ? all(b, ir_dtype(x), 0, x) : NULL;
}

static IrNode *simplify_mul(IrNode *x, IrNode *y) {
    if (is_all(y, 1))
        return x;
    if (is_all(x, 1))
        return y;
    if (is_float(x))
        return NULL;
    return is_all(y, 0) ? y : is_all(x, 0) ? x : NULL;
}

/* x / 2^k is x * 2^-k, bit for bit, where both are normal numbers. */
static IrNode *simplify_div(IrBuilder *b, IrNode *x, IrNode *y) {
    uint64_t bits, inverse;
    Dtype dtype = ir_dtype(x);
    if (is_all(y, 1))
        return x;
    if (!dtype_is_float(dtype) || !simplify_splat(y, &bits))
        return NULL;
    double value = number_value(dtype, bits);
    int exponent;
    if (fabs(frexp(value, &exponent)) != 0.5 || abs(exponent) > (dtype == DTYPE_f16 ? 13 : 120))
        return NULL;
    inverse = number_float_bits(dtype, 1 / value);
    return ir_binary(b, OP_mul, x, simplify_repeat(b, ir_const(b, dtype, inverse), ir_type(x)));
}

/* x^2 is x * x correctly rounded; x^0.5 is not sqrt(x) (at -0.0 and -inf), x^3 rounds twice as a product. */
static IrNode *simplify_pow(IrBuilder *b, IrNode *x, IrNode *y) {
    if (is_all(y, 0))
        return all(b, ir_dtype(x), 1, x);
    if (is_all(y, 1))
        return x;
    if (is_all(y, 2))
        return ir_binary(b, OP_mul, x, x);
    if (dtype_is_float(ir_dtype(x)) && is_all(y, -1))
        return ir_binary(b, OP_div, all(b, ir_dtype(x), 1, x), x);
    if (is_float(x))
        return NULL;
    IrNode *square = ir_binary(b, OP_mul, x, x);
    return is_all(y, 3)   ? ir_binary(b, OP_mul, square, x)
           : is_all(y, 4) ? ir_binary(b, OP_mul, square, square)
                          : NULL;
}

static IrNode *simplify_integer_division(IrBuilder *b, Op op, IrNode *x, IrNode *y) {
    if (is_float(x) || !is_all(y, 1))
        return NULL;
    return op == OP_floordiv ? x : all(b, ir_dtype(x), 0, x);
}

/* ---- logic, bits, comparisons
 * --------------------------------------------------------------------------------- */

/* `and` keeps `one` and is absorbed by 0; `or` the other way round. */
static IrNode *simplify_lattice(IrNode *x, IrNode *y, int keeps, int absorbs) {
    if (x == y || is_all(y, keeps) || is_all(x, absorbs))
        return x;
    return is_all(x, keeps) || is_all(y, absorbs) ? y : NULL;
}

static IrNode *simplify_logic(IrBuilder *b, Op op, IrNode *x, IrNode *y) {
    int ones = ir_dtype(x) == DTYPE_bool ? 1 : -1;
    switch (op) {
    case OP_logical_and:
    case OP_bitwise_and:
        return simplify_lattice(x, y, ones, 0);
    case OP_logical_or:
    case OP_bitwise_or:
        return simplify_lattice(x, y, 0, ones);
    case OP_bitwise_xor:
        if (x == y)
            return all(b, ir_dtype(x), 0, x);
        return is_all(y, 0) ? x : is_all(x, 0) ? y : NULL;
    default: /* shifts */
        return is_all(y, 0) ? x : NULL;
    }
}

/* A value compared with itself; NaN leaves only < and > decided. */
static IrNode *simplify_comparison(IrBuilder *b, Op op, IrNode *x, IrNode *y) {
    bool strict = op == OP_lt || op == OP_gt;
    if (x != y || is_complex(x) || (is_float(x) && !strict))
        return NULL;
    return all(b, DTYPE_bool, !strict && op != OP_ne, x);
}

static IrNode *simplify_where(IrBuilder *b, IrNode *condition, IrNode *x, IrNode *y) {
    uint64_t bits;
    if (simplify_splat(condition, &bits))
        return bits ? x : y;
    if (x == y)
        return x;
    if (condition->op == OP_logical_not)
        return ir_where(b, condition->operands[0], y, x);
    if (ir_dtype(x) == DTYPE_bool && is_all(x, 1) && is_all(y, 0))
        return condition;
    if (ir_dtype(x) == DTYPE_bool && is_all(x, 0) && is_all(y, 1))
        return ir_unary(b, OP_logical_not, condition);
    return NULL;
}

/* ---- the families
 * ------------------------------------------------------------------------------------------ */

static IrNode *fold_constants(IrBuilder *b, Op op, IrNode *const *operands) {
    uint64_t bits[3] = {0}, result;
    for (uint32_t i = 0; i < op_info[op].arity; i++)
        if (!simplify_splat(operands[i], &bits[i]))
            return NULL;
    const IrNode *x = operands[op == OP_where];
    if (!simplify_constant(op, ir_dtype(x), bits, &result))
        return NULL;
    bool is_bool = op_info[op].dtype == RULE_BOOL || op_info[op].dtype == RULE_LOGICAL;
    return simplify_repeat(b, ir_const(b, is_bool ? DTYPE_bool : ir_dtype(x), result), ir_type(x));
}

static IrNode *simplified(IrBuilder *b, Op op, IrNode *const *operands) {
    IrNode *x = operands[0], *y = operands[op_info[op].arity > 1];
    IrNode *folded = fold_constants(b, op, operands);
    if (folded)
        return folded;
    switch (op) {
    case OP_add:
        return simplify_add(b, x, y);
    case OP_sub:
        return simplify_sub(b, x, y);
    case OP_mul:
        return simplify_mul(x, y);
    case OP_div:
        return simplify_div(b, x, y);
    case OP_floordiv:
    case OP_mod:
        return simplify_integer_division(b, op, x, y);
    case OP_pow:
        return simplify_pow(b, x, y);
    case OP_minimum:
    case OP_maximum:
        return x == y ? x : NULL;
    case OP_eq:
    case OP_ne:
    case OP_lt:
    case OP_le:
    case OP_gt:
    case OP_ge:
        return simplify_comparison(b, op, x, y);
    case OP_logical_and:
    case OP_logical_or:
    case OP_bitwise_and:
    case OP_bitwise_or:
    case OP_bitwise_xor:
    case OP_left_shift:
    case OP_right_shift:
        return simplify_logic(b, op, x, y);
    case OP_where:
        return simplify_where(b, x, y, operands[2]);
    default:
        return op_info[op].arity == 1 ? simplify_unary(b, op, x) : NULL;
    }
}

/* Whether computing the value may fail, as far as a few steps back tell. */
static bool rests_on_check(const IrNode *node, uint32_t steps) {
    if (ir_can_fail(node->op) && node->op != OP_matmul && node->op != OP_concat)
        return true;
    for (uint32_t i = 0; steps && i < node->operand_count; i++)
        if (rests_on_check(node->operands[i], steps - 1))
            return true;
    return false;
}

/* What replaces a node may be one of its operands or a number; an error that another operand has would go. */
static bool drops_check(const IrNode *made, Op op, IrNode *const *operands) {
    enum { STEPS = 6 };
    uint64_t bits;
    bool is_operand = false;
    for (uint32_t i = 0; i < op_info[op].arity; i++)
        is_operand = is_operand || made == operands[i];
    if (!is_operand && !simplify_splat(made, &bits))
        return false;
    for (uint32_t i = 0; i < op_info[op].arity; i++)
        if (operands[i] != made && rests_on_check(operands[i], STEPS))
            return true;
    return false;
}

IrNode *simplify_elementwise(IrBuilder *b, Op op, IrNode *const *operands) {
    IrNode *made = simplified(b, op, operands);
    return made && drops_check(made, op, operands) ? NULL : made;
}

/* ---- casts
 * --------------------------------------------------------------------------------------------------- */

/* cast(cast(x: from -> middle) -> to) is cast(x -> to) when nothing is lost on the way.  Halves keep their
 * way through f32, which promote chose. */
static bool chain_is_direct(Dtype from, Dtype middle, Dtype to) {
    bool half = dtype_info[from].compute != from || dtype_info[to].compute != to;
    if (!dtype_fits(from, middle))
        return false;
    if (from == to)
        return true;
    if (half || dtype_kind(to) == KIND_COMPLEX || dtype_kind(from) == KIND_COMPLEX)
        return false;
    return dtype_fits(middle, to) || to == DTYPE_bool || from == DTYPE_bool ||
           (!dtype_is_float(from) && !dtype_is_float(middle) && !dtype_is_float(to)) ||
           (dtype_is_float(from) && dtype_is_float(to));
}

IrNode *simplify_cast(IrBuilder *b, IrNode *x, Dtype to) {
    uint64_t bits;
    Dtype from = ir_dtype(x);
    if (simplify_splat(x, &bits) && number_convert(from, bits, to, &bits))
        return simplify_repeat(b, ir_const(b, to, bits), ir_type(x));
    if (x->op == OP_cast && chain_is_direct(ir_dtype(x->operands[0]), from, to))
        return ir_cast(b, x->operands[0], to);
    return NULL;
}
