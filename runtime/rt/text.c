/* Growing text. */
#include "runtime/rt/internal.h"

#include "runtime/rt/text.h"

#include <stdlib.h>
#include <string.h>

/* Room for `more` bytes and a final NUL; false (and the text is marked) when there is no memory. */
static bool reserve(gmxrt_text *text, size_t more) {
    if (text->failed || more > SIZE_MAX / 4 - text->length) {
        text->failed = true;
        return false;
    }
    size_t needed = text->length + more + 1;
    if (needed <= text->capacity) {
        return true;
    }
    size_t capacity = needed * 2 > 128 ? needed * 2 : 128;
    char *data = realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void text_append(gmxrt_text *text, const char *bytes, size_t length) {
    if (reserve(text, length)) {
        memcpy(text->data + text->length, bytes, length);
        text->length += length;
        text->data[text->length] = '\0';
    }
}

void text_fill(gmxrt_text *text, char byte, size_t count) {
    if (reserve(text, count)) {
        memset(text->data + text->length, byte, count);
        text->length += count;
        text->data[text->length] = '\0';
    }
}

void gmxrt_text_free(gmxrt_text *text) {
    free(text->data);
    *text = (gmxrt_text){0};
}
