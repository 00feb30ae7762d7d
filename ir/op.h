/* Ops: the enum and the facts of ops.def that do not belong to one back end. */
#ifndef GMX_IR_OP_H
#define GMX_IR_OP_H

#include <stdbool.h>
#include <stdint.h>

typedef enum Op {
    OP_none,
#define OP1(name, ...)     OP_##name,
#define OP2(name, ...)     OP_##name,
#define OP3(name, ...)     OP_##name,
#define PARTS(name, ...)   OP_##name,
#define RED(name, ...)     OP_##name,
#define VIEW(name, ...)    OP_##name,
#define CALL(name, ...)    OP_##name,
#define PATTERN(name, ...) OP_##name,
#define CTRL(name, ...)    OP_##name,
#include "ir/ops.def"
    OP_COUNT
} Op;

typedef enum OpClass {
    CLASS_NONE,
    CLASS_ELEMENTWISE,
    CLASS_REDUCTION,
    CLASS_VIEW,
    CLASS_CALL,
    CLASS_PATTERN,
    CLASS_CONTROL
} OpClass;
typedef enum DtypeRule {
    RULE_KEEP,
    RULE_FLOAT,
    RULE_NUMBER,
    RULE_COUNT,
    RULE_BOOL,
    RULE_LOGICAL,
    RULE_INTEGER,
    RULE_SHIFT,
    RULE_PART, /* of a complex operand */
    RULE_PAIR  /* two floats make a complex number */
} DtypeRule;
typedef enum ComplexRule { COMPLEX_NO, COMPLEX_YES, COMPLEX_REAL } ComplexRule;
typedef enum ZeroRule { ZERO_FILLS, ZERO_KEEPS, ZERO_JOIN, ZERO_MEET, ZERO_LEFT } ZeroRule;
typedef enum Identity { IDENTITY_ZERO, IDENTITY_ONE, IDENTITY_LOWEST, IDENTITY_HIGHEST } Identity;

typedef struct OpInfo {
    const char *name;
    OpClass class;
    uint8_t arity;   /* elementwise: 1, 2 or 3 */
    DtypeRule dtype; /* elementwise */
    ComplexRule complex;
    ZeroRule zero;     /* elementwise */
    bool is_math;      /* elementwise: the `llvm` column is MATH, dozens of instructions */
    Op combine;        /* reductions: the op that folds */
    Identity identity; /* reductions */
    const char *c;     /* elementwise: C-family text */
    const char *numpy; /* elementwise; "" where NumPy has none */
    const char *doc;
} OpInfo;

extern const OpInfo op_info[OP_COUNT];

static inline const char *op_name(Op op) {
    return op_info[op].name;
}

/* For users, who know nothing of what passes make. */
static inline const char *op_user_name(Op op) {
    return op_name(op == OP_product ? OP_matmul : op);
}
static inline bool op_is_elementwise(Op op) {
    return op_info[op].class == CLASS_ELEMENTWISE;
}
static inline bool op_is_reduction(Op op) {
    return op_info[op].class == CLASS_REDUCTION;
}
static inline bool op_is_view(Op op) {
    return op_info[op].class == CLASS_VIEW;
}
/* Ops between complex numbers and their parts: not in kernels. */
static inline bool op_is_parts(Op op) {
    return op_info[op].class == CLASS_ELEMENTWISE &&
           (op_info[op].dtype == RULE_PART || op_info[op].dtype == RULE_PAIR);
}
/* Worth computing once rather than twice: the mathematical functions. */
static inline bool op_is_math(Op op) {
    return op_info[op].is_math || op == OP_pow;
}
/* Finds an op by name; OP_none when there is none. */
Op op_find(const char *name);
/* True for ops with f(a, b) == f(b, a): add mul minimum maximum eq ne and the logical and bitwise ones. */
bool op_is_commutative(Op op);

#endif
