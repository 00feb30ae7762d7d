/* Complex tensors of the host: any strides, aligned as parts are, in place, scalars, and as C's own complex
 * type. */
#include "support.h"

#include <complex.h>

static double complex number(gmx_session *session, const char *function, gmx_tensor *x) {
    gmx_tensor *y = NULL;
    double complex value = NAN;
    CHECK_OK(session, gmx_call1(session, function, x, &y));
    if (y && gmx_tensor_dtype(y) == GMX_C128 && gmx_tensor_rank(y) == 0)
        memcpy(&value, gmx_tensor_data(y), sizeof value);
    gmx_tensor_release(y);
    return value;
}

static gmx_tensor *wrap(gmx_session *session, void *data, gmx_dtype dtype, int rank, const int64_t *shape,
                        const int64_t *strides) {
    gmx_tensor *x = NULL;
    CHECK_OK(session, gmx_tensor_wrap(session, data, dtype, rank, shape, strides, NULL, NULL, &x));
    return x;
}

/* Every layout of 5 x 7 numbers in memory that is aligned to a part and no more. */
static void test_layouts(gmx_session *session) {
    _Alignas(64) char memory[16 * 200 + 8];
    double complex *data = (double complex *)(memory + 8);
    const int64_t layouts[][3] = {{0, 7, 1},   {0, 1, 5},     {3, 14, 2}, {34, -7, -1}, {4, 7, 0},
                                  {28, -7, 1}, {180, -1, -5}, {9, 0, 0},  {0, 1, 1}};
    for (int i = 0; i < 200; i++)
        data[i] = i + 2 * i * I;
    for (size_t c = 0; c < sizeof layouts / sizeof *layouts; c++) {
        double complex sum = 0, weighted = 0;
        for (int64_t i = 0; i < 5; i++)
            for (int64_t j = 0; j < 7; j++) {
                double complex value = data[layouts[c][0] + i * layouts[c][1] + j * layouts[c][2]];
                sum += value;
                weighted += value * (double)(7 * i + j) * I;
            }
        gmx_tensor *x = wrap(session, data + layouts[c][0], GMX_C128, 2, (int64_t[]){5, 7}, layouts[c] + 1);
        CHECK(number(session, "total", x) == sum, "the sum of layout %zu", c);
        CHECK(number(session, "weighted", x) == weighted, "the weighted sum of layout %zu", c);
        CHECK(number(session, "copied", x) == sum, "a copy of layout %zu", c);
        gmx_tensor_release(x);
    }
    gmx_tensor *x = NULL;
    gmx_status status =
        gmx_tensor_wrap(session, memory + 4, GMX_C128, 1, (int64_t[]){2}, NULL, NULL, NULL, &x);
    CHECK(status == GMX_MISUSE && !x, "an address between parts");
}

/* Lengths around the widths of vectors: nothing beside the result is written, nothing past the end is read.
 */
static void test_tails(gmx_session *session) {
    for (int64_t n = 0; n < 70; n++) {
        float complex *data =
            malloc((size_t)n * sizeof *data + 1); /* as much as there is: for the sanitizer */
        for (int64_t i = 0; i < n; i++)
            data[i] = (float)i - 3 * I;
        gmx_tensor *x = wrap(session, n ? data : NULL, GMX_C64, 1, (int64_t[]){n}, NULL), *y = NULL;
        CHECK_OK(session, gmx_call1(session, "turned", x, &y));
        const float complex *turned = y ? gmx_tensor_data(y) : NULL;
        for (int64_t i = 0; turned && i < n; i++) {
            CHECK(turned[i] == 3 + (float)i * I + 1, "element %d of %d", (int)i, (int)n);
            CHECK(data[i] == (float)i - 3 * I, "the operand was written");
        }
        gmx_tensor_release(y);
        gmx_tensor_release(x);
        free(data);
    }
}

static void test_scalars(gmx_session *session) {
    double complex z = 1 + 2 * I;
    gmx_tensor *x = wrap(session, &z, GMX_C128, 0, NULL, NULL), *y = NULL;
    CHECK(number(session, "total", x) == z, "a scalar");
    CHECK_OK(session, gmx_set(session, "z", x));
    CHECK_OK(session, gmx_eval(session, "c64(z * z)", &y));
    CHECK(y && gmx_tensor_dtype(y) == GMX_C64 && *(const float complex *)gmx_tensor_data(y) == -3 + 4 * I,
          "the square");
    gmx_tensor_release(y);
    CHECK_OK(session, gmx_eval(session, "abs(3 + 4j)", &y));
    CHECK(y && gmx_tensor_dtype(y) == GMX_F64 && *(const double *)gmx_tensor_data(y) == 5, "the magnitude");
    gmx_tensor_release(y);
    gmx_tensor_release(x);
    CHECK(gmx_tensor_wrap(session, &z, (gmx_dtype)(GMX_C128 + 1), 0, NULL, NULL, NULL, NULL, &x) ==
              GMX_MISUSE,
          "a dtype after the last");
}

int main(void) {
    gmx_session *session = open_session(0);
    CHECK_OK(session, gmx_run_text(session, "complex",
                                   "fn total(x) = sum(x)\n"
                                   "fn weighted(x) = sum(x * arange(f64(x.size)).reshape(x.shape) * 1j)\n"
                                   "fn copied(x) = sum(reshape(x, -1) + 0)\n"
                                   "fn turned(x: c64[n]) -> c64[n] {\n mut y = x * 1j\n y += 1\n y\n}\n",
                                   -1));
    test_layouts(session);
    test_tails(session);
    test_scalars(session);
    gmx_session_close(session);
    return finish();
}
