/* Kernels compiled and run: vector tails, reductions, the sample kernels of tests/kernels, sparse loops,
 * faults and memory.  Expected values come from C loops in this file, closed forms, or published test
 * vectors. */
#include "tests/unit_llvm/kernel_runner.h"
#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static KernelRunner opened(const char *text, unsigned vector_bytes) {
    KernelRunner runner;
    bool is_open = runner_open_text(&runner, text, (RunnerOptions){.vector_bytes = vector_bytes});
    cr_assert(is_open, "%s", runner.message);
    return runner;
}

static KernelRunner opened_file(const char *path) {
    KernelRunner runner;
    bool is_open = runner_open_file(&runner, path, (RunnerOptions){0});
    cr_assert(is_open, "%s: %s", path, runner.message);
    return runner;
}

static const unsigned widths[] = {64, 32, 16};
#define EACH_WIDTH(w) for (size_t w = 0; w < 3; w++)

/* ---- vector loops ------------------------------------------------------------------------------- */

Test(kernel_run, tails_of_every_length) {
    EACH_WIDTH(w) {
        KernelRunner r =
            opened("kernel k(x: buffer f32, d: buffer f64, n: i64, y: out buffer f32, z: out buffer f64) {"
                   "  for.vector i in 0 .. n { y[i] = x[i] * 2 + 1 }"
                   "  for.vector i in 0 .. n { z[i] = d[n - 1 - i] + f64(i * 3) }"
                   "}",
                   widths[w]);
        RunnerContext context = {0};
        for (int64_t n = 0; n <= 40; n++) {
            /* exactly n elements: the sanitizer and the guards see what a tail touches */
            float *x = malloc((size_t)n * 4 + 1), y[48];
            double *d = malloc((size_t)n * 8 + 1), z[48];
            for (int64_t i = 0; i < 48; i++)
                y[i] = z[i] = -77;
            for (int64_t i = 0; i < n; i++)
                x[i] = (float)i, d[i] = (double)i * 0.5;
            cr_assert(runner_call(&r, &context,
                                  (int64_t[]){address(x), address(d), n, address(y), address(z)}) == 0);
            for (int64_t i = 0; i < 48; i++) {
                cr_expect(y[i] == (i < n ? (float)i * 2 + 1 : -77));
                cr_expect(z[i] == (i < n ? (double)(n - 1 - i) * 0.5 + (double)(i * 3) : -77));
            }
            free(x);
            free(d);
        }
        runner_close(&r);
    }
}

Test(kernel_run, a_lane_does_not_depend_on_the_extent) {
    KernelRunner r = opened("kernel k(x: buffer f32, n: i64, y: out buffer f32) {"
                            "  for.vector i in 0 .. n { y[i] = tanh(exp(x[i]) * sin(x[i])) } }",
                            64);
    RunnerContext context = {0};
    float x[40], whole[40], part[40];
    for (int i = 0; i < 40; i++)
        x[i] = sinf((float)i) * 3;
    runner_call(&r, &context, (int64_t[]){address(x), 40, address(whole)});
    for (int64_t n = 1; n < 40; n++) {
        runner_call(&r, &context, (int64_t[]){address(x), n, address(part)});
        cr_expect(memcmp(whole, part, (size_t)n * 4) == 0);
    }
    runner_close(&r);
}

Test(kernel_run, strides_reversals_steps_and_gathers) {
    EACH_WIDTH(w) {
        KernelRunner r = opened(
            "kernel k(x: buffer f32, at: buffer i32, n: i64, s: i64, y: out buffer f32, z: out buffer f32,"
            "         g: out buffer f32, t: out buffer f32, q: out buffer i64) {"
            "  for.vector i in 0 .. n {"
            "    let back: i64 = n - 1 - i"
            "    y[i] = x[i * s]"
            "    z[back] = x[i] + x[0]"
            "    g[i] = x[i64(at[i])]"
            "    q[i] = i * i"
            "  }"
            "  for.vector i in 0 .. n step 3 { t[i] = x[i] }"
            "}",
            widths[w]);
        RunnerContext context = {0};
        for (int64_t n = 0; n <= 40; n++) {
            float x[160], y[40], z[40], g[40], t[40];
            int32_t at[40];
            int64_t q[40];
            for (int i = 0; i < 160; i++)
                x[i] = (float)i + 0.25f;
            for (int64_t i = 0; i < 40; i++)
                at[i] = (int32_t)(i * 7 % 40), t[i] = -1;
            runner_call(&r, &context,
                        (int64_t[]){address(x), address(at), n, 4, address(y), address(z), address(g),
                                    address(t), address(q)});
            for (int64_t i = 0; i < n; i++) {
                cr_expect(y[i] == x[i * 4] && z[n - 1 - i] == x[i] + x[0] && g[i] == x[i * 7 % 40]);
                cr_expect(t[i] == (i % 3 ? -1 : x[i]) && q[i] == i * i);
            }
        }
        runner_close(&r);
    }
}

Test(kernel_run, serial_loops_and_variables_inside_lanes) {
    EACH_WIDTH(w) {
        KernelRunner r = opened("kernel k(x: buffer f32, n: i64, m: i64, y: out buffer f32) {"
                                "  for.vector i in 0 .. n {"
                                "    var s: f32 = 0  var c: i64 = 0"
                                "    for.serial j in 0 .. m { s add= x[j * n + i]  c = c + 1 }"
                                "    if m > 3 { y[i] = s * f32(c) } else { y[i] = -s }"
                                "  } }",
                                widths[w]);
        RunnerContext context = {0};
        for (int64_t m = 0; m < 7; m++)
            for (int64_t n = 0; n <= 19; n++) {
                float x[7 * 19], y[19];
                for (int i = 0; i < 7 * 19; i++)
                    x[i] = (float)(i % 11);
                runner_call(&r, &context, (int64_t[]){address(x), n, m, address(y)});
                for (int64_t i = 0; i < n; i++) {
                    float s = 0;
                    for (int64_t j = 0; j < m; j++)
                        s += x[j * n + i];
                    cr_expect(y[i] == (m > 3 ? s * (float)m : -s));
                }
            }
        runner_close(&r);
    }
}

/* ---- reductions --------------------------------------------------------------------------------- */

Test(kernel_run, reductions) {
    EACH_WIDTH(w) {
        KernelRunner r = opened(
            "kernel k(x: buffer f32, b: buffer bool, n: i64, y: out buffer f64, j: out buffer i64, z: out "
            "buffer i64) {"
            "  var sum: f64 = 100  var top: f32 = -inf  var low: f32 = inf"
            "  var best: f32 = -inf  var at: i64 = 0  var least: f32 = inf  var where_least: i64 = 0"
            "  var any: bool = false  var all: bool = true  var bits: i64 = 0  var count: i64 = 1000"
            "  for.vector i in 0 .. n {"
            "    sum add= f64(x[i])  top maximum= x[i]  low minimum= x[i]"
            "    (best, at) argmax= (x[i], i)  (least, where_least) argmin= (x[i], i)"
            "    any logical_or= b[i]  all logical_and= b[i]  bits bitwise_xor= i  count add= i64(b[i])"
            "  }"
            "  y[0] = sum  y[1] = f64(top)  y[2] = f64(low)"
            "  j[0] = at  j[1] = where_least  z[0] = i64(any)  z[1] = i64(all)  z[2] = bits  z[3] = count"
            "}",
            widths[w]);
        RunnerContext context = {0};
        for (int64_t n = 0; n <= 150; n++) {
            float *x = malloc((size_t)n * 4 + 1), top = -INFINITY, low = INFINITY;
            bool *b = malloc((size_t)n + 1);
            double y[3], sum = 100;
            int64_t j[2], z[4], at = 0, least = 0, bits = 0, count = 1000;
            for (int64_t i = 0; i < n; i++) { /* small integers: every order of adding is exact */
                x[i] = (float)((i * 37) % 23);
                b[i] = i % 3 != 0;
                sum += x[i];
                bits ^= i;
                count += b[i];
                if (x[i] > top)
                    top = x[i], at = i;
                if (x[i] < low)
                    low = x[i], least = i;
            }
            runner_call(&r, &context,
                        (int64_t[]){address(x), address(b), n, address(y), address(j), address(z)});
            cr_expect(y[0] == sum && y[1] == (double)top && y[2] == (double)low, "n %d", (int)n);
            cr_expect(j[0] == at && j[1] == least, "n %d: %d %d", (int)n, (int)j[0], (int)at);
            cr_expect(z[0] == (n > 1) && z[1] == (n == 0) && z[2] == bits && z[3] == count);
            free(x);
            free(b);
        }
        runner_close(&r);
    }
}

Test(kernel_run, reductions_keep_nan_and_the_first_of_equals) {
    KernelRunner r = opened("kernel k(x: buffer f32, n: i64, y: out buffer f32, j: out buffer i64) {"
                            "  var top: f32 = -inf  var best: f32 = -inf  var at: i64 = 0"
                            "  for.vector i in 0 .. n { top maximum= x[i]  (best, at) argmax= (x[i], i) }"
                            "  y[0] = top  j[0] = at }",
                            64);
    RunnerContext context = {0};
    for (int64_t n = 1; n <= 100; n += 3)
        for (int64_t place = 0; place < n; place++) {
            float x[100], y;
            int64_t j;
            for (int64_t i = 0; i < n; i++)
                x[i] = i < place ? 1 : 2; /* the first 2 is at `place` */
            runner_call(&r, &context, (int64_t[]){address(x), n, address(&y), address(&j)});
            cr_expect(y == 2 && j == place);
            x[place] = NAN;
            x[n - 1] = NAN;
            runner_call(&r, &context, (int64_t[]){address(x), n, address(&y), address(&j)});
            cr_expect(isnan(y) && j == place);
            for (int64_t i = 0; i < n; i++)
                x[i] = -INFINITY;
            runner_call(&r, &context, (int64_t[]){address(x), n, address(&y), address(&j)});
            cr_expect(y == -INFINITY && j == 0);
        }
    runner_close(&r);
}

/* ---- sample kernels ----------------------------------------------------------------------------- */

Test(kernel_run, softmax) {
    KernelRunner r = opened_file("tests/kernels/softmax.gmxk");
    enum { ROWS = 5, COLUMNS = 77 };
    static float x[ROWS * COLUMNS], y[ROWS * COLUMNS], again[ROWS * COLUMNS];
    for (int i = 0; i < ROWS * COLUMNS; i++)
        x[i] = sinf((float)i) * 20;
    RunnerContext context = {.chunks = 1}, split = {.chunks = 4};
    cr_assert(runner_call(&r, &context, (int64_t[]){address(x), ROWS, COLUMNS, address(y)}) == 0);
    cr_assert(runner_call(&r, &split, (int64_t[]){address(x), ROWS, COLUMNS, address(again)}) == 0);
    cr_expect(memcmp(y, again, sizeof y) == 0 && split.calls == 4);
    for (int i = 0; i < ROWS; i++) {
        double top = -INFINITY, sum = 0;
        for (int j = 0; j < COLUMNS; j++)
            top = fmax(top, x[i * COLUMNS + j]);
        for (int j = 0; j < COLUMNS; j++)
            sum += exp(x[i * COLUMNS + j] - top);
        for (int j = 0; j < COLUMNS; j++) {
            double expected = exp(x[i * COLUMNS + j] - top) / sum;
            cr_expect(fabs(y[i * COLUMNS + j] - expected) <= 3e-6 * expected);
        }
    }
    runner_close(&r);
}

Test(kernel_run, gemm_tile) {
    KernelRunner r;
    cr_assert(runner_open_file(&r, "tests/kernels/gemm_8x48.gmxk", (RunnerOptions){.wants_assembly = true}));
    enum { K = 70, LDC = 50 };
    static float a[K * 8], b[K * 48], c[8 * LDC];
    RunnerContext context = {0};
    for (int i = 0; i < K * 8; i++)
        a[i] = (float)(i % 7 - 3);
    for (int i = 0; i < K * 48; i++)
        b[i] = (float)(i % 11 - 5);
    for (int i = 0; i < 8 * LDC; i++)
        c[i] = (float)i;
    cr_assert(runner_call(&r, &context, (int64_t[]){address(a), address(b), K, LDC, address(c)}) == 0);
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < LDC; j++) {
            float expected = (float)(i * LDC + j);
            for (int p = 0; j < 48 && p < K; p++)
                expected += a[p * 8 + i] * b[p * 48 + j];
            cr_expect(c[i * LDC + j] == expected);
        }
    for (const char *at = r.assembly; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
        size_t length = strcspn(at, "\n");
        char line[256] = "";
        memcpy(line, at, length < 255 ? length : 255);
        cr_expect(!(strstr(line, "zmm") && strstr(line, "rsp")), "the tile is spilled: %s", line);
    }
    runner_close(&r);
}

/* A random matrix of 0/1 density in CSR, and as dense rows. */
static int64_t make_csr(int64_t rows, int64_t columns, unsigned seed, int64_t *indptr, int32_t *indices,
                        float *values, float *dense) {
    int64_t count = 0;
    indptr[0] = 0;
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < columns; j++) {
            seed = seed * 1103515245u + 12345u;
            dense[i * columns + j] = 0;
            if ((seed >> 16) % 10 >= (i % 4 ? 3u : 0u)) /* every fourth row is full, others hold some */
                if (i % 4 && (seed >> 20) % 3)
                    continue;
            indices[count] = (int32_t)j;
            dense[i * columns + j] = values[count++] = (float)((seed >> 18) % 9) + 1;
        }
        indptr[i + 1] = count;
    }
    return count;
}

enum { SPARSE_ROWS = 23, SPARSE_COLUMNS = 31, SPARSE_MOST = SPARSE_ROWS * SPARSE_COLUMNS };

Test(kernel_run, csr_plus_csr_counts_then_fills) {
    KernelRunner r = opened_file("tests/kernels/csr_add.gmxk");
    static int64_t ap[SPARSE_ROWS + 1], bp[SPARSE_ROWS + 1], cp[SPARSE_ROWS + 1];
    static int32_t ai[SPARSE_MOST], bi[SPARSE_MOST];
    static float av[SPARSE_MOST], bv[SPARSE_MOST], ad[SPARSE_MOST], bd[SPARSE_MOST];
    make_csr(SPARSE_ROWS, SPARSE_COLUMNS, 1, ap, ai, av, ad);
    make_csr(SPARSE_ROWS, SPARSE_COLUMNS, 2, bp, bi, bv, bd);
    RunnerContext context = {0};
    int64_t arguments[] = {SPARSE_ROWS,
                           0,
                           address(ap),
                           address(ai),
                           address(av),
                           address(bp),
                           address(bi),
                           address(bv),
                           address(cp),
                           0,
                           0};
    cr_assert(runner_call(&r, &context, arguments) == 0); /* counting stores nothing */
    int64_t count = cp[SPARSE_ROWS], at = 0;
    int32_t *ci = malloc((size_t)count * sizeof *ci);
    float *cv = malloc((size_t)count * sizeof *cv);
    arguments[1] = 1;
    arguments[9] = address(ci);
    arguments[10] = address(cv);
    cr_assert(runner_call(&r, &context, arguments) == 0);
    for (int i = 0; i < SPARSE_ROWS; i++) {
        cr_expect(cp[i] == at);
        for (int j = 0; j < SPARSE_COLUMNS; j++) {
            float sum = ad[i * SPARSE_COLUMNS + j] + bd[i * SPARSE_COLUMNS + j];
            if (sum != 0) {
                cr_expect(ci[at] == j && cv[at] == sum);
                at++;
            }
        }
    }
    cr_expect(at == count && cp[SPARSE_ROWS] == count);
    free(ci);
    free(cv);
    runner_close(&r);
}

Test(kernel_run, balanced_spmm) {
    KernelRunner r = opened_file("tests/kernels/csr_spmm.gmxk");
    enum { ROWS = 3000, COLUMNS = 12, D = 5 };
    int64_t *ap = calloc(ROWS + 1, 8);
    int32_t *ai = calloc(ROWS * COLUMNS, 4);
    float *av = calloc(ROWS * COLUMNS, 4), *dense = calloc(ROWS * COLUMNS, 4), h[COLUMNS * D];
    float *y = calloc(ROWS * D, 4);
    make_csr(ROWS, COLUMNS, 3, ap, ai, av, dense);
    for (int i = 0; i < COLUMNS * D; i++)
        h[i] = (float)(i % 7) - 2;
    for (int chunks = 1; chunks < 40; chunks += 19) {
        RunnerContext context = {.chunks = chunks};
        memset(y, 0xff, ROWS * D * 4);
        cr_assert(runner_call(&r, &context,
                              (int64_t[]){address(ap), address(ai), address(av), address(h), ROWS, D,
                                          address(y)}) == 0);
        for (int i = 0; i < ROWS; i++)
            for (int k = 0; k < D; k++) {
                float sum = 0;
                for (int j = 0; j < COLUMNS; j++)
                    sum += dense[i * COLUMNS + j] * h[j * D + k];
                cr_expect(y[i * D + k] == fmaxf(sum, 0));
            }
    }
    /* Half of the chunks hold about half of the work, and whole rows. */
    RunnerContext half = {.chunks = 2, .only_first_chunk = true};
    memset(y, 0xff, ROWS * D * 4);
    cr_assert(runner_call(
                  &r, &half,
                  (int64_t[]){address(ap), address(ai), address(av), address(h), ROWS, D, address(y)}) == 0);
    int64_t done = 0;
    while (done < ROWS && !isnan(y[done * D]))
        done++;
    double share = (double)(ap[done] + done) / (double)(ap[ROWS] + ROWS);
    cr_expect(share > 0.2 && share < 0.8 && isnan(y[(ROWS - 1) * D]), "%g", share);
    RunnerContext context = {0};
    cr_expect(runner_call(&r, &context, (int64_t[]){address(ap), 0, 0, 0, 0, D, 0}) == 0); /* no rows */
    free(ap);
    free(ai);
    free(av);
    free(dense);
    free(y);
    runner_close(&r);
}

Test(kernel_run, three_way_merge_takes_the_exact_subset) {
    KernelRunner r = opened("kernel k(a: buffer i64, b: buffer i64, c: buffer i64, na: i64, nb: i64, nc: i64,"
                            "         y: out buffer i64) {"
                            "  merge u over (p in 0 .. na of a, q in 0 .. nb of b, s in 0 .. nc of c) {"
                            "    case 0 1 2 { y[u] = 7 } case 0 2 { y[u] = 5 + 10 * p } case 1 { y[u] = 2 }"
                            "  } }",
                            64);
    int64_t a[] = {0, 2, 3, 8}, b[] = {1, 2, 9}, c[] = {2, 3, 8, 9}, y[10] = {0};
    int64_t expected[10] = {0, 2, 7, 25, 0, 0, 0, 0, 35, 0};
    RunnerContext context = {0};
    runner_call(&r, &context, (int64_t[]){address(a), address(b), address(c), 4, 3, 4, address(y)});
    cr_expect(memcmp(y, expected, sizeof y) == 0);
    memset(y, 0, sizeof y);
    runner_call(&r, &context,
                (int64_t[]){0, address(b), 0, 0, 3, 0, address(y)}); /* empty lists are not read */
    cr_expect(y[1] == 2 && y[2] == 2 && y[9] == 2);
    runner_close(&r);
}

Test(kernel_run, tile_mma_through_group_memory) {
    KernelRunner r = opened_file("tests/kernels/tiled_matmul.gmxk");
    enum { TILES = 3 };
    static float a[TILES * 128], b[TILES * 128], c[TILES * 256];
    for (int i = 0; i < TILES * 128; i++)
        a[i] = (float)(i % 13 - 6), b[i] = (float)(i % 5 - 2);
    RunnerContext context = {.chunks = 2};
    cr_assert(runner_call(&r, &context, (int64_t[]){address(a), address(b), TILES, address(c)}) == 0);
    for (int t = 0; t < TILES; t++)
        for (int i = 0; i < 16; i++)
            for (int j = 0; j < 16; j++) {
                float sum = 0;
                for (int p = 0; p < 8; p++)
                    sum += a[t * 128 + i * 8 + p] * b[t * 128 + p * 16 + j];
                cr_expect(c[t * 256 + i * 16 + j] == sum);
            }
    runner_close(&r);
}

/* ---- memory, faults, control -------------------------------------------------------------------- */

Test(kernel_run, scratch_is_released_and_its_failure_reported) {
    KernelRunner r =
        opened("kernel k(n: i64, m: i64, y: out buffer i64) {"
               "  let twice: i64 = m * 2"
               "  for.parallel i in 0 .. n grain 3 {"
               "    alloc.scratch t: i64[m, twice]"
               "    for.serial j in 0 .. m { for.vector k in 0 .. twice { t[j, k] = i + j * k } }"
               "    var s: i64 = 0"
               "    for.serial j in 0 .. m { for.vector k in 0 .. twice { s add= t[j, k] } }"
               "    y[i] = s"
               "  } }",
               64);
    RunnerContext context = {.chunks = 3}, failing = {.fail_buffers = 1};
    int64_t y[7];
    cr_assert(runner_call(&r, &context, (int64_t[]){7, 30, address(y)}) == 0);
    cr_expect(context.live_buffers == 0 && context.last_grain == 3);
    for (int64_t i = 0; i < 7; i++)
        cr_expect(y[i] == 30 * 60 * i + (29 * 30 / 2) * (59 * 60 / 2));
    cr_expect(runner_call(&r, &failing, (int64_t[]){7, 30, address(y)}) != 0);
    cr_expect(failing.ctx.error.code == DIAG_E0306 && failing.live_buffers == 0);
    memset(&context, 0, sizeof context);
    cr_expect(runner_call(&r, &context, (int64_t[]){7, INT64_MAX / 4, address(y)}) !=
              0); /* the size overflows */
    cr_expect(context.ctx.error.code == DIAG_E0306);
    runner_close(&r);
}

Test(kernel_run, division_by_zero_is_reported_where_lanes_are_active) {
    KernelRunner r =
        opened("kernel k(x: buffer i32, z: buffer i32, n: i64, y: out buffer i32) {"
               "  for.parallel c in 0 .. 1 { for.vector i in 0 .. n { y[i] = floordiv(x[i], z[i]) } } }",
               64);
    int32_t x[40], z[40], y[40];
    for (int i = 0; i < 40; i++)
        x[i] = i - 20, z[i] = 3;
    x[5] = INT32_MIN;
    z[5] = -1;
    for (int64_t n = 0; n <= 40; n++) {
        RunnerContext good = {0}, bad = {0};
        cr_expect(runner_call(&r, &good, (int64_t[]){address(x), address(z), n, address(y)}) == 0);
        cr_expect(good.ctx.error.code == 0);
        for (int64_t i = 0; i < n; i++)
            cr_expect(y[i] == (i == 5 ? INT32_MIN : (int32_t)floor(x[i] / 3.0)));
        if (!n)
            continue;
        int32_t saved = z[n - 1];
        z[n - 1] = 0;
        cr_expect(runner_call(&r, &bad, (int64_t[]){address(x), address(z), n, address(y)}) != 0);
        cr_expect(bad.ctx.error.code == DIAG_E0303 && y[n - 1] == 0);
        z[n - 1] = saved;
    }
    runner_close(&r);
}

Test(kernel_run, negative_power_of_integers) {
    KernelRunner r = opened("kernel k(e: buffer i64, n: i64, y: out buffer i64) {"
                            "  for.vector i in 0 .. n { y[i] = pow(3, e[i]) } }",
                            64);
    int64_t e[] = {0, 1, 2, 5, 40, 41, 7}, y[7], bad[] = {1, -1};
    RunnerContext context = {0};
    cr_expect(runner_call(&r, &context, (int64_t[]){address(e), 7, address(y)}) == 0);
    cr_expect(y[0] == 1 && y[1] == 3 && y[3] == 243 && y[6] == 2187);
    uint64_t power = 1;
    for (int i = 0; i < 41; i++)
        power *= 3;
    cr_expect((uint64_t)y[5] == power);
    cr_expect(runner_call(&r, &context, (int64_t[]){address(bad), 2, address(y)}) != 0);
    cr_expect(context.ctx.error.code == DIAG_E0307);
    runner_close(&r);
}

Test(kernel_run, while_if_and_every_scalar_parameter) {
    KernelRunner r = opened(
        "kernel k(n: i64, b: bool, f: f32, d: f64, u: u8, s: i16, y: out buffer f64, z: out buffer i64) {"
        "  var m: i64 = n  var steps: i64 = 0"
        "  while m != 1 {"
        "    if mod(m, 2) == 0 { m = floordiv(m, 2) } else { m = 3 * m + 1 }"
        "    steps add= 1"
        "  }"
        "  z[0] = steps  z[1] = i64(u)  z[2] = i64(s)  z[3] = where(b, 11, 22)"
        "  y[0] = f64(f)  y[1] = d }",
        64);
    float f = 1.5f;
    double d = -0.1, y[2];
    int64_t z[4], bits_f = 0, bits_d;
    memcpy(&bits_f, &f, 4);
    memcpy(&bits_d, &d, 8);
    RunnerContext context = {0};
    cr_assert(runner_call(&r, &context,
                          (int64_t[]){27, 1, bits_f, bits_d, 200, -300, address(y), address(z)}) == 0);
    cr_expect(z[0] == 111 && z[1] == 200 && z[2] == -300 && z[3] == 11 && y[0] == 1.5 && y[1] == -0.1);
    runner_close(&r);
}

Test(kernel_run, philox_known_answers) {
    KernelRunner r = opened("kernel k(key: buffer u64, counter: buffer u64, n: i64, y: out buffer u64) {"
                            "  for.vector i in 0 .. n { y[i] = philox(key[i], counter[i]) } }",
                            64);
    /* Random123's kat_vectors: philox4x32 10 with counter words c0 c1 0 0 need c2 = c3 = 0: the zero vector,
     * and values computed by the reference loop below for others. */
    uint64_t key[] = {0, 0xdeadbeef12345678u, UINT64_MAX, 42},
             counter[] = {0, 0x243f6a8885a308d3u, UINT64_MAX, 7};
    uint64_t y[4];
    RunnerContext context = {0};
    runner_call(&r, &context, (int64_t[]){address(key), address(counter), 4, address(y)});
    cr_expect(y[0] == (0x6627e8d5u | (uint64_t)0xe169c58du << 32));
    for (int i = 0; i < 4; i++) {
        uint32_t c[4] = {(uint32_t)counter[i], (uint32_t)(counter[i] >> 32), 0, 0};
        uint32_t k[2] = {(uint32_t)key[i], (uint32_t)(key[i] >> 32)};
        for (int round = 0; round < 10; round++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * c[0], p1 = (uint64_t)0xCD9E8D57u * c[2];
            uint32_t n[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ k[0], (uint32_t)p1,
                             (uint32_t)(p0 >> 32) ^ c[3] ^ k[1], (uint32_t)p0};
            memcpy(c, n, sizeof c);
            k[0] += 0x9E3779B9u;
            k[1] += 0xBB67AE85u;
        }
        cr_expect(y[i] == (c[0] | (uint64_t)c[1] << 32));
    }
    runner_close(&r);
}

Test(kernel_run, fma_rounds_once) {
    KernelRunner r = opened("kernel k(a: f32, b: f32, c: f32, n: i64, y: out buffer f32, z: out buffer f32) {"
                            "  for.vector i in 0 .. n { y[i] = fma(a, b, c)  z[i] = a * b + c } }",
                            64);
    float a = 1 + 0x1p-12f, c = -1, y[3], z[3];
    int64_t bits_a = 0, bits_c = 0;
    memcpy(&bits_a, &a, 4);
    memcpy(&bits_c, &c, 4);
    RunnerContext context = {0};
    runner_call(&r, &context, (int64_t[]){bits_a, bits_a, bits_c, 3, address(y), address(z)});
    volatile float product = a * a;
    for (int i = 0; i < 3; i++) /* a * b + c is two operations: it is not fused */
        cr_expect(y[i] == fmaf(a, a, c) && z[i] == product + c && y[i] != z[i]);
    runner_close(&r);
}

Test(kernel_run, casts_of_every_pair) {
    FILE *file = fopen("tests/data/casts.txt", "r");
    char from_text[8], to_text[8], text[512];
    int rows;
    cr_assert(file != NULL);
    while (fscanf(file, "%7s %7s %d", from_text, to_text, &rows) == 3) {
        Dtype from, to;
        uint64_t x[64] = {0}, y[64] = {0}, expected[64];
        dtype_find(from_text, &from);
        dtype_find(to_text, &to);
        for (int i = 0; i < rows; i++) {
            uint64_t bits;
            cr_assert(fscanf(file, "%" SCNx64 " %" SCNx64, &bits, &expected[i]) == 2);
            memcpy((char *)x + i * dtype_info[from].bytes, &bits, dtype_info[from].bytes);
        }
        snprintf(
            text, sizeof text,
            "kernel k(x: buffer %s, n: i64, y: out buffer %s) { for.vector i in 0 .. n { y[i] = %s(x[i]) } }",
            from_text, to_text, to_text);
        KernelRunner r = opened(text, 64);
        RunnerContext context = {0};
        runner_call(&r, &context, (int64_t[]){address(x), rows, address(y)});
        for (int i = 0; i < rows; i++) {
            uint64_t got = 0;
            memcpy(&got, (char *)y + i * dtype_info[to].bytes, dtype_info[to].bytes);
            cr_expect(got == expected[i], "%s to %s, row %d: expected %" PRIx64 ", got %" PRIx64, from_text,
                      to_text, i, expected[i], got);
        }
        runner_close(&r);
    }
    fclose(file);
}

Test(kernel_run, integer_data_wraps_in_lanes) {
    KernelRunner r =
        opened("kernel k(n: i64, y: out buffer i64) {"
               "  for.vector i in 0 .. n { let t: i64 = i * 6148914691236517205 + 9000000000000000000"
               "    y[i] = t * 3 } }",
               64);
    int64_t y[21];
    RunnerContext context = {0};
    runner_call(&r, &context, (int64_t[]){21, address(y)});
    for (uint64_t i = 0; i < 21; i++)
        cr_expect((uint64_t)y[i] == (i * 6148914691236517205u + 9000000000000000000u) * 3);
    runner_close(&r);
}

/* ---- vector against serial ---------------------------------------------------------------------- */

enum { SMALL_OUT = 1024 };

static void run_small(KernelRunner *r, int64_t n, uint8_t *out) {
    uint8_t *x = malloc((size_t)n + 1);
    int64_t *at = malloc((size_t)n * 8);
    uint16_t h[64];
    RunnerContext context = {.chunks = 2};
    for (int64_t i = 0; i <= n; i++)
        x[i] = (uint8_t)((i * 37 + 11) % 251);
    for (int64_t i = 0; i < n; i++)
        at[i] = i * 5 % n;
    for (int i = 0; i < 64; i++)
        h[i] = (uint16_t)(0x3f80 + i * 13 % 97);
    memset(out, 7, SMALL_OUT);
    cr_assert(runner_call(r, &context,
                          (int64_t[]){address(x), address(at), address(h), n, address(out),
                                      address(out + 256), address(out + 512), address(out + 768)}) == 0);
    cr_expect(context.live_buffers == 0);
    free(x);
    free(at);
}

Test(kernel_run, vector_loops_do_what_serial_loops_do) {
    FILE *file = fopen("tests/kernels/small_dtypes.gmxk", "r");
    static char text[4096], serial[4096];
    static uint8_t out[SMALL_OUT], expected[SMALL_OUT];
    cr_assert(file != NULL && fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    strcpy(serial, text);
    for (char *at; (at = strstr(serial, "for.vector"));)
        memcpy(at, "for.serial", 10);
    KernelRunner plain = opened(serial, 64);
    EACH_WIDTH(w) {
        KernelRunner r = opened(text, widths[w]);
        for (int64_t n = 3; n <= 64; n++) {
            run_small(&plain, n, expected);
            run_small(&r, n, out);
            cr_expect(memcmp(out, expected, SMALL_OUT) == 0, "n %d, %u bytes", (int)n, widths[w]);
        }
        runner_close(&r);
    }
    runner_close(&plain);
}
