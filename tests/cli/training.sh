#!/bin/sh
# Training as a user meets it: the examples learn what they promise, with the same bits for any number of threads;
# plots in files and in the terminal; the bar of `progress`.
set -eu
build=${GMX_BUILD_DIR:-build}
root=${GMX_SOURCE_DIR:-.}
build=$(cd "$build" && pwd)
gmx=$build/gmx
examples=$(cd "$root/examples" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fail() {
    echo "$1" >&2
    exit 1
}
# holds NUMBER OP NUMBER
holds() {
    awk "BEGIN { exit !($1 $2 $3) }" || fail "$4: $1 $2 $3 does not hold"
}

# ---- examples
mkdir examples
cp -r "$examples/data" "$examples/digits_mlp.gmx" "$examples/lstm.gmx" examples
echo 'save(net, "net.npz")' >> examples/digits_mlp.gmx
for threads in 1 2; do
    "$gmx" --threads=$threads examples/digits_mlp.gmx > digits$threads
    mv examples/net.npz net$threads.npz
done
cmp digits1 digits2 && cmp net1.npz net2.npz || fail "the network on the digits depends on the number of threads"
holds "$(awk '/^accuracy/ { print $2 }' digits1)" ">=" 0.97 "digits_mlp.gmx"

# ---- the training step in C: the weights of the script, to the bit
"$build/gmxc" examples/digits_mlp.gmx -o libdigits_mlp.so
# shellcheck disable=SC2086
cc -Wall -Wextra -pedantic -Werror -std=c99 ${GMX_TEST_CFLAGS:-} -I. "$examples/train_client.c" -L. -ldigits_mlp -Wl,-rpath,"$PWD" -o train_client
./train_client client.npz > client
[ "$(cut -d' ' -f1,2 client)" = "$(grep '^accuracy' digits1 | cut -d' ' -f1,2)" ] || fail "C gets $(cat client), the script $(cat digits1)"
cat > same.gmx <<'PROGRAM'
let (a, b) = (load("net1.npz"), load("client.npz"))
print(all(a.fc1.w == b.fc1.w), all(a.fc1.b == b.fc1.b), all(a.fc2.w == b.fc2.w), all(a.fc2.b == b.fc2.b))
PROGRAM
[ "$("$gmx" same.gmx)" = "True True True True" ] || fail "weights differ: $("$gmx" same.gmx)"
! "$gmx" check "$examples/digits_mlp.gmx" 2>&1 | grep . || fail "check reports something"

# A step that hands the memory of one member over to another, in place.
cat > swap.gmx <<'PROGRAM'
layer Two(n: dim) {
    state a: f32[n] = 1.0
    state b: f32[n] = 2.0
    fn forward(x) {
        let old = a
        a = b
        b = old
        x
    }
}
export fn swap(two: Two(3), x: f32) -> (f32, Two(3)) = train(two, x)
PROGRAM
cat > swap.c <<'PROGRAM'
#include "swap.h"
#include <stdio.h>
int main(void) {
    Two_3 two;
    float x;
    int status = Two_3_init(&two, 0) || swap(&two, 5, &x, &two);
    printf("%d %g %g %g\n", status, x, two.a[2], two.b[0]);
    Two_3_free(&two);
    return 0;
}
PROGRAM
"$build/gmxc" swap.gmx -o libswap.so
# shellcheck disable=SC2086
cc -std=c99 ${GMX_TEST_CFLAGS:-} -I. swap.c -L. -lswap -Wl,-rpath,"$PWD" -o swap
[ "$(./swap)" = "0 5 2 1" ] || fail "swapped: $(./swap)"

"$gmx" examples/lstm.gmx > lstm
holds "$(awk '/^error/ { print $2 }' lstm)" "<" 0.01 "lstm.gmx"
holds "$(awk '/^step 0:/ { print $4 }' lstm)" ">" 0.1 "lstm.gmx at first"

# the minimum and the accuracy are those of SciPy's L-BFGS-B on the same loss
"$gmx" "$examples/logistic.gmx" > logistic
holds "$(awk '/^loss/ { print $2 }' logistic)" "<" 0.261892 "logistic.gmx"
holds "$(awk '/^accuracy/ { print $2 }' logistic)" ">=" 0.95 "logistic.gmx"
"$gmx" "$examples/pendulum.gmx" > pendulum
for limit in 'length 0.005' 'damping 0.01' 'angle 0.01' 'speed 0.03'; do
    holds "$(awk "/^${limit% *}/ { d = \$2 - \$NF; print d < 0 ? -d : d }" pendulum)" "<" "${limit#* }" "pendulum.gmx: ${limit% *}"
done
holds "$(awk '/^residual/ { print $2 }' pendulum)" "<" 0.022 "pendulum.gmx"

# ---- plots
cat > plot.gmx <<'PROGRAM'
plot([1.0, 2.0, nan, 4.0], "curve.svg")
plot("log.svg", loss=exp(-arange(12.0)), test=[0.5, 0.25])
plot([0.0, 1.0, 0.0])
PROGRAM
"$gmx" plot.gmx > shown
grep -q '^ *1 ┤' shown && [ "$(wc -l < shown)" -eq 18 ] || fail "the plot in the terminal: $(cat shown)"
for file in curve.svg log.svg; do
    grep -q '^</svg>$' $file && [ "$(grep -c '^<svg xmlns' $file)" -eq 1 ] || fail "$file is no SVG"
done
# the run before the gap, the value after it alone; the first and last value at their places
grep -q 'd="M72.00 [0-9.]*L256.00 [0-9.]*M624.00 [0-9.]*h0"' curve.svg || fail "curve.svg: $(grep stroke-width curve.svg)"
grep -q '>0.0001<' log.svg && grep -q '>loss<' log.svg && grep -q '>test<' log.svg || fail "log.svg has no axis or legend"
[ -z "$(ls ./*.tmp* 2> /dev/null)" ] || fail "a temporary file stayed"
! "$gmx" -e 'plot([1.0], "missing/x.svg")' 2> error || fail "a folder that is missing"
grep -q E0401 error || fail "a folder that is missing: $(cat error)"

# ---- the bar
cat > bar.gmx <<'PROGRAM'
mut s = 0.0
for i in progress(0..3, label="epoch") {
    for j in progress(0..2) { s += 1.0 }
    report("sum {s:.1f}")
    print("at {i}")
}
print(s)
PROGRAM
"$gmx" bar.gmx > plain 2> bar
[ ! -s bar ] && [ "$(tail -1 plain)" = 6.0 ] || fail "a bar without a terminal: $(cat bar)"
script -qec "'$gmx' bar.gmx" /dev/null > terminal < /dev/null
grep -q 'epoch ░* 0/3' terminal || fail "no bar: $(cat terminal)"
grep -q 'epoch █* 3/3.*sum 6.0' terminal || fail "no end of the bar: $(cat terminal)"
! grep -q '/2' terminal || fail "a bar inside a bar"
[ "$(grep -c 'at [012]' terminal)" -eq 3 ] || fail "what was printed beside the bar: $(cat terminal)"
