/* Derivatives as values: what the files of the elaborator that make and call them share. */
#ifndef GMX_FRONTEND_ELAB_DERIVATIVE_H
#define GMX_FRONTEND_ELAB_DERIVATIVE_H

#include "frontend/elab_builtin.h"

typedef enum DerivativeKind {
    DERIVATIVE_GRAD,
    DERIVATIVE_VALUE_AND_GRAD,
    DERIVATIVE_VJP,
    DERIVATIVE_JVP,
    DERIVATIVE_JACOBIAN,
    DERIVATIVE_CHECKPOINT, /* the function itself, computed again by derivatives */
    DERIVATIVE_CUSTOM,     /* the function itself, with a derivative that was given */
} DerivativeKind;

struct Derivative {
    DerivativeKind kind;
    Value function;
    Value backward; /* CUSTOM */
    bool has_aux;
    bool is_tuple; /* several names were given: a tuple in their order */
    uint32_t name_count;
    Name *names; /* of the parameters; none: the first argument */
};

bool elab_is_function(Value value); /* can it be differentiated? */
/* `given` as the tangents or cotangents of `nodes`: same structure, dtypes and shapes.  False after
 * reporting. */
bool elab_as_seeds(Elaborator *e, const Argument *given, const NodeList *nodes, IrNode **seeds);

/* ---- elab_checkpoint.c ---- */
Value elab_call_checkpoint(Elaborator *e, const Derivative *d, Argument *arguments, uint32_t count,
                           Span span);
Value elab_call_custom(Elaborator *e, const Derivative *d, Argument *arguments, uint32_t count, Span span);

#endif
