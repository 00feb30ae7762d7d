#!/usr/bin/env python3
"""Writes the .npy files of tests/data/npy with NumPy.  Not run by the tests; the files are committed.

Every array of n elements holds the values 0, 1, ... n-1 in C order of its shape, each minus 3 if the
dtype is signed or a float, plus a half if it is a float; bools are the parity of the index.
"""
import os

import numpy as np

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "npy")


def array(code, shape):
    n = int(np.prod(shape))
    dtype = np.dtype(code)
    values = np.arange(n, dtype=np.float64)
    if dtype.kind == "b":
        values = values % 2
    elif dtype.kind == "i":
        values = values - 3
    elif dtype.kind == "f":
        values = values - 2.5
    return values.astype(dtype).reshape(shape)


def save(name, a, version=None):
    with open(os.path.join(HERE, name + ".npy"), "wb") as out:
        np.lib.format.write_array(out, a, version=version)


for code in ["?", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"]:
    name = {"?": "bool"}.get(code, code)
    save("little_" + name, array("<" + code, (2, 3)))
    if code not in ("?", "u1", "i1"):
        save("big_" + name, array(">" + code, (2, 3)))
save("fortran", np.asfortranarray(array("<f4", (2, 3, 4))))
save("fortran_big", np.asfortranarray(array(">i2", (3, 2))))
save("scalar", array("<f8", ()))
save("vector", array("<i4", (5,)))
save("empty", array("<f4", (3, 0, 2)))
save("version2", array("<f8", (4,)), (2, 0))
save("version3", array("<f8", (4,)), (3, 0))
