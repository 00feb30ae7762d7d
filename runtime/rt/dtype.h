/* The element types as the runtime sees them: numbers, sizes and kinds, derived from
 * ir/dtypes.def so that they cannot differ from the compiler's, and the error codes of
 * ir/base/diag.def under names of the runtime's own. */
#ifndef GMX_RUNTIME_RT_DTYPE_H
#define GMX_RUNTIME_RT_DTYPE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum RtDtype {
#define DTYPE(name, ...) RT_##name,
#include "ir/dtypes.def"
    RT_DTYPE_COUNT
} RtDtype;

typedef enum RtKind { RT_BOOL, RT_UNSIGNED, RT_SIGNED, RT_FLOAT, RT_COMPLEX } RtKind;

typedef enum RtCode {
    RT_NO_ERROR,
#define DIAG(code, summary) RT_##code,
#include "ir/base/diag.def"
    RT_CODE_COUNT
} RtCode;

typedef struct RtDtypeInfo {
    const char *name;
    RtKind kind;
    int32_t bytes;
    const char *numpy; /* type string of .npy headers without the byte order */
} RtDtypeInfo;

extern const RtDtypeInfo rt_dtype_info[RT_DTYPE_COUNT];

static inline bool rt_dtype_valid(int32_t dtype) {
    return dtype >= 0 && dtype < RT_DTYPE_COUNT;
}
static inline bool rt_dtype_is_complex(int32_t dtype) {
    return dtype == RT_c64 || dtype == RT_c128;
}
/* The dtype of the parts of a complex number; any other dtype itself. */
static inline int32_t rt_dtype_part(int32_t dtype) {
    return dtype == RT_c64 ? RT_f32 : dtype == RT_c128 ? RT_f64 : dtype;
}
/* 0 for a number that is no dtype. */
static inline int64_t rt_dtype_bytes(int32_t dtype) {
    return rt_dtype_valid(dtype) ? rt_dtype_info[dtype].bytes : 0;
}

#endif
