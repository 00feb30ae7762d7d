/* What a host program will do, step by step: the facts behind `gmx explain`, gathered in one walk over a
 * function after `memory`.  How they look is decided in runtime/api/explain.c. */
#ifndef GMX_PASSES_EXPLAIN_H
#define GMX_PASSES_EXPLAIN_H

#include "ir/cost.h"

typedef enum ExplainKind { EXPLAIN_KERNEL, EXPLAIN_CALL, EXPLAIN_LOOP, EXPLAIN_BRANCH } ExplainKind;

typedef struct ExplainStep {
    ExplainKind kind;
    const IrNode *node;
    uint32_t depth;     /* loops and branches around it */
    uint32_t statement; /* IrNode.statement */
    double trips;       /* how often it runs, as far as loops around it say; < 0: not known */
    IrCost cost;        /* of one run */
} ExplainStep;

/* The largest sums, none of which covers another: one where everything is known. */
typedef struct ExplainPeak {
    VEC(CostSum) candidates;
} ExplainPeak;

typedef struct ExplainStatement {
    uint32_t statement;
    VEC(ExplainStep) steps;
    uint32_t temporaries; /* buffers that it makes and that are gone at the end of the function */
    CostSum temporary_bytes;
    ExplainPeak peak; /* temporaries alive at once while it runs, older ones too */
    ExplainPeak all;  /* the same with results of the function */
} ExplainStatement;

typedef struct Explain {
    VEC(ExplainStatement) statements; /* in the order of their first step; those without any have none */
    uint32_t temporaries;
    CostSum temporary_bytes;
    ExplainPeak peak, all;
} Explain;

/* `function` went through `memory`, with PassContext.annotate for reasons and the costs of kernels. */
Explain *pass_explain(const IrFunction *function, Arena *arena);

#endif
