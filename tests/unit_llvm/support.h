/* What the tests of the LLVM back end share: a session's worth of arena, module, back end and context, and
 * tensors made from C arrays. */
#ifndef GMX_TESTS_UNIT_LLVM_SUPPORT_H
#define GMX_TESTS_UNIT_LLVM_SUPPORT_H

#include "codegen/backend.h"
#include "runtime/rt/runtime.h"
#include <stdbool.h>

typedef struct Bench {
    Arena arena;
    Interner names;
    DiagSink sink;
    IrModule *module;
    Backend *backend;
    gmxrt_ctx *ctx;
} Bench;

void bench_begin(Bench *bench, const char *cache_directory);
void bench_end(Bench *bench); /* asserts that every buffer went back */
/* A fresh module and function in the same session. */
IrBuilder bench_function(Bench *bench, const char *name);
/* Compiles function 0 of the module, which must work. */
CompiledFunction bench_compile(Bench *bench);
BackendStatistics bench_statistics(const Bench *bench);
const char *bench_message(const Bench *bench); /* of the last compile error */

gmxrt_tensor *bench_f64(Bench *bench, int32_t rank, const int64_t *shape, const double *values);
gmxrt_tensor *bench_i64(Bench *bench, int64_t value);
double bench_at(const gmxrt_tensor *tensor, const int64_t *index); /* an f64 element through the strides */
int64_t bench_value(gmxrt_tensor *tensor);                         /* of an i64 scalar, which is released */
/* One i64 scalar in, one out; -1 after a failure. */
int64_t bench_call1(Bench *bench, CompiledFunction function, int64_t x);

/* A new empty directory under the build folder; remove_directory takes it away. */
void make_directory(char path[256]);
void remove_directory(const char *path);
int count_files(const char *path, const char *suffix);

#endif
