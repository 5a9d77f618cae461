"""Five small networks for 14 x 14 pixels. A batch normalization layer bnX gets the output of convX (or linX) directly;
normX gets something else. Each has Dropout modules with p = 0 where a fault may switch them on."""
import torch
from torch import nn

from yardstick.data import CLASSES


def conv(inputs, outputs, kernel=3, stride=1, groups=1):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)


class Unit(nn.Sequential):
    """Convolution, normalization and what else is given."""

    def __init__(self, convolution, *rest):
        super().__init__()
        self.add_module("conv", convolution)
        self.add_module("bn", nn.BatchNorm2d(convolution.out_channels))
        for index, module in enumerate(rest):
            self.add_module(f"rest{index}", module)


class Plain(nn.Sequential):
    def __init__(self):
        super().__init__(
            Unit(conv(1, 12), nn.ReLU()),
            Unit(conv(12, 16), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.0)),
            Unit(conv(16, 24), nn.ReLU(), nn.Dropout(0.0)),
            Unit(conv(24, 32, stride=2), nn.ReLU(), nn.Dropout(0.0)),
            Unit(conv(32, 32, stride=2), nn.ReLU()),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.0), nn.Linear(32, CLASSES),
        )  # fmt: skip


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.conv1, self.bn1 = conv(inputs, outputs, stride=stride), nn.BatchNorm2d(outputs)
        self.drop = nn.Dropout(0.0)
        self.conv2, self.bn2 = conv(outputs, outputs), nn.BatchNorm2d(outputs)
        self.down = Unit(conv(inputs, outputs, 1, stride)) if stride > 1 or inputs != outputs else nn.Identity()

    def forward(self, x):
        y = self.bn2(self.conv2(self.drop(torch.relu(self.bn1(self.conv1(x))))))
        return torch.relu(y + self.down(x))


class ResNet(nn.Sequential):
    def __init__(self):
        super().__init__(
            Unit(conv(1, 12), nn.ReLU()),
            Residual(12, 12), Residual(12, 24, 2), Residual(24, 32, 2),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.0), nn.Linear(32, CLASSES),
        )  # fmt: skip


class Inverted(nn.Module):
    """MobileNetV2's block: expand, depthwise, project without an activation."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        inner = 3 * inputs
        self.body = nn.Sequential(
            Unit(conv(inputs, inner, 1), nn.ReLU6()),
            Unit(conv(inner, inner, stride=stride, groups=inner), nn.ReLU6(), nn.Dropout(0.0)),
            Unit(conv(inner, outputs, 1)),
        )  # fmt: skip
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.body(x) if self.adds else self.body(x)


class MobileNet(nn.Sequential):
    def __init__(self):
        super().__init__(
            Unit(conv(1, 12, stride=2), nn.ReLU6()),
            Inverted(12, 16), Inverted(16, 16), Inverted(16, 24, 2),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.0), nn.Linear(24, CLASSES),
        )  # fmt: skip


class Dense(nn.Module):
    """DenseNet's layer, normalization first: its inputs are those of the block, and its output is put beside them."""

    def __init__(self, inputs, growth):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, 2 * growth, 1)
        self.bn1, self.conv2 = nn.BatchNorm2d(2 * growth), conv(2 * growth, growth)
        self.drop = nn.Dropout(0.0)

    def forward(self, x):
        y = self.bn1(self.conv1(self.drop(torch.relu(self.norm1(x)))))
        return torch.cat([x, self.conv2(torch.relu(y))], 1)


class DenseNet(nn.Sequential):
    def __init__(self):
        super().__init__(
            Unit(conv(1, 12), nn.ReLU(), nn.MaxPool2d(2)),
            Dense(12, 8), Dense(20, 8),
            nn.BatchNorm2d(28), nn.ReLU(), conv(28, 16, 1), nn.AvgPool2d(2),
            Dense(16, 8), Dense(24, 8),
            nn.BatchNorm2d(32), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.0), nn.Linear(32, CLASSES),
        )  # fmt: skip


class Layer(nn.Sequential):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.lin, self.bn = nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs)
        self.relu, self.drop = nn.ReLU(), nn.Dropout(0.0)


class Perceptron(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), Layer(196, 96), Layer(96, 96), Layer(96, 48), nn.Linear(48, CLASSES))


TOPOLOGIES = {"plain": Plain, "resnet": ResNet, "mobilenet": MobileNet, "densenet": DenseNet, "mlp": Perceptron}
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def norms(model):
    return {name: module for name, module in model.named_modules() if isinstance(module, NORMS)}


def producer_of(model, name):
    """The convolution or linear layer directly before a layer named bn..., or None."""
    modules = dict(model.named_modules())
    head, _, last = name.rpartition(".")
    if not last.startswith("bn"):
        return None
    found = (modules.get(f"{head}.{kind}{last[2:]}".lstrip(".")) for kind in ("conv", "lin"))
    return next((module for module in found if module is not None), None)
