/* The kernel of matrix products of one dtype, and the kernel that finishes the rows of one (its epilogue).
 *
 * Both run on one thread over a piece of the work; runtime/rt/product.c cuts the work and calls them. */
#ifndef GMX_PASSES_LOWER_PRODUCT_H
#define GMX_PASSES_LOWER_PRODUCT_H

#include "ir/kernel.h"

/* Dtypes that have a kernel: f32, f64 and the integers. */
bool lower_product_has(Dtype dtype);

/* c[t] = a[t] @ b[t], or with `resume` 1 c[t] += a[t] @ b[t], for `batches` pairs of matrices, b and c with
 * unit stride along n:
 *
 *     kernel product_f32(a, b, ahead: buffer, batches, m, n, k, a_batch, a_row, a_column, b_batch, b_row,
 *                        b_column, c_batch, c_row, a_step, ahead_row, resume: i64, c: out buffer)
 *
 * For hints only: `ahead` and `ahead_row` are b and b_row, or what b was copied from; `a_step` is how far to
 * read ahead in a per row of b.
 *
 * Every element adds up along k in order, one fused multiply-add at a time (integers wrap), so that its bits
 * depend on the operands alone, not on tiles, blocks or the place where work was cut.  The runtime has the
 * same in C for vectors (runtime/rt/product_plain.c), where a contiguous row times a contiguous column sums
 * in lanes. */
Kernel *lower_product(Arena *arena, Interner *names, Dtype dtype);

#endif
