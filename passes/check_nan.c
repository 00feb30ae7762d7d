/* check_nan, for --check-nan: a NaN stops the program where it is made.
 *
 * in    simplified IR
 * out   the same, where everything that computes floats is followed by a check: its result has no NaN, or an
 *       operand has one.  Values that were NaN from the start, such as data with gaps, pass.
 *
 * What only `where` chooses from is not checked by itself, for the other choice may be the one that is taken:
 * where(x > 0, log(x), 0) is checked as a whole, and blamed on its operand.  A check reads the whole value,
 * so that every op becomes a kernel of its own: the place in the message is that of one op. */
#include "passes/pipeline.h"

typedef struct CheckNan {
    bool *is_masked; /* by old id: used as what a `where` chooses, or for that alone */
    bool *is_used;   /* by old id */
} CheckNan;

static bool is_float_value(const IrNode *node) {
    return node->result_count == 1 && node->types[0].kind == IR_TENSOR && dtype_is_float(ir_dtype(node));
}

/* Does the op compute, instead of moving values? */
static bool makes_numbers(const IrNode *node) {
    switch (node->op) {
    case OP_gather:
    case OP_concat:
    case OP_sort:
        return false;
    default:
        return is_float_value(node) && (op_is_elementwise(node->op) || op_is_reduction(node->op) ||
                                        op_info[node->op].class == CLASS_CALL);
    }
}

/* ---- what is masked ------------------------------------------------------------------------------------ */

static void use(CheckNan *c, const IrNode *value, bool is_masked) {
    c->is_masked[value->id] = is_masked && (c->is_masked[value->id] || !c->is_used[value->id]);
    c->is_used[value->id] = true;
}

/* Users come after what they use: the region is walked backwards. */
static void find_masked(CheckNan *c, const IrRegion *region) {
    for (uint32_t i = 0; i < region->results.count; i++)
        use(c, region->results.items[i], false);
    for (uint32_t i = region->nodes.count; i-- > 0;) {
        const IrNode *node = region->nodes.items[i];
        for (uint32_t r = 0; r < node->region_count; r++)
            find_masked(c, node->regions[r]);
        bool passes_on = (op_is_elementwise(node->op) || op_is_view(node->op)) && c->is_masked[node->id];
        for (uint32_t k = 0; k < node->operand_count; k++)
            use(c, node->operands[k], passes_on || (node->op == OP_where && k > 0));
    }
}

/* ---- checks -------------------------------------------------------------------------------------------- */

/* Behind a check that was put there: the same value. */
static IrNode *unchecked(IrNode *x) {
    return x->op == OP_check_true && x->attributes[0] == DIAG_E0309 ? x->operands[1] : x;
}

static IrNode *has_nan(IrBuilder *b, IrNode *x) {
    uint32_t axes[IR_MAX_RANK];
    x = unchecked(x);
    if (dtype_info[ir_dtype(x)].compute != ir_dtype(x))
        x = ir_cast(b, x, dtype_info[ir_dtype(x)].compute);
    for (uint32_t k = 0; k < ir_rank(x); k++)
        axes[k] = k;
    IrNode *is_nan = ir_binary(b, OP_ne, x, x);
    return ir_rank(x) ? ir_reduce(b, OP_any, is_nan, axes, ir_rank(x), DTYPE_bool, DTYPE_bool) : is_nan;
}

static Name message_for(IrBuilder *b, Op op) {
    IrModule *module = b->function->module;
    return intern_text(module->names, arena_format(module->arena, "`%s` makes a NaN", op_name(op)));
}

static IrNode *checked(CheckNan *c, IrBuilder *b, const IrNode *old, IrNode *made, IrNode *const *operands) {
    IrNode *fine = ir_unary(b, OP_logical_not, has_nan(b, made));
    const IrNode *blamed = old;
    for (uint32_t k = 0; k < old->operand_count; k++) {
        const IrNode *x = old->operands[k];
        if (c->is_masked[x->id] && makes_numbers(x))
            blamed = blamed == old || blamed == x ? x : blamed;
        else if (is_float_value(x))
            fine = ir_binary(b, OP_logical_or, fine, has_nan(b, operands[k]));
    }
    ir_builder_place(b, blamed);
    IrNode *check = ir_check_true(b, fine, made, DIAG_E0309, message_for(b, blamed->op));
    ir_builder_place(b, old);
    return check;
}

static IrNode *check_rule(IrRewrite *rewrite, const IrNode *old, IrNode *const *operands) {
    CheckNan *c = rewrite->context;
    if (!makes_numbers(old) || c->is_masked[old->id])
        return NULL;
    return checked(c, &rewrite->builder, old, ir_rewrite_copy(rewrite, old, operands), operands);
}

IrFunction *pass_check_nan(PassContext *context, IrFunction *function) {
    if (!context->check_nan)
        return function;
    CheckNan c = {.is_masked = ARENA_ARRAY(context->arena, bool, function->node_count),
                  .is_used = ARENA_ARRAY(context->arena, bool, function->node_count)};
    find_masked(&c, function->body);
    return ir_rewrite_function(function, check_rule, &c);
}
