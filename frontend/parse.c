/* The parser's driver: feeds tokens to the generated parser, words its errors, and resynchronises.
 *
 * After a syntax error Lemon has popped to the innermost list of statements and shifted `error`.  The driver
 * then drops the rest of the statement, with the blocks in it, up to the separator at the error's own brace
 * depth. Depth is bounded three times: open brackets by the lexer, the parser's stack here, the tree by its
 * builders. */
#include "frontend/parse.h"
#include "frontend/parser.h"
#include "frontend/text.h"
#include "grammar/gmx.h"

#include <stdlib.h>

/* Symbols on the parser's stack: up to ten for each of AST_NESTING_LIMIT brackets, and prefix operators. */
enum { STACK_LIMIT = 12 * AST_NESTING_LIMIT };
/* Tokens of one wrong statement that are dropped before the parse is given up. */
enum { DROP_LIMIT = 1 << 20 };

void parser_too_deep_at(Parser *parser, Span span, const char *what) {
    if (parser->lexer.is_too_deep)
        return;
    parser->lexer.is_too_deep = true;
    Diag *diag = lexer_error(&parser->lexer, DIAG_E0103, span, "%s", what);
    diag_note(parser->diags, diag, "split it with `let`");
}

void parser_too_deep(Parser *parser) {
    parser_too_deep_at(parser, lexer_span(&parser->lexer), "nesting is deeper than 256 levels");
}

/* ---- wording a syntax error ---- */

/* Whether the next thing after the newline just read is a `{`. */
static bool next_is_brace(const Lexer *lexer) {
    const unsigned char *p = lexer->cursor;
    while (p < lexer->limit && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
        p++;
    return p < lexer->limit && *p == '{';
}

/* Kinds that can stand in an error's "expected" list, in the order they are named.  Kinds that start an
 * expression are summed up as one. */
static const int expectable[] = {
    TOKEN_ID,    TOKEN_STRING, TOKEN_ASSIGN, TOKEN_LP,         TOKEN_LB,        TOKEN_LC,     TOKEN_COMMA,
    TOKEN_COLON, TOKEN_ARROW,  TOKEN_IN,     TOKEN_FN,         TOKEN_ELSE,      TOKEN_PARAM,  TOKEN_STATE,
    TOKEN_LET,   TOKEN_DTYPE,  TOKEN_FOR,    TOKEN_MESSAGE,    TOKEN_AGGREGATE, TOKEN_UPDATE, TOKEN_RP,
    TOKEN_RB,    TOKEN_RC,     TOKEN_SEP,    TOKEN_STRING_END,
};

/* "an expression", "`,` or `)`" …; NULL when there is too much to list. */
static const char *describe_expected(Parser *parser, const void *lemon) {
    enum { LIST_LIMIT = 4 };
    if (parser_accepts(lemon, TOKEN_INTEGER))
        return "an expression";
    bool has_operators = parser_accepts(lemon, TOKEN_PLUS);
    bool is_type = parser_accepts(lemon, TOKEN_DTYPE);
    const char *names[LIST_LIMIT];
    uint32_t count = 0;
    if (is_type)
        names[count++] = "a type";
    for (size_t i = 0; i < sizeof expectable / sizeof *expectable; i++) {
        int kind = expectable[i];
        bool is_soft = (kind == TOKEN_PARAM || kind == TOKEN_STATE || kind == TOKEN_MESSAGE ||
                        kind == TOKEN_AGGREGATE || kind == TOKEN_UPDATE) &&
                       parser_accepts(lemon, TOKEN_ID);
        bool is_operator_like = has_operators && (kind == TOKEN_LP || kind == TOKEN_LB);
        bool is_type_like = is_type && (kind == TOKEN_ID || kind == TOKEN_LP || kind == TOKEN_DTYPE);
        if (is_soft || is_operator_like || is_type_like || !parser_accepts(lemon, kind))
            continue;
        if (count == LIST_LIMIT)
            return NULL;
        names[count++] = token_text(kind);
    }
    TextBuffer text = {.arena = parser->arena};
    for (uint32_t i = 0; i < count; i++)
        text_format(&text, "%s%s", i == 0 ? "" : i + 1 == count ? " or " : ", ", names[i]);
    return count ? text.text : NULL;
}

static bool is_word(const Token *token, const char *word) {
    return token->text && token_length(token) == strlen(word) && !memcmp(token->text, word, strlen(word));
}

/* A hint for mistakes that other languages invite, or NULL. */
static const char *hint_for(const Parser *parser, const void *lemon, const Token *token) {
    static const struct {
        const char *word, *hint;
    } words[] = {
        {"def", "a function is declared with `fn name(x) = …` or `fn name(x) { … }`"},
        {"function", "a function is declared with `fn name(x) = …` or `fn name(x) { … }`"},
        {"lambda", "an anonymous function is written `fn(x) = …`"},
        {"var", "a variable is declared with `mut x = …`"},
        {"elif", "write `else if`"},
        {"import", "a file is imported with `import \"path.gmx\"`"},
    };
    const Token *before = &parser->previous[0];
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (is_word(before, words[i].word) || is_word(token, words[i].word))
            return words[i].hint;
    bool follows_expression = parser_accepts(lemon, TOKEN_EQ);
    switch (token->kind) {
    case TOKEN_RESERVED:
        return "`break`, `continue`, `match`, `type` and `as` are kept for a later version of the language";
    case TOKEN_ASSIGN:
        return follows_expression ? "`==` compares; an assignment is a statement of its own" : NULL;
    case TOKEN_SEP:
        return next_is_brace(&parser->lexer)
                   ? "`{` stands on the line of its `fn`, `if`, `for`, `while`, `layer` or `rule`"
                   : NULL;
    case TOKEN_IF:
        return follows_expression ? "a choice is written `if c { a } else { b }`" : NULL;
    case TOKEN_COLON:
        return parser_accepts(lemon, TOKEN_LC) ? "blocks are written in braces, `{ … }`" : NULL;
    default:
        return NULL;
    }
}

static bool is_keyword(int kind) {
    switch (kind) {
    case TOKEN_FOR:
    case TOKEN_IN:
    case TOKEN_WHILE:
    case TOKEN_RETURN:
    case TOKEN_MUT:
    case TOKEN_CONST:
    case TOKEN_LET:
    case TOKEN_EXPORT:
    case TOKEN_LAYER:
    case TOKEN_RULE:
    case TOKEN_IMPORT:
    case TOKEN_FN:
    case TOKEN_IF:
    case TOKEN_ELSE:
    case TOKEN_AND:
    case TOKEN_OR:
    case TOKEN_NOT:
    case TOKEN_TRUE:
    case TOKEN_FALSE:
    case TOKEN_RESERVED:
        return true;
    default:
        return false;
    }
}

static bool has_newline_between(const Token *a, const Token *b) {
    return a->text && memchr(a->text, '\n', (size_t)(b->text - a->text));
}

/* `a @` at a line's end takes the next line's first word as its operand: blame the operator then.  Returns
 * the token that the line ended with, or NULL. */
static const Token *find_open_end(const Parser *parser, const Token *token) {
    const Token *before = &parser->previous[0], *earlier = &parser->previous[1];
    if (before->kind == TOKEN_FN && token->kind == TOKEN_ID) {
        token = before;
        before = earlier;
    }
    bool is_open = before->kind && before->kind != TOKEN_SEP && before->kind != TOKEN_LC &&
                   before->kind != TOKEN_RC && before->kind != TOKEN_COMMA;
    return is_open && (token->kind == TOKEN_END || has_newline_between(before, token)) &&
                   !parser->lexer.frame_count
               ? before
               : NULL;
}

void parser_syntax_error(Parser *parser, const void *lemon, int kind, Token token) {
    parser->has_syntax_error = true;
    if (token.is_made_up || parser->lexer.is_too_deep || parser->lexer.has_unclosed)
        return;
    (void)kind;
    const Token *open_end = find_open_end(parser, &token);
    if (open_end) {
        lexer_error(&parser->lexer, DIAG_E0101, open_end->span, "something must follow %s here",
                    token_describe(parser->arena, open_end));
        return;
    }
    const char *found = token_describe(parser->arena, &token);
    const char *expected = describe_expected(parser, lemon);
    bool is_taken =
        is_keyword(token.kind) && parser_accepts(lemon, TOKEN_ID) && !parser_accepts(lemon, TOKEN_INTEGER);
    Diag *diag =
        is_taken ? lexer_error(&parser->lexer, DIAG_E0101, token.span, "%s is a keyword and cannot be a name",
                               found)
        : expected
            ? lexer_error(&parser->lexer, DIAG_E0101, token.span, "expected %s, found %s", expected, found)
            : lexer_error(&parser->lexer, DIAG_E0101, token.span, "%s cannot stand here", found);
    const char *hint = hint_for(parser, lemon, &token);
    if (hint)
        diag_note(parser->diags, diag, "%s", hint);
}

/* ---- driving ---- */

static void give(Parser *parser, const Token *token) {
    gmx_parser_(parser->lemon, token->kind, *token);
    parser->previous[1] = parser->previous[0];
    parser->previous[0] = *token;
    if (parser_stack_depth(parser->lemon) > STACK_LIMIT)
        parser_too_deep(parser);
}

/* Drops tokens from `token` on, up to the separator that ends its statement, and returns that one. */
static Token drop_statement(Lexer *lexer, Token token) {
    uint32_t depth = lexer->brace_count - (token.kind == TOKEN_LC), dropped = 0;
    lexer->is_recovering = true;
    while (token.kind != TOKEN_END && !(token.kind == TOKEN_SEP && lexer->brace_count <= depth)) {
        token = lexer_next(lexer);
        if (++dropped == DROP_LIMIT)
            lexer->is_too_deep = true; /* an error was reported; this is no program */
    }
    lexer->is_recovering = false;
    return token;
}

static void resynchronise(Parser *parser, Token token) {
    Lexer *lexer = &parser->lexer;
    bool is_given = token.kind == TOKEN_SEP; /* Lemon has shifted it behind `error` */
    if (is_given && next_is_brace(lexer))
        drop_statement(lexer, lexer_next(lexer)); /* the `{` on a line of its own, and its block */
    if (!is_given)
        token = drop_statement(lexer, token);
    if (!is_given && !lexer_is_finished(lexer) && !parser->has_failed) {
        token.kind = TOKEN_SEP;
        token.is_made_up = true;
        give(parser, &token);
    }
    parser_forget_error(parser->lemon);
}

static void run_parser(Parser *parser) {
    Lexer *lexer = &parser->lexer;
    for (;;) {
        Token token = lexer_next(lexer);
        if (lexer_is_finished(lexer) || lexer->has_unclosed)
            return;
        give(parser, &token);
        if (token.kind == TOKEN_END || parser->has_failed || lexer_is_finished(lexer))
            return;
        if (parser->has_syntax_error)
            resynchronise(parser, token);
        parser->has_syntax_error = false;
    }
}

static void release_lemon(void *memory) {
    Parser *parser = memory;
    if (parser->lemon)
        gmx_parser_Free(parser->lemon, free);
    parser->lemon = NULL;
}

static Parser *parser_new(const ParseContext *context, const SourceFile *file) {
    Parser *parser = ARENA_NEW(context->arena, Parser);
    parser->arena = context->arena;
    parser->interner = context->interner;
    parser->diags = context->diags;
    lexer_init(&parser->lexer, file, context->arena, context->diags);
    return parser;
}

AstNode *parse_source(const ParseContext *context, const SourceFile *file) {
    Parser *parser = parser_new(context, file);
    arena_defer(context->arena, release_lemon, parser); /* for a failed allocation in mid-parse */
    parser->lemon = gmx_parser_Alloc(malloc, parser);
    if (!parser->lemon) {
        lexer_error(&parser->lexer, DIAG_E0306, (Span){0, 0}, "no memory for the parser");
        return ast_list(parser);
    }
    run_parser(parser);
    release_lemon(parser);
    if (!parser->program)
        ast_program(parser, ast_list(parser));
    return parser->program;
}

bool parse_is_complete(Arena *scratch, const char *text, size_t length) {
    SourceMap sources;
    DiagSink diags;
    source_map_init(&sources, scratch);
    diag_init(&diags, scratch);
    SourceFile *file = source_add(&sources, &diags, "", text, length);
    if (!file)
        return true;
    Lexer *lexer = ARENA_NEW(scratch, Lexer);
    lexer_init(lexer, file, scratch, &diags);
    int last = 0;
    Token token;
    for (token = lexer_next(lexer); token.kind != TOKEN_END; token = lexer_next(lexer))
        last = token.kind;
    if (lexer->has_unclosed) /* an open bracket waits for more; a string cannot */
        return diags.error_count > 1 || diags.diags.items[0]->code != DIAG_E0102;
    if (diags.error_count)
        return true;
    return !lexer->doc_lines.count && (last == 0 || last == TOKEN_SEP);
}
