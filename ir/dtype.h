/* Element types: the enum and the facts of dtypes.def, and NumPy 2's promotion. */
#ifndef GMX_IR_DTYPE_H
#define GMX_IR_DTYPE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum Dtype {
#define DTYPE(name, ...) DTYPE_##name,
#include "ir/dtypes.def"
    DTYPE_COUNT
} Dtype;

typedef enum DtypeKind { KIND_BOOL, KIND_UNSIGNED, KIND_SIGNED, KIND_FLOAT, KIND_COMPLEX } DtypeKind;

typedef struct DtypeInfo {
    const char *name;
    DtypeKind kind;
    uint8_t bytes;
    Dtype compute;
    const char *numpy;
    const char *c_type;
} DtypeInfo;

extern const DtypeInfo dtype_info[DTYPE_COUNT];

static inline const char *dtype_name(Dtype dtype) {
    return dtype_info[dtype].name;
}
static inline DtypeKind dtype_kind(Dtype dtype) {
    return dtype_info[dtype].kind;
}
static inline bool dtype_is_integer(Dtype dtype) {
    return dtype_kind(dtype) == KIND_UNSIGNED || dtype_kind(dtype) == KIND_SIGNED;
}
static inline bool dtype_is_float(Dtype dtype) {
    return dtype_kind(dtype) == KIND_FLOAT;
}
static inline bool dtype_is_complex(Dtype dtype) {
    return dtype_kind(dtype) == KIND_COMPLEX;
}
/* The dtype of the real and the imaginary part; any other dtype itself. */
static inline Dtype dtype_part(Dtype dtype) {
    return dtype == DTYPE_c64 ? DTYPE_f32 : dtype == DTYPE_c128 ? DTYPE_f64 : dtype;
}
/* The complex dtype with parts of this dtype: c64 of f32 (and what fits it), c128 of f64. */
static inline Dtype dtype_of_parts(Dtype part) {
    return part == DTYPE_f64 || part == DTYPE_c128 ? DTYPE_c128 : DTYPE_c64;
}
/* Finds a dtype by its GMX name; false when there is none. */
bool dtype_find(const char *name, Dtype *out);

/* numpy.result_type(a, b) for two arrays; bf16 as ml_dtypes has it. */
Dtype dtype_promote(Dtype a, Dtype b);

/* The same when one side is weak (a literal, a dim: alone i64 or f64): the weak side only
 * raises the kind (NEP 50).  `weak` is DTYPE_i64, DTYPE_f64, DTYPE_c128 or DTYPE_bool. */
Dtype dtype_promote_weak(Dtype strong, Dtype weak);

/* The float dtype in which `sqrt`, `/` … of this dtype are done (integers give f64; NumPy's f16
 * for 8-bit and f32 for 16-bit integers is followed). */
Dtype dtype_to_float(Dtype dtype);

/* True if every value of `from` is exactly a value of `to` (the "no silent loss" rule). */
bool dtype_fits(Dtype from, Dtype to);

#endif
