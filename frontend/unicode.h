/* Unicode: what the front end needs of it. */
#ifndef GMX_FRONTEND_UNICODE_H
#define GMX_FRONTEND_UNICODE_H

#include "ir/base/arena.h"

/* The length of the well-formed UTF-8 sequence at `text` (RFC 3629), 0 if there is none within `left` bytes.
 */
size_t unicode_sequence_length(const unsigned char *text, size_t left);

/* Writes the UTF-8 of a code point, up to 4 bytes, and returns how many. */
size_t unicode_encode(uint32_t code_point, char *out);

/* The normalisation form C of valid UTF-8 text; `*length` is of the text before and after.  Text that is
 * already in that form, as ASCII is, is returned as it is and not copied. */
const char *unicode_nfc(Arena *arena, const char *text, size_t *length);

#endif
