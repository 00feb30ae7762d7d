/* Costs of launches and library calls: see cost.h for what is counted. */
#include "ir/cost.h"

/* ---- sums ---------------------------------------------------------------------------------------------- */

static void sort_factors(CostTerm *term) {
    for (uint32_t i = 1; i < term->count; i++)
        for (uint32_t k = i; k > 0 && term->factors[k - 1]->id > term->factors[k]->id; k--) {
            const IrNode *factor = term->factors[k];
            term->factors[k] = term->factors[k - 1];
            term->factors[k - 1] = factor;
        }
}

static bool same_factors(const CostTerm *a, const CostTerm *b) {
    return a->count == b->count && !memcmp(a->factors, b->factors, a->count * sizeof *a->factors);
}

static void add_term(Arena *arena, CostSum *sum, const CostTerm *term) {
    for (uint32_t i = 0; i < sum->terms.count; i++)
        if (same_factors(&sum->terms.items[i], term)) {
            sum->terms.items[i].coefficient += term->coefficient;
            if (sum->terms.items[i].coefficient == 0)
                sum->terms.items[i] = sum->terms.items[--sum->terms.count];
            return;
        }
    if (term->coefficient != 0)
        vec_push(arena, &sum->terms, *term);
}

void cost_add(Arena *arena, CostSum *sum, double coefficient, const IrNode *const *factors, uint32_t count) {
    CostTerm term = {.coefficient = coefficient};
    for (uint32_t i = 0; i < count; i++) {
        int64_t value;
        if (ir_const_value_i64(factors[i], &value))
            term.coefficient *= (double)value;
        else if (term.count < COST_FACTORS)
            term.factors[term.count++] = factors[i];
        else
            sum->is_least = true;
    }
    sort_factors(&term);
    add_term(arena, sum, &term);
}

void cost_add_sum(Arena *arena, CostSum *sum, double scale, const CostSum *other) {
    uint32_t count = other->terms.count;
    for (uint32_t i = 0; i < count; i++) {
        CostTerm term = other->terms.items[i];
        term.coefficient *= scale;
        add_term(arena, sum, &term);
    }
    sum->is_least |= other->is_least;
}

void cost_add_bytes(Arena *arena, CostSum *sum, double sign, const IrType *type) {
    if (type->kind == IR_TENSOR)
        cost_add(arena, sum, sign * dtype_info[type->dtype].bytes, (const IrNode *const *)type->dims,
                 type->rank);
}

bool cost_known(const CostSum *sum, double *value) {
    double total = 0;
    for (uint32_t i = 0; i < sum->terms.count; i++) {
        const CostTerm *term = &sum->terms.items[i];
        double product = term->coefficient;
        for (uint32_t k = 0; k < term->count; k++) {
            int64_t factor;
            if (!ir_known_i64(term->factors[k], &factor))
                return false;
            product *= (double)factor;
        }
        total += product;
    }
    *value = total;
    return true;
}

bool cost_covers(const CostSum *large, const CostSum *small) {
    double a, b;
    if (cost_known(large, &a) && cost_known(small, &b))
        return a >= b;
    for (uint32_t i = 0; i < small->terms.count; i++) {
        const CostTerm *term = &small->terms.items[i];
        bool covered = term->coefficient <= 0;
        for (uint32_t k = 0; k < large->terms.count && !covered; k++)
            covered = same_factors(&large->terms.items[k], term) &&
                      large->terms.items[k].coefficient >= term->coefficient;
        if (!covered)
            return false;
    }
    return true;
}

/* ---- launches ------------------------------------------------------------------------------------------ */

static void add_operand_bytes(Arena *arena, IrCost *cost, const IrNode *node) {
    for (uint32_t k = 0; k < node->operand_count; k++)
        if (node->operands[k]->result_count == 1 && ir_rank(node->operands[k]))
            cost_add_bytes(arena, &cost->parts[COST_READ], 1, ir_type(node->operands[k]));
    for (uint32_t k = 0; k < node->result_count; k++)
        cost_add_bytes(arena, &cost->parts[COST_WRITTEN], 1, &node->types[k]);
}

/* An update that does not take the buffer it starts from copies that first. */
static void add_copy(Arena *arena, IrCost *cost, const IrNode *base) {
    cost_add_bytes(arena, &cost->parts[COST_READ], 1, ir_type(base));
    cost_add_bytes(arena, &cost->parts[COST_WRITTEN], 1, ir_type(base));
}

static void add_kernel(Arena *arena, IrCost *cost, const IrNode *node, int parts) {
    const LaunchCost *kernel = node->cost;
    for (int part = 0; part < parts; part++) {
        for (uint32_t i = 0; i < kernel->parts[part].terms.count; i++) {
            const LaunchCostTerm *term = &kernel->parts[part].terms.items[i];
            const IrNode *factors[COST_FACTORS];
            for (uint32_t k = 0; k < term->count; k++) {
                int32_t operand = term->factors[k].operand, axis = term->factors[k].axis;
                factors[k] = operand < 0 ? node->types[0].dims[axis]
                             : axis < 0  ? node->operands[operand]
                                         : ir_type(node->operands[operand])->dims[axis];
            }
            cost_add(arena, &cost->parts[part], term->coefficient, factors, term->count);
        }
        cost->parts[part].is_least |= kernel->parts[part].is_least;
    }
}

static void add_launch(Arena *arena, IrCost *cost, const IrNode *node) {
    if (!node->cost) { /* from text, or nobody asked for costs */
        add_operand_bytes(arena, cost, node);
        return;
    }
    add_kernel(arena, cost, node, COST_PARTS);
    if (node->attribute_count > 2 && node->attributes[1] < 0)
        add_copy(arena, cost, node->operands[node->attributes[2]]);
}

/* ---- library calls ------------------------------------------------------------------------------------- */

/* flops += coefficient * size of the tensor * the last extents of it, `more` of them again. */
static void add_product(Arena *arena, IrCost *cost, double coefficient, const IrType *type,
                        const IrNode *more) {
    const IrNode *factors[IR_MAX_RANK + 1];
    for (uint32_t k = 0; k < type->rank; k++)
        factors[k] = type->dims[k];
    factors[type->rank] = more;
    cost_add(arena, &cost->parts[COST_FLOPS], coefficient, factors, type->rank + (more != NULL));
}

/* One element stored by the host program. */
static void add_element(Arena *arena, IrCost *cost, const IrNode *node) {
    double bytes = dtype_info[ir_dtype(node)].bytes;
    cost_add(arena, &cost->parts[COST_WRITTEN], bytes, NULL, 0);
    if (!node->attributes[1])
        add_copy(arena, cost, node->operands[0]);
}

static void add_call(Arena *arena, IrCost *cost, const IrNode *node) {
    const IrType *first = node->operand_count ? ir_type(node->operands[0]) : NULL, *out = &node->types[0];
    double scale = dtype_is_complex(out->dtype) ? 4 : 1; /* real operations */
    if (node->op == OP_update) {
        add_element(arena, cost, node);
        return;
    }
    add_operand_bytes(arena, cost, node);
    switch (node->op) {
    case OP_product: /* matmul and its epilogue */
        if (node->cost)
            add_kernel(arena, cost, node, COST_FLOPS + 1);
        /* fallthrough */
    case OP_matmul: /* out [..., m, n], a [..., m, k] */
        add_product(arena, cost, 2 * scale, out, first->dims[first->rank - 1]);
        break;
    case OP_solve: /* LU of a [..., n, n], then two triangles per column of out [..., n, k] */
        add_product(arena, cost, scale * 2 / 3, first, first->dims[first->rank - 1]);
        add_product(arena, cost, 2 * scale, out, first->dims[first->rank - 1]);
        break;
    case OP_cholesky:
        add_product(arena, cost, scale / 3, first, first->dims[first->rank - 1]);
        break;
    case OP_cumsum:
    case OP_cumprod:
    case OP_cummax:
    case OP_cummin:
        add_product(arena, cost, 1, out, NULL);
        break;
    default: /* sorting, searching and copying compute nothing */
        break;
    }
}

bool ir_has_cost(const IrNode *node) {
    return node->op == OP_launch || op_info[node->op].class == CLASS_CALL ||
           (node->op == OP_check_index && ir_rank(node));
}

IrCost ir_cost(const IrNode *node, Arena *arena) {
    IrCost cost = {0};
    if (node->op == OP_launch)
        add_launch(arena, &cost, node);
    else if (ir_has_cost(node))
        add_call(arena, &cost, node);
    return cost;
}
