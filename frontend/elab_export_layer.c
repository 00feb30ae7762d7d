/* Layers in the C interface of `export fn`: a type such as `Adam(MLP(784, 10))` as a struct of buffers, and
 * the function that fills it with what the initialisers give. */
#include "frontend/elab_export.h"
#include <ctype.h>

bool elab_is_layer_type(Elaborator *e, const AstNode *type) {
    return type && (type->kind == AST_TYPE_LAYER || type->kind == AST_TYPE_NAME) &&
           !elab_is_dtype_letter(type) && elab_find_layer(e, type->name);
}

/* ---- names ------------------------------------------------------------------------------------------- */

/* What is no letter or digit becomes one underscore between the others. */
static void add_plain(TextBuffer *text, const char *piece, size_t length) {
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)piece[i];
        if (c < 128 && isalnum(c))
            text_append(text, piece + i, 1);
        else if (text->length && text->text[text->length - 1] != '_')
            text_add(text, "_");
    }
}

static void add_source(Elaborator *e, TextBuffer *text, const AstNode *node) {
    const SourceFile *file = source_find(e->options.sources, node->span.begin);
    if (file)
        add_plain(text, file->text + (node->span.begin - file->base), node->span.end - node->span.begin);
}

/* `MLP(784, 10)` as MLP_784_10; sizes that a `const` names are written out. */
static void add_type(Elaborator *e, TextBuffer *text, const AstNode *type) {
    int64_t known;
    add_plain(text, type->name->text, type->name->length);
    for (uint32_t i = 0; i < type->child_count; i++) {
        const AstNode *argument = type->children[i];
        text_add(text, "_");
        if (argument->kind == AST_CALL && ast_call_callee(argument)->kind == AST_NAME) {
            AstNode inner = *argument;
            inner.name = ast_call_callee(argument)->name;
            inner.children++;
            inner.child_count--;
            add_type(e, text, &inner);
        } else if (argument->kind == AST_NAME && elab_constant_int(elab_name(e, argument), &known)) {
            text_format(text, "%lld", (long long)known);
        } else {
            add_source(e, text, argument);
        }
    }
}

static const char *struct_name(Elaborator *e, const AstNode *type) {
    TextBuffer text = {.arena = e->arena};
    add_type(e, &text, type);
    while (text.length && text.text[text.length - 1] == '_')
        text.text[--text.length] = '\0';
    return text.text;
}

/* "blocks.0.w" as "blocks._0.w". */
static const char *member_name(Elaborator *e, const char *path) {
    TextBuffer text = {.arena = e->arena};
    for (;;) {
        size_t length = strcspn(path, ".");
        const char *name = arena_format(e->arena, "%.*s", (int)length, path);
        text_format(&text, "%s%s%s", text.length ? "." : "", isdigit((unsigned char)*name) ? "_" : "",
                    export_c_name(e, name));
        if (!path[length])
            return text.text;
        path += length + 1;
    }
}

/* ---- structs ------------------------------------------------------------------------------------------- */

static bool add_member(Elaborator *e, ExportStruct *out, const Leaf *leaf, const AstNode *type) {
    const IrNode *node = elab_node(e, leaf->value).node;
    ExportParameter member = {.name = member_name(e, leaf->path),
                              .dtype = ir_dtype(node),
                              .rank = ir_rank(node),
                              .is_scalar = ir_rank(node) == 0};
    for (uint32_t k = 0; k < member.rank; k++) {
        member.dims[k] = (ExportDim){.is_fixed = true, .dim = -1};
        if (!ir_const_value_i64(node->types[0].dims[k], &member.dims[k].value)) {
            elab_fail(e, DIAG_E0211, type->span,
                      "the size of `%s` is not known: a layer of an `export fn` has its sizes spelled",
                      leaf->path);
            return false;
        }
    }
    for (const char *c = leaf->path; *c; c++)
        if ((unsigned char)*c >= 128) {
            elab_fail(e, DIAG_E0211, type->span, "`%s` is a name that is not ASCII", leaf->path);
            return false;
        }
    vec_push(e->arena, &out->members, member);
    vec_push(e->arena, &out->paths, leaf->path);
    return true;
}

/* The function that makes the values of a new struct. */
static ExportFunction *init_function(Elaborator *e, IrModule *module, ExportStruct *structure,
                                     const AstNode *type) {
    ExportFunction *out = ARENA_NEW(e->arena, ExportFunction);
    *out = (ExportFunction){.name = arena_format(e->arena, "%s_init", structure->name),
                            .function = module->functions.count};
    ExportBuild saved = export_begin(e, module, elab_intern(e, out->name), type->span);
    LeafList leaves = {0};
    NodeList nodes = {0};
    IrNode *seed = ir_parameter(&e->b, elab_intern(e, "seed"), DTYPE_i64, 0, NULL, NULL);
    Value layer = elab_layer_of_type(e, type, value_tensor(elab_cast(e, seed, DTYPE_u64)));
    bool ok = layer.kind == VALUE_LAYER;
    if (ok)
        elab_leaves(e, layer, &leaves);
    for (uint32_t i = 0; ok && i < leaves.count; i++) {
        ok = add_member(e, structure, &leaves.items[i], type);
        vec_push(e->arena, &nodes, elab_node(e, leaves.items[i].value).node);
    }
    vec_push(e->arena, &out->parameters,
             ((ExportParameter){.name = "seed", .dtype = DTYPE_i64, .is_scalar = true}));
    for (uint32_t i = 0; i < structure->members.count; i++)
        vec_push(e->arena, &out->results, structure->members.items[i]);
    ir_set_results(&e->b, nodes.items, nodes.count);
    ok = ok && export_finish(e, out, type->span);
    export_end(e, saved);
    return ok ? out : NULL;
}

const ExportStruct *elab_export_struct(Elaborator *e, IrModule *module, const AstNode *type,
                                       ExportList *exports) {
    const char *name = struct_name(e, type);
    for (uint32_t i = 0; i < exports->structs.count; i++)
        if (!strcmp(exports->structs.items[i]->name, name))
            return exports->structs.items[i];
    ExportStruct *out = ARENA_NEW(e->arena, ExportStruct);
    *out = (ExportStruct){.name = name};
    out->init = init_function(e, module, out, type);
    if (!out->init)
        return NULL;
    if (!out->members.count) {
        elab_fail(e, DIAG_E0211, type->span,
                  "this layer has no parameters, so that there is nothing to hand over");
        return NULL;
    }
    const SourceFile *file = source_find(e->options.sources, type->span.begin);
    out->type = file ? arena_copy_text(e->arena, file->text + (type->span.begin - file->base),
                                       type->span.end - type->span.begin)
                     : name;
    vec_push(e->arena, &exports->structs, out);
    return out;
}

/* The parameter of a function: a layer of this type whose tensors are parameters of the IR function. */
Value elab_symbolic_layer(Elaborator *e, const AstNode *type) {
    LeafList leaves = {0};
    Value layer = elab_layer_of_type(e, type, elab_constant(DTYPE_u64, 0, false));
    if (layer.kind != VALUE_LAYER)
        return elab_poison();
    elab_leaves(e, layer, &leaves);
    Value *values = ARENA_ARRAY(e->arena, Value, leaves.count);
    for (uint32_t i = 0; i < leaves.count; i++) {
        const IrNode *node = elab_node(e, leaves.items[i].value).node;
        int64_t sizes[IR_MAX_RANK];
        for (uint32_t k = 0; k < ir_rank(node); k++)
            if (!ir_const_value_i64(node->types[0].dims[k], &sizes[k]))
                sizes[k] = -1;
        values[i] = value_tensor(ir_parameter(&e->b, elab_intern(e, leaves.items[i].path), ir_dtype(node),
                                              ir_rank(node), NULL, sizes));
    }
    return elab_with_leaves(e, layer, values);
}
