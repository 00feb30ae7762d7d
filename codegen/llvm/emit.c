/* Files: LLVM text, assembly, objects and shared libraries of a module.
 *
 * One LLVM module holds everything: host functions with their tables, kernels, and for libraries the C
 * entries.  A library for no CPU in particular has its code twice, for x86-64-v4 and v3; functions carry
 * their CPU as an attribute, so one object holds both. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "codegen/llvm/backend.h"
#include "codegen/llvm/export.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VARIANT_MAX = 2 };

typedef struct Emission {
    Backend *backend;
    IrModule *module;
    const ExportList *exports;
    Arena arena;
    LlvmTarget owned[VARIANT_MAX + 1]; /* targets made for this file */
    uint32_t owned_count;
    const LlvmTarget *base, *variants[VARIANT_MAX]; /* highest level first */
    uint32_t variant_count;
    LlvmUnit unit;
    char message[600];
} Emission;

static bool fail_text(Emission *e, const char *text) {
    if (!e->message[0])
        snprintf(e->message, sizeof e->message, "%s", text && *text ? text : "unknown error");
    return false;
}

/* ---- targets --------------------------------------------------------------------------------------------
 */
static const LlvmTarget *make_target(Emission *e, const char *cpu) {
    char *message = NULL;
    LlvmTarget *target = &e->owned[e->owned_count];
    if (!target_init(target, cpu, e->backend->target.optimization, &message)) {
        fail_text(e, message);
        free(message);
        return NULL;
    }
    e->owned_count++;
    return target;
}

static bool choose_targets(Emission *e) {
    if (!e->exports || !e->backend->is_default_cpu) {
        e->base = e->variants[0] = &e->backend->target;
        e->variant_count = 1;
        return true;
    }
    e->variant_count = 2;
    return (e->base = make_target(e, "x86-64")) && (e->variants[0] = make_target(e, "x86-64-v4")) &&
           (e->variants[1] = make_target(e, "x86-64-v3"));
}

/* The level of x86-64 that code for a target needs (see gmxrt_library_code). */
static int64_t level_of(const LlvmTarget *target) {
    return target->vector_bits == 512 ? 4 : target->vector_bits == 256 ? 3 : 1;
}

/* ---- functions ------------------------------------------------------------------------------------------
 */
static void make_internal(Emission *e, const char *symbol) {
    LLVMValueRef function = LLVMGetNamedFunction(e->unit.module, symbol);
    if (function && e->exports)
        LLVMSetLinkage(function, LLVMInternalLinkage);
}

static bool emit_job(Emission *e, CompileJob *job, LLVMValueRef table) {
    if (!compile_into(&e->unit, job, table))
        return fail_text(e, e->unit.message);
    make_internal(e, job->symbol);
    return true;
}

static bool emit_kernel(Emission *e, int64_t number, uint32_t variant, const char **symbols) {
    if (symbols[number])
        return true;
    CompileJob job = {.kernel = e->module->kernels.items[number]};
    Digest text = compile_kernel_key(job.kernel);
    char hex[DIGEST_HEX];
    digest_hex(&text, hex);
    snprintf(job.symbol, sizeof job.symbol, "gmxk_%.16s_v%u", hex, variant);
    symbols[number] = arena_copy_text(&e->arena, job.symbol, strlen(job.symbol));
    return LLVMGetNamedFunction(e->unit.module, job.symbol) || emit_job(e, &job, NULL);
}

/* A gmxrt_lazy_kernel whose code is there from the start. */
static bool emit_lazy(Emission *e, int64_t number, uint32_t variant, const char **symbols) {
    if (symbols[number])
        return true;
    if (!emit_kernel(e, number, variant, symbols))
        return false;
    LLVMValueRef function = LLVMGetNamedFunction(e->unit.module, symbols[number]);
    symbols[number] = arena_format(&e->arena, "%s_lazy", symbols[number]);
    if (LLVMGetNamedGlobal(e->unit.module, symbols[number]))
        return true;
    LLVMTypeRef pointer = LLVMPointerTypeInContext(e->unit.context, 0);
    LLVMTypeRef i64 = LLVMInt64TypeInContext(e->unit.context);
    LLVMValueRef fields[] = {function, LLVMConstNull(pointer), LLVMConstNull(i64)};
    LLVMValueRef value = LLVMConstStructInContext(e->unit.context, fields, 3, false);
    LLVMValueRef lazy = LLVMAddGlobal(e->unit.module, LLVMTypeOf(value), symbols[number]);
    LLVMSetInitializer(lazy, value);
    LLVMSetLinkage(lazy, LLVMInternalLinkage);
    return true;
}

/* Emits the kernels that a region launches, each once per variant. */
static bool emit_kernels(Emission *e, const IrRegion *region, uint32_t variant, const char **symbols) {
    for (uint32_t i = 0; i < region->nodes.count; i++) {
        const IrNode *node = region->nodes.items[i];
        for (uint32_t k = 0; k < node->region_count; k++)
            if (!emit_kernels(e, node->regions[k], variant, symbols))
                return false;
        for (uint32_t k = 0; k < host_kernel_count(node); k++)
            if (node->attributes[k] >= 0 && !(host_kernel_is_lazy(node, k) ? emit_lazy : emit_kernel)(
                                                e, node->attributes[k], variant, symbols))
                return false;
    }
    return true;
}

static LLVMValueRef make_table(Emission *e, const HostPlan *plan) {
    LLVMTypeRef i64 = LLVMInt64TypeInContext(e->unit.context);
    uint32_t count = plan->table.count;
    LLVMValueRef *items = ARENA_ARRAY(&e->arena, LLVMValueRef, count);
    for (uint32_t i = 0; i < count; i++)
        items[i] = LLVMConstInt(i64, plan->table.items[i], false);
    LLVMValueRef table = LLVMAddGlobal(e->unit.module, LLVMArrayType2(i64, count), "table");
    LLVMSetInitializer(table, LLVMConstArray2(i64, items, count));
    LLVMSetGlobalConstant(table, true);
    LLVMSetLinkage(table, LLVMPrivateLinkage);
    return table;
}

/* The host function `index` for one variant. */
static LLVMValueRef emit_host(Emission *e, uint32_t index, uint32_t variant, HostPlan *plan) {
    const IrFunction *function = e->module->functions.items[index];
    const char **symbols = ARENA_ARRAY(&e->arena, const char *, e->module->kernels.count);
    e->unit.target = e->variants[variant];
    if (!emit_kernels(e, function->body, variant, symbols))
        return NULL;
    host_plan(plan, function, symbols, false, &e->arena);
    CompileJob job = {.plan = plan};
    const char *name = function->name ? function->name->text : "f";
    if (e->exports)
        snprintf(job.symbol, sizeof job.symbol, "gmxh_%u_v%u", index, variant);
    else
        snprintf(job.symbol, sizeof job.symbol, "%.40s", name);
    while (LLVMGetNamedFunction(e->unit.module, job.symbol)) /* two of one name */
        snprintf(job.symbol, sizeof job.symbol, "%.30s_%u", name, index);
    if (!emit_job(e, &job, make_table(e, plan)))
        return NULL;
    return LLVMGetNamedFunction(e->unit.module, job.symbol);
}

static bool emit_export(Emission *e, const ExportFunction *function) {
    HostPlan plan = {0};
    ExportCode code[VARIANT_MAX];
    for (uint32_t v = 0; v < e->variant_count; v++) {
        code[v] = (ExportCode){level_of(e->variants[v]), emit_host(e, function->function, v, &plan)};
        if (!code[v].function)
            return false;
    }
    e->unit.target = e->base;
    const char *message = NULL;
    return export_wrapper(&e->unit, e->exports, function, &plan, code, e->variant_count, &e->arena,
                          &message) ||
           fail_text(e, message);
}

static bool emit_module(Emission *e) {
    HostPlan plan;
    for (uint32_t i = 0; e->exports && i < e->exports->functions.count; i++)
        if (!emit_export(e, e->exports->functions.items[i]))
            return false;
    for (uint32_t i = 0; !e->exports && i < e->module->functions.count; i++)
        if (!emit_host(e, i, 0, &plan))
            return false;
    e->unit.target = e->base;
    if (!unit_verify(&e->unit) || !compile_optimize(&e->unit, e->base->optimization))
        return fail_text(e, e->unit.message);
    return true;
}

/* ---- files ----------------------------------------------------------------------------------------------
 */
static bool write_bytes(FILE *file, const char *data, size_t length) {
    return fwrite(data, 1, length, file) == length && fflush(file) == 0;
}

static bool fail_file(Emission *e, const char *path) {
    snprintf(e->message, sizeof e->message, "`%.400s` cannot be written: %s", path, strerror(errno));
    return false;
}

/* A name beside `path` that nobody has, as an empty file; arena text or NULL. */
static char *temporary_beside(Emission *e, const char *path) {
    char *name = arena_format(&e->arena, "%s.XXXXXX", path);
    int descriptor = mkstemp(name);
    if (descriptor < 0) {
        fail_file(e, path);
        return NULL;
    }
    fchmod(descriptor, 0644);
    close(descriptor);
    return name;
}

static bool write_file(Emission *e, const char *path, const char *data, size_t length) {
    FILE *file = fopen(path, "wb");
    bool written = file && write_bytes(file, data, length);
    if (!written)
        fail_file(e, path);
    if (file && fclose(file) != 0)
        return written && fail_file(e, path);
    return written;
}

/* Writes beside `path`, then renames; "-" is standard output. */
static bool publish(Emission *e, const char *path, const char *data, size_t length) {
    if (strcmp(path, "-") == 0)
        return write_bytes(stdout, data, length) || fail_file(e, "standard output");
    char *temporary = temporary_beside(e, path);
    if (!temporary)
        return false;
    if (write_file(e, temporary, data, length) && (rename(temporary, path) == 0 || fail_file(e, path)))
        return true;
    unlink(temporary);
    return false;
}

static bool link_library(Emission *e, const char *path, const char *data, size_t length) {
    const char **names = ARENA_ARRAY(&e->arena, const char *, e->exports->functions.count);
    for (uint32_t i = 0; i < e->exports->functions.count; i++)
        names[i] = e->exports->functions.items[i]->name;
    char *archive = e->backend->runtime_archive ? strdup(e->backend->runtime_archive) : link_archive();
    if (!archive || access(archive, R_OK) != 0) {
        free(archive);
        return fail_text(e, "libgmxrt.a was not found beside the back end's library");
    }
    char *object = temporary_beside(e, path), *library = object ? temporary_beside(e, path) : NULL,
         *message = NULL;
    const char *slash = strrchr(path, '/');
    bool done = library && write_file(e, object, data, length);
    if (done && link_shared(object, archive, names, e->exports->functions.count, slash ? slash + 1 : path,
                            library, &message) != 0)
        done = fail_text(e, message);
    done = done && ((chmod(library, 0755) == 0 && rename(library, path) == 0) || fail_file(e, path));
    if (object)
        unlink(object);
    if (library && !done)
        unlink(library);
    free(message);
    free(archive);
    return done;
}

static bool write_result(Emission *e, EmitKind kind, const char *path) {
    if (kind == EMIT_LLVM) {
        char *text = LLVMPrintModuleToString(e->unit.module);
        bool written = publish(e, path, text, strlen(text));
        LLVMDisposeMessage(text);
        return written;
    }
    LLVMCodeGenFileType type = kind == EMIT_ASSEMBLY ? LLVMAssemblyFile : LLVMObjectFile;
    LLVMMemoryBufferRef buffer = unit_emit(&e->unit, e->base->optimization, type);
    if (!buffer)
        return fail_text(e, e->unit.message);
    const char *data = LLVMGetBufferStart(buffer);
    size_t length = LLVMGetBufferSize(buffer);
    bool written = kind == EMIT_SHARED ? link_library(e, path, data, length) : publish(e, path, data, length);
    LLVMDisposeMemoryBuffer(buffer);
    return written;
}

static void emit_guarded(Emission *e, ArenaGuard *guard, EmitKind kind, const char *path) {
    if (setjmp(guard->target) != 0)
        fail_text(e, "memory cannot be had");
    else if (choose_targets(e)) {
        unit_begin(&e->unit, e->base, NULL, "gmx");
        if (emit_module(e))
            write_result(e, kind, path);
    }
}

int backend_emit(Backend *backend, IrModule *module, const struct ExportList *exports, EmitKind kind,
                 const char *path, char **message) {
    ArenaGuard guard = {.fail_at = 0};
    Emission e = {.backend = backend, .module = module, .exports = exports};
    arena_init(&e.arena, &guard);
    if (kind == EMIT_SHARED && !exports)
        fail_text(&e, "a shared library needs an `export fn`");
    else
        emit_guarded(&e, &guard, kind, path);
    if (e.unit.module)
        unit_end(&e.unit);
    for (uint32_t i = 0; i < e.owned_count; i++)
        target_dispose(&e.owned[i]);
    arena_free(&e.arena);
    if (!e.message[0])
        return 0;
    *message = llvm_format("%s", e.message);
    return 1;
}
