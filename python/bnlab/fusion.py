"""What convert(fuse=True) gives a block of layers in place of its forward: the same calls, some computed as one.

A layer is fused where it is called, not in itself: `self.relu(self.bn2(out) + identity)` becomes
`together((self.bn2,), out, (self.relu,), identity)`, which takes one pass where the modules that it gets allow it and
makes the same calls where not (other sizes, hooks, a module replaced since). So a layer or a ReLU that is used
elsewhere too stays what it is there, and tools that fold or replace layers can. A block becomes, in its place, an
instance of a subclass of its class, whose forward is code from its trace (bnlab.tracing), used under the conditions
that held there; under others it is the forward of its class. A subclass, since forward as an attribute of the block
would be lost in its pickles or refer to the original in its copies.
"""
import linecache
import weakref
from typing import NamedTuple, Optional, Set, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules import module as all_modules

from bnlab import functional
from bnlab.modules import _Plain

OUTPUT_HOOKS = ("_forward_hooks", "_backward_hooks", "_backward_pre_hooks")
ALL_HOOKS = OUTPUT_HOOKS + ("_forward_pre_hooks",)


def has_hooks(module: nn.Module, kinds=ALL_HOOKS) -> bool:
    for kind in kinds:
        if getattr(module, kind, None):
            return True
    return False


def is_sequence(module) -> bool:
    """Whether it is an nn.Sequential that calls its entries one after the other."""
    return isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward


# Layers that together() has computed in one pass, if someone wants to know.
fused_layers: Optional[Set[nn.Module]] = None


def _note(layer: nn.Module) -> None:
    if fused_layers is not None:
        fused_layers.add(layer)


def _are_identity_and_relu(between: Tuple, after: Tuple) -> bool:
    if all_modules._global_forward_hooks or all_modules._global_forward_pre_hooks or all_modules._global_backward_hooks:
        return False
    for module in between + after[:-1]:
        if type(module) is not nn.Identity or has_hooks(module):
            return False
    relu = after[-1]
    return relu is None or (type(relu) is nn.ReLU and not has_hooks(relu))


def _called(modules: Tuple, y: Tensor) -> Tensor:
    for module in modules:
        y = torch.relu(y) if module is None else module(y)
    return y


def together(before: Tuple, x: Tensor, after: Tuple, addend=None, added: str = "") -> Tensor:
    """after(before(x)), or after(before(x) + addend): in one pass if it is a bnlab layer, an addition and a ReLU.

    before, after: modules, called in order; None in after is torch.relu. The first may be a sequence that ends in the
    layer. added: which sum is made: "new", "in place" (of before(x)) or "to addend", in its place.
    """
    norm, between = before[0], before[1:]
    if isinstance(x, Tensor) and _are_identity_and_relu(between, after):
        while is_sequence(norm) and len(norm) and not has_hooks(norm):
            entries = list(norm)
            for module in entries[:-1]:
                x = module(x)
            norm = entries[-1]
        if isinstance(norm, _Plain) and type(norm).forward is _Plain.forward and not has_hooks(norm):
            if not added:
                _note(norm)
                return norm._normalize(x, None, True, norm.eps)
            if isinstance(addend, Tensor) and addend.size() == x.size() and addend.dtype == x.dtype:
                _note(norm)
                return norm._normalize(x, addend, True, norm.eps)
    y = _called(between, norm(x))
    if added == "new":
        y = y + addend
    elif added == "in place":
        y += addend
    elif added == "to addend":
        addend += y
        y = addend
    return _called(after, y)


def batch_norm_together(between: Tuple, after: Tuple, *args, **kwargs) -> Tensor:
    """after(between(F.batch_norm(*args, **kwargs))), modules as in together()."""
    if _are_identity_and_relu(between, after):
        return functional.batch_norm_relu(*args, **kwargs)
    return _called(after, _called(between, F.batch_norm(*args, **kwargs)))


class Code(NamedTuple):
    """The forward of a fused block as text. It can be copied and pickled if `names` can."""

    forward: str  # def forward(self, ...): asks for the conditions, and calls one of:
    bodies: str  # def fused_training(self, ...), def fused_evaluation(self, ...)
    names: Tuple[Tuple[str, object], ...]  # what they refer to by name, beside torch


_kinds = weakref.WeakValueDictionary()  # by class and code, so that equal blocks share one


def _compiled(source: str, names: dict, title: str) -> dict:
    filename = f"<bnlab.convert: {title} {len(linecache.cache)}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)  # for tracebacks
    exec(compile(source, filename, "exec"), names)
    return names


def fused_kind(base: type, code: Code) -> type:
    """The subclass of that class of modules whose forward is the code."""
    try:
        kind = _kinds.get((base, code))
    except TypeError:  # a name refers to what cannot be hashed
        return _new_kind(base, code)
    if kind is None:
        kind = _kinds[base, code] = _new_kind(base, code)
    return kind


def _new_kind(base: type, code: Code) -> type:
    own = {"torch": torch, **dict(code.names)}
    bodies = _compiled(code.bodies, own, base.__qualname__)
    # torch.jit.script compiles the source that a function wraps, with the names that the function knows.
    # Without __name__, since torch.compile looks names up in the module of that name.
    theirs = {key: value for key, value in base.forward.__globals__.items() if key != "__name__"}
    theirs.update({f"_bnlab_{name}": value for name, value in bodies.items()}, _bnlab_base=base)
    forward = _compiled(code.forward, theirs, base.__qualname__)["forward"]
    forward.__wrapped__ = base.forward
    members = {"__module__": base.__module__, "__qualname__": base.__qualname__, "__doc__": base.__doc__}
    members.update(forward=forward, __reduce_ex__=_reduce, _bnlab_unfused=base, _bnlab_code=code)
    return type(base)(base.__name__, (base,), members)


def _reduce(block: nn.Module, protocol: int):
    kind = type(block)
    _, arguments, *state = super(kind, block).__reduce_ex__(protocol)
    return (_new_block, (kind._bnlab_unfused, kind._bnlab_code, *arguments[1:]), *state)


def _new_block(base: type, code: Code, *arguments) -> nn.Module:
    kind = fused_kind(base, Code(*code))
    return kind.__new__(kind, *arguments)


def unfused_kind(kind: type) -> type:
    """The class that a fused block is of without its new forward; any other as it is."""
    return getattr(kind, "_bnlab_unfused", kind)
