/* Matrix products by the compiler's kernels: cutting the work, and finishing it block by block.
 *
 * An element's bits do not depend on where the work is cut (passes/lower_product.h), so the cuts only have to
 * keep caches warm and threads busy; they depend on the shape alone all the same. */
#include "runtime/rt/internal.h"

#include "runtime/rt/matmul.h"

#include <string.h>

/* Rows of a that stay in the second-level cache while columns of b go by; multiply-adds that are worth a
 * task; tasks that a single product is cut into if it is large enough; the widest tile, and what is done by
 * two and two vectors (passes/lower_product.c). */
enum {
    TASK_ROWS = 192,
    TASK_WORK = 1 << 19,
    TASKS_WANTED = 16,
    TILE_ROWS = 8,
    TILE_BYTES = 192,
    WIDEST_BYTES = 256
};

/* ---- epilogues ----------------------------------------------------------------------------- */

static void finish(gmxrt_ctx *ctx, const ProductCode *code, int64_t first_row, int64_t rows,
                   int64_t first_column, int64_t columns) {
    int64_t arguments[GMXRT_EPILOGUE_MOST];
    memcpy(arguments, code->arguments, (size_t)code->count * sizeof *arguments);
    arguments[0] = first_row;
    arguments[1] = first_row + rows;
    arguments[2] = first_column;
    arguments[3] = first_column + columns;
    if (code->epilogue(ctx, arguments) != 0) {
        __atomic_store_n(code->failed, 1, __ATOMIC_RELAXED);
    }
}

void product_finish(gmxrt_ctx *ctx, const Product *product, int64_t first_row, int64_t rows,
                    int64_t first_column, int64_t columns) {
    const ProductCode *code = product->code;
    if (!code || !code->epilogue) {
        return;
    }
    if (product->is_turned) {
        finish(ctx, code, first_column, columns, first_row, rows);
    } else {
        finish(ctx, code, first_row, rows, first_column, columns);
    }
}

typedef struct FinishCall {
    gmxrt_ctx *ctx;
    const ProductCode *code;
    int64_t columns;
} FinishCall;

static void finish_body(void *arguments, int64_t begin, int64_t end) {
    const FinishCall *call = arguments;
    finish(call->ctx, call->code, begin, end - begin, 0, call->columns);
}

void product_finish_all(gmxrt_ctx *ctx, const Product *product, const gmxrt_view *out) {
    if (!product->code || !product->code->epilogue) {
        return;
    }
    int64_t columns = out->shape[out->rank - 1], rows = view_size(out) / columns;
    FinishCall call = {ctx, product->code, columns};
    gmxrt_parallel_for(ctx, finish_body, &call, rows, 16384 / columns + 1);
}

/* ---- cutting ------------------------------------------------------------------------------- */

/* The work: batches (all axes but the last of them; the last in runs) x rows x columns. */
typedef struct KernelCall {
    const Product *product;
    gmxrt_kernel kernel;
    gmxrt_ctx *ctx;
    int64_t inner;                     /* extent of the last batch axis */
    int64_t a_batch, b_batch, c_batch; /* its strides */
    int64_t run, runs;                 /* matrices of it in a task; tasks along it */
    int64_t rows, row_blocks, columns, column_blocks;
} KernelCall;

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t ceil_divide(int64_t a, int64_t b) {
    return (a - 1) / b + 1;
}

/* x * y for positive numbers; large is large. */
static int64_t times(int64_t x, int64_t y) {
    int64_t product;
    return __builtin_mul_overflow(x, y, &product) ? INT64_MAX : product;
}

static void cut(KernelCall *call) {
    const Product *p = call->product;
    int64_t work = times(times(p->m, p->n), p->k), tile = TILE_BYTES / rt_dtype_bytes(p->out.dtype);
    call->row_blocks = smaller(ceil_divide(p->m, TASK_ROWS), work / TASK_WORK + 1);
    call->rows = ceil_divide(ceil_divide(p->m, call->row_blocks), 8) * 8;
    call->row_blocks = ceil_divide(p->m, call->rows);
    int64_t tasks = times(p->batches, call->row_blocks);
    int64_t wanted = tasks < TASKS_WANTED ? TASKS_WANTED / tasks : 1;
    wanted = smaller(wanted, work / call->row_blocks / TASK_WORK + 1);
    call->columns = ceil_divide(ceil_divide(p->n, wanted), tile) * tile;
    call->column_blocks = ceil_divide(p->n, call->columns);
    call->run = 1;
    if (call->row_blocks == 1 && call->column_blocks == 1) {
        call->run = smaller(call->inner, TASK_WORK / smaller(work, TASK_WORK));
    }
    call->runs = ceil_divide(call->inner, call->run);
}

/* Element offsets of the matrices that outer batch number `outer` begins with. */
static void offsets(const Product *p, int64_t outer, int64_t *at_a, int64_t *at_b, int64_t *at_c) {
    *at_a = *at_b = *at_c = 0;
    for (int32_t i = p->out.rank - 4; i >= 0; i--) {
        int64_t index = outer % p->out.shape[i];
        outer /= p->out.shape[i];
        *at_a += index * p->a.strides[i];
        *at_b += index * p->b.strides[i];
        *at_c += index * p->out.strides[i];
    }
}

/* ---- packing ------------------------------------------------------------------------------- */

/* b is read where it is for few rows, or where it is small; else, and where its rows are not in one piece,
 * blocks of it, as wide as a tile and DEPTH deep, are copied to where their rows lie together. */
enum { DEPTH = 256, DIRECT_ROWS = 64, DIRECT_ELEMENTS = 8192 };

static bool wants_packing(const ProductCall *call) {
    bool is_small = call->m <= DIRECT_ROWS || times(call->k, call->b_row) <= DIRECT_ELEMENTS;
    return call->b_column != 1 || !is_small;
}

static int32_t run_kernel(const KernelCall *call, const ProductCall *one) {
    int64_t arguments[sizeof *one / sizeof(int64_t)];
    memcpy(arguments, one, sizeof *one);
    return call->kernel(call->ctx, arguments);
}

#define DEFINE_PACK(type)                                                                                    \
    static void pack_##type(type *to, int64_t pitch, const type *from, int64_t row, int64_t column,          \
                            int64_t depth, int64_t width) {                                                  \
        enum { TOGETHER = 16 };                                                                              \
        for (int64_t first = 0; first < depth; first += TOGETHER) {                                          \
            int64_t end = smaller(first + TOGETHER, depth);                                                  \
            for (int64_t j = 0; j < width; j++) {                                                            \
                for (int64_t p = first; p < end; p++) {                                                      \
                    to[p * pitch + j] = from[p * row + j * column];                                          \
                }                                                                                            \
            }                                                                                                \
        }                                                                                                    \
    }
DEFINE_PACK(uint8_t)
DEFINE_PACK(uint16_t)
DEFINE_PACK(uint32_t)
DEFINE_PACK(uint64_t)

/* to[p, j] = from[p, j] */
static void pack(void *to, int64_t pitch, const char *from, const ProductCall *call, int64_t depth,
                 int64_t width, int64_t bytes) {
    int64_t row = call->b_row, column = call->b_column;
    if (column == 1) {
        for (int64_t p = 0; p < depth; p++) {
            memcpy((char *)to + p * pitch * bytes, from + p * row * bytes, (size_t)(width * bytes));
        }
    } else if (bytes == 1) {
        pack_uint8_t(to, pitch, (const uint8_t *)from, row, column, depth, width);
    } else if (bytes == 2) {
        pack_uint16_t(to, pitch, (const uint16_t *)from, row, column, depth, width);
    } else if (bytes == 4) {
        pack_uint32_t(to, pitch, (const uint32_t *)from, row, column, depth, width);
    } else {
        pack_uint64_t(to, pitch, (const uint64_t *)from, row, column, depth, width);
    }
}

/* One matrix, block by block, through `packed`. */
static int32_t run_blocks(const KernelCall *call, const ProductCall *one, void *packed, int64_t bytes) {
    int64_t tile = TILE_BYTES / bytes, widest = WIDEST_BYTES / bytes;
    for (int64_t p = 0; p < one->k; p += DEPTH) {
        ProductCall block = *one;
        block.k = smaller(DEPTH, one->k - p);
        block.a = one->a + p * one->a_column * bytes;
        block.b = packed;
        block.resume = p > 0;
        block.a_step = 0;
        for (int64_t j = 0; j < one->n; j += block.n) {
            block.n = one->n - j <= widest ? one->n - j : tile;
            block.ahead = one->b + (p * one->b_row + j * one->b_column) * bytes;
            block.c = one->c + j * bytes;
            block.b_row = block.n <= tile ? tile : widest;
            block.b_column = 1;
            pack(packed, block.b_row, block.ahead, one, block.k, block.n, bytes);
            if (run_kernel(call, &block) != 0) {
                return 1;
            }
        }
    }
    return 0;
}

static int32_t run_packed(const KernelCall *call, const ProductCall *one, int64_t bytes) {
    gmxrt_buffer *packed = gmxrt_buffer_new(call->ctx, DEPTH * WIDEST_BYTES, 0);
    int32_t failed = packed == NULL;
    for (int64_t t = 0; t < one->batches && !failed; t++) {
        ProductCall matrix = *one;
        matrix.batches = 1;
        matrix.a_batch = matrix.b_batch = matrix.c_batch = 0;
        matrix.a += t * one->a_batch * bytes;
        matrix.b += t * one->b_batch * bytes;
        matrix.c += t * one->c_batch * bytes;
        failed = run_blocks(call, &matrix, packed->data, bytes);
    }
    gmxrt_buffer_release(packed);
    return failed;
}

static void run_task(const KernelCall *call, int64_t task) {
    const Product *p = call->product;
    int32_t r = p->out.rank - 2, c = r + 1;
    int64_t bytes = rt_dtype_bytes(p->out.dtype), at_a, at_b, at_c;
    int64_t column = task % call->column_blocks * call->columns;
    task /= call->column_blocks;
    int64_t row = task % call->row_blocks * call->rows;
    task /= call->row_blocks;
    int64_t first = task % call->runs * call->run, outer = task / call->runs;
    offsets(p, outer, &at_a, &at_b, &at_c);
    at_a += first * call->a_batch + row * p->a.strides[r];
    at_b += first * call->b_batch + column * p->b.strides[c];
    at_c += first * call->c_batch + row * p->out.strides[r] + column;
    int64_t run = smaller(call->run, call->inner - first), rows = smaller(call->rows, p->m - row);
    int64_t columns = smaller(call->columns, p->n - column);
    ProductCall one = {.a = (const char *)p->a.data + at_a * bytes,
                       .b = (const char *)p->b.data + at_b * bytes,
                       .c = (char *)p->out.data + at_c * bytes,
                       .batches = run,
                       .m = rows,
                       .n = columns,
                       .k = p->k,
                       .a_batch = call->a_batch,
                       .a_row = p->a.strides[r],
                       .a_column = p->a.strides[c],
                       .b_batch = call->b_batch,
                       .b_row = p->b.strides[r],
                       .b_column = p->b.strides[c],
                       .c_batch = call->c_batch,
                       .c_row = p->out.strides[r],
                       .ahead_row = p->b.strides[r],
                       .a_step = TILE_ROWS};
    one.ahead = one.b;
    bool packs = call->kernel != product_plain(p->out.dtype) && wants_packing(&one);
    if ((packs ? run_packed(call, &one, bytes) : run_kernel(call, &one)) != 0) {
        __atomic_store_n(p->code->failed, 1, __ATOMIC_RELAXED);
        return;
    }
    if (p->code->epilogue) {
        int64_t matrix = outer * call->inner + first;
        if (p->is_turned) { /* a row of out is a column here */
            product_finish(call->ctx, p, row, rows, matrix * p->n + column, run > 1 ? run * p->n : columns);
        } else {
            product_finish(call->ctx, p, matrix * p->m + row, run > 1 ? run * p->m : rows, column, columns);
        }
    }
}

static void kernel_body(void *arguments, int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; task++) {
        run_task(arguments, task);
    }
}

/* Columns of a in one piece times a column: as a row times a matrix, whose rows then are in one piece. */
static bool is_better_turned(const Product *product) {
    int32_t r = product->out.rank - 2, c = r + 1;
    return product->n == 1 && product->m > 1 && product->a.strides[r] == 1 && product->a.strides[c] != 1 &&
           product->out.strides[r] == 1;
}

/* ---- with which code ------------------------------------------------------------------------ */

bool product_is_vector(const Product *product) {
    int32_t r = product->out.rank - 2, c = r + 1;
    const int64_t *a = product->a.strides, *b = product->b.strides;
    return (product->m == 1 && b[c] == 1) || (product->n == 1 && a[c] == 1 && b[r] == 1);
}

/* Every code gives the same bits, so what is loaded, and what was computed before, may decide.  Compiling
 * takes as long as about COMPILE_WORK multiply-adds without it, loading from the cache as long as LOAD_WORK.
 */
static gmxrt_kernel choose_code(const Product *product) {
    enum { LOAD_WORK = 1 << 20, COMPILE_WORK = 1 << 27 };
    gmxrt_lazy_kernel *own = product->code->own;
    gmxrt_kernel plain = product_plain(product->out.dtype);
    if (product_is_vector(product) || product_is_compiled_never()) {
        return plain;
    }
    gmxrt_kernel code = __atomic_load_n(&own->code, __ATOMIC_ACQUIRE);
    if (code) {
        return code;
    }
    int64_t batches = product->batches, work = times(product_work(product), batches);
    int64_t before = __atomic_fetch_add(&own->work, smaller(work, COMPILE_WORK), __ATOMIC_RELAXED);
    work = before > INT64_MAX - work ? INT64_MAX : before + work;
    if (work < LOAD_WORK && !product_is_compiled_always()) {
        return plain;
    }
    bool may_compile = work >= COMPILE_WORK || product_is_compiled_always();
    code = own->make(own, !may_compile);
    return code || may_compile ? code : plain;
}

int32_t product_by_kernel(gmxrt_ctx *ctx, Product *product, uint64_t span) {
    if (is_better_turned(product)) {
        product_turn(product);
        product->is_turned = true;
    }
    KernelCall call = {.product = product, .kernel = choose_code(product), .ctx = ctx, .inner = 1};
    if (!call.kernel) {
        return gmxrt_fail(ctx, RT_E0502, span, "the kernel of `@` cannot be compiled");
    }
    int32_t last = product->out.rank - 3;
    if (last >= 0) {
        call.inner = product->out.shape[last];
        call.a_batch = product->a.strides[last];
        call.b_batch = product->b.strides[last];
        call.c_batch = product->out.strides[last];
    }
    cut(&call);
    int64_t tasks = product->batches / call.inner * call.runs * call.row_blocks * call.column_blocks;
    gmxrt_parallel_for(ctx, kernel_body, &call, tasks, 1);
    product->is_finished = true;
    return __atomic_load_n(product->code->failed, __ATOMIC_RELAXED);
}
