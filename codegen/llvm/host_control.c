/* Control flow of host programs: branches and loops of the IR are branches and loops of LLVM, what they carry
 * are phis.  A carried tensor is contiguous and travels with one reference. */
#include "codegen/llvm/host.h"
#include "runtime/rt/gmxrt.h"

/* What one value is on one edge of the control flow. */
typedef struct Edge {
    LLVMValueRef scalar, buffer, data;
} Edge;

static bool is_tensor(const IrNode *node) {
    return node->types[0].kind == IR_PATTERN || (node->types[0].kind == IR_TENSOR && node->types[0].rank > 0);
}

static bool is_token(const IrNode *node) {
    return node->types[0].kind == IR_TOKEN;
}

/* Makes values ready to travel: contiguous, each with a reference that is no longer ours. */
static Edge *leave(Host *host, const IrNode *site, IrNode *const *nodes, uint32_t count) {
    Edge *edges = ARENA_ARRAY(host->arena, Edge, count);
    HostValue **values = ARENA_ARRAY(host->arena, HostValue *, count);
    for (uint32_t i = 0; i < count; i++) {
        values[i] = host_value(host, nodes[i]);
        if (is_tensor(nodes[i]))
            values[i] = host_contiguous(host, site, &nodes[i]->types[0], values[i]);
        else if (!is_token(nodes[i]))
            edges[i].scalar = host_scalar(host, nodes[i]);
    }
    for (uint32_t i = 0; i < count; i++)
        if (is_tensor(nodes[i])) { /* nothing can fail from here to the jump */
            host_give(host, values[i]);
            edges[i] = (Edge){.buffer = values[i]->buffer, .data = values[i]->data};
        }
    return edges;
}

static LLVMValueRef phi_like(Host *host, LLVMValueRef value) {
    return value ? LLVMBuildPhi(host->build.builder, LLVMTypeOf(value), "") : NULL;
}

static void arrive(LLVMValueRef phi, LLVMValueRef value, LLVMBasicBlockRef from) {
    if (phi)
        LLVMAddIncoming(phi, &value, &from, 1);
}

/* Phis for `count` values at the start of the current block. */
static HostValue *make_phis(Host *host, const Edge *edges, uint32_t count) {
    HostValue *values = ARENA_ARRAY(host->arena, HostValue, count);
    for (uint32_t i = 0; i < count; i++)
        values[i] = (HostValue){.scalar = phi_like(host, edges[i].scalar),
                                .buffer = phi_like(host, edges[i].buffer),
                                .data = phi_like(host, edges[i].data),
                                .root = &values[i]};
    return values;
}

static void add_edge(const HostValue *phis, const Edge *edges, uint32_t count, LLVMBasicBlockRef from) {
    for (uint32_t i = 0; i < count; i++) {
        arrive(phis[i].scalar, edges[i].scalar, from);
        arrive(phis[i].buffer, edges[i].buffer, from);
        arrive(phis[i].data, edges[i].data, from);
    }
}

static void own_all(Host *host, const HostValue *values, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (values[i].buffer)
            host_own(host, &values[i], values[i].buffer);
}

static void bind_parameters(Host *host, const IrRegion *region, uint32_t first, HostValue *values) {
    for (uint32_t i = first; i < region->parameters.count; i++)
        host->values[region->parameters.items[i]->id] = &values[i - first];
}

/* ---- live references across paths -------------------------------------------------------------------- */
typedef struct LiveState {
    HostReference *items;
    uint32_t count;
} LiveState;

static LiveState save_live(Host *host) {
    LiveState state = {ARENA_ARRAY(host->arena, HostReference, host->live.count), host->live.count};
    if (state.count)
        memcpy(state.items, host->live.items, state.count * sizeof *state.items);
    return state;
}

static void restore_live(Host *host, const LiveState *state) {
    host->live.count = 0;
    for (uint32_t i = 0; i < state->count; i++)
        vec_push(host->arena, &host->live, state->items[i]);
}

static bool state_has(const LiveState *state, uint32_t slot) {
    for (uint32_t i = 0; i < state->count; i++)
        if (state->items[i].slot == slot)
            return true;
    return false;
}

/* A slot that one path emptied and another did not stays in use: it is null or not at run time. */
static void keep_slots_in_use(Host *host) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < host->free_slots.count; i++) {
        bool in_use = false;
        for (uint32_t k = 0; k < host->live.count; k++)
            in_use |= host->live.items[k].slot == host->free_slots.items[i];
        if (!in_use)
            host->free_slots.items[kept++] = host->free_slots.items[i];
    }
    host->free_slots.count = kept;
}

/* ---- if ---------------------------------------------------------------------------------------------- */
typedef struct Branch {
    Edge *edges;
    LLVMBasicBlockRef end;
    LiveState live;
} Branch;

static Branch lower_branch(Host *host, const IrNode *node, const IrRegion *region, LLVMBasicBlockRef join) {
    uint32_t mark = host->live.count;
    Branch branch = {0};
    host_region(host, region);
    branch.edges = leave(host, node, region->results.items, region->results.count);
    if (host->live.count > mark)
        host_release_since(host, mark);
    branch.end = LLVMGetInsertBlock(host->build.builder);
    branch.live = save_live(host);
    LLVMBuildBr(host->build.builder, join);
    return branch;
}

void host_if(Host *host, const IrNode *node) {
    LLVMBuilderRef b = host->build.builder;
    LLVMBasicBlockRef then_block = build_block(&host->build, "then"),
                      else_block = build_block(&host->build, "else");
    LLVMBasicBlockRef join = build_block(&host->build, "join");
    LiveState before = save_live(host);
    LLVMBuildCondBr(b, host_scalar(host, node->operands[0]), then_block, else_block);
    LLVMPositionBuilderAtEnd(b, then_block);
    Branch then_branch = lower_branch(host, node, node->regions[0], join);
    restore_live(host, &before);
    keep_slots_in_use(host);
    LLVMPositionBuilderAtEnd(b, else_block);
    Branch else_branch = lower_branch(host, node, node->regions[1], join);
    LLVMPositionBuilderAtEnd(b, join);
    if (host->message)
        return;
    restore_live(host, &then_branch.live);
    for (uint32_t i = 0; i < else_branch.live.count; i++)
        if (!state_has(&then_branch.live, else_branch.live.items[i].slot))
            vec_push(host->arena, &host->live, else_branch.live.items[i]);
    keep_slots_in_use(host);
    HostValue *results = make_phis(host, then_branch.edges, node->result_count);
    add_edge(results, then_branch.edges, node->result_count, then_branch.end);
    add_edge(results, else_branch.edges, node->result_count, else_branch.end);
    host->values[node->id] = results;
    own_all(host, results, node->result_count);
}

/* ---- loops ------------------------------------------------------------------------------------------- */
static void check_interrupt(Host *host, const IrNode *node) {
    LLVMBuilderRef b = host->build.builder;
    LLVMValueRef flag = host_load_field(host, host->i32, host->ctx, offsetof(gmxrt_ctx, interrupt));
    LLVMSetVolatile(flag, true);
    host_fail_message(host, LLVMBuildICmp(b, LLVMIntNE, flag, LLVMConstNull(host->i32), ""), DIAG_E0308,
                      "interrupted", node);
}

typedef struct Loop {
    const IrNode *node;
    uint32_t first; /* operands before the carried values */
    uint32_t count; /* carried values */
    HostValue *carried;
    LLVMValueRef index; /* for */
    LLVMBasicBlockRef header, body, exit;
} Loop;

/* Builds the header: phis, their references, the condition.  The builder ends in the body. */
static void loop_header(Host *host, Loop *loop) {
    LLVMBuilderRef b = host->build.builder;
    const IrNode *node = loop->node;
    bool counted = node->op == OP_for;
    LLVMValueRef begin = counted ? host_scalar(host, node->operands[0]) : NULL;
    LLVMValueRef end = counted ? host_scalar(host, node->operands[1]) : NULL, go_on;
    Edge *initial = leave(host, node, node->operands + loop->first, loop->count);
    LLVMBasicBlockRef before = LLVMGetInsertBlock(b);
    loop->header = build_block(&host->build, "loop");
    loop->body = build_block(&host->build, "body");
    loop->exit = build_block(&host->build, "exit");
    LLVMBuildBr(b, loop->header);
    LLVMPositionBuilderAtEnd(b, loop->header);
    loop->carried = make_phis(host, initial, loop->count);
    add_edge(loop->carried, initial, loop->count, before);
    if (counted) {
        loop->index = LLVMBuildPhi(b, host->i64, "");
        arrive(loop->index, begin, before);
    }
    own_all(host, loop->carried, loop->count);
    if (counted) {
        go_on = LLVMBuildICmp(b, LLVMIntSLT, loop->index, end, "");
    } else {
        uint32_t outer = host->loop_mark; /* the condition borrows the carried values */
        host->loop_mark = host->live.count;
        bind_parameters(host, node->regions[0], 0, loop->carried);
        host_region(host, node->regions[0]);
        go_on = host_scalar(host, node->regions[0]->results.items[0]);
        host_release_since(host, host->loop_mark);
        host->loop_mark = outer;
    }
    LLVMBuildCondBr(b, go_on, loop->body, loop->exit);
    LLVMPositionBuilderAtEnd(b, loop->body);
}

static void loop_body(Host *host, Loop *loop, uint32_t outer) {
    LLVMBuilderRef b = host->build.builder;
    const IrNode *node = loop->node;
    bool counted = node->op == OP_for;
    const IrRegion *body = node->regions[!counted];
    check_interrupt(host, node);
    bind_parameters(host, body, counted, loop->carried);
    if (counted)
        host_new_values(host, body->parameters.items[0], 1)->scalar = loop->index;
    host_region(host, body);
    Edge *edges = leave(host, node, body->results.items, loop->count);
    host_release_since(host, outer);
    LLVMBasicBlockRef last = LLVMGetInsertBlock(b);
    if (counted)
        arrive(loop->index, LLVMBuildAdd(b, loop->index, host_const_i64(host, 1), ""), last);
    add_edge(loop->carried, edges, loop->count, last);
    LLVMBuildBr(b, loop->header);
}

void host_loop(Host *host, const IrNode *node) {
    Loop loop = {.node = node, .first = node->op == OP_for ? 2 : 0, .count = node->result_count};
    uint32_t outer = 0;
    loop_header(host, &loop);
    if (host->message)
        return;
    LiveState at_exit = save_live(host);
    for (uint32_t i = 0; i < loop.count; i++)
        outer += loop.carried[i].buffer != NULL;
    outer = host->live.count - outer;
    uint32_t enclosing = host->loop_mark;
    host->loop_mark = outer;
    loop_body(host, &loop, outer);
    host->loop_mark = enclosing;
    restore_live(host, &at_exit); /* the references of the carried values are those of the results */
    keep_slots_in_use(host);
    LLVMPositionBuilderAtEnd(host->build.builder, loop.exit);
    host->values[node->id] = loop.carried;
}
