/* Times the GradBench problems: for every size the function, its derivative and their ratio, in one process.
 *
 *     gradbench_worker [PROBLEM …]
 *
 * The programs are bench/gradbench/PROBLEM.gmx.  Each call is repeated for half a second at least three times
 * after one that compiles; the times are medians, and allocating the results counts.  Sizes are those of the
 * suite, up to what one function call computes in a few seconds. */
#include "gmx.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ARGUMENT_MAX = 7, RESULT_MAX = 4, SAMPLE_MAX = 2000 };

typedef struct Problem {
    const char *name, *function, *derivative;
    int function_results, derivative_results;
    const char *arguments[ARGUMENT_MAX]; /* expressions over the sizes */
    const char *sizes[24];               /* what binds them: `let` statements, shown as they are */
} Problem;

#define BA_CAMERA                                                                                            \
    "[-0.758453, -1.109613, -0.845551, 34.556073, 39.676747, 53.881673, 419.194514, 5.864426, -8.51887, "    \
    "0.087812, 0.002739]"

static const Problem problems[] = {
    {"hello", "square", "double", 1, 1, {"3.0"}, {"n = 1"}},
    {"lse",
     "primal",
     "gradient",
     1,
     1,
     {"rand(n, seed=1)"},
     {"n = 2500", "n = 5000", "n = 10000", "n = 20000", "n = 40000", "n = 80000", "n = 160000", "n = 320000",
      "n = 640000", "n = 1280000"}},
    {"gmm",
     "objective",
     "gradient",
     1,
     4,
     {"randn(k, seed=1)", "rand(k, d, seed=2)", "randn(k, d, seed=3)", "randn(k, d * (d - 1) // 2, seed=4)",
      "randn(1000, d, seed=5)", "1.0", "0"},
     {"d = 2; k = 5", "d = 2; k = 100", "d = 10; k = 25", "d = 20; k = 50", "d = 32; k = 100",
      "d = 64; k = 25", "d = 64; k = 100"}},
    {"ba",
     "objective",
     "jacobian_csr",
     2,
     3,
     {"broadcast_to(" BA_CAMERA ", (n, 11))", "broadcast_to([7.203245, 0.001144, 3.023326], (m, 3))",
      "broadcast_to([0.417022], (p,))", "stack((arange(p) % n, arange(p) % m), axis=1)",
      "broadcast_to([271.760969, 834.209256], (p, 2))"},
     {"n = 49; m = 7776; p = 31843", "n = 21; m = 11315; p = 36455", "n = 161; m = 48126; p = 182072",
      "n = 93; m = 61203; p = 287451", "n = 253; m = 163691; p = 899155"}},
    {"kmeans",
     "cost",
     "direction",
     1,
     1,
     {"rand(n, d, seed=1)[n - k:]", "rand(n, d, seed=1)"},
     {"k = 10; n = 1000; d = 8", "k = 10; n = 10000; d = 8", "k = 10; n = 10000; d = 16",
      "k = 100; n = 1000; d = 8", "k = 100; n = 10000; d = 16", "k = 1000; n = 1000; d = 16",
      "k = 1000; n = 10000; d = 16"}},
    {"det",
     "determinant",
     "cofactors",
     1,
     1,
     {"rand(n, n, seed=1)"},
     {"n = 5", "n = 6", "n = 7", "n = 8", "n = 9", "n = 10", "n = 11"}},
    {"ode",
     "integrate",
     "gradient",
     1,
     1,
     {"rand(n, seed=1)", "s"},
     {"n = 1000; s = 1", "n = 1000; s = 10", "n = 1000; s = 100", "n = 10000; s = 1", "n = 10000; s = 10",
      "n = 10000; s = 100", "n = 100000; s = 1", "n = 100000; s = 10", "n = 100000; s = 100"}},
    {"lstm",
     "objective",
     "gradient",
     1,
     2,
     {"rand(2 * l, 56, seed=1)", "rand(3, 14, seed=2)", "rand(2 * l, 14, seed=3)",
      "f64(rand(c, 14, seed=4) < 0.5)"},
     {"l = 2; c = 1024", "l = 4; c = 1024", "l = 6; c = 1024", "l = 2; c = 4096", "l = 4; c = 4096",
      "l = 6; c = 4096", "l = 6; c = 8192"}},
};

typedef struct Bench {
    gmx_session *session;
    gmx_tensor *arguments[ARGUMENT_MAX];
    size_t argument_count;
} Bench;

static void fail(gmx_session *session, const char *what) {
    fprintf(stderr, "gradbench_worker: %s\n%s", what, session ? gmx_errmsg(session) : "");
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static double call_once(Bench *bench, const char *function, int results) {
    gmx_tensor *made[RESULT_MAX];
    double start = now();
    if (gmx_call(bench->session, function, bench->arguments, bench->argument_count, made, (size_t)results))
        fail(bench->session, function);
    for (int i = 0; i < results; i++)
        gmx_tensor_release(made[i]);
    return now() - start;
}

static int by_time(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_time(Bench *bench, const char *function, int results) {
    static double samples[SAMPLE_MAX];
    int count = 0;
    call_once(bench, function, results);
    for (double start = now(); count < SAMPLE_MAX && (count < 3 || now() - start < 0.5);)
        samples[count++] = call_once(bench, function, results);
    qsort(samples, (size_t)count, sizeof *samples, by_time);
    return samples[count / 2];
}

/* A session in which the size names are bound and the arguments made. */
static Bench open_bench(const Problem *problem, const char *sizes) {
    Bench bench = {0};
    char text[512], path[4096];
    snprintf(path, sizeof path, "%s/gradbench/%s.gmx", GMX_BENCH_FOLDER, problem->name);
    if (gmx_session_open(NULL, &bench.session))
        fail(NULL, "no session");
    size_t length = 0;
    for (const char *at = sizes; at; at = strchr(at, ';') ? strchr(at, ';') + 2 : NULL)
        length +=
            (size_t)snprintf(text + length, sizeof text - length, "let %.*s\n", (int)strcspn(at, ";"), at);
    if (gmx_run_text(bench.session, "sizes", text, -1) || gmx_run_file(bench.session, path))
        fail(bench.session, path);
    for (int i = 0; i < ARGUMENT_MAX && problem->arguments[i]; i++)
        if (gmx_eval(bench.session, problem->arguments[i], &bench.arguments[bench.argument_count++]))
            fail(bench.session, problem->arguments[i]);
    return bench;
}

static void close_bench(Bench *bench) {
    for (size_t i = 0; i < bench->argument_count; i++)
        gmx_tensor_release(bench->arguments[i]);
    gmx_session_close(bench->session);
}

static void run_problem(const Problem *problem) {
    double sum = 0;
    for (const char *const *sizes = problem->sizes; *sizes; sizes++) {
        Bench bench = open_bench(problem, *sizes);
        double primal = median_time(&bench, problem->function, problem->function_results);
        double derivative = median_time(&bench, problem->derivative, problem->derivative_results);
        sum += primal + derivative;
        printf("%-8s %-32s %12.4f %12.4f %8.1f\n", problem->name, *sizes, primal * 1e3, derivative * 1e3,
               derivative / primal);
        fflush(stdout);
        close_bench(&bench);
    }
    printf("%-8s %-32s %25.4f\n", problem->name, "sum of both", sum * 1e3);
}

int main(int count, char **arguments) {
    gmx_set_threads(getenv("THREADS") ? atoi(getenv("THREADS")) : 1);
    printf("%-8s %-32s %12s %12s %8s\n", "problem", "size", "function ms", "deriv. ms", "ratio");
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++) {
        bool is_asked = count < 2;
        for (int k = 1; k < count; k++)
            is_asked = is_asked || !strcmp(arguments[k], problems[i].name);
        if (is_asked)
            run_problem(&problems[i]);
    }
    return 0;
}
