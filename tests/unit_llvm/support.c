/* Shared parts of the back-end tests: see support.h. */
#include "tests/unit_llvm/support.h"
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void bench_begin(Bench *bench, const char *cache_directory) {
    memset(bench, 0, sizeof *bench);
    arena_init(&bench->arena, NULL);
    interner_init(&bench->names, &bench->arena);
    diag_init(&bench->sink, &bench->arena);
    BackendOptions options = {.optimization = 2, .cache_directory = cache_directory};
    options.symbols = gmxrt_symbols(&options.symbol_count);
    char *message = NULL;
    bench->backend = gmx_llvm_backend()->create(&options, &message);
    cr_assert(bench->backend, "%s", message);
    bench->ctx = gmxrt_ctx_create();
}

void bench_end(Bench *bench) {
    gmxrt_memory_statistics statistics;
    gmxrt_memory_get_statistics(bench->ctx, &statistics);
    cr_assert_eq(statistics.bytes_in_use, 0, "%ld bytes were not released", (long)statistics.bytes_in_use);
    gmx_llvm_backend()->destroy(bench->backend);
    gmxrt_ctx_destroy(bench->ctx);
    arena_free(&bench->arena);
}

IrBuilder bench_function(Bench *bench, const char *name) {
    bench->module = ir_module_new(&bench->arena, &bench->names);
    IrFunction *function = ir_function_new(bench->module, intern_text(&bench->names, name));
    return ir_builder_at(function, function->body);
}

CompiledFunction bench_compile(Bench *bench) {
    CompiledFunction function = gmx_llvm_backend()->compile(bench->backend, bench->module, 0, &bench->sink);
    cr_assert(function, "%s", bench_message(bench));
    return function;
}

BackendStatistics bench_statistics(const Bench *bench) {
    return gmx_llvm_backend()->statistics(bench->backend);
}

const char *bench_message(const Bench *bench) {
    return bench->sink.diags.count ? bench->sink.diags.items[bench->sink.diags.count - 1]->message : "";
}

gmxrt_tensor *bench_f64(Bench *bench, int32_t rank, const int64_t *shape, const double *values) {
    gmxrt_tensor *tensor = gmxrt_tensor_new(bench->ctx, DTYPE_f64, rank, shape, 0);
    memcpy(tensor->data, values, (size_t)gmxrt_tensor_size(tensor) * sizeof *values);
    return tensor;
}

gmxrt_tensor *bench_i64(Bench *bench, int64_t value) {
    gmxrt_tensor *tensor = gmxrt_tensor_new(bench->ctx, DTYPE_i64, 0, NULL, 0);
    memcpy(tensor->data, &value, sizeof value);
    return tensor;
}

double bench_at(const gmxrt_tensor *tensor, const int64_t *index) {
    const double *at = tensor->data;
    for (int32_t k = 0; k < tensor->rank; k++)
        at += index[k] * tensor->strides[k];
    return *at;
}

int64_t bench_value(gmxrt_tensor *tensor) {
    int64_t value;
    memcpy(&value, tensor->data, sizeof value);
    gmxrt_tensor_release(tensor);
    return value;
}

int64_t bench_call1(Bench *bench, CompiledFunction function, int64_t x) {
    gmxrt_tensor *parameter = bench_i64(bench, x), *result = NULL;
    gmxrt_ctx_clear(bench->ctx);
    int32_t status = function(bench->ctx, &parameter, &result);
    gmxrt_tensor_release(parameter);
    cr_assert_eq(status != 0, result == NULL);
    cr_assert_eq(status != 0, bench->ctx->error.code != 0);
    return status ? -1 : bench_value(result);
}

void make_directory(char path[256]) {
    const char *root = getenv("GMX_BUILD_DIR");
    snprintf(path, 256, "%s/gmx-test-XXXXXX", root ? root : "/tmp");
    cr_assert(mkdtemp(path));
}

int count_files(const char *path, const char *suffix) {
    DIR *directory = opendir(path);
    int count = 0;
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        size_t length = strlen(entry->d_name), end = strlen(suffix);
        count +=
            length >= end && strcmp(entry->d_name + length - end, suffix) == 0 && entry->d_name[0] != '.';
    }
    if (directory)
        closedir(directory);
    return count;
}

void remove_directory(const char *path) {
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        unlinkat(dirfd(directory), entry->d_name, 0);
    if (directory)
        closedir(directory);
    rmdir(path);
}
