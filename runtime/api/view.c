/* Looking inside a program: its tokens, tree, IR, kernels, and what becomes of it. */
#include "ir/text.h"
#include "runtime/api/internal.h"

/* ---- one function
 * ------------------------------------------------------------------------------------------------ */

/* Called with each unit's function after the pipeline ran on it. */
void view_unit(gmx_session *s, IrModule *module, uint32_t index, const ExportFunction *exported) {
    IrText *text = s->view->user;
    const IrFunction *function = module->functions.items[index];
    if (s->view_kind == GMX_VIEW_KERNELS) {
        ir_print_module(module, s->view);
    } else if (s->view_kind == GMX_VIEW_STRUCTURE) {
        PassStructure counts = pass_structure(function);
        ir_text_append(text, arena_format(text->arena, "structure(fuse): kernels %u, calls %u\n",
                                          counts.kernels, counts.calls));
    } else if (s->view_kind == GMX_VIEW_EXPLAIN) {
        explain_function(s, function, exported, text);
    }
}

/* Units have no exported functions: each of these is shown in a module of its own. */
static void view_export(gmx_session *s, const AstNode *function) {
    IrModule *module = ir_module_new(&s->report, &s->names);
    ExportList exports = {0};
    const ExportFunction *exported = elab_export_function(s->elaborator, module, function, &exports);
    if (!exported)
        return;
    if (s->view_kind == GMX_VIEW_IR) {
        for (uint32_t i = 0; i < module->functions.count; i++)
            ir_print_function(module->functions.items[i], s->view);
        return;
    }
    PassOptions passes = session_pass_options(s);
    PassContext context = {
        .arena = &s->report, .sink = &s->sink, .annotate = s->view_kind == GMX_VIEW_EXPLAIN};
    if (pass_pipeline_run(&context, module, &passes))
        view_unit(s, module, exported->function, exported);
}

static void view_exports(gmx_session *s, const SourceFile *file) {
    const AstNode *block = parse_source(&(ParseContext){&s->arena, &s->names, &s->sink}, file);
    for (uint32_t i = 0; i < block->child_count && !s->sink.error_count; i++) {
        const AstNode *statement = block->children[i];
        if (statement->kind == AST_FUNCTION && ast_function_is_exported(statement))
            view_export(s, statement);
    }
}

/* ---- entry points
 * ------------------------------------------------------------------------------------------------ */

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
    IrText text = {.arena = &s->report};
    IrWriter writer = ir_text_writer(&text);
    s->view = &writer;
    s->view_kind = view;
    program_run(s, file, PROGRAM_RUN, NULL);
    if (!s->sink.error_count)
        view_exports(s, file);
    s->view = NULL;
    *out = ir_text_finish(&text);
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
