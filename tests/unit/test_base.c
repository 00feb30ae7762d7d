/* The base library: arenas, interned names, growable arrays, diagnostics; and that an allocation that fails,
 * at every n, unwinds to the owner of the arena without a leak or a half-made object in use. */
#include "ir/base/arena.h"
#include "ir/base/diag.h"
#include "ir/base/intern.h"
#include "ir/base/vec.h"

#include <criterion/criterion.h>
#include <stdio.h>

Test(arena, memory_is_zeroed_aligned_and_distinct) {
    Arena arena;
    arena_init(&arena, NULL);
    unsigned char *before = NULL;
    for (size_t size = 0; size < 3000; size += 7) {
        unsigned char *memory = arena_alloc(&arena, size);
        cr_assert_eq((uintptr_t)memory % 16, 0);
        cr_assert_neq(memory, before);
        for (size_t i = 0; i < size; i++)
            cr_assert_eq(memory[i], 0);
        memset(memory, 0xff, size);
        before = memory;
    }
    arena_free(&arena);
    cr_assert_eq(arena.used, 0);
}

Test(arena, larger_than_a_block) {
    Arena arena;
    arena_init(&arena, NULL);
    size_t size = 5 << 20;
    unsigned char *memory = arena_alloc(&arena, size);
    cr_assert_eq(memory[size - 1], 0);
    memory[size - 1] = 1;
    cr_assert_geq(arena.used, size);
    arena_free(&arena);
}

Test(arena, sizes_that_overflow_fail) {
    ArenaGuard guard = {0};
    Arena arena;
    arena_init(&arena, &guard);
    volatile int failures = 0;
    if (setjmp(guard.target))
        failures++;
    switch (failures) {
    case 0:
        arena_alloc_array(&arena, SIZE_MAX / 8 + 2, 8);
        break;
    case 1:
        arena_alloc(&arena, SIZE_MAX);
        break;
    case 2:
        arena_alloc(&arena, SIZE_MAX - 32);
        break;
    case 3:
        arena_alloc_array(&arena, 2, SIZE_MAX);
        break;
    }
    cr_assert_eq(failures, 4);
    cr_assert_not_null(arena_alloc(&arena, 8)); /* still usable */
    arena_free(&arena);
}

Test(arena, copies_and_formats_text) {
    Arena arena;
    arena_init(&arena, NULL);
    cr_assert_str_eq(arena_copy_text(&arena, "abcdef", 3), "abc");
    cr_assert_str_eq(arena_copy_text(&arena, NULL, 0), "");
    cr_assert_str_eq(arena_format(&arena, "%d %s", 42, "x"), "42 x");
    char *wide = arena_format(&arena, "%5000d", 7);
    cr_assert_eq(strlen(wide), 5000);
    cr_assert_eq(wide[4999], '7');
    arena_free(&arena);
}

typedef struct Order {
    int items[4];
    int count;
} Order;

typedef struct Resource {
    Order *order;
    int number;
} Resource;

static void resource_release(void *object) {
    Resource *resource = object;
    resource->order->items[resource->order->count++] = resource->number;
}

Test(arena, deferred_releases_run_newest_first_and_once) {
    Order order = {{0}, 0};
    Resource resources[3] = {{&order, 1}, {&order, 2}, {&order, 3}};
    Arena arena;
    arena_init(&arena, NULL);
    for (int i = 0; i < 3; i++)
        arena_defer(&arena, resource_release, &resources[i]);
    arena_free(&arena);
    arena_free(&arena);
    cr_assert_eq(order.count, 3);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(order.items[i], 3 - i);
}

Test(intern, equal_text_is_one_pointer) {
    Arena arena;
    Interner interner;
    arena_init(&arena, NULL);
    interner_init(&interner, &arena);
    Name names[2000];
    char text[32];
    for (int i = 0; i < 2000; i++) {
        snprintf(text, sizeof text, "name%d", i);
        names[i] = intern_text(&interner, text);
        cr_assert_str_eq(names[i]->text, text);
        cr_assert_eq(names[i]->length, strlen(text));
    }
    cr_assert_eq(interner.count, 2000);
    for (int i = 0; i < 2000; i++) {
        snprintf(text, sizeof text, "name%d", i);
        cr_assert_eq(intern_text(&interner, text), names[i]);
    }
    cr_assert_eq(interner.count, 2000);
    cr_assert(name_is(names[7], "name7"));
    cr_assert_not(name_is(names[7], "name8"));
    cr_assert_not(name_is(NULL, "name8"));
    arena_free(&arena);
}

Test(intern, slices_and_odd_bytes) {
    Arena arena;
    Interner interner;
    arena_init(&arena, NULL);
    interner_init(&interner, &arena);
    cr_assert_eq(intern(&interner, "sumproduct", 3), intern_text(&interner, "sum"));
    cr_assert_eq(intern(&interner, "", 0), intern_text(&interner, ""));
    cr_assert_neq(intern(&interner, "a\0b", 3), intern(&interner, "a\0c", 3));
    cr_assert_neq(intern(&interner, "a\0b", 3), intern_text(&interner, "a"));
    cr_assert_eq(intern_text(&interner, "λ"), intern(&interner, "λx", 2));
    arena_free(&arena);
}

Test(intern, hash_is_fnv_1a) { /* values of the published test suite (isthe.com/chongo) */
    cr_assert_eq(hash_bytes(HASH_SEED, "", 0), 0xcbf29ce484222325ull);
    cr_assert_eq(hash_bytes(HASH_SEED, "a", 1), 0xaf63dc4c8601ec8cull);
    cr_assert_eq(hash_bytes(HASH_SEED, "foobar", 6), 0x85944171f73967e8ull);
}

Test(vec, grows_and_keeps_its_items) {
    Arena arena;
    arena_init(&arena, NULL);
    VEC(uint64_t) numbers = {0};
    for (uint64_t i = 0; i < 10000; i++)
        vec_push(&arena, &numbers, i * i);
    cr_assert_eq(numbers.count, 10000);
    for (uint64_t i = 0; i < 10000; i++)
        cr_assert_eq(numbers.items[i], i * i);
    arena_free(&arena);
}

Test(span, join) {
    Span a = {10, 20}, b = {5, 12}, none = {0, 0};
    cr_assert_eq(span_join(a, b).begin, 5);
    cr_assert_eq(span_join(a, b).end, 20);
    cr_assert_eq(span_join(a, none).begin, 10);
    cr_assert_eq(span_join(none, b).end, 12);
    cr_assert_eq(span_join(none, none).end, 0);
}

Test(diag, codes_have_their_text) {
    cr_assert_str_eq(diag_code_text(DIAG_E0203), "E0203");
    cr_assert_str_eq(diag_code_summary(DIAG_E0203), "shapes do not match");
    cr_assert_str_eq(diag_code_text(DIAG_NONE), "");
    for (int code = DIAG_NONE + 1; code < DIAG_CODE_COUNT; code++) {
        const char *text = diag_code_text(code);
        cr_assert_eq(strlen(text), 5);
        cr_assert_eq(text[0], 'E');
        cr_assert_gt(strlen(diag_code_summary(code)), 0);
        if (code > DIAG_NONE + 1)
            cr_assert_lt(strcmp(diag_code_text(code - 1), text), 0, "%s is out of order", text);
    }
}

Test(diag, collects_messages_labels_and_notes) {
    Arena arena;
    DiagSink sink;
    arena_init(&arena, NULL);
    diag_init(&sink, &arena);
    Diag *diag = diag_error(&sink, DIAG_E0203, (Span){3, 9}, "shapes do not match for `%s`", "@");
    for (int i = 0; i < DIAG_LABEL_MAX + 2; i++)
        diag_label(&sink, diag, (Span){1, 2}, "label %d", i);
    for (int i = 0; i < 20; i++)
        diag_note(&sink, diag, "note %d", i);
    diag_warning(&sink, DIAG_E0114, (Span){0, 0}, "unused");
    cr_assert_eq(sink.error_count, 1);
    cr_assert_eq(sink.diags.count, 2);
    cr_assert_eq(sink.diags.items[0], diag);
    cr_assert_str_eq(diag->message, "shapes do not match for `@`");
    cr_assert_eq(diag->span.end, 9);
    cr_assert_eq(diag->label_count, DIAG_LABEL_MAX);
    cr_assert_str_eq(diag->labels[3].text, "label 3");
    cr_assert_eq(diag->notes.count, 20);
    cr_assert_str_eq(diag->notes.items[19], "note 19");
    cr_assert(sink.diags.items[1]->is_warning);
    arena_free(&arena);
}

Test(diag, errors_beyond_the_limit_are_counted_only) {
    Arena arena;
    DiagSink sink;
    arena_init(&arena, NULL);
    diag_init(&sink, &arena);
    for (int i = 0; i < DIAG_LIMIT + 15; i++) {
        Diag *diag = diag_error(&sink, DIAG_E0110, (Span){1, 2}, "error %d", i);
        cr_assert_not_null(diag);
        diag_note(&sink, diag, "allowed on a dropped error too");
    }
    cr_assert_eq(sink.error_count, DIAG_LIMIT + 15);
    cr_assert_eq(sink.diags.count, DIAG_LIMIT);
    cr_assert_str_eq(sink.diags.items[DIAG_LIMIT - 1]->message, "error 19");
    arena_free(&arena);
}

/* Work that allocates in each way the base library offers. */
static uint32_t allocate_in_every_way(Arena *arena, Resource *resource) {
    Interner interner;
    DiagSink sink;
    VEC(uint32_t) numbers = {0};
    interner_init(&interner, arena);
    diag_init(&sink, arena);
    arena_defer(arena, resource_release, resource);
    for (uint32_t i = 0; i < 300; i++) {
        intern_text(&interner, arena_format(arena, "name%u", i));
        vec_push(arena, &numbers, i);
    }
    for (int i = 0; i < DIAG_LIMIT + 2; i++) {
        Diag *diag = diag_error(&sink, DIAG_E0110, (Span){1, 2}, "unknown name %d", i);
        diag_label(&sink, diag, (Span){1, 2}, "here");
        diag_note(&sink, diag, "did you mean %d", i);
    }
    return interner.count + numbers.count + sink.diags.count;
}

/* Runs the work with allocation `n` failing; whether it got through. */
static bool work_survives(uint64_t n, Order *order) {
    ArenaGuard guard = {.fail_at = n};
    Resource resource = {order, 1};
    Arena arena;
    arena_init(&arena, &guard);
    volatile bool survived = true;
    if (setjmp(guard.target))
        survived = false;
    else
        cr_assert_eq(allocate_in_every_way(&arena, &resource), 300 + 300 + DIAG_LIMIT);
    arena_free(&arena);
    return survived;
}

Test(arena, allocation_failure_at_every_n) {
    uint64_t n = 1;
    for (;; n++) {
        Order order = {{0}, 0};
        bool survived = work_survives(n, &order);
        cr_assert_leq(order.count, 1);
        if (survived)
            break;
        cr_assert_lt(n, 100000, "the work never gets through");
    }
    cr_assert_gt(n, 600, "only %d allocations were seen to fail", (int)n);
}
