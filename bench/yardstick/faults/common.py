"""What several kinds of seeded faults share: strengths, layers, batches in training mode."""
import torch


def log_uniform(u, hardly, fatal):
    return hardly * (fatal / hardly) ** u


def pick(names, count, generator):
    """`count` of the names at random, in their order."""
    chosen = set(torch.randperm(len(names), generator=generator)[:count].tolist())
    return [name for index, name in enumerate(names) if index in chosen]


def some(base, u, generator):
    """One layer where u is small, all where it is near 1."""
    return pick(base.order, max(1, min(len(base.order), int(log_uniform(u, 1, len(base.order) + 1)))), generator)


def forward_in_training(model, base, count, generator, size=64):
    """Batches in training mode, at random; weights stand still."""
    model.train()
    with torch.no_grad():
        for _ in range(count):
            model(base.data.train[0][torch.randint(len(base.data.train[1]), (size,), generator=generator)])
    model.eval()
