/* Sparse matrices, graphs and edge tensors as values: made, converted, taken apart. */
#include "frontend/elab_sparse.h"
#include "frontend/elab_builtin.h"

/* ---- values -------------------------------------------------------------------------------------------- */

IrNode *elab_fit_entries(Elaborator *e, IrNode *values, IrNode *pattern) {
    IrNode *dims[IR_MAX_RANK];
    elab_copy_dims(dims, values);
    IrNode *same = elab_same_extent(e, ir_pattern_count(pattern), dims[0],
                                    "there are not as many values as entries of the pattern");
    if (!same)
        return values; /* known to differ: the caller has made sure */
    dims[0] = same;
    return elab_with_dims(e, values, dims, ir_rank(values));
}

Entries elab_entries(Elaborator *e, Value value) {
    Entries entries = {.pattern = elab_node(e, value.tuple->items[0]).node};
    if (value.kind != VALUE_GRAPH)
        entries.values = elab_fit_entries(e, elab_node(e, value.tuple->items[1]).node, entries.pattern);
    return entries;
}

Value elab_on_pattern(Elaborator *e, ValueKind kind, IrNode *pattern, IrNode *values) {
    ValueTuple *tuple = elab_tuple(e, kind == VALUE_GRAPH ? 1 : 2);
    tuple->items[0] = value_tensor(pattern);
    if (kind != VALUE_GRAPH)
        tuple->items[1] = value_tensor(values);
    return (Value){.kind = kind, .tuple = tuple};
}

Value elab_sparse_of(Elaborator *e, Value pattern, Value values) {
    ValueTuple *tuple = elab_tuple(e, 2);
    tuple->items[0] = pattern;
    tuple->items[1] = values;
    return (Value){.kind = VALUE_SPARSE, .tuple = tuple};
}

Value elab_graph_of(Elaborator *e, Value pattern) {
    ValueTuple *tuple = elab_tuple(e, 1);
    tuple->items[0] = pattern;
    return (Value){.kind = VALUE_GRAPH, .tuple = tuple};
}

IrNode *elab_ends(Elaborator *e, IrNode *pattern, IrSide side) {
    IrNode *part = ir_pattern_part(&e->b, pattern, side == IR_SIDE_ROWS ? IR_PART_ROWS : IR_PART_COLUMNS);
    return elab_cast(e, part, DTYPE_i64);
}

IrNode *elab_entries_at(Elaborator *e, IrNode *values, IrNode *map) {
    IrBuilder *b = &e->b;
    IrNode *zero = ir_const_i64(b, 0), *one = ir_const_i64(b, 1);
    IrNode *last = ir_broadcast_trailing(b, ir_const_number(b, ir_dtype(values), 0), &one, 1);
    IrNode *padded = ir_concat(b, (IrNode *[]){values, last}, 2, 0);
    IrNode *none = elab_with_dims(e, values->types[0].dims[0], map->types[0].dims, ir_rank(map));
    IrNode *is_absent = ir_binary(b, OP_lt, map, elab_with_dims(e, zero, map->types[0].dims, ir_rank(map)));
    return ir_gather(b, padded, ir_where(b, is_absent, none, map), 0);
}

static IrOrder order_of(Value value) {
    Value pattern = value.tuple->items[0];
    return pattern.kind == VALUE_SLOT ? pattern.slot->order : ir_type(pattern.node)->order;
}

static const char *item_extent(Elaborator *e, Value item, uint32_t axis) {
    if (item.kind == VALUE_TENSOR)
        return elab_extent_text(e, item.node->types[0].dims[axis]);
    return item.slot->is_known ? arena_format(e->sink->arena, "%lld", (long long)item.slot->shape[axis])
                               : "_";
}

const char *elab_sparse_text(Elaborator *e, Value value) {
    Value pattern = value.tuple->items[0];
    Dtype dtype = DTYPE_f32;
    TextBuffer text = {.arena = e->sink->arena};
    if (value.kind == VALUE_GRAPH) {
        text_format(&text, "graph[%s]", item_extent(e, pattern, 0));
        return text.text;
    }
    elab_dtype_of(value.tuple->items[1], &dtype);
    if (value.kind == VALUE_SPARSE) {
        text_format(&text, "sparse %s[%s, %s]", dtype_name(dtype), item_extent(e, pattern, 0),
                    item_extent(e, pattern, 1));
        return text.text;
    }
    uint32_t rank = 1;
    elab_rank_of(value.tuple->items[1], &rank);
    text_add(&text, dtype_name(dtype));
    for (uint32_t k = 1; k < rank; k++)
        text_format(&text, "%s%s", k > 1 ? ", " : "[", item_extent(e, value.tuple->items[1], k));
    text_add(&text, rank > 1 ? "] on a graph" : " on a graph");
    return text.text;
}

/* ---- fields -------------------------------------------------------------------------------------------- */

static Value extent_value(Elaborator *e, IrNode *extent) {
    int64_t known;
    return ir_const_value_i64(extent, &known) ? elab_int(e, known) : value_weak(extent);
}

/* Counts of parallel edges, on the pattern without them. */
static Value adjacency(Elaborator *e, IrNode *pattern) {
    IrBuilder *b = &e->b;
    IrNode *rows = elab_ends(e, pattern, IR_SIDE_ROWS), *columns = elab_ends(e, pattern, IR_SIDE_COLUMNS);
    IrNode *made = ir_pattern_make(b, rows, columns, ir_pattern_extent(pattern, IR_SIDE_ROWS),
                                   ir_pattern_extent(pattern, IR_SIDE_COLUMNS), ir_dtype(pattern),
                                   IR_ORDER_ROWS, IR_REPEATS_MERGE);
    IrNode *single = ir_result(b, made, 0), *map = ir_result(b, made, 1);
    IrNode *count = ir_pattern_count(single), *zero = ir_const_i64(b, 0), *one = ir_const_i64(b, 1);
    IrNode *zeros = ir_broadcast_trailing(b, ir_const_number(b, DTYPE_f32, 0), &count, 1);
    uint32_t axis = 0;
    IrNode *counts =
        ir_update(b, zeros, ir_const_number(b, DTYPE_f32, 1), &zero, &count, &one, &map, &axis, 1, OP_add);
    return elab_on_pattern(e, VALUE_SPARSE, single, counts);
}

static bool graph_field(Elaborator *e, Value base, Name name, Value *out) {
    IrNode *pattern = elab_entries(e, base).pattern;
    if (name_is(name, "n"))
        *out = extent_value(e, ir_pattern_extent(pattern, IR_SIDE_ROWS));
    else if (name_is(name, "e"))
        *out = extent_value(e, ir_pattern_count(pattern));
    else if (name_is(name, "src") || name_is(name, "dst"))
        *out = value_tensor(elab_ends(e, pattern, name_is(name, "src") ? IR_SIDE_ROWS : IR_SIDE_COLUMNS));
    else if (name_is(name, "adj"))
        *out = adjacency(e, pattern);
    else if (name_is(name, "T"))
        *out = elab_on_pattern(e, VALUE_GRAPH, ir_pattern_transpose(&e->b, pattern), NULL);
    else
        return false;
    return true;
}

bool elab_sparse_field(Elaborator *e, Value base, Name name, Value *out) {
    Dtype dtype;
    if (base.kind == VALUE_GRAPH)
        return graph_field(e, base, name, out);
    if (base.kind == VALUE_EDGES) {
        Value tensor = value_tensor(elab_entries(e, base).values);
        return elab_find_field(e, tensor, name, out);
    }
    Entries a = elab_entries(e, base);
    IrNode *rows = ir_pattern_extent(a.pattern, IR_SIDE_ROWS),
           *columns = ir_pattern_extent(a.pattern, IR_SIDE_COLUMNS);
    if (name_is(name, "shape")) {
        *out = (Value){.kind = VALUE_TUPLE, .tuple = elab_tuple(e, 2)};
        out->tuple->items[0] = extent_value(e, rows);
        out->tuple->items[1] = extent_value(e, columns);
    } else if (name_is(name, "T")) {
        *out = elab_on_pattern(e, VALUE_SPARSE, ir_pattern_transpose(&e->b, a.pattern), a.values);
    } else if (name_is(name, "nnz")) {
        *out = extent_value(e, ir_pattern_count(a.pattern));
    } else if (name_is(name, "ndim")) {
        *out = elab_int(e, 2);
    } else if (name_is(name, "size")) {
        *out = extent_value(e, ir_binary(&e->b, OP_mul, rows, columns));
    } else if (name_is(name, "dtype")) {
        elab_dtype_of(base.tuple->items[1], &dtype);
        *out = (Value){.kind = VALUE_DTYPE, .dtype = dtype};
    } else {
        return false;
    }
    return true;
}

/* ---- conversions --------------------------------------------------------------------------------------- */

IrNode *elab_densify(Elaborator *e, Value sparse) {
    IrBuilder *b = &e->b;
    Entries a = elab_entries(e, sparse);
    IrNode *dims[] = {ir_pattern_extent(a.pattern, IR_SIDE_ROWS),
                      ir_pattern_extent(a.pattern, IR_SIDE_COLUMNS)};
    IrNode *zero = ir_const_i64(b, 0), *one = ir_const_i64(b, 1);
    IrNode *zeros = ir_broadcast_trailing(b, ir_const_number(b, ir_dtype(a.values), 0), dims, 2);
    IrNode *at[] = {elab_ends(e, a.pattern, IR_SIDE_ROWS), elab_ends(e, a.pattern, IR_SIDE_COLUMNS)};
    IrNode *same = a.values->types[0].dims[0];
    for (int i = 0; i < 2; i++)
        at[i] = elab_with_dims(e, at[i], &same, 1);
    uint32_t axes[] = {0, 1};
    return ir_update(b, zeros, a.values, (IrNode *[]){zero, zero}, dims, (IrNode *[]){one, one}, at, axes, 2,
                     OP_none);
}

Value elab_reordered(Elaborator *e, Value sparse, IrOrder order) {
    if (order_of(sparse) == order)
        return sparse;
    Entries a = elab_entries(e, sparse);
    IrNode *places = ir_pattern_part(&e->b, a.pattern,
                                     order == IR_ORDER_ROWS ? IR_PART_ROW_PLACES : IR_PART_COLUMN_PLACES);
    IrNode *values = ir_gather(&e->b, a.values, elab_cast(e, places, DTYPE_i64), 0);
    return elab_on_pattern(e, VALUE_SPARSE, ir_pattern_reorder(&e->b, a.pattern, order), values);
}

/* Row `axis` of what nonzero gives. */
static IrNode *positions_along(Elaborator *e, IrNode *nonzero, int64_t axis) {
    IrNode *one = ir_const_i64(&e->b, 1), *count = nonzero->types[0].dims[1];
    return ir_slice(&e->b, nonzero, (IrNode *[]){ir_const_i64(&e->b, axis), ir_const_i64(&e->b, 0)},
                    (IrNode *[]){one, count}, (IrNode *[]){one, one}, (bool[]){true, false});
}

static Value sparse_of_dense(Elaborator *e, IrNode *x) {
    IrBuilder *b = &e->b;
    IrNode *found = ir_nonzero(b, elab_cast(e, x, DTYPE_bool));
    IrNode *at[] = {positions_along(e, found, 0), positions_along(e, found, 1)};
    IrNode *made = ir_pattern_make(b, at[0], at[1], x->types[0].dims[0], x->types[0].dims[1], DTYPE_i32,
                                   IR_ORDER_ROWS, IR_REPEATS_ERROR);
    IrNode *pattern = ir_result(b, made, 0);
    IrNode *values = ir_gather_many(b, x, at, (uint32_t[]){0, 1}, 2);
    return elab_on_pattern(e, VALUE_SPARSE, pattern, elab_fit_entries(e, values, pattern));
}

/* sparse(x), csr(x), csc(x), coo(x) */
Value builtin_sparse(Elaborator *e, BuiltinCall *call) {
    const char *name = call->builtin->name;
    Value x = call->values[0];
    IrOrder order = !strcmp(name, "csc") ? IR_ORDER_COLUMNS : IR_ORDER_ROWS;
    elab_at(e, call->span);
    if (x.kind == VALUE_GRAPH)
        x = adjacency(e, elab_entries(e, x).pattern);
    if (x.kind != VALUE_SPARSE) {
        x = builtin_tensor(e, call, 0, arena_format(e->arena, "the argument of `%s`", name));
        if (value_is(x, VALUE_POISON))
            return x;
        if (ir_rank(x.node) != 2)
            return elab_fail(e, DIAG_E0203, call->spans[0],
                             "a sparse matrix has two axes, not %u: this is %s", ir_rank(x.node),
                             elab_type_text(e, x));
        x = sparse_of_dense(e, x.node);
    }
    return !strcmp(name, "sparse") ? x : elab_reordered(e, x, order);
}

Value builtin_dense(Elaborator *e, BuiltinCall *call) {
    Value x = call->values[0];
    elab_at(e, call->span);
    if (x.kind == VALUE_GRAPH)
        x = adjacency(e, elab_entries(e, x).pattern);
    if (x.kind == VALUE_SPARSE)
        return value_tensor(elab_densify(e, x));
    return builtin_tensor(e, call, 0, "the argument of `dense`");
}

/* A list of node numbers: i64 [e], checked to be in range when the pattern is made. */
static IrNode *end_list(Elaborator *e, BuiltinCall *call, uint32_t at, const char *what) {
    Value x = builtin_tensor(e, call, at, what);
    if (value_is(x, VALUE_POISON))
        return NULL;
    if (ir_rank(x.node) != 1 || !dtype_is_integer(ir_dtype(x.node))) {
        elab_fail(e, DIAG_E0203, call->spans[at], "%s must be a vector of integers, not %s", what,
                  elab_type_text(e, x));
        return NULL;
    }
    return elab_cast(e, x.node, DTYPE_i64);
}

static bool same_lists(Elaborator *e, IrNode **lists, Span span) {
    IrNode *same = elab_same_extent(e, lists[0]->types[0].dims[0], lists[1]->types[0].dims[0],
                                    "the lists of rows and columns differ in length");
    if (!same)
        return elab_fail(e, DIAG_E0203, span, "the lists of rows and columns differ in length"), false;
    for (int i = 0; i < 2; i++)
        lists[i] = elab_with_dims(e, lists[i], &same, 1);
    return true;
}

/* graph(src, dst, n, unique=false, multi=false) */
Value builtin_graph(Elaborator *e, BuiltinCall *call) {
    bool unique, multi;
    elab_at(e, call->span);
    if (call->values[0].kind == VALUE_SPARSE) /* graph(a): its entries as edges */
        return elab_on_pattern(e, VALUE_GRAPH, elab_entries(e, call->values[0]).pattern, NULL);
    if (value_is(call->values[1], VALUE_NONE))
        return elab_fail(e, DIAG_E0204, call->span,
                         "`graph` takes sources, destinations and the number of nodes");
    IrNode *lists[] = {end_list(e, call, 0, "the sources of a graph"),
                       end_list(e, call, 1, "the destinations of a graph")};
    if (!lists[0] || !lists[1] || !same_lists(e, lists, call->span) ||
        !elab_bool_argument(e, call->values[3], call->spans[3], "unique", &unique) ||
        !elab_bool_argument(e, call->values[4], call->spans[4], "multi", &multi))
        return elab_poison();
    Value n = elab_index_scalar(e, call->values[2], call->spans[2], "the number of nodes");
    if (value_is(n, VALUE_POISON))
        return n;
    IrRepeats repeats = multi ? IR_REPEATS_KEEP : unique ? IR_REPEATS_MERGE : IR_REPEATS_ERROR;
    IrNode *made =
        ir_pattern_make(&e->b, lists[0], lists[1], n.node, n.node, DTYPE_i32, IR_ORDER_GIVEN, repeats);
    return elab_on_pattern(e, VALUE_GRAPH, ir_result(&e->b, made, 0), NULL);
}

/* from_entries(rows, columns, values, shape): entries that are given twice are added. */
Value builtin_from_entries(Elaborator *e, BuiltinCall *call) {
    IrBuilder *b = &e->b;
    IrNode *lists[] = {end_list(e, call, 0, "the rows of entries"),
                       end_list(e, call, 1, "the columns of entries")};
    Value values = builtin_tensor(e, call, 2, "the values of entries");
    elab_at(e, call->span);
    if (!lists[0] || !lists[1] || value_is(values, VALUE_POISON) || !same_lists(e, lists, call->span))
        return elab_poison();
    if (call->values[3].kind != VALUE_TUPLE || call->values[3].tuple->count != 2)
        return elab_fail(e, DIAG_E0203, call->spans[3], "the shape of a matrix is a tuple of two sizes");
    Value rows = elab_index_scalar(e, call->values[3].tuple->items[0], call->spans[3], "a size");
    Value columns = elab_index_scalar(e, call->values[3].tuple->items[1], call->spans[3], "a size");
    if (value_is(rows, VALUE_POISON) || value_is(columns, VALUE_POISON))
        return elab_poison();
    IrNode *listed = lists[0]->types[0].dims[0], *v = values.node;
    if (ir_rank(v) == 1 && !(listed = elab_same_extent(e, listed, v->types[0].dims[0],
                                                       "there are not as many values as entries")))
        return elab_fail(e, DIAG_E0203, call->span, "there are not as many values as entries");
    if (ir_rank(v) > 1)
        return elab_fail(e, DIAG_E0203, call->spans[2], "the values of entries are a vector, not %s",
                         elab_type_text(e, values));
    v = elab_with_dims(e, v, &listed, 1);
    IrNode *made = ir_pattern_make(b, lists[0], lists[1], rows.node, columns.node, DTYPE_i32, IR_ORDER_ROWS,
                                   IR_REPEATS_MERGE);
    IrNode *pattern = ir_result(b, made, 0), *map = elab_with_dims(e, ir_result(b, made, 1), &listed, 1);
    IrNode *count = ir_pattern_count(pattern), *zero = ir_const_i64(b, 0), *one = ir_const_i64(b, 1);
    IrNode *zeros = ir_broadcast_trailing(b, ir_const_number(b, ir_dtype(v), 0), &count, 1);
    uint32_t axis = 0;
    IrNode *sums = ir_update(b, zeros, v, &zero, &count, &one, &map, &axis, 1,
                             ir_dtype(v) == DTYPE_bool ? OP_logical_or : OP_add);
    return elab_on_pattern(e, VALUE_SPARSE, pattern, sums);
}

Value builtin_nnz(Elaborator *e, BuiltinCall *call) {
    Value out;
    if (call->values[0].kind == VALUE_SPARSE &&
        elab_sparse_field(e, call->values[0], elab_intern(e, "nnz"), &out))
        return out;
    return elab_fail(e, DIAG_E0201, call->spans[0], "`nnz` counts the entries of a sparse matrix, not of %s",
                     elab_kind_text(e, call->values[0]));
}

Value builtin_is_sparse(Elaborator *e, BuiltinCall *call) {
    (void)e;
    ValueKind kind = call->values[0].kind;
    return elab_constant(DTYPE_bool, kind == VALUE_SPARSE || kind == VALUE_EDGES, false);
}

/* nonzeros(a, f): f of the values, on the same pattern; of an edge tensor f of its tensor. */
Value builtin_nonzeros(Elaborator *e, BuiltinCall *call) {
    Value a = call->values[0];
    if (a.kind != VALUE_SPARSE && a.kind != VALUE_EDGES)
        return elab_fail(e, DIAG_E0201, call->spans[0],
                         "`nonzeros` needs a sparse matrix or an edge tensor, not %s", elab_kind_text(e, a));
    Entries entries = elab_entries(e, a);
    if (value_is(call->values[1], VALUE_NONE))
        return value_tensor(entries.values);
    Argument argument = {.value = value_tensor(entries.values), .span = call->spans[0]};
    Value made = elab_call_value(e, call->values[1], &argument, 1, call->span);
    made = elab_tensor(e, made, call->spans[1], "what the function gives");
    if (value_is(made, VALUE_POISON))
        return made;
    IrNode *count = entries.values->types[0].dims[0], *dims[IR_MAX_RANK];
    uint32_t rank = ir_rank(made.node);
    elab_copy_dims(dims, made.node);
    bool fits = rank ? a.kind == VALUE_EDGES || rank == 1 : a.kind == VALUE_SPARSE;
    dims[0] =
        rank && fits ? elab_same_extent(e, count, dims[0], "`nonzeros` needs a value for each entry") : count;
    if (!fits || !dims[0])
        return elab_fail(e, DIAG_E0203, call->spans[1],
                         "the function must give a value for each entry, not %s", elab_type_text(e, made));
    return elab_on_pattern(e, a.kind, entries.pattern, elab_with_dims(e, made.node, dims, rank ? rank : 1));
}
