"""What test_synchronized_transforms.py lets two ranks do with bnlab.SyncBatchNorm; a program: RANK MEETING_FILE.

Prints a line of JSON per case: its name, whether it needs PyTorch 2, and "right", "refused" or what went wrong. A case that is
right was compared in double with torch.nn's BatchNorm in one process over both ranks' batches: values, gradients and buffers.
"""
import json
import sys
import warnings
from datetime import timedelta

import torch
import torch.distributed as dist

from two_ranks import CASES, IS_NEW, NEW_CASES, RANK, Refused

import synchronized_apart  # noqa: F401  (they add to CASES)
import synchronized_training  # noqa: F401
import synchronized_uses  # noqa: F401


def outcome(function, group):
    try:
        function(group)
    except Refused:
        return "refused"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "right"


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if IS_NEW:
        import synchronized_compiled

        synchronized_compiled.compile_without_a_group()
        CASES |= NEW_CASES
    names = sorted(CASES, key=lambda name: "before there is" not in name)  # first, since compiled() forgets what it compiled
    dist.init_process_group("gloo", init_method="file://" + sys.argv[2], rank=RANK, world_size=2)
    groups = []  # one for each, since a layer is counted among those of its group; kept until the end
    for name in names:
        groups.append(dist.new_group(timeout=timedelta(seconds=60)))
        print(json.dumps([name, name in NEW_CASES, outcome(CASES[name], groups[-1])]), flush=True)
        dist.barrier()
