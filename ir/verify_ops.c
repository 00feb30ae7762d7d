/* The verifier's rules for single nodes: counts, dtypes, ranks, extents, attributes; one function a family.
 */
#include "ir/kernel.h"
#include "ir/verify.h"

#define REQUIRE(condition, ...)                                                                              \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            return verify_fail(v, node, __VA_ARGS__);                                                        \
    } while (0)

static bool is_scalar_of(const IrNode *x, Dtype dtype) {
    return ir_is_scalar(x) && ir_dtype(x) == dtype;
}

static bool is_tensor(const IrNode *x) {
    return x->result_count == 1 && x->types[0].kind == IR_TENSOR;
}

static bool has_extents(const IrNode *x) {
    return x->result_count == 1 && x->types[0].kind != IR_TOKEN;
}

static bool same_type(const IrType *a, const IrType *b) {
    return a->kind == b->kind && a->order == b->order &&
           (a->kind == IR_TOKEN || (a->dtype == b->dtype && verify_same_extents(a, b)));
}

static bool verify_shape_of_node(Verifier *v, const IrNode *node, uint32_t operands, uint32_t results) {
    REQUIRE(node->operand_count == operands, "%u operands instead of %u", node->operand_count, operands);
    REQUIRE(node->result_count == results, "%u results instead of %u", node->result_count, results);
    return true;
}

static bool verify_attribute_count(Verifier *v, const IrNode *node, uint32_t count) {
    REQUIRE(node->attribute_count == count, "%u attributes instead of %u", node->attribute_count, count);
    return true;
}

static bool verify_tensors(Verifier *v, const IrNode *node) {
    for (uint32_t i = 0; i < node->operand_count; i++)
        REQUIRE(is_tensor(node->operands[i]), "operand %u is no tensor", i);
    for (uint32_t i = 0; i < node->result_count; i++)
        REQUIRE(node->types[i].kind == IR_TENSOR, "result %u is no tensor", i);
    return true;
}

static bool verify_scalars(Verifier *v, const IrNode *node, uint32_t first) {
    for (uint32_t i = first; i < node->operand_count; i++)
        REQUIRE(is_scalar_of(node->operands[i], DTYPE_i64), "operand %u is not a scalar i64", i);
    return true;
}

/* Attributes from `first` on are ascending and below `limit`. */
static bool verify_axes(Verifier *v, const IrNode *node, uint32_t first, uint32_t limit) {
    for (uint32_t i = first; i < node->attribute_count; i++) {
        REQUIRE(node->attributes[i] >= 0 && node->attributes[i] < limit, "axis %lld is out of range",
                (long long)node->attributes[i]);
        REQUIRE(i == first || node->attributes[i - 1] < node->attributes[i], "axes are not ascending");
    }
    return true;
}

/* ---- elementwise and reductions --------------------------------------------------------------------------
 */

static bool dtype_allowed(const OpInfo *info, Dtype dtype) {
    if (dtype_is_complex(dtype))
        return info->dtype == RULE_PART || info->complex != COMPLEX_NO;
    switch (info->dtype) {
    case RULE_PART:
        return false;
    case RULE_PAIR:
        return dtype == DTYPE_f32 || dtype == DTYPE_f64;
    case RULE_FLOAT:
        return dtype_is_float(dtype);
    case RULE_NUMBER:
    case RULE_COUNT:
        return dtype != DTYPE_bool;
    case RULE_LOGICAL:
        return dtype == DTYPE_bool;
    case RULE_INTEGER:
        return dtype == DTYPE_bool || dtype_is_integer(dtype);
    case RULE_SHIFT:
        return dtype_is_integer(dtype);
    default:
        return true;
    }
}

static bool verify_elementwise(Verifier *v, const IrNode *node) {
    const OpInfo *info = &op_info[node->op];
    if (!verify_shape_of_node(v, node, info->arity, 1) || !verify_attribute_count(v, node, 0) ||
        !verify_tensors(v, node))
        return false;
    uint32_t first = node->op == OP_where;
    Dtype dtype = ir_dtype(node->operands[first]);
    REQUIRE(!first || ir_dtype(node->operands[0]) == DTYPE_bool, "the condition is not bool");
    REQUIRE(dtype_allowed(info, dtype), "not defined for %s", dtype_name(dtype));
    for (uint32_t i = 0; i < node->operand_count; i++) {
        REQUIRE(i < first || ir_dtype(node->operands[i]) == dtype, "operand %u is %s, not %s", i,
                dtype_name(ir_dtype(node->operands[i])), dtype_name(dtype));
        REQUIRE(verify_same_extents(ir_type(node), ir_type(node->operands[i])),
                "operand %u has other extents than the result", i);
    }
    bool is_bool = info->dtype == RULE_BOOL || info->dtype == RULE_LOGICAL;
    bool is_part = info->dtype == RULE_PART || info->complex == COMPLEX_REAL;
    Dtype want = is_bool                    ? DTYPE_bool
                 : is_part                  ? dtype_part(dtype)
                 : info->dtype == RULE_PAIR ? dtype_of_parts(dtype)
                                            : dtype;
    REQUIRE(ir_dtype(node) == want, "the result is not %s", dtype_name(want));
    return true;
}

static bool verify_reduction_dtypes(Verifier *v, const IrNode *node) {
    Dtype from = ir_dtype(node->operands[0]), to = ir_dtype(node);
    int64_t accumulator = node->attributes[0];
    REQUIRE(accumulator >= 0 && accumulator < DTYPE_COUNT, "no such accumulator");
    bool is_complex = dtype_is_complex(from) || dtype_is_complex(to);
    REQUIRE(!is_complex || op_info[node->op].complex, "not defined for %s", dtype_name(from));
    REQUIRE(is_complex == dtype_is_complex((Dtype)accumulator) && is_complex == dtype_is_complex(to),
            "one of operand, accumulator and result is complex");
    switch (node->op) {
    case OP_any:
    case OP_all:
        REQUIRE(from == DTYPE_bool && to == DTYPE_bool, "bool gives bool");
        break;
    case OP_argmax:
    case OP_argmin:
        REQUIRE(to == DTYPE_i64, "the result is not i64");
        break;
    case OP_max:
    case OP_min:
        REQUIRE(from == to, "the result is not %s", dtype_name(from));
        break;
    default:
        REQUIRE(to != DTYPE_bool && accumulator != DTYPE_bool, "cannot accumulate in bool");
    }
    return true;
}

static bool verify_reduction(Verifier *v, const IrNode *node) {
    if (!verify_shape_of_node(v, node, 1, 1) || !verify_tensors(v, node))
        return false;
    const IrType *from = ir_type(node->operands[0]), *to = ir_type(node);
    uint32_t count = node->attribute_count - 1, kept = 0, next = 1;
    REQUIRE(node->attribute_count >= 1, "no accumulator");
    if (!verify_axes(v, node, 1, from->rank) || !verify_reduction_dtypes(v, node))
        return false;
    REQUIRE(to->rank == from->rank - count, "the result has %u axes", to->rank);
    for (uint32_t axis = 0; axis < from->rank; axis++) {
        if (next < node->attribute_count && node->attributes[next] == axis) {
            next++;
            continue;
        }
        REQUIRE(verify_same_extent(from->dims[axis], to->dims[kept]), "result axis %u has another extent",
                kept);
        kept++;
    }
    bool is_arg = node->op == OP_argmax || node->op == OP_argmin;
    REQUIRE(!is_arg || count == 1 || count == from->rank, "reduces some axes but not one or all");
    return true;
}

/* ---- views -----------------------------------------------------------------------------------------------
 */

static bool verify_permute(Verifier *v, const IrNode *node) {
    const IrType *from = ir_type(node->operands[0]), *to = ir_type(node);
    uint32_t seen = 0;
    if (!verify_shape_of_node(v, node, 1, 1) || !verify_attribute_count(v, node, from->rank))
        return false;
    REQUIRE(to->rank == from->rank, "the result has %u axes", to->rank);
    for (uint32_t k = 0; k < from->rank; k++) {
        int64_t axis = node->attributes[k];
        REQUIRE(axis >= 0 && axis < from->rank && !(seen >> axis & 1), "not a permutation");
        seen |= 1u << axis;
        REQUIRE(verify_same_extent(to->dims[k], from->dims[axis]), "result axis %u has another extent", k);
    }
    return true;
}

static bool verify_slice(Verifier *v, const IrNode *node) {
    const IrType *from = ir_type(node->operands[0]), *to = ir_type(node);
    uint32_t kept = 0, next = 0;
    if (!verify_shape_of_node(v, node, 1 + 3 * from->rank, 1) || !verify_scalars(v, node, 1) ||
        !verify_axes(v, node, 0, from->rank))
        return false;
    REQUIRE(to->rank == from->rank - node->attribute_count, "the result has %u axes", to->rank);
    for (uint32_t axis = 0; axis < from->rank; axis++) {
        const IrNode *extent = node->operands[2 + 3 * axis];
        int64_t value;
        if (next < node->attribute_count && node->attributes[next] == axis) {
            REQUIRE(ir_const_value_i64(extent, &value) && value == 1, "dropped axis %u is longer than 1",
                    axis);
            next++;
        } else {
            REQUIRE(verify_same_extent(extent, to->dims[kept]), "result axis %u has another extent", kept);
            kept++;
        }
        REQUIRE(!ir_const_value_i64(node->operands[3 + 3 * axis], &value) || value, "a step of 0");
    }
    return true;
}

/* broadcast and reshape carry every extent of the result as an operand. */
static bool verify_given_extents(Verifier *v, const IrNode *node) {
    const IrType *to = ir_type(node);
    if (!verify_shape_of_node(v, node, 1 + to->rank, 1) || !verify_scalars(v, node, 1))
        return false;
    for (uint32_t k = 0; k < to->rank; k++)
        REQUIRE(verify_same_extent(node->operands[1 + k], to->dims[k]), "result axis %u has another extent",
                k);
    return true;
}

static bool verify_broadcast(Verifier *v, const IrNode *node) {
    const IrType *from = ir_type(node->operands[0]), *to = ir_type(node);
    if (!verify_given_extents(v, node) || !verify_attribute_count(v, node, from->rank) ||
        !verify_axes(v, node, 0, to->rank))
        return false;
    for (uint32_t k = 0; k < from->rank; k++) {
        int64_t value;
        REQUIRE((ir_const_value_i64(from->dims[k], &value) && value == 1) ||
                    verify_same_extent(from->dims[k], to->dims[node->attributes[k]]),
                "operand axis %u does not fit", k);
    }
    return true;
}

static bool constant_size(const IrType *type, int64_t *size) {
    *size = 1;
    for (uint32_t k = 0; k < type->rank; k++) {
        int64_t extent;
        if (!ir_const_value_i64(type->dims[k], &extent) || __builtin_mul_overflow(*size, extent, size))
            return false;
    }
    return true;
}

static bool verify_reshape(Verifier *v, const IrNode *node) {
    int64_t from, to;
    if (!verify_given_extents(v, node) || !verify_attribute_count(v, node, 0))
        return false;
    REQUIRE(!constant_size(ir_type(node->operands[0]), &from) || !constant_size(ir_type(node), &to) ||
                from == to,
            "%lld elements become %lld", (long long)from, (long long)to);
    return true;
}

static bool verify_window(Verifier *v, const IrNode *node) {
    const IrType *from = ir_type(node->operands[0]), *to = ir_type(node);
    uint32_t terms = node->attribute_count / 2;
    REQUIRE(node->attribute_count % 2 == 0, "terms are pairs");
    if (!verify_shape_of_node(v, node, 1 + to->rank + from->rank + terms, 1) || !verify_scalars(v, node, 1))
        return false;
    for (uint32_t k = 0; k < to->rank; k++)
        REQUIRE(verify_same_extent(node->operands[1 + k], to->dims[k]), "result axis %u has another extent",
                k);
    for (uint32_t i = 0; i < terms; i++) {
        REQUIRE(node->attributes[2 * i] >= 0 && node->attributes[2 * i] < from->rank, "no such operand axis");
        REQUIRE(node->attributes[2 * i + 1] >= 0 && node->attributes[2 * i + 1] < to->rank,
                "no such result axis");
    }
    return true;
}

static bool verify_view(Verifier *v, const IrNode *node) {
    REQUIRE(node->operand_count >= 1, "no operand");
    if (!verify_tensors(v, node))
        return false;
    REQUIRE(node->result_count == 1, "%u results instead of 1", node->result_count);
    REQUIRE(ir_dtype(node) == ir_dtype(node->operands[0]), "a view changes the dtype");
    switch (node->op) {
    case OP_permute:
        return verify_permute(v, node);
    case OP_slice:
        return verify_slice(v, node);
    case OP_broadcast:
        return verify_broadcast(v, node);
    case OP_window:
        return verify_window(v, node);
    default:
        return verify_reshape(v, node);
    }
}

/* ---- calls -----------------------------------------------------------------------------------------------
 */

/* The first `count` extents of two types are equal. */
static bool same_leading(const IrType *a, const IrType *b, uint32_t count) {
    for (uint32_t k = 0; k < count; k++)
        if (!verify_same_extent(a->dims[k], b->dims[k]))
            return false;
    return true;
}

static bool verify_matmul(Verifier *v, const IrNode *node) {
    if (!verify_shape_of_node(v, node, 2, 1))
        return false;
    const IrType *a = ir_type(node->operands[0]), *b = ir_type(node->operands[1]), *y = ir_type(node);
    uint32_t rank = a->rank;
    REQUIRE(rank >= 2 && b->rank == rank && y->rank == rank, "ranks %u and %u give %u", rank, b->rank,
            y->rank);
    REQUIRE(a->dtype == b->dtype && y->dtype == a->dtype, "dtypes differ");
    REQUIRE(same_leading(a, b, rank - 2) && same_leading(a, y, rank - 2), "batch extents differ");
    REQUIRE(verify_same_extent(a->dims[rank - 1], b->dims[rank - 2]), "inner extents differ");
    REQUIRE(verify_same_extent(a->dims[rank - 2], y->dims[rank - 2]) &&
                verify_same_extent(b->dims[rank - 1], y->dims[rank - 1]),
            "the result has other extents");
    return true;
}

/* The operands after a and b are the epilogue's, whose first parameters say which rows and columns. */
static bool verify_product(Verifier *v, const IrNode *node) {
    const IrModule *module = v->function->module;
    REQUIRE(node->operand_count >= 2 && node->attribute_count == 2, "operands do not fit");
    IrNode pair = *node;
    pair.operand_count = 2;
    pair.attribute_count = 0;
    if (!verify_matmul(v, &pair))
        return false;
    int64_t own = node->attributes[0], epilogue = node->attributes[1];
    REQUIRE(own >= 0 && own < module->kernels.count, "no kernel %lld", (long long)own);
    REQUIRE(epilogue >= -1 && epilogue < module->kernels.count, "no kernel %lld", (long long)epilogue);
    uint32_t given = node->operand_count - 2;
    uint32_t taken = epilogue < 0 ? 0 : module->kernels.items[epilogue]->parameters.count;
    REQUIRE(epilogue < 0 ? !given : taken == KERNEL_EPILOGUE_RANGE + given + 1,
            "the epilogue has %u parameters", taken);
    return true;
}

static bool verify_square(Verifier *v, const IrNode *node) {
    REQUIRE(node->operand_count == (node->op == OP_solve ? 2 : 1), "wrong number of operands");
    const IrType *a = ir_type(node->operands[0]), *last = ir_type(node->operands[node->operand_count - 1]);
    uint32_t rank = a->rank;
    REQUIRE((dtype_is_float(a->dtype) || dtype_is_complex(a->dtype)) && last->dtype == a->dtype,
            "operands are not of one float or complex dtype");
    REQUIRE(rank >= 2 && last->rank == rank, "ranks %u and %u", rank, last->rank);
    REQUIRE(verify_same_extent(a->dims[rank - 2], a->dims[rank - 1]), "the matrix is not square");
    REQUIRE(same_leading(a, last, rank - 1), "extents differ");
    REQUIRE(node->result_count == 1 && same_type(ir_type(node), last), "the result has another type");
    return true;
}

static bool verify_concat(Verifier *v, const IrNode *node) {
    const IrType *y = ir_type(node);
    REQUIRE(node->operand_count >= 1 && node->result_count == 1, "no operands");
    if (!verify_attribute_count(v, node, 1) || !verify_axes(v, node, 0, y->rank))
        return false;
    for (uint32_t i = 0; i < node->operand_count; i++) {
        const IrType *x = ir_type(node->operands[i]);
        REQUIRE(x->dtype == y->dtype && x->rank == y->rank, "operand %u has another dtype or rank", i);
        for (uint32_t k = 0; k < y->rank; k++)
            REQUIRE(k == node->attributes[0] || verify_same_extent(x->dims[k], y->dims[k]),
                    "operand %u differs in extent %u", i, k);
    }
    return true;
}

/* Operands `first`… are i64 of one shape, one per attribute from `from` on: ascending axes. */
static bool verify_indices(Verifier *v, const IrNode *node, uint32_t first, uint32_t from) {
    REQUIRE(node->operand_count - first == node->attribute_count - from, "%u index tensors for %u axes",
            node->operand_count - first, node->attribute_count - from);
    for (uint32_t i = first; i < node->operand_count; i++) {
        const IrType *type = ir_type(node->operands[i]);
        REQUIRE(type->dtype == DTYPE_i64, "indices are not i64");
        REQUIRE(verify_same_extents(type, ir_type(node->operands[first])), "indices have different shapes");
    }
    return verify_axes(v, node, from, ir_rank(node->operands[0]));
}

static bool verify_gather(Verifier *v, const IrNode *node) {
    REQUIRE(node->operand_count >= 2 && node->result_count == 1 && node->attribute_count >= 1,
            "no indices or no axes");
    if (!verify_indices(v, node, 1, 0))
        return false;
    const IrType *x = ir_type(node->operands[0]), *at = ir_type(node->operands[1]), *y = ir_type(node);
    uint32_t next = 0, rank = 0;
    REQUIRE(y->dtype == x->dtype && y->rank == x->rank - node->attribute_count + at->rank,
            "the result has another type");
    for (uint32_t k = 0; k < x->rank; k++) {
        bool indexed = next < node->attribute_count && node->attributes[next] == k;
        for (uint32_t i = 0; indexed && next == 0 && i < at->rank; i++, rank++)
            REQUIRE(verify_same_extent(y->dims[rank], at->dims[i]), "result axis %u has another extent",
                    rank);
        next += indexed;
        if (indexed)
            continue;
        REQUIRE(verify_same_extent(y->dims[rank], x->dims[k]), "result axis %u has another extent", rank);
        rank++;
    }
    return true;
}

static bool verify_update(Verifier *v, const IrNode *node) {
    REQUIRE(node->operand_count >= 2 && node->result_count == 1 && node->attribute_count >= 2,
            "too few operands or attributes");
    const IrType *x = ir_type(node->operands[0]), *value = ir_type(node->operands[1]);
    uint32_t indexed = ir_update_index_count(node), first = 2 + 3 * x->rank, axis = 0;
    REQUIRE(x->rank > 0 && same_type(x, ir_type(node)), "the result has another type");
    REQUIRE(node->operand_count == first + indexed, "wrong number of operands");
    REQUIRE(node->attributes[0] >= -1 && node->attributes[0] < OP_COUNT && value->dtype == x->dtype,
            "the value has another dtype or no such op combines");
    for (uint32_t k = 2; k < first; k++)
        REQUIRE(is_scalar_of(node->operands[k], DTYPE_i64), "operand %u is no i64", k);
    if (!verify_indices(v, node, first, 2))
        return false;
    if (value->rank == 0)
        return true;
    uint32_t lead = indexed ? ir_rank(node->operands[first]) : 0;
    REQUIRE(value->rank == lead + x->rank - indexed, "the value has %u axes", value->rank);
    for (; axis < lead; axis++)
        REQUIRE(verify_same_extent(value->dims[axis], ir_type(node->operands[first])->dims[axis]),
                "axis %u of the value has another extent", axis);
    for (uint32_t k = 0; k < x->rank; k++) {
        if (ir_update_indices(node, k))
            continue;
        REQUIRE(verify_same_extent(value->dims[axis], ir_update_extent(node, k)),
                "axis %u of the value has another extent", axis);
        axis++;
    }
    return true;
}

static bool verify_nonzero(Verifier *v, const IrNode *node) {
    if (!verify_shape_of_node(v, node, 2, 1))
        return false;
    const IrType *mask = ir_type(node->operands[0]), *y = ir_type(node);
    int64_t rank;
    REQUIRE(mask->dtype == DTYPE_bool && mask->rank > 0 && is_scalar_of(node->operands[1], DTYPE_i64),
            "not a mask and a count");
    REQUIRE(y->dtype == DTYPE_i64 && y->rank == 2 && ir_const_value_i64(y->dims[0], &rank) &&
                rank == mask->rank && verify_same_extent(y->dims[1], node->operands[1]),
            "the result has another type");
    return true;
}

/* sort, argsort and the scans: the shape of the operand. */
static bool verify_along_axis(Verifier *v, const IrNode *node) {
    bool sorts = node->op == OP_sort || node->op == OP_argsort;
    REQUIRE(node->operand_count == 1 && node->attribute_count == 1u + sorts,
            "wrong number of operands or attributes");
    const IrType *x = ir_type(node->operands[0]), *y = ir_type(node);
    REQUIRE(x->rank > 0 && node->attributes[0] >= 0 && node->attributes[0] < x->rank,
            "the axis is out of range");
    REQUIRE(y->dtype == (node->op == OP_argsort ? DTYPE_i64 : x->dtype), "the result has another dtype");
    REQUIRE(verify_same_extents(x, y), "the result has another shape");
    return true;
}

static bool verify_search(Verifier *v, const IrNode *node) {
    REQUIRE(node->operand_count == 2 && ir_dtype(node) == DTYPE_i64,
            "two operands and an i64 result are expected");
    const IrType *x = ir_type(node->operands[0]), *values = ir_type(node->operands[1]);
    if (node->op == OP_bincount) {
        REQUIRE(x->dtype == DTYPE_i64 && values->dtype == DTYPE_i64 && values->rank == 0,
                "operands are not i64");
        REQUIRE(ir_rank(node) == 1 && verify_same_extent(ir_type(node)->dims[0], node->operands[1]),
                "the result has another shape");
        return true;
    }
    REQUIRE(x->rank == 1 && x->dtype == values->dtype && node->attribute_count == 1, "operands do not fit");
    REQUIRE(verify_same_extents(values, ir_type(node)), "the result has another shape");
    return true;
}

static bool verify_call(Verifier *v, const IrNode *node) {
    REQUIRE(node->result_count == 1, "%u results instead of 1", node->result_count);
    if (!verify_tensors(v, node))
        return false;
    REQUIRE(op_info[node->op].complex || !node->operand_count ||
                !dtype_is_complex(ir_dtype(node->operands[0])),
            "not defined for complex numbers");
    switch (node->op) {
    case OP_matmul:
        return verify_matmul(v, node);
    case OP_product:
        return verify_product(v, node);
    case OP_concat:
        return verify_concat(v, node);
    case OP_gather:
        return verify_gather(v, node);
    case OP_update:
        return verify_update(v, node);
    case OP_nonzero:
        return verify_nonzero(v, node);
    case OP_sort:
    case OP_argsort:
    case OP_cumsum:
    case OP_cumprod:
    case OP_cummax:
    case OP_cummin:
        return verify_along_axis(v, node);
    case OP_searchsorted:
    case OP_bincount:
        return verify_search(v, node);
    default:
        return verify_square(v, node);
    }
}

/* ---- control ---------------------------------------------------------------------------------------------
 */

/* Result i of a branch has the type of the node's result, except extents that are results themselves. */
static bool branch_result_fits(const IrNode *node, const IrRegion *region, uint32_t i) {
    const IrType *outer = &node->types[i], *inner = ir_type(region->results.items[i]);
    if (outer->kind != inner->kind || outer->dtype != inner->dtype || outer->rank != inner->rank)
        return false;
    for (uint32_t k = 0; k < outer->rank; k++) {
        const IrNode *dim = outer->dims[k];
        bool is_result = dim->op == OP_result && dim->operands[0] == node;
        const IrNode *want = !is_result ? dim
                             : dim->attributes[0] < region->results.count
                                 ? region->results.items[dim->attributes[0]]
                                 : NULL;
        if (!want || !verify_same_extent(want, inner->dims[k]))
            return false;
    }
    return true;
}

static bool verify_if(Verifier *v, const IrNode *node) {
    REQUIRE(node->operand_count == 1 && is_scalar_of(node->operands[0], DTYPE_bool),
            "the condition is not a scalar bool");
    REQUIRE(node->region_count == 2, "%u regions instead of 2", node->region_count);
    for (uint32_t r = 0; r < 2; r++) {
        const IrRegion *region = node->regions[r];
        REQUIRE(region->parameters.count == 0, "a branch has parameters");
        REQUIRE(region->results.count == node->result_count, "a branch has %u results instead of %u",
                region->results.count, node->result_count);
        for (uint32_t i = 0; i < node->result_count; i++)
            REQUIRE(branch_result_fits(node, region, i), "result %u of branch %u has another type", i, r);
    }
    return true;
}

/* Loop values: parameters from `skip` on, initial values and results have the node's types. */
static bool verify_carried(Verifier *v, const IrNode *node, const IrRegion *region, uint32_t skip,
                           IrNode *const *initial, uint32_t count) {
    REQUIRE(region->parameters.count == count + skip, "the body has %u parameters instead of %u",
            region->parameters.count, count + skip);
    for (uint32_t i = 0; i < count; i++) {
        REQUIRE(same_type(&node->types[i], ir_type(initial[i])), "initial value %u has another type", i);
        REQUIRE(same_type(&node->types[i], ir_type(region->parameters.items[i + skip])),
                "parameter %u has another type", i + skip);
    }
    return true;
}

static bool verify_body_results(Verifier *v, const IrNode *node, const IrRegion *region) {
    REQUIRE(region->results.count == node->result_count, "the body has %u results instead of %u",
            region->results.count, node->result_count);
    for (uint32_t i = 0; i < node->result_count; i++)
        REQUIRE(same_type(&node->types[i], ir_type(region->results.items[i])),
                "result %u of the body has another type", i);
    return true;
}

static bool verify_for(Verifier *v, const IrNode *node) {
    REQUIRE(node->region_count == 1, "%u regions instead of 1", node->region_count);
    REQUIRE(node->operand_count == node->result_count + 2, "%u operands for %u results", node->operand_count,
            node->result_count);
    const IrRegion *body = node->regions[0];
    for (uint32_t i = 0; i < 2; i++)
        REQUIRE(is_scalar_of(node->operands[i], DTYPE_i64), "bound %u is not a scalar i64", i);
    REQUIRE(body->parameters.count && is_scalar_of(body->parameters.items[0], DTYPE_i64),
            "the counter is not a scalar i64");
    return verify_carried(v, node, body, 1, node->operands + 2, node->result_count) &&
           verify_body_results(v, node, body);
}

static bool verify_checkpoint(Verifier *v, const IrNode *node) {
    REQUIRE(node->operand_count == 0 && node->region_count == 1, "not one region alone");
    const IrRegion *region = node->regions[0];
    REQUIRE(region->parameters.count == 0, "the region has parameters");
    REQUIRE(region->results.count == node->result_count, "%u results instead of %u", region->results.count,
            node->result_count);
    for (uint32_t i = 0; i < node->result_count; i++)
        REQUIRE(branch_result_fits(node, region, i), "result %u has another type", i);
    return true;
}

static bool verify_custom(Verifier *v, const IrNode *node) {
    uint32_t count = node->result_count;
    REQUIRE(node->region_count == 1 && node->attribute_count == 1 && node->attributes[0] == count &&
                node->operand_count >= count,
            "not a region and values");
    const IrRegion *region = node->regions[0];
    REQUIRE(region->parameters.count == count && region->results.count == node->operand_count - count,
            "%u adjoints to %u", region->parameters.count, region->results.count);
    for (uint32_t i = 0; i < count; i++)
        REQUIRE(same_type(&node->types[i], ir_type(node->operands[i])) &&
                    same_type(&node->types[i], ir_type(region->parameters.items[i])),
                "value %u has another type", i);
    for (uint32_t i = 0; i < region->results.count; i++)
        REQUIRE(same_type(ir_type(region->results.items[i]), ir_type(node->operands[count + i])),
                "adjoint %u has another type", i);
    return true;
}

static bool verify_while(Verifier *v, const IrNode *node) {
    REQUIRE(node->region_count == 2, "%u regions instead of 2", node->region_count);
    REQUIRE(node->operand_count == node->result_count, "%u operands for %u results", node->operand_count,
            node->result_count);
    const IrRegion *condition = node->regions[0];
    REQUIRE(condition->results.count == 1 && is_scalar_of(condition->results.items[0], DTYPE_bool),
            "the condition is not one scalar bool");
    return verify_carried(v, node, condition, 0, node->operands, node->result_count) &&
           verify_carried(v, node, node->regions[1], 0, node->operands, node->result_count) &&
           verify_body_results(v, node, node->regions[1]);
}

static bool allowed_in_fused(Op op) {
    return op_is_elementwise(op) || op_is_reduction(op) || op_is_view(op) || op == OP_const ||
           op == OP_cast || op == OP_iota || op == OP_gather || op == OP_update || op == OP_spread ||
           op == OP_segment;
}

static bool verify_fused(Verifier *v, const IrNode *node) {
    REQUIRE(node->region_count == 1, "%u regions instead of 1", node->region_count);
    const IrRegion *body = node->regions[0];
    REQUIRE(body->parameters.count == node->operand_count, "the body has %u parameters instead of %u",
            body->parameters.count, node->operand_count);
    for (uint32_t i = 0; i < node->result_count; i++)
        REQUIRE(node->types[i].kind == IR_TENSOR, "result %u is no tensor", i);
    for (uint32_t i = 0; i < node->operand_count; i++)
        REQUIRE(node->operands[i]->types[0].kind != IR_TOKEN &&
                    same_type(ir_type(node->operands[i]), ir_type(body->parameters.items[i])),
                "parameter %u has another type", i);
    for (uint32_t i = 0; i < body->nodes.count; i++)
        REQUIRE(allowed_in_fused(body->nodes.items[i]->op), "the body has a %s",
                op_name(body->nodes.items[i]->op));
    return verify_body_results(v, node, body);
}

/* Operands in the order of the kernel's inputs and scalars, results in the order of its outputs. */
static bool verify_launch_parameters(Verifier *v, const IrNode *node, const Kernel *kernel) {
    uint32_t operands = 0, results = 0;
    for (uint32_t i = 0; i < kernel->parameters.count; i++) {
        const KernelArray *array = kernel->parameters.items[i].array;
        if (array && array->is_output) {
            REQUIRE(results < node->result_count, "the kernel has more outputs");
            REQUIRE(dtype_part(node->types[results].dtype) == array->dtype, "output %u is %s in the kernel",
                    results, dtype_name(array->dtype));
            results++;
            continue;
        }
        Dtype dtype = array ? array->dtype : kernel->parameters.items[i].variable->dtype;
        REQUIRE(operands < node->operand_count, "the kernel has more inputs");
        Dtype given = ir_dtype(node->operands[operands]); /* kernels see arrays of parts */
        REQUIRE((array ? dtype_part(given) : given) == dtype, "input %u is %s in the kernel", operands,
                dtype_name(dtype));
        REQUIRE(array || ir_is_scalar(node->operands[operands]), "input %u is a scalar in the kernel",
                operands);
        operands++;
    }
    REQUIRE(operands == node->operand_count && results == node->result_count,
            "the kernel has %u inputs and %u outputs", operands, results);
    return true;
}

static bool verify_launch(Verifier *v, const IrNode *node) {
    bool starts_filled = node->attribute_count == 2 + node->result_count; /* output 0, from an operand */
    if (!verify_tensors(v, node) || !verify_attribute_count(v, node, 1 + node->result_count + starts_filled))
        return false;
    const IrModule *module = v->function->module;
    REQUIRE(node->attributes[0] >= 0 && node->attributes[0] < module->kernels.count, "no kernel %lld",
            (long long)node->attributes[0]);
    for (uint32_t i = 0; i < node->result_count; i++)
        REQUIRE(node->attributes[1 + i] >= -1 && node->attributes[1 + i] < node->operand_count,
                "result %u takes the buffer of no operand", i);
    if (starts_filled) {
        int64_t from = node->attributes[1 + node->result_count];
        REQUIRE(node->result_count > 0 && from >= 0 && from < node->operand_count &&
                    same_type(ir_type(node->operands[from]), ir_type(node)),
                "output 0 starts with no operand of its type");
    }
    return verify_launch_parameters(v, node, module->kernels.items[node->attributes[0]]);
}

static bool verify_result(Verifier *v, const IrNode *node) {
    if (!verify_shape_of_node(v, node, 1, 1) || !verify_attribute_count(v, node, 1))
        return false;
    const IrNode *x = node->operands[0];
    REQUIRE(node->attributes[0] >= 0 && node->attributes[0] < x->result_count, "no result %lld",
            (long long)node->attributes[0]);
    REQUIRE(same_type(ir_type(node), &x->types[node->attributes[0]]), "the type is not that result's");
    return true;
}

/* dim and stride: of a function's parameter. */
static bool verify_parameter_fact(Verifier *v, const IrNode *node) {
    if (!verify_shape_of_node(v, node, 1, 1) || !verify_attribute_count(v, node, 1))
        return false;
    const IrNode *x = node->operands[0];
    REQUIRE(x->op == OP_param && !x->region->parent, "the operand is no parameter of the function");
    REQUIRE(has_extents(x) && is_scalar_of(node, DTYPE_i64), "not the i64 of a tensor");
    return verify_axes(v, node, 0, ir_rank(x));
}

static bool verify_check(Verifier *v, const IrNode *node) {
    bool is_true = node->op == OP_check_true;
    if (!verify_shape_of_node(v, node, 2, 1) || !verify_tensors(v, node) ||
        !verify_attribute_count(v, node, node->op == OP_check_equal ? 0 : 1))
        return false;
    REQUIRE(same_type(ir_type(node), ir_type(node->operands[is_true])), "the result is not the value");
    REQUIRE(node->op == OP_check_index || node->text, "no message");
    if (is_true) {
        REQUIRE(is_scalar_of(node->operands[0], DTYPE_bool), "the condition is not a scalar bool");
        REQUIRE(node->attributes[0] > DIAG_NONE && node->attributes[0] < DIAG_CODE_COUNT, "no such code");
        return true;
    }
    REQUIRE(ir_dtype(node->operands[0]) == DTYPE_i64, "operand 0 is not i64");
    return verify_scalars(v, node, node->op == OP_check_equal ? 0 : 1);
}

static bool verify_effect(Verifier *v, const IrNode *node) {
    REQUIRE(node->result_count == 1 && node->types[0].kind == IR_TOKEN, "the result is not a token");
    if (node->op == OP_token) {
        REQUIRE(node->operand_count == 0 && !node->region->parent, "not the first token of a function");
        return true;
    }
    REQUIRE(node->operand_count >= 1 && ir_type(node->operands[0])->kind == IR_TOKEN,
            "operand 0 is not a token");
    REQUIRE(node->text, "no template");
    for (uint32_t i = 1; i < node->operand_count; i++)
        REQUIRE(is_tensor(node->operands[i]), "operand %u is a token", i);
    return true;
}

static bool verify_ownership(Verifier *v, const IrNode *node) {
    if (!verify_shape_of_node(v, node, 1, node->op == OP_retain) || !has_extents(node->operands[0]))
        return false;
    REQUIRE(node->op == OP_release || same_type(ir_type(node), ir_type(node->operands[0])),
            "the result has another type");
    return true;
}

static bool verify_value(Verifier *v, const IrNode *node) {
    if (!verify_shape_of_node(v, node, node->op != OP_const, 1) || !verify_tensors(v, node) ||
        !verify_attribute_count(v, node, node->op == OP_const || node->op == OP_variable))
        return false;
    if (node->op == OP_variable || node->op == OP_stop_gradient)
        REQUIRE(same_type(ir_type(node), ir_type(node->operands[0])), "not the type of the operand");
    else if (node->op == OP_const)
        REQUIRE(ir_is_scalar(node) && !dtype_is_complex(ir_dtype(node)), "a constant is a real scalar");
    else if (node->op == OP_cast)
        REQUIRE(verify_same_extents(ir_type(node), ir_type(node->operands[0])), "a cast changes extents");
    else
        REQUIRE(is_scalar_of(node->operands[0], DTYPE_i64) && ir_dtype(node) == DTYPE_i64 &&
                    ir_rank(node) == 1 && verify_same_extent(ir_type(node)->dims[0], node->operands[0]),
                "not an i64 vector of the extent");
    return true;
}

static bool verify_control(Verifier *v, const IrNode *node) {
    switch (node->op) {
    case OP_const:
    case OP_cast:
    case OP_iota:
    case OP_variable:
    case OP_stop_gradient:
        return verify_value(v, node);
    case OP_dim:
    case OP_stride:
        return verify_parameter_fact(v, node);
    case OP_after:
        REQUIRE(node->result_count == 1 && node->operand_count >= 1 &&
                    same_type(ir_type(node), ir_type(node->operands[0])),
                "not the type of the operand");
        return true;
    case OP_checkpoint:
        return verify_checkpoint(v, node);
    case OP_custom:
        return verify_custom(v, node);
    case OP_if:
        return verify_if(v, node);
    case OP_for:
        return verify_for(v, node);
    case OP_while:
        return verify_while(v, node);
    case OP_result:
        return verify_result(v, node);
    case OP_check_equal:
    case OP_check_true:
    case OP_check_index:
        return verify_check(v, node);
    case OP_print:
    case OP_token:
        return verify_effect(v, node);
    case OP_fused:
        return verify_fused(v, node);
    case OP_launch:
        return verify_launch(v, node);
    case OP_release:
    case OP_retain:
        return verify_ownership(v, node);
    default:
        return verify_fail(v, node, "not allowed among the nodes of a region");
    }
}

bool verify_op(Verifier *v, const IrNode *node) {
    bool has_regions = node->op == OP_if || node->op == OP_for || node->op == OP_while ||
                       node->op == OP_fused || node->op == OP_checkpoint || node->op == OP_custom;
    REQUIRE(has_regions || !node->region_count, "this op has no regions");
    switch (op_info[node->op].class) {
    case CLASS_ELEMENTWISE:
        return verify_elementwise(v, node);
    case CLASS_REDUCTION:
        return verify_reduction(v, node);
    case CLASS_VIEW:
        return verify_view(v, node);
    case CLASS_CALL:
        return node->op == OP_spread || node->op == OP_segment ? verify_entries(v, node)
                                                               : verify_call(v, node);
    case CLASS_PATTERN:
        return verify_pattern_op(v, node);
    default:
        return verify_control(v, node);
    }
}
