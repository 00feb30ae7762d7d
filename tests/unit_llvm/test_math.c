/* Every row of codegen/llvm/math.def against the long double functions of libm:
 * accuracy over the whole range, special values, and the same bits at every
 * vector width.  A new row is tested without a change here, as long as libm has
 * its long double function.
 *
 * GMX_TEST_MATH_EXHAUSTIVE=1 runs the f32 functions of one argument over all
 * 2^32 inputs (minutes). */
#include "codegen/llvm/math.h"

#include <criterion/criterion.h>
#include <float.h>
#include <llvm-c/Analysis.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH_COUNT = 3, CHUNK = 4096 };

typedef union Buffer {
    float f32[CHUNK];
    double f64[CHUNK];
} Buffer;

/* Loops over arrays at the widths under test: y[i] = fn(x[i], x2[i]) for i < count, a multiple of the width.
 */
typedef void (*Kernel)(const void *x, const void *x2, void *y, int64_t count);

typedef struct Format {
    const char *name;
    bool is_f64;
    unsigned widths[WIDTH_COUNT];
} Format;

static const Format f32 = {"f32", false, {1, 8, 16}};
static const Format f64 = {"f64", true, {1, 4, 8}};

typedef struct Subject {
    const Format *format;
    MathFunction function;
    Kernel kernels[WIDTH_COUNT];
    double bound, worst; /* in units in the last place */
    long double worst_x, worst_x2;
    uint64_t failures;
} Subject;

typedef long double (*Reference)(long double x, long double x2);

#define REFERENCE_1(name) name##l(x)
#define REFERENCE_2(name) name##l(x, x2)
#define MATH(name, arity, ulp_f32, ulp_f64, f32, f64)                                                        \
    static long double reference_##name(long double x, long double x2) {                                     \
        (void)x2;                                                                                            \
        return REFERENCE_##arity(name);                                                                      \
    }
#include "codegen/llvm/math.def"

static const Reference references[] = {
#define MATH(name, arity, ulp_f32, ulp_f64, f32, f64) reference_##name,
#include "codegen/llvm/math.def"
};

/* ---- Compiling the subjects ---- */

static void check_llvm(LLVMErrorRef error) {
    if (!error)
        return;
    char *message = LLVMGetErrorMessage(error);
    fprintf(stderr, "%s\n", message);
    LLVMDisposeErrorMessage(message);
    cr_assert_fail("LLVM error");
}

static void kernel_name(char *name, size_t size, const Format *format, MathFunction function,
                        unsigned width) {
    snprintf(name, size, "%s_%s_%u", llvm_math_info(function)->name, format->name, width);
}

static LLVMValueRef load(LlvmBuild *build, LLVMTypeRef scalar, LLVMTypeRef type, LLVMValueRef base,
                         LLVMValueRef index) {
    LLVMValueRef place = LLVMBuildGEP2(build->builder, scalar, base, &index, 1, "");
    LLVMValueRef value = LLVMBuildLoad2(build->builder, type, place, "");
    LLVMSetAlignment(value, 4);
    return value;
}

/* Adds the kernel of `function` at `width` to the module; width 1 is a scalar, not a vector of one. */
static void add_kernel(LLVMContextRef context, LLVMModuleRef module, const Format *format,
                       MathFunction function, unsigned width) {
    LLVMTypeRef pointer = LLVMPointerTypeInContext(context, 0), i64 = LLVMInt64TypeInContext(context);
    LLVMTypeRef scalar = format->is_f64 ? LLVMDoubleTypeInContext(context) : LLVMFloatTypeInContext(context);
    LLVMTypeRef type = width == 1 ? scalar : LLVMVectorType(scalar, width);
    LLVMTypeRef signature = LLVMFunctionType(LLVMVoidTypeInContext(context),
                                             (LLVMTypeRef[]){pointer, pointer, pointer, i64}, 4, 0);
    char name[64];
    kernel_name(name, sizeof name, format, function, width);
    LLVMValueRef kernel = LLVMAddFunction(module, name, signature);
    LlvmBuild build = {context, module, LLVMCreateBuilderInContext(context), kernel};
    LLVMBuilderRef b = build.builder;

    LLVMBasicBlockRef entry = build_block(&build, "entry"), head = build_block(&build, "loop");
    LLVMBasicBlockRef done = build_block(&build, "done");
    LLVMPositionBuilderAtEnd(b, entry);
    LLVMBuildBr(b, head);
    LLVMPositionBuilderAtEnd(b, head);
    LLVMValueRef index = LLVMBuildPhi(b, i64, "");
    LLVMValueRef x = load(&build, scalar, type, LLVMGetParam(kernel, 0), index), x2 = NULL;
    if (llvm_math_info(function)->arity == 2)
        x2 = load(&build, scalar, type, LLVMGetParam(kernel, 1), index);
    LLVMValueRef y = llvm_math(&build, function, x, x2);
    LLVMValueRef place = LLVMBuildGEP2(b, scalar, LLVMGetParam(kernel, 2), &index, 1, "");
    LLVMSetAlignment(LLVMBuildStore(b, y, place), 4);
    LLVMValueRef next = LLVMBuildAdd(b, index, LLVMConstInt(i64, width, 0), "");
    LLVMValueRef more = LLVMBuildICmp(b, LLVMIntSLT, next, LLVMGetParam(kernel, 3), "");
    LLVMBasicBlockRef tail = LLVMGetInsertBlock(b);
    LLVMBuildCondBr(b, more, head, done);
    LLVMAddIncoming(index, (LLVMValueRef[]){LLVMConstInt(i64, 0, 0), next},
                    (LLVMBasicBlockRef[]){entry, tail}, 2);
    LLVMPositionBuilderAtEnd(b, done);
    LLVMBuildRetVoid(b);
    LLVMDisposeBuilder(b);
}

/* The CPU named, or the host's for NULL. */
static LLVMTargetMachineRef target_machine(const char *other_cpu) {
    char *triple = LLVMGetDefaultTargetTriple(), *message = NULL;
    char *cpu = other_cpu ? LLVMCreateMessage(other_cpu) : LLVMGetHostCPUName();
    char *features = other_cpu ? LLVMCreateMessage("") : LLVMGetHostCPUFeatures();
    LLVMTargetRef target;
    cr_assert(!LLVMGetTargetFromTriple(triple, &target, &message));
    LLVMTargetMachineRef machine = LLVMCreateTargetMachine(
        target, triple, cpu, features, LLVMCodeGenLevelDefault, LLVMRelocPIC, LLVMCodeModelJITDefault);
    LLVMDisposeMessage(triple);
    LLVMDisposeMessage(cpu);
    LLVMDisposeMessage(features);
    return machine;
}

static LLVMOrcLLJITRef start_jit(const char *other_cpu) {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMOrcLLJITBuilderRef builder = LLVMOrcCreateLLJITBuilder();
    LLVMOrcLLJITBuilderSetJITTargetMachineBuilder(
        builder, LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine(target_machine(other_cpu)));
    LLVMOrcLLJITRef jit;
    check_llvm(LLVMOrcCreateLLJIT(&jit, builder));
    LLVMOrcDefinitionGeneratorRef process;
    check_llvm(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(
        &process, LLVMOrcLLJITGetGlobalPrefix(jit), NULL, NULL));
    LLVMOrcJITDylibAddGenerator(LLVMOrcLLJITGetMainJITDylib(jit), process);
    return jit;
}

/* Compiles one function at all widths of one format. */
static Subject compile(LLVMOrcLLJITRef jit, const Format *format, MathFunction function) {
    LLVMOrcThreadSafeContextRef shared = LLVMOrcCreateNewThreadSafeContext();
    LLVMContextRef context = LLVMOrcThreadSafeContextGetContext(shared);
    LLVMModuleRef module = LLVMModuleCreateWithNameInContext("math", context);
    for (unsigned i = 0; i < WIDTH_COUNT; i++)
        add_kernel(context, module, format, function, format->widths[i]);
    char *message = NULL;
    bool broken = LLVMVerifyModule(module, LLVMReturnStatusAction, &message);
    cr_assert(!broken, "%s: %s", llvm_math_info(function)->name, message);
    LLVMDisposeMessage(message);
    LLVMOrcThreadSafeModuleRef owned = LLVMOrcCreateNewThreadSafeModule(module, shared);
    LLVMOrcDisposeThreadSafeContext(shared);
    check_llvm(LLVMOrcLLJITAddLLVMIRModule(jit, LLVMOrcLLJITGetMainJITDylib(jit), owned));

    const MathInfo *info = llvm_math_info(function);
    Subject subject = {
        .format = format, .function = function, .bound = format->is_f64 ? info->ulp_f64 : info->ulp_f32};
    for (unsigned i = 0; i < WIDTH_COUNT; i++) {
        char name[64];
        LLVMOrcExecutorAddress address;
        kernel_name(name, sizeof name, format, function, format->widths[i]);
        check_llvm(LLVMOrcLLJITLookup(jit, &address, name));
        subject.kernels[i] = (Kernel)(uintptr_t)address;
    }
    return subject;
}

/* ---- Comparing ---- */

static long double get(const Format *format, const Buffer *buffer, unsigned i) {
    return format->is_f64 ? (long double)buffer->f64[i] : (long double)buffer->f32[i];
}

static void set(const Format *format, Buffer *buffer, unsigned i, double value) {
    if (format->is_f64)
        buffer->f64[i] = value;
    else
        buffer->f32[i] = (float)value;
}

/* |got - expected| in units in the last place of `expected` in the format.  Whatever is out of range,
 * infinity too, counts as the first power of two that is; a result of the wrong kind (NaN, sign of zero) is
 * infinitely wrong. */
static double ulp_error(const Format *format, long double got, long double expected) {
    int digits = format->is_f64 ? DBL_MANT_DIG : FLT_MANT_DIG,
        lowest = format->is_f64 ? DBL_MIN_EXP : FLT_MIN_EXP;
    int highest = format->is_f64 ? DBL_MAX_EXP : FLT_MAX_EXP, exponent;
    if (isnan(expected) || isnan(got))
        return isnan(expected) && isnan(got) ? 0.0 : INFINITY;
    if (got == expected)
        return expected == 0 && signbit(got) != signbit(expected) ? INFINITY : 0.0;
    if (expected == 0 || (isinf(expected) && !isinf(got)))
        return INFINITY;
    long double beyond = format->is_f64 ? 0x1p1024L : 0x1p128L;
    got = fminl(fmaxl(got, -beyond), beyond);
    expected = fminl(fmaxl(expected, -beyond), beyond);
    frexpl(expected, &exponent);
    exponent = exponent < lowest ? lowest : exponent > highest ? highest : exponent;
    return (double)fabsl(ldexpl(got - expected, digits - exponent));
}

static void report(const Subject *subject, long double x, long double x2, long double got,
                   long double expected, double error) {
    fprintf(stderr, "%s(%La, %La) = %La, expected %La: %.3f units in the last place\n",
            llvm_math_info(subject->function)->name, x, x2, got, expected, error);
}

/* Same bits, any two NaNs being the same. */
static bool same_bits(const Format *format, const Buffer *a, const Buffer *b, unsigned i) {
    long double x = get(format, a, i), y = get(format, b, i);
    return (isnan(x) && isnan(y)) || (x == y && signbit(x) == signbit(y));
}

/* glibc's powl says that (-infinity)^(-2^63) is infinite; at a zero or infinite base double is exact anyway.
 */
static long double reference(MathFunction function, long double x, long double x2) {
    if (function == MATH_pow && (x == 0 || isinf(x)))
        return pow((double)x, (double)x2);
    return references[function](x, x2);
}

/* Runs all widths over CHUNK inputs; a reference is computed for each. */
static void check_chunk(Subject *subject, const Buffer *x, const Buffer *x2) {
    static Buffer results[WIDTH_COUNT];
    const Format *format = subject->format;
    for (unsigned width = 0; width < WIDTH_COUNT; width++)
        subject->kernels[width](x, x2, &results[width], CHUNK);
    for (unsigned i = 0; i < CHUNK; i++) {
        long double a = get(format, x, i), b = get(format, x2, i), got = get(format, &results[0], i);
        long double expected = reference(subject->function, a, b);
        double error = ulp_error(format, got, expected);
        for (unsigned width = 1; width < WIDTH_COUNT; width++)
            if (!same_bits(format, &results[0], &results[width], i))
                error = INFINITY;
        if (error > subject->worst) {
            subject->worst = error;
            subject->worst_x = a;
            subject->worst_x2 = b;
        }
        if (error > subject->bound && subject->failures++ < 4)
            report(subject, a, b, got, expected, error);
    }
}

/* ---- Inputs ---- */

static uint64_t random_bits(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static double random_between(uint64_t *state, double low, double high) {
    return low + (high - low) * (double)(random_bits(state) >> 11) * 0x1p-53;
}

static void set_bits(const Format *format, Buffer *buffer, unsigned i, uint64_t bits) {
    if (format->is_f64) {
        memcpy(&buffer->f64[i], &bits, sizeof bits);
    } else {
        uint32_t low = (uint32_t)(bits >> 32);
        memcpy(&buffer->f32[i], &low, sizeof low);
    }
}

/* Any bit pattern: all exponents alike. */
static void fill_patterns(const Format *format, Buffer *buffer, uint64_t *state) {
    for (unsigned i = 0; i < CHUNK; i++)
        set_bits(format, buffer, i, random_bits(state));
}

static void fill_between(const Format *format, Buffer *buffer, uint64_t *state, double low, double high) {
    for (unsigned i = 0; i < CHUNK; i++)
        set(format, buffer, i, random_between(state, low, high));
}

/* Where something happens: branch points of the functions, ends of ranges, signs. */
static const double places[] = {0.0,
                                0x1p-149,
                                0x1p-126,
                                0x1p-1074,
                                0x1p-1022,
                                0x1p-25,
                                0x1p-54,
                                0x1p-12,
                                0.25,
                                0.3465735902799727,
                                0.5,
                                0.625,
                                M_SQRT1_2,
                                0.925,
                                1.0,
                                M_SQRT2,
                                1.5,
                                2.0,
                                M_LN2,
                                M_E,
                                3.9,
                                5.9,
                                9.0,
                                10.0,
                                18.0,
                                19.1,
                                26.5,
                                27.2,
                                38.0,
                                87.33654,
                                88.02969,
                                88.72284,
                                103.2789,
                                103.97208,
                                127.0,
                                128.0,
                                149.0,
                                150.0,
                                708.3964,
                                709.7827,
                                710.4758,
                                745.1332,
                                1022.0,
                                1024.0,
                                1074.0,
                                1075.0,
                                0x1p17,
                                0x1p24,
                                0x1p30,
                                0x1p53,
                                0x1p63,
                                0x1p96,
                                0x1.fffffep127,
                                0x1p127,
                                0x1p1023,
                                0x1.fffffffffffffp1023,
                                INFINITY,
                                NAN,
                                3.0,
                                1.0 / 3.0};
enum { PLACE_COUNT = sizeof places / sizeof *places };

static double nudge(const Format *format, double x, int steps) {
    for (int i = 0; i < abs(steps); i++)
        x = format->is_f64 ? nextafter(x, steps > 0 ? INFINITY : -INFINITY)
                           : nextafterf((float)x, steps > 0 ? INFINITY : -INFINITY);
    return x;
}

/* The places and their neighbours with both signs, then neighbours of multiples of pi / 2. */
static void fill_places(const Format *format, Buffer *buffer, unsigned *position) {
    enum { NEIGHBOURS = 16, SPAN = 2 * NEIGHBOURS + 1, PLACES = PLACE_COUNT * SPAN * 2, MULTIPLES = 1 << 16 };
    for (unsigned i = 0; i < CHUNK; i++) {
        unsigned at = (*position)++ % (PLACES + MULTIPLES);
        int steps = (int)(at / 2 % SPAN) - NEIGHBOURS;
        double base = at < PLACES ? places[at / 2 / SPAN] : (double)(float)((at - PLACES) / 2 * M_PI_2);
        if (at >= PLACES) {
            steps = (int)(random_bits(&(uint64_t){at}) % 7) - 3;
            base = format->is_f64 ? (at - PLACES) / 2 * M_PI_2 : base;
        }
        if (!format->is_f64)
            base = (float)base;
        double value = nudge(format, base, steps);
        set(format, buffer, i, at % 2 ? -value : value);
    }
}

static void check_one_argument(Subject *subject, unsigned chunks) {
    static Buffer x;
    const Format *format = subject->format;
    uint64_t state = 1;
    unsigned position = 0;
    static const double ranges[][2] = {{-1.1, 1.1}, {-12, 12},   {0.4, 1.8},
                                       {-110, 110}, {-760, 760}, {-1e5, 1e5}};
    enum { RANGE_COUNT = sizeof ranges / sizeof *ranges };
    for (unsigned i = 0; i < 24; i++) {
        fill_places(format, &x, &position);
        check_chunk(subject, &x, &x);
    }
    for (unsigned i = 0; i < chunks / 2; i++) {
        fill_patterns(format, &x, &state);
        check_chunk(subject, &x, &x);
    }
    for (unsigned i = 0; i < chunks / 2; i++) {
        const double *range = ranges[i % RANGE_COUNT];
        fill_between(format, &x, &state, range[0], range[1]);
        check_chunk(subject, &x, &x);
    }
}

/* Both arguments from the places, every pair (neighbours chosen at random). */
static void check_pairs(Subject *subject) {
    static Buffer x, x2;
    uint64_t state = 2;
    unsigned count = 0, total = 4 * PLACE_COUNT * PLACE_COUNT * 4;
    for (unsigned at = 0; at < total + CHUNK; at++) {
        unsigned pair = at / 4 % (PLACE_COUNT * PLACE_COUNT), exact = at < total / 2;
        double a = places[pair / PLACE_COUNT], b = places[pair % PLACE_COUNT];
        if (!subject->format->is_f64)
            a = (float)a, b = (float)b;
        int step = exact ? 0 : (int)(random_bits(&state) % 9) - 4;
        a = nudge(subject->format, a, step);
        set(subject->format, &x, count, at & 1 ? -a : a);
        set(subject->format, &x2, count, at & 2 ? -b : b);
        if (++count == CHUNK) {
            check_chunk(subject, &x, &x2);
            count = 0;
        }
    }
}

static void check_two_arguments(Subject *subject, unsigned chunks) {
    static Buffer x, x2;
    const Format *format = subject->format;
    uint64_t state = 3;
    check_pairs(subject);
    for (unsigned i = 0; i < chunks; i++) {
        if (i % 4 == 0) { /* any magnitudes */
            fill_patterns(format, &x, &state);
            fill_patterns(format, &x2, &state);
        } else if (i % 4 == 1) { /* moderate */
            fill_between(format, &x, &state, 0.0, 20.0);
            fill_between(format, &x2, &state, -20.0, 20.0);
        } else if (i % 4 == 2) { /* bases near 1 with large exponents */
            fill_between(format, &x, &state, 0.9, 1.1);
            fill_between(format, &x2, &state, -7000.0, 7000.0);
        } else { /* any base, integer and half-integer exponents */
            fill_patterns(format, &x, &state);
            for (unsigned j = 0; j < CHUNK; j++)
                set(format, &x2, j, (double)((int)(random_bits(&state) % 65) - 32) * 0.5);
        }
        check_chunk(subject, &x, &x2);
    }
}

static void check_function(LLVMOrcLLJITRef jit, const Format *format, MathFunction function,
                           unsigned chunks) {
    const MathInfo *info = llvm_math_info(function);
    Subject subject = compile(jit, format, function);
    if (info->arity == 1)
        check_one_argument(&subject, chunks);
    else
        check_two_arguments(&subject, chunks);
    if (getenv("GMX_TEST_MATH_VERBOSE"))
        fprintf(stderr, "%-6s %s worst %.3f at (%La, %La)\n", info->name, format->name, subject.worst,
                subject.worst_x, subject.worst_x2);
    cr_expect_eq(subject.failures, 0u, "%s %s: %llu results beyond %.2f units in the last place, worst %.3f",
                 info->name, format->name, (unsigned long long)subject.failures, subject.bound,
                 subject.worst);
}

static void check_all(const Format *format, unsigned chunks) {
    LLVMOrcLLJITRef jit = start_jit(NULL);
    for (int function = 0; function < MATH_COUNT; function++)
        check_function(jit, format, (MathFunction)function, chunks);
    check_llvm(LLVMOrcDisposeLLJIT(jit));
}

Test(math, f32_whole_range) {
    check_all(&f32, 500);
}

Test(math, f64_whole_range) {
    check_all(&f64, 250);
}

/* Values that are exact by definition stay exact, in both formats. */
static const struct {
    MathFunction function;
    double x, y;
} exact_values[] = {{MATH_exp, 0, 1},      {MATH_exp, -0.0, 1},     {MATH_exp, 1e4, INFINITY},
                    {MATH_exp, -1e4, 0},   {MATH_exp2, 10, 1024},   {MATH_exp2, -20, 0x1p-20},
                    {MATH_log, 1, 0},      {MATH_log2, 8, 3},       {MATH_log2, 0x1p-130, -130},
                    {MATH_log10, 1000, 3}, {MATH_log10, 1e10, 10},  {MATH_cos, 0, 1},
                    {MATH_tanh, 40, 1},    {MATH_tanh, -40, -1},    {MATH_expm1, -50, -1},
                    {MATH_sin, 0, 0},      {MATH_erf, 9, 1},        {MATH_cosh, 0, 1},
                    {MATH_cbrt, 27, 3},    {MATH_cbrt, -1000, -10}, {MATH_acos, 1, 0},
                    {MATH_atan2, 0, 0}};

static void check_exact_values(const Format *format) {
    static Buffer x, y;
    LLVMOrcLLJITRef jit = start_jit(NULL);
    Subject subjects[MATH_COUNT];
    for (int function = 0; function < MATH_COUNT; function++)
        subjects[function] = compile(jit, format, (MathFunction)function);
    for (size_t i = 0; i < sizeof exact_values / sizeof *exact_values; i++) {
        MathFunction function = exact_values[i].function;
        set(format, &x, 0, exact_values[i].x);
        subjects[function].kernels[0](&x, &x, &y, 1);
        cr_expect(get(format, &y, 0) == (long double)exact_values[i].y, "%s %s(%g) = %La", format->name,
                  llvm_math_info(function)->name, exact_values[i].x, get(format, &y, 0));
    }
    check_llvm(LLVMOrcDisposeLLJIT(jit));
}

Test(math, exact_values) {
    check_exact_values(&f32);
    check_exact_values(&f64);
}

/* The same bits from AVX2 code as from the host's, and from one vector of another width. */
static void check_other_cpu(const Format *format) {
    static Buffer x, x2, host_result, other_result;
    LLVMOrcLLJITRef host = start_jit(NULL), other = start_jit("x86-64-v3");
    for (int function = 0; function < MATH_COUNT; function++) {
        Subject a = compile(host, format, (MathFunction)function),
                b = compile(other, format, (MathFunction)function);
        uint64_t state = 4;
        unsigned differences = 0;
        for (unsigned round = 0; round < 16; round++) {
            fill_patterns(format, &x, &state);
            fill_between(format, &x2, &state, -30, 30);
            const Buffer *first = round % 2 ? &x : &x2, *second = round % 2 ? &x2 : &x;
            a.kernels[WIDTH_COUNT - 1](first, second, &host_result, CHUNK);
            b.kernels[round / 2 % WIDTH_COUNT](first, second, &other_result, CHUNK);
            for (unsigned i = 0; i < CHUNK; i++)
                differences += !same_bits(format, &host_result, &other_result, i);
        }
        cr_expect_eq(differences, 0u, "%s %s differs between CPUs in %u values",
                     llvm_math_info((MathFunction)function)->name, format->name, differences);
    }
    check_llvm(LLVMOrcDisposeLLJIT(host));
    check_llvm(LLVMOrcDisposeLLJIT(other));
}

Test(math, same_bits_without_avx512) {
    check_other_cpu(&f32);
    check_other_cpu(&f64);
}

Test(math, f32_exhaustive, .timeout = 0) {
    if (!getenv("GMX_TEST_MATH_EXHAUSTIVE"))
        cr_skip_test("set GMX_TEST_MATH_EXHAUSTIVE=1 to run it");
    static Buffer x;
    LLVMOrcLLJITRef jit = start_jit(NULL);
    for (int function = 0; function < MATH_COUNT; function++) {
        if (llvm_math_info((MathFunction)function)->arity != 1)
            continue;
        Subject subject = compile(jit, &f32, (MathFunction)function);
        for (uint64_t base = 0; base < (uint64_t)1 << 32; base += CHUNK) {
            for (unsigned i = 0; i < CHUNK; i++)
                set_bits(&f32, &x, i, (base + i) << 32);
            check_chunk(&subject, &x, &x);
        }
        fprintf(stderr, "%-6s worst %.3f at %La\n", llvm_math_info((MathFunction)function)->name,
                subject.worst, subject.worst_x);
        cr_expect_eq(subject.failures, 0u, "%s", llvm_math_info((MathFunction)function)->name);
    }
    check_llvm(LLVMOrcDisposeLLJIT(jit));
}
