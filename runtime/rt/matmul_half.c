/* f16 and bf16 products: operands widened to f32, the product in f32, each result rounded once. */
#include "runtime/rt/internal.h"

#include "runtime/rt/matmul.h"

#include <string.h>

enum { GRAIN = 16384 };

typedef struct Conversion {
    uint16_t *half;
    float *single;
    bool brain; /* bf16 */
} Conversion;

static void widen_body(void *arguments, int64_t begin, int64_t end) {
    const Conversion *c = arguments;
    for (int64_t i = begin; i < end; i++) {
        c->single[i] = c->brain ? gmxrt_bf16_to_f32(c->half[i]) : gmxrt_f16_to_f32(c->half[i]);
    }
}

static void narrow_body(void *arguments, int64_t begin, int64_t end) {
    const Conversion *c = arguments;
    for (int64_t i = begin; i < end; i++) {
        c->half[i] = c->brain ? gmxrt_f32_to_bf16(c->single[i]) : gmxrt_f32_to_f16(c->single[i]);
    }
}

/* Replaces a 16-bit view by an f32 one in `*owner`. */
static int32_t widen(gmxrt_ctx *ctx, gmxrt_view *view, gmxrt_buffer **owner, uint64_t span) {
    gmxrt_buffer *packed = NULL;
    if (product_pack(ctx, view, &packed, span) == 0) {
        int64_t count = packed->bytes / 2;
        *owner = gmxrt_buffer_new(ctx, count * 4, span);
        if (*owner) {
            Conversion conversion = {packed->data, (*owner)->data, view->dtype == RT_bf16};
            gmxrt_parallel_for(ctx, widen_body, &conversion, count, GRAIN);
            view->data = (*owner)->data;
            view->dtype = RT_f32;
        }
    }
    gmxrt_buffer_release(packed);
    return *owner == NULL;
}

/* Rounds the contiguous f32 view into `result`, of any layout; `scratch` holds as many 16-bit values. */
static int32_t narrow(gmxrt_ctx *ctx, const gmxrt_view *from, gmxrt_buffer *scratch, const gmxrt_view *result,
                      uint64_t span) {
    gmxrt_view half = *from;
    half.data = view_is_contiguous(result) ? result->data : scratch->data;
    half.dtype = result->dtype;
    Conversion conversion = {half.data, from->data, result->dtype == RT_bf16};
    gmxrt_parallel_for(ctx, narrow_body, &conversion, view_size(from), GRAIN);
    return half.data == result->data ? 0 : gmxrt_copy(ctx, &half, result, span);
}

int32_t product_in_f32(gmxrt_ctx *ctx, Product *product, uint64_t span) {
    gmxrt_view result = product->out;
    gmxrt_buffer *a = NULL, *b = NULL, *out = NULL, *scratch = NULL;
    int64_t bytes = gmxrt_bytes_of(RT_f32, result.rank, result.shape);
    int32_t failed = widen(ctx, &product->a, &a, span) || widen(ctx, &product->b, &b, span) ||
                     !(out = gmxrt_buffer_new(ctx, bytes, span)) ||
                     !(scratch = gmxrt_buffer_new(ctx, bytes / 2, span));
    if (!failed) {
        product->out.dtype = RT_f32;
        product->out.data = out->data;
        view_make_contiguous(&product->out);
        gmxrt_view wide = product->out;
        ProductCode code = product->code ? *product->code : (ProductCode){0};
        code.epilogue = NULL; /* it wants the rounded product */
        const ProductCode *given = product->code;
        product->code = given ? &code : NULL;
        failed = product_compute(ctx, product, span) || narrow(ctx, &wide, scratch, &result, span);
        product->code = given;
        product->is_finished = false;
    }
    gmxrt_buffer_release(a);
    gmxrt_buffer_release(b);
    gmxrt_buffer_release(out);
    gmxrt_buffer_release(scratch);
    return failed;
}
