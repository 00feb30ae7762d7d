/* fuse: gathers tensor work into `fused` nodes, one kernel each.
 *
 * in    a function of tensor ops
 * out   every elementwise op, reduction, gather, iota and update sits in a `fused` node; views stay outside
 * only on host values (parameters, results of fused nodes, calls and control); scalars and updates of one
 * element stay on the host
 *
 * A node becomes the root of a kernel when a buffer is needed: it is a result, an operand of a call or of
 * control flow, or its value is wanted by several kernels and is not cheap to repeat.  Everything else is
 * computed where it is used. A reduction joins its only consumer's kernel when it is demanded once per row
 * (see fuse.h).
 *
 * pass_fuse_apart, which stands in under --no-pass=fuse, makes every op the root of a kernel of its own. */
#include "passes/fuse.h"
#include "ir/remark.h"
#include "passes/pipeline.h"

enum { GROUP_NONE = -1, GROUP_MANY = -2 };
enum { COST_MATH = 20, COST_CHEAP = 4, COST_LIMIT = 1 << 20 };

typedef struct Fuse {
    Arena *arena;
    IrFunction *old, *made;
    IrBuilder builder;
    IrNode **host;     /* old id -> host-level node of the new function */
    IrNode **copies;   /* old id of a strided parameter -> its contiguous copy */
    bool *materialise; /* old id -> root of a kernel */
    bool *host_view;   /* old id -> view that stays outside */
    bool is_apart;     /* one op per kernel */
    int32_t *group;    /* old id -> id of the root whose kernel computes it, GROUP_NONE or GROUP_MANY */
    uint32_t *cost;    /* old id -> rough work per element when computed in place */
    uint32_t *changes; /* old id -> id of the first `update` of a buffer that the value is computed from */
    uint32_t *updated; /* old id -> id of its first `update`, UINT32_MAX */
    uint32_t *wanted;  /* old id -> id of the last root or host node that computes with it */
    FuseSpace *space;  /* root id -> space */
    const IrNode **by_id;
    VEC(IrNode *) * users;
    IrRemark **remarks; /* old id -> why it is a kernel of its own; NULL: nobody asks */
} Fuse;

/* ---- classes of nodes -----------------------------------------------------------------------------------
 */

static bool is_tensor(const IrNode *node) {
    return node->result_count == 1 && node->types[0].kind == IR_TENSOR && node->types[0].rank > 0;
}

/* Work that belongs in kernels (views are handled beside it). */
static bool is_kernel_op(const IrNode *node) {
    if (op_is_reduction(node->op))
        return ir_rank(node->operands[0]) > 0;
    if (node->op == OP_update)
        return !ir_update_is_element(node);
    return is_tensor(node) && (op_is_elementwise(node->op) || node->op == OP_cast || node->op == OP_iota ||
                               node->op == OP_gather || node->op == OP_spread || node->op == OP_segment);
}

static bool is_reducing(const IrNode *node) {
    return op_is_reduction(node->op) || node->op == OP_segment;
}

/* A view of rank 0 is a load that the host does. */
static bool is_view(const IrNode *node) {
    return op_is_view(node->op) && node->types[0].rank > 0;
}

static bool is_inlined(const IrNode *node) {
    return is_kernel_op(node) || is_view(node);
}

/* A tensor that exists as a buffer of its own without any kernel of ours. */
static bool is_host_value(const Fuse *f, const IrNode *node) {
    return is_tensor(node) && (!is_inlined(node) || f->materialise[node->id]);
}

static bool is_strided_parameter(const Fuse *f, const IrNode *node) {
    return node->op == OP_param && !node->region->parent && ir_rank(node) > 0 &&
           f->old->parameter_contiguous && !f->old->parameter_contiguous[node->attributes[0]];
}

static const IrNode *view_base(const IrNode *node) {
    while (is_view(node))
        node = node->operands[0];
    return node;
}

/* ---- deciding
 * ------------------------------------------------------------------------------------------------ */

typedef struct Search {
    Fuse *fuse;
    FuseSpace space;
    const IrNode *target, *root;
    bool accepted, refused;
    FuseDemands seen;
} Search;

static bool is_demanded(const IrNode *x) {
    return x->types[0].kind == IR_TENSOR && (ir_rank(x) || op_is_reduction(x->op));
}

/* Walks every demand below the root; asks about each one for the target. */
static void search_demands(Search *s, const IrNode *node, const int8_t *tags) {
    if (s->refused || node->result_count != 1 || node->types[0].kind != IR_TENSOR ||
        fuse_demanded_before(s->fuse->arena, &s->seen, node, tags))
        return;
    if (node == s->target) {
        bool fits = fuse_accept_reduction(&s->space, node, tags);
        s->accepted |= fits;
        s->refused |= !fits;
        return;
    }
    if (node != s->root && (!is_inlined(node) || s->fuse->materialise[node->id]))
        return;
    for (uint32_t k = 0; k < node->operand_count; k++) {
        int8_t inner[IR_MAX_RANK];
        if (!is_demanded(node->operands[k]))
            continue;
        fuse_operand_tags(node, k, tags, &s->space, inner, NULL);
        search_demands(s, node->operands[k], inner);
    }
}

/* A reduction with one consumer kernel joins it if every demand for it is once per row. */
static bool absorb(Fuse *f, const IrNode *reduction, int32_t root_id, const IrNode *root) {
    Search s = {.fuse = f, .space = f->space[root_id], .target = reduction, .root = root};
    int8_t tags[IR_MAX_RANK];
    fuse_result_tags(&s.space, tags);
    search_demands(&s, root, tags);
    if (!s.accepted || s.refused)
        return false;
    /* Turning a plain space into rows renumbers the axes: check every demand again in the final space. */
    FuseSpace final = s.space;
    s = (Search){.fuse = f, .space = final, .target = reduction, .root = root};
    fuse_result_tags(&final, tags);
    search_demands(&s, root, tags);
    if (!s.accepted || s.refused)
        return false;
    f->space[root_id] = final;
    return true;
}

static uint32_t op_cost(const IrNode *node) {
    if (op_is_math(node->op))
        return COST_MATH;
    switch (node->op) {
    case OP_philox:
    case OP_gather:
    case OP_floordiv:
    case OP_mod:
    case OP_fmod:
        return COST_MATH;
    case OP_div:
    case OP_sqrt:
        return 4;
    default:
        return is_view(node) || node->op == OP_iota ? 0 : 1;
    }
}

/* What computing it once more in another kernel costs.  A reduction that several kernels want is a buffer. */
static void compute_cost(Fuse *f, const IrNode *node) {
    uint64_t cost = op_cost(node);
    for (uint32_t k = 0; k < node->operand_count; k++) {
        const IrNode *x = node->operands[k];
        cost += is_inlined(x) && !f->materialise[x->id] && !is_reducing(x) ? f->cost[x->id] : 0;
    }
    f->cost[node->id] = is_reducing(node) || cost > COST_LIMIT ? COST_LIMIT : (uint32_t)cost;
}

/* Notes why `node` stands apart from `user` (NULL: from all). */
static void remark(Fuse *f, const IrNode *node, IrRemarkKind kind, const IrNode *user) {
    if (f->remarks)
        ir_remark_add(f->arena, &f->remarks[node->id], kind, user ? user->op : OP_none,
                      user ? user->span : (Span){0});
}

/* Why a node outside of kernels wants a buffer. */
static IrRemarkKind reason_of(const IrNode *user) {
    switch (user->op) {
    case OP_print:
        return REMARK_effect;
    case OP_for:
    case OP_while:
        return REMARK_loop;
    case OP_after:
        return REMARK_again;
    case OP_check_true:
    case OP_check_index:
        return REMARK_check;
    default:
        return op_info[user->op].class == CLASS_CALL ? REMARK_call : REMARK_scalar;
    }
}

/* The node behind host views that has to become a buffer. */
static void remark_base(Fuse *f, const IrNode *node, IrRemarkKind kind, const IrNode *user) {
    while (f->remarks && is_view(node) && !f->materialise[node->id])
        node = node->operands[0];
    remark(f, node, kind, user);
}

static void require_contiguous(Fuse *f, const IrNode *node);

/* The host needs this tensor, in any layout. */
static void require_host(Fuse *f, const IrNode *node) {
    if (!is_inlined(node) || node->result_count != 1)
        return;
    const IrNode *base = view_base(node);
    if (!is_view(node) || !is_tensor(base) || base->op == OP_iota) {
        f->materialise[node->id] = true;
        return;
    }
    f->host_view[node->id] = true;
    if (node->op == OP_reshape)
        require_contiguous(f, node->operands[0]);
    else
        require_host(f, node->operands[0]);
}

/* A view in C order of a buffer in C order: one without gaps. */
static bool is_dense_view(const Fuse *f, const IrNode *node) {
    if (!is_view(node))
        return false;
    for (; is_view(node); node = node->operands[0]) {
        if (f->materialise[node->id] || node->op == OP_reshape)
            return true;
        if (!ir_view_is_dense(node))
            return false;
    }
    return is_tensor(node) && node->op != OP_iota && !is_strided_parameter(f, node);
}

/* The host needs this tensor as a buffer in C order. */
static void require_contiguous(Fuse *f, const IrNode *node) {
    if (is_dense_view(f, node))
        require_host(f, node);
    else if (is_inlined(node))
        f->materialise[node->id] = true;
}

/* The host needs a buffer that control flow may own. */
static void require_owned(Fuse *f, const IrNode *node) {
    if (is_inlined(node))
        f->materialise[node->id] = true;
}

/* Its results are the buffers of its operands, which kernels read in C order. */
static bool hands_buffers_on(const IrNode *node) {
    return node->op == OP_for || node->op == OP_while || node->op == OP_check_true || node->op == OP_after;
}

/* A loop starts from a buffer that it changes: what is as cheap to fill as to copy is made for it alone. */
static bool starts_from_fill(const IrNode *node, const IrNode *x) {
    return (node->op == OP_for || node->op == OP_while) && x->op == OP_broadcast &&
           ir_is_scalar(x->operands[0]);
}

/* Is x computed from what is known once per row of the entries that it is spread to? */
static bool rests_on_segment(const Fuse *f, const IrNode *x, const IrNode *spread) {
    if (x->op == OP_segment)
        return x->operands[1] == spread->operands[1] && x->attributes[2] == spread->attributes[0];
    if (!is_inlined(x) || f->materialise[x->id] || is_reducing(x))
        return false;
    for (uint32_t k = 0; k < x->operand_count; k++)
        if (is_demanded(x->operands[k]) && rests_on_segment(f, x->operands[k], spread))
            return true;
    return false;
}

static void require_operands(Fuse *f, const IrNode *node) {
    bool control = hands_buffers_on(node);
    for (uint32_t k = 0; k < node->operand_count; k++) {
        const IrNode *x = node->operands[k];
        if (node->op == OP_update && k == 0) {
            require_owned(f, x);
            remark(f, x, REMARK_update, node);
        } else if (node->op == OP_spread && k == 0 && is_kernel_op(x)) {
            if (!is_reducing(x) && f->cost[x->id] > COST_CHEAP && !rests_on_segment(f, x, node)) {
                f->materialise[x->id] = true;
                remark(f, x, REMARK_gather, node);
            }
        } else if (node->op == OP_gather && k == 0 && is_kernel_op(x)) {
            f->materialise[x->id] = true;
            remark(f, x, REMARK_gather, node);
        } else if (node->op == OP_reshape && k == 0 && !f->host_view[node->id]) {
            require_contiguous(f, x);
            remark_base(f, x, REMARK_reshape, node);
        } else if (!is_inlined(node)) {
            if (!control)
                require_host(f, x);
            else if (!starts_from_fill(node, x))
                require_owned(f, x);
            remark_base(f, x, reason_of(node), node);
        }
    }
}

/* Does the value of an update read what is updated elsewhere than at the place that is being written? */
static bool reads_elsewhere(const Fuse *f, const IrNode *update, const IrNode *node, const int8_t *tags,
                            const FuseSpace *space) {
    const IrNode *x = update->operands[0];
    int8_t inner[2 * IR_MAX_RANK];
    if (node == x)
        return true;
    if (node->op == OP_slice && node->operands[0] == x && !ir_update_index_count(update) &&
        !memcmp(node->operands + 1, update->operands + 2, 3 * ir_rank(x) * sizeof *node->operands)) {
        IrNode *dims[2 * IR_MAX_RANK];
        int8_t map[2 * IR_MAX_RANK];
        fuse_update_map(update, map, dims);
        uint32_t dropped = 0, next = 0;
        for (uint32_t k = 0; k < ir_rank(x); k++) {
            if (dropped < node->attribute_count && node->attributes[dropped] == k)
                dropped++;
            else if (tags[next++] != map[k] && map[k] != TAG_NONE)
                return true;
        }
        return false;
    }
    if (!is_inlined(node) || f->materialise[node->id] || is_reducing(node))
        return false;
    for (uint32_t k = 0; k < node->operand_count; k++) {
        if (!ir_rank(node->operands[k]))
            continue;
        fuse_operand_tags(node, k, tags, space, inner, NULL);
        if (reads_elsewhere(f, update, node->operands[k], inner, space))
            return true;
    }
    return false;
}

/* The value and the indices of an update join its kernel unless they read what the kernel overwrites. */
static void require_update_operands(Fuse *f, const IrNode *update) {
    FuseSpace space = fuse_initial_space(update);
    int8_t tags[2 * IR_MAX_RANK], none[IR_MAX_RANK] = {0};
    for (uint32_t k = 1; k < update->operand_count; k++) {
        const IrNode *x = update->operands[k];
        if (!ir_rank(x) || !is_inlined(x))
            continue;
        fuse_operand_tags(update, k, none, &space, tags, NULL);
        if (reads_elsewhere(f, update, x, tags, &space)) {
            f->materialise[x->id] = true;
            remark(f, x, REMARK_change, update);
        }
    }
}

static int32_t group_of_users(const Fuse *f, const IrNode *node) {
    int32_t group = GROUP_NONE;
    for (uint32_t i = 0; i < f->users[node->id].count; i++) {
        const IrNode *user = f->users[node->id].items[i];
        if (!is_inlined(user))
            continue;
        int32_t theirs = f->group[user->id];
        if (theirs == GROUP_NONE)
            continue;
        if (group != GROUP_NONE && group != theirs)
            return GROUP_MANY;
        group = theirs;
    }
    return group;
}

static void become_root(Fuse *f, const IrNode *node) {
    f->materialise[node->id] = true;
    f->group[node->id] = (int32_t)node->id;
    f->space[node->id] = fuse_initial_space(node);
}

/* The root of a group if it lives in `region`. */
static const IrNode *root_in(const Fuse *f, const IrRegion *region, int32_t group) {
    return group >= 0 && f->by_id[group]->region == region ? f->by_id[group] : NULL;
}

/* Why a reduction did not join the kernel of its users; none of them: the host uses the number. */
static void remark_reduction(Fuse *f, const IrNode *node, int32_t group, const IrNode *root) {
    if (group == GROUP_NONE)
        return;
    if (group == GROUP_MANY)
        remark(f, node, REMARK_users, NULL);
    else if (!root)
        remark(f, node, REMARK_region, NULL);
    else
        remark(f, node, ir_rank(node) ? REMARK_space : REMARK_reduction, root);
}

/* The last node at which the value is computed from its operands, if it is not materialised. */
static void find_wanted(Fuse *f, const IrNode *node) {
    for (uint32_t i = 0; i < f->users[node->id].count; i++) {
        const IrNode *user = f->users[node->id].items[i];
        bool passes_on = is_inlined(user) && !f->materialise[user->id] && !is_reducing(user);
        uint32_t at = passes_on ? f->wanted[user->id] : user->id;
        if (at > f->wanted[node->id])
            f->wanted[node->id] = at;
    }
}

/* What is computed from a tensor that is then updated, and used after that, is computed before: the update
 * may then be done in place. */
static bool must_come_before(const Fuse *f, const IrNode *node) {
    return node->id < f->changes[node->id] && f->changes[node->id] < f->wanted[node->id];
}

/* Consumers were decided before: nodes come in reverse order. */
static void decide_node(Fuse *f, const IrNode *node) {
    require_operands(f, node);
    if (!is_inlined(node))
        return;
    if (node->op == OP_update)
        require_update_operands(f, node);
    find_wanted(f, node);
    if (!f->host_view[node->id] && must_come_before(f, node)) {
        f->materialise[node->id] = true;
        remark(f, node, REMARK_change, NULL);
    }
    if (f->is_apart)
        remark(f, node, REMARK_apart, NULL);
    if (f->materialise[node->id] || (f->is_apart && is_kernel_op(node))) {
        become_root(f, node);
        return;
    }
    int32_t group = group_of_users(f, node);
    if (is_view(node) || node->op == OP_iota) {
        f->group[node->id] = group;
        return;
    }
    if (is_reducing(node)) {
        const IrNode *root = root_in(f, node->region, group);
        if (root && absorb(f, node, group, root)) {
            f->group[node->id] = group;
        } else {
            become_root(f, node);
            remark_reduction(f, node, group, root);
        }
        return;
    }
    bool shared = group == GROUP_MANY || (group >= 0 && !root_in(f, node->region, group));
    if (shared && f->cost[node->id] > COST_CHEAP) {
        become_root(f, node);
        remark(f, node, group == GROUP_MANY ? REMARK_users : REMARK_region, NULL);
    } else {
        f->group[node->id] = group;
    }
}

static void add_user(Fuse *f, const IrNode *node, IrNode *user) {
    vec_push(f->arena, &f->users[node->id], user);
}

static void note_updates(Fuse *f, const IrRegion *region) {
    for (uint32_t i = 0; i < region->nodes.count; i++) {
        const IrNode *node = region->nodes.items[i];
        const IrNode *x = node->op == OP_update ? node->operands[0] : NULL;
        if (x && node->id < f->updated[x->id])
            f->updated[x->id] = node->id;
        for (uint32_t k = 0; k < node->region_count; k++)
            note_updates(f, node->regions[k]);
    }
}

static void find_changes(Fuse *f, const IrNode *node) {
    for (uint32_t k = 0; k < node->operand_count; k++) {
        const IrNode *x = node->operands[k];
        uint32_t first = f->updated[x->id];
        if (is_inlined(x) && !f->materialise[x->id] && f->changes[x->id] < first)
            first = f->changes[x->id];
        if (first < f->changes[node->id] && first > node->id)
            f->changes[node->id] = first;
    }
}

static void collect(Fuse *f, const IrRegion *region) {
    for (uint32_t i = 0; i < region->nodes.count; i++) {
        IrNode *node = region->nodes.items[i];
        f->by_id[node->id] = node;
        f->materialise[node->id] = node->op == OP_update && is_inlined(node);
        compute_cost(f, node);
        find_changes(f, node);
        for (uint32_t k = 0; k < node->operand_count; k++)
            add_user(f, node->operands[k], node);
        for (uint32_t k = 0; k < node->region_count; k++)
            collect(f, node->regions[k]);
    }
}

static void decide(Fuse *f, const IrRegion *region) {
    for (uint32_t i = 0; i < region->results.count; i++) {
        if (region->parent)
            require_owned(f, region->results.items[i]);
        else
            require_host(f, region->results.items[i]);
        remark_base(f, region->results.items[i],
                    !region->parent              ? REMARK_result
                    : region->owner->op == OP_if ? REMARK_branch
                                                 : REMARK_loop,
                    NULL);
    }
    for (uint32_t i = 0; i < region->nodes.count; i++) /* what is kept costs its users nothing */
        compute_cost(f, region->nodes.items[i]);
    for (uint32_t i = region->nodes.count; i-- > 0;) {
        const IrNode *node = region->nodes.items[i];
        for (uint32_t k = node->region_count; k-- > 0;)
            decide(f, node->regions[k]);
        decide_node(f, node);
    }
}

/* ---- building
 * ---------------------------------------------------------------------------------------------------- */

static IrType host_type(Fuse *f, const IrType *old) {
    IrType type = *old;
    type.dims = ARENA_ARRAY(f->arena, IrNode *, old->rank);
    for (uint32_t k = 0; k < old->rank; k++)
        type.dims[k] = f->host[old->dims[k]->id];
    return type;
}

typedef struct Body { /* of one fused node being built */
    Fuse *fuse;
    IrBuilder builder;
    const IrNode *root;
    IrNode **map; /* old id -> node in the body */
    VEC(IrNode *) operands;
} Body;

static IrNode *host_value(Fuse *f, const IrNode *old);

static IrNode *body_parameter(Body *body, const IrNode *old) {
    IrNode *outer = host_value(body->fuse, old);
    vec_push(body->fuse->arena, &body->operands, outer);
    return ir_parameter_of(&body->builder, old->text, ir_type(outer), outer->types[0].dims, NULL);
}

static IrNode *contiguous_value(Fuse *f, const IrNode *old);

/* What an update starts from: a buffer in C order. */
static IrNode *update_base(Body *body, const IrNode *old) {
    if (!is_strided_parameter(body->fuse, old))
        return body->map[old->id] ? body->map[old->id] : (body->map[old->id] = body_parameter(body, old));
    IrNode *copy = contiguous_value(body->fuse, old);
    vec_push(body->fuse->arena, &body->operands, copy);
    return ir_parameter(&body->builder, NULL, ir_dtype(copy), ir_rank(copy), copy->types[0].dims, NULL);
}

static IrNode *body_value(Body *body, const IrNode *old) {
    Fuse *f = body->fuse;
    if (body->map[old->id])
        return body->map[old->id];
    IrNode *made;
    if (ir_is_scalar(old) && old != body->root) {
        made = ir_is_const(old) ? ir_const(&body->builder, ir_dtype(old), (uint64_t)old->attributes[0])
                                : f->host[old->id];
    } else if (old->types[0].kind == IR_PATTERN || (old != body->root && is_host_value(f, old))) {
        made = body_parameter(body, old);
    } else if (old->op == OP_reshape &&
               (is_strided_parameter(f, old->operands[0]) || f->host_view[old->operands[0]->id])) {
        IrNode *copy = contiguous_value(f, old->operands[0]);
        vec_push(f->arena, &body->operands, copy);
        IrNode *x =
            ir_parameter(&body->builder, NULL, ir_dtype(copy), ir_rank(copy), copy->types[0].dims, NULL);
        IrType type = host_type(f, &old->types[0]);
        made = ir_reshape(&body->builder, x, type.dims, type.rank);
    } else {
        IrNode **operands = ARENA_ARRAY(f->arena, IrNode *, old->operand_count);
        for (uint32_t k = 0; k < old->operand_count; k++)
            operands[k] = old->op == OP_update && k == 0 ? update_base(body, old->operands[0])
                                                         : body_value(body, old->operands[k]);
        IrType type = host_type(f, &old->types[0]);
        ir_builder_place(&body->builder, old);
        made = ir_build(&body->builder, &(IrNodeSpec){.op = old->op,
                                                      .operands = operands,
                                                      .operand_count = old->operand_count,
                                                      .attributes = old->attributes,
                                                      .attribute_count = old->attribute_count,
                                                      .types = &type,
                                                      .result_count = 1,
                                                      .text = old->text});
    }
    return body->map[old->id] = made;
}

static IrNode *finish_fused(Fuse *f, Body *body, IrNode *result) {
    ir_set_results(&body->builder, &result, 1);
    return ir_build(&f->builder, &(IrNodeSpec){.op = OP_fused,
                                               .operands = body->operands.items,
                                               .operand_count = body->operands.count,
                                               .types = result->types,
                                               .result_count = 1,
                                               .regions = &body->builder.region,
                                               .region_count = 1});
}

static Body new_body(Fuse *f, const IrNode *root) {
    Body body = {.fuse = f, .root = root};
    IrRegion *region = ir_region_new(f->made, f->builder.region);
    body.builder = ir_builder_at(f->made, region);
    body.builder.span = f->builder.span;
    body.builder.statement = f->builder.statement;
    body.map = ARENA_ARRAY(f->arena, IrNode *, f->old->node_count);
    return body;
}

static IrNode *build_fused(Fuse *f, const IrNode *root) {
    Body body = new_body(f, root);
    IrNode *made = finish_fused(f, &body, body_value(&body, root));
    made->remarks = f->remarks ? f->remarks[root->id] : NULL;
    return made;
}

/* A strided parameter as a fresh buffer: a kernel that only copies. */
static IrNode *contiguous_value(Fuse *f, const IrNode *old) {
    if (!is_strided_parameter(f, old))
        return host_value(f, old);
    if (f->copies[old->id] && ir_region_encloses(f->copies[old->id]->region, f->builder.region))
        return f->copies[old->id];
    Body body = new_body(f, NULL);
    return f->copies[old->id] = finish_fused(f, &body, body_parameter(&body, old));
}

/* The host-level node of a value; views are made where they are first wanted. */
static IrNode *host_value(Fuse *f, const IrNode *old) {
    IrNode *made = f->host[old->id];
    if (!is_view(old) || (made && ir_region_encloses(made->region, f->builder.region)))
        return made; /* one made in a branch cannot be used after it */
    IrNode **operands = ARENA_ARRAY(f->arena, IrNode *, old->operand_count);
    operands[0] =
        old->op == OP_reshape ? contiguous_value(f, old->operands[0]) : host_value(f, old->operands[0]);
    for (uint32_t k = 1; k < old->operand_count; k++)
        operands[k] = f->host[old->operands[k]->id];
    IrType type = host_type(f, &old->types[0]);
    return f->host[old->id] = ir_build(&f->builder, &(IrNodeSpec){.op = old->op,
                                                                  .operands = operands,
                                                                  .operand_count = old->operand_count,
                                                                  .attributes = old->attributes,
                                                                  .attribute_count = old->attribute_count,
                                                                  .types = &type,
                                                                  .result_count = 1});
}

static void build_region(Fuse *f, const IrRegion *old);

static void map_parameter(Fuse *f, const IrNode *old) {
    IrBuilder *b = &f->builder;
    ir_builder_place(b, old);
    if (old->types[0].kind == IR_TOKEN) {
        f->host[old->id] = ir_token_parameter(b);
        return;
    }
    uint32_t rank = ir_rank(old);
    if (old->region->parent) {
        IrType type = host_type(f, &old->types[0]);
        f->host[old->id] = ir_parameter_of(b, old->text, &type, type.dims, NULL);
        return;
    }
    int64_t sizes[IR_MAX_RANK];
    for (uint32_t k = 0; k < rank; k++)
        if (!ir_const_value_i64(old->types[0].dims[k], &sizes[k]))
            sizes[k] = -1;
    IrNode *made = f->host[old->id] = ir_parameter_of(b, old->text, ir_type(old), NULL, sizes);
    made->has_hint = old->has_hint, made->hint = old->hint;
    for (uint32_t k = 0; k < rank; k++) {
        const IrNode *dim = old->types[0].dims[k];
        IrNode *copy = f->host[dim->id] = made->types[0].dims[k];
        copy->has_hint = dim->has_hint, copy->hint = dim->hint;
    }
}

static IrRegion *build_nested(Fuse *f, const IrRegion *old) {
    IrBuilder saved = f->builder;
    f->builder.region = ir_region_new(f->made, saved.region);
    build_region(f, old);
    IrRegion *made = f->builder.region;
    f->builder = saved;
    return made;
}

static bool is_own_extent(const IrNode *old, const IrNode *dim) {
    return dim->op == OP_result && dim->operands[0] == old;
}

/* Calls, control, checks and scalars: copied. */
static void build_host(Fuse *f, const IrNode *old) {
    IrBuilder *b = &f->builder;
    bool owned = hands_buffers_on(old);
    bool element = old->op == OP_update;
    IrNode **operands = ARENA_ARRAY(f->arena, IrNode *, old->operand_count);
    for (uint32_t k = 0; k < old->operand_count; k++) {
        const IrNode *x = old->operands[k];
        if (starts_from_fill(old, x))
            operands[k] = build_fused(f, x);
        else
            operands[k] = owned || ((old->op == OP_reshape || element) && k == 0) ? contiguous_value(f, x)
                                                                                  : host_value(f, x);
    }
    IrRegion *regions[2];
    for (uint32_t k = 0; k < old->region_count; k++)
        regions[k] = build_nested(f, old->regions[k]);
    IrType *types = ARENA_ARRAY(f->arena, IrType, old->result_count);
    for (uint32_t i = 0; i < old->result_count; i++) {
        types[i] = old->types[i];
        types[i].dims = ARENA_ARRAY(f->arena, IrNode *, types[i].rank);
        for (uint32_t k = 0; k < types[i].rank; k++)
            types[i].dims[k] = f->host[old->types[i].dims[k]->id];
    }
    IrNode *made = ir_build(b, &(IrNodeSpec){.op = old->op,
                                             .operands = operands,
                                             .operand_count = old->operand_count,
                                             .attributes = old->attributes,
                                             .attribute_count = old->attribute_count,
                                             .types = types,
                                             .result_count = old->result_count,
                                             .regions = regions,
                                             .region_count = old->region_count,
                                             .text = old->text});
    made->remarks = old->remarks;
    for (uint32_t i = 0; i < old->result_count; i++)
        for (uint32_t k = 0; k < types[i].rank; k++) {
            const IrNode *dim = old->types[i].dims[k];
            if (is_own_extent(old, dim))
                made->types[i].dims[k] = f->host[dim->id] = ir_result(b, made, (uint32_t)dim->attributes[0]);
        }
    f->host[old->id] = made;
}

static IrNode *result_value(Fuse *f, const IrRegion *region, const IrNode *old) {
    return region->parent ? contiguous_value(f, old) : host_value(f, old);
}

static void build_region(Fuse *f, const IrRegion *old) {
    for (uint32_t i = 0; i < old->parameters.count; i++)
        map_parameter(f, old->parameters.items[i]);
    for (uint32_t i = 0; i < old->nodes.count; i++) {
        const IrNode *node = old->nodes.items[i];
        if (f->host[node->id])
            continue;
        ir_builder_place(&f->builder, node);
        if (f->materialise[node->id])
            f->host[node->id] = build_fused(f, node);
        else if (!is_inlined(node))
            build_host(f, node);
    }
    IrNode **results = ARENA_ARRAY(f->arena, IrNode *, old->results.count);
    for (uint32_t i = 0; i < old->results.count; i++)
        results[i] = result_value(f, old, old->results.items[i]);
    ir_set_results(&f->builder, results, old->results.count);
}

static IrFunction *fuse(PassContext *context, IrFunction *function, bool is_apart) {
    IrFunction *old = ir_rewrite_function(function, NULL, NULL); /* dead nodes would count as users */
    uint32_t n = old->node_count;
    Arena *arena = context->arena;
    Fuse f = {.arena = arena, .old = old, .is_apart = is_apart};
    f.host = ARENA_ARRAY(arena, IrNode *, n);
    f.copies = ARENA_ARRAY(arena, IrNode *, n);
    f.materialise = ARENA_ARRAY(arena, bool, n);
    f.host_view = ARENA_ARRAY(arena, bool, n);
    f.group = ARENA_ARRAY(arena, int32_t, n);
    f.cost = ARENA_ARRAY(arena, uint32_t, n);
    f.by_id = ARENA_ARRAY(arena, const IrNode *, n);
    f.space = ARENA_ARRAY(arena, FuseSpace, n);
    f.users = arena_alloc_array(arena, n, sizeof *f.users);
    f.remarks = context->annotate ? ARENA_ARRAY(arena, IrRemark *, n) : NULL;
    f.changes = ARENA_ARRAY(arena, uint32_t, n);
    f.updated = ARENA_ARRAY(arena, uint32_t, n);
    f.wanted = ARENA_ARRAY(arena, uint32_t, n);
    for (uint32_t i = 0; i < n; i++) {
        f.group[i] = GROUP_NONE;
        f.changes[i] = f.updated[i] = UINT32_MAX;
    }
    note_updates(&f, old->body);
    collect(&f, old->body);
    decide(&f, old->body);

    f.made = ARENA_NEW(arena, IrFunction);
    f.made->module = old->module;
    f.made->name = old->name;
    f.made->parameter_contiguous = old->parameter_contiguous;
    f.made->body = ir_region_new(f.made, NULL);
    f.builder = ir_builder_at(f.made, f.made->body);
    build_region(&f, old->body);
    return f.made;
}

IrFunction *pass_fuse(PassContext *context, IrFunction *function) {
    return fuse(context, function, false);
}

IrFunction *pass_fuse_apart(PassContext *context, IrFunction *function) {
    return fuse(context, function, true);
}
