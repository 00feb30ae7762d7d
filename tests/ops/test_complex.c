/* What ops do with complex numbers, against NumPy's results (tests/data/make_complex_vectors.py): every op
 * whose `complex` column is not NO, in vector loops, in the tail of one, and as a scalar of the host program.
 */
#include "ir/op.h"
#include "runtime/api/gmx.h"
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROWS = 400, MOST_PARTS = 6 };

typedef struct ComplexCase {
    char op[16], dtype[8];
    int operands, rows, parts; /* parts: of the operands and the result */
    double epsilons;
    double values[MOST_ROWS][MOST_PARTS];
} ComplexCase;

static bool is_single(const ComplexCase *c) {
    return !strcmp(c->dtype, "c64");
}

static bool read_case(FILE *file, ComplexCase *c) {
    char line[512];
    if (!fgets(line, sizeof line, file))
        return false;
    cr_assert_eq(sscanf(line, "%15s %7s %d %d %lf", c->op, c->dtype, &c->operands, &c->rows, &c->epsilons),
                 5);
    cr_assert_leq(c->rows, MOST_ROWS);
    for (int row = 0; row < c->rows; row++) {
        cr_assert_not_null(fgets(line, sizeof line, file));
        char *at = line;
        for (c->parts = 0; *at && *at != '\n' && c->parts < MOST_PARTS; c->parts++)
            c->values[row][c->parts] = is_single(c) ? (double)strtof(at, &at) : strtod(at, &at);
    }
    return true;
}

static gmx_tensor *operand(gmx_session *session, const ComplexCase *c, int number) {
    int64_t shape[] = {c->rows};
    gmx_tensor *x;
    cr_assert_eq(gmx_tensor_new(session, is_single(c) ? GMX_C64 : GMX_C128, 1, shape, &x), GMX_OK);
    for (int i = 0; i < 2 * c->rows; i++) {
        double value = c->values[i / 2][2 * number + i % 2];
        if (is_single(c))
            ((float *)gmx_tensor_mutable_data(x))[i] = (float)value;
        else
            ((double *)gmx_tensor_mutable_data(x))[i] = value;
    }
    return x;
}

static double part_at(const gmx_tensor *x, int64_t index) {
    const void *data = gmx_tensor_data(x);
    switch (gmx_tensor_dtype(x)) {
    case GMX_F32:
    case GMX_C64:
        return (double)((const float *)data)[index];
    case GMX_BOOL:
        return ((const uint8_t *)data)[index];
    default:
        return ((const double *)data)[index];
    }
}

/* Infinities and NaN where they belong, zeros with their sign, else within the allowance. */
static bool is_close(double got, double expected, double allowance, bool has_sign) {
    if (isnan(expected) || isinf(expected) || isnan(got))
        return isnan(expected) ? isnan(got) : got == expected;
    if (expected == 0 && got == 0)
        return !has_sign || !signbit(expected) == !signbit(got);
    return fabs(got - expected) <= allowance;
}

static int check_row(const ComplexCase *c, const gmx_tensor *result, int64_t index, int row,
                     const char *form) {
    int inputs = 2 * c->operands, width = c->parts - inputs;
    const double *expected = c->values[row] + inputs;
    double size = fabs(expected[0]), epsilon = is_single(c) ? FLT_EPSILON : DBL_EPSILON;
    if (width > 1 && (fabs(expected[1]) > size || !isfinite(size)))
        size = fabs(expected[1]);
    bool has_nan = width > 1 && (isnan(expected[0]) || isnan(expected[1])); /* the sign beside it is open */
    for (int k = 0; k < width; k++) {
        double got = part_at(result, index * width + k);
        double allowance = c->epsilons * epsilon * (isfinite(size) ? size : fabs(expected[k]));
        allowance = fmax(allowance, is_single(c) ? 1e-44 : 1e-322);
        if (is_close(got, expected[k], allowance, !has_nan))
            continue;
        cr_log_error("%s %s, row %d, %s: part %d is %.17g, not %.17g; operands %.17g %.17g %.17g %.17g",
                     c->op, c->dtype, row, form, k, got, expected[k], c->values[row][0], c->values[row][1],
                     c->operands > 1 ? c->values[row][2] : 0, c->operands > 1 ? c->values[row][3] : 0);
        return 1;
    }
    return 0;
}

static int check_vectors(gmx_session *session, const ComplexCase *c) {
    gmx_tensor *arguments[2], *result;
    char name[40];
    int wrong = 0;
    snprintf(name, sizeof name, "%s_%d", c->op, c->operands);
    for (int k = 0; k < c->operands; k++)
        arguments[k] = operand(session, c, k);
    gmx_status status = gmx_call(session, name, arguments, (size_t)c->operands, &result, 1);
    cr_assert_eq(status, GMX_OK, "%s: %s", c->op, gmx_errmsg(session));
    for (int row = 0; row < c->rows; row++)
        wrong += check_row(c, result, row, row, "vectors");
    gmx_tensor_release(result);
    for (int k = 0; k < c->operands; k++)
        gmx_tensor_release(arguments[k]);
    return wrong;
}

/* Some of the rows by the host program. */
static int check_scalars(gmx_session *session, const ComplexCase *c) {
    char name[40];
    int wrong = 0;
    snprintf(name, sizeof name, "%s_%d", c->op, c->operands);
    for (int row = 0; row < c->rows; row += 17) {
        ComplexCase one = *c;
        gmx_tensor *arguments[2], *result;
        one.rows = 1;
        memcpy(one.values[0], c->values[row], sizeof one.values[0]);
        for (int k = 0; k < c->operands; k++) {
            gmx_tensor *vector = operand(session, &one, k);
            cr_assert_eq(gmx_tensor_new(session, gmx_tensor_dtype(vector), 0, NULL, &arguments[k]), GMX_OK);
            memcpy(gmx_tensor_mutable_data(arguments[k]), gmx_tensor_data(vector), is_single(c) ? 8 : 16);
            gmx_tensor_release(vector);
        }
        gmx_status status = gmx_call(session, name, arguments, (size_t)c->operands, &result, 1);
        cr_assert_eq(status, GMX_OK, "%s: %s", c->op, gmx_errmsg(session));
        wrong += check_row(c, result, 0, row, "scalar");
        gmx_tensor_release(result);
        for (int k = 0; k < c->operands; k++)
            gmx_tensor_release(arguments[k]);
    }
    return wrong;
}

static void declare(gmx_session *session, const ComplexCase *c) {
    char text[120];
    bool is_cast = !strcmp(c->op, "bool");
    snprintf(text, sizeof text, c->operands == 1 ? "fn %s_1(x) = %s(x)" : "fn %s_2(x, y) = %s(x, y)", c->op,
             is_cast ? "bool" : c->op);
    cr_assert_eq(gmx_run_text(session, "test", text, -1), GMX_OK, "%s", gmx_errmsg(session));
}

Test(complex, ops) {
    gmx_session *session;
    static ComplexCase c;
    bool is_seen[OP_COUNT] = {false};
    int wrong = 0;
    cr_assert_eq(gmx_session_open(NULL, &session), GMX_OK);
    FILE *file = fopen("tests/data/complex.txt", "r");
    cr_assert_not_null(file);
    while (read_case(file, &c)) {
        if (is_single(&c))
            declare(session, &c);
        is_seen[op_find(c.op)] = true;
        wrong += check_vectors(session, &c) + check_scalars(session, &c);
    }
    fclose(file);
    gmx_session_close(session);
    cr_expect_eq(wrong, 0, "%d rows", wrong);
    for (int op = 1; op < OP_COUNT; op++)
        cr_expect(!op_is_elementwise((Op)op) || op_info[op].complex == COMPLEX_NO || op == OP_where ||
                      is_seen[op],
                  "%s is not tested", op_name((Op)op));
}

/* Literals raise the kind of an array's dtype and no more. */
Test(complex, weak_dtypes) {
    gmx_session *session;
    char line[128];
    cr_assert_eq(gmx_session_open(NULL, &session), GMX_OK);
    FILE *file = fopen("tests/data/weak_dtypes.txt", "r");
    cr_assert_not_null(file);
    while (fgets(line, sizeof line, file)) {
        const char *type;
        char *tab = strchr(line, '\t');
        cr_assert_not_null(tab);
        *tab = line[strcspn(line, "\n")] = tab[1 + strcspn(tab + 1, "\n")] = '\0';
        cr_assert_eq(gmx_type_of(session, line, &type), GMX_OK, "%s: %s", line, gmx_errmsg(session));
        cr_expect_str_eq(type, tab + 1, "%s", line);
    }
    fclose(file);
    gmx_session_close(session);
}
