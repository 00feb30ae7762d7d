/* The memory that derivatives take, in bytes of tensor memory: what is kept, what is computed again. */
#include "support.h"

/* Bytes in use at most while `program` runs, beyond those in use before. */
static int64_t peak_of(const char *setup, const char *program) {
    gmx_session *session = open_session(0);
    gmx_statistics before, after;
    CHECK_OK(session, gmx_run_text(session, "setup", setup, -1));
    CHECK_OK(session, gmx_get_statistics(session, &before));
    CHECK_OK(session, gmx_run_text(session, "program", program, -1));
    CHECK_OK(session, gmx_get_statistics(session, &after));
    gmx_session_close(session);
    return after.bytes_peak - before.bytes_in_use;
}

static void check_between(double least, double most, const char *setup, const char *program) {
    double bytes = (double)peak_of(setup, program);
    CHECK(bytes >= least && bytes <= most, "%.4g bytes, not %.4g to %.4g, by: %s", bytes, least, most,
          program);
}

/* 90 states of 4 MB do not fit into 256 MiB: 8 segments of 10 trips and a last one keep about 8 + 10. */
static void test_segments(void) {
    const char *setup = "let x = ones(500000)\n";
    check_between(
        170e6, 210e6, setup,
        "fn f(x) { mut y = x; for i in 0..45 { y = sin(y) * 1.01 }\n sum(y) }\nlet g = grad(f)(x)\n");
    check_between(
        70e6, 130e6, setup,
        "fn f(x) { mut y = x; for i in 0..90 { y = sin(y) * 1.01 }\n sum(y) }\nlet g = grad(f)(x)\n");
    /* the same where the number of trips is known only when it runs */
    check_between(70e6, 130e6, setup,
                  "fn f(x, v) { mut y = x; for i in 0..sum(v) { y = sin(y) * 1.01 }\n sum(y) }\n"
                  "let g = grad(f)(x, [40, 50])\n");
    check_between(170e6, 210e6, setup,
                  "fn f(x, v) { mut y = x; for i in 0..sum(v) { y = sin(y) * 1.01 }\n sum(y) }\n"
                  "let g = grad(f)(x, [40, 5])\n");
}

/* What no rule reads is not kept: a sum of terms needs none of its states. */
static void test_sums(void) {
    check_between(0, 30e6, "let x = ones(500000)\n",
                  "fn f(x) { mut y = x; for i in 0..90 { y = y + sin(x) * f64(i) }\n sum(y) }\n"
                  "let g = grad(f)(x)\n");
}

int main(void) {
    test_segments();
    test_sums();
    return finish();
}
