/* Tensors: reference-counted windows into buffers, and the shape arithmetic that views share. */
#include "runtime/rt/internal.h"

#include <stdlib.h>
#include <string.h>

int64_t shape_product(int32_t rank, const int64_t *shape) {
    int64_t product = 1;
    bool empty = false;
    for (int32_t i = 0; i < rank; i++) {
        if (shape[i] < 0) {
            return -1;
        }
        empty = empty || shape[i] == 0;
    }
    for (int32_t i = 0; i < rank && !empty; i++) {
        if (__builtin_mul_overflow(product, shape[i], &product)) {
            return -1;
        }
    }
    return empty ? 0 : product;
}

int64_t gmxrt_bytes_of(int32_t dtype, int32_t rank, const int64_t *shape) {
    int64_t size = shape_product(rank, shape), bytes;
    if (size < 0 || __builtin_mul_overflow(size, rt_dtype_bytes(dtype), &bytes)) {
        return -1;
    }
    return bytes;
}

static bool is_contiguous(int32_t rank, const int64_t *shape, const int64_t *strides) {
    int64_t expected = 1;
    bool dense = true;
    for (int32_t i = rank - 1; i >= 0; i--) {
        if (shape[i] == 0) {
            return true;
        }
        dense = dense && (shape[i] == 1 || strides[i] == expected);
        expected *= shape[i];
    }
    return dense;
}

int64_t view_size(const gmxrt_view *view) {
    return shape_product(view->rank, view->shape);
}

bool view_is_contiguous(const gmxrt_view *view) {
    return is_contiguous(view->rank, view->shape, view->strides);
}

void view_make_contiguous(gmxrt_view *view) {
    int64_t stride = 1;
    for (int32_t i = view->rank - 1; i >= 0; i--) {
        view->strides[i] = stride;
        stride *= view->shape[i] > 0 ? view->shape[i] : 1;
    }
}

int64_t gmxrt_tensor_size(const gmxrt_tensor *tensor) {
    return shape_product(tensor->rank, tensor->shape);
}

bool gmxrt_tensor_is_contiguous(const gmxrt_tensor *tensor) {
    return is_contiguous(tensor->rank, tensor->shape, tensor->strides);
}

gmxrt_tensor *gmxrt_tensor_make(gmxrt_ctx *ctx, gmxrt_buffer *buffer, void *data, int32_t dtype, int32_t rank,
                                const int64_t *shape, const int64_t *strides) {
    gmxrt_tensor *tensor = malloc(sizeof *tensor);
    if (!tensor) {
        gmxrt_fail(ctx, RT_E0306, 0, "no memory for the descriptor of a tensor");
        return NULL;
    }
    gmxrt_buffer_retain(buffer);
    tensor->references = 1;
    tensor->buffer = buffer;
    tensor->data = data;
    tensor->dtype = dtype;
    tensor->rank = rank;
    if (rank > 0) {
        memcpy(tensor->shape, shape, (size_t)rank * sizeof *shape);
        memcpy(tensor->strides, strides, (size_t)rank * sizeof *strides);
    }
    return tensor;
}

gmxrt_tensor *gmxrt_tensor_new(gmxrt_ctx *ctx, int32_t dtype, int32_t rank, const int64_t *shape,
                               uint64_t span) {
    for (int32_t i = 0; i < rank; i++) {
        if (shape[i] < 0) {
            gmxrt_fail(ctx, RT_E0306, span, "axis %d has the negative size %lld", (int)i,
                       (long long)shape[i]);
            return NULL;
        }
    }
    int64_t bytes = gmxrt_bytes_of(dtype, rank, shape);
    if (bytes < 0) {
        gmxrt_fail(ctx, RT_E0306, span, "the product of the sizes does not fit 64 bits");
        return NULL;
    }
    gmxrt_buffer *buffer = gmxrt_buffer_new(ctx, bytes, span);
    if (!buffer) {
        return NULL;
    }
    int64_t strides[GMXRT_MAX_RANK], stride = 1;
    for (int32_t i = rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= shape[i] > 0 && bytes > 0 ? shape[i] : 1;
    }
    gmxrt_tensor *tensor = gmxrt_tensor_make(ctx, buffer, buffer->data, dtype, rank, shape, strides);
    gmxrt_buffer_release(buffer);
    return tensor;
}

void gmxrt_tensor_retain(gmxrt_tensor *tensor) {
    if (tensor && __atomic_load_n(&tensor->references, __ATOMIC_RELAXED) != GMXRT_IMMORTAL) {
        __atomic_fetch_add(&tensor->references, 1, __ATOMIC_RELAXED);
    }
}

void gmxrt_tensor_release(gmxrt_tensor *tensor) {
    if (!tensor || __atomic_load_n(&tensor->references, __ATOMIC_RELAXED) == GMXRT_IMMORTAL ||
        __atomic_sub_fetch(&tensor->references, 1, __ATOMIC_ACQ_REL) != 0) {
        return;
    }
    gmxrt_buffer_release(tensor->buffer);
    free(tensor);
}

gmxrt_view gmxrt_view_of(const gmxrt_tensor *tensor) {
    gmxrt_view view = {.data = tensor->data, .dtype = tensor->dtype, .rank = tensor->rank};
    if (tensor->rank > 0) {
        memcpy(view.shape, tensor->shape, (size_t)tensor->rank * sizeof *view.shape);
        memcpy(view.strides, tensor->strides, (size_t)tensor->rank * sizeof *view.strides);
    }
    return view;
}
