/* Matrix products by loops of our own: integers (wrapping, as NumPy's), bool (or of ands), and
 * floats and complex numbers where there is no OpenBLAS.  Each element adds up along k in order, whatever the
 * blocks, so the bits depend on nothing else. */
#include "runtime/rt/internal.h"

#include "runtime/rt/matmul.h"

#include <string.h>

enum { LOOP_ROWS = 16, LOOP_DEPTH = 256, LOOP_COLUMNS = 1024 };

/* The steps in elements of one piece; rows of b and out have unit stride. */
typedef struct Steps {
    int64_t k, a_row, a_column, b_row, out_row;
} Steps;

#define ADD_PRODUCT(sum, x, y) ((sum) + (x) * (y))
#define OR_AND(sum, x, y)      ((sum) | ((x) & (y)))

#define DEFINE_LOOPS(name, type, step)                                                                       \
    static void name##_panel(const type *a, const type *b, type *out, int64_t n, int64_t depth,              \
                             const Steps *steps) {                                                           \
        int64_t p = 0;                                                                                       \
        for (; p + 4 <= depth; p += 4) {                                                                     \
            type a0 = a[p * steps->a_column], a1 = a[(p + 1) * steps->a_column];                             \
            type a2 = a[(p + 2) * steps->a_column], a3 = a[(p + 3) * steps->a_column];                       \
            const type *b0 = b + p * steps->b_row, *b1 = b0 + steps->b_row;                                  \
            const type *b2 = b1 + steps->b_row, *b3 = b2 + steps->b_row;                                     \
            for (int64_t j = 0; j < n; j++) {                                                                \
                type sum = (type)step(out[j], a0, b0[j]);                                                    \
                sum = (type)step(sum, a1, b1[j]);                                                            \
                sum = (type)step(sum, a2, b2[j]);                                                            \
                out[j] = (type)step(sum, a3, b3[j]);                                                         \
            }                                                                                                \
        }                                                                                                    \
        for (; p < depth; p++) {                                                                             \
            type a0 = a[p * steps->a_column];                                                                \
            const type *b0 = b + p * steps->b_row;                                                           \
            for (int64_t j = 0; j < n; j++) {                                                                \
                out[j] = (type)step(out[j], a0, b0[j]);                                                      \
            }                                                                                                \
        }                                                                                                    \
    }                                                                                                        \
    static void name(const Piece *piece, const Steps *steps) {                                               \
        const type *a = (const type *)piece->a, *b = (const type *)piece->b;                                 \
        type *out = (type *)piece->out;                                                                      \
        for (int64_t i = 0; i < piece->m; i++) {                                                             \
            memset(out + i * steps->out_row, 0, (size_t)piece->n * sizeof *out);                             \
        }                                                                                                    \
        for (int64_t j = 0; j < piece->n; j += LOOP_COLUMNS) {                                               \
            int64_t n = piece->n - j < LOOP_COLUMNS ? piece->n - j : LOOP_COLUMNS;                           \
            for (int64_t p = 0; p < steps->k; p += LOOP_DEPTH) {                                             \
                int64_t depth = steps->k - p < LOOP_DEPTH ? steps->k - p : LOOP_DEPTH;                       \
                for (int64_t i = 0; i < piece->m; i++) {                                                     \
                    name##_panel(a + i * steps->a_row + p * steps->a_column, b + p * steps->b_row + j,       \
                                 out + i * steps->out_row + j, n, depth, steps);                             \
                }                                                                                            \
            }                                                                                                \
        }                                                                                                    \
    }

/* u16 multiplies as unsigned: as int, 65535 * 65535 would overflow. */
#define ADD_PRODUCT_U16(sum, x, y) ((sum) + 1u * (x) * (y))

/* The textbook product: C's own looks after infinities, which costs a call. */
#define DEFINE_COMPLEX_STEP(name, type, part)                                                                \
    static inline type name(type sum, type x, type y) {                                                      \
        part re = __real__ x * __real__ y - __imag__ x * __imag__ y;                                         \
        part im = __real__ x * __imag__ y + __imag__ x * __real__ y;                                         \
        __real__ sum += re;                                                                                  \
        __imag__ sum += im;                                                                                  \
        return sum;                                                                                          \
    }
DEFINE_COMPLEX_STEP(step_c64, float _Complex, float)
DEFINE_COMPLEX_STEP(step_c128, double _Complex, double)

DEFINE_LOOPS(loops_bool, uint8_t, OR_AND)
DEFINE_LOOPS(loops_u8, uint8_t, ADD_PRODUCT)
DEFINE_LOOPS(loops_u16, uint16_t, ADD_PRODUCT_U16)
DEFINE_LOOPS(loops_u32, uint32_t, ADD_PRODUCT)
DEFINE_LOOPS(loops_u64, uint64_t, ADD_PRODUCT)
DEFINE_LOOPS(loops_f32, float, ADD_PRODUCT)
DEFINE_LOOPS(loops_f64, double, ADD_PRODUCT)
DEFINE_LOOPS(loops_c64, float _Complex, step_c64)
DEFINE_LOOPS(loops_c128, double _Complex, step_c128)

typedef void (*Loops)(const Piece *piece, const Steps *steps);

/* Signed integers wrap as the unsigned ones of their width do. */
static Loops loops_of(int32_t dtype) {
    switch (dtype) {
    case RT_bool:
        return loops_bool;
    case RT_u8:
    case RT_i8:
        return loops_u8;
    case RT_u16:
    case RT_i16:
        return loops_u16;
    case RT_u32:
    case RT_i32:
        return loops_u32;
    case RT_u64:
    case RT_i64:
        return loops_u64;
    case RT_f32:
        return loops_f32;
    case RT_f64:
        return loops_f64;
    case RT_c64:
        return loops_c64;
    case RT_c128:
        return loops_c128;
    default:
        return NULL;
    }
}

typedef struct LoopCall {
    Product product; /* first: product_run hands it to the body */
    Loops loops;
    Steps steps;
} LoopCall;

static void loops_body(void *arguments, int64_t begin, int64_t end) {
    const LoopCall *call = arguments;
    for (int64_t task = begin; task < end; task++) {
        Piece piece = product_piece(&call->product, task);
        call->loops(&piece, &call->steps);
    }
}

int32_t product_by_loops(gmxrt_ctx *ctx, Product *product, uint64_t span) {
    LoopCall call = {.loops = loops_of(product->out.dtype)};
    if (!call.loops) {
        return gmxrt_fail(ctx, RT_E0900, span, "`@` of this dtype is not supported yet");
    }
    int32_t r = product->out.rank - 2, c = r + 1;
    gmxrt_buffer *packed = NULL;
    if (product->b.strides[c] != 1 && product->n > 1 && product_pack(ctx, &product->b, &packed, span) != 0) {
        gmxrt_buffer_release(packed);
        return 1;
    }
    call.steps = (Steps){.k = product->k,
                         .a_row = product->a.strides[r],
                         .a_column = product->a.strides[c],
                         .b_row = product->b.strides[r],
                         .out_row = product->out.strides[r]};
    call.product = *product;
    product_run(ctx, &call.product, LOOP_ROWS, loops_body);
    gmxrt_buffer_release(packed);
    return 0;
}
