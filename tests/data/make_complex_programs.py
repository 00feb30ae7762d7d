#!/usr/bin/python3
"""Writes tests/lang/complex/numpy_*.gmx: expressions on complex tensors with what NumPy prints for them.  Run it from
the root.  Made with NumPy 1.24."""
import numpy as np

SETUP = {
    "z": ("complex([1.0, 2.0, -3.0, 0.5], [0.5, -1.0, 2.0, 0.0])", np.array([1 + 0.5j, 2 - 1j, -3 + 2j, 0.5])),
    "s": ("c64(complex([1.5, -2.0], [0.25, 4.0]))", np.array([1.5 + 0.25j, -2 + 4j], np.complex64)),
    "m": ("complex(arange(12.0), arange(12.0)[::-1]).reshape(3, 4)",
          (np.arange(12.0) + 1j * np.arange(12.0)[::-1]).reshape(3, 4)),
    "t": ("complex(arange(24.0) % 5, arange(24.0) % 3 - 1).reshape(2, 3, 4)",
          ((np.arange(24.0) % 5) + 1j * (np.arange(24.0) % 3 - 1)).reshape(2, 3, 4)),
}
SAME = {  # what both languages spell alike
    "literals": ["1 + 2j", "2.5j", "3j * 1j", "(1 + 2j) * (3 - 1j)", "1j / 2", "z * 2j + 1", "1 - z", "z / 2", "2 / z",
                 "z + 1.5", "1j * s", "s + 1", "s * 2.5", "z * s[0]"],
    "arithmetic": ["z + z", "z - m[0]", "z * m", "m / z", "-m", "z == m[0]", "z != z", "z == z[::-1]", "s * s", "s / s[::-1]",
                   "z * [True, False, True, False]", "z * [1, 2, 3, 4]"],
    "views": ["m.T", "m[1]", "m[:, ::-2]", "m[-1, 1:3]", "m.T[::2] * 1j", "m[::-1, ::-1] + m", "m[1, 2]", "m[2:, 2:] * m[:1, :2]",
              "m[None, 1]", "m[0:0]", "t.T[0]", "t[:, 1, ::3]"],
}
PAIRS = {  # (GMX, NumPy)
    "shape": [("reshape(m, 2, 6)", "m.reshape(2, 6)"), ("reshape(m.T, 2, 6) * 2", "m.T.reshape(2, 6) * 2"),
              ("transpose(t, axes=(1, 0, 2))[1]", "t.transpose(1, 0, 2)[1]"), ("concat([z, z[:1]])", "np.concatenate([z, z[:1]])"),
              ("concat([z, [1.0, 2.0]])", "np.concatenate([z, [1.0, 2.0]])"), ("stack([s, s * 1j], axis=1)", "np.stack([s, s * np.complex64(1j)], axis=1)"),
              ("m[[2, 0, 2]]", "m[[2, 0, 2]]"), ("(m * 1j)[:, [3, 0]]", "(m * 1j)[:, [3, 0]]"),
              ("z[[[0, 1], [3, 2]]]", "z[np.array([[0, 1], [3, 2]])]"), ("broadcast_to(s, (3, 2))", "np.broadcast_to(s, (3, 2))"),
              ("broadcast_to(1j, (2, 2))", "np.broadcast_to(1j, (2, 2))"), ("where(real(m) > 5, m, z)", "np.where(m.real > 5, m, z)"),
              ("where([True, False], s, 0)", "np.where([True, False], s, 0)"), ("tile(s, 2)", "np.tile(s, 2)"),
              ("roll(z, 1)", "np.roll(z, 1)"), ("diagonal(m)", "np.diagonal(m)"), ("trace(m)", "np.trace(m)"),
              ("tril(m)", "np.tril(m)"), ("outer(s, s)", "np.outer(s, s)"), ("pad(s, 1)", "np.pad(s, 1)")],
    "make": [("zeros(2, dtype=c64)", "np.zeros(2, np.complex64)"), ("ones(2, 2, dtype=c128)", "np.ones((2, 2), complex)"),
             ("full((2,), 1 - 2j)", "np.full(2, 1 - 2j)"), ("zeros_like(m[0])", "np.zeros_like(m[0])"), ("eye(2, dtype=c64)", "np.eye(2, dtype=np.complex64)"),
             ("[1 + 2j, 3, 4.5]", "np.array([1 + 2j, 3, 4.5])"), ("[[1j, 2], [3, 4]]", "np.array([[1j, 2], [3, 4]])"),
             ("c64([1, 2])", "np.array([1, 2], np.complex64)"), ("c128(s)", "s.astype(complex)"), ("c64(z)", "z.astype(np.complex64)"),
             ("f64(z)", "z.real"), ("f32(z)", "z.real.astype(np.float32)"), ("i32(z)", "z.real.astype(int)"), ("bool(m[2])", "m[2].astype(bool)"),
             ("complex(f32([1, 2]), 3)", "np.array([1 + 3j, 2 + 3j], np.complex64)"), ("linspace(0, 1 + 2j, 3)", "np.linspace(0, 1 + 2j, 3)"), ("linspace(0, 1, 3)", "np.linspace(0, 1, 3)"), ("float_power(1j, 2)", "np.float_power(1j, 2)"), ("arange(4, dtype=c64)", "np.arange(4).astype(np.complex64)")],
    "parts": [("real(m)", "m.real"), ("imag(m.T)", "m.imag.T"), ("real(z)[1:] * imag(z)[:-1]", "z.real[1:] * z.imag[:-1]"), ("conj(m[0])", "m[0].conj()"),
              ("abs(z)", "np.abs(z)"), ("angle(z)", "np.angle(z)"), ("real([1, 2])", "np.array([1, 2])"), ("imag([1.5, 2])", "np.zeros(2)"),
              ("conj([1, 2])", "np.array([1, 2])"), ("m.real + m.imag", "m.real + m.imag"), ("(1 + 2j).imag", "2.0"), ("[1.5].imag", "np.zeros(1)"), ("isreal(z)", "np.isreal(z)"), ("iscomplex(z)", "np.iscomplex(z)"), ("real(1 + 2j)", "1.0"), ("imag(1 + 2j)", "2.0")],
    "reductions": [("sum(m)", "m.sum()"), ("sum(m, axis=0)", "m.sum(axis=0)"), ("sum(m, axis=1)", "m.sum(axis=1)"), ("sum(t, axis=(0, 2))", "t.sum(axis=(0, 2))"),
                   ("sum(m.T, axis=1)", "m.T.sum(axis=1)"), ("mean(m)", "m.mean()"), ("mean(m, axis=1, keepdims=true)", "m.mean(axis=1, keepdims=True)"),
                   ("sum(s)", "s.sum()"), ("prod(z)", "z.prod()"), ("prod(m, axis=1)", "m.prod(axis=1)"), ("prod(t, axis=(0, 2))", "t.prod(axis=(0, 2))"),
                   ("prod(m[:0], axis=0)", "m[:0].prod(axis=0)"), ("prod(s)", "s.prod()"), ("sum(m[:0])", "m[:0].sum()"), ("any(m - m)", "(m - m).any()"),
                   ("all(m)", "m.all()"), ("all(t, axis=1)", "t.all(axis=1)"), ("cumsum(m, axis=0)", "m.cumsum(axis=0)"), ("cumsum(m.T, axis=1)", "m.T.cumsum(axis=1)"),
                   ("cumprod(z)", "z.cumprod()"), ("cumsum(s)", "s.cumsum()"), ("count_nonzero(t)", "np.count_nonzero(t)"), ("sum(z * z) / 2", "(z * z).sum() / 2"),
                   ("m - mean(m, axis=1, keepdims=true)", "m - m.mean(axis=1, keepdims=True)"), ("sum(abs(m), axis=1)", "np.abs(m).sum(axis=1)"),
                   ("sum([1j, 2], dtype=c64)", "np.array([1j, 2]).astype(np.complex64).sum()"), ("mean(s)", "s.mean()")],
    "products": [("m @ m.T", "m @ m.T"), ("m @ z", "m @ z"), ("z @ z", "z @ z"), ("z[:3] @ m", "z[:3] @ m"), ("conj(m) @ m.T", "m.conj() @ m.T"), ("s @ s", "s @ s"),
                 ("m @ arange(4.0)", "m @ np.arange(4.0)"), ("t @ z", "t @ z"), ("t @ m.T", "t @ m.T"), ("m[::2, ::-1] @ m[:2].T", "m[::2, ::-1] @ m[:2].T"),
                 ("m[:0] @ m.T", "m[:0] @ m.T"), ("m[:, :0] @ m.T[:0]", "m[:, :0] @ m.T[:0]"), ('einsum("ij,kj->ik", m, conj(m))', 'np.einsum("ij,kj->ik", m, m.conj())'),
                 ('einsum("ij,j->i", m, z)', 'np.einsum("ij,j->i", m, z)'), ('einsum("bij->bj", t)', 'np.einsum("bij->bj", t)'), ('einsum("i,j->ij", s, s)', 'np.einsum("i,j->ij", s, s)'),
                 ("tensordot(m, t, axes=([0, 1], [1, 2]))", "np.tensordot(m, t, axes=([0, 1], [1, 2]))"), ("vdot(z, z * 1j)", "np.vdot(z, z * 1j)"), ("vdot(m, m)", "np.vdot(m, m)"), ("vecdot(m, z)", "(m.conj() * z).sum(axis=1)"), ("inner(z, z)", "np.inner(z, z)"),
                 ("cov(m)", "np.cov(m)"), ("var(z)", "np.var(z)"), ("std(m, axis=0)", "np.std(m, axis=0)"), ("norm(z)", "np.linalg.norm(z)"), ("kron(s, s)", "np.kron(s, s)"),
                 ("[sum(m[i, k] * z[k] for k) for i in 0..3]", "m @ z")],
}


def write(name, pairs):
    scope = {key: value for key, (_, value) in SETUP.items()} | {"np": np}
    lines = [f"let {key} = {text}" for key, (text, _) in SETUP.items()]
    for gmx, numpy in pairs:
        text = str(eval(numpy, scope)).split("\n")
        lines.append(f"print({gmx})")
        lines += [f"# expect: {line}".rstrip() for line in text]
    with open(f"tests/lang/complex/numpy_{name}.gmx", "w", encoding="ascii") as out:
        out.write("\n".join(lines) + "\n")


for name, expressions in SAME.items():
    write(name, [(e.replace("True", "true").replace("False", "false"), e if name != "arithmetic" else e.replace("[True", "np.array([True").replace("False]", "False])").replace("[1, 2, 3, 4]", "np.array([1, 2, 3, 4])")) for e in expressions])
for name, pairs in PAIRS.items():
    write(name, [(g.replace("True", "true").replace("False", "false"), n) for g, n in pairs])
