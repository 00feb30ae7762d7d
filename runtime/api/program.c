/* Running programs: statements are elaborated into units, units are compiled and run, and what they computed
 * becomes the value of global names. */
#include "frontend/unicode.h"
#include "runtime/api/internal.h"
#include "runtime/rt/mtx.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- paths ------------------------------------------------------------------------------------------------
 */

const char *program_folder_of(Arena *arena, const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? arena_copy_text(arena, path, (size_t)(slash - path)) : NULL;
}

const char *program_find_file(gmx_session *s, const char *path) {
    if (path[0] == '/' || !s->script_folder)
        return path;
    const char *beside = arena_format(&s->arena, "%s/%s", s->script_folder, path);
    return access(beside, F_OK) == 0 ? beside : path;
}

/* Where a relative path is written: beside the script. */
static const char *file_to_write(gmx_session *s, const char *path) {
    return path[0] == '/' || !s->script_folder ? path
                                               : arena_format(&s->arena, "%s/%s", s->script_folder, path);
}

static uint64_t pack_span(Span span) {
    return span.begin | (uint64_t)span.end << 32;
}

/* ---- units
 * -------------------------------------------------------------------------------------------------- */

void program_open_unit(gmx_session *s) {
    if (s->unit_open)
        return;
    s->last_unit = NULL;
    session_sweep(s);
    arena_free(&s->unit);
    elab_begin_unit(s->elaborator, &s->unit);
    s->unit_open = true;
}

static uint32_t function_index(const IrModule *module, const IrFunction *function) {
    for (uint32_t i = 0; i < module->functions.count; i++)
        if (module->functions.items[i] == function)
            return i;
    return 0;
}

static CompiledFunction compile_unit(gmx_session *s, ElabUnit *unit) {
    double begin = session_seconds();
    uint32_t index = function_index(unit->module, unit->function);
    PassOptions passes = session_pass_options(s);
    PassContext context = {.arena = &s->unit,
                           .sink = &s->sink,
                           .check_nan = s->options.check_nan,
                           .annotate = s->options.profile || (s->view && s->view_kind == GMX_VIEW_EXPLAIN)};
    CompiledFunction code = NULL;
    if (!pass_pipeline_run(&context, unit->module, &passes))
        return NULL;
    if (s->view)
        view_unit(s, unit->module, index, NULL);
    if (session_backend(s))
        code = s->interface->compile(s->backend, unit->module, index, &s->sink);
    if (!code && !s->sink.error_count)
        diag_error(&s->sink, DIAG_E0502, (Span){0}, "the program was not compiled");
    s->compile_seconds += session_seconds() - begin;
    return code;
}

static bool call_unit(gmx_session *s, ElabUnit *unit, CompiledFunction code) {
    uint32_t np = unit->parameters.count, nr = unit->results.count;
    gmxrt_tensor **parameters = ARENA_ARRAY(&s->unit, gmxrt_tensor *, np + 1);
    gmxrt_tensor **results = ARENA_ARRAY(&s->unit, gmxrt_tensor *, nr + 1);
    for (uint32_t i = 0; i < np; i++)
        if (!(parameters[i] = session_tensor(s, unit->parameters.items[i].slot))) {
            session_collect_run_errors(s);
            return false;
        }
    double begin = session_seconds();
    int32_t failed = code(s->ctx, parameters, results);
    s->run_seconds += session_seconds() - begin;
    session_collect_run_errors(s);
    if (failed) {
        if (!s->sink.error_count)
            diag_error(&s->sink, DIAG_E0502, (Span){0}, "the program failed without saying why");
        return false;
    }
    for (uint32_t i = 0; i < nr; i++)
        session_set_tensor(s, unit->results.items[i].slot, results[i]);
    return true;
}

static void take_value(gmx_session *s, const Value *value, gmxrt_tensor **out, Span span) {
    gmxrt_tensor *tensor = NULL;
    if (value->kind == VALUE_SLOT) {
        tensor = session_tensor(s, value->slot);
        gmxrt_tensor_retain(tensor);
    } else if (value->kind == VALUE_CONSTANT) {
        tensor = gmxrt_tensor_new(s->ctx, value->dtype, 0, NULL, 0);
        if (tensor)
            memcpy(tensor->data, &value->bits, dtype_info[value->dtype].bytes);
    } else {
        diag_error(&s->sink, DIAG_E0201, span, "the value is no tensor");
    }
    session_collect_run_errors(s);
    *out = tensor;
}

static bool host_can_save(void *user, const char *path, bool has_names, Span span) {
    gmx_session *s = user;
    bool can = gmxrt_file_can_save(s->ctx, path, has_names, pack_span(span)) == 0;
    session_collect_run_errors(s);
    return can;
}

/* Does what an effect of the unit says. */
static void do_effect(gmx_session *s, const ElabEffect *effect) {
    bool is_record = effect->value.kind == VALUE_RECORD;
    const ValueTuple one = {.count = 1, .items = (Value *)&effect->value},
                     *values = is_record ? effect->value.tuple : &one;
    gmxrt_tensor **tensors = ARENA_ARRAY(&s->unit, gmxrt_tensor *, values->count);
    gmxrt_view *views = ARENA_ARRAY(&s->unit, gmxrt_view, values->count);
    const char **names = ARENA_ARRAY(&s->unit, const char *, values->count);
    uint32_t count = 0;
    for (; count < values->count; count++) {
        take_value(s, &values->items[count], &tensors[count], effect->span);
        if (!tensors[count])
            break;
        views[count] = gmxrt_view_of(tensors[count]);
        names[count] = is_record ? values->names[count]->text : "";
    }
    if (count == values->count && effect->kind == ELAB_PLOT)
        gmxrt_plot(s->ctx, effect->path ? file_to_write(s, effect->path) : NULL, count,
                   effect->has_names ? names : NULL, views, pack_span(effect->span));
    else if (count == values->count)
        gmxrt_file_save(s->ctx, file_to_write(s, effect->path), count, is_record ? names : NULL, views,
                        pack_span(effect->span));
    while (count-- > 0)
        gmxrt_tensor_release(tensors[count]);
    session_collect_run_errors(s);
}

bool program_run_unit(gmx_session *s) {
    if (!s->unit_open)
        return true;
    s->unit_open = false;
    uint32_t errors = s->sink.error_count;
    ElabUnit *unit = elab_end_unit(s->elaborator);
    if (s->checking)
        return true;
    if (s->view && s->view_kind == GMX_VIEW_IR)
        ir_print_function(unit->function, s->view);
    bool work = unit->results.count || unit->has_token || unit->function->body->results.count;
    CompiledFunction code = work ? compile_unit(s, unit) : NULL;
    bool ok = !work || (code && call_unit(s, unit, code));
    s->last_unit = unit;
    s->last_code = code;
    for (uint32_t i = 0; ok && !s->building && i < unit->effects.count; i++) {
        do_effect(s, &unit->effects.items[i]);
        ok = s->sink.error_count == errors;
    }
    if (!ok)
        elab_abandon_unit(s->elaborator);
    return ok;
}

/* ---- showing values
 * --------------------------------------------------------------------------------------------- */

static bool constant_view(const Value *value, gmxrt_view *view) {
    *view = (gmxrt_view){.data = (void *)(uintptr_t)&value->bits, .dtype = value->dtype};
    return true;
}

static void append(Arena *arena, gmxrt_text *text, gmx_session *s, const Value *value);

static void append_plain(gmxrt_text *text, gmx_session *s, const char *plain) {
    gmxrt_format_template(s->ctx, text, plain, 0, NULL, 0);
}

static void append_tuple(Arena *arena, gmxrt_text *text, gmx_session *s, const ValueTuple *tuple) {
    append_plain(text, s, "(");
    for (uint32_t i = 0; i < tuple->count; i++) {
        if (i)
            append_plain(text, s, ", ");
        append(arena, text, s, &tuple->items[i]);
    }
    append_plain(text, s, tuple->count == 1 ? ",)" : ")");
}

static void append_record(Arena *arena, gmxrt_text *text, gmx_session *s, const ValueTuple *record) {
    append_plain(text, s, "(");
    for (uint32_t i = 0; i < record->count; i++) {
        append_plain(text, s, arena_format(arena, "%s%s=", i ? ", " : "", record->names[i]->text));
        append(arena, text, s, &record->items[i]);
    }
    append_plain(text, s, ")");
}

/* A string with values in it; they are slots and constants by now. */
static void append_text(Arena *arena, gmxrt_text *text, gmx_session *s, Value value) {
    const ValueTuple *tuple = value.tuple;
    gmxrt_view *views = ARENA_ARRAY(arena, gmxrt_view, tuple->count);
    for (uint32_t i = 0; i < tuple->count; i++) {
        const Value *item = &tuple->items[i];
        gmxrt_tensor *tensor = item->kind == VALUE_SLOT ? session_tensor(s, item->slot) : NULL;
        if (tensor)
            views[i] = gmxrt_view_of(tensor);
        else if (item->kind == VALUE_CONSTANT)
            constant_view(item, &views[i]);
        else
            return;
    }
    gmxrt_format_template(s->ctx, text, elab_text_template(arena, value), (int32_t)tuple->count, views, 0);
}

static void append(Arena *arena, gmxrt_text *text, gmx_session *s, const Value *value) {
    gmxrt_view view;
    switch (value->kind) {
    case VALUE_SLOT: {
        gmxrt_tensor *tensor = session_tensor(s, value->slot);
        if (!tensor)
            return;
        view = gmxrt_view_of(tensor);
        gmxrt_format(s->ctx, text, &view, "", 0, 0);
        return;
    }
    case VALUE_CONSTANT:
        constant_view(value, &view);
        gmxrt_format(s->ctx, text, &view, "", 0, 0);
        return;
    case VALUE_TUPLE:
        append_tuple(arena, text, s, value->tuple);
        return;
    case VALUE_RECORD:
        append_record(arena, text, s, value->tuple);
        return;
    case VALUE_STRING:
        append_plain(text, s, arena_copy_text(arena, value->text, value->length));
        return;
    case VALUE_DTYPE:
        append_plain(text, s, dtype_name(value->dtype));
        return;
    case VALUE_RANGE:
        append(arena, text, s, &value->tuple->items[0]);
        append_plain(text, s, "..");
        append(arena, text, s, &value->tuple->items[1]);
        return;
    case VALUE_TEXT:
        append_text(arena, text, s, *value);
        return;
    case VALUE_UNIT:
        return;
    default:
        append_plain(text, s, elab_type_text(s->elaborator, *value));
    }
}

static void show(gmx_session *s, const Value *value) {
    if (value->kind == VALUE_UNIT || value->kind == VALUE_POISON)
        return;
    gmxrt_text text = {0};
    append(&s->report, &text, s, value);
    session_collect_run_errors(s);
    session_write(s, text.data ? text.data : "", text.length);
    session_write(s, "\n", 1);
    gmxrt_text_free(&text);
}

/* ---- what elaboration asks for
 * ------------------------------------------------------------------------------------ */

static Value slot_of_array(gmx_session *s, gmxrt_array *array) {
    ElabSlot *slot = elab_slot_new(s->elaborator, NULL, (Dtype)array->dtype, (uint32_t)array->rank);
    slot->is_known = slot->is_contiguous = true;
    memcpy(slot->shape, array->shape, slot->rank * sizeof *slot->shape);
    if (array->tensor)
        session_set_tensor(s, slot, array->tensor);
    array->tensor = NULL;
    return (Value){.kind = VALUE_SLOT, .slot = slot};
}

/* One array is itself, several are a record; names as the lexer has them, in NFC. */
static Value value_of_arrays(gmx_session *s, const gmxrt_arrays *arrays) {
    Name *names;
    if (arrays->count == 1)
        return slot_of_array(s, &arrays->items[0]);
    Value record = elab_record_new(s->elaborator, (uint32_t)arrays->count, &names);
    for (int64_t i = 0; i < arrays->count; i++) {
        size_t length = strlen(arrays->items[i].name);
        const char *name = unicode_nfc(&s->arena, arrays->items[i].name, &length);
        names[i] = intern(&s->names, name, length);
        record.tuple->items[i] = slot_of_array(s, &arrays->items[i]);
    }
    return record;
}

Value session_slot_of(gmx_session *s, gmxrt_tensor *tensor, bool is_pattern) {
    ElabSlot *slot = elab_slot_new(s->elaborator, NULL, (Dtype)tensor->dtype, (uint32_t)tensor->rank);
    slot->is_pattern = is_pattern; /* order: ROWS */
    gmxrt_tensor_retain(tensor);
    session_set_tensor(s, slot, tensor);
    return (Value){.kind = VALUE_SLOT, .slot = slot};
}

static Value value_of_matrix(gmx_session *s, const gmxrt_matrix *matrix) {
    Value values = session_slot_of(s, matrix->values, false);
    if (!matrix->pattern)
        return values;
    return elab_sparse_of(s->elaborator, session_slot_of(s, matrix->pattern, true), values);
}

static bool load_matrix(gmx_session *s, const char *path, Span span, Value *out) {
    gmxrt_matrix matrix;
    if (s->checking)
        return true; /* the value is not known before it runs */
    bool ok = gmxrt_matrix_load(s->ctx, path, &matrix, pack_span(span)) == 0;
    session_collect_run_errors(s);
    if (ok) {
        *out = value_of_matrix(s, &matrix);
        gmxrt_matrix_free(&matrix);
    }
    return ok;
}

static bool host_load(void *user, const char *given, Span span, Value *out) {
    gmx_session *s = user;
    const char *path = program_find_file(s, given);
    gmxrt_arrays arrays;
    *out = value_of_kind(VALUE_POISON);
    if (s->checking && access(path, R_OK) != 0)
        return true;
    if (gmxrt_is_matrix_file(path))
        return load_matrix(s, path, span, out);
    bool ok = gmxrt_file_load(s->ctx, path, s->checking, &arrays, pack_span(span)) == 0;
    session_collect_run_errors(s);
    if (ok) {
        *out = value_of_arrays(s, &arrays);
        gmxrt_arrays_free(&arrays);
    }
    return ok;
}

/* An import is relative to the file that it stands in. */
static const char *import_path(gmx_session *s, const char *given) {
    const char *from = s->imports.count ? s->imports.items[s->imports.count - 1].path : NULL;
    const char *slash = from ? strrchr(from, '/') : NULL;
    if (!slash || given[0] == '/')
        return program_find_file(s, given);
    return arena_format(&s->arena, "%.*s/%s", (int)(slash - from), from, given);
}

static AstNode *host_import(void *user, const char *given, Span span, bool *is_known) {
    gmx_session *s = user;
    const char *path = import_path(s, given);
    *is_known = false;
    char *resolved = realpath(path, NULL);
    const char *canonical =
        arena_copy_text(&s->arena, resolved ? resolved : path, strlen(resolved ? resolved : path));
    free(resolved);
    for (uint32_t i = 0; i < s->imports.count; i++)
        if (!strcmp(s->imports.items[i].path, canonical)) {
            diag_error(&s->sink, DIAG_E0113, span, "`%s` imports itself", given);
            return NULL;
        }
    for (uint32_t i = 0; i < s->imported.count; i++)
        if (!strcmp(s->imported.items[i], canonical)) {
            *is_known = true;
            return NULL;
        }
    SourceFile *file = source_read(&s->sources, &s->sink, path, span);
    if (!file)
        return NULL;
    vec_push(&s->arena, &s->imports, (ImportFrame){canonical});
    return parse_source(&(ParseContext){&s->arena, &s->names, &s->sink}, file);
}

static void host_import_end(void *user) {
    gmx_session *s = user;
    s->imports.count--;
    vec_push(&s->arena, &s->imported, s->imports.items[s->imports.count].path);
}

static bool host_bake(void *user, ElabSlot *slot, Span span) {
    gmx_session *s = user;
    if (!slot->tensor && !slot->data && (!program_run_unit(s) || !slot->tensor)) {
        if (!s->sink.error_count)
            diag_error(&s->sink, DIAG_E0210, span, "the value is not known when the library is built");
        return false;
    }
    if (slot->data)
        return true;
    gmxrt_tensor *tensor = gmxrt_tensor_contiguous(s->ctx, slot->tensor, pack_span(span));
    if (!tensor) {
        session_collect_run_errors(s);
        return false;
    }
    if (tensor != slot->tensor)
        session_set_tensor(s, slot, tensor);
    else
        gmxrt_tensor_release(tensor);
    slot->data = ((gmxrt_tensor *)slot->tensor)->data;
    return true;
}

static bool host_format(void *user, Value value, Span span, const char **out, uint32_t *length) {
    gmx_session *s = user;
    uint32_t errors = s->sink.error_count;
    gmxrt_text text = {0};
    append_text(&s->report, &text, s, value);
    if (s->ctx->error.code)
        s->ctx->error.span = pack_span(span);
    session_collect_run_errors(s);
    *out = arena_copy_text(&s->arena, text.data ? text.data : "", text.length);
    *length = (uint32_t)text.length;
    gmxrt_text_free(&text);
    return s->sink.error_count == errors;
}

ElabHost program_host(gmx_session *s) {
    return (ElabHost){.user = s,
                      .load = host_load,
                      .can_save = host_can_save,
                      .import = host_import,
                      .import_end = host_import_end,
                      .bake = host_bake,
                      .format = host_format};
}

/* ---- statements
 * ------------------------------------------------------------------------------------------------------ */

static bool run_statement(gmx_session *s, const AstNode *statement, bool is_last, ProgramMode mode,
                          gmxrt_tensor **out) {
    program_open_unit(s);
    ElabOutcome outcome = elab_statement(s->elaborator, statement);
    if (!outcome.ok)
        return false;
    bool wanted = outcome.has_value && (mode == PROGRAM_SHOW || (mode == PROGRAM_EVAL && is_last));
    if ((outcome.ends_unit || wanted) && !program_run_unit(s))
        return false;
    if (!wanted || s->checking)
        return true;
    if (mode == PROGRAM_SHOW)
        show(s, outcome.value);
    else
        take_value(s, outcome.value, out, statement->span);
    return true;
}

/* After a mistake the rest of a script is only checked, so that one run reports more than the first; what
 * stood before the mistake still happens.  False: nothing more is to be looked at. */
static bool go_on_checking(gmx_session *s) {
    if (s->checking)
        return true;
    uint32_t errors = s->sink.error_count;
    bool found_while_compiling = s->unit_open;
    if (!found_while_compiling || !program_run_unit(s) || s->sink.error_count != errors)
        return false;
    return s->checking = !s->options.interactive;
}

void program_run_statements(gmx_session *s, const AstNode *block, uint32_t begin, uint32_t end,
                            ProgramMode mode, gmxrt_tensor **out) {
    for (uint32_t i = begin; i < end; i++)
        if (!run_statement(s, block->children[i], i + 1 == end, mode, out) && !go_on_checking(s))
            break;
    program_run_unit(s);
}

void program_run(gmx_session *s, const SourceFile *file, ProgramMode mode, gmxrt_tensor **out) {
    AstNode *block = parse_source(&(ParseContext){&s->arena, &s->names, &s->sink}, file);
    if (s->sink.error_count)
        return;
    bool checking = s->checking;
    s->generation++;
    elab_set_show_values(s->elaborator, mode != PROGRAM_RUN);
    elab_declare(s->elaborator, block);
    if (s->sink.error_count)
        s->checking = true; /* look for more, run nothing */
    program_run_statements(s, block, 0, block->child_count, mode, out);
    s->checking = checking;
    if (mode == PROGRAM_EVAL && out && !*out && !s->sink.error_count)
        diag_error(&s->sink, DIAG_E0201, block->span, "the text does not end in an expression");
}
