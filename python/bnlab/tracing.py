"""Finds, in the forward of a block of layers, the batch normalizations that may take in what follows them.

The block's own forward is traced (bnlab.graphs) with its children as leaves, so all that is in the trace is its own
code. What a trace cannot show is asked for when the new code runs (arguments, the block's attributes), traced both
ways (training mode, gradients, autocast) or refused.
"""
import inspect
import math
import operator
import re
from functools import partial
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Dict, List, NamedTuple, Optional, Set

import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.lazy import LazyModuleMixin

from bnlab import fusion
from bnlab.fusion import Code, has_hooks, is_sequence, unfused_kind
from bnlab.graphs import NotTraceable, graph_of
from bnlab.modules import _Plain

_RELUS = {"call_function": (F.relu, F.relu_, torch.relu, torch.relu_), "call_method": ("relu", "relu_")}
_SUMS = {"call_function": (operator.add, torch.add), "call_method": ("add",)}
_SUMS_IN_PLACE = {"call_function": (operator.iadd,), "call_method": ("add_",)}
_OWN_ATTRIBUTES = frozenset(vars(nn.Module()))


class Call(NamedTuple):
    """A call of a normalization: of the layer, or (None) of F.batch_norm by the block itself."""

    layer: Optional[nn.Module]
    fused: str  # "ReLU", "add, ReLU" or ""
    reason: str  # why not


class Trace(NamedTuple):
    calls: List[Call]
    called: Set[nn.Module]  # all modules that the block's own forward calls
    code: Optional[Code]  # if something can be fused


def is_norm(module) -> bool:
    """Whether it is a layer that together() can fuse once it is bnlab's."""
    return type(module) in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d) or (
        isinstance(module, _Plain) and type(module).forward is _Plain.forward
    )


def norm_at_end(module) -> Optional[nn.Module]:
    """The normalization layer that it is, or that a sequence ends in."""
    while is_sequence(module) and len(module) and not has_hooks(module):
        module = list(module)[-1]
    return module if is_norm(module) else None


def _is(node: fx.Node, kinds: Dict) -> bool:
    return node.op in kinds and node.target in kinds[node.op]


class _Site(NamedTuple):
    norm: fx.Node
    between: List[fx.Node]  # nn.Identity
    sum: Optional[fx.Node]
    addend: Optional[fx.Node]
    added: str
    after: List[fx.Node]  # nn.Identity and, last, the ReLU


class _Finder:
    """Sites in the graph of one block; an addition that two normalizations lead to goes to the first."""

    def __init__(self, graph: fx.Graph, block: nn.Module) -> None:
        self.order = list(graph.nodes)
        self.place = {node: i for i, node in enumerate(self.order)}
        self.block = block
        self.modules = dict(block.named_modules())
        self.taken: Dict[fx.Node, str] = {}  # sums, by the name of what takes them

    def module(self, node: fx.Node) -> Optional[nn.Module]:
        return self.modules.get(node.target) if node.op == "call_module" else None

    def layer(self, node: fx.Node) -> Optional[nn.Module]:
        return norm_at_end(self.module(node))

    def is_start(self, node: fx.Node) -> bool:
        if node.op == "call_module":
            return self.layer(node) is not None
        return node.op == "call_function" and node.target is F.batch_norm

    def name(self, node: fx.Node) -> str:
        if node.op == "call_module":
            return type(self.module(node)).__name__
        return node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))

    def _passes_on(self, node: fx.Node) -> bool:
        module = self.module(node)
        is_empty = is_sequence(module) and not len(module)
        return (type(module) is nn.Identity or is_empty) and not has_hooks(module)

    def _may_wait(self, start: fx.Node, until: fx.Node) -> bool:
        """Whether nothing changes if the normalization is computed only before `until`."""
        between = self.order[self.place[start] + 1 : self.place[until]]
        between = [node for node in between if node.op not in ("get_attr", "placeholder") and not self._passes_on(node)]
        if not between:
            return True
        if start.op != "call_module" or not is_norm(self.module(start)):
            return False
        # Its input is fresh from a convolution and nobody else's, so nothing can write to it meanwhile.
        source, layer = start.args[0], self.module(start)
        linear = self.module(source)
        is_fresh = isinstance(linear, (_ConvNd, nn.Linear)) and not has_hooks(linear) and len(source.users) == 1
        called = [self.module(node) for node in between if node.op == "call_module"]
        return is_fresh and all(layer not in module.modules() for module in called if module is not None)

    def _sum(self, user: fx.Node, at: fx.Node, start: fx.Node):
        """(addend, which sum) or a reason."""
        operands = list(user.args)
        plain = set(user.kwargs) <= {"alpha"} and user.kwargs.get("alpha", 1) == 1
        if not plain or len(operands) != 2 or not all(isinstance(value, fx.Node) for value in operands):
            return "its output is added to something other than a tensor, or scaled"
        addend = operands[1] if operands[0] is at else operands[0]
        if addend is at:
            return "its output is added to itself"
        if user in self.taken:
            return f"its output is added to that of {self.taken[user]}, which takes in the addition and the ReLU"
        added = "new"
        if _is(user, _SUMS_IN_PLACE):
            added = "in place" if operands[0] is at else "to addend"
            if added == "to addend" and not (self.is_start(addend) and len(addend.users) == 1):
                return "its output is added in place to a value that others may hold"
        if not self._may_wait(start, user):
            return "what it is added to is computed after it"
        return addend, added

    def site(self, start: fx.Node):
        """The site that begins with this normalization, or the reason why there is none."""
        if start.op == "call_module" and (start.kwargs or [type(value) for value in start.args] != [fx.Node]):
            return "it is called with more than an input"
        at, between, addition, addend, added, after = start, [], None, None, "", []
        while True:
            if len(at.users) != 1:
                return f"its output is used {len(at.users)} times" if at.users else "its output is not used"
            user = next(iter(at.users))
            follower = f"an addition and {self.name(user)}" if addition else self.name(user)
            if user.op == "output":
                kind = type(self.block).__name__
                return f"an addition, but no ReLU, follows in {kind}" if addition else f"nothing follows in {kind}"
            module = self.module(user)
            if type(module) is nn.Identity and user.args == (at,):
                (after if addition else between).append(user)
            elif (type(module) is nn.ReLU and user.args == (at,)) or (_is(user, _RELUS) and user.args[:1] == (at,)):
                after.append(user)
                break
            elif addition is None and (_is(user, _SUMS) or _is(user, _SUMS_IN_PLACE)):
                if start.op == "call_function":
                    return "F.batch_norm is fused with a ReLU only"
                found = self._sum(user, at, start)
                if isinstance(found, str):
                    return found
                addition, (addend, added) = user, found
            else:
                return f"followed by {follower}"
            at = user
        if any(has_hooks(module) for module in map(self.module, [start, *between, *after]) if module is not None):
            return "its hooks, or those of the ReLU, would see other values or none"
        if addition:
            self.taken[addition] = start.target
        return _Site(start, between, addition, addend, added, after)


def _replace(graph: fx.Graph, site: _Site) -> None:
    def modules(nodes):
        return tuple(
            graph.create_node("get_attr", node.target) if node.op == "call_module" else None for node in nodes
        )

    old = [site.norm, *site.between, *([site.sum] if site.sum else []), *site.after]
    with graph.inserting_before(site.sum or site.norm):
        between, after = modules(site.between), modules(site.after)
        if site.norm.op == "call_function":
            arguments = (between, after, *site.norm.args)
            new = graph.call_function(fusion.batch_norm_together, arguments, dict(site.norm.kwargs))
        else:
            arguments = (modules([site.norm]) + between, site.norm.args[0], after)
            more = (site.addend, site.added) if site.sum else ()
            new = graph.call_function(fusion.together, arguments + more)
    old[-1].replace_all_uses_with(new)
    for node in reversed(old):
        graph.erase_node(node)


def _is_plain_data(value) -> bool:
    if type(value) in (list, tuple):
        return all(map(_is_plain_data, value))
    if type(value) is dict:
        return all(map(_is_plain_data, [*value, *value.values()]))
    return value is None or type(value) in (bool, int, str) or (type(value) is float and math.isfinite(value))


def _equals(text: str, value, names: Dict) -> str:
    """A condition: that `text` is that value. NotTraceable if that cannot be asked."""
    if value is None or type(value) is bool:
        return f"{text} is {value}"
    if _is_plain_data(value):
        return f"(type({text}) is {type(value).__name__} and {text} == {value!r})"
    if isinstance(value, (FunctionType, BuiltinFunctionType, type, partial)):
        name = f"value_{len(names)}"
        names[name] = value
        return f"{text} is _bnlab_{name}"
    raise NotTraceable(f"its forward depends on {text}, whose changes cannot be followed")


def _conditions(block: nn.Module, base: type, parameters, read: set, names: Dict) -> List[str]:
    """What must hold for the trace to be what the block's forward does."""
    conditions = []
    for parameter in parameters:
        if parameter.default is inspect.Parameter.empty:
            conditions.append(f"isinstance({parameter.name}, _bnlab_torch.Tensor)")
        else:
            conditions.append(_equals(parameter.name, parameter.default, names))
    for name in sorted(read - _OWN_ATTRIBUTES):
        text = f"self.{name}"
        if name in vars(block):
            conditions.append(_equals(text, vars(block)[name], names))
        elif name in block._modules or name in block._parameters or name in block._buffers:
            value = getattr(block, name)
            conditions.append(f"{text} is {'' if value is None else 'not '}None")
            if isinstance(value, (nn.ModuleList, nn.ModuleDict)):
                conditions.append(f"len({text}) == {len(value)}")
        elif hasattr(base, name) and not hasattr(nn.Module, name):
            value = inspect.getattr_static(base, name)
            if not isinstance(value, (FunctionType, classmethod, staticmethod)):  # methods
                conditions.append(_equals(text, value, names))
    return conditions


def _body(graph: fx.Graph, name: str, names: Dict) -> str:
    code = graph.python_code("self")
    start = code.src.index("def forward(")
    text = code.src[start:].replace("def forward(", f"def {name}(", 1)
    used = set(re.findall(r"\w+", text))
    for key, value in code.globals.items():
        if key not in used:
            continue
        if isinstance(value, ModuleType):
            if value is not torch:
                raise NotTraceable(f"its forward refers to the module {value.__name__}")
        elif names.setdefault(key, value) is not value:
            raise NotTraceable(f"its forward refers to two things named {key}")
    return text


def _code(block: nn.Module, base: type, parameters, graphs: Dict[bool, fx.Graph], read: set) -> Code:
    names: Dict[str, object] = {}
    bodies = [_body(graphs[True], "fused_training", names), _body(graphs[False], "fused_evaluation", names)]
    declared, given = [], []
    for parameter in parameters:
        default = "" if parameter.default is inspect.Parameter.empty else f"={parameter.default!r}"
        star = "*, " if parameter.kind is parameter.KEYWORD_ONLY and "*" not in "".join(declared) else ""
        declared.append(f"{star}{parameter.name}{default}")
        keyword = f"{parameter.name}=" if parameter.kind is parameter.KEYWORD_ONLY else ""
        given.append(f"{keyword}{parameter.name}")
        if default and not _is_plain_data(parameter.default):
            raise NotTraceable(f"the default of its argument {parameter.name} is not plain data")
    conditions = _conditions(block, base, parameters, read, names)
    tensors = ", ".join(p.name for p in parameters if p.default is inspect.Parameter.empty)
    forward = (
        f"def forward({', '.join(['self', *declared])}):\n"
        f"    if not ({' and '.join(conditions)}):\n"
        f"        return _bnlab_base.forward({', '.join(['self', *given])})\n"
        f"    if self.training:\n"
        f"        return _bnlab_fused_training(self, {tensors})\n"
        f"    return _bnlab_fused_evaluation(self, {tensors})\n"
    )
    return Code(forward, "\n\n".join(bodies), tuple(names.items()))


def _parameters(base: type) -> List[inspect.Parameter]:
    _, *parameters = inspect.signature(base.forward).parameters.values()
    if any(p.kind not in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in parameters):
        raise NotTraceable("its forward takes any arguments")
    if not parameters or all(p.default is not inspect.Parameter.empty for p in parameters):
        raise NotTraceable("its forward takes no input")
    return parameters


def _check(block: nn.Module, base: type) -> None:
    if "forward" in vars(block):
        raise NotTraceable("its forward is not its class's")
    if isinstance(block, (torch.jit.ScriptModule, fx.GraphModule)):
        raise NotTraceable("its forward is made by a program")
    for name in ("__reduce__", "__reduce_ex__", "__deepcopy__", "__copy__"):
        if getattr(base, name, None) is not getattr(object, name, None):
            raise NotTraceable(f"its class copies or pickles in a way of its own ({name})")


def may_be_traced(block: nn.Module) -> bool:
    """Whether its forward is code of its own that may call normalization layers."""
    kind = unfused_kind(type(block))
    if kind.__module__.split(".")[0] in ("torch", "bnlab") or kind.forward is nn.Sequential.forward:
        return False
    if isinstance(block, LazyModuleMixin) or not hasattr(kind.forward, "__code__"):
        return False
    return any(isinstance(module, _BatchNorm) for module in block.modules())


def trace(block: nn.Module) -> Trace:
    """The calls of normalizations in the block's own forward, and the code that fuses those that can be.

    NotTraceable says why nothing can be told. The block is left as it is; so are its children and random numbers.
    """
    base = unfused_kind(type(block))
    _check(block, base)
    parameters = _parameters(base)
    required = [p.name for p in parameters if p.default is inspect.Parameter.empty]
    graphs, calls, called, read, fused = {}, [], set(), set(), False
    for training in (True, False):
        with torch.enable_grad():
            graphs[training], its_read = graph_of(block, base, required, training)
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            without, _ = graph_of(block, base, required, training)
        if str(graphs[training]) != str(without):
            raise NotTraceable("its forward does something else without gradients or under autocast")
        read |= its_read
        finder = _Finder(graphs[training], block)
        called.update(filter(None, map(finder.module, finder.order)))
        found = [(node, finder.site(node)) for node in finder.order if finder.is_start(node)]
        for node, site in found:
            layer = finder.layer(node)
            if isinstance(site, str):
                calls.append(Call(layer, "", site))
            else:
                calls.append(Call(layer, "add, ReLU" if site.sum else "ReLU", ""))
                _replace(graphs[training], site)
                fused = True
    return Trace(calls, called, _code(block, base, parameters, graphs, read) if fused else None)
