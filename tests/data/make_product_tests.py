#!/usr/bin/python3
"""Writes tests/lang/products: matrix products of odd shapes and layouts with NumPy's answers.

    make_product_tests.py FOLDER

Operands hold small integers, so that every sum is exact in every dtype and order (i8 and u8 wrap as NumPy's
do); a result is printed as a weighted sum, which no two elements can swap places in unseen.  Run with
GMX_PRODUCT=own, =library and GMX_OPENBLAS=none, the programs see every way to compute a product.
"""
import itertools
import os
import random
import sys

import numpy as np

TYPES = {"f32": np.float32, "f64": np.float64, "f16": np.float16, "bf16": None, "i8": np.int8, "u8": np.uint8,
         "i16": np.int16, "u16": np.uint16, "i32": np.int32, "u32": np.uint32, "i64": np.int64, "u64": np.uint64,
         "bool": np.bool_}
SIZES = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32, 33, 47, 48, 49, 63, 64, 65, 100, 191, 192, 193, 255, 256, 257]


def wide(dtype):
    """The dtype in which NumPy computes what GMX does."""
    return {"f16": np.float32, "bf16": np.float32}.get(dtype, TYPES[dtype])


class Program:
    def __init__(self, name, dtype):
        self.name, self.dtype, self.lines, self.count = name, dtype, [], 0

    def operand(self, shape, step):
        """A new array: its name and value."""
        size = int(np.prod(shape, dtype=np.int64))
        modulus, shift = (5, 0) if self.dtype[0] == "u" else (2, 0) if self.dtype == "bool" else (7, 3)
        value = ((np.arange(size) * step + step) % modulus - shift).astype(wide(self.dtype)).reshape(shape)
        name = "x%d" % self.count
        self.count += 1
        text = "(%s,)" % shape[0] if len(shape) == 1 else "(%s)" % ", ".join(map(str, shape))
        self.lines.append("let %s = %s(reshape((arange(%d) * %d + %d) %% %d - %d, %s))"
                          % (name, self.dtype, size, step, step, modulus, shift, text))
        return name, value

    def expect(self, text, value):
        value = np.asarray(value)
        assert value.dtype.kind != "f" or self.dtype not in ("f16", "bf16") or not value.size or \
            abs(value).max() <= (2048 if self.dtype == "f16" else 256)
        whole = value.astype(np.int64)
        weights = np.arange(value.size).reshape(value.shape) * 7 % 127 - 60
        name = "y%d" % len(self.lines)  # a statement of its own: else the digest would be part of the kernel
        self.lines.append("let %s = %s" % (name, text))
        self.lines.append('print("{shape(%s)} {digest(%s)}")  # expect: %s %d'
                          % (name, name, value.shape, int((whole * weights).sum())))

    def write(self, folder):
        with open(os.path.join(folder, self.name + ".gmx"), "w") as out:
            out.write("# %s, written by tests/data/make_product_tests.py.\n\n" % self.name)
            out.write("fn digest(c) = sum(i64(c) * reshape(arange(size(c)) * 7 % 127 - 60, shape(c)))\n\n")
            out.write("\n".join(self.lines) + "\n")


def layouts(program, m, n, step, rng):
    """[m, n] by some detour: text and value."""
    kind = rng.choice(["plain", "plain", "transposed", "stepped", "reversed", "columns"])
    if kind == "plain" or not m or not n:
        return program.operand((m, n), step)
    if kind == "transposed":
        name, value = program.operand((n, m), step)
        return name + ".T", value.T
    if kind == "stepped":
        name, value = program.operand((2 * m, n), step)
        return name + "[1::2]", value[1::2]
    if kind == "reversed":
        name, value = program.operand((m, n), step)
        return name + "[::-1, ::-1]", value[::-1, ::-1]
    name, value = program.operand((m, 3 * n), step)
    return name + "[:, ::3]", value[:, ::3]


def shapes(dtype, count, largest, rng):
    program = Program("shapes_" + dtype, dtype)
    sizes = [s for s in SIZES if s <= largest]
    chosen = [(1, 1, 1), (0, 3, 2), (3, 0, 2), (3, 2, 0), (8, 48, 16), (9, 49, 17), (1, 65, 9), (65, 1, 9), (25, 16, 33)]
    chosen += [tuple(rng.choice(sizes) for _ in range(3)) for _ in range(count)]
    for m, n, k in chosen:
        if max(m, n, k) > largest:
            continue
        a, x = layouts(program, m, k, rng.choice([1, 3, 5]), rng)
        b, y = layouts(program, k, n, rng.choice([1, 2, 3]), rng)
        program.expect("%s @ %s" % (a, b), x @ y)
    return program


def batches(dtype, rng):
    program = Program("batches_" + dtype, dtype)
    for left, right in [((3,), (3,)), ((5, 2), (5, 2)), ((4, 1), (1, 3)), ((), (6,)), ((7,), ()), ((2, 1, 3), (4, 1)), ((0,), (0,)),
                        ((300,), (300,)), ((2, 40), (1, 40))]:
        for m, n, k in rng.sample(list(itertools.product([1, 3, 8, 17], [1, 5, 16, 50], [1, 4, 16])), 3):
            a, x = program.operand(left + (m, k), 3)
            b, y = program.operand(right + (k, n), 5)
            program.expect("%s @ %s" % (a, b), x @ y)
    a, x = program.operand((6, 9, 5), 3)
    b, y = program.operand((6, 11, 5), 5)
    program.expect("%s @ swapaxes(%s, -1, -2)" % (a, b), x @ y.swapaxes(-1, -2))
    program.expect("%s[::2] @ swapaxes(%s[::-2], -1, -2)" % (a, b), x[::2] @ y[::-2].swapaxes(-1, -2))
    program.expect("%s[:, :, :3] @ swapaxes(%s[:, 1:, 2:], -1, -2)" % (a, b), x[:, :, :3] @ y[:, 1:, 2:].swapaxes(-1, -2))
    v, z = program.operand((5,), 2)
    program.expect("%s @ %s" % (a, v), x @ z)
    program.expect("%s @ %s" % (v, v), z @ z)
    program.expect("swapaxes(%s, -1, -2) @ %s[:, :, :1]" % (a, a), x.swapaxes(-1, -2) @ x[:, :, :1])
    program.lines.append("fn turned(a, r) = maximum(swapaxes(a, -1, -2) @ a[:, :, :1] + r, 0) * 2")
    q, rest = program.operand((6, 5, 1), 3)
    program.expect("turned(%s, %s)" % (a, q), np.maximum(x.swapaxes(-1, -2) @ x[:, :, :1] + rest, x.dtype.type(0)) * x.dtype.type(2))
    program.expect("%s @ swapaxes(%s, -1, -2)" % (v, a), z @ x.swapaxes(-1, -2))
    return program


def epilogues(dtype, rng):
    """Bias, activation, residual and what only looks like an epilogue."""
    program = Program("epilogues_" + dtype, dtype)
    for m, n, k in [(1, 1, 1), (3, 5, 4), (8, 48, 16), (17, 50, 9), (1, 130, 33), (40, 1, 20), (200, 70, 40), (30, 30, 30), (0, 4, 3),
                    (4, 3, 0)]:
        a, x = program.operand((m, k), 3)
        b, y = program.operand((k, n), 5)
        v, bias = program.operand((n,), 2)
        c, column = program.operand((m, 1), 4)
        r, rest = program.operand((m, n), 3)
        product = x @ y
        zero, two = product.dtype.type(0), product.dtype.type(2)
        program.lines.append("fn layer%d(a, b, v) = maximum(a @ b + v, 0)" % program.count)
        program.expect("layer%d(%s, %s, %s)" % (program.count, a, b, v), np.maximum(product + bias, zero))
        program.lines.append("fn rest%d(a, b, r, c) = (a @ b) * 2 - r + c" % program.count)
        program.expect("rest%d(%s, %s, %s, %s)" % (program.count, a, b, r, c), product * two - rest + column)
        program.lines.append("fn strided%d(a, b, r) = a @ b + r.T" % program.count)
        t, turned = program.operand((n, m), 3)
        program.expect("strided%d(%s, %s, %s)" % (program.count - 1, a, b, t), product + turned.T)
        program.lines.append("fn twice%d(a, b) = (a @ b) * (a @ b) + 1" % program.count)
        program.expect("twice%d(%s, %s)" % (program.count, a, b), product * product + product.dtype.type(1))
        program.lines.append("fn both%d(a, b, r) { let p = a @ b; p + (r + p) * 2 }" % program.count)
        program.expect("both%d(%s, %s, %s)" % (program.count, a, b, r), product + (rest + product) * two)
        program.lines.append("fn turned%d(a, b, t) = (a @ b).T + t" % program.count)
        program.expect("turned%d(%s, %s, %s)" % (program.count, a, b, t), product.T + turned)
        program.lines.append("fn two%d(a, b, r) = a @ b - 2 * (a @ (b + b)) + r" % program.count)
        program.expect("two%d(%s, %s, %s)" % (program.count, a, b, r), product - two * (x @ (y + y)) + rest)
        program.lines.append("fn less%d(a, b, r) = a @ b < r" % program.count)
        program.expect("less%d(%s, %s, %s)" % (program.count, a, b, r), product < rest)
    a, x = program.operand((4, 1, 6, 5), 3)
    b, y = program.operand((3, 5, 9), 5)
    v, bias = program.operand((3, 1, 9), 2)
    program.lines.append("fn batch(a, b, v) = maximum(a @ b + v, 0) * 3")
    product = x @ y
    program.expect("batch(%s, %s, %s)" % (a, b, v), np.maximum(product + bias, product.dtype.type(0)) * product.dtype.type(3))
    return program


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    rng = random.Random(5)
    for dtype, count, largest in [("f32", 90, 300), ("f64", 90, 300), ("i8", 25, 65), ("u8", 25, 65), ("i16", 25, 65), ("i32", 40, 100),
                                  ("u32", 15, 65), ("i64", 40, 257), ("u64", 15, 65), ("f16", 30, 65)]:
        shapes(dtype, count, largest, rng).write(folder)
    for dtype in ["f32", "f64", "i64", "i8"]:
        batches(dtype, rng).write(folder)
    for dtype in ["f32", "f64", "i32"]:
        epilogues(dtype, rng).write(folder)


if __name__ == "__main__":
    main()
