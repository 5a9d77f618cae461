#!/usr/bin/env python3
"""Checks the direction of includes between the modules of src/bnlab.

A module is a folder of src/bnlab; ALLOWED says which others it may include. Run it from anywhere:

    python3 tools/check_includes.py

Exit status 0 if every include is allowed and no files include each other in a circle, 1 otherwise.
"""
import pathlib
import re
import sys

MODULES = ["kernels", "ops", "nn", "ranks", "record", "data", "numerics", "train", "probes", "analyses", "runs", "charts", "study",
           "experiments", "bench", "launch", "report", "serve", "explain", "doctor", "model_files",
           "torchscript"]

# What each module may include beside its own files.
ALLOWED = {
    "kernels": [],
    "ops": ["kernels"],
    "nn": ["ops", "kernels", "record"],
    "ranks": ["nn"],
    "record": [],
    "data": ["record"],
    "numerics": ["nn", "data", "record", "ops"],
    "train": ["ranks", "nn", "data", "record", "ops"],
    "probes": ["numerics", "train", "nn", "data", "record", "ops"],
    "analyses": ["numerics", "train", "nn", "data", "record", "ops"],
    "runs": ["probes", "analyses", "train", "nn", "data", "record", "ops"],
    "charts": ["record"],
    "study": ["charts", "runs", "train", "nn", "data", "record"],
    "experiments": ["study", "charts", "runs", "train", "nn", "data", "record"],
    "bench": ["charts", "kernels", "ops", "record"],
    "launch": ["record"],
    "report": ["record"],
    "serve": ["record"],
    "explain": ["record", "report"],
    "doctor": ["record"],
    "model_files": ["doctor", "record"],
    "torchscript": ["model_files", "doctor", "record", "ops", "kernels"],
    "cli": MODULES,
}

# Modules that are built without libtorch.
WITHOUT_TORCH = ["kernels", "record", "charts", "launch", "report", "serve", "explain", "doctor", "model_files"]

GENERATED = ["bnlab/version.h", "bnlab/shape_lists.h"]  # by cmake/; every module may include them

SOURCES = pathlib.Path(__file__).resolve().parent.parent / "src"
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]')
TORCH = re.compile(r"^(torch|ATen|c10|caffe2)/")


def module_of(path):
    """The module of "bnlab/MODULE/…", or "" for a file that lies in none."""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else ""


def includes_of(path):
    """(line number, included path) of every include in the file, in order."""
    lines = (SOURCES / path).read_text(encoding="utf-8").splitlines()
    found = ((number, INCLUDE.match(line)) for number, line in enumerate(lines, 1))
    return [(number, match[2]) for number, match in found if match]


def listing(names):
    return ", ".join(names) if names else "none"


def problem_of(path, included, known):
    """What is wrong with one include, or None."""
    module = module_of(path)
    if TORCH.match(included):
        return f"{module} must not include libtorch's <{included}>" if module in WITHOUT_TORCH else None
    if not included.startswith("bnlab/") or included in GENERATED:
        return None
    if included not in known:
        return f'there is no "{included}"'
    other = module_of(included)
    if other == module or other in ALLOWED[module]:
        return None
    return f"{module} must not include {other} (allowed: {listing(ALLOWED[module])})"


def find_cycle(graph):
    """A list of nodes of which each leads to the next and the last is the first, or None. graph: node -> nodes."""
    done, trail = set(), []

    def walk(node):
        if node in trail:
            return trail[trail.index(node):] + [node]
        if node in done:
            return None
        trail.append(node)
        for after in graph[node]:
            cycle = walk(after)
            if cycle:
                return cycle
        trail.pop()
        done.add(node)
        return None

    for node in graph:
        cycle = walk(node)
        if cycle:
            return cycle
    return None


def check(files):
    """All problems, as lines "file:line: …"."""
    problems, graph = [], {}
    for path in files:
        graph[path] = []
        if module_of(path) not in ALLOWED:
            problems.append(f"src/{path}:1: its folder is no module; known: {listing(ALLOWED)}")
            continue
        for number, included in includes_of(path):
            problem = problem_of(path, included, files)
            if problem:
                problems.append(f"src/{path}:{number}: {problem}")
            if included in files:
                graph[path].append(included)
    cycle = find_cycle(graph)
    if cycle:
        problems.append(f"src/{cycle[0]}:1: files include each other: {' -> '.join(cycle)}")
    return problems


def main():
    cycle = find_cycle(ALLOWED)
    if cycle:
        print(f"tools/check_includes.py: the table ALLOWED is circular: {' -> '.join(cycle)}")
        return 1
    found = sorted(path for path in (SOURCES / "bnlab").rglob("*") if path.suffix in (".h", ".cpp"))
    files = {path.relative_to(SOURCES).as_posix(): None for path in found}
    if not files:
        print(f"tools/check_includes.py: no source files under {SOURCES / 'bnlab'}")
        return 1
    problems = check(files)
    for problem in problems:
        print(problem)
    if problems:
        return 1
    print(f"{len(files)} files, include directions hold")
    return 0


if __name__ == "__main__":
    sys.exit(main())
