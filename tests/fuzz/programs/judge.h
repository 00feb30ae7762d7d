/* One program against the reference: run by the JIT at -O0, at -O3 with fusion off, and at -O3. */
#ifndef GMX_TESTS_FUZZ_JUDGE_H
#define GMX_TESTS_FUZZ_JUDGE_H

#include "tests/fuzz/programs/program.h"

typedef enum Verdict {
    VERDICT_NONE, /* judging did not end */
    VERDICT_PASS,
    VERDICT_REFUSED,  /* by the front end */
    VERDICT_UNSTABLE, /* the two precisions of the reference disagree, or it is too much work */
    VERDICT_WRONG,
    VERDICT_CRASH,
    VERDICT_LATE,
} Verdict;

enum { CONFIGURATION_COUNT = 3 };
extern const char *const configuration_names[CONFIGURATION_COUNT];

typedef struct Judgement {
    Verdict verdict;
    int configuration; /* that was wrong, -1: before any */
    bool has_failed;   /* the program ends with a run-time error, as it should */
    char message[600];
} Judgement;

/* A folder for compiled kernels of programs with fusion off, which are few and small; NULL: none.  It belongs
 * to one run of the fuzzer, so that no kernel of another compiler is met. */
void judge_set_cache(const char *folder);
/* `only`: one configuration, -1: all. */
void judge(const Program *program, int only, Judgement *out);
/* A GMX literal of the reference's value of a name of the body; false: there is none of this size. */
bool judge_literal(const Program *program, const char *name, Text *out);

#endif
