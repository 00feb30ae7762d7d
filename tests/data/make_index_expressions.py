#!/usr/bin/python3
"""Writes tests/lang/index_expressions/values_*.gmx: index expressions whose values NumPy computes.

    make_index_expressions.py FOLDER

Each case is a GMX expression and a Python one over the same arrays; comprehensions on the Python side are plain
loops, so that nothing is shared with how GMX computes them.
"""
import os
import sys

import numpy as np

# name, GMX, NumPy
ARRAYS = [
    ("v", "arange(5) * 10", np.arange(5) * 10),
    ("w", "arange(4.0) - 1.5", np.arange(4.0) - 1.5),
    ("u", "f32([1, 2, 3, 4, 5])", np.arange(1, 6, dtype=np.float32)),
    ("a", "arange(6.0).reshape(2, 3)", np.arange(6.0).reshape(2, 3)),
    ("b", "arange(12.0).reshape(3, 4)", np.arange(12.0).reshape(3, 4)),
    ("c", "f32(arange(6).reshape(3, 2))", np.arange(6, dtype=np.float32).reshape(3, 2)),
    ("g", "(arange(20) * 7 % 11).reshape(4, 5)", (np.arange(20) * 7 % 11).reshape(4, 5)),
    ("t", "arange(24.0).reshape(2, 3, 4)", np.arange(24.0).reshape(2, 3, 4)),
    ("s", "arange(24.0).reshape(2, 4, 3) - 7", np.arange(24.0).reshape(2, 4, 3) - 7),
    ("q", "[3, 0, 2]", np.array([3, 0, 2])),
    ("m", "[1, 4, -2]", np.array([1, 4, -2])),
    ("e", "zeros(0)", np.zeros(0)),
]
R = range


def A(values):
    return np.array(values)


CASES = {
    "plain": [
        ("[i for i in 0..4]", lambda v, **_: np.arange(4)),
        ("[i * 10 + j for i in 1..3, j in -2..1]", lambda **_: A([[i * 10 + j for j in R(-2, 1)] for i in R(1, 3)])),
        ("[v[i] * w[j] for i, j]", lambda v, w, **_: np.outer(v, w)),
        ("[a[i, j] for j, i]", lambda a, **_: a.T),
        ("[a[i] for i]", lambda a, **_: a),
        ("[t[i, :, j] for j, i]", lambda t, **_: t.transpose(2, 0, 1)),
        ("[a[i] * b[:, j][0] for i, j]", lambda a, b, **_: A([[a[i] * b[0, j] for j in R(4)] for i in R(2)])),
        ("[u[i] / 2 for i]", lambda u, **_: u / 2),
        ("[u[i] / i for i in 1..4]", lambda u, **_: A([u[i] / np.float32(i) for i in R(1, 4)])),
        ("[i / 4 for i in 0..3]", lambda **_: np.arange(3) / 4),
        ("[7 for i in 0..2, j in 0..3]", lambda **_: np.full((2, 3), 7)),
        ("[v for i in 0..2]", lambda v, **_: A([v, v])),
        ("[sqrt(v[i]) + exp(w[i]) for i in 0..4]", lambda v, w, **_: np.sqrt(v[:4]) + np.exp(w)),
        ("[where(i % 2 == 0, v[i], -1) for i]", lambda v, **_: np.where(np.arange(5) % 2 == 0, v, -1)),
        ("[if i > 2 { v[i - 1] } else { -v[i] } for i in 0..5]",
         lambda v, **_: A([v[i - 1] if i > 2 else -v[i] for i in R(5)])),
        ("[g[i, i] for i in 0..4]", lambda g, **_: np.diag(g)),
        ("[(v[i] > 10) and (v[i] < 40) for i]", lambda v, **_: (v > 10) & (v < 40)),
        ("[f32(i) for i in 0..3]", lambda **_: np.arange(3, dtype=np.float32)),
        ("[v[i] for i in 3..3]", lambda v, **_: v[3:3]),
        ("[e[i] * w[j] for i, j]", lambda **_: np.zeros((0, 4))),
        ("[v[i] for i in 4..2]", lambda v, **_: v[:0]),
        ("[[v[i], i] for i]", lambda v, **_: A([[v[i], i] for i in R(5)])),
        ("[x + 1 for x in 0..3]", lambda **_: np.arange(3) + 1),
        ("[a.T[i, j] - a[j, i] for i, j]", lambda **_: np.zeros((3, 2))),
        ("[(2 * a[i])[j] for i, j]", lambda a, **_: 2 * a),
    ],
    "affine": [
        ("[v[i + 1] - v[i] for i in 0..4]", lambda v, **_: np.diff(v)),
        ("[v[4 - i] for i in 0..5]", lambda v, **_: v[::-1]),
        ("[v[2 * i] for i in 0..3]", lambda v, **_: v[::2]),
        ("[v[2 * i + 1] for i in 0..2]", lambda v, **_: v[1::2]),
        ("[v[i - 1] for i in 1..5]", lambda v, **_: v[:-1]),
        ("[v[i + j] for i in 0..3, j in 0..3]", lambda v, **_: A([[v[i + j] for j in R(3)] for i in R(3)])),
        ("[v[4 - i - j] for i in 0..2, j in 0..3]", lambda v, **_: A([[v[4 - i - j] for j in R(3)] for i in R(2)])),
        ("[b[i, i + 1] for i in 0..3]", lambda b, **_: np.diag(b, 1)),
        ("[b[i + 1, 2 * j] for j in 0..2, i in 0..2]", lambda b, **_: b[1:, ::2].T),
        ("[g[1:, j + 1][i] for i, j in 0..4]", lambda g, **_: g[1:, 1:]),
        ("[g[::-1][i][j + 1] for i, j in 0..4]", lambda g, **_: g[::-1, 1:]),
        ("[v[i // 2] for i in 0..6]", lambda v, **_: v[[0, 0, 1, 1, 2, 2]]),
        ("[v[i % 3] for i in 0..6]", lambda v, **_: v[[0, 1, 2, 0, 1, 2]]),
        ("[b[i % 3, i // 2] for i in 0..6]", lambda b, **_: A([b[i % 3, i // 2] for i in R(6)])),
        ("[max(b[i + di, j + dj] for di in 0..2, dj in 0..2) for i in 0..2, j in 0..3]",
         lambda b, **_: A([[b[i:i + 2, j:j + 2].max() for j in R(3)] for i in R(2)])),
        ("[mean(g[i + di, j + dj] for di in 0..3, dj in 0..3) for i in 0..2, j in 0..3]",
         lambda g, **_: A([[g[i:i + 3, j:j + 3].mean() for j in R(3)] for i in R(2)])),
        ("[sum(w[d] * v[i + d] for d) for i in 0..2]", lambda v, w, **_: np.correlate(v, w, "valid")),
        ("[sum(u[i + d] * u[d] for d in 0..3) for i in 0..3]",
         lambda u, **_: np.correlate(u, u[:3], "valid")),
        ("[g[i, j] - (g[i - 1, j] + g[i + 1, j] + g[i, j - 1] + g[i, j + 1]) / 4 for i in 1..3, j in 1..4]",
         lambda g, **_: g[1:3, 1:4] - (g[:2, 1:4] + g[2:4, 1:4] + g[1:3, :3] + g[1:3, 2:5]) / 4),
        ("[max(v[2 * i + d] for d in 0..2) for i in 0..2]", lambda v, **_: v[:4].reshape(2, 2).max(axis=1)),
    ],
    "indirect": [
        ("[v[q[i]] for i]", lambda v, q, **_: v[q]),
        ("[v[q[i] + 1] for i]", lambda v, q, **_: v[q + 1]),
        ("[v[m[i]] for i]", lambda v, m, **_: v[m]),
        ("[g[q[i], m[i]] for i]", lambda g, q, m, **_: g[q, m]),
        ("[g[q[i], m[j]] for j, i]", lambda g, q, m, **_: g[np.ix_(q, m)].T),
        ("[g[q[i]] for i]", lambda g, q, **_: g[q]),
        ("[g[:, q[i]] for i]", lambda g, q, **_: g[:, q].T),
        ("[g[q[i], i] for i in 0..3]", lambda g, q, **_: g[q, np.arange(3)]),
        ("[g[i, m[i]] for i in 0..3]", lambda g, m, **_: g[np.arange(3), m]),
        ("[t[i, j, q[j]] for i, j]", lambda t, q, **_: A([[t[i, j, q[j]] for j in R(3)] for i in R(2)])),
        ("[t[i, q[j] % 3, :] for j, i]", lambda t, q, **_: A([[t[i, q[j] % 3] for i in R(2)] for j in R(3)])),
        ("[v[v[v[i] // 10] // 10] for i]", lambda v, **_: v),
        ("[sum(g[q[i], j] * w[j] for j in 0..4) for i]", lambda g, q, w, **_: g[q][:, :4] @ w),
        ("[v[q][i] for i]", lambda v, q, **_: v[q]),
        ("[g[i][q] for i]", lambda g, q, **_: g[:, q]),
    ],
    "reductions": [
        ("sum(v[i] for i)", lambda v, **_: v.sum()),
        ("sum(i for i in 0..101)", lambda **_: 5050),
        ("sum(i * j for i in 0..5, j in 0..i_max)", lambda **_: sum(i * j for i in R(5) for j in R(3))),
        ("prod(i for i in 1..6)", lambda **_: 120),
        ("max(a[i, j] for i, j)", lambda a, **_: a.max()),
        ("min(w[i] for i)", lambda w, **_: w.min()),
        ("mean(v[i] for i)", lambda v, **_: v.mean()),
        ("mean(u[i] for i)", lambda u, **_: u.mean()),
        ("any(v[i] > 35 for i)", lambda v, **_: (v > 35).any()),
        ("all(v[i] > 35 for i)", lambda v, **_: (v > 35).all()),
        ("argmax(v[i] % 30 for i)", lambda v, **_: np.argmax(v % 30)),
        ("argmin(v[i] % 20 for i)", lambda v, **_: np.argmin(v % 20)),
        ("argmax(v[i] for i in 2..4)", lambda v, **_: 3),
        ("[argmax(g[i, j] % 4 for j) for i]", lambda g, **_: np.argmax(g % 4, axis=1)),
        ("[argmin(g[i, j] for i) for j]", lambda g, **_: np.argmin(g, axis=0)),
        ("sum(a[i] for i)", lambda a, **_: a.sum(axis=0)),
        ("sum(a[:, j] for j)", lambda a, **_: a.sum(axis=1)),
        ("[sum(g[i, j] for i) for j]", lambda g, **_: g.sum(axis=0)),
        ("[sum(t[i, j]) for i, j]", lambda t, **_: t.sum(axis=2)),
        ("[max(t[i], axis=0) for i]", lambda t, **_: t.max(axis=1)),
        ("sum(2 for i in 0..3)", lambda **_: 6),
        ("sum(e[i] for i)", lambda **_: 0.0),
        ("prod(e[i] for i)", lambda **_: 1.0),
        ("[sum(e[i] * w[j] for i) for j]", lambda **_: np.zeros(4)),
        ("[sum(where(j <= i, v[j], 0) for j) for i in 0..5]", lambda v, **_: np.cumsum(v)),
        ("[sum((a[i, k] - c[k, j])^2 for k) for i, j]",
         lambda a, c, **_: ((a[:, :, None] - c[None]) ** 2).sum(axis=1)),
        ("[sqrt(sum((g[i, k] - g[j, k])^2 for k)) for i, j]",
         lambda g, **_: np.sqrt(((g[:, None] - g[None]) ** 2).sum(axis=2))),
        ("max(sum(g[i, j] for j) for i)", lambda g, **_: g.sum(axis=1).max()),
        ("[max(abs(a[i, k] - b[k, j]) for k) for i, j]",
         lambda a, b, **_: np.abs(a[:, :, None] - b[None]).max(axis=1)),
        ("[softmax(b[i])[j] for i, j]",
         lambda b, **_: np.exp(b - b.max(1, keepdims=True)) / np.exp(b - b.max(1, keepdims=True)).sum(1, keepdims=True)),
        ("sum([v[i] * 2 for i])", lambda v, **_: 2 * v.sum()),
        ("[sum([v[i] * j for i]) for j in 0..3]", lambda v, **_: v.sum() * np.arange(3)),
    ],
    "contractions": [
        ("[sum(a[i, k] * b[k, j] for k) for i, j]", lambda a, b, **_: a @ b),
        ("[sum(a[i, k] * b[k, j] for k) for j, i]", lambda a, b, **_: (a @ b).T),
        ("[sum(b[k, j] * a[i, k] for k) for i, j]", lambda a, b, **_: a @ b),
        ("[sum(a[i, k] * c[k, j] for k) for i, j]", lambda a, c, **_: a @ c),
        ("[sum(a[k, i] * a[k, j] for k) for i, j]", lambda a, **_: a.T @ a),
        ("[sum(a[i, k] * a[j, k] for k) for i, j]", lambda a, **_: a @ a.T),
        ("sum(w[k] * w[k] for k)", lambda w, **_: w @ w),
        ("sum(u[k] * u[k] for k)", lambda u, **_: u @ u),
        ("[sum(b[i, k] * w[k] for k) for i]", lambda b, w, **_: b @ w),
        ("[sum(w[k] * b[i, k] for k) for i]", lambda b, w, **_: b @ w),
        ("[sum(q[i] * b[i, j] for i) for j]", lambda q, b, **_: q @ b),
        ("[sum(t[n, i, k] * s[n, k, j] for k) for n, i, j]", lambda t, s, **_: t @ s),
        ("[sum(t[n, i, k] * s[n, k, j] for k) for i, n, j]", lambda t, s, **_: (t @ s).transpose(1, 0, 2)),
        ("[sum(t[n, i, k] * s[n, k, j] for n, k) for i, j]", lambda t, s, **_: np.einsum("nik,nkj->ij", t, s)),
        ("[sum(t[n, i, k] * b[i, k] for i, k) for n]", lambda t, b, **_: np.einsum("nik,ik->n", t, b)),
        ("[sum(t[n, i, k] * w[k] for k) for n, i]", lambda t, w, **_: t @ w),
        ("[sum(t[n, i, k] * b[i, k] for k) for n, i]", lambda t, b, **_: np.einsum("nik,ik->ni", t, b)),
        ("[sum(a[n, i] * t[n, i, k] for i) for n, k]", lambda a, t, **_: np.einsum("ni,nik->nk", a, t)),
        ("[sum(a[i, k] * b[k, j] * w[j] for k) for i, j]", lambda a, b, w, **_: (a @ b) * w),
        ("[sum(a[i, k] * q[k] * b[k, j] for k) for i, j]", lambda a, q, b, **_: (a * q) @ b),
        ("[sum(0.5 * a[i, k] * b[k, j] for k) for i, j]", lambda a, b, **_: 0.5 * (a @ b)),
        ("[sum(c[i, p] * a[p, k] * b[k, j] for p, k) for i, j]", lambda a, b, c, **_: c @ a @ b),
        ("[sum(t[n, i, k] * s[m, k, j] for k) for n, i, m, j]",
         lambda t, s, **_: np.einsum("nik,mkj->nimj", t, s)),
        ("[sum(a[i, k] * b[k, j] for k, j) for i]", lambda a, b, **_: (a @ b).sum(axis=1)),
        ("[sum(a[i, k] * b[k] for k) for i]", lambda a, b, **_: a @ b),
        ("[sum((a[i, k] + 1) * (b[k, j] - 1) for k) for i, j]", lambda a, b, **_: (a + 1) @ (b - 1)),
        ("[sum(v[i] * g[j, i] for i) for j]", lambda v, g, **_: g @ v),
        ("[a[i] @ b for i]", lambda a, b, **_: a @ b),
        ("[a[i] @ b[:, j] for i, j]", lambda a, b, **_: a @ b),
        ("[t[n] @ s[n] for n]", lambda t, s, **_: t @ s),
        ("[a @ b[:, j] for j]", lambda a, b, **_: (a @ b).T),
        ("[sum(e[i] * e[i] for i)]", lambda **_: A([0.0])),
        ("[sum(e[k] * 1.0 * w[j] for k) for j]", lambda **_: np.zeros(4)),
        ("[1 + sum(a[i, k] * b[k, j] for k) / 2 for i, j]", lambda a, b, **_: 1 + (a @ b) / 2),
    ],
}


def main(folder):
    values = {name: array for name, _, array in ARRAYS}
    np.set_printoptions(linewidth=1000)
    for name, cases in CASES.items():
        lines = ["# Made by tests/data/make_index_expressions.py."]
        lines += [f"let {array} = {text}" for array, text, _ in ARRAYS]
        lines += ["let i_max = 3"]
        lines += ["fn differs(y, z) = max(abs(f64(y) - f64(z)))"]
        for number, (text, function) in enumerate(cases):
            expected = np.asarray(function(**values))
            wanted = expected.astype(np.float64).tolist()
            differs = f"differs(y{number}, {wanted}) < 1e-6" if expected.size else "0 < 1"
            lines += [f"let y{number} = {text}", f"print(y{number}.shape, {differs})"]
            lines += [f"# expect: {expected.shape} True"]
        with open(os.path.join(folder, f"values_{name}.gmx"), "w") as file:
            file.write("\n".join(lines) + "\n")


main(sys.argv[1])
