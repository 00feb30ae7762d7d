/* What is made of patterns in the body of an index expression, for all indices at once. */
#include "frontend/elab_lift.h"

/* spread and segment work on the first of the own axes: it goes before the index variables, and back. */
static bool lift_spread(Vectorizer *v, const IrNode *old, Lifted *out) {
    const Lifted *x = elab_lift(v, old->operands[0]), *pattern = elab_lift(v, old->operands[1]);
    uint32_t order[IR_MAX_RANK], back[IR_MAX_RANK];
    if (!x || !pattern)
        return false;
    IrNode *node = elab_lift_node(v, x, x->set);
    uint32_t lead = bits(x->set), rank = ir_rank(node);
    order[0] = lead;
    for (uint32_t k = 1; k < rank; k++)
        order[k] = k <= lead ? k - 1 : k;
    for (uint32_t k = 0; k < rank; k++)
        back[order[k]] = k;
    node = lead ? elab_permuted(v->e, node, order) : node;
    node = old->op == OP_spread
               ? ir_spread(&v->e->b, node, pattern->node, (IrSide)old->attributes[0])
               : ir_segment(&v->e->b, (Op)old->attributes[1], node, pattern->node, (IrSide)old->attributes[2],
                            (Dtype)old->attributes[0], ir_dtype(old));
    elab_lift_own(out, lead ? elab_permuted(v->e, node, back) : node, x->set);
    return true;
}

/* Over the entries of each column: all entries are needed at once. */
static bool lift_collect(Vectorizer *v, const IrNode *old, Lifted *out) {
    const Lifted *x = elab_lift(v, old->operands[0]), *entry = elab_lift(v, old->operands[2]);
    IrNode *pattern = old->operands[1];
    IrCollect what = (IrCollect)old->attributes[0];
    if (!x || !entry || !elab_lift_rank_fits(v, x->set | entry->set, ir_rank(old)))
        return false;
    if (entry->set != 1 ||
        elab_lift_is_inside(v, pattern)) { /* the edges are the first variable of this expression */
        elab_unsupported(v->e, old->span, "collecting over the edges of an expression further out");
        return false;
    }
    IrNode *all = elab_lift_node(v, x, x->set | entry->set),
           *made = ir_collected(&v->e->b, all, pattern, what);
    if (what != IR_COLLECT_SOFTMAX)
        made = ir_spread(&v->e->b, made, pattern, IR_SIDE_COLUMNS);
    elab_lift_own(out, made, x->set | entry->set);
    return true;
}

/* The place of an entry, or -1, for each index. */
static bool lift_locate(Vectorizer *v, const IrNode *old, Lifted *out) {
    const Lifted *pattern = elab_lift(v, old->operands[0]), *rows = elab_lift(v, old->operands[1]);
    const Lifted *columns = elab_lift(v, old->operands[2]);
    if (!pattern || !rows || !columns || !elab_lift_rank_fits(v, rows->set | columns->set, ir_rank(old)))
        return false;
    uint32_t set = rows->set | columns->set;
    elab_lift_own(out,
                  ir_pattern_locate(&v->e->b, pattern->node, elab_lift_node(v, rows, set),
                                    elab_lift_node(v, columns, set)),
                  set);
    return true;
}

static IrNode *rebuilt(IrBuilder *b, const IrNode *old, IrNode *const *x) {
    int64_t which = old->attribute_count ? old->attributes[0] : 0;
    switch (old->op) {
    case OP_pattern_part:
        return ir_pattern_part(b, x[0], (IrPart)which);
    case OP_pattern_make:
        return ir_pattern_make(b, x[0], x[1], x[2], x[3], ir_dtype(old), ir_type(old)->order,
                               (IrRepeats)which);
    case OP_pattern_transpose:
        return ir_pattern_transpose(b, x[0]);
    case OP_pattern_reorder:
        return ir_pattern_reorder(b, x[0], ir_type(old)->order);
    case OP_pattern_union:
        return ir_pattern_union(b, x[0], x[1]);
    case OP_pattern_intersection:
        return ir_pattern_intersection(b, x[0], x[1]);
    case OP_pattern_product:
        return ir_pattern_product(b, x[0], x[1]);
    case OP_pattern_select:
        return ir_pattern_select(b, x[0], which & 1 ? x[1] : NULL, which & 2 ? x[which & 1 ? 2 : 1] : NULL);
    default:
        return ir_sparse_product(b, x[0], x[1], x[2], x[3], x[4]);
    }
}

/* The same for all indices: a pattern of its own for each there is not. */
static bool lift_pattern(Vectorizer *v, const IrNode *old, Lifted *out) {
    IrNode *operands[5];
    for (uint32_t k = 0; k < old->operand_count; k++) {
        const Lifted *x = elab_lift(v, old->operands[k]);
        if (!x)
            return false;
        if (x->set) {
            elab_unsupported(v->e, old->span,
                             "a sparse matrix that is another one for each index of an index expression");
            return false;
        }
        operands[k] = elab_lift_node(v, x, 0);
    }
    IrNode *made = rebuilt(&v->e->b, old, operands);
    for (uint32_t i = 0; i < old->result_count; i++)
        elab_lift_own(&out[i], ir_result(&v->e->b, made, i), 0);
    return true;
}

bool elab_lift_entries(Vectorizer *v, const IrNode *old, Lifted *out) {
    switch (old->op) {
    case OP_spread:
    case OP_segment:
        return lift_spread(v, old, out);
    case OP_collect:
        return lift_collect(v, old, out);
    case OP_pattern_locate:
        return lift_locate(v, old, out);
    default:
        return lift_pattern(v, old, out);
    }
}
