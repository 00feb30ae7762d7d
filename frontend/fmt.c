/* Formatting: works on tokens and the gaps between them, so comments are never lost.
 *
 * Four spaces for each line that opens brackets, four more for a line that carries a statement on; one space
 * around operators, except that arithmetic written without spaces stays so (`0..n-1`); at most one blank
 * line.  An interpolated string is copied as it is. */
#include "frontend/fmt.h"
#include "frontend/parser.h"
#include "frontend/text.h"
#include "grammar/gmx.h"

enum { INDENT = 4 };

typedef struct Opened {
    int kind;             /* TOKEN_LP, TOKEN_LB or TOKEN_LC */
    uint32_t line_indent; /* of the line it stands on */
} Opened;

typedef struct Formatter {
    const SourceFile *file;
    TextBuffer out;
    Token before, earlier; /* the last two tokens written; kind 0: none */
    bool was_unary;        /* `before` is a unary minus */
    bool ended;            /* a separator came since `before` */
    Opened opened[AST_NESTING_LIMIT];
    uint32_t opened_count;
    uint32_t line_indent; /* of the current line */
} Formatter;

static const char *text_at(const Formatter *formatter, uint32_t position) {
    return formatter->file->text + (position - formatter->file->base);
}

/* ---- spaces ---- */

static bool ends_operand(int kind) {
    switch (kind) {
    case TOKEN_ID:
    case TOKEN_DTYPE:
    case TOKEN_RP:
    case TOKEN_RB:
    case TOKEN_RC:
    case TOKEN_INTEGER:
    case TOKEN_FLOAT:
    case TOKEN_IMAGINARY:
    case TOKEN_STRING:
    case TOKEN_STRING_END:
    case TOKEN_TRUE:
    case TOKEN_FALSE:
        return true;
    default:
        return false;
    }
}

static bool is_soft_word(int kind) {
    return kind >= TOKEN_SPARSE && kind <= TOKEN_STATE;
}

static bool is_arithmetic(int kind) {
    return kind == TOKEN_PLUS || kind == TOKEN_MINUS || kind == TOKEN_STAR || kind == TOKEN_SLASH ||
           kind == TOKEN_DSLASH || kind == TOKEN_PERCENT || kind == TOKEN_AT || kind == TOKEN_POW ||
           kind == TOKEN_DOTDOT;
}

/* An operator stays tight when the source has no blank on either side of it. */
static bool is_spaced(const Formatter *formatter, const Token *sign) {
    const char *begin = text_at(formatter, sign->span.begin), *end = text_at(formatter, sign->span.end);
    const char *blanks = " \t\r\n#";
    bool left = begin > formatter->file->text && strchr(blanks, begin[-1]);
    return left || (*end && strchr(blanks, *end));
}

static int innermost(const Formatter *formatter) {
    return formatter->opened_count ? formatter->opened[formatter->opened_count - 1].kind : 0;
}

/* `name=value` among arguments, not `name: type = value`. */
static bool is_keyword_sign(const Formatter *formatter, const Token *name, const Token *previous) {
    bool is_name = name->kind == TOKEN_ID || is_soft_word(name->kind);
    return innermost(formatter) == TOKEN_LP && is_name &&
           (previous->kind == TOKEN_LP || previous->kind == TOKEN_COMMA);
}

static bool needs_space(const Formatter *formatter, const Token *token, bool keyword_before) {
    int before = formatter->before.kind, kind = token->kind;
    const char *begin = text_at(formatter, token->span.begin);
    if (before == TOKEN_LP || before == TOKEN_LB || before == TOKEN_DOT || before == TOKEN_ELLIPSIS)
        return false;
    if (kind == TOKEN_RP || kind == TOKEN_RB || kind == TOKEN_COMMA || kind == TOKEN_SEP || kind == TOKEN_DOT)
        return before == TOKEN_COMMA && kind != TOKEN_RP && kind != TOKEN_RB && kind != TOKEN_COMMA &&
               kind != TOKEN_SEP;
    if (before == TOKEN_COMMA || before == TOKEN_SEP)
        return true;
    if (kind == TOKEN_COLON)
        return false;
    if (before == TOKEN_COLON)
        return innermost(formatter) != TOKEN_LB;
    if (before == TOKEN_LC && kind == TOKEN_RC)
        return false;
    if (formatter->was_unary)
        return begin[-1] == ' ' && kind == TOKEN_MINUS;
    if (kind == TOKEN_ASSIGN && is_keyword_sign(formatter, &formatter->before, &formatter->earlier))
        return false;
    if (before == TOKEN_ASSIGN && keyword_before)
        return false;
    if (is_arithmetic(kind) && (ends_operand(before) || is_soft_word(before)))
        return is_spaced(formatter, token);
    if (is_arithmetic(before))
        return is_spaced(formatter, &formatter->before);
    if (kind == TOKEN_LP || kind == TOKEN_LB)
        return is_soft_word(before) ? begin[-1] == ' ' : !ends_operand(before) && before != TOKEN_FN;
    return true;
}

/* ---- lines ---- */

static void end_line(Formatter *formatter) {
    TextBuffer *out = &formatter->out;
    while (out->length && out->text[out->length - 1] == ' ')
        out->text[--out->length] = 0;
    text_add(out, "\n");
}

/* Writes the comments and line breaks of a gap.  Returns whether the next token starts a line. */
static bool write_gap(Formatter *formatter, const char *p, const char *end, uint32_t indent) {
    bool at_start = !formatter->out.length;
    uint32_t breaks = 0, blanks = 0;
    for (; p < end; p++) {
        if (*p == '\n') {
            if (!at_start || breaks)
                breaks++;
            blanks = 0;
        } else if (*p == '#') {
            const char *stop = memchr(p, '\n', (size_t)(end - p));
            stop = stop ? stop : end;
            const char *last = stop;
            while (last > p && (last[-1] == ' ' || last[-1] == '\t' || last[-1] == '\r'))
                last--;
            bool own_line = breaks || at_start;
            for (uint32_t i = 0; i < breaks && i < 2; i++)
                end_line(formatter);
            text_repeat(&formatter->out, ' ', own_line ? indent : blanks > 2 ? blanks : 2);
            text_append(&formatter->out, p, (size_t)(last - p));
            p = stop - 1;
            breaks = 0;
            at_start = false;
        } else {
            blanks++;
        }
    }
    for (uint32_t i = 0; i < breaks && i < 2; i++)
        end_line(formatter);
    return breaks || at_start;
}

/* Inside the innermost bracket. */
static uint32_t inner_indent(const Formatter *formatter) {
    return formatter->opened_count ? formatter->opened[formatter->opened_count - 1].line_indent + INDENT : 0;
}

static void write_token(Formatter *formatter, const Token *token, uint32_t end) {
    bool is_closer = token->kind == TOKEN_RP || token->kind == TOKEN_RB || token->kind == TOKEN_RC;
    uint32_t gap_indent = inner_indent(formatter), indent = gap_indent;
    if (is_closer && formatter->opened_count)
        indent = formatter->opened[--formatter->opened_count].line_indent;
    bool was_keyword_sign = formatter->before.kind == TOKEN_ASSIGN && formatter->out.length > 1 &&
                            formatter->out.text[formatter->out.length - 1] == '=' &&
                            formatter->out.text[formatter->out.length - 2] != ' ';
    uint32_t gap_begin = formatter->before.kind ? formatter->before.span.end : formatter->file->base;
    bool in_statement = formatter->before.kind && !formatter->ended && formatter->before.kind != TOKEN_LC &&
                        formatter->before.kind != TOKEN_SEP;
    bool carries_on = in_statement && innermost(formatter) != TOKEN_LP && innermost(formatter) != TOKEN_LB &&
                      !is_closer && token->kind != TOKEN_ELSE;
    if (carries_on)
        indent += INDENT;
    const char *gap = text_at(formatter, gap_begin), *begin = text_at(formatter, token->span.begin);
    if (write_gap(formatter, gap, begin, carries_on ? indent : gap_indent)) {
        text_repeat(&formatter->out, ' ', indent);
        formatter->line_indent = indent;
    } else if (needs_space(formatter, token, was_keyword_sign)) {
        text_add(&formatter->out, " ");
    }
    formatter->was_unary = token->kind == TOKEN_MINUS && !ends_operand(formatter->before.kind) &&
                           !is_soft_word(formatter->before.kind);
    text_append(&formatter->out, begin, end - token->span.begin);
    formatter->earlier = formatter->before;
    formatter->before = *token;
    formatter->before.span.end = end;
    formatter->ended = false;
    if (token->kind == TOKEN_LP || token->kind == TOKEN_LB || token->kind == TOKEN_LC)
        formatter->opened[formatter->opened_count++] = (Opened){token->kind, formatter->line_indent};
}

/* Reads on to the end of an interpolated string, whose interpolations may hold others. */
static Token skip_interpolation(Lexer *lexer, Token token) {
    uint32_t depth = 1;
    while (depth && token.kind != TOKEN_END) {
        token = lexer_next(lexer);
        depth += token.kind == TOKEN_STRING_BEGIN;
        depth -= token.kind == TOKEN_STRING_END;
    }
    return token;
}

static Lexer *new_lexer(const ParseContext *context, const SourceFile *file) {
    Lexer *lexer = ARENA_NEW(context->arena, Lexer);
    lexer_init(lexer, file, context->arena, context->diags);
    return lexer;
}

const char *fmt_source(const ParseContext *context, const SourceFile *file) {
    uint32_t errors = context->diags->error_count;
    parse_source(context, file);
    if (context->diags->error_count != errors)
        return NULL;
    Lexer *lexer = new_lexer(context, file);
    Formatter *formatter = ARENA_NEW(context->arena, Formatter);
    formatter->file = file;
    formatter->out.arena = context->arena;
    text_add(&formatter->out, "");
    for (Token token = lexer_next(lexer); token.kind != TOKEN_END; token = lexer_next(lexer)) {
        if (token.kind == TOKEN_SEP && !token_length(&token)) {
            formatter->ended = true;
            continue;
        }
        uint32_t end = token.span.end;
        if (token.kind == TOKEN_STRING_BEGIN) {
            end = skip_interpolation(lexer, token).span.end;
            token.kind = TOKEN_STRING;
        }
        write_token(formatter, &token, end);
    }
    uint32_t begin = formatter->before.kind ? formatter->before.span.end : file->base;
    write_gap(formatter, text_at(formatter, begin), file->text + file->length, 0);
    TextBuffer *out = &formatter->out;
    while (out->length && (out->text[out->length - 1] == '\n' || out->text[out->length - 1] == ' '))
        out->text[--out->length] = 0;
    if (out->length)
        text_add(out, "\n");
    return out->text;
}
