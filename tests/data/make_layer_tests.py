#!/usr/bin/env python3
"""Writes tests/lang/layers/library.gmx: layers of the library with the values, gradients and states that PyTorch gives.
Needs PyTorch; run it from the root after adding a case.

Parameters and inputs are sines of their positions, in f64.  Of every tensor the sum with cos(0.5 + i) is compared."""
import torch
from torch import nn

torch.set_default_dtype(torch.float64)


def wave(shape, scale=0.5):
    size = torch.Size(shape).numel()
    return (scale * torch.sin(0.7 * torch.arange(size, dtype=torch.float64) + size)).reshape(shape)


def probe(x):
    return (x * torch.cos(torch.arange(x.numel()) + 0.5).reshape(x.shape)).sum()


class Attention(nn.Module):
    def __init__(self, d, heads, **options):
        super().__init__()
        self.inner = nn.MultiheadAttention(d, heads, batch_first=True, **options)

    def forward(self, x, context=None, **options):
        context = x if context is None else context
        return self.inner(x, context, context, need_weights=False, **options)[0]


class Causal(Attention):
    def forward(self, x):
        later = torch.triu(torch.ones(x.shape[1], x.shape[1], dtype=torch.bool), 1)
        return self.inner(x, x, x, need_weights=False, attn_mask=later)[0]


def encoder(layers, **options):
    one = nn.TransformerEncoderLayer(4, 2, 6, 0.0, batch_first=True, **options)
    return nn.TransformerEncoder(one, layers, enable_nested_tensor=False)


# name, layer, its call, PyTorch's module, shapes of the inputs, whether it trains
CASES = [
    ("Linear(3, 4)", "net(x)", nn.Linear(3, 4), [(2, 3)], False),
    ("Linear(3, 4, bias=false)", "net(x)", nn.Linear(3, 4, bias=False), [(5, 2, 3)], False),
    ("LayerNorm(4)", "net(x)", nn.LayerNorm(4), [(3, 4)], False),
    ("LayerNorm((2, 3), eps=0.1)", "net(x)", nn.LayerNorm((2, 3), eps=0.1), [(4, 2, 3)], False),
    ("RMSNorm(4)", "net(x)", nn.RMSNorm(4), [(3, 4)], False),
    ("GroupNorm(2, 4)", "net(x)", nn.GroupNorm(2, 4), [(3, 4, 2)], False),
    ("BatchNorm1d(3)", "net(x)", nn.BatchNorm1d(3), [(5, 3)], False),
    ("BatchNorm1d(3, momentum=0.3)", "net(x)", nn.BatchNorm1d(3, momentum=0.3), [(5, 3, 2)], True),
    ("BatchNorm2d(3)", "net(x)", nn.BatchNorm2d(3), [(2, 3, 2, 2)], True),
    ("LSTM(3, 2, layers=2)", "net(x, state=(s, c))[0]", nn.LSTM(3, 2, 2), [(4, 2, 3), (2, 2, 2), (2, 2, 2)], False),
    ("LSTM(2, 3, batch_first=true)", "net(x)[1][1]", nn.LSTM(2, 3, batch_first=True), [(2, 4, 2)], False),
    ("GRU(3, 2, layers=2)", "net(x, state=s)[1]", nn.GRU(3, 2, 2), [(5, 2, 3), (2, 2, 2)], False),
    ("MultiHeadAttention(4, 2)", "net(x, context=s)", Attention(4, 2), [(2, 3, 4), (2, 5, 4)], False),
    ("MultiHeadAttention(4, 4, bias=false)", "net(x, causal=true)", Causal(4, 4, bias=False), [(2, 3, 4)], False),
    ("TransformerEncoder(4, 2, layers=2, d_hidden=6, dropout=0.0)", "net(x)", encoder(2), [(2, 3, 4)], False),
    ("TransformerEncoder(4, 2, d_hidden=6, norm_first=true, activation=gelu)", "net(x)", encoder(1, norm_first=True, activation="gelu"), [(2, 3, 4)], True),
]
# GMX keeps the parameters of a class in this order.
ORDER = {"MultiheadAttention": ["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"],
         "TransformerEncoderLayer": ["self_attn.in_proj_weight", "self_attn.in_proj_bias", "self_attn.out_proj.weight",
                                     "self_attn.out_proj.bias", "norm1.weight", "norm1.bias", "linear1.weight", "linear1.bias",
                                     "linear2.weight", "linear2.bias", "norm2.weight", "norm2.bias"]}


def parameters(module):
    """The parameters in the order of the GMX layer."""
    named = dict(module.named_parameters())
    if isinstance(module, Attention):
        names = ["inner." + n for n in ORDER["MultiheadAttention"]]
    elif isinstance(module, nn.TransformerEncoder):
        names = [f"layers.{i}.{n}" for i in range(module.num_layers) for n in ORDER["TransformerEncoderLayer"]]
    else:
        names = list(named)
    return [named[n] for n in names if n in named]


def called(module, inputs, call):
    if isinstance(module, (nn.LSTM, nn.LSTMCell)) and len(inputs) == 3:
        y = module(inputs[0], (inputs[1], inputs[2]))
    else:
        y = module(*inputs)
    for part in call.split("]")[:-1]:
        if "[" in part:
            y = y[int(part.rsplit("[", 1)[1])]
    return y


def numbers(values):
    values = [float(v.detach()) for v in values]
    return "[" + ", ".join(f"{v:.12g}" if v % 1 else f"{v:.1f}" for v in values) + "]"


def main():
    lines = ["# Written by tests/data/make_layer_tests.py: expected is what PyTorch gives.",
             "fn wave(shape) { let i = arange(shape.product()); reshape(0.5 * sin(0.7 * i + i.size), shape) }",
             "fn product(sizes) { mut n = 1; for s in sizes { n = n * s }; n }",
             "fn probe(x) = sum(x * reshape(cos(arange(x.size) + 0.5), x.shape))",
             "fn probes(tree) = stack(tree_leaves(tree_map(probe, tree)))",
             "fn agree(a, b, tolerance) = a.size == b.size and all(abs(a - b) <= tolerance * (1 + abs(b)))"]
    for i, (layer, call, module, shapes, trains) in enumerate(CASES):
        module.train(trains)
        if isinstance(module, nn.TransformerEncoder):
            for m in module.modules():
                if isinstance(m, nn.Dropout):
                    m.p = 0.0
        tensors = parameters(module)
        with torch.no_grad():
            for p in tensors:
                p.copy_(wave(p.shape))
        inputs = [wave(s, 1.0).requires_grad_() for s in shapes]
        y = called(module, inputs, call)
        probe(y).backward()
        names = ["x", "s", "c"][:len(shapes)]
        if trains and "Encoder" in layer:
            layer = layer.replace("d_hidden=6", "d_hidden=6, dropout=0.0")
        lines.append(f"# {layer}: {call}" + (", training" if trains else ""))
        arguments = ", ".join(names)
        lines.append(f"let net{i} = tree_map(fn(p) = wave(p.shape), {layer})")
        value = f"train(net, {arguments})[0]" if trains else call
        lines.append(f"fn value{i}(net, {arguments}) = {value}")
        given = ", ".join(f"2 * wave({str(s)})" for s in shapes)
        wrt = ", ".join(f'"{n}"' for n in ["net"] + names)
        lines.append(f"fn all{i}(net, {arguments}) {{ let y = value{i}(net, {arguments}); (probe(y), flatten(y)) }}")
        lines.append(f"let ((l{i}, y{i}), g{i}) = value_and_grad(all{i}, wrt=[{wrt}], has_aux=true)(net{i}, {given})")
        near = "1e-10" if trains or "Batch" not in layer else "1e-6"  # the states are f32
        lines.append(f"print(y{i}.size, agree(y{i}[:8], {numbers(y.flatten()[:8])}, {near}), agree(l{i}, {numbers([probe(y)])}, {near}), "
                     f"agree(probes(g{i}), {numbers([probe(t.grad) for t in tensors + inputs])}, 1e-8))  # expect: {y.numel()} True True True")
        if trains and "Batch" in layer:
            lines.append(f"let after{i} = train(net{i}, {given})[1]")
            lines.append(f"print(agree(after{i}.mean, {numbers(module.running_mean)}, 1e-6), agree(after{i}.var, {numbers(module.running_var)}, 1e-6))  # expect: True True")
    with open("tests/lang/layers/library.gmx", "w") as f:
        f.write("\n".join(lines) + "\n")


main()
