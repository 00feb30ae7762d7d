/* Back ends: what a code generator offers to the session, whatever it targets.
 *
 * A back end turns a module whose functions went through `memory` into something that runs in this process,
 * or into a file.  It sees the IR and the ABI header of the runtime, never the front end or a session. */
#ifndef GMX_CODEGEN_BACKEND_H
#define GMX_CODEGEN_BACKEND_H

#include "ir/ir.h"
#include "ir/kernel.h"
#include "runtime/rt/gmxrt.h"

struct ExportList; /* ir/export.h */

/* A compiled function: parameters are borrowed; results (one per result of the IR function that is not a
 * token) get one reference each, scalars as 0-d tensors.  Nonzero: ctx->error says why and no result is set.
 */
typedef int32_t (*CompiledFunction)(gmxrt_ctx *ctx, gmxrt_tensor *const *parameters, gmxrt_tensor **results);

typedef struct BackendOptions {
    /* NULL or "native": this machine; "x86-64-v3", ….  Libraries with exports: NULL means x86-64-v3 and v4
     * code, chosen at run time. */
    const char *target_cpu;
    int optimization;            /* 0…3 */
    const char *cache_directory; /* object cache; NULL: none */
    int64_t cache_bytes;         /* limit; 0: the default 512 MB */
    /* For EMIT_SHARED: libgmxrt.a; NULL: beside the back end's library. */
    const char *runtime_archive;
    /* What generated code may call: gmxrt_symbols() of the runtime that the contexts come from. */
    const gmxrt_symbol *symbols;
    size_t symbol_count;
    /* Code that is run in this process measures every kernel and library call (gmxrt_profile_*). */
    bool profile;
} BackendOptions;

typedef struct BackendStatistics {
    uint64_t functions_compiled; /* LLVM ran for a host function */
    uint64_t kernels_compiled;   /* LLVM ran for a kernel */
    uint64_t memory_hits, disk_hits, disk_misses;
} BackendStatistics;

typedef enum EmitKind { EMIT_LLVM, EMIT_ASSEMBLY, EMIT_OBJECT, EMIT_SHARED } EmitKind;

typedef struct Backend Backend; /* one per session; owns its JIT and its code */
typedef struct BackendInterface {
    const char *name;
    /* NULL after *message (malloc'ed) was set. */
    Backend *(*create)(const BackendOptions *options, char **message);
    void (*destroy)(Backend *backend);
    /* Compiles (or finds in a cache) the module's function number `index` with all kernels it launches.
     * Errors go to `sink` (E0502).  Thread-safe for different back ends. */
    CompiledFunction (*compile)(Backend *backend, IrModule *module, uint32_t index, DiagSink *sink);
    BackendStatistics (*statistics)(const Backend *backend);
    /* Writes text or an object for all functions of the module to `path` (a temporary name, then renamed;
     * "-": standard output). `exports` (EMIT_OBJECT, EMIT_SHARED): C entry points, see ir/export.h.  0,
     * or nonzero with *message set. */
    int (*emit)(Backend *backend, IrModule *module, const struct ExportList *exports, EmitKind kind,
                const char *path, char **message);
} BackendInterface;

/* libgmx-llvm.so exports this one symbol; it is loaded at the first compilation. */
const BackendInterface *gmx_llvm_backend(void);
typedef const BackendInterface *(*BackendEntry)(void);

#endif
