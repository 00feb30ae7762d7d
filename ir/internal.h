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
/* Gives a scalar integer node its value at this call when its operands' values are known. */
void ir_fold_hint(IrNode *node);
/* The value of an integer or bool constant's bits, sign-extended by dtype. */
int64_t ir_bits_to_i64(Dtype dtype, uint64_t bits);
/* The bits of an integer value in a dtype (wraps). */
uint64_t ir_bits_of_i64(Dtype dtype, int64_t value);
/* Converts the bits of one constant between dtypes as `cast` does; false if it is not folded. */
bool ir_convert_bits(Dtype from, uint64_t bits, Dtype to, uint64_t *out);
double ir_bits_to_double(Dtype dtype, uint64_t bits);
bool ir_bits_of_double(Dtype dtype, double value, uint64_t *out);

#endif
