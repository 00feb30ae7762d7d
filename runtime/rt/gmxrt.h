/* gmxrt.h -- what generated code calls, and the objects that it and the host share.
 *
 * This header is the ABI between compiled GMX code and its runtime.  It is linked into
 * libgmx (for the JIT) and into every library that gmxc makes, so it knows nothing of
 * sessions, source text or the compiler.  codegen/ sees this header and no other of runtime/.
 *
 * Struct layouts below are known to generated code; change them together with
 * codegen/llvm/host.c and raise GMXRT_ABI (it is part of every object-cache key). */
#ifndef GMX_RUNTIME_RT_GMXRT_H
#define GMX_RUNTIME_RT_GMXRT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GMXRT_ABI      3
#define GMXRT_MAX_RANK 16

/* ---- errors ---------------------------------------------------------------------------------
 * A function that can fail returns 0, or nonzero after it has filled ctx->error.  `code` is a
 * DiagCode of ir/base/diag.def (its number), `span` packs begin | end << 32 of ir/base/span.h. */
typedef struct gmxrt_error {
    int32_t code; /* 0: none */
    uint64_t span;
    char message[512];
    char hint[256];
} gmxrt_error;

/* ---- context: one per session and thread of calls ------------------------------------------- */
typedef struct gmxrt_pool gmxrt_pool;           /* worker threads */
typedef struct gmxrt_allocator gmxrt_allocator; /* caching allocator with a cap */

typedef struct gmxrt_ctx {
    gmxrt_pool *pool;
    gmxrt_allocator *allocator;
    /* Where `print` writes; NULL: standard output.  `user` belongs to the owner of the context. */
    void (*write)(void *user, const char *text, size_t length);
    void *user;
    volatile int32_t interrupt; /* set by a signal handler or another thread: loops stop with E0308 */
    gmxrt_error error;
    uint64_t random_key;             /* the script's random stream: seed(n) sets the key, */
    uint64_t random_counter;         /* each drawing statement advances the counter */
    int64_t stream_bytes;            /* a launch that writes more than this may store past the caches */
    struct gmxrt_warnings *warnings; /* collected by gmxrt_warning, read through runtime.h; may be NULL */
    struct gmxrt_profile *profile;   /* what code compiled for profiling measures; NULL: nothing is kept */
    struct gmxrt_progress *progress; /* the bar of a loop; NULL before there was one */
    uint32_t product_choice;         /* bits of product_choice.c; 0: by rule */
} gmxrt_ctx;

/* Sets ctx->error (the first error wins) and returns 1. */
int32_t gmxrt_fail(gmxrt_ctx *ctx, int32_t code, uint64_t span, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void gmxrt_set_hint(gmxrt_ctx *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Collects a warning; the host reads them with gmxrt_warning_count and _get of runtime.h. */
void gmxrt_warning(gmxrt_ctx *ctx, int32_t code, uint64_t span, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- memory ---------------------------------------------------------------------------------
 * A buffer is reference-counted memory, 64-byte aligned, huge pages advised from 2 MiB on.
 * A lent buffer (host memory, a mapped file) calls `release_owner` when its count drops to zero. */
typedef struct gmxrt_buffer {
    int64_t references; /* atomic; GMXRT_IMMORTAL: never counted (stack descriptors of compiled libraries) */
    void *data;
    int64_t bytes;
    gmxrt_allocator *allocator; /* where data goes back to; NULL: not ours */
    void (*release_owner)(void *owner);
    void *owner;
} gmxrt_buffer;
#define GMXRT_IMMORTAL INT64_MIN

/* A tensor: a typed, strided window into a buffer.  Strides are in elements, may be 0 or negative.
 * 0-d tensors are scalars.  Immutable once published; reference-counted (atomic). */
typedef struct gmxrt_tensor {
    int64_t references;
    gmxrt_buffer *buffer;
    void *data;    /* address of element [0, …, 0] */
    int32_t dtype; /* row number in ir/dtypes.def */
    int32_t rank;
    int64_t shape[GMXRT_MAX_RANK];
    int64_t strides[GMXRT_MAX_RANK];
} gmxrt_tensor;

/* Uninitialised buffer of `bytes` (0 is fine), one reference; NULL after E0306 was set. */
gmxrt_buffer *gmxrt_buffer_new(gmxrt_ctx *ctx, int64_t bytes, uint64_t span);
void gmxrt_buffer_retain(gmxrt_buffer *buffer);  /* NULL is allowed */
void gmxrt_buffer_release(gmxrt_buffer *buffer); /* NULL is allowed */
/* A tensor over `buffer` (takes a reference of its own).  Copies shape and strides. */
gmxrt_tensor *gmxrt_tensor_make(gmxrt_ctx *ctx, gmxrt_buffer *buffer, void *data, int32_t dtype, int32_t rank,
                                const int64_t *shape, const int64_t *strides);
/* A new contiguous, uninitialised tensor.  Checks negative extents and size overflow (E0306). */
gmxrt_tensor *gmxrt_tensor_new(gmxrt_ctx *ctx, int32_t dtype, int32_t rank, const int64_t *shape,
                               uint64_t span);
void gmxrt_tensor_retain(gmxrt_tensor *tensor);
void gmxrt_tensor_release(gmxrt_tensor *tensor);
int64_t gmxrt_tensor_size(const gmxrt_tensor *tensor); /* number of elements */
bool gmxrt_tensor_is_contiguous(const gmxrt_tensor *tensor);
/* Product of extents times element size; -1 when it does not fit i64 or an extent is negative. */
int64_t gmxrt_bytes_of(int32_t dtype, int32_t rank, const int64_t *shape);

/* ---- parallel loops ---------------------------------------------------------------------------
 * Runs body(arguments, begin, end) over a partition of [0, count) on the pool; the caller takes
 * part.  The partition is a function of count and grain alone, the same at one thread: chunks begin
 * at multiples of `grain` (the least elements worth a chunk) and there are at most
 * GMXRT_MAX_CHUNKS of them.  Which thread runs which chunk never changes results: bodies write
 * disjoint places.  Nested calls run serially.  Once ctx->interrupt is set no chunk begins, and the
 * call fails with E0308 (its place is the caller's): nonzero, and what was to be written is not. */
#define GMXRT_MAX_CHUNKS 256
typedef void (*gmxrt_body)(void *arguments, int64_t begin, int64_t end);
int32_t gmxrt_parallel_for(gmxrt_ctx *ctx, gmxrt_body body, void *arguments, int64_t count, int64_t grain);

/* ---- views passed to library calls: what generated host code builds on its stack -------------- */
typedef struct gmxrt_view {
    void *data;
    int32_t dtype;
    int32_t rank;
    int64_t shape[GMXRT_MAX_RANK];
    int64_t strides[GMXRT_MAX_RANK];
} gmxrt_view;

/* out = a @ b with NumPy's rules for batches; vectors are already expanded by the compiler, so rank >= 2
 * everywhere and the batch extents of a and b equal out's, are 1, are missing or have stride 0.  f32 f64
 * through OpenBLAS when it is there, else own loops; f16 bf16 are widened to f32 (accumulated there, rounded
 * once); integers wrap, bool is the or of ands.  Same bits for any number of threads: work is split along M,
 * N or the batch in blocks that depend on the shape alone.  `out` may not overlap a or b. */
int32_t gmxrt_matmul(gmxrt_ctx *ctx, const gmxrt_view *a, const gmxrt_view *b, const gmxrt_view *out,
                     uint64_t span);
/* Compiled kernels: nonzero after ctx->error was set.  arguments[k] holds parameter k: an address or the bits
 * of a scalar. */
typedef int32_t (*gmxrt_kernel)(gmxrt_ctx *ctx, const int64_t *arguments);
/* A kernel that may not have been compiled yet.  `code` is NULL until `make`, which any thread may call, has
 * made it; NULL: it cannot be made, or with `only_if_cached` not without compiling.  `work` is the runtime's:
 * what was done without the code. */
typedef struct gmxrt_lazy_kernel gmxrt_lazy_kernel;
struct gmxrt_lazy_kernel {
    gmxrt_kernel code;
    gmxrt_kernel (*make)(gmxrt_lazy_kernel *lazy, int32_t only_if_cached);
    int64_t work;
};
/* gmxrt_matmul into a contiguous `out`, by `own` (passes/lower_product.h) where product_choice.c prefers it
 * or there is no library, and then, block by block, `epilogue` (or NULL) over the rows of `out`, which are
 * numbered through all batches.  The first GMXRT_EPILOGUE_RANGE of its `count` arguments are set here: first
 * row, end of rows, first column, end of columns.  Halves: `own` is the kernel of f32. */
#define GMXRT_EPILOGUE_RANGE 4
#define GMXRT_EPILOGUE_MOST  64 /* arguments */
int32_t gmxrt_product(gmxrt_ctx *ctx, const gmxrt_view *a, const gmxrt_view *b, const gmxrt_view *out,
                      gmxrt_lazy_kernel *own, gmxrt_kernel epilogue, const int64_t *arguments, int64_t count,
                      uint64_t span);
/* out = solve(a, b): a [..., n, n], b [..., n, k] (vectors expanded), f32 or f64.  E0304 names the pivot;
 * near singularity is a warning on ctx (see gmxrt_warning). */
int32_t gmxrt_solve(gmxrt_ctx *ctx, const gmxrt_view *a, const gmxrt_view *b, const gmxrt_view *out,
                    uint64_t span);
/* out = lower Cholesky factor of a [..., n, n], the upper triangle zero.  E0304 if not positive definite. */
int32_t gmxrt_cholesky(gmxrt_ctx *ctx, const gmxrt_view *a, const gmxrt_view *out, uint64_t span);
/* out = x, element by element between any two layouts of one dtype and shape. */
int32_t gmxrt_copy(gmxrt_ctx *ctx, const gmxrt_view *x, const gmxrt_view *out, uint64_t span);

/* x in order along an axis, and the i64 indices that put it in order: stable, NaN last (first if descending).
 */
int32_t gmxrt_sort(gmxrt_ctx *ctx, const gmxrt_view *x, const gmxrt_view *out, int64_t axis,
                   int64_t descending, uint64_t span);
int32_t gmxrt_argsort(gmxrt_ctx *ctx, const gmxrt_view *x, const gmxrt_view *out, int64_t axis,
                      int64_t descending, uint64_t span);
/* out[i] = x[0] + … + x[i] along an axis (product, greatest, least), of one dtype. */
int32_t gmxrt_cumsum(gmxrt_ctx *ctx, const gmxrt_view *x, const gmxrt_view *out, int64_t axis, uint64_t span);
int32_t gmxrt_cumprod(gmxrt_ctx *ctx, const gmxrt_view *x, const gmxrt_view *out, int64_t axis,
                      uint64_t span);
int32_t gmxrt_cummax(gmxrt_ctx *ctx, const gmxrt_view *x, const gmxrt_view *out, int64_t axis, uint64_t span);
int32_t gmxrt_cummin(gmxrt_ctx *ctx, const gmxrt_view *x, const gmxrt_view *out, int64_t axis, uint64_t span);
/* out (i64, the shape of values) = how many of `sorted` [n] are less than each value, or not greater if
 * right. */
int32_t gmxrt_searchsorted(gmxrt_ctx *ctx, const gmxrt_view *sorted, const gmxrt_view *values,
                           const gmxrt_view *out, int64_t right, uint64_t span);
/* out (contiguous i64 [extent]) = how often each number occurs in x (i64); E0302 outside of 0 .. extent. */
int32_t gmxrt_bincount(gmxrt_ctx *ctx, const gmxrt_view *x, const gmxrt_view *extent, const gmxrt_view *out,
                       uint64_t span);
/* out (contiguous) = indices (i64), negative ones counted from the end; E0302 if one is outside
 * -extent .. extent. */
int32_t gmxrt_check_index(gmxrt_ctx *ctx, const gmxrt_view *indices, int64_t extent, int64_t axis,
                          const gmxrt_view *out, uint64_t span);

/* out (contiguous i64, [rank of mask, number of true elements]) = the positions of the true elements in C
 * order, a row per axis; count: that number. */
int32_t gmxrt_nonzero(gmxrt_ctx *ctx, const gmxrt_view *mask, const gmxrt_view *count, const gmxrt_view *out,
                      uint64_t span);

/* ---- patterns: which entries of a matrix are stored, or the edges of a graph ------------------
 * A pattern has `rows` x `columns` places, of which `count` are taken; the parallel edges of a graph are a
 * place taken several times.  It is immutable but for parts that are made when they are first asked for, from
 * any thread.  What is taken has an order, that of the values which a tensor [count, ...] keeps on the
 * pattern.
 *
 * It lives in a gmxrt_buffer whose `data` is the gmxrt_pattern: references to the buffer own it.  Wrapped in
 * a gmxrt_tensor it has the index dtype, rank 3 and the shape [rows, columns, count].
 *
 * `index` is i32, or i64 where its maker asked for that: with i32, rows, columns and count are below 2^31,
 * and E0306 says where they would not be.  What is made of a pattern has the same `index`. */
enum {
#define ORDER(name, ...) GMXRT_ORDER_##name,
#include "ir/formats.def"
};
enum {
#define REPEATS(name, ...) GMXRT_REPEATS_##name,
#include "ir/formats.def"
};
/* Arrays of a pattern; ROW_PLACES of order ROWS and COLUMN_PLACES of order COLUMNS are NULL. */
enum {
#define PART(name, ...) GMXRT_PART_##name,
#include "ir/formats.def"
};

typedef struct gmxrt_pattern {
    int64_t rows, columns, count;
    int32_t index;    /* dtype of every part but the starts */
    int32_t order;    /* GMXRT_ORDER_… */
    bool has_repeats; /* parallel edges */
    struct gmxrt_pattern_parts *parts;
} gmxrt_pattern;

/* *data = the array; it lives as long as the pattern.  0, or nonzero after ctx->error was set. */
int32_t gmxrt_pattern_part(gmxrt_ctx *ctx, gmxrt_pattern *pattern, int64_t part, void **data, uint64_t span);

/* Below, `*pattern` receives a new reference to a buffer that holds a pattern, and a `map` one to a buffer of
 * contiguous i64; all are untouched on failure.  Patterns may be the same object. */

/* The pattern with an entry at each (rows[k], columns[k]) (i64 or i32 [e], any strides); map[k], of [e]: the
 * place of entry k in the order.  index: i32 or i64.  E0302 if one is out of range. */
int32_t gmxrt_pattern_make(gmxrt_ctx *ctx, const gmxrt_view *rows, const gmxrt_view *columns,
                           int64_t row_count, int64_t column_count, int64_t order, int64_t repeats,
                           int64_t index, gmxrt_buffer **pattern, gmxrt_buffer **map, uint64_t span);
/* Rows and columns change places; values keep theirs, so that ROWS becomes COLUMNS.  Shares every array. */
int32_t gmxrt_pattern_transpose(gmxrt_ctx *ctx, gmxrt_pattern *x, gmxrt_buffer **pattern, uint64_t span);
/* The same entries in another order (ROWS or COLUMNS): entry p of the result is entry places[p] of x (its
 * ROW_PLACES or COLUMN_PLACES).  Shares every array. */
int32_t gmxrt_pattern_reorder(gmxrt_ctx *ctx, gmxrt_pattern *x, int64_t order, gmxrt_buffer **pattern,
                              uint64_t span);
/* Entries of x or y (of both), in order ROWS; x_map[p]: the place of entry p in x, -1 where x has none. Equal
 * shapes, no repeats.  Of one and the same pattern in order ROWS: itself. */
int32_t gmxrt_pattern_union(gmxrt_ctx *ctx, gmxrt_pattern *x, gmxrt_pattern *y, gmxrt_buffer **pattern,
                            gmxrt_buffer **x_map, gmxrt_buffer **y_map, uint64_t span);
int32_t gmxrt_pattern_intersection(gmxrt_ctx *ctx, gmxrt_pattern *x, gmxrt_pattern *y, gmxrt_buffer **pattern,
                                   gmxrt_buffer **x_map, gmxrt_buffer **y_map, uint64_t span);
/* The entries that x @ y can have, in order ROWS. */
int32_t gmxrt_pattern_product(gmxrt_ctx *ctx, gmxrt_pattern *x, gmxrt_pattern *y, gmxrt_buffer **pattern,
                              uint64_t span);
/* Row k of the result is row rows[k] of x, column k is column columns[k] (i64, in range, repeats allowed); a
 * NULL view takes all as they are.  map[p]: the place of entry p in x.  In order ROWS. */
int32_t gmxrt_pattern_select(gmxrt_ctx *ctx, gmxrt_pattern *x, const gmxrt_view *rows,
                             const gmxrt_view *columns, gmxrt_buffer **pattern, gmxrt_buffer **map,
                             uint64_t span);
/* out (contiguous i64) = where (rows[k], columns[k]) stands in x, the first of repeats; -1 where there is
 * none. All i64 of one shape; E0302 if one is out of range. */
int32_t gmxrt_pattern_locate(gmxrt_ctx *ctx, gmxrt_pattern *x, const gmxrt_view *rows,
                             const gmxrt_view *columns, const gmxrt_view *out, uint64_t span);
/* out [z->count] = the entries of (x, x_values) @ (y, y_values) that z has; one dtype, contiguous; the
 * entries of a row are added in the order of x's columns, f16 and bf16 in f32.  Same bits for any number of
 * threads. */
int32_t gmxrt_sparse_product(gmxrt_ctx *ctx, gmxrt_pattern *x, const gmxrt_view *x_values, gmxrt_pattern *y,
                             const gmxrt_view *y_values, gmxrt_pattern *z, const gmxrt_view *out,
                             uint64_t span);

/* ---- printing from compiled code --------------------------------------------------------------
 * A print statement is a template (text with \x01 k \x02 spec \x03 holes: value number k as the byte k + 1,
 * then the format spec, possibly empty) and its values; one newline is added.  An empty spec
 * prints as NumPy does; others are Python's format mini-language, E0201 if one does not fit its value.
 * GMXRT_SHOW_PROGRESS before a label moves the bar of a loop: its two values are the iterations done and all;
 * GMXRT_SHOW_REPORT before a template writes it behind the bar. */
#define GMXRT_SHOW_PROGRESS "\x01\x01\x06"
#define GMXRT_SHOW_REPORT   "\x01\x01\x07"
int32_t gmxrt_print(gmxrt_ctx *ctx, const char *format, int32_t count, const gmxrt_view *values,
                    uint64_t span);

/* ---- random numbers ---------------------------------------------------------------------------
 * Philox4x32-10 (Salmon et al. 2011), the reference of what kernels inline: block number `counter`
 * (the low 64 bits of Philox's counter; the high ones are 0) of the stream `key`. */
void gmxrt_philox(uint64_t key, uint64_t counter, uint32_t out[4]);

/* ---- checks used by generated code ------------------------------------------------------------ */
int32_t gmxrt_fail_extents(gmxrt_ctx *ctx, const char *message, int64_t left, int64_t right,
                           uint64_t span); /* E0301 */
int32_t gmxrt_fail_index(gmxrt_ctx *ctx, int64_t index, int64_t extent, int64_t axis,
                         uint64_t span); /* E0302 */
int32_t gmxrt_fail_message(gmxrt_ctx *ctx, int32_t code, const char *message, uint64_t span);

/* ---- profiling --------------------------------------------------------------------------------
 * Called only by code compiled for profiling, around each kernel and library call; other code reads no clock
 * and has no branch for it.  A site is told apart by key (what runs) and span (where it stands in the
 * source). `name` must stay valid as long as the context; `kind` is a gmxrt_profile_kind | dtype << 8. */
enum { GMXRT_PROFILE_KERNEL, GMXRT_PROFILE_CALL };
int64_t gmxrt_profile_begin(gmxrt_ctx *ctx); /* nanoseconds */
void gmxrt_profile_end(gmxrt_ctx *ctx, int64_t begin, const char *name, uint64_t key, uint64_t span,
                       int32_t kind, double flops, double bytes_read, double bytes_written);
/* Before a product's first call: which share of this operand's elements is not zero. */
void gmxrt_profile_operand(gmxrt_ctx *ctx, uint64_t key, uint64_t span, const gmxrt_view *operand);

/* ---- libraries made by gmxc --------------------------------------------------------------------
 * An exported C function stores its arguments and hands them to gmxrt_library_call with a description of
 * itself; everything that is checked, and the choice of code for this CPU, is there. */
typedef struct gmxrt_library_value { /* a parameter or a result */
    const char *name;
    int32_t dtype;
    int32_t rank;
} gmxrt_library_value;
typedef struct gmxrt_library_constant { /* an array baked into the library, in C order */
    void *data;
    const int64_t *shape;
    int32_t dtype;
    int32_t rank;
} gmxrt_library_constant;
typedef struct gmxrt_library_place {
    uint64_t span;
    const char *text; /* "file:line:column" */
} gmxrt_library_place;
typedef struct gmxrt_library_code {
    int64_t level; /* of x86-64 that the code needs: 1 … 4 */
    int32_t (*run)(gmxrt_ctx *ctx, gmxrt_tensor *const *parameters, gmxrt_tensor **results,
                   const uint64_t *table);
} gmxrt_library_code;
typedef struct gmxrt_library_function {
    const char *name;
    int32_t dim_count, parameter_count, result_count, place_count, code_count, constant_count;
    const char *const *dim_names;
    const gmxrt_library_value *values; /* parameters, then results */
    const gmxrt_library_place *places;
    const gmxrt_library_code *code;          /* highest level first */
    const gmxrt_library_constant *constants; /* handed to the code behind the parameters */
} gmxrt_library_function;
/* A struct of pointers to tensors: a layer.  Its functions take the address of the pointers. */
typedef struct gmxrt_library_struct {
    const char *type; /* "MLP(784, 10)", for messages */
    int64_t count;
    const gmxrt_library_value *values;
    const char *const *paths; /* in files */
    const int64_t *extents;   /* of every axis of every member */
    const gmxrt_library_function *init;
} gmxrt_library_struct;
/* 0, or nonzero with gmx_last_error set and nothing allocated. */
int32_t gmxrt_library_struct_init(const gmxrt_library_struct *type, void **members, int64_t seed);
int32_t gmxrt_library_struct_load(const gmxrt_library_struct *type, void **members, const char *path);
int32_t gmxrt_library_struct_save(const gmxrt_library_struct *type, void *const *members, const char *path);
void gmxrt_library_struct_free(const gmxrt_library_struct *type, void **members);
/* dims: the dim arguments.  extents: of every axis of every value, in order; negative when computing one
 * overflowed.  addresses: of every value's elements (scalars too).  0, or nonzero with nothing written and
 * gmx_last_error set. */
int32_t gmxrt_library_call(const gmxrt_library_function *function, const int64_t *dims,
                           const int64_t *extents, void *const *addresses);

/* Name → address of every function that generated code may call (the JIT defines them as absolute symbols).
 */
typedef struct gmxrt_symbol {
    const char *name;
    void *address;
} gmxrt_symbol;
const gmxrt_symbol *gmxrt_symbols(size_t *count);

#endif
