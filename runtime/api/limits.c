/* The machine's limits: long reads and writes of memory, and multiply-adds in registers, on all threads.
 *
 * The file holds one line per CPU and number of threads: `threads read write f32 f64 CPU`.  It is replaced as
 * a whole, so that readers see the old one or the new one; of two that measure at once one line may be lost.
 */
#include "runtime/api/limits.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum {
    MEMORY_BYTES = 64 << 20, /* more than the caches that one process gets */
    PIECE = 1 << 20,         /* bytes of one task */
    FMA_ROUNDS = 20000,      /* of one task */
    FMA_CHAINS = 10,         /* independent sums: latency times throughput */
    LINE_LIMIT = 400,
    LINES = 64,
};
static const double seconds_each = 0.03;

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- the work ------------------------------------------------------------------------------------------ */

typedef struct Work {
    char *memory;
    int64_t lanes; /* out: elements of a vector, f32 or f64 */
    double sink;   /* keeps results alive; which thread writes last does not matter */
} Work;

static void keep(Work *work, double value) {
    __atomic_store(&work->sink, &value, __ATOMIC_RELAXED);
}

static void read_pieces(void *user, int64_t begin, int64_t end) {
    Work *work = user;
    const uint64_t *at = (const uint64_t *)(work->memory + begin * PIECE);
    uint64_t sums[8] = {0};
    for (int64_t i = 0; i < (end - begin) * (PIECE / 64); i++)
        for (int k = 0; k < 8; k++)
            sums[k] += at[8 * i + k];
    for (int k = 1; k < 8; k++)
        sums[0] += sums[k];
    keep(work, (double)sums[0]);
}

static void write_pieces(void *user, int64_t begin, int64_t end) {
    Work *work = user;
    memset(work->memory + begin * PIECE, (int)(begin & 0x7f), (size_t)(end - begin) * PIECE);
}

#if defined(__x86_64__)
/* One function per vector width and element type: FMA_CHAINS sums, FMA_ROUNDS steps, `end - begin` times. */
#define FMA_LOOP(name, features, vector, set1, fmadd, element)                                               \
    __attribute__((target(features))) static void name(void *user, int64_t begin, int64_t end) {             \
        Work *work = user;                                                                                   \
        vector a = set1((element)0.999), b = set1((element)0.001), sums[FMA_CHAINS];                         \
        for (int k = 0; k < FMA_CHAINS; k++)                                                                 \
            sums[k] = set1((element)k);                                                                      \
        for (int64_t i = 0; i < (end - begin) * FMA_ROUNDS; i++)                                             \
            _Pragma("GCC unroll 10") for (int k = 0; k < FMA_CHAINS; k++) sums[k] = fmadd(sums[k], a, b);    \
        for (int k = 1; k < FMA_CHAINS; k++)                                                                 \
            sums[0] = fmadd(sums[k], a, sums[0]);                                                            \
        element first;                                                                                       \
        memcpy(&first, &sums[0], sizeof first);                                                              \
        keep(work, (double)first);                                                                           \
        work->lanes = (int64_t)(sizeof(vector) / sizeof(element));                                           \
    }

#define SSE_FMADD_PS(x, a, b) _mm_add_ps(_mm_mul_ps(x, a), b)
#define SSE_FMADD_PD(x, a, b) _mm_add_pd(_mm_mul_pd(x, a), b)
FMA_LOOP(fma_f32_512, "avx512f", __m512, _mm512_set1_ps, _mm512_fmadd_ps, float)
FMA_LOOP(fma_f64_512, "avx512f", __m512d, _mm512_set1_pd, _mm512_fmadd_pd, double)
FMA_LOOP(fma_f32_256, "avx2,fma", __m256, _mm256_set1_ps, _mm256_fmadd_ps, float)
FMA_LOOP(fma_f64_256, "avx2,fma", __m256d, _mm256_set1_pd, _mm256_fmadd_pd, double)
FMA_LOOP(fma_f32_128, "sse2", __m128, _mm_set1_ps, SSE_FMADD_PS, float)
FMA_LOOP(fma_f64_128, "sse2", __m128d, _mm_set1_pd, SSE_FMADD_PD, double)

static gmxrt_body fma_loop(bool is_double) {
    if (__builtin_cpu_supports("avx512f"))
        return is_double ? fma_f64_512 : fma_f32_512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return is_double ? fma_f64_256 : fma_f32_256;
    return is_double ? fma_f64_128 : fma_f32_128;
}
#else
static void fma_plain(void *user, int64_t begin, int64_t end) {
    Work *work = user;
    double sums[FMA_CHAINS] = {0};
    for (int64_t i = 0; i < (end - begin) * FMA_ROUNDS; i++)
        for (int k = 0; k < FMA_CHAINS; k++)
            sums[k] = sums[k] * 0.999 + 0.001;
    for (int k = 1; k < FMA_CHAINS; k++)
        sums[0] += sums[k];
    keep(work, sums[0]);
    work->lanes = 1;
}

static gmxrt_body fma_loop(bool is_double) {
    (void)is_double;
    return fma_plain;
}
#endif

/* ---- measuring ----------------------------------------------------------------------------------------- */

/* The best of the runs of `count` tasks that fit the time: tasks per second. */
static double best_rate(gmxrt_ctx *ctx, gmxrt_body body, Work *work, int64_t count) {
    double best = 0, begin = seconds_now(), now = begin;
    while (now - begin < seconds_each) {
        double before = now;
        gmxrt_parallel_for(ctx, body, work, count, 1);
        now = seconds_now();
        double rate = (double)count / (now - before);
        best = now > before && rate > best ? rate : best;
    }
    return best;
}

static bool measure(gmxrt_ctx *ctx, MachineLimits *out) {
    void *memory =
        mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    madvise(memory, MEMORY_BYTES, MADV_HUGEPAGE);
    Work work = {.memory = memory};
    const int64_t pieces = MEMORY_BYTES / PIECE;
    gmxrt_parallel_for(ctx, write_pieces, &work, pieces, 1); /* the pages come */
    out->write = best_rate(ctx, write_pieces, &work, pieces) * PIECE;
    out->read = best_rate(ctx, read_pieces, &work, pieces) * PIECE;
    munmap(memory, MEMORY_BYTES);
    int64_t tasks = 4 * (int64_t)out->threads;
    double each = 2.0 * FMA_ROUNDS * FMA_CHAINS;
    out->f32 = best_rate(ctx, fma_loop(false), &work, tasks) * each * (double)work.lanes;
    out->f64 = best_rate(ctx, fma_loop(true), &work, tasks) * each * (double)work.lanes;
    return true;
}

/* ---- the file ------------------------------------------------------------------------------------------ */

void limits_cpu_name(char name[128]) {
    snprintf(name, 128, "cpu");
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[256];
    while (file && fgets(line, sizeof line, file)) {
        char *colon = strncmp(line, "model name", 10) ? NULL : strchr(line, ':');
        if (!colon)
            continue;
        colon += 1 + strspn(colon + 1, " \t");
        colon[strcspn(colon, "\r\n")] = '\0';
        snprintf(name, 128, "%.127s", colon);
        break;
    }
    if (file)
        fclose(file);
}

static bool parse_line(const char *line, const char *cpu, MachineLimits *out) {
    MachineLimits limits;
    int length = 0;
    if (sscanf(line, "%d %lf %lf %lf %lf %n", &limits.threads, &limits.read, &limits.write, &limits.f32,
               &limits.f64, &length) != 5 ||
        !length || limits.threads != out->threads || strcmp(line + length, cpu) || !(limits.read > 0) ||
        !(limits.write > 0) || !(limits.f32 > 0) || !(limits.f64 > 0))
        return false;
    *out = limits;
    return true;
}

typedef struct Lines {
    char text[LINES][LINE_LIMIT];
    int count;
} Lines;

static void read_lines(const char *path, Lines *lines) {
    FILE *file = fopen(path, "re");
    lines->count = 0;
    while (file && lines->count < LINES && fgets(lines->text[lines->count], LINE_LIMIT, file)) {
        char *line = lines->text[lines->count];
        line[strcspn(line, "\r\n")] = '\0';
        lines->count++;
    }
    if (file)
        fclose(file);
}

FILE *limits_file_start(const char *path, char *temporary, size_t size) {
    if (snprintf(temporary, size, "%s.XXXXXX", path) >= (int)size)
        return NULL;
    int descriptor = mkostemp(temporary, O_CLOEXEC);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    if (!file && descriptor >= 0) {
        close(descriptor);
        unlink(temporary);
    }
    return file;
}

void limits_file_finish(FILE *file, const char *temporary, const char *path) {
    bool ok = !ferror(file);
    ok = fclose(file) == 0 && ok;
    if (!ok || rename(temporary, path) != 0)
        unlink(temporary);
}

static void write_lines(const char *path, const Lines *lines, const char *cpu, const MachineLimits *limits) {
    char temporary[4096];
    FILE *file = limits_file_start(path, temporary, sizeof temporary);
    if (!file)
        return;
    fprintf(file, "%d %.4g %.4g %.4g %.4g %s\n", limits->threads, limits->read, limits->write, limits->f32,
            limits->f64, cpu);
    for (int i = 0; i < lines->count && i + 1 < LINES; i++) {
        MachineLimits old = {.threads = limits->threads};
        if (!parse_line(lines->text[i], cpu, &old))
            fprintf(file, "%s\n", lines->text[i]);
    }
    limits_file_finish(file, temporary, path);
}

bool limits_get(gmxrt_ctx *ctx, const char *directory, bool again, MachineLimits *out) {
    char path[4000], cpu[128];
    *out = (MachineLimits){.threads = gmxrt_get_threads()};
    bool has_path = directory && snprintf(path, sizeof path, "%s/limits", directory) < (int)sizeof path;
    Lines *lines = calloc(1, sizeof *lines);
    if (!lines)
        return false;
    limits_cpu_name(cpu);
    if (has_path)
        read_lines(path, lines);
    bool found = false;
    for (int i = 0; i < lines->count && !again && !found; i++)
        found = parse_line(lines->text[i], cpu, out);
    bool ok = found || measure(ctx, out);
    if (ok && !found && has_path)
        write_lines(path, lines, cpu, out);
    free(lines);
    return ok;
}
