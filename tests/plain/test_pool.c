/* The thread pool under stress: several callers, nested loops, a changing number of threads.
 * A plain main, so that it runs under ThreadSanitizer.  Prints "ok" and returns 0. */
#include "runtime/rt/runtime.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { CALLERS = 4, LOOPS = 300, COUNT = 20000 };

typedef struct Job {
    gmxrt_ctx *ctx;
    int64_t *values;
    int64_t add;
} Job;

static void add_body(void *arguments, int64_t begin, int64_t end) {
    Job *job = arguments;
    for (int64_t i = begin; i < end; i++) {
        job->values[i] += job->add;
    }
}

/* Each element runs a small loop of its own over a private array. */
static void nested_body(void *arguments, int64_t begin, int64_t end) {
    Job *job = arguments;
    for (int64_t i = begin; i < end; i++) {
        int64_t private[8] = {0};
        Job inner = {job->ctx, private, i};
        gmxrt_parallel_for(job->ctx, add_body, &inner, 8, 1);
        job->values[i] += private[7] - i + 1;
    }
}

static void *caller_main(void *argument) {
    int64_t *failures = argument;
    gmxrt_ctx *ctx = gmxrt_ctx_create();
    int64_t *values = calloc(COUNT, sizeof *values);
    int64_t expected = 0;
    for (int64_t k = 0; k < LOOPS; k++) {
        Job job = {ctx, values, k};
        gmxrt_parallel_for(ctx, add_body, &job, COUNT, 1 + k * 37 % 5000);
        expected += k;
        if (k % 50 == 0) {
            gmxrt_parallel_for(ctx, nested_body, &job, COUNT, 100);
            expected += 1;
        }
        int64_t shape[1] = {1 + k * 7919 % 100000};
        gmxrt_tensor_release(gmxrt_tensor_new(ctx, RT_f64, 1, shape, 0));
    }
    for (int64_t i = 0; i < COUNT; i++) {
        *failures += values[i] != expected;
    }
    free(values);
    gmxrt_ctx_destroy(ctx);
    return NULL;
}

int main(void) {
    pthread_t callers[CALLERS];
    int64_t failures[CALLERS] = {0}, total = 0;
    gmxrt_set_threads(3);
    for (int i = 0; i < CALLERS; i++) {
        if (pthread_create(&callers[i], NULL, caller_main, &failures[i]) != 0) {
            return 1;
        }
    }
    for (int i = 0; i < 30; i++) {
        gmxrt_set_threads(1 + i % 5);
    }
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i], NULL);
        total += failures[i];
    }
    gmxrt_set_threads(1);
    puts(total == 0 ? "ok" : "wrong values");
    return total != 0;
}
