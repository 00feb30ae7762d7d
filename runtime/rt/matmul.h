/* The parts of a matrix product: a plan that both ways of computing it share. */
#ifndef GMX_RUNTIME_RT_MATMUL_H
#define GMX_RUNTIME_RT_MATMUL_H

#include "runtime/rt/gmxrt.h"

/* What the compiler gives: see gmxrt_product.  `failed` is set by the epilogue, on any thread. */
typedef struct ProductCode {
    gmxrt_lazy_kernel *own;
    gmxrt_kernel epilogue;    /* or NULL */
    const int64_t *arguments; /* of the epilogue */
    int64_t count;
    int32_t *failed;
} ProductCode;

/* One product per batch: out [m, n] = a [m, k] @ b [k, n]; strides are in elements.  `out` has
 * unit stride along n.  The work is cut into `tasks` = batches * blocks pieces of `block` rows (or
 * columns, if `split_columns`), which depends on the shape alone. */
typedef struct Product {
    gmxrt_view a, b, out; /* of one rank; batch strides may be 0 */
    int64_t m, n, k;
    int64_t batches, blocks, block;
    bool split_columns;
    const ProductCode *code; /* the compiler's kernels, or NULL */
    uint32_t choice;         /* of the context: see product_choice.c */
    bool is_turned;          /* out is the transposed of what the epilogue sees */
    bool is_finished;        /* the epilogue has run on all of out */
} Product;

/* The arguments of a kernel in order (passes/lower_product.h). */
typedef struct ProductCall {
    const char *a, *b, *ahead;
    int64_t batches, m, n, k;
    int64_t a_batch, a_row, a_column, b_batch, b_row, b_column, c_batch, c_row;
    int64_t a_step, ahead_row, resume;
    char *c;
} ProductCall;
_Static_assert(sizeof(ProductCall) == 19 * sizeof(int64_t), "a kernel's arguments are words");

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
/* out = a @ b as out.T = b.T @ a.T */
void product_turn(Product *product);
/* By the compiler's kernel or what has the same bits (product.c); `out` has unit stride along n. */
int32_t product_by_kernel(gmxrt_ctx *ctx, Product *product, uint64_t span);
/* A kernel of the runtime (product_plain.c), NULL for complex numbers and bool: for vectors, and for work
 * that is not worth compiling for. */
gmxrt_kernel product_plain(int32_t dtype);
/* A product with a vector, which needs no tiles. */
bool product_is_vector(const Product *product);
/* Multiply-adds; large is large. */
int64_t product_work(const Product *product);
/* Which way it goes, for people: "OpenBLAS", "compiled kernel", "loops of the runtime". */
const char *product_way(const Product *product);
const char *product_reason(const Product *product);
/* GMX_PRODUCT=own: always the compiled kernel, =plain: never; neither is ever by the library. */
bool product_is_compiled_always(void);
bool product_is_compiled_never(void);
/* Would that be faster than the library? (product_choice.c) */
bool product_prefers_kernel(const Product *product);

/* What was measured on this machine (runtime/api/products.c): for each class of products, f32 and f64, the
 * times of a typical one by the kernel and by the library.  The bits are a gmxrt_ctx.product_choice. */
typedef struct ProductPoint {
    int64_t batches, m, n, k;
    bool is_turned; /* b is a transposed matrix */
} ProductPoint;
enum { PRODUCT_POINTS = 8, PRODUCT_ALL_OWN = -1, PRODUCT_ALL_LIBRARY = 1 };
extern const ProductPoint product_points[PRODUCT_POINTS];
typedef struct ProductTimes {
    double own[2][PRODUCT_POINTS], library[2][PRODUCT_POINTS]; /* f32, f64 */
} ProductTimes;
uint32_t product_choice_of(const ProductTimes *times);

/* Runs the epilogue, if there is one, over rows and columns of `out` as the program sees it. */
void product_finish(gmxrt_ctx *ctx, const Product *product, int64_t first_row, int64_t rows,
                    int64_t first_column, int64_t columns);
/* The same over all of `out`, in parallel. */
void product_finish_all(gmxrt_ctx *ctx, const Product *product, const gmxrt_view *out);
/* Any layout of `out`, by whichever way is there. */
int32_t product_compute(gmxrt_ctx *ctx, Product *product, uint64_t span);

/* Replaces `view` by a contiguous copy in `*owner` (axes of stride 0 are not multiplied out). */
int32_t product_pack(gmxrt_ctx *ctx, gmxrt_view *view, gmxrt_buffer **owner, uint64_t span);

#endif
