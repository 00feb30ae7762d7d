/* Two sessions, each on a thread of its own, compile and run different programs at the same time.
 *
 * Under ThreadSanitizer, which sees all but LLVM and the code that it makes:
 *     cmake -S . -B build-tsan -G Ninja -DGMX_STATIC_LLVM=OFF -DCMAKE_C_FLAGS='-O1 -g -fsanitize=thread'
 *     cmake --build build-tsan --target embed_threads libgmx-llvm
 *     TSAN_OPTIONS=suppressions=tests/embed/tsan.supp build-tsan/embed_threads */
#include "support.h"

#include <pthread.h>

enum { ROUNDS = 12, LENGTH = 3000 };

typedef struct Worker {
    pthread_t thread;
    int number;
} Worker;

/* A program that no other round and no other thread has, and its value. */
static void one_program(gmx_session *session, int number, int round) {
    char text[400], name[32];
    int factor = 2 + number * ROUNDS + round;
    snprintf(name, sizeof name, "program %d", factor);
    snprintf(text, sizeof text,
             "fn scaled_%d(x) = sum(tanh(x * %d.25) + x ^ %d)\n"
             "mut total_%d = 0.0\n"
             "for i in 0..%d { total_%d += scaled_%d(arange(%d.0) / %d) }\n",
             factor, factor, 2 + round % 3, factor, 5, factor, factor, LENGTH, LENGTH);
    CHECK_OK(session, gmx_run_text(session, name, text, -1));
    double expected = 0;
    for (int i = 0; i < LENGTH; i++)
        expected += tanh((double)i / LENGTH * (factor + 0.25)) + pow((double)i / LENGTH, 2 + round % 3);
    snprintf(text, sizeof text, "total_%d", factor);
    double value = eval_number(session, text);
    CHECK(fabs(value - 5 * expected) <= 1e-9 * expected, "thread %d round %d: %.17g, not %.17g", number,
          round, value, 5 * expected);
}

static void *work(void *argument) {
    const Worker *worker = argument;
    gmx_session *session = open_session(0);
    for (int round = 0; round < ROUNDS; round++) {
        one_program(session, worker->number, round);
        gmx_tensor *none = NULL;
        CHECK(gmx_eval(session, worker->number ? "[1, 2] + [1, 2, 3]" : "unknown + 1", &none) == GMX_ERROR,
              "a wrong program ran");
        CHECK(!strcmp(gmx_errcode(session), worker->number ? "E0203" : "E0110"),
              "the error of thread %d is %s", worker->number, gmx_errmsg(session));
    }
    gmx_session_close(session);
    return NULL;
}

/* Sessions that are opened, used once and closed while another thread does the same. */
static void *open_and_close(void *argument) {
    const Worker *worker = argument;
    for (int round = 0; round < 4; round++) {
        gmx_session *session = open_session(0);
        one_program(session, worker->number, round);
        gmx_session_close(session);
    }
    return NULL;
}

static void run_both(void *(*function)(void *)) {
    Worker workers[2];
    for (int i = 0; i < 2; i++) {
        workers[i].number = i;
        if (pthread_create(&workers[i].thread, NULL, function, &workers[i])) {
            fprintf(stderr, "no thread\n");
            exit(1);
        }
    }
    for (int i = 0; i < 2; i++)
        pthread_join(workers[i].thread, NULL);
}

int main(void) {
    gmx_set_threads(2);
    run_both(work);
    run_both(open_and_close);
    return finish();
}
