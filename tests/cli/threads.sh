#!/bin/sh
# The same bits for any number of threads: a program of reductions, softmax, products, random tensors and solvers
# saves its results as .npy files, which must not differ in a byte.
set -eu
build=${GMX_BUILD_DIR:-build}
gmx=$(cd "$build" && pwd)/gmx
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GMX_CACHE_DIR="$work/cache"
cat > program.gmx <<'PROGRAM'
seed(11)
let u = rand((1237, 331))
let z = randn((1237, 331))
let w = f32(randn((331, 450)))
save(u, "u.npy")
save(z, "z.npy")
# reductions: full, over rows, over columns, over the middle, in each kind of accumulator
save(sum(z), "sum.npy")
save(sum(f32(z)), "sum32.npy")
save(sum(z, axis=0), "columns.npy")
save(sum(f32(z), axis=1), "rows.npy")
save(mean(z.reshape(1237, 331, 1) * arange(5.0), axis=1), "middle.npy")
save(prod(u[:40] + 0.5), "prod.npy")
save(max(z, axis=1) - min(z, axis=1), "range.npy")
save(argmax(z, axis=0), "argmax.npy")
let long = randn(3000001)
save(sum(long * long) / long.size, "long.npy")
save(sum(f32(long)), "long32.npy")
save(sum(i64(long * 1000.0)), "integers.npy")
# one kernel over a row
save(softmax(z, axis=1), "softmax.npy")
save(softmax(f32(z), axis=0), "softmax0.npy")
save((z - mean(z, axis=1, keepdims=true)) / sqrt(mean(z * z, axis=1, keepdims=true) + 1e-5), "norm.npy")
save(tanh(z) * exp(-u) + sin(z * 100.0) - erf(u), "chain.npy")
# products and solvers
save(f32(z) @ w, "product32.npy")
save(z @ z.T, "product.npy")
save(z @ z[0], "vector.npy")
save(z.T @ z[:, 0], "turned.npy")
save(z[:, 0] @ z, "row.npy")
save(maximum(f32(z) @ w + w[0], 0.0) * 0.5, "layer.npy")
save(tanh(f32(z)[:9] @ w - 1.0), "few.npy")
save(i64(z * 9.0) @ i64(w * 9.0), "whole.npy")
let s = z.T @ z + 10.0 * eye(331)
save(s, "gram.npy")
save(solve(s, z.T[:, :7]), "solve.npy")
save(cholesky(s), "cholesky.npy")
save(randn((5, 40, 60)) @ rand((5, 60, 30)), "batched.npy")
mut x = ones(331)
for i in 0..20 {
    x = s @ x
    x = x / sqrt(sum(x * x))
}
save(x, "power.npy")
PROGRAM
for threads in 1 2 3 4 7; do
    mkdir $threads
    cp program.gmx $threads
    "$gmx" --threads=$threads $threads/program.gmx
    [ $threads = 1 ] || for file in 1/*.npy; do
        cmp "$file" "$threads/${file#1/}" || : > differs
    done
done
count=$(ls 1/*.npy | wc -l)
[ "$(ls 7/*.npy | wc -l)" = "$count" ] && [ "$count" = "$(grep -c '^save' program.gmx)" ] || {
    echo "FAILED: $count files"
    exit 1
}
[ ! -e differs ] || exit 1
echo "$count results are the same for 1, 2, 3, 4 and 7 threads"
