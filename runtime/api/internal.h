/* A session from inside: what the files of runtime/api share. */
#ifndef GMX_RUNTIME_API_INTERNAL_H
#define GMX_RUNTIME_API_INTERNAL_H

#include "codegen/backend.h"
#include "frontend/elaborate.h"
#include "frontend/parse.h"
#include "frontend/source.h"
#include "passes/pipeline.h"
#include "runtime/api/gmx.h"
#include "runtime/rt/runtime.h"

typedef struct ImportFrame { /* a file whose statements are being elaborated */
    const char *path;
} ImportFrame;

typedef struct CallEntry CallEntry; /* call.c: a function compiled for one combination of arguments */

struct gmx_session {
    Arena arena;  /* session lifetime */
    Arena report; /* texts of the last call */
    ArenaGuard guard;
    gmx_options options;
    Interner names;
    SourceMap sources;
    DiagSink sink;
    const char *message; /* rendered errors of the last call */
    bool memory_ran_out; /* the last call ended so */
    Elaborator *elaborator;
    gmxrt_ctx *ctx;

    void *library; /* libgmx-llvm.so */
    const BackendInterface *interface;
    Backend *backend; /* made at the first compilation */

    VEC(ElabSlot *) slots; /* every slot that ever held a tensor */
    VEC(ImportFrame) imports;
    VEC(const char *) imported; /* canonical paths of finished imports */
    const char *script_folder;  /* paths in a script are tried here first; NULL: the current folder only */
    bool checking;              /* gmx_check_file: nothing runs, load reads headers */
    bool building;              /* gmx_compile_file: nothing is printed or saved */
    bool unit_open;
    Arena unit;
    ElabUnit *last_unit; /* the unit that ran last, until the next one is opened */
    CompiledFunction last_code;
    uint64_t generation; /* raised whenever names may have changed */
    VEC(CallEntry *) calls;
    IrWriter *view; /* gmx_view_*: where IR goes instead of being run */
    gmx_view view_kind;
    double compile_seconds, run_seconds;
    bool is_remembered; /* gmx_profile added the times to the record */
};

/* Entry to every public function: forgets the last errors; an allocation failure below comes back here.
 * `required` says that no pointer argument is NULL that may not be. */
#define SESSION_ENTER(session, required)                                                                     \
    if (!(session))                                                                                          \
        return GMX_MISUSE;                                                                                   \
    session_begin(session);                                                                                  \
    if (setjmp((session)->guard.target))                                                                     \
        return session_out_of_memory(session);                                                               \
    if (!(required))                                                                                         \
        return session_misuse(session, "a required argument is NULL");

void session_begin(gmx_session *session);
gmx_status session_out_of_memory(gmx_session *session);
gmx_status session_misuse(gmx_session *session, const char *what);
/* Renders what was collected and gives the status that fits. */
gmx_status session_end(gmx_session *session);
/* The code generator, loaded and created on first use; NULL after reporting. */
Backend *session_backend(gmx_session *session);
void session_write(gmx_session *session, const char *text, size_t length);
const char *session_cache_directory(gmx_session *session); /* NULL: none */
IrWriter session_error_writer(gmx_session *session);
PassOptions session_pass_options(gmx_session *session);
double session_seconds(void);
/* Turns ctx->error and ctx's warnings into diagnostics and forgets them. */
void session_collect_run_errors(gmx_session *session);

/* ---- program.c ---- */
typedef enum ProgramMode { PROGRAM_RUN, PROGRAM_SHOW, PROGRAM_EVAL } ProgramMode;
/* Elaborates and runs the statements of a parsed file. EVAL: *out gets the last value. */
void program_run(gmx_session *session, const SourceFile *file, ProgramMode mode, gmxrt_tensor **out);
/* The same for the statements begin … end-1 of a block whose declarations elab_declare has seen. */
void program_run_statements(gmx_session *session, const AstNode *block, uint32_t begin, uint32_t end,
                            ProgramMode mode, gmxrt_tensor **out);
ElabHost program_host(gmx_session *session);
void program_open_unit(gmx_session *session);
/* Compiles and runs the open unit; false after reporting. */
bool program_run_unit(gmx_session *session);
/* `path` as a file to open: beside the script if it is there, else as it stands (arena text). */
const char *program_find_file(gmx_session *session, const char *path);
const char *program_folder_of(Arena *arena, const char *path); /* NULL: none */

/* ---- slots.c ---- */
void session_set_tensor(gmx_session *session, ElabSlot *slot, gmxrt_tensor *tensor); /* takes the reference */
/* A new slot that holds the tensor; is_pattern: it wraps a pattern in order ROWS. */
Value session_slot_of(gmx_session *session, gmxrt_tensor *tensor, bool is_pattern);
/* The tensor of a slot, made now for a constant of the source; NULL: without memory, or not run yet. */
gmxrt_tensor *session_tensor(gmx_session *session, ElabSlot *slot);
/* The tensor of a value between units, with a reference; NULL: none, or an error of the context. */
gmxrt_tensor *session_tensor_of(gmx_session *session, const Value *value);
/* Gives back the tensors that no name and no compiled call reaches; between units. */
void session_sweep(gmx_session *session);
uint32_t session_uses(gmx_session *session, const ElabSlot *slot); /* by names */

/* ---- call.c ---- */
void call_count_uses(gmx_session *session); /* of slots, by compiled calls */

/* ---- view.c ---- */
/* `exported`: the C interface of the function; NULL for a unit. */
void view_unit(gmx_session *session, IrModule *module, uint32_t index, const ExportFunction *exported);

/* ---- explain.c ---- */
struct IrText;
void explain_function(gmx_session *session, const IrFunction *function, const ExportFunction *exported,
                      struct IrText *text);

#endif
