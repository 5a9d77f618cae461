"""bnlab.doctor compares: with the donor of averaged parameters, without padding, by source, in both memory formats, with the
model before a fold. Each fault is found in a model that has it, and not in its clean twin."""
import copy
import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import AveragedModel

import bnlab
from conftest import ROOT
from faulty import CLASSES, SIDE, clean, images, loader, net, trained
from test_doctor import ids, the, why_not


@pytest.fixture(autouse=True)
def one_thread(fixed_start):
    torch.set_num_threads(1)


def ema_and_donor(copy_buffers=False, epochs=4, decay=0.97):
    """The average of the parameters of a short training, by hand, and the trained model."""
    torch.manual_seed(0)
    donor = net()
    ema = copy.deepcopy(donor)
    optimizer = torch.optim.SGD(donor.parameters(), 0.05, momentum=0.9)
    donor.train()
    for _ in range(epochs):
        for x, y in loader():
            optimizer.zero_grad()
            F.cross_entropy(donor(x), y).backward()
            optimizer.step()
            with torch.no_grad():
                for own, other in zip(ema.parameters(), donor.parameters()):
                    own.lerp_(other, 1 - decay)
    if copy_buffers:
        for own, other in zip(ema.buffers(), donor.buffers()):
            own.copy_(other)
    return ema.eval(), donor.eval()


def test_n07_an_average_of_parameters_without_its_statistics():
    ema, donor = ema_and_donor()
    report = bnlab.doctor(ema, loader(), donor=donor)
    assert ids(report, "warning", "error") == ["N07"], str(report)
    found = the(report, "N07")
    assert (found.layer, found.others) == ("1", ["5"]) and "still 0 and 1" in found.evidence and found.damage > 0.03
    report.recalibrate()
    assert ids(report.again()) == []
    assert "no donor was given" in why_not(bnlab.doctor(ema, loader()), "N07")


def test_n07_an_average_with_the_donors_statistics():
    ema, donor = ema_and_donor(copy_buffers=True)
    report = bnlab.doctor(ema, loader(), donor=donor)
    found = the(report, "N07")
    assert "the donor's, which are of other parameters" in found.evidence and "N01" not in ids(report)
    same = bnlab.doctor(donor, loader(), donor=copy.deepcopy(donor))
    assert "N07" not in ids(same)


def test_n07_torchs_averaged_model_is_recognized():
    torch.manual_seed(0)
    model = net()
    averaged = AveragedModel(model)
    model = trained(model, loader())
    averaged.update_parameters(model)
    for buffer, start in zip(averaged.module.buffers(), net().buffers()):
        buffer.copy_(start)  # as PyTorch 1 leaves them; PyTorch 2 copies the model's
    averaged.eval()
    report = bnlab.doctor(averaged, loader())
    found = the(report, "N07")
    assert ids(report, "warning", "error") == ["N07"] and found.layer == "module.1"
    assert "average of AveragedModel over 1 update" in found.evidence
    torch.optim.swa_utils.update_bn(loader(), averaged)
    assert "N07" not in ids(bnlab.doctor(averaged.eval(), loader()))
    never = AveragedModel(clean()).eval()
    assert ids(bnlab.doctor(never, loader())) == []


def test_a_donor_of_another_form_is_refused():
    with pytest.raises(ValueError, match="donor has no batch normalization layer 1"):
        bnlab.doctor(clean(), loader(), donor=nn.Linear(2, 2))
    model = clean()
    with pytest.raises(ValueError, match="donor is the model itself"):
        bnlab.doctor(model, loader(), donor=model)


LENGTH = 32


class Sequence(nn.Module):
    """Convolutions over time, the second with a stride, and the mean of the real positions."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv1d(2, 8, 3, padding=1, bias=False), nn.BatchNorm1d(8)
        self.conv2, self.bn2 = nn.Conv1d(8, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm1d(8)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x, mask):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.relu(self.bn2(self.conv2(x)))
        mask = mask[:, None, ::2].to(x.dtype)
        return self.head((x * mask).sum(2) / mask.sum(2))


def sequences(padded):
    generator = torch.Generator().manual_seed(3)
    y = torch.randint(0, CLASSES, (256,), generator=generator)
    x = torch.randn(256, 2, LENGTH, generator=generator) + 3
    x[:, 0] += torch.sin(torch.arange(LENGTH) * (1 + y[:, None]) / 2.0) * 2
    lengths = torch.randint(8, 13, (256,), generator=generator) if padded else torch.full((256,), LENGTH)
    mask = torch.arange(LENGTH) < lengths[:, None]
    return list(zip((x * mask[:, None]).split(32), mask.split(32), y.split(32)))


def by_mask(batch):
    return batch[1]


def trained_on(model, data, epochs=15):
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    model.train()
    for _ in range(epochs):
        for *x, y in data:
            optimizer.zero_grad()
            F.cross_entropy(model(*x), y).backward()
            optimizer.step()
    with torch.no_grad():
        for *x, _ in data * 5:
            model(*x)
    return model.eval()


def test_n14_statistics_that_count_padding():
    torch.manual_seed(0)
    model = trained_on(Sequence(), sequences(padded=False))
    full = bnlab.doctor(model, sequences(padded=False), mask=by_mask)
    assert ids(full) == [] and "N14" not in [each.id for each in full.not_checked], str(full)
    with torch.no_grad():  # the same parameters, whose statistics are then taken of batches that are mostly padding
        model.train()
        for x, mask, _ in sequences(padded=True) * 5:
            model(x, mask)
    report = bnlab.doctor(model.eval(), sequences(padded=True), mask=by_mask)
    found = the(report, "N14")
    assert (found.layer, found.others) == ("bn1", ["bn2"]) and found.severity != "note" and found.damage > 0.03, str(report)
    assert "69 % of the positions of bn1 are padding" in found.evidence
    assert why_not(bnlab.doctor(model, sequences(padded=True)), "N14") == "no mask was given"


def test_n14_layers_that_the_mask_does_not_fit_are_said():
    def wrong(batch):
        return batch[1][:, :20]

    report = bnlab.doctor(Sequence().eval(), sequences(padded=True), mask=wrong)
    assert why_not(report, "N14") == "the mask fits the inputs of no layer"
    with pytest.raises(ValueError, match="expected mask"):
        bnlab.doctor(Sequence().eval(), sequences(padded=True), mask=lambda batch: batch[2])


@pytest.mark.parametrize("size, fits", [(32, True), (16, True), (11, True), (10, True), (20, False), (31, False)])
def test_a_mask_fits_strides_and_no_other_size(size, fits):
    from bnlab.doctor.masked import fitted

    mask = torch.arange(32).expand(4, -1) < torch.tensor([4, 8, 30, 32])[:, None]
    found = fitted(mask, torch.ones(4, 3, size))
    assert (found is not None) == fits
    if fits:
        step = round(32 / size)
        assert torch.equal(found, mask[:, ::step][:, :size])
        assert torch.equal(fitted(mask, torch.ones(4, 3, 5, size)), found[:, None].expand(-1, 5, -1))
    assert fitted(mask, torch.ones(3, 3, size)) is None and fitted(mask, torch.ones(4, 3)) is None


def far_from_zero(shift):
    """A trained model whose first norm gets the image itself, moved so far from 0."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm2d(1), nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, CLASSES))
    model = trained(model, loader(), lr=0.02)
    model[0].running_mean += shift
    return model, [(x + shift, y) for x, y in loader()]


def test_n25_inputs_far_from_zero_in_channels_last():
    class Four(nn.Module):  # channels-last and contiguous are one order with a single channel
        def __init__(self, inner):
            super().__init__()
            self.norm, self.rest = nn.BatchNorm2d(4), inner

        def forward(self, x):
            return self.rest(self.norm(x)[:, :1])

    def pair(shift, channels_last):
        torch.manual_seed(0)
        inner = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, CLASSES))
        data = [(x.repeat(1, 4, 1, 1), y) for x, y in loader()]
        model = trained(Four(inner), data, lr=0.02)
        model.norm.running_mean += shift
        data = [((x.double() + shift).float(), y) for x, y in data]
        if channels_last:
            data = [(x.contiguous(memory_format=torch.channels_last), y) for x, y in data]
        return model, data

    model, data = pair(3e5, channels_last=True)
    report = bnlab.doctor(model, data)
    found = the(report, "N25")
    assert found.layer == "norm" and "came in channels-last" in found.evidence, str(report)
    assert report.facts["layers"][0]["precision"]["error_channels_last"] > 0.01
    assert report.facts["layers"][0]["precision"]["error_channels_last"] > report.facts["layers"][0]["precision"]["error_contiguous"]
    converted = bnlab.doctor(bnlab.convert(model), data)
    assert "N25" not in ids(converted)
    model, data = pair(3e5, channels_last=False)
    assert the(bnlab.doctor(model, data), "N25").severity == "note"
    model, data = pair(10.0, channels_last=True)
    near = bnlab.doctor(model, data)
    assert "N25" not in ids(near) and "precision" not in near.facts["layers"][0]


def quantized(model, per_tensor=True):
    """Weights of all convolutions rounded to 8 bits, with one scale a tensor or one a channel."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                dims = (0, 1, 2, 3) if per_tensor else (1, 2, 3)
                scale = module.weight.abs().amax(dims, keepdim=True) / 127
                module.weight.copy_((module.weight / scale).round() * scale)
    return model


def folded(model):
    report = bnlab.doctor(model, loader())
    assert not report.fold().undone
    return model


def spread_out(model):
    """The same function, with a first channel of each norm that is 1000 times as large, as ReLU lets it be."""
    with torch.no_grad():
        for norm in (model[1], model[5]):
            norm.weight[0] *= 1000
            norm.bias[0] *= 1000
        model[4].weight[:, 0] /= 1000
        model[8].weight[:, :16] /= 1000
    return model


def test_n24_a_fold_that_is_exact_and_one_that_was_quantized():
    original = spread_out(clean())
    right = folded(copy.deepcopy(original))
    report = bnlab.doctor(right, loader(), reference=original)
    assert ids(report) == [] and "N24" not in [each.id for each in report.not_checked], str(report)
    assert report.facts["reference"]["output_error"] < 1e-4

    wrong = quantized(folded(copy.deepcopy(original)))
    report = bnlab.doctor(wrong, loader(), reference=original)
    found = the(report, "N24")
    assert found.layer == "0" and found.severity != "note" and found.damage > 0.03, str(report)
    assert "times that of the median channel" in found.evidence
    by_channel = quantized(folded(copy.deepcopy(original)), per_tensor=False)
    assert ids(bnlab.doctor(by_channel, loader(), reference=original), "warning", "error") == []
    assert "no reference was given" in why_not(bnlab.doctor(wrong, loader()), "N24")


def test_n24_a_reference_of_another_form_is_refused():
    model = clean()
    with pytest.raises(ValueError, match="reference is the model itself"):
        bnlab.doctor(model, loader(), reference=model)
    with pytest.raises(ValueError, match="not tensors of one size"):
        bnlab.doctor(model, loader(), reference=nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 7)))


def two_domains():
    """The images as they are and three times as bright ones, with the labels: (x, y, domain)."""
    x, y = images()
    domain = (torch.arange(len(x)) % 2).bool()
    x = torch.where(domain.reshape(-1, 1, 1, 1), 3 * x + 20, x)
    return [(x[i], domain[i], y[i]) for i in torch.arange(len(x)).split(64)]


class OfImage(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x, domain):
        return self.inner(x)


def by_domain(batch):
    return batch[1]


def mixed_model():
    """Trained on each domain by itself, a call for each, with one running average of both."""
    torch.manual_seed(0)
    model = OfImage(net())
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    model.train()
    with bnlab.doctor.watch(model, optimizer) as watched:
        for _ in range(6):
            for x, domain, y in two_domains():
                optimizer.zero_grad()
                for own in (domain, ~domain):
                    F.cross_entropy(model(x[own], own), y[own]).backward()
                optimizer.step()
    return model.eval(), watched


def test_n11_two_domains_through_one_layer():
    model, watched = mixed_model()
    report = bnlab.doctor(model, two_domains(), source=by_domain)
    found = the(report, "N11")
    assert found.layer == "inner.1" and found.severity != "note" and found.damage > 0.03, str(report)
    assert "2 sources" in found.evidence and "N01" not in ids(report)
    watching = bnlab.doctor(model, two_domains(), watched=watched)
    assert "between the calls of a training step" in the(watching, "N11").evidence
    assert "no function source was given" in why_not(bnlab.doctor(model, two_domains()), "N11")


def test_n11_sources_that_are_alike():
    x, y = images()
    data = [(x[i], i % 2 == 0, y[i]) for i in torch.arange(len(x)).split(64)]
    report = bnlab.doctor(OfImage(clean()), data, source=by_domain)
    assert ids(report) == [] and "N11" not in [each.id for each in report.not_checked]
    with pytest.raises(ValueError, match="the same label for all"):
        bnlab.doctor(OfImage(clean()), data, source=lambda batch: "one")
    with pytest.raises(ValueError, match="one for each of 64 samples, got 3"):
        bnlab.doctor(OfImage(clean()), data, source=lambda batch: [1, 2, 3])
    with pytest.raises(ValueError, match="more than 16 labels"):
        bnlab.doctor(OfImage(clean()), data, source=lambda batch: list(range(64)))


def test_n11_batches_of_one_source_each_are_not_called_sorted():
    model, _ = mixed_model()
    data = []
    for x, domain, y in two_domains():
        data += [(x[own], domain[own], y[own]) for own in (domain, ~domain)]
    report = bnlab.doctor(model, data, source=lambda batch: bool(batch[1][0]))
    assert the(report, "N11").severity != "note" and "N13" not in ids(report)


RANKS = """
import sys
sys.path.insert(0, sys.argv[4])
import torch
import torch.distributed as dist
import bnlab
from bnlab.doctor import ranks
from faulty import clean, loader
from torch import nn

rank, file, case = int(sys.argv[1]), sys.argv[2], sys.argv[3]
ranks.PATIENCE = 5.0 if case in ("absent", "late") else 100.0
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method="file://" + file, rank=rank, world_size=2)
model = clean()
if case == "apart" and rank == 1:
    model[5].running_mean += 4 * model[5].running_var.sqrt()
if case == "other model" and rank == 1:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.BatchNorm1d(4)).eval()
if case == "error" and rank == 1:
    try:
        bnlab.doctor(torch.jit.script(model), loader(), ranks=True)
    except ValueError as error:
        assert "TorchScript" in str(error)
elif case == "alone":
    report = bnlab.doctor(model, loader())
    assert [each.why for each in report.not_checked if each.id == "N10"][0].startswith("ranks=True was not given")
elif case != "absent" or rank == 0:
    parallel = nn.parallel.DistributedDataParallel(model) if case == "same" else model
    for again in range(3):
        if again == 0 and case == "late" and rank == 1:
            continue
        report = bnlab.doctor(parallel, loader(), ranks=True)
        found = [each for each in report.findings if each.id == "N10"]
        print("found", [(each.layer, each.others, each.severity, each.damage and each.damage > 0.03) for each in found])
        print("because", [each.why for each in report.not_checked if each.id == "N10"])
        if case in ("absent", "error"):
            break
dist.barrier()
print("ended")
"""


def of_two_ranks(tmp_path, case):
    command = [sys.executable, "-B", "-c", RANKS]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    processes = [
        subprocess.Popen([*command, str(rank), str(tmp_path / "meeting"), case, str(ROOT / "tests" / "python")], env=environment,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for rank in range(2)
    ]  # fmt: skip
    try:
        outputs = [process.communicate(timeout=110)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert all(text.endswith("ended\n") for text in outputs), "\n".join(outputs)
    return outputs


def test_n10_ranks_that_disagree(tmp_path):
    zero, one = of_two_ranks(tmp_path, "apart")
    assert zero.count("found [('5', [], ") == one.count("found [('5', [], ") == 3, zero + one
    assert one.count("'error', True") + one.count("'warning', True") == 3, one
    assert "because []" in zero


def test_n10_ranks_that_agree(tmp_path):
    for text in of_two_ranks(tmp_path, "same"):
        assert text.count("found []\nbecause []") == 3, text


@pytest.mark.parametrize("case, rank, said", [
    ("other model", 0, "rank 1 has a model of other batch normalization layers"),
    ("error", 0, "rank 1 stopped with an error before (ValueError: bnlab.doctor: the model is TorchScript"),
    ("absent", 0, "rank 1 did not come within 5 seconds"),
])  # fmt: skip
def test_n10_a_rank_that_fails_keeps_none_waiting(tmp_path, case, rank, said):
    assert said in of_two_ranks(tmp_path, case)[rank]


def test_n10_a_rank_that_leaves_out_a_call(tmp_path):
    zero, one = of_two_ranks(tmp_path, "late")
    assert zero.count("because []") == one.count("because []") == 2, zero + one
    assert "rank 1 did not come within 5 seconds" in zero


def test_n10_is_not_looked_for_unless_asked(tmp_path):
    of_two_ranks(tmp_path, "alone")


def test_n10_of_state_dicts():
    model, other = clean(), clean()
    other[1].running_var *= 9
    stored = {f"module.{name}": value for name, value in other.state_dict().items()}  # as DistributedDataParallel names them
    report = bnlab.doctor(model, loader(), ranks=[model.state_dict(), stored])
    found = the(report, "N10")
    assert found.layer == "1" and "between 2 ranks" in found.evidence
    assert "N10" not in ids(bnlab.doctor(model, loader(), ranks=[model.state_dict(), clean().state_dict()]))
    assert the(bnlab.doctor(model, ranks=[model.state_dict(), stored]), "N10").severity == "note"
    with pytest.raises(ValueError, match=r"ranks\[1\] has no 1.running_mean"):
        bnlab.doctor(model, loader(), ranks=[model.state_dict(), {}])
    with pytest.raises(ValueError, match="not initialized"):
        bnlab.doctor(model, loader(), ranks=True)
    with pytest.raises(ValueError, match="expected ranks to be True"):
        bnlab.doctor(model, loader(), ranks=2)


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
    assert found.severity != "note" and "over 8 dealings" in found.evidence, str(report)
    silent = bnlab.doctor(encoder(False), pairs_of_views(), info_nce, contrastive=True)
    assert "N12" not in ids(silent) + [each.id for each in silent.not_checked], str(silent)
    assert "contrastive=True was not given" in why_not(bnlab.doctor(encoder(True), pairs_of_views(), info_nce), "N12")


def test_n12_refuses_what_is_no_pair_of_views():
    with pytest.raises(ValueError, match="expects outputs"):
        bnlab.doctor(OfImage(clean()), two_domains(), contrastive=True)
    with pytest.raises(ValueError, match="expects batches"):
        bnlab.doctor(clean(), [x for x, _ in loader()], contrastive=True)
    with pytest.raises(ValueError, match="needs a loss"):
        bnlab.doctor(encoder(True), pairs_of_views(), contrastive=True)
    assert "two batches of one size" in why_not(
        bnlab.doctor(encoder(True), pairs_of_views()[:1], info_nce, contrastive=True), "N12"
    )
