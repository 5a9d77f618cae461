#!/usr/bin/python3
"""Training steps of torchvision's ResNets: as they are, after bnlab.convert() and after convert(fuse=True).

PyTorch in both layouts, in one process; plain SGD, float32, random images. Each round times some steps of each. With
--compile (PyTorch 2) each is measured once more through torch.compile, whose code for other operators is scalar where
inductor finds no vector instructions: torch's eager step stays what all are compared with.
The figure is the median over the rounds of the ratio torch's step time / ours (above 1: bnlab is faster), beside the
lowest and the highest.

    bench/model_throughput.py [--model resnet18 resnet50] [--batch 16 32] [--size 96] [--threads 2] [--rounds 5]
                              [--compile] [--onednn on|off]

--onednn says how PyTorch computes convolutions; by default as `import bnlab` leaves it: with oneDNN, except where
oneDNN's are wrong (docs/python.md, "Debian 13's convolutions").
--model resnet18 --batch 16 --size 32 takes seconds.
"""
import argparse
import json
import pathlib
import statistics
import sys

import torch
import torchvision

from train_throughput import Pytorch, at_least

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "python"))
import bnlab  # noqa: E402

LAYOUTS = {"default": torch.contiguous_format, "channels-last": torch.channels_last}
CHANGES = {
    "torch": lambda network: network,
    "convert": bnlab.convert,
    "convert, fuse": lambda network: bnlab.convert(network, fuse=True),
}


def make_peers(args, model, batch, layout):
    """{what: a network that trains}"""
    peers = {}
    for name, change in CHANGES.items():
        for compiled in (False, True) if args.compile else (False,):
            torch.manual_seed(0)
            network = change(getattr(torchvision.models, model)(num_classes=10))
            peer = Pytorch(network, 3, batch, LAYOUTS[layout], args.size)
            if compiled:
                peer.network = torch.compile(peer.network)
            peers[name + (", compiled" if compiled else "")] = peer
    return peers


def measure(args, model, batch, layout):
    """{what: {"ms", and of torch's time: "ratio", "lowest", "highest"}}"""
    peers = make_peers(args, model, batch, layout)
    for peer in peers.values():
        peer.step_seconds(args.steps)
    seconds = {name: [] for name in peers}
    for _ in range(args.rounds):
        for name, peer in peers.items():
            seconds[name].append(peer.step_seconds(args.steps))
    report = {}
    for name, ours in seconds.items():
        ratios = sorted(theirs / own for theirs, own in zip(seconds["torch"], ours))
        report[name] = {"ms": 1e3 * statistics.median(ours), "ratio": statistics.median(ratios),
                        "lowest": ratios[0], "highest": ratios[-1]}
    return report


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", default=["resnet18", "resnet50"])
    parser.add_argument("--batch", nargs="+", type=at_least(2), default=[16, 32])
    parser.add_argument("--layout", nargs="+", choices=LAYOUTS, default=list(LAYOUTS))
    parser.add_argument("--size", type=at_least(32), default=96, help="of the images")
    parser.add_argument("--threads", type=at_least(1), default=2)
    parser.add_argument("--rounds", type=at_least(1), default=5)
    parser.add_argument("--steps", type=at_least(1), default=2, help="timed in a round; the median counts")
    parser.add_argument("--compile", action="store_true", help="through torch.compile as well")
    parser.add_argument("--onednn", choices=["on", "off"], help="for convolutions")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.compile and not hasattr(torch, "compile"):
        parser.error(f"PyTorch {torch.__version__} has no torch.compile: leave --compile out.")
    return args


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    if args.onednn:
        torch.backends.mkldnn.set_flags(args.onednn == "on")
    onednn = torch._C._get_mkldnn_enabled()
    results = []
    if not args.json:
        print(f"torch {torch.__version__}, {bnlab.instruction_set()}, {args.threads} threads, "
              f"convolutions {'with' if onednn else 'without'} oneDNN, images {args.size}x"
              f"{args.size}, {args.rounds} rounds of {args.steps} steps", flush=True)
    for model in args.model:
        for batch in args.batch:
            for layout in args.layout:
                report = measure(args, model, batch, layout)
                results.append({"model": model, "batch": batch, "layout": layout, "steps": report})
                for name, row in report.items() if not args.json else ():
                    print(f"  {model}, batch {batch}, {layout:13}  {name:23} {row['ms']:8.1f} ms a step, "
                          f"{row['ratio']:.2f} ({row['lowest']:.2f} to {row['highest']:.2f})", flush=True)
    if args.json:
        print(json.dumps({"torch": torch.__version__, "threads": args.threads, "onednn": onednn, "size": args.size,
                          "rounds": args.rounds, "steps": args.steps, "results": results}, indent=2))


if __name__ == "__main__":
    main()
