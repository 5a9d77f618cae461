"""convert(fuse=True) on models as people use them: what is fused is pinned, and nothing that they compute changes."""
import copy
import io
import pickle
from collections import Counter
from functools import partial

import pytest
import torch
import torch.nn.functional as F
import torchvision
from layers import assert_same_state
from torch import nn
from torch.utils.checkpoint import checkpoint
from torchvision.models import densenet, resnet, vgg
from torchvision.models.video import resnet as video

import bnlab
from bnlab import modules


class DoubleConv(nn.Module):
    """Of the U-Net in wide use (milesial/Pytorch-UNet)."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )

    def forward(self, x):
        return self.double_conv(x)


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.inc = DoubleConv(3, 4)
        self.down = nn.Sequential(nn.MaxPool2d(2), DoubleConv(4, 8))
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.conv = DoubleConv(8, 4)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.up(self.down(x1))
        h, w = x1.size()[2] - x2.size()[2], x1.size()[3] - x2.size()[3]
        x2 = F.pad(x2, [w // 2, w - w // 2, h // 2, h - h // 2])
        return {"out": self.conv(torch.cat([x1, x2], dim=1))}


class BatchNormAct2d(nn.BatchNorm2d):
    """timm's: a BatchNorm that is also its activation."""

    def __init__(self, channels, act_layer=nn.ReLU):
        super().__init__(channels)
        self.drop = nn.Identity()
        self.act = act_layer(inplace=True)

    def forward(self, x):
        torch._assert(x.ndim == 4, f"expected 4D input (got {x.ndim}D input)")
        exponential_average_factor = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats:
            if self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(1)
        bn_training = self.training or ((self.running_mean is None) and (self.running_var is None))
        x = F.batch_norm(
            x,
            self.running_mean if not self.training or self.track_running_stats else None,
            self.running_var if not self.training or self.track_running_stats else None,
            self.weight,
            self.bias,
            bn_training,
            exponential_average_factor,
            self.eps,
        )
        return self.act(self.drop(x))


class DropPath(nn.Module):
    def forward(self, x):
        if not self.training:
            return x
        return x * x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(0.5)


class TimmBlock(nn.Module):
    """timm's BasicBlock."""

    def __init__(self, inputs, outputs, downsample=None, drop_path=None, act_layer=partial(nn.ReLU, inplace=True)):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.drop_block = nn.Identity()
        self.act1 = act_layer()
        self.aa = nn.Identity()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.se = None
        self.act2 = act_layer()
        self.downsample = downsample
        self.drop_path = drop_path

    def zero_init_last(self):
        nn.init.zeros_(self.bn2.weight)

    def forward(self, x):
        shortcut = x
        x = self.conv1(x)
        x = self.bn1(x)
        x = self.drop_block(x)
        x = self.act1(x)
        x = self.aa(x)
        x = self.conv2(x)
        x = self.bn2(x)
        if self.se is not None:
            x = self.se(x)
        if self.drop_path is not None:
            x = self.drop_path(x)
        if self.downsample is not None:
            shortcut = self.downsample(shortcut)
        x += shortcut
        x = self.act2(x)
        return x


def timm_like():
    shortcut = nn.Sequential(nn.AvgPool2d(1), nn.Conv2d(4, 6, 1, bias=False), nn.BatchNorm2d(6))
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        BatchNormAct2d(4),  # ReLU
        TimmBlock(4, 4, nn.Identity()),  # ReLU; add, ReLU
        TimmBlock(4, 6, shortcut),  # ReLU; add, ReLU; the shortcut's not
        TimmBlock(6, 6, drop_path=DropPath()),  # ReLU
        TimmBlock(6, 6, act_layer=nn.SiLU),
        BatchNormAct2d(6, nn.SiLU),
    )


class Cifar(nn.Module):
    """A block of weiaicunzai/pytorch-cifar100: functions made in forward, the layers in sequences, two sums."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.residual_function = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential()
        if inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return nn.ReLU(inplace=True)(self.residual_function(x) + self.shortcut(x))


def vgg11_bn():
    """With an eighth of the channels."""
    layers = [entry if entry == "M" else entry // 8 for entry in vgg.cfgs["A"]]
    model = vgg.VGG(vgg.make_layers(layers, batch_norm=True), num_classes=2, init_weights=False)
    model.avgpool, model.classifier = nn.AdaptiveAvgPool2d(1), nn.Linear(64, 2)
    return model


def get(name, **options):
    return lambda: getattr(torchvision.models, name)(weights=None, num_classes=3, **options)


def small_densenet(**options):
    return densenet.DenseNet(8, (2, 2, 3, 2), 16, num_classes=3, **options)


def video_resnet():
    makers = [video.Conv3DSimple] * 4
    return video.VideoResNet(video.BasicBlock, makers, [1, 1, 1, 1], video.BasicStem, num_classes=3)


# (model, images' size, layers fused with a ReLU, with an addition and a ReLU, not)
MODELS = {
    "resnet18": (get("resnet18"), 20, 9, 8, 3),
    "resnet50": (get("resnet50", width_per_group=8), 32, 33, 16, 4),
    "vgg11_bn": (vgg11_bn, 32, 8, 0, 0),
    "densenet": (small_densenet, 32, 23, 0, 0),
    "densenet, checkpointing": (lambda: small_densenet(memory_efficient=True), 32, 23, 0, 0),
    "mobilenet_v2": (get("mobilenet_v2", width_mult=0.25), 32, 0, 0, 52),
    "mobilenet_v3_small": (get("mobilenet_v3_small", width_mult=0.5), 32, 5, 0, 29),
    "efficientnet_b0": (get("efficientnet_b0"), 16, 0, 0, 49),
    "googlenet": (get("googlenet", init_weights=False), 32, 59, 0, 0),
    "shufflenet": (get("shufflenet_v2_x0_5"), 32, 37, 0, 19),
    "regnet": (get("regnet_y_400mf"), 32, 33, 16, 4),
    "video resnet": (video_resnet, None, 5, 4, 3),
    "U-Net": (UNet, 17, 6, 0, 0),
    "timm": (timm_like, 8, 4, 2, 5),
    "cifar": (lambda: nn.Sequential(Cifar(3, 4), Cifar(4, 4)), 8, 2, 2, 1),
}


def make(name):
    build, size, *_ = MODELS[name]
    torch.manual_seed(1)
    model = build().double()
    sizes = (2, 3, 2, 8, 8) if size is None else (3, 3, size, size)
    return model, torch.randn(sizes, dtype=torch.float64)


def tensors(value):
    if isinstance(value, torch.Tensor):
        return [value]
    value = value.values() if isinstance(value, dict) else value
    return [tensor for item in value if item is not None for tensor in tensors(item)]


def step(model, x, training):
    """Outputs, then gradients of the input and of all parameters."""
    torch.manual_seed(2)
    x = x.clone().requires_grad_()
    outputs = tensors(model.train(training)(x))
    loss = sum((y * torch.linspace(-1, 2, y.numel(), dtype=y.dtype).reshape(y.shape)).sum() for y in outputs)
    inputs = [x, *model.parameters()]
    model.zero_grad(set_to_none=True)
    loss.backward()
    return outputs, [torch.zeros(()) if value.grad is None else value.grad for value in inputs]


def assert_same_step(model, expected_model, x, training):
    (outputs, gradients), (expected, expected_gradients) = (step(m, x, training) for m in (model, expected_model))
    largest = max(gradient.abs().max().item() for gradient in expected_gradients)
    for ours, theirs in zip(outputs, expected):
        torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-9)
    for ours, theirs in zip(gradients, expected_gradients):
        atol = 1e-7 * theirs.abs().max().item() + 1e-9 * largest
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=atol, check_dtype=False)
    assert_same_state(model, expected_model, rtol=1e-8, atol=1e-9)


def counts(model):
    found = Counter(row.fused_with for row in bnlab.fusion_report(model))
    return [found["ReLU"], found["add, ReLU"], found[""]]


@pytest.fixture
def passes(monkeypatch):
    """Counts what the layers are asked for."""
    seen, normalize, functional = Counter(), modules._Norm._normalize, bnlab.functional.batch_norm_relu

    def counted(self, input, addend, relu, eps):
        seen["add, ReLU" if addend is not None else "ReLU" if relu else ""] += 1
        return normalize(self, input, addend, relu, eps)

    def counted_functional(*args, **options):
        seen["ReLU"] += 1
        return functional(*args, **options)

    monkeypatch.setattr(modules._Norm, "_normalize", counted)
    monkeypatch.setattr(bnlab.functional, "batch_norm_relu", counted_functional)
    return seen


@pytest.mark.filterwarnings("ignore:bnlab.convert. .* stays as it is. BatchNormAct2d")
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("name", MODELS)
def test_a_real_model(name, passes):
    model, x = make(name)
    before, expected = copy.deepcopy(model), copy.deepcopy(model)
    pinned = list(MODELS[name][2:])
    assert counts(model) == pinned
    assert all(bool(row.fused_with) != bool(row.reason) for row in bnlab.fusion_report(model))
    bnlab.convert(model, fuse=True)
    assert counts(model) == pinned
    if not any(pinned[:2]):
        return
    assert_same_step(model, expected, x, True)
    if "checkpointing" not in name:
        assert [passes["ReLU"], passes["add, ReLU"]] == pinned[:2]
    assert_same_step(model, expected, x, False)
    bnlab.convert_back(model)
    assert [(key, type(module)) for key, module in model.named_modules()] == [
        (key, type(module)) for key, module in before.named_modules()
    ]
    assert repr(model) == repr(before)
    assert [set(vars(module)) for module in model.modules()] == [set(vars(module)) for module in before.modules()]
    assert_same_step(model, expected, x, True)


def test_resnet18_layer_by_layer():
    model, _ = make("resnet18")
    report = bnlab.fusion_report(model)
    rows = {row.layer: row for row in report}
    assert rows["bn1"].fused_with == rows["layer2.0.bn1"].fused_with == "ReLU"
    assert rows["layer2.0.bn2"].fused_with == rows["layer2.1.bn2"].fused_with == "add, ReLU"
    assert "added to that of bn2" in rows["layer2.0.downsample.1"].reason
    text = str(report)
    assert text.startswith("17 of 20 layers fused\n") and "layer2.0.downsample.1  not fused: its output" in text


def test_densenet121_is_fused_as_a_whole():
    report = bnlab.fusion_report(get("densenet121")())
    assert len(report) == 121 and all(row.fused_with == "ReLU" for row in report)


@pytest.mark.parametrize("name, reason", (("mobilenet_v2", "ReLU6"), ("efficientnet_b0", "SiLU")))
def test_other_activations_are_named(name, reason):
    reasons = Counter(row.reason for row in bnlab.fusion_report(make(name)[0]))
    assert reasons[f"followed by {reason}"] > 30


@pytest.mark.parametrize("name", ("resnet18", "densenet", "timm"))
@pytest.mark.filterwarnings("ignore:bnlab.convert. .* stays as it is. BatchNormAct2d")
def test_copies_files_and_torchscript(name):
    model, x = make(name)
    bnlab.convert(model, fuse=True)
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    others = [copy.deepcopy(model), pickle.loads(pickle.dumps(model)), torch.load(file, weights_only=False)]
    others.append(bnlab.convert(make(name)[0], fuse=True))
    others[-1].load_state_dict(model.state_dict())

    def forward(other):
        torch.manual_seed(3)
        return other(x)

    for other in others:
        assert [type(module) for module in other.modules()] == [type(module) for module in model.modules()]
        assert torch.equal(forward(other), forward(copy.deepcopy(model)))
        assert repr(bnlab.convert_back(other)) == repr(make(name)[0])
    scripted = torch.jit.script(copy.deepcopy(model))
    torch.testing.assert_close(forward(scripted), forward(model))
    model.eval()
    torch.testing.assert_close(torch.jit.trace(model, x)(x), model(x))
    torch.testing.assert_close(scripted.eval()(x), model(x))


def test_state_dicts_go_both_ways():
    model, _ = make("resnet18")
    fused = bnlab.convert(copy.deepcopy(model), fuse=True)
    assert list(fused.state_dict()) == list(model.state_dict())
    model.load_state_dict(fused.state_dict())
    fused.load_state_dict(model.state_dict())


def test_wrappers_and_checkpointing():
    class Checkpointed(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = resnet.BasicBlock(4, 4)

        def forward(self, x):
            return checkpoint(self.block, x)

    model = nn.DataParallel(Checkpointed().double())
    expected = copy.deepcopy(model)
    bnlab.convert(model, fuse=True)
    assert counts(model) == [1, 1, 0]
    assert_same_step(model, expected, torch.randn(2, 4, 5, 5, dtype=torch.float64), True)


def test_frozen_layers_of_detection_models_stay():
    model = torchvision.models.resnet18(weights=None, norm_layer=torchvision.ops.FrozenBatchNorm2d)
    kinds = [type(module) for module in model.modules()]
    assert bnlab.fusion_report(bnlab.convert(model, fuse=True)) == []
    assert [type(module) for module in model.modules()] == kinds


@pytest.mark.filterwarnings("ignore:bnlab.convert. .* stays as it is. BatchNormAct2d")
@pytest.mark.parametrize("name", ("resnet18", "densenet", "timm"))
def test_an_example_changes_nothing_else(name):
    model, x = make(name)
    model.float()
    expected = copy.deepcopy(model)
    next(model.children()).eval()
    modes = [module.training for module in model.modules()]
    state = torch.get_rng_state()
    assert bnlab.convert(model, fuse=True, example=x.float()) is model
    assert torch.equal(torch.get_rng_state(), state)
    assert [module.training for module in model.modules()] == modes
    assert all(parameter.grad is None for parameter in model.parameters())
    assert_same_state(model, expected, rtol=0, atol=0)
    assert counts(model) == list(MODELS[name][2:])
