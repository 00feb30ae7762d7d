/* The library written in GMX: the files of stdlib/, built into the program by stdlib/embed.cmake. */
#ifndef GMX_FRONTEND_STDLIB_H
#define GMX_FRONTEND_STDLIB_H

#include <stddef.h>

/* One file: `name` is "gelu" for stdlib/gelu.gmx; `text` has `length` bytes and a NUL behind them. */
extern const struct StdlibSource {
    const char *name;
    const char *text;
    size_t length;
} stdlib_sources[]; /* by name; one more row, all zero, ends the table */
extern const size_t stdlib_source_count;

#endif
