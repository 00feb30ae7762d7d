/* Arenas: memory that is freed all at once.
 *
 * Three lifetimes exist: session, unit (one compiled module) and scratch (one
 * pass).  Nothing above runtime/ frees single objects.  Allocation never
 * returns NULL: on failure the arena calls its `on_failure` handler, which must
 * not return (an API entry point long-jumps out and reports out of memory).
 * Handles that are not memory (LLVM modules, files, device objects) are
 * registered with arena_defer and released, newest first, by arena_free. */
#ifndef GMX_IR_BASE_ARENA_H
#define GMX_IR_BASE_ARENA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ArenaBlock ArenaBlock;
typedef struct ArenaDefer ArenaDefer;

/* Where an allocation failure goes.  The owner does `if (setjmp(guard.target))`. */
typedef struct ArenaGuard {
    jmp_buf target;
    /* Test hook: when nonzero, the allocation that brings it to zero fails. */
    uint64_t fail_at;
} ArenaGuard;

typedef struct Arena {
    ArenaBlock *block;
    ArenaDefer *defers;
    ArenaGuard *guard; /* NULL: allocation failure is fatal for the caller's thread (tests only) */
    size_t used;       /* bytes handed out, for statistics */
} Arena;

void arena_init(Arena *arena, ArenaGuard *guard);
void arena_free(Arena *arena);

/* Zeroed memory, aligned to 16 bytes.  `size` 0 gives a valid unique pointer. */
void *arena_alloc(Arena *arena, size_t size);
/* Like arena_alloc(count * size) with the product checked. */
void *arena_alloc_array(Arena *arena, size_t count, size_t size);
char *arena_copy_text(Arena *arena, const char *text, size_t length); /* NUL-terminated */
char *arena_format(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_format_list(Arena *arena, const char *format, va_list list);

/* Calls release(object) when the arena is freed. */
void arena_defer(Arena *arena, void (*release)(void *object), void *object);

#define ARENA_NEW(arena, Type)          ((Type *)arena_alloc((arena), sizeof(Type)))
#define ARENA_ARRAY(arena, Type, count) ((Type *)arena_alloc_array((arena), (count), sizeof(Type)))

#endif
