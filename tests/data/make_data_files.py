#!/usr/bin/env python3
"""Writes the data files of tests/data/files with NumPy, zipfile and plain struct.  Not run by the tests; the
files are committed.

Arrays of n elements hold the values 0, 1, ... n-1 in C order of their shape, each minus 3 if the dtype is
signed, minus 2.5 if it is a float; bools are the parity of the index.  hostile.txt has files that lie, one a
line: name, error code, a part of the message, bytes in hex.
"""
import io
import json
import os
import struct
import zipfile
import zlib

import numpy as np

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "files")


def array(code, shape):
    dtype = np.dtype(code)
    values = np.arange(int(np.prod(shape)), dtype=np.float64)
    values = {"b": values % 2, "i": values - 3, "f": values - 2.5}.get(dtype.kind, values)
    return values.astype(dtype).reshape(shape)


CODES = {"bool": "?", "u8": "u1", "u16": "u2", "u32": "u4", "u64": "u8", "i8": "i1", "i16": "i2", "i32": "i4",
         "i64": "i8", "f16": "f2", "f32": "f4", "f64": "f8"}


def all_arrays():
    out = {name: array("<" + code, (2, 3)) for name, code in CODES.items()}
    out.update({"big_" + name: array(">" + CODES[name], (2, 3)) for name in ("u16", "i32", "i64", "f16", "f64")})
    out["fortran"] = np.asfortranarray(array("<f4", (2, 3, 4)))
    out["fortran_big"] = np.asfortranarray(array(">i2", (3, 2)))
    out["scalar"] = array("<f8", ())
    out["empty"] = array("<f4", (3, 0, 2))
    out["path.to.a"] = array("<i4", (5,))
    out["α β"] = array("<i4", (2,))
    return out


# ---- .npz ----------------------------------------------------------------------------------------------------

def npy(a):
    out = io.BytesIO()
    np.lib.format.write_array(out, a)
    return out.getvalue()


def plain_zip(arrays):
    """An archive as `save` writes it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, a in arrays.items():
            info = zipfile.ZipInfo(name + ".npy", (1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o600 << 16
            z.writestr(info, npy(a))
    return out.getvalue()


def write_npz():
    np.savez(os.path.join(HERE, "savez.npz"), **all_arrays())
    np.savez_compressed(os.path.join(HERE, "compressed.npz"), **all_arrays())
    np.savez(os.path.join(HERE, "one.npz"), array("<f8", (2, 3)))
    some = {"a": array("<f4", (2, 3)), "α": array("<i8", ()), "none": array("|u1", (0, 4))}
    put("written.npz", plain_zip(some))
    limit, zipfile.ZIP64_LIMIT = zipfile.ZIP64_LIMIT, 150
    put("zip64.npz", plain_zip(some))
    zipfile.ZIP64_LIMIT = limit


# ---- .safetensors --------------------------------------------------------------------------------------------

def safetensors(entries, data, pad=True):
    header = entries if isinstance(entries, bytes) else json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8 if pad else 0)
    return struct.pack("<Q", len(header)) + header + data


def bf16(a):
    return (a.astype("<f4").view("<u4") >> 16).astype("<u2")  # the values have few bits


def write_safetensors():
    entries, data = {"__metadata__": {"format": "pt", "made by": "hand"}}, b""

    def add(name, dtype, a):
        nonlocal data
        content = np.ascontiguousarray(a).tobytes()
        entries[name] = {"dtype": dtype, "shape": list(a.shape), "data_offsets": [len(data), len(data) + len(content)]}
        data += content

    for name, code in reversed(CODES.items()):
        add(name, name.upper(), array("<" + code, (2, 3)))
    add("bf16", "BF16", bf16(array("<f4", (2, 3))))
    add("scalar", "F64", array("<f8", ()))
    add("empty", "F32", array("<f4", (3, 0, 2)))
    add("path.to.a", "I32", array("<i4", (5,)))
    add("α \"β\"", "I32", array("<i4", (2,)))
    put("tensors.safetensors", safetensors(json.dumps(entries, indent=1).encode(), data))
    # As `save` writes it: data of wide elements first, the header in the order given.
    a, b, c = array("|u1", (3,)), array("<f4", (2, 3)), array("<f8", ())
    put("written.safetensors", safetensors(
        {"a": {"dtype": "U8", "shape": [3], "data_offsets": [32, 35]},
         "b\"": {"dtype": "F32", "shape": [2, 3], "data_offsets": [8, 32]},
         "c.d": {"dtype": "F64", "shape": [], "data_offsets": [0, 8]}},
        c.tobytes() + b.tobytes() + a.tobytes()))


# ---- tables --------------------------------------------------------------------------------------------------

def write_tables():
    np.savetxt(os.path.join(HERE, "savetxt.csv"), array("<f8", (4, 3)), delimiter=",", header="a,b,c")
    np.savetxt(os.path.join(HERE, "savetxt.tsv"), array("<i8", (4, 3)), delimiter="\t", fmt="%d", header="a\tb\tc",
               comments="")


# ---- files that lie ------------------------------------------------------------------------------------------

HOSTILE = []


def bad(name, code, text, content):
    HOSTILE.append(f"{name}\t{code}\t{text}\t{content.hex()}")


def raw_npy(descr, shape, data=b"", order="False"):
    text = "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }" % (descr, order, shape)
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + data


def entry(name, content, method=0, crc=None, size=None, packed=None, at=0, flags=0, extra=b"", local_name=None):
    """One member and its entry in the directory, every field as told."""
    body = content
    if method == 8:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        body = packer.compress(content) + packer.flush()
    crc = zlib.crc32(content) if crc is None else crc
    size = len(content) if size is None else size
    packed = len(body) if packed is None else packed
    common = struct.pack("<HHHHHIIIHH", 20, flags, method, 0, 0x21, crc, packed, size, len(name), 0)
    local = b"PK\3\4" + common + (local_name or name) + body
    central = (b"PK\1\2" + struct.pack("<H", 20) + common[:-2] + struct.pack("<HHHHII", len(extra), 0, 0, 0, 0, at)
               + name + extra)
    return local, central


def archive(*members, count=None, offset=None, size=None, comment=b"", claimed_comment=None):
    local, central = b"", b""
    for make in members:
        one, its = make(len(local)) if callable(make) else make
        local, central = local + one, central + its
    count = len(members) if count is None else count
    end = struct.pack("<HHHHIIH", 0, 0, count, count, len(central) if size is None else size,
                      len(local) if offset is None else offset,
                      len(comment) if claimed_comment is None else claimed_comment)
    return local + central + b"PK\5\6" + end + comment


def write_hostile_npz():
    good = npy(array("<f8", (4,)))
    name = b"a.npy"
    bad("empty.npz", "E0402", "is empty", b"")
    bad("text.npz", "E0403", "is no ZIP archive", b"hello, this is no archive at all")
    bad("start.npz", "E0402", "its end is missing", archive(entry(name, good))[:-30])
    bad("comment.npz", "E0402", "its end is missing", archive(entry(name, good), claimed_comment=9))
    bad("count.npz", "E0402", "more entries than it can hold", archive(entry(name, good), count=60000))
    bad("count_two.npz", "E0402", "an entry is missing", archive(entry(name * 10 + b".npy", good), count=2))
    bad("offset.npz", "E0402", "it lies outside the file", archive(entry(name, good), offset=10**6))
    bad("size.npz", "E0402", "it lies outside the file", archive(entry(name, good), size=10**6))
    bad("place.npz", "E0402", "lies outside of", archive(entry(name, good, at=4000)))
    bad("place_near.npz", "E0402", "is not where the directory", 
        archive(entry(name, good), lambda at: (entry(b"b.npy", good)[0], entry(b"b.npy", good, at=7)[1])))
    bad("packed.npz", "E0402", "lies outside of", archive(entry(name, good, packed=5000, size=5000)))
    bad("two_sizes.npz", "E0402", "has two sizes", archive(entry(name, good, size=5000)))
    bad("crc.npz", "E0402", "checksum", archive(entry(name, good, crc=1)))
    bad("crc_deflated.npz", "E0402", "checksum", archive(entry(name, good, method=8, crc=1)))
    bad("method.npz", "E0403", "packed in a way (12)", archive(entry(name, good, method=12)))
    bad("encrypted.npz", "E0403", "is encrypted", archive(entry(name, good, flags=1)))
    bad("overlap.npz", "E0402", "overlaps another entry",
        archive(entry(name, good), lambda at: (entry(b"b.npy", good)[0], entry(b"b.npy", good, at=0)[1])))
    bad("twice.npz", "E0402", "two arrays of the name `a`",
        archive(entry(name, good), lambda at: entry(name, good, at=at)))
    bad("name.npz", "E0403", "does not end in .npy", archive(entry(b"readme.txt", b"hello")))
    bad("name_bytes.npz", "E0403", "no UTF-8", archive(entry(b"\xff\xfe.npy", good)))
    bad("name_nul.npz", "E0403", "no UTF-8", archive(entry(b"a\0b.npy", good)))
    bad("local_name.npz", "E0403", "is not a .npy file", archive(entry(name, good, local_name=b"a.npyPK")))
    bad("not_npy.npz", "E0403", "is not a .npy file", archive(entry(name, b"x" * 200)))
    bad("member_empty.npz", "E0402", "is empty", archive(entry(name, b"")))
    bad("object.npz", "E0403", "`|O`", archive(entry(name, raw_npy("|O", "(2,)", b"x" * 16))))
    bad("short.npz", "E0402", "needs 32 bytes", archive(entry(name, good[:-8])))
    bad("long.npz", "E0402", "has 40 bytes of data", archive(entry(name, good + b"12345678")))
    bad("huge.npz", "E0402", "does not fit 64 bits", archive(entry(name, raw_npy("<f8", "(4611686018427387904,)"))))
    bad("huge_u1.npz", "E0402", "cut short", archive(entry(name, raw_npy("|u1", "(4611686018427387904,)"))))
    # Deflate bombs: more than the file can hold, more than was declared, and less.
    zeros = raw_npy("|u1", "(100000,)", bytes(100000))
    claim = struct.pack("<HHQ", 1, 8, 1 << 62)
    bad("bomb_claim.npz", "E0402", "cannot hold as many", archive(entry(name, zeros, method=8, size=0xFFFFFFFF, extra=claim)))
    bad("bomb_4g.npz", "E0402", "cannot hold as many", archive(entry(name, zeros, method=8, size=0xFFFFFFFE)))
    bad("bomb_more.npz", "E0402", "more than the size", archive(entry(name, zeros + bytes(1000), method=8, size=len(zeros))))
    bad("bomb_less.npz", "E0402", "ends before the size",
        archive(entry(name, raw_npy("|u1", "(100000,)", bytes(50000)), method=8, size=len(zeros))))
    broken = bytearray(archive(entry(name, npy(array("<f8", (9, 9))), method=8)))
    broken[60:70] = b"\xff" * 10
    bad("deflate.npz", "E0402", "", bytes(broken))
    bad("extra.npz", "E0402", "a ZIP64 field is missing", archive(entry(name, good, size=0xFFFFFFFF, packed=0xFFFFFFFF)))
    bad("extra_long.npz", "E0402", "an extra field does not fit",
        archive(entry(name, good, extra=struct.pack("<HH", 1, 900))))
    bad("extra_short.npz", "E0402", "a ZIP64 field is missing",
        archive(entry(name, good, size=0xFFFFFFFF, extra=struct.pack("<HHI", 1, 4, 0))))
    whole = archive(entry(name, good))
    locator = b"PK\6\7" + struct.pack("<IQI", 0, 1 << 60, 1)
    bad("end64_far.npz", "E0402", "ZIP64 record lies outside", whole[:-22] + locator + whole[-22:])
    locator = b"PK\6\7" + struct.pack("<IQI", 0, 0, 1)
    bad("end64_wrong.npz", "E0402", "ZIP64 record is not where", whole[:-22] + locator + whole[-22:])
    record = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 1 << 61, 1 << 61, 1 << 62, 8)
    locator = b"PK\6\7" + struct.pack("<IQI", 0, len(whole) - 22, 1)
    bad("end64_claim.npz", "E0402", "it lies outside the file", whole[:-22] + record + locator + whole[-22:])


def write_hostile_safetensors():
    def one(text, data=b"\0" * 8):
        return safetensors(text.encode() if isinstance(text, str) else text, data, pad=False)

    def tensor(dtype="F32", shape="[2]", offsets="[0,8]", more=""):
        return '{"a":{"dtype":"%s","shape":%s,"data_offsets":%s%s}}' % (dtype, shape, offsets, more)

    pair = '{"a":{"dtype":"U8","shape":[%d],"data_offsets":[%d,%d]},"b":{"dtype":"U8","shape":[%d],"data_offsets":[%d,%d]}}'
    file = ".safetensors"
    bad("empty" + file, "E0402", "is empty", b"")
    bad("seven" + file, "E0402", "first 8 bytes", b"1234567")
    bad("length" + file, "E0402", "its header should have", struct.pack("<Q", 1 << 62) + b"{}")
    bad("length_all" + file, "E0402", "its header should have", b"\xff" * 8 + b"{}")
    bad("no_object" + file, "E0402", "no JSON object", one("[]", b""))
    bad("cut" + file, "E0402", "it is no JSON object", one('{"a":', b""))
    bad("behind" + file, "E0402", "follows the closing brace", one("{} x", b""))
    bad("depth" + file, "E0402", "`__metadata__` is no JSON", one('{"__metadata__":' + "[" * 5000, b""))
    bad("depth_closed" + file, "E0402", "`__metadata__` is no JSON",
        one('{"__metadata__":' + '{"a":' * 200 + "1" + "}" * 201, b""))
    bad("dtype" + file, "E0403", "does not read: F8_E4M3", one(tensor("F8_E4M3", "[8]")))
    bad("dtype_number" + file, "E0402", "dtype is no string", one('{"a":{"dtype":1}}'))
    bad("shape" + file, "E0402", "its shape is no list", one(tensor(shape='"2"')))
    bad("shape_negative" + file, "E0402", "its shape is no list", one(tensor(shape="[-2]")))
    bad("shape_fraction" + file, "E0402", "its shape is no list", one(tensor(shape="[2.0]")))
    bad("shape_exponent" + file, "E0402", "its shape is no list", one(tensor(shape="[2e0]")))
    bad("shape_huge" + file, "E0402", "differ in size", one(tensor(shape="[4611686018427387904]")))
    bad("shape_wraps" + file, "E0402", "differ in size", one(tensor(shape="[4294967296,4294967296]", offsets="[0,0]"), b""))
    bad("shape_64_bits" + file, "E0402", "its shape is no list", one(tensor(shape="[99999999999999999999]")))
    bad("shape_deep" + file, "E0403", "more axes", one(tensor(shape="[" + "1," * 16 + "2]")))
    bad("offsets_beyond" + file, "E0402", "outside the file", one(tensor(shape="[4]", offsets="[0,16]")))
    bad("offsets_turned" + file, "E0402", "outside the file", one(tensor(shape="[0]", offsets="[8,0]")))
    bad("offsets_three" + file, "E0402", "no two places", one(tensor(offsets="[0,8,8]")))
    bad("offsets_one" + file, "E0402", "no two places", one(tensor(offsets="[0]")))
    bad("size" + file, "E0402", "differ in size", one(tensor(shape="[1]")))
    bad("gap" + file, "E0402", "gap before", one(tensor(shape="[1]", offsets="[4,8]")))
    bad("rest" + file, "E0402", "belong to no array", one(tensor(), b"\0" * 12))
    bad("overlap" + file, "E0402", "overlap", one(pair % (5, 0, 5, 5, 3, 8)))
    bad("same_place" + file, "E0402", "overlap", one(pair % (8, 0, 8, 8, 0, 8)))
    bad("missing" + file, "E0402", "is missing", one('{"a":{"dtype":"F32","shape":[2]}}'))
    bad("key_twice" + file, "E0402", "stands twice", one(tensor(more=',"shape":[2]')))
    bad("name_twice" + file, "E0402", "two arrays of the name", one((pair % (4, 0, 4, 4, 4, 8)).replace('"b"', '"a"')))
    bad("name_bytes" + file, "E0402", "no UTF-8", one(tensor().encode().replace(b'"a"', b'"\xff"')))
    bad("name_nul" + file, "E0402", "no JSON", one(tensor().replace('"a"', '"a\\u0000"')))
    bad("name_half" + file, "E0402", "no JSON", one(tensor().replace('"a"', '"a\\ud800"')))
    bad("string_open" + file, "E0402", "is damaged", one('{"a'))
    bad("escape_cut" + file, "E0402", "is damaged", one('{"a\\u00', b""))


def write_hostile_tables():
    bad("ragged.csv", "E0402", "line 2 has 1 field, line 1 has 2", b"1,2\n3\n")
    bad("ragged_more.csv", "E0402", "line 4 has 3 fields, line 1 has 2", b"a,b\n1,2\n\n3,4,5\n")
    bad("text.csv", "E0403", "line 2: field 2, `x`, is no number", b"1,2\n3,x\n")
    bad("mixed_header.csv", "E0403", "field 1, `id`, is no number", b"id,2019\n1,2\n")
    bad("semicolon.csv", "E0403", "`1;2`", b"a;b\n1;2\n")
    bad("decimal_comma.tsv", "E0403", "`1,5`", b"1,5\t2\n")
    bad("quote_open.csv", "E0402", "no closing quote", b'1,"2\n3,4\n')
    bad("quote_rest.csv", "E0402", "follows a closing quote", b'1,"2"3\n')
    bad("hex.csv", "E0403", "`0x10`", b"1,0x10\n")
    bad("exponent.csv", "E0403", "`1e`", b"1,1e\n")
    bad("sign.csv", "E0403", "`+-1`", b"1,+-1\n")
    bad("nan_tail.csv", "E0403", "`nan(1)`", b"1,nan(1)\n")
    bad("point.csv", "E0403", "`.`", b"1,.\n")
    bad("nul.csv", "E0403", "is no number", b"1,2\0\n")
    bad("escape.csv", "E0403", "`?[31m", b"1,\x1b[31mred\n")
    bad("binary.csv", "E040", "", bytes(range(256)))
    bad("readme.txt", "E0403", "ends as", b"1,2\n")
    bad("matrix.mtx", "E0900", "not supported yet", b"%%MatrixMarket\n")
    bad("matrix.mtx.gz", "E0900", "not supported yet", b"\x1f\x8b")
    bad("net.onnx", "E0900", "not supported yet", b"\x08\x07")


def put(name, content):
    with open(os.path.join(HERE, name), "wb") as out:
        out.write(content)


os.makedirs(HERE, exist_ok=True)
write_npz()
write_safetensors()
write_tables()
write_hostile_npz()
write_hostile_safetensors()
write_hostile_tables()
put("hostile.txt", ("\n".join(HOSTILE) + "\n").encode())
