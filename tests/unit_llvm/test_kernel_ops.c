/* Every elementwise row of ops.def, for every dtype, in vector and in scalar loops, against NumPy's results
 * stored in tests/data/ops (tests/data/make_op_vectors.py).  No op is named here. */
#include "codegen/llvm/scalar.h"
#include "tests/unit_llvm/kernel_runner.h"
#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_CASES = 16 };

typedef struct Case {
    Dtype dtype, operand_dtypes[3], result_dtype;
    int64_t rows;
    uint8_t *operands[3], *expected, *vector_result, *serial_result;
} Case;

typedef struct Vectors {
    Op op;
    Arena arena;
    Case cases[MOST_CASES];
    uint32_t count;
} Vectors;

/* ---- reading ------------------------------------------------------------------------------------ */

static uint8_t *read_none(Vectors *vectors, int64_t rows, Dtype dtype) {
    return arena_alloc(&vectors->arena, (size_t)rows * dtype_info[dtype].bytes);
}

static void read_element(FILE *file, uint8_t *elements, int64_t row, Dtype dtype) {
    uint64_t bits;
    cr_assert(fscanf(file, "%" SCNx64, &bits) == 1);
    size_t bytes = dtype_info[dtype].bytes;
    memcpy(elements + (size_t)row * bytes, &bits, bytes);
}

static void read_case(Vectors *vectors, FILE *file, const char *dtype_text, int64_t rows) {
    cr_assert(vectors->count < MOST_CASES);
    Case *c = &vectors->cases[vectors->count++];
    uint32_t arity = op_info[vectors->op].arity;
    cr_assert(dtype_find(dtype_text, &c->dtype));
    c->rows = rows;
    DtypeRule rule = op_info[vectors->op].dtype;
    c->result_dtype = rule == RULE_BOOL || rule == RULE_LOGICAL ? DTYPE_bool : c->dtype;
    for (uint32_t k = 0; k < arity; k++) {
        c->operand_dtypes[k] = arity == 3 && k == 0 ? DTYPE_bool : c->dtype;
        c->operands[k] = read_none(vectors, rows, c->operand_dtypes[k]);
    }
    c->expected = read_none(vectors, rows, c->result_dtype);
    c->vector_result = read_none(vectors, rows, c->result_dtype);
    c->serial_result = read_none(vectors, rows, c->result_dtype);
    for (int64_t row = 0; row < rows; row++) {
        for (uint32_t k = 0; k < arity; k++)
            read_element(file, c->operands[k], row, c->operand_dtypes[k]);
        read_element(file, c->expected, row, c->result_dtype);
    }
}

static void read_vectors(Vectors *vectors, Op op) {
    char path[128], dtype_text[8];
    int64_t rows;
    memset(vectors, 0, sizeof *vectors);
    vectors->op = op;
    arena_init(&vectors->arena, NULL);
    snprintf(path, sizeof path, "tests/data/ops/%s.txt", op_name(op));
    FILE *file = fopen(path, "r");
    cr_assert(file != NULL, "%s is missing: run tests/data/make_op_vectors.py", path);
    while (fscanf(file, "%7s %" SCNd64, dtype_text, &rows) == 2)
        read_case(vectors, file, dtype_text, rows);
    fclose(file);
    cr_assert(vectors->count > 0);
}

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
        arguments[count++] = address(c->vector_result);
        arguments[count++] = address(c->serial_result);
    }
    runner_call(&runner, &context, arguments); /* division by zero is reported, its value compared */
    runner_close(&runner);
}

/* ---- comparing ---------------------------------------------------------------------------------- */

static uint64_t bits_at(const uint8_t *elements, int64_t row, Dtype dtype) {
    uint64_t bits = 0;
    memcpy(&bits, elements + (size_t)row * dtype_info[dtype].bytes, dtype_info[dtype].bytes);
    return bits;
}

static bool is_nan_bits(Dtype dtype, uint64_t bits) {
    int width = dtype_info[dtype].bytes * 8;
    uint64_t infinity = dtype == DTYPE_f16    ? 0x7c00
                        : dtype == DTYPE_bf16 ? 0x7f80
                        : dtype == DTYPE_f32  ? 0x7f800000
                                              : UINT64_C(0x7ff) << 52;
    return (bits & ((UINT64_C(1) << (width - 1)) - 1)) > infinity;
}

/* Floats as integers in their order, so that a difference counts units in the last place. */
static int64_t ordered(Dtype dtype, uint64_t bits) {
    int width = dtype_info[dtype].bytes * 8;
    uint64_t sign = UINT64_C(1) << (width - 1);
    return bits & sign ? -(int64_t)(bits & (sign - 1)) : (int64_t)bits;
}

static bool is_close(Op op, Dtype dtype, uint64_t expected, uint64_t got) {
    if (!dtype_is_float(dtype))
        return expected == got;
    if (is_nan_bits(dtype, expected) || is_nan_bits(dtype, got))
        return is_nan_bits(dtype, expected) && is_nan_bits(dtype, got);
    if (!llvm_op_is_heavy(op))
        return expected == got;
    int64_t allowed = dtype == DTYPE_f32 ? 4 : dtype == DTYPE_f64 ? 2 : 1;
    return llabs(ordered(dtype, expected) - ordered(dtype, got)) <= allowed;
}

static void compare(const Vectors *vectors, const Case *c, const uint8_t *result, const char *form) {
    for (int64_t row = 0; row < c->rows; row++) {
        uint64_t expected = bits_at(c->expected, row, c->result_dtype);
        uint64_t got = bits_at(result, row, c->result_dtype);
        cr_expect(is_close(vectors->op, c->result_dtype, expected, got),
                  "%s %s of %s, row %d: expected %" PRIx64 ", got %" PRIx64, form, op_name(vectors->op),
                  dtype_name(c->dtype), (int)row, expected, got);
    }
}

static void check(RunnerOptions options) {
    Vectors vectors;
    for (int op = 1; op < OP_COUNT; op++) {
        if (!op_is_elementwise((Op)op) || !*op_info[op].numpy)
            continue;
        read_vectors(&vectors, (Op)op);
        run_cases(&vectors, options);
        for (uint32_t i = 0; i < vectors.count; i++) {
            compare(&vectors, &vectors.cases[i], vectors.cases[i].vector_result, "vector");
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
