/* What the files of the vectoriser (elab_vectorize*.c) share with each other and with nobody else. */
#ifndef GMX_FRONTEND_ELAB_LIFT_H
#define GMX_FRONTEND_ELAB_LIFT_H

#include "frontend/elab_vectorize.h"

/* A value of the body.  A scalar that is an affine function of the indices has no node until one is needed.
 */
typedef struct Lifted {
    IrNode *node;
    uint32_t set; /* index variables it depends on */
    bool is_affine;
    IrNode *offset;
    int64_t steps[IR_MAX_RANK]; /* per step along the variable's range */
} Lifted;

struct Vectorizer {
    Elaborator *e;
    const IrRegion *body;
    uint32_t count;
    uint32_t old_count; /* nodes with larger ids were built here */
    Name names[IR_MAX_RANK];
    IrNode *first[IR_MAX_RANK], *extents[LABEL_COUNT];
    Lifted **map;       /* old id -> one per result */
    const Lifted *mask; /* inside a branch: where it is taken */
};

/* Steps and sizes within these bounds cannot overflow i64 when an affine index is checked. */
enum { LIFT_STEP_LIMIT = 256 };
#define LIFT_SIZE_LIMIT   ((int64_t)1 << 48)
#define LIFT_OFFSET_LIMIT ((int64_t)1 << 61)

/* ---- elab_vectorize.c ---- */
bool elab_lift_is_inside(const Vectorizer *v, const IrNode *node); /* in the body; else visible outside */
/* The value of an old node; NULL after reporting. */
const Lifted *elab_lift(Vectorizer *v, const IrNode *old);
bool elab_lift_region(Vectorizer *v, const IrRegion *region); /* every node that its results need */
/* The value over the variables of `to`, which has all those it depends on. */
IrNode *elab_lift_node(Vectorizer *v, const Lifted *x, uint32_t to);
void elab_lift_own(Lifted *out, IrNode *node, uint32_t set);
/* A scalar that is the same for all indices; NULL after reporting. */
IrNode *elab_lift_invariant(Vectorizer *v, const IrNode *old, const char *what);
bool elab_lift_rank_fits(Vectorizer *v, uint32_t set, uint32_t own);
const char *elab_lift_names(Vectorizer *v, uint32_t set);
/* The affine form of a scalar; false where it has none. */
bool elab_lift_form(Vectorizer *v, const Lifted *x, Lifted *out);

/* ---- elab_vectorize_check.c, elab_vectorize_control.c ---- */
/* x over `set`, which has the variables of the mask, where the branch is taken; elsewhere `otherwise`. */
IrNode *elab_lift_masked(Vectorizer *v, IrNode *x, uint32_t set, uint64_t otherwise);
bool elab_lift_check_index(Vectorizer *v, const IrNode *old, Lifted *out);
bool elab_lift_check(Vectorizer *v, const IrNode *old, Lifted *out);
bool elab_lift_if(Vectorizer *v, const IrNode *old, Lifted *out);
bool elab_lift_for(Vectorizer *v, const IrNode *old, Lifted *out);
bool elab_lift_while(Vectorizer *v, const IrNode *old, Lifted *out);
/* ---- elab_vectorize_sparse.c: ops on patterns ---- */
bool elab_lift_entries(Vectorizer *v, const IrNode *old, Lifted *out);
/* ---- elab_vectorize_update.c ---- */
bool elab_lift_update(Vectorizer *v, const IrNode *old, Lifted *out);
bool elab_lift_along(Vectorizer *v, const IrNode *old, Lifted *out);
bool elab_lift_searchsorted(Vectorizer *v, const IrNode *old, Lifted *out);

static inline IrNode *int_node(Vectorizer *v, int64_t value) {
    return ir_const_i64(&v->e->b, value);
}

static inline IrNode *int_op(Vectorizer *v, Op op, IrNode *x, IrNode *y) {
    return ir_binary(&v->e->b, op, x, y);
}

static inline uint32_t bits(uint32_t set) {
    return (uint32_t)__builtin_popcount(set);
}

static inline bool is_index_scalar(const IrNode *old) {
    return ir_is_scalar(old) && ir_dtype(old) == DTYPE_i64;
}

static inline uint32_t all_variables(const Vectorizer *v) {
    return v->count == 32 ? UINT32_MAX : (1u << v->count) - 1;
}

#endif
