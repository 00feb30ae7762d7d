/* Decimal digits of floats: the shortest that round-trip, and printf's without the locale.
 *
 * The shortest digits come from printing with more and more digits until the value reads back.  A
 * decimal of digits10 digits survives the way through a normal binary number, so the search
 * starts there.  At a power of two the interval that rounds to the value reaches further up than
 * down, and the right answer may be the next decimal above the nearest one. */
#include "runtime/rt/internal.h"

#include "runtime/rt/text.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Precision {
    int32_t digits10, most; /* digits that survive; digits that always suffice */
    int32_t bits;           /* of the significand */
    double least_normal;
} Precision;

static Precision precision_of(int32_t dtype) {
    switch (dtype) {
    case RT_f16:
        return (Precision){3, 5, 11, 0x1p-14};
    case RT_bf16:
        return (Precision){2, 4, 8, 0x1p-126};
    case RT_f32:
        return (Precision){6, 9, 24, 0x1p-126};
    default:
        return (Precision){15, 17, 53, DBL_MIN};
    }
}

/* value rounded to `count` digits, all of them kept */
static Digits digits_rounded(double value, int32_t count) {
    char buffer[64];
    snprintf(buffer, sizeof buffer, "%.*e", (int)count - 1, value);
    Digits digits = {.count = count};
    const char *at = buffer;
    for (int32_t i = 0; i < count; at++) {
        if (*at >= '0' && *at <= '9') {
            digits.text[i++] = *at; /* what stands between is the locale's decimal point */
        }
    }
    digits.exponent = (int32_t)strtol(strchr(at, 'e') + 1, NULL, 10);
    return digits;
}

/* True if `decimal` is nearest to `value` among the numbers of a dtype narrower than f32. */
static bool rounds_to(double decimal, double value, const Precision *precision) {
    int exponent;
    double fraction = frexp(value, &exponent);
    bool normal = value >= precision->least_normal;
    int least;
    frexp(precision->least_normal, &least);
    int ulp_exponent = (normal ? exponent : least) - precision->bits;
    double half_up = ldexp(0.5, ulp_exponent);
    double half_down = normal && fraction == 0.5 && exponent > least ? half_up / 2 : half_up;
    bool even = fmod(ldexp(value, -ulp_exponent), 2) == 0;
    double low = value - half_down, high = value + half_up; /* exact in f64 */
    return even ? decimal >= low && decimal <= high : decimal > low && decimal < high;
}

static bool reads_back(const Digits *digits, double value, int32_t dtype, const Precision *precision) {
    char buffer[64]; /* an integer and an exponent: no decimal point to be misread */
    snprintf(buffer, sizeof buffer, "%.*se%d", (int)digits->count, digits->text,
             (int)(digits->exponent - digits->count + 1));
    if (dtype == RT_f64) {
        return strtod(buffer, NULL) == value;
    }
    if (dtype == RT_f32) {
        return (double)strtof(buffer, NULL) == value;
    }
    return rounds_to(strtod(buffer, NULL), value, precision);
}

/* One more in the last place. */
static Digits next_above(Digits digits) {
    int32_t i = digits.count - 1;
    while (i >= 0 && digits.text[i] == '9') {
        digits.text[i--] = '0';
    }
    if (i >= 0) {
        digits.text[i]++;
    } else {
        digits.text[0] = '1';
        digits.exponent++;
    }
    return digits;
}

Digits digits_shortest(double magnitude, int32_t dtype) {
    if (magnitude == 0) {
        return (Digits){.text = "0", .count = 1, .exponent = 0};
    }
    Precision precision = precision_of(dtype);
    int exponent;
    bool power_of_two = frexp(magnitude, &exponent) == 0.5;
    int32_t count = magnitude >= precision.least_normal ? precision.digits10 : 1;
    Digits digits = digits_rounded(magnitude, count);
    while (!reads_back(&digits, magnitude, dtype, &precision) && count < precision.most) {
        Digits above = next_above(digits);
        if (power_of_two && reads_back(&above, magnitude, dtype, &precision)) {
            digits = above;
            break;
        }
        digits = digits_rounded(magnitude, ++count);
    }
    while (digits.count > 1 && digits.text[digits.count - 1] == '0') {
        digits.count--;
    }
    return digits;
}

void number_printf(gmxrt_text *text, char type, bool alternate, int32_t precision, double value) {
    char format[] = {'%', '#', '.', '*', type, '\0'};
    char short_format[] = {'%', '.', '*', type, '\0'};
    const char *used = alternate ? format : short_format;
    char small[400];
    int length = snprintf(small, sizeof small, used, (int)precision, value);
    char *buffer = small;
    if (length >= (int)sizeof small) {
        buffer = malloc((size_t)length + 1);
        if (!buffer) {
            text->failed = true;
            return;
        }
        snprintf(buffer, (size_t)length + 1, used, (int)precision, value);
    }
    for (int i = 0; i < length;) {
        if (strchr("0123456789+-einfaINFAE", buffer[i])) {
            text_append(text, &buffer[i++], 1);
            continue;
        }
        text_append(text, ".", 1); /* the locale's decimal point, of one byte or more */
        while (i < length && !strchr("0123456789+-eE", buffer[i])) {
            i++;
        }
    }
    if (buffer != small) {
        free(buffer);
    }
}

void digits_positional(gmxrt_text *text, const Digits *digits) {
    int32_t whole = digits->exponent + 1;
    if (whole <= 0) {
        text_append(text, "0.", 2);
        text_fill(text, '0', (size_t)-whole);
        text_append(text, digits->text, (size_t)digits->count);
        return;
    }
    int32_t before = digits->count < whole ? digits->count : whole;
    text_append(text, digits->text, (size_t)before);
    text_fill(text, '0', (size_t)(whole - before));
    text_append(text, ".", 1);
    text_append(text, digits->text + before, (size_t)(digits->count - before));
}

void number_shortest(gmxrt_text *text, double value, int32_t dtype) {
    if (signbit(value) && !isnan(value)) {
        text_append(text, "-", 1);
    }
    double magnitude = fabs(value);
    if (!isfinite(value)) {
        text_append(text, isnan(value) ? "nan" : "inf", 3);
        return;
    }
    Digits digits = digits_shortest(magnitude, dtype);
    if (magnitude == 0 || (magnitude >= 1e-4 && magnitude < 1e16)) {
        digits_positional(text, &digits);
        text_fill(text, '0', digits.count <= digits.exponent + 1);
        return;
    }
    text_append(text, digits.text, 1);
    if (digits.count > 1) {
        text_append(text, ".", 1);
        text_append(text, digits.text + 1, (size_t)digits.count - 1);
    }
    char exponent[16];
    int length = snprintf(exponent, sizeof exponent, "e%+03d", (int)digits.exponent);
    text_append(text, exponent, (size_t)length);
}

/* One part: as number_shortest, but whole numbers without ".0". */
static void append_part(gmxrt_text *text, double value, int32_t dtype) {
    size_t begin = text->length;
    number_shortest(text, value, dtype);
    if (!text->failed && text->length - begin > 2 && !memcmp(text->data + text->length - 2, ".0", 2)) {
        text->length -= 2;
        text->data[text->length] = '\0';
    }
}

void number_complex(gmxrt_text *text, const void *element, int32_t dtype) {
    int32_t part = rt_dtype_part(dtype);
    double re = element_double(element, part);
    double im = element_double((const char *)element + rt_dtype_bytes(part), part);
    bool has_real = re != 0 || signbit(re);
    if (has_real) {
        text_append(text, "(", 1);
        append_part(text, re, part);
        text_fill(text, '+', isnan(im) || !signbit(im));
    }
    append_part(text, im, part);
    text_append(text, has_real ? "j)" : "j", has_real ? 2 : 1);
}
