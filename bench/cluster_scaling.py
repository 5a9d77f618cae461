#!/usr/bin/env python3
"""How long a plan takes on 1 to 1,000 cores, by simulation.

    bnlab reproduce --scale paper --print-plan > plan.json
    bench/cluster_scaling.py plan.json

A core takes the next run that is free, in the order of the plan, as bnlab's launchers do. A run occupies threads x ranks cores for
as long as bnlab estimates; an analysis waits for its inputs. Also counted is what the shared folder sees: a lease is rewritten
every 2 seconds, and a checkpoint is written every 20.
With --check RESULTS the times that the runs of a finished reproduction have taken stand in for the estimates: what it says of that
machine's number of cores can be compared with how long the reproduction took.
"""
import argparse
import heapq
import json
import pathlib
import sqlite3

BEAT, CHECKPOINT = 2.0, 20.0  # seconds


def measured(results, run):
    """Seconds that the run has taken, None if it is not there."""
    try:
        with sqlite3.connect(f"file:{results / 'runs' / run['id'] / 'run.sqlite'}?mode=ro", uri=True) as database:
            row = database.execute("SELECT value FROM meta WHERE key = 'seconds'").fetchone()
    except sqlite3.Error:
        return None
    return float(row[0]) if row else None


def makespan(runs, cores):
    """(seconds, the largest number of runs at once) of list scheduling."""
    ended, busy, now, free, most = set(), [], 0.0, cores, 0
    waiting = list(runs)
    while waiting or busy:
        later = []
        for place, run in enumerate(waiting):
            if free == 0:
                later.extend(waiting[place:])
                break
            wanted = run["threads"] * run["ranks"]
            width = min(cores, wanted)
            if width > free or any(given not in ended for given in run["inputs"]):
                later.append(run)
                continue
            free -= width
            heapq.heappush(busy, (now + run["seconds"] * wanted / width, run["id"], width))
        waiting = later
        most = max(most, len(busy))
        if not busy:
            raise SystemExit("cluster_scaling.py: a run waits for one that the plan does not have")
        now, name, width = heapq.heappop(busy)
        free += width
        ended.add(name)
        while busy and busy[0][0] <= now:
            _, name, width = heapq.heappop(busy)
            free += width
            ended.add(name)
    return now, most


def time_text(seconds):
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", type=pathlib.Path)
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000])
    parser.add_argument("--check", type=pathlib.Path, metavar="RESULTS", help="folder of a finished reproduction of this plan")
    options = parser.parse_args()
    runs = json.loads(options.plan.read_text())
    if options.check:
        for run in runs:
            seconds = measured(options.check, run)
            if seconds is None:
                raise SystemExit(f"cluster_scaling.py: {options.check} has no finished run {run['id']} ({run['title']})")
            run["seconds"] = seconds
    total = sum(run["seconds"] * run["threads"] * run["ranks"] for run in runs)
    longest = max(runs, key=lambda run: run["seconds"])
    print(f"{len(runs)} runs, {time_text(total)} on one core; the longest, {longest['title']}: {time_text(longest['seconds'])}\n")
    print("| cores | time | speed-up | efficiency | runs at once | beats a second | checkpoints a second |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for cores in options.cores:
        seconds, at_once = makespan(runs, cores)
        speedup = total / seconds
        print(
            f"| {cores:,} | {time_text(seconds)} | {speedup:.1f} | {speedup / cores:.2f} | {at_once} | {at_once / BEAT:.1f} | "
            f"{at_once / CHECKPOINT:.1f} |"
        )


if __name__ == "__main__":
    main()
