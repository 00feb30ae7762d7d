/* Memory that cannot be had from the system: an error value, and the session goes on when there is some
 * again. LLVM itself ends the process when it gets none, so its part is done before memory gets short. */
#include "support.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

static rlim_t bytes_in_use(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld", &pages) != 1)
        exit(2);
    fclose(file);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static void limit_memory(rlim_t more) {
    struct rlimit limit;
    getrlimit(RLIMIT_AS, &limit);
    malloc_trim(0);
    limit.rlim_cur = more == RLIM_INFINITY ? limit.rlim_max : bytes_in_use() + more;
    if (setrlimit(RLIMIT_AS, &limit))
        exit(2);
}

static void check_no_memory(gmx_session *session, gmx_status status, const char *what) {
    CHECK(status != GMX_OK && !strcmp(gmx_errcode(session), "E0306"), "%s: status %d, %s", what, (int)status,
          gmx_errmsg(session));
    CHECK(strstr(gmx_errmsg(session), "E0306"), "%s: %s", what, gmx_errmsg(session));
}

static const char *const statement = "fn f%06d(x: f64[n]) -> f64 = sum(tanh(x) * 2.0) + %d.0\n";

/* A program of so many functions, to be freed. */
static char *make_program(int functions) {
    char *text = malloc((size_t)functions * 100 + 1), *at = text;
    for (int i = 0; text && i < functions; i++)
        at += sprintf(at, statement, i, i);
    return text;
}

static void test_large_values(gmx_session *session, gmx_tensor *x) {
    gmx_tensor *y = NULL, *z = NULL;
    int64_t few = 40; /* compiled at another size, so that nothing large has been pooled */
    gmx_tensor *small = NULL;
    CHECK_OK(session, gmx_tensor_wrap(session, gmx_tensor_mutable_data(x), GMX_F64, 1, &few, NULL, NULL, NULL,
                                      &small));
    CHECK_OK(session, gmx_call1(session, "grow", small, &y));
    gmx_tensor_release(y);
    gmx_tensor_release(small);
    y = NULL;
    limit_memory(64 << 20);
    check_no_memory(session, gmx_call1(session, "grow", x, &y), "a call");
    check_no_memory(session, gmx_tensor_new(session, GMX_F64, 1, (int64_t[]){1 << 26}, &z), "a tensor");
    CHECK(!y && !z, "out was set");
    limit_memory(RLIM_INFINITY);
    CHECK_OK(session, gmx_call1(session, "grow", x, &y));
    gmx_tensor_release(y);
}

/* The front end at every limit: it works or says that it has no memory, and works again afterwards. */
static void test_every_limit(void) {
    char *text = make_program(4000);
    const char *tree;
    int refused = 0, done = 0;
    for (rlim_t more = 0; more < (24 << 20); more += 768 << 10) {
        gmx_session *session = open_session(0);
        limit_memory(more);
        gmx_status status = gmx_view_text(session, text, GMX_VIEW_AST, &tree);
        if (status == GMX_OK)
            done++;
        else
            check_no_memory(session, status, "the tree");
        refused += status != GMX_OK;
        gmx_session *second = NULL;
        if (gmx_session_open(NULL, &second) != GMX_OK)
            CHECK(!second, "half a session");
        gmx_session_close(second);
        limit_memory(RLIM_INFINITY);
        CHECK_OK(session, gmx_view_text(session, text, GMX_VIEW_AST, &tree));
        CHECK(strstr(tree, "f003999"), "the tree is not whole");
        CHECK(!*gmx_errcode(session), "an old error stays");
        gmx_session_close(session);
    }
    CHECK(refused > 2 && done > 2, "%d limits were too small, %d were not", refused, done);
    free(text);
}

static void test_large_program(gmx_session *session) {
    char *text = make_program(100000);
    limit_memory(4 << 20);
    check_no_memory(session, gmx_run_text(session, "large", text, -1), "a large program");
    limit_memory(RLIM_INFINITY);
    free(text);
    CHECK(eval_number(session, "1.5 + 2.0") == 3.5, "the session is unusable");
    CHECK_OK(session, gmx_run_text(session, "small", "fn after(x) = x + 1.0\nlet after_it = after(2.0)", -1));
    CHECK(eval_number(session, "after_it") == 3.0, "the session is unusable");
}

int main(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 0; /* the sanitizer's own memory counts and cannot be limited */
#endif
    gmx_session *session = open_session(0);
    gmx_tensor *x = NULL;
    gmx_set_threads(1);
    CHECK_OK(session, gmx_tensor_new(session, GMX_F64, 1, (int64_t[]){4000}, &x));
    memset(gmx_tensor_mutable_data(x), 0, 4000 * sizeof(double));
    CHECK_OK(session, gmx_run_text(session, "grow", "fn grow(x) = x[:, None] + x", -1));
    test_large_values(session, x);
    test_large_program(session);
    gmx_tensor_release(x);
    gmx_session_close(session);
    test_every_limit();
    return finish();
}
