/* Element types: the table, look-up, and promotion as NumPy 2 does it. */
#include "ir/dtype.h"
#include <string.h>

const DtypeInfo dtype_info[DTYPE_COUNT] = {
#define DTYPE(name, kind, bytes, compute, numpy, c_type)                                                     \
    [DTYPE_##name] = {#name, KIND_##kind, bytes, DTYPE_##compute, numpy, c_type},
#include "ir/dtypes.def"
};

bool dtype_find(const char *name, Dtype *out) {
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (!strcmp(dtype_info[i].name, name))
            return *out = (Dtype)i, true;
    return false;
}

static Dtype signed_of_bytes(int bytes) {
    return bytes <= 1 ? DTYPE_i8 : bytes == 2 ? DTYPE_i16 : bytes == 4 ? DTYPE_i32 : DTYPE_i64;
}

/* The smallest float that NumPy takes for all values of an integer of this width. */
static Dtype float_of_integer(Dtype integer) {
    int bytes = dtype_info[integer].bytes;
    return bytes == 1 ? DTYPE_f16 : bytes == 2 ? DTYPE_f32 : DTYPE_f64;
}

static Dtype promote_floats(Dtype a, Dtype b) {
    if (a == b)
        return a;
    if (dtype_info[a].bytes == 2 && dtype_info[b].bytes == 2)
        return DTYPE_f32; /* f16 with bf16 */
    return a > b ? a : b;
}

static Dtype promote_integers(Dtype a, Dtype b) {
    DtypeKind ka = dtype_kind(a), kb = dtype_kind(b);
    if (ka == kb)
        return a > b ? a : b;
    Dtype u = ka == KIND_UNSIGNED ? a : b, s = ka == KIND_UNSIGNED ? b : a;
    int ub = dtype_info[u].bytes, sb = dtype_info[s].bytes;
    if (sb > ub)
        return s;
    return ub == 8 ? DTYPE_f64 : signed_of_bytes(ub * 2);
}

static Dtype promote_complex(Dtype complex, Dtype other) {
    if (complex == DTYPE_c128 || other == DTYPE_c128 || other == DTYPE_f64)
        return DTYPE_c128;
    if (dtype_is_integer(other) && dtype_info[other].bytes >= 4)
        return DTYPE_c128;
    return DTYPE_c64;
}

Dtype dtype_promote(Dtype a, Dtype b) {
    DtypeKind ka = dtype_kind(a), kb = dtype_kind(b);
    if (a == b)
        return a;
    if (ka == KIND_BOOL)
        return b;
    if (kb == KIND_BOOL)
        return a;
    if (ka == KIND_COMPLEX)
        return promote_complex(a, b);
    if (kb == KIND_COMPLEX)
        return promote_complex(b, a);
    if (ka == KIND_FLOAT && kb == KIND_FLOAT)
        return promote_floats(a, b);
    if (ka == KIND_FLOAT || kb == KIND_FLOAT) {
        Dtype f = ka == KIND_FLOAT ? a : b, i = ka == KIND_FLOAT ? b : a;
        if (f == DTYPE_bf16) /* ml_dtypes: bfloat16 with any integer stays bfloat16 */
            return f;
        return promote_floats(f, float_of_integer(i));
    }
    return promote_integers(a, b);
}

Dtype dtype_promote_weak(Dtype strong, Dtype weak) {
    DtypeKind ks = dtype_kind(strong), kw = dtype_kind(weak);
    if (ks >= kw || (kw == KIND_SIGNED && ks == KIND_UNSIGNED))
        return strong;
    if (kw == KIND_SIGNED)
        return DTYPE_i64; /* bool with an integer literal */
    if (kw == KIND_COMPLEX)
        return strong == DTYPE_f64 || ks != KIND_FLOAT ? DTYPE_c128 : DTYPE_c64;
    return DTYPE_f64; /* bool or integer with a float literal */
}

Dtype dtype_to_float(Dtype dtype) {
    switch (dtype_kind(dtype)) {
    case KIND_FLOAT:
    case KIND_COMPLEX:
        return dtype;
    case KIND_BOOL:
        return DTYPE_f16;
    default:
        return float_of_integer(dtype);
    }
}

bool dtype_fits(Dtype from, Dtype to) {
    DtypeKind kf = dtype_kind(from), kt = dtype_kind(to);
    int bf = dtype_info[from].bytes, bt = dtype_info[to].bytes;
    if (from == to || kf == KIND_BOOL)
        return true;
    if (kf == KIND_COMPLEX)
        return kt == KIND_COMPLEX && bt >= bf;
    if (kf == KIND_FLOAT)
        return (kt == KIND_FLOAT && bt > bf) || (kt == KIND_COMPLEX && bt >= 2 * bf);
    switch (kt) {
    case KIND_UNSIGNED:
        return kf == KIND_UNSIGNED && bt >= bf;
    case KIND_SIGNED:
        return kf == KIND_SIGNED ? bt >= bf : bt > bf;
    case KIND_FLOAT: /* significand bits: f16 11, bf16 8, f32 24, f64 53 */
        return to == DTYPE_f64 ? bf <= 4 : to == DTYPE_f32 ? bf <= 2 : bf == 1;
    case KIND_COMPLEX:
        return to == DTYPE_c128 ? bf <= 4 : bf <= 2;
    default:
        return false;
    }
}
