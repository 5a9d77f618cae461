"""Fashion-MNIST at 14 x 14 pixels, from Debian's package dataset-fashion-mnist."""
import functools
import gzip
import math
import pathlib

import torch
import torch.nn.functional as F

FOLDER = pathlib.Path("/usr/share/datasets/fashion-mnist")
MEAN, DEVIATION, CLASSES = 0.286, 0.353, 10


@functools.lru_cache(maxsize=None)
def read_idx(name, count):
    """The first `count` entries of a file of the IDX format: 00 00 08 (bytes), the number of sizes, the sizes as
    big-endian 32 bits, the values."""
    with gzip.open(FOLDER / name) as file:
        start = file.read(4)
        sizes = [int.from_bytes(file.read(4), "big") for _ in range(start[3])]
        sizes[0] = min(sizes[0], count)
        raw = file.read(math.prod(sizes))
    if start[:3] != b"\0\0\x08" or len(raw) != math.prod(sizes):
        raise ValueError(f"{FOLDER / name} is no IDX file of bytes; install the package dataset-fashion-mnist again.")
    return torch.frombuffer(bytearray(raw), dtype=torch.uint8).reshape(sizes)


class Data:
    """x (N,1,14,14), y (N): `train` to be trained on, the first of them `seen` by the doctor; `held_out` for harm."""

    def __init__(self, train=3000, seen=768, held_out=1500):
        if not FOLDER.is_dir():
            raise SystemExit(
                f"doctor_yardstick: {FOLDER} is missing; install the Debian package dataset-fashion-mnist, then run it again."
            )
        self.train = self._part("train", train)
        self.held_out = self._part("t10k", held_out)
        self.seen = tuple(part[:seen] for part in self.train)

    @staticmethod
    def _part(name, count):
        x = read_idx(f"{name}-images-idx3-ubyte.gz", count).float().div_(255).unsqueeze(1)
        x = (F.avg_pool2d(x, 2) - MEAN) / DEVIATION
        return x, read_idx(f"{name}-labels-idx1-ubyte.gz", count).long()


def batches(part, size=64, generator=None, order=None):
    """[(x, y)] of `size` samples, in the given order, or shuffled by the generator."""
    x, y = part
    if order is None:
        order = torch.randperm(len(y), generator=generator) if generator is not None else torch.arange(len(y))
    return [(x[rows], y[rows]) for rows in order.split(size)]


def sorted_order(y, share, size, generator):
    """An order in which about `share` of each batch of `size` has one class, and the rest is drawn at random."""
    order = torch.randperm(len(y), generator=generator)
    alike = int(round(share * size))
    count = len(y) // size
    by_class = order[: alike * count]
    by_class = by_class[y[by_class].argsort(stable=True)]
    rest = order[alike * count :]
    rows = [torch.cat([by_class[i * alike : (i + 1) * alike], rest[i * (size - alike) : (i + 1) * (size - alike)]])
            for i in torch.randperm(count, generator=generator).tolist()]
    return torch.cat(rows)
