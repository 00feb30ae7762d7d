/* Arenas: bump allocation in growing blocks; see arena.h for the contract. */
#include "ir/base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_ALIGN = 16, ARENA_BLOCK_MIN = 16 * 1024, ARENA_BLOCK_MAX = 1024 * 1024 };

struct ArenaBlock {
    ArenaBlock *previous;
    size_t size; /* payload bytes */
    size_t used;
    _Alignas(ARENA_ALIGN) unsigned char payload[];
};

struct ArenaDefer {
    ArenaDefer *previous;
    void (*release)(void *object);
    void *object;
};

void arena_init(Arena *arena, ArenaGuard *guard) {
    *arena = (Arena){.guard = guard};
}

void arena_free(Arena *arena) {
    for (ArenaDefer *d = arena->defers; d; d = d->previous)
        d->release(d->object);
    for (ArenaBlock *block = arena->block; block;) {
        ArenaBlock *previous = block->previous;
        free(block);
        block = previous;
    }
    *arena = (Arena){.guard = arena->guard};
}

static _Noreturn void arena_fail(Arena *arena) {
    if (arena->guard)
        longjmp(arena->guard->target, 1);
    fputs("gmx: out of memory\n", stderr);
    abort(); /* only reachable in programs that gave no guard (unit tests) */
}

static ArenaBlock *arena_grow(Arena *arena, size_t size) {
    size_t want = arena->block ? arena->block->size * 2 : ARENA_BLOCK_MIN;
    if (want > ARENA_BLOCK_MAX)
        want = ARENA_BLOCK_MAX;
    if (want < size)
        want = size;
    ArenaBlock *block = want > SIZE_MAX - sizeof *block ? NULL : malloc(sizeof *block + want);
    if (!block)
        arena_fail(arena);
    *block = (ArenaBlock){.previous = arena->block, .size = want};
    return arena->block = block;
}

void *arena_alloc(Arena *arena, size_t size) {
    if (arena->guard && arena->guard->fail_at && --arena->guard->fail_at == 0)
        arena_fail(arena);
    if (size > SIZE_MAX - ARENA_ALIGN)
        arena_fail(arena);
    size = size ? (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1) : ARENA_ALIGN;
    ArenaBlock *block = arena->block;
    if (!block || block->size - block->used < size)
        block = arena_grow(arena, size);
    void *memory = block->payload + block->used;
    block->used += size;
    arena->used += size;
    return memset(memory, 0, size);
}

void *arena_alloc_array(Arena *arena, size_t count, size_t size) {
    if (size && count > SIZE_MAX / size)
        arena_fail(arena);
    return arena_alloc(arena, count * size);
}

char *arena_copy_text(Arena *arena, const char *text, size_t length) {
    char *copy = arena_alloc(arena, length + 1);
    if (length)
        memcpy(copy, text, length);
    return copy;
}

char *arena_format_list(Arena *arena, const char *format, va_list list) {
    va_list again;
    va_copy(again, list);
    int length = vsnprintf(NULL, 0, format, list);
    char *text = arena_alloc(arena, length < 0 ? 1 : (size_t)length + 1);
    if (length > 0)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

char *arena_format(Arena *arena, const char *format, ...) {
    va_list list;
    va_start(list, format);
    char *text = arena_format_list(arena, format, list);
    va_end(list);
    return text;
}

void arena_defer(Arena *arena, void (*release)(void *object), void *object) {
    ArenaDefer *d = ARENA_NEW(arena, ArenaDefer);
    *d = (ArenaDefer){arena->defers, release, object};
    arena->defers = d;
}
