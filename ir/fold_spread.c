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

IrNode *ir_fold_spread(IrBuilder *b, const IrNodeSpec *spec) {
    bool any = false;
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
