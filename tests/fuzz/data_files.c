/* libFuzzer entry: any bytes as a data file of each kind, all of it and its headers alone.
 *
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined … tests/fuzz/data_files.c; ./fuzz_data_files
 * tests/data/files
 *
 * Whatever is accepted has consistent arrays; whatever is not has an error. */
#include "runtime/rt/internal.h"

#include "runtime/rt/npy.h"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size);

static bool read_npy(const DataFile *file, bool only_headers, gmxrt_arrays *out) {
    DataStream stream;
    gmxrt_npy_header header;
    if (!stream_open(&stream, file, file->path, 0, file->bytes, file->bytes, false) ||
        !npy_read_header(&stream, &header)) {
        return false;
    }
    gmxrt_tensor *tensor = only_headers ? NULL : npy_read_data(&stream, &header);
    gmxrt_tensor_release(tensor);
    out->count = 0;
    return only_headers || tensor;
}

static bool read_csv(const DataFile *file, bool only_headers, gmxrt_arrays *out) {
    (void)only_headers;
    return csv_read(file, ',', out);
}

static bool read_tsv(const DataFile *file, bool only_headers, gmxrt_arrays *out) {
    (void)only_headers;
    return csv_read(file, '\t', out);
}

typedef bool (*Reader)(const DataFile *file, bool only_headers, gmxrt_arrays *out);
static const Reader readers[] = {read_npy, npz_read, safetensors_read, read_csv, read_tsv};

static void check_arrays(const gmxrt_arrays *arrays, bool only_headers) {
    for (int64_t i = 0; i < arrays->count; i++) {
        const gmxrt_array *array = &arrays->items[i];
        if (!array->name || (!only_headers && !array->tensor)) {
            __builtin_trap();
        }
        if (array->tensor && (array->tensor->rank != array->rank || array->tensor->dtype != array->dtype)) {
            __builtin_trap();
        }
    }
}

static void try_reader(Reader reader, int file, size_t size, bool only_headers) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    gmxrt_arrays arrays = {0};
    DataFile data = {.ctx = ctx, .path = "a file", .file = file, .bytes = (int64_t)size};
    gmxrt_memory_set_cap(ctx, 1 << 26);
    bool ok = reader(&data, only_headers, &arrays);
    if (ok != (ctx->error.code == 0)) {
        __builtin_trap();
    }
    check_arrays(&arrays, ok ? only_headers : true);
    gmxrt_arrays_free(&arrays);
    gmxrt_ctx_destroy(ctx);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size) {
    int file = memfd_create("data", MFD_CLOEXEC);
    if (file >= 0 && write(file, bytes, size) == (ssize_t)size) {
        for (size_t i = 0; i < 2 * sizeof readers / sizeof *readers; i++) {
            try_reader(readers[i / 2], file, size, i % 2);
        }
    }
    close(file);
    return 0;
}
