"""A network with a real fault, found and repaired: examples/doctor/fashion.py [REPORT.html]

A small residual network learns Fashion-MNIST (Debian's package dataset-fashion-mnist), and an exponential average of its
weights, which is to be used later, is kept over `parameters()`, as many training scripts do. The buffers of the average
are those of the day when it was copied. The doctor says so, and the statistics are taken again.
"""
import copy
import gzip
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

import bnlab

FOLDER = Path("/usr/share/datasets/fashion-mnist")


class Block(nn.Module):
    def __init__(self, channels_in, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Conv2d(channels_in, channels, 1, stride, bias=False)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


def network():
    return nn.Sequential(
        Block(1, 16, 1), Block(16, 32, 2), Block(32, 64, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)
    )


def images(name, count):
    """(count,1,28,28) of mean 0 and deviation 1, and labels (count)."""
    def numbers(kind, header):
        with gzip.open(FOLDER / f"{name}-{kind}-ubyte.gz") as file:
            return torch.frombuffer(bytearray(file.read()[header:]), dtype=torch.uint8)

    pixels = numbers("images-idx3", 16).reshape(-1, 1, 28, 28)[:count].float()
    return (pixels / 255 - 0.2860) / 0.3530, numbers("labels-idx1", 8)[:count].long()


def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        return sum((model(part).argmax(1) == labels).sum().item() for part, labels in zip(x.split(500), y.split(500))) / len(y)


def train(model, x, y, epochs=3, batch=64):
    """The average of the weights from the second epoch on."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    averaged = None
    for epoch in range(epochs):
        if epoch == 1:
            averaged = copy.deepcopy(model)
        for index in torch.randperm(len(x)).split(batch):
            optimizer.zero_grad()
            F.cross_entropy(model(x[index]), y[index]).backward()
            optimizer.step()
            if averaged is not None:
                with torch.no_grad():
                    for average, value in zip(averaged.parameters(), model.parameters()):
                        average.lerp_(value, 0.01)
        model.train()
    return averaged


def main():
    torch.manual_seed(0)
    x, y = images("train", 12000)
    x_test, y_test = images("t10k", 5000)
    model = network()
    averaged = train(model, x, y)

    before = accuracy(averaged, x_test, y_test)
    loader = list(zip(x.split(200), y.split(200)))[:20]
    report = bnlab.doctor(averaged, loader, donor=model)
    print(report)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(report.to_html())
    print()
    print(report.recalibrate())
    print(f"\naccuracy on images that it has not seen: {before:.1%} before, {accuracy(averaged, x_test, y_test):.1%} after")


if __name__ == "__main__":
    main()
