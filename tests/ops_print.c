/* Prints one line for every elementwise row of ops.def and every dtype that it computes in:
 *
 *     OP_TEXT(op, dtype, type of operands, type of result, type of operand 0, text of the `c` column)
 *
 * with the operands named x0 x1 x2.  Run when the tests are built; what includes the lines is in tests/ops.
 */
#include "ir/dtype.h"
#include "ir/op.h"
#include <stdio.h>

static bool is_admitted(DtypeRule rule, Dtype dtype) {
    if (dtype_info[dtype].compute != dtype || dtype_kind(dtype) == KIND_COMPLEX)
        return false;
    switch (rule) {
    case RULE_KEEP:
    case RULE_BOOL:
        return true;
    case RULE_NUMBER:
    case RULE_COUNT:
        return dtype != DTYPE_bool;
    case RULE_FLOAT:
        return dtype_is_float(dtype);
    case RULE_LOGICAL:
        return dtype == DTYPE_bool;
    case RULE_INTEGER:
        return !dtype_is_float(dtype);
    case RULE_SHIFT:
        return dtype_is_integer(dtype);
    case RULE_PART:
    case RULE_PAIR:
        return false;
    }
    return false;
}

static void print_row(const OpInfo *row, Dtype dtype) {
    const char *type = dtype_info[dtype].c_type;
    bool is_test = row->dtype == RULE_BOOL || row->dtype == RULE_LOGICAL;
    printf("OP_TEXT(%s, %s, %s, %s, %s, ", row->name, dtype_name(dtype), type, is_test ? "bool" : type,
           row->arity == 3 && row->dtype == RULE_KEEP ? "bool" : type);
    for (const char *c = row->c; *c; c++)
        if (*c == '%')
            putchar('x');
        else
            putchar(*c);
    printf(")\n");
}

int main(void) {
    for (int op = 1; op < OP_COUNT; op++)
        for (int dtype = 0; op_is_elementwise((Op)op) && dtype < DTYPE_COUNT; dtype++)
            if (is_admitted(op_info[op].dtype, (Dtype)dtype))
                print_row(&op_info[op], (Dtype)dtype);
    return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
