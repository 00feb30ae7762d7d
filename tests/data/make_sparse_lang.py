#!/usr/bin/env python3
"""Writes tests/lang/sparse/grid_*.gmx: every pair of formats in every binary operation and product, with what SciPy
makes of it.  Needs NumPy and SciPy; the files are committed.  make_sparse_lang.py FOLDER"""
import itertools
import os
import sys

import numpy as np
import scipy.sparse as sp

SHAPES = {"square": ((4, 4), (4, 4)), "wide": ((3, 5), (5, 2)), "empty": ((0, 3), (3, 0)), "bare": ((3, 4), (4, 3))}
FORMATS = ["csr", "csc", "coo"]


def matrix(rng, shape, density):
    """Halves, so that sums and products are exact; some rows and columns are empty, duplicates are added."""
    n, m = shape
    count = int(n * m * density)
    rows, columns = (rng.integers(0, max(k, 1), count) for k in shape) if n * m else (np.zeros(0, int),) * 2
    values = rng.integers(-4, 5, len(rows)) / 2
    values[values == 0] = 0.5
    return rows, columns, values, sp.coo_matrix((values, (rows, columns)), shape).tocsr()


def text(array):
    return "[" + ", ".join(text(x) for x in array) + "]" if np.ndim(array) else repr(float(array))


def literal(array):
    array = np.asarray(array, dtype=float)
    return text(array) if array.size else f"zeros({array.shape[0]}, {array.shape[1]})"


def entries(rows, columns, values, shape):
    def listed(x, kind):
        return "[" + ", ".join(repr(kind(v)) for v in x) + "]" if len(x) else f"zeros(0, dtype={'i64' if kind is int else 'f64'})"
    return f"from_entries({listed(rows, int)}, {listed(columns, int)}, {listed(values, float)}, {shape})"


def main(folder):
    for name, (left, right) in SHAPES.items():
        rng = np.random.default_rng(len(name))
        density = 0 if name == "bare" else 0.5
        a, b, c = matrix(rng, left, density), matrix(rng, left, 0.4), matrix(rng, right, 0.5)
        lines = ["# Made by tests/data/make_sparse_lang.py: operations on every pair of formats, as SciPy has them.",
                 "fn check(name, made, expected) {",
                 "    if made.shape[0] != expected.shape[0] or made.shape[1] != expected.shape[1] or "
                 "count_nonzero(dense(made) != expected) > 0 {",
                 "        print(\"wrong\", name, dense(made), expected)",
                 "    }", "}"]
        for letter, (rows, columns, values, _), shape in zip("abc", (a, b, c), (left, left, right)):
            lines.append(f"let {letter} = {entries(rows, columns, values, shape)}")
        x = rng.integers(-3, 4, left) / 2
        lines.append(f"let x = {literal(x)}")
        plain = {"a": a[3], "b": b[3], "c": c[3]}
        d = {k: v.toarray() for k, v in plain.items()}
        results = {"{p}(a) + {q}(b)": d["a"] + d["b"], "{p}(a) - {q}(b)": d["a"] - d["b"],
                   "{p}(a) * {q}(b)": plain["a"].multiply(plain["b"]).toarray(),
                   "maximum({p}(a), {q}(b))": plain["a"].maximum(plain["b"]).toarray(),
                   "minimum({p}(a), {q}(b))": plain["a"].minimum(plain["b"]).toarray(),
                   "{p}(a) @ {q}(c)": (plain["a"] @ plain["c"]).toarray(),
                   "{p}(a).T @ {q}(b)": (plain["a"].T @ plain["b"]).toarray()}
        for k, (form, value) in enumerate(results.items()):
            lines.append(f"let r{k} = {literal(value)}")
            for p, q in itertools.product(FORMATS, FORMATS):
                made = form.format(p=p, q=q)
                lines.append(f"check(\"{made}\", {made}, r{k})")
        single = {"{p}(a) * x": d["a"] * x, "x * {p}(a)": d["a"] * x, "{p}(a) / 2": d["a"] / 2, "-{p}(a)": -d["a"],
                  "abs({p}(a))": abs(d["a"]), "{p}(a) ^ 2": d["a"] ** 2}
        for k, (form, value) in enumerate(single.items()):
            lines.append(f"let s{k} = {literal(value)}")
            for p in FORMATS:
                lines.append(f"check(\"{form.format(p=p)}\", {form.format(p=p)}, s{k})")
        y = rng.integers(-3, 4, (left[1], 3)) / 2
        z = rng.integers(-3, 4, (2, left[0])) / 2
        dense = {"{p}(a) @ y": plain["a"] @ y, "z @ {p}(a)": z @ d["a"], "{p}(a).T @ x": plain["a"].T @ x}
        lines += [f"let y = {literal(y)}", f"let z = {literal(z)}"]
        for k, (form, value) in enumerate(dense.items()):
            lines.append(f"let t{k} = {literal(value)}")
            for p in FORMATS:
                lines.append(f"check(\"{form.format(p=p)}\", {form.format(p=p)}, t{k})")
        sums = {"sum({p}(a), axis=0)": d["a"].sum(0), "sum({p}(a), axis=1)": d["a"].sum(1)}
        if left[0] * left[1]:
            sums |= {"max({p}(a), axis=0)": d["a"].max(0), "max({p}(a), axis=1)": d["a"].max(1),
                     "min({p}(a), axis=1)": d["a"].min(1), "mean({p}(a), axis=0)": d["a"].mean(0)}
        for k, (form, value) in enumerate(sums.items()):
            lines.append(f"let u{k} = {literal(value[None])}")
            for p in FORMATS:
                made = form.format(p=p)
                lines.append(f"check(\"{made}\", {made}[None], u{k})")
        lines.append(f"print(\"done\", sum(csr(a)), nnz(a))  # expect: done {d['a'].sum()} {plain['a'].nnz}")
        with open(os.path.join(folder, f"grid_{name}.gmx"), "w") as file:
            file.write("\n".join(lines) + "\n")


main(sys.argv[1])
