/* Remarks: what a pass decided about a node and why, for `gmx explain`.
 *
 * They hang on `fused` and `launch` nodes (IrNode.remarks), are no part of any key and change nothing.  A new
 * reason is a row in remarks.def. */
#ifndef GMX_IR_REMARK_H
#define GMX_IR_REMARK_H

#include "ir/ir.h"

typedef enum IrRemarkKind {
#define REMARK(name, text) REMARK_##name,
#include "ir/remarks.def"
    REMARK_COUNT
} IrRemarkKind;

typedef struct IrRemark IrRemark;
struct IrRemark {
    IrRemarkKind kind;
    Op other;  /* the op that it is separate from; OP_none: none in particular */
    Span span; /* of that op */
    IrRemark *next;
};

const char *ir_remark_text(IrRemarkKind kind);
/* Appends to the list; one that is there already is not repeated. */
void ir_remark_add(Arena *arena, IrRemark **list, IrRemarkKind kind, Op other, Span span);

#endif
