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

/* The number behind the last row `with results` of what `explain` says: bytes alive at once. */
static double explained_peak(const char *setup, const char *program) {
    gmx_session *session = open_session(0);
    const char *text = "", *row = NULL;
    CHECK_OK(session, gmx_run_text(session, "setup", setup, -1));
    CHECK_OK(session, gmx_view_text(session, program, GMX_VIEW_EXPLAIN, &text));
    for (const char *at = text; (at = strstr(at, "with results")); at++)
        row = at;
    double bytes = row ? strtod(row + strlen("with results"), NULL) : -1;
    gmx_session_close(session);
    return bytes;
}

/* What `explain` says is what is measured, within a tenth; gives the measured bytes. */
static double check_explained(const char *setup, const char *program) {
    double measured = (double)peak_of(setup, program), explained = explained_peak(setup, program);
    CHECK(fabs(measured - explained) <= 0.1 * measured, "%.4g bytes explained, %.4g measured: %s", explained,
          measured, program);
    return measured;
}

static void test_explained(void) {
    const char *mlp = "let x = randn(256, 784, seed=1)\nlet y = randn(256, 10, seed=2)\n"
                      "let w1 = randn(784, 512, seed=3)\nlet b1 = zeros(512)\n"
                      "let w2 = randn(512, 10, seed=4)\nlet b2 = zeros(10)\n";
    check_explained(mlp, "fn loss(w1, b1, w2, b2) = mean((tanh(x @ w1 + b1) @ w2 + b2 - y) ^ 2)\n"
                         "let g = grad(loss, wrt=[\"w1\", \"b1\", \"w2\", \"b2\"])(w1, b1, w2, b2)\n");
    check_explained(mlp, "fn loss(w1, b1, w2, b2) = -mean(log_softmax(relu(x @ w1 + b1) @ w2 + b2) * y)\n"
                         "let (g1, g2, g3, g4) = grad(loss, wrt=[\"w1\", \"b1\", \"w2\", \"b2\"])(w1, b1, "
                         "w2, b2)\nlet v1 = w1 - 0.1 * g1\nlet v2 = w2 - 0.1 * g3\n");
    check_explained("let x = ones(500000)\n",
                    "fn f(x) { mut y = x; for i in 0..90 { y = sin(y) * 1.01 }\n sum(y) }\n"
                    "let g = grad(f)(x)\n");
    check_explained("let x = ones(500000)\n",
                    "fn f(x) { mut y = x; for i in 0..45 { y = sin(y) * 1.01 }\n"
                    " for i in 0..10 { y = y * y * 0.9 }\n sum(y) }\nlet g = grad(f)(x)\n");
}

/* 64 layers of 256 KB each in groups of 8: the backward sweep keeps one value per group, and those of the
 * group that it computes again. */
static void test_checkpoint(void) {
    /* made without large temporaries: the peak is the session's */
    const char *setup = "let x = f32(randn(256, 256, seed=1))\nlet v = f32(randn(256, 256, seed=2))\n"
                        "let w = (f32(arange(64.0)) * f32(0.001) + f32(0.05))[:, None, None] * v\n";
    const char *form = "fn group%d(h, w) {\n mut y = h\n"
                       " for i in (0, 1, 2, 3, 4, 5, 6, 7) { y = tanh(y @ w[i]) }\n y }\n"
                       "fn loss%d(w) {\n mut h = x\n for i in (0, 1, 2, 3, 4, 5, 6, 7) {\n"
                       "h = %s(h, w[8 * i:8 * i + 8]) }\n sum(h * h) }\nlet g%d = grad(loss%d)(w)\n";
    char kept[1024], again[1024];
    snprintf(kept, sizeof kept, form, 1, 1, "group1", 1, 1);
    snprintf(again, sizeof again, form, 2, 2, "checkpoint(group2)", 2, 2);
    double layer = 256 * 256 * 4, all = check_explained(setup, kept), less = check_explained(setup, again);
    double gradient = 64 * layer;
    CHECK(all >= gradient + 64 * layer, "%.4g bytes keep less than all layers", all);
    CHECK(less <= gradient + 26 * layer, "%.4g bytes with `checkpoint`, %.4g without", less, all);
    /* and the same bits */
    gmx_session *session = open_session(0);
    CHECK_OK(session, gmx_run_text(session, "setup", setup, -1));
    CHECK_OK(session, gmx_run_text(session, "kept", kept, -1));
    CHECK_OK(session, gmx_run_text(session, "again", again, -1));
    CHECK(eval_number(session, "f64(i64(all(g1 == g2)))") == 1, "other gradients");
    gmx_session_close(session);
}

int main(void) {
    test_segments();
    test_sums();
    test_explained();
    test_checkpoint();
    return finish();
}
