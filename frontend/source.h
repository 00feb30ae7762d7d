/* Sources: files in one position space, places in them, and how diagnostics look.
 *
 * Every text that enters (a file, a REPL entry, the argument of -e) is registered here, checked for size and
 * UTF-8, and gets a base; see ir/base/span.h.  Nothing here prints: rendering returns text on an arena. */
#ifndef GMX_FRONTEND_SOURCE_H
#define GMX_FRONTEND_SOURCE_H

#include "ir/base/arena.h"
#include "ir/base/diag.h"
#include "ir/base/span.h"
#include "ir/base/vec.h"
#include <stdbool.h>
#include <stdint.h>

enum { SOURCE_SIZE_LIMIT = 64 << 20, SOURCE_BLOCK = 64 << 10 };

typedef struct SourceFile {
    const char *name; /* as the user wrote it */
    const char *text; /* NUL-terminated; holds no NUL itself unless it was refused */
    uint32_t length;
    uint32_t base;         /* position of the first byte; of a file never 0 */
    uint32_t first, last;  /* the positions that are its own: base … base + length, for a call less */
    Span call;             /* a part of a file as it runs in this call; else the zero span */
    const char *function;  /* what is called there; NULL: an anonymous function */
    uint32_t *block_lines; /* newlines before each block of SOURCE_BLOCK bytes; NULL: not counted yet */
} SourceFile;

typedef struct SourceMap {
    Arena *arena;
    VEC(SourceFile *) files; /* by rising first position */
    uint32_t next_base;
} SourceMap;

typedef struct SourcePlace {
    const SourceFile *file; /* NULL: no place */
    uint32_t line, column;  /* from 1; columns count code points */
    uint32_t line_begin;    /* offset in the file of the line's first byte */
} SourcePlace;

void source_map_init(SourceMap *map, Arena *arena);

/* Registers a copy of `text`.  On bad UTF-8, a byte order mark, a NUL byte or too large a text: reports E0001
 * or E0002 and returns NULL. */
SourceFile *source_add(SourceMap *map, DiagSink *diags, const char *name, const char *text, size_t length);
/* Reads and registers a file, "-" for standard input.  A regular file above the size limit is refused before
 * it is read.  `at` is the `import` that asked for it, or the zero span. */
SourceFile *source_read(SourceMap *map, DiagSink *diags, const char *path, Span at);

/* Positions for `part` of a file as it runs in a call of `function`: what is added to those of the part (or 0
 * where none are left).  source_place tells the same places for them; source_note_calls tells the calls. */
uint32_t source_add_call(SourceMap *map, Span part, Span call, const char *function);
/* Adds a note for each call that led to a place, innermost first. */
void source_note_calls(SourceMap *map, DiagSink *sink, Diag *diag);
/* The position in the file itself. */
uint32_t source_origin(const SourceMap *map, uint32_t position);

const SourceFile *source_find(const SourceMap *map, uint32_t position); /* NULL: none */
SourcePlace source_place(SourceMap *map, uint32_t position);

typedef enum DiagFormat { DIAG_HUMAN, DIAG_JSON } DiagFormat;

/* One diagnostic as text that ends in a newline. */
const char *source_render(SourceMap *map, Arena *arena, const Diag *diag, DiagFormat format);
/* All that were collected, and a last line when some were dropped. */
const char *source_render_all(SourceMap *map, Arena *arena, const DiagSink *diags, DiagFormat format);

#endif
