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
fn products(a, b, at, bt) {
    let plain = a @ b
    let finished = maximum((a + 1) @ b + 1, 3)
    let turned = (a @ bt.T, at.T @ b, at.T @ bt.T)
    let batch = stack((a, a + 2)) @ b
    concat((flatten(plain), flatten(finished), flatten(turned[0]), flatten(turned[1]), flatten(turned[2]), flatten(batch)))
}
seed(5)
PROGRAM
number=0
for sizes in '1 1 1' '1 7 1' '2 3 4' '8 16 48' '9 257 49' '1 300 130' '130 300 1' '70 300 65' '200 40 50' '17 8 200'; do
    set -- $sizes
    case $sizes in
    '9 257 49' | '17 8 200') dtypes='f32 f64 i8 u16 i32 i64' ;;
    *) dtypes='f32 f64' ;;
    esac
    for dtype in $dtypes; do
        number=$((number + 1))
        echo "save(products($dtype(randn(($1, $2)) * 20), $dtype(randn(($2, $3)) * 20), $dtype(randn(($2, $1)) * 20)," \
            "$dtype(randn(($3, $2)) * 20)), \"$dtype of $1 $2 $3.npy\")" >> products.gmx
    done
done
for way in 'GMX_PRODUCT=plain 1' 'GMX_PRODUCT=own 1' 'GMX_PRODUCT=own 2' 'GMX_OPENBLAS=none 2'; do
    threads=${way#* }
    way=${way% *}
    mkdir run && cp products.gmx run
    (cd run && env "$way" "$gmx" --threads=$threads products.gmx) || fail "$way ends with $?"
    (cd run && sha256sum *.npy) > "$way.$threads"
    rm -r run
    cmp -s "$way.$threads" GMX_PRODUCT=plain.1 ||
        fail "$way with $threads threads differs: $(diff "$way.$threads" GMX_PRODUCT=plain.1 | sed -n 's/^<.*  //p' | head -5 | tr '\n' ',')"
done
[ "$(wc -l < GMX_PRODUCT=plain.1)" -eq "$number" ] || fail "not every product was saved"

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
