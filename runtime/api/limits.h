/* What this machine can do at most: measured once per CPU and number of threads, kept beside the object
 * cache. */
#ifndef GMX_RUNTIME_API_LIMITS_H
#define GMX_RUNTIME_API_LIMITS_H

#include "runtime/rt/runtime.h"

typedef struct MachineLimits {
    int32_t threads;
    double read, write; /* bytes per second to and from memory, in long runs */
    double f32, f64;    /* operations per second of multiply-adds, two each */
} MachineLimits;

/* From the file `limits` in `directory` (NULL: nowhere), else measured, which takes less than 300 ms, and
 * written there.  `again`: measured in any case.  false: memory for it cannot be had. */
bool limits_get(gmxrt_ctx *ctx, const char *directory, bool again, MachineLimits *out);

#endif
