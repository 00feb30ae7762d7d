/* products: matrix products get kernels of their own, and take the elementwise work on their results along.
 *
 * in    matmul and fused nodes
 * out   matmul nodes of f32, f64, halves and integers are `product` nodes, which name the kernel of their
 * dtype (lower_product.h). A fused node that reads a product element by element, and is the only one to use
 * it, is gone: it is the product's epilogue, a kernel over a range of rows and columns of the result, which
 * runs while that range is in cache. */
#include "ir/cost.h"
#include "passes/lower_product.h"
#include "passes/pipeline.h"
#include "passes/schedule.h"

typedef struct Products {
    PassContext *pass;
    uint32_t *uses; /* old id -> operands and results that are it */
} Products;

/* ---- which -------------------------------------------------------------------------------------------- */

static void count_region(uint32_t *uses, const IrRegion *region) {
    for (uint32_t i = 0; i < region->nodes.count; i++) {
        const IrNode *node = region->nodes.items[i];
        for (uint32_t k = 0; k < node->operand_count; k++)
            uses[node->operands[k]->id]++;
        for (uint32_t k = 0; k < node->region_count; k++)
            count_region(uses, node->regions[k]);
    }
    for (uint32_t i = 0; i < region->results.count; i++)
        uses[region->results.items[i]->id]++;
}

/* Halves are multiplied in f32. */
static bool kernel_dtype(const IrNode *matmul, Dtype *dtype) {
    *dtype = dtype_info[ir_dtype(matmul)].compute;
    return lower_product_has(*dtype);
}

static bool is_plain(const FuseSpace *space) {
    for (uint32_t k = 0; k < space->rank; k++)
        if (space->is_row[k])
            return false;
    return !space->is_update;
}

/* The operand of a fused node that is a product which nothing else uses, or -1; the last one made. */
static int32_t product_operand(const Products *products, const IrNode *fused) {
    const IrNode *result = fused->regions[0]->results.items[0];
    int32_t found = -1;
    for (uint32_t i = 0; i < fused->operand_count; i++) {
        const IrNode *x = fused->operands[i];
        Dtype dtype;
        if (x->op == OP_matmul && x->region == fused->region && products->uses[x->id] == 1 &&
            ir_dtype(x) == ir_dtype(result) && ir_rank(x) == ir_rank(result) && kernel_dtype(x, &dtype) &&
            (found < 0 || x->id > fused->operands[found]->id))
            found = (int32_t)i;
    }
    return found;
}

/* ---- epilogues ------------------------------------------------------------------------------------------
 */

/* The range first, then inputs but for the product, strides and scalars, then the product and result. */
static void declare_inputs(Lower *l, IrNode *const *operands, uint32_t product,
                           KernelExpr *range[KERNEL_EPILOGUE_RANGE]) {
    static const char *const names[] = {"first_row", "end_row", "first_column", "end_column"};
    uint32_t count = l->region->parameters.count;
    for (int i = 0; i < KERNEL_EPILOGUE_RANGE; i++)
        range[i] = kernel_use(l->kernel, kernel_scalar(l->kernel, names[i], DTYPE_i64));
    l->inputs = ARENA_ARRAY(l->arena, KernelArray *, count);
    l->strides = arena_alloc_array(l->arena, count, sizeof *l->strides);
    for (uint32_t i = 0; i < count; i++)
        if (i != product)
            l->inputs[i] = schedule_buffer(l, "x", ir_dtype(l->region->parameters.items[i]), false);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; i != product && schedule_is_strided(operands[i]) && k < ir_rank(operands[i]);
             k++)
            l->strides[i][k] = kernel_scalar(l->kernel, "stride", DTYPE_i64);
    l->output = schedule_buffer(l, "y", ir_dtype(l->region->results.items[0]), true);
    l->inputs[product] = l->output;
    l->output->is_pointwise = true; /* until something else is read of the product */
}

typedef VEC(IrNode *) NodeList;

/* a, b and what the epilogue takes. */
static IrNode *build_product(IrRewrite *rewrite, const IrNode *matmul, IrNode *const *sides,
                             const IrType *old_type, const NodeList *extra, int64_t epilogue) {
    Products *products = rewrite->context;
    IrModule *module = rewrite->builder.function->module;
    Dtype dtype;
    kernel_dtype(matmul, &dtype);
    Kernel *own = lower_product(module->arena, module->names, dtype);
    own->span = matmul->span;
    int64_t attributes[] = {schedule_add_kernel(products->pass->arena, module, own), epilogue};
    NodeList all = {0};
    vec_push(products->pass->arena, &all, sides[0]);
    vec_push(products->pass->arena, &all, sides[1]);
    for (uint32_t i = 0; extra && i < extra->count; i++)
        vec_push(products->pass->arena, &all, extra->items[i]);
    IrType type = *old_type;
    IrNode *dims[IR_MAX_RANK];
    for (uint32_t k = 0; k < type.rank; k++)
        dims[k] = schedule_host_scalar(rewrite, type.dims[k]);
    type.dims = dims;
    return ir_build(&rewrite->builder, &(IrNodeSpec){.op = OP_product,
                                                     .operands = all.items,
                                                     .operand_count = all.count,
                                                     .attributes = attributes,
                                                     .attribute_count = 2,
                                                     .types = &type,
                                                     .result_count = 1});
}

/* In terms of the product's operands: a and b instead of the product, which has the result's extents. */
static LaunchCost *epilogue_cost(const IrNode *fused, const Lower *l, int32_t product) {
    LaunchCost *cost = pass_launch_cost(fused, l);
    for (int part = 0; part < COST_PARTS; part++)
        for (uint32_t i = 0; i < cost->parts[part].terms.count; i++) {
            LaunchCostTerm *term = &cost->parts[part].terms.items[i];
            for (uint32_t k = 0; k < term->count; k++) {
                int32_t *operand = &term->factors[k].operand;
                if (*operand == product)
                    *operand = -1;
                else if (*operand >= 0)
                    *operand += *operand < product ? 2 : 1;
            }
        }
    return cost;
}

static IrNode *finished_product(IrRewrite *rewrite, const IrNode *fused, IrNode *const *operands,
                                uint32_t product) {
    Products *products = rewrite->context;
    IrModule *module = rewrite->builder.function->module;
    Arena *arena = products->pass->arena;
    Lower l = {.arena = arena, .region = fused->regions[0]};
    l.space = fuse_space(l.region);
    if (!is_plain(&l.space) || l.space.rank != ir_rank(operands[product]))
        return NULL;
    l.kernel = kernel_new(module->arena, module->names, schedule_kernel_name(module, l.region));
    l.kernel->span = fused->span;
    l.uses = ARENA_ARRAY(arena, uint32_t, l.region->function->node_count);
    l.reduced = ARENA_ARRAY(arena, KernelVariable *, l.region->function->node_count);
    schedule_count_uses(&l, l.region);
    KernelExpr *range[KERNEL_EPILOGUE_RANGE];
    declare_inputs(&l, operands, product, range);
    lower_open(&l, &l.kernel->body, NULL);
    lower_part(&l, range[0], range[1], range[2], range[3]);
    schedule_output_last(&l);
    if (!l.output->is_pointwise || l.kernel->parameters.count > KERNEL_EPILOGUE_MOST)
        return NULL;
    l.output->is_pointwise = false;
    NodeList extra = {0};
    for (uint32_t i = 0; i < fused->operand_count; i++)
        if (i != product)
            vec_push(arena, &extra, operands[i]);
    for (uint32_t i = 0; i < fused->operand_count; i++)
        for (int64_t k = 0; l.strides[i][0] && k < ir_rank(operands[i]); k++)
            vec_push(arena, &extra, schedule_stride_of(&rewrite->builder, operands[i], k));
    for (uint32_t i = 0; i < l.scalars.count; i++)
        vec_push(arena, &extra, schedule_host_part(rewrite, &l.scalars.items[i]));
    const IrNode *matmul = fused->operands[product];
    IrNode *sides[] = {ir_rewrite_value(rewrite, matmul->operands[0]),
                       ir_rewrite_value(rewrite, matmul->operands[1])};
    rewrite->builder.span = matmul->span;
    IrNode *made = build_product(rewrite, matmul, sides, &fused->types[0], &extra,
                                 schedule_add_kernel(arena, module, l.kernel));
    if (products->pass->annotate)
        made->cost = epilogue_cost(fused, &l, (int32_t)product);
    return made;
}

static IrNode *product_node(IrRewrite *rewrite, const IrNode *old, IrNode *const *operands) {
    Dtype dtype;
    if (old->op == OP_matmul && kernel_dtype(old, &dtype))
        return build_product(rewrite, old, operands, &old->types[0], NULL, -1);
    int32_t product = old->op == OP_fused ? product_operand(rewrite->context, old) : -1;
    return product < 0 ? NULL : finished_product(rewrite, old, operands, (uint32_t)product);
}

IrFunction *pass_products(PassContext *context, IrFunction *function) {
    Products products = {context, ARENA_ARRAY(context->arena, uint32_t, function->node_count)};
    count_region(products.uses, function->body);
    IrFunction *made = ir_rewrite_function(function, product_node, &products);
    return ir_rewrite_function(made, NULL, NULL); /* without the bare products of the finished ones */
}
