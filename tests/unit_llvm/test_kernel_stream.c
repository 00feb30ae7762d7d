/* Streaming stores: the same values at every size, offset and vector width, whether a launch streams or not;
 * and which loops have them.  Expected values come from C loops in this file. */
#include "tests/unit_llvm/kernel_runner.h"
#include <criterion/criterion.h>
#include <stdlib.h>

enum { GUARD = 80, ROOM = 400 };
static const unsigned widths[] = {64, 32, 16};
static const int64_t limits[] = {0, 256, INT64_MAX}; /* always, from 257 bytes on, never */

static KernelRunner opened(const char *text, unsigned vector_bytes) {
    KernelRunner runner;
    RunnerOptions options = {.vector_bytes = vector_bytes, .wants_assembly = true};
    cr_assert(runner_open_text(&runner, text, options), "%s", runner.message);
    return runner;
}

static int count_of(const char *text, const char *word) {
    int count = 0;
    for (; (text = strstr(text, word)); text++)
        count++;
    return count;
}

/* Every dtype size; results begin at any element of a line, as those of a view would. */
Test(kernel_stream, every_length_offset_and_width) {
    for (int width = 0; width < 3; width++) {
        KernelRunner r =
            opened("kernel k(x: buffer f32, d: buffer f64, b: buffer i8, from: i64, n: i64,"
                   "         y: out buffer f32, z: out buffer f64, c: out buffer i8) {"
                   "  stream y, n by n  stream z, n by n  stream c, n by n"
                   "  for.parallel p in 0 .. 2 {"
                   "    for.vector i in p * 160 .. minimum(n, p * 160 + 160) { y[from + i] = x[i] * 2 + 1 }"
                   "    for.vector i in p * 160 .. minimum(n, p * 160 + 160) { z[from + i] = d[i] - 1 }"
                   "  }"
                   "  for.vector i in 0 .. n { c[from + i] = b[i] + 1 }"
                   "}",
                   widths[width]);
        cr_expect(count_of(r.assembly, "movnt") >= 3);
        cr_expect(count_of(r.assembly, "mfence") == 2, "one in the loop's body, one outside");
        _Alignas(64) float x[ROOM], y[ROOM];
        _Alignas(64) double d[ROOM], z[ROOM];
        _Alignas(64) int8_t b[ROOM], c[ROOM];
        for (int i = 0; i < ROOM; i++)
            x[i] = (float)i, d[i] = i * 0.5, b[i] = (int8_t)(i % 100);
        for (int64_t n = 0; n < 300; n += n < 70 ? 1 : 23)
            for (int64_t from = 0; from < GUARD; from += from < 17 ? 1 : 16)
                for (int limit = 0; limit < 3; limit++) {
                    RunnerContext context = {.ctx = {.stream_bytes = limits[limit]}, .chunks = 2};
                    for (int i = 0; i < ROOM; i++)
                        y[i] = -7, z[i] = -7, c[i] = -7;
                    cr_assert(runner_call(&r, &context,
                                          (int64_t[]){address(x), address(d), address(b), from, n, address(y),
                                                      address(z), address(c)}) == 0);
                    for (int64_t i = 0; i < ROOM; i++) {
                        bool is_inside = i >= from && i < from + n;
                        cr_assert_eq(y[i], is_inside ? x[i - from] * 2 + 1 : -7);
                        cr_assert_eq(z[i], is_inside ? d[i - from] - 1 : -7);
                        cr_assert_eq(c[i], is_inside ? b[i - from] + 1 : -7);
                    }
                }
        runner_close(&r);
    }
}

/* Rows whose length is no multiple of a line, and of one that is. */
Test(kernel_stream, rows) {
    KernelRunner r = opened("kernel k(x: buffer f32, r: i64, n: i64, y: out buffer f32) {"
                            "  stream y, r * n by n"
                            "  for.parallel i in 0 .. r { for.vector j in 0 .. n {"
                            "    let t: f32 = x[j]  y[i * n + j] = t + f32(i) } } }",
                            64);
    cr_expect(count_of(r.assembly, "movnt") >= 1);
    RunnerContext context = {.chunks = 3};
    static float x[200];
    float *y = aligned_alloc(64, 8192);
    for (int i = 0; i < 200; i++)
        x[i] = (float)(i * i);
    for (int64_t n = 0; n < 200; n++) {
        runner_call(&r, &context, (int64_t[]){address(x), 10, n, address(y)});
        for (int64_t i = 0; i < 10 * n; i++)
            cr_assert_eq(y[i], x[i % n] + (float)(i / n));
    }
    free(y);
    runner_close(&r);
}

/* Two axes that run as one are one run, whatever their length. */
Test(kernel_stream, one_run_of_two_axes_needs_no_whole_lines) {
    KernelRunner one = opened("kernel k(r: i64, n: i64, y: out buffer f32) { stream y, r * n by r * n"
                              "  for.vector i in 0 .. r * n { y[i] = 1 } }",
                              64);
    KernelRunner rows = opened("kernel k(r: i64, n: i64, y: out buffer f32) { stream y, r * n by n"
                               "  for.vector i in 0 .. r * n { y[i] = 1 } }",
                               64);
    cr_expect(strlen(one.assembly) < strlen(rows.assembly), "rows check the length of a run");
    runner_close(&one);
    runner_close(&rows);
}

/* A result that takes over its operand's buffer reads each element before it is written. */
Test(kernel_stream, in_place) {
    KernelRunner r = opened("kernel k(x: buffer f64, n: i64, y: out alias buffer f64) {"
                            "  stream y, n by n"
                            "  for.parallel c in 0 .. 1 { for.vector i in 0 .. n { y[i] = x[i] * 3 } } }",
                            64);
    RunnerContext context = {0};
    _Alignas(64) double x[100];
    for (int i = 0; i < 100; i++)
        x[i] = i;
    runner_call(&r, &context, (int64_t[]){address(x), 100, address(x)});
    for (int i = 0; i < 100; i++)
        cr_assert_eq(x[i], 3 * i);
    runner_close(&r);
}

/* Stores that do not begin where the loop does, under conditions, at computed places, or far apart. */
static const char *const not_streaming[] = {
    "for.vector i in 0 .. n { y[i] = 1  if b { y[i + 1] = 2 } }",
    "for.vector i in 0 .. n { let k: i64 = i + p[i]  y[k] = 3 }",
    "for.vector i in 0 .. n { let k: i64 = n - n + 1  y[i + k] = 4 }",
    "for.vector i in 0 .. n { y[i * 2] = 5 }",
    "for.vector i in 0 .. n { y[n - i] = 6 }",
    "for.serial i in 0 .. n { y[i] = 7 }",
    "for.vector i in 0 .. n step 2 { y[i] = 8 }",
    "for.vector i in 0 .. n { w[i] = 9 }",
};

Test(kernel_stream, other_stores_are_plain) {
    for (size_t i = 0; i < sizeof not_streaming / sizeof *not_streaming; i++) {
        Arena arena;
        arena_init(&arena, NULL);
        const char *text =
            arena_format(&arena,
                         "kernel k(p: buffer i64, n: i64, b: bool, y: out buffer f32, w: out buffer f32) {"
                         " stream y, n by n %s }",
                         not_streaming[i]);
        KernelRunner r = opened(text, 64);
        cr_expect(count_of(r.assembly, "movnt") == 0, "%s", text);
        cr_expect(count_of(r.assembly, "mfence") == 0, "%s", text);
        RunnerContext context = {0};
        _Alignas(64) int64_t p[100] = {0};
        _Alignas(64) float y[256], w[256];
        cr_expect(runner_call(&r, &context, (int64_t[]){address(p), 100, 1, address(y), address(w)}) == 0);
        runner_close(&r);
        arena_free(&arena);
    }
}
