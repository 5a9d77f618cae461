"""Models in which nothing is wrong: no warning and no error is right."""
import copy

import torch
import torchvision
from torch import nn

import bnlab
from yardstick import truth
from yardstick.case import findings_of
from yardstick.data import batches
from yardstick.topologies import TOPOLOGIES, norms
from yardstick.training import epochs_of, generator_of, train

MOMENTA = (0.01, 0.02, 0.05, 0.1, 0.1, 0.1)
SIZES = (32, 64, 128)
OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, 0.2),
    "SGD with momentum": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True, weight_decay=1e-4),
    "Adam": lambda p: torch.optim.Adam(p, 3e-3),
    "AdamW": lambda p: torch.optim.AdamW(p, 3e-3, weight_decay=0.01),
    "RMSprop": lambda p: torch.optim.RMSprop(p, 1e-3),
}


def trained(number, group, data, work):
    """(model, what it is) of the number-th clean model; kept in `work`."""
    topology = list(TOPOLOGIES)[number % len(TOPOLOGIES)]
    momentum = MOMENTA[number % len(MOMENTA)]
    size = SIZES[number // 2 % len(SIZES)] if momentum == 0.1 else 32
    optimizer = list(OPTIMIZERS)[number // 3 % len(OPTIMIZERS)]
    eps, dropout, ema = (1e-5, 1e-3)[number // 4 % 2], (0.0, 0.2)[number // 5 % 2], number % 4 == 3
    what = (f"{topology}, momentum {momentum}, batch {size}, {optimizer}, eps {eps:g}"
            f"{', dropout before the scores' if dropout else ''}{', EMA with copied buffers' if ema else ''}")  # fmt: skip
    generator = generator_of("clean", group, number)
    torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
    model = TOPOLOGIES[topology]()
    for layer in norms(model).values():
        layer.momentum, layer.eps = momentum, eps
    scores = [module for module in model.modules() if isinstance(module, nn.Dropout)][-1:]
    for module in scores if topology != "mlp" else ():
        module.p = dropout
    file = work / f"clean-{group}-{number}-{len(data.train[1])}.pt"
    if file.is_file():
        model.load_state_dict(torch.load(file))
        return model.eval(), what
    # so long that (1 - momentum)^t is below 0.01
    epochs = max(2, -(-int(5 / momentum) * size // len(data.train[1])))
    averaged = copy.deepcopy(model)

    def average(index):
        with torch.no_grad():
            for own, other in zip(averaged.parameters(), model.parameters()):
                own.lerp_(other, 1 - min(0.9, (1 + index) / (10 + index)))
            for own, other in zip(averaged.buffers(), model.buffers()):
                own.copy_(other)

    steps = epochs_of(data, epochs, size, generator)
    train(model, data, steps, None, generator, OPTIMIZERS[optimizer](model.parameters()), each=average if ema else None)
    model = averaged.eval() if ema else model
    torch.save(model.state_dict(), file)
    return model, what


def judge(number, group, data, work):
    model, what = trained(number, group, data, work)
    order = truth.order_of(model, data.seen[0][:2])
    harm = truth.loss_of(model, data.held_out) - truth.loss_of(truth.exact_twin(model, data.seen, order), data.held_out)
    report = bnlab.doctor(model, batches(data.seen, 64, generator_of("loader", group, number)))
    return {"clean": what, "harm": harm, "findings": findings_of(report)}


def torchvision_names():
    return [name for name in torchvision.models.list_models() if not name.startswith("quantized")]


def judge_torchvision(name, largest):
    """Without a loader: with its random weights, and once more looking trained (every number of every layer drawn as
    training leaves them). None if it has no batch normalization or is larger."""
    nothing = {"weights": None, "weights_backbone": None} if _has_backbone(name) else {"weights": None}
    model = torchvision.models.get_model(name, **nothing)
    layers = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    if not layers or sum(parameter.numel() for parameter in model.parameters()) > largest:
        return None
    model.eval()
    rows = [{"clean": f"torchvision {name}, random weights", "layers": len(layers),
             "findings": findings_of(bnlab.doctor(model))}]  # fmt: skip
    generator = generator_of("torchvision", name)
    for layer in layers:
        draw = torch.randn(4, layer.num_features, generator=generator)
        with torch.no_grad():
            layer.running_mean.copy_(draw[0])
            layer.running_var.copy_((draw[1] - 1).exp())
            layer.num_batches_tracked.fill_(100000)
            if layer.affine:
                layer.weight.copy_((1 + 0.3 * draw[2]).clamp(min=0.05))
                layer.bias.copy_(0.3 * draw[3])
    rows.append({"clean": f"torchvision {name}, drawn numbers", "layers": len(layers), "findings": findings_of(bnlab.doctor(model))})
    return rows


def _has_backbone(name):
    return name.startswith(("deeplab", "fcn", "lraspp", "fasterrcnn", "maskrcnn", "keypointrcnn", "retinanet", "ssd", "fcos"))
