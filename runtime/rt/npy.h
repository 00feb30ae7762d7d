/* .npy: the header as text (npy.c), and arrays in files and archives (npy_file.c). */
#ifndef GMX_RUNTIME_RT_NPY_H
#define GMX_RUNTIME_RT_NPY_H

#include "runtime/rt/data_file.h"

enum { NPY_PREFIX = 12 }; /* the most bytes before the header's text: magic, version, length */

/* Reads magic, version and length from the first `got` bytes of a file.  On success the header's
 * text is `*length` bytes from `*begin` on. */
int32_t npy_parse_prefix(gmxrt_ctx *ctx, const char *path, const uint8_t *bytes, int64_t got, int64_t *begin,
                         int64_t *length, uint64_t span);
/* Reads the header's text; dtype, byte order, order and shape of `out` are set. */
int32_t npy_parse_header(gmxrt_ctx *ctx, const char *path, const char *text, int64_t length,
                         gmxrt_npy_header *out, uint64_t span);
/* Writes magic, version 1.0 and header, padded to a multiple of 64 bytes; returns the length. */
enum { NPY_HEADER_MAX = 640 };
int32_t npy_write_header(char *bytes, int32_t dtype, int32_t rank, const int64_t *shape);

/* A stream at its beginning: the header, and that the stream holds the data it declares. */
bool npy_read_header(DataStream *stream, gmxrt_npy_header *out);
/* Then the data: `data_bytes` of the stream as elements of header->dtype, NULL after an error was set. */
gmxrt_tensor *npy_read_data(DataStream *stream, const gmxrt_npy_header *header);
bool npy_write(DataOutput *output, const gmxrt_view *x);

#endif
