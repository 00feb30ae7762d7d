/* Updates in place and views, counted in bytes of tensor memory: what nobody else holds is not copied. */
#include "support.h"

enum { SIZE = 1000000 }; /* of the tensor that programs update, in bytes */

/* Bytes that `program` asks for; its tensor of 1 MB is made by `setup`. */
static int64_t bytes_of(const char *setup, const char *program) {
    gmx_session *session = open_session(0);
    gmx_statistics before, after;
    CHECK_OK(session, gmx_run_text(session, "setup", setup, -1));
    CHECK_OK(session, gmx_get_statistics(session, &before));
    CHECK_OK(session, gmx_run_text(session, "program", program, -1));
    CHECK_OK(session, gmx_get_statistics(session, &after));
    gmx_session_close(session);
    return after.bytes_allocated - before.bytes_allocated;
}

static void check_at_most(const char *setup, const char *program, double copies) {
    int64_t bytes = bytes_of(setup, program);
    CHECK(bytes <= (int64_t)(copies * SIZE * 1.3), "%lld bytes by: %s", (long long)bytes, program);
}

/* Each loop may copy the tensor once, when it starts: the caller holds it too. */
static void test_loops(void) {
    const char *vector = "let x0 = zeros(125000)\n", *matrix = "let x0 = zeros(250, 500)\n";
    check_at_most(vector,
                  "fn fill(x0) { mut x = x0; for i in 0..1000 { x[i] = 2.0 * i }\n x }\n"
                  "if sum(fill(x0)) != 999000 { print(zeros(3)[x0.size]) }\n",
                  1);
    check_at_most(
        vector, "fn f(x0) { mut x = x0; for i in 1..1000 { x[i] += x[i - 1] + 1 }\n x }\nlet r = f(x0)\n", 1);
    check_at_most(
        vector,
        "fn f(x0) { mut x = x0; for i in 1..1000 { if i % 3 == 0 { x[i] = 1 } }\n x }\nlet r = f(x0)\n", 1);
    check_at_most(vector,
                  "fn f(x0) { mut x = x0; for i in 1..100 { if i % 3 == 0 { x[i:i + 3] += 1 } else { x[i] = "
                  "2 } }\n x }\n"
                  "let r = f(x0)\n",
                  1.1);
    check_at_most(vector,
                  "fn f(x0) { mut x = x0; mut i = 0; while x[i] < 1 and i < 1000 { x[i] = 2; i += 1 }\n x "
                  "}\nlet r = f(x0)\n",
                  1);
    check_at_most(matrix,
                  "fn f(x0) { mut x = x0; for i in 0..200 { x[i] = x0[0] + i }\n x }\nlet r = f(x0)\n", 1);
    check_at_most(
        matrix, "fn f(x0) { mut x = x0; for i in 0..200 { x[i][i] = 1; x[:, i] *= 2 }\n x }\nlet r = f(x0)\n",
        1);
    check_at_most(matrix,
                  "fn f(x0) { mut x = x0; for i in 0..100 { for j in 0..100 { x[i, j] = i * j } }\n x }\nlet "
                  "r = f(x0)\n",
                  1);
    /* rows swapped: one row is kept aside each time (4 kB of 1 MB) */
    check_at_most(
        matrix,
        "fn f(x0) { mut x = x0; for i in 0..100 { let row = x[i]; x[i] = x[i + 1]; x[i + 1] = row }\n x }\n"
        "let r = f(x0)\n",
        1 + 2 * 0.4);
    check_at_most(
        matrix,
        "fn f(x0) { mut x = x0; for i in 0..100 { let d = x[i] - x[i + 1]; x[i] -= d; x[i + 1] += d }\n x }\n"
        "let r = f(x0)\n",
        1 + 2 * 0.4);
    check_at_most(
        vector, "fn f(x0) { mut x = x0; for i in 0..100 { x[[i, i + 1]] += 1 }\n x }\nlet r = f(x0)\n", 1.1);
    check_at_most(
        "let x0 = zeros(2, 2)\n",
        "mut x = zeros(125000)\nfor i in 0..100 { x[i] = 1 }\nx[3:] = 2\nx[::2] += 1\nlet r = sum(x)\n", 2);
}

/* Tensors that 5,000 updates of a million elements ask for: a few, however many updates there are. */
static void test_many_updates(void) {
    static const char *const bodies[] = {
        "x[i] = i",
        "x[i] += x[i + 1]",
        "x[-1 - i] -= 1",
        "x[200 * i] = sqrt(x[i]) + 1",
        "if x[i] < 1 { x[i] = 2 } else { x[i + 1] = 3 }",
        "x[i:i + 4] = 1",
        "x[i:i + 8:2] *= 2",
        "x[i] = i; x[i + 1] = x[i]; y[i] = x[i]; y[i + 2] += 1",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        gmx_session *session = open_session(0);
        gmx_statistics before, after;
        char program[512];
        snprintf(program, sizeof program,
                 "fn f(x0) { mut x = x0; mut y = x0 + 1; for i in 0..5000 { %s }\n (x, y) }\n"
                 "let r = f(x0)\n",
                 bodies[i]);
        CHECK_OK(session, gmx_run_text(session, "setup", "let x0 = zeros(1000000)\n", -1));
        CHECK_OK(session, gmx_get_statistics(session, &before));
        CHECK_OK(session, gmx_run_text(session, "program", program, -1));
        CHECK_OK(session, gmx_get_statistics(session, &after));
        int64_t tensors = after.tensors_allocated - before.tensors_allocated;
        CHECK(tensors <= 8, "%lld tensors by: %s", (long long)tensors, bodies[i]);
        gmx_session_close(session);
    }
}

/* What somebody holds is copied, and so is what overlaps. */
static void test_held(void) {
    gmx_session *session = open_session(0);
    const char *program =
        "mut x = arange(8.0)\nlet y = x\nlet v = x[2:4]\nx[3] = 100\nx[4:] = 7\n"
        "fn f(a) { mut b = a; b[0] = 50; b[1:] = b[:-1]; b }\nlet z = f(y)\n"
        "fn g(a) { mut b = a * 1; mut c = b; for i in 0..3 { let d = b; b[i] = -1; c[i] += d[i] }\n"
        "(b, c) }\nlet (p, q) = g(y)\n";
    CHECK_OK(session, gmx_run_text(session, "held", program, -1));
    CHECK(eval_number(session, "sum(y)") == 28, "`y` changed");
    CHECK(eval_number(session, "sum(v)") == 5, "`v` changed");
    CHECK(eval_number(session, "sum(x)") == 0 + 1 + 2 + 100 + 28, "x");
    CHECK(eval_number(session, "sum(z)") == 50 + 50 + 1 + 2 + 3 + 4 + 5 + 6, "z");
    CHECK(eval_number(session, "sum(p)") == 28 - 3 - 3, "p");
    CHECK(eval_number(session, "sum(q)") == 28 + 3, "q");
    gmx_session_close(session);
}

/* Views of a tensor of 1 MB ask for nothing but what they are described by. */
static void test_views(void) {
    static const char *const views[] = {
        "let v = x0[1:]",
        "let v = x0[::-1, ::2]",
        "let v = x0[3]",
        "let v = x0.T",
        "let v = transpose(x0)",
        "let v = x0.reshape(500, 250)",
        "let v = x0[:, None, ...]",
        "let v = broadcast_to(x0, (9, 250, 500))",
        "let v = x0[..., 1:].T[::-1]",
        "let v = flatten(x0)",
        "let v = expand_dims(x0, 0)",
        "let v = swapaxes(x0, 0, 1)",
        "let v = x0[10:20].reshape(2, 2500)",
        "let v = x0[3, 100:200].reshape(4, 5, 5)",
        "let v = x0[7:8, :, None][0, 5:10].reshape(5)",
        "let v = flatten(x0[50:][100:][None])",
        "let v = x0.reshape(-1)[1000:2000].reshape(10, 100)[3].reshape(20, 5)",
        "fn f(x, k) = x[k:k + 4].reshape(8, -1)\nlet v = f(x0, 3)",
    };
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        int64_t bytes = bytes_of("let x0 = zeros(250, 500)\n", views[i]);
        CHECK(bytes <= 4096, "%lld bytes by: %s", (long long)bytes, views[i]);
    }
}

int main(void) {
    test_loops();
    test_many_updates();
    test_held();
    test_views();
    return finish();
}
