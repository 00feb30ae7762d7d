/* .npy files: those that NumPy wrote, round trips, and files that lie or are cut short. */
#include "tests/unit/rt_support.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef TEST_DATA_DIR
#define TEST_DATA_DIR "tests/data"
#endif

/* The value that tests/data/make_npy_files.py gave element number i. */
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

static void check_stored(gmxrt_ctx *ctx, const char *name, int32_t dtype, int32_t rank,
                         const int64_t *shape) {
    char path[300];
    snprintf(path, sizeof path, TEST_DATA_DIR "/npy/%s.npy", name);
    gmxrt_npy_header header;
    cr_assert_eq(gmxrt_npy_probe(ctx, path, &header, 0), 0, "%s", ctx->error.message);
    gmxrt_tensor *tensor = gmxrt_npy_load(ctx, path, 0);
    cr_assert_not_null(tensor, "%s", ctx->error.message);
    cr_assert_eq(tensor->dtype, dtype, "%s", name);
    cr_assert_eq(tensor->rank, rank);
    cr_assert_eq(header.dtype, dtype);
    cr_assert_eq(header.rank, rank);
    for (int32_t i = 0; i < rank; i++) {
        cr_assert_eq(tensor->shape[i], shape[i]);
        cr_assert_eq(header.shape[i], shape[i]);
    }
    gmxrt_view view = gmxrt_view_of(tensor);
    int64_t index[GMXRT_MAX_RANK] = {0}, i = 0;
    if (rt_count(&view) > 0) {
        do {
            cr_assert_eq(rt_get(rt_element(&view, index), dtype), stored_value(dtype, i++), "%s", name);
        } while (rt_next_index(&view, index));
    }
    gmxrt_tensor_release(tensor);
}

Test(runtime_npy, files_that_numpy_wrote) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    static const struct {
        const char *name;
        int32_t dtype;
    } rows[] = {{"u1", RT_u8},  {"u2", RT_u16}, {"u4", RT_u32}, {"u8", RT_u64},
                {"i1", RT_i8},  {"i2", RT_i16}, {"i4", RT_i32}, {"i8", RT_i64},
                {"f2", RT_f16}, {"f4", RT_f32}, {"f8", RT_f64}, {"bool", RT_bool}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[32];
        snprintf(name, sizeof name, "little_%s", rows[i].name);
        check_stored(ctx, name, rows[i].dtype, 2, (int64_t[]){2, 3});
        if (rt_dtype_info[rows[i].dtype].bytes > 1) {
            snprintf(name, sizeof name, "big_%s", rows[i].name);
            check_stored(ctx, name, rows[i].dtype, 2, (int64_t[]){2, 3});
        }
    }
    check_stored(ctx, "fortran", RT_f32, 3, (int64_t[]){2, 3, 4});
    check_stored(ctx, "fortran_big", RT_i16, 2, (int64_t[]){3, 2});
    check_stored(ctx, "scalar", RT_f64, 0, NULL);
    check_stored(ctx, "vector", RT_i32, 1, (int64_t[]){5});
    check_stored(ctx, "empty", RT_f32, 3, (int64_t[]){3, 0, 2});
    check_stored(ctx, "version2", RT_f64, 1, (int64_t[]){4});
    check_stored(ctx, "version3", RT_f64, 1, (int64_t[]){4});
    gmxrt_ctx_destroy(ctx);
}

static void make_directory(char *path) {
    strcpy(path, "/tmp/gmx-npy-XXXXXX");
    cr_assert_not_null(mkdtemp(path));
}

static void write_file(const char *path, const void *bytes, size_t length) {
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

Test(runtime_npy, round_trips_of_every_dtype_and_layout) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    RtRandom random = {6};
    char directory[40], path[80];
    make_directory(directory);
    snprintf(path, sizeof path, "%s/x.npy", directory);
    for (int round = 0; round < 100; round++) {
        int32_t dtype = round % RT_DTYPE_COUNT, rank = round % 6;
        int64_t shape[GMXRT_MAX_RANK];
        for (int32_t i = 0; i < rank; i++) {
            shape[i] = rt_random_between(&random, round % 10 == 0 ? 0 : 1, 5);
        }
        RtLayout layout = rt_layout(&random, dtype, rank, shape, round % 3 != 0);
        for (size_t i = 0; i < layout.bytes; i++) {
            layout.memory[i] = (char)(dtype == RT_bool ? rt_random(&random) & 1 : rt_random(&random));
        }
        cr_assert_eq(gmxrt_npy_save(ctx, path, &layout.view, 0), 0, "%s", ctx->error.message);
        gmxrt_tensor *tensor = gmxrt_npy_load(ctx, path, 0);
        cr_assert_not_null(tensor, "%s", ctx->error.message);
        cr_assert_eq(tensor->dtype, dtype);
        cr_assert_eq(tensor->rank, rank);
        gmxrt_view view = gmxrt_view_of(tensor);
        int64_t index[GMXRT_MAX_RANK] = {0};
        if (rt_count(&view) > 0) {
            do {
                cr_assert_arr_eq(rt_element(&view, index), rt_element(&layout.view, index),
                                 (size_t)rt_dtype_info[dtype].bytes);
            } while (rt_next_index(&view, index));
        }
        gmxrt_tensor_release(tensor);
        free(layout.memory);
    }
    unlink(path);
    cr_assert_eq(rmdir(directory), 0, "a temporary file was left behind");
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_npy, the_written_header_is_numpys) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    char directory[40], path[80], bytes[300] = {0};
    make_directory(directory);
    snprintf(path, sizeof path, "%s/x.npy", directory);
    float values[2] = {1, 2};
    gmxrt_view view = {values, RT_f32, 1, {2}, {1}};
    cr_assert_eq(gmxrt_npy_save(ctx, path, &view, 0), 0);
    FILE *file = fopen(path, "rb");
    cr_assert_eq(fread(bytes, 1, sizeof bytes, file), 128 + 8);
    fclose(file);
    cr_assert_arr_eq(bytes, "\x93NUMPY\x01\x00\x76\x00", 10);
    const char *text = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
    cr_assert_arr_eq(bytes + 10, text, strlen(text));
    cr_assert_eq(bytes[127], '\n');
    cr_assert_arr_eq(bytes + 128, values, sizeof values);
    struct stat status;
    stat(path, &status);
    cr_assert_eq(status.st_mode & 0600, 0600);
    unlink(path);
    rmdir(directory);
    gmxrt_ctx_destroy(ctx);
}

/* ---- files that lie ---------------------------------------------------------------------------- */

typedef struct BadFile {
    const char *header; /* put after magic, version and the right length */
    const char *message;
    int32_t code;
    int32_t data_bytes;
} BadFile;

#define HEADER(shape) "{'descr': '<f8', 'fortran_order': False, 'shape': " shape ", }\n"

static const BadFile bad_files[] = {
    {HEADER("(4611686018427387904,)"), "does not fit 64 bits", RT_E0402, 64},
    {HEADER("(99999999999999999999,)"), "`shape` is no tuple", RT_E0402, 64},
    {HEADER("(1099511627776, 1099511627776)"), "does not fit 64 bits", RT_E0402, 64},
    {HEADER("(1000000000000,)"), "needs 8000000000000 bytes of data, it has 64", RT_E0402, 64},
    {HEADER("(9,)"), "needs 72 bytes of data, it has 71", RT_E0402, 71},
    {HEADER("(1,)"), "needs 8 bytes of data, it has 0", RT_E0402, 0},
    {HEADER("(-1,)"), "`shape` is no tuple", RT_E0402, 64},
    {HEADER("(3)"), "`shape` is no tuple", RT_E0402, 64},
    {HEADER("[3]"), "`shape` is no tuple", RT_E0402, 64},
    {HEADER("(3,"), "`shape` is no tuple", RT_E0402, 64},
    {HEADER("(3,,)"), "`shape` is no tuple", RT_E0402, 64},
    {HEADER("(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)"), "more than 16 axes", RT_E0403, 64},
    {"{'descr': '<c32', 'fortran_order': False, 'shape': (1,), }\n", "type `<c32`", RT_E0403, 64},
    {"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n", "type `|O`", RT_E0403, 64},
    {"{'descr': '<U5', 'fortran_order': False, 'shape': (1,), }\n", "type `<U5`", RT_E0403, 64},
    {"{'descr': 'f8', 'fortran_order': False, 'shape': (1,), }\n", "type `f8`", RT_E0403, 64},
    {"{'descr': '|f8', 'fortran_order': False, 'shape': (1,), }\n", "type `|f8`", RT_E0403, 64},
    {"{'descr': '<f\xff\x1b', 'fortran_order': False, 'shape': (1,), }\n", "type `<f??`", RT_E0403, 64},
    {"{'descr': '', 'fortran_order': False, 'shape': (1,), }\n", "type ``", RT_E0403, 64},
    {"{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }\n", "records", RT_E0403, 64},
    {"{'descr': 5, 'fortran_order': False, 'shape': (1,), }\n", "`descr` is no type", RT_E0402, 64},
    {"{'descr': '<f8, 'fortran_order': False, 'shape': (1,), }\n", "type `<f8, `", RT_E0403, 64},
    {"{'descr': '<f8", "`descr` is no type", RT_E0402, 64},
    {"{'descr': '<f8', 'fortran_order': Maybe, 'shape': (1,), }\n", "neither True nor False", RT_E0402, 64},
    {"{'descr': '<f8', 'shape': (1,), }\n", "is missing", RT_E0402, 64},
    {"{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'more': 1}\n", "unknown key", RT_E0402, 64},
    {"{'descr': '<f8', 'fortran_order': False, 'shape': (1,)", "a comma or a closing brace", RT_E0402, 64},
    {"{'descr': '<f8', 'fortran_order': False, 'shape': (1,), } x\n", "something follows", RT_E0402, 64},
    {"{", "a key is missing", RT_E0402, 64},
    {"", "it is no dictionary", RT_E0402, 64},
    {"\xff\xfe garbage", "it is no dictionary", RT_E0402, 64},
};

static void expect_failure(gmxrt_ctx *ctx, const char *path, int32_t code, const char *message) {
    gmxrt_npy_header header;
    gmxrt_memory_statistics before, after;
    gmxrt_memory_get_statistics(ctx, &before);
    cr_assert_eq(gmxrt_npy_probe(ctx, path, &header, 31), 1, "%s", message);
    cr_assert_eq(ctx->error.code, code, "%s: %s", message, ctx->error.message);
    cr_assert_eq(ctx->error.span, 31);
    cr_assert(strstr(ctx->error.message, message), "`%s` lacks `%s`", ctx->error.message, message);
    cr_assert(strstr(ctx->error.message, path), "the file is named");
    gmxrt_ctx_clear(ctx);
    cr_assert_null(gmxrt_npy_load(ctx, path, 31));
    cr_assert_eq(ctx->error.code, code);
    gmxrt_memory_get_statistics(ctx, &after);
    cr_assert_eq(after.allocations, before.allocations, "nothing was allocated for a file that lies");
    gmxrt_ctx_clear(ctx);
}

Test(runtime_npy, headers_that_lie) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    char directory[40], path[80], bytes[1000] = "\x93NUMPY\x01";
    make_directory(directory);
    snprintf(path, sizeof path, "%s/bad.npy", directory);
    for (size_t i = 0; i < sizeof bad_files / sizeof *bad_files; i++) {
        size_t length = strlen(bad_files[i].header);
        bytes[8] = (char)length;
        memcpy(bytes + 10, bad_files[i].header, length);
        memset(bytes + 10 + length, 0, 128);
        write_file(path, bytes, 10 + length + (size_t)bad_files[i].data_bytes);
        expect_failure(ctx, path, bad_files[i].code, bad_files[i].message);
    }
    write_file(path, "", 0);
    expect_failure(ctx, path, RT_E0402, "is empty");
    write_file(path, "\x93NUM", 4);
    expect_failure(ctx, path, RT_E0402, "cut short in its first 10 bytes");
    write_file(path, "\x93NUMPY\x02\x00\x10\x00", 10);
    expect_failure(ctx, path, RT_E0402, "cut short in its first 12 bytes");
    write_file(path, "hello, world", 12);
    expect_failure(ctx, path, RT_E0403, "is not a .npy file");
    write_file(path, "\x93NUMPY\x09\x00\x10\x00\x00\x00", 12);
    expect_failure(ctx, path, RT_E0403, ".npy version 9.0");
    write_file(path, "\x93NUMPY\x01\x00\xff\xff{}", 12);
    expect_failure(ctx, path, RT_E0402, "should have 65535 bytes, 2 are there");
    write_file(path, "\x93NUMPY\x02\x00\xff\xff\xff\xff{}", 14);
    expect_failure(ctx, path, RT_E0402, "should have 4294967295 bytes, 2 are there");
    expect_failure(ctx, directory, RT_E0401, "is not a regular file");
    unlink(path);
    expect_failure(ctx, path, RT_E0401, "cannot be opened: No such file");
    rmdir(directory);
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_npy, every_truncation_of_a_good_file_is_refused) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    char directory[40], path[80], bytes[300];
    make_directory(directory);
    snprintf(path, sizeof path, "%s/cut.npy", directory);
    FILE *file = fopen(TEST_DATA_DIR "/npy/vector.npy", "rb");
    size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t i = 0; i < length; i++) {
        write_file(path, bytes, i);
        expect_failure(ctx, path, RT_E0402, "");
    }
    RtRandom random = {7};
    for (int i = 0; i < 2000; i++) { /* flipped bytes must not crash, whatever they give */
        char damaged[300];
        memcpy(damaged, bytes, length);
        damaged[rt_random_between(&random, 0, (int64_t)length - 1)] = (char)rt_random(&random);
        write_file(path, damaged, length);
        gmxrt_tensor_release(gmxrt_npy_load(ctx, path, 0));
        gmxrt_ctx_clear(ctx);
    }
    unlink(path);
    rmdir(directory);
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_npy, a_save_that_fails_leaves_the_old_file) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    double value = 1;
    gmxrt_view view = {&value, RT_f64, 0, {0}, {0}};
    cr_assert_eq(gmxrt_npy_save(ctx, "/nonexistent/x.npy", &view, 5), 1);
    cr_assert_eq(ctx->error.code, RT_E0401);
    cr_assert(strstr(ctx->error.message, "/nonexistent/x.npy"));
    gmxrt_ctx_clear(ctx);
    cr_assert_eq(gmxrt_npy_save(ctx, "/tmp", &view, 5), 1);
    cr_assert_eq(ctx->error.code, RT_E0401);
    gmxrt_ctx_clear(ctx);
    cr_assert_eq(gmxrt_npy_save(ctx, "/dev/null", &view, 5), 0, "a device is written, not replaced");
    struct stat status;
    cr_assert(stat("/dev/null", &status) == 0 && S_ISCHR(status.st_mode));
    cr_assert_eq(gmxrt_npy_save(ctx, "/dev/full", &view, 5), 1);
    cr_assert(strstr(ctx->error.message, "No space left"));
    gmxrt_ctx_destroy(ctx);
}
