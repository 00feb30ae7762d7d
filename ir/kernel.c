/* Building kernels: parameters, expressions and statements on the kernel's arena.
 *
 * i64 arithmetic is folded as it is built (constants, neutral and absorbing elements, constants gathered to
 * the right of sums), so that index expressions of fused views stay short; other dtypes are built as given.
 */
#include "ir/kernel.h"

Kernel *kernel_new(Arena *arena, Interner *names, Name name) {
    Kernel *kernel = ARENA_NEW(arena, Kernel);
    kernel->arena = arena;
    kernel->names = names;
    kernel->name = name;
    return kernel;
}

static KernelArray *array_new(Kernel *kernel, KernelArrayKind kind, const char *name, Dtype dtype) {
    KernelArray *array = ARENA_NEW(kernel->arena, KernelArray);
    array->kind = kind;
    array->dtype = dtype;
    array->id = kernel->next_id++;
    array->name = intern_text(kernel->names, name);
    return array;
}

KernelArray *kernel_buffer(Kernel *kernel, const char *name, Dtype dtype, bool is_output) {
    KernelArray *array = array_new(kernel, KERNEL_BUFFER, name, dtype);
    array->is_output = is_output;
    array->rank = 1;
    KernelParameter parameter = {.array = array};
    vec_push(kernel->arena, &kernel->parameters, parameter);
    return array;
}

KernelVariable *kernel_variable(Kernel *kernel, KernelVariableKind kind, const char *name, Dtype dtype) {
    KernelVariable *variable = ARENA_NEW(kernel->arena, KernelVariable);
    variable->kind = kind;
    variable->dtype = dtype;
    variable->id = kernel->next_id++;
    variable->name = intern_text(kernel->names, name);
    return variable;
}

KernelVariable *kernel_scalar(Kernel *kernel, const char *name, Dtype dtype) {
    KernelParameter parameter = {.variable = kernel_variable(kernel, KERNEL_PARAMETER, name, dtype)};
    vec_push(kernel->arena, &kernel->parameters, parameter);
    return parameter.variable;
}

/* ---- expressions -------------------------------------------------------------------------------- */

static KernelExpr *expr_new(Kernel *kernel, KernelExprKind kind, Dtype dtype) {
    KernelExpr *expr = ARENA_NEW(kernel->arena, KernelExpr);
    expr->kind = kind;
    expr->dtype = dtype;
    return expr;
}

KernelExpr *kernel_const(Kernel *kernel, Dtype dtype, uint64_t bits) {
    KernelExpr *expr = expr_new(kernel, KERNEL_CONST, dtype);
    int width = dtype_info[dtype].bytes * 8;
    expr->bits = dtype == DTYPE_bool ? bits != 0 : width < 64 ? bits & ((UINT64_C(1) << width) - 1) : bits;
    return expr;
}

KernelExpr *kernel_const_i64(Kernel *kernel, int64_t value) {
    return kernel_const(kernel, DTYPE_i64, (uint64_t)value);
}

KernelExpr *kernel_use(Kernel *kernel, KernelVariable *variable) {
    KernelExpr *expr = expr_new(kernel, KERNEL_USE, variable->dtype);
    expr->variable = variable;
    return expr;
}

bool kernel_is_const_i64(const KernelExpr *expr, int64_t *value) {
    if (expr->kind != KERNEL_CONST || expr->dtype != DTYPE_i64)
        return false;
    *value = (int64_t)expr->bits;
    return true;
}

static int64_t floor_divide(int64_t a, int64_t b) {
    if (b == -1)
        return (int64_t)(0 - (uint64_t)a);
    int64_t quotient = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

/* The value of an i64 op on constants; false when it is not folded (division by zero, other ops). */
static bool fold_constants(Op op, int64_t a, int64_t b, int64_t *value) {
    uint64_t ua = (uint64_t)a, ub = (uint64_t)b;
    switch (op) {
    case OP_add:
        return *value = (int64_t)(ua + ub), true;
    case OP_sub:
        return *value = (int64_t)(ua - ub), true;
    case OP_mul:
        return *value = (int64_t)(ua * ub), true;
    case OP_floordiv:
        return b != 0 && (*value = floor_divide(a, b), true);
    case OP_mod:
        return b != 0 && (*value = (int64_t)(ua - (uint64_t)floor_divide(a, b) * ub), true);
    case OP_minimum:
        return *value = a < b ? a : b, true;
    case OP_maximum:
        return *value = a > b ? a : b, true;
    default:
        return false;
    }
}

static bool same_variable(const KernelExpr *a, const KernelExpr *b) {
    return a->kind == KERNEL_USE && b->kind == KERNEL_USE && a->variable == b->variable;
}

/* a op 'constant b' in i64 without neutral elements; NULL when there is nothing to fold. */
static KernelExpr *fold_right_constant(Kernel *kernel, Op op, KernelExpr *a, int64_t b) {
    int64_t inner;
    bool is_one = b == 1;
    switch (op) {
    case OP_add:
    case OP_sub:
        if (b == 0)
            return a;
        if (a->kind == KERNEL_OP && a->op == OP_add && kernel_is_const_i64(a->operands[1], &inner)) {
            fold_constants(op, inner, b, &inner); /* (x + c) + b */
            return kernel_op2(kernel, OP_add, a->operands[0], kernel_const_i64(kernel, inner));
        }
        if (op == OP_sub && b != INT64_MIN)
            return kernel_op2(kernel, OP_add, a, kernel_const_i64(kernel, -b));
        return NULL;
    case OP_mul:
        if (b == 0)
            return kernel_const_i64(kernel, 0);
        if (a->kind == KERNEL_OP && a->op == OP_mul && kernel_is_const_i64(a->operands[1], &inner)) {
            fold_constants(op, inner, b, &inner); /* (x * c) * b */
            return kernel_op2(kernel, OP_mul, a->operands[0], kernel_const_i64(kernel, inner));
        }
        return is_one ? a : NULL;
    case OP_floordiv:
        return is_one ? a : NULL;
    case OP_mod:
        return is_one ? kernel_const_i64(kernel, 0) : NULL;
    default:
        return NULL;
    }
}

/* Folding of i64 `a op b`; NULL: build the node. */
static KernelExpr *fold_index(Kernel *kernel, Op op, KernelExpr *a, KernelExpr *b) {
    int64_t ca, cb, value;
    bool a_is_const = kernel_is_const_i64(a, &ca), b_is_const = kernel_is_const_i64(b, &cb);
    if (a_is_const && b_is_const)
        return fold_constants(op, ca, cb, &value) ? kernel_const_i64(kernel, value) : NULL;
    if (b_is_const)
        return fold_right_constant(kernel, op, a, cb);
    if (a_is_const && (op == OP_add || op == OP_mul))
        return kernel_op2(kernel, op, b, a); /* constants to the right */
    if (op == OP_sub && same_variable(a, b))
        return kernel_const_i64(kernel, 0);
    if ((op == OP_minimum || op == OP_maximum) && same_variable(a, b))
        return a;
    return NULL;
}

Dtype kernel_op_dtype(Op op, const KernelExpr *const *operands) {
    if (op == OP_where)
        return operands[1]->dtype;
    DtypeRule rule = op_info[op].dtype;
    return rule == RULE_BOOL || rule == RULE_LOGICAL ? DTYPE_bool : operands[0]->dtype;
}

KernelExpr *kernel_op(Kernel *kernel, Op op, KernelExpr *const *operands) {
    uint32_t arity = op_info[op].arity;
    if (arity == 2 && operands[0]->dtype == DTYPE_i64 && operands[1]->dtype == DTYPE_i64) {
        KernelExpr *folded = fold_index(kernel, op, operands[0], operands[1]);
        if (folded)
            return folded;
    }
    if (op == OP_where && operands[0]->kind == KERNEL_CONST)
        return operands[operands[0]->bits ? 1 : 2];
    KernelExpr *expr = expr_new(kernel, KERNEL_OP, kernel_op_dtype(op, (const KernelExpr *const *)operands));
    expr->op = op;
    expr->count = arity;
    memcpy(expr->operands, operands, arity * sizeof *operands);
    return expr;
}

KernelExpr *kernel_op2(Kernel *kernel, Op op, KernelExpr *a, KernelExpr *b) {
    return kernel_op(kernel, op, (KernelExpr *[]){a, b});
}

KernelExpr *kernel_cast(Kernel *kernel, KernelExpr *x, Dtype dtype) {
    if (x->dtype == dtype)
        return x;
    KernelExpr *expr = expr_new(kernel, KERNEL_CAST, dtype);
    expr->count = 1;
    expr->operands[0] = x;
    return expr;
}

KernelExpr *kernel_load(Kernel *kernel, KernelArray *array, KernelExpr *const *indices, uint32_t count) {
    KernelExpr *expr = expr_new(kernel, KERNEL_LOAD, array->dtype);
    expr->array = array;
    expr->count = count;
    memcpy(expr->operands, indices, count * sizeof *indices);
    return expr;
}

/* ---- statements --------------------------------------------------------------------------------- */

KernelStatement *kernel_statement(Kernel *kernel, KernelBlock *block, KernelStatementKind kind) {
    KernelStatement *statement = ARENA_NEW(kernel->arena, KernelStatement);
    statement->kind = kind;
    vec_push(kernel->arena, &block->statements, statement);
    return statement;
}

KernelStatement *kernel_declare(Kernel *kernel, KernelBlock *block, KernelVariable *variable,
                                KernelExpr *value) {
    KernelStatement *statement = kernel_statement(kernel, block, KERNEL_DECLARE);
    statement->variable = variable;
    statement->value = value;
    return statement;
}

KernelStatement *kernel_assign(Kernel *kernel, KernelBlock *block, KernelVariable *variable,
                               KernelExpr *value) {
    KernelStatement *statement = kernel_statement(kernel, block, KERNEL_ASSIGN);
    statement->variable = variable;
    statement->value = value;
    return statement;
}

KernelStatement *kernel_accumulate(Kernel *kernel, KernelBlock *block, Op op, KernelVariable *variable,
                                   KernelExpr *value) {
    KernelStatement *statement = kernel_statement(kernel, block, KERNEL_ACCUMULATE);
    statement->op = op;
    statement->variable = variable;
    statement->value = value;
    return statement;
}

KernelStatement *kernel_accumulate_arg(Kernel *kernel, KernelBlock *block, Op op, KernelVariable *best,
                                       KernelVariable *index, KernelExpr *value, KernelExpr *at) {
    KernelStatement *statement = kernel_accumulate(kernel, block, op, best, value);
    statement->second = index;
    statement->value2 = at;
    return statement;
}

KernelStatement *kernel_store(Kernel *kernel, KernelBlock *block, KernelArray *array,
                              KernelExpr *const *indices, uint32_t count, KernelExpr *value) {
    KernelStatement *statement = kernel_statement(kernel, block, KERNEL_STORE);
    statement->array = array;
    statement->count = count;
    memcpy(statement->indices, indices, count * sizeof *indices);
    statement->value = value;
    return statement;
}

KernelStatement *kernel_alloc(Kernel *kernel, KernelBlock *block, KernelArrayKind kind, const char *name,
                              Dtype dtype, KernelExpr *const *shape, uint32_t rank) {
    KernelStatement *statement = kernel_statement(kernel, block, KERNEL_ALLOC);
    KernelArray *array = array_new(kernel, kind, name, dtype);
    array->rank = rank;
    memcpy(array->shape, shape, rank * sizeof *shape);
    statement->array = array;
    return statement;
}

KernelStatement *kernel_for(Kernel *kernel, KernelBlock *block, KernelLoop loop, const char *index,
                            KernelExpr *begin, KernelExpr *end, KernelExpr *step) {
    KernelStatement *statement = kernel_statement(kernel, block, KERNEL_FOR);
    statement->loop = loop;
    statement->variable = kernel_variable(kernel, KERNEL_INDEX, index, DTYPE_i64);
    statement->begin = begin;
    statement->end = end;
    statement->step = step;
    return statement;
}

KernelStatement *kernel_for_nz(Kernel *kernel, KernelBlock *block, const char *position,
                               const char *coordinate, KernelExpr *row, KernelArray *indptr,
                               KernelArray *indices) {
    KernelStatement *statement = kernel_statement(kernel, block, KERNEL_FOR_NZ);
    statement->variable = kernel_variable(kernel, KERNEL_INDEX, position, DTYPE_i64);
    statement->second = kernel_variable(kernel, KERNEL_INDEX, coordinate, DTYPE_i64);
    statement->value = row;
    statement->array = indptr;
    statement->array2 = indices;
    return statement;
}

KernelStatement *kernel_if(Kernel *kernel, KernelBlock *block, KernelExpr *condition) {
    KernelStatement *statement = kernel_statement(kernel, block, KERNEL_IF);
    statement->value = condition;
    return statement;
}

KernelStatement *kernel_while(Kernel *kernel, KernelBlock *block, KernelExpr *condition) {
    KernelStatement *statement = kernel_statement(kernel, block, KERNEL_WHILE);
    statement->value = condition;
    return statement;
}

KernelStatement *kernel_merge(Kernel *kernel, KernelBlock *block, const char *coordinate) {
    KernelStatement *statement = kernel_statement(kernel, block, KERNEL_MERGE);
    statement->variable = kernel_variable(kernel, KERNEL_INDEX, coordinate, DTYPE_i64);
    return statement;
}

KernelVariable *kernel_merge_over(Kernel *kernel, KernelStatement *merge, const char *position,
                                  KernelExpr *begin, KernelExpr *end, KernelArray *indices) {
    KernelIterator iterator = {kernel_variable(kernel, KERNEL_INDEX, position, DTYPE_i64), begin, end,
                               indices};
    vec_push(kernel->arena, &merge->iterators, iterator);
    return iterator.position;
}

KernelBlock *kernel_merge_case(Kernel *kernel, KernelStatement *merge, uint32_t subset) {
    KernelCase merge_case = {.subset = subset};
    vec_push(kernel->arena, &merge->cases, merge_case);
    return &merge->cases.items[merge->cases.count - 1].body;
}

KernelStatement *kernel_append(Kernel *kernel, KernelBlock *block, KernelVariable *position,
                               KernelArray *const *targets, KernelExpr *const *values, uint32_t count,
                               KernelExpr *fill) {
    KernelStatement *statement = kernel_statement(kernel, block, KERNEL_APPEND);
    statement->value = fill;
    statement->variable = position;
    statement->count = count;
    memcpy(statement->targets, targets, count * sizeof *targets);
    memcpy(statement->target_values, values, count * sizeof *values);
    return statement;
}

KernelStatement *kernel_prefetch(Kernel *kernel, KernelBlock *block, KernelArray *array,
                                 KernelExpr *const *indices, uint32_t count) {
    KernelStatement *statement = kernel_statement(kernel, block, KERNEL_PREFETCH);
    statement->array = array;
    statement->count = count;
    memcpy(statement->indices, indices, count * sizeof *indices);
    return statement;
}

KernelStatement *kernel_stream(Kernel *kernel, KernelBlock *block, KernelArray *array, KernelExpr *elements,
                               KernelExpr *run) {
    KernelStatement *statement = kernel_statement(kernel, block, KERNEL_STREAM);
    statement->array = array;
    statement->value = elements;
    statement->value2 = run;
    return statement;
}

KernelStatement *kernel_tile_mma(Kernel *kernel, KernelBlock *block, KernelArray *c, KernelArray *a,
                                 KernelArray *b, const int64_t tile[3]) {
    KernelStatement *statement = kernel_statement(kernel, block, KERNEL_TILE_MMA);
    statement->array = c;
    statement->array2 = a;
    statement->array3 = b;
    memcpy(statement->tile, tile, sizeof statement->tile);
    return statement;
}
