/* Interned names: equal text is one pointer, so names compare with ==. */
#ifndef GMX_IR_BASE_INTERN_H
#define GMX_IR_BASE_INTERN_H

#include "ir/base/arena.h"
#include <stdbool.h>
#include <string.h>

typedef const struct InternedName {
    uint32_t length;
    uint32_t hash;
    char text[]; /* NUL-terminated */
} * Name;

typedef struct Interner {
    Arena *arena;
    Name *slots; /* open addressing, capacity a power of two */
    uint32_t count, capacity;
} Interner;

void interner_init(Interner *interner, Arena *arena);
Name intern(Interner *interner, const char *text, size_t length);
Name intern_text(Interner *interner, const char *text);
static inline bool name_is(Name name, const char *text) {
    return name && strcmp(name->text, text) == 0;
}

/* FNV-1a, 64 bits: the hash of every in-memory table here (not of cache files). */
uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t length);
#define HASH_SEED 14695981039346656037ull

#endif
