/* Rendering of diagnostics: the source line with its places underlined (docs/language.md, "Errors"), or JSON.
 *
 * Labels on the primary place's line share its underline; others get a snippet of their own.  Where two or
 * more labels share it (the operands of an operator) they are marked `^` and the primary place `~`, else the
 * primary place is `^` and a label `-`.  A long line is shown cut around the place. */
#include "frontend/source.h"
#include "frontend/text.h"
#include "frontend/unicode.h"

#include <stdbool.h>

enum {
    VIEW_WIDTH = 100, /* columns of a source line that are shown */
    VIEW_BEFORE = 50, /* of these at most so many before the place, where the line is cut */
    TAB_WIDTH = 4,
};

/* One line of source as it is shown: bytes begin..end of the file's text. */
typedef struct View {
    const SourceFile *file;
    uint32_t line;
    uint32_t begin, end;
    bool cut_left, cut_right;
} View;

/* A place to underline in a view. */
typedef struct Underline {
    Span span;
    const char *text; /* NULL or "": no text */
    char mark;
    uint32_t column; /* in the view, from 0 */
} Underline;

/* The bytes of the character at `offset` and its columns. */
static uint32_t step_character(const SourceFile *file, uint32_t offset, uint32_t end, uint32_t *columns) {
    unsigned char c = (unsigned char)file->text[offset];
    *columns += c == '\t' ? TAB_WIDTH : 1;
    size_t length = unicode_sequence_length((const unsigned char *)file->text + offset, end - offset);
    return length ? (uint32_t)length : 1;
}

static View make_view(SourceMap *map, uint32_t position) {
    SourcePlace place = source_place(map, position);
    const SourceFile *file = place.file;
    View view = {.file = file, .line = place.line, .begin = place.line_begin};
    uint32_t offset = position - file->base, columns = 0;
    if (place.column > VIEW_WIDTH) {
        uint32_t back = 0;
        for (view.begin = offset; back < VIEW_BEFORE; back++) {
            view.begin--;
            while (view.begin > place.line_begin && ((unsigned char)file->text[view.begin] & 0xc0) == 0x80)
                view.begin--;
        }
        view.cut_left = true;
    }
    for (view.end = view.begin; columns < VIEW_WIDTH;) {
        if (view.end == file->length || file->text[view.end] == '\n')
            break;
        view.end += step_character(file, view.end, file->length, &columns);
    }
    view.cut_right = view.end < file->length && file->text[view.end] != '\n';
    if (!view.cut_right && view.end > view.begin && file->text[view.end - 1] == '\r')
        view.end--;
    return view;
}

static bool is_in_view(const View *view, Span span) {
    uint32_t begin = view->file->base + view->begin, end = view->file->base + view->end;
    return span.end && span.begin >= begin && span.begin <= end;
}

static uint32_t column_of(const View *view, uint32_t position) {
    uint32_t columns = view->cut_left, offset = view->begin;
    while (offset < view->end && offset < position - view->file->base)
        offset += step_character(view->file, offset, view->end, &columns);
    return columns;
}

static void add_view_text(TextBuffer *out, const View *view) {
    if (view->cut_left)
        text_add(out, "…");
    for (uint32_t offset = view->begin; offset < view->end;) {
        uint32_t columns = 0, step = step_character(view->file, offset, view->end, &columns);
        unsigned char c = (unsigned char)view->file->text[offset];
        bool is_bad = c >= 0x80 && !unicode_sequence_length((const unsigned char *)view->file->text + offset,
                                                            view->end - offset);
        if (c == '\t')
            text_repeat(out, ' ', TAB_WIDTH);
        else if (c < 0x20 || c == 0x7f || is_bad)
            text_add(out, "\xef\xbf\xbd");
        else
            text_append(out, view->file->text + offset, step);
        offset += step;
    }
    if (view->cut_right)
        text_add(out, "…");
}

static void add_gutter(TextBuffer *out, int width) {
    text_format(out, "%*s |", width + 1, "");
}

static void trim_blanks(TextBuffer *out) {
    while (out->length && out->text[out->length - 1] == ' ')
        out->text[--out->length] = 0;
}

/* The row of marks, as wide as the last of them. */
static uint32_t draw_marks(const View *view, const Underline *underlines, uint32_t count, char *row,
                           uint32_t size) {
    uint32_t width = 0;
    memset(row, ' ', size);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t end = column_of(view, underlines[i].span.end);
        if (end <= underlines[i].column)
            end = underlines[i].column + 1;
        for (uint32_t c = underlines[i].column; c < end && c < size; c++)
            row[c] = underlines[i].mark;
        width = end > width ? end : width;
    }
    return width < size ? width : size;
}

static bool has_text(const Underline *underline) {
    return underline->text && *underline->text;
}

/* Rows below the marks: a bar under each text still to come, then the rightmost of these texts. */
static void add_hanging_texts(TextBuffer *out, int gutter, Underline *const *texts, uint32_t count) {
    while (count) {
        for (int row = 0; row < 2; row++) {
            uint32_t bars = row ? count - 1 : count, at = 0;
            add_gutter(out, gutter);
            text_add(out, " ");
            for (uint32_t i = 0; i < bars; i++) {
                if (texts[i]->column < at)
                    continue;
                text_repeat(out, ' ', texts[i]->column - at);
                text_add(out, "|");
                at = texts[i]->column + 1;
            }
            if (row) {
                text_repeat(out, ' ', texts[count - 1]->column > at ? texts[count - 1]->column - at : 0);
                text_add(out, texts[count - 1]->text);
            }
            text_add(out, "\n");
        }
        count--;
    }
}

/* The line, the marks under it and the texts of the marks; `underlines` are sorted by column. */
static void add_view(TextBuffer *out, int gutter, const View *view, Underline *underlines, uint32_t count) {
    char row[VIEW_WIDTH + 2 * TAB_WIDTH];
    Underline *texts[DIAG_LABEL_MAX + 1];
    uint32_t text_count = 0, width = draw_marks(view, underlines, count, row, sizeof row);
    for (uint32_t i = 0; i < count; i++)
        if (has_text(&underlines[i]))
            texts[text_count++] = &underlines[i];
    add_gutter(out, gutter);
    text_format(out, "\n %*u | ", gutter, (unsigned)view->line);
    add_view_text(out, view);
    trim_blanks(out);
    text_add(out, "\n");
    add_gutter(out, gutter);
    text_add(out, " ");
    text_append(out, row, width);
    if (count && has_text(&underlines[count - 1])) /* the last text stands beside its mark */
        text_format(out, " %s", texts[--text_count]->text);
    text_add(out, "\n");
    add_hanging_texts(out, gutter, texts, text_count);
}

static void add_place(TextBuffer *out, int gutter, const SourcePlace *place) {
    text_format(out, "%*s--> %s:%u:%u\n", gutter + 1, "", place->file->name, (unsigned)place->line,
                (unsigned)place->column);
}

static void insert_by_column(Underline *underlines, uint32_t *count, Underline underline) {
    uint32_t i = (*count)++;
    for (; i && underlines[i - 1].column > underline.column; i--)
        underlines[i] = underlines[i - 1];
    underlines[i] = underline;
}

static void add_primary(TextBuffer *out, SourceMap *map, int gutter, const Diag *diag) {
    View view = make_view(map, diag->span.begin);
    Underline underlines[DIAG_LABEL_MAX + 1];
    uint32_t shared = 0, count = 0;
    for (uint32_t i = 0; i < diag->label_count; i++)
        shared += is_in_view(&view, diag->labels[i].span);
    Underline primary = {diag->span, NULL, shared >= 2 ? '~' : '^', column_of(&view, diag->span.begin)};
    insert_by_column(underlines, &count, primary);
    for (uint32_t i = 0; i < diag->label_count; i++) {
        Span span = diag->labels[i].span;
        Underline label = {span, diag->labels[i].text, shared >= 2 ? '^' : '-', 0};
        if (!is_in_view(&view, span))
            continue;
        label.column = column_of(&view, span.begin);
        insert_by_column(underlines, &count, label);
    }
    SourcePlace place = source_place(map, diag->span.begin);
    add_place(out, gutter, &place);
    add_view(out, gutter, &view, underlines, count);
    for (uint32_t i = 0; i < diag->label_count; i++) {
        Span span = diag->labels[i].span;
        if (is_in_view(&view, span) || !source_find(map, span.begin))
            continue;
        View other = make_view(map, span.begin);
        Underline label = {span, diag->labels[i].text, '-', column_of(&other, span.begin)};
        place = source_place(map, span.begin);
        add_place(out, gutter, &place);
        add_view(out, gutter, &other, &label, 1);
    }
}

static int gutter_width(SourceMap *map, const Diag *diag) {
    uint32_t line = diag->span.end ? source_place(map, diag->span.begin).line : 1;
    for (uint32_t i = 0; i < diag->label_count; i++) {
        uint32_t other = source_place(map, diag->labels[i].span.begin).line;
        line = other > line ? other : line;
    }
    int width = 1;
    for (; line >= 10; line /= 10)
        width++;
    return width;
}

static void add_human(TextBuffer *out, SourceMap *map, const Diag *diag) {
    int gutter = gutter_width(map, diag);
    text_format(out, "%s[%s]: ", diag->is_warning ? "warning" : "error", diag_code_text(diag->code));
    text_add(out, diag->message);
    text_add(out, "\n");
    if (diag->span.end && source_find(map, diag->span.begin))
        add_primary(out, map, gutter, diag);
    for (uint32_t i = 0; i < diag->notes.count; i++) {
        text_format(out, "%*s= ", gutter + 2, "");
        text_add(out, diag->notes.items[i]);
        text_add(out, "\n");
    }
}

/* ---- JSON ---- */

static void add_json_text(TextBuffer *out, const char *text) {
    size_t left = strlen(text);
    text_add(out, "\"");
    while (left) {
        unsigned char c = (unsigned char)*text;
        size_t length = unicode_sequence_length((const unsigned char *)text, left);
        if (c == '"' || c == '\\')
            text_format(out, "\\%c", c);
        else if (c < 0x20)
            text_format(out, "\\u%04x", c);
        else if (!length)
            text_add(out, "\\ufffd");
        else
            text_append(out, text, length);
        text += length ? length : 1;
        left -= length ? length : 1;
    }
    text_add(out, "\"");
}

static void add_json_place(TextBuffer *out, SourceMap *map, Span span) {
    SourcePlace begin = source_place(map, span.begin), end = source_place(map, span.end);
    if (!span.end || !begin.file) {
        text_add(out, "\"file\":null,\"line\":null,\"column\":null,\"end_line\":null,\"end_column\":null");
        return;
    }
    if (!end.file)
        end = begin;
    text_add(out, "\"file\":");
    add_json_text(out, begin.file->name);
    text_format(out, ",\"line\":%u,\"column\":%u,\"end_line\":%u,\"end_column\":%u", (unsigned)begin.line,
                (unsigned)begin.column, (unsigned)end.line, (unsigned)end.column);
}

static void add_json(TextBuffer *out, SourceMap *map, const Diag *diag) {
    text_format(out, "{\"code\":\"%s\",\"severity\":\"%s\",", diag_code_text(diag->code),
                diag->is_warning ? "warning" : "error");
    add_json_place(out, map, diag->span);
    text_add(out, ",\"message\":");
    add_json_text(out, diag->message);
    text_add(out, ",\"labels\":[");
    for (uint32_t i = 0; i < diag->label_count; i++) {
        text_add(out, i ? ",{" : "{");
        add_json_place(out, map, diag->labels[i].span);
        text_add(out, ",\"text\":");
        add_json_text(out, diag->labels[i].text);
        text_add(out, "}");
    }
    text_add(out, "],\"notes\":[");
    for (uint32_t i = 0; i < diag->notes.count; i++) {
        if (i)
            text_add(out, ",");
        add_json_text(out, diag->notes.items[i]);
    }
    text_add(out, "]}\n");
}

/* ---- entry points ---- */

static void add_diag(TextBuffer *out, SourceMap *map, const Diag *diag, DiagFormat format) {
    if (format == DIAG_JSON)
        add_json(out, map, diag);
    else
        add_human(out, map, diag);
}

const char *source_render(SourceMap *map, Arena *arena, const Diag *diag, DiagFormat format) {
    TextBuffer out = {.arena = arena};
    add_diag(&out, map, diag, format);
    return out.text;
}

const char *source_render_all(SourceMap *map, Arena *arena, const DiagSink *diags, DiagFormat format) {
    TextBuffer out = {.arena = arena};
    text_add(&out, "");
    for (uint32_t i = 0; i < diags->diags.count; i++) {
        if (i && format == DIAG_HUMAN)
            text_add(&out, "\n");
        add_diag(&out, map, diags->diags.items[i], format);
    }
    if (format == DIAG_HUMAN && diags->error_count > DIAG_LIMIT)
        text_format(&out, "\n%u more errors are not shown\n", (unsigned)(diags->error_count - DIAG_LIMIT));
    return out.text;
}
