/* Ops: the fact table expanded from ops.def. */
#include "ir/op.h"
#include <string.h>

#define IS_MATH_ARITH(...)     false
#define IS_MATH_CMP(...)       false
#define IS_MATH_INTRINSIC(...) false
#define IS_MATH_CUSTOM         false
#define IS_MATH_MATH           true

const OpInfo op_info[OP_COUNT] = {
    [OP_none] = {.name = "none"},
#define ELEMENTWISE(op, n, rule, complex_rule, zero_rule, math, c_text, numpy_name, doc_text)                \
    [OP_##op] = {.name = #op,                                                                                \
                 .class = CLASS_ELEMENTWISE,                                                                 \
                 .arity = n,                                                                                 \
                 .dtype = RULE_##rule,                                                                       \
                 .complex = COMPLEX_##complex_rule,                                                          \
                 .zero = ZERO_##zero_rule,                                                                   \
                 .is_math = math,                                                                            \
                 .c = c_text,                                                                                \
                 .numpy = numpy_name,                                                                        \
                 .doc = doc_text},
#define OP1(name, dtype, complex, zero, llvm, c, numpy, da, doc)                                             \
    ELEMENTWISE(name, 1, dtype, complex, zero, IS_MATH_##llvm, c, numpy, doc)
#define OP2(name, dtype, complex, zero, llvm, c, numpy, da, db, doc)                                         \
    ELEMENTWISE(name, 2, dtype, complex, zero, IS_MATH_##llvm, c, numpy, doc)
#define OP3(name, dtype, complex, zero, llvm, c, numpy, da, db, dc, doc)                                     \
    ELEMENTWISE(name, 3, dtype, complex, zero, IS_MATH_##llvm, c, numpy, doc)
#define PARTS(op, n, rule, doc_text)                                                                         \
    [OP_##op] = {.name = #op,                                                                                \
                 .class = CLASS_ELEMENTWISE,                                                                 \
                 .arity = n,                                                                                 \
                 .dtype = RULE_##rule,                                                                       \
                 .numpy = "",                                                                                \
                 .doc = doc_text},
#define RED(op, fold, start, complex_rule, doc_text)                                                         \
    [OP_##op] = {.name = #op,                                                                                \
                 .class = CLASS_REDUCTION,                                                                   \
                 .arity = 1,                                                                                 \
                 .combine = OP_##fold,                                                                       \
                 .identity = IDENTITY_##start,                                                               \
                 .complex = COMPLEX_##complex_rule,                                                          \
                 .doc = doc_text},
#define VIEW(op, attributes, operands, doc_text)                                                             \
    [OP_##op] = {.name = #op, .class = CLASS_VIEW, .doc = doc_text},
#define CALL(op, complex_rule, operands, doc_text)                                                           \
    [OP_##op] = {.name = #op, .class = CLASS_CALL, .complex = COMPLEX_##complex_rule, .doc = doc_text},
#define PATTERN(op, doc_text) [OP_##op] = {.name = #op, .class = CLASS_PATTERN, .doc = doc_text},
#define CTRL(op, doc_text)    [OP_##op] = {.name = #op, .class = CLASS_CONTROL, .doc = doc_text},
#include "ir/ops.def"
};

Op op_find(const char *name) {
    for (int op = 1; op < OP_COUNT; op++)
        if (!strcmp(op_info[op].name, name))
            return (Op)op;
    return OP_none;
}

bool op_is_commutative(Op op) {
    switch (op) {
    case OP_add:
    case OP_mul:
    case OP_minimum:
    case OP_maximum:
    case OP_eq:
    case OP_ne:
    case OP_logical_and:
    case OP_logical_or:
    case OP_bitwise_and:
    case OP_bitwise_or:
    case OP_bitwise_xor:
        return true;
    default:
        return false;
    }
}
