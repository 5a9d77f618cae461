"""What several kinds of seeded faults share: strengths, layers, batches in training mode."""
import torch

from yardstick.topologies import TOPOLOGIES


def log_uniform(u, hardly, fatal):
    return hardly * (fatal / hardly) ** u


def kind_of(base, count):
    """Which of `count` kinds of a fault: each topology gets all of them over its seeds, where these are consecutive."""
    return (base.seed + list(TOPOLOGIES).index(base.topology)) % count


def pick(names, count, generator):
    """`count` of the names at random, in their order."""
    chosen = set(torch.randperm(len(names), generator=generator)[:count].tolist())
    return [name for index, name in enumerate(names) if index in chosen]


def some(base, u, generator):
    """One layer where u is small, all where it is near 1."""
    return pick(base.order, max(1, min(len(base.order), int(log_uniform(u, 1, len(base.order) + 1)))), generator)


def forward_in_training(model, base, count, generator, size=64, rows=None):
    """Batches in training mode, drawn from these rows of the training data (None: all); weights stand still."""
    rows = torch.arange(len(base.data.train[1])) if rows is None else rows
    model.train()
    with torch.no_grad():
        for _ in range(count):
            model(base.data.train[0][rows[torch.randint(len(rows), (size,), generator=generator)]])
    model.eval()
