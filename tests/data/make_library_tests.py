#!/usr/bin/python3
"""Writes tests/lang/library/*.gmx: calls of the array library with what NumPy prints for the same expression.

Run it from the root after adding a case.  A case is a GMX expression, or a pair of it and the NumPy expression where
the two are spelled differently; both see the same tensors (SETUP).  Floats are printed with NumPy's 8 digits."""
import itertools
import math
import os
import random
import warnings

import numpy as np

warnings.simplefilter("ignore")
np.seterr(all="ignore")
SETUP = {
    "a": "[[1.0, 5.0, 3.0], [4.0, 2.0, 6.0]]",
    "b": "[[2.0, -1.0, 0.5], [1.5, 3.0, -2.0]]",
    "v": "[3.0, 1.0, 2.0, 5.0]",
    "w": "[0.5, -1.5, 2.5, 1.0]",
    "n": "[3, 1, 2, 3, 0, 1]",
    "m": "[[7, 8, 9], [1, 2, 3]]",
    "c": "[[[1, 2], [3, 4], [5, 6]], [[9, 8], [7, 6], [5, 4]]]",
    "x": "[2.5, nan, -1.0, 2.5, inf, -inf, nan, 0.0]",
    "e": "zeros((0,))",
    "z": "zeros((2, 0))",
    "t": "[true, false, true]",
}
SYMBOLS = {"nan": math.nan, "inf": math.inf, "true": True, "false": False, "pi": math.pi}
NAMES = {
    "concat": np.concatenate, "flatten": np.ravel, "permute_dims": np.transpose, "norm": np.linalg.norm, "cummax": np.maximum.accumulate,
    "cummin": np.minimum.accumulate, "f32": np.float32, "f16": np.float16, "i32": np.int32, "i64": np.int64, "u8": np.uint8,
    "i8": np.int8, "f64": np.float64, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "asinh": np.arcsinh,
    "acosh": np.arccosh, "atanh": np.arctanh, "atan2": np.arctan2,
    "logsumexp": lambda x, axis=None, keepdims=False: np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims)),
    "vecdot": lambda a, b, axis=-1: np.sum(a * b, axis=axis), "trapezoid": np.trapz,
}
# "i32" of a tensor converts it
for name in ["f32", "f16", "i32", "i64", "u8", "i8", "f64"]:
    NAMES[name] = (lambda kind: lambda value: np.asarray(value).astype(kind)[()])(NAMES[name])

GROUPS = {
    "make": [
        "diag([1, 2, 3])", "diag([1.0, 2.0], k=1)", "diag([1.0, 2.0], k=-2)", "diag(a)", "diag(a, k=1)", "diag(a, k=-1)", "diag(a, k=7)",
        "diagonal(c)", "diagonal(c, offset=1, axis1=1, axis2=2)", "diagflat(m)", "tril(a)", "triu(a, k=1)", "tril(c, k=-1)", "tri(3)", "tri(2, 4, k=1)",
        "zeros_like(m)", "ones_like(a)", "full_like(m, 7)", ("zeros_like(m, dtype=f32)", "np.zeros_like(m, dtype=np.float32)"),
        "linspace(0, 1, 5)", "linspace(2.0, 3.0, 1)", "logspace(0, 2, 3)", "geomspace(1, 8, 4)", "vander([1, 2, 3])", "vander([1.0, 2.0], 3, increasing=true)",
        "trace(a)", "trace(a, offset=1)", "trace(c)", "eye(2, 3, k=1)",
    ],
    "shape": [
        "moveaxis(c, 0, -1)", "moveaxis(c, (0, 1), (1, 2))", "squeeze(a[None, :, None])", "squeeze(a[None], axis=0)", "expand_dims(v, 0)", "expand_dims(v, (0, 2))",
        "flatten(c)", "ravel(m)", "flip(a)", "flip(a, axis=0)", "flip(c, axis=(0, -1))", "fliplr(a)", "flipud(a)", "rot90(a)", "rot90(a, 2)", "rot90(a, 3)", "rot90(a, -1)",
        "roll(v, 1)", "roll(v, -1)", "roll(v, 9)", "roll(a, 1)", "roll(a, 1, axis=1)", "roll(a, (1, 2), axis=(0, 1))", "roll(e, 1)",
        "tile(v, 2)", "tile(v, (2, 1))", "tile(a, 2)", "tile(c, (1, 2, 1, 1))", "tile(e, 3)", "tile(v, 0)",
        "repeat(v, 2)", "repeat(a, 2)", "repeat(a, 2, axis=0)", "repeat(a, 3, axis=-1)", "repeat(v, [1, 0, 2, 1])", "repeat(a, [2, 1], axis=0)", "repeat(v, 0)",
        "split(v, 2)[1]", "split(a, 3, axis=1)[2]", "split(v, [1, 3])[1]", "split(v, (2, -1))[1]", "split(v, [3, 1])[1]", "split(v, [2, 9])[2]",
        "append(v, [9.0])", "append(a, b, axis=0)", "hstack((v, v))", "hstack((a, b))", "swapaxes(c, 0, 2)", "concat((a, b), axis=1)", "stack([v, v], axis=1)",
    ],
    "pad": [
        "pad(v, 2)", "pad(v, (1, 2))", "pad(a, ((1, 0), (0, 2)))", "pad(v, 1, constant_values=9)", "pad(v, 1, constant_values=(8, 9))", "pad(a, 1, constant_values=((1, 2), (3, 4)))",
        "pad(a, ((1, 1),))", "pad(n, 1)", "pad(e, 2)", "pad(z, 1)", "pad(v, 0)",
        *[f"pad({x}, {width}, mode=\"{mode}\")" for mode in ("edge", "reflect", "symmetric", "wrap", "maximum", "minimum", "mean", "median", "linear_ramp")
          for x, width in (("v", 3), ("a", 1), ("m", "((0, 2), (1, 0))"))],
        'pad(v, 9, mode="reflect")', 'pad(v, 9, mode="symmetric")', 'pad([4.0], 2, mode="reflect")',
        'pad(v, 2, mode="linear_ramp", end_values=10)',
    ],
    "elementwise": [
        "exp2(v)", "log2(v)", "log10(v)", "cbrt(w)", "tan(w)", "arcsin(w / 3)", "asin(w / 3)", "arccos(w / 3)", "acos(w / 3)", "arctan(w)", "atan(w)", "sinh(w)", "cosh(w)",
        "arcsinh(w)", "asinh(w)", "arccosh(v)", "acosh(v)", "arctanh(w / 3)", "atanh(w / 3)", "arctan2(v, w)", "atan2(v, w)", "hypot(v, w)", "copysign(v, w)", "fmod(w, 2)", "fmod(-7, 3)", "fmod([-7, 7], [3, -3])",
        "isnan(x)", "isinf(x)", "isfinite(x)", "isposinf(x)", "isneginf(x)", "isnan(n)", "isfinite(n)", "isinf(n)", "signbit(x)", "signbit([0.0, -0.0])", "nan_to_num(x)", "nan_to_num(x, nan=1.0, posinf=2.0, neginf=3.0)", "nan_to_num(f32(x))", "nan_to_num(n)",
        "fmax(x, 1.0)", "fmin(x, 1.0)", "divmod(7, 3)[0]", "divmod([7, -7], 3)[1]", "float_power([2, 3], -1)", "heaviside(x, 0.5)", "logaddexp(v, w)", "logaddexp(-1e9, -1e9)", "logaddexp(inf, inf)", "logaddexp2(v, w)", "sinc(w)", "sinc([0.0, 1.0])",
        "modf(w)[0]", "modf(w)[1]", "ldexp(v, [1, 2, 3, 4])", "bitwise_not(n)", "bitwise_not(t)", "bitwise_and(n, 1)", "bitwise_or(n, 4)", "bitwise_xor(n, 1)", "left_shift(n, 2)", "right_shift(n, 1)", "logical_xor(t, [true, true, false])", "logical_and(n, 1)", "logical_or(n, 0)", "logical_not(n)",
        "clip(v, 2, 3)", "clip(v, None, 2)", "clip(n, 1, 2)", "square(n)", "reciprocal(v)", "rint(w)", "sign(w)", "trunc(w)", "expm1(w)", "log1p(v)", "degrees(v)", "radians(v)", "deg2rad(v)", "rad2deg(v)", "angle(w)", "real(w)", "conj(w)", "imag(w)",
        "isclose(v, v + 1e-9)", "isclose(x, x)", "isclose(x, x, equal_nan=true)", "allclose(v, v)", "array_equal(v, w)", "maximum(x, 0.0)", "minimum(x, 0.0)", "power(v, 2)", "positive(w)", "negative(w)", "absolute(w)", "remainder(w, 2)", "floor_divide(w, 2)", "true_divide(n, 2)", "fabs(w)", "invert(n)", "around(w * 1.2345, 2)", "around(v)",
    ],
    "reduce": [
        "std(a)", "std(a, axis=0)", "std(a, axis=1, ddof=1)", "var(a)", "var(a, axis=0, keepdims=true)", "var(a, ddof=1)", "var(n)", "var([4.0], ddof=1)", "std(c, axis=(0, 2))", "var(f32(a), axis=1)",
        "norm(v)", "norm(a)", "norm(v, ord=1)", "norm(v, ord=inf)", "norm(w, ord=-inf)", "norm(w, ord=0)", "norm(w, ord=3)", "norm(a, axis=1)", "norm(a, axis=0, keepdims=true)", "norm(a, ord=1)", "norm(a, ord=-1)", "norm(a, ord=inf)", "norm(a, ord=-inf)", 'norm(b, ord="fro")', "norm(n)", "norm(a, ord=1, axis=1)", "norm(c, axis=(1, 2))", "norm(c, ord=1, axis=(1, 2))",
        "logsumexp(v)", "logsumexp(a, axis=0)", "logsumexp(a, axis=1, keepdims=true)",
        "median(v)", "median(a)", "median(a, axis=0)", "median(a, axis=1, keepdims=true)", "median(c, axis=(0, 1))", "median(x)", "median(n)", "median(f32(v))",
        "quantile(v, 0.3)", "quantile(a, 0.5, axis=1)", "quantile(v, [0.1, 0.9])", "quantile(a, [0.0, 0.25, 1.0], axis=0)", "quantile(x, 0.5)", "percentile(v, 40)", "percentile(a, [10, 50], axis=1)", "quantile(n, 0.7)", "quantile(c, 0.4, axis=(0, 2))", "quantile(a, 0.4, axis=0, keepdims=true)",
        *[f'quantile(v, {q}, method="{method}")' for method in ("lower", "higher", "nearest", "midpoint") for q in (0.3, 0.5, 1.0)],
        "cov(a)", "cov(v)", "cov(a, rowvar=false)", "cov(a, bias=true)", "cov(a, ddof=0)", "cov(v, w)", "corrcoef(a)", "corrcoef(v, w)", "corrcoef(a, rowvar=false)",
        "average(a)", "average(v, weights=w)", "average(a, axis=1, weights=b)", "ptp(a)", "ptp(a, axis=0)", "ptp(n)",
    ],
    "scan": [
        *[f"{f}({x})" for f in ("cumsum", "cumprod") for x in ("v", "a", "a, axis=0", "a, axis=1", "c, axis=1", "n", "t", "f32(v)", "f16(v)", "u8(n)", "e", "z, axis=1", "x")],
        *[f"{f}({x})" for f in ("cummax", "cummin") for x in ("v", "n", "a, axis=1", "a.T, axis=0", "c, axis=2")], "cummax(x[:5])",
        "cumsum(a.T, axis=0)", "cumsum(a[:, ::-1], axis=1)", "cumsum(c, axis=-1)", ("cumsum(n, dtype=f32)", "np.cumsum(n, dtype=np.float32)"),
        "diff(v)", "diff(a)", "diff(a, axis=0)", "diff(v, n=2)", "diff(v, n=0)", "diff(v, n=5)", "diff(t)", "diff(n)", "trapezoid(v)", "trapezoid(v, dx=0.5)", "trapezoid(a, axis=0)", "trapezoid(v, x=[0.0, 1.0, 3.0, 4.0])",
    ],
    "sort": [
        "sort(v)", "sort(x)", "sort(a)", "sort(a, axis=0)", "sort(a, axis=None)", "sort(c, axis=1)", "sort(n)", "sort(t)", "sort(i8([3, -128, 127, -1]))", "sort(u8([3, 255, 0]))", "sort(f16(w))", "sort(f32(x))", "sort(e)", "sort(z, axis=1)", "sort(a.T)", "sort(a[:, ::-1])",
        'argsort(v)', ('argsort(n)', 'np.argsort(n, kind="stable")'), ('argsort(x)', 'np.argsort(x, kind="stable")'), "argsort(a, axis=0)", "argsort(a, axis=None)", "argsort(c, axis=1)", ('argsort([0.0, -0.0, 0.0])', 'np.arange(3)'), "argsort(e)",
        ("sort(v, descending=true)", "np.sort(v)[::-1]"), ("argsort(n, descending=true)", "np.array([0, 3, 2, 1, 5, 4])"),
        ("sort((arange(300) * 7919) % 1000)[::37]", "np.sort((np.arange(300) * 7919) % 1000)[::37]"), ("argsort((arange(300) * 7919) % 100)[::37]", 'np.argsort((np.arange(300) * 7919) % 100, kind="stable")[::37]'),
        ("sort(sin(f64(arange(1000))))[::123]", "np.sort(np.sin(np.arange(1000.0)))[::123]"), ("sort(reshape((arange(6000) * 7919) % 6007, (60, 100)), axis=0)[::20, ::30]", "np.sort(np.reshape((np.arange(6000) * 7919) % 6007, (60, 100)), axis=0)[::20, ::30]"),
        ("topk(v, 2)[0]", "np.array([5.0, 3.0])"), ("topk(v, 2)[1]", "np.array([3, 0])"), ("topk(v, 2, largest=false)[0]", "np.array([1.0, 2.0])"), ("topk(a, 1, axis=0)[0]", "np.array([[4.0, 5.0, 6.0]])"), ("topk(a, 1, axis=0)[1]", "np.array([[1, 0, 1]])"), ("topk(a, 2)[1]", "np.array([[1, 2], [2, 0]])"),
        "partition(v, 2)[2]",
    ],
    "search": [
        "unique(n)", "unique(x)", "unique(m)", "unique(t)", "unique(e)", "unique(f32(v))", *[f"unique({x}, return_index=true)[1]" for x in ("n", "x", "e")], *[f"unique({x}, return_counts=true)[1]" for x in ("n", "x", "e")],
        ("unique(n, return_inverse=true)[1]", "np.unique(n, return_inverse=True)[1]"), ("unique(m, return_inverse=true)[1]", "np.unique(m, return_inverse=True)[1].reshape(2, 3)"),
        *[f"unique(n, return_index=true, return_inverse=true, return_counts=true)[{k}]" for k in range(4)],
        "searchsorted([1, 3, 5], [0, 1, 2, 5, 9])", 'searchsorted([1, 3, 5], [0, 1, 2, 5, 9], side="right")', "searchsorted([1.0, 2.0, nan], [nan, 1.5])", "searchsorted([1, 2], 1.5)", "searchsorted(e, v)", "searchsorted([1, 3], m)", "searchsorted([-0.0], 0.0)",
        "bincount(n)", "bincount(n, minlength=6)", "bincount(n, weights=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])", "bincount(i64(e))", "bincount(u8(n))",
        ("searchsorted(f64(arange(500)) / 3, sin(f64(arange(400)) * 7) * 200)[::41]", "np.searchsorted(np.arange(500) / 3, np.sin(np.arange(400) * 7.0) * 200)[::41]"),
        ('searchsorted(arange(500) // 3, (arange(400) * 77) % 200, side="right")[::41]', 'np.searchsorted(np.arange(500) // 3, (np.arange(400) * 77) % 200, side="right")[::41]'),
        ('searchsorted(arange(500) // 20, arange(400) // 10)[::41]', 'np.searchsorted(np.arange(500) // 20, np.arange(400) // 10)[::41]'),
        *[f"histogram({x})[{k}]" for x in ("v", "v, bins=3", "a, bins=4", "v, bins=[0.0, 2.0, 3.0, 9.0]", "n, bins=3", "v, bins=2, range=(1.5, 4.0)", "v, bins=4, density=true", "e, bins=2", "[2.0, 2.0], bins=2") for k in (0, 1)],
        "digitize(v, [1.0, 2.5, 4.0])", "digitize(v, [1.0, 2.5, 5.0], right=true)", "isin(n, [1, 3])", "isin(m, [9])", "isin(n, i64(e))",
        "take(v, [0, -1])", "take(a, [2, 0], axis=1)", "take(a, 4)", "take(c, [[0, 1], [1, 0]], axis=0)",
    ],
    "products": [
        "dot(v, w)", "dot(a, b.T)", "dot(a, [1.0, 2.0, 3.0])", "dot(2.0, v)", "dot(c, [[1, 2], [3, 4]])", "dot(a, reshape(arange(24), (2, 3, 4)))", "outer(v, w)", "outer(a, v)", "kron(a, b)", "kron(v, a)", "kron([[1, 2]], [[3], [4]])", "kron(2.0, v)",
        "matmul(a, b.T)", "tensordot(a, b, axes=2)", "tensordot(a, b.T, axes=1)", "tensordot(v, w, axes=0)", "tensordot(a, b, axes=((0,), (0,)))", "tensordot(c, c, axes=((0, 1), (0, 1)))", "tensordot(c, c, axes=((1, 0), (1, 0)))", "tensordot(c, [[1, 2, 3], [4, 5, 6]], axes=([1], [1]))", "tensordot(a, b, axes=([1, 0], [1, 0]))",
        "cross([1, 2, 3], [4, 5, 6])", "cross(a, b)", "cross(a.T, b.T, axis=0)", "cross(a, [1.0, 0.0, 0.0])", "vecdot(a, b)", "vecdot(a, b, axis=0)", "vdot(a, b)", "inner(v, w)", "inner(a, b)", "inner(c, [1, 2])", "dot(e, e)", "dot(z, zeros((0, 3)))",
    ],
}


def einsum_cases():
    cases = [
        ("ii", [(3, 3)]), ("ii->i", [(3, 3)]), ("ij->ji", [(2, 3)]), ("ij->", [(2, 3)]), ("ij->j", [(2, 3)]), ("ij", [(2, 3)]), ("ji", [(2, 3)]), ("i,i", [(3,), (3,)]), ("i,i->i", [(3,), (3,)]),
        ("i,j->ij", [(2,), (3,)]), ("i,j->ji", [(2,), (3,)]), ("i,j", [(2,), (3,)]), ("i,j->", [(2,), (3,)]), ("ij,jk->ik", [(2, 3), (3, 4)]), ("ij,jk", [(2, 3), (3, 4)]), ("ij,jk->ki", [(2, 3), (3, 4)]),
        ("ij,kj->ik", [(2, 3), (4, 3)]), ("ji,jk->ik", [(3, 2), (3, 4)]), ("ij,jk->", [(2, 3), (3, 4)]), ("ij,jk->i", [(2, 3), (3, 4)]), ("ij,j->i", [(2, 3), (3,)]), ("i,ij->j", [(2,), (2, 3)]),
        ("bij,bjk->bik", [(2, 2, 3), (2, 3, 2)]), ("bij,bkj->bik", [(2, 2, 3), (2, 2, 3)]), ("bij,jk->bik", [(2, 2, 3), (3, 2)]), ("ijk,jil->kl", [(2, 3, 2), (3, 2, 4)]), ("ijk,ijk->", [(2, 3, 2)] * 2), ("ijk,ijk->k", [(2, 3, 2)] * 2),
        ("bi,bi->b", [(2, 3)] * 2), ("bi,bj->bij", [(2, 2), (2, 3)]), ("ik,jk,lk->ijl", [(2, 3), (2, 3), (2, 3)]), ("ij,jk,kl->il", [(2, 3), (3, 2), (2, 3)]), ("ij,jk,kl,lm->im", [(2, 3), (3, 4), (4, 2), (2, 2)]),
        ("ij,jk,ki->", [(2, 3), (3, 4), (4, 2)]), ("i,j,k->ijk", [(2,), (2,), (2,)]), ("i,ij,j->", [(2,), (2, 3), (3,)]), ("iij->j", [(2, 2, 3)]), ("iijj->ij", [(2, 2, 3, 3)]), ("iii->i", [(3, 3, 3)]), ("iji->ij", [(2, 3, 2)]),
        ("ii,ij->j", [(2, 2), (2, 3)]), ("iij,jk->ik", [(2, 2, 3), (3, 2)]), ("...ij,...jk->...ik", [(2, 2, 3), (2, 3, 2)]), ("...ij,...jk->...ik", [(2, 1, 2, 3), (2, 3, 2)]), ("...ij,jk", [(2, 2, 3), (3, 2)]), ("...i->...", [(2, 2, 3)]),
        ("...->...", [(2, 3)]), ("i...->...", [(2, 3)]), ("...i,...i->...", [(2, 3), (3,)]), ("i...j->j...i", [(2, 3, 2)]), ("...,...", [(2, 3), (2, 3)]), ("ij...,j...->i...", [(2, 3, 2), (3, 2)]), (" ij , jk -> ik ", [(2, 3), (3, 2)]),
        ("ij,ij->ij", [(2, 1), (2, 3)]), ("Ab,bC->AC", [(2, 3), (3, 2)]), ("bA", [(2, 3)]), ("ij,jk->ik", [(2, 0), (0, 3)]), ("ij,jk->ik", [(0, 2), (2, 3)]), ("i->", [(0,)]), (",i->i", [(), (3,)]), ("->", [()]),
        ("bhqd,bhkd->bhqk", [(2, 2, 2, 3), (2, 2, 3, 3)]), ("abcd,efcd->abef", [(2, 1, 2, 2), (1, 2, 2, 2)]), ("abc,cd,def->abef", [(1, 2, 2), (2, 3), (3, 2, 1)]), ("ab,bc,cd,de,ef->af", [(2, 2)] * 5), ("ij,j,ji->i", [(2, 3), (3,), (3, 2)]),
    ]
    for number, (text, shapes) in enumerate(cases):
        names, values = [], {}
        for k, shape in enumerate(shapes):
            size = int(np.prod(shape))
            names.append(f"reshape((arange({size}) * {3 + 2 * k + number}) % 7 - 2, {shape})" if shape else f"{k + 3}")
        yield f'einsum("{text}", {", ".join(names)})'


GROUPS["einsum"] = list(einsum_cases())


class Names(dict):
    def __missing__(self, name):
        return SYMBOLS.get(name, NAMES.get(name)) if name in SYMBOLS or name in NAMES else getattr(np, name)


def evaluate(text, scope):
    scope = Names(scope)
    scope["np"] = np
    scope["__builtins__"] = {"True": True, "False": False, "None": None}
    return eval(text, scope)  # names that are not here are NumPy's


class AsArray(Names):
    pass


def main():
    scope = {}
    for name, text in SETUP.items():
        scope[name] = np.array(evaluate(text.replace("zeros(", "np.zeros("), {}))
    os.makedirs("tests/lang/library", exist_ok=True)
    for group, cases in GROUPS.items():
        lines = [f"# Written by tests/data/make_library_tests.py: expected is what NumPy prints.", *[f"let {n} = {t}" for n, t in SETUP.items()]]
        for one in cases:
            text, numpy_text = one if isinstance(one, tuple) else (one, one)
            result = evaluate(numpy_text, scope)
            if isinstance(result, (float, np.floating)) and np.isfinite(result):
                text, shown = f"round(1e6 * {text})", str(float(np.round(1e6 * result)))
            elif isinstance(result, (bool, np.bool_)):
                shown = str(bool(result))
            elif isinstance(result, (tuple, list)):
                shown = ", ".join(str(r) for r in result)
            else:
                shown = str(np.asarray(result) + 0 if np.asarray(result).dtype.kind == "f" else np.asarray(result))
            if shown == "":
                continue
            first, *rest = shown.split("\n")
            lines.append(f"print({text})  # expect: {first}")
            lines += [f"# expect: {line}" for line in rest]
        with open(f"tests/lang/library/{group}.gmx", "w", encoding="utf-8") as out:
            out.write("\n".join(lines) + "\n")


main()
