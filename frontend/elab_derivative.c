/* Derivatives as functions of functions: grad(f), value_and_grad(f), vjp(f), jvp(f), stop_gradient(x).
 *
 * grad(f) is a value; a call of it elaborates the call of f with each chosen argument behind a `variable`
 * node, then asks ir_gradient for the adjoints.  Forward and backward nodes stand in one region and share
 * what they can, and grad(grad(f)) needs nothing more. */
#include "frontend/elab_builtin.h"
#include "ir/gradient.h"

typedef enum DerivativeKind {
    DERIVATIVE_GRAD,
    DERIVATIVE_VALUE_AND_GRAD,
    DERIVATIVE_VJP,
    DERIVATIVE_JVP,
    DERIVATIVE_JACOBIAN
} DerivativeKind;

struct Derivative {
    DerivativeKind kind;
    Value function;
    bool has_aux;
    bool is_tuple; /* several names were given: a tuple in their order */
    uint32_t name_count;
    Name *names; /* of the parameters; none: the first argument */
};

Value elab_derived_function(const Derivative *derivative) {
    return derivative->function;
}

/* One argument that is differentiated. */
typedef struct Differentiated {
    uint32_t argument;
    uint32_t first; /* its leaves in the list of all */
    Value value;    /* with variables for leaves */
} Differentiated;

/* ---- which arguments ---------------------------------------------------------------------------------- */

/* The position of a parameter; -1: unknown. */
static int parameter_position(Value function, Name name) {
    while (function.kind == VALUE_DERIVATIVE)
        function = function.derivative->function;
    if (function.kind != VALUE_FUNCTION)
        return -1;
    AstList parameters = ast_declaration_parameters(function.function->function);
    for (uint32_t i = 0; i < parameters.count; i++)
        if (parameters.items[i]->name == name)
            return (int)i;
    return -1;
}

static bool find_argument(Elaborator *e, const Derivative *d, Name name, const Argument *arguments,
                          uint32_t count, Span span, uint32_t *out) {
    int position = parameter_position(d->function, name);
    for (uint32_t i = 0; i < count; i++)
        if (arguments[i].name ? arguments[i].name == name : position == (int)i)
            return *out = i, true;
    elab_fail(e, DIAG_E0204, span,
              position < 0 ? "`wrt` names `%s`, which is not a parameter"
                           : "the derivative with respect to `%s` needs that argument",
              name->text);
    return false;
}

static bool choose(Elaborator *e, const Derivative *d, const Argument *arguments, uint32_t count, Span span,
                   Differentiated *chosen, uint32_t *chosen_count) {
    *chosen_count = d->name_count ? d->name_count : 1;
    if (!d->name_count) {
        chosen[0].argument = 0;
        if (!count)
            elab_fail(e, DIAG_E0204, span, "a derivative needs the argument that it is taken for");
        return count > 0;
    }
    for (uint32_t i = 0; i < d->name_count; i++)
        if (!find_argument(e, d, d->names[i], arguments, count, span, &chosen[i].argument))
            return false;
    return true;
}

/* ---- variables --------------------------------------------------------------------------------------------
 */

/* A path as a program writes it: `fc1.w`, `[1].w`. */
static const char *item_text(Elaborator *e, const char *path) {
    TextBuffer text = {.arena = e->sink->arena};
    while (*path) {
        size_t length = strcspn(path, ".");
        bool is_number = *path >= '0' && *path <= '9';
        text_format(&text, is_number ? "[%.*s]" : text.length ? ".%.*s" : "%.*s", (int)length, path);
        path += length + (path[length] == '.');
    }
    return text.text;
}

static bool no_float(Elaborator *e, const Argument *argument, const Leaf *leaf) {
    const char *type = elab_type_text(e, leaf->value);
    if (!*leaf->path)
        return elab_fail(e, DIAG_E0212, argument->span, "there is no derivative for %s: it is no float",
                         type),
               false;
    Diag *diag = diag_error(e->sink, DIAG_E0212, argument->span,
                            "there is no derivative for the item `%s`, %s: it is no float",
                            item_text(e, leaf->path), type);
    diag_note(e->sink, diag, "pass what is no float as another argument");
    return false;
}

/* Of a layer the parameters are differentiated, of anything else all tensors. */
static bool as_variables(Elaborator *e, Differentiated *chosen, const Argument *argument, NodeList *leaves) {
    LeafList all = {0};
    Dtype dtype;
    elab_leaves(e, argument->value, &all);
    Value *values = ARENA_ARRAY(e->arena, Value, all.count);
    chosen->first = (uint32_t)leaves->count;
    for (uint32_t i = 0; i < all.count; i++) {
        const Leaf *leaf = &all.items[i];
        values[i] = leaf->value;
        bool is_float = elab_dtype_of(leaf->value, &dtype) && dtype_is_float(dtype);
        if (!is_float && leaf->role == ROLE_LET)
            return no_float(e, argument, leaf);
        if (!is_float || leaf->role == ROLE_STATE)
            continue;
        IrNode *node = ir_variable(&e->b, elab_node(e, leaf->value).node);
        bool is_weak = values[i].is_weak;
        values[i] = value_tensor(node);
        values[i].is_weak = is_weak;
        vec_push(e->arena, leaves, node);
    }
    chosen->value = elab_with_leaves(e, argument->value, values);
    if (leaves->count == chosen->first)
        elab_fail(e, DIAG_E0201, argument->span, "a derivative is taken for tensors, not for %s",
                  elab_kind_text(e, argument->value));
    return leaves->count > chosen->first;
}

/* ---- the derivative
 * ------------------------------------------------------------------------------------------ */

/* The function whose text a place is in: its name, or NULL. */
static const char *function_at(Elaborator *e, Span span) {
    const char *name = NULL;
    uint32_t length = UINT32_MAX; /* the innermost */
    for (uint32_t i = 0; i < e->globals->bindings.count; i++) {
        const Binding *binding = e->globals->bindings.items[i];
        if (binding->value.kind != VALUE_FUNCTION || !binding->value.function->function)
            continue;
        Span body = binding->value.function->function->span;
        if (body.begin > span.begin || span.end > body.end || body.end - body.begin >= length)
            continue;
        length = body.end - body.begin;
        name = binding->name->text;
    }
    return name;
}

static const char *step_text(Elaborator *e, const IrNode *node) {
    const char *name = function_at(e, node->span), *place = elab_place(e, node->span);
    if (!name)
        return arena_format(e->sink->arena, "`%s` at %s", op_name(node->op), place);
    return arena_format(e->sink->arena, "`%s` at %s in `%s`", op_name(node->op), place, name);
}

/* From the loss to what has no derivative, one step per place: the ends where it is long. */
static void note_route(Elaborator *e, Diag *diag, const GradientFailure *failure, Span place) {
    enum { FIRST = 5, LAST = 5 };
    VEC(const IrNode *) steps = {0};
    Span before = {0};
    for (uint32_t i = failure->route.count; i-- > 0;) {
        const IrNode *node = failure->route.items[i];
        bool is_step = node->op != OP_variable && node->op != OP_result && node->span.end;
        if (!is_step || node->span.begin == before.begin || node->span.begin == place.begin)
            continue;
        before = node->span;
        vec_push(e->arena, &steps, node);
    }
    for (uint32_t i = 0; i < steps.count; i++) {
        if (i == FIRST && steps.count > FIRST + LAST) {
            diag_note(e->sink, diag, "… %u steps more …", steps.count - FIRST - LAST);
            i = steps.count - LAST;
        }
        diag_note(e->sink, diag, "%s %s", i ? "which depends on" : "the result depends on",
                  step_text(e, steps.items[i]));
    }
    diag_note(e->sink, diag, "%s `%s`, which has no derivative",
              steps.count ? "which depends on" : "the result depends on", op_name(failure->node->op));
}

static void explain_failure(Elaborator *e, const GradientFailure *failure, Span span) {
    Span place = failure->node->span.end ? failure->node->span : span;
    Diag *diag = diag_error(e->sink, DIAG_E0212, place, "`%s` has no derivative: %s",
                            op_name(failure->node->op), failure->why);
    note_route(e, diag, failure, place);
    for (uint32_t i = 1; i < failure->path.count; i++) /* the first step back, towards the variable */
        if (failure->path.items[i]->op != OP_variable && failure->path.items[i]->span.end &&
            failure->path.items[i]->span.begin != place.begin) {
            diag_note(e->sink, diag, "it gets its value from %s", step_text(e, failure->path.items[i]));
            break;
        }
    diag_note(e->sink, diag, "`stop_gradient` takes a value as a constant");
    if (place.begin != span.begin)
        diag_note(e->sink, diag, "differentiated at %s", elab_place(e, span));
}

/* The adjoints of leaves[i], zeros where nothing depends on one. */
static bool adjoints(Elaborator *e, const NodeList *outputs, IrNode *const *seeds, const NodeList *leaves,
                     IrNode **gradients, Span span) {
    GradientFailure failure = {0};
    GradientRequest request = {.outputs = outputs->items,
                               .seeds = seeds,
                               .output_count = (uint32_t)outputs->count,
                               .variables = leaves->items,
                               .variable_count = (uint32_t)leaves->count};
    if (!ir_gradient(&e->b, &request, gradients, &failure)) {
        explain_failure(e, &failure, span);
        return false;
    }
    for (uint32_t i = 0; i < leaves->count; i++)
        if (!gradients[i])
            gradients[i] = gradient_number(&e->b, 0, leaves->items[i]);
    return true;
}

static Value pair(Elaborator *e, Value first, Value second) {
    ValueTuple *tuple = elab_tuple(e, 2);
    tuple->items[0] = first;
    tuple->items[1] = second;
    return (Value){.kind = VALUE_TUPLE, .tuple = tuple};
}

static Value as_arguments(Elaborator *e, const Derivative *d, const Differentiated *chosen, uint32_t count,
                          IrNode *const *nodes) {
    ValueTuple *tuple = elab_tuple(e, count);
    for (uint32_t i = 0, next = 0; i < count; i++) {
        LeafList leaves = {0};
        elab_trained_leaves(e, chosen[i].value, &leaves);
        Value *values = ARENA_ARRAY(e->arena, Value, leaves.count);
        for (uint32_t k = 0; k < leaves.count; k++)
            values[k] = value_tensor(nodes[next++]);
        tuple->items[i] = elab_trained_form(e, chosen[i].value, values);
    }
    return d->is_tuple ? (Value){.kind = VALUE_TUPLE, .tuple = tuple} : tuple->items[0];
}

/* The loss: a real scalar. */
static bool scalar_output(Elaborator *e, Value value, Span span, NodeList *outputs) {
    value = elab_tensor(e, elab_strengthen(value), span, "what a differentiated function returns");
    if (value_is(value, VALUE_POISON))
        return false;
    if (ir_rank(value.node) || !dtype_is_float(ir_dtype(value.node))) {
        elab_fail(e, DIAG_E0212, span,
                  "`grad` takes a function that returns one real number, this returns %s%s",
                  elab_type_text(e, value), ir_rank(value.node) ? "; `jacobian` takes it" : "");
        return false;
    }
    vec_push(e->arena, outputs, value.node);
    return true;
}

static bool float_outputs(Elaborator *e, Value *value, Span span, NodeList *outputs) {
    *value = elab_flatten(e, elab_strengthen(*value), outputs);
    for (uint32_t i = 0; i < outputs->count; i++)
        if (!dtype_is_float(ir_dtype(outputs->items[i])))
            return elab_fail(e, DIAG_E0212, span, "there is no derivative of %s: it is no float",
                             elab_type_text(e, value_tensor(outputs->items[i]))),
                   false;
    return true;
}

/* `given` as the tangents or cotangents of `nodes`: same structure, dtypes and shapes. */
static bool as_seeds(Elaborator *e, const Argument *given, const NodeList *nodes, IrNode **seeds) {
    NodeList list = {0};
    elab_flatten(e, given->value, &list);
    bool fits = list.count == nodes->count;
    for (uint32_t i = 0; fits && i < list.count; i++) {
        IrNode *wanted = nodes->items[i], *dims[IR_MAX_RANK];
        Value value = value_tensor(list.items[i]);
        value.is_weak = given->value.is_weak;
        value = elab_coerce(e, value, ir_dtype(wanted), given->span, DIAG_E0207, "a derivative");
        if (value_is(value, VALUE_POISON))
            return false;
        fits = ir_rank(value.node) == ir_rank(wanted);
        for (uint32_t k = 0; fits && k < ir_rank(wanted); k++)
            fits = (dims[k] = elab_same_extent(e, wanted->types[0].dims[k], value.node->types[0].dims[k],
                                               "sizes of axis %u of a derivative differ", k)) != NULL;
        if (fits)
            seeds[i] = ir_rank(wanted) ? elab_with_dims(e, value.node, dims, ir_rank(wanted)) : value.node;
    }
    if (!fits)
        elab_fail(e, DIAG_E0203, given->span, "%s does not have the shape of what it belongs to",
                  elab_kind_text(e, given->value));
    return fits;
}

typedef struct Derived { /* a call under way */
    const Derivative *derivative;
    Differentiated chosen[12];
    uint32_t chosen_count;
    NodeList leaves;
    Value result;
    Span span;
} Derived;

/* Calls the function with variables. */
static bool call_function(Elaborator *e, Derived *call, const Argument *arguments, uint32_t count) {
    Argument *copies = ARENA_ARRAY(e->arena, Argument, count);
    for (uint32_t i = 0; i < count; i++)
        copies[i] = arguments[i];
    for (uint32_t i = 0; i < call->chosen_count; i++) {
        Differentiated *chosen = &call->chosen[i];
        if (!as_variables(e, chosen, &arguments[chosen->argument], &call->leaves))
            return false;
        copies[chosen->argument].value = chosen->value;
    }
    bool was_exporting = e->is_differentiating;
    e->is_differentiating = true;
    call->result = elab_call_value(e, call->derivative->function, copies, count, call->span);
    e->is_differentiating = was_exporting;
    elab_at(e, call->span);
    return !value_is(call->result, VALUE_POISON);
}

static Value call_grad(Elaborator *e, Derived *call) {
    const Derivative *d = call->derivative;
    Value loss = call->result, aux = loss;
    NodeList outputs = {0};
    if (d->has_aux) {
        if (loss.kind != VALUE_TUPLE || loss.tuple->count != 2)
            return elab_fail(e, DIAG_E0201, call->span,
                             "with `has_aux` a function returns a pair (loss, anything)");
        aux = loss.tuple->items[1];
        loss = loss.tuple->items[0];
    }
    if (!scalar_output(e, loss, call->span, &outputs))
        return elab_poison();
    IrNode *seed = ir_const_number(&e->b, ir_dtype(outputs.items[0]), 1);
    IrNode **nodes = ARENA_ARRAY(e->arena, IrNode *, call->leaves.count);
    if (!adjoints(e, &outputs, &seed, &call->leaves, nodes, call->span))
        return elab_poison();
    Value gradient = as_arguments(e, d, call->chosen, call->chosen_count, nodes);
    if (d->kind == DERIVATIVE_GRAD)
        return d->has_aux ? pair(e, gradient, aux) : gradient;
    return pair(e, d->has_aux ? pair(e, elab_strengthen(loss), aux) : elab_strengthen(loss), gradient);
}

static Value call_vjp(Elaborator *e, Derived *call, const Argument *cotangent) {
    NodeList outputs = {0};
    if (!float_outputs(e, &call->result, call->span, &outputs))
        return elab_poison();
    IrNode **seeds = ARENA_ARRAY(e->arena, IrNode *, outputs.count);
    IrNode **nodes = ARENA_ARRAY(e->arena, IrNode *, call->leaves.count);
    if (!as_seeds(e, cotangent, &outputs, seeds) ||
        !adjoints(e, &outputs, seeds, &call->leaves, nodes, call->span))
        return elab_poison();
    return pair(e, call->result, as_arguments(e, call->derivative, call->chosen, call->chosen_count, nodes));
}

/* Forward mode as reverse mode twice: dx = u J is linear in the cotangent u, so its own adjoint for the seed
 * t is J t.  What depends on u alone is never used and vanishes. */
static Value call_jvp(Elaborator *e, Derived *call, const Argument *tangent) {
    NodeList outputs = {0}, cotangents = {0}, gradients = {0};
    if (!float_outputs(e, &call->result, call->span, &outputs))
        return elab_poison();
    for (uint32_t i = 0; i < outputs.count; i++)
        vec_push(e->arena, &cotangents, ir_variable(&e->b, gradient_number(&e->b, 0, outputs.items[i])));
    IrNode **nodes = ARENA_ARRAY(e->arena, IrNode *, call->leaves.count);
    IrNode **seeds = ARENA_ARRAY(e->arena, IrNode *, call->leaves.count);
    if (!as_seeds(e, tangent, &call->leaves, seeds) ||
        !adjoints(e, &outputs, cotangents.items, &call->leaves, nodes, call->span))
        return elab_poison();
    for (uint32_t i = 0; i < call->leaves.count; i++)
        vec_push(e->arena, &gradients, nodes[i]);
    IrNode **results = ARENA_ARRAY(e->arena, IrNode *, outputs.count);
    if (!adjoints(e, &gradients, seeds, &cotangents, results, call->span))
        return elab_poison();
    uint32_t next = 0;
    return pair(e, call->result, elab_rebuild(e, call->result, results, &next));
}

/* 1 at one place of a vector, 0 elsewhere, in the shape of y. */
static IrNode *unit_seed(IrBuilder *b, IrNode *place, IrNode *y) {
    IrNode *size = ir_size(b, y);
    IrNode *is_place = ir_binary(b, OP_eq, ir_iota(b, size), ir_broadcast(b, place, NULL, &size, 1));
    return ir_reshape(b, ir_cast(b, is_place, ir_dtype(y)), y->types[0].dims, ir_rank(y));
}

/* One row of each Jacobian: the adjoints of the leaves for one element of y, written into the carried
 * matrices. */
static bool jacobian_row(Elaborator *e, Derived *call, IrNode *y, IrNode *row, IrNode *const *matrices,
                         IrNode **results) {
    IrBuilder *b = &e->b;
    NodeList outputs = {0};
    vec_push(e->arena, &outputs, y);
    IrNode *seed = unit_seed(b, row, y), **nodes = ARENA_ARRAY(e->arena, IrNode *, call->leaves.count);
    if (!adjoints(e, &outputs, &seed, &call->leaves, nodes, call->span))
        return false;
    for (uint32_t i = 0; i < call->leaves.count; i++) {
        IrNode *starts[2] = {row, ir_const_i64(b, 0)}, *steps[2] = {ir_const_i64(b, 1), ir_const_i64(b, 1)};
        IrNode *extents[2] = {ir_const_i64(b, 1), ir_size(b, call->leaves.items[i])};
        IrNode *value = ir_reshape(b, nodes[i], extents, 2);
        results[i] = ir_update(b, matrices[i], value, starts, extents, steps, NULL, NULL, 0, OP_none);
    }
    return true;
}

/* Reverse mode once per element of the result, in a loop: the forward part stands before it. */
static Value call_jacobian(Elaborator *e, Derived *call) {
    IrBuilder *b = &e->b;
    Value value = elab_tensor(e, elab_strengthen(call->result), call->span, "what `jacobian` differentiates");
    NodeList outputs = {0};
    if (value_is(value, VALUE_POISON) || !float_outputs(e, &value, call->span, &outputs))
        return elab_poison();
    IrNode *y = value.node, *dims[2 * IR_MAX_RANK] = {ir_size(b, y)},
           *zero = ir_const_number(b, ir_dtype(y), 0);
    uint32_t count = (uint32_t)call->leaves.count, rank = ir_rank(y);
    IrNode **nodes = ARENA_ARRAY(e->arena, IrNode *, count);
    for (uint32_t i = 0; i < count; i++) {
        dims[1] = ir_size(b, call->leaves.items[i]);
        nodes[i] = ir_broadcast(b, ir_cast(b, zero, ir_dtype(call->leaves.items[i])), NULL, dims, 2);
        if (rank + ir_rank(call->leaves.items[i]) > IR_MAX_RANK)
            return elab_fail(e, DIAG_E0203, call->span, "a tensor has at most %d axes", IR_MAX_RANK);
    }
    IrRegion *outer = b->region, *body = elab_enter_region(e);
    IrNode *row = ir_parameter(b, NULL, DTYPE_i64, 0, NULL, NULL);
    IrNode **matrices = ARENA_ARRAY(e->arena, IrNode *, count),
           **results = ARENA_ARRAY(e->arena, IrNode *, count);
    for (uint32_t i = 0; i < count; i++)
        matrices[i] = ir_parameter(b, NULL, ir_dtype(nodes[i]), 2, nodes[i]->types[0].dims, NULL);
    bool ok = jacobian_row(e, call, y, row, matrices, results);
    ir_set_results(b, results, count);
    b->region = outer;
    if (!ok)
        return elab_poison();
    IrNode *loop = ir_for(b, ir_const_i64(b, 0), dims[0], nodes, count, body);
    for (uint32_t i = 0; i < count; i++) {
        elab_copy_dims(dims, y);
        elab_copy_dims(dims + rank, call->leaves.items[i]);
        nodes[i] = ir_reshape(b, ir_result(b, loop, i), dims, rank + ir_rank(call->leaves.items[i]));
    }
    return as_arguments(e, call->derivative, call->chosen, call->chosen_count, nodes);
}

Value elab_call_derivative(Elaborator *e, const Derivative *d, Argument *arguments, uint32_t count,
                           Span span) {
    Derived call = {.derivative = d, .span = span};
    bool takes_direction = d->kind == DERIVATIVE_VJP || d->kind == DERIVATIVE_JVP;
    if (takes_direction && (!count || arguments[count - 1].name))
        return elab_fail(e, DIAG_E0204, span, "the last argument is the %s",
                         d->kind == DERIVATIVE_VJP ? "adjoint of the result" : "direction");
    count -= takes_direction;
    if (!choose(e, d, arguments, count, span, call.chosen, &call.chosen_count) ||
        !call_function(e, &call, arguments, count))
        return elab_poison();
    if (d->kind == DERIVATIVE_JACOBIAN)
        return call_jacobian(e, &call);
    if (d->kind == DERIVATIVE_VJP)
        return call_vjp(e, &call, &arguments[count]);
    return d->kind == DERIVATIVE_JVP ? call_jvp(e, &call, &arguments[count]) : call_grad(e, &call);
}

/* ---- builtins
 * ---------------------------------------------------------------------------------------------------- */

static bool read_names(Elaborator *e, BuiltinCall *call, uint32_t at, Derivative *d) {
    Value wrt = call->values[at], *items = &wrt;
    uint32_t count = 1;
    if (value_is(wrt, VALUE_NONE))
        return true;
    if (wrt.kind != VALUE_STRING && !elab_elements(e, wrt, call->spans[at], "`wrt`", &items, &count))
        return false;
    if (!count || count > 12)
        return elab_fail(e, DIAG_E0204, call->spans[at], "`wrt` takes 1 to 12 names"), false;
    d->names = ARENA_ARRAY(e->arena, Name, count);
    d->name_count = count;
    d->is_tuple = count > 1;
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].kind != VALUE_STRING)
            return elab_fail(e, DIAG_E0201, call->spans[at], "`wrt` takes names of parameters, not %s",
                             elab_kind_text(e, items[i])),
                   false;
        d->names[i] = intern(e->names, items[i].text, items[i].length);
    }
    return true;
}

static bool is_function(Value value) {
    return value.kind == VALUE_FUNCTION || value.kind == VALUE_BUILTIN || value.kind == VALUE_DERIVATIVE;
}

/* Any of the four, by the name of the builtin. */
Value builtin_derivative(Elaborator *e, BuiltinCall *call) {
    static const struct {
        const char *name;
        DerivativeKind kind;
    } kinds[] = {{"grad", DERIVATIVE_GRAD},         {"value_and_grad", DERIVATIVE_VALUE_AND_GRAD},
                 {"vjp", DERIVATIVE_VJP},           {"jvp", DERIVATIVE_JVP},
                 {"jacobian", DERIVATIVE_JACOBIAN}, {"hessian", DERIVATIVE_JACOBIAN}};
    Derivative *d = ARENA_NEW(e->arena, Derivative);
    *d = (Derivative){.function = call->values[0]};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].name, call->builtin->name))
            d->kind = kinds[i].kind;
    if (!is_function(d->function))
        return elab_fail(e, DIAG_E0201, call->spans[0], "`%s` takes a function, not %s", call->builtin->name,
                         elab_kind_text(e, d->function));
    bool is_hessian = !strcmp(call->builtin->name, "hessian");
    if (!read_names(e, call, 1, d) ||
        (call->count > 2 && !elab_bool_argument(e, call->values[2], call->spans[2], "has_aux", &d->has_aux)))
        return elab_poison();
    if (is_hessian) { /* the Jacobian of the gradient */
        Derivative *gradient = ARENA_NEW(e->arena, Derivative);
        *gradient = *d;
        gradient->kind = DERIVATIVE_GRAD;
        d->function = (Value){.kind = VALUE_DERIVATIVE, .derivative = gradient};
    }
    return (Value){.kind = VALUE_DERIVATIVE, .derivative = d};
}

Value builtin_stop_gradient(Elaborator *e, BuiltinCall *call) {
    NodeList leaves = {0};
    Value value = elab_flatten(e, call->values[0], &leaves);
    for (uint32_t i = 0; i < leaves.count; i++)
        leaves.items[i] = ir_stop_gradient(&e->b, leaves.items[i]);
    uint32_t next = 0;
    return elab_rebuild(e, value, leaves.items, &next);
}
