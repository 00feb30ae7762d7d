/* Text forms of tokens and trees, for --emit=tokens and --emit=ast; the tree's derives from ast.def. */
#include "frontend/parser.h"
#include "frontend/text.h"
#include "grammar/gmx.h"

#include <stdio.h>
#include <stdlib.h>

/* Text in double quotes with everything unprintable escaped. */
static void add_quoted(TextBuffer *out, const char *text, size_t length) {
    text_add(out, "\"");
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '\n')
            text_add(out, "\\n");
        else if (c == '"' || c == '\\')
            text_format(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            text_format(out, "\\u{%x}", c);
        else
            text_append(out, text + i, 1);
    }
    text_add(out, "\"");
}

static void add_number(TextBuffer *out, double number) {
    char digits[40];
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, number);
        if (strtod(digits, NULL) == number)
            break;
    }
    double size = number < 0 ? -number : number;
    if (strchr(digits, 'e') && size >= 1 && size < 1e16)
        snprintf(digits, sizeof digits, "%.1f", number);
    for (char *comma = strchr(digits, ','); comma; comma = NULL)
        *comma = '.'; /* a locale of the host program */
    text_add(out, digits);
    if (!strpbrk(digits, ".ein"))
        text_add(out, ".0");
}

/* The kinds that are written as one word. */
static bool add_leaf(TextBuffer *out, const AstNode *node) {
    switch (node->kind) {
    case AST_NAME:
    case AST_DTYPE:
        text_append(out, node->name->text, node->name->length);
        return true;
    case AST_INTEGER:
        text_format(out, "%llu", (unsigned long long)node->integer);
        return true;
    case AST_FLOAT:
        add_number(out, node->number);
        return true;
    case AST_IMAGINARY:
        add_number(out, node->number);
        text_add(out, "j");
        return true;
    case AST_BOOL:
        text_add(out, node->boolean ? "true" : "false");
        return true;
    case AST_STRING:
        add_quoted(out, node->text, node->text_length);
        return true;
    case AST_ELLIPSIS:
        text_add(out, "...");
        return true;
    default:
        return false;
    }
}

static void add_node(TextBuffer *out, const AstNode *node) {
    if (!node) {
        text_add(out, "_");
        return;
    }
    if (add_leaf(out, node))
        return;
    text_add(out, "(");
    if (node->kind == AST_BINARY)
        text_add(out, ast_operator_text(node->operator));
    else if (node->kind == AST_ASSIGN)
        text_format(out, "%s=", ast_operator_text(node->operator));
    else
        text_format(out, "%s%s", node->flags & AST_EXPORT ? "export-" : "", ast_kind_text(node->kind));
    if (node->name)
        text_format(out, " %s", node->name->text);
    if (node->kind == AST_INTERPOLATED && node->text) {
        text_add(out, " ");
        add_quoted(out, node->text, node->text_length);
    }
    if (node->doc) {
        text_add(out, " ##");
        add_quoted(out, node->doc, strlen(node->doc));
    }
    for (uint32_t i = 0; i < node->child_count; i++) {
        text_add(out, " ");
        add_node(out, node->children[i]);
    }
    text_add(out, ")");
}

const char *ast_print(Arena *arena, const AstNode *node) {
    TextBuffer out = {.arena = arena};
    add_node(&out, node);
    return out.text;
}

const char *ast_print_tree(Arena *arena, const AstNode *node) {
    TextBuffer out = {.arena = arena};
    text_add(&out, "");
    if (node && node->kind != AST_BLOCK) {
        add_node(&out, node);
        text_add(&out, "\n");
    }
    for (uint32_t i = 0; ast_is(node, AST_BLOCK) && i < node->child_count; i++) {
        add_node(&out, node->children[i]);
        text_add(&out, "\n");
    }
    return out.text;
}

const char *parse_print_tokens(const ParseContext *context, const SourceFile *file) {
    TextBuffer out = {.arena = context->arena};
    text_add(&out, "");
    Lexer *lexer = ARENA_NEW(context->arena, Lexer);
    lexer_init(lexer, file, context->arena, context->diags);
    uint32_t line = 1, at = 0, line_start = 0;
    for (Token token = lexer_next(lexer); token.kind != TOKEN_END; token = lexer_next(lexer)) {
        for (uint32_t offset = token.span.begin - file->base; at < offset; at++)
            if (file->text[at] == '\n') {
                line++;
                line_start = at + 1;
            }
        uint32_t column = 1;
        for (uint32_t i = line_start; i < at; i++)
            column += ((unsigned char)file->text[i] & 0xc0) != 0x80;
        text_format(&out, "%u:%u\t%s", line, column, token_text(token.kind));
        if (token_length(&token)) {
            text_add(&out, "\t");
            text_append(&out, token.text, token_length(&token));
        }
        text_add(&out, "\n");
    }
    return out.text;
}
