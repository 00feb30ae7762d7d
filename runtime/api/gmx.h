/* gmx.h -- GMX embedded in a C or C++ program.
 *
 * A session holds names, compiled code and the last errors.  Sessions are independent of each other: any
 * number may be used from any threads at once, each from one thread at a time.  Every call takes the session
 * first and returns a gmx_status; results come back through a trailing `out`, which is set only on GMX_OK.
 * After anything else gmx_errmsg(session) says why, with the place in the source.  NULL for a session or for
 * an argument that must be there is GMX_MISUSE.
 *
 *     gmx_session *s;
 *     gmx_tensor *y;
 *     if (gmx_session_open(NULL, &s)) return 1;
 *     gmx_run_text(s, "setup", "fn f(x) = sum(tanh(x))", -1);
 *     if (gmx_call1(s, "f", x, &y) == GMX_OK) printf("%g\n", *(const double *)gmx_tensor_data(y));
 *     gmx_tensor_release(y);
 *     gmx_session_close(s);
 *
 * Tensors are reference-counted and immutable; every tensor handed out must be released. */
#ifndef GMX_H
#define GMX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define GMX_API __attribute__((visibility("default")))
#else
#define GMX_API
#endif

#define GMX_MAX_RANK 16

/* The values are the exit statuses of the commands where they have one. */
typedef enum gmx_status {
    GMX_OK = 0,
    GMX_ERROR = 1,     /* an error in the program or its data */
    GMX_MISUSE = 2,    /* a wrong argument to this interface */
    GMX_INTERNAL = 3,  /* an internal error of GMX */
    GMX_NO_MEMORY = 4, /* memory cannot be had */
    GMX_NO_BACKEND = 5 /* the back end asked for is not on this machine */
} gmx_status;

typedef enum gmx_dtype {
    GMX_BOOL,
    GMX_U8,
    GMX_U16,
    GMX_U32,
    GMX_U64,
    GMX_I8,
    GMX_I16,
    GMX_I32,
    GMX_I64,
    GMX_F16,
    GMX_BF16,
    GMX_F32,
    GMX_F64,
    GMX_C64, /* pairs of float, the real part first: float _Complex, std::complex<float> */
    GMX_C128 /* pairs of double */
} gmx_dtype;

typedef struct gmx_session gmx_session;
typedef struct gmx_tensor gmx_tensor;

/* Options of a session.  Zero every field that you do not set (gmx_options_init does). */
typedef struct gmx_options {
    size_t size;                 /* sizeof(gmx_options): later versions add fields at the end */
    const char *backend;         /* "auto" (NULL) or "cpu" */
    const char *target_cpu;      /* NULL or "native": this machine's; else a name such as "x86-64-v3" */
    int optimization;            /* 0 … 3; -1: the default, 2 */
    const char *cache_directory; /* object cache; NULL: $GMX_CACHE_DIR, $XDG_CACHE_HOME/gmx or ~/.cache/gmx;
                                    "": none */
    int64_t cache_bytes;         /* its limit; 0: 512 MB */
    int64_t memory_bytes;        /* cap on tensor memory; 0: most of the machine's */
    int verify;                  /* check the IR after every pass */
    const char *dump_after;      /* a pass name or "all": IR text goes to `write_error` */
    const char *stop_after;      /* a pass name */
    const char *const *disabled_passes; /* NULL-terminated, or NULL */
    int time_passes;
    int json_errors; /* gmx_errmsg gives one JSON object per line */
    /* Where `print` and the messages about passes go; NULL: standard output and standard error. */
    void (*write)(void *user, const char *text, size_t length);
    void (*write_error)(void *user, const char *text, size_t length);
    void *user;
    int interactive; /* names may be declared again, as in the REPL */
    int profile;     /* measure every kernel and library call: see gmx_profile */
    int check_nan;   /* stop with E0309 where a NaN is made */
} gmx_options;

GMX_API void gmx_options_init(gmx_options *options);
GMX_API const char *gmx_version(void);

/* ---- sessions ---------------------------------------------------------------------------------------- */
/* `options` may be NULL.  Strings in it are copied.  *out is NULL only if memory could not be had;
 * GMX_MISUSE: an option names no pass, gmx_errmsg says which. */
GMX_API gmx_status gmx_session_open(const gmx_options *options, gmx_session **out);
GMX_API void gmx_session_close(gmx_session *session); /* NULL is allowed; tensors may outlive it */
/* The errors and warnings of the last call, ready to print; "" when there were none.  Valid until the next
 * call. */
GMX_API const char *gmx_errmsg(gmx_session *session);
/* The code of the first error of the last call, "E0203"; "" when there was none. */
GMX_API const char *gmx_errcode(gmx_session *session);
/* Starts the back end of the options now instead of at the first compilation: GMX_NO_BACKEND when this
 * machine lacks it. */
GMX_API gmx_status gmx_require_backend(gmx_session *session);
/* Stops a running program soon, from any thread or a signal handler: it fails with E0308. */
GMX_API void gmx_interrupt(gmx_session *session);

/* ---- programs ------------------------------------------------------------------------------------------ */
/* Runs a script ("-": standard input); relative paths in it are tried beside the script first. */
GMX_API gmx_status gmx_run_file(gmx_session *session, const char *path);
/* Runs text (length < 0: NUL-terminated).  `name` stands for the file in messages. */
GMX_API gmx_status gmx_run_text(gmx_session *session, const char *name, const char *text, int64_t length);
/* The same; values of expression statements are printed, as in the REPL. */
GMX_API gmx_status gmx_show_text(gmx_session *session, const char *name, const char *text, int64_t length);
/* Runs text whose last statement is an expression and gives its value. */
GMX_API gmx_status gmx_eval(gmx_session *session, const char *text, gmx_tensor **out);
/* Checks a script without running it. */
GMX_API gmx_status gmx_check_file(gmx_session *session, const char *path);
/* Is this a whole REPL entry, or is another line needed? */
GMX_API int gmx_is_complete(gmx_session *session, const char *text);

/* ---- values
 * ------------------------------------------------------------------------------------------------ */
GMX_API gmx_status gmx_set(gmx_session *session, const char *name, gmx_tensor *value); /* a global `let` */
/* A global sparse matrix over the arrays of a compressed sparse row matrix, without a copy: starts [rows + 1]
 * (i64; i32 is copied), the columns of the entries, indices [count], ascending in each row (i32, or i64 where
 * that is needed), and values [count].  Without values (NULL): a graph with an edge from each row to its
 * columns, which stores none.  The arrays must not change while the matrix lives. */
GMX_API gmx_status gmx_set_csr(gmx_session *session, const char *name, int64_t rows, int64_t columns,
                               gmx_tensor *starts, gmx_tensor *indices, gmx_tensor *values);
GMX_API gmx_status gmx_get(gmx_session *session, const char *name, gmx_tensor **out);
/* Calls a function of the program.  It is compiled once per combination of dtypes, ranks and layouts. */
GMX_API gmx_status gmx_call(gmx_session *session, const char *function, gmx_tensor *const *arguments,
                            size_t argument_count, gmx_tensor **results, size_t result_count);
GMX_API gmx_status gmx_call1(gmx_session *session, const char *function, gmx_tensor *argument,
                             gmx_tensor **out);

/* ---- tensors
 * ----------------------------------------------------------------------------------------------- */
/* An uninitialised C-contiguous tensor to be filled through gmx_tensor_mutable_data before its first use. */
GMX_API gmx_status gmx_tensor_new(gmx_session *session, gmx_dtype dtype, int rank, const int64_t *shape,
                                  gmx_tensor **out);
/* Memory of the host, without a copy.  `strides` in elements, NULL: C order.  It must stay valid and
 * unchanged until `release(owner)` is called (release may be NULL: then until the session and all values are
 * gone).  `data` is aligned to its element size
 * (complex numbers: to the size of a part), or NULL where there are no elements.  After anything but
 * GMX_OK the memory is the caller's as before and `release` is not called. */
GMX_API gmx_status gmx_tensor_wrap(gmx_session *session, void *data, gmx_dtype dtype, int rank,
                                   const int64_t *shape, const int64_t *strides, void (*release)(void *owner),
                                   void *owner, gmx_tensor **out);
GMX_API void gmx_tensor_retain(gmx_tensor *tensor);
GMX_API void gmx_tensor_release(gmx_tensor *tensor); /* NULL is allowed */
GMX_API gmx_dtype gmx_tensor_dtype(const gmx_tensor *tensor);
GMX_API int gmx_tensor_rank(const gmx_tensor *tensor);
GMX_API const int64_t *gmx_tensor_shape(const gmx_tensor *tensor);
GMX_API const int64_t *gmx_tensor_strides(const gmx_tensor *tensor); /* in elements */
GMX_API int64_t gmx_tensor_size(const gmx_tensor *tensor);           /* number of elements */
GMX_API const void *gmx_tensor_data(const gmx_tensor *tensor);       /* address of the first element */
GMX_API void *gmx_tensor_mutable_data(gmx_tensor *tensor);
/* Files by the end of the name: .npy .npz .safetensors .csv .tsv.  Of a file with several arrays
 * gmx_eval gives one: `load(path).name`. */
GMX_API gmx_status gmx_load(gmx_session *session, const char *path, gmx_tensor **out);
GMX_API gmx_status gmx_save(gmx_session *session, gmx_tensor *tensor, const char *path);

/* ---- looking inside
 * -------------------------------------------------------------------------------------------- */
typedef struct gmx_statistics {
    uint64_t functions_compiled, kernels_compiled; /* LLVM ran */
    uint64_t memory_hits, disk_hits, disk_misses;  /* of compiled code */
    int64_t bytes_in_use, bytes_peak;              /* tensor memory */
    double compile_seconds, run_seconds;
    int64_t bytes_allocated;   /* of tensor memory since the session was opened, given back or not */
    int64_t tensors_allocated; /* buffers that these bytes were asked for in */
} gmx_statistics;
GMX_API gmx_status gmx_get_statistics(gmx_session *session, gmx_statistics *out);
/* What the kernels and library calls of a session with options.profile took: text for people.  The first call
 * adds the times to the record of earlier runs in the cache folder and compares with it. */
enum {
    GMX_PROFILE_TABLE = 1,    /* one line per operation: calls, time, GFLOP/s, GB/s, share of the limits */
    GMX_PROFILE_WARNINGS = 2, /* what is slower than it was, and what could be done */
    GMX_PROFILE_MEASURE =
        4 /* measure the limits of this machine again (else once, kept in the cache folder) */
};
GMX_API gmx_status gmx_profile(gmx_session *session, int what, const char **out);
GMX_API void gmx_set_threads(int threads); /* for the whole process; < 1: one per CPU */

typedef enum gmx_view {
    GMX_VIEW_TOKENS,
    GMX_VIEW_AST,
    GMX_VIEW_IR,        /* the tensor IR as the front end made it */
    GMX_VIEW_KERNELS,   /* after the pipeline: host program and kernels */
    GMX_VIEW_STRUCTURE, /* one line per pass that changes the count of kernels and library calls */
    GMX_VIEW_EXPLAIN    /* kernels, fusion, library calls, flops and bytes, in words */
} gmx_view;
/* Text about a script, without running it where that is possible.  Valid until the next call. */
GMX_API gmx_status gmx_view_file(gmx_session *session, const char *path, gmx_view view, const char **out);
GMX_API gmx_status gmx_view_text(gmx_session *session, const char *text, gmx_view view, const char **out);
/* "f32[3, 4]" for an expression; the documentation of a name. */
GMX_API gmx_status gmx_type_of(gmx_session *session, const char *text, const char **out);
GMX_API gmx_status gmx_help(gmx_session *session, const char *name, const char **out);
/* The table of `who`: every name of the session with its dtype, shape, bytes and what it is. */
GMX_API gmx_status gmx_who(gmx_session *session, const char **out);
/* What the name that ends at byte `cursor` of `text` can become, in order of text: *out ends with NULL, and
 * *begin is the byte that the name begins at.  Behind `value.` these are its fields. */
GMX_API gmx_status gmx_complete(gmx_session *session, const char *text, size_t cursor, size_t *begin,
                                const char *const **out);
/* The declarations of a script with the `##` comments above them. */
GMX_API gmx_status gmx_document_file(gmx_session *session, const char *path, const char **out);
/* A script formatted as `gmx fmt` does it ("-": standard input). */
GMX_API gmx_status gmx_format_file(gmx_session *session, const char *path, const char **out);
GMX_API gmx_status gmx_format_text(gmx_session *session, const char *name, const char *text, int64_t length,
                                   const char **out);

/* ---- libraries (gmxc)
 * -------------------------------------------------------------------------------------------- */
typedef enum gmx_emit {
    GMX_EMIT_SHARED,
    GMX_EMIT_OBJECT,
    GMX_EMIT_ASSEMBLY,
    GMX_EMIT_LLVM,
    GMX_EMIT_HEADER,
    GMX_EMIT_IR,     /* the tensor IR of the exported functions as the front end made it */
    GMX_EMIT_KERNELS /* after the pipeline: kernels and host programs */
} gmx_emit;
/* Compiles every `export fn` of a script.  `output` "-": standard output (text forms).  GMX_EMIT_SHARED also
 * writes the header beside the library.  Files appear whole or not at all. */
GMX_API gmx_status gmx_compile_file(gmx_session *session, const char *path, gmx_emit emit,
                                    const char *output);

#ifdef __cplusplus
}
#endif
#endif
