/* Random programs against the reference evaluator.
 *
 *     fuzz_programs [--count N] [--seed S] [--seconds LIMIT] [--show] [--no-reduce] [--out FOLDER]
 *
 * Program number i has the seed S + i.  Programs run in a child process that is started again after a crash
 * or a time-out.  The exit status is 1 if any program fails.  --show prints the programs instead. */
#include "tests/fuzz/programs/reduce.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FAILURE_MAX = 64, UNSTABLE_PERCENT = 5, PROGRESS_SECONDS = 30 };

typedef struct Options {
    uint64_t seed, count;
    double seconds; /* per program */
    bool show, no_reduce;
    const char *out;
} Options;

typedef struct State { /* shared by the processes */
    uint64_t next;     /* the program that is being judged */
    double started;
    uint64_t passed, failing_as_expected, unstable, refused, short_ones, ops;
    GenerateCounts counts;
    Program program;
    Judgement judgement;
} State;

static volatile sig_atomic_t is_stopped; /* by Ctrl-C */

static void stop(int signal) {
    (void)signal;
    is_stopped = 1;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- the child -------------------------------------------------------------------------------------------
 */

/* Judges programs until one fails; the failure is in the state. */
static void work(State *s, const Options *o) {
    for (; s->next < o->count; s->next++) {
        s->started = now();
        s->judgement = (Judgement){0};
        if (!generate_program(&s->program, o->seed + s->next, &s->counts)) {
            s->short_ones++;
            continue;
        }
        judge(&s->program, -1, &s->judgement);
        Verdict verdict = s->judgement.verdict;
        if (verdict == VERDICT_REFUSED)
            s->refused++;
        else if (verdict == VERDICT_UNSTABLE)
            s->unstable++;
        else if (verdict != VERDICT_PASS)
            return;
        if (verdict == VERDICT_REFUSED && getenv("GMX_FUZZ_REFUSALS"))
            fprintf(stderr, "seed %llu refused as a whole: %s", (unsigned long long)(o->seed + s->next),
                    s->judgement.message);
        s->passed += verdict == VERDICT_PASS;
        s->ops += verdict == VERDICT_PASS ? s->program.ops : 0;
        s->failing_as_expected += s->judgement.has_failed;
    }
}

/* Starts a child at program number s->next and waits until it stops; false: all were judged. */
static bool run_child(State *s, const Options *o, double *shown) {
    fflush(NULL);
    s->started = now();
    pid_t child = fork();
    if (child < 0)
        abort();
    if (child == 0) {
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        work(s, o);
        _exit(0);
    }
    int status;
    bool late = false;
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (is_stopped)
            kill(child, SIGKILL);
        if (!late && now() > *(volatile double *)&s->started + o->seconds) {
            late = true;
            kill(child, SIGKILL);
        }
        if (now() > *shown + PROGRESS_SECONDS) {
            *shown = now();
            fprintf(stderr, "%llu programs\n", (unsigned long long)*(volatile uint64_t *)&s->next);
        }
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    if (late)
        s->judgement = (Judgement){.verdict = VERDICT_LATE, .configuration = -1, .message = "too slow"};
    else if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        s->judgement = (Judgement){.verdict = VERDICT_CRASH, .configuration = -1};
        snprintf(s->judgement.message, sizeof s->judgement.message, "ended by signal %d or status %d",
                 WIFSIGNALED(status) ? WTERMSIG(status) : 0, WIFEXITED(status) ? WEXITSTATUS(status) : 0);
    }
    return s->next < o->count && !is_stopped;
}

/* ---- reports ---------------------------------------------------------------------------------------------
 */

static void print_program(const Program *p) {
    Text text = {0};
    program_write(p, &text);
    printf("%s", text.bytes);
    text_free(&text);
}

static void write_program(const Options *o, const Program *p, const Judgement *j) {
    char path[512];
    snprintf(path, sizeof path, "%s/%llu.gmx", o->out, (unsigned long long)p->seed);
    FILE *file = fopen(path, "w");
    Text text = {0};
    if (!file) {
        perror(path);
        return;
    }
    program_write(p, &text);
    fprintf(file, "# seed %llu: %s: %s\n%s", (unsigned long long)p->seed,
            j->configuration >= 0 ? configuration_names[j->configuration] : "", j->message, text.bytes);
    for (uint32_t i = 0; i < p->output_count; i++)
        fprintf(file, "print(r%u)\n", i);
    text_free(&text);
    fclose(file);
}

static void report(State *s, const Options *o) {
    Program *p = malloc(sizeof *p);
    Judgement j = s->judgement;
    if (!p)
        abort();
    *p = s->program;
    printf("FAILED seed %llu: %s: %s\n", (unsigned long long)p->seed,
           j.configuration >= 0 ? configuration_names[j.configuration] : "", j.message);
    if (p->seed != o->seed + s->next) /* it fell while it was generated */
        p->chunk_count = 0;
    if (!o->no_reduce && p->chunk_count) {
        reduce(p, &j, o->seconds);
        printf("reduced, %s: %s\n", j.configuration >= 0 ? configuration_names[j.configuration] : "",
               j.message);
    }
    if (p->chunk_count)
        print_program(p);
    if (o->out && p->chunk_count)
        write_program(o, p, &j);
    fflush(stdout);
    free(p);
}

static void print_summary(const State *s, const Options *o, uint64_t failures) {
    const GenerateCounts *c = &s->counts;
    uint64_t redrawn = s->unstable + s->refused + s->short_ones;
    printf("%llu programs from seed %llu: %llu passed (%llu of them run-time errors), %llu failed, %llu "
           "redrawn (%.1f %%: %llu "
           "precisions disagree, %llu refused, %llu too short); %llu statements in those that passed\n",
           (unsigned long long)s->next, (unsigned long long)o->seed, (unsigned long long)s->passed,
           (unsigned long long)s->failing_as_expected, (unsigned long long)failures,
           (unsigned long long)redrawn, 100.0 * (double)redrawn / (double)(o->count ? o->count : 1),
           (unsigned long long)s->unstable, (unsigned long long)s->refused, (unsigned long long)s->short_ones,
           (unsigned long long)s->ops);
    printf("statements drawn %llu: kept %llu, refused %llu, precisions disagree %llu, dull %llu, run-time "
           "errors %llu; refused:",
           (unsigned long long)c->tried, (unsigned long long)c->kept, (unsigned long long)c->refused,
           (unsigned long long)c->unstable, (unsigned long long)c->dull, (unsigned long long)c->failed);
    for (int i = 0; i < 1000; i++)
        if (c->refusals[i])
            printf(" E%04d %llu", i, (unsigned long long)c->refusals[i]);
    printf("\n");
}

/* ---- options ---------------------------------------------------------------------------------------------
 */

static bool parse_options(Options *o, int argc, char **argv) {
    *o = (Options){.seed = 1, .count = 100, .seconds = 30};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(argv[i], "--show")) {
            o->show = true;
            continue;
        }
        if (!strcmp(argv[i], "--no-reduce")) {
            o->no_reduce = true;
            continue;
        }
        if (!value)
            return false;
        if (!strcmp(argv[i], "--seed"))
            o->seed = strtoull(value, NULL, 10);
        else if (!strcmp(argv[i], "--count"))
            o->count = strtoull(value, NULL, 10);
        else if (!strcmp(argv[i], "--seconds"))
            o->seconds = strtod(value, NULL);
        else if (!strcmp(argv[i], "--out"))
            o->out = value;
        else
            return false;
        i++;
    }
    return true;
}

static void show(State *s, const Options *o) {
    for (uint64_t i = 0; i < o->count; i++)
        if (generate_program(&s->program, o->seed + i, &s->counts)) {
            printf("# seed %llu\n", (unsigned long long)s->program.seed);
            print_program(&s->program);
        }
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

int main(int argc, char **argv) {
    Options options;
    uint64_t failures = 0;
    if (!parse_options(&options, argc, argv)) {
        fputs("usage: fuzz_programs [--count N] [--seed S] [--seconds LIMIT] [--show] [--no-reduce] [--out "
              "FOLDER]\n",
              stderr);
        return 2;
    }
    State *state = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (state == MAP_FAILED)
        return 2;
    if (options.show) {
        show(state, &options);
        return 0;
    }
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    char folder[] = "/tmp/gmx-fuzz-XXXXXX";
    judge_set_cache(mkdtemp(folder));
    double shown = now();
    while (run_child(state, &options, &shown)) {
        report(state, &options);
        if (++failures == FAILURE_MAX)
            break;
        state->next++;
    }
    nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    print_summary(state, &options, failures);
    bool too_many = state->unstable * 100 > options.count * UNSTABLE_PERCENT;
    if (too_many)
        printf("more than %d %% of the programs were redrawn because two precisions disagree\n",
               UNSTABLE_PERCENT);
    return failures || too_many;
}
