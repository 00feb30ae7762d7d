/* The C interface of `export fn`: what the header says and the wrappers do, derived once from the typed
 * signature.  Filled by the front end's driver, read by the header writer and by each back end. */
#ifndef GMX_IR_EXPORT_H
#define GMX_IR_EXPORT_H

#include "ir/ir.h"

/* One extent of an exported tensor: fixed, or the value of a dim parameter, or an expression of them. */
typedef struct ExportDim {
    bool is_fixed;
    int64_t value;       /* fixed */
    int32_t dim;         /* index into ExportFunction.dims when it is a plain dim name, else -1 */
    const char *formula; /* C text over the dim names for derived extents ("2 * n + 1"), or NULL */
} ExportDim;

typedef struct ExportParameter {
    const char *name; /* as it stands in the header (C keywords and `out` with a trailing underscore) */
    Dtype dtype;
    bool is_scalar;
    uint32_t rank;
    ExportDim dims[IR_MAX_RANK];
} ExportParameter;

/* A constant array that the function reads: a trailing parameter of the IR function, which the library holds
 * as data in C order. */
typedef struct ExportConstant {
    Dtype dtype;
    uint32_t rank;
    int64_t shape[IR_MAX_RANK];
    const void *data;
} ExportConstant;

typedef struct ExportFunction ExportFunction;

/* What a layer is in C: a struct of pointers to the tensors of its parameters and states.  A member's name is
 * its path as C spells it ("fc1.w", "blocks._0.w"); `paths` are those of files ("blocks.0.w"). */
typedef struct ExportStruct {
    const char *name;             /* MLP_784_10 */
    const char *type;             /* MLP(784, 10) */
    VEC(ExportParameter) members; /* of fixed sizes */
    VEC(const char *) paths;
    ExportFunction *init; /* of a seed, an i64; its results are the members */
} ExportStruct;

/* An argument of the C function: one value, or a struct whose members are the values from `first` on. */
typedef struct ExportArgument {
    const char *name;
    uint32_t first; /* in `parameters` or `results` */
    const ExportStruct *structure;
} ExportArgument;

struct ExportFunction {
    const char *name;
    const char *documentation; /* or NULL */
    uint32_t function;         /* index in the module; its parameters and results are in the order below */
    VEC(const char *) dims;    /* dim parameters in order of first appearance */
    VEC(ExportParameter) parameters;
    VEC(ExportParameter) results;        /* names out, or out0, out1, … */
    VEC(ExportConstant) constants;       /* parameters of the IR function that follow `parameters` */
    VEC(ExportArgument) inputs, outputs; /* of the C function, after its dims */
};

typedef struct ExportList ExportList;
struct ExportList {
    VEC(ExportFunction *) functions;
    VEC(ExportStruct *) structs; /* of their arguments, in order of first appearance */
    const char *library_name;    /* for the include guard and comments */
    /* "file:line:column" of a span, for messages of the compiled library. */
    const char *(*place)(void *user, Span span);
    void *place_user;
};

#endif
