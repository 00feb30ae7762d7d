/* Folding while building: scalar integer arithmetic (extents above all), casts and views of constants, and
 * identities that hold for every value.  Floating-point folding that computes is left to passes/simplify.c.
 */
#include "ir/internal.h"
#include "ir/number.h"

/* ---- scalar integers ---------------------------------------------------------------------------- */

static int64_t floor_divide(int64_t a, int64_t b) {
    int64_t q = a / b;
    return q - (a % b != 0 && (a < 0) != (b < 0));
}

/* Exact i64 arithmetic; false where it overflows, divides by zero or the op is not an integer op here. */
static bool integer_value(Op op, int64_t a, int64_t b, int64_t c, int64_t *out) {
    switch (op) {
    case OP_add:
        return !__builtin_add_overflow(a, b, out);
    case OP_sub:
        return !__builtin_sub_overflow(a, b, out);
    case OP_mul:
        return !__builtin_mul_overflow(a, b, out);
    case OP_floordiv:
        return b != 0 && !(b == -1 && a == INT64_MIN) && (*out = floor_divide(a, b), true);
    case OP_mod:
        return b != 0 && b != -1 ? (*out = a - floor_divide(a, b) * b, true) : b == -1 && (*out = 0, true);
    case OP_minimum:
        return *out = a < b ? a : b, true;
    case OP_maximum:
        return *out = a > b ? a : b, true;
    case OP_neg:
        return !__builtin_sub_overflow(0, a, out);
    case OP_abs:
        return a != INT64_MIN && (*out = a < 0 ? -a : a, true);
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
    case OP_where:
        return *out = a ? b : c, true;
    default:
        return false;
    }
}

/* True for scalar nodes whose operands are i64 or bool: the arithmetic of sizes and loop counters. */
static bool is_index_arithmetic(const IrNodeSpec *spec) {
    if (!op_is_elementwise(spec->op) || spec->types[0].rank)
        return false;
    for (uint32_t i = 0; i < spec->operand_count; i++)
        if (ir_dtype(spec->operands[i]) != DTYPE_i64 && ir_dtype(spec->operands[i]) != DTYPE_bool)
            return false;
    return true;
}

static bool fold_values(Op op, IrNode *const *operands, uint32_t count,
                        bool (*value)(const IrNode *, int64_t *), int64_t *out) {
    int64_t v[3] = {0};
    for (uint32_t i = 0; i < count; i++)
        if (!value(operands[i], &v[i]))
            return false;
    return integer_value(op, v[0], v[1], v[2], out);
}

static IrNode *const_of(IrBuilder *b, Dtype dtype, int64_t value) {
    return ir_const(b, dtype, number_integer_bits(dtype, value));
}

/* x + c with c on the right: (x + c1) + c2 is x + (c1 + c2); the same for products. */
static IrNode *fold_chain(IrBuilder *b, Op op, IrNode *x, int64_t c) {
    int64_t inner, sum;
    if (x->op == op && ir_const_value_i64(x->operands[1], &inner) && integer_value(op, inner, c, 0, &sum))
        return ir_binary(b, op, x->operands[0], ir_const_i64(b, sum));
    return NULL;
}

static IrNode *fold_index_identity(IrBuilder *b, const IrNodeSpec *spec) {
    IrNode *x = spec->operands[0], *y = spec->operand_count > 1 ? spec->operands[1] : NULL;
    int64_t c = 0;
    bool y_known = y && ir_const_value_i64(y, &c);
    switch (spec->op) {
    case OP_add:
        return y_known ? (c == 0 ? x : fold_chain(b, OP_add, x, c)) : NULL;
    case OP_sub:
        if (x == y)
            return ir_const_i64(b, 0);
        if (x->op == OP_add && (x->operands[0] == y || x->operands[1] == y))
            return x->operands[x->operands[0] == y];
        return y_known && c != INT64_MIN ? ir_binary(b, OP_add, x, ir_const_i64(b, -c)) : NULL;
    case OP_mul:
        return !y_known ? NULL : c == 1 ? x : c == 0 ? y : fold_chain(b, OP_mul, x, c);
    case OP_floordiv:
        return y_known && c == 1 ? x : NULL;
    case OP_mod:
        return y_known && (c == 1 || c == -1) ? ir_const_i64(b, 0) : NULL;
    case OP_minimum:
    case OP_maximum:
        return x == y ? x : NULL;
    case OP_where:
        return ir_const_value_i64(x, &c)                ? spec->operands[c ? 1 : 2]
               : spec->operands[1] == spec->operands[2] ? y
                                                        : NULL;
    default:
        return NULL;
    }
}

static IrNode *fold_index(IrBuilder *b, const IrNodeSpec *spec) {
    int64_t value;
    if (fold_values(spec->op, spec->operands, spec->operand_count, ir_const_value_i64, &value))
        return const_of(b, spec->types[0].dtype, value);
    for (uint32_t i = 0; i < spec->operand_count; i++)
        if (ir_dtype(spec->operands[i]) != DTYPE_i64 && spec->op != OP_where)
            return NULL;
    return spec->types[0].dtype == DTYPE_i64 ? fold_index_identity(b, spec) : NULL;
}

void ir_fold_hint(IrNode *node) {
    int64_t value;
    IrNodeSpec spec = {.op = node->op,
                       .operands = node->operands,
                       .operand_count = node->operand_count,
                       .types = node->types,
                       .result_count = node->result_count};
    if (node->op == OP_check_equal && ir_known_i64(node->operands[0], &value))
        node->has_hint = true, node->hint = value;
    else if (node->op == OP_check_true && ir_is_scalar(node) && ir_dtype(node) == DTYPE_i64 &&
             ir_known_i64(node->operands[1], &value))
        node->has_hint = true, node->hint = value;
    else if (node->result_count == 1 && node->types[0].kind == IR_TENSOR && is_index_arithmetic(&spec) &&
             fold_values(node->op, node->operands, node->operand_count, ir_known_i64, &value))
        node->has_hint = true, node->hint = value;
}

/* ---- casts, checks and views --------------------------------------------------------------------- */

static IrNode *fold_cast(IrBuilder *b, const IrNodeSpec *spec) {
    IrNode *x = spec->operands[0];
    Dtype to = spec->types[0].dtype;
    uint64_t bits;
    if (ir_dtype(x) == to)
        return x;
    if (ir_is_const(x) && number_convert(ir_dtype(x), (uint64_t)x->attributes[0], to, &bits))
        return ir_const(b, to, bits);
    return NULL;
}

/* A part of what was put together, and what is put together of its own parts. */
static IrNode *fold_parts(const IrNodeSpec *spec) {
    IrNode *x = spec->operands[0];
    if (spec->op != OP_complex)
        return x->op == OP_complex ? x->operands[spec->op == OP_imag] : NULL;
    const IrNode *imag = spec->operands[1];
    bool is_whole = x->op == OP_real && imag->op == OP_imag && x->operands[0] == imag->operands[0];
    return is_whole ? x->operands[0] : NULL;
}

/* The sizes that a passed check has made equal. */
static bool check_implies(const IrNode *check, const IrNode *x) {
    return check == x || (check->op == OP_check_equal &&
                          (check_implies(check->operands[0], x) || check_implies(check->operands[1], x)));
}

static IrNode *fold_check_equal(const IrNodeSpec *spec) {
    IrNode *x = spec->operands[0], *y = spec->operands[1];
    int64_t a, c;
    if (x == y || (ir_const_value_i64(x, &a) && ir_const_value_i64(y, &c) && a == c))
        return x;
    if (check_implies(x, y))
        return x;
    return check_implies(y, x) ? y : NULL;
}

static bool is_identity_order(const IrNodeSpec *spec) {
    for (uint32_t i = 0; i < spec->attribute_count; i++)
        if (spec->attributes[i] != (int64_t)i)
            return false;
    return true;
}

/* Whether the operand of the broadcast `x` fits the extents of `spec` by itself: where only the extents of
 * `x`, which were checked, relate the two, the check must stay. */
static bool fits_directly(const IrNode *x, const IrNodeSpec *spec) {
    const IrType *from = ir_type(x->operands[0]);
    for (uint32_t k = 0; k < from->rank; k++) {
        int64_t value;
        bool is_one = ir_const_value_i64(from->dims[k], &value) && value == 1;
        if (!is_one &&
            !ir_same_extent(from->dims[k], spec->types[0].dims[spec->attributes[x->attributes[k]]]))
            return false;
    }
    return true;
}

static IrNode *fold_broadcast(IrBuilder *b, const IrNodeSpec *spec) {
    IrNode *x = spec->operands[0];
    if (ir_rank(x) == spec->types[0].rank && ir_same_dims(ir_type(x), &spec->types[0]))
        return x;
    if (x->op != OP_broadcast || !fits_directly(x, spec))
        return NULL;
    int64_t map[IR_MAX_RANK]; /* a broadcast of a broadcast maps the inner operand's axes through both */
    for (uint32_t i = 0; i < x->attribute_count; i++)
        map[i] = spec->attributes[x->attributes[i]];
    IrNode *operands[IR_MAX_RANK + 1] = {x->operands[0]};
    for (uint32_t i = 1; i < spec->operand_count; i++)
        operands[i] = spec->operands[i];
    IrNodeSpec direct = *spec;
    direct.operands = operands;
    direct.attributes = map;
    direct.attribute_count = x->attribute_count;
    return ir_build(b, &direct);
}

static IrNode *fold_view(IrBuilder *b, const IrNodeSpec *spec) {
    IrNode *x = spec->operands[0];
    bool same = ir_rank(x) == spec->types[0].rank && ir_same_dims(ir_type(x), &spec->types[0]);
    switch (spec->op) {
    case OP_permute:
        return is_identity_order(spec) ? x : NULL;
    case OP_broadcast:
        return fold_broadcast(b, spec);
    case OP_reshape:
        if (same)
            return x;
        if (x->op != OP_reshape)
            return NULL;
        return ir_reshape(b, x->operands[0], spec->types[0].dims, spec->types[0].rank);
    case OP_slice:
        if (!same)
            return NULL;
        for (uint32_t i = 0; i < ir_rank(x); i++) { /* start 0, step 1, the whole extent */
            int64_t start, step;
            if (!ir_const_value_i64(spec->operands[1 + 3 * i], &start) || start != 0 ||
                !ir_const_value_i64(spec->operands[3 + 3 * i], &step) || step != 1)
                return NULL;
        }
        return x;
    default:
        return NULL;
    }
}

IrNode *ir_fold(IrBuilder *b, const IrNodeSpec *spec) {
    int64_t value;
    IrNode *at_ends = ir_fold_spread(b, spec);
    if (at_ends)
        return at_ends;
    if (op_is_view(spec->op))
        return fold_view(b, spec);
    if (is_index_arithmetic(spec))
        return fold_index(b, spec);
    switch (spec->op) {
    case OP_cast:
        return fold_cast(b, spec);
    case OP_real:
    case OP_imag:
    case OP_complex:
        return fold_parts(spec);
    case OP_check_equal:
        return fold_check_equal(spec);
    case OP_check_true:
        return ir_const_value_i64(spec->operands[0], &value) && value ? spec->operands[1] : NULL;
    case OP_dim:
        return spec->operands[0]->op == OP_param ? NULL
                                                 : spec->operands[0]->types[0].dims[spec->attributes[0]];
    default:
        return NULL;
    }
}
