#include "ir/base/arena.h"
#include <criterion/criterion.h>
Test(arena, empty) { Arena a; arena_init(&a, NULL); cr_assert_not_null(arena_alloc(&a, 0)); arena_free(&a); }
