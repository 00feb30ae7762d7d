/* What the files behind index expressions share: bodies computed for all indices at once. */
#ifndef GMX_FRONTEND_ELAB_VECTORIZE_H
#define GMX_FRONTEND_ELAB_VECTORIZE_H

#include "frontend/elab.h"

/* The axes of a vectorised value are named by labels: index variable b is label b, axis k of the value that
 * the body itself has is label OWN_LABEL + k.  Sets of labels are bits; axes are in ascending order. */
enum { OWN_LABEL = IR_MAX_RANK, LABEL_COUNT = 2 * IR_MAX_RANK };

/* Where one axis of an operand is read: offset + the sum over terms of step * (index along the label), or,
 * with a tensor, at its elements, whose axes are the labels of `set`. */
typedef struct AxisAt {
    IrNode *offset;
    uint32_t count;
    uint8_t labels[LABEL_COUNT];
    IrNode *steps[LABEL_COUNT];
    IrNode *tensor;
    uint32_t set;
} AxisAt;

void elab_axis_term(AxisAt *axis, uint32_t label, IrNode *step);
/* x read at axes[k] for each of its axes: a view where it can be one, else one gather.  The result has an
 * axis for every label used, ascending.  NULL when a tensor on the way would have too many axes. */
IrNode *elab_view_at(Elaborator *e, IrNode *x, AxisAt *axes, IrNode *const *extents);
IrNode *elab_permuted(Elaborator *e, IrNode *x, const uint32_t *permutation); /* folds orders of orders */

/* The value of a region for all values of its parameters (the index variables) at once, built in e->b. */
typedef struct Vectorized {
    IrNode *node; /* axes: the index variables of `set` ascending, then the body's own */
    uint32_t set;
} Vectorized;
typedef struct Vectorizer Vectorizer;
Vectorizer *elab_vectorizer(Elaborator *e, const IrRegion *body);
/* A scalar of the body that does not depend on any index variable; NULL after reporting that it does. */
IrNode *elab_invariant(Vectorizer *v, const IrNode *node, Span span, const char *what);
/* Index variable b runs over first … first + extent - 1. */
void elab_vectorizer_range(Vectorizer *v, uint32_t b, Name name, IrNode *first, IrNode *extent);
bool elab_vectorize(Vectorizer *v, const IrNode *result, Vectorized *out); /* false after reporting */
/* The node with an axis for every index variable. */
IrNode *elab_over_all(Vectorizer *v, Vectorized x);

/* ---- elab_contract.c: sums of products ----------------------------------------------------------------- */
/* True if the sum of x over `axes` is a contraction, which accumulates in the dtype of its operands. */
bool elab_is_contraction(Elaborator *e, IrNode *x, const uint32_t *axes, uint32_t count);
/* The sum of x over `axes` as matrix products; NULL where it is none. */
IrNode *elab_contract(Elaborator *e, IrNode *x, const uint32_t *axes, uint32_t count);
/* A reduction whose kept axes are in the order in which memory is read. */
IrNode *elab_reduce_in_order(Elaborator *e, Op op, IrNode *x, const uint32_t *axes, uint32_t count,
                             Dtype accumulator, Dtype result);

#endif
