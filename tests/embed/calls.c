/* Calls of functions: one compilation for any number of sizes, right values, tensors that outlive it all. */
#include "support.h"

static double number_at(const gmx_tensor *tensor, int64_t i) {
    return ((const double *)gmx_tensor_data(tensor))[i];
}

static gmx_tensor *ramp(gmx_session *session, int rank, const int64_t *shape) {
    gmx_tensor *tensor = NULL;
    CHECK_OK(session, gmx_tensor_new(session, GMX_F64, rank, shape, &tensor));
    if (!tensor)
        exit(finish());
    double *data = gmx_tensor_mutable_data(tensor);
    for (int64_t i = 0; i < gmx_tensor_size(tensor); i++)
        data[i] = (double)i * 0.01;
    return tensor;
}

static gmx_statistics statistics(gmx_session *session) {
    gmx_statistics out = {0};
    CHECK_OK(session, gmx_get_statistics(session, &out));
    return out;
}

static void call_at(gmx_session *session, int64_t n) {
    gmx_tensor *x = ramp(session, 1, &n), *results[2] = {NULL, NULL};
    CHECK_OK(session, gmx_call(session, "f", (gmx_tensor *[]){x, x}, 2, results, 2));
    if (!results[0] || !results[1])
        exit(finish());
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += tanh((double)i * 0.01);
    CHECK(fabs(number_at(results[0], 0) - sum) <= 1e-12 * (1 + sum), "size %lld: %.17g, not %.17g",
          (long long)n, number_at(results[0], 0), sum);
    CHECK(gmx_tensor_rank(results[1]) == 1 && gmx_tensor_shape(results[1])[0] == n, "size %lld: the shape",
          (long long)n);
    for (int64_t i = 0; i < n; i++)
        CHECK(number_at(results[1], i) == (double)i * 0.01 * 3.0 + (double)i * 0.01,
              "size %lld: element %lld", (long long)n, (long long)i);
    gmx_tensor_release(x);
    gmx_tensor_release(results[0]);
    gmx_tensor_release(results[1]);
}

/* Sizes that only the call tells, and sizes written in a script. */
static void test_hundred_sizes(void) {
    gmx_session *session = open_session(0);
    CHECK_OK(session, gmx_run_text(session, "f", "fn f(x, y) = (sum(tanh(x)), x * 3.0 + y)\n", -1));
    CHECK(statistics(session).functions_compiled == 0, "compiled before it was called");
    call_at(session, 17);
    gmx_statistics first = statistics(session);
    CHECK(first.functions_compiled == 1 && first.kernels_compiled >= 1, "%llu functions, %llu kernels",
          (unsigned long long)first.functions_compiled, (unsigned long long)first.kernels_compiled);
    for (int64_t n = 2; n < 102; n++)
        call_at(session, n * n % 997 + 2);
    call_at(session, 0);
    gmx_statistics last = statistics(session);
    CHECK(last.functions_compiled == 1 && last.kernels_compiled == first.kernels_compiled,
          "%llu functions, %llu kernels after 100 sizes", (unsigned long long)last.functions_compiled,
          (unsigned long long)last.kernels_compiled);
    CHECK(last.bytes_in_use == 0, "%lld bytes are still in use", (long long)last.bytes_in_use);
    gmx_session_close(session);

    session = open_session(0);
    CHECK_OK(session, gmx_run_text(session, "g", "fn g(x) = sum(x * x)\n", -1));
    uint64_t compiled = 0;
    for (int64_t n = 2; n < 102; n++) {
        char text[80];
        snprintf(text, sizeof text, "g(arange(%lld.0))", (long long)n);
        double value = eval_number(session, text), m = (double)n - 1;
        CHECK(value == m * (m + 1) * (2 * m + 1) / 6, "%s gives %g", text, value);
        if (n == 2)
            compiled = statistics(session).functions_compiled;
    }
    CHECK(statistics(session).functions_compiled == compiled, "%llu functions for 100 sizes in scripts",
          (unsigned long long)statistics(session).functions_compiled);
    gmx_session_close(session);
}

/* What distinguishes code: dtype, rank, layout, an extent of 1 -- and a global that the function reads. */
static void test_other_arguments(void) {
    gmx_session *session = open_session(0);
    CHECK_OK(session,
             gmx_run_text(session, "h", "let scale = 2.0 * [1.0, 1.0]\nfn h(x) = sum(x * scale)\n", -1));
    const int64_t shapes[][2] = {{3, 2}, {5, 2}, {1, 2}, {4, 1}, {2, 2}, {1, 1}};
    for (int round = 0; round < 2; round++)
        for (size_t c = 0; c < sizeof shapes / sizeof *shapes; c++) {
            gmx_tensor *x = ramp(session, 2, shapes[c]), *y = NULL;
            CHECK_OK(session, gmx_call1(session, "h", x, &y));
            int64_t size = shapes[c][0] * shapes[c][1];
            double sum = 0.01 * (double)(size * (size - 1) / 2) * (shapes[c][1] == 1 ? 4 : 2);
            CHECK(y && fabs(number_at(y, 0) - sum) < 1e-12, "shape %lld, %lld", (long long)shapes[c][0],
                  (long long)shapes[c][1]);
            gmx_tensor_release(x);
            gmx_tensor_release(y);
        }
    gmx_tensor *x = ramp(session, 2, (int64_t[]){2, 3}), *y = NULL;
    CHECK(gmx_call1(session, "h", x, &y) == GMX_ERROR && !y, "[2, 3] * [2] ran");
    gmx_tensor_release(x);
    x = ramp(session, 2, (int64_t[]){7, 2});
    CHECK_OK(session, gmx_call1(session, "h", x, &y));
    gmx_tensor_release(x);
    gmx_tensor_release(y);
    gmx_session_close(session);
}

static void test_tensors_outlive(void) {
    gmx_session *session = open_session(0);
    gmx_tensor *global = NULL, *value = NULL, *view = NULL, *own = ramp(session, 1, (int64_t[]){100});
    CHECK_OK(session, gmx_run_text(session, "let", "let x = arange(1000.0)\nlet c = 1.5\n", -1));
    CHECK_OK(session, gmx_get(session, "x", &global));
    CHECK_OK(session, gmx_get(session, "c", &value));
    CHECK_OK(session, gmx_eval(session, "x[900:]", &view));
    gmx_tensor_retain(own);
    gmx_session_close(session);
    CHECK(number_at(global, 999) == 999.0 && number_at(value, 0) == 1.5 && number_at(view, 1) == 901.0 &&
              number_at(own, 99) == 0.99,
          "values changed with the session");
    gmx_tensor_release(global);
    CHECK(number_at(view, 99) == 999.0, "a view changed with its tensor");
    gmx_tensor_release(view);
    gmx_tensor_release(value);
    gmx_tensor_release(own);
    gmx_tensor_release(own);
}

/* Tensors may go from one session to another. */
static void test_between_sessions(void) {
    gmx_session *one = open_session(0), *two = open_session(0);
    gmx_tensor *x = ramp(one, 1, (int64_t[]){50}), *y = NULL;
    CHECK_OK(two, gmx_set(two, "x", x));
    gmx_tensor_release(x);
    gmx_session_close(one);
    CHECK_OK(two, gmx_eval(two, "x * 2.0", &y));
    gmx_session_close(two);
    CHECK(y && number_at(y, 49) == 0.98, "x * 2.0");
    gmx_tensor_release(y);
}

/* The figures are those of each call's own sizes, and sizes share measured code too. */
static void test_profile(void) {
    gmx_options options;
    gmx_session *session = NULL;
    const char *text = NULL;
    gmx_options_init(&options);
    options.cache_directory = "";
    options.profile = 1;
    CHECK(gmx_session_open(&options, &session) == GMX_OK, "no session");
    CHECK_OK(session, gmx_run_text(session, "f", "fn f(x) = exp(x * 2.0) + 1.0\n", -1));
    double flops = 0;
    for (int64_t n = 100000; n <= 1000000; n += 100000) {
        gmx_tensor *x = ramp(session, 1, &n), *y = NULL;
        CHECK_OK(session, gmx_call1(session, "f", x, &y));
        gmx_tensor_release(x);
        gmx_tensor_release(y);
        flops += 3 * (double)n;
    }
    CHECK(statistics(session).functions_compiled == 1, "compiled for each size");
    CHECK_OK(session, gmx_profile(session, GMX_PROFILE_TABLE, &text));
    const char *row = text ? strchr(text, '\n') : NULL; /* behind the titles */
    int calls = 0;
    double milliseconds = 0, share = 0, rate = 0;
    CHECK(row && sscanf(row + 1, "%*s %*s %d %lf %lf%% %lf", &calls, &milliseconds, &share, &rate) == 4,
          "no row in %s", text);
    CHECK(calls == 10 && share == 100, "%d calls, %g %%", calls, share);
    CHECK(fabs(rate * milliseconds * 1e6 - flops) <= 0.02 * flops, "%g operations, not %g",
          rate * milliseconds * 1e6, flops);
    CHECK(gmx_profile(session, GMX_PROFILE_TABLE, NULL) == GMX_MISUSE, "no place for the text");
    gmx_session_close(session);
    session = open_session(0);
    CHECK(gmx_profile(session, GMX_PROFILE_TABLE, &text) == GMX_MISUSE, "nothing was measured");
    gmx_session_close(session);
}

int main(void) {
    test_profile();
    test_hundred_sizes();
    test_other_arguments();
    test_tensors_outlive();
    test_between_sessions();
    return finish();
}
