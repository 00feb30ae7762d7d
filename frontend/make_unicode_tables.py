#!/usr/bin/env python3
"""Prints frontend/unicode_tables.h from Python's unicodedata: what NFC of identifiers needs."""
import unicodedata as u

points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
hangul = range(0xAC00, 0xAC00 + 11172)
rows = []
for c in points:
    d = u.decomposition(chr(c))
    if not d or d[0] == "<" or c in hangul:
        continue
    parts = [int(x, 16) for x in d.split()]
    first, second = parts[0], parts[1] if len(parts) > 1 else 0
    composes = len(parts) == 2 and u.normalize("NFC", "".join(map(chr, parts))) == chr(c)
    rows.append((c, first, second, int(composes)))
classes = []
for c in points:
    k = u.combining(chr(c))
    if k and classes and classes[-1][1] == c - 1 and classes[-1][2] == k:
        classes[-1][1] = c
    elif k:
        classes.append([c, c, k])


def table(items, width):
    for i in range(0, len(items), width):
        print("    " + " ".join(items[i:i + width]))


print("/* Made by frontend/make_unicode_tables.py from Unicode %s; do not edit. */" % u.unidata_version)
print("/* clang-format off */")
print("/* Canonical decompositions by code point: {code point, first, second or 0, whether the pair composes}. */")
print("static const struct { uint32_t code_point, first, second, composes; } decompositions[] = {")
table(["{0x%x,0x%x,0x%x,%d}," % r for r in rows], 4)
print("};")
print("/* The rows above that compose, by (first, second). */")
print("static const uint16_t compositions[] = {")
order = sorted((r[1], r[2], i) for i, r in enumerate(rows) if r[3])
table(["%d," % i for _, _, i in order], 18)
print("};")
print("/* Combining classes other than 0: {first, last, class}. */")
print("static const struct { uint32_t first, last, class; } combining[] = {")
table(["{0x%x,0x%x,%d}," % tuple(r) for r in classes], 5)
print("};")
print("/* clang-format on */")
