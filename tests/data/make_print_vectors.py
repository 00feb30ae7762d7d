#!/usr/bin/env python3
"""Writes tests/data/print/arrays.txt and specs.txt: what NumPy prints, and what Python's format() gives.

Not run by the tests; the files are committed.  Made with NumPy 1.24.

arrays.txt: "array DTYPE RANK EXTENTS... LENGTH", a line of the elements' bytes in hex, then LENGTH bytes
of text and a newline.  specs.txt: DTYPE, bytes in hex, spec, result, separated by tabs; `!` is an error.
"""
import os
import warnings

import numpy as np

warnings.simplefilter("ignore")
HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "print")
NAMES = {"bool": "bool", "uint8": "u8", "uint16": "u16", "uint32": "u32", "uint64": "u64", "int8": "i8",
         "int16": "i16", "int32": "i32", "int64": "i64", "float16": "f16", "float32": "f32", "float64": "f64", "complex64": "c64", "complex128": "c128"}
rng = np.random.default_rng(20240229)


def arrays():
    floats = [np.float16, np.float32, np.float64]
    special = [0.0, -0.0, 1.0, -1.0, 0.1, 1e-4, 9.999e-5, 1e8, 99999999.0, 123456789.0, 1e15, 1e16, 1e17, 1.5e300,
               5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 2.0**-44, 2.0**-1074, 2.0**100, 2.0**-24,
               2.0**-14, 65504.0, 1e22, 9007199254740993.0, 0.3, 2 / 3, 1e-5, 100.0, 1e100, 1e-100, np.inf, -np.inf,
               np.nan, 3.4028235e38, 1.1754944e-38, 1e-45, 6e-8, 33554432.0, 8.5e-40, 0.99999999999, 0.000123456789]
    for dtype in floats:
        for value in special:
            yield np.array(value, dtype)
        for value in special:
            yield np.array([value], dtype)
            yield np.array([value, 1.5], dtype)
            yield np.array([1.25, -value], dtype)
        yield np.array([np.nan, np.inf, -np.inf], dtype)
        yield np.array([np.nan, 1.0], dtype)
        yield np.array([-np.inf, 1.0, 1e10], dtype)
        yield np.array([[0.0, -0.0], [np.nan, -np.inf]], dtype)
        yield np.zeros((2, 3), dtype)
        for k in range(-310, 309, 7):
            yield np.array([10.0 ** k, 2.5 * 10.0 ** k], dtype)
        for scale in range(-8, 12):
            yield (rng.standard_normal(7) * 10.0 ** scale).astype(dtype)
        for k in range(60):
            shape = tuple(rng.integers(1, 6, rng.integers(1, 5)))
            yield np.round(rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 6), rng.integers(0, 9)).astype(dtype)
        for k in range(20):
            yield (10.0 ** rng.uniform(-4, 8, rng.integers(1, 40))).astype(dtype)
        yield np.linspace(0, 1, 50).astype(dtype)
        yield np.arange(36, dtype=dtype).reshape(3, 3, 2, 2) / 7
        yield (2.0 ** np.arange(-40, 40)).astype(dtype)
    for dtype in [np.uint8, np.uint16, np.uint32, np.uint64, np.int8, np.int16, np.int32, np.int64]:
        info = np.iinfo(dtype)
        yield np.array(info.max, dtype)
        yield np.array(info.min, dtype)
        yield np.array([info.min, 0, info.max], dtype)
        yield np.array([], dtype)
        for n in (1, 17, 100):
            yield rng.integers(info.min, info.max, n, dtype, endpoint=True)
        yield rng.integers(0, 100, (4, 3, 5)).astype(dtype)
    for value in (True, False):
        yield np.array(value)
        yield np.array([value])
    yield rng.integers(0, 2, (3, 40)).astype(bool)
    for shape in [(0,), (3, 0), (0, 3), (2, 0, 4)]:
        yield np.zeros(shape)
    # summaries
    yield np.arange(1000)
    yield np.arange(1001)
    yield np.arange(1200).reshape(30, 40).astype(np.int16)
    yield np.arange(1024).reshape(4, 4, 4, 4, 4).astype(np.int16)
    yield np.arange(1008).reshape(7, 144).astype(np.int16)
    yield np.arange(1400).reshape(2, 700).astype(np.int16)
    yield np.arange(1400).reshape(700, 2).astype(np.uint16)
    yield np.arange(1100).reshape(1100, 1).astype(np.int16)
    yield (np.arange(1331).reshape(11, 11, 11) / 8).astype(np.float16)
    big = np.ones(1100, np.float16)
    big[500] = 1e-3  # not shown, so it must not change the layout
    yield big
    yield rng.standard_normal((40, 30)).astype(np.float32)
    yield rng.integers(0, 2, 1500).astype(bool)
    yield np.ones((1, 1, 1, 1, 1, 1, 1, 1))
    yield from complex_arrays()


def complex_arrays():
    own = np.random.default_rng(5)
    special = [0.0, -0.0, 1.0, -1.5, 0.1, 1e-4, 1e-5, 1e8, 123456789.0, 1e15, 1e16, 1e300, 5e-324, 2 / 3, np.inf, -np.inf,
               np.nan, 1e100, 0.3, 100.0]
    for dtype in (np.complex64, np.complex128):
        for i, re in enumerate(special):
            for im in special[i % 3::3]:
                value = np.zeros((), dtype)
                value.real, value.imag = re, im
                yield value
                yield np.array([value, 1.25 - 2.5j], dtype)
        for value in special:
            pair = np.zeros(2, dtype)
            pair.real, pair.imag = [value, 3], [-value, 4]
            yield pair
        for scale in range(-8, 12):
            parts = own.standard_normal((2, 7)) * 10.0 ** scale
            yield (parts[0] + 1j * parts[1]).astype(dtype)
        for k in range(25):
            shape = tuple(own.integers(1, 5, own.integers(1, 4)))
            parts = own.standard_normal((2,) + shape) * 10.0 ** own.integers(-3, 6)
            yield np.round(parts[0] + 1j * parts[1], own.integers(0, 9)).astype(dtype)
        yield np.array([[np.nan, np.inf, 1], [1j * np.inf, complex(-np.inf, np.nan), 2.5j]], dtype)
        yield np.array([], dtype)
    yield (np.arange(1200).reshape(30, 40) * (1 - 0.5j)).astype(np.complex64)
    yield np.ones(1001, np.complex64)
    yield (np.arange(30) * (1e-3 + 2e5j)).astype(np.complex128)


def main():
    with open(os.path.join(HERE, "arrays.txt"), "wb") as out:
        for a in arrays():
            text = str(a).encode()
            extents = "".join(" %d" % n for n in a.shape)
            head = "array %s %d%s %d\n" % (NAMES[a.dtype.name], a.ndim, extents, len(text))
            out.write(head.encode() + a.tobytes().hex().encode() + b"\n" + text + b"\n")

    values = [("i64", np.int64(v)) for v in (0, 7, -42, 1234567, -(2**63), 2**63 - 1, 65, 8364)]
    values += [("u64", np.uint64(2**64 - 1)), ("i8", np.int8(-128)), ("bool", np.bool_(True)), ("bool", np.bool_(False))]
    values += [("f64", np.float64(v)) for v in (0.0, -0.0, 1.5, -2.675, 3.141592653589793, 1e-7, 123456789.123, 1e22,
                                               -1e-300, 1e300, 99999.5, 0.00012345, 9.995, float("inf"), float("-inf"),
                                               float("nan"))]
    values += [("c128", np.complex128(v)) for v in (0, 2j, 1 + 2j, -1.5 - 2.25j, 1e20 + 1e-7j, complex(-0.0, -0.0),
                                                   123456.789 + 0.001j, complex("inf"), complex("nanj"))]
    specs = ["", "5", "<8", ">8", "^9", "=9", "08", "+", " ", "-", "+08", "*^12", "x<7", "é>6", "0=9", "<08", ",", "_",
             "012,", "020,", "d", "b", "o", "x", "X", "#x", "#b", "#o", "#X", "_x", "_b", "c", "n", "8d", "+,d", "#010x",
             "f", ".2f", ".0f", "#.0f", "10.3f", "+.1f", "e", ".3e", "E", ".0e", "g", ".3g", ".10g", "#.4g", "G", "F", "%",
             ".1%", ".4", ".0", ".1", ".17", ",.2f", "_.3f", "015,.2f", "012.4f", "^12.2e", ">12.4", "#.3", ".20f", ".50e",
             "z", "5.", "s", "q", "<<", "..", ".-1", ",d", ",x", ".2d", "0<10.1f", "é=+9", "5x5"]
    with open(os.path.join(HERE, "specs.txt"), "w", encoding="utf-8") as out:
        for name, value in values:
            for spec in specs:
                # plain Python values: NumPy's own scalars fall back to them
                plain = value.item()
                try:
                    text = format(plain, spec)
                except (ValueError, OverflowError):
                    text = "!"
                if "\t" in text or "\n" in text or "\0" in text:
                    continue
                if spec == "z":
                    text = "!"
                out.write("%s\t%s\t%s\t%s\n" % (name, value.tobytes().hex(), spec, text))


main()
