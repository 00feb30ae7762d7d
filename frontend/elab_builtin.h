/* The handlers of builtins.def, and what they share.  See elab.h for BuiltinCall. */
#ifndef GMX_FRONTEND_ELAB_BUILTIN_H
#define GMX_FRONTEND_ELAB_BUILTIN_H

#include "frontend/elab.h"
#include <stdlib.h>

#define BUILTIN(name, signature, handler, doc) Value handler(Elaborator *e, BuiltinCall *call);
#include "frontend/builtins.def"
Value builtin_elementwise(Elaborator *e, BuiltinCall *call);
Value builtin_parts(Elaborator *e, BuiltinCall *call);
Value builtin_reduce(Elaborator *e, BuiltinCall *call);

bool elab_dtype_argument(Elaborator *e, Value value, Span span, Dtype *out);
bool elab_bool_argument(Elaborator *e, Value value, Span span, const char *what, bool *out);
/* ---- elab_effect.c */
/* False after E0211: effects have no place here.  `what`: "print". */
bool elab_allows_effect(Elaborator *e, const BuiltinCall *call, const char *what);
const char *elab_path(Elaborator *e, Value value, Span span); /* NULL after reporting */
/* Argument `at` as a tensor node; POISON after reporting. */
static inline Value builtin_tensor(Elaborator *e, BuiltinCall *call, uint32_t at, const char *what) {
    return elab_tensor(e, call->values[at], call->spans[at], what);
}

#endif
