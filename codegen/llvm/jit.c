/* The JIT: see jit.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "codegen/llvm/jit.h"
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Thunks come in pairs of pages: code that never changes after the page was made executable, and the data
 * that it reads at a fixed distance.  So a new thunk is one write to a data page: no page is ever writable
 * and executable, and running code is never touched. */
enum { THUNK_PAGE = 4096, THUNK_SIZE = 16, THUNK_COUNT = THUNK_PAGE / THUNK_SIZE };

typedef struct ThunkData {
    const void *constants;
    void *code;
} ThunkData;

typedef struct ThunkPages {
    struct ThunkPages *next;
    uint8_t *base;
    uint32_t used;
} ThunkPages;

struct Jit {
    LLVMOrcLLJITRef engine;
    LLVMOrcJITDylibRef library;
    ThunkPages *thunks;
    char reported[512]; /* the first error that ORC reported to its session, with the symbol's name */
};

/* ---- errors ---------------------------------------------------------------------------------------- */
static void on_reported_error(void *context, LLVMErrorRef error) {
    Jit *jit = context;
    char *text = LLVMGetErrorMessage(error);
    if (!jit->reported[0])
        snprintf(jit->reported, sizeof jit->reported, "%s", text);
    LLVMDisposeErrorMessage(text);
}

/* Consumes the error; false if there was one. */
static bool succeeded(LLVMErrorRef error, char **message) {
    if (!error)
        return true;
    char *text = LLVMGetErrorMessage(error);
    if (message)
        *message = llvm_format("%s", text);
    LLVMDisposeErrorMessage(text);
    return false;
}

/* ---- creation -------------------------------------------------------------------------------------- */
bool jit_define(Jit *jit, const char *symbol, void *address, char **message) {
    LLVMOrcCSymbolMapPair pair = {.Name = LLVMOrcLLJITMangleAndIntern(jit->engine, symbol)};
    pair.Sym.Address = (LLVMOrcExecutorAddress)(uintptr_t)address;
    pair.Sym.Flags.GenericFlags = LLVMJITSymbolGenericFlagsExported;
    return succeeded(LLVMOrcJITDylibDefine(jit->library, LLVMOrcAbsoluteSymbols(&pair, 1)), message);
}

static bool define_runtime(Jit *jit, const gmxrt_symbol *symbols, size_t count, char **message) {
    LLVMOrcCSymbolMapPair *pairs = calloc(count ? count : 1, sizeof *pairs);
    if (!pairs) {
        *message = llvm_format("no memory");
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        pairs[i].Name = LLVMOrcLLJITMangleAndIntern(jit->engine, symbols[i].name);
        pairs[i].Sym.Address = (LLVMOrcExecutorAddress)(uintptr_t)symbols[i].address;
        pairs[i].Sym.Flags.GenericFlags =
            LLVMJITSymbolGenericFlagsExported | LLVMJITSymbolGenericFlagsCallable;
    }
    bool defined =
        succeeded(LLVMOrcJITDylibDefine(jit->library, LLVMOrcAbsoluteSymbols(pairs, count)), message);
    free(pairs);
    return defined;
}

Jit *jit_create(const LlvmTarget *target, const gmxrt_symbol *symbols, size_t count, char **message) {
    Jit *jit = calloc(1, sizeof *jit);
    if (!jit) {
        *message = llvm_format("no memory");
        return NULL;
    }
    LLVMOrcLLJITBuilderRef builder = LLVMOrcCreateLLJITBuilder();
    LLVMOrcLLJITBuilderSetJITTargetMachineBuilder(
        builder, LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine(target_machine(target, 2, true)));
    if (!succeeded(LLVMOrcCreateLLJIT(&jit->engine, builder), message)) {
        free(jit);
        return NULL;
    }
    LLVMOrcExecutionSessionSetErrorReporter(LLVMOrcLLJITGetExecutionSession(jit->engine), on_reported_error,
                                            jit);
    jit->library = LLVMOrcLLJITGetMainJITDylib(jit->engine);
    if (!define_runtime(jit, symbols, count, message)) {
        jit_destroy(jit);
        return NULL;
    }
    return jit;
}

void jit_destroy(Jit *jit) {
    if (!jit)
        return;
    succeeded(LLVMOrcDisposeLLJIT(jit->engine), NULL);
    for (ThunkPages *pages = jit->thunks, *next; pages; pages = next) {
        next = pages->next;
        munmap(pages->base, 2 * THUNK_PAGE);
        free(pages);
    }
    free(jit);
}

/* ---- objects --------------------------------------------------------------------------------------- */
bool jit_add(Jit *jit, const char *object, size_t length, const char *symbol, void **address,
             char **message) {
    LLVMMemoryBufferRef buffer = LLVMCreateMemoryBufferWithMemoryRangeCopy(object, length, symbol);
    LLVMOrcResourceTrackerRef tracker = LLVMOrcJITDylibCreateResourceTracker(jit->library);
    jit->reported[0] = 0;
    bool added = succeeded(LLVMOrcLLJITAddObjectFileWithRT(jit->engine, tracker, buffer), message);
    if (added && address) {
        LLVMOrcExecutorAddress found = 0;
        char *text = NULL;
        added = succeeded(LLVMOrcLLJITLookup(jit->engine, &found, symbol), &text);
        *address = (void *)(uintptr_t)found;
        if (!added) {
            *message = llvm_format("%s%s%s", text ? text : "", jit->reported[0] ? ": " : "", jit->reported);
            succeeded(LLVMOrcResourceTrackerRemove(tracker), NULL);
        }
        free(text);
    }
    LLVMOrcReleaseResourceTracker(tracker);
    return added;
}

/* ---- thunks ---------------------------------------------------------------------------------------- */
static void put_displacement(uint8_t *at, const uint8_t *next, const void *data) {
    int32_t displacement = (int32_t)((const uint8_t *)data - next);
    memcpy(at, &displacement, sizeof displacement);
}

/* mov rcx, [rip + constants]; jmp [rip + code] */
static void write_thunk(uint8_t *at, const ThunkData *data) {
    static const uint8_t text[THUNK_SIZE] = {0x48, 0x8b, 0x0d, 0, 0, 0,    0,    0xff,
                                             0x25, 0,    0,    0, 0, 0xcc, 0xcc, 0xcc};
    memcpy(at, text, sizeof text);
    put_displacement(at + 3, at + 7, &data->constants);
    put_displacement(at + 9, at + 13, &data->code);
}

static ThunkPages *thunk_pages(Jit *jit) {
    ThunkPages *pages = calloc(1, sizeof *pages);
    uint8_t *base = mmap(NULL, 2 * THUNK_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!pages || base == MAP_FAILED) {
        free(pages);
        if (base != MAP_FAILED)
            munmap(base, 2 * THUNK_PAGE);
        return NULL;
    }
    const ThunkData *data = (const ThunkData *)(base + THUNK_PAGE);
    for (int i = 0; i < THUNK_COUNT; i++)
        write_thunk(base + i * THUNK_SIZE, &data[i]);
    if (mprotect(base, THUNK_PAGE, PROT_READ | PROT_EXEC) != 0) {
        munmap(base, 2 * THUNK_PAGE);
        free(pages);
        return NULL;
    }
    pages->base = base;
    pages->next = jit->thunks;
    return jit->thunks = pages;
}

void *jit_thunk(Jit *jit, void *code, const void *constants) {
    ThunkPages *pages = jit->thunks;
    if ((!pages || pages->used == THUNK_COUNT) && !(pages = thunk_pages(jit)))
        return NULL;
    ThunkData *data = (ThunkData *)(pages->base + THUNK_PAGE) + pages->used;
    data->constants = constants;
    data->code = code;
    return pages->base + THUNK_SIZE * pages->used++;
}
