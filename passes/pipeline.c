/* The pass pipeline: the table in running order, the reasons for the order, and the only loop over passes. */
#include "passes/pipeline.h"
#include <stdio.h>
#include <time.h>

const PassInfo pass_table[] = {
    {"promote", pass_promote, true, "computes f16 and bf16 in f32, rounding each result", NULL},
    {"complex", pass_complex, true, "says complex arithmetic in real ops on parts", NULL},
    {"simplify", pass_simplify, false, "folds constants, removes dead and repeated work, hoists out of loops",
     NULL},
    {"fuse", pass_fuse, false, "gathers tensor computations into fused nodes, one kernel each",
     pass_fuse_apart},
    {"products", pass_products, false, "gives matrix products kernels, with the work on their results", NULL},
    {"schedule", pass_schedule, true, "turns fused nodes into launches of kernels", NULL},
    {"memory", pass_memory, true, "decides who owns which buffer: the host program", NULL},
};
const uint32_t pass_count = sizeof pass_table / sizeof *pass_table;

static const struct {
    const char *first, *then, *reason;
} pass_order[] = {
    {"promote", "complex", "a half becomes f32 before it becomes a part"},
    {"complex", "simplify", "the arithmetic on parts is simplified like any other"},
    {"complex", "fuse", "kernels have real arithmetic only"},
    {"promote", "simplify", "the casts that promote adds are simplified"},
    {"promote", "fuse", "a kernel's arithmetic is in its compute dtype"},
    {"simplify", "fuse", "work that is dead, constant or hoisted must not be inside a kernel"},
    {"fuse", "products", "what follows a product is one fused node"},
    {"products", "schedule", "the fused nodes that products take must not become launches"},
    {"fuse", "schedule", "kernels are made of fused nodes"},
    {"schedule", "memory", "buffers are known once launches and calls are"},
};

static const PassInfo *find_pass(const char *name) {
    for (uint32_t i = 0; i < pass_count; i++)
        if (!strcmp(pass_table[i].name, name))
            return &pass_table[i];
    return NULL;
}

/* The pairs above hold for the first occurrence of each name. */
static bool order_holds(PassContext *context) {
    for (size_t i = 0; i < sizeof pass_order / sizeof *pass_order; i++) {
        const PassInfo *first = find_pass(pass_order[i].first), *then = find_pass(pass_order[i].then);
        if (first && then && first < then)
            continue;
        diag_error(context->sink, DIAG_E0502, (Span){0}, "pass %s must run before %s: %s",
                   pass_order[i].first, pass_order[i].then, pass_order[i].reason);
        return false;
    }
    return true;
}

static bool name_is_known(PassContext *context, const char *name) {
    if (!name || find_pass(name))
        return true;
    diag_error(context->sink, DIAG_E0502, (Span){0}, "there is no pass `%s`", name);
    return false;
}

bool pass_options_hold(PassContext *context, const PassOptions *options) {
    const char *dump = options->dump_after;
    if ((dump && strcmp(dump, "all") && !name_is_known(context, dump)) ||
        !name_is_known(context, options->stop_after))
        return false;
    for (const char *const *name = options->disabled; name && *name; name++) {
        if (!name_is_known(context, *name))
            return false;
        if (find_pass(*name)->required) {
            diag_error(context->sink, DIAG_E0502, (Span){0}, "pass `%s` cannot be left out", *name);
            return false;
        }
    }
    return true;
}

static bool is_disabled(const PassOptions *options, const PassInfo *pass) {
    for (const char *const *name = options->disabled; name && *name; name++)
        if (!strcmp(*name, pass->name))
            return true;
    return false;
}

static void write_text(const IrWriter *writer, const char *text) {
    if (writer->write)
        writer->write(writer->user, text, strlen(text));
}

/* The function, and the kernels that the pass added before it, so that the dump parses back. */
static void dump(PassContext *context, const PassOptions *options, const PassInfo *pass,
                 const IrFunction *function, uint32_t first_kernel) {
    if (!options->dump.write || !options->dump_after ||
        (strcmp(options->dump_after, "all") && strcmp(options->dump_after, pass->name)))
        return;
    write_text(&options->dump, arena_format(context->arena, "# after %s\n", pass->name));
    for (uint32_t i = first_kernel; i < function->module->kernels.count; i++)
        kernel_print_named(function->module->kernels.items[i], &options->dump);
    ir_print_function(function, &options->dump);
}

#ifndef GMX_VERIFY /* dev builds: 1 */
#define GMX_VERIFY 0
#endif

static bool verify(PassContext *context, const PassOptions *options, const char *when,
                   const IrFunction *function) {
    const char *message;
    if (!(options->verify_each || GMX_VERIFY) || ir_verify_function(function, context->arena, &message))
        return true;
    diag_error(context->sink, DIAG_E0502, (Span){0}, "%s in %s: %s", when, function->name->text, message);
    return false;
}

static double milliseconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

/* Runs one pass, or what stands in for it; NULL after reporting. */
static IrFunction *run_pass(PassContext *context, const PassOptions *options, const PassInfo *pass,
                            PassFunction run, IrFunction *function) {
    uint32_t errors = context->sink->error_count, kernels = function->module->kernels.count;
    double begin = options->time_passes ? milliseconds_now() : 0;
    IrFunction *result = run(context, function);
    if (options->time_passes)
        write_text(&options->dump, arena_format(context->arena, "# time %s %s %.3f ms\n", pass->name,
                                                function->name->text, milliseconds_now() - begin));
    if (!result || context->sink->error_count != errors) {
        Diag *diag = context->sink->error_count == errors
                         ? diag_error(context->sink, DIAG_E0502, (Span){0}, "a pass failed")
                     : context->sink->diags.count ? context->sink->diags.items[context->sink->diags.count - 1]
                                                  : NULL;
        if (diag)
            diag_note(context->sink, diag, "during pass %s in %s", pass->name, function->name->text);
        return NULL;
    }
    dump(context, options, pass, result, kernels);
    const char *when = arena_format(context->arena, "after pass %s", pass->name);
    return verify(context, options, when, result) ? result : NULL;
}

static IrFunction *run_function(PassContext *context, const PassOptions *options, IrFunction *function) {
    if (!verify(context, options, "before the first pass", function))
        return NULL;
    for (uint32_t i = 0; function && i < pass_count; i++) {
        const PassInfo *pass = &pass_table[i];
        PassFunction run = is_disabled(options, pass) ? pass->instead : pass->run;
        if (run)
            function = run_pass(context, options, pass, run, function);
        if (options->stop_after && !strcmp(options->stop_after, pass->name))
            break;
    }
    return function;
}

bool pass_pipeline_run(PassContext *context, IrModule *module, const PassOptions *options) {
    if (!order_holds(context) || !pass_options_hold(context, options))
        return false;
    for (uint32_t i = 0; i < module->functions.count; i++) {
        IrFunction *result = run_function(context, options, module->functions.items[i]);
        if (!result)
            return false;
        module->functions.items[i] = result;
    }
    return true;
}
