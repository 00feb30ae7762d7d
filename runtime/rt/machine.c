/* What the runtime asks of the machine that it runs on.
 *
 * The kernel's description of the caches comes first: on virtual machines the C library's figure can be the
 * whole host's (10 times what a guest has was seen). */
#include "runtime/rt/internal.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { CACHE_LEVELS = 8, MEBIBYTE = 1 << 20, SANE_CACHE = 16 * MEBIBYTE };

/* One number and its unit, such as `32768K`; -1 when it is not there. */
static int64_t read_size(int index, const char *what) {
    char path[128], unit = 0;
    long long value = -1;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, what);
    FILE *file = fopen(path, "re");
    if (!file) {
        return -1;
    }
    int count = fscanf(file, "%lld%c", &value, &unit);
    fclose(file);
    if (count < 1 || value < 0 || value > INT32_MAX) {
        return -1;
    }
    return value * (unit == 'K' ? 1 << 10 : unit == 'M' ? MEBIBYTE : 1);
}

static int64_t described_cache(void) {
    int64_t deepest = 0, bytes = -1;
    for (int index = 0; index < CACHE_LEVELS; index++) {
        int64_t level = read_size(index, "level");
        if (level > deepest) {
            deepest = level;
            bytes = read_size(index, "size");
        }
    }
    return bytes;
}

int64_t machine_cache_bytes(void) {
    static _Atomic int64_t known; /* 0: not asked yet; every thread finds the same */
    int64_t bytes = atomic_load_explicit(&known, memory_order_relaxed);
    if (bytes == 0) {
        bytes = described_cache();
        if (bytes < MEBIBYTE) {
            bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
        }
        bytes = bytes < MEBIBYTE ? SANE_CACHE : bytes;
        atomic_store_explicit(&known, bytes, memory_order_relaxed);
    }
    return bytes;
}
