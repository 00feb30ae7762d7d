#!/usr/bin/python3
"""Builds random GMX programs whose answers NumPy knows.

    make_lang_programs.py fuzz GMX [--seed N] [--count N] [--per-file N] [--flags "…"]
        runs programs, compares every result with NumPy's and prints each failure, made small
    make_lang_programs.py write GMX FOLDER
        writes programs with `# expect:` lines, a few files per feature (those of tests/lang/numpy)

A program is a chain of single operations on named values (class Node); loops, branches and functions hold
chains of their own.  Each value is known twice: `lo`, computed by NumPy in the program's dtypes, and `hi`, in
extended precision.  Where both agree a value is exact, and only then do steps (comparisons, floor, argmax, …)
take it; elsewhere their distance says how far GMX may be off.  NumPy 1.24's rules for 0-d arrays differ from
GMX's, so operands are converted explicitly.
"""
import argparse
import itertools
import os
import random
import re
import shlex
import subprocess
import sys
import tempfile
import warnings

import numpy as np

warnings.simplefilter("ignore")
np.seterr(all="ignore")
WIDE = np.longdouble
TYPES = {"bool": np.bool_, "u8": np.uint8, "i8": np.int8, "i32": np.int32, "i64": np.int64, "u64": np.uint64,
         "f16": np.float16, "f32": np.float32, "f64": np.float64}
NAMES = {np.dtype(t): n for n, t in TYPES.items()}
NAMES.update({np.dtype(t): n for n, t in {"i16": np.int16, "u16": np.uint16, "u32": np.uint32}.items()})
TYPES = {n: t.type for t, n in NAMES.items()}
INPUT_TYPES = ["bool", "u8", "i8", "i32", "i64", "u64", "f16", "f32", "f64"]
EXTENTS = [0, 1, 2, 3, 5, 16, 17, 33, 64, 100, 1000]
ELEMENTS = 6000


class Reject(Exception):
    """This operation does not suit these values; take another."""


def need(condition):
    if not condition:
        raise Reject


class Val:
    """One value: lo and hi (see above), and whether an extent of 1 is known only at run time (`dyn`)."""

    def __init__(self, lo, hi=None, dyn=False):
        self.lo = np.asarray(lo)
        if self.lo.dtype.kind == "f":
            self.hi = np.asarray(self.lo if hi is None else hi).astype(WIDE)
        else:
            self.hi = self.lo
        self.dyn = dyn

    shape = property(lambda self: self.lo.shape)
    dtype = property(lambda self: self.lo.dtype)
    kind = property(lambda self: self.lo.dtype.kind)
    name = property(lambda self: NAMES[self.lo.dtype])

    def exact(self):
        return self.kind != "f" or bool(np.all((self.lo.astype(WIDE) == self.hi) | (np.isnan(self.lo) & np.isnan(self.hi))))

    def finite(self):
        return self.kind != "f" or bool(np.all(np.isfinite(self.lo)))

    def tolerance(self):
        """How far a right answer may be from lo."""
        if self.kind != "f" or self.lo.size == 0:
            return 0.0
        fine = np.isfinite(self.lo) & np.isfinite(self.hi)
        if not fine.any():
            return 0.0
        apart = float(np.max(np.abs(self.lo[fine].astype(WIDE) - self.hi[fine])))
        return 24 * apart + 24 * float(np.finfo(self.dtype).eps) * float(np.max(np.abs(self.hi[fine])))


def as_type(v, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return v.lo.astype(dtype), v.hi.astype(WIDE) if v.kind == "f" else v.lo.astype(WIDE)
    return v.lo.astype(dtype), None


def keep(v, f, exact=False):
    """f applied to one operand, whose dtype stays."""
    need(not exact or v.exact())
    return Val(np.asarray(f(v.lo)).astype(v.dtype), f(v.hi), v.dyn)


def result_type(values):
    return np.result_type(*[v.dtype for v in values])


def apply(f, values, dtype=None, out=None):
    """f over operands converted to one dtype."""
    dtype = np.dtype(dtype or result_type(values))
    both = [as_type(v, dtype) for v in values]
    lo = f(*[b[0] for b in both])
    hi = f(*[b[1] for b in both]) if dtype.kind == "f" else None
    dyn = any(v.dyn for v in values)
    if dtype.kind == "f" and np.asarray(lo).dtype.kind == "f":
        return Val(np.asarray(lo).astype(dtype), hi, dyn)
    return Val(np.asarray(lo), None, dyn)


def float_of(values):
    t = result_type(values)
    if t.kind == "f":
        return t
    return np.sqrt(np.zeros(1, t)).dtype


def check_shapes(values):
    """Broadcasting as GMX allows it: an extent of 1 must be known."""
    if len({v.shape for v in values}) > 1:
        need(not any(v.dyn for v in values))
        try:
            need(np.prod(np.broadcast_shapes(*[v.shape for v in values])) <= ELEMENTS)
        except ValueError:
            raise Reject


class Node:
    """names = one step.  text(names of arguments) gives GMX lines; evaluate(values) gives the results."""

    def __init__(self, names, args, text, evaluate, tag=""):
        self.names, self.args, self.text, self.evaluate, self.tag = names, args, text, evaluate, tag

    def lines(self):
        t = self.text(*self.args)
        return t if isinstance(t, list) else [f"let {self.names[0]} = {t}"]

    def definitions(self):
        return getattr(self, "defined", lambda: [])()


def run_nodes(nodes, env):
    for node in nodes:
        results = node.evaluate(*[env[a] for a in node.args])
        if isinstance(results, Val):
            results = [results]
        for name, value in zip(node.names, results):
            need(value.lo.size <= 4 * ELEMENTS)
            env[name] = value
    return env


def literal(a):
    """GMX text of a small array."""
    a = np.asarray(a)
    if a.ndim == 0:
        v = a.item()
        if isinstance(v, bool):
            return "true" if v else "false"
        if isinstance(v, float):
            return "nan" if v != v else ("inf" if v > 0 else "-inf") if abs(v) == float("inf") else repr(v)
        return str(v)
    if a.size == 0:
        return f"zeros(({', '.join(map(str, a.shape))},), dtype={NAMES[a.dtype]})"
    return "[" + ", ".join(literal(x) for x in a) + "]"


def typed_literal(a):
    name = NAMES[np.asarray(a).dtype]
    if np.asarray(a).size == 0 or name == "bool":
        return literal(a)
    if name == "u64" and np.any(np.asarray(a) >= 2**63):
        raise Reject
    return f"{name}({literal(a)})"


def tup(items):
    items = list(items)
    return "(" + ", ".join(map(str, items)) + ("," if len(items) == 1 else "") + ")"


# ---- operations ---------------------------------------------------------------------------------------------


def numeric(v):
    need(v.kind in "iuf")


def op_unary(g):
    x = g.pick()
    v = g.env[x]
    name = g.r.choice(["neg", "abs", "sign", "floor", "ceil", "round", "trunc", "sqrt", "exp", "log", "tanh", "sin", "cos",
                       "relu", "sigmoid", "square", "reciprocal", "isnan", "not", "silu", "isfinite", "clip", "rsqrt"])

    def ev(v):
        fl = float_of([v])
        a = v.hi.astype(WIDE) if v.lo.size else np.zeros(1)
        if name == "neg":
            numeric(v)
            return keep(v, np.negative)
        if name == "abs":
            numeric(v)
            return keep(v, np.abs)
        if name in ("sign", "floor", "ceil", "round", "trunc"):
            numeric(v)
            need(name != "sign" or v.finite())
            if v.kind != "f" and name != "sign":
                return v
            return keep(v, {"sign": np.sign, "floor": np.floor, "ceil": np.ceil, "round": np.round, "trunc": np.trunc}[name], True)
        if name == "not":
            need(v.kind == "b")
            return Val(~v.lo.astype(bool), dyn=v.dyn)
        if name == "isnan":
            numeric(v)
            return Val(np.isnan(v.lo.astype(float)), dyn=v.dyn)
        if name == "isfinite":
            need(v.kind == "f" and v.finite())
            return Val(np.isfinite(v.lo), dyn=v.dyn)
        if name == "relu":
            numeric(v)
            return keep(v, lambda x: np.maximum(x, x.dtype.type(0)))
        if name == "clip":
            numeric(v)
            return keep(v, lambda x: np.minimum(np.maximum(x, x.dtype.type(1)), x.dtype.type(3)))
        if name == "square":
            numeric(v)
            return keep(v, lambda x: x * x)
        if name == "reciprocal":
            numeric(v)
            need(np.all(v.lo != 0))
            return apply(lambda x: 1 / x, [v], v.dtype if v.kind == "f" else np.float64)
        numeric(v)
        if name in ("exp", "sin", "cos", "sigmoid", "silu"):
            need(np.all(np.abs(a) < 10))
        if name in ("log", "rsqrt"):
            need(np.all(a > 0.1))
        if name == "sqrt":
            need(np.all(a >= 0) and (v.exact() or np.all(a > 0.1)))
        if name == "sigmoid" and v.kind != "f" or name == "silu" and v.kind != "f":
            raise Reject
        f = {"sqrt": np.sqrt, "exp": np.exp, "log": np.log, "tanh": np.tanh, "sin": np.sin, "cos": np.cos,
             "rsqrt": lambda x: 1 / np.sqrt(x), "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "silu": lambda x: x / (1 + np.exp(-x))}[name]
        if name == "rsqrt":
            need(v.kind == "f")
        return apply(f, [v], fl)

    text = {"neg": "-{}", "not": "not {}", "clip": "clip({}, 1, 3)"}.get(name, name + "({})")
    return [x], lambda a: text.format(a), ev


BINARY = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.true_divide, "//": np.floor_divide, "%": np.remainder,
          "minimum": np.minimum, "maximum": np.maximum, "==": np.equal, "!=": np.not_equal, "<": np.less, "<=": np.less_equal,
          ">": np.greater, ">=": np.greater_equal, "bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or,
          "bitwise_xor": np.bitwise_xor, "and": np.logical_and, "or": np.logical_or}


def binary(name, values):
    check_shapes(values)
    dtype = result_type(values)
    f = BINARY[name]
    step = name in ("==", "!=", "<", "<=", ">", ">=", "//", "%", "and", "or")
    need(not step or all(v.exact() for v in values))
    if name in ("//", "%"):
        need(dtype.kind != "b" and np.all(values[1].lo != 0) and all(v.finite() for v in values))
        if dtype.kind == "f":
            need(all(np.all(np.abs(v.lo) < 1e4) for v in values))
            quotient = values[0].hi.astype(WIDE) / values[1].hi.astype(WIDE)
            need(np.all(np.abs(quotient) < 2000))
        elif dtype.kind == "i":
            need(not np.any(values[0].lo == np.iinfo(dtype).min))
    if name == "-":
        need(dtype.kind != "b")
    if name == "/":
        need(np.all(values[1].lo != 0))
        return apply(f, values, dtype if dtype.kind == "f" else np.float64)
    if name.startswith("bitwise"):
        need(dtype.kind in "iub")
    if name in ("and", "or"):
        need(dtype.kind == "b" and all(v.shape for v in values))
    return apply(f, values, dtype)


def op_binary(g):
    x, y = g.pair()
    name = g.r.choice(list(BINARY) + ["+", "-", "*", "+", "-", "*", "/", "maximum"])
    call = name[0].isalpha() and name not in ("and", "or")
    return [x, y], lambda a, b: f"{name}({a}, {b})" if call else f"{a} {name} {b}", lambda a, b: binary(name, [a, b])


def weak(v, c):
    """A literal as NumPy 2 converts it beside v."""
    if isinstance(c, float):
        return Val(np.asarray(c, v.dtype if v.kind == "f" else np.float64))
    return Val(np.asarray(c, np.int64 if v.kind == "b" else v.dtype))


def op_literal(g):
    x = g.pick()
    name = g.r.choice(["+", "-", "*", "/", "//", "%", "maximum", "<", ">=", "==", "^", "minimum"])
    c = g.r.choice([1, 2, 3, 5, 0.5, 2.0, 0.25, 1.5])
    left = g.r.random() < 0.3 and name != "^"
    call = name[0].isalpha()

    def ev(v):
        if name == "^":
            need(c in (2, 3, 0.5, 2.0) and v.kind != "b" and (c != 0.5 or np.all(v.lo > 0.1)))
            both = [v, weak(v, c)]
            if result_type(both).kind != "f":
                return keep(v, lambda x: x * x if c == 2 else x * x * x)
            return apply(lambda a, b: a**b, both)
        return binary(name, [weak(v, c), v] if left else [v, weak(v, c)])

    def text(a):
        p, q = (c, a) if left else (a, c)
        return f"{name}({p}, {q})" if call else f"{p} {name} {q}"

    return [x], text, ev


def op_where(g):
    c = g.pick(lambda v: v.kind == "b")
    x, y = g.pair()

    def ev(c, a, b):
        check_shapes([c, a, b])
        t = result_type([a, b])
        both = [as_type(v, t) for v in (a, b)]
        need(c.kind == "b")
        return Val(np.where(c.lo, both[0][0], both[1][0]), np.where(c.lo, both[0][1], both[1][1]) if t.kind == "f" else None,
                   any(v.dyn for v in (a, b, c)))

    return [c, x, y], lambda c, a, b: f"where({c}, {a}, {b})", ev


def op_cast(g):
    x = g.pick()
    to = g.r.choice(INPUT_TYPES + ["i16", "u16", "u32", "f32", "f64"])

    def ev(v):
        t = np.dtype(TYPES[to])
        if t.kind == "b":
            need(v.exact())
            return Val(v.lo != 0, dyn=v.dyn)
        if v.kind == "f" and t.kind in "iu":
            need(v.exact() and v.finite())
            info = np.iinfo(t)
            cut = np.trunc(v.lo.astype(WIDE))
            need(np.all((cut >= WIDE(info.min)) & (cut <= WIDE(info.max))))
        lo, hi = as_type(v, t)
        return Val(lo, hi, v.dyn)

    return [x], lambda a: f"{to}({a})", ev


def index_parts(g, shape):
    """Texts and NumPy objects of an index; also whether an extent of 1 came from a slice."""
    texts, objects, dyn, axis = [], [], False, 0
    dots = g.r.randrange(len(shape) + 1) if g.r.random() < 0.2 else None
    while axis < len(shape):
        n = shape[axis]
        if dots == axis:
            texts.append("...")
            objects.append(Ellipsis)
            if g.r.random() < 0.7:
                break
            skipped = g.r.randrange(len(shape) - axis + 1)
            axis += skipped
            dots = None
            # what follows must cover exactly the rest
            for n in shape[axis:]:
                t, o, d = one_index(g, n)
                texts.append(t)
                objects.append(o)
                dyn |= d
            return texts, objects, dyn
        if g.r.random() < 0.1:
            texts.append("None")
            objects.append(None)
        t, o, d = one_index(g, n)
        texts.append(t)
        objects.append(o)
        dyn |= d
        axis += 1
        if g.r.random() < 0.15:
            break
    if g.r.random() < 0.15:
        texts.append("None")
        objects.append(None)
    return texts, objects, dyn


def one_index(g, n):
    kind = g.r.random()
    if kind < 0.3:
        return ":", slice(None), False
    if kind < 0.45 and n:
        i = g.r.randrange(-n, n)
        return str(i), i, False
    bound = lambda: g.r.choice([None, None, 0, 1, 2, -1, -2, n, n + 3, -n - 2, n // 2, g.r.randrange(-n - 1, n + 2)])
    start, stop, step = bound(), bound(), g.r.choice([None, None, 1, 2, -1, -1, 3, -2, -7, 1000])
    text = ("" if start is None else str(start)) + ":" + ("" if stop is None else str(stop)) + ("" if step is None else f":{step}")
    return text, slice(start, stop, step), n != 1 and len(range(n)[slice(start, stop, step)]) == 1


def op_index(g):
    x = g.pick(lambda v: v.lo.ndim > 0)
    texts, objects, dyn = index_parts(g, g.env[x].shape)
    need(len([o for o in objects if o is None]) + g.env[x].lo.ndim <= 6)
    return [x], lambda a: f"{a}[{', '.join(texts)}]", lambda v: Val(v.lo[tuple(objects)], v.hi[tuple(objects)], v.dyn or dyn)


def op_gather(g):
    x = g.pick(lambda v: v.lo.ndim > 0 and 0 not in v.shape)
    v = g.env[x]
    axis = g.r.randrange(v.lo.ndim)
    n = v.shape[axis]
    fitting = [k for k in g.names() if g.env[k].kind in "i" and g.env[k].lo.ndim and g.env[k].lo.size
               and g.env[k].lo.min() >= -n and g.env[k].lo.max() < n and g.env[k].lo.ndim <= 2]
    before = [":" for _ in range(axis)]
    use_take = g.r.random() < 0.3
    if fitting and g.r.random() < 0.5:
        i = g.r.choice(fitting)

        def ev(v, i):
            need(i.lo.size == 0 or i.lo.min() >= -v.shape[axis] and i.lo.max() < v.shape[axis])
            need(v.lo.size // max(1, v.shape[axis]) * i.lo.size <= ELEMENTS)
            return Val(np.take(v.lo, i.lo, axis=axis), np.take(v.hi, i.lo, axis=axis), v.dyn or i.dyn)

        return [x, i], lambda a, b: f"take({a}, {b}, axis={axis})" if use_take else f"{a}[{', '.join(before + [b])}]", ev
    count = g.r.choice([1, 2, 3, 7, 20])
    index = np.array([g.r.randrange(-n, n) for _ in range(count)])
    if count % 2 == 0 and g.r.random() < 0.4:
        index = index.reshape(2, -1)
    need(v.lo.size // n * index.size <= ELEMENTS)
    return ([x], lambda a: f"take({a}, {literal(index)}, axis={axis})" if use_take else f"{a}[{', '.join(before + [literal(index)])}]",
            lambda v: Val(np.take(v.lo, index, axis=axis), np.take(v.hi, index, axis=axis), v.dyn))


def splits(g, n):
    """A random shape with n elements."""
    shape = []
    while n > 1 and len(shape) < 3:
        factors = [f for f in (2, 3, 4, 5, 8, 10, 11, 16, 17, 33, 50, n) if n % f == 0]
        f = g.r.choice(factors)
        shape.append(f)
        n //= f
    shape.append(n) if n != 1 or not shape else None
    if g.r.random() < 0.3:
        shape.insert(g.r.randrange(len(shape) + 1), 1)
    g.r.shuffle(shape)
    return shape


def op_view(g):
    x = g.pick(lambda v: v.lo.ndim > 0)
    v = g.env[x]
    rank = v.lo.ndim
    name = g.r.choice(["T", "transpose", "swapaxes", "moveaxis", "reshape", "reshape", "flatten", "broadcast_to", "expand_dims", "squeeze", "none"])
    dyn = v.dyn
    if name == "T":
        f, text = (lambda a: a.T), "{}.T"
    elif name == "transpose":
        axes = list(range(rank))
        g.r.shuffle(axes)
        f, text = (lambda a: a.transpose(axes)), "transpose({}, " + tup(axes) + ")"
    elif name in ("swapaxes", "moveaxis"):
        p, q = g.r.randrange(-rank, rank), g.r.randrange(rank)
        f, text = (lambda a: getattr(np, name)(a, p, q)), f"{name}({{}}, {p}, {q})"
    elif name == "reshape":
        shape = splits(g, v.lo.size) if v.lo.size else [0, g.r.choice(EXTENTS)]
        if g.r.random() < 0.4 and v.lo.size:
            k = g.r.randrange(len(shape))
            dyn |= shape[k] == 1
            shape[k] = -1
        need(len(shape) <= 6)
        f, text = (lambda a: a.reshape(shape)), f"reshape({{}}, {tup(shape)})"
    elif name == "flatten":
        f, text = (lambda a: a.reshape(-1)), "flatten({})"
        dyn |= v.lo.size == 1
    elif name == "broadcast_to":
        need(not v.dyn)
        shape = [g.r.choice(EXTENTS) if n == 1 else n for n in v.shape]
        shape = [g.r.choice(EXTENTS[1:]) for _ in range(g.r.choice([0, 0, 1, 2]))] + shape
        need(np.prod(shape) <= ELEMENTS and len(shape) <= 6)
        f, text = (lambda a: np.broadcast_to(a, shape)), f"broadcast_to({{}}, {tup(shape)})"
    elif name == "expand_dims":
        axis = g.r.randrange(rank + 1)
        need(rank < 5)
        f, text = (lambda a: np.expand_dims(a, axis)), f"expand_dims({{}}, {axis})"
    elif name == "squeeze":
        ones = [k for k in range(rank) if v.shape[k] == 1]
        need(ones and not v.dyn)
        axis = g.r.choice(ones)
        f, text = (lambda a: np.squeeze(a, axis)), f"squeeze({{}}, axis={axis})"
    else:
        axis = g.r.randrange(rank)
        need(rank < 5)
        spec = tuple([slice(None)] * axis + [None])
        f, text = (lambda a: a[spec]), "{}[" + ", ".join([":"] * axis + ["None"]) + "]"
    return [x], lambda a: text.format(a), lambda v: Val(f(v.lo), f(v.hi), dyn)


def op_concat(g):
    x = g.pick(lambda v: v.lo.ndim > 0)
    v = g.env[x]
    axis = g.r.randrange(v.lo.ndim)
    stack = g.r.random() < 0.4
    if stack:
        fits = lambda w: w.shape == v.shape
        axis = g.r.randrange(v.lo.ndim + 1)
        need(v.lo.ndim < 5)
    else:
        fits = lambda w: w.lo.ndim == v.lo.ndim and all(a == b for k, (a, b) in enumerate(zip(w.shape, v.shape)) if k != axis)
    names = [x] + [g.pick(fits) for _ in range(g.r.choice([1, 1, 2]))]
    need(all(g.env[n].dyn == v.dyn for n in names))
    need(sum(g.env[n].lo.size for n in names) <= ELEMENTS)
    as_list = g.r.random() < 0.5 and stack
    what = "stack" if stack else "concat"
    f = np.stack if stack else np.concatenate

    def ev(*values):
        t = result_type(values)
        both = [as_type(w, t) for w in values]
        r = Val(f([b[0] for b in both], axis), f([b[1] for b in both], axis) if t.kind == "f" else None, any(w.dyn for w in values))
        r.dyn |= not stack and r.shape[axis] == 1
        return r

    shown = axis - (v.lo.ndim + stack) if g.r.random() < 0.2 else axis
    return names, lambda *a: f"{what}({'[' + ', '.join(a) + ']' if as_list else tup(a)}, axis={shown})", ev


def pick_axes(g, rank):
    if rank == 0 or g.r.random() < 0.2:
        return None
    axes = g.r.sample(range(rank), g.r.choice([1, 1, 1, min(2, rank), g.r.randrange(1, rank + 1)]))
    axes = tuple(a - rank if g.r.random() < 0.3 else a for a in axes)
    return axes if len(axes) > 1 or g.r.random() < 0.2 else axes[0]


def total_fits(v, axes, f, unsigned):
    """Integer totals must fit in 64 bits."""
    if v.kind == "f" or not v.lo.size:
        return True
    t = np.abs(f(np.abs(v.lo.astype(np.float64)), axis=axes))
    return bool(np.all(t < 2**62))


def reduction(name, v, axes, keepdims):
    kw = {"axis": axes, "keepdims": keepdims}
    if name in ("max", "min", "argmax", "argmin"):
        count = v.lo.size if axes is None else int(np.prod([v.shape[a] for a in np.atleast_1d(axes)]))
        need(count > 0)
    if name in ("argmax", "argmin"):
        need((axes is None or not isinstance(axes, tuple)) and v.exact() and v.finite())
        return Val(np.asarray(getattr(np, name)(v.lo, **kw)), dyn=v.dyn)
    if name in ("any", "all", "count_nonzero"):
        need(v.exact())
        f = {"any": np.any, "all": np.all, "count_nonzero": lambda x, **k: np.sum(x != 0, **k)}[name]
        return Val(np.asarray(f(v.lo != 0, **kw)), dyn=v.dyn)
    if name in ("max", "min"):
        return Val(getattr(np, name)(v.lo, **kw), getattr(np, name)(v.hi, **kw), v.dyn)
    f = getattr(np, name)
    if name in ("sum", "prod"):
        if v.kind != "f":
            need(total_fits(v, axes, f, v.kind == "u"))
            return Val(np.asarray(f(v.lo.astype(np.uint64 if v.kind == "u" else np.int64), **kw)), dyn=v.dyn)
        wide = v.lo.astype(np.float64)
        return Val(np.asarray(f(wide, **kw)).astype(v.dtype), f(v.hi, **kw), v.dyn)
    if v.kind == "f":
        lo = f(v.lo.astype(np.float32 if v.dtype == np.float16 else v.dtype), **kw)
        return Val(np.asarray(lo).astype(v.dtype), f(v.hi, **kw), v.dyn)
    return Val(np.asarray(f(v.lo.astype(np.float64), **kw)), f(v.lo.astype(WIDE), **kw), v.dyn)


def op_reduce(g):
    x = g.pick(lambda v: v.lo.ndim > 0 or g.r.random() < 0.05)
    v = g.env[x]
    name = g.r.choice(["sum", "sum", "sum", "prod", "mean", "mean", "max", "max", "min", "any", "all", "argmax", "argmin", "var", "std", "count_nonzero"])
    axes = pick_axes(g, v.lo.ndim)
    keepdims = g.r.random() < 0.5
    need(name not in ("prod",) or v.lo.size < 2000)

    def ev(v):
        need(name not in ("var", "std", "mean") or v.lo.size)
        if name in ("var", "std") and v.kind == "f":
            need(v.dtype != np.float16)
        if name == "std":
            need(bool(np.all(reduction("var", v, axes, False).lo > 1e-3)))
        return reduction(name, v, axes, keepdims)

    options = ([] if axes is None else ["axis=" + (tup(axes) if isinstance(axes, tuple) else str(axes))]) + (["keepdims=true"] if keepdims else [])
    method = g.r.random() < 0.3
    return [x], (lambda a: f"{a}.{name}({', '.join(options)})") if method else (lambda a: f"{name}({', '.join([a] + options)})"), ev


def op_normalise(g):
    x = g.pick(lambda v: v.lo.ndim > 0 and v.kind == "f" and v.lo.size and v.finite())
    v = g.env[x]
    axis = g.r.randrange(v.lo.ndim)
    name = g.r.choice(["softmax", "log_softmax", "centre", "scale_max", "layer_norm", "divide_sum", "logsumexp", "norm", "standard", "rms"])
    last = v.shape[-1]

    def f(a, eps):
        m = np.max(a, axis=axis, keepdims=True)
        if name == "softmax":
            e = np.exp(a - m)
            return e / np.sum(e, axis=axis, keepdims=True)
        if name == "log_softmax":
            return a - m - np.log(np.sum(np.exp(a - m), axis=axis, keepdims=True))
        if name == "logsumexp":
            return np.squeeze(m, axis) + np.log(np.sum(np.exp(a - m), axis=axis))
        if name == "centre":
            return a - np.mean(a, axis=axis, keepdims=True)
        if name == "scale_max":
            return a / (1 + np.max(np.abs(a), axis=axis, keepdims=True))
        if name == "divide_sum":
            return a / (1 + np.sum(a * a, axis=axis, keepdims=True))
        if name == "norm":
            return np.sqrt(np.sum(a * a, axis=axis))
        if name == "rms":
            return a / np.sqrt(np.mean(a * a, axis=axis, keepdims=True) + 1)
        if name == "standard":
            d = a - np.mean(a, axis=axis, keepdims=True)
            return d / np.sqrt(np.mean(d * d, axis=axis, keepdims=True) + 1)
        d = a - np.mean(a, axis=-1, keepdims=True)
        return d / np.sqrt(np.mean(d * d, axis=-1, keepdims=True) + a.dtype.type(0.5))

    def ev(v):
        need(v.kind == "f" and v.dtype != np.float16 and np.all(np.abs(v.hi) < 1e4))
        return Val(f(v.lo, 0).astype(v.dtype), f(v.hi, 0), v.dyn)

    text = {"softmax": "softmax({0}, axis=A)", "log_softmax": "log_softmax({0}, axis=A)", "logsumexp": "logsumexp({0}, axis=A)",
            "centre": "{0} - mean({0}, axis=A, keepdims=true)", "scale_max": "{0} / (1 + max(abs({0}), axis=A, keepdims=true))",
            "divide_sum": "{0} / (1 + sum({0} * {0}, axis=A, keepdims=true))", "norm": "norm({0}, axis=A)",
            "rms": "{0} * rsqrt(mean({0} * {0}, axis=A, keepdims=true) + 1)",
            "standard": "({0} - mean({0}, axis=A, keepdims=true)) / sqrt(mean(square({0} - mean({0}, axis=A, keepdims=true)), axis=A, keepdims=true) + 1)",
            "layer_norm": "layer_norm({0}, " + str(last) + ", eps=0.5)"}[name].replace("A", str(axis))
    return [x], lambda a: text.format(a), ev


def op_matmul(g):
    x = g.pick(lambda v: v.lo.ndim in (1, 2, 3) and v.kind != "b")
    v = g.env[x]

    def ev(a, b, ta, tb):
        flip = lambda w: np.swapaxes(w, -1, -2)
        one, two = (flip(a.lo) if ta else a.lo), (flip(b.lo) if tb else b.lo)
        need(one.ndim and two.ndim)
        t = result_type([a, b])
        need(t.kind in "f" or t in (np.dtype(np.int64), np.dtype(np.int32)))
        need(one.shape[-1] == (two.shape[-2] if two.ndim > 1 else two.shape[0]))
        need(one.size * two.size <= 10**7 and not (a.dyn or b.dyn))
        try:
            shape = np.broadcast_shapes(one.shape[:-2], two.shape[:-2])
        except ValueError:
            raise Reject
        wide = np.float32 if t == np.float16 else t
        lo = np.matmul(one.astype(wide), two.astype(wide)).astype(t)
        hi = None
        if t.kind == "f":
            ha, hb = (flip(a.hi) if ta else a.hi), (flip(b.hi) if tb else b.hi)
            hi = np.matmul(ha.astype(np.float64), hb.astype(np.float64))
            need(np.all(np.isfinite(hi)))
            bound = np.matmul(np.abs(ha.astype(np.float64)), np.abs(hb.astype(np.float64)))
            if bound.size:  # cancellation: let the distance of lo and hi speak of it
                worst = float(np.max(bound)) * float(np.finfo(t).eps)
                if not (a.exact() and b.exact() and np.array_equal(lo.astype(np.float64), hi) and np.max(bound) < 2 ** np.finfo(t).nmant):
                    hi = hi + worst
        need(lo.size <= ELEMENTS)
        return Val(lo, hi)

    candidates = []
    for y in g.names():
        for ta, tb in itertools.product((False, True), repeat=2):
            if (ta and v.lo.ndim < 2) or (tb and g.env[y].lo.ndim < 2):
                continue
            try:
                ev(v, g.env[y], ta, tb)
                candidates.append((y, ta, tb))
            except Reject:
                pass
    need(candidates)
    y, ta, tb = g.r.choice(candidates)
    flip = lambda n, t: n if not t else f"{n}.T" if g.env[n].lo.ndim == 2 and x != y else f"swapaxes({n}, -1, -2)"
    texts = (flip("{0}", 0), 0)
    ra, rb = v.lo.ndim, g.env[y].lo.ndim
    form = lambda n, t, r: n if not t else f"{n}.T" if r == 2 else f"swapaxes({n}, -1, -2)"
    return [x, y], lambda a, b: f"{form(a, ta, ra)} @ {form(b, tb, rb)}", lambda a, b: ev(a, b, ta, tb)


def op_one_hot(g):
    x = g.pick(lambda v: v.name == "i64" and v.lo.ndim in (1, 2) and v.lo.size <= 400)
    n = g.r.choice([1, 2, 3, 5, 17])
    return [x], lambda a: f"one_hot({a}, {n})", lambda v: Val((v.lo[..., None] == np.arange(n)).astype(np.float64), None, True if n == 1 else v.dyn)


SIMPLE = [(op_unary, 14), (op_binary, 22), (op_literal, 10), (op_where, 6), (op_cast, 7), (op_index, 14), (op_gather, 6), (op_view, 14),
          (op_concat, 6), (op_reduce, 18), (op_normalise, 6), (op_matmul, 5), (op_one_hot, 2)]


def weights(**more):
    """SIMPLE with other weights."""
    return [(op, more.get(op.__name__[3:], 1)) for op, _ in SIMPLE]


PROFILES = {
    "mixed": (SIMPLE, 0.10),
    "reduce": (weights(reduce=14, binary=12, normalise=6, unary=4, literal=4, view=3, index=3), 0.02),
    "view": (weights(view=14, index=14, concat=5, gather=6, binary=4, reduce=4), 0.02),
    "matmul": (weights(matmul=14, view=5, reduce=5, binary=4, index=4, normalise=3), 0.04),
    "control": (weights(binary=10, literal=6, reduce=5, unary=3, index=3, view=3, concat=2), 0.35),
    "elementwise": (weights(unary=12, binary=14, literal=12, where=8, cast=8, reduce=2), 0.01),
    "index": (weights(index=10, gather=12, where=6, binary=6, reduce=6, one_hot=4, concat=4), 0.05),
}


class Generator:
    """Makes nodes over the values of one scope."""

    def __init__(self, r, env=None, depth=0, counter=None, profile="mixed"):
        self.r, self.env, self.nodes, self.depth, self.profile = r, dict(env or {}), [], depth, profile
        self.ops, self.control_share = PROFILES[profile]
        self.counter = counter or itertools.count()
        self.own = []

    def names(self):
        return list(self.env)

    def fresh(self, prefix="t"):
        return f"{prefix}{next(self.counter)}"

    def pick(self, fits=lambda v: True):
        names = [n for n in self.env if fits(self.env[n])]
        need(names)
        recent = names[-4:]
        return self.r.choice(recent if self.r.random() < 0.6 else names)

    def pair(self):
        x = self.pick()
        shape = self.env[x].shape
        same = self.pick(lambda v: v.shape == shape) if self.r.random() < 0.5 else None
        if same:
            return x, same

        def fits(v):
            try:
                np.broadcast_shapes(v.shape, shape)
                return not (v.dyn or self.env[x].dyn) or v.shape == shape
            except ValueError:
                return False

        y = self.pick(fits)
        return (x, y) if self.r.random() < 0.5 else (y, x)

    def add(self, node):
        run_nodes([node], self.env)
        self.nodes.append(node)
        self.own += node.names

    def step(self):
        for _ in range(60):
            before = dict(self.env)
            try:
                if self.depth < 3 and self.r.random() < self.control_share / (1 + 2 * self.depth):
                    self.control()
                    return
                op = self.r.choices([o for o, _ in self.ops], [w for _, w in self.ops])[0]
                args, text, evaluate = op(self)
                self.add(Node([self.fresh()], args, text, evaluate, op.__name__))
                return
            except (Reject, OverflowError, MemoryError):
                self.env = before

    def inner(self, env, count):
        g = Generator(self.r, env, self.depth + 1, self.counter, self.profile)
        for _ in range(count):
            g.step()
        return g

    def control(self):
        kind = self.r.choice(["for", "for", "while", "if", "call", "call"])
        getattr(self, "control_" + kind.replace("for", "loop").replace("while", "loop"))(kind)

    def update(self, c):
        """A new value for a carried one: of its shape and dtype."""
        v = self.env[c]
        for _ in range(10):
            try:
                y = self.pick()
                form = self.r.choice(["{} + {}", "{} - {}", "maximum({}, {})", "{} * 0.5 + {}", "{1} - {0}"])
                need(v.kind != "b")

                def ev(a, b, form=form):
                    half = binary("*", [a, weak(a, 0.5)]) if "0.5" in form else a
                    pair = [b, half] if "{1}" in form else [half, b]
                    r = binary("-" if " - " in form else "maximum" if "max" in form else "+", pair)
                    need(r.shape == v.shape)
                    need(r.dtype == v.dtype or v.kind == "f" or r.kind != "f")
                    lo, hi = as_type(r, v.dtype)
                    return Val(lo, hi, r.dyn)

                self.add(Node([self.fresh()], [c, y], lambda a, b, form=form: f"{v.name}({form.format(a, b)})", ev, "update"))
                return
            except Reject:
                pass

    @staticmethod
    def env_square(v, trips):
        return v.lo.ndim > 1 and v.shape[1] >= max(1, trips)

    def some(self, count):
        names = self.names()
        return self.r.sample(names, min(len(names), count))

    def control_call(self, _):
        args = self.some(self.r.choice([1, 2, 3]))
        formal = [self.fresh("p") for _ in args]
        g = self.inner({f: self.env[a] for f, a in zip(formal, args)}, self.r.choice([1, 2, 4, 6]))
        need(g.own)
        results = [g.own[-1]] + ([self.r.choice(g.own + formal)] if self.r.random() < 0.4 else [])
        self.add(call_node(self.fresh("fn_"), [self.fresh() for _ in results], args, formal, g.nodes, results))

    def control_if(self, _):
        c = self.pick(lambda v: v.lo.ndim and v.exact() and v.kind != "b" and v.finite() and v.lo.size)
        limit = self.r.choice([-1, 0, 2, 5, 100]) if self.env[c].kind != "u" else self.r.choice([0, 2, 100])
        outer = self.some(4)
        one = self.inner({n: self.env[n] for n in outer}, self.r.choice([1, 2, 3]))
        need(one.own)
        first = one.own[-1]
        shape, dtype, dyn = one.env[first].shape, one.env[first].dtype, one.env[first].dyn
        two = self.inner({n: self.env[n] for n in outer}, self.r.choice([0, 1, 3]))
        fitting = [n for n in two.env if two.env[n].shape == shape and two.env[n].dtype == dtype and two.env[n].dyn == dyn]
        need(fitting)
        self.add(if_node(self.fresh(), c, limit, outer, one.nodes, first, two.nodes, fitting[-1]))

    def control_loop(self, kind):
        starts = self.some(self.r.choice([1, 2, 2, 3]))
        need(not any(self.env[s].dyn for s in starts))
        outer = self.some(2)
        carried = [self.fresh("m") for _ in starts]
        index = self.fresh("j")
        env = {n: self.env[n] for n in outer}
        env.update({c: self.env[s] for c, s in zip(carried, starts)})
        trips = self.r.choice([0, 1, 2, 3, 5])
        g = Generator(self.r, env, self.depth + 1, self.counter, self.profile)
        rows = [n for n in env if env[n].lo.ndim and env[n].shape[0] >= max(1, trips)]
        if rows and self.r.random() < 0.5:
            g.env[index] = Val(np.int64(0))
            row = self.r.choice(rows)
            form = self.r.choice(["{}[{}]", "{}[{}:{}+1]", "{}[-1 - {}]", "{}[:, {}]"]) if self.env_square(env[row], trips) else "{}[{}]"
            g.add(row_node(self.fresh(), row, index, form))
            del g.env[index]
        for _ in range(self.r.choice([1, 2, 3, 5])):
            g.step()
        yields = []
        for c in carried:
            if self.r.random() < 0.7:
                g.update(c)
            fitting = [n for n in list(carried) + g.own if g.env[n].shape == g.env[c].shape and g.env[n].dtype == g.env[c].dtype and g.env[n].dyn == g.env[c].dyn]
            yields.append(self.r.choice(fitting[-3:] if self.r.random() < 0.7 else fitting))
        self.add(loop_node(kind, carried, starts, outer, index, trips, g.nodes, yields, self.r.random() < 0.5))


def body_lines(nodes, indent="    "):
    return [indent + line for node in nodes for line in node.lines()]


def all_definitions(nodes):
    return [d for node in nodes for d in node.definitions()]


def call_node(function, names, args, formal, nodes, results):
    def ev(*values):
        env = run_nodes(nodes, dict(zip(formal, values)))
        return [env[r] for r in results]

    target = names[0] if len(names) == 1 else tup(names)
    node = Node(names, args, lambda *a: [f"let {target} = {function}({', '.join(a)})"], ev, "call")
    value = results[0] if len(results) == 1 else tup(results)
    node.defined = lambda: all_definitions(nodes) + [f"fn {function}({', '.join(formal)}) {{", *body_lines(nodes), f"    {value}", "}"]
    node.rebuild = lambda n: call_node(function, names, args, formal, n, results)
    node.inner = [nodes]
    return node


def if_node(name, c, limit, outer, one, first, two, second):
    outer = [o for o in outer if o != c]

    def ev(cond, *values):
        env = dict(zip(outer, values))
        env[c] = cond
        need(cond.exact())
        a, b = run_nodes(one, dict(env)), run_nodes(two, dict(env))
        need(a[first].shape == b[second].shape and a[first].dtype == b[second].dtype)
        total = float(np.sum(cond.lo.astype(np.float64)))
        need(abs(total) < 2000)  # exact in every float dtype of the sum
        return a[first] if total > limit else b[second]

    def text(*_):
        return [f"let {name} = if f64(sum({c})) > {limit} {{", *body_lines(one), f"    {first}", "} else {", *body_lines(two), f"    {second}", "}"]

    node = Node([name], [c] + outer, text, ev, "if")
    node.defined = lambda: all_definitions(one) + all_definitions(two)
    node.inner = [one, two]
    node.rebuild = lambda n, m: if_node(name, c, limit, outer, n, first, m, second)
    return node


def row_node(name, row, index, form):
    def ev(v, i):
        i = int(i.lo)
        part = {"{}[{}]": i, "{}[{}:{}+1]": slice(i, i + 1), "{}[-1 - {}]": -1 - i, "{}[:, {}]": (slice(None), i)}[form]
        return Val(v.lo[part], v.hi[part], v.dyn or isinstance(part, slice))

    return Node([name], [row, index], lambda v, i: form.format(v, i, i), ev, "row")


def loop_node(kind, carried, starts, outer, index, trips, nodes, yields, as_tuple):
    outer = [o for o in outer if o not in starts]

    def ev(*values):
        env = dict(zip(list(dict.fromkeys(starts)) + outer, values))
        state = [env[s] for s in starts]
        for trip in range(max(trips, 1)):  # the body must suit even where it does not run
            inner = run_nodes(nodes, {**env, **dict(zip(carried, state)), index: Val(np.int64(trip))})
            after = [inner[y] for y in yields]
            need(all(a.shape == b.shape and a.dtype == b.dtype and a.dyn == b.dyn for a, b in zip(after, state)))
            if trips:
                state = after
        return state

    moved = [(c, y) for c, y in zip(carried, yields) if c != y]

    def text(*_):
        lines = [f"mut {c} = {s}" for c, s in zip(carried, starts)]
        lines += [f"for {index} in 0..{trips} {{"] if kind == "for" else [f"mut {index} = 0", f"while {index} < {trips} {{"]
        lines += body_lines(nodes)
        if len(moved) == 1:
            lines.append(f"    {moved[0][0]} = {moved[0][1]}")
        elif as_tuple and moved:
            lines.append(f"    ({', '.join(c for c, _ in moved)}) = ({', '.join(y for _, y in moved)})")
        else:  # through names, since a later assignment may read an earlier target
            lines += [f"    let y{c} = {y}" for c, y in moved] + [f"    {c} = y{c}" for c, _ in moved]
        return lines + ([f"    {index} += 1"] if kind == "while" else []) + ["}"]

    node = Node(list(carried), list(dict.fromkeys(starts)) + outer, text, ev, kind)
    node.defined = lambda: all_definitions(nodes)
    node.inner = [nodes]
    node.rebuild = lambda n: loop_node(kind, carried, starts, outer, index, trips, n, yields, as_tuple)
    node.variants = lambda: ([loop_node(kind, carried, starts, outer, index, t, nodes, yields, as_tuple) for t in range(trips)] +
                             [loop_node(kind, carried, starts, outer, index, trips, nodes, yields[:k] + [carried[k]] + yields[k + 1:], as_tuple)
                              for k in range(len(yields)) if yields[k] != carried[k]])
    return node


# ---- inputs and programs ------------------------------------------------------------------------------------


def random_shape(r):
    while True:
        shape = tuple(r.choice(EXTENTS) for _ in range(r.choice([0, 1, 1, 2, 2, 2, 3, 3, 4])))
        if np.prod(shape) <= ELEMENTS and (0 not in shape or r.random() < 0.4):
            return shape


def input_node(r, name, shape, dtype):
    n = int(np.prod(shape))
    a, b, m = r.choice([1, 3, 7, 13]), r.choice([0, 1, 5]), r.choice([4, 7, 11, 19])
    c = 0 if dtype[0] == "u" else r.choice([0, m // 2, 2])
    base = (np.arange(n) * a + b) % m
    inner = f"(arange({n}) * {a} + {b}) % {m}"
    if dtype == "bool":
        lo, text = base > m // 2, f"{inner} > {m // 2}"
    else:
        lo, text = base - c, f"{inner} - {c}"
        if dtype[0] == "f" and r.random() < 0.3:
            lo, text = lo / 4, f"({text}) / 4"
    if r.random() < 0.05 and dtype in ("f32", "f64") and n:
        lo, text = np.where(np.arange(n) % 13 == 5, np.nan, lo), f"where(arange({n}) % 13 == 5, nan, {text})"
    if r.random() < 0.08 and dtype in ("f32", "f64") and n > 1:
        lo, text = np.linspace(-2, 3, n), f"linspace(-2, 3, {n})"
    text = f"({text})"
    if len(shape) != 1:
        text = f"{text}.reshape({tup(shape)})"
    if dtype != "bool":
        text = f"{dtype}({text})"
    value = np.asarray(lo).reshape(shape).astype(TYPES[dtype])
    if not shape:
        text = f"{dtype}({literal(value.item() if dtype[0] != 'f' else float(value))})" if dtype != "bool" else literal(value)
    return Node([name], [], lambda: text, lambda: Val(value), "input")


def value_node(name, value):
    """A value as it is, for failures made small."""
    text = typed_literal(value.lo)
    return Node([name], [], lambda: text, lambda: Val(value.lo, None, value.dyn), "value")


class Program:
    """inputs: nodes without arguments; nodes; outputs: names; style: `function` or `top`."""

    def __init__(self, inputs, nodes, outputs, style):
        self.inputs, self.nodes, self.outputs, self.style = inputs, nodes, outputs, style

    def run(self):
        return run_nodes(self.inputs + self.nodes, {})

    def pruned(self, outputs):
        wanted, kept = set(outputs), []
        for node in reversed(self.nodes):
            if wanted & set(node.names):
                kept.append(node)
                wanted |= set(node.args)
        kept.reverse()
        return Program([i for i in self.inputs if set(i.names) & wanted], kept, list(outputs), self.style)

    def lines(self, prefix):
        """GMX text and the top-level names of the outputs."""
        if self.style == "top":
            # names must not clash between programs of one file, so each lives in its own numbering
            return all_definitions(self.nodes) + [l for n in self.inputs + self.nodes for l in n.lines()], self.outputs
        lines = all_definitions(self.nodes)
        formal = [n.names[0] for n in self.inputs]
        value = self.outputs[0] if len(self.outputs) == 1 else tup(self.outputs)
        lines += [f"fn {prefix}({', '.join(formal)}) {{", *body_lines(self.nodes), f"    {value}", "}"]
        lines += [l for n in self.inputs for l in n.lines()]
        names = [f"{prefix}_{k}" for k in range(len(self.outputs))]
        lines.append(f"let {names[0] if len(names) == 1 else tup(names)} = {prefix}({', '.join(formal)})")
        return lines, names


def random_program(r, counter, size=None, profile=None):
    g = Generator(r, None, 0, counter, profile or r.choice(list(PROFILES)))
    inputs = []
    shapes = [random_shape(r) for _ in range(2)]
    if r.random() < 0.6:  # shapes that fit each other
        s = shapes[0]
        shapes += [s, tuple(1 if r.random() < 0.5 else n for n in s), s[1:] if s else s, s[::-1]]
    main = r.choice(INPUT_TYPES)
    for _ in range(r.choice([1, 2, 3, 4])):
        dtype = main if r.random() < 0.5 else r.choice(INPUT_TYPES + ["f32", "f64", "i64"])
        node = input_node(r, f"x{next(counter)}", r.choice(shapes), dtype)
        run_nodes([node], g.env)
        inputs.append(node)
    for _ in range(size or r.choice([2, 4, 6, 9, 14, 25])):
        g.step()
    if not g.own:
        return None
    more = r.choice([0, 0, 0.15, 0.3])
    outputs = list(dict.fromkeys([g.own[-1]] + [o for o in g.own if r.random() < more]))[:6]
    return Program(inputs, g.nodes, outputs, r.choice(["function", "function", "top"])).pruned(outputs)


# ---- running --------------------------------------------------------------------------------------------------


class Runner:
    def __init__(self, gmx, flags, keep_folder=None):
        self.gmx, self.flags = gmx, flags
        self.folder = keep_folder or tempfile.mkdtemp(prefix="gmx-lang-")
        self.number = itertools.count()

    def script(self, programs):
        lines, saves = [], []
        for k, program in enumerate(programs):
            text, names = program.lines(f"q{k}")
            lines += text
            saves += [f'save({name}, "r{k}_{j}.npy")' for j, name in enumerate(names)]
        return "\n".join(lines + saves) + "\n"

    def run(self, programs, command=()):
        """Runs one script; returns (status, standard error, folder)."""
        folder = os.path.join(self.folder, str(next(self.number) % 64))
        os.makedirs(folder, exist_ok=True)
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
        with open(os.path.join(folder, "p.gmx"), "w", encoding="utf-8") as out:
            out.write(self.script(programs))
        try:
            done = subprocess.run([self.gmx, *self.flags, *command, "p.gmx"], cwd=folder, capture_output=True, timeout=120, text=True, errors="replace", check=False)
        except subprocess.TimeoutExpired:
            return -99, "timeout", folder
        return done.returncode, done.stderr, folder

    def compare(self, program, k, folder):
        env = program.run()
        for j, name in enumerate(program.outputs):
            problem = differs(env[name], os.path.join(folder, f"r{k}_{j}.npy"))
            if problem:
                return name, problem
        return None

    def failure(self, program):
        """None, or (kind, text, output name)."""
        status, errors, folder = self.run([program])
        if status:
            lines = errors.strip().splitlines()
            first = lines[0][:100] if lines else ""
            if "Sanitizer" in errors or "runtime error" in errors:
                first = next(l for l in lines if "ERROR" in l or "runtime error" in l)[:160]
            return f"exit {status}", first, None
        found = self.compare(program, 0, folder)
        return ("wrong", found[1], found[0]) if found else None


def differs(value, path):
    if not os.path.exists(path):
        return "no file"
    got = np.load(path)
    if got.dtype != value.dtype:
        return f"dtype {got.dtype}, NumPy {value.dtype}"
    if got.shape != value.shape:
        return f"shape {got.shape}, NumPy {value.shape}"
    if value.kind != "f":
        bad = got != value.lo
    else:
        if not np.array_equal(np.isfinite(value.lo), np.isfinite(value.hi)) and np.asarray(value.hi).dtype == WIDE:
            fine = np.isfinite(value.lo) & (np.abs(value.hi) < np.finfo(value.dtype).max)
        else:
            fine = np.ones(value.shape, bool)
        a, b = got.astype(WIDE), value.lo.astype(WIDE)
        close = np.abs(a - b) <= value.tolerance()
        bad = fine & ~(close | (a == b) | (np.isnan(a) & np.isnan(b)))
    if not np.any(bad):
        return None
    at = tuple(int(i) for i in np.argwhere(bad)[0]) if bad.ndim else ()
    return f"{int(np.sum(bad))} of {bad.size} differ, first at {at}: {got[at]!r}, NumPy {value.lo[at]!r}, tolerance {value.tolerance():.3g}"


def same_kind(a, b):
    if a is None or b is None or a[0] != b[0]:
        return False
    return a[0] == "wrong" or a[1][:30] == b[1][:30]


def shrink(runner, program, failure, budget=150):
    """Makes a failing program small."""
    def still(candidate):
        nonlocal budget
        if budget <= 0:
            return None
        budget -= 1
        try:
            candidate.run()
        except (Reject, KeyError):
            return None
        found = runner.failure(candidate)
        return found if same_kind(found, failure) else None

    if failure[2]:
        program = program.pruned([failure[2]])
    else:
        for name in program.outputs:
            small = program.pruned([name])
            if still(small):
                program = small
                break
    changed = True
    while changed and budget > 0:
        changed = False
        env = program.run()
        for k in range(len(program.nodes) - 1, -1, -1):
            if k >= len(program.nodes):
                continue
            node = program.nodes[k]
            tries = []
            if k == len(program.nodes) - 1 or not set(node.names) & set(program.outputs):
                if k < len(program.nodes) - 1 and sum(env[n].lo.size for n in node.names) <= 400:
                    try:
                        tries.append(Program(program.inputs + [value_node(n, env[n]) for n in node.names], program.nodes[:k] + program.nodes[k + 1:], program.outputs, program.style))
                    except Reject:
                        pass
            for variant in getattr(node, "variants", lambda: [])():
                tries.append(Program(program.inputs, program.nodes[:k] + [variant] + program.nodes[k + 1:], program.outputs, program.style))
            if hasattr(node, "inner"):
                for part, nodes in enumerate(node.inner):
                    for j in range(len(nodes) - 1, -1, -1):
                        parts = [list(p) for p in node.inner]
                        del parts[part][j]
                        tries.append(Program(program.inputs, program.nodes[:k] + [node.rebuild(*parts)] + program.nodes[k + 1:], program.outputs, program.style))
            for candidate in tries:
                try:
                    candidate = candidate.pruned(candidate.outputs)
                    found = still(candidate)
                except (Reject, KeyError):
                    continue
                if found:
                    program, failure, changed = candidate, found, True
                    env = program.run()
                    break
        if not changed and len(program.outputs) == 1 and program.nodes and program.outputs[0] in program.nodes[-1].names:
            for a in program.nodes[-1].args:  # an earlier value may be wrong already
                if any(a in n.names for n in program.nodes):
                    candidate = program.pruned([a])
                    found = still(candidate)
                    if found:
                        program, failure, changed = candidate, found, True
                        break
    for style in ("function", "top"):
        candidate = Program(program.inputs, program.nodes, program.outputs, style)
        if program.style != style and style == "top" and still(candidate):
            program = candidate
    return program, failure


def fuzz(options):
    runner = Runner(options.gmx, shlex.split(options.flags))
    done, failures, kinds = 0, 0, {}
    seed = options.seed
    while done < options.count:
        r, counter = random.Random(seed), itertools.count()
        seed += 1
        programs = []
        while len(programs) < options.per_file:
            try:
                p = random_program(r, counter, profile=options.profile)
            except Reject:
                continue
            if p:
                programs.append(p)
        status, errors, folder = runner.run(programs)
        bad = []
        if status:
            bad = [(p, runner.failure(p)) for p in programs]
            bad = [(p, f) for p, f in bad if f]
            if not bad:
                print(f"== seed {seed - 1}: exit {status} only together: {errors[:300]}", flush=True)
                with open(f"together{seed - 1}.gmx", "w", encoding="utf-8") as out:
                    out.write(runner.script(programs))
        else:
            for k, p in enumerate(programs):
                found = runner.compare(p, k, folder)
                if found:
                    bad.append((p, ("wrong", found[1], found[0])))
        if options.check and not status:
            code, text, _ = runner.run(programs, ("check",))
            if code:
                print(f"== seed {seed - 1}: check: {text[:400]}", flush=True)
        done += len(programs)
        for p, f in bad:
            failures += 1
            key = f[0] + f[1][:60] if f[0] != "wrong" else ""
            kinds[key] = kinds.get(key, 0) + 1
            if key and kinds[key] > options.repeat:
                continue
            small, what = shrink(runner, p, f) if not options.no_shrink else (p, f)
            if what[0] == "wrong" and not runner.failure(small):
                print(f"== seed {seed - 1}: {f} only beside other programs", flush=True)
                with open(f"together{seed - 1}.gmx", "w", encoding="utf-8") as out:
                    out.write(runner.script(programs))
                continue
            print(f"== seed {seed - 1}: {what[0]}: {what[1]}", flush=True)
            print(runner.script([small]), flush=True)
        if seed % 20 == 0:
            print(f"-- {done} programs, {failures} failures", flush=True)
    print(f"{done} programs, {failures} failures; by kind: {kinds}")
    return 1 if failures else 0


# ---- programs with answers, for the suite -------------------------------------------------------------------------


def check_lines(name, value):
    """GMX lines that print what is known of a value, each with the comment that says what NumPy gives."""
    shape = tup(value.shape)
    flat, size = value.lo.reshape(-1), value.lo.size
    fixed = f"{value.name} {shape}"
    if size == 0:
        return [f'print("{{{name}.dtype}} {{{name}.shape}}")  # expect: {fixed}']
    lines = []
    parts = [(f"flatten({name})", flat)] if size <= 40 else []
    if size > 40:
        at = np.unique(np.linspace(0, size - 1, 12).astype(int))
        parts.append((f"flatten({name})[{literal(at)}]", flat[at]))
    if value.kind != "f":
        for text, part in parts:
            need(value.kind != "u" or np.all(part < 2**62))
            expected = literal(part) if value.kind == "b" else f"{value.name}({literal(part)})"
            lines.append(f'print("{{{name}.dtype}} {{{name}.shape}} {{all({text} == {expected})}}")  # expect: {fixed} True')
        if size > 40:
            weights = np.arange(size) % 97 + 1
            need(np.all(np.abs(flat.astype(np.float64)) < 2**40))
            total = int(np.sum(flat.astype(np.int64) * weights))
            lines.append(f"print(sum(i64(flatten({name})) * (arange({size}) % 97 + 1)))  # expect: {total}")
        return lines
    need(value.finite() and np.all(np.isfinite(value.hi)))
    limit = float(f"{value.tolerance():.2g}") or 1e-300
    for text, part in parts:
        exact = value.exact() and np.max(np.abs(part)) < 1e6
        digits = ".17g" if exact or value.name == "f64" else ".12g"
        expected = "[" + ", ".join(f"{float(x):{digits}}" for x in part) + "]"
        lines.append(f'print("{{{name}.dtype}} {{{name}.shape}} {{all(abs(f64({text}) - {expected}) <= {limit!r})}}")  # expect: {fixed} True')
    if size > 40:
        weights = np.arange(size) % 7 + 1
        total = float(np.sum(value.hi.reshape(-1) * weights))
        limit = float(f"{value.tolerance() * 7 * np.sqrt(size) + 1e-13 * abs(total):.2g}") or 1e-300
        lines.append(f"print(abs(sum(f64(flatten({name})) * (arange({size}) % 7 + 1)) - ({total!r})) <= {limit!r})  # expect: True")
    return lines


SUITE = {"reduce": 4, "view": 2, "matmul": 2, "control": 4, "elementwise": 1, "index": 2, "mixed": 2}


def suite_program(seed, profile):
    """A program of a suitable size and its lines, or None."""
    r, counter = random.Random(seed), itertools.count()
    try:
        p = random_program(r, counter, size=r.choice([3, 5, 7, 10]), profile=profile)
        if not p or not 3 <= len(p.nodes) <= 9:
            return None
        p = p.pruned(p.outputs[:2])
        env = p.run()
        lines, names = p.lines(f"p{seed}")
        if len(p.nodes) < 2 or len(lines) > 40 or any(len(l) > 160 for l in lines):
            return None
        checks = [l for n, name in zip(p.outputs, names) for l in check_lines(name, env[n])]
        return p, lines + checks, sum(len(l) for l in lines)
    except Reject:
        return None


def write(options):
    """Each file holds programs of one profile; names are numbered by seed, so those of one file never clash."""
    seed = options.seed
    for profile, files in SUITE.items():
        for k in range(files):
            text, count = [f"# {profile}: random programs with NumPy's answers, written by tests/data/make_lang_programs.py."], 0
            while count < 9:
                seed += 1
                made = suite_program(seed, profile)
                if not made or made[0].style == "top":
                    continue
                renamed = [rename(l, seed) for l in made[1]]
                text += [""] + renamed
                count += 1
            with open(os.path.join(options.folder, f"{profile}_{k + 1}.gmx"), "w", encoding="ascii") as out:
                out.write("\n".join(text) + "\n")
    return 0


def rename(line, seed):
    """Top-level inputs x3 of program 17 become x17_3."""
    return re.sub(r"\b(x|fn_)(\d+)\b", rf"\g<1>{seed}_\g<2>", line)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["fuzz", "write"])
    parser.add_argument("gmx")
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--per-file", type=int, default=12)
    parser.add_argument("--repeat", type=int, default=2, help="failures shown per message")
    parser.add_argument("--profile", choices=list(PROFILES))
    parser.add_argument("--flags", default="")
    parser.add_argument("--check", action="store_true", help="run `gmx check` too")
    parser.add_argument("--no-shrink", action="store_true")
    options = parser.parse_args()
    return fuzz(options) if options.command == "fuzz" else write(options)


if __name__ == "__main__":
    sys.exit(main())
