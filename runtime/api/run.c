/* Entry points that run, evaluate or check program text. */
#include "runtime/api/internal.h"

static void enter_folder(gmx_session *s, const char *path) {
    s->script_folder = strcmp(path, "-") ? program_folder_of(&s->arena, path) : NULL;
}

gmx_status gmx_run_file(gmx_session *session, const char *path) {
    SESSION_ENTER(session, path);
    SourceFile *file = source_read(&session->sources, &session->sink, path, (Span){0});
    if (file) {
        enter_folder(session, path);
        program_run(session, file, PROGRAM_RUN, NULL);
    }
    return session_end(session);
}

static SourceFile *add_text(gmx_session *s, const char *name, const char *text, int64_t length) {
    size_t size = length < 0 ? strlen(text) : (size_t)length;
    return source_add(&s->sources, &s->sink, name, text, size);
}

gmx_status gmx_run_text(gmx_session *session, const char *name, const char *text, int64_t length) {
    SESSION_ENTER(session, name && text);
    SourceFile *file = add_text(session, name, text, length);
    if (file)
        program_run(session, file, PROGRAM_RUN, NULL);
    return session_end(session);
}

gmx_status gmx_show_text(gmx_session *session, const char *name, const char *text, int64_t length) {
    SESSION_ENTER(session, name && text);
    SourceFile *file = add_text(session, name, text, length);
    if (file)
        program_run(session, file, PROGRAM_SHOW, NULL);
    return session_end(session);
}

gmx_status gmx_eval(gmx_session *session, const char *text, gmx_tensor **out) {
    SESSION_ENTER(session, text && out);
    gmxrt_tensor *value = NULL;
    SourceFile *file = add_text(session, "<eval>", text, -1);
    if (file)
        program_run(session, file, PROGRAM_EVAL, &value);
    gmx_status status = session_end(session);
    if (status == GMX_OK)
        *out = (gmx_tensor *)value;
    else
        gmxrt_tensor_release(value);
    return status;
}

gmx_status gmx_check_file(gmx_session *session, const char *path) {
    SESSION_ENTER(session, path);
    SourceFile *file = source_read(&session->sources, &session->sink, path, (Span){0});
    if (file) {
        enter_folder(session, path);
        session->checking = true;
        program_run(session, file, PROGRAM_RUN, NULL);
        session->checking = false;
    }
    return session_end(session);
}

int gmx_is_complete(gmx_session *session, const char *text) {
    Arena scratch;
    arena_init(&scratch, &session->guard);
    if (setjmp(session->guard.target)) {
        arena_free(&scratch);
        return 1;
    }
    bool complete = parse_is_complete(&scratch, text, strlen(text));
    arena_free(&scratch);
    return complete;
}
