#!/usr/bin/python3
"""Writes tests/data/complex.txt: NumPy's results for the ops that take complex numbers (the `complex` column of
ir/ops.def, and conj, angle, real, imag, square, reciprocal), and tests/data/weak_dtypes.txt: the dtype of an
array with a literal.  Run it from the root.  Made with NumPy 1.24; `sign` follows NumPy 2.

A case is a line `<text of a call> <dtype> <operands> <rows> <epsilons>` and a line per row: the parts of the
operands, then of the result, in the digits that give them back.  A real or bool result has one part.  `epsilons` is
the error to allow, of the greater part of the result.
"""
import itertools
import re
import warnings

import numpy as np

warnings.simplefilter("ignore")
np.seterr(all="ignore")
DTYPES = {"c64": np.complex64, "c128": np.complex128}
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.5, np.inf, -np.inf, np.nan]
FEW = [0.0, -0.0, 1.5, -2.0, np.inf, np.nan]


def sign(x):
    size = np.abs(x)
    out = x / size
    out.real, out.imag = x.real / size, x.imag / size
    re, im = np.isinf(x.real), np.isinf(x.imag)
    out[re] = np.sign(x.real[re])
    out[im & ~re] = 1j * np.sign(x.imag[im & ~re])
    out[im & ~re] = [complex(0, v) for v in np.sign(x.imag[im & ~re])]
    out[re & im] = complex(np.nan, np.nan)
    out[size == 0] = 0
    return out


UNARY = {"neg": np.negative, "abs": np.abs, "sign": sign, "round": np.rint, "sqrt": np.sqrt, "exp": np.exp, "log": np.log,
         "tanh": np.tanh, "sin": np.sin, "cos": np.cos, "expm1": np.expm1, "log1p": np.log1p, "exp2": np.exp2,
         "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "asinh": np.arcsinh, "acosh": np.arccosh,
         "atanh": np.arctanh, "log2": np.log2, "log10": np.log10, "tan": np.tan, "sinh": np.sinh, "cosh": np.cosh, "conj": np.conj,
         "angle": np.angle, "real": np.real, "imag": np.imag, "square": np.square, "isnan": np.isnan,
         "isinf": np.isinf, "isfinite": np.isfinite, "bool": lambda x: x.astype(bool)}
BINARY = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "eq": np.equal, "ne": np.not_equal,
          "pow": np.power}
EXACT = {"neg", "round", "conj", "real", "imag", "add", "sub", "eq", "ne", "isnan", "isinf", "isfinite", "bool"}
# Where the C library is not what Annex G asks for, or NumPy not what it says of itself, only finite operands count.
# Of a NaN the standard leaves much open; infinities, zeros and both sides of the branch cuts count.
NUMBERS = {"asin", "acos", "atan", "asinh", "acosh", "atanh"}
FINITE = {"expm1", "log1p", "exp2", "log2", "log10", "pow", "square"}


def spelled(value):
    return str(int(value)) if isinstance(value, np.bool_) else str(value).removesuffix(".0")


def parts(column):
    return [column.real, column.imag] if np.iscomplexobj(column) else [column]


def combined(pairs, dtype):
    out = np.zeros(len(pairs), dtype)
    out.real, out.imag = [p[0] for p in pairs], [p[1] for p in pairs]
    return out


def operands_of(name, arity, dtype):
    own = np.random.default_rng(len(name) + arity)
    small = own.standard_normal((40, 2)) * 10.0 ** own.integers(-3, 2, (40, 2))
    if arity == 1:
        far = [(300, 0.5), (-300, 0.5), (0.5, 30), (-0.5, 600), (1, 1e-9), (1e-9, 1), (1e30, 1e25), (1e-30, 1e-28)]
        far += [(710, 1.2), (89, 1.2), (-3, 400)] if name in ("exp", "sinh", "cosh", "sin", "cos", "tanh", "tan") else []
        grid = list(itertools.product(SPECIAL, SPECIAL)) + list(map(tuple, small)) + far
        columns = [combined(grid, dtype)]
    else:
        few = combined(list(itertools.product(FEW, FEW)), dtype)
        rows = [(x, y) for i, x in enumerate(few) for y in few[i % 6::6]]
        other = combined(list(own.standard_normal((40, 2)) * 3), dtype)
        rows += list(zip(combined(list(map(tuple, small)), dtype), other))
        columns = [np.array([row[k] for row in rows], dtype) for k in range(2)]
    if name in NUMBERS:
        cuts = [(v, z) for v in (1.5, -1.5, 1 - 1e-7, 1 + 1e-7, -1 - 1e-7, 3e5, -1e-5) for z in (0.0, -0.0, 1e-6, -1e-6)]
        columns = [np.concatenate([columns[0], combined(cuts, dtype), combined([c[::-1] for c in cuts], dtype)])]
        columns = [columns[0][~np.isnan(columns[0])]]
    if name in FINITE:
        keep = np.all([np.isfinite(c) for c in columns], axis=0)
        if name == "log1p":
            keep &= np.abs(columns[0]) > 1e-20
        if name == "exp2":
            keep &= np.abs(columns[0]) < 20
        if name == "pow":  # a power of zero is decided case by case in NumPy, and tested in tests/lang
            keep &= (columns[0] != 0) & (columns[1] != 0)
        columns = [c[keep] for c in columns]
    return columns


def write_cases(out):
    for (name, function), dtype in itertools.product([*UNARY.items(), *BINARY.items()], DTYPES):
        columns = operands_of(name, 1 if name in UNARY else 2, DTYPES[dtype])
        result = function(*columns)
        epsilons = 0 if name in EXACT else 40 if name == "pow" else 16 if name == "exp2" else 8
        if name in ("log1p", "expm1", "exp2", "log2", "log10", "pow"):  # the wide result, rounded, is the better truth
            wide = function(*[c.astype(np.clongdouble) for c in columns])
            result = wide.astype(result.dtype)
        out.write(f"{name} {dtype} {len(columns)} {len(result)} {epsilons}\n")
        for row in zip(*itertools.chain(*map(parts, columns)), *parts(result)):
            out.write(" ".join(map(spelled, row)) + "\n")


def write_weak(out):
    names = {"bool": np.bool_, "f16": np.float16, "f32": np.float32, "f64": np.float64, **DTYPES}
    names |= {p + str(b): np.dtype(("u" if p == "u" else "") + "int" + str(b)).type for p in "ui" for b in (8, 16, 32, 64)}
    kinds = {np.dtype(kind).name: name for name, kind in names.items()}
    literals = {"2": 2, "2.5": 2.5, "2.5j": 2.5j}
    for (name, kind), (text, value), op in itertools.product(names.items(), literals.items(), "+*-/"):
        result = kinds[eval(f"np.zeros(1, kind) {op} value", {"np": np, "kind": kind, "value": value}).dtype.name]
        if not (kind is np.bool_ and op == "-"):
            out.write(f"zeros(1, dtype={name}) {op} {text}\t{result}[1]\n")
            out.write(f"{text} {op} zeros(1, dtype={name})\t{result}[1]\n")
    for op in "+*-/":  # as ml_dtypes has it
        out.write(f"zeros(1, dtype=bf16) {op} 2.5j\tc64[1]\n")


with open("tests/data/complex.txt", "w", encoding="ascii") as file:
    write_cases(file)
with open("tests/data/weak_dtypes.txt", "w", encoding="ascii") as file:
    write_weak(file)
