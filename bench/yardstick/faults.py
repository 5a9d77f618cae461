"""Seeded faults, one function an id: (base, u, generator) -> Case. u in [0, 1) is the strength: 0 hardly, 1 fatal."""
import bnlab
import torch
import torch.nn.functional as F
from torch import nn

from yardstick import truth
from yardstick.case import NOTE, WARNING, Case
from yardstick.data import CLASSES, batches, sorted_order
from yardstick.topologies import TOPOLOGIES, norms, producer_of
from yardstick.training import train


def log_uniform(u, hardly, fatal):
    return hardly * (fatal / hardly) ** u


def pick(names, count, generator):
    """`count` of the names at random, in their order."""
    chosen = set(torch.randperm(len(names), generator=generator)[:count].tolist())
    return [name for index, name in enumerate(names) if index in chosen]


def some(base, u, generator):
    """One layer where u is small, all where it is near 1."""
    return pick(base.order, max(1, min(len(base.order), int(log_uniform(u, 1, len(base.order) + 1)))), generator)


def of_statistics(base, model, layers, what, **more):
    """A fault of the running statistics alone: exact ones mend it. The first layer to be named is the first that departs
    by 0.1 deviations from them, or one before it."""
    model.eval()
    far = [name for name in layers if not truth.distance(norms(model)[name], norms(base.exact)[name]) < 0.1]
    until = layers.index(far[0]) + 1 if far else len(layers)
    return Case(base, model, layers, what, faulty=truth.loss_of(model, base.data.held_out), sound=base.exact_loss,
                first=layers[:until], statistics=True, consequences=more.pop("consequences", {"N01"}), **more)  # fmt: skip


def n01(base, u, generator):
    """Statistics of other data in one layer."""
    model, strength = base.copy(), log_uniform(u, 0.05, 3)
    (name,) = pick(base.order, 1, generator)
    layer = norms(model)[name]
    noise = torch.randn(2, layer.num_features, generator=generator)
    layer.running_mean += strength * noise[0] * layer.running_var.sqrt()
    layer.running_var *= (strength * noise[1]).exp()
    return of_statistics(base, model, [name], f"statistics off by {strength:.2g} deviations")


def n02(base, u, generator):
    """Buffers of some layers not loaded."""
    model, layers = base.copy(), some(base, u, generator)
    for name in layers:
        norms(model)[name].reset_running_stats()
    return of_statistics(base, model, layers, f"{len(layers)} of {len(base.order)} layers reset")


def n03(base, u, generator):
    """A momentum too small for the number of batches; or momentum=None, which averages the whole training."""
    model = base.copy()
    if base.seed % 3 == 0:
        return _mean_over_training(base, u, generator)
    left, count = log_uniform(u, 0.003, 0.8), 40
    for layer in norms(model).values():
        layer.reset_running_stats()
        layer.momentum = 1 - left ** (1 / count)
    _forward(model, base, count, generator)
    return of_statistics(base, model, base.order, f"{left:.2g} of the initial statistics left")


def _mean_over_training(base, u, generator):
    model, early = base.copy(), log_uniform(u, 0.01, 0.9)
    for layer in norms(model).values():
        layer.reset_running_stats()
        layer.momentum = None
    count = 40
    for index in range(count):
        if index < early * count:
            state = base.snapshots[min(len(base.snapshots) - 1, int(len(base.snapshots) * index / (early * count)))]
        else:
            state = base.model.state_dict()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(state[name])
        _forward(model, base, 1, generator)
    return of_statistics(base, model, base.order, f"momentum=None, {early:.2g} of the batches from early training")


def _forward(model, base, count, generator, size=64):
    """Batches in training mode, at random; weights stand still."""
    model.train()
    with torch.no_grad():
        for _ in range(count):
            model(base.data.train[0][torch.randint(len(base.data.train[1]), (size,), generator=generator)])
    model.eval()


def n04(base, u, generator):
    """Another library's momentum, and a last batch that is small."""
    model, size = base.copy(), int(log_uniform(u, 512, 4))
    momentum = (0.9, 0.99, 0.999)[int(torch.randint(3, (), generator=generator))]
    for layer in norms(model).values():
        layer.momentum = momentum
    _forward(model, base, 3, generator, size)
    return of_statistics(base, model, base.order, f"momentum {momentum}, last batches of {size}")


def n05(base, u, generator):
    """Layers left in training mode; no running statistics; a model that was trained in evaluation mode."""
    model = base.copy()
    kind = (base.seed + list(TOPOLOGIES).index(base.topology)) % 3
    if kind == 0:
        layers = some(base, u, generator)
        for name in layers:
            norms(model)[name].train()

        def eval_it(report):
            model.eval()
            return report.again()

        return Case(base, model, layers, f"{len(layers)} layers in training mode", needs=WARNING, mend=eval_it)
    if kind == 1:
        layers = some(base, u, generator)
        for name in layers:
            layer = norms(model)[name]
            layer.track_running_stats, layer.running_mean, layer.running_var, layer.num_batches_tracked = False, None, None, None
        return Case(base, model, layers, f"{len(layers)} layers without running statistics", needs=NOTE, may_warn=True)
    torch.manual_seed(base.seed)
    model = type(model)()
    steps, optimizer = batches(base.data.train, 64, generator) * 4, torch.optim.Adam(model.parameters(), 3e-3)
    train(model, base.data, steps, None, generator, optimizer, training=False)
    return Case(base, model, base.order, "trained in evaluation mode", needs=NOTE, may_warn=True, consequences={"N02"})


def n06(base, u, generator):
    """Frozen gamma and beta, small batches in training mode: the statistics become those of few samples."""
    model, size = base.copy(), int(log_uniform(u, 64, 2))
    for layer in norms(model).values():
        layer.requires_grad_(False)
    rest = [parameter for parameter in model.parameters() if parameter.requires_grad]
    loader = batches(base.data.seen, size, generator)[:192]
    optimizer = torch.optim.SGD(rest, 1e-3)
    moved, steps = base.copy(), 24
    moved.load_state_dict(model.state_dict())
    for layer in norms(moved).values():
        layer.requires_grad_(False)
    own = torch.optim.SGD([parameter for parameter in moved.parameters() if parameter.requires_grad], 1e-3)
    train(moved, base.data, (loader * 24)[:steps], None, generator, own, decays=False)
    kept = base.copy()
    kept.load_state_dict({**moved.state_dict(), **dict(model.named_buffers())})
    return Case(base, model, base.order, f"{steps} steps of batches of {size}", needs=NOTE, loader=loader,
                faulty=truth.loss_of(moved, base.data.held_out), sound=truth.loss_of(kept, base.data.held_out),
                optimizer=optimizer, steps=steps, consequences={"N08"})  # fmt: skip


def n08(base, u, generator):
    """Batches so small that the last layers have few values a channel, or one in the last batch."""
    model = base.copy()
    spatial = truth.values_a_channel(model, base.data.seen[0], 1)
    if min(spatial.values()) == 1 and u < 1 / 3:
        loader = batches([part[: 4 * 64 + 1] for part in base.data.seen], 64)

        def drop_last(report):
            return bnlab.doctor(model, loader[:-1])

        return Case(base, model, [name for name in base.order if spatial[name] == 1], "a last batch of 1", needs=WARNING,
                    loader=loader, mend=drop_last)  # fmt: skip
    least = min(spatial.values())
    size = max(1 if least > 1 else 2, round(log_uniform(u, 31, 2) / least))
    layers = [name for name in base.order if spatial[name] * size < 32]
    layers = layers or [name for name in base.order if spatial[name] == least]
    loader = batches([part[: 96 * size] for part in base.data.seen], size)
    own = batches([part[: 400 * size] for part in base.data.held_out], size)
    return Case(base, model, layers, f"{size * least} values a channel", loader=loader,
                faulty=truth.loss_over(base.copy().train(), own), sound=truth.loss_over(model, own))  # fmt: skip


def n09(base, u, generator):
    """Gradient accumulation."""
    model, every = base.copy(), max(2, round(log_uniform(u, 2, 16)))
    case = Case(base, model, base.order, f"{every} batches a step", needs=NOTE)

    def look(calls):
        optimizer = torch.optim.SGD(model.parameters(), 1e-6)
        model.train()
        with bnlab.doctor.watch(model, optimizer) as watched:
            for index, (x, y) in enumerate(base.loader[:1] * (2 * calls)):
                (F.cross_entropy(model(x), y) / calls).backward()
                if index % calls == calls - 1:
                    optimizer.step()
                    optimizer.zero_grad()
        model.load_state_dict(base.model.state_dict())
        model.eval()
        return bnlab.doctor(model, base.loader, watched=watched)

    case.examine = lambda: look(every)
    case.mend = lambda report: look(1)
    return case


def n13(base, u, generator):
    """Batches sorted by class: in the loader alone, or in training too. Harm: what the trained model loses once its
    batches are no longer sorted."""
    share, size = log_uniform(u, 0.1, 1), 64
    model = base.copy()
    seen = base.data.seen
    loader = batches(seen, size, order=sorted_order(seen[1], share, size, generator))

    def shuffled(report):
        return bnlab.doctor(model, batches(seen, size, generator))

    needs = NOTE if share >= 0.3 else None  # the commonest class has about 0.19 of a random batch of 64
    if u < 1 / 3:
        return Case(base, model, base.order, f"{share:.0%} of a batch alike, in the loader alone", loader=loader, needs=needs,
                    first=base.order, mend=shuffled)  # fmt: skip
    steps = [batch for _ in range(2)
             for batch in batches(base.data.train, size, order=sorted_order(base.data.train[1], share, size, generator))]
    train(model, base.data, steps, 0.1, generator)
    held_out = base.data.held_out
    own = batches(held_out, size, order=sorted_order(held_out[1], share, size, generator))
    twin = truth.exact_twin(model, base.data.seen, base.order)
    sorted_loss = truth.loss_over(twin.train(), own)
    return Case(base, model, base.order, f"{share:.0%} of a batch alike", loader=loader, first=base.order, mend=shuffled, needs=needs,
                faulty=truth.loss_over(twin.eval(), own), sound=sorted_loss, consequences={"N01", "N03"})  # fmt: skip


def n15(base, u, generator):
    """Statistics that are no numbers, or negative variances."""
    model = base.copy()
    (name,) = pick(base.order, 1, generator)
    layer = norms(model)[name]
    count = max(1, int(log_uniform(u, 1, layer.num_features)))
    channels = torch.randperm(layer.num_features, generator=generator)[:count]
    kind = int(torch.randint(4, (), generator=generator))
    value = (float("nan"), float("inf"), -1.0, float("nan"))[kind]
    (layer.running_mean if kind == 3 else layer.running_var)[channels] = value
    what = f"{count} channels with a running {'mean' if kind == 3 else 'variance'} of {value}"
    return of_statistics(base, model, [name], what, needs=WARNING)


def scale_inputs(model, name, factor):
    """The producer's outputs and the layer's statistics times factor (a number or one a channel): the same function, but
    for eps."""
    layer, producer = norms(model)[name], producer_of(model, name)
    factor = torch.as_tensor(factor).expand(layer.num_features)
    with torch.no_grad():
        producer.weight *= factor.reshape(-1, *[1] * (producer.weight.dim() - 1))
        layer.running_mean *= factor
        layer.running_var *= factor**2


def produced(base):
    return [name for name in base.order if producer_of(base.model, name) is not None]


def n16(base, u, generator):
    """Statistics at or above the largest float16."""
    model = base.copy()
    (name,) = pick(produced(base), 1, generator)
    layer, times = norms(model)[name], log_uniform(u, 0.3, 1000)
    scale_inputs(model, name, (times * 65504 / float(layer.running_var.max())) ** 0.5)
    overflows = any(bool(torch.isinf(values.half()).any()) for values in (layer.running_mean, layer.running_var))
    return Case(base, model, [name], f"largest variance {times:.2g} times 65504", needs=NOTE if overflows else None)


def n17(base, u, generator):
    """Weights of one eps, used with another, where variances are small."""
    model, variance = base.copy(), log_uniform(u, 0.1, 3e-5)
    trained, used = ((1e-3, 1e-5), (1e-5, 1e-3))[int(torch.randint(2, (), generator=generator))]
    for name, layer in norms(model).items():
        before, factor = layer.running_var + layer.eps, 1.0
        if producer_of(model, name) is not None:
            factor = (variance / float(layer.running_var.median())) ** 0.5
            scale_inputs(model, name, factor)
        with torch.no_grad():
            layer.weight *= ((layer.running_var + trained) / before).sqrt() / factor
        layer.eps = trained
        layer.num_batches_tracked.fill_(10000)  # so many that nothing is left of the initial values
    sound = truth.loss_of(model, base.data.held_out)
    for layer in norms(model).values():
        layer.eps = used
    case = Case(base, model, base.order, f"eps {used} for {trained}, variances of {variance:.2g}", sound=sound,
                faulty=truth.loss_of(model, base.data.held_out), consequences={"N01", "N18"})  # fmt: skip

    def set_eps(report):
        remedy = next(each.remedy for each in report.findings if each.id == "N17")
        number = remedy.split("Set eps to ")[1].split(",")[0] if "Set eps to " in remedy else used
        for layer in norms(model).values():
            layer.eps = float(number)
        return report.again()

    case.mend = set_eps
    return case


def n18(base, u, generator):
    """Channels switched off, or with almost no variance and a gain of hundreds that makes up for it."""
    model = base.copy()
    (name,) = pick(produced(base), 1, generator)
    layer = norms(model)[name]
    channels = torch.randperm(layer.num_features, generator=generator)[: 1 + int(3 * u)]
    with torch.no_grad():
        if torch.rand((), generator=generator) < 0.5:
            layer.weight[channels] = log_uniform(u, 5e-5, 1e-12)
            truth.set_exact(model, base.data.seen, base.order)  # as if trained so
            return Case(base, model, [name], f"{len(channels)} gammas of about 0", needs=NOTE)
        factor = torch.ones(layer.num_features)
        factor[channels] = log_uniform(u, 1e-3, 1e-5)
        before = (layer.running_var + layer.eps).sqrt()
        scale_inputs(model, name, factor)
        layer.weight *= (layer.running_var + layer.eps).sqrt() / before / factor
    return Case(base, model, [name], f"{len(channels)} inputs times {float(factor.min()):.1g}", needs=NOTE)


def n19(base, u, generator):
    """Trained on with a dropout in front of a layer."""
    model, p = base.copy(), log_uniform(u, 0.05, 0.9)
    modules = dict(model.named_modules())
    sites = {}  # dropout -> the layer executed next
    waiting, handles = [], []

    def next_norm(name):
        sites.update({drop: name for drop in waiting})
        waiting.clear()

    for name, module in modules.items():
        if isinstance(module, nn.Dropout):
            handles.append(module.register_forward_pre_hook(lambda _, args, name=name: waiting.append(name)))
    with truth.looking(model, lambda name, inputs: next_norm(name)):
        model(base.data.seen[0][:2])
    for handle in handles:
        handle.remove()
    (site,) = pick(sorted(sites), 1, generator)
    modules[site].p = p
    train(model, base.data, batches(base.data.train, 64, generator), 0.02, generator)
    _forward(model, base, 15, generator)
    sound = truth.loss_of(truth.exact_twin(model, base.data.seen, base.order), base.data.held_out)
    return Case(base, model, [sites[site]], f"{site} with p = {p:.2g}", sound=sound, statistics=True,
                faulty=truth.loss_of(model, base.data.held_out), consequences={"N01"})  # fmt: skip


def n20(base, u, generator):
    """Biases in front, which the running means take away again."""
    model, names = base.copy(), produced(base)
    layers = pick(names, max(1, int(log_uniform(u, 1, len(names) + 0.99))), generator)
    for name in layers:
        layer = norms(model)[name]
        bias = 0.3 * torch.randn(layer.num_features, generator=generator)
        producer_of(model, name).bias = nn.Parameter(bias)
        layer.running_mean += bias

    def without(report):
        for name in layers:
            producer = producer_of(model, name)
            norms(model)[name].running_mean -= producer.bias.detach()
            producer.bias = None
        return report.again()

    return Case(base, model, layers, f"{len(layers)} biases", needs=NOTE, mend=without)


def n21(base, u, generator):
    """Normalized scores."""
    scores = nn.BatchNorm1d(CLASSES)
    model = nn.Sequential(base.copy(), scores)
    with torch.no_grad():
        of_base = torch.cat([base.model(x) for x in base.data.seen[0].split(256)])
        scores.running_mean.copy_(of_base.mean(0))
        scores.running_var.copy_(of_base.var(0))
        scores.weight.copy_((1 - 0.5 * u) * of_base.std(0))
        scores.bias.copy_(of_base.mean(0))
    return Case(base, model, ["1"], "normalized scores", needs=NOTE, mend=lambda report: bnlab.doctor(model[0], base.loader))


def n22(base, u, generator):
    """Weight decay on gamma and beta."""
    model, layers = base.copy(), some(base, u, generator)
    decay = log_uniform(u, 1e-6, 0.1)
    decayed = [parameter for name in layers for parameter in norms(model)[name].parameters()]
    own = {id(parameter) for parameter in decayed}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in own]

    def look(decay):
        groups = [{"params": decayed, "weight_decay": decay}, {"params": rest}]
        return bnlab.doctor(model, base.loader, optimizer=torch.optim.AdamW(groups, 1e-3, weight_decay=0))

    case = Case(base, model, layers, f"decay of {decay:.2g} in {len(layers)} layers", needs=NOTE)
    case.examine = lambda: look(decay)
    case.mend = lambda report: look(0.0)
    return case


FAULTS = {
    "N01": n01, "N02": n02, "N03": n03, "N04": n04, "N05": n05, "N06": n06, "N08": n08, "N09": n09, "N13": n13, "N15": n15,
    "N16": n16, "N17": n17, "N18": n18, "N19": n19, "N20": n20, "N21": n21, "N22": n22,
}  # fmt: skip

# Not seeded yet: a function above, in the same way, and a line in FAULTS.
PENDING = ("N07", "N10", "N11", "N12", "N14", "N23", "N24", "N25")
STATISTICS = ("N01", "N02", "N03", "N04", "N15", "N19")
