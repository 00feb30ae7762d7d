/* Delta debugging: outputs, statements, lines, definitions and subexpressions go as long as the program still
 * fails in the same configuration and the reference still accepts it. */
#include "tests/fuzz/programs/reduce.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ATTEMPTS = 3000 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *share(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        abort();
    return memory;
}

/* Waits for a child; kills it when it takes too long. */
static int wait_for(pid_t child, double seconds, bool *late) {
    double end = now() + seconds;
    int status = 0;
    *late = false;
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (now() > end && !*late) {
            *late = true;
            kill(child, SIGKILL);
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return status;
}

void judge_apart(const Program *program, int only, double seconds, Judgement *out) {
    Judgement *shared = share(sizeof *shared);
    bool late;
    fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        abort();
    if (child == 0) {
        judge(program, only, shared);
        _exit(0);
    }
    int status = wait_for(child, seconds, &late);
    *out = *shared;
    munmap(shared, sizeof *shared);
    if (late)
        *out = (Judgement){.verdict = VERDICT_LATE, .configuration = only, .message = "too slow"};
    else if (!WIFEXITED(status) || WEXITSTATUS(status) || out->verdict == VERDICT_NONE)
        *out = (Judgement){.verdict = VERDICT_CRASH, .configuration = only, .message = "crashes"};
}

typedef struct Reducer {
    Program *best, *trial;
    Judgement *judgement;
    Verdict verdict; /* to be kept */
    int only;
    double seconds;
    int attempts;
} Reducer;

/* Takes the trial if it fails in the same way. */
static bool accept(Reducer *r) {
    Judgement found;
    if (++r->attempts > ATTEMPTS)
        return false;
    judge_apart(r->trial, r->only, r->seconds, &found);
    if (found.verdict != r->verdict || (r->verdict == VERDICT_WRONG && found.configuration != r->only))
        return false;
    *r->best = *r->trial;
    *r->judgement = found;
    return true;
}

static void begin(Reducer *r) {
    *r->trial = *r->best;
}

static bool drop_outputs(Reducer *r) {
    bool any = false;
    for (uint32_t i = r->best->output_count; i-- > 0 && r->best->output_count > 1;) {
        begin(r);
        Program *p = r->trial;
        memmove(p->outputs[i], p->outputs[i + 1], (p->output_count - i - 1) * NAME_SIZE);
        p->output_count--;
        any |= accept(r);
    }
    return any;
}

static bool drop_chunks(Reducer *r) {
    bool any = false;
    for (uint32_t span = r->best->chunk_count / 2; span; span /= 2)
        for (uint32_t i = r->best->chunk_count; i-- > 0;) {
            begin(r);
            for (uint32_t k = 0; k < span && i < r->trial->chunk_count; k++)
                program_remove(r->trial, i);
            any |= r->trial->chunk_count < r->best->chunk_count && accept(r);
            if (i > r->best->chunk_count)
                i = r->best->chunk_count;
        }
    return any;
}

static char *chunk_text(const Program *p, uint32_t i) {
    char *text = strndup(p->text + p->chunks[i].begin, p->chunks[i].length);
    if (!text)
        abort();
    return text;
}

/* The program with another text for one chunk. */
static bool try_text(Reducer *r, uint32_t chunk, const char *text) {
    begin(r);
    return program_set(r->trial, chunk, text) && accept(r);
}

/* An earlier name of the body as an output, so that what comes after it can go. */
static bool move_output(Reducer *r) {
    for (uint32_t i = 0; i < r->best->chunk_count; i++) {
        const Chunk *c = &r->best->chunks[i];
        if (c->kind != CHUNK_STATEMENT || !c->name[0] || r->best->output_count != 1)
            continue;
        if (!strcmp(c->name, r->best->outputs[0]))
            return false;
        begin(r);
        memcpy(r->trial->outputs[0], c->name, NAME_SIZE);
        if (accept(r))
            return true;
    }
    return false;
}

static bool drop_lines(Reducer *r, uint32_t chunk) {
    bool any = false, again = true;
    while (again) {
        again = false;
        char *text = chunk_text(r->best, chunk);
        size_t length = strlen(text);
        for (size_t at = 0; at < length && !again;) {
            char *end = strchr(text + at, '\n');
            size_t next = end ? (size_t)(end - text) + 1 : length;
            char *without = calloc(1, length + 1);
            if (!without)
                abort();
            memcpy(without, text, at);
            memcpy(without + at, text + next, length - next);
            again = without[0] && try_text(r, chunk, without);
            free(without);
            at = next;
        }
        free(text);
        any |= again;
    }
    return any;
}

/* Statements become inputs: their values as literals. */
static bool insert_literals(Reducer *r) {
    bool any = false;
    for (uint32_t i = r->best->chunk_count; i-- > 0;) {
        Text literal = {0}, text = {0};
        const Chunk *c = &r->best->chunks[i];
        if (c->kind != CHUNK_STATEMENT || !c->name[0])
            continue;
        if (judge_literal(r->best, c->name, &literal)) {
            text_put(&text, "let %s = %s", c->name, literal.bytes);
            begin(r);
            if (program_set(r->trial, i, text.bytes)) {
                r->trial->chunks[i].kind = CHUNK_INPUT;
                any |= accept(r);
            }
        }
        text_free(&literal);
        text_free(&text);
    }
    return any;
}

static bool is_word(char c) {
    return isalnum((unsigned char)c) || c == '_' || c == '.';
}

/* Where the bracket that opens at text[open] closes; 0: nowhere. */
static size_t closing(const char *text, size_t open) {
    int depth = 0;
    for (size_t i = open; text[i]; i++) {
        depth += text[i] == '(' || text[i] == '[';
        depth -= text[i] == ')' || text[i] == ']';
        if (depth == 0)
            return i;
    }
    return 0;
}

static bool try_splice(Reducer *r, uint32_t chunk, const char *text, size_t from, size_t to, const char *with,
                       size_t with_length) {
    Text made = {0};
    text_put(&made, "%.*s%.*s%s", (int)from, text, (int)with_length, with, text + to);
    bool ok = strcmp(made.bytes, text) && try_text(r, chunk, made.bytes);
    text_free(&made);
    return ok;
}

/* f(a, b) becomes a, or b; the list [a, b, c] loses one item. */
static bool shorten_brackets(Reducer *r, uint32_t chunk, const char *text, size_t open) {
    size_t end = closing(text, open), begin_at = open, item = open + 1;
    if (!end)
        return false;
    while (begin_at > 0 && is_word(text[begin_at - 1]))
        begin_at--;
    int depth = 0;
    for (size_t i = open + 1; i <= end; i++) {
        depth += text[i] == '(' || text[i] == '[';
        depth -= (text[i] == ')' || text[i] == ']') && i != end;
        if (depth || (text[i] != ',' && i != end))
            continue;
        if (try_splice(r, chunk, text, begin_at, end + 1, text + item, i - item))
            return true;
        if (text[i] == ',' && try_splice(r, chunk, text, item, i + 2, "", 0))
            return true;
        item = i + 2;
    }
    return text[open] == '[' && try_splice(r, chunk, text, open, end + 1, "", 0);
}

/* `a + b` becomes a, or b, for operands that are words or brackets. */
static bool shorten_operator(Reducer *r, uint32_t chunk, const char *text, size_t at) {
    size_t end = at + 1, begin_at = at;
    while (text[end] && text[end] != ' ')
        end++;
    if (text[at] != ' ' || text[end] != ' ' || isalnum((unsigned char)text[at + 1]) || text[at + 1] == '=')
        return false;
    size_t right = end + 1;
    while (begin_at > 0 && (is_word(text[begin_at - 1]) || strchr(")]", text[begin_at - 1]))) {
        int depth = 0;
        do {
            begin_at--;
            depth += text[begin_at] == ')' || text[begin_at] == ']';
            depth -= text[begin_at] == '(' || text[begin_at] == '[';
        } while (depth > 0 && begin_at > 0);
    }
    size_t stop = right;
    while (is_word(text[stop]) || text[stop] == '(' || text[stop] == '[' || text[stop] == '-') {
        size_t close = text[stop] == '(' || text[stop] == '[' ? closing(text, stop) : stop;
        if (!close)
            return false;
        stop = close + 1;
    }
    return try_splice(r, chunk, text, begin_at, stop, text + begin_at, at - begin_at) ||
           try_splice(r, chunk, text, begin_at, stop, text + right, stop - right);
}

static bool shorten_expressions(Reducer *r, uint32_t chunk) {
    bool any = false, again = true;
    while (again) {
        again = false;
        char *text = chunk_text(r->best, chunk);
        for (size_t i = 0; text[i] && !again && r->attempts < ATTEMPTS; i++) {
            if (text[i] == '(' || text[i] == '[')
                again = shorten_brackets(r, chunk, text, i);
            else if (text[i] == ' ')
                again = shorten_operator(r, chunk, text, i);
        }
        free(text);
        any |= again;
    }
    return any;
}

void reduce(Program *program, Judgement *judgement, double seconds) {
    Program *trial = calloc(1, sizeof *trial);
    if (!trial)
        abort();
    Reducer r = {program, trial, judgement, judgement->verdict, judgement->configuration, seconds, 0};
    if (r.verdict == VERDICT_LATE || r.verdict == VERDICT_CRASH)
        r.only = -1;
    bool again = true;
    for (int round = 0; again && round < 6; round++) {
        again = drop_outputs(&r);
        again |= move_output(&r);
        again |= drop_chunks(&r);
        again |= insert_literals(&r);
        for (uint32_t i = r.best->chunk_count; i-- > 0;) {
            again |= drop_lines(&r, i);
            again |= shorten_expressions(&r, i);
        }
        if (program->in_function) {
            begin(&r);
            r.trial->in_function = false;
            again |= accept(&r);
        }
        if (program->staged) {
            begin(&r);
            r.trial->staged = false;
            again |= accept(&r);
        }
    }
    free(trial);
}
