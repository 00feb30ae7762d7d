/* `gmx explain`: what passes/explain.h gathered, as text.
 *
 * Three tables of facts, one for a step (a kernel, a library call, a loop), one for a statement and one for
 * the whole program.  A fact is a label and a function that writes its value; a new one is a row. */
#include "passes/explain.h"
#include "ir/remark.h"
#include "ir/text.h"
#include "runtime/api/internal.h"
#include "runtime/rt/blas.h"
#include "runtime/rt/matmul.h"

#include <math.h>
#include <stdlib.h>

typedef struct Explainer {
    gmx_session *session;
    Arena *arena;
    const IrFunction *function;
    const ExportFunction *exported; /* names of extents; NULL: a script */
    const Explain *explain;
} Explainer;

enum { LABEL_COLUMNS = 16, STATEMENT_COLUMNS = 80 };

/* ---- extents and sums ---------------------------------------------------------------------------------- */

static const char *extent_text(const Explainer *x, const IrNode *node);

/* The extent of a parameter: the name that its type gives it, else param.shape[axis]. */
static const char *parameter_extent(const Explainer *x, const IrNode *dim) {
    const IrNode *parameter = dim->operands[0];
    uint32_t index = (uint32_t)parameter->attributes[0], axis = (uint32_t)dim->attributes[0];
    if (x->exported && index < x->exported->parameters.count) {
        const ExportDim *given = &x->exported->parameters.items[index].dims[axis];
        if (given->is_fixed)
            return arena_format(x->arena, "%lld", (long long)given->value);
        if (given->dim >= 0)
            return x->exported->dims.items[given->dim];
        if (given->formula)
            return arena_format(x->arena, "(%s)", given->formula);
    }
    return arena_format(x->arena, "%s.shape[%u]", parameter->text ? parameter->text->text : "argument", axis);
}

static const char *arithmetic_text(const Explainer *x, const IrNode *node, const char *sign) {
    return arena_format(x->arena, "(%s %s %s)", extent_text(x, node->operands[0]), sign,
                        extent_text(x, node->operands[1]));
}

static const char *extent_text(const Explainer *x, const IrNode *node) {
    int64_t value;
    if (ir_known_i64(node, &value))
        return arena_format(x->arena, "%lld", (long long)value);
    switch (node->op) {
    case OP_dim:
        return parameter_extent(x, node);
    case OP_param:
        return node->text ? node->text->text : arena_format(x->arena, "value%u", node->id);
    case OP_check_equal:
    case OP_check_index:
    case OP_cast:
        return extent_text(x, node->operands[0]);
    case OP_check_true:
        return extent_text(x, node->operands[1]);
    case OP_add:
        return arithmetic_text(x, node, "+");
    case OP_sub:
        return arithmetic_text(x, node, "-");
    case OP_mul:
        return arithmetic_text(x, node, "*");
    case OP_floordiv:
        return arithmetic_text(x, node, "//");
    default:
        return arena_format(x->arena, "size%u", node->id); /* known when it runs */
    }
}

static const char *type_text(const Explainer *x, const IrType *type) {
    if (type->kind != IR_TENSOR)
        return NULL;
    const char *text = dtype_info[type->dtype].name;
    for (uint32_t k = 0; k < type->rank; k++)
        text = arena_format(x->arena, "%s%s%s%s", text, k ? ", " : "[", extent_text(x, type->dims[k]),
                            k + 1 == type->rank ? "]" : "");
    return text;
}

/* 2000000 (2.0 M) */
static const char *number_text(const Explainer *x, double value) {
    static const char *const units[] = {"", "k", "M", "G", "T", "P", "E"};
    uint32_t unit = 0;
    double scaled = fabs(value);
    while (scaled >= 999.5 && unit + 1 < sizeof units / sizeof *units) {
        scaled /= 1000;
        unit++;
    }
    if (unit < 2)
        return arena_format(x->arena, "%.0f", value);
    return arena_format(x->arena, "%.0f (%.3g %s)", value, scaled, units[unit]);
}

/* "*r*c": the factors that are not known; the others go into the coefficient. */
static const char *factors_text(const Explainer *x, const CostTerm *term, double *coefficient) {
    const char *text = "";
    for (uint32_t k = 0; k < term->count; k++) {
        const char *factor = extent_text(x, term->factors[k]);
        char *end;
        long long value = strtoll(factor, &end, 10);
        if (!*end)
            *coefficient *= (double)value;
        else
            text = arena_format(x->arena, "%s*%s", text, factor);
    }
    return text;
}

/* A number where every extent is known, else the terms; "at least" where a part is not known. */
static const char *sum_text(const Explainer *x, const CostSum *sum, double scale) {
    uint32_t count = 0;
    double *coefficients = ARENA_ARRAY(x->arena, double, sum->terms.count + 1);
    const char **factors = ARENA_ARRAY(x->arena, const char *, sum->terms.count + 1);
    for (uint32_t i = 0; i < sum->terms.count; i++) {
        double coefficient = sum->terms.items[i].coefficient * scale;
        const char *text = factors_text(x, &sum->terms.items[i], &coefficient);
        uint32_t at = 0;
        while (at < count && strcmp(factors[at], text))
            at++;
        factors[at] = text;
        coefficients[at] += coefficient;
        count += at == count;
    }
    const char *text = NULL;
    if (count == 1 && !*factors[0])
        text = number_text(x, coefficients[0]);
    for (uint32_t i = 0; i < count && (count > 1 || *factors[0]); i++) {
        const char *sign = text ? " + " : "", *all = *factors[i] ? factors[i] + 1 : "1";
        text = coefficients[i] == 1 ? arena_format(x->arena, "%s%s%s", text ? text : "", sign, all)
                                    : arena_format(x->arena, "%s%s%.15g%s", text ? text : "", sign,
                                                   coefficients[i], factors[i]);
    }
    return arena_format(x->arena, "%s%s", sum->is_least ? "at least " : "", text ? text : "0");
}

static const char *peak_text(const Explainer *x, const ExplainPeak *peak) {
    const char *text = NULL;
    for (uint32_t i = 0; i < peak->candidates.count; i++) {
        const char *one = sum_text(x, &peak->candidates.items[i], 1);
        text = text ? arena_format(x->arena, "%s, or %s", text, one) : one;
    }
    return text ? text : "0";
}

static const char *place_text(const Explainer *x, Span span) {
    SourcePlace place = source_place(&x->session->sources, span.begin);
    return place.file ? arena_format(x->arena, "%s:%u", place.file->name, place.line) : NULL;
}

/* ---- facts about a step -------------------------------------------------------------------------------- */

/* The value of a fact, NULL when there is none.  Facts of several values are asked with rising `index` until
 * they say NULL. */
typedef struct StepFact {
    const char *label;
    const char *(*value)(const Explainer *x, const ExplainStep *step, uint32_t index);
} StepFact;

static bool computes(const ExplainStep *step) {
    return step->kind == EXPLAIN_KERNEL || step->kind == EXPLAIN_CALL;
}

static const Kernel *kernel_of(const Explainer *x, const ExplainStep *step) {
    return x->function->module->kernels.items[step->node->attributes[0]];
}

static const char *fact_place(const Explainer *x, const ExplainStep *step, uint32_t index) {
    return index || !computes(step) ? NULL : place_text(x, step->node->span);
}

/* "fuses sub, exp x2": what one kernel computes. */
static const char *fact_fused(const Explainer *x, const ExplainStep *step, uint32_t index) {
    const LaunchCost *cost = step->node->cost;
    if (index || !cost)
        return NULL;
    uint32_t counts[OP_COUNT] = {0};
    const char *text = NULL;
    for (uint32_t i = 0; i < cost->ops.count; i++)
        counts[cost->ops.items[i]]++;
    for (uint32_t i = 0; i < cost->ops.count; i++) {
        Op op = cost->ops.items[i];
        if (!counts[op])
            continue;
        const char *times = counts[op] > 1 ? arena_format(x->arena, " x%u", counts[op]) : "";
        text = arena_format(x->arena, "%s%s%s%s", text ? text : "", text ? ", " : "", op_name(op), times);
        counts[op] = 0;
    }
    return text ? text : "copies its input";
}

/* The extents and strides of a contiguous tensor, expanded to the rank of `out`; false when one is not known.
 * A tensor whose last axes were swapped is not copied, so its columns lie in one piece. */
static bool describe(const IrNode *tensor, uint32_t rank, gmxrt_view *view) {
    const IrNode *stored = tensor->op == OP_permute ? tensor->operands[0] : tensor;
    uint32_t own = ir_rank(tensor);
    bool is_turned = stored != tensor && own > 1 && tensor->attributes[own - 1] == own - 2;
    int64_t stride = 1;
    *view = (gmxrt_view){.dtype = (int32_t)dtype_info[ir_dtype(tensor)].compute, .rank = (int32_t)rank};
    for (uint32_t k = rank; k-- > 0;) {
        uint32_t axis = k - (rank - own);
        view->shape[k] = 1;
        if (k >= rank - own && !ir_known_i64(ir_type(tensor)->dims[axis], &view->shape[k]))
            return false;
        view->strides[k] = k >= rank - own ? stride : 0;
        stride *= view->shape[k] > 0 ? view->shape[k] : 1;
    }
    if (is_turned) {
        view->strides[rank - 1] = view->shape[rank - 2];
        view->strides[rank - 2] = 1;
    }
    return true;
}

/* What the runtime will choose for operands that lie as they were made. */
static const char *product_text(const Explainer *x, const IrNode *node) {
    gmxrt_lazy_kernel own = {0};
    ProductCode code = {.own = &own};
    Product product = {.code = &code, .choice = x->session->ctx->product_choice};
    uint32_t rank = ir_rank(node);
    if (!blas_get())
        return "cpu, compiled kernel (there is no OpenBLAS)";
    if (!describe(node->operands[0], rank, &product.a) || !describe(node->operands[1], rank, &product.b) ||
        !describe(node, rank, &product.out))
        return "cpu, compiled kernel or OpenBLAS, as the shapes will be";
    product.m = product.out.shape[rank - 2];
    product.n = product.out.shape[rank - 1];
    product.k = product.a.shape[rank - 1];
    return arena_format(x->arena, "cpu, %s (%s)", product_way(&product), product_reason(&product));
}

static const char *fact_back_end(const Explainer *x, const ExplainStep *step, uint32_t index) {
    if (index || !computes(step))
        return NULL;
    if (step->kind == EXPLAIN_KERNEL)
        return "cpu, compiled kernel";
    if (step->node->op == OP_update)
        return "cpu, one store of the host program";
    if (step->node->op == OP_product)
        return product_text(x, step->node);
    bool linear = step->node->op == OP_matmul || step->node->op == OP_solve || step->node->op == OP_cholesky;
    Dtype dtype = ir_dtype(step->node);
    bool blas = linear && (dtype == DTYPE_f32 || dtype == DTYPE_f64) && blas_get();
    return arena_format(x->arena, "cpu, library call (%s)", blas ? "OpenBLAS" : "GMX");
}

static const char *fact_flops(const Explainer *x, const ExplainStep *step, uint32_t index) {
    return index || !computes(step) ? NULL : sum_text(x, &step->cost.parts[COST_FLOPS], 1);
}

static const char *fact_read(const Explainer *x, const ExplainStep *step, uint32_t index) {
    return index || !computes(step) ? NULL : sum_text(x, &step->cost.parts[COST_READ], 1);
}

static const char *fact_written(const Explainer *x, const ExplainStep *step, uint32_t index) {
    return index || !computes(step) ? NULL : sum_text(x, &step->cost.parts[COST_WRITTEN], 1);
}

static const char *fact_in_place(const Explainer *x, const ExplainStep *step, uint32_t index) {
    const IrNode *node = step->node;
    if (index || step->kind != EXPLAIN_KERNEL || node->attribute_count < 2 || node->attributes[1] < 0)
        return NULL;
    const IrNode *operand = node->operands[node->attributes[1]];
    if (operand->op == OP_param)
        return "writes over what the loop carries";
    return arena_format(x->arena, "writes over the result of %s",
                        operand->op == OP_launch
                            ? x->function->module->kernels.items[operand->attributes[0]]->name->text
                            : op_user_name(operand->op));
}

static const char *fact_separate(const Explainer *x, const ExplainStep *step, uint32_t index) {
    if (step->kind == EXPLAIN_CALL)
        return index || step->node->op == OP_update ? NULL : "a library call is never part of a kernel";
    const IrRemark *remark = step->node->remarks;
    for (; remark && index; index--)
        remark = remark->next;
    if (!remark || step->kind == EXPLAIN_LOOP)
        return NULL;
    const char *place = remark->other ? place_text(x, remark->span) : NULL;
    if (!remark->other)
        return ir_remark_text(remark->kind);
    return arena_format(x->arena, "from %s%s%s%s: %s", op_name(remark->other), place ? " (" : "",
                        place ? place : "", place ? ")" : "", ir_remark_text(remark->kind));
}

/* What a loop keeps for its derivative, or that it is one. */
static const char *fact_derivative(const Explainer *x, const ExplainStep *step, uint32_t index) {
    const IrRemark *remark = step->node->remarks;
    if (step->kind != EXPLAIN_LOOP)
        return NULL;
    for (; remark && index; index--)
        remark = remark->next;
    if (!remark)
        return NULL;
    const char *text = ir_remark_text(remark->kind);
    const char *place = remark->other ? place_text(x, remark->span) : NULL;
    return remark->other ? arena_format(x->arena, text, place ? place : "another place") : text;
}

static const StepFact step_facts[] = {{"at", fact_place},
                                      {"fuses", fact_fused},
                                      {"back end", fact_back_end},
                                      {"flops", fact_flops},
                                      {"bytes read", fact_read},
                                      {"bytes written", fact_written},
                                      {"in place", fact_in_place},
                                      {"not fused more", fact_separate},
                                      {"derivative", fact_derivative}};

/* ---- facts about a statement --------------------------------------------------------------------------- */

typedef struct StatementFact {
    const char *label;
    const char *(*value)(const Explainer *x, const ExplainStatement *statement);
} StatementFact;

static const char *count_and_bytes(const Explainer *x, uint32_t count, const CostSum *bytes) {
    return count ? arena_format(x->arena, "%u of %s bytes", count, sum_text(x, bytes, 1)) : "none";
}

static const char *statement_temporaries(const Explainer *x, const ExplainStatement *statement) {
    return count_and_bytes(x, statement->temporaries, &statement->temporary_bytes);
}

static const char *statement_peak(const Explainer *x, const ExplainStatement *statement) {
    return peak_text(x, &statement->peak);
}

static const StatementFact statement_facts[] = {{"temporaries", statement_temporaries},
                                                {"peak bytes", statement_peak}};

/* ---- facts about the whole ----------------------------------------------------------------------------- */

typedef struct ProgramFact {
    const char *label;
    const char *(*value)(const Explainer *x);
} ProgramFact;

static const char *program_holds(const Explainer *x) {
    PassStructure counts = pass_structure(x->function);
    return arena_format(x->arena, "%u kernels, %u library calls, %u loops, %u checks, %u prints",
                        counts.kernels, counts.calls, counts.loops, counts.checks, counts.prints);
}

/* Every step as often as it runs; one whose trips are not known once. */
static const char *program_sum(const Explainer *x, CostPart part) {
    CostSum sum = {0};
    for (uint32_t i = 0; i < x->explain->statements.count; i++) {
        const ExplainStatement *statement = &x->explain->statements.items[i];
        for (uint32_t k = 0; k < statement->steps.count; k++) {
            const ExplainStep *step = &statement->steps.items[k];
            cost_add_sum(x->arena, &sum, step->trips < 0 ? 1 : step->trips, &step->cost.parts[part]);
            sum.is_least |= step->trips < 0;
        }
    }
    return sum_text(x, &sum, 1);
}

static const char *program_flops(const Explainer *x) {
    return program_sum(x, COST_FLOPS);
}

static const char *program_read(const Explainer *x) {
    return program_sum(x, COST_READ);
}

static const char *program_written(const Explainer *x) {
    return program_sum(x, COST_WRITTEN);
}

static const char *program_temporaries(const Explainer *x) {
    return count_and_bytes(x, x->explain->temporaries, &x->explain->temporary_bytes);
}

static const char *program_peak(const Explainer *x) {
    return peak_text(x, &x->explain->peak);
}

static const ProgramFact program_facts[] = {{"holds", program_holds},
                                            {"flops", program_flops},
                                            {"bytes read", program_read},
                                            {"bytes written", program_written},
                                            {"temporaries", program_temporaries},
                                            {"peak bytes", program_peak}};

/* ---- layout -------------------------------------------------------------------------------------------- */

static void write_row(const Explainer *x, IrText *text, uint32_t indent, const char *label,
                      const char *value) {
    if (value)
        ir_text_append(text,
                       arena_format(x->arena, "%*s%-*s%s\n", (int)indent, "", LABEL_COLUMNS, label, value));
}

static const char *step_title(const Explainer *x, const ExplainStep *step) {
    const char *type = type_text(x, &step->node->types[0]), *name = op_user_name(step->node->op);
    switch (step->kind) {
    case EXPLAIN_KERNEL:
        return arena_format(x->arena, "kernel %s -> %s", kernel_of(x, step)->name->text, type);
    case EXPLAIN_CALL:
        return arena_format(x->arena, "%s %s -> %s", step->node->op == OP_update ? "host" : "call", name,
                            type);
    case EXPLAIN_LOOP: {
        int64_t begin, end;
        const IrNode *node = step->node;
        if (node->op != OP_for || !ir_known_i64(node->operands[0], &begin) ||
            !ir_known_i64(node->operands[1], &end))
            return arena_format(x->arena, "%s, trips not known; in each", name);
        return arena_format(x->arena, "%s, %lld trips; in each", name,
                            (long long)(end > begin ? end - begin : 0));
    }
    default:
        return "if, one of two branches";
    }
}

static void write_step(const Explainer *x, IrText *text, const ExplainStep *step) {
    uint32_t indent = 2 + 2 * step->depth;
    ir_text_append(text, arena_format(x->arena, "%*s%s\n", (int)indent, "", step_title(x, step)));
    for (size_t i = 0; i < sizeof step_facts / sizeof *step_facts; i++) {
        const char *value;
        for (uint32_t k = 0; (value = step_facts[i].value(x, step, k)); k++)
            write_row(x, text, indent + 2, step_facts[i].label, value);
    }
}

/* "model.gmx:3  let h = tanh(x @ w)": the first line of the statement. */
static const char *statement_title(const Explainer *x, uint32_t statement) {
    SourcePlace place = source_place(&x->session->sources, statement);
    if (!statement || !place.file)
        return "made by the compiler";
    const char *line = place.file->text + place.line_begin;
    size_t length = strcspn(line, "\r\n"), skipped = strspn(line, " \t");
    length -= skipped < length ? skipped : length;
    bool is_cut = length > STATEMENT_COLUMNS;
    if (is_cut) /* not inside a code point */
        for (length = STATEMENT_COLUMNS; length && ((unsigned char)line[skipped + length] & 0xc0) == 0x80;)
            length--;
    return arena_format(x->arena, "%s:%u  %.*s%s", place.file->name, place.line, (int)length, line + skipped,
                        is_cut ? "..." : "");
}

static void write_statement(const Explainer *x, IrText *text, const ExplainStatement *statement) {
    ir_text_append(text, arena_format(x->arena, "%s\n", statement_title(x, statement->statement)));
    for (uint32_t i = 0; i < statement->steps.count; i++)
        write_step(x, text, &statement->steps.items[i]);
    for (size_t i = 0; i < sizeof statement_facts / sizeof *statement_facts; i++)
        write_row(x, text, 2, statement_facts[i].label, statement_facts[i].value(x, statement));
    ir_text_append(text, "\n");
}

void explain_function(gmx_session *s, const IrFunction *function, const ExportFunction *exported,
                      IrText *text) {
    Explainer x = {.session = s, .arena = text->arena, .function = function, .exported = exported};
    x.explain = pass_explain(function, text->arena);
    if (text->bytes.count)
        ir_text_append(text, "\n");
    for (uint32_t i = 0; i < x.explain->statements.count; i++)
        write_statement(&x, text, &x.explain->statements.items[i]);
    ir_text_append(text,
                   exported ? arena_format(x.arena, "all of %s\n", exported->name) : "all statements\n");
    for (size_t i = 0; i < sizeof program_facts / sizeof *program_facts; i++)
        write_row(&x, text, 2, program_facts[i].label, program_facts[i].value(&x));
}
