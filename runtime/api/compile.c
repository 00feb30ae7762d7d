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

typedef VEC(Name) NameList;

static void add_names(Arena *arena, const AstNode *node, NameList *names) {
    bool known = !node || !node->name;
    for (uint32_t i = 0; !known && i < names->count; i++)
        known = names->items[i] == node->name;
    if (!known)
        vec_push(arena, names, node->name);
    for (uint32_t i = 0; node && i < node->child_count; i++)
        add_names(arena, node->children[i], names);
}

static bool mentions(const AstNode *node, const NameList *names) {
    for (uint32_t i = 0; node && node->name && i < names->count; i++)
        if (names->items[i] == node->name)
            return true;
    for (uint32_t i = 0; node && i < node->child_count; i++)
        if (mentions(node->children[i], names))
            return true;
    return false;
}

/* May the statement give a value to one of the names?  Looks at names alone, so it says yes too often. */
static bool may_define(const AstNode *statement, const NameList *names) {
    switch (statement->kind) {
    case AST_LET:
    case AST_MUT:
    case AST_CONST:
        return mentions(statement->children[0], names);
    case AST_FUNCTION:
        for (uint32_t i = 0; i < names->count; i++)
            if (names->items[i] == statement->name)
                return true;
        return ast_function_is_exported(statement);
    case AST_IMPORT:
        return true;
    case AST_ASSIGN:
    case AST_FOR:
    case AST_WHILE:
    case AST_IF:
        return mentions(statement, names);
    default:
        return false;
    }
}

/* How many statements must run before every value that an exported function can read is there.  They run in
 * order with all that stands between them, so that loops and the random stream give what the script gives. */
static uint32_t statements_needed(Arena *arena, const AstNode *block) {
    NameList names = {0};
    uint32_t needed = 0, before;
    do {
        before = names.count;
        for (uint32_t i = block->child_count; i-- > 0;) {
            if (!may_define(block->children[i], &names))
                continue;
            add_names(arena, block->children[i], &names);
            if (block->children[i]->kind != AST_FUNCTION && i >= needed)
                needed = i + 1;
        }
    } while (names.count != before);
    return needed;
}

static void collect_exports(gmx_session *s, Arena *arena, IrModule *module, const AstNode *block,
                            ExportList *exports) {
    for (uint32_t i = 0; i < block->child_count; i++) {
        const AstNode *statement = block->children[i];
        if (statement->kind != AST_FUNCTION || !ast_function_is_exported(statement))
            continue;
        ExportFunction *function = elab_export_function(s->elaborator, module, statement, exports);
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

static bool run_passes(gmx_session *s, IrModule *module) {
    PassOptions passes = session_pass_options(s);
    PassContext context = {.arena = module->arena, .sink = &s->sink, .check_nan = s->options.check_nan};
    return pass_pipeline_run(&context, module, &passes);
}

static void emit_code(gmx_session *s, IrModule *module, const ExportList *exports, gmx_emit emit,
                      const char *output) {
    char *message = NULL;
    if (emit != GMX_EMIT_IR && !run_passes(s, module))
        return;
    if (emit == GMX_EMIT_IR || emit == GMX_EMIT_KERNELS)
        emit_text(s, module, output);
    else if (session_backend(s) &&
             s->interface->emit(s->backend, module, exports, emit_kind(emit), output, &message))
        diag_error(&s->sink, DIAG_E0401, (Span){0}, "%s", message ? message : "the library was not written");
    free(message);
}

/* Elaborates the exported functions of a block into a new module; errors go to the sink. */
static IrModule *build_module(gmx_session *s, const AstNode *block, Arena *arena, ExportList *exports) {
    IrModule *module = ir_module_new(arena, &s->names);
    s->generation++;
    elab_set_show_values(s->elaborator, false);
    elab_declare(s->elaborator, block);
    if (s->sink.error_count)
        return module;
    uint32_t needed = statements_needed(arena, block);
    program_run_statements(s, block, 0, needed, PROGRAM_RUN, NULL);
    if (!s->sink.error_count)
        collect_exports(s, arena, module, block, exports);
    s->checking = true; /* what no export reads is not run */
    if (!s->sink.error_count)
        program_run_statements(s, block, needed, block->child_count, PROGRAM_RUN, NULL);
    s->checking = false;
    return module;
}

static void compile_source(gmx_session *s, const SourceFile *file, gmx_emit emit, const char *output,
                           Arena *arena) {
    AstNode *block = parse_source(&(ParseContext){&s->arena, &s->names, &s->sink}, file);
    if (s->sink.error_count)
        return;
    ExportList exports = {
        .library_name = library_name(arena, output, file->name), .place = describe_place, .place_user = s};
    IrModule *module = build_module(s, block, arena, &exports);
    if (!s->sink.error_count && emit != GMX_EMIT_HEADER)
        emit_code(s, module, &exports, emit, output);
    if (s->sink.error_count)
        return;
    if (emit == GMX_EMIT_HEADER)
        write_text(s, output, header_text(&exports, arena));
    else if (emit == GMX_EMIT_SHARED)
        write_text(s, header_path(arena, output, exports.library_name), header_text(&exports, arena));
}

/* An arena that goes with the session if an allocation fails before compile_end. */
static Arena *compile_begin(gmx_session *s) {
    Arena *arena = ARENA_NEW(&s->arena, Arena);
    arena_init(arena, &s->guard);
    arena_defer(&s->arena, (void (*)(void *))arena_free, arena);
    s->building = true;
    return arena;
}

static void compile_end(gmx_session *s, Arena *arena) {
    s->building = s->checking = false;
    arena_free(arena);
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
    Arena *arena = compile_begin(s);
    compile_source(s, file, emit, output, arena);
    compile_end(s, arena);
}

gmx_status gmx_compile_file(gmx_session *session, const char *path, gmx_emit emit, const char *output) {
    SESSION_ENTER(session, path && output);
    session->building = session->checking = false;
    compile_file(session, path, emit, output);
    return session_end(session);
}
