/* Growing text, and how single numbers are written. */
#ifndef GMX_RUNTIME_RT_TEXT_H
#define GMX_RUNTIME_RT_TEXT_H

#include "runtime/rt/runtime.h"

/* Appending never fails at once: a text that ran out of memory drops what follows and says so. */
void text_append(gmxrt_text *text, const char *bytes, size_t length);
void text_fill(gmxrt_text *text, char byte, size_t count);

/* The decimal digits of a finite value: d.ddd * 10^exponent, no zeros at the end but for 0 itself. */
enum { DIGITS_MAX = 20 };
typedef struct Digits {
    char text[DIGITS_MAX];
    int32_t count;
    int32_t exponent;
} Digits;

/* The fewest digits that give the value back in its own dtype (f16 bf16 f32 f64), nearest of those:
 * Dragon4's unique digits. */
Digits digits_shortest(double magnitude, int32_t dtype);

/* The digits with a point after the first 1 + exponent of them; nothing need follow the point. */
void digits_positional(gmxrt_text *text, const Digits *digits);

/* printf's %e, %f, %g with a `.` whatever the locale says; appended to `text`. */
void number_printf(gmxrt_text *text, char type, bool alternate, int32_t precision, double value);

/* A float as NumPy's str() of a scalar and Python's repr have it: 7.0, 1e-05, nan. */
void number_shortest(gmxrt_text *text, double value, int32_t dtype);

/* A complex number as NumPy's str() has it: 2j, (1+2j), (nan-0j). */
void number_complex(gmxrt_text *text, const void *element, int32_t dtype);

/* One element by Python's format mini-language; an empty spec means str().  Sets E0201 and returns
 * 1 if the spec is malformed or does not fit the dtype. */
int32_t number_format(gmxrt_ctx *ctx, gmxrt_text *text, const void *element, int32_t dtype, const char *spec,
                      size_t length, uint64_t span);

/* An element as a double (integers of 64 bits may round) and, of an integer or bool, its magnitude
 * and sign. */
double element_double(const void *element, int32_t dtype);
uint64_t element_magnitude(const void *element, int32_t dtype, bool *negative);

#endif
