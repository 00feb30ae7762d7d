/* Names for people: the one that a wrong word is nearest to, and all that a word can be completed to. */
#include "frontend/elab.h"

/* ---- nearest ------------------------------------------------------------------------------------------ */

enum { WORD_MAX = 64 };

/* Edits between two words; limit + 1 where they are more than `limit` apart in length. */
static uint32_t distance(const char *a, const char *b, uint32_t limit) {
    uint32_t n = (uint32_t)strlen(a), m = (uint32_t)strlen(b), row[WORD_MAX + 1];
    if (n > WORD_MAX || m > WORD_MAX || (n > m ? n - m : m - n) > limit)
        return limit + 1;
    for (uint32_t j = 0; j <= m; j++)
        row[j] = j;
    for (uint32_t i = 1; i <= n; i++) {
        uint32_t diagonal = row[0];
        row[0] = i;
        for (uint32_t j = 1; j <= m; j++) {
            uint32_t best = diagonal + (a[i - 1] != b[j - 1]);
            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[m];
}

Nearest elab_nearest(const char *wanted) {
    size_t length = strlen(wanted);
    return (Nearest){wanted, NULL, length <= 1 ? 1 : length <= 3 ? 2 : length <= 6 ? 3 : 4};
}

void elab_consider(void *context, const char *name) {
    Nearest *nearest = context;
    uint32_t d = distance(nearest->wanted, name, nearest->distance);
    if (d < nearest->distance) {
        nearest->distance = d;
        nearest->best = name;
    }
}

void elab_note_nearest(Elaborator *e, Diag *diag, const Nearest *nearest) {
    if (nearest->best)
        diag_note(e->sink, diag, "did you mean `%s`?", nearest->best);
}

/* ---- all of them ----------------------------------------------------------------------------------------
 */

void elab_each_name(Elaborator *e, ElabVisit visit, void *context) {
    static const char *const words[] = {"pi", "inf", "nan", "None", "true", "false"};
    for (const Scope *scope = e->scope; scope; scope = scope->parent)
        for (uint32_t i = 0; i < scope->bindings.count; i++)
            if (scope->bindings.items[i]->name->text[0] != '%')
                visit(context, scope->bindings.items[i]->name->text);
    elab_each_function(e, visit, context);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        visit(context, words[i]);
    for (int i = 0; i < DTYPE_COUNT; i++)
        visit(context, dtype_name((Dtype)i));
}

void elab_each_function(Elaborator *e, ElabVisit visit, void *context) {
    elab_load_library(e);
    for (uint32_t i = 0; i < e->library->bindings.count; i++)
        visit(context, e->library->bindings.items[i]->name->text);
    for (uint32_t i = 0; elab_builtin_at(i); i++) {
        const Builtin *builtin = elab_builtin_at(i);
        if (elab_find_builtin(builtin->name) != builtin)
            continue;
        visit(context, builtin->name);
        if (builtin->alias)
            visit(context, builtin->alias);
    }
    for (uint32_t i = 0; elab_alias_at(i); i++)
        visit(context, elab_alias_at(i));
}

void elab_each_field(Elaborator *e, Value value, ElabVisit visit, void *context) {
    static const char *const fields[] = {"shape", "dtype", "ndim", "size", "T", "real", "imag"};
    Dtype dtype;
    if (value.kind == VALUE_RECORD)
        for (uint32_t i = 0; i < value.tuple->count; i++) {
            const char *path = value.tuple->names[i]->text;
            visit(context, arena_copy_text(e->sink->arena, path, strcspn(path, ".")));
        }
    static const char *const of_sparse[] = {"shape", "dtype", "ndim", "size", "nnz", "T"},
                             *const of_graph[] = {"n", "e", "src", "dst", "adj", "T"};
    bool is_sparse = value.kind == VALUE_SPARSE, is_graph = value.kind == VALUE_GRAPH;
    for (size_t i = 0; (is_sparse || is_graph) && i < sizeof of_sparse / sizeof *of_sparse; i++)
        visit(context, is_sparse ? of_sparse[i] : of_graph[i]);
    for (size_t i = 0; !is_sparse && elab_dtype_of(value, &dtype) && i < sizeof fields / sizeof *fields; i++)
        visit(context, fields[i]);
}

bool elab_global_at(Elaborator *e, uint32_t index, ElabGlobal *out) {
    static const char *const kinds[] = {
        [BINDING_LET] = "let",       [BINDING_MUT] = "mut", [BINDING_CONST] = "const",
        [BINDING_PARAMETER] = "let", [BINDING_DIM] = "let", [BINDING_FUNCTION] = "fn",
        [BINDING_PENDING] = "const"};
    if (index >= e->globals->bindings.count)
        return false;
    const Binding *binding = e->globals->bindings.items[index];
    *out = (ElabGlobal){.name = binding->name, .kind = kinds[binding->kind], .value = binding->value};
    return true;
}

bool elab_value_field(Elaborator *e, Value base, const char *name, Value *out) {
    if (base.kind == VALUE_RECORD)
        return elab_record_field(e, base.tuple, elab_intern(e, name), out);
    Dtype dtype;
    *out = base;
    return elab_dtype_of(base, &dtype) &&
           (!strcmp(name, "T") || !strcmp(name, "real") || !strcmp(name, "imag"));
}
