/* Matrix Market files, plain and compressed by gzip.
 *
 *     %%MatrixMarket matrix coordinate|array real|integer|complex|pattern
 * general|symmetric|skew-symmetric|hermitian % comments rows columns [entries] row column [value [imaginary
 * part]]      from 1 on; of an array the values alone, column by column
 *
 * Sizes are not believed: an entry takes at least 4 bytes of text, a value 2. */
#include "runtime/rt/internal.h"

#include "runtime/rt/mtx.h"
#include "runtime/rt/number_scan.h"
#include "runtime/rt/pattern.h"
#include "runtime/rt/zip.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef enum Symmetry { GENERAL, SYMMETRIC, SKEW, HERMITIAN } Symmetry;

typedef struct Reader {
    const DataFile *file;
    char *text;
    const char *at, *end;
    int64_t line; /* from 1 */
    locale_t plain;
    bool is_array, is_pattern;
    int32_t dtype;
    Symmetry symmetry;
    int64_t rows, columns, declared;
    int64_t *ends[2]; /* of the entries so far */
    char *values;
    int64_t count, room;
    gmxrt_buffer *buffers[3];
} Reader;

static const char *const hint = "a Matrix Market file has a line `%%MatrixMarket matrix …`, comments, a line "
                                "of sizes, and an entry per line";

static bool fail(const Reader *r, int32_t code, const char *what) {
    return data_fail(r->file->ctx, code, r->file->span, hint, "`%.300s`, line %lld: %s", r->file->path,
                     (long long)r->line, what);
}

/* ---- the text ------------------------------------------------------------------------------------------ */

static bool inflate_all(Reader *r, const char *packed, int64_t bytes) {
    const DataFile *file = r->file;
    const ZlibFunctions *zlib = zlib_functions(file->ctx, file->path, file->span);
    z_stream z = {.next_in = (Bytef *)packed, .avail_in = (uInt)bytes};
    int64_t room = bytes * 4 + 4096, length = 0;
    enum { GZIP = 16 };
    if (!zlib || bytes > UINT32_MAX ||
        zlib->inflate_init(&z, GZIP + MAX_WBITS, ZLIB_VERSION, (int)sizeof z) != Z_OK)
        return zlib ? fail(r, RT_E0403, "this gzip file cannot be read") : false;
    int result = Z_OK;
    r->text = malloc((size_t)room + 1);
    while (r->text && result == Z_OK) {
        if (length == room) {
            char *more = room < INT64_MAX / 4 ? realloc(r->text, (size_t)room * 2 + 1) : NULL;
            if (!more) {
                free(r->text);
                r->text = NULL;
                break;
            }
            r->text = more;
            room *= 2;
        }
        int64_t step = room - length < 1 << 30 ? room - length : 1 << 30;
        z.next_out = (Bytef *)r->text + length;
        z.avail_out = (uInt)step;
        result = zlib->inflate(&z, Z_NO_FLUSH);
        length += step - z.avail_out;
    }
    zlib->inflate_end(&z);
    r->at = r->text;
    r->end = r->text + length;
    if (!r->text)
        return gmxrt_fail(file->ctx, RT_E0306, file->span, "no memory to read `%.300s`", file->path), false;
    return result == Z_STREAM_END || data_fail_damaged(file, "`%.300s` is no complete gzip file", file->path);
}

static bool read_text(Reader *r) {
    int64_t bytes = r->file->bytes;
    char *raw = malloc((size_t)bytes + 1);
    if (!raw)
        return gmxrt_fail(r->file->ctx, RT_E0306, r->file->span, "no memory to read `%.300s`", r->file->path),
               false;
    bool ok = data_read(r->file, raw, bytes, 0);
    bool is_packed = ok && bytes > 2 && (unsigned char)raw[0] == 0x1f && (unsigned char)raw[1] == 0x8b;
    if (ok && is_packed) {
        ok = inflate_all(r, raw, bytes);
        free(raw);
    } else {
        r->text = raw;
        r->at = raw;
        r->end = raw + bytes;
    }
    if (ok)
        r->text[r->end - r->text] = '\n'; /* ends the last number */
    return ok;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == ',';
}

static void skip_blanks(Reader *r) {
    while (r->at < r->end && is_blank(*r->at))
        r->at++;
}

static bool at_line_end(Reader *r) {
    skip_blanks(r);
    return r->at == r->end || *r->at == '\n';
}

static void next_line(Reader *r) {
    while (r->at < r->end && *r->at != '\n')
        r->at++;
    if (r->at < r->end) {
        r->at++;
        r->line++;
    }
}

/* To the next line that has something; false at the end of the file. */
static bool begin_line(Reader *r) {
    while (r->at < r->end) {
        if (!at_line_end(r) && *r->at != '%')
            return true;
        next_line(r);
    }
    return false;
}

static int64_t word_length(const Reader *r) {
    const char *end = r->at;
    while (end < r->end && !is_blank(*end) && *end != '\n')
        end++;
    return end - r->at;
}

static bool read_word(Reader *r, const char *const *words, int count, int *which) {
    skip_blanks(r);
    int64_t length = word_length(r);
    for (*which = 0; *which < count; ++*which)
        if ((int64_t)strlen(words[*which]) == length && !strncasecmp(r->at, words[*which], (size_t)length)) {
            r->at += length;
            return true;
        }
    return false;
}

static bool read_integer(Reader *r, int64_t *out, const char *what) {
    if (at_line_end(r))
        return fail(r, RT_E0402, what);
    int64_t length = word_length(r);
    Number n = number_scan(r->at, length);
    if (n.kind != NUMBER_INTEGER)
        return fail(r, RT_E0402, what);
    *out = n.integer;
    r->at += length;
    return true;
}

static bool read_double(Reader *r, double *out) {
    if (at_line_end(r))
        return fail(r, RT_E0402, "a value is missing");
    int64_t length = word_length(r);
    Number n = number_scan(r->at, length);
    if (n.kind != NUMBER_INTEGER && n.kind != NUMBER_FLOAT)
        return fail(r, RT_E0402, "this is no number");
    *out = number_scanned_value(&n, r->at, r->plain);
    r->at += length;
    return true;
}

static bool end_line(Reader *r) {
    if (!at_line_end(r))
        return fail(r, RT_E0402, "something follows what belongs on this line");
    next_line(r);
    return true;
}

/* ---- the head ------------------------------------------------------------------------------------------ */

static bool read_banner(Reader *r) {
    static const char *const banner[] = {"%%MatrixMarket"}, *const object[] = {"matrix"};
    static const char *const formats[] = {"coordinate", "array"};
    static const char *const fields[] = {"real", "double", "integer", "complex", "pattern"};
    static const char *const symmetries[] = {"general", "symmetric", "skew-symmetric", "hermitian"};
    static const int32_t dtypes[] = {RT_f64, RT_f64, RT_i64, RT_c128, RT_f32};
    int which;
    r->line = 1;
    if (!read_word(r, banner, 1, &which))
        return fail(r, RT_E0403, "the file does not begin with `%%MatrixMarket`");
    if (!read_word(r, object, 1, &which))
        return fail(r, RT_E0403, "only an object `matrix` is read");
    if (!read_word(r, formats, 2, &which))
        return fail(r, RT_E0403, "the format is neither `coordinate` nor `array`");
    r->is_array = which == 1;
    if (!read_word(r, fields, 5, &which))
        return fail(r, RT_E0403, "the field is none of `real`, `integer`, `complex` and `pattern`");
    r->dtype = dtypes[which];
    r->is_pattern = which == 4;
    if (!read_word(r, symmetries, 4, &which))
        return fail(r, RT_E0403,
                    "the symmetry is none of `general`, `symmetric`, `skew-symmetric` and `hermitian`");
    r->symmetry = (Symmetry)which;
    if (r->is_array && r->is_pattern)
        return fail(r, RT_E0403, "an array has values: its field cannot be `pattern`");
    if (r->symmetry == HERMITIAN && r->dtype != RT_c128)
        return fail(r, RT_E0403, "a hermitian matrix is complex");
    if (r->symmetry == SKEW && r->is_pattern)
        return fail(r, RT_E0403, "a skew-symmetric matrix has values: its field cannot be `pattern`");
    return end_line(r);
}

/* Values of an array that are written: of a symmetric one the lower triangle. */
static int64_t array_entries(const Reader *r) {
    int64_t n = r->rows, count;
    if (r->symmetry == GENERAL)
        return __builtin_mul_overflow(r->rows, r->columns, &count) ? INT64_MAX : count;
    if (n > 1 << 30)
        return INT64_MAX;
    return r->symmetry == SKEW ? n * (n - 1) / 2 : n * (n + 1) / 2;
}

static bool read_sizes(Reader *r) {
    if (!begin_line(r))
        return fail(r, RT_E0402, "the file ends before the line of sizes");
    if (!read_integer(r, &r->rows, "the number of rows is missing or no integer") ||
        !read_integer(r, &r->columns, "the number of columns is missing or no integer"))
        return false;
    if (r->rows < 0 || r->columns < 0)
        return fail(r, RT_E0402, "a size is negative");
    if (r->symmetry != GENERAL && r->rows != r->columns)
        return fail(r, RT_E0402, "a matrix with a symmetry is square, this one has other sizes");
    if (r->is_array)
        r->declared = array_entries(r);
    else if (!read_integer(r, &r->declared, "the number of entries is missing or no integer"))
        return false;
    if (r->declared < 0)
        return fail(r, RT_E0402, "the number of entries is negative");
    if (r->declared > (r->end - r->at) / (r->is_array ? 2 : 4) + 1)
        return fail(r, RT_E0402, "more entries are declared than the file can hold");
    return end_line(r);
}

/* ---- entries ------------------------------------------------------------------------------------------- */

static bool make_room(Reader *r) {
    gmxrt_ctx *ctx = r->file->ctx;
    r->room = r->declared * (r->symmetry == GENERAL ? 1 : 2);
    for (int i = 0; i < 3; i++) {
        int64_t bytes = i < 2 ? 8 : rt_dtype_bytes(r->dtype);
        if (r->is_array && i < 2)
            continue;
        r->buffers[i] = gmxrt_buffer_new(ctx, r->room * bytes, r->file->span);
        if (!r->buffers[i])
            return false;
    }
    r->ends[0] = r->is_array ? NULL : r->buffers[0]->data;
    r->ends[1] = r->is_array ? NULL : r->buffers[1]->data;
    r->values = r->buffers[2]->data;
    return true;
}

static bool read_value(Reader *r, void *out) {
    double parts[2] = {0, 0};
    if (r->is_pattern) {
        *(float *)out = 1;
        return true;
    }
    if (r->dtype == RT_i64)
        return read_integer(r, out, "this is no integer that fits in 64 bits");
    if (!read_double(r, &parts[0]) || (r->dtype == RT_c128 && !read_double(r, &parts[1])))
        return false;
    memcpy(out, parts, (size_t)rt_dtype_bytes(r->dtype));
    return true;
}

/* The value of the mirrored entry. */
static void mirror(const Reader *r, const void *value, void *out) {
    memcpy(out, value, (size_t)rt_dtype_bytes(r->dtype));
    if (r->symmetry == SKEW && r->dtype == RT_i64)
        *(int64_t *)out = (int64_t)(0 - *(uint64_t *)out);
    else if (r->symmetry == SKEW)
        ((double *)out)[0] = -((double *)out)[0];
    if (r->dtype == RT_c128 && r->symmetry != SYMMETRIC)
        ((double *)out)[1] = -((double *)out)[1];
}

static void add_entry(Reader *r, int64_t row, int64_t column, const void *value) {
    r->ends[0][r->count] = row;
    r->ends[1][r->count] = column;
    memcpy(r->values + r->count++ * rt_dtype_bytes(r->dtype), value, (size_t)rt_dtype_bytes(r->dtype));
}

static bool read_entry(Reader *r) {
    int64_t row, column;
    double value[2], other[2];
    if (!read_integer(r, &row, "the row of an entry is missing or no integer") ||
        !read_integer(r, &column, "the column of an entry is missing or no integer"))
        return false;
    if (row < 1 || row > r->rows)
        return fail(r, RT_E0402, "the row of an entry is not between 1 and the number of rows");
    if (column < 1 || column > r->columns)
        return fail(r, RT_E0402, "the column of an entry is not between 1 and the number of columns");
    if (r->symmetry == SKEW && row == column)
        return fail(r, RT_E0402, "a skew-symmetric matrix has no entries on its diagonal");
    if (!read_value(r, value))
        return false;
    add_entry(r, row - 1, column - 1, value);
    if (r->symmetry != GENERAL && row != column) {
        mirror(r, value, other);
        add_entry(r, column - 1, row - 1, other);
    }
    return end_line(r);
}

static bool read_entries(Reader *r) {
    for (int64_t i = 0; i < r->declared; i++) {
        if ((i & 0xffff) == 0 && r->file->ctx->interrupt)
            return gmxrt_fail(r->file->ctx, RT_E0308, r->file->span, "interrupted"), false;
        if (!begin_line(r))
            return fail(r, RT_E0402, "the file ends before the last entry that is declared");
        if (!read_entry(r))
            return false;
    }
    return !begin_line(r) || fail(r, RT_E0402, "there are more entries than are declared");
}

/* ---- what is made of them ------------------------------------------------------------------------------ */

static void add_value(int32_t dtype, void *sum, const void *value) {
    if (dtype == RT_f32)
        *(float *)sum += *(const float *)value;
    else if (dtype == RT_i64)
        *(uint64_t *)sum += *(const uint64_t *)value;
    else
        for (int k = 0; k < (dtype == RT_c128 ? 2 : 1); k++)
            ((double *)sum)[k] += ((const double *)value)[k];
}

static bool finish_sparse(Reader *r, gmxrt_matrix *out) {
    gmxrt_ctx *ctx = r->file->ctx;
    gmxrt_buffer *pattern, *map;
    int64_t bytes = rt_dtype_bytes(r->dtype), index = r->room > INT32_MAX ? RT_i64 : RT_i32;
    gmxrt_view ends[2] = {
        {.data = r->ends[0], .dtype = RT_i64, .rank = 1, .shape = {r->count}, .strides = {1}},
        {.data = r->ends[1], .dtype = RT_i64, .rank = 1, .shape = {r->count}, .strides = {1}}};
    if (r->rows > INT32_MAX || r->columns > INT32_MAX)
        index = RT_i64;
    if (gmxrt_pattern_make(ctx, &ends[0], &ends[1], r->rows, r->columns, GMXRT_ORDER_ROWS,
                           GMXRT_REPEATS_MERGE, index, &pattern, &map, r->file->span))
        return false;
    const gmxrt_pattern *made = pattern_of(pattern);
    out->pattern = gmxrt_pattern_tensor(ctx, pattern);
    out->values = gmxrt_tensor_new(ctx, r->dtype, 1, &made->count, r->file->span);
    if (out->values)
        memset(out->values->data, 0, (size_t)(made->count * bytes));
    for (int64_t i = 0; out->values && i < r->count; i++)
        add_value(r->dtype, (char *)out->values->data + ((int64_t *)map->data)[i] * bytes,
                  r->values + i * bytes);
    if (r->is_pattern)
        for (int64_t i = 0; out->values && i < made->count; i++)
            ((float *)out->values->data)[i] = 1;
    gmxrt_buffer_release(map);
    gmxrt_buffer_release(pattern);
    return out->pattern && out->values;
}

/* Values column by column; of a matrix with a symmetry the lower triangle, without the diagonal of a skew
 * one. */
static bool read_array(Reader *r, gmxrt_matrix *out) {
    int64_t bytes = rt_dtype_bytes(r->dtype), shape[2] = {r->rows, r->columns};
    out->values = gmxrt_tensor_new(r->file->ctx, r->dtype, 2, shape, r->file->span);
    if (!out->values)
        return false;
    char *to = out->values->data;
    memset(to, 0, (size_t)(gmxrt_tensor_size(out->values) * bytes));
    for (int64_t column = 0; column < r->columns; column++) {
        int64_t first = r->symmetry == GENERAL ? 0 : column + (r->symmetry == SKEW);
        for (int64_t row = first; row < r->rows; row++) {
            double value[2];
            if (!begin_line(r))
                return fail(r, RT_E0402, "the file ends before the last value");
            if (!read_value(r, value) || !end_line(r))
                return false;
            memcpy(to + (row * r->columns + column) * bytes, value, (size_t)bytes);
            if (r->symmetry != GENERAL && row != column)
                mirror(r, value, to + (column * r->columns + row) * bytes);
        }
    }
    return !begin_line(r) || fail(r, RT_E0402, "there are more values than the sizes say");
}

static bool read_matrix(Reader *r, gmxrt_matrix *out) {
    if (!read_text(r) || !read_banner(r) || !read_sizes(r))
        return false;
    if (r->is_array)
        return read_array(r, out);
    return make_room(r) && read_entries(r) && finish_sparse(r, out);
}

bool gmxrt_is_matrix_file(const char *path) {
    size_t length = strlen(path);
    return (length >= 4 && !strcasecmp(path + length - 4, ".mtx")) ||
           (length >= 7 && !strcasecmp(path + length - 7, ".mtx.gz"));
}

void gmxrt_matrix_free(gmxrt_matrix *matrix) {
    gmxrt_tensor_release(matrix->pattern);
    gmxrt_tensor_release(matrix->values);
    *matrix = (gmxrt_matrix){0};
}

int32_t gmxrt_matrix_load(gmxrt_ctx *ctx, const char *path, gmxrt_matrix *out, uint64_t span) {
    DataFile file;
    *out = (gmxrt_matrix){0};
    if (!data_open(ctx, path, span, &file))
        return 1;
    Reader r = {.file = &file, .plain = newlocale(LC_ALL_MASK, "C", (locale_t)0)};
    bool ok = r.plain ? read_matrix(&r, out)
                      : (gmxrt_fail(ctx, RT_E0306, span, "no memory to read `%.300s`", path), false);
    if (r.plain)
        freelocale(r.plain);
    free(r.text);
    for (int i = 0; i < 3; i++)
        gmxrt_buffer_release(r.buffers[i]);
    data_close(&file);
    if (!ok)
        gmxrt_matrix_free(out);
    return !ok;
}
