/* The walk of the reference evaluator: regions, control flow, checks; values are computed when asked for and
 * kept per activation of their region. */
#include "tests/reference/reference.h"

#include <stdio.h>

enum { DEPTH_LIMIT = 4000, TRIP_LIMIT = 100000 };

typedef struct Entry {
    const IrNode *node;
    RefTensor **values; /* one per result */
} Entry;

struct RefFrame { /* one activation of a region */
    const IrRegion *region;
    RefFrame *parent;
    Entry *table; /* open addressing */
    uint32_t count, capacity;
};

_Noreturn void ref_stop(Reference *r, RefStatus status, DiagCode code, const char *format, ...) {
    va_list list;
    va_start(list, format);
    r->message = arena_format_list(r->arena, format, list);
    va_end(list);
    r->status = status;
    r->code = code;
    longjmp(r->stop, 1);
}

/* ---- frames ----------------------------------------------------------------------------------------------
 */

static RefFrame *frame_new(Reference *r, const IrRegion *region, RefFrame *parent) {
    RefFrame *frame = ARENA_NEW(r->arena, RefFrame);
    *frame = (RefFrame){.region = region, .parent = parent};
    return frame;
}

static Entry *find(const RefFrame *frame, const IrNode *node) {
    uint32_t mask = frame->capacity - 1, at = (node->id * 2654435761u) & mask;
    if (!frame->capacity)
        return NULL;
    while (frame->table[at].node && frame->table[at].node != node)
        at = (at + 1) & mask;
    return &frame->table[at];
}

static void keep(Reference *r, RefFrame *frame, const IrNode *node, RefTensor **values) {
    if (2 * (frame->count + 1) > frame->capacity) {
        RefFrame old = *frame;
        frame->capacity = old.capacity ? 2 * old.capacity : 16;
        frame->table = ARENA_ARRAY(r->arena, Entry, frame->capacity);
        for (uint32_t i = 0; i < old.capacity; i++)
            if (old.table[i].node)
                *find(frame, old.table[i].node) = old.table[i];
    }
    *find(frame, node) = (Entry){node, values};
    frame->count++;
}

static void keep_one(Reference *r, RefFrame *frame, const IrNode *node, RefTensor *value) {
    RefTensor **values = ARENA_NEW(r->arena, RefTensor *);
    *values = value;
    keep(r, frame, node, values);
}

/* ---- control flow ----------------------------------------------------------------------------------------
 */

static RefTensor **region_results(Reference *r, RefFrame *frame) {
    const IrRegion *region = frame->region;
    RefTensor **values = ARENA_ARRAY(r->arena, RefTensor *, region->results.count);
    for (uint32_t i = 0; i < region->results.count; i++)
        values[i] = ref_value(r, frame, region->results.items[i]);
    return values;
}

static bool truth(Reference *r, RefFrame *frame, const IrNode *node) {
    return ref_value(r, frame, node)->at[0].i != 0;
}

static RefFrame *enter(Reference *r, const IrRegion *region, RefFrame *parent, uint32_t skip,
                       RefTensor **values) {
    RefFrame *frame = frame_new(r, region, parent);
    for (uint32_t i = skip; i < region->parameters.count; i++)
        keep_one(r, frame, region->parameters.items[i], values[i - skip]);
    return frame;
}

static RefTensor **run_for(Reference *r, RefFrame *frame, const IrNode *node) {
    int64_t begin = ref_integer(r, frame, node->operands[0]), end = ref_integer(r, frame, node->operands[1]);
    RefTensor **values = ARENA_ARRAY(r->arena, RefTensor *, node->result_count);
    for (uint32_t i = 0; i < node->result_count; i++)
        values[i] = ref_value(r, frame, node->operands[2 + i]);
    if (end > begin && end - begin > TRIP_LIMIT)
        ref_stop(r, REF_TOO_MUCH, 0, "a long loop");
    for (int64_t i = begin; i < end; i++) {
        RefFrame *body = enter(r, node->regions[0], frame, 1, values);
        RefTensor *counter = ref_tensor_new(r, DTYPE_i64, 0, NULL);
        counter->at[0].i = i;
        keep_one(r, body, node->regions[0]->parameters.items[0], counter);
        values = region_results(r, body);
    }
    return values;
}

static RefTensor **run_while(Reference *r, RefFrame *frame, const IrNode *node) {
    RefTensor **values = ARENA_ARRAY(r->arena, RefTensor *, node->result_count);
    for (uint32_t i = 0; i < node->result_count; i++)
        values[i] = ref_value(r, frame, node->operands[i]);
    for (int64_t trips = 0;; trips++) {
        RefFrame *condition = enter(r, node->regions[0], frame, 0, values);
        if (!truth(r, condition, node->regions[0]->results.items[0]))
            return values;
        if (trips == TRIP_LIMIT)
            ref_stop(r, REF_TOO_MUCH, 0, "a long loop");
        values = region_results(r, enter(r, node->regions[1], frame, 0, values));
    }
}

static RefTensor **run_if(Reference *r, RefFrame *frame, const IrNode *node) {
    const IrRegion *region = node->regions[truth(r, frame, node->operands[0]) ? 0 : 1];
    return region_results(r, frame_new(r, region, frame));
}

/* ---- single nodes ----------------------------------------------------------------------------------------
 */

static RefTensor *constant(Reference *r, const IrNode *node) {
    RefTensor *x = ref_tensor_new(r, ir_dtype(node), 0, NULL);
    x->at[0] = ref_load(x->dtype, &node->attributes[0]);
    ref_finish(r, x, NULL, 0);
    return x;
}

static RefTensor *iota(Reference *r, int64_t extent) {
    RefTensor *x = ref_tensor_new(r, DTYPE_i64, 1, &extent);
    for (int64_t i = 0; i < x->size; i++)
        x->at[i].i = i;
    return x;
}

static RefTensor *check_index(Reference *r, RefTensor *x, int64_t extent) {
    RefTensor *y = ref_tensor_like(r, DTYPE_i64, x);
    for (int64_t i = 0; i < x->size; i++) {
        int64_t at = x->at[i].i;
        if (at < -extent || at >= extent)
            ref_stop(r, REF_FAILED, DIAG_E0302, "index %lld of %lld", (long long)at, (long long)extent);
        y->at[i].i = at < 0 ? at + extent : at;
    }
    return y;
}

static RefTensor *scalar(Reference *r, int64_t value) {
    RefTensor *x = ref_tensor_new(r, DTYPE_i64, 0, NULL);
    x->at[0].i = value;
    return x;
}

static RefTensor *control(Reference *r, RefFrame *frame, const IrNode *node) {
    IrNode *const *x = node->operands;
    switch (node->op) {
    case OP_param:
        if (node->region->parent)
            ref_stop(r, REF_BROKEN, 0, "a parameter without a value");
        return r->parameter(r->user, node);
    case OP_const:
        return constant(r, node);
    case OP_cast:
        return ref_cast(r, ref_value(r, frame, x[0]), ir_dtype(node));
    case OP_iota:
        return iota(r, ref_integer(r, frame, x[0]));
    case OP_dim:
        return scalar(r, ref_value(r, frame, x[0])->shape[node->attributes[0]]);
    case OP_check_equal:
        if (ref_integer(r, frame, x[0]) != ref_integer(r, frame, x[1]))
            ref_stop(r, REF_FAILED, DIAG_E0301, "%s", node->text->text);
        return ref_value(r, frame, x[0]);
    case OP_check_true:
        if (!truth(r, frame, x[0]))
            ref_stop(r, REF_FAILED, (DiagCode)node->attributes[0], "%s", node->text->text);
        return ref_value(r, frame, x[1]);
    case OP_check_index:
        return check_index(r, ref_value(r, frame, x[0]), ref_integer(r, frame, x[1]));
    case OP_stop_gradient: /* says something to derivatives alone */
        return ref_value(r, frame, x[0]);
    case OP_token:
        return scalar(r, 0);
    case OP_print:
        for (uint32_t i = 0; i < node->operand_count; i++)
            ref_value(r, frame, x[i]);
        return scalar(r, 0);
    default:
        ref_stop(r, REF_BROKEN, 0, "the front end does not make %s", op_name(node->op));
    }
}

static RefTensor *view(Reference *r, RefFrame *frame, const IrNode *node) {
    RefTensor *x = ref_value(r, frame, node->operands[0]);
    int64_t *numbers = ARENA_ARRAY(r->arena, int64_t, node->operand_count);
    for (uint32_t i = 1; i < node->operand_count; i++)
        numbers[i - 1] = ref_integer(r, frame, node->operands[i]);
    return ref_view(r, node, x, numbers);
}

static RefTensor *compute(Reference *r, RefFrame *frame, const IrNode *node) {
    OpClass class = op_info[node->op].class;
    if (class == CLASS_CONTROL)
        return control(r, frame, node);
    if (class == CLASS_VIEW)
        return view(r, frame, node);
    RefTensor **x = ARENA_ARRAY(r->arena, RefTensor *, node->operand_count);
    for (uint32_t i = 0; i < node->operand_count; i++)
        x[i] = ref_value(r, frame, node->operands[i]);
    if (class == CLASS_ELEMENTWISE)
        return ref_elementwise(r, node, x);
    return class == CLASS_REDUCTION ? ref_reduce(r, node, x[0]) : ref_call(r, node, x);
}

/* The type that the node claims is the value's. */
static void check_type(Reference *r, RefFrame *frame, const IrNode *node, uint32_t result,
                       const RefTensor *x) {
    const IrType *type = &node->types[result];
    if (type->kind == IR_TOKEN)
        return;
    if (type->dtype != x->dtype || type->rank != x->rank)
        ref_stop(r, REF_BROKEN, 0, "%s has another type", op_name(node->op));
    for (uint32_t k = 0; k < type->rank; k++)
        if (ref_integer(r, frame, type->dims[k]) != x->shape[k])
            ref_stop(r, REF_BROKEN, 0, "axis %u of %s is not what its type says", k, op_name(node->op));
}

static RefTensor **results_of(Reference *r, RefFrame *frame, const IrNode *node) {
    while (frame && frame->region != node->region)
        frame = frame->parent;
    if (!frame)
        ref_stop(r, REF_BROKEN, 0, "%s is not visible here", op_name(node->op));
    Entry *entry = find(frame, node);
    if (entry && entry->node)
        return entry->values;
    if (++r->depth > DEPTH_LIMIT)
        ref_stop(r, REF_TOO_MUCH, 0, "too deep");
    RefTensor **values;
    if (node->op == OP_for)
        values = run_for(r, frame, node);
    else if (node->op == OP_while)
        values = run_while(r, frame, node);
    else if (node->op == OP_if)
        values = run_if(r, frame, node);
    else
        values = ARENA_NEW(r->arena, RefTensor *);
    if (node->op == OP_result)
        *values = results_of(r, frame, node->operands[0])[node->attributes[0]];
    else if (!node->region_count)
        *values = compute(r, frame, node);
    keep(r, frame, node, values);
    for (uint32_t i = 0; i < node->result_count; i++)
        check_type(r, frame, node, i, values[i]);
    r->depth--;
    return values;
}

RefTensor *ref_value(Reference *r, RefFrame *frame, const IrNode *node) {
    return results_of(r, frame, node)[0];
}

int64_t ref_integer(Reference *r, RefFrame *frame, const IrNode *node) {
    return ref_value(r, frame, node)->at[0].i;
}

/* ---- entry -----------------------------------------------------------------------------------------------
 */

void ref_init(Reference *r, Arena *arena, const IrRegion *body) {
    *r = (Reference){.arena = arena};
    r->body = frame_new(r, body, NULL);
}

RefTensor *ref_get(Reference *r, const IrNode *node) {
    r->status = REF_OK;
    r->code = DIAG_NONE;
    r->message = "";
    r->depth = 0;
    if (setjmp(r->stop))
        return NULL;
    return ref_value(r, r->body, node);
}
