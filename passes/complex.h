/* What the files of the complex pass share: numbers as pairs of real nodes. */
#ifndef GMX_PASSES_COMPLEX_H
#define GMX_PASSES_COMPLEX_H

#include "ir/ir.h"

typedef struct ComplexParts {
    IrNode *re, *im; /* im NULL: the result is real, or bool */
} ComplexParts;

/* Where one complex op is taken apart: constants have the dtype of its parts and its shape. */
typedef struct ComplexBuilder {
    IrBuilder *b;
    const IrType *shape;
    Dtype part;
} ComplexBuilder;

/* Takes one elementwise op apart, or gives {NULL, NULL} for one whose `complex` column is NO. */
ComplexParts complex_expand(const ComplexBuilder *c, Op op, const ComplexParts *x);
/* x and y are complex. */
ComplexParts complex_multiply(const ComplexBuilder *c, ComplexParts x, ComplexParts y);
/* `value` in every element. */
IrNode *complex_number(const ComplexBuilder *c, double value);

/* exp, log, sqrt, tanh and the hyperbolic pairs (passes/complex_math.c). */
ComplexParts complex_exp(const ComplexBuilder *c, ComplexParts x);
ComplexParts complex_log(const ComplexBuilder *c, ComplexParts x);
ComplexParts complex_log1p(const ComplexBuilder *c, ComplexParts x);
ComplexParts complex_sqrt(const ComplexBuilder *c, ComplexParts x);
ComplexParts complex_tanh(const ComplexBuilder *c, ComplexParts x);
/* sin and cos of x + iy: (sin x cosh y, cos x sinh y) and (cos x cosh y, -sin x sinh y). */
ComplexParts complex_sine(const ComplexBuilder *c, IrNode *x, IrNode *y);
ComplexParts complex_cosine(const ComplexBuilder *c, IrNode *x, IrNode *y);

/* Inverse functions (passes/complex_inverse.c). */
ComplexParts complex_asin(const ComplexBuilder *c, ComplexParts x);
ComplexParts complex_acos(const ComplexBuilder *c, ComplexParts x);
ComplexParts complex_atanh(const ComplexBuilder *c, ComplexParts x);

/* ---- real nodes ---------------------------------------------------------------------------------------- */
static inline IrNode *real_op1(const ComplexBuilder *c, Op op, IrNode *x) {
    return ir_unary(c->b, op, x);
}
static inline IrNode *real_op2(const ComplexBuilder *c, Op op, IrNode *x, IrNode *y) {
    return ir_binary(c->b, op, x, y);
}
static inline IrNode *real_add(const ComplexBuilder *c, IrNode *x, IrNode *y) {
    return real_op2(c, OP_add, x, y);
}
static inline IrNode *real_sub(const ComplexBuilder *c, IrNode *x, IrNode *y) {
    return real_op2(c, OP_sub, x, y);
}
static inline IrNode *real_mul(const ComplexBuilder *c, IrNode *x, IrNode *y) {
    return real_op2(c, OP_mul, x, y);
}
static inline IrNode *real_div(const ComplexBuilder *c, IrNode *x, IrNode *y) {
    return real_op2(c, OP_div, x, y);
}
static inline IrNode *real_where(const ComplexBuilder *c, IrNode *condition, IrNode *x, IrNode *y) {
    return ir_where(c->b, condition, x, y);
}
/* Compared with a number. */
static inline IrNode *real_is(const ComplexBuilder *c, Op op, IrNode *x, double value) {
    return real_op2(c, op, x, complex_number(c, value));
}
static inline IrNode *real_both(const ComplexBuilder *c, IrNode *x, IrNode *y) {
    return real_op2(c, OP_logical_and, x, y);
}
static inline IrNode *real_either(const ComplexBuilder *c, IrNode *x, IrNode *y) {
    return real_op2(c, OP_logical_or, x, y);
}

#endif
