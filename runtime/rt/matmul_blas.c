/* Matrix products through OpenBLAS.  Views become leading dimensions and transposition flags where
 * that is possible, else they are packed; products of a matrix and a vector go to gemv. */
#include "runtime/rt/internal.h"

#include "runtime/rt/blas.h"
#include "runtime/rt/matmul.h"

#include <limits.h>

/* Fewest rows that are worth a call of their own: smaller blocks lose speed, for each call packs
 * the whole other operand again. */
enum { GEMM_ROWS = 384, GEMV_ROWS = 64 };

/* A matrix as BLAS sees it. */
typedef struct Operand {
    int trans;
    int leading;
} Operand;

static bool is_leading(int64_t stride, int64_t least, int64_t lines) {
    return lines == 1 || (stride >= least && stride <= INT_MAX);
}

/* True if the last two axes are rows of unit stride, or columns of unit stride. */
static bool describe(const gmxrt_view *view, Operand *operand) {
    int64_t rows = view->shape[view->rank - 2], columns = view->shape[view->rank - 1];
    int64_t by_row = view->strides[view->rank - 2], by_column = view->strides[view->rank - 1];
    if ((by_column == 1 || columns == 1) && is_leading(by_row, columns, rows)) {
        *operand = (Operand){BLAS_NO_TRANS, (int)(rows == 1 ? columns : by_row)};
        return true;
    }
    if ((by_row == 1 || rows == 1) && is_leading(by_column, rows, columns)) {
        *operand = (Operand){BLAS_TRANS, (int)(columns == 1 ? rows : by_column)};
        return true;
    }
    return false;
}

bool product_fits_blas(const Product *product) {
    int64_t leading = product->out.strides[product->out.rank - 2];
    return product->m <= INT_MAX && product->n <= INT_MAX && product->k <= INT_MAX &&
           (product->m == 1 || leading <= INT_MAX);
}

typedef struct Call {
    Product product; /* first: product_run hands it to the body */
    gmxrt_ctx *ctx;
    const Blas *blas;
    Operand a, b;
    int ldc;
} Call;

/* 1 and 0 as both complex dtypes read them. */
static const float one_c64[2] = {1, 0}, zero_c64[2] = {0, 0};
static const double one_c128[2] = {1, 0}, zero_c128[2] = {0, 0};

/* The epilogue over what task number `task` has computed. */
static void finish_piece(const Call *call, int64_t task, const Piece *piece) {
    const Product *product = &call->product;
    int64_t first = task % product->blocks * product->block, batch = task / product->blocks;
    int64_t row = product->split_columns ? 0 : first, column = product->split_columns ? first : 0;
    if (product->is_turned) { /* a row of out is a column here */
        product_finish(call->ctx, product, row, piece->m, batch * product->n + column, piece->n);
    } else {
        product_finish(call->ctx, product, batch * product->m + row, piece->m, column, piece->n);
    }
}

static void gemm_body(void *arguments, int64_t begin, int64_t end) {
    const Call *call = arguments;
    int k = (int)call->product.k;
    for (int64_t task = begin; task < end; task++) {
        Piece piece = product_piece(&call->product, task);
        int m = (int)piece.m, n = (int)piece.n;
        if (call->product.out.dtype == RT_c64) {
            call->blas->cgemm(BLAS_ROW_MAJOR, call->a.trans, call->b.trans, m, n, k, one_c64, piece.a,
                              call->a.leading, piece.b, call->b.leading, zero_c64, piece.out, call->ldc);
        } else if (call->product.out.dtype == RT_c128) {
            call->blas->zgemm(BLAS_ROW_MAJOR, call->a.trans, call->b.trans, m, n, k, one_c128, piece.a,
                              call->a.leading, piece.b, call->b.leading, zero_c128, piece.out, call->ldc);
        } else if (call->product.out.dtype == RT_f32) {
            call->blas->sgemm(BLAS_ROW_MAJOR, call->a.trans, call->b.trans, m, n, k, 1.0f,
                              (const float *)piece.a, call->a.leading, (const float *)piece.b,
                              call->b.leading, 0.0f, (float *)piece.out, call->ldc);
        } else {
            call->blas->dgemm(BLAS_ROW_MAJOR, call->a.trans, call->b.trans, m, n, k, 1.0,
                              (const double *)piece.a, call->a.leading, (const double *)piece.b,
                              call->b.leading, 0.0, (double *)piece.out, call->ldc);
        }
        finish_piece(call, task, &piece);
    }
}

/* n = 1: b is a vector with the step of its rows, which is positive. */
static void gemv_body(void *arguments, int64_t begin, int64_t end) {
    const Call *call = arguments;
    const Product *product = &call->product;
    bool flipped = call->a.trans == BLAS_TRANS;
    int step = (int)product->b.strides[product->b.rank - 2];
    int k = (int)product->k;
    for (int64_t task = begin; task < end; task++) {
        Piece piece = product_piece(product, task);
        int rows = flipped ? k : (int)piece.m, columns = flipped ? (int)piece.m : k;
        if (product->out.dtype == RT_c64) {
            call->blas->cgemv(BLAS_ROW_MAJOR, call->a.trans, rows, columns, one_c64, piece.a, call->a.leading,
                              piece.b, step, zero_c64, piece.out, call->ldc);
        } else if (product->out.dtype == RT_c128) {
            call->blas->zgemv(BLAS_ROW_MAJOR, call->a.trans, rows, columns, one_c128, piece.a,
                              call->a.leading, piece.b, step, zero_c128, piece.out, call->ldc);
        } else if (product->out.dtype == RT_f32) {
            call->blas->sgemv(BLAS_ROW_MAJOR, call->a.trans, rows, columns, 1.0f, (const float *)piece.a,
                              call->a.leading, (const float *)piece.b, step, 0.0f, (float *)piece.out,
                              call->ldc);
        } else {
            call->blas->dgemv(BLAS_ROW_MAJOR, call->a.trans, rows, columns, 1.0, (const double *)piece.a,
                              call->a.leading, (const double *)piece.b, step, 0.0, (double *)piece.out,
                              call->ldc);
        }
        finish_piece(call, task, &piece);
    }
}

static void transpose_view(gmxrt_view *view) {
    int32_t r = view->rank - 2, c = view->rank - 1;
    int64_t shape = view->shape[r], stride = view->strides[r];
    view->shape[r] = view->shape[c], view->strides[r] = view->strides[c];
    view->shape[c] = shape, view->strides[c] = stride;
}

/* A row times a matrix is the transposed matrix times a column. */
static void make_column(Product *product) {
    gmxrt_view row = product->a;
    product->a = product->b;
    product->b = row;
    transpose_view(&product->a);
    transpose_view(&product->b);
    transpose_view(&product->out);
    product->m = product->n;
    product->n = 1;
    product->is_turned = true;
}

/* BLAS needs a positive step; 0 (a repeated element) and a reversed vector are packed. */
static bool is_vector_step(const gmxrt_view *b) {
    int64_t step = b->strides[b->rank - 2];
    return step >= 1 && step <= INT_MAX;
}

int32_t product_by_blas(gmxrt_ctx *ctx, Product *product, uint64_t span) {
    gmxrt_buffer *packed_a = NULL, *packed_b = NULL;
    if (product->m == 1 && product->n > 1) {
        make_column(product);
    }
    bool vector = product->n == 1;
    Call call = {.ctx = ctx, .blas = blas_get()};
    int32_t failed = 0;
    if (!describe(&product->a, &call.a)) {
        failed = product_pack(ctx, &product->a, &packed_a, span);
    }
    if (!failed && (vector ? !is_vector_step(&product->b) : !describe(&product->b, &call.b))) {
        failed = product_pack(ctx, &product->b, &packed_b, span);
    }
    if (!failed) {
        describe(&product->a, &call.a);
        describe(&product->b, &call.b);
        int64_t step = product->out.strides[product->out.rank - 2];
        call.ldc = (int)(product->m == 1 ? product->n : step);
        call.product = *product;
        product_run(ctx, &call.product, vector ? GEMV_ROWS : GEMM_ROWS, vector ? gemv_body : gemm_body);
        product->is_finished = true;
    }
    gmxrt_buffer_release(packed_a);
    gmxrt_buffer_release(packed_b);
    return failed;
}
