/* Expressions: literals, operators, arrays, and the dispatch over all kinds. */
#include "frontend/elab_sparse.h"

static Value elab_literal(Elaborator *e, const AstNode *node) {
    union {
        double number;
        uint64_t bits;
    } f64;
    switch (node->kind) {
    case AST_INTEGER:
        if (node->integer > INT64_MAX)
            return elab_constant(DTYPE_u64, node->integer, false);
        return elab_int(e, (int64_t)node->integer);
    case AST_FLOAT:
        f64.number = node->number;
        return elab_constant(DTYPE_f64, f64.bits, true);
    case AST_BOOL:
        return elab_constant(DTYPE_bool, node->boolean, true);
    default:
        return (Value){.kind = VALUE_STRING, .text = node->text, .length = node->text_length};
    }
}

static Value elab_imaginary(Elaborator *e, const AstNode *node) {
    IrNode *zero = ir_const_number(&e->b, DTYPE_f64, 0);
    return value_weak(ir_complex(&e->b, zero, ir_const_number(&e->b, DTYPE_f64, node->number)));
}

static Value elab_dtype_name(Elaborator *e, const AstNode *node) {
    Value value = value_of_kind(VALUE_DTYPE);
    if (!dtype_find(node->name->text, &value.dtype))
        return elab_unknown_name(e, node->name, node->span, "dtype");
    return value;
}

static Value elab_tuple_expression(Elaborator *e, const AstNode *node) {
    ValueTuple *tuple = elab_tuple(e, node->child_count);
    for (uint32_t i = 0; i < node->child_count; i++)
        tuple->items[i] = elab_expression(e, node->children[i]);
    return (Value){.kind = VALUE_TUPLE, .tuple = tuple};
}

/* ---- operators ------------------------------------------------------------------------------------------
 */

static const Op operator_ops[AST_OPERATOR_COUNT] = {
    [AST_OPERATOR_OR] = OP_logical_or,
    [AST_OPERATOR_AND] = OP_logical_and,
    [AST_OPERATOR_EQ] = OP_eq,
    [AST_OPERATOR_NE] = OP_ne,
    [AST_OPERATOR_LT] = OP_lt,
    [AST_OPERATOR_LE] = OP_le,
    [AST_OPERATOR_GT] = OP_gt,
    [AST_OPERATOR_GE] = OP_ge,
    [AST_OPERATOR_ADD] = OP_add,
    [AST_OPERATOR_SUB] = OP_sub,
    [AST_OPERATOR_MUL] = OP_mul,
    [AST_OPERATOR_DIV] = OP_div,
    [AST_OPERATOR_FLOOR_DIV] = OP_floordiv,
    [AST_OPERATOR_MOD] = OP_mod,
    [AST_OPERATOR_POW] = OP_pow,
};

/* 1: equal, 0: not, -1: only known when running (tensors). */
static int compare_static(Value left, Value right) {
    if (left.kind != right.kind) {
        bool is_absent = left.kind == VALUE_NONE || right.kind == VALUE_NONE;
        return is_absent || value_is_text(left) || value_is_text(right) ? 0 : -1;
    }
    switch (left.kind) {
    case VALUE_NONE:
        return 1;
    case VALUE_STRING:
        return left.length == right.length && !memcmp(left.text, right.text, left.length);
    case VALUE_DTYPE:
        return left.dtype == right.dtype;
    default:
        return -1;
    }
}

static Value compare_tuples(Elaborator *e, const AstNode *node, AstOperator operator, Value left,
                            Value right) {
    Value all = elab_constant(DTYPE_bool, left.tuple->count == right.tuple->count, false);
    OperandInfo infos[2] = {{node->span, NULL}, {node->span, NULL}};
    for (uint32_t i = 0; all.bits && i < left.tuple->count; i++) {
        Value item = elab_binary(e, node, AST_OPERATOR_EQ, left.tuple->items[i], right.tuple->items[i]);
        all = elab_elementwise(e, OP_logical_and, (Value[]){all, item}, infos, node->span);
        if (all.kind != VALUE_CONSTANT && all.kind != VALUE_TENSOR)
            return all;
        if (all.kind == VALUE_TENSOR)
            continue;
    }
    return operator== AST_OPERATOR_EQ ? all : elab_elementwise(e, OP_logical_not, &all, infos, node->span);
}

static Value equality(Elaborator *e, const AstNode *node, AstOperator operator, Value left, Value right,
                      bool *done) {
    *done = true;
    left = elab_known_text(e, left, node->span);
    right = elab_known_text(e, right, node->span);
    if (value_is_text(left) && value_is_text(right) && left.kind + right.kind != 2 * VALUE_STRING) {
        OperandInfo info = {node->span, NULL};
        Value equal = elab_text_equality(e, left, right, node->span);
        return operator== AST_OPERATOR_EQ || value_is(equal, VALUE_POISON)
                   ? equal
                   : elab_elementwise(e, OP_logical_not, &equal, &info, node->span);
    }
    int same = compare_static(left, right);
    if (same >= 0)
        return elab_constant(DTYPE_bool, (same == 1) == (operator== AST_OPERATOR_EQ), false);
    if (left.kind == VALUE_TUPLE && right.kind == VALUE_TUPLE)
        return compare_tuples(e, node, operator, left, right);
    *done = false;
    return left;
}

Value elab_binary(Elaborator *e, const AstNode *node, AstOperator operator, Value left, Value right) {
    if (value_is(left, VALUE_POISON) || value_is(right, VALUE_POISON))
        return elab_poison();
    bool is_binary = node->kind == AST_BINARY || node->kind == AST_ASSIGN;
    const AstNode *sides[2] = {is_binary ? node->children[0] : node, is_binary ? node->children[1] : node};
    OperandInfo infos[2] = {{sides[0]->span, sides[0]}, {sides[1]->span, sides[1]}};
    if (operator== AST_OPERATOR_EQ || operator== AST_OPERATOR_NE) {
        bool done;
        Value value = equality(e, node, operator, left, right, &done);
        if (done)
            return value;
    }
    const char *what = arena_format(e->arena, "an operand of `%s`", ast_operator_text(operator));
    Value operands[2] = {left, right};
    Dtype dtype;
    for (int i = 0; i < 2; i++) {
        if (!elab_dtype_of(operands[i], &dtype) &&
            value_is(elab_tensor(e, operands[i], infos[i].span, what), VALUE_POISON))
            return elab_poison();
        if ((operator== AST_OPERATOR_AND || operator== AST_OPERATOR_OR) && dtype != DTYPE_bool)
            return elab_fail(e, DIAG_E0202, infos[i].span, "%s must be bool, not %s", what,
                             elab_type_text(e, operands[i]));
    }
    if (operator== AST_OPERATOR_MATMUL)
        return elab_matmul(e, left, right, infos, elab_mark(node));
    return elab_elementwise(e, operator_ops[operator], operands, infos, elab_mark(node));
}

static Value elab_negate(Elaborator *e, const AstNode *node) {
    const AstNode *operand = ast_negate_operand(node);
    if (operand->kind == AST_INTEGER && operand->integer == (uint64_t)1 << 63)
        return elab_int(e, INT64_MIN);
    Value value = elab_expression(e, operand);
    Dtype dtype;
    if (!elab_dtype_of(value, &dtype))
        return elab_tensor(e, value, operand->span, "the operand of `-`");
    return elab_elementwise(e, OP_neg, &value, &(OperandInfo){operand->span, operand}, node->span);
}

static Value elab_not(Elaborator *e, const AstNode *node) {
    const AstNode *operand = ast_not_operand(node);
    Value value = elab_expression(e, operand);
    Dtype dtype;
    if (!elab_dtype_of(value, &dtype))
        return elab_tensor(e, value, operand->span, "the operand of `not`");
    if (dtype != DTYPE_bool)
        return elab_fail(e, DIAG_E0202, operand->span, "the operand of `not` must be bool, not %s",
                         elab_type_text(e, value));
    return elab_elementwise(e, OP_logical_not, &value, &(OperandInfo){operand->span, operand}, node->span);
}

Value elab_index_scalar(Elaborator *e, Value value, Span span, const char *what) {
    Dtype dtype;
    if (value_is(value, VALUE_POISON))
        return value;
    if (!elab_dtype_of(value, &dtype) || !dtype_is_integer(dtype) || !elab_is_scalar(value))
        return elab_fail(e, DIAG_E0201, span, "%s must be an integer, not %s", what,
                         elab_kind_text(e, value));
    if (dtype == DTYPE_u64 && value.kind == VALUE_CONSTANT && value.bits > INT64_MAX)
        return elab_fail(e, DIAG_E0207, span, "%s does not fit i64", what);
    Value out = elab_node(e, value);
    out.node = elab_cast(e, out.node, DTYPE_i64);
    return out;
}

static Value elab_range(Elaborator *e, const AstNode *node) {
    Value begin = elab_expression(e, ast_range_start(node)), end = elab_expression(e, ast_range_stop(node));
    begin = elab_index_scalar(e, begin, ast_range_start(node)->span, "the start of a range");
    end = elab_index_scalar(e, end, ast_range_stop(node)->span, "the end of a range");
    if (value_is(begin, VALUE_POISON) || value_is(end, VALUE_POISON))
        return elab_poison();
    ValueTuple *tuple = elab_tuple(e, 2);
    tuple->items[0] = begin;
    tuple->items[1] = end;
    return (Value){.kind = VALUE_RANGE, .tuple = tuple};
}

/* ---- matrix products
 * --------------------------------------------------------------------------------------- */

/* The leading axes of both, made equal by broadcasting. */
bool elab_broadcast_batch(Elaborator *e, IrNode **sides, const char *name) {
    IrNode *dims[IR_MAX_RANK];
    uint32_t ranks[2] = {ir_rank(sides[0]) - 2, ir_rank(sides[1]) - 2};
    uint32_t rank = ranks[0] > ranks[1] ? ranks[0] : ranks[1];
    int64_t one;
    for (uint32_t axis = 0; axis < rank; axis++) {
        dims[axis] = NULL;
        for (int i = 0; i < 2; i++) {
            if (axis < rank - ranks[i])
                continue;
            IrNode *extent = sides[i]->types[0].dims[axis - (rank - ranks[i])];
            if (dims[axis] && ir_const_value_i64(extent, &one) && one == 1)
                continue;
            if (!dims[axis] || (ir_const_value_i64(dims[axis], &one) && one == 1))
                dims[axis] = extent;
            else if (!(dims[axis] = elab_same_extent(e, dims[axis], extent,
                                                     "batch sizes of axis %u of `%s` differ", axis, name)))
                return false;
        }
    }
    for (int i = 0; i < 2; i++) {
        IrNode *full[IR_MAX_RANK];
        for (uint32_t k = 0; k < rank; k++)
            full[k] = dims[k];
        full[rank] = sides[i]->types[0].dims[ranks[i]];
        full[rank + 1] = sides[i]->types[0].dims[ranks[i] + 1];
        sides[i] = elab_with_dims(e, sides[i], full, rank + 2);
    }
    return true;
}

/* The same elements with an axis of extent 1 put in at `axis`. */
IrNode *elab_with_unit_axis(Elaborator *e, IrNode *x, uint32_t axis) {
    IrNode *dims[IR_MAX_RANK];
    uint32_t map[IR_MAX_RANK], rank = ir_rank(x);
    for (uint32_t k = 0; k < rank; k++) {
        map[k] = k + (k >= axis);
        dims[map[k]] = x->types[0].dims[k];
    }
    dims[axis] = ir_const_i64(&e->b, 1);
    return ir_broadcast(&e->b, x, map, dims, rank + 1);
}

IrNode *elab_drop_unit_axis(Elaborator *e, IrNode *x, uint32_t axis) {
    IrNode *starts[IR_MAX_RANK], *extents[IR_MAX_RANK], *steps[IR_MAX_RANK];
    bool drop[IR_MAX_RANK] = {0};
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        starts[k] = ir_const_i64(&e->b, 0);
        steps[k] = ir_const_i64(&e->b, 1);
        extents[k] = k == axis ? ir_const_i64(&e->b, 1) : x->types[0].dims[k]; /* checked when running */
    }
    drop[axis] = true;
    return ir_slice(&e->b, x, starts, extents, steps, drop);
}

/* The product of two vectors of floats is a reduction like any other: it fuses with what makes them.  It
 * accumulates as every contraction does, f32 in f32, and 16-bit floats in f32 too. */
static Value inner_product(Elaborator *e, IrNode **sides, IrNode *extent, Dtype dtype) {
    Dtype wide = dtype == DTYPE_f64 ? DTYPE_f64 : DTYPE_f32;
    uint32_t axis = 0;
    for (int i = 0; i < 2; i++)
        sides[i] = elab_cast(e, elab_with_dims(e, sides[i], &extent, 1), wide);
    IrNode *product = ir_binary(&e->b, OP_mul, sides[0], sides[1]);
    return value_tensor(elab_cast(e, ir_reduce(&e->b, OP_sum, product, &axis, 1, wide, wide), dtype));
}

/* The operands of `@` as nodes of their common dtype. */
static bool matmul_operands(Elaborator *e, const Value *values, const OperandInfo *infos, Span span,
                            IrNode **sides, Dtype *dtype) {
    *dtype = elab_common_dtype(values, 2);
    for (int i = 0; i < 2; i++) {
        if (ir_rank(values[i].node) == 0) {
            elab_fail(e, DIAG_E0203, infos[i].span, "an operand of `@` must be a vector or a matrix, not %s",
                      elab_type_text(e, values[i]));
            return false;
        }
        sides[i] = elab_cast(e, values[i].node, *dtype);
    }
    if (*dtype == DTYPE_bool) {
        elab_fail(e, DIAG_E0202, span, "`@` is not defined for %s", dtype_name(*dtype));
        return false;
    }
    return true;
}

Value elab_matmul(Elaborator *e, Value left, Value right, const OperandInfo *infos, Span span) {
    if (value_is_on_pattern(left) || value_is_on_pattern(right))
        return elab_sparse_matmul(e, left, right, infos, span);
    Value values[2] = {elab_node(e, left), elab_node(e, right)};
    IrNode *sides[2];
    Dtype dtype;
    elab_at(e, span);
    if (!matmul_operands(e, values, infos, span, sides, &dtype))
        return elab_poison();
    bool is_vector[2] = {ir_rank(sides[0]) == 1, ir_rank(sides[1]) == 1};
    uint32_t inner = is_vector[1] ? 0 : ir_rank(sides[1]) - 2;
    IrNode *dims[2] = {sides[0]->types[0].dims[ir_rank(sides[0]) - 1], sides[1]->types[0].dims[inner]};
    IrNode *same = elab_same_extent(e, dims[0], dims[1], "inner sizes of `@` differ");
    if (!same) {
        elab_shape_error(e, span, "@", values, infos, 2,
                         elab_sizes_note(e, "inner sizes", dims[0], infos[0].node, dims[1], infos[1].node));
        return elab_poison();
    }
    if (is_vector[0] && is_vector[1] && dtype_is_float(dtype))
        return inner_product(e, sides, same, dtype);
    if (is_vector[0])
        sides[0] = elab_with_unit_axis(e, sides[0], 0);
    if (is_vector[1])
        sides[1] = elab_with_unit_axis(e, sides[1], 1);
    for (int i = 0; i < 2; i++) {
        IrNode *full[IR_MAX_RANK];
        elab_copy_dims(full, sides[i]);
        full[i == 0 ? ir_rank(sides[0]) - 1 : inner] = same;
        sides[i] = elab_with_dims(e, sides[i], full, ir_rank(sides[i]));
    }
    if (!elab_broadcast_batch(e, sides, "@")) {
        elab_shape_error(e, span, "@", values, infos, 2, "the sizes of the leading (batch) axes differ");
        return elab_poison();
    }
    IrNode *out = ir_matmul(&e->b, sides[0], sides[1]);
    if (is_vector[1])
        out = elab_drop_unit_axis(e, out, ir_rank(out) - 1);
    if (is_vector[0])
        out = elab_drop_unit_axis(e, out, ir_rank(out) - 1 - !is_vector[1]);
    return value_tensor(out);
}

/* ---- arrays
 * --------------------------------------------------------------------------------------------------- */

/* Elements of a literal that are all known: shape and bytes of one. */
static bool literal_shape(Value value, uint32_t *rank, const int64_t **shape) {
    *rank = value.kind == VALUE_SLOT ? value.slot->rank : 0;
    *shape = value.kind == VALUE_SLOT ? value.slot->shape : NULL;
    return value.kind == VALUE_CONSTANT || (value.kind == VALUE_SLOT && value.slot->data);
}

static bool same_literal_shape(Value a, Value b) {
    uint32_t rank_a, rank_b;
    const int64_t *shape_a, *shape_b;
    return literal_shape(a, &rank_a, &shape_a) && literal_shape(b, &rank_b, &shape_b) && rank_a == rank_b &&
           (!rank_a || !memcmp(shape_a, shape_b, rank_a * sizeof *shape_a));
}

static void store_bits(char *to, uint64_t bits, uint32_t bytes) {
    memcpy(to, &bits, bytes); /* little-endian, as all targets are */
}

/* Writes the elements of a literal in `dtype`; false when one does not convert. */
static bool write_literal(Elaborator *e, Value value, Dtype dtype, char *to, Span span) {
    uint32_t bytes = dtype_info[dtype].bytes;
    if (value.kind == VALUE_CONSTANT) {
        Value converted = elab_promote_to(e, value, dtype, span);
        if (value_is(converted, VALUE_POISON) || !ir_is_const(converted.node))
            return false;
        store_bits(to, (uint64_t)converted.node->attributes[0], bytes);
        return true;
    }
    uint32_t from = dtype_info[value.slot->dtype].bytes;
    int64_t count = 1;
    for (uint32_t k = 0; k < value.slot->rank; k++)
        count *= value.slot->shape[k];
    for (int64_t i = 0; i < count; i++) {
        Value element = elab_constant(value.slot->dtype, 0, true);
        memcpy(&element.bits, (const char *)value.slot->data + i * from, from);
        if (!write_literal(e, element, dtype, to + i * bytes, span))
            return false;
    }
    return true;
}

static Value array_of_literals(Elaborator *e, const Value *elements, uint32_t count, Dtype dtype, Span span) {
    int64_t shape[IR_MAX_RANK] = {count}, each = 1;
    uint32_t rank = 0;
    const int64_t *inner = NULL;
    if (count)
        literal_shape(elements[0], &rank, &inner);
    bool is_weak = true;
    for (uint32_t k = 0; k < rank; k++)
        each *= shape[k + 1] = inner[k];
    uint32_t bytes = dtype_info[dtype].bytes;
    char *data = arena_alloc(e->arena, (size_t)count * each * bytes + 1);
    for (uint32_t i = 0; i < count; i++) {
        is_weak = is_weak && elements[i].is_weak;
        if (!write_literal(e, elements[i], dtype, data + (size_t)i * each * bytes, span))
            return elab_poison();
    }
    Value out = {.kind = VALUE_SLOT, .is_weak = is_weak};
    out.slot = elab_constant_slot(e, dtype, rank + 1, shape, data);
    return out;
}

static Value ragged(Elaborator *e, Span span, Value element, Value first) {
    Diag *diag = diag_error(e->sink, DIAG_E0203, span,
                            "the elements of an array have one shape: this one is %s, the first is %s",
                            elab_type_text(e, element), elab_type_text(e, first));
    diag_note(e->sink, diag, "a tuple holds values of different shapes: (a, b)");
    return elab_poison();
}

static Value array_of_nodes(Elaborator *e, const Value *elements, const OperandInfo *infos, uint32_t count,
                            Dtype dtype, Span span) {
    IrNode **parts = ARENA_ARRAY(e->arena, IrNode *, count), *dims[IR_MAX_RANK];
    elab_at(e, span);
    for (uint32_t i = 0; i < count; i++) {
        Value part = elab_promote_to(e, elements[i], dtype, infos[i].span);
        if (value_is(part, VALUE_POISON))
            return part;
        parts[i] = part.node;
        for (uint32_t k = 0; k < ir_rank(part.node); k++) {
            IrNode *extent = part.node->types[0].dims[k];
            dims[k] = i ? elab_same_extent(e, dims[k], extent, "sizes of axis %u of the elements differ", k)
                        : extent;
            if (!dims[k])
                return ragged(e, infos[i].span, part, elements[0]);
        }
    }
    for (uint32_t i = 0; i < count; i++)
        parts[i] = elab_with_unit_axis(e, elab_with_dims(e, parts[i], dims, ir_rank(parts[i])), 0);
    Value out = value_tensor(ir_concat(&e->b, parts, count, 0));
    out.is_weak = dtype_is_complex(dtype) && count; /* there are no complex constants: literals come here */
    for (uint32_t i = 0; i < count; i++)
        out.is_weak = out.is_weak && elements[i].is_weak;
    return out;
}

Value elab_array_of(Elaborator *e, const Value *elements, const OperandInfo *infos, uint32_t count,
                    Span span) {
    uint32_t rank = 0, other;
    bool is_known = true;
    for (uint32_t i = 0; i < count; i++) {
        if (value_is(elements[i], VALUE_POISON))
            return elab_poison();
        if (!elab_rank_of(elements[i], &other))
            return elab_fail(e, DIAG_E0201, infos[i].span,
                             "an element of an array must be a tensor or a scalar, not %s",
                             elab_kind_text(e, elements[i]));
        if (i && other != rank)
            return ragged(e, infos[i].span, elements[i], elements[0]);
        rank = other;
        is_known = is_known && same_literal_shape(elements[0], elements[i]);
    }
    if (rank + 1 > IR_MAX_RANK)
        return elab_fail(e, DIAG_E0203, span, "a tensor has at most %d axes", IR_MAX_RANK);
    Dtype dtype = count ? elab_common_dtype(elements, count) : DTYPE_f64;
    for (uint32_t i = 0; i < count && rank;
         i++) { /* tensors written as literals promote by their own dtype */
        Dtype own;
        elab_dtype_of(elements[i], &own);
        dtype = i ? dtype_promote(dtype, own) : own;
    }
    return is_known ? array_of_literals(e, elements, count, dtype, span)
                    : array_of_nodes(e, elements, infos, count, dtype, span);
}

static Value elab_array(Elaborator *e, const AstNode *node) {
    uint32_t count = node->child_count, others = 0;
    Value *elements = ARENA_ARRAY(e->arena, Value, count);
    OperandInfo *infos = ARENA_ARRAY(e->arena, OperandInfo, count);
    for (uint32_t i = 0; i < count; i++) {
        elements[i] = elab_expression(e, node->children[i]);
        infos[i] = (OperandInfo){node->children[i]->span, node->children[i]};
        others += value_is_text(elements[i]) || elements[i].kind == VALUE_FUNCTION ||
                  elements[i].kind == VALUE_BUILTIN || elements[i].kind == VALUE_DERIVATIVE ||
                  elements[i].kind == VALUE_TUPLE;
    }
    if (count && others == count) {
        return (Value){.kind = VALUE_TUPLE, .tuple = elab_tuple_of(e, count, elements)};
    }
    return elab_array_of(e, elements, infos, count, node->span);
}

/* ---- dispatch
 * --------------------------------------------------------------------------------------------------- */

static Value elab_pipe(Elaborator *e, const AstNode *node) {
    const AstNode *function = ast_pipe_function(node);
    Value value = elab_expression(e, ast_pipe_value(node));
    if (function->kind == AST_CALL && !(function->flags & AST_PARENTHESIZED))
        return elab_call(e, function, &value, ast_pipe_value(node));
    Value callee = elab_expression(e, function);
    if (value_is(callee, VALUE_POISON) || value_is(value, VALUE_POISON))
        return elab_poison();
    Argument argument = {.value = value, .node = ast_pipe_value(node), .span = ast_pipe_value(node)->span};
    return elab_call_value(e, callee, &argument, 1, function->span);
}

static Value elab_dispatch(Elaborator *e, const AstNode *node) {
    switch ((AstKind)node->kind) {
    case AST_NAME:
        return elab_name(e, node);
    case AST_DTYPE:
        return elab_dtype_name(e, node);
    case AST_INTEGER:
    case AST_FLOAT:
    case AST_BOOL:
    case AST_STRING:
        return elab_literal(e, node);
    case AST_TUPLE:
        return elab_tuple_expression(e, node);
    case AST_ARRAY:
        return elab_array(e, node);
    case AST_CALL:
        return elab_call(e, node, NULL, NULL);
    case AST_INDEX:
        return elab_index(e, node);
    case AST_FIELD:
        return elab_field(e, node);
    case AST_NEGATE:
        return elab_negate(e, node);
    case AST_NOT:
        return elab_not(e, node);
    case AST_BINARY: {
        if (node->operator== AST_OPERATOR_AND || node->operator== AST_OPERATOR_OR)
            return elab_logical(e, node);
        Value left = elab_expression(e, ast_binary_left(node));
        return elab_binary(e, node, node->operator, left, elab_expression(e, ast_binary_right(node)));
    }
    case AST_RANGE:
        return elab_range(e, node);
    case AST_PIPE:
        return elab_pipe(e, node);
    case AST_IF:
        return elab_if(e, node, NULL, true);
    case AST_BLOCK:
        return elab_block(e, node);
    case AST_FUNCTION:
        return elab_closure(e, node);
    case AST_COMPREHENSION:
        return elab_comprehension(e, node);
    case AST_IMAGINARY:
        return elab_imaginary(e, node);
    case AST_INTERPOLATION:
        return elab_interpolation(e, node);
    case AST_ERROR:
        return elab_poison();
    default:
        return elab_fail(e, DIAG_E0201, node->span, "this has no value here");
    }
}

Value elab_expression(Elaborator *e, const AstNode *node) {
    if (e->depth >= ELAB_DEPTH_LIMIT || ++e->steps > ELAB_STEP_LIMIT) {
        if (e->steps != UINT64_MAX / 2)
            elab_fail(e, e->depth >= ELAB_DEPTH_LIMIT ? DIAG_E0103 : DIAG_E0900, node->span,
                      e->depth >= ELAB_DEPTH_LIMIT ? "calls and expressions nest too deep"
                                                   : "the program is too large once its calls are expanded");
        e->steps = UINT64_MAX / 2 - 1; /* says it once per statement */
        return elab_poison();
    }
    e->depth++;
    elab_at(e, elab_mark(node));
    Value value = elab_dispatch(e, node);
    e->depth--;
    return value;
}

Value elab_tensor_expression(Elaborator *e, const AstNode *node, const char *what) {
    return elab_tensor(e, elab_expression(e, node), node->span, what);
}
