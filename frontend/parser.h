/* The state of one parse, shared by the driver, the builders and the grammar's actions; internal to them. */
#ifndef GMX_FRONTEND_PARSER_H
#define GMX_FRONTEND_PARSER_H

#include "frontend/ast.h"
#include "frontend/lex.h"
#include "frontend/parse.h"

struct Parser {
    Arena *arena;
    Interner *interner;
    DiagSink *diags;
    Lexer lexer;
    void *lemon; /* the generated parser; NULL once released */
    AstNode *program;
    uint32_t node_count;
    Token previous[2];     /* the last token given to the parser, and the one before */
    bool has_syntax_error; /* the driver must resynchronise */
    bool has_failed;       /* lemon gave up */
};

/* Reports E0103 once and ends the parse. */
void parser_too_deep(Parser *parser);
void parser_too_deep_at(Parser *parser, Span span, const char *what);
void parser_syntax_error(Parser *parser, const void *lemon, int kind, Token token);

/* ---- the generated parser (grammar/gmx.y) ---- */
void *gmx_parser_Alloc(void *(*allocate)(size_t size), Parser *parser);
void gmx_parser_Free(void *lemon, void (*release)(void *memory));
void gmx_parser_(void *lemon, int kind, Token token);
uint32_t parser_stack_depth(const void *lemon);
void parser_forget_error(void *lemon);
bool parser_accepts(const void *lemon, int kind);

#endif
