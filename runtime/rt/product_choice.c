/* Which way a matrix product goes: the compiler's kernel or OpenBLAS.
 *
 * A function of dtype, shape and layout alone, so that the same product goes the same way, with the same
 * bits, in every run: nothing is measured while a program runs. */
#include "runtime/rt/internal.h"

#include "runtime/rt/matmul.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { FORCE_NONE, FORCE_OWN, FORCE_PLAIN, FORCE_LIBRARY };

static int forced;
static pthread_once_t forced_once = PTHREAD_ONCE_INIT;

static void read_force(void) {
    const char *text = getenv("GMX_PRODUCT");
    forced = !text                          ? FORCE_NONE
             : strcmp(text, "own") == 0     ? FORCE_OWN
             : strcmp(text, "plain") == 0   ? FORCE_PLAIN
             : strcmp(text, "library") == 0 ? FORCE_LIBRARY
                                            : FORCE_NONE;
}

enum { LARGE = 128, LARGE_WORK = 1 << 24 };

/* What measurements on Zen 4 and OpenBLAS 0.3.21 gave. */
static bool by_rule(const Product *product) {
    int32_t r = product->out.rank - 2, c = r + 1;
    const int64_t *a = product->a.strides, *b = product->b.strides;
    if (product->n == 1) {
        return a[r] == 1 || (a[c] == 1 && b[r] == 1);
    }
    if (product->m >= LARGE && product->n >= LARGE && product->k >= LARGE / 2 &&
        product_work(product) >= LARGE_WORK) {
        return false; /* both are as fast as the machine, and the library need not be compiled */
    }
    return b[c] == 1 || product->m >= 256; /* else columns of b are gathered: many rows must make up for it */
}

bool product_prefers_kernel(const Product *product) {
    pthread_once(&forced_once, read_force);
    if (forced != FORCE_NONE) {
        return forced != FORCE_LIBRARY;
    }
    return by_rule(product);
}

bool product_is_compiled_always(void) {
    pthread_once(&forced_once, read_force);
    return forced == FORCE_OWN;
}

bool product_is_compiled_never(void) {
    pthread_once(&forced_once, read_force);
    return forced == FORCE_PLAIN;
}

const char *product_reason(void) {
    pthread_once(&forced_once, read_force);
    return forced == FORCE_NONE ? "by rule" : "by GMX_PRODUCT";
}
