/* The verifier's rules for patterns and for what is kept on their entries. */
#include "ir/verify.h"

#define REQUIRE(condition, ...)                                                                              \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            return verify_fail(v, node, __VA_ARGS__);                                                        \
    } while (0)

/* What each op takes and gives, a letter each: p pattern, v tensor of rank 1, i tensor of i64 of any rank, n
 * scalar i64. */
static const struct {
    Op op;
    const char *operands, *results;
    uint32_t attributes;
} signatures[] = {
    {OP_pattern_part, "p", "v", 1},      {OP_pattern_make, "iinn", "pin", 1},
    {OP_pattern_transpose, "p", "p", 0}, {OP_pattern_reorder, "p", "p", 0},
    {OP_pattern_union, "pp", "piin", 0}, {OP_pattern_intersection, "pp", "piin", 0},
    {OP_pattern_product, "pp", "pn", 0}, {OP_pattern_select, "pii", "pin", 1}, /* one index tensor or both */
    {OP_pattern_locate, "pii", "i", 0},  {OP_sparse_product, "pvpvp", "v", 0},
};

static bool fits(const IrType *type, char letter) {
    bool is_tensor = type->kind == IR_TENSOR;
    switch (letter) {
    case 'p':
        return type->kind == IR_PATTERN;
    case 'v':
        return is_tensor && type->rank == 1;
    case 'i':
        return is_tensor && type->dtype == DTYPE_i64;
    default:
        return is_tensor && type->dtype == DTYPE_i64 && type->rank == 0;
    }
}

bool verify_pattern_op(Verifier *v, const IrNode *node) {
    uint32_t row = 0, most = sizeof signatures / sizeof *signatures;
    while (row < most && signatures[row].op != node->op)
        row++;
    REQUIRE(row < most, "not an operation on patterns");
    const char *operands = signatures[row].operands, *results = signatures[row].results;
    uint32_t count = (uint32_t)strlen(operands);
    if (node->op == OP_pattern_select && node->attribute_count == 1 && node->attributes[0] != 3)
        count--;
    REQUIRE(node->operand_count == count, "%u operands instead of %u", node->operand_count, count);
    REQUIRE(node->result_count == strlen(results), "%u results instead of %u", node->result_count,
            (uint32_t)strlen(results));
    REQUIRE(node->attribute_count == signatures[row].attributes, "%u attributes instead of %u",
            node->attribute_count, signatures[row].attributes);
    for (uint32_t i = 0; i < count; i++)
        REQUIRE(fits(ir_type(node->operands[i]), operands[i]), "operand %u has the wrong kind", i);
    for (uint32_t i = 0; i < node->result_count; i++)
        REQUIRE(fits(&node->types[i], results[i]), "result %u has the wrong kind", i);
    return true;
}

/* spread and segment: x with its first extent exchanged. */
bool verify_entries(Verifier *v, const IrNode *node) {
    bool is_spread = node->op == OP_spread;
    REQUIRE(node->operand_count == 2 && node->result_count == 1 &&
                node->attribute_count == (is_spread ? 1 : 3),
            "operands, results or attributes are missing");
    const IrType *x = ir_type(node->operands[0]), *y = ir_type(node);
    const IrNode *pattern = node->operands[1];
    int64_t side = node->attributes[is_spread ? 0 : 2];
    REQUIRE(pattern->types[0].kind == IR_PATTERN && x->kind == IR_TENSOR && y->kind == IR_TENSOR,
            "not a tensor and a pattern");
    REQUIRE(side == IR_SIDE_ROWS || side == IR_SIDE_COLUMNS, "no side %lld", (long long)side);
    REQUIRE(x->rank >= 1 && y->rank == x->rank, "ranks do not fit");
    const IrNode *end = ir_pattern_extent(pattern, (IrSide)side), *count = ir_pattern_count(pattern);
    REQUIRE(verify_same_extent(x->dims[0], is_spread ? end : count), "the operand does not fit the pattern");
    REQUIRE(verify_same_extent(y->dims[0], is_spread ? count : end), "the result does not fit the pattern");
    for (uint32_t k = 1; k < x->rank; k++)
        REQUIRE(verify_same_extent(x->dims[k], y->dims[k]), "axis %u has another extent", k);
    if (is_spread) {
        REQUIRE(x->dtype == y->dtype, "the result has another dtype");
        return true;
    }
    Op reduction = (Op)node->attributes[1];
    REQUIRE(reduction > OP_none && reduction < OP_COUNT && op_is_reduction(reduction) &&
                reduction != OP_argmax && reduction != OP_argmin,
            "not a reduction of entries");
    REQUIRE(node->attributes[0] >= 0 && node->attributes[0] < DTYPE_COUNT, "no such accumulator");
    return true;
}
