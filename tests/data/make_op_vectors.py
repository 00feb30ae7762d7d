#!/usr/bin/python3
"""Writes tests/data/ops/<op>.txt: NumPy's results for every elementwise row of ir/ops.def that names a NumPy
function, for every dtype that its rule admits; and tests/data/ops/dtypes/<op>.txt, the dtype of its result.  Run it from the root after adding a row.

A case is a line `<operand dtype> <rows>` followed by one line per row: the operands and the result as the
hexadecimal bits of their elements.  The dtype of the result follows from the row's rule.  The operands of
`where`-like rows (three operands, the first a condition) start with a bool.
"""
import itertools
import math
import os
import re
import sys
import warnings

import numpy as np

warnings.simplefilter("ignore")
np.seterr(all="ignore")
FLOATS = {"f16": np.float16, "bf16": None, "f32": np.float32, "f64": np.float64}
INTEGERS = {p + str(b): np.dtype(("u" if p == "u" else "") + "int" + str(b)).type for p in "ui" for b in (8, 16, 32, 64)}
COMPLEX = {"c64": np.complex64, "c128": np.complex128}
RULES = {
    "KEEP": ["bool", *INTEGERS, *FLOATS],
    "NUMBER": [*INTEGERS, *FLOATS],
    "COUNT": [*INTEGERS, *FLOATS],
    "FLOAT": [*FLOATS],
    "BOOL": ["bool", *INTEGERS, *FLOATS],
    "LOGICAL": ["bool"],
    "INTEGER": ["bool", *INTEGERS],
    "SHIFT": [*INTEGERS],
}


def bf16_bits(values):
    """f32 values rounded to bf16, nearest even."""
    bits = np.asarray(values, np.float32).view(np.uint32).astype(np.uint64)
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    return np.where(np.isnan(values), 0x7FC0, rounded).astype(np.uint16)


def from_bf16(bits):
    return (np.asarray(bits, np.uint32) << 16).view(np.float32)


def function_named(name):
    if name.startswith("scipy.special."):  # not always there: the C library's, in double precision
        scalar = getattr(math, name.rsplit(".", 1)[1])
        return lambda x: np.vectorize(scalar, otypes=[np.float64])(np.asarray(x, np.float64)).astype(x.dtype)
    return getattr(np, name)


def samples(dtype, arity):
    if dtype == "bool":
        return np.array([False, True])
    if dtype in INTEGERS:
        info = np.iinfo(INTEGERS[dtype])
        values = [0, 1, 2, 3, 7, info.bits - 1, info.max, info.max - 1] + ([-1, -2, -7, info.min] if info.min else [])
        return np.array(values, INTEGERS[dtype])
    values = [0.0, 1.0, -1.0, 2.5, -3.0, 0.3, 7.0, math.inf, math.nan]
    if arity == 1:
        values += [-0.0, 0.5, -0.5, 1.5, -2.5, 3.7, -7.2, 10, -20.25, 1e-3, 100.7, 3e4, -math.inf, 6e-8, 2e-40, 1e-310]
    kind = np.float32 if dtype == "bf16" else FLOATS[dtype]
    result = np.array(values, kind)
    return from_bf16(bf16_bits(result)) if dtype == "bf16" else result


def hexadecimal(values, dtype):
    if dtype == "bf16":
        values = bf16_bits(values)
    values = np.ascontiguousarray(values)
    return [f"{int(v):x}" for v in values.view(f"u{values.itemsize}")]


def case(name, rule, arity, function, dtype):
    columns = [samples(dtype, arity)] * arity
    if arity == 3:
        columns[0] = samples("bool", 3)
    rows = list(itertools.product(*columns))
    operands = [np.array([row[k] for row in rows], columns[k].dtype) for k in range(arity)]
    if name == "power" and dtype in INTEGERS:  # NumPy refuses negative exponents
        kept = operands[1] >= 0
        operands = [operand[kept] for operand in operands]
    result = function(*operands)
    if rule == "KEEP" and dtype not in FLOATS and result.dtype.kind == "f":
        result = operands[0]  # before NumPy 2, floor and its like made integers floats
    is_bool = rule in ("BOOL", "LOGICAL")
    if not is_bool and dtype != "bf16":
        result = result.astype(operands[-1].dtype)
    dtypes = (["bool"] if arity == 3 else []) + [dtype] * (arity - (arity == 3))
    texts = [hexadecimal(o, t) for o, t in zip(operands, dtypes)]
    texts.append(hexadecimal(result, "bool" if is_bool else dtype))
    return [f"{dtype} {len(result)}"] + [" ".join(row) for row in zip(*texts)]


def as_dtype(values, dtype):
    """values in another dtype as hexadecimal texts"""
    if dtype == "bf16":
        return hexadecimal(np.asarray(values).astype(np.float32), "bf16")
    kind = np.bool_ if dtype == "bool" else INTEGERS.get(dtype) or FLOATS[dtype]
    return hexadecimal(np.asarray(values).astype(kind), dtype)


def casts():
    """All pairs of dtypes; floats outside of an integer dtype's range are left out (they have no NumPy value)."""
    everything = ["bool", *INTEGERS, *FLOATS]
    rounding = [1 + 2.0**-11, 1 + 2.0**-11 + 2.0**-40, 1 + 3 * 2.0**-11, 65519.99999, 65520.0, 2.0**-25, 2.0**-25 * 1.0001, 1 + 2.0**-8, 1 + 3 * 2.0**-8]
    with open("tests/data/casts.txt", "w", encoding="ascii") as out:
        for source, target in itertools.permutations(everything, 2):
            values = samples(source, 1)
            if source in ("f32", "f64"):
                values = np.concatenate([values, np.array(rounding, values.dtype), -np.array(rounding, values.dtype)])
            if source in FLOATS and target in INTEGERS:
                info = np.iinfo(INTEGERS[target])
                values = values[np.isfinite(values) & (np.trunc(values) >= info.min) & (np.trunc(values) <= info.max)]
            texts = zip(hexadecimal(values, source), as_dtype(values, target))
            out.write("\n".join([f"{source} {target} {len(values)}"] + [" ".join(row) for row in texts]) + "\n")


def result_dtype(name, rule, operands, function):
    """The GMX dtype of NumPy's result for arrays of these dtypes, `-` where NumPy has none."""
    arrays = [np.zeros(1, np.bool_ if d == "bool" else INTEGERS.get(d) or FLOATS.get(d) or COMPLEX[d]) for d in operands]
    try:
        result = function(*arrays).dtype
    except TypeError:
        return "-"
    if rule == "KEEP" and len(operands) == 1 and operands[0] not in FLOATS and result.kind == "f" and operands[0] not in COMPLEX:
        result = arrays[0].dtype  # before NumPy 2, floor and its like made integers floats
    if name.startswith("scipy.special."):
        result = np.sqrt(*arrays).dtype  # stands for every function of floats
    return {"b": "bool", "u": "u", "i": "i", "f": "f", "c": "c"}[result.kind] + (str(8 * result.itemsize) if result.kind != "b" else "")


def dtypes(op, name, rule, in_complex, arity, function):
    """Every combination of dtypes; not bf16, which NumPy lacks.  Complex numbers are refused where
    the table says so (NumPy orders them by their real parts)."""
    everything = ["bool", *INTEGERS, "f16", "f32", "f64", *COMPLEX]
    columns = [everything] * arity
    if arity == 3:
        columns[0] = ["bool"]
    with open(f"tests/data/ops/dtypes/{op}.txt", "w", encoding="ascii") as out:
        for operands in itertools.product(*columns):
            result = result_dtype(name, rule, operands, function)
            if in_complex == "NO" and rule != "LOGICAL" and COMPLEX.keys() & set(operands):
                result = "-"
            if result == "i8" and set(operands) == {"bool"} and rule not in ("COUNT", "SHIFT"):
                result = "-"
            out.write(" ".join([*operands, result]) + "\n")


def main():
    casts()
    os.makedirs("tests/data/ops/dtypes", exist_ok=True)
    row = re.compile(r'^OP([123])\(\s*(\w+),\s*(\w+),\s*(\w+),.*?"((?:[^"\\]|\\.)*)",\s*"([^"]*)",.*"[^"]*"\s*\)')
    intrinsic = re.compile(r'INTRINSIC\("[^"]*"\)')
    for line in open("ir/ops.def", encoding="utf-8"):
        found = row.match(intrinsic.sub("INTRINSIC", line))
        if not found or not found[6]:
            continue
        arity, op, rule, in_complex, name = int(found[1]), found[2], found[3], found[4], found[6]
        function = function_named(name)
        dtypes(op, name, rule, in_complex, arity, function)
        cases = [case(name, rule, arity, function, dtype) for dtype in RULES[rule]]
        with open(f"tests/data/ops/{op}.txt", "w", encoding="ascii") as out:
            for lines in filter(None, cases):
                out.write("\n".join(lines) + "\n")
    return 0


sys.exit(main())
