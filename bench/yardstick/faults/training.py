"""Faults of the training loop and of modes: N05, N06, N09, N19, N22."""
import bnlab
import torch
import torch.nn.functional as F
from torch import nn

from yardstick import truth
from yardstick.case import NOTE, WARNING, Case
from yardstick.data import batches
from yardstick.faults.common import forward_in_training, kind_of, log_uniform, pick, some
from yardstick.topologies import norms
from yardstick.training import train


def n05(base, u, generator):
    """Layers left in training mode; no running statistics; a model that was trained in evaluation mode."""
    model = base.copy()
    kind = kind_of(base, 3)
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
    forward_in_training(model, base, 15, generator)
    sound = truth.loss_of(truth.exact_twin(model, base.data.seen, base.order), base.data.held_out)
    return Case(base, model, [sites[site]], f"{site} with p = {p:.2g}", sound=sound, statistics=True,
                faulty=truth.loss_of(model, base.data.held_out), consequences={"N01"})  # fmt: skip


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
