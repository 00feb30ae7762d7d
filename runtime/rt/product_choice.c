/* Which way a matrix product goes: the compiler's kernel or OpenBLAS. */
#include "runtime/rt/internal.h"

#include "runtime/rt/matmul.h"

bool product_prefers_kernel(const Product *product) {
    (void)product;
    return true;
}
