/* Checks the rules of ir/kernel.h: scopes, dtypes, what may stand in which loop, and what lanes may do. */
#include "ir/kernel.h"

enum { MOST_REGISTERS = 1 << 16, MOST_UNROLLED = 4096 };

typedef struct Verifier {
    const Kernel *kernel;
    Arena *arena;
    const char **message;
    bool is_broken;
    bool *visible;        /* by id: declared and in scope */
    bool *was_declared;   /* by id */
    const bool *varying;  /* by id, inside a vector loop */
    bool *is_outer;       /* by id: was visible where the vector loop begins */
    Op *folds;            /* by id: the op that accumulates an outer variable in it */
    bool *parallel_outer; /* by id: was visible where the parallel loop begins */
    int depth;            /* of blocks; 1: the kernel's own */
} Verifier;

__attribute__((format(printf, 2, 3))) static void broken(Verifier *v, const char *format, ...) {
    va_list list;
    va_start(list, format);
    if (!v->is_broken)
        *v->message = arena_format_list(v->arena, format, list);
    va_end(list);
    v->is_broken = true;
}

/* ---- names -------------------------------------------------------------------------------------- */

static void declare_id(Verifier *v, uint32_t id, Name name) {
    if (id >= v->kernel->next_id || v->was_declared[id]) {
        broken(v, "`%s` is declared twice or has a wrong id", name ? name->text : "");
        return;
    }
    v->was_declared[id] = v->visible[id] = true;
}

static void declare_variable(Verifier *v, const KernelVariable *variable, KernelVariableKind kind) {
    if (!variable || variable->kind != kind) {
        broken(v, "a variable of the wrong kind is declared");
        return;
    }
    if (dtype_kind(variable->dtype) == KIND_COMPLEX)
        broken(v, "`%s` is complex", variable->name->text);
    declare_id(v, variable->id, variable->name);
}

static bool sees(Verifier *v, uint32_t id, Name name) {
    if (id < v->kernel->next_id && v->visible[id])
        return true;
    broken(v, "`%s` is used where it is not declared", name ? name->text : "");
    return false;
}

static bool sees_array(Verifier *v, const KernelArray *array) {
    if (!array)
        broken(v, "an array is missing");
    return array && sees(v, array->id, array->name);
}

/* ---- expressions -------------------------------------------------------------------------------- */

static void check_expr(Verifier *v, const KernelExpr *expr);

static void check_indices(Verifier *v, const KernelArray *array, KernelExpr *const *indices, uint32_t count) {
    if (!sees_array(v, array))
        return;
    if (count != array->rank)
        broken(v, "`%s` has rank %u, not %u", array->name->text, array->rank, count);
    for (uint32_t i = 0; i < count && i < 4; i++) {
        check_expr(v, indices[i]);
        if (!v->is_broken && indices[i]->dtype != DTYPE_i64)
            broken(v, "an index of `%s` is %s, not i64", array->name->text, dtype_name(indices[i]->dtype));
    }
}

static bool fits_rule(Op op, Dtype dtype) {
    DtypeKind kind = dtype_kind(dtype);
    if (op == OP_philox)
        return dtype == DTYPE_u64;
    if (op == OP_whole_sum)
        return dtype == DTYPE_i64 || dtype == DTYPE_u64;
    switch (op_info[op].dtype) {
    case RULE_FLOAT:
        return kind == KIND_FLOAT;
    case RULE_NUMBER:
    case RULE_COUNT:
        return kind != KIND_BOOL;
    case RULE_LOGICAL:
        return kind == KIND_BOOL;
    case RULE_INTEGER:
        return kind != KIND_FLOAT;
    case RULE_SHIFT:
        return dtype_is_integer(dtype);
    default:
        return true;
    }
}

static void check_op(Verifier *v, const KernelExpr *expr) {
    if (!op_is_elementwise(expr->op) || op_is_parts(expr->op) || expr->count != op_info[expr->op].arity) {
        broken(v, "`%s` is not an elementwise op of %u operands", op_name(expr->op), expr->count);
        return;
    }
    for (uint32_t i = 0; i < expr->count; i++)
        check_expr(v, expr->operands[i]);
    if (v->is_broken)
        return;
    Dtype dtype = expr->operands[expr->op == OP_where]->dtype;
    for (uint32_t i = 0; i < expr->count; i++) {
        Dtype wanted = expr->op == OP_where && i == 0 ? DTYPE_bool : dtype;
        if (expr->operands[i]->dtype != wanted)
            broken(v, "an operand of `%s` is %s, not %s", op_name(expr->op),
                   dtype_name(expr->operands[i]->dtype), dtype_name(wanted));
    }
    if (!fits_rule(expr->op, dtype) || dtype_kind(dtype) == KIND_COMPLEX)
        broken(v, "`%s` does not take %s", op_name(expr->op), dtype_name(dtype));
    if (expr->dtype != kernel_op_dtype(expr->op, (const KernelExpr *const *)expr->operands))
        broken(v, "`%s` gives another dtype than %s", op_name(expr->op), dtype_name(expr->dtype));
}

static void check_use(Verifier *v, const KernelExpr *expr) {
    const KernelVariable *variable = expr->variable;
    if (!sees(v, variable->id, variable->name))
        return;
    if (variable->dtype != expr->dtype)
        broken(v, "a use of `%s` has another dtype", variable->name->text);
    if (v->folds && v->is_outer[variable->id] && v->folds[variable->id])
        broken(v, "`%s` is read in the vector loop that accumulates it", variable->name->text);
}

static void check_expr(Verifier *v, const KernelExpr *expr) {
    if (!expr) {
        broken(v, "an expression is missing");
        return;
    }
    switch (expr->kind) {
    case KERNEL_CONST:
        if (dtype_kind(expr->dtype) == KIND_COMPLEX)
            broken(v, "a complex constant");
        break;
    case KERNEL_USE:
        check_use(v, expr);
        break;
    case KERNEL_OP:
        check_op(v, expr);
        break;
    case KERNEL_CAST:
        check_expr(v, expr->operands[0]);
        if (!v->is_broken && (dtype_kind(expr->dtype) == KIND_COMPLEX || expr->count != 1))
            broken(v, "a cast to %s", dtype_name(expr->dtype));
        break;
    case KERNEL_LOAD:
        check_indices(v, expr->array, expr->operands, expr->count);
        if (!v->is_broken && expr->dtype != expr->array->dtype)
            broken(v, "a load of `%s` has another dtype", expr->array->name->text);
        break;
    }
}

static void check_typed(Verifier *v, const KernelExpr *expr, Dtype dtype, const char *what) {
    check_expr(v, expr);
    if (!v->is_broken && expr->dtype != dtype)
        broken(v, "%s is %s, not %s", what, dtype_name(expr->dtype), dtype_name(dtype));
}

/* Bounds, rows and conditions: the same for all lanes. */
static void check_uniform(Verifier *v, const KernelExpr *expr, Dtype dtype, const char *what) {
    check_typed(v, expr, dtype, what);
    if (!v->is_broken && v->varying && kernel_expr_varies(expr, v->varying))
        broken(v, "%s depends on the lane of a vector loop", what);
}

static void check_index_array(Verifier *v, const KernelArray *array) {
    if (sees_array(v, array) && (!dtype_is_integer(array->dtype) || array->rank != 1))
        broken(v, "`%s` does not hold indices", array->name->text);
}

/* ---- statements --------------------------------------------------------------------------------- */

static void check_block(Verifier *v, const KernelBlock *block);

/* A variable that is changed by `=` (op none) or by an accumulate statement. */
static void check_change(Verifier *v, const KernelVariable *variable, Op op) {
    if (!variable) {
        broken(v, "a variable is missing");
        return;
    }
    if (!sees(v, variable->id, variable->name))
        return;
    if (variable->kind != KERNEL_VAR)
        broken(v, "`%s` is not a var", variable->name->text);
    if (v->parallel_outer && v->parallel_outer[variable->id])
        broken(v, "`%s` is shared by the iterations of a parallel loop", variable->name->text);
    if (!v->folds || !v->is_outer[variable->id])
        return;
    if (op == OP_none)
        broken(v, "`%s` is declared outside of the vector loop that assigns it", variable->name->text);
    else if (v->folds[variable->id] != op)
        broken(v, "`%s` is accumulated by two ops in one vector loop", variable->name->text);
}

static bool accumulates(Op op) {
    switch (op) {
    case OP_add:
    case OP_mul:
    case OP_minimum:
    case OP_maximum:
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

static void check_accumulate(Verifier *v, const KernelStatement *s) {
    bool is_pair = s->op == OP_argmax || s->op == OP_argmin;
    if (is_pair != (s->second != NULL) || (!is_pair && !accumulates(s->op))) {
        broken(v, "`%s` does not accumulate", op_name(s->op));
        return;
    }
    check_change(v, s->variable, s->op);
    if (v->is_broken)
        return;
    check_typed(v, s->value, s->variable->dtype, "an accumulated value");
    if (!is_pair) {
        if (!fits_rule(s->op, s->variable->dtype))
            broken(v, "`%s` does not take %s", op_name(s->op), dtype_name(s->variable->dtype));
        return;
    }
    check_change(v, s->second, s->op);
    check_typed(v, s->value2, DTYPE_i64, "the index of a pair");
    if (!v->is_broken && s->second->dtype != DTYPE_i64)
        broken(v, "`%s` is not i64", s->second->name->text);
}

static void check_writable(Verifier *v, const KernelArray *array) {
    if (sees_array(v, array) && array->kind == KERNEL_BUFFER && !array->is_output)
        broken(v, "`%s` is an input", array->name->text);
}

static void check_alloc(Verifier *v, const KernelArray *array) {
    int64_t extent, count = 1;
    if (!array || array->kind == KERNEL_BUFFER || array->rank < 1 || array->rank > 4 ||
        dtype_kind(array->dtype) == KIND_COMPLEX) {
        broken(v, "an allocation of a wrong kind, rank or dtype");
        return;
    }
    for (uint32_t i = 0; i < array->rank; i++) {
        check_uniform(v, array->shape[i], DTYPE_i64, "an extent");
        if (v->is_broken || array->kind != KERNEL_REG)
            continue;
        if (!kernel_is_const_i64(array->shape[i], &extent) || extent < 1 || extent > MOST_REGISTERS ||
            (count *= extent) > MOST_REGISTERS)
            broken(v, "registers `%s` need a small constant shape", array->name->text);
    }
    declare_id(v, array->id, array->name);
}

/* What stands in a vector loop: finds the op of each outer accumulator before the body is checked. */
static void find_fold(void *user, const KernelStatement *s) {
    Verifier *v = user;
    if (s->kind != KERNEL_ACCUMULATE || !s->variable || s->variable->id >= v->kernel->next_id)
        return;
    if (v->is_outer[s->variable->id] && !v->folds[s->variable->id])
        v->folds[s->variable->id] = s->op;
    if (s->second && s->second->id < v->kernel->next_id && v->is_outer[s->second->id])
        v->folds[s->second->id] = s->op;
}

static bool *copy_flags(Verifier *v, const bool *flags) {
    bool *copy = ARENA_ARRAY(v->arena, bool, v->kernel->next_id);
    memcpy(copy, flags, v->kernel->next_id);
    return copy;
}

static void check_loop_kind(Verifier *v, const KernelStatement *s) {
    int64_t begin, end, step = 1;
    bool has_constant_step = !s->step || kernel_is_const_i64(s->step, &step);
    if (has_constant_step && step < 1)
        broken(v, "a loop's step is not positive");
    if (s->loop != LOOP_PARALLEL && (s->grain || s->balance))
        broken(v, "grain or balance of a loop that is not parallel");
    if (s->below && (s->loop != LOOP_VECTOR || !kernel_is_const_i64(s->begin, &begin) ||
                     !kernel_is_const_i64(s->end, &end)))
        broken(v, "`below` of a loop that is not a vector loop with constant bounds");
    switch (s->loop) {
    case LOOP_PARALLEL:
        if (v->depth > 1)
            broken(v, "a parallel loop is not at the top level");
        if (s->balance)
            check_index_array(v, s->balance);
        if (s->balance && s->step)
            broken(v, "a balanced loop has a step");
        break;
    case LOOP_VECTOR:
        if (v->varying)
            broken(v, "a vector loop in a vector loop");
        if (!has_constant_step)
            broken(v, "a vector loop's step is not constant");
        break;
    case LOOP_UNROLLED:
        if (!kernel_is_const_i64(s->begin, &begin) || !kernel_is_const_i64(s->end, &end) ||
            !has_constant_step)
            broken(v, "an unrolled loop's bounds are not constant");
        else if (step > 0 && end > begin &&
                 ((uint64_t)end - (uint64_t)begin) / (uint64_t)step > MOST_UNROLLED)
            broken(v, "an unrolled loop is too long");
        break;
    default:
        break;
    }
}

static void check_for(Verifier *v, const KernelStatement *s) {
    check_uniform(v, s->begin, DTYPE_i64, "a loop's bound");
    check_uniform(v, s->end, DTYPE_i64, "a loop's bound");
    if (s->step)
        check_uniform(v, s->step, DTYPE_i64, "a loop's step");
    if (s->below)
        check_uniform(v, s->below, DTYPE_i64, "a loop's bound");
    if (v->is_broken)
        return;
    check_loop_kind(v, s);
    Verifier saved = *v;
    if (s->loop == LOOP_PARALLEL)
        v->parallel_outer = copy_flags(v, v->visible);
    declare_variable(v, s->variable, KERNEL_INDEX);
    if (v->is_broken)
        return;
    if (s->loop == LOOP_VECTOR) {
        v->is_outer = copy_flags(v, v->visible);
        v->folds = ARENA_ARRAY(v->arena, Op, v->kernel->next_id);
        v->varying = kernel_varying(v->kernel, s, v->arena);
        kernel_visit(&s->body, &(KernelVisitor){.statement = find_fold, .user = v});
    }
    check_block(v, &s->body);
    v->visible[s->variable->id] = false;
    v->parallel_outer = saved.parallel_outer;
    v->varying = saved.varying;
    v->is_outer = saved.is_outer;
    v->folds = saved.folds;
}

static void check_for_nz(Verifier *v, const KernelStatement *s) {
    check_uniform(v, s->value, DTYPE_i64, "a row");
    check_index_array(v, s->array);
    check_index_array(v, s->array2);
    declare_variable(v, s->variable, KERNEL_INDEX);
    declare_variable(v, s->second, KERNEL_INDEX);
    if (v->is_broken)
        return;
    check_block(v, &s->body);
    v->visible[s->variable->id] = v->visible[s->second->id] = false;
}

static void check_merge(Verifier *v, const KernelStatement *s) {
    if (s->iterators.count < 1 || s->iterators.count > 8)
        broken(v, "a merge of %u operands", s->iterators.count);
    for (uint32_t k = 0; k < s->iterators.count && !v->is_broken; k++) {
        check_uniform(v, s->iterators.items[k].begin, DTYPE_i64, "a merge's bound");
        check_uniform(v, s->iterators.items[k].end, DTYPE_i64, "a merge's bound");
        check_index_array(v, s->iterators.items[k].indices);
    }
    declare_variable(v, s->variable, KERNEL_INDEX);
    for (uint32_t k = 0; k < s->iterators.count && !v->is_broken; k++)
        declare_variable(v, s->iterators.items[k].position, KERNEL_INDEX);
    for (uint32_t i = 0; i < s->cases.count && !v->is_broken; i++) {
        uint32_t subset = s->cases.items[i].subset;
        if (!subset || subset >> s->iterators.count)
            broken(v, "a case of a merge names no operand or one that is not there");
        for (uint32_t j = 0; j < i; j++)
            if (s->cases.items[j].subset == subset)
                broken(v, "two cases of a merge are the same");
        check_block(v, &s->cases.items[i].body);
    }
    if (v->is_broken)
        return;
    v->visible[s->variable->id] = false;
    for (uint32_t k = 0; k < s->iterators.count; k++)
        v->visible[s->iterators.items[k].position->id] = false;
}

static void check_append(Verifier *v, const KernelStatement *s) {
    check_change(v, s->variable, OP_none);
    if (!v->is_broken && s->variable->dtype != DTYPE_i64)
        broken(v, "`%s` is not i64", s->variable->name->text);
    if (s->count < 1 || s->count > 4)
        broken(v, "append to %u arrays", s->count);
    for (uint32_t i = 0; i < s->count && !v->is_broken; i++) {
        check_writable(v, s->targets[i]);
        if (!v->is_broken && s->targets[i]->rank != 1)
            broken(v, "append to `%s`, which is not of rank 1", s->targets[i]->name->text);
        if (!v->is_broken)
            check_typed(v, s->target_values[i], s->targets[i]->dtype, "an appended value");
    }
    if (s->value)
        check_typed(v, s->value, DTYPE_bool, "the condition of append");
}

static void check_tile(Verifier *v, const KernelStatement *s) {
    const KernelArray *arrays[] = {s->array, s->array2, s->array3};
    const int64_t shapes[3][2] = {
        {s->tile[0], s->tile[1]}, {s->tile[0], s->tile[2]}, {s->tile[2], s->tile[1]}};
    for (int i = 0; i < 3 && !v->is_broken; i++) {
        if (!sees_array(v, arrays[i]))
            return;
        if (arrays[i]->kind == KERNEL_BUFFER || arrays[i]->rank != 2) {
            broken(v, "tile.mma on `%s`, which is no allocation of rank 2", arrays[i]->name->text);
            return;
        }
        for (int k = 0; k < 2; k++) {
            int64_t extent;
            if (shapes[i][k] < 1 || shapes[i][k] > MOST_UNROLLED ||
                (kernel_is_const_i64(arrays[i]->shape[k], &extent) && extent < shapes[i][k]))
                broken(v, "tile.mma does not fit `%s`", arrays[i]->name->text);
        }
    }
}

static void check_stream(Verifier *v, const KernelStatement *s) {
    if (v->depth > 1)
        broken(v, "a stream hint is not at the top level");
    if (sees_array(v, s->array) && (s->array->kind != KERNEL_BUFFER || !s->array->is_output))
        broken(v, "`%s` streams, but is no output", s->array->name->text);
    check_typed(v, s->value, DTYPE_i64, "a number of elements");
    check_typed(v, s->value2, DTYPE_i64, "the length of a run");
}

static void check_nested(Verifier *v, const KernelStatement *s) {
    bool is_refused = s->kind == KERNEL_APPEND || s->kind == KERNEL_BARRIER || s->kind == KERNEL_TILE_MMA ||
                      s->kind == KERNEL_ALLOC || (s->kind == KERNEL_FOR && s->loop == LOOP_PARALLEL);
    if (v->varying && is_refused)
        broken(v, "a statement that a vector loop cannot contain");
}

static void check_statement(Verifier *v, const KernelStatement *s) {
    check_nested(v, s);
    switch (s->kind) {
    case KERNEL_DECLARE:
        if (s->variable)
            check_typed(v, s->value, s->variable->dtype, "a declared value");
        declare_variable(v, s->variable,
                         s->variable && s->variable->kind == KERNEL_VAR ? KERNEL_VAR : KERNEL_LET);
        break;
    case KERNEL_ASSIGN:
        check_change(v, s->variable, OP_none);
        if (!v->is_broken)
            check_typed(v, s->value, s->variable->dtype, "an assigned value");
        break;
    case KERNEL_ACCUMULATE:
        check_accumulate(v, s);
        break;
    case KERNEL_ALLOC:
        check_alloc(v, s->array);
        break;
    case KERNEL_STORE:
        check_writable(v, s->array);
        check_indices(v, s->array, s->indices, s->count);
        if (!v->is_broken)
            check_typed(v, s->value, s->array->dtype, "a stored value");
        break;
    case KERNEL_FOR:
        check_for(v, s);
        break;
    case KERNEL_FOR_NZ:
        check_for_nz(v, s);
        break;
    case KERNEL_MERGE:
        check_merge(v, s);
        break;
    case KERNEL_WHILE:
    case KERNEL_IF:
        check_uniform(v, s->value, DTYPE_bool, "a condition");
        check_block(v, &s->body);
        check_block(v, &s->otherwise);
        break;
    case KERNEL_APPEND:
        check_append(v, s);
        break;
    case KERNEL_BARRIER:
        break;
    case KERNEL_PREFETCH:
        check_indices(v, s->array, s->indices, s->count);
        break;
    case KERNEL_STREAM:
        check_stream(v, s);
        break;
    case KERNEL_TILE_MMA:
        check_tile(v, s);
        break;
    }
}

/* Names declared in a block end with it. */
static void check_block(Verifier *v, const KernelBlock *block) {
    v->depth++;
    for (uint32_t i = 0; i < block->statements.count && !v->is_broken; i++)
        check_statement(v, block->statements.items[i]);
    v->depth--;
    for (uint32_t i = 0; i < block->statements.count && !v->is_broken; i++) {
        const KernelStatement *s = block->statements.items[i];
        if (s->kind == KERNEL_DECLARE)
            v->visible[s->variable->id] = false;
        if (s->kind == KERNEL_ALLOC)
            v->visible[s->array->id] = false;
    }
}

bool kernel_verify(const Kernel *kernel, Arena *arena, const char **message) {
    Verifier v = {.kernel = kernel, .arena = arena, .message = message};
    v.visible = ARENA_ARRAY(arena, bool, kernel->next_id);
    v.was_declared = ARENA_ARRAY(arena, bool, kernel->next_id);
    for (uint32_t i = 0; i < kernel->parameters.count; i++) {
        const KernelParameter *parameter = &kernel->parameters.items[i];
        const KernelArray *array = parameter->array;
        if (!array)
            declare_variable(&v, parameter->variable, KERNEL_PARAMETER);
        else if (array->kind != KERNEL_BUFFER || array->rank != 1 || dtype_kind(array->dtype) == KIND_COMPLEX)
            broken(&v, "`%s` is not a buffer of rank 1", array->name->text);
        else
            declare_id(&v, array->id, array->name);
    }
    check_block(&v, &kernel->body);
    return !v.is_broken;
}
