/* The stored vectors of tests/data/ops: operands and NumPy's results for every elementwise row of ops.def
 * that names a NumPy function, and how results are compared with them.  For Criterion tests. */
#ifndef GMX_TESTS_OP_VECTORS_H
#define GMX_TESTS_OP_VECTORS_H

#include "ir/base/arena.h"
#include "ir/dtype.h"
#include "ir/op.h"
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CASES = 16 };

typedef struct Case {
    Dtype dtype, operand_dtypes[3], result_dtype;
    int64_t rows;
    uint8_t *operands[3], *expected, *result, *serial_result; /* the last two: for the caller */
} Case;

typedef struct Vectors {
    Op op;
    Arena arena;
    Case cases[MOST_CASES];
    uint32_t count;
} Vectors;

/* ---- reading ------------------------------------------------------------------------------------ */

static inline uint8_t *read_none(Vectors *vectors, int64_t rows, Dtype dtype) {
    return arena_alloc(&vectors->arena, (size_t)rows * dtype_info[dtype].bytes);
}

static inline void read_element(FILE *file, uint8_t *elements, int64_t row, Dtype dtype) {
    uint64_t bits;
    cr_assert(fscanf(file, "%" SCNx64, &bits) == 1);
    size_t bytes = dtype_info[dtype].bytes;
    memcpy(elements + (size_t)row * bytes, &bits, bytes);
}

static inline void read_case(Vectors *vectors, FILE *file, const char *dtype_text, int64_t rows) {
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
    c->result = read_none(vectors, rows, c->result_dtype);
    c->serial_result = read_none(vectors, rows, c->result_dtype);
    for (int64_t row = 0; row < rows; row++) {
        for (uint32_t k = 0; k < arity; k++)
            read_element(file, c->operands[k], row, c->operand_dtypes[k]);
        read_element(file, c->expected, row, c->result_dtype);
    }
}

static inline void read_vectors(Vectors *vectors, Op op) {
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

/* ---- comparing ---------------------------------------------------------------------------------- */

static inline uint64_t bits_at(const uint8_t *elements, int64_t row, Dtype dtype) {
    uint64_t bits = 0;
    memcpy(&bits, elements + (size_t)row * dtype_info[dtype].bytes, dtype_info[dtype].bytes);
    return bits;
}

static inline bool is_nan_bits(Dtype dtype, uint64_t bits) {
    int width = dtype_info[dtype].bytes * 8;
    uint64_t infinity = dtype == DTYPE_f16    ? 0x7c00
                        : dtype == DTYPE_bf16 ? 0x7f80
                        : dtype == DTYPE_f32  ? 0x7f800000
                                              : UINT64_C(0x7ff) << 52;
    return (bits & ((UINT64_C(1) << (width - 1)) - 1)) > infinity;
}

/* Floats as integers in their order, so that a difference counts units in the last place. */
static inline int64_t ordered(Dtype dtype, uint64_t bits) {
    int width = dtype_info[dtype].bytes * 8;
    uint64_t sign = UINT64_C(1) << (width - 1);
    return bits & sign ? -(int64_t)(bits & (sign - 1)) : (int64_t)bits;
}

/* Mathematical functions have an error bound; every other op is exact. */
static inline bool op_is_approximate(Op op) {
    return op_is_math(op) || op == OP_floordiv || op == OP_mod;
}

static inline bool is_close(Op op, Dtype dtype, uint64_t expected, uint64_t got) {
    if (!dtype_is_float(dtype))
        return expected == got;
    if (is_nan_bits(dtype, expected) || is_nan_bits(dtype, got))
        return is_nan_bits(dtype, expected) && is_nan_bits(dtype, got);
    if (!op_is_approximate(op))
        return expected == got;
    int64_t allowed = dtype == DTYPE_f32 ? 4 : dtype == DTYPE_f64 ? 2 : 1;
    return llabs(ordered(dtype, expected) - ordered(dtype, got)) <= allowed;
}

static inline void compare(const Vectors *vectors, const Case *c, const uint8_t *result, const char *form) {
    for (int64_t row = 0; row < c->rows; row++) {
        uint64_t expected = bits_at(c->expected, row, c->result_dtype);
        uint64_t got = bits_at(result, row, c->result_dtype);
        cr_expect(is_close(vectors->op, c->result_dtype, expected, got),
                  "%s %s of %s, row %d: expected %" PRIx64 ", got %" PRIx64, form, op_name(vectors->op),
                  dtype_name(c->dtype), (int)row, expected, got);
    }
}

#endif
