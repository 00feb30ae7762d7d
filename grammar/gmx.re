/* The scanner of GMX: one call, one token.  What is more than matching is in frontend/lex.c. */
#include "frontend/lex.h"
#include "grammar/gmx.h"

/*!include:re2c "unicode_categories.re" */

Token lexer_next(Lexer *lexer) {
    const unsigned char *marker;
    Token token;
again:
    lexer->token = lexer->cursor;
    if (lexer_is_finished(lexer))
        return lexer_make(lexer, TOKEN_END);
    /*!re2c
    re2c:define:YYCTYPE = "unsigned char";
    re2c:define:YYCURSOR = "lexer->cursor";
    re2c:define:YYMARKER = marker;
    re2c:define:YYLIMIT = "lexer->limit";
    re2c:yyfill:enable = 0;
    re2c:eof = 0;

    word_start = L | Nl | [_];
    word_rest  = word_start | Mn | Mc | Nd | Pc;
    digits     = [0-9] ("_"? [0-9])*;
    exponent   = [eE] [+-]? digits;

    [ \t\r]+     { goto again; }
    "\n"         { if (lexer_newline(lexer, &token)) return token; goto again; }
    "##" [^\n]*  { lexer_doc_line(lexer); goto again; }
    "#" ([^#\n] [^\n]*)? { goto again; }

    "and"    { return lexer_word(lexer, TOKEN_AND); }
    "or"     { return lexer_word(lexer, TOKEN_OR); }
    "not"    { return lexer_word(lexer, TOKEN_NOT); }
    "if"     { return lexer_word(lexer, TOKEN_IF); }
    "else"   { return lexer_word(lexer, TOKEN_ELSE); }
    "for"    { return lexer_word(lexer, TOKEN_FOR); }
    "in"     { return lexer_word(lexer, TOKEN_IN); }
    "fn"     { return lexer_word(lexer, TOKEN_FN); }
    "true"   { return lexer_word(lexer, TOKEN_TRUE); }
    "false"  { return lexer_word(lexer, TOKEN_FALSE); }
    "while"  { return lexer_statement_word(lexer, TOKEN_WHILE); }
    "let"    { return lexer_statement_word(lexer, TOKEN_LET); }
    "mut"    { return lexer_statement_word(lexer, TOKEN_MUT); }
    "const"  { return lexer_statement_word(lexer, TOKEN_CONST); }
    "return" { return lexer_statement_word(lexer, TOKEN_RETURN); }
    "layer"  { return lexer_statement_word(lexer, TOKEN_LAYER); }
    "rule"   { return lexer_statement_word(lexer, TOKEN_RULE); }
    "import" { return lexer_statement_word(lexer, TOKEN_IMPORT); }
    "export" { return lexer_statement_word(lexer, TOKEN_EXPORT); }
    "break" | "continue" | "match" | "type" | "as" { return lexer_word(lexer, TOKEN_RESERVED); }
    "param"  { return lexer_word(lexer, TOKEN_PARAM); }
    "state"  { return lexer_word(lexer, TOKEN_STATE); }
    "sparse" { return lexer_word(lexer, TOKEN_SPARSE); }
    "dense"  { return lexer_word(lexer, TOKEN_DENSE); }
    "csr"    { return lexer_word(lexer, TOKEN_CSR); }
    "csc"    { return lexer_word(lexer, TOKEN_CSC); }
    "coo"    { return lexer_word(lexer, TOKEN_COO); }
    "bsr"    { return lexer_word(lexer, TOKEN_BSR); }
    "graph"  { return lexer_word(lexer, TOKEN_GRAPH); }
    "dim"    { return lexer_word(lexer, TOKEN_DIM); }
    "on"     { return lexer_word(lexer, TOKEN_ON); }
    "message"   { return lexer_word(lexer, TOKEN_MESSAGE); }
    "aggregate" { return lexer_word(lexer, TOKEN_AGGREGATE); }
    "update"    { return lexer_word(lexer, TOKEN_UPDATE); }
    "bool" | "u8" | "u16" | "u32" | "u64" | "i8" | "i16" | "i32" | "i64" | "f16" | "bf16" | "f32" | "f64" | "c64" |
    "c128" { return lexer_word(lexer, TOKEN_DTYPE); }
    word_start word_rest* { return lexer_word(lexer, TOKEN_ID); }

    digits | "0x" [0-9a-fA-F] ("_"? [0-9a-fA-F])* { return lexer_make(lexer, TOKEN_INTEGER); }
    digits ("." digits)? exponent | digits "." digits { return lexer_make(lexer, TOKEN_FLOAT); }
    digits ("." digits)? exponent? "j" { return lexer_make(lexer, TOKEN_IMAGINARY); }
    digits "." { return lexer_dotted_number(lexer); }
    digits "." exponent | "." digits exponent? "j"? { return lexer_bad_number(lexer); }
    digits ("." digits)? exponent? word_start word_rest* { return lexer_bad_number(lexer); }
    "0x" [0-9a-fA-F_]* word_rest* { return lexer_bad_number(lexer); }

    "\""  { return lexer_string(lexer); }
    "'" [^'"\n]* "'" { return lexer_foreign_string(lexer); }
    "("   { return lexer_open(lexer, TOKEN_LP, FRAME_PAREN); }
    "["   { return lexer_open(lexer, TOKEN_LB, FRAME_BRACKET); }
    "{"   { return lexer_open(lexer, TOKEN_LC, FRAME_BRACE); }
    ")"   { return lexer_close(lexer, FRAME_PAREN); }
    "]"   { return lexer_close(lexer, FRAME_BRACKET); }
    "}"   { return lexer_brace_close(lexer); }
    ":"   { return lexer_colon(lexer); }
    ";"   { if (lexer_skip_separator(lexer)) goto again; return lexer_make(lexer, TOKEN_SEP); }
    ","   { return lexer_make(lexer, TOKEN_COMMA); }
    "."   { return lexer_make(lexer, TOKEN_DOT); }
    ".."  { return lexer_make(lexer, TOKEN_DOTDOT); }
    "..." { return lexer_make(lexer, TOKEN_ELLIPSIS); }
    "->"  { return lexer_make(lexer, TOKEN_ARROW); }
    "|>"  { return lexer_make(lexer, TOKEN_PIPE); }
    "=="  { return lexer_make(lexer, TOKEN_EQ); }
    "!="  { return lexer_make(lexer, TOKEN_NE); }
    "<="  { return lexer_make(lexer, TOKEN_LE); }
    ">="  { return lexer_make(lexer, TOKEN_GE); }
    "<"   { return lexer_make(lexer, TOKEN_LT); }
    ">"   { return lexer_make(lexer, TOKEN_GT); }
    "="   { return lexer_make(lexer, TOKEN_ASSIGN); }
    "+=" | "-=" | "*=" | "/=" | "//=" | "%=" | "@=" | "^=" { return lexer_make(lexer, TOKEN_OPASSIGN); }
    "+"   { return lexer_make(lexer, TOKEN_PLUS); }
    "-"   { return lexer_make(lexer, TOKEN_MINUS); }
    "*"   { return lexer_make(lexer, TOKEN_STAR); }
    "/"   { return lexer_make(lexer, TOKEN_SLASH); }
    "//"  { return lexer_make(lexer, TOKEN_DSLASH); }
    "%"   { return lexer_make(lexer, TOKEN_PERCENT); }
    "@"   { return lexer_make(lexer, TOKEN_AT); }
    "^"   { return lexer_make(lexer, TOKEN_POW); }
    "**"  { return lexer_foreign_operator(lexer, TOKEN_POW, "^"); }
    "**=" { return lexer_foreign_operator(lexer, TOKEN_OPASSIGN, "^="); }
    "&&" | "&" { return lexer_foreign_operator(lexer, TOKEN_AND, "and"); }
    "||" | "|" { return lexer_foreign_operator(lexer, TOKEN_OR, "or"); }
    "!" | "~"  { return lexer_foreign_operator(lexer, TOKEN_NOT, "not"); }

    $     { if (lexer_end(lexer, &token)) return token; goto again; }
    *     { lexer_bad_character(lexer); goto again; }
    */
}
