/* The gradient of every row of ops.def, in f64: reverse mode against central differences, forward mode
 * against reverse mode, and second derivatives against differences of first ones.  A row added to the table
 * is tested here, or this file fails until it is. */
#include "ir/op.h"
#include "runtime/api/gmx.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* What stands in the gradient columns. */
static const char *const columns[OP_COUNT][3] = {
#define OP1(name, dtype, complex, zero, llvm, c, numpy, da, doc)         [OP_##name] = {#da},
#define OP2(name, dtype, complex, zero, llvm, c, numpy, da, db, doc)     [OP_##name] = {#da, #db},
#define OP3(name, dtype, complex, zero, llvm, c, numpy, da, db, dc, doc) [OP_##name] = {#da, #db, #dc},
#include "ir/ops.def"
};

/* misfit: how far a derivative is beyond the tolerance, where the difference quotient is finite. numeric: the
 * gradient of f by central differences. */
static const char prelude[] =
    "let h = 1e-6\n"
    "fn misfit(a, n) = max(where(isfinite(n), abs(a - n) - 1e-5 - 1e-3 * abs(n), -1.0))\n"
    "fn weights(y) = cos(f64(reshape(arange(size(y)), y.shape)) + 1.0)\n"
    "fn numeric(f, x) {\n"
    "    let flat = flatten(x)\n"
    "    mut g = zeros(size(x))\n"
    "    for i in 0..size(x) {\n"
    "        mut up = flat\n"
    "        up[i] += 1e-6\n"
    "        mut down = flat\n"
    "        down[i] -= 1e-6\n"
    "        g[i] = (f(reshape(up, x.shape)) - f(reshape(down, x.shape))) / 2e-6\n"
    "    }\n"
    "    reshape(g, x.shape)\n"
    "}\n"
    "let p = [0.3, -0.75, 1.2, 2.6, -2.3, 0.05, 5.6, -0.4, 0.9, 3.3, -1.7, 1.01]\n"
    "let q = [0.8, 0.7, -1.4, 1.9, 0.6, -0.03, 2.5, -3.1, 1.6, 0.2, 1.3, -0.6]\n"
    "let r = [1.5, -0.2, 0.4, -2.2, 1.1, 0.5, -0.9, 2.4, 0.1, 1.8, -1.2, 0.6]\n"
    "let w = cos(f64(arange(12)) + 1.0)\n"
    "let v = sin(f64(arange(12)) + 2.0)\n";

static gmx_session *open_session(void) {
    gmx_session *session;
    cr_assert_eq(gmx_session_open(NULL, &session), GMX_OK);
    cr_assert_eq(gmx_run_text(session, "prelude", prelude, -1), GMX_OK, "%s", gmx_errmsg(session));
    return session;
}

/* The text's value must be at most `limit`. */
static void expect_at_most(gmx_session *session, double limit, const char *text) {
    gmx_tensor *value;
    gmx_status status = gmx_eval(session, text, &value);
    cr_expect_eq(status, GMX_OK, "%s\n%s", text, gmx_errmsg(session));
    if (status != GMX_OK)
        return;
    double number = *(const double *)gmx_tensor_data(value);
    cr_expect(number <= limit, "%g > %g: %s", number, limit, text);
    gmx_tensor_release(value);
}

#define FORMAT(buffer, ...) (snprintf(buffer, sizeof(buffer), __VA_ARGS__), (buffer))

/* ---- elementwise rows -------------------------------------------------------------------------------------
 */

/* The op as a function of t, its k-th operand. */
static void body_of(char *out, size_t size, Op op, uint32_t k, const char *t) {
    static const char *const others[] = {"p", "q", "r"};
    size_t length = (size_t)snprintf(out, size, "%s(", op_name(op));
    for (uint32_t i = 0; i < op_info[op].arity; i++) {
        const char *operand = op == OP_where && i == 0 ? "p > 0.5" : others[i];
        length += (size_t)snprintf(out + length, size - length, "%s%s", i ? ", " : "", i == k ? t : operand);
    }
    snprintf(out + length, size - length, ")");
}

static void check_operand(gmx_session *session, Op op, uint32_t k) {
    static const char *const points[] = {"p", "q", "r"};
    char body[128], up[160], down[160], inner[128], text[2048];
    const char *x = points[k];
    body_of(body, sizeof body, op, k, "t");
    body_of(inner, sizeof inner, op, k, "u");
    body_of(up, sizeof up, op, k, FORMAT(text, "(%s + h)", x));
    body_of(down, sizeof down, op, k, FORMAT(text, "(%s - h)", x));
    expect_at_most(
        session, 0,
        FORMAT(text, "misfit(grad(fn(t) = sum(%s * w))(%s), w * (%s - %s) / (2.0 * h))", body, x, up, down));
    expect_at_most(
        session, 1e-9,
        FORMAT(text,
               "max(abs(nan_to_num(jvp(fn(t) = %s * w)(%s, v)[1] - v * grad(fn(t) = sum(%s * w))(%s))) / "
               "(1.0 + abs(nan_to_num(v * grad(fn(t) = sum(%s * w))(%s)))))",
               body, x, body, x, body, x));
    expect_at_most(
        session, 0,
        FORMAT(text,
               "misfit(grad(fn(t) = sum(v * grad(fn(u) = sum(%s * w))(t)))(%s), v * "
               "(grad(fn(u) = sum(%s * w))(%s + h) - grad(fn(u) = sum(%s * w))(%s - h)) / (2.0 * h))",
               inner, x, inner, x, inner, x));
}

Test(gradients, elementwise_rows, .timeout = 300) {
    gmx_session *session = open_session();
    uint32_t checked = 0;
    for (int op = 1; op < OP_COUNT; op++)
        /* PARTS rows, of complex numbers, have no column: ir_gradient refuses complex numbers. */
        for (uint32_t k = 0; op_is_elementwise((Op)op) && columns[op][0] && k < op_info[op].arity; k++) {
            DtypeRule rule = op_info[op].dtype;
            bool has_floats = rule != RULE_LOGICAL && rule != RULE_INTEGER && rule != RULE_SHIFT;
            bool says_none = !strcmp(columns[op][k], "NO_FLOATS");
            cr_expect_eq(says_none, !has_floats || (op == OP_where && k == 0),
                         "operand %u of %s: NO_FLOATS does not fit its dtypes", k, op_name((Op)op));
            if (says_none || rule == RULE_BOOL || !*op_info[op].numpy) /* fma has no name in the language */
                continue;
            check_operand(session, (Op)op, k);
            checked++;
        }
    cr_expect_gt(checked, 40);
    gmx_session_close(session);
}

/* ---- other rows
 * --------------------------------------------------------------------------------------------- */

/* Expressions of t, a 3 x 4 matrix; `reason`: why there is no derivative. */
static const struct {
    Op op;
    const char *reason, *bodies[6];
} structured[] = {
    {OP_sum, NULL, {"sum(t)", "sum(t, axis=0)", "sum(t, axis=1, keepdims=true)", "sum(t, axis=(0, 1))"}},
    {OP_prod, NULL, {"prod(t)", "prod(t, axis=0)", "prod(t * [1.0, 0.0, 2.0, 1.0], axis=1)"}},
    {OP_max, NULL, {"max(t)", "max(t, axis=0)", "max(t, axis=1, keepdims=true)"}},
    {OP_min, NULL, {"min(t)", "min(t, axis=1)"}},
    {OP_any, "its result is a bool", {NULL}},
    {OP_all, "its result is a bool", {NULL}},
    {OP_argmax, "its result is an integer", {NULL}},
    {OP_argmin, "its result is an integer", {NULL}},
    {OP_permute, NULL, {"t.T", "transpose(reshape(t, (2, 3, 2)), (2, 0, 1))"}},
    {OP_slice, NULL, {"t[1:, ::2]", "t[::-1, 3]", "t[2]", "t[:0]", "t[0:1, -2:]"}},
    {OP_broadcast, NULL, {"t[:, :1] + t", "t[0] * t", "broadcast_to(t[:, None], (3, 2, 4))"}},
    {OP_window, NULL, {"[t[i, j] * t[i, j + 1] for i, j in 0..3]", "[t[i + k, 0] for i in 0..2, k in 0..2]"}},
    {OP_reshape, NULL, {"reshape(t, (2, 6))", "flatten(t.T)"}},
    {OP_matmul,
     NULL,
     {"t @ t.T", "t[0] @ t[1]", "t @ t[1]", "t[:, 0] @ t", "reshape(t, (2, 2, 3)) @ t[:, :2]"}},
    {OP_product, "made of a matmul after gradients are", {NULL}},
    {OP_solve, NULL, {"solve(t[:, :3] + 3.0 * eye(3), t)", "solve(t[:, 1:] + 4.0 * eye(3), t[:, 0])"}},
    {OP_cholesky, NULL, {"cholesky(t @ t.T + eye(3))"}},
    {OP_sort, NULL, {"sort(t, axis=0)", "sort(t)", "sort(t, descending=true)"}},
    {OP_argsort, "its result is an integer", {NULL}},
    {OP_cumsum, NULL, {"cumsum(t, axis=0)", "cumsum(t)"}},
    {OP_cumprod, NULL, {"cumprod(t, axis=1)", "cumprod(t * [1.0, 2.0, 0.0, 1.0], axis=1)"}},
    {OP_cummax, NULL, {"cummax(t, axis=0)", "cummax(t, axis=1)"}},
    {OP_cummin, NULL, {"cummin(t, axis=0)"}},
    {OP_searchsorted, "its result is an integer", {NULL}},
    {OP_bincount, "its result is an integer", {NULL}},
    {OP_nonzero, "its result is an integer", {NULL}},
    {OP_concat, NULL, {"concat([t, t * t], axis=1)", "concat([t[0], t[:, 1]])"}},
    {OP_gather, NULL, {"t[[2, 0, 2]]", "t[:, [1, 1]]", "t[[0, 1], [3, 3]]", "t[[[0, 2], [1, 0]]]"}},
    {OP_spread, NULL, {"[sum(t[u] * t[v] for u -> v in triangle) for v in triangle]"}},
    {OP_segment,
     NULL,
     {"[sum(sin(t[u]) for u -> v in triangle) for v in triangle]",
      "[prod(t[u] * [1.0, 0.0, 2.0, 1.0] for u -> v in triangle) for v in triangle]",
      "[max(t[u] for u -> v in triangle) for v in triangle]",
      "[sum(softmax_in(t[u]) * t[v] for u -> v in triangle) for v in triangle]"}},
    {OP_sparse_product,
     NULL,
     {"dense(from_entries([0, 1, 2], [1, 0, 2], t[:, 0], (3, 3)) @ from_entries([0, 1, 1], [1, 0, 2], "
      "t[:, 1], (3, 3)))"}},
    {OP_update, NULL, {"updated(t)", "added(t)", "scattered(t)", "placed(t)", "scaled(t)", "divided(t)"}},
};

static const char updates[] =
    "let triangle = graph([0, 1, 2, 2], [1, 2, 0, 1], 3)\n"
    "fn updated(t) {\n    mut x = t * 2.0\n    x[1, ::2] = t[0, :2]\n    x[2] = t[0, 0]\n    x\n}\n"
    "fn added(t) {\n    mut x = t * t\n    x[:, 1] += t[:, 2]\n    x[0] -= t[1]\n    x\n}\n"
    "fn placed(t) {\n    mut x = t * t\n    x[[0, 2, 0]] = t * 3.0\n    x[[1, 1], [2, 2]] = t[0, :2]\n    "
    "x[[1], 0] = t[2, 3]\n    x\n}\n"
    "fn scaled(t) {\n    mut x = t * t\n    x[:, 1] *= t[:, 2]\n    x[[0, 1, 0]] *= t\n    x[[2, 2], [0, 0]] "
    "*= "
    "[t[0, 1], t[0, 1] * 0.0]\n    x[1] *= t[0, 0]\n    x\n}\n"
    "fn divided(t) {\n    mut x = t * t\n    x[0] /= t[1]\n    x[[1, 2, 1]] /= t\n    x[[2], 1] /= t[0, 3]\n "
    "   "
    "x\n}\n"
    "fn scattered(t) {\n    mut x = t * t\n    x[[0, 0, 2]] += t\n    x[[1], 2] += t[0, 1]\n    x\n}\n";

static void check_body(gmx_session *session, const char *body) {
    char text[2048], loss[256];
    FORMAT(loss, "fn(t) { let y = %s\n sum(y * weights(y)) }", body);
    const char *m = "reshape(p, (3, 4))", *direction = "reshape(v, (3, 4))";
    expect_at_most(session, 0, FORMAT(text, "misfit(grad(%s)(%s), numeric(%s, %s))", loss, m, loss, m));
    expect_at_most(session, 1e-9,
                   FORMAT(text, "abs(jvp(%s)(%s, %s)[1] - sum(%s * grad(%s)(%s)))", loss, m, direction,
                          direction, loss, m));
    expect_at_most(
        session, 0,
        FORMAT(text,
               "misfit(grad(fn(s) = sum(%s * grad(%s)(s)))(%s), numeric(fn(s) = sum(%s * grad(%s)(s)), %s))",
               direction, loss, m, direction, loss, m));
}

Test(gradients, structured_rows, .timeout = 300) {
    gmx_session *session = open_session();
    cr_assert_eq(gmx_run_text(session, "updates", updates, -1), GMX_OK, "%s", gmx_errmsg(session));
    bool is_listed[OP_COUNT] = {0};
    for (size_t i = 0; i < sizeof structured / sizeof *structured; i++) {
        is_listed[structured[i].op] = true;
        cr_expect(structured[i].reason || structured[i].bodies[0]);
        for (const char *const *body = structured[i].bodies; body < structured[i].bodies + 6 && *body; body++)
            check_body(session, *body);
    }
    for (int op = 1; op < OP_COUNT; op++)
        cr_expect(is_listed[op] || op_is_elementwise((Op)op) || op_info[op].class == CLASS_CONTROL ||
                      (op_info[op].class == CLASS_PATTERN && op != OP_sparse_product),
                  "%s has neither a gradient that is tested nor a reason", op_name((Op)op));
    gmx_session_close(session);
}
