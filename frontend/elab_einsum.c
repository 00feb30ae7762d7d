/* einsum and its relatives: contractions of labelled axes, each pair one matrix product where it is one.
 *
 * Every operand is a node with a label per axis.  Labels that only one operand has and nobody wants are
 * summed first; two operands meet as [batch, rows, inner] @ [batch, inner, columns], as a product of
 * broadcast tensors when nothing is summed, or as the sum of one when there are neither rows nor columns. The
 * order of more than two operands is the cheapest by the sizes of this call. */
#include "frontend/elab_builtin.h"

enum { LABEL_COUNT = 64, LETTERS = 52, OPERAND_MAX = 32, SEARCH_MAX = 10, SIZE_GUESS = 32 };

typedef struct Labelled {
    IrNode *node;
    uint32_t count;
    uint8_t labels[IR_MAX_RANK];
} Labelled;

typedef struct Contraction {
    Elaborator *e;
    const char *name;
    Span span;
    Labelled items[OPERAND_MAX];
    uint32_t count;
    IrNode *extents[LABEL_COUNT];
    uint64_t output; /* set of labels */
    uint32_t output_count;
    uint8_t output_labels[IR_MAX_RANK];
} Contraction;

static uint64_t bit(uint32_t label) {
    return UINT64_C(1) << label;
}

static uint64_t labels_of(const Labelled *item) {
    uint64_t set = 0;
    for (uint32_t k = 0; k < item->count; k++)
        set |= bit(item->labels[k]);
    return set;
}

/* ---- one operand -------------------------------------------------------------------------------------- */

static void permute_to(Contraction *c, Labelled *item, const uint8_t *order) {
    uint32_t permutation[IR_MAX_RANK];
    Labelled out = {.count = item->count};
    for (uint32_t k = 0; k < item->count; k++)
        for (uint32_t i = 0; i < item->count; i++)
            if (item->labels[i] == order[k])
                permutation[k] = i;
    memcpy(out.labels, order, item->count);
    out.node = ir_permute(&c->e->b, item->node, permutation);
    *item = out;
}

/* The axes `first` < `second`, which have one label, become their diagonal. */
static void take_diagonal(Contraction *c, Labelled *item, uint32_t first, uint32_t second) {
    IrBuilder *b = &c->e->b;
    uint32_t permutation[IR_MAX_RANK], rank = 0;
    IrNode *dims[IR_MAX_RANK], *starts[IR_MAX_RANK], *steps[IR_MAX_RANK];
    uint8_t label = item->labels[first];
    for (uint32_t k = 0; k < item->count; k++)
        if (k != first && k != second) {
            item->labels[rank] = item->labels[k];
            permutation[rank++] = k;
        }
    permutation[rank] = first;
    permutation[rank + 1] = second;
    IrNode *x = ir_permute(b, item->node, permutation), *n = x->types[0].dims[rank];
    elab_copy_dims(dims, x);
    dims[rank] = ir_binary(b, OP_mul, n, n);
    x = ir_reshape(b, x, dims, rank + 1);
    for (uint32_t k = 0; k <= rank; k++) {
        starts[k] = ir_const_i64(b, 0);
        steps[k] = k < rank ? ir_const_i64(b, 1) : ir_binary(b, OP_add, n, ir_const_i64(b, 1));
    }
    dims[rank] = n;
    item->node = ir_slice(b, x, starts, dims, steps, NULL);
    item->labels[rank] = label;
    item->count = rank + 1;
}

static void take_diagonals(Contraction *c, Labelled *item) {
    for (uint32_t i = 0; i < item->count; i++)
        for (uint32_t k = i + 1; k < item->count; k++)
            if (item->labels[i] == item->labels[k]) {
                take_diagonal(c, item, i, k);
                i = (uint32_t)-1;
                break;
            }
}

/* Sums over the labels that are not in `kept`. */
static void sum_others(Contraction *c, Labelled *item, uint64_t kept) {
    uint32_t axes[IR_MAX_RANK], count = 0, left = 0;
    Dtype dtype = ir_dtype(item->node);
    for (uint32_t k = 0; k < item->count; k++) {
        if (kept & bit(item->labels[k]))
            item->labels[left++] = item->labels[k];
        else
            axes[count++] = k;
    }
    item->count = left;
    if (count)
        item->node =
            ir_reduce(&c->e->b, OP_sum, item->node, axes, count, ir_accumulator(OP_sum, dtype), dtype);
}

/* ---- two operands ------------------------------------------------------------------------------------- */

/* x as it stands beside the labels of `out`. */
static IrNode *spread(Contraction *c, const Labelled *x, const Labelled *out) {
    Labelled ordered = *x;
    uint8_t order[IR_MAX_RANK];
    uint32_t map[IR_MAX_RANK], rank = 0;
    IrNode *dims[IR_MAX_RANK];
    for (uint32_t k = 0; k < out->count; k++) {
        dims[k] = c->extents[out->labels[k]];
        if (labels_of(x) & bit(out->labels[k])) {
            map[rank] = k;
            order[rank++] = out->labels[k];
        }
    }
    permute_to(c, &ordered, order);
    return ir_broadcast(&c->e->b, ordered.node, map, dims, out->count);
}

static IrNode *product_of(Contraction *c, const uint8_t *labels, uint32_t count) {
    IrNode *out = ir_const_i64(&c->e->b, 1);
    for (uint32_t k = 0; k < count; k++)
        out = ir_binary(&c->e->b, OP_mul, out, c->extents[labels[k]]);
    return out;
}

typedef struct Groups { /* labels in the order of the first operand, then of the second */
    uint8_t batch[IR_MAX_RANK], inner[IR_MAX_RANK], rows[IR_MAX_RANK], columns[IR_MAX_RANK];
    uint32_t batch_count, inner_count, row_count, column_count;
} Groups;

static void group(Groups *g, const Labelled *x, const Labelled *y, uint64_t kept) {
    uint64_t in_x = labels_of(x), in_y = labels_of(y);
    memset(g, 0, sizeof *g);
    for (uint32_t k = 0; k < x->count; k++) {
        uint8_t label = x->labels[k];
        if (!(in_y & bit(label)))
            g->rows[g->row_count++] = label;
        else if (kept & bit(label))
            g->batch[g->batch_count++] = label;
    }
    for (uint32_t k = 0; k < y->count; k++) { /* the inner ones as they lie in y: often no copy */
        uint8_t label = y->labels[k];
        if (!(in_x & bit(label)))
            g->columns[g->column_count++] = label;
        else if (!(kept & bit(label)))
            g->inner[g->inner_count++] = label;
    }
}

/* One side as [batch…, first, second], the groups merged into one axis each. */
static IrNode *as_matrices(Contraction *c, Labelled *x, const Groups *g, const uint8_t *first,
                           uint32_t first_count, const uint8_t *second, uint32_t second_count) {
    uint8_t order[IR_MAX_RANK];
    IrNode *dims[IR_MAX_RANK];
    uint32_t rank = g->batch_count;
    memcpy(order, g->batch, rank);
    memcpy(order + rank, first, first_count);
    memcpy(order + rank + first_count, second, second_count);
    permute_to(c, x, order);
    for (uint32_t k = 0; k < rank; k++)
        dims[k] = c->extents[g->batch[k]];
    dims[rank] = product_of(c, first, first_count);
    dims[rank + 1] = product_of(c, second, second_count);
    if (first_count == 1 && second_count == 1)
        return x->node;
    return ir_reshape(&c->e->b, x->node, dims, rank + 2);
}

static void append(Labelled *out, const uint8_t *labels, uint32_t count) {
    memcpy(out->labels + out->count, labels, count);
    out->count += count;
}

/* x and y as one operand with the labels that are in `kept`; false after an error. */
static bool meet(Contraction *c, Labelled *x, Labelled *y, uint64_t kept, Labelled *out) {
    IrBuilder *b = &c->e->b;
    Groups g;
    sum_others(c, x, kept | labels_of(y));
    sum_others(c, y, kept | labels_of(x));
    group(&g, x, y, kept);
    *out = (Labelled){0};
    if (g.batch_count + g.row_count + g.column_count + 2 > IR_MAX_RANK ||
        g.batch_count + g.inner_count + g.row_count + g.column_count > IR_MAX_RANK) {
        elab_fail(c->e, DIAG_E0203, c->span, "a tensor inside of `%s` has more than %d axes", c->name,
                  IR_MAX_RANK);
        return false;
    }
    append(out, g.batch, g.batch_count);
    append(out, g.rows, g.row_count);
    append(out, g.columns, g.column_count);
    if (!g.inner_count || (!g.row_count && !g.column_count)) {
        append(out, g.inner, g.inner_count);
        IrNode *left = spread(c, x, out), *right = spread(c, y, out);
        out->node = ir_binary(b, OP_mul, left, right);
        sum_others(c, out, kept);
        return true;
    }
    IrNode *left = as_matrices(c, x, &g, g.rows, g.row_count, g.inner, g.inner_count);
    IrNode *right = as_matrices(c, y, &g, g.inner, g.inner_count, g.columns, g.column_count);
    out->node = ir_matmul(b, left, right);
    if (g.row_count != 1 || g.column_count != 1) {
        IrNode *dims[IR_MAX_RANK];
        for (uint32_t k = 0; k < out->count; k++)
            dims[k] = c->extents[out->labels[k]];
        out->node = ir_reshape(b, out->node, dims, out->count);
    }
    return true;
}

/* ---- the order ---------------------------------------------------------------------------------------- */

static double size_of(const Contraction *c, uint64_t labels) {
    double size = 1;
    for (uint32_t label = 0; label < LABEL_COUNT; label++) {
        int64_t extent = SIZE_GUESS;
        if (!(labels & bit(label)))
            continue;
        ir_known_i64(c->extents[label], &extent);
        size *= (double)(extent > 0 ? extent : 1);
    }
    return size;
}

/* Labels that the operands outside of `set` or the result want. */
static uint64_t wanted_outside(const Contraction *c, uint64_t set) {
    uint64_t labels = c->output;
    for (uint32_t i = 0; i < c->count; i++)
        if (!(set & bit(i)))
            labels |= labels_of(&c->items[i]);
    return labels;
}

typedef struct Subset {
    double cost;
    uint64_t labels; /* of its product */
    uint32_t left;   /* the subset that is computed first; 0: a single operand */
} Subset;

/* The cheapest tree over every subset of the operands, smaller subsets first. */
static Subset *cheapest_trees(Contraction *c) {
    uint32_t all = 1u << c->count;
    Subset *table = ARENA_ARRAY(c->e->arena, Subset, all);
    for (uint32_t set = 1; set < all; set++) {
        uint64_t inside = 0;
        for (uint32_t i = 0; i < c->count; i++)
            inside |= set & 1u << i ? labels_of(&c->items[i]) : 0;
        table[set] = (Subset){.cost = -1, .labels = inside & wanted_outside(c, set)};
        if (!(set & (set - 1)))
            table[set].cost = 0;
        for (uint32_t left = (set - 1) & set; left; left = (left - 1) & set) {
            uint32_t right = set ^ left;
            if (left < right)
                break; /* the other half of the pairs is the same */
            double cost =
                table[left].cost + table[right].cost + size_of(c, table[left].labels | table[right].labels);
            if (table[set].cost < 0 || cost < table[set].cost) {
                table[set].cost = cost;
                table[set].left = left;
            }
        }
    }
    return table;
}

static bool compute_tree(Contraction *c, const Subset *table, uint32_t set, Labelled *out) {
    Labelled left, right;
    if (!table[set].left) {
        *out = c->items[__builtin_ctz(set)];
        return true;
    }
    /* the operand that comes first stands left */
    uint32_t a = table[set].left, b = set ^ a;
    bool swapped = __builtin_ctz(a) > __builtin_ctz(b);
    return compute_tree(c, table, swapped ? b : a, &left) &&
           compute_tree(c, table, swapped ? a : b, &right) &&
           meet(c, &left, &right, wanted_outside(c, set), out);
}

/* Many operands: always the pair that is cheapest now. */
static bool meet_greedily(Contraction *c, Labelled *out) {
    while (c->count > 1) {
        uint32_t first = 0, second = 1;
        double least = -1;
        for (uint32_t i = 0; i < c->count; i++)
            for (uint32_t k = i + 1; k < c->count; k++) {
                double cost = size_of(c, labels_of(&c->items[i]) | labels_of(&c->items[k]));
                if (least < 0 || cost < least) {
                    least = cost;
                    first = i;
                    second = k;
                }
            }
        Labelled met;
        if (!meet(c, &c->items[first], &c->items[second], wanted_outside(c, bit(first) | bit(second)), &met))
            return false;
        c->items[first] = met;
        c->items[second] = c->items[--c->count];
    }
    *out = c->items[0];
    return true;
}

/* Makes every label one extent: equal sizes, or 1, which repeats. */
static bool align_labels(Contraction *c) {
    Elaborator *e = c->e;
    int64_t one;
    for (uint32_t i = 0; i < c->count; i++)
        for (uint32_t k = 0; k < c->items[i].count; k++) {
            uint32_t label = c->items[i].labels[k];
            IrNode **extent = &c->extents[label], *own = c->items[i].node->types[0].dims[k];
            if (*extent && ir_const_value_i64(own, &one) && one == 1)
                continue;
            if (!*extent || (ir_const_value_i64(*extent, &one) && one == 1)) {
                *extent = own;
                continue;
            }
            IrNode *same = elab_same_extent(e, *extent, own, "sizes of one index of `%s` differ", c->name);
            if (!same) {
                const char *text = label < 26 ? arena_format(e->arena, "index `%c`", 'a' + (int)label)
                                   : label < LETTERS
                                       ? arena_format(e->arena, "index `%c`", 'A' + (int)label - 26)
                                       : "index under `...`";
                elab_fail(e, DIAG_E0203, c->span, "the sizes of the %s of `%s` differ: %s and %s",
                          c->name[0] == 'e' ? text : "summed axes", c->name, elab_extent_text(e, *extent),
                          elab_extent_text(e, own));
                return false;
            }
            *extent = same;
        }
    for (uint32_t i = 0; i < c->count; i++) {
        IrNode *dims[IR_MAX_RANK];
        for (uint32_t k = 0; k < c->items[i].count; k++)
            dims[k] = c->extents[c->items[i].labels[k]];
        c->items[i].node = elab_with_dims(e, c->items[i].node, dims, c->items[i].count);
    }
    return true;
}

static Value contract(Contraction *c) {
    Labelled out;
    elab_at(c->e, c->span);
    if (!align_labels(c))
        return elab_poison();
    for (uint32_t i = 0; i < c->count; i++) {
        take_diagonals(c, &c->items[i]);
        sum_others(c, &c->items[i], wanted_outside(c, bit(i)));
    }
    bool ok = c->count <= SEARCH_MAX ? compute_tree(c, cheapest_trees(c), (1u << c->count) - 1, &out)
                                     : meet_greedily(c, &out);
    if (!ok)
        return elab_poison();
    sum_others(c, &out, c->output);
    permute_to(c, &out, c->output_labels);
    return value_tensor(out.node);
}

/* The operands as nodes of one dtype. */
static bool take_operands(Contraction *c, Value *values, uint32_t count) {
    Dtype dtype = elab_common_dtype(values, count);
    if (dtype == DTYPE_bool)
        return elab_fail(c->e, DIAG_E0202, c->span, "`%s` is not defined for bool", c->name), false;
    c->count = count;
    for (uint32_t i = 0; i < count; i++)
        c->items[i].node = elab_cast(c->e, values[i].node, dtype);
    return true;
}

/* ---- einsum("ij,jk->ik", a, b) ------------------------------------------------------------------------ */

static int letter(char byte) {
    return byte >= 'a' && byte <= 'z' ? byte - 'a' : byte >= 'A' && byte <= 'Z' ? byte - 'A' + 26 : -1;
}

typedef struct Subscripts { /* one operand of the text */
    uint8_t before[IR_MAX_RANK], after[IR_MAX_RANK];
    uint32_t before_count, after_count;
    bool has_ellipsis;
} Subscripts;

/* Reads labels up to `,`, `->` or the end; false after reporting. */
static bool read_subscripts(Contraction *c, const char **at, const char *end, Subscripts *out) {
    *out = (Subscripts){0};
    for (; *at < end && **at != ',' && **at != '-'; ++*at) {
        int label = letter(**at);
        if (**at == ' ')
            continue;
        if (end - *at >= 3 && !memcmp(*at, "...", 3) && !out->has_ellipsis) {
            out->has_ellipsis = true;
            *at += 2;
            continue;
        }
        if (label < 0) {
            elab_fail(c->e, DIAG_E0204, c->span,
                      "`einsum` does not know `%c` in its text: indices are letters", **at);
            return false;
        }
        uint32_t *count = out->has_ellipsis ? &out->after_count : &out->before_count;
        if (*count == IR_MAX_RANK) {
            elab_fail(c->e, DIAG_E0203, c->span, "a tensor has at most %d axes", IR_MAX_RANK);
            return false;
        }
        (out->has_ellipsis ? out->after : out->before)[(*count)++] = (uint8_t)label;
    }
    return true;
}

/* The labels of an operand of this rank; the axes under `...` count from the right. */
static bool place_labels(Contraction *c, const Subscripts *s, uint32_t rank, uint32_t *count, uint8_t *labels,
                         uint32_t number) {
    uint32_t named = s->before_count + s->after_count;
    if (s->has_ellipsis ? named > rank : named != rank) {
        elab_fail(c->e, DIAG_E0203, c->span, "`einsum` names %u axes of operand %u, which has %u", named,
                  number + 1, rank);
        return false;
    }
    uint32_t hidden = rank - named;
    if (hidden > LABEL_COUNT - LETTERS) {
        elab_fail(c->e, DIAG_E0203, c->span, "`...` stands for more than %d axes", LABEL_COUNT - LETTERS);
        return false;
    }
    memcpy(labels, s->before, s->before_count);
    for (uint32_t k = 0; k < hidden; k++)
        labels[s->before_count + k] = (uint8_t)(LETTERS + hidden - 1 - k);
    memcpy(labels + s->before_count + hidden, s->after, s->after_count);
    *count = rank;
    return true;
}

/* Without `->`: the axes under `...`, then the labels that occur once, by letter (capitals first). */
static void implied_output(Contraction *c) {
    uint32_t uses[LABEL_COUNT] = {0};
    for (uint32_t i = 0; i < c->count; i++)
        for (uint32_t k = 0; k < c->items[i].count; k++)
            uses[c->items[i].labels[k]]++;
    for (uint32_t label = LABEL_COUNT; label-- > LETTERS;)
        if (uses[label] && c->output_count < IR_MAX_RANK)
            c->output_labels[c->output_count++] = (uint8_t)label;
    for (uint32_t i = 0; i < LETTERS; i++) {
        uint32_t label = i < 26 ? i + 26 : i - 26;
        if (uses[label] == 1 && c->output_count < IR_MAX_RANK)
            c->output_labels[c->output_count++] = (uint8_t)label;
    }
}

static bool written_output(Contraction *c, const char *at, const char *end) {
    Subscripts s;
    uint64_t known = 0;
    uint32_t hidden = 0;
    if (!read_subscripts(c, &at, end, &s))
        return false;
    if (at < end)
        return elab_fail(c->e, DIAG_E0204, c->span,
                         "`einsum` has one result: its text ends after `->` labels"),
               false;
    for (uint32_t i = 0; i < c->count; i++)
        known |= labels_of(&c->items[i]);
    while (hidden < LABEL_COUNT - LETTERS && known & bit(LETTERS + hidden))
        hidden++;
    if (hidden && !s.has_ellipsis)
        return elab_fail(c->e, DIAG_E0204, c->span, "the result of `einsum` must have the axes under `...`"),
               false;
    uint32_t rank = s.before_count + s.after_count + hidden;
    if (rank > IR_MAX_RANK)
        return elab_fail(c->e, DIAG_E0203, c->span, "a tensor has at most %d axes", IR_MAX_RANK), false;
    if (!place_labels(c, &s, rank, &c->output_count, c->output_labels, c->count))
        return false;
    uint64_t seen = 0;
    for (uint32_t k = 0; k < c->output_count; k++) {
        uint32_t label = c->output_labels[k];
        char text = (char)(label < 26 ? 'a' + label : 'A' + label - 26);
        if (!(known & bit(label)))
            return elab_fail(c->e, DIAG_E0204, c->span, "the result of `einsum` has `%c`, no operand has",
                             text),
                   false;
        if (seen & bit(label))
            return elab_fail(c->e, DIAG_E0204, c->span, "the result of `einsum` has `%c` twice", text), false;
        seen |= bit(label);
    }
    return true;
}

static bool read_text(Contraction *c, Value text) {
    const char *at = text.text, *end = text.text + text.length;
    for (uint32_t i = 0; i < c->count; i++) {
        Subscripts s;
        if (!read_subscripts(c, &at, end, &s) ||
            !place_labels(c, &s, ir_rank(c->items[i].node), &c->items[i].count, c->items[i].labels, i))
            return false;
        bool more = at < end && *at == ',';
        if (more != (i + 1 < c->count))
            return elab_fail(c->e, DIAG_E0204, c->span, "`einsum` has %u operand%s, its text describes %s",
                             c->count, c->count == 1 ? "" : "s", more ? "more" : "fewer"),
                   false;
        at += more;
    }
    if (at == end) {
        implied_output(c);
    } else if (end - at < 2 || memcmp(at, "->", 2) || !written_output(c, at + 2, end)) {
        if (end - at < 2 || memcmp(at, "->", 2))
            elab_fail(c->e, DIAG_E0204, c->span, "the text of `einsum` has a lone `-`");
        return false;
    }
    for (uint32_t k = 0; k < c->output_count; k++)
        c->output |= bit(c->output_labels[k]);
    return true;
}

Value builtin_einsum(Elaborator *e, BuiltinCall *call) {
    Contraction *c = ARENA_NEW(e->arena, Contraction);
    Value text = call->values[0], operands[OPERAND_MAX];
    uint32_t count = call->values[1].tuple->count;
    *c = (Contraction){.e = e, .name = "einsum", .span = call->span};
    if (text.kind != VALUE_STRING)
        return elab_fail(e, DIAG_E0201, call->spans[0],
                         "the first argument of `einsum` is its text, such as \"ij,jk->ik\"");
    if (count == 0 || count > OPERAND_MAX)
        return elab_fail(e, DIAG_E0204, call->span, "`einsum` takes 1 to %d tensors", OPERAND_MAX);
    for (uint32_t i = 0; i < count; i++) {
        operands[i] =
            elab_tensor(e, call->values[1].tuple->items[i], call->spans[1], "an operand of `einsum`");
        if (value_is(operands[i], VALUE_POISON))
            return operands[i];
    }
    return take_operands(c, operands, count) && read_text(c, text) ? contract(c) : elab_poison();
}

/* ---- sums over given axes ------------------------------------------------------------------------------ */

/* a and b summed over `count` pairs of axes: the other axes of a, then those of b. */
static Value sum_over(Elaborator *e, BuiltinCall *call, const uint32_t *a_axes, const uint32_t *b_axes,
                      uint32_t count) {
    Contraction *c = ARENA_NEW(e->arena, Contraction);
    *c = (Contraction){.e = e, .name = call->builtin->name, .span = call->span};
    if (!take_operands(c, call->values, 2))
        return elab_poison();
    uint32_t ranks[2] = {ir_rank(c->items[0].node), ir_rank(c->items[1].node)};
    if (ranks[0] + ranks[1] - 2 * count > IR_MAX_RANK)
        return elab_fail(e, DIAG_E0203, call->span, "a tensor has at most %d axes", IR_MAX_RANK);
    for (uint32_t i = 0; i < 2; i++) {
        c->items[i].count = ranks[i];
        for (uint32_t k = 0; k < ranks[i]; k++)
            c->items[i].labels[k] = (uint8_t)(i * IR_MAX_RANK + k);
    }
    for (uint32_t k = 0; k < count; k++)
        c->items[1].labels[b_axes[k]] = (uint8_t)a_axes[k];
    uint64_t shared = labels_of(&c->items[0]) & labels_of(&c->items[1]);
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t k = 0; k < ranks[i]; k++)
            if (!(shared & bit(c->items[i].labels[k])))
                c->output_labels[c->output_count++] = c->items[i].labels[k];
    for (uint32_t k = 0; k < c->output_count; k++)
        c->output |= bit(c->output_labels[k]);
    return contract(c);
}

static bool two_tensors(Elaborator *e, BuiltinCall *call) {
    const char *what = arena_format(e->arena, "an argument of `%s`", call->builtin->name);
    for (uint32_t i = 0; i < 2; i++)
        if (value_is(call->values[i] = builtin_tensor(e, call, i, what), VALUE_POISON))
            return false;
    return true;
}

/* NumPy's: the last axis of a with the last but one of b (or its only one). */
Value builtin_dot(Elaborator *e, BuiltinCall *call) {
    OperandInfo infos[2] = {{call->spans[0], call->nodes[0]}, {call->spans[1], call->nodes[1]}};
    if (!two_tensors(e, call))
        return elab_poison();
    uint32_t ranks[2] = {ir_rank(call->values[0].node), ir_rank(call->values[1].node)};
    if (!ranks[0] || !ranks[1])
        return elab_elementwise(e, OP_mul, call->values, infos, call->span);
    if (ranks[1] <= 2)
        return elab_matmul(e, call->values[0], call->values[1], infos, call->span);
    return sum_over(e, call, (uint32_t[]){ranks[0] - 1}, (uint32_t[]){ranks[1] - 2}, 1);
}

static bool axes_in_order(Elaborator *e, Value list, uint32_t rank, Span span, uint32_t *axes,
                          uint32_t *count) {
    Value *items = &list;
    *count = 1;
    if (!elab_is_scalar(list) && !elab_elements(e, list, span, "`axes`", &items, count))
        return false;
    if (*count > rank)
        return elab_fail(e, DIAG_E0206, span, "%u axes are given for a tensor of rank %u", *count, rank),
               false;
    for (uint32_t k = 0; k < *count; k++) {
        if (!elab_axis(e, items[k], rank, span, &axes[k]))
            return false;
        for (uint32_t i = 0; i < k; i++)
            if (axes[i] == axes[k])
                return elab_fail(e, DIAG_E0206, span, "axis %u is given twice", axes[k]), false;
    }
    return true;
}

Value builtin_tensordot(Elaborator *e, BuiltinCall *call) {
    uint32_t axes[2][IR_MAX_RANK], count[2];
    Value *pair, list = call->values[2];
    int64_t shared;
    if (!two_tensors(e, call))
        return elab_poison();
    uint32_t ranks[2] = {ir_rank(call->values[0].node), ir_rank(call->values[1].node)};
    if (elab_constant_int(list, &shared)) {
        if (shared < 0 || shared > ranks[0] || shared > ranks[1])
            return elab_fail(e, DIAG_E0206, call->spans[2], "`axes` is %lld for tensors of rank %u and %u",
                             (long long)shared, ranks[0], ranks[1]);
        count[0] = (uint32_t)shared;
        for (uint32_t k = 0; k < count[0]; k++) {
            axes[0][k] = ranks[0] - count[0] + k;
            axes[1][k] = k;
        }
        return sum_over(e, call, axes[0], axes[1], count[0]);
    }
    if (!elab_elements(e, list, call->spans[2], "`axes`", &pair, &count[0]))
        return elab_poison();
    if (count[0] != 2)
        return elab_fail(e, DIAG_E0206, call->spans[2],
                         "`axes` is a number, or the axes of a and those of b");
    for (uint32_t i = 0; i < 2; i++)
        if (!axes_in_order(e, pair[i], ranks[i], call->spans[2], axes[i], &count[i]))
            return elab_poison();
    if (count[0] != count[1])
        return elab_fail(e, DIAG_E0206, call->spans[2], "`axes` has %u axes of a and %u of b", count[0],
                         count[1]);
    return sum_over(e, call, axes[0], axes[1], count[0]);
}

/* Every block of the result is b times one element of a. */
Value builtin_kron(Elaborator *e, BuiltinCall *call) {
    if (!two_tensors(e, call))
        return elab_poison();
    OperandInfo infos[2] = {{call->spans[0], call->nodes[0]}, {call->spans[1], call->nodes[1]}};
    Value sides[2];
    uint32_t ranks[2] = {ir_rank(call->values[0].node), ir_rank(call->values[1].node)};
    uint32_t rank = ranks[0] > ranks[1] ? ranks[0] : ranks[1], map[IR_MAX_RANK];
    IrNode *dims[2][2 * IR_MAX_RANK], *merged[IR_MAX_RANK];
    if (2 * rank > IR_MAX_RANK)
        return elab_fail(e, DIAG_E0203, call->span, "`kron` takes tensors of at most %d axes",
                         IR_MAX_RANK / 2);
    for (uint32_t i = 0; i < 2; i++) {
        IrNode *x = call->values[i].node;
        for (uint32_t k = 0; k < 2 * rank; k++)
            dims[i][k] = ir_const_i64(&e->b, 1);
        for (uint32_t k = 0; k < ranks[i]; k++) {
            map[k] = 2 * (rank - ranks[i] + k) + i;
            dims[i][map[k]] = x->types[0].dims[k];
        }
        sides[i] = call->values[i];
        sides[i].node = ir_broadcast(&e->b, x, map, dims[i], 2 * rank);
    }
    for (uint32_t k = 0; k < rank; k++)
        merged[k] = ir_binary(&e->b, OP_mul, dims[0][2 * k], dims[1][2 * k + 1]);
    Value out = elab_elementwise(e, OP_mul, sides, infos, call->span);
    return value_is(out, VALUE_POISON) ? out : value_tensor(ir_reshape(&e->b, out.node, merged, rank));
}
