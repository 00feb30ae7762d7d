/* Kernel text.  The canonical form renames everything in order of appearance, so that its bytes are a key;
 * the named form keeps the builder's names, made unique.  Both parse back (ir/kernel_parse.c). */
#include "ir/kernel.h"
#include "ir/kernel_text.h"
#include <math.h>
#include <stdio.h>

typedef struct Printer {
    const Kernel *kernel;
    const IrWriter *writer;
    bool is_named;
    Arena scratch;
    const char **names; /* by id; NULL: not met yet */
    uint32_t counters[128];
    int depth;
} Printer;

static void put(Printer *p, const char *text) {
    p->writer->write(p->writer->user, text, strlen(text));
}

__attribute__((format(printf, 2, 3))) static void putf(Printer *p, const char *format, ...) {
    char text[512];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    p->writer->write(p->writer->user, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

/* ---- names -------------------------------------------------------------------------------------- */

static bool is_taken(const Printer *p, const char *name) {
    Dtype dtype;
    if (dtype_find(name, &dtype) || op_find(name) != OP_none || kernel_text_is_keyword(name))
        return true;
    for (uint32_t id = 0; id < p->kernel->next_id; id++)
        if (p->names[id] && !strcmp(p->names[id], name))
            return true;
    return false;
}

/* The builder's name with other characters replaced, and a number where it is taken. */
static const char *unique_name(Printer *p, Name name) {
    char text[64];
    size_t length = name->length < 40 ? name->length : 40;
    memcpy(text, name->text, length);
    text[length] = 0;
    for (size_t i = 0; i < length; i++)
        if (!kernel_text_is_letter(text[i]) && !(i && text[i] >= '0' && text[i] <= '9'))
            text[i] = '_';
    if (!length)
        text[length++] = '_', text[length] = 0;
    for (unsigned n = 1; is_taken(p, text); n++)
        snprintf(text + length, sizeof text - length, "_%u", n);
    return arena_copy_text(&p->scratch, text, strlen(text));
}

static const char *name_of(Printer *p, uint32_t id, Name name, char letter) {
    if (!p->names[id])
        p->names[id] = p->is_named ? unique_name(p, name)
                                   : arena_format(&p->scratch, "%c%u", letter, p->counters[(int)letter]++);
    return p->names[id];
}

static const char *variable_name(Printer *p, const KernelVariable *variable) {
    static const char letters[] = {
        [KERNEL_PARAMETER] = 'n', [KERNEL_INDEX] = 'k', [KERNEL_LET] = 'v', [KERNEL_VAR] = 'v'};
    return name_of(p, variable->id, variable->name, letters[variable->kind]);
}

static const char *array_name(Printer *p, const KernelArray *array) {
    return name_of(p, array->id, array->name, array->kind == KERNEL_BUFFER ? 'x' : 't');
}

/* ---- expressions -------------------------------------------------------------------------------- */

static void put_float(Printer *p, Dtype dtype, uint64_t bits) {
    double value = kernel_text_float(dtype, bits);
    if (isnan(value)) {
        if (kernel_text_float_bits(dtype, NAN) == bits)
            putf(p, "nan_%s", dtype_name(dtype));
        else
            putf(p, "0x%llx_%s", (unsigned long long)bits, dtype_name(dtype));
    } else if (isinf(value)) {
        putf(p, "%sinf_%s", value < 0 ? "-" : "", dtype_name(dtype));
    } else {
        putf(p, "%.*g_%s", dtype == DTYPE_f64 ? 17 : 9, value, dtype_name(dtype));
    }
}

static void put_const(Printer *p, const KernelExpr *e) {
    int shift = 64 - dtype_info[e->dtype].bytes * 8;
    switch (dtype_kind(e->dtype)) {
    case KIND_BOOL:
        put(p, e->bits ? "true" : "false");
        break;
    case KIND_UNSIGNED:
        putf(p, "%llu_%s", (unsigned long long)e->bits, dtype_name(e->dtype));
        break;
    case KIND_SIGNED:
        putf(p, "%lld", (long long)((int64_t)(e->bits << shift) >> shift));
        if (e->dtype != DTYPE_i64)
            putf(p, "_%s", dtype_name(e->dtype));
        break;
    default:
        put_float(p, e->dtype, e->bits);
    }
}

static void put_expr(Printer *p, const KernelExpr *e, int precedence);

static void put_list(Printer *p, KernelExpr *const *items, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        put(p, i ? ", " : "");
        put_expr(p, items[i], 0);
    }
}

static void put_element(Printer *p, const KernelArray *array, KernelExpr *const *indices, uint32_t count) {
    putf(p, "%s[", array_name(p, array));
    put_list(p, indices, count);
    put(p, "]");
}

static void put_op(Printer *p, const KernelExpr *e, int precedence) {
    char symbol[4];
    int own = kernel_text_infix(e->op, symbol);
    if (!own) {
        putf(p, "%s(", op_name(e->op));
        put_list(p, e->operands, e->count);
        put(p, ")");
        return;
    }
    put(p, own < precedence ? "(" : "");
    put_expr(p, e->operands[0], own);
    putf(p, " %s ", symbol);
    put_expr(p, e->operands[1], own + 1);
    put(p, own < precedence ? ")" : "");
}

/* `precedence`: operators that bind less need parentheses. */
static void put_expr(Printer *p, const KernelExpr *e, int precedence) {
    switch (e->kind) {
    case KERNEL_CONST:
        put_const(p, e);
        break;
    case KERNEL_USE:
        put(p, variable_name(p, e->variable));
        break;
    case KERNEL_OP:
        put_op(p, e, precedence);
        break;
    case KERNEL_CAST:
        putf(p, "%s(", dtype_name(e->dtype));
        put_expr(p, e->operands[0], 0);
        put(p, ")");
        break;
    case KERNEL_LOAD:
        put_element(p, e->array, e->operands, e->count);
        break;
    }
}

/* ---- statements --------------------------------------------------------------------------------- */

static void put_block(Printer *p, const KernelBlock *block);

static void put_range(Printer *p, const KernelExpr *begin, const KernelExpr *end) {
    put(p, " in ");
    put_expr(p, begin, 0);
    put(p, " .. ");
    put_expr(p, end, 0);
}

static void put_for(Printer *p, const KernelStatement *s) {
    static const char *const loops[] = {"serial", "parallel", "vector", "unrolled"};
    putf(p, "for.%s %s", loops[s->loop], variable_name(p, s->variable));
    put_range(p, s->begin, s->end);
    if (s->step) {
        put(p, " step ");
        put_expr(p, s->step, 0);
    }
    if (s->below) {
        put(p, " below ");
        put_expr(p, s->below, 0);
    }
    if (s->grain > 1)
        putf(p, " grain %lld", (long long)s->grain);
    if (s->balance)
        putf(p, " balance %s", array_name(p, s->balance));
    put_block(p, &s->body);
}

static void put_merge(Printer *p, const KernelStatement *s) {
    putf(p, "merge %s over (", variable_name(p, s->variable));
    for (uint32_t i = 0; i < s->iterators.count; i++) {
        const KernelIterator *iterator = &s->iterators.items[i];
        putf(p, "%s%s", i ? ", " : "", variable_name(p, iterator->position));
        put_range(p, iterator->begin, iterator->end);
        putf(p, " of %s", array_name(p, iterator->indices));
    }
    put(p, ") {\n");
    p->depth++;
    for (uint32_t i = 0; i < s->cases.count; i++) {
        putf(p, "%*scase", p->depth * 4, "");
        for (uint32_t k = 0; k < s->iterators.count; k++)
            if (s->cases.items[i].subset >> k & 1)
                putf(p, " %u", k);
        put_block(p, &s->cases.items[i].body);
        put(p, "\n");
    }
    p->depth--;
    putf(p, "%*s}", p->depth * 4, "");
}

static void put_alloc(Printer *p, const KernelArray *array) {
    static const char *const kinds[] = {
        [KERNEL_BUFFER] = "", [KERNEL_REG] = "reg", [KERNEL_SCRATCH] = "scratch", [KERNEL_GROUP] = "group"};
    putf(p, "alloc.%s %s: %s[", kinds[array->kind], array_name(p, array), dtype_name(array->dtype));
    put_list(p, array->shape, array->rank);
    put(p, "]");
}

static void put_accumulate(Printer *p, const KernelStatement *s) {
    if (!s->second) {
        putf(p, "%s %s= ", variable_name(p, s->variable), op_name(s->op));
        put_expr(p, s->value, 0);
        return;
    }
    putf(p, "(%s, ", variable_name(p, s->variable));
    putf(p, "%s) %s= (", variable_name(p, s->second), op_name(s->op));
    put_list(p, (KernelExpr *[]){s->value, s->value2}, 2);
    put(p, ")");
}

static void put_append(Printer *p, const KernelStatement *s) {
    putf(p, "append %s to ", variable_name(p, s->variable));
    for (uint32_t i = 0; i < s->count; i++)
        putf(p, "%s%s", i ? ", " : "", array_name(p, s->targets[i]));
    put(p, " = ");
    put_list(p, s->target_values, s->count);
    if (s->value) {
        put(p, " if ");
        put_expr(p, s->value, 0);
    }
}

static void put_tile_mma(Printer *p, const KernelStatement *s) {
    putf(p, "tile.mma %s, ", array_name(p, s->array));
    putf(p, "%s, ", array_name(p, s->array2));
    putf(p, "%s (%lld, %lld, %lld)", array_name(p, s->array3), (long long)s->tile[0], (long long)s->tile[1],
         (long long)s->tile[2]);
}

static void put_statement(Printer *p, const KernelStatement *s) {
    switch (s->kind) {
    case KERNEL_DECLARE:
        putf(p, "%s %s: %s = ", s->variable->kind == KERNEL_VAR ? "var" : "let",
             variable_name(p, s->variable), dtype_name(s->variable->dtype));
        put_expr(p, s->value, 0);
        break;
    case KERNEL_ASSIGN:
        putf(p, "%s = ", variable_name(p, s->variable));
        put_expr(p, s->value, 0);
        break;
    case KERNEL_ACCUMULATE:
        put_accumulate(p, s);
        break;
    case KERNEL_ALLOC:
        put_alloc(p, s->array);
        break;
    case KERNEL_STORE:
        put_element(p, s->array, s->indices, s->count);
        put(p, " = ");
        put_expr(p, s->value, 0);
        break;
    case KERNEL_FOR:
        put_for(p, s);
        break;
    case KERNEL_FOR_NZ:
        putf(p, "for.nz (%s, ", variable_name(p, s->variable));
        putf(p, "%s) in ", variable_name(p, s->second));
        put_expr(p, s->value, 0);
        putf(p, " of (%s, ", array_name(p, s->array));
        putf(p, "%s)", array_name(p, s->array2));
        put_block(p, &s->body);
        break;
    case KERNEL_MERGE:
        put_merge(p, s);
        break;
    case KERNEL_WHILE:
    case KERNEL_IF:
        put(p, s->kind == KERNEL_IF ? "if " : "while ");
        put_expr(p, s->value, 0);
        put_block(p, &s->body);
        if (s->otherwise.statements.count) {
            put(p, " else");
            put_block(p, &s->otherwise);
        }
        break;
    case KERNEL_APPEND:
        put_append(p, s);
        break;
    case KERNEL_BARRIER:
        put(p, "barrier");
        break;
    case KERNEL_PREFETCH:
        put(p, "prefetch ");
        put_element(p, s->array, s->indices, s->count);
        break;
    case KERNEL_STREAM:
        putf(p, "stream %s, ", array_name(p, s->array));
        put_expr(p, s->value, 0);
        put(p, " by ");
        put_expr(p, s->value2, 0);
        break;
    case KERNEL_TILE_MMA:
        put_tile_mma(p, s);
        break;
    }
}

static void put_block(Printer *p, const KernelBlock *block) {
    put(p, " {\n");
    p->depth++;
    for (uint32_t i = 0; i < block->statements.count; i++) {
        putf(p, "%*s", p->depth * 4, "");
        put_statement(p, block->statements.items[i]);
        put(p, "\n");
    }
    p->depth--;
    putf(p, "%*s}", p->depth * 4, "");
}

static void put_parameter(Printer *p, const KernelParameter *parameter) {
    const KernelArray *array = parameter->array;
    if (array)
        putf(p, "%s: %s%s%sbuffer %s", array_name(p, array), array->is_output ? "out " : "",
             array->may_alias ? "alias " : "", array->is_pairs ? "pairs " : "", dtype_name(array->dtype));
    else
        putf(p, "%s: %s", variable_name(p, parameter->variable), dtype_name(parameter->variable->dtype));
}

static void print(const Kernel *kernel, const IrWriter *writer, bool is_named) {
    Printer p = {.kernel = kernel, .writer = writer, .is_named = is_named};
    arena_init(&p.scratch, kernel->arena->guard);
    p.names = ARENA_ARRAY(&p.scratch, const char *, kernel->next_id);
    putf(&p, "kernel %s(", is_named && kernel->name ? kernel->name->text : "k");
    for (uint32_t i = 0; i < kernel->parameters.count; i++) {
        put(&p, i ? ", " : "");
        put_parameter(&p, &kernel->parameters.items[i]);
    }
    put(&p, ")");
    put_block(&p, &kernel->body);
    put(&p, "\n");
    arena_free(&p.scratch);
}

void kernel_print(const Kernel *kernel, const IrWriter *writer) {
    print(kernel, writer, false);
}

void kernel_print_named(const Kernel *kernel, const IrWriter *writer) {
    print(kernel, writer, true);
}
