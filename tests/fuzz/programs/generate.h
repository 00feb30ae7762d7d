/* The generator's state, shared by generate.c (programs), operations.c (single ops) and control.c. */
#ifndef GMX_TESTS_FUZZ_GENERATE_H
#define GMX_TESTS_FUZZ_GENERATE_H

#include "tests/fuzz/programs/program.h"
#include "tests/reference/program.h"

enum { VARIABLE_MAX = 96 };

typedef struct Variable {
    char name[NAME_SIZE];
    const RefTensor *value; /* its shape and dtype matter */
} Variable;

typedef struct Generator {
    Random random;
    Program *program;
    RefProgram *reference;
    GenerateCounts *counts;
    Variable variables[VARIABLE_MAX];
    uint32_t count, next;
    int64_t extents[3];                   /* that shapes are made of, so that they meet */
    bool may_fail, has_failed, has_empty; /* the last: with extents of 0 */
    int64_t element_max; /* of a value: some programs are large enough to be cut into chunks */
    uint32_t focus[2];   /* operations that this program has more of */

    /* The statement being made: */
    Text functions; /* declarations that it needs */
    Text before;    /* lines before it */
    Text value;     /* the expression that the new name gets */
} Generator;

/* What a variable must be. */
enum {
    WANT_FLOAT = 1,
    WANT_INTEGER = 2,
    WANT_BOOL = 4,
    WANT_NUMBER = WANT_FLOAT | WANT_INTEGER,
    WANT_AXES = 8,      /* rank >= 1 */
    WANT_MATRIX = 16,   /* rank >= 2 */
    WANT_ELEMENTS = 32, /* not empty */
    WANT_VECTOR = 64,   /* rank 1 */
};
const Variable *pick(Generator *g, int want); /* NULL: there is none */
bool fits(const RefTensor *x, int want);
bool same_shape(const RefTensor *a, const RefTensor *b);
/* A variable whose shape broadcasts with x's (x itself in the end). */
const Variable *pick_beside(Generator *g, const Variable *x, int want);
void fresh(Generator *g, const char *prefix, char name[NAME_SIZE]);
static inline uint32_t below(Generator *g, uint32_t n) {
    return random_below(&g->random, n);
}
static inline bool chance(Generator *g, uint32_t percent) {
    return random_chance(&g->random, percent);
}
#define ONE_OF(g, ...)                                                                                       \
    one_of(g, sizeof(const char *[]){__VA_ARGS__} / sizeof(char *), (const char *[]){__VA_ARGS__})
static inline const char *one_of(Generator *g, size_t n, const char *const *items) {
    return items[below(g, (uint32_t)n)];
}
int64_t pick_extent(Generator *g);
const char *pick_dtype(Generator *g);
const char *literal(Generator *g, const RefTensor *beside); /* a number that suits a dtype */

/* Appends to the expression; true. */
bool value_put(Generator *g, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* An expression of x's shape over x and what has its shape (or broadcasts to it). */
void put_same_shape(Generator *g, Text *out, const Variable *x, int depth);
/* A call that reduces to one bool: the condition of an if. */
bool put_condition(Generator *g, Text *out);

typedef bool (*Operation)(Generator *g); /* false: nothing suits */
extern const struct OperationRow {
    Operation make;
    uint32_t weight;
} operations[], controls[];
extern const uint32_t operation_count, control_count;

#endif
