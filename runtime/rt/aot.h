/* What a library made by gmxc needs beside gmxrt.h: a context for each calling thread, and the text
 * of the last error.  Exported functions are called gmx_ and are preemptible, so that several GMX
 * libraries in one process agree on one. */
#ifndef GMX_RUNTIME_RT_AOT_H
#define GMX_RUNTIME_RT_AOT_H

#include "runtime/rt/gmxrt.h"

/* Why the last call on this thread failed; "" if it did not.  Valid until the next call. */
const char *gmx_last_error(void);
/* The thread's buffer behind gmx_last_error: `text` is copied, cut to what it holds. */
void gmx_set_last_error(const char *text);

/* The context of this thread, made on its first call, cleared of the last call's error and warnings;
 * NULL when memory cannot be had (the last error says so).  All share one allocator. */
gmxrt_ctx *gmxrt_library_enter(void);
/* Ends a call: with an error on `ctx`, stores it for gmx_last_error and returns 1; else clears it and
 * returns 0. */
int32_t gmxrt_library_leave(gmxrt_ctx *ctx);

#endif
