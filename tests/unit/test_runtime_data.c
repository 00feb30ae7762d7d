/* .npz, .safetensors, .csv and .tsv: files that others wrote, files we write compared byte for byte, round
 * trips, numbers against strtod, and files that lie, are cut or have bytes changed. */
#include "runtime/rt/zip.h"
#include "tests/unit/rt_support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef TEST_DATA_DIR
#define TEST_DATA_DIR "tests/data"
#endif
#define FILES TEST_DATA_DIR "/files/"

/* The value that tests/data/make_data_files.py gave element number i. */
static double stored_value(int32_t dtype, int64_t i) {
    switch (rt_dtype_info[dtype].kind) {
    case RT_BOOL:
        return (double)(i % 2);
    case RT_UNSIGNED:
        return (double)i;
    case RT_SIGNED:
        return (double)(i - 3);
    default:
        return (double)i - 2.5;
    }
}

static void load_checked(gmxrt_ctx *ctx, const char *path, gmxrt_arrays *out) {
    gmxrt_arrays headers;
    cr_assert_eq(gmxrt_file_load(ctx, path, false, out, 0), 0, "%s", ctx->error.message);
    cr_assert_eq(gmxrt_file_load(ctx, path, true, &headers, 0), 0, "%s", ctx->error.message);
    cr_assert_eq(headers.count, out->count);
    for (int64_t i = 0; i < out->count; i++) {
        const gmxrt_array *a = &out->items[i], *b = &headers.items[i];
        cr_assert_str_eq(a->name, b->name);
        cr_assert(a->dtype == b->dtype && a->rank == b->rank && a->dtype == a->tensor->dtype &&
                  a->rank == a->tensor->rank);
        for (int32_t k = 0; k < a->rank; k++) {
            cr_assert(a->shape[k] == b->shape[k] && a->shape[k] == a->tensor->shape[k]);
        }
    }
    gmxrt_arrays_free(&headers);
}

static void check_array(const gmxrt_array *array, const char *name, int32_t dtype, int32_t rank,
                        const int64_t *shape) {
    cr_assert_str_eq(array->name, name);
    cr_assert_eq(array->dtype, dtype, "%s is %s", name, rt_dtype_info[array->dtype].name);
    cr_assert_eq(array->rank, rank, "%s", name);
    for (int32_t i = 0; i < rank; i++) {
        cr_assert_eq(array->shape[i], shape[i], "%s", name);
    }
    gmxrt_view view = gmxrt_view_of(array->tensor);
    int64_t index[GMXRT_MAX_RANK] = {0}, i = 0;
    if (rt_count(&view) > 0) {
        do {
            cr_assert_eq(rt_get(rt_element(&view, index), dtype), stored_value(dtype, i), "%s[%lld]", name,
                         (long long)i);
            i++;
        } while (rt_next_index(&view, index));
    }
}

static const int32_t numpy_dtypes[] = {RT_bool, RT_u8,  RT_u16, RT_u32, RT_u64, RT_i8,
                                       RT_i16,  RT_i32, RT_i64, RT_f16, RT_f32, RT_f64};
enum { NUMPY_DTYPES = sizeof numpy_dtypes / sizeof *numpy_dtypes };

/* ---- files that others wrote ------------------------------------------------------------------- */

static void check_numpy_archive(const char *path) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    gmxrt_arrays arrays;
    char name[40];
    static const int32_t big[] = {RT_u16, RT_i32, RT_i64, RT_f16, RT_f64};
    load_checked(ctx, path, &arrays);
    cr_assert_eq(arrays.count, NUMPY_DTYPES + 5 + 6);
    const gmxrt_array *at = arrays.items;
    for (int i = 0; i < NUMPY_DTYPES; i++) {
        check_array(at++, rt_dtype_info[numpy_dtypes[i]].name, numpy_dtypes[i], 2, (int64_t[]){2, 3});
    }
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "big_%s", rt_dtype_info[big[i]].name);
        check_array(at++, name, big[i], 2, (int64_t[]){2, 3});
    }
    check_array(at++, "fortran", RT_f32, 3, (int64_t[]){2, 3, 4});
    check_array(at++, "fortran_big", RT_i16, 2, (int64_t[]){3, 2});
    check_array(at++, "scalar", RT_f64, 0, NULL);
    check_array(at++, "empty", RT_f32, 3, (int64_t[]){3, 0, 2});
    check_array(at++, "path.to.a", RT_i32, 1, (int64_t[]){5});
    check_array(at++, "α β", RT_i32, 1, (int64_t[]){2});
    gmxrt_arrays_free(&arrays);
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_data, archives_that_numpy_wrote) {
    check_numpy_archive(FILES "savez.npz");
    check_numpy_archive(FILES "compressed.npz");
}

static void check_some(const char *path) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    gmxrt_arrays arrays;
    load_checked(ctx, path, &arrays);
    cr_assert_eq(arrays.count, 3);
    check_array(&arrays.items[0], "a", RT_f32, 2, (int64_t[]){2, 3});
    check_array(&arrays.items[1], "α", RT_i64, 0, NULL);
    check_array(&arrays.items[2], "none", RT_u8, 2, (int64_t[]){0, 4});
    gmxrt_arrays_free(&arrays);
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_data, a_zip64_archive) {
    check_some(FILES "written.npz");
    check_some(FILES "zip64.npz");
}

Test(runtime_data, safetensors_that_another_program_wrote) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    gmxrt_arrays arrays;
    load_checked(ctx, FILES "tensors.safetensors", &arrays);
    cr_assert_eq(arrays.count, NUMPY_DTYPES + 5);
    const gmxrt_array *at = arrays.items;
    for (int i = NUMPY_DTYPES; i-- > 0;) {
        check_array(at++, rt_dtype_info[numpy_dtypes[i]].name, numpy_dtypes[i], 2, (int64_t[]){2, 3});
    }
    check_array(at++, "bf16", RT_bf16, 2, (int64_t[]){2, 3});
    check_array(at++, "scalar", RT_f64, 0, NULL);
    check_array(at++, "empty", RT_f32, 3, (int64_t[]){3, 0, 2});
    check_array(at++, "path.to.a", RT_i32, 1, (int64_t[]){5});
    check_array(at++, "α \"β\"", RT_i32, 1, (int64_t[]){2});
    gmxrt_arrays_free(&arrays);
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_data, tables_that_numpy_wrote) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    gmxrt_arrays arrays;
    load_checked(ctx, FILES "savetxt.csv", &arrays);
    check_array(&arrays.items[0], "", RT_f64, 2, (int64_t[]){4, 3});
    gmxrt_arrays_free(&arrays);
    load_checked(ctx, FILES "savetxt.tsv", &arrays);
    check_array(&arrays.items[0], "", RT_i64, 2, (int64_t[]){4, 3});
    gmxrt_arrays_free(&arrays);
    gmxrt_ctx_destroy(ctx);
}

/* ---- files that we write ----------------------------------------------------------------------- */

static void make_folder(char path[64]) {
    strcpy(path, "/tmp/gmx-data-XXXXXX");
    cr_assert_not_null(mkdtemp(path));
}

typedef struct Bytes {
    uint8_t *data;
    size_t length;
} Bytes;

static Bytes read_bytes(const char *path) {
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    Bytes out = {malloc(1 << 20), 0};
    out.length = fread(out.data, 1, 1 << 20, file);
    fclose(file);
    return out;
}

static void write_bytes(const char *path, const void *data, size_t length) {
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(data, 1, length, file), length);
    cr_assert_eq(fclose(file), 0);
}

static void check_same_bytes(const char *path, const char *expected) {
    Bytes a = read_bytes(path), b = read_bytes(expected);
    cr_assert_eq(a.length, b.length, "%zu bytes, %s has %zu", a.length, expected, b.length);
    for (size_t i = 0; i < a.length; i++) {
        cr_assert_eq(a.data[i], b.data[i], "byte %zu of %s", i, expected);
    }
    free(a.data);
    free(b.data);
}

/* A layout with the stored values, strided as memory allows. */
static RtLayout stored_layout(RtRandom *random, int32_t dtype, int32_t rank, const int64_t *shape,
                              bool wild) {
    RtLayout layout = rt_layout(random, dtype, rank, shape, wild);
    int64_t index[GMXRT_MAX_RANK] = {0}, i = 0;
    if (rt_count(&layout.view) > 0) {
        do {
            rt_set(rt_element(&layout.view, index), dtype, stored_value(dtype, i++));
        } while (rt_next_index(&layout.view, index));
    }
    return layout;
}

/* Writes through a ZipWriter with this limit: what gmxrt_file_save does, with ZIP64 at small sizes. */
static void write_archive(gmxrt_ctx *ctx, const char *path, uint64_t limit, const char *npz) {
    DataFile file;
    ZipArchive archive;
    DataOutput output;
    cr_assert(data_open(ctx, npz, 0, &file) && zip_read(&file, &archive));
    cr_assert(output_open(ctx, path, 0, &output));
    ZipWriter writer = {.output = &output, .limit = limit};
    for (int64_t i = 0; i < archive.count; i++) {
        const ZipEntry *entry = &archive.entries[i];
        char name[64] = {0}, content[512];
        memcpy(name, entry->name, (size_t)entry->name_length);
        cr_assert(data_read(&file, content, entry->bytes, entry->begin));
        zip_begin_entry(&writer, name, entry->crc, entry->bytes);
        output_write(&output, content, entry->bytes);
    }
    cr_assert(zip_end(&writer));
    cr_assert_eq(output_close(&output, true), 0);
    zip_free(&archive);
    data_close(&file);
}

Test(runtime_data, archives_are_those_of_pythons_zipfile) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    RtRandom random = {1};
    char folder[64], path[100];
    make_folder(folder);
    snprintf(path, sizeof path, "%s/x.npz", folder);
    for (int wild = 0; wild < 2; wild++) {
        RtLayout a = stored_layout(&random, RT_f32, 2, (int64_t[]){2, 3}, wild);
        RtLayout b = stored_layout(&random, RT_i64, 0, NULL, wild);
        RtLayout c = stored_layout(&random, RT_u8, 2, (int64_t[]){0, 4}, wild);
        cr_assert_eq(gmxrt_file_save(ctx, path, 3, (const char *[]){"a", "α", "none"},
                                     (gmxrt_view[]){a.view, b.view, c.view}, 0),
                     0, "%s", ctx->error.message);
        check_same_bytes(path, FILES "written.npz");
        free(a.memory), free(b.memory), free(c.memory);
    }
    write_archive(ctx, path, zip_limit, FILES "zip64.npz");
    check_same_bytes(path, FILES "written.npz");
    write_archive(ctx, path, 151, FILES "written.npz");
    check_same_bytes(path, FILES "zip64.npz");
    unlink(path);
    rmdir(folder);
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_data, safetensors_have_the_stored_layout) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    RtRandom random = {2};
    char folder[64], path[100];
    make_folder(folder);
    snprintf(path, sizeof path, "%s/x.safetensors", folder);
    RtLayout a = stored_layout(&random, RT_u8, 1, (int64_t[]){3}, true);
    RtLayout b = stored_layout(&random, RT_f32, 2, (int64_t[]){2, 3}, true);
    RtLayout c = stored_layout(&random, RT_f64, 0, NULL, true);
    cr_assert_eq(gmxrt_file_save(ctx, path, 3, (const char *[]){"a", "b\"", "c.d"},
                                 (gmxrt_view[]){a.view, b.view, c.view}, 0),
                 0, "%s", ctx->error.message);
    check_same_bytes(path, FILES "written.safetensors");
    free(a.memory), free(b.memory), free(c.memory);
    unlink(path);
    rmdir(folder);
    gmxrt_ctx_destroy(ctx);
}

static void round_trip(gmxrt_ctx *ctx, const char *path, const char *const *names, const RtLayout *layouts,
                       int count) {
    gmxrt_view views[RT_DTYPE_COUNT];
    gmxrt_arrays arrays;
    for (int i = 0; i < count; i++) {
        views[i] = layouts[i].view;
    }
    cr_assert_eq(gmxrt_file_save(ctx, path, count, names, views, 0), 0, "%s", ctx->error.message);
    load_checked(ctx, path, &arrays);
    cr_assert_eq(arrays.count, count);
    for (int i = 0; i < count; i++) {
        check_array(&arrays.items[i], names ? names[i] : arrays.items[i].name, views[i].dtype, views[i].rank,
                    views[i].shape);
    }
    gmxrt_arrays_free(&arrays);
    unlink(path);
}

Test(runtime_data, round_trips_of_every_dtype_and_layout) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    RtRandom random = {3};
    char folder[64], npz[100], tensors[100];
    make_folder(folder);
    snprintf(npz, sizeof npz, "%s/x.npz", folder);
    snprintf(tensors, sizeof tensors, "%s/x.SafeTensors", folder);
    for (int trial = 0; trial < 40; trial++) {
        RtLayout layouts[RT_DTYPE_COUNT];
        const char *names[RT_DTYPE_COUNT];
        int count = 0;
        for (int32_t dtype = 0; dtype <= RT_f64; dtype++, count++) {
            int64_t shape[GMXRT_MAX_RANK];
            int32_t rank = (int32_t)rt_random_between(&random, 0, 4);
            for (int32_t i = 0; i < rank; i++) {
                shape[i] = rt_random_between(&random, 0, 4);
            }
            layouts[count] = stored_layout(&random, dtype, rank, shape, true);
            names[count] = rt_dtype_info[dtype].name;
        }
        round_trip(ctx, npz, names, layouts, count);
        round_trip(ctx, tensors, names, layouts, count);
        round_trip(ctx, npz, NULL, layouts, 1);
        round_trip(ctx, tensors, NULL, layouts + count - 1, 1);
        round_trip(ctx, npz, names, layouts, 0);
        round_trip(ctx, tensors, names, layouts, 0);
        while (count-- > 0) {
            free(layouts[count].memory);
        }
    }
    rmdir(folder);
    gmxrt_ctx_destroy(ctx);
}

static void check_table(gmxrt_ctx *ctx, const char *path, const gmxrt_view *x, const char *expected) {
    cr_assert_eq(gmxrt_file_save(ctx, path, 1, NULL, x, 0), 0, "%s", ctx->error.message);
    Bytes bytes = read_bytes(path);
    cr_assert_eq(bytes.length, strlen(expected));
    cr_assert_eq(memcmp(bytes.data, expected, bytes.length), 0, "%.*s", (int)bytes.length,
                 (char *)bytes.data);
    free(bytes.data);
}

Test(runtime_data, tables_have_the_fewest_digits) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    char folder[64], csv[100], tsv[100];
    double values[] = {0.1, -0.0, 1e300, NAN, -INFINITY, 7};
    float single[] = {0.1f, 16777216};
    bool truth[] = {true, false};
    int64_t integers[] = {INT64_MIN, INT64_MAX};
    make_folder(folder);
    snprintf(csv, sizeof csv, "%s/x.csv", folder);
    snprintf(tsv, sizeof tsv, "%s/x.tsv", folder);
    gmxrt_view x = {values, RT_f64, 2, {2, 3}, {3, 1}};
    check_table(ctx, csv, &x, "0.1,-0.0,1e+300\nnan,-inf,7.0\n");
    x = (gmxrt_view){values, RT_f64, 2, {3, 2}, {1, 3}};
    check_table(ctx, tsv, &x, "0.1\tnan\n-0.0\t-inf\n1e+300\t7.0\n");
    x = (gmxrt_view){single, RT_f32, 1, {2}, {1}};
    check_table(ctx, csv, &x, "0.1\n16777216.0\n");
    x = (gmxrt_view){truth, RT_bool, 1, {2}, {1}};
    check_table(ctx, csv, &x, "1\n0\n");
    x = (gmxrt_view){integers, RT_i64, 2, {1, 2}, {2, 1}};
    check_table(ctx, csv, &x, "-9223372036854775808,9223372036854775807\n");
    x = (gmxrt_view){values, RT_f64, 0, {0}, {0}};
    check_table(ctx, csv, &x, "0.1\n");
    x = (gmxrt_view){values, RT_f64, 1, {0}, {1}};
    check_table(ctx, csv, &x, "");
    x = (gmxrt_view){values, RT_f64, 3, {1, 1, 1}, {1, 1, 1}};
    cr_assert_eq(gmxrt_file_save(ctx, csv, 1, NULL, &x, 9), 1);
    cr_assert_eq(ctx->error.code, RT_E0204);
    unlink(csv), unlink(tsv);
    cr_assert_eq(rmdir(folder), 0, "a temporary file is left");
    gmxrt_ctx_destroy(ctx);
}

/* ---- tables ------------------------------------------------------------------------------------ */

static void check_text(gmxrt_ctx *ctx, const char *path, const char *text, int32_t dtype, int32_t rank,
                       int64_t rows, int64_t columns, const double *values) {
    gmxrt_arrays arrays;
    write_bytes(path, text, strlen(text));
    cr_assert_eq(gmxrt_file_load(ctx, path, false, &arrays, 0), 0, "%s: %s", text, ctx->error.message);
    const gmxrt_tensor *x = arrays.items[0].tensor;
    cr_assert_eq(x->dtype, dtype, "%s", text);
    cr_assert_eq(x->rank, rank, "%s", text);
    cr_assert_eq(x->shape[0], rows, "%s", text);
    cr_assert(rank == 1 || x->shape[1] == columns, "%s", text);
    for (int64_t i = 0; i < rows * columns; i++) {
        double value = dtype == RT_i64 ? (double)((int64_t *)x->data)[i] : ((double *)x->data)[i];
        cr_assert(value == values[i] || (isnan(value) && isnan(values[i])), "%s: %g", text, value);
    }
    gmxrt_arrays_free(&arrays);
}

#define VALUES(...)                                                                                          \
    (double[]) {                                                                                             \
        __VA_ARGS__                                                                                          \
    }

Test(runtime_data, the_forms_of_tables) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    char folder[64], csv[100], tsv[100];
    make_folder(folder);
    snprintf(csv, sizeof csv, "%s/x.csv", folder);
    snprintf(tsv, sizeof tsv, "%s/x.tsv", folder);
    check_text(ctx, csv, "1,2\n3,4\n", RT_i64, 2, 2, 2, VALUES(1, 2, 3, 4));
    check_text(ctx, csv, "1,2\r\n3,4\r\n", RT_i64, 2, 2, 2, VALUES(1, 2, 3, 4));
    check_text(ctx, csv, "1,2\r3,4", RT_i64, 2, 2, 2, VALUES(1, 2, 3, 4));
    check_text(ctx, csv, "1,2.0", RT_f64, 2, 1, 2, VALUES(1, 2));
    check_text(ctx, csv, "5\n", RT_i64, 1, 1, 1, VALUES(5));
    check_text(ctx, csv, "5\n\n6\n", RT_i64, 1, 2, 1, VALUES(5, 6));
    check_text(ctx, csv, "\xEF\xBB\xBFx,y\n# 1,2,3\n  # no\n1 , 2\t\n", RT_i64, 2, 1, 2, VALUES(1, 2));
    check_text(ctx, csv, "\"a \"\"b\"\", c\",\"d\ne\"\n1,2\n", RT_i64, 2, 1, 2, VALUES(1, 2));
    check_text(ctx, csv, "\"2019\",\"2020\"\n1,2\n", RT_i64, 2, 1, 2, VALUES(1, 2));
    check_text(ctx, csv, "1,\"2\"\n\"3\" , 4\n", RT_i64, 2, 2, 2, VALUES(1, 2, 3, 4));
    check_text(ctx, csv, "a,\n1,2\n", RT_i64, 2, 1, 2, VALUES(1, 2));
    check_text(ctx, csv, "1,,3\n4,5,\n", RT_f64, 2, 2, 3, VALUES(1, NAN, 3, 4, 5, NAN));
    check_text(ctx, csv, "nan,NaN,-inf\n+Infinity,.5,5.\n", RT_f64, 2, 2, 3,
               VALUES(NAN, NAN, -INFINITY, INFINITY, 0.5, 5));
    check_text(ctx, csv, "+1,-2,-0\n", RT_i64, 2, 1, 3, VALUES(1, -2, 0));
    check_text(ctx, csv, "9223372036854775807\n-9223372036854775808\n", RT_i64, 1, 2, 1,
               VALUES(9223372036854775807.0, -9223372036854775808.0));
    check_text(ctx, csv, "9223372036854775808\n", RT_f64, 1, 1, 1, VALUES(9223372036854775808.0));
    check_text(ctx, csv, "000000000000000000000000000000012\n", RT_i64, 1, 1, 1, VALUES(12));
    check_text(ctx, csv, "1e400,1e-400,1E2\n", RT_f64, 2, 1, 3, VALUES(INFINITY, 0, 100));
    check_text(ctx, csv, "1e99999999999999999999,0e99999999999999999999\n", RT_f64, 2, 1, 2,
               VALUES(INFINITY, 0));
    check_text(ctx, csv, "", RT_f64, 1, 0, 1, NULL);
    check_text(ctx, csv, "\n# nothing\n  \n", RT_f64, 1, 0, 1, NULL);
    check_text(ctx, csv, "x,y,z\n", RT_f64, 2, 0, 3, NULL);
    check_text(ctx, tsv, "a b\tc\n1\t2\n\t4\n", RT_f64, 2, 2, 2, VALUES(1, 2, NAN, 4));
    check_text(ctx, tsv, "1 \t 2\n\t\n", RT_f64, 2, 2, 2, VALUES(1, 2, NAN, NAN));
    unlink(csv), unlink(tsv);
    rmdir(folder);
    gmxrt_ctx_destroy(ctx);
}

/* Numbers of every length, against the C library. */
Test(runtime_data, numbers_are_rounded_correctly) {
    enum { COUNT = 20000 };
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    RtRandom random = {4};
    gmxrt_arrays arrays;
    char folder[64], csv[100];
    char(*texts)[80] = malloc(COUNT * sizeof *texts);
    make_folder(folder);
    snprintf(csv, sizeof csv, "%s/x.csv", folder);
    FILE *file = fopen(csv, "wb");
    for (int i = 0; i < COUNT; i++) {
        uint64_t bits =
            (uint64_t)rt_random(&random) << 42 ^ (uint64_t)rt_random(&random) << 21 ^ rt_random(&random);
        double value;
        memcpy(&value, &bits, sizeof value);
        value = isfinite(value) ? value : 0.5;
        int form = i % 5;
        if (form == 0)
            snprintf(texts[i], sizeof texts[i], "%.*e", (int)rt_random_between(&random, 0, 30), value);
        else if (form == 1)
            snprintf(texts[i], sizeof texts[i], "%.*f", (int)rt_random_between(&random, 1, 20),
                     fmod(value, 1e15));
        else if (form == 2)
            snprintf(texts[i], sizeof texts[i], "%lld.%03de%d",
                     (long long)(bits >> rt_random_between(&random, 8, 60)), (int)(bits % 1000),
                     (int)rt_random_between(&random, -30, 30));
        else if (form == 3) /* halfway between two doubles, and just beside */
            snprintf(texts[i], sizeof texts[i], "%llu.%s", 9007199254740993ull + 2 * (bits % 1000000),
                     i % 2 ? "0" : "00000000000000000000001");
        else
            snprintf(texts[i], sizeof texts[i], "%.17g", value);
        fprintf(file, "%s,0.5\n", texts[i]);
    }
    fclose(file);
    cr_assert_eq(gmxrt_file_load(ctx, csv, false, &arrays, 0), 0, "%s", ctx->error.message);
    const double *values = arrays.items[0].tensor->data;
    for (int i = 0; i < COUNT; i++) {
        double expected = strtod(texts[i], NULL);
        cr_assert_eq(memcmp(&values[2 * i], &expected, sizeof expected), 0, "%s gives %.17g", texts[i],
                     values[2 * i]);
    }
    gmxrt_arrays_free(&arrays);
    free(texts);
    unlink(csv);
    rmdir(folder);
    gmxrt_ctx_destroy(ctx);
}

/* ---- files that lie ---------------------------------------------------------------------------- */

static size_t from_hex(const char *text, uint8_t *out) {
    size_t length = 0;
    unsigned byte;
    for (; sscanf(text, "%2x", &byte) == 1; text += 2) {
        out[length++] = (uint8_t)byte;
    }
    return length;
}

/* Fails with the code and a message that has the file's name and the text, and takes little memory. */
static void check_refused(const char *path, const char *name, const char *code, const char *text) {
    static const char *const codes[] = {
#define DIAG(code, summary) [RT_##code] = #code,
#include "ir/base/diag.def"
    };
    for (int only_headers = 0; only_headers < 2; only_headers++) {
        gmxrt_ctx *ctx = gmxrt_ctx_create();
        gmxrt_arrays arrays = {.count = 77};
        gmxrt_memory_statistics memory;
        int32_t failed = gmxrt_file_load(ctx, path, only_headers, &arrays, 31);
        cr_expect(failed || only_headers, "%s is accepted", name); /* headers have no checksum */
        if (failed) {
            cr_expect_eq(arrays.count, 0, "%s leaves arrays", name);
            cr_expect_eq(ctx->error.span, 31);
            cr_expect(strstr(codes[ctx->error.code], code), "%s: %s %s", name, codes[ctx->error.code],
                      ctx->error.message);
            cr_expect(strstr(ctx->error.message, text), "%s: %s", name, ctx->error.message);
            cr_expect(strstr(ctx->error.message, name), "%s: %s", name, ctx->error.message);
            for (const char *at = ctx->error.message; *at; at++) {
                cr_expect((unsigned char)*at >= ' ', "%s prints a control character", name);
            }
        }
        gmxrt_arrays_free(&arrays);
        gmxrt_memory_get_statistics(ctx, &memory);
        cr_expect_lt(memory.bytes_peak, 4 << 20, "%s took %lld bytes", name, (long long)memory.bytes_peak);
        gmxrt_ctx_destroy(ctx);
    }
}

Test(runtime_data, files_that_lie) {
    char folder[64], path[200], name[64], code[16], text[128];
    char *line = malloc(1 << 16);
    uint8_t *bytes = malloc(1 << 16);
    int count = 0;
    FILE *list = fopen(FILES "hostile.txt", "r");
    cr_assert_not_null(list);
    make_folder(folder);
    for (; fgets(line, 1 << 16, list); count++) {
        char *tabs[3], *at = line;
        for (int i = 0; i < 3; i++) {
            tabs[i] = strchr(at, '\t');
            cr_assert_not_null(tabs[i]);
            *tabs[i] = '\0';
            at = tabs[i] + 1;
        }
        snprintf(name, sizeof name, "%s", line);
        snprintf(code, sizeof code, "%s", tabs[0] + 1);
        snprintf(text, sizeof text, "%s", tabs[1] + 1);
        snprintf(path, sizeof path, "%s/%s", folder, name);
        write_bytes(path, bytes, from_hex(tabs[2] + 1, bytes));
        check_refused(path, name, code, text);
        unlink(path);
    }
    cr_assert_gt(count, 90);
    fclose(list);
    rmdir(folder);
    free(line), free(bytes);
}

typedef bool (*Reader)(const DataFile *file, bool only_headers, gmxrt_arrays *out);

/* Reads bytes as a file that has no name. */
static bool read_from(int file, Reader reader, const uint8_t *bytes, size_t length) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    gmxrt_arrays arrays = {0};
    gmxrt_memory_set_cap(ctx, 1 << 24);
    cr_assert_eq(ftruncate(file, (off_t)length), 0);
    cr_assert_eq(pwrite(file, bytes, length, 0), (ssize_t)length);
    DataFile data = {.ctx = ctx, .path = "a file", .file = file, .bytes = (int64_t)length};
    bool ok = reader(&data, false, &arrays);
    cr_assert_eq(ok, ctx->error.code == 0);
    gmxrt_arrays_free(&arrays);
    gmxrt_ctx_destroy(ctx);
    return ok;
}

/* Every truncation is refused; a changed byte never does harm. */
static void check_mutations(const char *source, Reader reader) {
    RtRandom random = {5};
    Bytes bytes = read_bytes(source);
    int file = memfd_create("data", MFD_CLOEXEC);
    cr_assert_geq(file, 0);
    cr_assert(read_from(file, reader, bytes.data, bytes.length));
    for (size_t length = 0; length < bytes.length; length++) {
        cr_assert_not(read_from(file, reader, bytes.data, length), "cut to %zu bytes", length);
    }
    for (size_t i = 0; i < 4 * bytes.length; i++) {
        uint8_t *byte = &bytes.data[i % bytes.length], kept = *byte;
        *byte = i < bytes.length ? 0xFF : (uint8_t)rt_random(&random);
        read_from(file, reader, bytes.data, bytes.length);
        *byte = kept;
    }
    free(bytes.data);
    close(file);
}

Test(runtime_data, truncated_and_changed_files) {
    check_mutations(FILES "compressed.npz", npz_read);
    check_mutations(FILES "zip64.npz", npz_read);
    check_mutations(FILES "tensors.safetensors", safetensors_read);
}

Test(runtime_data, a_save_that_fails_leaves_the_old_file) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    char folder[64], path[100];
    double number = 3;
    gmxrt_view x = {&number, RT_f64, 0, {0}, {0}}, y = {&number, RT_c128, 0, {0}, {0}};
    static const char *const suffixes[] = {"csv", "safetensors"};
    make_folder(folder);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/x.%s", folder, suffixes[i]);
        cr_assert_eq(gmxrt_file_save(ctx, path, 1, NULL, &x, 0), 0);
        Bytes before = read_bytes(path);
        cr_assert_eq(gmxrt_file_save(ctx, path, 1, NULL, &y, 7), 1);
        cr_assert_eq(ctx->error.span, 7);
        gmxrt_ctx_clear(ctx);
        Bytes after = read_bytes(path);
        cr_assert(before.length == after.length && !memcmp(before.data, after.data, before.length));
        free(before.data), free(after.data);
        unlink(path);
    }
    cr_assert_eq(rmdir(folder), 0, "a temporary file is left");
    cr_assert_eq(gmxrt_file_save(ctx, "/nonexistent/x.npz", 1, NULL, &x, 0), 1);
    cr_assert_eq(ctx->error.code, RT_E0401);
    gmxrt_ctx_clear(ctx);
    cr_assert_eq(gmxrt_file_save(ctx, "x.npz", 2, (const char *[]){"a", "a"}, (gmxrt_view[]){x, x}, 0), 1);
    cr_assert_eq(ctx->error.code, RT_E0204);
    gmxrt_ctx_clear(ctx);
    cr_assert_eq(gmxrt_file_save(ctx, "x.csv", 1, (const char *[]){"a"}, &x, 0), 1);
    cr_assert_eq(ctx->error.code, RT_E0204);
    gmxrt_ctx_destroy(ctx);
}
