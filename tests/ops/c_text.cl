/* The lines of tests/ops_print.c as OpenCL C: checked by a compiler, not run. */
#include "codegen/cstyle_prelude.h"

#define OP_TEXT(op, dtype, T, R, T0, ...)                                                                    \
    R run_##op##_##dtype(T0 x0, T x1, T x2) {                                                                \
        return (R)(__VA_ARGS__);                                                                             \
    }
#include "tests/op_text.inc"
