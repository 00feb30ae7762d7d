/* What the printer and the parser of kernel text share: infix spellings (taken from the `c` column of
 * ops.def), keywords, and float literals of every dtype. */
#ifndef GMX_IR_KERNEL_TEXT_H
#define GMX_IR_KERNEL_TEXT_H

#include "ir/kernel.h"

/* The operator of a two-operand row whose C text is "(%0 SYMBOL %1)": its precedence (C's, larger binds
 * tighter, all left-associative) after the symbol was copied; 0: the op is written as a call. */
int kernel_text_infix(Op op, char symbol[4]);
/* The op of an operator at the start of `text`; OP_none if none. */
Op kernel_text_operator(const char *text, size_t length);
bool kernel_text_is_keyword(const char *name);
static inline bool kernel_text_is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
/* The value of an element's bits, and the bits of a value rounded to a float dtype (nearest, ties to even).
 */
double kernel_text_float(Dtype dtype, uint64_t bits);
uint64_t kernel_text_float_bits(Dtype dtype, double value);

#endif
