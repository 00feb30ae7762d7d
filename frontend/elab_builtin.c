/* The table of builtin functions, and how a call's arguments meet a signature. */
#include "frontend/elab_builtin.h"

static const Builtin table[] = {
#define BUILTIN(name, signature, handler, doc) {#name, NULL, signature, handler, OP_none, doc},
#include "frontend/builtins.def"
#define OP1(name, dtype, complex, zero, llvm, c, numpy, da, doc)                                             \
    {#name, numpy, "x", builtin_elementwise, OP_##name, doc},
#define OP2(name, dtype, complex, zero, llvm, c, numpy, da, db, doc)                                         \
    {#name, numpy, "a, b", builtin_elementwise, OP_##name, doc},
#define PARTS(name, arity, rule, doc) {#name, NULL, PARTS_##rule, builtin_parts, OP_##name, doc},
#define PARTS_PART                    "x"
#define PARTS_PAIR                    "real, imag"
#define RED(name, combine, identity, complex, doc)                                                           \
    {#name, NULL, "x, axis=None, keepdims=false, dtype=None", builtin_reduce, OP_##name, doc},
#include "ir/ops.def"
    {0},
};

/* NumPy's other spellings, and Array API's. */
static const struct {
    const char *alias, *name;
} aliases[] = {
    {"true_divide", "div"},
    {"rint", "round"},
    {"fabs", "abs"},
    {"amax", "max"},
    {"amin", "min"},
    {"permute_dims", "transpose"},
    {"ravel", "flatten"},
    {"fix", "trunc"},
    {"bitwise_left_shift", "left_shift"},
    {"bitwise_right_shift", "right_shift"},
};

const Builtin *elab_builtin_at(uint32_t index) {
    return table[index].name ? &table[index] : NULL;
}

const char *elab_alias_at(uint32_t index) {
    return index < sizeof aliases / sizeof *aliases ? aliases[index].alias : NULL;
}

/* Names that are only an op of the IR, not a function of the language. */
static bool is_hidden(const Builtin *builtin) {
    return builtin->op == OP_philox || builtin->op == OP_whole_sum;
}

const Builtin *elab_find_builtin(const char *name) {
    for (const Builtin *row = table; row->name; row++)
        if (!is_hidden(row) && (!strcmp(row->name, name) || (row->alias && !strcmp(row->alias, name))))
            return row;
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (!strcmp(aliases[i].alias, name))
            return elab_find_builtin(aliases[i].name);
    return NULL;
}

/* ---- signatures
 * ------------------------------------------------------------------------------------------------------ */

typedef struct SignatureParameter {
    const char *name, *fallback; /* fallback NULL: required */
    uint32_t length, fallback_length;
    bool takes_rest, takes_keywords;
} SignatureParameter;

enum { SIGNATURE_MAX = 12 };

static uint32_t read_signature(const char *text, SignatureParameter *out) {
    uint32_t count = 0;
    while (*text && count < SIGNATURE_MAX) {
        SignatureParameter p = {0};
        p.takes_keywords = text[0] == '*' && text[1] == '*';
        p.takes_rest = text[0] == '*' && !p.takes_keywords;
        p.name = text + p.takes_rest;
        uint32_t length = (uint32_t)strcspn(text, ",");
        p.length = (uint32_t)strcspn(p.name, ",=");
        const char *equals = memchr(text, '=', length);
        if (equals) {
            p.fallback = equals + 1;
            p.fallback_length = (uint32_t)(text + length - p.fallback);
        }
        out[count++] = p;
        text += length;
        text += strspn(text, ", ");
    }
    return count;
}

static Value fallback_value(Elaborator *e, const SignatureParameter *p) {
    char text[32] = {0};
    memcpy(text, p->fallback, p->fallback_length < 31 ? p->fallback_length : 31);
    Value dtype = value_of_kind(VALUE_DTYPE);
    if (!strcmp(text, "None"))
        return value_of_kind(VALUE_NONE);
    if (!strcmp(text, "true") || !strcmp(text, "false"))
        return elab_constant(DTYPE_bool, text[0] == 't', true);
    if (dtype_find(text, &dtype.dtype))
        return dtype;
    if (text[0] == '"')
        return (Value){.kind = VALUE_STRING, .text = p->fallback + 1, .length = p->fallback_length - 2};
    return elab_int(e, atoll(text));
}

static Value rest_tuple(Elaborator *e, const Argument *arguments, uint32_t count) {
    ValueTuple *tuple = elab_tuple(e, count);
    for (uint32_t i = 0; i < count; i++)
        tuple->items[i] = arguments[i].value;
    return (Value){.kind = VALUE_TUPLE, .tuple = tuple};
}

static void take(BuiltinCall *call, uint32_t at, const Argument *argument) {
    call->values[at] = argument->value;
    call->spans[at] = argument->span;
    call->nodes[at] = argument->node;
    call->given[at] = true;
}

static bool place_keyword(Elaborator *e, BuiltinCall *call, const SignatureParameter *parameters,
                          const Argument *argument) {
    for (uint32_t k = 0; k < call->count; k++) {
        const SignatureParameter *p = &parameters[k];
        if (p->takes_keywords) {
            vec_push(e->arena, &call->keywords, *argument);
            return true;
        }
        bool is_free = p->takes_rest && k + 1 < call->count && parameters[k + 1].takes_keywords;
        if (is_free || p->length != argument->name->length ||
            memcmp(p->name, argument->name->text, p->length))
            continue;
        if (call->given[k] && !p->takes_rest)
            elab_fail(e, DIAG_E0204, argument->span, "the argument `%s` is given twice",
                      argument->name->text);
        else if (p->takes_rest) {
            call->values[k] = rest_tuple(e, argument, 1);
            call->spans[k] = argument->span;
            call->given[k] = true;
            return true;
        } else {
            take(call, k, argument);
            return true;
        }
        return false;
    }
    Diag *diag = diag_error(e->sink, DIAG_E0204, argument->span, "`%s` has no parameter `%s`",
                            call->builtin->name, argument->name->text);
    Nearest nearest = elab_nearest(argument->name->text);
    for (uint32_t k = 0; k < call->count; k++)
        if (!parameters[k].takes_keywords)
            elab_consider(&nearest, arena_copy_text(e->arena, parameters[k].name, parameters[k].length));
    elab_note_nearest(e, diag, &nearest);
    return false;
}

static bool place_arguments(Elaborator *e, BuiltinCall *call, const SignatureParameter *parameters,
                            Argument *arguments, uint32_t count) {
    uint32_t positional = 0, next = 0;
    while (positional < count && !arguments[positional].name)
        positional++;
    for (uint32_t i = positional; i < count; i++)
        if (!arguments[i].name) {
            elab_fail(e, DIAG_E0204, arguments[i].span, "a positional argument follows a named one");
            return false;
        }
    for (uint32_t k = 0; k < call->count && next < positional; k++) {
        if (parameters[k].takes_keywords)
            break;
        if (parameters[k].takes_rest) {
            call->values[k] = rest_tuple(e, arguments + next, positional - next);
            call->spans[k] = span_join(arguments[next].span, arguments[positional - 1].span);
            call->rest = arguments + next;
            call->given[k] = true;
            next = positional;
        } else {
            take(call, k, &arguments[next++]);
        }
    }
    if (next < positional) {
        elab_fail(e, DIAG_E0204, arguments[next].span, "`%s` takes fewer arguments: %s(%s)",
                  call->builtin->name, call->builtin->name, call->builtin->signature);
        return false;
    }
    for (uint32_t i = positional; i < count; i++)
        if (!place_keyword(e, call, parameters, &arguments[i]))
            return false;
    return true;
}

Value elab_call_builtin(Elaborator *e, const Builtin *builtin, Argument *arguments, uint32_t count,
                        Span span) {
    SignatureParameter parameters[SIGNATURE_MAX];
    BuiltinCall call = {.builtin = builtin, .span = span};
    call.count = read_signature(builtin->signature, parameters);
    if (!place_arguments(e, &call, parameters, arguments, count))
        return elab_poison();
    for (uint32_t k = 0; k < call.count; k++) {
        if (call.given[k] || parameters[k].takes_keywords)
            continue;
        call.spans[k] = span;
        if (parameters[k].takes_rest) {
            call.values[k] = rest_tuple(e, NULL, 0);
        } else if (parameters[k].fallback) {
            call.values[k] = fallback_value(e, &parameters[k]);
        } else {
            return elab_fail(e, DIAG_E0204, span, "`%s` needs the argument `%.*s`: %s(%s)", builtin->name,
                             (int)parameters[k].length, parameters[k].name, builtin->name,
                             builtin->signature);
        }
    }
    elab_at(e, span);
    return builtin->handler(e, &call);
}

/* ---- reading arguments
 * ----------------------------------------------------------------------------------------------------- */

bool elab_axis(Elaborator *e, Value axis, uint32_t rank, Span span, uint32_t *out) {
    int64_t value;
    Dtype dtype;
    if (value_is(axis, VALUE_POISON))
        return false;
    if (!elab_constant_int(axis, &value) || !elab_dtype_of(axis, &dtype) || dtype == DTYPE_bool) {
        bool is_integer = elab_dtype_of(axis, &dtype) && dtype_is_integer(dtype) && elab_is_scalar(axis);
        elab_fail(e, is_integer ? DIAG_E0210 : DIAG_E0201, span,
                  is_integer ? "an axis must be known when compiling" : "an axis must be an integer, not %s",
                  elab_kind_text(e, axis));
        return false;
    }
    if (value < -(int64_t)rank || value >= (int64_t)rank) {
        elab_fail(e, DIAG_E0206, span, "axis %lld is out of range for a tensor of rank %u", (long long)value,
                  rank);
        return false;
    }
    *out = (uint32_t)(value < 0 ? value + rank : value);
    return true;
}

bool elab_elements(Elaborator *e, Value list, Span span, const char *what, Value **items, uint32_t *count) {
    if (list.kind == VALUE_TUPLE) {
        *items = list.tuple->items;
        *count = list.tuple->count;
        return true;
    }
    uint32_t rank;
    int64_t extent;
    if (elab_rank_of(list, &rank) && rank > 0) {
        Value node = elab_node(e, list);
        if (list.kind == VALUE_SLOT && list.slot->data && rank == 1 && list.slot->dtype == DTYPE_i64) {
            *count = (uint32_t)list.slot->shape[0];
            *items = ARENA_ARRAY(e->arena, Value, *count);
            for (uint32_t i = 0; i < *count; i++)
                (*items)[i] = elab_int(e, ((const int64_t *)list.slot->data)[i]);
            return true;
        }
        if (ir_known_i64(node.node->types[0].dims[0], &extent) && extent <= 4096 &&
            (ir_is_const(node.node->types[0].dims[0]) || (list.kind == VALUE_SLOT && list.slot->data))) {
            *count = (uint32_t)extent;
            *items = ARENA_ARRAY(e->arena, Value, *count);
            for (uint32_t i = 0; i < *count; i++)
                (*items)[i] = value_tensor(elab_first_axis_item(e, node.node, ir_const_i64(&e->b, i)));
            return true;
        }
    }
    if (!value_is(list, VALUE_POISON))
        elab_fail(e, DIAG_E0201, span, "%s must be a tuple or a list, not %s", what, elab_kind_text(e, list));
    return false;
}

bool elab_axes(Elaborator *e, Value axis, uint32_t rank, Span span, uint32_t *axes, uint32_t *count) {
    bool chosen[IR_MAX_RANK] = {0};
    Value *items = &axis;
    uint32_t item_count = 1, at;
    *count = 0;
    if (value_is(axis, VALUE_NONE)) {
        for (; *count < rank; ++*count)
            axes[*count] = *count;
        return true;
    }
    if (!elab_is_scalar(axis) && !elab_elements(e, axis, span, "`axis`", &items, &item_count))
        return false;
    for (uint32_t i = 0; i < item_count; i++) {
        if (!elab_axis(e, items[i], rank, span, &at))
            return false;
        if (chosen[at]) {
            elab_fail(e, DIAG_E0206, span, "axis %u is given twice", at);
            return false;
        }
        chosen[at] = true;
    }
    for (uint32_t k = 0; k < rank; k++)
        if (chosen[k])
            axes[(*count)++] = k;
    return true;
}

IrNode *elab_size_node(Elaborator *e, Value value, Span span, const char *what) {
    int64_t size;
    Value scalar = elab_index_scalar(e, value, span, what);
    if (value_is(scalar, VALUE_POISON))
        return NULL;
    if (ir_known_i64(scalar.node, &size) && size < 0) {
        elab_fail(e, DIAG_E0209, span, "%s cannot be negative (%lld)", what, (long long)size);
        return NULL;
    }
    elab_at(e, span);
    if (ir_const_value_i64(scalar.node, &size))
        return elab_lift_size(e, size);
    /* Sizes of tensors are never negative; other numbers are checked when running. */
    if (scalar.node->op == OP_dim || scalar.node->op == OP_check_equal)
        return scalar.node;
    IrNode *fits = ir_binary(&e->b, OP_ge, scalar.node, ir_const_i64(&e->b, 0));
    return ir_check_true(&e->b, fits, scalar.node, DIAG_E0301, elab_intern(e, "a size cannot be negative"));
}

bool elab_shape_argument(Elaborator *e, Value value, Span span, IrNode **dims, uint32_t *rank) {
    Value *items = &value;
    *rank = 1;
    if (value.kind == VALUE_TUPLE && value.tuple->count == 1) /* zeros((3, 4)) */
        value = value.tuple->items[0];
    if (!elab_is_scalar(value) && !elab_elements(e, value, span, "a shape", &items, rank))
        return false;
    if (*rank > IR_MAX_RANK) {
        elab_fail(e, DIAG_E0203, span, "a tensor has at most %d axes", IR_MAX_RANK);
        return false;
    }
    for (uint32_t k = 0; k < *rank; k++)
        if (!(dims[k] = elab_size_node(e, items[k], span, "a size")))
            return false;
    return true;
}

bool elab_dtype_argument(Elaborator *e, Value value, Span span, Dtype *out) {
    if (value.kind == VALUE_DTYPE)
        return *out = value.dtype, true;
    if (!value_is(value, VALUE_POISON))
        elab_fail(e, DIAG_E0201, span, "`dtype` must be a dtype, not %s", elab_kind_text(e, value));
    return false;
}

bool elab_bool_argument(Elaborator *e, Value value, Span span, const char *what, bool *out) {
    if (elab_constant_bool(value, out))
        return true;
    Dtype dtype;
    bool is_bool = elab_dtype_of(value, &dtype) && dtype == DTYPE_bool;
    if (!value_is(value, VALUE_POISON))
        elab_fail(e, is_bool ? DIAG_E0210 : DIAG_E0201, span,
                  is_bool ? "`%s` must be known when compiling" : "`%s` must be true or false", what);
    return false;
}
