/* Painting of an entry: rows wrapped at the terminal's width, the cursor put in its place.
 *
 * Rows are wrapped by the painter, never by the terminal, so that the row of the cursor is known.  Of an
 * entry with more rows than the screen those around the cursor are shown. */
#ifndef GMX_RUNTIME_CLI_LINE_PAINT_H
#define GMX_RUNTIME_CLI_LINE_PAINT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Painter {
    int cursor_row; /* of the last painting, from its first row on screen */
    int row_count;  /* on screen */
    char *bytes;    /* what is about to be written */
    size_t length, capacity;
} Painter;

void painter_begin(Painter *painter); /* at the left of an empty row */
void painter_paint(Painter *painter, const char *prompt, const char *continuation, const char *text,
                   size_t length, size_t cursor);
void painter_clear_screen(Painter *painter);
void painter_end(Painter *painter); /* to the row below */
void painter_free(Painter *painter);

#endif
