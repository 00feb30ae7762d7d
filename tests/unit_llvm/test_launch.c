/* Host programs that launch kernels: buffers, scalar results, taking over, in-place safety. */
#include "ir/kernel.h"
#include "tests/unit_llvm/support.h"
#include <criterion/criterion.h>

/* kernel(x: buffer f64, c: f64, n: i64, y: out buffer f64) { for.parallel i { y[i] = x[i] * c } } */
static int64_t scale_kernel(Bench *bench, const char *name) {
    Kernel *kernel = kernel_new(&bench->arena, &bench->names, intern_text(&bench->names, name));
    KernelArray *x = kernel_buffer(kernel, "x", DTYPE_f64, false);
    KernelVariable *c = kernel_scalar(kernel, "c", DTYPE_f64), *n = kernel_scalar(kernel, "n", DTYPE_i64);
    KernelArray *y = kernel_buffer(kernel, "y", DTYPE_f64, true);
    y->may_alias = true;
    KernelStatement *loop = kernel_for(kernel, &kernel->body, LOOP_VECTOR, "i", kernel_const_i64(kernel, 0),
                                       kernel_use(kernel, n), NULL);
    KernelExpr *i = kernel_use(kernel, loop->variable);
    KernelExpr *value = kernel_op2(kernel, OP_mul, kernel_load(kernel, x, &i, 1), kernel_use(kernel, c));
    kernel_store(kernel, &loop->body, y, &i, 1, value);
    vec_push(&bench->arena, &bench->module->kernels, kernel);
    return bench->module->kernels.count - 1;
}

/* kernel(x: buffer f64, n: i64, y: out buffer f64) { var s = 0; for i { s add= x[i] }; y[0] = s } */
static int64_t sum_kernel(Bench *bench) {
    Kernel *kernel = kernel_new(&bench->arena, &bench->names, intern_text(&bench->names, "total"));
    KernelArray *x = kernel_buffer(kernel, "x", DTYPE_f64, false);
    KernelVariable *n = kernel_scalar(kernel, "n", DTYPE_i64);
    KernelArray *y = kernel_buffer(kernel, "y", DTYPE_f64, true);
    KernelVariable *s = kernel_variable(kernel, KERNEL_VAR, "s", DTYPE_f64);
    kernel_declare(kernel, &kernel->body, s, kernel_const(kernel, DTYPE_f64, 0));
    KernelStatement *loop = kernel_for(kernel, &kernel->body, LOOP_VECTOR, "i", kernel_const_i64(kernel, 0),
                                       kernel_use(kernel, n), NULL);
    KernelExpr *i = kernel_use(kernel, loop->variable), *zero = kernel_const_i64(kernel, 0);
    kernel_accumulate(kernel, &loop->body, OP_add, s, kernel_load(kernel, x, &i, 1));
    kernel_store(kernel, &kernel->body, y, &zero, 1, kernel_use(kernel, s));
    vec_push(&bench->arena, &bench->module->kernels, kernel);
    return bench->module->kernels.count - 1;
}

static IrNode *launch(IrBuilder *b, int64_t kernel, IrNode *const *operands, uint32_t count, IrType type,
                      int64_t takes) {
    int64_t attributes[] = {kernel, takes};
    return ir_build_raw(b, &(IrNodeSpec){.op = OP_launch,
                                         .operands = operands,
                                         .operand_count = count,
                                         .attributes = attributes,
                                         .attribute_count = 2,
                                         .types = &type,
                                         .result_count = 1});
}

static IrNode *number(IrBuilder *b, double value) {
    return ir_const_number(b, DTYPE_f64, value);
}

/* y = x * factor; y = y * 10 (in place when takes == 0); (y, sum(y)) */
static CompiledFunction compile_chain(Bench *bench, double factor, int64_t takes) {
    IrBuilder b = bench_function(bench, "chain");
    int64_t scale = scale_kernel(bench, "scale"), total = sum_kernel(bench);
    IrNode *x = ir_parameter(&b, NULL, DTYPE_f64, 1, NULL, NULL), *n = ir_dim(&b, x, 0);
    b.function->parameter_contiguous = (bool *)arena_alloc(&bench->arena, 1);
    b.function->parameter_contiguous[0] = true;
    IrNode *y = launch(&b, scale, (IrNode *[]){x, number(&b, factor), n}, 3, x->types[0], -1);
    IrNode *z = launch(&b, scale, (IrNode *[]){y, number(&b, 10), n}, 3, x->types[0], takes);
    IrType scalar = {.kind = IR_TENSOR, .dtype = DTYPE_f64};
    IrNode *s = launch(&b, total, (IrNode *[]){z, n}, 2, scalar, -1);
    ir_set_results(&b, (IrNode *[]){z, ir_binary(&b, OP_add, s, number(&b, 0.5))}, 2);
    return bench_compile(bench);
}

static void run_chain(Bench *bench, CompiledFunction f, double factor, int64_t n) {
    double values[200], total = 0.5;
    for (int64_t i = 0; i < n; i++)
        total += 10 * factor * (values[i] = (double)i);
    gmxrt_tensor *x = bench_f64(bench, 1, &n, values), *made[2] = {0};
    cr_assert_eq(f(bench->ctx, &x, made), 0);
    for (int64_t i = 0; i < n; i++) {
        cr_assert_eq(bench_at(made[0], &i), 10 * (factor * (double)i));
        cr_assert_eq(bench_at(x, &i), (double)i); /* the parameter is what it was */
    }
    cr_assert_float_eq(bench_at(made[1], NULL), total, 1e-9);
    gmxrt_tensor_release(made[0]);
    gmxrt_tensor_release(made[1]);
    gmxrt_tensor_release(x);
}

Test(launch, chain_of_kernels) {
    Bench bench;
    bench_begin(&bench, NULL);
    gmxrt_memory_statistics before, after;
    for (int64_t takes = -1; takes < 1; takes++) {
        CompiledFunction f = compile_chain(&bench, 0.25, takes);
        for (int64_t n = 0; n < 200; n = n * 2 + 1)
            run_chain(&bench, f, 0.25, n);
        gmxrt_memory_get_statistics(bench.ctx, &before);
        run_chain(&bench, f, 0.25, 100);
        gmxrt_memory_get_statistics(bench.ctx, &after);
        /* x, y, the sum, and z unless it takes y's buffer */
        cr_assert_eq(after.allocations - before.allocations, takes < 0 ? 4 : 3);
    }
    cr_assert_eq(bench_statistics(&bench).kernels_compiled, 2);
    bench_end(&bench);
}

Test(launch, one_function_at_a_hundred_sizes_and_factors_compiles_once) {
    Bench bench;
    bench_begin(&bench, NULL);
    for (int64_t n = 1; n <= 100; n++)
        run_chain(&bench, compile_chain(&bench, 2.0 + (double)n, -1), 2.0 + (double)n, n);
    cr_assert_eq(bench_statistics(&bench).functions_compiled, 2); /* and one where the factor is 10 itself */
    cr_assert_eq(bench_statistics(&bench).kernels_compiled, 2);
    bench_end(&bench);
}

/* for i in 0 .. 3 { x = x * 2 in place }: the first round finds the caller's buffer shared and must copy */
Test(launch, taking_over_never_touches_a_shared_buffer) {
    Bench bench;
    bench_begin(&bench, NULL);
    IrBuilder b = bench_function(&bench, "loop");
    int64_t scale = scale_kernel(&bench, "scale");
    IrNode *x = ir_parameter(&b, NULL, DTYPE_f64, 1, NULL, NULL), *n = ir_dim(&b, x, 0);
    b.function->parameter_contiguous = (bool *)arena_alloc(&bench.arena, 1);
    b.function->parameter_contiguous[0] = true;
    IrRegion *body = ir_region_new(b.function, b.region);
    IrBuilder inner = ir_builder_at(b.function, body);
    ir_parameter(&inner, NULL, DTYPE_i64, 0, NULL, NULL);
    IrNode *carried = ir_parameter(&inner, NULL, DTYPE_f64, 1, &n, NULL);
    IrNode *next = launch(&inner, scale, (IrNode *[]){carried, number(&inner, 2), n}, 3, x->types[0], 0);
    ir_set_results(&inner, &next, 1);
    IrNode *loop = ir_for(&b, ir_const_i64(&b, 0), ir_const_i64(&b, 3), &x, 1, body);
    ir_set_results(&b, &loop, 1);
    CompiledFunction f = bench_compile(&bench);
    double values[] = {1, 2, 3};
    gmxrt_tensor *parameter = bench_f64(&bench, 1, (int64_t[]){3}, values), *made = NULL;
    gmxrt_memory_statistics before, after;
    gmxrt_memory_get_statistics(bench.ctx, &before);
    cr_assert_eq(f(bench.ctx, &parameter, &made), 0);
    gmxrt_memory_get_statistics(bench.ctx, &after);
    cr_assert_eq(after.allocations - before.allocations, 1);
    for (int64_t i = 0; i < 3; i++) {
        cr_assert_eq(bench_at(made, &i), 8 * values[i]);
        cr_assert_eq(bench_at(parameter, &i), values[i]);
    }
    gmxrt_tensor_release(made);
    gmxrt_tensor_release(parameter);
    bench_end(&bench);
}

Test(launch, many_kernels_compile_on_two_threads) {
    Bench bench;
    bench_begin(&bench, NULL);
    IrBuilder b = bench_function(&bench, "many");
    IrNode *x = ir_parameter(&b, NULL, DTYPE_f64, 1, NULL, NULL), *n = ir_dim(&b, x, 0);
    IrNode *value = x;
    for (int k = 0; k < 12; k++) {
        Kernel *kernel = kernel_new(&bench.arena, &bench.names, intern_text(&bench.names, "k"));
        KernelArray *in = kernel_buffer(kernel, "x", DTYPE_f64, false);
        KernelVariable *extent = kernel_scalar(kernel, "n", DTYPE_i64);
        KernelArray *out = kernel_buffer(kernel, "y", DTYPE_f64, true);
        KernelStatement *loop = kernel_for(kernel, &kernel->body, LOOP_VECTOR, "i",
                                           kernel_const_i64(kernel, 0), kernel_use(kernel, extent), NULL);
        KernelExpr *i = kernel_use(kernel, loop->variable);
        double constant = k;
        uint64_t bits;
        memcpy(&bits, &constant, sizeof bits);
        KernelExpr *sum =
            kernel_op2(kernel, OP_add, kernel_load(kernel, in, &i, 1), kernel_const(kernel, DTYPE_f64, bits));
        kernel_store(kernel, &loop->body, out, &i, 1, sum);
        vec_push(&bench.arena, &bench.module->kernels, kernel);
        value = launch(&b, k, (IrNode *[]){value, n}, 2, x->types[0], -1);
    }
    ir_set_results(&b, &value, 1);
    CompiledFunction f = bench_compile(&bench);
    double values[] = {1, -2, 3};
    gmxrt_tensor *parameter = bench_f64(&bench, 1, (int64_t[]){3}, values), *made = NULL;
    cr_assert_eq(f(bench.ctx, &parameter, &made), 0);
    for (int64_t i = 0; i < 3; i++)
        cr_assert_eq(bench_at(made, &i), values[i] + 66);
    cr_assert_eq(bench_statistics(&bench).kernels_compiled, 12);
    gmxrt_tensor_release(made);
    gmxrt_tensor_release(parameter);
    bench_end(&bench);
}
