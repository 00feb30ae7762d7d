/* Copying between any two layouts of one dtype and shape.
 *
 * Both sides are brought to the fewest axes first: extents of 1 dropped, axes ordered by the
 * strides of the target, neighbours merged where both sides allow.  The innermost two axes are
 * copied in square tiles, so that a transposition touches whole cache lines on both sides. */
#include "runtime/rt/internal.h"

#include <string.h>

enum { TILE = 32, TILE_ROWS = 64, CHUNK_BYTES = 256 << 10 };

typedef struct Plan {
    int64_t bytes; /* of one element */
    int32_t rank;
    int64_t shape[GMXRT_MAX_RANK];
    int64_t from[GMXRT_MAX_RANK], to[GMXRT_MAX_RANK]; /* strides in bytes */
    const char *source;
    char *target;
} Plan;

static int64_t magnitude(int64_t value) {
    return value < 0 ? -value : value;
}

/* True if axis `a` of the plan belongs outside of axis `b`. */
static bool is_outer(const Plan *plan, int32_t a, int32_t b) {
    int64_t to_a = magnitude(plan->to[a]), to_b = magnitude(plan->to[b]);
    return to_a != to_b ? to_a > to_b : magnitude(plan->from[a]) > magnitude(plan->from[b]);
}

static void swap_axes(Plan *plan, int32_t a, int32_t b) {
    int64_t shape = plan->shape[a], from = plan->from[a], to = plan->to[a];
    plan->shape[a] = plan->shape[b], plan->from[a] = plan->from[b], plan->to[a] = plan->to[b];
    plan->shape[b] = shape, plan->from[b] = from, plan->to[b] = to;
}

static void plan_copy(Plan *plan, const gmxrt_view *x, const gmxrt_view *out) {
    plan->bytes = rt_dtype_bytes(out->dtype);
    plan->source = x->data;
    plan->target = out->data;
    plan->rank = 0;
    for (int32_t i = 0; i < out->rank; i++) {
        if (out->shape[i] != 1) {
            plan->shape[plan->rank] = out->shape[i];
            plan->from[plan->rank] = x->strides[i] * plan->bytes;
            plan->to[plan->rank++] = out->strides[i] * plan->bytes;
        }
    }
    for (int32_t i = 1; i < plan->rank; i++) {
        for (int32_t k = i; k > 0 && is_outer(plan, k, k - 1); k--) {
            swap_axes(plan, k, k - 1);
        }
    }
    int32_t kept = 0;
    for (int32_t i = 1; i < plan->rank; i++) {
        if (plan->from[kept] == plan->from[i] * plan->shape[i] &&
            plan->to[kept] == plan->to[i] * plan->shape[i]) {
            plan->shape[kept] *= plan->shape[i];
        } else {
            plan->shape[++kept] = plan->shape[i];
        }
        plan->from[kept] = plan->from[i];
        plan->to[kept] = plan->to[i];
    }
    plan->rank = plan->rank > 0 ? kept + 1 : 0;
}

static void copy_line(int64_t bytes, char *target, int64_t to, const char *source, int64_t from, int64_t n) {
    if (to == bytes && from == bytes) {
        memcpy(target, source, (size_t)(n * bytes));
        return;
    }
#define COPY_LINE(size)                                                                                      \
    case size:                                                                                               \
        for (int64_t i = 0; i < n; i++) {                                                                    \
            memcpy(target + i * to, source + i * from, size);                                                \
        }                                                                                                    \
        break;
    switch (bytes) {
        COPY_LINE(1)
        COPY_LINE(2)
        COPY_LINE(4)
        COPY_LINE(8)
        COPY_LINE(16)
    }
#undef COPY_LINE
}

/* A tile of the last two axes whose source runs along the rows' axis: gathered along the source,
 * then written along the target, so that neither side touches a cache line twice. */
static void copy_tile(const Plan *plan, char *target, const char *source, int64_t rows, int64_t columns) {
    char tile[TILE * TILE * 16];
    int32_t r = plan->rank - 2, c = plan->rank - 1;
    int64_t bytes = plan->bytes, pitch = TILE * bytes;
    for (int64_t j = 0; j < columns; j++) {
        copy_line(bytes, tile + j * bytes, pitch, source + j * plan->from[c], plan->from[r], rows);
    }
    for (int64_t i = 0; i < rows; i++) {
        copy_line(bytes, target + i * plan->to[r], plan->to[c], tile + i * pitch, bytes, columns);
    }
}

/* Rows [0, rows) of the last two axes. */
static void copy_rows(const Plan *plan, char *target, const char *source, int64_t rows) {
    int32_t r = plan->rank - 2, c = plan->rank - 1;
    int64_t columns = plan->shape[c];
    if (magnitude(plan->from[c]) <= magnitude(plan->from[r])) {
        for (int64_t i = 0; i < rows; i++) {
            copy_line(plan->bytes, target + i * plan->to[r], plan->to[c], source + i * plan->from[r],
                      plan->from[c], columns);
        }
        return;
    }
    for (int64_t j = 0; j < columns; j += TILE) {
        int64_t width = columns - j < TILE ? columns - j : TILE;
        for (int64_t i = 0; i < rows; i += TILE) {
            copy_tile(plan, target + i * plan->to[r] + j * plan->to[c],
                      source + i * plan->from[r] + j * plan->from[c], rows - i < TILE ? rows - i : TILE,
                      width);
        }
    }
}

static void line_body(void *arguments, int64_t begin, int64_t end) {
    const Plan *plan = arguments;
    copy_line(plan->bytes, plan->target + begin * plan->to[0], plan->to[0],
              plan->source + begin * plan->from[0], plan->from[0], end - begin);
}

/* Unit number u: block u % blocks of TILE_ROWS rows, of the plane u / blocks. */
static void plane_body(void *arguments, int64_t begin, int64_t end) {
    const Plan *plan = arguments;
    int32_t r = plan->rank - 2;
    int64_t blocks = (plan->shape[r] - 1) / TILE_ROWS + 1;
    for (int64_t u = begin; u < end; u++) {
        int64_t row = u % blocks * TILE_ROWS, rest = u / blocks;
        char *target = plan->target + row * plan->to[r];
        const char *source = plan->source + row * plan->from[r];
        for (int32_t i = r - 1; i >= 0; i--) {
            target += rest % plan->shape[i] * plan->to[i];
            source += rest % plan->shape[i] * plan->from[i];
            rest /= plan->shape[i];
        }
        int64_t rows = plan->shape[r] - row;
        copy_rows(plan, target, source, rows < TILE_ROWS ? rows : TILE_ROWS);
    }
}

int32_t gmxrt_copy(gmxrt_ctx *ctx, const gmxrt_view *x, const gmxrt_view *out, uint64_t span) {
    if (x->dtype != out->dtype || x->rank != out->rank || rt_dtype_bytes(x->dtype) == 0) {
        return gmxrt_fail(ctx, RT_E0502, span, "copy between tensors of different dtype or rank");
    }
    for (int32_t i = 0; i < x->rank; i++) {
        if (x->shape[i] != out->shape[i]) {
            return gmxrt_fail_extents(ctx, "the sizes of the copy and its source differ", out->shape[i],
                                      x->shape[i], span);
        }
    }
    if (view_size(out) == 0) {
        return 0;
    }
    Plan plan;
    plan_copy(&plan, x, out);
    if (plan.source == plan.target && memcmp(plan.from, plan.to, (size_t)plan.rank * sizeof *plan.to) == 0) {
        return 0;
    }
    if (plan.rank == 0) {
        memcpy(plan.target, plan.source, (size_t)plan.bytes);
    } else if (plan.rank == 1) {
        gmxrt_parallel_for(ctx, line_body, &plan, plan.shape[0], CHUNK_BYTES / plan.bytes);
    } else {
        int64_t units = (plan.shape[plan.rank - 2] - 1) / TILE_ROWS + 1;
        int64_t rows = plan.shape[plan.rank - 2] < TILE_ROWS ? plan.shape[plan.rank - 2] : TILE_ROWS;
        for (int32_t i = 0; i < plan.rank - 2; i++) {
            units *= plan.shape[i];
        }
        int64_t unit_bytes = rows * plan.shape[plan.rank - 1] * plan.bytes;
        gmxrt_parallel_for(ctx, plane_body, &plan, units, CHUNK_BYTES / (unit_bytes + 1) + 1);
    }
    return 0;
}

gmxrt_tensor *gmxrt_tensor_contiguous(gmxrt_ctx *ctx, gmxrt_tensor *tensor, uint64_t span) {
    gmxrt_tensor *out = gmxrt_tensor_new(ctx, tensor->dtype, tensor->rank, tensor->shape, span);
    if (!out) {
        return NULL;
    }
    gmxrt_view from = gmxrt_view_of(tensor), to = gmxrt_view_of(out);
    if (gmxrt_copy(ctx, &from, &to, span) != 0) {
        gmxrt_tensor_release(out);
        return NULL;
    }
    return out;
}
