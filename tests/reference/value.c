/* Tensors of the reference evaluator: rounding, what is exact, and how far right answers may be off. */
#include "tests/reference/reference.h"

#include <float.h>
#include <math.h>

RefTensor *ref_tensor_new(Reference *r, Dtype dtype, uint32_t rank, const int64_t *shape) {
    RefTensor *x = ARENA_NEW(r->arena, RefTensor);
    *x = (RefTensor){.dtype = dtype, .rank = rank, .size = 1};
    for (uint32_t k = 0; k < rank; k++) {
        if (shape[k] < 0)
            ref_stop(r, REF_BROKEN, 0, "a negative extent");
        x->shape[k] = shape[k];
        if (__builtin_mul_overflow(x->size, shape[k], &x->size))
            ref_stop(r, REF_TOO_MUCH, 0, "too large");
    }
    if ((r->budget -= x->size + 8) < 0)
        ref_stop(r, REF_TOO_MUCH, 0, "too much to compute");
    x->at = ARENA_ARRAY(r->arena, RefElement, (size_t)x->size);
    return x;
}

RefTensor *ref_tensor_like(Reference *r, Dtype dtype, const RefTensor *shape_of) {
    return ref_tensor_new(r, dtype, shape_of->rank, shape_of->shape);
}

int64_t ref_wrap(Dtype dtype, uint64_t bits) {
    int shift = 64 - 8 * dtype_info[dtype].bytes;
    if (dtype == DTYPE_bool)
        return bits & 1;
    return dtype_kind(dtype) == KIND_SIGNED ? (int64_t)(bits << shift) >> shift
                                            : (int64_t)(bits << shift >> shift);
}

/* `precision` bits, none below 2^least. */
static double round_bits(double value, int precision, int least, double largest) {
    int exponent;
    if (!isfinite(value) || value == 0)
        return value;
    frexp(value, &exponent);
    int unit = exponent - precision > least ? exponent - precision : least;
    double rounded = ldexp(nearbyint(ldexp(value, -unit)), unit);
    return fabs(rounded) > largest ? copysign(INFINITY, value) : rounded;
}

double ref_round(Dtype dtype, double value) {
    switch (dtype) {
    case DTYPE_f16:
        return round_bits(value, 11, -24, 65504);
    case DTYPE_bf16:
        return round_bits(value, 8, -133, 0x1.fep127);
    case DTYPE_f32:
        return (float)value;
    default:
        return value;
    }
}

double ref_unit(Dtype dtype) {
    switch (dtype) {
    case DTYPE_f16:
        return 1e-2;
    case DTYPE_bf16:
        return 8e-2;
    case DTYPE_f32:
        return 1e-4;
    default:
        return 1e-10;
    }
}

long double ref_real(const RefTensor *x, int64_t i) {
    if (dtype_is_float(x->dtype))
        return x->at[i].hi;
    return x->dtype == DTYPE_u64 ? (long double)(uint64_t)x->at[i].i : (long double)x->at[i].i;
}

static double half_value(uint16_t bits, int exponent_bits) {
    int mantissa_bits = 15 - exponent_bits, bias = (1 << (exponent_bits - 1)) - 1;
    int exponent = bits >> mantissa_bits & ((1 << exponent_bits) - 1);
    int mantissa = bits & ((1 << mantissa_bits) - 1);
    double value;
    if (exponent == (1 << exponent_bits) - 1)
        value = mantissa ? NAN : INFINITY;
    else if (exponent)
        value = ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
    else
        value = ldexp(mantissa, 1 - bias - mantissa_bits);
    return bits >> 15 ? -value : value;
}

RefElement ref_load(Dtype dtype, const void *at) {
    RefElement e = {.exact = true};
    uint64_t bits = 0;
    float single;
    memcpy(&bits, at, dtype_info[dtype].bytes);
    switch (dtype) {
    case DTYPE_f16:
        e.lo = half_value((uint16_t)bits, 5);
        break;
    case DTYPE_bf16:
        e.lo = half_value((uint16_t)bits, 8);
        break;
    case DTYPE_f32:
        memcpy(&single, at, sizeof single);
        e.lo = single;
        break;
    case DTYPE_f64:
        memcpy(&e.lo, at, sizeof e.lo);
        break;
    default:
        e.i = dtype == DTYPE_bool ? bits != 0 : ref_wrap(dtype, bits);
        return e;
    }
    e.hi = e.lo;
    return e;
}

void ref_set(RefTensor *x, int64_t i, double lo, long double hi, bool exact) {
    lo = ref_round(x->dtype, lo);
    if (isinf(ref_round(x->dtype, (double)hi)))
        hi = copysignl(INFINITY, hi);
    x->at[i] = (RefElement){.lo = lo, .hi = hi, .exact = exact && (hi == lo || (isnan(lo) && isnan(hi)))};
}

void ref_finish(Reference *r, RefTensor *x, const RefTensor *const *from, uint32_t count) {
    if (!dtype_is_float(x->dtype))
        return;
    for (uint32_t k = 0; k < count; k++) {
        if (!dtype_is_float(from[k]->dtype))
            continue;
        x->scale = fmax(x->scale, from[k]->scale);
        x->tolerance = fmax(x->tolerance, from[k]->tolerance);
    }
    bool exact = true;
    for (int64_t i = 0; i < x->size; i++) {
        const RefElement *e = &x->at[i];
        exact = exact && e->exact;
        if (isfinite(e->hi) && fabsl(e->hi) > x->scale)
            x->scale = (double)fabsl(e->hi);
    }
    if (exact)
        return;
    x->tolerance = fmax(x->tolerance, ref_unit(x->dtype));
    double allowed = x->tolerance * x->scale / 8;
    for (int64_t i = 0; i < x->size; i++) {
        const RefElement *e = &x->at[i];
        bool same = isfinite(e->lo) && isfinite(e->hi) ? fabsl(e->lo - e->hi) <= allowed
                                                       : e->lo == e->hi || (isnan(e->lo) && isnan(e->hi));
        if (!same)
            ref_stop(r, REF_UNSTABLE, 0, "two precisions disagree: %g and %Lg", e->lo, e->hi);
    }
}

double ref_slack(const RefTensor *x, int64_t i) {
    return dtype_is_float(x->dtype) && !x->at[i].exact ? x->tolerance * x->scale / 8 : 0;
}

void ref_decide(Reference *r, const RefTensor *x, int64_t i, long double threshold) {
    double slack = ref_slack(x, i);
    if (slack > 0 && fabsl(x->at[i].hi - threshold) <= slack)
        ref_stop(r, REF_UNSTABLE, 0, "%Lg is too near to %Lg", x->at[i].hi, threshold);
}

void ref_next(const RefTensor *x, int64_t *index) {
    for (uint32_t k = x->rank; k-- > 0;) {
        if (++index[k] < x->shape[k])
            return;
        index[k] = 0;
    }
}

int64_t ref_offset(const RefTensor *x, const int64_t *index) {
    int64_t offset = 0;
    for (uint32_t k = 0; k < x->rank; k++)
        offset = offset * x->shape[k] + index[k];
    return offset;
}
