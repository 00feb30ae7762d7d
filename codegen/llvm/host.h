/* Host programs: an IrFunction after `memory` becomes one LLVM function
 *
 *     int32_t NAME(gmxrt_ctx *ctx, gmxrt_tensor *const *parameters, gmxrt_tensor **results,
 *                  const uint64_t *table)
 *
 * `table` holds what differs between otherwise equal functions: sizes and other constants, and the source
 * places of errors.  They stay out of the code, so that one object serves all of them.
 *
 *   host_key.c      the canonical form of a function and its table
 *   host.c          the function's frame, scalars, ownership of buffers
 *   host_view.c     tensors and views of them
 *   host_call.c     allocation, launches, library calls, print, checks
 *   host_pattern.c  sparse patterns
 *   host_control.c  if, for, while
 *   host_profile.c  clocks around kernels and calls, for --profile only
 *
 * Ownership.  Every reference that the function holds lies in a slot of its frame (null when given away), and
 * each way out releases what the slots hold.  Launches, calls, `retain`, loops and branches give one
 * reference each; `release`, a yield, a result of the function and an output that takes an operand's buffer
 * use one up.  A use without a reference in hand retains first, and what a region still holds at its end is
 * released there, so a missing `retain` or `release` costs time and never memory safety. */
#ifndef GMX_CODEGEN_LLVM_HOST_H
#define GMX_CODEGEN_LLVM_HOST_H

#include "codegen/llvm/build.h"
#include "codegen/llvm/digest.h"
#include "codegen/llvm/target.h"
#include "ir/ir.h"
#include "ir/kernel.h"

/* ---- host_key.c ------------------------------------------------------------------------------------ */
typedef struct HostPlan {
    const IrFunction *function;
    int32_t *constant_slot; /* by node id: index in the table, or -1 */
    int32_t *span_slot;
    int32_t *profile_slot; /* profiling: where the name and the key of what runs are, one after the other */
    VEC(uint64_t) table;
    const char *const *kernel_symbols; /* by kernel number */
    bool has_loop, profile;
    Digest key; /* of the canonical form: equal for functions that differ in their tables and names only */
} HostPlan;

/* The first attributes of a node that are kernel numbers (-1: none). */
uint32_t host_kernel_count(const IrNode *node);
/* Its symbol is that of a gmxrt_lazy_kernel. */
bool host_kernel_is_lazy(const IrNode *node, uint32_t index);
const char *host_kernel_symbol(const HostPlan *plan, const IrNode *node, uint32_t index);

/* `profile`: every kernel and library call is measured (host_profile.c). */
void host_plan(HostPlan *plan, const IrFunction *function, const char *const *kernel_symbols, bool profile,
               Arena *arena);

/* ---- host.c ---------------------------------------------------------------------------------------- */
/* Adds the function to the unit's module; NULL when it has what hosts cannot do: *message (arena) says what.
 * fixed_table: use this constant instead of the fourth parameter (compiled libraries), or NULL. */
LLVMValueRef host_emit(LlvmUnit *unit, const HostPlan *plan, const char *symbol, LLVMValueRef fixed_table,
                       Arena *arena, const char **message);

/* ---- shared by the host_*.c files -------------------------------------------------------------------- */
typedef struct HostValue HostValue;
struct HostValue {
    LLVMValueRef scalar;       /* rank 0 */
    LLVMValueRef buffer, data; /* tensors */
    LLVMValueRef *strides;     /* in elements; NULL: contiguous */
    const HostValue *root;     /* the value whose references count for this one (views: what they look at) */
};

typedef struct HostReference {
    const HostValue *root;
    uint32_t slot;
} HostReference;

typedef struct HostArea { /* stack memory whose size is known at the end */
    LLVMValueRef place;
    uint32_t used;
} HostArea;

typedef struct Host {
    LlvmBuild build;
    LlvmUnit *unit;
    Arena *arena;
    const HostPlan *plan;
    const char *message;  /* the first thing that cannot be lowered */
    HostValue **values;   /* by node id: one per result */
    LLVMBuilderRef entry; /* stands in the entry block: allocas and what is loaded once */
    LLVMBasicBlockRef failure;
    LLVMValueRef ctx, parameters, results, table;
    LLVMTypeRef i1, i8, i32, i64, pointer;
    HostArea slots, views, arguments, shapes; /* shapes: two arrays of GMXRT_MAX_RANK */
    VEC(HostReference) live;
    VEC(uint32_t) free_slots;
    uint32_t slot_count;
    uint32_t loop_mark; /* live references before it are older than the innermost loop: not to be used up */
    HostValue missing;  /* stands in after an error */
} Host;

void host_unsupported(Host *host, const char *format, ...) __attribute__((format(printf, 2, 3)));
void host_region(Host *host, const IrRegion *region);
HostValue *host_value(Host *host, const IrNode *node); /* first result */
HostValue *host_new_values(Host *host, const IrNode *node, uint32_t count);
LLVMValueRef host_scalar(Host *host, const IrNode *node);
LLVMValueRef host_extent(Host *host, const IrType *type, uint32_t axis);
LLVMValueRef host_span(Host *host, const IrNode *node);
LLVMValueRef host_const_i64(Host *host, int64_t value);
LLVMValueRef host_text(Host *host, const char *text);
LLVMValueRef host_bytes(Host *host, const char *text, size_t length); /* may contain NUL; one is added */

/* address + bytes; loads and stores of fields */
LLVMValueRef host_offset(Host *host, LLVMValueRef address, uint64_t bytes);
LLVMValueRef host_load_field(Host *host, LLVMTypeRef type, LLVMValueRef address, uint64_t bytes);
void host_store_field(Host *host, LLVMValueRef value, LLVMValueRef address, uint64_t bytes);
/* Calls a runtime function; its type follows from the arguments. */
LLVMValueRef host_call(Host *host, const char *name, LLVMTypeRef result, LLVMValueRef *arguments,
                       unsigned count);
LLVMValueRef host_area(Host *host, HostArea *area, uint32_t index, uint32_t size); /* element `index` */

/* Failure: builder goes to a cold block reached when `condition` holds; the block to go on in is returned. */
LLVMBasicBlockRef host_if_rarely(Host *host, LLVMValueRef condition);
void host_fail(Host *host, LLVMBasicBlockRef next);    /* leaves the function; the builder goes to `next` */
void host_fail_if(Host *host, LLVMValueRef condition); /* the error is set already */
void host_fail_message(Host *host, LLVMValueRef condition, DiagCode code, const char *text,
                       const IrNode *node);

/* Ownership. */
void host_own(Host *host, const HostValue *root, LLVMValueRef buffer); /* takes a reference into a slot */
bool host_holds(const Host *host, const HostValue *root);
/* Gives one reference away: from a slot, or a new one. */
void host_give(Host *host, const HostValue *value);
/* On this path the slot of `to` gets what the slot of `from` holds; both stay live. */
void host_move(Host *host, const HostValue *from, const HostValue *to);
void host_release(Host *host, const HostValue *value); /* one reference in a slot, if there is one */
/* Releases the references that were taken since `mark` (live.count then). */
void host_release_since(Host *host, uint32_t mark);

/* host_scalar.c: values are i1 for bool, iN, half-precision as its bits (i16), float, double */
LLVMTypeRef host_type(Host *host, Dtype dtype);
LLVMValueRef host_load(Host *host, Dtype dtype, LLVMValueRef address);
void host_store(Host *host, Dtype dtype, LLVMValueRef value, LLVMValueRef address);
LLVMValueRef host_to_bits(Host *host, LLVMValueRef value); /* zero-extended to i64 */
LLVMValueRef host_from_bits(Host *host, Dtype dtype, LLVMValueRef bits);
void host_elementwise(Host *host, const IrNode *node);
void host_cast(Host *host, const IrNode *node);

/* host_view.c */
LLVMValueRef host_stride(Host *host, const IrType *type, const HostValue *value, uint32_t axis);
void host_view(Host *host, const IrNode *node);
/* A contiguous tensor with the elements of `value` (itself if it is one). */
HostValue *host_contiguous(Host *host, const IrNode *node, const IrType *type, HostValue *value);
/* Fills views[index] of the frame with a value (scalars through memory) and returns its address. */
LLVMValueRef host_describe(Host *host, uint32_t index, const IrType *type, const HostValue *value);
/* The same from parts; strides may be NULL for contiguous. */
LLVMValueRef host_describe_parts(Host *host, uint32_t index, Dtype dtype, uint32_t rank,
                                 LLVMValueRef const *extents, LLVMValueRef const *strides, LLVMValueRef data);

/* host_call.c */
void host_allocate(Host *host, const IrNode *node, const IrType *type, HostValue *value); /* owned */
void host_launch(Host *host, const IrNode *node);
void host_library(Host *host, const IrNode *node);
void host_print(Host *host, const IrNode *node);
void host_check(Host *host, const IrNode *node);
void host_return(Host *host, const IrNode *node, uint32_t index);

/* host_pattern.c */
void host_pattern(Host *host, const IrNode *node);

/* host_profile.c */
typedef struct HostClock {
    LLVMValueRef begin; /* NULL: the node is not measured */
} HostClock;
/* Around what `node` runs; nothing unless the plan says so. */
HostClock host_profile_begin(Host *host, const IrNode *node);
void host_profile_end(Host *host, const IrNode *node, HostClock clock);
/* An operand, described in memory, of a call that could be sparse. */
void host_profile_operand(Host *host, const IrNode *node, LLVMValueRef view);

/* host_control.c */
void host_if(Host *host, const IrNode *node);
void host_loop(Host *host, const IrNode *node);

#endif
