/* Builtins that rearrange: reshape, transpose, concat, take …, and questions about shapes and dtypes. */
#include "frontend/elab_builtin.h"
#include "frontend/elab_sparse.h"

static bool tensor_argument(Elaborator *e, BuiltinCall *call, Value *x) {
    const char *what = arena_format(e->arena, "the argument of `%s`", call->builtin->name);
    *x = builtin_tensor(e, call, 0, what);
    return !value_is(*x, VALUE_POISON);
}

/* ---- reshape
 * ---------------------------------------------------------------------------------------------------- */

static Value reshape_error(Elaborator *e, Span span, Value x, IrNode *const *dims, uint32_t rank) {
    TextBuffer text = {.arena = e->sink->arena};
    for (uint32_t k = 0; k < rank; k++)
        text_format(&text, "%s%s", k ? ", " : "", elab_extent_text(e, dims[k]));
    return elab_fail(e, DIAG_E0203, span, "%s cannot be reshaped to (%s): the numbers of elements differ",
                     elab_type_text(e, x), text.length ? text.text : "");
}

static IrNode *product(Elaborator *e, IrNode *const *dims, uint32_t rank, int skip) {
    IrNode *out = ir_const_i64(&e->b, 1);
    for (uint32_t k = 0; k < rank; k++)
        if ((int)k != skip)
            out = ir_binary(&e->b, OP_mul, out, dims[k]);
    return out;
}

/* Fills in the size that was written -1. */
static bool infer_size(Elaborator *e, Span span, Value x, IrNode **dims, uint32_t rank, int at) {
    IrNode *size = ir_size(&e->b, x.node), *others = product(e, dims, rank, at), *out;
    int64_t known_size, known_others;
    Name message = elab_intern(e, "the elements cannot be divided into this shape");
    bool is_known = ir_known_i64(size, &known_size) && ir_known_i64(others, &known_others);
    if (is_known && (known_others == 0 || known_size % known_others != 0)) {
        dims[at] = ir_const_i64(&e->b, -1);
        reshape_error(e, span, x, dims, rank);
        return false;
    }
    if (size == others) {
        dims[at] = ir_const_i64(&e->b, 1);
        return true;
    }
    if (ir_const_value_i64(others, &known_others)) {
        out = ir_binary(&e->b, OP_floordiv, size, others);
    } else { /* a size of 0 leaves the other one open */
        IrNode *positive = ir_binary(&e->b, OP_gt, others, ir_const_i64(&e->b, 0));
        out =
            ir_binary(&e->b, OP_floordiv, size, ir_check_true(&e->b, positive, others, DIAG_E0301, message));
    }
    if (!ir_is_const(out) && !(ir_const_value_i64(others, &known_others) && known_others == 1)) {
        IrNode *again = ir_binary(&e->b, OP_mul, out, others);
        out = ir_check_true(&e->b, ir_binary(&e->b, OP_eq, again, size), out, DIAG_E0301, message);
    }
    dims[at] = out;
    return true;
}

static Value reshaped(Elaborator *e, Span span, Value x, IrNode **dims, uint32_t rank, int inferred) {
    int64_t wanted, actual;
    elab_at(e, span);
    if (inferred >= 0) {
        if (!infer_size(e, span, x, dims, rank, inferred))
            return elab_poison();
        return value_tensor(ir_reshape(&e->b, x.node, dims, rank));
    }
    IrNode *size = ir_size(&e->b, x.node), *all = product(e, dims, rank, -1);
    if (size != all && ir_known_i64(size, &actual) && ir_known_i64(all, &wanted) && wanted != actual)
        return reshape_error(e, span, x, dims, rank);
    uint32_t at = 0; /* the size that carries the check: one known to be 1 must stay known, it broadcasts */
    while (at < rank && ir_const_value_i64(dims[at], &wanted) && wanted == 1)
        at++;
    if (size != all && at < rank) {
        IrNode *same = ir_binary(&e->b, OP_eq, all, size);
        dims[at] =
            ir_check_true(&e->b, same, dims[at], DIAG_E0301,
                          elab_intern(e, "the numbers of elements of a tensor and its new shape differ"));
    } else if (size != all) { /* to a scalar or to sizes of 1 */
        x.node = elab_drop_unit_axis(e, elab_as_one(e, ir_reshape(&e->b, x.node, &size, 1), 0), 0);
    }
    return value_tensor(ir_reshape(&e->b, x.node, dims, rank));
}

Value builtin_reshape(Elaborator *e, BuiltinCall *call) {
    Value x, shape = call->values[1], *items;
    IrNode *dims[IR_MAX_RANK];
    uint32_t rank = 1;
    int inferred = -1;
    if (!tensor_argument(e, call, &x))
        return x;
    if (!call->given[1])
        return elab_fail(e, DIAG_E0204, call->span, "`reshape` needs a shape");
    if (shape.kind == VALUE_TUPLE && shape.tuple->count == 1)
        shape = shape.tuple->items[0];
    items = &shape;
    if (!elab_is_scalar(shape) && !elab_elements(e, shape, call->spans[1], "a shape", &items, &rank))
        return elab_poison();
    if (rank > IR_MAX_RANK)
        return elab_fail(e, DIAG_E0203, call->spans[1], "a tensor has at most %d axes", IR_MAX_RANK);
    for (uint32_t k = 0; k < rank; k++) {
        int64_t size;
        if (elab_constant_int(items[k], &size) && size == -1) {
            if (inferred >= 0)
                return elab_fail(e, DIAG_E0203, call->spans[1], "one size of a shape may be -1, not two");
            inferred = (int)k;
            dims[k] = NULL;
        } else if (!(dims[k] = elab_size_node(e, items[k], call->spans[1], "a size"))) {
            return elab_poison();
        }
    }
    return reshaped(e, call->span, x, dims, rank, inferred);
}

Value builtin_flatten(Elaborator *e, BuiltinCall *call) {
    Value x;
    if (!tensor_argument(e, call, &x))
        return x;
    IrNode *size = ir_size(&e->b, x.node);
    return value_tensor(ir_reshape(&e->b, x.node, &size, 1));
}

/* ---- permutations
 * ------------------------------------------------------------------------------------------------ */

/* Of a sparse matrix or a graph. */
static Value transposed_entries(Elaborator *e, BuiltinCall *call) {
    Value out = call->values[0];
    uint32_t axes[2] = {1, 0};
    if (!value_is(call->values[1], VALUE_NONE)) {
        Value *items;
        uint32_t count;
        if (!elab_elements(e, call->values[1], call->spans[1], "`axes`", &items, &count))
            return elab_poison();
        if (count != 2)
            return elab_fail(e, DIAG_E0206, call->spans[1], "%u axes are given for a matrix", count);
        for (uint32_t k = 0; k < 2; k++)
            if (!elab_axis(e, items[k], 2, call->spans[1], &axes[k]))
                return elab_poison();
        if (axes[0] == axes[1])
            return elab_fail(e, DIAG_E0206, call->spans[1], "axis %u is given twice", axes[0]);
    }
    if (axes[0])
        elab_find_field(e, call->values[0], elab_intern(e, "T"), &out);
    return out;
}

Value builtin_transpose(Elaborator *e, BuiltinCall *call) {
    uint32_t permutation[IR_MAX_RANK], count;
    bool seen[IR_MAX_RANK] = {0};
    Value x, *items;
    if (call->values[0].kind == VALUE_SPARSE || call->values[0].kind == VALUE_GRAPH)
        return transposed_entries(e, call);
    if (!tensor_argument(e, call, &x))
        return x;
    if (value_is(call->values[1], VALUE_NONE))
        return elab_transpose(e, x);
    if (!elab_elements(e, call->values[1], call->spans[1], "`axes`", &items, &count))
        return elab_poison();
    if (count != ir_rank(x.node))
        return elab_fail(e, DIAG_E0206, call->spans[1], "%u axes are given for a tensor of rank %u", count,
                         ir_rank(x.node));
    for (uint32_t k = 0; k < count; k++) {
        if (!elab_axis(e, items[k], count, call->spans[1], &permutation[k]))
            return elab_poison();
        if (seen[permutation[k]])
            return elab_fail(e, DIAG_E0206, call->spans[1], "axis %u is given twice", permutation[k]);
        seen[permutation[k]] = true;
    }
    return value_tensor(ir_permute(&e->b, x.node, permutation));
}

Value builtin_swapaxes(Elaborator *e, BuiltinCall *call) {
    uint32_t permutation[IR_MAX_RANK], a, b;
    Value x;
    if (!tensor_argument(e, call, &x))
        return x;
    if (!elab_axis(e, call->values[1], ir_rank(x.node), call->spans[1], &a) ||
        !elab_axis(e, call->values[2], ir_rank(x.node), call->spans[2], &b))
        return elab_poison();
    for (uint32_t k = 0; k < ir_rank(x.node); k++)
        permutation[k] = k == a ? b : k == b ? a : k;
    return value_tensor(ir_permute(&e->b, x.node, permutation));
}

/* One axis, or several in their order, each once. */
static bool axis_list(Elaborator *e, BuiltinCall *call, uint32_t at, uint32_t rank, uint32_t *axes,
                      uint32_t *count) {
    Value *items = &call->values[at];
    *count = 1;
    if (!elab_is_scalar(*items) &&
        !elab_elements(e, call->values[at], call->spans[at], "the axes", &items, count))
        return false;
    for (uint32_t k = 0; k < *count && k < IR_MAX_RANK; k++) {
        if (!elab_axis(e, items[k], rank, call->spans[at], &axes[k]))
            return false;
        for (uint32_t i = 0; i < k; i++)
            if (axes[i] == axes[k]) {
                elab_fail(e, DIAG_E0206, call->spans[at], "axis %u is given twice", axes[k]);
                return false;
            }
    }
    return true;
}

Value builtin_moveaxis(Elaborator *e, BuiltinCall *call) {
    uint32_t permutation[IR_MAX_RANK], from[IR_MAX_RANK], to[IR_MAX_RANK], count, targets, next = 0;
    bool moved[IR_MAX_RANK] = {0}, filled[IR_MAX_RANK] = {0};
    Value x;
    if (!tensor_argument(e, call, &x))
        return x;
    uint32_t rank = ir_rank(x.node);
    if (!axis_list(e, call, 1, rank, from, &count) || !axis_list(e, call, 2, rank, to, &targets))
        return elab_poison();
    if (count != targets)
        return elab_fail(e, DIAG_E0206, call->span, "`moveaxis` moves %u axes to %u places", count, targets);
    for (uint32_t i = 0; i < count; i++) {
        permutation[to[i]] = from[i];
        moved[from[i]] = filled[to[i]] = true;
    }
    for (uint32_t k = 0; k < rank; k++) {
        if (filled[k])
            continue;
        while (moved[next])
            next++;
        permutation[k] = next++;
    }
    return value_tensor(ir_permute(&e->b, x.node, permutation));
}

/* ---- axes of size 1
 * -------------------------------------------------------------------------------------------------- */

Value builtin_expand_dims(Elaborator *e, BuiltinCall *call) {
    uint32_t axes[IR_MAX_RANK], count, added = 1;
    Value x, *items;
    if (!tensor_argument(e, call, &x))
        return x;
    if (!elab_is_scalar(call->values[1]) &&
        !elab_elements(e, call->values[1], call->spans[1], "`axis`", &items, &added))
        return elab_poison();
    if (ir_rank(x.node) + added > IR_MAX_RANK)
        return elab_fail(e, DIAG_E0206, call->spans[1], "a tensor has at most %d axes", IR_MAX_RANK);
    if (!elab_axes(e, call->values[1], ir_rank(x.node) + added, call->spans[1], axes, &count))
        return elab_poison();
    for (uint32_t i = 0; i < count; i++)
        x.node = elab_with_unit_axis(e, x.node, axes[i]);
    return elab_strengthen(x);
}

Value builtin_squeeze(Elaborator *e, BuiltinCall *call) {
    uint32_t axes[IR_MAX_RANK], count;
    int64_t size;
    Value x;
    if (!tensor_argument(e, call, &x))
        return x;
    if (!elab_axes(e, call->values[1], ir_rank(x.node), call->spans[1], axes, &count))
        return elab_poison();
    bool all = value_is(call->values[1], VALUE_NONE);
    for (uint32_t i = count; i-- > 0;) {
        IrNode *extent = x.node->types[0].dims[axes[i]];
        bool is_one = ir_known_i64(extent, &size) && size == 1;
        if (all && !is_one)
            continue;
        if (!is_one && ir_known_i64(extent, &size))
            return elab_fail(e, DIAG_E0203, call->span, "axis %u of %s has the size %lld, not 1", axes[i],
                             elab_type_text(e, x), (long long)size);
        if (!ir_is_const(extent))
            x.node = elab_as_one(e, x.node, axes[i]);
        x.node = elab_drop_unit_axis(e, x.node, axes[i]);
    }
    return x;
}

Value builtin_broadcast_to(Elaborator *e, BuiltinCall *call) {
    IrNode *dims[IR_MAX_RANK];
    uint32_t rank;
    int64_t one, size;
    Value x;
    if (!tensor_argument(e, call, &x))
        return x;
    if (!elab_shape_argument(e, call->values[1], call->spans[1], dims, &rank))
        return elab_poison();
    bool fits = ir_rank(x.node) <= rank;
    elab_at(e, call->span);
    for (uint32_t k = 0; fits && k < ir_rank(x.node); k++) {
        bool repeats = ir_known_i64(x.node->types[0].dims[k], &one) && one == 1 &&
                       ir_known_i64(dims[rank - ir_rank(x.node) + k], &size) && size != 1;
        if (repeats) /* 1 at this call, though perhaps not by construction */
            x.node = elab_as_one(e, x.node, k);
        IrNode *extent = x.node->types[0].dims[k], **wanted = &dims[rank - ir_rank(x.node) + k];
        if (ir_const_value_i64(extent, &one) && one == 1)
            continue;
        IrNode *same = elab_same_extent(e, *wanted, extent, "sizes of axis %u of `broadcast_to` differ", k);
        fits = same != NULL;
        *wanted = same ? same : *wanted;
    }
    if (!fits)
        return elab_fail(e, DIAG_E0203, call->span, "%s cannot be broadcast to this shape",
                         elab_type_text(e, x));
    return value_tensor(elab_with_dims(e, x.node, dims, rank));
}

/* ---- putting together
 * ------------------------------------------------------------------------------------------------- */

/* The items of a tuple or list as nodes of one dtype. */
static bool parts_of(Elaborator *e, BuiltinCall *call, IrNode ***nodes, uint32_t *count) {
    Value *items;
    if (!elab_elements(e, call->values[0], call->spans[0], "the first argument", &items, count))
        return false;
    if (*count == 0) {
        elab_fail(e, DIAG_E0204, call->spans[0], "`%s` needs a tensor at least", call->builtin->name);
        return false;
    }
    *nodes = ARENA_ARRAY(e->arena, IrNode *, *count);
    for (uint32_t i = 0; i < *count; i++)
        if (value_is(items[i] = elab_tensor(e, items[i], call->spans[0], "an item"), VALUE_POISON))
            return false;
    Dtype dtype = elab_common_dtype(items, *count);
    for (uint32_t i = 0; i < *count; i++)
        (*nodes)[i] = elab_cast(e, items[i].node, dtype);
    return true;
}

/* Makes all extents but that of `skip` equal. */
static bool align_parts(Elaborator *e, BuiltinCall *call, IrNode **nodes, uint32_t count, int skip) {
    uint32_t rank = ir_rank(nodes[0]);
    IrNode *dims[IR_MAX_RANK];
    elab_copy_dims(dims, nodes[0]);
    for (uint32_t i = 1; i < count; i++) {
        bool fits = ir_rank(nodes[i]) == rank;
        for (uint32_t k = 0; fits && k < rank; k++) {
            if ((int)k == skip)
                continue;
            IrNode *same = elab_same_extent(e, dims[k], nodes[i]->types[0].dims[k],
                                            "sizes of axis %u of `%s` differ", k, call->builtin->name);
            fits = same != NULL;
            dims[k] = same;
        }
        if (!fits) {
            elab_fail(e, DIAG_E0203, call->span, "`%s` cannot put %s and %s together", call->builtin->name,
                      elab_type_text(e, value_tensor(nodes[0])), elab_type_text(e, value_tensor(nodes[i])));
            return false;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (skip >= 0)
            dims[skip] = nodes[i]->types[0].dims[skip];
        nodes[i] = elab_with_dims(e, nodes[i], dims, rank);
    }
    return true;
}

Value builtin_concat(Elaborator *e, BuiltinCall *call) {
    IrNode **nodes;
    uint32_t count, axis;
    if (!parts_of(e, call, &nodes, &count))
        return elab_poison();
    if (ir_rank(nodes[0]) == 0)
        return elab_fail(e, DIAG_E0203, call->spans[0],
                         "`concat` needs tensors with an axis; `stack` takes scalars");
    if (!elab_axis(e, call->values[1], ir_rank(nodes[0]), call->spans[1], &axis) ||
        !align_parts(e, call, nodes, count, (int)axis))
        return elab_poison();
    return value_tensor(ir_concat(&e->b, nodes, count, axis));
}

Value builtin_stack(Elaborator *e, BuiltinCall *call) {
    IrNode **nodes;
    uint32_t count, axis;
    if (!parts_of(e, call, &nodes, &count))
        return elab_poison();
    if (ir_rank(nodes[0]) + 1 > IR_MAX_RANK)
        return elab_fail(e, DIAG_E0206, call->span, "a tensor has at most %d axes", IR_MAX_RANK);
    if (!elab_axis(e, call->values[1], ir_rank(nodes[0]) + 1, call->spans[1], &axis) ||
        !align_parts(e, call, nodes, count, -1))
        return elab_poison();
    for (uint32_t i = 0; i < count; i++)
        nodes[i] = elab_with_unit_axis(e, nodes[i], axis);
    return value_tensor(ir_concat(&e->b, nodes, count, axis));
}

/* x[…, index, …]: a view. */
static Value take_one(Elaborator *e, IrNode *x, IrNode *index, uint32_t axis) {
    IrNode *starts[IR_MAX_RANK], *extents[IR_MAX_RANK], *steps[IR_MAX_RANK];
    bool drop[IR_MAX_RANK] = {0};
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        starts[k] = ir_const_i64(&e->b, 0);
        steps[k] = ir_const_i64(&e->b, 1);
        extents[k] = x->types[0].dims[k];
    }
    starts[axis] = ir_check_index(&e->b, elab_cast(e, index, DTYPE_i64), extents[axis], axis);
    extents[axis] = ir_const_i64(&e->b, 1);
    drop[axis] = true;
    return value_tensor(ir_slice(&e->b, x, starts, extents, steps, drop));
}

Value builtin_take(Elaborator *e, BuiltinCall *call) {
    uint32_t axis = 0;
    Dtype dtype;
    Value x, indices;
    if (!tensor_argument(e, call, &x))
        return x;
    indices = builtin_tensor(e, call, 1, "the indices of `take`");
    if (value_is(indices, VALUE_POISON))
        return indices;
    elab_dtype_of(indices, &dtype);
    if (!dtype_is_integer(dtype))
        return elab_fail(e, DIAG_E0202, call->spans[1], "indices must be integers, not %s",
                         dtype_name(dtype));
    if (value_is(call->values[2], VALUE_NONE)) {
        IrNode *size = ir_size(&e->b, x.node);
        x.node = ir_reshape(&e->b, x.node, &size, 1);
    } else if (!elab_axis(e, call->values[2], ir_rank(x.node), call->spans[2], &axis)) {
        return elab_poison();
    }
    elab_at(e, call->span);
    if (ir_rank(indices.node) == 0)
        return take_one(e, x.node, indices.node, axis);
    return elab_gather(e, x, indices, axis, call->span);
}

/* ---- questions
 * -------------------------------------------------------------------------------------------------------- */

static Value field(Elaborator *e, BuiltinCall *call, const char *name) {
    Value x = call->values[0], out;
    bool has_field = (x.kind == VALUE_SPARSE || x.kind == VALUE_EDGES) &&
                     elab_find_field(e, x, elab_intern(e, name), &out);
    if (has_field)
        return out;
    if (!tensor_argument(e, call, &x))
        return x;
    elab_find_field(e, x, elab_intern(e, name), &out);
    return out;
}

Value builtin_shape(Elaborator *e, BuiltinCall *call) {
    return field(e, call, "shape");
}
Value builtin_dtype(Elaborator *e, BuiltinCall *call) {
    return field(e, call, "dtype");
}
Value builtin_ndim(Elaborator *e, BuiltinCall *call) {
    return field(e, call, "ndim");
}
Value builtin_size(Elaborator *e, BuiltinCall *call) {
    return field(e, call, "size");
}

Value builtin_cast(Elaborator *e, BuiltinCall *call) {
    Dtype dtype;
    if (!elab_dtype_argument(e, call->values[1], call->spans[1], &dtype))
        return elab_poison();
    if (elab_is_tree(call->values[0]))
        return elab_cast_tree(e, call->values[0], dtype, call->spans[0]);
    return elab_convert(e, call->values[0], dtype, call->spans[0], "what is converted");
}

Value builtin_is_function(Elaborator *e, BuiltinCall *call) {
    (void)e;
    ValueKind kind = call->values[0].kind;
    bool is_function = kind == VALUE_FUNCTION || kind == VALUE_BUILTIN || kind == VALUE_MAPPED ||
                       kind == VALUE_DERIVATIVE || kind == VALUE_LAYER || kind == VALUE_CLASS;
    return elab_constant(DTYPE_bool, is_function, false);
}

Value builtin_float_dtype(Elaborator *e, BuiltinCall *call) {
    Value out = field(e, call, "dtype");
    if (out.kind == VALUE_DTYPE)
        out.dtype = dtype_is_float(out.dtype) || dtype_is_complex(out.dtype) ? out.dtype : DTYPE_f64;
    return out;
}

Value builtin_is_float(Elaborator *e, BuiltinCall *call) {
    Value out = field(e, call, "dtype");
    return out.kind == VALUE_DTYPE ? elab_constant(DTYPE_bool, dtype_is_float(out.dtype), false) : out;
}

Value builtin_is_complex(Elaborator *e, BuiltinCall *call) {
    Value out = field(e, call, "dtype");
    return out.kind == VALUE_DTYPE ? elab_constant(DTYPE_bool, dtype_is_complex(out.dtype), false) : out;
}

Value builtin_len(Elaborator *e, BuiltinCall *call) {
    if (call->values[0].kind == VALUE_TUPLE)
        return elab_int(e, call->values[0].tuple->count);
    if (call->values[0].kind == VALUE_SEQUENCE)
        return elab_sequence_count(call->values[0]);
    Value shape = field(e, call, "shape");
    if (shape.kind != VALUE_TUPLE)
        return shape;
    return shape.tuple->count ? shape.tuple->items[0]
                              : elab_fail(e, DIAG_E0201, call->spans[0], "a scalar has no length");
}

/* For the norms: (-k, …, -1) for a shape of k sizes, which must be those of x. */
Value builtin_last_axes(Elaborator *e, BuiltinCall *call) {
    Value x, *items = &call->values[1];
    uint32_t count = 1;
    if (!tensor_argument(e, call, &x))
        return x;
    if (!elab_is_scalar(call->values[1]) &&
        !elab_elements(e, call->values[1], call->spans[1], "a shape", &items, &count))
        return elab_poison();
    ValueTuple *axes = elab_tuple(e, count);
    uint32_t rank = ir_rank(x.node);
    for (uint32_t i = 0; i < count; i++) {
        Value size = elab_index_scalar(e, items[i], call->spans[1], "a size");
        if (value_is(size, VALUE_POISON))
            return size;
        bool fits = count <= rank && elab_same_extent(e, size.node, x.node->types[0].dims[rank - count + i],
                                                      "sizes of the normalised axes differ");
        if (!fits)
            return elab_fail(e, DIAG_E0203, call->spans[1], "the last sizes of %s are not those of the shape",
                             elab_type_text(e, x));
        axes->items[i] = elab_int(e, (int64_t)i - count);
    }
    return (Value){.kind = VALUE_TUPLE, .tuple = axes};
}
