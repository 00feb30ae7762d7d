/* Diagnostics: collected, never printed here, never fatal.
 *
 * Everything that can find fault with a program reports into a DiagSink.  The
 * rendering (source line, underline, JSON) belongs to frontend/source.c.  After
 * DIAG_LIMIT errors the rest are counted and dropped. */
#ifndef GMX_IR_BASE_DIAG_H
#define GMX_IR_BASE_DIAG_H

#include "ir/base/arena.h"
#include "ir/base/span.h"
#include "ir/base/vec.h"
#include <stdbool.h>

enum { DIAG_LIMIT = 20, DIAG_LABEL_MAX = 4 };

typedef enum DiagCode {
    DIAG_NONE,
#define DIAG(code, summary) DIAG_##code,
#include "ir/base/diag.def"
    DIAG_CODE_COUNT
} DiagCode;

/* A second place that matters, underlined with '-' and its text beside it. */
typedef struct DiagLabel {
    Span span;
    const char *text; /* may be empty */
} DiagLabel;

typedef struct Diag {
    DiagCode code;
    bool is_warning;
    Span span;           /* primary place, underlined with '^' */
    const char *message; /* one line, lower case, no final stop */
    DiagLabel labels[DIAG_LABEL_MAX];
    uint32_t label_count;
    VEC(const char *) notes; /* "= …" lines: causes and hints, in order */
} Diag;

typedef struct DiagSink {
    Arena *arena;
    VEC(Diag *) diags;
    uint32_t error_count; /* all errors, dropped ones included */
} DiagSink;

void diag_init(DiagSink *sink, Arena *arena);
const char *diag_code_text(DiagCode code);    /* "E0203" */
const char *diag_code_summary(DiagCode code); /* the table's description */

/* Reports an error.  Never NULL: beyond the limit a scratch Diag is returned. */
Diag *diag_error(DiagSink *sink, DiagCode code, Span span, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
Diag *diag_warning(DiagSink *sink, DiagCode code, Span span, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void diag_label(DiagSink *sink, Diag *diag, Span span, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void diag_note(DiagSink *sink, Diag *diag, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
