/* What the readers and writers of data files share: files opened, runs of bytes read front to back
 * with their checksum, outputs that take the target's name only when they are complete. */
#ifndef GMX_RUNTIME_RT_DATA_FILE_H
#define GMX_RUNTIME_RT_DATA_FILE_H

#include "runtime/rt/runtime.h"

/* ---- reading: data_file.c --------------------------------------------------------------------- */

typedef struct DataFile {
    gmxrt_ctx *ctx;
    uint64_t span;
    const char *path; /* for messages */
    int file;         /* a descriptor, or -1 */
    int64_t bytes;    /* of the file when it was opened */
} DataFile;

/* Opens a regular file; false after E0401. */
bool data_open(gmxrt_ctx *ctx, const char *path, uint64_t span, DataFile *out);
void data_close(DataFile *file);
/* Reads up to `bytes` from `offset`; fewer only at the end of the file; -1 on an error (errno). */
int64_t data_read_at(int file, void *out, int64_t bytes, int64_t offset);
/* Exactly so many; false after an error was set. */
bool data_read(const DataFile *file, void *out, int64_t bytes, int64_t offset);
/* E0401 with the system's reason; always 1. */
int32_t data_fail_system(gmxrt_ctx *ctx, const char *path, const char *what, uint64_t span);
/* An error with a hint, unless there is one already; always false. */
bool data_fail(gmxrt_ctx *ctx, int32_t code, uint64_t span, const char *hint, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* E0402, and a hint that fits files that were cut or changed; always false. */
bool data_fail_damaged(const DataFile *file, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Text of a file, fit to be printed: at most 60 bytes of it, no control characters. */
enum { DATA_QUOTE_MAX = 64 };
const char *data_quote(char out[DATA_QUOTE_MAX], const char *text, int64_t length);
bool data_is_name(const char *text, int64_t length); /* UTF-8 without control characters */
/* A view's elements in C order without gaps: the view itself, or a copy that `*made` then owns. */
bool data_contiguous(gmxrt_ctx *ctx, const gmxrt_view *x, uint64_t span, gmxrt_view *out,
                     gmxrt_tensor **made);

/* ---- runs of bytes: data_stream.c ------------------------------------------------------------- */

/* A part of a file, as it stands or deflated, read front to back. */
struct ZlibFunctions; /* zip.h */
typedef struct DataStream {
    const DataFile *file;
    const char *label; /* for messages: the file, or the file and its member */
    int64_t at, end;   /* bytes of the file that were not read yet */
    int64_t left;      /* bytes that are still to come out */
    bool is_checked;   /* set it after opening to have the checksum kept */
    uint32_t crc;      /* CRC-32 of what came out */
    struct Inflater *inflater;
    const struct ZlibFunctions *zlib; /* where it is deflated or checked */
} DataStream;

/* `bytes` are those of the content.  Refuses a deflated content that so few bytes cannot hold. */
bool stream_open(DataStream *stream, const DataFile *file, const char *label, int64_t begin, int64_t length,
                 int64_t bytes, bool is_deflated);
void stream_close(DataStream *stream);
/* Exactly so many, which must not be more than are left; false after an error was set. */
bool stream_read(DataStream *stream, void *out, int64_t bytes);
/* After the last byte: nothing more may come, and the checksum must be `crc`. */
bool stream_finish(DataStream *stream, uint32_t crc);

/* ---- arrays: data_arrays.c -------------------------------------------------------------------- */

/* Appends an array with a copy of the name; NULL after E0306. */
gmxrt_array *arrays_add(const DataFile *file, gmxrt_arrays *arrays, const char *name, int64_t length);
/* E0402 if two arrays have one name. */
bool arrays_are_distinct(const DataFile *file, const gmxrt_arrays *arrays);

/* The readers: false after an error was set, the arrays so far stay the caller's. */
bool npz_read(const DataFile *file, bool only_headers, gmxrt_arrays *out);
bool safetensors_read(const DataFile *file, bool only_headers, gmxrt_arrays *out);
bool csv_read(const DataFile *file, char delimiter, gmxrt_arrays *out);

/* ---- writing: data_output.c ------------------------------------------------------------------- */

/* Where a save goes: to a temporary that takes the target's name at the end, or straight into a
 * target that is no regular file (a pipe, a device). */
typedef struct DataOutput {
    gmxrt_ctx *ctx;
    uint64_t span;
    const char *path;
    int file;
    char *target;    /* links resolved */
    char *temporary; /* NULL: written straight */
    int64_t at;      /* bytes written so far */
    int error;       /* errno of the first write that failed */
} DataOutput;

bool output_open(gmxrt_ctx *ctx, const char *path, uint64_t span, DataOutput *out); /* false: E0401 */
/* A write that fails is remembered, and what follows is dropped. */
void output_write(DataOutput *output, const void *bytes, int64_t length);
/* Renames the temporary, or removes it where anything failed or `complete` is false; nonzero after an
 * error was set. */
int32_t output_close(DataOutput *output, bool complete);

/* The writers.  Names are NULL for one array without a name. */
bool npz_write(DataOutput *output, int64_t count, const char *const *names, const gmxrt_view *arrays);
bool safetensors_write(DataOutput *output, int64_t count, const char *const *names, const gmxrt_view *arrays);
bool csv_write(DataOutput *output, char delimiter, const gmxrt_view *x);

#endif
