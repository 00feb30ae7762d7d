#!/bin/sh
# `--profile --measure-limits` measures which products go to OpenBLAS; the file is used, and used only where it was made.
set -eu
build=${GMX_BUILD_DIR:-build}
gmx=$(cd "$build" && pwd)/gmx
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GMX_CACHE_DIR="$work/cache"
unset GMX_PRODUCT GMX_OPENBLAS
file=$work/cache/products
failed=0
fail() {
    echo "FAILED: $*"
    failed=1
}
cat > program.gmx <<'PROGRAM'
seed(3)
let few = randn((20, 600)) @ randn((600, 200))
let small = randn((16, 16)) @ randn((16, 16))
let whole = i32(ones(20, 30)) @ i32(ones(30, 10))
print(sum(few), sum(small))
PROGRAM
ways() { "$gmx" explain program.gmx | sed -n 's/^ *back end *cpu, \(.*(.*)\)$/\1/p'; }
expect() {
    printf '%s\n' "$2" "$3" 'compiled kernel (by rule)' > expected
    ways > actual
    cmp -s actual expected || fail "$1: $(diff actual expected)"
}

"$gmx" --profile program.gmx > out 2> table
[ ! -e "$file" ] || fail "measured without being asked"
if ways | grep -q 'there is no OpenBLAS'; then exit $failed; fi
expect 'no file' 'compiled kernel (by rule)' 'compiled kernel (by rule)'
"$gmx" --profile --measure-limits program.gmx > out 2> table
[ "$(wc -l < "$file")" = 20 ] || fail "the file: $(cat "$file")"
tail -n +5 "$file" | awk 'NF != 2 || !($1 > 1e-9 && $1 < 10 && $2 > 1e-9 && $2 < 10) { exit 1 }' || fail "times: $(cat "$file")"
[ "$(ways | grep -c '(measured)$')" = 2 ] || fail "after measuring: $(ways)"
[ "$(find cache -name 'products.*' | wc -l)" = 0 ] || fail "left behind: $(ls cache)"

# --- times that are known ---
head -n 4 "$file" > head
put_times() { # f64: the row, tiny ones, small ones, few rows
    cat head
    for point in 1 2 3 4 5 6 7 8; do echo '1 1'; done
    for point in 1 2 3 4 5 6 7 8; do eval "echo \$point$point"; done
}
point1='1 1' point2='1 2' point3='1 1' point4='2 1' point5='1 1' point6='1 1' point7='1 1' point8='1 1'
put_times > "$file"
expect 'few rows by the library' 'OpenBLAS (measured)' 'compiled kernel (measured)'
"$gmx" program.gmx > mixed
point2='2 1' point4='1 2'
put_times > "$file"
expect 'small ones by the library' 'compiled kernel (measured)' 'OpenBLAS (measured)'
"$gmx" program.gmx > turned
point2='1.03 1' point4='1.03 1'
put_times > "$file"
expect 'a tie' 'compiled kernel (measured)' 'compiled kernel (measured)'
GMX_PRODUCT=library ways > actual
grep -q 'OpenBLAS (by GMX_PRODUCT)' actual || fail "GMX_PRODUCT: $(cat actual)"
awk '{ for (i = 1; i <= NF; i++) printf "%.9f ", $i } END { print "" }' mixed > mixed.numbers
awk '{ for (i = 1; i <= NF; i++) printf "%.9f ", $i } END { print "" }' turned > turned.numbers
cmp -s mixed.numbers turned.numbers || fail "the way changes a result: $(cat mixed turned)"

# --- a file that is not of this machine, or damaged ---
point2='1 2' point4='2 1'
put_times > good
for change in '1s/1$/2/' '2s/$/ X/' '3s/^/1/' '4s/^/1/' '9s/.*/0 1/' '9s/.*/nan 1/' '9s/.*/-1 1/' '9s/.*/a b/' '20d' '2,$d' '1,$d'; do
    sed "$change" good > "$file"
    expect "$change" 'compiled kernel (by rule)' 'compiled kernel (by rule)'
done
cp good "$file"
expect 'the good file' 'OpenBLAS (measured)' 'compiled kernel (measured)'
exit $failed
