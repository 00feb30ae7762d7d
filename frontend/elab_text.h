/* Building text from pieces; see elab_text.c. */
#ifndef GMX_FRONTEND_ELAB_TEXT_H
#define GMX_FRONTEND_ELAB_TEXT_H

#include "frontend/elab.h"

typedef struct TextBuilder {
    Elaborator *e;
    VEC(TextPiece) pieces;
    VEC(Value) items;
    bool failed; /* something was reported, or is poison */
} TextBuilder;

void text_builder_add(TextBuilder *t, const char *text, size_t length);
/* `spec`: a checked format, or NULL. */
void text_builder_add_value(TextBuilder *t, Value value, const char *spec, size_t spec_length, Span span);
void text_builder_add_interpolation(TextBuilder *t, const AstNode *node);
Value text_builder_value(TextBuilder *t);            /* a STRING or TEXT, or POISON */
Value text_builder_print(TextBuilder *t, Span span); /* UNIT, or POISON */

#endif
