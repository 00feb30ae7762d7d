/* Sessions: options, life time, errors, and the code generator behind them. */
#include "runtime/api/internal.h"

#include "runtime/api/products.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define GMX_VERSION "0.1.0"

const char *gmx_version(void) {
    return GMX_VERSION;
}

void gmx_options_init(gmx_options *options) {
    *options = (gmx_options){.size = sizeof *options, .optimization = -1};
}

double session_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- texts that go out --------------------------------------------------------------------------------- */

void session_write(gmx_session *session, const char *text, size_t length) {
    if (session->options.write)
        session->options.write(session->options.user, text, length);
    else
        fwrite(text, 1, length, stdout);
}

static void write_error(void *user, const char *text, size_t length) {
    gmx_session *session = user;
    if (session->options.write_error)
        session->options.write_error(session->options.user, text, length);
    else
        fwrite(text, 1, length, stderr);
}

IrWriter session_error_writer(gmx_session *session) {
    return (IrWriter){.write = write_error, .user = session};
}

PassOptions session_pass_options(gmx_session *session) {
    const gmx_options *o = &session->options;
#ifdef GMX_VERIFY
    bool verify = true;
#else
    bool verify = o->verify != 0;
#endif
    return (PassOptions){.dump_after = o->dump_after,
                         .stop_after = o->stop_after,
                         .disabled = o->disabled_passes,
                         .time_passes = o->time_passes != 0,
                         .verify_each = verify,
                         .dump = session_error_writer(session)};
}

/* ---- opening and closing ---------------------------------------------------------------------------------
 */

static const char *copy_or_null(Arena *arena, const char *text) {
    return text ? arena_copy_text(arena, text, strlen(text)) : NULL;
}

static void copy_options(gmx_session *s, const gmx_options *given) {
    gmx_options_init(&s->options);
    if (given) {
        size_t size = given->size && given->size < sizeof s->options ? given->size : sizeof s->options;
        memcpy(&s->options, given, size);
    }
    s->options.backend = copy_or_null(&s->arena, s->options.backend);
    s->options.target_cpu = copy_or_null(&s->arena, s->options.target_cpu);
    s->options.dump_after = copy_or_null(&s->arena, s->options.dump_after);
    s->options.stop_after = copy_or_null(&s->arena, s->options.stop_after);
    s->options.cache_directory = copy_or_null(&s->arena, s->options.cache_directory);
    VEC(const char *) disabled = {0};
    for (const char *const *p = s->options.disabled_passes; p && *p; p++)
        vec_push(&s->arena, &disabled, copy_or_null(&s->arena, *p));
    vec_push(&s->arena, &disabled, NULL);
    s->options.disabled_passes = s->options.disabled_passes ? disabled.items : NULL;
}

static void write_print(void *user, const char *text, size_t length) {
    gmx_session *session = user;
    if (!session->building)
        session_write(session, text, length);
}

/* A CPU that is named must be one that code can be made for: only the code generator knows them. */
static gmx_status check_target_cpu(gmx_session *s) {
    const char *cpu = s->options.target_cpu, *backend = s->options.backend;
    bool is_here = !backend || !strcmp(backend, "auto") || !strcmp(backend, "cpu");
    if (!cpu || !strcmp(cpu, "native") || !is_here || session_backend(s))
        return GMX_OK;
    if (s->interface) {
        session_end(s);
        return GMX_MISUSE;
    }
    session_begin(s); /* without a code generator the first thing to run says so */
    return GMX_OK;
}

gmx_status gmx_session_open(const gmx_options *options, gmx_session **out) {
    if (!out)
        return GMX_MISUSE;
    *out = NULL;
    gmx_session *s = calloc(1, sizeof *s);
    if (!s)
        return GMX_NO_MEMORY;
    arena_init(&s->arena, &s->guard);
    arena_init(&s->report, &s->guard);
    arena_init(&s->unit, &s->guard);
    s->message = "";
    s->ctx = gmxrt_ctx_create();
    if (!s->ctx || setjmp(s->guard.target)) {
        gmx_session_close(s);
        return GMX_NO_MEMORY;
    }
    copy_options(s, options);
    if (s->options.profile && gmxrt_profile_start(s->ctx)) {
        gmx_session_close(s);
        return GMX_NO_MEMORY;
    }
    s->ctx->product_choice = products_load(session_cache_directory(s));
    s->ctx->write = write_print;
    s->ctx->user = s;
    if (s->options.memory_bytes)
        gmxrt_memory_set_cap(s->ctx, s->options.memory_bytes);
    interner_init(&s->names, &s->arena);
    source_map_init(&s->sources, &s->arena);
    diag_init(&s->sink, &s->report);
    s->elaborator = elab_new(&(ElabOptions){.arena = &s->arena,
                                            .names = &s->names,
                                            .sources = &s->sources,
                                            .sink = &s->sink,
                                            .host = program_host(s),
                                            .is_interactive = s->options.interactive != 0});
    *out = s;
    PassOptions passes = session_pass_options(s);
    if (!pass_options_hold(&(PassContext){.arena = &s->report, .sink = &s->sink}, &passes)) {
        session_end(s);
        return GMX_MISUSE;
    }
    return check_target_cpu(s);
}

void gmx_session_close(gmx_session *s) {
    if (!s)
        return;
    for (uint32_t i = 0; i < s->slots.count; i++)
        gmxrt_tensor_release(s->slots.items[i]->tensor);
    if (s->backend)
        s->interface->destroy(s->backend);
    if (s->ctx)
        gmxrt_ctx_destroy(s->ctx);
    arena_free(&s->unit);
    arena_free(&s->report);
    arena_free(&s->arena);
    free(s); /* the code generator's library stays loaded: LLVM does not like to be unloaded */
}

/* ---- errors
 * ------------------------------------------------------------------------------------------------- */

void session_begin(gmx_session *session) {
    arena_free(&session->report);
    diag_init(&session->sink, &session->report);
    session->message = "";
    session->memory_ran_out = false;
    __atomic_store_n(&session->ctx->interrupt, 0, __ATOMIC_RELAXED);
    gmxrt_ctx_clear(session->ctx);
}

gmx_status session_misuse(gmx_session *session, const char *what) {
    diag_error(&session->sink, DIAG_E0204, (Span){0}, "%s", what);
    session_end(session);
    return GMX_MISUSE;
}

gmx_status session_out_of_memory(gmx_session *session) {
    session->memory_ran_out = true;
    session->view = NULL;
    session->checking = session->building = false;
    if (session->unit_open)
        elab_abandon_unit(session->elaborator);
    session->unit_open = false;
    session->message = session->options.json_errors
                           ? "{\"code\":\"E0306\",\"severity\":\"error\",\"message\":\"out of memory\"}\n"
                           : "error[E0306]: out of memory\n";
    return GMX_NO_MEMORY;
}

gmx_status session_end(gmx_session *session) {
    const DiagSink *sink = &session->sink;
    session->message = source_render_all(&session->sources, &session->report, sink,
                                         session->options.json_errors ? DIAG_JSON : DIAG_HUMAN);
    if (!sink->error_count)
        return GMX_OK;
    for (uint32_t i = 0; i < sink->diags.count; i++) {
        if (sink->diags.items[i]->code == DIAG_E0502)
            return GMX_INTERNAL;
        if (sink->diags.items[i]->code == DIAG_E0501 && sink->diags.items[i]->span.end == 0)
            return GMX_NO_BACKEND;
    }
    return GMX_ERROR;
}

const char *gmx_errmsg(gmx_session *session) {
    return session ? session->message : "there is no session";
}

const char *gmx_errcode(gmx_session *session) {
    if (!session)
        return "";
    if (session->memory_ran_out)
        return diag_code_text(DIAG_E0306);
    for (uint32_t i = 0; i < session->sink.diags.count; i++)
        if (!session->sink.diags.items[i]->is_warning)
            return diag_code_text(session->sink.diags.items[i]->code);
    return "";
}

void gmx_interrupt(gmx_session *session) {
    if (session)
        __atomic_store_n(&session->ctx->interrupt, 1, __ATOMIC_RELAXED);
}

static Span unpack_span(uint64_t packed) {
    return (Span){(uint32_t)packed, (uint32_t)(packed >> 32)};
}

static DiagCode run_code(int32_t code) {
    return code > DIAG_NONE && code < DIAG_CODE_COUNT ? (DiagCode)code : DIAG_E0502;
}

void session_collect_run_errors(gmx_session *session) {
    gmxrt_ctx *ctx = session->ctx;
    for (int32_t i = 0; i < gmxrt_warning_count(ctx); i++) {
        const gmxrt_error *w = gmxrt_warning_get(ctx, i);
        diag_warning(&session->sink, run_code(w->code), unpack_span(w->span), "%s", w->message);
    }
    if (ctx->error.code) {
        Diag *diag = diag_error(&session->sink, run_code(ctx->error.code), unpack_span(ctx->error.span), "%s",
                                ctx->error.message);
        if (ctx->error.hint[0])
            diag_note(&session->sink, diag, "%s", ctx->error.hint);
        source_note_calls(&session->sources, &session->sink, diag);
    }
    gmxrt_ctx_clear(ctx);
}

/* ---- the code generator
 * ---------------------------------------------------------------------------------------- */

static const char *library_folder(Arena *arena) {
    Dl_info info;
    if (!dladdr((const void *)(uintptr_t)&gmx_version, &info) || !info.dli_fname)
        return ".";
    const char *slash = strrchr(info.dli_fname, '/');
    return slash ? arena_copy_text(arena, info.dli_fname, (size_t)(slash - info.dli_fname)) : ".";
}

const char *session_cache_directory(gmx_session *s) {
    if (s->options.cache_directory)
        return s->options.cache_directory[0] ? s->options.cache_directory : NULL;
    const char *given = getenv("GMX_CACHE_DIR"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (given)
        return given[0] ? given : NULL;
    if (cache && cache[0] == '/')
        return arena_format(&s->arena, "%s/gmx", cache);
    return home && home[0] == '/' ? arena_format(&s->arena, "%s/.cache/gmx", home) : NULL;
}

static bool load_library(gmx_session *s) {
    const char *path = arena_format(&s->arena, "%s/libgmx-llvm.so", library_folder(&s->arena));
    s->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    BackendEntry entry = NULL;
    if (s->library)
        *(void **)&entry = dlsym(s->library, "gmx_llvm_backend");
    if (!entry) {
        Diag *diag = diag_error(&s->sink, DIAG_E0501, (Span){0}, "the code generator cannot be loaded");
        diag_note(&s->sink, diag, "%s", dlerror());
        return false;
    }
    s->interface = entry();
    return true;
}

Backend *session_backend(gmx_session *s) {
    if (s->backend)
        return s->backend;
    const char *name = s->options.backend;
    if (name && strcmp(name, "auto") && strcmp(name, "cpu")) {
        Diag *diag =
            diag_error(&s->sink, DIAG_E0501, (Span){0}, "there is no back end `%s` in this build", name);
        diag_note(&s->sink, diag, "`--backend=cpu` and `--backend=auto` work");
        return NULL;
    }
    if (!s->interface && !load_library(s))
        return NULL;
    char *message = NULL;
    size_t symbol_count;
    const gmxrt_symbol *symbols = gmxrt_symbols(&symbol_count);
    s->backend = s->interface->create(
        &(BackendOptions){.target_cpu = s->options.target_cpu,
                          .symbols = symbols,
                          .symbol_count = symbol_count,
                          .optimization = s->options.optimization < 0 ? 2 : s->options.optimization,
                          .cache_directory = session_cache_directory(s),
                          .cache_bytes = s->options.cache_bytes,
                          .profile = s->options.profile != 0},
        &message);
    if (!s->backend)
        diag_error(&s->sink, DIAG_E0501, (Span){0}, "%s",
                   message ? message : "the code generator does not start");
    free(message);
    return s->backend;
}

gmx_status gmx_require_backend(gmx_session *session) {
    SESSION_ENTER(session, true);
    session_backend(session);
    return session_end(session);
}

gmx_status gmx_get_statistics(gmx_session *session, gmx_statistics *out) {
    if (!session || !out)
        return GMX_MISUSE;
    BackendStatistics code =
        session->backend ? session->interface->statistics(session->backend) : (BackendStatistics){0};
    gmxrt_memory_statistics memory;
    gmxrt_memory_get_statistics(session->ctx, &memory);
    *out = (gmx_statistics){.functions_compiled = code.functions_compiled,
                            .kernels_compiled = code.kernels_compiled,
                            .memory_hits = code.memory_hits,
                            .disk_hits = code.disk_hits,
                            .disk_misses = code.disk_misses,
                            .bytes_in_use = memory.bytes_in_use,
                            .bytes_peak = memory.bytes_peak,
                            .bytes_allocated = memory.bytes_allocated,
                            .tensors_allocated = memory.allocations,
                            .compile_seconds = session->compile_seconds,
                            .run_seconds = session->run_seconds};
    return GMX_OK;
}

void gmx_set_threads(int threads) {
    gmxrt_set_threads(threads);
}
