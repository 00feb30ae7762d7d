#!/usr/bin/env python3
"""Writes tests/lang/neural/{cross_entropy,losses,slopes,operators}.gmx: neural functions with the values and derivatives that
PyTorch gives for the same call.  Needs PyTorch; run it from the root after adding a case.

A case is (arguments, GMX expression, PyTorch expression[, differentiate]): the arguments are names of SETUP, and
the derivative of sum(result * cos(0.5 + i)) is taken with respect to each argument that is a float."""
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
generator = torch.Generator().manual_seed(1)


def floats(*shape, lo=-3.0, hi=3.0):
    return torch.round((lo + (hi - lo) * torch.rand(*shape, generator=generator)) * 1000) / 1000


def shares(*shape, axis=1):
    raw = torch.rand(*shape, generator=generator)
    return raw / raw.sum(axis, keepdim=True)


SETUP = {
    "x": floats(4, 5), "y": torch.tensor([1, 0, 4, 2]), "ignored": torch.tensor([1, -100, 4, -100]), "ones_ignored": torch.tensor([1, 2, 1, 3]),
    "w": floats(5, lo=0.2, hi=2.0), "p": torch.round(shares(4, 5) * 1000) / 1000, "certain": torch.eye(5)[[1, 0, 4, 2]],
    "image": floats(2, 3, 2, 3), "labels": torch.tensor([[[0, 2, 1], [1, 1, 0]], [[2, 2, 0], [0, 1, 2]]]), "v": floats(3, lo=0.2, hi=2.0),
    "maps": torch.round(shares(2, 3, 2, 3) * 1000) / 1000, "sequence": floats(3, 4, 5), "words": torch.tensor([[0, 3, 1, 1, 2], [3, 3, -100, 0, 1], [2, 1, 0, 2, 3]]),
    "row": floats(6), "place": torch.tensor(3), "large": torch.tensor([[1000.0, -1000.0, 0.0], [-1000.0, 1e4, 1e4]]), "of_large": torch.tensor([1, 0]),
    "a": floats(2, 3), "b": floats(2, 3), "one": floats(1, 1), "other": floats(1, 1), "wide": floats(17), "wider": floats(17),
    "u": floats(2, 3, lo=0.02, hi=0.98), "t": floats(2, 3, lo=0.0, hi=1.0), "bits": torch.tensor([[0.0, 1, 1]] * 2), "s": floats(3, lo=0.2, hi=3.0),
    "ends": torch.tensor([0.0, 1.0, 0.0, 1.0]), "of_ends": torch.tensor([1.0, 0.0, 0.25, 0.75]),
    "corners": torch.tensor([-6.0, -3.5, -1.0, -0.25, 0.0, 0.25, 1.0, 3.5, 6.0, 7.0]), "far": torch.tensor([-800.0, -100.0, -30.0, 30.0, 100.0, 800.0]),
    "z": floats(3, 6), "volume": floats(2, 4, 3, 2), "m": floats(4), "r": floats(4, lo=0.5, hi=2.0), "g": floats(4, lo=0.5, hi=2.0), "h": floats(4), "flat": floats(5, 4),
    "q": floats(2, 3, 4), "k": floats(2, 5, 4), "e": floats(2, 5, 3), "q4": floats(2, 2, 4, 3), "k4": floats(1, 2, 4, 3), "e4": floats(2, 1, 4, 2),
    "may": torch.tensor([[True, False, True, True, False], [False] * 4 + [True], [True] * 5]), "bias": floats(2, 3, 5),
    "blocks": floats(2, 8, 2, 3), "table": floats(4, 3), "pages": torch.tensor([[0, 3, 3], [1, 0, 2]]),
}
SCOPE = {"torch": torch, "F": F, "true": True, "false": False, "None": None, **SETUP}


def attend(q, k, v, allowed=None, added=None, scale=None):
    scores = q @ k.transpose(-1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    if added is not None:
        scores = scores + added
    if allowed is not None:
        scores = scores.masked_fill(~allowed, float("-inf"))
    return torch.softmax(scores, -1) @ v


def near(n, m, window, causal):
    i, j = torch.arange(n)[:, None], torch.arange(m)
    return ((i - j).abs() < window) & ((j <= i) if causal else True)


def turned(x, interleaved):
    """Each pair of elements as a complex number times exp(i * angle)."""
    d = x.shape[-1]
    pairs = x.reshape(*x.shape[:-1], d // 2, 2) if interleaved else torch.stack((x[..., : d // 2], x[..., d // 2:]), -1)
    angle = torch.arange(x.shape[-2])[:, None] * 10000.0 ** (-2 * torch.arange(d // 2) / d)
    y = torch.view_as_real(torch.view_as_complex(pairs.contiguous()) * torch.exp(1j * angle))
    return y.reshape(x.shape) if interleaved else torch.cat((y[..., 0], y[..., 1]), -1)


SCOPE.update(attend=attend, near=near, turned=turned)
REDUCTIONS = ("mean", "sum", "none")


def reduced(arguments, gmx, pytorch):
    """The case with each reduction; `)` at the end of the texts takes it."""
    yield arguments, gmx, pytorch
    for one in REDUCTIONS:
        yield arguments, f'{gmx[:-1]}, reduction="{one}")', f'{pytorch[:-1]}, reduction="{one}")'


def same(arguments, call, pytorch=None):
    return arguments, call, "F." + (pytorch or call)


def cross_entropies():
    for arguments, target in (("x y", "y"), ("x ignored", "ignored"), ("x p", "p"), ("x certain", "certain")):
        yield from reduced(arguments, f"cross_entropy(x, {target})", f"F.cross_entropy(x, {target})")
        yield same(arguments, f"cross_entropy(x, {target}, label_smoothing=0.1)")
        yield from reduced(arguments + " w", f"cross_entropy(x, {target}, weight=w)", f"F.cross_entropy(x, {target}, weight=w)")
        yield from reduced(arguments + " w", f"cross_entropy(x, {target}, weight=w, label_smoothing=0.3)", f"F.cross_entropy(x, {target}, weight=w, label_smoothing=0.3)")
    yield from reduced("x ones_ignored w", "cross_entropy(x, ones_ignored, weight=w, ignore_index=1)", "F.cross_entropy(x, ones_ignored, weight=w, ignore_index=1)")
    yield from reduced("x ones_ignored", "cross_entropy(x, ones_ignored, ignore_index=1, label_smoothing=0.2)", "F.cross_entropy(x, ones_ignored, ignore_index=1, label_smoothing=0.2)")
    yield "x y", "cross_entropy(x, y, ignore_index=None)", "F.cross_entropy(x, y)"
    yield from reduced("image labels v", "cross_entropy(image, labels, weight=v)", "F.cross_entropy(image, labels, weight=v)")
    yield same("image labels v", "cross_entropy(image, labels, weight=v, label_smoothing=0.25)")
    yield same("image labels", "cross_entropy(image, labels, ignore_index=2)")
    yield from reduced("image maps v", "cross_entropy(image, maps, weight=v, label_smoothing=0.25)", "F.cross_entropy(image, maps, weight=v, label_smoothing=0.25)")
    yield from reduced("sequence words", "cross_entropy(sequence, words)", "F.cross_entropy(sequence, words)")
    yield same("row place", "cross_entropy(row, place)")
    yield same("row place", 'cross_entropy(row, place, reduction="none")')
    yield same("large of_large", "cross_entropy(large, of_large)")


def losses():
    yield from reduced("x y", "nll_loss(log_softmax(x), y)", "F.nll_loss(F.log_softmax(x, -1), y)")
    yield from reduced("x y w", "nll_loss(x, y, weight=w)", "F.nll_loss(x, y, weight=w)")
    yield from reduced("image labels v", "nll_loss(image, labels, weight=v, ignore_index=0)", "F.nll_loss(image, labels, weight=v, ignore_index=0)")
    for arguments, pair in (("a b", "a, b"), ("one other", "one, other")):
        for name in ("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss"):
            yield from reduced(arguments, f"{name}({pair})", f"F.{name}({pair})")
    yield same("wide wider", "mse_loss(wide, wider)")
    yield same("a b", "huber_loss(a, b, delta=2.5)")
    yield same("a b", "smooth_l1_loss(a, b, beta=2.5)")
    yield same("a b", "smooth_l1_loss(a, b, beta=0.0)")
    yield from reduced("u t", "bce_loss(u, t)", "F.binary_cross_entropy(u, t)")
    yield from reduced("u bits s", "bce_loss(u, bits, weight=s)", "F.binary_cross_entropy(u, bits, weight=s)")
    yield "ends of_ends", 'bce_loss(ends, of_ends, reduction="none")', 'F.binary_cross_entropy(ends, of_ends, reduction="none")'
    yield from reduced("a t", "bce_with_logits(a, t)", "F.binary_cross_entropy_with_logits(a, t)")
    yield from reduced("a t s", "bce_with_logits(a, t, pos_weight=s)", "F.binary_cross_entropy_with_logits(a, t, pos_weight=s)")
    yield from reduced("a bits s", "bce_with_logits(a, bits, weight=s)", "F.binary_cross_entropy_with_logits(a, bits, weight=s)")
    yield "large", "bce_with_logits(large, 1.0)", "F.binary_cross_entropy_with_logits(large, torch.ones_like(large))"
    for name in (*REDUCTIONS, "batchmean"):
        yield same("x p", f'kl_div(x, p, reduction="{name}")')
        yield same("x certain", f'kl_div(x, certain, reduction="{name}")')
        yield same("a b", f'kl_div(a, b, reduction="{name}", log_target=true)', f'kl_div(a, b, reduction="{name}", log_target=True)')
    yield same("a b", "cosine_similarity(a, b)")
    yield same("a b", "cosine_similarity(a, b, axis=0)", "cosine_similarity(a, b, dim=0)")
    yield "a b", 'cosine_similarity(a, b, reduction="mean")', "F.cosine_similarity(a, b).mean()"
    yield "image", "cosine_similarity(image, image[:, ::-1], eps=3.0)", "F.cosine_similarity(image, image.flip(1), eps=3.0)", False


def slopes():
    """Activations, at their corners and far out too."""
    for one in ("corners", "far", "a"):
        for name in ("relu", "relu6", "leaky_relu", "elu", "selu", "celu", "silu", "mish", "sigmoid", "tanh", "softplus", "softsign", "hardsigmoid", "hardtanh", "logsigmoid", "gelu"):
            spelled = {"tanh": "torch.tanh", "sigmoid": "torch.sigmoid"}.get(name, "F." + name)
            yield one, f"{name}({one})", f"{spelled}({one})"
        yield one, f'gelu({one}, approximate="tanh")', f'F.gelu({one}, approximate="tanh")'
    yield same("a", "hardswish(a)")
    yield same("a", "leaky_relu(a, slope=0.3)", "leaky_relu(a, 0.3)")
    yield same("a", "elu(a, alpha=1.7)")
    yield same("a", "celu(a, alpha=1.7)")
    yield same("a", "hardtanh(a, lo=-0.5, hi=2.0)", "hardtanh(a, -0.5, 2.0)")
    yield "a", "prelu(a, 0.25)", "F.prelu(a, torch.tensor(0.25))"
    yield "a s", "prelu(a, s)", "F.prelu(a, s)"
    yield "image v", "prelu(image, v)", "F.prelu(image, v)"
    yield same("z", "glu(z)")
    yield same("volume", "glu(volume, axis=1)", "glu(volume, dim=1)")
    for name in ("softmax", "log_softmax"):
        yield same("a", f"{name}(a)", f"{name}(a, dim=-1)")
        yield same("image", f"{name}(image, axis=1)", f"{name}(image, dim=1)")
        yield same("large", f"{name}(large)", f"{name}(large, dim=-1)")


def operators():
    yield "volume", "group_norm(volume, 2)", "F.group_norm(volume, 2)"
    yield "volume g h", "group_norm(volume, 4, g, h, eps=0.1)", "F.group_norm(volume, 4, g, h, eps=0.1)"
    yield "flat g h", "group_norm(flat, 2, g, h)", "F.group_norm(flat, 2, g, h)"
    yield "volume", "instance_norm(volume)", "F.instance_norm(volume)"
    yield "volume g h", "instance_norm(volume, weight=g, bias=h, eps=0.1)", "F.instance_norm(volume, weight=g, bias=h, eps=0.1)"
    for one in ("volume", "flat"):
        yield f"{one} m r", f"batch_norm({one}, m, r)", f"F.batch_norm({one}, m, r)"
        yield f"{one} m r g h", f"batch_norm({one}, m, r, g, h, eps=0.1)", f"F.batch_norm({one}, m, r, g, h, eps=0.1)"
        yield f"{one} g h", f"batch_norm({one}, None, None, g, h, training=true)", f"F.batch_norm({one}, None, None, g, h, training=True)"
        yield f"{one} m r h", f"batch_norm({one}, m, r, bias=h, training=true)", f"F.batch_norm({one}, None, None, None, h, training=True)"
    yield "volume", "layer_norm(volume, (3, 2))", "F.layer_norm(volume, (3, 2))"
    yield "z", "rms_norm(z, 6)", "F.rms_norm(z, (6,))"
    yield "pages table", "embedding(pages, table)", "F.embedding(pages, table)"
    yield "blocks", "pixel_shuffle(blocks, 2)", "F.pixel_shuffle(blocks, 2)"
    yield "volume", "pixel_shuffle(volume[0], 1)", "F.pixel_shuffle(volume[0], 1)"
    yield "q k e", "attention(q, k, e)", "F.scaled_dot_product_attention(q, k, e)"
    yield "q k e", "attention(q, k, e, causal=true)", "F.scaled_dot_product_attention(q, k, e, is_causal=True)"
    yield "q k e", "attention(q, k, e, scale=0.3)", "F.scaled_dot_product_attention(q, k, e, scale=0.3)"
    yield "q k e may", "attention(q, k, e, mask=may)", "F.scaled_dot_product_attention(q, k, e, attn_mask=may)"
    yield "q k e may", "attention(q, k, e, mask=may and [[false], [true], [true]])[:, 1:]", "F.scaled_dot_product_attention(q, k, e, attn_mask=may)[:, 1:]"
    yield "q k e bias", "attention(q, k, e, mask=bias)", "F.scaled_dot_product_attention(q, k, e, attn_mask=bias)"
    yield "q k e bias", "attention(q, k, e, mask=bias, causal=true, scale=0.5)", "attend(q, k, e, near(3, 5, 9, True), bias, 0.5)"
    yield "q4 k4 e4", "attention(q4, k4, e4, window=2)", "attend(q4, k4, e4, near(4, 4, 2, False))"
    yield "q4 k4 e4", "attention(q4, k4, e4, causal=true, window=3)", "attend(q4, k4, e4, near(4, 4, 3, True))"
    yield "q", "attention(q[0], q[1], q[0])", "F.scaled_dot_product_attention(q[0], q[1], q[0])"
    for one in ("q", "volume"):
        yield one, f"rotary({one}, arange({one}.shape[-2]))", f"turned({one}, False)"
        yield one, f"rotary({one}, arange({one}.shape[-2]), interleaved=true)", f"turned({one}, True)"


def literal(tensor):
    if tensor.dim() == 0:
        return repr(tensor.item())
    if tensor.dim() > 1 or tensor.numel() <= 8:
        return "[" + ", ".join(literal(one) for one in tensor) + "]"
    return "[" + ", ".join(repr(one) for one in tensor.tolist()) + "]"


def digits(tensor):
    flat = [float(f"{one:.12g}") for one in tensor.detach().flatten().tolist()]
    return repr(flat).replace("True", "true").replace("False", "false")


HELPERS = """fn agree(a, b, tolerance) = a.size == b.size and all(abs(flatten(a) - b) <= tolerance * (1 + abs(b)))
fn probe(r) = sum(r * reshape(cos(arange(r.size) + 0.5), r.shape))"""


def program(cases, constant):
    cases = list(cases)
    named = [name for name in SETUP if any(name in case[0].split() for case in cases)]
    lines = ["# Written by tests/data/make_neural_tests.py: expected is what PyTorch gives.", HELPERS]
    lines += [f"let {name} = {literal(SETUP[name]).replace('True', 'true').replace('False', 'false')}" for name in named]
    for number, (arguments, gmx, pytorch, *differentiate) in enumerate(cases):
        names = arguments.split()
        reals = [name for name in names if SETUP[name].dtype == torch.float64]
        leaves = {name: SETUP[name].clone().requires_grad_() for name in reals if name not in constant}
        result = eval(pytorch, {**SCOPE, **leaves})
        probed = (result * torch.cos(torch.arange(result.numel()) + 0.5).reshape(result.shape)).sum()
        slopes_of = torch.autograd.grad(probed, list(leaves.values()), allow_unused=True)
        given, single = ", ".join(names), ", ".join(f"f32({name})" if name in reals else name for name in names)
        shape = "(" + ", ".join(map(str, result.shape)) + ("," if result.dim() == 1 else "") + ")"
        lines += [f"fn call{number}({given}) = {gmx}", f"let r{number} = {digits(result)}",
                  f"print(call{number}({given}).shape, agree(call{number}({given}), r{number}, 1e-10), "
                  f"agree(call{number}({single}), r{number}, 2e-5), call{number}({single}).dtype)  # expect: {shape} True True f32"]
        known = [(name, slope) for name, slope in zip(leaves, slopes_of) if slope is not None]
        if known and differentiate != [False]:
            wrt = ", ".join(f'"{name}"' for name, _ in known)
            comparisons = " and ".join(
                f"agree(d{number}{f'[{at}]' if len(known) > 1 else ''}, {digits(slope)}, 1e-7)" for at, (_, slope) in enumerate(known))
            lines += [f"let d{number} = grad(fn({given}) = probe(call{number}({given})), wrt=[{wrt}])({given})",
                      f"print({comparisons})  # expect: True"]
    return "\n".join(lines) + "\n"


def main():
    # PyTorch has no derivative for weights of losses and running statistics, nor a finite one for y at its ends;
    # some of its constants are floats of 32 bits
    groups = (("cross_entropy", cross_entropies(), "w v s certain"), ("losses", losses(), "w v s certain of_ends"),
              ("slopes", slopes(), ""), ("operators", operators(), "m r"))
    for name, cases, constant in groups:
        with open(f"tests/lang/neural/{name}.gmx", "w", encoding="utf-8") as out:
            out.write(program(cases, constant.split()))


main()
