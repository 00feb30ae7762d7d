/* `export fn`: what gmxc puts into a library, elaborated with symbolic sizes, and its C interface. */
#include "frontend/elab_export.h"

static bool is_ascii(Name name) {
    for (uint32_t i = 0; i < name->length; i++)
        if ((unsigned char)name->text[i] >= 128)
            return false;
    return true;
}

static bool refuse(Elaborator *e, Span span, const char *what) {
    Diag *diag = diag_error(e->sink, DIAG_E0211, span, "an `export fn` cannot have %s", what);
    diag_note(e->sink, diag,
              "its parameters and result are dense tensors, scalars and layers with their types spelled");
    return false;
}

/* The dense tensor type under `dense`; NULL after reporting. */
static const AstNode *dense_type(Elaborator *e, const AstNode *type, Span span, const char *untyped) {
    Dtype dtype;
    if (!type)
        return refuse(e, span, untyped), NULL;
    if (type->kind == AST_TYPE_STORAGE && name_is(type->name, "dense"))
        type = ast_type_storage_element(type);
    if (type->kind == AST_TYPE_STORAGE || type->kind == AST_TYPE_GRAPH || type->kind == AST_TYPE_EDGE) {
        elab_unsupported(e, type->span, "this type in an `export fn`");
        return NULL;
    }
    if (type->kind != AST_TYPE_NAME)
        return refuse(e, type->span, "a value of this type here"), NULL;
    if (elab_is_dtype_letter(type))
        return refuse(e, type->span, "a generic dtype"), NULL;
    if (!dtype_find(type->name->text, &dtype)) {
        elab_unknown_name(e, type->name, type->span, "type");
        return NULL;
    }
    if (type->child_count > IR_MAX_RANK)
        return refuse(e, type->span, "a tensor of so many axes"), NULL;
    return type;
}

static bool check_dims(Elaborator *e, const AstNode *type, bool is_result) {
    bool ok = true;
    for (uint32_t k = 0; k < type->child_count; k++) {
        const AstNode *dim = type->children[k];
        if (dim->kind == AST_DIM_REST)
            ok = refuse(e, dim->span, "`...` in a type");
        else if (dim->kind == AST_NAME && name_is(dim->name, "_"))
            ok = refuse(e, dim->span, is_result ? "`_` in its result" : "`_` in a parameter: name the size");
        else if (dim->kind == AST_NAME && !is_ascii(dim->name))
            ok = refuse(e, dim->span, "a name that is not ASCII");
    }
    return ok;
}

/* ---- the signature
 * --------------------------------------------------------------------------------------------------- */

typedef struct Export {
    Elaborator *e;
    ExportFunction *out;
    VEC(Name) dims; /* dim parameters, as out->dims */
    IrModule *module;
    ExportList *exports;
    const AstNode *function;
    bool ok;
} Export;

static int32_t find_dim(const Export *x, Name name) {
    for (uint32_t i = 0; i < x->dims.count; i++)
        if (x->dims.items[i] == name)
            return (int32_t)i;
    return -1;
}

static bool constant_dim(Elaborator *e, const AstNode *dim, int64_t *out) {
    if (dim->kind == AST_INTEGER)
        return *out = (int64_t)dim->integer, dim->integer <= INT64_MAX;
    Binding *binding = dim->kind == AST_NAME ? elab_find(e->globals, dim->name) : NULL;
    if (!binding || (binding->kind != BINDING_CONST && !ast_is(binding->declaration, AST_CONST)))
        return false;
    Value value = elab_name(e, dim);
    return elab_constant_int(value, out);
}

/* The text of `2*n+1` over the dim names; NULL when it uses something else. */
static bool formula(Export *x, const AstNode *dim, TextBuffer *text) {
    int64_t value;
    if (constant_dim(x->e, dim, &value)) {
        text_format(text, "%lld", (long long)value);
        return true;
    }
    if (dim->kind == AST_NAME) {
        int32_t at = find_dim(x, dim->name);
        if (at >= 0)
            text_add(text, x->out->dims.items[at]);
        return at >= 0;
    }
    if (dim->kind != AST_BINARY)
        return false;
    const char *spelling = dim->operator== AST_OPERATOR_ADD         ? " + "
                           : dim->operator== AST_OPERATOR_SUB       ? " - "
                           : dim->operator== AST_OPERATOR_MUL       ? " * "
                           : dim->operator== AST_OPERATOR_FLOOR_DIV ? " // "
                                                                    : NULL;
    if (!spelling)
        return false;
    text_add(text, "(");
    bool ok = formula(x, ast_binary_left(dim), text);
    text_add(text, spelling);
    ok = ok && formula(x, ast_binary_right(dim), text);
    text_add(text, ")");
    return ok;
}

const char *export_c_name(Elaborator *e, const char *name) {
    static const char *const reserved[] = {
        /* of C, and of the macros that the header includes */
        "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum",
        "extern", "float", "for", "goto", "if", "inline", "int", "long", "out", "register", "restrict",
        "return", "short", "signed", "sizeof", "static", "struct", "switch", "typedef", "union", "unsigned",
        "void", "volatile", "while", "bool", "_Bool", "true", "false",
        /* of C++, whose compilers read the header too */
        "alignas", "alignof", "and", "and_eq", "asm", "bitand", "bitor", "catch", "char8_t", "char16_t",
        "char32_t", "class", "compl", "concept", "consteval", "constexpr", "constinit", "const_cast",
        "co_await", "co_return", "co_yield", "decltype", "delete", "dynamic_cast", "explicit", "export",
        "friend", "mutable", "namespace", "new", "noexcept", "not", "not_eq", "nullptr", "operator", "or",
        "or_eq", "private", "protected", "public", "reinterpret_cast", "requires", "static_assert",
        "static_cast", "template", "this", "thread_local", "throw", "try", "typeid", "typename", "using",
        "virtual", "wchar_t", "xor", "xor_eq"};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (!strcmp(name, reserved[i]))
            return arena_format(e->arena, "%s_", name);
    return name;
}

static void collect_dims(Export *x, const AstNode *type) {
    int64_t value;
    for (uint32_t k = 0; k < type->child_count; k++) {
        const AstNode *dim = type->children[k];
        if (dim->kind != AST_NAME || find_dim(x, dim->name) >= 0 || constant_dim(x->e, dim, &value))
            continue;
        vec_push(x->e->arena, &x->dims, dim->name);
        vec_push(x->e->arena, &x->out->dims, export_c_name(x->e, dim->name->text));
    }
}

static void describe(Export *x, const AstNode *type, ExportParameter *p) {
    dtype_find(type->name->text, &p->dtype);
    p->rank = type->child_count;
    p->is_scalar = p->rank == 0;
    for (uint32_t k = 0; k < p->rank; k++) {
        const AstNode *dim = type->children[k];
        ExportDim *out = &p->dims[k];
        out->dim = dim->kind == AST_NAME ? find_dim(x, dim->name) : -1;
        if (out->dim >= 0)
            continue;
        out->is_fixed = constant_dim(x->e, dim, &out->value);
        if (out->is_fixed)
            continue;
        TextBuffer text = {.arena = x->e->arena};
        if (formula(x, dim, &text)) {
            out->formula = text.text;
        } else {
            elab_fail(x->e, DIAG_E0211, dim->span, "a size of an `export fn` is made of dims with + - * //");
            x->ok = false;
        }
    }
}

/* The type of one C argument: a layer's struct, or a dense tensor. */
typedef struct ArgumentType {
    const AstNode *type;
    const ExportStruct *structure; /* or NULL */
} ArgumentType;
typedef VEC(ArgumentType) TypeList;

static bool layer_type(Export *x, const AstNode *type, TypeList *out) {
    if (!elab_is_layer_type(x->e, type))
        return false;
    const ExportStruct *structure = elab_export_struct(x->e, x->module, type, x->exports);
    x->ok = x->ok && structure;
    vec_push(x->e->arena, out, ((ArgumentType){type, structure}));
    return true;
}

static void result_types(Export *x, const AstNode *type, TypeList *out) {
    if (ast_is(type, AST_TYPE_TUPLE)) {
        for (uint32_t i = 0; i < type->child_count; i++)
            result_types(x, type->children[i], out);
        return;
    }
    if (layer_type(x, type, out))
        return;
    const AstNode *dense = dense_type(x->e, type, elab_mark(x->function), "a result without a type");
    x->ok = x->ok && dense && check_dims(x->e, dense, true);
    if (dense)
        vec_push(x->e->arena, out, ((ArgumentType){dense, NULL}));
}

typedef VEC(ExportParameter) ValueList;
typedef VEC(ExportArgument) ArgumentList;

/* One C argument and the values in it. */
static void add_argument(Export *x, const char *name, const ArgumentType *type, ValueList *values,
                         ArgumentList *arguments) {
    Arena *arena = x->e->arena;
    vec_push(arena, arguments, ((ExportArgument){name, values->count, type->structure}));
    for (uint32_t i = 0; type->structure && i < type->structure->members.count; i++) {
        ExportParameter member = type->structure->members.items[i];
        member.name = arena_format(arena, "%s.%s", name, member.name);
        vec_push(arena, values, member);
    }
    if (type->structure)
        return;
    ExportParameter p = {.name = name};
    describe(x, type->type, &p);
    vec_push(arena, values, p);
}

static bool describe_signature(Export *x) {
    Elaborator *e = x->e;
    const AstNode *function = x->function;
    AstList parameters = ast_declaration_parameters(function);
    TypeList types = {0}, results = {0};
    if (!is_ascii(function->name))
        x->ok = refuse(e, elab_mark(function), "a name that is not ASCII");
    for (uint32_t i = 0; i < parameters.count; i++) {
        const AstNode *parameter = parameters.items[i];
        if (!is_ascii(parameter->name))
            x->ok = refuse(e, parameter->span, "a name that is not ASCII");
        if (layer_type(x, ast_parameter_type(parameter), &types))
            continue;
        const AstNode *type =
            dense_type(e, ast_parameter_type(parameter), parameter->span, "a parameter without a type");
        x->ok = x->ok && type && check_dims(e, type, false);
        vec_push(e->arena, &types, ((ArgumentType){type, NULL}));
        if (x->ok)
            collect_dims(x, type);
    }
    if (!ast_function_result(function))
        x->ok = refuse(e, elab_mark(function), "a result without a type");
    else
        result_types(x, ast_function_result(function), &results);
    if (!x->ok)
        return false;
    ValueList values = {0}, made = {0};
    ArgumentList inputs = {0}, outputs = {0};
    for (uint32_t i = 0; i < types.count; i++)
        add_argument(x, export_c_name(e, parameters.items[i]->name->text), &types.items[i], &values, &inputs);
    for (uint32_t i = 0; i < results.count; i++)
        add_argument(x, results.count == 1 ? "out" : arena_format(e->arena, "out%u", i), &results.items[i],
                     &made, &outputs);
    memcpy(&x->out->parameters, &values, sizeof values);
    memcpy(&x->out->results, &made, sizeof made);
    memcpy(&x->out->inputs, &inputs, sizeof inputs);
    memcpy(&x->out->outputs, &outputs, sizeof outputs);
    return x->ok;
}

/* ---- the body
 * -----------------------------------------------------------------------------------------------------------
 */

static bool bake_constants(Elaborator *e, ExportFunction *out, Span span) {
    const ElabUnit *unit = e->unit;
    const ElabHost *host = &e->options.host;
    for (uint32_t i = 0; i < unit->parameters.count; i++) {
        ElabSlot *slot = unit->parameters.items[i].slot;
        if (!slot->data && (!host->bake || !host->bake(host->user, slot, span)))
            return false;
        ExportConstant constant = {.dtype = slot->dtype, .rank = slot->rank, .data = slot->data};
        memcpy(constant.shape, slot->shape, sizeof constant.shape);
        vec_push(e->arena, &out->constants, constant);
    }
    return true;
}

ExportBuild export_begin(Elaborator *e, IrModule *module, Name name, Span span) {
    ExportBuild saved = {e->unit, e->b, e->token->value};
    ElabUnit *unit = ARENA_NEW(module->arena, ElabUnit);
    *unit = (ElabUnit){.arena = module->arena, .module = module};
    unit->function = ir_function_new(module, name);
    e->unit = unit;
    e->b = ir_builder_at(unit->function, unit->function->body);
    e->b.statement = span.begin;
    e->lifted.count = 0;
    e->token->value = (Value){.kind = VALUE_TOKEN, .node = ir_token(&e->b)};
    e->is_exporting = true;
    return saved;
}

void export_end(Elaborator *e, ExportBuild saved) {
    e->is_exporting = false;
    e->unit = saved.unit;
    e->b = saved.builder;
    e->token->value = saved.token;
}

bool export_finish(Elaborator *e, ExportFunction *out, Span span) {
    ElabUnit *unit = e->unit;
    uint32_t own = out->parameters.count;
    unit->function->parameter_contiguous = ARENA_ARRAY(unit->arena, bool, own + unit->parameters.count);
    memset(unit->function->parameter_contiguous, true, own + unit->parameters.count);
    return bake_constants(e, out, span);
}

/* The tensors of the result in the order of the C arguments. */
static void result_nodes(Elaborator *e, Value value, NodeList *nodes) {
    LeafList leaves = {0};
    elab_leaves(e, value, &leaves);
    for (uint32_t i = 0; i < leaves.count; i++)
        vec_push(e->arena, nodes, elab_node(e, leaves.items[i].value).node);
}

static bool elaborate(Export *x) {
    Elaborator *e = x->e;
    Closure closure = {.function = x->function, .environment = e->globals, .name = x->function->name};
    Scope *scope = elab_scope_new(e, e->globals);
    CallFrame frame = {.closure = &closure, .call = elab_mark(x->function)};
    uint32_t errors = e->sink->error_count;
    Value *values = ARENA_ARRAY(e->arena, Value, ast_declaration_parameters(x->function).count);
    NodeList nodes = {0};
    e->frame = &frame;
    e->call_depth = 1;
    e->steps = e->depth = 0;
    if (elab_symbolic_parameters(e, x->function, scope, values)) {
        e->scope = scope;
        result_nodes(e, elab_expand_body(e, &closure, scope), &nodes);
    }
    e->frame = NULL;
    e->scope = e->globals;
    if (e->sink->error_count != errors || nodes.count != x->out->results.count)
        return false;
    ir_set_results(&e->b, nodes.items, nodes.count);
    return export_finish(e, x->out, elab_mark(x->function));
}

ExportFunction *elab_export_function(Elaborator *e, IrModule *module, const AstNode *function,
                                     ExportList *exports) {
    Export x = {.e = e,
                .function = function,
                .ok = true,
                .out = ARENA_NEW(e->arena, ExportFunction),
                .module = module,
                .exports = exports};
    e->scope = e->globals;
    if (!describe_signature(&x))
        return NULL;
    x.out->name = function->name->text;
    x.out->documentation = function->doc;
    x.out->function = module->functions.count;
    ExportBuild saved = export_begin(e, module, function->name, function->span);
    bool ok = elaborate(&x);
    export_end(e, saved);
    return ok ? x.out : NULL;
}
