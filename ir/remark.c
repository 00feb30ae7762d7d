/* Remarks of passes: their texts and their lists. */
#include "ir/remark.h"

static const char *const remark_text[REMARK_COUNT] = {
#define REMARK(name, text) [REMARK_##name] = text,
#include "ir/remarks.def"
};

const char *ir_remark_text(IrRemarkKind kind) {
    return remark_text[kind];
}

void ir_remark_add(Arena *arena, IrRemark **list, IrRemarkKind kind, Op other, Span span) {
    for (; *list; list = &(*list)->next)
        if ((*list)->kind == kind && (*list)->other == other && (*list)->span.begin == span.begin)
            return;
    *list = ARENA_NEW(arena, IrRemark);
    **list = (IrRemark){.kind = kind, .other = other, .span = span};
}
