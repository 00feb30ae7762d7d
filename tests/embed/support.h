/* What the embedding tests share: counted checks, and sessions that leave no files behind. */
#ifndef GMX_TESTS_EMBED_SUPPORT_H
#define GMX_TESTS_EMBED_SUPPORT_H

#include "gmx.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

#define CHECK(condition, ...)                                                                                \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            __atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);                                              \
            fprintf(stderr, "%s:%d: %s failed: ", __FILE__, __LINE__, #condition);                           \
            fprintf(stderr, __VA_ARGS__);                                                                    \
            fputc('\n', stderr);                                                                             \
        }                                                                                                    \
    } while (0)

#define CHECK_OK(session, call) CHECK((call) == GMX_OK, "%s", gmx_errmsg(session))

static inline void drop_text(void *user, const char *text, size_t length) {
    (void)user, (void)text, (void)length;
}

/* A session without an object cache that prints nothing. */
static inline gmx_session *open_session(int64_t memory_bytes) {
    gmx_options options;
    gmx_session *session = NULL;
    gmx_options_init(&options);
    options.cache_directory = "";
    options.memory_bytes = memory_bytes;
    options.write = drop_text;
    gmx_status status = gmx_session_open(&options, &session);
    if (status != GMX_OK) {
        fprintf(stderr, "no session: status %d\n", (int)status);
        exit(1);
    }
    return session;
}

/* The value of an expression that gives one f64, or NaN. */
static inline double eval_number(gmx_session *session, const char *text) {
    gmx_tensor *value = NULL;
    double number = NAN;
    if (gmx_eval(session, text, &value) != GMX_OK) {
        fprintf(stderr, "%s: %s\n", text, gmx_errmsg(session));
        return number;
    }
    if (gmx_tensor_dtype(value) == GMX_F64 && gmx_tensor_size(value) == 1)
        number = *(const double *)gmx_tensor_data(value);
    gmx_tensor_release(value);
    return number;
}

static inline int finish(void) {
    if (failures)
        fprintf(stderr, "%d checks failed\n", failures);
    return failures != 0;
}

#endif
