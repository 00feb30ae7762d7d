/* The runtime's objects: errors, the pooling allocator, tensors, threads, conversions, random
 * numbers, symbols. */
#include "tests/unit/rt_support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <unistd.h>

static gmxrt_memory_statistics statistics_of(const gmxrt_ctx *ctx) {
    gmxrt_memory_statistics statistics;
    gmxrt_memory_get_statistics(ctx, &statistics);
    return statistics;
}

Test(runtime_context, first_error_wins_and_clears) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    cr_assert_eq(gmxrt_fail_index(ctx, 7, 5, 1, 42), 1);
    cr_assert_eq(gmxrt_fail(ctx, RT_E0301, 43, "second"), 1);
    cr_assert_eq(ctx->error.code, RT_E0302);
    cr_assert_eq(ctx->error.span, 42);
    cr_assert_str_eq(ctx->error.message, "index 7 is out of range for axis 1 with size 5");
    gmxrt_ctx_clear(ctx);
    cr_assert_eq(ctx->error.code, 0);
    gmxrt_fail(ctx, RT_E0306, 1, "%0600d", 1);
    cr_assert_eq(strlen(ctx->error.message), sizeof ctx->error.message - 1);
    gmxrt_ctx_destroy(ctx);
    gmxrt_ctx_destroy(NULL);
}

/* Half of a last-level cache: of any machine, and the same for all contexts. */
Test(runtime_context, results_stream_from_a_plausible_size_on) {
    gmxrt_ctx *ctx = gmxrt_ctx_create(), *other = gmxrt_ctx_create_sharing(ctx);
    cr_assert_geq(ctx->stream_bytes, 1 << 19);
    cr_assert_leq(ctx->stream_bytes, 1 << 30);
    cr_assert_eq(other->stream_bytes, ctx->stream_bytes);
    gmxrt_ctx_destroy(other);
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_context, warnings_are_collected_up_to_a_limit) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    cr_assert_eq(gmxrt_warning_count(ctx), 0);
    for (int i = 0; i < 40; i++) {
        gmxrt_warning(ctx, RT_E0304, (uint64_t)i, "warning %d", i);
    }
    cr_assert_eq(gmxrt_warning_count(ctx), 16);
    cr_assert_str_eq(gmxrt_warning_get(ctx, 3)->message, "warning 3");
    cr_assert_null(gmxrt_warning_get(ctx, 16));
    cr_assert_eq(ctx->error.code, 0, "a warning is no error");
    gmxrt_ctx_clear(ctx);
    cr_assert_eq(gmxrt_warning_count(ctx), 0);
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_allocator, every_size_is_aligned_and_wholly_usable) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    for (int64_t bytes = 0; bytes < 5 << 20; bytes = bytes * 5 / 4 + 1) {
        gmxrt_buffer *buffer = gmxrt_buffer_new(ctx, bytes, 0);
        cr_assert_not_null(buffer);
        cr_assert_eq((uintptr_t)buffer->data % 64, 0);
        cr_assert_eq(buffer->bytes, bytes);
        memset(buffer->data, 1, (size_t)bytes);
        gmxrt_memory_statistics now = statistics_of(ctx);
        cr_assert_geq(now.bytes_in_use, bytes);
        cr_assert_leq(now.bytes_in_use, bytes + bytes / 3 + 64, "%lld for %lld", (long long)now.bytes_in_use,
                      (long long)bytes);
        gmxrt_buffer_release(buffer);
        cr_assert_eq(statistics_of(ctx).bytes_in_use, 0);
    }
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_allocator, memory_is_reused_within_a_class) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    gmxrt_buffer *first = gmxrt_buffer_new(ctx, 100000, 0);
    void *address = first->data;
    gmxrt_buffer_retain(first);
    gmxrt_buffer_release(first);
    cr_assert_eq(statistics_of(ctx).bytes_cached, 0, "one reference is left");
    gmxrt_buffer_release(first);
    cr_assert_gt(statistics_of(ctx).bytes_cached, 0);
    gmxrt_buffer *second = gmxrt_buffer_new(ctx, 99000, 0);
    cr_assert_eq(second->data, address);
    gmxrt_memory_statistics statistics = statistics_of(ctx);
    cr_assert_eq(statistics.allocations, 2);
    cr_assert_eq(statistics.reused, 1);
    gmxrt_buffer_release(second);
    gmxrt_memory_trim(ctx);
    cr_assert_eq(statistics_of(ctx).bytes_cached, 0);
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_allocator, the_cap_holds_and_the_cache_yields_to_it) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    gmxrt_memory_set_cap(ctx, 1 << 20);
    gmxrt_buffer *big = gmxrt_buffer_new(ctx, 600 << 10, 7);
    cr_assert_not_null(big);
    cr_assert_null(gmxrt_buffer_new(ctx, 600 << 10, 8));
    cr_assert_eq(ctx->error.code, RT_E0306);
    cr_assert_eq(ctx->error.span, 8);
    gmxrt_ctx_clear(ctx);
    gmxrt_buffer_release(big);
    gmxrt_buffer *other = gmxrt_buffer_new(ctx, 900 << 10, 0);
    cr_assert_not_null(other, "the cached 600 KiB must be given back");
    cr_assert_leq(statistics_of(ctx).bytes_in_use + statistics_of(ctx).bytes_cached, 1 << 20);
    gmxrt_buffer_release(other);
    cr_assert_null(gmxrt_buffer_new(ctx, (1 << 20) + 1, 0));
    gmxrt_memory_set_cap(ctx, 0);
    gmxrt_ctx_clear(ctx);
    other = gmxrt_buffer_new(ctx, (1 << 20) + 1, 0);
    cr_assert_not_null(other);
    gmxrt_buffer_release(other);
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_allocator, absurd_sizes_are_refused) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    const int64_t sizes[] = {-1, INT64_MIN, INT64_MAX, INT64_MAX / 2, INT64_MAX / 4, (int64_t)1 << 50};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        cr_assert_null(gmxrt_buffer_new(ctx, sizes[i], 0));
        cr_assert_eq(ctx->error.code, RT_E0306);
        gmxrt_ctx_clear(ctx);
    }
    gmxrt_memory_set_cap(ctx, INT64_MAX);
    cr_assert_null(gmxrt_buffer_new(ctx, INT64_MAX / 4, 0), "the system refuses it");
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_allocator, buffers_outlive_their_context) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    gmxrt_ctx *twin = gmxrt_ctx_create_sharing(ctx);
    gmxrt_tensor *tensor = gmxrt_tensor_new(twin, RT_f64, 1, (int64_t[]){100}, 0);
    cr_assert_geq(statistics_of(ctx).bytes_in_use, 800, "one allocator for both");
    gmxrt_ctx_destroy(ctx);
    gmxrt_ctx_destroy(twin);
    ((double *)tensor->data)[99] = 1;
    gmxrt_tensor_release(tensor);
}

static void count_release(void *owner) {
    ++*(int *)owner;
}

Test(runtime_allocator, lent_memory_is_given_back_once) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    int released = 0;
    double values[6] = {1, 2, 3, 4, 5, 6};
    gmxrt_buffer *buffer = gmxrt_buffer_lend(ctx, values, sizeof values, count_release, &released);
    int64_t shape[] = {2, 3}, strides[] = {3, 1};
    gmxrt_tensor *tensor = gmxrt_tensor_make(ctx, buffer, values, RT_f64, 2, shape, strides);
    gmxrt_buffer_release(buffer);
    cr_assert_eq(released, 0);
    gmxrt_tensor_retain(tensor);
    gmxrt_tensor_release(tensor);
    gmxrt_tensor_release(tensor);
    cr_assert_eq(released, 1);
    gmxrt_buffer immortal = {.references = GMXRT_IMMORTAL};
    gmxrt_buffer_retain(&immortal);
    gmxrt_buffer_release(&immortal);
    gmxrt_buffer_release(&immortal);
    cr_assert_eq(immortal.references, GMXRT_IMMORTAL);
    gmxrt_buffer_release(NULL);
    gmxrt_tensor_release(NULL);
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_tensor, sizes_are_checked) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    int64_t huge[] = {(int64_t)1 << 40, (int64_t)1 << 40};
    cr_assert_eq(gmxrt_bytes_of(RT_f32, 2, huge), -1);
    cr_assert_eq(gmxrt_bytes_of(RT_f64, 1, (int64_t[]){INT64_MAX / 8 + 1}), -1);
    cr_assert_eq(gmxrt_bytes_of(RT_f64, 1, (int64_t[]){-1}), -1);
    cr_assert_eq(gmxrt_bytes_of(RT_f64, 3, (int64_t[]){(int64_t)1 << 62, 0, (int64_t)1 << 62}), 0);
    cr_assert_eq(gmxrt_bytes_of(RT_f64, 3, (int64_t[]){0, -1, 2}), -1);
    cr_assert_eq(gmxrt_bytes_of(RT_c128, 0, NULL), 16);
    cr_assert_null(gmxrt_tensor_new(ctx, RT_f32, 2, huge, 5));
    cr_assert_eq(ctx->error.code, RT_E0306);
    gmxrt_ctx_clear(ctx);
    cr_assert_null(gmxrt_tensor_new(ctx, RT_f32, 1, (int64_t[]){-3}, 5));
    cr_assert_str_eq(ctx->error.message, "axis 0 has the negative size -3");
    gmxrt_ctx_destroy(ctx);
}

Test(runtime_tensor, contiguity_ignores_axes_of_one_and_empty_tensors) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    gmxrt_tensor *t = gmxrt_tensor_new(ctx, RT_i32, 3, (int64_t[]){2, 1, 3}, 0);
    cr_assert(gmxrt_tensor_is_contiguous(t));
    cr_assert_eq(gmxrt_tensor_size(t), 6);
    t->strides[1] = 77;
    cr_assert(gmxrt_tensor_is_contiguous(t));
    t->strides[2] = 2;
    cr_assert_not(gmxrt_tensor_is_contiguous(t));
    t->shape[0] = 0;
    cr_assert(gmxrt_tensor_is_contiguous(t));
    cr_assert_eq(gmxrt_tensor_size(t), 0);
    gmxrt_tensor_release(t);
    t = gmxrt_tensor_new(ctx, RT_i32, 0, NULL, 0);
    cr_assert_eq(gmxrt_tensor_size(t), 1);
    cr_assert(gmxrt_tensor_is_contiguous(t));
    gmxrt_tensor_release(t);
    gmxrt_ctx_destroy(ctx);
}

/* ---- threads -------------------------------------------------------------------------------- */

enum { VISITS = 100000 };

static void visit_body(void *arguments, int64_t begin, int64_t end) {
    uint8_t *visits = arguments;
    for (int64_t i = begin; i < end; i++) {
        visits[i]++;
    }
}

Test(runtime_pool, every_index_is_visited_once) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    uint8_t *visits = calloc(VISITS, 1);
    const int64_t counts[] = {0, 1, 2, 17, 255, 256, 257, 1000, VISITS};
    const int64_t grains[] = {-5, 0, 1, 2, 16, 300, VISITS, INT64_MAX};
    int expected[VISITS] = {0};
    for (int threads = 1; threads <= 3; threads++) {
        gmxrt_set_threads(threads);
        cr_assert_eq(gmxrt_get_threads(), threads);
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            for (size_t g = 0; g < sizeof grains / sizeof *grains; g++) {
                gmxrt_parallel_for(ctx, visit_body, visits, counts[c], grains[g]);
                for (int64_t i = 0; i < counts[c]; i++) {
                    expected[i]++;
                }
            }
        }
    }
    for (int64_t i = 0; i < VISITS; i++) {
        cr_assert_eq(visits[i], expected[i] % 256, "index %lld", (long long)i);
    }
    free(visits);
    gmxrt_set_threads(0);
    cr_assert_geq(gmxrt_get_threads(), 1);
    gmxrt_ctx_destroy(ctx);
}

typedef struct Chunks {
    pthread_mutex_t lock;
    int64_t begin_sum, count;
} Chunks;

static void record_body(void *arguments, int64_t begin, int64_t end) {
    Chunks *chunks = arguments;
    pthread_mutex_lock(&chunks->lock);
    chunks->begin_sum += begin * 31 + end;
    chunks->count++;
    pthread_mutex_unlock(&chunks->lock);
}

Test(runtime_pool, the_partition_does_not_depend_on_threads) {
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    for (int64_t count = 1; count < 100000; count = count * 3 + 1) {
        Chunks reference = {0};
        for (int threads = 1; threads <= 4; threads++) {
            Chunks chunks = {.lock = PTHREAD_MUTEX_INITIALIZER};
            gmxrt_set_threads(threads);
            gmxrt_parallel_for(ctx, record_body, &chunks, count, 16);
            cr_assert_leq(chunks.count, GMXRT_MAX_CHUNKS);
            if (threads == 1) {
                reference = chunks;
            }
            cr_assert_eq(chunks.count, reference.count);
            cr_assert_eq(chunks.begin_sum, reference.begin_sum);
        }
    }
    gmxrt_ctx_destroy(ctx);
}

/* ---- numbers -------------------------------------------------------------------------------- */

Test(runtime_convert, every_f16_survives_and_rounding_is_to_nearest_even) {
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        float value = gmxrt_f16_to_f32((uint16_t)bits);
        if (isnan(value)) {
            cr_assert(isnan(gmxrt_f16_to_f32(gmxrt_f32_to_f16(value))));
            continue;
        }
        cr_assert_eq(gmxrt_f32_to_f16(value), bits);
        /* closed form: sign * fraction * 2^exponent */
        int exponent = (int)(bits >> 10 & 31), fraction = (int)(bits & 1023);
        if (exponent < 31) {
            double magnitude = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
            cr_assert_eq((double)value, bits & 0x8000 ? -magnitude : magnitude);
        }
        if ((bits & 0x7FFF) < 0x7BFF) { /* half way to the next one: the even one of the two */
            double next = (double)gmxrt_f16_to_f32((uint16_t)(bits + 1));
            double middle = ((double)value + next) / 2;
            cr_assert_eq(gmxrt_f64_to_f16(middle), bits & 1 ? bits + 1 : bits);
            cr_assert_eq(gmxrt_f64_to_f16(nextafter(middle, next)), bits + 1, "one rounding from f64");
        }
    }
    cr_assert_eq(gmxrt_f32_to_f16(65519.99f), 0x7BFF);
    cr_assert_eq(gmxrt_f32_to_f16(65520.0f), 0x7C00);
    cr_assert_eq(gmxrt_f32_to_f16(-INFINITY), 0xFC00);
    cr_assert_eq(gmxrt_f32_to_f16(1e-10f), 0);
}

Test(runtime_convert, bf16_is_the_upper_half_rounded) {
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        float value = gmxrt_bf16_to_f32((uint16_t)bits);
        if (isnan(value)) {
            cr_assert(isnan(gmxrt_bf16_to_f32(gmxrt_f32_to_bf16(value))));
        } else {
            cr_assert_eq(gmxrt_f32_to_bf16(value), bits);
        }
    }
    cr_assert_eq(gmxrt_f32_to_bf16(1.00390625f), 0x3F80, "1 + 2^-8 is a tie: to even");
    cr_assert_eq(gmxrt_f32_to_bf16(1.01171875f), 0x3F82, "1 + 3 * 2^-8 is a tie: to even");
    cr_assert_eq(gmxrt_f32_to_bf16(3.4e38f), 0x7F80, "overflow");
}

Test(runtime_random, known_answers_of_philox4x32_10) {
    /* from Random123's kat_vectors */
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } rows[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t out[4];
        gmxrt_philox_block(rows[i].counter, rows[i].key, out);
        cr_assert_arr_eq(out, rows[i].out, sizeof out);
    }
    uint32_t narrow[4], wide[4];
    gmxrt_philox(0x123456789abcdef0, 0x0fedcba987654321, narrow);
    gmxrt_philox_block((uint32_t[]){0x87654321, 0x0fedcba9, 0, 0}, (uint32_t[]){0x9abcdef0, 0x12345678},
                       wide);
    cr_assert_arr_eq(narrow, wide, sizeof wide);
}

Test(runtime_symbols, names_are_unique_and_addresses_set) {
    size_t count;
    const gmxrt_symbol *symbols = gmxrt_symbols(&count);
    bool found_matmul = false, found_erff = false;
    for (size_t i = 0; i < count; i++) {
        cr_assert_not_null(symbols[i].address);
        found_matmul |= strcmp(symbols[i].name, "gmxrt_matmul") == 0;
        found_erff |= strcmp(symbols[i].name, "erff") == 0;
        for (size_t k = 0; k < i; k++) {
            cr_assert_str_neq(symbols[i].name, symbols[k].name);
        }
    }
    cr_assert(found_matmul && found_erff);
}
