"""bnlab.doctor compares: with the donor of averaged parameters, without padding, by source, in both memory formats, with the
model before a fold. Each fault is found in a model that has it, and not in its clean twin."""
import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import AveragedModel

import bnlab
from bnlab.doctor.__main__ import main
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
    never = AveragedModel(clean()).eval()  # a copy, whose statistics are wrong for another reason
    never.module[5].running_mean += 3 * never.module[5].running_var.sqrt()
    assert ids(bnlab.doctor(never, loader())) == ["N01"]


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
    precision = report.facts["layers"][0]["precision"]
    assert precision["error_channels_last"] > 0.01 and precision["error_channels_last"] > precision["error_contiguous"]
    assert report.facts["formats"]["channels_last"] != report.facts["formats"]["contiguous"] and found.damage is not None
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
    assert why_not(report, "N01") == "the model has no batch normalization layer"


def test_n24_convolutions_that_were_fused_with_their_relu():
    fused = torch.ao.quantization.fuse_modules(clean(), [["0", "1", "2"], ["4", "5", "6"]])
    report = bnlab.doctor(fused, loader(), reference=clean())
    folded = report.facts["reference"]["folded"]
    assert ids(report) == [] and [each["name"] for each in folded] == ["0", "4"]
    assert all(each["error"] < 1e-5 for each in folded)


def test_n24_a_model_in_8_bits(monkeypatch):
    engine = next((each for each in ("onednn", "fbgemm") if each in torch.backends.quantized.supported_engines), None)
    if engine is None:
        pytest.skip("no engine for int8")
    monkeypatch.setattr(torch.backends.quantized, "engine", engine)
    quantization = torch.ao.quantization
    wrapped = quantization.QuantWrapper(clean()).eval()
    fused = quantization.fuse_modules(wrapped, [["module.0", "module.1", "module.2"], ["module.4", "module.5", "module.6"]])
    fused.qconfig = quantization.get_default_qconfig("fbgemm")
    prepared = quantization.prepare(fused)
    for x, _ in loader():
        prepared(x)
    report = bnlab.doctor(quantization.convert(prepared), loader(), reference=wrapped)
    facts = report.facts["reference"]
    assert 1e-3 < facts["output_error"] < 1 and [each["name"] for each in facts["folded"]] == ["module.0", "module.4"]
    assert all(1e-4 < each["error"] < 0.3 for each in facts["folded"]) and "error_in_double" not in facts
    assert the(report, "N24").severity == "note" and the(report, "N24").layer == "module.0"


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


def test_the_command_line_takes_what_is_compared_with(tmp_path, monkeypatch, capsys):
    (tmp_path / "compared_shop.py").write_text(
        "from faulty import clean, loader\n"
        "from test_doctor_comparisons import ema_and_donor, folded, quantized, spread_out\n"
        "def average(): return ema_and_donor()[0]\n"
        "def donor(): return ema_and_donor()[1]\n"
        "def original(): return spread_out(clean())\n"
        "def wrong(): return quantized(folded(original()))\n"
        "def batches(): return loader()\n"
        "def label(batch): return batch[1] % 2\n"
        "def mask(batch): return batch[0][:, 0] > -1e9\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    data = ["--loader", "compared_shop:batches"]
    assert main(["compared_shop:average", *data, "--donor", "compared_shop:donor"]) == 3
    assert "error   N07" in capsys.readouterr().out
    assert main(["compared_shop:wrong", *data, "--reference", "compared_shop:original"]) == 3
    assert "error   N24" in capsys.readouterr().out
    rest = ["--source", "compared_shop:label", "--mask", "compared_shop:mask"]
    assert main(["compared_shop:original", *data, *rest]) == 0
    shown = capsys.readouterr().out
    assert "no function source" not in shown and "no mask" not in shown
    assert main(["compared_shop:original", *data, "--contrastive"]) == 2 and "expects outputs" in capsys.readouterr().err
