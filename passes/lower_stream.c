/* Which results stream: `stream y, n by m` for a kernel that writes its result with whole vectors, never
 * reads it back, and waits for memory while it does.
 *
 * Time with streaming stores over time without, results of 40 to 120 MB (Zen 4, one thread, 32 MiB of
 * last-level cache, medians of 9 interleaved runs):
 *
 *     zeros 0.6   x * c 0.65   x + y 0.7   where(x > y, x, y) 0.7   x * a + y * b + z 0.8   f64(x) 0.75
 *     f16(x) 0.8   layer norm 0.65   x / (x + c) 0.72   sqrt(abs(x)) / (1 + x * x) 0.96
 *     n operations in a row on one array: 4: 0.75   8: 0.92   12: 0.85   16: 1.1   24: 1.3
 *     the same on three arrays:           9: 0.75  17: 0.85   25: 0.86   33: 1.04
 *     exp(x) 1.1   tanh(x) 1.2 to 1.3   gelu(x) 1.2   tanh(x) * exp(y) 1.1
 *     sums of 4 and 5 arrays 0.72   x > c and x > y 1.0   every second element 1.04   x.T + 1 0.95
 *
 * A loop that computes hides the reading of lines that it overwrites, and streaming stores cost it more than
 * they save; hence a budget of operations by the bytes that pass, and no mathematical functions, gathers or
 * inner loops.  Results of comparisons are too small a part of the traffic. */
#include "passes/lower.h"

enum {
    BUDGET_BASE = 4, /* vector operations that a store pays for, */
    BUDGET_LOAD = 8, /* and that each contiguous load of as many bytes adds */
    COST_DIVIDE = 4, /* of a division or a square root, in operations */
    COST_HEAVY = 1 << 20
};
typedef enum Stride { STRIDE_NONE, STRIDE_ONE, STRIDE_BACK, STRIDE_OTHER } Stride;

typedef struct Scan {
    const Lower *lower;
    bool is_read;    /* the output is loaded again */
    bool is_light;   /* every loop that stores to the output is */
    uint32_t stores; /* contiguous ones to the output, in vector loops */
    uint32_t ops,
        bytes; /* of one iteration of the loop: weighed operations times their bytes; bytes loaded */
    const KernelStatement *loop;
    const bool *varying;
} Scan;

static Stride opposite(Stride stride) {
    return stride == STRIDE_ONE ? STRIDE_BACK : stride == STRIDE_BACK ? STRIDE_ONE : stride;
}

/* How an index expression moves from lane to lane. */
static Stride stride_of(const Scan *scan, const KernelExpr *expr) {
    int64_t factor;
    if (!kernel_expr_varies(expr, scan->varying))
        return STRIDE_NONE;
    if (expr->kind == KERNEL_USE)
        return expr->variable == scan->loop->variable ? STRIDE_ONE : STRIDE_OTHER;
    if (expr->kind != KERNEL_OP || (expr->op != OP_add && expr->op != OP_sub && expr->op != OP_mul))
        return STRIDE_OTHER;
    Stride a = stride_of(scan, expr->operands[0]), b = stride_of(scan, expr->operands[1]);
    if (expr->op == OP_mul)
        return kernel_is_const_i64(expr->operands[1], &factor) && factor == -1 ? opposite(a) : STRIDE_OTHER;
    if (a != STRIDE_NONE && b != STRIDE_NONE)
        return STRIDE_OTHER;
    return b == STRIDE_NONE ? a : expr->op == OP_add ? b : opposite(b);
}

static uint32_t weight_of(const KernelExpr *expr) {
    if (expr->kind == KERNEL_CAST)
        return 1;
    if (op_is_math(expr->op))
        return COST_HEAVY;
    switch (expr->op) {
    case OP_div:
    case OP_sqrt:
        return COST_DIVIDE;
    case OP_floordiv:
    case OP_mod:
    case OP_fmod:
    case OP_philox:
        return COST_HEAVY;
    default:
        return 1;
    }
}

static uint32_t compute_bytes(Dtype dtype) {
    return dtype_info[dtype_info[dtype].compute].bytes;
}

static void weigh(Scan *scan, const KernelExpr *expr) {
    if (!expr || !kernel_expr_varies(expr, scan->varying))
        return;
    if (expr->kind == KERNEL_LOAD) {
        Stride stride = stride_of(scan, expr->operands[0]);
        scan->bytes += stride == STRIDE_OTHER ? 0 : dtype_info[expr->dtype].bytes;
        scan->ops += stride == STRIDE_OTHER ? COST_HEAVY : 0;
        return;
    }
    if (expr->kind == KERNEL_OP || expr->kind == KERNEL_CAST) {
        uint32_t wide = compute_bytes(expr->dtype), from = compute_bytes(expr->operands[0]->dtype);
        scan->ops += weight_of(expr) * (wide > from ? wide : from);
    }
    for (uint32_t i = 0; i < expr->count; i++)
        weigh(scan, expr->operands[i]);
}

static void scan_statement(void *user, const KernelStatement *s) {
    Scan *scan = user;
    if (s->kind == KERNEL_DECLARE || s->kind == KERNEL_STORE)
        weigh(scan, s->value);
    else
        scan->ops += COST_HEAVY;
    if (s->kind == KERNEL_STORE && s->array == scan->lower->output)
        scan->stores += stride_of(scan, s->indices[0]) == STRIDE_ONE;
}

static void scan_loop(void *user, const KernelStatement *s) {
    Scan *scan = user;
    if (s->kind != KERNEL_FOR || s->loop != LOOP_VECTOR)
        return;
    uint32_t before = scan->stores;
    scan->loop = s;
    scan->varying = kernel_varying(scan->lower->kernel, s, scan->lower->arena);
    scan->ops = scan->bytes = 0;
    kernel_visit(&s->body, &(KernelVisitor){.statement = scan_statement, .user = scan});
    uint32_t stored = dtype_info[scan->lower->output->dtype].bytes;
    uint32_t budget = BUDGET_BASE * stored + BUDGET_LOAD * scan->bytes;
    bool is_small = stored == 1 && scan->bytes > 2;
    if (scan->stores > before && (scan->ops > budget || is_small))
        scan->is_light = false;
}

static void scan_load(void *user, const KernelExpr *expr) {
    Scan *scan = user;
    scan->is_read |= expr->kind == KERNEL_LOAD && expr->array == scan->lower->output;
}

static KernelExpr *extent_product(Lower *l, uint32_t begin, uint32_t end) {
    KernelExpr *product = kernel_const_i64(l->kernel, 1);
    for (uint32_t k = begin; k < end; k++)
        product = kernel_op2(l->kernel, OP_mul, product, lower_extent(l, l->space.dims[k]));
    return product;
}

/* The hint is the kernel's first statement: sizes are parameters. */
static void stream_first(Lower *l) {
    KernelBlock *body = &l->kernel->body;
    KernelExpr *elements = extent_product(l, 0, l->space.rank);
    KernelExpr *run = l->collapse ? extent_product(l, l->collapse, l->space.rank) : elements;
    KernelStatement *hint = kernel_stream(l->kernel, body, l->output, elements, run);
    memmove(body->statements.items + 1, body->statements.items,
            (body->statements.count - 1) * sizeof *body->statements.items);
    body->statements.items[0] = hint;
}

void lower_stream(Lower *l) {
    Scan scan = {.lower = l, .is_light = true};
    if (l->space.result_is_outer)
        return; /* smaller than what was read for it */
    kernel_visit(&l->kernel->body, &(KernelVisitor){scan_loop, scan_load, &scan});
    if (scan.stores && scan.is_light && !scan.is_read)
        stream_first(l);
}
