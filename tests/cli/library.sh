#!/bin/sh
# gmxc end to end: the library of examples/digits.gmx in a C program, what a library needs and exports, what
# building one does not do, and calls with wrong arguments.  Uses GMX_BUILD_DIR and GMX_TEST_CFLAGS (sanitizers).
set -eu
build=${GMX_BUILD_DIR:-build}
build=$(cd "$build" && pwd)
root=$(cd "$(dirname "$0")/../.." && pwd)
flags="-Wall -Wextra -pedantic -Werror ${GMX_TEST_CFLAGS:-}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GMX_CACHE_DIR="$work/cache"
failures=0
fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# --- the digits example: the same line from the script and from C, for both kinds of target, also elsewhere ---
cd "$work"
expected=$("$build/gmx" "$root/examples/digits.gmx" | head -1)
case $expected in
"accuracy 0.9"*) ;;
*) fail "the script prints '$expected'" ;;
esac
mkdir no-compiler
for tool in ld sh; do ln -s "$(command -v $tool)" no-compiler/; done
for target in default native; do
    mkdir -p "$work/$target"
    cd "$work/$target"
    option=
    [ $target = default ] || option=--target-cpu=$target
    # Only ld is to be found: gmxc needs no compiler.
    printed=$(PATH="$work/no-compiler" "$build/gmxc" $option "$root/examples/digits.gmx" -o libdigits.so) ||
        fail "$target: gmxc ends with $?"
    [ -z "$printed" ] || fail "$target: gmxc printed '$printed'"
    # shellcheck disable=SC2086
    cc -std=c99 $flags -I. "$root/examples/digits_client.c" -L. -ldigits -Wl,-rpath,'$ORIGIN' -o client
    got=$(./client "$root/examples/data")
    [ "$got" = "$expected" ] || fail "$target: the client prints '$got', the script '$expected'"
    mkdir -p "$work/moved/$target"
    mv libdigits.so client "$work/moved/$target"
    cd /
    got=$(unset GMX_CACHE_DIR && "$work/moved/$target/client" "$root/examples/data")
    [ "$got" = "$expected" ] || fail "$target: after a move the client prints '$got'"
done
cd "$work"
[ "$(ls default native | grep -c -v 'digits.h\|client\|:\|^$')" = 0 ] || fail "gmxc left files: $(ls default native)"
for check in "cc -std=c99 -x c" "c++ -std=c++17 -x c++"; do
    $check -Wall -Wextra -pedantic -Werror -fsyntax-only default/digits.h || fail "the header: $check"
done

# --- what the library needs and exports; a sanitized run-time archive needs its sanitizer as well ---
library=$work/moved/default/libdigits.so
if [ -z "${GMX_TEST_CFLAGS:-}" ]; then
    readelf -d "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' > needed
    # ld-linux is the part of libc that __tls_get_addr is in
    if grep -v '^libc\.so\.6$\|^libm\.so\.6$\|^ld-linux-x86-64\.so\.2$' needed; then
        fail "the library needs more than libc and libm"
    fi
    grep -q '^libc\.so\.6$' needed || fail "the library does not say that it needs libc"
fi
nm -D --defined-only "$library" | awk '{print $3}' > exported
grep -qx classify exported || fail "classify is not exported"
if grep -v '^classify$\|^gmx_' exported; then
    fail "the library exports more than its functions and gmx_*"
fi
readelf -d "$library" | grep -q 'SONAME.*\[libdigits.so\]' || fail "the library has no soname"
if readelf -d "$library" | grep 'RPATH\|RUNPATH\|TEXTREL'; then
    fail "the library depends on where it is"
fi

# --- values that a library bakes in are those of the script, and building it prints and saves nothing ---
cat > baked.gmx <<'PROGRAM'
seed(3)
let skipped = randn(5)
mut w = zeros(4)
for i in 0..10 {
    w += randn(4) * i
    print("step {i}")
}
let model = w + skipped[:4]
print("model {model:.17g}")
save(model, "model.npy")
export fn apply(x: f64[n, 4]) -> f64[n] = x @ model
let later = load("not/there.npy")
PROGRAM
sed '/later/d; s/^export.*//' baked.gmx > script.gmx
"$build/gmx" script.gmx > script.txt
rm -f model.npy
printed=$("$build/gmxc" baked.gmx -o libbaked.so 2>&1) || fail "baked: gmxc ends with $?"
[ -z "$printed" ] || fail "gmxc printed '$printed'"
[ ! -e model.npy ] || fail "gmxc saved a file"
"$build/gmx" script.gmx > /dev/null
cat > baked.c <<'CLIENT'
#include "baked.h"
#include <stdio.h>
#include <string.h>
int main(void) {
    double x[4][4] = {{1}, {0, 1}, {0, 0, 1}, {0, 0, 0, 1}}, y[4], saved[4];
    FILE *file = fopen("model.npy", "rb");
    if (!file || fseek(file, -(long)sizeof saved, SEEK_END) || fread(saved, sizeof saved, 1, file) != 1)
        return 2;
    fclose(file);
    return apply(4, &x[0][0], y) || memcmp(y, saved, sizeof y);
}
CLIENT
# shellcheck disable=SC2086
cc -std=c99 $flags -I. baked.c -L. -lbaked -Wl,-rpath,'$ORIGIN' -o baked
./baked || fail "the baked model is not the script's (status $?)"

# --- several functions and two libraries in one program; wrong arguments; threads ---
cat > many.gmx <<'PROGRAM'
const k = 3
## The sum of a and b, and whether a is larger anywhere.
export fn combine(a: f32[n, m], b: f32[n, m], scale: f64, flip: bool) -> (f64[n, m], bool) {
    let s = f64(a + b) * scale
    (if flip { -s } else { s }, any(a > b))
}
export fn windows(x: f64[2*n+1], y: f64[n]) -> f64[n] = x[:y.shape[0]] + y
export fn fixed(x: i32[k]) -> i64 = sum(x)
export fn take(x: f64[n], i: i64[m]) -> f64[m] = x[i]
export fn fit(a: f64[n, n], b: f64[n]) -> f64[n] = solve(a, b)
export fn narrow(x: bf16[n], int: u8) -> bf16[n] = x + x
export fn turn(z: c64[n], by: c128) -> (c128[n], c64) = (z * by, sum(z))
PROGRAM
"$build/gmxc" many.gmx -o libmany.so
cat > many.c <<'CLIENT'
#include "baked.h"
#include "many.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
static int failures;
#define CHECK(condition) ((condition) ? (void)0 : (void)(failures++, printf("%d: %s\n", __LINE__, #condition)))
#define FAILS(call, words) (CHECK((call) != 0), CHECK(strstr(gmx_last_error(), words) != NULL))
static void *work(void *unused) {
    double x[300], y[300], out[300];
    int64_t i[1] = {999};
    for (int k = 0; k < 300; k++)
        x[k] = y[k] = k;
    for (int round = 0; round < 200; round++) {
        CHECK(windows(140, x, y, out) == 0 && out[139] == 278 && !*gmx_last_error());
        FAILS(take(300, 1, x, i, out), "999");
    }
    return unused;
}
int main(void) {
    float a[6] = {1, 2, 3, 4, 5, 6}, b[6] = {6, 5, 4, 3, 2, 1};
    double out[6], x[7] = {1, 2, 3, 4, 5, 6, 7}, zero[4] = {0};
    bool larger = false;
    int32_t three[3] = {1, 2, 2147483647};
    int64_t sum = 0, wrong[2] = {0, 7}, below[2] = {0, -8}, last[2] = {-1, 0};
    float pairs[4] = {1, 2, 0, -1}, pair[2];
    double by[2] = {0, 1}, turned[4];
    uint16_t halves[2] = {0x3f80, 0xbf80}, doubled[2];
    CHECK(combine(2, 3, a, b, 0.5, true, out, &larger) == 0 && out[0] == -3.5 && larger);
    CHECK(combine(2, 3, a, b, 0.5, false, out, &larger) == 0 && out[5] == 3.5);
    CHECK(combine(1, 1, a, b, 2, false, out, &larger) == 0 && out[0] == 14 && !larger);
    larger = true;
    CHECK(combine(0, 3, NULL, NULL, 0.5, true, NULL, &larger) == 0 && !larger);
    CHECK(windows(3, x, x, out) == 0 && out[2] == 6);
    CHECK(fixed(three, &sum) == 0 && sum == 2147483650);
    CHECK(take(7, 2, x, last, out) == 0 && out[0] == 7 && out[1] == 1);
    CHECK(narrow(2, halves, 1, doubled) == 0 && doubled[0] == 0x4000 && doubled[1] == 0xc000);
    CHECK(turn(2, pairs, by, turned, pair) == 0 && turned[0] == -2 && turned[1] == 1 && turned[2] == 1);
    CHECK(turned[3] == 0 && pair[0] == 1 && pair[1] == 1);
    FAILS(turn(2, pairs, NULL, turned, pair), "by");
    out[0] = out[1] = 42;
    FAILS(take(7, 2, x, wrong, out), "7");
    FAILS(take(7, 2, x, below, out), "-8");
    FAILS(take(-7, 2, x, wrong, out), "-7");
    FAILS(take(7, 2, NULL, wrong, out), "x");
    FAILS(take(7, 2, x, wrong, NULL), "out");
    FAILS(take(INT64_MAX, INT64_MAX, x, wrong, out), "");
    FAILS(fit(2, zero, x, out), "singular");
    CHECK(out[0] == 42 && out[1] == 42);
    CHECK(fixed(three, &sum) == 0 && !*gmx_last_error());
    CHECK(apply(-1, x, out) != 0 && *gmx_last_error());
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, work, NULL) == 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    CHECK(*gmx_last_error()); /* of this thread, still */
    return failures != 0;
}
CLIENT
# shellcheck disable=SC2086
cc -std=c99 $flags -I. many.c -L. -lmany -lbaked -pthread -Wl,-rpath,'$ORIGIN' -o many
./many || fail "many.c (status $?)"

# --- what cannot be compiled ---
expect_error() { # WORDS ARGUMENTS...
    words=$1
    shift
    status=0
    "$build/gmxc" "$@" > log 2>&1 || status=$?
    [ $status = 1 ] && grep -q "$words" log || fail "gmxc $*: status $status, $(cat log)"
}
echo 'fn f(x) = x' > none.gmx
expect_error 'export fn' none.gmx -o libnone.so
expect_error 'none/such' none/such.gmx -o libnone.so
expect_error 'cannot be written' many.gmx -o not/there/libmany.so
echo 'export fn f(x: f32[n], y: f32[m]) -> f32[n] = x + z' > name.gmx
expect_error 'name.gmx:1:' name.gmx -o libname.so
echo 'export fn f(x: f32[n]) -> f32[_] = x' > unknown.gmx
expect_error 'E0211' unknown.gmx -o libunknown.so
echo 'let w = load("missing.npy")
export fn f(x: f64[n]) -> f64[n] = x * sum(w)' > missing.gmx
expect_error 'missing.npy' missing.gmx -o libmissing.so
for name in none name unknown missing; do
    [ ! -e lib$name.so ] && [ ! -e $name.h ] || fail "lib$name.so or $name.h was written"
done

# --- the other forms ---
for form in tokens ast ir kernels llvm asm obj header so; do
    "$build/gmxc" --emit=$form many.gmx -o "many.$form" || fail "--emit=$form ends with $?"
    [ -s "many.$form" ] || fail "--emit=$form wrote nothing"
done
"$build/gmxc" --emit=header many.gmx | cc -std=c99 -Wall -Wextra -pedantic -Werror -fsyntax-only -x c - ||
    fail "--emit=header to standard output"
"$build/gmxc" --emit=header many.gmx -o - | c++ -std=c++17 -Wall -Wextra -pedantic -Werror -fsyntax-only -x c++ - ||
    fail "--emit=header -o -"

[ $failures = 0 ] && echo "libraries: all checks passed"
exit $((failures > 0))
