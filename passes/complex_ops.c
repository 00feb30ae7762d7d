/* complex: one function per elementwise op whose `complex` column is not NO, found through ops.def.
 *
 * Products follow the textbook formula and quotients Smith's method, operation by operation as NumPy has
 * them, so infinities and NaN spread as they do there: (inf + 0i) * (1 + 0i) has a NaN part. */
#include "passes/complex.h"
#include "passes/simplify.h"

#include <math.h>

IrNode *complex_number(const ComplexBuilder *c, double value) {
    return simplify_repeat(c->b, ir_const_number(c->b, c->part, value), c->shape);
}

static ComplexParts of_real(IrNode *x) {
    return (ComplexParts){x, NULL};
}

static ComplexParts each(const ComplexBuilder *c, Op op, ComplexParts x) {
    IrNode *re = real_op1(c, op, x.re);
    return (ComplexParts){re, real_op1(c, op, x.im)};
}

static ComplexParts each2(const ComplexBuilder *c, Op op, const ComplexParts *x) {
    IrNode *re = real_op2(c, op, x[0].re, x[1].re);
    return (ComplexParts){re, real_op2(c, op, x[0].im, x[1].im)};
}

static ComplexParts scaled(const ComplexBuilder *c, ComplexParts x, IrNode *factor) {
    return (ComplexParts){real_mul(c, x.re, factor), real_mul(c, x.im, factor)};
}

static ComplexParts chosen(const ComplexBuilder *c, IrNode *condition, ComplexParts x, ComplexParts y) {
    return (ComplexParts){real_where(c, condition, x.re, y.re), real_where(c, condition, x.im, y.im)};
}

static ComplexParts number(const ComplexBuilder *c, double re, double im) {
    return (ComplexParts){complex_number(c, re), complex_number(c, im)};
}

static IrNode *magnitude(const ComplexBuilder *c, ComplexParts x) {
    return real_op2(c, OP_hypot, x.re, x.im);
}

static IrNode *is_zero(const ComplexBuilder *c, ComplexParts x) {
    return real_both(c, real_is(c, OP_eq, x.re, 0), real_is(c, OP_eq, x.im, 0));
}

/* ---- arithmetic ---------------------------------------------------------------------------------------- */

ComplexParts complex_multiply(const ComplexBuilder *c, ComplexParts x, ComplexParts y) {
    IrNode *re_re = real_mul(c, x.re, y.re), *im_im = real_mul(c, x.im, y.im);
    IrNode *re_im = real_mul(c, x.re, y.im), *im_re = real_mul(c, x.im, y.re);
    IrNode *re = real_sub(c, re_re, im_im);
    return (ComplexParts){re, real_add(c, re_im, im_re)};
}

/* Smith's method: divides by the larger part of the divisor first. */
static ComplexParts divide(const ComplexBuilder *c, ComplexParts x, ComplexParts y) {
    IrNode *re = real_op1(c, OP_abs, y.re), *im = real_op1(c, OP_abs, y.im);
    IrNode *by_real = real_op2(c, OP_ge, re, im);
    IrNode *large = real_where(c, by_real, y.re, y.im), *small = real_where(c, by_real, y.im, y.re);
    IrNode *ratio = real_div(c, small, large);
    IrNode *scale = real_div(c, complex_number(c, 1), real_add(c, large, real_mul(c, small, ratio)));
    IrNode *re_ratio = real_mul(c, x.re, ratio), *im_ratio = real_mul(c, x.im, ratio);
    ComplexParts sum =
        chosen(c, by_real, (ComplexParts){real_add(c, x.re, im_ratio), real_sub(c, x.im, re_ratio)},
               (ComplexParts){real_add(c, re_ratio, x.im), real_sub(c, im_ratio, x.re)});
    ComplexParts by_zero = {real_div(c, x.re, re), real_div(c, x.im, re)};
    return chosen(c, is_zero(c, y), by_zero, scaled(c, sum, scale));
}

static ComplexParts pass_complex_neg(const ComplexBuilder *c, const ComplexParts *x) {
    return each(c, OP_neg, x[0]);
}

static ComplexParts pass_complex_add(const ComplexBuilder *c, const ComplexParts *x) {
    return each2(c, OP_add, x);
}

static ComplexParts pass_complex_sub(const ComplexBuilder *c, const ComplexParts *x) {
    return each2(c, OP_sub, x);
}

static ComplexParts pass_complex_mul(const ComplexBuilder *c, const ComplexParts *x) {
    return complex_multiply(c, x[0], x[1]);
}

static ComplexParts pass_complex_div(const ComplexBuilder *c, const ComplexParts *x) {
    return divide(c, x[0], x[1]);
}

static ComplexParts pass_complex_abs(const ComplexBuilder *c, const ComplexParts *x) {
    return of_real(magnitude(c, x[0]));
}

static ComplexParts pass_complex_round(const ComplexBuilder *c, const ComplexParts *x) {
    return each(c, OP_round, x[0]);
}

/* x / |x|, the limit of it at infinities along an axis, 0 at 0. */
static ComplexParts pass_complex_sign(const ComplexBuilder *c, const ComplexParts *x) {
    IrNode *size = magnitude(c, x[0]);
    IrNode *re_inf = real_is(c, OP_eq, real_op1(c, OP_abs, x[0].re), INFINITY);
    IrNode *im_inf = real_is(c, OP_eq, real_op1(c, OP_abs, x[0].im), INFINITY);
    ComplexParts unit = {real_div(c, x[0].re, size), real_div(c, x[0].im, size)};
    IrNode *zero = complex_number(c, 0);
    ComplexParts at_re = {real_op1(c, OP_sign, x[0].re), zero}, at_im = {zero, real_op1(c, OP_sign, x[0].im)};
    ComplexParts nan = number(c, NAN, NAN);
    ComplexParts limit = chosen(c, re_inf, chosen(c, im_inf, nan, at_re), at_im);
    unit = chosen(c, real_either(c, re_inf, im_inf), limit, unit);
    return chosen(c, is_zero(c, x[0]), number(c, 0, 0), unit);
}

/* ---- comparisons --------------------------------------------------------------------------------------- */

static ComplexParts pass_complex_eq(const ComplexBuilder *c, const ComplexParts *x) {
    ComplexParts same = each2(c, OP_eq, x);
    return of_real(real_both(c, same.re, same.im));
}

static ComplexParts pass_complex_ne(const ComplexBuilder *c, const ComplexParts *x) {
    ComplexParts other = each2(c, OP_ne, x);
    return of_real(real_either(c, other.re, other.im));
}

static ComplexParts pass_complex_where(const ComplexBuilder *c, const ComplexParts *x) {
    return chosen(c, x[0].re, x[1], x[2]);
}

/* ---- functions ----------------------------------------------------------------------------------------- */

static ComplexParts pass_complex_sqrt(const ComplexBuilder *c, const ComplexParts *x) {
    return complex_sqrt(c, x[0]);
}

static ComplexParts pass_complex_exp(const ComplexBuilder *c, const ComplexParts *x) {
    return complex_exp(c, x[0]);
}

static ComplexParts pass_complex_exp2(const ComplexBuilder *c, const ComplexParts *x) {
    return complex_exp(c, scaled(c, x[0], complex_number(c, M_LN2)));
}

/* e^x cos y - 1 as (e^x - 1) cos y - 2 sin(y / 2)^2, exact near zero. */
static ComplexParts pass_complex_expm1(const ComplexBuilder *c, const ComplexParts *x) {
    IrNode *half = real_op1(c, OP_sin, real_mul(c, x[0].im, complex_number(c, 0.5)));
    IrNode *grown = real_mul(c, real_op1(c, OP_expm1, x[0].re), real_op1(c, OP_cos, x[0].im));
    IrNode *turned = real_mul(c, complex_number(c, 2), real_mul(c, half, half));
    IrNode *im = real_mul(c, real_op1(c, OP_exp, x[0].re), real_op1(c, OP_sin, x[0].im));
    return (ComplexParts){real_sub(c, grown, turned), im};
}

static ComplexParts pass_complex_log(const ComplexBuilder *c, const ComplexParts *x) {
    return complex_log(c, x[0]);
}

static ComplexParts pass_complex_log2(const ComplexBuilder *c, const ComplexParts *x) {
    return scaled(c, complex_log(c, x[0]), complex_number(c, 1 / M_LN2));
}

static ComplexParts pass_complex_log10(const ComplexBuilder *c, const ComplexParts *x) {
    return scaled(c, complex_log(c, x[0]), complex_number(c, 1 / M_LN10));
}

static ComplexParts pass_complex_log1p(const ComplexBuilder *c, const ComplexParts *x) {
    return complex_log1p(c, x[0]);
}

static ComplexParts pass_complex_sin(const ComplexBuilder *c, const ComplexParts *x) {
    return complex_sine(c, x[0].re, x[0].im);
}

static ComplexParts pass_complex_cos(const ComplexBuilder *c, const ComplexParts *x) {
    return complex_cosine(c, x[0].re, x[0].im);
}

/* sinh(x + iy) = -i sin(i (x + iy)) */
static ComplexParts pass_complex_sinh(const ComplexBuilder *c, const ComplexParts *x) {
    ComplexParts turned = complex_sine(c, x[0].im, x[0].re);
    return (ComplexParts){turned.im, turned.re};
}

static ComplexParts pass_complex_cosh(const ComplexBuilder *c, const ComplexParts *x) {
    return complex_cosine(c, real_op1(c, OP_neg, x[0].im), x[0].re);
}

static ComplexParts pass_complex_tanh(const ComplexBuilder *c, const ComplexParts *x) {
    return complex_tanh(c, x[0]);
}

/* tan(x + iy) = -i tanh(i (x + iy)) */
static ComplexParts pass_complex_tan(const ComplexBuilder *c, const ComplexParts *x) {
    ComplexParts turned = complex_tanh(c, (ComplexParts){real_op1(c, OP_neg, x[0].im), x[0].re});
    return (ComplexParts){turned.im, real_op1(c, OP_neg, turned.re)};
}

static ComplexParts pass_complex_asin(const ComplexBuilder *c, const ComplexParts *x) {
    return complex_asin(c, x[0]);
}

static ComplexParts pass_complex_acos(const ComplexBuilder *c, const ComplexParts *x) {
    return complex_acos(c, x[0]);
}

/* atan(x + iy) = -i atanh(i (x + iy)), and so asinh from asin */
static ComplexParts pass_complex_atan(const ComplexBuilder *c, const ComplexParts *x) {
    ComplexParts turned = complex_atanh(c, (ComplexParts){real_op1(c, OP_neg, x[0].im), x[0].re});
    return (ComplexParts){turned.im, real_op1(c, OP_neg, turned.re)};
}

static ComplexParts pass_complex_asinh(const ComplexBuilder *c, const ComplexParts *x) {
    ComplexParts turned = complex_asin(c, (ComplexParts){real_op1(c, OP_neg, x[0].im), x[0].re});
    return (ComplexParts){turned.im, real_op1(c, OP_neg, turned.re)};
}

/* i acos(z) or -i acos(z), whichever has a real part that is not negative. */
static ComplexParts pass_complex_acosh(const ComplexBuilder *c, const ComplexParts *x) {
    ComplexParts angle = complex_acos(c, x[0]);
    return (ComplexParts){real_op1(c, OP_abs, angle.im), real_op2(c, OP_copysign, angle.re, x[0].im)};
}

static ComplexParts pass_complex_atanh(const ComplexBuilder *c, const ComplexParts *x) {
    return complex_atanh(c, x[0]);
}

/* ---- powers -------------------------------------------------------------------------------------------- */

/* A real whole exponent below 100 that is the same everywhere. */
static bool small_power(const ComplexBuilder *c, ComplexParts y, int64_t *out) {
    uint64_t re, im;
    if (!simplify_splat(y.re, &re) || !simplify_splat(y.im, &im))
        return false;
    double value = ir_const_as_double(ir_const(c->b, c->part, re));
    if (ir_const_as_double(ir_const(c->b, c->part, im)) != 0 || !(value > -100 && value < 100) ||
        value != floor(value))
        return false;
    *out = (int64_t)value;
    return true;
}

static ComplexParts repeated_product(const ComplexBuilder *c, ComplexParts x, int64_t power) {
    uint64_t left = (uint64_t)(power < 0 ? -power : power);
    ComplexParts result = {NULL, NULL};
    for (;; x = complex_multiply(c, x, x)) {
        if (left & 1)
            result = result.re ? complex_multiply(c, result, x) : x;
        left >>= 1;
        if (!left)
            return power < 0 ? divide(c, number(c, 1, 0), result) : result;
    }
}

static ComplexParts pass_complex_pow(const ComplexBuilder *c, const ComplexParts *x) {
    int64_t power;
    if (small_power(c, x[1], &power))
        return power ? repeated_product(c, x[0], power) : number(c, 1, 0);
    ComplexParts general = complex_exp(c, complex_multiply(c, x[1], complex_log(c, x[0])));
    /* 0 to a positive real power is 0, to any other but 0 not a number */
    IrNode *vanishes = real_both(c, real_is(c, OP_gt, x[1].re, 0), real_is(c, OP_eq, x[1].im, 0));
    ComplexParts at_zero = chosen(c, vanishes, number(c, 0, 0), number(c, NAN, NAN));
    general = chosen(c, is_zero(c, x[0]), at_zero, general);
    return chosen(c, is_zero(c, x[1]), number(c, 1, 0), general);
}

/* ---- the table ----------------------------------------------------------------------------------------- */

typedef ComplexParts (*Expansion)(const ComplexBuilder *c, const ComplexParts *x);

#define EXPANSION_NO(name)   NULL
#define EXPANSION_YES(name)  pass_complex_##name
#define EXPANSION_REAL(name) pass_complex_##name
static const Expansion expansions[OP_COUNT] = {
#define OP1(name, dtype, complex, ...) [OP_##name] = EXPANSION_##complex(name),
#define OP2(name, dtype, complex, ...) [OP_##name] = EXPANSION_##complex(name),
#define OP3(name, dtype, complex, ...) [OP_##name] = EXPANSION_##complex(name),
#include "ir/ops.def"
};

ComplexParts complex_expand(const ComplexBuilder *c, Op op, const ComplexParts *x) {
    return expansions[op] ? expansions[op](c, x) : (ComplexParts){NULL, NULL};
}
