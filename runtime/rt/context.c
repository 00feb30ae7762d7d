/* Contexts: creation, the error slot (the first error wins, also when several threads of a
 * parallel loop fail at once), hints and collected warnings. */
#include "runtime/rt/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { WARNING_LIMIT = 16 };

struct gmxrt_warnings {
    int32_t count;
    gmxrt_error list[WARNING_LIMIT];
};

static gmxrt_ctx *context_make(gmxrt_allocator *allocator) {
    gmxrt_ctx *ctx = calloc(1, sizeof *ctx);
    if (!ctx) {
        return NULL;
    }
    ctx->pool = gmx_shared_pool_v1();
    ctx->allocator = allocator;
    /* Half of the last-level cache: what a launch writes and reads is then about all of it, and whoever reads
     * the result next would find little of it there. */
    ctx->stream_bytes = machine_cache_bytes() / 2;
    return ctx;
}

gmxrt_ctx *gmxrt_ctx_create(void) {
    gmxrt_allocator *allocator = allocator_create();
    if (!allocator) {
        return NULL;
    }
    gmxrt_ctx *ctx = context_make(allocator);
    if (!ctx) {
        allocator_release(allocator);
    }
    return ctx;
}

gmxrt_ctx *gmxrt_ctx_create_sharing(const gmxrt_ctx *other) {
    gmxrt_ctx *ctx = context_make(other->allocator);
    if (ctx) {
        allocator_retain(other->allocator);
    }
    return ctx;
}

void gmxrt_ctx_destroy(gmxrt_ctx *ctx) {
    if (!ctx) {
        return;
    }
    allocator_release(ctx->allocator);
    free(ctx->warnings);
    profile_free(ctx->profile);
    free(ctx->progress);
    free(ctx);
}

void gmxrt_ctx_clear(gmxrt_ctx *ctx) {
    progress_abandon(ctx);
    ctx->error.code = 0;
    ctx->error.span = 0;
    ctx->error.message[0] = '\0';
    ctx->error.hint[0] = '\0';
    if (ctx->warnings) {
        ctx->warnings->count = 0;
    }
}

int32_t gmxrt_fail(gmxrt_ctx *ctx, int32_t code, uint64_t span, const char *format, ...) {
    int32_t none = 0;
    /* The claim and the fill are one step to readers: they look after the loop has been joined. */
    if (!__atomic_compare_exchange_n(&ctx->error.code, &none, code, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED)) {
        return 1;
    }
    ctx->error.span = span;
    ctx->error.hint[0] = '\0';
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(ctx->error.message, sizeof ctx->error.message, format, arguments);
    va_end(arguments);
    return 1;
}

void gmxrt_set_hint(gmxrt_ctx *ctx, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(ctx->error.hint, sizeof ctx->error.hint, format, arguments);
    va_end(arguments);
}

void gmxrt_warning(gmxrt_ctx *ctx, int32_t code, uint64_t span, const char *format, ...) {
    if (!ctx->warnings) {
        ctx->warnings = calloc(1, sizeof *ctx->warnings);
    }
    if (!ctx->warnings || ctx->warnings->count == WARNING_LIMIT) {
        return;
    }
    gmxrt_error *warning = &ctx->warnings->list[ctx->warnings->count++];
    warning->code = code;
    warning->span = span;
    warning->hint[0] = '\0';
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(warning->message, sizeof warning->message, format, arguments);
    va_end(arguments);
}

int32_t gmxrt_warning_count(const gmxrt_ctx *ctx) {
    return ctx->warnings ? ctx->warnings->count : 0;
}

const gmxrt_error *gmxrt_warning_get(const gmxrt_ctx *ctx, int32_t index) {
    return index >= 0 && index < gmxrt_warning_count(ctx) ? &ctx->warnings->list[index] : NULL;
}

int32_t gmxrt_fail_extents(gmxrt_ctx *ctx, const char *message, int64_t left, int64_t right, uint64_t span) {
    return gmxrt_fail(ctx, RT_E0301, span, "%s: %lld and %lld", message, (long long)left, (long long)right);
}

int32_t gmxrt_fail_index(gmxrt_ctx *ctx, int64_t index, int64_t extent, int64_t axis, uint64_t span) {
    return gmxrt_fail(ctx, RT_E0302, span, "index %lld is out of range for axis %lld with size %lld",
                      (long long)index, (long long)axis, (long long)extent);
}

int32_t gmxrt_fail_message(gmxrt_ctx *ctx, int32_t code, const char *message, uint64_t span) {
    return gmxrt_fail(ctx, code, span, "%s", message);
}
