/* Kernel text to kernels: a recursive-descent reader of what ir/kernel_print.c writes, and of the freer form
 * that people write (see "Text" in kernel.h).  Errors go to the sink as E0101, E0110, E0111, E0202; the
 * verifier checks the rest. */
#include "ir/kernel.h"
#include "ir/kernel_text.h"
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdlib.h>

enum { MAX_DEPTH = 200 };

typedef enum TokenKind { TOKEN_END, TOKEN_WORD, TOKEN_NUMBER, TOKEN_SYMBOL } TokenKind;
typedef struct Token {
    TokenKind kind;
    const char *text;
    size_t length;
} Token;

typedef struct Symbol {
    Name name;
    KernelVariable *variable;
    KernelArray *array;
} Symbol;

typedef struct Parser {
    Kernel *kernel;
    Arena *arena;
    Interner *names;
    DiagSink *sink;
    const char *text, *end, *at;
    uint32_t base;
    Token token;
    VEC(Symbol) scope;
    int depth;
    jmp_buf stop; /* the first error ends the parse */
} Parser;

/* ---- tokens and errors -------------------------------------------------------------------------- */

static Span token_span(const Parser *p) {
    uint32_t begin = p->base + (uint32_t)(p->token.text - p->text);
    return (Span){begin, begin + (uint32_t)p->token.length};
}

__attribute__((noreturn, format(printf, 3, 4))) static void fail(Parser *p, DiagCode code, const char *format,
                                                                 ...) {
    va_list list;
    va_start(list, format);
    const char *message = arena_format_list(p->arena, format, list);
    va_end(list);
    diag_error(p->sink, code, token_span(p), "%s", message);
    longjmp(p->stop, 1);
}

static void skip_blanks(Parser *p) {
    while (p->at < p->end) {
        if (*p->at == '#')
            while (p->at < p->end && *p->at != '\n')
                p->at++;
        else if (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r')
            p->at++;
        else
            break;
    }
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* The end of a number: digits, a fraction (not `..`), an exponent, `_dtype`; hexadecimal as it comes. */
static const char *number_end(const Parser *p, const char *c) {
    const char *end = p->end;
    if (c + 1 < end && c[0] == '0' && c[1] == 'x') {
        c += 2;
    } else {
        while (c < end && is_digit(*c))
            c++;
        if (c + 1 < end && *c == '.' && is_digit(c[1]))
            for (c++; c < end && is_digit(*c);)
                c++;
        if (c + 1 < end && *c == 'e' && (is_digit(c[1]) || c[1] == '-' || c[1] == '+'))
            for (c += 2; c < end && is_digit(*c);)
                c++;
    }
    while (c < end && (is_digit(*c) || kernel_text_is_letter(*c)))
        c++;
    return c;
}

static size_t symbol_length(const Parser *p) {
    static const char *const pairs[] = {"..", "||", "&&", "==", "!=", "<=", ">="};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (p->end - p->at >= 2 && !memcmp(p->at, pairs[i], 2))
            return 2;
    return 1;
}

static void next(Parser *p) {
    skip_blanks(p);
    p->token = (Token){TOKEN_END, p->at, 0};
    if (p->at == p->end)
        return;
    const char *c = p->at;
    if (kernel_text_is_letter(*c)) {
        p->token.kind = TOKEN_WORD;
        while (c < p->end && (kernel_text_is_letter(*c) || is_digit(*c)))
            c++;
    } else if (is_digit(*c)) {
        p->token.kind = TOKEN_NUMBER;
        c = number_end(p, c);
    } else {
        p->token.kind = TOKEN_SYMBOL;
        c += symbol_length(p);
    }
    p->token.length = (size_t)(c - p->at);
    p->at = c;
}

static bool is(const Parser *p, const char *text) {
    return p->token.kind != TOKEN_END && p->token.length == strlen(text) &&
           !memcmp(p->token.text, text, p->token.length);
}

static bool accept(Parser *p, const char *text) {
    return is(p, text) && (next(p), true);
}

static void expect(Parser *p, const char *text) {
    if (!accept(p, text))
        fail(p, DIAG_E0101, "expected `%s`, found `%.*s`", text, (int)p->token.length, p->token.text);
}

static const char *word(Parser *p) {
    if (p->token.kind != TOKEN_WORD)
        fail(p, DIAG_E0101, "expected a name, found `%.*s`", (int)p->token.length, p->token.text);
    const char *text = arena_copy_text(p->arena, p->token.text, p->token.length);
    next(p);
    return text;
}

static Dtype dtype(Parser *p) {
    Dtype found;
    if (p->token.kind != TOKEN_WORD ||
        !dtype_find(arena_copy_text(p->arena, p->token.text, p->token.length), &found))
        fail(p, DIAG_E0101, "expected a dtype, found `%.*s`", (int)p->token.length, p->token.text);
    next(p);
    return found;
}

/* ---- names -------------------------------------------------------------------------------------- */

static const Symbol *look_up(Parser *p, const char *name) {
    Name interned = intern_text(p->names, name);
    for (uint32_t i = p->scope.count; i-- > 0;)
        if (p->scope.items[i].name == interned)
            return &p->scope.items[i];
    fail(p, DIAG_E0110, "unknown name `%s`", name);
}

static void define(Parser *p, KernelVariable *variable, KernelArray *array) {
    Symbol symbol = {variable ? variable->name : array->name, variable, array};
    for (uint32_t i = 0; i < p->scope.count; i++)
        if (p->scope.items[i].name == symbol.name)
            fail(p, DIAG_E0111, "`%s` is declared twice", symbol.name->text);
    vec_push(p->arena, &p->scope, symbol);
}

static KernelArray *array_named(Parser *p) {
    const char *name = word(p);
    const Symbol *symbol = look_up(p, name);
    if (!symbol->array)
        fail(p, DIAG_E0101, "`%s` is not an array", name);
    return symbol->array;
}

static KernelVariable *variable_named(Parser *p) {
    const char *name = word(p);
    const Symbol *symbol = look_up(p, name);
    if (!symbol->variable)
        fail(p, DIAG_E0101, "`%s` is not a variable", name);
    return symbol->variable;
}

/* ---- literals ----------------------------------------------------------------------------------- */

/* An expression; a literal without a dtype takes the one of what it meets. */
typedef struct Parsed {
    KernelExpr *expr;
    bool is_open; /* a literal, or operators on such, whose dtype can still change */
} Parsed;

static KernelExpr *number_const(Parser *p, Dtype type, double real, uint64_t integer, bool is_real,
                                bool is_negative) {
    if (dtype_is_float(type)) {
        double value = is_real ? real : (double)integer;
        return kernel_const(p->kernel, type, kernel_text_float_bits(type, is_negative ? -value : value));
    }
    int bits = dtype_info[type].bytes * 8 - (dtype_kind(type) == KIND_SIGNED);
    uint64_t most = type == DTYPE_bool ? 1 : bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    most += is_negative;
    if (is_real || (is_negative && dtype_kind(type) != KIND_SIGNED && integer) || integer > most)
        fail(p, DIAG_E0202, "the literal does not fit %s", dtype_name(type));
    return kernel_const(p->kernel, type, is_negative ? 0 - integer : integer);
}

static Parsed number(Parser *p, bool is_negative) {
    const char *text = arena_copy_text(p->arena, p->token.text, p->token.length);
    bool is_hex = text[0] == '0' && text[1] == 'x';
    bool is_real = !is_hex && strpbrk(text, ".e") && strcspn(text, ".e") < strcspn(text, "_");
    char *rest;
    errno = 0;
    uint64_t integer = strtoull(text, &rest, is_hex ? 16 : 10);
    if (!is_real && errno == ERANGE)
        fail(p, DIAG_E0101, "the number is too large");
    double real = is_real ? strtod(text, &rest) : 0;
    Dtype type = is_real ? DTYPE_f64 : DTYPE_i64;
    bool is_open = *rest != '_';
    if (*rest && (is_open || !dtype_find(rest + 1, &type)))
        fail(p, DIAG_E0101, "malformed number `%s`", text);
    KernelExpr *expr = is_hex && dtype_is_float(type)
                           ? kernel_const(p->kernel, type, integer)
                           : number_const(p, type, real, integer, is_real, is_negative);
    next(p);
    return (Parsed){expr, is_open};
}

/* `inf` and `nan`, alone or with _dtype; false when the word is another. */
static bool special_float(Parser *p, bool is_negative, Parsed *out) {
    bool is_inf = p->token.length >= 3 && !memcmp(p->token.text, "inf", 3);
    bool is_nan = p->token.length >= 3 && !memcmp(p->token.text, "nan", 3);
    Dtype type = DTYPE_f64;
    if (p->token.kind != TOKEN_WORD || (!is_inf && !is_nan))
        return false;
    const char *suffix = arena_copy_text(p->arena, p->token.text + 3, p->token.length - 3);
    if (*suffix && (*suffix != '_' || !dtype_find(suffix + 1, &type) || !dtype_is_float(type)))
        return false;
    double value = is_inf ? INFINITY : NAN;
    uint64_t bits = kernel_text_float_bits(type, is_negative ? -value : value);
    *out = (Parsed){kernel_const(p->kernel, type, bits), !*suffix};
    next(p);
    return true;
}

/* Gives an open literal its dtype. */
static KernelExpr *settle(Parser *p, Parsed parsed, Dtype type) {
    KernelExpr *expr = parsed.expr;
    if (!parsed.is_open || expr->dtype == type || expr->kind != KERNEL_CONST)
        return expr;
    if (expr->dtype == DTYPE_f64) {
        if (!dtype_is_float(type))
            fail(p, DIAG_E0202, "a float literal where %s is expected", dtype_name(type));
        double value = kernel_text_float(DTYPE_f64, expr->bits);
        return kernel_const(p->kernel, type, kernel_text_float_bits(type, value));
    }
    int64_t value = (int64_t)expr->bits;
    bool is_negative = value < 0;
    return number_const(p, type, 0, is_negative ? 0 - (uint64_t)value : (uint64_t)value, false, is_negative);
}

/* ---- expressions -------------------------------------------------------------------------------- */

static Parsed expression(Parser *p, int precedence);

static KernelExpr *typed(Parser *p, Dtype type) {
    KernelExpr *expr = settle(p, expression(p, 1), type);
    if (expr->dtype != type)
        fail(p, DIAG_E0202, "%s where %s is expected", dtype_name(expr->dtype), dtype_name(type));
    return expr;
}

static KernelExpr *closed(Parser *p) {
    return expression(p, 1).expr;
}

static uint32_t indices(Parser *p, KernelExpr *out[4]) {
    uint32_t count = 0;
    expect(p, "[");
    do {
        if (count == 4)
            fail(p, DIAG_E0101, "more than 4 indices");
        out[count++] = typed(p, DTYPE_i64);
    } while (accept(p, ","));
    expect(p, "]");
    return count;
}

/* Operands of one dtype: an open one follows the others (from `first` on: `where` has a condition before). */
static Parsed build_op(Parser *p, Op op, Parsed *operands) {
    uint32_t arity = op_info[op].arity, first = op == OP_where, model = first;
    KernelExpr *exprs[3];
    while (model + 1 < arity && operands[model].is_open)
        model++;
    for (uint32_t i = first; i < arity; i++) /* a float literal decides over an integer one */
        if (operands[model].is_open && operands[i].is_open && operands[i].expr->dtype == DTYPE_f64)
            model = i;
    Dtype type = operands[model].expr->dtype;
    for (uint32_t i = 0; i < arity; i++) {
        exprs[i] = i < first ? operands[i].expr : settle(p, operands[i], type);
        if (exprs[i]->dtype != (i < first ? DTYPE_bool : type))
            fail(p, DIAG_E0202, "operands of `%s` are %s and %s", op_name(op), dtype_name(type),
                 dtype_name(exprs[i]->dtype));
    }
    KernelExpr *built = kernel_op(p->kernel, op, exprs);
    return (Parsed){built, operands[model].is_open && built->kind == KERNEL_CONST};
}

static Parsed call(Parser *p, const char *name) {
    Dtype type;
    Parsed operands[3];
    uint32_t count = 0;
    expect(p, "(");
    if (dtype_find(name, &type)) {
        KernelExpr *x = closed(p);
        expect(p, ")");
        return (Parsed){kernel_cast(p->kernel, x, type), false};
    }
    Op op = op_find(name);
    do {
        if (count == op_info[op].arity)
            fail(p, DIAG_E0204, "`%s` takes %u operands", name, op_info[op].arity);
        operands[count++] = expression(p, 1);
    } while (accept(p, ","));
    if (count != op_info[op].arity)
        fail(p, DIAG_E0204, "`%s` takes %u operands", name, op_info[op].arity);
    expect(p, ")");
    return build_op(p, op, operands);
}

static Parsed named(Parser *p) {
    const char *name = word(p);
    KernelExpr *subscripts[4];
    Dtype type;
    if (is(p, "(") && (dtype_find(name, &type) || op_is_elementwise(op_find(name))))
        return call(p, name);
    const Symbol *symbol = look_up(p, name);
    if (symbol->variable)
        return (Parsed){kernel_use(p->kernel, symbol->variable), false};
    uint32_t count = indices(p, subscripts);
    if (count != symbol->array->rank)
        fail(p, DIAG_E0101, "`%s` takes %u indices", name, symbol->array->rank);
    return (Parsed){kernel_load(p->kernel, symbol->array, subscripts, count), false};
}

static Parsed primary(Parser *p) {
    Parsed result;
    bool is_negative = is(p, "-");
    if (is_negative)
        next(p);
    if (p->token.kind == TOKEN_NUMBER)
        return number(p, is_negative);
    if (special_float(p, is_negative, &result))
        return result;
    if (is_negative) { /* binds tighter than every operator */
        if (++p->depth > MAX_DEPTH)
            fail(p, DIAG_E0103, "nesting is too deep");
        result = primary(p);
        p->depth--;
        return build_op(p, OP_neg, &result);
    }
    if (is(p, "true") || is(p, "false")) {
        result = (Parsed){kernel_const(p->kernel, DTYPE_bool, is(p, "true")), false};
        next(p);
        return result;
    }
    if (accept(p, "(")) {
        result = expression(p, 1);
        expect(p, ")");
        return result;
    }
    return named(p);
}

/* Operators that bind at least as tightly as `precedence`, left to right. */
static Parsed expression(Parser *p, int precedence) {
    char symbol[4];
    if (++p->depth > MAX_DEPTH)
        fail(p, DIAG_E0103, "nesting is too deep");
    Parsed left = primary(p);
    for (;;) {
        Op op =
            p->token.kind == TOKEN_SYMBOL ? kernel_text_operator(p->token.text, p->token.length) : OP_none;
        int own = op ? kernel_text_infix(op, symbol) : 0;
        if (!own || own < precedence)
            break;
        next(p);
        Parsed right = expression(p, own + 1);
        left = build_op(p, op, (Parsed[]){left, right});
    }
    p->depth--;
    return left;
}

/* ---- statements --------------------------------------------------------------------------------- */

static void block(Parser *p, KernelBlock *into);

static int64_t integer(Parser *p) {
    int64_t value;
    KernelExpr *expr = typed(p, DTYPE_i64);
    if (!kernel_is_const_i64(expr, &value))
        fail(p, DIAG_E0101, "expected a constant");
    return value;
}

static KernelVariable *new_variable(Parser *p, KernelVariableKind kind, const char *name, Dtype type) {
    KernelVariable *variable = kernel_variable(p->kernel, kind, name, type);
    define(p, variable, NULL);
    return variable;
}

static void declaration(Parser *p, KernelBlock *into, KernelVariableKind kind) {
    const char *name = word(p);
    expect(p, ":");
    Dtype type = dtype(p);
    expect(p, "=");
    KernelExpr *value = typed(p, type);
    kernel_declare(p->kernel, into, new_variable(p, kind, name, type), value);
}

static void allocation(Parser *p, KernelBlock *into) {
    static const struct {
        const char *name;
        KernelArrayKind kind;
    } kinds[] = {{"reg", KERNEL_REG}, {"scratch", KERNEL_SCRATCH}, {"group", KERNEL_GROUP}};
    expect(p, ".");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        KernelExpr *shape[4];
        if (!accept(p, kinds[i].name))
            continue;
        const char *name = word(p);
        expect(p, ":");
        Dtype type = dtype(p);
        uint32_t rank = indices(p, shape);
        define(p, NULL, kernel_alloc(p->kernel, into, kinds[i].kind, name, type, shape, rank)->array);
        return;
    }
    fail(p, DIAG_E0101, "expected reg, scratch or group");
}

/* A block in which names live until its end; `variables` (or NULL) live there too. */
static void scoped(Parser *p, KernelBlock *into, uint32_t scope) {
    block(p, into);
    p->scope.count = scope;
}

static void for_nz(Parser *p, KernelBlock *into) {
    expect(p, "(");
    const char *position = word(p);
    expect(p, ",");
    const char *coordinate = word(p);
    expect(p, ")");
    expect(p, "in");
    KernelExpr *row = typed(p, DTYPE_i64);
    expect(p, "of");
    expect(p, "(");
    KernelArray *indptr = array_named(p);
    expect(p, ",");
    KernelArray *columns = array_named(p);
    expect(p, ")");
    KernelStatement *s = kernel_for_nz(p->kernel, into, position, coordinate, row, indptr, columns);
    uint32_t scope = p->scope.count;
    define(p, s->variable, NULL);
    define(p, s->second, NULL);
    scoped(p, &s->body, scope);
}

static void for_loop(Parser *p, KernelBlock *into) {
    static const char *const loops[] = {"serial", "parallel", "vector", "unrolled"};
    int loop = 0;
    expect(p, ".");
    if (accept(p, "nz")) {
        for_nz(p, into);
        return;
    }
    while (loop < 4 && !is(p, loops[loop]))
        loop++;
    if (loop == 4)
        fail(p, DIAG_E0101, "expected serial, parallel, vector, unrolled or nz");
    next(p);
    const char *index = word(p);
    expect(p, "in");
    KernelExpr *begin = typed(p, DTYPE_i64);
    expect(p, "..");
    KernelExpr *end = typed(p, DTYPE_i64), *step = accept(p, "step") ? typed(p, DTYPE_i64) : NULL;
    KernelStatement *s = kernel_for(p->kernel, into, (KernelLoop)loop, index, begin, end, step);
    if (accept(p, "below"))
        s->below = typed(p, DTYPE_i64);
    if (accept(p, "grain"))
        s->grain = integer(p);
    if (accept(p, "balance"))
        s->balance = array_named(p);
    uint32_t scope = p->scope.count;
    define(p, s->variable, NULL);
    scoped(p, &s->body, scope);
}

static void merge_cases(Parser *p, KernelStatement *s) {
    expect(p, "{");
    while (accept(p, "case")) {
        uint32_t subset = 0;
        while (p->token.kind == TOKEN_NUMBER) {
            int64_t k = integer(p);
            if (k < 0 || k >= s->iterators.count)
                fail(p, DIAG_E0101, "there is no operand %lld", (long long)k);
            subset |= 1u << k;
        }
        scoped(p, kernel_merge_case(p->kernel, s, subset), p->scope.count);
    }
    expect(p, "}");
}

static void merge(Parser *p, KernelBlock *into) {
    KernelStatement *s = kernel_merge(p->kernel, into, word(p));
    uint32_t scope = p->scope.count;
    define(p, s->variable, NULL);
    expect(p, "over");
    expect(p, "(");
    do {
        const char *name = word(p);
        expect(p, "in");
        KernelExpr *begin = typed(p, DTYPE_i64);
        expect(p, "..");
        KernelExpr *end = typed(p, DTYPE_i64);
        expect(p, "of");
        if (s->iterators.count == 8)
            fail(p, DIAG_E0101, "more than 8 operands");
        define(p, kernel_merge_over(p->kernel, s, name, begin, end, array_named(p)), NULL);
    } while (accept(p, ","));
    expect(p, ")");
    merge_cases(p, s);
    p->scope.count = scope;
}

static void condition(Parser *p, KernelBlock *into, bool is_while) {
    KernelExpr *value = typed(p, DTYPE_bool);
    KernelStatement *s = is_while ? kernel_while(p->kernel, into, value) : kernel_if(p->kernel, into, value);
    scoped(p, &s->body, p->scope.count);
    if (!is_while && accept(p, "else"))
        scoped(p, &s->otherwise, p->scope.count);
}

static void append(Parser *p, KernelBlock *into) {
    KernelVariable *position = variable_named(p);
    KernelArray *targets[4];
    KernelExpr *values[4];
    uint32_t count = 0;
    expect(p, "to");
    do {
        if (count == 4)
            fail(p, DIAG_E0101, "append to more than 4 arrays");
        targets[count++] = array_named(p);
    } while (accept(p, ","));
    expect(p, "=");
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            expect(p, ",");
        values[i] = typed(p, targets[i]->dtype);
    }
    KernelExpr *fill = accept(p, "if") ? typed(p, DTYPE_bool) : NULL;
    kernel_append(p->kernel, into, position, targets, values, count, fill);
}

static void tile_mma(Parser *p, KernelBlock *into) {
    int64_t tile[3];
    expect(p, ".");
    expect(p, "mma");
    KernelArray *c = array_named(p);
    expect(p, ",");
    KernelArray *a = array_named(p);
    expect(p, ",");
    KernelArray *b = array_named(p);
    expect(p, "(");
    for (int i = 0; i < 3; i++) {
        if (i)
            expect(p, ",");
        tile[i] = integer(p);
    }
    expect(p, ")");
    kernel_tile_mma(p->kernel, into, c, a, b, tile);
}

static void prefetch(Parser *p, KernelBlock *into) {
    KernelExpr *subscripts[4];
    KernelArray *array = array_named(p);
    uint32_t count = indices(p, subscripts);
    kernel_prefetch(p->kernel, into, array, subscripts, count);
}

static void stream(Parser *p, KernelBlock *into) {
    KernelArray *array = array_named(p);
    expect(p, ",");
    KernelExpr *elements = typed(p, DTYPE_i64);
    expect(p, "by");
    kernel_stream(p->kernel, into, array, elements, typed(p, DTYPE_i64));
}

/* `NAME=` of an accumulate statement, where `=` touches the name. */
static Op accumulating(Parser *p) {
    Op op = op_find(word(p));
    if (op == OP_none)
        fail(p, DIAG_E0101, "expected `=` or an op before `=`");
    expect(p, "=");
    return op;
}

static void pair(Parser *p, KernelBlock *into) {
    KernelVariable *best = variable_named(p);
    expect(p, ",");
    KernelVariable *index = variable_named(p);
    expect(p, ")");
    Op op = accumulating(p);
    expect(p, "(");
    KernelExpr *value = typed(p, best->dtype);
    expect(p, ",");
    KernelExpr *at = typed(p, index->dtype);
    expect(p, ")");
    kernel_accumulate_arg(p->kernel, into, op, best, index, value, at);
}

static void assignment(Parser *p, KernelBlock *into) {
    const char *name = word(p);
    const Symbol *symbol = look_up(p, name);
    KernelExpr *subscripts[4];
    if (symbol->array) {
        KernelArray *array = symbol->array;
        uint32_t count = indices(p, subscripts);
        if (count != array->rank)
            fail(p, DIAG_E0101, "`%s` takes %u indices", name, array->rank);
        expect(p, "=");
        kernel_store(p->kernel, into, array, subscripts, count, typed(p, array->dtype));
        return;
    }
    KernelVariable *variable = symbol->variable;
    if (accept(p, "=")) {
        kernel_assign(p->kernel, into, variable, typed(p, variable->dtype));
        return;
    }
    Op op = accumulating(p);
    kernel_accumulate(p->kernel, into, op, variable, typed(p, variable->dtype));
}

static void statement(Parser *p, KernelBlock *into) {
    static const struct {
        const char *word;
        void (*parse)(Parser *, KernelBlock *);
    } table[] = {{"alloc", allocation},  {"for", for_loop},  {"merge", merge},   {"append", append},
                 {"prefetch", prefetch}, {"tile", tile_mma}, {"stream", stream}, {"(", pair}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (accept(p, table[i].word)) {
            table[i].parse(p, into);
            return;
        }
    if (accept(p, "let"))
        declaration(p, into, KERNEL_LET);
    else if (accept(p, "var"))
        declaration(p, into, KERNEL_VAR);
    else if (accept(p, "if"))
        condition(p, into, false);
    else if (accept(p, "while"))
        condition(p, into, true);
    else if (accept(p, "barrier"))
        kernel_statement(p->kernel, into, KERNEL_BARRIER);
    else
        assignment(p, into);
}

static void block(Parser *p, KernelBlock *into) {
    uint32_t scope = p->scope.count;
    if (++p->depth > MAX_DEPTH)
        fail(p, DIAG_E0103, "nesting is too deep");
    expect(p, "{");
    while (!accept(p, "}"))
        statement(p, into);
    p->depth--;
    p->scope.count = scope;
}

/* ---- kernels ------------------------------------------------------------------------------------ */

static void parameter(Parser *p) {
    const char *name = word(p);
    expect(p, ":");
    bool is_output = accept(p, "out"), may_alias = accept(p, "alias"), is_pairs = accept(p, "pairs");
    if (accept(p, "buffer")) {
        KernelArray *array = kernel_buffer(p->kernel, name, dtype(p), is_output);
        array->may_alias = may_alias;
        array->is_pairs = is_pairs;
        define(p, NULL, array);
        return;
    }
    if (is_output || may_alias || is_pairs)
        fail(p, DIAG_E0101, "expected `buffer`");
    define(p, kernel_scalar(p->kernel, name, dtype(p)), NULL);
}

static Kernel *kernel(Parser *p) {
    next(p);
    expect(p, "kernel");
    p->kernel = kernel_new(p->arena, p->names, intern_text(p->names, word(p)));
    expect(p, "(");
    if (!is(p, ")"))
        do
            parameter(p);
        while (accept(p, ","));
    expect(p, ")");
    block(p, &p->kernel->body);
    if (p->token.kind != TOKEN_END)
        fail(p, DIAG_E0101, "text after the kernel's end");
    return p->kernel;
}

Kernel *kernel_parse(Arena *arena, Interner *names, DiagSink *sink, const char *text, size_t length,
                     uint32_t base) {
    Parser *parser = ARENA_NEW(arena, Parser);
    parser->arena = arena;
    parser->names = names;
    parser->sink = sink;
    parser->text = parser->at = text;
    parser->end = text + length;
    parser->base = base;
    return setjmp(parser->stop) ? NULL : kernel(parser);
}
