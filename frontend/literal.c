/* Literals: numbers, strings with escapes, format specs; see literal.h.
 *
 * Numbers do not go through strtod's locale: the decimal point is a dot whatever the host program set. */
#define _GNU_SOURCE
#include "frontend/literal.h"
#include "frontend/unicode.h"
#include "grammar/gmx.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers ---- */

static char *copy_digits(Lexer *lexer, const Token *token) {
    char *digits = arena_alloc(lexer->arena, token_length(token) + 1), *end = digits;
    for (uint32_t i = 0; i < token_length(token); i++)
        if (token->text[i] != '_')
            *end++ = token->text[i];
    return digits;
}

static void decode_integer(Lexer *lexer, const Token *token, const char *digits, AstNode *node) {
    bool is_hex = digits[0] == '0' && digits[1] == 'x';
    if (!is_hex && digits[0] == '0' && strspn(digits, "0") != strlen(digits)) {
        Diag *diag = lexer_error(lexer, DIAG_E0004, token->span, "a whole number does not begin with 0");
        diag_note(lexer->diags, diag, "write `%.60s`", digits + strspn(digits, "0"));
        return;
    }
    uint64_t base = is_hex ? 16 : 10, value = 0;
    for (const char *p = digits + (is_hex ? 2 : 0); *p; p++) {
        uint64_t digit = (uint64_t)(*p <= '9' ? *p - '0' : (*p | 0x20) - 'a' + 10);
        if (value > (UINT64_MAX - digit) / base) {
            Diag *diag = lexer_error(lexer, DIAG_E0004, token->span, "the number does not fit in 64 bits");
            diag_note(lexer->diags, diag,
                      "the largest is 18446744073709551615 (u64); a float is written `1e20`");
            return;
        }
        value = value * base + digit;
    }
    node->integer = value;
}

/* Correctly rounded, with a dot as the decimal point.  `digits` match the grammar of a float. */
static double decode_double(const char *digits) {
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!plain)
        return strtod(digits, NULL);
    double value = strtod_l(digits, NULL, plain);
    freelocale(plain);
    return value;
}

/* The common case, exact by one rounding: at most 15 digits and a power of ten up to 22. */
static bool decode_short(const char *digits, double *value) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    uint64_t mantissa = 0;
    int digit_count = 0, exponent = 0;
    bool after_dot = false;
    const char *p = digits;
    for (; *p == '.' || (*p >= '0' && *p <= '9'); p++) {
        if (*p == '.') {
            after_dot = true;
            continue;
        }
        mantissa = mantissa * 10 + (uint64_t)(*p - '0');
        exponent -= after_dot;
        if (++digit_count > 15)
            return false;
    }
    if (*p == 'e' || *p == 'E') {
        bool is_negative = *++p == '-';
        p += *p == '-' || *p == '+';
        int written = 0;
        for (; *p >= '0' && *p <= '9'; p++) {
            written = written * 10 + (*p - '0');
            if (written > 1000)
                return false;
        }
        exponent += is_negative ? -written : written;
    }
    if (exponent < -22 || exponent > 22)
        return false;
    *value = exponent < 0 ? (double)mantissa / powers[-exponent] : (double)mantissa * powers[exponent];
    return true;
}

void literal_number(Lexer *lexer, const Token *token, AstNode *node) {
    if (token->is_made_up)
        return;
    char *digits = copy_digits(lexer, token);
    if (token->kind == TOKEN_INTEGER) {
        decode_integer(lexer, token, digits, node);
        return;
    }
    if (token->kind == TOKEN_IMAGINARY)
        digits[strlen(digits) - 1] = 0;
    if (!decode_short(digits, &node->number))
        node->number = decode_double(digits);
    if (isinf(node->number))
        lexer_error(lexer, DIAG_E0004, token->span, "the number is larger than any f64 (about 1.8e308)");
}

/* ---- strings ---- */

static Span span_in(const Token *token, const char *begin, const char *end) {
    return (Span){token->span.begin + (uint32_t)(begin - token->text),
                  token->span.begin + (uint32_t)(end - token->text)};
}

/* \u{…} with `p` at the `u`: returns where it ends and the code point, or NULL. */
static const char *read_unicode(const char *p, const char *end, uint32_t *code_point) {
    uint32_t value = 0;
    int count = 0;
    if (++p == end || *p++ != '{')
        return NULL;
    for (; p < end && *p != '}'; p++, count++) {
        char lower = (char)(*p | 0x20);
        if (*p >= '0' && *p <= '9')
            value = value * 16 + (uint32_t)(*p - '0');
        else if (lower >= 'a' && lower <= 'f')
            value = value * 16 + (uint32_t)(lower - 'a' + 10);
        else
            return NULL;
        if (count == 6)
            return NULL;
    }
    if (p == end || !count || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
        return NULL;
    *code_point = value;
    return p + 1;
}

/* One escape with `p` after the backslash; returns where it ends. */
static const char *decode_escape(Lexer *lexer, const Token *token, const char *p, const char *end,
                                 char **out) {
    static const char names[] = "ntr\"\\", values[] = "\n\t\r\"\\";
    const char *found = p < end && *p ? strchr(names, *p) : NULL;
    if (found) {
        *(*out)++ = values[found - names];
        return p + 1;
    }
    if (p < end && *p == 'u') {
        uint32_t code_point;
        const char *after = read_unicode(p, end, &code_point);
        if (after) {
            *out += unicode_encode(code_point, *out);
            return after;
        }
        lexer_error(lexer, DIAG_E0006, span_in(token, p - 1, p + 1),
                    "`\\u` needs the hexadecimal number of a character in braces, as in \\u{3b1}");
        const char *brace = p + 1 < end && p[1] == '{' ? memchr(p, '}', (size_t)(end - p)) : NULL;
        return brace ? brace + 1 : p + 1;
    }
    const char *after = p < end ? p + 1 : p;
    while (after < end && ((unsigned char)*after & 0xc0) == 0x80)
        after++;
    Diag *diag = lexer_error(lexer, DIAG_E0006, span_in(token, p - 1, after), "`\\%.*s` is not an escape",
                             (int)(after - p), p);
    diag_note(lexer->diags, diag, "the escapes are \\n \\t \\r \\\" \\\\ \\u{...}; a backslash is \\\\");
    return after;
}

void literal_string(Lexer *lexer, const Token *token, AstNode *node) {
    uint32_t length = token_length(token);
    const char *p = token->text + 1, *end = token->text + length - (length > 1 && !token->is_made_up);
    char *text = arena_alloc(lexer->arena, length + 1), *out = text;
    while (p < end) {
        char c = *p++;
        if (c == '\\' && !token->is_made_up) {
            p = decode_escape(lexer, token, p, end, &out);
            continue;
        }
        if (c == '{' || c == '}') {
            if (p < end && *p == c)
                p++;
            else if (!token->is_made_up) {
                Diag *diag =
                    lexer_error(lexer, DIAG_E0006, span_in(token, p - 1, p), "a lone `%c` in a string", c);
                diag_note(lexer->diags, diag, "a brace is written `%c%c`", c, c);
            }
        }
        *out++ = c;
    }
    node->text = text;
    node->text_length = (uint32_t)(out - text);
}

/* ---- format specs ---- */

static const char *skip_number(const char *p, uint32_t *value) {
    *value = 0;
    for (; *p >= '0' && *p <= '9'; p++)
        *value = *value > 100000 ? *value : *value * 10 + (uint32_t)(*p - '0');
    return p;
}

static bool is_align(char c) {
    return c && strchr("<>=^", c);
}

/* NULL when the spec is well formed, else what is wrong. */
static const char *check_format(const char *p) {
    enum { WIDTH_LIMIT = 1000 };
    uint32_t width, precision;
    int fill = 1;
    while (*p && ((unsigned char)p[fill] & 0xc0) == 0x80)
        fill++;
    if (*p && is_align(p[fill]))
        p += fill + 1;
    else if (is_align(*p))
        p++;
    if (*p && strchr("+- ", *p))
        p++;
    p = skip_number(p + (*p == '0'), &width);
    if (width > WIDTH_LIMIT)
        return "the width is above 1000";
    if (*p == '.') {
        const char *digits = ++p;
        p = skip_number(p, &precision);
        if (p == digits)
            return "digits must follow the dot";
        if (precision > WIDTH_LIMIT)
            return "the precision is above 1000";
    }
    if (*p && strchr("bcdeEfFgGnosxX%", *p))
        p++;
    return *p ? "a spec is [[fill]align][sign][0][width][.precision][type]" : NULL;
}

const char *literal_format(Lexer *lexer, const Token *token) {
    const char *spec = arena_copy_text(lexer->arena, token->text + 1, token_length(token) - 1);
    const char *wrong = check_format(spec);
    if (wrong) {
        Diag *diag = lexer_error(lexer, DIAG_E0101, token->span, "`%.60s` is not a format", spec);
        diag_note(lexer->diags, diag, "%s, as in {x:.3f} or {n:>8}", wrong);
    }
    return spec;
}
