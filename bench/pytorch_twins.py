"""The models of bnlab (src/bnlab/nn/models) as PyTorch users write them, with the same layers and parameters."""
import torch.nn as nn
import torch.nn.functional as functional

COLUMN_A = [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]
STAGES = [16, 32, 64]


def convolution(channels, out, stride=1):
    return nn.Conv2d(channels, out, 3, stride=stride, padding=1)


def vgg_a(width, channels, classes=10):
    """Simonyan & Zisserman 2015, table 1, column A, with BN and one linear layer, for 32x32 images."""
    layers = []
    for entry in COLUMN_A:
        if entry == "M":
            layers.append(nn.MaxPool2d(2))
        else:
            out = round(entry * width)
            layers += [convolution(channels, out), nn.BatchNorm2d(out), nn.ReLU(inplace=True)]
            channels = out
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels, classes))


class NormAddReLU(nn.Module):
    """The end of a residual block."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x, shortcut):
        return functional.relu(self.norm(x) + shortcut, inplace=True)


class Block(nn.Module):
    """Two convolutions and a shortcut without parameters, zeros in the new channels: He et al. 2016, option A."""

    def __init__(self, channels, out, stride):
        super().__init__()
        self.stride, self.lacking = stride, out - channels
        self.first = nn.Sequential(convolution(channels, out, stride), nn.BatchNorm2d(out), nn.ReLU(inplace=True))
        self.second = convolution(out, out)
        self.end = NormAddReLU(out)

    def forward(self, x):
        shortcut = x
        if self.stride > 1 or self.lacking > 0:
            shortcut = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.lacking))
        return self.end(self.second(self.first(x)), shortcut)


def resnet(blocks_per_stage, width, channels, classes=10):
    """He et al. 2016, section 4.2, with 6 * blocks_per_stage + 2 layers."""
    stages = [round(stage * width) for stage in STAGES]
    layers = [convolution(channels, stages[0]), nn.BatchNorm2d(stages[0]), nn.ReLU(inplace=True)]
    before = stages[0]
    for stage, out in enumerate(stages):
        for block in range(blocks_per_stage):
            layers.append(Block(before, out, 2 if stage > 0 and block == 0 else 1))
            before = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes))


def with_bnlab_modules(network):
    """The network with the operators of the Python package bnlab, fused where the model has a ReLU or an addition."""
    import bnlab

    for block in network.modules():
        if isinstance(block, Block):
            block.end = bnlab.BatchNormAddReLU2d(block.end.norm.num_features)
    return bnlab.convert(network, fuse=True)
