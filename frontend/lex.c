/* The lexer: what grammar/gmx.re calls when a match is not the whole story.
 *
 * The innermost open bracket decides whether a newline ends a statement; an interpolation `{` in a string is
 * a bracket too.  After an error about brackets or strings the tokens that follow from it are marked as made
 * up, so that one mistake is reported once. */
#include "frontend/lex.h"
#include "grammar/gmx.h"

#include <string.h>

void lexer_init(Lexer *lexer, const SourceFile *file, Arena *arena, DiagSink *diags) {
    const unsigned char *text = (const unsigned char *)file->text;
    memset(lexer, 0, sizeof *lexer);
    lexer->file = file;
    lexer->arena = arena;
    lexer->diags = diags;
    lexer->cursor = lexer->token = lexer->line = text;
    lexer->limit = text + file->length;
}

static Span span_between(const Lexer *lexer, const unsigned char *begin, const unsigned char *end) {
    const unsigned char *text = (const unsigned char *)lexer->file->text;
    return (Span){lexer->file->base + (uint32_t)(begin - text), lexer->file->base + (uint32_t)(end - text)};
}

Span lexer_span(const Lexer *lexer) {
    return span_between(lexer, lexer->token, lexer->cursor);
}

Diag *lexer_error(Lexer *lexer, DiagCode code, Span span, const char *format, ...) {
    va_list list;
    va_start(list, format);
    const char *message = arena_format_list(lexer->arena, format, list);
    va_end(list);
    lexer->error_count++;
    return diag_error(lexer->diags, code, span, "%s", message);
}

bool lexer_is_finished(const Lexer *lexer) {
    return lexer->is_too_deep || lexer->error_count >= DIAG_LIMIT;
}

/* ---- tokens ---- */

/* Tokens after which a newline can end the statement; after any other it is white space. */
static bool can_end_statement(int kind) {
    switch (kind) {
    case TOKEN_ID:
    case TOKEN_RESERVED:
    case TOKEN_INTEGER:
    case TOKEN_FLOAT:
    case TOKEN_IMAGINARY:
    case TOKEN_STRING:
    case TOKEN_STRING_END:
    case TOKEN_TRUE:
    case TOKEN_FALSE:
    case TOKEN_DTYPE:
    case TOKEN_RP:
    case TOKEN_RB:
    case TOKEN_RC:
    case TOKEN_RETURN:
    case TOKEN_SPARSE:
    case TOKEN_DENSE:
    case TOKEN_CSR:
    case TOKEN_CSC:
    case TOKEN_COO:
    case TOKEN_BSR:
    case TOKEN_GRAPH:
    case TOKEN_DIM:
    case TOKEN_ON:
    case TOKEN_MESSAGE:
    case TOKEN_AGGREGATE:
    case TOKEN_UPDATE:
    case TOKEN_PARAM:
    case TOKEN_STATE:
        return true;
    default:
        return false;
    }
}

static bool can_start_documented(int kind) {
    switch (kind) {
    case TOKEN_FN:
    case TOKEN_EXPORT:
    case TOKEN_LAYER:
    case TOKEN_RULE:
    case TOKEN_LET:
    case TOKEN_MUT:
    case TOKEN_CONST:
    case TOKEN_PARAM:
    case TOKEN_STATE:
    case TOKEN_MESSAGE:
    case TOKEN_AGGREGATE:
    case TOKEN_UPDATE:
        return true;
    default:
        return false;
    }
}

static const char *join_doc_lines(Lexer *lexer) {
    size_t size = 0;
    for (uint32_t i = 0; i < lexer->doc_lines.count; i++)
        size += lexer->doc_lines.items[i].end - lexer->doc_lines.items[i].begin + 1;
    char *doc = arena_alloc(lexer->arena, size + 1), *end = doc;
    for (uint32_t i = 0; i < lexer->doc_lines.count; i++) {
        Span line = lexer->doc_lines.items[i];
        if (i)
            *end++ = '\n';
        memcpy(end, lexer->file->text + (line.begin - lexer->file->base), line.end - line.begin);
        end += line.end - line.begin;
    }
    return doc;
}

Token lexer_make(Lexer *lexer, int kind) {
    Token token = {.text = (const char *)lexer->token, .span = lexer_span(lexer), .kind = kind};
    if (kind == TOKEN_SEP) {
        token.is_made_up = lexer->has_abandoned;
        lexer->has_abandoned = false;
    }
    if (lexer->doc_lines.count && can_start_documented(kind))
        token.doc = join_doc_lines(lexer);
    if (kind != TOKEN_END)
        lexer->doc_lines.count = 0;
    lexer->last = kind;
    return token;
}

/* A separator of no width where the current token begins, which is then read again. */
static Token make_separator_before(Lexer *lexer, bool is_made_up) {
    lexer->cursor = lexer->token;
    Token token = lexer_make(lexer, TOKEN_SEP);
    token.is_made_up |= is_made_up;
    return token;
}

Token lexer_word(Lexer *lexer, int kind) {
    return lexer_make(lexer, lexer->last == TOKEN_DOT ? TOKEN_ID : kind);
}

static bool is_first_on_line(const Lexer *lexer) {
    for (const unsigned char *p = lexer->line; p < lexer->token; p++)
        if (*p != ' ' && *p != '\t')
            return false;
    return true;
}

/* A `##` comment documents what follows where a declaration could start, alone on its line. */
void lexer_doc_line(Lexer *lexer) {
    if (lexer->last != 0 && lexer->last != TOKEN_SEP && lexer->last != TOKEN_LC)
        return;
    if (!is_first_on_line(lexer))
        return;
    const unsigned char *begin = lexer->token + 2, *end = lexer->cursor;
    if (begin < end && *begin == ' ')
        begin++;
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        end--;
    vec_push(lexer->arena, &lexer->doc_lines, span_between(lexer, begin, end));
}

/* ---- brackets ---- */

static FrameKind top_frame(const Lexer *lexer) {
    return lexer->frame_count ? lexer->frames[lexer->frame_count - 1].kind : FRAME_NONE;
}

static bool is_newline_blind(FrameKind kind) {
    return kind == FRAME_PAREN || kind == FRAME_BRACKET;
}

static bool push_frame(Lexer *lexer, FrameKind kind, Span span) {
    if (lexer->frame_count == AST_NESTING_LIMIT) {
        lexer->is_too_deep = true;
        lexer_error(lexer, DIAG_E0103, span, "nesting is deeper than %d levels", AST_NESTING_LIMIT);
        return false;
    }
    lexer->frames[lexer->frame_count++] = (Frame){kind, span};
    lexer->brace_count += kind == FRAME_BRACE;
    lexer->interpolation_count += kind == FRAME_INTERPOLATION;
    return true;
}

static Frame pop_frame(Lexer *lexer) {
    Frame frame = lexer->frames[--lexer->frame_count];
    lexer->brace_count -= frame.kind == FRAME_BRACE;
    lexer->interpolation_count -= frame.kind == FRAME_INTERPOLATION;
    return frame;
}

Token lexer_open(Lexer *lexer, int kind, FrameKind frame) {
    if (!push_frame(lexer, frame, lexer_span(lexer)))
        return lexer_make(lexer, TOKEN_END);
    return lexer_make(lexer, kind);
}

/* Reports a bracket or string that stays open; its label may say where.  While a wrong statement is dropped,
 * its brackets say nothing new. */
static void report_unclosed(Lexer *lexer, Frame frame, const char *label) {
    if (lexer->is_recovering)
        return;
    Diag *diag = frame.kind == FRAME_INTERPOLATION
                     ? lexer_error(lexer, DIAG_E0005, frame.span, "the string is not closed on its line")
                     : lexer_error(lexer, DIAG_E0102, frame.span, "`%c` is never closed", frame.kind);
    if (label)
        diag_label(lexer->diags, diag, lexer_span(lexer), "%s", label);
}

/* Drops the `(` and `[` above the innermost other bracket and reports the innermost of them. */
static bool close_forgotten(Lexer *lexer) {
    if (!is_newline_blind(top_frame(lexer)))
        return false;
    report_unclosed(lexer, lexer->frames[lexer->frame_count - 1], "it must be closed before this");
    while (is_newline_blind(top_frame(lexer)))
        pop_frame(lexer);
    return true;
}

/* The string whose interpolation is open and holds all others. */
static Frame outermost_string(const Lexer *lexer) {
    uint32_t i = 0;
    while (lexer->frames[i].kind != FRAME_INTERPOLATION)
        i++;
    return lexer->frames[i];
}

/* After a string that does not end: forgets every bracket opened in its statement. */
static void abandon_brackets(Lexer *lexer) {
    uint32_t before = lexer->frame_count;
    while (lexer->interpolation_count || is_newline_blind(top_frame(lexer)))
        pop_frame(lexer);
    lexer->has_abandoned |= lexer->frame_count != before;
}

static int closer_token(FrameKind kind) {
    return kind == FRAME_PAREN ? TOKEN_RP : TOKEN_RB;
}

static Token make_made_up(Lexer *lexer, int kind) {
    Token token = lexer_make(lexer, kind);
    token.is_made_up = true;
    return token;
}

/* A closing bracket that closes nothing: the parser gets it and drops the statement without a word. */
static Token close_nothing(Lexer *lexer, int kind) {
    if (!lexer->is_recovering)
        lexer_error(lexer, DIAG_E0102, lexer_span(lexer), "`%c` closes nothing", *lexer->token);
    return make_made_up(lexer, kind);
}

Token lexer_close(Lexer *lexer, FrameKind kind) {
    FrameKind top = top_frame(lexer);
    if (top == kind) {
        pop_frame(lexer);
        return lexer_make(lexer, closer_token(kind));
    }
    if (!is_newline_blind(top))
        return close_nothing(lexer, closer_token(kind));
    Frame opened = lexer->frames[lexer->frame_count - 1];
    if (!lexer->is_recovering) {
        Diag *diag = lexer_error(lexer, DIAG_E0102, lexer_span(lexer), "`%c` does not match `%c`",
                                 *lexer->token, opened.kind);
        diag_label(lexer->diags, diag, opened.span, "opened here");
    }
    uint32_t match = lexer->frame_count;
    while (match && is_newline_blind(lexer->frames[match - 1].kind) && lexer->frames[match - 1].kind != kind)
        match--;
    if (match && lexer->frames[match - 1].kind == kind)
        while (lexer->frame_count > match)
            pop_frame(lexer); /* the inner one was forgotten */
    else
        kind = opened.kind; /* the wrong closing bracket was typed */
    pop_frame(lexer);
    return make_made_up(lexer, closer_token(kind));
}

Token lexer_statement_word(Lexer *lexer, int kind) {
    if (lexer->last == TOKEN_DOT)
        return lexer_make(lexer, TOKEN_ID);
    if (is_first_on_line(lexer) && close_forgotten(lexer))
        return make_separator_before(lexer, true);
    return lexer_make(lexer, kind);
}

/* ---- newlines ---- */

static bool is_word_byte(unsigned char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           c >= 0x80;
}

/* Whether the next line that is not blank or a comment carries the statement on. */
static bool continues_below(const Lexer *lexer) {
    const unsigned char *p = lexer->cursor, *limit = lexer->limit;
    for (;;) {
        while (p < limit && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
            p++;
        if (p == limit || *p != '#')
            break;
        const unsigned char *end = memchr(p, '\n', (size_t)(limit - p));
        p = end ? end : limit;
    }
    size_t left = (size_t)(limit - p);
    if (left >= 2 && ((p[0] == '|' || p[0] == '-') && p[1] == '>'))
        return true;
    if (left >= 2 && p[0] == '.')
        return is_word_byte(p[1]) && !(p[1] >= '0' && p[1] <= '9');
    return left >= 4 && !memcmp(p, "else", 4) && (left == 4 || !is_word_byte(p[4]));
}

bool lexer_newline(Lexer *lexer, Token *separator) {
    bool has_doc = false;
    if (lexer->doc_lines.count) {
        Span last = lexer->doc_lines.items[lexer->doc_lines.count - 1];
        has_doc = last.begin >= span_between(lexer, lexer->line, lexer->line).begin;
    }
    if (!has_doc)
        lexer->doc_lines.count = 0;
    lexer->line = lexer->cursor;
    if (lexer->interpolation_count) {
        report_unclosed(lexer, outermost_string(lexer), NULL);
        abandon_brackets(lexer);
    } else if (is_newline_blind(top_frame(lexer)) || !can_end_statement(lexer->last) ||
               continues_below(lexer)) {
        return false;
    }
    *separator = lexer_make(lexer, TOKEN_SEP);
    separator->span.end = separator->span.begin;
    separator->is_terminator = true;
    return true;
}

bool lexer_skip_separator(const Lexer *lexer) {
    return lexer->last == 0 || lexer->last == TOKEN_SEP || lexer->last == TOKEN_LC;
}

bool lexer_end(Lexer *lexer, Token *token) {
    if (lexer->frame_count) {
        report_unclosed(lexer, lexer->frames[lexer->frame_count - 1], NULL);
        lexer->has_unclosed = true;
        lexer->frame_count = 0;
        *token = lexer_make(lexer, TOKEN_END);
        return true;
    }
    bool ends = can_end_statement(lexer->last);
    *token = lexer_make(lexer, ends ? TOKEN_SEP : TOKEN_END);
    token->is_terminator = ends;
    return true;
}

/* ---- strings ---- */

/* Reads on in a string from the cursor and returns the byte that ends the piece: `"`, `{`, or 0 at the end of
 * the line. */
static char scan_string(Lexer *lexer) {
    const unsigned char *p = lexer->cursor, *limit = lexer->limit;
    char end = 0;
    while (p < limit && *p != '\n' && !end) {
        unsigned char c = *p++;
        if (c == '"' || (c == '{' && (p == limit || *p != '{'))) {
            end = (char)c;
        } else if (c == '{') {
            p++;
        } else if (c == '\\' && p < limit && *p != '\n') {
            if (*p++ == 'u' && p < limit && *p == '{')
                while (p < limit && *p != '}' && *p != '"' && *p != '\n')
                    p++;
        }
    }
    lexer->cursor = p;
    return end;
}

static Token string_piece(Lexer *lexer, Span opening, int closed, int open) {
    char end = scan_string(lexer);
    if (end == '{') {
        if (!push_frame(lexer, FRAME_INTERPOLATION, opening))
            return lexer_make(lexer, TOKEN_END);
        return lexer_make(lexer, open);
    }
    if (!end) {
        Frame frame = {FRAME_INTERPOLATION, opening};
        report_unclosed(lexer, lexer->interpolation_count ? outermost_string(lexer) : frame, NULL);
        abandon_brackets(lexer);
        return make_made_up(lexer, closed);
    }
    return lexer_make(lexer, closed);
}

Token lexer_string(Lexer *lexer) {
    return string_piece(lexer, lexer_span(lexer), TOKEN_STRING, TOKEN_STRING_BEGIN);
}

Token lexer_brace_close(Lexer *lexer) {
    uint32_t owner = lexer->frame_count;
    while (owner && is_newline_blind(lexer->frames[owner - 1].kind))
        owner--;
    if (!owner)
        return close_nothing(lexer, TOKEN_RC);
    bool was_forgotten = close_forgotten(lexer);
    if (top_frame(lexer) == FRAME_INTERPOLATION) {
        Frame frame = pop_frame(lexer);
        Token token = string_piece(lexer, frame.span, TOKEN_STRING_END, TOKEN_STRING_MIDDLE);
        token.is_made_up |= was_forgotten;
        return token;
    }
    if (lexer->last != TOKEN_SEP && lexer->last != TOKEN_LC) /* a statement ends before its block's `}` too */
        return make_separator_before(lexer, was_forgotten);
    pop_frame(lexer);
    return lexer_make(lexer, TOKEN_RC);
}

Token lexer_colon(Lexer *lexer) {
    if (top_frame(lexer) != FRAME_INTERPOLATION)
        return lexer_make(lexer, TOKEN_COLON);
    while (lexer->cursor < lexer->limit && *lexer->cursor != '}' && *lexer->cursor != '"' &&
           *lexer->cursor != '\n')
        lexer->cursor++;
    if (lexer->cursor < lexer->limit && *lexer->cursor == '"') {
        lexer->cursor++; /* meant to end the string */
        report_unclosed(lexer, outermost_string(lexer), "the `{` before this `:` is still open");
        abandon_brackets(lexer);
        return make_made_up(lexer, TOKEN_STRING_END);
    }
    return lexer_make(lexer, TOKEN_FORMAT);
}

Token lexer_foreign_string(Lexer *lexer) {
    Diag *diag = lexer_error(lexer, DIAG_E0003, lexer_span(lexer), "strings are written in double quotes");
    diag_note(lexer->diags, diag, "write \"%.*s\"",
              (int)(lexer->cursor - lexer->token < 60 ? lexer->cursor - lexer->token - 2 : 58),
              (const char *)lexer->token + 1);
    return make_made_up(lexer, TOKEN_STRING);
}

/* ---- numbers and foreign signs ---- */

Token lexer_foreign_operator(Lexer *lexer, int kind, const char *spelling) {
    Span span = lexer_span(lexer);
    Diag *diag = lexer_error(lexer, DIAG_E0105, span, "`%.*s` is written `%s` in GMX",
                             (int)(span.end - span.begin), (const char *)lexer->token, spelling);
    if (kind == TOKEN_AND || kind == TOKEN_OR || kind == TOKEN_NOT)
        diag_note(
            lexer->diags, diag,
            "`and`, `or`, `not` work on bool values and elementwise on bool tensors; for bits of integers "
            "use bitwise_and, bitwise_or, bitwise_not");
    return lexer_make(lexer, kind);
}

Token lexer_dotted_number(Lexer *lexer) {
    unsigned char next = lexer->cursor < lexer->limit ? *lexer->cursor : 0;
    if (next == '.' || is_word_byte(next)) { /* 1..n, 1.T */
        lexer->cursor--;
        return lexer_make(lexer, TOKEN_INTEGER);
    }
    Span span = lexer_span(lexer);
    Diag *diag = lexer_error(lexer, DIAG_E0004, span, "a number needs a digit after its dot");
    diag_note(lexer->diags, diag, "write `%.*s0`", (int)(span.end - span.begin), (const char *)lexer->token);
    return make_made_up(lexer, TOKEN_FLOAT);
}

Token lexer_bad_number(Lexer *lexer) {
    Span span = lexer_span(lexer);
    const char *text = (const char *)lexer->token;
    int length = span.end - span.begin < 60 ? (int)(span.end - span.begin) : 60;
    bool touches = lexer->token > (const unsigned char *)lexer->file->text && is_word_byte(lexer->token[-1]);
    const char *dot = memchr(text, '.', (size_t)length);
    if (text[0] == '.' && touches) {
        lexer_error(lexer, DIAG_E0004, span, "a name must follow the dot, not a number");
    } else if (text[0] == '.') {
        Diag *diag = lexer_error(lexer, DIAG_E0004, span, "a number needs a digit before its dot");
        diag_note(lexer->diags, diag, "write `0%.*s`", length, text);
    } else if (dot && dot + 1 < text + length && (dot[1] == 'e' || dot[1] == 'E')) {
        Diag *diag = lexer_error(lexer, DIAG_E0004, span, "a number needs a digit after its dot");
        diag_note(lexer->diags, diag, "write `%.*s0%.*s`", (int)(dot + 1 - text), text,
                  (int)(text + length - dot - 1), dot + 1);
    } else {
        Diag *diag = lexer_error(lexer, DIAG_E0004, span, "`%.*s` is not a number", length, text);
        diag_note(lexer->diags, diag, "numbers look like 1, 1_000, 0xff, 1.5, 1e-3, 2.5j");
    }
    return make_made_up(lexer, TOKEN_FLOAT);
}

static uint32_t decode_code_point(const unsigned char *p, uint32_t length) {
    static const unsigned char lead_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code_point = p[0] & lead_mask[length];
    for (uint32_t i = 1; i < length; i++)
        code_point = code_point << 6 | (p[i] & 0x3f);
    return code_point;
}

static const struct {
    uint32_t code_point;
    const char *hint;
} look_alikes[] = {
    {'?', "a choice is written `if c { a } else { b }`"},
    {'\'', "strings are written in double quotes"},
    {0x2212, "minus is written `-`"},
    {0x00d7, "times is written `*`"},
    {0x00b7, "times is written `*`"},
    {0x00f7, "division is written `/`"},
    {0x2264, "less or equal is written `<=`"},
    {0x2265, "greater or equal is written `>=`"},
    {0x2260, "not equal is written `!=`"},
    {0x2192, "an arrow is written `->`"},
    {0x201c, "strings are written in straight quotes, \"…\""},
    {0x201d, "strings are written in straight quotes, \"…\""},
    {0x00a0, "this is a no-break space; use a plain one"},
};

void lexer_bad_character(Lexer *lexer) {
    while (lexer->cursor < lexer->limit && (*lexer->cursor & 0xc0) == 0x80 &&
           lexer->cursor - lexer->token < 4)
        lexer->cursor++;
    while (lexer->cursor < lexer->limit && *lexer->token < 0x80 && *lexer->cursor == *lexer->token)
        lexer->cursor++; /* a run of one sign is one error */
    Span span = lexer_span(lexer);
    uint32_t length = *lexer->token < 0x80 ? 1 : span.end - span.begin;
    uint32_t code_point = decode_code_point(lexer->token, length);
    Diag *diag = code_point < 0x20 || code_point == 0x7f
                     ? lexer_error(lexer, DIAG_E0003, span,
                                   "the control character U+%04X has no meaning here", (unsigned)code_point)
                     : lexer_error(lexer, DIAG_E0003, span, "`%.*s` (U+%04X) has no meaning here",
                                   (int)length, (const char *)lexer->token, (unsigned)code_point);
    for (size_t i = 0; i < sizeof look_alikes / sizeof *look_alikes; i++)
        if (look_alikes[i].code_point == code_point)
            diag_note(lexer->diags, diag, "%s", look_alikes[i].hint);
}

/* ---- texts for messages ---- */

static const char *const token_texts[] = {
    [TOKEN_END] = "the end of the text",
    [TOKEN_RESERVED] = "a reserved word",
    [TOKEN_ID] = "a name",
    [TOKEN_SPARSE] = "`sparse`",
    [TOKEN_DENSE] = "`dense`",
    [TOKEN_CSR] = "`csr`",
    [TOKEN_CSC] = "`csc`",
    [TOKEN_COO] = "`coo`",
    [TOKEN_BSR] = "`bsr`",
    [TOKEN_GRAPH] = "`graph`",
    [TOKEN_DIM] = "`dim`",
    [TOKEN_ON] = "`on`",
    [TOKEN_MESSAGE] = "`message`",
    [TOKEN_AGGREGATE] = "`aggregate`",
    [TOKEN_UPDATE] = "`update`",
    [TOKEN_PARAM] = "`param`",
    [TOKEN_STATE] = "`state`",
    [TOKEN_PIPE] = "`|>`",
    [TOKEN_OR] = "`or`",
    [TOKEN_AND] = "`and`",
    [TOKEN_NOT] = "`not`",
    [TOKEN_EQ] = "`==`",
    [TOKEN_NE] = "`!=`",
    [TOKEN_LT] = "`<`",
    [TOKEN_LE] = "`<=`",
    [TOKEN_GT] = "`>`",
    [TOKEN_GE] = "`>=`",
    [TOKEN_DOTDOT] = "`..`",
    [TOKEN_PLUS] = "`+`",
    [TOKEN_MINUS] = "`-`",
    [TOKEN_STAR] = "`*`",
    [TOKEN_SLASH] = "`/`",
    [TOKEN_DSLASH] = "`//`",
    [TOKEN_PERCENT] = "`%`",
    [TOKEN_AT] = "`@`",
    [TOKEN_POW] = "`^`",
    [TOKEN_SEP] = "the end of the statement",
    [TOKEN_LC] = "`{`",
    [TOKEN_RC] = "`}`",
    [TOKEN_ASSIGN] = "`=`",
    [TOKEN_OPASSIGN] = "an operator with `=`",
    [TOKEN_FOR] = "`for`",
    [TOKEN_IN] = "`in`",
    [TOKEN_WHILE] = "`while`",
    [TOKEN_RETURN] = "`return`",
    [TOKEN_MUT] = "`mut`",
    [TOKEN_CONST] = "`const`",
    [TOKEN_LET] = "`let`",
    [TOKEN_LP] = "`(`",
    [TOKEN_RP] = "`)`",
    [TOKEN_COMMA] = "`,`",
    [TOKEN_EXPORT] = "`export`",
    [TOKEN_LAYER] = "`layer`",
    [TOKEN_RULE] = "`rule`",
    [TOKEN_IMPORT] = "`import`",
    [TOKEN_STRING] = "a string",
    [TOKEN_FN] = "`fn`",
    [TOKEN_ARROW] = "`->`",
    [TOKEN_COLON] = "`:`",
    [TOKEN_LB] = "`[`",
    [TOKEN_RB] = "`]`",
    [TOKEN_DTYPE] = "a dtype",
    [TOKEN_ELLIPSIS] = "`...`",
    [TOKEN_DOT] = "`.`",
    [TOKEN_INTEGER] = "a number",
    [TOKEN_FLOAT] = "a number",
    [TOKEN_IMAGINARY] = "a number",
    [TOKEN_TRUE] = "`true`",
    [TOKEN_FALSE] = "`false`",
    [TOKEN_STRING_BEGIN] = "a string",
    [TOKEN_STRING_MIDDLE] = "`}`",
    [TOKEN_STRING_END] = "`}`",
    [TOKEN_FORMAT] = "a format after `:`",
    [TOKEN_IF] = "`if`",
    [TOKEN_ELSE] = "`else`",
};

const char *token_text(int kind) {
    const char *text =
        kind >= 0 && (size_t)kind < sizeof token_texts / sizeof *token_texts ? token_texts[kind] : NULL;
    return text ? text : "a token";
}

const char *token_describe(Arena *arena, const Token *token) {
    switch (token->kind) {
    case TOKEN_END:
    case TOKEN_STRING:
    case TOKEN_STRING_BEGIN:
    case TOKEN_STRING_MIDDLE:
    case TOKEN_STRING_END:
    case TOKEN_FORMAT:
        return token_text(token->kind);
    case TOKEN_SEP:
        return !token_length(token) ? token->is_terminator ? "the end of the line" : "`}`" : "`;`";
    }
    uint32_t length = token_length(token);
    if (length <= 40)
        return arena_format(arena, "`%.*s`", (int)length, token->text);
    for (length = 40; length && ((unsigned char)token->text[length] & 0xc0) == 0x80;)
        length--;
    return arena_format(arena, "`%.*s…`", (int)length, token->text);
}
