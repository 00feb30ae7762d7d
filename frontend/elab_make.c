/* Builtins that make tensors: constants, ranges, random numbers. */
#include "frontend/elab_builtin.h"

Value elab_fill(Elaborator *e, Value scalar, IrNode *const *dims, uint32_t rank) {
    return value_tensor(ir_broadcast_trailing(&e->b, scalar.node, dims, rank));
}

static Value filled(Elaborator *e, BuiltinCall *call, double value) {
    IrNode *dims[IR_MAX_RANK];
    uint32_t rank;
    Dtype dtype;
    if (!call->given[0])
        return elab_fail(e, DIAG_E0204, call->span, "`%s` needs a shape", call->builtin->name);
    if (!elab_dtype_argument(e, call->values[1], call->spans[1], &dtype) ||
        !elab_shape_argument(e, call->values[0], call->spans[0], dims, &rank))
        return elab_poison();
    elab_at(e, call->span);
    IrNode *number = ir_const_number(&e->b, dtype_part(dtype), value);
    Value out = elab_fill(e, value_tensor(elab_cast(e, number, dtype)), dims, rank);
    out.is_weak = !call->given[1] && rank; /* a declared type says otherwise */
    return out;
}

Value builtin_zeros(Elaborator *e, BuiltinCall *call) {
    return filled(e, call, 0);
}

Value builtin_ones(Elaborator *e, BuiltinCall *call) {
    return filled(e, call, 1);
}

Value builtin_full(Elaborator *e, BuiltinCall *call) {
    IrNode *dims[IR_MAX_RANK];
    uint32_t rank;
    Dtype dtype;
    Value value = call->values[1];
    bool was_weak = value.is_weak;
    if (!value_is(call->values[2], VALUE_NONE)) {
        if (!elab_dtype_argument(e, call->values[2], call->spans[2], &dtype))
            return elab_poison();
        value = elab_convert(e, value, dtype, call->spans[1], "the value of `full`");
        was_weak = false;
    }
    value = elab_tensor(e, value, call->spans[1], "the value of `full`");
    if (value_is(value, VALUE_POISON) ||
        !elab_shape_argument(e, call->values[0], call->spans[0], dims, &rank))
        return elab_poison();
    if (ir_rank(value.node) != 0)
        return elab_fail(e, DIAG_E0203, call->spans[1], "the value of `full` must be a scalar, not %s",
                         elab_type_text(e, value));
    Value out = elab_fill(e, value, dims, rank);
    out.is_weak = was_weak && rank;
    return out;
}

Value builtin_eye(Elaborator *e, BuiltinCall *call) {
    Dtype dtype;
    IrNode *dims[2] = {elab_size_node(e, call->values[0], call->spans[0], "a size"), NULL};
    dims[1] = value_is(call->values[1], VALUE_NONE)
                  ? dims[0]
                  : elab_size_node(e, call->values[1], call->spans[1], "a size");
    Value k = elab_index_scalar(e, call->values[2], call->spans[2], "the diagonal");
    if (!dims[0] || !dims[1] || value_is(k, VALUE_POISON) ||
        !elab_dtype_argument(e, call->values[3], call->spans[3], &dtype))
        return elab_poison();
    elab_at(e, call->span);
    IrNode *rows = ir_broadcast(&e->b, ir_iota(&e->b, dims[0]), (uint32_t[]){0}, dims, 2);
    IrNode *columns = ir_broadcast(&e->b, ir_iota(&e->b, dims[1]), (uint32_t[]){1}, dims, 2);
    int64_t offset;
    if (!ir_const_value_i64(k.node, &offset) || offset != 0)
        rows = ir_binary(&e->b, OP_add, rows, elab_with_dims(e, k.node, dims, 2));
    Value out = value_tensor(elab_cast(e, ir_binary(&e->b, OP_eq, rows, columns), dtype));
    out.is_weak = !call->given[3];
    return out;
}

/* ---- arange
 * ---------------------------------------------------------------------------------------------------------
 */

static IrNode *integer_count(Elaborator *e, BuiltinCall *call, Value start, Value stop, Value step) {
    int64_t by;
    start = elab_index_scalar(e, start, call->spans[0], "an argument of `arange`");
    stop = elab_index_scalar(e, stop, call->spans[1], "an argument of `arange`");
    if (value_is(start, VALUE_POISON) || value_is(stop, VALUE_POISON))
        return NULL;
    if (!elab_constant_int(step, &by)) {
        elab_fail(e, DIAG_E0210, call->spans[2], "the step of `arange` must be known when compiling");
        return NULL;
    }
    if (by == 0 || by == INT64_MIN) {
        elab_fail(e, DIAG_E0209, call->spans[2], "the step of `arange` cannot be zero");
        return NULL;
    }
    IrNode *from = by > 0 ? start.node : stop.node, *to = by > 0 ? stop.node : start.node;
    int64_t stride = by > 0 ? by : -by;
    IrNode *length = ir_binary(&e->b, OP_sub, to, from);
    if (stride > 1) {
        length = ir_binary(&e->b, OP_add, length, ir_const_i64(&e->b, stride - 1));
        length = ir_binary(&e->b, OP_floordiv, length, ir_const_i64(&e->b, stride));
    }
    return length;
}

static IrNode *float_count(Elaborator *e, BuiltinCall *call, Value start, Value stop, Value step) {
    OperandInfo infos[2] = {{call->span, NULL}, {call->span, NULL}};
    Value length = elab_elementwise(e, OP_sub, (Value[]){stop, start}, infos, call->span);
    length = elab_elementwise(e, OP_div, (Value[]){length, step}, infos, call->span);
    length = elab_elementwise(e, OP_ceil, &length, infos, call->span);
    length = elab_convert(e, length, DTYPE_i64, call->span, "the length of `arange`");
    length = elab_node(e, length);
    return length.kind == VALUE_TENSOR && ir_rank(length.node) == 0 ? length.node : NULL;
}

Value builtin_arange(Elaborator *e, BuiltinCall *call) {
    Value start = call->values[0], stop = call->values[1], step = call->values[2];
    Dtype dtype, kind;
    int64_t known, first, by;
    if (value_is(stop, VALUE_NONE)) {
        stop = start;
        start = elab_int(e, 0);
        call->spans[1] = call->spans[0];
    }
    Value bounds[3] = {start, stop, step};
    for (int i = 0; i < 3; i++)
        if (!elab_dtype_of(bounds[i], &kind) || !elab_is_scalar(bounds[i]))
            return value_is(bounds[i], VALUE_POISON)
                       ? elab_poison()
                       : elab_fail(e, DIAG_E0201, call->spans[i],
                                   "an argument of `arange` must be a scalar, not %s",
                                   elab_kind_text(e, bounds[i]));
    kind = dtype = elab_common_dtype(bounds, 3);
    if (!value_is(call->values[3], VALUE_NONE) &&
        !elab_dtype_argument(e, call->values[3], call->spans[3], &dtype))
        return elab_poison();
    elab_at(e, call->span);
    IrNode *count = dtype_is_float(kind) ? float_count(e, call, start, stop, step)
                                         : integer_count(e, call, start, stop, step);
    if (!count)
        return elab_poison();
    if (ir_const_value_i64(count, &known))
        count = elab_lift_size(e, known < 0 ? 0 : known);
    else if (count->op != OP_dim)
        count = ir_binary(&e->b, OP_maximum, count, ir_const_i64(&e->b, 0));
    OperandInfo infos[2] = {{call->span, NULL}, {call->span, NULL}};
    Value out = value_tensor(elab_cast(e, ir_iota(&e->b, count), kind));
    if (!elab_constant_int(step, &by) || by != 1)
        out = elab_elementwise(e, OP_mul, (Value[]){out, step}, infos, call->span);
    if (!elab_constant_int(start, &first) || first != 0)
        out = elab_elementwise(e, OP_add, (Value[]){out, start}, infos, call->span);
    if (out.kind == VALUE_TENSOR)
        out.node = elab_cast(e, out.node, dtype);
    out.is_weak = value_is(call->values[3], VALUE_NONE); /* a declared dtype is taken */
    return out;
}

/* ---- random numbers
 * -------------------------------------------------------------------------------------------------- */

static IrNode *u64_const(Elaborator *e, uint64_t bits) {
    return ir_const(&e->b, DTYPE_u64, bits);
}

/* x op a constant, for scalars and tensors of u64. */
static IrNode *u64_op(Elaborator *e, Op op, IrNode *x, uint64_t bits) {
    return ir_binary(&e->b, op, x, elab_with_dims(e, u64_const(e, bits), x->types[0].dims, ir_rank(x)));
}

/* splitmix64 of Steele, Lea and Flood (2014): spreads seeds over all keys. */
IrNode *elab_key_of_seed(Elaborator *e, IrNode *seed) {
    IrNode *z = u64_op(e, OP_add, seed, 0x9e3779b97f4a7c15u);
    static const struct {
        uint64_t shift, factor;
    } steps[] = {{30, 0xbf58476d1ce4e5b9u}, {27, 0x94d049bb133111ebu}};
    for (int i = 0; i < 2; i++)
        z = u64_op(e, OP_mul,
                   ir_binary(&e->b, OP_bitwise_xor, z, u64_op(e, OP_right_shift, z, steps[i].shift)),
                   steps[i].factor);
    return ir_binary(&e->b, OP_bitwise_xor, z, u64_op(e, OP_right_shift, z, 31));
}

IrNode *elab_seed_node(Elaborator *e, Value seed, Span span) {
    Dtype dtype;
    if (elab_dtype_of(seed, &dtype) && dtype == DTYPE_u64 && elab_is_scalar(seed))
        return elab_node(e, seed).node;
    seed = elab_index_scalar(e, seed, span, "a seed");
    return value_is(seed, VALUE_POISON) ? NULL : elab_cast(e, seed.node, DTYPE_u64);
}

/* The stream that a draw of `count` numbers reads: its key and first counter.  Two counters a number. */
static bool stream(Elaborator *e, BuiltinCall *call, uint32_t seed_at, IrNode *count, IrNode **key,
                   IrNode **counter) {
    if (!value_is(call->values[seed_at], VALUE_NONE)) {
        IrNode *seed = elab_seed_node(e, call->values[seed_at], call->spans[seed_at]);
        elab_at(e, call->span);
        *key = seed ? elab_key_of_seed(e, seed) : NULL;
        *counter = u64_const(e, 0);
        return seed != NULL;
    }
    if (e->is_exporting && !e->is_seeded) {
        elab_fail(e, DIAG_E0211, call->span,
                  "an `export fn` draws random numbers from an explicit seed: `%s(…, seed=…)`",
                  call->builtin->name);
        return false;
    }
    *key = elab_node(e, e->random_key->value).node;
    *counter = elab_node(e, e->random_counter->value).node;
    IrNode *drawn = u64_op(e, OP_mul, elab_cast(e, count, DTYPE_u64), 2);
    elab_set(e, e->random_counter, value_tensor(ir_binary(&e->b, OP_add, *counter, drawn)));
    return true;
}

typedef struct Draw {
    IrNode *key, *counter, *index; /* index: u64, one per element */
    IrNode *const *dims;           /* of index */
} Draw;

static IrNode *spread(Elaborator *e, IrNode *scalar, const IrNode *like) {
    return elab_with_dims(e, scalar, like->types[0].dims, ir_rank(like));
}

/* 64 random bits per element: number `which` of the two it has. */
static IrNode *random_bits(Elaborator *e, const Draw *d, uint64_t which) {
    IrNode *at = u64_op(e, OP_mul, d->index, 2);
    at = ir_binary(&e->b, OP_add, at, spread(e, d->counter, at));
    if (which)
        at = u64_op(e, OP_add, at, which);
    return ir_binary(&e->b, OP_philox, spread(e, d->key, at), at);
}

static IrNode *scaled(Elaborator *e, IrNode *bits, Dtype dtype, double factor) {
    IrNode *x = elab_cast(e, bits, dtype);
    return ir_binary(&e->b, OP_mul, x, spread(e, ir_const_number(&e->b, dtype, factor), x));
}

/* As many leading bits as the dtype has: every result is exact and below 1. */
static IrNode *uniform(Elaborator *e, const Draw *d, Dtype dtype) {
    unsigned digits = dtype == DTYPE_f64 ? 53 : dtype == DTYPE_f32 ? 24 : dtype == DTYPE_f16 ? 11 : 8;
    IrNode *bits = u64_op(e, OP_right_shift, random_bits(e, d, 0), 64 - digits);
    Dtype compute = dtype_info[dtype].compute;
    return elab_cast(e, scaled(e, bits, compute, 1.0 / (double)((uint64_t)1 << digits)), dtype);
}

/* Box and Muller: sqrt(-2 log u) cos(2 pi v), u in (0, 1], v in [0, 1). */
static IrNode *normal(Elaborator *e, const Draw *d, Dtype dtype) {
    Dtype compute = dtype_info[dtype].compute;
    bool wide = compute == DTYPE_f64;
    IrNode *first = random_bits(e, d, 0);
    IrNode *second = wide ? random_bits(e, d, 1) : u64_op(e, OP_bitwise_and, first, 0xffffffffu);
    double unit = wide ? 0x1p-53 : 0x1p-32;
    IrNode *u =
        scaled(e, u64_op(e, OP_add, u64_op(e, OP_right_shift, first, wide ? 11 : 32), 1), compute, unit);
    IrNode *angle = wide ? u64_op(e, OP_right_shift, second, 11) : second;
    angle = scaled(e, angle, compute, 6.283185307179586 * unit);
    IrNode *log = ir_unary(&e->b, OP_log, u);
    IrNode *square = ir_binary(&e->b, OP_mul, log, spread(e, ir_const_number(&e->b, compute, -2), log));
    IrNode *out = ir_binary(&e->b, OP_mul, ir_unary(&e->b, OP_sqrt, square), ir_unary(&e->b, OP_cos, angle));
    return elab_cast(e, out, dtype);
}

static Value draw(Elaborator *e, BuiltinCall *call, IrNode *(*make)(Elaborator *, const Draw *, Dtype)) {
    IrNode *dims[IR_MAX_RANK], *key, *counter;
    uint32_t rank = 0;
    Dtype dtype;
    if (!elab_dtype_argument(e, call->values[2], call->spans[2], &dtype) ||
        (call->given[0] && !elab_shape_argument(e, call->values[0], call->spans[0], dims, &rank)))
        return elab_poison();
    if (!dtype_is_float(dtype))
        return elab_fail(e, DIAG_E0202, call->spans[2], "`%s` gives floats, not %s", call->builtin->name,
                         dtype_name(dtype));
    elab_at(e, call->span);
    IrNode *count = ir_const_i64(&e->b, 1);
    for (uint32_t k = 0; k < rank; k++)
        count = ir_binary(&e->b, OP_mul, count, dims[k]);
    if (!stream(e, call, 1, count, &key, &counter))
        return elab_poison();
    IrNode *index = ir_reshape(&e->b, ir_iota(&e->b, count), dims, rank);
    Draw d = {key, counter, elab_cast(e, index, DTYPE_u64), dims};
    Value out = value_tensor(make(e, &d, dtype));
    out.is_weak = !call->given[2] && rank;
    return out;
}

Value builtin_rand(Elaborator *e, BuiltinCall *call) {
    return draw(e, call, uniform);
}

Value builtin_randn(Elaborator *e, BuiltinCall *call) {
    return draw(e, call, normal);
}

Value builtin_seed(Elaborator *e, BuiltinCall *call) {
    if (e->is_exporting)
        return elab_fail(e, DIAG_E0211, call->span, "an `export fn` cannot restart the random stream");
    IrNode *seed = elab_seed_node(e, call->values[0], call->spans[0]);
    if (!seed)
        return elab_poison();
    elab_at(e, call->span);
    elab_set(e, e->random_key, value_tensor(elab_key_of_seed(e, seed)));
    elab_set(e, e->random_counter, value_tensor(u64_const(e, 0)));
    return value_of_kind(VALUE_UNIT);
}
