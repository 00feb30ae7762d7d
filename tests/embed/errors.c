/* Error values: what is wrong comes back as a status, a code and a message, and the session goes on. */
#include "support.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#define UNTOUCHED ((gmx_tensor *)(uintptr_t)0x1234)

static void still_works(gmx_session *session) {
    CHECK(eval_number(session, "1.5 + 2.0") == 3.5, "the session is unusable");
}

static void test_programs(void) {
    gmx_session *session = open_session(0);
    static const struct {
        const char *text, *code, *words;
    } cases[] = {
        {"let x: f32[2] = \"text\"", "E0201", "p.gmx:1:"},
        {"let x = 1.0\nx @ x @", "E0101", "p.gmx:2:"},
        {"let q = unknown_thing + 1", "E0110", "unknown_thing"},
        {"let a = ones((2, 3))\nlet b = ones((4, 5))\nprint(a @ b)", "E0203", "p.gmx:3:"},
        {"let d = load(\"no/such/file.npy\")", "E0401", "no/such/file.npy"},
        {"import \"no/such/file.gmx\"", "E0007", "no/such/file.gmx"},
        {"let m = zeros((3, 3))\nprint(solve(m, ones(3)))", "E0304", "p.gmx:2:"},
        {"let i = arange(5)\nprint(i[i + 3])", "E0302", "p.gmx:2:"},
        {"let z = arange(3) // (arange(3) - 1)", "E0303", "p.gmx:1:"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        gmx_status status = gmx_run_text(session, "p.gmx", cases[c].text, -1);
        CHECK(status == GMX_ERROR, "case %zu gives status %d", c, (int)status);
        CHECK(!strcmp(gmx_errcode(session), cases[c].code), "case %zu: %s\n%s", c, gmx_errcode(session),
              gmx_errmsg(session));
        CHECK(strstr(gmx_errmsg(session), cases[c].words), "case %zu: %s", c, gmx_errmsg(session));
        still_works(session);
        CHECK(!*gmx_errmsg(session) && !*gmx_errcode(session), "an old error stays");
    }
    CHECK(gmx_run_file(session, "no/such/script.gmx") == GMX_ERROR, "a missing script ran");
    CHECK(!strcmp(gmx_errcode(session), "E0007"), "%s", gmx_errmsg(session));
    CHECK(gmx_check_file(session, "no/such/script.gmx") == GMX_ERROR, "a missing script was checked");
    gmx_tensor *x = UNTOUCHED;
    CHECK(gmx_load(session, "no/such/tensor.npy", &x) == GMX_ERROR && x == UNTOUCHED, "a missing tensor");
    CHECK(!strcmp(gmx_errcode(session), "E0401"), "%s", gmx_errmsg(session));
    CHECK(gmx_load(session, "tests/data/files/written.npz", &x) == GMX_ERROR && x == UNTOUCHED,
          "three tensors");
    CHECK(!strcmp(gmx_errcode(session), "E0204"), "%s", gmx_errmsg(session));
    CHECK(gmx_eval(session, "load(\"tests/data/files/written.npz\")", &x) == GMX_ERROR && x == UNTOUCHED,
          "a record as a tensor");
    CHECK(gmx_load(session, "tests/data/files/one.npz", &x) == GMX_OK && gmx_tensor_rank(x) == 2, "%s",
          gmx_errmsg(session));
    CHECK(gmx_save(session, x, "no/such/folder/x.csv") == GMX_ERROR && !strcmp(gmx_errcode(session), "E0401"),
          "%s", gmx_errmsg(session));
    CHECK(gmx_save(session, x, "x.mtx") == GMX_ERROR && !strcmp(gmx_errcode(session), "E0900"), "%s",
          gmx_errmsg(session));
    gmx_tensor_release(x);
    x = UNTOUCHED;
    CHECK(gmx_eval(session, "let y = 1", &x) == GMX_ERROR && x == UNTOUCHED, "a value of a declaration");
    CHECK(gmx_eval(session, "", &x) == GMX_ERROR && x == UNTOUCHED, "a value of nothing");
    CHECK(gmx_get(session, "nothing", &x) == GMX_ERROR && x == UNTOUCHED, "a value of no name");
    CHECK(gmx_get(session, "sum", &x) == GMX_ERROR && x == UNTOUCHED, "a function as a tensor");
    still_works(session);
    gmx_session_close(session);
}

static void test_calls(void) {
    gmx_session *session = open_session(0);
    gmx_tensor *x = NULL, *y = NULL, *result = UNTOUCHED, *two[2] = {UNTOUCHED, UNTOUCHED};
    CHECK_OK(session, gmx_tensor_new(session, GMX_F64, 1, (int64_t[]){3}, &x));
    CHECK_OK(session, gmx_tensor_new(session, GMX_F64, 1, (int64_t[]){4}, &y));
    for (int i = 0; i < 3; i++)
        ((double *)gmx_tensor_mutable_data(x))[i] = i;
    for (int i = 0; i < 4; i++)
        ((double *)gmx_tensor_mutable_data(y))[i] = i;
    CHECK_OK(session, gmx_run_text(session, "f",
                                   "fn f(a, b) = a + b\n"
                                   "fn typed(a: f64[n], b: f64[n]) -> f64[n] = a * b\n"
                                   "fn pick(a) = a[i64(a)]\n"
                                   "fn pair(a) = (a, a * 2.0)\n",
                                   -1));
    for (int round = 0; round < 2; round++) { /* the second time right calls have been compiled */
        const char *functions[] = {"f", "typed"};
        for (int k = 0; k < 2; k++) {
            CHECK(gmx_call(session, functions[k], (gmx_tensor *[]){x, y}, 2, &result, 1) == GMX_ERROR,
                  "%s of [3] and [4] ran", functions[k]);
            CHECK(gmx_errcode(session)[0] == 'E' && strstr(gmx_errmsg(session), "3") &&
                      strstr(gmx_errmsg(session), "4"),
                  "%s: %s", functions[k], gmx_errmsg(session));
            CHECK(result == UNTOUCHED, "out was set");
            gmx_tensor *right = NULL;
            CHECK_OK(session, gmx_call(session, functions[k], (gmx_tensor *[]){x, x}, 2, &right, 1));
            CHECK(right && ((const double *)gmx_tensor_data(right))[2] == 4.0, "%s(x, x)", functions[k]);
            gmx_tensor_release(right);
        }
        CHECK(gmx_call(session, "f", &x, 1, &result, 1) == GMX_ERROR && result == UNTOUCHED, "one argument");
        CHECK(!strcmp(gmx_errcode(session), "E0204"), "%s", gmx_errmsg(session));
        CHECK(gmx_call(session, "f", NULL, 0, &result, 1) == GMX_ERROR && result == UNTOUCHED, "no argument");
        CHECK(gmx_call(session, "f", (gmx_tensor *[]){x, x, x}, 3, &result, 1) == GMX_ERROR,
              "three arguments");
        CHECK(gmx_call(session, "f", (gmx_tensor *[]){x, x}, 2, two, 2) == GMX_ERROR, "two results of one");
        CHECK(gmx_call(session, "pair", &x, 1, &result, 1) == GMX_ERROR && result == UNTOUCHED,
              "one result of two");
        CHECK(two[0] == UNTOUCHED && two[1] == UNTOUCHED, "out was set");
        CHECK(gmx_call1(session, "no_such_function", x, &result) == GMX_ERROR, "no such function");
        CHECK(!strcmp(gmx_errcode(session), "E0110"), "%s", gmx_errmsg(session));
        CHECK(gmx_call(session, "f", (gmx_tensor *[]){x, NULL}, 2, &result, 1) == GMX_MISUSE,
              "a NULL argument");
        gmx_tensor *picked = NULL;
        CHECK_OK(session, gmx_call1(session, "pick", x, &picked));
        gmx_tensor_release(picked);
        ((double *)gmx_tensor_mutable_data(y))[1] = 100;
        CHECK(gmx_call1(session, "pick", y, &result) == GMX_ERROR && result == UNTOUCHED, "an index of 100");
        CHECK(!strcmp(gmx_errcode(session), "E0302"), "%s", gmx_errmsg(session));
        still_works(session);
    }
    gmx_statistics statistics;
    gmx_tensor_release(x);
    gmx_tensor_release(y);
    CHECK_OK(session, gmx_get_statistics(session, &statistics));
    CHECK(statistics.bytes_in_use == 0, "%lld bytes leaked", (long long)statistics.bytes_in_use);
    gmx_session_close(session);
}

static void test_null(void) {
    gmx_session *s = open_session(0);
    gmx_tensor *t = NULL, *out = UNTOUCHED;
    const char *text = NULL;
    CHECK_OK(s, gmx_tensor_new(s, GMX_F64, 0, NULL, &t));
    *(double *)gmx_tensor_mutable_data(t) = 1;
    const gmx_status statuses[] = {
        gmx_session_open(NULL, NULL),
        gmx_run_file(s, NULL),
        gmx_run_text(s, NULL, "1", -1),
        gmx_run_text(s, "n", NULL, -1),
        gmx_show_text(s, "n", NULL, 0),
        gmx_eval(s, NULL, &out),
        gmx_eval(s, "1.0", NULL),
        gmx_check_file(s, NULL),
        gmx_set(s, NULL, t),
        gmx_set(s, "x", NULL),
        gmx_get(s, NULL, &out),
        gmx_get(s, "x", NULL),
        gmx_call(s, NULL, &t, 1, &out, 1),
        gmx_call(s, "abs", NULL, 1, &out, 1),
        gmx_call(s, "abs", &t, 1, NULL, 1),
        gmx_call1(s, "abs", NULL, &out),
        gmx_tensor_new(s, GMX_F64, 0, NULL, NULL),
        gmx_tensor_new(s, GMX_F64, 1, NULL, &out),
        gmx_tensor_wrap(s, &out, GMX_F64, 0, NULL, NULL, NULL, NULL, NULL),
        gmx_load(s, NULL, &out),
        gmx_load(s, "x.npy", NULL),
        gmx_save(s, NULL, "x.npy"),
        gmx_save(s, t, NULL),
        gmx_get_statistics(s, NULL),
        gmx_view_file(s, NULL, GMX_VIEW_IR, &text),
        gmx_view_text(s, NULL, GMX_VIEW_IR, &text),
        gmx_view_text(s, "1", GMX_VIEW_IR, NULL),
        gmx_type_of(s, NULL, &text),
        gmx_help(s, NULL, &text),
        gmx_document_file(s, NULL, &text),
        gmx_format_file(s, NULL, &text),
        gmx_format_text(s, "n", NULL, 0, &text),
        gmx_compile_file(s, NULL, GMX_EMIT_HEADER, "-"),
        gmx_compile_file(s, "x.gmx", GMX_EMIT_HEADER, NULL),
        gmx_run_text(NULL, "n", "1", -1),
        gmx_eval(NULL, "1.0", &out),
        gmx_call(NULL, "abs", &t, 1, &out, 1),
        gmx_tensor_new(NULL, GMX_F64, 0, NULL, &out),
        gmx_get_statistics(NULL, &(gmx_statistics){0}),
        gmx_require_backend(NULL),
    };
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        CHECK(statuses[i] == GMX_MISUSE, "call %zu gives status %d", i, (int)statuses[i]);
    CHECK(out == UNTOUCHED && !text, "out was set");
    CHECK(gmx_eval(s, NULL, &out) == GMX_MISUSE && *gmx_errmsg(s), "no message");
    CHECK(*gmx_errmsg(NULL) && !*gmx_errcode(NULL), "errors of no session");
    gmx_interrupt(NULL);
    gmx_session_close(NULL);
    gmx_tensor_retain(NULL);
    gmx_tensor_release(NULL);
    still_works(s);
    gmx_tensor_release(t);
    gmx_session_close(s);
}

static void test_back_end(void) {
    gmx_options options;
    gmx_session *session = NULL;
    gmx_tensor *out = UNTOUCHED;
    gmx_options_init(&options);
    options.backend = "abacus";
    CHECK(gmx_session_open(&options, &session) == GMX_OK, "the session does not open");
    CHECK(gmx_require_backend(session) == GMX_NO_BACKEND, "there is a back end `abacus`");
    CHECK(!strcmp(gmx_errcode(session), "E0501") && strstr(gmx_errmsg(session), "abacus"), "%s",
          gmx_errmsg(session));
    CHECK(gmx_eval(session, "sum(arange(3.0))", &out) != GMX_OK && out == UNTOUCHED, "it ran");
    gmx_session_close(session);
}

typedef struct Interrupter {
    gmx_session *session;
    int done;
} Interrupter;

/* Again and again: an interrupt that comes before the program runs is forgotten. */
static void *interrupt_until_done(void *argument) {
    Interrupter *interrupter = argument;
    do {
        nanosleep(&(struct timespec){0, 100000000}, NULL);
        gmx_interrupt(interrupter->session);
    } while (!__atomic_load_n(&interrupter->done, __ATOMIC_ACQUIRE));
    return NULL;
}

static void test_interrupt(void) {
    gmx_session *session = open_session(0);
    static const char *const programs[] = {
        "mut x = 0.0\nwhile x > -1.0 { x += 1.0 }\n",
        "mut y = zeros(10)\nfor i in 0..1000000000000 { y += 1.0 }\n",
        "fn f(n) {\n mut s = 0.0\n for i in 0..n { for j in 0..n { s += 1.0 } }\n s\n}\n"
        "let z = f(100000000)\n",
    };
    for (size_t c = 0; c < sizeof programs / sizeof *programs; c++) {
        pthread_t thread;
        Interrupter interrupter = {session, 0};
        if (pthread_create(&thread, NULL, interrupt_until_done, &interrupter)) {
            fprintf(stderr, "no thread\n");
            exit(1);
        }
        struct timespec begin, end;
        clock_gettime(CLOCK_MONOTONIC, &begin);
        alarm(60); /* a loop that does not stop ends the test by a signal */
        gmx_status status = gmx_run_text(session, "loop", programs[c], -1);
        alarm(0);
        clock_gettime(CLOCK_MONOTONIC, &end);
        __atomic_store_n(&interrupter.done, 1, __ATOMIC_RELEASE);
        pthread_join(thread, NULL);
        CHECK(status == GMX_ERROR && !strcmp(gmx_errcode(session), "E0308"), "program %zu: %d %s", c,
              (int)status, gmx_errmsg(session));
        CHECK(strstr(gmx_errmsg(session), "loop:"), "no place: %s", gmx_errmsg(session));
        CHECK(end.tv_sec - begin.tv_sec < 20, "it took %lld s", (long long)(end.tv_sec - begin.tv_sec));
        still_works(session);
    }
    gmx_session_close(session);
}

static void test_memory_cap(void) {
    gmx_session *session = open_session(64 << 20);
    static const char *const programs[] = {
        "let a = randn((10000, 1000), seed=1)\n",
        "let b = zeros((100000, 100000))\nprint(b @ b)\n",
        "let c = concat((ones(3000000), ones(3000000), ones(3000000)))\nprint(c.T @ c)\n",
        "mut d = ones(1000)\nfor i in 0..20 { let e = ones(1000000 * (i + 1))\n d += e[:1000] + e[-1] + "
        "sum(cumsum(e)) }\n",
    };
    for (size_t c = 0; c < sizeof programs / sizeof *programs; c++) {
        gmx_status status = gmx_run_text(session, "large.gmx", programs[c], -1);
        CHECK(status != GMX_OK && !strcmp(gmx_errcode(session), "E0306"), "program %zu: %d %s", c,
              (int)status, gmx_errmsg(session));
        CHECK(strstr(gmx_errmsg(session), "large.gmx:"), "program %zu has no place: %s", c,
              gmx_errmsg(session));
        still_works(session);
    }
    gmx_tensor *x = UNTOUCHED;
    CHECK(gmx_tensor_new(session, GMX_F64, 1, (int64_t[]){10000000}, &x) != GMX_OK && x == UNTOUCHED,
          "80 MB under a cap of 64");
    CHECK(!strcmp(gmx_errcode(session), "E0306"), "%s", gmx_errmsg(session));
    CHECK_OK(session, gmx_tensor_new(session, GMX_F64, 1, (int64_t[]){5000000}, &x));
    gmx_tensor_release(x);
    gmx_session_close(session);
}

int main(void) {
    test_programs();
    test_calls();
    test_null();
    test_back_end();
    test_interrupt();
    test_memory_cap();
    return finish();
}
