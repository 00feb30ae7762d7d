/* What the files of the tensor IR core share with each other and with nobody else. */
#ifndef GMX_IR_INTERNAL_H
#define GMX_IR_INTERNAL_H

#include "ir/ir.h"

static inline Arena *ir_arena(const IrBuilder *b) {
    return b->function->module->arena;
}

/* Makes a node that is in no region's list and no table yet. */
IrNode *ir_node_create(IrBuilder *b, const IrNodeSpec *spec);

/* The simpler equal value of a pure node about to be built, or NULL. */
IrNode *ir_fold(IrBuilder *b, const IrNodeSpec *spec);
/* fold_spread.c: the node with its work done at the ends of edges, or NULL. */
IrNode *ir_fold_spread(IrBuilder *b, const IrNodeSpec *spec);
/* Gives a scalar integer node its value at this call when its operands' values are known. */
void ir_fold_hint(IrNode *node);

#endif
