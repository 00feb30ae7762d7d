/* The lexer: tokens, and the bracket stack that decides what a newline means.
 *
 * The scanner itself is grammar/gmx.re; lex.c holds what it calls.  Token kinds are the TOKEN_ constants that
 * Lemon generates.  Tokens point into the source text. */
#ifndef GMX_FRONTEND_LEX_H
#define GMX_FRONTEND_LEX_H

#include "frontend/ast.h"
#include "frontend/source.h"
#include "ir/base/diag.h"
#include <stdbool.h>

enum { TOKEN_END = 0 };

struct Token {
    const char *text; /* `span` in the source text */
    Span span;
    int kind;
    bool is_made_up;    /* put in by recovery after a reported error: never report it */
    bool is_terminator; /* SEP: at a newline or the end of the text; not `;` nor before `}` */
    const char *doc;    /* first token of a declaration: its documentation, else NULL */
};
typedef struct Token Token;

static inline uint32_t token_length(const Token *token) {
    return token->span.end - token->span.begin;
}

typedef enum FrameKind {
    FRAME_NONE = 0,
    FRAME_PAREN = '(',
    FRAME_BRACKET = '[',
    FRAME_BRACE = '{',
    FRAME_INTERPOLATION = '"', /* between `{` and `}` inside a string */
} FrameKind;

typedef struct Frame {
    FrameKind kind;
    Span span; /* of the opening character */
} Frame;

typedef struct Lexer {
    const SourceFile *file;
    Arena *arena;
    DiagSink *diags;
    const unsigned char *cursor, *limit, *token; /* `token` is where the current one begins */
    const unsigned char *line;                   /* where the current line begins */
    int last;                                    /* kind of the last token returned, 0 at the start */
    Frame frames[AST_NESTING_LIMIT];
    uint32_t frame_count;
    uint32_t brace_count;         /* frames that are FRAME_BRACE */
    uint32_t interpolation_count; /* frames that are FRAME_INTERPOLATION */
    bool is_too_deep;             /* E0103 or E0002 was reported: nothing more is read */
    bool has_unclosed;            /* at the end of the text a bracket or string was open; reported */
    bool has_abandoned;           /* open brackets were dropped after an error: the next SEP is made up */
    bool is_recovering;           /* set by the parser: the rest of a wrong statement is being dropped */
    uint32_t error_count;         /* errors reported by the lexer and the parser */
    VEC(Span) doc_lines;          /* `##` lines just above, not yet claimed by a declaration */
} Lexer;

void lexer_init(Lexer *lexer, const SourceFile *file, Arena *arena, DiagSink *diags);
/* The next token; TOKEN_END at the end, after a nesting error, and once DIAG_LIMIT errors were reported. */
Token lexer_next(Lexer *lexer);

const char *token_text(int kind); /* for messages: "`+`", "a name", "end of line" */
/* The word or text of a token for a message, cut to a sane length. */
const char *token_describe(Arena *arena, const Token *token);

/* ---- called by grammar/gmx.re ---- */
Span lexer_span(const Lexer *lexer); /* of the current token */
Token lexer_make(Lexer *lexer, int kind);
Diag *lexer_error(Lexer *lexer, DiagCode code, Span span, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool lexer_is_finished(const Lexer *lexer);
Token lexer_word(Lexer *lexer, int kind); /* a keyword or soft word; after `.` a plain name */
Token lexer_statement_word(Lexer *lexer,
                           int kind); /* a keyword that shows that open brackets were forgotten */
Token lexer_open(Lexer *lexer, int kind, FrameKind frame);
Token lexer_close(Lexer *lexer, FrameKind frame);
Token lexer_brace_close(Lexer *lexer);
bool lexer_newline(Lexer *lexer, Token *separator); /* true: the statement ends here */
bool lexer_skip_separator(const Lexer *lexer);      /* a `;` with no statement before it */
Token lexer_string(Lexer *lexer);
Token lexer_colon(Lexer *lexer);
Token lexer_foreign_string(Lexer *lexer);
Token lexer_foreign_operator(Lexer *lexer, int kind, const char *spelling);
Token lexer_dotted_number(Lexer *lexer); /* after `1.`: may give the dot back */
Token lexer_bad_number(Lexer *lexer);
void lexer_doc_line(Lexer *lexer);
void lexer_bad_character(Lexer *lexer);
bool lexer_end(Lexer *lexer, Token *token); /* false: look again */

#endif
