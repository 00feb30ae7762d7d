/* Formatting of a source (`gmx fmt`): indentation, spaces and blank lines; line breaks and comments stay. */
#ifndef GMX_FRONTEND_FMT_H
#define GMX_FRONTEND_FMT_H

#include "frontend/parse.h"

/* The formatted text, on the context's arena; NULL when the source has syntax errors, which are in `diags`.
 * Formatting twice gives the same text, and the tokens are those of the source. */
const char *fmt_source(const ParseContext *context, const SourceFile *file);

#endif
