"""Repairs of a model, each measured before and after, and taken back where it makes things worse."""
import math
from typing import Any, Callable, Dict, List, Optional

import torch
from torch import nn

from bnlab import modules
from bnlab.doctor import collect, folding, passes
from bnlab.doctor.state import as_found, has_statistics, scratch, uninterrupted

_TOLERATED = 0.005  # of the loss's scale: what a repair may cost
_FOLD_TOLERANCE = 1e-3  # of the outputs' deviation


class Losses(dict):
    """running, batch, exact: means over all samples, NaN where not measured."""

    def __str__(self) -> str:
        return ", ".join(f"{name} {value:.4g}" for name, value in self.items() if value == value) or "not measured"


class Repair:
    """What a repair did. undone: it made things worse, and the model is as it was; why says by what."""

    def __init__(self, name: str, layers: List[str], before: Losses, after: Losses, difference: Optional[float],
                 undone: bool, why: str = "") -> None:  # fmt: skip
        self.name, self.layers, self.before, self.after = name, layers, before, after
        self.output_difference = difference  # largest, in deviations of the outputs; None without outputs
        self.undone, self.why = undone, why

    def __str__(self) -> str:
        difference = "not measured" if self.output_difference is None else f"{self.output_difference:.3g}"
        end = f"\nUndone: {self.why}" if self.undone else f"\n{self.why}" if self.why else ""
        return (
            f"{self.name}: {len(self.layers)} layers\nloss before: {self.before}\nloss after: {self.after}\n"
            f"largest difference of outputs, in deviations: {difference}{end}"
        )

    __repr__ = __str__


class _State:
    def __init__(self, found: Any) -> None:
        self.running = passes.run(found.source, found.source, found.loss)
        self.batch = self.exact = None
        try:
            with scratch([layer for layer in found.layers if _is_in(found.model, layer)], training=True):
                self.batch = passes.run(found.source, found.source, found.loss)
        except Exception:
            pass  # too few values a channel: that loss stays unknown

    def losses(self) -> Losses:
        return Losses((name, passes.mean_loss(getattr(self, name))) for name in ("running", "batch", "exact"))


def _is_in(model: nn.Module, layer: nn.Module) -> bool:
    return any(module is layer for module in model.modules())


class Repairs:
    """The methods of a report that change the model. Each returns a Repair, and measures: losses by running, batch and
    exact statistics, and how far outputs move. force: keep it, even if it makes the loss worse."""

    def __init__(self, collected: Any) -> None:
        self._found = collected

    def recalibrate(self, *, force: bool = False) -> Repair:
        """Running statistics become exact: those of the whole loader, each layer's with exact ones before it, merged in
        double; so batch size and order do not matter. momentum=None layers count the loader's batches as seen."""
        found = self._need_loader("recalibrate")
        with as_found(found.model, found.source.loader):
            if found.exact is None:
                collect.measure_exact(found)
            if found.exact is None:
                why = next(each["why"] for each in found.missing if each["what"] == "exact")
                raise RuntimeError(f"bnlab.doctor: the exact statistics could not be taken: {why}.")
            if any(not bool(torch.isfinite(value).all()) for pair in found.exact.values().values() for value in pair):
                raise RuntimeError(
                    "bnlab.doctor: the inputs of a layer are not finite on this data, so exact statistics are not either; "
                    "mend the parameters or the data first."
                )
        values = found.exact.values()
        layers = [layer for layer in values if has_statistics(layer)]

        def change() -> Callable[[], None]:
            saved = [(buffer, buffer.clone()) for layer in layers for buffer in layer.buffers(recurse=False)]
            for layer in layers:
                mean, variance = values[layer]
                layer.running_mean.copy_(mean)
                layer.running_var.copy_(variance)
                if layer.num_batches_tracked is not None and int(layer.num_batches_tracked) == 0:
                    layer.num_batches_tracked.fill_(found.exact.statistics[layer].batches)
                if isinstance(layer, modules._Norm):
                    layer._empty_window()
            return lambda: _put_back(saved)

        return self._measured("recalibrate", layers, change, force, exact=found.by_exact)

    def freeze(self, layers: Optional[List[str]] = None, *, force: bool = False) -> Repair:
        """These layers (all, if not named) normalize by their running statistics from now on, also after model.train(),
        and their gamma and beta do not train."""
        chosen = [layer for layer in self._chosen(layers) if has_statistics(layer)]

        def change() -> Callable[[], None]:
            saved = [(layer, layer.training, [(p, p.requires_grad) for p in layer.parameters(recurse=False)]) for layer in chosen]
            handles = []
            for layer in chosen:
                layer.eval()
                for parameter in layer.parameters(recurse=False):
                    parameter.requires_grad_(False)
                if stay_frozen not in layer._forward_pre_hooks.values():
                    handles.append(layer.register_forward_pre_hook(stay_frozen))

            def undo() -> None:
                for handle in handles:
                    handle.remove()
                for layer, training, parameters in saved:
                    layer.training = training
                    for parameter, wanted in parameters:
                        parameter.requires_grad_(wanted)

            return undo

        return self._measured("freeze", chosen, change, force)

    def set_momentum(self, momentum: Optional[float] = None, layers: Optional[List[str]] = None, *,
                     recalibrate: bool = True, force: bool = False) -> Repair:  # fmt: skip
        """Another momentum, without one 1 - m where m >= 0.5 (0.1 for 1) and nothing elsewhere; the statistics that the
        old one left are then taken again, unless recalibrate=False."""
        wanted = {}
        for layer in self._chosen(layers):
            if momentum is not None:
                wanted[layer] = momentum
            elif layer.momentum is not None and layer.momentum >= 0.5:
                wanted[layer] = 1 - layer.momentum if layer.momentum < 1 else 0.1
        if momentum is not None and not 0 <= momentum <= 1:
            raise ValueError(f"bnlab.doctor: expected 0 <= momentum <= 1, got {momentum}.")
        before = {layer: layer.momentum for layer in wanted}
        for layer, value in wanted.items():
            layer.momentum = value
        names = [self._found.names[layer] for layer in wanted]
        if not recalibrate or not wanted or self._found.source is None:
            return Repair("set_momentum", names, Losses(), Losses(), None, False, "Outputs are as before.")
        result = self.recalibrate(force=force)
        if result.undone:
            for layer, value in before.items():
                layer.momentum = value
        return Repair("set_momentum", names, result.before, result.after, result.output_difference, result.undone, result.why)

    def fold(self, *, force: bool = False) -> Repair:
        """Batch normalization directly behind a convolution or a linear layer goes into its weight and bias, in place;
        an nn.Identity stands where it was. For models that only evaluate: running statistics become constants."""
        found = self._need_loader("fold")
        pairs = folding.pairs(found)
        result = self._measured(
            "fold", [pair.norm for pair in pairs], lambda: folding.fold(pairs), force, outputs_stay=True
        )
        if not pairs:
            result.why = "No batch normalization stands directly behind a convolution or linear layer."
        return result

    def _need_loader(self, what: str) -> Any:
        if self._found.source is None:
            raise ValueError(f"bnlab.doctor: {what}() needs data; give the doctor a loader.")
        return self._found

    def _chosen(self, names: Optional[List[str]]) -> List[nn.Module]:
        by_name: Dict[str, nn.Module] = {name: layer for layer, name in self._found.names.items()}
        if names is None:
            return list(by_name.values())
        unknown = [name for name in names if name not in by_name]
        if unknown:
            raise ValueError(f"bnlab.doctor: {unknown[0]} is no batch normalization layer of this model.")
        return [by_name[name] for name in names]

    def _measured(self, name: str, layers: List[nn.Module], change: Callable[[], Callable[[], None]], force: bool,
                  exact: Any = None, outputs_stay: bool = False) -> Repair:  # fmt: skip
        found = self._found
        names = [found.names[layer] for layer in layers]
        if found.source is None:
            with torch.no_grad():
                change()
            return Repair(name, names, Losses(), Losses(), None, False, "Not measured: no loader was given.")
        with as_found(found.model, found.source.loader):
            before = _State(found)
        with torch.no_grad(), uninterrupted():
            undo = change()
        try:
            with as_found(found.model, found.source.loader):
                after = _State(found)
        except BaseException:
            with torch.no_grad(), uninterrupted():
                undo()
            raise
        before.exact = after.exact = exact
        difference = passes.largest_difference(before.running, after.running)
        why = "" if force else self._worse(before.losses(), after.losses(), difference, outputs_stay)
        if why:
            with torch.no_grad(), uninterrupted():
                undo()
        return Repair(name, names, before.losses(), after.losses(), difference, bool(why), why)

    def _worse(self, before: Losses, after: Losses, difference: Optional[float], outputs_stay: bool) -> str:
        allowed = _TOLERATED * self._found.loss_scale()
        known = not math.isnan(before["running"])
        if known and not after["running"] <= before["running"] + allowed:
            return f"the loss would go from {before['running']:.4g} to {after['running']:.4g}; force=True keeps it"
        if outputs_stay and difference is not None and not difference <= _FOLD_TOLERANCE:
            return f"outputs would change by {difference:.3g} deviations; force=True keeps it"
        return ""


def stay_frozen(layer: nn.Module, args) -> None:
    """A hook of frozen layers: model.train() does not thaw them."""
    layer.training = False


def _put_back(saved: List) -> None:
    for buffer, values in saved:
        buffer.copy_(values)
