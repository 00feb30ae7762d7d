/* Layers: what `layer Name(…)` declares, making instances, and the calls of their methods.
 *
 * An instance is a value like a tuple: its arguments, parameters, states and `let`s in the order of the
 * declaration.  A method sees them as variables of a scope around it.  A call works on a copy of the states
 * and forgets it; under train(…) the scopes of the instance and of its sub-layers live on from call to call,
 * and what they hold in the end makes the instance that train gives back. */
#include "frontend/elab_builtin.h"
#include "frontend/elab_text.h"
#include "ir/number.h"

enum { LAYERS_MAX = 4096 };

/* The instance under construction: what the members made next derive their seeds from. */
typedef struct LayerBuild {
    Value seed;       /* an integer scalar, or NONE: the script's stream */
    const char *path; /* of the member being made */
    uint32_t made;    /* sub-layers made for it so far */
} LayerBuild;

struct LayerInstance {
    Scope *scope;
};

/* ---- classes ------------------------------------------------------------------------------------------ */

typedef struct Members {
    VEC(Name) names;
    VEC(uint8_t) roles;
} Members;

static void add_member(Elaborator *e, Members *members, Name name, LayerRole role) {
    if (name_is(name, "_"))
        return;
    vec_push(e->arena, &members->names, name);
    vec_push(e->arena, &members->roles, (uint8_t)role);
}

static void add_pattern(Elaborator *e, Members *members, const AstNode *pattern) {
    if (pattern->kind == AST_NAME)
        add_member(e, members, pattern->name, ROLE_LET);
    for (uint32_t i = 0; i < pattern->child_count; i++)
        add_pattern(e, members, pattern->children[i]);
}

static Members members_of(Elaborator *e, const AstNode *node) {
    Members out = {0};
    AstList parameters = ast_declaration_parameters(node), members = ast_layer_members(node);
    for (uint32_t i = 0; i < parameters.count; i++)
        add_member(e, &out, parameters.items[i]->name, ROLE_ARGUMENT);
    for (uint32_t i = 0; i < members.count; i++) {
        const AstNode *member = members.items[i];
        if (member->kind == AST_LAYER_PARAM || member->kind == AST_LAYER_STATE)
            add_member(e, &out, member->name, member->kind == AST_LAYER_PARAM ? ROLE_PARAM : ROLE_STATE);
        else if (ast_is_binding(member))
            add_pattern(e, &out, ast_binding_pattern(member));
    }
    return out;
}

void elab_declare_layer(Elaborator *e, const AstNode *node, Scope *scope, bool is_library) {
    Members members = members_of(e, node);
    LayerClass *layer = ARENA_NEW(e->arena, LayerClass);
    Closure *closure = ARENA_NEW(e->arena, Closure);
    *closure =
        (Closure){.function = node, .environment = scope, .name = node->name, .is_library = is_library};
    *layer = (LayerClass){.node = node,
                          .closure = closure,
                          .count = members.names.count,
                          .names = members.names.items,
                          .roles = members.roles.items};
    Binding *binding = elab_bind(e, scope, node->name, BINDING_FUNCTION,
                                 (Value){.kind = VALUE_CLASS, .layer = layer}, elab_mark(node));
    binding->declaration = node;
}

/* ---- the scope of methods ------------------------------------------------------------------------------ */

static bool is_integer_scalar(Value value) {
    Dtype dtype;
    return elab_dtype_of(value, &dtype) && dtype_is_integer(dtype) && elab_is_scalar(value);
}

static BindingKind kind_of_member(LayerRole role, Value value) {
    if (role == ROLE_STATE)
        return BINDING_STATE;
    return is_integer_scalar(value) ? BINDING_DIM : BINDING_LET;
}

static void bind_methods(Elaborator *e, const LayerClass *layer, Scope *scope) {
    AstList members = ast_layer_members(layer->node);
    for (uint32_t i = 0; i < members.count; i++) {
        const AstNode *member = members.items[i];
        if (member->kind != AST_FUNCTION)
            continue;
        Closure *closure = ARENA_NEW(e->arena, Closure);
        *closure = (Closure){.function = member,
                             .environment = scope,
                             .name = member->name,
                             .is_library = layer->closure->is_library,
                             .is_checked = true,
                             .layer = layer};
        elab_bind(e, scope, member->name, BINDING_FUNCTION,
                  (Value){.kind = VALUE_FUNCTION, .function = closure}, elab_mark(member));
    }
}

static Scope *member_scope(Elaborator *e, const ValueTuple *instance) {
    const LayerClass *layer = instance->layer;
    Scope *scope = elab_scope_new(e, layer->closure->environment);
    for (uint32_t i = 0; i < layer->count; i++) {
        Binding *binding = elab_bind(e, scope, layer->names[i], BINDING_LET, instance->items[i], (Span){0});
        binding->kind = kind_of_member(layer->roles[i], instance->items[i]);
    }
    bind_methods(e, layer, scope);
    return scope;
}

static Scope *scope_of(Elaborator *e, Value layer) {
    return layer.instance ? layer.instance->scope : member_scope(e, layer.tuple);
}

bool elab_layer_member(Elaborator *e, Value layer, Name name, Value *out) {
    Binding *binding = elab_find(scope_of(e, layer), name);
    if (binding)
        *out = binding->value;
    return binding != NULL;
}

/* ---- calls ----------------------------------------------------------------------------------------------
 */

static bool is_under_way(const Elaborator *e, const Binding *state) {
    for (uint32_t i = 0; i < e->states.count; i++)
        if (e->states.items[i] == state)
            return true;
    return false;
}

LayerCall elab_layer_enter(Elaborator *e, const Closure *method) {
    LayerCall call = {.states = e->states.count};
    if (!method->layer)
        return call;
    const Scope *scope = method->environment;
    for (uint32_t i = 0; i < scope->bindings.count; i++)
        if (scope->bindings.items[i]->kind == BINDING_STATE && !is_under_way(e, scope->bindings.items[i]))
            vec_push(e->arena, &e->states, scope->bindings.items[i]);
    call.saved = ARENA_ARRAY(e->arena, Value, e->states.count - call.states);
    for (uint32_t i = call.states; i < e->states.count; i++)
        call.saved[i - call.states] = e->states.items[i]->value;
    return call;
}

/* What a call assigned to states of its own is forgotten. */
void elab_layer_leave(Elaborator *e, const Closure *method, LayerCall call) {
    if (!method->layer)
        return;
    for (uint32_t i = call.states; i < e->states.count; i++)
        e->states.items[i]->value = call.saved[i - call.states];
    e->states.count = call.states;
}

Value elab_layer_call(Elaborator *e, Value layer, Argument *arguments, uint32_t count, Span span) {
    const LayerClass *class = layer.tuple->layer;
    Binding *forward = elab_find(scope_of(e, layer), elab_intern(e, "forward"));
    if (!forward || forward->value.kind != VALUE_FUNCTION)
        return elab_fail(e, DIAG_E0201, span, "the layer `%s` has no `forward`: it cannot be called",
                         class->closure->name->text);
    return elab_call_closure(e, forward->value.function, arguments, count, span);
}

/* ---- construction ---------------------------------------------------------------------------------------
 */

/* FNV-1a; a path's part of the seed. */
static uint64_t path_hash(const char *path) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *path; path++)
        hash = (hash ^ (unsigned char)*path) * 0x100000001b3u;
    return hash;
}

static Value seed_of_path(Elaborator *e, const LayerBuild *build) {
    if (value_is(build->seed, VALUE_NONE) || value_is(build->seed, VALUE_POISON))
        return build->seed;
    IrNode *hash = ir_const(&e->b, DTYPE_u64, path_hash(build->path));
    return value_tensor(ir_binary(&e->b, OP_add, elab_node(e, build->seed).node, hash));
}

/* The shape and dtype of a member's type, as values.  False after reporting. */
static bool declared_form(Elaborator *e, const AstNode *type, Value *shape, Dtype *dtype) {
    if (type->kind == AST_TYPE_STORAGE && name_is(type->name, "dense"))
        type = ast_type_storage_element(type);
    if (type->kind != AST_TYPE_NAME || !elab_type_dtype(e, type, e->scope, dtype))
        return elab_fail(e, DIAG_E0201, type->span, "a member of a layer is a tensor: `f32[n, m]`"), false;
    AstList dims = ast_type_name_dims(type);
    *shape = (Value){.kind = VALUE_TUPLE, .tuple = elab_tuple(e, dims.count)};
    for (uint32_t i = 0; i < dims.count; i++) {
        if (dims.items[i]->kind == AST_DIM_REST)
            return elab_fail(e, DIAG_E0201, dims.items[i]->span, "the sizes of a member are all written"),
                   false;
        Value size = elab_index_scalar(e, elab_expression(e, dims.items[i]), dims.items[i]->span, "a size");
        if (value_is(size, VALUE_POISON))
            return false;
        shape->tuple->items[i] = size;
    }
    return true;
}

/* `zeros()`, `uniform(a, b)` and their like are initialisers where a member begins: the library has functions
 * of these names with other arguments. */
static const AstNode *initialiser_call(Elaborator *e, const AstNode *node) {
    const AstNode *name = node->kind == AST_CALL ? ast_call_callee(node) : node;
    if (name->kind != AST_NAME || elab_lookup(e, name->name, NULL))
        return node;
    bool has_arguments = node->kind == AST_CALL && ast_call_arguments(node).count > 0;
    if (has_arguments && (name_is(name->name, "zeros") || name_is(name->name, "ones")))
        return node;
    Name wanted = elab_intern(e, arena_format(e->arena, "initialiser_%s", name->name->text));
    elab_load_library(e);
    if (!elab_find(e->library, wanted))
        return node;
    AstNode *callee = ARENA_NEW(e->arena, AstNode), *call = ARENA_NEW(e->arena, AstNode);
    *callee = *name;
    callee->name = wanted;
    *call = *node;
    call->kind = AST_CALL;
    call->child_count = node->kind == AST_CALL ? node->child_count : 1;
    call->children = ARENA_ARRAY(e->arena, AstNode *, call->child_count);
    call->children[0] = callee;
    for (uint32_t i = 1; i < call->child_count; i++)
        call->children[i] = node->children[i];
    return call;
}

/* A number stands for a tensor full of it. */
static Value filled(Elaborator *e, Value value, Value shape, Dtype dtype, Span span) {
    IrNode *dims[IR_MAX_RANK];
    uint32_t rank;
    if (!shape.tuple->count || !elab_is_scalar(value))
        return value;
    value = elab_coerce(e, value, dtype, span, DIAG_E0207, "the member");
    if (value_is(value, VALUE_POISON) || !elab_shape_argument(e, shape, span, dims, &rank))
        return elab_poison();
    return elab_fill(e, value, dims, rank);
}

static Value member_value(Elaborator *e, const AstNode *type, const AstNode *expression, Name name,
                          const LayerBuild *build) {
    Value shape = {0};
    Dtype dtype = DTYPE_f32;
    Span span = expression->span;
    if (type && !declared_form(e, type, &shape, &dtype))
        return elab_poison();
    Value value = elab_expression(e, initialiser_call(e, expression));
    bool is_initialiser = value.kind == VALUE_FUNCTION || value.kind == VALUE_BUILTIN;
    if (is_initialiser && !type)
        return elab_fail(e, DIAG_E0201, span, "an initialiser needs the type of the member: `%s: f32[n, m]`",
                         name->text);
    if (is_initialiser) {
        Value given[] = {shape, {.kind = VALUE_DTYPE, .dtype = dtype}, seed_of_path(e, build)};
        Argument arguments[3] = {{0}};
        for (int i = 0; i < 3; i++)
            arguments[i] = (Argument){.value = given[i], .span = span};
        value = elab_call_value(e, value, arguments, 3, span);
    }
    /* `None`: this instance has no such member */
    if (!type || value_is(value, VALUE_POISON) || value_is(value, VALUE_NONE))
        return elab_strengthen(value);
    value = filled(e, value, shape, dtype, span);
    return elab_declared(e, type, value, e->scope, span, name, false);
}

static void bind_member(Elaborator *e, LayerBuild *build, const char *prefix, const AstNode *member) {
    const AstNode *type, *expression;
    bool is_param = member->kind == AST_LAYER_PARAM;
    build->made = 0;
    if (ast_is_binding(member)) {
        const AstNode *pattern = ast_binding_pattern(member);
        build->path = arena_format(e->arena, "%s%s", prefix, pattern->name ? pattern->name->text : "let");
        if (member->kind == AST_MUT)
            elab_fail(e, DIAG_E0101, member->span, "what a layer changes is declared with `state`");
        uint32_t first = e->scope->bindings.count;
        elab_one_statement(e, member, NULL, false);
        for (uint32_t i = first; i < e->scope->bindings.count; i++)
            if (is_integer_scalar(e->scope->bindings.items[i]->value))
                e->scope->bindings.items[i]->kind = BINDING_DIM;
        return;
    }
    type = is_param ? ast_layer_param_type(member) : ast_layer_state_type(member);
    expression = is_param ? ast_layer_param_value(member) : ast_layer_state_value(member);
    build->path = arena_format(e->arena, "%s%s", prefix, member->name->text);
    Value value = member_value(e, type, expression, member->name, build);
    elab_bind(e, e->scope, member->name, is_param ? BINDING_LET : BINDING_STATE, value, elab_mark(member));
}

typedef struct NameSearch {
    Name name;
    bool found;
} NameSearch;

static void find_name(void *context, const AstNode *node) {
    NameSearch *search = context;
    search->found = search->found || (node->kind == AST_NAME && node->name == search->name);
}

static bool has_parameter(const AstNode *function, Name name) {
    AstList parameters = ast_declaration_parameters(function);
    for (uint32_t i = 0; i < parameters.count; i++)
        if (parameters.items[i]->name == name)
            return true;
    return false;
}

static bool methods_use(const LayerClass *layer, Name name) {
    NameSearch search = {.name = name};
    AstList members = ast_layer_members(layer->node);
    for (uint32_t i = 0; i < members.count; i++)
        if (members.items[i]->kind == AST_FUNCTION && !has_parameter(members.items[i], name))
            elab_walk(members.items[i], find_name, &search);
    return search.found;
}

/* What an instance keeps of an argument: a tensor or a layer that only helped to make members is let go. */
static Value kept_argument(const LayerClass *layer, Name name, Value value) {
    bool is_large = value_has_items(value) || (value_has_node(value) && !elab_is_scalar(value)) ||
                    (value.kind == VALUE_SLOT && value.slot->rank > 0);
    return is_large && !methods_use(layer, name) ? value_of_kind(VALUE_UNIT) : value;
}

static Value instance_of_scope(Elaborator *e, const LayerClass *layer, const Scope *scope) {
    ValueTuple *tuple = elab_tuple(e, layer->count);
    tuple->names = layer->names;
    tuple->layer = layer;
    for (uint32_t i = 0; i < layer->count; i++) {
        Binding *binding = elab_find(scope, layer->names[i]);
        Value value = binding ? binding->value : elab_poison();
        tuple->items[i] =
            layer->roles[i] == ROLE_ARGUMENT ? kept_argument(layer, layer->names[i], value) : value;
    }
    return (Value){.kind = VALUE_LAYER, .tuple = tuple};
}

static Value make_members(Elaborator *e, const LayerClass *layer, Scope *scope, Value seed) {
    LayerBuild *outer = e->layer_build, build = {.seed = seed};
    const char *prefix = "";
    if (outer && value_is(seed, VALUE_NONE)) { /* a sub-layer: its place in the whole keys its seeds */
        build.seed = outer->seed;
        prefix = outer->made ? arena_format(e->arena, "%s#%u.", outer->path, outer->made)
                             : arena_format(e->arena, "%s.", outer->path);
        outer->made++;
    }
    Scope *saved = e->scope;
    AstList members = ast_layer_members(layer->node);
    e->layer_build = &build;
    e->scope = scope;
    for (uint32_t i = 0; i < members.count; i++)
        if (members.items[i]->kind != AST_FUNCTION)
            bind_member(e, &build, prefix, members.items[i]);
    bind_methods(e, layer, scope);
    e->scope = saved;
    e->layer_build = outer;
    return instance_of_scope(e, layer, scope);
}

static bool takes(const LayerClass *layer, const char *name) {
    AstList parameters = ast_declaration_parameters(layer->node);
    for (uint32_t i = 0; i < parameters.count; i++)
        if (name_is(parameters.items[i]->name, name))
            return true;
    return false;
}

/* Takes `seed=` out of the arguments of a layer that has no such parameter. */
static bool take_seed(Elaborator *e, const LayerClass *layer, Argument *arguments, uint32_t *count,
                      Value *seed) {
    *seed = value_of_kind(VALUE_NONE);
    if (takes(layer, "seed"))
        return true;
    for (uint32_t i = 0; i < *count; i++) {
        if (!arguments[i].name || !name_is(arguments[i].name, "seed"))
            continue;
        if (!value_is(arguments[i].value, VALUE_NONE)) {
            IrNode *node = elab_seed_node(e, arguments[i].value, arguments[i].span);
            if (!node)
                return false;
            *seed = value_tensor(node);
        }
        --*count;
        for (uint32_t k = i; k < *count; k++)
            arguments[k] = arguments[k + 1];
        break;
    }
    return true;
}

Value elab_layer_new(Elaborator *e, const LayerClass *layer, Argument *arguments, uint32_t count, Span span) {
    const Closure *closure = layer->closure;
    uint32_t parameters = ast_declaration_parameters(layer->node).count;
    Value *values = ARENA_ARRAY(e->arena, Value, parameters), seed, value = elab_poison();
    bool *given = ARENA_ARRAY(e->arena, bool, parameters);
    Span *spans = ARENA_ARRAY(e->arena, Span, parameters);
    Argument *copies = ARENA_ARRAY(e->arena, Argument, count);
    for (uint32_t i = 0; i < count; i++)
        copies[i] = arguments[i];
    if (closure->is_broken || elab_is_recursive(e, closure, span) ||
        !take_seed(e, layer, copies, &count, &seed) ||
        !elab_match_arguments(e, closure, copies, count, values, given, spans, span))
        return value;
    Scope *scope = elab_scope_new(e, closure->environment);
    if (!elab_bind_parameters(e, layer->node, values, given, spans, scope, span))
        return value;
    for (uint32_t i = 0; i < scope->bindings.count; i++)
        if (is_integer_scalar(scope->bindings.items[i]->value))
            scope->bindings.items[i]->kind = BINDING_DIM;
    uint32_t first_diag = e->sink->diags.count, errors = e->sink->error_count;
    CallFrame frame = {.parent = e->frame, .closure = closure, .call = span};
    e->frame = &frame;
    e->call_depth++;
    value = make_members(e, layer, scope, seed);
    e->call_depth--;
    e->frame = frame.parent;
    elab_note_calls(e, first_diag, closure, span);
    elab_at(e, span);
    return e->sink->error_count == errors ? value : elab_poison();
}

Value elab_layer_of_type(Elaborator *e, const AstNode *type, Value seed) {
    const LayerClass *layer = elab_find_layer(e, type->name);
    LayerBuild *outer = e->layer_build, build = {.seed = seed, .path = type->name->text};
    if (!layer)
        return elab_unknown_name(e, type->name, type->span, "type");
    Argument *arguments = ARENA_ARRAY(e->arena, Argument, type->child_count + 1);
    bool ok = true;
    e->layer_build = &build; /* layers among the arguments have the seed too */
    for (uint32_t i = 0; i < type->child_count; i++) {
        const AstNode *argument = type->children[i];
        bool is_keyword = argument->kind == AST_KEYWORD;
        const AstNode *expression = is_keyword ? ast_keyword_value(argument) : argument;
        arguments[i] = (Argument){.name = is_keyword ? argument->name : NULL,
                                  .value = elab_expression(e, expression),
                                  .node = expression,
                                  .span = expression->span};
        ok = ok && !value_is(arguments[i].value, VALUE_POISON);
    }
    e->layer_build = outer;
    uint32_t count = type->child_count;
    if (!takes(layer, "seed"))
        arguments[count++] = (Argument){.name = elab_intern(e, "seed"), .value = seed, .span = type->span};
    return ok ? elab_layer_new(e, layer, arguments, count, type->span) : elab_poison();
}

bool elab_makes_layers(Elaborator *e, const AstNode *comprehension) {
    const AstNode *body = ast_comprehension_body(comprehension);
    if (body->kind != AST_CALL || ast_call_callee(body)->kind != AST_NAME)
        return false;
    Name name = ast_call_callee(body)->name;
    Binding *binding = elab_lookup(e, name, NULL);
    return binding ? binding->value.kind == VALUE_CLASS : elab_find_layer(e, name) != NULL;
}

Value elab_layer_list(Elaborator *e, const AstNode *node) {
    AstList binders = ast_comprehension_binders(node);
    const AstNode *binder = binders.items[0];
    int64_t first, last;
    if (binders.count != 1 || binder->kind != AST_BINDER || !ast_binder_range(binder))
        return elab_fail(e, DIAG_E0201, node->span,
                         "layers are listed over one range: `[Block(d) for i in 0..4]`");
    Value range = elab_expression(e, ast_binder_range(binder));
    if (value_is(range, VALUE_POISON))
        return range;
    if (range.kind != VALUE_RANGE || !elab_constant_int(range.tuple->items[0], &first) ||
        !elab_constant_int(range.tuple->items[1], &last) || last - first > LAYERS_MAX)
        return elab_fail(e, DIAG_E0210, ast_binder_range(binder)->span,
                         "how many layers there are must be known when compiling, and at most %d",
                         LAYERS_MAX);
    Scope *saved = e->scope;
    ValueTuple *tuple = elab_tuple(e, last > first ? (uint32_t)(last - first) : 0);
    for (uint32_t i = 0; i < tuple->count; i++) {
        e->scope = elab_scope_new(e, saved);
        elab_bind(e, e->scope, binder->name, BINDING_LET, elab_int(e, first + i), binder->span);
        tuple->items[i] = elab_expression(e, ast_comprehension_body(node));
        e->scope = saved;
        if (value_is(tuple->items[i], VALUE_POISON))
            return tuple->items[i];
    }
    return (Value){.kind = VALUE_TUPLE, .tuple = tuple};
}

/* ---- training ---------------------------------------------------------------------------------------------
 */

/* The value with scopes of its own for the layers in it, whose states are under way from now on. */
static Value revive(Elaborator *e, Value value) {
    if (value.kind != VALUE_LAYER && value.kind != VALUE_TUPLE && value.kind != VALUE_RECORD)
        return value;
    ValueTuple *tuple = elab_tuple_like(e, value.tuple);
    for (uint32_t i = 0; i < tuple->count; i++)
        tuple->items[i] = value.kind == VALUE_LAYER && tuple->layer->roles[i] == ROLE_STATE
                              ? value.tuple->items[i]
                              : revive(e, value.tuple->items[i]);
    value.tuple = tuple;
    if (value.kind != VALUE_LAYER)
        return value;
    value.instance = ARENA_NEW(e->arena, LayerInstance);
    value.instance->scope = member_scope(e, tuple);
    for (uint32_t i = 0; i < tuple->layer->count; i++)
        if (tuple->layer->roles[i] == ROLE_STATE)
            vec_push(e->arena, &e->states, elab_find(value.instance->scope, tuple->names[i]));
    return value;
}

/* The value as it is by now, with no scopes. */
static Value settle(Elaborator *e, Value value) {
    if (value.kind != VALUE_LAYER && value.kind != VALUE_TUPLE && value.kind != VALUE_RECORD)
        return value;
    ValueTuple *tuple = elab_tuple_like(e, value.tuple);
    for (uint32_t i = 0; i < tuple->count; i++) {
        Value item = value.tuple->items[i];
        if (value.kind == VALUE_LAYER && value.instance)
            item = elab_find(value.instance->scope, tuple->names[i])->value;
        tuple->items[i] = settle(e, item);
    }
    if (value.kind == VALUE_LAYER)
        value.instance = NULL;
    value.tuple = tuple;
    return value;
}

typedef struct Stream { /* of random numbers */
    Value key, counter;
    bool is_seeded;
} Stream;

static Stream current_stream(const Elaborator *e) {
    return (Stream){e->random_key->value, e->random_counter->value, e->is_seeded};
}

static void set_stream(Elaborator *e, Stream stream) {
    e->random_key->value = stream.key;
    e->random_counter->value = stream.counter;
    e->is_seeded = stream.is_seeded;
}

/* train(net, x…, seed=): (y, the layer with the states that the call left). */
Value builtin_train(Elaborator *e, BuiltinCall *call) {
    Value net = call->values[0], y;
    const ValueTuple *inputs = call->values[1].tuple;
    bool has_seed = !value_is(call->values[2], VALUE_NONE), was_training = e->is_training;
    if (net.kind != VALUE_LAYER)
        return elab_fail(e, DIAG_E0201, call->spans[0], "`train` runs a layer, not %s",
                         elab_kind_text(e, net));
    Stream outer = current_stream(e);
    if (has_seed) {
        IrNode *seed = elab_seed_node(e, call->values[2], call->spans[2]);
        if (!seed)
            return elab_poison();
        set_stream(e, (Stream){value_tensor(elab_key_of_seed(e, seed)),
                               value_tensor(ir_const(&e->b, DTYPE_u64, 0)), true});
    }
    uint32_t states = e->states.count;
    Argument *arguments = ARENA_ARRAY(e->arena, Argument, inputs->count);
    for (uint32_t i = 0; i < inputs->count; i++)
        arguments[i] =
            (Argument){.value = inputs->items[i], .node = call->rest[i].node, .span = call->rest[i].span};
    e->is_training = true;
    net = revive(e, net);
    y = elab_layer_call(e, net, arguments, inputs->count, call->span);
    ValueTuple *result = elab_tuple(e, 2);
    result->items[0] = settle(e, y);
    result->items[1] = settle(e, net);
    e->is_training = was_training;
    e->states.count = states;
    if (has_seed)
        set_stream(e, outer);
    return value_is(y, VALUE_POISON) ? y : (Value){.kind = VALUE_TUPLE, .tuple = result};
}

/* ---- types and texts
 * ---------------------------------------------------------------------------------------- */

/* An argument as a program writes it, where it is a number that is known. */
static void add_argument(Elaborator *e, TextBuffer *text, Value value) {
    int64_t known;
    bool truth;
    char number[NUMBER_TEXT_MAX];
    value = elab_known_size(e, value);
    if (elab_constant_bool(value, &truth))
        text_add(text, truth ? "true" : "false");
    else if (elab_constant_int(value, &known))
        text_format(text, "%lld", (long long)known);
    else if (value.kind == VALUE_CONSTANT)
        text_append(text, number, number_print(number, value.dtype, value.bits));
    else
        text_add(text, value.kind == VALUE_UNIT ? "_" : elab_type_text(e, value));
}

const char *elab_layer_text(Elaborator *e, const ValueTuple *instance) {
    const LayerClass *layer = instance->layer;
    TextBuffer text = {.arena = e->sink->arena};
    text_format(&text, "%s(", layer->closure->name->text);
    for (uint32_t i = 0; i < layer->count && layer->roles[i] == ROLE_ARGUMENT; i++) {
        text_add(&text, i ? ", " : "");
        add_argument(e, &text, instance->items[i]);
    }
    text_add(&text, ")");
    return text.text;
}
