/* Numbers of every dtype as bits, values and text; see number.h. */
#include "ir/number.h"
#include "ir/internal.h"
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t quiet_nan(Dtype dtype) {
    switch (dtype) {
    case DTYPE_f16:
        return 0x7e00;
    case DTYPE_bf16:
        return 0x7fc0;
    case DTYPE_f32:
        return 0x7fc00000;
    default:
        return UINT64_C(0x7ff8000000000000);
    }
}

double number_value(Dtype dtype, uint64_t bits) {
    return ir_bits_to_double(dtype, bits);
}

uint64_t number_float_bits(Dtype dtype, double value) {
    uint64_t bits = 0;
    ir_bits_of_double(dtype, value, &bits);
    return bits;
}

int64_t number_integer(Dtype dtype, uint64_t bits) {
    return ir_bits_to_i64(dtype, bits);
}

uint64_t number_integer_bits(Dtype dtype, uint64_t value) {
    return ir_bits_of_i64(dtype, (int64_t)value);
}

bool number_convert(Dtype from, uint64_t bits, Dtype to, uint64_t *out) {
    return ir_convert_bits(from, bits, to, out);
}

/* ---- text ---------------------------------------------------------------------------------------------- */

/* The two conversions that depend on the locale, done in the "C" locale of this thread. */
static int print_digits(char *buffer, int precision, double value) {
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t old = uselocale(c);
    int length = snprintf(buffer, NUMBER_TEXT_MAX - 4, "%.*g", precision, value);
    uselocale(old);
    if (c)
        freelocale(c);
    return length;
}

static double parse_digits(const char *text, Dtype dtype, char **end) {
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t old = uselocale(c);
    double value = dtype == DTYPE_f32 ? (double)strtof(text, end) : strtod(text, end);
    uselocale(old);
    if (c)
        freelocale(c);
    return value;
}

static size_t print_float(char buffer[NUMBER_TEXT_MAX], Dtype dtype, uint64_t bits) {
    double value = number_value(dtype, bits);
    if (isnan(value))
        return bits == quiet_nan(dtype) ? (size_t)sprintf(buffer, "nan")
                                        : (size_t)sprintf(buffer, "0x%" PRIx64, bits);
    if (isinf(value))
        return (size_t)sprintf(buffer, value < 0 ? "-inf" : "inf");
    uint64_t back;
    int length = 0;
    for (int precision = 1; precision <= 17; precision++) {
        length = print_digits(buffer, precision, value);
        if (number_parse(buffer, (size_t)length, dtype, &back) && back == bits)
            break;
    }
    if (!strpbrk(buffer, ".e"))
        length += sprintf(buffer + length, ".0");
    return (size_t)length;
}

size_t number_print(char buffer[NUMBER_TEXT_MAX], Dtype dtype, uint64_t bits) {
    switch (dtype_kind(dtype)) {
    case KIND_BOOL:
        return (size_t)sprintf(buffer, bits ? "true" : "false");
    case KIND_UNSIGNED:
        return (size_t)sprintf(buffer, "%" PRIu64, bits);
    case KIND_SIGNED:
        return (size_t)sprintf(buffer, "%" PRId64, number_integer(dtype, bits));
    case KIND_FLOAT:
        return print_float(buffer, dtype, bits);
    case KIND_COMPLEX:
        break;
    }
    return (size_t)sprintf(buffer, "0x%" PRIx64, bits);
}

static bool parse_bits(const char *text, Dtype dtype, uint64_t *bits) {
    char *end;
    errno = 0;
    *bits = strtoull(text, &end, 16);
    return !*end && !errno && *bits == number_integer_bits(dtype, *bits);
}

static bool parse_float(const char *text, Dtype dtype, uint64_t *bits) {
    if (!strcmp(text, "nan"))
        return *bits = quiet_nan(dtype), true;
    if (!strcmp(text, "inf") || !strcmp(text, "-inf"))
        return *bits = number_float_bits(dtype, text[0] == '-' ? -INFINITY : INFINITY), true;
    if (!strncmp(text, "0x", 2) && !strpbrk(text, ".pP"))
        return parse_bits(text, dtype, bits);
    if (strspn(text, "+-0123456789.eExXpPabcdfABCDF") != strlen(text))
        return false;
    char *end;
    *bits = number_float_bits(dtype, parse_digits(text, dtype, &end));
    return !*end;
}

static bool parse_integer(const char *text, Dtype dtype, uint64_t *bits) {
    char *end;
    errno = 0;
    if (dtype_kind(dtype) == KIND_UNSIGNED) {
        *bits = strtoull(text, &end, 10);
        return text[0] != '-' && !*end && !errno && *bits == number_integer_bits(dtype, *bits);
    }
    long long value = strtoll(text, &end, 10);
    *bits = number_integer_bits(dtype, (uint64_t)value);
    return !*end && !errno && number_integer(dtype, *bits) == value;
}

bool number_parse(const char *text, size_t length, Dtype dtype, uint64_t *bits) {
    char copy[NUMBER_TEXT_MAX];
    if (!length || length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = 0;
    switch (dtype_kind(dtype)) {
    case KIND_BOOL:
        *bits = !strcmp(copy, "true");
        return *bits || !strcmp(copy, "false");
    case KIND_FLOAT:
        return parse_float(copy, dtype, bits);
    case KIND_COMPLEX:
        return parse_bits(copy, dtype, bits);
    default:
        return parse_integer(copy, dtype, bits);
    }
}
