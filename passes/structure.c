/* Counts what a function has come to: kernels, library calls, checks, prints and loops. */
#include "passes/pipeline.h"

static void count_region(PassStructure *structure, const IrRegion *region) {
    for (uint32_t i = 0; i < region->nodes.count; i++) {
        const IrNode *node = region->nodes.items[i];
        switch (node->op) {
        case OP_fused:
        case OP_launch:
            structure->kernels++;
            break;
        case OP_check_equal:
        case OP_check_true:
        case OP_check_index:
            structure->checks++;
            break;
        case OP_print:
            structure->prints++;
            break;
        case OP_for:
        case OP_while:
            structure->loops++;
            break;
        default:
            structure->calls += op_info[node->op].class == CLASS_CALL;
        }
        for (uint32_t k = 0; k < node->region_count; k++)
            count_region(structure, node->regions[k]);
    }
}

PassStructure pass_structure(const IrFunction *function) {
    PassStructure structure = {0};
    count_region(&structure, function->body);
    return structure;
}
