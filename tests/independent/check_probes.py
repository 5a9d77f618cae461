"""A second pair of eyes: recomputes in PyTorch and double precision what probes recorded ("ics", "landscape",
"relative-loss", "update-fractions", "bn-theory", "bn-curvature", "gradient-flow", "layer-gradients",
"gradient-distribution", "gradient-terms", "output-gradients", "moments-by-depth", "activation-rank", "effective-rate",
"sgd-noise", "curvature"), and products of the Hessian in both modes of BN. And measures on networks of its own what
results-depth takes from theory, the growth of a gradient with BN and ReLUs.

Only the weights, the batch and the learning rate come from bnlab (export_probes.cpp). Networks, losses, gradients and the
definitions of Santurkar et al. 2018 (Definition 2.1; sections 3.1 and 4) are written here anew, each layer's G' by a whole
forward and backward pass.

Usage: python3 check_probes.py FOLDER
"""
import math
import pathlib
import sys

import torch
import torch.nn.functional as F

TOLERANCE = 1e-4
POOL_AFTER = {1, 2, 4, 6, 8}  # VGG-A


def normalized(x, p, prefix):
    if prefix + "weight" not in p:
        return x
    dims = [0] + list(range(2, x.dim()))
    shape = [1, -1] + [1] * (x.dim() - 2)
    mean = x.mean(dims, keepdim=True)
    var = ((x - mean) ** 2).mean(dims, keepdim=True)
    if prefix + "running_mean" in p:
        mean, var = p[prefix + "running_mean"].view(shape), p[prefix + "running_var"].view(shape)
    return (x - mean) / torch.sqrt(var + 1e-5) * p[prefix + "weight"].view(shape) + p[prefix + "bias"].view(shape)


def vgg_loss(p, x, y, first=1, inside=None):
    """`inside`: takes the place of what layer `first`'s convolution gives; x is then not used."""
    for layer in range(first, 9):
        if layer == first and inside is not None:
            x = inside
        else:
            x = F.conv2d(x, p[f"layer{layer}.conv.weight"], p[f"layer{layer}.conv.bias"], padding=1)
        x = torch.relu(normalized(x, p, f"layer{layer}.norm."))
        if layer in POOL_AFTER:
            x = F.max_pool2d(x, 2)
    return F.cross_entropy(x.flatten(1) @ p["head.weight"].t() + p["head.bias"], y)


def dln_loss(p, x, y):
    x = x.flatten(1)
    for layer in range(1, 26):
        x = normalized(x @ p[f"layer{layer}.linear.weight"].t(), p, f"layer{layer}.norm.")
    return ((x - y) ** 2).sum()


def gradients(loss_of, p, x, y):
    leaves = {name: value.detach().clone().requires_grad_() for name, value in p.items()}
    loss = loss_of(leaves, x, y)
    return loss.item(), dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values()))))


def norm(tensors):
    return torch.sqrt(sum((t ** 2).sum() for t in tensors)).item()


def layer_of(name):
    return int(name.split(".")[0][len("layer"):]) if name.startswith("layer") else None


def recomputed(saved, loss_of, weight_name, layers):
    p = {k[len("parameter."):]: v.double() for k, v in saved.items() if k.startswith("parameter.")}
    x = saved["x"].double()
    y = saved["y"].double() if saved["y"].is_floating_point() else saved["y"]
    rate = saved["rate"].item()
    loss, g = gradients(loss_of, p, x, y)
    result = {"ics.l2": [], "ics.cosine": [], "ics.gradient_norm": [], "landscape.loss": [],
              "landscape.gradient_difference": []}
    for layer in range(1, layers + 1):
        earlier = {n: v - rate * g[n] if (layer_of(n) or 10**9) < layer else v for n, v in p.items()}
        before = g[weight_name(layer)]
        after = gradients(loss_of, earlier, x, y)[1][weight_name(layer)]
        result["ics.l2"].append(norm([before - after]))
        result["ics.cosine"].append((before * after).sum().item() / (norm([before]) * norm([after])))
        result["ics.gradient_norm"].append(norm([before]))
    length, beta = norm(g.values()), 0.0
    for distance in saved["landscape.distance"].tolist():
        moved_loss, moved = gradients(loss_of, {n: v - distance * g[n] for n, v in p.items()}, x, y)
        difference = norm([moved[n] - g[n] for n in g])
        result["landscape.loss"].append(moved_loss)
        result["landscape.gradient_difference"].append(difference)
        beta = max(beta, difference / (distance * length))
    result["landscape.beta"] = [beta]
    expected = [rate * 0.5 * 8 ** (k / 3) for k in range(4)]
    result["landscape.distance"] = expected
    return result


def relative_loss(saved, loss_of):
    """Bjorck et al. 2018, Fig. 3: the loss along the gradient relative to where it begins."""
    p = {k[len("parameter."):]: v.double() for k, v in saved.items() if k.startswith("parameter.")}
    x, y = saved["x"].double(), saved["y"].double() if saved["y"].is_floating_point() else saved["y"]
    loss, g = gradients(loss_of, p, x, y)
    alphas = [0.1 * 10 ** k * saved["rate"].item() for k in range(4)]
    ratios = [(loss_of({n: v - alpha * g[n] for n, v in p.items()}, x, y) / loss).item() for alpha in alphas]
    above = [k for k, ratio in enumerate(ratios) if not ratio <= 1]
    crossing = alphas[-1] if not above else alphas[0] if above[0] == 0 else math.sqrt(
        alphas[above[0] - 1] * alphas[above[0]])
    return {"relative.alpha": alphas, "relative.ratio": ratios, "relative.crossing": [crossing]}


FRACTIONS_LAYER = 6


def update_fractions(saved):
    """Bjorck et al. 2018, Fig. 4: moments of a convolution's channels at 0, 50 and 100 % of a plain update."""
    p = {k[len("parameter."):]: v.double() for k, v in saved.items() if k.startswith("parameter.")}
    x, y, rate = saved["x"].double(), saved["y"], saved["rate"].item()
    g = gradients(vgg_loss, p, x, y)[1]
    result = {"fractions.loss": [], "fractions.length": [rate * norm(g.values())], "fractions.mean": [],
              "fractions.variance": []}
    for fraction in [0, 0.5, 1]:
        moved = {n: v - fraction * rate * g[n] for n, v in p.items()}
        result["fractions.loss"].append(vgg_loss(moved, x, y).item())
        values = x
        for layer in range(1, FRACTIONS_LAYER + 1):
            values = F.conv2d(values, moved[f"layer{layer}.conv.weight"], moved[f"layer{layer}.conv.bias"], padding=1)
            if layer == FRACTIONS_LAYER:
                break
            values = torch.relu(normalized(values, moved, f"layer{layer}.norm."))
            values = F.max_pool2d(values, 2) if layer in POOL_AFTER else values
        rows = values.permute(1, 0, 2, 3).flatten(1)
        result["fractions.mean"] += (rows.sum(1) / rows.size(1)).tolist()
        result["fractions.variance"] += rows.var(1, unbiased=False).tolist()
    return result


THEORY_LAYER = 5


def theory(saved):
    """Both sides of Santurkar's Theorems 4.1, 4.2 and 4.4 on the network and its twin with BN behind THEORY_LAYER."""
    p = {k[len("parameter."):]: v.double() for k, v in saved.items() if k.startswith("parameter.")}
    x, y = saved["x"].double(), saved["y"]
    for layer in range(1, THEORY_LAYER):
        x = torch.relu(F.conv2d(x, p[f"layer{layer}.conv.weight"], p[f"layer{layer}.conv.bias"], padding=1))
        x = F.max_pool2d(x, 2) if layer in POOL_AFTER else x
    weight, bias = p[f"layer{THEORY_LAYER}.conv.weight"], p[f"layer{THEORY_LAYER}.conv.bias"]
    out = F.conv2d(x, weight, bias, padding=1)
    channels, m = out.size(1), out.numel() // out.size(1)

    def rows(t):
        return t.permute(1, 0, 2, 3).reshape(channels, m)

    def values(r):
        return r.reshape(channels, out.size(0), *out.shape[2:]).permute(1, 0, 2, 3)

    def bn(r):
        r = r - r.sum(1, keepdim=True) / m
        return r / torch.sqrt((r * r).sum(1, keepdim=True) / m)

    def downstream(r):
        return vgg_loss(p, None, y, THEORY_LAYER, values(r))

    def gradient(function, r):
        r = r.detach().requires_grad_()
        return torch.autograd.grad(function(r), r)[0]

    def quadratic(function, r, v):  # v^T H v
        return (torch.autograd.functional.vhp(function, r, v)[1] * v).sum().item()

    r = rows(out)
    yhat, sigma2 = bn(r), r.var(1, unbiased=False)
    v, g, gz = gradient(lambda t: downstream(bn(t)), r), gradient(downstream, r), gradient(downstream, yhat)
    filters = weight.flatten(1).clone().requires_grad_()
    patches = F.unfold(x, 3, padding=1).transpose(1, 2).reshape(m, -1)
    through = (filters @ patches.t()) + bias[:, None]
    of_filters = torch.autograd.grad(downstream(bn(through)), filters)[0]
    result = {"theory.gradient": (v ** 2).sum(1).tolist(),
              "theory.bound": (((g ** 2).sum(1) - g.sum(1) ** 2 / m - (g * yhat).sum(1) ** 2 / m) / sigma2).tolist(),
              "theory.weight_gradient": (of_filters ** 2).sum(1).tolist(),
              "theory.lambda": [torch.linalg.matrix_norm(patches, 2).item()],
              "curvature.curvature": [], "curvature.identity": [], "curvature.first": [], "curvature.second": []}
    for channel in [0, channels // 2]:
        vc, gc = torch.zeros_like(v), torch.zeros_like(g)
        vc[channel], gc[channel] = v[channel], g[channel]
        length2, s2 = (vc ** 2).sum().item(), sigma2[channel].item()
        own = (gz[channel] * yhat[channel]).sum().item() * length2 / (m * s2)
        printed = (g[channel] * yhat[channel]).sum().item() * length2 / (m * s2)
        result["curvature.curvature"].append(quadratic(lambda t: downstream(bn(t)), r, vc))
        result["curvature.identity"].append(quadratic(downstream, yhat, vc) / s2 - own)
        result["curvature.first"].append(quadratic(downstream, r, vc) / s2 - printed)
        result["curvature.second"].append(quadratic(downstream, r, gc) / s2 - printed)
    return result


def hessian_products(saved):
    """H v by torch.autograd.functional, with batch statistics and with the running ones as constants."""
    p = {k[len("parameter."):]: v.double() for k, v in saved.items() if k.startswith("parameter.")}
    running = {k[len("buffer."):]: v.double() for k, v in saved.items() if k.startswith("buffer.")}
    x, y = saved["x"].double(), saved["y"]
    pieces = torch.split(saved["hessian.v"], [value.numel() for value in p.values()])
    v = tuple(piece.view_as(value) for piece, value in zip(pieces, p.values()))
    result = {}
    for name, constants in [("hessian.batch", {}), ("hessian.population", running)]:
        def loss(*values):
            return vgg_loss({**dict(zip(p, values)), **constants}, x, y)
        product = torch.autograd.functional.hvp(loss, tuple(p.values()), v)[1]
        result[name] = torch.cat([piece.flatten() for piece in product]).tolist()
    return result


def flow_of(weights, with_bn, x, y, activation=torch.relu):
    """Norms of the loss's gradient at each layer's linear map, and of its weight; the last weight is the head's."""
    weights = [w.clone().requires_grad_() for w in weights]
    linear = []
    for weight in weights[:-1]:
        x = x @ weight.t()
        linear.append(x)
        if with_bn:
            x = (x - x.mean(0)) / torch.sqrt(((x - x.mean(0)) ** 2).mean(0) + 1e-5)
        x = activation(x)
    found = torch.autograd.grad(F.cross_entropy(x @ weights[-1].t(), y), linear + weights[:-1])
    norms = [g.norm().item() for g in found]
    return norms[:len(linear)], norms[len(linear):]


def gradient_flow(saved, with_bn, activation):  # biases are 0 before training, gamma is 1
    layers = len(saved["gradient-flow.linear"])
    names = [f"layer{layer}.linear.weight" for layer in range(1, layers + 1)] + ["head.weight"]
    weights = [saved["parameter." + name].double() for name in names]
    linear, weight = flow_of(weights, with_bn, saved["x"].double().flatten(1), saved["y"], activation)
    return {"gradient-flow.linear": linear, "gradient-flow.weight": weight,
            **({"layer-gradients.weight": weight} if "layer-gradients.weight" in saved else {})}


def resnet20(p, x):
    """Its logits, and for each convolution what it gets and gives, what the ReLU gets, and what the ReLU gives."""
    seen = []

    def layer(number, x, stride=1, shortcut=0):
        weight, bias = p[f"layer{number}.conv.weight"], p[f"layer{number}.conv.bias"]
        linear = F.conv2d(x, weight, bias, stride=stride, padding=1)
        inside = normalized(linear, p, f"layer{number}.norm.") + shortcut
        seen.append({"in": x, "linear_": linear, "": inside, "output_": torch.relu(inside), "stride": stride})
        return seen[-1]["output_"]

    x = layer(1, x)
    for first in range(2, 20, 2):
        stride = 2 if first in (8, 14) else 1
        more = p[f"layer{first}.conv.weight"].size(0) - x.size(1)
        shortcut = F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, 0, more))
        x = layer(first + 1, layer(first, x, stride), 1, shortcut)
    return x.mean((2, 3)) @ p["head.weight"].t() + p["head.bias"], seen


def start_of_resnet(saved):
    p = {k[len("parameter."):]: v.double().requires_grad_() for k, v in saved.items() if k.startswith("parameter.")}
    logits, seen = resnet20(p, saved["x"].double())
    weights = [p[f"layer{number}.conv.weight"] for number in range(1, 20)]
    loss = F.cross_entropy(logits, saved["y"])
    found = torch.autograd.grad(loss, weights + [s["linear_"] for s in seen] + [logits])
    result = {f"gradient-distribution.{name}": [] for name in ["norm", "deviation", "kurtosis"]}
    result.update({f"gradient-distribution.hill_{cut}": [] for cut in [20, 50, 100]})
    for g in found[:19]:
        g = g.flatten()
        z = (g - g.mean()) / g.std(unbiased=False)
        result["gradient-distribution.norm"].append(g.norm().item())
        result["gradient-distribution.deviation"].append(g.std(unbiased=False).item())
        result["gradient-distribution.kurtosis"].append((z ** 4).mean().item() - 3)
        largest = g.abs().sort(descending=True).values
        for cut in [20, 50, 100]:
            k = max(1, len(g) * cut // 1000)
            hill = largest[:k].log().mean() - largest[k].log()
            result[f"gradient-distribution.hill_{cut}"].append(hill.item())
    ws = [(w.flatten(), g.flatten()) for w, g in zip(weights, found)]
    result["effective-rate.norm"] = [w.norm().item() for w, _ in ws]
    result["effective-rate.cosine"] = [F.cosine_similarity(w, g, dim=0, eps=0).item() for w, g in ws]
    result["effective-rate.effective_rate"] = [saved["rate"].item() / (w @ w).item() for w, _ in ws]
    result["gradient-terms.absolute"], result["gradient-terms.sum"] = [], []
    for s, dy in zip(seen, found[19:38]):  # image by image, each term written down: (outputs, inputs under the weights, places)
        absolute, total = 0, 0
        for image, of_image in zip(s["in"].detach(), dy):
            patches = F.unfold(image[None], 3, padding=1, stride=s["stride"])[0]
            terms = of_image.flatten(1)[:, None, :] * patches[None]
            absolute, total = absolute + terms.abs().sum(2), total + terms.sum(2)
        result["gradient-terms.absolute"].append(absolute.mean().item())
        result["gradient-terms.sum"].append(total.abs().mean().item())
    g = found[38]
    lengths = g.norm(dim=1)
    cosines = (g @ g.t()) / lengths[:, None] / lengths[None]
    pairs = len(g) * (len(g) - 1)
    result["output-gradients.cosine"] = [((cosines.sum() - cosines.trace()) / pairs).item()]
    result["output-gradients.largest_class"] = [((g ** 2).sum(0).max() / (g ** 2).sum()).item()]
    result["output-gradients.same_answer"] = [logits.argmax(1).bincount().max().item() / len(g)]
    result["output-gradients.gradients"] = g.flatten().tolist()
    with torch.no_grad():
        for s in resnet20(p, saved["first"].double())[1]:
            for place in ["linear_", "", "output_"]:
                rows = s[place].flatten(1)
                values = torch.linalg.svdvals(rows)
                rank = (values ** 2).sum() / values.max() ** 2
                pairs = [F.cosine_similarity(rows[i], rows[j], dim=0, eps=0) for i in range(len(rows)) for j in range(i)]
                result.setdefault(f"activation-rank.{place}stable_rank", []).append(rank.item())
                result.setdefault(f"activation-rank.{place}cosine", []).append((sum(pairs) / len(pairs)).item())
                channels = s[place].transpose(0, 1).flatten(1)
                for name, values in [("mean", channels.mean(1).abs()), ("variance", channels.var(1, unbiased=False))]:
                    key = f"moments-by-depth.{place}{name}"
                    result.setdefault(key, []).append(values.mean().item())
                    result.setdefault(key + "_spread", []).append(values.std(unbiased=False).item())
    return result


def growth(with_bn, layers=40, width=300, batch=256):
    """The factor a layer in the middle half of a network with Gaussian weights of variance 1/width."""
    torch.manual_seed(1)
    weights = [torch.randn(width, width, dtype=torch.double) / math.sqrt(width) for _ in range(layers + 1)]
    x, y = torch.randn(batch, width, dtype=torch.double), torch.randint(0, width, (batch,))
    linear, _ = flow_of(weights, with_bn, x, y)
    first, last = layers // 4, 3 * layers // 4 - 1
    return (linear[first] / linear[last]) ** (1 / (last - first))


def check_growth():
    failures = 0
    for name, with_bn, theory in [("BN", True, math.sqrt(math.pi / (math.pi - 1))), ("none", False, math.sqrt(0.5))]:
        measured = growth(with_bn)
        fine = abs(measured / theory - 1) <= 0.02
        failures += not fine
        print(f"growth of a gradient a layer, {name}: {measured:.4f}, theory {theory:.4f} {'' if fine else 'FAR OFF'}")
    return failures


def perceptron(p, x, y, seen=None):
    """`seen`: takes what BN gets in each layer."""
    x, layer = x.flatten(1), 1
    while f"layer{layer}.linear.weight" in p:
        x = x @ p[f"layer{layer}.linear.weight"].t() + p[f"layer{layer}.linear.bias"]
        if seen is not None:
            seen.append(x.detach())
        x, layer = torch.relu(normalized(x, p, f"layer{layer}.norm.")), layer + 1
    return F.cross_entropy(x @ p["head.weight"].t() + p["head.bias"], y)


def held_fixed(p, x, y):
    """The population's statistics, as constants."""
    if "layer1.norm.weight" not in p:
        return {}
    seen = []
    perceptron(p, x, y, seen)
    running = {}
    for layer, z in enumerate(seen, 1):
        running[f"layer{layer}.norm.running_mean"] = z.sum(0) / len(z)
        running[f"layer{layer}.norm.running_var"] = ((z - z.sum(0) / len(z)) ** 2).sum(0) / (len(z) - 1)
    return running


def noise_and_curvature(saved):
    """Noise from single examples' gradients where BN's statistics are held fixed; eigenvalues of the whole Hessian."""
    p = {k[len("parameter."):]: v.double() for k, v in saved.items() if k.startswith("parameter.")}
    x, y = saved["x"].double(), saved["y"]
    constants = held_fixed(p, x, y)

    def gradient(places, fixed):
        def loss(q, a, b):
            return perceptron({**q, **constants} if fixed else q, a, b)
        return torch.cat([g.flatten() for g in gradients(loss, p, x[places], y[places])[1].values()])

    each = torch.stack([gradient([i], True) for i in range(len(x))])
    full = {"fixed": sum(each) / len(each), "batch": gradient(list(range(len(x))), False)}
    c = sum(((g - full["fixed"]) ** 2).sum() for g in each) / len(each)
    half = each[:len(x) // 2].sum(0) / (len(x) // 2) - full["fixed"]
    result = {"C": [c], "planted": [(half ** 2).sum() / (full["fixed"] ** 2).sum()]}
    for form in ["fixed", "batch"] if constants else ["fixed"]:
        result[f"{form}_gradient"] = [full[form].norm()]
        for how in ["with", "without"] if form == "fixed" else ["with"]:
            for size in [4, 16]:
                drawn = saved[f"draws.{form}_{how}_{size}"].tolist()
                errors = [(each[b].sum(0) / size if form == "fixed" else gradient(b, False)) - full[form] for b in drawn]
                squared = sum((e ** 2).sum() for e in errors) / len(errors)
                result[f"{form}_{how}_ratio_{size}"] = [squared * size / c]
                if how == "with":
                    if form == "batch":  # what the errors at fixed statistics explain has mean 0
                        known = [each[b].sum(0) / size - full["fixed"] for b in drawn]
                        share = sum((e * k).sum() for e, k in zip(errors, known)) / sum((k * k).sum() for k in known)
                        errors = [e - share * k for e, k in zip(errors, known)]
                    pairs = [(errors[i] * errors[j]).sum() for i in range(len(errors)) for j in range(i)]
                    result[f"{form}_bias2_{size}"] = [sum(pairs) / len(pairs) / (full[form] ** 2).sum()]
    result = {"sgd-noise." + key: value for key, value in result.items()}
    shapes = [value.shape for value in p.values()]
    joined = torch.cat([value.flatten() for value in p.values()])
    norms = torch.cat([value.norm().expand(value.numel()) for value in p.values()])
    for mode, extra in [("batch", {}), ("population", constants)] if constants else [("batch", {})]:
        def loss(w):
            parts = torch.split(w, [shape.numel() for shape in shapes])
            return perceptron({**{n: part.view(s) for n, part, s in zip(p, parts, shapes)}, **extra}, x, y)
        hessian = torch.autograd.functional.hessian(loss, joined)
        result[f"curvature.{mode}_loss"] = [loss(joined)]
        slope = torch.autograd.functional.jacobian(loss, joined)
        top = torch.linalg.eigh(hessian).eigenvectors[:, -3:]
        result[f"curvature.{mode}_gradient_share"] = [((top.T @ slope) ** 2).sum() / (slope ** 2).sum()]
        for kind, matrix in [("_", hessian), ("_scaled_", norms[:, None] * hessian * norms)]:
            values = torch.linalg.eigvalsh(matrix)
            for i in [1, 2, 3] if kind == "_" else [1]:
                result[f"curvature.{mode}{kind}top_{i}"] = [values[-i]]
    return result


def check(name, saved, result):
    failures = 0
    for key, values in result.items():
        ours, theirs = saved[key], torch.tensor(values, dtype=torch.double)
        scale = theirs.abs()
        if key == "ics.l2":  # of a difference: its error is relative to the gradients
            scale = torch.maximum(scale, torch.tensor(result["ics.gradient_norm"], dtype=torch.double))
        if key.startswith("hessian.") or key == "fractions.mean":  # sums over many entries: relative to the largest
            scale = scale.max()
        if key.startswith("output-gradients."):  # shares and cosines, or small beside the largest
            scale = torch.ones_like(scale) if len(values) == 1 else scale.max()
        if key.startswith("moments-by-depth."):  # of one kind, behind BN also 0: beside the largest of them
            scale = scale.max()
        if key == "gradient-distribution.kurtosis":
            scale = torch.maximum(scale, torch.ones_like(scale))
        if "_bias2_" in key:  # a small difference of large sums: its error is relative to the noise
            size = key.split("_")[-1]
            noise = result[key.split("_")[0] + f"_with_ratio_{size}"][0] * result["sgd-noise.C"][0] / float(size)
            scale = torch.maximum(scale, noise / result[key.split("_")[0] + "_gradient"][0] ** 2)
        if key == "ics.cosine" or key == "effective-rate.cosine" or key.startswith("activation-rank.") and "cosine" in key:
            scale = torch.ones_like(scale)
        error = ((ours - theirs).abs() / scale).max().item()
        fine = error <= TOLERANCE  # False for NaN
        failures += not fine
        print(f"{name:17s} {key:33s} largest relative difference {error:.1e} {'' if fine else 'TOO LARGE'}")
    return failures


def read(path):
    """What export_probes has written: a module, which PyTorch 2.6 reads only from whom one trusts."""
    return torch.load(path, weights_only=False)


def main():
    folder = pathlib.Path(sys.argv[1])
    failures = check_growth()
    for kind in ["none", "batch"]:
        for activation in [torch.relu, torch.sigmoid]:
            name = f"mlp-{activation.__name__}-{kind}"
            saved = read(folder / f"{name}.pt")
            failures += check(name, saved, gradient_flow(saved, kind == "batch", activation))
        saved = read(folder / f"resnet-{kind}.pt")
        failures += check(f"resnet-{kind}", saved, start_of_resnet(saved))
        saved = read(folder / f"noise-{kind}.pt")
        failures += check(f"noise-{kind}", saved, noise_and_curvature(saved))
    for network, loss_of, weight, layers in [("vgg", vgg_loss, "layer{}.conv.weight", 8),
                                             ("dln", dln_loss, "layer{}.linear.weight", 25)]:
        for kind in ["none", "batch"]:
            saved = read(folder / f"{network}-{kind}.pt")
            result = recomputed(saved, loss_of, weight.format, layers)
            failures += check(f"{network}-{kind}", saved, result)
            failures += check(f"{network}-{kind}", saved, relative_loss(saved, loss_of))
            if network == "vgg":
                failures += check(f"{network}-{kind}", saved, update_fractions(saved))
                failures += check(f"{network}-{kind}", saved, hessian_products(saved))
            if (network, kind) == ("vgg", "none"):
                failures += check(f"{network}-{kind}", saved, theory(saved))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
