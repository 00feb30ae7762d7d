/* A random program as text: chunks that can be left out one by one.  Plain data without pointers, so that it
 * can lie in memory that processes share. */
#ifndef GMX_TESTS_FUZZ_PROGRAM_H
#define GMX_TESTS_FUZZ_PROGRAM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CHUNK_MAX = 128, OUTPUT_MAX = 8, NAME_SIZE = 16, TEXT_SIZE = 1 << 17 };

typedef enum ChunkKind {
    CHUNK_FUNCTION,  /* a declaration at the top level */
    CHUNK_INPUT,     /* a `let` at the top level */
    CHUNK_STATEMENT, /* a `let`, or a group of statements, of the body */
} ChunkKind;

typedef struct Chunk {
    ChunkKind kind;
    uint32_t begin, length;
    char name[NAME_SIZE]; /* what an input defines */
} Chunk;

typedef struct Program {
    uint64_t seed;
    bool in_function; /* the body is a function of the inputs; else it stands at the top level */
    bool staged;      /* at the top level: run piece by piece in one session, as in the REPL */
    uint32_t ops;     /* how many statements were generated */
    uint32_t chunk_count, output_count;
    Chunk chunks[CHUNK_MAX];
    char outputs[OUTPUT_MAX][NAME_SIZE]; /* names of the body whose values count */
    uint32_t used;
    char text[TEXT_SIZE];
} Program;

/* False when there is no room. */
bool program_add(Program *p, ChunkKind kind, const char *name, const char *text);
bool program_set(Program *p, uint32_t chunk, const char *text); /* replaces the text of a chunk */
void program_remove(Program *p, uint32_t chunk);

/* A growing text. */
typedef struct Text {
    char *bytes;
    size_t length, capacity;
} Text;
void text_put(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_put_list(Text *text, const char *format, va_list arguments);
void text_clear(Text *text);
void text_free(Text *text);

/* Stands between the pieces of a staged program. */
#define STAGE_MARK "# stage\n"
/* The source text of a program; its results are the globals r0, r1, … */
void program_write(const Program *p, Text *out);

/* Numbers that depend on the seed alone (splitmix64). */
typedef struct Random {
    uint64_t state;
} Random;
uint64_t random_next(Random *r);
static inline uint32_t random_below(Random *r, uint32_t n) {
    return (uint32_t)(random_next(r) % n);
}
static inline bool random_chance(Random *r, uint32_t percent) {
    return random_below(r, 100) < percent;
}

/* Fills in the program of a seed.  False: it came out too short (redrawn). */
typedef struct GenerateCounts {
    uint64_t tried, kept, refused, unstable, failed, dull; /* statements */
    uint64_t refusals[1000];                               /* by the number of the error code */
} GenerateCounts;
bool generate_program(Program *p, uint64_t seed, GenerateCounts *counts);

#endif
