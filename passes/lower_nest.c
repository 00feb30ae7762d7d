/* Loop nests of one fused region, after the kinds of fuse.h.
 *
 *   plain    chunks of a flat index, or rows of the leading axes around one vector loop
 *   rows     the row axes end the space: for each row, a vector loop per level of reductions, then one for
 * the result columns  the last axis is not reduced: lanes run across it, reduced axes are serial loops inside
 *   full     nothing is left: fixed chunks in parallel, partial results combined in order
 *
 * Every partition is a function of the shape alone, so results do not depend on the number of threads. */
#include "ir/number.h"
#include "passes/lower.h"

enum { CHUNK = 16384, COLUMN_ALIGN = 64, STREAM_COLUMNS = 512 };

static KernelExpr *integer(Lower *l, int64_t value) {
    return kernel_const_i64(l->kernel, value);
}

static KernelExpr *binary(Lower *l, Op op, KernelExpr *a, KernelExpr *b) {
    return kernel_op2(l->kernel, op, a, b);
}

/* ceil(a / b) for b > 0 */
static KernelExpr *ceil_divide(Lower *l, KernelExpr *a, KernelExpr *b) {
    KernelExpr *last = binary(l, OP_sub, binary(l, OP_add, a, b), integer(l, 1));
    return binary(l, OP_floordiv, last, b);
}

/* A loop joins its block when it is closed, so that what its body hoists is declared before it. */
KernelStatement *lower_begin_loop(Lower *l, KernelLoop kind, const char *name, KernelExpr *begin,
                                  KernelExpr *end) {
    KernelBlock *block = lower_block(l);
    KernelStatement *loop = kernel_for(l->kernel, block, kind, name, begin, end, NULL);
    block->statements.count--;
    lower_open(l, &loop->body, loop->variable);
    return loop;
}

void lower_end_loop(Lower *l, KernelStatement *loop) {
    lower_close(l);
    vec_push(l->arena, &lower_block(l)->statements, loop);
}

static KernelExpr *extent_product(Lower *l, uint32_t begin, uint32_t end, bool rows, bool others) {
    KernelExpr *product = integer(l, 1);
    for (uint32_t k = begin; k < end; k++)
        if (l->space.is_row[k] ? rows : others)
            product = binary(l, OP_mul, product, lower_extent(l, l->space.dims[k]));
    return product;
}

/* ---- flattening
 * --------------------------------------------------------------------------------------------- */

typedef struct Flatten {
    Lower *lower;
    uint32_t first; /* axes first … rank-1 may run as one index */
    VEC(const IrNode *) nodes;
    VEC(int8_t *) tags;
} Flatten;

/* A leaf reads the last axes of the space in C order, or does not read them at all. */
static void flatten_leaf(Flatten *f, const IrNode *leaf, const int8_t *tags, bool is_contiguous) {
    const FuseSpace *space = &f->lower->space;
    uint32_t rank = ir_rank(leaf), first = space->rank;
    uint32_t k = rank;
    while (is_contiguous && k > 0 && first > 0 && tags[k - 1] == (int8_t)(first - 1) &&
           ir_same_extent(leaf->types[0].dims[k - 1], space->dims[first - 1]))
        k--, first--;
    for (uint32_t i = 0; i < k; i++) /* axes read elsewhere stay out of the flat run */
        if (tags[i] >= 0 && (uint32_t)tags[i] + 1 > first)
            first = (uint32_t)tags[i] + 1;
    if (first > f->first)
        f->first = first;
}

static bool flatten_seen(Flatten *f, const IrNode *node, const int8_t *tags) {
    for (uint32_t i = 0; i < f->nodes.count; i++)
        if (f->nodes.items[i] == node && !memcmp(f->tags.items[i], tags, ir_rank(node)))
            return true;
    int8_t *copy = arena_alloc(f->lower->arena, IR_MAX_RANK);
    memcpy(copy, tags, ir_rank(node));
    vec_push(f->lower->arena, &f->nodes, node);
    vec_push(f->lower->arena, &f->tags, copy);
    return false;
}

static void flatten_walk(Flatten *f, const IrNode *node, const int8_t *tags) {
    Lower *l = f->lower;
    if (node->region != l->region || ir_is_const(node) || flatten_seen(f, node, tags))
        return;
    if (node->op == OP_param) {
        flatten_leaf(f, node, tags, !l->strides[node->attributes[0]][0]);
        return;
    }
    if (node->op == OP_iota) {
        flatten_leaf(f, node, tags, false);
        return;
    }
    bool taint[IR_MAX_RANK] = {false};
    if (node->op == OP_reshape && ir_rank(node->operands[0])) {
        flatten_leaf(f, node, tags, true); /* a contiguous parameter under other extents */
        return;
    }
    for (uint32_t k = 0; k < node->operand_count; k++) {
        int8_t inner[IR_MAX_RANK];
        if (node->operands[k]->types[0].kind == IR_PATTERN)
            continue;
        fuse_operand_tags(node, k, tags, &l->space, inner, taint);
        flatten_walk(f, node->operands[k], inner);
    }
    for (uint32_t axis = 0; axis < l->space.rank; axis++)
        if (taint[axis] && axis + 1 > f->first)
            f->first = axis + 1;
}

static bool is_whole_axis(const IrNode *update, uint32_t axis) {
    int64_t start, step;
    return ir_const_value_i64(ir_update_start(update, axis), &start) && start == 0 &&
           ir_const_value_i64(ir_update_step(update, axis), &step) && step == 1;
}

/* What an update writes is a leaf too: whole axes are written in C order. */
static void flatten_update(Flatten *f, const IrNode *update) {
    IrNode *dims[2 * IR_MAX_RANK];
    int8_t map[2 * IR_MAX_RANK], tags[2 * IR_MAX_RANK];
    uint32_t count = fuse_update_map(update, map, dims);
    uint32_t axis = fuse_update_axes(update, dims) - (ir_rank(update) - ir_update_index_count(update));
    for (uint32_t k = 0; k < axis; k++) /* the indices' axes */
        if (map[k] >= 0 && (uint32_t)map[k] + 1 > f->first)
            f->first = (uint32_t)map[k] + 1;
    for (uint32_t k = 0; k < ir_rank(update); k++) {
        int8_t tag = ir_update_indices(update, k) ? TAG_MIXED : map[axis++];
        tags[k] = tag >= 0 && !is_whole_axis(update, k) ? TAG_MIXED : tag;
        if (tags[k] != tag && (uint32_t)tag + 1 > f->first)
            f->first = (uint32_t)tag + 1;
    }
    flatten_leaf(f, update, tags, true);
    for (uint32_t k = 1; k < update->operand_count; k++) {
        if (!ir_rank(update->operands[k]))
            continue;
        fuse_operand_tags(update, k, NULL, &f->lower->space, tags, NULL);
        flatten_walk(f, update->operands[k], tags);
    }
    if (f->first >= count)
        f->first = count - 1;
}

/* Sets l->collapse: the first axis of the flat run at the end of the space. */
static void find_collapse(Lower *l) {
    Flatten f = {.lower = l};
    const IrNode *root = l->region->results.items[0];
    int8_t tags[IR_MAX_RANK] = {0};
    uint32_t count = 0, last = l->space.rank - 1;
    for (uint32_t k = 0; k < l->space.rank; k++)
        if (fuse_has_result(&l->space, k))
            tags[count++] = (int8_t)k;
    if (l->space.is_update)
        flatten_update(&f, root);
    else
        flatten_walk(&f, root, tags);
    if (f.first > last)
        f.first = last;
    while (last > 0 && f.first < last) { /* one kind of axis only */
        bool uniform = true;
        for (uint32_t k = f.first; k < last; k++)
            uniform &= l->space.is_row[k] == l->space.is_row[last];
        if (uniform)
            break;
        f.first++;
    }
    l->collapse = f.first;
}

static void set_flat_index(Lower *l, KernelExpr *flat) {
    for (uint32_t k = l->collapse; k + 1 < l->space.rank; k++)
        l->index[k] = NULL;
    l->index[l->space.rank - 1] = flat;
}

/* ---- rows of leading axes in parallel chunks
 * ------------------------------------------------------------------ */

/* Splits `position` into indices of the chosen axes below `end` (C order). */
static void split_position(Lower *l, KernelExpr *position, uint32_t end, bool rows) {
    uint32_t axes[IR_MAX_RANK], count = 0;
    for (uint32_t k = 0; k < end; k++)
        if (l->space.is_row[k] == rows)
            axes[count++] = k;
    for (uint32_t i = count; i-- > 0;) {
        if (i == 0) {
            l->index[axes[i]] = position;
            return;
        }
        KernelExpr *extent = lower_extent(l, l->space.dims[axes[i]]);
        l->index[axes[i]] = lower_let(l, "i", binary(l, OP_mod, position, extent));
        position = lower_let(l, "q", binary(l, OP_floordiv, position, extent));
    }
}

typedef struct RowLoops {
    KernelStatement *chunks, *rows;
    KernelExpr *chunk, *count; /* the chunk's number; the number of chunks (declared outside) */
} RowLoops;

/* for each chunk of rows in parallel, for each row: `work` elements a row decide the chunk's size. */
static RowLoops begin_rows(Lower *l, KernelExpr *rows, KernelExpr *work) {
    rows = lower_let(l, "rows", rows);
    KernelExpr *per_chunk =
        binary(l, OP_floordiv, integer(l, CHUNK), binary(l, OP_maximum, work, integer(l, 1)));
    KernelExpr *size = lower_let(l, "chunk_rows", binary(l, OP_maximum, per_chunk, integer(l, 1)));
    KernelExpr *count = lower_let(l, "chunks", ceil_divide(l, rows, size));
    KernelStatement *chunks = lower_begin_loop(l, LOOP_PARALLEL, "c", integer(l, 0), count);
    KernelExpr *chunk = kernel_use(l->kernel, chunks->variable);
    KernelExpr *begin = lower_let(l, "begin", binary(l, OP_mul, chunk, size));
    KernelExpr *end = lower_let(l, "end", binary(l, OP_minimum, binary(l, OP_add, begin, size), rows));
    KernelStatement *row_loop = lower_begin_loop(l, LOOP_SERIAL, "r", begin, end);
    return (RowLoops){chunks, row_loop, chunk, count};
}

static void end_rows(Lower *l, RowLoops loops) {
    lower_end_loop(l, loops.rows);
    lower_end_loop(l, loops.chunks);
}

/* ---- storing
 * ------------------------------------------------------------------------------------------------------ */

static void store_result(Lower *l, KernelExpr *value, KernelExpr *const *indices) {
    const IrType *type = ir_type(l->region->results.items[0]);
    KernelExpr *position = lower_place(l, type->dtype, lower_linear(l, type->dims, type->rank, indices));
    kernel_store(l->kernel, lower_block(l), l->output, &position, 1, value);
}

static void result_indices(const Lower *l, KernelExpr **indices) {
    uint32_t count = 0;
    for (uint32_t k = 0; k < l->space.rank; k++)
        if (fuse_has_result(&l->space, k))
            indices[count++] = l->index[k];
}

/* Both parts are computed before either is stored: the output may stand in for an input. */
static void store_parts(Lower *l, const IrNode *root, KernelExpr *const *indices) {
    KernelExpr *parts[2];
    for (l->part = 0; l->part < 2; l->part++)
        parts[l->part] = lower_let(l, "part", lower_value(l, root, indices));
    for (l->part = 0; l->part < 2; l->part++)
        store_result(l, parts[l->part], indices);
    l->part = 0;
}

/* ---- updates ---------------------------------------------------------------------------------------------
 */

/* What lowering needs to know of the update that is the region's result. */
typedef struct Update {
    const IrNode *node;
    uint32_t lead;               /* axes of the indices, the first of the value's */
    int8_t map[2 * IR_MAX_RANK]; /* axis of the value -> of the space */
    KernelExpr *at[IR_MAX_RANK]; /* the index on the axes that have indices */
    KernelExpr *target[IR_MAX_RANK];
} Update;

static Update update_of(const Lower *l) {
    Update u = {.node = l->region->results.items[0]};
    IrNode *dims[2 * IR_MAX_RANK];
    fuse_update_map(u.node, u.map, dims);
    u.lead = fuse_update_axes(u.node, dims) - (ir_rank(u.node) - ir_update_index_count(u.node));
    return u;
}

static void value_indices(Lower *l, const Update *u, KernelExpr **indices) {
    uint32_t count = u->lead + ir_rank(u->node) - ir_update_index_count(u->node);
    for (uint32_t k = 0; k < count; k++)
        indices[k] = u->map[k] >= 0 ? l->index[u->map[k]] : integer(l, 0);
}

/* Looks the indices up: their axes of the space must be open. */
static void load_indices(Lower *l, Update *u) {
    KernelExpr *indices[2 * IR_MAX_RANK];
    value_indices(l, u, indices);
    for (uint32_t k = 0; k < ir_rank(u->node); k++) {
        const IrNode *at = ir_update_indices(u->node, k);
        u->at[k] = at ? lower_let(l, "at", lower_value(l, at, indices)) : NULL;
    }
}

static void store_update(Lower *l, Update *u) {
    const IrNode *node = u->node, *v = node->operands[1];
    const IrType *type = ir_type(node);
    KernelExpr *indices[2 * IR_MAX_RANK];
    uint32_t axis = u->lead;
    value_indices(l, u, indices);
    for (uint32_t k = 0; k < type->rank; k++) {
        u->target[k] = u->at[k];
        if (u->at[k])
            continue;
        KernelExpr *index = indices[axis++];
        if (!is_whole_axis(node, k))
            index = binary(l, OP_add, binary(l, OP_mul, index, lower_extent(l, ir_update_step(node, k))),
                           lower_extent(l, ir_update_start(node, k)));
        u->target[k] = index;
    }
    l->target = u->target;
    uint32_t parts = dtype_is_complex(type->dtype) ? 2 : 1;
    KernelExpr *values[2], *positions[2];
    KernelExpr *position = lower_linear(l, type->dims, type->rank, u->target);
    if (node->attributes[0] >= 0 || parts == 2)
        position = lower_let(l, "p", position);
    for (l->part = 0; l->part < parts; l->part++) {
        values[l->part] = lower_value(l, v, indices);
        positions[l->part] = lower_place(l, type->dtype, position);
        if (node->attributes[0] >= 0) {
            KernelExpr *old = kernel_load(l->kernel, l->output, &positions[l->part], 1);
            values[l->part] = binary(l, (Op)node->attributes[0], old, values[l->part]);
        }
        if (parts == 2)
            values[l->part] = lower_let(l, "part", values[l->part]);
    }
    for (uint32_t k = 0; k < parts; k++)
        kernel_store(l->kernel, lower_block(l), l->output, &positions[k], 1, values[k]);
    l->part = 0;
}

void lower_store_root(Lower *l) {
    KernelExpr *indices[IR_MAX_RANK];
    if (l->space.is_update) {
        Update u = update_of(l);
        store_update(l, &u);
        return;
    }
    const IrNode *root = l->region->results.items[0];
    result_indices(l, indices);
    if (dtype_is_complex(ir_dtype(root)))
        store_parts(l, root, indices);
    else
        store_result(l, lower_value(l, root, indices), indices);
}

/* ---- plain
 * ----------------------------------------------------------------------------------------------------------
 */

static void flat_chunks(Lower *l, KernelExpr *total,
                        void (*body)(Lower *l, KernelExpr *begin, KernelExpr *end, void *user), void *user) {
    KernelExpr *count = lower_let(l, "chunks", ceil_divide(l, total, integer(l, CHUNK)));
    KernelStatement *chunks = lower_begin_loop(l, LOOP_PARALLEL, "c", integer(l, 0), count);
    KernelExpr *begin =
        lower_let(l, "begin", binary(l, OP_mul, kernel_use(l->kernel, chunks->variable), integer(l, CHUNK)));
    KernelExpr *end =
        lower_let(l, "end", binary(l, OP_minimum, binary(l, OP_add, begin, integer(l, CHUNK)), total));
    body(l, begin, end, user);
    lower_end_loop(l, chunks);
}

static void plain_vector(Lower *l, KernelExpr *begin, KernelExpr *end, void *user) {
    (void)user;
    KernelStatement *loop = lower_begin_loop(l, LOOP_VECTOR, "i", begin, end);
    set_flat_index(l, kernel_use(l->kernel, loop->variable));
    lower_store_root(l);
    lower_end_loop(l, loop);
}

static void nest_plain(Lower *l) {
    KernelExpr *inner = lower_let(l, "n", extent_product(l, l->collapse, l->space.rank, true, true));
    if (l->collapse == 0) {
        flat_chunks(l, inner, plain_vector, NULL);
        return;
    }
    RowLoops loops = begin_rows(l, extent_product(l, 0, l->collapse, false, true), inner);
    split_position(l, kernel_use(l->kernel, loops.rows->variable), l->collapse, false);
    plain_vector(l, integer(l, 0), inner, NULL);
    end_rows(l, loops);
}

void lower_part(Lower *l, KernelExpr *first_row, KernelExpr *end_row, KernelExpr *first_column,
                KernelExpr *end_column) {
    uint32_t last = l->space.rank - 1;
    l->collapse = last;
    KernelStatement *rows = lower_begin_loop(l, LOOP_SERIAL, "r", first_row, end_row);
    split_position(l, kernel_use(l->kernel, rows->variable), last, false);
    KernelStatement *columns = lower_begin_loop(l, LOOP_VECTOR, "j", first_column, end_column);
    l->index[last] = kernel_use(l->kernel, columns->variable);
    lower_store_root(l);
    lower_end_loop(l, columns);
    lower_end_loop(l, rows);
}

/* Indices may repeat: they are taken in order, by one thread. */
static void nest_scatter(Lower *l) {
    KernelStatement *loops[IR_MAX_RANK + 1];
    Update u = update_of(l);
    uint32_t lead = 0, count = 0, last = l->space.rank - 1;
    for (uint32_t k = 0; k < u.lead; k++)
        lead += u.map[k] >= 0;
    for (uint32_t k = 0; k < l->space.rank; k++) {
        if (k == lead)
            load_indices(l, &u);
        bool flat = k >= l->collapse && k >= lead;
        KernelExpr *extent =
            flat ? extent_product(l, k, l->space.rank, true, true) : lower_extent(l, l->space.dims[k]);
        loops[count] = lower_begin_loop(l, flat ? LOOP_VECTOR : LOOP_SERIAL, "i", integer(l, 0), extent);
        l->index[k] = kernel_use(l->kernel, loops[count++]->variable);
        if (flat) {
            for (; k < last; k++)
                l->index[k] = NULL;
            l->index[last] = kernel_use(l->kernel, loops[count - 1]->variable);
        }
    }
    if (lead == l->space.rank)
        load_indices(l, &u);
    store_update(l, &u);
    while (count > 0)
        lower_end_loop(l, loops[--count]);
}

/* ---- reductions
 * ------------------------------------------------------------------------------------------------------- */

typedef struct Accumulator {
    const IrNode *node;
    KernelVariable *value, *index; /* index: argmax and argmin */
    KernelVariable *high;          /* a sum that may not fit in 64 bits: the sum of the terms' high halves */
} Accumulator;

static bool is_arg(const IrNode *node) {
    return node->op == OP_argmax || node->op == OP_argmin;
}

/* A sum of 64-bit integers; one of narrower ones fits for any number of terms that memory holds. */
static bool can_overflow(const IrNode *node) {
    const IrNode *x = node->operands[0];
    Dtype dtype = (Dtype)node->attributes[0];
    if (node->op != OP_sum || (dtype != DTYPE_i64 && dtype != DTYPE_u64))
        return false;
    while (x->op == OP_cast || x->op == OP_broadcast)
        x = x->operands[0];
    return dtype_info[ir_dtype(x)].bytes == 8;
}

static KernelExpr *high_half(Lower *l, KernelExpr *x) {
    return binary(l, OP_right_shift, x, kernel_const(l->kernel, x->dtype, 32));
}

static Dtype accumulator_dtype(const IrNode *node) {
    return is_arg(node) ? ir_dtype(node->operands[0]) : (Dtype)node->attributes[0];
}

static uint64_t integer_limit(Dtype dtype, bool lowest) {
    unsigned width = dtype_info[dtype].bytes * 8u;
    uint64_t all = width == 64 ? UINT64_MAX : (1ull << width) - 1;
    if (dtype_kind(dtype) == KIND_BOOL)
        return !lowest;
    if (dtype_kind(dtype) == KIND_UNSIGNED)
        return lowest ? 0 : all;
    return lowest ? 1ull << (width - 1) : all >> 1;
}

KernelExpr *lower_identity(Lower *l, Op reduction, Dtype dtype) {
    Identity which = op_info[reduction].identity;
    bool lowest = which == IDENTITY_LOWEST;
    uint64_t bits;
    if (which == IDENTITY_ZERO || which == IDENTITY_ONE)
        bits =
            dtype_is_float(dtype) ? number_float_bits(dtype, which == IDENTITY_ONE) : which == IDENTITY_ONE;
    else
        bits = dtype_is_float(dtype) ? number_float_bits(dtype, lowest ? -1.0 / 0.0 : 1.0 / 0.0)
                                     : integer_limit(dtype, lowest);
    return kernel_const(l->kernel, dtype, bits);
}

static KernelExpr *identity(Lower *l, const IrNode *node) {
    return lower_identity(l, node->op, accumulator_dtype(node));
}

static KernelVariable *declare_var(Lower *l, const char *name, KernelExpr *initial) {
    KernelVariable *variable = kernel_variable(l->kernel, KERNEL_VAR, name, initial->dtype);
    kernel_declare(l->kernel, lower_block(l), variable, initial);
    lower_declared(l, variable, l->depth);
    return variable;
}

static Accumulator declare_accumulator(Lower *l, const IrNode *node) {
    Accumulator a = {.node = node, .value = declare_var(l, op_name(node->op), identity(l, node))};
    if (is_arg(node))
        a.index = declare_var(l, "at", integer(l, 0));
    if (can_overflow(node))
        a.high = declare_var(l, "high", identity(l, node));
    return a;
}

/* The position of the current element among the reduced ones, in C order. */
static KernelExpr *row_position(Lower *l) {
    IrNode *dims[IR_MAX_RANK];
    KernelExpr *indices[IR_MAX_RANK];
    uint32_t count = 0;
    for (uint32_t k = 0; k < l->space.rank; k++)
        if (l->space.is_row[k]) {
            dims[count] = l->space.dims[k];
            indices[count++] = l->index[k];
        }
    return lower_linear(l, dims, count, indices);
}

/* `at`: the place of the value, or what it adds to the high halves. */
static void fold(Lower *l, const Accumulator *a, KernelExpr *value, KernelExpr *at) {
    KernelBlock *block = lower_block(l);
    if (a->index)
        kernel_accumulate_arg(l->kernel, block, a->node->op, a->value, a->index, value, at);
    else
        kernel_accumulate(l->kernel, block, op_info[a->node->op].combine, a->value, value);
    if (a->high)
        kernel_accumulate(l->kernel, block, OP_add, a->high, at);
}

static void fold_element(Lower *l, const Accumulator *a) {
    KernelExpr *value = lower_value(l, a->node->operands[0], l->index);
    KernelExpr *wide = kernel_cast(l->kernel, value, accumulator_dtype(a->node));
    if (a->high)
        wide = lower_let(l, "term", wide);
    fold(l, a, wide, a->index ? row_position(l) : a->high ? high_half(l, wide) : NULL);
}

/* The value that a finished accumulator stands for. */
static KernelExpr *finished(Lower *l, const Accumulator *a) {
    KernelVariable *variable = a->index ? a->index : a->value;
    KernelExpr *value = kernel_use(l->kernel, variable);
    if (a->high)
        value = binary(l, OP_whole_sum, value, kernel_use(l->kernel, a->high));
    return kernel_cast(l->kernel, value, ir_dtype(a->node));
}

/* ---- levels of reductions below the result
 * ------------------------------------------------------------------------------ */

typedef VEC(const IrNode *) NodeList;

static uint32_t level_of(const Lower *l, const IrNode *node, uint32_t *levels) {
    if (node->region != l->region)
        return 0;
    if (levels[node->id])
        return levels[node->id] - 1;
    uint32_t level = 0;
    for (uint32_t k = 0; k < node->operand_count; k++) {
        uint32_t below = level_of(l, node->operands[k], levels);
        level = below > level ? below : level;
    }
    level += op_is_reduction(node->op);
    levels[node->id] = level + 1;
    return level;
}

/* Reductions of the region by level (1 = first loop), the root's own included when it is one. */
static uint32_t collect_levels(Lower *l, NodeList *by_level, uint32_t *levels) {
    uint32_t most = 0;
    for (uint32_t i = 0; i < l->region->nodes.count; i++) {
        const IrNode *node = l->region->nodes.items[i];
        uint32_t level = level_of(l, node, levels);
        if (!op_is_reduction(node->op))
            continue;
        vec_push(l->arena, &by_level[level], node);
        most = level > most ? level : most;
    }
    return most;
}

/* Opens loops over the row axes: serial ones around one vector loop (or all serial inside lanes). */
static uint32_t open_row_loops(Lower *l, KernelLoop innermost, KernelStatement **loops) {
    uint32_t count = 0, last = l->space.rank - 1;
    bool flat = l->space.is_row[last];
    for (uint32_t k = 0; k < (flat ? l->collapse : l->space.rank); k++)
        if (l->space.is_row[k]) {
            loops[count] =
                lower_begin_loop(l, LOOP_SERIAL, "k", integer(l, 0), lower_extent(l, l->space.dims[k]));
            l->index[k] = kernel_use(l->kernel, loops[count++]->variable);
        }
    if (flat) {
        KernelExpr *extent = extent_product(l, l->collapse, l->space.rank, true, true);
        loops[count] = lower_begin_loop(l, innermost, "j", integer(l, 0), extent);
        set_flat_index(l, kernel_use(l->kernel, loops[count++]->variable));
    }
    return count;
}

static void close_loops(Lower *l, KernelStatement **loops, uint32_t count) {
    while (count > 0)
        lower_end_loop(l, loops[--count]);
}

static void run_level(Lower *l, const NodeList *reductions, KernelLoop innermost) {
    Accumulator accumulators[64];
    KernelStatement *loops[IR_MAX_RANK];
    for (uint32_t first = 0; first < reductions->count; first += 64) {
        uint32_t count = reductions->count - first < 64 ? reductions->count - first : 64;
        for (uint32_t i = 0; i < count; i++)
            accumulators[i] = declare_accumulator(l, reductions->items[first + i]);
        uint32_t depth = open_row_loops(l, innermost, loops);
        for (uint32_t i = 0; i < count; i++)
            fold_element(l, &accumulators[i]);
        close_loops(l, loops, depth);
        for (uint32_t i = 0; i < count; i++) {
            KernelExpr *value = lower_let(l, "v", finished(l, &accumulators[i]));
            KernelVariable *variable = value->variable;
            l->reduced[accumulators[i].node->id] = variable;
        }
    }
}

static bool below(const IrNode *node, const IrNode *wanted, const Lower *l) {
    if (node == wanted)
        return true;
    if (node->region != l->region)
        return false;
    for (uint32_t k = 0; k < node->operand_count; k++)
        if (!op_is_reduction(node->operands[k]->op) && below(node->operands[k], wanted, l))
            return true;
    return false;
}

/* All loops of one row: a level of reductions each, then the result. */
static void row_body(Lower *l, KernelLoop innermost) {
    uint32_t n = l->region->function->node_count;
    NodeList *by_level = arena_alloc_array(l->arena, l->region->nodes.count + 2, sizeof *by_level);
    uint32_t most = collect_levels(l, by_level, ARENA_ARRAY(l->arena, uint32_t, n));
    l->kept_ready = false;
    for (uint32_t level = 1; level <= most; level++) {
        run_level(l, &by_level[level], innermost);
        for (uint32_t i = 0; l->kept && i < by_level[level].count; i++)
            l->kept_ready |= below(by_level[level].items[i]->operands[0], l->kept, l);
    }
    if (l->space.result_is_outer) {
        lower_store_root(l);
        return;
    }
    KernelStatement *loops[IR_MAX_RANK];
    uint32_t depth = open_row_loops(l, innermost, loops);
    lower_store_root(l);
    close_loops(l, loops, depth);
}

/* ---- a costly value that several loops of a row need
 * ---------------------------------------------------------------------- */

static uint32_t loops_that_need(const Lower *l, const IrNode *node) {
    uint32_t loops = 0;
    for (uint32_t i = 0; i < l->region->nodes.count; i++) {
        const IrNode *reduction = l->region->nodes.items[i];
        if (op_is_reduction(reduction->op))
            loops += below(reduction->operands[0], node, l);
    }
    const IrNode *root = l->region->results.items[0];
    return loops + (!l->space.result_is_outer && below(root, node, l));
}

/* Softmax needs exp(x - max) for the sum and for the result: the first loop leaves it in the result's row, or
 * in a row of scratch.  Only where a row is one flat run. */
static void choose_kept(Lower *l) {
    const IrNode *root = l->region->results.items[0];
    for (uint32_t i = 0; i < l->region->nodes.count; i++) {
        const IrNode *node = l->region->nodes.items[i];
        if (op_is_math(node->op) && ir_rank(node) == l->space.rank && node != root &&
            ir_same_extents(ir_type(node), l->space.dims, l->space.rank) && loops_that_need(l, node) > 1)
            l->kept = node;
    }
    if (!l->kept)
        return;
    l->kept_in_output = !l->space.result_is_outer && ir_dtype(root) == ir_dtype(l->kept);
    if (l->kept_in_output) {
        l->kept_array = l->output;
        return;
    }
    for (uint32_t k = 0; k < l->collapse; k++)
        if (l->space.is_row[k])
            l->kept = NULL; /* a row of several runs: computed again instead */
}

static void nest_rows(Lower *l) {
    KernelExpr *work = lower_let(l, "row", extent_product(l, 0, l->space.rank, true, false));
    choose_kept(l);
    RowLoops loops = begin_rows(l, extent_product(l, 0, l->space.rank, false, true), work);
    split_position(l, kernel_use(l->kernel, loops.rows->variable), l->space.rank, false);
    if (l->kept && !l->kept_in_output)
        l->kept_array =
            kernel_alloc(l->kernel, &loops.chunks->body, KERNEL_SCRATCH, "kept", ir_dtype(l->kept), &work, 1)
                ->array;
    row_body(l, LOOP_VECTOR);
    end_rows(l, loops);
}

/* ---- lanes across the last axis
 * --------------------------------------------------------------------------------------------- */

typedef struct ColumnLoops {
    KernelStatement *chunks;
    KernelExpr *begin, *end;
} ColumnLoops;

/* Parallel over leading outer axes times blocks of columns. */
static ColumnLoops begin_columns(Lower *l, KernelExpr *block) {
    KernelExpr *columns = lower_let(l, "columns", extent_product(l, l->collapse, l->space.rank, false, true));
    KernelExpr *lead = extent_product(l, 0, l->collapse, false, true);
    KernelExpr *blocks = lower_let(l, "blocks", ceil_divide(l, columns, block));
    KernelExpr *count = lower_let(l, "chunks", binary(l, OP_mul, lead, blocks));
    KernelStatement *chunks = lower_begin_loop(l, LOOP_PARALLEL, "c", integer(l, 0), count);
    KernelExpr *chunk = kernel_use(l->kernel, chunks->variable);
    KernelExpr *row = lower_let(l, "r", binary(l, OP_floordiv, chunk, blocks));
    KernelExpr *at = binary(l, OP_sub, chunk, binary(l, OP_mul, row, blocks));
    KernelExpr *begin = lower_let(l, "begin", binary(l, OP_mul, at, block));
    KernelExpr *end = lower_let(l, "end", binary(l, OP_minimum, binary(l, OP_add, begin, block), columns));
    split_position(l, row, l->collapse, false);
    return (ColumnLoops){chunks, begin, end};
}

static void nest_columns(Lower *l) {
    KernelExpr *work = lower_let(l, "row", extent_product(l, 0, l->space.rank, true, false));
    KernelExpr *lanes =
        binary(l, OP_floordiv, integer(l, CHUNK / COLUMN_ALIGN), binary(l, OP_maximum, work, integer(l, 1)));
    KernelExpr *block =
        binary(l, OP_mul, binary(l, OP_maximum, lanes, integer(l, 1)), integer(l, COLUMN_ALIGN));
    ColumnLoops loops = begin_columns(l, lower_let(l, "block", block));
    KernelStatement *lane = lower_begin_loop(l, LOOP_VECTOR, "j", loops.begin, loops.end);
    set_flat_index(l, kernel_use(l->kernel, lane->variable));
    row_body(l, LOOP_SERIAL);
    lower_end_loop(l, lane);
    lower_end_loop(l, loops.chunks);
}

/* One reduction and nothing else below: rows stream through a block of accumulators that stays in cache. */
static void nest_streaming(Lower *l, const IrNode *root) {
    KernelExpr *block = integer(l, STREAM_COLUMNS);
    ColumnLoops loops = begin_columns(l, block);
    KernelArray *sums = kernel_alloc(l->kernel, lower_block(l), KERNEL_SCRATCH, op_name(root->op),
                                     accumulator_dtype(root), &block, 1)
                            ->array;
    KernelArray *highs = can_overflow(root) ? kernel_alloc(l->kernel, lower_block(l), KERNEL_SCRATCH, "high",
                                                           accumulator_dtype(root), &block, 1)
                                                  ->array
                                            : NULL;
    KernelStatement *clear =
        lower_begin_loop(l, LOOP_VECTOR, "j", integer(l, 0), binary(l, OP_sub, loops.end, loops.begin));
    KernelExpr *at = kernel_use(l->kernel, clear->variable);
    kernel_store(l->kernel, lower_block(l), sums, &at, 1, identity(l, root));
    if (highs)
        kernel_store(l->kernel, lower_block(l), highs, &at, 1, identity(l, root));
    lower_end_loop(l, clear);

    KernelStatement *rows[IR_MAX_RANK];
    uint32_t depth = open_row_loops(l, LOOP_SERIAL, rows);
    KernelStatement *lane = lower_begin_loop(l, LOOP_VECTOR, "j", loops.begin, loops.end);
    set_flat_index(l, kernel_use(l->kernel, lane->variable));
    KernelExpr *value =
        kernel_cast(l->kernel, lower_value(l, root->operands[0], l->index), accumulator_dtype(root));
    if (highs)
        value = lower_let(l, "term", value);
    at = binary(l, OP_sub, l->index[l->space.rank - 1], loops.begin);
    KernelExpr *sum = kernel_load(l->kernel, sums, &at, 1);
    kernel_store(l->kernel, lower_block(l), sums, &at, 1, binary(l, op_info[root->op].combine, sum, value));
    if (highs)
        kernel_store(l->kernel, lower_block(l), highs, &at, 1,
                     binary(l, OP_add, kernel_load(l->kernel, highs, &at, 1), high_half(l, value)));
    lower_end_loop(l, lane);
    close_loops(l, rows, depth);

    KernelStatement *finish = lower_begin_loop(l, LOOP_VECTOR, "j", loops.begin, loops.end);
    set_flat_index(l, kernel_use(l->kernel, finish->variable));
    at = binary(l, OP_sub, l->index[l->space.rank - 1], loops.begin);
    KernelExpr *indices[IR_MAX_RANK];
    result_indices(l, indices);
    KernelExpr *total = kernel_load(l->kernel, sums, &at, 1);
    if (highs)
        total = binary(l, OP_whole_sum, total, kernel_load(l->kernel, highs, &at, 1));
    store_result(l, kernel_cast(l->kernel, total, ir_dtype(root)), indices);
    lower_end_loop(l, finish);
    lower_end_loop(l, loops.chunks);
}

/* ---- everything reduced
 * -------------------------------------------------------------------------------------------------------- */

typedef struct Partials {
    const IrNode *root;
    KernelArray *values, *places; /* places: or high halves */
    KernelExpr *chunk;
} Partials;

static Partials declare_partials(Lower *l, const IrNode *root, KernelExpr *count) {
    Partials p = {.root = root};
    KernelBlock *block = lower_block(l);
    p.values =
        kernel_alloc(l->kernel, block, KERNEL_SCRATCH, "partial", accumulator_dtype(root), &count, 1)->array;
    if (is_arg(root))
        p.places = kernel_alloc(l->kernel, block, KERNEL_SCRATCH, "place", DTYPE_i64, &count, 1)->array;
    if (can_overflow(root))
        p.places =
            kernel_alloc(l->kernel, block, KERNEL_SCRATCH, "high", accumulator_dtype(root), &count, 1)->array;
    return p;
}

static void store_partial(Lower *l, const Partials *p, const Accumulator *a, KernelExpr *chunk) {
    kernel_store(l->kernel, lower_block(l), p->values, &chunk, 1, kernel_use(l->kernel, a->value));
    if (p->places)
        kernel_store(l->kernel, lower_block(l), p->places, &chunk, 1,
                     kernel_use(l->kernel, a->index ? a->index : a->high));
}

static void combine_partials(Lower *l, const Partials *p, KernelExpr *count) {
    Accumulator total = declare_accumulator(l, p->root);
    KernelStatement *loop = lower_begin_loop(l, LOOP_SERIAL, "c", integer(l, 0), count);
    KernelExpr *chunk = kernel_use(l->kernel, loop->variable);
    fold(l, &total, kernel_load(l->kernel, p->values, &chunk, 1),
         p->places ? kernel_load(l->kernel, p->places, &chunk, 1) : NULL);
    lower_end_loop(l, loop);
    KernelExpr *zero = integer(l, 0);
    kernel_store(l->kernel, lower_block(l), l->output, &zero, 1, finished(l, &total));
}

static void nest_full(Lower *l, const IrNode *root) {
    KernelExpr *inner = lower_let(l, "n", extent_product(l, l->collapse, l->space.rank, true, true));
    if (l->collapse == 0) {
        KernelExpr *count = lower_let(l, "chunks", ceil_divide(l, inner, integer(l, CHUNK)));
        Partials p = declare_partials(l, root, count);
        KernelStatement *chunks = lower_begin_loop(l, LOOP_PARALLEL, "c", integer(l, 0), count);
        KernelExpr *chunk = kernel_use(l->kernel, chunks->variable);
        KernelExpr *begin = lower_let(l, "begin", binary(l, OP_mul, chunk, integer(l, CHUNK)));
        KernelExpr *end =
            lower_let(l, "end", binary(l, OP_minimum, binary(l, OP_add, begin, integer(l, CHUNK)), inner));
        Accumulator a = declare_accumulator(l, root);
        KernelStatement *loop = lower_begin_loop(l, LOOP_VECTOR, "i", begin, end);
        set_flat_index(l, kernel_use(l->kernel, loop->variable));
        fold_element(l, &a);
        lower_end_loop(l, loop);
        store_partial(l, &p, &a, chunk);
        lower_end_loop(l, chunks);
        combine_partials(l, &p, count);
        return;
    }
    /* Rows of the leading axes; chunks are counted before the loops, so that the partials can be declared. */
    KernelExpr *rows = lower_let(l, "rows", extent_product(l, 0, l->collapse, true, true));
    KernelExpr *per_chunk =
        binary(l, OP_floordiv, integer(l, CHUNK), binary(l, OP_maximum, inner, integer(l, 1)));
    KernelExpr *size = lower_let(l, "chunk_rows", binary(l, OP_maximum, per_chunk, integer(l, 1)));
    KernelExpr *count = lower_let(l, "chunks", ceil_divide(l, rows, size));
    Partials p = declare_partials(l, root, count);
    KernelStatement *chunks = lower_begin_loop(l, LOOP_PARALLEL, "c", integer(l, 0), count);
    KernelExpr *chunk = kernel_use(l->kernel, chunks->variable);
    KernelExpr *begin = lower_let(l, "begin", binary(l, OP_mul, chunk, size));
    KernelExpr *end = lower_let(l, "end", binary(l, OP_minimum, binary(l, OP_add, begin, size), rows));
    Accumulator a = declare_accumulator(l, root);
    KernelStatement *row = lower_begin_loop(l, LOOP_SERIAL, "r", begin, end);
    split_position(l, kernel_use(l->kernel, row->variable), l->collapse, true);
    KernelStatement *loop = lower_begin_loop(l, LOOP_VECTOR, "i", integer(l, 0), inner);
    set_flat_index(l, kernel_use(l->kernel, loop->variable));
    fold_element(l, &a);
    lower_end_loop(l, loop);
    lower_end_loop(l, row);
    store_partial(l, &p, &a, chunk);
    lower_end_loop(l, chunks);
    combine_partials(l, &p, count);
}

/* ---- choosing
 * -------------------------------------------------------------------------------------------------------------------
 */

static bool only_reduction(const Lower *l, const IrNode *root) {
    for (uint32_t i = 0; i < l->region->nodes.count; i++)
        if (op_is_reduction(l->region->nodes.items[i]->op) && l->region->nodes.items[i] != root)
            return false;
    return op_is_reduction(root->op) && !is_arg(root);
}

void lower_nest(Lower *l) {
    const IrNode *root = l->region->results.items[0];
    bool any_row = false, all_rows = true;
    for (uint32_t k = 0; k < l->space.rank; k++) {
        any_row |= l->space.is_row[k];
        all_rows &= l->space.is_row[k];
    }
    find_collapse(l);
    if (l->space.pattern)
        lower_segments(l);
    else if (l->space.is_update && ir_update_index_count(root))
        nest_scatter(l);
    else if (!any_row)
        nest_plain(l);
    else if (all_rows)
        nest_full(l, root);
    else if (l->space.is_row[l->space.rank - 1])
        nest_rows(l);
    else if (only_reduction(l, root))
        nest_streaming(l, root);
    else
        nest_columns(l);
}
