/* Walking kernels: every expression and statement of a block, the names it uses, and which variables of a
 * vector loop differ between its lanes. */
#include "ir/kernel.h"

static void visit_expr(const KernelExpr *expr, const KernelVisitor *visitor) {
    if (!expr)
        return;
    if (visitor->expr)
        visitor->expr(visitor->user, expr);
    for (uint32_t i = 0; i < expr->count; i++)
        visit_expr(expr->operands[i], visitor);
}

static void visit_exprs(KernelExpr *const *exprs, uint32_t count, const KernelVisitor *visitor) {
    for (uint32_t i = 0; i < count; i++)
        visit_expr(exprs[i], visitor);
}

static void visit_statement(const KernelStatement *s, const KernelVisitor *visitor) {
    if (visitor->statement)
        visitor->statement(visitor->user, s);
    KernelExpr *const own[] = {s->value, s->value2, s->begin, s->end, s->step, s->below};
    visit_exprs(own, sizeof own / sizeof *own, visitor);
    if (s->kind == KERNEL_STORE || s->kind == KERNEL_PREFETCH)
        visit_exprs(s->indices, s->count, visitor);
    if (s->kind == KERNEL_APPEND)
        visit_exprs(s->target_values, s->count, visitor);
    if (s->kind == KERNEL_ALLOC)
        visit_exprs(s->array->shape, s->array->rank, visitor);
    for (uint32_t i = 0; i < s->iterators.count; i++) {
        visit_expr(s->iterators.items[i].begin, visitor);
        visit_expr(s->iterators.items[i].end, visitor);
    }
    kernel_visit(&s->body, visitor);
    kernel_visit(&s->otherwise, visitor);
    for (uint32_t i = 0; i < s->cases.count; i++)
        kernel_visit(&s->cases.items[i].body, visitor);
}

void kernel_visit(const KernelBlock *block, const KernelVisitor *visitor) {
    for (uint32_t i = 0; i < block->statements.count; i++)
        visit_statement(block->statements.items[i], visitor);
}

/* ---- names in use ------------------------------------------------------------------------------- */

static void mark_expr(void *user, const KernelExpr *expr) {
    bool *used = user;
    if (expr->variable)
        used[expr->variable->id] = true;
    if (expr->array)
        used[expr->array->id] = true;
}

static void mark_statement(void *user, const KernelStatement *s) {
    bool *used = user;
    const KernelVariable *variables[] = {s->variable, s->second};
    const KernelArray *arrays[] = {s->array, s->array2, s->array3, s->balance};
    for (size_t i = 0; i < 2; i++)
        if (variables[i])
            used[variables[i]->id] = true;
    for (size_t i = 0; i < 4; i++)
        if (arrays[i])
            used[arrays[i]->id] = true;
    for (uint32_t i = 0; i < s->iterators.count; i++) {
        used[s->iterators.items[i].position->id] = true;
        used[s->iterators.items[i].indices->id] = true;
    }
    for (uint32_t i = 0; s->kind == KERNEL_APPEND && i < s->count; i++)
        used[s->targets[i]->id] = true;
}

bool *kernel_names_used(const Kernel *kernel, const KernelBlock *block, Arena *arena) {
    bool *used = ARENA_ARRAY(arena, bool, kernel->next_id);
    kernel_visit(block, &(KernelVisitor){mark_statement, mark_expr, used});
    return used;
}

/* ---- lanes -------------------------------------------------------------------------------------- */

bool kernel_expr_varies(const KernelExpr *expr, const bool *varying) {
    if (expr->kind == KERNEL_USE)
        return varying[expr->variable->id];
    for (uint32_t i = 0; i < expr->count; i++)
        if (kernel_expr_varies(expr->operands[i], varying))
            return true;
    return false;
}

typedef struct Spread {
    bool *varying;
    bool has_changed;
} Spread;

static void spread_to(Spread *spread, const KernelVariable *variable) {
    if (!spread->varying[variable->id])
        spread->varying[variable->id] = spread->has_changed = true;
}

static void spread_statement(void *user, const KernelStatement *s) {
    Spread *spread = user;
    bool assigns = s->kind == KERNEL_DECLARE || s->kind == KERNEL_ASSIGN || s->kind == KERNEL_ACCUMULATE;
    if (!assigns)
        return;
    bool varies = kernel_expr_varies(s->value, spread->varying);
    if (s->second && kernel_expr_varies(s->value2, spread->varying))
        varies = true;
    if (varies)
        spread_to(spread, s->variable);
    if (s->second && (varies || spread->varying[s->variable->id]))
        spread_to(spread, s->second);
}

bool *kernel_varying(const Kernel *kernel, const KernelStatement *loop, Arena *arena) {
    Spread spread = {.varying = ARENA_ARRAY(arena, bool, kernel->next_id)};
    spread.varying[loop->variable->id] = true;
    do {
        spread.has_changed = false;
        kernel_visit(&loop->body, &(KernelVisitor){.statement = spread_statement, .user = &spread});
    } while (spread.has_changed);
    return spread.varying;
}
