/* Contexts and errors of compiled libraries; see aot.h. */
#include "runtime/rt/internal.h"

#include "runtime/rt/aot.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default"), weak))

static _Thread_local char last_error[800];

EXPORTED const char *gmx_last_error(void) {
    return last_error;
}

EXPORTED void gmx_set_last_error(const char *text) {
    snprintf(last_error, sizeof last_error, "%s", text);
}

/* The first context of the process lends its allocator to those of other threads and stays; theirs
 * go when their threads end. */
static gmxrt_ctx *first_context;
static pthread_key_t context_key;
static bool key_made;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void destroy_context(void *ctx) {
    gmxrt_ctx_destroy(ctx);
}

static void prepare(void) {
    first_context = gmxrt_ctx_create();
    key_made = pthread_key_create(&context_key, destroy_context) == 0;
}

gmxrt_ctx *gmxrt_library_enter(void) {
    pthread_once(&once, prepare);
    gmxrt_ctx *ctx = key_made ? pthread_getspecific(context_key) : NULL;
    if (!ctx && key_made && first_context) {
        ctx = gmxrt_ctx_create_sharing(first_context);
        if (ctx && pthread_setspecific(context_key, ctx) != 0) {
            gmxrt_ctx_destroy(ctx);
            ctx = NULL;
        }
    }
    if (!ctx) {
        gmx_set_last_error("no memory for the context of this thread");
        return NULL;
    }
    gmxrt_ctx_clear(ctx);
    return ctx;
}

int32_t gmxrt_library_leave(gmxrt_ctx *ctx) {
    if (ctx->error.code == 0) {
        gmx_set_last_error("");
        return 0;
    }
    gmx_set_last_error(ctx->error.message);
    return 1;
}

/* When the library is closed: threads that end later must not call into it. */
__attribute__((destructor)) static void close_library(void) {
    if (!key_made) {
        return;
    }
    gmxrt_ctx_destroy(pthread_getspecific(context_key));
    pthread_setspecific(context_key, NULL);
    pthread_key_delete(context_key);
    gmxrt_ctx_destroy(first_context);
    key_made = false;
    first_context = NULL;
}
