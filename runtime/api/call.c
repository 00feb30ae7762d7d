/* Calls of a session's functions from C.  A call is compiled once per combination of dtypes, ranks and
 * layouts; further ones go straight to the code and leave nothing behind in the session. */
#include "runtime/api/internal.h"

#include <stdio.h>

static gmxrt_tensor *inner(gmx_tensor *tensor) {
    return (gmxrt_tensor *)tensor;
}

/* ---- compiled calls ------------------------------------------------------------------------------------ */

typedef enum PartKind {
    PART_ARGUMENT, /* number `index` */
    PART_RESULT,   /* of the code, number `index` */
    PART_VALUE,    /* a constant, or what a global holds */
    PART_KEY,      /* of the random stream */
    PART_COUNTER,
    PART_DROPPED,
} PartKind;

typedef struct Part {
    PartKind kind;
    uint32_t index;
    Value value;
    uint32_t fixed_axes;  /* of an ARGUMENT: bits of the sizes that the code takes as constants, */
    const int64_t *shape; /* and what they must be */
} Part;

typedef struct Parts {
    uint32_t count;
    Part *items;
} Parts;

struct CallEntry {
    const char *key;
    uint64_t generation;
    CompiledFunction code; /* NULL: there is nothing to compute */
    Parts parameters;      /* of the code: where each comes from */
    Parts made;            /* results of the code: where each goes that is no value of the function */
    Parts values;          /* of the function: where each comes from */
};

/* What a function is specialised for: dtypes, ranks, contiguity, extents of 1; and the sizes that a
 * declared type spells (sizes_fit). */
static const char *call_key(Arena *arena, const char *function, gmx_tensor *const *arguments, size_t count) {
    char *key = arena_alloc(arena, strlen(function) + 2 + count * (GMX_MAX_RANK + 4));
    char *p = key + sprintf(key, "%s(", function);
    for (size_t i = 0; i < count; i++) {
        const gmxrt_tensor *t = inner(arguments[i]);
        *p++ = (char)('A' + t->dtype);
        for (int32_t k = 0; k < t->rank; k++)
            *p++ = t->shape[k] == 1 ? '1' : 'n';
        *p++ = gmxrt_tensor_is_contiguous(t) ? 'c' : 's';
        *p = '\0';
    }
    return key;
}

static bool sizes_fit(const CallEntry *call, gmx_tensor *const *arguments) {
    for (uint32_t i = 0; i < call->parameters.count; i++) {
        const Part *part = &call->parameters.items[i];
        for (uint32_t k = 0; k < GMX_MAX_RANK; k++)
            if (part->fixed_axes >> k & 1 && inner(arguments[part->index])->shape[k] != part->shape[k])
                return false;
    }
    return true;
}

static CallEntry *find_call(const gmx_session *s, const char *key, gmx_tensor *const *arguments) {
    for (uint32_t i = 0; i < s->calls.count; i++)
        if (s->calls.items[i]->generation == s->generation && !strcmp(s->calls.items[i]->key, key) &&
            sizes_fit(s->calls.items[i], arguments))
            return s->calls.items[i];
    return NULL;
}

void call_count_uses(gmx_session *s) {
    for (uint32_t i = 0; i < s->calls.count; i++) {
        const CallEntry *call = s->calls.items[i];
        const Parts *lists[] = {&call->parameters, &call->values};
        for (uint32_t k = 0; k < 2 * call->parameters.count + 2 * call->values.count; k++) {
            const Parts *list = lists[k & 1];
            bool holds = call->generation == s->generation && k / 2 < list->count &&
                         list->items[k / 2].kind == PART_VALUE;
            if (holds && list->items[k / 2].value.kind == VALUE_SLOT)
                list->items[k / 2].value.slot->uses++;
        }
    }
}

static void set_random(gmx_session *s, bool is_counter, gmxrt_tensor *tensor) {
    ElabSlot *slot = elab_random_slot(s->elaborator, is_counter);
    if (!slot || slot->data) { /* a constant keeps its value */
        slot = elab_slot_new(s->elaborator, NULL, (Dtype)tensor->dtype, (uint32_t)tensor->rank);
        elab_set_random_slot(s->elaborator, is_counter, slot);
    }
    session_set_tensor(s, slot, tensor);
}

/* A parameter of the code, borrowed; NULL: no memory. */
static gmxrt_tensor *parameter_tensor(gmx_session *s, const Part *part, gmx_tensor *const *arguments) {
    if (part->kind == PART_ARGUMENT)
        return inner(arguments[part->index]);
    bool is_random = part->kind == PART_KEY || part->kind == PART_COUNTER;
    return session_tensor(s, is_random ? elab_random_slot(s->elaborator, part->kind == PART_COUNTER)
                                       : part->value.slot);
}

/* A value of the function, with a reference; NULL: no memory. */
static gmxrt_tensor *value_tensor_of(gmx_session *s, const Part *part, gmx_tensor *const *arguments,
                                     gmxrt_tensor *const *made) {
    if (part->kind == PART_VALUE)
        return session_tensor_of(s, &part->value);
    gmxrt_tensor *tensor = part->kind == PART_ARGUMENT ? inner(arguments[part->index]) : made[part->index];
    gmxrt_tensor_retain(tensor);
    return tensor;
}

static void give_results(gmx_session *s, const CallEntry *call, gmx_tensor *const *arguments,
                         gmxrt_tensor *const *made, gmx_tensor **results) {
    gmxrt_tensor **values = ARENA_ARRAY(&s->report, gmxrt_tensor *, call->values.count + 1);
    uint32_t count = 0;
    for (; count < call->values.count; count++)
        if (!(values[count] = value_tensor_of(s, &call->values.items[count], arguments, made)))
            break;
    for (uint32_t i = 0; count == call->values.count && i < count; i++)
        results[i] = (gmx_tensor *)values[i];
    while (count < call->values.count && count-- > 0)
        gmxrt_tensor_release(values[count]);
}

static void run_call(gmx_session *s, const CallEntry *call, gmx_tensor *const *arguments,
                     gmx_tensor **results) {
    gmxrt_tensor **parameters = ARENA_ARRAY(&s->report, gmxrt_tensor *, call->parameters.count + 1);
    gmxrt_tensor **made = ARENA_ARRAY(&s->report, gmxrt_tensor *, call->made.count + 1);
    bool is_ready = true;
    for (uint32_t i = 0; is_ready && i < call->parameters.count; i++)
        is_ready = (parameters[i] = parameter_tensor(s, &call->parameters.items[i], arguments)) != NULL;
    if (is_ready && (!call->code || !call->code(s->ctx, parameters, made))) {
        give_results(s, call, arguments, made, results);
        for (uint32_t i = 0; i < call->made.count; i++) {
            PartKind kind = call->made.items[i].kind;
            if (kind == PART_KEY || kind == PART_COUNTER)
                set_random(s, kind == PART_COUNTER, made[i]);
            else
                gmxrt_tensor_release(made[i]);
        }
    }
    session_collect_run_errors(s);
}

/* ---- compiling a call ------------------------------------------------------------------------------------
 */

typedef struct Compiled { /* a call that was just compiled and run, for remember_call */
    const ElabUnit *unit;
    const Value *arguments;
    uint32_t argument_count;
    const Value *values;
    uint32_t value_count;
    const ElabSlot *before[2], *after[2]; /* the random stream: key and counter */
} Compiled;

static Part part_of_slot(const Compiled *c, ElabSlot *slot, const ElabSlot *const random[2]) {
    for (uint32_t i = 0; i < c->argument_count; i++)
        if (c->arguments[i].slot == slot)
            return (Part){.kind = PART_ARGUMENT, .index = i};
    if (random && slot == random[0])
        return (Part){.kind = PART_KEY};
    if (random && slot == random[1])
        return (Part){.kind = PART_COUNTER};
    return (Part){.kind = PART_VALUE, .value = {.kind = VALUE_SLOT, .slot = slot}};
}

static Part part_of_value(const Compiled *c, const Value *value) {
    if (value->kind != VALUE_SLOT)
        return (Part){.kind = PART_VALUE, .value = *value};
    for (uint32_t i = 0; i < c->unit->results.count; i++)
        if (c->unit->results.items[i].slot == value->slot)
            return (Part){.kind = PART_RESULT, .index = i};
    return part_of_slot(c, value->slot, NULL);
}

/* Where a result of the code goes besides being a value of the function. */
static Part part_of_result(const Compiled *c, const ElabSlot *slot) {
    for (uint32_t k = 0; k < 2; k++)
        if (slot == c->after[k])
            return (Part){.kind = k ? PART_COUNTER : PART_KEY};
    return (Part){.kind = PART_DROPPED};
}

/* The stream is read from its slots and goes on in results of the code, or stays as it is. */
static bool keeps_stream(const Compiled *c) {
    for (uint32_t k = 0; k < 2; k++) {
        bool is_kept = c->before[k] && c->after[k] == c->before[k];
        for (uint32_t i = 0; c->before[k] && c->after[k] && i < c->unit->results.count; i++)
            is_kept = is_kept || c->unit->results.items[i].slot == c->after[k];
        if (!is_kept)
            return false;
    }
    return true;
}

/* An argument of the code, with the sizes that it must have. */
static Part part_of_parameter(gmx_session *s, const Compiled *c, ElabSlot *slot) {
    Part part = part_of_slot(c, slot, c->before);
    if (part.kind != PART_ARGUMENT || !slot->fixed_axes)
        return part;
    int64_t *shape = ARENA_ARRAY(&s->arena, int64_t, IR_MAX_RANK);
    for (uint32_t k = 0; k < slot->rank; k++)
        shape[k] = slot->shape[k];
    part.fixed_axes = slot->fixed_axes;
    part.shape = shape;
    return part;
}

static Parts parts_new(gmx_session *s, uint32_t count) {
    return (Parts){count, ARENA_ARRAY(&s->arena, Part, count + 1)};
}

/* An entry of names that have changed since makes room for a new one. */
static void keep_call(gmx_session *s, CallEntry *call) {
    for (uint32_t i = 0; i < s->calls.count; i++)
        if (s->calls.items[i]->generation != s->generation) {
            s->calls.items[i] = call;
            return;
        }
    vec_push(&s->arena, &s->calls, call);
}

/* Keeps the unit that has just run for the next call with such arguments. */
static void remember_call(gmx_session *s, const char *key, const Compiled *c) {
    bool has_work = c->unit->results.count || c->unit->has_token || c->unit->function->body->results.count;
    if ((has_work && !s->last_code) || c->unit->effects.count || !keeps_stream(c))
        return;
    for (uint32_t i = 0; i < c->value_count; i++)
        if (c->values[i].kind != VALUE_SLOT && c->values[i].kind != VALUE_CONSTANT)
            return;
    CallEntry *call = ARENA_NEW(&s->arena, CallEntry);
    *call = (CallEntry){.key = arena_copy_text(&s->arena, key, strlen(key)),
                        .generation = s->generation,
                        .code = s->last_code,
                        .parameters = parts_new(s, c->unit->parameters.count),
                        .made = parts_new(s, c->unit->results.count),
                        .values = parts_new(s, c->value_count)};
    for (uint32_t i = 0; i < call->parameters.count; i++)
        call->parameters.items[i] = part_of_parameter(s, c, c->unit->parameters.items[i].slot);
    for (uint32_t i = 0; i < call->made.count; i++)
        call->made.items[i] = part_of_result(c, c->unit->results.items[i].slot);
    for (uint32_t i = 0; i < call->values.count; i++)
        call->values.items[i] = part_of_value(c, &c->values[i]);
    keep_call(s, call);
}

static void take_results(gmx_session *s, const Compiled *c, const char *function, gmx_tensor **results) {
    gmxrt_tensor **made = ARENA_ARRAY(&s->report, gmxrt_tensor *, c->value_count + 1);
    for (uint32_t i = 0; i < c->value_count; i++) {
        made[i] = session_tensor_of(s, &c->values[i]);
        session_collect_run_errors(s);
        if (made[i])
            continue;
        if (!s->sink.error_count)
            diag_error(&s->sink, DIAG_E0201, (Span){0}, "value %u of `%s` is no tensor", i, function);
        while (i-- > 0)
            gmxrt_tensor_release(made[i]);
        return;
    }
    for (uint32_t i = 0; i < c->value_count; i++)
        results[i] = (gmx_tensor *)made[i];
}

static bool has_count(gmx_session *s, const char *function, size_t have, size_t wanted) {
    if (have != wanted)
        diag_error(&s->sink, DIAG_E0204, (Span){0}, "`%s` gives %zu values, %zu were asked for", function,
                   have, wanted);
    return have == wanted;
}

static void look_at_stream(gmx_session *s, const ElabSlot *slots[2]) {
    for (int k = 0; k < 2; k++)
        slots[k] = elab_random_slot(s->elaborator, k);
}

static ElabSlot *argument_slot(gmx_session *s, gmxrt_tensor *tensor) {
    ElabSlot *slot = elab_slot_new(s->elaborator, NULL, (Dtype)tensor->dtype, (uint32_t)tensor->rank);
    gmxrt_tensor_retain(tensor);
    session_set_tensor(s, slot, tensor);
    return slot;
}

static void compile_call(gmx_session *s, const char *function, const char *key, gmx_tensor *const *arguments,
                         size_t count, gmx_tensor **results, size_t result_count) {
    Compiled c = {.argument_count = (uint32_t)count};
    program_open_unit(s);
    Value *values = ARENA_ARRAY(&s->report, Value, count + 1);
    for (size_t i = 0; i < count; i++)
        values[i] = (Value){.kind = VALUE_SLOT, .slot = argument_slot(s, inner(arguments[i]))};
    look_at_stream(s, c.before);
    ElabOutcome outcome =
        elab_call_global(s->elaborator, intern_text(&s->names, function), values, (uint32_t)count);
    bool has_run = program_run_unit(s) && outcome.ok && !s->sink.error_count;
    look_at_stream(s, c.after);
    c.unit = s->last_unit;
    c.arguments = values;
    if (outcome.has_value) {
        bool is_tuple = outcome.value->kind == VALUE_TUPLE;
        c.values = is_tuple ? outcome.value->tuple->items : outcome.value;
        c.value_count = is_tuple ? outcome.value->tuple->count : 1;
    }
    if (has_run && has_count(s, function, c.value_count, result_count))
        take_results(s, &c, function, results);
    if (outcome.ok && c.unit) /* one that failed while running may be called again as well */
        remember_call(s, key, &c);
    session_sweep(s); /* arguments and results of this call only */
}

gmx_status gmx_call(gmx_session *session, const char *function, gmx_tensor *const *arguments,
                    size_t argument_count, gmx_tensor **results, size_t result_count) {
    SESSION_ENTER(session, function && (arguments || !argument_count) && (results || !result_count));
    for (size_t i = 0; i < argument_count; i++)
        if (!arguments[i])
            return session_misuse(session, "an argument is NULL");
    const char *key = call_key(&session->report, function, arguments, argument_count);
    const CallEntry *call = find_call(session, key, arguments);
    if (!call)
        compile_call(session, function, key, arguments, argument_count, results, result_count);
    else if (has_count(session, function, call->values.count, result_count))
        run_call(session, call, arguments, results);
    return session_end(session);
}

gmx_status gmx_call1(gmx_session *session, const char *function, gmx_tensor *argument, gmx_tensor **out) {
    return gmx_call(session, function, &argument, 1, out, 1);
}
