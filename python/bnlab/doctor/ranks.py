"""Running statistics of all ranks of a distributed run, or of the state_dicts that they stored.

Ranks exchange theirs through the process group's store, not by a collective: whoever waits stops after a time, a rank that
fails can say so, and nothing is left behind in which a later collective could hang.
"""
import array
import datetime
import json
from collections.abc import Mapping
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

from bnlab._library import first_line
from bnlab.doctor import passes
from bnlab.doctor.batches import WrongArgument
from bnlab.doctor.facts import number, numbers
from bnlab.doctor.state import has_statistics, scratch
from bnlab.modules import eps_of

PATIENCE = 60.0  # seconds for which a rank waits for the others
_calls = [0]  # those that all ranks came to


class NoRanks(RuntimeError):
    """Why ranks cannot be compared: a sentence for the report."""


class Gathered(NamedTuple):
    """(mean, variance) of each rank by layer, in double."""

    own: Optional[int]
    count: int
    statistics: Dict[nn.Module, List[Tuple[Tensor, Tensor]]]


def check(ranks: Any) -> None:
    """WrongArgument unless ranks is True inside a process group, or a list of state_dicts."""
    if ranks is True:
        if not (dist.is_available() and dist.is_initialized()):
            raise WrongArgument(
                "bnlab.doctor: ranks=True compares the ranks of torch.distributed, which is not initialized; call "
                "init_process_group() first, or give a list of the ranks' state_dicts."
            )
    elif not (isinstance(ranks, (list, tuple)) and all(isinstance(each, Mapping) for each in ranks)):
        raise WrongArgument("bnlab.doctor: expected ranks to be True or a list of state_dicts.")


def why_none() -> str:
    several = dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
    return "ranks=True was not given, which takes a call on every rank" if several else (
        "no ranks were given; call it on every rank with ranks=True, or give their state_dicts"
    )  # fmt: skip


def _exchanged(header: Dict[str, Any], values: List[float]) -> List[Tuple[Dict[str, Any], List[float]]]:
    """What each rank said in its call of this number. NoRanks if one does not come."""
    store = dist.distributed_c10d._get_default_store()
    own, count, call = dist.get_rank(), dist.get_world_size(), _calls[0]

    def key(rank: int, number: int) -> str:
        return f"bnlab_doctor/{number}/{rank}"

    if call >= 2:
        store.delete_key(key(own, call - 2))  # all have read it: they have been in the call after it
    store.set(key(own, call), json.dumps(header).encode() + b"\n" + array.array("d", values).tobytes())
    said = []
    end = datetime.datetime.now() + datetime.timedelta(seconds=PATIENCE)
    for rank in range(count):
        try:
            rest = end - datetime.datetime.now()
            store.wait([key(rank, call)], max(rest, datetime.timedelta(milliseconds=10)))
        except RuntimeError as error:  # DistStoreError, where PyTorch has it, is one too
            store.delete_key(key(own, call))
            raise NoRanks(
                f"rank {rank} did not come within {PATIENCE:g} seconds; every rank must call the doctor with ranks=True"
            ) from error
        head, _, body = store.get(key(rank, call)).partition(b"\n")
        said.append((json.loads(head), array.array("d", body).tolist()))
    _calls[0] += 1
    return said


def tell_failed(error: BaseException) -> None:
    """To the other ranks, so that they do not wait for this one, which raises the error."""
    try:
        store = dist.distributed_c10d._get_default_store()
        header = {"error": f"{type(error).__name__}: {first_line(error)}"}
        store.set(f"bnlab_doctor/{_calls[0]}/{dist.get_rank()}", json.dumps(header).encode() + b"\n")
        _calls[0] += 1
    except Exception:
        pass  # the error itself is the one to be heard of


def _of_all_ranks(found: Any, layers: List[nn.Module]) -> Gathered:
    if dist.get_world_size() < 2:
        raise NoRanks("there is one rank")
    header = {"layers": [[found.names[layer], layer.num_features] for layer in layers]}
    buffers = [buffer.detach().double().cpu() for layer in layers for buffer in (layer.running_mean, layer.running_var)]
    values = torch.cat(buffers).tolist() if buffers else []
    said = _exchanged(header, values)
    for rank, (other, _) in enumerate(said):
        if "error" in other:
            raise NoRanks(f"rank {rank} stopped with an error before ({other['error']})")
        if other != header:
            raise NoRanks(f"rank {rank} has a model of other batch normalization layers")
    statistics: Dict[nn.Module, List[Tuple[Tensor, Tensor]]] = {}
    parts = [torch.tensor(theirs, dtype=torch.float64).split([2 * layer.num_features for layer in layers]) for _, theirs in said]
    for index, layer in enumerate(layers):
        statistics[layer] = [tuple(own[index].split(layer.num_features)) for own in parts]
    return Gathered(dist.get_rank(), len(said), statistics)


def _of_states(found: Any, layers: List[nn.Module], states: List[Mapping]) -> Gathered:
    statistics: Dict[nn.Module, List[Tuple[Tensor, Tensor]]] = {layer: [] for layer in layers}
    for index, state in enumerate(states):
        plain = {key[len("module."):] if key.startswith("module.") else key: value for key, value in state.items()}
        for layer in layers:
            pair = []
            for buffer in ("running_mean", "running_var"):
                key = buffer if layer is found.model else f"{found.names[layer]}.{buffer}"
                value = state.get(key, plain.get(key))
                if not isinstance(value, Tensor) or value.shape != (layer.num_features,):
                    raise WrongArgument(f"bnlab.doctor: ranks[{index}] has no {key} of the model's size.")
                pair.append(value.detach().double().cpu())
            statistics[layer].append(tuple(pair))
    return Gathered(None, len(states), statistics)


def gather(found: Any, ranks: Any) -> Optional[Gathered]:
    """None, with the reason in found.missing, if there is nothing to compare."""
    layers = [layer for layer in found.names if has_statistics(layer)]
    if ranks is not True:
        return _of_states(found, layers, ranks)
    try:
        return _of_all_ranks(found, layers)
    except NoRanks as error:
        found.miss("ranks", str(error))
        return None


def _merged(pairs: List[Tuple[Tensor, Tensor]]) -> Tuple[Tensor, Tensor]:
    """The mean and variance of all ranks' data together, as if each had as many."""
    means, variances = torch.stack([mean for mean, _ in pairs]), torch.stack([variance for _, variance in pairs])
    return means.mean(0), variances.mean(0) + means.var(0, unbiased=False)


def _distance(pair: Tuple[Tensor, Tensor], of_all: Tuple[Tensor, Tensor], eps: float) -> float:
    """In deviations, as departure.h measures it."""
    (mean, variance), (all_mean, all_variance) = pair, of_all
    scale = all_variance + eps
    squares = (mean - all_mean) ** 2 / scale + (((variance + eps) / scale).log() / 2) ** 2
    distance = float(squares.mean().sqrt())
    return distance if distance == distance else float("inf")


def compare(found: Any, gathered: Gathered) -> None:
    """Distances between ranks, and, inside state.as_found() with losses, the loss by the statistics of all together."""
    merged = {layer: _merged(pairs) for layer, pairs in gathered.statistics.items()}
    for layer, pairs in gathered.statistics.items():
        found.more_of[layer]["ranks"] = [number(_distance(pair, merged[layer], eps_of(layer))) for pair in pairs]
    found.more["ranks"] = {"count": gathered.count}
    if gathered.own is not None:
        found.more["ranks"]["own"] = gathered.own
    if found.running is not None and found.running.has_losses:
        with scratch(list(merged), merged):
            found.more["ranks"]["merged"] = numbers(passes.run(found.source, found.source, found.loss).losses)
