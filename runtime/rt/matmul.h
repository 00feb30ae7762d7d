/* The parts of a matrix product: a plan that both ways of computing it share. */
#ifndef GMX_RUNTIME_RT_MATMUL_H
#define GMX_RUNTIME_RT_MATMUL_H

#include "runtime/rt/gmxrt.h"

/* One product per batch: out [m, n] = a [m, k] @ b [k, n]; strides are in elements.  `out` has
 * unit stride along n.  The work is cut into `tasks` = batches * blocks pieces of `block` rows (or
 * columns, if `split_columns`), which depends on the shape alone. */
typedef struct Product {
    gmxrt_view a, b, out; /* of one rank; batch strides may be 0 */
    int64_t m, n, k;
    int64_t batches, blocks, block;
    bool split_columns;
} Product;

/* One piece: the addresses of its operands and its extents. */
typedef struct Piece {
    const char *a, *b;
    char *out;
    int64_t m, n;
} Piece;

Piece product_piece(const Product *product, int64_t task);

/* Chooses blocks of at least `least` rows or columns, and runs `body` over the tasks on the pool. */
void product_run(gmxrt_ctx *ctx, Product *product, int64_t least, gmxrt_body body);

/* Every dtype but the 16-bit floats, without a library; a and b of any strides. */
int32_t product_by_loops(gmxrt_ctx *ctx, Product *product, uint64_t span);
/* f32, f64 and complex ones through OpenBLAS, which must be there; its integers have 32 bits. */
bool product_fits_blas(const Product *product);
int32_t product_by_blas(gmxrt_ctx *ctx, Product *product, uint64_t span);
/* f16 and bf16: widened to f32, multiplied and accumulated there, rounded once. */
int32_t product_in_f32(gmxrt_ctx *ctx, Product *product, uint64_t span);
/* Any layout of `out`, by whichever way is there. */
int32_t product_compute(gmxrt_ctx *ctx, Product *product, uint64_t span);

/* Replaces `view` by a contiguous copy in `*owner` (axes of stride 0 are not multiplied out). */
int32_t product_pack(gmxrt_ctx *ctx, gmxrt_view *view, gmxrt_buffer **owner, uint64_t span);

#endif
