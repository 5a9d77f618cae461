"""What synchronization costs a layer: bench/sync_overhead.py [--ranks 2] [--rounds 40]

Steps (forward and backward) of bnlab.SyncBatchNorm on that many processes over Gloo on this machine, each with its part of the
batch, beside those of a BatchNorm2d that normalizes each part by itself; the two alternate, one thread a rank. Prints the
medians over rounds of the slowest rank's time, and the overhead of a layer.
"""
import argparse
import os
import statistics
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing

import bnlab

SHAPES = [(16, 64, 32, 32), (16, 256, 16, 16), (16, 512, 8, 8), (2, 64, 32, 32)]  # of a rank


def step(layer, x, dy):
    begin = time.perf_counter()
    layer(x).backward(dy)
    seconds = time.perf_counter() - begin
    x.grad = None
    slowest = torch.tensor([seconds], dtype=torch.float64)
    dist.all_reduce(slowest, op=dist.ReduceOp.MAX)
    return slowest.item()


def work(rank, options):
    torch.set_num_threads(1)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(options.port))
    dist.init_process_group("gloo", rank=rank, world_size=options.ranks)
    if rank == 0:
        print(f"PyTorch {torch.__version__}, {bnlab.instruction_set()}, {options.ranks} ranks of one thread, {options.rounds} rounds")
        print("| a rank's shape | local, ms | synchronized, ms | overhead, ms | 95th percentile, ms |\n|---|---|---|---|---|")
    for shape in SHAPES:
        torch.manual_seed(rank)
        x, dy = torch.randn(shape, requires_grad=True), torch.randn(shape)
        local, synchronized = bnlab.BatchNorm2d(shape[1]), bnlab.SyncBatchNorm(shape[1])
        times = {local: [], synchronized: []}
        for round in range(options.rounds + 5):
            for layer, taken in times.items():
                seconds = step(layer, x, dy)
                if round >= 5:
                    taken.append(1e3 * seconds)
        alone, together = statistics.median(times[local]), statistics.median(times[synchronized])
        most = sorted(times[synchronized])[int(0.95 * (options.rounds - 1))]
        if rank == 0:
            print(f"| {'x'.join(map(str, shape))} | {alone:.2f} | {together:.2f} | {together - alone:.2f} | {most:.2f} |", flush=True)
    dist.destroy_process_group()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--port", type=int, default=29533)
    options = parser.parse_args()
    multiprocessing.spawn(work, (options,), options.ranks)


if __name__ == "__main__":
    main()
