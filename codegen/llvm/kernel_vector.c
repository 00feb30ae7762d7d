/* Vector loops: iterations become lanes of explicit vectors.
 *
 * The lane count follows from the loop's data.  Whole vectors run without a mask, what is left runs once
 * under a mask.  Outer variables that the loop accumulates have one partial value per lane (and per copy of
 * the body where several copies hide the latency); they are folded in a fixed order at the end. */
#include "codegen/llvm/kernel_emit.h"

enum { MAX_COPIES = 4, MAX_LANES = 64 };

typedef struct VectorLoop {
    const KernelStatement *s;
    Lanes lanes;
    int64_t step;
    VEC(const KernelStatement *) folds; /* one accumulate statement per outer variable */
    Binding *accumulators[MAX_COPIES];
    unsigned copies;
    const bool *declared; /* by id: variables of the body */
} VectorLoop;

/* ---- what the body needs ------------------------------------------------------------------------ */

typedef struct Sizes {
    bool has_four, has_eight, has_small;
    unsigned smallest;
} Sizes;

static void note_dtype(Sizes *sizes, Dtype dtype) {
    unsigned bytes = dtype_info[dtype_info[dtype].compute].bytes;
    sizes->has_four |= bytes == 4;
    sizes->has_eight |= bytes == 8;
    if (bytes < 4 && (!sizes->has_small || bytes < sizes->smallest))
        sizes->has_small = true, sizes->smallest = bytes;
}

/* Index arithmetic does not count: it stays scalar where it matters. */
static void note_value(Sizes *sizes, const KernelExpr *expr) {
    if (!expr || expr->kind == KERNEL_CONST)
        return;
    if (expr->kind != KERNEL_USE || expr->variable->kind != KERNEL_INDEX)
        note_dtype(sizes, expr->dtype);
    for (uint32_t i = 0; expr->kind != KERNEL_LOAD && i < expr->count; i++)
        note_value(sizes, expr->operands[i]);
}

static void note_statement(void *user, const KernelStatement *s) {
    if (s->kind == KERNEL_FOR || s->kind == KERNEL_FOR_NZ)
        return;
    note_value(user, s->value);
    note_value(user, s->value2);
    if (s->kind == KERNEL_STORE)
        note_dtype(user, s->array->dtype);
}

static unsigned choose_width(const Emit *e, const KernelStatement *loop) {
    Sizes sizes = {0};
    kernel_visit(&loop->body, &(KernelVisitor){.statement = note_statement, .user = &sizes});
    unsigned bytes = sizes.has_four ? 4 : sizes.has_eight ? 8 : sizes.has_small ? sizes.smallest : 4;
    unsigned width = e->options->vector_bytes / bytes;
    return width > MAX_LANES ? MAX_LANES : width;
}

typedef struct Weight {
    unsigned ops;
    bool is_heavy;
} Weight;

static void weigh_expr(void *user, const KernelExpr *expr) {
    Weight *weight = user;
    weight->ops += expr->kind != KERNEL_CONST && expr->kind != KERNEL_USE;
    weight->is_heavy |= expr->kind == KERNEL_OP && llvm_op_is_heavy(expr->op);
}

static void weigh_statement(void *user, const KernelStatement *s) {
    Weight *weight = user;
    weight->ops++;
    weight->is_heavy |= s->kind == KERNEL_FOR || s->kind == KERNEL_FOR_NZ || s->kind == KERNEL_WHILE ||
                        s->kind == KERNEL_IF || s->kind == KERNEL_MERGE;
}

/* Copies of the body with partial values of their own: short folds wait for the one before otherwise. */
static unsigned choose_copies(const VectorLoop *loop) {
    Weight weight = {0};
    kernel_visit(&loop->s->body, &(KernelVisitor){weigh_statement, weigh_expr, &weight});
    if (!loop->folds.count || weight.is_heavy)
        return 1;
    return weight.ops <= 12 ? 4 : weight.ops <= 24 ? 2 : 1;
}

typedef struct Scan {
    Arena *arena;
    VectorLoop *loop;
    bool *declared; /* by variable id */
    bool has_registers;
} Scan;

static void scan_declaration(void *user, const KernelStatement *s) {
    Scan *scan = user;
    if (s->kind == KERNEL_DECLARE)
        scan->declared[s->variable->id] = true;
    scan->has_registers |= s->array && s->array->kind == KERNEL_REG;
}

static void scan_array(void *user, const KernelExpr *expr) {
    Scan *scan = user;
    scan->has_registers |= expr->array && expr->array->kind == KERNEL_REG;
}

static void scan_fold(void *user, const KernelStatement *s) {
    Scan *scan = user;
    if (s->kind != KERNEL_ACCUMULATE || scan->declared[s->variable->id])
        return;
    scan->declared[s->variable->id] = true; /* once */
    vec_push(scan->arena, &scan->loop->folds, s);
}

/* ---- accumulators ------------------------------------------------------------------------------- */

static void start_accumulator(Emit *e, VectorLoop *loop, unsigned copy, const KernelVariable *variable,
                              Op identity) {
    LLVMValueRef start = llvm_scalar_identity(e->build.context, identity, variable->dtype);
    start = llvm_splat(&e->build, start, loop->lanes.width);
    LLVMTypeRef type = LLVMTypeOf(start);
    Binding binding = {.slot = emit_alloca(e, type), .type = type};
    LLVMBuildStore(e->build.builder, start, binding.slot);
    loop->accumulators[copy][variable->id] = binding;
}

static void start_accumulators(Emit *e, VectorLoop *loop) {
    for (unsigned copy = 0; copy < loop->copies; copy++) {
        loop->accumulators[copy] = ARENA_ARRAY(e->arena, Binding, e->kernel->next_id);
        for (uint32_t i = 0; i < loop->folds.count; i++) {
            const KernelStatement *s = loop->folds.items[i];
            start_accumulator(e, loop, copy, s->variable, s->op);
            if (s->second) /* no index yet: the largest loses every tie */
                start_accumulator(e, loop, copy, s->second, OP_minimum);
        }
    }
    loop->lanes.accumulators = loop->accumulators[0];
}

typedef struct Partial {
    LLVMValueRef value, index; /* index: pairs only */
} Partial;

static Partial fold_partials(Emit *e, const KernelStatement *s, Partial x, Partial y) {
    LLVMBuilderRef b = e->build.builder;
    Dtype dtype = s->variable->dtype;
    if (!s->second)
        return (Partial){emit_fold(e, s->op, dtype, x.value, y.value), NULL};
    LLVMValueRef y_wins = llvm_scalar_better(&e->build, s->op, dtype, y.value, x.value);
    LLVMValueRef x_wins = llvm_scalar_better(&e->build, s->op, dtype, x.value, y.value);
    LLVMValueRef is_first = LLVMBuildICmp(b, LLVMIntSLT, y.index, x.index, "");
    LLVMValueRef tie = LLVMBuildAnd(b, LLVMBuildNot(b, x_wins, ""), is_first, "");
    LLVMValueRef take = LLVMBuildOr(b, y_wins, tie, "");
    return (Partial){LLVMBuildSelect(b, take, y.value, x.value, ""),
                     LLVMBuildSelect(b, take, y.index, x.index, "")};
}

static LLVMValueRef half_of(Emit *e, LLVMValueRef value, unsigned first, unsigned count) {
    LLVMValueRef lanes[MAX_LANES];
    if (!value)
        return NULL;
    for (unsigned i = 0; i < count; i++)
        lanes[i] = emit_i32(e, first + i);
    if (count == 1)
        return LLVMBuildExtractElement(e->build.builder, value, lanes[0], "");
    return LLVMBuildShuffleVector(e->build.builder, value, LLVMGetPoison(LLVMTypeOf(value)),
                                  LLVMConstVector(lanes, count), "");
}

static Partial fold_lanes(Emit *e, const KernelStatement *s, Partial partial, unsigned width) {
    if (width == 1)
        return (Partial){half_of(e, partial.value, 0, 1), half_of(e, partial.index, 0, 1)};
    for (; width > 1; width /= 2) {
        Partial low = {half_of(e, partial.value, 0, width / 2), half_of(e, partial.index, 0, width / 2)};
        Partial high = {half_of(e, partial.value, width / 2, width / 2),
                        half_of(e, partial.index, width / 2, width / 2)};
        partial = fold_partials(e, s, low, high);
    }
    return partial;
}

static Partial read_accumulator(Emit *e, const VectorLoop *loop, unsigned copy, const KernelStatement *s) {
    Binding *bindings = loop->accumulators[copy];
    return (Partial){emit_value(e, &bindings[s->variable->id]),
                     s->second ? emit_value(e, &bindings[s->second->id]) : NULL};
}

/* Folds copies, then lanes, then the outer variable's own value, which came first and wins ties. */
static void finish_accumulator(Emit *e, const VectorLoop *loop, const KernelStatement *s) {
    LLVMBuilderRef b = e->build.builder;
    Partial partial = read_accumulator(e, loop, 0, s);
    for (unsigned copy = 1; copy < loop->copies; copy++)
        partial = fold_partials(e, s, partial, read_accumulator(e, loop, copy, s));
    partial = fold_lanes(e, s, partial, loop->lanes.width);
    Binding *outer = &e->variables[s->variable->id];
    LLVMValueRef old = emit_value(e, outer);
    if (!s->second) {
        emit_assign(e, outer, emit_fold(e, s->op, s->variable->dtype, old, partial.value));
        return;
    }
    Binding *index = &e->variables[s->second->id];
    LLVMValueRef better = llvm_scalar_better(&e->build, s->op, s->variable->dtype, partial.value, old);
    emit_assign(e, outer, LLVMBuildSelect(b, better, partial.value, old, ""));
    emit_assign(e, index, LLVMBuildSelect(b, better, partial.index, emit_value(e, index), ""));
}

/* ---- the loop ----------------------------------------------------------------------------------- */

/* One copy of the body for the lanes that start at `base`. */
static void emit_lanes(Emit *e, VectorLoop *loop, LLVMValueRef base, LLVMValueRef mask, unsigned copy) {
    loop->lanes.mask = mask;
    loop->lanes.accumulators = loop->accumulators[copy];
    e->lanes = &loop->lanes;
    e->variables[loop->s->variable->id] = (Binding){.base = base, .coefficient = emit_i64(e, loop->step)};
    emit_block(e, &loop->s->body);
    e->lanes = NULL;
}

/* A loop over whole groups of `copies` vectors from `begin` to `end`. */
static void emit_whole(Emit *e, VectorLoop *loop, LLVMValueRef begin, LLVMValueRef end, unsigned copies) {
    int64_t vector = (int64_t)loop->lanes.width * loop->step;
    Loop whole = emit_loop_begin(e, begin, end, emit_i64(e, vector * copies));
    for (unsigned copy = 0; copy < copies; copy++) {
        LLVMValueRef base = copy ? emit_add(e, whole.index, emit_i64(e, vector * copy)) : whole.index;
        emit_lanes(e, loop, base, NULL, copy);
    }
    emit_loop_end(e, &whole);
}

static void emit_tail(Emit *e, VectorLoop *loop, LLVMValueRef base, LLVMValueRef count) {
    LLVMBuilderRef b = e->build.builder;
    LLVMBasicBlockRef tail = build_block(&e->build, "tail"), after = build_block(&e->build, "tail.end");
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSGT, count, emit_i64(e, 0), ""), tail, after);
    LLVMPositionBuilderAtEnd(b, tail);
    LLVMValueRef numbers[MAX_LANES];
    unsigned width = loop->lanes.width;
    for (unsigned lane = 0; lane < width; lane++)
        numbers[lane] = emit_i32(e, lane);
    LLVMValueRef left = LLVMBuildTrunc(b, count, LLVMInt32TypeInContext(e->build.context), "");
    LLVMValueRef mask =
        LLVMBuildICmp(b, LLVMIntSLT, LLVMConstVector(numbers, width), llvm_splat(&e->build, left, width), "");
    emit_lanes(e, loop, base, mask, 0);
    LLVMBuildBr(b, after);
    LLVMMoveBasicBlockAfter(after, LLVMGetInsertBlock(b));
    LLVMPositionBuilderAtEnd(b, after);
}

static void emit_general(Emit *e, VectorLoop *loop, LLVMValueRef begin, LLVMValueRef end) {
    LLVMBuilderRef b = e->build.builder;
    LLVMValueRef zero = emit_i64(e, 0), step = emit_i64(e, loop->step);
    LLVMValueRef count = LLVMBuildNSWSub(b, end, begin, "");
    if (loop->step != 1)
        count = LLVMBuildSDiv(b, emit_add(e, count, emit_i64(e, loop->step - 1)), step, "");
    count = LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntSGT, count, zero, ""), count, zero, "");
    loop->lanes.streams =
        loop->step == 1 ? emit_loop_streams(e, loop->s, loop->lanes.width, begin, loop->declared) : NULL;
    for (unsigned copies = loop->copies; copies; copies = copies > 1 ? 1 : 0) {
        int64_t group = (int64_t)copies * loop->lanes.width;
        LLVMValueRef whole = LLVMBuildAnd(b, count, emit_i64(e, -group), "");
        LLVMValueRef stop = emit_add(e, begin, loop->step == 1 ? whole : emit_mul(e, whole, step));
        emit_whole(e, loop, begin, stop, copies);
        begin = stop;
        count = LLVMBuildNSWSub(b, count, whole, "");
    }
    emit_tail(e, loop, begin, count);
}

/* The lanes of one vector, from index `first` on, whose index is below a bound (and that are in `also`). */
static LLVMValueRef mask_below(Emit *e, VectorLoop *loop, LLVMValueRef below, int64_t first,
                               LLVMValueRef also) {
    LLVMBuilderRef b = e->build.builder;
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->build.context);
    LLVMValueRef numbers[MAX_LANES], limit = emit_i64(e, INT32_MAX);
    for (unsigned lane = 0; lane < loop->lanes.width; lane++)
        numbers[lane] = emit_i32(e, first + lane * loop->step);
    limit = LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntSLT, below, limit, ""), below, limit, "");
    limit = LLVMBuildTrunc(b, limit, i32, "");
    LLVMValueRef mask = LLVMBuildICmp(b, LLVMIntSLT, LLVMConstVector(numbers, loop->lanes.width),
                                      llvm_splat(&e->build, limit, loop->lanes.width), "");
    return also ? LLVMBuildAnd(b, mask, also, "") : mask;
}

/* Constant bounds: every vector by itself, so that registers are addressed by constants. */
static void emit_constant(Emit *e, VectorLoop *loop, int64_t begin, int64_t trips) {
    unsigned width = loop->lanes.width;
    LLVMValueRef below = loop->s->below ? emit_uniform(e, loop->s->below) : NULL;
    for (int64_t first = 0; first < trips; first += width) {
        LLVMValueRef active[MAX_LANES];
        for (unsigned lane = 0; lane < width; lane++)
            active[lane] = LLVMConstInt(LLVMInt1TypeInContext(e->build.context), first + lane < trips, 0);
        LLVMValueRef mask = first + width > trips ? LLVMConstVector(active, width) : NULL;
        if (below)
            mask = mask_below(e, loop, below, begin + first * loop->step, mask);
        emit_lanes(e, loop, emit_i64(e, begin + first * loop->step), mask, 0);
    }
}

void emit_vector_loop(Emit *e, const KernelStatement *s) {
    enum { MOST_VECTORS = 64 };
    int64_t begin, end, trips = -1;
    VectorLoop loop = {.s = s, .step = 1};
    if (e->lanes || (s->step && (!kernel_is_const_i64(s->step, &loop.step) || loop.step < 1))) {
        emit_fail(e, "a vector loop is nested in another or has no constant step");
        return;
    }
    Scan scan = {
        .arena = e->arena, .loop = &loop, .declared = ARENA_ARRAY(e->arena, bool, e->kernel->next_id)};
    kernel_visit(&s->body, &(KernelVisitor){scan_declaration, scan_array, &scan});
    kernel_visit(&s->body, &(KernelVisitor){.statement = scan_fold, .user = &scan});
    loop.lanes =
        (Lanes){.loop = s, .width = choose_width(e, s), .varying = kernel_varying(e->kernel, s, e->arena)};
    if (kernel_is_const_i64(s->begin, &begin) && kernel_is_const_i64(s->end, &end))
        trips = end <= begin ? 0 : (end - begin - 1) / loop.step + 1;
    while (trips >= 0 && loop.lanes.width > 1 && loop.lanes.width / 2 >= trips)
        loop.lanes.width /= 2;
    bool is_constant = trips >= 0 && (scan.has_registers || s->below || trips <= loop.lanes.width) &&
                       trips <= MOST_VECTORS * (int64_t)loop.lanes.width;
    if (s->below && !is_constant)
        emit_fail(e, "a vector loop with `below` is too long");
    loop.copies = is_constant ? 1 : choose_copies(&loop);
    loop.declared = scan.declared;
    start_accumulators(e, &loop);
    if (is_constant)
        emit_constant(e, &loop, begin, trips);
    else
        emit_general(e, &loop, emit_uniform(e, s->begin), emit_uniform(e, s->end));
    for (uint32_t i = 0; i < loop.folds.count; i++)
        finish_accumulator(e, &loop, loop.folds.items[i]);
}
