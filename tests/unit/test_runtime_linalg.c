/* Copies, products, solve and cholesky against plain loops, for many dtypes, shapes and layouts,
 * and with the same bits for any number of threads. */
#include "runtime/rt/internal.h"

#include "tests/unit/rt_support.h"

#include <criterion/criterion.h>
#include <math.h>

Test(runtime_copy, random_layouts_match_plain_loops) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    RtRandom random = {1};
    const int32_t dtypes[] = {RT_bool, RT_u16, RT_f32, RT_f64, RT_c128};
    for (int round = 0; round < 400; round++) {
        int32_t rank = (int32_t)rt_random_between(&random, 0, 5), dtype = dtypes[round % 5];
        int64_t shape[GMXRT_MAX_RANK];
        for (int32_t i = 0; i < rank; i++) {
            shape[i] = rt_random_between(&random, round % 20 == 0 ? 0 : 1, rank < 3 ? 150 : 9);
        }
        gmxrt_set_threads(1 + round % 3);
        RtLayout from = rt_layout(&random, dtype, rank, shape, round % 4 != 0);
        RtLayout to = rt_layout(&random, dtype, rank, shape, round % 3 != 0);
        for (size_t i = 0; i < from.bytes; i++) {
            from.memory[i] = (char)rt_random(&random);
        }
        cr_assert_eq(gmxrt_copy(ctx, &from.view, &to.view, 0), 0);
        int64_t index[GMXRT_MAX_RANK] = {0};
        size_t size = (size_t)rt_dtype_info[dtype].bytes, others = to.bytes;
        if (rt_count(&to.view) > 0) {
            do {
                cr_assert_arr_eq(rt_element(&from.view, index), rt_element(&to.view, index), size);
                others -= size;
                memset(rt_element(&to.view, index), 0xA5, size);
            } while (rt_next_index(&to.view, index));
        }
        for (size_t i = 0; i < to.bytes; i++) {
            cr_assert_eq((uint8_t)to.memory[i], 0xA5, "wrote outside of the view");
        }
        free(from.memory);
        free(to.memory);
    }
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_copy, repeated_sources_and_big_transpositions) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    int64_t shape[] = {700, 900};
    gmxrt_tensor *x = gmxrt_tensor_new(ctx, RT_f32, 2, shape, 0);
    gmxrt_tensor *y = gmxrt_tensor_new(ctx, RT_f32, 2, shape, 0);
    float *values = x->data, *out = y->data;
    for (int64_t i = 0; i < 700 * 900; i++) {
        values[i] = (float)i;
    }
    gmxrt_view from = gmxrt_view_of(x), to = gmxrt_view_of(y);
    from.strides[0] = 1, from.strides[1] = 700;
    cr_assert_eq(gmxrt_copy(ctx, &from, &to, 0), 0);
    for (int64_t i = 0; i < 700; i++) {
        for (int64_t j = 0; j < 900; j++) {
            cr_assert_eq(out[i * 900 + j], (float)(j * 700 + i));
        }
    }
    from.strides[0] = 0, from.strides[1] = 2;
    from.shape[1] = to.shape[1] = 300;
    cr_assert_eq(gmxrt_copy(ctx, &from, &to, 0), 0);
    for (int64_t i = 0; i < 700; i++) {
        for (int64_t j = 0; j < 300; j++) {
            cr_assert_eq(out[i * 900 + j], (float)(j * 2));
        }
    }
    to.shape[1] = 5;
    cr_assert_eq(gmxrt_copy(ctx, &from, &to, 9), 1);
    cr_assert_eq(ctx->error.code, RT_E0301);
    gmxrt_tensor_release(x);
    gmxrt_tensor_release(y);
    gmxrt_ctx_destroy(ctx);
}

/* ---- products ------------------------------------------------------------------------------- */

static void fill(RtRandom *random, RtLayout *layout) {
    int64_t index[GMXRT_MAX_RANK] = {0};
    if (rt_count(&layout->view) == 0) {
        return;
    }
    bool whole = layout->view.dtype <= RT_i64;
    do {
        double value = (double)rt_random_between(random, -1000, 1000) / (whole ? 1 : 512);
        value = layout->view.dtype == RT_u64 ? fabs(value) : value; /* doubles carry the test's values */
        rt_set(rt_element(&layout->view, index), layout->view.dtype,
               layout->view.dtype == RT_bool ? rt_random(random) % 4 == 0 : value);
    } while (rt_next_index(&layout->view, index));
}

/* The value that one element must have, and the bound on its error. */
static double expected_element(const gmxrt_view *a, const gmxrt_view *b, const int64_t *at, int32_t rank,
                               double *bound) {
    int64_t in_a[GMXRT_MAX_RANK], in_b[GMXRT_MAX_RANK];
    memcpy(in_a, at, sizeof in_a);
    memcpy(in_b, at, sizeof in_b);
    double sum = 0, magnitude = 0;
    uint64_t wrapped = 0;
    for (int64_t p = 0; p < a->shape[rank - 1]; p++) {
        in_a[rank - 1] = p;
        in_b[rank - 2] = p;
        double x = rt_get(rt_element(a, in_a), a->dtype), y = rt_get(rt_element(b, in_b), b->dtype);
        sum += x * y;
        magnitude += fabs(x * y);
        wrapped += (uint64_t)(int64_t)x * (uint64_t)(int64_t)y;
    }
    double epsilon = a->dtype == RT_f64 ? 0x1p-52 : 0x1p-23;
    double rounding = a->dtype == RT_f16 ? 0x1p-11 : a->dtype == RT_bf16 ? 0x1p-8 : 0;
    *bound =
        magnitude * epsilon * (double)(a->shape[rank - 1] + 1) + fabs(sum) * rounding + 1e-7 * (rounding > 0);
    if (a->dtype > RT_i64) {
        return sum;
    }
    *bound = 0;
    switch (a->dtype) {
    case RT_bool:
        return sum != 0;
    case RT_u8:
        return (uint8_t)wrapped;
    case RT_u16:
        return (uint16_t)wrapped;
    case RT_u32:
        return (uint32_t)wrapped;
    case RT_u64:
        return (double)wrapped;
    case RT_i8:
        return (int8_t)wrapped;
    case RT_i16:
        return (int16_t)wrapped;
    case RT_i32:
        return (int32_t)wrapped;
    default:
        return (double)(int64_t)wrapped;
    }
}

static void check_product(const gmxrt_view *a, const gmxrt_view *b, const gmxrt_view *out) {
    int64_t index[GMXRT_MAX_RANK] = {0};
    if (rt_count(out) == 0) {
        return;
    }
    do {
        double bound, expected = expected_element(a, b, index, out->rank, &bound);
        double actual = rt_get(rt_element(out, index), out->dtype);
        cr_assert(fabs(actual - expected) <= bound, "%s [%lld x %lld x %lld]: %.17g, expected %.17g",
                  rt_dtype_info[out->dtype].name, (long long)out->shape[out->rank - 2],
                  (long long)out->shape[out->rank - 1], (long long)a->shape[a->rank - 1], actual, expected);
    } while (rt_next_index(out, index));
}

/* One product in random layouts, at 1, 2 and 3 threads: right, and the same bits. */
static void try_product(gmxrt_ctx *ctx, RtRandom *random, int32_t dtype, int32_t batch_rank,
                        const int64_t *batch, int64_t m, int64_t n, int64_t k, bool wild) {
    int32_t rank = batch_rank + 2;
    int64_t shape_a[GMXRT_MAX_RANK], shape_b[GMXRT_MAX_RANK], shape_out[GMXRT_MAX_RANK];
    for (int32_t i = 0; i < batch_rank; i++) {
        shape_a[i] = shape_b[i] = shape_out[i] = batch[i];
    }
    shape_a[rank - 2] = shape_out[rank - 2] = m;
    shape_a[rank - 1] = shape_b[rank - 2] = k;
    shape_b[rank - 1] = shape_out[rank - 1] = n;
    RtLayout a = rt_layout(random, dtype, rank, shape_a, wild);
    RtLayout b = rt_layout(random, dtype, rank, shape_b, wild);
    RtLayout out = rt_layout(random, dtype, rank, shape_out, wild && rt_random(random) % 2);
    for (int32_t i = 0; i < batch_rank; i++) { /* some operands are repeated over the batch */
        a.view.strides[i] = rt_random(random) % 4 == 0 && a.view.strides[i] > 0 ? 0 : a.view.strides[i];
        b.view.strides[i] = rt_random(random) % 3 == 0 && b.view.strides[i] > 0 ? 0 : b.view.strides[i];
    }
    fill(random, &a);
    fill(random, &b);
    char *first = NULL;
    for (int threads = 1; threads <= 3; threads++) {
        gmxrt_set_threads(threads);
        memset(out.memory, 0xA5, out.bytes);
        cr_assert_eq(gmxrt_matmul(ctx, &a.view, &b.view, &out.view, 0), 0, "%s", ctx->error.message);
        if (!first) {
            check_product(&a.view, &b.view, &out.view);
            first = malloc(out.bytes);
            memcpy(first, out.memory, out.bytes);
        }
        cr_assert_arr_eq(first, out.memory, out.bytes, "other bits at %d threads", threads);
    }
    free(first);
    free(a.memory);
    free(b.memory);
    free(out.memory);
}

static const int32_t product_dtypes[] = {RT_bool, RT_u8,  RT_u16, RT_u32,  RT_u64, RT_i8, RT_i16,
                                         RT_i32,  RT_i64, RT_f16, RT_bf16, RT_f32, RT_f64};
enum { PRODUCT_DTYPES = sizeof product_dtypes / sizeof *product_dtypes };

static void try_products(void) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    RtRandom random = {2};
    static const int64_t shapes[][3] = {{1, 1, 1},    {3, 5, 7},   {0, 4, 3},  {4, 0, 3},
                                        {4, 5, 0},    {1, 40, 9},  {40, 1, 9}, {17, 33, 65},
                                        {64, 64, 64}, {2, 300, 5}, {300, 2, 5}};
    for (int d = 0; d < PRODUCT_DTYPES; d++) {
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            for (int wild = 0; wild < 3; wild++) {
                const int64_t *shape = shapes[s];
                try_product(ctx, &random, product_dtypes[d], 0, NULL, shape[0], shape[1], shape[2], wild);
                int64_t batch[] = {2, wild == 2 ? 0 : 3};
                try_product(ctx, &random, product_dtypes[d], 1 + wild % 2, batch, shape[0], shape[1],
                            shape[2], wild);
            }
        }
    }
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_matmul, every_dtype_shape_and_layout) {
    try_products();
}

Test(runtime_matmul, every_dtype_shape_and_layout_without_openblas) {
    setenv("GMX_OPENBLAS", "none", 1); /* each test is a process of its own */
    try_products();
}

Test(runtime_matmul, split_products_have_the_same_bits) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    RtRandom random = {3};
    for (int wild = 0; wild < 2; wild++) {
        try_product(ctx, &random, RT_f32, 0, NULL, 1111, 130, 97, wild);
        try_product(ctx, &random, RT_f32, 0, NULL, 30, 1500, 60, wild);
        try_product(ctx, &random, RT_f64, 0, NULL, 700, 513, 33, wild);
        try_product(ctx, &random, RT_f64, 0, NULL, 3000, 1, 257, wild);
        try_product(ctx, &random, RT_f32, 0, NULL, 1, 3000, 257, wild);
        try_product(ctx, &random, RT_i32, 0, NULL, 200, 300, 70, wild);
        try_product(ctx, &random, RT_bf16, 0, NULL, 600, 130, 70, wild);
        try_product(ctx, &random, RT_f32, 1, (int64_t[]){40}, 30, 20, 50, wild);
    }
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_matmul, fewer_batch_axes_and_errors) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    double values[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, result[8];
    gmxrt_view a = {values, RT_f64, 3, {2, 2, 2}, {4, 2, 1}};
    gmxrt_view b = {values, RT_f64, 2, {2, 2}, {2, 1}};
    gmxrt_view out = {result, RT_f64, 3, {2, 2, 2}, {4, 2, 1}};
    cr_assert_eq(gmxrt_matmul(ctx, &a, &b, &out, 0), 0);
    const double expected[8] = {7, 10, 15, 22, 23, 34, 31, 46};
    cr_assert_arr_eq(result, expected, sizeof expected);
    b.shape[0] = 3;
    cr_assert_eq(gmxrt_matmul(ctx, &a, &b, &out, 11), 1);
    cr_assert_eq(ctx->error.code, RT_E0301);
    cr_assert_eq(ctx->error.span, 11);
    cr_assert_str_eq(ctx->error.message, "the inner sizes of `@` differ: 2 and 3");
    gmxrt_ctx_destroy(ctx);
}

/* ---- solve and cholesky ---------------------------------------------------------------------- */

/* A well-conditioned a [batch, n, n] in some layout: small random entries and a heavy diagonal. */
static RtLayout make_system(RtRandom *random, int32_t dtype, int64_t batch, int64_t n, int64_t columns,
                            bool diagonal) {
    RtLayout layout = rt_layout(random, dtype, 3, (int64_t[]){batch, n, columns}, true);
    int64_t index[GMXRT_MAX_RANK] = {0};
    do {
        double value = (double)rt_random_between(random, -1000, 1000) / 1000;
        if (diagonal && index[1] == index[2]) {
            value += (double)n;
        }
        rt_set(rt_element(&layout.view, index), dtype, value);
    } while (rt_next_index(&layout.view, index));
    return layout;
}

Test(runtime_solve, residuals_are_small_in_batches_and_layouts) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    RtRandom random = {4};
    const int64_t sizes[] = {1, 2, 5, 33, 100};
    for (int round = 0; round < 40; round++) {
        int32_t dtype = round % 2 ? RT_f32 : RT_f64;
        int64_t n = sizes[round % 5], k = 1 + round % 3, batch = 1 + round % 4;
        gmxrt_set_threads(1 + round % 3);
        RtLayout a = make_system(&random, dtype, batch, n, n, true);
        RtLayout b = make_system(&random, dtype, batch, n, k, false);
        RtLayout x = rt_layout(&random, dtype, 3, (int64_t[]){batch, n, k}, true);
        cr_assert_eq(gmxrt_solve(ctx, &a.view, &b.view, &x.view, 0), 0, "%s", ctx->error.message);
        cr_assert_eq(gmxrt_warning_count(ctx), 0);
        int64_t at[GMXRT_MAX_RANK] = {0};
        do {
            double sum = 0;
            for (int64_t p = 0; p < n; p++) {
                sum += rt_get(rt_element(&a.view, (int64_t[]){at[0], at[1], p}), dtype) *
                       rt_get(rt_element(&x.view, (int64_t[]){at[0], p, at[2]}), dtype);
            }
            double error = fabs(sum - rt_get(rt_element(&b.view, at), dtype));
            cr_assert_lt(error, dtype == RT_f32 ? 1e-5 : 1e-13);
        } while (rt_next_index(&b.view, at));
        free(a.memory);
        free(b.memory);
        free(x.memory);
    }
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_solve, singular_and_nearly_singular) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    double a[9] = {1, 2, 3, 2, 4, 6, 1, 0, 1}, b[3] = {1, 2, 3}, x[3] = {-1, -1, -1};
    gmxrt_view va = {a, RT_f64, 2, {3, 3}, {3, 1}}, vb = {b, RT_f64, 2, {3, 1}, {1, 1}};
    gmxrt_view vx = {x, RT_f64, 2, {3, 1}, {1, 1}};
    cr_assert_eq(gmxrt_solve(ctx, &va, &vb, &vx, 99), 1);
    cr_assert_eq(ctx->error.code, RT_E0304);
    cr_assert_eq(ctx->error.span, 99);
    cr_assert_str_eq(ctx->error.message, "the matrix is singular: pivot 3 of 3 is zero");
    cr_assert_eq(x[0], -1, "nothing is written");
    gmxrt_ctx_clear(ctx);
    a[3] = 2 + 4e-16;
    cr_assert_eq(gmxrt_solve(ctx, &va, &vb, &vx, 98), 0);
    cr_assert_eq(gmxrt_warning_count(ctx), 1);
    cr_assert_eq(gmxrt_warning_get(ctx, 0)->span, 98);
    double many[8] = {1, 0, 0, 1, 1, 1, 1, 1};
    gmxrt_view vm = {many, RT_f64, 3, {2, 2, 2}, {4, 2, 1}}, vr = {b, RT_f64, 3, {2, 2, 1}, {0, 1, 1}};
    double y[4];
    gmxrt_view vy = {y, RT_f64, 3, {2, 2, 1}, {2, 1, 1}};
    cr_assert_eq(gmxrt_solve(ctx, &vm, &vr, &vy, 0), 1);
    cr_assert_str_eq(ctx->error.message, "the matrix is singular (batch 1): pivot 2 of 2 is zero");
    gmxrt_ctx_clear(ctx);
    va.shape[1] = 2;
    cr_assert_eq(gmxrt_solve(ctx, &va, &vb, &vx, 0), 1);
    cr_assert_eq(ctx->error.code, RT_E0301);
    gmxrt_ctx_clear(ctx);
    gmxrt_view empty = {a, RT_f64, 2, {0, 0}, {1, 1}}, none = {b, RT_f64, 2, {0, 1}, {1, 1}};
    cr_assert_eq(gmxrt_solve(ctx, &empty, &none, &none, 0), 0);
    double nan_matrix[1] = {NAN};
    gmxrt_view vn = {nan_matrix, RT_f64, 2, {1, 1}, {1, 1}}, one = {x, RT_f64, 2, {1, 1}, {1, 1}};
    cr_assert_eq(gmxrt_solve(ctx, &vn, &one, &one, 0), 0);
    cr_assert(isnan(x[0]));
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_solve, a_missing_library_is_a_clear_error) {
    setenv("GMX_OPENBLAS", "none", 1);
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    double a[1] = {2}, b[1] = {1};
    gmxrt_view va = {a, RT_f64, 2, {1, 1}, {1, 1}}, vb = {b, RT_f64, 2, {1, 1}, {1, 1}};
    cr_assert_eq(gmxrt_solve(ctx, &va, &vb, &vb, 0), 1);
    cr_assert_eq(ctx->error.code, RT_E0501);
    cr_assert(strstr(ctx->error.message, "libopenblas"));
    cr_assert(strstr(ctx->error.hint, "apt install"));
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_cholesky, factors_multiply_back) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    RtRandom random = {5};
    for (int round = 0; round < 20; round++) {
        int32_t dtype = round % 2 ? RT_f32 : RT_f64;
        int64_t n = 1 + round * 3, batch = 1 + round % 3;
        RtLayout a = make_system(&random, dtype, batch, n, n, true);
        RtLayout l = rt_layout(&random, dtype, 3, (int64_t[]){batch, n, n}, true);
        cr_assert_eq(gmxrt_cholesky(ctx, &a.view, &l.view, 0), 0, "%s", ctx->error.message);
        int64_t at[GMXRT_MAX_RANK] = {0};
        do {
            if (at[2] > at[1]) { /* the upper triangle of a is not read */
                cr_assert_eq(rt_get(rt_element(&l.view, at), dtype), 0);
                continue;
            }
            double sum = 0;
            for (int64_t p = 0; p < n; p++) {
                sum += rt_get(rt_element(&l.view, (int64_t[]){at[0], at[1], p}), dtype) *
                       rt_get(rt_element(&l.view, (int64_t[]){at[0], at[2], p}), dtype);
            }
            double error = fabs(sum - rt_get(rt_element(&a.view, at), dtype));
            cr_assert_lt(error, (double)n * (dtype == RT_f32 ? 1e-6 : 1e-14));
        } while (rt_next_index(&a.view, at));
        free(a.memory);
        free(l.memory);
    }
    double bad[4] = {1, 2, 2, 1}, out[4];
    gmxrt_view va = {bad, RT_f64, 2, {2, 2}, {2, 1}}, vo = {out, RT_f64, 2, {2, 2}, {2, 1}};
    cr_assert_eq(gmxrt_cholesky(ctx, &va, &vo, 3), 1);
    cr_assert_eq(ctx->error.code, RT_E0304);
    cr_assert_str_eq(ctx->error.message,
                     "the matrix is not positive definite: its leading part of 2 x 2 is not");
    gmxrt_ctx_destroy(ctx);
}

/* ---- memory that cannot be had ----------------------------------------------------------------- */

typedef int32_t (*Operation)(gmxrt_ctx *ctx, const gmxrt_view *a, const gmxrt_view *out);

static int32_t do_product(gmxrt_ctx *ctx, const gmxrt_view *a, const gmxrt_view *out) {
    return gmxrt_matmul(ctx, a, a, out, 77);
}

static int32_t do_solve(gmxrt_ctx *ctx, const gmxrt_view *a, const gmxrt_view *out) {
    return gmxrt_solve(ctx, a, a, out, 77);
}

static int32_t do_cholesky(gmxrt_ctx *ctx, const gmxrt_view *a, const gmxrt_view *out) {
    return gmxrt_cholesky(ctx, a, out, 77);
}

/* Raises the cap by 64 bytes, the smallest class, until the operation succeeds. */
static void starve(Operation operation, int32_t dtype) {
    RtRandom random = {8};
    RtLayout a = make_system(&random, dtype, 2, 9, 9, true);
    RtLayout out = rt_layout(&random, dtype, 3, (int64_t[]){2, 9, 9}, true);
    a.view.strides[2] *= -1; /* a layout that BLAS cannot take */
    a.view.data = (char *)a.view.data - 8 * a.view.strides[2] * rt_dtype_info[dtype].bytes;
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    int failures = 0;
    for (int64_t cap = 64;; cap += 64) {
        gmxrt_memory_statistics statistics;
        gmxrt_memory_trim(ctx);
        gmxrt_memory_set_cap(ctx, cap);
        int32_t failed = operation(ctx, &a.view, &out.view);
        gmxrt_memory_get_statistics(ctx, &statistics);
        cr_assert_eq(statistics.bytes_in_use, 0, "something was not given back");
        cr_assert_leq(statistics.bytes_cached, cap);
        if (!failed || ctx->error.code == RT_E0304) {
            break;
        }
        cr_assert_eq(ctx->error.code, RT_E0306, "%s", ctx->error.message);
        cr_assert_eq(ctx->error.span, 77);
        gmxrt_ctx_clear(ctx);
        cr_assert_lt(++failures, 1000);
    }
    cr_assert_gt(failures, 3);
    free(a.memory);
    free(out.memory);
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_linalg, lack_of_memory_is_an_error_at_every_allocation) {
    for (int threads = 1; threads <= 2; threads++) {
        gmxrt_set_threads(threads);
        starve(do_product, RT_bf16);
        starve(do_product, RT_f32);
        starve(do_product, RT_i64);
        starve(do_solve, RT_f64);
        starve(do_cholesky, RT_f32);
    }
}

/* ---- who computes a product -------------------------------------------------------------------- */

static gmxrt_kernel make_nothing(gmxrt_lazy_kernel *lazy, int32_t only_if_cached) {
    (void)lazy;
    (void)only_if_cached;
    return NULL;
}

static int32_t count_rows(gmxrt_ctx *ctx, const int64_t *arguments) {
    (void)ctx;
    __atomic_fetch_add((int64_t *)(uintptr_t)arguments[4], arguments[1] - arguments[0], __ATOMIC_RELAXED);
    return 0;
}

/* Loops on the pool that f32 ones [batches, m, k] @ [batches, k, n] with an epilogue take. */
static uint32_t loops_of(gmxrt_ctx *ctx, int64_t batches, int64_t m, int64_t k, int64_t n) {
    const int64_t shapes[3][3] = {{batches, m, k}, {batches, k, n}, {batches, m, n}};
    gmxrt_tensor *tensors[3];
    gmxrt_view views[3];
    for (int i = 0; i < 3; i++) {
        tensors[i] = gmxrt_tensor_new(ctx, RT_f32, 3, shapes[i], 0);
        views[i] = gmxrt_view_of(tensors[i]);
        float *data = tensors[i]->data;
        for (int64_t j = 0; j < rt_count(&views[i]); j++) {
            data[j] = 1;
        }
    }
    gmxrt_lazy_kernel own = {.make = make_nothing};
    int64_t rows = 0, arguments[5] = {[4] = (int64_t)(uintptr_t)&rows};
    uint32_t before = pool_loops(ctx->pool);
    cr_assert_eq(gmxrt_product(ctx, &views[0], &views[1], &views[2], &own, count_rows, arguments, 5, 0), 0);
    uint32_t loops = pool_loops(ctx->pool) - before;
    cr_assert_geq(rows, batches * m);
    for (int64_t j = 0; j < rt_count(&views[2]); j++) {
        cr_assert_eq(((float *)tensors[2]->data)[j], (float)k);
    }
    for (int i = 0; i < 3; i++) {
        gmxrt_tensor_release(tensors[i]);
    }
    return loops;
}

Test(runtime_product, small_ones_wake_nobody) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    gmxrt_set_threads(2);
    static const int64_t small[][4] = {{1, 1, 784, 512}, {1, 1, 512, 10}, {1, 512, 784, 1},
                                       {1, 32, 512, 10}, {1, 64, 64, 64}, {100, 16, 16, 16},
                                       {1, 3, 5, 7},     {2, 64, 64, 64}};
    for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
        const int64_t *s = small[i];
        cr_expect_eq(loops_of(ctx, s[0], s[1], s[2], s[3]), 0, "%ld times %ld, %ld, %ld", (long)s[0],
                     (long)s[1], (long)s[2], (long)s[3]);
    }
    cr_expect_eq(loops_of(ctx, 64, 64, 64, 64), 1);
    cr_expect_eq(loops_of(ctx, 1, 32, 784, 512), 1);
    gmxrt_ctx_destroy(ctx);
}
