/* The grammar of GMX (docs/language.md): LALR(1) without conflicts, one token of lookahead.
 *
 * Every action is one call of a builder at the end of frontend/ast.h.  What the grammar lets through and the
 * language does not (assignment targets, chained comparisons, `not` after an operator, the right of `|>`) is
 * checked by the builder.  Newlines reach the grammar as SEP where they end a statement; a SEP also stands before
 * the `}` of a block (frontend/lex.c).  Nodes live on an arena, so there are no destructors; do not use lemon's
 * -c.  Depth is bounded by the driver (frontend/parse.c), not by %stack_size. */
%include {
#include "frontend/parser.h"
#include <assert.h>
#include <stdlib.h>
#pragma GCC diagnostic ignored "-Wunused-variable" /* lemon's own code */
#pragma GCC diagnostic ignored "-Wunused-parameter"
}
%name gmx_parser_
%token_prefix TOKEN_
%token_type {Token}
%extra_context {Parser *parser}
%default_type {AstNode *}
%stack_size 0
%syntax_error { parser_syntax_error(parser, yypParser, yymajor, TOKEN); }
%parse_failure { parser->has_failed = true; }
%stack_overflow { parser_too_deep(parser); }

/* Words kept for later, and the replacements of foreign operators, are tokens that no rule uses. */
%token RESERVED.
/* Soft words: plain names but where the grammar expects them. */
%fallback ID SPARSE DENSE CSR CSC COO BSR GRAPH DIM ON MESSAGE AGGREGATE UPDATE PARAM STATE.

%right LAMBDA.
%left PIPE.
%left OR.
%left AND.
%right NOT.
%left EQ NE LT LE GT GE.
%left DOTDOT.
%left PLUS MINUS.
%left STAR SLASH DSLASH PERCENT AT.
%right UMINUS.
%right POW.

%start_symbol program
program ::= stmts(S).                       { ast_program(parser, S); }

stmts(A) ::= .                              { A = ast_list(parser); }
stmts(A) ::= stmts(B) stmt(S) SEP.          { A = ast_append(parser, B, S); }
stmts(A) ::= stmts(B) error SEP(T).         { A = ast_append_error(parser, B, T); }
block(A) ::= LC(L) stmts(S) RC(R).          { A = ast_block(parser, L, S, R); }

/* ---- statements ---- */
stmt(A) ::= declaration(B).                 { A = B; }
stmt(A) ::= expr(E).                        { A = E; }
stmt(A) ::= binding(B).                     { A = B; }
stmt(A) ::= expr(L) ASSIGN|OPASSIGN(O) expr(R). { A = ast_assign(parser, L, O, R); }
stmt(A) ::= FOR(K) pattern(P) IN expr(E) block(B). { A = ast_for(parser, K, P, E, B); }
stmt(A) ::= WHILE(K) expr(E) block(B).      { A = ast_while(parser, K, E, B); }
stmt(A) ::= RETURN(K).                      { A = ast_return(parser, K, NULL); }
stmt(A) ::= RETURN(K) expr(E).              { A = ast_return(parser, K, E); }
stmt(A) ::= MUT(K) pattern(P) type_opt(T) ASSIGN expr(E). { A = ast_binding(parser, AST_MUT, K, P, T, E); }
stmt(A) ::= CONST(K) name(N) type_opt(T) ASSIGN expr(E).  { A = ast_binding(parser, AST_CONST, K, N, T, E); }
binding(A) ::= LET(K) pattern(P) type_opt(T) ASSIGN expr(E). { A = ast_binding(parser, AST_LET, K, P, T, E); }
pattern(A) ::= name(N).                     { A = N; }
pattern(A) ::= LP(L) patterns(P) RP(R).     { A = ast_tuple_pattern(parser, L, P, R); }
pattern(A) ::= LP(L) patterns(P) COMMA RP(R). { A = ast_tuple_pattern(parser, L, P, R); }
patterns(A) ::= pattern(P).                 { A = ast_list_of(parser, P); }
patterns(A) ::= patterns(B) COMMA pattern(P). { A = ast_append(parser, B, P); }
name(A) ::= ID(I).                          { A = ast_name(parser, I); }

/* ---- declarations ---- */
declaration(A) ::= function(B).             { A = B; }
declaration(A) ::= EXPORT(K) function(F).   { A = ast_export(parser, K, F); }
declaration(A) ::= LAYER(K) ID(I) parameters(P) LC layer_items(B) RC(R).
                                            { A = ast_layer(parser, K, I, P, B, R); }
declaration(A) ::= RULE(K) ID(I) parameters(P) result(T) LC rule_items(B) RC(R).
                                            { A = ast_rule(parser, K, I, P, T, B, R); }
declaration(A) ::= IMPORT(K) STRING(S).     { A = ast_import(parser, K, S); }
function(A) ::= FN(K) ID(I) parameters(P) result(T) body(B).
                                            { A = ast_function(parser, K, I, P, T, B); }
body(A) ::= ASSIGN expr(E).                 { A = E; }
body(A) ::= block(B).                       { A = B; }
parameters(A) ::= LP(L) RP(R).              { A = ast_parameters(parser, L, NULL, R); }
parameters(A) ::= LP(L) parameter_list(P) RP(R). { A = ast_parameters(parser, L, P, R); }
parameters(A) ::= LP(L) parameter_list(P) COMMA RP(R). { A = ast_parameters(parser, L, P, R); }
parameter_list(A) ::= parameter(P).         { A = ast_list_of(parser, P); }
parameter_list(A) ::= parameter_list(B) COMMA parameter(P). { A = ast_append(parser, B, P); }
parameter(A) ::= ID(I) type_opt(T).         { A = ast_parameter(parser, I, T, NULL); }
parameter(A) ::= ID(I) type_opt(T) ASSIGN expr(E). { A = ast_parameter(parser, I, T, E); }
layer_items(A) ::= .                        { A = ast_list(parser); }
layer_items(A) ::= layer_items(B) layer_item(S) SEP. { A = ast_append(parser, B, S); }
layer_items(A) ::= layer_items(B) error SEP(T). { A = ast_append_error(parser, B, T); }
layer_item(A) ::= PARAM(K) ID(I) type_opt(T) ASSIGN expr(E).
                                            { A = ast_member(parser, AST_LAYER_PARAM, K, I, T, E); }
layer_item(A) ::= STATE(K) ID(I) type_opt(T) ASSIGN expr(E).
                                            { A = ast_member(parser, AST_LAYER_STATE, K, I, T, E); }
layer_item(A) ::= binding(B).               { A = B; }
layer_item(A) ::= function(F).              { A = F; }
rule_items(A) ::= .                         { A = ast_list(parser); }
rule_items(A) ::= rule_items(B) rule_item(S) SEP. { A = ast_append(parser, B, S); }
rule_items(A) ::= rule_items(B) error SEP(T). { A = ast_append_error(parser, B, T); }
rule_item(A) ::= MESSAGE(K) name(U) ARROW name(V) body(B). { A = ast_message(parser, K, U, V, B); }
rule_item(A) ::= AGGREGATE(K) expr(E).      { A = ast_aggregate(parser, K, E); }
rule_item(A) ::= UPDATE(K) name(V) COMMA name(M) body(B). { A = ast_update(parser, K, V, M, B); }

/* ---- types ---- */
type_opt(A) ::= .                           { A = NULL; }
type_opt(A) ::= COLON type(T).              { A = T; }
result(A) ::= .                             { A = NULL; }
result(A) ::= ARROW type(T).                { A = T; }
type(A) ::= stored(B).                      { A = B; }
type(A) ::= stored(B) ON name(G).           { A = ast_type_edge(parser, B, G); }
type(A) ::= GRAPH(K).                       { A = ast_type_graph(parser, K, NULL, K); }
type(A) ::= GRAPH(K) LB dims(D) RB(R).      { A = ast_type_graph(parser, K, D, R); }
type(A) ::= DIM(K).                         { A = ast_type_dim(parser, K); }
type(A) ::= LP(L) RP(R).                    { A = ast_type_tuple(parser, L, NULL, R); }
type(A) ::= LP(L) types(B) RP(R).           { A = ast_type_parenthesized(parser, L, B, R); }
type(A) ::= LP(L) types(B) COMMA RP(R).     { A = ast_type_tuple(parser, L, B, R); }
types(A) ::= type(T).                       { A = ast_list_of(parser, T); }
types(A) ::= types(B) COMMA type(T).        { A = ast_append(parser, B, T); }
stored(A) ::= element(E).                   { A = E; }
stored(A) ::= SPARSE|DENSE|CSR|CSC|COO|BSR(K) element(E). { A = ast_type_storage(parser, K, E); }
element(A) ::= DTYPE(T).                    { A = ast_type_name(parser, T, NULL, T); }
element(A) ::= DTYPE(T) LB RB(R).           { A = ast_type_name(parser, T, NULL, R); }
element(A) ::= DTYPE(T) LB dims(D) RB(R).   { A = ast_type_name(parser, T, D, R); }
element(A) ::= ID(T).                       { A = ast_type_name(parser, T, NULL, T); }
element(A) ::= ID(T) LB RB(R).              { A = ast_type_name(parser, T, NULL, R); }
element(A) ::= ID(T) LB dims(D) RB(R).      { A = ast_type_name(parser, T, D, R); }
element(A) ::= ID(T) LP arguments(D) RP(R). { A = ast_type_layer(parser, T, D, R); }
dims(A) ::= dim_list(B).                    { A = B; }
dims(A) ::= dim_list(B) COMMA.              { A = B; }
dim_list(A) ::= dim(D).                     { A = ast_list_of(parser, D); }
dim_list(A) ::= dim_list(B) COMMA dim(D).   { A = ast_append(parser, B, D); }
dim(A) ::= expr(E).                         { A = E; }
dim(A) ::= ELLIPSIS(E) ID(I).               { A = ast_dim_rest(parser, E, I); }

/* ---- expressions ---- */
expr(A) ::= postfix(B).                     { A = B; }
expr(A) ::= expr(L) PIPE(O) expr(R).        { A = ast_pipe(parser, L, O, R); }
expr(A) ::= expr(L) OR(O) expr(R).          { A = ast_binary(parser, L, O, R); }
expr(A) ::= expr(L) AND(O) expr(R).         { A = ast_binary(parser, L, O, R); }
expr(A) ::= NOT(O) expr(E).                 { A = ast_unary(parser, AST_NOT, O, E); }
expr(A) ::= expr(L) EQ|NE|LT|LE|GT|GE(O) expr(R). { A = ast_binary(parser, L, O, R); }
expr(A) ::= expr(L) DOTDOT(O) expr(R).      { A = ast_range(parser, L, O, R); }
expr(A) ::= expr(L) PLUS|MINUS(O) expr(R).  { A = ast_binary(parser, L, O, R); }
expr(A) ::= expr(L) STAR|SLASH|DSLASH|PERCENT|AT(O) expr(R). { A = ast_binary(parser, L, O, R); }
expr(A) ::= MINUS(O) expr(E). [UMINUS]      { A = ast_unary(parser, AST_NEGATE, O, E); }
expr(A) ::= expr(L) POW(O) expr(R).         { A = ast_binary(parser, L, O, R); }
expr(A) ::= FN(K) parameters(P) result(T) ASSIGN expr(E). [LAMBDA]
                                            { A = ast_lambda(parser, K, P, T, E); }
expr(A) ::= FN(K) parameters(P) result(T) block(B). { A = ast_lambda(parser, K, P, T, B); }
postfix(A) ::= atom(B).                     { A = B; }
postfix(A) ::= postfix(F) LP arguments(G) RP(R). { A = ast_call(parser, F, G, R); }
postfix(A) ::= postfix(X) LB subscripts(S) RB(R). { A = ast_index(parser, X, S, R); }
postfix(A) ::= postfix(X) DOT ID(I).        { A = ast_field(parser, X, I); }
atom(A) ::= name(N).                        { A = N; }
atom(A) ::= DTYPE(T).                       { A = ast_dtype(parser, T); }
atom(A) ::= INTEGER|FLOAT|IMAGINARY(T).     { A = ast_number(parser, T); }
atom(A) ::= TRUE|FALSE(T).                  { A = ast_bool(parser, T); }
atom(A) ::= STRING(T).                      { A = ast_string(parser, T); }
atom(A) ::= STRING_BEGIN(B) pieces(P) STRING_END(E). { A = ast_interpolation(parser, B, P, E); }
pieces(A) ::= piece(P).                     { A = ast_list_of(parser, P); }
pieces(A) ::= pieces(B) STRING_MIDDLE(M) piece(P). { A = ast_append_piece(parser, B, M, P); }
piece(A) ::= expr(E).                       { A = ast_interpolated(parser, E, NULL); }
piece(A) ::= expr(E) FORMAT(F).             { A = ast_interpolated(parser, E, &F); }
atom(A) ::= LP(L) RP(R).                    { A = ast_tuple(parser, L, NULL, NULL, R); }
atom(A) ::= LP(L) expr(E) RP(R).            { A = ast_parenthesized(parser, L, E, R); }
atom(A) ::= LP(L) expr(E) COMMA RP(R).      { A = ast_tuple(parser, L, E, NULL, R); }
atom(A) ::= LP(L) expr(E) COMMA expr_list(M) RP(R). { A = ast_tuple(parser, L, E, M, R); }
atom(A) ::= LP(L) expr(E) COMMA expr_list(M) COMMA RP(R). { A = ast_tuple(parser, L, E, M, R); }
expr_list(A) ::= expr(E).                   { A = ast_list_of(parser, E); }
expr_list(A) ::= expr_list(B) COMMA expr(E). { A = ast_append(parser, B, E); }
atom(A) ::= LB(L) RB(R).                    { A = ast_array(parser, L, NULL, R); }
atom(A) ::= LB(L) expr_list(M) RB(R).       { A = ast_array(parser, L, M, R); }
atom(A) ::= LB(L) expr_list(M) COMMA RB(R). { A = ast_array(parser, L, M, R); }
atom(A) ::= LB(L) expr(E) FOR binders(B) RB(R). { A = ast_comprehension(parser, L, E, B, R); }
atom(A) ::= if(B).                          { A = B; }
if(A) ::= IF(K) expr(C) block(T).           { A = ast_if(parser, K, C, T, NULL); }
if(A) ::= IF(K) expr(C) block(T) ELSE block(E). { A = ast_if(parser, K, C, T, E); }
if(A) ::= IF(K) expr(C) block(T) ELSE if(E). { A = ast_if(parser, K, C, T, E); }
arguments(A) ::= .                          { A = ast_list(parser); }
arguments(A) ::= argument_list(B).          { A = B; }
arguments(A) ::= argument_list(B) COMMA.    { A = B; }
arguments(A) ::= expr(E) FOR binders(B).    { A = ast_generator(parser, E, B); }
argument_list(A) ::= argument(E).           { A = ast_list_of(parser, E); }
argument_list(A) ::= argument_list(B) COMMA argument(E). { A = ast_append(parser, B, E); }
argument(A) ::= expr(E).                    { A = E; }
argument(A) ::= ID(I) ASSIGN expr(E).       { A = ast_keyword(parser, I, E); }
binders(A) ::= binder(B).                   { A = ast_list_of(parser, B); }
binders(A) ::= binders(B) COMMA binder(C).  { A = ast_append(parser, B, C); }
binder(A) ::= ID(I).                        { A = ast_binder(parser, I, NULL); }
binder(A) ::= ID(I) IN expr(E).             { A = ast_binder(parser, I, E); }
binder(A) ::= name(U) ARROW name(V) IN expr(G). { A = ast_edge_binder(parser, U, V, G); }
subscripts(A) ::= subscript_list(B).        { A = B; }
subscripts(A) ::= subscript_list(B) COMMA.  { A = B; }
subscript_list(A) ::= subscript(S).         { A = ast_list_of(parser, S); }
subscript_list(A) ::= subscript_list(B) COMMA subscript(S). { A = ast_append(parser, B, S); }
subscript(A) ::= expr(E).                   { A = E; }
subscript(A) ::= ELLIPSIS(T).               { A = ast_ellipsis(parser, T); }
subscript(A) ::= expr(U) ARROW expr(V).     { A = ast_edge(parser, U, V); }
subscript(A) ::= expr_opt(B) COLON(T) expr_opt(C). { A = ast_slice(parser, B, T, C, NULL, T); }
subscript(A) ::= expr_opt(B) COLON(T) expr_opt(C) COLON(U) expr_opt(D). { A = ast_slice(parser, B, T, C, D, U); }
expr_opt(A) ::= .                           { A = NULL; }
expr_opt(A) ::= expr(E).                    { A = E; }

/* What the driver needs to know of the generated parser. */
%code {
uint32_t parser_stack_depth(const void *lemon) {
    const yyParser *p = lemon;
    return (uint32_t)(p->yytos - p->yystack);
}

/* After recovery the next error is reported at once, not three tokens later. */
void parser_forget_error(void *lemon) {
    ((yyParser *)lemon)->yyerrcnt = -1;
}

/* Whether `kind` could stand next: runs the reductions it would cause on a copy of the top states. */
bool parser_accepts(const void *lemon, int kind) {
    enum { WINDOW = 64 };
    const yyParser *p = lemon;
    YYACTIONTYPE pushed[WINDOW];
    int pushed_count = 0;
    const yyStackEntry *kept = p->yytos; /* below `pushed` */
    for (int step = 0; step < 4 * WINDOW; step++) {
        YYACTIONTYPE action =
            yy_find_shift_action((YYCODETYPE)kind, pushed_count ? pushed[pushed_count - 1] : kept->stateno);
        if (action < YY_MIN_REDUCE)
            return action <= YY_MAX_SHIFTREDUCE || action == YY_ACCEPT_ACTION;
        unsigned rule = action - YY_MIN_REDUCE;
        int size = -yyRuleInfoNRhs[rule];
        int from_pushed = size < pushed_count ? size : pushed_count;
        pushed_count -= from_pushed;
        kept -= size - from_pushed;
        YYACTIONTYPE state = pushed_count ? pushed[pushed_count - 1] : kept->stateno;
        if (pushed_count == WINDOW)
            return false;
        pushed[pushed_count++] = yy_find_reduce_action(state, yyRuleInfoLhs[rule]);
    }
    return false;
}
}
