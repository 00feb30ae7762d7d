/* The C header of a compiled library. */
#ifndef GMX_CODEGEN_HEADER_H
#define GMX_CODEGEN_HEADER_H

#include "ir/export.h"

/* C99, guarded for C++, documented; needs the standard headers only.  Arena text. */
const char *header_text(const ExportList *exports, Arena *arena);

#endif
