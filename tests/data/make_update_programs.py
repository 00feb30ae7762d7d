#!/usr/bin/env python3
"""Writes tests/lang/indexing/programs_N.gmx: random functions that pass tensors around and assign parts of them in
loops and branches, with the answers of the same programs in NumPy, where every assignment works on a copy.

    tests/data/make_update_programs.py [--seed N] [--files N] [--programs N] FOLDER

Needs NumPy.  What is tried is that work in place never shows: old values, views and tensors under two names stay."""
import argparse
import os
import random

import numpy as np

VECTORS, MATRIX, N, ROWS = ['x', 'y', 'z'], 'w', 8, 4


def updated(base, index, operator, value):
    """A copy of base with that part assigned; where an index repeats an operator applies each value in order."""
    out = base.copy()
    at = np.arange(out.size).reshape(out.shape)[index]
    flat = out.ravel()
    for position, item in zip(np.ravel(at), np.broadcast_to(value, np.shape(at)).ravel()):
        flat[position] = {'=': item, '+=': flat[position] + item, '-=': flat[position] - item,
                          '*=': flat[position] * item}[operator]
    return flat.reshape(out.shape)


class Writer:
    """The text of one function in GMX and in Python."""

    def __init__(self, rng):
        self.rng, self.gmx, self.python, self.depth = rng, [], [], 1
        self.kept, self.loops, self.names = [], [], 0

    def line(self, gmx, python=None):
        self.gmx.append('    ' * self.depth + gmx)
        if python != '':
            self.python.append('    ' * self.depth + (python or gmx))

    def name(self, stem):
        self.names += 1
        return f'{stem}{self.names}'

    def index(self):
        """A scalar index in 0 … 3."""
        if self.loops and self.rng.random() < .6:
            return self.rng.choice(self.loops)
        return str(self.rng.randint(0, 3))

    def vector(self):
        """An expression of N elements."""
        rng, any_vector = self.rng, self.rng.choice(VECTORS + self.kept)
        other = rng.choice(VECTORS + self.kept)
        return rng.choice([any_vector, any_vector, f'{any_vector}[::-1]', f'({any_vector} + {other})',
                           f'({any_vector} * 2 - {other}[::-1])', f'{MATRIX}[{self.index()}]'])

    def scalar(self):
        rng = self.rng
        return rng.choice([f'{rng.choice(VECTORS + self.kept)}[{self.index()}]', f'{MATRIX}[{self.index()}, {self.index()}]',
                           str(rng.randint(-9, 9)), f'({rng.choice(VECTORS)}[{self.index()}] + {self.index()})'])

    def assign(self, target, index, operator, value, mask=None):
        """value % 100, so that numbers stay small."""
        self.line(f'{target}[{mask or index}] {operator} ({value}) % 100',
                  f'{target} = updated({target}, np.s_[{mask or index}], "{operator}", ({value}) % 100)')

    def update_vector(self):
        rng, i, operator = self.rng, self.index(), self.rng.choice(['=', '=', '+=', '-=', '*='])
        target, source = rng.choice(VECTORS), rng.choice(VECTORS + self.kept)
        kind = rng.randrange(6)
        if kind == 0:
            self.assign(target, i, operator, self.scalar())
        elif kind == 1:
            length, a = rng.randint(1, 4), rng.randint(0, 4)
            self.assign(target, f'{i}:{i} + {length}', operator, f'{source}[{a}:{a + length}]')
        elif kind == 2:
            self.assign(target, rng.choice(['::2', '1::2', '-2::-2', '::-2']), operator, f'{source}[{i}:{i} + 4]')
        elif kind == 3:
            at = f'[{self.index()}, {self.index()}, {rng.randint(-8, 7)}]'
            self.assign(target, at, operator, rng.choice([self.scalar(), f'{source}[2:5]']))
        elif kind == 4:
            self.assign(target, '', operator, self.scalar(), f'{source} > {rng.randint(-5, 60)}')
        else:
            self.assign(target, ':', operator, self.vector())

    def update_matrix(self):
        rng, i, operator = self.rng, self.index(), self.rng.choice(['=', '=', '+=', '*='])
        source = rng.choice(VECTORS + self.kept)
        index, value = rng.choice([
            (i, self.vector()), (f'{i}, {self.index()}', self.scalar()), (f':, {i}', f'{source}[:4]'),
            (f'{i}:, 2:6', f'{source}[1:5]'), (f'[0, {i}]', self.vector()), (f'[0, {i}], [{self.index()}, 7]', self.scalar()),
            ('1:', f'{MATRIX}[:-1]'), ('::-1', MATRIX), (f'..., {i}', f'{MATRIX}[:, {self.index()}]')])
        self.assign(MATRIX, index, operator, value)

    def statement(self, budget):
        rng, choice = self.rng, self.rng.random()
        if choice < .4:
            self.update_vector()
        elif choice < .6:
            self.update_matrix()
        elif choice < .72:
            self.line(f'{rng.choice(VECTORS)} = {self.vector()} % 100')
        elif choice < .8:
            name = self.name('kept')
            value = self.vector()
            self.line(f'let {name} = {value}', f'{name} = {value}')
            self.kept.append(name)
        elif budget > 1 and self.depth < 4:
            self.block(budget)
            return 2
        else:
            self.update_vector()
        return 1

    def statements(self, budget):
        kept = len(self.kept)
        self.depth += 1
        used = 0
        while used < budget:
            used += self.statement(budget - used)
        self.depth -= 1
        del self.kept[kept:]

    def block(self, budget):
        inner = self.rng.randint(1, max(1, min(4, budget - 1)))
        if self.rng.random() < .5:
            name = self.name('k')
            count = self.rng.randint(1, 4)
            self.line(f'for {name} in 0..{count} {{', f'for {name} in range({count}):')
            self.loops.append(name)
            self.statements(inner)
            self.loops.pop()
            self.line('}', '')
            return
        condition = f'{self.scalar()} > {self.rng.randint(-5, 40)}'
        self.line(f'if {condition} {{', f'if {condition}:')
        self.statements(inner)
        if self.rng.random() < .6:
            self.line('} else {', 'else:')
            self.statements(inner)
        self.line('}', '')


def program(rng, number):
    writer = Writer(rng)
    writer.line(f'mut x = a; mut y = {rng.choice(["a", "a * 2", "b[1]"])}; mut z = {rng.choice(["x", "y", "b[0]"])}; mut w = b',
                '')
    writer.python.append(writer.gmx[-1].replace('mut ', ''))
    for _ in range(rng.randint(5, 14)):
        writer.statement(6)
    writer.line('(x, y, z, w)', 'return x, y, z, w')
    python = f'def f(a, b):\n' + '\n'.join(writer.python)
    scope = {'np': np, 'updated': updated}
    exec(python, scope)
    a, b = np.arange(N) * 3, np.arange(ROWS * N).reshape(ROWS, N)
    result = scope['f'](a, b)
    lines = [f'fn f{number}0(a, b) {{'] + writer.gmx + ['}', f'let (p{number}, q{number}) = (arange({N}) * 3, '
             f'arange({ROWS * N}).reshape({ROWS}, {N}))',
             f'let r{number} = f{number}0(p{number}, q{number})']
    for k, value in enumerate(result):
        lines += [f'print(r{number}[{k}])'] + [f'# expect: {line}' for line in str(value).split('\n')]
    lines += [f'print(sum(p{number}), sum(q{number}))', f'# expect: {a.sum()} {b.sum()}']
    return lines


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('folder')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--files', type=int, default=2)
    parser.add_argument('--programs', type=int, default=10)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    for number in range(1, options.files + 1):
        lines = ['# Written by tests/data/make_update_programs.py.']
        for k in range(options.programs):
            lines += program(rng, k)
        with open(os.path.join(options.folder, f'programs_{number}.gmx'), 'w', encoding='utf-8') as file:
            file.write('\n'.join(lines) + '\n')


main()
