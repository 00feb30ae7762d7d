/* The LLVM back end's state, for the files of codegen/llvm that implement its interface. */
#ifndef GMX_CODEGEN_LLVM_BACKEND_H
#define GMX_CODEGEN_LLVM_BACKEND_H

#include "codegen/backend.h"
#include "codegen/llvm/cache.h"
#include "codegen/llvm/compile.h"
#include "codegen/llvm/jit.h"
#include <pthread.h>

typedef struct LoadedCode { /* open addressing by key; address NULL: free */
    Digest key;
    void *address;
} LoadedCode;

typedef struct LazyKernel { /* compiled when the runtime asks for it */
    gmxrt_lazy_kernel lazy; /* first: `make` gets its address */
    struct LazyKernel *next;
    Backend *backend;
    Digest key;
    bool was_missed; /* it is not in the disk cache */
    char *text;      /* of the kernel, malloc'ed */
} LazyKernel;

struct Backend {
    LlvmTarget target;
    TargetMachines machines[COMPILE_WORKERS];
    Jit *jit; /* NULL while only files are made */
    ObjectCache *cache;
    Digest configuration; /* everything but the code itself that objects depend on */
    pthread_mutex_t lock;
    LoadedCode *loaded;
    uint32_t loaded_count, loaded_capacity;
    LazyKernel *lazy;
    void **tables; /* constants of thunks, freed with the back end */
    uint32_t table_count, table_capacity;
    BackendStatistics statistics;
    const gmxrt_symbol *symbols;
    size_t symbol_count;
    bool is_default_cpu; /* no target was named */
    bool profile;
    char *runtime_archive; /* malloc'ed, or NULL */
};

/* emit.c */
int backend_emit(Backend *backend, IrModule *module, const struct ExportList *exports, EmitKind kind,
                 const char *path, char **message);

#endif
