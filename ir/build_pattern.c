/* Builders of what is made of sparse patterns; see ir.h. */
#include "ir/internal.h"

static IrType tensor_of(Dtype dtype, uint32_t rank, IrNode **dims) {
    return (IrType){.kind = IR_TENSOR, .dtype = dtype, .rank = rank, .dims = dims};
}

static IrType pattern_of(Dtype index, IrOrder order, IrNode **dims) {
    return (IrType){.kind = IR_PATTERN, .dtype = index, .rank = 3, .dims = dims, .order = order};
}

static IrNode *build(IrBuilder *b, Op op, IrNode *const *operands, uint32_t operand_count,
                     const int64_t *attributes, uint32_t attribute_count, const IrType *types,
                     uint32_t result_count) {
    return ir_build(b, &(IrNodeSpec){.op = op,
                                     .operands = operands,
                                     .operand_count = operand_count,
                                     .attributes = attributes,
                                     .attribute_count = attribute_count,
                                     .types = types,
                                     .result_count = result_count});
}

IrNode *ir_pattern_parameter(IrBuilder *b, Name name, Dtype index, IrOrder order, IrNode *const *dims,
                             const int64_t *sizes) {
    IrType type = pattern_of(index, order, NULL);
    return ir_parameter_of(b, name, &type, dims, sizes);
}

IrNode *ir_parameter_of(IrBuilder *b, Name name, const IrType *type, IrNode *const *dims,
                        const int64_t *sizes) {
    IrNode *node = ir_parameter(b, name, type->dtype, type->rank, dims, sizes);
    node->types[0].kind = type->kind;
    node->types[0].order = type->order;
    return node;
}

/* ---- values of entries ----------------------------------------------------------------------------- */

static IrNode *with_first_extent(IrBuilder *b, Op op, IrNode *x, IrNode *pattern, IrNode *extent, Dtype dtype,
                                 const int64_t *attributes, uint32_t count) {
    IrNode *dims[IR_MAX_RANK], *operands[] = {x, pattern};
    memcpy(dims, x->types[0].dims, ir_rank(x) * sizeof *dims);
    dims[0] = extent;
    IrType type = tensor_of(dtype, ir_rank(x), dims);
    return build(b, op, operands, 2, attributes, count, &type, 1);
}

IrNode *ir_spread(IrBuilder *b, IrNode *x, IrNode *pattern, IrSide side) {
    int64_t attribute = side;
    return with_first_extent(b, OP_spread, x, pattern, ir_pattern_count(pattern), ir_dtype(x), &attribute, 1);
}

IrNode *ir_segment(IrBuilder *b, Op reduction, IrNode *x, IrNode *pattern, IrSide side, Dtype accumulator,
                   Dtype result) {
    int64_t attributes[] = {accumulator, reduction, side};
    return with_first_extent(b, OP_segment, x, pattern, ir_pattern_extent(pattern, side), result, attributes,
                             3);
}

/* ---- patterns -------------------------------------------------------------------------------------- */

IrNode *ir_pattern_part(IrBuilder *b, IrNode *pattern, IrPart part) {
    static const struct {
        int extent; /* below 0: the count, else 1 + this one */
        bool is_start;
    } parts[] = {
#define EXTENT_ROWS                    IR_SIDE_ROWS
#define EXTENT_COLUMNS                 IR_SIDE_COLUMNS
#define EXTENT_COUNT                   -1
#define IS_I64                         true
#define IS_INDEX                       false
#define PART(name, extent, dtype, doc) {EXTENT_##extent, IS_##dtype},
#include "ir/formats.def"
    };
    int extent = parts[part].extent;
    IrNode *dim = extent < 0
                      ? ir_pattern_count(pattern)
                      : ir_binary(b, OP_add, ir_pattern_extent(pattern, (IrSide)extent), ir_const_i64(b, 1));
    int64_t attribute = part;
    IrType type = tensor_of(parts[part].is_start ? DTYPE_i64 : ir_dtype(pattern), 1, &dim);
    return build(b, OP_pattern_part, &pattern, 1, &attribute, 1, &type, 1);
}

IrNode *ir_pattern_transpose(IrBuilder *b, IrNode *x) {
    static const IrOrder transposed[] = {[IR_ORDER_ROWS] = IR_ORDER_COLUMNS,
                                         [IR_ORDER_COLUMNS] = IR_ORDER_ROWS,
                                         [IR_ORDER_GIVEN] = IR_ORDER_GIVEN};
    if (x->op == OP_pattern_transpose)
        return x->operands[0];
    const IrType *old = ir_type(x);
    IrType type = pattern_of(old->dtype, transposed[old->order],
                             (IrNode *[]){old->dims[IR_SIDE_COLUMNS], old->dims[IR_SIDE_ROWS], old->dims[2]});
    return build(b, OP_pattern_transpose, &x, 1, NULL, 0, &type, 1);
}

IrNode *ir_pattern_reorder(IrBuilder *b, IrNode *x, IrOrder order) {
    if (ir_type(x)->order == order)
        return x;
    IrType type = pattern_of(ir_dtype(x), order, x->types[0].dims);
    return build(b, OP_pattern_reorder, &x, 1, NULL, 0, &type, 1);
}

/* The same node built before, where it can be seen: they are few. */
static IrNode *find_counted(const IrBuilder *b, Op op, IrNode *const *operands, uint32_t operand_count,
                            const int64_t *attributes, uint32_t attribute_count, const IrType *pattern) {
    for (const IrRegion *region = b->region; region; region = region->parent)
        for (uint32_t i = region->nodes.count; i-- > 0;) {
            IrNode *node = region->nodes.items[i];
            if (node->op == op && node->operand_count == operand_count &&
                !memcmp(node->operands, operands, operand_count * sizeof *operands) &&
                node->attribute_count == attribute_count &&
                (!attribute_count ||
                 !memcmp(node->attributes, attributes, attribute_count * sizeof *attributes)) &&
                node->types[0].dtype == pattern->dtype && node->types[0].order == pattern->order)
                return node;
        }
    return NULL;
}

/* A new pattern of unknown count, tensors of as many i64 and, where asked for, other results before these:
 * the count is the node's last result. */
static IrNode *build_counted(IrBuilder *b, Op op, IrNode *const *operands, uint32_t operand_count,
                             const int64_t *attributes, uint32_t attribute_count, IrType pattern,
                             IrNode *listed, uint32_t maps) {
    IrType types[4];
    IrNode *dims[3] = {pattern.dims[0], pattern.dims[1], pattern.dims[0]};
    uint32_t count = 0;
    IrNode *known = find_counted(b, op, operands, operand_count, attributes, attribute_count, &pattern);
    if (known)
        return known;
    pattern.dims = dims;
    types[count++] = pattern;
    if (listed)
        types[count++] = tensor_of(DTYPE_i64, 1, &listed);
    for (uint32_t i = 0; i < maps; i++)
        types[count++] = tensor_of(DTYPE_i64, 1, dims + 2);
    types[count++] = tensor_of(DTYPE_i64, 0, NULL);
    IrNode *node = build(b, op, operands, operand_count, attributes, attribute_count, types, count);
    IrNode *entries = ir_result(b, node, count - 1);
    node->types[0].dims[2] = entries;
    for (uint32_t i = 0; i < maps; i++)
        node->types[count - 2 - i].dims[0] = entries;
    return node;
}

IrNode *ir_pattern_make(IrBuilder *b, IrNode *rows, IrNode *columns, IrNode *row_count, IrNode *column_count,
                        Dtype index, IrOrder order, IrRepeats repeats) {
    int64_t attribute = repeats;
    IrNode *operands[] = {rows, columns, row_count, column_count};
    IrType type = pattern_of(index, order, operands + 2);
    return build_counted(b, OP_pattern_make, operands, 4, &attribute, 1, type, rows->types[0].dims[0], 0);
}

static IrNode *merge(IrBuilder *b, Op op, IrNode *x, IrNode *y) {
    IrType type = pattern_of(ir_dtype(x), IR_ORDER_ROWS, x->types[0].dims);
    return build_counted(b, op, (IrNode *[]){x, y}, 2, NULL, 0, type, NULL, 2);
}

IrNode *ir_pattern_union(IrBuilder *b, IrNode *x, IrNode *y) {
    return merge(b, OP_pattern_union, x, y);
}

IrNode *ir_pattern_intersection(IrBuilder *b, IrNode *x, IrNode *y) {
    return merge(b, OP_pattern_intersection, x, y);
}

IrNode *ir_pattern_product(IrBuilder *b, IrNode *x, IrNode *y) {
    IrNode *dims[] = {ir_pattern_extent(x, IR_SIDE_ROWS), ir_pattern_extent(y, IR_SIDE_COLUMNS)};
    return build_counted(b, OP_pattern_product, (IrNode *[]){x, y}, 2, NULL, 0,
                         pattern_of(ir_dtype(x), IR_ORDER_ROWS, dims), NULL, 0);
}

IrNode *ir_pattern_select(IrBuilder *b, IrNode *x, IrNode *rows, IrNode *columns) {
    IrNode *operands[3] = {x};
    uint32_t count = 1;
    if (rows)
        operands[count++] = rows;
    if (columns)
        operands[count++] = columns;
    IrNode *dims[] = {rows ? rows->types[0].dims[0] : ir_pattern_extent(x, IR_SIDE_ROWS),
                      columns ? columns->types[0].dims[0] : ir_pattern_extent(x, IR_SIDE_COLUMNS)};
    int64_t attribute = (rows ? 1 : 0) | (columns ? 2 : 0);
    return build_counted(b, OP_pattern_select, operands, count, &attribute, 1,
                         pattern_of(ir_dtype(x), IR_ORDER_ROWS, dims), NULL, 1);
}

IrNode *ir_pattern_locate(IrBuilder *b, IrNode *x, IrNode *rows, IrNode *columns) {
    IrType type = tensor_of(DTYPE_i64, ir_rank(rows), rows->types[0].dims);
    return build(b, OP_pattern_locate, (IrNode *[]){x, rows, columns}, 3, NULL, 0, &type, 1);
}

/* What the runtime multiplies in: integers wrap in 64 bits as they do in their own, halves go through f32. */
static Dtype product_dtype(Dtype dtype) {
    if (dtype_kind(dtype) == KIND_FLOAT)
        return dtype_info[dtype].compute;
    return dtype_is_complex(dtype) ? dtype : DTYPE_i64;
}

IrNode *ir_sparse_product(IrBuilder *b, IrNode *x, IrNode *x_values, IrNode *y, IrNode *y_values, IrNode *z) {
    IrNode *count = ir_pattern_count(z);
    Dtype dtype = ir_dtype(x_values), wide = product_dtype(dtype);
    IrType type = tensor_of(wide, 1, &count);
    IrNode *operands[] = {x, ir_cast(b, x_values, wide), y, ir_cast(b, y_values, wide), z};
    return ir_cast(b, build(b, OP_sparse_product, operands, 5, NULL, 0, &type, 1), dtype);
}

/* ---- collecting over the entries of a column ----------------------------------------------------------- */

IrNode *ir_collect(IrBuilder *b, IrNode *x, IrNode *pattern, IrNode *entry, IrCollect what) {
    int64_t attribute = what;
    return build(b, OP_collect, (IrNode *[]){x, pattern, entry}, 3, &attribute, 1, x->types, 1);
}

static IrNode *like(IrBuilder *b, IrNode *scalar_or_vector, const IrNode *x) {
    uint32_t axis = 0;
    return ir_broadcast(b, scalar_or_vector, &axis, x->types[0].dims, ir_rank(x));
}

static IrNode *column_counts(IrBuilder *b, IrNode *pattern) {
    IrNode *starts = ir_pattern_part(b, pattern, IR_PART_COLUMN_STARTS), *zero = ir_const_i64(b, 0);
    IrNode *extent = ir_pattern_extent(pattern, IR_SIDE_COLUMNS), *one = ir_const_i64(b, 1);
    IrNode *first = ir_slice(b, starts, &zero, &extent, &one, NULL);
    return ir_binary(b, OP_sub, ir_slice(b, starts, &one, &extent, &one, NULL), first);
}

static IrNode *per_column(IrBuilder *b, Op op, IrNode *x, IrNode *pattern) {
    Dtype dtype = ir_dtype(x);
    return ir_segment(b, op, x, pattern, IR_SIDE_COLUMNS, dtype_info[dtype].compute, dtype);
}

IrNode *ir_collected(IrBuilder *b, IrNode *x, IrNode *pattern, IrCollect what) {
    if (what == IR_COLLECT_SOFTMAX) {
        IrNode *most = ir_spread(b, per_column(b, OP_max, x, pattern), pattern, IR_SIDE_COLUMNS);
        IrNode *raised = ir_unary(b, OP_exp, ir_binary(b, OP_sub, x, most));
        IrNode *sums = ir_spread(b, per_column(b, OP_sum, raised, pattern), pattern, IR_SIDE_COLUMNS);
        return ir_binary(b, OP_div, raised, sums);
    }
    IrNode *made = per_column(b, what == IR_COLLECT_MAX ? OP_max : OP_sum, x, pattern);
    if (what == IR_COLLECT_SUM)
        return made;
    IrNode *counts = column_counts(b, pattern), *one = ir_const_i64(b, 1);
    IrNode *ones = ir_broadcast_trailing(b, one, counts->types[0].dims, 1);
    IrNode *divisor = ir_cast(b, ir_binary(b, OP_maximum, counts, ones), ir_dtype(x));
    if (what == IR_COLLECT_MEAN)
        return ir_binary(b, OP_div, made, like(b, divisor, made));
    IrNode *is_there = ir_binary(b, OP_ge, counts, ones);
    IrNode *zero =
        ir_broadcast_trailing(b, ir_const_number(b, ir_dtype(x), 0), made->types[0].dims, ir_rank(made));
    return ir_where(b, like(b, is_there, made), made, zero);
}
