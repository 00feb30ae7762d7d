/* What the files of the elaborator share with each other and with nobody else. */
#ifndef GMX_FRONTEND_ELAB_H
#define GMX_FRONTEND_ELAB_H

#include "frontend/elaborate.h"
#include "frontend/text.h"

enum { ELAB_DEPTH_LIMIT = 2500, ELAB_STEP_LIMIT = 1000000, ELAB_CALL_LIMIT = 200 };

typedef enum BindingKind {
    BINDING_LET,
    BINDING_MUT,
    BINDING_CONST,
    BINDING_PARAMETER,
    BINDING_DIM, /* a dim name of a signature, a size that a layer was made with */
    BINDING_FUNCTION,
    BINDING_STATE,   /* of a layer instance whose methods run */
    BINDING_PENDING, /* declared further down in the file */
} BindingKind;

typedef struct Binding {
    Name name;
    BindingKind kind;
    Value value;
    Span span;                  /* where it was declared */
    const AstNode *declaration; /* FUNCTION, LAYER or CONST, else NULL */
    bool is_evaluating;         /* a const whose value is being found */
    Name bound_by;              /* a dim: the argument that gave it its size */
} Binding;

struct Scope {
    Scope *parent;
    bool is_global;
    uint32_t walk; /* elab_each_slot was here */
    VEC(Binding *) bindings;
};

/* One call being inlined. */
typedef struct CallFrame {
    struct CallFrame *parent;
    const Closure *closure;
    Span call;
    bool has_place, is_placed; /* it is a call of the program; `shift` was asked for */
    uint32_t shift;            /* of the positions of its body, see source_add_call */
} CallFrame;

/* The statements that follow a block which may `return` early. */
typedef struct Rest {
    AstList statements;
    uint32_t next;
    Scope *scope;
    const struct Rest *outer;
} Rest;

/* A function that returns from inside a loop: see elab_return.c. */
typedef struct LoopReturn {
    Binding *returned, *result; /* hidden variables around the outermost loop */
    bool is_probing, has_found;
    Value found; /* what it returns, while probing */
} LoopReturn;

typedef struct BindingChange { /* to undo what a failed unit did */
    Binding *binding;
    Binding before;
} BindingChange;

typedef struct ElabImport {
    const AstNode *node;
    AstNode *block; /* NULL once its statements ran */
} ElabImport;

struct Elaborator {
    ElabOptions options;
    Arena *arena; /* values, scopes: session lifetime */
    Interner *names;
    DiagSink *sink;
    Scope *globals, *library;
    Scope *scope;
    bool library_is_loaded;
    IrBuilder b;
    ElabUnit *unit;
    CallFrame *frame;
    LoopReturn *loop_return; /* of the function in hand; NULL: not inside such a loop */
    uint32_t call_depth, depth;
    uint64_t steps;
    uint32_t next_slot, walk_count;
    bool is_checking;        /* a function is elaborated only to check it: nothing is kept */
    bool is_exporting;       /* no effects, no hidden stream */
    bool is_differentiating; /* no effects */
    bool is_seeded;          /* the stream of random numbers is that of train(seed=) */
    bool is_training;        /* what `training` says */
    bool misses_import;      /* a file could not be imported: unknown names may be its */
    Binding *token, *random_key, *random_counter; /* hidden variables */
    struct IndexVariables *index_variables;       /* of the index expressions around, innermost first */
    VEC(Binding *) states;          /* of the layer instances under way: any call may change them */
    struct LayerBuild *layer_build; /* the instance being made, innermost */
    uint32_t index_depth;           /* index expressions whose body is being elaborated */
    uint32_t index_first;           /* nodes with smaller ids are older than the outermost index expression */
    struct ElabReachCheck *reach_checks; /* of subscripts, in the index expression being elaborated */
    VEC(BindingChange) undo;
    bool keeps_checks;      /* checks of sizes that are made now hold whether or not they are used */
    VEC(IrNode *) checks;   /* these */
    VEC(ElabSlot *) lifted; /* sizes written as literals in this unit */
    VEC(ElabImport) imports;
};

/* ---- elab_types.c: dtypes, shapes, promotion --------------------------------------------------------- */
static inline Value elab_poison(void) {
    return value_of_kind(VALUE_POISON);
}
Value elab_fail(Elaborator *e, DiagCode code, Span span, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
Value elab_unsupported(Elaborator *e, Span span, const char *what); /* E0900 */
/* The value with its node in the current unit: slots become parameters, constants nodes.  Others unchanged.
 */
Value elab_node(Elaborator *e, Value value);
/* The same for something that must be a tensor or scalar; POISON after E0201 about `what`. */
Value elab_tensor(Elaborator *e, Value value, Span span, const char *what);
bool elab_dtype_of(Value value, Dtype *out); /* of TENSOR, CONSTANT, SLOT */
bool elab_rank_of(Value value, uint32_t *out);
bool elab_is_scalar(Value value);
/* An integer known when compiling. */
bool elab_constant_int(Value value, int64_t *out);
bool elab_constant_bool(Value value, bool *out);
Value elab_int(Elaborator *e, int64_t value); /* weak */
Value elab_constant(Dtype dtype, uint64_t bits, bool is_weak);
const char *elab_kind_text(Elaborator *e, Value value); /* "a string", or the type */
const char *elab_extent_text(Elaborator *e, const IrNode *extent);
/* Nodes built next belong to this place; inside the library, to the call that led into it. */
void elab_at(Elaborator *e, Span span);
const char *elab_place(Elaborator *e, Span span); /* file:line:column */
const char *elab_line(Elaborator *e, Span span);  /* file:line */
/* A literal stands alone: it gets its own dtype for good. */
Value elab_strengthen(Value value);
/* To `dtype` where nothing is lost, else E0207 (or `code`) at span; `what` names the receiver. */
Value elab_coerce(Elaborator *e, Value value, Dtype dtype, Span span, DiagCode code, const char *what);
IrNode *elab_cast(Elaborator *e, IrNode *node, Dtype dtype);
/* NumPy's common dtype of operands (weak ones only raise the kind). */
Dtype elab_common_dtype(const Value *values, uint32_t count);
/* Converts a weak operand without range loss; reports E0207 when a literal integer does not fit. */
Value elab_promote_to(Elaborator *e, Value value, Dtype dtype, Span span);
typedef struct OperandInfo { /* for messages */
    Span span;
    const AstNode *node; /* or NULL */
} OperandInfo;
/* Broadcasts nodes to one shape; `name` is the operator for messages. False after E0203. */
bool elab_broadcast(Elaborator *e, IrNode **nodes, const OperandInfo *infos, uint32_t count, Span span,
                    const char *name);
/* One extent for two that must be equal; NULL after reporting nothing: they differ. */
IrNode *elab_same_extent(Elaborator *e, IrNode *x, IrNode *y, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* x seen with other extents, equal to its own or broadcast from 1. */
IrNode *elab_with_dims(Elaborator *e, IrNode *x, IrNode *const *dims, uint32_t rank);
/* x with an extent that is 1 at this call as the constant 1, checked when it runs. */
IrNode *elab_as_one(Elaborator *e, IrNode *x, uint32_t axis);
/* OP_real or OP_imag of a tensor or scalar: the parts of a real number are itself and zeros. */
Value elab_part_of(Elaborator *e, Value value, Op op);
/* False after reporting that `op` has no meaning for complex numbers, where dtype is complex. */
bool elab_takes_complex(Elaborator *e, Op op, Dtype dtype, Span span);
Value elab_elementwise(Elaborator *e, Op op, const Value *operands, const OperandInfo *infos, Span span);
const char *elab_origin(Elaborator *e, const AstNode *node); /* "`x` (file:line)", or NULL */
/* "the inner sizes 784 and 32 differ: 784 comes from `x` (model.gmx:3), 32 from `w` (model.gmx:4)" */
const char *elab_sizes_note(Elaborator *e, const char *what, const IrNode *left, const AstNode *left_node,
                            const IrNode *right, const AstNode *right_node);
/* As it is written: `+` for add. */
const char *elab_spelling(Op op);
void elab_shape_error(Elaborator *e, Span span, const char *name, const Value *values,
                      const OperandInfo *infos, uint32_t count, const char *note);

/* ---- elab_fold.c: arithmetic on constants ------------------------------------------------------------- */
/* The value of an elementwise op on scalar constants of one dtype; false where it is left to run time. */
bool elab_fold(Elaborator *e, Op op, const Value *operands, uint32_t count, Value *out);

/* ---- elab_expression.c -------------------------------------------------------------------------------- */
Value elab_expression(Elaborator *e, const AstNode *node);
Value elab_tensor_expression(Elaborator *e, const AstNode *node, const char *what);
Value elab_binary(Elaborator *e, const AstNode *node, AstOperator operator, Value left, Value right);
Value elab_matmul(Elaborator *e, Value left, Value right, const OperandInfo *infos, Span span);
/* Makes the leading axes of two nodes (all but the last two) equal by broadcasting. */
bool elab_broadcast_batch(Elaborator *e, IrNode **sides, const char *name);
IrNode *elab_with_unit_axis(Elaborator *e, IrNode *x, uint32_t axis); /* x with a new axis of extent 1 */
IrNode *elab_drop_unit_axis(Elaborator *e, IrNode *x, uint32_t axis);
Value elab_array_of(Elaborator *e, const Value *elements, const OperandInfo *infos, uint32_t count,
                    Span span);
/* An i64 scalar node from an integer value; POISON after E0201. */
Value elab_index_scalar(Elaborator *e, Value value, Span span, const char *what);

/* ---- elab_scope.c: names --------------------------------------------------------------------------------
 */
Scope *elab_scope_new(Elaborator *e, Scope *parent);
Binding *elab_bind(Elaborator *e, Scope *scope, Name name, BindingKind kind, Value value, Span span);
Binding *elab_find(const Scope *scope, Name name);             /* this scope only */
Binding *elab_lookup(Elaborator *e, Name name, Scope **where); /* from the current scope outward */
void elab_set(Elaborator *e, Binding *binding, Value value);
Value elab_name(Elaborator *e, const AstNode *node);
Value elab_unknown_name(Elaborator *e, Name name, Span span, const char *what);
Value elab_closure(Elaborator *e, const AstNode *function);
void elab_load_library(Elaborator *e);
bool elab_pattern(Elaborator *e, const AstNode *pattern, BindingKind kind, Value value, Scope *scope);
/* Calls visit for every NAME, and every name that is assigned, under `node`. */
typedef void (*AstVisit)(void *context, const AstNode *node);
void elab_walk(const AstNode *node, AstVisit visit, void *context);
bool elab_is_builtin_constant(Elaborator *e, Name name, Value *out); /* pi, e, inf, nan, None */

/* ---- elab_names.c: hints ------------------------------------------------------------------------------ */
typedef struct Nearest {
    const char *wanted, *best; /* best NULL: nothing is near */
    uint32_t distance;
} Nearest;
Nearest elab_nearest(const char *wanted);
void elab_consider(void *nearest, const char *name);                       /* an ElabVisit */
void elab_note_nearest(Elaborator *e, Diag *diag, const Nearest *nearest); /* "did you mean `x`?" */

/* ---- elab_call.c ------------------------------------------------------------------------------------- */
typedef struct Argument {
    Name name; /* keyword, or NULL */
    Value value;
    const AstNode *node; /* or NULL */
    Span span;
} Argument;
Value elab_call(Elaborator *e, const AstNode *node, const Value *piped, const AstNode *piped_node);
Value elab_call_value(Elaborator *e, Value callee, Argument *arguments, uint32_t count, Span span);
Value elab_call_closure(Elaborator *e, Closure *closure, Argument *arguments, uint32_t count, Span span);
/* Values by parameter of the closure's FUNCTION or LAYER; false after reporting. */
bool elab_is_recursive(Elaborator *e, const Closure *closure, Span span); /* reports it */
bool elab_match_arguments(Elaborator *e, const Closure *closure, const Argument *arguments, uint32_t count,
                          Value *values, bool *given, Span *spans, Span call);
Value elab_call_builtin(Elaborator *e, const Builtin *builtin, Argument *arguments, uint32_t count,
                        Span span);
Value elab_convert(Elaborator *e, Value value, Dtype dtype, Span span, const char *what); /* f32(x) */

Value elab_expand_body(Elaborator *e, const Closure *closure, Scope *scope); /* and checks its result type */

/* ---- elab_map.c: calls of vmap(f) ---------------------------------------------------------------------- */
Value elab_call_mapped(Elaborator *e, const ValueTuple *mapped, Argument *arguments, uint32_t count,
                       Span span);

/* ---- elab_derivative.c -------------------------------------------------------------------------------- */
Value elab_derived_function(const Derivative *derivative);
Value elab_derived_backward(const Derivative *derivative); /* of custom_vjp; POISON: none */
Value elab_call_derivative(Elaborator *e, const Derivative *derivative, Argument *arguments, uint32_t count,
                           Span span);

/* ---- elab_signature.c: parameter and result types --------------------------------------------------------
 */
/* A value for a declared type: converted and checked; binds dim names and dtype letters in `scope`. */
Value elab_declared(Elaborator *e, const AstNode *type, Value value, Scope *scope, Span span, Name what,
                    bool may_bind);
bool elab_bind_parameters(Elaborator *e, const AstNode *function, const Value *values, const bool *given,
                          const Span *spans, Scope *scope, Span call);
bool elab_type_dtype(Elaborator *e, const AstNode *type, Scope *scope, Dtype *out); /* f32, T bound */
bool elab_is_dtype_letter(const AstNode *type);

/* ---- elab_control.c -------------------------------------------------------------------------------------
 */
Value elab_block(Elaborator *e, const AstNode *block);
/* The value of statements from `next` on.  `outer`: what follows them in the function, NULL where a `return`
 * cannot stand.  `wants_value`: the last statement's value is used. */
Value elab_statements(Elaborator *e, AstList statements, uint32_t next, const Rest *outer, bool wants_value);
Value elab_function_body(Elaborator *e, const AstNode *block);
Value elab_continue(Elaborator *e, const Rest *rest, bool wants_value); /* the statements after a block */
Value elab_if(Elaborator *e, const AstNode *node, const Rest *rest, bool wants_value);
Value elab_for(Elaborator *e, const AstNode *node);
Value elab_while(Elaborator *e, const AstNode *node);
Value elab_logical(Elaborator *e, const AstNode *node); /* `and`, `or` */
/* Any statement but `return`; UNIT, or the value of an expression. */
Value elab_one_statement(Elaborator *e, const AstNode *node, const Rest *rest, bool wants_value);
Value elab_assign(Elaborator *e, const AstNode *node);
bool elab_has_return(const AstNode *node);

/* ---- elab_return.c: `return` inside loops ---------------------------------------------------------------
 */
/* A `for` or `while` that may return, and `rest`, what follows it in the function: its value. */
Value elab_returning_loop(Elaborator *e, const AstNode *node, const Rest *rest);
Value elab_return_from_loop(Elaborator *e, const AstNode *node);
/* A loop's condition and body; where the function has returned they are false and do nothing. */
Value elab_while_condition(Elaborator *e, const AstNode *node);
void elab_loop_statements(Elaborator *e, const AstNode *body);

/* ---- elab_merge.c: values that leave regions ------------------------------------------------------------
 */
typedef struct Snapshot { /* every variable that may change, with its value */
    uint32_t count;
    Binding **bindings;
    Value *values;
} Snapshot;
Snapshot elab_snapshot(Elaborator *e);
void elab_restore(Elaborator *e, const Snapshot *snapshot);
IrRegion *elab_enter_region(Elaborator *e);
typedef struct Branch {
    IrRegion *region;
    Value value;
    Snapshot after;
} Branch;
/* Joins two branches: builds the `if`, sets the variables, gives the value. */
Value elab_join(Elaborator *e, IrNode *condition, const Snapshot *before, Branch *yes, Branch *no,
                bool wants_value, Span span);
/* Tensor and token leaves of a value in order, appended to `nodes`; slots and constants become nodes.
 * Patterns are no leaves: loops and derivatives leave them as they are. */
typedef VEC(IrNode *) NodeList;
Value elab_flatten(Elaborator *e, Value value, NodeList *nodes);
/* The same value with its leaves replaced. */
Value elab_rebuild(Elaborator *e, Value value, IrNode *const *nodes, uint32_t *next);
bool elab_same_value(Value a, Value b);
void elab_finish_branch(Elaborator *e, const Snapshot *before, Branch *branch); /* reads the variables */

/* ---- elab_index.c ---------------------------------------------------------------------------------------
 */
Value elab_index(Elaborator *e, const AstNode *node);
Value elab_field(Elaborator *e, const AstNode *node);
bool elab_find_field(Elaborator *e, Value base, Name name, Value *out);

/* ---- elab_record.c ---------------------------------------------------------------------------------------
 */
ValueTuple *elab_tuple(Elaborator *e, uint32_t count); /* of items yet to be written */
ValueTuple *elab_tuple_of(Elaborator *e, uint32_t count, Value *items);
ValueTuple *elab_tuple_like(Elaborator *e, const ValueTuple *tuple); /* as many items, the same names */
bool elab_same_form(const ValueTuple *a, const ValueTuple *b);       /* the same */
/* `record.name`: the field of that name, or the record of the fields whose path begins with it. */
bool elab_record_field(Elaborator *e, const ValueTuple *record, Name name, Value *out);
Value elab_index_record(Elaborator *e, const AstNode *node, Value record);     /* record["name"] */
Value elab_no_field(Elaborator *e, Value record, const char *name, Span span); /* E0110 */

/* ---- elab_layer.c: layers and their instances ------------------------------------------------------------
 */
typedef enum LayerRole { ROLE_ARGUMENT, ROLE_PARAM, ROLE_STATE, ROLE_LET, ROLE_OUTSIDE } LayerRole;
struct LayerClass {
    const AstNode *node; /* LAYER */
    Closure *closure;    /* for messages, and the scope of the declaration */
    uint32_t count;      /* members of an instance: arguments first */
    const Name *names;
    const uint8_t *roles; /* LayerRole */
};
void elab_declare_layer(Elaborator *e, const AstNode *node, Scope *scope, bool is_library);
Value elab_layer_new(Elaborator *e, const LayerClass *layer, Argument *arguments, uint32_t count, Span span);
Value elab_layer_call(Elaborator *e, Value layer, Argument *arguments, uint32_t count, Span span);
bool elab_layer_member(Elaborator *e, Value layer, Name name, Value *out); /* a member's value, or a method */
/* `[Block(d) for i in 0..k]`: a tuple of layers. */
bool elab_makes_layers(Elaborator *e, const AstNode *comprehension);
Value elab_layer_list(Elaborator *e, const AstNode *comprehension);
const char *elab_layer_text(Elaborator *e, const ValueTuple *layer); /* "MLP(64, 10)" */
/* Brackets the expansion of a method: its states may change meanwhile. */
typedef struct LayerCall {
    uint32_t states;
    Value *saved;
} LayerCall;
LayerCall elab_layer_enter(Elaborator *e, const Closure *method);
void elab_layer_leave(Elaborator *e, const Closure *method, LayerCall call);
/* An instance as a type of an `export fn` spells it, `Adam(MLP(784, 10))`; `seed` is an integer scalar. */
Value elab_layer_of_type(Elaborator *e, const AstNode *type, Value seed);
const LayerClass *elab_find_layer(Elaborator *e, Name name); /* of the program or the library; or NULL */

/* ---- elab_sequence.c ----------------------------------------------------------------------------------- */
Value elab_sequence_count(Value sequence);
Value elab_sequence_source(Value sequence);
Value elab_sequence_item(Elaborator *e, Value sequence, IrNode *index, Span span);
bool elab_sequence_has_bar(Value sequence);
void elab_sequence_show(Elaborator *e, Value sequence, IrNode *done); /* that `done` items are done */

/* ---- elab_tree.c: the tensors of a tuple, record or layer, with their paths ------------------------------
 */
typedef struct Leaf {
    const char *path; /* "fc1.w", "blocks.0.w"; empty: the tree is this tensor */
    Value value;
    LayerRole role; /* PARAM, STATE, or OUTSIDE layers */
} Leaf;
typedef VEC(Leaf) LeafList;
/* The tensors of a tree in order; of a layer its parameters and states, not the numbers it was made with. */
void elab_leaves(Elaborator *e, Value tree, LeafList *out);
bool elab_is_tree(Value value); /* a tuple, record or layer */
/* The leaves that training changes: the floats but for states. */
void elab_trained_leaves(Elaborator *e, Value tree, LeafList *out);
/* The tree with its leaves replaced by values[], in the order of elab_leaves. */
Value elab_with_leaves(Elaborator *e, Value tree, const Value *values);
/* The same with values for those that training changes; the others stay. */
Value elab_with_trained(Elaborator *e, Value tree, const Value *values);
/* The tree with its trained leaves replaced, and `()` for everything else: the form of a gradient. */
Value elab_trained_form(Elaborator *e, Value tree, const Value *values);
/* The tree with its trained leaves in another dtype. */
Value elab_cast_tree(Elaborator *e, Value tree, Dtype dtype, Span span);
/* A size as a constant where it is known by now, else unchanged. */
Value elab_known_size(Elaborator *e, Value size);
Value elab_layer_table(Elaborator *e, Value layer, Span span); /* a string: what is printed for a layer */

/* ---- elab_update.c */
/* The NAME under the indices of an assignment's target, or NULL. */
const AstNode *elab_assigned_name(const AstNode *target);
/* `base`, the value of that name, with what the target's indices reach replaced by `value`. */
Value elab_updated(Elaborator *e, const AstNode *assignment, AstOperator operator, const AstNode * target,
                   Value base, Value value, Span span);
/* x[i] along the first axis, i an i64 node in range. */
IrNode *elab_first_axis_item(Elaborator *e, IrNode *x, IrNode *i);
Value elab_gather(Elaborator *e, Value x, Value indices, uint32_t axis, Span span);
Value elab_transpose(Elaborator *e, Value x);
Value elab_shape(Elaborator *e, Value x);

/* ---- elab_make.c */
IrNode *elab_seed_node(Elaborator *e, Value seed, Span span); /* a u64 scalar, NULL after reporting */
IrNode *elab_key_of_seed(Elaborator *e, IrNode *seed);

/* ---- elab_comprehension.c: index expressions --------------------------------------------------------------
 */
Value elab_comprehension(Elaborator *e, const AstNode *node);
Value elab_generator(Elaborator *e, Value callee, const AstNode *call); /* sum(body for binders) */
/* True if a subscript that is the bare name of an index variable without a range takes it from `extent`. */
bool elab_infer_range(Elaborator *e, Value subscript, IrNode *extent, const AstNode *node);

/* ---- elab_text.c: strings with values in them -------------------------------------------------------------
 */
Value elab_interpolation(Elaborator *e, const AstNode *node);
/* A TEXT whose values are all known by now as a STRING; anything else unchanged. */
Value elab_known_text(Elaborator *e, Value value, Span span);
/* Makes two strings of different branches TEXTs with the same pieces; false where that cannot be. */
bool elab_match_texts(Elaborator *e, Value *yes, Value *no, IrRegion *no_region);
Value elab_text_equality(Elaborator *e, Value left, Value right, Span span); /* a scalar bool */

/* ---- elab_builtin*.c --------------------------------------------------------------------------------------
 */
typedef struct BuiltinCall {
    const Builtin *builtin;
    Span span;
    uint32_t count;
    Value values[12]; /* by parameter; defaults filled in; nodes are in the unit */
    bool given[12];
    Span spans[12];
    const AstNode *nodes[12];
    const Argument *rest;   /* the arguments of `*x`, one per item of its tuple */
    VEC(Argument) keywords; /* of `**` */
} BuiltinCall;
typedef Value (*BuiltinHandler)(Elaborator *e, BuiltinCall *call);
struct Builtin {
    const char *name, *alias;
    const char *signature; /* "x, axis=None, keepdims=false"; `*x` takes the rest, `**` any keyword */
    BuiltinHandler handler;
    Op op; /* elementwise and reductions */
    const char *doc;
};
const Builtin *elab_find_builtin(const char *name);
const Builtin *elab_builtin_at(uint32_t index); /* NULL after the last */
const char *elab_alias_at(uint32_t index);      /* other spellings of builtins; NULL after the last */
/* Normalised axes, ascending, of `axis=` (None: all).  False after reporting. */
bool elab_axes(Elaborator *e, Value axis, uint32_t rank, Span span, uint32_t *axes, uint32_t *count);
bool elab_axis(Elaborator *e, Value axis, uint32_t rank, Span span, uint32_t *out);
/* A shape argument: ints, a tuple, a list or x.shape. False after reporting. */
bool elab_shape_argument(Elaborator *e, Value value, Span span, IrNode **dims, uint32_t *rank);
Value elab_fill(Elaborator *e, Value scalar, IrNode *const *dims, uint32_t rank);
bool elab_elements(Elaborator *e, Value list, Span span, const char *what, Value **items, uint32_t *count);
IrNode *elab_size_node(Elaborator *e, Value value, Span span, const char *what);
/* x, once every size in `axes` is known to be positive; NULL after reporting. */
IrNode *elab_not_empty(Elaborator *e, Op op, IrNode *x, const uint32_t *axes, uint32_t count, Span span);
bool elab_has_no_identity(Op op); /* max, min, argmax, argmin */
/* The mean over axes as `result`, formed in `wide`. */
IrNode *elab_mean(Elaborator *e, IrNode *x, const uint32_t *axes, uint32_t count, Dtype result, Dtype wide);
Value elab_reduce(Elaborator *e, Op op, Value x, Value axis, bool keepdims, const Dtype *dtype, Span span,
                  Span axis_span);

/* ---- elab_unit.c ------------------------------------------------------------------------------------------
 */
IrNode *elab_slot_node(Elaborator *e, ElabSlot *slot);
ElabSlot *elab_constant_slot(Elaborator *e, Dtype dtype, uint32_t rank, const int64_t *shape,
                             const void *data);
IrNode *elab_lift_size(Elaborator *e, int64_t size);
void elab_note_calls(Elaborator *e, uint32_t first_diag, const Closure *closure, Span call);

/* ---- elab_check.c
 * ------------------------------------------------------------------------------------------ */
void elab_check_file(Elaborator *e, const AstNode *block);
bool elab_function_is_spelled(const AstNode *function); /* every type a dense tensor type with a dtype */
/* A layer of this type whose tensors are parameters of e->b's function; POISON after reporting. */
Value elab_symbolic_layer(Elaborator *e, const AstNode *type);
/* Elaborates a spelled function with symbolic sizes in e->b; values[] are its parameters. */
bool elab_symbolic_parameters(Elaborator *e, const AstNode *function, Scope *scope, Value *values);

static inline void elab_copy_dims(IrNode **to, const IrNode *node) {
    for (uint32_t k = 0; k < ir_rank(node); k++)
        to[k] = node->types[0].dims[k];
}
static inline Span elab_mark(const AstNode *node) {
    return node->mark.end ? node->mark : node->span;
}
static inline Name elab_intern(Elaborator *e, const char *text) {
    return intern_text(e->names, text);
}

#endif
