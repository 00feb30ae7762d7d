/* Data files by the end of their name: which reader or writer is for them, and lists of arrays. */
#include "runtime/rt/internal.h"

#include "runtime/rt/data_file.h"
#include "runtime/rt/npy.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct Suffix {
    const char *text;
    gmxrt_file_kind kind;
} Suffix;

static const Suffix suffixes[] = {
    {".npy", GMXRT_FILE_NPY},      {".npz", GMXRT_FILE_NPZ},
    {".csv", GMXRT_FILE_CSV},      {".safetensors", GMXRT_FILE_SAFETENSORS},
    {".tsv", GMXRT_FILE_TSV},      {".mtx", GMXRT_FILE_PLANNED},
    {".onnx", GMXRT_FILE_PLANNED}, {".mtx.gz", GMXRT_FILE_PLANNED},
};

gmxrt_file_kind gmxrt_file_kind_of(const char *path) {
    size_t length = strlen(path);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        size_t n = strlen(suffixes[i].text);
        if (length >= n && strcasecmp(path + length - n, suffixes[i].text) == 0) {
            return suffixes[i].kind;
        }
    }
    return GMXRT_FILE_UNKNOWN;
}

int32_t gmxrt_file_refuse(gmxrt_ctx *ctx, const char *path, const char *verb, uint64_t span) {
    static const char *const hint =
        "the end of the name says what a file is: .npy .npz .safetensors .csv .tsv";
    if (gmxrt_file_kind_of(path) == GMXRT_FILE_PLANNED) {
        data_fail(ctx, RT_E0900, span, hint, "not supported yet: `%s` of `%.300s`", verb, path);
    } else {
        data_fail(ctx, RT_E0403, span, hint, "`%s` knows no file that ends as `%.300s` does", verb, path);
    }
    return 1;
}

/* ---- lists ------------------------------------------------------------------------------------ */

gmxrt_array *arrays_add(const DataFile *file, gmxrt_arrays *arrays, const char *name, int64_t length) {
    if (arrays->count == arrays->capacity) {
        int64_t capacity = arrays->capacity ? arrays->capacity * 2 : 4;
        gmxrt_array *items = realloc(arrays->items, (size_t)capacity * sizeof *items);
        if (items) {
            arrays->items = items;
            arrays->capacity = capacity;
        }
    }
    char *copy = arrays->count < arrays->capacity ? strndup(name, (size_t)length) : NULL;
    if (!copy) {
        gmxrt_fail(file->ctx, RT_E0306, file->span, "no memory for the arrays of `%.300s`", file->path);
        return NULL;
    }
    gmxrt_array *array = &arrays->items[arrays->count++];
    *array = (gmxrt_array){.name = copy};
    return array;
}

void gmxrt_arrays_free(gmxrt_arrays *arrays) {
    for (int64_t i = 0; i < arrays->count; i++) {
        free(arrays->items[i].name);
        gmxrt_tensor_release(arrays->items[i].tensor);
    }
    free(arrays->items);
    *arrays = (gmxrt_arrays){0};
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A name that stands twice, or NULL; false when there is no memory. */
static bool find_twice(const char *const *names, int64_t count, const char **twice) {
    const char **sorted = malloc((size_t)(count + 1) * sizeof *sorted);
    *twice = NULL;
    if (!sorted) {
        return false;
    }
    if (count > 0) {
        memcpy(sorted, names, (size_t)count * sizeof *sorted);
        qsort(sorted, (size_t)count, sizeof *sorted, compare_names);
    }
    for (int64_t i = 1; i < count && !*twice; i++) {
        *twice = strcmp(sorted[i - 1], sorted[i]) == 0 ? sorted[i] : NULL;
    }
    free(sorted);
    return true;
}

bool arrays_are_distinct(const DataFile *file, const gmxrt_arrays *arrays) {
    const char **names = malloc((size_t)(arrays->count + 1) * sizeof *names), *twice = NULL;
    for (int64_t i = 0; names && i < arrays->count; i++) {
        names[i] = arrays->items[i].name;
    }
    bool ok = names && find_twice(names, arrays->count, &twice);
    free(names);
    if (!ok) {
        gmxrt_fail(file->ctx, RT_E0306, file->span, "no memory for the arrays of `%.300s`", file->path);
    } else if (twice) {
        char quote[DATA_QUOTE_MAX];
        return data_fail_damaged(file, "`%.300s` holds two arrays of the name `%s`", file->path,
                                 data_quote(quote, twice, (int64_t)strlen(twice)));
    }
    return ok;
}

/* ---- loading ---------------------------------------------------------------------------------- */

static bool npy_add(const DataFile *file, bool only_headers, gmxrt_arrays *out) {
    DataStream stream;
    gmxrt_npy_header header;
    if (!stream_open(&stream, file, file->path, 0, file->bytes, file->bytes, false) ||
        !npy_read_header(&stream, &header)) {
        return false;
    }
    gmxrt_array *array = arrays_add(file, out, "", 0);
    if (!array) {
        return false;
    }
    array->dtype = header.dtype;
    array->rank = header.rank;
    memcpy(array->shape, header.shape, sizeof header.shape);
    return only_headers || (array->tensor = npy_read_data(&stream, &header)) != NULL;
}

static bool read_arrays(const DataFile *file, bool only_headers, gmxrt_arrays *out) {
    switch (gmxrt_file_kind_of(file->path)) {
    case GMXRT_FILE_NPY:
        return npy_add(file, only_headers, out);
    case GMXRT_FILE_NPZ:
        return npz_read(file, only_headers, out);
    case GMXRT_FILE_SAFETENSORS:
        return safetensors_read(file, only_headers, out);
    case GMXRT_FILE_CSV:
        return csv_read(file, ',', out);
    case GMXRT_FILE_TSV:
        return csv_read(file, '\t', out);
    default:
        gmxrt_file_refuse(file->ctx, file->path, "load", file->span);
        return false;
    }
}

int32_t gmxrt_file_load(gmxrt_ctx *ctx, const char *path, bool only_headers, gmxrt_arrays *out,
                        uint64_t span) {
    DataFile file;
    *out = (gmxrt_arrays){0};
    if (!data_open(ctx, path, span, &file)) {
        return 1;
    }
    bool ok = read_arrays(&file, only_headers, out);
    data_close(&file);
    if (!ok) {
        gmxrt_arrays_free(out);
    }
    return !ok;
}

/* ---- saving ----------------------------------------------------------------------------------- */

int32_t gmxrt_file_can_save(gmxrt_ctx *ctx, const char *path, bool has_names, uint64_t span) {
    gmxrt_file_kind kind = gmxrt_file_kind_of(path);
    if (kind == GMXRT_FILE_UNKNOWN || kind == GMXRT_FILE_PLANNED) {
        return gmxrt_file_refuse(ctx, path, "save", span);
    }
    if (has_names && kind != GMXRT_FILE_NPZ && kind != GMXRT_FILE_SAFETENSORS) {
        data_fail(ctx, RT_E0204, span, "named arrays are saved as .npz or .safetensors",
                  "`%.300s` would be a file of one array, without names", path);
        return 1;
    }
    return 0;
}

static bool check_names(gmxrt_ctx *ctx, const char *const *names, int64_t count, uint64_t span) {
    const char *twice;
    if (!find_twice(names, count, &twice)) {
        gmxrt_fail(ctx, RT_E0306, span, "no memory for the names of %lld arrays", (long long)count);
        return false;
    }
    if (twice) {
        gmxrt_fail(ctx, RT_E0204, span, "the name `%.200s` is given to two arrays", twice);
    }
    return !twice;
}

static bool write_arrays(DataOutput *output, int64_t count, const char *const *names,
                         const gmxrt_view *arrays) {
    switch (gmxrt_file_kind_of(output->path)) {
    case GMXRT_FILE_NPY:
        return npy_write(output, arrays);
    case GMXRT_FILE_NPZ:
        return npz_write(output, count, names, arrays);
    case GMXRT_FILE_SAFETENSORS:
        return safetensors_write(output, count, names, arrays);
    default:
        return csv_write(output, gmxrt_file_kind_of(output->path) == GMXRT_FILE_TSV ? '\t' : ',', arrays);
    }
}

int32_t gmxrt_file_save(gmxrt_ctx *ctx, const char *path, int64_t count, const char *const *names,
                        const gmxrt_view *arrays, uint64_t span) {
    DataOutput output;
    if (gmxrt_file_can_save(ctx, path, names != NULL, span) ||
        (names && !check_names(ctx, names, count, span)) || !output_open(ctx, path, span, &output)) {
        return 1;
    }
    return output_close(&output, write_arrays(&output, count, names, arrays));
}
