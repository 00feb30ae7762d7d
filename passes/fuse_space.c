/* Spaces of kernels, and the demands below a result: which axes of the space every operand is read along. */
#include "passes/fuse.h"

/* ---- demands: which axes of the space an operand is read along -------------------------------------------
 */

static bool is_unit_slice_axis(const IrNode *slice, uint32_t axis) {
    int64_t start, step;
    return ir_const_value_i64(slice->operands[1 + 3 * axis], &start) && start == 0 &&
           ir_const_value_i64(slice->operands[3 + 3 * axis], &step) && step == 1;
}

static void taint_all(const int8_t *tags, uint32_t count, bool *taint) {
    for (uint32_t i = 0; taint && i < count; i++)
        if (tags[i] >= 0)
            taint[tags[i]] = true;
}

static void slice_tags(const IrNode *node, const int8_t *tags, int8_t *out, bool *taint) {
    uint32_t dropped = 0, next = 0;
    for (uint32_t axis = 0; axis < ir_rank(node->operands[0]); axis++) {
        if (dropped < node->attribute_count && node->attributes[dropped] == axis) {
            out[axis] = TAG_NONE;
            dropped++;
            continue;
        }
        int8_t tag = tags[next++];
        out[axis] = tag >= 0 && !is_unit_slice_axis(node, axis) ? TAG_MIXED : tag;
        if (out[axis] != tag)
            taint_all(&tag, 1, taint);
    }
}

static void broadcast_tags(const IrNode *node, const int8_t *tags, int8_t *out) {
    const IrNode *x = node->operands[0];
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        uint32_t axis = (uint32_t)node->attributes[k];
        int64_t extent;
        bool repeats = x->types[0].dims[k] != node->types[0].dims[axis] &&
                       ir_const_value_i64(x->types[0].dims[k], &extent) && extent == 1;
        out[k] = repeats ? TAG_NONE : tags[axis];
    }
}

/* An axis that one result axis runs along unchanged keeps its tag; sums and multiples are arithmetic. */
static void window_tags(const IrNode *node, const int8_t *tags, int8_t *out, bool *taint) {
    uint32_t rank = ir_rank(node->operands[0]), seen[IR_MAX_RANK] = {0};
    for (uint32_t axis = 0; axis < rank; axis++)
        out[axis] = TAG_NONE;
    for (uint32_t i = 0; i < node->attribute_count / 2; i++) {
        IrWindowTerm term = ir_window_term(node, i);
        int64_t step, offset;
        bool is_plain = ir_const_value_i64(term.step, &step) && step == 1 &&
                        ir_const_value_i64(ir_window_offset(node, term.axis), &offset) && offset == 0;
        out[term.axis] = is_plain && !seen[term.axis] ? tags[term.result_axis] : TAG_MIXED;
        seen[term.axis]++;
    }
    for (uint32_t i = 0; i < node->attribute_count / 2; i++) {
        IrWindowTerm term = ir_window_term(node, i);
        if (out[term.axis] == TAG_MIXED)
            taint_all(&tags[term.result_axis], 1, taint);
    }
}

static void gather_tags(const IrNode *node, uint32_t k, const int8_t *tags, int8_t *out, bool *taint) {
    uint32_t first = (uint32_t)node->attributes[0], index_rank = ir_rank(node->operands[1]);
    uint32_t next = 0, indexed = 0;
    if (k > 0) {
        memcpy(out, tags + first, index_rank);
        return;
    }
    taint_all(tags + first, index_rank, taint);
    for (uint32_t i = 0; i < ir_rank(node->operands[0]); i++) {
        if (indexed < node->attribute_count && node->attributes[indexed] == i) {
            out[i] = TAG_MIXED;
            next += indexed++ == 0 ? index_rank : 0;
        } else {
            out[i] = tags[next++];
        }
    }
}

/* ---- updates: the space is what is written ---------------------------------------------------------------
 */

/* Extents are those of the value, which carry the checks that it fits. */
uint32_t fuse_update_axes(const IrNode *update, IrNode **dims) {
    uint32_t count = 0, rank = ir_rank(update);
    const IrType *value = ir_type(update->operands[1]);
    if (value->rank) {
        memcpy(dims, value->dims, value->rank * sizeof *dims);
        return value->rank;
    }
    if (ir_update_index_count(update)) {
        const IrType *at = ir_type(update->operands[2 + 3 * rank]);
        for (; count < at->rank; count++)
            dims[count] = at->dims[count];
    }
    for (uint32_t k = 0; k < rank; k++)
        if (!ir_update_indices(update, k))
            dims[count++] = ir_update_extent(update, k);
    return count;
}

uint32_t fuse_update_map(const IrNode *update, int8_t *map, IrNode **dims) {
    IrNode *all[2 * IR_MAX_RANK];
    uint32_t count = fuse_update_axes(update, all), kept = 0;
    for (uint32_t k = 0; k < count; k++) {
        int64_t extent;
        bool is_unit = ir_const_value_i64(all[k], &extent) && extent == 1;
        map[k] = is_unit && (kept || k + 1 < count) ? TAG_NONE : (int8_t)kept;
        if (map[k] >= 0)
            dims[kept++] = all[k];
    }
    return kept;
}

/* The value and the indices are read along the axes of the space; x itself is not read. */
static void update_tags(const IrNode *node, uint32_t k, int8_t *out) {
    IrNode *dims[2 * IR_MAX_RANK];
    int8_t map[2 * IR_MAX_RANK];
    uint32_t rank = ir_rank(node->operands[k]);
    fuse_update_map(node, map, dims);
    for (uint32_t i = 0; i < rank; i++)
        out[i] = k == 0 ? TAG_MIXED : map[i];
}

static void reduction_tags(const IrNode *node, const int8_t *tags, const FuseSpace *space, int8_t *out) {
    uint32_t reduced = 1, next = 0, row = 0;
    for (uint32_t axis = 0; axis < ir_rank(node->operands[0]); axis++) {
        if (reduced < node->attribute_count && node->attributes[reduced] == axis) {
            while (row < space->rank && !space->is_row[row])
                row++;
            out[axis] = (int8_t)row++;
            reduced++;
        } else {
            out[axis] = tags[next++];
        }
    }
}

static void spread_tags(const IrNode *node, const int8_t *tags, const FuseSpace *space, int8_t *out,
                        bool *taint) {
    memcpy(out, tags, ir_rank(node));
    bool is_own = space->pattern && space->pattern == node->operands[1] &&
                  space->side == (IrSide)node->attributes[0] && tags[0] == 1;
    out[0] = is_own ? 0 : TAG_MIXED;
    if (!is_own)
        taint_all(tags, 1, taint);
}

static void segment_tags(const IrNode *node, const int8_t *tags, const FuseSpace *space, int8_t *out) {
    memcpy(out, tags, ir_rank(node));
    out[0] = space->pattern ? 1 : TAG_MIXED;
}

uint32_t fuse_operand_tags(const IrNode *node, uint32_t k, const int8_t *tags, const FuseSpace *space,
                           int8_t *out, bool *taint) {
    uint32_t rank = ir_rank(node->operands[k]);
    if (op_is_reduction(node->op))
        reduction_tags(node, tags, space, out);
    else if (node->op == OP_permute)
        for (uint32_t i = 0; i < rank; i++)
            out[node->attributes[i]] = tags[i];
    else if (node->op == OP_slice && k == 0)
        slice_tags(node, tags, out, taint);
    else if (node->op == OP_broadcast && k == 0)
        broadcast_tags(node, tags, out);
    else if (node->op == OP_window && k == 0)
        window_tags(node, tags, out, taint);
    else if (node->op == OP_gather)
        gather_tags(node, k, tags, out, taint);
    else if (node->op == OP_spread && k == 0)
        spread_tags(node, tags, space, out, taint);
    else if (node->op == OP_segment && k == 0)
        segment_tags(node, tags, space, out);
    else if (node->op == OP_update)
        update_tags(node, k, out);
    else if (node->op == OP_reshape && k == 0) {
        for (uint32_t i = 0; i < rank; i++)
            out[i] = TAG_MIXED;
        taint_all(tags, ir_rank(node), taint);
    } else {
        memcpy(out, tags, rank);
    }
    return rank;
}

/* ---- the space of a kernel
 * --------------------------------------------------------------------------------- */

static void space_of_operand(FuseSpace *space, const IrNode *reduction) {
    const IrType *type = ir_type(reduction->operands[0]);
    space->rank = type->rank;
    memcpy(space->dims, type->dims, type->rank * sizeof *space->dims);
    memset(space->is_row, 0, sizeof space->is_row);
    for (uint32_t i = 1; i < reduction->attribute_count; i++)
        space->is_row[reduction->attributes[i]] = true;
}

static bool has_rows(const FuseSpace *space) {
    for (uint32_t k = 0; k < space->rank; k++)
        if (space->is_row[k])
            return true;
    return false;
}

/* Entries from a side of a pattern, and the axes `behind` them. */
static FuseSpace space_of_entries(const IrNode *pattern, IrSide side, IrNode *const *behind, uint32_t count) {
    FuseSpace space = {.rank = 2 + count, .is_row = {false, true}, .pattern = pattern, .side = side};
    space.dims[0] = ir_pattern_extent(pattern, side);
    space.dims[1] = ir_pattern_count(pattern);
    memcpy(space.dims + 2, behind, count * sizeof *behind);
    return space;
}

FuseSpace fuse_initial_space(const IrNode *root) {
    FuseSpace space = {0};
    if (root->op == OP_segment) {
        space = space_of_entries(root->operands[1], (IrSide)root->attributes[2], root->types[0].dims + 1,
                                 ir_rank(root) - 1);
        space.result_is_outer = true;
    } else if (op_is_reduction(root->op)) {
        space_of_operand(&space, root);
        space.result_is_outer = true;
    } else if (root->op == OP_update) {
        int8_t map[2 * IR_MAX_RANK];
        space.rank = fuse_update_map(root, map, space.dims);
        space.is_update = true;
    } else {
        space.rank = ir_rank(root);
        memcpy(space.dims, root->types[0].dims, space.rank * sizeof *space.dims);
    }
    return space;
}

void fuse_result_tags(const FuseSpace *space, int8_t *tags) {
    uint32_t next = 0;
    memset(tags, TAG_NONE, IR_MAX_RANK);
    for (uint32_t k = 0; k < space->rank; k++)
        if (fuse_has_result(space, k))
            tags[next++] = (int8_t)k;
}

/* A segment in a plain space makes it one of entries: its own rows where the result runs along these, else
 * per entry; whether it then is demanded once per row is asked again. */
static bool become_entries(FuseSpace *space, const IrNode *segment, const int8_t *tags) {
    const IrNode *pattern = segment->operands[1];
    IrSide side = (IrSide)segment->attributes[2];
    if (space->is_update || has_rows(space) || !space->rank || space->rank + 1 > IR_MAX_RANK)
        return false;
    bool is_outer = tags[0] == 0 && ir_same_extent(space->dims[0], ir_pattern_extent(pattern, side));
    if (!is_outer && (tags[0] != TAG_MIXED || !ir_same_extent(space->dims[0], ir_pattern_count(pattern))))
        return false;
    FuseSpace made = space_of_entries(pattern, side, space->dims + 1, space->rank - 1);
    made.result_is_outer = is_outer;
    *space = made;
    return true;
}

static bool accept_segment(FuseSpace *space, const IrNode *segment, const int8_t *tags) {
    if (!space->pattern)
        return become_entries(space, segment, tags);
    if (space->pattern != segment->operands[1] || space->side != (IrSide)segment->attributes[2] ||
        tags[0] != 0)
        return false;
    for (uint32_t k = 1; k < ir_rank(segment); k++)
        if (tags[k] != (int8_t)(k + 1) || !ir_same_extent(segment->types[0].dims[k], space->dims[k + 1]))
            return false;
    return true;
}

bool fuse_accept_reduction(FuseSpace *space, const IrNode *reduction, const int8_t *tags) {
    if (reduction->op == OP_segment)
        return accept_segment(space, reduction, tags);
    if (space->pattern)
        return false;
    FuseSpace wanted = *space;
    const IrType *operand = ir_type(reduction->operands[0]);
    uint32_t outer = ir_rank(reduction);
    if (!outer || space->is_update)
        return false; /* one row only: separate kernels run in parallel */
    for (uint32_t i = 0; i < outer; i++)
        if (tags[i] < 0 || (i && tags[i] <= tags[i - 1]))
            return false;
    if (!has_rows(space)) {
        bool outer_result = outer == space->rank;
        space_of_operand(&wanted, reduction);
        wanted.result_is_outer = outer_result;
        if (outer_result && !ir_same_extents(ir_type(reduction), space->dims, outer))
            return false; /* only a part of the rows is wanted */
        if (!outer_result && !ir_same_extents(operand, space->dims, space->rank))
            return false;
        *space = wanted;
        if (outer_result)
            return true;
    }
    if (!ir_same_extents(operand, space->dims, space->rank))
        return false;
    for (uint32_t i = 1, k = 0; k < space->rank; k++) { /* the same axes reduced */
        bool reduced = i < reduction->attribute_count && reduction->attributes[i] == (int64_t)k;
        i += reduced;
        if (reduced != space->is_row[k])
            return false;
    }
    for (uint32_t i = 0, k = 0; k < space->rank; k++) /* demanded at the outer indices, in order */
        if (!space->is_row[k] && tags[i++] != (int8_t)k)
            return false;
    return true;
}

bool fuse_demanded_before(Arena *arena, FuseDemands *seen, const IrNode *node, const int8_t *tags) {
    for (uint32_t i = 0; i < seen->count; i++)
        if (seen->items[i].node == node && !memcmp(seen->items[i].tags, tags, ir_rank(node)))
            return true;
    FuseDemand demand = {.node = node};
    memcpy(demand.tags, tags, ir_rank(node));
    vec_push(arena, seen, demand);
    return false;
}

/* ---- reading a fused region back
 * ------------------------------------------------------------------------------------- */

typedef struct Reader {
    FuseSpace space;
    FuseDemands seen;
    Arena *arena;
} Reader;

static void read_demands(Reader *r, const IrRegion *region, const IrNode *node, const int8_t *tags,
                         bool is_root) {
    if (node->region != region || node->op == OP_param || node->result_count != 1)
        return;
    if (fuse_demanded_before(r->arena, &r->seen, node, tags))
        return;
    if ((op_is_reduction(node->op) || node->op == OP_segment) && !is_root && !has_rows(&r->space))
        fuse_accept_reduction(&r->space, node, tags);
    for (uint32_t k = 0; k < node->operand_count; k++) {
        int8_t inner[IR_MAX_RANK];
        if (node->operands[k]->types[0].kind != IR_TENSOR ||
            (!ir_rank(node->operands[k]) && !op_is_reduction(node->operands[k]->op)))
            continue;
        fuse_operand_tags(node, k, tags, &r->space, inner, NULL);
        read_demands(r, region, node->operands[k], inner, false);
    }
}

FuseSpace fuse_space(const IrRegion *region) {
    const IrNode *root = region->results.items[0];
    Reader r = {.space = fuse_initial_space(root), .arena = region->function->module->arena};
    int8_t tags[IR_MAX_RANK];
    fuse_result_tags(&r.space, tags);
    read_demands(&r, region, root, tags, true);
    return r.space;
}
