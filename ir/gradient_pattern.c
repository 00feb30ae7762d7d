/* Derivatives of values on the entries of a pattern: spreading to entries and summing over them are each
 * other's adjoints, so that a gradient has the pattern of what it is taken for. */
#include "ir/gradient.h"

static IrNode *summed(IrBuilder *b, IrNode *x, IrNode *pattern, IrSide side) {
    return ir_segment(b, OP_sum, x, pattern, side, dtype_info[ir_dtype(x)].compute, ir_dtype(x));
}

static void spread_rule(Gradient *g, const IrNode *y, IrNode *dy) {
    gradient_add(g, y->operands[0], summed(g->b, dy, y->operands[1], (IrSide)y->attributes[0]));
}

/* The product of the others: that of all over this one, of the others where this one alone is zero. */
static IrNode *prod_share(IrBuilder *b, IrNode *x, IrNode *pattern, IrSide side) {
    IrNode *zero = gradient_number(b, 0, x), *one = gradient_number(b, 1, x);
    IrNode *is_zero = ir_binary(b, OP_eq, x, zero), *without = ir_where(b, is_zero, one, x);
    IrNode *zeros = ir_spread(b, summed(b, ir_where(b, is_zero, one, zero), pattern, side), pattern, side);
    IrNode *product =
        ir_segment(b, OP_prod, without, pattern, side, dtype_info[ir_dtype(x)].compute, ir_dtype(x));
    IrNode *others = ir_spread(b, product, pattern, side);
    IrNode *at_zero = ir_where(b, ir_binary(b, OP_eq, zeros, one), others, zero);
    IrNode *elsewhere =
        ir_where(b, ir_binary(b, OP_eq, zeros, zero), ir_binary(b, OP_div, others, without), zero);
    return ir_where(b, is_zero, at_zero, elsewhere);
}

/* Shared evenly by all that are the extreme. */
static IrNode *extreme_share(IrBuilder *b, IrNode *x, IrNode *y, IrNode *pattern, IrSide side) {
    IrNode *zero = gradient_number(b, 0, x), *one = gradient_number(b, 1, x);
    IrNode *is_it = ir_binary(b, OP_eq, x, ir_spread(b, y, pattern, side));
    IrNode *sharing = ir_spread(b, summed(b, ir_where(b, is_it, one, zero), pattern, side), pattern, side);
    return ir_where(b, is_it, ir_binary(b, OP_div, one, sharing), zero);
}

static bool segment_rule(Gradient *g, const IrNode *y, IrNode *dy) {
    IrBuilder *b = g->b;
    IrNode *x = y->operands[0], *pattern = y->operands[1];
    IrSide side = (IrSide)y->attributes[2];
    IrNode *own = ir_spread(b, ir_cast(b, dy, ir_dtype(x)), pattern, side);
    switch (y->attributes[1]) {
    case OP_sum:
        return gradient_add(g, x, own), true;
    case OP_prod:
        return gradient_add(g, x, ir_binary(b, OP_mul, own, prod_share(b, x, pattern, side))), true;
    case OP_max:
    case OP_min:
        own = ir_binary(b, OP_mul, own,
                        extreme_share(b, x, ir_cast(b, (IrNode *)y, ir_dtype(x)), pattern, side));
        return gradient_add(g, x, own), true;
    default:
        return gradient_fails(g, y, "not supported yet");
    }
}

/* z = x y at z's entries: dx = dz y' at x's, dy = x' dz at y's. */
static void product_rule(Gradient *g, const IrNode *node, IrNode *dz) {
    IrBuilder *b = g->b;
    IrNode *x = node->operands[0], *x_values = node->operands[1], *y = node->operands[2];
    IrNode *y_values = node->operands[3], *z = node->operands[4];
    if (gradient_wants(g, x_values))
        gradient_add(g, x_values, ir_sparse_product(b, z, dz, ir_pattern_transpose(b, y), y_values, x));
    if (gradient_wants(g, y_values))
        gradient_add(g, y_values, ir_sparse_product(b, ir_pattern_transpose(b, x), x_values, z, dz, y));
}

bool gradient_entries(Gradient *g, const IrNode *y, IrNode *dy) {
    if (y->op == OP_segment)
        return segment_rule(g, y, dy);
    if (y->op == OP_spread)
        spread_rule(g, y, dy);
    else
        product_rule(g, y, dy);
    return true;
}
