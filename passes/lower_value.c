/* Expressions of a fused region at an index: views become index arithmetic, buffers become loads, and what is
 * used more than once, or does not change in the innermost loop, becomes a variable. */
#include "passes/lower.h"

/* ---- scopes ---------------------------------------------------------------------------------------------
 */

KernelBlock *lower_block(Lower *l) {
    return l->scopes[l->depth - 1];
}

void lower_open(Lower *l, KernelBlock *block, const KernelVariable *index) {
    l->scopes[l->depth++] = block;
    if (index)
        lower_declared(l, index, l->depth);
}

void lower_close(Lower *l) {
    l->depth--;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < l->memo.count; i++)
        if (l->memo.items[i].depth <= l->depth)
            l->memo.items[kept++] = l->memo.items[i];
    l->memo.count = kept;
}

void lower_declared(Lower *l, const KernelVariable *variable, uint32_t depth) {
    while (l->depth_of.count <= variable->id)
        vec_push(l->arena, &l->depth_of, 0);
    l->depth_of.items[variable->id] = depth;
}

static uint32_t depth_of(const Lower *l, const KernelExpr *expr) {
    uint32_t depth = 1;
    if (expr->kind == KERNEL_USE && expr->variable->id < l->depth_of.count)
        depth = l->depth_of.items[expr->variable->id];
    for (uint32_t i = 0; i < expr->count; i++) {
        uint32_t inner = depth_of(l, expr->operands[i]);
        depth = inner > depth ? inner : depth;
    }
    return depth ? depth : 1;
}

/* The outermost open scope in which every index is known. */
static uint32_t scope_of_indices(const Lower *l, KernelExpr *const *indices, uint32_t rank) {
    uint32_t depth = 1;
    for (uint32_t k = 0; k < rank; k++) {
        uint32_t own = indices[k] ? depth_of(l, indices[k]) : 1;
        depth = own > depth ? own : depth;
    }
    return depth;
}

/* ---- scalars and extents
 * ----------------------------------------------------------------------------------- */

KernelExpr *lower_let(Lower *l, const char *name, KernelExpr *value) {
    if (value->kind == KERNEL_CONST || value->kind == KERNEL_USE)
        return value;
    KernelVariable *variable = kernel_variable(l->kernel, KERNEL_LET, name, value->dtype);
    kernel_declare(l->kernel, lower_block(l), variable, value);
    lower_declared(l, variable, l->depth);
    return kernel_use(l->kernel, variable);
}

static KernelExpr *captured(Lower *l, const IrNode *node, const char *name) {
    uint32_t part = dtype_is_complex(ir_dtype(node)) ? l->part : 0;
    for (uint32_t i = 0; i < l->scalars.count; i++)
        if (!l->scalars.items[i].array && l->scalars.items[i].node == node &&
            l->scalars.items[i].part == part)
            return kernel_use(l->kernel, l->scalars.items[i].variable);
    LowerScalar scalar = {.node = node, .part = part};
    scalar.variable = kernel_scalar(l->kernel, name, dtype_part(ir_dtype(node)));
    vec_push(l->arena, &l->scalars, scalar);
    return kernel_use(l->kernel, scalar.variable);
}

KernelExpr *lower_scalar(Lower *l, const IrNode *node) {
    if (ir_is_const(node))
        return kernel_const(l->kernel, ir_dtype(node), (uint64_t)node->attributes[0]);
    return captured(l, node, "s");
}

/* Sizes stay parameters, so that one kernel serves all; only tiny constants are worth seeing. */
KernelExpr *lower_extent(Lower *l, const IrNode *node) {
    int64_t value;
    if (ir_const_value_i64(node, &value) && value >= -2 && value <= 2)
        return kernel_const_i64(l->kernel, value);
    return captured(l, node, "n");
}

KernelExpr *lower_size(Lower *l, const IrNode *node) {
    int64_t value;
    return ir_const_value_i64(node, &value) ? kernel_const_i64(l->kernel, value) : captured(l, node, "n");
}

KernelArray *lower_pattern_part(Lower *l, const IrNode *pattern, IrPart part) {
    static const bool is_start[] = {
#define IS_I64                         true
#define IS_INDEX                       false
#define PART(name, extent, dtype, doc) IS_##dtype,
#include "ir/formats.def"
    };
    for (uint32_t i = 0; i < l->scalars.count; i++) {
        const LowerScalar *known = &l->scalars.items[i];
        if (known->array && known->node == pattern && known->part == part)
            return known->array;
    }
    LowerScalar made = {.node = pattern, .part = part};
    made.array = kernel_buffer(l->kernel, is_start[part] ? "starts" : "entries",
                               is_start[part] ? DTYPE_i64 : ir_dtype(pattern), false);
    vec_push(l->arena, &l->scalars, made);
    return made.array;
}

static KernelExpr *add(Lower *l, KernelExpr *a, KernelExpr *b) {
    return kernel_op2(l->kernel, OP_add, a, b);
}

static KernelExpr *mul(Lower *l, KernelExpr *a, KernelExpr *b) {
    return kernel_op2(l->kernel, OP_mul, a, b);
}

/* Horner over the axes; a flattened run of axes contributes its flat index times nothing and the product of
 * its extents. */
KernelExpr *lower_linear(Lower *l, IrNode *const *dims, uint32_t rank, KernelExpr *const *indices) {
    KernelExpr *position = NULL, *run = NULL; /* nothing before; the extents of a flattened run so far */
    for (uint32_t k = 0; k < rank; k++) {
        if (!indices[k]) {
            KernelExpr *extent = position ? lower_extent(l, dims[k]) : NULL;
            run = run && extent ? mul(l, run, extent) : extent;
            continue;
        }
        if (position) {
            KernelExpr *extent = lower_extent(l, dims[k]);
            position = mul(l, position, run ? mul(l, run, extent) : extent);
        }
        position = position ? add(l, position, indices[k]) : indices[k];
        run = NULL;
    }
    return position ? position : kernel_const_i64(l->kernel, 0);
}

static KernelExpr *strided_position(Lower *l, KernelVariable *const *strides, uint32_t rank,
                                    KernelExpr *const *indices) {
    KernelExpr *position = kernel_const_i64(l->kernel, 0);
    for (uint32_t k = 0; k < rank; k++)
        position = add(l, position, mul(l, indices[k], kernel_use(l->kernel, strides[k])));
    return position;
}

/* ---- values
 * ------------------------------------------------------------------------------------------------ */

static bool same_indices(KernelExpr *const *a, KernelExpr *const *b, uint32_t rank) {
    return !rank || !memcmp(a, b, rank * sizeof *a);
}

static bool is_own_index(const Lower *l, KernelExpr *const *indices) {
    return same_indices(indices, l->index, l->space.rank);
}

KernelExpr *lower_place(Lower *l, Dtype dtype, KernelExpr *position) {
    if (!dtype_is_complex(dtype))
        return position;
    KernelExpr *first = mul(l, position, kernel_const_i64(l->kernel, 2));
    return l->part ? add(l, first, kernel_const_i64(l->kernel, l->part)) : first;
}

static bool same_expr(const KernelExpr *a, const KernelExpr *b) {
    if (a == b)
        return true;
    if (!a || !b || a->kind != b->kind || a->dtype != b->dtype || a->count != b->count)
        return false;
    if (a->op != b->op || a->bits != b->bits || a->variable != b->variable || a->array != b->array)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!same_expr(a->operands[i], b->operands[i]))
            return false;
    return true;
}

/* What is updated may be read at the place that is being written, and nowhere else. */
static bool is_target(const Lower *l, KernelExpr *const *indices, uint32_t rank) {
    for (uint32_t k = 0; k < rank; k++)
        if (!same_expr(indices[k], l->target[k]))
            return false;
    return true;
}

static KernelExpr *load_parameter(Lower *l, const IrNode *node, KernelExpr *const *indices) {
    uint32_t number = (uint32_t)node->attributes[0], rank = ir_rank(node);
    bool is_base = l->space.is_update && node == l->region->results.items[0]->operands[0];
    l->inputs[number]->is_pointwise &= is_base
                                           ? l->target && is_target(l, indices, rank)
                                           : is_own_index(l, indices) && !l->kept && rank == l->space.rank &&
                                                 ir_same_extents(ir_type(node), l->space.dims, rank);
    KernelExpr *position = l->strides[number][0] ? strided_position(l, l->strides[number], rank, indices)
                                                 : lower_linear(l, node->types[0].dims, rank, indices);
    position = lower_place(l, ir_dtype(node), position);
    return kernel_load(l->kernel, l->inputs[number], &position, 1);
}

static void slice_indices(Lower *l, const IrNode *node, KernelExpr *const *indices, KernelExpr **inner) {
    uint32_t dropped = 0, next = 0;
    for (uint32_t axis = 0; axis < ir_rank(node->operands[0]); axis++) {
        KernelExpr *start = lower_extent(l, node->operands[1 + 3 * axis]);
        if (dropped < node->attribute_count && node->attributes[dropped] == axis) {
            inner[axis] = start;
            dropped++;
            continue;
        }
        KernelExpr *index = indices[next++];
        inner[axis] =
            index ? add(l, mul(l, index, lower_extent(l, node->operands[3 + 3 * axis])), start) : NULL;
    }
}

static void broadcast_indices(Lower *l, const IrNode *node, KernelExpr *const *indices, KernelExpr **inner) {
    const IrNode *x = node->operands[0];
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        uint32_t axis = (uint32_t)node->attributes[k];
        int64_t extent;
        bool repeats = x->types[0].dims[k] != node->types[0].dims[axis] &&
                       ir_const_value_i64(x->types[0].dims[k], &extent) && extent == 1;
        inner[k] = repeats ? kernel_const_i64(l->kernel, 0) : indices[axis];
    }
}

static void window_indices(Lower *l, const IrNode *node, KernelExpr *const *indices, KernelExpr **inner) {
    bool is_read[IR_MAX_RANK] = {false};
    for (uint32_t i = 0; i < node->attribute_count / 2; i++) {
        IrWindowTerm term = ir_window_term(node, i);
        KernelExpr *index = indices[term.result_axis];
        if (!index) /* flattened: the axis is read along it alone and unchanged */
            continue;
        index = mul(l, index, lower_extent(l, term.step));
        inner[term.axis] = is_read[term.axis] ? add(l, inner[term.axis], index) : index;
        is_read[term.axis] = true;
    }
    bool is_along[IR_MAX_RANK] = {false};
    for (uint32_t i = 0; i < node->attribute_count / 2; i++)
        is_along[ir_window_term(node, i).axis] = true;
    for (uint32_t axis = 0; axis < ir_rank(node->operands[0]); axis++) {
        KernelExpr *offset = lower_extent(l, ir_window_offset(node, axis));
        if (is_read[axis])
            inner[axis] = add(l, inner[axis], offset);
        else
            inner[axis] = is_along[axis] ? NULL : offset;
    }
}

static KernelExpr *view_value(Lower *l, const IrNode *node, KernelExpr *const *indices) {
    KernelExpr *inner[IR_MAX_RANK] = {0};
    const IrNode *x = node->operands[0];
    if (ir_rank(x) == 0)
        return lower_value(l, x, inner);
    switch (node->op) {
    case OP_permute:
        for (uint32_t k = 0; k < ir_rank(node); k++)
            inner[node->attributes[k]] = indices[k];
        break;
    case OP_slice:
        slice_indices(l, node, indices, inner);
        break;
    case OP_broadcast:
        broadcast_indices(l, node, indices, inner);
        break;
    case OP_window:
        window_indices(l, node, indices, inner);
        break;
    default: { /* reshape: fuse left a contiguous parameter below */
        KernelExpr *position = lower_linear(l, node->types[0].dims, ir_rank(node), indices);
        l->inputs[x->attributes[0]]->is_pointwise = false;
        position = lower_place(l, ir_dtype(x), position);
        return kernel_load(l->kernel, l->inputs[x->attributes[0]], &position, 1);
    }
    }
    return lower_value(l, x, inner);
}

static KernelExpr *gather_value(Lower *l, const IrNode *node, KernelExpr *const *indices) {
    const IrNode *x = node->operands[0];
    uint32_t first = (uint32_t)node->attributes[0], next = 0, indexed = 0;
    KernelExpr *inner[IR_MAX_RANK];
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        if (indexed < node->attribute_count && node->attributes[indexed] == k) {
            const IrNode *at = node->operands[1 + indexed];
            inner[k] = lower_let(l, "at", lower_value(l, at, indices + first));
            next += indexed++ == 0 ? ir_rank(at) : 0;
        } else {
            inner[k] = indices[next++];
        }
    }
    return lower_value(l, x, inner);
}

/* x at an end of an entry: known in loops over the entries, else looked up. */
static KernelExpr *spread_value(Lower *l, const IrNode *node, KernelExpr *const *indices) {
    const IrNode *x = node->operands[0], *pattern = node->operands[1];
    IrSide side = (IrSide)node->attributes[0];
    KernelExpr *inner[IR_MAX_RANK];
    memcpy(inner, indices, ir_rank(x) * sizeof *inner);
    if (l->space.pattern == pattern && indices[0] == l->index[1]) {
        inner[0] = side == l->space.side ? l->index[0] : l->other_end;
    } else {
        KernelArray *ends =
            lower_pattern_part(l, pattern, side == IR_SIDE_ROWS ? IR_PART_ROWS : IR_PART_COLUMNS);
        KernelExpr *end = kernel_load(l->kernel, ends, indices, 1);
        inner[0] = lower_let(l, "at", kernel_cast(l->kernel, end, DTYPE_i64));
    }
    return lower_value(l, x, inner);
}

static KernelExpr *segment_value(Lower *l, const IrNode *node, KernelExpr *const *indices) {
    const LowerSegment *segment = &l->segments[node->id];
    if (!segment->scratch)
        return segment->value;
    KernelExpr *position = lower_linear(l, node->types[0].dims + 1, ir_rank(node) - 1, indices + 1);
    return kernel_load(l->kernel, segment->scratch, &position, 1);
}

/* A part of a complex number that is read, or the operand that is this part of one put together. */
static KernelExpr *part_value(Lower *l, const IrNode *node, KernelExpr *const *indices) {
    uint32_t outer = l->part;
    if (node->op == OP_complex)
        return lower_value(l, node->operands[outer], indices);
    l->part = node->op == OP_imag;
    KernelExpr *value = lower_value(l, node->operands[0], indices);
    l->part = outer;
    return value;
}

static KernelExpr *operation(Lower *l, const IrNode *node, KernelExpr *const *indices) {
    KernelExpr *operands[3];
    if (op_is_parts(node->op))
        return part_value(l, node, indices);
    for (uint32_t k = 0; k < node->operand_count; k++)
        operands[k] = lower_value(l, node->operands[k], indices);
    if (node->op == OP_cast)
        return kernel_cast(l->kernel, operands[0], ir_dtype(node));
    return kernel_op(l->kernel, node->op, operands);
}

static KernelExpr *remembered(Lower *l, const IrNode *node, KernelExpr *const *indices) {
    for (uint32_t i = l->memo.count; i-- > 0;)
        if (l->memo.items[i].node == node && same_indices(l->memo.items[i].indices, indices, ir_rank(node)))
            return l->memo.items[i].value;
    return NULL;
}

static void remember(Lower *l, const IrNode *node, KernelExpr *const *indices, KernelExpr *value,
                     uint32_t depth) {
    LowerMemo entry = {.node = node, .value = value, .depth = depth};
    memcpy(entry.indices, indices, ir_rank(node) * sizeof *indices);
    vec_push(l->arena, &l->memo, entry);
}

/* The costly row value: computed and stored by the first loop that needs it, loaded by the others. */
static KernelExpr *kept_position(Lower *l, KernelExpr *const *indices) {
    if (l->kept_in_output)
        return lower_linear(l, l->kept->types[0].dims, ir_rank(l->kept), indices);
    return indices[l->space.rank - 1];
}

static KernelExpr *kept_value(Lower *l, const IrNode *node, KernelExpr *const *indices) {
    KernelExpr *position = kept_position(l, indices);
    if (l->kept_ready)
        return kernel_load(l->kernel, l->kept_array, &position, 1);
    KernelExpr *value = lower_let(l, "kept", operation(l, node, indices));
    kernel_store(l->kernel, lower_block(l), l->kept_array, &position, 1, value);
    return value;
}

/* Computed in the outermost block that knows its indices. */
static KernelExpr *operation_value(Lower *l, const IrNode *node, KernelExpr *const *indices) {
    uint32_t depth = scope_of_indices(l, indices, ir_rank(node)), innermost = l->depth;
    l->depth = depth;
    KernelExpr *value = operation(l, node, indices);
    if (depth < innermost || l->uses[node->id] > 1) {
        value = lower_let(l, "t", value);
        remember(l, node, indices, value, depth);
    }
    l->depth = innermost;
    return value;
}

KernelExpr *lower_value(Lower *l, const IrNode *node, KernelExpr *const *indices) {
    if (op_is_reduction(node->op) && node->region == l->region)
        return kernel_use(l->kernel, l->reduced[node->id]);
    if (node->region != l->region || ir_is_const(node))
        return lower_scalar(l, node);
    if (node->op == OP_param)
        return load_parameter(l, node, indices);
    if (op_is_view(node->op))
        return view_value(l, node, indices);
    if (node->op == OP_iota)
        return indices[0];
    if (node->op == OP_complex)
        return part_value(l, node, indices);
    KernelExpr *known = remembered(l, node, indices);
    if (known)
        return known;
    if (node->op == OP_gather)
        return gather_value(l, node, indices);
    if (node->op == OP_spread)
        return spread_value(l, node, indices);
    if (node->op == OP_segment)
        return segment_value(l, node, indices);
    if (node == l->kept && is_own_index(l, indices)) {
        KernelExpr *value = kept_value(l, node, indices);
        if (l->uses[node->id] > 1) {
            value = lower_let(l, "t", value);
            remember(l, node, indices, value, l->depth);
        }
        return value;
    }
    return operation_value(l, node, indices);
}
