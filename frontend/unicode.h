/* Unicode: what the front end needs of it. */
#ifndef GMX_FRONTEND_UNICODE_H
#define GMX_FRONTEND_UNICODE_H

#include "ir/base/arena.h"

/* The normalisation form C of valid UTF-8 text; `*length` is of the text before and after.  Text that is
 * ASCII is returned as it is, not copied. */
const char *unicode_nfc(Arena *arena, const char *text, size_t *length);

#endif
