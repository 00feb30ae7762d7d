/* .csv and .tsv: tables of numbers, read exactly and written with the fewest digits that give them back.
 *
 * A table's rows have equally many fields.  The first row is a header, and passed over, where no field of
 * it is a plain number.  Lines that are blank or begin with `#` are passed over too.  A field may stand
 * in quotes ("" inside is one); an empty one is NaN.  The array is i64 where every field is an integer
 * that fits, else f64; one column gives one axis, more give two.  Numbers do not depend on the locale. */
#include "runtime/rt/internal.h"

#include "runtime/rt/data_file.h"
#include "runtime/rt/number_scan.h"
#include "runtime/rt/text.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- fields ----------------------------------------------------------------------------------- */

typedef struct Cursor {
    const DataFile *file;
    const char *at, *end;
    int64_t line; /* from 1 */
    char delimiter;
} Cursor;

typedef struct Field {
    const char *text;
    int64_t length;
    bool is_quoted;
    bool ends_row;
} Field;

static bool is_blank(const Cursor *c, char byte) {
    return byte == ' ' || (byte == '\t' && c->delimiter != '\t');
}

static bool is_line_end(char byte) {
    return byte == '\n' || byte == '\r';
}

static void skip_line_end(Cursor *c) {
    if (c->at < c->end && *c->at == '\r') {
        c->at += c->end - c->at > 1 && c->at[1] == '\n' ? 2 : 1;
        c->line++;
    } else if (c->at < c->end && *c->at == '\n') {
        c->at++;
        c->line++;
    }
}

/* Goes to the first field of the next row; false at the end of the file. */
static bool begin_row(Cursor *c) {
    while (c->at < c->end) {
        const char *at = c->at;
        while (at < c->end && is_blank(c, *at)) {
            at++;
        }
        if (at < c->end && *at == '#') {
            while (at < c->end && !is_line_end(*at)) {
                at++;
            }
        } else if (at < c->end && !is_line_end(*at)) {
            return true;
        }
        c->at = at;
        skip_line_end(c);
    }
    return false;
}

/* What stands between the quotes; false where the closing one is missing. */
static bool read_quoted(Cursor *c, Field *field) {
    field->is_quoted = true;
    field->text = ++c->at;
    while (c->at < c->end && (*c->at != '"' || (c->end - c->at > 1 && c->at[1] == '"'))) {
        if (*c->at == '"') {
            c->at += 2;
        } else if (is_line_end(*c->at)) {
            skip_line_end(c);
        } else {
            c->at++;
        }
    }
    field->length = c->at - field->text;
    if (c->at == c->end) {
        return false;
    }
    c->at++;
    while (c->at < c->end && is_blank(c, *c->at)) {
        c->at++;
    }
    return true;
}

static void read_plain(Cursor *c, Field *field) {
    field->text = c->at;
    while (c->at < c->end && *c->at != c->delimiter && !is_line_end(*c->at)) {
        c->at++;
    }
    field->length = c->at - field->text;
    while (field->length && is_blank(c, field->text[field->length - 1])) {
        field->length--;
    }
}

/* The next field of the row, and past the delimiter or the end of the line; false after an error. */
static bool next_field(Cursor *c, Field *field) {
    int64_t line = c->line;
    *field = (Field){0};
    while (c->at < c->end && is_blank(c, *c->at)) {
        c->at++;
    }
    if (c->at == c->end || *c->at != '"') {
        read_plain(c, field);
    } else if (!read_quoted(c, field)) {
        return data_fail_damaged(c->file, "`%.300s`, line %lld: a quoted field has no closing quote",
                                 c->file->path, (long long)line);
    }
    if (c->at < c->end && *c->at == c->delimiter) {
        c->at++;
        return true;
    }
    if (c->at < c->end && !is_line_end(*c->at)) {
        return data_fail_damaged(c->file, "`%.300s`, line %lld: something follows a closing quote",
                                 c->file->path, (long long)c->line);
    }
    field->ends_row = true;
    skip_line_end(c);
    return true;
}

/* ---- numbers ---------------------------------------------------------------------------------- */

static Number scan_field(const Field *field) {
    Number n = number_scan(field->text, field->length);
    if (field->length == 0 && !field->is_quoted) {
        n.kind = NUMBER_EMPTY;
    }
    return n;
}

static double field_value(const Number *n, const Field *field, locale_t plain) {
    return n->kind == NUMBER_EMPTY ? NAN : number_scanned_value(n, field->text, plain);
}

/* ---- reading ---------------------------------------------------------------------------------- */

typedef struct Table {
    Cursor body; /* at the first row of numbers */
    int64_t rows, columns;
    int64_t first_line; /* of the row that set the number of columns */
    bool is_integer;
} Table;

static bool fail_row(const Cursor *c, const Table *table, int64_t line, int64_t fields) {
    return data_fail(c->file->ctx, RT_E0402, c->file->span,
                     "the rows of a table have equally many fields; an empty one is NaN",
                     "`%.300s`: line %lld has %lld field%s, line %lld has %lld", c->file->path,
                     (long long)line, (long long)fields, fields == 1 ? "" : "s", (long long)table->first_line,
                     (long long)table->columns);
}

static bool fail_text(const Cursor *c, const Field *field, int64_t line, int64_t column) {
    char quote[DATA_QUOTE_MAX];
    char other = c->delimiter == ',' ? '\t' : ',';
    bool separated =
        memchr(field->text, ';', (size_t)field->length) || memchr(field->text, other, (size_t)field->length);
    return data_fail(c->file->ctx, RT_E0403, c->file->span,
                     separated ? "fields are separated by commas in .csv and by tabs in .tsv"
                               : "only numbers, nan, inf and one header line without numbers are read",
                     "`%.300s`, line %lld: field %lld, `%s`, is no number", c->file->path, (long long)line,
                     (long long)column + 1, data_quote(quote, field->text, field->length));
}

/* The first row: how many fields, and whether they are names. */
static bool read_first_row(Cursor *c, Table *table, bool *is_header) {
    bool any_text = false, any_number = false;
    Field field = {0};
    table->first_line = c->line;
    for (table->columns = 0; !field.ends_row; table->columns++) {
        if (!next_field(c, &field)) {
            return false;
        }
        NumberKind kind = scan_field(&field).kind;
        any_number = any_number || (!field.is_quoted && kind >= NUMBER_INTEGER);
        any_text = any_text || field.is_quoted || kind == NUMBER_TEXT;
    }
    *is_header = any_text && !any_number;
    return true;
}

static bool check_row(Cursor *c, Table *table) {
    Field field = {0};
    int64_t line = c->line, column = 0;
    for (; !field.ends_row; column++) {
        int64_t field_line = c->line;
        if (!next_field(c, &field)) {
            return false;
        }
        NumberKind kind = scan_field(&field).kind;
        if (kind == NUMBER_TEXT) {
            return fail_text(c, &field, field_line, column);
        }
        table->is_integer = table->is_integer && kind == NUMBER_INTEGER;
    }
    table->rows++;
    return column == table->columns || fail_row(c, table, line, column);
}

static bool is_interrupted(const DataFile *file) {
    if (file->ctx->interrupt) {
        gmxrt_fail(file->ctx, RT_E0308, file->span, "interrupted");
        return true;
    }
    return false;
}

/* Looks at every field once: the table's size and kind. */
static bool measure(const DataFile *file, const char *text, char delimiter, Table *table) {
    Cursor c = {.file = file, .at = text, .end = text + file->bytes, .line = 1, .delimiter = delimiter};
    bool is_header = false;
    if (file->bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        c.at += 3;
    }
    *table = (Table){.body = c, .is_integer = true};
    if (begin_row(&c)) {
        table->body = c;
        if (!read_first_row(&c, table, &is_header)) {
            return false;
        }
        c = is_header ? c : table->body;
        table->body = c;
    }
    while (begin_row(&c)) {
        if (is_interrupted(file) || !check_row(&c, table)) {
            return false;
        }
    }
    table->is_integer = table->is_integer && table->rows;
    return true;
}

static void fill(const Table *table, void *data, locale_t plain) {
    Cursor c = table->body;
    Field field;
    for (int64_t i = 0; begin_row(&c);) {
        do {
            if (!next_field(&c, &field)) {
                return; /* measure() has read all of it */
            }
            Number n = scan_field(&field);
            if (table->is_integer) {
                ((int64_t *)data)[i++] = n.integer;
            } else {
                ((double *)data)[i++] = field_value(&n, &field, plain);
            }
        } while (!field.ends_row);
    }
}

static bool make_array(const DataFile *file, const Table *table, gmxrt_arrays *out) {
    gmxrt_array *array = arrays_add(file, out, "", 0);
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!array || !plain) {
        gmxrt_fail(file->ctx, RT_E0306, file->span, "no memory to read `%.300s`", file->path);
    } else {
        array->dtype = table->is_integer ? RT_i64 : RT_f64;
        array->rank = table->columns > 1 ? 2 : 1;
        array->shape[0] = table->rows;
        array->shape[1] = table->columns;
        array->tensor = gmxrt_tensor_new(file->ctx, array->dtype, array->rank, array->shape, file->span);
        if (array->tensor) {
            fill(table, array->tensor->data, plain);
        }
    }
    if (plain) {
        freelocale(plain);
    }
    return array && array->tensor;
}

bool csv_read(const DataFile *file, char delimiter, gmxrt_arrays *out) {
    Table table;
    gmxrt_buffer *buffer = gmxrt_buffer_new(file->ctx, file->bytes + 1, file->span);
    if (!buffer) {
        return false;
    }
    char *text = buffer->data;
    bool ok = data_read(file, text, file->bytes, 0);
    text[file->bytes] = '\0'; /* ends the last number */
    ok = ok && measure(file, text, delimiter, &table) && make_array(file, &table, out);
    gmxrt_buffer_release(buffer);
    return ok;
}

/* ---- writing ---------------------------------------------------------------------------------- */

enum { FLUSH_BYTES = 1 << 16 };

static bool append_element(DataOutput *output, gmxrt_text *text, const void *element, int32_t dtype) {
    if (dtype == RT_bool) {
        text_append(text, *(const uint8_t *)element ? "1" : "0", 1);
        return true;
    }
    return number_format(output->ctx, text, element, dtype, "", 0, output->span) == 0;
}

bool csv_write(DataOutput *output, char delimiter, const gmxrt_view *x) {
    if (x->rank > 2 || rt_dtype_info[x->dtype].kind == RT_COMPLEX) {
        gmxrt_fail(output->ctx, RT_E0204, output->span,
                   "`%.300s` would hold a table: at most 2 axes of real numbers, not %d of %s", output->path,
                   x->rank, rt_dtype_info[x->dtype].name);
        return false;
    }
    int64_t rows = x->rank ? x->shape[0] : 1, columns = x->rank == 2 ? x->shape[1] : 1;
    int64_t row_stride = x->rank ? x->strides[0] : 0, column_stride = x->rank == 2 ? x->strides[1] : 0;
    gmxrt_text text = {0};
    bool ok = true;
    for (int64_t i = 0; ok && columns && i < rows; i++) {
        for (int64_t j = 0; ok && j < columns; j++) {
            const char *element =
                (const char *)x->data + (i * row_stride + j * column_stride) * rt_dtype_bytes(x->dtype);
            text_append(&text, &delimiter, j > 0);
            ok = append_element(output, &text, element, x->dtype);
        }
        text_append(&text, "\n", 1);
        if (text.length >= FLUSH_BYTES || i + 1 == rows) {
            output_write(output, text.data, (int64_t)text.length);
            text.length = 0;
        }
    }
    if (text.failed && ok) {
        gmxrt_fail(output->ctx, RT_E0306, output->span, "no memory to write `%.300s`", output->path);
    }
    ok = ok && !text.failed;
    gmxrt_text_free(&text);
    return ok;
}
