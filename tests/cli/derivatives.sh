#!/bin/sh
# Derivatives of functions of records, which come from files; notes of their errors.
set -eu
build=${GMX_BUILD_DIR:-build}
gmx=$(cd "$build" && pwd)/gmx
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GMX_CACHE_DIR="$work/cache"

fail() {
    echo "FAILED: $*"
    exit 1
}

cat > records.gmx <<'PROGRAM'
save("net.npz", fc_w=[[1.0, 2.0]], b=3.0, unused=[1.0])
PROGRAM
"$gmx" records.gmx || fail "the record is not written"
cat > grad.gmx <<'PROGRAM'
let net = load("net.npz")
fn loss(net, x) = sum((net.fc_w @ x + net.b) ^ 2)
print(grad(loss)(net, [1.0, 1.0]))
print(value_and_grad(loss, wrt=["x", "net"])(net, [1.0, 1.0])[1][1].b)
print(jvp(loss)(net, [1.0, 1.0], net)[1])
print(grad(fn(pair) = loss(pair[1], pair[0]))(([1.0, 1.0], net))[1].fc_w)
PROGRAM
"$gmx" grad.gmx > out 2>&1 || fail "$(cat out)"
cat > expected <<'TEXT'
(fc_w=[[12. 12.]], b=12.0, unused=[0.])
12.0
72.0
[[12. 12.]]
TEXT
cmp -s out expected || fail "gradients of a record: $(diff out expected)"

echo 'save("net.npz", w=[1.0, 2.0], steps=3)' > records.gmx
"$gmx" records.gmx
echo 'grad(fn(p) = sum(p[1].w))((1.0, load("net.npz")))' > grad.gmx
"$gmx" grad.gmx > out 2>&1 && fail "an integer has a derivative"
grep -q 'no derivative for the item `\[1\].steps`, i64' out || fail "the field is not named: $(cat out)"

# The way from the loss to what has no derivative.
cat > path.gmx <<'PROGRAM'
fn pick(x) = f64(argmax(x * 2.0))
fn inner(x) {
    mut s = 0.0
    for i in 0..3 { s = s + pick(softmax(x)) * x[i] }
    s
}
fn loss(x) = 3.0 * inner(exp(x)) + 1.0
print(grad(loss)([1.0, 2.0, 3.0]))
PROGRAM
"$gmx" path.gmx > out 2>&1 && fail "argmax has a derivative"
cat > expected <<'TEXT'
   = the result depends on `add` at path.gmx:7:34 in `loss`
   = which depends on `mul` at path.gmx:7:18 in `loss`
   = which depends on `for` at path.gmx:4:5 in `inner`
   = which depends on `add` at path.gmx:4:27 in `inner`
   = which depends on `mul` at path.gmx:4:46 in `inner`
   = which depends on `argmax`, which has no derivative
   = it gets its value from `mul` at path.gmx:1:27 in `pick`
   = `stop_gradient` takes a value as a constant
   = differentiated at path.gmx:8:7
TEXT
grep '^   = ' out > notes || true
cmp -s notes expected || fail "the way to argmax: $(diff notes expected)"
