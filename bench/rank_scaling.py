#!/usr/bin/env python3
"""How much faster two processes train one network than one does: bench/rank_scaling.py [BNLAB] [--rounds 5]

Runs `bnlab train` on one process with one thread, and on two ranks of this machine with one thread each, local and synchronized
statistics, one after the other in each round. Prints the medians over the rounds of a step's median time, the efficiency (the time
of one process over twice that of two), and what synchronizing costs a normalization layer, forward and backward together. Needs two
cores that nothing else uses.
"""
import argparse
import json
import statistics
import subprocess
import tempfile

# Arguments of bnlab train, batch normalization layers, steps.
NETWORKS = [
    ("resnet20, a quarter of the channels", ["--model", "resnet20", "--width", "0.25"], 19, 40),
    ("resnet20", ["--model", "resnet20", "--width", "1"], 19, 15),
    ("vgg11, a quarter of the channels", ["--model", "vgg11", "--width", "0.25"], 8, 40),
    ("vgg11", ["--model", "vgg11", "--width", "1"], 8, 8),
]
WAYS = {
    "one process": ["--threads", "1"],
    "local": ["--threads", "1", "--ranks", "2", "--rank-statistics", "local"],
    "synchronized": ["--threads", "1", "--ranks", "2"],
}


def step_seconds(bnlab, arguments):
    with tempfile.TemporaryDirectory() as folder:
        command = [bnlab, "train", "--batch", "128", *arguments, "--json", "--out", folder]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    return json.loads(result.stdout)["median_step_seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bnlab", nargs="?", default="build/bnlab")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print("| network, batch 128 | one process, ms a step | two, local (efficiency) | two, synchronized (efficiency) | a layer's synchronization, ms |")
    print("|---|---:|---:|---:|---:|")
    for name, arguments, layers, steps in NETWORKS:
        times = {way: [] for way in WAYS}
        for _ in range(options.rounds):
            for way, more in WAYS.items():
                times[way].append(1e3 * step_seconds(options.bnlab, [*arguments, *more, "--steps", str(steps)]))
        one, local, synchronized = (statistics.median(times[way]) for way in WAYS)
        print(f"| {name} | {one:.0f} | {local:.0f} ({one / local / 2:.2f}) | {synchronized:.0f} ({one / synchronized / 2:.2f}) "
              f"| {(synchronized - local) / layers:.2f} |", flush=True)


if __name__ == "__main__":
    main()
