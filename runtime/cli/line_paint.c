/* Painting of an entry. */
#include "runtime/cli/line_paint.h"

#include "runtime/cli/terminal.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A walk over the entry as it lies on the screen, twice: to find the rows, then to write those in view. */
typedef struct Walk {
    Painter *painter;
    int columns;
    int row, column;
    int first, last; /* rows written: first <= row < last */
    int cursor_row, cursor_column;
} Walk;

static void add(Painter *p, const char *bytes, size_t length) {
    if (p->length + length > p->capacity) {
        size_t capacity = (p->length + length) * 2 + 256;
        char *larger = realloc(p->bytes, capacity);
        if (!larger)
            return;
        p->bytes = larger;
        p->capacity = capacity;
    }
    memcpy(p->bytes + p->length, bytes, length);
    p->length += length;
}

static void add_text(Painter *p, const char *text) {
    add(p, text, strlen(text));
}

/* A control sequence with a count, nothing for 0. */
static void add_move(Painter *p, int count, char direction) {
    char sequence[32];
    if (count > 0)
        add(p, sequence, (size_t)snprintf(sequence, sizeof sequence, "\x1b[%d%c", count, direction));
}

static bool is_seen(const Walk *w) {
    return w->row >= w->first && w->row < w->last;
}

static void new_row(Walk *w) {
    w->row++;
    w->column = 0;
    if (is_seen(w) && w->row > w->first)
        add_text(w->painter, "\r\n");
}

static void walk_bytes(Walk *w, const char *bytes, size_t length, int width) {
    if (w->column + width > w->columns)
        new_row(w);
    if (is_seen(w))
        add(w->painter, bytes, length);
    w->column += width;
}

static void walk_character(Walk *w, const char *text, size_t length, uint32_t code) {
    int width = utf8_width(code);
    if (code < 0x20 || code == 0x7f) {
        char shown[2] = {'^', (char)(code ^ 0x40)};
        walk_bytes(w, shown, 2, width);
    } else if (code == 0xfffd || (code >= 0x80 && code < 0xa0)) {
        walk_bytes(w, "\xef\xbf\xbd", 3, 1);
    } else {
        walk_bytes(w, text, length, width);
    }
}

static void walk_prompt(Walk *w, const char *prompt) {
    size_t bytes, length = strlen(prompt);
    for (size_t at = 0; at < length; at += bytes) {
        uint32_t code = utf8_decode(prompt + at, length - at, &bytes);
        walk_character(w, prompt + at, bytes, code);
    }
}

static void walk(Walk *w, const char *prompt, const char *continuation, const char *text, size_t length,
                 size_t cursor) {
    size_t bytes;
    w->row = w->column = 0;
    walk_prompt(w, prompt);
    for (size_t at = 0;; at += bytes) {
        if (at >= cursor && w->cursor_row < 0) {
            if (w->column == w->columns) /* the cursor has a column of its own */
                new_row(w);
            w->cursor_row = w->row;
            w->cursor_column = w->column;
        }
        if (at >= length)
            return;
        uint32_t code = utf8_decode(text + at, length - at, &bytes);
        if (code == '\n') {
            new_row(w);
            walk_prompt(w, continuation);
        } else {
            walk_character(w, text + at, bytes, code);
        }
    }
}

static void to_first_row(Painter *p) {
    add_move(p, p->cursor_row, 'A');
    add_text(p, "\r\x1b[J");
}

static void flush(Painter *p) {
    terminal_write(p->bytes, p->length);
    p->length = 0;
}

void painter_begin(Painter *p) {
    p->cursor_row = 0;
    p->row_count = 1;
    p->length = 0;
}

void painter_paint(Painter *p, const char *prompt, const char *continuation, const char *text, size_t length,
                   size_t cursor) {
    int columns, rows;
    terminal_size(&columns, &rows);
    Walk w = {.painter = p, .columns = columns, .cursor_row = -1};
    to_first_row(p);
    walk(&w, prompt, continuation, text, length, cursor); /* last == 0: writes nothing */
    int count = w.row + 1;
    w.first = count > rows && w.cursor_row >= rows ? w.cursor_row - rows + 1 : 0;
    w.last = count - w.first > rows ? w.first + rows : count;
    w.cursor_row = -1;
    walk(&w, prompt, continuation, text, length, cursor);
    add_move(p, w.last - 1 - w.cursor_row, 'A');
    add_text(p, "\r");
    add_move(p, w.cursor_column, 'C');
    p->cursor_row = w.cursor_row - w.first;
    p->row_count = w.last - w.first;
    flush(p);
}

void painter_clear_screen(Painter *p) {
    add_text(p, "\x1b[H\x1b[2J");
    flush(p);
    p->cursor_row = 0;
}

void painter_end(Painter *p) {
    add_move(p, p->row_count - 1 - p->cursor_row, 'B');
    add_text(p, "\r\n");
    flush(p);
    painter_begin(p);
}

void painter_free(Painter *p) {
    free(p->bytes);
}
