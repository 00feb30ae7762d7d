/* gmxrt_matmul: checks, layouts and the division of work.  The products themselves are in
 * matmul_blas.c and matmul_loops.c. */
#include "runtime/rt/internal.h"

#include "runtime/rt/blas.h"
#include "runtime/rt/linalg.h"
#include "runtime/rt/matmul.h"

#include <string.h>

/* Multiply-adds that are worth handing to another thread. */
static const int64_t least_work = 1 << 17;
static const int64_t most_blocks = 32;

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static void swap_last_axes(gmxrt_view *view) {
    int32_t r = view->rank - 2, c = view->rank - 1;
    int64_t shape = view->shape[r], stride = view->strides[r];
    view->shape[r] = view->shape[c], view->strides[r] = view->strides[c];
    view->shape[c] = shape, view->strides[c] = stride;
}

void product_turn(Product *product) {
    gmxrt_view a = product->a;
    product->a = product->b;
    product->b = a;
    swap_last_axes(&product->a);
    swap_last_axes(&product->b);
    swap_last_axes(&product->out);
    int64_t m = product->m;
    product->m = product->n;
    product->n = m;
}

Piece product_piece(const Product *product, int64_t task) {
    const gmxrt_view *a = &product->a, *b = &product->b, *out = &product->out;
    int64_t bytes = rt_dtype_bytes(out->dtype);
    int64_t first = task % product->blocks * product->block, rest = task / product->blocks;
    int64_t at_a = 0, at_b = 0, at_out = 0;
    for (int32_t i = out->rank - 3; i >= 0; i--) {
        int64_t index = rest % out->shape[i];
        rest /= out->shape[i];
        at_a += index * a->strides[i];
        at_b += index * b->strides[i];
        at_out += index * out->strides[i];
    }
    int32_t r = out->rank - 2, c = out->rank - 1;
    Piece piece = {.m = product->m, .n = product->n};
    if (product->split_columns) {
        piece.n = smaller(product->block, product->n - first);
        at_b += first * b->strides[c];
        at_out += first * out->strides[c];
    } else {
        piece.m = smaller(product->block, product->m - first);
        at_a += first * a->strides[r];
        at_out += first * out->strides[r];
    }
    piece.a = (const char *)a->data + at_a * bytes;
    piece.b = (const char *)b->data + at_b * bytes;
    piece.out = (char *)out->data + at_out * bytes;
    return piece;
}

int64_t product_work(const Product *product) {
    int64_t work;
    if (__builtin_mul_overflow(product->m, product->n, &work) ||
        __builtin_mul_overflow(work, product->k, &work)) {
        return INT64_MAX;
    }
    return work;
}

void product_run(gmxrt_ctx *ctx, Product *product, int64_t least, gmxrt_body body) {
    int64_t work = product_work(product);
    product->split_columns = product->m < product->n && product->m < 2 * least;
    int64_t extent = product->split_columns ? product->n : product->m;
    int64_t blocks = smaller(smaller(extent / least, most_blocks), work / least_work);
    blocks = blocks < 1 ? 1 : blocks;
    product->block = ((extent + blocks - 1) / blocks + 15) / 16 * 16;
    product->blocks = (extent + product->block - 1) / product->block;
    int64_t grain = least_work / (work / product->blocks + 1) + 1;
    gmxrt_parallel_for(ctx, body, product, product->batches * product->blocks, grain);
}

int32_t product_pack(gmxrt_ctx *ctx, gmxrt_view *view, gmxrt_buffer **owner, uint64_t span) {
    gmxrt_view from = *view, to = *view;
    int64_t stride = 1;
    for (int32_t i = view->rank - 1; i >= 0; i--) {
        bool repeated = i < view->rank - 2 && view->strides[i] == 0;
        from.shape[i] = to.shape[i] = repeated ? 1 : view->shape[i];
        to.strides[i] = repeated ? 0 : stride;
        stride = stride > INT64_MAX / (to.shape[i] + 1) ? INT64_MAX : stride * to.shape[i];
    }
    *owner = gmxrt_buffer_new(ctx, gmxrt_bytes_of(to.dtype, to.rank, to.shape), span);
    if (!*owner) {
        return 1;
    }
    to.data = (*owner)->data;
    int32_t failed = gmxrt_copy(ctx, &from, &to, span);
    memcpy(to.shape, view->shape, sizeof to.shape);
    *view = to;
    return failed;
}

/* ---- layouts ------------------------------------------------------------------------------- */

/* Joins batch axes with the rows where b is the same for all of them: [s, m, k] @ [k, n] is one
 * product of s * m rows. */
static void join_batches(Product *product) {
    gmxrt_view *a = &product->a, *b = &product->b, *out = &product->out;
    while (out->rank > 2) {
        int32_t last = out->rank - 3, r = out->rank - 2;
        if (b->strides[last] != 0 || a->strides[last] != a->strides[r] * a->shape[r] ||
            out->strides[last] != out->strides[r] * out->shape[r]) {
            return;
        }
        product->m *= out->shape[last];
        gmxrt_view *views[] = {a, b, out};
        for (int i = 0; i < 3; i++) {
            gmxrt_view *view = views[i];
            if (view != b) {
                view->shape[last] *= view->shape[r];
                view->strides[last] = view->strides[r];
            } else {
                view->shape[last] = view->shape[r];
                view->strides[last] = view->strides[r];
            }
            view->shape[r] = view->shape[r + 1];
            view->strides[r] = view->strides[r + 1];
            view->rank--;
        }
        product->batches = shape_product(out->rank - 2, out->shape);
    }
}

static int32_t check(gmxrt_ctx *ctx, const gmxrt_view *a, const gmxrt_view *b, const gmxrt_view *out,
                     uint64_t span) {
    if (a->dtype != b->dtype || a->dtype != out->dtype || !rt_dtype_valid(out->dtype) || a->rank < 2 ||
        b->rank < 2 || out->rank < a->rank || out->rank < b->rank) {
        return gmxrt_fail(ctx, RT_E0502, span, "operands of `@` were not prepared");
    }
    int64_t k = a->shape[a->rank - 1];
    if (k != b->shape[b->rank - 2]) {
        return gmxrt_fail_extents(ctx, "the inner sizes of `@` differ", k, b->shape[b->rank - 2], span);
    }
    if (a->shape[a->rank - 2] != out->shape[out->rank - 2] ||
        b->shape[b->rank - 1] != out->shape[out->rank - 1]) {
        return gmxrt_fail(ctx, RT_E0301, span, "the result of `@` has the wrong size");
    }
    for (int32_t i = 0; i < out->rank - 2; i++) {
        int32_t in_a = i - (out->rank - a->rank), in_b = i - (out->rank - b->rank);
        if ((in_a >= 0 && a->shape[in_a] != out->shape[i] && a->shape[in_a] != 1) ||
            (in_b >= 0 && b->shape[in_b] != out->shape[i] && b->shape[in_b] != 1)) {
            return gmxrt_fail(ctx, RT_E0301, span, "the batch sizes of `@` differ");
        }
    }
    return 0;
}

/* ---- computing ----------------------------------------------------------------------------- */

static void zero_body(void *arguments, int64_t begin, int64_t end) {
    const Product *product = arguments;
    int64_t bytes = rt_dtype_bytes(product->out.dtype);
    for (int64_t task = begin; task < end; task++) {
        Piece piece = product_piece(product, task);
        for (int64_t i = 0; i < piece.m; i++) {
            for (int64_t j = 0; j < piece.n; j++) {
                memset(piece.out + (i * product->out.strides[product->out.rank - 2] +
                                    j * product->out.strides[product->out.rank - 1]) *
                                       bytes,
                       0, (size_t)bytes);
            }
        }
    }
}

/* Makes rows of `out` contiguous: by transposing the whole product if its columns are, else in a
 * temporary that is copied at the end. */
static int32_t arrange_output(gmxrt_ctx *ctx, Product *product, gmxrt_buffer **owner, uint64_t span) {
    gmxrt_view *out = &product->out;
    int64_t rows = out->strides[out->rank - 2], columns = out->strides[out->rank - 1];
    if ((columns == 1 || product->n == 1) && (rows >= product->n || product->m == 1)) {
        return 0;
    }
    if ((rows == 1 || product->m == 1) && (columns >= product->m || product->n == 1)) {
        product_turn(product);
        return 0;
    }
    *owner = gmxrt_buffer_new(ctx, gmxrt_bytes_of(out->dtype, out->rank, out->shape), span);
    if (!*owner) {
        return 1;
    }
    out->data = (*owner)->data;
    view_make_contiguous(out);
    return 0;
}

static bool takes_library(const Product *product) {
    int32_t part = rt_dtype_part(product->out.dtype);
    return (part == RT_f32 || part == RT_f64) && product_fits_blas(product) && blas_get();
}

static bool takes_kernel(const Product *product) {
    return product->code && product->code->own &&
           (product_prefers_kernel(product) || !takes_library(product));
}

const char *product_way(const Product *product) {
    return takes_kernel(product)    ? product_is_vector(product) ? "loops for vectors" : "compiled kernel"
           : takes_library(product) ? "OpenBLAS"
                                    : "loops";
}

int32_t product_compute(gmxrt_ctx *ctx, Product *product, uint64_t span) {
    gmxrt_view result = product->out;
    gmxrt_buffer *temporary = NULL;
    if (arrange_output(ctx, product, &temporary, span) != 0) {
        return 1;
    }
    join_batches(product);
    int32_t failed = takes_kernel(product)    ? product_by_kernel(ctx, product, span)
                     : takes_library(product) ? product_by_blas(ctx, product, span)
                                              : product_by_loops(ctx, product, span);
    if (!failed && temporary) {
        gmxrt_view from = result;
        from.data = temporary->data;
        view_make_contiguous(&from);
        failed = gmxrt_copy(ctx, &from, &result, span);
    }
    gmxrt_buffer_release(temporary);
    return failed;
}

static int32_t compute(gmxrt_ctx *ctx, Product *product, uint64_t span) {
    if (product->k == 0) {
        product->blocks = 1;
        product->block = product->m;
        gmxrt_parallel_for(ctx, zero_body, product, product->batches, 1);
        return 0;
    }
    if (product->out.dtype == RT_f16 || product->out.dtype == RT_bf16) {
        return product_in_f32(ctx, product, span);
    }
    return product_compute(ctx, product, span);
}

int32_t gmxrt_product(gmxrt_ctx *ctx, const gmxrt_view *a, const gmxrt_view *b, const gmxrt_view *out,
                      gmxrt_lazy_kernel *own, gmxrt_kernel epilogue, const int64_t *arguments, int64_t count,
                      uint64_t span) {
    if (check(ctx, a, b, out, span) != 0) {
        return 1;
    }
    if (view_size(out) == 0) {
        return 0;
    }
    int32_t failed = 0;
    ProductCode code = {own, epilogue, arguments, count, &failed};
    Product product = {.a = linalg_expand(a, out),
                       .b = linalg_expand(b, out),
                       .out = *out,
                       .code = &code,
                       .choice = ctx->product_choice};
    product.m = out->shape[out->rank - 2];
    product.n = out->shape[out->rank - 1];
    product.k = a->shape[a->rank - 1];
    product.batches = shape_product(out->rank - 2, out->shape);
    if (compute(ctx, &product, span) != 0) {
        return 1;
    }
    if (!product.is_finished) {
        product_finish_all(ctx, &product, out);
    }
    return __atomic_load_n(&failed, __ATOMIC_RELAXED);
}

int32_t gmxrt_matmul(gmxrt_ctx *ctx, const gmxrt_view *a, const gmxrt_view *b, const gmxrt_view *out,
                     uint64_t span) {
    return gmxrt_product(ctx, a, b, out, NULL, NULL, NULL, 0, span);
}
