#!/usr/bin/env python3
"""Writes tests/lang/differential/*.gmx: expressions over every dtype pair, random einsum specifications, random
broadcasting pairs, and every array function over every dtype, with the dtype, shape and values that NumPy 2 gives.

    tests/data/make_differential.py [FOLDER]

Needs NumPy 2 and ml_dtypes (for bf16).  Values are small and exact in every dtype, so that no order of summation shows.
What NumPy refuses must be an error here; such lines stand in programs of their own, at most 20 to each, since a run
reports no more."""
import itertools
import os
import random
import sys
import warnings

import ml_dtypes
import numpy as np

warnings.simplefilter("ignore")
np.seterr(all="ignore")
DTYPES = {
    "bool": np.bool_, "u8": np.uint8, "u16": np.uint16, "u32": np.uint32, "u64": np.uint64, "i8": np.int8, "i16": np.int16,
    "i32": np.int32, "i64": np.int64, "f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64,
}
NAME_OF = {np.dtype(kind): name for name, kind in DTYPES.items()}
ERRORS_PER_PROGRAM = 18
HEADER = "# Written by tests/data/make_differential.py: expected is what NumPy 2 gives.\n# flags: -O0\n"


def kind_of(name):
    return "b" if name == "bool" else name[0] if name[0] in "ui" else "f"


def show(value):
    """A value as GMX prints it: NumPy's text, with 16-bit floats widened."""
    value = np.asarray(value)
    if value.dtype in (np.float16, ml_dtypes.bfloat16):
        value = value.astype(np.float32)
    return str(value[()] if value.ndim else value.item() if value.dtype != np.float32 else value[()])


def shown(text, name):
    return f"{{f32({text})}}" if name in ("f16", "bf16") else f"{{{text}}}"


class Program:
    """A program that prints, and the programs of its expressions that must fail."""

    def __init__(self, folder, name, setup):
        self.folder, self.name, self.setup = folder, name, setup
        self.lines, self.failures, self.checks = [], [], 0

    def expect(self, text, expected, checks=1):
        first, *rest = expected.split("\n")
        self.lines.append("\n".join([f'print("{text}")  # expect: {first}'] + [f"# expect: {line}" for line in rest]))
        self.checks += checks

    def fails(self, text, code):
        self.failures.append(f"print({text})  # error: {code}")
        self.checks += 1

    def write(self):
        chunks = [self.failures[i:i + ERRORS_PER_PROGRAM] for i in range(0, len(self.failures), ERRORS_PER_PROGRAM)]
        for suffix, lines in [("", self.lines)] + [(f"_errors_{i + 1}", chunk) for i, chunk in enumerate(chunks)]:
            if lines:
                with open(os.path.join(self.folder, f"{self.name}{suffix}.gmx"), "w") as file:
                    file.write(HEADER + "\n".join(self.setup + lines) + "\n")
        return self.checks


# ---- dtype pairs ------------------------------------------------------------------------------------------
LEFT, RIGHT = [3, 0, 1, 7], [2, 1, 5, 1]
BINARY = {
    "add": ("({a} + {b})", np.add), "subtract": ("({a} - {b})", np.subtract), "multiply": ("({a} * {b})", np.multiply),
    "divide": ("({a} / {b})", np.true_divide), "floor_divide": ("({a} // {b})", np.floor_divide), "remainder": ("({a} % {b})", np.remainder),
    "power": ("({a} ^ {b})", np.power), "equal": ("({a} == {b})", np.equal), "not_equal": ("({a} != {b})", np.not_equal),
    "less": ("({a} < {b})", np.less), "less_equal": ("({a} <= {b})", np.less_equal), "greater": ("({a} > {b})", np.greater),
    "greater_equal": ("({a} >= {b})", np.greater_equal), "maximum": ("maximum({a}, {b})", np.maximum), "minimum": ("minimum({a}, {b})", np.minimum),
    "bitwise_and": ("bitwise_and({a}, {b})", np.bitwise_and), "bitwise_or": ("bitwise_or({a}, {b})", np.bitwise_or),
    "bitwise_xor": ("bitwise_xor({a}, {b})", np.bitwise_xor), "left_shift": ("left_shift({a}, {b})", np.left_shift),
    "right_shift": ("right_shift({a}, {b})", np.right_shift), "where": ("where({a} > {b}, {a}, {b})", lambda a, b: np.where(a > b, a, b)),
    "fmod": ("fmod({a}, {b})", np.fmod), "copysign": ("copysign({a}, {b})", np.copysign),
}


def attempt(function, *arguments):
    try:
        return function(*arguments)
    except TypeError:
        return None


def operands(name):
    """The two operand vectors: signed ones carry a sign, floats a half."""
    left, right = list(LEFT), list(RIGHT)
    if kind_of(name) in "if":
        left = [-3, 0, 1, 7]
    if kind_of(name) == "f":
        left = [-3.5, 0.0, 1.25, 7.0]
    if name == "bool":
        left, right = [1, 0, 1, 1], [1, 1, 1, 1]
    return np.array(left).astype(DTYPES[name]), np.array(right).astype(DTYPES[name])


def literal(array):
    values = [str(v).lower() if array.dtype == bool else str(v) for v in array.astype(np.float64 if array.dtype.kind not in "biu" else array.dtype).tolist()]
    return f"{NAME_OF[array.dtype]}([{', '.join(values)}])"


def dtype_pairs(folder):
    setup = [f"let {name}_{side} = {literal(operands(name)[k])}" for name in DTYPES for k, side in enumerate("ab")]
    checks = 0
    for operation, (text, function) in BINARY.items():
        program = Program(folder, f"dtypes_{operation}", setup)
        for left in DTYPES:
            cells, expected = [], []
            for right in DTYPES:
                a, b = operands(left)[0], operands(right)[1]
                if attempt(np.promote_types, a.dtype, b.dtype) is None:
                    continue
                call = text.format(a=f"{left}_a", b=f"{right}_b")
                result = attempt(function, a, b)
                if result is None:
                    if len(program.failures) < ERRORS_PER_PROGRAM:
                        program.fails(call, "E0202")
                    continue
                name = NAME_OF[result.dtype]
                cells.append(f"{{{call}.dtype}} {shown(call, name)}")
                expected.append(f"{name} {show(result)}")
            if cells:
                program.expect("; ".join(cells), "; ".join(expected), len(cells))
        checks += program.write()
    return checks


def weak_literals(folder):
    """A literal takes the dtype of what it meets, on either side."""
    setup = [f"let {name}_a = {literal(operands(name)[0])}" for name in DTYPES]
    program = Program(folder, "weak_literals", setup)
    for operation in ("add", "multiply", "divide", "floor_divide", "remainder", "power", "less", "maximum", "where"):
        text, function = BINARY[operation]
        for number in (2, 2.5, True):
            word = str(number).lower()
            for name in DTYPES:
                a = operands(name)[0]
                for call, arguments in ((text.format(a=f"{name}_a", b=word), (a, number)), (text.format(a=word, b=f"(abs({name}_a) + {name}(true))"), (number, abs(a) + a.dtype.type(1)))):
                    if (name == "bool" and "abs" in call) or (name == "bf16" and isinstance(number, float)):
                        continue  # NumPy does not know that bf16 is a float: a literal would make it f32
                    result = attempt(function, *arguments)
                    if result is None:
                        continue
                    kind = NAME_OF[result.dtype]
                    program.expect(f"{{({call}).dtype}} {shown(call, kind)}", f"{kind} {show(result)}")
    return program.write()


# ---- einsum -----------------------------------------------------------------------------------------------
def random_einsum(rng):
    sizes = {letter: rng.choice([1, 2, 2, 3, 4, 0] if rng.random() < .1 else [1, 2, 3, 4]) for letter in "abcdef"}
    letters = rng.sample("abcdef", rng.randint(1, 4))
    operands_of = ["".join(rng.choice(letters) for _ in range(rng.randint(0 if count else 1, 3)))
                   for count in range(rng.choice([1, 2, 2, 2, 3]))]
    ellipsis = [rng.random() < .5 for _ in operands_of] if rng.random() < .15 else [False] * len(operands_of)
    used = sorted(set("".join(operands_of)))
    output = ""
    if rng.random() < .75:
        output = "->" + ("..." if any(ellipsis) else "") + "".join(rng.sample(used, rng.randint(0, len(used))))
    specification = ",".join(("..." if dots else "") + word for dots, word in zip(ellipsis, operands_of)) + output
    shapes = [((rng.choice([1, 2]),) if dots else ()) + tuple(sizes[letter] for letter in word) for dots, word in zip(ellipsis, operands_of)]
    return specification, shapes


def ramp(shape, step, shift):
    count = int(np.prod(shape, dtype=int))
    text = f"(arange({count}) * {step}) % 7 - {shift}"
    values = (np.arange(count) * step) % 7 - shift
    return (f"reshape({text}, ({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''}))" if shape else f"sum({text})", values.reshape(shape))


def einsum(folder, count=220):
    rng = random.Random(5)
    program = Program(folder, "einsum", [])
    seen = set()
    while program.checks < count:
        specification, shapes = random_einsum(rng)
        if (specification, tuple(shapes)) in seen:
            continue
        seen.add((specification, tuple(shapes)))
        made = [ramp(shape, rng.randint(1, 6), rng.randint(1, 3)) for shape in shapes]
        call = f'einsum("{specification}", ' + ", ".join(text for text, _ in made) + ")"
        try:
            result = np.einsum(specification, *(values for _, values in made))
        except ValueError:
            program.fails(call, "E0203")
            continue
        flat = f"reshape({call}, (-1,))" if result.size else None
        check = f"{{{call}.shape}}" + (f" {{{flat}}}" if flat else "")
        expected = str(np.asarray(result).shape) + (f" {np.asarray(result).reshape(-1)}" if result.size else "")
        if result.size <= 40:
            program.expect(check, expected)
    return program.write()


# ---- broadcasting -----------------------------------------------------------------------------------------
def broadcasting(folder, count=220):
    rng = random.Random(7)
    program = Program(folder, "broadcasting", [])
    symbols = {"+": np.add, "*": np.multiply, "<": np.less, "-": np.subtract}
    while program.checks < count:
        full = [rng.choice([1, 2, 3, 4, 5, 0] if rng.random() < .2 else [1, 2, 3]) for _ in range(rng.randint(0, 4))]
        shapes = []
        for _ in range(2):
            shape = [1 if rng.random() < .3 else size for size in full[rng.randint(0, len(full)):] or []]
            if shape and rng.random() < .12:
                shape[rng.randrange(len(shape))] += 1
            shapes.append(tuple(shape))
        (left, a), (right, b) = (ramp(shape, rng.randint(1, 6), rng.randint(1, 3)) for shape in shapes)
        symbol = rng.choice(list(symbols))
        call = f"({left} {symbol} {right})"
        try:
            result = np.asarray(symbols[symbol](a, b))
        except ValueError:
            program.fails(call, "E0203")
            continue
        if result.size > 60:
            continue
        check = f"{{{call}.shape}}" + (f" {{reshape({call}, (-1,))}}" if result.size else "")
        program.expect(check, str(result.shape) + (f" {result.reshape(-1)}" if result.size else ""))
    return program.write()


# ---- functions over dtypes --------------------------------------------------------------------------------
FUNCTIONS = {
    "sum": np.sum, "prod": np.prod, "mean": np.mean, "min": np.min, "max": np.max, "argmin": np.argmin, "argmax": np.argmax,
    "any": np.any, "all": np.all, "cumsum": np.cumsum, "cumprod": np.cumprod, "sort": np.sort, "unique": np.unique,
    "argsort": lambda x, **axis: np.argsort(x, kind="stable", **axis), "diff": np.diff, "abs": np.abs, "sign": np.sign,
    "floor": np.floor, "ceil": np.ceil, "round": np.round, "trunc": np.trunc, "square": np.square, "negative": np.negative,
    "flip": np.flip, "flatten": np.ravel, "isnan": np.isnan, "isfinite": np.isfinite, "logical_not": np.logical_not,
    "ptp": np.ptp, "median": np.median, "var": np.var, "count_nonzero": np.count_nonzero, 
    "bitwise_not": np.bitwise_not, "signbit": np.signbit, "sqrt": lambda x: np.sqrt(np.square(x)), "trace": np.trace,
    "transpose": np.transpose, "zeros_like": np.zeros_like, "ones_like": np.ones_like, "triu": np.triu, "tril": np.tril, "diag": np.diag,
    "cummax": np.maximum.accumulate, "cummin": np.minimum.accumulate, "real": np.real, "conj": np.conj,
}
SPELLING = {"sqrt": "sqrt(square({x}))"}
AS_THEY_ARE = ("round", "conj")  # bools: NumPy's come out as f16 and i8, the first of its loops that takes them
WITH_AXIS = ("sum", "prod", "mean", "min", "max", "argmin", "argmax", "any", "all", "cumsum", "cumprod", "sort", "argsort", "diff", "flip", "cummax", "cummin", "ptp", "median", "var")
MATRIX_ONLY = ("trace", "triu", "tril", "transpose")


def samples(name):
    vector = {"b": [1, 0, 1, 1], "u": [3, 0, 2, 3], "i": [-3, 0, 2, -1], "f": [-2.5, 0.0, 1.5, -1.0]}[kind_of(name)]
    matrix = {"b": [[1, 0], [0, 0]], "u": [[4, 2], [2, 8]], "i": [[4, -2], [2, -8]], "f": [[0.5, -2.0], [4.0, -0.5]]}[kind_of(name)]
    return np.array(vector).astype(DTYPES[name]), np.array(matrix).astype(DTYPES[name])


def functions(folder):
    setup = []
    for name in DTYPES:
        vector, matrix = samples(name)
        setup += [f"let {name}_v = {literal(vector)}", f"let {name}_m = reshape({literal(matrix.reshape(-1))}, (2, 2))", f"let {name}_e = {name}_v[:0]"]
    checks = 0
    groups = itertools.zip_longest(*[iter(FUNCTIONS)] * 8)
    for number, group in enumerate(groups):
        program = Program(folder, f"functions_{number + 1}", setup)
        for function in filter(None, group):
            for name in DTYPES:
                vector, matrix = samples(name)
                cases = [("v", "", vector, {}), ("m", "", matrix, {}), ("e", "", vector[:0], {})]
                if function in WITH_AXIS:
                    cases += [("m", ", axis=0", matrix, {"axis": 0}), ("m", ", axis=-1", matrix, {"axis": -1})]
                for letter, options, value, keywords in cases:
                    if (function in MATRIX_ONLY and value.ndim < 2) or (function in ("cummax", "cummin") and value.ndim > 1 and not keywords):
                        continue
                    if name == "bool" and function in AS_THEY_ARE:
                        continue
                    if not value.size and function in ("diff", "ptp", "median", "mean", "var", "min", "max", "argmin", "argmax", "diag"):
                        continue
                    text = SPELLING.get(function, function + "({x}" + options + ")").format(x=f"{name}_{letter}")
                    try:
                        result = np.asarray(FUNCTIONS[function](value, **keywords))
                    except (TypeError, ValueError):
                        continue
                    if result.dtype not in NAME_OF:
                        continue
                    kind = NAME_OF[result.dtype]
                    values = f" {shown(text if result.ndim < 2 else f'reshape({text}, (-1,))', kind)}" if result.size else ""
                    program.expect(f"{{{text}.dtype}} {{{text}.shape}}{values}", f"{kind} {result.shape}" + (f" {show(result.reshape(-1) if result.ndim > 1 else result)}" if result.size else ""))
        checks += program.write()
    return checks


# ---- every other array function ----------------------------------------------------------------------------
# name: (text, NumPy's).  v: a vector of 4, w: another, m: a matrix of 2 by 2, all of one dtype.
def each(names, text="{f}({v})", call=lambda f: lambda v, w, m: f(v)):
    return {name: (text.replace("{f}", name), call(getattr(np, spelled))) for name, spelled in names.items()}


def same(*names):
    return {name: name for name in names}


def top(v, k):
    order = np.argsort(-v.astype(np.float64), kind="stable")[:k]
    return v[order], order


SHORT = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh"}
CALLS = {
    **each(SHORT), **each({v: v for v in SHORT.values()}),
    **each(same("cos", "cosh", "sin", "sinh", "tan", "tanh", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "cbrt",
                "deg2rad", "rad2deg", "degrees", "radians", "angle", "positive", "imag", "isinf", "isneginf", "isposinf",
                "isreal", "iscomplex", "invert", "conjugate", "rint", "fabs", "reciprocal", "sinc", "nan_to_num",
                "fix", "std", "empty_like", "flipud", "diagflat", "nonzero", "modf", "ravel", "ndim", "size")),
    **each(same("hypot", "fmax", "fmin", "logaddexp", "logaddexp2", "float_power", "heaviside", "logical_and", "logical_or",
                "logical_xor", "outer", "inner", "dot", "vdot", "kron", "isclose", "allclose", "array_equal", "divmod",
                "isin", "append", "arctan2", "ldexp"), "{f}({v}, {w})", lambda f: lambda v, w, m: f(v, w)),
    **each({"add": "add", "sub": "subtract", "mul": "multiply", "div": "true_divide", "floordiv": "floor_divide", "mod": "remainder",
            "pow": "power", "atan2": "arctan2", "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal",
            "gt": "greater", "ge": "greater_equal", "true_divide": "true_divide"}, "{f}({v}, {w})", lambda f: lambda v, w, m: f(v, w)),
    **each({"concat": "concatenate", "concatenate": "concatenate", "stack": "stack", "hstack": "hstack"},
           "{f}(({v}, {w}))", lambda f: lambda v, w, m: f((v, w))),
    **each(same("fliplr", "diagonal", "rot90"), "{f}({m})", lambda f: lambda v, w, m: f(m)),
    "cross": ("cross({v}[:3], {w}[:3])", lambda v, w, m: np.cross(v[:3], w[:3])),
    "neg": ("neg({v})", lambda v, w, m: -v), "erf": ("erf({v} * 0)", lambda v, w, m: np.sin(v * 0)),
    "erfc": ("erfc({v} * 0)", lambda v, w, m: np.cos(v * 0)), "rsqrt": ("rsqrt({v} * {v} + 1)", lambda v, w, m: 1 / np.sqrt(v * v + 1)),
    "clip": ("clip({v}, {v}[1], {v}[2])", lambda v, w, m: np.clip(v, v[1], v[2])),
    "copysign": ("copysign({v}, {w})", lambda v, w, m: np.copysign(v, w)),
    "around": ("around({v})", lambda v, w, m: np.around(v)), "bitwise_invert": ("bitwise_invert({v})", lambda v, w, m: np.invert(v)),
    "matmul": ("matmul({m}, {v}[:2])", lambda v, w, m: m @ v[:2]), "tensordot": ("tensordot({m}, {m}, 1)", lambda v, w, m: np.tensordot(m, m, 1)),
    "vecdot": ("vecdot({v}, {w})", lambda v, w, m: np.vecdot(v, w)), "norm": ("norm({v})", lambda v, w, m: np.linalg.norm(v)),

    "average": ("average({v})", lambda v, w, m: np.average(v)), "trapezoid": ("trapezoid({v})", lambda v, w, m: np.trapezoid(v)),
    "quantile": ("quantile({v}, 0.25)", lambda v, w, m: np.quantile(v, 0.25)), "percentile": ("percentile({v}, 75)", lambda v, w, m: np.percentile(v, 75)),
    "cov": ("cov({m})", lambda v, w, m: np.cov(m)), "corrcoef": ("corrcoef({m})", lambda v, w, m: np.corrcoef(m)),
    "logsumexp": ("logsumexp({v})", lambda v, w, m: np.log(np.sum(np.exp(v)))),
    "reshape": ("reshape({v}, (2, 2))", lambda v, w, m: v.reshape(2, 2)), "swapaxes": ("swapaxes({m}, 0, 1)", lambda v, w, m: m.swapaxes(0, 1)),
    "moveaxis": ("moveaxis({m}, 0, 1)", lambda v, w, m: np.moveaxis(m, 0, 1)), "expand_dims": ("expand_dims({v}, 0)", lambda v, w, m: v[None]),
    "squeeze": ("squeeze({v}[None])", lambda v, w, m: v), "broadcast_to": ("broadcast_to({v}, (2, 4))", lambda v, w, m: np.broadcast_to(v, (2, 4))),
    "permute_dims": ("permute_dims({m}, (1, 0))", lambda v, w, m: m.T),
    "split": ("split({v}, 2)", lambda v, w, m: np.split(v, 2)), "tile": ("tile({v}, 2)", lambda v, w, m: np.tile(v, 2)),
    "repeat": ("repeat({v}, 3)", lambda v, w, m: np.repeat(v, 3)), "roll": ("roll({v}, 1)", lambda v, w, m: np.roll(v, 1)),
    "pad": ("pad({v}, (1, 2))", lambda v, w, m: np.pad(v, (1, 2))), "full": ("full((2,), {v}[0])", lambda v, w, m: np.full((2,), v[0])),
    "full_like": ("full_like({m}, {v}[0])", lambda v, w, m: np.full_like(m, v[0])),
    "take": ("take({v}, [2, 0])", lambda v, w, m: np.take(v, [2, 0])),
    "take_along_axis": ("take_along_axis({v}, [3, 1], axis=0)", lambda v, w, m: np.take_along_axis(v, np.array([3, 1]), axis=0)),
    "scatter_add": ("scatter_add({v}, [1, 1], {w}[:2])", lambda v, w, m: v + np.array([0, 1, 0, 0]).astype(v.dtype) * (w[0] + w[1])),
    "searchsorted": ("searchsorted(sort({v}), {w})", lambda v, w, m: np.searchsorted(np.sort(v), w)),
    "digitize": ("digitize({w}, sort({v}))", lambda v, w, m: np.digitize(w, np.sort(v))),
    "topk": ("topk({v}, 2)", lambda v, w, m: top(v, 2)), "partition": ("sort(partition({v}, 2)[:2])", lambda v, w, m: np.sort(v)[:2]),
    "argpartition": ("{v}[argpartition({v}, 0)[0]]", lambda v, w, m: np.min(v)),
    "bincount": ("bincount(abs({v}))", lambda v, w, m: np.bincount(np.abs(v))),
    "vander": ("vander({v}, 3)", lambda v, w, m: np.vander(v, 3)), "where": ("where({v} == {w}, {v}, {w})", lambda v, w, m: np.where(v == w, v, w)),
    "amax": ("amax({v})", lambda v, w, m: np.max(v)), "amin": ("amin({v})", lambda v, w, m: np.min(v)),
    "cast": ("cast({v}, f64)", lambda v, w, m: v.astype(np.float64)), "len": ("len({v}) + 0 * {v}[:0].size", lambda v, w, m: 4),
    "is_float": ("is_float({v})", lambda v, w, m: v.dtype.kind not in "biu"), "is_complex": ("is_complex({v})", lambda v, w, m: False),
    "complex": ("complex({v}, {w})", lambda v, w, m: v.astype(np.float64) + 1j * w.astype(np.float64)),
}
# No dtype of an argument in them: once each.
MADE = {
    "zeros": ("zeros(2, 3)", np.zeros((2, 3))), "ones": ("ones(2)", np.ones(2)), "eye": ("eye(2, 3, k=1)", np.eye(2, 3, k=1)),
    "arange": ("arange(1, 7, 2)", np.arange(1, 7, 2)), "linspace": ("linspace(0, 1, 5)", np.linspace(0, 1, 5)),
    "logspace": ("logspace(0, 2, 3)", np.logspace(0, 2, 3)), "geomspace": ("geomspace(1, 8, 4)", np.geomspace(1, 8, 4)),
    "tri": ("tri(3)", np.tri(3)), "one_hot": ("one_hot([1, 0], 3)", np.array([[0, 1, 0], [1, 0, 0]], float)),
    "histogram": ("histogram([1.0, 2.0, 2.5, 4.0], bins=3)[0]", np.histogram([1.0, 2.0, 2.5, 4.0], bins=3)[0]),
    "histogram_edges": ("histogram([1.0, 2.0, 4.0], bins=3)[1]", np.histogram([1.0, 2.0, 4.0], bins=3)[1]),
    "rand": ("rand(3).shape[0] + 0 * i64(rand(2))", np.array([3, 3])), "randn": ("randn(4) - randn(4) * 0 > -100", np.ones(4, bool)),
    "randint": ("randint(2, 3, (4,))", np.full(4, 2)), "permutation": ("sort(permutation(5))", np.arange(5)),
    "choice": ("choice([3, 3], 4)", np.full(4, 3)), "einsum": ("einsum(\"i,i->\", [1.0, 2.0], [3.0, 4.0])", np.float64(11)),
    "dtype": ("dtype(f32(1)) == f32", np.bool_(True)), "lgamma": ("lgamma([1.0, 5.0])", np.log(np.array([1.0, 24.0]))),
}
TOLERANCE = {"f16": 2e-3, "bf16": 2e-2, "f32": 2e-6, "f64": 1e-12}


def compared(text, result):
    """Text and expected text: dtype, shape, and whether the values are NumPy's."""
    result = np.asarray(result)
    kind = "bool" if result.dtype == bool else NAME_OF.get(result.dtype, "c128" if result.dtype == np.complex128 else None)
    if kind is None:
        return None
    if kind == "c128":
        text, result = f"real({text}) + 10 * imag({text})", result.real + 10 * result.imag
        kind = "f64"
    wide = result.astype(np.float64).reshape(-1) if kind in TOLERANCE else result.reshape(-1)
    if not wide.size:
        return f"{{({text}).dtype}} {{({text}).shape}}", f"{kind} {result.shape}"
    if kind not in TOLERANCE:
        shape = f"({text})" if result.ndim < 2 else f"reshape({text}, (-1,))"
        return f"{{({text}).dtype}} {{({text}).shape}} {{{shape}}}", f"{kind} {result.shape} {show(result if result.ndim < 2 else wide)}"
    numbers = ", ".join({"inf": "inf", "-inf": "-inf", "nan": "nan"}.get(repr(float(x)), repr(float(x))) for x in wide)
    close = f"allclose(f64(reshape({text}, (-1,))), [{numbers}], rtol={TOLERANCE[kind]}, atol={TOLERANCE[kind]}, equal_nan=true)"
    return f"{{({text}).dtype}} {{({text}).shape}} {{{close}}}", f"{kind} {result.shape} True"


def calls(folder):
    setup, checks = [], 0
    for name in DTYPES:
        vector, matrix = samples(name)
        setup += [f"let {name}_v = {literal(vector)}", f"let {name}_w = {literal(vector[::-1])}", f"let {name}_m = reshape({literal(matrix.reshape(-1))}, (2, 2))"]
    for number, group in enumerate(itertools.zip_longest(*[iter(CALLS)] * 8)):
        program = Program(folder, f"calls_{number + 1}", setup)
        for function, name in itertools.product(filter(None, group), DTYPES):
            vector, matrix = samples(name)
            text = CALLS[function][0].format(v=f"{name}_v", w=f"{name}_w", m=f"{name}_m")
            if name in LEFT_OUT.get(function, "").split():
                continue
            try:
                result = CALLS[function][1](vector, vector[::-1], matrix)
            except (TypeError, ValueError):
                continue
            parts = enumerate(result) if isinstance(result, (tuple, list)) and function != "shape" else [(None, result)]
            for i, part in parts:
                pair = compared(text if i is None else f"{text}[{i}]", part)
                if pair:
                    program.expect(*pair)
        checks += program.write()
    program = Program(folder, "makers", [])
    for text, result in MADE.values():
        program.expect(*compared(text, result))
    return checks + program.write()


# Where GMX does not promise what NumPy does: integer division by zero is an error, arithmetic of bools where NumPy has
# none for them, wide sums of products, bf16 as ml_dtypes has it in fewer functions.
LEFT_OUT = {
    "divmod": "bool u8 u16 u32 u64 i8 i16 i32 i64",
    "ldexp": "bool i16 i8 u16 u8",
    "floordiv": "bool u8 u16 u32 u64 i8 i16 i32 i64",
    "mod": "bool u8 u16 u32 u64 i8 i16 i32 i64",
    "clip": "bf16",
    "around": "bool",
    "matmul": "bool bf16",
    "tensordot": "bool",
    "vecdot": "bool u8 u16 u32 i8 i16 i32 bf16",
    "norm": "bf16",
    "trapezoid": "bf16",
    "quantile": "bf16",
    "percentile": "bf16",
    "logsumexp": "bool i16 i8 u16 u8",
    "bincount": "bool",
    "complex": "bool u8 u16 i8 i16 f16 bf16 f32",
    "deg2rad": "bool i16 i8 u16 u8",
    "rad2deg": "bool i16 i8 u16 u8",
    "degrees": "bf16 bool i16 i8 u16 u8",
    "radians": "bf16 bool i16 i8 u16 u8",
    "angle": "bf16 bool f16 i16 i8 u16 u8",
    "conjugate": "bool",
    "rint": "bool u8 u16 u32 u64 i8 i16 i32 i64",
    "fabs": "bool u8 u16 u32 u64 i8 i16 i32 i64",
    "reciprocal": "bool u8 u16 u32 u64 i8 i16 i32 i64",
    "sinc": "f16 bf16",
    "empty_like": "bool u8 u32 u64 i8 i16 i32 i64 f16 bf16 f32 f64",
    "modf": "bool i16 i8 u16 u8",
    "logaddexp": "bool i16 i8 u16 u8",
    "logaddexp2": "bool i16 i8 u16 u8",
    "heaviside": "bool u8 u16 u32 u64 i8 i16 i32 i64",
    "inner": "bool",
    "dot": "bool",
    "vdot": "bool u8 u16 u32 i8 i16 i32",
    "isclose": "bool",
    "allclose": "bool",
}


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", "lang", "differential")
    os.makedirs(folder, exist_ok=True)
    total = 0
    for section in (dtype_pairs, weak_literals, einsum, broadcasting, functions, calls):
        checks = section(folder)
        total += checks
        print(f"{section.__name__}: {checks} checks")
    print(f"{total} checks")


main()
