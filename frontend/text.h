/* TextBuffer: a growing text on an arena. */
#ifndef GMX_FRONTEND_TEXT_H
#define GMX_FRONTEND_TEXT_H

#include "ir/base/arena.h"
#include <stdarg.h>
#include <string.h>

typedef struct TextBuffer {
    Arena *arena;
    char *text; /* NUL-terminated once anything was appended */
    size_t length, capacity;
} TextBuffer;

static inline void text_append(TextBuffer *buffer, const char *text, size_t length) {
    if (buffer->capacity - buffer->length <= length) {
        size_t capacity = buffer->capacity * 2 + length + 64;
        char *grown = arena_alloc(buffer->arena, capacity);
        if (buffer->length)
            memcpy(grown, buffer->text, buffer->length);
        buffer->text = grown;
        buffer->capacity = capacity;
    }
    if (length)
        memcpy(buffer->text + buffer->length, text, length);
    buffer->length += length;
    buffer->text[buffer->length] = 0;
}

static inline void text_add(TextBuffer *buffer, const char *text) {
    text_append(buffer, text, strlen(text));
}

static inline void text_repeat(TextBuffer *buffer, char c, size_t count) {
    while (count--)
        text_append(buffer, &c, 1);
}

__attribute__((format(printf, 2, 3))) static inline void text_format(TextBuffer *buffer, const char *format,
                                                                     ...) {
    va_list list;
    va_start(list, format);
    text_add(buffer, arena_format_list(buffer->arena, format, list));
    va_end(list);
}

#endif
