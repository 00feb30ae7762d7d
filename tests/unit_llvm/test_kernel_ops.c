/* Every elementwise row of ops.def, for every dtype, in vector and in scalar loops, against NumPy's results
 * stored in tests/data/ops (tests/data/make_op_vectors.py).  No op is named here. */
#include "tests/op_vectors.h"
#include "tests/unit_llvm/kernel_runner.h"
#include <criterion/criterion.h>

/* ---- running ------------------------------------------------------------------------------------ */

/* One kernel with a vector and a serial loop for every case. */
static Kernel *build_kernel(Vectors *vectors, Interner *names) {
    Kernel *kernel = kernel_new(&vectors->arena, names, intern_text(names, "cases"));
    for (uint32_t i = 0; i < vectors->count; i++) {
        const Case *c = &vectors->cases[i];
        KernelArray *operands[3];
        uint32_t arity = op_info[vectors->op].arity;
        for (uint32_t k = 0; k < arity; k++)
            operands[k] = kernel_buffer(kernel, "x", c->operand_dtypes[k], false);
        KernelVariable *rows = kernel_scalar(kernel, "n", DTYPE_i64);
        for (int form = 0; form < 2; form++) {
            KernelArray *result = kernel_buffer(kernel, "y", c->result_dtype, true);
            KernelStatement *loop = kernel_for(kernel, &kernel->body, form ? LOOP_SERIAL : LOOP_VECTOR, "i",
                                               kernel_const_i64(kernel, 0), kernel_use(kernel, rows), NULL);
            KernelExpr *index = kernel_use(kernel, loop->variable), *loads[3];
            for (uint32_t k = 0; k < arity; k++)
                loads[k] = kernel_load(kernel, operands[k], &index, 1);
            kernel_store(kernel, &loop->body, result, &index, 1, kernel_op(kernel, vectors->op, loads));
        }
    }
    return kernel;
}

static void run_cases(Vectors *vectors, RunnerOptions options) {
    KernelRunner runner;
    Interner names;
    RunnerContext context = {0};
    int64_t arguments[MOST_CASES * 6], count = 0;
    interner_init(&names, &vectors->arena);
    cr_assert(runner_open_kernel(&runner, build_kernel(vectors, &names), options), "%s: %s",
              op_name(vectors->op), runner.message);
    for (uint32_t i = 0; i < vectors->count; i++) {
        const Case *c = &vectors->cases[i];
        for (uint32_t k = 0; k < op_info[vectors->op].arity; k++)
            arguments[count++] = address(c->operands[k]);
        arguments[count++] = c->rows;
        arguments[count++] = address(c->result);
        arguments[count++] = address(c->serial_result);
    }
    runner_call(&runner, &context, arguments); /* division by zero is reported, its value compared */
    runner_close(&runner);
}

static void check(RunnerOptions options) {
    Vectors vectors;
    for (int op = 1; op < OP_COUNT; op++) {
        if (!op_is_elementwise((Op)op) || !*op_info[op].numpy)
            continue;
        read_vectors(&vectors, (Op)op);
        run_cases(&vectors, options);
        for (uint32_t i = 0; i < vectors.count; i++) {
            compare(&vectors, &vectors.cases[i], vectors.cases[i].result, "vector");
            compare(&vectors, &vectors.cases[i], vectors.cases[i].serial_result, "serial");
        }
        arena_free(&vectors.arena);
    }
}

Test(kernel_ops, numpy_64) {
    check((RunnerOptions){.vector_bytes = 64});
}

Test(kernel_ops, numpy_32) {
    check((RunnerOptions){.vector_bytes = 32});
}

Test(kernel_ops, numpy_on_x86_64_v3) {
    check((RunnerOptions){.vector_bytes = 32, .cpu = "x86-64-v3"});
}
