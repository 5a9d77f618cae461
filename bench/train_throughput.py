#!/usr/bin/python3
"""Training steps of a network with BN: bnlab against PyTorch's eager step in both layouts, in one interleaved run.

All train the same layers (bnlab's convolutions keep their biases, so PyTorch's do too) on 32x32 images: bnlab on
Fashion-MNIST, padded, or on CIFAR-10 if BNLAB_CIFAR10_DIR is set; PyTorch on random ones with as many channels. Plain
SGD, float32. Each round times some steps of bnlab and then of each peer; the figure is the median over the rounds of
the ratio peer's step time / bnlab's step time (above 1: bnlab is faster). bnlab's step includes its loader, its records
and its checks; PyTorch's gets its batches ready-made.

    bench/train_throughput.py [--model vgg-a|resnet-20|resnet-110] [--width W] [--threads 2] [--rounds 7] [--steps S]

--with-bnlab-modules adds PyTorch with bnlab's layers (the package in python/) in place of its own: what the operator
alone gives. PyTorch then runs in one process with the library; without the flag nothing of bnlab is in it.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Callable, NamedTuple

import torch
import torch.nn as nn

import pytorch_twins

ROOT = pathlib.Path(__file__).resolve().parent.parent
SIZE = 32


class Model(NamedTuple):
    kind: str  # in bnlab
    twin: Callable[[float, int], nn.Module]  # by width and image channels
    width: float
    steps: int  # a round
    warm_up: int


MODELS = {
    "vgg-a": Model("vgg11", pytorch_twins.vgg_a, 0.25, 40, 5),
    "resnet-20": Model("resnet20", lambda width, channels: pytorch_twins.resnet(3, width, channels), 1, 15, 3),
    "resnet-110": Model("resnet110", lambda width, channels: pytorch_twins.resnet(18, width, channels), 1, 3, 2),
}


class Pytorch:
    def __init__(self, network, channels, batch, memory_format, size=SIZE):
        self.network = network.to(memory_format=memory_format)
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.1)
        self.loss = nn.CrossEntropyLoss()
        self.batches = [
            (torch.randn(batch, channels, size, size).to(memory_format=memory_format), torch.randint(10, (batch,)))
            for _ in range(8)
        ]

    def step_seconds(self, steps):
        seconds = []
        for step in range(steps):
            x, y = self.batches[step % len(self.batches)]
            start = time.perf_counter()
            self.optimizer.zero_grad()
            loss = self.loss(self.network(x), y)
            loss.backward()
            self.optimizer.step()
            loss.item()
            seconds.append(time.perf_counter() - start)
        return statistics.median_high(seconds)  # as bnlab takes it


def pytorch_peers(args, model, channels):
    def peer(memory_format, change=lambda network: network):
        torch.manual_seed(0)
        return Pytorch(change(model.twin(args.width, channels)), channels, args.batch, memory_format)

    peers = {
        "PyTorch eager, channels-last": peer(torch.channels_last),
        "PyTorch eager, default layout": peer(torch.contiguous_format),
    }
    if args.with_bnlab_modules:
        sys.path.append(str(ROOT / "python"))
        change = pytorch_twins.with_bnlab_modules
        peers["bnlab's layers, channels-last"] = peer(torch.channels_last, change)
        peers["bnlab's layers, default layout"] = peer(torch.contiguous_format, change)
    return peers


def bnlab_step_seconds(args, model, data):
    with tempfile.TemporaryDirectory() as out:
        # Steps are timed from one end of a step to the next, so n times take n + 1 steps.
        command = [args.program, "train", "--data", data, "--model", model.kind, "--width", str(args.width),
                   "--norm", "batch", "--batch", str(args.batch), "--threads", str(args.threads),
                   "--steps", str(args.steps + 1), "--out", out, "--json"]
        result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{result.stderr}")
    return json.loads(result.stdout)["median_step_seconds"]


def measure(args):
    model = MODELS[args.model]
    data, channels = ("cifar10", 3) if "BNLAB_CIFAR10_DIR" in os.environ else ("fashion-mnist", 1)
    torch.set_num_threads(args.threads)
    peers = pytorch_peers(args, model, channels)
    for peer in peers.values():
        peer.step_seconds(model.warm_up)
    ours, theirs = [], {name: [] for name in peers}
    for _ in range(args.rounds):
        ours.append(bnlab_step_seconds(args, model, data))
        for name, peer in peers.items():
            theirs[name].append(peer.step_seconds(args.steps))
    report = {"torch": torch.__version__, "model": args.model, "data": data, "threads": args.threads,
              "width": args.width, "batch": args.batch, "rounds": args.rounds, "steps": args.steps,
              "bnlab_ms": 1e3 * statistics.median(ours), "peers": {}}
    for name, seconds in theirs.items():
        ratios = sorted(t / o for t, o in zip(seconds, ours))
        report["peers"][name] = {"ms": 1e3 * statistics.median(seconds), "ratio": statistics.median(ratios),
                                 "lowest": ratios[0], "highest": ratios[-1]}
    return report


def at_least(low):
    def number(text):
        value = int(text)
        if value < low:
            raise argparse.ArgumentTypeError(f"expected at least {low}, got {value}")
        return value

    return number


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "build" / "bnlab"))
    parser.add_argument("--model", choices=MODELS, default="vgg-a")
    parser.add_argument("--width", type=float, help="channels relative to the original's (vgg-a: 0.25, resnet: 1)")
    parser.add_argument("--batch", type=at_least(1), default=128)
    parser.add_argument("--threads", type=at_least(1), default=2)
    parser.add_argument("--rounds", type=at_least(1), default=7)
    parser.add_argument("--steps", type=at_least(2), help="timed in a round (vgg-a: 40, resnet-20: 15, resnet-110: 3)")
    parser.add_argument("--with-bnlab-modules", action="store_true", help="also PyTorch with bnlab's layers")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.width is None:
        args.width = MODELS[args.model].width
    if args.steps is None:
        args.steps = MODELS[args.model].steps
    return args


def main():
    args = arguments()
    report = measure(args)
    if args.json:
        print(json.dumps(report, indent=2))
        return
    print(f"{args.model} at width {args.width}, BN, batch {args.batch}, {args.threads} threads, "
          f"{args.rounds} rounds of {args.steps} steps, images like {report['data']}")
    print(f"  bnlab                          {report['bnlab_ms']:7.1f} ms a step")
    for name, peer in report["peers"].items():
        print(f"  {name:<30} {peer['ms']:7.1f} ms a step, {peer['ratio']:.2f} times bnlab's "
              f"(rounds: {peer['lowest']:.2f} to {peer['highest']:.2f})")


if __name__ == "__main__":
    main()
