/* The object cache on disk: one file per compiled kernel or host function.
 *
 * A file is a header (magic, version, whole key, length, SHA-256 of the payload) and an object.  It is
 * written under a temporary name and renamed, so a reader sees a whole file or none; the checksum is compared
 * before use, so a damaged file is a miss (and is removed).  Any number of processes may share a directory.
 * Nothing here ever fails for the caller: what cannot be read is a miss, what cannot be written is dropped.
 */
#ifndef GMX_CODEGEN_LLVM_CACHE_H
#define GMX_CODEGEN_LLVM_CACHE_H

#include "codegen/llvm/digest.h"
#include <stdbool.h>

typedef struct ObjectCache ObjectCache;

/* Makes the directory (and its parents) if needed.  NULL when `directory` is NULL or unusable. */
ObjectCache *cache_open(const char *directory, int64_t limit_bytes);
void cache_close(ObjectCache *cache); /* NULL is allowed */
/* *data is malloc'ed. */
bool cache_get(ObjectCache *cache, const Digest *key, char **data, size_t *length);
void cache_put(ObjectCache *cache, const Digest *key, const char *data, size_t length);

#endif
