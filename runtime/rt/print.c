/* Tensors as NumPy prints arrays (numpy/core/arrayprint.py with its default options: precision 8,
 * threshold 1000, 3 edge items, lines of 75), and print templates. */
#include "runtime/rt/internal.h"

#include "runtime/rt/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PRECISION = 8, THRESHOLD = 1000, EDGE_ITEMS = 3, LINE_WIDTH = 75 };

/* How the elements of one tensor are written, found by looking at all that are shown. */
typedef struct Layout Layout;
struct Layout {
    gmxrt_ctx *ctx;
    const gmxrt_view *view;
    bool summary;
    const char *spec;
    size_t spec_length;
    uint64_t span;
    int32_t width; /* integers, bools and formatted elements: to the right in so many characters */
    bool scientific;
    int32_t pad_left, pad_right; /* characters before and after a float's point */
    int32_t precision;           /* scientific: digits after the point, for all */
    int32_t exponent_digits;
    /* gathered */
    bool any_finite, any_special, any_negative_inf, any_nonzero;
    double greatest, least; /* magnitudes that are not 0 */
    bool failed;
    bool plus;     /* floats: a sign in any case */
    Layout *parts; /* complex elements: of the real and of the imaginary parts */
};

typedef void (*Visitor)(Layout *layout, const void *element);

/* Calls `visit` for each element that will be shown. */
static void visit_shown(Layout *layout, Visitor visit, int32_t axis, const char *at) {
    const gmxrt_view *view = layout->view;
    if (axis == view->rank) {
        visit(layout, at);
        return;
    }
    int64_t step = view->strides[axis] * rt_dtype_bytes(view->dtype), extent = view->shape[axis];
    bool cut = layout->summary && extent > 2 * EDGE_ITEMS;
    for (int64_t i = 0; i < extent; i++) {
        if (cut && i == EDGE_ITEMS) {
            i = extent - EDGE_ITEMS;
        }
        visit_shown(layout, visit, axis + 1, at + i * step);
    }
}

static int32_t larger(int32_t a, int32_t b) {
    return a > b ? a : b;
}

/* ---- floats -------------------------------------------------------------------------------- */

static void gather_range(Layout *layout, const void *element) {
    double value = element_double(element, layout->view->dtype), magnitude = fabs(value);
    if (!isfinite(value)) {
        layout->any_special = true;
        layout->any_negative_inf |= isinf(value) && value < 0;
        return;
    }
    layout->any_finite = true;
    if (magnitude != 0) {
        layout->greatest =
            !layout->any_nonzero || magnitude > layout->greatest ? magnitude : layout->greatest;
        layout->least = !layout->any_nonzero || magnitude < layout->least ? magnitude : layout->least;
        layout->any_nonzero = true;
    }
}

/* The quotient as NumPy computes it: in the dtype of the data. */
static double range_ratio(const Layout *layout) {
    switch (layout->view->dtype) {
    case RT_f64:
        return layout->greatest / layout->least;
    case RT_f16:
        return (double)gmxrt_f16_to_f32(gmxrt_f64_to_f16(layout->greatest / layout->least));
    default:
        return (double)((float)layout->greatest / (float)layout->least);
    }
}

/* A float with at most PRECISION digits after the point, no more than are needed: zeros at the end
 * are dropped, the point stays.  Before the point all digits are exact. */
static void append_trimmed(gmxrt_text *text, const Layout *layout, double magnitude) {
    Digits digits = digits_shortest(magnitude, layout->view->dtype);
    int32_t after = digits.count - 1 - (layout->scientific ? 0 : digits.exponent);
    if (after >= 0 && after <= PRECISION && !layout->scientific) {
        digits_positional(text, &digits);
        return;
    }
    if (after >= 0 && after <= PRECISION) {
        text_append(text, digits.text, 1);
        text_append(text, ".", 1);
        text_append(text, digits.text + 1, (size_t)digits.count - 1);
        return;
    }
    size_t begin = text->length;
    number_printf(text, layout->scientific ? 'e' : 'f', true, after < 0 ? 0 : PRECISION, magnitude);
    if (text->failed) {
        return;
    }
    char *mark = memchr(text->data + begin, 'e', text->length - begin);
    size_t end = mark ? (size_t)(mark - text->data) : text->length;
    while (end > begin && text->data[end - 1] == '0') {
        end--; /* stops at the point */
    }
    text->length = end;
    text->data[end] = '\0';
}

static void measure_float(Layout *layout, const void *element) {
    double value = element_double(element, layout->view->dtype);
    if (!isfinite(value)) {
        return;
    }
    gmxrt_text text = {0};
    append_trimmed(&text, layout, fabs(value));
    layout->failed |= text.failed;
    if (!text.failed) {
        const char *point = strchr(text.data, '.');
        int32_t before = (int32_t)(point - text.data) + (layout->plus || signbit(value) != 0);
        layout->pad_left = larger(layout->pad_left, before);
        layout->pad_right = larger(layout->pad_right, (int32_t)strlen(point + 1));
    }
    if (layout->scientific && value != 0) {
        gmxrt_text whole = {0};
        number_printf(&whole, 'e', false, PRECISION, fabs(value)); /* rounding may raise the exponent */
        Digits digits = digits_shortest(fabs(value), layout->view->dtype);
        int32_t exponent = digits.exponent;
        if (digits.count - 1 > PRECISION && !whole.failed) {
            int parsed = 0;
            sscanf(strchr(whole.data, 'e') + 1, "%d", &parsed);
            exponent = parsed;
        }
        gmxrt_text_free(&whole);
        layout->exponent_digits =
            larger(layout->exponent_digits, exponent <= -100 || exponent >= 100 ? 3 : 2);
    }
    gmxrt_text_free(&text);
}

static void plan_floats(Layout *layout) {
    const gmxrt_view *view = layout->view;
    visit_shown(layout, gather_range, 0, view->data);
    layout->scientific = layout->any_nonzero &&
                         (layout->greatest >= 1e8 || layout->least < 0.0001 || range_ratio(layout) > 1000);
    layout->exponent_digits = 2;
    visit_shown(layout, measure_float, 0, view->data);
    if (layout->any_finite && layout->scientific) {
        layout->precision = layout->pad_right;
        layout->pad_right = layout->exponent_digits + 2 + layout->precision;
    }
    if (layout->any_special) {
        int32_t offset = layout->pad_right + 1;
        layout->pad_left = larger(layout->pad_left, 3 - offset);
        layout->pad_left = larger(layout->pad_left, 3 + (layout->plus || layout->any_negative_inf) - offset);
    }
}

/* d.ddde+xx with the layout's number of digits: the shortest ones where they are as many, else
 * exact ones. */
static void append_scientific(gmxrt_text *text, const Layout *layout, double magnitude) {
    Digits digits = digits_shortest(magnitude, layout->view->dtype);
    char exponent[16];
    int parsed = digits.exponent;
    if (digits.count - 1 == layout->precision) {
        text_append(text, digits.text, 1);
        text_append(text, ".", 1);
        text_append(text, digits.text + 1, (size_t)layout->precision);
    } else {
        size_t begin = text->length;
        number_printf(text, 'e', true, layout->precision, magnitude);
        if (text->failed) {
            return;
        }
        const char *mark = strchr(text->data + begin, 'e');
        sscanf(mark + 1, "%d", &parsed);
        text->length = (size_t)(mark - text->data);
    }
    int length = snprintf(exponent, sizeof exponent, "e%c%0*d", parsed < 0 ? '-' : '+',
                          (int)layout->exponent_digits, parsed < 0 ? -parsed : parsed);
    text_append(text, exponent, (size_t)length);
}

static void append_float(gmxrt_text *text, const Layout *layout, double value) {
    if (!isfinite(value)) {
        const char *word = isnan(value) ? "+nan" : value < 0 ? "-inf" : "+inf";
        word += !layout->plus && word[0] == '+';
        int32_t padding = layout->pad_left + layout->pad_right + 1 - (int32_t)strlen(word);
        text_fill(text, ' ', (size_t)larger(padding, 0));
        text_append(text, word, strlen(word));
        return;
    }
    gmxrt_text number = {0};
    text_fill(&number, signbit(value) ? '-' : '+', layout->plus || signbit(value) != 0);
    if (layout->scientific) {
        append_scientific(&number, layout, fabs(value));
    } else {
        append_trimmed(&number, layout, fabs(value));
    }
    if (!number.failed) {
        int32_t before = (int32_t)(strchr(number.data, '.') - number.data);
        int32_t after = (int32_t)number.length - before - 1;
        text_fill(text, ' ', (size_t)larger(layout->pad_left - before, 0));
        text_append(text, number.data, number.length);
        text_fill(text, ' ', layout->scientific ? 0 : (size_t)larger(layout->pad_right - after, 0));
    }
    text->failed |= number.failed;
    gmxrt_text_free(&number);
}

/* ---- elements ------------------------------------------------------------------------------ */

static void measure_width(Layout *layout, const void *element) {
    gmxrt_text text = {0};
    layout->failed |= number_format(layout->ctx, &text, element, layout->view->dtype, layout->spec,
                                    layout->spec_length, layout->span) != 0;
    layout->failed |= text.failed;
    layout->width = larger(layout->width, (int32_t)text.length);
    gmxrt_text_free(&text);
}

static bool is_float_layout(const Layout *layout) {
    return layout->spec_length == 0 && rt_dtype_info[layout->view->dtype].kind == RT_FLOAT;
}

static bool is_complex_layout(const Layout *layout) {
    return layout->spec_length == 0 && rt_dtype_is_complex(layout->view->dtype);
}

/* Both parts in columns of their own; the `j` follows the last digit. */
static void append_complex(gmxrt_text *text, const Layout *layout, const char *element) {
    int32_t part = layout->parts->view->dtype;
    gmxrt_text imaginary = {0};
    append_float(text, &layout->parts[0], element_double(element, part));
    append_float(&imaginary, &layout->parts[1], element_double(element + rt_dtype_bytes(part), part));
    size_t digits = imaginary.length;
    while (digits > 0 && imaginary.data[digits - 1] == ' ') {
        digits--;
    }
    text_append(text, imaginary.data ? imaginary.data : "", digits);
    text_append(text, "j", 1);
    text_fill(text, ' ', imaginary.length - digits);
    text->failed |= imaginary.failed;
    gmxrt_text_free(&imaginary);
}

static void append_element(gmxrt_text *text, Layout *layout, const void *element) {
    if (is_complex_layout(layout)) {
        append_complex(text, layout, element);
        return;
    }
    if (is_float_layout(layout)) {
        append_float(text, layout, element_double(element, layout->view->dtype));
        return;
    }
    gmxrt_text word = {0};
    number_format(layout->ctx, &word, element, layout->view->dtype, layout->spec, layout->spec_length,
                  layout->span);
    text_fill(text, ' ', (size_t)larger(layout->width - (int32_t)word.length, 0));
    text_append(text, word.data ? word.data : "", word.length);
    text->failed |= word.failed;
    gmxrt_text_free(&word);
}

/* ---- rows and brackets --------------------------------------------------------------------- */

static size_t column_of(const gmxrt_text *text, size_t start) {
    size_t column = 0;
    while (text->length - column > start && text->data[text->length - column - 1] != '\n') {
        column++;
    }
    return column;
}

/* Appends a word to the current line, or to a new one where it would pass the right margin. */
static void append_word(gmxrt_text *text, const Layout *layout, size_t start, const gmxrt_text *word) {
    if (text->failed || word->failed) {
        text->failed = true;
        return;
    }
    size_t indent = (size_t)layout->view->rank, column = column_of(text, start);
    if (column + word->length > LINE_WIDTH - indent && column > indent) {
        while (text->data[text->length - 1] == ' ') {
            text->length--;
        }
        text_append(text, "\n", 1);
        text_fill(text, ' ', indent);
    }
    text_append(text, word->data, word->length);
}

static void append_row(gmxrt_text *text, Layout *layout, size_t start, const char *at) {
    const gmxrt_view *view = layout->view;
    int32_t axis = view->rank - 1;
    int64_t step = view->strides[axis] * rt_dtype_bytes(view->dtype), extent = view->shape[axis];
    bool cut = layout->summary && extent > 2 * EDGE_ITEMS;
    for (int64_t i = 0; i < extent; i++) {
        text_fill(text, ' ', i > 0);
        gmxrt_text word = {0};
        if (cut && i == EDGE_ITEMS) {
            text_append(&word, "...", 3);
            i = extent - EDGE_ITEMS - 1;
        } else {
            append_element(&word, layout, at + i * step);
        }
        append_word(text, layout, start, &word);
        gmxrt_text_free(&word);
    }
}

static void append_axes(gmxrt_text *text, Layout *layout, size_t start, int32_t axis, const char *at) {
    const gmxrt_view *view = layout->view;
    text_append(text, "[", 1);
    if (axis == view->rank - 1) {
        append_row(text, layout, start, at);
        text_append(text, "]", 1);
        return;
    }
    int64_t step = view->strides[axis] * rt_dtype_bytes(view->dtype), extent = view->shape[axis];
    bool cut = layout->summary && extent > 2 * EDGE_ITEMS;
    for (int64_t i = 0; i < extent; i++) {
        if (i > 0) {
            text_fill(text, '\n', (size_t)(view->rank - axis - 1));
            text_fill(text, ' ', (size_t)axis + 1);
        }
        if (cut && i == EDGE_ITEMS) {
            text_append(text, "...", 3);
            i = extent - EDGE_ITEMS - 1;
        } else {
            append_axes(text, layout, start, axis + 1, at + i * step);
        }
    }
    text_append(text, "]", 1);
}

static int32_t finish(gmxrt_ctx *ctx, const gmxrt_text *text, uint64_t span) {
    return text->failed ? gmxrt_fail(ctx, RT_E0306, span, "no memory for the printed text") : 0;
}

/* The layouts of both parts of complex elements, in parts and views of them that the caller has room for. */
static void plan_complex(Layout *layout, Layout *parts, gmxrt_view *views) {
    layout->parts = parts;
    for (int32_t part = 0; part < 2; part++) {
        gmxrt_view *view = &views[part];
        *view = *layout->view;
        view->dtype = rt_dtype_part(view->dtype);
        view->data = (char *)view->data + part * rt_dtype_bytes(view->dtype);
        for (int32_t k = 0; k < view->rank; k++) {
            view->strides[k] *= 2;
        }
        parts[part] = *layout;
        parts[part].view = view;
        parts[part].plus = part == 1;
        plan_floats(&parts[part]);
        layout->failed |= parts[part].failed;
    }
}

int32_t gmxrt_format(gmxrt_ctx *ctx, gmxrt_text *text, const gmxrt_view *x, const char *spec, size_t length,
                     uint64_t span) {
    if (!rt_dtype_valid(x->dtype)) {
        return gmxrt_fail(ctx, RT_E0502, span, "a value of no dtype is printed");
    }
    if (x->rank == 0) {
        return number_format(ctx, text, x->data, x->dtype, spec, length, span) || finish(ctx, text, span);
    }
    int64_t size = view_size(x);
    if (size == 0) {
        text_append(text, "[]", 2);
        return finish(ctx, text, span);
    }
    Layout layout = {.ctx = ctx,
                     .view = x,
                     .summary = size > THRESHOLD || size < 0,
                     .spec = spec,
                     .spec_length = length,
                     .span = span};
    Layout parts[2];
    gmxrt_view part_views[2];
    if (is_float_layout(&layout)) {
        plan_floats(&layout);
    } else if (is_complex_layout(&layout)) {
        plan_complex(&layout, parts, part_views);
    } else {
        visit_shown(&layout, measure_width, 0, x->data);
        layout.width = x->dtype == RT_bool && length == 0 ? 5 : layout.width;
    }
    if (layout.failed) {
        return ctx->error.code ? 1 : gmxrt_fail(ctx, RT_E0306, span, "no memory for the printed text");
    }
    append_axes(text, &layout, text->length, 0, x->data);
    return finish(ctx, text, span);
}

/* ---- templates ----------------------------------------------------------------------------- */

/* String number `wanted` of those between begin and end, which \x05 separates. */
static void append_choice(gmxrt_text *text, const char *begin, const char *end, int64_t wanted) {
    const char *next;
    for (; wanted > 0 && (next = memchr(begin, '\x05', (size_t)(end - begin))); wanted--) {
        begin = next + 1;
    }
    next = memchr(begin, '\x05', (size_t)(end - begin));
    text_append(text, begin, (size_t)((next ? next : end) - begin));
}

int32_t gmxrt_format_template(gmxrt_ctx *ctx, gmxrt_text *text, const char *format, int32_t count,
                              const gmxrt_view *values, uint64_t span) {
    const char *at = format;
    while (*at) {
        size_t plain = strcspn(at, "\x01");
        text_append(text, at, plain);
        at += plain;
        if (!*at) {
            break;
        }
        int32_t number = (uint8_t)at[1] - 1;
        bool is_choice = number >= 0 && at[2] == '\x04';
        const char *spec = at + 3;
        const char *end = is_choice || (number >= 0 && at[2] == '\x02') ? strchr(spec, '\x03') : NULL;
        if (!end || number >= count) {
            return gmxrt_fail(ctx, RT_E0502, span, "a malformed print template");
        }
        if (is_choice) {
            append_choice(text, spec, end, *(const int64_t *)values[number].data);
            at = end + 1;
            continue;
        }
        if (gmxrt_format(ctx, text, &values[number], spec, (size_t)(end - spec), span) != 0) {
            return 1;
        }
        at = end + 1;
    }
    return finish(ctx, text, span);
}

int32_t gmxrt_print(gmxrt_ctx *ctx, const char *format, int32_t count, const gmxrt_view *values,
                    uint64_t span) {
    gmxrt_text text = {0};
    size_t prefix = sizeof GMXRT_SHOW_PROGRESS - 1;
    if (!strncmp(format, GMXRT_SHOW_PROGRESS, prefix) && count == 2) {
        progress_step(ctx, format + prefix, *(const int64_t *)values[0].data,
                      *(const int64_t *)values[1].data, span);
        return 0;
    }
    bool is_report = !strncmp(format, GMXRT_SHOW_REPORT, prefix);
    format += is_report ? prefix : 0;
    int32_t failed = gmxrt_format_template(ctx, &text, format, count, values, span);
    if (!failed && is_report) {
        progress_report(ctx, text.data ? text.data : "", text.length);
        gmxrt_text_free(&text);
        return 0;
    }
    if (!failed) {
        progress_make_room(ctx);
        text_append(&text, "\n", 1);
        failed = finish(ctx, &text, span);
    }
    if (!failed) {
        if (ctx->write) {
            ctx->write(ctx->user, text.data, text.length);
        } else {
            fwrite(text.data, 1, text.length, stdout);
        }
    }
    gmxrt_text_free(&text);
    return failed;
}
