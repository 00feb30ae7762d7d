/* Vec: a growable array on an arena.
 *
 *     VEC(Token) tokens = {0};
 *     vec_push(arena, &tokens, token);
 *     for (uint32_t i = 0; i < tokens.count; i++) use(tokens.items[i]);
 *
 * The old items stay in the arena when the array grows; sizes are checked. */
#ifndef GMX_IR_BASE_VEC_H
#define GMX_IR_BASE_VEC_H

#include "ir/base/arena.h"
#include <string.h>

#define VEC(Type)                                                                                            \
    struct {                                                                                                 \
        Type *items;                                                                                         \
        uint32_t count, capacity;                                                                            \
    }

#define vec_push(arena, vec, item)                                                                           \
    do {                                                                                                     \
        if ((vec)->count == (vec)->capacity)                                                                 \
            (vec)->items =                                                                                   \
                vec_grow_((arena), (vec)->items, (vec)->count, &(vec)->capacity, sizeof *(vec)->items);      \
        (vec)->items[(vec)->count++] = (item);                                                               \
    } while (0)

static inline void *vec_grow_(Arena *arena, void *items, uint32_t count, uint32_t *capacity, size_t size) {
    uint32_t larger = *capacity ? *capacity * 2 : 8;
    void *grown = arena_alloc_array(arena, larger > *capacity ? larger : SIZE_MAX, size);
    if (count)
        memcpy(grown, items, count * size);
    *capacity = larger;
    return grown;
}

#endif
