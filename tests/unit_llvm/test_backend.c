/* Host programs through the LLVM back end: hand-built IR functions compiled and run in this process. */
#include "tests/unit_llvm/support.h"
#include <criterion/criterion.h>
#include <pthread.h>

static Name text(Bench *bench, const char *string) {
    return intern_text(&bench->names, string);
}

static IrNode *scalar_parameter(Bench *bench, IrBuilder *b, const char *name) {
    return ir_parameter(b, text(bench, name), DTYPE_i64, 0, NULL, NULL);
}

static IrNode *matrix_parameter(Bench *bench, IrBuilder *b, const char *name) {
    return ir_parameter(b, text(bench, name), DTYPE_f64, 2, NULL, NULL);
}

/* f(x) = (x * factor + 7) // divisor */
static CompiledFunction compile_affine(Bench *bench, int64_t factor, int64_t divisor) {
    IrBuilder b = bench_function(bench, "affine");
    IrNode *x = scalar_parameter(bench, &b, "x");
    IrNode *y = ir_binary(&b, OP_mul, x, ir_const_i64(&b, factor));
    y = ir_binary(&b, OP_add, y, ir_const_i64(&b, 7));
    y = ir_binary(&b, OP_floordiv, y, ir_const_i64(&b, divisor));
    ir_set_results(&b, &y, 1);
    return bench_compile(bench);
}

Test(host, scalar_arithmetic) {
    Bench bench;
    bench_begin(&bench, NULL);
    CompiledFunction f = compile_affine(&bench, 3, 2);
    for (int64_t x = -20; x < 20; x++) {
        int64_t y = 3 * x + 7, expected = y >= 0 || y % 2 == 0 ? y / 2 : y / 2 - 1;
        cr_assert_eq(bench_call1(&bench, f, x), expected);
    }
    bench_end(&bench);
}

Test(host, division_by_zero_has_code_and_place) {
    Bench bench;
    bench_begin(&bench, NULL);
    for (uint32_t place = 10; place < 30; place += 10) { /* the place is data: one compilation */
        IrBuilder b = bench_function(&bench, "divide");
        IrNode *x = scalar_parameter(&bench, &b, "x");
        b.span = (Span){place, place + 5};
        IrNode *y = ir_binary(&b, OP_mod, ir_const_i64(&b, 100), x);
        ir_set_results(&b, &y, 1);
        CompiledFunction f = bench_compile(&bench);
        cr_assert_eq(bench_call1(&bench, f, 7), 100 % 7);
        cr_assert_eq(bench_call1(&bench, f, 0), -1);
        cr_assert_eq(bench.ctx->error.code, DIAG_E0303);
        cr_assert_eq(bench.ctx->error.span, place | (uint64_t)(place + 5) << 32);
    }
    cr_assert_eq(bench_statistics(&bench).functions_compiled, 1);
    bench_end(&bench);
}

Test(host, constants_are_not_in_the_code) {
    Bench bench;
    bench_begin(&bench, NULL);
    CompiledFunction first = compile_affine(&bench, 100, 3), second = compile_affine(&bench, 2000, 3);
    CompiledFunction again = compile_affine(&bench, 100, 3);
    cr_assert_eq(bench_statistics(&bench).functions_compiled, 1);
    cr_assert_eq(bench_statistics(&bench).memory_hits, 2);
    cr_assert(first == again && first != second);
    cr_assert_eq(bench_call1(&bench, first, 5), 507 / 3);
    cr_assert_eq(bench_call1(&bench, second, 5), 10007 / 3);
    for (int64_t factor = 8; factor < 1000; factor++) /* more thunks than one page holds */
        cr_assert_eq(bench_call1(&bench, compile_affine(&bench, factor, 3), 10), (10 * factor + 7) / 3);
    cr_assert_eq(bench_statistics(&bench).functions_compiled, 1);
    cr_assert_eq(bench_call1(&bench, first, 6), 607 / 3);
    bench_end(&bench);
}

/* for i in 0 .. n { s = s * 3 + i } */
Test(host, scalar_loop) {
    Bench bench;
    bench_begin(&bench, NULL);
    IrBuilder b = bench_function(&bench, "loop");
    IrNode *n = scalar_parameter(&bench, &b, "n");
    IrRegion *body = ir_region_new(b.function, b.region);
    IrBuilder inner = ir_builder_at(b.function, body);
    IrNode *i = scalar_parameter(&bench, &inner, "i"), *s = scalar_parameter(&bench, &inner, "s");
    IrNode *next = ir_binary(&inner, OP_add, ir_binary(&inner, OP_mul, s, ir_const_i64(&inner, 3)), i);
    ir_set_results(&inner, &next, 1);
    IrNode *initial = ir_const_i64(&b, 1);
    IrNode *loop = ir_for(&b, ir_const_i64(&b, 0), n, &initial, 1, body);
    ir_set_results(&b, &loop, 1);
    CompiledFunction f = bench_compile(&bench);
    for (int64_t count = 0; count <= 5000; count += 1250) {
        uint64_t expected = 1;
        for (int64_t k = 0; k < count; k++)
            expected = expected * 3 + (uint64_t)k;
        cr_assert_eq(bench_call1(&bench, f, count), (int64_t)expected);
    }
    bench.ctx->interrupt = 1;
    cr_assert_eq(bench_call1(&bench, f, 10), -1);
    cr_assert_eq(bench.ctx->error.code, DIAG_E0308);
    bench.ctx->interrupt = 0;
    bench_end(&bench);
}

/* steps of the Collatz sequence from x to 1: while with a branch inside */
Test(host, while_and_if) {
    Bench bench;
    bench_begin(&bench, NULL);
    IrBuilder b = bench_function(&bench, "collatz");
    IrNode *x = scalar_parameter(&bench, &b, "x");
    IrRegion *condition = ir_region_new(b.function, b.region), *body = ir_region_new(b.function, b.region);
    IrBuilder c = ir_builder_at(b.function, condition), d = ir_builder_at(b.function, body);
    IrNode *value = scalar_parameter(&bench, &c, "value");
    scalar_parameter(&bench, &c, "steps");
    IrNode *go_on = ir_binary(&c, OP_gt, value, ir_const_i64(&c, 1));
    ir_set_results(&c, &go_on, 1);
    value = scalar_parameter(&bench, &d, "value");
    IrNode *steps = scalar_parameter(&bench, &d, "steps");
    IrNode *odd = ir_binary(&d, OP_mod, value, ir_const_i64(&d, 2));
    odd = ir_binary(&d, OP_eq, odd, ir_const_i64(&d, 1));
    IrRegion *then_region = ir_region_new(d.function, body), *else_region = ir_region_new(d.function, body);
    IrBuilder t = ir_builder_at(d.function, then_region), e = ir_builder_at(d.function, else_region);
    IrNode *up = ir_binary(&t, OP_mul, value, ir_const_i64(&t, 3));
    up = ir_binary(&t, OP_add, up, ir_const_i64(&t, 1));
    ir_set_results(&t, &up, 1);
    IrNode *down = ir_binary(&e, OP_floordiv, value, ir_const_i64(&e, 2));
    ir_set_results(&e, &down, 1);
    IrNode *branch = ir_if(&d, odd, then_region, else_region);
    IrNode *yields[] = {branch, ir_binary(&d, OP_add, steps, ir_const_i64(&d, 1))};
    ir_set_results(&d, yields, 2);
    IrNode *initial[] = {x, ir_const_i64(&b, 0)};
    IrNode *loop = ir_while(&b, initial, 2, condition, body);
    IrNode *result = ir_result(&b, loop, 1);
    ir_set_results(&b, &result, 1);
    CompiledFunction f = bench_compile(&bench);
    for (int64_t start = 1; start < 100; start++) {
        int64_t count = 0;
        for (int64_t k = start; k > 1; count++)
            k = k % 2 ? 3 * k + 1 : k / 2;
        cr_assert_eq(bench_call1(&bench, f, start), count);
    }
    bench_end(&bench);
}

/* ---- tensors ----------------------------------------------------------------------------------------- */
static const double rotation[] = {0.6, -0.8, 0.8, 0.6};
static const int64_t two_by_two[] = {2, 2};

/* x = eye; for i in 0 .. n { check(i < limit); x = x @ a }; x */
static CompiledFunction compile_power(Bench *bench, bool hands_over) {
    IrBuilder b = bench_function(bench, "power");
    IrNode *a = matrix_parameter(bench, &b, "a"), *x = matrix_parameter(bench, &b, "x");
    IrNode *n = scalar_parameter(bench, &b, "n"), *limit = scalar_parameter(bench, &b, "limit");
    IrRegion *body = ir_region_new(b.function, b.region);
    IrBuilder inner = ir_builder_at(b.function, body);
    IrNode *i = scalar_parameter(bench, &inner, "i");
    IrNode *carried = ir_parameter(&inner, NULL, DTYPE_f64, 2, x->types[0].dims, NULL);
    IrNode *product = ir_matmul(&inner, carried, a);
    IrNode *fine = ir_binary(&inner, OP_lt, i, limit);
    inner.span = (Span){3, 4};
    product = ir_check_true(&inner, fine, product, DIAG_E0304, text(bench, "beyond the limit"));
    ir_set_results(&inner, &product, 1);
    if (hands_over) /* as the memory pass leaves it */
        x = ir_build_raw(
            &b,
            &(IrNodeSpec){
                .op = OP_retain, .operands = &x, .operand_count = 1, .types = x->types, .result_count = 1});
    IrNode *loop = ir_for(&b, ir_const_i64(&b, 0), n, &x, 1, body);
    ir_set_results(&b, &loop, 1);
    return bench_compile(bench);
}

static void run_power(Bench *bench, CompiledFunction f, int64_t n, int64_t limit) {
    static const double identity[] = {1, 0, 0, 1};
    gmxrt_tensor *parameters[] = {bench_f64(bench, 2, two_by_two, rotation),
                                  bench_f64(bench, 2, two_by_two, identity), bench_i64(bench, n),
                                  bench_i64(bench, limit)};
    gmxrt_tensor *result = NULL;
    gmxrt_ctx_clear(bench->ctx);
    int32_t status = f(bench->ctx, parameters, &result);
    if (n > limit) {
        cr_assert(status != 0 && !result);
        cr_assert_eq(bench->ctx->error.code, DIAG_E0304);
        cr_assert_str_eq(bench->ctx->error.message, "beyond the limit");
        cr_assert_eq(bench->ctx->error.span, 3 | (uint64_t)4 << 32);
    } else {
        cr_assert_eq(status, 0);
        double angle = (double)n * 0.9272952180016122; /* atan2(0.8, 0.6) */
        cr_assert_float_eq(bench_at(result, (int64_t[]){0, 0}), __builtin_cos(angle), 1e-12);
        cr_assert_float_eq(bench_at(result, (int64_t[]){1, 0}), __builtin_sin(angle), 1e-12);
        gmxrt_tensor_release(result);
    }
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(parameters[i]->references, 1);
        cr_assert_eq(parameters[i]->buffer->references, 1);
        gmxrt_tensor_release(parameters[i]);
    }
}

Test(host, carried_tensors_and_failures_release_everything) {
    Bench bench;
    bench_begin(&bench, NULL);
    for (int hands_over = 0; hands_over < 2; hands_over++) {
        CompiledFunction f = compile_power(&bench, hands_over);
        run_power(&bench, f, 0, 100);
        run_power(&bench, f, 1, 100);
        run_power(&bench, f, 33, 100);
        run_power(&bench, f, 9, 7);
        run_power(&bench, f, 1, 0);
    }
    bench_end(&bench);
}

/* if c { concat(a, a) } else { a.T } has extents known at run time only */
Test(host, branches_with_different_extents) {
    Bench bench;
    bench_begin(&bench, NULL);
    IrBuilder b = bench_function(&bench, "branch");
    IrNode *a = matrix_parameter(&bench, &b, "a"), *c = scalar_parameter(&bench, &b, "c");
    IrRegion *then_region = ir_region_new(b.function, b.region),
             *else_region = ir_region_new(b.function, b.region);
    IrBuilder t = ir_builder_at(b.function, then_region), e = ir_builder_at(b.function, else_region);
    IrNode *twice = ir_concat(&t, (IrNode *[]){a, a}, 2, 0);
    ir_set_results(&t, &twice, 1);
    IrNode *turned = ir_permute(&e, a, (uint32_t[]){1, 0});
    ir_set_results(&e, &turned, 1);
    IrNode *branch = ir_if(&b, ir_binary(&b, OP_ne, c, ir_const_i64(&b, 0)), then_region, else_region);
    IrNode *result = ir_result(&b, branch, 0);
    ir_set_results(&b, &result, 1);
    CompiledFunction f = bench_compile(&bench);
    const double values[] = {0, 1, 2, 3, 4, 5};
    for (int64_t choice = 0; choice < 2; choice++) {
        gmxrt_tensor *parameters[] = {bench_f64(&bench, 2, (int64_t[]){2, 3}, values),
                                      bench_i64(&bench, choice)};
        gmxrt_tensor *made = NULL;
        cr_assert_eq(f(bench.ctx, parameters, &made), 0);
        cr_assert_eq(made->shape[0], choice ? 4 : 3);
        cr_assert_eq(made->shape[1], choice ? 3 : 2);
        for (int64_t i = 0; i < made->shape[0]; i++)
            for (int64_t j = 0; j < made->shape[1]; j++)
                cr_assert_eq(bench_at(made, (int64_t[]){i, j}),
                             choice ? values[i % 2 * 3 + j] : values[j * 3 + i]);
        gmxrt_tensor_release(made);
        gmxrt_tensor_release(parameters[0]);
        gmxrt_tensor_release(parameters[1]);
    }
    bench_end(&bench);
}

/* Views of a parameter whose own strides are not C order; results keep the caller's buffer. */
Test(host, views_of_a_strided_parameter) {
    Bench bench;
    bench_begin(&bench, NULL);
    IrBuilder b = bench_function(&bench, "views");
    IrNode *a = matrix_parameter(&bench, &b, "a");
    IrNode *zero = ir_const_i64(&b, 0), *one = ir_const_i64(&b, 1), *three = ir_const_i64(&b, 3);
    IrNode *rows = ir_dim(&b, a, 0), *columns = ir_dim(&b, a, 1);
    /* a[::-1, 1:], a[0], broadcast of it to three rows, a.T.reshape(size) and the element a[0, 1] */
    IrNode *less = ir_binary(&b, OP_sub, columns, one), *last = ir_binary(&b, OP_sub, rows, one);
    IrNode *results[5];
    results[0] = ir_slice(&b, a, (IrNode *[]){last, one}, (IrNode *[]){rows, less},
                          (IrNode *[]){ir_const_i64(&b, -1), one}, NULL);
    results[1] = ir_slice(&b, a, (IrNode *[]){zero, zero}, (IrNode *[]){one, columns}, (IrNode *[]){one, one},
                          (bool[]){true, false});
    results[2] = ir_broadcast_trailing(&b, results[1], (IrNode *[]){three, columns}, 2);
    IrNode *size = ir_size(&b, a);
    results[3] = ir_reshape(&b, ir_permute(&b, a, (uint32_t[]){1, 0}), &size, 1);
    results[4] = ir_slice(&b, a, (IrNode *[]){zero, one}, (IrNode *[]){one, one}, (IrNode *[]){one, one},
                          (bool[]){true, true});
    ir_set_results(&b, results, 5);
    CompiledFunction f = bench_compile(&bench);
    double values[24];
    for (int i = 0; i < 24; i++)
        values[i] = i;
    gmxrt_tensor *base = bench_f64(&bench, 2, (int64_t[]){4, 6}, values), *made[5] = {0};
    /* base[:, ::2].T: shape 3 x 4, strides 2 and 6 */
    gmxrt_tensor *view = gmxrt_tensor_make(bench.ctx, base->buffer, base->data, DTYPE_f64, 2,
                                           (int64_t[]){3, 4}, (int64_t[]){2, 6});
#define ELEMENT(i, j) values[2 * (i) + 6 * (j)]
    cr_assert_eq(f(bench.ctx, &view, made), 0);
    for (int64_t i = 0; i < 3; i++)
        for (int64_t j = 0; j < 4; j++) {
            if (j < 3)
                cr_assert_eq(bench_at(made[0], (int64_t[]){i, j}), ELEMENT(2 - i, j + 1));
            cr_assert_eq(bench_at(made[1], &j), ELEMENT(0, j));
            cr_assert_eq(bench_at(made[2], (int64_t[]){i, j}), ELEMENT(0, j));
            cr_assert_eq(bench_at(made[3], (int64_t[]){j * 3 + i}), ELEMENT(i, j));
        }
    cr_assert_eq(bench_at(made[4], NULL), ELEMENT(0, 1));
    cr_assert(made[0]->buffer == base->buffer && made[2]->buffer == base->buffer);
    cr_assert(made[3]->buffer != base->buffer && made[2]->strides[0] == 0);
    for (int i = 0; i < 5; i++)
        gmxrt_tensor_release(made[i]);
    gmxrt_tensor_release(view);
    cr_assert_eq(base->buffer->references, 1);
    gmxrt_tensor_release(base);
    bench_end(&bench);
}

Test(host, sizes_are_checked) {
    Bench bench;
    bench_begin(&bench, NULL);
    IrBuilder b = bench_function(&bench, "checked");
    IrNode *a = matrix_parameter(&bench, &b, "a"), *c = matrix_parameter(&bench, &b, "b");
    b.span = (Span){7, 9};
    IrNode *rows = ir_check_equal(&b, ir_dim(&b, a, 1), ir_dim(&b, c, 0), text(&bench, "inner sizes differ"));
    ir_set_results(&b, (IrNode *[]){ir_matmul(&b, a, c), rows}, 2);
    CompiledFunction f = bench_compile(&bench);
    double ones[] = {1, 1, 1, 1, 1, 1};
    gmxrt_tensor *parameters[] = {bench_f64(&bench, 2, (int64_t[]){2, 3}, ones),
                                  bench_f64(&bench, 2, (int64_t[]){2, 3}, ones)};
    gmxrt_tensor *made[2] = {0};
    cr_assert_neq(f(bench.ctx, parameters, made), 0);
    cr_assert_eq(bench.ctx->error.code, DIAG_E0301);
    cr_assert_eq(bench.ctx->error.span, 7 | (uint64_t)9 << 32);
    cr_assert(!made[0] && !made[1]);
    gmxrt_ctx_clear(bench.ctx);
    parameters[1]->shape[0] = 3, parameters[1]->shape[1] = 2, parameters[1]->strides[0] = 2;
    cr_assert_eq(f(bench.ctx, parameters, made), 0);
    cr_assert_eq(bench_at(made[0], (int64_t[]){1, 1}), 3);
    cr_assert_eq(bench_value(made[1]), 3);
    gmxrt_tensor_release(made[0]);
    gmxrt_tensor_release(parameters[0]);
    gmxrt_tensor_release(parameters[1]);
    bench_end(&bench);
}

Test(host, index_tensors_are_checked) {
    Bench bench;
    bench_begin(&bench, NULL);
    IrBuilder b = bench_function(&bench, "indices");
    IrNode *indices = ir_parameter(&b, NULL, DTYPE_i64, 2, NULL, NULL);
    IrNode *extent = scalar_parameter(&bench, &b, "extent"), *one = scalar_parameter(&bench, &b, "one");
    b.span = (Span){5, 6};
    IrNode *turned = ir_permute(&b, indices, (uint32_t[]){1, 0});
    ir_set_results(
        &b, (IrNode *[]){ir_check_index(&b, turned, extent, 0), ir_check_index(&b, one, extent, 1)}, 2);
    CompiledFunction f = bench_compile(&bench);
    static const int64_t values[] = {0, -5, 4, 1, -1, 3};
    for (int64_t scalar = -7; scalar < 7; scalar++)
        for (int64_t bound = 3; bound < 7; bound++) {
            gmxrt_tensor *parameters[] = {gmxrt_tensor_new(bench.ctx, DTYPE_i64, 2, (int64_t[]){2, 3}, 0),
                                          bench_i64(&bench, bound), bench_i64(&bench, scalar)};
            gmxrt_tensor *made[2] = {0};
            memcpy(parameters[0]->data, values, sizeof values);
            gmxrt_ctx_clear(bench.ctx);
            int32_t status = f(bench.ctx, parameters, made);
            cr_assert_eq(status == 0, bound >= 5 && scalar >= -bound && scalar < bound);
            if (status == 0) {
                const int64_t *checked = made[0]->data;
                for (int i = 0; i < 6; i++) {
                    int64_t index = values[i % 2 * 3 + i / 2];
                    cr_assert_eq(checked[i], index < 0 ? index + bound : index);
                }
                cr_assert_eq(bench_value(made[1]), scalar < 0 ? scalar + bound : scalar);
                gmxrt_tensor_release(made[0]);
            } else {
                cr_assert_eq(bench.ctx->error.code, DIAG_E0302);
                cr_assert_eq(bench.ctx->error.span, 5 | (uint64_t)6 << 32);
            }
            for (int i = 0; i < 3; i++)
                gmxrt_tensor_release(parameters[i]);
        }
    bench_end(&bench);
}

/* A failure after some results were made takes them back: the second result asks for more than the cap. */
Test(host, failure_among_results) {
    Bench bench;
    bench_begin(&bench, NULL);
    IrBuilder b = bench_function(&bench, "results");
    IrNode *a = matrix_parameter(&bench, &b, "a");
    IrNode *product = ir_matmul(&b, a, a);
    IrNode *big = ir_matmul(&b, ir_permute(&b, a, (uint32_t[]){1, 0}), a);
    ir_set_results(&b, (IrNode *[]){product, big, ir_dim(&b, a, 0)}, 3);
    CompiledFunction f = bench_compile(&bench);
    gmxrt_tensor *a_value = bench_f64(&bench, 2, two_by_two, rotation), *made[3] = {0};
    for (int64_t cap = 0; cap < 1000; cap += 32) {
        gmxrt_memory_trim(bench.ctx);
        gmxrt_memory_set_cap(bench.ctx, cap + 1);
        gmxrt_ctx_clear(bench.ctx);
        int32_t status = f(bench.ctx, &a_value, made);
        cr_assert_eq(status != 0, bench.ctx->error.code == DIAG_E0306);
        for (int i = 0; i < 3; i++) {
            cr_assert_eq(status == 0, made[i] != NULL);
            if (made[i])
                gmxrt_tensor_release(made[i]);
            made[i] = NULL;
        }
    }
    gmxrt_tensor_release(a_value);
    bench_end(&bench);
}

/* ---- effects --------------------------------------------------------------------------------------- */
static void collect(void *user, const char *written, size_t length) {
    strncat(user, written, length);
}

/* for i in 0 .. n { print("round {i} of {n:03}") } */
Test(host, prints_in_order) {
    Bench bench;
    bench_begin(&bench, NULL);
    IrBuilder b = bench_function(&bench, "prints");
    IrNode *n = scalar_parameter(&bench, &b, "n"), *token = ir_token(&b);
    IrRegion *body = ir_region_new(b.function, b.region);
    IrBuilder inner = ir_builder_at(b.function, body);
    IrNode *i = scalar_parameter(&bench, &inner, "i"), *given = ir_token_parameter(&inner);
    static const char format[] = "round \x01\x01\x02\x03 of \x01\x02\x02"
                                 "03\x03";
    IrNode *printed =
        ir_print(&inner, given, intern(&bench.names, format, sizeof format - 1), (IrNode *[]){i, n}, 2);
    ir_set_results(&inner, &printed, 1);
    IrNode *loop = ir_for(&b, ir_const_i64(&b, 0), n, &token, 1, body);
    ir_set_results(&b, (IrNode *[]){loop, n}, 2);
    char written[256] = "";
    bench.ctx->write = collect;
    bench.ctx->user = written;
    cr_assert_eq(bench_call1(&bench, bench_compile(&bench), 3), 3);
    cr_assert_str_eq(written, "round 0 of 003\nround 1 of 003\nround 2 of 003\n");
    bench_end(&bench);
}

/* ---- errors of the back end -------------------------------------------------------------------------- */
Test(backend, missing_runtime_function_is_an_error) {
    Bench bench;
    bench_begin(&bench, NULL);
    gmx_llvm_backend()->destroy(bench.backend);
    char *message = NULL;
    bench.backend = gmx_llvm_backend()->create(&(BackendOptions){.optimization = 2}, &message);
    IrBuilder b = bench_function(&bench, "product");
    IrNode *a = matrix_parameter(&bench, &b, "a"), *product = ir_matmul(&b, a, a);
    ir_set_results(&b, &product, 1);
    for (int attempt = 0; attempt < 2; attempt++) {
        cr_assert_null(gmx_llvm_backend()->compile(bench.backend, bench.module, 0, &bench.sink));
        cr_assert(strstr(bench_message(&bench), "gmxrt_"), "%s", bench_message(&bench));
        cr_assert_eq(bench.sink.diags.items[0]->code, DIAG_E0502);
    }
    bench_end(&bench);
}

Test(backend, what_hosts_cannot_do_is_an_error) {
    Bench bench;
    bench_begin(&bench, NULL);
    IrBuilder b = bench_function(&bench, "unfused");
    IrNode *a = matrix_parameter(&bench, &b, "a"), *sum = ir_binary(&b, OP_add, a, a);
    ir_set_results(&b, &sum, 1);
    cr_assert_null(gmx_llvm_backend()->compile(bench.backend, bench.module, 0, &bench.sink));
    cr_assert(strstr(bench_message(&bench), "`add`"), "%s", bench_message(&bench));
    bench_end(&bench);
}

Test(backend, cpu_names) {
    char *message = NULL;
    cr_assert_null(gmx_llvm_backend()->create(&(BackendOptions){.target_cpu = "pentium-9"}, &message));
    cr_assert(strstr(message, "pentium-9"));
    free(message);
    BackendOptions options = {.target_cpu = "x86-64-v3", .optimization = 1};
    options.symbols = gmxrt_symbols(&options.symbol_count);
    Bench bench;
    bench_begin(&bench, NULL);
    gmx_llvm_backend()->destroy(bench.backend);
    bench.backend = gmx_llvm_backend()->create(&options, &message);
    cr_assert_eq(bench_call1(&bench, compile_affine(&bench, 5, 1), 3), 22);
    bench_end(&bench);
}

static void *thread_of_its_own(void *user) {
    Bench bench;
    bench_begin(&bench, NULL);
    for (int64_t divisor = 2; divisor < 12; divisor++)
        cr_assert_eq(bench_call1(&bench, compile_affine(&bench, 3, divisor), 50), 157 / divisor);
    cr_assert_eq(bench_statistics(&bench).functions_compiled, 10);
    bench_end(&bench);
    return user;
}

Test(backend, two_in_two_threads) {
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, thread_of_its_own, NULL), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}
