/* Unicode: UTF-8 sequences, and normalisation form C for identifiers. */
#include "frontend/unicode.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "frontend/unicode_tables.h"

size_t unicode_sequence_length(const unsigned char *text, size_t left) {
    unsigned char c = text[0];
    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    size_t length = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (left < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    bool is_overlong = (c == 0xe0 && text[1] < 0xa0) || (c == 0xf0 && text[1] < 0x90);
    bool is_surrogate = c == 0xed && text[1] > 0x9f;
    bool is_beyond = c == 0xf4 && text[1] > 0x8f;
    return is_overlong || is_surrogate || is_beyond ? 0 : length;
}

/* ---- normalisation form C (Unicode Standard Annex 15) ---- */

enum {
    HANGUL_S = 0xac00,
    HANGUL_L = 0x1100,
    HANGUL_V = 0x1161,
    HANGUL_T = 0x11a7,
    HANGUL_L_COUNT = 19,
    HANGUL_V_COUNT = 21,
    HANGUL_T_COUNT = 28,
    HANGUL_COUNT = HANGUL_L_COUNT * HANGUL_V_COUNT * HANGUL_T_COUNT,
    EXPANSION = 4, /* no code point decomposes into more */
};

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static uint32_t combining_class(uint32_t c) {
    size_t low = 0, high = COUNT_OF(combining);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (combining[middle].last < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low < COUNT_OF(combining) && combining[low].first <= c ? combining[low].class : 0;
}

static uint32_t *decompose(uint32_t c, uint32_t *out) {
    if (c >= HANGUL_S && c < HANGUL_S + HANGUL_COUNT) {
        uint32_t index = c - HANGUL_S, tail = index % HANGUL_T_COUNT;
        *out++ = HANGUL_L + index / (HANGUL_V_COUNT * HANGUL_T_COUNT);
        *out++ = HANGUL_V + index / HANGUL_T_COUNT % HANGUL_V_COUNT;
        if (tail)
            *out++ = HANGUL_T + tail;
        return out;
    }
    size_t low = 0, high = COUNT_OF(decompositions);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (decompositions[middle].code_point < c)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == COUNT_OF(decompositions) || decompositions[low].code_point != c) {
        *out++ = c;
        return out;
    }
    out = decompose(decompositions[low].first, out); /* at most three deep */
    return decompositions[low].second ? decompose(decompositions[low].second, out) : out;
}

/* The code point that a and b compose to, or 0. */
static uint32_t compose(uint32_t a, uint32_t b) {
    if (a >= HANGUL_L && a < HANGUL_L + HANGUL_L_COUNT && b >= HANGUL_V && b < HANGUL_V + HANGUL_V_COUNT)
        return HANGUL_S + ((a - HANGUL_L) * HANGUL_V_COUNT + (b - HANGUL_V)) * HANGUL_T_COUNT;
    bool is_open_syllable =
        a >= HANGUL_S && a < HANGUL_S + HANGUL_COUNT && (a - HANGUL_S) % HANGUL_T_COUNT == 0;
    if (is_open_syllable && b > HANGUL_T && b < HANGUL_T + HANGUL_T_COUNT)
        return a + (b - HANGUL_T);
    size_t low = 0, high = COUNT_OF(compositions);
    while (low < high) {
        size_t middle = (low + high) / 2, row = compositions[middle];
        bool is_less = decompositions[row].first < a ||
                       (decompositions[row].first == a && decompositions[row].second < b);
        if (is_less)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == COUNT_OF(compositions))
        return 0;
    size_t row = compositions[low];
    return decompositions[row].first == a && decompositions[row].second == b ? decompositions[row].code_point
                                                                             : 0;
}

/* Sorts a run of combining marks by class, stably, in linear time for long runs. */
static void sort_run(Arena *arena, uint32_t *run, size_t count) {
    if (count <= 16) {
        for (size_t i = 1; i < count; i++) {
            uint32_t c = run[i], class = combining_class(c);
            size_t j = i;
            for (; j && combining_class(run[j - 1]) > class; j--)
                run[j] = run[j - 1];
            run[j] = c;
        }
        return;
    }
    size_t starts[257] = {0};
    uint32_t *copy = ARENA_ARRAY(arena, uint32_t, count);
    memcpy(copy, run, count * sizeof *run);
    for (size_t i = 0; i < count; i++)
        starts[combining_class(copy[i]) + 1]++;
    for (size_t i = 1; i < 257; i++)
        starts[i] += starts[i - 1];
    for (size_t i = 0; i < count; i++)
        run[starts[combining_class(copy[i])]++] = copy[i];
}

static void reorder(Arena *arena, uint32_t *text, size_t count) {
    for (size_t i = 0; i < count;) {
        size_t end = i;
        while (end < count && combining_class(text[end]))
            end++;
        if (end - i > 1)
            sort_run(arena, text + i, end - i);
        i = end > i ? end : i + 1;
    }
}

static size_t compose_all(uint32_t *text, size_t count) {
    size_t out = 0, starter = SIZE_MAX;
    uint32_t last_class = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t c = text[i], class = combining_class(c);
        bool is_blocked = starter == SIZE_MAX || (out > starter + 1 && last_class >= class);
        uint32_t composed = is_blocked ? 0 : compose(text[starter], c);
        if (composed) {
            text[starter] = composed;
            continue;
        }
        if (!class)
            starter = out;
        last_class = class;
        text[out++] = c;
    }
    return out;
}

static uint32_t decode(const unsigned char *text, size_t length) {
    static const unsigned char lead_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = text[0] & lead_mask[length];
    for (size_t i = 1; i < length; i++)
        c = c << 6 | (text[i] & 0x3f);
    return c;
}

size_t unicode_encode(uint32_t c, char *out) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t length = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(lead[length] | c);
    return length;
}

static bool is_ascii(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] >= 0x80)
            return false;
    return true;
}

const char *unicode_nfc(Arena *arena, const char *text, size_t *length) {
    if (is_ascii(text, *length))
        return text;
    uint32_t *points = ARENA_ARRAY(arena, uint32_t, *length * EXPANSION), *end = points;
    for (size_t i = 0; i < *length;) {
        size_t step = unicode_sequence_length((const unsigned char *)text + i, *length - i);
        if (!step)
            return text; /* not valid UTF-8: not ours to judge */
        end = decompose(decode((const unsigned char *)text + i, step), end);
        i += step;
    }
    size_t count = (size_t)(end - points);
    reorder(arena, points, count);
    count = compose_all(points, count);
    char *out = arena_alloc(arena, count * 4 + 1);
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += unicode_encode(points[i], out + size);
    *length = size;
    return out;
}
