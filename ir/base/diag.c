/* Diagnostics: the collector; see diag.h. */
#include "ir/base/diag.h"

static const struct {
    const char *text, *summary;
} code_info[DIAG_CODE_COUNT] = {
    [DIAG_NONE] = {"", ""},
#define DIAG(code, summary) [DIAG_##code] = {#code, summary},
#include "ir/base/diag.def"
};

void diag_init(DiagSink *sink, Arena *arena) {
    *sink = (DiagSink){.arena = arena};
}

const char *diag_code_text(DiagCode code) {
    return code_info[code].text;
}

const char *diag_code_summary(DiagCode code) {
    return code_info[code].summary;
}

static Diag *diag_add(DiagSink *sink, DiagCode code, Span span, bool is_warning, const char *format,
                      va_list list) {
    Diag *diag = ARENA_NEW(sink->arena, Diag);
    *diag = (Diag){.code = code, .is_warning = is_warning, .span = span};
    diag->message = arena_format_list(sink->arena, format, list);
    if (!is_warning && ++sink->error_count > DIAG_LIMIT)
        return diag;
    vec_push(sink->arena, &sink->diags, diag);
    return diag;
}

Diag *diag_error(DiagSink *sink, DiagCode code, Span span, const char *format, ...) {
    va_list list;
    va_start(list, format);
    Diag *diag = diag_add(sink, code, span, false, format, list);
    va_end(list);
    return diag;
}

Diag *diag_warning(DiagSink *sink, DiagCode code, Span span, const char *format, ...) {
    va_list list;
    va_start(list, format);
    Diag *diag = diag_add(sink, code, span, true, format, list);
    va_end(list);
    return diag;
}

void diag_label(DiagSink *sink, Diag *diag, Span span, const char *format, ...) {
    if (diag->label_count == DIAG_LABEL_MAX)
        return;
    va_list list;
    va_start(list, format);
    diag->labels[diag->label_count++] = (DiagLabel){span, arena_format_list(sink->arena, format, list)};
    va_end(list);
}

void diag_note(DiagSink *sink, Diag *diag, const char *format, ...) {
    va_list list;
    va_start(list, format);
    vec_push(sink->arena, &diag->notes, arena_format_list(sink->arena, format, list));
    va_end(list);
}
