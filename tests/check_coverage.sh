#!/bin/sh
# Every function of the array library has a check against NumPy, and there are as many checks of each kind as were
# promised.  The names come from the tables of the build themselves: a new function without a check fails here.
#
#     tests/check_coverage.sh        from the root
set -eu
programs='tests/lang/differential/*.gmx tests/lang/indexing/*.gmx tests/lang/numpy/*.gmx tests/lang/products/*.gmx'
# Functions of sparse matrices and graphs are checked against SciPy and against dense formulas.
sparse_programs='tests/lang/sparse/*.gmx tests/lang/graph/*.gmx'
failures=0
fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# Functions of the language that no NumPy function stands for, and helpers inside the library.
others='
as_padding axes_back axes_last axes_of checked lgamma_positive polynomial count_into cov_of error fma float_dtype grad help hessian histogram_edges
jacobian join jvp largest last_axes load not_empty numbers numbers_only pad_side pad_widths philox print repeat_each
reshape_like rolled save seed square_size stop_gradient time value_and_grad vector_norm vjp vmap whole_sum wide
normal uniform solve cholesky stack_tuples parameters train trainable tree_leaves tree_map tree_where
mean_square_from tree_ravel tree_unravel record checkpoint custom_vjp is_function plot progress report sequence'

# Functions of sparse matrices and graphs.
sparse_functions='
coo csc csr dense from_entries graph is_sparse max_in mean_in nnz nonzeros softmax_in sparse sum_in'

names=$( (
    sed -nE 's/^BUILTIN\((\w+),.*/\1/p' frontend/builtins.def
    sed -nE 's/^(OP1|OP2|OP3|PARTS|RED)\( *(\w+),.*/\2/p' ir/ops.def
    sed -nE 's/^fn (\w+)\(.*/\1/p' stdlib/arrays.gmx stdlib/math.gmx
) | sort -u)
covered=0
calls() {
    grep -hoE '[A-Za-z_][A-Za-z_0-9]*\(' "$@" | tr -d '(' | sort -u
}
# shellcheck disable=SC2086
called=$(calls $programs)
# shellcheck disable=SC2086
called_on_sparse=$(calls $sparse_programs)
for name in $names; do
    if echo "$called" | grep -qx "$name"; then
        covered=$((covered + 1))
    elif echo "$sparse_functions" | tr ' ' '\n' | grep -qx "$name"; then
        echo "$called_on_sparse" | grep -qx "$name" || fail "\`$name\` has no check in tests/lang/sparse or graph"
        covered=$((covered + 1))
    elif ! echo "$others" | tr ' ' '\n' | grep -qx "$name"; then
        fail "\`$name\` has no check against NumPy: add it to tests/data/make_differential.py"
    fi
done
echo "$covered functions have checks"

# Checks of one kind: how often a pattern stands in some programs.
count() {
    # shellcheck disable=SC2086
    number=$(cat $3 | grep -oE "$4" | wc -l)
    echo "$1: $number"
    [ "$number" -ge "$2" ] || fail "$1: $number, $2 were promised"
}
line='  # (expect|error)'
count "dtype pairs" 2500 'tests/lang/differential/dtypes_*.gmx' 'dtype}|# error'
count "index expressions and assignments" 300 'tests/lang/indexing/*.gmx' '^print'
count "einsum specifications" 200 'tests/lang/differential/einsum*.gmx' "$line"
count "broadcasting pairs" 200 'tests/lang/differential/broadcasting*.gmx' "$line"
count "broadcasting pairs that must fail" 5 'tests/lang/differential/broadcasting_errors_*.gmx' "$line"
count "functions" 2000 'tests/lang/differential/functions_*.gmx tests/lang/differential/calls_*.gmx' "$line"
count "all" 4000 'tests/lang/differential/*.gmx tests/lang/indexing/*.gmx' '# expect: |# error'
# Every pair with the unsigned dtypes (but bf16, which NumPy does not add to them).
for dtype in bool u8 u16 u32 u64 i8 i16 i32 i64 f16 f32 f64; do
    for other in u16 u32 u64; do
        grep -qF "(${dtype}_a + ${other}_b)" tests/lang/differential/dtypes_add.gmx || fail "no sum of $dtype and $other"
    done
done
[ "$failures" = 0 ]
