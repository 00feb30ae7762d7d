/* Typed builders of the tensor IR: each works out the result type of one op and calls ir_build. */
#include "ir/internal.h"
#include "ir/number.h"

static IrType tensor_type(Dtype dtype, uint32_t rank, IrNode *const *dims) {
    return (IrType){.kind = IR_TENSOR, .dtype = dtype, .rank = rank, .dims = (IrNode **)dims};
}

static IrNode *build_one(IrBuilder *b, Op op, IrNode *const *operands, uint32_t operand_count,
                         const int64_t *attributes, uint32_t attribute_count, IrType type, Name text) {
    return ir_build(b, &(IrNodeSpec){.op = op,
                                     .operands = operands,
                                     .operand_count = operand_count,
                                     .attributes = attributes,
                                     .attribute_count = attribute_count,
                                     .types = &type,
                                     .result_count = 1,
                                     .text = text});
}

/* ---- parameters and constants --------------------------------------------------------------------- */

IrNode *ir_parameter(IrBuilder *b, Name name, Dtype dtype, uint32_t rank, IrNode *const *dims,
                     const int64_t *sizes) {
    int64_t position = b->region->parameters.count;
    IrNode *blank[IR_MAX_RANK] = {0};
    IrType type = tensor_type(dtype, rank, dims ? dims : blank);
    IrNode *node = ir_node_create(b, &(IrNodeSpec){.op = OP_param,
                                                   .attributes = &position,
                                                   .attribute_count = 1,
                                                   .types = &type,
                                                   .result_count = 1,
                                                   .text = name});
    vec_push(ir_arena(b), &b->region->parameters, node);
    for (int64_t axis = 0; !dims && axis < rank; axis++)
        node->types[0].dims[axis] =
            sizes && sizes[axis] >= 0
                ? ir_const_i64(b, sizes[axis])
                : build_one(b, OP_dim, &node, 1, &axis, 1, tensor_type(DTYPE_i64, 0, NULL), NULL);
    return node;
}

IrNode *ir_token_parameter(IrBuilder *b) {
    int64_t position = b->region->parameters.count;
    IrType type = {.kind = IR_TOKEN};
    IrNode *node = ir_node_create(b, &(IrNodeSpec){.op = OP_param,
                                                   .attributes = &position,
                                                   .attribute_count = 1,
                                                   .types = &type,
                                                   .result_count = 1});
    vec_push(ir_arena(b), &b->region->parameters, node);
    return node;
}

IrNode *ir_const(IrBuilder *b, Dtype dtype, uint64_t bits) {
    int64_t attribute = (int64_t)bits;
    return build_one(b, OP_const, NULL, 0, &attribute, 1, tensor_type(dtype, 0, NULL), NULL);
}

IrNode *ir_const_i64(IrBuilder *b, int64_t value) {
    return ir_const(b, DTYPE_i64, (uint64_t)value);
}

IrNode *ir_const_bool(IrBuilder *b, bool value) {
    return ir_const(b, DTYPE_bool, value);
}

IrNode *ir_const_number(IrBuilder *b, Dtype dtype, double value) {
    return ir_const(b, dtype,
                    dtype_is_float(dtype) ? number_float_bits(dtype, value)
                                          : number_integer_bits(dtype, (uint64_t)(int64_t)value));
}

/* ---- elementwise and reductions --------------------------------------------------------------------- */

static Dtype elementwise_result(Op op, IrNode *const *operands) {
    switch (op_info[op].dtype) {
    case RULE_BOOL:
    case RULE_LOGICAL:
        return DTYPE_bool;
    case RULE_PAIR:
        return dtype_of_parts(ir_dtype(operands[0]));
    case RULE_PART:
        return dtype_part(ir_dtype(operands[0]));
    default:
        return op_info[op].complex == COMPLEX_REAL ? dtype_part(ir_dtype(operands[0]))
                                                   : ir_dtype(operands[op == OP_where]);
    }
}

IrNode *ir_elementwise(IrBuilder *b, Op op, IrNode *const *operands) {
    IrType type = operands[0]->types[0];
    type.dtype = elementwise_result(op, operands);
    return build_one(b, op, operands, op_info[op].arity, NULL, 0, type, NULL);
}

IrNode *ir_unary(IrBuilder *b, Op op, IrNode *x) {
    return ir_elementwise(b, op, &x);
}

IrNode *ir_binary(IrBuilder *b, Op op, IrNode *x, IrNode *y) {
    return ir_elementwise(b, op, (IrNode *[]){x, y});
}

IrNode *ir_where(IrBuilder *b, IrNode *condition, IrNode *x, IrNode *y) {
    return ir_elementwise(b, OP_where, (IrNode *[]){condition, x, y});
}

IrNode *ir_complex(IrBuilder *b, IrNode *real, IrNode *imag) {
    return ir_binary(b, OP_complex, real, imag);
}

IrNode *ir_cast(IrBuilder *b, IrNode *x, Dtype dtype) {
    IrType type = x->types[0];
    type.dtype = dtype;
    return build_one(b, OP_cast, &x, 1, NULL, 0, type, NULL);
}

IrNode *ir_reduce(IrBuilder *b, Op op, IrNode *x, const uint32_t *axes, uint32_t count, Dtype accumulator,
                  Dtype result) {
    int64_t attributes[IR_MAX_RANK + 1] = {accumulator};
    IrNode *dims[IR_MAX_RANK];
    uint32_t rank = 0, next = 0;
    for (uint32_t i = 0; i < count; i++)
        attributes[1 + i] = axes[i];
    for (uint32_t axis = 0; axis < ir_rank(x); axis++) {
        if (next < count && axes[next] == axis)
            next++;
        else
            dims[rank++] = x->types[0].dims[axis];
    }
    return build_one(b, op, &x, 1, attributes, count + 1, tensor_type(result, rank, dims), NULL);
}

Dtype ir_accumulator(Op reduction, Dtype dtype) {
    DtypeKind kind = dtype_kind(dtype);
    if (reduction != OP_sum && reduction != OP_prod)
        return reduction == OP_any || reduction == OP_all ? DTYPE_bool : dtype_info[dtype].compute;
    if (kind == KIND_BOOL || kind == KIND_SIGNED)
        return DTYPE_i64;
    if (kind == KIND_UNSIGNED)
        return DTYPE_u64;
    return dtype == DTYPE_f32 ? DTYPE_f64 : dtype == DTYPE_c64 ? DTYPE_c128 : dtype_info[dtype].compute;
}

Dtype ir_reduction_dtype(Op reduction, Dtype dtype) {
    switch (reduction) {
    case OP_sum:
    case OP_prod:
        return dtype_is_float(dtype) || dtype_kind(dtype) == KIND_COMPLEX ? dtype
                                                                          : ir_accumulator(reduction, dtype);
    case OP_any:
    case OP_all:
        return DTYPE_bool;
    case OP_argmax:
    case OP_argmin:
        return DTYPE_i64;
    default:
        return dtype;
    }
}

/* ---- views ---------------------------------------------------------------------------------------- */

IrNode *ir_permute(IrBuilder *b, IrNode *x, const uint32_t *permutation) {
    int64_t attributes[IR_MAX_RANK];
    IrNode *dims[IR_MAX_RANK];
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        attributes[k] = permutation[k];
        dims[k] = x->types[0].dims[permutation[k]];
    }
    return build_one(b, OP_permute, &x, 1, attributes, ir_rank(x), tensor_type(ir_dtype(x), ir_rank(x), dims),
                     NULL);
}

IrNode *ir_slice(IrBuilder *b, IrNode *x, IrNode *const *starts, IrNode *const *extents, IrNode *const *steps,
                 const bool *drop) {
    int64_t attributes[IR_MAX_RANK];
    IrNode *operands[1 + 3 * IR_MAX_RANK] = {x}, *dims[IR_MAX_RANK];
    uint32_t dropped = 0, rank = 0;
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        operands[1 + 3 * k] = starts[k];
        operands[2 + 3 * k] = extents[k];
        operands[3 + 3 * k] = steps[k];
        if (drop && drop[k])
            attributes[dropped++] = k;
        else
            dims[rank++] = extents[k];
    }
    return build_one(b, OP_slice, operands, 1 + 3 * ir_rank(x), attributes, dropped,
                     tensor_type(ir_dtype(x), rank, dims), NULL);
}

static uint32_t with_extents(IrNode **operands, IrNode *x, IrNode *const *dims, uint32_t rank) {
    operands[0] = x;
    for (uint32_t k = 0; k < rank; k++)
        operands[1 + k] = dims[k];
    return rank + 1;
}

IrNode *ir_broadcast(IrBuilder *b, IrNode *x, const uint32_t *axis_map, IrNode *const *dims, uint32_t rank) {
    int64_t attributes[IR_MAX_RANK];
    IrNode *operands[IR_MAX_RANK + 1];
    for (uint32_t k = 0; k < ir_rank(x); k++)
        attributes[k] = axis_map[k];
    uint32_t count = with_extents(operands, x, dims, rank);
    return build_one(b, OP_broadcast, operands, count, attributes, ir_rank(x),
                     tensor_type(ir_dtype(x), rank, dims), NULL);
}

IrNode *ir_broadcast_trailing(IrBuilder *b, IrNode *x, IrNode *const *dims, uint32_t rank) {
    uint32_t map[IR_MAX_RANK];
    for (uint32_t k = 0; k < ir_rank(x); k++)
        map[k] = rank - ir_rank(x) + k;
    return ir_broadcast(b, x, map, dims, rank);
}

IrNode *ir_reshape(IrBuilder *b, IrNode *x, IrNode *const *dims, uint32_t rank) {
    IrNode *operands[IR_MAX_RANK + 1];
    uint32_t count = with_extents(operands, x, dims, rank);
    return build_one(b, OP_reshape, operands, count, NULL, 0, tensor_type(ir_dtype(x), rank, dims), NULL);
}

IrNode *ir_window(IrBuilder *b, IrNode *x, IrNode *const *offsets, const IrWindowTerm *terms, uint32_t count,
                  IrNode *const *dims, uint32_t rank) {
    uint32_t axes = ir_rank(x), next = 1 + rank + axes;
    int64_t *attributes = ARENA_ARRAY(ir_arena(b), int64_t, 2 * count);
    IrNode **operands = ARENA_ARRAY(ir_arena(b), IrNode *, next + count);
    with_extents(operands, x, dims, rank);
    for (uint32_t k = 0; k < axes; k++)
        operands[1 + rank + k] = offsets[k];
    for (uint32_t i = 0; i < count; i++) {
        attributes[2 * i] = terms[i].axis;
        attributes[2 * i + 1] = terms[i].result_axis;
        operands[next + i] = terms[i].step;
    }
    return build_one(b, OP_window, operands, next + count, attributes, 2 * count,
                     tensor_type(ir_dtype(x), rank, dims), NULL);
}

IrNode *ir_window_offset(const IrNode *window, uint32_t axis) {
    return window->operands[1 + ir_rank(window) + axis];
}

IrWindowTerm ir_window_term(const IrNode *window, uint32_t index) {
    uint32_t first = 1 + ir_rank(window) + ir_rank(window->operands[0]);
    return (IrWindowTerm){(uint32_t)window->attributes[2 * index],
                          (uint32_t)window->attributes[2 * index + 1], window->operands[first + index]};
}

/* ---- sizes ------------------------------------------------------------------------------------------ */

/* Numbered by what exists, so that no two are the same node. */
IrNode *ir_variable(IrBuilder *b, IrNode *x) {
    int64_t number = b->function->node_count;
    return build_one(b, OP_variable, &x, 1, &number, 1, x->types[0], NULL);
}

IrNode *ir_stop_gradient(IrBuilder *b, IrNode *x) {
    return build_one(b, OP_stop_gradient, &x, 1, NULL, 0, x->types[0], NULL);
}

IrNode *ir_iota(IrBuilder *b, IrNode *extent) {
    return build_one(b, OP_iota, &extent, 1, NULL, 0, tensor_type(DTYPE_i64, 1, &extent), NULL);
}

IrNode *ir_dim(IrBuilder *b, IrNode *x, uint32_t axis) {
    (void)b;
    return x->types[0].dims[axis];
}

IrNode *ir_size(IrBuilder *b, IrNode *x) {
    IrNode *size = ir_const_i64(b, 1);
    for (uint32_t k = 0; k < ir_rank(x); k++)
        size = ir_binary(b, OP_mul, size, x->types[0].dims[k]);
    return size;
}

/* ---- structured ops ---------------------------------------------------------------------------------- */

IrNode *ir_matmul(IrBuilder *b, IrNode *x, IrNode *y) {
    uint32_t rank = ir_rank(x);
    IrNode *dims[IR_MAX_RANK];
    for (uint32_t k = 0; k + 1 < rank; k++)
        dims[k] = x->types[0].dims[k];
    dims[rank - 1] = y->types[0].dims[rank - 1];
    return build_one(b, OP_matmul, (IrNode *[]){x, y}, 2, NULL, 0, tensor_type(ir_dtype(x), rank, dims),
                     NULL);
}

IrNode *ir_solve(IrBuilder *b, IrNode *a, IrNode *rhs) {
    return build_one(b, OP_solve, (IrNode *[]){a, rhs}, 2, NULL, 0, rhs->types[0], NULL);
}

IrNode *ir_cholesky(IrBuilder *b, IrNode *a) {
    return build_one(b, OP_cholesky, &a, 1, NULL, 0, a->types[0], NULL);
}

IrNode *ir_call(IrBuilder *b, Op op, IrNode *const *operands, uint32_t count, const int64_t *attributes,
                uint32_t attribute_count, Dtype dtype, IrNode *const *dims, uint32_t rank) {
    IrNode *copy[IR_MAX_RANK];
    for (uint32_t k = 0; k < rank; k++)
        copy[k] = dims[k];
    return build_one(b, op, operands, count, attributes, attribute_count, tensor_type(dtype, rank, copy),
                     NULL);
}

IrNode *ir_concat(IrBuilder *b, IrNode *const *operands, uint32_t count, uint32_t axis) {
    if (count == 1)
        return operands[0];
    IrNode *dims[IR_MAX_RANK];
    memcpy(dims, operands[0]->types[0].dims, ir_rank(operands[0]) * sizeof *dims);
    for (uint32_t i = 1; i < count; i++)
        dims[axis] = ir_binary(b, OP_add, dims[axis], operands[i]->types[0].dims[axis]);
    int64_t attribute = axis;
    return build_one(b, OP_concat, operands, count, &attribute, 1,
                     tensor_type(ir_dtype(operands[0]), ir_rank(operands[0]), dims), NULL);
}

IrNode *ir_gather(IrBuilder *b, IrNode *x, IrNode *indices, uint32_t axis) {
    return ir_gather_many(b, x, &indices, &axis, 1);
}

IrNode *ir_gather_many(IrBuilder *b, IrNode *x, IrNode *const *indices, const uint32_t *axes,
                       uint32_t count) {
    IrNode *dims[2 * IR_MAX_RANK], *operands[1 + IR_MAX_RANK] = {x};
    int64_t attributes[IR_MAX_RANK];
    uint32_t rank = 0, next = 0;
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        if (next == count || axes[next] != k) {
            dims[rank++] = x->types[0].dims[k];
            continue;
        }
        for (uint32_t i = 0; next == 0 && i < ir_rank(indices[0]); i++)
            dims[rank++] = indices[0]->types[0].dims[i];
        operands[1 + next] = indices[next];
        attributes[next++] = k;
    }
    return build_one(b, OP_gather, operands, 1 + count, attributes, count,
                     tensor_type(ir_dtype(x), rank, dims), NULL);
}

/* ---- updates ----------------------------------------------------------------------------------------- */

IrNode *ir_update(IrBuilder *b, IrNode *x, IrNode *v, IrNode *const *starts, IrNode *const *extents,
                  IrNode *const *steps, IrNode *const *indices, const uint32_t *axes, uint32_t count,
                  Op combine) {
    IrNode *operands[2 + 4 * IR_MAX_RANK] = {x, v};
    int64_t attributes[2 + IR_MAX_RANK] = {combine == OP_none ? -1 : (int64_t)combine, 0};
    uint32_t used = 2;
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        operands[used++] = starts[k];
        operands[used++] = extents[k];
        operands[used++] = steps[k];
    }
    for (uint32_t i = 0; i < count; i++) {
        operands[used++] = indices[i];
        attributes[2 + i] = axes[i];
    }
    return build_one(b, OP_update, operands, used, attributes, 2 + count, x->types[0], NULL);
}

IrNode *ir_update_indices(const IrNode *node, uint32_t axis) {
    for (uint32_t i = 2; i < node->attribute_count; i++)
        if (node->attributes[i] == axis)
            return node->operands[2 + 3 * ir_rank(node) + i - 2];
    return NULL;
}

bool ir_update_is_element(const IrNode *node) {
    int64_t extent;
    bool is_one = ir_rank(node->operands[1]) == 0 && ir_update_index_count(node) == 0;
    for (uint32_t k = 0; k < ir_rank(node); k++)
        is_one = is_one && ir_const_value_i64(ir_update_extent(node, k), &extent) && extent == 1;
    return is_one && node->attributes[0] < 0;
}

IrNode *ir_nonzero(IrBuilder *b, IrNode *mask) {
    uint32_t axes[IR_MAX_RANK];
    for (uint32_t k = 0; k < ir_rank(mask); k++)
        axes[k] = k;
    IrNode *count =
        ir_reduce(b, OP_sum, ir_cast(b, mask, DTYPE_i64), axes, ir_rank(mask), DTYPE_i64, DTYPE_i64);
    IrNode *dims[2] = {ir_const_i64(b, ir_rank(mask)), count};
    return build_one(b, OP_nonzero, (IrNode *[]){mask, count}, 2, NULL, 0, tensor_type(DTYPE_i64, 2, dims),
                     NULL);
}

/* ---- checks and effects ------------------------------------------------------------------------------ */

IrNode *ir_check_equal(IrBuilder *b, IrNode *x, IrNode *y, Name message) {
    return build_one(b, OP_check_equal, (IrNode *[]){x, y}, 2, NULL, 0, x->types[0], message);
}

IrNode *ir_check_true(IrBuilder *b, IrNode *condition, IrNode *value, DiagCode code, Name message) {
    int64_t attribute = code;
    return build_one(b, OP_check_true, (IrNode *[]){condition, value}, 2, &attribute, 1, value->types[0],
                     message);
}

IrNode *ir_check_index(IrBuilder *b, IrNode *indices, IrNode *extent, uint32_t axis) {
    int64_t attribute = axis;
    return build_one(b, OP_check_index, (IrNode *[]){indices, extent}, 2, &attribute, 1, indices->types[0],
                     NULL);
}

IrNode *ir_token(IrBuilder *b) {
    return build_one(b, OP_token, NULL, 0, NULL, 0, (IrType){.kind = IR_TOKEN}, NULL);
}

IrNode *ir_print(IrBuilder *b, IrNode *token, Name format, IrNode *const *values, uint32_t count) {
    IrNode **operands = ARENA_ARRAY(ir_arena(b), IrNode *, count + 1);
    operands[0] = token;
    for (uint32_t i = 0; i < count; i++)
        operands[1 + i] = values[i];
    return build_one(b, OP_print, operands, count + 1, NULL, 0, (IrType){.kind = IR_TOKEN}, format);
}

/* ---- control ------------------------------------------------------------------------------------------ */

IrNode *ir_result(IrBuilder *b, IrNode *node, uint32_t index) {
    if (node->result_count == 1)
        return node;
    int64_t attribute = index;
    return build_one(b, OP_result, &node, 1, &attribute, 1, node->types[index], NULL);
}

/* True if a size can be named outside the region it was computed in. */
static bool visible_from(const IrRegion *region, const IrNode *node) {
    return ir_region_encloses(node->region, region);
}

/* Moves a constant extent out of a region; other extents stay where they are. */
static IrNode *extent_outside(IrBuilder *b, IrNode *extent) {
    int64_t value;
    return !visible_from(b->region, extent) && ir_const_value_i64(extent, &value) ? ir_const_i64(b, value)
                                                                                  : extent;
}

IrNode *ir_if(IrBuilder *b, IrNode *condition, IrRegion *then_region, IrRegion *else_region) {
    Arena *arena = ir_arena(b);
    uint32_t count = then_region->results.count;
    VEC(IrType) types = {0};
    VEC(int64_t) extra = {0}; /* result << 8 | axis of each extent that becomes a result */
    for (uint32_t i = 0; i < count; i++) {
        IrType type = then_region->results.items[i]->types[0];
        IrNode **dims = ARENA_ARRAY(arena, IrNode *, type.rank);
        for (uint32_t k = 0; k < type.rank; k++) {
            IrNode *x = extent_outside(b, type.dims[k]);
            IrNode *y = extent_outside(b, else_region->results.items[i]->types[0].dims[k]);
            dims[k] = x;
            if (x != y || !visible_from(b->region, x))
                vec_push(arena, &extra, (int64_t)i << 8 | k);
        }
        type.dims = dims;
        vec_push(arena, &types, type);
    }
    for (uint32_t e = 0; e < extra.count; e++) {
        int64_t i = extra.items[e] >> 8, k = extra.items[e] & 255;
        vec_push(arena, &then_region->results, then_region->results.items[i]->types[0].dims[k]);
        vec_push(arena, &else_region->results, else_region->results.items[i]->types[0].dims[k]);
        vec_push(arena, &types, tensor_type(DTYPE_i64, 0, NULL));
    }
    IrNode *node = ir_build(b, &(IrNodeSpec){.op = OP_if,
                                             .operands = &condition,
                                             .operand_count = 1,
                                             .types = types.items,
                                             .result_count = types.count,
                                             .regions = (IrRegion *[]){then_region, else_region},
                                             .region_count = 2});
    for (uint32_t e = 0; e < extra.count; e++)
        node->types[extra.items[e] >> 8].dims[extra.items[e] & 255] = ir_result(b, node, count + e);
    return node;
}

static IrNode *build_loop(IrBuilder *b, Op op, IrNode *const *operands, uint32_t operand_count,
                          IrNode *const *initial, uint32_t count, IrRegion *const *regions,
                          uint32_t region_count) {
    IrType *types = ARENA_ARRAY(ir_arena(b), IrType, count);
    for (uint32_t i = 0; i < count; i++)
        types[i] = initial[i]->types[0];
    return ir_build(b, &(IrNodeSpec){.op = op,
                                     .operands = operands,
                                     .operand_count = operand_count,
                                     .types = types,
                                     .result_count = count,
                                     .regions = regions,
                                     .region_count = region_count});
}

IrNode *ir_for(IrBuilder *b, IrNode *begin, IrNode *end, IrNode *const *initial, uint32_t count,
               IrRegion *body) {
    IrNode **operands = ARENA_ARRAY(ir_arena(b), IrNode *, count + 2);
    operands[0] = begin;
    operands[1] = end;
    for (uint32_t i = 0; i < count; i++)
        operands[2 + i] = initial[i];
    return build_loop(b, OP_for, operands, count + 2, initial, count, &body, 1);
}

IrNode *ir_while(IrBuilder *b, IrNode *const *initial, uint32_t count, IrRegion *condition, IrRegion *body) {
    return build_loop(b, OP_while, initial, count, initial, count, (IrRegion *[]){condition, body}, 2);
}
