/* Subscripts after they were evaluated: shared by reading (elab_index.c) and assignment (elab_update.c). */
#ifndef GMX_FRONTEND_ELAB_INDEX_H
#define GMX_FRONTEND_ELAB_INDEX_H

#include "frontend/elab.h"

typedef struct Cut { /* one axis of a view */
    IrNode *start, *extent, *step;
    bool drop;
} Cut;

typedef enum PartKind { PART_CUT, PART_NEW, PART_GATHER } PartKind;
typedef struct Part { /* one subscript after `...` and masks were filled in */
    PartKind kind;
    Cut cut;         /* of the axis; PART_GATHER: all of it; PART_NEW: its extent, NULL for 1 */
    IrNode *indices; /* PART_GATHER: i64, in range */
    Span span;
    bool after_ellipsis; /* a `...` stands before it, even one for no axis */
} Part;

typedef struct Subscripts { /* of one index expression on one tensor; every axis has its part */
    Part *parts;
    uint32_t count;
    Span span;
    bool has_choice; /* one part is a scalar bool: an axis of 1 or 0 */
    IrNode *mask;    /* the only part that is no whole axis is this mask, at mask_axis; else NULL */
    uint32_t mask_axis;
} Subscripts;

/* One axis of the indexed value. */
typedef enum ResultAxisKind { RESULT_AXIS, RESULT_NEW, RESULT_INDEX } ResultAxisKind;
typedef struct ResultAxis {
    ResultAxisKind kind;
    uint32_t axis; /* RESULT_AXIS: of the tensor; RESULT_INDEX: of the indices; RESULT_NEW: the part */
} ResultAxis;

/* False after reporting. */
bool elab_subscripts(Elaborator *e, const AstNode *node, Value base, Subscripts *out);
Value elab_indexed(Elaborator *e, IrNode *x, const Subscripts *s);
/* The axes of the indexed value in NumPy's order (at most 3 * IR_MAX_RANK); their number. */
uint32_t elab_result_axes(const Subscripts *s, ResultAxis *out);
bool elab_has_indices(const Subscripts *s);
/* The index tensors broadcast to one shape, and their axes.  Their number; UINT32_MAX after reporting. */
uint32_t elab_index_tensors(Elaborator *e, const Subscripts *s, IrNode **indices, uint32_t *axes);
/* The index tensor of a mask on its axis k: a row of its `nonzero` node. */
IrNode *elab_mask_row(Elaborator *e, IrNode *where, uint32_t k);

#endif
