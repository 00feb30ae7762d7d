/* complex: the inverse functions asin, acos, atan and their hyperbolic relatives on parts, with the branch
 * cuts and signed zeros of C99's Annex G, as NumPy has them: asin and acos after Kahan ("Branch cuts for
 * complex elementary functions", 1987), atanh after Hull and others.  Without branches, as in complex_math.c.
 */
#include "passes/complex.h"

#include <math.h>

static IrNode *negated(const ComplexBuilder *c, IrNode *x) {
    return real_op1(c, OP_neg, x);
}

static IrNode *size_of(const ComplexBuilder *c, IrNode *x) {
    return real_op1(c, OP_abs, x);
}

static IrNode *is_boundless(const ComplexBuilder *c, ComplexParts x) {
    return real_either(c, real_is(c, OP_eq, size_of(c, x.re), INFINITY),
                       real_is(c, OP_eq, size_of(c, x.im), INFINITY));
}

typedef struct Roots {
    ComplexParts below, above; /* sqrt(1 - x), sqrt(1 + x); zeros keep their signs */
} Roots;

static Roots roots_of(const ComplexBuilder *c, ComplexParts x) {
    IrNode *one = complex_number(c, 1);
    return (Roots){complex_sqrt(c, (ComplexParts){real_sub(c, one, x.re), negated(c, x.im)}),
                   complex_sqrt(c, (ComplexParts){real_add(c, one, x.re), x.im})};
}

/* The imaginary part of conj(a) b. */
static IrNode *crossed(const ComplexBuilder *c, ComplexParts a, ComplexParts b) {
    return real_sub(c, real_mul(c, a.re, b.im), real_mul(c, a.im, b.re));
}

/* `near`, but at an infinity the angle atan2(y, x) and an infinite imaginary part with the sign of `sign`. */
static ComplexParts with_ends(const ComplexBuilder *c, ComplexParts x, ComplexParts near, IrNode *y,
                              IrNode *along, IrNode *sign) {
    IrNode *is_far = is_boundless(c, x), *infinity = complex_number(c, INFINITY);
    return (ComplexParts){real_where(c, is_far, real_op2(c, OP_atan2, y, along), near.re),
                          real_where(c, is_far, real_op2(c, OP_copysign, infinity, sign), near.im)};
}

ComplexParts complex_asin(const ComplexBuilder *c, ComplexParts x) {
    Roots r = roots_of(c, x);
    IrNode *product = real_sub(c, real_mul(c, r.below.re, r.above.re), real_mul(c, r.below.im, r.above.im));
    ComplexParts near = {real_op2(c, OP_atan2, x.re, product),
                         real_op1(c, OP_asinh, crossed(c, r.below, r.above))};
    return with_ends(c, x, near, x.re, size_of(c, x.im), x.im);
}

ComplexParts complex_acos(const ComplexBuilder *c, ComplexParts x) {
    Roots r = roots_of(c, x);
    IrNode *half = real_op2(c, OP_atan2, r.below.re, r.above.re);
    ComplexParts near = {real_add(c, half, half), real_op1(c, OP_asinh, crossed(c, r.above, r.below))};
    return with_ends(c, x, near, size_of(c, x.im), x.re, negated(c, x.im));
}

/* x / (x^2 + y^2) where one of them is large. */
static IrNode *reciprocal_part(const ComplexBuilder *c, IrNode *x, IrNode *y) {
    IrNode *is_steep = real_op2(c, OP_gt, y, x), *zero = complex_number(c, 0);
    IrNode *down = real_div(c, x, y), *across = real_div(c, y, x);
    IrNode *steep = real_div(c, down, real_add(c, y, real_mul(c, x, down)));
    IrNode *flat = real_div(c, complex_number(c, 1), real_add(c, x, real_mul(c, y, across)));
    IrNode *is_far = real_either(c, real_is(c, OP_eq, x, INFINITY), real_is(c, OP_eq, y, INFINITY));
    return real_where(c, is_far, zero, real_where(c, is_steep, steep, flat));
}

ComplexParts complex_atanh(const ComplexBuilder *c, ComplexParts x) {
    double epsilon = c->part == DTYPE_f32 ? 0x1p-23 : 0x1p-52;
    IrNode *a = size_of(c, x.re), *b = size_of(c, x.im), *one = complex_number(c, 1);
    IrNode *less = real_sub(c, one, a), *two_b = real_add(c, b, b);
    IrNode *at_pole = real_is(c, OP_eq, a, 1), *is_thin = real_is(c, OP_lt, b, epsilon);
    /* log1p(4 a / ((a - 1)^2 + b^2)) / 4, next to the pole (log 2 - log b) / 2 */
    IrNode *square = real_add(c, real_mul(c, less, less), real_mul(c, b, b));
    IrNode *ratio = real_div(c, real_mul(c, a, complex_number(c, 4)), square);
    IrNode *re = real_mul(c, real_op1(c, OP_log1p, ratio), complex_number(c, 0.25));
    IrNode *pole =
        real_mul(c, real_sub(c, complex_number(c, M_LN2), real_op1(c, OP_log, b)), complex_number(c, 0.5));
    re = real_where(c, real_both(c, at_pole, is_thin), pole, re);
    /* atan2(2 b, (1 - a) (1 + a) - b^2) / 2 */
    IrNode *width = real_mul(c, less, real_add(c, one, a));
    IrNode *below = real_where(c, is_thin, width, real_sub(c, width, real_mul(c, b, b)));
    IrNode *angle = real_op2(c, OP_atan2, two_b, below);
    angle = real_where(c, at_pole, real_op2(c, OP_atan2, complex_number(c, 2), negated(c, b)), angle);
    IrNode *im = real_mul(c, angle, complex_number(c, 0.5));
    IrNode *is_large = real_either(c, real_is(c, OP_gt, a, 1 / epsilon), real_is(c, OP_gt, b, 1 / epsilon));
    re = real_where(c, is_large, reciprocal_part(c, a, b), re);
    im = real_where(c, is_large, complex_number(c, M_PI_2), im);
    /* on the axes a part is that of the real function */
    IrNode *is_real = real_both(c, real_is(c, OP_eq, b, 0), real_is(c, OP_le, a, 1));
    IrNode *is_imaginary = real_is(c, OP_eq, a, 0);
    re = real_where(c, is_real, real_op1(c, OP_atanh, a), real_where(c, is_imaginary, a, re));
    im = real_where(c, is_real, b, real_where(c, is_imaginary, real_op1(c, OP_atan, b), im));
    return (ComplexParts){real_op2(c, OP_copysign, re, x.re), real_op2(c, OP_copysign, im, x.im)};
}
