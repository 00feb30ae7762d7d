/* What a kernel computes and moves, found from its fused region: every node is counted for the elements of it
 * that are demanded (a slice demands a part, a broadcast each element once). */
#include "ir/cost.h"
#include "passes/lower.h"

typedef struct Box { /* so many elements, as extents */
    uint32_t rank;
    IrNode *const *dims;
    const IrNode *view; /* the slice or window that picks them; NULL: all of them are used */
} Box;

enum { BOXES = 4 };

typedef struct Demand { /* the elements of a node that are wanted; none: nobody wants it */
    uint32_t count;
    Box boxes[BOXES];
} Demand;

typedef struct Count {
    const IrNode *fused;
    const Lower *lower;
    LaunchCost *cost;
    Demand *demands; /* by node id */
} Count;

/* ---- demands ------------------------------------------------------------------------------------------- */

static Box whole(const IrNode *node) {
    return (Box){ir_rank(node), ir_type(node)->dims, NULL};
}

static bool same_box(const Box *a, const Box *b) {
    return a->rank == b->rank && a->view == b->view && !memcmp(a->dims, b->dims, a->rank * sizeof *a->dims);
}

static bool box_size(const Box *box, double *size) {
    *size = 1;
    for (uint32_t k = 0; k < box->rank; k++) {
        int64_t extent;
        if (!ir_known_i64(box->dims[k], &extent))
            return false;
        *size *= (double)extent;
    }
    return true;
}

/* Are these boxes together known to be less than all? */
static bool is_less_than_whole(const Demand *demand, const IrNode *node) {
    Box all = whole(node);
    double total = 0, limit;
    if (!box_size(&all, &limit))
        return false;
    for (uint32_t i = 0; i < demand->count; i++) {
        double size;
        if (!box_size(&demand->boxes[i], &size))
            return false;
        total += size;
    }
    return total < limit;
}

static void add_demand(Count *c, const IrNode *node, Box box) {
    Demand *demand = &c->demands[node->id];
    for (uint32_t i = 0; i < demand->count; i++)
        if (same_box(&demand->boxes[i], &box))
            return;
    bool is_full = demand->count == BOXES;
    if (!is_full)
        demand->boxes[demand->count++] = box;
    if (is_full || (demand->count > 1 && !is_less_than_whole(demand, node))) {
        demand->count = 1;
        demand->boxes[0] = whole(node);
    }
}

static bool is_in_kernel(const Count *c, const IrNode *node) {
    return node->region == c->lower->region;
}

static Box operand_box(const IrNode *node, uint32_t k, Box own) {
    const IrNode *operand = node->operands[k];
    if (op_is_reduction(node->op) || node->op == OP_spread || node->op == OP_segment ||
        node->op == OP_broadcast || node->op == OP_update || (node->op == OP_gather && k > 0))
        return whole(operand);
    if (node->op == OP_window && operand->op == OP_param)
        return whole(operand); /* neighbours read the same elements */
    if (node->op == OP_slice || node->op == OP_window || node->op == OP_gather)
        own.view = node;
    return own;
}

/* ---- counting ------------------------------------------------------------------------------------------ */

static bool find_axis(const IrType *type, const IrNode *extent, int32_t *axis) {
    for (uint32_t k = 0; k < type->rank; k++)
        if (ir_same_extent(type->dims[k], extent)) {
            *axis = (int32_t)k;
            return true;
        }
    return false;
}

static uint32_t stride_count(const Count *c) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->fused->operand_count; i++)
        count += c->lower->strides[i][0] ? ir_rank(c->fused->operands[i]) : 0;
    return count;
}

static const IrNode *pattern_of(const Count *c, const LowerScalar *array) {
    return c->fused->operands[array->node->attributes[0]];
}

static bool is_starts(const LowerScalar *array) {
    return array->part == IR_PART_ROW_STARTS || array->part == IR_PART_COLUMN_STARTS;
}

/* The extent among those of the launch that build_launch of schedule.c makes. */
static bool find_place(const Count *c, const IrNode *extent, LaunchCostTerm *term) {
    int32_t operand = -1, axis = -1;
    bool found = find_axis(&c->fused->types[0], extent, &axis);
    uint32_t tensors = 0; /* patterns are no operands of the launch: their arrays are */
    for (uint32_t i = 0; i < c->fused->operand_count; i++) {
        const IrType *type = ir_type(c->fused->operands[i]);
        if (type->kind == IR_PATTERN)
            continue;
        if (!found && (found = find_axis(type, extent, &axis)))
            operand = (int32_t)tensors;
        tensors++;
    }
    for (uint32_t i = 0; !found && i < c->lower->scalars.count; i++) {
        const LowerScalar *scalar = &c->lower->scalars.items[i];
        found = scalar->array ? !is_starts(scalar) && extent == ir_pattern_count(pattern_of(c, scalar))
                              : scalar->node == extent;
        if (found)
            operand = (int32_t)(tensors + stride_count(c) + i), axis = scalar->array ? 0 : -1;
    }
    if (found && term->count < COST_FACTORS) {
        term->factors[term->count].operand = operand;
        term->factors[term->count++].axis = axis;
    }
    return found;
}

static void add_box(Count *c, CostPart part, double coefficient, const Box *demand) {
    LaunchCostTerm term = {.coefficient = coefficient};
    for (uint32_t k = 0; k < demand->rank; k++) {
        int64_t value;
        if (ir_const_value_i64(demand->dims[k], &value))
            term.coefficient *= (double)value;
        else if (find_place(c, demand->dims[k], &term))
            continue;
        else if (ir_known_i64(demand->dims[k], &value))
            term.coefficient *= (double)value;
        else
            c->cost->parts[part].is_least = true;
    }
    vec_push(c->lower->arena, &c->cost->parts[part].terms, term);
}

static void add_boxes(Count *c, CostPart part, double coefficient, const Demand *demand) {
    for (uint32_t i = 0; i < demand->count; i++)
        add_box(c, part, coefficient, &demand->boxes[i]);
}

/* Taking a complex number apart and putting one together is none. */
static bool is_part(Op op) {
    return op == OP_real || op == OP_imag || op == OP_complex;
}

static double operations_of(const IrNode *node) {
    return op_is_elementwise(node->op) && !is_part(node->op) ? (node->op == OP_fma ? 2 : 1) : 0;
}

/* An update writes its part, and reads it first to combine old and new; what it starts from is no demand.  (A
 * copy of that, where it cannot be had in place, is seen at the launch: ir/cost.c.) */
static void count_update(Count *c, const IrNode *update) {
    Arena *arena = c->lower->arena;
    IrNode **dims = ARENA_ARRAY(arena, IrNode *, 2 * IR_MAX_RANK);
    Box part = {.dims = dims};
    part.rank = fuse_update_axes(update, dims);
    double bytes = dtype_info[ir_dtype(update)].bytes;
    add_box(c, COST_WRITTEN, bytes, &part);
    if (update->attributes[0] >= 0) {
        add_box(c, COST_READ, bytes, &part);
        add_box(c, COST_FLOPS, 1, &part);
    }
}

static void count_node(Count *c, const IrNode *node) {
    const Demand *own = &c->demands[node->id];
    for (uint32_t i = 0; i < own->count; i++)
        for (uint32_t k = node->op == OP_update; k < node->operand_count; k++)
            if (is_in_kernel(c, node->operands[k]) && node->operands[k]->result_count == 1)
                add_demand(c, node->operands[k], operand_box(node, k, own->boxes[i]));
    if ((op_is_reduction(node->op) || node->op == OP_segment) && own->count) {
        Box taken_in = whole(node->operands[0]);
        add_box(c, COST_FLOPS, 1, &taken_in);
    } else if (operations_of(node) > 0) {
        add_boxes(c, COST_FLOPS, operations_of(node), own);
    }
}

/* An array of a pattern is read whole. */
static void count_part(Count *c, const LowerScalar *array) {
    const IrType *pattern = ir_type(pattern_of(c, array));
    uint32_t axis = !is_starts(array) ? 2 : array->part == IR_PART_COLUMN_STARTS;
    Box box = {.rank = 1, .dims = pattern->dims + axis};
    add_box(c, COST_READ, dtype_info[array->array->dtype].bytes, &box);
}

static void list_ops(Count *c) {
    for (uint32_t i = 0; i < c->lower->region->nodes.count; i++) {
        const IrNode *node = c->lower->region->nodes.items[i];
        if (!op_is_view(node->op) && node->op != OP_const && !is_part(node->op) && c->demands[node->id].count)
            vec_push(c->lower->arena, &c->cost->ops, node->op);
    }
}

LaunchCost *pass_launch_cost(const IrNode *fused, const Lower *lower) {
    const IrRegion *region = lower->region;
    Arena *arena = lower->arena;
    Count c = {.fused = fused, .lower = lower, .cost = ARENA_NEW(arena, LaunchCost)};
    c.demands = ARENA_ARRAY(arena, Demand, region->function->node_count);
    const IrNode *root = region->results.items[0];
    Box result = whole(root);
    add_demand(&c, root, result);
    for (uint32_t i = region->nodes.count; i-- > 0;)
        count_node(&c, region->nodes.items[i]);
    for (uint32_t i = 0; i < lower->scalars.count; i++)
        if (lower->scalars.items[i].array)
            count_part(&c, &lower->scalars.items[i]);
    for (uint32_t i = 0; i < region->parameters.count; i++) {
        const IrNode *parameter = region->parameters.items[i];
        if (parameter->types[0].kind == IR_TENSOR)
            add_boxes(&c, COST_READ, dtype_info[ir_dtype(parameter)].bytes, &c.demands[parameter->id]);
    }
    if (root->op == OP_update)
        count_update(&c, root);
    else
        add_box(&c, COST_WRITTEN, dtype_info[ir_dtype(root)].bytes, &result);
    list_ops(&c);
    return c.cost;
}
