/* Reverse mode of the elementwise ops: one function per row and operand, made of the gradient columns of
 * ops.def.
 *
 * In a column stand x (OP1) or a, b, c (the operands), y (the result) and dy (its adjoint), and
 *   U(op, x) B(op, x, y) W(condition, x, y)   an op applied; N(number)   a number like y
 *   ZERO        the derivative is zero wherever it exists
 *   NO_FLOATS   neither the result nor the operand is ever a float */
#include "ir/gradient.h"

#include "ir/internal.h"

#define U(op, x)           ir_unary(g, OP_##op, x)
#define B(op, x, y)        ir_binary(g, OP_##op, x, y)
#define W(condition, x, y) ir_where(g, condition, x, y)
#define N(number)          gradient_number(g, number, y)
#define ZERO               NULL
#define NO_FLOATS          NULL
#define UNUSED(...)                                                                                          \
    (void)(struct { const void *used[8]; }) {                                                                \
        { __VA_ARGS__ }                                                                                      \
    }

#define OP1(name, dtype, complex, zero, llvm, c_text, numpy, da, doc)                                        \
    static IrNode *name##_0(IrBuilder *g, IrNode *const *v, IrNode *y, IrNode *dy) {                         \
        IrNode *x = v[0];                                                                                    \
        UNUSED(g, x, y, dy);                                                                                 \
        return da;                                                                                           \
    }
#define OPERAND2(name, k, expression)                                                                        \
    static IrNode *name##_##k(IrBuilder *g, IrNode *const *v, IrNode *y, IrNode *dy) {                       \
        IrNode *a = v[0], *b = v[1];                                                                         \
        UNUSED(g, a, b, y, dy);                                                                              \
        return expression;                                                                                   \
    }
#define OPERAND3(name, k, expression)                                                                        \
    static IrNode *name##_##k(IrBuilder *g, IrNode *const *v, IrNode *y, IrNode *dy) {                       \
        IrNode *a = v[0], *b = v[1], *c = v[2];                                                              \
        UNUSED(g, a, b, c, y, dy);                                                                           \
        return expression;                                                                                   \
    }
#define OP2(name, dtype, complex, zero, llvm, c_text, numpy, da, db, doc)                                    \
    OPERAND2(name, 0, da) OPERAND2(name, 1, db)
#define OP3(name, dtype, complex, zero, llvm, c_text, numpy, da, db, dc, doc)                                \
    OPERAND3(name, 0, da) OPERAND3(name, 1, db) OPERAND3(name, 2, dc)
#include "ir/ops.def"

typedef IrNode *(*ElementwiseGradient)(IrBuilder *, IrNode *const *operands, IrNode *y, IrNode *dy);

static const ElementwiseGradient rules[OP_COUNT][3] = {
#define OP1(name, ...) [OP_##name] = {name##_0},
#define OP2(name, ...) [OP_##name] = {name##_0, name##_1},
#define OP3(name, ...) [OP_##name] = {name##_0, name##_1, name##_2},
#include "ir/ops.def"
};

bool gradient_elementwise(Gradient *g, const IrNode *y, IrNode *dy) {
    for (uint32_t k = 0; k < y->operand_count; k++) {
        if (!gradient_wants(g, y->operands[k]))
            continue;
        IrNode *contribution = rules[y->op][k](g->b, y->operands, (IrNode *)y, dy);
        if (contribution)
            gradient_add(g, y->operands[k], contribution);
    }
    return true;
}
