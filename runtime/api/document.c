/* Text made from a script's syntax alone: its format, and its documentation. */
#include "frontend/fmt.h"
#include "frontend/text.h"
#include "runtime/api/internal.h"

#include <string.h>

static void format_source(gmx_session *s, const SourceFile *file, const char **out) {
    const char *text = file ? fmt_source(&(ParseContext){&s->arena, &s->names, &s->sink}, file) : NULL;
    if (text)
        *out = text;
}

gmx_status gmx_format_file(gmx_session *session, const char *path, const char **out) {
    SESSION_ENTER(session, path && out);
    *out = "";
    format_source(session, source_read(&session->sources, &session->sink, path, (Span){0}), out);
    return session_end(session);
}

gmx_status gmx_format_text(gmx_session *session, const char *name, const char *text, int64_t length,
                           const char **out) {
    SESSION_ENTER(session, name && text && out);
    size_t size = length < 0 ? strlen(text) : (size_t)length;
    *out = "";
    format_source(session, source_add(&session->sources, &session->sink, name, text, size), out);
    return session_end(session);
}

/* ---- documentation --------------------------------------------------------------------------------------
 */

/* How many bytes of a declaration are its head: a function without its body, a layer or rule without its
 * members, the first line of anything else. */
static size_t head_length(const AstNode *node, const char *begin, size_t length) {
    if (node->kind == AST_FUNCTION)
        length = ast_function_body(node)->span.begin - node->span.begin;
    else
        length = strcspn(begin, node->kind == AST_LAYER || node->kind == AST_RULE ? "{\n" : "\n");
    while (length && strchr(" \t\r\n={", begin[length - 1]))
        length--;
    return length;
}

static void add_doc(TextBuffer *text, const char *doc) {
    while (doc && *doc) {
        size_t length = strcspn(doc, "\n");
        text_add(text, "    ");
        text_append(text, doc, length);
        text_add(text, "\n");
        doc += length + (doc[length] == '\n');
    }
}

static void add_declaration(TextBuffer *text, const SourceFile *file, const AstNode *node) {
    bool is_listed = node->kind == AST_FUNCTION || node->kind == AST_LAYER || node->kind == AST_RULE;
    if (!is_listed && !node->doc)
        return;
    const char *begin = file->text + (node->span.begin - file->base);
    if (text->length)
        text_add(text, "\n");
    text_append(text, begin, head_length(node, begin, node->span.end - node->span.begin));
    text_add(text, "\n");
    add_doc(text, node->doc);
}

gmx_status gmx_document_file(gmx_session *session, const char *path, const char **out) {
    SESSION_ENTER(session, path && out);
    const SourceFile *file = source_read(&session->sources, &session->sink, path, (Span){0});
    ParseContext context = {&session->arena, &session->names, &session->sink};
    const AstNode *block = file ? parse_source(&context, file) : NULL;
    TextBuffer text = {.arena = &session->report};
    for (uint32_t i = 0; block && !session->sink.error_count && i < block->child_count; i++)
        add_declaration(&text, file, block->children[i]);
    *out = text.length ? text.text : "";
    return session_end(session);
}
