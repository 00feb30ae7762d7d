/* The back end of a session: finds code in memory, then on disk, then makes it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "codegen/llvm/backend.h"
#include "ir/text.h"
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* ---- what objects depend on -------------------------------------------------------------------------- */
typedef struct BuildId {
    uintptr_t inside; /* an address of the library that is asked for */
    Digester *digester;
    bool found;
} BuildId;

static bool holds_address(const struct dl_phdr_info *info, uintptr_t address) {
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_LOAD && address >= begin && address - begin < segment->p_memsz)
            return true;
    }
    return false;
}

static void add_notes(BuildId *id, const uint8_t *at, size_t size) {
    while (size >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)at;
        size_t name = (note->n_namesz + 3u) & ~3u, length = (note->n_descsz + 3u) & ~3u;
        if (sizeof *note + name + length > size)
            return;
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(note + 1, "GNU", 4) == 0) {
            digest_add(id->digester, at + sizeof *note + name, note->n_descsz);
            id->found = true;
        }
        at += sizeof *note + name + length;
        size -= sizeof *note + name + length;
    }
}

static int visit_library(struct dl_phdr_info *info, size_t size, void *user) {
    (void)size;
    BuildId *id = user;
    if (!holds_address(info, id->inside))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_NOTE)
            add_notes(id, (const uint8_t *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr),
                      info->dlpi_phdr[i].p_memsz);
    return 1;
}

/* The library's ELF build id; without one, its size and time of change. */
static void add_build_id(Digester *digester) {
    BuildId id = {.inside = (uintptr_t)&visit_library, .digester = digester};
    dl_iterate_phdr(visit_library, &id);
    Dl_info info;
    struct stat status;
    if (!id.found && dladdr((void *)id.inside, &info) && info.dli_fname &&
        stat(info.dli_fname, &status) == 0) {
        digest_add_u64(digester, (uint64_t)status.st_size);
        digest_add_u64(digester, (uint64_t)status.st_mtim.tv_sec);
        digest_add_u64(digester, (uint64_t)status.st_mtim.tv_nsec);
    }
}

static Digest configuration_of(const LlvmTarget *target) {
    Digester digester;
    unsigned major, minor, patch;
    LLVMGetVersion(&major, &minor, &patch);
    digest_begin(&digester);
    digest_add_u64(&digester, GMXRT_ABI);
    digest_add_u64(&digester, (uint64_t)major << 32 | minor << 16 | patch);
    digest_add_text(&digester, target->cpu);
    digest_add_text(&digester, target->features);
    digest_add_u64(&digester, (uint64_t)target->optimization);
    digest_add_u64(&digester, target->vector_bits);
    add_build_id(&digester);
    return digest_end(&digester);
}

static Digest combine(const Digest *configuration, char kind, const Digest *code) {
    Digester digester;
    digest_begin(&digester);
    digest_add(&digester, configuration, sizeof *configuration);
    digest_add(&digester, &kind, 1);
    digest_add(&digester, code, sizeof *code);
    return digest_end(&digester);
}

static void symbol_of(const Digest *key, char kind, char symbol[SYMBOL_SIZE]) {
    char hex[DIGEST_HEX];
    digest_hex(key, hex);
    snprintf(symbol, SYMBOL_SIZE, "gmx%c_%s", kind, hex);
}

/* ---- code in memory ---------------------------------------------------------------------------------- */
static LoadedCode *loaded_slot(LoadedCode *items, uint32_t capacity, const Digest *key) {
    uint64_t start;
    memcpy(&start, key->bytes, sizeof start);
    for (uint64_t i = start;; i++) {
        LoadedCode *slot = &items[i & (capacity - 1)];
        if (!slot->address || memcmp(&slot->key, key, sizeof *key) == 0)
            return slot;
    }
}

static void *loaded_find(const Backend *backend, const Digest *key) {
    return backend->loaded_capacity ? loaded_slot(backend->loaded, backend->loaded_capacity, key)->address
                                    : NULL;
}

static bool loaded_add(Backend *backend, const Digest *key, void *address) {
    if (backend->loaded_count * 2 >= backend->loaded_capacity) {
        uint32_t capacity = backend->loaded_capacity ? backend->loaded_capacity * 2 : 64;
        LoadedCode *items = calloc(capacity, sizeof *items);
        if (!items)
            return false;
        for (uint32_t i = 0; i < backend->loaded_capacity; i++)
            if (backend->loaded[i].address)
                *loaded_slot(items, capacity, &backend->loaded[i].key) = backend->loaded[i];
        free(backend->loaded);
        backend->loaded = items;
        backend->loaded_capacity = capacity;
    }
    *loaded_slot(backend->loaded, backend->loaded_capacity, key) = (LoadedCode){*key, address};
    backend->loaded_count++;
    return true;
}

/* ---- creation ---------------------------------------------------------------------------------------- */
static void backend_destroy(Backend *backend) {
    if (!backend)
        return;
    jit_destroy(backend->jit);
    cache_close(backend->cache);
    for (int i = 0; i < COMPILE_WORKERS; i++)
        target_machines_dispose(&backend->machines[i]);
    target_dispose(&backend->target);
    for (uint32_t i = 0; i < backend->table_count; i++)
        free(backend->tables[i]);
    free(backend->tables);
    for (LazyKernel *lazy = backend->lazy, *next; lazy; lazy = next) {
        next = lazy->next;
        free(lazy->text);
        free(lazy);
    }
    free(backend->runtime_archive);
    free(backend->loaded);
    pthread_mutex_destroy(&backend->lock);
    free(backend);
}

static Backend *backend_create(const BackendOptions *options, char **message) {
    Backend *backend = calloc(1, sizeof *backend);
    if (!backend) {
        *message = llvm_format("memory cannot be had");
        return NULL;
    }
    pthread_mutex_init(&backend->lock, NULL);
    backend->symbols = options->symbols;
    backend->symbol_count = options->symbol_count;
    backend->is_default_cpu = !options->target_cpu;
    backend->profile = options->profile;
    backend->runtime_archive = options->runtime_archive ? strdup(options->runtime_archive) : NULL;
    if (!target_init(&backend->target, options->target_cpu, options->optimization, message)) {
        backend_destroy(backend);
        return NULL;
    }
    backend->configuration = configuration_of(&backend->target);
    backend->cache = cache_open(options->cache_directory, options->cache_bytes);
    return backend;
}

/* ---- compiling --------------------------------------------------------------------------------------- */
typedef struct Compilation {
    Backend *backend;
    IrModule *module;
    const IrFunction *function;
    Arena arena;
    const char **symbols; /* by kernel number; NULL: not launched here */
    VEC(CompileJob) missing;
    HostPlan plan;
    char message[600];
    void *entry;
} Compilation;

static bool failed(Compilation *c, const char *what, const char *text) {
    snprintf(c->message, sizeof c->message, "%s%s", what, text ? text : "unknown error");
    return false;
}

/* Loads an object from the disk cache; false on a miss. */
static bool load_cached(Compilation *c, const Digest *key, const char *symbol, void **address) {
    char *data, *message = NULL;
    size_t length;
    if (!cache_get(c->backend->cache, key, &data, &length)) {
        c->backend->statistics.disk_misses += c->backend->cache != NULL;
        return false;
    }
    bool added = jit_add(c->backend->jit, data, length, symbol, address, &message);
    free(data);
    free(message);
    c->backend->statistics.disk_hits += added;
    return added;
}

/* Gives the kernel a symbol; code for it is in memory, comes from the disk, or becomes a job. */
static bool need_kernel(Compilation *c, const Kernel *kernel, int64_t number) {
    if (c->symbols[number])
        return true;
    Digest text = compile_kernel_key(kernel);
    CompileJob job = {.kernel = kernel, .key = combine(&c->backend->configuration, 'k', &text)};
    symbol_of(&job.key, 'k', job.symbol);
    c->symbols[number] = arena_copy_text(&c->arena, job.symbol, strlen(job.symbol));
    if (loaded_find(c->backend, &job.key)) {
        c->backend->statistics.memory_hits++;
        return true;
    }
    for (uint32_t i = 0; i < c->missing.count; i++)
        if (memcmp(&c->missing.items[i].key, &job.key, sizeof job.key) == 0)
            return true;
    if (load_cached(c, &job.key, job.symbol, NULL))
        return loaded_add(c->backend, &job.key, c->backend) || failed(c, "", "memory cannot be had");
    vec_push(&c->arena, &c->missing, job);
    return true;
}

static gmxrt_kernel make_lazy(gmxrt_lazy_kernel *lazy, int32_t only_if_cached);

static bool add_lazy(Compilation *c, const Digest *key, const char *symbol, const IrText *text) {
    LazyKernel *made = calloc(1, sizeof *made);
    if (!made || !(made->text = strndup(text->bytes.items, text->bytes.count))) {
        free(made);
        return failed(c, "", "memory cannot be had");
    }
    made->lazy.make = make_lazy;
    made->backend = c->backend;
    made->key = *key;
    made->next = c->backend->lazy;
    c->backend->lazy = made;
    char *message = NULL;
    if (!jit_define(c->backend->jit, symbol, &made->lazy, &message)) {
        failed(c, "", message);
        free(message);
        return false;
    }
    return loaded_add(c->backend, key, made) || failed(c, "", "memory cannot be had");
}

/* Gives a kernel that may never run a symbol: of its gmxrt_lazy_kernel. */
static bool need_lazy(Compilation *c, const Kernel *kernel, int64_t number) {
    if (c->symbols[number])
        return true;
    IrText text = {.arena = &c->arena};
    const IrWriter writer = ir_text_writer(&text);
    kernel_print(kernel, &writer);
    Digester digester;
    digest_begin(&digester);
    digest_add(&digester, text.bytes.items, text.bytes.count);
    Digest code = digest_end(&digester), key = combine(&c->backend->configuration, 'z', &code);
    char symbol[SYMBOL_SIZE];
    symbol_of(&key, 'z', symbol);
    c->symbols[number] = arena_copy_text(&c->arena, symbol, strlen(symbol));
    return loaded_find(c->backend, &key) || add_lazy(c, &key, symbol, &text);
}

static bool need_kernels(Compilation *c, const IrRegion *region) {
    for (uint32_t i = 0; i < region->nodes.count; i++) {
        const IrNode *node = region->nodes.items[i];
        for (uint32_t k = 0; k < host_kernel_count(node); k++)
            if (node->attributes[k] >= 0 &&
                !(host_kernel_is_lazy(node, k) ? need_lazy : need_kernel)(
                    c, c->module->kernels.items[node->attributes[k]], node->attributes[k]))
                return false;
        for (uint32_t k = 0; k < node->region_count; k++)
            if (!need_kernels(c, node->regions[k]))
                return false;
    }
    return true;
}

/* Adds a finished object to the JIT and to the disk cache; disposes of it. */
static bool add_object(Compilation *c, CompileJob *job, void **address) {
    if (!job->object)
        return failed(c, job->kernel ? "in a kernel: " : "in the host program: ", job->message);
    char *message = NULL;
    const char *data = LLVMGetBufferStart(job->object);
    size_t length = LLVMGetBufferSize(job->object);
    bool added = jit_add(c->backend->jit, data, length, job->symbol, address, &message);
    if (added)
        cache_put(c->backend->cache, &job->key, data, length);
    else
        failed(c, "", message);
    free(message);
    LLVMDisposeMemoryBuffer(job->object);
    job->object = NULL;
    return added;
}

static bool compile_missing(Compilation *c) {
    bool done = true;
    compile_jobs(&c->backend->target, c->backend->machines, c->missing.items, c->missing.count);
    for (uint32_t i = 0; i < c->missing.count; i++) {
        CompileJob *job = &c->missing.items[i];
        if (!done && job->object)
            LLVMDisposeMemoryBuffer(job->object);
        done = done && add_object(c, job, NULL) &&
               (loaded_add(c->backend, &job->key, c->backend) || failed(c, "", "memory cannot be had"));
        c->backend->statistics.kernels_compiled += done;
    }
    return done;
}

/* The code of the host function, without its table. */
static void *host_code(Compilation *c) {
    CompileJob job = {.plan = &c->plan, .key = combine(&c->backend->configuration, 'h', &c->plan.key)};
    void *address = loaded_find(c->backend, &job.key);
    if (address) {
        c->backend->statistics.memory_hits++;
        return address;
    }
    symbol_of(&job.key, 'h', job.symbol);
    if (!load_cached(c, &job.key, job.symbol, &address)) {
        compile_jobs(&c->backend->target, c->backend->machines, &job, 1);
        if (!add_object(c, &job, &address))
            return NULL;
        c->backend->statistics.functions_compiled++;
    }
    return loaded_add(c->backend, &job.key, address) ? address : NULL;
}

static bool keep_table(Backend *backend, void *table) {
    if (backend->table_count == backend->table_capacity) {
        uint32_t capacity = backend->table_capacity ? backend->table_capacity * 2 : 64;
        void **tables = realloc(backend->tables, capacity * sizeof *tables);
        if (!tables)
            return false;
        backend->tables = tables;
        backend->table_capacity = capacity;
    }
    backend->tables[backend->table_count++] = table;
    return true;
}

/* The entry of `code` with the function's table bound to it; equal functions share one. */
static void *bind_table(Compilation *c, void *code) {
    Backend *backend = c->backend;
    size_t bytes = c->plan.table.count * sizeof(uint64_t);
    if (!bytes)
        return code;
    Digester digester;
    digest_begin(&digester);
    digest_add(&digester, &c->plan.key, sizeof c->plan.key);
    digest_add(&digester, c->plan.table.items, bytes);
    Digest values = digest_end(&digester), key = combine(&backend->configuration, 't', &values);
    void *thunk = loaded_find(backend, &key);
    if (thunk)
        return thunk;
    uint64_t *table = malloc(bytes);
    if (!table)
        return NULL;
    memcpy(table, c->plan.table.items, bytes);
    if (!keep_table(backend, table)) {
        free(table);
        return NULL;
    }
    thunk = jit_thunk(backend->jit, code, table);
    return thunk && loaded_add(backend, &key, thunk) ? thunk : NULL;
}

static bool compile_function(Compilation *c) {
    Backend *backend = c->backend;
    char *message = NULL;
    if (!backend->jit &&
        !(backend->jit = jit_create(&backend->target, backend->symbols, backend->symbol_count, &message))) {
        failed(c, "the JIT cannot start: ", message);
        free(message);
        return false;
    }
    c->symbols = ARENA_ARRAY(&c->arena, const char *, c->module->kernels.count);
    if (!need_kernels(c, c->function->body) || !compile_missing(c))
        return false;
    host_plan(&c->plan, c->function, c->symbols, backend->profile, &c->arena);
    void *code = host_code(c);
    if (code)
        c->entry = bind_table(c, code);
    return c->entry || c->message[0] || failed(c, "", "memory cannot be had");
}

static void compile_guarded(Compilation *c, ArenaGuard *guard) {
    pthread_mutex_lock(&c->backend->lock);
    if (setjmp(guard->target) == 0)
        compile_function(c);
    else
        failed(c, "", "memory cannot be had");
    pthread_mutex_unlock(&c->backend->lock);
}

static CompiledFunction backend_compile(Backend *backend, IrModule *module, uint32_t index, DiagSink *sink) {
    ArenaGuard guard = {.fail_at = 0};
    Compilation c = {.backend = backend, .module = module, .function = module->functions.items[index]};
    arena_init(&c.arena, &guard);
    compile_guarded(&c, &guard);
    arena_free(&c.arena);
    if (!c.entry) {
        const char *name =
            module->functions.items[index]->name ? module->functions.items[index]->name->text : "";
        diag_error(sink, DIAG_E0502, (Span){0}, "`%s` cannot be compiled: %s", name, c.message);
    }
    return (CompiledFunction)c.entry;
}

/* ---- kernels that are compiled late -------------------------------------------------------------------- */
static bool compile_lazy(Compilation *c, LazyKernel *lazy, bool only_if_cached) {
    CompileJob job = {.key = lazy->key};
    void *code = NULL;
    symbol_of(&job.key, 'k', job.symbol);
    if (lazy->was_missed || !load_cached(c, &job.key, job.symbol, &code)) {
        lazy->was_missed = true;
        if (only_if_cached)
            return false;
        Interner names;
        DiagSink sink;
        interner_init(&names, &c->arena);
        diag_init(&sink, &c->arena);
        job.kernel = kernel_parse(&c->arena, &names, &sink, lazy->text, strlen(lazy->text), 0);
        if (!job.kernel)
            return false;
        compile_jobs(&c->backend->target, c->backend->machines, &job, 1);
        if (!add_object(c, &job, &code))
            return false;
        c->backend->statistics.kernels_compiled++;
    }
    __atomic_store_n(&lazy->lazy.code, (gmxrt_kernel)code, __ATOMIC_RELEASE);
    return true;
}

static gmxrt_kernel make_lazy(gmxrt_lazy_kernel *asked, int32_t only_if_cached) {
    LazyKernel *lazy = (LazyKernel *)asked;
    ArenaGuard guard = {.fail_at = 0};
    Compilation c = {.backend = lazy->backend};
    arena_init(&c.arena, &guard);
    pthread_mutex_lock(&lazy->backend->lock);
    if (!asked->code && setjmp(guard.target) == 0)
        compile_lazy(&c, lazy, only_if_cached);
    pthread_mutex_unlock(&lazy->backend->lock);
    arena_free(&c.arena);
    return __atomic_load_n(&asked->code, __ATOMIC_ACQUIRE);
}

static BackendStatistics backend_statistics(const Backend *backend) {
    return backend->statistics;
}

__attribute__((visibility("default"))) const BackendInterface *gmx_llvm_backend(void) {
    static const BackendInterface backend_interface = {.name = "llvm",
                                                       .create = backend_create,
                                                       .destroy = backend_destroy,
                                                       .compile = backend_compile,
                                                       .statistics = backend_statistics,
                                                       .emit = backend_emit};
    return &backend_interface;
}
