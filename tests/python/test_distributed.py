"""DistributedDataParallel over Gloo: two processes, each with its own batch and BN statistics, as with torch.nn's."""
import os
import subprocess
import sys

import pytest

from conftest import ROOT

PROGRAM = """
import copy, sys
import torch
import torch.distributed as dist
from torch import nn
import bnlab

rank, file, options = int(sys.argv[1]), sys.argv[2], {"find_unused_parameters": sys.argv[3] == "unused"}
torch.set_num_threads(1)
torch.manual_seed(0)
model = nn.Sequential(nn.Conv2d(3, 4, 3), bnlab.BatchNormReLU2d(4), nn.Conv2d(4, 4, 3), bnlab.BatchNorm2d(4)).double()
alone = copy.deepcopy(model)
batches = torch.randn(2, 6, 3, 8, 8).double()  # of each process
dist.init_process_group("gloo", init_method="file://" + file, rank=rank, world_size=2)
parallel = nn.parallel.DistributedDataParallel(model, **options)

gradients = []
for batch in batches.flip(0):  # the statistics of process 0 last
    alone.zero_grad()
    alone.load_state_dict(model.state_dict())
    alone(batch).cos().sum().backward()
    gradients.append([value.grad.clone() for value in alone.parameters()])
parallel(batches[rank]).cos().sum().backward()
for value, one, other in zip(model.parameters(), *gradients):
    torch.testing.assert_close(value.grad, (one + other) / 2)

parallel(batches[rank])  # begins by taking over process 0's buffers
with torch.no_grad():
    expected = copy.deepcopy(alone)
    expected(batches[rank])
for value, other in zip(model.buffers(), expected.buffers()):
    torch.testing.assert_close(value, other)
dist.barrier()
print("equal")
"""


@pytest.mark.parametrize("options", ("plain", "unused"))
def test_gradients_are_averaged_and_buffers_broadcast(tmp_path, options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    command = [sys.executable, "-B", "-c", PROGRAM]
    processes = [
        subprocess.Popen(
            [*command, str(rank), str(tmp_path / "meeting"), options],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=100)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert all(text.splitlines()[-1:] == ["equal"] for text in outputs), "\n".join(outputs)
