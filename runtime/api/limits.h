/* What this machine can do at most: measured once per CPU and number of threads, kept beside the object
 * cache. */
#ifndef GMX_RUNTIME_API_LIMITS_H
#define GMX_RUNTIME_API_LIMITS_H

#include "runtime/rt/runtime.h"

#include <stdio.h>

typedef struct MachineLimits {
    int32_t threads;
    double read, write; /* bytes per second to and from memory, in long runs */
    double f32, f64;    /* operations per second of multiply-adds, two each */
} MachineLimits;

/* From the file `limits` in `directory` (NULL: nowhere), else measured, which takes less than 300 ms, and
 * written there.  `again`: measured in any case.  false: memory for it cannot be had. */
bool limits_get(gmxrt_ctx *ctx, const char *directory, bool again, MachineLimits *out);

/* The model of the CPU. */
void limits_cpu_name(char name[128]);
/* A file beside `path` to write to, which limits_file_finish makes `path` if all was written, else removes.
 * NULL: there can be none. `temporary` keeps its name. */
FILE *limits_file_start(const char *path, char *temporary, size_t size);
void limits_file_finish(FILE *file, const char *temporary, const char *path);

#endif
