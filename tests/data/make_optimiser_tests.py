#!/usr/bin/env python3
"""Writes tests/lang/layers/optimisers.gmx: five steps of each optimiser, and schedules, as PyTorch takes them.
Needs PyTorch; run it from the root after adding a case.  LAMB and the warm-up are computed here: PyTorch has neither."""
import math
import torch

torch.set_default_dtype(torch.float64)
STEPS = 5


def start():
    return [torch.tensor([[1.0, -2.0], [0.5, 3.0]]), torch.tensor([0.25, -1.5, 0.0])]


def gradient(p, t):
    """Of sum(p^4 / 4 + p * sin(i + t))."""
    return p ** 3 + torch.sin(torch.arange(p.numel(), dtype=torch.float64) + t).reshape(p.shape)


def pytorch(make, schedule=None):
    ps = [p.requires_grad_() for p in start()]
    optimiser = make(ps)
    scheduler = schedule(optimiser) if schedule else None
    for t in range(STEPS):
        for p in ps:
            p.grad = gradient(p.detach(), t)
        optimiser.step()
        if scheduler:
            scheduler.step()
    return ps


def lamb(lr=1e-3, b1=0.9, b2=0.999, eps=1e-6, weight_decay=0.0):
    ps = start()
    ms, vs = [torch.zeros_like(p) for p in ps], [torch.zeros_like(p) for p in ps]
    for t in range(STEPS):
        for i, p in enumerate(ps):
            g = gradient(p, t)
            ms[i] = b1 * ms[i] + (1 - b1) * g
            vs[i] = b2 * vs[i] + (1 - b2) * g * g
            u = ms[i] / (1 - b1 ** (t + 1)) / ((vs[i] / (1 - b2 ** (t + 1))).sqrt() + eps) + weight_decay * p
            trust = p.norm() / u.norm() if p.norm() > 0 and u.norm() > 0 else 1.0
            ps[i] = p - lr * trust * u
    return ps


O = torch.optim
S = O.lr_scheduler
CASES = [
    ("sgd(net, 0.1)", pytorch(lambda p: O.SGD(p, 0.1))),
    ("sgd(net, 0.1, momentum=0.9, weight_decay=0.1)", pytorch(lambda p: O.SGD(p, 0.1, momentum=0.9, weight_decay=0.1))),
    ("sgd(net, 0.01, momentum=0.9, nesterov=true)", pytorch(lambda p: O.SGD(p, 0.01, momentum=0.9, nesterov=True))),
    ("adam(net, lr=0.1)", pytorch(lambda p: O.Adam(p, 0.1))),
    ("adam(net, lr=0.1, betas=(0.8, 0.9), eps=0.01, weight_decay=0.2)", pytorch(lambda p: O.Adam(p, 0.1, (0.8, 0.9), 0.01, 0.2))),
    ("adamw(net, lr=0.1)", pytorch(lambda p: O.AdamW(p, 0.1))),
    ("adamw(net, lr=0.1, weight_decay=0.3)", pytorch(lambda p: O.AdamW(p, 0.1, weight_decay=0.3))),
    ("rmsprop(net)", pytorch(lambda p: O.RMSprop(p))),
    ("rmsprop(net, lr=0.1, alpha=0.9, momentum=0.8, centered=true, weight_decay=0.1)", pytorch(lambda p: O.RMSprop(p, 0.1, 0.9, 1e-8, 0.1, 0.8, True))),
    ("adagrad(net, lr=0.5)", pytorch(lambda p: O.Adagrad(p, 0.5))),
    ("adagrad(net, lr=0.5, lr_decay=0.1, weight_decay=0.1, initial=0.5)", pytorch(lambda p: O.Adagrad(p, 0.5, 0.1, 0.1, 0.5))),
    ("lamb(net, lr=0.1)", lamb(0.1)),
    ("lamb(net, lr=0.1, betas=(0.8, 0.9), weight_decay=0.1)", lamb(0.1, 0.8, 0.9, weight_decay=0.1)),
    ("sgd(net, cosine(0.1, 4))", pytorch(lambda p: O.SGD(p, 0.1), lambda o: S.LambdaLR(o, lambda t: 0.5 * (1 + math.cos(math.pi * min(t, 4) / 4))))),
    ("adamw(net, lr=step_decay(0.1, 2, 0.5))", pytorch(lambda p: O.AdamW(p, 0.1), lambda o: S.StepLR(o, 2, 0.5))),
    ("adam(net, lr=warm_up(0.1, 3))", pytorch(lambda p: O.Adam(p, 0.1), lambda o: S.LambdaLR(o, lambda t: min((t + 1) / 3, 1)))),
    ("sgd(net, fn(t) = 0.1 / (t + 1))", pytorch(lambda p: O.SGD(p, 0.1), lambda o: S.LambdaLR(o, lambda t: 1 / (t + 1)))),
    ("sgd(net, warm_up(cosine(0.1, 4), 2))", pytorch(lambda p: O.SGD(p, 0.1), lambda o: S.LambdaLR(
        o, lambda t: min((t + 1) / 2, 1) * 0.5 * (1 + math.cos(math.pi * min(t, 4) / 4))))),
]


def numbers(values):
    return "[" + ", ".join(f"{float(v):.13g}" if float(v) % 1 else f"{float(v):.1f}" for v in values) + "]"


def main():
    lines = ["# Written by tests/data/make_optimiser_tests.py: expected is what PyTorch gives.",
             "let start = ([[1.0, -2.0], [0.5, 3.0]], [0.25, -1.5, 0.0])",
             "fn gradient(net, t) = tree_map(fn(p) = p * p * p + cast(reshape(sin(arange(p.size) + t), p.shape), p.dtype), net)",
             "fn run(first, make) {",
             "    mut net = first",
             "    mut opt = make(first)",
             f"    for t in 0..{STEPS} {{ (net, opt) = step(net, opt, gradient(net, t)) }}",
             "    net",
             "}",
             "fn agree(a, b, tolerance) = all(abs(concat((flatten(a[0]), a[1])) - b) <= tolerance * (1 + abs(b)))",
             "let small = (f32(start[0]), f32(start[1]))"]
    for make, ps in CASES:
        with torch.no_grad():
            wanted = numbers(torch.cat([p.flatten() for p in ps]))
        lines.append(f"print(agree(run(start, fn(net) = {make}), {wanted}, 1e-11), agree(run(small, fn(net) = {make}), {wanted}, 1e-4))  # expect: True True")
    with open("tests/lang/layers/optimisers.gmx", "w") as f:
        f.write("\n".join(lines) + "\n")


main()
