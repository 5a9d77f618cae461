"""Whatever happens, the doctor leaves model, gradients, hooks and random numbers as they were; and takes odd models."""
import os
import random
import signal

import numpy
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import bnlab
from faulty import CLASSES, clean, images, loader, net, residual

STEPS = {"optimizer": True, "steps": 2}


@pytest.fixture(autouse=True)
def one_thread(fixed_start):
    torch.set_num_threads(1)


def bits(tensor):
    return None if tensor is None else tensor.detach().clone().contiguous().view(-1).numpy().tobytes()


def snapshot(model):
    """Everything of the model and of the process that may not change, as values that == compares."""
    state = {}
    for name, module in model.named_modules():
        state[name, "training"] = module.training
        for kind in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_parameters", "_buffers", "_modules"):
            state[name, kind] = [(key, id(value)) for key, value in getattr(module, kind).items()]
        state[name, "attributes"] = sorted(vars(module))
        state[name, "eps"] = getattr(module, "eps", None)
    for name, parameter in model.named_parameters():
        state[name, "parameter"] = (bits(parameter), parameter.requires_grad, id(parameter.grad), bits(parameter.grad))
    for name, buffer in model.named_buffers():
        state[name, "buffer"] = bits(buffer)
    state["torch"], state["python"] = bits(torch.get_rng_state()), random.getstate()
    state["numpy"] = [part.tobytes() if hasattr(part, "tobytes") else part for part in numpy.random.get_state()]
    state["gradients"] = torch.is_grad_enabled()
    state["signal"] = signal.getsignal(signal.SIGINT)
    return state


def assert_same(before, after):
    assert before.keys() == after.keys()
    assert [key for key in before if before[key] != after[key]] == []


def ready(model):
    """With gradients, a hook, mixed modes and a parameter that does not train, so that there is something to lose."""
    model.train()
    x, y = loader()[0]
    F.cross_entropy(model(x), y).backward()
    model.eval()
    model[6].train()
    model[1].weight.requires_grad_(False)
    model[2].register_forward_hook(lambda *_: None)
    return model


class Shuffled:
    """A loader that draws from all generators, as augmentation does."""

    def __init__(self, fail_at=None, error=None):
        self.fail_at, self.error, self.passes = fail_at, error, 0

    def __iter__(self):
        self.passes += 1
        x, y = images()
        for index, part in enumerate(torch.randperm(len(x)).split(64)):
            if index == self.fail_at[1] and self.passes == self.fail_at[0] if self.fail_at else False:
                raise self.error
            yield x[part] + float(numpy.random.rand()) * 1e-3 + random.random() * 1e-3, y[part]


def test_a_whole_examination_changes_nothing():
    model = ready(clean())
    model[5].running_var[2] = float("nan")
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    data = Shuffled()
    before = snapshot(model)
    report = bnlab.doctor(model, data, optimizer=optimizer, steps=2, exact=True)
    assert report.findings and data.passes >= 5
    assert_same(before, snapshot(model))
    assert optimizer.state == {} and "step" not in vars(optimizer)


def test_every_pass_sees_the_same_batches():
    data = Shuffled()
    seen = []

    def forward(model, batch):
        seen.append(float(batch[0].double().sum()))
        return model(batch[0]), batch[1]

    bnlab.doctor(clean(), data, forward=forward, exact=True)
    assert data.passes >= 3 and len(set(seen)) <= len(seen) // 3 + 8  # whole batches 8, and cut ones


@pytest.mark.parametrize("error", [RuntimeError("a bad batch"), KeyboardInterrupt()], ids=["exception", "Ctrl-C"])
@pytest.mark.parametrize("when", [(1, 0), (1, 3), (2, 2), (4, 1)])
def test_an_end_in_the_middle_changes_nothing(error, when):
    model = ready(clean())
    before = snapshot(model)
    data = Shuffled(when, error)
    interrupts = isinstance(error, KeyboardInterrupt) or when[0] == 1
    if interrupts:
        with pytest.raises(type(error)):
            bnlab.doctor(model, data, exact=True)
    else:  # a later pass: said in the report
        report = bnlab.doctor(model, data, exact=True)
        assert any("a bad batch" in each["why"] for each in report.facts["not_collected"])
    assert data.passes >= when[0]
    assert_same(before, snapshot(model))


def test_an_error_in_the_model_passes_through_and_changes_nothing():
    class Breaks(nn.Module):
        calls = 0

        def forward(self, x):
            Breaks.calls += 1
            if Breaks.calls == 3:
                raise ZeroDivisionError("in the model")
            return x

    model = nn.Sequential(ready(clean()), Breaks())
    before = snapshot(model)
    with pytest.raises(ZeroDivisionError, match="in the model"):
        bnlab.doctor(model, loader())
    assert_same(before, snapshot(model))


def test_a_real_ctrl_c_while_it_restores_waits():
    from bnlab.doctor.state import uninterrupted

    done = []
    with pytest.raises(KeyboardInterrupt):
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(1000):
                pass
            done.append(True)
    assert done == [True] and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_buffer_that_a_forward_replaces_or_changes_is_put_back():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", torch.zeros(()))
            self.register_buffer("total", torch.zeros(()))

        def forward(self, x):
            self.calls = self.calls + 1
            self.total.add_(1)
            return x

    model = nn.Sequential(Counts(), clean())
    before = snapshot(model)
    bnlab.doctor(model, loader())
    assert_same(before, snapshot(model))


def test_a_loaders_own_generator_is_put_back():
    generator = torch.Generator().manual_seed(5)
    data = DataLoader(TensorDataset(*images()), 64, shuffle=True, generator=generator)
    before = bits(generator.get_state())
    bnlab.doctor(clean(), data)
    assert bits(generator.get_state()) == before


def test_a_model_in_bfloat16():
    report = bnlab.doctor(clean().bfloat16(), loader())
    assert [finding.id for finding in report.findings if finding.severity == "error"] == []
    assert report.facts["layers"][0]["dtype"] == "bfloat16" and report.facts["losses"]["kind"] == "cross-entropy"


def test_a_model_in_float64_and_one_of_bnlabs_layers():
    assert bnlab.doctor(clean().double(), loader()).findings == []
    model = bnlab.convert(clean(), fuse=True)
    before = snapshot(model)
    report = bnlab.doctor(model, loader())
    assert report.findings == [] and [layer["kind"] for layer in report.facts["layers"]] == ["BatchNormReLU2d"] * 2
    assert_same(before, snapshot(model))
    model[1].running_mean += 20
    repaired = bnlab.doctor(model, loader())
    repaired.recalibrate()
    assert repaired.again().findings == []


@pytest.mark.parametrize("wrap", [nn.DataParallel, "compile", "compile in place"])
def test_wrapped_models(wrap):
    model = residual()
    model.bn1.running_mean += 5
    if wrap == "compile":
        if not hasattr(torch, "compile"):
            pytest.skip("torch.compile is of PyTorch 2")
        wrapped = torch.compile(model, backend="eager")
        wrapped(images()[0][:64])
    elif wrap == "compile in place":
        if not hasattr(model, "compile"):
            pytest.skip("Module.compile is of PyTorch 2")
        model.compile(backend="eager")
        wrapped = model
        wrapped(images()[0][:64])
    else:
        wrapped = wrap(model)
    before = snapshot(wrapped)
    report = bnlab.doctor(wrapped, loader())
    assert report.findings[0].layer == "bn1"
    assert_same(before, snapshot(wrapped))


def test_ddp(tmp_path):
    torch.distributed.init_process_group("gloo", f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        wrapped = nn.parallel.DistributedDataParallel(residual())
        assert bnlab.doctor(wrapped, loader()).findings == []
    finally:
        torch.distributed.destroy_process_group()


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = clean()

    def forward(self, image, scale):
        return {"logits": self.model(image * scale.reshape(-1, 1, 1, 1))}


@pytest.mark.parametrize("form", ["tuple", "dict", "list of dicts", "no target", "tensor"])
def test_batches_of_every_form(form):
    ones = torch.ones(64)
    model, data = TwoInputs(), [(x, ones, y) for x, y in loader()]
    if form == "dict":
        data = [{"scale": s, "image": x, "label": y, "path": ["a"] * 64} for x, s, y in data]
    elif form == "list of dicts":
        model, data = clean(), [{"x": x, "target": y} for x, _, y in data]
    elif form == "no target":
        data = [(x, s) for x, s, _ in data]
    elif form == "tensor":
        model, data = clean(), [x for x, _, _ in data]
    report = bnlab.doctor(model, data)
    assert report.findings == [] and report.facts["batches"] == 8
    assert ("losses" in report.facts) == (form not in ("no target", "tensor"))


def test_without_a_loss_outputs_are_compared():
    model = clean()
    model[1].running_mean += 8
    report = bnlab.doctor(model, [x for x, _ in loader()])
    assert [finding.id for finding in report.findings] == ["N01"]
    assert "no loss was given" in report.findings[0].evidence and report.facts["output_change"] > 0.1


def test_loaders_that_cannot_be_read_twice_or_are_empty():
    with pytest.raises(ValueError, match="read only once"):
        bnlab.doctor(clean(), iter(loader()))
    assert bnlab.doctor(clean(), iter(loader()), batches=5).facts["batches"] == 5
    with pytest.raises(ValueError, match="no batches"):
        bnlab.doctor(clean(), [])


def test_models_that_cannot_be_looked_into():
    with pytest.raises(ValueError, match="TorchScript"):
        bnlab.doctor(torch.jit.script(clean()), loader())
    with pytest.raises(ValueError, match="0 does not know its channels"):
        bnlab.doctor(nn.Sequential(nn.LazyBatchNorm2d()), loader())
    assert bnlab.doctor(nn.Linear(2, 2), [torch.ones(3, 2)]).findings == []


def test_a_norm_alone_and_one_without_parameters_or_statistics():
    assert [f.id for f in bnlab.doctor(nn.BatchNorm1d(3), [torch.randn(64, 3)] * 4).findings] == ["N00"]
    bare = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, affine=False, track_running_stats=False), nn.Linear(4, CLASSES))
    assert "N05" in [f.id for f in bnlab.doctor(bare.eval(), [torch.randn(64, 3)] * 4).findings]


def test_a_single_sample_a_batch_is_told_and_not_fatal():
    flat = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, CLASSES))
    flat(torch.randn(64, 3))
    report = bnlab.doctor(flat.eval(), [(torch.randn(1, 3), torch.zeros(1, dtype=torch.int64))] * 5)
    assert "N08" in [finding.id for finding in report.findings if finding.severity == "warning"]
    assert any("could not normalize by batches" in each["why"] for each in report.facts["not_collected"])


def test_watching_is_undone_by_an_exception():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    before = snapshot(model)
    with pytest.raises(KeyError):
        with bnlab.doctor.watch(model, optimizer):
            raise KeyError
    assert_same(before, snapshot(model))
    assert "step" not in vars(optimizer)
