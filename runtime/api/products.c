/* Times of typical matrix products by compiled kernels and by OpenBLAS: see products.h.
 *
 * The file: `gmx-products 1`, the CPU, the size and time of change of this library, of OpenBLAS and its path,
 * then one line per dtype and point: own and library, in seconds.  It is replaced as a whole.  OpenBLAS is
 * not loaded to read it. */
#include "runtime/api/products.h"

#include "gmx.h"
#include "runtime/api/internal.h"
#include "runtime/api/limits.h"
#include "runtime/rt/blas.h"
#include "runtime/rt/matmul.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { PATH_LIMIT = 4000, LINE_LIMIT = 4400 };
static const double seconds_each = 0.03;

/* ---- the file ------------------------------------------------------------------------------------------ */

static bool file_identity(const char *path, char *text, size_t size) {
    struct stat status;
    if (stat(path, &status) != 0)
        return false;
    int length = snprintf(text, size, "%lld %lld.%09ld %s", (long long)status.st_size,
                          (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec, path);
    return length < (int)size;
}

static bool identity_of(void *inside, char *text, size_t size) {
    Dl_info info;
    return dladdr(inside, &info) && info.dli_fname && file_identity(info.dli_fname, text, size);
}

static bool own_identity(char *text, size_t size) {
    void *inside;
    memcpy(&inside, &(uint32_t(*)(const char *)){products_load}, sizeof inside);
    return identity_of(inside, text, size);
}

static bool read_line(FILE *file, char *line) {
    if (!fgets(line, LINE_LIMIT, file))
        return false;
    line[strcspn(line, "\n")] = '\0';
    return true;
}

static bool line_is(FILE *file, const char *expected) {
    char line[LINE_LIMIT];
    return read_line(file, line) && !strcmp(line, expected);
}

/* The library that was measured is there unchanged. */
static bool library_is_same(FILE *file) {
    char line[LINE_LIMIT], now[LINE_LIMIT];
    int at = 0;
    return read_line(file, line) && sscanf(line, "%*s %*s %n", &at) == 0 && at &&
           file_identity(line + at, now, sizeof now) && !strcmp(line, now);
}

static bool read_times(FILE *file, ProductTimes *times) {
    for (int d = 0; d < 2; d++)
        for (int i = 0; i < PRODUCT_POINTS; i++) {
            double own, library;
            if (fscanf(file, "%lf %lf", &own, &library) != 2 || !(own > 0) || !(library > 0) ||
                !isfinite(own) || !isfinite(library))
                return false;
            times->own[d][i] = own;
            times->library[d][i] = library;
        }
    return true;
}

static bool path_of(const char *directory, char path[PATH_LIMIT]) {
    return directory && snprintf(path, PATH_LIMIT, "%s/products", directory) < PATH_LIMIT;
}

uint32_t products_load(const char *directory) {
    char path[PATH_LIMIT], cpu[128], self[LINE_LIMIT];
    FILE *file = path_of(directory, path) && !getenv("GMX_OPENBLAS") ? fopen(path, "re") : NULL;
    if (!file)
        return 0;
    ProductTimes times;
    limits_cpu_name(cpu);
    bool ok = own_identity(self, sizeof self) && line_is(file, "gmx-products 1") && line_is(file, cpu) &&
              line_is(file, self) && library_is_same(file) && read_times(file, &times);
    fclose(file);
    return ok ? product_choice_of(&times) : 0;
}

static void write_times(const char *directory, const ProductTimes *times) {
    char path[PATH_LIMIT], temporary[PATH_LIMIT + 16], cpu[128], self[LINE_LIMIT], library[LINE_LIMIT];
    void *inside;
    memcpy(&inside, &blas_get()->sgemm, sizeof inside);
    FILE *file = path_of(directory, path) && own_identity(self, sizeof self) &&
                         identity_of(inside, library, sizeof library)
                     ? limits_file_start(path, temporary, sizeof temporary)
                     : NULL;
    if (!file)
        return;
    limits_cpu_name(cpu);
    fprintf(file, "gmx-products 1\n%s\n%s\n%s\n", cpu, self, library);
    for (int d = 0; d < 2; d++)
        for (int i = 0; i < PRODUCT_POINTS; i++)
            fprintf(file, "%.4g %.4g\n", times->own[d][i], times->library[d][i]);
    limits_file_finish(file, temporary, path);
}

/* ---- measuring ----------------------------------------------------------------------------------------- */

static gmx_tensor *ones(gmx_session *session, gmx_dtype dtype, int64_t batches, int64_t rows,
                        int64_t columns) {
    const int64_t shape[] = {batches, rows, columns};
    int64_t count = batches * rows * columns;
    size_t bytes = (size_t)count * (dtype == GMX_F64 ? 8 : 4);
    void *data = aligned_alloc(64, (bytes + 63) / 64 * 64);
    for (int64_t i = 0; data && i < count; i++) {
        if (dtype == GMX_F64)
            ((double *)data)[i] = 1;
        else
            ((float *)data)[i] = 1;
    }
    gmx_tensor *tensor = NULL;
    if (data && gmx_tensor_wrap(session, data, dtype, 3, shape, NULL, free, data, &tensor))
        free(data);
    return tensor;
}

/* The seconds of one call; 0: it failed. */
static double time_call(gmx_session *session, const char *function, gmx_tensor **arguments) {
    gmx_tensor *result = NULL;
    double before = session_seconds();
    if (gmx_call(session, function, arguments, 2, &result, 1))
        return 0;
    double seconds = session_seconds() - before;
    gmx_tensor_release(result);
    return seconds > 0 ? seconds : 1e-9;
}

/* The best of the calls by one way and the other in turn.  The first ones compile. */
static bool time_point(gmx_session *session, const ProductPoint *point, gmx_tensor **arguments, double *own,
                       double *library) {
    const char *function = point->is_turned ? "turned" : "product";
    const uint32_t ways[] = {(uint32_t)PRODUCT_ALL_OWN, PRODUCT_ALL_LIBRARY};
    double best[2] = {INFINITY, INFINITY}, spent = 0;
    for (int run = 0; run < 6 || spent < 2 * seconds_each; run++) {
        session->ctx->product_choice = ways[run % 2];
        double seconds = time_call(session, function, arguments);
        if (seconds == 0)
            return false;
        spent += run < 2 ? 0 : seconds;
        best[run % 2] = seconds < best[run % 2] ? seconds : best[run % 2];
    }
    *own = best[0];
    *library = best[1];
    return true;
}

/* The largest first: after it the kernel is compiled. */
static bool time_points(gmx_session *session, bool is_double, ProductTimes *times) {
    static const int order[PRODUCT_POINTS] = {5, 7, 4, 3, 6, 2, 1, 0};
    bool ok = true;
    for (int i = 0; i < PRODUCT_POINTS && ok; i++) {
        const ProductPoint *p = &product_points[order[i]];
        gmx_dtype dtype = is_double ? GMX_F64 : GMX_F32;
        gmx_tensor *arguments[] = {ones(session, dtype, p->batches, p->m, p->k),
                                   p->is_turned ? ones(session, dtype, p->batches, p->n, p->k)
                                                : ones(session, dtype, p->batches, p->k, p->n)};
        ok = arguments[0] && arguments[1] &&
             time_point(session, p, arguments, &times->own[is_double][order[i]],
                        &times->library[is_double][order[i]]);
        gmx_tensor_release(arguments[0]);
        gmx_tensor_release(arguments[1]);
    }
    return ok;
}

uint32_t products_measure(const char *directory) {
    static const char program[] = "fn product(a, b) = a @ b\nfn turned(a, b) = a @ swapaxes(b, 1, 2)\n";
    gmx_options options;
    gmx_options_init(&options);
    options.cache_directory = directory ? directory : "";
    gmx_session *session;
    if (getenv("GMX_OPENBLAS") || getenv("GMX_PRODUCT") || !blas_get() ||
        gmx_session_open(&options, &session))
        return 0;
    ProductTimes times;
    bool ok = !gmx_run_text(session, "products", program, -1) && time_points(session, false, &times) &&
              time_points(session, true, &times);
    gmx_session_close(session);
    if (ok)
        write_times(directory, &times);
    return ok ? product_choice_of(&times) : 0;
}
