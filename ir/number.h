/* Numbers of every dtype as bits, as values and as text: what the IR's text and constant folding share.
 * Text is exact: it parses back to the same bits, in any locale. */
#ifndef GMX_IR_NUMBER_H
#define GMX_IR_NUMBER_H

#include "ir/dtype.h"
#include <stddef.h>

enum { NUMBER_TEXT_MAX = 64 };

/* The value of a float (f16 bf16 f32 f64), integer or bool given by its bits; large 64-bit integers round. */
double number_value(Dtype dtype, uint64_t bits);
/* The bits of a float dtype nearest to `value`, ties to even; overflow gives an infinity. */
uint64_t number_float_bits(Dtype dtype, double value);
/* Bits of an integer dtype or bool as a 64-bit value: sign-extended for signed dtypes. */
int64_t number_integer(Dtype dtype, uint64_t bits);
/* The low bytes of `value` that a dtype has (bool: value != 0). */
uint64_t number_integer_bits(Dtype dtype, uint64_t value);
/* Converts as `cast` does; false where the result is left to run time (a float out of an integer's range). */
bool number_convert(Dtype from, uint64_t bits, Dtype to, uint64_t *out);

/* `true`, `-3`, `2.5`, `1e-30`, `-inf`, `nan`; any other NaN as its bits, `0xffc00000`.  Returns the length.
 */
size_t number_print(char buffer[NUMBER_TEXT_MAX], Dtype dtype, uint64_t bits);
/* Reads the whole of `text`; false if it is no number of this dtype or is out of its range. */
bool number_parse(const char *text, size_t length, Dtype dtype, uint64_t *bits);

#endif
