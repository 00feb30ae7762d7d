/* What a session knows by name: the table of `who`, and completions of a word. */
#include "frontend/text.h"
#include "runtime/api/internal.h"

#include <ctype.h>
#include <stdlib.h>

/* ---- who ------------------------------------------------------------------------------------------------
 */

enum { COLUMN_COUNT = 5, WHO_DEPTH = 8 };

typedef struct Row {
    const char *cells[COLUMN_COUNT];
} Row;

typedef struct Table {
    gmx_session *s;
    Arena *arena;
    VEC(Row) rows;
} Table;

/* Columns on screen, where every character takes one. */
static size_t width_of(const char *text) {
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static const char *shape_text(Arena *arena, const ElabSlot *slot) {
    TextBuffer text = {.arena = arena};
    text_add(&text, "(");
    for (uint32_t k = 0; k < slot->rank; k++)
        text_format(&text, "%s%lld", k ? ", " : "", (long long)slot->shape[k]);
    text_add(&text, slot->rank == 1 ? ",)" : ")");
    return text.text;
}

static int64_t bytes_of(const Value *value) {
    int64_t bytes = 0;
    if (value->kind == VALUE_CONSTANT)
        return dtype_info[value->dtype].bytes;
    if (value->kind == VALUE_SLOT && value->slot->is_known) {
        bytes = gmxrt_bytes_of((int32_t)value->slot->dtype, (int32_t)value->slot->rank, value->slot->shape);
        return bytes < 0 ? 0 : bytes;
    }
    for (uint32_t i = 0; value_has_items(*value) && i < value->tuple->count; i++)
        bytes += bytes_of(&value->tuple->items[i]);
    return bytes;
}

/* The signature as it was written, its lines joined. */
static const char *signature_text(Table *t, Name name) {
    const char *help = elab_help(t->s->elaborator, name);
    char *text = arena_copy_text(t->arena, help ? help : "", help ? strcspn(help, "\n") : 0);
    return text;
}

static void add_value(Table *t, const char *name, const char *kind, const Value *value, uint32_t depth) {
    Row row = {{name, "", "", "", kind}};
    const char *bytes = arena_format(t->arena, "%lld", (long long)bytes_of(value));
    bool has_parts = value->kind == VALUE_TUPLE || value->kind == VALUE_RECORD;
    if (value->kind == VALUE_CONSTANT) {
        row = (Row){{name, dtype_name(value->dtype), "()", bytes, kind}};
    } else if (value->kind == VALUE_SLOT) {
        bool is_known = value->slot->is_known;
        row = (Row){{name, dtype_name(value->slot->dtype), is_known ? shape_text(t->arena, value->slot) : "?",
                     is_known ? bytes : "?", kind}};
    } else if (has_parts) {
        bool is_record = value->kind == VALUE_RECORD;
        row.cells[3] = bytes;
        row.cells[4] =
            arena_format(t->arena, "%s, %s of %u", kind, is_record ? "record" : "tuple", value->tuple->count);
    } else if (value->kind == VALUE_POISON) {
        row.cells[4] = arena_format(t->arena, "%s, without a value", kind);
    } else if (value->kind == VALUE_FUNCTION && value->function->name) {
        row.cells[4] = signature_text(t, value->function->name);
    } else {
        row.cells[4] = arena_format(t->arena, "%s, %s", kind, elab_type_text(t->s->elaborator, *value));
    }
    vec_push(t->arena, &t->rows, row);
    for (uint32_t i = 0; has_parts && depth < WHO_DEPTH && i < value->tuple->count; i++) {
        const char *part = value->kind == VALUE_RECORD
                               ? arena_format(t->arena, "%s.%s", name, value->tuple->names[i]->text)
                               : arena_format(t->arena, "%s[%u]", name, i);
        add_value(t, part, "part", &value->tuple->items[i], depth + 1);
    }
}

static const char *table_text(const Table *t) {
    size_t widths[COLUMN_COUNT] = {0};
    TextBuffer text = {.arena = t->arena};
    for (uint32_t i = 0; i < t->rows.count; i++)
        for (int k = 0; k < COLUMN_COUNT; k++) {
            size_t width = width_of(t->rows.items[i].cells[k]);
            widths[k] = width > widths[k] ? width : widths[k];
        }
    for (uint32_t i = 0; i < t->rows.count; i++) {
        for (int k = 0; k < COLUMN_COUNT; k++) {
            const char *cell = t->rows.items[i].cells[k];
            size_t blanks = widths[k] - width_of(cell);
            bool is_number = k == 3;
            text_repeat(&text, ' ', (k ? 2 : 0) + (is_number ? blanks : 0));
            text_add(&text, cell);
            text_repeat(&text, ' ', is_number || k + 1 == COLUMN_COUNT ? 0 : blanks);
        }
        text_add(&text, "\n");
    }
    return text.text;
}

gmx_status gmx_who(gmx_session *session, const char **out) {
    SESSION_ENTER(session, out);
    Table t = {.s = session, .arena = &session->report};
    ElabGlobal global;
    vec_push(t.arena, &t.rows, ((Row){{"name", "dtype", "shape", "bytes", "what it is"}}));
    for (uint32_t i = 0; elab_global_at(session->elaborator, i, &global); i++)
        add_value(&t, global.name->text, global.kind, &global.value, 0);
    *out = t.rows.count > 1 ? table_text(&t) : "there are no names yet\n";
    return session_end(session);
}

/* ---- completion ------------------------------------------------------------------------------------------
 */

typedef struct Completion {
    Arena *arena;
    const char *prefix;
    size_t length;
    VEC(const char *) found;
} Completion;

static bool is_name_byte(char c) {
    return isalnum((unsigned char)c) || c == '_' || ((unsigned char)c & 0x80);
}

/* A field of a record may have any name; one that is no identifier cannot be typed after a dot. */
static bool is_identifier(const char *name) {
    if (!*name || isdigit((unsigned char)*name))
        return false;
    while (is_name_byte(*name))
        name++;
    return !*name;
}

static void offer(void *context, const char *name) {
    Completion *c = context;
    if (!strncmp(name, c->prefix, c->length) && is_identifier(name))
        vec_push(c->arena, &c->found, arena_copy_text(c->arena, name, strlen(name)));
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *const *sorted(Completion *c) {
    uint32_t kept = 0;
    if (c->found.count)
        qsort(c->found.items, c->found.count, sizeof *c->found.items, by_text);
    for (uint32_t i = 0; i < c->found.count; i++)
        if (!kept || strcmp(c->found.items[i], c->found.items[kept - 1]))
            c->found.items[kept++] = c->found.items[i];
    c->found.count = kept;
    vec_push(c->arena, &c->found, NULL);
    return c->found.items;
}

/* The value of `a.b.c` that ends at `end`; false where something else stands there. */
static bool value_before(gmx_session *s, const char *text, size_t end, Value *out) {
    size_t begin = end;
    while (begin > 0 && is_name_byte(text[begin - 1]))
        begin--;
    const char *word = arena_copy_text(&s->report, text + begin, end - begin);
    Value base;
    if (!is_identifier(word))
        return false;
    if (begin > 0 && text[begin - 1] == '.')
        return value_before(s, text, begin - 1, &base) && elab_value_field(s->elaborator, base, word, out);
    return elab_find_global(s->elaborator, intern_text(&s->names, word), out);
}

static void offer_members(gmx_session *s, Completion *c, const char *text, size_t dot) {
    Value base, any_tensor = {.kind = VALUE_CONSTANT, .dtype = DTYPE_f64};
    bool is_known = value_before(s, text, dot, &base);
    elab_each_field(s->elaborator, is_known ? base : any_tensor, offer, c);
    if (c->length && !(is_known && base.kind == VALUE_RECORD)) /* x.f(a) is f(x, a) */
        elab_each_function(s->elaborator, offer, c);
}

static void offer_words(gmx_session *s, Completion *c) {
    static const char *const keywords[] = {"and", "const", "else", "export", "fn", "for",   "if",    "in",
                                           "let", "mut",   "not",  "return", "or", "while", "import"};
    elab_each_name(s->elaborator, offer, c);
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        offer(c, keywords[i]);
}

gmx_status gmx_complete(gmx_session *session, const char *text, size_t cursor, size_t *begin,
                        const char *const **out) {
    SESSION_ENTER(session, text && begin && out && cursor <= strlen(text));
    size_t at = cursor;
    while (at > 0 && is_name_byte(text[at - 1]))
        at--;
    Completion c = {.arena = &session->report,
                    .prefix = arena_copy_text(&session->report, text + at, cursor - at),
                    .length = cursor - at};
    bool is_number = c.length && isdigit((unsigned char)c.prefix[0]);
    bool is_member = at > 0 && text[at - 1] == '.' && !(at > 1 && text[at - 2] == '.');
    if (is_member && !is_number)
        offer_members(session, &c, text, at - 1);
    else if (c.length && !is_number)
        offer_words(session, &c);
    *begin = at;
    *out = sorted(&c);
    return session_end(session);
}
