"""Compiles the C++ of docs/how-to-add.md, so that its skeletons fit the code of today.

Usage: how_to_add.py SOURCE_FOLDER BUILD_FOLDER WORK_FOLDER

A block that begins its own header (`#pragma once`) is written to the file that the table before it calls new; all others
are compiled as one file, syntax only, with the flags of the module `probes`.
"""
import json
import pathlib
import re
import shlex
import subprocess
import sys

# What a block without includes of its own stands in.
INSIDE = {
    "OptimizerKind adagrad()": '#include "bnlab/train/optimizer_list.cpp"\n#include <torch/optim/adagrad.h>\n',
    "KnownDataset kuzushiji()": '#include "bnlab/data/dataset_list.h"\n',
}
LEAST_BLOCKS = 10


def blocks_of(text):
    """(new header named before it or None, code) of every C++ block."""
    header = None
    for match in re.finditer(r"`src/(bnlab/\S+\.h)`[^\n]*\| new|```cpp\n(.*?)```", text, re.S):
        if match.group(1):
            header = match.group(1)
        else:
            yield header, match.group(2)


def unit_of(text, work):
    """Writes the headers under `work`; returns the rest as one file and the number of blocks."""
    unit, count = "", 0
    for header, code in blocks_of(text):
        if code.lstrip().startswith("static const"):  # a changed line of a function that is there
            continue
        count += 1
        if "#pragma once" in code:
            path = work / header
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(code)
        elif "#include" in code:
            unit += code
        else:
            around = [includes for start, includes in INSIDE.items() if start in code]
            if not around:
                sys.exit("docs/how-to-add.md: a block has no includes and is not known here:\n" + code)
            unit += f"{around[0]}namespace bnlab {{\n{code}}}\n"
    return unit, count


def flags_of(build):
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if "bnlab_probes.dir" in entry["command"]:
            words = shlex.split(entry["command"])
            first = next(i for i, word in enumerate(words) if re.search(r"(\+\+|clang|gcc)[-\d.]*$", word))
            flags = words[first:words.index("-o")]
            return entry["directory"], [flag for flag in flags if flag != "-Werror"]
    sys.exit("compile_commands.json has no file of the module probes")


def main():
    source, build, work = map(pathlib.Path, sys.argv[1:])
    unit, count = unit_of((source / "docs/how-to-add.md").read_text(), work)
    if count < LEAST_BLOCKS:
        sys.exit(f"docs/how-to-add.md: expected at least {LEAST_BLOCKS} blocks of C++, found {count}")
    file = work / "how_to_add.cpp"
    file.write_text(unit)
    directory, flags = flags_of(build)
    sys.exit(subprocess.run([*flags, f"-I{work}", "-fsyntax-only", str(file)], cwd=directory).returncode)


main()
