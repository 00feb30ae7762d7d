#!/bin/sh
# Shows that the program runner ($1) accepts what is right and notices each kind of difference, with a script in
# the place of gmx: it obeys `#do:` lines of the program it is given.
set -eu
runner=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/gmx" <<'SCRIPT'
#!/bin/sh
for file; do case $file in *.gmx) break ;; esac; done
if [ "$1" = explain ]; then
    echo 'structure(fuse): kernels 1, calls 0'
    exit 0
fi
sed -n 's/^#do: //p' "$file" > "$file.sh"
. "$file.sh"
SCRIPT
chmod +x "$work/gmx"

failures=0
# expect_runner STATUS NAME: the program on standard input passes (0) or fails (1).
expect_runner() {
    mkdir -p "$work/$2"
    cat > "$work/$2/test.gmx"
    status=0
    "$runner" "$work/gmx" "$work/$2" > "$work/log" 2>&1 || status=$?
    if [ "$status" != "$1" ]; then
        echo "$2: the runner's exit status is $status, expected $1"
        cat "$work/log"
        failures=$((failures + 1))
    fi
}

error='{"code":"E0203","file":"test.gmx","line":2,"column":7,"labels":[{"line":9,"code":"E0110"}],"message":"the \"inner\" sizes"}'

expect_runner 0 output <<EOT
#do: echo 1; echo '[2, 3]'
print(1)  # expect: 1
# expect: [2, 3]
EOT
expect_runner 1 wrong-line <<EOT
#do: echo 1; echo 3
# expect: 1
# expect: 2
EOT
expect_runner 1 missing-line <<EOT
#do: echo 1
# expect: 1
# expect: 2
EOT
expect_runner 1 one-line-more <<EOT
#do: echo 1; echo 2
# expect: 1
EOT
expect_runner 1 unexpected-exit <<EOT
#do: exit 1
EOT
expect_runner 0 expected-exit <<EOT
#do: exit 5
# exit: 5
EOT
expect_runner 1 signal <<EOT
#do: kill -SEGV \$\$
# exit: 139
EOT
expect_runner 0 error-line <<EOT
#do: echo '$error' >&2; exit 1
x + y  # error: E0203
# error-text: the "inner" sizes
EOT
expect_runner 1 error-elsewhere <<EOT
#do: echo '$error' >&2; exit 1

x + y  # error: E0203
EOT
expect_runner 0 error-at <<EOT
#do: echo '$error' >&2; exit 1

# error-at: 2:7 E0203
EOT
expect_runner 1 error-column <<EOT
#do: echo '$error' >&2; exit 1
# error-at: 2:8 E0203
EOT
expect_runner 1 error-code <<EOT
#do: echo '$error' >&2; exit 1
x + y  # error: E0110
EOT
expect_runner 1 error-text <<EOT
#do: echo '$error' >&2; exit 1
x + y  # error: E0203
# error-text: outer sizes
EOT
expect_runner 1 error-twice <<EOT
#do: echo '$error' >&2; echo '$error' >&2; exit 1
x + y  # error: E0203
EOT
expect_runner 1 error-missing <<EOT
#do: exit 1
x + y  # error: E0203
EOT
expect_runner 1 error-but-exit-0 <<EOT
#do: echo '$error' >&2
x + y  # error: E0203
EOT
expect_runner 0 input-flags-args <<EOT
#do: cat; echo "\$*" | sed 's, [^ ]*/test.gmx, FILE,'
# stdin: one line
# flags: --backend=cpu
# args: a b
# expect: one line
# expect: --error-format=json --backend=cpu FILE a b
EOT
expect_runner 0 structure <<EOT
# structure(fuse): kernels 1, calls 0
EOT
expect_runner 1 wrong-structure <<EOT
# structure(fuse): kernels 2, calls 0
EOT

[ "$failures" = 0 ] || exit 1
echo "the program runner noticed every planted difference"
