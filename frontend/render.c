#include "frontend/source.h"
#include "frontend/text.h"
const char *source_render(SourceMap *map, Arena *arena, const Diag *diag, DiagFormat format) {
    (void)format;
    SourcePlace p = source_place(map, diag->span.begin);
    TextBuffer t = {.arena = arena};
    text_format(&t, "%s %s:%u:%u: %s\n", diag_code_text(diag->code), p.file ? p.file->name : "-", p.line,
                p.column, diag->message);
    for (uint32_t i = 0; i < diag->notes.count; i++)
        text_format(&t, "   = %s\n", diag->notes.items[i]);
    return t.text;
}
const char *source_render_all(SourceMap *map, Arena *arena, const DiagSink *diags, DiagFormat format) {
    TextBuffer t = {.arena = arena};
    text_add(&t, "");
    for (uint32_t i = 0; i < diags->diags.count; i++)
        text_add(&t, source_render(map, arena, diags->diags.items[i], format));
    return t.text;
}
