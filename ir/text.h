/* IR text into memory: an IrWriter that appends to an arena. */
#ifndef GMX_IR_TEXT_H
#define GMX_IR_TEXT_H

#include "ir/ir.h"

typedef struct IrText {
    Arena *arena;
    VEC(char) bytes; /* not terminated */
} IrText;

/* `text` must outlive the writer. */
IrWriter ir_text_writer(IrText *text);
void ir_text_append(IrText *text, const char *bytes);
const char *ir_text_finish(IrText *text); /* NUL-terminated */

#endif
