/* Costs: how many operations a step of a host program does and how many bytes it reads and writes, as sums of
 * products of extents, so that they are numbers where the extents are known and formulas where they are not.
 *
 * One operation per element for every elementwise op (fma: two; casts, views and copies: none) and for every
 * element that a reduction takes in; a matrix product does 2 m n k
 * (8 of complex numbers).  Bytes are those of the elements that are
 * touched, once each: what caches save or vector widths waste does not count. */
#ifndef GMX_IR_COST_H
#define GMX_IR_COST_H

#include "ir/ir.h"

enum { COST_FACTORS = 2 * IR_MAX_RANK };

typedef struct CostTerm { /* coefficient * product of the factors */
    double coefficient;
    uint32_t count;
    const IrNode *factors[COST_FACTORS]; /* scalar i64 nodes, ascending by id */
} CostTerm;

typedef struct CostSum {
    VEC(CostTerm) terms;
    bool is_least; /* a factor is not known: it is at least this */
} CostSum;

typedef enum CostPart { COST_FLOPS, COST_READ, COST_WRITTEN, COST_PARTS } CostPart;

typedef struct IrCost {
    CostSum parts[COST_PARTS];
} IrCost;

/* The same in terms of a launch: extents are those of its operands (operand ≥ 0; axis -1: the scalar itself)
 * or of its result (operand -1), so that it survives rewriting.  passes/cost.c fills it, and it hangs on the
 * launch: launches of different shapes share kernels. */
typedef struct LaunchCostTerm {
    double coefficient;
    uint32_t count;
    struct {
        int32_t operand, axis;
    } factors[COST_FACTORS];
} LaunchCostTerm;

typedef struct LaunchCost {
    struct {
        VEC(LaunchCostTerm) terms;
        bool is_least;
    } parts[COST_PARTS];
    VEC(Op) ops; /* what its kernel computes, in order: views left out */
} LaunchCost;

/* sum += coefficient * the product of the factors; constants go into the coefficient. */
void cost_add(Arena *arena, CostSum *sum, double coefficient, const IrNode *const *factors, uint32_t count);
/* sum += scale * other */
void cost_add_sum(Arena *arena, CostSum *sum, double scale, const CostSum *other);
/* The bytes of a tensor, or of a scalar. */
void cost_add_bytes(Arena *arena, CostSum *sum, double sign, const IrType *type);
/* The value where every extent is known, at least at this call. */
bool cost_known(const CostSum *sum, double *value);
/* Is every term of `small` covered by one of `large`?  (Extents are not negative.) */
bool cost_covers(const CostSum *large, const CostSum *small);

/* Does the node take part: a launch, a library call, a copy of indices? */
bool ir_has_cost(const IrNode *node);
/* All zero for nodes that take no part. */
IrCost ir_cost(const IrNode *node, Arena *arena);

#endif
