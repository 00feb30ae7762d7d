/* Interned names: one open-addressing table over arena-owned strings. */
#include "ir/base/intern.h"

uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t length) {
    const unsigned char *p = bytes;
    for (size_t i = 0; i < length; i++)
        seed = (seed ^ p[i]) * 1099511628211ull;
    return seed;
}

void interner_init(Interner *interner, Arena *arena) {
    *interner = (Interner){.arena = arena, .capacity = 256};
    interner->slots = ARENA_ARRAY(arena, Name, interner->capacity);
}

static Name *find_slot(const Interner *interner, const char *text, size_t length, uint32_t hash) {
    for (uint32_t i = hash;; i++) {
        Name *slot = &interner->slots[i & (interner->capacity - 1)];
        if (!*slot ||
            ((*slot)->hash == hash && (*slot)->length == length && !memcmp((*slot)->text, text, length)))
            return slot;
    }
}

static void interner_grow(Interner *interner) {
    Name *old = interner->slots;
    uint32_t old_capacity = interner->capacity;
    Name *slots = ARENA_ARRAY(interner->arena, Name, (size_t)old_capacity * 2);
    interner->slots = slots;
    interner->capacity = old_capacity * 2;
    for (uint32_t i = 0; i < old_capacity; i++)
        if (old[i])
            *find_slot(interner, old[i]->text, old[i]->length, old[i]->hash) = old[i];
}

Name intern(Interner *interner, const char *text, size_t length) {
    if (interner->count * 2 >= interner->capacity)
        interner_grow(interner);
    uint32_t hash = (uint32_t)hash_bytes(HASH_SEED, text, length);
    Name *slot = find_slot(interner, text, length, hash);
    if (*slot)
        return *slot;
    struct InternedName *name = arena_alloc(interner->arena, sizeof *name + length + 1);
    name->length = (uint32_t)length;
    name->hash = hash;
    memcpy(name->text, text, length);
    interner->count++;
    return *slot = name;
}

Name intern_text(Interner *interner, const char *text) {
    return intern(interner, text, strlen(text));
}
