#!/bin/sh
# What `gmx explain` says, against counts made by hand: kernels, what they fuse, reasons, flops, bytes, temporaries.
set -eu
gmx=$GMX_BUILD_DIR/gmx
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GMX_CACHE_DIR="$work/cache"
failures=0

# explain NAME: the program on standard input; the text goes to $work/NAME.
explain() {
    cat > "$work/$1.gmx"
    (cd "$work" && "$gmx" explain "$1.gmx" > "$1" 2> "$1.err") || {
        echo "FAILED $1: $(cat "$work/$1.err")"
        failures=$((failures + 1))
    }
    name=$1
}

# fact TITLE LABEL VALUE: the row of the first step (or statement) whose title begins so.
fact() {
    found=$(awk -v title="$1" -v label="$2" '
        { line = $0; sub(/^ +/, "", line) }
        index(line, title) == 1 { inside = 1; next }
        inside && index(line, label "  ") == 1 { sub(/^[^ ]+( [^ ]+)*  +/, "", line); print line; exit }' "$work/$name")
    if [ "$found" != "$3" ]; then
        echo "FAILED $name: $2 of \"$1\" is \"$found\", expected \"$3\""
        failures=$((failures + 1))
    fi
}

# holds TEXT: somewhere in the output.
holds() {
    grep -qF -e "$1" "$work/$name" || {
        echo "FAILED $name: no \"$1\" in"
        cat "$work/$name"
        failures=$((failures + 1))
    }
}

explain elementwise <<'EOT'
let x = f32(arange(1000))
let y = tanh(x * 2 + 1)
EOT
fact "kernel tanh" fuses "mul, add, tanh"
fact "kernel tanh" flops 3000
fact "kernel tanh" "bytes read" 4000
fact "kernel tanh" "bytes written" 4000
fact "kernel tanh" "back end" "cpu, compiled kernel"
fact "kernel tanh" at elementwise.gmx:2
holds "elementwise.gmx:2  let y = tanh(x * 2 + 1)"
holds "kernel tanh_1 -> f32[1000]"
holds "not fused more  the value is kept: a name or the caller holds it"
fact "all statements" flops 3000
fact "all statements" "bytes written" 8000

explain reduction <<'EOT'
export fn total(x: f64[n, m]) -> f64[n] = sum(x * x, axis=1)
EOT
fact "kernel sum" flops "2*n*m"
fact "kernel sum" "bytes read" "8*n*m"
fact "kernel sum" "bytes written" "8*n"
fact "kernel sum" fuses "mul, sum"
holds "-> f64[n]"

explain softmax <<'EOT'
export fn f(x: f32[r, c]) -> f32[r, c] = softmax(x)
EOT
fact "kernel div" flops "5*r*c"
fact "kernel div" "bytes read" "4*r*c"
fact "kernel div" "bytes written" "4*r*c"
fact "kernel div" fuses "max, sub, exp, sum, div"
fact "all of f" holds "1 kernels, 0 library calls, 0 loops, 0 checks, 0 prints"
fact "all of f" "peak bytes" 0

explain layer <<'EOT'
export fn dense_layer(x: f32[b, 64], w: f32[64, k], v: f32[k]) -> f32[b, k] = tanh(x @ w + v)
EOT
fact "call matmul" flops "130*b*k"
fact "call matmul" fuses "add, tanh"
fact "call matmul" "bytes read" "256*b + 260*k"
fact "call matmul" "bytes written" "4*b*k"
fact "call matmul" "not fused more" "a library call is never part of a kernel"
fact "all of dense_layer" flops "130*b*k"
fact "all of dense_layer" temporaries none

explain matmul <<'EOT'
let a = ones(30, 40)
let b = ones(40, 50)
let c = tanh(a) @ b
print(sum(c))
EOT
fact "call matmul" flops 120000
fact "call matmul" "bytes read" 25600
fact "call matmul" "bytes written" 12000
fact "kernel tanh" "not fused more" "from matmul (matmul.gmx:3): a library call reads whole buffers"
fact "matmul.gmx:3" temporaries "1 of 9600 bytes"
fact "kernel sum" "not fused more" "from print (matmul.gmx:4): what is printed is made first"
GMX_OPENBLAS=none "$gmx" explain "$work/matmul.gmx" > "$work/matmul"
fact "call matmul" "back end" "cpu, compiled kernel (there is no OpenBLAS)"
for way in "own compiled kernel" "library OpenBLAS"; do
    GMX_PRODUCT=${way%% *} "$gmx" explain "$work/matmul.gmx" > "$work/matmul"
    fact "call matmul" "back end" "cpu, ${way#* } (by GMX_PRODUCT)"
done
"$gmx" explain "$work/matmul.gmx" > "$work/matmul"
fact "call matmul" "back end" "cpu, compiled kernel (by rule)"

# Two temporaries of 8 * 1000 * 1000 bytes live at once: the operands of the product; then its result.
explain temporaries <<'EOT'
fn f(n) {
    let a = exp(eye(n))
    let b = tanh(eye(n))
    sum(a @ b)
}
print(f(1000))
EOT
fact "temporaries.gmx:6" temporaries "3 of 24000000 (24 M) bytes"
fact "temporaries.gmx:6" "peak bytes" "24000000 (24 M)"

explain reasons <<'EOT'
let x = f32(arange(100))
fn g(x) {
    let e = exp(x)
    (sort(e), cumsum(e * 2), e[[3, 1, 2]])
}
let (p, q, r) = g(x)
fn h(x) {
    let e = tanh(exp(x))
    (e + 1, e * 2)
}
let (s, t) = h(x)
let u = x - mean(x)
mut v = zeros(10)
for i in 0..7 { v = v * 2 + 1 }
print(v[0], sum(r), s[0], t[0])
EOT
holds "from sort (reasons.gmx:4): a library call reads whole buffers"
holds "from gather (reasons.gmx:4): its elements are picked by computed indices"
holds "several kernels use it, and computing it in each costs more than storing it"
holds "a reduction to one number: what uses it waits for all of it"
holds "a loop carries it from trip to trip"
holds "for, 7 trips; in each"
fact "for, 7 trips" flops 20
fact "kernel sum" "bytes written" 8

explain parts <<'EOT'
let x = arange(1000) * 1.0
let y = x[10:20] + x[500:510]
let z = x[:, None] * x[None, :]
EOT
fact "parts.gmx:2" flops 10
fact "parts.gmx:2" "bytes read" 160
fact "parts.gmx:3" flops "1000000 (1 M)"
fact "parts.gmx:3" "bytes read" 8000

# Assignments to parts: in place, or from a copy where the old value is kept.
explain updates <<'EOT'
mut x = zeros(1000)
x[10:20] = 3.0
x[::2] += 1.0
let keep = x
x[0:5] = 1.0
x[3] = 5.0
print(sum(x), sum(keep))
EOT
fact "updates.gmx:2" "bytes written" 80
fact "updates.gmx:2" "in place" "writes over the result of broadcast_0"
fact "updates.gmx:3" flops 500
fact "updates.gmx:3" "bytes read" 4000
fact "updates.gmx:5" "bytes read" 8000
fact "updates.gmx:5" "bytes written" 8040
fact "updates.gmx:6" "bytes written" 8
fact "updates.gmx:1" "not fused more" "from update (updates.gmx:2): an assignment to a part of it starts from all of it"

# Launches of different ranks that share a kernel; and the same programs measured.
for program in numpy/reduce_1 numpy/control_3; do
    for what in explain --profile; do
        "$gmx" $what "tests/lang/$program.gmx" > "$work/out" 2> "$work/err" || {
            echo "FAILED $what $program: $(cat "$work/err")"
            failures=$((failures + 1))
        }
    done
done

[ "$failures" = 0 ] || exit 1
echo "explain: all hold"
