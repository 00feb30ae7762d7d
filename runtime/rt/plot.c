/* Curves over their index, as an SVG file or as lines of braille characters. */
#include "runtime/rt/internal.h"

#include "runtime/rt/data_file.h"
#include "runtime/rt/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 640, HEIGHT = 400, LEFT = 72, RIGHT = 16, TOP = 16, BOTTOM = 36 };
enum { COLUMNS = 64, ROWS = 16, TICKS_MAX = 24, COLOURS = 8 };
/* Positive values that span more than this stand on a logarithmic axis. */
#define LOG_RATIO 1e3

static const char *const colours[COLOURS] = {"#1f77b4", "#d62728", "#2ca02c", "#ff7f0e",
                                             "#9467bd", "#8c564b", "#17becf", "#7f7f7f"};

typedef struct Axis {
    double low, high; /* of what is drawn: logarithms on a logarithmic axis */
    bool is_log;
    int32_t count;
    double ticks[TICKS_MAX]; /* values */
} Axis;

typedef struct Plot {
    int64_t count;
    const char *const *names; /* or NULL */
    const gmxrt_view *curves;
    Axis x, y;
} Plot;

static double value_at(const gmxrt_view *curve, int64_t i) {
    return ((const double *)curve->data)[i * curve->strides[0]];
}

/* A value as a place on the axis. */
static double placed(const Axis *axis, double value) {
    return axis->is_log ? log10(value) : value;
}

/* From 0 to 1 between the ends of the axis. */
static double share(const Axis *axis, double value) {
    return (placed(axis, value) - axis->low) / (axis->high - axis->low);
}

/* ---- axes ------------------------------------------------------------------------------------- */

/* The smallest of 1, 2, 5 times a power of ten that is at least x. */
static double round_step(double x) {
    double power = pow(10, floor(log10(x)));
    double digit = x / power;
    return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}

static void add_ticks(Axis *axis, int32_t wanted, double least) {
    double step = round_step((axis->high - axis->low) / wanted);
    step = step < least ? least : step;
    for (double k = ceil(axis->low / step - 1e-9); axis->count < TICKS_MAX; k++) {
        double at = k * step + 0.0; /* no -0 */
        if (!(at <= axis->high + step * 1e-9)) {
            return;
        }
        axis->ticks[axis->count++] = axis->is_log ? pow(10, at) : at;
    }
}

static void finish_axis(Axis *axis, double low, double high) {
    if (!(low <= high)) { /* nothing to show */
        low = 0;
        high = 1;
    }
    axis->is_log = axis->is_log && low > 0 && high / low > LOG_RATIO;
    axis->low = placed(axis, low);
    axis->high = placed(axis, high);
    if (!(axis->high - axis->low > 1e-12 * fabs(axis->high))) {
        double half = axis->low == 0 ? 1 : 0.5 * fabs(axis->low);
        axis->low -= half;
        axis->high += half;
    }
}

static void scale(Plot *plot) {
    double low = INFINITY, high = -INFINITY, longest = 0;
    for (int64_t k = 0; k < plot->count; k++) {
        int64_t length = plot->curves[k].shape[0];
        longest = fmax(longest, (double)(length - 1));
        for (int64_t i = 0; i < length; i++) {
            double v = value_at(&plot->curves[k], i);
            if (fabs(v) <= 1e300) { /* the difference of two is finite */
                low = fmin(low, v);
                high = fmax(high, v);
            }
        }
    }
    finish_axis(&plot->x, 0, longest > 0 ? longest : 1);
    plot->y.is_log = true;
    finish_axis(&plot->y, low, high);
    double margin = 0.04 * (plot->y.high - plot->y.low);
    plot->y.low -= margin;
    plot->y.high += margin;
    add_ticks(&plot->x, 8, 1);
    add_ticks(&plot->y, 6, plot->y.is_log ? 1 : 0);
}

static bool is_shown(const Plot *plot, double value) {
    return fabs(value) <= 1e300 && (!plot->y.is_log || value > 0);
}

/* ---- SVG -------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void put(gmxrt_text *text, const char *format, ...) {
    char line[512];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    text_append(text, line, length < (int)sizeof line ? (size_t)length : sizeof line - 1);
}

/* A length in hundredths: no locale writes a comma into it. */
static void put_length(gmxrt_text *text, double x) {
    long long hundredths = llround(x * 100);
    put(text, "%lld.%02lld", hundredths / 100, hundredths % 100);
}

static void put_escaped(gmxrt_text *text, const char *name) {
    for (; *name; name++) {
        const char *entity = *name == '&' ? "&amp;" : *name == '<' ? "&lt;" : *name == '>' ? "&gt;" : NULL;
        text_append(text, entity ? entity : name, entity ? strlen(entity) : 1);
    }
}

static double left_of(const Plot *plot, double x) {
    return LEFT + share(&plot->x, x) * (WIDTH - LEFT - RIGHT);
}

static double top_of(const Plot *plot, double y) {
    return HEIGHT - BOTTOM - share(&plot->y, y) * (HEIGHT - TOP - BOTTOM);
}

static void put_axes(gmxrt_text *text, const Plot *plot) {
    for (int32_t i = 0; i < plot->x.count; i++) {
        long long at = llround(left_of(plot, plot->x.ticks[i]));
        put(text, "<path d=\"M%lld %dV%d\"/>", at, TOP, HEIGHT - BOTTOM);
        put(text, "<text x=\"%lld\" y=\"%d\" text-anchor=\"middle\">", at, HEIGHT - BOTTOM + 18);
        number_printf(text, 'g', false, 6, plot->x.ticks[i]);
        put(text, "</text>\n");
    }
    for (int32_t i = 0; i < plot->y.count; i++) {
        long long at = llround(top_of(plot, plot->y.ticks[i]));
        put(text, "<path d=\"M%d %lldH%d\"/>", LEFT, at, WIDTH - RIGHT);
        put(text, "<text x=\"%d\" y=\"%lld\" text-anchor=\"end\">", LEFT - 8, at + 4);
        number_printf(text, 'g', false, 6, plot->y.ticks[i]);
        put(text, "</text>\n");
    }
    put(text, "<path stroke=\"#444\" d=\"M%d %dV%dH%d\"/>\n", LEFT, TOP, HEIGHT - BOTTOM, WIDTH - RIGHT);
}

/* Runs of values that are shown; one alone is a dot. */
static void put_curve(gmxrt_text *text, const Plot *plot, int64_t k) {
    const gmxrt_view *curve = &plot->curves[k];
    put(text, "<path stroke=\"%s\" stroke-width=\"1.5\" stroke-linecap=\"round\" d=\"", colours[k % COLOURS]);
    bool in_run = false, is_first = false;
    for (int64_t i = 0; i < curve->shape[0]; i++) {
        double y = value_at(curve, i);
        if (!is_shown(plot, y)) {
            put(text, "%s", is_first ? "h0" : "");
            in_run = is_first = false;
            continue;
        }
        put(text, "%s", in_run ? "L" : "M");
        put_length(text, left_of(plot, (double)i));
        put(text, " ");
        put_length(text, top_of(plot, y));
        is_first = !in_run;
        in_run = true;
    }
    put(text, "%s\"/>\n", is_first ? "h0" : "");
}

static void put_legend(gmxrt_text *text, const Plot *plot) {
    for (int64_t k = 0; plot->names && k < plot->count; k++) {
        long long y = TOP + 16 + 18 * (long long)k;
        put(text, "<path stroke=\"%s\" stroke-width=\"3\" d=\"M%d %lldh16\"/>", colours[k % COLOURS],
            WIDTH - RIGHT - 150, y - 4);
        put(text, "<text x=\"%d\" y=\"%lld\">", WIDTH - RIGHT - 128, y);
        put_escaped(text, plot->names[k]);
        put(text, "</text>\n");
    }
}

static void put_svg(gmxrt_text *text, const Plot *plot) {
    put(text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n"
        "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
        "<g fill=\"none\" stroke=\"#ddd\" font-family=\"sans-serif\" font-size=\"12\">\n"
        "<style>text { fill: #333; stroke: none }</style>\n",
        WIDTH, HEIGHT, WIDTH, HEIGHT);
    put_axes(text, plot);
    for (int64_t k = 0; k < plot->count; k++) {
        put_curve(text, plot, k);
    }
    put_legend(text, plot);
    put(text, "</g>\n</svg>\n");
}

/* ---- braille ---------------------------------------------------------------------------------- */

typedef struct Dots { /* 2 x 4 in a character */
    uint8_t cells[ROWS][COLUMNS];
} Dots;

static void set_dot(Dots *dots, int column, int row) {
    static const uint8_t bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    if (column >= 0 && column < 2 * COLUMNS && row >= 0 && row < 4 * ROWS) {
        dots->cells[row / 4][column / 2] |= bits[row % 4][column % 2];
    }
}

static void draw_segment(Dots *dots, double x0, double y0, double x1, double y1) {
    int steps = (int)ceil(fmax(fabs(x1 - x0), fabs(y1 - y0)));
    for (int i = 0; i <= steps; i++) {
        double t = steps ? (double)i / steps : 0;
        set_dot(dots, (int)lround(x0 + t * (x1 - x0)), (int)lround(y0 + t * (y1 - y0)));
    }
}

static void draw_curve(Dots *dots, const Plot *plot, const gmxrt_view *curve) {
    bool in_run = false;
    double x0 = 0, y0 = 0;
    for (int64_t i = 0; i < curve->shape[0]; i++) {
        double value = value_at(curve, i);
        if (!is_shown(plot, value)) {
            in_run = false;
            continue;
        }
        double x = share(&plot->x, (double)i) * (2 * COLUMNS - 1);
        double y = (1 - share(&plot->y, value)) * (4 * ROWS - 1);
        draw_segment(dots, in_run ? x0 : x, in_run ? y0 : y, x, y);
        x0 = x;
        y0 = y;
        in_run = true;
    }
}

static void put_number(gmxrt_text *text, double value, int width) {
    gmxrt_text number = {0};
    number_printf(&number, 'g', false, 4, value);
    put(text, "%*s", width, number.data ? number.data : "");
    gmxrt_text_free(&number);
}

static void put_braille(gmxrt_text *text, const Plot *plot) {
    Dots dots = {{{0}}};
    for (int64_t k = 0; k < plot->count; k++) {
        draw_curve(&dots, plot, &plot->curves[k]);
    }
    for (int row = 0; row < ROWS; row++) {
        double label = NAN;
        for (int32_t i = 0; i < plot->y.count; i++) {
            if ((int)lround((1 - share(&plot->y, plot->y.ticks[i])) * (4 * ROWS - 1)) / 4 == row) {
                label = plot->y.ticks[i];
            }
        }
        if (label == label) {
            put_number(text, label, 10);
        } else {
            put(text, "%10s", "");
        }
        put(text, "%s", label == label ? " ┤" : " │");
        int last = COLUMNS;
        while (last && !dots.cells[row][last - 1]) {
            last--;
        }
        for (int i = 0; i < last; i++) {
            uint8_t cell = dots.cells[row][i]; /* U+2800 + cell */
            char bytes[3] = {(char)0xe2, (char)(0xa0 | cell >> 6), (char)(0x80 | (cell & 0x3f))};
            text_append(text, cell ? bytes : " ", cell ? 3 : 1);
        }
        put(text, "\n");
    }
    put(text, "%10s └", "");
    for (int i = 0; i < COLUMNS; i++) {
        put(text, "─");
    }
    put(text, "\n%11s ", "");
    put_number(text, plot->x.is_log ? 0 : plot->x.low, 0);
    put_number(text, plot->x.high, COLUMNS - 1);
    put(text, "\n");
}

/* ---- the call --------------------------------------------------------------------------------- */

static int32_t write_svg(gmxrt_ctx *ctx, const char *path, const gmxrt_text *text, uint64_t span) {
    DataOutput output;
    if (!output_open(ctx, path, span, &output)) {
        return 1;
    }
    output_write(&output, text->data, (int64_t)text->length);
    return output_close(&output, true);
}

int32_t gmxrt_plot(gmxrt_ctx *ctx, const char *path, int64_t count, const char *const *names,
                   const gmxrt_view *curves, uint64_t span) {
    Plot plot = {.count = count, .names = names, .curves = curves};
    gmxrt_text text = {0};
    scale(&plot);
    int32_t failed = 0;
    if (path) {
        put_svg(&text, &plot);
    } else {
        put_braille(&text, &plot);
    }
    if (text.failed) {
        failed = gmxrt_fail(ctx, RT_E0306, span, "no memory for a plot");
    } else if (path) {
        failed = write_svg(ctx, path, &text, span);
    } else if (ctx->write) {
        ctx->write(ctx->user, text.data, text.length);
    } else {
        fwrite(text.data, 1, text.length, stdout);
    }
    gmxrt_text_free(&text);
    return failed;
}
