"""Faults of what shares one layer's statistics: N11 (sources), N12 (two views of a sample), N14 (padding)."""
import copy
import math

import bnlab
import torch
import torch.nn.functional as F
from torch import nn

from yardstick import truth
from yardstick.case import Case
from yardstick.data import batches
from yardstick.faults.common import kind_of, log_uniform
from yardstick.topologies import norms
from yardstick.training import train


def of_both(part, shift):
    """The first half as it is, the second brighter and of more contrast: (x, domain, y)."""
    x, y = part
    domain = torch.arange(len(y)) >= len(y) // 2
    return torch.where(domain.reshape(-1, 1, 1, 1), (1 + shift / 2) * x + shift, x), domain, y


def of_domain(data, domain):
    x, domains, y = data
    return x[domains == domain], y[domains == domain]


def share_between(model, parts, name):
    """The share of the variance of a layer's inputs that is between two domains, in evaluation mode: the median channel."""
    (mean, var), (other_mean, other_var) = (truth.input_moments(model, part, name) for part in parts)
    between, within = ((mean - other_mean) / 2) ** 2, (var + other_var) / 2
    return float((between / (between + within)).median())


def n11(base, u, generator):
    """Trained on two domains, each batch from one of them, with one running average of both."""
    model, shift = base.copy(), log_uniform(u, 0.03, 4)
    seen, held_out, trained = (of_both(part, shift) for part in (base.data.seen, base.data.held_out, base.data.train))
    own = [batches(of_domain(trained, domain), 64, generator) for domain in (False, True)]
    train(model, base.data, [batch for pair in zip(*own) for batch in pair] * 2, 0.05, generator)
    parts = [of_domain(seen, domain) for domain in (False, True)]
    both = tuple(torch.cat(part) for part in zip(*parts))
    mixed = truth.loss_of(truth.exact_twin(model, both, base.order), (held_out[0], held_out[2]))
    apart = [truth.loss_of(truth.exact_twin(model, part, base.order), of_domain(held_out, domain))
             for domain, part in enumerate(parts)]  # fmt: skip
    far = [name for name in base.order if share_between(model, parts, name) > 0.1]

    def look(model, in_each):
        """The doctor on batches of one domain each, or with both in each."""
        order = torch.randperm(len(seen[2]), generator=generator)
        if not in_each:
            order = torch.cat([rows[seen[1][rows] == domain] for rows in order.split(128) for domain in (False, True)])
        loader = [tuple(values[rows] for values in seen) for rows in order.split(64)]
        return bnlab.doctor(model, loader, forward=lambda model, batch: (model(batch[0]), batch[2]),
                            source=lambda batch: batch[1])  # fmt: skip

    def train_on_both(report):
        again = base.copy()
        train(again, base.data, batches((trained[0], trained[2]), 64, generator) * 2, 0.05, generator)
        return look(again, True)

    case = Case(base, model, base.order, f"two domains, shift {shift:.2g}", first=base.order[: base.order.index(far[0]) + 1] if far else
                base.order, faulty=mixed, sound=sum(apart) / 2, consequences={"N01", "N13"}, mend=train_on_both)  # fmt: skip
    case.examine = lambda: look(model, kind_of(base, 2) == 0)
    return case


POOL = 64  # samples among which a view's other one is to be found


def info_nce(output):
    one, other = output
    return F.cross_entropy(one @ other.T / 0.1, torch.arange(len(one)))


def two_views(x, generator):
    return tuple(x + 0.5 * torch.randn(x.shape, generator=generator) for _ in range(2))


class Encoder(nn.Module):
    """The trained network's features, of length 1, and beside them the batch's means in its first normalization, in
    deviations: what a path around that layer lets through. leak: how much of them. Outputs are of length 1 again."""

    def __init__(self, network, leak):
        super().__init__()
        self.network, self.leak, self.means = network, leak, None
        network[-1] = nn.Identity()
        next(iter(norms(network).values())).register_forward_hook(self._look)

    def _look(self, layer, args, output):
        """Of the batch in training, the running ones in evaluation: nothing then."""
        mean = args[0].transpose(0, 1).flatten(1).mean(1) if layer.training else layer.running_mean
        self.means = (mean - layer.running_mean) / (layer.running_var + layer.eps).sqrt()

    def forward(self, x):
        features = F.normalize(self.network(x) - 0.5, dim=1)
        return F.normalize(torch.cat([features, self.leak * self.means.expand(len(x), -1)], 1), dim=1)


def loss_of_mates(base, model, size, generator, most_pools=20):
    """Losses on held-out images among POOL candidates, normalized in groups of `size`: as if all candidates were of the
    sample's own group, and as if none but its other view were. Of both, size - 1 others are looked at."""
    twin, sums = copy.deepcopy(model).train(), [0.0, 0.0]
    pools = min(most_pools, len(base.data.held_out[1]) // POOL)
    with torch.no_grad():
        for index in range(pools):
            x = base.data.held_out[0][index * POOL :][:POOL]
            one, other = (torch.cat([twin(group) for group in view.split(size)]) for view in two_views(x, generator))
            scores = one @ other.T / 0.1
            group = torch.arange(POOL) // size
            mates = (group[:, None] == group) & ~torch.eye(POOL, dtype=torch.bool)
            strangers = torch.zeros_like(mates)
            for row in range(POOL):
                far = (group != group[row]).nonzero().flatten()
                strangers[row, far[torch.randperm(len(far), generator=generator)[: size - 1]]] = True
            own = scores.diagonal()
            for which, chosen in enumerate((mates, strangers)):
                others = scores[chosen].reshape(POOL, -1).logsumexp(1) + math.log((POOL - 1) / (size - 1))
                sums[which] += float((torch.logaddexp(own, others) - own).mean()) / pools
    return sums


def n12(base, u, generator):
    """A contrastive loss over all ranks, whose batch normalization is over each one's own samples, and an encoder that
    lets its means through. Harm is a share of the loss: what it is too low by, since of all candidates the right one
    alone shares the sample's statistics. No training: the encoder leaks by construction."""
    size = 2 ** (2 + int(torch.randint(4, (), generator=generator)))
    leak = log_uniform(u, 0.05, 10)
    views = tuple(torch.cat(part) for part in (two_views(base.data.seen[0], generator), (base.data.seen[1],) * 2))
    model = Encoder(truth.set_exact(base.copy(), views, base.order), leak).eval()
    among_mates, among_others = loss_of_mates(base, model, size, generator)
    loader = [two_views(x, generator) for x in base.data.seen[0].split(size)[:24]]

    def freeze(report):
        report.freeze()
        return report.again()

    return Case(base, model, [], f"groups of {size} of {POOL}, {leak:.2g} of their means", first=[""], loader=loader,
                faulty=among_mates / among_others, sound=1.0, consequences={"N08"}, mend=freeze, loss=info_nce,
                forward=lambda model, batch: ((model(batch[0]), model(batch[1])), None), contrastive=True)  # fmt: skip


class Padded(nn.Module):
    """A network for images in front of columns of padding, which are 0 throughout: after each convolution and
    normalization they are made 0 again, and what is pooled is the mean of the real positions, so that nothing but the
    statistics can tell how many they are. No pixel of an image is 0 (data.py)."""

    def __init__(self, network):
        super().__init__()
        self.network, self.mask = network, None
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.BatchNorm2d)):
                module.register_forward_hook(self._blank)
            elif isinstance(module, nn.AdaptiveAvgPool2d):
                module.register_forward_hook(self._pool)

    def forward(self, x):
        self.mask = is_real(x)
        return self.network(x)

    def at(self, size):
        """The mask (N,H,W) at the positions of a layer, of which it has every k-th."""
        height, width = (round(whole / part) for whole, part in zip(self.mask.shape[1:], size))
        return self.mask[:, ::height, ::width][:, : size[0], : size[1]]

    def _blank(self, module, args, output):
        return output * self.at(output.shape[2:])[:, None]

    def _pool(self, module, args, output):
        mask = self.at(args[0].shape[2:])[:, None]
        return (args[0] * mask).sum((2, 3), keepdim=True) / mask.sum((2, 3), keepdim=True)


def is_real(x):
    """(N,H,W)"""
    return (x != 0).any(1)


def set_real(model, x, order):
    """Statistics of the real positions, layer by layer in order of execution, each with exact ones before it. In place."""
    for name in order:
        seen = []

        def look(which, inputs):
            if which == name:
                seen.append(inputs.movedim(1, -1)[model.at(inputs.shape[2:])])

        with truth.looking(model, look):
            for part in x.split(500):
                model(part)
        values = torch.cat(seen).double()
        norms(model)[name].running_mean.copy_(values.mean(0))
        norms(model)[name].running_var.copy_(values.var(0))
    return model


def n14(base, u, generator):
    """Statistics taken of images and their padding, for weights that were trained without. Only where layers have
    positions."""
    if base.topology == "mlp":
        return None
    padding = max(1, round(14 * log_uniform(u, 0.05, 2)))
    model = Padded(base.copy()).eval()
    order = ["network." + name for name in base.order]
    seen, held_out = ((F.pad(x, (0, padding)), y) for x, y in (base.data.seen, base.data.held_out))
    right = set_real(copy.deepcopy(model), seen[0], order)
    truth.set_exact(model, seen, order)
    loader = batches(seen, 64, generator)

    def of_real(report):
        return bnlab.doctor(set_real(model, seen[0], order), loader, mask=lambda batch: is_real(batch[0]))

    return Case(base, model, order, f"{padding} columns of padding for 14 of an image", loader=loader, mend=of_real,
                faulty=truth.loss_of(model, held_out), sound=truth.loss_of(right, held_out), first=order,
                mask=lambda batch: is_real(batch[0]))  # fmt: skip
