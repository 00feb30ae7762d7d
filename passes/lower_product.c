/* The schedule of matrix products: see lower_product.h.
 *
 * A tile of c, ROWS rows by one to three vectors, stays in registers while rows of b go by, DEPTH of them.
 * Rows beyond the last are the last one again: they compute and store the same.  Columns beyond the last are
 * masked. */
#include "passes/lower_product.h"

enum { ROWS_LOG2 = 3, ROWS = 1 << ROWS_LOG2, MOST_VECTORS = 3, VECTOR_BYTES = 64, DEPTH = 256 };

typedef struct Build {
    Kernel *kernel;
    Dtype dtype;
    int64_t lanes;
    KernelArray *a, *b, *ahead, *c;
    KernelVariable *batches, *m, *n, *k;
    KernelVariable *a_batch, *a_row, *a_column, *b_batch, *b_row, *b_column, *c_batch, *c_row;
    KernelVariable *a_step, *ahead_row, *resume;
    KernelExpr *at_a, *at_b, *at_c;          /* of the current matrix */
    KernelExpr *next_a, *next_b, *next_step; /* where the tile prefetches */
    KernelExpr *column, *depth, *depth_end;  /* of the current tile: first column; the block of k */
} Build;

/* ---- expressions ---------------------------------------------------------------------------------- */

static KernelExpr *integer(Build *b, int64_t value) {
    return kernel_const_i64(b->kernel, value);
}

static KernelExpr *use(Build *b, KernelVariable *variable) {
    return kernel_use(b->kernel, variable);
}

static KernelExpr *binary(Build *b, Op op, KernelExpr *x, KernelExpr *y) {
    return kernel_op2(b->kernel, op, x, y);
}

static KernelExpr *add(Build *b, KernelExpr *x, KernelExpr *y) {
    return binary(b, OP_add, x, y);
}

static KernelExpr *mul(Build *b, KernelExpr *x, KernelExpr *y) {
    return binary(b, OP_mul, x, y);
}

static KernelExpr *let(Build *b, KernelBlock *block, const char *name, KernelExpr *value) {
    KernelVariable *variable = kernel_variable(b->kernel, KERNEL_LET, name, value->dtype);
    kernel_declare(b->kernel, block, variable, value);
    return use(b, variable);
}

static KernelExpr *load(Build *b, KernelArray *array, KernelExpr *index) {
    return kernel_load(b->kernel, array, &index, 1);
}

static void store(Build *b, KernelBlock *block, KernelArray *array, KernelExpr *index, KernelExpr *value) {
    kernel_store(b->kernel, block, array, &index, 1, value);
}

static KernelExpr *zero(Build *b) {
    return kernel_const(b->kernel, b->dtype, 0);
}

/* sum + x * y */
static KernelExpr *multiply_add(Build *b, KernelExpr *x, KernelExpr *y, KernelExpr *sum) {
    if (dtype_is_float(b->dtype))
        return kernel_op(b->kernel, OP_fma, (KernelExpr *[]){x, y, sum});
    return add(b, sum, mul(b, x, y));
}

static KernelStatement *loop(Build *b, KernelBlock *block, KernelLoop kind, const char *name,
                             KernelExpr *begin, KernelExpr *end) {
    return kernel_for(b->kernel, block, kind, name, begin, end, NULL);
}

/* ---- tiles ------------------------------------------------------------------------------------------ */

typedef struct Tile {
    int64_t vectors;
    KernelArray *sums, *row; /* registers: ROWS x width, and a row of b */
    KernelExpr *width;       /* columns that exist, counted from the tile's first */
    KernelExpr *from_a[ROWS], *from_c[ROWS];
} Tile;

/* Runs `body` for the lanes of a row of the tile: whole vectors, then the last under a mask. */
static void for_columns(Build *b, KernelBlock *block, Tile *tile, int64_t row,
                        void (*body)(Build *b, KernelBlock *block, Tile *tile, int64_t row, KernelExpr *j)) {
    int64_t sure = (tile->vectors - 1) * b->lanes;
    if (sure) {
        KernelStatement *whole = loop(b, block, LOOP_VECTOR, "j", integer(b, 0), integer(b, sure));
        body(b, &whole->body, tile, row, use(b, whole->variable));
    }
    KernelStatement *last = loop(b, block, LOOP_VECTOR, "j", integer(b, sure), integer(b, sure + b->lanes));
    last->below = tile->width;
    body(b, &last->body, tile, row, use(b, last->variable));
}

static void for_all_columns(Build *b, KernelBlock *block, Tile *tile, int64_t row,
                            void (*body)(Build *b, KernelBlock *block, Tile *tile, int64_t row,
                                         KernelExpr *j)) {
    KernelExpr *end = integer(b, tile->vectors * b->lanes);
    KernelStatement *whole = loop(b, block, LOOP_VECTOR, "j", integer(b, 0), end);
    body(b, &whole->body, tile, row, use(b, whole->variable));
}

static KernelExpr *sum_at(Build *b, Tile *tile, int64_t row, KernelExpr *j) {
    return kernel_load(b->kernel, tile->sums, (KernelExpr *[]){integer(b, row), j}, 2);
}

static void set_sum(Build *b, KernelBlock *block, Tile *tile, int64_t row, KernelExpr *j, KernelExpr *value) {
    kernel_store(b->kernel, block, tile->sums, (KernelExpr *[]){integer(b, row), j}, 2, value);
}

static void clear_columns(Build *b, KernelBlock *block, Tile *tile, int64_t row, KernelExpr *j) {
    set_sum(b, block, tile, row, j, zero(b));
}

static void resume_columns(Build *b, KernelBlock *block, Tile *tile, int64_t row, KernelExpr *j) {
    set_sum(b, block, tile, row, j, load(b, b->c, add(b, tile->from_c[row], j)));
}

static void store_columns(Build *b, KernelBlock *block, Tile *tile, int64_t row, KernelExpr *j) {
    store(b, block, b->c, add(b, tile->from_c[row], j), sum_at(b, tile, row, j));
}

typedef struct Step { /* one k of a tile */
    Tile tile;        /* first: the callbacks get its address */
    KernelExpr *from_b, *factor;
} Step;

static void read_columns(Build *b, KernelBlock *block, Tile *tile, int64_t row, KernelExpr *j) {
    (void)row;
    Step *step = (Step *)tile;
    store(b, block, tile->row, j, load(b, b->b, add(b, step->from_b, j)));
}

static void multiply_columns(Build *b, KernelBlock *block, Tile *tile, int64_t row, KernelExpr *j) {
    Step *step = (Step *)tile;
    KernelExpr *y = load(b, tile->row, j);
    set_sum(b, block, tile, row, j, multiply_add(b, step->factor, y, sum_at(b, tile, row, j)));
}

/* Prefetches, once per k.  In a batch: the rows of a after the tile's, and a like part of the next matrix b,
 * as if both were dense, for small matrices come from memory too fast for the machine to foresee.  In a
 * single product: of the columns of b that the next tile wants, one vector for each tile of rows. */
static void prefetch(Build *b, KernelBlock *block, KernelExpr *p) {
    KernelExpr *next_b = add(b, b->next_b, mul(b, p, b->next_step));
    kernel_prefetch(b->kernel, block, b->ahead, &next_b, 1);
    KernelExpr *next_a = add(b, b->next_a, mul(b, p, use(b, b->a_step)));
    kernel_prefetch(b->kernel, block, b->a, &next_a, 1);
}

static KernelExpr *choose(Build *b, KernelExpr *condition, KernelExpr *x, KernelExpr *y) {
    return kernel_op(b->kernel, OP_where, (KernelExpr *[]){condition, x, y});
}

/* Where the tile of rows from `first` on prefetches. */
static void choose_prefetch(Build *b, KernelBlock *block, KernelExpr *first, int64_t vectors) {
    KernelExpr *number = binary(b, OP_right_shift, first, integer(b, ROWS_LOG2));
    KernelExpr *vector = binary(b, OP_minimum, number, integer(b, vectors - 1));
    KernelExpr *beyond = mul(b, add(b, vector, integer(b, vectors)), integer(b, b->lanes));
    KernelExpr *in_batch = binary(b, OP_ne, use(b, b->b_batch), integer(b, 0));
    KernelExpr *next = add(b, add(b, b->at_b, use(b, b->b_batch)), mul(b, first, use(b, b->k)));
    b->next_b = choose(b, in_batch, next, add(b, add(b, b->at_b, b->column), beyond));
    b->next_step = choose(b, in_batch, integer(b, ROWS), use(b, b->ahead_row));
    beyond = mul(b, add(b, first, integer(b, ROWS)), use(b, b->a_row));
    b->next_a = let(b, block, "next_a", add(b, b->at_a, beyond));
    b->next_b = let(b, block, "next_b", b->next_b);
    b->next_step = let(b, block, "next_step", b->next_step);
}

static void tile_depth(Build *b, KernelBlock *block, const Tile *tile) {
    KernelStatement *p = loop(b, block, LOOP_SERIAL, "p", b->depth, b->depth_end);
    KernelExpr *at = use(b, p->variable);
    Step step = {.tile = *tile};
    step.from_b = add(b, add(b, b->at_b, mul(b, at, use(b, b->b_row))), b->column);
    step.from_b = let(b, &p->body, "from_b", step.from_b);
    for_columns(b, &p->body, &step.tile, 0, read_columns);
    KernelExpr *along = let(b, &p->body, "along", mul(b, at, use(b, b->a_column)));
    prefetch(b, &p->body, at);
    for (int64_t row = 0; row < ROWS; row++) {
        step.factor = let(b, &p->body, "x", load(b, b->a, add(b, tile->from_a[row], along)));
        for_all_columns(b, &p->body, &step.tile, row, multiply_columns);
    }
}

/* The rows of c from `first` on, at most ROWS of them. */
static void tile_rows(Build *b, KernelBlock *block, KernelExpr *first, KernelExpr *width, int64_t vectors) {
    Tile tile = {.vectors = vectors, .width = width};
    KernelExpr *last = binary(b, OP_sub, use(b, b->m), integer(b, 1));
    for (int64_t row = 0; row < ROWS; row++) {
        KernelExpr *i = let(b, block, "i", binary(b, OP_minimum, add(b, first, integer(b, row)), last));
        tile.from_a[row] = let(b, block, "from_a", add(b, b->at_a, mul(b, i, use(b, b->a_row))));
        KernelExpr *at_c = add(b, add(b, b->at_c, mul(b, i, use(b, b->c_row))), b->column);
        tile.from_c[row] = let(b, block, "from_c", at_c);
    }
    choose_prefetch(b, block, first, vectors);
    KernelExpr *shape[] = {integer(b, ROWS), integer(b, vectors * b->lanes)};
    tile.sums = kernel_alloc(b->kernel, block, KERNEL_REG, "sums", b->dtype, shape, 2)->array;
    tile.row = kernel_alloc(b->kernel, block, KERNEL_REG, "row", b->dtype, shape + 1, 1)->array;
    KernelStatement *start =
        kernel_if(b->kernel, block, binary(b, OP_eq, add(b, b->depth, use(b, b->resume)), integer(b, 0)));
    for (int64_t row = 0; row < ROWS; row++) {
        for_all_columns(b, &start->body, &tile, row, clear_columns);
        for_columns(b, &start->otherwise, &tile, row, resume_columns);
    }
    tile_depth(b, block, &tile);
    for (int64_t row = 0; row < ROWS; row++)
        for_columns(b, block, &tile, row, store_columns);
}

/* ---- loops over tiles --------------------------------------------------------------------------------- */

static void column_of_tiles(Build *b, KernelBlock *block, KernelExpr *left, int64_t vectors) {
    KernelStatement *rows =
        kernel_for(b->kernel, block, LOOP_SERIAL, "i", integer(b, 0), use(b, b->m), integer(b, ROWS));
    tile_rows(b, &rows->body, use(b, rows->variable), left, vectors);
}

/* Three vectors at a time; what four can do is done by two and two. */
static void columns(Build *b, KernelBlock *block) {
    KernelVariable *column = kernel_variable(b->kernel, KERNEL_VAR, "column", DTYPE_i64);
    kernel_declare(b->kernel, block, column, integer(b, 0));
    KernelStatement *more = kernel_while(b->kernel, block, binary(b, OP_lt, use(b, column), use(b, b->n)));
    b->column = let(b, &more->body, "at_column", use(b, column));
    KernelExpr *left = let(b, &more->body, "left", binary(b, OP_sub, use(b, b->n), b->column));
    KernelExpr *is_long = binary(b, OP_gt, left, integer(b, 4 * b->lanes));
    KernelExpr *is_three = binary(b, OP_logical_and, binary(b, OP_gt, left, integer(b, 2 * b->lanes)),
                                  binary(b, OP_le, left, integer(b, 3 * b->lanes)));
    KernelStatement *three = kernel_if(b->kernel, &more->body, binary(b, OP_logical_or, is_long, is_three));
    KernelStatement *two =
        kernel_if(b->kernel, &three->otherwise, binary(b, OP_gt, left, integer(b, b->lanes)));
    KernelBlock *blocks[] = {&two->otherwise, &two->body, &three->body};
    for (int64_t vectors = 1; vectors <= MOST_VECTORS; vectors++) {
        KernelBlock *own = blocks[vectors - 1];
        column_of_tiles(b, own, left, vectors);
        kernel_assign(b->kernel, own, column, add(b, b->column, integer(b, vectors * b->lanes)));
    }
}

/* Blocks of k; one that is empty where k is 0, so that c becomes 0. */
static void depths(Build *b, KernelBlock *block) {
    KernelExpr *all = binary(b, OP_maximum, use(b, b->k), integer(b, 1));
    KernelStatement *p =
        kernel_for(b->kernel, block, LOOP_SERIAL, "depth", integer(b, 0), all, integer(b, DEPTH));
    b->depth = use(b, p->variable);
    KernelExpr *end = binary(b, OP_minimum, add(b, b->depth, integer(b, DEPTH)), use(b, b->k));
    b->depth_end = let(b, &p->body, "depth_end", end);
    columns(b, &p->body);
}

static KernelBlock *matrices(Build *b, KernelBlock *block) {
    KernelStatement *t = loop(b, block, LOOP_SERIAL, "t", integer(b, 0), use(b, b->batches));
    KernelExpr *index = use(b, t->variable);
    b->at_a = let(b, &t->body, "at_a", mul(b, index, use(b, b->a_batch)));
    b->at_b = let(b, &t->body, "at_b", mul(b, index, use(b, b->b_batch)));
    b->at_c = let(b, &t->body, "at_c", mul(b, index, use(b, b->c_batch)));
    return &t->body;
}

/* ---- the kernel --------------------------------------------------------------------------------------- */

static void declare_parameters(Build *b) {
    struct {
        KernelVariable **variable;
        const char *name;
    } const scalars[] = {{&b->batches, "batches"},
                         {&b->m, "m"},
                         {&b->n, "n"},
                         {&b->k, "k"},
                         {&b->a_batch, "a_batch"},
                         {&b->a_row, "a_row"},
                         {&b->a_column, "a_column"},
                         {&b->b_batch, "b_batch"},
                         {&b->b_row, "b_row"},
                         {&b->b_column, "b_column"},
                         {&b->c_batch, "c_batch"},
                         {&b->c_row, "c_row"},
                         {&b->a_step, "a_step"},
                         {&b->ahead_row, "ahead_row"},
                         {&b->resume, "resume"}};
    b->a = kernel_buffer(b->kernel, "a", b->dtype, false);
    b->b = kernel_buffer(b->kernel, "b", b->dtype, false);
    b->ahead = kernel_buffer(b->kernel, "ahead", b->dtype, false);
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++)
        *scalars[i].variable = kernel_scalar(b->kernel, scalars[i].name, DTYPE_i64);
    b->c = kernel_buffer(b->kernel, "c", b->dtype, true);
}

bool lower_product_has(Dtype dtype) {
    DtypeKind kind = dtype_kind(dtype);
    return dtype == DTYPE_f32 || dtype == DTYPE_f64 || kind == KIND_SIGNED || kind == KIND_UNSIGNED;
}

Kernel *lower_product(Arena *arena, Interner *names, Dtype dtype) {
    Name name = intern_text(names, arena_format(arena, "product_%s", dtype_info[dtype].name));
    Build b = {.kernel = kernel_new(arena, names, name), .dtype = dtype};
    b.lanes = VECTOR_BYTES / dtype_info[dtype].bytes;
    declare_parameters(&b);
    depths(&b, matrices(&b, &b.kernel->body));
    return b.kernel;
}
