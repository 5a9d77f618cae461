#!/usr/bin/python3
"""Training steps of VGG-A with BN: bnlab against PyTorch's eager, channels-last step, in one interleaved run.

Both train on the same kind of input (random 32x32 images would do; Fashion-MNIST padded to 32x32 is what bnlab reads), batch
128, plain SGD, float32. Each round times some steps of one and then of the other; the figure is the median over the rounds
of the ratio PyTorch's step time / bnlab's step time (above 1: bnlab is faster). bnlab's step includes its loader, its
records and its checks; PyTorch's gets its batches ready-made.

    bench/train_throughput.py [--width 0.25] [--threads 2] [--rounds 7] [--steps 40]
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

import torch
import torch.nn as nn

ROOT = pathlib.Path(__file__).resolve().parent.parent
COLUMN_A = [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]


def vgg_a(width, channels=1, classes=10):
    layers = []
    for entry in COLUMN_A:
        if entry == "M":
            layers.append(nn.MaxPool2d(2))
        else:
            out = round(entry * width)
            layers += [nn.Conv2d(channels, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU()]
            channels = out
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels, classes))


class Pytorch:
    def __init__(self, width, batch, memory_format):
        torch.manual_seed(0)
        self.format = memory_format
        self.network = vgg_a(width).to(memory_format=memory_format)
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.1)
        self.loss = nn.CrossEntropyLoss()
        self.batches = [
            (torch.randn(batch, 1, 32, 32).contiguous(memory_format=memory_format), torch.randint(10, (batch,)))
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
        return statistics.median(seconds)


def bnlab_step_seconds(program, width, batch, threads, steps):
    with tempfile.TemporaryDirectory() as out:
        command = [program, "train", "--model", "vgg11", "--width", str(width), "--norm", "batch", "--batch", str(batch),
                   "--threads", str(threads), "--steps", str(steps), "--out", out, "--json"]
        result = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(result.stdout)["median_step_seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "build" / "bnlab"))
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    peers = {
        "PyTorch eager, channels-last": Pytorch(args.width, args.batch, torch.channels_last),
        "PyTorch eager, default layout": Pytorch(args.width, args.batch, torch.contiguous_format),
    }
    for peer in peers.values():
        peer.step_seconds(5)  # warm-up
    ours, theirs = [], {name: [] for name in peers}
    for _ in range(args.rounds):
        ours.append(bnlab_step_seconds(args.program, args.width, args.batch, args.threads, args.steps))
        for name, peer in peers.items():
            theirs[name].append(peer.step_seconds(args.steps))
    report = {"torch": torch.__version__, "threads": args.threads, "width": args.width, "batch": args.batch,
              "bnlab_ms": 1e3 * statistics.median(ours), "peers": {}}
    for name, seconds in theirs.items():
        ratios = sorted(t / o for t, o in zip(seconds, ours))
        report["peers"][name] = {"ms": 1e3 * statistics.median(seconds), "ratio": statistics.median(ratios),
                                 "lowest": ratios[0], "highest": ratios[-1]}
    if args.json:
        print(json.dumps(report, indent=2))
        return
    print(f"VGG-A at width {args.width}, BN, batch {args.batch}, {args.threads} threads, {args.rounds} rounds")
    print(f"  bnlab                          {report['bnlab_ms']:7.1f} ms a step")
    for name, peer in report["peers"].items():
        print(f"  {name:<30} {peer['ms']:7.1f} ms a step, {peer['ratio']:.2f} times bnlab's "
              f"(rounds: {peer['lowest']:.2f} to {peer['highest']:.2f})")


if __name__ == "__main__":
    main()
