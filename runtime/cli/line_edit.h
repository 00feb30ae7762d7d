/* A line editor for terminals: entries of several lines, history with search, completion, UTF-8,
 * pasted text as it is. */
#ifndef GMX_RUNTIME_CLI_LINE_EDIT_H
#define GMX_RUNTIME_CLI_LINE_EDIT_H

#include "runtime/cli/history.h"

#include <stdbool.h>

typedef enum LineResult { LINE_ENTERED, LINE_INTERRUPTED, LINE_END } LineResult;

typedef struct LineEditor LineEditor;

typedef struct LineRequest {
    const char *prompt, *continuation; /* of the first and of the other lines; ASCII, of the same width */
    const History *history;
    /* Is the text whole, or does Enter begin another line? */
    bool (*is_complete)(void *user, const char *text);
    /* What the word that ends at `cursor` can become: NULL-terminated, in order, valid until the next call;
     * *begin is where the word begins.  NULL: Tab only indents. */
    const char *const *(*complete)(void *user, const char *text, size_t cursor, size_t *begin);
    void *user;
} LineRequest;

/* NULL: standard input and output are no terminal that can be edited on (or TERM is `dumb`). */
LineEditor *line_editor_open(void);
/* Reads one entry.  LINE_ENTERED: *text is the entry without its last newline, the caller frees it. */
LineResult line_editor_read(LineEditor *editor, const LineRequest *request, char **text);
void line_editor_close(LineEditor *editor);

#endif
