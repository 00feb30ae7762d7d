/* Program text evaluated by the reference: drives the front end as runtime/api does, without passes. */
#include "tests/reference/program.h"

#include "frontend/elab.h"
#include "frontend/elaborate.h"
#include "frontend/parse.h"

#include <stdlib.h>

struct RefProgram {
    Arena arena, unit_arena;
    Interner names;
    SourceMap sources;
    DiagSink sink;
    Elaborator *elaborator;
    Reference reference;
};

static RefTensor *slot_value(Reference *r, const ElabSlot *slot) {
    RefTensor *x = ref_tensor_new(r, slot->dtype, slot->rank, slot->shape);
    if (!slot->data)
        ref_stop(r, REF_BROKEN, 0, "a slot without a value");
    for (int64_t i = 0; i < x->size; i++)
        x->at[i] = ref_load(x->dtype, (const char *)slot->data + i * dtype_info[x->dtype].bytes);
    ref_finish(r, x, NULL, 0);
    return x;
}

static RefTensor *parameter_value(void *user, const IrNode *node) {
    RefProgram *p = user;
    const ElabUnit *unit = p->elaborator->unit;
    for (uint32_t i = 0; i < unit->parameters.count; i++)
        if (unit->parameters.items[i].node == node)
            return slot_value(&p->reference, unit->parameters.items[i].slot);
    ref_stop(&p->reference, REF_BROKEN, 0, "a parameter of no slot");
}

RefProgram *ref_program_open(bool interactive, int64_t budget) {
    RefProgram *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    arena_init(&p->arena, NULL);
    arena_init(&p->unit_arena, NULL);
    interner_init(&p->names, &p->arena);
    source_map_init(&p->sources, &p->arena);
    diag_init(&p->sink, &p->arena);
    p->elaborator = elab_new(&(ElabOptions){.arena = &p->arena,
                                            .names = &p->names,
                                            .sources = &p->sources,
                                            .sink = &p->sink,
                                            .is_interactive = interactive});
    elab_begin_unit(p->elaborator, &p->unit_arena);
    ref_init(&p->reference, &p->unit_arena, p->elaborator->unit->function->body);
    p->reference.parameter = parameter_value;
    p->reference.user = p;
    p->reference.budget = budget;
    return p;
}

void ref_program_close(RefProgram *p) {
    arena_free(&p->unit_arena);
    arena_free(&p->arena);
    free(p);
}

bool ref_program_add(RefProgram *p, const char *text) {
    diag_init(&p->sink, &p->arena);
    SourceFile *file = source_add(&p->sources, &p->sink, "program.gmx", text, strlen(text));
    if (!file)
        return false;
    AstNode *block = parse_source(&(ParseContext){&p->arena, &p->names, &p->sink}, file);
    if (p->sink.error_count)
        return false;
    elab_declare(p->elaborator, block);
    for (uint32_t i = 0; i < block->child_count && !p->sink.error_count; i++)
        elab_statement(p->elaborator, block->children[i]);
    return p->sink.error_count == 0;
}

const char *ref_program_errors(RefProgram *p) {
    return source_render_all(&p->sources, &p->arena, &p->sink, DIAG_HUMAN);
}

const char *ref_program_error_code(const RefProgram *p) {
    return p->sink.diags.count ? diag_code_text(p->sink.diags.items[0]->code) : "";
}

RefTensor *ref_program_value(RefProgram *p, const char *name) {
    Value value;
    Reference *r = &p->reference;
    if (!elab_find_global(p->elaborator, intern_text(&p->names, name), &value))
        value = value_of_kind(VALUE_POISON);
    if (value.kind == VALUE_TENSOR)
        return ref_get(r, value.node);
    r->status = REF_OK;
    if (setjmp(r->stop))
        return NULL;
    if (value.kind == VALUE_SLOT)
        return slot_value(r, value.slot);
    if (value.kind != VALUE_CONSTANT)
        ref_stop(r, REF_BROKEN, 0, "%s is no tensor", name);
    RefTensor *x = ref_tensor_new(r, value.dtype, 0, NULL);
    x->at[0] = ref_load(value.dtype, &value.bits);
    ref_finish(r, x, NULL, 0);
    return x;
}

const Reference *ref_program_state(const RefProgram *p) {
    return &p->reference;
}

const char *ref_program_verify(RefProgram *p) {
    const char *message = NULL;
    ElabUnit *unit = elab_end_unit(p->elaborator);
    return ir_verify_function(unit->function, &p->arena, &message) ? NULL : message;
}
