/* Reading and writing the header of a .npy file; the files themselves are in npy_file.c. */
#ifndef GMX_RUNTIME_RT_NPY_H
#define GMX_RUNTIME_RT_NPY_H

#include "runtime/rt/runtime.h"

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

#endif
