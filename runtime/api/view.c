/* Looking inside a program: its tokens, tree, IR, kernels, and what becomes of it. */
#include "runtime/api/internal.h"

#include <stdio.h>

typedef struct Text {
    Arena *arena;
    VEC(char) bytes;
} Text;

static void text_write(void *user, const char *bytes, size_t length) {
    Text *text = user;
    for (size_t i = 0; i < length; i++)
        vec_push(text->arena, &text->bytes, bytes[i]);
}

static void text_put(Text *text, const char *bytes) {
    text_write(text, bytes, strlen(bytes));
}

/* ---- explain
 * ------------------------------------------------------------------------------------------------ */

static uint32_t count_arrays(const Kernel *kernel, bool outputs) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < kernel->parameters.count; i++) {
        const KernelArray *array = kernel->parameters.items[i].array;
        count += array && array->is_output == outputs;
    }
    return count;
}

static void explain_kernel(gmx_session *s, Text *text, const Kernel *kernel) {
    SourcePlace place = source_place(&s->sources, kernel->span.begin);
    text_put(text, arena_format(text->arena, "kernel %s: reads %u arrays, writes %u", kernel->name->text,
                                count_arrays(kernel, false), count_arrays(kernel, true)));
    if (place.file)
        text_put(text, arena_format(text->arena, " (%s:%u)", place.file->name, place.line));
    text_put(text, "\n");
}

static void describe(gmx_session *s, const IrFunction *function, const char *pass, Text *text) {
    PassStructure counts = pass_structure(function);
    if (s->view_kind == GMX_VIEW_STRUCTURE) {
        text_put(text, arena_format(text->arena, "structure(%s): kernels %u, calls %u\n", pass,
                                    counts.kernels, counts.calls));
        return;
    }
    text_put(text, arena_format(text->arena, "%u kernels, %u library calls, %u loops, %u checks, %u prints\n",
                                counts.kernels, counts.calls, counts.loops, counts.checks, counts.prints));
    const IrModule *module = function->module;
    for (uint32_t i = 0; i < module->kernels.count; i++)
        explain_kernel(s, text, module->kernels.items[i]);
}

/* Called with each unit's function after the pipeline ran on it. */
void view_unit(gmx_session *s, IrModule *module, uint32_t index) {
    Text *text = s->view->user;
    const IrFunction *function = module->functions.items[index];
    if (s->view_kind == GMX_VIEW_KERNELS)
        ir_print_module(module, s->view);
    else if (s->view_kind != GMX_VIEW_IR)
        describe(s, function, "fuse", text);
}

/* ---- entry points
 * ------------------------------------------------------------------------------------------------ */

static const char *finish_text(Text *text) {
    vec_push(text->arena, &text->bytes, '\0');
    return text->bytes.items;
}

static void view_source(gmx_session *s, const SourceFile *file, gmx_view view, const char **out) {
    ParseContext context = {&s->arena, &s->names, &s->sink};
    if (view == GMX_VIEW_TOKENS) {
        *out = parse_print_tokens(&context, file);
        return;
    }
    if (view == GMX_VIEW_AST) {
        *out = ast_print_tree(&s->arena, parse_source(&context, file));
        return;
    }
    Text text = {.arena = &s->report};
    IrWriter writer = {.write = text_write, .user = &text};
    bool is_ir = view == GMX_VIEW_IR || view == GMX_VIEW_KERNELS;
    const AstNode *block = is_ir ? parse_source(&context, file) : NULL;
    if (s->sink.error_count)
        return;
    if (block && compile_view(s, block, &writer, view == GMX_VIEW_KERNELS)) {
        *out = finish_text(&text);
        return;
    }
    s->view = &writer;
    s->view_kind = view;
    program_run(s, file, PROGRAM_RUN, NULL);
    s->view = NULL;
    *out = finish_text(&text);
}

gmx_status gmx_view_file(gmx_session *session, const char *path, gmx_view view, const char **out) {
    SESSION_ENTER(session, path && out);
    const SourceFile *file = source_read(&session->sources, &session->sink, path, (Span){0});
    *out = "";
    if (file) {
        session->script_folder = strcmp(path, "-") ? program_folder_of(&session->arena, path) : NULL;
        view_source(session, file, view, out);
    }
    return session_end(session);
}

gmx_status gmx_view_text(gmx_session *session, const char *text, gmx_view view, const char **out) {
    SESSION_ENTER(session, text && out);
    const SourceFile *file = source_add(&session->sources, &session->sink, "<text>", text, strlen(text));
    *out = "";
    if (file)
        view_source(session, file, view, out);
    return session_end(session);
}

gmx_status gmx_type_of(gmx_session *session, const char *text, const char **out) {
    SESSION_ENTER(session, text && out);
    const SourceFile *file = source_add(&session->sources, &session->sink, "<type>", text, strlen(text));
    AstNode *block =
        file ? parse_source(&(ParseContext){&session->arena, &session->names, &session->sink}, file) : NULL;
    *out = "";
    if (block && block->child_count && !session->sink.error_count) {
        program_open_unit(session);
        elab_set_show_values(session->elaborator, true);
        ElabOutcome outcome = elab_statement(session->elaborator, block->children[block->child_count - 1]);
        if (outcome.ok && outcome.has_value)
            *out = elab_type_text(session->elaborator, *outcome.value);
        session->checking = true;
        program_run_unit(session);
        session->checking = false;
    }
    return session_end(session);
}

gmx_status gmx_help(gmx_session *session, const char *name, const char **out) {
    SESSION_ENTER(session, name && out);
    *out = elab_help(session->elaborator, intern_text(&session->names, name));
    if (!*out) {
        *out = "";
        diag_error(&session->sink, DIAG_E0110, (Span){0}, "there is no `%s`", name);
    }
    return session_end(session);
}
