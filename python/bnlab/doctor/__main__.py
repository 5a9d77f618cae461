"""python -m bnlab.doctor package.module:build_model --loader package.module:loader

Exit status: 0 nothing but notes, 3 errors or warnings, 2 wrong usage or the model could not be run, 130 Ctrl-C.
"""
import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

import torch

from bnlab import doctor


def _named(text: str) -> Any:
    """package.module:name, called if it is a function."""
    module, colon, name = text.partition(":")
    if not colon or not module or not name:
        raise _Usage(f"expected package.module:name, got {text!r}")
    try:
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise _Usage(f"{text}: {error}") from error
    return found


class _Usage(Exception):
    """What the caller can correct."""


def _model(text: str) -> torch.nn.Module:
    found = _named(text)
    model = found if isinstance(found, torch.nn.Module) else found()
    if not isinstance(model, torch.nn.Module):
        raise _Usage(f"{text} gives no torch.nn.Module but {type(model).__name__}")
    return model


def _loader(text: str) -> Any:
    found = _named(text)
    return found() if callable(found) and not hasattr(found, "__iter__") else found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bnlab.doctor", description="What is wrong with a model's batch normalization.",
        epilog="example: python -m bnlab.doctor shop.models:build --loader shop.data:train_loader --batches 50",
    )  # fmt: skip
    parser.add_argument("model", help="package.module:function that builds the model, with its weights")
    parser.add_argument("--loader", help="package.module:loader, an iterable of batches or a function that makes one")
    parser.add_argument("--loss", help="package.module:loss(output, target)")
    parser.add_argument("--optimizer", help="package.module:function(model) that makes the optimizer")
    parser.add_argument("--steps", type=int, default=0, help="training steps on a copy of the model")
    parser.add_argument("--batches", type=int, help="only the first so many batches")
    parser.add_argument("--donor", help="package.module:function that builds the model whose parameters were averaged")
    parser.add_argument("--reference", help="package.module:function that builds the model before folding or quantization")
    parser.add_argument("--mask", help="package.module:mask(batch), True where data are no padding")
    parser.add_argument("--source", help="package.module:source(batch), the label or labels of where samples are from")
    parser.add_argument("--contrastive", action="store_true", help="the loss is over two views of each sample")
    parser.add_argument("--format", choices=("text", "json", "sarif", "html"), default="text")
    parser.add_argument("--out", help="file for the report; standard output without it")
    parser.add_argument("--baseline", help="file with known findings, which are not named again")
    parser.add_argument("--write-baseline", metavar="FILE", help="accept what is found now: write it to that file")
    return parser


def _examine(options: argparse.Namespace) -> int:
    model = _model(options.model)
    report = doctor(
        model,
        None if options.loader is None else _loader(options.loader),
        None if options.loss is None else _named(options.loss),
        None if options.optimizer is None else _named(options.optimizer)(model),
        options.steps,
        batches=options.batches,
        donor=None if options.donor is None else _model(options.donor),
        reference=None if options.reference is None else _model(options.reference),
        mask=None if options.mask is None else _named(options.mask),
        source=None if options.source is None else _named(options.source),
        contrastive=options.contrastive,
        baseline=options.baseline,
    )
    writers = {"text": report.__str__, "json": report.to_json, "sarif": report.to_sarif, "html": report.to_html}
    text = writers[options.format]()
    if options.out is None:
        print(text)
    else:
        Path(options.out).write_text(text + "\n")
    if options.write_baseline is not None:
        Path(options.write_baseline).write_text(report.to_baseline() + "\n")
        return 0
    return report.exit_code


def main(arguments=None) -> int:
    options = _parser().parse_args(arguments)
    sys.path.insert(0, "")
    try:
        return _examine(options)
    except KeyboardInterrupt:
        return 130
    except _Usage as error:
        print(f"bnlab.doctor: {error}", file=sys.stderr)
    except Exception as error:
        text = str(error) or type(error).__name__
        print(text if text.startswith("bnlab.doctor: ") else f"bnlab.doctor: {type(error).__name__}: {text}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
