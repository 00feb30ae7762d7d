/* Reverse mode: the derivative of IR as IR.
 *
 * ir_gradient walks the nodes between some variables and some outputs backwards and builds, at the builder's
 * place, the adjoint of each variable: the sum over outputs of seed * d output / d variable.  What it builds
 * are ordinary nodes, so that they fuse, are shared with the forward computation, and can be differentiated
 * again.
 *
 * The rules are the `gradient` column of ir/ops.def; gradient_elementwise.c holds the elementwise ones,
 * gradient_rules.c and gradient_update.c the others, gradient_control.c, gradient_for.c and gradient_while.c
 * those of `if`, `for` and `while`. */
#ifndef GMX_IR_GRADIENT_H
#define GMX_IR_GRADIENT_H

#include "ir/ir.h"

typedef struct GradientRequest {
    IrNode *const *outputs; /* float nodes of the builder's region, or visible from it */
    IrNode *const *seeds;   /* their adjoints: same dtype and extents */
    uint32_t output_count;
    IrNode *const *variables; /* float nodes */
    IrNode *const *initial;   /* per variable: an adjoint to add to, or NULL; NULL: none */
    uint32_t variable_count;
} GradientRequest;

/* Why there is no derivative. */
typedef struct GradientFailure {
    const IrNode *node;        /* which op */
    const char *why;           /* continues "… has no derivative: " */
    VEC(const IrNode *) path;  /* from `node` back to a variable */
    VEC(const IrNode *) route; /* from `node`, or where its loop or branch is used, on to an output */
} GradientFailure;

/* gradients[i]: the adjoint of variables[i], with its dtype and extents; NULL where the outputs do not depend
 * on it. False after filling in *failure. */
bool ir_gradient(IrBuilder *b, const GradientRequest *request, IrNode **gradients, GradientFailure *failure);

/* ---- for the rules ------------------------------------------------------------------------------------ */
typedef struct Gradient {
    IrBuilder *b;
    IrFunction *function;
    uint32_t count;    /* nodes with larger ids belong to the derivative itself */
    bool *is_variable; /* by id: what it is made of does not matter */
    bool *depends;     /* by id: computed from a variable in any way */
    bool *is_active;   /* by id: through floats only, so that an adjoint can arrive */
    IrNode **adjoint;  /* by id; NULL: zero so far */
    IrNode ***results; /* by id of a node of several results: their adjoints; NULL: all zero so far */
    GradientFailure *failure;
} Gradient;
typedef bool (*GradientRule)(Gradient *g, const IrNode *y, IrNode *dy);

bool gradient_elementwise(Gradient *g, const IrNode *y, IrNode *dy);
bool gradient_structured(Gradient *g, const IrNode *y, IrNode *dy);
/* `if`, `for` and `while`; dy: per result, NULL where it is zero. */
bool gradient_control(Gradient *g, IrNode *y, IrNode *const *dy);

static inline bool gradient_wants(const Gradient *g, const IrNode *x) {
    return x->id < g->count && g->is_active[x->id];
}
/* Adds to the adjoint of x, unless nobody asks for it. */
void gradient_add(Gradient *g, const IrNode *x, IrNode *contribution);

/* gradient_pattern.c: spread, segment, sparse_product. */
bool gradient_entries(Gradient *g, const IrNode *y, IrNode *dy);
typedef VEC(IrNode *) GradientNodes;
/* gradient_update.c */
bool gradient_update(Gradient *g, const IrNode *y, IrNode *dy);
/* The update y with another tensor, value and operator. */
IrNode *gradient_updated(IrBuilder *b, const IrNode *y, IrNode *into, IrNode *value, Op combine);
/* Between the two orders of axes: a gather has its indices' axes where the first indexed axis was, an update
 * takes them first. */
IrNode *gradient_indices_first(IrBuilder *b, IrNode *value, uint32_t before, uint32_t index_rank);
bool gradient_for(Gradient *g, IrNode *y, IrNode *const *dy);
bool gradient_while(Gradient *g, IrNode *y, IrNode *const *dy);
/* A `for` whose derivative keeps every state: it is a segment, or a loop over segments. */
IrNode *gradient_kept_for(IrBuilder *b, IrNode *begin, IrNode *end, IrNode *const *initial, uint32_t count,
                          IrRegion *body);
/* Values like initial[] as parameters of b's region. */
void gradient_loop_parameters(IrBuilder *b, IrNode *const *initial, uint32_t count, IrNode **out);
/* ceil(sqrt(trips)), at least 1: how many trips a segment has. */
IrNode *gradient_segment_length(IrBuilder *b, IrNode *trips);
/* Active nodes outside of `owner` that `region`, which is it or lies in it, uses; appended to `out`. */
void gradient_captured(Gradient *g, const IrRegion *owner, const IrRegion *region, GradientNodes *out);
/* A map (old id -> node, for ir_copy_nodes) under which everything visible from `region` stands for itself.
 */
IrNode **gradient_outside_map(IrBuilder *b, const IrRegion *region);
/* A loop with more carried values in place of an old one, whose users see the same results.  Its regions have
 * the new parameters and results already; gradient_order_region follows. */
IrNode *gradient_extend_loop(IrBuilder *b, IrNode *old, IrNode *const *initial, uint32_t added);
/* Every node of the region after what it uses. */
void gradient_order_region(IrBuilder *b, IrRegion *region);
/* Does the node, or what its regions read from outside, use a marked value? */
bool gradient_uses(const Gradient *g, const bool *marks, const IrNode *node);
bool gradient_fails(Gradient *g, const IrNode *node, const char *why);
/* A number with the dtype and extents of x. */
IrNode *gradient_number(IrBuilder *b, double value, const IrNode *x);
static inline IrNode *gradient_or_zeros(IrBuilder *b, IrNode *adjoint, const IrNode *like) {
    return adjoint ? adjoint : gradient_number(b, 0, like);
}

#endif
