/* Reading JSON in place. */
#include "runtime/rt/internal.h"

#include "runtime/rt/json.h"

#include <string.h>

static void skip_space(JsonReader *reader) {
    while (reader->at < reader->end &&
           (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\n' || *reader->at == '\r')) {
        reader->at++;
    }
}

bool json_accept(JsonReader *reader, char byte) {
    skip_space(reader);
    if (reader->at == reader->end || *reader->at != byte) {
        return false;
    }
    reader->at++;
    return true;
}

bool json_at_end(JsonReader *reader) {
    skip_space(reader);
    return reader->at == reader->end;
}

/* ---- strings ---------------------------------------------------------------------------------- */

static bool read_hex4(JsonReader *reader, uint32_t *out) {
    *out = 0;
    for (int i = 0; i < 4; i++, reader->at++) {
        char c = reader->at < reader->end ? *reader->at : '\0';
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (digit == 16) {
            return false;
        }
        *out = *out << 4 | digit;
    }
    return true;
}

static char *put_utf8(char *to, uint32_t point) {
    if (point < 0x80) {
        *to++ = (char)point;
        return to;
    }
    int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    static const uint8_t lead[4] = {0, 0xC0, 0xE0, 0xF0};
    *to++ = (char)(lead[more] | point >> (6 * more));
    while (more-- > 0) {
        *to++ = (char)(0x80 | ((point >> (6 * more)) & 0x3F));
    }
    return to;
}

/* What follows \u: a code point, or two halves of one.  At most 4 bytes of text for 6 read. */
static bool read_unicode(JsonReader *reader, uint32_t *point) {
    uint32_t low;
    if (!read_hex4(reader, point) || *point == 0 || (*point >= 0xDC00 && *point <= 0xDFFF)) {
        return false;
    }
    if (*point < 0xD800 || *point > 0xDBFF) {
        return true;
    }
    if (reader->end - reader->at < 2 || reader->at[0] != '\\' || reader->at[1] != 'u') {
        return false;
    }
    reader->at += 2;
    if (!read_hex4(reader, &low) || low < 0xDC00 || low > 0xDFFF) {
        return false;
    }
    *point = 0x10000 + ((*point - 0xD800) << 10) + (low - 0xDC00);
    return true;
}

static bool read_escape(JsonReader *reader, char **to) {
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    char c = reader->at < reader->end ? *reader->at++ : '\0';
    uint32_t point;
    if (c == 'u') {
        if (!read_unicode(reader, &point)) {
            return false;
        }
        *to = put_utf8(*to, point);
        return true;
    }
    const char *found = c ? strchr(from, c) : NULL;
    if (found) {
        *(*to)++ = into[found - from];
    }
    return found != NULL;
}

bool json_string(JsonReader *reader, char **text, int64_t *length) {
    if (!json_accept(reader, '"')) {
        return false;
    }
    char *to = (char *)(uintptr_t)reader->at;
    *text = to;
    while (reader->at < reader->end && *reader->at != '"') {
        char c = *reader->at++;
        if ((unsigned char)c < ' ' || (c == '\\' && !read_escape(reader, &to))) {
            return false;
        }
        if (c != '\\') {
            *to++ = c;
        }
    }
    *length = to - *text;
    if (reader->at == reader->end) {
        return false;
    }
    reader->at++;
    return true;
}

/* ---- numbers and the rest --------------------------------------------------------------------- */

static bool is_digit(const JsonReader *reader) {
    return reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9';
}

bool json_size(JsonReader *reader, int64_t *out) {
    skip_space(reader);
    const char *begin = reader->at;
    *out = 0;
    for (; is_digit(reader); reader->at++) {
        if (__builtin_mul_overflow(*out, 10, out) || __builtin_add_overflow(*out, *reader->at - '0', out)) {
            return false;
        }
    }
    bool leading_zero = reader->at - begin > 1 && *begin == '0';
    bool goes_on = reader->at < reader->end && memchr(".eE+-", *reader->at, 5);
    return reader->at > begin && !leading_zero && !goes_on;
}

static bool skip_digits(JsonReader *reader) {
    bool any = is_digit(reader);
    while (is_digit(reader)) {
        reader->at++;
    }
    return any;
}

static bool skip_byte(JsonReader *reader, const char *any_of) {
    if (reader->at == reader->end || !*reader->at || !strchr(any_of, *reader->at)) {
        return false;
    }
    reader->at++;
    return true;
}

static bool skip_number(JsonReader *reader) {
    skip_byte(reader, "-");
    return skip_digits(reader) && (!skip_byte(reader, ".") || skip_digits(reader)) &&
           (!skip_byte(reader, "eE") || (skip_byte(reader, "+-"), skip_digits(reader)));
}

static bool skip_word(JsonReader *reader) {
    static const char *const words[] = {"true", "false", "null"};
    for (int i = 0; i < 3; i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(reader->end - reader->at) >= length && memcmp(reader->at, words[i], length) == 0) {
            reader->at += length;
            return true;
        }
    }
    return false;
}

/* One value; of an object or list only its beginning.  *opened is its bracket, else NUL. */
static bool skip_one(JsonReader *reader, char *opened) {
    char *text;
    int64_t length;
    skip_space(reader);
    char c = reader->at < reader->end ? *reader->at : '\0';
    *opened = c == '{' || c == '[' ? c : '\0';
    if (*opened) {
        reader->at++;
        return true;
    }
    return c == '"'                       ? json_string(reader, &text, &length)
           : c == '-' || is_digit(reader) ? skip_number(reader)
                                          : skip_word(reader);
}

static bool skip_key(JsonReader *reader, char bracket) {
    char *text;
    int64_t length;
    return bracket == '[' || (json_string(reader, &text, &length) && json_accept(reader, ':'));
}

bool json_skip(JsonReader *reader) {
    char open[JSON_DEPTH_MAX];
    int depth = 0;
    bool wants_value = true; /* else a comma or the end of what is open */
    do {
        char opened = '\0';
        if (wants_value && !skip_one(reader, &opened)) {
            return false;
        }
        if (opened && depth == JSON_DEPTH_MAX) {
            return false;
        }
        if (opened) {
            open[depth++] = opened;
        }
        wants_value = false;
        if (depth && json_accept(reader, open[depth - 1] == '{' ? '}' : ']')) {
            depth--;
        } else if (depth) {
            if ((!opened && !json_accept(reader, ',')) || !skip_key(reader, open[depth - 1])) {
                return false;
            }
            wants_value = true;
        }
    } while (depth);
    return true;
}
