/* What compiled libraries rely on: contexts per thread, and the last error. */
#include "runtime/rt/aot.h"
#include "runtime/rt/runtime.h"

#include <criterion/criterion.h>
#include <pthread.h>

static void *other_thread(void *argument) {
    gmxrt_ctx *ctx = gmxrt_library_enter();
    cr_assert_neq(ctx, argument, "a context of its own");
    cr_assert_eq(ctx->allocator, ((gmxrt_ctx *)argument)->allocator, "over one allocator");
    cr_assert_str_eq(gmx_last_error(), "");
    gmxrt_fail(ctx, RT_E0301, 0, "of the other thread");
    cr_assert_eq(gmxrt_library_leave(ctx), 1);
    cr_assert_str_eq(gmx_last_error(), "of the other thread");
    return NULL;
}

Test(runtime_aot, each_thread_has_its_context_and_error) {
    gmxrt_ctx *ctx = gmxrt_library_enter();
    cr_assert_not_null(ctx);
    cr_assert_eq(gmxrt_library_leave(ctx), 0);
    cr_assert_str_eq(gmx_last_error(), "");
    cr_assert_eq(gmxrt_library_enter(), ctx, "the same one on the next call");
    gmxrt_fail(ctx, RT_E0301, 0, "of this thread");
    cr_assert_eq(gmxrt_library_leave(ctx), 1);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, other_thread, ctx), 0);
    pthread_join(thread, NULL);
    cr_assert_str_eq(gmx_last_error(), "of this thread");
    cr_assert_eq(gmxrt_library_enter()->error.code, 0, "cleared");
}
