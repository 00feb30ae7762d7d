/* The syntax tree.
 *
 * One tagged struct for every kind; ast.def lists the kinds with their children.  Readers use the accessors
 * below; only the builders at the end of this file, one for each grammar action, make nodes.  Every tree that
 * the parser hands out is at most AST_HEIGHT_LIMIT high, so recursive walkers are safe. */
#ifndef GMX_FRONTEND_AST_H
#define GMX_FRONTEND_AST_H

#include "ir/base/intern.h"
#include "ir/base/span.h"
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum AstKind {
    AST_NONE,
#define AST(kind, text, children, label) AST_##kind,
#include "frontend/ast.def"
    AST_KIND_COUNT
} AstKind;

typedef enum AstOperator {
    AST_OPERATOR_NONE,
#define AST_OPERATOR_ROW(name, spelling) AST_OPERATOR_##name,
#include "frontend/ast.def"
    AST_OPERATOR_COUNT
} AstOperator;

/* AST_NESTING_LIMIT is the language's limit (language.md, section 9).  A chain of one precedence, `a + b + c
 * …` or `x |> f |> g …`, nests in the tree but not for a reader; it may grow up to AST_HEIGHT_LIMIT. */
enum { AST_NESTING_LIMIT = 256, AST_HEIGHT_LIMIT = 1000, AST_NODE_LIMIT = 1 << 21 };

enum {
    AST_EXPORT = 1,        /* FUNCTION: `export fn` */
    AST_PARENTHESIZED = 2, /* an expression written in parentheses; its span includes them */
};

typedef struct AstNode AstNode;
struct AstNode {
    uint8_t kind;     /* AstKind */
    uint8_t operator; /* AstOperator, of BINARY and ASSIGN (AST_OPERATOR_NONE: plain `=`) */
    uint8_t flags;
    uint16_t nesting, height; /* of the subtree: without and with chains */
    uint32_t child_count;
    Span span; /* the whole node */
    Span mark; /* its name or operator where it has one: what an error about that underlines; else == span */
    Name name; /* where ast.def says so, else NULL */
    AstNode **children;
    union {
        uint64_t integer; /* INTEGER: up to 2^64-1; from 2^63 on it fits only u64 */
        double number;    /* FLOAT, IMAGINARY */
        bool boolean;     /* BOOL */
        const char *text; /* STRING: decoded, may hold NUL bytes; INTERPOLATED: the format spec or NULL */
    };
    uint32_t text_length; /* of `text` */
    const char *doc; /* declarations: the `##` lines above without their marks, joined by newlines; or NULL */
};

/* Several children in a row. */
typedef struct AstList {
    AstNode *const *items;
    uint32_t count;
} AstList;

const char *ast_kind_text(AstKind kind);             /* "call" */
const char *ast_kind_children(AstKind kind);         /* "callee *arguments" */
const char *ast_operator_text(AstOperator operator); /* "+" */

static inline AstNode *ast_child(const AstNode *node, uint32_t index) {
    assert(index < node->child_count);
    return node->children[index];
}

static inline AstList ast_children_from(const AstNode *node, uint32_t first) {
    assert(first <= node->child_count);
    return (AstList){node->child_count > first ? node->children + first : NULL, node->child_count - first};
}

static inline bool ast_is(const AstNode *node, AstKind kind) {
    return node && node->kind == kind;
}

/* ---- accessors: ast_<kind>_<child>; a child that ast.def marks with `?` may be NULL ---- */

#define AST_CHILD(function, expected, index)                                                                 \
    static inline AstNode *function(const AstNode *node) {                                                   \
        assert(node->kind == AST_##expected);                                                                \
        return ast_child(node, index);                                                                       \
    }
#define AST_REST(function, expected, first)                                                                  \
    static inline AstList function(const AstNode *node) {                                                    \
        assert(node->kind == AST_##expected);                                                                \
        return ast_children_from(node, first);                                                               \
    }

AST_REST(ast_interpolation_pieces, INTERPOLATION, 0)
AST_CHILD(ast_interpolated_value, INTERPOLATED, 0)
AST_REST(ast_tuple_elements, TUPLE, 0)
AST_REST(ast_array_elements, ARRAY, 0)
AST_CHILD(ast_comprehension_body, COMPREHENSION, 0)
AST_REST(ast_comprehension_binders, COMPREHENSION, 1)
AST_CHILD(ast_generator_body, GENERATOR, 0)
AST_REST(ast_generator_binders, GENERATOR, 1)
AST_CHILD(ast_binder_range, BINDER, 0)
AST_CHILD(ast_edge_binder_source, EDGE_BINDER, 0)
AST_CHILD(ast_edge_binder_target, EDGE_BINDER, 1)
AST_CHILD(ast_edge_binder_graph, EDGE_BINDER, 2)
AST_CHILD(ast_call_callee, CALL, 0)
AST_REST(ast_call_arguments, CALL, 1) /* expressions, KEYWORDs, or one GENERATOR alone */
AST_CHILD(ast_keyword_value, KEYWORD, 0)
AST_CHILD(ast_index_base, INDEX, 0)
AST_REST(ast_index_subscripts, INDEX, 1) /* expressions (`None` is a NAME), SLICE, ELLIPSIS, EDGE */
AST_CHILD(ast_slice_start, SLICE, 0)
AST_CHILD(ast_slice_stop, SLICE, 1)
AST_CHILD(ast_slice_step, SLICE, 2)
AST_CHILD(ast_edge_source, EDGE, 0)
AST_CHILD(ast_edge_target, EDGE, 1)
AST_CHILD(ast_field_base, FIELD, 0)
AST_CHILD(ast_negate_operand, NEGATE, 0)
AST_CHILD(ast_not_operand, NOT, 0)
AST_CHILD(ast_binary_left, BINARY, 0)
AST_CHILD(ast_binary_right, BINARY, 1)
AST_CHILD(ast_range_start, RANGE, 0)
AST_CHILD(ast_range_stop, RANGE, 1)
AST_CHILD(ast_pipe_value, PIPE, 0)
AST_CHILD(ast_pipe_function, PIPE, 1) /* NAME, DTYPE, FIELD, CALL, FUNCTION or parenthesized */
AST_CHILD(ast_if_condition, IF, 0)
AST_CHILD(ast_if_then, IF, 1)
AST_CHILD(ast_if_else, IF, 2)
AST_REST(ast_block_statements, BLOCK, 0) /* an expression statement is the expression itself */
AST_REST(ast_tuple_pattern_patterns, TUPLE_PATTERN, 0)
AST_CHILD(ast_assign_target, ASSIGN, 0) /* NAME, INDEX or FIELD over these, or (plain `=`) a TUPLE of them */
AST_CHILD(ast_assign_value, ASSIGN, 1)
AST_CHILD(ast_for_pattern, FOR, 0)
AST_CHILD(ast_for_iterable, FOR, 1)
AST_CHILD(ast_for_body, FOR, 2)
AST_CHILD(ast_while_condition, WHILE, 0)
AST_CHILD(ast_while_body, WHILE, 1)
AST_CHILD(ast_return_value, RETURN, 0)
AST_CHILD(ast_import_path, IMPORT, 0)
AST_CHILD(ast_function_result, FUNCTION, 1)
AST_CHILD(ast_function_body, FUNCTION, 2) /* a BLOCK, or the expression after `=` */
AST_REST(ast_parameters_list, PARAMETERS, 0)
AST_CHILD(ast_parameter_type, PARAMETER, 0)
AST_CHILD(ast_parameter_default, PARAMETER, 1)
AST_REST(ast_layer_members, LAYER, 1) /* LAYER_PARAM, LAYER_STATE, LET, FUNCTION */
AST_CHILD(ast_layer_param_type, LAYER_PARAM, 0)
AST_CHILD(ast_layer_param_value, LAYER_PARAM, 1)
AST_CHILD(ast_layer_state_type, LAYER_STATE, 0)
AST_CHILD(ast_layer_state_value, LAYER_STATE, 1)
AST_CHILD(ast_rule_result, RULE, 1)
AST_REST(ast_rule_members, RULE, 2) /* MESSAGE, AGGREGATE, UPDATE */
AST_CHILD(ast_message_source, MESSAGE, 0)
AST_CHILD(ast_message_target, MESSAGE, 1)
AST_CHILD(ast_message_body, MESSAGE, 2)
AST_CHILD(ast_aggregate_function, AGGREGATE, 0)
AST_CHILD(ast_update_node, UPDATE, 0)
AST_CHILD(ast_update_received, UPDATE, 1)
AST_CHILD(ast_update_body, UPDATE, 2)
AST_REST(ast_type_name_dims, TYPE_NAME, 0) /* expressions (`_` is a NAME) and DIM_REST */
AST_REST(ast_type_layer_arguments, TYPE_LAYER, 0)
AST_CHILD(ast_type_storage_element, TYPE_STORAGE, 0)
AST_CHILD(ast_type_edge_element, TYPE_EDGE, 0)
AST_CHILD(ast_type_edge_carrier, TYPE_EDGE, 1)
AST_REST(ast_type_graph_dims, TYPE_GRAPH, 0)
AST_REST(ast_type_tuple_types, TYPE_TUPLE, 0)

/* LET, MUT and CONST alike. */
static inline bool ast_is_binding(const AstNode *node) {
    return node->kind == AST_LET || node->kind == AST_MUT || node->kind == AST_CONST;
}
static inline AstNode *ast_binding_pattern(const AstNode *node) {
    assert(ast_is_binding(node));
    return ast_child(node, 0);
}
static inline AstNode *ast_binding_type(const AstNode *node) {
    assert(ast_is_binding(node));
    return ast_child(node, 1);
}
static inline AstNode *ast_binding_value(const AstNode *node) {
    assert(ast_is_binding(node));
    return ast_child(node, 2);
}

/* The PARAMETER nodes of a FUNCTION, LAYER or RULE. */
static inline AstList ast_declaration_parameters(const AstNode *node) {
    assert(node->kind == AST_FUNCTION || node->kind == AST_LAYER || node->kind == AST_RULE);
    return ast_parameters_list(ast_child(node, 0));
}

static inline bool ast_function_is_exported(const AstNode *node) {
    assert(node->kind == AST_FUNCTION);
    return node->flags & AST_EXPORT;
}

#undef AST_CHILD
#undef AST_REST

/* ---- builders: called by grammar/gmx.y alone, one for each action (ast_build.c) ----
 *
 * Tokens give the places: `first` and `last` are the ends of what has no node there.  A list is a node of
 * kind AST_NONE that the next builder takes over.  Where an argument may be missing it is NULL. */
typedef struct Token Token;
typedef struct Parser Parser;

AstNode *ast_list(Parser *parser);
AstNode *ast_list_of(Parser *parser, AstNode *item);
AstNode *ast_append(Parser *parser, AstNode *list, AstNode *item);
AstNode *ast_append_error(Parser *parser, AstNode *list, Token separator);
AstNode *ast_append_piece(Parser *parser, AstNode *list, Token middle, AstNode *piece);
void ast_program(Parser *parser, AstNode *statements);

AstNode *ast_block(Parser *parser, Token first, AstNode *statements, Token last);
AstNode *ast_assign(Parser *parser, AstNode *target, Token sign, AstNode *value);
AstNode *ast_for(Parser *parser, Token first, AstNode *pattern, AstNode *iterable, AstNode *body);
AstNode *ast_while(Parser *parser, Token first, AstNode *condition, AstNode *body);
AstNode *ast_return(Parser *parser, Token first, AstNode *value);
AstNode *ast_binding(Parser *parser, AstKind kind, Token first, AstNode *pattern, AstNode *type,
                     AstNode *value);
AstNode *ast_tuple_pattern(Parser *parser, Token first, AstNode *patterns, Token last);

AstNode *ast_export(Parser *parser, Token first, AstNode *function);
AstNode *ast_function(Parser *parser, Token first, Token name, AstNode *parameters, AstNode *result,
                      AstNode *body);
AstNode *ast_parameters(Parser *parser, Token first, AstNode *list, Token last);
AstNode *ast_parameter(Parser *parser, Token name, AstNode *type, AstNode *value);
AstNode *ast_layer(Parser *parser, Token first, Token name, AstNode *parameters, AstNode *members,
                   Token last);
AstNode *ast_member(Parser *parser, AstKind kind, Token first, Token name, AstNode *type, AstNode *value);
AstNode *ast_rule(Parser *parser, Token first, Token name, AstNode *parameters, AstNode *result,
                  AstNode *members, Token last);
AstNode *ast_message(Parser *parser, Token first, AstNode *source, AstNode *target, AstNode *body);
AstNode *ast_aggregate(Parser *parser, Token first, AstNode *function);
AstNode *ast_update(Parser *parser, Token first, AstNode *node, AstNode *received, AstNode *body);
AstNode *ast_import(Parser *parser, Token first, Token path);

AstNode *ast_type_name(Parser *parser, Token name, AstNode *dims, Token last);
AstNode *ast_type_layer(Parser *parser, Token name, AstNode *arguments, Token last);
AstNode *ast_type_storage(Parser *parser, Token storage, AstNode *element);
AstNode *ast_type_edge(Parser *parser, AstNode *element, AstNode *carrier);
AstNode *ast_type_graph(Parser *parser, Token first, AstNode *dims, Token last);
AstNode *ast_type_dim(Parser *parser, Token word);
AstNode *ast_type_tuple(Parser *parser, Token first, AstNode *types, Token last);
AstNode *ast_type_parenthesized(Parser *parser, Token first, AstNode *types, Token last);
AstNode *ast_dim_rest(Parser *parser, Token first, Token name);

AstNode *ast_name(Parser *parser, Token name);
AstNode *ast_dtype(Parser *parser, Token name);
AstNode *ast_number(Parser *parser, Token token);
AstNode *ast_bool(Parser *parser, Token token);
AstNode *ast_string(Parser *parser, Token token);
AstNode *ast_interpolation(Parser *parser, Token begin, AstNode *pieces, Token end);
AstNode *ast_interpolated(Parser *parser, AstNode *value, const Token *format);
AstNode *ast_parenthesized(Parser *parser, Token first, AstNode *expression, Token last);
AstNode *ast_tuple(Parser *parser, Token first, AstNode *element, AstNode *more, Token last);
AstNode *ast_array(Parser *parser, Token first, AstNode *elements, Token last);
AstNode *ast_comprehension(Parser *parser, Token first, AstNode *body, AstNode *binders, Token last);
AstNode *ast_generator(Parser *parser, AstNode *body, AstNode *binders);
AstNode *ast_binder(Parser *parser, Token name, AstNode *range);
AstNode *ast_edge_binder(Parser *parser, AstNode *source, AstNode *target, AstNode *graph);
AstNode *ast_call(Parser *parser, AstNode *callee, AstNode *arguments, Token last);
AstNode *ast_keyword(Parser *parser, Token name, AstNode *value);
AstNode *ast_index(Parser *parser, AstNode *base, AstNode *subscripts, Token last);
AstNode *ast_ellipsis(Parser *parser, Token token);
AstNode *ast_edge(Parser *parser, AstNode *source, AstNode *target);
AstNode *ast_slice(Parser *parser, AstNode *start, Token colon, AstNode *stop, AstNode *step, Token last);
AstNode *ast_field(Parser *parser, AstNode *base, Token name);
AstNode *ast_unary(Parser *parser, AstKind kind, Token sign, AstNode *operand);
AstNode *ast_binary(Parser *parser, AstNode *left, Token sign, AstNode *right);
AstNode *ast_range(Parser *parser, AstNode *start, Token sign, AstNode *stop);
AstNode *ast_pipe(Parser *parser, AstNode *value, Token sign, AstNode *function);
AstNode *ast_lambda(Parser *parser, Token first, AstNode *parameters, AstNode *result, AstNode *body);
AstNode *ast_if(Parser *parser, Token first, AstNode *condition, AstNode *then, AstNode *otherwise);

#endif
