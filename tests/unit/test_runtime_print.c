/* Printed tensors and formatted numbers against what NumPy and Python give, stored under
 * tests/data/print by tests/data/make_print_vectors.py. */
#include "tests/unit/rt_support.h"

#include <criterion/criterion.h>
#include <stdio.h>

#ifndef TEST_DATA_DIR
#define TEST_DATA_DIR "tests/data"
#endif

static char *read_whole(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    fseek(file, 0, SEEK_END);
    *length = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(*length + 1);
    cr_assert_eq(fread(text, 1, *length, file), *length);
    text[*length] = '\0';
    fclose(file);
    return text;
}

static int32_t dtype_named(const char *name) {
    for (int32_t i = 0; i < RT_DTYPE_COUNT; i++) {
        if (strcmp(rt_dtype_info[i].name, name) == 0) {
            return i;
        }
    }
    cr_assert_fail("no dtype %s", name);
    return -1;
}

static const char *read_hex(const char *at, uint8_t *out) {
    unsigned byte;
    for (; *at != '\n' && *at != '\t'; at += 2) {
        cr_assert_eq(sscanf(at, "%2x", &byte), 1);
        *out++ = (uint8_t)byte;
    }
    return at + 1;
}

/* Reads one record's head; returns what follows its line. */
static const char *read_head(const char *at, gmxrt_view *view, size_t *length) {
    char name[16];
    int used, rank;
    cr_assert_eq(sscanf(at, "array %15s %d%n", name, &rank, &used), 2);
    view->dtype = dtype_named(name);
    view->rank = rank;
    for (at += used; rank-- > 0; at += used) {
        long long extent;
        cr_assert_eq(sscanf(at, "%lld%n", &extent, &used), 1);
        view->shape[view->rank - 1 - rank] = extent;
    }
    long long text_length;
    cr_assert_eq(sscanf(at, "%lld%n", &text_length, &used), 1);
    *length = (size_t)text_length;
    return at + used + 1;
}

Test(runtime_print, arrays_as_numpy_prints_them) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    size_t length, text_length, records = 0, wrong = 0;
    char *file = read_whole(TEST_DATA_DIR "/print/arrays.txt", &length);
    for (const char *at = file; at < file + length; records++) {
        gmxrt_view view = {0};
        at = read_head(at, &view, &text_length);
        int64_t stride = 1;
        for (int32_t i = view.rank - 1; i >= 0; i--) {
            view.strides[i] = stride;
            stride *= view.shape[i];
        }
        view.data = malloc((size_t)stride * 16 + 16);
        at = read_hex(at, view.data);
        gmxrt_text text = {0};
        cr_assert_eq(gmxrt_format(ctx, &text, &view, "", 0, 0), 0, "%s", ctx->error.message);
        if (text.length != text_length || memcmp(text.data, at, text_length) != 0) {
            if (++wrong < 12) {
                cr_log_error("%s: got\n%s\nexpected\n%.*s", rt_dtype_info[view.dtype].name, text.data,
                             (int)text_length, at);
            }
        }
        at += text_length + 1;
        gmxrt_text_free(&text);
        free(view.data);
    }
    cr_assert_gt(records, 1000);
    cr_assert_eq(wrong, 0, "%zu of %zu", wrong, records);
    free(file);
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_print, specs_as_python_formats_them) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    size_t length, wrong = 0, records = 0;
    char *file = read_whole(TEST_DATA_DIR "/print/specs.txt", &length);
    for (const char *at = file; at < file + length; records++) {
        char name[16];
        uint8_t element[16];
        int used;
        cr_assert_eq(sscanf(at, "%15[^\t]\t%n", name, &used), 1);
        gmxrt_view view = {.data = element, .dtype = dtype_named(name)};
        at = read_hex(at + used, element);
        const char *spec = at, *spec_end = strchr(at, '\t');
        const char *expected = spec_end + 1, *end = strchr(expected, '\n');
        gmxrt_text text = {0};
        int32_t failed = gmxrt_format(ctx, &text, &view, spec, (size_t)(spec_end - spec), 0);
        bool same = failed ? ctx->error.code == RT_E0201 && expected[0] == '!' && end == expected + 1
                           : text.length == (size_t)(end - expected) && text.length > 0 &&
                                 memcmp(text.data, expected, text.length) == 0;
        if (!same && ++wrong < 20) {
            cr_log_error("%s %.*s: got `%s`, expected `%.*s`", name, (int)(spec_end - spec), spec,
                         failed ? ctx->error.message : text.data, (int)(end - expected), expected);
        }
        gmxrt_ctx_clear(ctx);
        gmxrt_text_free(&text);
        at = end + 1;
    }
    cr_assert_gt(records, 1000);
    cr_assert_eq(wrong, 0, "%zu of %zu", wrong, records);
    free(file);
    gmxrt_ctx_destroy(ctx);
}

static char *formatted(gmxrt_ctx *ctx, gmxrt_view view, const char *spec) {
    static char buffer[2000];
    gmxrt_text text = {0};
    cr_assert_eq(gmxrt_format(ctx, &text, &view, spec, strlen(spec), 0), 0, "%s", ctx->error.message);
    snprintf(buffer, sizeof buffer, "%s", text.data);
    gmxrt_text_free(&text);
    return buffer;
}

Test(runtime_print, views_bf16_and_specs_of_tensors) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    double values[6] = {1, 2.5, 3, 4, 5, 6};
    gmxrt_view transposed = {values, RT_f64, 2, {3, 2}, {1, 3}};
    cr_assert_str_eq(formatted(ctx, transposed, ""), "[[1.  4. ]\n [2.5 5. ]\n [3.  6. ]]");
    gmxrt_view reversed = {values + 5, RT_f64, 1, {6}, {-1}};
    cr_assert_str_eq(formatted(ctx, reversed, ""), "[6.  5.  4.  3.  2.5 1. ]");
    cr_assert_str_eq(formatted(ctx, reversed, ".2f"), "[6.00 5.00 4.00 3.00 2.50 1.00]");
    gmxrt_view repeated = {values, RT_f64, 2, {1 << 20, 1 << 20}, {0, 0}};
    cr_assert(strstr(formatted(ctx, repeated, ""), "[1. 1. 1. ... 1. 1. 1.]\n ..."));
    float tenth = 0.1f;
    gmxrt_view single = {&tenth, RT_f32, 0, {0}, {0}};
    cr_assert_str_eq(formatted(ctx, single, ""), "0.1");
    cr_assert_str_eq(formatted(ctx, single, "6"), "   0.1");
    cr_assert_str_eq(formatted(ctx, single, ".10f"), "0.1000000015");
    uint16_t brain[4] = {gmxrt_f32_to_bf16(0.1f), gmxrt_f32_to_bf16(3.0f), 0x7F7F, 0x0001};
    gmxrt_view bf16 = {brain, RT_bf16, 0, {0}, {0}};
    cr_assert_str_eq(formatted(ctx, bf16, ""), "0.1");
    bf16.data = brain + 2;
    cr_assert_str_eq(formatted(ctx, bf16, ""), "3.39e+38");
    bf16.data = brain + 3;
    cr_assert_str_eq(formatted(ctx, bf16, ""), "9e-41");
    bf16 = (gmxrt_view){brain, RT_bf16, 1, {2}, {1}};
    cr_assert_str_eq(formatted(ctx, bf16, ""), "[0.1 3. ]");
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_print, every_bf16_and_f16_scalar_reads_back_and_is_shortest) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    for (uint32_t bits = 0; bits < 0x7C00; bits += 3) {
        uint16_t half = (uint16_t)bits;
        gmxrt_view view = {&half, RT_f16, 0, {0}, {0}};
        double back = strtod(formatted(ctx, view, ""), NULL);
        cr_assert_eq(gmxrt_f64_to_f16(back), bits);
        view.dtype = RT_bf16;
        back = strtod(formatted(ctx, view, ""), NULL);
        cr_assert_eq(gmxrt_f32_to_bf16((float)back), bits);
    }
    gmxrt_ctx_destroy(ctx);
}

static void collect(void *user, const char *text, size_t length) {
    strncat(user, text, length);
}

Test(runtime_print, templates) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    char written[200] = "";
    ctx->write = collect;
    ctx->user = written;
    double loss = 0.123456;
    int64_t epoch = 7;
    gmxrt_view values[] = {{&epoch, RT_i64, 0, {0}, {0}}, {&loss, RT_f64, 0, {0}, {0}}};
    cr_assert_eq(gmxrt_print(ctx, "epoch \x01\x01\x02\x03 loss \x01\x02\x02.4f\x03 end", 2, values, 0), 0);
    cr_assert_eq(gmxrt_print(ctx, "", 0, NULL, 0), 0);
    cr_assert_str_eq(written, "epoch 7 loss 0.1235 end\n\n");
    cr_assert_eq(gmxrt_print(ctx, "\x01\x05\x02\x03", 2, values, 0), 1);
    cr_assert_eq(ctx->error.code, RT_E0502);
    gmxrt_ctx_clear(ctx);
    cr_assert_eq(gmxrt_print(ctx, "\x01\x02\x02", 2, values, 0), 1);
    gmxrt_ctx_clear(ctx);
    cr_assert_eq(gmxrt_print(ctx, "a \x01\x02\x02q\x03", 2, values, 21), 1);
    cr_assert_eq(ctx->error.code, RT_E0201);
    cr_assert_eq(ctx->error.span, 21);
    cr_assert_str_eq(written, "epoch 7 loss 0.1235 end\n\n", "nothing is written on an error");
    gmxrt_ctx_destroy(ctx);
}
