/* The syntax tree: its tables. */
#include "frontend/ast.h"

static const struct {
    const char *text, *children;
} kind_info[AST_KIND_COUNT] = {
    [AST_NONE] = {"list", "*items"},
#define AST(kind, text, children, label) [AST_##kind] = {text, children},
#include "frontend/ast.def"
};

static const char *const operator_text[AST_OPERATOR_COUNT] = {
    [AST_OPERATOR_NONE] = "",
#define AST_OPERATOR_ROW(name, spelling) [AST_OPERATOR_##name] = spelling,
#include "frontend/ast.def"
};

const char *ast_kind_text(AstKind kind) {
    return kind_info[kind].text;
}

const char *ast_kind_children(AstKind kind) {
    return kind_info[kind].children;
}

const char *ast_operator_text(AstOperator operator) {
    return operator_text[operator];
}
