"""Faults of the form in which a model is given: N23 (a file exported in training mode), N25 (channels-last order)."""
import copy
import json
import os
import pathlib
import subprocess
import tempfile
import types
import warnings

import bnlab
import torch
from bnlab import _library
from torch import nn

from yardstick import truth
from yardstick.case import NOTE, WARNING, Case
from yardstick.data import batches
from yardstick.faults.common import kind_of, log_uniform, pick, some
from yardstick.topologies import norms, producer_of

BUILD = os.environ.get("BNLAB_BUILD_DIR") or pathlib.Path(_library._find()).parent
PROGRAM = pathlib.Path(os.environ.get("BNLAB_PROGRAM") or pathlib.Path(BUILD) / "bnlab")
HAS_ONNX = tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 6)  # without the package onnx


def export(model, x, kind, path):
    """As TorchScript, or as ONNX (in later versions of PyTorch, .pt2), in the modes that the layers have."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "TorchScript":
            torch.jit.trace(model, x, check_trace=False).save(path)
        elif HAS_ONNX:
            torch.onnx.export(model, x, path, opset_version=14, do_constant_folding=False,
                              training=torch.onnx.TrainingMode.PRESERVE)  # fmt: skip
        else:
            torch.export.save(torch.export.export(model, (x,)), path)


def examine_file(path):
    """What `bnlab doctor` says of a file."""
    if not PROGRAM.exists():
        raise RuntimeError(f"N23 needs bnlab, the program, at {PROGRAM}; build it: cmake --build build --target bnlab")
    done = subprocess.run([str(PROGRAM), "doctor", str(path), "--format", "json"], capture_output=True, text=True)
    if done.returncode not in (0, 3):
        raise RuntimeError(f"bnlab doctor: {done.stderr}")
    return types.SimpleNamespace(findings=[types.SimpleNamespace(**each) for each in json.loads(done.stdout)["findings"]])


def n23(base, u, generator):
    """Exported with layers, or a dropout, in training mode; the weakest in evaluation mode throughout. Harm is that of
    batches of the size in which the file is used."""
    model, size = base.copy(), int(log_uniform(u, 256, 4))
    kind = ("TorchScript", "ONNX")[kind_of(base, 2)]
    layers, first, p = [], [""], 0.0
    if u >= 1 / 6 and kind_of(base, 3) == 0:
        dropouts = [module for module in model.modules() if isinstance(module, nn.Dropout)]
        dropout, p = dropouts[int(torch.randint(len(dropouts), (), generator=generator))], log_uniform(u, 0.02, 0.9)
        dropout.p = p
        dropout.train()
    elif u >= 1 / 6:
        layers = some(base, u, generator)
        first = layers[:1]
        for name in layers:
            norms(model)[name].train()
    what = f"a dropout with p = {p:.2g}" if p else f"{len(layers)} layers"

    def look(model):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/model.{'pt' if kind == 'TorchScript' else 'onnx' if HAS_ONNX else 'pt2'}"
            export(copy.deepcopy(model), base.data.seen[0][:8], kind, path)
            return examine_file(path)

    def in_evaluation_mode(report):
        return look(base.copy())

    torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))  # dropout's
    case = Case(base, model, layers, f"{kind}, {what} in training mode, used on batches of {size}", first=first,
                needs=WARNING if layers or p else None, mend=in_evaluation_mode,
                faulty=truth.loss_of(model, base.data.held_out, size), sound=base.running_loss)  # fmt: skip
    case.examine = lambda: look(model)
    return case


def is_channels_last(x):
    return x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def wrong_by(layer, x):
    """Root mean square error of the outputs by the batch's own statistics, in their deviation, against double."""
    right = copy.deepcopy(layer).double().train()(x.double().contiguous())
    return float((copy.deepcopy(layer).train()(x).double() - right).square().mean().sqrt() / right.std())


def n25(base, u, generator):
    """Inputs far from 0 in channels-last order: a large bias in front, which the running mean takes away again. Harm is
    that of training, where statistics are the batch's: against contiguous order. Only where layers have positions."""
    if base.topology == "mlp":
        return None
    model, ratio = base.copy().to(memory_format=torch.channels_last), log_uniform(u, 300, 1e6)
    seen = {}
    with truth.looking(model, lambda name, x: seen.setdefault(name, x)):
        model(base.data.seen[0][:64].contiguous(memory_format=torch.channels_last))
    (name,) = pick([name for name in base.order if is_channels_last(seen[name]) and producer_of(model, name)], 1, generator)
    layer = norms(model)[name]
    bias = ratio * (layer.running_var + layer.eps).sqrt()
    producer_of(model, name).bias = nn.Parameter(bias.clone())
    layer.running_mean += bias
    seen.clear()
    with truth.looking(model, lambda name, x: seen.setdefault(name, x)):
        model(base.data.seen[0][:64])
    wrong = wrong_by(layer, seen[name])
    contiguous = copy.deepcopy(model).to(memory_format=torch.contiguous_format)
    loader = [(x.contiguous(memory_format=torch.channels_last), y) for x, y in base.loader]
    held_out = [base.data.held_out[0].contiguous(memory_format=torch.channels_last), base.data.held_out[1]]

    def convert(report):
        return bnlab.doctor(bnlab.convert(copy.deepcopy(model)), loader)

    return Case(base, model, [name], f"|mean| {ratio:.2g} deviations, outputs wrong by {wrong:.2g}", loader=loader,
                needs=None if wrong <= 0.01 else NOTE, mend=convert,
                faulty=truth.loss_over(copy.deepcopy(model).train(), batches(held_out, 64)),
                sound=truth.loss_over(contiguous.train(), batches(base.data.held_out, 64)))  # fmt: skip
