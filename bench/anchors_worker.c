/* GMX as a peer of the anchors harness: runs one workload again and again on request.
 *
 *     anchors_worker gmx WORKLOAD THREADS
 *
 * Protocol (the harness's common.py): prints `READY 1 <check>` (check: root mean square of the result), then
 * for every line `go` runs for about 30 ms and prints `<wall ms> <cpu ms>` per iteration; `t N` switches to N
 * threads. The programs are the .gmx files beside this one; each defines `run`. Graphs and sparse matrices
 * are read from the harness's folder data, where gen_data.py wrote them. */
#include "gmx.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { INPUT_MAX = 7, RESULT_MAX = 4, RANK_MAX = 3, CACHE_LINE = 64, HUGE_PAGE = 2 << 20 };

typedef struct Input {
    int seed;
    double scale;
    int rank;
    int64_t shape[RANK_MAX];
} Input;

/* A global that is read from files: a matrix in compressed rows, or a vector of i64. */
typedef struct File {
    const char *name, *prefix;
    enum { GRAPH, MATRIX, VECTOR } kind; /* GRAPH: a matrix without its values */
    int64_t columns;
} File;

typedef struct Workload {
    const char *name;
    gmx_dtype dtype;
    int input_count;
    Input inputs[INPUT_MAX];
} Workload;

#define ELEMENTS                                                                                             \
    { 10000000 }
/* Weights are uniform in +- 1/sqrt(inputs of the layer). */
#define MLP(batch)                                                                                           \
    {                                                                                                        \
        {50, 1, 2, {batch, 784}}, {40, 1 / 28.0, 2, {784, 512}}, {41, 1 / 28.0, 1, {512}},                   \
            {42, 0.044194173824159216, 2, {512, 512}}, {43, 0.044194173824159216, 1, {512}},                 \
            {44, 0.044194173824159216, 2, {512, 10}}, {                                                      \
            45, 0.044194173824159216, 1, {                                                                   \
                10                                                                                           \
            }                                                                                                \
        }                                                                                                    \
    }
/* Seeds, shapes and scales as in wl_py.py and cpeer.c of the harness. */
static const Workload workloads[] = {
    {"ew_tanh",
     GMX_F32,
     5,
     {{10, 1, 1, ELEMENTS},
      {11, 1, 1, ELEMENTS},
      {12, 1, 1, ELEMENTS},
      {13, 1, 1, ELEMENTS},
      {14, 1, 1, ELEMENTS}}},
    {"ew_erf",
     GMX_F32,
     5,
     {{10, 1, 1, ELEMENTS},
      {11, 1, 1, ELEMENTS},
      {12, 1, 1, ELEMENTS},
      {13, 1, 1, ELEMENTS},
      {14, 1, 1, ELEMENTS}}},
    {"softmax", GMX_F32, 1, {{20, 4, 2, {8192, 1024}}}},
    {"layernorm", GMX_F32, 3, {{21, 1, 2, {8192, 1024}}, {22, 1, 1, {1024}}, {23, 1, 1, {1024}}}},
    {"gemm_f32", GMX_F32, 2, {{1, 1, 2, {1024, 1024}}, {2, 1, 2, {1024, 1024}}}},
    {"lbfgs", GMX_F64, 0, {{0}}},
    {"gemm_f64", GMX_F64, 2, {{1, 1, 2, {1024, 1024}}, {2, 1, 2, {1024, 1024}}}},
    {"bmm_512x64", GMX_F32, 2, {{110, 1, 3, {512, 64, 64}}, {111, 1, 3, {512, 64, 64}}}},
    {"bmm_4096x16", GMX_F32, 2, {{110, 1, 3, {4096, 16, 16}}, {111, 1, 3, {4096, 16, 16}}}},
    {"mlp_b32", GMX_F32, 7, MLP(32)},
    {"mlp_b1", GMX_F32, 7, MLP(1)},
    {"mlp_train_b32", GMX_F32, 7, MLP(32)},
    {"spmv_f32", GMX_F32, 1, {{71, 1, 1, {1000000}}}},
    {"spmv_f64", GMX_F64, 1, {{71, 1, 1, {1000000}}}},
    {"spmm32_f32", GMX_F32, 1, {{71, 1, 2, {1000000, 32}}}},
    {"spmm32_f64", GMX_F64, 1, {{71, 1, 2, {1000000, 32}}}},
    {"gcn_fwd",
     GMX_F32,
     3,
     {{90, 1, 2, {10000, 128}}, {91, 0.088388347648318447, 2, {128, 128}}, {92, 0.1, 1, {128}}}},
    {"gcn_fwdbwd",
     GMX_F32,
     4,
     {{90, 1, 2, {10000, 128}},
      {91, 0.088388347648318447, 2, {128, 128}},
      {92, 0.1, 1, {128}},
      {93, 1, 2, {10000, 128}}}},
    {"gat_fwd",
     GMX_F32,
     4,
     {{90, 1, 2, {10000, 128}},
      {94, 0.088388347648318447, 2, {128, 128}},
      {95, 1, 2, {8, 16}},
      {96, 1, 2, {8, 16}}}},
    {"gat_fwdbwd",
     GMX_F32,
     5,
     {{90, 1, 2, {10000, 128}},
      {94, 0.088388347648318447, 2, {128, 128}},
      {95, 1, 2, {8, 16}},
      {96, 1, 2, {8, 16}},
      {97, 1, 2, {10000, 128}}}},
    {"sage_mean",
     GMX_F32,
     3,
     {{90, 1, 2, {10000, 128}},
      {91, 0.088388347648318447, 2, {128, 128}},
      {98, 0.088388347648318447, 2, {128, 128}}}},
    {"cora_epoch", GMX_F32, 2, {{100, 0.026416352063089596, 2, {1433, 16}}, {101, 0.25, 2, {16, 7}}}},
};

/* What they read. */
static const struct {
    const char *workload;
    File file;
} files[] = {
    {"spmv_f32", {"a", "s1m", MATRIX, 1000000}},    {"spmv_f64", {"a", "s1m", MATRIX, 1000000}},
    {"spmm32_f32", {"a", "s1m", MATRIX, 1000000}},  {"spmm32_f64", {"a", "s1m", MATRIX, 1000000}},
    {"gcn_fwd", {"a", "g10k", MATRIX, 10000}},      {"gcn_fwdbwd", {"a", "g10k", MATRIX, 10000}},
    {"gat_fwd", {"g", "g10k_sl", GRAPH, 10000}},    {"gat_fwdbwd", {"g", "g10k_sl", GRAPH, 10000}},
    {"sage_mean", {"g", "g10k_raw", GRAPH, 10000}}, {"cora_epoch", {"a", "cora", MATRIX, 2708}},
    {"cora_epoch", {"x", "corax", MATRIX, 1433}},   {"cora_epoch", {"y", "cora_y", VECTOR, 0}},
};

/* Those whose `run` does the work several times and has more results than the one that is checked. */
static const struct {
    const char *name;
    int64_t repeats;
    size_t result_count;
} loops[] = {{"mlp_train_b32", 16, 2}, {"gcn_fwdbwd", 1, 2}, {"gat_fwdbwd", 1, 4}, {"cora_epoch", 16, 2}};

typedef struct Bench {
    gmx_session *session;
    gmx_tensor *arguments[INPUT_MAX];
    size_t argument_count, result_count;
    int64_t repeats;
} Bench;

static double clock_ms(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static void fail(gmx_session *session, const char *what) {
    fprintf(stderr, "anchors_worker: %s\n%s", what, session ? gmx_errmsg(session) : "");
    exit(1);
}

/* Uniform in [-1, 1): the splitmix64 finaliser of (seed << 40) + i, as the harness's peers compute it. */
static double random_value(uint64_t seed, uint64_t i) {
    uint64_t z = (i + (seed << 40)) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (double)(z >> 40) * (1.0 / 8388608) - 1.0;
}

/* Host memory lent to the session, on huge pages like the other peers' arrays. */
static void *filled_array(const Input *input, gmx_dtype dtype, int64_t count) {
    size_t width = dtype == GMX_F64 ? 8 : 4;
    size_t page = (size_t)count * width >= 2 * HUGE_PAGE ? HUGE_PAGE : CACHE_LINE;
    size_t bytes = ((size_t)count * width + page) & ~(page - 1);
    void *data = aligned_alloc(page, bytes);
    if (!data)
        fail(NULL, "out of memory");
    if (page == HUGE_PAGE)
        madvise(data, bytes, MADV_HUGEPAGE);
    for (int64_t i = 0; i < count; i++) {
        double value = random_value((uint64_t)input->seed, (uint64_t)i);
        if (dtype == GMX_F64)
            ((double *)data)[i] = value;
        else
            ((float *)data)[i] = (float)value * (float)input->scale;
    }
    return data;
}

/* The whole file PREFIX SUFFIX of the harness's data as a vector. */
static gmx_tensor *read_vector(gmx_session *session, const char *prefix, const char *suffix,
                               gmx_dtype dtype) {
    char path[4096];
    size_t width = dtype == GMX_I64 ? 8 : 4;
    gmx_tensor *tensor;
    snprintf(path, sizeof path, "%s/data/%s%s", getenv("ANCHORS") ? getenv("ANCHORS") : ".", prefix, suffix);
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        fail(NULL, path);
    int64_t count = ftell(file) / (int64_t)width;
    rewind(file);
    if (gmx_tensor_new(session, dtype, 1, &count, &tensor) ||
        fread(gmx_tensor_mutable_data(tensor), width, (size_t)count, file) != (size_t)count)
        fail(session, path);
    fclose(file);
    return tensor;
}

static gmx_tensor *as_f64(gmx_session *session, gmx_tensor *tensor) {
    int64_t count = gmx_tensor_size(tensor);
    gmx_tensor *wide;
    if (gmx_tensor_new(session, GMX_F64, 1, &count, &wide))
        fail(session, "out of memory");
    for (int64_t i = 0; i < count; i++)
        ((double *)gmx_tensor_mutable_data(wide))[i] = ((const float *)gmx_tensor_data(tensor))[i];
    gmx_tensor_release(tensor);
    return wide;
}

static void set_file(gmx_session *session, const File *file, gmx_dtype dtype) {
    if (file->kind == VECTOR) {
        gmx_tensor *vector = read_vector(session, file->prefix, ".i64", GMX_I64);
        if (gmx_set(session, file->name, vector))
            fail(session, file->name);
        gmx_tensor_release(vector);
        return;
    }
    gmx_tensor *starts = read_vector(session, file->prefix, "_ptr.i32", GMX_I32);
    gmx_tensor *indices = read_vector(session, file->prefix, "_idx.i32", GMX_I32);
    gmx_tensor *values =
        file->kind == MATRIX ? read_vector(session, file->prefix, "_val.f32", GMX_F32) : NULL;
    if (values && dtype == GMX_F64)
        values = as_f64(session, values);
    if (gmx_set_csr(session, file->name, gmx_tensor_size(starts) - 1, file->columns, starts, indices, values))
        fail(session, file->name);
    gmx_tensor_release(starts);
    gmx_tensor_release(indices);
    gmx_tensor_release(values);
}

static Bench open_bench(const Workload *workload) {
    Bench bench = {.argument_count = (size_t)workload->input_count, .result_count = 1, .repeats = 1};
    for (size_t i = 0; i < sizeof loops / sizeof *loops; i++)
        if (!strcmp(workload->name, loops[i].name)) {
            bench.repeats = loops[i].repeats;
            bench.result_count = loops[i].result_count;
        }
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.gmx", getenv("GMX_BENCH") ? getenv("GMX_BENCH") : GMX_BENCH_FOLDER,
             workload->name);
    if (gmx_session_open(NULL, &bench.session))
        fail(NULL, "no session");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (!strcmp(workload->name, files[i].workload))
            set_file(bench.session, &files[i].file, workload->dtype);
    if (gmx_run_file(bench.session, path))
        fail(bench.session, path);
    for (int i = 0; i < workload->input_count; i++) {
        const Input *input = &workload->inputs[i];
        int64_t count = 1;
        for (int k = 0; k < input->rank; k++)
            count *= input->shape[k];
        if (gmx_tensor_wrap(bench.session, filled_array(input, workload->dtype, count), workload->dtype,
                            input->rank, input->shape, NULL, free, NULL, &bench.arguments[i]))
            fail(bench.session, "wrap");
    }
    return bench;
}

static gmx_tensor *run_once(Bench *bench) {
    gmx_tensor *results[RESULT_MAX];
    if (gmx_call(bench->session, "run", bench->arguments, bench->argument_count, results,
                 bench->result_count))
        fail(bench->session, "run");
    for (size_t i = 1; i < bench->result_count; i++)
        gmx_tensor_release(results[i]);
    return results[0];
}

static double root_mean_square(const gmx_tensor *tensor) {
    int64_t count = gmx_tensor_size(tensor);
    if (count > 1 << 22)
        count = 1 << 22;
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        double x = gmx_tensor_dtype(tensor) == GMX_F64 ? ((const double *)gmx_tensor_data(tensor))[i]
                                                       : ((const float *)gmx_tensor_data(tensor))[i];
        sum += x * x;
    }
    return sqrt(sum / (double)count);
}

static void measure(Bench *bench) {
    double wall = clock_ms(CLOCK_MONOTONIC), cpu = clock_ms(CLOCK_PROCESS_CPUTIME_ID), spent;
    int64_t runs = 0;
    do {
        gmx_tensor_release(run_once(bench));
        runs += bench->repeats;
        spent = clock_ms(CLOCK_MONOTONIC) - wall;
    } while (spent < 30);
    printf("%.6f %.6f\n", spent / (double)runs, (clock_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (double)runs);
}

static void serve(Bench *bench) {
    gmx_tensor *first = run_once(bench);
    printf("READY 1 %.9g\n", root_mean_square(first));
    gmx_tensor_release(first);
    gmx_tensor_release(run_once(bench));
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        if (line[0] == 't') {
            gmx_set_threads(atoi(line + 2));
            puts("ok");
        } else {
            measure(bench);
        }
        fflush(stdout);
    }
}

int main(int count, char **arguments) {
    const Workload *workload = NULL;
    for (size_t i = 0; count == 4 && i < sizeof workloads / sizeof *workloads; i++)
        if (!strcmp(workloads[i].name, arguments[2]))
            workload = &workloads[i];
    if (!workload) {
        fputs("use: anchors_worker gmx WORKLOAD THREADS\n", stderr);
        return 2;
    }
    gmx_set_threads(atoi(arguments[3]));
    Bench bench = open_bench(workload);
    serve(&bench);
    for (size_t i = 0; i < bench.argument_count; i++)
        gmx_tensor_release(bench.arguments[i]);
    gmx_session_close(bench.session);
    return 0;
}
