/* Literals: what the text of a number, a string or a format spec means. */
#ifndef GMX_FRONTEND_LITERAL_H
#define GMX_FRONTEND_LITERAL_H

#include "frontend/lex.h"

/* Fill the value of an INTEGER, FLOAT or IMAGINARY node from its token; E0004 where it does not fit. */
void literal_number(Lexer *lexer, const Token *token, AstNode *node);
/* Decode the text between the delimiters of a string token into a node; E0006 for a bad escape. */
void literal_string(Lexer *lexer, const Token *token, AstNode *node);
/* The spec of a FORMAT token (without its colon), checked: [[fill]align][sign][0][width][.precision][type].
 */
const char *literal_format(Lexer *lexer, const Token *token);

#endif
