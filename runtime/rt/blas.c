/* Loading OpenBLAS: once per process, told to use one thread; the runtime's own pool splits the
 * work, so that results do not depend on the number of threads. */
#include "runtime/rt/internal.h"

#include "runtime/rt/blas.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static Blas blas;
static bool blas_found;
static pthread_once_t blas_once = PTHREAD_ONCE_INIT;

/* dlsym gives an object pointer; POSIX lets it be read as a function pointer. */
static bool find(void *library, const char *name, void *slot) {
    void *address = dlsym(library, name);
    memcpy(slot, &address, sizeof address);
    return address != NULL;
}

static void *open_library(void) {
    const char *chosen = getenv("GMX_OPENBLAS");
    if (chosen && *chosen) {
        return strcmp(chosen, "none") == 0 ? NULL : dlopen(chosen, RTLD_NOW | RTLD_LOCAL);
    }
    void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    return library ? library : dlopen("libopenblas.so", RTLD_NOW | RTLD_LOCAL);
}

static void load(void) {
    void *library = open_library();
    if (!library) {
        return;
    }
    void (*set_threads)(int);
    blas_found = find(library, "cblas_sgemm", &blas.sgemm) && find(library, "cblas_dgemm", &blas.dgemm) &&
                 find(library, "cblas_sgemv", &blas.sgemv) && find(library, "cblas_dgemv", &blas.dgemv) &&
                 find(library, "sgetrf_", &blas.sgetrf) && find(library, "dgetrf_", &blas.dgetrf) &&
                 find(library, "sgetrs_", &blas.sgetrs) && find(library, "dgetrs_", &blas.dgetrs) &&
                 find(library, "sgecon_", &blas.sgecon) && find(library, "dgecon_", &blas.dgecon) &&
                 find(library, "cblas_cgemm", &blas.cgemm) && find(library, "cblas_zgemm", &blas.zgemm) &&
                 find(library, "cblas_cgemv", &blas.cgemv) && find(library, "cblas_zgemv", &blas.zgemv) &&
                 find(library, "cgetrf_", &blas.cgetrf) && find(library, "zgetrf_", &blas.zgetrf) &&
                 find(library, "cgetrs_", &blas.cgetrs) && find(library, "zgetrs_", &blas.zgetrs) &&
                 find(library, "cgecon_", &blas.cgecon) && find(library, "zgecon_", &blas.zgecon) &&
                 find(library, "cpotrf_", &blas.cpotrf) && find(library, "zpotrf_", &blas.zpotrf) &&
                 find(library, "spotrf_", &blas.spotrf) && find(library, "dpotrf_", &blas.dpotrf);
    if (blas_found && find(library, "openblas_set_num_threads", &set_threads)) {
        set_threads(1);
    }
}

const Blas *blas_get(void) {
    pthread_once(&blas_once, load);
    return blas_found ? &blas : NULL;
}
