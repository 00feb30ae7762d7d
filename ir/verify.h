/* What ir/verify.c (the walk) and ir/verify_ops.c (the ops) share with each other and with nobody else. */
#ifndef GMX_IR_VERIFY_H
#define GMX_IR_VERIFY_H

#include "ir/ir.h"

typedef struct Verifier {
    const IrFunction *function;
    Arena *arena;
    const char **message;
    const IrNode **visible; /* by id: the node while it can be used */
    bool *seen;             /* by id */
    const IrRegion **token_user;
} Verifier;

/* Describes a violation at `node` (NULL: of the function); returns false. */
bool verify_fail(Verifier *v, const IrNode *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same size: one node, equal constants, or made equal by a check. */
bool verify_same_extent(const IrNode *a, const IrNode *b);
bool verify_same_extents(const IrType *a, const IrType *b);
/* ir/verify_pattern.c: ops on patterns; spread and segment. */
bool verify_pattern_op(Verifier *v, const IrNode *node);
bool verify_entries(Verifier *v, const IrNode *node);
/* What the op of a node asks of operands, attributes, regions and result types. */
bool verify_op(Verifier *v, const IrNode *node);

#endif
