"""Two or more ranks as processes of their own, joined by Gloo, each of which calls the doctor with ranks=True."""
import json
import pathlib
import subprocess
import sys
import tempfile
import types

import torch

FINDING = ("id", "severity", "layer", "others", "damage")


def examine(topology, models, loader):
    """The first rank's report: its findings. models: one a rank; each rank gets every n-th batch of the loader."""
    with tempfile.TemporaryDirectory() as folder:
        torch.save({"topology": topology, "states": [model.state_dict() for model in models], "loader": loader}, f"{folder}/case.pt")
        started = [subprocess.Popen([sys.executable, "-B", __file__, folder, str(rank)], stderr=subprocess.PIPE, text=True)
                   for rank in range(len(models))]  # fmt: skip
        said = []
        try:
            said = [process.communicate(timeout=300)[1] for process in started]
        finally:
            for process in started:
                process.kill()
        for rank, process in enumerate(started):
            if process.returncode:
                raise RuntimeError(f"rank {rank} failed: {said[rank]}")
        found = json.loads(pathlib.Path(folder, "findings.json").read_text())
    findings = [types.SimpleNamespace(**dict(zip(FINDING, each)), repair="") for each in found]
    return types.SimpleNamespace(findings=[_with_number(each) for each in findings])


def _with_number(finding):
    finding.damage = None if finding.damage is None else float(finding.damage)
    return finding


def main(folder, rank):
    root = pathlib.Path(__file__).resolve().parent.parent.parent
    sys.path[:0] = [str(root / "bench"), str(root / "python")]
    import bnlab
    import torch.distributed as dist
    from yardstick.topologies import TOPOLOGIES

    torch.set_num_threads(1)
    case = torch.load(f"{folder}/case.pt")
    count = len(case["states"])
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=count)
    model = TOPOLOGIES[case["topology"]]()
    model.load_state_dict(case["states"][rank])
    report = bnlab.doctor(model.eval(), case["loader"][rank::count], ranks=True)
    if rank == 0:
        found = [[each.id, each.severity, each.layer, each.others, None if each.damage is None else str(each.damage)]
                 for each in report.findings]  # fmt: skip
        pathlib.Path(folder, "findings.json").write_text(json.dumps(found))
    dist.barrier()  # the first rank keeps the store, which the others may still read


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
