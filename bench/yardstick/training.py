"""Models that are trained once and kept as state dicts, and some more steps of training."""
import copy
import zlib

import torch
import torch.nn.functional as F

from yardstick import truth
from yardstick.data import batches
from yardstick.topologies import TOPOLOGIES


def generator_of(*what):
    """A generator that is the same for the same words and numbers in every run."""
    return torch.Generator().manual_seed(zlib.crc32(repr(what).encode()))


def train(model, data, steps, lr, generator, optimizer=None, decays=True, training=True, each=None):
    """`steps` = [(x, y)] once through, with the learning rate going to 0; then the model is in evaluation mode."""
    optimizer = optimizer or torch.optim.SGD(model.parameters(), lr, momentum=0.9)
    torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))  # dropout's
    model.train(training)
    start = [group["lr"] for group in optimizer.param_groups]
    for index, (x, y) in enumerate(steps):
        for group, first in zip(optimizer.param_groups, start):
            group["lr"] = first * (1 - index / len(steps) if decays else 1)
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        if each is not None:
            each(index)
    return model.eval()


def epochs_of(data, count, size, generator):
    return [batch for _ in range(count) for batch in batches(data.train, size, generator)]


class Base:
    """A trained model without a fault: what faults are put into a copy of."""

    def __init__(self, topology, seed, data, state):
        self.topology, self.seed, self.data = topology, seed, data
        self.model = TOPOLOGIES[topology]()
        self.model.load_state_dict(state["end"])
        self.model.eval()
        self.snapshots = state["snapshots"]
        self.order = truth.order_of(self.model, data.seen[0][:2])
        self.exact = truth.exact_twin(self.model, data.seen, self.order)
        self.running_loss = truth.loss_of(self.model, data.held_out)
        self.exact_loss = truth.loss_of(self.exact, data.held_out)
        self.loader = batches(data.seen, 64, generator_of("loader", topology, seed))

    def copy(self):
        return copy.deepcopy(self.model)

    def twin(self, state):
        model = TOPOLOGIES[self.topology]()
        model.load_state_dict(state)
        return model


def base(topology, seed, data, work, epochs):
    """From the folder `work`, where it is; else trained and kept there."""
    file = work / f"{topology}-{seed}-{len(data.train[1])}x{epochs}.pt"
    if file.is_file():
        return Base(topology, seed, data, torch.load(file))
    generator = generator_of("base", topology, seed)
    torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
    model = TOPOLOGIES[topology]()
    steps = epochs_of(data, epochs, 64, generator)
    snapshots = []
    keep = {int(share * len(steps)) for share in (0.0, 0.05, 0.1, 0.2, 0.4)}

    def look(index):
        if index in keep:
            snapshots.append(copy.deepcopy(model.state_dict()))

    train(model, data, steps, 0.1, generator, each=look)
    state = {"end": model.state_dict(), "snapshots": snapshots}
    torch.save(state, file)
    return Base(topology, seed, data, state)
