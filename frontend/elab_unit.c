/* Units: top-level statements become one IR function; globals live on as slots between units. */
#include "frontend/elab_sparse.h"

Elaborator *elab_new(const ElabOptions *options) {
    Elaborator *e = ARENA_NEW(options->arena, Elaborator);
    e->options = *options;
    e->arena = options->arena;
    e->names = options->names;
    e->sink = options->sink;
    e->globals = elab_scope_new(e, NULL);
    e->globals->is_global = true;
    e->library = elab_scope_new(e, NULL);
    e->scope = e->globals;
    Binding **hidden[] = {&e->token, &e->random_key, &e->random_counter};
    const char *names[] = {"%token", "%random_key", "%random_counter"};
    for (int i = 0; i < 3; i++) {
        *hidden[i] = ARENA_NEW(e->arena, Binding);
        **hidden[i] = (Binding){.name = elab_intern(e, names[i]), .kind = BINDING_MUT};
        (*hidden[i])->value = value_of_kind(VALUE_NONE);
        if (i == 0)
            continue;
        uint64_t *zero = ARENA_NEW(e->arena, uint64_t);
        (*hidden[i])->value =
            (Value){.kind = VALUE_SLOT, .slot = elab_constant_slot(e, DTYPE_u64, 0, NULL, zero)};
    }
    return e;
}

void elab_set_sink(Elaborator *e, DiagSink *sink) {
    e->sink = sink;
}

void elab_set_show_values(Elaborator *e, bool show_values) {
    e->options.show_values = show_values;
}

/* ---- slots
 * ------------------------------------------------------------------------------------------------------- */

ElabSlot *elab_slot_new(Elaborator *e, Name name, Dtype dtype, uint32_t rank) {
    ElabSlot *slot = ARENA_NEW(e->arena, ElabSlot);
    *slot = (ElabSlot){.id = e->next_slot++, .name = name, .dtype = dtype, .rank = rank};
    return slot;
}

ElabSlot *elab_constant_slot(Elaborator *e, Dtype dtype, uint32_t rank, const int64_t *shape,
                             const void *data) {
    ElabSlot *slot = elab_slot_new(e, NULL, dtype, rank);
    slot->is_known = slot->is_contiguous = true;
    slot->data = data;
    for (uint32_t k = 0; k < rank; k++)
        slot->shape[k] = shape[k];
    if (rank == 0 && dtype == DTYPE_i64) {
        slot->has_value = true;
        memcpy(&slot->value, data, sizeof slot->value);
    }
    return slot;
}

IrNode *elab_slot_node(Elaborator *e, ElabSlot *slot) {
    ElabUnit *unit = e->unit;
    for (uint32_t i = unit->parameters.count; i-- > 0;)
        if (unit->parameters.items[i].slot == slot)
            return unit->parameters.items[i].node;
    int64_t sizes[IR_MAX_RANK];
    for (uint32_t k = 0; k < slot->rank; k++)
        sizes[k] = slot->is_known && (slot->shape[k] == 1 || slot->fixed_axes >> k & 1) ? slot->shape[k] : -1;
    IrBuilder b = {e->b.function, e->b.function->body, e->b.span, e->b.statement};
    IrType type = {.kind = slot->is_pattern ? IR_PATTERN : IR_TENSOR,
                   .dtype = slot->dtype,
                   .rank = slot->rank,
                   .order = slot->order};
    IrNode *node = ir_parameter_of(&b, slot->name, &type, NULL, sizes);
    for (uint32_t k = 0; k < slot->rank; k++) {
        IrNode *extent = node->types[0].dims[k];
        if (slot->is_known && !ir_is_const(extent)) {
            extent->has_hint = true;
            extent->hint = slot->shape[k];
        }
    }
    if (slot->has_value && slot->rank == 0) {
        node->has_hint = true;
        node->hint = slot->value;
    }
    vec_push(unit->arena, &unit->parameters, ((ElabBinding){slot, node}));
    return node;
}

/* A size written in top-level code becomes a parameter, so that programs that differ in it share their code.
 */
IrNode *elab_lift_size(Elaborator *e, int64_t size) {
    bool is_shared = size <= 1 || e->is_checking || e->is_exporting;
    for (const CallFrame *frame = e->frame; frame; frame = frame->parent)
        is_shared = is_shared || !frame->closure->is_library;
    if (is_shared)
        return ir_const_i64(&e->b, size);
    for (uint32_t i = 0; i < e->lifted.count; i++)
        if (e->lifted.items[i]->value == size)
            return elab_slot_node(e, e->lifted.items[i]);
    int64_t *data = ARENA_NEW(e->arena, int64_t);
    *data = size;
    ElabSlot *slot = elab_constant_slot(e, DTYPE_i64, 0, NULL, data);
    vec_push(e->arena, &e->lifted, slot);
    return elab_slot_node(e, slot);
}

/* ---- units
 * ------------------------------------------------------------------------------------------------------- */

void elab_begin_unit(Elaborator *e, Arena *unit_arena) {
    ElabUnit *unit = ARENA_NEW(unit_arena, ElabUnit);
    unit->arena = unit_arena;
    unit->module = ir_module_new(unit_arena, e->names);
    unit->function = ir_function_new(unit->module, elab_intern(e, "main"));
    e->unit = unit;
    e->b = ir_builder_at(unit->function, unit->function->body);
    e->undo.count = 0;
    e->lifted.count = 0;
    e->token->value = (Value){.kind = VALUE_TOKEN, .node = ir_token(&e->b)};
}

static ElabSlot *result_slot(Elaborator *e, IrNode *node, Name name) {
    ElabUnit *unit = e->unit;
    for (uint32_t i = 0; i < unit->parameters.count; i++)
        if (unit->parameters.items[i].node == node)
            return unit->parameters.items[i].slot;
    for (uint32_t i = 0; i < unit->results.count; i++)
        if (unit->results.items[i].node == node)
            return unit->results.items[i].slot;
    ElabSlot *slot = elab_slot_new(e, name, ir_dtype(node), ir_rank(node));
    slot->is_pattern = node->types[0].kind == IR_PATTERN;
    slot->order = node->types[0].order;
    vec_push(unit->arena, &unit->results, ((ElabBinding){slot, node}));
    return slot;
}

static Value outlive(Elaborator *e, Value value, Name name);

/* What a function captured; the scopes of files have nothing of a unit that is not a global. */
static void outlive_scope(Elaborator *e, Scope *scope, Name name) {
    if (scope == e->globals || scope == e->library)
        return;
    for (uint32_t i = 0; i < scope->bindings.count; i++)
        scope->bindings.items[i]->value = outlive(e, scope->bindings.items[i]->value, name);
}

/* The same value with nothing of the unit in it. */
static Value outlive(Elaborator *e, Value value, Name name) {
    if (value.kind == VALUE_TENSOR && ir_is_const(value.node))
        return elab_constant(ir_dtype(value.node), (uint64_t)value.node->attributes[0], value.is_weak);
    if (value.kind == VALUE_TENSOR)
        return (Value){
            .kind = VALUE_SLOT, .is_weak = value.is_weak, .slot = result_slot(e, value.node, name)};
    if (value_has_items(value)) {
        ValueTuple *tuple = elab_tuple_like(e, value.tuple);
        for (uint32_t i = 0; i < tuple->count; i++)
            tuple->items[i] = outlive(e, value.tuple->items[i], name);
        value.tuple = tuple;
    }
    if (value.kind == VALUE_FUNCTION)
        outlive_scope(e, value.function->environment, name);
    return value;
}

ElabUnit *elab_end_unit(Elaborator *e) {
    ElabUnit *unit = e->unit;
    for (uint32_t i = 0; i < e->globals->bindings.count; i++) {
        Binding *binding = e->globals->bindings.items[i];
        binding->value = outlive(e, binding->value, binding->name);
    }
    e->random_key->value = outlive(e, e->random_key->value, NULL);
    e->random_counter->value = outlive(e, e->random_counter->value, NULL);
    for (uint32_t i = 0; i < unit->shown.count; i++)
        *unit->shown.items[i] = outlive(e, *unit->shown.items[i], NULL);
    for (uint32_t i = 0; i < unit->effects.count; i++)
        unit->effects.items[i].value = outlive(e, unit->effects.items[i].value, NULL);
    IrNode **results = ARENA_ARRAY(unit->arena, IrNode *, unit->results.count + 1);
    uint32_t count = 0;
    for (; count < unit->results.count; count++)
        results[count] = unit->results.items[count].node;
    unit->has_token = e->token->value.node->op != OP_token;
    if (unit->has_token)
        results[count++] = e->token->value.node;
    e->b.region = unit->function->body;
    ir_set_results(&e->b, results, count);
    unit->function->parameter_contiguous = ARENA_ARRAY(unit->arena, bool, unit->parameters.count);
    for (uint32_t i = 0; i < unit->parameters.count; i++)
        unit->function->parameter_contiguous[i] = unit->parameters.items[i].slot->is_contiguous;
    e->token->value = value_of_kind(VALUE_NONE);
    e->unit = NULL;
    return unit;
}

void elab_abandon_unit(Elaborator *e) {
    for (uint32_t i = e->undo.count; i-- > 0;)
        *e->undo.items[i].binding = e->undo.items[i].before;
    /* What the unit declared first is not there any more. */
    for (uint32_t i = 0; i < e->globals->bindings.count; i++) {
        Binding *binding = e->globals->bindings.items[i];
        if (binding->value.kind == VALUE_TENSOR ||
            (binding->value.kind == VALUE_SLOT && !binding->value.slot->is_known &&
             !binding->value.slot->data))
            binding->value = elab_poison();
    }
    e->undo.count = 0;
    e->token->value = value_of_kind(VALUE_NONE);
    e->unit = NULL;
}

/* ---- statements
 * ---------------------------------------------------------------------------------------------------- */

static void elab_import(Elaborator *e, const AstNode *node) {
    for (uint32_t i = 0; i < e->imports.count; i++) {
        if (e->imports.items[i].node != node || !e->imports.items[i].block)
            continue;
        AstNode *block = e->imports.items[i].block;
        e->imports.items[i].block = NULL; /* once */
        for (uint32_t k = 0; k < block->child_count; k++) {
            const AstNode *statement = block->children[k];
            bool allowed = statement->kind == AST_FUNCTION || statement->kind == AST_LAYER ||
                           statement->kind == AST_RULE || statement->kind == AST_CONST ||
                           statement->kind == AST_LET || statement->kind == AST_IMPORT ||
                           statement->kind == AST_ERROR;
            if (allowed)
                elab_statement(e, statement);
            else
                elab_fail(e, DIAG_E0101, statement->span,
                          "an imported file holds declarations, `const` and `let` only");
        }
    }
}

static Value elab_top_level(Elaborator *e, const AstNode *node) {
    Value unit = value_of_kind(VALUE_UNIT);
    if ((node->kind == AST_FUNCTION && node->name) || node->kind == AST_LAYER || node->kind == AST_RULE)
        return unit; /* elab_declare did it */
    if (node->kind == AST_IMPORT)
        return elab_import(e, node), unit;
    if (node->kind == AST_CONST && ast_binding_pattern(node)->kind == AST_NAME) {
        Binding *binding = elab_find(e->globals, ast_binding_pattern(node)->name);
        if (binding && binding->declaration == node && binding->kind == BINDING_CONST)
            return unit;
        if (binding && binding->declaration == node && binding->kind == BINDING_PENDING) {
            elab_name(e, ast_binding_pattern(node));
            return unit;
        }
    }
    if (node->kind == AST_RETURN)
        return elab_fail(e, DIAG_E0101, node->span, "`return` stands in a function");
    return elab_one_statement(e, node, NULL, true);
}

/* A `mut` that a failed statement set to something that is gone is not known any more. */
static bool is_lost(const Elaborator *e, Value value) {
    if (value_has_items(value)) {
        for (uint32_t i = 0; i < value.tuple->count; i++)
            if (is_lost(e, value.tuple->items[i]))
                return true;
        return false;
    }
    if (value.kind != VALUE_TENSOR || value.node->op == OP_param)
        return false;
    const IrRegion *body = e->unit->function->body;
    for (uint32_t i = body->nodes.count; i-- > 0;)
        if (body->nodes.items[i] == value.node)
            return false;
    return true;
}

static void poison_lost(Elaborator *e) {
    for (uint32_t i = 0; i < e->globals->bindings.count; i++)
        if (is_lost(e, e->globals->bindings.items[i]->value))
            e->globals->bindings.items[i]->value = elab_poison();
}

/* Takes what a failed statement left in the body away: nodes that would act, and what uses them.  Pure nodes
 * may stay: nothing uses them, or an equal expression will. */
static void discard_nodes(Elaborator *e, uint32_t first) {
    IrFunction *function = e->unit->function;
    IrRegion *body = function->body;
    bool *gone = ARENA_ARRAY(e->unit->arena, bool, function->node_count);
    uint32_t kept = first;
    for (uint32_t i = first; i < body->nodes.count; i++) {
        IrNode *node = body->nodes.items[i];
        bool drop = !ir_is_pure(node->op);
        for (uint32_t k = 0; k < node->operand_count; k++)
            drop = drop || gone[node->operands[k]->id];
        for (uint32_t r = 0; r < node->result_count; r++)
            for (uint32_t k = 0; k < node->types[r].rank; k++)
                drop = drop || gone[node->types[r].dims[k]->id];
        gone[node->id] = drop;
        if (!drop)
            body->nodes.items[kept++] = node;
    }
    body->nodes.count = kept;
}

ElabOutcome elab_statement(Elaborator *e, const AstNode *node) {
    ElabOutcome outcome = {0};
    uint32_t errors = e->sink->error_count, effects = e->unit->effects.count;
    Value token = e->token->value, key = e->random_key->value, counter = e->random_counter->value;
    uint32_t first_node = e->unit->function->body->nodes.count;
    e->scope = e->globals;
    e->frame = NULL;
    e->steps = e->depth = e->call_depth = 0;
    e->b.region = e->unit->function->body;
    e->b.statement = node->span.begin;
    Value value = elab_top_level(e, node);
    e->scope = e->globals;
    e->b.region = e->unit->function->body;
    if (value.kind == VALUE_LAYER && (e->options.show_values || e->options.is_interactive))
        value = elab_layer_table(e, value, node->span);
    if (value_is_on_pattern(value) && (e->options.show_values || e->options.is_interactive))
        value = elab_shown_on_pattern(e, value, node->span);
    outcome.has_effect = !elab_same_value(token, e->token->value) || e->unit->effects.count != effects;
    outcome.has_value = value.kind != VALUE_UNIT && value.kind != VALUE_POISON;
    outcome.ends_unit = e->unit->effects.count != effects;
    if (outcome.has_value && !e->options.show_values && !e->options.is_interactive) {
        if (!outcome.has_effect)
            elab_fail(e, DIAG_E0114, node->span, "the value of this expression, %s, is not used",
                      elab_kind_text(e, value));
        outcome.has_value = false;
    }
    outcome.ok = e->sink->error_count == errors;
    if (!outcome.ok) {
        e->token->value = token;
        e->random_key->value = key;
        e->random_counter->value = counter;
        e->unit->effects.count = effects;
        discard_nodes(e, first_node);
        poison_lost(e);
        return (ElabOutcome){0};
    }
    if (outcome.has_value) {
        outcome.value = ARENA_NEW(e->arena, Value);
        *outcome.value = value;
        vec_push(e->unit->arena, &e->unit->shown, outcome.value);
    }
    return outcome;
}

/* ---- declarations
 * ------------------------------------------------------------------------------------------------------ */

static void declare_pending(Elaborator *e, const AstNode *pattern, const AstNode *declaration) {
    if (pattern->kind != AST_NAME) {
        for (uint32_t i = 0; i < pattern->child_count; i++)
            declare_pending(e, pattern->children[i], declaration);
        return;
    }
    if (name_is(pattern->name, "_"))
        return;
    Binding *old = elab_find(e->globals, pattern->name);
    if (old && e->options.is_interactive && declaration->kind != AST_CONST)
        return; /* the old value stays visible until the statement runs */
    if (old && !e->options.is_interactive)
        return; /* its statement reports that */
    Binding *binding = elab_bind(e, e->globals, pattern->name, BINDING_PENDING, elab_poison(), pattern->span);
    binding->declaration = declaration;
}

static void declare_function(Elaborator *e, const AstNode *node) {
    Closure *closure = ARENA_NEW(e->arena, Closure);
    *closure = (Closure){.function = node, .environment = e->globals, .name = node->name};
    Binding *binding = elab_bind(e, e->globals, node->name, BINDING_FUNCTION,
                                 (Value){.kind = VALUE_FUNCTION, .function = closure}, elab_mark(node));
    binding->declaration = node;
}

static void declare_import(Elaborator *e, const AstNode *node) {
    bool is_known = false;
    const AstNode *path = ast_import_path(node);
    if (!e->options.host.import) {
        elab_unsupported(e, node->span, "`import` here");
        return;
    }
    AstNode *block = e->options.host.import(e->options.host.user, path->text, path->span, &is_known);
    e->misses_import = e->misses_import || (!block && !is_known);
    if (!block || is_known)
        return;
    vec_push(e->arena, &e->imports, ((ElabImport){node, block}));
    elab_declare(e, block);
    if (e->options.host.import_end)
        e->options.host.import_end(e->options.host.user);
}

void elab_declare(Elaborator *e, const AstNode *block) {
    e->scope = e->globals;
    e->frame = NULL;
    e->steps = e->depth = 0;
    for (uint32_t i = 0; i < block->child_count; i++) {
        const AstNode *node = block->children[i];
        if (node->kind == AST_IMPORT)
            declare_import(e, node);
        else if ((node->kind == AST_FUNCTION && node->name) || node->kind == AST_RULE)
            declare_function(e, node);
        else if (node->kind == AST_LAYER)
            elab_declare_layer(e, node, e->globals, false);
        else if (ast_is_binding(node))
            declare_pending(e, ast_binding_pattern(node), node);
    }
    elab_check_file(e, block);
}

/* ---- for the embedding API
 * ----------------------------------------------------------------------------------------------- */

void elab_bind_global(Elaborator *e, Name name, Value value) {
    Binding *binding = elab_find(e->globals, name);
    if (binding)
        elab_set(e, binding, value);
    else
        elab_bind(e, e->globals, name, BINDING_LET, value, (Span){0});
}

bool elab_find_global(Elaborator *e, Name name, Value *out) {
    Binding *binding = elab_find(e->globals, name);
    if (binding)
        *out = binding->value;
    return binding && binding->kind != BINDING_PENDING;
}

ElabOutcome elab_call_global(Elaborator *e, Name name, const Value *arguments, uint32_t count) {
    ElabOutcome outcome = {0};
    uint32_t errors = e->sink->error_count;
    Value token = e->token->value, function;
    Argument *list = ARENA_ARRAY(e->arena, Argument, count);
    e->scope = e->globals;
    e->frame = NULL;
    e->steps = e->depth = e->call_depth = 0;
    for (uint32_t i = 0; i < count; i++)
        list[i].value = arguments[i];
    function =
        elab_find_global(e, name, &function) ? function : elab_unknown_name(e, name, (Span){0}, "function");
    Value value = elab_call_value(e, function, list, count, (Span){0});
    outcome.ok = e->sink->error_count == errors;
    outcome.has_effect = !elab_same_value(token, e->token->value);
    outcome.has_value = outcome.ok && value.kind != VALUE_UNIT && value.kind != VALUE_POISON;
    if (outcome.has_value) {
        outcome.value = ARENA_NEW(e->arena, Value);
        *outcome.value = value;
        vec_push(e->unit->arena, &e->unit->shown, outcome.value);
    }
    return outcome;
}
