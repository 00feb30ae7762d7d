/* Numbers of every dtype as bits, values and text; see number.h. */
#include "ir/number.h"
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

/* ---- bits and values -------------------------------------------------------------------------- */

int64_t number_integer(Dtype dtype, uint64_t bits) {
    unsigned width = dtype_info[dtype].bytes * 8u;
    if (width >= 64 || dtype_kind(dtype) != KIND_SIGNED)
        return (int64_t)bits;
    return (int64_t)(bits << (64 - width)) >> (64 - width);
}

uint64_t number_integer_bits(Dtype dtype, uint64_t value) {
    unsigned width = dtype_info[dtype].bytes * 8u;
    if (dtype == DTYPE_bool)
        return value != 0;
    return width >= 64 ? value : value & ((1ull << width) - 1);
}

static double half_to_double(uint16_t h) {
    int exponent = h >> 10 & 31, fraction = h & 1023;
    double magnitude = exponent == 31  ? (fraction ? NAN : INFINITY)
                       : exponent == 0 ? ldexp(fraction, -24)
                                       : ldexp(1024 + fraction, exponent - 25);
    return h >> 15 ? -magnitude : magnitude;
}

/* Round to nearest even at a float format of `fraction` explicit bits and the given exponent range. */
static uint64_t double_to_small(double value, int fraction, int min_exponent, int max_exponent, int width) {
    uint64_t sign = (uint64_t)(signbit(value) != 0) << (width - 1);
    uint64_t infinity = (uint64_t)(max_exponent - min_exponent + 2) << fraction;
    if (isnan(value))
        return sign | infinity | 1ull << (fraction - 1);
    double magnitude = fabs(value);
    if (magnitude == 0)
        return sign;
    int exponent;
    frexp(magnitude, &exponent); /* magnitude = m * 2^exponent, m in [0.5, 1) */
    exponent--;
    int scale = exponent < min_exponent ? min_exponent : exponent;
    if (isinf(value) || scale > max_exponent)
        return sign | infinity;
    uint64_t units = (uint64_t)nearbyint(ldexp(magnitude, fraction - scale));
    uint64_t bits = exponent < min_exponent ? units : units + ((uint64_t)(scale - min_exponent) << fraction);
    return sign | (bits > infinity ? infinity : bits);
}

double number_value(Dtype dtype, uint64_t bits) {
    union {
        uint32_t u;
        float f;
    } single;
    union {
        uint64_t u;
        double f;
    } wide = {.u = bits};
    switch (dtype) {
    case DTYPE_f64:
        return wide.f;
    case DTYPE_f32:
        single.u = (uint32_t)bits;
        return single.f;
    case DTYPE_bf16:
        single.u = (uint32_t)bits << 16;
        return single.f;
    case DTYPE_f16:
        return half_to_double((uint16_t)bits);
    case DTYPE_u64:
        return (double)bits;
    default:
        return (double)number_integer(dtype, bits);
    }
}

uint64_t number_float_bits(Dtype dtype, double value) {
    union {
        float f;
        uint32_t u;
    } single = {.f = (float)value};
    union {
        double f;
        uint64_t u;
    } wide = {.f = value};
    switch (dtype) {
    case DTYPE_f32:
        return single.u;
    case DTYPE_f16:
        return double_to_small(value, 10, -14, 15, 16);
    case DTYPE_bf16:
        return double_to_small(value, 7, -126, 127, 16);
    default:
        return wide.u;
    }
}

bool number_convert(Dtype from, uint64_t bits, Dtype to, uint64_t *out) {
    if (from == to)
        return *out = bits, true;
    if (dtype_kind(from) == KIND_COMPLEX || dtype_kind(to) == KIND_COMPLEX)
        return false;
    if (!dtype_is_float(from) && !dtype_is_float(to))
        return *out = number_integer_bits(to, (uint64_t)number_integer(from, bits)), true;
    if (dtype_is_float(to)) {
        if (to == DTYPE_f32 && !dtype_is_float(from)) { /* one rounding, not two */
            union {
                float f;
                uint32_t u;
            } s = {.f = from == DTYPE_u64 ? (float)bits : (float)number_integer(from, bits)};
            return *out = s.u, true;
        }
        return *out = number_float_bits(to, number_value(from, bits)), true;
    }
    double value = number_value(from, bits);
    if (to == DTYPE_bool)
        return *out = value != 0, true;
    double limit = to == DTYPE_u64 ? 18446744073709551616.0 : 9223372036854775808.0;
    if (!(value > -9223372036854775809.0 && value < limit))
        return false; /* out of range: left to run time */
    int64_t integer =
        to == DTYPE_u64 && value >= 9223372036854775808.0 ? (int64_t)(uint64_t)value : (int64_t)value;
    *out = number_integer_bits(to, (uint64_t)integer);
    return true;
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
