/* The `c` column of ops.def compiled for the host: one function per op and dtype. */
#ifndef GMX_TESTS_OPS_C_TEXT_H
#define GMX_TESTS_OPS_C_TEXT_H

#include <stdint.h>

typedef struct OpText {
    const char *op, *dtype;
    void (*run)(const void *const *operands, void *result, int64_t rows); /* three operands, used or not */
} OpText;

#ifdef __cplusplus
extern "C" {
#endif
/* The end of each has op NULL.  The same text as C and as C++ (the overloads that CUDA sees). */
extern const OpText op_text_c[], op_text_cxx[];
#ifdef __cplusplus
}
#endif
#endif
