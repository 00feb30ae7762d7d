#!/bin/sh
# --check-nan: the program stops at the first place that makes a NaN, and only there.
set -eu
gmx=$(cd "$GMX_BUILD_DIR" && pwd)/gmx
gmxc=$(cd "$GMX_BUILD_DIR" && pwd)/gmxc
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GMX_CACHE_DIR="$work/cache"
failures=0

# makes_nan PLACE OP: the program on standard input stops there.
makes_nan() {
    cat > p.gmx
    status=0
    "$gmx" --check-nan p.gmx > out 2>&1 || status=$?
    if [ "$status" != 1 ] || ! grep -qF "error[E0309]: \`$2\` makes a NaN" out || ! grep -qF -- "--> p.gmx:$1" out; then
        echo "FAILED: no NaN of $2 at $1 but (status $status): $(cat out)"
        failures=$((failures + 1))
    fi
    "$gmx" p.gmx > out 2>&1 || { # without the flag it runs
        echo "FAILED without --check-nan: $(cat out)"
        failures=$((failures + 1))
    }
}

# is_fine: the program on standard input prints the same with and without.
is_fine() {
    cat > p.gmx
    "$gmx" p.gmx > plain 2>&1
    "$gmx" --check-nan p.gmx > checked 2>&1 || true
    cmp -s plain checked || {
        echo "FAILED: $(cat p.gmx): $(diff plain checked)"
        failures=$((failures + 1))
    }
}

# training: the weights run away until their squares are inf, and 0 * inf is the first NaN
makes_nan 3:28 mul <<'EOT'
fn loss(w, x, y) {
    let p = exp(x @ w) * x[:, 0]
    let d = mean(p - exp(y * sum(w ^ 2)))
    d * d
}
let x = reshape(arange(12.0), (4, 3))
mut w = [1.0, 1.0, 1.0]
for epoch in 0..20 {
    let (l, g) = value_and_grad(loss)(w, x, [300.0, 200.0, 100.0, 0.0])
    w = w - 100.0 * g
}
print(w)
EOT
makes_nan 2:19 sqrt <<'EOT'
fn f(x) = sum(x *
              2 * sqrt(x - 2.0))
mut s = 0.0
for i in 0..5 { s = s + f([4.0 - f64(i), 9.0]) }
print(s)
EOT
# in a derivative: the place of what is differentiated
makes_nan 1:34 div <<'EOT'
fn f(x) = sum(where(x > 0.0, x * sqrt(x), 0.0))
print(grad(f)([0.0, 1.0]))
EOT
# a choice of where is to blame when it is taken
makes_nan 2:24 log <<'EOT'
let x = [1.0, -1.0]
print(where(x < 2.0,   log(x), 0.0))
EOT
makes_nan 2:11 matmul <<'EOT'
let a = reshape([inf, 1.0, 1.0, 1.0], (2, 2))
let b = a @ reshape([1.0, 1.0, -inf, 1.0], (2, 2))
print(b)
EOT
is_fine <<'EOT'
let x = [1.0, -1.0, nan]
print(x + 1.0, sum(x), softmax(x), sort(x), f16(x) * f16(2.0), max(x), exp(-inf), 1.0 / 0.0)
print(where(x > 0.0, log(x), 0.0), where(x > 0.0, sqrt(log(x)), 0.0), cumsum(x), x @ x)
print(grad(fn(x) = sum(where(x > 0.0, sqrt(where(x > 0.0, x, 1.0)), 0.0)))([0.0, 4.0]))
fn root(a) {
    mut x = 1.0
    while abs(x * x - a) > 1e-12 { x = 0.5 * (x + a / x) }
    x
}
print(root(2.0), zeros(0) / zeros(0), c64(1j) * c64(2.0), i64([1, 2]) // 2)
EOT

# a library that looks for NaN, if it was built so
echo 'export fn f(x: f64[n]) -> f64[n] = sqrt(x)' > lib.gmx
"$gmxc" --check-nan --emit=kernels lib.gmx -o - > kernels 2>&1
grep -q 'ne' kernels || { echo "FAILED: gmxc leaves --check-nan out"; failures=$((failures + 1)); }
[ "$failures" = 0 ]
