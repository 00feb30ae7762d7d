/* A call that was made once leaves nothing behind: bytes of the process are counted over a million calls. And
 * what such a call reads is what is there when it is made: globals, the random stream. */
#include "support.h"

#include <malloc.h>

#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void); /* of the sanitizer's run time */
enum { CALLS = 20000 };
#else
enum { CALLS = 200000 }; /* of each of five functions */
#endif

static int64_t allocated_bytes(void) {
#ifdef __SANITIZE_ADDRESS__
    return (int64_t)__sanitizer_get_current_allocated_bytes();
#else
    struct mallinfo2 info = mallinfo2();
    return (int64_t)(info.uordblks + info.hblkhd);
#endif
}

static gmx_tensor *vector(gmx_session *session, int64_t n, double first) {
    gmx_tensor *tensor = NULL;
    CHECK_OK(session, gmx_tensor_new(session, GMX_F64, 1, &n, &tensor));
    for (int64_t i = 0; tensor && i < n; i++)
        ((double *)gmx_tensor_mutable_data(tensor))[i] = first + (double)i;
    return tensor;
}

static double first_of(const gmx_tensor *tensor) {
    return tensor ? *(const double *)gmx_tensor_data(tensor) : NAN;
}

/* One call; the first element of its first result. */
static double call(gmx_session *session, const char *function, gmx_tensor *argument, size_t result_count) {
    gmx_tensor *results[2] = {NULL, NULL};
    CHECK_OK(session, gmx_call(session, function, &argument, 1, results, result_count));
    double first = first_of(results[0]);
    for (size_t i = 0; i < result_count; i++)
        gmx_tensor_release(results[i]);
    return first;
}

static const char program[] = "let k = 2.0\n"
                              "fn scaled(x) = x * k\n"
                              "fn noisy(x) = x + rand(3)\n"
                              "fn same(x) = x\n"
                              "fn with_constant(x) = (x + 1, 7.0)\n"
                              "fn printing(x) { print(x[0])\n x - 1 }\n";

static void test_bytes(void) {
    static const struct {
        const char *name;
        size_t results;
        double wanted; /* NaN: random */
    } functions[] = {
        {"scaled", 1, 10}, {"noisy", 1, NAN}, {"same", 1, 5}, {"with_constant", 2, 6}, {"printing", 1, 4}};
    gmx_session *session = open_session(0);
    CHECK_OK(session, gmx_run_text(session, "program", program, -1));
    gmx_tensor *x = vector(session, 3, 5);
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
        for (int i = 0; i < 100; i++)
            call(session, functions[f].name, x, functions[f].results);
        int64_t before = allocated_bytes(), wrong = 0;
        gmx_statistics first, last;
        gmx_get_statistics(session, &first);
        for (int i = 0; i < CALLS; i++) {
            double value = call(session, functions[f].name, x, functions[f].results);
            wrong += isnan(functions[f].wanted) ? !(value >= 5 && value < 6) : value != functions[f].wanted;
        }
        gmx_get_statistics(session, &last);
        int64_t more = allocated_bytes() - before;
        CHECK(!wrong, "%lld wrong values of `%s`", (long long)wrong, functions[f].name);
        CHECK(more <= 4096, "%lld bytes more after %d calls of `%s`", (long long)more, CALLS,
              functions[f].name);
        CHECK(last.bytes_in_use == first.bytes_in_use, "%lld bytes of tensors more after calls of `%s`",
              (long long)(last.bytes_in_use - first.bytes_in_use), functions[f].name);
        CHECK(last.functions_compiled == first.functions_compiled && last.memory_hits == first.memory_hits,
              "`%s` was compiled again", functions[f].name);
    }
    gmx_tensor_release(x);
    gmx_session_close(session);
}

/* A call that fails while it runs is not compiled again either. */
static void test_failures(void) {
    gmx_session *session = open_session(0);
    CHECK_OK(session, gmx_run_text(session, "program", "fn sum_of(x, y) = x + y[i64(y[0]) - 1:]\n", -1));
    gmx_tensor *x = vector(session, 3, 1), *y = vector(session, 4, 1), *result = NULL;
    int64_t before = 0, wrong = 0;
    for (int i = 0; i < CALLS / 10; i++) {
        wrong += gmx_call(session, "sum_of", (gmx_tensor *[]){x, y}, 2, &result, 1) != GMX_ERROR ||
                 strcmp(gmx_errcode(session), "E0301") != 0;
        if (i == 100)
            before = allocated_bytes();
    }
    int64_t more = allocated_bytes() - before;
    CHECK(!wrong, "%lld calls do not fail so: %s", (long long)wrong, gmx_errmsg(session));
    CHECK(more <= 4096, "%lld bytes more after calls that fail", (long long)more);
    CHECK_OK(session, gmx_call(session, "sum_of", (gmx_tensor *[]){x, x}, 2, &result, 1));
    CHECK(first_of(result) == 2, "%g", first_of(result));
    gmx_tensor_release(result);
    gmx_tensor_release(x);
    gmx_tensor_release(y);
    gmx_session_close(session);
}

static void set_number(gmx_session *session, const char *name, double number) {
    gmx_tensor *tensor = NULL;
    CHECK_OK(session, gmx_tensor_new(session, GMX_F64, 0, NULL, &tensor));
    *(double *)gmx_tensor_mutable_data(tensor) = number;
    CHECK_OK(session, gmx_set(session, name, tensor));
    gmx_tensor_release(tensor);
}

/* A compiled call reads a global as it is now, and other names keep what they had. */
static void test_globals(void) {
    gmx_session *session = open_session(0);
    CHECK_OK(session, gmx_run_text(session, "program", program, -1));
    gmx_tensor *x = vector(session, 3, 5), *other = NULL;
    CHECK(call(session, "scaled", x, 1) == 10, "before");
    set_number(session, "k", 3);
    CHECK(call(session, "scaled", x, 1) == 15, "k was set");
    int64_t before = 0;
    for (int i = 0; i < CALLS / 10; i++) {
        set_number(session, "k", i);
        double found = call(session, "scaled", x, 1);
        CHECK(found == 5.0 * i, "%g, not %g", found, 5.0 * i);
        if (i == 100)
            before = allocated_bytes();
    }
    int64_t more = allocated_bytes() - before;
    CHECK(more <= 4096, "%lld bytes more after a global was set again and again", (long long)more);
    CHECK_OK(session, gmx_run_text(session, "alias", "let j = k\nlet f = fn() = k + 0\n", -1));
    double kept = eval_number(session, "j");
    set_number(session, "k", -1);
    CHECK(eval_number(session, "j") == kept, "`j` changed with `k`");
    CHECK(eval_number(session, "k") == -1 && call(session, "scaled", x, 1) == -5, "`k` did not change");
    gmx_tensor *f32 = NULL;
    CHECK_OK(session, gmx_tensor_new(session, GMX_F32, 0, NULL, &f32));
    *(float *)gmx_tensor_mutable_data(f32) = 4;
    CHECK_OK(session, gmx_set(session, "k", f32)); /* of another dtype */
    CHECK(call(session, "scaled", x, 1) == 20, "another dtype");
    gmx_tensor *bad = x;
    CHECK(gmx_call(session, "scaled", &bad, 1, &other, 0) == GMX_ERROR, "as many values as are asked for");
    gmx_tensor_release(f32);
    gmx_tensor_release(x);
    gmx_session_close(session);
}

/* Calls take the numbers that a script takes in their place. */
static void test_random_stream(void) {
    double wanted[6], found[6];
    for (int pass = 0; pass < 2; pass++) {
        gmx_session *session = open_session(0);
        CHECK_OK(session, gmx_run_text(session, "program", program, -1));
        CHECK_OK(session, gmx_run_text(session, "seed", "seed(4)\n", -1));
        gmx_tensor *x = vector(session, 3, 0);
        for (int i = 0; i < 6; i++) {
            bool is_evaluated = pass == 0 || i == 3;
            (pass ? found : wanted)[i] = is_evaluated ? eval_number(session, "(arange(3.0) + rand(3))[0]")
                                                      : call(session, "noisy", x, 1);
        }
        gmx_tensor_release(x);
        gmx_session_close(session);
    }
    for (int i = 0; i < 6; i++)
        CHECK(found[i] == wanted[i], "draw %d: %.17g, not %.17g", i, found[i], wanted[i]);
}

/* What a variable held before goes back. */
static void test_replaced_values(void) {
    gmx_session *session = open_session(0);
    gmx_statistics before, after;
    CHECK_OK(session, gmx_run_text(session, "begin", "mut m = zeros(100000)\nlet keep = m\n", -1));
    CHECK_OK(session, gmx_run_text(session, "step", "m += 1\n", -1));
    gmx_get_statistics(session, &before);
    for (int i = 0; i < 20; i++)
        CHECK_OK(session, gmx_run_text(session, "step", "m += 1\n", -1));
    gmx_get_statistics(session, &after);
    CHECK(after.bytes_in_use <= before.bytes_in_use + 1000000, "%lld bytes more",
          (long long)(after.bytes_in_use - before.bytes_in_use));
    CHECK(eval_number(session, "m[99999] + keep[7]") == 21, "the values");
    gmx_session_close(session);
}

int main(void) {
    test_bytes();
    test_failures();
    test_globals();
    test_random_stream();
    test_replaced_values();
    return finish();
}
