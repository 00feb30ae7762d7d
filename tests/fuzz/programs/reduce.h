/* Makes a failing program small, and runs programs in processes of their own. */
#ifndef GMX_TESTS_FUZZ_REDUCE_H
#define GMX_TESTS_FUZZ_REDUCE_H

#include "tests/fuzz/programs/judge.h"

/* Judges in a child process, so that a crash or an endless loop is a verdict. */
void judge_apart(const Program *program, int only, double seconds, Judgement *out);
/* The smallest program found that fails as `program` does; `judgement` becomes its own. */
void reduce(Program *program, Judgement *judgement, double seconds);

#endif
