"""torch.nn's batch normalization layers over bnlab's operators, alone and fused with what follows them.

Each is a torch.nn.BatchNormNd (isinstance holds) with the same arguments, parameters, buffers and state_dict.
"""
import os
from typing import Optional

import torch
from torch import Tensor, fx
from torch.nn.modules.batchnorm import _BatchNorm as _TorchBatchNorm

from bnlab.functional import ENDS_RECOMPUTATION, batch_statistics, by_torch, check_enough_values, in_onnx_export

_UNFILLED = -1.0  # in window_var: this slot holds no batch yet

# The current step, a tensor, so that compiled graphs read it; from a random number on, so that no step of another
# process, read from a file, is taken for it.
_step = torch.tensor(int.from_bytes(os.urandom(7), "little"))


def advance_step() -> None:
    """Begins the next step for all layers with once_per_step. Until it is called first, all is one step."""
    _step.add_(1)


def eps_of(layer: _TorchBatchNorm) -> float:
    """The eps of any batch normalization layer, bnlab's fused ones too, which show it to nobody else."""
    return layer._fused_eps if isinstance(layer, _Fused) else layer.eps


def become(layer: _TorchBatchNorm, kind: type) -> None:
    """Makes the layer one of that class, in its place."""
    eps = eps_of(layer)
    for name in ("eps", "_fused_eps"):
        layer.__dict__.pop(name, None)
    layer.__class__ = kind
    layer.eps = eps


def check_options(layer: _TorchBatchNorm, window: int, skip_nonfinite: bool, once_per_step: bool) -> None:
    """ValueError unless the layer's own arguments and these go together."""
    name = type(layer).__name__
    if not eps_of(layer) >= 0:
        raise ValueError(f"{name}: expected eps >= 0, got {eps_of(layer)}.")
    if layer.momentum is not None and not 0 <= layer.momentum <= 1:
        raise ValueError(f"{name}: expected 0 <= momentum <= 1, or None, got {layer.momentum}.")
    if not window >= 0:
        raise ValueError(f"{name}: expected window >= 0, got {window}.")
    if (window or skip_nonfinite or once_per_step) and not layer.track_running_stats:
        raise ValueError(
            f"{name}: window, skip_nonfinite and once_per_step concern running statistics, which this layer does "
            "not track; leave them out, or set track_running_stats=True."
        )


class _Norm(_TorchBatchNorm):
    """What all layers here share.

    Args (the first five, device and dtype as in torch.nn):
        window: K > 0: the running statistics are the mean over the last K batches, whatever the momentum. Ioffe &
            Szegedy 2015, Algorithm 2.
        skip_nonfinite: a batch whose mean or variance is not finite leaves the running statistics alone and is counted
            in the buffer `skipped`.
        once_per_step: the running statistics take at most one batch between two calls of bnlab.advance_step(): for
            gradient accumulation and for checkpointing, which run a layer several times a step. Not in TorchScript.

    The buffers that these options need (window_mean, window_var: (K,C) float64; skipped, last_step: int64) are not in the
    state_dict. Loading one empties the window, as does reset_running_stats().
    """

    __constants__ = _TorchBatchNorm.__constants__ + ["window", "skip_nonfinite", "once_per_step"]
    window: int
    skip_nonfinite: bool
    once_per_step: bool

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: Optional[float] = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device=None,
        dtype=None,
        *,
        window: int = 0,
        skip_nonfinite: bool = False,
        once_per_step: bool = False,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device=device, dtype=dtype)
        self._set_options(window, skip_nonfinite, once_per_step)

    def _set_options(self, window: int, skip_nonfinite: bool, once_per_step: bool) -> None:
        check_options(self, window, skip_nonfinite, once_per_step)
        self.window = window
        self.skip_nonfinite = skip_nonfinite
        self.once_per_step = once_per_step
        window_mean, window_var, skipped, last_step = None, None, None, None
        if window:
            sizes = (window, self.num_features)
            window_mean = torch.zeros(sizes, dtype=torch.float64, device=self.running_mean.device)
            window_var = torch.full(sizes, _UNFILLED, dtype=torch.float64, device=self.running_mean.device)
        if skip_nonfinite:
            skipped = torch.zeros((), dtype=torch.int64, device=self.running_mean.device)
        if once_per_step:
            last_step = torch.full((), -1, dtype=torch.int64, device=self.running_mean.device)
        self.register_buffer("window_mean", window_mean, persistent=False)
        self.register_buffer("window_var", window_var, persistent=False)
        self.register_buffer("skipped", skipped, persistent=False)
        self.register_buffer("last_step", last_step, persistent=False)

    def _empty_window(self) -> None:
        if self._buffers.get("window_var") is not None:
            self.window_var.fill_(_UNFILLED)

    def reset_running_stats(self) -> None:
        super().reset_running_stats()
        self._empty_window()
        if self._buffers.get("skipped") is not None:
            self.skipped.zero_()

    def _load_from_state_dict(self, state_dict, prefix, *args) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        if prefix + "running_mean" in state_dict:
            self._empty_window()

    def __setstate__(self, state) -> None:
        super().__setstate__(state)
        if self._buffers.get("last_step") is not None:
            self.last_step = torch.full_like(self.last_step, -1)  # a copy takes its first batch

    def extra_repr(self) -> str:
        text = (
            f"{self.num_features}, eps={eps_of(self)}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )
        if self.window:
            text += f", window={self.window}"
        if self.skip_nonfinite:
            text += ", skip_nonfinite=True"
        if self.once_per_step:
            text += ", once_per_step=True"
        return text

    def _normalize(self, input: Tensor, addend: Optional[Tensor], relu: bool, eps: float) -> Tensor:
        if not torch.jit.is_scripting():
            if isinstance(input, fx.Proxy):
                return self._in_graph(input, addend)
        self._check_input_dim(input)
        has_statistics = self.running_mean is not None and self.running_var is not None
        if not torch.jit.is_scripting():
            if in_onnx_export():
                mean, var = self.running_mean, self.running_var
                by_batch = self.training or not has_statistics
                return by_torch(input, addend, relu, mean, var, self.weight, self.bias, by_batch, 0.0, eps)
        if not self.training and has_statistics:
            return self._evaluate(input, addend, relu, eps)
        if has_statistics:
            check_enough_values(input, "put this layer into evaluation mode")
        else:
            check_enough_values(
                input,
                "give this layer running statistics: without them (track_running_stats=False) it normalizes by the "
                "batch in evaluation mode too",
            )
        if not torch.jit.is_scripting():
            return self._by_batch(input, addend, relu, eps)
        y, mean, rstd, var_biased, relu_mask = torch.ops.bnlab.batch_norm_training(
            input, self.weight, self.bias, addend, relu, eps, False
        )
        self._track(mean, var_biased, input.numel() // max(1, input.size(1)))
        return y

    @torch.jit.unused
    def _in_graph(self, input: Tensor, addend: Optional[Tensor]) -> Tensor:
        """In a trace of torch.fx, the call of this layer, which it takes for a leaf as it does torch.nn's."""
        arguments = (input,) if addend is None else (input, addend)
        return input.tracer.create_proxy("call_module", input.tracer.path_of_module(self), arguments, {})

    @torch.jit.unused
    def _by_batch(self, input: Tensor, addend: Optional[Tensor], relu: bool, eps: float) -> Tensor:
        try:
            y, mean, _, var_biased, _ = torch.ops.bnlab.batch_norm_training(
                input, self.weight, self.bias, addend, relu, eps, False
            )
        except ENDS_RECOMPUTATION:
            self._track(*batch_statistics(input))
            raise
        self._track(mean, var_biased, input.numel() // max(1, input.size(1)))
        return y

    def _evaluate(self, input: Tensor, addend: Optional[Tensor], relu: bool, eps: float) -> Tensor:
        weight, bias, mean, var = self.weight, self.bias, self.running_mean, self.running_var
        if addend is not None:
            return torch.ops.bnlab.batch_norm_add_relu(input, addend, weight, bias, mean, var, False, 0.0, eps)
        if relu:
            return torch.ops.bnlab.batch_norm_relu(input, weight, bias, mean, var, False, 0.0, eps)
        return torch.ops.bnlab.batch_norm(input, weight, bias, mean, var, False, 0.0, eps)

    def _track(self, mean: Tensor, var_biased: Tensor, count: int) -> None:
        tracks = self.training and self.track_running_stats
        if tracks and self.running_mean is not None and self.running_var is not None:
            torch.ops.bnlab.update_running_statistics(
                mean,
                var_biased,
                count,
                self.momentum,
                self.running_mean,
                self.running_var,
                self.num_batches_tracked,
                self.window_mean,
                self.window_var,
                self.skipped,
                self._current_step(),
                self.last_step,
            )

    def _current_step(self) -> Optional[Tensor]:
        if not self.once_per_step:
            return None
        if torch.jit.is_scripting():
            raise RuntimeError("bnlab: TorchScript cannot train with once_per_step; create the layer without it")
        return self._global_step()

    @torch.jit.unused
    def _global_step(self) -> Tensor:
        return _step


class _Plain(_Norm):
    def forward(self, input: Tensor) -> Tensor:
        return self._normalize(input, None, False, self.eps)


class _Fused(_Norm):
    """A layer that does more than normalize.

    Tools that fold a BatchNorm into its neighbour or replace it (fuse_conv_bn_eval, convert_sync_batchnorm, frozen
    layers of detection libraries) would drop the ReLU without a word. All of them read eps, and tools that only look
    at a layer, train or freeze it do not: so eps can be set here, but not read.
    """

    __constants__ = [name for name in _Norm.__constants__ if name != "eps"] + ["_fused_eps"]
    __jit_unused_properties__ = ["eps"]
    _fused_eps: float

    @property
    def eps(self) -> float:
        raise AttributeError("eps")  # __getattr__ says more

    @eps.setter
    def eps(self, value: float) -> None:
        self._fused_eps = value

    def __getattr__(self, name: str):
        if name == "eps":
            raise AttributeError(
                f"{type(self).__name__} gives its eps to bnlab.eps_of(layer) only: it is also a ReLU, which is lost where"
                " a tool reads eps to fold this layer or to put another in its place. Before that, bnlab.convert_back() "
                "the model, or use BatchNorm and ReLU layers."
            )
        return super().__getattr__(name)


class _Rectified(_Fused):
    def forward(self, input: Tensor) -> Tensor:
        return self._normalize(input, None, True, self._fused_eps)


class _AddedAndRectified(_Fused):
    def forward(self, input: Tensor, addend: Tensor) -> Tensor:
        return self._normalize(input, addend, True, self._fused_eps)


class BatchNorm1d(_Plain, torch.nn.BatchNorm1d):
    """torch.nn.BatchNorm1d: input (N,C) or (N,C,L). Further options: see its base class."""


class BatchNorm2d(_Plain, torch.nn.BatchNorm2d):
    """torch.nn.BatchNorm2d: input (N,C,H,W). Further options: see its base class."""


class BatchNorm3d(_Plain, torch.nn.BatchNorm3d):
    """torch.nn.BatchNorm3d: input (N,C,D,H,W). Further options: see its base class."""


class BatchNormReLU1d(_Rectified, torch.nn.BatchNorm1d):
    """relu(BatchNorm1d(input)) in one pass."""


class BatchNormReLU2d(_Rectified, torch.nn.BatchNorm2d):
    """relu(BatchNorm2d(input)) in one pass."""


class BatchNormReLU3d(_Rectified, torch.nn.BatchNorm3d):
    """relu(BatchNorm3d(input)) in one pass."""


class BatchNormAddReLU1d(_AddedAndRectified, torch.nn.BatchNorm1d):
    """relu(BatchNorm1d(input) + addend) in one pass; addend: input's sizes and type."""


class BatchNormAddReLU2d(_AddedAndRectified, torch.nn.BatchNorm2d):
    """relu(BatchNorm2d(input) + addend) in one pass; addend: input's sizes and type."""


class BatchNormAddReLU3d(_AddedAndRectified, torch.nn.BatchNorm3d):
    """relu(BatchNorm3d(input) + addend) in one pass; addend: input's sizes and type."""


class FusedReLU(torch.nn.Identity):
    """Stands where convert(fuse=True) found a ReLU that the layer before now computes; convert_back() restores it."""

    inplace: bool  # of that ReLU
