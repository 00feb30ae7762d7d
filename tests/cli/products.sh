#!/bin/sh
# Matrix products: compiled kernels, the runtime's loops and what is chosen without the library give the same bits; a
# small product compiles no kernel, and one that was compiled is found on disk.
set -eu
build=${GMX_BUILD_DIR:-build}
gmx=$(cd "$build" && pwd)/gmx
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GMX_CACHE_DIR="$work/cache"
failed=0
fail() {
    echo "FAILED: $*"
    failed=1
}

# --- the same bits ---
cat > products.gmx <<'PROGRAM'
seed(5)
PROGRAM
number=0
for sizes in '1 1 1' '1 7 1' '2 3 4' '8 16 48' '9 257 49' '1 300 130' '130 300 1' '70 300 65' '200 40 50' '17 8 200'; do
    set -- $sizes
    for dtype in f32 f64 i8 u16 i32 i64; do
        number=$((number + 1))
        cat >> products.gmx <<PROGRAM
let a$number = $dtype(randn(($1, $2)) * 20)
let b$number = $dtype(randn(($2, $3)) * 20)
let at$number = $dtype(randn(($2, $1)) * 20)
let bt$number = $dtype(randn(($3, $2)) * 20)
save(a$number @ b$number, "p$number.npy")
save(maximum(a$number @ b$number + $dtype(1), $dtype(3)), "q$number.npy")
save(a$number @ bt$number.T, "r$number.npy")
save(at$number.T @ b$number, "s$number.npy")
save(at$number.T @ bt$number.T, "t$number.npy")
save(reshape(concat((a$number, a$number)), (2, $1, $2)) @ b$number, "u$number.npy")
PROGRAM
    done
done
for way in 'GMX_PRODUCT=plain' 'GMX_PRODUCT=own' 'GMX_OPENBLAS=none'; do
    for threads in 1 2; do
        mkdir run && cp products.gmx run
        (cd run && env "$way" "$gmx" --threads=$threads products.gmx) || fail "$way ends with $?"
        (cd run && sha256sum *.npy) > "$way.$threads"
        rm -r run
        cmp -s "$way.$threads" GMX_PRODUCT=plain.1 ||
            fail "$way with $threads threads differs: $(diff "$way.$threads" GMX_PRODUCT=plain.1 | sed -n 's/^<.* //p' | head -5 | tr '\n' ' ')"
    done
done
[ "$(wc -l < GMX_PRODUCT=plain.1)" -eq $((6 * number)) ] || fail "not every product was saved"

# --- compiled when there is work for it, and once ---
compiled() { sed -n 's/^compiling .* functions, \([0-9]*\) kernels$/\1/p' table; }
echo 'print(f32([[1, 2], [3, 4]]) @ f32([[1, 0], [0, 1]]))' > small.gmx
for case in 'plain plain' 'own own' 'own again'; do
    [ "$case" = 'own again' ] || rm -rf cache
    GMX_PRODUCT=${case% *} "$gmx" --profile small.gmx > out 2> table
    compiled > "${case#* }"
done
[ "$(cat own)" -eq $(($(cat plain) + 1)) ] || fail "own compiled $(cat own) kernels, plain $(cat plain)"
[ "$(cat again)" -eq 0 ] || fail "$(cat again) kernels were compiled again"
rm -rf cache
"$gmx" --profile small.gmx > out 2> table
[ "$(compiled)" = "$(cat plain)" ] || fail "a small product compiled a kernel"
cat > large.gmx <<'PROGRAM'
let a = f32(ones(64, 2048))
let b = f32(ones(2048, 2048))
print((a @ b)[0, 0])
PROGRAM
rm -rf cache
GMX_PRODUCT=plain "$gmx" --profile large.gmx > out 2> table
few=$(compiled)
rm -rf cache
"$gmx" --profile large.gmx > out 2> table
[ "$(cat out)" = 2048.0 ] || fail "large: $(cat out)"
[ "$(compiled)" -eq $((few + 1)) ] || fail "a large product compiled $(compiled) kernels, without its own $few"
exit $failed
