/* Memory of the host as tensors: no copy, released once, any strides, and never written to. */
#include "support.h"

static int releases;

static void count_release(void *owner) {
    *(int *)owner += 1;
}

static gmx_tensor *wrap(gmx_session *session, void *data, gmx_dtype dtype, int rank, const int64_t *shape,
                        const int64_t *strides) {
    gmx_tensor *tensor = NULL;
    releases = 0;
    CHECK_OK(session,
             gmx_tensor_wrap(session, data, dtype, rank, shape, strides, count_release, &releases, &tensor));
    if (!tensor)
        exit(finish());
    CHECK(gmx_tensor_data(tensor) == data, "the data was copied");
    return tensor;
}

/* Binds to a new name, gives up the caller's reference. */
static void bind(gmx_session *session, const char *name, gmx_tensor *tensor) {
    CHECK_OK(session, gmx_set(session, name, tensor));
    gmx_tensor_release(tensor);
    CHECK(releases == 0, "released while `%s` holds it", name);
}

static void test_no_copy(void) {
    gmx_session *session = open_session(0);
    double data[1000];
    for (int i = 0; i < 1000; i++)
        data[i] = i * 0.5;
    bind(session, "x", wrap(session, data, GMX_F64, 1, (int64_t[]){1000}, NULL));
    gmx_tensor *whole = NULL, *part = NULL, *reversed = NULL;
    CHECK_OK(session, gmx_eval(session, "x", &whole));
    CHECK(gmx_tensor_data(whole) == data, "`x` was copied");
    CHECK_OK(session, gmx_eval(session, "x.reshape(200, 5)[2:4].T", &part));
    CHECK(gmx_tensor_data(part) == data + 10, "a view was copied");
    CHECK(gmx_tensor_rank(part) == 2 && gmx_tensor_shape(part)[0] == 5 && gmx_tensor_strides(part)[0] == 1 &&
              gmx_tensor_strides(part)[1] == 5,
          "the view has other strides");
    CHECK_OK(session, gmx_eval(session, "x[::-1]", &reversed));
    CHECK(gmx_tensor_data(reversed) == data + 999 && gmx_tensor_strides(reversed)[0] == -1,
          "the reversed view was copied");
    CHECK(eval_number(session, "sum(x)") == 249750.0, "sum(x)");
    gmx_tensor_release(whole);
    gmx_session_close(session);
    CHECK(releases == 0, "released while views are out");
    CHECK(((const double *)gmx_tensor_data(part))[0] == 5.0, "a view lost its data with the session");
    gmx_tensor_release(part);
    CHECK(releases == 0, "released while a view is out");
    gmx_tensor_release(reversed);
    CHECK(releases == 1, "released %d times", releases);
}

/* Updates of a `mut` go to a copy, however few hold the tensor. */
static void test_never_written(void) {
    gmx_session *session = open_session(0);
    double data[64], before[64];
    for (int i = 0; i < 64; i++)
        data[i] = before[i] = i;
    gmx_tensor *x = wrap(session, data, GMX_F64, 1, (int64_t[]){64}, NULL), *result = NULL;
    CHECK_OK(session, gmx_run_text(session, "f",
                                   "fn f(x) {\n mut y = x\n y += 98.0\n y\n}\n"
                                   "fn g(x) {\n mut y = x\n for i in 0..3 { y *= 2.0 }\n y\n}\n",
                                   -1));
    CHECK_OK(session, gmx_call1(session, "f", x, &result));
    CHECK(result && ((const double *)gmx_tensor_data(result))[3] == 101.0, "f(x)[3]");
    gmx_tensor_release(result);
    CHECK_OK(session, gmx_call1(session, "g", x, &result));
    CHECK(result && ((const double *)gmx_tensor_data(result))[9] == 72.0, "g(x)[9]");
    gmx_tensor_release(result);
    bind(session, "x", x);
    CHECK_OK(session,
             gmx_run_text(session, "update", "mut y = x\nfor i in 0..2 { y += 1.0 }\ny *= -2.0\n", -1));
    CHECK(eval_number(session, "sum(y[5:6])") == -14.0 && eval_number(session, "sum(x[5:6])") == 5.0,
          "y[5], x[5]");
    CHECK(memcmp(data, before, sizeof data) == 0, "the host's memory was written to");
    gmx_session_close(session);
    CHECK(releases == 1, "released %d times", releases);
}

static double call_number(gmx_session *session, const char *function, gmx_tensor *x) {
    gmx_tensor *y = NULL;
    CHECK_OK(session, gmx_call1(session, function, x, &y));
    double number = y ? *(const double *)gmx_tensor_data(y) : NAN;
    gmx_tensor_release(y);
    gmx_tensor_release(x);
    CHECK(releases == 1, "%s: released %d times", function, releases);
    return number;
}

static void test_strides(void) {
    gmx_session *session = open_session(0);
    double data[60];
    for (int i = 0; i < 60; i++)
        data[i] = i;
    CHECK_OK(session, gmx_run_text(session, "weigh",
                                   "fn weigh(x) {\n let w = arange(f64(x.size)).reshape(x.shape)\n"
                                   " sum(w * x + 0.5)\n}\n"
                                   "fn plain(x) = sum(x) + 0.25\n",
                                   -1));
    /* x[i, j] = data[offset + i a + j b]: sum of (4i + j) x + 0.5 over a 5 x 4 tensor */
    const int64_t cases[][3] = {{0, 4, 1},   {0, 1, 5}, {0, 12, 3}, {19, -4, -1}, {3, 4, -1},
                                {16, -4, 1}, {7, 0, 1}, {7, 4, 0},  {7, 0, 0}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        double expected = 0, total = 0.25;
        for (int64_t i = 0; i < 5; i++)
            for (int64_t j = 0; j < 4; j++) {
                double value = data[cases[c][0] + i * cases[c][1] + j * cases[c][2]];
                expected += (double)(4 * i + j) * value + 0.5;
                total += value;
            }
        for (int k = 0; k < 2; k++) {
            gmx_tensor *x = wrap(session, data + cases[c][0], GMX_F64, 2, (int64_t[]){5, 4}, cases[c] + 1);
            double value = call_number(session, k ? "plain" : "weigh", x);
            CHECK(value == (k ? total : expected), "strides %lld %lld: %g, not %g", (long long)cases[c][1],
                  (long long)cases[c][2], value, k ? total : expected);
        }
    }
    gmx_tensor *left = wrap(session, data + 19, GMX_F64, 2, (int64_t[]){5, 4}, (int64_t[]){-4, -1});
    bind(session, "left", left);
    double product = 0; /* sum of left.T @ left */
    for (int k = 0; k < 5; k++)
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 4; j++)
                product += data[19 - 4 * k - i] * data[19 - 4 * k - j];
    CHECK(eval_number(session, "sum(left.T @ left)") == product, "a product of negative strides");
    gmx_session_close(session);
}

static void test_zero_size(void) {
    gmx_session *session = open_session(0);
    const int64_t shapes[][2] = {{0, 3}, {3, 0}, {0, 0}, {0, INT64_MAX / 8}};
    CHECK_OK(session, gmx_run_text(session, "zero", "fn f(x) = sum(x) + 1.0\n", -1));
    for (size_t c = 0; c < sizeof shapes / sizeof *shapes; c++) {
        gmx_tensor *x = wrap(session, NULL, GMX_F64, 2, shapes[c], NULL);
        CHECK(gmx_tensor_size(x) == 0, "the size of nothing");
        CHECK(call_number(session, "f", x) == 1.0, "the sum of nothing");
    }
    gmx_session_close(session);
}

/* Any address that suits the elements will do; others are refused and stay the host's. */
static void test_alignment(void) {
    gmx_session *session = open_session(0);
    _Alignas(64) char memory[8 * 300 + 64];
    CHECK_OK(session, gmx_run_text(session, "align", "fn f(x) = sum(f64(x * 2 + 1))\n", -1));
    for (int offset = 8; offset < 64; offset += 8) {
        double *data = (double *)(memory + offset);
        for (int i = 0; i < 300; i++)
            data[i] = i;
        gmx_tensor *x = wrap(session, data, GMX_F64, 1, (int64_t[]){300}, NULL);
        CHECK(call_number(session, "f", x) == 90000.0, "f64 at offset %d", offset);
    }
    for (int offset = 4; offset < 64; offset += 12) {
        float *data = (float *)(memory + offset);
        for (int i = 0; i < 300; i++)
            data[i] = (float)i;
        gmx_tensor *x = wrap(session, data, GMX_F32, 1, (int64_t[]){300}, NULL);
        CHECK(call_number(session, "f", x) == 90000.0, "f32 at offset %d", offset);
    }
    for (int offset = 1; offset < 8; offset++) {
        uint8_t *data = (uint8_t *)(memory + offset);
        for (int i = 0; i < 100; i++)
            data[i] = (uint8_t)i;
        gmx_tensor *x = wrap(session, data, GMX_U8, 1, (int64_t[]){100}, NULL);
        CHECK(call_number(session, "f", x) == 10000.0, "u8 at offset %d", offset);
        gmx_tensor *wrong = NULL;
        releases = 0;
        CHECK(gmx_tensor_wrap(session, memory + offset, GMX_F64, 1, (int64_t[]){4}, NULL, count_release,
                              &releases, &wrong) == GMX_MISUSE,
              "f64 at offset %d was taken", offset);
        CHECK(!wrong && releases == 0 && strstr(gmx_errmsg(session), "aligned"), "after a refusal: %s",
              gmx_errmsg(session));
    }
    gmx_session_close(session);
}

static void test_refused(void) {
    gmx_session *session = open_session(0);
    double data[4] = {0};
    gmx_tensor *x = NULL;
    struct {
        void *data;
        int dtype, rank;
        int64_t shape[2], strides[2];
    } cases[] = {
        {NULL, GMX_F64, 1, {4}, {1}},
        {data, GMX_F64, 1, {-4}, {1}},
        {data, GMX_F64, -1, {4}, {1}},
        {data, GMX_F64, GMX_MAX_RANK + 1, {4}, {1}},
        {data, 99, 1, {4}, {1}},
        {data, -1, 1, {4}, {1}},
        {data, GMX_F64, 2, {INT64_MAX, INT64_MAX}, {1, 1}},
        {data, GMX_F64, 2, {4, 4}, {INT64_MAX, INT64_MAX}},
        {data, GMX_F64, 1, {4}, {INT64_MIN}},
        {data, GMX_F64, 1, {INT64_MAX}, {1}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        releases = 0;
        CHECK(gmx_tensor_wrap(session, cases[c].data, (gmx_dtype)cases[c].dtype, cases[c].rank,
                              cases[c].shape, cases[c].strides, count_release, &releases, &x) == GMX_MISUSE,
              "case %zu was taken", c);
        CHECK(!x && releases == 0 && *gmx_errmsg(session), "case %zu left something", c);
    }
    CHECK(gmx_tensor_new(session, GMX_F64, 2, (int64_t[]){INT64_MAX, 8}, &x) == GMX_MISUSE, "too large");
    CHECK(gmx_tensor_wrap(session, data, GMX_F64, 0, NULL, NULL, NULL, NULL, &x) == GMX_OK, "a scalar");
    gmx_tensor_release(x);
    gmx_session_close(session);
}

int main(void) {
    test_no_copy();
    test_never_written();
    test_strides();
    test_zero_size();
    test_alignment();
    test_refused();
    return finish();
}
