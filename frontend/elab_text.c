/* Text with values in it: interpolated strings, what `print` writes, and strings that an `if` chooses.
 *
 * A VALUE_TEXT keeps its values; they are formatted when it is printed.  Values are immutable, so nobody can
 * tell, and no string lives in compiled code. */
#include "frontend/elab_text.h"
#include "frontend/elab_sparse.h"

enum { LAST_MARK = 5, HOLES_MAX = 255 }; /* bytes up to LAST_MARK are marks of gmxrt_print's templates */

/* ---- pieces -------------------------------------------------------------------------------------------- */

void text_builder_add(TextBuilder *t, const char *text, size_t length) {
    if (length)
        vec_push(t->e->arena, &t->pieces, ((TextPiece){.text = text, .length = (uint32_t)length}));
}

static void add_hole(TextBuilder *t, Value item, TextPiece piece, Span span) {
    if (t->items.count >= HOLES_MAX) {
        elab_unsupported(t->e, span, "more than 255 values in one text");
        t->failed = true;
        return;
    }
    piece.is_hole = true;
    vec_push(t->e->arena, &t->pieces, piece);
    vec_push(t->e->arena, &t->items, item);
}

/* The pieces of another text; items may be tuples made equal by a join, never nested texts. */
static void add_pieces(TextBuilder *t, Value text, Span span) {
    uint32_t next = 0;
    for (uint32_t i = 0; i < text.pieces->count; i++) {
        const TextPiece *piece = &text.pieces->items[i];
        if (piece->is_hole)
            add_hole(t, text.tuple->items[next++], *piece, span);
        else
            text_builder_add(t, piece->text, piece->length);
    }
}

static void add_tuple(TextBuilder *t, const ValueTuple *tuple, Span span) {
    text_builder_add(t, "(", 1);
    for (uint32_t i = 0; i < tuple->count; i++) {
        if (i)
            text_builder_add(t, ", ", 2);
        text_builder_add_value(t, tuple->items[i], NULL, 0, span);
    }
    text_builder_add(t, ",)", tuple->count == 1 ? 2 : 0);
    if (tuple->count != 1)
        text_builder_add(t, ")", 1);
}

static void add_record(TextBuilder *t, const ValueTuple *record, Span span) {
    text_builder_add(t, "(", 1);
    for (uint32_t i = 0; i < record->count; i++) {
        if (i)
            text_builder_add(t, ", ", 2);
        text_builder_add(t, record->names[i]->text, record->names[i]->length);
        text_builder_add(t, "=", 1);
        text_builder_add_value(t, record->items[i], NULL, 0, span);
    }
    text_builder_add(t, ")", 1);
}

static void add_line(TextBuilder *t, const char *name, IrNode *tensor, Span span) {
    text_builder_add(t, name, strlen(name));
    text_builder_add_value(t, value_tensor(tensor), NULL, 0, span);
}

/* A line that says what it is, then where the entries are and what they hold. */
static void add_on_pattern(TextBuilder *t, Value value, Span span) {
    Elaborator *e = t->e;
    Entries entries = elab_entries(e, value);
    const IrType *type = ir_type(entries.pattern);
    static const char *const formats[] = {
#define ORDER(name, format, doc) #format,
#include "ir/formats.def"
    };
    if (value.kind == VALUE_EDGES) {
        text_builder_add_value(t, value_tensor(entries.values), NULL, 0, span);
        return;
    }
    if (value.kind == VALUE_GRAPH) {
        add_line(t, "graph of ", type->dims[0], span);
        add_line(t, " nodes and ", type->dims[2], span);
        add_line(t, " edges\nsrc ", elab_ends(e, entries.pattern, IR_SIDE_ROWS), span);
        add_line(t, "\ndst ", elab_ends(e, entries.pattern, IR_SIDE_COLUMNS), span);
        return;
    }
    const char *head = arena_format(e->arena, "sparse %s[", dtype_name(ir_dtype(entries.values)));
    add_line(t, head, type->dims[0], span);
    add_line(t, ", ", type->dims[1], span);
    add_line(t, "], ", type->dims[2], span);
    const char *tail = arena_format(e->arena, " stored (%s)\nrows    ", formats[type->order]);
    add_line(t, tail, elab_ends(e, entries.pattern, IR_SIDE_ROWS), span);
    add_line(t, "\ncolumns ", elab_ends(e, entries.pattern, IR_SIDE_COLUMNS), span);
    add_line(t, "\nvalues  ", entries.values, span);
}

/* ---- formats --------------------------------------------------------------------------------------------
 */

typedef struct Format {
    const char *fill;
    size_t fill_length;
    char align, type;
    bool has_sign, has_precision;
    size_t width, precision;
} Format;

/* A spec that the lexer has checked. */
static Format read_format(const char *spec, size_t length) {
    Format f = {.fill = " ", .fill_length = 1};
    const char *p = spec, *end = spec + length;
    size_t fill = 1;
    while (p + fill < end && ((unsigned char)p[fill] & 0xc0) == 0x80)
        fill++;
    if (p + fill < end && strchr("<>=^", p[fill])) {
        f.fill = p, f.fill_length = fill, f.align = p[fill];
        p += fill + 1;
    } else if (p < end && strchr("<>=^", *p)) {
        f.align = *p++;
    }
    if (p < end && strchr("+- ", *p))
        f.has_sign = true, p++;
    if (p < end && *p == '0') {
        if (!f.align)
            f.fill = "0"; /* numbers are padded after their sign, strings on the right */
        p++;
    }
    for (; p < end && *p >= '0' && *p <= '9'; p++)
        f.width = f.width * 10 + (size_t)(*p - '0');
    if (p < end && *p == '.') {
        f.has_precision = true;
        for (p++; p < end && *p >= '0' && *p <= '9'; p++)
            f.precision = f.precision * 10 + (size_t)(*p - '0');
    }
    f.type = p < end ? *p : 0;
    return f;
}

/* The bytes of the first `most` characters; *count: how many there are. */
static size_t characters(const char *text, size_t length, size_t most, size_t *count) {
    size_t at = 0;
    for (*count = 0; at < length && *count < most; ++*count)
        for (at++; at < length && ((unsigned char)text[at] & 0xc0) == 0x80;)
            at++;
    return at;
}

/* A string padded and cut as Python's format does. */
static void add_string(TextBuilder *t, Value string, const char *spec, size_t spec_length, Span span) {
    Format f = read_format(spec, spec_length);
    if ((f.type && f.type != 's') || f.has_sign || f.align == '=') {
        elab_fail(t->e, DIAG_E0201, span, "the format `%.*s` is for numbers, not for a string",
                  (int)spec_length, spec);
        t->failed = true;
        return;
    }
    size_t count,
        length = characters(string.text, string.length, f.has_precision ? f.precision : SIZE_MAX, &count);
    size_t padding = f.width > count ? f.width - count : 0;
    size_t before = f.align == '>' ? padding : f.align == '^' ? padding / 2 : 0;
    for (size_t i = 0; i < before; i++)
        text_builder_add(t, f.fill, f.fill_length);
    text_builder_add(t, string.text, length);
    for (size_t i = before; i < padding; i++)
        text_builder_add(t, f.fill, f.fill_length);
}

/* What can be said before the value is known. */
static bool check_number_format(TextBuilder *t, Value value, const char *spec, size_t length, Span span) {
    Dtype dtype;
    Format f = read_format(spec, length);
    bool is_float = elab_dtype_of(value, &dtype) && !dtype_is_integer(dtype) && dtype != DTYPE_bool;
    if (f.type == 's')
        elab_fail(t->e, DIAG_E0201, span, "the format `s` is for strings, not for %s",
                  elab_type_text(t->e, value));
    else if (f.type && strchr("bcdoxX", f.type) && is_float)
        elab_fail(t->e, DIAG_E0201, span, "the format `%c` is for integers, not for %s", f.type,
                  elab_type_text(t->e, value));
    else
        return true;
    t->failed = true;
    return false;
}

void text_builder_add_value(TextBuilder *t, Value value, const char *spec, size_t spec_length, Span span) {
    const char *text;
    switch (value.kind) {
    case VALUE_POISON:
        t->failed = true;
        return;
    case VALUE_TENSOR:
    case VALUE_CONSTANT:
    case VALUE_SLOT:
        if (!spec_length || check_number_format(t, value, spec, spec_length, span))
            add_hole(t, value, (TextPiece){.text = spec, .length = (uint32_t)spec_length}, span);
        return;
    case VALUE_STRING:
        if (spec_length)
            add_string(t, value, spec, spec_length, span);
        else
            text_builder_add(t, value.text, value.length);
        return;
    case VALUE_TEXT:
        if (spec_length) {
            elab_unsupported(t->e, span, "a format for a string that has values in it");
            t->failed = true;
        } else {
            add_pieces(t, value, span);
        }
        return;
    case VALUE_TUPLE:
        add_tuple(t, value.tuple, span);
        return;
    case VALUE_RECORD:
        add_record(t, value.tuple, span);
        return;
    case VALUE_SPARSE:
    case VALUE_EDGES:
    case VALUE_GRAPH:
        add_on_pattern(t, value, span);
        return;
    case VALUE_LAYER:
        text_builder_add_value(t, elab_layer_table(t->e, value, span), NULL, 0, span);
        return;
    case VALUE_RANGE:
        text_builder_add_value(t, value.tuple->items[0], NULL, 0, span);
        text_builder_add(t, "..", 2);
        text_builder_add_value(t, value.tuple->items[1], NULL, 0, span);
        return;
    case VALUE_DTYPE:
        text = dtype_name(value.dtype);
        break;
    case VALUE_UNIT:
        elab_fail(t->e, DIAG_E0201, span, "this has no value to print");
        t->failed = true;
        return;
    default:
        text = elab_type_text(t->e, value);
    }
    text_builder_add(t, text, strlen(text));
}

void text_builder_add_interpolation(TextBuilder *t, const AstNode *node) {
    AstList pieces = ast_interpolation_pieces(node);
    for (uint32_t i = 0; i < pieces.count; i++) {
        const AstNode *piece = pieces.items[i];
        if (piece->kind == AST_STRING) {
            text_builder_add(t, piece->text, piece->text_length);
            continue;
        }
        const AstNode *inner = ast_interpolated_value(piece);
        if (inner->kind == AST_INTERPOLATION && !piece->text)
            text_builder_add_interpolation(t, inner);
        else
            text_builder_add_value(t, elab_expression(t->e, inner), piece->text,
                                   piece->text ? strlen(piece->text) : 0, inner->span);
    }
}

/* ---- templates of gmxrt_print ----------------------------------------------------------------------------
 */

static void add_plain(TextBuffer *out, const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) /* the marks, and NUL, cannot be printed */
        if ((unsigned char)text[i] > LAST_MARK)
            text_append(out, text + i, 1);
}

/* \1 number \2 spec \3, or \1 number \4 string \5 string ... \3 */
static void add_template_hole(TextBuffer *out, const TextPiece *piece, uint32_t number) {
    char head[3] = {1, (char)(number + 1), piece->choices ? 4 : 2};
    text_append(out, head, 3);
    if (!piece->choices)
        add_plain(out, piece->text, piece->length);
    for (uint32_t k = 0; piece->choices && k < piece->choice_count; k++) {
        if (k)
            text_append(out, "\5", 1);
        add_plain(out, piece->choices[k].text, piece->choices[k].length);
    }
    text_append(out, "\3", 1);
}

static void add_template(TextBuffer *out, const TextPiece *pieces, uint32_t count) {
    uint32_t number = 0;
    text_append(out, "", 0);
    for (uint32_t i = 0; i < count; i++)
        if (pieces[i].is_hole)
            add_template_hole(out, &pieces[i], number++);
        else
            add_plain(out, pieces[i].text, pieces[i].length);
}

const char *elab_text_template(Arena *arena, Value text) {
    TextBuffer out = {.arena = arena};
    add_template(&out, text.pieces->items, text.pieces->count);
    return out.text;
}

Value text_builder_print(TextBuilder *t, Span span) {
    Elaborator *e = t->e;
    TextBuffer out = {.arena = e->arena};
    NodeList nodes = {0};
    if (t->failed)
        return elab_poison();
    add_template(&out, t->pieces.items, t->pieces.count);
    for (uint32_t i = 0; i < t->items.count; i++)
        vec_push(e->arena, &nodes, elab_node(e, t->items.items[i]).node);
    elab_at(e, span);
    IrNode *token = ir_print(&e->b, e->token->value.node, intern(e->names, out.text, out.length), nodes.items,
                             nodes.count);
    elab_set(e, e->token, (Value){.kind = VALUE_TOKEN, .node = token});
    return value_of_kind(VALUE_UNIT);
}

/* ---- as a value -------------------------------------------------------------------------------------------
 */

static Value text_value(Elaborator *e, const TextPiece *pieces, uint32_t piece_count, Value *items,
                        uint32_t item_count) {
    TextPieces *template = ARENA_NEW(e->arena, TextPieces);
    *template = (TextPieces){piece_count, pieces};
    return (Value){.kind = VALUE_TEXT, .tuple = elab_tuple_of(e, item_count, items), .pieces = template};
}

Value elab_shown_on_pattern(Elaborator *e, Value value, Span span) {
    TextBuilder t = {.e = e};
    add_on_pattern(&t, value, span);
    return text_builder_value(&t);
}

Value text_builder_value(TextBuilder *t) {
    if (t->failed)
        return elab_poison();
    if (t->items.count)
        return text_value(t->e, t->pieces.items, t->pieces.count, t->items.items, t->items.count);
    TextBuffer out = {.arena = t->e->arena};
    text_append(&out, "", 0);
    for (uint32_t i = 0; i < t->pieces.count; i++)
        text_append(&out, t->pieces.items[i].text, t->pieces.items[i].length);
    return (Value){.kind = VALUE_STRING, .text = out.text, .length = (uint32_t)out.length};
}

Value elab_interpolation(Elaborator *e, const AstNode *node) {
    TextBuilder t = {.e = e};
    text_builder_add_interpolation(&t, node);
    return text_builder_value(&t);
}

Value elab_known_text(Elaborator *e, Value value, Span span) {
    if (value.kind != VALUE_TEXT || !e->options.host.format)
        return value;
    for (uint32_t i = 0; i < value.tuple->count; i++) {
        Value item = value.tuple->items[i];
        if (item.kind != VALUE_CONSTANT &&
            !(item.kind == VALUE_SLOT && (item.slot->tensor || item.slot->data)))
            return value;
    }
    Value out = value_of_kind(VALUE_STRING);
    if (!e->options.host.format(e->options.host.user, value, span, &out.text, &out.length))
        return elab_poison();
    return out;
}

/* ---- choices --------------------------------------------------------------------------------------------
 */

/* A string, or one that is picked from several: its strings and the number of the one that it is. */
static bool as_choice(Elaborator *e, Value value, const Value **strings, uint32_t *count, Value *number) {
    if (value.kind == VALUE_STRING) {
        Value *copy = ARENA_NEW(e->arena, Value);
        *copy = value;
        *strings = copy;
        *count = 1;
        *number = elab_constant(DTYPE_i64, 0, false);
        return true;
    }
    const TextPieces *pieces = value.pieces;
    if (pieces->count != 1 || !pieces->items[0].choices)
        return false;
    *strings = pieces->items[0].choices;
    *count = pieces->items[0].choice_count;
    *number = value.tuple->items[0];
    return true;
}

static bool same_pieces(const TextPieces *a, const TextPieces *b) {
    if (a == b)
        return true;
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        const TextPiece *x = &a->items[i], *y = &b->items[i];
        if (x->is_hole != y->is_hole || x->choices != y->choices || x->length != y->length ||
            (x->length && memcmp(x->text, y->text, x->length)))
            return false;
    }
    return true;
}

bool elab_match_texts(Elaborator *e, Value *yes, Value *no, IrRegion *no_region) {
    const Value *strings[2];
    uint32_t counts[2];
    Value numbers[2];
    if (yes->kind == VALUE_TEXT && no->kind == VALUE_TEXT && same_pieces(yes->pieces, no->pieces))
        return true;
    if (!as_choice(e, *yes, &strings[0], &counts[0], &numbers[0]) ||
        !as_choice(e, *no, &strings[1], &counts[1], &numbers[1]))
        return false;
    TextPiece *piece = ARENA_NEW(e->arena, TextPiece);
    Value *all = ARENA_ARRAY(e->arena, Value, counts[0] + counts[1]);
    memcpy(all, strings[0], counts[0] * sizeof *all);
    memcpy(all + counts[0], strings[1], counts[1] * sizeof *all);
    *piece = (TextPiece){.is_hole = true, .choices = all, .choice_count = counts[0] + counts[1]};
    IrRegion *region = e->b.region;
    e->b.region = no_region;
    OperandInfo infos[2] = {{{0}, NULL}, {{0}, NULL}};
    numbers[1] = elab_elementwise(
        e, OP_add, (Value[]){numbers[1], elab_constant(DTYPE_i64, counts[0], false)}, infos, (Span){0});
    e->b.region = region;
    Value *items = ARENA_ARRAY(e->arena, Value, 2);
    items[0] = numbers[0];
    items[1] = numbers[1];
    *yes = text_value(e, piece, 1, items, 1);
    *no = *yes;
    no->tuple = elab_tuple_of(e, 1, items + 1);
    return true;
}

Value elab_text_equality(Elaborator *e, Value left, Value right, Span span) {
    const Value *strings[2];
    uint32_t counts[2];
    Value numbers[2], equal = elab_constant(DTYPE_bool, false, false);
    OperandInfo infos[2] = {{span, NULL}, {span, NULL}};
    if (!as_choice(e, left, &strings[0], &counts[0], &numbers[0]) ||
        !as_choice(e, right, &strings[1], &counts[1], &numbers[1]))
        return elab_unsupported(e, span, "comparing a string that has values in it");
    for (uint32_t i = 0; i < counts[0]; i++)
        for (uint32_t k = 0; k < counts[1]; k++) {
            if (!elab_same_value(strings[0][i], strings[1][k]))
                continue;
            Value sides[2][2] = {{numbers[0], elab_constant(DTYPE_i64, i, false)},
                                 {numbers[1], elab_constant(DTYPE_i64, k, false)}};
            Value both[2] = {elab_elementwise(e, OP_eq, sides[0], infos, span),
                             elab_elementwise(e, OP_eq, sides[1], infos, span)};
            Value one = elab_elementwise(e, OP_logical_and, both, infos, span);
            equal = elab_elementwise(e, OP_logical_or, (Value[]){equal, one}, infos, span);
        }
    return equal;
}
