#!/bin/sh
# Checks that every tracked C file is formatted as .clang-format says; `./dev fmt` formats them.
set -eu
cd "$(dirname "$0")/.."
git() {
    command git -c safe.directory='*' "$@"
}
if ! git rev-parse --is-inside-work-tree > /dev/null 2>&1; then
    echo "not a git work tree: nothing checked"
    exit 0
fi
git ls-files -z -- '*.c' '*.h' | xargs -0 clang-format-14 --dry-run -Werror
