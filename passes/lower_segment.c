/* Loops over the entries of a sparse pattern, a row (or a column: one end of an edge) at a time.
 *
 *     for.parallel v balance starts {
 *         for each level of segments, those that run along the same axes together:
 *             for the axes behind the entries, the last in tiles of registers:
 *                 for.nz (q, u) in v { accumulators op= value of the entry }
 *         the result: once per v, in the last level's tile where it can be, or once per entry
 *     }
 *
 * A segment that others wait for is kept in scratch, [its axes behind the entries]; one without such axes in
 * a variable.  Sums of products are fused multiply-adds.  Entries are taken in the order of the row, by one
 * thread. */
#include "ir/number.h"
#include "passes/lower.h"

enum {
    TILE_BYTES = 512, /* of accumulators: eight of the widest registers */
    PREFETCH_ENTRIES = 32
};

typedef VEC(const IrNode *) NodeList;

static KernelExpr *integer(Lower *l, int64_t value) {
    return kernel_const_i64(l->kernel, value);
}

static IrPart side_part(IrSide side, IrPart of_rows) {
    return (IrPart)(of_rows + (side == IR_SIDE_COLUMNS ? IR_PART_COLUMN_STARTS - IR_PART_ROW_STARTS : 0));
}

/* ---- entries --------------------------------------------------------------------------------------- */

typedef struct Entries {
    KernelArray *starts, *indices, *places; /* places: NULL where entries are in the loop's order */
} Entries;

static Entries entries_of(Lower *l) {
    static const IrOrder own[] = {[IR_SIDE_ROWS] = IR_ORDER_ROWS, [IR_SIDE_COLUMNS] = IR_ORDER_COLUMNS};
    const IrNode *pattern = l->space.pattern;
    IrSide side = l->space.side;
    Entries entries = {.starts = lower_pattern_part(l, pattern, side_part(side, IR_PART_ROW_STARTS)),
                       .indices = lower_pattern_part(l, pattern, side_part(side, IR_PART_ROW_INDICES))};
    if (ir_type(pattern)->order != own[side])
        entries.places = lower_pattern_part(l, pattern, side_part(side, IR_PART_ROW_PLACES));
    return entries;
}

static KernelStatement *begin_entries(Lower *l, const Entries *entries) {
    KernelBlock *block = lower_block(l);
    KernelStatement *loop =
        kernel_for_nz(l->kernel, block, "q", "u", l->index[0], entries->starts, entries->indices);
    block->statements.count--;
    lower_open(l, &loop->body, loop->variable);
    lower_declared(l, loop->second, l->depth);
    KernelExpr *position = kernel_use(l->kernel, loop->variable);
    l->index[1] = l->entry_position = position;
    if (entries->places) {
        KernelExpr *place = kernel_load(l->kernel, entries->places, &position, 1);
        l->index[1] = lower_let(l, "e", kernel_cast(l->kernel, place, DTYPE_i64));
    }
    l->other_end = kernel_use(l->kernel, loop->second);
    return loop;
}

/* ---- tiles: the axes behind the entries ------------------------------------------------------------- */

typedef struct Tile {
    KernelStatement *loops[IR_MAX_RANK];
    uint32_t count, axis; /* serial loops; the axis of the space that lanes run along */
    KernelExpr *first,
        *left; /* its index in lane 0, or NULL for 0; indices from there on, or NULL: all lanes */
    int64_t lanes;
} Tile;

/* Loops over the axes 2 .. last of the space, with lanes along the last, or along the flat run that ends the
 * space. */
static Tile open_tile(Lower *l, uint32_t last, Dtype dtype) {
    bool is_flat = last + 1 == l->space.rank;
    uint32_t lane_axis = is_flat && l->collapse > 1 && l->collapse < last ? l->collapse : last;
    Tile tile = {.axis = last, .lanes = TILE_BYTES / dtype_info[dtype].bytes};
    int64_t known;
    for (uint32_t k = 2; k < lane_axis; k++) {
        KernelStatement *loop =
            lower_begin_loop(l, LOOP_SERIAL, "k", integer(l, 0), lower_extent(l, l->space.dims[k]));
        l->index[k] = kernel_use(l->kernel, loop->variable);
        tile.loops[tile.count++] = loop;
    }
    for (uint32_t k = lane_axis; k < last; k++)
        l->index[k] = NULL;
    KernelExpr *extent = integer(l, 1);
    int64_t product = 1;
    bool is_known = true, is_constant = true;
    for (uint32_t k = lane_axis; k <= last; k++) {
        extent = kernel_op2(l->kernel, OP_mul, extent, lower_extent(l, l->space.dims[k]));
        is_constant = is_constant && ir_const_value_i64(l->space.dims[k], &known);
        is_known = is_known && ir_known_i64(l->space.dims[k], &known) && known >= 0 && known <= 4096;
        product = is_known && product <= 4096 ? product * known : product;
    }
    if (is_constant && is_known && product <= tile.lanes) { /* every lane is there */
        tile.lanes = product > 0 ? product : 1;
        tile.left = product > 0 ? NULL : integer(l, 0);
        return tile;
    }
    while (is_known && tile.lanes > 4 && tile.lanes / 2 >= product)
        tile.lanes /= 2;
    KernelStatement *loop = lower_begin_loop(l, LOOP_SERIAL, "k", integer(l, 0), extent);
    loop->step = integer(l, tile.lanes);
    tile.loops[tile.count++] = loop;
    tile.first = kernel_use(l->kernel, loop->variable);
    tile.left = kernel_op2(l->kernel, OP_sub, extent, tile.first);
    return tile;
}

static void close_tile(Lower *l, Tile *tile) {
    while (tile->count > 0)
        lower_end_loop(l, tile->loops[--tile->count]);
}

static KernelStatement *begin_lanes(Lower *l, const Tile *tile) {
    KernelStatement *loop = lower_begin_loop(l, LOOP_VECTOR, "t", integer(l, 0), integer(l, tile->lanes));
    loop->below = tile->left;
    l->lane = kernel_use(l->kernel, loop->variable);
    l->index[tile->axis] = tile->first ? kernel_op2(l->kernel, OP_add, tile->first, l->lane) : l->lane;
    return loop;
}

/* ---- segments --------------------------------------------------------------------------------------- */

static Dtype accumulator_of(const IrNode *segment) {
    return (Dtype)segment->attributes[0];
}

static Op combine_of(const IrNode *segment) {
    return op_info[segment->attributes[1]].combine;
}

/* The value of the entry, [entries, ...], at the current indices, as the accumulator holds it. */
static KernelExpr *entry_value(Lower *l, const IrNode *segment) {
    return kernel_cast(l->kernel, lower_value(l, segment->operands[0], l->index + 1),
                       accumulator_of(segment));
}

static KernelExpr *folded(Lower *l, const IrNode *segment, KernelExpr *old, KernelExpr *value) {
    Op op = combine_of(segment);
    if (op == OP_add && value->kind == KERNEL_OP && value->op == OP_mul && dtype_is_float(value->dtype))
        return kernel_op(l->kernel, OP_fma, (KernelExpr *[]){value->operands[0], value->operands[1], old});
    return kernel_op2(l->kernel, op, old, value);
}

/* Segments without axes behind the entries: variables. */
static void run_scalars(Lower *l, const Entries *entries, const NodeList *segments) {
    KernelVariable **variables = ARENA_ARRAY(l->arena, KernelVariable *, segments->count);
    for (uint32_t i = 0; i < segments->count; i++) {
        const IrNode *segment = segments->items[i];
        variables[i] = kernel_variable(l->kernel, KERNEL_VAR, "sum", accumulator_of(segment));
        kernel_declare(l->kernel, lower_block(l), variables[i],
                       lower_identity(l, (Op)segment->attributes[1], accumulator_of(segment)));
        lower_declared(l, variables[i], l->depth);
    }
    KernelStatement *loop = begin_entries(l, entries);
    for (uint32_t i = 0; i < segments->count; i++) {
        KernelExpr *value = entry_value(l, segments->items[i]);
        kernel_assign(l->kernel, lower_block(l), variables[i],
                      folded(l, segments->items[i], kernel_use(l->kernel, variables[i]), value));
    }
    lower_end_loop(l, loop);
    for (uint32_t i = 0; i < segments->count; i++) {
        const IrNode *segment = segments->items[i];
        KernelExpr *value = kernel_cast(l->kernel, kernel_use(l->kernel, variables[i]), ir_dtype(segment));
        l->segments[segment->id] = (LowerSegment){.value = lower_let(l, "v", value)};
    }
}

static void keep_in_scratch(Lower *l, const IrNode *segment, KernelArray *scratch, KernelExpr *value) {
    KernelExpr *position = lower_linear(l, segment->types[0].dims + 1, ir_rank(segment) - 1, l->index + 2);
    kernel_store(l->kernel, lower_block(l), scratch, &position, 1, value);
}

/* The rows that an entry further on will read from the other side come into the cache meanwhile. */
static void prefetch_rows(Lower *l, const Entries *entries, const IrNode *node, bool *seen) {
    if (node->region != l->region || seen[node->id])
        return;
    seen[node->id] = true;
    const IrNode *x = node->op == OP_spread ? node->operands[0] : NULL;
    bool is_far = x && x->op == OP_param && node->operands[1] == l->space.pattern &&
                  (IrSide)node->attributes[0] != l->space.side && ir_rank(x) + 1 == l->space.rank &&
                  !l->strides[x->attributes[0]][0] && !dtype_is_complex(ir_dtype(x));
    if (is_far) {
        KernelExpr *last = kernel_op2(l->kernel, OP_sub, lower_extent(l, l->space.dims[1]), integer(l, 1));
        KernelExpr *next = kernel_op2(l->kernel, OP_add, l->entry_position, integer(l, PREFETCH_ENTRIES));
        KernelExpr *at = kernel_op2(l->kernel, OP_minimum, next, last), *indices[IR_MAX_RANK];
        memcpy(indices, l->index + 1, ir_rank(x) * sizeof *indices);
        indices[0] = kernel_cast(l->kernel, kernel_load(l->kernel, entries->indices, &at, 1), DTYPE_i64);
        KernelExpr *position = lower_linear(l, x->types[0].dims, ir_rank(x), indices);
        kernel_prefetch(l->kernel, lower_block(l), l->inputs[x->attributes[0]], &position, 1);
    }
    for (uint32_t k = 0; k < node->operand_count; k++)
        prefetch_rows(l, entries, node->operands[k], seen);
}

/* Segments of one rank above 1, which have the same axes behind the entries; with the result where it is that
 * of the last of them. */
static void run_tiled(Lower *l, const Entries *entries, const NodeList *segments, bool with_result) {
    uint32_t last = ir_rank(segments->items[0]);
    Dtype widest = accumulator_of(segments->items[0]);
    for (uint32_t i = 1; i < segments->count; i++)
        if (dtype_info[accumulator_of(segments->items[i])].bytes > dtype_info[widest].bytes)
            widest = accumulator_of(segments->items[i]);
    Tile tile = open_tile(l, last, widest);
    KernelArray **sums = ARENA_ARRAY(l->arena, KernelArray *, segments->count);
    KernelExpr *lanes = integer(l, tile.lanes);
    for (uint32_t i = 0; i < segments->count; i++)
        sums[i] = kernel_alloc(l->kernel, lower_block(l), KERNEL_REG, "sum",
                               accumulator_of(segments->items[i]), &lanes, 1)
                      ->array;
    KernelStatement *clear = begin_lanes(l, &tile);
    for (uint32_t i = 0; i < segments->count; i++)
        kernel_store(
            l->kernel, lower_block(l), sums[i], &l->lane, 1,
            lower_identity(l, (Op)segments->items[i]->attributes[1], accumulator_of(segments->items[i])));
    lower_end_loop(l, clear);

    KernelStatement *loop = begin_entries(l, entries), *fold = begin_lanes(l, &tile);
    bool *seen = ARENA_ARRAY(l->arena, bool, l->region->function->node_count);
    for (uint32_t i = 0; i < segments->count; i++)
        prefetch_rows(l, entries, segments->items[i]->operands[0], seen);
    for (uint32_t i = 0; i < segments->count; i++) {
        KernelExpr *old = kernel_load(l->kernel, sums[i], &l->lane, 1);
        kernel_store(l->kernel, lower_block(l), sums[i], &l->lane, 1,
                     folded(l, segments->items[i], old, entry_value(l, segments->items[i])));
    }
    lower_end_loop(l, fold);
    lower_end_loop(l, loop);

    KernelStatement *finish = begin_lanes(l, &tile);
    for (uint32_t i = 0; i < segments->count; i++) {
        const IrNode *segment = segments->items[i];
        KernelExpr *value =
            kernel_cast(l->kernel, kernel_load(l->kernel, sums[i], &l->lane, 1), ir_dtype(segment));
        if (with_result)
            l->segments[segment->id] = (LowerSegment){.value = lower_let(l, "v", value)};
        else
            keep_in_scratch(l, segment, l->segments[segment->id].scratch, value);
    }
    if (with_result)
        lower_store_root(l);
    lower_end_loop(l, finish);
    close_tile(l, &tile);
}

/* ---- levels ----------------------------------------------------------------------------------------- */

static uint32_t level_of(const Lower *l, const IrNode *node, uint32_t *levels) {
    if (node->region != l->region)
        return 0;
    if (levels[node->id])
        return levels[node->id] - 1;
    uint32_t level = node->op == OP_segment, below = 0;
    for (uint32_t k = 0; k < node->operand_count; k++) {
        uint32_t own = level_of(l, node->operands[k], levels);
        below = own > below ? own : below;
    }
    levels[node->id] = level + below + 1;
    return level + below;
}

/* The segments of a level with this rank, or NULL when there are none. */
static bool segments_of(const Lower *l, uint32_t level, uint32_t rank, uint32_t *levels, NodeList *out) {
    *out = (NodeList){0};
    for (uint32_t i = 0; i < l->region->nodes.count; i++) {
        const IrNode *node = l->region->nodes.items[i];
        if (node->op == OP_segment && ir_rank(node) == rank && level_of(l, node, levels) == level)
            vec_push(l->arena, out, node);
    }
    return out->count > 0;
}

/* The result where no tile of a segment could take it: once per v, or once per entry. */
static void store_apart(Lower *l, const Entries *entries) {
    KernelStatement *loop = l->space.result_is_outer ? NULL : begin_entries(l, entries);
    if (l->space.rank > 2) {
        Tile tile = open_tile(l, l->space.rank - 1, ir_dtype(l->region->results.items[0]));
        KernelStatement *lanes = begin_lanes(l, &tile);
        lower_store_root(l);
        lower_end_loop(l, lanes);
        close_tile(l, &tile);
    } else {
        lower_store_root(l);
    }
    if (loop)
        lower_end_loop(l, loop);
}

/* Scratch for what later levels read; allocated once per thread, as sizes do not depend on v. */
static void declare_scratch(Lower *l, uint32_t most, uint32_t *levels) {
    for (uint32_t i = 0; i < l->region->nodes.count; i++) {
        const IrNode *node = l->region->nodes.items[i];
        bool is_last = l->space.result_is_outer && level_of(l, node, levels) == most &&
                       ir_rank(node) + 1 == l->space.rank;
        if (node->op != OP_segment || ir_rank(node) < 2 || is_last)
            continue;
        KernelExpr *size = integer(l, 1);
        for (uint32_t k = 1; k < ir_rank(node); k++)
            size = kernel_op2(l->kernel, OP_mul, size, lower_size(l, node->types[0].dims[k]));
        l->segments[node->id].scratch =
            kernel_alloc(l->kernel, lower_block(l), KERNEL_SCRATCH, "segment", ir_dtype(node), &size, 1)
                ->array;
    }
}

void lower_segments(Lower *l) {
    uint32_t *levels = ARENA_ARRAY(l->arena, uint32_t, l->region->function->node_count), most = 0;
    for (uint32_t i = 0; i < l->region->nodes.count; i++) {
        uint32_t level = level_of(l, l->region->nodes.items[i], levels);
        most = level > most ? level : most;
    }
    Entries entries = entries_of(l);
    KernelStatement *rows =
        lower_begin_loop(l, LOOP_PARALLEL, "v", integer(l, 0), lower_extent(l, l->space.dims[0]));
    rows->balance = entries.starts;
    l->index[0] = kernel_use(l->kernel, rows->variable);
    declare_scratch(l, most, levels);
    bool is_stored = false;
    for (uint32_t level = 1; level <= most; level++)
        for (uint32_t rank = 1; rank < l->space.rank; rank++) {
            NodeList segments;
            if (!segments_of(l, level, rank, levels, &segments))
                continue;
            if (rank == 1) {
                run_scalars(l, &entries, &segments);
                continue;
            }
            is_stored = l->space.result_is_outer && level == most && rank + 1 == l->space.rank;
            run_tiled(l, &entries, &segments, is_stored);
        }
    if (!is_stored)
        store_apart(l, &entries);
    lower_end_loop(l, rows);
}
