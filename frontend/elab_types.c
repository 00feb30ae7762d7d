/* Values as typed nodes: what a value is, how it is named in messages, and conversions that lose nothing. */
#include "frontend/elab_sparse.h"

Value elab_fail(Elaborator *e, DiagCode code, Span span, const char *format, ...) {
    va_list list;
    va_start(list, format);
    const char *message = arena_format_list(e->sink->arena, format, list);
    va_end(list);
    diag_error(e->sink, code, span, "%s", message);
    return elab_poison();
}

Value elab_unsupported(Elaborator *e, Span span, const char *what) {
    return elab_fail(e, DIAG_E0900, span, "%s: not supported yet", what);
}

Value elab_constant(Dtype dtype, uint64_t bits, bool is_weak) {
    return (Value){.kind = VALUE_CONSTANT, .is_weak = is_weak, .dtype = dtype, .bits = bits};
}

Value elab_int(Elaborator *e, int64_t value) {
    (void)e;
    return elab_constant(DTYPE_i64, (uint64_t)value, true);
}

Value elab_node(Elaborator *e, Value value) {
    Value out = value;
    if (value.kind == VALUE_SLOT) {
        out = value_tensor(elab_slot_node(e, value.slot));
        out.is_weak = value.is_weak;
    } else if (value.kind == VALUE_CONSTANT) {
        out = value_tensor(ir_const(&e->b, value.dtype, value.bits));
        out.is_weak = value.is_weak;
    }
    return out;
}

Value elab_tensor(Elaborator *e, Value value, Span span, const char *what) {
    switch (value.kind) {
    case VALUE_POISON:
    case VALUE_TENSOR:
        return value;
    case VALUE_SLOT:
    case VALUE_CONSTANT:
        return elab_node(e, value);
    default:
        return elab_fail(e, DIAG_E0201, span, "%s must be a tensor or a scalar, not %s", what,
                         elab_kind_text(e, value));
    }
}

bool elab_dtype_of(Value value, Dtype *out) {
    switch (value.kind) {
    case VALUE_TENSOR:
        return *out = ir_dtype(value.node), true;
    case VALUE_SLOT:
        return *out = value.slot->dtype, true;
    case VALUE_CONSTANT:
        return *out = value.dtype, true;
    case VALUE_SPARSE:
    case VALUE_EDGES:
        return elab_dtype_of(value.tuple->items[1], out);
    default:
        return false;
    }
}

bool elab_rank_of(Value value, uint32_t *out) {
    switch (value.kind) {
    case VALUE_TENSOR:
        return *out = ir_rank(value.node), true;
    case VALUE_SLOT:
        return *out = value.slot->rank, true;
    case VALUE_CONSTANT:
        return *out = 0, true;
    default:
        return false;
    }
}

bool elab_is_scalar(Value value) {
    uint32_t rank;
    return elab_rank_of(value, &rank) && rank == 0;
}

bool elab_constant_int(Value value, int64_t *out) {
    if (value.kind == VALUE_CONSTANT && (dtype_is_integer(value.dtype) || value.dtype == DTYPE_bool))
        return *out = (int64_t)value.bits, value.dtype != DTYPE_u64 || value.bits <= INT64_MAX;
    return value.kind == VALUE_TENSOR && ir_const_value_i64(value.node, out);
}

bool elab_constant_bool(Value value, bool *out) {
    int64_t integer;
    Dtype dtype;
    if (!elab_dtype_of(value, &dtype) || dtype != DTYPE_bool || !elab_constant_int(value, &integer))
        return false;
    *out = integer != 0;
    return true;
}

Value elab_strengthen(Value value) {
    value.is_weak = false;
    return value;
}

/* ---- text ---------------------------------------------------------------------------------------- */

const char *elab_place(Elaborator *e, Span span) {
    SourcePlace place = source_place(e->options.sources, span.begin);
    if (!place.file)
        return "the program";
    return arena_format(e->sink->arena, "%s:%u:%u", place.file->name, place.line, place.column);
}

const char *elab_line(Elaborator *e, Span span) {
    SourcePlace place = source_place(e->options.sources, span.begin);
    if (!place.file)
        return "the program";
    return arena_format(e->sink->arena, "%s:%u", place.file->name, place.line);
}

/* A place as a run-time error shows it: with the calls that lead to it, without those inside the library. */
static Span place_in(Elaborator *e, CallFrame *frame, Span span) {
    for (; frame && frame->closure->is_library; frame = frame->parent)
        span = frame->call;
    if (!frame || !frame->has_place || e->is_checking || e->is_exporting)
        return span;
    Span function = frame->closure->function->span;
    if (!frame->is_placed) {
        Span call = place_in(e, frame->parent, frame->call);
        Name name = frame->closure->name;
        frame->is_placed = true;
        frame->shift =
            call.end ? source_add_call(e->options.sources, function, call, name ? name->text : NULL) : 0;
    }
    if (span.begin < function.begin || span.end > function.end)
        return span;
    return (Span){span.begin + frame->shift, span.end + frame->shift};
}

void elab_at(Elaborator *e, Span span) {
    e->b.span = place_in(e, e->frame, span);
}

const char *elab_extent_text(Elaborator *e, const IrNode *extent) {
    int64_t value;
    if (ir_known_i64(extent, &value))
        return arena_format(e->sink->arena, "%lld", (long long)value);
    for (const Scope *scope = e->scope; scope; scope = scope->parent) /* a dim of the function in hand */
        for (uint32_t i = 0; i < scope->bindings.count; i++) {
            const Binding *binding = scope->bindings.items[i];
            if (binding->kind == BINDING_DIM && binding->value.kind == VALUE_TENSOR &&
                binding->value.node == extent)
                return binding->name->text;
        }
    return "_";
}

static const char *slot_text(Elaborator *e, const ElabSlot *slot) {
    TextBuffer text = {.arena = e->sink->arena};
    text_add(&text, dtype_name(slot->dtype));
    for (uint32_t k = 0; k < slot->rank; k++)
        if (slot->is_known)
            text_format(&text, "%s%lld", k ? ", " : "[", (long long)slot->shape[k]);
        else
            text_format(&text, "%s_", k ? ", " : "[");
    if (slot->rank)
        text_add(&text, "]");
    return text.text;
}

static const char *node_text(Elaborator *e, const IrNode *node) {
    TextBuffer text = {.arena = e->sink->arena};
    text_add(&text, dtype_name(ir_dtype(node)));
    for (uint32_t k = 0; k < ir_rank(node); k++)
        text_format(&text, "%s%s", k ? ", " : "[", elab_extent_text(e, node->types[0].dims[k]));
    if (ir_rank(node))
        text_add(&text, "]");
    return text.text;
}

static const char *tuple_text(Elaborator *e, const ValueTuple *tuple) {
    TextBuffer text = {.arena = e->sink->arena};
    text_add(&text, "(");
    for (uint32_t i = 0; i < tuple->count; i++)
        text_format(&text, "%s%s", i ? ", " : "", elab_type_text(e, tuple->items[i]));
    text_add(&text, tuple->count == 1 ? ",)" : ")");
    return text.text;
}

static const char *record_text(Elaborator *e, const ValueTuple *record) {
    TextBuffer text = {.arena = e->sink->arena};
    uint32_t shown = record->count <= 8 ? record->count : 6;
    text_add(&text, "record(");
    for (uint32_t i = 0; i < shown; i++)
        text_format(&text, "%s%s: %s", i ? ", " : "", record->names[i]->text,
                    elab_type_text(e, record->items[i]));
    if (shown < record->count)
        text_format(&text, ", and %u more", record->count - shown);
    text_add(&text, ")");
    return text.text;
}

const char *elab_type_text(Elaborator *e, Value value) {
    switch (value.kind) {
    case VALUE_TENSOR:
        return node_text(e, value.node);
    case VALUE_CONSTANT:
        return dtype_name(value.dtype);
    case VALUE_SLOT:
        return slot_text(e, value.slot);
    case VALUE_TUPLE:
        return tuple_text(e, value.tuple);
    case VALUE_RECORD:
        return record_text(e, value.tuple);
    case VALUE_LAYER:
        return elab_layer_text(e, value.tuple);
    case VALUE_SPARSE:
    case VALUE_EDGES:
    case VALUE_GRAPH:
        return elab_sparse_text(e, value);
    case VALUE_CLASS:
        return arena_format(e->sink->arena, "layer %s", value.layer->closure->name->text);
    case VALUE_NONE:
        return "None";
    case VALUE_STRING:
    case VALUE_TEXT:
        return "string";
    case VALUE_DTYPE:
        return "dtype";
    case VALUE_FUNCTION:
        return value.function->name ? arena_format(e->sink->arena, "fn %s", value.function->name->text)
                                    : "fn";
    case VALUE_MAPPED:
        return arena_format(e->sink->arena, "vmap(%s)", elab_type_text(e, value.tuple->items[0]));
    case VALUE_BUILTIN:
        return arena_format(e->sink->arena, "fn %s", value.builtin->name);
    case VALUE_DERIVATIVE:
        return "fn";
    case VALUE_RANGE:
        return "range";
    case VALUE_SEQUENCE:
        return "sequence";
    case VALUE_UNIT:
        return "nothing";
    default:
        return "_";
    }
}

const char *elab_kind_text(Elaborator *e, Value value) {
    switch (value.kind) {
    case VALUE_STRING:
    case VALUE_TEXT:
        return "a string";
    case VALUE_DTYPE:
        return "a dtype";
    case VALUE_FUNCTION:
    case VALUE_BUILTIN:
    case VALUE_DERIVATIVE:
        return "a function";
    case VALUE_RANGE:
        return "a range";
    case VALUE_TUPLE:
        return arena_format(e->sink->arena, "a tuple %s", tuple_text(e, value.tuple));
    case VALUE_RECORD:
        return arena_format(e->sink->arena, "a %s", record_text(e, value.tuple));
    default:
        return elab_type_text(e, value);
    }
}

const char *elab_origin(Elaborator *e, const AstNode *node) {
    if (!ast_is(node, AST_NAME))
        return NULL;
    Binding *binding = elab_lookup(e, node->name, NULL);
    if (!binding || !binding->span.end)
        return NULL;
    return arena_format(e->sink->arena, "`%s` (%s)", node->name->text, elab_line(e, binding->span));
}

/* ---- conversions ----------------------------------------------------------------------------------- */

IrNode *elab_cast(Elaborator *e, IrNode *node, Dtype dtype) {
    return ir_dtype(node) == dtype ? node : ir_cast(&e->b, node, dtype);
}

static bool integer_fits(int64_t value, Dtype from, Dtype to) {
    unsigned bits = dtype_info[to].bytes * 8u;
    if (from == DTYPE_u64 && value < 0)
        return to == DTYPE_u64;
    if (dtype_kind(to) == KIND_UNSIGNED)
        return value >= 0 && (bits == 64 || value < (int64_t)1 << bits);
    return bits == 64 || (value >= -((int64_t)1 << (bits - 1)) && value < (int64_t)1 << (bits - 1));
}

Value elab_promote_to(Elaborator *e, Value value, Dtype dtype, Span span) {
    Dtype from;
    if (!elab_dtype_of(value, &from))
        return value;
    bool is_integer = dtype_is_integer(from) && dtype_is_integer(dtype) && from != dtype;
    if (value.kind == VALUE_CONSTANT && is_integer && !integer_fits((int64_t)value.bits, from, dtype))
        return elab_fail(e, DIAG_E0207, span, "%lld does not fit %s", (long long)value.bits,
                         dtype_name(dtype));
    if (value_is_on_pattern(value))
        return elab_sparse_cast(e, value, dtype);
    Value out = elab_node(e, value);
    out.node = elab_cast(e, out.node, dtype);
    return out;
}

/* A value written as a literal takes the dtype that its receiver declares, if its kind allows it. */
static bool literal_takes(Dtype from, Dtype to) {
    if (from == DTYPE_bool)
        return to == DTYPE_bool;
    if (dtype_is_integer(from))
        return to != DTYPE_bool;
    return dtype_is_complex(to) || (dtype_is_float(to) && !dtype_is_complex(from));
}

Value elab_coerce(Elaborator *e, Value value, Dtype dtype, Span span, DiagCode code, const char *what) {
    Dtype from;
    if (!elab_dtype_of(value, &from) || from == dtype)
        return value.kind == VALUE_TENSOR || value.kind == VALUE_POISON
                   ? elab_strengthen(value)
                   : elab_strengthen(elab_node(e, value));
    bool fits = dtype_fits(from, dtype) && (from != DTYPE_bool || dtype == DTYPE_bool);
    if (!fits && !(value.is_weak && literal_takes(from, dtype))) {
        Diag *diag = diag_error(e->sink, code, span, "%s is %s, and %s does not convert to it without loss",
                                what, dtype_name(dtype), elab_type_text(e, value));
        diag_note(e->sink, diag, "a conversion that can lose is written: %s(…)", dtype_name(dtype));
        return elab_poison();
    }
    return elab_strengthen(elab_promote_to(e, value, dtype, span));
}

Dtype elab_common_dtype(const Value *values, uint32_t count) {
    Dtype strong = DTYPE_bool, weak = DTYPE_bool, dtype;
    bool has_strong = false, has_weak = false;
    for (uint32_t i = 0; i < count; i++) {
        if (!elab_dtype_of(values[i], &dtype))
            continue;
        if (values[i].is_weak && elab_is_scalar(values[i])) {
            weak = has_weak ? dtype_promote(weak, dtype) : dtype;
            has_weak = true;
        } else {
            strong = has_strong ? dtype_promote(strong, dtype) : dtype;
            has_strong = true;
        }
    }
    return !has_strong ? weak : has_weak ? dtype_promote_weak(strong, weak) : strong;
}

/* ---- shapes ------------------------------------------------------------------------------------------ */

IrNode *elab_same_extent(Elaborator *e, IrNode *x, IrNode *y, const char *format, ...) {
    int64_t a, c;
    if (x == y)
        return x;
    if (ir_known_i64(x, &a) && ir_known_i64(y, &c) && a != c)
        return NULL;
    va_list list;
    va_start(list, format);
    Name message = elab_intern(e, arena_format_list(e->arena, format, list));
    va_end(list);
    IrNode *check = ir_check_equal(&e->b, x, y, message);
    if (e->keeps_checks && check->op == OP_check_equal)
        vec_push(e->arena, &e->checks, check);
    return check;
}

IrNode *elab_with_dims(Elaborator *e, IrNode *x, IrNode *const *dims, uint32_t rank) {
    IrType wanted = {.rank = rank, .dims = (IrNode **)dims};
    return ir_same_dims(ir_type(x), &wanted) ? x : ir_broadcast_trailing(&e->b, x, dims, rank);
}

void elab_shape_error(Elaborator *e, Span span, const char *name, const Value *values,
                      const OperandInfo *infos, uint32_t count, const char *note) {
    Diag *diag = diag_error(e->sink, DIAG_E0203, span, "shapes do not match for `%s`", name);
    for (uint32_t i = 0; i < count; i++)
        diag_label(e->sink, diag, infos[i].span, "%s", elab_type_text(e, values[i]));
    if (note)
        diag_note(e->sink, diag, "%s", note);
}

const char *elab_sizes_note(Elaborator *e, const char *what, const IrNode *left, const AstNode *left_node,
                            const IrNode *right, const AstNode *right_node) {
    TextBuffer note = {.arena = e->sink->arena};
    const char *size[2] = {elab_extent_text(e, left), elab_extent_text(e, right)};
    const char *origin[2] = {elab_origin(e, left_node), elab_origin(e, right_node)};
    text_format(&note, "the %s %s and %s differ", what, size[0], size[1]);
    if (origin[0])
        text_format(&note, ": %s comes from %s", size[0], origin[0]);
    if (origin[1])
        text_format(&note, origin[0] ? ", %s from %s" : ": %s comes from %s", size[1], origin[1]);
    return note.text;
}

static void broadcast_error(Elaborator *e, IrNode **nodes, const OperandInfo *infos, uint32_t count,
                            Span span, const char *name, uint32_t first, uint32_t second, uint32_t back) {
    Value values[8];
    for (uint32_t i = 0; i < count && i < 8; i++)
        values[i] = value_tensor(nodes[i]);
    IrNode *x = nodes[first], *y = nodes[second];
    const char *note = elab_sizes_note(e, "sizes", x->types[0].dims[ir_rank(x) - 1 - back], infos[first].node,
                                       y->types[0].dims[ir_rank(y) - 1 - back], infos[second].node);
    elab_shape_error(e, span, name, values, infos, count < 8 ? count : 8, note);
}

IrNode *elab_as_one(Elaborator *e, IrNode *x, uint32_t axis) {
    IrNode *starts[IR_MAX_RANK], *extents[IR_MAX_RANK], *steps[IR_MAX_RANK], *one = ir_const_i64(&e->b, 1);
    for (uint32_t k = 0; k < ir_rank(x); k++) {
        starts[k] = ir_const_i64(&e->b, 0);
        extents[k] = x->types[0].dims[k];
        steps[k] = one;
    }
    IrNode *size = ir_check_equal(&e->b, extents[axis], one,
                                  elab_intern(e, "an axis of size 1 was expected; sizes differ"));
    starts[axis] = ir_binary(&e->b, OP_sub, size, one); /* so that the check is needed */
    extents[axis] = one;
    return ir_slice(&e->b, x, starts, extents, steps, NULL);
}

/* Sizes that are 1 at this call, though not by construction, broadcast too. */
static void find_ones(Elaborator *e, IrNode **nodes, uint32_t count, uint32_t rank) {
    int64_t size;
    for (uint32_t back = 0; back < rank; back++) {
        bool repeats = false;
        for (uint32_t i = 0; i < count; i++)
            repeats =
                repeats ||
                (back < ir_rank(nodes[i]) &&
                 ir_known_i64(nodes[i]->types[0].dims[ir_rank(nodes[i]) - 1 - back], &size) && size != 1);
        for (uint32_t i = 0; repeats && i < count; i++) {
            uint32_t axis = ir_rank(nodes[i]) - 1 - back;
            if (back < ir_rank(nodes[i]) && nodes[i]->types[0].dims[axis]->has_hint &&
                nodes[i]->types[0].dims[axis]->hint == 1)
                nodes[i] = elab_as_one(e, nodes[i], axis);
        }
    }
}

bool elab_broadcast(Elaborator *e, IrNode **nodes, const OperandInfo *infos, uint32_t count, Span span,
                    const char *name) {
    IrNode *dims[IR_MAX_RANK];
    uint32_t rank = 0, owner[IR_MAX_RANK] = {0};
    int64_t one;
    for (uint32_t i = 0; i < count; i++)
        rank = ir_rank(nodes[i]) > rank ? ir_rank(nodes[i]) : rank;
    find_ones(e, nodes, count, rank);
    for (uint32_t axis = 0; axis < rank; axis++) {
        uint32_t back = rank - 1 - axis;
        dims[axis] = NULL;
        for (uint32_t i = 0; i < count; i++) {
            if (ir_rank(nodes[i]) <= back)
                continue;
            IrNode *extent = nodes[i]->types[0].dims[ir_rank(nodes[i]) - 1 - back];
            if (dims[axis] && ir_const_value_i64(extent, &one) && one == 1)
                continue;
            if (!dims[axis] || (ir_const_value_i64(dims[axis], &one) && one == 1)) {
                dims[axis] = extent;
                owner[axis] = i;
                continue;
            }
            IrNode *same =
                elab_same_extent(e, dims[axis], extent, "sizes of axis %u of `%s` differ", axis, name);
            if (!same) {
                broadcast_error(e, nodes, infos, count, span, name, owner[axis], i, back);
                return false;
            }
            dims[axis] = same;
        }
    }
    for (uint32_t i = 0; i < count; i++)
        nodes[i] = elab_with_dims(e, nodes[i], dims, rank);
    return true;
}

/* ---- elementwise ops ------------------------------------------------------------------------------------
 */

/* As users write it. */
const char *elab_spelling(Op op) {
    static const char *const spellings[OP_COUNT] = {
        [OP_add] = "+",           [OP_sub] = "-", [OP_mul] = "*",           [OP_div] = "/",
        [OP_floordiv] = "//",     [OP_mod] = "%", [OP_pow] = "^",           [OP_eq] = "==",
        [OP_ne] = "!=",           [OP_lt] = "<",  [OP_le] = "<=",           [OP_gt] = ">",
        [OP_ge] = ">=",           [OP_neg] = "-", [OP_logical_and] = "and", [OP_logical_or] = "or",
        [OP_logical_not] = "not",
    };
    return spellings[op] ? spellings[op] : op_name(op);
}

bool elab_takes_complex(Elaborator *e, Op op, Dtype dtype, Span span) {
    if (!dtype_is_complex(dtype) || op_info[op].complex != COMPLEX_NO ||
        (op_is_elementwise(op) && op_info[op].dtype == RULE_LOGICAL))
        return true;
    bool orders = (op >= OP_lt && op <= OP_ge) || !op_is_elementwise(op);
    Diag *diag = diag_error(e->sink, DIAG_E0202, span, "`%s` is not defined for complex numbers (%s)",
                            elab_spelling(op), dtype_name(dtype));
    if (orders || op == OP_minimum || op == OP_maximum)
        diag_note(e->sink, diag, "complex numbers have no order: use abs(x), real(x) or imag(x)");
    return false;
}

static bool elementwise_dtype(Elaborator *e, Op op, Dtype common, Span span, Dtype *out) {
    *out = common;
    if (!elab_takes_complex(e, op, common, span))
        return false;
    bool is_exact = dtype_is_integer(common) || common == DTYPE_bool;
    switch (op_info[op].dtype) {
    case RULE_FLOAT:
        *out = op == OP_div && is_exact ? DTYPE_f64 : dtype_to_float(common);
        return true;
    case RULE_NUMBER:
        if (common != DTYPE_bool)
            return true;
        diag_error(e->sink, DIAG_E0202, span, "`%s` is not defined for bool", elab_spelling(op));
        return false;
    case RULE_COUNT:
        *out = common == DTYPE_bool ? DTYPE_i8 : common;
        return true;
    case RULE_SHIFT:
        *out = common == DTYPE_bool ? DTYPE_i8 : common;
        /* fall through */
    case RULE_INTEGER:
        if (is_exact)
            return true;
        diag_error(e->sink, DIAG_E0202, span, "`%s` is defined for integers and bool, not for %s",
                   op_name(op), dtype_name(common));
        return false;
    case RULE_LOGICAL:
        *out = DTYPE_bool;
        return true;
    default:
        return true;
    }
}

/* Integer division by zero is an error when it runs. */
static bool check_divisor(Elaborator *e, Op op, IrNode **divisor, Span span) {
    int64_t value;
    if ((op != OP_floordiv && op != OP_mod && op != OP_fmod) || !dtype_is_integer(ir_dtype(*divisor)))
        return true;
    if (ir_const_value_i64(*divisor, &value)) {
        if (value == 0)
            diag_error(e->sink, DIAG_E0303, span, "integer division by zero");
        return value != 0;
    }
    IrNode *zero = ir_const(&e->b, ir_dtype(*divisor), 0);
    zero = elab_with_dims(e, zero, (*divisor)->types[0].dims, ir_rank(*divisor));
    IrNode *nonzero = ir_binary(&e->b, OP_ne, *divisor, zero);
    uint32_t axes[IR_MAX_RANK];
    for (uint32_t k = 0; k < ir_rank(nonzero); k++)
        axes[k] = k;
    if (ir_rank(nonzero))
        nonzero = ir_reduce(&e->b, OP_all, nonzero, axes, ir_rank(nonzero), DTYPE_bool, DTYPE_bool);
    *divisor =
        ir_check_true(&e->b, nonzero, *divisor, DIAG_E0303, elab_intern(e, "integer division by zero"));
    return true;
}

static bool is_negative_power(Op op, const Value *operands, Dtype dtype) {
    int64_t exponent;
    return op == OP_pow && dtype_is_integer(dtype) && elab_constant_int(operands[1], &exponent) &&
           exponent < 0;
}

static bool is_constant_two(Value value) {
    int64_t integer;
    if (value.kind != VALUE_CONSTANT)
        return false;
    if (elab_constant_int(value, &integer))
        return integer == 2;
    return value.dtype == DTYPE_f64 && value.bits == 0x4000000000000000u;
}

/* The common dtype; a function of floats of integers only turns each into a float first, as NumPy does. */
static Dtype operand_dtype(Op op, const Value *operands, uint32_t count) {
    Value floats[3];
    Dtype dtype;
    Dtype common = elab_common_dtype(operands, count);
    if (op_info[op].dtype != RULE_FLOAT || op == OP_div || count < 2 || dtype_is_float(common))
        return common;
    for (uint32_t i = 0; i < count; i++) {
        floats[i] = operands[i];
        if (!operands[i].is_weak && elab_dtype_of(operands[i], &dtype) && !dtype_is_float(dtype))
            floats[i] = elab_constant(dtype_to_float(dtype), 0, false);
    }
    return elab_common_dtype(floats, count);
}

/* As NumPy, a comparison with a literal that the other side's dtype cannot hold is no error: it is decided in
 * a dtype that holds both (f64 orders integers that lie on different sides of the range of one of them). */
static Dtype comparison_dtype(Op op, const Value *operands, Dtype dtype) {
    Dtype from;
    if (op_info[op].dtype != RULE_BOOL || op_info[op].arity != 2 || !dtype_is_integer(dtype))
        return dtype;
    for (uint32_t i = 0; i < 2; i++)
        if (operands[i].kind == VALUE_CONSTANT && operands[i].is_weak && elab_dtype_of(operands[i], &from) &&
            dtype_is_integer(from) && from != dtype && !integer_fits((int64_t)operands[i].bits, from, dtype))
            return dtype == DTYPE_u64 || from == DTYPE_u64 ? DTYPE_f64 : DTYPE_i64;
    return dtype;
}

Value elab_elementwise(Elaborator *e, Op op, const Value *operands, const OperandInfo *infos, Span span) {
    uint32_t count = op_info[op].arity, first = op == OP_where;
    bool is_weak = true;
    Value folded;
    for (uint32_t i = 0; i < count; i++)
        if (value_is_on_pattern(operands[i]))
            return elab_sparse_elementwise(e, op, operands, infos, span);
    for (uint32_t i = 0; i < count; i++) {
        if (value_is(operands[i], VALUE_POISON))
            return elab_poison();
        is_weak = is_weak && operands[i].is_weak && elab_is_scalar(operands[i]);
    }
    Dtype dtype;
    if (!elementwise_dtype(e, op, operand_dtype(op, operands + first, count - first), span, &dtype))
        return elab_poison();
    dtype = comparison_dtype(op, operands, dtype);
    if (is_negative_power(op, operands, dtype))
        return elab_fail(e, DIAG_E0307, span, "an integer to a negative power is not an integer");
    if (elab_fold(e, op, operands, count, &folded))
        return folded;
    IrNode *nodes[3];
    for (uint32_t i = 0; i < count; i++) {
        Value value =
            i < first ? elab_node(e, operands[i]) : elab_promote_to(e, operands[i], dtype, infos[i].span);
        if (value_is(value, VALUE_POISON))
            return value;
        nodes[i] = value.node;
        if (i < first && ir_dtype(nodes[i]) != DTYPE_bool)
            return elab_fail(e, DIAG_E0202, infos[i].span, "the condition of `where` must be bool, not %s",
                             elab_type_text(e, value));
    }
    elab_at(e, span);
    if ((count > 1 && !check_divisor(e, op, &nodes[1], span)) ||
        !elab_broadcast(e, nodes, infos, count, span, elab_spelling(op)))
        return elab_poison();
    Value out = value_tensor(op == OP_pow && is_constant_two(operands[1])
                                 ? ir_binary(&e->b, OP_mul, nodes[0], nodes[0])
                                 : ir_elementwise(&e->b, op, nodes));
    out.is_weak = is_weak;
    return out;
}
