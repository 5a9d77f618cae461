#!/usr/bin/python3
"""How well bnlab.doctor finds faults: recall, precision, right layer first, and false alarms.

Faults are put into small networks trained on Fashion-MNIST (Debian's package dataset-fashion-mnist), and what they cost is
measured by plain PyTorch. docs/doctor-yardstick.md defines the figures and has the results.

    bench/doctor_yardstick.py [--seeds pilot|judged] [--work DIR] [--jobs 2] [--json FILE]
    bench/doctor_yardstick.py --quick                  # one topology, one seed: a minute
    bench/doctor_yardstick.py --from FILE [--mute N02] # a stored result again, as if there were no rule N02

Trained models are kept in --work, so that a second run is faster. The judged seeds are for judging alone: nothing of the
doctor is tuned on them.
"""
import argparse
import json
import multiprocessing
import pathlib
import sys
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "python")]

import torch  # noqa: E402

import bnlab  # noqa: E402
from yardstick import case, clean, faults, public, score, training  # noqa: E402
from yardstick.data import Data  # noqa: E402
from yardstick.topologies import TOPOLOGIES  # noqa: E402

SEEDS = {"pilot": (1, 2, 3), "judged": (11, 12, 13)}
QUICK = {"train": 1500, "seen": 384, "held_out": 600}
HEAVY = 30_000_000  # parameters: larger models of torchvision are built in the full run alone
PARTS = ("seeded", "clean", "torchvision", "public")


def seeded(work, topology, seed, index, ids, quick):
    """All faults of one trained model."""
    data = Data(**QUICK) if quick else Data()
    base = training.base(topology, seed, data, work, 2 if quick else 3)
    rows = [{"base": f"{topology}, seed {seed}", "running": base.running_loss, "exact": base.exact_loss}]
    for id in ids:
        generator = training.generator_of(id, topology, seed)
        u = (index + float(torch.rand((), generator=generator))) / 3
        try:
            fault = faults.FAULTS[id](base, u, generator)
            rows += [] if fault is None else [case.judge(id, fault)]
        except Exception:  # the others are judged all the same
            rows.append({"failed": f"{id} of {topology}, seed {seed}", "why": traceback.format_exc()})
    return rows


def clean_model(work, number, group, quick):
    return [clean.judge(number, group, Data(**QUICK) if quick else Data(), work)]


def torchvision_model(name, largest):
    return clean.judge_torchvision(name, largest) or []


def public_fault(name):
    return [public.judge(name)]


def tasks(args):
    """[(function, arguments)]; the longest first."""
    work = pathlib.Path(args.work)
    seeds = SEEDS[args.seeds][: 1 if args.quick else None]
    topologies = list(TOPOLOGIES)[: 1 if args.quick else None]
    found = []
    if "seeded" in args.parts:
        for index, seed in enumerate(seeds):
            found += [(seeded, (work, name, seed, 1 if args.quick else index, args.ids, args.quick)) for name in topologies]
    if "public" in args.parts:
        found += [(public_fault, (name,)) for name in list(public.FAULTS)[: 4 if args.quick else None]]
    if "clean" in args.parts:
        numbers = range(2 if args.quick else args.clean)
        found += [(clean_model, (work, number, args.seeds, args.quick)) for number in numbers]
    if "torchvision" in args.parts:
        largest = HEAVY if args.quick else 10**12
        names = ["resnet18", "mobilenet_v2"] if args.quick else clean.torchvision_names()
        found += [(torchvision_model, (name, largest)) for name in names]
    return found


def work_on(task):
    torch.set_num_threads(1)
    function, values = task
    try:
        return function(*values)
    except Exception:
        return [{"failed": f"{function.__name__}{values[1:]}", "why": traceback.format_exc()}]


def run(args):
    pathlib.Path(args.work).mkdir(parents=True, exist_ok=True)
    Data(seen=1, train=1, held_out=1)  # refuses early where the images are missing
    rows, start, todo = [], time.time(), tasks(args)
    with multiprocessing.get_context("spawn").Pool(args.jobs) as pool:
        for done, found in enumerate(pool.imap_unordered(work_on, todo), 1):
            rows += found
            if args.json:
                pathlib.Path(args.json).write_text(json.dumps({"rows": rows, "unfinished": True}))
            if args.verbose:
                name = next((str(row.get(key)) for row in found[:1] for key in ("base", "clean", "public", "failed") if key in row), "")
                print(f"{time.time() - start:6.0f} s  {done} of {len(todo)}  {name}", file=sys.stderr, flush=True)
    rows.sort(key=lambda row: (row.get("id", ""), row.get("topology", ""), row.get("seed", 0), row.get("clean", ""), row.get("public", "")))
    return {"bnlab": bnlab.__version__, "torch": torch.__version__, "seeds": args.seeds, "quick": args.quick, "rows": rows,
            "seconds": time.time() - start}  # fmt: skip


def harm_of(row):
    return float(row["harm"])


def show_faults(rows):
    bases = [row for row in rows if "base" in row]
    of_faults = [row for row in rows if "topology" in row]
    if not of_faults:
        return 0
    print(f"\nSeeded faults, {len(bases)} trained models (loss by running less that by exact statistics: at most "
          f"{max(row['running'] - row['exact'] for row in bases):.3f})")  # fmt: skip
    print("\n".join(score.table(of_faults, faults.FAULTS)))
    wrong = score.mistakes(of_faults)
    for row, what in wrong:
        print(f"  {row['id']} {row['topology']} {row['seed']} ({row['what']}; harm {harm_of(row):.3f}): {what}")
    return len(wrong)


def show_clean(rows, title, own):
    of_kind = [row for row in rows if "clean" in row and own in row]
    false = [row for row in of_kind if any(each["severity"] in score.ALARMS for each in row["findings"])]
    if of_kind:
        layers = f", {sum(row['layers'] for row in of_kind)} layers" if own == "layers" else ""
        print(f"\n{title}: {len(of_kind)} reports{layers}, {len(false)} with a warning or an error")
    for row in false:
        said = ", ".join(f"{each['severity']} {each['id']}" for each in row["findings"])
        print(f"  {row['clean']}" + (f" (harm {row['harm']:.3f})" if own == "harm" else "") + f": {said}")
    return len(false)


def show_public(rows):
    programs = [row for row in rows if "public" in row]
    wrong = [row for row in programs if not (row["flagged"] and row["silent"])]
    if programs:
        print(f"\nPublic faults: {len(programs) - len(wrong)} of {len(programs)} flagged before the fix and silent after it")
    for row in wrong:
        print(f"  {row['public']} ({row['id']}): before {row['before']}, after {row['after']}")
    return len(wrong)


def show(result):
    """Prints all tables; returns the number of mistakes and failures."""
    rows = result["rows"]
    print(f"bnlab {result['bnlab']}, torch {result['torch']}, {result['seeds']} seeds, {result['seconds']:.0f} s")
    wrong = show_faults(rows) + show_clean(rows, "Clean models", "harm") + show_clean(rows, "torchvision", "layers")
    wrong += show_public(rows)
    failed = [row for row in rows if "failed" in row]
    for row in failed:
        print(f"\nfailed: {row['failed']}\n{row['why']}")
    return wrong + len(failed)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", choices=SEEDS, default="pilot")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--work", default="yardstick-models", help="folder for trained models")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--ids", nargs="+", choices=list(faults.FAULTS), default=list(faults.FAULTS))
    parser.add_argument("--clean", type=int, default=30, help="number of clean models")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--from", dest="stored", metavar="FILE", help="show a stored result")
    parser.add_argument("--mute", nargs="+", default=[], metavar="ID", help="as if the doctor had no such rules")
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()


def main():
    args = arguments()
    result = json.loads(pathlib.Path(args.stored).read_text()) if args.stored else run(args)
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(result, indent=1))
    result["rows"] = score.muted(result["rows"], args.mute)
    show(result)


if __name__ == "__main__":
    main()
