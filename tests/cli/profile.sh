#!/bin/sh
# --profile and --monitor: the columns parse and agree with each other and with `gmx explain`; the machine's limits are
# measured once; times are remembered only when asked for, and a slow operation is noticed.
set -eu
gmx=$GMX_BUILD_DIR/gmx
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GMX_CACHE_DIR="$work/cache"
failures=0
fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

cat > program.gmx <<'EOT'
let a = f32(rand(200, 300))
let b = f32(rand(300, 100))
print(sum(a @ b) > 0)
mut v = zeros(1000)
for i in 0..50 { v = v * 0.5 + 1 }
print(v[0])
EOT

# --- off: no table, nothing written but objects ---
"$gmx" program.gmx > plain 2> plain.err
[ ! -s plain.err ] || fail "a plain run says $(cat plain.err)"
[ ! -e cache/history ] && [ ! -e cache/limits ] || fail "a plain run leaves $(ls cache)"

# --- the table ---
"$gmx" --profile program.gmx > out 2> table || fail "--profile: $(cat table)"
cmp -s out plain || fail "--profile changes what the program prints"
head -1 table | grep -qE '^operation +where +calls +time ms +share +GFLOP/s +GB/s +of limit$' || fail "titles: $(head -1 table)"
# every row: numbers where they belong, the sum of the shares, rates times time against closed-form counts
awk '
function near(got, want, what) { if ((got - want) ^ 2 > (0.02 * want) ^ 2) { print what " is " got ", not " want; bad = 1 } }
NR == 1 { next }
/^kernels and calls/ { total = $4; running = $7; done = 1 }
done { next }
{
    if (NF != 9 || $3 !~ /^[0-9]+$/ || $4 !~ /^[0-9.]+$/ || $5 !~ /^[0-9.]+%$/ || $8 !~ /^[0-9]+%$/ || $9 !~ /^(flops|bytes)$/) {
        print "not a row: " $0; bad = 1 }
    if ($2 !~ /^program\.gmx:[1-6]$/) { print "no place: " $0; bad = 1 }
    if (last != "" && $4 > last) { print "not sorted: " $0; bad = 1 }
    last = $4; time += $4; share += $5; rows++
    if ($1 == "matmul") {
        matmul++
        if ($3 != 1 || $2 != "program.gmx:3") { print "matmul: " $0; bad = 1 }
        if ($4 > 0.05) { near($6 * $4 * 1e6, 2 * 200 * 300 * 100, "flops of matmul"); near($7 * $4 * 1e6, 4 * (60000 + 30000 + 20000), "bytes of matmul") }
    }
    if ($2 == "program.gmx:5") {
        loop++
        if ($3 != 50) { print "loop: " $0; bad = 1 }
    }
}
END {
    if (matmul != 1 || loop != 1 || rows < 4) { print "rows: matmul " matmul ", loop " loop ", all " rows; bad = 1 }
    if ((share - 100) ^ 2 > 1 || (time - total) ^ 2 > 0.01 || total > running + 0.001) { print "sums: " share "% " time " " total " " running; bad = 1 }
    exit bad
}' table || fail "the table: $(cat table)"
grep -qE '^limits of this machine with [0-9]+ threads: read [0-9.]+ GB/s, write [0-9.]+ GB/s, f32 [0-9]+ GFLOP/s, f64 [0-9]+ GFLOP/s$' table ||
    fail "no limits in $(cat table)"

# --- limits: once per number of threads, again when asked ---
awk 'NF < 6 || $1 < 1 || $2 < 1e7 || $3 < 1e7 || $4 < 1e7 || $5 < 1e7 { bad = 1 } END { exit bad || NR != 1 }' cache/limits ||
    fail "limits: $(cat cache/limits)"
cp cache/limits limits
"$gmx" --profile program.gmx > out 2> table
cmp -s limits cache/limits || fail "measured twice"
threads=$(($(cut -d' ' -f1 limits) + 1))
"$gmx" --profile --threads="$threads" program.gmx > out 2> table
[ "$(wc -l < cache/limits)" = 2 ] || fail "limits of two numbers of threads: $(cat cache/limits)"
echo "$threads 1 1 1 1 $(sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* [^ ]* //p' limits)" > cache/limits
"$gmx" --profile --threads="$threads" program.gmx > out 2> table
grep -q ' 1 1 1 1 ' cache/limits || fail "limits of the file are not used"
"$gmx" --profile --measure-limits --threads="$threads" program.gmx > out 2> table
! grep -q ' 1 1 1 1 ' cache/limits || fail "--measure-limits does not measure"

# --- history: a sample per operation and run, warnings, damage ---
size() { wc -c < cache/history; }
rows=$(awk '/^kernels and calls/ { print NR - 2 }' table)
before=$(size)
"$gmx" --monitor program.gmx > out 2> monitor
[ "$(size)" = $((before + 32 * rows)) ] || fail "--monitor adds $(($(size) - before)) bytes for $rows operations"
! grep -q 'of limit' monitor || fail "--monitor prints a table"
printf 'torn' >> cache/history
"$gmx" --monitor program.gmx > out 2> monitor || fail "a torn history: $(cat monitor)"
[ $(($(size) % 32)) = 0 ] || fail "a torn sample stays"
before=$(size)
"$gmx" program.gmx > out
[ "$(size)" = "$before" ] || fail "a plain run adds to the history"
for i in 1 2 3 4; do "$gmx" --monitor program.gmx > out$i 2> monitor$i & done
wait
[ "$(size)" = $((before + 4 * 32 * rows)) ] || fail "four at once add $(($(size) - before)) bytes"

# --- suggestions ---
cat > hints.gmx <<'EOT'
let a = where(rand(400, 400) > 0.97, 1.0, 0.0)
let b = rand(400, 400)
print(sum(a @ b) > 0)
EOT
"$gmx" --profile hints.gmx > out 2> table
grep -qE '^hint: matmul \(hints.gmx:3\): only (2|3|4)(\.[0-9])? % of the 160000 elements of an operand are not zero: declare it sparse$' table ||
    fail "no hint that a matrix is sparse: $(cat table)"
# --- a function called from two places is one row ---
cat > twice.gmx <<'EOT'
fn product(x) = x @ x
print(product(ones(80, 80))[0, 0] + product(ones(80, 80) * 2)[0, 0])
EOT
"$gmx" --profile twice.gmx > out 2> table || fail "--profile: $(cat table)"
grep -qE '^matmul +twice.gmx:1 +2 ' table || fail "two calls of one function: $(cat table)"
[ "$(grep -c '^matmul' table)" = 1 ] || fail "not one row: $(cat table)"

cat > copies.gmx <<'EOT'
let a = rand(1000)
mut v = a
for i in 0..2000 { v = concat((v[500:], v[:500])) }
print(sum(v) > 0)
EOT
for attempt in 1 2 3 4 5; do # calls are short only while the machine is not busy with other things
    "$gmx" --profile copies.gmx > out 2> table
    if grep -qE '^hint: concat \(copies.gmx:3\): 2000 calls of [0-9.]+ us each: batch these$' table &&
        grep -qE '^hint: concat \(copies.gmx:3\): this copy dominates: [0-9]+ % of the time' table; then
        break
    fi
    [ "$attempt" != 5 ] || fail "no hints to batch and about a copy: $(cat table)"
done

# --- without a folder, and in a script that fails ---
GMX_CACHE_DIR='' "$gmx" --profile program.gmx > out 2> table || fail "without a cache folder: $(cat table)"
grep -q '^matmul' table || fail "no table without a cache folder"
"$gmx" --profile -e 'let x = ones(3); x[7]' > out 2> table && fail "an error is lost"
grep -q E0209 table || fail "no message: $(cat table)"

[ "$failures" = 0 ] || exit 1
echo "profile: all hold"
