/* The .npy header: a Python dictionary with the keys descr, fortran_order and shape, in any order,
 * after a magic string, a version and a length (NumPy's format versions 1.0, 2.0 and 3.0).
 *
 * Nothing in it is believed: lengths are compared with what is there before anything is read or
 * allocated. */
#include "runtime/rt/internal.h"

#include "runtime/rt/npy.h"

#include <stdio.h>
#include <string.h>

int32_t npy_parse_prefix(gmxrt_ctx *ctx, const char *path, const uint8_t *bytes, int64_t got, int64_t *begin,
                         int64_t *length, uint64_t span) {
    static const char magic[6] = "\x93NUMPY";
    int64_t compared = got < 6 ? got : 6;
    if (got == 0) {
        return gmxrt_fail(ctx, RT_E0402, span, "`%.300s` is empty", path);
    }
    if (memcmp(bytes, magic, (size_t)compared) != 0) {
        return gmxrt_fail(ctx, RT_E0403, span,
                          "`%.300s` is not a .npy file: it does not begin with \\x93NUMPY", path);
    }
    bool wide = got >= 8 && bytes[6] >= 2;
    *begin = wide ? 12 : 10;
    if (got < *begin) {
        return gmxrt_fail(ctx, RT_E0402, span, "`%.300s` is cut short in its first %d bytes", path,
                          (int)*begin);
    }
    if (bytes[6] < 1 || bytes[6] > 3 || bytes[7] != 0) {
        return gmxrt_fail(ctx, RT_E0403, span, "`%.300s` has .npy version %d.%d; 1.0 to 3.0 are read", path,
                          bytes[6], bytes[7]);
    }
    *length = bytes[8] | bytes[9] << 8;
    if (wide) {
        *length |= (int64_t)bytes[10] << 16 | (int64_t)bytes[11] << 24;
    }
    return 0;
}

/* ---- reading the dictionary ---------------------------------------------------------------- */

typedef struct Scanner {
    const char *at, *end;
} Scanner;

static void skip_space(Scanner *scanner) {
    while (scanner->at < scanner->end && *scanner->at && strchr(" \t\r\n", *scanner->at)) {
        scanner->at++;
    }
}

static bool accept(Scanner *scanner, char byte) {
    skip_space(scanner);
    if (scanner->at == scanner->end || *scanner->at != byte) {
        return false;
    }
    scanner->at++;
    return true;
}

static bool accept_word(Scanner *scanner, const char *word) {
    size_t length = strlen(word);
    skip_space(scanner);
    if ((size_t)(scanner->end - scanner->at) < length || memcmp(scanner->at, word, length) != 0) {
        return false;
    }
    scanner->at += length;
    return true;
}

/* A string in either kind of quotes, without escapes; false if it is no string or too long. */
static bool read_string(Scanner *scanner, char *out, size_t capacity) {
    skip_space(scanner);
    char quote = scanner->at < scanner->end ? *scanner->at : '\0';
    if (quote != '\'' && quote != '"') {
        return false;
    }
    const char *close = memchr(scanner->at + 1, quote, (size_t)(scanner->end - scanner->at - 1));
    size_t length = close ? (size_t)(close - scanner->at - 1) : capacity;
    if (length >= capacity) {
        return false;
    }
    memcpy(out, scanner->at + 1, length);
    out[length] = '\0';
    scanner->at = close + 1;
    return true;
}

/* A non-negative integer; a trailing L (Python 2) is allowed. */
static bool read_extent(Scanner *scanner, int64_t *out) {
    skip_space(scanner);
    const char *begin = scanner->at;
    *out = 0;
    while (scanner->at < scanner->end && *scanner->at >= '0' && *scanner->at <= '9') {
        if (__builtin_mul_overflow(*out, 10, out) || __builtin_add_overflow(*out, *scanner->at - '0', out)) {
            return false;
        }
        scanner->at++;
    }
    bool any = scanner->at > begin;
    if (any && scanner->at < scanner->end && *scanner->at == 'L') {
        scanner->at++;
    }
    return any;
}

typedef enum ShapeResult { SHAPE_READ, SHAPE_MALFORMED, SHAPE_TOO_DEEP } ShapeResult;

/* A tuple: (), (3,), (3, 4) or (3, 4,). */
static ShapeResult read_shape(Scanner *scanner, gmxrt_npy_header *out) {
    out->rank = 0;
    if (!accept(scanner, '(')) {
        return SHAPE_MALFORMED;
    }
    while (!accept(scanner, ')')) {
        int64_t extent;
        if (!read_extent(scanner, &extent)) {
            return SHAPE_MALFORMED;
        }
        if (out->rank == GMXRT_MAX_RANK) {
            return SHAPE_TOO_DEEP;
        }
        out->shape[out->rank++] = extent;
        bool comma = accept(scanner, ',');
        if (!comma && (out->rank == 1 || !accept(scanner, ')'))) {
            return SHAPE_MALFORMED; /* (3) is no tuple */
        }
        if (!comma) {
            return SHAPE_READ;
        }
    }
    return SHAPE_READ;
}

/* "<f8" and the like, with byte order; bool and bytes have none. */
static bool find_dtype(const char *descr, gmxrt_npy_header *out) {
    char order = descr[0];
    if (!order || !strchr("<>|=", order)) {
        return false;
    }
    for (int32_t i = 0; i < RT_DTYPE_COUNT; i++) {
        bool plain = rt_dtype_info[i].bytes == 1 || i == RT_bf16;
        if (strcmp(descr + 1, rt_dtype_info[i].numpy) == 0 && (order != '|' || plain)) {
            out->dtype = i;
            out->swapped = order == '>' && rt_dtype_info[i].bytes > 1;
            return true;
        }
    }
    return false;
}

static int32_t fail_header(gmxrt_ctx *ctx, const char *path, const char *what, uint64_t span) {
    return gmxrt_fail(ctx, RT_E0402, span, "the header of `%.300s` is damaged: %s", path, what);
}

/* The value of one key; `seen` collects bits of the keys read. */
static int32_t read_value(gmxrt_ctx *ctx, const char *path, Scanner *scanner, const char *key,
                          gmxrt_npy_header *out, int32_t *seen, uint64_t span) {
    if (strcmp(key, "descr") == 0) {
        char descr[32];
        *seen |= 1;
        if (accept(scanner, '[')) {
            return gmxrt_fail(ctx, RT_E0403, span, "`%.300s` holds records, which GMX does not read", path);
        }
        if (!read_string(scanner, descr, sizeof descr)) {
            return fail_header(ctx, path, "`descr` is no type", span);
        }
        if (!find_dtype(descr, out)) {
            for (char *at = descr; *at; at++) {
                *at = *at < ' ' || *at > '~' ? '?' : *at; /* fit to be printed */
            }
            gmxrt_fail(ctx, RT_E0403, span,
                       "`%.300s` holds elements of the NumPy type `%s`, which GMX does not read", path,
                       descr);
            gmxrt_set_hint(ctx, "bool, integers and floats are read; in NumPy x.astype(\"f8\") makes floats");
            return 1;
        }
    } else if (strcmp(key, "fortran_order") == 0) {
        *seen |= 2;
        out->fortran_order = accept_word(scanner, "True");
        if (!out->fortran_order && !accept_word(scanner, "False")) {
            return fail_header(ctx, path, "`fortran_order` is neither True nor False", span);
        }
    } else if (strcmp(key, "shape") == 0) {
        *seen |= 4;
        ShapeResult result = read_shape(scanner, out);
        if (result == SHAPE_TOO_DEEP) {
            return gmxrt_fail(ctx, RT_E0403, span, "`%.300s` has more than %d axes", path, GMXRT_MAX_RANK);
        }
        if (result == SHAPE_MALFORMED) {
            return fail_header(ctx, path, "`shape` is no tuple of sizes", span);
        }
    } else {
        return fail_header(ctx, path, "it has an unknown key", span);
    }
    return 0;
}

int32_t npy_parse_header(gmxrt_ctx *ctx, const char *path, const char *text, int64_t length,
                         gmxrt_npy_header *out, uint64_t span) {
    Scanner scanner = {text, text + length};
    int32_t seen = 0;
    if (!accept(&scanner, '{')) {
        return fail_header(ctx, path, "it is no dictionary", span);
    }
    while (!accept(&scanner, '}')) {
        char key[32];
        if (!read_string(&scanner, key, sizeof key) || !accept(&scanner, ':')) {
            return fail_header(ctx, path, "a key is missing", span);
        }
        if (read_value(ctx, path, &scanner, key, out, &seen, span) != 0) {
            return 1;
        }
        if (!accept(&scanner, ',') && (scanner.at == scanner.end || *scanner.at != '}')) {
            return fail_header(ctx, path, "a comma or a closing brace is missing", span);
        }
    }
    skip_space(&scanner);
    if (scanner.at != scanner.end) {
        return fail_header(ctx, path, "something follows the closing brace", span);
    }
    return seen == 7 ? 0 : fail_header(ctx, path, "`descr`, `fortran_order` or `shape` is missing", span);
}

/* ---- writing -------------------------------------------------------------------------------- */

int32_t npy_write_header(char *bytes, int32_t dtype, int32_t rank, const int64_t *shape) {
    static const char magic[8] = "\x93NUMPY\x01";
    char order = rt_dtype_info[dtype].bytes == 1 ? '|' : '<';
    memcpy(bytes, magic, sizeof magic);
    char *text = bytes + 10;
    int32_t room = NPY_HEADER_MAX - 10;
    int32_t length = snprintf(text, (size_t)room, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                              order, rt_dtype_info[dtype].numpy);
    for (int32_t i = 0; i < rank; i++) {
        length += snprintf(text + length, (size_t)(room - length), i + 1 < rank ? "%lld, " : "%lld",
                           (long long)shape[i]);
    }
    length += snprintf(text + length, (size_t)(room - length), rank == 1 ? ",), }" : "), }");
    while ((10 + length + 1) % 64 != 0) {
        text[length++] = ' ';
    }
    text[length++] = '\n';
    bytes[8] = (char)(length & 0xFF);
    bytes[9] = (char)(length >> 8);
    return 10 + length;
}
