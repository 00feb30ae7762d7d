#!/bin/sh
# Prints the lines of code (neither blank nor only a comment line) of each top-level folder, and the longest files.
set -eu
cd "$(dirname "$0")/.."
for folder in grammar frontend ir passes codegen runtime stdlib tests bench examples; do
    [ -d "$folder" ] || continue
    find "$folder" \( -name '*.[chy]' -o -name '*.re' -o -name '*.def' -o -name '*.gmx' \) -type f -exec cat {} + |
        grep -cvE '^[[:space:]]*($|//|/\*|\*|#($|[^a-z]))' |
        { read -r count || count=0; printf '%8d  %s\n' "$count" "$folder"; }
done
echo "longest files:"
find frontend ir passes codegen runtime tests -name '*.[ch]' -exec wc -l {} + | grep -v ' total$' | sort -rn | head -5
