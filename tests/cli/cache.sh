#!/bin/sh
# The object cache on disk: sizes share objects; two processes, a kill in mid-write, damage, a full and an unwritable
# folder leave results right.  GMX_CACHE_SIZES=1000 tests as many sizes as that (60).
set -eu
build=${GMX_BUILD_DIR:-build}
gmx=$(cd "$build" && pwd)/gmx
sizes=${GMX_CACHE_SIZES:-60}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GMX_CACHE_DIR="$work/cache"
failures=0
fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}
objects() { find "$GMX_CACHE_DIR" -name '*.gmxo' | wc -l; }

# --- sizes ---
n=0
while [ $n -lt "$sizes" ]; do
    n=$((n + 1))
    printf '%d %s\n' $n "$("$gmx" -e "sum(tanh(arange($n.0)))")"
done > values
awk '{
    for (; i < $1; i++) { e = exp(-2 * i); sum += (1 - e) / (1 + e) }
    d = $2 - sum
    if ($2 !~ /^[0-9.]+$/ || d * d > 1e-20 * (1 + sum * sum)) { print "size " $1 " gives " $2 ", not " sum; bad = 1 }
} END { exit bad || NR < 2 }' values || fail "values of some sizes"
[ "$(objects)" -le 5 ] || fail "$sizes sizes leave $(objects) objects"
[ "$(objects)" -ge 1 ] || fail "nothing is cached"
echo "$sizes sizes leave $(objects) objects"

# --- a program of several functions, with the result it must always have ---
cat > program.gmx <<'PROGRAM'
fn a(x) = sum(exp(-x * x))
fn b(x) = max(sin(x) * cos(x) + x, axis=0)
fn c(x) = x.reshape(10, 100) @ ones((100, 3))
let x = arange(1000.0) / 100
print("{a(x):.12g} {b(x):.12g} {sum(c(x)):.12g}")
mut total = 0.0
for i in 0..50 { total += sum(tanh(x * i)) }
print("{total:.12g} {argmin(x):d} {prod(x[1:5]):.12g}")
PROGRAM
GMX_CACHE_DIR='' "$gmx" program.gmx > expected
awk 'function near(got, want) { bad += !((got - want) ^ 2 <= 1e-20 * (1 + want * want)) }
function tanh(v) { return 1 - 2 / (exp(2 * v) + 1) }
{ for (k = 1; k <= NF; k++) got[++count] = $k }
END {
    product = 1
    for (i = 0; i < 1000; i++) {
        x = i / 100
        a += exp(-x * x)
        b = sin(x) * cos(x) + x > b ? sin(x) * cos(x) + x : b
        c += 3 * x
        for (k = 0; k < 50; k++) total += tanh(x * k)
        if (i >= 1 && i < 5) product *= x
    }
    near(got[1], a); near(got[2], b); near(got[3], c); near(got[4], total); near(got[5], 0); near(got[6], product)
    exit bad || count != 6
}' expected || fail "the program without a cache prints $(cat expected)"
run() { # WHAT: the program gives what it must
    status=0
    "$gmx" program.gmx > got 2> errors || status=$?
    [ $status = 0 ] && [ ! -s errors ] && cmp -s got expected || fail "$1: status $status, $(cat got errors)"
}

# --- two processes at once, on an empty cache ---
round=0
while [ $round -lt 8 ]; do
    round=$((round + 1))
    rm -rf "$GMX_CACHE_DIR"
    "$gmx" program.gmx > one & first=$!
    "$gmx" program.gmx > two & second=$!
    wait $first && wait $second || fail "one of two processes at once failed"
    cmp -s one expected && cmp -s two expected || fail "two processes at once: $(cat one two)"
    run "after two processes at once"
done
[ -z "$(find "$GMX_CACHE_DIR" -name '.writing-*')" ] || fail "temporary files stay behind"
whole=$(objects)

# --- kill -9 at any moment, also while objects are written ---
round=0
while [ $round -lt 30 ]; do
    [ $((round % 3)) != 0 ] || rm -rf "$GMX_CACHE_DIR"
    "$gmx" program.gmx > killed 2>&1 & victim=$!
    sleep "0.0$(printf '%02d' $((round * 3)))"
    kill -9 $victim 2> /dev/null || :
    wait $victim 2> /dev/null || :
    run "after kill -9"
    round=$((round + 1))
done
rm -rf "$GMX_CACHE_DIR"
run "on an empty cache"
[ "$(objects)" = "$whole" ] || fail "$(objects) objects, not $whole"

# --- an object with a flipped byte, cut short, empty, or one that belongs to another key is a miss ---
flip() { # FILE OFFSET
    size=$(wc -c < "$1")
    at=$((($2 + size) % size))
    byte=$(od -An -tu1 -j $at -N 1 "$1")
    printf "\\$(printf %03o $((byte ^ 16)))" | dd of="$1" bs=1 seek=$at conv=notrunc 2> /dev/null
}
for offset in 0 9 20 33 50 80 500 1301 -1; do
    for file in "$GMX_CACHE_DIR"/*.gmxo; do
        cp "$file" "$work/sound"
        flip "$file" $offset
        cp "$file" "$work/damaged"
    done
    run "with a flipped byte at $offset"
    for file in "$GMX_CACHE_DIR"/*.gmxo; do
        ! cmp -s "$file" "$work/damaged" || fail "a damaged object stays in the cache"
    done
    [ "$(objects)" = "$whole" ] || fail "a damaged object was not replaced"
done
for file in "$GMX_CACHE_DIR"/*.gmxo; do head -c 700 "$file" > cut && cp cut "$file"; done
run "with objects cut short"
for file in "$GMX_CACHE_DIR"/*.gmxo; do : > "$file"; done
run "with empty objects"
for file in "$GMX_CACHE_DIR"/*.gmxo; do cp "$work/sound" "$file"; done
run "with objects under other names"
for file in "$GMX_CACHE_DIR"/*.gmxo; do rm "$file" && mkdir "$file"; done
run "with folders in the place of objects"
rm -rf "$GMX_CACHE_DIR"
run "on an empty cache"
for file in "$GMX_CACHE_DIR"/*.gmxo; do rm "$file" && ln -s /dev/zero "$file"; done
run "with links to a device in the place of objects"

# --- no room, no permission, no folder ---
rm -rf "$GMX_CACHE_DIR"
# A write past the limit fails as on a full disk.
( trap '' XFSZ; ulimit -f 1; "$gmx" program.gmx 2>&1 | cat > got; ) || :
cmp -s got expected || fail "on a full disk: $(cat got)"
[ "$(objects)" = 0 ] && [ -z "$(find "$GMX_CACHE_DIR" -name '.writing-*')" ] || fail "a full disk keeps pieces of objects"
run "after a full disk"
: > file
for GMX_CACHE_DIR in "$work/file" "$work/file/below" /proc/none/cache /dev/null "$(printf '%0300d' 0)"; do
    run "with the cache folder $GMX_CACHE_DIR"
done
mkdir readonly
chmod 555 readonly
GMX_CACHE_DIR=$work/readonly
run "with a cache folder that is read-only"
GMX_CACHE_DIR=''
run "without a cache folder"

[ $failures = 0 ] && echo "the object cache: all checks passed"
exit $((failures > 0))
