"""The loss by which damage is measured: the given one, the model's own, or a cross-entropy where that fits."""
from collections.abc import Mapping
from typing import Any, Callable, Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bnlab.doctor.batches import first_tensor

_LOG_LIKELIHOODS = (
    nn.CrossEntropyLoss, nn.NLLLoss, nn.BCELoss, nn.BCEWithLogitsLoss, F.cross_entropy, F.nll_loss, F.binary_cross_entropy,
    F.binary_cross_entropy_with_logits,
)  # fmt: skip


def main_output(output: Any) -> Optional[Tensor]:
    """The tensor of an output that is looked at: logits where they have that name, else the first."""
    for key in ("logits", "out"):
        if isinstance(output, Mapping) and key in output:
            return first_tensor(output[key])
        if not isinstance(output, Tensor) and isinstance(getattr(output, key, None), Tensor):
            return getattr(output, key)
    return first_tensor(output)


class Loss:
    """The loss of a batch as a number, or None if there is none. `kind` says which; `scale` what counts as large."""

    def __init__(self, given: Optional[Callable]) -> None:
        self._given = given
        self.kind = "" if given is None else getattr(given, "__name__", type(given).__name__)
        is_log = given is None or any(
            isinstance(given, kind) if isinstance(kind, type) else given is kind for kind in _LOG_LIKELIHOODS
        )
        self.scale = 1.0 if is_log else None

    def tensor(self, output: Any, target: Any) -> Optional[Tensor]:
        if self._given is not None:
            value = self._given(output) if target is None else self._given(output, target)
            return value if isinstance(value, Tensor) else torch.as_tensor(float(value))
        own = output.get("loss") if isinstance(output, Mapping) else getattr(output, "loss", None)
        if isinstance(own, Tensor):
            self.kind = "the model's own loss"
            return own
        scores = main_output(output)
        if not isinstance(scores, Tensor) or not isinstance(target, Tensor) or scores.dim() < 2:
            return None
        if target.is_floating_point() or target.is_complex() or target.dtype == torch.bool:
            return None
        if target.shape != scores.shape[:1] + scores.shape[2:]:
            return None
        self.kind = "cross-entropy"
        return F.cross_entropy(scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores, target)

    def __call__(self, output: Any, target: Any) -> Optional[float]:
        value = self.tensor(output, target)
        return None if value is None else float(value.detach().double().mean())
