"""Faults of how batches are put together: N08, N13."""
import bnlab

from yardstick import truth
from yardstick.case import NOTE, WARNING, Case
from yardstick.data import batches, sorted_order
from yardstick.faults.common import log_uniform
from yardstick.training import train


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
    first = layers[:1] or base.order  # of two images, all layers have statistics that are noise
    layers = layers or [name for name in base.order if spatial[name] == least]
    loader = batches([part[: 96 * size] for part in base.data.seen], size)
    own = batches([part[: 400 * size] for part in base.data.held_out], size)
    return Case(base, model, layers, f"{size * least} values a channel", loader=loader, first=first,
                faulty=truth.loss_over(base.copy().train(), own), sound=truth.loss_over(model, own))  # fmt: skip


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
