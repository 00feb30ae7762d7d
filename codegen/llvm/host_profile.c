/* Code for --profile: a clock before and after each kernel and library call, and what it had to do, computed
 * from the extents of this very run.  Without profiling none of this is in the code. */
#include "codegen/llvm/host.h"
#include "ir/cost.h"
#include "runtime/rt/gmxrt.h"

static bool is_measured(const Host *host, const IrNode *node) {
    return host->plan->profile && ir_has_cost(node);
}

static LLVMValueRef table_value(Host *host, uint32_t slot) {
    return host_load_field(host, host->i64, host->table, slot * sizeof(uint64_t));
}

static LLVMValueRef sum_value(Host *host, const CostSum *sum) {
    LLVMBuilderRef b = host->build.builder;
    LLVMTypeRef type = LLVMDoubleTypeInContext(host->build.context);
    LLVMValueRef total = LLVMConstReal(type, 0);
    for (uint32_t i = 0; i < sum->terms.count; i++) {
        LLVMValueRef product = LLVMConstReal(type, sum->terms.items[i].coefficient);
        for (uint32_t k = 0; k < sum->terms.items[i].count; k++) {
            LLVMValueRef extent = host_scalar(host, sum->terms.items[i].factors[k]);
            product = LLVMBuildFMul(b, product, LLVMBuildSIToFP(b, extent, type, ""), "");
        }
        total = LLVMBuildFAdd(b, total, product, "");
    }
    return total;
}

HostClock host_profile_begin(Host *host, const IrNode *node) {
    HostClock clock = {0};
    if (is_measured(host, node))
        clock.begin = host_call(host, "gmxrt_profile_begin", host->i64, &host->ctx, 1);
    return clock;
}

void host_profile_end(Host *host, const IrNode *node, HostClock clock) {
    if (!clock.begin)
        return;
    uint32_t slot = (uint32_t)host->plan->profile_slot[node->id];
    const IrNode *first = node->operand_count && ir_rank(node->operands[0]) ? node->operands[0] : node;
    uint64_t kind =
        (node->op == OP_launch ? GMXRT_PROFILE_KERNEL : GMXRT_PROFILE_CALL) | (uint64_t)ir_dtype(first) << 8;
    IrCost cost = ir_cost(node, host->arena);
    LLVMValueRef arguments[] = {host->ctx,
                                clock.begin,
                                table_value(host, slot),
                                table_value(host, slot + 1),
                                host_span(host, node),
                                LLVMConstInt(host->i32, kind, false),
                                sum_value(host, &cost.parts[COST_FLOPS]),
                                sum_value(host, &cost.parts[COST_READ]),
                                sum_value(host, &cost.parts[COST_WRITTEN])};
    host_call(host, "gmxrt_profile_end", LLVMVoidTypeInContext(host->build.context), arguments, 9);
}

void host_profile_operand(Host *host, const IrNode *node, LLVMValueRef view) {
    if (!is_measured(host, node))
        return;
    uint32_t slot = (uint32_t)host->plan->profile_slot[node->id];
    LLVMValueRef arguments[] = {host->ctx, table_value(host, slot + 1), host_span(host, node), view};
    host_call(host, "gmxrt_profile_operand", LLVMVoidTypeInContext(host->build.context), arguments, 4);
}
