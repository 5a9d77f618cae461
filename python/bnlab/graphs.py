"""The forward of a block of layers as a graph of torch.fx, with its children as leaves, or a reason why it is none."""
import dis
import operator
import random
import sys
from typing import List, Tuple
from unittest import mock

import torch
from torch import fx, nn


class NotTraceable(Exception):
    """Says why, as the end of a sentence about the block."""


def _modes() -> Tuple:
    try:
        autocast = (torch.is_autocast_enabled("cpu"), torch.is_autocast_enabled("cuda"))
    except TypeError:  # PyTorch 1.13
        autocast = (torch.is_autocast_cpu_enabled(), torch.is_autocast_enabled())
    return (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), *autocast)


class _Value(fx.Proxy):
    """A value in the trace, which remembers that somebody else than torch.fx asked for its type.

    A trace cannot tell the types that values will have. They cannot be given as Tensor: PyTorch's C++ believes that.
    """

    @property
    def __class__(self):
        asking = sys._getframe(1).f_globals.get("__name__", "")
        if not asking.startswith(("torch.fx", "torch.overrides", "torch.utils._pytree")):
            self.tracer.has_told_types = True
        return _Value

    def __setattr__(self, name, value):
        if name not in ("tracer", "node"):
            raise NotTraceable("its forward sets attributes of tensors")
        super().__setattr__(name, value)

    def __iter__(self):
        """The parts, where it is unpacked (a, b = x.chunk(2)). fx's own fails on Python 3.11 with PyTorch 1.13."""
        frame = sys._getframe(1)
        code = {instruction.offset: instruction for instruction in dis.get_instructions(frame.f_code)}
        instruction = code[frame.f_lasti]
        if instruction.opname != "UNPACK_SEQUENCE":
            raise NotTraceable("its forward loops over a tensor or its sizes")
        return (self[i] for i in range(instruction.argval))


def _in_place(name: str):
    return lambda value, other: value.tracer.create_proxy("call_function", getattr(operator, name), (value, other), {})


# Without these, fx takes a += b for a = a + b, which is not the same to who else holds a.
for _name in "add sub mul truediv floordiv mod pow and or xor lshift rshift matmul".split():
    setattr(_Value, f"__i{_name}__", _in_place(f"i{_name}"))


class _Tracer(fx.Tracer):
    proxy_buffer_attributes = True
    has_told_types = False

    def __init__(self) -> None:
        super().__init__()
        self._modes = _modes()

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return True

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Value(node, self)

    def call_module(self, module: nn.Module, forward, args, kwargs):
        if module not in self.submodule_paths:  # made by this forward, as in nn.ReLU()(x)
            return forward(*args, **kwargs)
        return super().call_module(module, forward, args, kwargs)

    def create_arg(self, value):
        return value.node if issubclass(type(value), fx.Proxy) else super().create_arg(value)

    def create_node(self, *args, **kwargs) -> fx.Node:
        if _modes() != self._modes:
            raise NotTraceable("its forward switches gradients or autocast")
        return super().create_node(*args, **kwargs)


def _copied(value):
    if type(value) in (list, tuple, set):
        return type(value)(_copied(item) for item in value)
    if isinstance(value, dict):
        copied = value.copy()
        for key, item in value.items():
            copied[key] = _copied(item)
        return copied
    return value


def _same(a, b) -> bool:
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(map(_same, a.values(), b.values()))
    return isinstance(a, (bool, int, float, str, set)) and a == b


def _restored(module: nn.Module, state: dict) -> bool:
    """Gives the module those attributes; whether it had them."""
    if _same(vars(module), state):
        return True
    vars(module).clear()
    vars(module).update(state)
    return False


def random_states() -> Tuple:
    """Of the generators that a model may draw from."""
    numpy = sys.modules.get("numpy")
    return torch.get_rng_state(), random.getstate(), numpy.random.get_state() if numpy else None


def set_random_states(states: Tuple) -> None:
    torch.set_rng_state(states[0])
    random.setstate(states[1])
    if states[2]:
        sys.modules["numpy"].random.set_state(states[2])


def _same_random_states(a: Tuple, b: Tuple) -> bool:
    def numbers(state):  # of numpy: ("MT19937", keys, position, ...)
        return state and [state[0], list(state[1]), *state[2:]]

    return torch.equal(a[0], b[0]) and a[1] == b[1] and numbers(a[2]) == numbers(b[2])


def _recording(base: type, parameters: List[str], read: set) -> type:
    """A subclass that notes which attributes its forward reads, called without the arguments that have defaults."""

    def __getattribute__(self, name):
        read.add(name)
        return super(kind, self).__getattribute__(name)

    given = ", ".join(parameters)
    keywords = ", ".join(f"{name}={name}" for name in parameters)
    names = {"base": base}
    exec(f"def forward(self, {given}): return base.forward(self, {keywords})", names)
    members = {"forward": names["forward"], "__getattribute__": __getattribute__}
    kind = type(base)(base.__name__, (base,), members)
    return kind


def _refuse_saved_tensors_hooks(self) -> None:
    raise NotTraceable("its forward checkpoints, or packs what is saved for backward")


def graph_of(block: nn.Module, base: type, parameters: List[str], training: bool) -> Tuple[fx.Graph, set]:
    """The trace of the block's forward, and the names of the attributes that it read.

    On a copy that shares its tensors and children; these and the generators of random numbers stay as they are.
    """
    read: set = set()
    kind = _recording(base, parameters, read)
    copied = kind.__new__(kind)
    state = _copied(vars(block))
    vars(copied).update(state, training=training)
    before = _copied(vars(copied))
    states = random_states()
    modes = [(module, module.training) for module in block.modules() if module is not block]
    for module, _ in modes:
        module.training = training
    layers = [(module, _copied(vars(module))) for module, _ in modes]
    tracer = _Tracer()
    read.clear()
    try:
        # Checkpointing without reentering is a context, which a trace would lose.
        with mock.patch.object(torch.autograd.graph.saved_tensors_hooks, "__enter__", _refuse_saved_tensors_hooks):
            graph = tracer.trace(copied)
    except NotTraceable:
        raise
    except Exception as error:  # whatever the user's code raises when it is given no tensors
        text = str(error).strip().split("\n", 1)[0] or type(error).__name__
        raise NotTraceable(f"its forward cannot be traced ({text})") from None
    finally:
        has_changed_layers = not all([_restored(module, state) for module, state in layers])
        for module, mode in modes:
            module.training = mode
        has_drawn = not _same_random_states(random_states(), states)
        set_random_states(states)
    if has_changed_layers:
        raise NotTraceable("its forward changes attributes of its layers")
    if has_drawn:
        raise NotTraceable("its forward draws random numbers that decide what it does")
    if tracer.has_told_types:
        raise NotTraceable("what its forward does depends on the types of values")
    if any(node.op == "get_attr" and node.target.startswith("_tensor_constant") for node in graph.nodes):
        raise NotTraceable("its forward makes tensors of its own")
    if not _same(vars(copied), before):
        changed = [name for name in vars(copied) if not _same(vars(copied)[name], before.get(name))]
        raise NotTraceable(f"its forward changes {', '.join(changed) or 'its attributes'}")
    return graph, read
