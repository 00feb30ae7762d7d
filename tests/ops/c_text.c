/* Compiles the lines of tests/ops_print.c for the host; also compiled as C++ (tests/tests.cmake). */
#include "tests/ops/c_text.h"
#include "codegen/cstyle_prelude.h"
#include <stddef.h>

#define OP_TEXT(op, dtype, T, R, T0, ...)                                                                    \
    static void run_##op##_##dtype(const void *const *operands, void *result, int64_t rows) {                \
        for (int64_t i = 0; i < rows; i++) {                                                                 \
            const T0 x0 = ((const T0 *)operands[0])[i];                                                      \
            const T x1 = ((const T *)operands[1])[i], x2 = ((const T *)operands[2])[i];                      \
            (void)x1, (void)x2;                                                                              \
            ((R *)result)[i] = (R)(__VA_ARGS__);                                                             \
        }                                                                                                    \
    }
#include "tests/op_text.inc"
#undef OP_TEXT

#ifdef __cplusplus
#define TABLE op_text_cxx
#else
#define TABLE op_text_c
#endif
#define OP_TEXT(op, dtype, ...) {#op, #dtype, run_##op##_##dtype},
const OpText TABLE[] = {
#include "tests/op_text.inc"
    {NULL, NULL, NULL}};
