#!/usr/bin/env python3
"""Writes tests/lang/indexing/{reads,assignments}_N.gmx and masks.gmx, random index expressions and assignments with
NumPy's answers, and errors.txt there, index expressions that NumPy refuses, for tests/embed/index_errors.c.

    tests/data/make_indexing.py [--seed N] [--reads N] [--assignments N] [--errors N] FOLDER

Needs NumPy.  About half of the expressions stand in functions, whose sizes and indices are not known when compiling.
Where an index repeats, `=` keeps the last value and every other operator applies each in order (NumPy applies one), so
assignments are done here element by element at the positions that NumPy's indexing gives.  A mask with one true
element beside other tensors is left out: NumPy broadcasts it, GMX takes sizes known only when running as they are."""
import argparse
import os
import random
import warnings

import numpy as np

SHAPES = [(6,), (5,), (3, 4), (4, 3), (2, 3, 4), (3, 2, 5), (2, 2, 2, 3), (0,), (0, 3), (3, 0, 2), (1, 4), (1,)]
DTYPES = {'bool': np.bool_, 'u8': np.uint8, 'u16': np.uint16, 'u32': np.uint32, 'u64': np.uint64, 'i8': np.int8,
          'i16': np.int16, 'i32': np.int32, 'i64': np.int64, 'f32': np.float32, 'f64': np.float64}
HALF = {'f16': np.float32, 'bf16': np.float32}  # small integers: exact; printed as f32
APPLY = {'=': lambda a, b: b, '+=': lambda a, b: a + b, '-=': lambda a, b: a - b, '*=': lambda a, b: a * b,
         '//=': lambda a, b: a // b, '%=': lambda a, b: a % b, '/=': lambda a, b: a / b}
PER_FILE = 150


def literal(value):
    if isinstance(value, np.ndarray) and not value.size:
        return f'zeros({", ".join(map(str, value.shape))}, dtype={"bool" if value.dtype == bool else "i64"})'
    if isinstance(value, np.ndarray):
        return literal(value.tolist())
    if isinstance(value, list):
        return '[' + ', '.join(literal(item) for item in value) + ']'
    return str(value).lower() if isinstance(value, bool) else str(value)


class Subscripts:
    """The subscripts of one index expression: what NumPy takes, and the text, with parameters or without."""

    def __init__(self):
        self.items, self.has_tensor = [], False

    def numpy(self):
        return tuple(self.items)

    def text(self, arguments=None):
        """With a list, values that may be known only when running become parameters and are appended to it."""
        def value(item):
            if arguments is None:
                return literal(item)
            arguments.append(literal(item))
            return f'i{len(arguments) - 1}'

        def one(item):
            if item is None or item is Ellipsis:
                return 'None' if item is None else '...'
            if isinstance(item, slice):
                bounds = ['' if bound is None else value(bound) for bound in (item.start, item.stop)]
                return ':'.join(bounds) + ('' if item.step is None else f':{item.step}')
            return value(item)
        return ', '.join(one(item) for item in self.items)


def random_slice(rng, n):
    bounds = [None if rng.random() < .4 else rng.randint(-n - 2, n + 2) for _ in range(2)]
    return slice(*bounds, rng.choice([None, None, 1, 2, -1, -2, 3]))


def random_mask(rng, shape):
    return np.array([rng.random() < .5 for _ in range(int(np.prod(shape)))], dtype=bool).reshape(shape)


def random_indices(rng, n, shape):
    return np.array([rng.randint(-n, n - 1) for _ in range(int(np.prod(shape)))], dtype=np.int64).reshape(shape)


def random_subscripts(rng, shape, tensors):
    out, axis, masks_of_one = Subscripts(), 0, 0
    index_shape = rng.choice([(2,), (3,), (1,), (2, 1), (2, 2), (0,)])
    while axis < len(shape):
        n, choice = shape[axis], rng.random()
        if choice < .06:
            out.items.append(None)
        elif choice < .12 and Ellipsis not in [item for item in out.items if not isinstance(item, np.ndarray)]:
            out.items.append(Ellipsis)
            axis += rng.randint(0, len(shape) - axis)
        elif choice < .2 and out.items:
            break
        elif tensors and choice < .5 and n > 0:
            out.items.append(random_indices(rng, n, rng.choice([index_shape, index_shape, index_shape[-1:]])))
            axis += 1
        elif tensors and choice < .6:
            rank = min(rng.choice([1, 1, 2]), len(shape) - axis)
            out.items.append(random_mask(rng, shape[axis:axis + rank]))
            masks_of_one += out.items[-1].sum() == 1
            axis += rank
        elif choice < .75 and n > 0:
            out.items.append(rng.randint(-n, n - 1))
            axis += 1
        else:
            out.items.append(random_slice(rng, n))
            axis += 1
    tensors = [item for item in out.items if isinstance(item, np.ndarray)]
    out.has_tensor = bool(tensors)
    return None if masks_of_one and len(tensors) > 1 else out


def expect(value):
    if np.size(value) == 0:
        return [f'# expect: {np.shape(value)}']
    return [f'# expect: {line}' for line in str(value).split('\n')]


class Base:
    """The tensor that is indexed: 0, 1, 2, … in some dtype, perhaps seen in another order."""

    def __init__(self, rng, shape, dtypes):
        n = int(np.prod(shape))
        self.dtype, order = rng.choice(dtypes), rng.choice(['', '', '', '.T', '[::-1]', '[..., ::-1]'])
        made = f'arange({n}).reshape({", ".join(map(str, shape))})'
        value = np.arange(n).reshape(shape)
        if self.dtype != 'i64':
            made = f'({made} % 3 == 1)' if self.dtype == 'bool' else f'{self.dtype}({made})'
            value = value % 3 == 1 if self.dtype == 'bool' else value.astype(DTYPES[self.dtype])
        self.text = made + order
        self.value = {'': value, '.T': value.T, '[::-1]': value[::-1], '[..., ::-1]': value[..., ::-1]}[order]


def read_lines(rng, number, base, subscripts):
    part, shown = base.value[subscripts.numpy()], ''
    if np.size(part) == 0:
        shown = '.shape'
    if rng.random() < .5:
        return [f'print({base.text}[{subscripts.text()}]{shown})'] + expect(part)
    arguments = []
    body = f'x[{subscripts.text(arguments)}]'
    names = ''.join(f', i{k}' for k in range(len(arguments)))
    return [f'fn g{number}(x{names}) = {body}',
            f'print(g{number}({", ".join([base.text] + arguments)}){shown})'] + expect(part)


def random_operation(rng, base, shape):
    """An operator, the value's text and the value."""
    kind = np.dtype(DTYPES[base.dtype]).kind
    operators = {'b': ['=', '=', '+=', '*='], 'f': ['=', '=', '+=', '-=', '*=', '/=']}
    operator = rng.choice(operators.get(kind, ['=', '=', '+=', '-=', '*=', '//=', '%=']))
    if kind == 'b':
        value = random_mask(rng, () if rng.random() < .3 else shape)
    elif operator in ('//=', '%=', '/='):
        value = np.array(rng.choice([2, 4]))
    elif rng.random() < .3:
        value = np.array(rng.randint(0, 9))
    else:
        value = np.arange(int(np.prod(shape))).reshape(shape) % 50 + 10
    if value.ndim:
        value = value[tuple(slice(0, 1) if rng.random() < .25 else slice(None) for _ in value.shape)]
    if value.ndim and rng.random() < .3:
        value = value[(0,) * rng.randint(0, value.ndim)] if value.size else value
    value = np.asarray(value)
    if not value.size:
        value = np.array(True if kind == 'b' else 1)
    text = literal(value) if value.ndim else literal(value.item())
    return operator, text if kind == 'b' else f'{base.dtype}({text})', value.astype(DTYPES[base.dtype])


def assigned(base, subscripts, operator, value):
    positions = np.asarray(np.arange(base.value.size).reshape(base.value.shape)[subscripts.numpy()])
    flat = base.value.ravel().copy()
    for at, item in zip(positions.ravel(), np.broadcast_to(value, positions.shape).ravel()):
        flat[at:at + 1] = APPLY[operator](flat[at:at + 1], np.array([item]))
    return flat.reshape(base.value.shape)


def assignment_lines(rng, number, base, subscripts):
    shape = np.shape(base.value[subscripts.numpy()])
    operator, text, value = random_operation(rng, base, shape)
    after = assigned(base, subscripts, operator, value)
    x, before, shown = f'x{number}', f'before{number}', '' if after.size else '.shape'
    if rng.random() < .5:
        lines = [f'mut {x} = {base.text}', f'let {before} = {x}', f'{x}[{subscripts.text()}] {operator} {text}',
                 f'print({x}{shown})']
    else:
        arguments = []
        indices = subscripts.text(arguments)
        names = ''.join(f', i{k}' for k in range(len(arguments)))
        call = ', '.join([before, text] + arguments)
        lines = [f'fn g{number}(x, v{names}) {{ mut y = x; y[{indices}] {operator} v; y }}', f'let {before} = {base.text}',
                 f'print(g{number}({call}){shown})']
    return lines + expect(after) + [f'print(all({before} == {base.text}))', '# expect: True']


def programs(rng, count, dtypes, make):
    """Texts of at most PER_FILE cases each."""
    seen, texts, lines = set(), [], []
    while len(seen) < count:
        base = Base(rng, rng.choice(SHAPES), dtypes)
        subscripts = random_subscripts(rng, base.value.shape, rng.random() < .7)
        if subscripts is None or (base.text, subscripts.text()) in seen:
            continue
        try:
            base.value[subscripts.numpy()]
        except (IndexError, DeprecationWarning):
            continue
        seen.add((base.text, subscripts.text()))
        lines += make(rng, len(seen), base, subscripts)
        if len(seen) % PER_FILE == 0 or len(seen) == count:
            texts.append('\n'.join(lines) + '\n')
            lines = []
    return texts


def masks():
    """Reading by a mask and assigning through one, in every dtype and through every number of its axes."""
    lines, mask = [], np.array([[True, False, True, True], [False] * 4, [True, True, False, True]])
    rows = np.array([True, False, True])
    for dtype, kind in list(DTYPES.items()) + list(HALF.items()):
        is_bool, seen = dtype == 'bool', 'f32' if dtype in HALF else ''
        values = np.arange(12).reshape(3, 4)
        x = values % 2 == 0 if is_bool else values.astype(kind)
        made = '(arange(12).reshape(3, 4) % 2 == 0)' if is_bool else f'{dtype}(arange(12).reshape(3, 4))'
        new = '[true, false, false]' if is_bool else f'{dtype}([50, 60, 70])'
        fill = np.array([True, False, False]) if is_bool else np.array([50, 60, 70]).astype(kind)
        plain, one = ('false', False) if is_bool else ('7', kind(7))
        lines += [f'mut {dtype}_x = {made}', f'let {dtype}_m = {literal(mask)}']
        name, m = f'{dtype}_x', f'{dtype}_m'
        for text, value in ((f'{name}[{m}]', x[mask]), (f'{name}[{literal(rows)}]', x[rows]),
                            (f'{name}[:, {m}[0]]', x[:, mask[0]]), (f'{name}[1:][{m}[1:]]', x[1:][mask[1:]]),
                            (f'{name}[{m} and not {m}]', x[mask & ~mask])):
            lines += [f'print({seen}({text}){"" if value.size else ".shape"})'] + expect(value)
        for target, operator, text, where, value in (
                (f'{name}[{m}]', '=', plain, mask, one), (f'{name}[not {m}]', '+=', plain, ~mask, one),
                (f'{name}[{m}[:, 0], :3]', '=', new, (mask[:, 0], slice(0, 3)), fill),
                (f'{name}[{literal(rows)}]', '*=', plain, rows, one)):
            x = x.copy()
            x[where] = APPLY[operator](x[where], value)
            lines += [f'{target} {operator} {text}', f'print({seen}({name}))'] + expect(x)
    return '\n'.join(lines) + '\n'


def refused(rng, shape):
    """Subscripts that NumPy refuses, and the codes of GMX's error."""
    out, n, axis = Subscripts(), len(shape), rng.randrange(len(shape))
    out.items = [slice(None)] * axis
    size, kind = shape[axis], rng.choice(['int', 'int', 'tensor', 'tensor', 'many', 'mask', 'shapes'])
    beyond = rng.choice([size, -size - 1, size + 100, -size - 100, 2**62, -2**63])
    if kind == 'int':
        out.items.append(beyond)
        return out, 'E0209 E0302'
    if kind == 'tensor' and size:
        indices = random_indices(rng, size, rng.choice([(2,), (3,), (2, 2)]))
        indices.ravel()[rng.randrange(indices.size)] = beyond
        out.items.append(indices)
        return out, 'E0209 E0302'
    if kind == 'many':
        out.items = [slice(None)] * n + [rng.choice([0, slice(None), np.array([0, 0])])]
        return out, 'E0209'
    if kind == 'mask':
        rank = rng.randint(1, n - axis)
        other = [extent + rng.choice([-1, 1, 2]) if k == 0 else extent for k, extent in enumerate(shape[axis:axis + rank])]
        other[0] = max(other[0], 0)
        out.items.append(np.ones(other, dtype=bool))
        return out, 'E0209 E0301'
    if kind == 'shapes' and n > 1 and 0 not in shape:
        out.items = [np.zeros(2, dtype=int), np.zeros(3, dtype=int)]
        return out, 'E0209 E0203 E0301'
    return None, ''


def error_line(rng, number, base, subscripts, codes):
    """The codes, the columns of the index expression and a program of one line."""
    arguments, form = None, rng.choice(['text', 'function', 'assign', 'assign in function'])
    if 'function' in form:
        arguments = []
    indices = subscripts.text(arguments)
    names = ''.join(f', i{k}' for k in range(len(arguments or [])))
    call = ', '.join([base.text] + (arguments or []))
    value = 'true' if base.dtype == 'bool' else '1'
    text = {'text': f'let r{number} = {base.text}[{indices}]',
            'function': f'fn g{number}(x{names}) = x[{indices}]; let r{number} = g{number}({call})',
            'assign': f'mut r{number} = {base.text}; r{number}[{indices}] = {value}',
            'assign in function': f'fn g{number}(x{names}) {{ mut y = x; y[{indices}] = {value}; y }}; '
                                  f'let r{number} = g{number}({call})'}[form]
    start = text.index(f'[{indices}]')
    indexed = {'text': base.text, 'assign': f'r{number}'}.get(form, 'x')  # the columns start with what is indexed
    first = start - len(indexed)
    return f'{codes}\t{first + 1}\t{start + len(indices) + 2}\t{text}'


def value_error_line(rng, number):
    """A value whose shape does not fit the part that is assigned, or None."""
    base = Base(rng, rng.choice(SHAPES), ['i64'])
    subscripts = random_subscripts(rng, base.value.shape, rng.random() < .8)
    try:
        part = base.value[subscripts.numpy()] if subscripts else np.array(0)
    except (IndexError, DeprecationWarning):
        return None
    if not np.size(part) or not np.ndim(part):
        return None
    axis = rng.randrange(part.ndim)
    shape = part.shape[:axis] + (part.shape[axis] + rng.choice([1, 2, 30]) if part.shape[axis] > 1 or rng.random() < .5
                                 else 2,) + part.shape[axis + 1:]
    value, arguments = f'zeros({", ".join(map(str, shape))}, dtype=i64)', [] if rng.random() < .6 else None
    indices, operator = subscripts.text(arguments), rng.choice(['=', '+='])
    if arguments is None:
        text = f'mut v{number} = {base.text}; v{number}[{indices}] {operator} {value}'
        return f'E0203 E0301\t{text.index("; ") + 3}\t{len(text)}\t{text}'
    names = ''.join(f', i{k}' for k in range(len(arguments)))
    text = f'fn h{number}(x, v{names}) {{ mut y = x; y[{indices}] {operator} v; y }}'
    call = f'; let v{number} = h{number}({", ".join([base.text, value] + arguments)})'
    return f'E0203 E0301\t{text.index("; ") + 3}\t{len(text)}\t{text}{call}'


def errors(rng, count):
    lines = []
    while len(lines) < count // 3:
        line = value_error_line(rng, len(lines))
        lines += [line] if line else []
    while len(lines) < count:
        base = Base(rng, rng.choice(SHAPES), list(DTYPES))
        subscripts, codes = refused(rng, base.value.shape)
        if subscripts is None:
            continue
        try:
            base.value[subscripts.numpy()]
        except (IndexError, DeprecationWarning):
            lines.append(error_line(rng, len(lines), base, subscripts, codes))
    return '\n'.join(lines) + '\n'


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('folder')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--reads', type=int, default=450)
    parser.add_argument('--assignments', type=int, default=150)
    parser.add_argument('--errors', type=int, default=180)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    files = {'masks.gmx': masks(), 'errors.txt': errors(rng, options.errors)}
    for name, count, make in (('reads', options.reads, read_lines), ('assignments', options.assignments, assignment_lines)):
        for number, text in enumerate(programs(rng, count, list(DTYPES), make)):
            files[f'{name}_{number + 1}.gmx'] = text
    for name, text in files.items():
        with open(os.path.join(options.folder, name), 'w', encoding='utf-8') as file:
            file.write('# Written by tests/data/make_indexing.py.\n' + text)


warnings.simplefilter('error')
with np.errstate(all='ignore'):
    main()
