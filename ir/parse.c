/* Parses the text of the tensor IR (the grammar is at the top of ir/print.c) back into the nodes it came
 * from. Nodes are built as written, without folding.  The first error ends the parse: the text is written by
 * programs and by tests.  `#` starts a comment. */
#include "ir/ir.h"
#include "ir/kernel.h"
#include "ir/number.h"

enum { MAX_NESTING = 256 };

typedef struct Patch { /* an extent that stood in a type before its node */
    IrNode **slot;
    uint64_t id;
    Span span;
} Patch;

typedef struct TextType { /* a type as read; pending[k] names an extent without a node yet */
    IrType type;
    uint64_t pending[IR_MAX_RANK]; /* id + 1, 0: none */
} TextType;

typedef struct Parser {
    Arena *arena;
    Interner *names;
    DiagSink *sink;
    IrModule *module;
    const char *text;
    size_t length, at;
    uint32_t base;
    int depth;
    bool failed;
    IrBuilder builder;
    IrNode **nodes; /* by id of the text */
    size_t node_capacity;
    VEC(Patch) patches;
} Parser;

/* ---- characters ------------------------------------------------------------------------------------------
 */

static Span span_from(const Parser *p, size_t begin) {
    size_t end = p->at > begin ? p->at : begin + 1;
    return (Span){p->base + (uint32_t)begin, p->base + (uint32_t)end};
}

static bool fail_at(Parser *p, Span span, const char *what) {
    if (!p->failed)
        diag_error(p->sink, DIAG_E0101, span, "%s", what);
    p->failed = true;
    return false;
}

static bool fail(Parser *p, const char *what) {
    return fail_at(p, span_from(p, p->at), what);
}

static void skip_space(Parser *p) {
    while (p->at < p->length) {
        char c = p->text[p->at];
        if (c == '#')
            while (p->at < p->length && p->text[p->at] != '\n')
                p->at++;
        else if (c == ' ' || c == '\n' || c == '\t' || c == '\r')
            p->at++;
        else
            break;
    }
}

static char peek(Parser *p) {
    skip_space(p);
    return p->at < p->length ? p->text[p->at] : 0;
}

static bool accept(Parser *p, char c) {
    if (p->failed || peek(p) != c || !c)
        return false;
    p->at++;
    return true;
}

static bool expect(Parser *p, char c) {
    if (accept(p, c))
        return true;
    char what[] = "expected ` `";
    what[10] = c;
    return fail(p, what);
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_word_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
}

/* The word at the cursor, not consumed. */
static size_t word_length(Parser *p) {
    peek(p);
    size_t end = p->at;
    while (end < p->length && is_word_char(p->text[end]))
        end++;
    return end - p->at;
}

static bool at_word(Parser *p, const char *word) {
    size_t length = word_length(p);
    return length == strlen(word) && !memcmp(p->text + p->at, word, length);
}

static bool accept_word(Parser *p, const char *word) {
    if (p->failed || !at_word(p, word))
        return false;
    p->at += strlen(word);
    return true;
}

/* A word as a terminated copy; NULL after an error. */
static const char *read_word(Parser *p, const char *what) {
    size_t length = word_length(p);
    if (p->failed || !length || is_digit(p->text[p->at]))
        return fail(p, what), NULL;
    const char *word = arena_copy_text(p->arena, p->text + p->at, length);
    p->at += length;
    return word;
}

static bool read_natural(Parser *p, uint64_t *value) {
    if (p->failed || !is_digit(peek(p)))
        return fail(p, "expected a number");
    *value = 0;
    for (; p->at < p->length && is_digit(p->text[p->at]); p->at++)
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, (uint64_t)(p->text[p->at] - '0'), value))
            return fail(p, "the number is too large");
    return true;
}

static int hex_digit(char c) {
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* After a backslash. */
static bool read_escape(Parser *p, char *out) {
    char c = p->at < p->length ? p->text[p->at++] : 0;
    if (c == 'n')
        return *out = '\n', true;
    if (c == '"' || c == '\\')
        return *out = c, true;
    if (c != 'x' || p->length - p->at < 2 || hex_digit(p->text[p->at]) < 0 ||
        hex_digit(p->text[p->at + 1]) < 0)
        return fail(p, "unknown escape");
    *out = (char)(hex_digit(p->text[p->at]) << 4 | hex_digit(p->text[p->at + 1]));
    p->at += 2;
    return true;
}

static Name read_quoted(Parser *p) {
    size_t begin = p->at;
    if (!expect(p, '"'))
        return NULL;
    VEC(char) bytes = {0};
    while (p->at < p->length && p->text[p->at] != '"' && p->text[p->at] != '\n') {
        char c = p->text[p->at++];
        if (c == '\\' && !read_escape(p, &c))
            return NULL;
        vec_push(p->arena, &bytes, c);
    }
    if (p->at == p->length || p->text[p->at] != '"')
        return fail_at(p, span_from(p, begin), "the text is not closed on its line"), NULL;
    p->at++;
    return intern(p->names, bytes.count ? bytes.items : "", bytes.count);
}

static Name read_name(Parser *p) {
    if (peek(p) == '"')
        return read_quoted(p);
    const char *word = read_word(p, "expected a name");
    return word ? intern_text(p->names, word) : NULL;
}

/* ---- values
 * ------------------------------------------------------------------------------------------------ */

static bool read_id(Parser *p, uint64_t *id) {
    size_t begin = p->at;
    if (!expect(p, '%') || !read_natural(p, id))
        return false;
    if (*id >= p->length) /* canonical text has fewer ids than bytes */
        return fail_at(p, span_from(p, begin), "the id is too large");
    return true;
}

static IrNode *known_node(const Parser *p, uint64_t id) {
    return id < p->node_capacity ? p->nodes[id] : NULL;
}

static bool define(Parser *p, uint64_t id, IrNode *node, Span span) {
    if (known_node(p, id))
        return fail_at(p, span, "this id is defined twice");
    if (id >= p->node_capacity) {
        size_t capacity = p->node_capacity * 2 > id ? p->node_capacity * 2 : (size_t)id + 64;
        IrNode **nodes = ARENA_ARRAY(p->arena, IrNode *, capacity);
        if (p->node_capacity)
            memcpy(nodes, p->nodes, p->node_capacity * sizeof *nodes);
        p->nodes = nodes;
        p->node_capacity = capacity;
    }
    p->nodes[id] = node;
    return true;
}

static bool read_dtype(Parser *p, Dtype *dtype) {
    size_t begin = p->at;
    const char *word = read_word(p, "expected a dtype");
    return word && (dtype_find(word, dtype) || fail_at(p, span_from(p, begin), "unknown dtype"));
}

static bool is_number_char(char c, char before) {
    return is_word_char(c) || c == '.' || c == '-' || (c == '+' && (before == 'e' || before == 'p'));
}

static IrNode *read_constant(Parser *p) {
    peek(p);
    size_t begin = p->at;
    while (p->at < p->length && is_number_char(p->text[p->at], p->at > begin ? p->text[p->at - 1] : 0))
        p->at++;
    const char *text = p->text + begin;
    size_t length = p->at - begin;
    if (!length)
        return fail(p, "expected a value"), NULL;
    bool is_bool = text[0] == 't' || (text[0] == 'f');
    bool is_float = memchr(text, '.', length) || memchr(text, 'n', length) || memchr(text, 'e', length);
    Dtype dtype = is_bool ? DTYPE_bool : is_float ? DTYPE_f64 : DTYPE_i64;
    if (p->at < p->length && p->text[p->at] == ':') {
        p->at++;
        if (!read_dtype(p, &dtype))
            return NULL;
    }
    uint64_t bits;
    if (!number_parse(text, length, dtype, &bits))
        return fail_at(p, span_from(p, begin), "not a number of this dtype"), NULL;
    return ir_const(&p->builder, dtype, bits);
}

static IrNode *read_value(Parser *p) {
    uint64_t id;
    if (peek(p) != '%')
        return p->failed ? NULL : read_constant(p);
    size_t begin = p->at;
    if (!read_id(p, &id))
        return NULL;
    IrNode *node = known_node(p, id);
    return node ? node : (fail_at(p, span_from(p, begin), "this id is not defined before its use"), NULL);
}

/* ---- types
 * ------------------------------------------------------------------------------------------------- */

static bool read_extent(Parser *p, TextType *out, uint32_t axis) {
    uint64_t id;
    if (peek(p) != '%')
        return (out->type.dims[axis] = read_constant(p)) != NULL;
    if (!read_id(p, &id))
        return false;
    if (!(out->type.dims[axis] = known_node(p, id)))
        out->pending[axis] = id + 1;
    return true;
}

static bool read_order(Parser *p, IrOrder *order) {
#define ORDER(name, format, doc)                                                                             \
    if (accept_word(p, #format))                                                                             \
        return *order = IR_ORDER_##name, true;
#include "ir/formats.def"
    return fail(p, "expected the order of a pattern");
}

static bool read_type(Parser *p, TextType *out) {
    *out = (TextType){.type.kind = IR_TENSOR};
    if (accept_word(p, "token")) {
        out->type.kind = IR_TOKEN;
        return true;
    }
    if (accept_word(p, "pattern")) {
        out->type.kind = IR_PATTERN;
        if (!read_order(p, &out->type.order))
            return false;
    }
    if (!read_dtype(p, &out->type.dtype))
        return false;
    out->type.dims = ARENA_ARRAY(p->arena, IrNode *, IR_MAX_RANK);
    if (!accept(p, '[') || accept(p, ']'))
        return !p->failed;
    do {
        if (out->type.rank == IR_MAX_RANK)
            return fail(p, "too many axes");
        if (!read_extent(p, out, out->type.rank++))
            return false;
    } while (accept(p, ','));
    return expect(p, ']');
}

static bool read_types(Parser *p, TextType **types, uint32_t *count) {
    VEC(TextType) list = {0};
    TextType type;
    *count = 0;
    *types = NULL;
    if (!accept(p, ':'))
        return !p->failed;
    bool several = accept(p, '(');
    do {
        if (!read_type(p, &type))
            return false;
        vec_push(p->arena, &list, type);
    } while (several && accept(p, ','));
    *types = list.items;
    *count = list.count;
    return !several || expect(p, ')');
}

/* Remembers the extents of a built node's types whose nodes come later. */
static void patch_later(Parser *p, IrNode *node, const TextType *types, Span span) {
    for (uint32_t i = 0; i < node->result_count; i++)
        for (uint32_t k = 0; k < types[i].type.rank; k++)
            if (types[i].pending[k]) {
                Patch patch = {&node->types[i].dims[k], types[i].pending[k] - 1, span};
                vec_push(p->arena, &p->patches, patch);
            }
}

static bool apply_patches(Parser *p) {
    for (uint32_t i = 0; i < p->patches.count; i++) {
        const Patch *patch = &p->patches.items[i];
        if (!(*patch->slot = known_node(p, patch->id)))
            return fail_at(p, patch->span, "an extent of this node is never defined");
    }
    p->patches.count = 0;
    return true;
}

/* ---- nodes and regions
 * ------------------------------------------------------------------------------------- */

static bool read_region(Parser *p, IrRegion *region);

static bool read_code(Parser *p, int64_t *value) {
    size_t begin = p->at;
    const char *word = read_word(p, "expected an error code");
    for (int code = 1; word && code < DIAG_CODE_COUNT; code++)
        if (!strcmp(diag_code_text((DiagCode)code), word))
            return *value = code, true;
    return word && fail_at(p, span_from(p, begin), "unknown error code");
}

static bool read_kernel_name(Parser *p, int64_t *value) {
    size_t begin = p->at;
    Name name = read_name(p);
    for (uint32_t i = 0; name && i < p->module->kernels.count; i++)
        if (p->module->kernels.items[i]->name == name)
            return *value = i, true;
    return name && fail_at(p, span_from(p, begin), "unknown kernel");
}

static bool read_attribute(Parser *p, Op op, bool is_first, int64_t *value) {
    char c = peek(p);
    if (c == '-' || is_digit(c)) {
        bool negative = accept(p, '-');
        uint64_t magnitude;
        if (!read_natural(p, &magnitude))
            return false;
        *value = (int64_t)(negative ? 0 - magnitude : magnitude);
        return true;
    }
    if (op == OP_segment && !is_first) {
        size_t begin = p->at;
        const char *word = read_word(p, "expected a reduction");
        *value = word ? op_find(word) : OP_none;
        return word && (op_is_reduction((Op)*value) || fail_at(p, span_from(p, begin), "not a reduction"));
    }
    if (is_first && (op_is_reduction(op) || op == OP_segment)) {
        Dtype dtype = DTYPE_bool;
        bool read = read_dtype(p, &dtype);
        return *value = dtype, read;
    }
    if (is_first && op == OP_check_true)
        return read_code(p, value);
    if ((is_first && op == OP_launch) || op == OP_product)
        return read_kernel_name(p, value);
    return fail(p, "expected an attribute");
}

static bool read_attributes(Parser *p, IrNodeSpec *spec) {
    VEC(int64_t) list = {0};
    int64_t value = 0;
    if (!accept(p, '['))
        return !p->failed;
    do {
        if (!read_attribute(p, spec->op, list.count == 0, &value))
            return false;
        vec_push(p->arena, &list, value);
    } while (accept(p, list.count == 1 && peek(p) == ';' ? ';' : ','));
    spec->attributes = list.items;
    spec->attribute_count = list.count;
    return expect(p, ']');
}

static bool at_value(Parser *p) {
    char c = peek(p);
    return c == '%' || c == '-' || is_digit(c) || at_word(p, "true") || at_word(p, "false") ||
           at_word(p, "nan") || at_word(p, "inf");
}

static bool read_values(Parser *p, IrNode ***values, uint32_t *count) {
    VEC(IrNode *) list = {0};
    if (at_value(p))
        do {
            IrNode *value = read_value(p);
            if (!value)
                return false;
            vec_push(p->arena, &list, value);
        } while (accept(p, ','));
    *values = list.items;
    *count = list.count;
    return !p->failed;
}

static bool read_span(Parser *p, Span *span) {
    uint64_t begin, end;
    *span = (Span){0};
    if (!accept(p, '@'))
        return !p->failed;
    if (!read_natural(p, &begin) || !expect(p, ':') || !read_natural(p, &end))
        return false;
    *span = (Span){(uint32_t)begin, (uint32_t)end};
    return true;
}

static bool read_regions(Parser *p, IrNodeSpec *spec, IrRegion **regions) {
    IrBuilder outer = p->builder;
    spec->regions = regions;
    while (spec->region_count < 2 && peek(p) == '(') {
        IrRegion *region = ir_region_new(outer.function, outer.region);
        p->builder.region = region;
        if (!read_region(p, region))
            return false;
        regions[spec->region_count++] = region;
        p->builder = outer;
    }
    return true;
}

/* `op[attributes] operands "text" : types @span regions`, after `%id =` */
static IrNode *read_operation(Parser *p) {
    size_t begin = (peek(p), p->at);
    IrNodeSpec spec = {0};
    IrRegion *regions[2];
    IrNode **operands;
    TextType *text_types;
    const char *word = read_word(p, "expected an operation");
    if (!word)
        return NULL;
    spec.op = op_find(word);
    if (spec.op == OP_none || spec.op == OP_const || spec.op == OP_param)
        return fail_at(p, span_from(p, begin), "unknown operation"), NULL;
    Span place = span_from(p, begin), span;
    if (!read_attributes(p, &spec) || !read_values(p, &operands, &spec.operand_count))
        return NULL;
    if (peek(p) == '"' && !(spec.text = read_quoted(p)))
        return NULL;
    if (!read_types(p, &text_types, &spec.result_count) || !read_span(p, &span) ||
        !read_regions(p, &spec, regions))
        return NULL;
    IrType *types = ARENA_ARRAY(p->arena, IrType, spec.result_count);
    for (uint32_t i = 0; i < spec.result_count; i++)
        types[i] = text_types[i].type;
    spec.types = types;
    spec.operands = operands;
    p->builder.span = span;
    IrNode *node = ir_build_raw(&p->builder, &spec);
    p->builder.span = (Span){0};
    patch_later(p, node, text_types, place);
    return node;
}

static bool read_node(Parser *p) {
    size_t begin = p->at;
    uint64_t id = 0;
    bool has_id = peek(p) == '%';
    if (has_id && (!read_id(p, &id) || !expect(p, '=')))
        return false;
    Span span = span_from(p, begin);
    IrNode *node = read_operation(p);
    if (!node)
        return false;
    if (has_id != (node->result_count > 0))
        return fail_at(p, span, has_id ? "this node has no type" : "this result has no id");
    return !has_id || define(p, id, node, span);
}

/* A function's parameter: extents are constants or ids that stand here for the first time. */
static bool define_extents(Parser *p, IrNode *node, const TextType *type, Span span) {
    for (uint32_t k = 0; k < type->type.rank; k++)
        if (type->pending[k] && !define(p, type->pending[k] - 1, node->types[0].dims[k], span))
            return false;
    return true;
}

static IrNode *make_parameter(Parser *p, const IrRegion *region, Name name, const TextType *type, Span span) {
    int64_t sizes[IR_MAX_RANK];
    const IrType *t = &type->type;
    if (t->kind == IR_TOKEN)
        return ir_token_parameter(&p->builder);
    for (uint32_t k = 0; k < t->rank; k++) {
        if (type->pending[k] || !ir_const_value_i64(t->dims[k], &sizes[k]))
            sizes[k] = -1;
        if (region->parent ? type->pending[k] != 0 : !type->pending[k] && sizes[k] < 0) {
            fail_at(p, span,
                    region->parent ? "an extent of this parameter is not defined"
                                   : "an extent of a function's parameter is a size or a new id");
            return NULL;
        }
    }
    return ir_parameter_of(&p->builder, name, t, region->parent ? t->dims : NULL, sizes);
}

static bool read_parameter(Parser *p, const IrRegion *region, bool *contiguous) {
    size_t begin = p->at;
    uint64_t id;
    Name name = NULL;
    TextType type;
    if (!read_id(p, &id) || (peek(p) != ':' && !(name = read_name(p))) || !expect(p, ':') ||
        !read_type(p, &type))
        return false;
    Span span = span_from(p, begin);
    IrNode *node = make_parameter(p, region, name, &type, span);
    *contiguous = !region->parent && accept_word(p, "contiguous");
    return node && define(p, id, node, span) && (region->parent || define_extents(p, node, &type, span));
}

static bool read_parameters(Parser *p, IrRegion *region) {
    VEC(bool) flags = {0};
    bool contiguous, any = false;
    if (!expect(p, '('))
        return false;
    if (accept(p, ')'))
        return true;
    do {
        if (!read_parameter(p, region, &contiguous))
            return false;
        vec_push(p->arena, &flags, contiguous);
        any |= contiguous;
    } while (accept(p, ','));
    if (any)
        region->function->parameter_contiguous = flags.items;
    return expect(p, ')');
}

static bool read_region(Parser *p, IrRegion *region) {
    const char *last = region->parent ? "yield" : "return";
    IrNode **results;
    uint32_t count;
    if (++p->depth > MAX_NESTING)
        return fail(p, "regions are nested too deeply");
    if (!read_parameters(p, region) || !expect(p, '{'))
        return false;
    while (!accept_word(p, last))
        if (p->failed || !read_node(p))
            return false;
    if (!read_values(p, &results, &count) || !expect(p, '}'))
        return false;
    ir_set_results(&p->builder, results, count);
    p->depth--;
    return true;
}

/* ---- functions and kernels
 * ----------------------------------------------------------------------------------- */

static bool read_function(Parser *p) {
    Name name = read_name(p);
    if (!name)
        return false;
    IrFunction *function = ir_function_new(p->module, name);
    p->builder = ir_builder_at(function, function->body);
    p->nodes = NULL;
    p->node_capacity = 0;
    return read_region(p, function->body) && apply_patches(p);
}

/* The text of a kernel, up to its closing brace, goes to its own parser. */
static bool read_kernel(Parser *p) {
    size_t begin = p->at, end = begin;
    for (int depth = 0; end < p->length; end++) {
        depth += p->text[end] == '{';
        if (p->text[end] == '}' && --depth == 0)
            break;
    }
    if (end == p->length)
        return fail(p, "this kernel is not closed");
    Kernel *kernel = kernel_parse(p->arena, p->names, p->sink, p->text + begin, end + 1 - begin,
                                  p->base + (uint32_t)begin);
    if (!kernel)
        return p->failed = true, false;
    vec_push(p->arena, &p->module->kernels, kernel);
    p->at = end + 1;
    return true;
}

IrModule *ir_parse_module(Arena *arena, Interner *names, DiagSink *sink, const char *text, size_t length,
                          uint32_t base) {
    Parser p = {.arena = arena, .names = names, .sink = sink, .text = text, .length = length, .base = base};
    p.module = ir_module_new(arena, names);
    if (length > UINT32_MAX - base) {
        diag_error(sink, DIAG_E0002, (Span){0}, "the IR text is too large");
        return NULL;
    }
    while (peek(&p)) {
        bool read = at_word(&p, "kernel")         ? read_kernel(&p)
                    : accept_word(&p, "function") ? read_function(&p)
                                                  : fail(&p, "expected `function` or `kernel`");
        if (!read)
            return NULL;
    }
    if (p.at < length) {
        fail(&p, "a NUL byte in the IR text");
        return NULL;
    }
    return p.module;
}
