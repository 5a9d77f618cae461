"""bnlab.doctor finds a contrastive model whose batch statistics give away which views belong together."""
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import bnlab
from faulty import clean, loader
from test_doctor import ids, the, why_not


@pytest.fixture(autouse=True)
def one_thread(fixed_start):
    torch.set_num_threads(1)


class Encoder(nn.Module):
    """Normalizes and keeps what it got beside it, so that outputs can tell the batch's mean."""

    def __init__(self, leaks):
        super().__init__()
        self.norm, self.leaks = nn.BatchNorm1d(8), leaks

    def forward(self, first, second):
        views = [(x - self.norm(x) * self.norm.running_var.sqrt() if self.leaks else self.norm(x)) for x in (first, second)]
        return tuple(F.normalize(view, dim=1) for view in views)


def pairs_of_views(noise=0.6):
    generator = torch.Generator().manual_seed(4)
    samples = torch.randn(128, 8, generator=generator)
    views = [samples + noise * torch.randn(128, 8, generator=generator) for _ in range(2)]
    return list(zip(*(view.split(16) for view in views)))


def info_nce(output):
    one, other = output
    return F.cross_entropy(one @ other.T / 0.1, torch.arange(len(one)))


def encoder(leaks):
    model = Encoder(leaks)
    for _ in range(10):
        for first, second in pairs_of_views():
            model(first, second)
    return model.eval()


def test_n12_statistics_that_give_the_pairs_away():
    report = bnlab.doctor(encoder(True), pairs_of_views(), info_nce, contrastive=True)
    found = the(report, "N12")
    assert found.severity != "note" and "over 32 dealings" in found.evidence, str(report)
    silent = bnlab.doctor(encoder(False), pairs_of_views(), info_nce, contrastive=True)
    assert "N12" not in ids(silent) + [each.id for each in silent.not_checked], str(silent)
    assert "contrastive=True was not given" in why_not(bnlab.doctor(encoder(True), pairs_of_views(), info_nce), "N12")


def test_n12_refuses_what_is_no_pair_of_views():
    with pytest.raises(ValueError, match="expects outputs"):
        bnlab.doctor(clean(), loader(), contrastive=True)
    with pytest.raises(ValueError, match="expects batches"):
        bnlab.doctor(clean(), [x for x, _ in loader()], contrastive=True)
    with pytest.raises(ValueError, match="needs a loss"):
        bnlab.doctor(encoder(True), pairs_of_views(), contrastive=True)
    assert "two batches of one size" in why_not(
        bnlab.doctor(encoder(True), pairs_of_views()[:1], info_nce, contrastive=True), "N12"
    )
