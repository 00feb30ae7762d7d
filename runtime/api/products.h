/* Which matrix products this machine does faster by compiled kernels than by OpenBLAS: measured when asked
 * for, kept beside the object cache. */
#ifndef GMX_RUNTIME_API_PRODUCTS_H
#define GMX_RUNTIME_API_PRODUCTS_H

#include <stdint.h>

/* What the file `products` in `directory` (NULL: nowhere) says, as a gmxrt_ctx.product_choice; 0 if it is not
 * there, is damaged, or is of another CPU, build or OpenBLAS. */
uint32_t products_load(const char *directory);

/* Measures, which takes about a second, and writes the file; 0 if it cannot. */
uint32_t products_measure(const char *directory);

#endif
