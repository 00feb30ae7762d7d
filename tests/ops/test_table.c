/* The columns of ops.def against NumPy, row by row; no op is named here.  Values of the LLVM column:
 * tests/unit_llvm/test_kernel_ops.c. */
#include "ir/number.h"
#include "runtime/api/gmx.h"
#include "tests/op_vectors.h"
#include "tests/ops/c_text.h"
#include <criterion/criterion.h>

/* ---- c ------------------------------------------------------------------------------------------ */

static const OpText *find_text(const OpText *table, Op op, Dtype dtype) {
    for (; table->op; table++)
        if (!strcmp(table->op, op_name(op)) && !strcmp(table->dtype, dtype_name(dtype)))
            return table;
    return NULL;
}

static void convert(uint8_t *to, Dtype to_dtype, const uint8_t *from, Dtype from_dtype, int64_t rows) {
    for (int64_t row = 0; row < rows; row++) {
        uint64_t bits = number_float_bits(to_dtype, number_value(from_dtype, bits_at(from, row, from_dtype)));
        memcpy(to + (size_t)row * dtype_info[to_dtype].bytes, &bits, dtype_info[to_dtype].bytes);
    }
}

/* f16 and bf16 through f32, as a kernel does. */
static void run_text(const OpText *text, Vectors *vectors, const Case *c) {
    Dtype compute = dtype_info[c->dtype].compute;
    bool is_half = compute != c->dtype;
    const void *operands[3];
    uint32_t arity = op_info[vectors->op].arity;
    for (uint32_t k = 0; k < 3; k++) {
        uint8_t *operand = c->operands[k < arity ? k : arity - 1];
        if (is_half && c->operand_dtypes[k < arity ? k : arity - 1] == c->dtype) {
            uint8_t *wide = read_none(vectors, c->rows, compute);
            convert(wide, compute, operand, c->dtype, c->rows);
            operand = wide;
        }
        operands[k] = operand;
    }
    if (!is_half || c->result_dtype != c->dtype) {
        text->run(operands, c->result, c->rows);
        return;
    }
    uint8_t *wide = read_none(vectors, c->rows, compute);
    text->run(operands, wide, c->rows);
    convert(c->result, c->dtype, wide, compute, c->rows);
}

static void check_text(const OpText *table, const char *form) {
    Vectors vectors;
    for (int op = 1; op < OP_COUNT; op++) {
        if (!op_is_elementwise((Op)op) || !*op_info[op].numpy)
            continue;
        read_vectors(&vectors, (Op)op);
        for (uint32_t i = 0; i < vectors.count; i++) {
            const Case *c = &vectors.cases[i];
            const OpText *text = find_text(table, (Op)op, dtype_info[c->dtype].compute);
            cr_assert(text != NULL, "no text of %s for %s", op_name((Op)op), dtype_name(c->dtype));
            run_text(text, &vectors, c);
            compare(&vectors, c, c->result, form);
        }
        arena_free(&vectors.arena);
    }
}

Test(ops, c_text) {
    check_text(op_text_c, "C");
}

Test(ops, cxx_text) {
    check_text(op_text_cxx, "C++");
}

/* ---- zero --------------------------------------------------------------------------------------- */

typedef struct Zeros {
    bool both, left, right; /* the result is zero where this operand is, and any other is finite and not */
    bool both_or_none;      /* where both are it is zero, or NaN as in 0 / 0 */
    bool seen_both, seen_left, seen_right;
} Zeros;

/* Bits of +0 or -0, false. */
static bool is_zero_bits(Dtype dtype, uint64_t bits) {
    return dtype_is_float(dtype) ? number_value(dtype, bits) == 0 : bits == 0;
}

static bool is_finite_bits(Dtype dtype, uint64_t bits) {
    return !dtype_is_float(dtype) || number_value(dtype, bits) - number_value(dtype, bits) == 0;
}

static void note(bool is_zero, bool *all, bool *seen) {
    *all = *all && is_zero;
    *seen = true;
}

static void observe(const Vectors *vectors, Zeros *zeros) {
    for (uint32_t i = 0; i < vectors->count; i++) {
        const Case *c = &vectors->cases[i];
        for (int64_t row = 0; row < c->rows; row++) {
            uint64_t a = bits_at(c->operands[0], row, c->dtype), b = a;
            if (op_info[vectors->op].arity == 2)
                b = bits_at(c->operands[1], row, c->dtype);
            uint64_t bits = bits_at(c->expected, row, c->result_dtype);
            bool result = is_zero_bits(c->result_dtype, bits);
            bool is_nan = dtype_is_float(c->result_dtype) && is_nan_bits(c->result_dtype, bits);
            bool a_zero = is_zero_bits(c->dtype, a), b_zero = is_zero_bits(c->dtype, b);
            if (a_zero && b_zero) {
                note(result, &zeros->both, &zeros->seen_both);
                zeros->both_or_none = zeros->both_or_none && (result || is_nan);
            } else if (a_zero && is_finite_bits(c->dtype, b))
                note(result, &zeros->left, &zeros->seen_left);
            else if (b_zero && is_finite_bits(c->dtype, a))
                note(result, &zeros->right, &zeros->seen_right);
        }
    }
}

/* The most that can be said: the table must say neither more nor less. */
static ZeroRule strongest(Op op, const Zeros *zeros) {
    if (op_info[op].arity == 1)
        return zeros->both ? ZERO_KEEPS : ZERO_FILLS;
    if (zeros->left && zeros->right && zeros->both)
        return ZERO_MEET;
    return zeros->left && zeros->both_or_none ? ZERO_LEFT : zeros->both ? ZERO_JOIN : ZERO_FILLS;
}

Test(ops, zero) {
    Vectors vectors;
    for (int op = 1; op < OP_COUNT; op++) {
        if (!op_is_elementwise((Op)op) || !*op_info[op].numpy || op_info[op].arity > 2)
            continue;
        Zeros zeros = {.both = true, .left = true, .right = true, .both_or_none = true};
        read_vectors(&vectors, (Op)op);
        observe(&vectors, &zeros);
        cr_assert(zeros.seen_both, "%s is never evaluated at zero", op_name((Op)op));
        cr_assert(op_info[op].arity == 1 || (zeros.seen_left && zeros.seen_right));
        cr_expect_eq(op_info[op].zero, strongest((Op)op, &zeros), "the zero column of %s", op_name((Op)op));
        arena_free(&vectors.arena);
    }
}

/* ---- dtype -------------------------------------------------------------------------------------- */

/* tests/data/ops/dtypes/<op>.txt: `f32 i64 f64`, the dtypes of the operands and of NumPy's result, or `-`
 * where NumPy has none. */
static void check_dtypes(gmx_session *session, Op op) {
    char path[128], words[4][8];
    uint32_t arity = op_info[op].arity;
    snprintf(path, sizeof path, "tests/data/ops/dtypes/%s.txt", op_name(op));
    FILE *file = fopen(path, "r");
    cr_assert(file != NULL, "%s is missing: run tests/data/make_op_vectors.py", path);
    for (;;) {
        uint32_t count = 0;
        while (count <= arity && fscanf(file, "%7s", words[count]) == 1)
            count++;
        if (count <= arity)
            break;
        char source[256], expected[16];
        int length = snprintf(source, sizeof source, "%s(", op_name(op));
        for (uint32_t k = 0; k < arity; k++)
            length += snprintf(source + length, sizeof source - (size_t)length, "%szeros(1, dtype=%s)",
                               k ? ", " : "", words[k]);
        snprintf(source + length, sizeof source - (size_t)length, ")");
        snprintf(expected, sizeof expected, "%s[1]", words[arity]);
        const char *type;
        gmx_status status = gmx_type_of(session, source, &type);
        if (!strcmp(words[arity], "-"))
            cr_expect_eq(status, GMX_ERROR, "%s is accepted, NumPy refuses it", source);
        else if (status)
            cr_expect(false, "%s: %s", source, gmx_errmsg(session));
        else
            cr_expect_str_eq(type, expected, "%s", source);
    }
    fclose(file);
}

Test(ops, dtype) {
    gmx_session *session;
    cr_assert_eq(gmx_session_open(NULL, &session), GMX_OK);
    for (int op = 1; op < OP_COUNT; op++)
        if (op_is_elementwise((Op)op) && *op_info[op].numpy)
            check_dtypes(session, (Op)op);
    gmx_session_close(session);
}
