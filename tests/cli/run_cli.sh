#!/bin/bash
# The commands as a user meets them: exit statuses, where output goes, hostile input.
#
#     run_cli.sh GMX [GMXC] [SECONDS]     SECONDS: CPU time that any one case may take (default 2)
set -u
gmx=$1 gmxc=${2:-} limit=${3:-2}
unset GMX_FLAGS
export HOME
work=$(mktemp -d)
HOME=$work
trap 'rm -rf "$work"' EXIT
failures=0 cases=0

fail() {
    echo "FAILED: $case: $*"
    failures=$((failures + 1))
}

# run CASE STATUS COMMAND...: leaves $work/out and $work/err; input comes from $input (default: none).
input=/dev/null
run() {
    case=$1
    local wanted=$2 status
    shift 2
    cases=$((cases + 1))
    local TIMEFORMAT='%U %S'
    { time timeout 60 "$@" < "$input" > "$work/out" 2> "$work/err"; } 2> "$work/time"
    status=$?
    [ "$status" = "$wanted" ] ||
        fail "status $status, expected $wanted: $(head -c 600 "$work/err")"
    awk -v limit="$limit" '{ exit !($1 + $2 > limit) }' "$work/time" &&
        fail "took $(cat "$work/time") seconds of CPU time, more than $limit"
    input=/dev/null
}

# out TEXT: what was printed, exactly.
out() {
    [ "$(cat "$work/out"; echo x)" = "$(printf '%s' "$1"; echo x)" ] ||
        fail "printed '$(head -c 300 "$work/out")', expected '$1'"
}

# err TEXT...: parts of what standard error says; none: it is empty.
err() {
    [ $# -gt 0 ] || [ ! -s "$work/err" ] || fail "standard error is not empty: $(head -c 300 "$work/err")"
    local text
    for text in "$@"; do
        grep -qF -- "$text" "$work/err" || fail "standard error lacks '$text': $(head -c 300 "$work/err")"
    done
}

nl=$'\n'

# --- values and scripts ---
run "-e prints a value" 0 "$gmx" -e 'sum([1.5, 2.5, 3.0])'
out "7.0$nl"
err
run "-e without a value" 0 "$gmx" -e 'let x = 3'
out ""
run "-e with an error" 1 "$gmx" -e 'let x = 3
x + nothing'
err 'error[E0110]' '<-e>:2:5'
printf 'let x = arange(10)' > "$work/in"
input=$work/in run "piped script" 0 "$gmx"
out ""
err
printf '1+2\n' > "$work/in"
input=$work/in run "piped expression" 0 "$gmx"
out "3$nl"
input=$work/in run "- is standard input" 0 "$gmx" -
out "3$nl"
run "empty standard input" 0 "$gmx"
out ""
printf 'print(6 * 7)\n' > "$work/a script.gmx"
run "script" 0 "$gmx" "$work/a script.gmx"
out "42$nl"
run "script with arguments like options" 0 "$gmx" "$work/a script.gmx" --unknown -e x
out "42$nl"
run "missing script" 1 "$gmx" "$work/missing.gmx"
err E0007 missing.gmx
run "folder as a script" 1 "$gmx" "$work"
err E0007
printf '1 +\n' > "$work/in"
run "output before the error" 1 sh -c "printf 'print(1)\nprint([1, 2][arange(3)[2:]])\n' | '$gmx' 2>&1"
head -n 1 "$work/out" | grep -qx 1 || fail "the first line is '$(head -n 1 "$work/out")'"

# --- options ---
run "--version" 0 "$gmx" --version
grep -Eqx 'gmx [0-9]+\.[0-9]+\.[0-9]+' "$work/out" || fail "$(cat "$work/out")"
run "--help" 0 "$gmx" --help
for option in --backend --threads --target-cpu -O --profile --dump-after --stop-after --no-pass --time-passes \
    --verify-each --error-format --version; do
    grep -q -- "  $option" "$work/out" || fail "lacks $option"
done
err
run "unknown option" 2 "$gmx" --baskend=cpu
err 'gmx: unknown option `--baskend`' '`--backend`'
[ "$(wc -l < "$work/err")" = 1 ] || fail "more than one line"
run "option far from any" 2 "$gmx" --zzzzzzzzzz
err '--help'
run "unknown short option" 2 "$gmx" -x
run "bad choice" 2 "$gmx" --backend=abacus -e 1
err 'auto|cpu|cuda|opencl'
run "bad number" 2 "$gmx" --threads=0 -e 1
run "huge number" 2 "$gmx" --threads=99999999999999999999 -e 1
run "missing value" 2 "$gmx" --threads
run "missing code" 2 "$gmx" -e
run "unknown pass" 2 "$gmx" --dump-after=no_such_pass -e 1
err no_such_pass
run "pass that cannot be left out" 2 "$gmx" --no-pass=memory -e 1
run "value for a flag" 2 "$gmx" --profile=3 -e 1
run "level out of range" 2 "$gmx" -O7 -e 1
run "-e twice" 2 "$gmx" -e 1 -e 2
run "empty option name" 2 "$gmx" --=3
run "-e with a subcommand" 2 "$gmx" check -e 1 x.gmx
run "subcommand without files" 2 "$gmx" check
run "option of another command" 2 "$gmx" --structure "$work/a script.gmx"
run "all shared options" 0 "$gmx" --backend=cpu --threads 2 --target-cpu=native -O1 --verify-each \
    --no-pass=simplify --error-format=human -e 'sum(tanh([0.0, 0.0]))'
out "0.0$nl"
run "options after -e" 0 "$gmx" -e 2 -O0
out "2$nl"
run "--profile" 0 "$gmx" --profile -e 'sum(arange(3))'
out "3$nl"
err compiling
run "a back end this machine lacks" 5 "$gmx" --backend=cuda -e 1
err E0501
GMX_FLAGS="-O1 --error-format=json" run "GMX_FLAGS" 1 "$gmx" -e nothing
err '{"code":"E0110"'
GMX_FLAGS="--error-format=json" run "the command line wins" 1 "$gmx" --error-format=human -e nothing
err 'error[E0110]'
GMX_FLAGS="--target-cpu='native' \"-O2\"" run "quotes in GMX_FLAGS" 0 "$gmx" -e 1
GMX_FLAGS="--target-cpu='native" run "open quote in GMX_FLAGS" 2 "$gmx" -e 1
GMX_FLAGS="script.gmx" run "file in GMX_FLAGS" 2 "$gmx" -e 1
err GMX_FLAGS
GMX_FLAGS="-e 1" run "action in GMX_FLAGS" 2 "$gmx"
GMX_FLAGS="--bakend=cpu" run "unknown option in GMX_FLAGS" 2 "$gmx" -e 1
err GMX_FLAGS '`--backend`'
GMX_FLAGS=" 	 " run "blank GMX_FLAGS" 0 "$gmx" -e 1

# --- errors as JSON ---
run "JSON errors" 1 "$gmx" --error-format=json -e 'let a = 1
a + "x'
awk '!/^\{.*\}$/ { exit 1 }' "$work/err" || fail "not one object a line: $(cat "$work/err")"
err '"line":2'
run "JSON for a missing file" 1 "$gmx" --error-format=json "$work/missing.gmx"
err '{"code":"E0007"'

# --- subcommands ---
printf 'let x = [1, 2]\nprint(x @ [1, 2, 3])\n' > "$work/wrong.gmx"
run "check finds an error" 1 "$gmx" check "$work/a script.gmx" "$work/wrong.gmx"
err E0203 wrong.gmx:2
out ""
run "check" 0 "$gmx" check "$work/a script.gmx"
out ""
err
printf '## Doubles.\nfn twice(x)=x*2\n' > "$work/doc.gmx"
run "fmt --check" 1 "$gmx" fmt --check "$work/doc.gmx"
out "$work/doc.gmx$nl"
run "fmt" 0 "$gmx" fmt "$work/doc.gmx"
run "fmt again" 0 "$gmx" fmt --check "$work/doc.gmx"
out ""
cp "$work/doc.gmx" "$work/in"
input=$work/in run "fmt of standard input" 0 "$gmx" fmt -
cmp -s "$work/out" "$work/doc.gmx" || fail "differs"
printf 'fn f(\n' > "$work/open.gmx"
run "fmt of a wrong program" 1 "$gmx" fmt "$work/open.gmx"
[ "$(cat "$work/open.gmx")" = 'fn f(' ] || fail "the file was changed"
run "doc NAME" 0 "$gmx" doc sum
grep -q 'sum(' "$work/out" || fail "$(cat "$work/out")"
run "doc of an unknown name" 1 "$gmx" doc no_such_name
run "doc FILE" 0 "$gmx" doc "$work/doc.gmx"
grep -q 'Doubles' "$work/out" || fail "$(cat "$work/out")"
printf 'let x = arange(10.0)\nprint(sum(tanh(x) * 2.0))\n' > "$work/chain.gmx"
run "explain" 0 "$gmx" explain "$work/chain.gmx"
grep -q 'kernel' "$work/out" || fail "$(cat "$work/out")"
run "explain --structure" 0 "$gmx" explain --structure "$work/chain.gmx"
grep -Eq '^structure\([a-z]+\): kernels [0-9]+, calls [0-9]+$' "$work/out" || fail "$(cat "$work/out")"

# --- output that fails ---
run "reader that leaves" 1 bash -c "'$gmx' -e 'mut i = 0
while i < 1000000 { print(i); i += 1 }' | head -n 1; exit \${PIPESTATUS[0]}"
out "0$nl"
err
if [ -w /dev/full ]; then
    run "full disk" 1 sh -c "'$gmx' -e 1+1 > /dev/full"
    err 'No space left'
fi
run "closed standard files" 0 sh -c "'$gmx' -e 1+1 <&- >&- 2>&-"

# --- values that are no tensors, and names that are nearly something ---
run "-e of a dtype" 0 "$gmx" -e '[1,2].dtype'
out "i64$nl"
run "-e of a range" 0 "$gmx" -e '1..5'
out "1..5$nl"
run "a short unknown name" 1 "$gmx" -e 'x'
err 'unknown name `x`'
grep -q nearest "$work/err" && fail "it suggests a name: $(cat "$work/err")"
run "Python's spelling" 1 "$gmx" -e 'True'
err 'GMX writes `true`'
run "an unknown CPU" 2 "$gmx" --target-cpu=z80 -e 1
err 'gmx: `z80` is not a CPU'

# --- interrupts ---
cat > "$work/loop.gmx" << 'END'
mut i = 0
while i >= 0 { i = (i + 1) % 1000 }
END
run "Ctrl-C" 130 timeout --preserve-status -s INT 1 "$gmx" "$work/loop.gmx"
for seconds in 1 5 25; do # until the kernel runs: a loaded machine may still compile it after a second
    run "Ctrl-C in one long kernel" 130 timeout --preserve-status -s INT $seconds "$gmx" --threads=1 -e \
        'print("sum", sum([sin(i * 1.0) * j for i in 0..100000, j in 0..1000000]))'
    grep -q E0308 "$work/err" && break
done
out ""
err E0308

# --- hostile input: an error of the program, in time, and never a signal ---
parens() { head -c "$1" /dev/zero | tr '\0' '('; }
run "100,000 open parentheses in -e" 1 "$gmx" -e "$(parens 100000)"
err E010
parens 100000 > "$work/in"
input=$work/in run "100,000 open parentheses piped" 1 "$gmx"
err E010
{ parens 100000; printf 1; parens 100000 | tr '(' ')'; } > "$work/in"
input=$work/in run "100,000 pairs of parentheses" 1 "$gmx"
err E0103
for pair in '[ [' '{ {' '-  -' 'not  n'; do
    yes -- "${pair% *}" | head -n 100000 | tr -d '\n' > "$work/in"
    input=$work/in run "100,000 times '${pair% *}'" 1 "$gmx"
done
printf 'let x = 1\0let y = 2\n' > "$work/nul.gmx"
run "NUL byte in a file" 1 "$gmx" "$work/nul.gmx"
err E0001
input=$work/nul.gmx run "NUL byte piped" 1 "$gmx"
err E0001
run "check of a NUL byte" 1 "$gmx" check "$work/nul.gmx"
printf 'let x = "\377\376"\n' > "$work/latin.gmx"
run "no UTF-8" 1 "$gmx" "$work/latin.gmx"
err E0001
truncate -s 100M "$work/large.gmx"
run "100 MB of zero bytes" 1 "$gmx" "$work/large.gmx"
err E0002
yes 'let x = 1 # a comment' | head -c 100000000 > "$work/large.gmx"
run "100 MB source" 1 "$gmx" "$work/large.gmx"
err E0002
input=$work/large.gmx run "100 MB source piped" 1 "$gmx"
err E0002
run "100 MB source checked" 1 "$gmx" check "$work/large.gmx"
rm "$work/large.gmx"
input=/dev/zero run "endless standard input" 1 "$gmx"
run "/dev/zero as a script" 1 "$gmx" /dev/zero
yes '1+' | head -c 50000000 | tr -d '\n' > "$work/operators.gmx"
run "a 50 MB line of 1+1+1" 1 "$gmx" "$work/operators.gmx"
yes '+' | head -c 100000000 | tr -d '\n' > "$work/operators.gmx"
run "a 50 MB line of operators" 1 "$gmx" "$work/operators.gmx"
rm "$work/operators.gmx"

# npy HEADER: version 1.0 with this dictionary and no data.
npy() {
    local header=$1
    while [ $(((${#header} + 11) % 64)) != 0 ]; do header="$header "; done
    header="$header$nl"
    # shellcheck disable=SC2059
    printf "\\x93NUMPY\\x01\\x00\\x$(printf %02x $((${#header} % 256)))\\x$(printf %02x $((${#header} / 256)))"
    printf '%s' "$header"
}
npy "{'descr': '<f8', 'fortran_order': False, 'shape': (4,), }" > "$work/short.npy"
printf '12345678' >> "$work/short.npy"
run "truncated .npy" 1 "$gmx" -e "load(\"$work/short.npy\")"
err E0402
npy "{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904,), }" > "$work/huge.npy"
run ".npy of 2^62 elements" 1 "$gmx" -e "sum(load(\"$work/huge.npy\"))"
err E040
head -c 20 "$work/huge.npy" > "$work/header.npy"
run ".npy cut in its header" 1 "$gmx" -e "load(\"$work/header.npy\")"
err E040
: > "$work/empty.npy"
run "empty .npy" 1 "$gmx" -e "load(\"$work/empty.npy\")"
err E040
run "missing .npy" 1 "$gmx" -e "load(\"$work/missing.npy\")"
err E040
run "memory that cannot be had" 1 "$gmx" -e 'let x = zeros(1000000000, 1000000000)
x @ x'
err E0306

# --- gmxc ---
if [ -n "$gmxc" ]; then
    cat > "$work/model.gmx" << 'END'
export fn scale(x: f32[n], by: f32) -> f32[n] = x * by
END
    mkdir "$work/form"
    run "gmxc --help" 0 "$gmxc" --help
    run "gmxc without a file" 2 "$gmxc"
    run "gmxc with two files" 2 "$gmxc" "$work/model.gmx" "$work/doc.gmx" -o "$work/libm.so"
    run "gmxc without -o" 2 "$gmxc" "$work/model.gmx"
    err '-o'
    run "gmxc with a wrong form" 2 "$gmxc" --emit=pdf "$work/model.gmx"
    run "gmxc with -e" 2 "$gmxc" -e 1
    run "gmxc of a missing file" 1 "$gmxc" "$work/missing.gmx" -o "$work/libmissing.so"
    err E0007
    for form in tokens ast ir kernels llvm asm header; do
        run "gmxc --emit=$form" 0 "$gmxc" --emit=$form "$work/model.gmx"
        [ -s "$work/out" ] || fail "printed nothing"
        cp "$work/out" "$work/first"
        run "gmxc --emit=$form -o" 0 "$gmxc" "$work/model.gmx" --emit=$form -o "$work/form/model.txt"
        out ""
        cmp -s "$work/first" "$work/form/model.txt" || fail "the file differs from standard output"
    done
    run "gmxc --emit=ptx" 1 "$gmxc" --emit=ptx "$work/model.gmx"
    err E0900
    run "gmxc --emit=obj" 0 "$gmxc" --emit=obj "$work/model.gmx" -o "$work/model.o"
    [ "$(head -c 4 "$work/model.o" | tail -c 3)" = ELF ] || fail "no object file"
    run "gmxc" 0 "$gmxc" "$work/model.gmx" -o "$work/libmodel.so"
    out ""
    [ "$(head -c 4 "$work/libmodel.so" | tail -c 3)" = ELF ] || fail "no library"
    grep -q 'scale(' "$work/model.h" || fail "no header"
    run "gmxc to standard output" 0 "$gmxc" --emit=so "$work/model.gmx" -o -
    [ "$(head -c 4 "$work/out" | tail -c 3)" = ELF ] || fail "no library"
    run "gmxc into a missing folder" 1 "$gmxc" "$work/model.gmx" -o "$work/none/libmodel.so"
    run "gmxc of a file without export fn" 1 "$gmxc" "$work/doc.gmx" -o "$work/libdoc.so"
    [ ! -e "$work/libdoc.so" ] || fail "left a file"
    ls "$work" | grep -E 'XXXX|libmodel\.so\..' && fail "left temporary files"
fi

# --- an index expression and the product it stands for: the same IR ---
# same_ir CASE INDEX-EXPRESSION PRODUCT SHAPE SHAPE [OP]: the two over a, b with these literal shapes.
same_ir() {
    local expression side=0
    for expression in "$2" "$3"; do
        printf 'let a = rand(%s)\nlet b = rand(%s)\nfn f(a, b) = %s\nlet y = f(a, b)\n' "$4" "$5" "$expression" \
            > "$work/same.gmx"
        run "$1" 0 "$gmx" --dump-after=simplify "$work/same.gmx"
        grep -hF "${6:-matmul}" "$work/err" > /dev/null || fail "no ${6:-matmul}: $(head -c 600 "$work/err")"
        sed 's/ "[^"]*" :/ :/' "$work/err" > "$work/ir.$side"
        side=1
    done
    cmp -s "$work/ir.0" "$work/ir.1" || fail "$(diff "$work/ir.0" "$work/ir.1" | head -c 900)"
}
same_ir "matrices" '[sum(a[i, k] * b[k, j] for k) for i, j]' 'a @ b' '3, 4' '4, 5'
same_ir "matrices, factors swapped" '[sum(b[k, j] * a[i, k] for k) for i, j]' 'a @ b' '3, 4' '4, 5'
same_ir "left transposed" '[sum(a[k, i] * b[k, j] for k) for i, j]' 'a.T @ b' '4, 3' '4, 5'
same_ir "right transposed" '[sum(a[i, k] * b[j, k] for k) for i, j]' 'a @ b.T' '3, 4' '5, 4'
same_ir "batches" '[sum(a[n, i, k] * b[n, k, j] for k) for n, i, j]' 'a @ b' '2, 3, 4' '2, 4, 5'
same_ir "matrix and vector" '[sum(a[i, k] * b[k] for k) for i]' 'a @ b' '3, 4' '4'
same_ir "vector and matrix" '[sum(a[k] * b[k, j] for k) for j]' 'a @ b' '4' '4, 5'
same_ir "vectors" 'sum(a[k] * b[k] for k)' 'a @ b' '4' '4' sum

echo "$cases cases, $failures failures"
[ "$failures" = 0 ]
