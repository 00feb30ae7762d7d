/* Numbers in the text of data files. */
#ifndef GMX_RUNTIME_RT_NUMBER_SCAN_H
#define GMX_RUNTIME_RT_NUMBER_SCAN_H

#include <locale.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum NumberKind { NUMBER_TEXT, NUMBER_EMPTY, NUMBER_INTEGER, NUMBER_FLOAT } NumberKind;

typedef struct Number {
    NumberKind kind;
    bool is_negative;
    int64_t integer; /* of an INTEGER */
    uint64_t digits; /* the significant ones, where at most 19 */
    int64_t exponent;
    bool is_long; /* more digits than that */
    bool is_special;
} Number;

/* [+-] digits [. digits] [e [+-] digits], nan, inf, infinity: an INTEGER where it is one that fits i64; else
 * TEXT. */
Number number_scan(const char *text, int64_t length);
/* The double next to a scanned number; `text`: the same, followed by a byte that ends it. */
double number_scanned_value(const Number *number, const char *text, locale_t plain);

#endif
