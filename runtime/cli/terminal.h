/* The terminal below the line editor: raw mode, its size, and the keys that come from it. */
#ifndef GMX_RUNTIME_CLI_TERMINAL_H
#define GMX_RUNTIME_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A key is a code point, or one of these. */
enum {
    KEY_NONE = 0x110000, /* nothing to do but look at the terminal again: resized, or an unknown sequence */
    KEY_CLOSED,
    KEY_INTERRUPT, /* SIGINT from outside */
    KEY_LEFT,
    KEY_RIGHT,
    KEY_UP,
    KEY_DOWN,
    KEY_HOME,
    KEY_END,
    KEY_DELETE,
    KEY_WORD_LEFT,
    KEY_WORD_RIGHT,
    KEY_DELETE_WORD,
    KEY_DELETE_WORD_LEFT,
    KEY_NEW_LINE,
    KEY_ESCAPE,
    KEY_PASTE /* the text follows: terminal_read_paste */
};
#define KEY_CTRL(letter) ((letter)&0x1f)

bool terminal_is_usable(void);
bool terminal_enter(void); /* raw mode, bracketed paste */
void terminal_leave(void);
void terminal_size(int *columns, int *rows);
void terminal_write(const char *text, size_t length);
uint32_t terminal_read_key(void);
bool terminal_has_input(void);
/* After KEY_PASTE: the pasted text, NUL-terminated, for the caller to free; NULL without memory. */
char *terminal_read_paste(size_t *length);

/* UTF-8: the character at `text` and its bytes; a wrong byte is U+FFFD of one byte. */
uint32_t utf8_decode(const char *text, size_t length, size_t *bytes);
size_t utf8_encode(uint32_t code_point, char *out); /* up to 4 bytes */
int utf8_width(uint32_t code_point);                /* columns; controls count 2, they show as ^X */

#endif
