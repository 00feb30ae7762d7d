/* Indexing as NumPy's: integers, slices, `...`, new axes, integer and bool tensors; and the fields of
 * tensors.
 */
#include "frontend/elab_index.h"
#include "frontend/elab_sparse.h"

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
    x = elab_node(e, x);
    ValueTuple *tuple = elab_tuple(e, ir_rank(x.node));
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
    if (base.kind == VALUE_RECORD)
        return elab_record_field(e, base.tuple, name, out);
    if (base.kind == VALUE_LAYER)
        return elab_layer_member(e, base, name, out);
    if (value_is_on_pattern(base))
        return elab_sparse_field(e, base, name, out);
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
    if (base.kind == VALUE_RECORD)
        return elab_no_field(e, base, node->name->text, elab_mark(node));
    Diag *diag = diag_error(e->sink, DIAG_E0110, elab_mark(node), "%s has no field `%s`",
                            elab_kind_text(e, base), node->name->text);
    Nearest nearest = elab_nearest(node->name->text);
    elab_each_field(e, base, elab_consider, &nearest);
    elab_note_nearest(e, diag, &nearest);
    return elab_poison();
}

/* ---- slices
 * ------------------------------------------------------------------------------------------------------ */

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

IrNode *elab_mask_row(Elaborator *e, IrNode *where, uint32_t k) {
    IrNode *zero = int_node(e, 0), *one = int_node(e, 1);
    IrNode *starts[2] = {int_node(e, k), zero}, *extents[2] = {one, ir_dim(&e->b, where, 1)};
    return ir_slice(&e->b, where, starts, extents, (IrNode *[]){one, one}, (bool[]){true, false});
}

/* A mask stands for as many axes as it has, with the positions of its true elements as their indices. */
static bool mask_parts(Elaborator *e, Value mask, IrNode *const *dims, uint32_t axis, Span span,
                       Subscripts *out) {
    IrNode *node = elab_node(e, mask).node, *wanted[IR_MAX_RANK];
    elab_at(e, span);
    for (uint32_t k = 0; k < ir_rank(node); k++) {
        wanted[k] = elab_same_extent(e, node->types[0].dims[k], dims[axis + k],
                                     "a mask and axis %u that it selects from differ in size", axis + k);
        if (wanted[k])
            continue;
        elab_fail(e, DIAG_E0209, span, "the mask has size %s where axis %u has size %s",
                  elab_extent_text(e, node->types[0].dims[k]), axis + k, elab_extent_text(e, dims[axis + k]));
        return false;
    }
    node = elab_with_dims(e, node, wanted, ir_rank(node));
    IrNode *where = ir_nonzero(&e->b, node);
    for (uint32_t k = 0; k < ir_rank(node); k++)
        out->parts[out->count++] =
            (Part){PART_GATHER, whole_axis(e, dims[axis + k]), elab_mask_row(e, where, k), span, false};
    out->mask = node;
    out->mask_axis = axis;
    return true;
}

static bool index_dtype(Elaborator *e, const AstNode *node, Value value, Dtype *dtype) {
    if (value_is(value, VALUE_POISON))
        return false;
    if (!value_is_on_pattern(value) && elab_dtype_of(value, dtype) &&
        (dtype_is_integer(*dtype) || *dtype == DTYPE_bool))
        return true;
    elab_fail(e, DIAG_E0209, node->span,
              "an index must be an integer, a slice or a tensor of integers or bool, not %s",
              elab_kind_text(e, value));
    return false;
}

/* The subscript of the axes from `axis` on; how many it takes, 0 after reporting. */
static uint32_t elab_part(Elaborator *e, const AstNode *node, Value value, IrNode *const *dims, uint32_t axis,
                          Subscripts *out) {
    Dtype dtype;
    uint32_t rank;
    Part *part = &out->parts[out->count];
    *part = (Part){.kind = PART_CUT, .span = node->span};
    if (node->kind == AST_SLICE) {
        out->count++;
        return elab_slice(e, node, dims[axis], &part->cut);
    }
    if (!index_dtype(e, node, value, &dtype))
        return 0;
    elab_rank_of(value, &rank);
    if (dtype == DTYPE_bool)
        return mask_parts(e, value, dims, axis, node->span, out) ? rank : 0;
    out->count++;
    if (node->kind == AST_NAME && elab_infer_range(e, value, dims[axis], node)) {
        part->cut = (Cut){value.node, int_node(e, 1), int_node(e, 1), true};
        return 1;
    }
    if (rank == 0)
        return integer_part(e, value, dims[axis], axis, node->span, part);
    part->kind = PART_GATHER;
    part->cut = whole_axis(e, dims[axis]);
    IrNode *indices = elab_cast(e, elab_node(e, value).node, DTYPE_i64);
    elab_at(e, node->span);
    part->indices = ir_check_index(&e->b, indices, dims[axis], axis);
    return 1;
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

/* ---- the order of the result's axes
 * ---------------------------------------------------------------------------------- */

bool elab_has_indices(const Subscripts *s) {
    for (uint32_t i = 0; i < s->count; i++)
        if (s->parts[i].kind == PART_GATHER)
            return true;
    return false;
}

/* Beside a tensor an integer is an index like it. */
static bool is_index(const Part *part) {
    return part->kind == PART_GATHER || (part->kind == PART_CUT && part->cut.drop);
}

/* NumPy moves the axes of the indices to the front when a slice or a new axis stands between indices. */
static bool moves_to_front(const Subscripts *s) {
    uint32_t first = s->count, last = 0;
    for (uint32_t i = 0; i < s->count; i++)
        if (is_index(&s->parts[i])) {
            first = first == s->count ? i : first;
            last = i;
        }
    for (uint32_t i = first + 1; i <= last && first < s->count; i++)
        if (!is_index(&s->parts[i]) || s->parts[i].after_ellipsis)
            return true;
    return false;
}

static uint32_t index_rank(const Subscripts *s) {
    uint32_t rank = 0;
    for (uint32_t i = 0; i < s->count; i++)
        if (s->parts[i].kind == PART_GATHER && ir_rank(s->parts[i].indices) > rank)
            rank = ir_rank(s->parts[i].indices);
    return rank;
}

uint32_t elab_result_axes(const Subscripts *s, ResultAxis *out) {
    uint32_t count = 0, axis = 0, lead = index_rank(s);
    bool has_indices = elab_has_indices(s), done = !has_indices;
    for (uint32_t i = 0; i <= s->count; i++) {
        bool here = i < s->count && is_index(&s->parts[i]);
        for (uint32_t k = 0; !done && (here || moves_to_front(s)) && k < lead; k++)
            out[count++] = (ResultAxis){RESULT_INDEX, k};
        done = done || here || moves_to_front(s);
        if (i == s->count)
            break;
        if (s->parts[i].kind == PART_NEW)
            out[count++] = (ResultAxis){RESULT_NEW, i};
        else if (!is_index(&s->parts[i]))
            out[count++] = (ResultAxis){RESULT_AXIS, axis};
        axis += s->parts[i].kind != PART_NEW;
    }
    return count;
}

uint32_t elab_index_tensors(Elaborator *e, const Subscripts *s, IrNode **indices, uint32_t *axes) {
    OperandInfo infos[IR_MAX_RANK];
    uint32_t count = 0, axis = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->parts[i].kind == PART_GATHER) {
            indices[count] = s->parts[i].indices;
            infos[count] = (OperandInfo){s->parts[i].span, NULL};
            axes[count++] = axis;
        }
        axis += s->parts[i].kind != PART_NEW;
    }
    elab_at(e, s->span);
    return count < 2 || elab_broadcast(e, indices, infos, count, s->span, "index") ? count : UINT32_MAX;
}

/* ---- reading
 * ----------------------------------------------------------------------------------------------------------
 */

/* The axes of x (axis k of the tensor at position[k], the indices' from `lead` on) in the result's order. */
static IrNode *arrange(Elaborator *e, IrNode *x, const Subscripts *s, const ResultAxis *axes, uint32_t count,
                       const uint32_t *position, uint32_t lead) {
    uint32_t permutation[IR_MAX_RANK], map[IR_MAX_RANK], next = 0;
    IrNode *dims[IR_MAX_RANK];
    bool moves = false;
    for (uint32_t k = 0; k < count; k++) {
        if (axes[k].kind == RESULT_NEW) {
            IrNode *extent = s->parts[axes[k].axis].cut.extent;
            dims[k] = extent ? extent : int_node(e, 1);
            continue;
        }
        uint32_t from = axes[k].kind == RESULT_AXIS ? position[axes[k].axis] : lead + axes[k].axis;
        moves = moves || from != next;
        dims[k] = x->types[0].dims[from];
        map[next] = k;
        permutation[next++] = from;
    }
    if (moves)
        x = ir_permute(&e->b, x, permutation);
    return next == count ? x : ir_broadcast(&e->b, x, map, dims, count);
}

Value elab_indexed(Elaborator *e, IrNode *x, const Subscripts *s) {
    ResultAxis result[3 * IR_MAX_RANK];
    IrNode *indices[IR_MAX_RANK];
    uint32_t axes[IR_MAX_RANK], position[IR_MAX_RANK], axis = 0, lead = 0, rank = index_rank(s);
    uint32_t count = elab_result_axes(s, result), tensors = elab_index_tensors(e, s, indices, axes);
    if (tensors == UINT32_MAX)
        return elab_poison();
    if (count > IR_MAX_RANK)
        return elab_fail(e, DIAG_E0209, s->span, "a tensor has at most %d axes", IR_MAX_RANK);
    IrNode *out = apply_cuts(e, x, s->parts, s->count);
    for (uint32_t i = 0, seen = 0, at = 0; i < s->count; i++) { /* at: axis of `out` */
        if (s->parts[i].kind == PART_NEW)
            continue;
        if (s->parts[i].kind == PART_GATHER) {
            lead = seen ? lead : at;
            axes[seen++] = at++;
        } else if (!s->parts[i].cut.drop) {
            position[axis] = at++ - seen + (seen ? rank : 0);
        }
        axis++;
    }
    if (tensors)
        out = ir_gather_many(&e->b, out, indices, axes, tensors);
    return value_tensor(arrange(e, out, s, result, count, position, lead));
}

typedef struct Subscript { /* as written: a slice and `...` have no value */
    const AstNode *node;
    Value value;
} Subscript;

static bool is_written(const Subscript *subscript, AstKind kind) {
    return subscript->node->kind == kind;
}

/* Evaluates the subscripts.  A tuple alone stands for its items, as in NumPy: `x[nonzero(m)]`. */
static Subscript *subscript_values(Elaborator *e, AstList list, uint32_t *count) {
    Subscript *out = ARENA_ARRAY(e->arena, Subscript, list.count);
    *count = list.count;
    for (uint32_t i = 0; i < list.count; i++) {
        out[i].node = list.items[i];
        if (!is_written(&out[i], AST_SLICE) && !is_written(&out[i], AST_ELLIPSIS) &&
            !is_written(&out[i], AST_EDGE))
            out[i].value = elab_expression(e, out[i].node);
    }
    if (list.count != 1 || out->value.kind != VALUE_TUPLE)
        return out;
    const ValueTuple *tuple = out->value.tuple;
    const AstNode *node = out->node;
    *count = tuple->count;
    out = ARENA_ARRAY(e->arena, Subscript, tuple->count);
    for (uint32_t i = 0; i < tuple->count; i++)
        out[i] = (Subscript){node, tuple->items[i]};
    return out;
}

static bool is_choice(Value value) {
    Dtype dtype;
    return elab_dtype_of(value, &dtype) && dtype == DTYPE_bool && elab_is_scalar(value);
}

static bool makes_axis(Value value) {
    return value.kind == VALUE_NONE || is_choice(value);
}

/* A scalar bool: a new axis of 1 where it is true, of 0 where it is false, as in NumPy. */
static bool choice_part(Elaborator *e, const Subscript *subscript, Subscripts *out) {
    IrNode *extent = elab_cast(e, elab_node(e, subscript->value).node, DTYPE_i64);
    if (out->has_choice)
        return elab_unsupported(e, subscript->node->span, "two scalar bools in an index"), false;
    out->has_choice = true;
    out->parts[out->count++] =
        (Part){.kind = PART_NEW, .span = subscript->node->span, .cut = {.extent = extent}};
    return true;
}

/* How many axes the subscripts take; UINT32_MAX after reporting. */
static uint32_t axes_taken(Elaborator *e, const Subscript *subscripts, uint32_t count, Span span) {
    uint32_t used = 0, ellipses = 0, made = 0, rank;
    for (uint32_t i = 0; i < count; i++) {
        const Subscript *s = &subscripts[i];
        Dtype dtype;
        if (is_written(s, AST_EDGE))
            return elab_unsupported(e, s->node->span, "an edge index"), UINT32_MAX;
        if (is_written(s, AST_ELLIPSIS) && ellipses++)
            return elab_fail(e, DIAG_E0209, s->node->span, "an index has one `...` at most"), UINT32_MAX;
        if (is_written(s, AST_SLICE) || is_written(s, AST_ELLIPSIS)) {
            used += is_written(s, AST_SLICE);
            continue;
        }
        bool is_mask = elab_dtype_of(s->value, &dtype) && dtype == DTYPE_bool &&
                       elab_rank_of(s->value, &rank) && rank > 0;
        made += makes_axis(s->value);
        used += is_mask ? rank : !makes_axis(s->value);
    }
    if (made > IR_MAX_RANK)
        return elab_fail(e, DIAG_E0209, span, "a tensor has at most %d axes", IR_MAX_RANK), UINT32_MAX;
    return used;
}

static void forget_mask_among_others(Subscripts *s, IrNode *const *dims) {
    uint32_t axis = 0;
    for (uint32_t i = 0; s->mask && i < s->count; i++) {
        int64_t start, step;
        const Part *part = &s->parts[i];
        bool in_mask = axis >= s->mask_axis && axis < s->mask_axis + ir_rank(s->mask);
        bool whole = part->kind == PART_CUT && !part->cut.drop && part->cut.extent == dims[axis] &&
                     ir_const_value_i64(part->cut.start, &start) && start == 0 &&
                     ir_const_value_i64(part->cut.step, &step) && step == 1;
        if (part->kind == PART_NEW || (!in_mask && !whole)) {
            s->mask = NULL;
            return;
        }
        axis++;
    }
}

bool elab_subscripts(Elaborator *e, const AstNode *node, Value base, Subscripts *out) {
    uint32_t rank = ir_rank(base.node), axis = 0, count;
    const Subscript *subscripts = subscript_values(e, ast_index_subscripts(node), &count);
    IrNode *const *dims = base.node->types[0].dims;
    bool has_ellipsis = false, ok = true;
    uint32_t used = axes_taken(e, subscripts, count, node->span);
    if (used == UINT32_MAX)
        return false;
    if (used > rank) {
        elab_fail(e, DIAG_E0209, node->span, "%u indices for %s, which has %u ax%s", used,
                  elab_type_text(e, base), rank, rank == 1 ? "is" : "es");
        return false;
    }
    *out = (Subscripts){.parts = ARENA_ARRAY(e->arena, Part, count + 2 * rank), .span = node->span};
    for (uint32_t i = 0; i < count; i++)
        has_ellipsis = has_ellipsis || is_written(&subscripts[i], AST_ELLIPSIS);
    for (uint32_t i = 0; i <= count && ok; i++) {
        const Subscript *s = i < count ? &subscripts[i] : NULL;
        bool fills = s ? is_written(s, AST_ELLIPSIS) : !has_ellipsis;
        for (uint32_t k = used; fills && k < rank; k++, axis++)
            out->parts[out->count++] = (Part){.kind = PART_CUT, .cut = whole_axis(e, dims[axis])};
        uint32_t first = out->count;
        if (!s || is_written(s, AST_ELLIPSIS))
            continue;
        if (!is_written(s, AST_SLICE) && s->value.kind == VALUE_NONE) {
            out->parts[out->count++] = (Part){.kind = PART_NEW, .span = s->node->span};
            continue;
        }
        if (!is_written(s, AST_SLICE) && is_choice(s->value)) {
            ok = choice_part(e, s, out);
            continue;
        }
        uint32_t taken = elab_part(e, s->node, s->value, dims, axis, out);
        ok = taken > 0;
        axis += taken;
        out->parts[first].after_ellipsis = i > 0 && is_written(&subscripts[i - 1], AST_ELLIPSIS);
    }
    forget_mask_among_others(out, dims);
    if (ok && out->has_choice && elab_has_indices(out))
        return elab_unsupported(e, node->span, "a scalar bool beside index tensors"), false;
    return ok;
}

static Value index_dense(Elaborator *e, const AstNode *node, Value base) {
    Subscripts s;
    if (!elab_subscripts(e, node, base, &s))
        return elab_poison();
    elab_at(e, node->span);
    return elab_indexed(e, base.node, &s);
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
        ValueTuple *part =
            elab_tuple_of(e, stop > index ? (uint32_t)(stop - index) : 0, tuple->items + index);
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
    if (base.kind == VALUE_RECORD)
        return elab_index_record(e, node, base);
    if (value_is_on_pattern(base))
        return elab_sparse_index(e, node, base);
    base = elab_tensor(e, base, ast_index_base(node)->span, "what is indexed");
    return value_is(base, VALUE_POISON) ? base : index_dense(e, node, base);
}

IrNode *elab_first_axis_item(Elaborator *e, IrNode *x, IrNode *i) {
    Part parts[IR_MAX_RANK] = {{.kind = PART_CUT, .cut = {i, int_node(e, 1), int_node(e, 1), true}}};
    for (uint32_t k = 1; k < ir_rank(x); k++)
        parts[k] = (Part){.kind = PART_CUT, .cut = whole_axis(e, x->types[0].dims[k])};
    return apply_cuts(e, x, parts, ir_rank(x));
}
