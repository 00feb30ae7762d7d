/* Lowering of one `fused` region to one kernel: state shared by lower_value.c (expressions at an index) and
 * lower_nest.c (loop nests), lower_stream.c (streaming stores).  The driver is schedule.c. */
#ifndef GMX_PASSES_LOWER_H
#define GMX_PASSES_LOWER_H

#include "ir/kernel.h"
#include "passes/fuse.h"

/* A value already in a variable: valid while the block that declares it is open. */
typedef struct LowerMemo {
    const IrNode *node;
    KernelExpr *indices[IR_MAX_RANK];
    KernelExpr *value;
    uint32_t depth;
} LowerMemo;

/* What the kernel takes besides its operands: a scalar of the host program, a part of a complex one, or an
 * array of a pattern. */
typedef struct LowerScalar {
    const IrNode *node; /* in the old function; of an array the pattern's parameter in the region */
    uint32_t part;      /* of a complex number; of a pattern, an IrPart */
    KernelVariable *variable;
    KernelArray *array; /* of a pattern: then no variable */
} LowerScalar;

/* Where the value of a segment is, once its loop is done. */
typedef struct LowerSegment {
    KernelArray *scratch; /* along its axes behind the entries, or NULL: */
    KernelExpr *value;    /* at the current indices */
} LowerSegment;

enum { LOWER_DEPTH_MAX = 2 * IR_MAX_RANK + 8 };

typedef struct Lower {
    Arena *arena;
    Kernel *kernel;
    const IrRegion *region;
    FuseSpace space;
    uint32_t collapse; /* axes collapse … rank-1 of the space run as one flat index */

    uint32_t part; /* of complex nodes: 0 is lowered, the real part, or 1, the imaginary one */

    KernelArray **inputs; /* per region parameter; of a complex one an array of parts, in turn */
    KernelVariable *(*strides)[IR_MAX_RANK]; /* per region parameter; strides[k][0] NULL: contiguous */
    KernelArray *output;
    VEC(LowerScalar) scalars; /* in the order of the kernel's scalar parameters */

    KernelExpr
        *index[IR_MAX_RANK]; /* the current index of each axis of the space; NULL: flattened into the last */
    KernelBlock *scopes[LOWER_DEPTH_MAX];
    uint32_t depth;         /* scopes[depth - 1] is the innermost open block */
    VEC(uint32_t) depth_of; /* variable id -> depth of the block that declares it */
    VEC(LowerMemo) memo;
    uint32_t *uses; /* node id -> uses inside the region */

    LowerSegment *segments;     /* node id -> its value; only in loops over entries */
    KernelExpr *other_end;      /* there: of the current entry, its end on the other side */
    KernelExpr *entry_position; /* there: its position among those of this side */
    KernelExpr *lane;           /* there: the number of the lane */

    KernelVariable **reduced; /* node id -> the finished value of a reduction below the result */
    KernelExpr **target;      /* update: the index on each axis of what is written, or NULL */

    const IrNode *kept;      /* a costly row value that several loops need, or NULL */
    KernelArray *kept_array; /* where it is stored: the output, or a row of scratch */
    bool kept_in_output, kept_ready;
} Lower;

/* ---- lower_value.c ------------------------------------------------------------------------------------- */
KernelBlock *lower_block(Lower *l);
void lower_open(Lower *l, KernelBlock *block, const KernelVariable *index);
void lower_declared(Lower *l, const KernelVariable *variable, uint32_t depth);
void lower_close(Lower *l);
/* The value of a node at an index (one expression per axis of the node; NULL: see Lower.index); of a complex
 * node its part Lower.part. */
KernelExpr *lower_value(Lower *l, const IrNode *node, KernelExpr *const *indices);
/* A host scalar (an extent, a bound, a data scalar) as a kernel expression. */
KernelExpr *lower_scalar(Lower *l, const IrNode *node);
KernelExpr *lower_extent(Lower *l, const IrNode *node);
/* The same where a constant serves an allocation. */
KernelExpr *lower_size(Lower *l, const IrNode *node);
/* An array of the pattern that a parameter of the region is. */
KernelArray *lower_pattern_part(Lower *l, const IrNode *pattern, IrPart part);
/* The place of an element in its array: of a complex one, of its part Lower.part. */
KernelExpr *lower_place(Lower *l, Dtype dtype, KernelExpr *position);
/* Position in C order. */
KernelExpr *lower_linear(Lower *l, IrNode *const *dims, uint32_t rank, KernelExpr *const *indices);
/* Declares a variable for an expression unless it is a constant or a variable already. */
KernelExpr *lower_let(Lower *l, const char *name, KernelExpr *value);

/* ---- cost.c ------------------------------------------------------------------------------------------- */
/* What the kernel of a fused node does, in terms of the operands that its launch gets. */
struct LaunchCost *pass_launch_cost(const IrNode *fused, const Lower *lower);

/* ---- lower_nest.c -------------------------------------------------------------------------------------- */
void lower_nest(Lower *l);
/* Loops that join their block when they are closed, so that what their bodies hoist is declared before them.
 */
KernelStatement *lower_begin_loop(Lower *l, KernelLoop kind, const char *name, KernelExpr *begin,
                                  KernelExpr *end);
void lower_end_loop(Lower *l, KernelStatement *loop);
/* Stores the region's result at the current indices. */
void lower_store_root(Lower *l);
/* Where a reduction starts. */
KernelExpr *lower_identity(Lower *l, Op reduction, Dtype dtype);
/* A plain region over a part of its space: rows (all axes but the last, as one) and columns.  Elements are
 * read and written one by one, so an input may be the output. */
void lower_part(Lower *l, KernelExpr *first_row, KernelExpr *end_row, KernelExpr *first_column,
                KernelExpr *end_column);

/* ---- lower_segment.c ----------------------------------------------------------------------------------- */
/* A region over the entries of a pattern; Lower.collapse is set. */
void lower_segments(Lower *l);

/* ---- lower_stream.c ------------------------------------------------------------------------------------ */
/* Adds the kernel's `stream` hint where it pays; after lower_nest. */
void lower_stream(Lower *l);

#endif
