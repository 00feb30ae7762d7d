/* The syntax tree: the builders that the grammar calls.
 *
 * They also refuse what the grammar lets through: targets that cannot be assigned to (E0106), chained
 * comparisons and ranges (E0104), `not` after an operator (E0107), the right of `|>` (E0108), and trees that
 * are too deep (E0103) or too large (E0002).  None of them fails: the node is made in any case. */
#include "frontend/literal.h"
#include "frontend/parser.h"
#include "frontend/unicode.h"
#include "grammar/gmx.h"

/* ---- nodes ---- */

/* What one step from `parent` down to its child at `index` adds to the nesting.  Brackets are counted by the
 * lexer; here count the forms that nest without one. */
static uint32_t nesting_step(const AstNode *parent, uint32_t index, const AstNode *child) {
    switch (parent->kind) {
    case AST_NEGATE:
    case AST_NOT:
        return 1;
    case AST_BINARY:
        return parent->operator== AST_OPERATOR_POW && index == 1;
    case AST_IF:
        return index == 2 && child->kind == AST_IF;
    case AST_FUNCTION:
        return index == 2 && child->kind != AST_BLOCK;
    default:
        return 0;
    }
}

static void measure(Parser *parser, AstNode *parent, uint32_t index, const AstNode *child) {
    uint32_t nesting = child->nesting + nesting_step(parent, index, child), height = child->height + 1u;
    if (nesting > parent->nesting)
        parent->nesting = (uint16_t)(nesting < UINT16_MAX ? nesting : UINT16_MAX);
    if (height > parent->height)
        parent->height = (uint16_t)(height < UINT16_MAX ? height : UINT16_MAX);
    if (nesting > AST_NESTING_LIMIT)
        parser_too_deep_at(parser, parent->mark, "nesting is deeper than 256 levels");
    else if (height > AST_HEIGHT_LIMIT)
        parser_too_deep_at(parser, parent->mark.end ? parent->mark : child->span,
                           "the expression is a chain of more than 1000 links or nests too deep");
}

static AstNode *node_sized(Parser *parser, AstKind kind, Span span, uint32_t child_count) {
    if (++parser->node_count == AST_NODE_LIMIT && !parser->lexer.is_too_deep) {
        parser->lexer.is_too_deep = true;
        Diag *diag = lexer_error(&parser->lexer, DIAG_E0002, span,
                                 "the source is too large: more than %d syntax nodes", AST_NODE_LIMIT);
        diag_note(parser->diags, diag, "keep large tables in a .npy file and `load` them");
    }
    AstNode *node = arena_alloc(parser->arena, sizeof *node + child_count * sizeof *node->children);
    node->kind = (uint8_t)kind;
    node->span = node->mark = span;
    node->child_count = child_count;
    node->children = child_count ? (AstNode **)(node + 1) : NULL;
    return node;
}

static void set_child(Parser *parser, AstNode *node, uint32_t index, AstNode *child) {
    node->children[index] = child;
    if (child) {
        measure(parser, node, index, child);
        node->span = span_join(node->span, child->span);
    }
}

/* A node over fixed children and then the items of `list` (either may be empty).  Its span covers `span` and
 * all children; its mark is `span`. */
static AstNode *node_over(Parser *parser, AstKind kind, Span span, uint32_t count, AstNode *const *fixed,
                          const AstNode *list) {
    uint32_t rest = list ? list->child_count : 0;
    AstNode *node = node_sized(parser, kind, span, count + rest);
    for (uint32_t i = 0; i < count; i++)
        set_child(parser, node, i, fixed[i]);
    for (uint32_t i = 0; i < rest; i++)
        set_child(parser, node, count + i, list->children[i]);
    return node;
}

#define NODE(parser, kind, span, list, ...)                                                                  \
    node_over((parser), (kind), (span), sizeof((AstNode *[]){__VA_ARGS__}) / sizeof(AstNode *),              \
              (AstNode *[]){__VA_ARGS__}, (list))

static AstNode *node_of_token(Parser *parser, AstKind kind, const Token *token) {
    return node_sized(parser, kind, token->span, 0);
}

static AstNode *node_of_list(Parser *parser, AstKind kind, Span span, AstNode *list) {
    if (!list)
        return node_sized(parser, kind, span, 0);
    list->kind = (uint8_t)kind; /* a list is taken over as it is */
    list->span = list->mark = span;
    return list;
}

static Name intern_token(Parser *parser, const Token *token) {
    size_t length = token_length(token);
    const char *text = unicode_nfc(parser->arena, token->text, &length);
    return intern(parser->interner, text, length);
}

static AstNode *named(Parser *parser, AstNode *node, const Token *name) {
    node->name = intern_token(parser, name);
    node->mark = name->span;
    return node;
}

static Span join(const Token *first, const Token *last) {
    return span_join(first->span, last->span);
}

/* ---- lists ---- */

AstNode *ast_list(Parser *parser) {
    return node_sized(parser, AST_NONE, (Span){0, 0}, 0);
}

AstNode *ast_list_of(Parser *parser, AstNode *item) {
    return ast_append(parser, ast_list(parser), item);
}

AstNode *ast_append(Parser *parser, AstNode *list, AstNode *item) {
    enum { FIRST_CAPACITY = 4 };
    uint32_t count = list->child_count;
    bool is_full = count == 0 || (count >= FIRST_CAPACITY && !(count & (count - 1)));
    if (is_full) {
        uint32_t capacity = count ? count * 2 : FIRST_CAPACITY;
        AstNode **grown = ARENA_ARRAY(parser->arena, AstNode *, capacity);
        if (count)
            memcpy(grown, list->children, count * sizeof *grown);
        list->children = grown;
    }
    list->child_count++;
    set_child(parser, list, count, item);
    return list;
}

AstNode *ast_append_error(Parser *parser, AstNode *list, Token separator) {
    return ast_append(parser, list, node_of_token(parser, AST_ERROR, &separator));
}

static AstNode *append_text(Parser *parser, AstNode *list, const Token *piece) {
    AstNode *text = ast_string(parser, *piece);
    return text->text_length ? ast_append(parser, list, text) : list;
}

AstNode *ast_append_piece(Parser *parser, AstNode *list, Token middle, AstNode *piece) {
    return ast_append(parser, append_text(parser, list, &middle), piece);
}

void ast_program(Parser *parser, AstNode *statements) {
    parser->program = node_of_list(parser, AST_BLOCK, statements->span, statements);
}

/* ---- statements ---- */

AstNode *ast_block(Parser *parser, Token first, AstNode *statements, Token last) {
    return node_of_list(parser, AST_BLOCK, join(&first, &last), statements);
}

static bool is_comparison(const AstNode *node) {
    return ast_is(node, AST_BINARY) && node->operator>= AST_OPERATOR_EQ && node->operator<= AST_OPERATOR_GE;
}

/* The part of a target that cannot be assigned to, or NULL. */
static const AstNode *find_bad_target(const AstNode *node, bool tuples) {
    while (node->kind == AST_INDEX || node->kind == AST_FIELD) {
        node = node->children[0];
        tuples = false;
    }
    if (node->kind == AST_NAME)
        return NULL;
    if (node->kind != AST_TUPLE || !tuples || !node->child_count)
        return node;
    for (uint32_t i = 0; i < node->child_count; i++) {
        const AstNode *bad = find_bad_target(node->children[i], true);
        if (bad)
            return bad;
    }
    return NULL;
}

static const char *explain_bad_target(const AstNode *node) {
    switch (node->kind) {
    case AST_CALL:
        return "a function is defined with `fn name(x) = …`";
    case AST_TUPLE:
        return node->child_count ? "only `=` takes a tuple on its left"
                                 : "a tuple on the left needs names in it";
    case AST_BINARY:
        return is_comparison(node) ? "a comparison is complete by itself; `=` only assigns"
                                   : "the result of an operator has no place to store into";
    default:
        return "the left side is a name, an element `x[i]`, a field `x.f`, or (for `=`) a tuple of these";
    }
}

static AstOperator assignment_operator(const Token *sign) {
    if (sign->kind == TOKEN_ASSIGN)
        return AST_OPERATOR_NONE;
    uint32_t length = token_length(sign) - 1;
    for (int i = AST_OPERATOR_ADD; i < AST_OPERATOR_COUNT; i++)
        if (strlen(ast_operator_text(i)) == length && !memcmp(ast_operator_text(i), sign->text, length))
            return (AstOperator)i;
    return AST_OPERATOR_POW; /* `**=`, already reported */
}

AstNode *ast_assign(Parser *parser, AstNode *target, Token sign, AstNode *value) {
    const AstNode *bad = find_bad_target(target, sign.kind == TOKEN_ASSIGN);
    if (bad) {
        Diag *diag = lexer_error(&parser->lexer, DIAG_E0106, bad->span, "this cannot be assigned to");
        diag_note(parser->diags, diag, "%s", explain_bad_target(bad));
    }
    AstNode *node = NODE(parser, AST_ASSIGN, sign.span, NULL, target, value);
    node->operator=(uint8_t) assignment_operator(&sign);
    return node;
}

AstNode *ast_for(Parser *parser, Token first, AstNode *pattern, AstNode *iterable, AstNode *body) {
    return NODE(parser, AST_FOR, first.span, NULL, pattern, iterable, body);
}

AstNode *ast_while(Parser *parser, Token first, AstNode *condition, AstNode *body) {
    return NODE(parser, AST_WHILE, first.span, NULL, condition, body);
}

AstNode *ast_return(Parser *parser, Token first, AstNode *value) {
    return NODE(parser, AST_RETURN, first.span, NULL, value);
}

AstNode *ast_binding(Parser *parser, AstKind kind, Token first, AstNode *pattern, AstNode *type,
                     AstNode *value) {
    AstNode *node = NODE(parser, kind, first.span, NULL, pattern, type, value);
    node->mark = pattern->span;
    node->doc = first.doc;
    return node;
}

AstNode *ast_tuple_pattern(Parser *parser, Token first, AstNode *patterns, Token last) {
    return node_of_list(parser, AST_TUPLE_PATTERN, join(&first, &last), patterns);
}

/* ---- declarations ---- */

AstNode *ast_export(Parser *parser, Token first, AstNode *function) {
    (void)parser;
    function->flags |= AST_EXPORT;
    function->span = span_join(first.span, function->span);
    function->doc = first.doc ? first.doc : function->doc;
    return function;
}

AstNode *ast_function(Parser *parser, Token first, Token name, AstNode *parameters, AstNode *result,
                      AstNode *body) {
    AstNode *node = NODE(parser, AST_FUNCTION, first.span, NULL, parameters, result, body);
    node->doc = first.doc;
    return named(parser, node, &name);
}

AstNode *ast_lambda(Parser *parser, Token first, AstNode *parameters, AstNode *result, AstNode *body) {
    return NODE(parser, AST_FUNCTION, first.span, NULL, parameters, result, body);
}

AstNode *ast_parameters(Parser *parser, Token first, AstNode *list, Token last) {
    return node_of_list(parser, AST_PARAMETERS, join(&first, &last), list);
}

AstNode *ast_parameter(Parser *parser, Token name, AstNode *type, AstNode *value) {
    return named(parser, NODE(parser, AST_PARAMETER, name.span, NULL, type, value), &name);
}

AstNode *ast_layer(Parser *parser, Token first, Token name, AstNode *parameters, AstNode *members,
                   Token last) {
    AstNode *node = NODE(parser, AST_LAYER, join(&first, &last), members, parameters);
    node->doc = first.doc;
    return named(parser, node, &name);
}

AstNode *ast_member(Parser *parser, AstKind kind, Token first, Token name, AstNode *type, AstNode *value) {
    AstNode *node = NODE(parser, kind, join(&first, &name), NULL, type, value);
    node->doc = first.doc;
    return named(parser, node, &name);
}

AstNode *ast_rule(Parser *parser, Token first, Token name, AstNode *parameters, AstNode *result,
                  AstNode *members, Token last) {
    AstNode *node = NODE(parser, AST_RULE, join(&first, &last), members, parameters, result);
    node->doc = first.doc;
    return named(parser, node, &name);
}

AstNode *ast_message(Parser *parser, Token first, AstNode *source, AstNode *target, AstNode *body) {
    return NODE(parser, AST_MESSAGE, first.span, NULL, source, target, body);
}

AstNode *ast_aggregate(Parser *parser, Token first, AstNode *function) {
    return NODE(parser, AST_AGGREGATE, first.span, NULL, function);
}

AstNode *ast_update(Parser *parser, Token first, AstNode *node, AstNode *received, AstNode *body) {
    return NODE(parser, AST_UPDATE, first.span, NULL, node, received, body);
}

AstNode *ast_import(Parser *parser, Token first, Token path) {
    return NODE(parser, AST_IMPORT, first.span, NULL, ast_string(parser, path));
}

/* ---- types ---- */

AstNode *ast_type_name(Parser *parser, Token name, AstNode *dims, Token last) {
    return named(parser, node_of_list(parser, AST_TYPE_NAME, join(&name, &last), dims), &name);
}

AstNode *ast_type_layer(Parser *parser, Token name, AstNode *arguments, Token last) {
    return named(parser, node_of_list(parser, AST_TYPE_LAYER, join(&name, &last), arguments), &name);
}

AstNode *ast_type_storage(Parser *parser, Token storage, AstNode *element) {
    return named(parser, NODE(parser, AST_TYPE_STORAGE, storage.span, NULL, element), &storage);
}

AstNode *ast_type_edge(Parser *parser, AstNode *element, AstNode *carrier) {
    return NODE(parser, AST_TYPE_EDGE, carrier->span, NULL, element, carrier);
}

AstNode *ast_type_graph(Parser *parser, Token first, AstNode *dims, Token last) {
    return node_of_list(parser, AST_TYPE_GRAPH, join(&first, &last), dims);
}

AstNode *ast_type_dim(Parser *parser, Token word) {
    return node_of_token(parser, AST_TYPE_DIM, &word);
}

AstNode *ast_type_tuple(Parser *parser, Token first, AstNode *types, Token last) {
    return node_of_list(parser, AST_TYPE_TUPLE, join(&first, &last), types);
}

AstNode *ast_type_parenthesized(Parser *parser, Token first, AstNode *types, Token last) {
    if (types->child_count == 1)
        return types->children[0];
    return ast_type_tuple(parser, first, types, last);
}

AstNode *ast_dim_rest(Parser *parser, Token first, Token name) {
    return named(parser, node_sized(parser, AST_DIM_REST, join(&first, &name), 0), &name);
}

/* ---- atoms ---- */

AstNode *ast_name(Parser *parser, Token name) {
    return named(parser, node_of_token(parser, AST_NAME, &name), &name);
}

AstNode *ast_dtype(Parser *parser, Token name) {
    return named(parser, node_of_token(parser, AST_DTYPE, &name), &name);
}

AstNode *ast_number(Parser *parser, Token token) {
    AstKind kind = token.kind == TOKEN_INTEGER ? AST_INTEGER
                   : token.kind == TOKEN_FLOAT ? AST_FLOAT
                                               : AST_IMAGINARY;
    AstNode *node = node_of_token(parser, kind, &token);
    literal_number(&parser->lexer, &token, node);
    return node;
}

AstNode *ast_bool(Parser *parser, Token token) {
    AstNode *node = node_of_token(parser, AST_BOOL, &token);
    node->boolean = token.kind == TOKEN_TRUE;
    return node;
}

AstNode *ast_string(Parser *parser, Token token) {
    AstNode *node = node_of_token(parser, AST_STRING, &token);
    literal_string(&parser->lexer, &token, node);
    return node;
}

AstNode *ast_interpolation(Parser *parser, Token begin, AstNode *pieces, Token end) {
    AstNode *text = ast_string(parser, begin);
    pieces = append_text(parser, pieces, &end);
    Span span = join(&begin, &end);
    if (!text->text_length)
        return node_of_list(parser, AST_INTERPOLATION, span, pieces);
    return NODE(parser, AST_INTERPOLATION, span, pieces, text);
}

AstNode *ast_interpolated(Parser *parser, AstNode *value, const Token *format) {
    AstNode *node = NODE(parser, AST_INTERPOLATED, value->span, NULL, value);
    if (format) {
        node->text = literal_format(&parser->lexer, format);
        node->text_length = (uint32_t)strlen(node->text);
        node->span = span_join(node->span, format->span);
    }
    return node;
}

AstNode *ast_parenthesized(Parser *parser, Token first, AstNode *expression, Token last) {
    (void)parser;
    expression->flags |= AST_PARENTHESIZED;
    expression->span = join(&first, &last);
    return expression;
}

AstNode *ast_tuple(Parser *parser, Token first, AstNode *element, AstNode *more, Token last) {
    Span span = join(&first, &last);
    return element ? NODE(parser, AST_TUPLE, span, more, element) : node_sized(parser, AST_TUPLE, span, 0);
}

AstNode *ast_array(Parser *parser, Token first, AstNode *elements, Token last) {
    return node_of_list(parser, AST_ARRAY, join(&first, &last), elements);
}

AstNode *ast_comprehension(Parser *parser, Token first, AstNode *body, AstNode *binders, Token last) {
    return NODE(parser, AST_COMPREHENSION, join(&first, &last), binders, body);
}

AstNode *ast_generator(Parser *parser, AstNode *body, AstNode *binders) {
    return ast_list_of(parser, NODE(parser, AST_GENERATOR, body->span, binders, body));
}

AstNode *ast_binder(Parser *parser, Token name, AstNode *range) {
    return named(parser, NODE(parser, AST_BINDER, name.span, NULL, range), &name);
}

AstNode *ast_edge_binder(Parser *parser, AstNode *source, AstNode *target, AstNode *graph) {
    return NODE(parser, AST_EDGE_BINDER, source->span, NULL, source, target, graph);
}

/* ---- postfix forms and operators ---- */

AstNode *ast_call(Parser *parser, AstNode *callee, AstNode *arguments, Token last) {
    AstNode *node = NODE(parser, AST_CALL, span_join(callee->span, last.span), arguments, callee);
    return node;
}

AstNode *ast_keyword(Parser *parser, Token name, AstNode *value) {
    return named(parser, NODE(parser, AST_KEYWORD, name.span, NULL, value), &name);
}

AstNode *ast_index(Parser *parser, AstNode *base, AstNode *subscripts, Token last) {
    return NODE(parser, AST_INDEX, span_join(base->span, last.span), subscripts, base);
}

AstNode *ast_ellipsis(Parser *parser, Token token) {
    return node_of_token(parser, AST_ELLIPSIS, &token);
}

AstNode *ast_edge(Parser *parser, AstNode *source, AstNode *target) {
    return NODE(parser, AST_EDGE, source->span, NULL, source, target);
}

AstNode *ast_slice(Parser *parser, AstNode *start, Token colon, AstNode *stop, AstNode *step, Token last) {
    return NODE(parser, AST_SLICE, join(&colon, &last), NULL, start, stop, step);
}

AstNode *ast_field(Parser *parser, AstNode *base, Token name) {
    return named(parser, NODE(parser, AST_FIELD, name.span, NULL, base), &name);
}

/* `not` binds looser than every other operator, so `a == not b == c` would not read as it parses. */
static void check_not_operand(Parser *parser, const Token *sign, const AstNode *operand) {
    if (operand->kind != AST_NOT || operand->flags & AST_PARENTHESIZED)
        return;
    Diag *diag = lexer_error(&parser->lexer, DIAG_E0107, operand->mark,
                             "`not` after `%.*s` needs parentheses", (int)token_length(sign), sign->text);
    diag_note(parser->diags, diag, "write `%.*s (not …)`", (int)token_length(sign), sign->text);
}

AstNode *ast_unary(Parser *parser, AstKind kind, Token sign, AstNode *operand) {
    if (kind == AST_NEGATE)
        check_not_operand(parser, &sign, operand);
    return NODE(parser, kind, sign.span, NULL, operand);
}

static AstOperator binary_operator(int token) {
    switch (token) {
    case TOKEN_OR:
        return AST_OPERATOR_OR;
    case TOKEN_AND:
        return AST_OPERATOR_AND;
    case TOKEN_EQ:
        return AST_OPERATOR_EQ;
    case TOKEN_NE:
        return AST_OPERATOR_NE;
    case TOKEN_LT:
        return AST_OPERATOR_LT;
    case TOKEN_LE:
        return AST_OPERATOR_LE;
    case TOKEN_GT:
        return AST_OPERATOR_GT;
    case TOKEN_GE:
        return AST_OPERATOR_GE;
    case TOKEN_PLUS:
        return AST_OPERATOR_ADD;
    case TOKEN_MINUS:
        return AST_OPERATOR_SUB;
    case TOKEN_STAR:
        return AST_OPERATOR_MUL;
    case TOKEN_SLASH:
        return AST_OPERATOR_DIV;
    case TOKEN_DSLASH:
        return AST_OPERATOR_FLOOR_DIV;
    case TOKEN_PERCENT:
        return AST_OPERATOR_MOD;
    case TOKEN_AT:
        return AST_OPERATOR_MATMUL;
    default:
        return AST_OPERATOR_POW;
    }
}

static void report_chain(Parser *parser, const Token *sign, const AstNode *left, const char *what) {
    Diag *diag = lexer_error(&parser->lexer, DIAG_E0104, sign->span, "%s do not chain", what);
    diag_label(parser->diags, diag, left->mark, "the first one");
    diag_note(parser->diags, diag, "%s",
              left->kind == AST_RANGE ? "a range has one start and one end, a..b"
                                      : "write `a < b and b < c`, or put one of them in parentheses");
}

AstNode *ast_binary(Parser *parser, AstNode *left, Token sign, AstNode *right) {
    AstOperator operator= binary_operator(sign.kind);
    bool is_logic = operator== AST_OPERATOR_AND || operator== AST_OPERATOR_OR;
    if (!is_logic)
        check_not_operand(parser, &sign, right);
    AstNode *node = node_sized(parser, AST_BINARY, sign.span, 2);
    node->operator=(uint8_t) operator;
    set_child(parser, node, 0, left);
    set_child(parser, node, 1, right);
    if (is_comparison(node) && is_comparison(left) && !(left->flags & AST_PARENTHESIZED))
        report_chain(parser, &sign, left, "comparisons");
    return node;
}

AstNode *ast_range(Parser *parser, AstNode *start, Token sign, AstNode *stop) {
    check_not_operand(parser, &sign, stop);
    if (start->kind == AST_RANGE && !(start->flags & AST_PARENTHESIZED))
        report_chain(parser, &sign, start, "ranges");
    return NODE(parser, AST_RANGE, sign.span, NULL, start, stop);
}

static bool can_take_pipe(const AstNode *node) {
    switch (node->kind) {
    case AST_NAME:
    case AST_DTYPE:
    case AST_FIELD:
    case AST_CALL:
    case AST_FUNCTION:
        return true;
    default:
        return node->flags & AST_PARENTHESIZED;
    }
}

AstNode *ast_pipe(Parser *parser, AstNode *value, Token sign, AstNode *function) {
    if (!can_take_pipe(function)) {
        Diag *diag = lexer_error(&parser->lexer, DIAG_E0108, function->span,
                                 "the right of `|>` must be a function or a call");
        diag_note(
            parser->diags, diag,
            "a name, a field, a call, `fn(x) = …`, or in parentheses an expression that gives a function; "
            "`|>` binds loosest, so `(x |> f) + 1` needs its parentheses");
    }
    return NODE(parser, AST_PIPE, sign.span, NULL, value, function);
}

AstNode *ast_if(Parser *parser, Token first, AstNode *condition, AstNode *then, AstNode *otherwise) {
    return NODE(parser, AST_IF, first.span, NULL, condition, then, otherwise);
}
