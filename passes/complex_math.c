/* complex: exp, log, sqrt, tanh, sin and cos on parts, with the special values of C99's Annex G and without
 * overflow on the way to a result that is finite.  Every case is computed and chosen from, so that the code
 * stays free of branches; `part` says where its functions overflow. */
#include "passes/complex.h"

#include <math.h>

static bool is_single(const ComplexBuilder *c) {
    return c->part == DTYPE_f32;
}

/* exp overflows beyond it by less than a factor of exp(it). */
static double exp_limit(const ComplexBuilder *c) {
    return is_single(c) ? 80 : 700;
}

static IrNode *is_finite(const ComplexBuilder *c, IrNode *x) {
    return real_is(c, OP_eq, real_sub(c, x, x), 0);
}

static IrNode *is_infinite(const ComplexBuilder *c, IrNode *x) {
    return real_is(c, OP_eq, real_op1(c, OP_abs, x), INFINITY);
}

static IrNode *copysign_of(const ComplexBuilder *c, IrNode *size, IrNode *sign) {
    return real_op2(c, OP_copysign, size, sign);
}

/* exp(x) = low * high, where low alone overflows only if x is twice the limit. */
static IrNode *split_exp(const ComplexBuilder *c, IrNode *x, IrNode **high) {
    double limit = exp_limit(c);
    IrNode *is_large = real_is(c, OP_gt, x, limit), *rest = real_sub(c, x, complex_number(c, limit));
    *high = real_where(c, is_large, complex_number(c, exp(limit)), complex_number(c, 1));
    return real_op1(c, OP_exp, real_where(c, is_large, rest, x));
}

ComplexParts complex_exp(const ComplexBuilder *c, ComplexParts x) {
    IrNode *high, *low = split_exp(c, x.re, &high), *zero = complex_number(c, 0);
    IrNode *re = real_mul(c, real_mul(c, low, real_op1(c, OP_cos, x.im)), high);
    IrNode *im = real_mul(c, real_mul(c, low, real_op1(c, OP_sin, x.im)), high);
    IrNode *is_real = real_is(c, OP_eq, x.im, 0), *is_bounded = is_finite(c, x.im);
    IrNode *is_gone = real_is(c, OP_eq, x.re, -INFINITY), *is_large = real_is(c, OP_eq, x.re, INFINITY);
    IrNode *re_end = real_where(c, is_gone, zero, real_where(c, is_large, x.re, re));
    IrNode *im_end = real_where(c, is_gone, copysign_of(c, zero, x.im), im);
    re = real_where(c, is_bounded, re, re_end);
    im = real_where(c, is_bounded, im, im_end);
    return (ComplexParts){real_where(c, is_real, real_mul(c, low, high), re),
                          real_where(c, is_real, x.im, im)};
}

/* log |x| as log a + log1p((b / a)^2) / 2 with a >= b; near 1 as log1p((a - 1)(a + 1) + b^2) / 2. */
static IrNode *log_magnitude(const ComplexBuilder *c, ComplexParts x) {
    IrNode *re = real_op1(c, OP_abs, x.re), *im = real_op1(c, OP_abs, x.im);
    IrNode *a = real_op2(c, OP_maximum, re, im), *b = real_op2(c, OP_minimum, re, im);
    IrNode *one = complex_number(c, 1), *half = complex_number(c, 0.5);
    IrNode *is_near = real_both(c, real_is(c, OP_gt, a, 0.5), real_is(c, OP_lt, a, 2));
    IrNode *ratio = real_where(c, real_is(c, OP_eq, b, 0), b, real_div(c, b, a));
    IrNode *excess = real_add(c, real_mul(c, real_sub(c, a, one), real_add(c, a, one)), real_mul(c, b, b));
    IrNode *small = real_where(c, is_near, excess, real_mul(c, ratio, ratio));
    IrNode *correction = real_mul(c, half, real_op1(c, OP_log1p, small));
    IrNode *size = real_where(c, is_near, correction, real_add(c, real_op1(c, OP_log, a), correction));
    IrNode *is_far = real_either(c, is_infinite(c, x.re), is_infinite(c, x.im));
    return real_where(c, is_far, complex_number(c, INFINITY), size);
}

ComplexParts complex_log(const ComplexBuilder *c, ComplexParts x) {
    return (ComplexParts){log_magnitude(c, x), real_op2(c, OP_atan2, x.im, x.re)};
}

/* |1 + x|^2 is 1 + re (2 + re) + im^2, used where it is near 1. */
ComplexParts complex_log1p(const ComplexBuilder *c, ComplexParts x) {
    ComplexParts more = {real_add(c, x.re, complex_number(c, 1)), x.im};
    IrNode *excess = real_mul(c, x.re, real_add(c, x.re, complex_number(c, 2)));
    excess = real_add(c, excess, real_mul(c, x.im, x.im));
    IrNode *is_near = real_is(c, OP_lt, real_op1(c, OP_abs, excess), 0.5);
    IrNode *near = real_mul(c, real_op1(c, OP_log1p, excess), complex_number(c, 0.5));
    return (ComplexParts){real_where(c, is_near, near, log_magnitude(c, more)),
                          real_op2(c, OP_atan2, x.im, more.re)};
}

ComplexParts complex_sqrt(const ComplexBuilder *c, ComplexParts x) {
    double huge = is_single(c) ? 0x1p126 : 0x1p1022, tiny = is_single(c) ? 0x1p-100 : 0x1p-900;
    IrNode *zero = complex_number(c, 0), *half = complex_number(c, 0.5), *one = complex_number(c, 1);
    IrNode *largest = real_op2(c, OP_maximum, real_op1(c, OP_abs, x.re), real_op1(c, OP_abs, x.im));
    IrNode *is_huge = real_is(c, OP_gt, largest, huge), *is_tiny = real_is(c, OP_lt, largest, tiny);
    IrNode *up = complex_number(c, is_single(c) ? 0x1p100 : 0x1p200);
    IrNode *down = complex_number(c, is_single(c) ? 0x1p-50 : 0x1p-100);
    IrNode *in = real_where(c, is_huge, complex_number(c, 0x1p-4), real_where(c, is_tiny, up, one));
    IrNode *out = real_where(c, is_huge, complex_number(c, 4), real_where(c, is_tiny, down, one));
    IrNode *re = real_mul(c, x.re, in), *im = real_mul(c, x.im, in);
    IrNode *size = real_add(c, real_op1(c, OP_abs, re), real_op2(c, OP_hypot, re, im));
    IrNode *root = real_op1(c, OP_sqrt, real_mul(c, size, half));
    IrNode *is_left = real_is(c, OP_lt, x.re, 0), *is_zero = real_is(c, OP_eq, largest, 0);
    IrNode *other = real_div(c, real_mul(c, im, half), root);
    root = real_mul(c, root, out), other = real_mul(c, other, out);
    IrNode *made_re = real_where(c, is_left, real_op1(c, OP_abs, other), root);
    IrNode *made_im = real_where(c, is_left, copysign_of(c, root, x.im), other);
    made_re = real_where(c, is_zero, zero, made_re);
    made_im = real_where(c, is_zero, x.im, made_im);
    /* infinities; NaN spreads by itself elsewhere */
    IrNode *infinity = complex_number(c, INFINITY), *nan = real_sub(c, x.im, x.im);
    IrNode *im_nan = real_op2(c, OP_ne, x.im, x.im);
    IrNode *at_right = real_where(c, im_nan, x.im, copysign_of(c, zero, x.im));
    IrNode *is_right = real_is(c, OP_eq, x.re, INFINITY), *at_left = real_is(c, OP_eq, x.re, -INFINITY);
    made_re =
        real_where(c, is_right, infinity, real_where(c, at_left, real_where(c, im_nan, nan, zero), made_re));
    made_im =
        real_where(c, is_right, at_right, real_where(c, at_left, copysign_of(c, infinity, x.im), made_im));
    IrNode *im_infinite = is_infinite(c, x.im);
    return (ComplexParts){real_where(c, im_infinite, infinity, made_re),
                          real_where(c, im_infinite, x.im, made_im)};
}

/* Kahan's: with t = tan y, s = sinh x, b = 1 + t^2 it is (b sqrt(1 + s^2) s + i t) / (1 + b s^2). */
ComplexParts complex_tanh(const ComplexBuilder *c, ComplexParts x) {
    double limit = is_single(c) ? 11 : 22;
    IrNode *one = complex_number(c, 1), *size = real_op1(c, OP_abs, x.re);
    IrNode *is_far = real_is(c, OP_gt, size, limit);
    IrNode *near = real_where(c, is_far, one, x.re);
    IrNode *t = real_op1(c, OP_tan, x.im), *s = real_op1(c, OP_sinh, near);
    IrNode *b = real_add(c, one, real_mul(c, t, t)), *squares = real_mul(c, s, s);
    IrNode *rho = real_op1(c, OP_sqrt, real_add(c, one, squares));
    IrNode *below = real_add(c, one, real_mul(c, b, squares));
    IrNode *re = real_div(c, real_mul(c, real_mul(c, b, rho), s), below), *im = real_div(c, t, below);
    /* far out: 1 and 4 sin y cos y / e^2|x| */
    IrNode *shrunk = real_op1(c, OP_exp, real_mul(c, size, complex_number(c, -2)));
    IrNode *turn = real_mul(c, real_op1(c, OP_sin, x.im), real_op1(c, OP_cos, x.im));
    IrNode *vanishing = real_mul(c, real_mul(c, turn, complex_number(c, 4)), shrunk);
    IrNode *zero = copysign_of(c, complex_number(c, 0), x.im);
    vanishing =
        real_where(c, real_both(c, is_infinite(c, x.re), real_op1(c, OP_logical_not, is_finite(c, x.im))),
                   zero, vanishing);
    re = real_where(c, is_far, copysign_of(c, one, x.re), re);
    im = real_where(c, is_far, vanishing, im);
    /* on the axes a part is itself, also where the other is not a number */
    IrNode *on_axis = real_is(c, OP_eq, x.im, 0);
    return (ComplexParts){real_where(c, real_is(c, OP_eq, x.re, 0), x.re, re),
                          real_where(c, on_axis, x.im, im)};
}

/* cosh y and sinh y without overflow for twice the range of exp: times `high`, 1 but far out. */
static IrNode *split_hyperbolic(const ComplexBuilder *c, IrNode *y, IrNode **cosine, IrNode **sine) {
    double limit = exp_limit(c);
    IrNode *size = real_op1(c, OP_abs, y), *bound = complex_number(c, limit);
    IrNode *is_large = real_is(c, OP_gt, size, limit);
    IrNode *near = real_where(c, is_large, copysign_of(c, bound, y), y);
    *cosine = real_op1(c, OP_cosh, near);
    *sine = real_op1(c, OP_sinh, near);
    IrNode *rest = real_op1(c, OP_exp, real_sub(c, size, bound));
    return real_where(c, is_large, rest, complex_number(c, 1));
}

/* factor * grown * high; a factor of 0 stays 0 also next to an infinity. */
static IrNode *grown_part(const ComplexBuilder *c, IrNode *factor, IrNode *grown, IrNode *high,
                          IrNode *is_none) {
    IrNode *product = real_mul(c, real_mul(c, factor, grown), high);
    return real_where(c, is_none, real_mul(c, factor, copysign_of(c, complex_number(c, 1), grown)), product);
}

/* At an infinity along y the greater part is infinite also where x has no sine. */
static IrNode *grows_anyway(const ComplexBuilder *c, IrNode *x, IrNode *y) {
    return real_both(c, is_infinite(c, y), real_op1(c, OP_logical_not, is_finite(c, x)));
}

ComplexParts complex_sine(const ComplexBuilder *c, IrNode *x, IrNode *y) {
    IrNode *cosh, *sinh, *high = split_hyperbolic(c, y, &cosh, &sinh);
    IrNode *x_zero = real_is(c, OP_eq, x, 0), *y_zero = real_is(c, OP_eq, y, 0);
    IrNode *re = grown_part(c, real_op1(c, OP_sin, x), cosh, high, x_zero);
    IrNode *im = real_mul(c, real_mul(c, real_op1(c, OP_cos, x), sinh), high);
    IrNode *x_finite = is_finite(c, x), *cosine = real_op1(c, OP_cos, x);
    IrNode *signed_zero = real_where(c, x_finite, real_mul(c, cosine, y), y);
    im = real_where(c, grows_anyway(c, x, y), real_op1(c, OP_abs, y), im);
    return (ComplexParts){re, real_where(c, y_zero, signed_zero, im)};
}

ComplexParts complex_cosine(const ComplexBuilder *c, IrNode *x, IrNode *y) {
    IrNode *cosh, *sinh, *high = split_hyperbolic(c, y, &cosh, &sinh);
    IrNode *x_zero = real_is(c, OP_eq, x, 0), *y_zero = real_is(c, OP_eq, y, 0);
    IrNode *re = real_mul(c, real_mul(c, real_op1(c, OP_cos, x), cosh), high);
    IrNode *turned = real_op1(c, OP_neg, real_op1(c, OP_sin, x));
    IrNode *im = grown_part(c, turned, sinh, high, x_zero);
    re = real_where(c, grows_anyway(c, x, y), real_op1(c, OP_abs, y), re);
    IrNode *signed_zero = real_where(c, is_finite(c, x), real_mul(c, turned, y), complex_number(c, 0));
    return (ComplexParts){re, real_where(c, y_zero, signed_zero, im)};
}
