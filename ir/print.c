/* The text of the tensor IR.  Canonical: ids are renumbered in program order, constants stand where they are
 * used, so functions that compute the same way print the same way.  Grammar (ir/parse.c reads it back):
 *
 *     function NAME(%0 x: f32[%1, 4] contiguous, %7: pattern csr i32[%8, %9, %10], …) {
 *         %2 = sum[f64; 0, 1] %0 : f32
 *         %3 = for 0, %1, %2 : f32 (%4 i: i64, %5: f32) {
 *             yield %6
 *         }
 *         return %3
 *     }
 *
 * An id that first stands in the type of a function's parameter is that extent (a `dim` node, not printed
 * again).  Constants: `4` i64, `2.5` f64, `true` bool, any other dtype as `2.5:f32`. */
#include "ir/ir.h"
#include "ir/kernel.h"
#include "ir/number.h"
#include <inttypes.h>
#include <stdio.h>

typedef struct Printer {
    const IrWriter *writer;
    const IrFunction *function;
    uint32_t *numbers; /* by id: the printed number */
    uint32_t next;
} Printer;

static void put(const Printer *p, const char *text) {
    p->writer->write(p->writer->user, text, strlen(text));
}

static void put_integer(const Printer *p, int64_t value) {
    char buffer[32];
    snprintf(buffer, sizeof buffer, "%" PRId64, value);
    put(p, buffer);
}

static void put_indent(const Printer *p, int depth) {
    for (int i = 0; i < depth; i++)
        put(p, "    ");
}

static void put_quoted(const Printer *p, Name text) {
    put(p, "\"");
    for (uint32_t i = 0; i < text->length; i++) {
        unsigned char c = (unsigned char)text->text[i];
        char buffer[8] = {(char)c, 0};
        if (c == '"' || c == '\\')
            snprintf(buffer, sizeof buffer, "\\%c", c);
        else if (c == '\n')
            snprintf(buffer, sizeof buffer, "\\n");
        else if (c < 32 || c == 127)
            snprintf(buffer, sizeof buffer, "\\x%02x", c);
        put(p, buffer);
    }
    put(p, "\"");
}

static bool is_word(Name name) {
    if (!name->length || (name->text[0] >= '0' && name->text[0] <= '9'))
        return false;
    for (uint32_t i = 0; i < name->length; i++) {
        char c = name->text[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return true;
}

static void put_name(const Printer *p, Name name) {
    if (is_word(name))
        put(p, name->text);
    else
        put_quoted(p, name);
}

static void put_constant(const Printer *p, const IrNode *node) {
    char buffer[NUMBER_TEXT_MAX];
    Dtype dtype = ir_dtype(node);
    number_print(buffer, dtype, (uint64_t)node->attributes[0]);
    put(p, buffer);
    bool is_default =
        dtype == DTYPE_i64 || dtype == DTYPE_bool || (dtype == DTYPE_f64 && strncmp(buffer, "0x", 2) != 0);
    if (!is_default) {
        put(p, ":");
        put(p, dtype_name(dtype));
    }
}

static void put_id(const Printer *p, const IrNode *node) {
    put(p, "%");
    put_integer(p, p->numbers[node->id]);
}

static void put_value(const Printer *p, const IrNode *node) {
    if (node->op == OP_const)
        put_constant(p, node);
    else
        put_id(p, node);
}

static void put_values(const Printer *p, IrNode *const *values, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        put(p, i ? ", " : " ");
        put_value(p, values[i]);
    }
}

static void put_type(const Printer *p, const IrType *type) {
    if (type->kind == IR_TOKEN) {
        put(p, "token");
        return;
    }
    static const char *const orders[] = {
#define ORDER(name, format, doc) #format " ",
#include "ir/formats.def"
    };
    if (type->kind == IR_PATTERN) {
        put(p, "pattern ");
        put(p, orders[type->order]);
    }
    put(p, dtype_name(type->dtype));
    if (!type->rank)
        return;
    for (uint32_t k = 0; k < type->rank; k++) {
        put(p, k ? ", " : "[");
        put_value(p, type->dims[k]);
    }
    put(p, "]");
}

static void put_types(const Printer *p, const IrNode *node) {
    if (!node->result_count)
        return;
    put(p, node->result_count > 1 ? " : (" : " : ");
    for (uint32_t i = 0; i < node->result_count; i++) {
        if (i)
            put(p, ", ");
        put_type(p, &node->types[i]);
    }
    if (node->result_count > 1)
        put(p, ")");
}

/* An attribute that is more than a number: an accumulator's dtype, a code, a kernel's name. */
static bool put_named_attribute(const Printer *p, const IrNode *node, uint32_t index) {
    int64_t value = node->attributes[index];
    const IrModule *module = p->function->module;
    bool is_kernel = node->op == OP_product || (node->op == OP_launch && index == 0);
    if (node->op == OP_segment && index == 1 && value > OP_none && value < OP_COUNT)
        put(p, op_name((Op)value));
    else if (is_kernel && value >= 0 && value < (int64_t)module->kernels.count)
        put_name(p, module->kernels.items[value]->name);
    else if (index)
        return false;
    else if ((op_is_reduction(node->op) || node->op == OP_segment) && value >= 0 && value < DTYPE_COUNT)
        put(p, dtype_name((Dtype)value));
    else if (node->op == OP_check_true && value > DIAG_NONE && value < DIAG_CODE_COUNT)
        put(p, diag_code_text((DiagCode)value));
    else
        return false;
    return true;
}

static void put_attributes(const Printer *p, const IrNode *node) {
    if (!node->attribute_count)
        return;
    put(p, "[");
    const char *separator = "; ";
    for (uint32_t i = 0; i < node->attribute_count; i++) {
        if (i)
            put(p, separator);
        if (!put_named_attribute(p, node, i)) {
            put_integer(p, node->attributes[i]);
            separator = ", ";
        }
        if (i)
            separator = ", ";
    }
    put(p, "]");
}

static void put_parameters(const Printer *p, const IrRegion *region) {
    const bool *contiguous = region->parent ? NULL : p->function->parameter_contiguous;
    put(p, "(");
    for (uint32_t i = 0; i < region->parameters.count; i++) {
        const IrNode *node = region->parameters.items[i];
        if (i)
            put(p, ", ");
        put_id(p, node);
        if (node->text) {
            put(p, " ");
            put_name(p, node->text);
        }
        put(p, ": ");
        put_type(p, ir_type(node));
        if (contiguous && contiguous[i])
            put(p, " contiguous");
    }
    put(p, ") {\n");
}

static void put_region(const Printer *p, const IrRegion *region, int depth);

static void put_node(const Printer *p, const IrNode *node, int depth) {
    put_indent(p, depth);
    if (node->result_count) {
        put_id(p, node);
        put(p, " = ");
    }
    put(p, op_name(node->op));
    put_attributes(p, node);
    put_values(p, node->operands, node->operand_count);
    if (node->text) {
        put(p, " ");
        put_quoted(p, node->text);
    }
    put_types(p, node);
    if (p->writer->with_spans && node->span.end) {
        char buffer[40];
        snprintf(buffer, sizeof buffer, " @%" PRIu32 ":%" PRIu32, node->span.begin, node->span.end);
        put(p, buffer);
    }
    for (uint32_t i = 0; i < node->region_count; i++) {
        put(p, " ");
        put_region(p, node->regions[i], depth);
    }
    put(p, "\n");
}

/* The extents of function parameters are introduced by the parameter's type. */
static bool is_own_extent(const IrNode *node) {
    if (node->op != OP_dim || node->operands[0]->op != OP_param || node->operands[0]->region->parent)
        return false;
    const IrType *type = ir_type(node->operands[0]);
    return node->attributes[0] < (int64_t)type->rank && type->dims[node->attributes[0]] == node;
}

static void put_region(const Printer *p, const IrRegion *region, int depth) {
    put_parameters(p, region);
    for (uint32_t i = 0; i < region->nodes.count; i++)
        if (region->nodes.items[i]->op != OP_const && !is_own_extent(region->nodes.items[i]))
            put_node(p, region->nodes.items[i], depth + 1);
    put_indent(p, depth + 1);
    put(p, region->parent ? "yield" : "return");
    put_values(p, region->results.items, region->results.count);
    put(p, "\n");
    put_indent(p, depth);
    put(p, "}");
}

static void number_parameter(Printer *p, const IrNode *node) {
    p->numbers[node->id] = p->next++;
    for (uint32_t k = 0; !node->region->parent && k < node->types[0].rank; k++)
        if (is_own_extent(node->types[0].dims[k]))
            p->numbers[node->types[0].dims[k]->id] = p->next++;
}

static void number_region(Printer *p, const IrRegion *region) {
    for (uint32_t i = 0; i < region->parameters.count; i++)
        number_parameter(p, region->parameters.items[i]);
    for (uint32_t i = 0; i < region->nodes.count; i++) {
        const IrNode *node = region->nodes.items[i];
        if (node->op == OP_const || is_own_extent(node))
            continue;
        if (node->result_count)
            p->numbers[node->id] = p->next++;
        for (uint32_t k = 0; k < node->region_count; k++)
            number_region(p, node->regions[k]);
    }
}

void ir_print_function(const IrFunction *function, const IrWriter *writer) {
    Printer p = {.writer = writer, .function = function};
    p.numbers = ARENA_ARRAY(function->module->arena, uint32_t, function->node_count);
    number_region(&p, function->body);
    put(&p, "function ");
    put_name(&p, function->name);
    put_region(&p, function->body, 0);
    put(&p, "\n");
}

void ir_print_module(const IrModule *module, const IrWriter *writer) {
    for (uint32_t i = 0; i < module->kernels.count; i++)
        kernel_print_named(module->kernels.items[i], writer);
    for (uint32_t i = 0; i < module->functions.count; i++)
        ir_print_function(module->functions.items[i], writer);
}
