/* Builtins that repeat and cut apart, and what the library needs to speak of axes: split, tile, repeat, and
 * the helpers of stdlib/arrays.gmx. */
#include "frontend/elab_builtin.h"

static Value tuple_of(Elaborator *e, const Value *items, uint32_t count) {
    ValueTuple *tuple = elab_tuple(e, count);
    for (uint32_t i = 0; i < count; i++)
        tuple->items[i] = items[i];
    return (Value){.kind = VALUE_TUPLE, .tuple = tuple};
}

static bool first_tensor(Elaborator *e, BuiltinCall *call, Value *x) {
    *x = builtin_tensor(e, call, 0, arena_format(e->arena, "the argument of `%s`", call->builtin->name));
    elab_at(e, call->span);
    return !value_is(*x, VALUE_POISON);
}

/* ---- split --------------------------------------------------------------------------------------------- */

static IrNode *piece(Elaborator *e, IrNode *x, uint32_t axis, IrNode *start, IrNode *extent) {
    IrNode *starts[IR_MAX_RANK], *extents[IR_MAX_RANK], *steps[IR_MAX_RANK];
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        starts[k] = ir_const_i64(&e->b, 0);
        steps[k] = ir_const_i64(&e->b, 1);
        extents[k] = x->types[0].dims[k];
    }
    starts[axis] = start;
    extents[axis] = extent;
    return ir_slice(&e->b, x, starts, extents, steps, NULL);
}

static Value split_equally(Elaborator *e, BuiltinCall *call, IrNode *x, uint32_t axis, int64_t parts) {
    IrNode *n = x->types[0].dims[axis], *count = ir_const_i64(&e->b, parts);
    int64_t size;
    if (parts < 1 || parts > 4096)
        return elab_fail(e, DIAG_E0204, call->spans[1], "`split` makes 1 to 4096 parts, not %lld",
                         (long long)parts);
    if (ir_known_i64(n, &size) && size % parts)
        return elab_fail(e, DIAG_E0203, call->span,
                         "an axis of size %lld does not split into %lld equal parts", (long long)size,
                         (long long)parts);
    IrNode *each = ir_binary(&e->b, OP_floordiv, n, count);
    if (!ir_const_value_i64(n, &size)) {
        IrNode *fits = ir_binary(&e->b, OP_eq, ir_binary(&e->b, OP_mul, each, count), n);
        each = ir_check_true(&e->b, fits, each, DIAG_E0301,
                             elab_intern(e, "an axis does not split into equal parts"));
    }
    Value *items = ARENA_ARRAY(e->arena, Value, parts);
    for (int64_t i = 0; i < parts; i++)
        items[i] =
            value_tensor(piece(e, x, axis, ir_binary(&e->b, OP_mul, each, ir_const_i64(&e->b, i)), each));
    return tuple_of(e, items, (uint32_t)parts);
}

/* A cut counted from the front, within 0 .. n. */
static IrNode *cut_at(Elaborator *e, IrNode *at, IrNode *n) {
    int64_t value;
    IrNode *back = ir_binary(&e->b, OP_maximum, ir_binary(&e->b, OP_add, at, n), ir_const_i64(&e->b, 0));
    IrNode *front = ir_binary(&e->b, OP_minimum, at, n);
    if (ir_const_value_i64(at, &value))
        return value < 0 ? back : front;
    return ir_where(&e->b, ir_binary(&e->b, OP_lt, at, ir_const_i64(&e->b, 0)), back, front);
}

Value builtin_split(Elaborator *e, BuiltinCall *call) {
    uint32_t axis, count;
    int64_t parts;
    Value x, *cuts;
    if (!first_tensor(e, call, &x) || !elab_axis(e, call->values[2], ir_rank(x.node), call->spans[2], &axis))
        return elab_poison();
    if (elab_constant_int(call->values[1], &parts))
        return split_equally(e, call, x.node, axis, parts);
    if (elab_is_scalar(call->values[1]))
        return elab_fail(e, DIAG_E0210, call->spans[1], "the number of parts must be known when compiling");
    if (!elab_elements(e, call->values[1], call->spans[1], "the places to split at", &cuts, &count))
        return elab_poison();
    IrNode *n = x.node->types[0].dims[axis], *from = ir_const_i64(&e->b, 0);
    Value *items = ARENA_ARRAY(e->arena, Value, count + 1);
    for (uint32_t i = 0; i <= count; i++) {
        IrNode *to = n;
        if (i < count) {
            Value at = elab_index_scalar(e, cuts[i], call->spans[1], "a place to split at");
            if (value_is(at, VALUE_POISON))
                return at;
            to = cut_at(e, at.node, n);
        }
        IrNode *length =
            ir_binary(&e->b, OP_maximum, ir_binary(&e->b, OP_sub, to, from), ir_const_i64(&e->b, 0));
        items[i] = value_tensor(piece(e, x.node, axis, from, length));
        from = to;
    }
    return tuple_of(e, items, count + 1);
}

/* ---- tile, repeat -------------------------------------------------------------------------------------- */

/* x with every axis k as times[k] copies one after another (each element beside itself if `inner`). */
static IrNode *repeated(Elaborator *e, IrNode *x, IrNode *const *times, bool inner) {
    uint32_t rank = ir_rank(x), map[IR_MAX_RANK], at = 0;
    IrNode *dims[2 * IR_MAX_RANK], *merged[IR_MAX_RANK];
    int64_t one;
    for (uint32_t k = 0; k < rank; k++) {
        IrNode *n = x->types[0].dims[k];
        bool is_once = ir_const_value_i64(times[k], &one) && one == 1;
        if (!is_once && !inner)
            dims[at++] = times[k];
        map[k] = at;
        dims[at++] = n;
        if (!is_once && inner)
            dims[at++] = times[k];
        merged[k] = ir_binary(&e->b, OP_mul, n, times[k]);
    }
    if (at > IR_MAX_RANK)
        return NULL;
    return at == rank ? x : ir_reshape(&e->b, ir_broadcast(&e->b, x, map, dims, at), merged, rank);
}

Value builtin_tile(Elaborator *e, BuiltinCall *call) {
    Value x, *items = &call->values[1];
    uint32_t count = 1;
    IrNode *times[IR_MAX_RANK];
    if (!first_tensor(e, call, &x))
        return x;
    if (!elab_is_scalar(call->values[1]) &&
        !elab_elements(e, call->values[1], call->spans[1], "the repetitions", &items, &count))
        return elab_poison();
    if (count > IR_MAX_RANK)
        return elab_fail(e, DIAG_E0203, call->spans[1], "a tensor has at most %d axes", IR_MAX_RANK);
    while (ir_rank(x.node) < count)
        x.node = elab_with_unit_axis(e, x.node, 0);
    uint32_t rank = ir_rank(x.node);
    for (uint32_t k = 0; k < rank; k++) {
        times[k] = ir_const_i64(&e->b, 1);
        if (k + count >= rank && !(times[k] = elab_size_node(e, items[k + count - rank], call->spans[1],
                                                             "a number of repetitions")))
            return elab_poison();
    }
    IrNode *out = repeated(e, x.node, times, false);
    return out ? value_tensor(out)
               : elab_fail(e, DIAG_E0203, call->span, "`tile` repeats at most %d axes", IR_MAX_RANK / 2);
}

/* Every element (every slice along an axis) as often as one number says; the library does vectors of numbers.
 */
Value builtin_repeat_each(Elaborator *e, BuiltinCall *call) {
    uint32_t axis;
    Value x;
    IrNode *times[IR_MAX_RANK];
    if (!first_tensor(e, call, &x) || !elab_axis(e, call->values[2], ir_rank(x.node), call->spans[2], &axis))
        return elab_poison();
    for (uint32_t k = 0; k < ir_rank(x.node); k++)
        times[k] = ir_const_i64(&e->b, 1);
    if (!(times[axis] = elab_size_node(e, call->values[1], call->spans[1], "a number of repetitions")))
        return elab_poison();
    IrNode *out = repeated(e, x.node, times, true);
    return out ? value_tensor(out)
               : elab_fail(e, DIAG_E0203, call->span, "a tensor has at most %d axes", IR_MAX_RANK);
}

/* ---- axes for the library ------------------------------------------------------------------------------ */

/* The axes of x that `axis` names, in ascending order from 0; None: all. */
Value builtin_axes_of(Elaborator *e, BuiltinCall *call) {
    uint32_t axes[IR_MAX_RANK], count;
    Value x, items[IR_MAX_RANK];
    bool is_matrix = call->values[0].kind == VALUE_SPARSE;
    if ((!is_matrix && !first_tensor(e, call, &x)) ||
        !elab_axes(e, call->values[1], is_matrix ? 2 : ir_rank(x.node), call->spans[1], axes, &count))
        return elab_poison();
    for (uint32_t i = 0; i < count; i++)
        items[i] = elab_int(e, axes[i]);
    return tuple_of(e, items, count);
}

/* x, which `max` over the axes that `axis` names is defined for: max itself does not ask inside the library.
 */
Value builtin_not_empty(Elaborator *e, BuiltinCall *call) {
    uint32_t axes[IR_MAX_RANK], count;
    Value x;
    if (!first_tensor(e, call, &x) ||
        !elab_axes(e, call->values[1], ir_rank(x.node), call->spans[1], axes, &count))
        return elab_poison();
    IrNode *guarded = elab_not_empty(e, OP_max, x.node, axes, count, call->span);
    return guarded ? value_tensor(guarded) : elab_poison();
}

/* x with the axes that `axis` names merged into its last one (None: all of them). */
Value builtin_axes_last(Elaborator *e, BuiltinCall *call) {
    uint32_t axes[IR_MAX_RANK], count, permutation[IR_MAX_RANK], rank = 0;
    Value x;
    if (!first_tensor(e, call, &x) ||
        !elab_axes(e, call->values[1], ir_rank(x.node), call->spans[1], axes, &count))
        return elab_poison();
    IrNode *dims[IR_MAX_RANK], *size = ir_const_i64(&e->b, 1);
    for (uint32_t k = 0, i = 0; k < ir_rank(x.node); k++) {
        if (i < count && axes[i] == k) {
            i++;
            continue;
        }
        dims[rank] = x.node->types[0].dims[k];
        permutation[rank++] = k;
    }
    for (uint32_t i = 0; i < count; i++) {
        size = ir_binary(&e->b, OP_mul, size, x.node->types[0].dims[axes[i]]);
        permutation[rank + i] = axes[i];
    }
    dims[rank] = size;
    return value_tensor(ir_reshape(&e->b, ir_permute(&e->b, x.node, permutation), dims, rank + 1));
}

/* A result over `axis` of x, which lacks these axes: with them as sizes of 1 (axes in front of x's stay). */
Value builtin_axes_back(Elaborator *e, BuiltinCall *call) {
    uint32_t axes[IR_MAX_RANK], count;
    Value x, out = builtin_tensor(e, call, 1, "the argument");
    if (!first_tensor(e, call, &x) || value_is(out, VALUE_POISON) ||
        !elab_axes(e, call->values[2], ir_rank(x.node), call->spans[2], axes, &count))
        return elab_poison();
    uint32_t front = ir_rank(out.node) + count - ir_rank(x.node);
    for (uint32_t i = 0; i < count; i++)
        out.node = elab_with_unit_axis(e, out.node, front + axes[i]);
    return out;
}

/* The widths of `pad` as one (before, after) per axis: a number, (b, a), or ((b, a), …). */
Value builtin_pad_widths(Elaborator *e, BuiltinCall *call) {
    Value x, list = call->values[1], *items = &list, *pair;
    uint32_t count = 1, inner, rank;
    Value out[IR_MAX_RANK];
    if (!first_tensor(e, call, &x))
        return x;
    rank = ir_rank(x.node);
    if (elab_is_scalar(list)) {
        for (uint32_t k = 0; k < rank; k++)
            out[k] = tuple_of(e, (Value[]){list, list}, 2);
        return tuple_of(e, out, rank);
    }
    if (!elab_elements(e, list, call->spans[1], "the argument of `pad`", &items, &count))
        return elab_poison();
    bool is_pair = count && elab_is_scalar(items[0]);
    if (is_pair && count > 2)
        return elab_fail(e, DIAG_E0203, call->span,
                         "`pad` takes a number, (before, after), or one such pair per axis");
    if (!is_pair && count != rank && count != 1)
        return elab_fail(e, DIAG_E0203, call->span,
                         "`pad` takes one pair per axis: %u are given for a tensor of rank %u", count, rank);
    for (uint32_t k = 0; k < rank; k++) {
        pair = items;
        inner = count;
        Value item = is_pair ? list : items[count == 1 ? 0 : k];
        if (!is_pair && elab_is_scalar(item)) {
            out[k] = tuple_of(e, (Value[]){item, item}, 2);
            continue;
        }
        if (!is_pair && !elab_elements(e, item, call->spans[1], "widths", &pair, &inner))
            return elab_poison();
        if (inner < 1 || inner > 2)
            return elab_fail(e, DIAG_E0203, call->span, "the widths of an axis are (before, after)");
        out[k] = tuple_of(e, (Value[]){pair[0], pair[inner - 1]}, 2);
    }
    return tuple_of(e, out, rank);
}

/* A value that is only used where a condition holds; an error with the message elsewhere. */
Value builtin_checked(Elaborator *e, BuiltinCall *call) {
    Value value = builtin_tensor(e, call, 0, "a checked value"),
          condition = builtin_tensor(e, call, 1, "a condition");
    bool known;
    int64_t holds;
    if (value_is(value, VALUE_POISON) || value_is(condition, VALUE_POISON) ||
        call->values[2].kind != VALUE_STRING)
        return elab_poison();
    elab_at(e, call->span);
    const char *text = arena_format(e->arena, "%.*s", (int)call->values[2].length, call->values[2].text);
    if (elab_constant_bool(condition, &known))
        return known ? value : elab_fail(e, DIAG_E0209, call->span, "%s", text);
    /* what follows from the sizes of this call: an error now, unless a branch may pass it by */
    if (!e->b.region->parent && ir_known_i64(condition.node, &holds) && !holds)
        return elab_fail(e, DIAG_E0209, call->span, "%s", text);
    return value_tensor(ir_check_true(&e->b, condition.node, value.node, DIAG_E0302, elab_intern(e, text)));
}

Value builtin_join(Elaborator *e, BuiltinCall *call) {
    Value items[2 * IR_MAX_RANK];
    uint32_t count = 0;
    for (uint32_t i = 0; i < 2; i++) {
        Value *part = &call->values[i];
        uint32_t length = 1;
        if (!elab_is_scalar(*part) && !elab_elements(e, *part, call->spans[i], "sizes", &part, &length))
            return elab_poison();
        for (uint32_t k = 0; k < length && count < 2 * IR_MAX_RANK; k++)
            items[count++] = part[k];
    }
    return tuple_of(e, items, count);
}

/* 0, 1, … before a constant, as a tuple: what a library loop is unrolled over. */
Value builtin_numbers(Elaborator *e, BuiltinCall *call) {
    int64_t count;
    if (!elab_constant_int(call->values[0], &count))
        return elab_fail(e, DIAG_E0210, call->span, "a number of repetitions must be known when compiling");
    if (count < 0 || count > 256)
        return elab_fail(e, DIAG_E0204, call->span, "a number of repetitions is 0 to 256, not %lld",
                         (long long)count);
    Value *items = ARENA_ARRAY(e->arena, Value, count);
    for (int64_t i = 0; i < count; i++)
        items[i] = elab_int(e, i);
    return tuple_of(e, items, (uint32_t)count);
}
