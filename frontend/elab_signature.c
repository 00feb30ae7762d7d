/* Declared types: what a parameter, a result or a `let x: T` accepts, and the dims and dtype letters it
 * binds. */
#include "frontend/elab_sparse.h"

/* Dim names are bound by all parameters before expressions over them (`2*n+1`) are checked. */
typedef enum DimPhase { PHASE_BIND = 1, PHASE_CHECK = 2 } DimPhase;

typedef struct Declared {
    Scope *scope; /* where dims and dtype letters are bound */
    Span span;    /* of the value */
    Name what;    /* the receiver, or NULL: the result */
    bool may_bind;
    unsigned phases;
} Declared;

static Value declared(Elaborator *e, const AstNode *type, Value value, const Declared *d);

static const char *receiver(Elaborator *e, const Declared *d) {
    return d->what ? arena_format(e->sink->arena, "`%s`", d->what->text) : "the result";
}

bool elab_is_dtype_letter(const AstNode *type) {
    return type->kind == AST_TYPE_NAME && type->name->length == 1 && type->name->text[0] >= 'A' &&
           type->name->text[0] <= 'Z';
}

bool elab_type_dtype(Elaborator *e, const AstNode *type, Scope *scope, Dtype *out) {
    if (type->kind != AST_TYPE_NAME)
        return false;
    if (dtype_find(type->name->text, out))
        return true;
    Binding *binding = elab_is_dtype_letter(type) ? elab_find(scope, type->name) : NULL;
    (void)e;
    if (!binding || binding->value.kind != VALUE_DTYPE)
        return false;
    *out = binding->value.dtype;
    return true;
}

/* A dim name: in a signature one of its own or a constant further out, elsewhere any visible integer. */
static Binding *find_dim(Elaborator *e, const Declared *d, Name name) {
    Scope *saved = e->scope, *where, *scope = d->scope;
    e->scope = scope;
    Binding *binding = elab_lookup(e, name, &where);
    e->scope = saved;
    if (binding && d->may_bind && where != scope && binding->kind != BINDING_DIM &&
        binding->kind != BINDING_CONST &&
        !(binding->kind == BINDING_PENDING && ast_is(binding->declaration, AST_CONST)))
        return NULL;
    return binding;
}

static void bind_dim(Elaborator *e, const Declared *d, const AstNode *dim, Value value) {
    Binding *binding = elab_bind(e, d->scope, dim->name, BINDING_DIM, value, dim->span);
    binding->bound_by = d->what;
}

/* The extent that a dim expression stands for, or NULL after reporting (or silently for POISON). */
static IrNode *dim_extent(Elaborator *e, const AstNode *dim, const Declared *d) {
    Scope *saved = e->scope;
    e->scope = d->scope;
    Value value = elab_expression(e, dim);
    value = elab_index_scalar(e, value, dim->span, "a dim");
    e->scope = saved;
    return value.kind == VALUE_TENSOR ? value.node : NULL;
}

static IrNode *dim_mismatch(Elaborator *e, const AstNode *dim, const Declared *d, const IrNode *wanted,
                            const IrNode *actual) {
    const char *left = elab_extent_text(e, wanted), *right = elab_extent_text(e, actual);
    Binding *binding = dim->kind == AST_NAME ? find_dim(e, d, dim->name) : NULL;
    Diag *diag;
    if (binding && binding->bound_by)
        diag = diag_error(e->sink, DIAG_E0205, d->span, "the dim `%s` is %s in `%s` but %s in %s",
                          dim->name->text, left, binding->bound_by->text, right, receiver(e, d));
    else
        diag = diag_error(e->sink, DIAG_E0205, d->span, "%s has the size %s where its type says %s",
                          receiver(e, d), right, left);
    diag_label(e->sink, diag, dim->span, "declared here");
    return NULL;
}

typedef struct DimNames {
    Elaborator *e;
    const Declared *d;
    bool are_bound;
} DimNames;

static void check_dim_name(void *context, const AstNode *node) {
    DimNames *names = context;
    if (node->kind != AST_NAME || !names->are_bound || find_dim(names->e, names->d, node->name))
        return;
    names->are_bound = false;
    Diag *diag =
        diag_error(names->e->sink, DIAG_E0205, node->span,
                   "the dim `%s` is part of a size, but no parameter has it alone", node->name->text);
    diag_note(names->e->sink, diag, "a size that stands alone, as in f32[%s], binds the name",
              node->name->text);
}

/* The extent of one declared dim, given the actual one. */
static IrNode *check_dim(Elaborator *e, const AstNode *dim, IrNode *actual, const Declared *d) {
    if (dim->kind == AST_NAME && name_is(dim->name, "_"))
        return actual;
    bool is_name = dim->kind == AST_NAME;
    Binding *binding = is_name ? find_dim(e, d, dim->name) : NULL;
    if (is_name && !binding) {
        if (!d->may_bind) {
            elab_fail(e, DIAG_E0205, dim->span, "the dim `%s` is bound by no parameter", dim->name->text);
            return NULL;
        }
        if (d->phases & PHASE_BIND)
            bind_dim(e, d, dim, value_weak(actual));
        return actual;
    }
    if (!(is_name ? d->phases & PHASE_BIND : d->phases & PHASE_CHECK))
        return actual;
    DimNames names = {e, d, true};
    if (!is_name)
        elab_walk(dim, check_dim_name, &names);
    IrNode *wanted = names.are_bound ? dim_extent(e, dim, d) : NULL;
    if (!wanted)
        return NULL;
    elab_at(e, d->span);
    IrNode *same = is_name && binding->bound_by && d->what
                       ? elab_same_extent(e, wanted, actual, "sizes for the dim `%s` in `%s` and `%s` differ",
                                          dim->name->text, binding->bound_by->text, d->what->text)
                       : elab_same_extent(e, wanted, actual, "the declared and the actual size of %s differ",
                                          d->what ? d->what->text : "the result");
    return same ? same : dim_mismatch(e, dim, d, wanted, actual);
}

static const char *declared_text(Elaborator *e, const AstNode *type) {
    const SourceFile *file = source_find(e->options.sources, type->span.begin);
    if (!file)
        return type->name ? type->name->text : "its type";
    uint32_t begin = type->span.begin - file->base, end = type->span.end - file->base;
    return arena_copy_text(e->sink->arena, file->text + begin, end - begin);
}

static Value wrong_type(Elaborator *e, DiagCode code, const AstNode *type, Value value, const Declared *d) {
    Diag *diag = diag_error(e->sink, code, d->span, "%s is declared %s, not %s", receiver(e, d),
                            declared_text(e, type), elab_kind_text(e, value));
    diag_label(e->sink, diag, type->span, "declared here");
    return elab_poison();
}

/* Dims of a poisoned value stay unknown, so that their names are not reported too. */
static void poison_dims(Elaborator *e, const AstNode *type, const Declared *d) {
    for (uint32_t i = 0; i < type->child_count && d->may_bind; i++) {
        const AstNode *dim = type->children[i];
        if ((dim->kind == AST_NAME || dim->kind == AST_DIM_REST) && dim->name && !name_is(dim->name, "_") &&
            !find_dim(e, d, dim->name))
            bind_dim(e, d, dim, elab_poison());
    }
    if (elab_is_dtype_letter(type) && !elab_find(d->scope, type->name))
        elab_bind(e, d->scope, type->name, BINDING_DIM, elab_poison(), type->span);
}

static const char *sizes_text(Elaborator *e, IrNode *const *dims, uint32_t count) {
    TextBuffer text = {.arena = e->sink->arena};
    text_add(&text, "(");
    for (uint32_t i = 0; i < count; i++)
        text_format(&text, "%s%s", i ? ", " : "", elab_extent_text(e, dims[i]));
    text_add(&text, count == 1 ? ",)" : ")");
    return text.text;
}

static bool rest_mismatch(Elaborator *e, const AstNode *dim, const Binding *binding, IrNode *const *dims,
                          uint32_t count, const Declared *d) {
    const ValueTuple *bound = binding->value.tuple;
    IrNode *wanted[IR_MAX_RANK];
    for (uint32_t i = 0; i < bound->count; i++)
        wanted[i] = bound->items[i].node;
    Diag *diag = diag_error(e->sink, DIAG_E0205, d->span, "`...%s` is %s in `%s` but %s in %s",
                            dim->name->text, sizes_text(e, wanted, bound->count),
                            binding->bound_by ? binding->bound_by->text : "the arguments",
                            sizes_text(e, dims, count), receiver(e, d));
    diag_label(e->sink, diag, dim->span, "declared here");
    return false;
}

/* `...s`: binds or checks any number of leading extents; a tuple of them is the value of `s`. */
static bool check_rest(Elaborator *e, const AstNode *dim, IrNode **dims, uint32_t count, const Declared *d) {
    Binding *binding = dim->name ? elab_find(d->scope, dim->name) : NULL;
    if (!dim->name || !(d->phases & PHASE_BIND))
        return true;
    if (!binding) {
        ValueTuple *tuple = elab_tuple(e, count);
        for (uint32_t i = 0; i < count; i++)
            tuple->items[i] = value_weak(dims[i]);
        if (d->may_bind)
            bind_dim(e, d, dim, (Value){.kind = VALUE_TUPLE, .tuple = tuple});
        return true;
    }
    if (binding->value.kind != VALUE_TUPLE)
        return false;
    IrNode *actual[IR_MAX_RANK];
    memcpy(actual, dims, count * sizeof *dims);
    bool fits = binding->value.tuple->count == count;
    for (uint32_t i = 0; fits && i < count; i++) {
        IrNode *same = elab_same_extent(e, binding->value.tuple->items[i].node, dims[i],
                                        "sizes for `...%s` differ", dim->name->text);
        fits = same != NULL;
        dims[i] = same;
    }
    return fits || rest_mismatch(e, dim, binding, actual, count, d);
}

static Value declared_shape(Elaborator *e, const AstNode *type, Value value, const Declared *d) {
    uint32_t count = type->child_count, rank = ir_rank(value.node);
    bool has_rest = count && type->children[0]->kind == AST_DIM_REST;
    IrNode *dims[IR_MAX_RANK];
    if (has_rest ? rank + 1 < count : rank != count)
        return wrong_type(e, DIAG_E0203, type, value, d);
    elab_copy_dims(dims, value.node);
    uint32_t leading = has_rest ? rank + 1 - count : 0;
    if (has_rest && !check_rest(e, type->children[0], dims, leading, d))
        return elab_poison();
    for (uint32_t i = has_rest; i < count; i++) {
        uint32_t axis = has_rest ? leading + i - 1 : i;
        if (type->children[i]->kind == AST_DIM_REST)
            return elab_fail(e, DIAG_E0201, type->children[i]->span, "`...` stands for leading sizes only");
        dims[axis] = check_dim(e, type->children[i], dims[axis], d);
        if (!dims[axis])
            return elab_poison();
    }
    elab_at(e, d->span);
    value.node = elab_with_dims(e, value.node, dims, rank);
    return value;
}

static Value declared_letter(Elaborator *e, const AstNode *type, Value value, const Declared *d) {
    Binding *binding = elab_find(d->scope, type->name);
    Dtype dtype;
    elab_dtype_of(value, &dtype);
    if (!binding) {
        Value letter = {.kind = VALUE_DTYPE, .dtype = dtype};
        elab_bind(e, d->scope, type->name, BINDING_DIM, letter, type->span)->bound_by = d->what;
        return elab_strengthen(elab_node(e, value));
    }
    if (binding->value.kind != VALUE_DTYPE)
        return binding->value.kind == VALUE_POISON
                   ? elab_poison()
                   : elab_fail(e, DIAG_E0110, type->span, "`%s` is not a dtype", type->name->text);
    if (value.is_weak)
        return elab_coerce(e, value, binding->value.dtype, d->span, DIAG_E0207, receiver(e, d));
    if (dtype != binding->value.dtype)
        return elab_fail(e, DIAG_E0202, d->span, "the dtype `%s` is %s in `%s` but %s in %s",
                         type->name->text, dtype_name(binding->value.dtype),
                         binding->bound_by ? binding->bound_by->text : "the arguments", dtype_name(dtype),
                         receiver(e, d));
    return elab_node(e, value);
}

/* Sizes that a type spells as numbers are constants of the code that is made for such an argument. */
static void fix_sizes(const AstNode *type, ElabSlot *slot) {
    for (uint32_t k = 0; slot->is_known && type->child_count == slot->rank && k < slot->rank; k++)
        if (type->children[k]->kind == AST_INTEGER && type->children[k]->integer == (uint64_t)slot->shape[k])
            slot->fixed_axes |= 1u << k;
}

/* ---- layers ------------------------------------------------------------------------------------------- */

const LayerClass *elab_find_layer(Elaborator *e, Name name) {
    Binding *binding = elab_find(e->globals, name);
    if (!binding && !elab_find_builtin(name->text)) {
        elab_load_library(e);
        binding = elab_find(e->library, name);
    }
    return binding && binding->value.kind == VALUE_CLASS ? binding->value.layer : NULL;
}

/* One argument of `MLP(64, h)` against what the instance was made with; false after reporting. */
static bool check_layer_argument(Elaborator *e, const AstNode *type, const AstNode *wanted, Value actual,
                                 const Declared *d) {
    Dtype dtype;
    if (value_is(actual, VALUE_UNIT) || value_is(actual, VALUE_POISON)) /* it was not kept */
        return true;
    if (elab_dtype_of(actual, &dtype) && dtype_is_integer(dtype) && elab_is_scalar(actual)) {
        actual = elab_index_scalar(e, actual, d->span, receiver(e, d));
        return actual.kind == VALUE_TENSOR && check_dim(e, wanted, actual.node, d);
    }
    if (!(d->phases & PHASE_CHECK) || actual.kind == VALUE_LAYER)
        return true;
    Scope *saved = e->scope;
    e->scope = d->scope;
    Value value = elab_expression(e, wanted);
    e->scope = saved;
    if (value_is(value, VALUE_POISON))
        return false;
    if (value.kind == VALUE_CONSTANT && actual.kind == VALUE_CONSTANT && value.dtype != actual.dtype)
        value = elab_promote_to(e, value, actual.dtype, wanted->span);
    if (!elab_same_value(value, actual))
        wrong_type(e, DIAG_E0201, type, actual, d);
    return elab_same_value(value, actual);
}

static Value declared_layer(Elaborator *e, const AstNode *type, Value value, const Declared *d) {
    const LayerClass *layer = elab_find_layer(e, type->name);
    if (!layer)
        return elab_unknown_name(e, type->name, type->span, "type");
    if (value_is(value, VALUE_POISON))
        return value;
    if (value.kind != VALUE_LAYER || value.tuple->layer->node != layer->node)
        return wrong_type(e, DIAG_E0201, type, value, d);
    AstList parameters = ast_declaration_parameters(layer->node);
    for (uint32_t i = 0; type->kind == AST_TYPE_LAYER && i < type->child_count; i++) {
        const AstNode *argument = type->children[i];
        uint32_t at = i;
        if (argument->kind == AST_KEYWORD) {
            for (at = 0; at < parameters.count && parameters.items[at]->name != argument->name; at++)
                ;
            argument = ast_keyword_value(argument);
        }
        if (at >= parameters.count)
            return elab_fail(e, DIAG_E0204, argument->span, "`%s` is made with %u argument%s",
                             layer->closure->name->text, parameters.count, parameters.count == 1 ? "" : "s");
        if (!check_layer_argument(e, type, argument, value.tuple->items[at], d))
            return elab_poison();
    }
    return value;
}

/* ---- sparse matrices, graphs, edge tensors --------------------------------------------------------------
 */

/* sparse f32[n, m], csr f32[n, m], …; also f32[n, m] for a sparse matrix. */
static Value declared_sparse(Elaborator *e, const AstNode *type, const AstNode *element, Value value,
                             const Declared *d) {
    Dtype dtype, actual;
    if (element->kind != AST_TYPE_NAME || elab_is_dtype_letter(element) ||
        !dtype_find(element->name->text, &dtype))
        return elab_fail(e, DIAG_E0201, element->span, "this is no dtype with two sizes");
    if (element->child_count != 2)
        return elab_fail(e, DIAG_E0203, element->span,
                         "a sparse matrix has two sizes, as in sparse f32[n, m]");
    elab_dtype_of(value, &actual);
    if (actual != dtype && !dtype_fits(actual, dtype))
        return wrong_type(e, DIAG_E0207, type, value, d);
    if (actual != dtype)
        value = elab_sparse_cast(e, value, dtype);
    Entries entries = elab_entries(e, value);
    for (uint32_t k = 0; k < 2; k++) {
        if (element->children[k]->kind == AST_DIM_REST)
            return elab_fail(e, DIAG_E0203, element->children[k]->span, "a sparse matrix has two sizes");
        if (!check_dim(e, element->children[k], entries.pattern->types[0].dims[k], d))
            return elab_poison();
    }
    return value;
}

static Value declared_storage(Elaborator *e, const AstNode *type, Value value, const Declared *d) {
    const AstNode *element = ast_type_storage_element(type);
    if (value_is(value, VALUE_POISON)) {
        poison_dims(e, element, d);
        return value;
    }
    if (value.kind != VALUE_SPARSE || name_is(type->name, "dense"))
        return wrong_type(e, DIAG_E0201, type, value, d);
    value = declared_sparse(e, type, element, value, d);
    if (value_is(value, VALUE_POISON) || name_is(type->name, "sparse"))
        return value;
    return elab_reordered(e, value, name_is(type->name, "csc") ? IR_ORDER_COLUMNS : IR_ORDER_ROWS);
}

/* graph, graph[n]: a sparse matrix is the graph of its entries. */
static Value declared_graph(Elaborator *e, const AstNode *type, Value value, const Declared *d) {
    if (value_is(value, VALUE_POISON)) {
        poison_dims(e, type, d);
        return value;
    }
    if (value.kind != VALUE_GRAPH && value.kind != VALUE_SPARSE)
        return wrong_type(e, DIAG_E0201, type, value, d);
    IrNode *pattern = elab_entries(e, value).pattern;
    if (type->child_count && !check_dim(e, type->children[0], ir_pattern_extent(pattern, IR_SIDE_ROWS), d))
        return elab_poison();
    return value;
}

/* f32[h] on g */
static Value declared_edges(Elaborator *e, const AstNode *type, Value value, const Declared *d) {
    const AstNode *element = type->children[0], *carrier = type->children[1];
    Dtype dtype;
    if (value_is(value, VALUE_POISON)) {
        poison_dims(e, element, d);
        return value;
    }
    if (value.kind != VALUE_EDGES)
        return wrong_type(e, DIAG_E0201, type, value, d);
    Binding *graph = elab_find(d->scope, carrier->name);
    if (!graph || !value_is_on_pattern(graph->value))
        return elab_fail(e, DIAG_E0201, carrier->span,
                         "`%s` is no graph and no sparse matrix before this parameter", carrier->name->text);
    Entries entries = elab_entries(e, value);
    if (elab_entries(e, graph->value).pattern != entries.pattern)
        return elab_fail(e, DIAG_E0203, d->span, "%s is on the edges of another graph than `%s`",
                         receiver(e, d), carrier->name->text);
    if (!dtype_find(element->name->text, &dtype) || ir_dtype(entries.values) != dtype ||
        ir_rank(entries.values) != element->child_count + 1)
        return wrong_type(e, DIAG_E0203, type, value, d);
    for (uint32_t k = 0; k < element->child_count; k++)
        if (!check_dim(e, element->children[k], entries.values->types[0].dims[k + 1], d))
            return elab_poison();
    return value;
}

static Value declared_tensor(Elaborator *e, const AstNode *type, Value value, const Declared *d) {
    Dtype dtype, actual;
    bool is_letter = elab_is_dtype_letter(type);
    if (!is_letter && !dtype_find(type->name->text, &dtype))
        return type->child_count ? elab_unknown_name(e, type->name, type->span, "type")
                                 : declared_layer(e, type, value, d);
    if (value_is(value, VALUE_POISON)) {
        poison_dims(e, type, d);
        return value;
    }
    if (value.kind == VALUE_SPARSE && type->child_count)
        return declared_sparse(e, type, type, value, d);
    if (!elab_dtype_of(value, &actual) || value_is_on_pattern(value))
        return wrong_type(e, DIAG_E0201, type, value, d);
    uint32_t rank;
    elab_rank_of(value, &rank);
    if (value.kind == VALUE_SLOT)
        fix_sizes(type, value.slot);
    if (type->child_count == 0 && rank != 0)
        return wrong_type(e, DIAG_E0203, type, value, d);
    value = is_letter ? declared_letter(e, type, value, d)
                      : elab_coerce(e, value, dtype, d->span, DIAG_E0207, receiver(e, d));
    return value_is(value, VALUE_POISON) ? (poison_dims(e, type, d), value)
                                         : declared_shape(e, type, value, d);
}

static Value declared_tuple(Elaborator *e, const AstNode *type, Value value, const Declared *d) {
    if (value_is(value, VALUE_POISON)) {
        for (uint32_t i = 0; i < type->child_count; i++)
            declared(e, type->children[i], value, d);
        return value;
    }
    if (value.kind != VALUE_TUPLE || value.tuple->count != type->child_count)
        return wrong_type(e, DIAG_E0201, type, value, d);
    ValueTuple *tuple = elab_tuple(e, type->child_count);
    for (uint32_t i = 0; i < type->child_count; i++)
        tuple->items[i] = declared(e, type->children[i], value.tuple->items[i], d);
    return (Value){.kind = VALUE_TUPLE, .tuple = tuple};
}

static Value declared(Elaborator *e, const AstNode *type, Value value, const Declared *d) {
    switch ((AstKind)type->kind) {
    case AST_TYPE_NAME:
        return declared_tensor(e, type, value, d);
    case AST_TYPE_TUPLE:
        return declared_tuple(e, type, value, d);
    case AST_TYPE_STORAGE:
        if (name_is(type->name, "dense") && value.kind != VALUE_SPARSE)
            return declared(e, ast_type_storage_element(type), value, d);
        return declared_storage(e, type, value, d);
    case AST_TYPE_DIM:
        value = elab_index_scalar(e, value, d->span, receiver(e, d));
        value.is_weak = true;
        return value;
    case AST_TYPE_GRAPH:
        return declared_graph(e, type, value, d);
    case AST_TYPE_EDGE:
        return declared_edges(e, type, value, d);
    case AST_TYPE_LAYER:
        return declared_layer(e, type, value, d);
    default:
        return elab_fail(e, DIAG_E0201, type->span, "this is not a type");
    }
}

Value elab_declared(Elaborator *e, const AstNode *type, Value value, Scope *scope, Span span, Name what,
                    bool may_bind) {
    Declared d = {scope, span, what, may_bind, PHASE_BIND | PHASE_CHECK};
    return declared(e, type, value, &d);
}

/* Defaults see the parameters before them. */
static Value default_value(Elaborator *e, const AstNode *parameter, Scope *scope) {
    Scope *saved = e->scope;
    e->scope = scope;
    Value value = elab_expression(e, ast_parameter_default(parameter));
    e->scope = saved;
    return value;
}

bool elab_bind_parameters(Elaborator *e, const AstNode *function, const Value *values, const bool *given,
                          const Span *spans, Scope *scope, Span call) {
    AstList list = ast_declaration_parameters(function);
    Binding **bindings = ARENA_ARRAY(e->arena, Binding *, list.count);
    bool *is_late =
        ARENA_ARRAY(e->arena, bool, list.count); /* literals take their dtype letter from others */
    bool ok = true;
    for (uint32_t i = 0; i < list.count; i++) {
        const AstNode *parameter = list.items[i], *type = ast_parameter_type(parameter);
        Value value = given[i] ? values[i] : default_value(e, parameter, scope);
        Declared d = {scope, given[i] ? spans[i] : call, parameter->name, true, PHASE_BIND};
        is_late[i] = type && elab_is_dtype_letter(type) && value.is_weak;
        bool is_absent = !given[i] && value_is(value, VALUE_NONE);
        if (type && !is_late[i] && !is_absent)
            value = declared(e, type, value, &d);
        bindings[i] = elab_bind(e, scope, parameter->name, BINDING_PARAMETER, value, parameter->span);
    }
    for (uint32_t i = 0; i < list.count; i++) {
        const AstNode *type = ast_parameter_type(list.items[i]);
        Declared d = {scope, given[i] ? spans[i] : call, list.items[i]->name, true, PHASE_BIND | PHASE_CHECK};
        bool is_absent = !given[i] && value_is(bindings[i]->value, VALUE_NONE);
        d.phases = is_late[i] ? d.phases : PHASE_CHECK;
        if (type && !is_absent && !value_is(bindings[i]->value, VALUE_POISON) && type->kind != AST_TYPE_DIM)
            bindings[i]->value = declared(e, type, bindings[i]->value, &d);
        ok = ok && !value_is(bindings[i]->value, VALUE_POISON);
    }
    return ok;
}
