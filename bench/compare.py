#!/usr/bin/env python3
"""Compares a run of the benchmarks with an earlier one: compare.py BASELINE.jsonl NEW.jsonl

Both files are what the anchors harness writes, one JSON object per line.  Times of two runs say little (the machine
was as busy as it was), so each run is reduced to GMX's time over that of every peer of the same run, and it is these
ratios that are compared: a workload's slow-down is the median over the peers that both runs have.  One thread uses CPU
medians, more threads wall medians.  Above 1.1 is a warning, above 2 a failure, and so is GMX missing where its peers
ran.  Exit status: 0 no failure, 1 a failure, 2 a file that cannot be used."""
import json
import sys

WARN, FAIL = 1.1, 2.0


def read(path):
    """{(workload, threads): {peer: milliseconds}}"""
    runs = {}
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                if not line.strip():
                    continue
                row = json.loads(line)
                time = row.get("cpu_median_ms", row["median_ms"]) if row["threads"] == 1 else row["median_ms"]
                if time and time > 0:
                    runs.setdefault((row["workload"], row["threads"]), {})[row["peer"]] = time
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"bench: {path} cannot be used: {error!r}", file=sys.stderr)
        sys.exit(2)
    return runs


def median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def compare(old, new):
    """(verdict, text) for one workload."""
    peers = [peer for peer in new if peer != "gmx" and peer in old]
    if "gmx" not in old:
        return "new", "not in the baseline"
    if "gmx" not in new:
        return "FAILURE", "GMX gave no time"
    if not peers:
        return "new", "no peer that both runs have"
    slowdown = median([new["gmx"] / new[peer] / (old["gmx"] / old[peer]) for peer in peers])
    ratios = ", ".join(f"gmx/{peer} {new['gmx'] / new[peer]:.2f} was {old['gmx'] / old[peer]:.2f}" for peer in peers)
    verdict = "FAILURE" if slowdown > FAIL else "warning" if slowdown > WARN else "ok"
    return verdict, f"{slowdown:.2f}x  {ratios}"


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    baseline, run = read(sys.argv[1]), read(sys.argv[2])
    failures = 0
    for workload, threads in sorted(run):
        verdict, text = compare(baseline.get((workload, threads), {}), run[workload, threads])
        failures += verdict == "FAILURE"
        print(f"{verdict:8} {workload}, {threads} thread{'s' if threads > 1 else ''}: {text}")
    if not run:
        print("bench: the run has no results", file=sys.stderr)
        return 2
    return 1 if failures else 0


sys.exit(main())
