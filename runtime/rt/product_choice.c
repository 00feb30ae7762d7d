/* Which way a matrix product goes: the compiler's kernel or OpenBLAS.
 *
 * A function of dtype, shape, layout and what was measured on this machine before, if somebody asked for that
 * (gmxrt_ctx.product_choice), so that the same product goes the same way, with the same bits, in every run:
 * nothing is measured while a program runs. */
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

/* ---- measured -------------------------------------------------------------------------------- */

/* Bit 0: there are measurements; bit 1 + class, and PRODUCT_POINTS higher for f64: the kernel is faster. */
enum { MEASURED = 1, NO_CLASS = -1 };
enum { ROW, TINY, SMALL, FEW_ROWS, MEDIUM, WIDE, TURNED_FEW, TURNED_MANY };

const ProductPoint product_points[PRODUCT_POINTS] = {
    [ROW] = {1, 1, 512, 784, false},        [TINY] = {1024, 16, 16, 16, false},
    [SMALL] = {64, 64, 64, 64, false},      [FEW_ROWS] = {1, 32, 512, 784, false},
    [MEDIUM] = {1, 192, 192, 192, false},   [WIDE] = {1, 768, 768, 768, false},
    [TURNED_FEW] = {1, 32, 512, 784, true}, [TURNED_MANY] = {1, 384, 384, 384, true},
};

static int class_of(const Product *product) {
    enum { TINY_WORK = 1 << 15, SMALL_WORK = 1 << 20, MANY = 256, FEW = 64 };
    bool is_turned = product->b.strides[product->out.rank - 1] != 1;
    if (product->n == 1 || (product->m == 1 && is_turned)) {
        return NO_CLASS; /* layout decides */
    }
    if (product->m == 1) {
        return ROW;
    }
    if (is_turned) {
        return product->m < MANY ? TURNED_FEW : TURNED_MANY;
    }
    int64_t work = product_work(product);
    return work <= TINY_WORK    ? TINY
           : work <= SMALL_WORK ? SMALL
           : product->m <= FEW  ? FEW_ROWS
           : work < LARGE_WORK  ? MEDIUM
                                : WIDE;
}

/* The bit of a product among those measured; 0: none. */
static uint32_t bit_of(const Product *product) {
    int class = class_of(product);
    bool is_double = product->out.dtype == RT_f64;
    if (class == NO_CLASS || (!is_double && product->out.dtype != RT_f32)) {
        return 0;
    }
    return 2u << (class + (is_double ? PRODUCT_POINTS : 0));
}

static bool rule_of(const ProductPoint *point, int32_t dtype) {
    Product product = {.m = point->m, .n = point->n, .k = point->k};
    product.a = product.b = product.out = (gmxrt_view){.dtype = dtype, .rank = 2};
    product.a.strides[0] = point->k;
    product.a.strides[1] = 1;
    product.b.strides[0] = point->is_turned ? 1 : point->n;
    product.b.strides[1] = point->is_turned ? point->k : 1;
    return by_rule(&product);
}

/* Where both are about as fast the rule decides, so that noise does not. */
uint32_t product_choice_of(const ProductTimes *times) {
    const double tie = 1.05;
    uint32_t choice = MEASURED;
    for (int d = 0; d < 2; d++) {
        for (int i = 0; i < PRODUCT_POINTS; i++) {
            bool rule = rule_of(&product_points[i], d ? RT_f64 : RT_f32);
            double own = times->own[d][i] * (rule ? 1 : tie),
                   library = times->library[d][i] * (rule ? tie : 1);
            choice |= own <= library ? 2u << (i + d * PRODUCT_POINTS) : 0;
        }
    }
    return choice;
}

/* ---- the choice ------------------------------------------------------------------------------ */

bool product_prefers_kernel(const Product *product) {
    pthread_once(&forced_once, read_force);
    if (forced != FORCE_NONE) {
        return forced != FORCE_LIBRARY;
    }
    uint32_t bit = product->choice & MEASURED ? bit_of(product) : 0;
    return bit ? (product->choice & bit) != 0 : by_rule(product);
}

bool product_is_compiled_always(void) {
    pthread_once(&forced_once, read_force);
    return forced == FORCE_OWN;
}

bool product_is_compiled_never(void) {
    pthread_once(&forced_once, read_force);
    return forced == FORCE_PLAIN;
}

const char *product_reason(const Product *product) {
    pthread_once(&forced_once, read_force);
    return forced != FORCE_NONE                                   ? "by GMX_PRODUCT"
           : (product->choice & MEASURED) && bit_of(product) != 0 ? "measured"
                                                                  : "by rule";
}
