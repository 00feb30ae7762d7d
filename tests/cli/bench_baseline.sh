#!/bin/sh
# bench/compare.py, behind `./dev bench --baseline`, on results made up here.
set -eu
command -v python3 > /dev/null || { echo "no python3, which the benchmarks need: not tested"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# row WORKLOAD PEER THREADS MS [CPU_MS]
row() {
    printf '{"workload": "%s", "peer": "%s", "threads": %s, "median_ms": %s, "cpu_median_ms": %s}\n' "$1" "$2" "$3" "$4" "${5:-$4}"
}

# compares STATUS NAME LINE…: the baseline and the run of $work/old and $work/new give these lines.
compares() {
    status=0
    python3 bench/compare.py "$work/old" "$work/new" > "$work/out" 2> "$work/err" || status=$?
    wanted=$1 name=$2
    shift 2
    [ "$status" = "$wanted" ] || {
        echo "FAILED $name: status $status, expected $wanted: $(cat "$work/out" "$work/err")"
        failures=$((failures + 1))
    }
    for line; do
        grep -qF -e "$line" "$work/out" "$work/err" || {
            echo "FAILED $name: no \"$line\" in: $(cat "$work/out" "$work/err")"
            failures=$((failures + 1))
        }
    done
}

{ row softmax gmx 1 2; row softmax hand 1 2; row softmax numpy 1 10; } > "$work/old"

# The machine is three times slower, GMX is not: nothing to report.
{ row softmax gmx 1 6; row softmax hand 1 6; row softmax numpy 1 30; } > "$work/new"
compares 0 "busy machine" "ok       softmax, 1 thread: 1.00x  gmx/hand 1.00 was 1.00, gmx/numpy 0.20 was 0.20"
# The same time as before, while the peers are twice as fast: GMX lost 2.5 times.
{ row softmax gmx 1 2; row softmax hand 1 0.8; row softmax numpy 1 4; } > "$work/new"
compares 1 "hidden loss" "FAILURE  softmax, 1 thread: 2.50x"
# The bounds themselves.
{ row softmax gmx 1 2.2; row softmax hand 1 2; row softmax numpy 1 10; } > "$work/new"
compares 0 "1.1 is no warning" "ok       softmax, 1 thread: 1.10x"
{ row softmax gmx 1 2.3; row softmax hand 1 2; row softmax numpy 1 10; } > "$work/new"
compares 0 "1.15 is one" "warning  softmax, 1 thread: 1.15x"
{ row softmax gmx 1 4; row softmax hand 1 2; row softmax numpy 1 10; } > "$work/new"
compares 0 "2 is a warning" "warning  softmax, 1 thread: 2.00x"
{ row softmax gmx 1 4.1; row softmax hand 1 2; row softmax numpy 1 10; } > "$work/new"
compares 1 "2.05 is a failure" "FAILURE  softmax, 1 thread: 2.05x"
# One peer's bad luck among three does not count.
{ row softmax gmx 1 2; row softmax hand 1 2; row softmax numpy 1 10; row softmax torch 1 5; } > "$work/old"
{ row softmax gmx 1 2; row softmax hand 1 2; row softmax numpy 1 10; row softmax torch 1 1; } > "$work/new"
compares 0 "one peer" "ok       softmax, 1 thread: 1.00x"
# CPU time with one thread, wall time with two.
{ row ew gmx 1 9 2; row ew hand 1 1 1; row ew gmx 2 2 9; row ew hand 2 1 1; } > "$work/old"
{ row ew gmx 1 1 2; row ew hand 1 1 1; row ew gmx 2 2 1; row ew hand 2 1 1; } > "$work/new"
compares 0 "clocks" "ok       ew, 1 thread: 1.00x" "ok       ew, 2 threads: 1.00x"
# What cannot be compared.
{ row softmax hand 1 2; row gemm gmx 1 1; row gemm hand 1 1; row ew gmx 1 2; row ew blas 1 1; } > "$work/new"
{ row softmax gmx 1 2; row softmax hand 1 2; row ew gmx 1 2; row ew hand 1 2; } > "$work/old"
compares 1 "missing" "FAILURE  softmax, 1 thread: GMX gave no time" "new      gemm, 1 thread: not in the baseline" \
    "new      ew, 1 thread: no peer that both runs have"
echo '{"workload": "x"' > "$work/old"
compares 2 "damaged" "cannot be used"
rm "$work/old"
compares 2 "no file" "cannot be used"
row softmax gmx 1 1 > "$work/old"
: > "$work/new"
compares 2 "an empty run" "no results"

[ "$failures" = 0 ] || exit 1
echo "bench baseline: all hold"
