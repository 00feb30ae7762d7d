/* Indexing as NumPy's: integers, slices, `...`, new axes, one integer tensor; and the fields of tensors. */
#include "frontend/elab.h"

static IrNode *int_node(Elaborator *e, int64_t value) {
    return ir_const_i64(&e->b, value);
}
static IrNode *int_op(Elaborator *e, Op op, IrNode *x, IrNode *y) {
    return ir_binary(&e->b, op, x, y);
}
static IrNode *at_least_zero(Elaborator *e, IrNode *x) {
    int64_t value;
    if (ir_const_value_i64(x, &value))
        return value < 0 ? int_node(e, 0) : x;
    return int_op(e, OP_maximum, x, int_node(e, 0));
}

/* ---- fields
 * --------------------------------------------------------------------------------------------------- */

Value elab_shape(Elaborator *e, Value x) {
    ValueTuple *tuple = ARENA_NEW(e->arena, ValueTuple);
    x = elab_node(e, x);
    *tuple = (ValueTuple){ir_rank(x.node), ARENA_ARRAY(e->arena, Value, ir_rank(x.node))};
    for (uint32_t k = 0; k < tuple->count; k++) {
        int64_t known;
        IrNode *extent = x.node->types[0].dims[k];
        tuple->items[k] = ir_const_value_i64(extent, &known) ? elab_int(e, known) : value_weak(extent);
    }
    return (Value){.kind = VALUE_TUPLE, .tuple = tuple};
}

Value elab_transpose(Elaborator *e, Value x) {
    uint32_t permutation[IR_MAX_RANK], rank;
    bool is_weak = x.is_weak;
    x = elab_node(e, x);
    rank = ir_rank(x.node);
    for (uint32_t k = 0; k < rank; k++)
        permutation[k] = rank - 1 - k;
    if (rank > 1)
        x.node = ir_permute(&e->b, x.node, permutation);
    x.is_weak = is_weak && !rank;
    return x;
}

bool elab_find_field(Elaborator *e, Value base, Name name, Value *out) {
    Dtype dtype;
    uint32_t rank;
    if (!elab_dtype_of(base, &dtype) || !elab_rank_of(base, &rank))
        return false;
    if (name_is(name, "shape"))
        return *out = elab_shape(e, base), true;
    if (name_is(name, "T"))
        return *out = elab_transpose(e, base), true;
    if (name_is(name, "real") || name_is(name, "imag"))
        return *out = elab_part_of(e, base, name_is(name, "imag") ? OP_imag : OP_real), true;
    if (name_is(name, "ndim"))
        return *out = elab_int(e, rank), true;
    if (name_is(name, "dtype"))
        return *out = (Value){.kind = VALUE_DTYPE, .dtype = dtype}, true;
    if (name_is(name, "size")) {
        IrNode *size = ir_size(&e->b, elab_node(e, base).node);
        int64_t known;
        return *out = ir_const_value_i64(size, &known) ? elab_int(e, known) : value_weak(size), true;
    }
    return false;
}

Value elab_field(Elaborator *e, const AstNode *node) {
    Value base = elab_expression(e, ast_field_base(node)), out;
    if (value_is(base, VALUE_POISON) || elab_find_field(e, base, node->name, &out))
        return value_is(base, VALUE_POISON) ? base : out;
    if (name_is(node->name, "nnz"))
        return elab_unsupported(e, elab_mark(node), "a sparse matrix");
    return elab_fail(e, DIAG_E0110, elab_mark(node), "%s has no field `%s`", elab_kind_text(e, base),
                     node->name->text);
}

/* ---- slices
 * ------------------------------------------------------------------------------------------------------ */

typedef struct Cut { /* one axis of a view */
    IrNode *start, *extent, *step;
    bool drop;
} Cut;

/* A slice bound: absent, or an i64 node. */
static bool slice_bound(Elaborator *e, const AstNode *node, IrNode **out) {
    *out = NULL;
    if (!node)
        return true;
    Value value = elab_expression(e, node);
    if (value_is(value, VALUE_NONE))
        return true;
    value = elab_index_scalar(e, value, node->span, "a slice bound");
    *out = value.node;
    return value.kind == VALUE_TENSOR;
}

/* A bound counted from the front and clamped to low..n+high (Python's rule). */
static IrNode *clamp(Elaborator *e, IrNode *bound, IrNode *n, int64_t low, int64_t high) {
    int64_t value;
    IrNode *top = high ? int_op(e, OP_add, n, int_node(e, high)) : n;
    if (ir_const_value_i64(bound, &value) && value >= 0)
        return int_op(e, OP_minimum, bound, top);
    IrNode *back = int_op(e, OP_maximum, int_op(e, OP_add, n, bound), int_node(e, low));
    if (ir_const_value_i64(bound, &value))
        return back;
    IrNode *is_negative = int_op(e, OP_lt, bound, int_node(e, 0));
    return ir_where(&e->b, is_negative, back, int_op(e, OP_minimum, bound, top));
}

/* Elements between the bounds going up.  Constant bounds give the simplest text (`max(n - 1, 0)` for both
 * `x[1:]` and `x[:-1]`), so that equal sizes are equal nodes. */
static IrNode *forward_length(Elaborator *e, IrNode *start, IrNode *stop, IrNode *n, IrNode *first,
                              IrNode *last) {
    int64_t low = 0, high = 0;
    bool low_known = !start || ir_const_value_i64(start, &low);
    bool high_known = !stop || ir_const_value_i64(stop, &high);
    if (low_known && high_known && low >= 0 && (!stop || high < 0)) {
        int64_t less;
        if (!__builtin_sub_overflow(stop ? high : 0, low, &less))
            return less == 0 ? n : at_least_zero(e, int_op(e, OP_add, n, int_node(e, less)));
    }
    if (low_known && low < 0 && !stop && low != INT64_MIN)
        return int_op(e, OP_minimum, n, int_node(e, -low));
    if (low_known && low == 0)
        return last;
    return at_least_zero(e, int_op(e, OP_sub, last, first));
}

static bool elab_slice(Elaborator *e, const AstNode *node, IrNode *n, Cut *cut) {
    IrNode *start, *stop, *step_node;
    int64_t step = 1;
    if (!slice_bound(e, ast_slice_start(node), &start) || !slice_bound(e, ast_slice_stop(node), &stop) ||
        !slice_bound(e, ast_slice_step(node), &step_node))
        return false;
    if (step_node && !ir_const_value_i64(step_node, &step)) {
        elab_fail(e, DIAG_E0210, ast_slice_step(node)->span,
                  "the step of a slice must be known when compiling");
        return false;
    }
    if (step == 0 || step == INT64_MIN) {
        elab_fail(e, DIAG_E0209, node->span, "the step of a slice cannot be %s", step ? "so large" : "zero");
        return false;
    }
    elab_at(e, node->span);
    IrNode *length;
    if (step > 0) {
        cut->start = start ? clamp(e, start, n, 0, 0) : int_node(e, 0);
        length = forward_length(e, start, stop, n, cut->start, stop ? clamp(e, stop, n, 0, 0) : n);
    } else {
        cut->start = start ? clamp(e, start, n, -1, -1) : int_op(e, OP_add, n, int_node(e, -1));
        IrNode *last = stop ? clamp(e, stop, n, -1, -1) : int_node(e, -1);
        length = start || stop ? at_least_zero(e, int_op(e, OP_sub, cut->start, last)) : n;
    }
    int64_t stride = step > 0 ? step : -step;
    cut->step = int_node(e, step);
    cut->extent = stride == 1 ? length
                              : int_op(e, OP_floordiv, int_op(e, OP_add, length, int_node(e, stride - 1)),
                                       int_node(e, stride));
    return true;
}

/* ---- whole index expressions
 * ---------------------------------------------------------------------------------------- */

typedef enum PartKind { PART_CUT, PART_NEW, PART_GATHER } PartKind;
typedef struct Part { /* one subscript after `...` was filled in */
    PartKind kind;
    Cut cut;
    Value indices;
    Span span;
} Part;

static Cut whole_axis(Elaborator *e, IrNode *n) {
    return (Cut){int_node(e, 0), n, int_node(e, 1), false};
}

static bool integer_part(Elaborator *e, Value value, IrNode *n, uint32_t axis, Span span, Part *part) {
    int64_t index, extent;
    Value scalar = elab_index_scalar(e, value, span, "an index");
    if (value_is(scalar, VALUE_POISON))
        return false;
    elab_at(e, span);
    IrNode *start = scalar.node;
    bool is_known = ir_const_value_i64(start, &index);
    if (is_known && ir_known_i64(n, &extent)) {
        if (index < -extent || index >= extent) {
            elab_fail(e, DIAG_E0209, span, "the index %lld is out of range for axis %u with size %lld",
                      (long long)index, axis, (long long)extent);
            return false;
        }
        if (ir_is_const(n))
            start = int_node(e, index < 0 ? index + extent : index);
    }
    if (!is_known || !ir_is_const(n))
        start = ir_check_index(&e->b, start, n, axis);
    part->cut = (Cut){start, int_node(e, 1), int_node(e, 1), true};
    return true;
}

/* The subscript of one axis. */
static bool elab_part(Elaborator *e, const AstNode *node, Value value, IrNode *n, uint32_t axis, Part *part) {
    Dtype dtype;
    part->span = node->span;
    part->kind = PART_CUT;
    if (node->kind == AST_SLICE)
        return elab_slice(e, node, n, &part->cut);
    if (value_is(value, VALUE_POISON))
        return false;
    if (!elab_dtype_of(value, &dtype) || (!dtype_is_integer(dtype) && dtype != DTYPE_bool)) {
        elab_fail(e, DIAG_E0209, node->span,
                  "an index must be an integer, a slice or a tensor of integers, not %s",
                  elab_kind_text(e, value));
        return false;
    }
    if (dtype == DTYPE_bool) {
        elab_unsupported(e, node->span, "a boolean index");
        return false;
    }
    if (node->kind == AST_NAME && elab_infer_range(e, value, n, node)) {
        part->cut = (Cut){value.node, int_node(e, 1), int_node(e, 1), true};
        return true;
    }
    if (elab_is_scalar(value))
        return integer_part(e, value, n, axis, node->span, part);
    part->kind = PART_GATHER;
    part->indices = value;
    part->cut = whole_axis(e, n);
    return true;
}

Value elab_gather(Elaborator *e, Value x, Value indices, uint32_t axis, Span span) {
    IrNode *node = elab_cast(e, elab_node(e, indices).node, DTYPE_i64);
    elab_at(e, span);
    if (ir_rank(x.node) + ir_rank(node) - 1 > IR_MAX_RANK)
        return elab_fail(e, DIAG_E0209, span, "a tensor has at most %d axes", IR_MAX_RANK);
    node = ir_check_index(&e->b, node, ir_dim(&e->b, x.node, axis), axis);
    return value_tensor(ir_gather(&e->b, x.node, node, axis));
}

static IrNode *apply_cuts(Elaborator *e, IrNode *x, const Part *parts, uint32_t count) {
    IrNode *starts[IR_MAX_RANK], *extents[IR_MAX_RANK], *steps[IR_MAX_RANK];
    bool drop[IR_MAX_RANK];
    uint32_t axis = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i].kind == PART_NEW)
            continue;
        starts[axis] = parts[i].cut.start;
        extents[axis] = parts[i].cut.extent;
        steps[axis] = parts[i].cut.step;
        drop[axis++] = parts[i].cut.drop;
    }
    return ir_slice(&e->b, x, starts, extents, steps, drop);
}

/* Inserts the new axes; `gathered` is the number of axes that a tensor index made. */
static IrNode *insert_axes(Elaborator *e, IrNode *x, const Part *parts, uint32_t count, uint32_t gathered) {
    IrNode *dims[IR_MAX_RANK];
    uint32_t map[IR_MAX_RANK], from = 0, to = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i].kind == PART_NEW) {
            if (to < IR_MAX_RANK)
                dims[to] = int_node(e, 1);
            to++;
            continue;
        }
        uint32_t axes = parts[i].kind == PART_GATHER ? gathered : !parts[i].cut.drop;
        for (; axes && to < IR_MAX_RANK; axes--) {
            dims[to] = x->types[0].dims[from];
            map[from++] = to++;
        }
    }
    if (to > IR_MAX_RANK || from != ir_rank(x))
        return NULL;
    return to == from ? x : ir_broadcast(&e->b, x, map, dims, to);
}

/* NumPy moves the axes of a tensor index to the front when an integer index stands apart from it. */
static bool moves_to_front(const Part *parts, uint32_t count, uint32_t at) {
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i].kind != PART_CUT || !parts[i].cut.drop)
            continue;
        uint32_t low = i < at ? i : at, high = i < at ? at : i;
        for (uint32_t k = low + 1; k < high; k++)
            if (parts[k].kind != PART_CUT || !parts[k].cut.drop)
                return true;
    }
    return false;
}

static IrNode *front(Elaborator *e, IrNode *x, uint32_t position, uint32_t length) {
    uint32_t permutation[IR_MAX_RANK], next = 0;
    for (uint32_t k = 0; k < length; k++)
        permutation[next++] = position + k;
    for (uint32_t k = 0; k < ir_rank(x); k++)
        if (k < position || k >= position + length)
            permutation[next++] = k;
    return ir_permute(&e->b, x, permutation);
}

static Value index_tensor(Elaborator *e, IrNode *x, const Part *parts, uint32_t count, Span span) {
    uint32_t gather = count, axis = 0, axes = 0;
    Value out = value_tensor(apply_cuts(e, x, parts, count));
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i].kind != PART_GATHER)
            continue;
        if (gather != count)
            return elab_unsupported(e, parts[i].span, "more than one tensor in an index");
        gather = i;
        for (uint32_t k = 0; k < i; k++)
            axis += parts[k].kind == PART_CUT && !parts[k].cut.drop;
    }
    if (gather != count) {
        elab_rank_of(parts[gather].indices, &axes);
        out = elab_gather(e, out, parts[gather].indices, axis, parts[gather].span);
        if (value_is(out, VALUE_POISON))
            return out;
    }
    elab_at(e, span);
    out.node = insert_axes(e, out.node, parts, count, axes);
    if (!out.node)
        return elab_fail(e, DIAG_E0209, span, "a tensor has at most %d axes", IR_MAX_RANK);
    if (gather != count && moves_to_front(parts, count, gather)) {
        uint32_t position = 0;
        for (uint32_t k = 0; k < gather; k++)
            position += parts[k].kind == PART_NEW || !parts[k].cut.drop;
        out.node = front(e, out.node, position, axes);
    }
    return out;
}

/* Evaluates the subscripts first: their values tell new axes from indices. */
static Value index_dense(Elaborator *e, const AstNode *node, Value base) {
    AstList list = ast_index_subscripts(node);
    uint32_t rank = ir_rank(base.node), used = 0, count = 0, axis = 0;
    Value *values = ARENA_ARRAY(e->arena, Value, list.count);
    bool has_ellipsis = false, ok = true;
    for (uint32_t i = 0; i < list.count; i++) {
        AstKind kind = list.items[i]->kind;
        if (kind == AST_EDGE)
            return elab_unsupported(e, list.items[i]->span, "an edge index");
        if (kind == AST_ELLIPSIS && has_ellipsis)
            return elab_fail(e, DIAG_E0209, list.items[i]->span, "an index has one `...` at most");
        has_ellipsis = has_ellipsis || kind == AST_ELLIPSIS;
        if (kind != AST_SLICE && kind != AST_ELLIPSIS)
            values[i] = elab_expression(e, list.items[i]);
        used += kind != AST_ELLIPSIS && values[i].kind != VALUE_NONE;
    }
    if (used > rank)
        return elab_fail(e, DIAG_E0209, node->span, "%u indices for %s, which has %u ax%s", used,
                         elab_type_text(e, base), rank, rank == 1 ? "is" : "es");
    Part *parts = ARENA_ARRAY(e->arena, Part, list.count + rank);
    for (uint32_t i = 0; i <= list.count; i++) {
        bool fills = i < list.count ? list.items[i]->kind == AST_ELLIPSIS : !has_ellipsis;
        for (uint32_t k = used; fills && k < rank; k++)
            parts[count++] = (Part){.kind = PART_CUT, .cut = whole_axis(e, base.node->types[0].dims[axis++])};
        if (i == list.count || list.items[i]->kind == AST_ELLIPSIS)
            continue;
        if (list.items[i]->kind != AST_SLICE && values[i].kind == VALUE_NONE) {
            parts[count++] = (Part){.kind = PART_NEW, .span = list.items[i]->span};
            continue;
        }
        ok = elab_part(e, list.items[i], values[i], base.node->types[0].dims[axis], axis, &parts[count++]) &&
             ok;
        axis++;
    }
    return ok ? index_tensor(e, base.node, parts, count, node->span) : elab_poison();
}

/* ---- tuples
 * ------------------------------------------------------------------------------------------------------------
 */

static bool tuple_bound(Elaborator *e, const AstNode *node, int64_t absent, int64_t count, int64_t *out) {
    *out = absent;
    if (!node)
        return true;
    Value value = elab_expression(e, node);
    if (!elab_constant_int(value, out)) {
        if (!value_is(value, VALUE_POISON))
            elab_fail(e, DIAG_E0210, node->span, "an index of a tuple must be known when compiling");
        return false;
    }
    *out = *out < 0 ? *out + count : *out;
    *out = *out < 0 ? 0 : *out > count ? count : *out;
    return true;
}

static Value index_tuple(Elaborator *e, const AstNode *node, const ValueTuple *tuple) {
    AstList list = ast_index_subscripts(node);
    int64_t index, stop, count = tuple->count;
    if (list.count != 1)
        return elab_fail(e, DIAG_E0209, node->span, "a tuple takes one index");
    const AstNode *subscript = list.items[0];
    if (subscript->kind == AST_SLICE) {
        if (ast_slice_step(subscript))
            return elab_unsupported(e, subscript->span, "a slice of a tuple with a step");
        if (!tuple_bound(e, ast_slice_start(subscript), 0, count, &index) ||
            !tuple_bound(e, ast_slice_stop(subscript), count, count, &stop))
            return elab_poison();
        ValueTuple *part = ARENA_NEW(e->arena, ValueTuple);
        *part = (ValueTuple){stop > index ? (uint32_t)(stop - index) : 0, tuple->items + index};
        return (Value){.kind = VALUE_TUPLE, .tuple = part};
    }
    Value value = elab_expression(e, subscript);
    if (value_is(value, VALUE_POISON))
        return value;
    if (!elab_constant_int(value, &index))
        return elab_fail(e, DIAG_E0210, subscript->span, "an index of a tuple must be known when compiling");
    if (index < -count || index >= count)
        return elab_fail(e, DIAG_E0209, subscript->span, "the index %lld is out of range for a tuple of %lld",
                         (long long)index, (long long)count);
    return tuple->items[index < 0 ? index + count : index];
}

Value elab_index(Elaborator *e, const AstNode *node) {
    Value base = elab_expression(e, ast_index_base(node));
    if (value_is(base, VALUE_POISON))
        return base;
    if (base.kind == VALUE_TUPLE)
        return index_tuple(e, node, base.tuple);
    base = elab_tensor(e, base, ast_index_base(node)->span, "what is indexed");
    return value_is(base, VALUE_POISON) ? base : index_dense(e, node, base);
}

IrNode *elab_first_axis_item(Elaborator *e, IrNode *x, IrNode *i) {
    Part parts[IR_MAX_RANK] = {{.kind = PART_CUT, .cut = {i, int_node(e, 1), int_node(e, 1), true}}};
    for (uint32_t k = 1; k < ir_rank(x); k++)
        parts[k] = (Part){.kind = PART_CUT, .cut = whole_axis(e, x->types[0].dims[k])};
    return apply_cuts(e, x, parts, ir_rank(x));
}
