/* Python's format mini-language for single numbers:
 * [[fill]align][sign][#][0][width][grouping][.precision][type]. */
#include "runtime/rt/internal.h"

#include "runtime/rt/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LIMIT = 100000 }; /* of width and precision */

typedef struct Spec {
    char fill[4];
    int32_t fill_length;
    char align; /* '<' '>' '^' '=' or 0 */
    char sign;  /* '+' '-' ' ' */
    bool alternate;
    int32_t width;
    char grouping;     /* ',' '_' or 0 */
    int32_t precision; /* -1: none */
    char type;         /* 0: none */
} Spec;

/* ---- parsing ------------------------------------------------------------------------------- */

typedef struct Reader {
    const char *at, *end;
} Reader;

static bool is_align(const Reader *reader, ptrdiff_t offset) {
    return reader->end - reader->at > offset && reader->at[offset] && strchr("<>^=", reader->at[offset]);
}

static char accept(Reader *reader, const char *set) {
    return reader->at < reader->end && *reader->at && strchr(set, *reader->at) ? *reader->at++ : '\0';
}

static int32_t utf8_length(const Reader *reader) {
    uint8_t first = reader->at < reader->end ? (uint8_t)*reader->at : 0;
    return first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

/* A number, or `none` where there are no digits; -2 beyond the limit. */
static int32_t read_number(Reader *reader, int32_t none) {
    int32_t value = none;
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9') {
        value = (value < 0 ? 0 : value) * 10 + (*reader->at++ - '0');
        if (value > LIMIT) {
            return -2;
        }
    }
    return value;
}

static void read_alignment(Reader *reader, Spec *spec) {
    int32_t length = utf8_length(reader);
    if (is_align(reader, length)) {
        memcpy(spec->fill, reader->at, (size_t)length);
        spec->fill_length = length;
        spec->align = reader->at[length];
        reader->at += length + 1;
    } else if (is_align(reader, 0)) {
        spec->align = *reader->at++;
    }
}

static bool parse_spec(const char *text, size_t length, Spec *spec) {
    Reader reader = {text, text + length};
    *spec = (Spec){.sign = '-'};
    read_alignment(&reader, spec);
    char sign = accept(&reader, "+- ");
    spec->sign = sign ? sign : '-';
    spec->alternate = accept(&reader, "#");
    if (accept(&reader, "0")) {
        if (!spec->fill_length) {
            spec->fill[0] = '0';
            spec->fill_length = 1;
        }
        spec->align = spec->align ? spec->align : '=';
    }
    if (!spec->fill_length) {
        spec->fill[0] = ' ';
        spec->fill_length = 1;
    }
    spec->width = read_number(&reader, 0);
    spec->grouping = accept(&reader, ",_");
    spec->precision = -1;
    if (accept(&reader, ".")) {
        spec->precision = read_number(&reader, -1);
        if (spec->precision < 0) {
            return false;
        }
    }
    spec->type = accept(&reader, "bcdeEfFgGnoxX%");
    return spec->width >= 0 && reader.at == reader.end;
}

/* ---- putting a number together ------------------------------------------------------------- */

/* A number in parts: sign and prefix ("-0x"), digits that may be grouped, and what follows. */
typedef struct Parts {
    char lead[4];
    int32_t lead_length;
    const char *digits;
    int32_t digit_count;
    const char *rest;
    int32_t rest_length;
} Parts;

/* Digits with separators, zeros before them until `least` characters are there. */
static void append_grouped(gmxrt_text *text, const Parts *parts, char separator, int32_t every,
                           int32_t least) {
    int32_t digits = parts->digit_count;
    while (digits + (separator ? (digits - 1) / every : 0) < least) {
        digits++;
    }
    for (int32_t i = 0; i < digits; i++) {
        int32_t zeros = digits - parts->digit_count;
        if (separator && i > 0 && (digits - i) % every == 0) {
            text_append(text, &separator, 1);
        }
        text_append(text, i < zeros ? "0" : &parts->digits[i - zeros], 1);
    }
}

static int32_t grouped_length(const Spec *spec, const Parts *parts, int32_t every) {
    int32_t separators = spec->grouping && parts->digit_count > 0 ? (parts->digit_count - 1) / every : 0;
    return parts->digit_count + separators;
}

static void append_fill(gmxrt_text *text, const Spec *spec, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        text_append(text, spec->fill, (size_t)spec->fill_length);
    }
}

static void append_parts(gmxrt_text *text, const Spec *spec, const Parts *parts, int32_t every) {
    char align = spec->align ? spec->align : '>';
    int32_t fixed = parts->lead_length + parts->rest_length;
    int32_t padding = spec->width - fixed - grouped_length(spec, parts, every);
    padding = padding > 0 ? padding : 0;
    bool zeros = align == '=' && spec->fill_length == 1 && spec->fill[0] == '0';
    int32_t left = align == '>' ? padding : align == '^' ? padding / 2 : 0;
    append_fill(text, spec, left);
    text_append(text, parts->lead, (size_t)parts->lead_length);
    append_fill(text, spec, align == '=' && !zeros ? padding : 0);
    append_grouped(text, parts, parts->digit_count ? spec->grouping : 0, every,
                   zeros ? spec->width - fixed : 0);
    text_append(text, parts->rest, (size_t)parts->rest_length);
    append_fill(text, spec, align == '<' || align == '^' ? padding - left : 0);
}

static void set_sign(Parts *parts, const Spec *spec, bool negative) {
    if (negative || spec->sign != '-') {
        parts->lead[parts->lead_length++] = negative ? '-' : spec->sign;
    }
}

/* ---- integers ------------------------------------------------------------------------------ */

static int32_t digits_in_base(uint64_t value, uint32_t base, bool upper, char *out) {
    char reversed[64];
    int32_t count = 0;
    do {
        uint32_t digit = (uint32_t)(value % base);
        reversed[count++] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[digit];
        value /= base;
    } while (value);
    for (int32_t i = 0; i < count; i++) {
        out[i] = reversed[count - 1 - i];
    }
    return count;
}

static bool format_integer(gmxrt_text *text, const Spec *spec, uint64_t magnitude, bool negative) {
    bool decimal = !spec->type || spec->type == 'd' || spec->type == 'n';
    if (spec->precision >= 0 || (spec->grouping == ',' && !decimal) ||
        (spec->grouping && spec->type == 'n')) {
        return false;
    }
    char digits[64];
    uint32_t base = spec->type == 'b' ? 2 : spec->type == 'o' ? 8 : decimal ? 10 : 16;
    Parts parts = {.digits = digits, .rest = ""};
    parts.digit_count = digits_in_base(magnitude, base, spec->type == 'X', digits);
    set_sign(&parts, spec, negative);
    if (spec->alternate && !decimal) {
        parts.lead[parts.lead_length++] = '0';
        parts.lead[parts.lead_length++] = spec->type;
    }
    append_parts(text, spec, &parts, decimal ? 3 : 4);
    return true;
}

/* Type c: the character of that code point. */
static bool format_character(gmxrt_text *text, const Spec *spec, uint64_t code, bool negative) {
    bool surrogate = code >= 0xD800 && code < 0xE000;
    if (negative || code > 0x10FFFF || surrogate || spec->sign != '-' || spec->precision >= 0 ||
        spec->grouping || spec->alternate) {
        return false;
    }
    char bytes[4];
    int32_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t marks[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (int32_t i = length - 1; i > 0; i--) {
        bytes[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    bytes[0] = (char)(marks[length] | code);
    Spec narrow = *spec;
    narrow.width = spec->width + length - 1; /* widths count characters */
    narrow.align = spec->align ? spec->align : '<';
    Parts parts = {.digits = "", .rest = bytes, .rest_length = length};
    append_parts(text, &narrow, &parts, 3);
    return true;
}

/* ---- floats -------------------------------------------------------------------------------- */

/* Type "none" with a precision: like g, but with a digit after the point, and one less before the
 * exponent form is taken. */
static void append_general(gmxrt_text *text, bool alternate, int32_t precision, double magnitude) {
    precision = precision == 0 ? 1 : precision;
    gmxrt_text trial = {0};
    number_printf(&trial, 'e', false, precision - 1, magnitude);
    const char *mark = trial.data ? strchr(trial.data, 'e') : NULL;
    int exponent = 0;
    if (mark) {
        sscanf(mark + 1, "%d", &exponent);
    }
    if (exponent < -4 || exponent >= precision - 1) { /* d.ddde+xx, zeros dropped */
        size_t end = mark ? (size_t)(mark - trial.data) : 0;
        while (!alternate && end > 1 && trial.data[end - 1] == '0' && memchr(trial.data, '.', end)) {
            end--;
        }
        end -= !alternate && end > 1 && trial.data[end - 1] == '.';
        text_append(text, trial.data ? trial.data : "", end);
        if (mark) {
            text_append(text, mark, strlen(mark));
        }
    } else {
        size_t begin = text->length;
        number_printf(text, 'g', alternate, precision, magnitude);
        if (!text->failed && !memchr(text->data + begin, '.', text->length - begin)) {
            text_append(text, ".0", 2);
        }
    }
    text->failed |= trial.failed;
    gmxrt_text_free(&trial);
}

/* The digits of a magnitude, without sign. */
static void append_magnitude(gmxrt_text *text, const Spec *spec, double magnitude, int32_t dtype) {
    char type = spec->type;
    if (!isfinite(magnitude)) {
        bool upper = type == 'E' || type == 'F' || type == 'G';
        text_append(text, isnan(magnitude) ? upper ? "NAN" : "nan" : upper ? "INF" : "inf", 3);
    } else if (type) {
        double value = type == '%' ? magnitude * 100 : magnitude;
        char conversion = type == '%' ? 'f' : type == 'n' ? 'g' : type;
        number_printf(text, conversion, spec->alternate, spec->precision < 0 ? 6 : spec->precision, value);
    } else if (spec->precision < 0) {
        number_shortest(text, magnitude, dtype);
    } else {
        append_general(text, spec->alternate, spec->precision, magnitude);
    }
    if (type == '%') {
        text_append(text, "%", 1);
    }
}

static bool format_float(gmxrt_text *text, const Spec *spec, double value, int32_t dtype) {
    if (spec->type && !strchr("eEfFgGn%", spec->type)) {
        return false;
    }
    if (spec->type == 'n' && spec->grouping) {
        return false;
    }
    gmxrt_text magnitude = {0};
    append_magnitude(&magnitude, spec, fabs(value), dtype);
    Parts parts = {.digits = magnitude.data ? magnitude.data : "", .rest = ""};
    while (parts.digits[parts.digit_count] >= '0' && parts.digits[parts.digit_count] <= '9') {
        parts.digit_count++;
    }
    parts.rest = parts.digits + parts.digit_count;
    parts.rest_length = (int32_t)strlen(parts.rest);
    set_sign(&parts, spec, signbit(value) && !isnan(value));
    append_parts(text, spec, &parts, 3);
    text->failed |= magnitude.failed;
    gmxrt_text_free(&magnitude);
    return true;
}

/* One part of a complex number: a whole one has no ".0". */
static bool format_part(gmxrt_text *text, const Spec *spec, double value, int32_t dtype) {
    gmxrt_text number = {0};
    bool fits = format_float(&number, spec, value, dtype);
    bool trims = !spec->type && number.length > 2 && !memcmp(number.data + number.length - 2, ".0", 2);
    text_append(text, number.data ? number.data : "", number.length - (trims ? 2 : 0));
    text->failed |= number.failed;
    gmxrt_text_free(&number);
    return fits;
}

/* Each part by itself, the imaginary one with a sign; padding goes around both. */
static bool format_complex(gmxrt_text *text, const Spec *spec, const void *element, int32_t dtype) {
    int32_t part = rt_dtype_part(dtype);
    double re = element_double(element, part);
    double im = element_double((const char *)element + rt_dtype_bytes(part), part);
    bool is_plain = !spec->type, is_short = is_plain && spec->precision < 0;
    bool has_real = !is_plain || re != 0 || signbit(re);
    Spec bare = *spec;
    bare.width = 0;
    bare.align = 0;
    bare.type = is_plain && !is_short ? 'g' : spec->type;
    if (spec->align == '=' || spec->fill[0] == '0' || spec->type == '%') {
        return false;
    }
    gmxrt_text whole = {0};
    if (is_short && spec->sign == '-' && !spec->grouping && !spec->alternate) {
        number_complex(&whole, element, dtype);
    } else {
        text_fill(&whole, '(', is_plain && has_real);
        if (has_real && !format_part(&whole, &bare, re, part)) {
            gmxrt_text_free(&whole);
            return false;
        }
        bare.sign = has_real ? '+' : spec->sign;
        if (!format_part(&whole, &bare, im, part)) {
            gmxrt_text_free(&whole);
            return false;
        }
        text_append(&whole, is_plain && has_real ? "j)" : "j", is_plain && has_real ? 2 : 1);
    }
    Spec outer = *spec;
    outer.grouping = 0;
    Parts parts = {.digits = "", .rest = whole.data ? whole.data : "", .rest_length = (int32_t)whole.length};
    append_parts(text, &outer, &parts, 3);
    text->failed |= whole.failed;
    gmxrt_text_free(&whole);
    return true;
}

/* ---- elements ------------------------------------------------------------------------------ */

double element_double(const void *element, int32_t dtype) {
    bool negative;
    switch (dtype) {
    case RT_f16:
        return (double)gmxrt_f16_to_f32(*(const uint16_t *)element);
    case RT_bf16:
        return (double)gmxrt_bf16_to_f32(*(const uint16_t *)element);
    case RT_f32:
        return (double)*(const float *)element;
    case RT_f64:
        return *(const double *)element;
    default: {
        double magnitude = (double)element_magnitude(element, dtype, &negative);
        return negative ? -magnitude : magnitude;
    }
    }
}

uint64_t element_magnitude(const void *element, int32_t dtype, bool *negative) {
    int64_t value;
    *negative = false;
    switch (dtype) {
    case RT_bool:
        return *(const uint8_t *)element != 0;
    case RT_u8:
        return *(const uint8_t *)element;
    case RT_u16:
        return *(const uint16_t *)element;
    case RT_u32:
        return *(const uint32_t *)element;
    case RT_u64:
        return *(const uint64_t *)element;
    case RT_i8:
        value = *(const int8_t *)element;
        break;
    case RT_i16:
        value = *(const int16_t *)element;
        break;
    case RT_i32:
        value = *(const int32_t *)element;
        break;
    default:
        value = *(const int64_t *)element;
    }
    *negative = value < 0;
    return *negative ? -(uint64_t)value : (uint64_t)value;
}

static bool format_element(gmxrt_text *text, const Spec *spec, const void *element, int32_t dtype) {
    bool negative;
    if (rt_dtype_is_complex(dtype)) {
        return format_complex(text, spec, element, dtype);
    }
    if (rt_dtype_info[dtype].kind == RT_FLOAT) {
        return format_float(text, spec, element_double(element, dtype), dtype);
    }
    if (spec->type && strchr("eEfFgG%", spec->type)) {
        return format_float(text, spec, element_double(element, dtype), RT_f64);
    }
    uint64_t magnitude = element_magnitude(element, dtype, &negative);
    return spec->type == 'c' ? format_character(text, spec, magnitude, negative)
                             : format_integer(text, spec, magnitude, negative);
}

int32_t number_format(gmxrt_ctx *ctx, gmxrt_text *text, const void *element, int32_t dtype, const char *spec,
                      size_t length, uint64_t span) {
    Spec parsed;
    if (length == 0) {
        bool negative;
        if (rt_dtype_is_complex(dtype)) {
            number_complex(text, element, dtype);
            return 0;
        }
        if (rt_dtype_info[dtype].kind == RT_FLOAT) {
            number_shortest(text, element_double(element, dtype), dtype);
            return 0;
        }
        if (dtype == RT_bool) {
            bool value = element_magnitude(element, dtype, &negative);
            text_append(text, value ? "True" : "False", value ? 4 : 5);
            return 0;
        }
    }
    if (!parse_spec(spec, length, &parsed)) {
        return gmxrt_fail(ctx, RT_E0201, span, "`%.*s` is not a format", (int)length, spec);
    }
    if (!format_element(text, &parsed, element, dtype)) {
        return gmxrt_fail(ctx, RT_E0201, span, "the format `%.*s` does not fit a value of dtype %s",
                          (int)length, spec, rt_dtype_info[dtype].name);
    }
    return 0;
}
