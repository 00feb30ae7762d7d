/* What schedule.c and products.c share: making a kernel of a fused region, and the operands that it wants. */
#ifndef GMX_PASSES_SCHEDULE_H
#define GMX_PASSES_SCHEDULE_H

#include "passes/lower.h"

/* A parameter of the function that may have any strides. */
bool schedule_is_strided(const IrNode *tensor);
/* Named after its last operation, for people. */
Name schedule_kernel_name(IrModule *module, const IrRegion *region);
/* Fills l->uses. */
void schedule_count_uses(Lower *l, const IrRegion *region);
/* A buffer parameter; of a complex dtype, of its parts. */
KernelArray *schedule_buffer(Lower *l, const char *name, Dtype dtype, bool is_output);
/* Scalars were added while lowering: the output goes back to the end. */
void schedule_output_last(Lower *l);
/* The number of the kernel in the module; of an equal one that is there already. */
uint32_t schedule_add_kernel(Arena *arena, IrModule *module, Kernel *kernel);
/* Nodes of the new function: a stride of a parameter; a scalar that the old function computes. */
IrNode *schedule_stride_of(IrBuilder *b, IrNode *tensor, int64_t axis);
IrNode *schedule_host_scalar(IrRewrite *rewrite, const IrNode *old);
IrNode *schedule_host_part(IrRewrite *rewrite, const LowerScalar *scalar); /* or a part of a complex one */

#endif
