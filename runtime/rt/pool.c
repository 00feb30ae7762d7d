/* The thread pool of the process.
 *
 * One loop runs at a time.  It is published as a word `state` = (loop number, chunks left) that
 * workers take chunks from by compare-and-swap; a worker that sleeps through a loop is not waited
 * for.  A second caller, or a body that calls again, runs its loop on its own thread.  Workers spin
 * for about 50 us, which is what waking a sleeper costs on a virtual machine, then sleep on
 * `wakeups`, a futex.  A loop's fields are atomics because a late worker may read them while the
 * next loop is set up; its compare-and-swap then fails and it drops what it read. */
#include "runtime/rt/internal.h"

#include <dlfcn.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MAX_THREADS = 256, SPIN_NANOSECONDS = 50000, SPIN_STEP = 32 };

typedef struct Worker {
    gmxrt_pool *pool;
    int32_t index;
    _Atomic bool alive; /* its thread has been started and has not ended */
} Worker;

struct gmxrt_pool {
    _Alignas(64) _Atomic uint64_t state; /* loop number << 32 | chunks left */
    _Alignas(64) _Atomic uint32_t wakeups;
    _Atomic int32_t sleepers;
    _Alignas(64) _Atomic int64_t finished; /* chunks done of the current loop */
    _Alignas(64) _Atomic(gmxrt_body) body;
    _Atomic(void *) arguments;
    _Atomic int64_t count, chunk, chunks;
    _Atomic(volatile int32_t *) interrupt; /* of the loop's context */
    _Alignas(64) pthread_mutex_t busy;     /* held while a loop runs or the number of threads changes */
    _Atomic int32_t threads;               /* wanted, the caller included; 0: not chosen yet */
    int32_t started;                       /* workers that were started and not retired; under `busy` */
    Worker workers[MAX_THREADS];
};

static gmxrt_pool process_pool = {.busy = PTHREAD_MUTEX_INITIALIZER};
static _Thread_local bool inside_loop;

__attribute__((visibility("default"), weak)) gmxrt_pool *gmx_shared_pool_v1(void) {
    return &process_pool;
}

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static int64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Takes and runs chunks of the loop until none is left. */
static void take_chunks(gmxrt_pool *pool) {
    uint64_t state = atomic_load(&pool->state);
    while ((uint32_t)state != 0) {
        gmxrt_body body = atomic_load_explicit(&pool->body, memory_order_relaxed);
        void *arguments = atomic_load_explicit(&pool->arguments, memory_order_relaxed);
        int64_t count = atomic_load_explicit(&pool->count, memory_order_relaxed);
        int64_t chunk = atomic_load_explicit(&pool->chunk, memory_order_relaxed);
        int64_t chunks = atomic_load_explicit(&pool->chunks, memory_order_relaxed);
        if (!atomic_compare_exchange_weak(&pool->state, &state, state - 1)) {
            continue;
        }
        int64_t begin = (chunks - (int64_t)(uint32_t)state) * chunk;
        int64_t end = count - begin > chunk ? begin + chunk : count;
        if (!*atomic_load_explicit(&pool->interrupt, memory_order_relaxed)) {
            body(arguments, begin, end);
        }
        atomic_fetch_add_explicit(&pool->finished, 1, memory_order_release);
        state = atomic_load(&pool->state);
    }
}

/* Waits until `wakeups` is no longer `seen`: spins a while, then sleeps. */
static void await_wakeup(gmxrt_pool *pool, uint32_t seen) {
    int64_t deadline = nanoseconds() + SPIN_NANOSECONDS;
    while (atomic_load_explicit(&pool->wakeups, memory_order_acquire) == seen) {
        if (nanoseconds() < deadline) {
            for (int i = 0; i < SPIN_STEP; i++) {
                relax();
            }
            continue;
        }
        atomic_fetch_add(&pool->sleepers, 1);
        if (atomic_load(&pool->wakeups) == seen) {
            syscall(SYS_futex, &pool->wakeups, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
        }
        atomic_fetch_sub(&pool->sleepers, 1);
    }
}

static void *worker_main(void *argument) {
    Worker *worker = argument;
    gmxrt_pool *pool = worker->pool;
    inside_loop = true;
    for (;;) {
        uint32_t seen = atomic_load(&pool->wakeups);
        if (worker->index + 1 >= atomic_load(&pool->threads)) {
            break;
        }
        take_chunks(pool);
        await_wakeup(pool, seen);
    }
    atomic_store(&worker->alive, false);
    return NULL;
}

static void wake(gmxrt_pool *pool, int64_t most) {
    atomic_fetch_add(&pool->wakeups, 1);
    if (atomic_load(&pool->sleepers) > 0) {
        syscall(SYS_futex, &pool->wakeups, FUTEX_WAKE_PRIVATE, most > INT_MAX ? INT_MAX : (int)most, NULL,
                NULL, 0);
    }
}

/* The code that workers run must stay mapped when the library that started them is closed. */
static void pin_this_library(void) {
    Dl_info info;
    if (dladdr((void *)(uintptr_t)worker_main, &info) && info.dli_fname) {
        dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    }
}

/* Starts worker `index`, with every signal blocked: signals belong to the host's threads. */
static bool start_worker(gmxrt_pool *pool, int32_t index) {
    sigset_t all, before;
    sigfillset(&all);
    Worker *worker = &pool->workers[index];
    worker->pool = pool;
    worker->index = index;
    atomic_store(&worker->alive, true);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    bool started = pthread_create(&thread, &attributes, worker_main, worker) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (!started) {
        atomic_store(&worker->alive, false);
    }
    return started;
}

static int32_t online_cpus(void) {
    cpu_set_t set;
    int32_t count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count < 1 ? 1 : count > MAX_THREADS ? MAX_THREADS : count;
}

/* Brings the workers to the wanted number; `busy` is held.  A thread that the system refuses is
 * done without. */
static void adjust_workers(gmxrt_pool *pool) {
    int32_t wanted = atomic_load(&pool->threads) - 1;
    if (pool->started == 0 && wanted > 0) {
        pin_this_library();
    }
    while (pool->started < wanted && start_worker(pool, pool->started)) {
        pool->started++;
    }
    if (pool->started > wanted) {
        wake(pool, INT_MAX);
        while (pool->started > wanted) {
            while (atomic_load(&pool->workers[pool->started - 1].alive)) {
                sched_yield();
            }
            pool->started--;
        }
    }
}

static int32_t wanted_threads(gmxrt_pool *pool) {
    int32_t threads = atomic_load_explicit(&pool->threads, memory_order_relaxed);
    if (threads == 0) {
        int32_t none = 0;
        threads = online_cpus();
        if (!atomic_compare_exchange_strong(&pool->threads, &none, threads)) {
            threads = none;
        }
    }
    return threads;
}

void gmxrt_set_threads(int32_t n) {
    gmxrt_pool *pool = gmx_shared_pool_v1();
    if (inside_loop) {
        return; /* a body cannot wait for its own loop */
    }
    pthread_mutex_lock(&pool->busy);
    atomic_store(&pool->threads, n < 1 ? online_cpus() : n > MAX_THREADS ? MAX_THREADS : n);
    adjust_workers(pool);
    pthread_mutex_unlock(&pool->busy);
}

int32_t gmxrt_get_threads(void) {
    return wanted_threads(gmx_shared_pool_v1());
}

uint32_t pool_loops(const gmxrt_pool *pool) {
    return (uint32_t)(atomic_load_explicit(&pool->state, memory_order_relaxed) >> 32);
}

static void run_serially(const volatile int32_t *interrupt, gmxrt_body body, void *arguments, int64_t count,
                         int64_t chunk) {
    for (int64_t begin = 0; begin < count && !(interrupt && *interrupt); begin += chunk) {
        int64_t end = count - begin > chunk ? begin + chunk : count;
        body(arguments, begin, end);
        if (end == count) {
            return;
        }
    }
}

/* Publishes the loop, takes part, and returns when every chunk is done; `busy` is held. */
static void run_on_pool(gmxrt_pool *pool, volatile int32_t *interrupt, gmxrt_body body, void *arguments,
                        int64_t count, int64_t chunk) {
    int64_t chunks = (count - 1) / chunk + 1;
    uint64_t number = (atomic_load_explicit(&pool->state, memory_order_relaxed) >> 32) + 1;
    atomic_store_explicit(&pool->interrupt, interrupt, memory_order_relaxed);
    atomic_store_explicit(&pool->body, body, memory_order_relaxed);
    atomic_store_explicit(&pool->arguments, arguments, memory_order_relaxed);
    atomic_store_explicit(&pool->count, count, memory_order_relaxed);
    atomic_store_explicit(&pool->chunk, chunk, memory_order_relaxed);
    atomic_store_explicit(&pool->chunks, chunks, memory_order_relaxed);
    atomic_store_explicit(&pool->finished, 0, memory_order_relaxed);
    atomic_store(&pool->state, number << 32 | (uint64_t)chunks);
    wake(pool, chunks - 1);
    inside_loop = true;
    take_chunks(pool);
    inside_loop = false;
    for (int64_t spins = 0; atomic_load_explicit(&pool->finished, memory_order_acquire) < chunks; spins++) {
        if (spins < 4000) {
            relax();
        } else {
            sched_yield(); /* a worker has lost its CPU in the middle of a chunk */
        }
    }
}

int32_t gmxrt_parallel_for(gmxrt_ctx *ctx, gmxrt_body body, void *arguments, int64_t count, int64_t grain) {
    if (count <= 0) {
        return 0;
    }
    grain = grain < 1 ? 1 : grain;
    if (count <= grain) {
        body(arguments, 0, count);
        return 0;
    }
    int64_t grains = (count - 1) / grain + 1;
    int64_t chunk = ((grains - 1) / GMXRT_MAX_CHUNKS + 1) * grain;
    gmxrt_pool *pool = ctx ? ctx->pool : NULL;
    if (!pool || inside_loop || wanted_threads(pool) == 1 || pthread_mutex_trylock(&pool->busy) != 0) {
        run_serially(ctx ? &ctx->interrupt : NULL, body, arguments, count, chunk);
    } else {
        adjust_workers(pool);
        run_on_pool(pool, &ctx->interrupt, body, arguments, count, chunk);
        pthread_mutex_unlock(&pool->busy);
    }
    return ctx && ctx->interrupt ? gmxrt_fail(ctx, RT_E0308, 0, "interrupted") : 0;
}
