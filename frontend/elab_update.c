/* Assignment through indices: `x[i] = v`, `x[1:, k] += v`, `x[i][j] = v` as functional updates of a `mut`. */
#include "frontend/elab_builtin.h"
#include "frontend/elab_index.h"
#include "frontend/elab_sparse.h"

typedef struct Update {   /* one assignment */
    const AstNode *node;  /* for messages of the operator */
    AstOperator operator; /* AST_OPERATOR_NONE: plain `=` */
    Value value;
    Span value_span;
    const char *what; /* "`x`" */
} Update;

/* ---- the value in the layout of an update
 * ------------------------------------------------------------------------------- */

static Value shape_error(Elaborator *e, const Update *update, Value value, Value part) {
    return elab_fail(e, DIAG_E0203, update->value_span, "%s does not fit the part that is assigned, %s",
                     elab_type_text(e, value), elab_type_text(e, part));
}

/* The value broadcast to the part that is assigned; a scalar stays one. */
static Value broadcast_value(Elaborator *e, const Update *update, Value value, Value part) {
    IrNode *x = value.node, *dims[IR_MAX_RANK];
    uint32_t rank = ir_rank(part.node);
    int64_t one, size;
    if (!ir_rank(x))
        return value;
    while (ir_rank(x) > rank) { /* as NumPy: leading axes of size 1 may be more */
        if (!ir_known_i64(x->types[0].dims[0], &one) || one != 1)
            return shape_error(e, update, value, part);
        x = elab_drop_unit_axis(e, ir_is_const(x->types[0].dims[0]) ? x : elab_as_one(e, x, 0), 0);
    }
    uint32_t lead = rank - ir_rank(x);
    elab_copy_dims(dims, part.node);
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        IrNode *extent = x->types[0].dims[k], **wanted = &dims[lead + k];
        bool is_one = ir_known_i64(extent, &one) && one == 1,
             wants_one = ir_known_i64(*wanted, &size) && size == 1;
        if (is_one && !wants_one && !ir_is_const(extent))
            x = elab_as_one(e, x, k);
        if (is_one && (!wants_one || ir_is_const(extent)))
            continue;
        IrNode *same =
            elab_same_extent(e, *wanted, extent, "sizes of axis %u of an assignment differ", lead + k);
        if (!same)
            return shape_error(e, update, value, part);
        *wanted = same;
    }
    return value_tensor(rank ? elab_with_dims(e, x, dims, rank) : x);
}

/* Axes: those of the indices, then those of the tensor without the indexed ones; new axes are gone. */
static IrNode *update_layout(Elaborator *e, IrNode *v, const Subscripts *s) {
    ResultAxis axes[3 * IR_MAX_RANK];
    uint32_t count = elab_result_axes(s, axes), permutation[IR_MAX_RANK], map[IR_MAX_RANK];
    uint32_t kept = 0, lead = 0, next = 0, rank;
    IrNode *dims[2 * IR_MAX_RANK];
    for (uint32_t k = count; k-- > 0;) {
        if (axes[k].kind != RESULT_NEW)
            continue;
        v = elab_drop_unit_axis(e, v, k);
        memmove(axes + k, axes + k + 1, (--count - k) * sizeof *axes);
    }
    for (uint32_t k = 0; k < count; k++)
        if (axes[k].kind == RESULT_INDEX)
            permutation[kept++] = k;
    lead = kept;
    for (uint32_t k = 0; k < count; k++)
        if (axes[k].kind == RESULT_AXIS)
            permutation[kept++] = k;
    v = ir_permute(&e->b, v, permutation);
    rank = lead;
    for (; next < lead; next++) {
        map[next] = next;
        dims[next] = v->types[0].dims[next];
    }
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->parts[i].kind != PART_CUT)
            continue;
        if (s->parts[i].cut.drop) {
            dims[rank++] = ir_const_i64(&e->b, 1);
            continue;
        }
        dims[rank] = v->types[0].dims[next];
        map[next++] = rank++;
    }
    if (rank > IR_MAX_RANK)
        return NULL;
    return rank == next ? v : ir_broadcast(&e->b, v, map, dims, rank);
}

/* ---- storing
 * ------------------------------------------------------------------------------------------------------------
 */

static Value store(Elaborator *e, const Update *update, Value base, const Subscripts *s, Value part,
                   Value value, Op combine) {
    IrNode *starts[IR_MAX_RANK], *extents[IR_MAX_RANK], *steps[IR_MAX_RANK], *indices[IR_MAX_RANK];
    uint32_t axes[IR_MAX_RANK], axis = 0, count = elab_index_tensors(e, s, indices, axes);
    if (count == UINT32_MAX)
        return elab_poison();
    value = broadcast_value(e, update, value, part);
    if (value_is(value, VALUE_POISON))
        return value;
    IrNode *v = ir_rank(value.node) ? update_layout(e, value.node, s) : value.node;
    if (!v)
        return elab_fail(e, DIAG_E0209, s->span, "a tensor has at most %d axes", IR_MAX_RANK);
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->parts[i].kind == PART_NEW)
            continue;
        starts[axis] = s->parts[i].cut.start;
        extents[axis] = s->parts[i].cut.extent;
        steps[axis++] = s->parts[i].cut.step;
    }
    return value_tensor(
        ir_update(&e->b, base.node, v, starts, extents, steps, indices, axes, count, combine));
}

/* A scalar stored where a mask is true: a choice, element by element. */
static Value store_masked(Elaborator *e, Value base, const Subscripts *s, IrNode *scalar) {
    uint32_t map[IR_MAX_RANK], rank = ir_rank(base.node);
    IrNode *dims[IR_MAX_RANK];
    elab_copy_dims(dims, base.node);
    for (uint32_t k = 0; k < ir_rank(s->mask); k++) { /* with the checks of the mask's extents */
        map[k] = s->mask_axis + k;
        dims[map[k]] = s->mask->types[0].dims[k];
    }
    IrNode *mask = ir_broadcast(&e->b, s->mask, map, dims, rank);
    return value_tensor(ir_where(&e->b, mask, elab_with_dims(e, scalar, dims, rank),
                                 elab_with_dims(e, base.node, dims, rank)));
}

/* What an operator does to elements whose index may repeat, or OP_none. */
static Op combining_op(AstOperator operator, Dtype dtype) {
    bool is_bool = dtype == DTYPE_bool;
    switch (operator) {
    case AST_OPERATOR_ADD:
        return is_bool ? OP_logical_or : OP_add;
    case AST_OPERATOR_MUL:
        return is_bool ? OP_logical_and : OP_mul;
    case AST_OPERATOR_SUB:
        return OP_sub;
    case AST_OPERATOR_DIV:
        return OP_div;
    case AST_OPERATOR_FLOOR_DIV:
        return OP_floordiv;
    case AST_OPERATOR_MOD:
        return OP_mod;
    case AST_OPERATOR_POW:
        return OP_pow;
    default:
        return OP_none;
    }
}

/* The base with the part replaced. */
static Value assign_part(Elaborator *e, const Update *update, Value base, const Subscripts *s) {
    Value part = elab_indexed(e, base.node, s), value = update->value;
    Dtype dtype = ir_dtype(base.node);
    Op combine = OP_none;
    if (value_is(part, VALUE_POISON))
        return part;
    if (update->operator!= AST_OPERATOR_NONE) {
        Value combined = elab_binary(e, update->node, update->operator, part, value);
        Op op = combining_op(update->operator, dtype);
        Dtype result;
        if (value_is(combined, VALUE_POISON))
            return combined;
        bool fits = elab_dtype_of(combined, &result) && result == dtype;
        bool by_parts = op == OP_add || op == OP_sub;
        if (fits && elab_has_indices(s) && dtype_is_complex(dtype) && !by_parts)
            return elab_unsupported(
                e, s->span, "an operator other than `+=` and `-=` on complex numbers at index tensors");
        if (fits && op != OP_none && elab_has_indices(s)) {
            combine = op;
            value = elab_promote_to(e, value, dtype, update->value_span);
        } else {
            value = combined;
        }
    }
    value = elab_coerce(e, elab_tensor(e, value, update->value_span, "what is assigned"), dtype,
                        update->value_span, DIAG_E0207, update->what);
    if (value_is(value, VALUE_POISON))
        return value;
    elab_at(e, s->span);
    if (s->mask && ir_rank(value.node) == 0 && combine == OP_none)
        return store_masked(e, base, s, value.node);
    return store(e, update, base, s, part, value, combine);
}

/* ---- chains of indices
 * --------------------------------------------------------------------------------------------------- */

static bool only_cuts(const Subscripts *s) {
    for (uint32_t i = 0; i < s->count; i++)
        if (s->parts[i].kind != PART_CUT)
            return false;
    return true;
}

/* The part of a part, as one. */
static Subscripts compose(Elaborator *e, const Subscripts *outer, const Subscripts *inner) {
    Subscripts out = *outer;
    out.mask = NULL;
    out.span = inner->span;
    out.parts = ARENA_ARRAY(e->arena, Part, outer->count);
    for (uint32_t i = 0, next = 0; i < outer->count; i++) {
        Part part = outer->parts[i];
        if (!part.cut.drop) {
            const Cut *cut = &inner->parts[next++].cut;
            part.cut.start =
                ir_binary(&e->b, OP_add, part.cut.start, ir_binary(&e->b, OP_mul, cut->start, part.cut.step));
            part.cut.step = ir_binary(&e->b, OP_mul, part.cut.step, cut->step);
            part.cut.extent = cut->extent;
            part.cut.drop = cut->drop;
        }
        out.parts[i] = part;
    }
    return out;
}

static Value updated(Elaborator *e, const Update *update, Value base, const AstNode *const *chain,
                     uint32_t count);

static Value updated_part(Elaborator *e, const Update *update, Value base, const Subscripts *s,
                          const AstNode *const *chain, uint32_t count) {
    Subscripts inner;
    if (s->has_choice)
        return elab_unsupported(e, s->span, "assignment where a scalar bool is true");
    if (!count)
        return assign_part(e, update, base, s);
    Value part = elab_indexed(e, base.node, s);
    if (!value_is(part, VALUE_POISON) && chain[0]->kind == AST_FIELD) {
        Update outer = *update;
        outer.operator= AST_OPERATOR_NONE;
        outer.value = updated(e, update, part, chain, count);
        return value_is(outer.value, VALUE_POISON) ? outer.value : assign_part(e, &outer, base, s);
    }
    if (value_is(part, VALUE_POISON) || !elab_subscripts(e, chain[0], part, &inner))
        return elab_poison();
    elab_at(e, inner.span);
    if (only_cuts(s) && only_cuts(&inner)) {
        Subscripts both = compose(e, s, &inner);
        return updated_part(e, update, base, &both, chain + 1, count - 1);
    }
    Update outer = *update;
    outer.operator= AST_OPERATOR_NONE;
    outer.value = updated_part(e, update, part, &inner, chain + 1, count - 1);
    return value_is(outer.value, VALUE_POISON) ? outer.value : assign_part(e, &outer, base, s);
}

static Value updated_tuple(Elaborator *e, const Update *update, Value base, const AstNode *const *chain,
                           uint32_t count) {
    AstList list = ast_index_subscripts(chain[0]);
    int64_t index, size = base.tuple->count;
    Value at = list.count == 1 && list.items[0]->kind != AST_SLICE && list.items[0]->kind != AST_ELLIPSIS
                   ? elab_expression(e, list.items[0])
                   : value_of_kind(VALUE_NONE);
    if (value_is(at, VALUE_POISON))
        return at;
    if (!elab_constant_int(at, &index))
        return elab_fail(e, DIAG_E0210, chain[0]->span, "an index of a tuple must be known when compiling");
    if (index < -size || index >= size)
        return elab_fail(e, DIAG_E0209, chain[0]->span, "the index %lld is out of range for a tuple of %lld",
                         (long long)index, (long long)size);
    Value *item = &base.tuple->items[index < 0 ? index + size : index], value;
    if (count > 1)
        value = updated(e, update, *item, chain + 1, count - 1);
    else if (update->operator!= AST_OPERATOR_NONE)
        value = elab_binary(e, update->node, update->operator, * item, update->value);
    else
        value = update->value;
    ValueTuple *tuple = elab_tuple_like(e, base.tuple);
    for (uint32_t i = 0; i < tuple->count; i++)
        tuple->items[i] = &base.tuple->items[i] == item ? value : base.tuple->items[i];
    base.tuple = tuple;
    return base;
}

/* The base with what chain[0], chain[1], … reach replaced. */
static Value updated(Elaborator *e, const Update *update, Value base, const AstNode *const *chain,
                     uint32_t count) {
    Subscripts s;
    if (value_is(base, VALUE_POISON))
        return base;
    if (base.kind == VALUE_TUPLE)
        return updated_tuple(e, update, base, chain, count);
    if (value_is_on_pattern(base))
        return elab_fail(
            e, DIAG_E0201, chain[0]->span,
            "elements of %s cannot be assigned to; from_entries(rows, columns, values, shape) makes "
            "a matrix, nonzeros(a, fn(v) = …) changes its values",
            elab_kind_text(e, base));
    base = elab_tensor(e, base, chain[0]->children[0]->span, "what is indexed");
    if (chain[0]->kind == AST_FIELD && !value_is(base, VALUE_POISON)) { /* x.T[…] = v */
        Value turned = updated(e, update, elab_transpose(e, base), chain + 1, count - 1);
        return value_is(turned, VALUE_POISON) ? turned : elab_transpose(e, turned);
    }
    if (value_is(base, VALUE_POISON) || !elab_subscripts(e, chain[0], base, &s))
        return elab_poison();
    elab_at(e, s.span);
    return updated_part(e, update, base, &s, chain + 1, count - 1);
}

/* One step of a target towards its name: an index, or the transpose. */
static const AstNode *target_base(const AstNode *target) {
    if (target->kind == AST_INDEX)
        return ast_index_base(target);
    return target->kind == AST_FIELD && name_is(target->name, "T") ? ast_field_base(target) : NULL;
}

const AstNode *elab_assigned_name(const AstNode *target) {
    while (target && target_base(target))
        target = target_base(target);
    return target && target->kind == AST_NAME ? target : NULL;
}

Value elab_updated(Elaborator *e, const AstNode *assignment, AstOperator operator, const AstNode * target,
                   Value base, Value value, Span span) {
    VEC(const AstNode *) chain = {0};
    for (const AstNode *at = target; at->kind != AST_NAME; at = target_base(at))
        vec_push(e->arena, &chain, at);
    for (uint32_t i = 0; i < chain.count / 2; i++) {
        const AstNode *other = chain.items[i];
        chain.items[i] = chain.items[chain.count - 1 - i];
        chain.items[chain.count - 1 - i] = other;
    }
    Name name = elab_assigned_name(target)->name;
    Update update = {assignment, operator, value, span, arena_format(e->arena, "`%s`", name->text)};
    return value_is(value, VALUE_POISON) ? value : updated(e, &update, base, chain.items, chain.count);
}

/* ---- functions that gather and scatter
 * ---------------------------------------------------------------------------------- */

static bool integer_argument(Elaborator *e, BuiltinCall *call, uint32_t at, Value *out) {
    *out = elab_tensor(e, call->values[at], call->spans[at], "the indices");
    if (value_is(*out, VALUE_POISON))
        return false;
    if (dtype_is_integer(ir_dtype(out->node)))
        return true;
    elab_fail(e, DIAG_E0202, call->spans[at], "indices must be integers, not %s",
              dtype_name(ir_dtype(out->node)));
    return false;
}

static Part gather_part(Elaborator *e, IrNode *indices, IrNode *extent, Span span) {
    Cut whole = {ir_const_i64(&e->b, 0), extent, ir_const_i64(&e->b, 1), false};
    return (Part){indices ? PART_GATHER : PART_CUT, whole, indices, span, false};
}

/* An index on every axis: the given one on `axis`, on each other axis the position along it. */
static Subscripts along_axis(Elaborator *e, IrNode *x, IrNode *indices, uint32_t axis, Span span) {
    uint32_t rank = ir_rank(x);
    Subscripts s = {.parts = ARENA_ARRAY(e->arena, Part, rank), .count = rank, .span = span};
    for (uint32_t k = 0; k < rank; k++) {
        IrNode *extent = ir_dim(&e->b, x, k), *dims[IR_MAX_RANK], *at = indices;
        for (uint32_t i = 0; i < rank; i++)
            dims[i] = i == k ? extent : ir_const_i64(&e->b, 1);
        if (k != axis)
            at = ir_broadcast(&e->b, ir_iota(&e->b, extent), &k, dims, rank);
        s.parts[k] = gather_part(e, at, extent, span);
    }
    return s;
}

static Subscripts at_axis(Elaborator *e, IrNode *x, IrNode *indices, uint32_t axis, Span span) {
    uint32_t rank = ir_rank(x);
    Subscripts s = {.parts = ARENA_ARRAY(e->arena, Part, rank), .count = rank, .span = span};
    for (uint32_t k = 0; k < rank; k++)
        s.parts[k] = gather_part(e, k == axis ? indices : NULL, ir_dim(&e->b, x, k), span);
    return s;
}

static IrNode *checked_indices(Elaborator *e, IrNode *x, IrNode *indices, uint32_t axis, Span span) {
    elab_at(e, span);
    return ir_check_index(&e->b, elab_cast(e, indices, DTYPE_i64), ir_dim(&e->b, x, axis), axis);
}

Value builtin_take_along_axis(Elaborator *e, BuiltinCall *call) {
    Value x = elab_tensor(e, call->values[0], call->spans[0], "the argument of `take_along_axis`"), at;
    uint32_t axis = 0;
    if (value_is(x, VALUE_POISON) || !integer_argument(e, call, 1, &at))
        return elab_poison();
    if (value_is(call->values[2], VALUE_NONE)) {
        IrNode *size = ir_size(&e->b, x.node);
        x.node = ir_reshape(&e->b, x.node, &size, 1);
    } else if (!elab_axis(e, call->values[2], ir_rank(x.node), call->spans[2], &axis)) {
        return elab_poison();
    }
    if (ir_rank(at.node) != ir_rank(x.node))
        return elab_fail(e, DIAG_E0203, call->spans[1], "the indices need as many axes as the tensor, %u",
                         ir_rank(x.node));
    IrNode *indices = checked_indices(e, x.node, at.node, axis, call->spans[1]);
    Subscripts s = along_axis(e, x.node, indices, axis, call->span);
    return elab_indexed(e, x.node, &s);
}

/* x with v added at the indices along an axis: where v, the indices and x have one rank (of two or more),
 * each element of v goes to its own index; else v holds what x[…, indices, …] would select. */
Value builtin_scatter_add(Elaborator *e, BuiltinCall *call) {
    Value x = elab_tensor(e, call->values[0], call->spans[0], "the argument of `scatter_add`"), at;
    Value v = elab_tensor(e, call->values[2], call->spans[2], "what is added");
    uint32_t axis = 0;
    if (value_is(x, VALUE_POISON) || value_is(v, VALUE_POISON) || !integer_argument(e, call, 1, &at) ||
        !elab_axis(e, call->values[3], ir_rank(x.node), call->spans[3], &axis))
        return elab_poison();
    x = elab_strengthen(x);
    Dtype dtype = ir_dtype(x.node);
    Update update = {.value_span = call->spans[2], .what = "the tensor"};
    v = elab_coerce(e, v, dtype, call->spans[2], DIAG_E0207, update.what);
    if (value_is(v, VALUE_POISON))
        return v;
    bool one_each = ir_rank(v.node) == ir_rank(at.node) && ir_rank(at.node) == ir_rank(x.node);
    IrNode *indices = checked_indices(e, x.node, at.node, axis, call->spans[1]);
    Subscripts s = one_each ? along_axis(e, x.node, indices, axis, call->span)
                            : at_axis(e, x.node, indices, axis, call->span);
    elab_at(e, call->span);
    if (ir_rank(indices) == 0) { /* one index: an axis of one */
        IrNode *one = ir_const_i64(&e->b, 1);
        s = at_axis(e, x.node, ir_broadcast(&e->b, indices, NULL, &one, 1), axis, call->span);
        v.node = ir_rank(v.node) ? elab_with_unit_axis(e, v.node, axis) : v.node;
    }
    Value part = elab_indexed(e, x.node, &s);
    return value_is(part, VALUE_POISON)
               ? part
               : store(e, &update, x, &s, part, v, combining_op(AST_OPERATOR_ADD, dtype));
}

Value builtin_nonzero(Elaborator *e, BuiltinCall *call) {
    Value x = elab_tensor(e, call->values[0], call->spans[0], "the argument of `nonzero`");
    if (value_is(x, VALUE_POISON))
        return x;
    uint32_t rank = ir_rank(x.node);
    if (!rank)
        return elab_fail(e, DIAG_E0203, call->spans[0], "`nonzero` needs a tensor with an axis");
    elab_at(e, call->span);
    IrNode *where = ir_nonzero(&e->b, elab_cast(e, x.node, DTYPE_bool));
    ValueTuple *tuple = elab_tuple(e, rank);
    for (uint32_t k = 0; k < rank; k++)
        tuple->items[k] = value_tensor(elab_mask_row(e, where, k));
    return (Value){.kind = VALUE_TUPLE, .tuple = tuple};
}
