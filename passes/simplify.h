/* What the files of the simplify pass share with each other and with nobody else.  The rules build with `b`
 * and return the simpler equal value, or NULL where they know none. */
#ifndef GMX_PASSES_SIMPLIFY_H
#define GMX_PASSES_SIMPLIFY_H

#include "ir/ir.h"

/* The bits of the one value that all elements have, when `node` is a constant seen through views. */
bool simplify_splat(const IrNode *node, uint64_t *bits);
/* A scalar, repeated to the extents of `type`. */
IrNode *simplify_repeat(IrBuilder *b, IrNode *scalar, const IrType *type);

/* Computes one elementwise op on constants of `dtype` (where: the dtype of the values) as it would be at run
 * time; false for what is left to run time: transcendental ops, integer division by zero. */
bool simplify_constant(Op op, Dtype dtype, const uint64_t *bits, uint64_t *out);

/* Takes results of loops and branches that nobody reads out of them, in place; how many had any.  A
 * projection of a node that is left with one result stands for the node. */
uint32_t simplify_results(Arena *arena, IrFunction *function);

IrNode *simplify_elementwise(IrBuilder *b, Op op, IrNode *const *operands);
IrNode *simplify_cast(IrBuilder *b, IrNode *x, Dtype to);
/* `old` gives attributes; operands and the result's type are the new ones. */
IrNode *simplify_view(IrBuilder *b, const IrNode *old, IrNode *const *operands);

#endif
