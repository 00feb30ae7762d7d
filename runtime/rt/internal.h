/* What the files of runtime/rt share among themselves and show to nobody else. */
#ifndef GMX_RUNTIME_RT_INTERNAL_H
#define GMX_RUNTIME_RT_INTERNAL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* before the first system header: every file includes this one first */
#endif

#include "runtime/rt/runtime.h"

/* allocator.c: reference-counted, because buffers may outlive the context that made them. */
gmxrt_allocator *allocator_create(void);
void allocator_retain(gmxrt_allocator *allocator);
void allocator_release(gmxrt_allocator *allocator);

/* pool.c: the pool of this process.  Exported and preemptible, so that several GMX libraries in
 * one process agree on one. */
gmxrt_pool *gmx_shared_pool_v1(void);
/* How many loops its workers were called to, modulo 2^32: work that ran on its caller does not count. */
uint32_t pool_loops(const gmxrt_pool *pool);

/* profile.c */
void profile_free(struct gmxrt_profile *profile); /* NULL is allowed */

/* library.c: the level of x86-64 that this machine and its system offer. */
int64_t rt_cpu_level(void);
/* machine.c: bytes of the last-level cache that the first CPU shares with others. */
int64_t machine_cache_bytes(void);

/* tensor.c */
int64_t view_size(const gmxrt_view *view);
bool view_is_contiguous(const gmxrt_view *view);
void view_make_contiguous(gmxrt_view *view); /* sets its strides; the size must fit */
/* Product of extents; -1 if one is negative or the product does not fit i64. */
int64_t shape_product(int32_t rank, const int64_t *shape);

/* ---- progress.c: the bar of a loop */
void progress_step(gmxrt_ctx *ctx, const char *label, int64_t done, int64_t count, uint64_t span);
void progress_report(gmxrt_ctx *ctx, const char *text, size_t length);
void progress_make_room(gmxrt_ctx *ctx); /* for other output: the bar is drawn again below it */
void progress_abandon(gmxrt_ctx *ctx);   /* the loop failed */

#endif
