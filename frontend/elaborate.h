/* Elaboration: name resolution, checking of types, shapes and dtypes, and lowering to the tensor IR, in one
 * walk over the syntax tree.
 *
 * One Elaborator lives as long as its session and holds the global names.  The driver feeds it top-level
 * statements, grouped into units; a unit becomes one IrFunction whose parameters are the run-time values
 * (slots) it reads and whose results are the slots it makes:
 *
 *     elab_declare(e, block);                  // functions first: their order is free
 *     elab_begin_unit(e, unit_arena);
 *     for each statement: elab_statement(e, statement)
 *     unit = elab_end_unit(e);                 // run the passes, compile, run, fill in the result slots
 *
 * After `ends_unit` in an outcome the unit must end and run before the next statement (effects on files). */
#ifndef GMX_FRONTEND_ELABORATE_H
#define GMX_FRONTEND_ELABORATE_H

#include "frontend/source.h"
#include "frontend/value.h"
#include "ir/export.h"

/* What elaboration asks of its driver.  Any function may be NULL: the construct is then an error. */
typedef struct ElabHost {
    void *user;
    /* `load(path)`: reads the file, or only its header in `gmx check`, and gives its one array, or a record
     * of several, as slots from elab_slot_new.  False after it reported; POISON: nothing to report, nothing
     * known. */
    bool (*load)(void *user, const char *path, Span span, Value *out);
    /* Whether such a file can be written, before the unit runs; false after it reported. */
    bool (*can_save)(void *user, const char *path, bool has_names, Span span);
    /* `import path`: the parsed file, or NULL.  Sets *is_known when it was imported before; reports cycles
     * and missing files itself (and then returns NULL with *is_known unset). */
    AstNode *(*import)(void *user, const char *path, Span span, bool *is_known);
    void (*import_end)(void *user); /* after the statements of an imported file */
    /* A global that an export reads: runs the pending unit if needed, so that its slots have `data` (the
     * tensor's elements in C order).  False after it reported. */
    bool (*bake)(void *user, ElabSlot *slot, Span span);
    /* A TEXT whose values are constants and slots with tensors, as a string that lives as long as the
     * elaborator.  False after it reported. */
    bool (*format)(void *user, Value text, Span span, const char **out, uint32_t *length);
} ElabHost;

typedef struct Elaborator Elaborator;

typedef struct ElabOptions {
    Arena *arena; /* session lifetime */
    Interner *names;
    SourceMap *sources;
    DiagSink *sink;
    ElabHost host;
    bool is_interactive; /* a name may be declared again; a statement may be a bare value */
    bool show_values;    /* a top-level value is shown, not an unused value */
    bool shows_progress; /* standard error is a terminal */
} ElabOptions;

/* A TEXT as a template for gmxrt_format_template over its values. */
const char *elab_text_template(Arena *arena, Value text);
Elaborator *elab_new(const ElabOptions *options);
void elab_set_sink(Elaborator *e, DiagSink *sink);
void elab_set_show_values(Elaborator *e, bool show_values);

/* Declares the functions and constants of a file (a BLOCK), and checks what can be checked before running:
 * unknown names, recursion, functions whose types are spelled.  Call once per file or REPL entry. */
void elab_declare(Elaborator *e, const AstNode *block);

typedef enum ElabEffectKind { ELAB_SAVE, ELAB_PLOT } ElabEffectKind;
typedef struct ElabEffect { /* done by the driver after the unit ran, in order */
    ElabEffectKind kind;
    const char *path; /* NULL: a plot in the terminal */
    bool has_names;   /* of a plot: a legend */
    Span span;
    Value value; /* a tensor, or a RECORD of tensors; slots once the unit ended */
} ElabEffect;

typedef struct ElabBinding { /* one parameter or result of the unit's function */
    ElabSlot *slot;
    IrNode *node;
} ElabBinding;

typedef struct ElabUnit {
    Arena *arena;
    IrModule *module;
    IrFunction *function;
    VEC(ElabBinding) parameters; /* in order of the function's parameters */
    VEC(ElabBinding) results;    /* in order of its results that are not tokens */
    VEC(ElabEffect) effects;
    VEC(Value *) shown; /* values that outcomes gave to the driver: slots once the unit ended */
    bool has_token;     /* it prints: its last result is a token */
} ElabUnit;

typedef struct ElabOutcome {
    bool ok;         /* false: an error was reported; the statement did nothing */
    bool has_value;  /* the statement is an expression with a value */
    bool has_effect; /* it prints or touches files: the driver may want to run before going on */
    bool ends_unit;
    Value *value; /* has_value: leaves are slots after elab_end_unit */
} ElabOutcome;

void elab_begin_unit(Elaborator *e, Arena *unit_arena);
ElabOutcome elab_statement(Elaborator *e, const AstNode *statement);
ElabUnit *elab_end_unit(Elaborator *e);
/* The unit failed while running: the globals that it defined become what they were before it. */
void elab_abandon_unit(Elaborator *e);

/* A global for the embedding API: binds `name` to a value whose leaves are slots. */
void elab_bind_global(Elaborator *e, Name name, Value value);
ElabSlot *elab_slot_new(Elaborator *e, Name name, Dtype dtype, uint32_t rank);
/* Visits the slots of everything that globals, functions and the random stream hold; one held twice is
 * visited twice. */
typedef void (*ElabSlotVisit)(void *context, ElabSlot *slot);
void elab_each_slot(Elaborator *e, ElabSlotVisit visit, void *context);
/* The slot of the random stream's key or counter between units; NULL: it is a constant. */
ElabSlot *elab_random_slot(Elaborator *e, bool is_counter);
void elab_set_random_slot(Elaborator *e, bool is_counter, ElabSlot *slot);
/* The sparse matrix of a pattern and its values, the graph of a pattern. */
Value elab_sparse_of(Elaborator *e, Value pattern, Value values);
Value elab_graph_of(Elaborator *e, Value pattern);
/* A record of so many fields, all POISON yet, with names of its own to be filled in. */
Value elab_record_new(Elaborator *e, uint32_t count, Name **names);
/* Visits every name that an expression may begin with; every function of the library; every field that may
 * stand behind `value.`.  Some more than once. */
typedef void (*ElabVisit)(void *context, const char *name);
void elab_each_name(Elaborator *e, ElabVisit visit, void *context);
void elab_each_function(Elaborator *e, ElabVisit visit, void *context);
void elab_each_field(Elaborator *e, Value value, ElabVisit visit, void *context);
/* The value of `base.name` between units: fields of records, and what keeps the kind of a tensor. */
bool elab_value_field(Elaborator *e, Value base, const char *name, Value *out);
typedef struct ElabGlobal {
    Name name;
    const char *kind; /* "let", "mut", "const" or "fn" */
    Value value;      /* POISON: not known (yet) */
} ElabGlobal;
/* The globals in order of declaration; false past the last. */
bool elab_global_at(Elaborator *e, uint32_t index, ElabGlobal *out);
/* The value of a global; false when there is none. */
bool elab_find_global(Elaborator *e, Name name, Value *out);
/* Inside a unit: calls the global function `name` with values. */
ElabOutcome elab_call_global(Elaborator *e, Name name, const Value *arguments, uint32_t count);
/* "f32[n, 3]": the type of any value, for `:type` and messages. */
const char *elab_type_text(Elaborator *e, Value value);
/* The text of `help name`, or NULL. */
const char *elab_help(Elaborator *e, Name name);

/* Elaborates a declared `export fn` into a new function of `module` (unit arena) and describes its C
 * interface. Extra trailing parameters of the IR function are baked constants (`constants` of the result).
 * NULL after reporting. */
ExportFunction *elab_export_function(Elaborator *e, IrModule *module, const AstNode *function,
                                     ExportList *exports);

#endif
