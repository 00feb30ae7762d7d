/* zlib, which .npz files need, is opened when the first one is: programs and compiled libraries that never
 * meet one do not need it. */
#include "runtime/rt/internal.h"

#include "runtime/rt/zip.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static ZlibFunctions zlib;
static bool zlib_found;
static pthread_once_t zlib_once = PTHREAD_ONCE_INIT;

static bool find(void *library, const char *name, void *function) {
    void *address = dlsym(library, name);
    memcpy(function, &address, sizeof address);
    return address != NULL;
}

static void load(void) {
    void *library = dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL);
    zlib_found = library && find(library, "inflateInit2_", &zlib.inflate_init) &&
                 find(library, "inflate", &zlib.inflate) && find(library, "inflateEnd", &zlib.inflate_end) &&
                 find(library, "crc32_z", &zlib.crc32);
}

const ZlibFunctions *zlib_functions(gmxrt_ctx *ctx, const char *path, uint64_t span) {
    pthread_once(&zlib_once, load);
    if (zlib_found) {
        return &zlib;
    }
    gmxrt_fail(ctx, RT_E0403, span, "`%.300s`: zlib (libz.so.1), which .npz needs, cannot be loaded", path);
    gmxrt_set_hint(ctx, ".safetensors needs no library");
    return NULL;
}
