/* ZIP archives as NumPy writes them: the directory of one, and one written front to back. */
#ifndef GMX_RUNTIME_RT_ZIP_H
#define GMX_RUNTIME_RT_ZIP_H

#include "runtime/rt/data_file.h"

#include <zlib.h>

/* What is used of zlib: the functions without `_init`'s macro, see zlib.h. */
typedef struct ZlibFunctions {
    int (*inflate_init)(z_streamp stream, int window_bits, const char *version, int stream_size);
    int (*inflate)(z_streamp stream, int flush);
    int (*inflate_end)(z_streamp stream);
    uLong (*crc32)(uLong crc, const Bytef *bytes, z_size_t length);
} ZlibFunctions;
/* NULL after E0403 about the file: zlib is not there. */
const ZlibFunctions *zlib_functions(gmxrt_ctx *ctx, const char *path, uint64_t span);

/* ---- reading ---------------------------------------------------------------------------------- */

typedef struct ZipEntry {
    const char *name; /* in the archive's directory, not NUL-terminated */
    int64_t name_length;
    int64_t at;           /* of the local header */
    int64_t begin;        /* of the content; it ends within the archive and overlaps no other */
    int64_t packed_bytes; /* in the file */
    int64_t bytes;        /* as the directory claims; of a stored entry equal to packed_bytes */
    uint32_t crc;
    bool is_deflated;
} ZipEntry;

typedef struct ZipArchive {
    uint8_t *directory;
    int64_t count;
    ZipEntry *entries; /* in the directory's order */
} ZipArchive;

/* Reads and checks the whole directory; false after an error was set (zip_free all the same). */
bool zip_read(const DataFile *file, ZipArchive *out);
void zip_free(ZipArchive *archive);

/* ---- writing ---------------------------------------------------------------------------------- */

typedef struct ZipWriter {
    DataOutput *output;
    uint64_t limit; /* a size or offset that does not stay below it is written as ZIP64 does */
    int64_t count;
    gmxrt_text directory;
} ZipWriter;

static const uint64_t zip_limit = 0xFFFFFFFF;

/* The head of a stored entry; `bytes` of content with this checksum must follow on the output. */
void zip_begin_entry(ZipWriter *writer, const char *name, uint32_t crc, int64_t bytes);
/* The directory; false after E0306.  Frees what the writer holds. */
bool zip_end(ZipWriter *writer);

#endif
