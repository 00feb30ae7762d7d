/* Work that depends on one end of an edge alone is done once per node: what is computed from a spread is the
 * spread of what is computed.
 *
 *     f(spread x, spread y, what is the same for every entry)   spread f(x, y, …)
 *     reductions and views along the axes behind the entries    of the node's tensor
 *     spread(x) @ w                                             spread(x @ w)
 *     concat(spread x, …) @ w, of other sides too               the sum of the parts' products
 *
 * So it is while IR is built, and derivatives are those of the node's work. */
#include "ir/internal.h"

static bool is_spread(const IrNode *x) {
    return x->op == OP_spread;
}

/* Does x have one value for all entries (a broadcast that does not come from the first axis)? */
static bool is_same_for_entries(const IrNode *x) {
    return x->op == OP_broadcast && (!x->attribute_count || x->attributes[0] != 0);
}

/* The same broadcast to as many as there are at the end of an edge. */
static IrNode *repeated(IrBuilder *b, const IrNode *x, const IrNode *like) {
    uint32_t map[IR_MAX_RANK];
    IrNode *dims[IR_MAX_RANK];
    for (uint32_t k = 0; k < x->attribute_count; k++)
        map[k] = (uint32_t)x->attributes[k];
    memcpy(dims, x->types[0].dims, ir_rank(x) * sizeof *dims);
    dims[0] = like->types[0].dims[0];
    return ir_broadcast(b, x->operands[0], map, dims, ir_rank(x));
}

static IrNode *spread_like(IrBuilder *b, const IrNode *spread, IrNode *x) {
    return ir_spread(b, x, spread->operands[1], (IrSide)spread->attributes[0]);
}

/* An integer division by zero fails only for entries that there are. */
static bool may_fail(const IrNodeSpec *spec) {
    return (spec->op == OP_floordiv || spec->op == OP_mod || spec->op == OP_fmod) &&
           !dtype_is_float(ir_dtype(spec->operands[0]));
}

static IrNode *fold_elementwise(IrBuilder *b, const IrNodeSpec *spec) {
    const IrNode *spread = NULL;
    IrNode *operands[3];
    for (uint32_t i = 0; i < spec->operand_count; i++) {
        const IrNode *x = spec->operands[i];
        if (!is_spread(x))
            continue;
        if (spread && (x->operands[1] != spread->operands[1] || x->attributes[0] != spread->attributes[0]))
            return NULL;
        spread = x;
    }
    for (uint32_t i = 0; i < spec->operand_count; i++) {
        IrNode *x = spec->operands[i];
        if (!is_spread(x) && !is_same_for_entries(x))
            return NULL;
        operands[i] = is_spread(x) ? x->operands[0] : repeated(b, x, spread->operands[0]);
    }
    if (spec->op == OP_cast)
        return spread_like(b, spread, ir_cast(b, operands[0], spec->types[0].dtype));
    return spread_like(b, spread, ir_elementwise(b, spec->op, operands));
}

/* ---- along the axes behind the entries ---------------------------------------------------------------- */

static IrNode *fold_reduction(IrBuilder *b, const IrNodeSpec *spec) {
    const IrNode *x = spec->operands[0];
    uint32_t axes[IR_MAX_RANK], count = spec->attribute_count - 1;
    for (uint32_t i = 0; i < count; i++)
        axes[i] = (uint32_t)spec->attributes[1 + i];
    if (!count || axes[0] == 0)
        return NULL;
    IrNode *made =
        ir_reduce(b, spec->op, x->operands[0], axes, count, (Dtype)spec->attributes[0], spec->types[0].dtype);
    return spread_like(b, x, made);
}

static IrNode *fold_broadcast(IrBuilder *b, const IrNodeSpec *spec) {
    const IrNode *x = spec->operands[0];
    IrNode *dims[IR_MAX_RANK];
    uint32_t map[IR_MAX_RANK];
    if (spec->attributes[0] != 0 || !ir_same_extent(x->types[0].dims[0], spec->types[0].dims[0]))
        return NULL;
    for (uint32_t k = 0; k < ir_rank(x); k++)
        map[k] = (uint32_t)spec->attributes[k];
    memcpy(dims, spec->types[0].dims, spec->types[0].rank * sizeof *dims);
    dims[0] = x->operands[0]->types[0].dims[0];
    return spread_like(b, x, ir_broadcast(b, x->operands[0], map, dims, spec->types[0].rank));
}

static IrNode *fold_permute(IrBuilder *b, const IrNodeSpec *spec) {
    uint32_t order[IR_MAX_RANK];
    for (uint32_t k = 0; k < spec->attribute_count; k++)
        order[k] = (uint32_t)spec->attributes[k];
    return order[0] ? NULL
                    : spread_like(b, spec->operands[0], ir_permute(b, spec->operands[0]->operands[0], order));
}

/* ---- matrix products ---------------------------------------------------------------------------------- */

/* The rows of w that belong to axis part `first` … of a concatenation. */
static IrNode *rows_of(IrBuilder *b, IrNode *w, IrNode *first, IrNode *count) {
    IrNode *zero = ir_const_i64(b, 0), *one = ir_const_i64(b, 1);
    return ir_slice(b, w, (IrNode *[]){first, zero}, (IrNode *[]){count, w->types[0].dims[1]},
                    (IrNode *[]){one, one}, NULL);
}

static bool has_spread(const IrNode *concat) {
    for (uint32_t i = 0; i < concat->operand_count; i++)
        if (is_spread(concat->operands[i]))
            return true;
    return false;
}

static IrNode *fold_matmul(IrBuilder *b, const IrNodeSpec *spec) {
    IrNode *x = spec->operands[0], *w = spec->operands[1], *sum = NULL;
    if (ir_rank(x) != 2 || ir_rank(w) != 2)
        return NULL;
    if (is_spread(x))
        return spread_like(b, x, ir_matmul(b, x->operands[0], w));
    if (x->op != OP_concat || x->attributes[0] != 1 || !has_spread(x))
        return NULL;
    IrNode *first = ir_const_i64(b, 0);
    for (uint32_t i = 0; i < x->operand_count; i++) {
        IrNode *part = x->operands[i], *count = part->types[0].dims[1];
        IrNode *product = ir_matmul(b, part, rows_of(b, w, first, count));
        sum = sum ? ir_binary(b, OP_add, sum, product) : product;
        first = ir_binary(b, OP_add, first, count);
    }
    return sum;
}

/* ---- gathers at the ends of edges -----------------------------------------------------------------------
 */

/* The pattern whose entries' rows (columns) `x` lists as i64, or NULL. */
static IrNode *ends_of(const IrNode *x, IrSide *side) {
    const IrNode *part = x->op == OP_cast ? x->operands[0] : x;
    if (part->op != OP_pattern_part || ir_dtype(x) != DTYPE_i64)
        return NULL;
    *side = part->attributes[0] == IR_PART_ROWS ? IR_SIDE_ROWS : IR_SIDE_COLUMNS;
    return part->attributes[0] == IR_PART_ROWS || part->attributes[0] == IR_PART_COLUMNS ? part->operands[0]
                                                                                         : NULL;
}

/* The ends of edges are in range if the number of nodes is: one comparison for all. */
static IrNode *fold_check_index(IrBuilder *b, const IrNodeSpec *spec) {
    IrSide side;
    IrNode *pattern = ends_of(spec->operands[0], &side);
    if (!pattern)
        return NULL;
    IrNode *nodes = ir_pattern_extent(pattern, side), *extent = spec->operands[1];
    if (ir_same_extent(nodes, extent))
        return spec->operands[0];
    Name message = intern_text(b->function->module->names, "a node of an edge is out of range");
    return ir_check_true(b, ir_binary(b, OP_le, nodes, extent), spec->operands[0], DIAG_E0302, message);
}

/* x[…, ends, …] is a spread of x, or of as much of it as there are nodes. */
static IrNode *fold_gather(IrBuilder *b, const IrNodeSpec *spec) {
    IrNode *x = spec->operands[0], *at = spec->operands[1], *check = NULL;
    IrSide side;
    if (spec->attribute_count != 1)
        return NULL;
    if (at->op == OP_check_true)
        check = at, at = at->operands[1];
    IrNode *pattern = ends_of(at, &side);
    uint32_t axis = (uint32_t)spec->attributes[0], rank = ir_rank(x), order[IR_MAX_RANK] = {axis},
             back[IR_MAX_RANK];
    if (!pattern)
        return NULL;
    for (uint32_t k = 0, next = 1; k < rank; k++)
        if (k != axis)
            order[next++] = k;
    for (uint32_t k = 0; k < rank; k++)
        back[order[k]] = k;
    IrNode *nodes = ir_pattern_extent(pattern, side), *moved = axis ? ir_permute(b, x, order) : x;
    if (!ir_same_extent(nodes, moved->types[0].dims[0])) {
        IrNode *starts[IR_MAX_RANK], *extents[IR_MAX_RANK], *steps[IR_MAX_RANK];
        for (uint32_t k = 0; k < rank; k++) {
            starts[k] = ir_const_i64(b, 0);
            extents[k] = moved->types[0].dims[k];
            steps[k] = ir_const_i64(b, 1);
        }
        if (!check)
            return NULL;
        extents[0] = ir_check_true(b, check->operands[0], nodes, (DiagCode)check->attributes[0], check->text);
        moved = ir_slice(b, moved, starts, extents, steps, NULL);
    }
    IrNode *made = ir_spread(b, moved, pattern, side);
    return axis ? ir_permute(b, made, back) : made;
}

IrNode *ir_fold_spread(IrBuilder *b, const IrNodeSpec *spec) {
    bool any = false;
    if (spec->op == OP_check_index)
        return fold_check_index(b, spec);
    if (spec->op == OP_gather)
        return fold_gather(b, spec);
    for (uint32_t i = 0; i < spec->operand_count && !any; i++)
        any = is_spread(spec->operands[i]);
    if (spec->op == OP_matmul)
        return fold_matmul(b, spec);
    if (!any || spec->result_count != 1)
        return NULL;
    if (op_is_reduction(spec->op))
        return fold_reduction(b, spec);
    if (spec->op == OP_broadcast)
        return fold_broadcast(b, spec);
    if (spec->op == OP_permute)
        return fold_permute(b, spec);
    if ((op_is_elementwise(spec->op) || spec->op == OP_cast) && !may_fail(spec))
        return fold_elementwise(b, spec);
    return NULL;
}
