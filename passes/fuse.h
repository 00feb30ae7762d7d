/* What fuse and schedule agree on: the shape of a `fused` region.
 *
 * Operands of a `fused` node are tensors (one region parameter each); scalars of enclosing regions are used
 * in place.  The body is elementwise ops, casts, views, iota, gather and reductions over one index space:
 *
 *   plain     the result has no reduction below it: one loop nest over the result's extents
 *   reduction the result is a reduction over axes of its operand, everything else is over the operand's space
 *   update    the result is an `update`: plain, over what is written; the kernel's output starts with the
 * elements of the operand that is updated
 *   row       reductions over the same axes feed elementwise work over the space (softmax), or over what is
 * left of it (a mean): for each outer index, one loop over the row per level of reductions and one for the
 * result
 *
 *   entries   segments of one pattern from one side, [rows, ...]: axis 0 is the row, axis 1 the entries in it
 * (is_row), the others follow; every segment runs along the first of these.  The result is per row
 * (result_is_outer) or per entry.  What is spread from the same side is computed once per row
 *
 * A reduction below the result is always demanded exactly at the outer indices, so it is computed once per
 * row. */
#ifndef GMX_PASSES_FUSE_H
#define GMX_PASSES_FUSE_H

#include "ir/ir.h"

typedef struct FuseSpace {
    uint32_t rank;
    IrNode *dims[IR_MAX_RANK];
    bool is_row[IR_MAX_RANK]; /* reduced axes; none: plain */
    bool result_is_outer;     /* the result lives on the outer axes alone */
    bool is_update;           /* plain, over what an update writes: see fuse_update_map */
    const IrNode *pattern;    /* entries: the pattern, or NULL */
    IrSide side;              /* of the pattern that axis 0 runs along */
} FuseSpace;

/* Does the result run along axis k of the space? */
static inline bool fuse_has_result(const FuseSpace *space, uint32_t k) {
    return space->pattern && !space->result_is_outer ? k > 0 : !space->result_is_outer || !space->is_row[k];
}

/* An index, as far as fusion cares: which axis of the space it runs along. */
enum {
    TAG_NONE = -1,
    TAG_MIXED = -2
}; /* constant or data-dependent without an axis; arithmetic over an axis */

/* Tags with which operand `k` of `node` is demanded when node is demanded with `tags` (rank of node of them).
 * Reductions need `space` for the tags of their reduced axes.  `taint`, when given, gets the axes that are
 * used inside arithmetic.  Returns the number of tags (the operand's rank). */
uint32_t fuse_operand_tags(const IrNode *node, uint32_t k, const int8_t *tags, const FuseSpace *space,
                           int8_t *out, bool *taint);

/* The axes that an update's value has (if it is no scalar): those of its indices, then those of the slice. */
uint32_t fuse_update_axes(const IrNode *update, IrNode **dims);
/* The axes of the space of an update: as fuse_update_axes gives them, less those of extent 1 (at least one is
 * left); map[k]: the axis of the space that axis k of the value runs along, or TAG_NONE.  Their number. */
uint32_t fuse_update_map(const IrNode *update, int8_t *map, IrNode **dims);

/* The space of a kernel with this root alone, and the tags with which the root itself is demanded in a space.
 */
FuseSpace fuse_initial_space(const IrNode *root);
void fuse_result_tags(const FuseSpace *space, int8_t *tags);
/* Can `reduction`, demanded with `tags`, be computed once per row of a kernel over *space?  May turn a plain
 * space into one with rows. */
bool fuse_accept_reduction(FuseSpace *space, const IrNode *reduction, const int8_t *tags);

/* Demands that a walk has seen. */
typedef struct FuseDemand {
    const IrNode *node;
    int8_t tags[IR_MAX_RANK];
} FuseDemand;
typedef VEC(FuseDemand) FuseDemands;
/* Notes a demand; true if it was there. */
bool fuse_demanded_before(Arena *arena, FuseDemands *seen, const IrNode *node, const int8_t *tags);

/* The space of a fused region whose single result is `result`; found from the region alone. */
FuseSpace fuse_space(const IrRegion *region);

#endif
