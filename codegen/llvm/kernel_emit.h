/* Inside of the kernel emitter (kernel.c, kernel_expr.c, kernel_loop.c, kernel_vector.c, kernel_sparse.c). */
#ifndef GMX_CODEGEN_LLVM_KERNEL_EMIT_H
#define GMX_CODEGEN_LLVM_KERNEL_EMIT_H

#include "codegen/llvm/kernel.h"
#include "codegen/llvm/scalar.h"

enum { TILE_IDS = 3 }; /* ids at the end of the kernel's that tile.mma uses for its loops */

/* What a variable stands for now: a place in memory (var), a value, or base + coefficient * lane. */
typedef struct Binding {
    LLVMValueRef slot;
    LLVMTypeRef type; /* of what the slot holds */
    LLVMValueRef value;
    LLVMValueRef base, coefficient; /* i64 scalars */
} Binding;

typedef struct ArrayBinding {
    LLVMValueRef pointer;
    LLVMValueRef extents[4];   /* allocations: i64, the last one padded for registers */
    LLVMValueRef scope, other; /* metadata for alias analysis: itself, all that it cannot overlap */
    LLVMValueRef stream;       /* slot of the mask of kernel_stream.c; NULL: never streams */
} ArrayBinding;

/* The vector loop being emitted. */
typedef struct Lanes {
    const KernelStatement *loop;
    unsigned width;
    LLVMValueRef mask;     /* NULL: all lanes are active */
    LLVMValueRef streams;  /* i1: whether its streaming stores do; NULL: they do not */
    const bool *varying;   /* by variable id */
    Binding *accumulators; /* by variable id: lane accumulators of outer variables */
} Lanes;

typedef struct Emit {
    LlvmBuild build;
    const Kernel *kernel;
    const LlvmKernelOptions *options;
    const char *symbol;
    Arena *arena;
    const char **message;
    Binding *variables; /* by id */
    ArrayBinding *arrays;
    Lanes *lanes; /* NULL outside of vector loops */
    LLVMValueRef ctx, arguments, flags, status;
    bool has_streamed;         /* the function being emitted has streaming stores */
    LLVMBasicBlockRef leave;   /* where the function ends, also after a failure */
    LLVMValueRef entry_end;    /* the terminator of the entry block: allocas go before it */
    VEC(LLVMValueRef) scratch; /* slots of scratch buffers, released on leaving */
    unsigned body_count;
    bool has_failed;
} Emit;

/* kernel.c */
void emit_fail(Emit *e, const char *message); /* the kernel breaks a rule; emission goes on */
LLVMValueRef emit_alloca(Emit *e, LLVMTypeRef type);
void emit_block(Emit *e, const KernelBlock *block);
LLVMValueRef emit_i64(Emit *e, int64_t value);
LLVMValueRef emit_i32(Emit *e, int64_t value);
LLVMValueRef emit_add(Emit *e, LLVMValueRef a, LLVMValueRef b); /* i64, cannot overflow */
LLVMValueRef emit_mul(Emit *e, LLVMValueRef a, LLVMValueRef b);
/* A runtime function. */
LLVMValueRef emit_runtime_call(Emit *e, const char *name, LLVMTypeRef result, LLVMValueRef *arguments,
                               unsigned count);
/* The kernel's (`is_body` false) or an outlined body's function with its entry and leave blocks; the builder
 * stands after the entry.  emit_function_end returns from it. */
void emit_function_begin(Emit *e, const char *name, bool is_body);
void emit_bind_parameters(Emit *e);
void emit_function_end(Emit *e, LLVMValueRef failed_or_null);

/* kernel_expr.c */
unsigned emit_width(const Emit *e);                         /* lanes of the current vector loop, 0 outside */
LLVMValueRef emit_expr(Emit *e, const KernelExpr *expr);    /* a vector only if it varies between lanes */
LLVMValueRef emit_uniform(Emit *e, const KernelExpr *expr); /* must not vary */
LLVMValueRef emit_varying(Emit *e, const KernelExpr *expr); /* always a vector inside vector loops */
bool emit_affine(Emit *e, const KernelExpr *expr, LLVMValueRef *base, LLVMValueRef *coefficient);
LLVMValueRef emit_value(Emit *e, const Binding *binding);
void emit_store(Emit *e, const KernelArray *array, KernelExpr *const *indices, uint32_t count,
                LLVMValueRef value);
void emit_prefetch(Emit *e, const KernelStatement *s);
/* One element at a scalar offset. */
/* Alignment and alias metadata of an access to an array; returns the access. */
LLVMValueRef emit_describe(Emit *e, const KernelArray *array, LLVMValueRef access);
LLVMValueRef emit_element_pointer(Emit *e, const KernelArray *array, LLVMValueRef offset);
LLVMValueRef emit_load_at(Emit *e, const KernelArray *array, LLVMValueRef offset);
void emit_store_at(Emit *e, const KernelArray *array, LLVMValueRef offset, LLVMValueRef value);

/* kernel_stream.c */
void emit_stream(Emit *e, const KernelStatement *s);
void emit_stream_mask(Emit *e, ArrayBinding *binding, LLVMValueRef mask); /* in the function being emitted */
LLVMValueRef emit_read_mask(Emit *e, const ArrayBinding *binding);
/* Stores one of these vectors; false: it does not stream, nothing emitted. */
bool emit_stream_store(Emit *e, const KernelArray *array, LLVMValueRef pointer, LLVMValueRef value);
/* Whether the whole vectors of a loop from `begin` on go past the caches: an i1, or NULL when they cannot.
 * `declared`: by id, the variables of its body. */
LLVMValueRef emit_loop_streams(Emit *e, const KernelStatement *loop, unsigned width, LLVMValueRef begin,
                               const bool *declared);
void emit_stream_fence(Emit *e); /* before other threads may read */

/* kernel_loop.c: one emitter per statement, and the loop they share. */
typedef struct Loop {
    LLVMBasicBlockRef before, head, after;
    LLVMValueRef index, step, end;
} Loop;
/* for (index = begin; index < end; index += step): the body is emitted between the two calls. */
Loop emit_loop_begin(Emit *e, LLVMValueRef begin, LLVMValueRef end, LLVMValueRef step);
void emit_loop_end(Emit *e, Loop *loop);
void emit_for(Emit *e, const KernelStatement *s);
void emit_while(Emit *e, const KernelStatement *s);
void emit_if(Emit *e, const KernelStatement *s);
/* acc = op(acc, value), and pairs. */
void emit_accumulate(Emit *e, const KernelStatement *s);
LLVMValueRef emit_fold(Emit *e, Op op, Dtype dtype, LLVMValueRef accumulator, LLVMValueRef value);
void emit_assign(Emit *e, Binding *binding, LLVMValueRef value);

/* The address of an element, or of one per lane; what the optimiser may assume of an access; masked vectors.
 */
LLVMValueRef emit_element_pointer(Emit *e, const KernelArray *array, LLVMValueRef offset);
LLVMValueRef emit_set_alias(Emit *e, const KernelArray *array, LLVMValueRef access);
LLVMValueRef emit_masked_load(Emit *e, const KernelArray *array, LLVMValueRef pointer, LLVMValueRef mask,
                              LLVMTypeRef type);
LLVMValueRef emit_masked_store(Emit *e, const KernelArray *array, LLVMValueRef pointer, LLVMValueRef mask,
                               LLVMValueRef value);

/* kernel_pairs.c: a part of a pair per lane; NULL, false: not such an access, nothing was emitted. */
LLVMValueRef emit_load_part(Emit *e, const KernelArray *array, const KernelExpr *index);
bool emit_store_pair(Emit *e, const KernelStatement *s, const KernelStatement *next);

/* kernel_vector.c, kernel_parallel.c, kernel_sparse.c, kernel_memory.c */
void emit_vector_loop(Emit *e, const KernelStatement *s);
void emit_parallel(Emit *e, const KernelStatement *s);
void emit_for_nz(Emit *e, const KernelStatement *s);
void emit_merge(Emit *e, const KernelStatement *s);
void emit_append(Emit *e, const KernelStatement *s);
void emit_alloc(Emit *e, const KernelStatement *s);
void emit_alias_scopes(Emit *e);
void emit_release_from(Emit *e, uint32_t first); /* scratch of a block that ends */
void emit_tile_mma(Emit *e, const KernelStatement *s);

#endif
