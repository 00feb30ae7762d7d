#!/bin/sh
# Runs the samples of the documentation: check_docs.sh BUILD_FOLDER RUN_PROGRAMS FILE.md…
#
#   ```gmx             a program, run and compared as tests/run_programs.c does it: `# expect: …`, `# error: …`
#   ```gmx file=NAME   written to the scratch folder of the page, for its console blocks
#   ```c file=NAME     the same
#   ```console         `$ command` lines, run in that folder; what follows each is all that it prints.  A command
#                      that begins with `cc` sees an installed GMX; from there on a page is left out of sanitized builds.
# Blocks of any other kind are not looked at.
set -eu
build=$(cd "$1" && pwd)
runner=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PATH=$build:$PATH
GMX_CACHE_DIR=$work/cache
export PATH GMX_CACHE_DIR
status=0

# pages/PAGE/programs/LINE.gmx, pages/PAGE/folder/NAME, pages/PAGE/console/LINE.{command,expected}
extract() {
    awk -v to="$2" '
        /^```/ && in_block { if (kind == "console") finish(); in_block = 0; close(out); next }
        /^```/ {
            in_block = 1; kind = $1; sub(/^```/, "", kind); out = ""
            if (match($0, /file=[A-Za-z0-9_.-]+/)) out = to "/folder/" substr($0, RSTART + 5, RLENGTH - 5)
            else if (kind == "gmx") out = sprintf("%s/programs/line_%04d.gmx", to, NR)
            next
        }
        !in_block { next }
        kind == "console" && /^\$ / {
            finish(); name = sprintf("%s/console/%04d", to, NR)
            print substr($0, 3) > (name ".command"); close(name ".command"); next
        }
        kind == "console" && name { expected = expected $0 "\n"; next }
        out { print > out }
        function finish() {
            if (name) { printf "%s", expected > (name ".expected"); close(name ".expected") }
            name = ""; expected = ""
        }' "$1"
}

install_once() {
    [ -d "$work/installed" ] && return 0
    cmake --install "$build" --prefix "$work/installed" > /dev/null
    PKG_CONFIG_PATH=$(dirname "$(find "$work/installed" -name gmx.pc)")
    LD_LIBRARY_PATH=$(dirname "$PKG_CONFIG_PATH")
    sed -i "s,^prefix=.*,prefix=$work/installed," "$PKG_CONFIG_PATH/gmx.pc"
    export PKG_CONFIG_PATH LD_LIBRARY_PATH
}

run_console() {
    for command in "$1"/console/*.command; do
        [ -e "$command" ] || continue
        if grep -q '^cc ' "$command"; then
            [ -z "${GMX_DOCS_SANITIZED:-}" ] || return 0 # nor what follows it
            install_once
        fi
        (cd "$1/folder" && sh "$command" > "$1/output" 2>&1 < /dev/null) || true
        if ! diff -u "${command%.command}.expected" "$1/output" > "$1/diff"; then
            echo "FAILED $2:$(basename "$command" .command | sed 's/^0*//'): $(cat "$command")"
            sed 1,2d "$1/diff"
            status=1
        fi
    done
}

for page; do
    to=$work/$(basename "$page" .md)
    mkdir -p "$to/programs" "$to/folder" "$to/console"
    extract "$page" "$to"
    if [ -n "$(ls "$to/programs")" ]; then
        echo "$page: $(ls "$to/programs" | wc -l) programs"
        "$runner" "$build/gmx" "$to/programs" || status=1
    fi
    run_console "$to" "$page"
done
exit $status
