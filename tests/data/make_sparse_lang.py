#!/usr/bin/env python3
"""Writes tests/lang/sparse/grid_*.gmx: every pair of formats in every binary operation and product, with what SciPy
makes of it; and questions.gmx: subscripts, choices and statistics, with what NumPy says of the dense matrix.  Needs
NumPy and SciPy; the files are committed.  make_sparse_lang.py FOLDER"""
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


CHECK = ["fn check(name, made, expected) {",
         "    let given = dense(made)",
         "    let wrong = if given.ndim != expected.ndim { true } else { count_nonzero(given != expected) > 0 or given.size != expected.size }",
         "    if wrong { print(\"wrong\", name, given, expected) }", "}"]
# Subscripts as GMX and NumPy both write them; i and j are vectors of indices, m is a mask of the shape of the matrix.
SUBSCRIPTS = ["0", "-1", "1:", "::-1", "::2", "1:3, 1:", ":, 0", ":, -1", ":, ::-1", "i", ":, j", "i, 1:", "1:, j", "i, k",
              "0, 1", "-1, -1", "0, :", "...", "0:0", ":, 2:2", "i, 0", "1, k", "rows", ":, columns", "rows, 1:", "m"]
QUESTIONS = {"argmax({a}, axis=1)": lambda d: d.argmax(1), "argmax({a}, axis=0)": lambda d: d.argmax(0),
             "argmin({a}, axis=1)": lambda d: d.argmin(1), "argmin({a}, axis=0)": lambda d: d.argmin(0),
             "argmax({a})": lambda d: d.argmax(), "argmin({a})": lambda d: d.argmin(),
             "max({a})": lambda d: d.max(), "min({a})": lambda d: d.min(), "prod({a}, axis=1)": lambda d: d.prod(1),
             "any({a}, axis=1)": lambda d: d.any(1), "all({a}, axis=0)": lambda d: d.all(0),
             "mean({a}, axis=1)": lambda d: d.mean(1), "mean({a})": lambda d: d.mean(),
             "var({a}, axis=1)": lambda d: d.var(1), "var({a}, axis=0, ddof=1)": lambda d: d.var(0, ddof=1),
             "var({a})": lambda d: d.var(), "diagonal({a})": lambda d: d.diagonal(),
             "diagonal({a}, offset=1)": lambda d: d.diagonal(1), "diagonal({a}, offset=-1)": lambda d: d.diagonal(-1),
             "transpose({a})": lambda d: d.T, "transpose({a}, (0, 1))": lambda d: d,
             "where({a} > 0, {a}, 0)": lambda d: np.where(d > 0, d, 0),
             "where({a} != 0, {b}, 0)": lambda d, b: np.where(d != 0, b, 0),
             "where({a} != 0, x, {b})": lambda d, b, x: np.where(d != 0, x, b),
             "where(x > 0, {a}, {b})": lambda d, b, x: np.where(x > 0, d, b),
             "where(x > 0, {a}, 0)": lambda d, b, x: np.where(x > 0, d, 0)}


def questions(folder):
    """Counts of 4 rows, and of 4 columns, keep the means of halves exact."""
    rng = np.random.default_rng(7)
    shape = (4, 4)
    a, b = matrix(rng, shape, 0.6), matrix(rng, shape, 0.4)
    lines = ["# Made by tests/data/make_sparse_lang.py: subscripts, choices and statistics, as NumPy has them.", *CHECK]
    for letter, (rows, columns, values, _) in zip("ab", (a, b)):
        lines.append(f"let {letter} = {entries(rows, columns, values, shape)}")
    d, e = a[3].toarray(), b[3].toarray()
    x = rng.integers(-3, 4, shape) / 2
    names = {"i": np.array([2, 0, 2]), "k": np.array([1, 3, 0]), "j": np.array([3, 3, 0, 1, 2]),
             "rows": np.array([True, False, True, True]), "columns": np.array([False, False, True, False]),
             "m": x > 0}
    lines.append(f"let x = {literal(x)}")
    for name, value in names.items():
        lines.append(f"let {name} = {shown(value)}")
    for subscript in SUBSCRIPTS:
        expected = eval(f"d[{subscript}]", {"d": d}, names)
        for p in FORMATS:
            made = f"{p}(a)[{subscript}]"
            lines.append(f"check(\"{made}\", {made}, {shown(expected)})")
    for form, function in QUESTIONS.items():
        expected = function(*(d, e, x)[:function.__code__.co_argcount])
        for p in FORMATS:
            made = form.format(a=f"{p}(a)", b=f"{p}(b)")
            lines.append(f"check(\"{made}\", {made}, {shown(expected)})")
    lines.append(f"print(\"done\", sum(csr(a)), nnz(a))  # expect: done {d.sum()} {a[3].nnz}")
    with open(os.path.join(folder, "questions.gmx"), "w") as file:
        file.write("\n".join(lines) + "\n")


def shown(array):
    """A literal of the array's dtype and rank."""
    array = np.asarray(array)
    if not array.size:
        return f"zeros({', '.join(map(str, array.shape))})"
    if array.ndim == 0:
        return f"sum([{array.item()}])"
    return str(array.tolist()).lower()


def main(folder):
    questions(folder)
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
