/* Sequences: what `for` runs over when each item is computed from its number, and the bar that shows how far
 * a loop is.
 *
 * A SEQUENCE has three items: how many there are; what gives item i (a function of i, a RANGE, or a tensor
 * whose first axis it is); the label of its bar, NONE without a bar. */
#include "frontend/elab_builtin.h"
#include "frontend/elab_text.h"

enum { SEQUENCE_COUNT, SEQUENCE_SOURCE, SEQUENCE_LABEL, SEQUENCE_ITEMS };

/* GMXRT_SHOW_PROGRESS and GMXRT_SHOW_REPORT of gmxrt.h. */
#define PROGRESS_PREFIX "\x01\x01\x06"
#define REPORT_PREFIX   "\x01\x01\x07"

static Value sequence_value(Elaborator *e, Value count, Value source, Value label) {
    Value items[SEQUENCE_ITEMS] = {count, source, label};
    ValueTuple *tuple = elab_tuple(e, SEQUENCE_ITEMS);
    memcpy(tuple->items, items, sizeof items);
    return (Value){.kind = VALUE_SEQUENCE, .tuple = tuple};
}

Value elab_sequence_count(Value sequence) {
    return sequence.tuple->items[SEQUENCE_COUNT];
}

Value elab_sequence_source(Value sequence) {
    return sequence.tuple->items[SEQUENCE_SOURCE];
}

bool elab_sequence_has_bar(Value sequence) {
    return sequence.tuple->items[SEQUENCE_LABEL].kind == VALUE_STRING;
}

Value elab_sequence_item(Elaborator *e, Value sequence, IrNode *index, Span span) {
    Value source = elab_sequence_source(sequence);
    if (source.kind == VALUE_RANGE)
        return value_weak(ir_binary(&e->b, OP_add, elab_node(e, source.tuple->items[0]).node, index));
    uint32_t rank;
    if (elab_rank_of(source, &rank))
        return value_tensor(elab_first_axis_item(e, elab_node(e, source).node, index));
    Argument argument = {.value = value_weak(index), .span = span};
    return elab_call_value(e, source, &argument, 1, span);
}

/* The effect of a template on the output, after those before it. */
static void show(Elaborator *e, const char *prefix, const char *template, IrNode *const *nodes,
                 uint32_t count) {
    Name name = elab_intern(e, arena_format(e->arena, "%s%s", prefix, template));
    IrNode *token = ir_print(&e->b, e->token->value.node, name, nodes, count);
    elab_set(e, e->token, (Value){.kind = VALUE_TOKEN, .node = token});
}

void elab_sequence_show(Elaborator *e, Value sequence, IrNode *done) {
    Value label = sequence.tuple->items[SEQUENCE_LABEL];
    IrNode *nodes[] = {done, elab_node(e, elab_sequence_count(sequence)).node};
    show(e, PROGRESS_PREFIX, arena_copy_text(e->arena, label.text, label.length), nodes, 2);
}

/* sequence(n, f): f(0), f(1), … f(n - 1), each when a loop comes to it. */
Value builtin_sequence(Elaborator *e, BuiltinCall *call) {
    IrNode *count = elab_size_node(e, call->values[0], call->spans[0], "how many items there are");
    if (!count)
        return elab_poison();
    Value f = call->values[1];
    if (f.kind != VALUE_FUNCTION && f.kind != VALUE_BUILTIN && f.kind != VALUE_MAPPED &&
        f.kind != VALUE_DERIVATIVE)
        return value_is(f, VALUE_POISON)
                   ? f
                   : elab_fail(e, DIAG_E0201, call->spans[1],
                               "the items of a sequence come from a function, not %s", elab_kind_text(e, f));
    return sequence_value(e, value_weak(count), f, value_of_kind(VALUE_NONE));
}

static bool may_show(Elaborator *e, const BuiltinCall *call, const char *what) {
    if (e->is_exporting || e->is_differentiating)
        elab_fail(e, DIAG_E0211, call->span, "%s cannot %s",
                  e->is_exporting ? "an `export fn`" : "a differentiated function", what);
    return !e->is_exporting && !e->is_differentiating;
}

/* progress(range, label=""): the same to a loop, which shows a bar on a terminal meanwhile. */
Value builtin_progress(Elaborator *e, BuiltinCall *call) {
    Value over = call->values[0], label = elab_known_text(e, call->values[1], call->spans[1]);
    uint32_t rank;
    if (value_is(over, VALUE_POISON) || !may_show(e, call, "show progress"))
        return elab_poison();
    if (label.kind != VALUE_STRING || memchr(label.text, 0, label.length) ||
        memchr(label.text, 1, label.length))
        return elab_fail(e, DIAG_E0201, call->spans[1],
                         "the label of `progress` is a string that is known before the loop");
    if (!e->options.shows_progress || over.kind == VALUE_TUPLE)
        return over;
    if (over.kind == VALUE_SEQUENCE)
        return sequence_value(e, elab_sequence_count(over), elab_sequence_source(over), label);
    if (over.kind == VALUE_RANGE) {
        IrNode *count = ir_binary(&e->b, OP_sub, elab_node(e, over.tuple->items[1]).node,
                                  elab_node(e, over.tuple->items[0]).node);
        return sequence_value(e, value_weak(count), over, label);
    }
    if (!elab_rank_of(over, &rank) || rank == 0)
        return elab_fail(e, DIAG_E0201, call->spans[0], "`progress` goes around what `for` runs over, not %s",
                         elab_kind_text(e, over));
    over = elab_node(e, over);
    return sequence_value(e, value_weak(ir_dim(&e->b, over.node, 0)), over, label);
}

/* report(values…): what print would write, behind the bar of the loop around. */
Value builtin_report(Elaborator *e, BuiltinCall *call) {
    const ValueTuple *values = call->values[0].tuple;
    TextBuilder t = {.e = e};
    NodeList nodes = {0};
    if (!may_show(e, call, "show progress"))
        return elab_poison();
    for (uint32_t i = 0; i < values->count; i++) {
        if (i)
            text_builder_add(&t, " ", 1);
        text_builder_add_value(&t, values->items[i], NULL, 0, call->rest[i].span);
    }
    Value text = text_builder_value(&t);
    if (value_is(text, VALUE_POISON) || !e->options.shows_progress)
        return value_is(text, VALUE_POISON) ? text : value_of_kind(VALUE_UNIT);
    elab_at(e, call->span);
    if (text.kind == VALUE_STRING && !memchr(text.text, 1, text.length)) {
        show(e, REPORT_PREFIX, arena_copy_text(e->arena, text.text, text.length), NULL, 0);
    } else if (text.kind == VALUE_TEXT) {
        for (uint32_t i = 0; i < text.tuple->count; i++)
            vec_push(e->arena, &nodes, elab_node(e, text.tuple->items[i]).node);
        show(e, REPORT_PREFIX, elab_text_template(e->arena, text), nodes.items, nodes.count);
    }
    return value_of_kind(VALUE_UNIT);
}
