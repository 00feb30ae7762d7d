/* The pooling allocator and the buffers it hands out.
 *
 * Sizes are rounded up to classes (4 to a power of two, 8 from 1 MiB on); a released buffer goes,
 * header and all, on the free list of its class and is handed out again.  What is in use and
 * what is cached stay together below the cap; the cache is flushed before a request is refused,
 * and when it grows beyond what the program ever used at once. */
#include "runtime/rt/internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Requests beyond `largest` are refused unasked: no x86-64 process has so many addresses, and the
 * address sanitizer ends the process on 2^40 bytes. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1 /* as gcc has it */
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
static const int64_t largest = (int64_t)1 << 39;
#else
static const int64_t largest = (int64_t)1 << 46;
#define ASAN_POISON_MEMORY_REGION(address, size)   ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

enum { ALIGNMENT = 64, FINE_STEPS = 8, CLASS_COUNT = 64 * FINE_STEPS };
static const int64_t fine_from = 1 << 20;
static const int64_t huge_page = 2 << 20;
static const int64_t cache_floor = 256 << 20;

struct gmxrt_allocator {
    pthread_mutex_t lock;
    int64_t references; /* contexts and live buffers; atomic */
    gmxrt_memory_statistics statistics;
    gmxrt_buffer *free_lists[CLASS_COUNT]; /* linked through `owner` */
};

static int64_t default_cap(void) {
    int64_t pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGE_SIZE);
    return pages > 0 && page > 0 ? pages / 8 * 7 * page : largest;
}

gmxrt_allocator *allocator_create(void) {
    gmxrt_allocator *allocator = calloc(1, sizeof *allocator);
    if (!allocator) {
        return NULL;
    }
    if (pthread_mutex_init(&allocator->lock, NULL) != 0) {
        free(allocator);
        return NULL;
    }
    allocator->references = 1;
    allocator->statistics.cap = default_cap();
    return allocator;
}

/* The class that holds `bytes` (1 .. largest): its index, and its size through `size`. */
static int32_t size_class(int64_t bytes, int64_t *size) {
    if (bytes <= ALIGNMENT) {
        *size = ALIGNMENT;
        return 0;
    }
    int32_t power = 63 - __builtin_clzll((uint64_t)(bytes - 1)); /* 2^power < bytes <= 2^(power+1) */
    int64_t base = (int64_t)1 << power;
    int64_t step = base / (bytes > fine_from ? FINE_STEPS : FINE_STEPS / 2);
    step = step < ALIGNMENT ? ALIGNMENT : step;
    *size = (bytes + step - 1) / step * step;
    return power * FINE_STEPS + (int32_t)((*size - base) / (base / FINE_STEPS)) - 1;
}

/* A cached buffer; its `bytes` is the size of its class. */
static void free_buffer(gmxrt_buffer *buffer) {
    ASAN_UNPOISON_MEMORY_REGION(buffer->data, (size_t)buffer->bytes);
    free(buffer->data);
    free(buffer);
}

/* Frees every cached buffer; the lock is held. */
static void flush_cache(gmxrt_allocator *allocator) {
    for (int32_t i = 0; i < CLASS_COUNT; i++) {
        while (allocator->free_lists[i]) {
            gmxrt_buffer *buffer = allocator->free_lists[i];
            allocator->free_lists[i] = buffer->owner;
            free_buffer(buffer);
        }
    }
    allocator->statistics.bytes_cached = 0;
}

void allocator_retain(gmxrt_allocator *allocator) {
    if (allocator) {
        __atomic_fetch_add(&allocator->references, 1, __ATOMIC_RELAXED);
    }
}

void allocator_release(gmxrt_allocator *allocator) {
    if (!allocator || __atomic_sub_fetch(&allocator->references, 1, __ATOMIC_ACQ_REL) != 0) {
        return;
    }
    flush_cache(allocator);
    pthread_mutex_destroy(&allocator->lock);
    free(allocator);
}

static void *system_memory(int64_t size) {
    size_t alignment = size >= huge_page ? (size_t)huge_page : ALIGNMENT;
    void *data;
    if (posix_memalign(&data, alignment, (size_t)size) != 0) {
        return NULL;
    }
    if (size >= huge_page) {
        madvise(data, (size_t)size, MADV_HUGEPAGE);
    }
    return data;
}

/* A fresh buffer of one size class, header and memory; NULL when the system refuses. */
static gmxrt_buffer *fresh_buffer(int64_t size) {
    gmxrt_buffer *buffer = calloc(1, sizeof *buffer);
    if (!buffer) {
        return NULL;
    }
    buffer->data = system_memory(size);
    if (!buffer->data) {
        free(buffer);
        return NULL;
    }
    return buffer;
}

static void count_use(gmxrt_memory_statistics *statistics, int64_t size, bool reused) {
    statistics->bytes_in_use += size;
    statistics->bytes_allocated += size;
    statistics->allocations++;
    statistics->reused += reused;
    if (statistics->bytes_in_use > statistics->bytes_peak) {
        statistics->bytes_peak = statistics->bytes_in_use;
    }
}

/* Takes a buffer from the cache or the system; the lock is held.  NULL: over the cap, or refused. */
static gmxrt_buffer *acquire(gmxrt_allocator *allocator, int32_t class, int64_t size) {
    gmxrt_memory_statistics *statistics = &allocator->statistics;
    gmxrt_buffer *buffer = allocator->free_lists[class];
    if (buffer && statistics->bytes_in_use <= statistics->cap - size) {
        allocator->free_lists[class] = buffer->owner;
        statistics->bytes_cached -= size;
        count_use(statistics, size, true);
        return buffer;
    }
    if (statistics->bytes_in_use > statistics->cap - size) {
        return NULL;
    }
    if (statistics->bytes_in_use + statistics->bytes_cached > statistics->cap - size) {
        flush_cache(allocator);
    }
    buffer = fresh_buffer(size);
    if (!buffer && statistics->bytes_cached > 0) {
        flush_cache(allocator);
        buffer = fresh_buffer(size);
    }
    if (buffer) {
        count_use(statistics, size, false);
    }
    return buffer;
}

static gmxrt_buffer *fail_memory(gmxrt_ctx *ctx, int64_t bytes, uint64_t span) {
    gmxrt_memory_statistics statistics;
    gmxrt_memory_get_statistics(ctx, &statistics);
    gmxrt_fail(ctx, RT_E0306, span, "%lld bytes cannot be had: %lld are in use, the limit is %lld",
               (long long)bytes, (long long)statistics.bytes_in_use, (long long)statistics.cap);
    return NULL;
}

gmxrt_buffer *gmxrt_buffer_new(gmxrt_ctx *ctx, int64_t bytes, uint64_t span) {
    gmxrt_allocator *allocator = ctx->allocator;
    if (bytes < 0 || bytes > largest) {
        gmxrt_fail(ctx, RT_E0306, span, "%lld bytes cannot be had", (long long)bytes);
        return NULL;
    }
    int64_t size;
    int32_t class = size_class(bytes > 0 ? bytes : 1, &size);
    pthread_mutex_lock(&allocator->lock);
    gmxrt_buffer *buffer = acquire(allocator, class, size);
    pthread_mutex_unlock(&allocator->lock);
    if (!buffer) {
        return fail_memory(ctx, bytes, span);
    }
    allocator_retain(allocator);
    buffer->references = 1;
    buffer->bytes = bytes;
    buffer->allocator = allocator;
    buffer->release_owner = NULL;
    buffer->owner = NULL;
    /* Reading or writing past `bytes` is an error that the address sanitizer sees. */
    ASAN_POISON_MEMORY_REGION(buffer->data, (size_t)size);
    ASAN_UNPOISON_MEMORY_REGION(buffer->data, (size_t)bytes);
    return buffer;
}

gmxrt_buffer *gmxrt_buffer_lend(gmxrt_ctx *ctx, void *data, int64_t bytes, void (*release)(void *owner),
                                void *owner) {
    gmxrt_buffer *buffer = calloc(1, sizeof *buffer);
    if (!buffer) {
        return fail_memory(ctx, bytes, 0);
    }
    buffer->references = 1;
    buffer->data = data;
    buffer->bytes = bytes;
    buffer->release_owner = release;
    buffer->owner = owner;
    return buffer;
}

void gmxrt_buffer_disown(gmxrt_buffer *buffer) {
    buffer->release_owner = NULL;
}

void gmxrt_buffer_retain(gmxrt_buffer *buffer) {
    if (buffer && __atomic_load_n(&buffer->references, __ATOMIC_RELAXED) != GMXRT_IMMORTAL) {
        __atomic_fetch_add(&buffer->references, 1, __ATOMIC_RELAXED);
    }
}

/* Puts a buffer whose last reference went on the free list of its class. */
static void give_back(gmxrt_buffer *buffer) {
    gmxrt_allocator *allocator = buffer->allocator;
    int64_t size;
    int32_t class = size_class(buffer->bytes > 0 ? buffer->bytes : 1, &size);
    buffer->bytes = size;
    ASAN_POISON_MEMORY_REGION(buffer->data, (size_t)size);
    pthread_mutex_lock(&allocator->lock);
    gmxrt_memory_statistics *statistics = &allocator->statistics;
    int64_t limit = statistics->bytes_peak > cache_floor ? statistics->bytes_peak : cache_floor;
    if (statistics->bytes_cached > limit - size) {
        flush_cache(allocator);
    }
    statistics->bytes_in_use -= size;
    statistics->bytes_cached += size;
    buffer->owner = allocator->free_lists[class];
    allocator->free_lists[class] = buffer;
    pthread_mutex_unlock(&allocator->lock);
    allocator_release(allocator);
}

void gmxrt_buffer_release(gmxrt_buffer *buffer) {
    if (!buffer || __atomic_load_n(&buffer->references, __ATOMIC_RELAXED) == GMXRT_IMMORTAL ||
        __atomic_sub_fetch(&buffer->references, 1, __ATOMIC_ACQ_REL) != 0) {
        return;
    }
    if (buffer->allocator) {
        give_back(buffer);
        return;
    }
    if (buffer->release_owner) {
        buffer->release_owner(buffer->owner);
    }
    free(buffer);
}

void gmxrt_memory_get_statistics(const gmxrt_ctx *ctx, gmxrt_memory_statistics *out) {
    pthread_mutex_lock(&ctx->allocator->lock);
    *out = ctx->allocator->statistics;
    pthread_mutex_unlock(&ctx->allocator->lock);
}

void gmxrt_memory_set_cap(gmxrt_ctx *ctx, int64_t bytes) {
    pthread_mutex_lock(&ctx->allocator->lock);
    ctx->allocator->statistics.cap = bytes > 0 ? bytes : default_cap();
    pthread_mutex_unlock(&ctx->allocator->lock);
}

void gmxrt_memory_trim(gmxrt_ctx *ctx) {
    pthread_mutex_lock(&ctx->allocator->lock);
    flush_cache(ctx->allocator);
    pthread_mutex_unlock(&ctx->allocator->lock);
}
