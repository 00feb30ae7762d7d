/* Libraries: every `export fn` of a script becomes a C function with a header, in one shared object. */
#include "runtime/api/internal.h"

#include "codegen/header.h"
#include "ir/export.h"
#include "ir/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* "libmodel.so" and "model.so" are called model. */
static const char *library_name(Arena *arena, const char *output, const char *source) {
    const char *path = strcmp(output, "-") ? output : source;
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    if (!strncmp(base, "lib", 3) && base[3] && base[3] != '.')
        base += 3;
    size_t length = strcspn(base, ".");
    return length ? arena_copy_text(arena, base, length) : "model";
}

static const char *header_path(Arena *arena, const char *output, const char *name) {
    const char *slash = strrchr(output, '/');
    return arena_format(arena, "%.*s%s.h", (int)(slash ? slash + 1 - output : 0), output, name);
}

static const char *describe_place(void *user, Span span) {
    gmx_session *s = user;
    SourcePlace place = source_place(&s->sources, span.begin);
    return place.file ? arena_format(&s->report, "%s:%u:%u", place.file->name, place.line, place.column)
                      : NULL;
}

static void cannot_write(gmx_session *s, const char *path) {
    diag_error(&s->sink, DIAG_E0401, (Span){0}, "`%s` cannot be written: %s", path, strerror(errno));
}

/* The file appears whole or not at all. */
static void write_text(gmx_session *s, const char *path, const char *text) {
    if (!strcmp(path, "-")) {
        session_write(s, text, strlen(text));
        return;
    }
    char *temporary = arena_format(&s->report, "%s.XXXXXX", path);
    int descriptor = mkstemp(temporary);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    bool ok = file && fputs(text, file) >= 0 && fflush(file) == 0 && fchmod(descriptor, 0644) == 0;
    ok = file && fclose(file) == 0 && ok;
    if (!ok || rename(temporary, path) != 0) {
        cannot_write(s, path);
        unlink(temporary);
    }
}

/* ---- what is exported ---------------------------------------------------------------------------------- */

/* The top-level values, which exported functions may read: they become slots.  What only prints is left out.
 */
static void evaluate_globals(gmx_session *s, const AstNode *block) {
    program_open_unit(s);
    for (uint32_t i = 0; i < block->child_count; i++) {
        const AstNode *statement = block->children[i];
        if (statement->kind != AST_LET && statement->kind != AST_CONST && statement->kind != AST_IMPORT &&
            statement->kind != AST_FUNCTION)
            continue;
        ElabOutcome outcome = elab_statement(s->elaborator, statement);
        if (!outcome.ok || (outcome.ends_unit && !program_run_unit(s)))
            return;
        program_open_unit(s);
    }
    program_run_unit(s);
}

static void collect_exports(gmx_session *s, Arena *arena, IrModule *module, const AstNode *block,
                            ExportList *exports) {
    for (uint32_t i = 0; i < block->child_count; i++) {
        const AstNode *statement = block->children[i];
        if (statement->kind != AST_FUNCTION || !ast_function_is_exported(statement))
            continue;
        ExportFunction *function = elab_export_function(s->elaborator, module, statement);
        if (function)
            vec_push(arena, &exports->functions, function);
    }
    if (!exports->functions.count && !s->sink.error_count)
        diag_error(&s->sink, DIAG_E0210, block->span,
                   "the file has no `export fn`, so there is nothing to compile");
}

/* ---- writing ----------------------------------------------------------------------------------------------
 */

static EmitKind emit_kind(gmx_emit emit) {
    switch (emit) {
    case GMX_EMIT_OBJECT:
        return EMIT_OBJECT;
    case GMX_EMIT_ASSEMBLY:
        return EMIT_ASSEMBLY;
    case GMX_EMIT_LLVM:
        return EMIT_LLVM;
    default:
        return EMIT_SHARED;
    }
}

static void emit_text(gmx_session *s, const IrModule *module, const char *output) {
    IrText text = {.arena = module->arena};
    IrWriter writer = ir_text_writer(&text);
    ir_print_module(module, &writer);
    write_text(s, output, ir_text_finish(&text));
}

static void emit_code(gmx_session *s, IrModule *module, const ExportList *exports, gmx_emit emit,
                      const char *output) {
    PassOptions passes = session_pass_options(s);
    PassContext context = {.arena = module->arena, .sink = &s->sink};
    char *message = NULL;
    if (emit == GMX_EMIT_IR) {
        emit_text(s, module, output);
        return;
    }
    if (!pass_pipeline_run(&context, module, &passes))
        return;
    if (emit == GMX_EMIT_KERNELS)
        emit_text(s, module, output);
    else if (session_backend(s) &&
             s->interface->emit(s->backend, module, exports, emit_kind(emit), output, &message))
        diag_error(&s->sink, DIAG_E0401, (Span){0}, "%s", message ? message : "the library was not written");
    free(message);
}

static void compile_source(gmx_session *s, const SourceFile *file, gmx_emit emit, const char *output,
                           Arena *arena) {
    AstNode *block = parse_source(&(ParseContext){&s->arena, &s->names, &s->sink}, file);
    if (s->sink.error_count)
        return;
    s->generation++;
    elab_set_show_values(s->elaborator, false);
    elab_declare(s->elaborator, block);
    if (s->sink.error_count)
        return;
    IrModule *module = ir_module_new(arena, &s->names);
    ExportList exports = {
        .library_name = library_name(arena, output, file->name), .place = describe_place, .place_user = s};
    evaluate_globals(s, block);
    if (!s->sink.error_count)
        collect_exports(s, arena, module, block, &exports);
    if (!s->sink.error_count && emit != GMX_EMIT_HEADER)
        emit_code(s, module, &exports, emit, output);
    if (s->sink.error_count)
        return;
    if (emit == GMX_EMIT_HEADER)
        write_text(s, output, header_text(&exports, arena));
    else if (emit == GMX_EMIT_SHARED)
        write_text(s, header_path(arena, output, exports.library_name), header_text(&exports, arena));
}

static void compile_file(gmx_session *s, const char *path, gmx_emit emit, const char *output) {
    if (emit == GMX_EMIT_SHARED && !strcmp(output, "-")) {
        diag_error(&s->sink, DIAG_E0401, (Span){0}, "a shared library needs a file name");
        return;
    }
    SourceFile *file = source_read(&s->sources, &s->sink, path, (Span){0});
    if (!file)
        return;
    s->script_folder = strcmp(path, "-") ? program_folder_of(&s->arena, path) : NULL;
    Arena *arena = ARENA_NEW(&s->arena, Arena); /* freed with the session if an allocation fails below */
    arena_init(arena, &s->guard);
    arena_defer(&s->arena, (void (*)(void *))arena_free, arena);
    compile_source(s, file, emit, output, arena);
    s->checking = true; /* what no export read is not run */
    program_run_unit(s);
    s->checking = false;
    arena_free(arena);
}

gmx_status gmx_compile_file(gmx_session *session, const char *path, gmx_emit emit, const char *output) {
    SESSION_ENTER(session);
    compile_file(session, path, emit, output);
    return session_end(session);
}
