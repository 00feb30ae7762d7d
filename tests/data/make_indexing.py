#!/usr/bin/env python3
"""Writes tests/lang/indexing/{reads,assignments}.gmx: random index expressions and assignments with NumPy's answers.

    tests/data/make_indexing.py [--seed N] [--count N] FOLDER

Needs NumPy.  Where an index repeats, `=` keeps the last and every other operator applies each value in order (NumPy
applies one), so assignments are done here element by element over the positions that NumPy's indexing gives.  A mask
with one true element beside other tensors is left out: NumPy broadcasts it, GMX takes sizes known only at run time
as they are."""
import argparse
import ast
import os
import random

import numpy as np

SHAPES = [(6,), (5,), (3, 4), (4, 3), (2, 3, 4), (3, 2, 5), (2, 2, 2, 3), (0,), (0, 3), (3, 0, 2), (1, 4), (1,)]
APPLY = {'=': lambda a, b: b, '+=': lambda a, b: a + b, '-=': lambda a, b: a - b, '*=': lambda a, b: a * b}


def literal(value):
    if isinstance(value, np.ndarray):
        return literal(value.tolist())
    if isinstance(value, list):
        return '[' + ', '.join(literal(item) for item in value) + ']'
    return str(value).lower() if isinstance(value, bool) else str(value)


def random_slice(rng, n):
    bound = lambda: '' if rng.random() < .4 else str(rng.randint(-n - 2, n + 2))
    return f'{bound()}:{bound()}' + rng.choice(['', '', ':1', ':2', ':-1', ':-2', ':3'])


def random_mask(rng, shape):
    return np.array([rng.random() < .5 for _ in range(int(np.prod(shape)))], dtype=bool).reshape(shape)


def random_subscripts(rng, shape, tensors):
    parts, axis, has_ellipsis = [], 0, False
    index_shape = rng.choice([(2,), (3,), (1,), (2, 1), (2, 2)])
    while axis < len(shape):
        n, choice = shape[axis], rng.random()
        if choice < .06:
            parts.append('None')
            continue
        if choice < .12 and not has_ellipsis:
            has_ellipsis = True
            parts.append('...')
            axis += rng.randint(0, len(shape) - axis)
            continue
        if choice < .2:
            break
        if tensors and choice < .5 and n > 0:
            own = rng.choice([index_shape, index_shape, index_shape[-1:]])
            indices = [rng.randint(-n, n - 1) for _ in range(int(np.prod(own)))]
            parts.append(literal(np.array(indices).reshape(own)))
        elif tensors and choice < .58:
            rank = min(rng.choice([1, 1, 2]), len(shape) - axis)
            mask = random_mask(rng, shape[axis:axis + rank])
            if mask.size and mask.sum() != 1:
                parts.append(literal(mask))
                axis += rank - 1
            else:
                continue
        elif choice < .75 and n > 0:
            parts.append(str(rng.randint(-n, n - 1)))
        else:
            parts.append(random_slice(rng, n))
        axis += 1
    return ', '.join(parts)


class Lists(ast.NodeTransformer):
    """Lists are tensors."""

    def visit_List(self, node):
        return ast.Call(ast.Attribute(ast.Name('np', ast.Load()), 'array', ast.Load()), [node], [])


def indexed(x, subscripts):
    text = subscripts.replace('true', 'True').replace('false', 'False')
    tree = ast.fix_missing_locations(Lists().visit(ast.parse(f'x[{text}]', mode='eval')))
    return eval(compile(tree, '', 'eval'), {'np': np, 'x': x})


def expect(value):
    if np.size(value) == 0:
        return [f'# expect: {np.shape(value)}']
    return [f'# expect: {line}' for line in str(value).split('\n')]


def read_lines(shape, subscripts):
    n = int(np.prod(shape))
    part = indexed(np.arange(n).reshape(shape), subscripts)
    made = f'arange({n}).reshape({", ".join(map(str, shape))})'
    return [f'print({made}[{subscripts}]{".shape" if np.size(part) == 0 else ""})'] + expect(part)


def random_value(rng, shape):
    if rng.random() < .3:
        return rng.randint(-9, 9)
    shape = [1 if rng.random() < .25 else extent for extent in shape]
    shape = shape[rng.randint(0, len(shape) - 1):] if shape and rng.random() < .3 else shape
    value = np.asarray(np.arange(int(np.prod(shape))) * 10 + 100).reshape(shape)
    return value if value.size else 7


def assignment_lines(rng, number, shape, subscripts):
    n = int(np.prod(shape))
    positions = np.asarray(indexed(np.arange(n).reshape(shape), subscripts))
    value, operator = random_value(rng, positions.shape), rng.choice(['=', '=', '+=', '-=', '*='])
    flat = np.arange(n)
    for at, item in zip(positions.ravel(), np.broadcast_to(value, positions.shape).ravel()):
        flat[at] = APPLY[operator](flat[at], item)
    name = f'x{number}'
    lines = [f'mut {name} = arange({n}).reshape({", ".join(map(str, shape))})', f'let before{number} = {name}',
             f'{name}[{subscripts}] {operator} {literal(value)}', f'print({name}{"" if n else ".shape"})']
    return lines + expect(flat.reshape(shape)) + [f'print(sum(before{number}))', f'# expect: {n * (n - 1) // 2}']


def program(rng, count, make):
    lines, seen = [], set()
    while len(seen) < count:
        shape = rng.choice(SHAPES)
        subscripts = random_subscripts(rng, shape, rng.random() < .7)
        try:
            indexed(np.zeros(shape), subscripts)
        except (IndexError, SyntaxError):
            continue
        if (shape, subscripts) not in seen:
            seen.add((shape, subscripts))
            lines += make(len(seen), shape, subscripts)
    return '\n'.join(lines) + '\n'


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('folder')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--count', type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    reads = program(rng, options.count or 300, lambda number, *rest: read_lines(*rest))
    assignments = program(rng, options.count or 100, lambda *rest: assignment_lines(rng, *rest))
    for name, text in (('reads', reads), ('assignments', assignments)):
        with open(os.path.join(options.folder, name + '.gmx'), 'w', encoding='utf-8') as file:
            file.write('# Written by tests/data/make_indexing.py.\n' + text)


main()
