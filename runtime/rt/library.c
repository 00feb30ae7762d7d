/* Calls of exported functions: what a C caller gave is checked and described, the code for this CPU runs, and
 * only when everything went well are the results written to the caller's memory. */
#include "runtime/rt/internal.h"

#include "runtime/rt/aot.h"

#include <cpuid.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t find_cpu_level(void) {
    uint32_t a, b, c, d, b7, c7, d7, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX) || !(c & bit_FMA) ||
        !(c & bit_F16C) || !(c & bit_MOVBE) || !(c & bit_SSE4_2) || !(c & bit_POPCNT))
        return 1;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & 6) != 6 || !__get_cpuid_count(7, 0, &a, &b7, &c7, &d7) || !(b7 & bit_AVX2) ||
        !(b7 & bit_BMI) || !(b7 & bit_BMI2))
        return 1;
    const uint32_t wide = bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | bit_AVX512VL;
    return (low & 0xe6) == 0xe6 && (b7 & wide) == wide ? 4 : 3;
}

/* Asked once: under a hypervisor cpuid costs more than a small call. */
int64_t rt_cpu_level(void) {
    static atomic_int known; /* 0: not asked yet; every thread finds the same */
    int64_t level = atomic_load_explicit(&known, memory_order_relaxed);
    if (!level) {
        level = find_cpu_level();
        atomic_store_explicit(&known, (int)level, memory_order_relaxed);
    }
    return level;
}

static const gmxrt_library_code *code_for(const gmxrt_library_function *function) {
    int64_t level = rt_cpu_level();
    for (int32_t i = 0; i < function->code_count; i++)
        if (function->code[i].level <= level)
            return &function->code[i];
    return NULL;
}

/* ---- what the caller gave --------------------------------------------------------------------- */
typedef struct Argument { /* a value of the caller as a tensor that nobody counts */
    gmxrt_buffer buffer;
    gmxrt_tensor tensor;
} Argument;

/* Contiguous memory as a tensor; the extents were checked. */
static void fill(Argument *argument, void *address, int32_t dtype, int32_t rank, const int64_t *extents,
                 int64_t bytes) {
    argument->buffer = (gmxrt_buffer){.references = GMXRT_IMMORTAL, .data = address, .bytes = bytes};
    gmxrt_tensor *tensor = &argument->tensor;
    *tensor = (gmxrt_tensor){.references = GMXRT_IMMORTAL, .buffer = &argument->buffer, .data = address};
    tensor->dtype = dtype;
    tensor->rank = rank;
    int64_t stride = 1;
    for (int32_t k = rank; k-- > 0;) {
        tensor->shape[k] = extents[k];
        tensor->strides[k] = stride;
        stride = (int64_t)((uint64_t)stride *
                           (uint64_t)(extents[k] > 0 ? extents[k] : 1)); /* may wrap beside a 0 */
    }
}

static int32_t describe(gmxrt_ctx *ctx, const gmxrt_library_value *value, const int64_t *extents,
                        void *address, Argument *argument) {
    int64_t bytes = gmxrt_bytes_of(value->dtype, value->rank, extents);
    for (int32_t k = 0; k < value->rank; k++)
        if (extents[k] < 0)
            return gmxrt_fail(ctx, RT_E0301, 0, "`%s`: the extent of axis %d is negative or does not fit",
                              value->name, k);
    if (bytes < 0)
        return gmxrt_fail(ctx, RT_E0306, 0, "`%s`: the size does not fit in memory", value->name);
    if (!address && bytes > 0)
        return gmxrt_fail(ctx, RT_E0301, 0, "`%s` is NULL", value->name);
    fill(argument, address, value->dtype, value->rank, extents, bytes);
    return 0;
}

static bool overlaps(const gmxrt_buffer *a, const gmxrt_buffer *b) {
    uintptr_t x = (uintptr_t)a->data, y = (uintptr_t)b->data;
    return a->bytes > 0 && b->bytes > 0 && x < y + (uint64_t)b->bytes && y < x + (uint64_t)a->bytes;
}

/* A member of a struct may be updated in place: its result is the very memory of the argument's. */
static bool is_updated(const gmxrt_library_function *function, const Argument *arguments, int32_t i,
                       int32_t o) {
    const gmxrt_buffer *from = &arguments[i].buffer, *to = &arguments[o].buffer;
    const char *path = strchr(function->values[i].name, '.'), *other = strchr(function->values[o].name, '.');
    return i < function->parameter_count && path && other && !strcmp(path, other) && from->data == to->data &&
           from->bytes == to->bytes;
}

static int32_t check_overlap(gmxrt_ctx *ctx, const gmxrt_library_function *function,
                             const Argument *arguments) {
    int32_t inputs = function->parameter_count, count = inputs + function->result_count;
    for (int32_t o = inputs; o < count; o++)
        for (int32_t i = 0; i < o; i++)
            if (overlaps(&arguments[i].buffer, &arguments[o].buffer) &&
                !is_updated(function, arguments, i, o))
                return gmxrt_fail(ctx, RT_E0301, 0, "`%s` overlaps `%s`", function->values[o].name,
                                  function->values[i].name);
    return 0;
}

static int32_t describe_all(gmxrt_ctx *ctx, const gmxrt_library_function *function, const int64_t *dims,
                            const int64_t *extents, void *const *addresses, Argument *arguments) {
    for (int32_t i = 0; i < function->dim_count; i++)
        if (dims[i] < 0)
            return gmxrt_fail(ctx, RT_E0301, 0, "the dim `%s` is negative: %lld", function->dim_names[i],
                              (long long)dims[i]);
    for (int32_t i = 0; i < function->parameter_count + function->result_count; i++) {
        if (describe(ctx, &function->values[i], extents, addresses[i], &arguments[i]))
            return 1;
        extents += function->values[i].rank;
    }
    return check_overlap(ctx, function, arguments);
}

/* ---- running ---------------------------------------------------------------------------------- */
static int32_t check_result(gmxrt_ctx *ctx, const gmxrt_library_value *value, const gmxrt_tensor *made,
                            const gmxrt_tensor *wanted) {
    for (int32_t k = 0; k < value->rank; k++)
        if (made->shape[k] != wanted->shape[k])
            return gmxrt_fail(ctx, RT_E0301, 0, "`%s` has extent %lld in axis %d, its type says %lld",
                              value->name, (long long)made->shape[k], k, (long long)wanted->shape[k]);
    return 0;
}

/* A result that is the memory of an argument, where another result goes there, has to be copied first. */
static int32_t set_apart(gmxrt_ctx *ctx, const gmxrt_library_function *function, const Argument *arguments,
                         gmxrt_tensor **results) {
    const Argument *outputs = arguments + function->parameter_count;
    for (int32_t i = 0; i < function->result_count; i++) {
        bool is_overwritten = false;
        for (int32_t o = 0; o < function->result_count; o++)
            is_overwritten = is_overwritten || (o != i && overlaps(results[i]->buffer, &outputs[o].buffer));
        if (!is_overwritten)
            continue;
        gmxrt_tensor *copy = gmxrt_tensor_new(ctx, results[i]->dtype, results[i]->rank, results[i]->shape, 0);
        if (!copy)
            return 1;
        gmxrt_view from = gmxrt_view_of(results[i]), to = gmxrt_view_of(copy);
        gmxrt_tensor_release(results[i]);
        results[i] = copy;
        if (gmxrt_copy(ctx, &from, &to, 0))
            return 1;
    }
    return 0;
}

static void run(gmxrt_ctx *ctx, const gmxrt_library_function *function, const gmxrt_library_code *code,
                Argument *arguments, gmxrt_tensor **tensors) {
    int32_t inputs = function->parameter_count, constants = function->constant_count;
    Argument *baked = arguments + inputs + function->result_count;
    gmxrt_tensor **results = tensors + inputs + constants;
    for (int32_t i = 0; i < inputs; i++)
        tensors[i] = &arguments[i].tensor;
    for (int32_t i = 0; i < constants; i++) {
        const gmxrt_library_constant *c = &function->constants[i];
        fill(&baked[i], c->data, c->dtype, c->rank, c->shape, gmxrt_bytes_of(c->dtype, c->rank, c->shape));
        tensors[inputs + i] = &baked[i].tensor;
    }
    if (code->run(ctx, tensors, results, NULL))
        return;
    int32_t failed = 0;
    for (int32_t i = 0; i < function->result_count && !failed; i++)
        failed = check_result(ctx, &function->values[inputs + i], results[i], &arguments[inputs + i].tensor);
    failed = failed || set_apart(ctx, function, arguments, results);
    for (int32_t i = 0; i < function->result_count; i++) {
        gmxrt_view from = gmxrt_view_of(results[i]), to = gmxrt_view_of(&arguments[inputs + i].tensor);
        if (!failed)
            failed = gmxrt_copy(ctx, &from, &to, 0);
        gmxrt_tensor_release(results[i]);
    }
}

/* "model.gmx:7:3: " in front of a message whose place is known. */
static void add_place(gmxrt_ctx *ctx, const gmxrt_library_function *function) {
    for (int32_t i = 0; i < function->place_count; i++)
        if (ctx->error.span && function->places[i].span == ctx->error.span) {
            char message[sizeof ctx->error.message];
            memcpy(message, ctx->error.message, sizeof message);
            snprintf(ctx->error.message, sizeof ctx->error.message, "%.200s: %.300s",
                     function->places[i].text, message);
            return;
        }
}

int32_t gmxrt_library_call(const gmxrt_library_function *function, const int64_t *dims,
                           const int64_t *extents, void *const *addresses) {
    gmxrt_ctx *ctx = gmxrt_library_enter();
    if (!ctx)
        return 1;
    size_t count = (size_t)function->parameter_count + (size_t)function->result_count +
                   (size_t)function->constant_count + 1;
    Argument *arguments = calloc(count, sizeof *arguments);
    gmxrt_tensor **tensors = calloc(count, sizeof *tensors);
    const gmxrt_library_code *code = code_for(function);
    if (!arguments || !tensors)
        gmxrt_fail(ctx, RT_E0306, 0, "memory cannot be had");
    else if (!code)
        gmxrt_fail(ctx, RT_E0501, 0, "`%s` needs a CPU with AVX2", function->name);
    else if (!describe_all(ctx, function, dims, extents, addresses, arguments))
        run(ctx, function, code, arguments, tensors);
    free(arguments);
    free(tensors);
    add_place(ctx, function);
    return gmxrt_library_leave(ctx);
}
