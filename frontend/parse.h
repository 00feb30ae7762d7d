/* Parsing: source text to syntax tree.  The grammar is grammar/gmx.y, the lexer grammar/gmx.re. */
#ifndef GMX_FRONTEND_PARSE_H
#define GMX_FRONTEND_PARSE_H

#include "frontend/ast.h"
#include "frontend/source.h"
#include "ir/base/diag.h"
#include "ir/base/intern.h"

typedef struct ParseContext {
    Arena *arena;       /* the tree lives here */
    Interner *interner; /* names of the tree */
    DiagSink *diags;
} ParseContext;

/* The whole text as a BLOCK, never NULL.  After an error, which is in `diags`, the statements that did parse
 * are there, with AST_ERROR where one did not. */
AstNode *parse_source(const ParseContext *context, const SourceFile *file);

/* Whether a REPL entry is whole at the newline that ends `text`: false asks for another line.  A wrong entry
 * is whole, so that its error shows. */
bool parse_is_complete(Arena *scratch, const char *text, size_t length);

/* The forms behind --emit=tokens and --emit=ast. */
const char *parse_print_tokens(const ParseContext *context, const SourceFile *file);
const char *ast_print(Arena *arena, const AstNode *node);      /* one line: an S-expression */
const char *ast_print_tree(Arena *arena, const AstNode *node); /* one statement a line for a BLOCK */

#endif
