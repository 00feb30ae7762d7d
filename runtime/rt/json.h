/* A reader of JSON (RFC 8259) that walks over a text of known length and builds nothing.
 *
 * Every function skips white space first.  False: the text is not what was asked for, or it is no JSON;
 * the reader then stands where it noticed, and nothing more may be read from it. */
#ifndef GMX_RUNTIME_RT_JSON_H
#define GMX_RUNTIME_RT_JSON_H

#include <stdbool.h>
#include <stdint.h>

enum { JSON_DEPTH_MAX = 64 };

typedef struct JsonReader {
    const char *at, *end;
} JsonReader;

bool json_accept(JsonReader *reader, char byte); /* one of {}[]:, */
/* A string with its escapes resolved, written over its own text (which only gets shorter): the text must be
 * writable.  Without NUL and control characters; whether it is UTF-8 is not looked at. */
bool json_string(JsonReader *reader, char **text, int64_t *length);
/* An integer that is not negative and fits, without fraction and exponent. */
bool json_size(JsonReader *reader, int64_t *out);
/* Any value, nested at most JSON_DEPTH_MAX deep. */
bool json_skip(JsonReader *reader);
bool json_at_end(JsonReader *reader);

#endif
