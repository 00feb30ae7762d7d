/* The kernel IR: a small imperative loop language over scalars, printed by every back end.
 *
 * A kernel has buffer parameters (typed element arrays, indexed linearly) and scalar parameters (sizes,
 * strides, values).  Its body is statements over expressions; expressions are trees whose ops are the
 * elementwise rows of ops.def.
 *
 *     kernel softmax(x: buffer f32, y: out buffer f32, r: i64, c: i64) {
 *         for.parallel i in 0 .. r {
 *             var m: f32 = -inf
 *             for.vector j in 0 .. c { m maximum= x[i * c + j] }
 *             var s: f32 = 0
 *             for.vector j in 0 .. c { let e: f32 = exp(x[i * c + j] - m)  y[i * c + j] = e  s add= e }
 *             for.vector j in 0 .. c { y[i * c + j] = y[i * c + j] / s }
 *         }
 *     }
 *
 * Loops.
 *   for.serial    in order; a loop with `step N` (a positive expression, constant for unrolled and vector
 *                 loops) visits begin, begin + N, ... below end.
 *   for.parallel  only at the top level of a kernel: iterations are independent, write disjoint places and
 * may run on any thread.  `grain N`: run at least N iterations at a time.  `balance indptr`: iterations are
 * rows of a sparse matrix, split by nonzeros. for.vector    iterations are lanes.  The body may contain
 * serial loops and ifs with lane-independent bounds and conditions (their variables then hold one value per
 * lane), but no parallel or vector loop, no append, barrier or tile.mma.  A variable declared outside may
 * only be changed by an accumulate statement (and not be read by the body otherwise): each lane folds its own
 * part and the lanes are combined in lane order at the end.  The tail runs masked with the same operations,
 * so the result of a lane never depends on the extent. `below N`: lanes whose index is not below N are masked
 * too (constant bounds only: a register tile at the edge of a matrix). for.unrolled  constant bounds; the
 * body is repeated. Variables. let      a value; var a mutable scalar (loop-carried state), changed by `=`
 * and by accumulate `op=`, where op is an associative row (add mul minimum maximum logical_or logical_and
 * bitwise_*) or argmax/argmin on a pair (value, index): the first of equals wins, a NaN wins over numbers.
 * alloc    reg: constant shape, lives in registers when every index is constant after unrolling or runs over
 * the last axis in a vector loop of constant bounds.  scratch: per-thread memory, extents may be any
 * expression; it lives until its block ends.  group: shared by a work-group on devices, plain scratch on a
 * CPU.  Contents start undefined. Sparse. for.nz (p, u) in row of (indptr, indices)         positions p in
 * indptr[row] .. indptr[row + 1], u = indices[p] merge u over (p0 in lo .. hi of indices0, ...) { case 0 1 {
 * ... } case 0 { ... } case 1 { ... } } co-iteration of sorted coordinate lists; the case is the exact subset
 * present at u; a missing case does nothing append k to a, b = v, w if fill stores at position k (while
 * `fill`) and increments the variable k: the same kernel counts, then fills Others: if, while, barrier
 * (work-group; nothing on a CPU), prefetch, and tile.mma c, a, b (m, n, k): c += a @ b on reg, scratch or
 * group allocations of rank 2 (tensor cores; loops on a CPU). stream y, n by m   a hint at the top level: the
 * launch writes n elements of the output y from here on, in runs of m whose starts are multiples of m, and
 * does not read them.  Vector loops may store past the caches when n elements are more than these hold.
 *
 * Text.  Operators are the C spellings of ops.def, other ops are calls by name, `f64(x)` casts.  A literal
 * `7` is i64 and `0.5` f64 unless what it meets (the other operand, the variable or array it goes to) has
 * another dtype; `7_u8` and `0.5_f32` say so; `inf` and `nan` are float literals.
 */
#ifndef GMX_IR_KERNEL_H
#define GMX_IR_KERNEL_H

#include "ir/ir.h"

typedef struct Kernel Kernel;
typedef struct KernelVariable KernelVariable;
typedef struct KernelArray KernelArray;
typedef struct KernelExpr KernelExpr;
typedef struct KernelStatement KernelStatement;
typedef struct KernelBlock KernelBlock;

/* A named scalar: parameter, loop index, let or var. */
typedef enum KernelVariableKind { KERNEL_PARAMETER, KERNEL_INDEX, KERNEL_LET, KERNEL_VAR } KernelVariableKind;
struct KernelVariable {
    KernelVariableKind kind;
    Dtype dtype;
    uint32_t id; /* unique in the kernel */
    Name name;   /* printed as name, with the id appended where ambiguous */
};

/* Something indexed: a buffer parameter or an allocation. */
typedef enum KernelArrayKind { KERNEL_BUFFER, KERNEL_REG, KERNEL_SCRATCH, KERNEL_GROUP } KernelArrayKind;
struct KernelArray {
    KernelArrayKind kind;
    Dtype dtype;
    uint32_t id;
    Name name;
    bool is_output;    /* buffers: written */
    bool is_pointwise; /* input read only at the index that is being written (see passes/memory.c) */
    bool may_alias;    /* output that may share memory with the input read at the same index (in-place) */
    bool is_pairs; /* buffers: elements 2 i and 2 i + 1 are there together, the parts of a complex number */
    uint32_t rank; /* buffers: 1 */
    KernelExpr *shape[4]; /* allocations */
};

typedef enum KernelExprKind { KERNEL_CONST, KERNEL_USE, KERNEL_OP, KERNEL_CAST, KERNEL_LOAD } KernelExprKind;
struct KernelExpr {
    KernelExprKind kind;
    Dtype dtype;
    Op op;                    /* KERNEL_OP: an elementwise row */
    uint64_t bits;            /* KERNEL_CONST */
    KernelVariable *variable; /* KERNEL_USE */
    KernelArray *array;       /* KERNEL_LOAD */
    uint32_t count;           /* operands, or indices of a load */
    KernelExpr *operands[4];
};

typedef enum KernelLoop { LOOP_SERIAL, LOOP_PARALLEL, LOOP_VECTOR, LOOP_UNROLLED } KernelLoop;
typedef enum KernelStatementKind {
    KERNEL_DECLARE,    /* let or var: variable = value */
    KERNEL_ASSIGN,     /* variable = value */
    KERNEL_ACCUMULATE, /* variable op= value; argmax/argmin: (variable, second) op= (value, value2) */
    KERNEL_ALLOC,      /* array */
    KERNEL_STORE,      /* array[indices] = value */
    KERNEL_FOR,        /* loop variable in begin .. end step */
    KERNEL_FOR_NZ,     /* (variable, second) in row `value` of (array indptr, array2 indices) */
    KERNEL_MERGE,      /* variable over iterators, cases */
    KERNEL_WHILE,      /* condition value */
    KERNEL_IF,         /* condition value, body, otherwise */
    KERNEL_APPEND,     /* to arrays at variable: values; stores only if `value` (NULL: always) */
    KERNEL_BARRIER,
    KERNEL_PREFETCH, /* array[indices] */
    KERNEL_STREAM,   /* array; value elements will be written in runs of value2 */
    KERNEL_TILE_MMA  /* array += array2 @ array3, m n k */
} KernelStatementKind;

struct KernelBlock {
    VEC(KernelStatement *) statements;
};

typedef struct KernelIterator { /* one operand of a merge */
    KernelVariable *position;
    KernelExpr *begin, *end;
    KernelArray *indices;
} KernelIterator;

typedef struct KernelCase {
    uint32_t subset; /* bit k: iterator k has the coordinate */
    KernelBlock body;
} KernelCase;

struct KernelStatement {
    KernelStatementKind kind;
    KernelLoop loop;
    Op op; /* accumulate */
    KernelVariable *variable, *second;
    KernelArray *array, *array2, *array3;
    uint32_t count; /* indices of a store or prefetch; arrays of an append */
    KernelExpr *indices[4];
    KernelExpr *value, *value2;
    KernelExpr *begin, *end, *step; /* step NULL: 1 */
    KernelExpr *below;              /* vector: a bound on the active lanes, or NULL */
    int64_t grain;                  /* parallel */
    KernelArray *balance;           /* parallel: indptr or NULL */
    KernelBlock body, otherwise;
    VEC(KernelIterator) iterators;
    VEC(KernelCase) cases;
    KernelArray *targets[4];      /* append */
    KernelExpr *target_values[4]; /* append */
    int64_t tile[3];              /* m, n, k */
};

/* One parameter, in call order: inputs and scalars first, outputs last. */
typedef struct KernelParameter {
    KernelArray *array;       /* a buffer, or */
    KernelVariable *variable; /* a scalar */
} KernelParameter;

/* The epilogue of a matrix product: its first parameters are the rows and columns to finish (i64: first row,
 * end of rows, first column, end of columns), its last one the product, which becomes the result. */
enum { KERNEL_EPILOGUE_RANGE = 4, KERNEL_EPILOGUE_MOST = 64 /* parameters */ };

struct Kernel {
    Arena *arena;
    Interner *names;
    Name name;
    Span span; /* the source of its last operation: messages, `explain` */
    VEC(KernelParameter) parameters;
    KernelBlock body;
    uint32_t next_id;
    uint64_t text_hash; /* of its text, once it is in a module: kernels that differ in it are not equal */
};

/* ---- building: expressions fold constants and neutral elements of i64 index arithmetic -------------------
 */
Kernel *kernel_new(Arena *arena, Interner *names, Name name);
KernelArray *kernel_buffer(Kernel *kernel, const char *name, Dtype dtype, bool is_output);
KernelVariable *kernel_scalar(Kernel *kernel, const char *name, Dtype dtype);
KernelVariable *kernel_variable(Kernel *kernel, KernelVariableKind kind, const char *name, Dtype dtype);

KernelExpr *kernel_const(Kernel *kernel, Dtype dtype, uint64_t bits);
KernelExpr *kernel_const_i64(Kernel *kernel, int64_t value);
KernelExpr *kernel_use(Kernel *kernel, KernelVariable *variable);
KernelExpr *kernel_op(Kernel *kernel, Op op, KernelExpr *const *operands);
KernelExpr *kernel_op2(Kernel *kernel, Op op, KernelExpr *a, KernelExpr *b);
KernelExpr *kernel_cast(Kernel *kernel, KernelExpr *x, Dtype dtype);
KernelExpr *kernel_load(Kernel *kernel, KernelArray *array, KernelExpr *const *indices, uint32_t count);

KernelStatement *kernel_declare(Kernel *kernel, KernelBlock *block, KernelVariable *variable,
                                KernelExpr *value);
KernelStatement *kernel_assign(Kernel *kernel, KernelBlock *block, KernelVariable *variable,
                               KernelExpr *value);
KernelStatement *kernel_accumulate(Kernel *kernel, KernelBlock *block, Op op, KernelVariable *variable,
                                   KernelExpr *value);
KernelStatement *kernel_accumulate_arg(Kernel *kernel, KernelBlock *block, Op op, KernelVariable *best,
                                       KernelVariable *index, KernelExpr *value, KernelExpr *at);
KernelStatement *kernel_store(Kernel *kernel, KernelBlock *block, KernelArray *array,
                              KernelExpr *const *indices, uint32_t count, KernelExpr *value);
KernelStatement *kernel_alloc(Kernel *kernel, KernelBlock *block, KernelArrayKind kind, const char *name,
                              Dtype dtype, KernelExpr *const *shape, uint32_t rank);
/* Appends a loop; its body is the returned statement's `body`, its index the returned statement's `variable`.
 */
KernelStatement *kernel_for(Kernel *kernel, KernelBlock *block, KernelLoop loop, const char *index,
                            KernelExpr *begin, KernelExpr *end, KernelExpr *step);
KernelStatement *kernel_if(Kernel *kernel, KernelBlock *block, KernelExpr *condition);
/* (position, coordinate) over the entries of row `row`: the statement's `variable` and `second`. */
KernelStatement *kernel_for_nz(Kernel *kernel, KernelBlock *block, const char *position,
                               const char *coordinate, KernelExpr *row, KernelArray *indptr,
                               KernelArray *indices);
KernelStatement *kernel_while(Kernel *kernel, KernelBlock *block, KernelExpr *condition);
/* The coordinate is the statement's `variable`; add the operands, then the cases (a case's block stays valid
 * until the next one is added). */
KernelStatement *kernel_merge(Kernel *kernel, KernelBlock *block, const char *coordinate);
KernelVariable *kernel_merge_over(Kernel *kernel, KernelStatement *merge, const char *position,
                                  KernelExpr *begin, KernelExpr *end, KernelArray *indices);
KernelBlock *kernel_merge_case(Kernel *kernel, KernelStatement *merge, uint32_t subset);
/* `fill`: a bool expression, false while counting; NULL: always stores. */
KernelStatement *kernel_append(Kernel *kernel, KernelBlock *block, KernelVariable *position,
                               KernelArray *const *targets, KernelExpr *const *values, uint32_t count,
                               KernelExpr *fill);
KernelStatement *kernel_prefetch(Kernel *kernel, KernelBlock *block, KernelArray *array,
                                 KernelExpr *const *indices, uint32_t count);
KernelStatement *kernel_stream(Kernel *kernel, KernelBlock *block, KernelArray *array, KernelExpr *elements,
                               KernelExpr *run);
KernelStatement *kernel_tile_mma(Kernel *kernel, KernelBlock *block, KernelArray *c, KernelArray *a,
                                 KernelArray *b, const int64_t tile[3]);
/* An empty statement of a kind (barrier; the parser). */
KernelStatement *kernel_statement(Kernel *kernel, KernelBlock *block, KernelStatementKind kind);

/* ---- asking ----------------------------------------------------------------------------------------- */
bool kernel_is_const_i64(const KernelExpr *expr, int64_t *value);
/* The dtype of an op's result from its operands, which share one dtype (`where`: the last two). */
Dtype kernel_op_dtype(Op op, const KernelExpr *const *operands);
/* Every statement of a block, nested ones too, and every expression in them, operands included; either
 * function may be NULL. */
typedef struct KernelVisitor {
    void (*statement)(void *user, const KernelStatement *statement);
    void (*expr)(void *user, const KernelExpr *expr);
    void *user;
} KernelVisitor;
void kernel_visit(const KernelBlock *block, const KernelVisitor *visitor);
/* By id: the variables and arrays that a block mentions. */
bool *kernel_names_used(const Kernel *kernel, const KernelBlock *block, Arena *arena);
/* By id: the variables that may hold different values in the lanes of a vector loop. */
bool *kernel_varying(const Kernel *kernel, const KernelStatement *loop, Arena *arena);
bool kernel_expr_varies(const KernelExpr *expr, const bool *varying);

/* ---- text and checking ------------------------------------------------------------------------------ */
/* Canonical text: names and ids renumbered, so that equal kernels print equally (the cache key). */
void kernel_print(const Kernel *kernel, const IrWriter *writer);
/* The same with the names that its builder gave (for people); parses back too. */
void kernel_print_named(const Kernel *kernel, const IrWriter *writer);
Kernel *kernel_parse(Arena *arena, Interner *names, DiagSink *sink, const char *text, size_t length,
                     uint32_t base);
bool kernel_verify(const Kernel *kernel, Arena *arena, const char **message);

#endif
