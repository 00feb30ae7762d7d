/* The line editor: the text, the moves in it, history and search.  Painting is in line_paint.c. */
#include "runtime/cli/line_edit.h"

#include "runtime/cli/interrupt.h"
#include "runtime/cli/line_paint.h"
#include "runtime/cli/terminal.h"

#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { QUERY_MAX = 128, TAB_SPACES = 4, LIST_ROWS = 20 };

struct LineEditor {
    char *text; /* NUL-terminated */
    size_t length, capacity, cursor;
    char *killed;  /* what Ctrl-K, Ctrl-U and Ctrl-W took last */
    char *stashed; /* the new entry while history is looked at */
    size_t at;     /* in the history; its count: the new entry */
    const LineRequest *request;
    Painter painter;
};

/* ---- the text -------------------------------------------------------------------------------------------
 */

static bool reserve(LineEditor *e, size_t length) {
    if (length < e->capacity)
        return true;
    size_t capacity = length * 2 + 256;
    char *larger = realloc(e->text, capacity);
    if (!larger)
        return false;
    e->text = larger;
    e->capacity = capacity;
    return true;
}

static void insert(LineEditor *e, const char *text, size_t length) {
    if (!reserve(e, e->length + length))
        return;
    memmove(e->text + e->cursor + length, e->text + e->cursor, e->length - e->cursor + 1);
    memcpy(e->text + e->cursor, text, length);
    e->length += length;
    e->cursor += length;
}

static void erase(LineEditor *e, size_t begin, size_t end) {
    memmove(e->text + begin, e->text + end, e->length - end + 1);
    e->length -= end - begin;
    e->cursor = begin;
}

static void kill_text(LineEditor *e, size_t begin, size_t end) {
    if (begin == end)
        return;
    free(e->killed);
    e->killed = strndup(e->text + begin, end - begin);
    erase(e, begin, end);
}

static void set_text(LineEditor *e, const char *text) {
    size_t length = strlen(text);
    if (!reserve(e, length))
        return;
    memcpy(e->text, text, length + 1);
    e->length = e->cursor = length;
}

/* ---- places in it ---------------------------------------------------------------------------------------
 */

/* Marks that combine with the character before go with it. */
static size_t next_place(const LineEditor *e, size_t at) {
    size_t bytes;
    if (at == e->length)
        return at;
    utf8_decode(e->text + at, e->length - at, &bytes);
    at += bytes;
    while (at < e->length && !utf8_width(utf8_decode(e->text + at, e->length - at, &bytes)))
        at += bytes;
    return at;
}

static size_t previous_place(const LineEditor *e, size_t at) {
    size_t bytes;
    while (at > 0) {
        do
            at--;
        while (at > 0 && ((unsigned char)e->text[at] & 0xc0) == 0x80);
        if (utf8_width(utf8_decode(e->text + at, e->length - at, &bytes)))
            break;
    }
    return at;
}

static size_t text_width(const char *text) {
    size_t width = 0, bytes;
    for (size_t at = 0, length = strlen(text); at < length; at += bytes)
        width += (size_t)utf8_width(utf8_decode(text + at, length - at, &bytes));
    return width;
}

static bool is_word_byte(char c) {
    return isalnum((unsigned char)c) || c == '_' || ((unsigned char)c & 0x80);
}

static size_t word_begin(const LineEditor *e) {
    size_t at = e->cursor;
    while (at > 0 && !is_word_byte(e->text[at - 1]))
        at--;
    while (at > 0 && is_word_byte(e->text[at - 1]))
        at--;
    return at;
}

static size_t word_end(const LineEditor *e) {
    size_t at = e->cursor;
    while (at < e->length && !is_word_byte(e->text[at]))
        at++;
    while (at < e->length && is_word_byte(e->text[at]))
        at++;
    return at;
}

/* What Ctrl-W takes: back to a blank. */
static size_t blank_before(const LineEditor *e) {
    size_t at = e->cursor;
    while (at > 0 && isspace((unsigned char)e->text[at - 1]))
        at--;
    while (at > 0 && !isspace((unsigned char)e->text[at - 1]))
        at--;
    return at;
}

static size_t line_begin(const LineEditor *e, size_t at) {
    while (at > 0 && e->text[at - 1] != '\n')
        at--;
    return at;
}

static size_t line_end(const LineEditor *e, size_t at) {
    while (at < e->length && e->text[at] != '\n')
        at++;
    return at;
}

/* The place in the line that begins at `begin`, as many characters in as the cursor is in its line. */
static size_t same_column(const LineEditor *e, size_t begin) {
    size_t at = begin, end = line_end(e, begin);
    for (size_t i = line_begin(e, e->cursor); i < e->cursor && at < end; i = next_place(e, i))
        at = next_place(e, at);
    return at;
}

/* ---- history --------------------------------------------------------------------------------------------
 */

static void show_history(LineEditor *e, size_t at) {
    const History *history = e->request->history;
    if (at == e->at || at > history->count)
        return;
    if (e->at == history->count) {
        free(e->stashed);
        e->stashed = strdup(e->text);
    }
    e->at = at;
    set_text(e, at < history->count ? history->entries[at] : e->stashed ? e->stashed : "");
}

static void move_up(LineEditor *e) {
    size_t begin = line_begin(e, e->cursor);
    if (begin)
        e->cursor = same_column(e, line_begin(e, begin - 1));
    else if (e->at)
        show_history(e, e->at - 1);
}

static void move_down(LineEditor *e) {
    size_t end = line_end(e, e->cursor);
    if (end < e->length)
        e->cursor = same_column(e, end + 1);
    else
        show_history(e, e->at + 1);
}

/* The entry before `from` that contains the query; SIZE_MAX: none. */
static size_t find_before(const History *history, size_t from, const char *query) {
    for (size_t i = from < history->count ? from : history->count; i-- > 0;)
        if (strstr(history->entries[i], query))
            return i;
    return SIZE_MAX;
}

static void paint(LineEditor *e, const char *prompt) {
    painter_paint(&e->painter, prompt, e->request->continuation, e->text, e->length, e->cursor);
}

/* Ctrl-R: searches backwards as the query is typed.  The key that ends it, for the editor to handle. */
static uint32_t search_history(LineEditor *e) {
    const History *history = e->request->history;
    char query[QUERY_MAX] = "", prompt[QUERY_MAX + 32];
    size_t length = 0, found = SIZE_MAX, start = e->at;
    for (;;) {
        strcpy(prompt, length && found == SIZE_MAX ? "(not found) " : "(search) ");
        strcat(strcat(prompt, query), ": ");
        if (found != SIZE_MAX) {
            show_history(e, found);
            const char *place = strstr(e->text, query);
            e->cursor = place ? (size_t)(place - e->text) : e->length;
        }
        paint(e, prompt);
        uint32_t key = terminal_read_key();
        if (key == KEY_NONE)
            continue;
        if (key == KEY_CTRL('r')) {
            size_t older = length ? find_before(history, found == SIZE_MAX ? e->at : found, query) : found;
            found = older == SIZE_MAX ? found : older;
        } else if ((key == 0x7f || key == KEY_CTRL('h')) && length) {
            while (length > 0 && ((unsigned char)query[--length] & 0xc0) == 0x80)
                ;
            query[length] = '\0';
            found = length ? find_before(history, history->count, query) : SIZE_MAX;
        } else if (key >= 0x20 && key != 0x7f && key < KEY_NONE) {
            if (length + 5 > sizeof query)
                continue;
            length += utf8_encode(key, query + length);
            query[length] = '\0';
            found = find_before(history, found == SIZE_MAX ? history->count : found + 1, query);
        } else if (key == KEY_CTRL('g') || key == KEY_ESCAPE) {
            show_history(e, start);
            return KEY_NONE;
        } else {
            return key;
        }
    }
}

/* ---- keys -----------------------------------------------------------------------------------------------
 */

static void paste(LineEditor *e) {
    size_t length;
    char *text = terminal_read_paste(&length);
    if (text)
        insert(e, text, length);
    free(text);
}

static void transpose(LineEditor *e) {
    size_t second = e->cursor == e->length ? previous_place(e, e->cursor) : e->cursor;
    size_t first = previous_place(e, second), end = next_place(e, second);
    if (first == second || second == end || line_begin(e, end) > first)
        return;
    char *moved = strndup(e->text + first, second - first);
    if (!moved)
        return;
    erase(e, first, second);
    e->cursor = end - (second - first);
    insert(e, moved, second - first);
    free(moved);
}

static void suspend(LineEditor *e) {
    painter_end(&e->painter);
    terminal_leave();
    raise(SIGTSTP);
    terminal_enter();
}

/* ---- completion -----------------------------------------------------------------------------------------
 */

/* The candidates below the entry, in columns, which is then painted again below them. */
static void list_candidates(LineEditor *e, const char *const *candidates) {
    size_t width = 0, count = 0;
    int columns, rows;
    for (; candidates[count]; count++)
        width = text_width(candidates[count]) > width ? text_width(candidates[count]) : width;
    terminal_size(&columns, &rows);
    size_t per_row = (size_t)columns / (width + 2) ? (size_t)columns / (width + 2) : 1;
    size_t shown = per_row * LIST_ROWS < count ? per_row * LIST_ROWS : count, cursor = e->cursor;
    e->cursor = e->length;
    paint(e, e->request->prompt);
    painter_end(&e->painter);
    for (size_t i = 0; i < shown; i++) {
        bool ends_row = (i + 1) % per_row == 0 || i + 1 == shown;
        terminal_write(candidates[i], strlen(candidates[i]));
        for (size_t k = text_width(candidates[i]); !ends_row && k < width + 2; k++)
            terminal_write(" ", 1);
        if (ends_row)
            terminal_write("\r\n", 2);
    }
    if (shown < count)
        terminal_write("...\r\n", 5);
    painter_begin(&e->painter);
    e->cursor = cursor;
}

static size_t common_length(const char *const *candidates) {
    size_t length = strlen(candidates[0]);
    for (size_t i = 1; candidates[i]; i++)
        for (size_t k = 0; k < length; k++)
            if (candidates[i][k] != candidates[0][k])
                length = k;
    while (length > 0 && ((unsigned char)candidates[0][length] & 0xc0) == 0x80)
        length--; /* within a character */
    return length;
}

static void complete(LineEditor *e) {
    size_t begin;
    const char *const *candidates = e->request->complete(e->request->user, e->text, e->cursor, &begin);
    if (!candidates || !candidates[0])
        return;
    size_t typed = e->cursor - begin, length = common_length(candidates);
    if (length > typed)
        insert(e, candidates[0] + typed, length - typed);
    else if (candidates[1])
        list_candidates(e, candidates);
}

/* Tab completes a word; where none ends at the cursor, it indents. */
static void tab(LineEditor *e) {
    size_t begin = line_begin(e, e->cursor);
    bool has_word = e->cursor > begin && !isspace((unsigned char)e->text[e->cursor - 1]);
    if (has_word && e->request->complete)
        complete(e);
    else
        insert(e, "    ", TAB_SPACES - (e->cursor - begin) % TAB_SPACES);
}

static void insert_key(LineEditor *e, uint32_t key) {
    char bytes[4];
    if (key == '\t') {
        tab(e);
    } else if (key >= 0x20 && key != 0x7f && key < KEY_NONE) {
        insert(e, bytes, utf8_encode(key, bytes));
    }
}

/* Keys that move or change the text. */
static void edit(LineEditor *e, uint32_t key) {
    switch (key) {
    case KEY_LEFT:
    case KEY_CTRL('b'):
        e->cursor = previous_place(e, e->cursor);
        return;
    case KEY_RIGHT:
    case KEY_CTRL('f'):
        e->cursor = next_place(e, e->cursor);
        return;
    case KEY_WORD_LEFT:
        e->cursor = word_begin(e);
        return;
    case KEY_WORD_RIGHT:
        e->cursor = word_end(e);
        return;
    case KEY_HOME:
    case KEY_CTRL('a'):
        e->cursor = line_begin(e, e->cursor);
        return;
    case KEY_END:
    case KEY_CTRL('e'):
        e->cursor = line_end(e, e->cursor);
        return;
    case KEY_UP:
    case KEY_CTRL('p'):
        move_up(e);
        return;
    case KEY_DOWN:
    case KEY_CTRL('n'):
        move_down(e);
        return;
    case 0x7f:
    case KEY_CTRL('h'):
        erase(e, previous_place(e, e->cursor), e->cursor);
        return;
    case KEY_DELETE:
    case KEY_CTRL('d'):
        erase(e, e->cursor, next_place(e, e->cursor));
        return;
    case KEY_CTRL('k'): {
        size_t end = line_end(e, e->cursor); /* at the end of a line, its newline */
        kill_text(e, e->cursor, end == e->cursor && end < e->length ? end + 1 : end);
        return;
    }
    case KEY_CTRL('u'):
        kill_text(e, line_begin(e, e->cursor), e->cursor);
        return;
    case KEY_CTRL('w'):
        kill_text(e, blank_before(e), e->cursor);
        return;
    case KEY_DELETE_WORD_LEFT:
        kill_text(e, word_begin(e), e->cursor);
        return;
    case KEY_DELETE_WORD:
        kill_text(e, e->cursor, word_end(e));
        return;
    case KEY_CTRL('y'):
        if (e->killed)
            insert(e, e->killed, strlen(e->killed));
        return;
    case KEY_CTRL('t'):
        transpose(e);
        return;
    case KEY_CTRL('l'):
        painter_clear_screen(&e->painter);
        return;
    case KEY_CTRL('z'):
        suspend(e);
        return;
    case KEY_PASTE:
        paste(e);
        return;
    case KEY_NEW_LINE:
        insert(e, "\n", 1);
        return;
    default:
        insert_key(e, key);
    }
}

/* ---- entries --------------------------------------------------------------------------------------------
 */

/* Enter: true when the entry is whole. */
static bool enter(LineEditor *e) {
    if (e->request->is_complete(e->request->user, e->text))
        return true;
    e->cursor = e->length;
    insert(e, "\n", 1);
    return false;
}

static LineResult read_entry(LineEditor *e) {
    for (;;) {
        if (!terminal_has_input()) /* pasted without brackets: painted once */
            paint(e, e->request->prompt);
        uint32_t key = terminal_read_key();
        if (key == KEY_CTRL('r'))
            key = search_history(e);
        if (key == KEY_CTRL('c') || key == KEY_INTERRUPT)
            return LINE_INTERRUPTED;
        if (key == KEY_CLOSED || (key == KEY_CTRL('d') && !e->length))
            return LINE_END;
        if (key == '\r' || key == '\n') {
            if (enter(e))
                return LINE_ENTERED;
        } else if (key != KEY_NONE) {
            edit(e, key);
        }
    }
}

LineResult line_editor_read(LineEditor *e, const LineRequest *request, char **text) {
    e->request = request;
    e->at = request->history->count;
    set_text(e, "");
    if (!terminal_enter())
        return LINE_END;
    interrupt_wait_for(true);
    painter_begin(&e->painter);
    LineResult result = read_entry(e);
    interrupt_wait_for(false);
    e->cursor = e->length;
    paint(e, request->prompt);
    if (result == LINE_INTERRUPTED)
        terminal_write("^C", 2);
    painter_end(&e->painter);
    terminal_leave();
    *text = NULL;
    if (result == LINE_ENTERED && !(*text = strdup(e->text)))
        return LINE_INTERRUPTED;
    return result;
}

LineEditor *line_editor_open(void) {
    LineEditor *e = terminal_is_usable() ? calloc(1, sizeof *e) : NULL;
    if (e && !reserve(e, 0)) {
        free(e);
        return NULL;
    }
    return e;
}

void line_editor_close(LineEditor *e) {
    if (!e)
        return;
    painter_free(&e->painter);
    free(e->text);
    free(e->killed);
    free(e->stashed);
    free(e);
}
