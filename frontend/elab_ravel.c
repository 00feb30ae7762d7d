/* Trees as vectors and back, for algorithms that see one vector, and records made of named values. */
#include "frontend/elab_builtin.h"

/* The floats that training changes; false after reporting that there are none. */
static bool trained_leaves(Elaborator *e, BuiltinCall *call, LeafList *leaves) {
    if (value_is(call->values[0], VALUE_POISON))
        return false;
    elab_trained_leaves(e, call->values[0], leaves);
    if (leaves->count)
        return true;
    elab_fail(e, DIAG_E0201, call->spans[0],
              "`%s` takes floats, alone or in tuples, records and layers, not %s", call->builtin->name,
              elab_kind_text(e, call->values[0]));
    return false;
}

/* tree_ravel(tree): its floats one after another, in the dtype that they promote to. */
Value builtin_tree_ravel(Elaborator *e, BuiltinCall *call) {
    LeafList leaves = {0};
    if (!trained_leaves(e, call, &leaves))
        return elab_poison();
    elab_at(e, call->span);
    ValueTuple *parts = elab_tuple(e, leaves.count);
    for (uint32_t i = 0; i < leaves.count; i++) {
        IrNode *leaf = elab_node(e, leaves.items[i].value).node, *size = ir_size(&e->b, leaf);
        parts->items[i] = value_tensor(ir_reshape(&e->b, leaf, &size, 1));
    }
    if (parts->count == 1)
        return parts->items[0];
    Argument argument = {.value = {.kind = VALUE_TUPLE, .tuple = parts}, .span = call->spans[0]};
    return elab_call_builtin(e, elab_find_builtin("concat"), &argument, 1, call->span);
}

/* tree_unravel(tree, v): the tree with its floats from v, in their shapes and dtypes. */
Value builtin_tree_unravel(Elaborator *e, BuiltinCall *call) {
    LeafList leaves = {0};
    Value v = builtin_tensor(e, call, 1, "the vector of `tree_unravel`");
    if (value_is(v, VALUE_POISON) || !trained_leaves(e, call, &leaves))
        return elab_poison();
    if (ir_rank(v.node) != 1 || !dtype_is_float(v.node->types[0].dtype))
        return elab_fail(e, DIAG_E0201, call->spans[1], "`tree_unravel` takes a vector of floats, not %s",
                         elab_type_text(e, v));
    elab_at(e, call->span);
    IrNode **sizes = ARENA_ARRAY(e->arena, IrNode *, leaves.count), *total = ir_const_i64(&e->b, 0);
    for (uint32_t i = 0; i < leaves.count; i++) {
        sizes[i] = ir_size(&e->b, elab_node(e, leaves.items[i].value).node);
        total = ir_binary(&e->b, OP_add, total, sizes[i]);
    }
    IrNode *size = elab_same_extent(e, total, v.node->types[0].dims[0],
                                    "the vector of `tree_unravel` has another size than the tree");
    if (!size)
        return elab_fail(e, DIAG_E0203, call->span,
                         "the vector of `tree_unravel` has another size than the tree");
    v.node = elab_with_dims(e, v.node, &size, 1);
    Value *values = ARENA_ARRAY(e->arena, Value, leaves.count);
    IrNode *start = ir_const_i64(&e->b, 0), *one = ir_const_i64(&e->b, 1);
    for (uint32_t i = 0; i < leaves.count; i++) {
        const IrType *type = &elab_node(e, leaves.items[i].value).node->types[0];
        IrNode *part = leaves.count == 1 ? v.node : ir_slice(&e->b, v.node, &start, &sizes[i], &one, NULL);
        part = ir_reshape(&e->b, part, type->dims, type->rank);
        values[i] =
            value_tensor(part->types[0].dtype == type->dtype ? part : ir_cast(&e->b, part, type->dtype));
        start = ir_binary(&e->b, OP_add, start, sizes[i]);
    }
    return elab_with_trained(e, call->values[0], values);
}

/* record(name=value, …) */
Value builtin_record(Elaborator *e, BuiltinCall *call) {
    Name *names;
    if (!call->keywords.count)
        return elab_fail(e, DIAG_E0204, call->span, "`record` takes named values");
    Value record = elab_record_new(e, call->keywords.count, &names);
    for (uint32_t i = 0; i < call->keywords.count; i++) {
        const Argument *field = &call->keywords.items[i];
        for (uint32_t k = 0; k < i; k++)
            if (names[k] == field->name)
                return elab_fail(e, DIAG_E0204, field->span, "the record has two fields `%s`",
                                 names[k]->text);
        names[i] = field->name;
        record.tuple->items[i] = elab_tensor(e, field->value, field->span, "a field of a record");
        if (value_is(record.tuple->items[i], VALUE_POISON))
            return elab_poison();
    }
    return record;
}
