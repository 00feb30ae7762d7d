/* schedule: each `fused` node becomes a kernel and the `launch` that runs it.
 *
 * in    fused nodes (see fuse.h)
 * out   no fused nodes; module->kernels has one kernel per launch (equal kernels are one), launches take the
 * input tensors first, then the scalars that the kernel's parameters ask for: extents, strides of strided
 * parameters, data scalars */
#include "passes/schedule.h"
#include "ir/text.h"
#include "passes/lower.h"
#include "passes/pipeline.h"

bool schedule_is_strided(const IrNode *tensor) {
    const IrFunction *function = tensor->region->function;
    return tensor->op == OP_param && tensor->types[0].kind == IR_TENSOR && !tensor->region->parent &&
           function->parameter_contiguous && !function->parameter_contiguous[tensor->attributes[0]];
}

/* Named after its last operation, for people. */
Name schedule_kernel_name(IrModule *module, const IrRegion *region) {
    const IrNode *root = region->results.items[0];
    Op last = root->op;
    for (uint32_t i = region->nodes.count; i-- > 0;)
        if ((op_is_elementwise(region->nodes.items[i]->op) && !op_is_parts(region->nodes.items[i]->op)) ||
            op_is_reduction(region->nodes.items[i]->op)) {
            last = region->nodes.items[i]->op;
            break;
        }
    const char *name = last == OP_param ? "copy" : op_name(last);
    return intern_text(module->names, arena_format(module->arena, "%s_%u", name, module->kernels.count));
}

KernelArray *schedule_buffer(Lower *l, const char *name, Dtype dtype, bool is_output) {
    KernelArray *array = kernel_buffer(l->kernel, name, dtype_part(dtype), is_output);
    array->is_pairs = dtype_is_complex(dtype);
    return array;
}

static bool is_pattern(const IrNode *node) {
    return node->types[0].kind == IR_PATTERN;
}

static void declare_inputs(Lower *l, IrNode *const *operands) {
    uint32_t count = l->region->parameters.count;
    l->inputs = ARENA_ARRAY(l->arena, KernelArray *, count);
    l->strides = arena_alloc_array(l->arena, count, sizeof *l->strides);
    for (uint32_t i = 0; i < count; i++) {
        if (is_pattern(operands[i]))
            continue; /* the arrays that are needed join the scalars */
        l->inputs[i] = schedule_buffer(l, "x", ir_dtype(l->region->parameters.items[i]), false);
        l->inputs[i]->is_pointwise = !schedule_is_strided(operands[i]);
    }
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; schedule_is_strided(operands[i]) && k < ir_rank(operands[i]); k++)
            l->strides[i][k] = kernel_scalar(l->kernel, "stride", DTYPE_i64);
    l->output = schedule_buffer(l, "y", ir_dtype(l->region->results.items[0]), true);
}

/* Scalars were added while lowering: the output goes back to the end. */
void schedule_output_last(Lower *l) {
    KernelParameter output = {0};
    uint32_t next = 0, count = l->kernel->parameters.count;
    for (uint32_t i = 0; i < count; i++) {
        KernelParameter parameter = l->kernel->parameters.items[i];
        if (parameter.array == l->output)
            output = parameter;
        else
            l->kernel->parameters.items[next++] = parameter;
    }
    l->kernel->parameters.items[next] = output;
}

void schedule_count_uses(Lower *l, const IrRegion *region) {
    for (uint32_t i = 0; i < region->nodes.count; i++)
        for (uint32_t k = 0; k < region->nodes.items[i]->operand_count; k++)
            l->uses[region->nodes.items[i]->operands[k]->id]++;
}

/* ---- equal kernels are one
 * --------------------------------------------------------------------------------- */

static IrText kernel_text(Arena *arena, const Kernel *kernel) {
    IrText text = {.arena = arena};
    IrWriter writer = ir_text_writer(&text);
    kernel_print(kernel, &writer);
    return text;
}

static bool same_text(const IrText *a, const IrText *b) {
    return a->bytes.count == b->bytes.count && !memcmp(a->bytes.items, b->bytes.items, a->bytes.count);
}

uint32_t schedule_add_kernel(Arena *arena, IrModule *module, Kernel *kernel) {
    IrText text = kernel_text(arena, kernel);
    kernel->text_hash = hash_bytes(0, text.bytes.items, text.bytes.count);
    for (uint32_t i = 0; i < module->kernels.count; i++) {
        if (module->kernels.items[i]->text_hash != kernel->text_hash)
            continue;
        IrText other = kernel_text(arena, module->kernels.items[i]);
        if (same_text(&text, &other))
            return i;
    }
    vec_push(arena, &module->kernels, kernel);
    return module->kernels.count - 1;
}

/* ---- launches
 * ------------------------------------------------------------------------------------------------- */

IrNode *schedule_stride_of(IrBuilder *b, IrNode *tensor, int64_t axis) {
    IrType type = {.kind = IR_TENSOR, .dtype = DTYPE_i64};
    return ir_build(b, &(IrNodeSpec){.op = OP_stride,
                                     .operands = &tensor,
                                     .operand_count = 1,
                                     .attributes = &axis,
                                     .attribute_count = 1,
                                     .types = &type,
                                     .result_count = 1});
}

IrNode *schedule_host_scalar(IrRewrite *rewrite, const IrNode *old) {
    if (ir_is_const(old))
        return ir_const(&rewrite->builder, ir_dtype(old), (uint64_t)old->attributes[0]);
    return ir_rewrite_value(rewrite, old);
}

IrNode *schedule_host_part(IrRewrite *rewrite, const LowerScalar *scalar) {
    IrNode *made = schedule_host_scalar(rewrite, scalar->node);
    if (!dtype_is_complex(ir_dtype(made)))
        return made;
    return ir_unary(&rewrite->builder, scalar->part ? OP_imag : OP_real, made);
}

/* The number of the launch's operand that an update starts from. */
static int64_t update_base(const IrRegion *region) {
    int64_t parameter = region->results.items[0]->operands[0]->attributes[0], number = 0;
    for (int64_t i = 0; i < parameter; i++)
        number += !is_pattern(region->parameters.items[i]);
    return number;
}

static IrNode *build_launch(IrRewrite *rewrite, const IrNode *old, IrNode *const *operands, const Lower *l,
                            uint32_t kernel) {
    Arena *arena = l->arena;
    VEC(IrNode *) all = {0};
    for (uint32_t i = 0; i < old->operand_count; i++)
        if (!is_pattern(operands[i]))
            vec_push(arena, &all, operands[i]);
    for (uint32_t i = 0; i < old->operand_count; i++)
        for (int64_t k = 0; l->strides[i][0] && k < ir_rank(operands[i]); k++)
            vec_push(arena, &all, schedule_stride_of(&rewrite->builder, operands[i], k));
    for (uint32_t i = 0; i < l->scalars.count; i++) {
        const LowerScalar *scalar = &l->scalars.items[i];
        IrNode *pattern = scalar->array ? operands[scalar->node->attributes[0]] : NULL;
        vec_push(arena, &all,
                 pattern ? ir_pattern_part(&rewrite->builder, pattern, (IrPart)scalar->part)
                         : schedule_host_part(rewrite, scalar));
    }
    IrType type = old->types[0];
    IrNode *dims[IR_MAX_RANK];
    for (uint32_t k = 0; k < type.rank; k++)
        dims[k] = schedule_host_scalar(rewrite, type.dims[k]);
    type.dims = dims;
    bool is_update = l->space.is_update;
    int64_t attributes[3] = {kernel, -1, is_update ? update_base(l->region) : 0};
    IrNode *launch = ir_build(&rewrite->builder, &(IrNodeSpec){.op = OP_launch,
                                                               .operands = all.items,
                                                               .operand_count = all.count,
                                                               .attributes = attributes,
                                                               .attribute_count = 2 + is_update,
                                                               .types = &type,
                                                               .result_count = 1});
    launch->remarks = old->remarks;
    return launch;
}

static IrNode *schedule_node(IrRewrite *rewrite, const IrNode *old, IrNode *const *operands) {
    if (old->op != OP_fused)
        return NULL;
    PassContext *context = rewrite->context;
    IrModule *module = rewrite->builder.function->module;
    Lower l = {.arena = context->arena, .region = old->regions[0]};
    l.kernel = kernel_new(module->arena, module->names, schedule_kernel_name(module, l.region));
    l.kernel->span = old->span;
    l.space = fuse_space(l.region);
    l.uses = ARENA_ARRAY(l.arena, uint32_t, l.region->function->node_count);
    l.reduced = ARENA_ARRAY(l.arena, KernelVariable *, l.region->function->node_count);
    l.segments = ARENA_ARRAY(l.arena, LowerSegment, l.region->function->node_count);
    schedule_count_uses(&l, l.region);
    declare_inputs(&l, operands);
    lower_open(&l, &l.kernel->body, NULL);
    lower_nest(&l);
    lower_stream(&l);
    schedule_output_last(&l);
    uint32_t number = schedule_add_kernel(context->arena, module, l.kernel);
    IrNode *launch = build_launch(rewrite, old, operands, &l, number);
    if (context->annotate)
        launch->cost = pass_launch_cost(old, &l);
    return launch;
}

IrFunction *pass_schedule(PassContext *context, IrFunction *function) {
    return ir_rewrite_function(function, schedule_node, context);
}
