/* runtime.h -- the runtime as its hosts see it: sessions (runtime/api) and compiled libraries.
 *
 * Contexts, the allocator's figures, threads, lent memory, data files and text.  Generated code
 * calls nothing of this header. */
#ifndef GMX_RUNTIME_RT_RUNTIME_H
#define GMX_RUNTIME_RT_RUNTIME_H

#include "runtime/rt/dtype.h"
#include "runtime/rt/gmxrt.h"

/* ---- contexts --------------------------------------------------------------------------------- */

/* A context with an allocator of its own; NULL when memory cannot be had.  One context serves one
 * thread of calls at a time; any number of contexts work side by side and share one thread pool. */
gmxrt_ctx *gmxrt_ctx_create(void);
/* A second context over the allocator (and its cap) of `other`. */
gmxrt_ctx *gmxrt_ctx_create_sharing(const gmxrt_ctx *other);
/* Tensors and buffers may outlive their context. */
void gmxrt_ctx_destroy(gmxrt_ctx *ctx);
/* Forgets the error and the warnings, before the next run. */
void gmxrt_ctx_clear(gmxrt_ctx *ctx);

int32_t gmxrt_warning_count(const gmxrt_ctx *ctx); /* those kept; at most 16 */
const gmxrt_error *gmxrt_warning_get(const gmxrt_ctx *ctx, int32_t index);

/* ---- memory ----------------------------------------------------------------------------------- */

typedef struct gmxrt_memory_statistics {
    int64_t bytes_in_use;    /* handed out, in size classes */
    int64_t bytes_cached;    /* kept for reuse */
    int64_t bytes_peak;      /* greatest bytes_in_use so far */
    int64_t bytes_allocated; /* sum over all buffers made */
    int64_t allocations;     /* buffers made, reused ones included */
    int64_t reused;          /* of these, served from the cache */
    int64_t cap;             /* bytes_in_use + bytes_cached stay below it */
} gmxrt_memory_statistics;

void gmxrt_memory_get_statistics(const gmxrt_ctx *ctx, gmxrt_memory_statistics *out);
/* 0 restores the default, 7/8 of the machine's memory.  A cap below what is in use makes the next
 * request fail, it takes nothing away. */
void gmxrt_memory_set_cap(gmxrt_ctx *ctx, int64_t bytes);
void gmxrt_memory_trim(gmxrt_ctx *ctx); /* gives every cached byte back to the system */

/* Host memory as a buffer, without a copy; `release(owner)` runs when the last reference goes
 * (`release` may be NULL).  NULL after E0306 was set. */
gmxrt_buffer *gmxrt_buffer_lend(gmxrt_ctx *ctx, void *data, int64_t bytes, void (*release)(void *owner),
                                void *owner);
/* Ends the loan of a buffer that nobody else has seen: `release` will not run. */
void gmxrt_buffer_disown(gmxrt_buffer *buffer);

/* ---- tensors ---------------------------------------------------------------------------------- */

gmxrt_view gmxrt_view_of(const gmxrt_tensor *tensor);
/* A new contiguous tensor with the elements of `tensor`; NULL after an error was set. */
gmxrt_tensor *gmxrt_tensor_contiguous(gmxrt_ctx *ctx, gmxrt_tensor *tensor, uint64_t span);

/* ---- patterns --------------------------------------------------------------------------------- */

/* A pattern in order ROWS over arrays of a compressed sparse row matrix, which it keeps: starts [rows + 1]
 * and the columns of the entries, indices [count], ascending in each row; vectors of i32 or i64.  0, or
 * nonzero after E0204 or E0302 said what does not fit. */
int32_t gmxrt_pattern_lend(gmxrt_ctx *ctx, int64_t rows, int64_t columns, gmxrt_tensor *starts,
                           gmxrt_tensor *indices, gmxrt_buffer **pattern, uint64_t span);
/* The tensor that wraps a pattern (see gmxrt.h); NULL after E0306. */
gmxrt_tensor *gmxrt_pattern_tensor(gmxrt_ctx *ctx, gmxrt_buffer *pattern);

/* ---- threads ---------------------------------------------------------------------------------- */

/* Threads that take part in a parallel loop, the caller included, for the whole process; n < 1
 * means one per CPU this process may run on.  Waits for a loop that is under way. */
void gmxrt_set_threads(int32_t n);
int32_t gmxrt_get_threads(void);

/* ---- data files -------------------------------------------------------------------------------
 * E0401: the file cannot be opened or written; E0402: damaged or cut short; E0403: of a kind or with
 * contents that GMX does not read; E0204: names or ranks that the kind of file cannot hold. */

typedef enum gmxrt_file_kind {
    GMXRT_FILE_UNKNOWN,
    GMXRT_FILE_NPY,
    GMXRT_FILE_NPZ,
    GMXRT_FILE_SAFETENSORS,
    GMXRT_FILE_CSV,
    GMXRT_FILE_TSV,
    GMXRT_FILE_PLANNED, /* the language has it, this build does not: .mtx .mtx.gz .onnx */
} gmxrt_file_kind;

/* What the end of the path says, in capitals or not. */
gmxrt_file_kind gmxrt_file_kind_of(const char *path);
/* E0900 or E0403 for a path that no reader or writer is for (`verb`: "load" or "save"); always 1. */
int32_t gmxrt_file_refuse(gmxrt_ctx *ctx, const char *path, const char *verb, uint64_t span);

typedef struct gmxrt_array { /* one array of a file */
    char *name;              /* UTF-8; "" in a file that has no names */
    int32_t dtype;
    int32_t rank;
    int64_t shape[GMXRT_MAX_RANK];
    gmxrt_tensor *tensor; /* NULL where only headers are read */
} gmxrt_array;

typedef struct gmxrt_arrays {
    int64_t count, capacity;
    gmxrt_array *items;
} gmxrt_arrays;

/* Reads the arrays of a file in its order, names distinct; nonzero after an error, *out then holds
 * nothing.  `only_headers`: no data is read (of .csv all is read). */
int32_t gmxrt_file_load(gmxrt_ctx *ctx, const char *path, bool only_headers, gmxrt_arrays *out,
                        uint64_t span);
void gmxrt_arrays_free(gmxrt_arrays *arrays); /* releases the tensors too */
/* Writes arrays beside the target and renames.  `names` is NULL for one array without a name. */
int32_t gmxrt_file_save(gmxrt_ctx *ctx, const char *path, int64_t count, const char *const *names,
                        const gmxrt_view *arrays, uint64_t span);
/* Curves (f64 vectors) over their index: an .svg file, or without a path lines of text where `print` writes.
 */
int32_t gmxrt_plot(gmxrt_ctx *ctx, const char *path, int64_t count, const char *const *names,
                   const gmxrt_view *curves, uint64_t span);
/* Whether such a save can be: the suffix is known and, with names, that of a file with names. */
int32_t gmxrt_file_can_save(gmxrt_ctx *ctx, const char *path, bool has_names, uint64_t span);

/* .npy alone, whatever the path's end.  Versions 1.0 to 3.0, either byte order, C and Fortran order.  bf16,
 * for which NumPy has no type, is the 2-byte void type `V2`, as ml_dtypes writes it. */
typedef struct gmxrt_npy_header {
    int32_t dtype;
    int32_t rank;
    int64_t shape[GMXRT_MAX_RANK];
    bool fortran_order;
    bool swapped; /* big-endian */
    int64_t data_offset;
    int64_t data_bytes; /* the file is known to hold as many */
} gmxrt_npy_header;

/* Reads the header alone, and compares the size it declares with the file's. */
int32_t gmxrt_npy_probe(gmxrt_ctx *ctx, const char *path, gmxrt_npy_header *out, uint64_t span);
gmxrt_tensor *gmxrt_npy_load(gmxrt_ctx *ctx, const char *path, uint64_t span); /* NULL: error set */
/* Writes beside the target and renames, so that readers see the old file or the new one. */
int32_t gmxrt_npy_save(gmxrt_ctx *ctx, const char *path, const gmxrt_view *x, uint64_t span);

/* ---- profiles --------------------------------------------------------------------------------- */

/* What was measured at one place, all calls together. */
typedef struct gmxrt_profile_site {
    const char *name; /* of the kernel or the library function */
    uint64_t key, span;
    int32_t kind, dtype;
    int64_t calls, nanoseconds, least_nanoseconds;
    double flops, bytes_read, bytes_written;
    double density; /* the least share of elements that are not zero among large operands; 1: not seen */
    int64_t operand_size; /* elements of that operand */
} gmxrt_profile_site;

int32_t gmxrt_profile_start(gmxrt_ctx *ctx); /* from now on sites are kept; 0, or 1: no memory */
const gmxrt_profile_site *gmxrt_profile_sites(const gmxrt_ctx *ctx, size_t *count);

/* ---- text ------------------------------------------------------------------------------------- */

typedef struct gmxrt_text {
    char *data; /* NUL-terminated once something was appended; free with gmxrt_text_free */
    size_t length, capacity;
    bool failed; /* memory ran out */
} gmxrt_text;

void gmxrt_text_free(gmxrt_text *text);
/* Appends a tensor as NumPy prints it.  With a format spec (Python's mini-language) a 0-d tensor is
 * formatted by it, and so is each element of a larger one, aligned to the right in columns. */
int32_t gmxrt_format(gmxrt_ctx *ctx, gmxrt_text *text, const gmxrt_view *x, const char *spec, size_t length,
                     uint64_t span);
/* What gmxrt_print writes, without the newline. */
int32_t gmxrt_format_template(gmxrt_ctx *ctx, gmxrt_text *text, const char *format, int32_t count,
                              const gmxrt_view *values, uint64_t span);

/* ---- scalars ---------------------------------------------------------------------------------- */

float gmxrt_f16_to_f32(uint16_t bits);
uint16_t gmxrt_f32_to_f16(float value);  /* nearest, ties to even; NaN stays NaN, overflow gives inf */
uint16_t gmxrt_f64_to_f16(double value); /* one rounding, not two */
float gmxrt_bf16_to_f32(uint16_t bits);
uint16_t gmxrt_f32_to_bf16(float value);

/* Philox4x32-10 with its whole counter and key. */
void gmxrt_philox_block(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

#endif
