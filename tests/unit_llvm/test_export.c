/* Libraries made by the back end, loaded and called as C does; their header; text forms of a module. */
#include "codegen/header.h"
#include "ir/export.h"
#include "ir/kernel.h"
#include "tests/unit_llvm/support.h"
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef int (*ScaleFunction)(int64_t n, const double *x, double c, double *out0, double *out1);
typedef int (*PairsFunction)(int64_t n, const float *a, bool swap, float *out);
typedef int (*DivideFunction)(int64_t a, int64_t b, int64_t *out);

/* kernel(x: buffer f64, c: f64, n: i64, y: out buffer f64, s: out buffer f64): y = x * c, s = sum(y) */
static void add_kernel(Bench *bench) {
    Kernel *kernel = kernel_new(&bench->arena, &bench->names, intern_text(&bench->names, "scale"));
    KernelArray *x = kernel_buffer(kernel, "x", DTYPE_f64, false);
    KernelVariable *c = kernel_scalar(kernel, "c", DTYPE_f64), *n = kernel_scalar(kernel, "n", DTYPE_i64);
    KernelArray *y = kernel_buffer(kernel, "y", DTYPE_f64, true),
                *s = kernel_buffer(kernel, "s", DTYPE_f64, true);
    KernelVariable *total = kernel_variable(kernel, KERNEL_VAR, "total", DTYPE_f64);
    kernel_declare(kernel, &kernel->body, total, kernel_const(kernel, DTYPE_f64, 0));
    KernelStatement *loop = kernel_for(kernel, &kernel->body, LOOP_VECTOR, "i", kernel_const_i64(kernel, 0),
                                       kernel_use(kernel, n), NULL);
    KernelExpr *i = kernel_use(kernel, loop->variable), *zero = kernel_const_i64(kernel, 0);
    KernelExpr *value = kernel_op2(kernel, OP_mul, kernel_load(kernel, x, &i, 1), kernel_use(kernel, c));
    kernel_store(kernel, &loop->body, y, &i, 1, value);
    kernel_accumulate(kernel, &loop->body, OP_add, total, value);
    kernel_store(kernel, &kernel->body, s, &zero, 1, kernel_use(kernel, total));
    vec_push(&bench->arena, &bench->module->kernels, kernel);
}

static ExportFunction *export_function(Bench *bench, ExportList *list, const char *name) {
    ExportFunction *function = ARENA_NEW(&bench->arena, ExportFunction);
    function->name = name;
    function->function = list->functions.count;
    vec_push(&bench->arena, &list->functions, function);
    return function;
}

/* A value that is an argument of its own. */
static void add_input(Bench *bench, ExportFunction *function, ExportParameter value) {
    vec_push(&bench->arena, &function->inputs,
             ((ExportArgument){.name = value.name, .first = function->parameters.count}));
    vec_push(&bench->arena, &function->parameters, value);
}

static void add_output(Bench *bench, ExportFunction *function, ExportParameter value) {
    vec_push(&bench->arena, &function->outputs,
             ((ExportArgument){.name = value.name, .first = function->results.count}));
    vec_push(&bench->arena, &function->results, value);
}

static const ExportDim dim_n = {.dim = 0}, dim_derived = {.dim = -1, .formula = "2 * (n + 1) - 2"};

static void add_scale(Bench *bench, IrModule *module, ExportList *list) {
    IrFunction *function = ir_function_new(module, intern_text(&bench->names, "scale"));
    IrBuilder b = ir_builder_at(function, function->body);
    function->parameter_contiguous = (bool *)arena_alloc(&bench->arena, 2);
    function->parameter_contiguous[0] = true;
    IrNode *x = ir_parameter(&b, NULL, DTYPE_f64, 1, NULL, NULL);
    IrNode *c = ir_parameter(&b, NULL, DTYPE_f64, 0, NULL, NULL);
    IrNode *operands[] = {x, c, ir_dim(&b, x, 0)};
    IrType types[] = {x->types[0], {.kind = IR_TENSOR, .dtype = DTYPE_f64}};
    IrNode *launch = ir_build_raw(&b, &(IrNodeSpec){.op = OP_launch,
                                                    .operands = operands,
                                                    .operand_count = 3,
                                                    .attributes = (int64_t[]){0, -1, -1},
                                                    .attribute_count = 3,
                                                    .types = types,
                                                    .result_count = 2});
    ir_set_results(&b, (IrNode *[]){ir_result(&b, launch, 0), ir_result(&b, launch, 1)}, 2);
    ExportFunction *exported = export_function(bench, list, "scale");
    exported->documentation = "x times c, and its sum. */ int trap;";
    vec_push(&bench->arena, &exported->dims, "n");
    add_input(bench, exported,
              (ExportParameter){.name = "x", .dtype = DTYPE_f64, .rank = 1, .dims = {dim_n}});
    add_input(bench, exported, (ExportParameter){.name = "c", .dtype = DTYPE_f64, .is_scalar = true});
    add_output(bench, exported,
               (ExportParameter){.name = "out0", .dtype = DTYPE_f64, .rank = 1, .dims = {dim_n}});
    add_output(bench, exported, (ExportParameter){.name = "out1", .dtype = DTYPE_f64, .is_scalar = true});
}

/* pairs(a: f32[n, 2], swap: bool) -> f32[2 * n, 2]: a above a or its mirror image */
static void add_pairs(Bench *bench, IrModule *module, ExportList *list) {
    IrFunction *function = ir_function_new(module, intern_text(&bench->names, "pairs"));
    IrBuilder b = ir_builder_at(function, function->body);
    IrNode *a = ir_parameter(&b, NULL, DTYPE_f32, 2, NULL, NULL);
    IrNode *swap = ir_parameter(&b, NULL, DTYPE_bool, 0, NULL, NULL);
    IrNode *n = ir_dim(&b, a, 0), *two = ir_dim(&b, a, 1), *zero = ir_const_i64(&b, 0),
           *one = ir_const_i64(&b, 1);
    IrNode *minus = ir_const_i64(&b, -1);
    IrNode *start = ir_where(&b, swap, one, zero), *step = ir_where(&b, swap, minus, one);
    IrNode *below =
        ir_slice(&b, a, (IrNode *[]){zero, start}, (IrNode *[]){n, two}, (IrNode *[]){one, step}, NULL);
    IrNode *result = ir_concat(&b, (IrNode *[]){a, below}, 2, 0);
    ir_set_results(&b, &result, 1);
    ExportFunction *exported = export_function(bench, list, "pairs");
    vec_push(&bench->arena, &exported->dims, "n");
    ExportDim fixed = {.is_fixed = true, .value = 2, .dim = -1};
    add_input(bench, exported,
              (ExportParameter){.name = "a", .dtype = DTYPE_f32, .rank = 2, .dims = {dim_n, fixed}});
    add_input(bench, exported, (ExportParameter){.name = "swap", .dtype = DTYPE_bool, .is_scalar = true});
    add_output(bench, exported,
               (ExportParameter){.name = "out", .dtype = DTYPE_f32, .rank = 2, .dims = {dim_derived, fixed}});
}

static void add_divide(Bench *bench, IrModule *module, ExportList *list) {
    IrFunction *function = ir_function_new(module, intern_text(&bench->names, "divide"));
    IrBuilder b = ir_builder_at(function, function->body);
    IrNode *x = ir_parameter(&b, NULL, DTYPE_i64, 0, NULL, NULL);
    IrNode *y = ir_parameter(&b, NULL, DTYPE_i64, 0, NULL, NULL);
    b.span = (Span){40, 45};
    IrNode *quotient = ir_binary(&b, OP_floordiv, x, y);
    ir_set_results(&b, &quotient, 1);
    ExportFunction *exported = export_function(bench, list, "divide");
    for (int i = 0; i < 2; i++)
        add_input(bench, exported,
                  (ExportParameter){.name = i ? "b" : "a", .dtype = DTYPE_i64, .is_scalar = true});
    add_output(bench, exported, (ExportParameter){.name = "out", .dtype = DTYPE_i64, .is_scalar = true});
}

static const char *place_of(void *user, Span span) {
    (void)user;
    return span.begin == 40 ? "model.gmx:7:3" : NULL;
}

static ExportList *make_exports(Bench *bench) {
    ExportList *list = ARENA_NEW(&bench->arena, ExportList);
    bench->module = ir_module_new(&bench->arena, &bench->names);
    list->library_name = "libsample";
    list->place = place_of;
    add_kernel(bench);
    add_scale(bench, bench->module, list);
    add_pairs(bench, bench->module, list);
    add_divide(bench, bench->module, list);
    return list;
}

static void *load_library(Bench *bench, ExportList *list, const char *folder, char path[512]) {
    char *message = NULL;
    snprintf(path, 512, "%s/libsample.so", folder);
    int status = gmx_llvm_backend()->emit(bench->backend, bench->module, list, EMIT_SHARED, path, &message);
    cr_assert_eq(status, 0, "%s", message ? message : "");
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    cr_assert(library, "%s", dlerror());
    return library;
}

static void check_scale(void *library) {
    ScaleFunction scale = (ScaleFunction)dlsym(library, "scale");
    const char *(*last_error)(void) = (const char *(*)(void))dlsym(library, "gmx_last_error");
    double x[70], out[70], total, expected = 0;
    for (int i = 0; i < 70; i++)
        expected += 0.5 * (x[i] = i);
    cr_assert_eq(scale(70, x, 0.5, out, &total), 0, "%s", last_error());
    cr_assert_str_eq(last_error(), "");
    for (int i = 0; i < 70; i++)
        cr_assert_eq(out[i], 0.5 * x[i]);
    cr_assert_float_eq(total, expected, 1e-9);
    cr_assert_eq(scale(0, NULL, 0.5, NULL, &total), 0);
    cr_assert_eq(total, 0);
    total = 77;
    cr_assert_neq(scale(-1, x, 0.5, out, &total), 0);
    cr_assert(strstr(last_error(), "`n` is negative"), "%s", last_error());
    cr_assert_neq(scale(5, NULL, 0.5, out, &total), 0);
    cr_assert(strstr(last_error(), "`x` is NULL"), "%s", last_error());
    cr_assert_neq(scale(5, x, 0.5, x + 4, &total), 0);
    cr_assert(strstr(last_error(), "`out0` overlaps `x`"), "%s", last_error());
    cr_assert_neq(scale(5, x, 0.5, out, out + 2), 0);
    cr_assert_neq(scale(INT64_MAX, x, 0.5, out, &total), 0);
    cr_assert_neq(scale(5, x, 0.5, out, NULL), 0);
    cr_assert_eq(total, 77);
    cr_assert_eq(scale(4, x, 2, x + 4, &total), 0); /* side by side is fine */
    cr_assert_eq(x[7], 6);
}

static void check_pairs(void *library) {
    PairsFunction pairs = (PairsFunction)dlsym(library, "pairs");
    const float a[] = {1, 2, 3, 4, 5, 6};
    for (int swap = 0; swap < 2; swap++) {
        float out[13] = {0};
        out[12] = 99;
        cr_assert_eq(pairs(3, a, swap, out), 0);
        for (int i = 0; i < 6; i++) {
            cr_assert_eq(out[i], a[i]);
            cr_assert_eq(out[6 + i], a[swap ? i ^ 1 : i]);
        }
        cr_assert_eq(out[12], 99);
    }
    float out[1];
    cr_assert_neq(pairs(INT64_MAX, a, 0, out), 0); /* 2 * n does not fit */
}

static void check_divide(void *library) {
    DivideFunction divide = (DivideFunction)dlsym(library, "divide");
    const char *(*last_error)(void) = (const char *(*)(void))dlsym(library, "gmx_last_error");
    int64_t out = 5;
    cr_assert_eq(divide(-7, 2, &out), 0);
    cr_assert_eq(out, -4);
    cr_assert_neq(divide(7, 0, &out), 0);
    cr_assert_eq(out, -4);
    cr_assert_str_eq(last_error(), "model.gmx:7:3: integer division by zero");
}

static void check_library(const char *target_cpu) {
    Bench bench;
    char folder[256], path[512];
    bench_begin(&bench, NULL);
    make_directory(folder);
    gmx_llvm_backend()->destroy(bench.backend);
    char *message = NULL;
    bench.backend =
        gmx_llvm_backend()->create(&(BackendOptions){.optimization = 2, .target_cpu = target_cpu}, &message);
    void *library = load_library(&bench, make_exports(&bench), folder, path);
    check_scale(library);
    check_pairs(library);
    check_divide(library);
    cr_assert_null(dlsym(library, "gmxrt_library_call"));
    cr_assert_null(dlsym(library, "gmxrt_buffer_new"));
    dlclose(library);
    cr_assert_eq(count_files(folder, ""), 1); /* no temporary file stays */
    remove_directory(folder);
    bench_end(&bench);
}

Test(library, for_two_cpu_levels) {
    check_library(NULL);
}

Test(library, for_a_named_cpu) {
    check_library("x86-64-v3");
}

Test(library, for_this_machine) {
    check_library("native");
}

Test(library, compiles_as_c99_and_cxx17) {
    Bench bench;
    char folder[256], command[1200], path[300];
    bench_begin(&bench, NULL);
    make_directory(folder);
    const char *text = header_text(make_exports(&bench), &bench.arena);
    cr_assert(strstr(text, "int scale(int64_t n, const double *x, double c, double *out0, double *out1);"),
              "%s", text);
    cr_assert(strstr(text, "int pairs(int64_t n, const float *a, bool swap, float *out);"), "%s", text);
    snprintf(path, sizeof path, "%s/libsample.h", folder);
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
    snprintf(command, sizeof command, "gcc -std=c99 -Wall -Wextra -pedantic -Werror -fsyntax-only -x c %s",
             path);
    cr_assert_eq(system(command), 0);
    snprintf(command, sizeof command,
             "g++ -std=c++17 -Wall -Wextra -pedantic -Werror -fsyntax-only -x c++ %s", path);
    cr_assert_eq(system(command), 0);
    remove_directory(folder);
    bench_end(&bench);
}

Test(library, errors_leave_nothing_behind) {
    Bench bench;
    char folder[256], path[512], *message = NULL;
    bench_begin(&bench, NULL);
    make_directory(folder);
    ExportList *list = make_exports(&bench);
    snprintf(path, sizeof path, "%s/none/libsample.so", folder);
    cr_assert_neq(gmx_llvm_backend()->emit(bench.backend, bench.module, list, EMIT_SHARED, path, &message),
                  0);
    cr_assert(strstr(message, "libsample.so"), "%s", message);
    free(message);
    list->functions.items[1]->results.items[0].dims[0].formula = "2 * m";
    snprintf(path, sizeof path, "%s/libsample.so", folder);
    cr_assert_neq(gmx_llvm_backend()->emit(bench.backend, bench.module, list, EMIT_SHARED, path, &message),
                  0);
    cr_assert(strstr(message, "`m`"), "%s", message);
    free(message);
    cr_assert_eq(count_files(folder, ""), 0);
    remove_directory(folder);
    bench_end(&bench);
}

Test(emit, text_and_objects) {
    static const struct {
        EmitKind kind;
        const char *expected;
    } cases[] = {{EMIT_LLVM, "define i32 @scale"},
                 {EMIT_ASSEMBLY, "\nscale:"},
                 {EMIT_OBJECT, "\x7f"
                               "ELF"}};
    Bench bench;
    char folder[256], path[512], *message = NULL;
    bench_begin(&bench, NULL);
    make_directory(folder);
    make_exports(&bench);
    snprintf(path, sizeof path, "%s/file", folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EmitKind kind = cases[i].kind;
        cr_assert_eq(gmx_llvm_backend()->emit(bench.backend, bench.module, NULL, kind, path, &message), 0);
        FILE *file = fopen(path, "rb");
        char *text = calloc(1, 1 << 20);
        cr_assert_gt(fread(text, 1, (1 << 20) - 1, file), 0);
        fclose(file);
        cr_assert(strstr(text, cases[i].expected));
        free(text);
    }
    remove_directory(folder);
    bench_end(&bench);
}
