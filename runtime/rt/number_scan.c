/* Numbers in the text of data files, read exactly and whatever the locale says. */
#include "runtime/rt/internal.h"

#include "runtime/rt/number_scan.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_digit(const char *at, const char *end) {
    return at < end && *at >= '0' && *at <= '9';
}

/* Digits at `*at` into the number; how many there were. */
static int64_t scan_digits(const char **at, const char *end, Number *n, bool is_fraction) {
    const char *begin = *at;
    for (; is_digit(*at, end); ++*at) {
        if (n->digits >= UINT64_MAX / 10 - 1) {
            n->is_long = true;
        } else {
            n->digits = n->digits * 10 + (uint64_t)(**at - '0');
            n->exponent -= is_fraction;
        }
    }
    return *at - begin;
}

static bool scan_exponent(const char *at, const char *end, Number *n) {
    bool negative = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    int64_t value = 0;
    if (!is_digit(at, end)) {
        return false;
    }
    for (; is_digit(at, end); at++) {
        value = value < 1000000000 ? value * 10 + (*at - '0') : value;
    }
    n->exponent += negative ? -value : value;
    return at == end;
}

static bool is_word(const char *at, int64_t length, const char *word) {
    return (int64_t)strlen(word) == length && strncasecmp(at, word, (size_t)length) == 0;
}

/* [+-] digits [. digits] [e [+-] digits], nan, inf, infinity. */
Number number_scan(const char *text, int64_t length) {
    const char *at = text, *end = at + length;
    Number n = {.kind = NUMBER_TEXT};
    if (at == end) {
        return n;
    }
    n.is_negative = *at == '-';
    at += *at == '-' || *at == '+';
    if (is_word(at, end - at, "nan") || is_word(at, end - at, "inf") || is_word(at, end - at, "infinity")) {
        n.kind = NUMBER_FLOAT;
        n.is_special = true;
        return n;
    }
    int64_t count = scan_digits(&at, end, &n, false);
    if (at == end && count) {
        uint64_t most = (uint64_t)INT64_MAX + n.is_negative;
        bool fits = !n.is_long && n.digits <= most;
        n.kind = fits ? NUMBER_INTEGER : NUMBER_FLOAT;
        n.integer = fits ? (int64_t)(n.is_negative ? 0 - n.digits : n.digits) : 0;
        return n;
    }
    if (at < end && *at == '.') {
        at++;
        count += scan_digits(&at, end, &n, true);
    }
    bool ends = at == end || ((*at == 'e' || *at == 'E') && scan_exponent(at + 1, end, &n));
    n.kind = count && ends ? NUMBER_FLOAT : NUMBER_TEXT;
    return n;
}

/* Correctly rounded: few digits times a power of ten that a double holds exactly, else strtod.  What
 * follows the field in memory ends a number. */
double number_scanned_value(const Number *n, const char *text, locale_t plain) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (n->is_special || n->is_long || n->digits > (uint64_t)1 << 53 || n->exponent < -22 ||
        n->exponent > 22) {
        return strtod_l(text, NULL, plain);
    }
    double value = (double)n->digits;
    value = n->exponent < 0 ? value / powers[-n->exponent] : value * powers[n->exponent];
    return n->is_negative ? -value : value;
}
