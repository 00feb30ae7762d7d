/* The pass pipeline: one table, one loop.  See passes/pipeline.c for the order and its reasons. */
#ifndef GMX_PASSES_PIPELINE_H
#define GMX_PASSES_PIPELINE_H

#include "ir/ir.h"
#include "ir/kernel.h"

typedef struct PassContext {
    Arena *arena;   /* unit lifetime */
    DiagSink *sink; /* internal failures: "during pass fuse in f" */
    bool annotate;  /* keep reasons (ir/remark.h) and costs (ir/cost.h), for `gmx explain` and --profile */
} PassContext;

typedef struct PassOptions {
    const char *dump_after; /* a pass name, "all" or NULL; dumps go to dump */
    const char *stop_after;
    const char *const *disabled; /* NULL-terminated names (--no-pass) or NULL */
    bool time_passes, verify_each;
    IrWriter dump;
} PassOptions;

/* A pass replaces the function (returning the new one) or edits it in place and returns it; NULL: it failed
 * and reported. */
typedef IrFunction *(*PassFunction)(PassContext *context, IrFunction *function);
typedef struct PassInfo {
    const char *name;
    PassFunction run;
    bool required; /* --no-pass refuses */
    const char *summary;
    PassFunction instead; /* what runs under --no-pass; NULL: nothing */
} PassInfo;
extern const PassInfo pass_table[];
extern const uint32_t pass_count;

/* Do the options name passes that exist, and leave out none that is required?  false after reporting. */
bool pass_options_hold(PassContext *context, const PassOptions *options);
/* Runs the pipeline on every function of the module; false after reporting into context->sink. */
bool pass_pipeline_run(PassContext *context, IrModule *module, const PassOptions *options);

IrFunction *pass_promote(PassContext *context, IrFunction *function);
IrFunction *pass_complex(PassContext *context, IrFunction *function);
IrFunction *pass_simplify(PassContext *context, IrFunction *function);
IrFunction *pass_fuse(PassContext *context, IrFunction *function);
IrFunction *pass_fuse_apart(PassContext *context, IrFunction *function); /* one kernel per op */
IrFunction *pass_products(PassContext *context, IrFunction *function);
IrFunction *pass_schedule(PassContext *context, IrFunction *function);
IrFunction *pass_memory(PassContext *context, IrFunction *function);

/* What a function has come to: for tests that count ("structure(fuse): kernels 1, calls 0") and `explain`. */
typedef struct PassStructure {
    uint32_t kernels; /* fused and launch nodes */
    uint32_t calls;   /* library calls: matmul, solve, … */
    uint32_t checks, prints;
    uint32_t loops; /* for and while */
} PassStructure;
PassStructure pass_structure(const IrFunction *function);

#endif
