/* The reference evaluator: a plain interpreter of the tensor IR as the front end makes it, written from
 * ir/README.md, ir/ir.h and ir/ops.def.  It shares no code with passes/ and codegen/.
 *
 * Every float is known twice: `lo`, rounded to its dtype after each op, and `hi`, in long double.  Where the
 * two part, or where the outcome hangs on a rounding (a comparison of almost equal values, the floor of
 * almost an integer), evaluation stops with REF_UNSTABLE: such a program says nothing about a compiler.
 *
 * Values are computed when they are asked for, so that a check that nothing uses does not fail. */
#ifndef GMX_TESTS_REFERENCE_H
#define GMX_TESTS_REFERENCE_H

#include "ir/ir.h"

typedef struct RefElement {
    union {
        int64_t i; /* integers and bool: sign- or zero-extended */
        double lo;
    };
    bool exact;     /* floats: neither rounding nor an approximation lies behind it */
    long double hi; /* floats */
} RefElement;

typedef struct RefTensor {
    Dtype dtype;
    uint32_t rank;
    int64_t shape[IR_MAX_RANK], size;
    double scale;     /* the largest finite magnitude in it and in the floats that it was computed from */
    double tolerance; /* how far a right answer may be from hi, relative to scale; 0: everything is exact */
    RefElement *at;   /* C order */
} RefTensor;

typedef enum RefStatus {
    REF_OK,
    REF_FAILED,   /* a run-time error of the program: `code` */
    REF_UNSTABLE, /* roundings decide the outcome */
    REF_TOO_MUCH, /* over the budget of elements */
    REF_BROKEN,   /* the IR contradicts itself */
} RefStatus;

typedef struct RefFrame RefFrame;
typedef struct Reference {
    Arena *arena;
    jmp_buf stop; /* where ref_stop goes; set by ref_get */
    RefStatus status;
    DiagCode code;
    const char *message;
    int64_t budget; /* elements that may still be computed */
    uint32_t depth;
    RefFrame *body;
    /* The value of a parameter of the function. */
    RefTensor *(*parameter)(void *user, const IrNode *node);
    void *user;
} Reference;

/* ---- evaluation: eval.c ---- */
void ref_init(Reference *r, Arena *arena, const IrRegion *body);
/* The value of a node of the body; NULL with r->status, code and message set. */
RefTensor *ref_get(Reference *r, const IrNode *node);

/* ---- what the files of the evaluator share ---- */
_Noreturn void ref_stop(Reference *r, RefStatus status, DiagCode code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
RefTensor *ref_value(Reference *r, RefFrame *frame, const IrNode *node);
int64_t ref_integer(Reference *r, RefFrame *frame, const IrNode *node);

/* value.c */
RefTensor *ref_tensor_new(Reference *r, Dtype dtype, uint32_t rank, const int64_t *shape);
RefTensor *ref_tensor_like(Reference *r, Dtype dtype, const RefTensor *shape_of);
int64_t ref_wrap(Dtype dtype, uint64_t bits);        /* the low bits of an integer, extended */
double ref_round(Dtype dtype, double value);         /* to the nearest of a float dtype, ties to even */
double ref_unit(Dtype dtype);                        /* the tolerance of answers of a float dtype */
long double ref_real(const RefTensor *x, int64_t i); /* any element as a number (hi of floats) */
RefElement ref_load(Dtype dtype, const void *at);    /* from memory in the dtype's own layout */
/* Sets a float: rounds lo, lets hi overflow where the dtype does, and says whether it is still exact. */
void ref_set(RefTensor *x, int64_t i, double lo, long double hi, bool exact);
/* Computes scale and tolerance of a new tensor of floats; unstable where lo and hi part. */
void ref_finish(Reference *r, RefTensor *x, const RefTensor *const *from, uint32_t count);
/* Unstable if element i is inexact and about as large as `threshold`. */
void ref_decide(Reference *r, const RefTensor *x, int64_t i, long double threshold);
double ref_slack(const RefTensor *x, int64_t i); /* 0 for exact elements */
/* C order: the next index within shape; the offset of an index. */
void ref_next(const RefTensor *x, int64_t *index);
int64_t ref_offset(const RefTensor *x, const int64_t *index);

/* elementwise.c, reduce.c, view.c, call.c: one op on evaluated operands */
RefTensor *ref_elementwise(Reference *r, const IrNode *node, RefTensor **x);
RefTensor *ref_cast(Reference *r, RefTensor *x, Dtype dtype);
RefTensor *ref_reduce(Reference *r, const IrNode *node, RefTensor *x);
RefTensor *ref_view(Reference *r, const IrNode *node, RefTensor *x, const int64_t *numbers);
RefTensor *ref_call(Reference *r, const IrNode *node, RefTensor **x);
RefTensor *ref_matmul(Reference *r, RefTensor *a, RefTensor *b);
RefTensor *ref_order(Reference *r, const IrNode *node, RefTensor **x); /* order.c: sort, scans, searches */

#endif
