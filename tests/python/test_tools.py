"""PyTorch's tools that look for BatchNorm layers, on those that fuse a ReLU: the ReLU stays, or they are refused."""
import copy
import pickle

import functorch
import functorch.experimental
import pytest
import torch
from torch import nn
from torch.ao import quantization
from torch.fx.experimental import optimization
from torch.nn.utils import fusion, prune
from torch.optim import swa_utils
from torch.utils import mkldnn

import bnlab

KINDS = {"relu": (bnlab.BatchNormReLU2d, ()), "add_relu": (bnlab.BatchNormAddReLU2d, (0.5 * torch.ones(6, 4, 3, 3),))}
each_kind = pytest.mark.parametrize("kind, addend", KINDS.values(), ids=KINDS.keys())


def trained(kind, **options):
    layer = kind(4, **options)
    with torch.no_grad():
        layer.weight.uniform_(0.5, 2)
        layer.bias.uniform_(-1, 1)
        layer.running_mean.uniform_(-1, 1)
        layer.running_var.uniform_(0.5, 2)
    return layer


def expected(layer, x, addend):
    """relu(batch_norm(x) + addend) by the layer's parameters and torch's functions."""
    statistics = (layer.running_mean.clone(), layer.running_var.clone())
    z = nn.functional.batch_norm(x, *statistics, layer.weight, layer.bias, layer.training, 0.1, bnlab.eps_of(layer))
    return torch.relu(z + addend[0] if addend else z)


class Model(nn.Module):
    def __init__(self, norm, addend):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.norm = norm
        self.addend = addend

    def forward(self, x):
        return self.norm(self.conv(x), *self.addend)


def fold(model):
    return fusion.fuse_conv_bn_eval(model.conv, model.norm)


def fold_transposed(model):
    return fusion.fuse_conv_bn_eval(nn.ConvTranspose2d(3, 4, 1).eval(), model.norm, transpose=True)


def fold_linear(model):
    return fusion.fuse_linear_bn_eval(nn.Linear(3, 4).eval(), model.norm)


REPLACING = {
    "convert_sync_batchnorm": nn.SyncBatchNorm.convert_sync_batchnorm,
    "fuse_conv_bn_eval": fold,
    "fuse_conv_bn_eval, transposed": fold_transposed,
    "fuse_linear_bn_eval": fold_linear,
    "to_mkldnn": mkldnn.to_mkldnn,
}
if torch.__version__ < "2":  # taken out later
    from torch.distributed.pipeline.sync.batchnorm import DeferredBatchNorm

    REPLACING["convert_deferred_batch_norm"] = lambda model: DeferredBatchNorm.convert_deferred_batch_norm(model, 2)


@each_kind
@pytest.mark.parametrize("tool", REPLACING.values(), ids=REPLACING.keys())
def test_tools_that_replace_are_refused(tool, kind, addend):
    model = Model(trained(kind), addend).eval()
    with pytest.raises(AttributeError, match="it is also a ReLU.*convert_back"):
        tool(model)


@pytest.mark.parametrize("tool", REPLACING.values(), ids=REPLACING.keys())
def test_tools_that_replace_serve_plain_layers(tool):
    tool(Model(trained(bnlab.BatchNorm2d), ()).eval())


@pytest.mark.parametrize("tool", REPLACING.values(), ids=REPLACING.keys())
def test_tools_that_replace_serve_a_model_converted_back(tool):
    model = nn.Sequential(nn.BatchNorm2d(4, eps=0.25), nn.ReLU())
    bnlab.convert_back(bnlab.convert(model, fuse=True))
    assert model[0].eps == 0.25 and not hasattr(model[0], "_fused_eps")
    tool(Model(model[0], ()).eval())


@each_kind
def test_eager_quantization_refuses(kind, addend):
    """It goes by a layer's exact class and does not take these for BatchNorm."""
    with pytest.raises((AssertionError, NotImplementedError), match="fuse"):
        quantization.fuse_modules(Model(trained(kind), addend).eval(), [["conv", "norm"]])


class Functions(nn.Module):
    def __init__(self, norm, function, *addend):
        super().__init__()
        self.norm, self.function, self.addend = norm, function, addend

    def forward(self, x):
        norm = self.norm
        statistics = (norm.running_mean, norm.running_var)
        return self.function(x, *self.addend, *statistics, norm.weight, norm.bias, self.training, 0.25, 0.5)


class Block(nn.Module):
    """Fused, its forward has two passes; traced, the calls that are written here."""

    def __init__(self):
        super().__init__()
        self.bn1, self.bn2, self.relu = nn.BatchNorm2d(4), nn.BatchNorm2d(4), nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.bn2(self.relu(self.bn1(x)))
        y += x
        return self.relu(y)


TRACED = {
    "BatchNorm2d": lambda: Model(trained(bnlab.BatchNorm2d), ()),
    "BatchNormReLU2d": lambda: Model(trained(bnlab.BatchNormReLU2d), ()),
    "BatchNormAddReLU2d": lambda: Model(trained(bnlab.BatchNormAddReLU2d), (0.5 * torch.ones(6, 4, 3, 3),)),
    "SyncBatchNorm": lambda: Model(trained(bnlab.SyncBatchNorm), ()),
    "batch_norm": lambda: Functions(trained(nn.BatchNorm2d), bnlab.functional.batch_norm),
    "batch_norm_relu": lambda: Functions(trained(nn.BatchNorm2d), bnlab.functional.batch_norm_relu),
    "batch_norm_add_relu": lambda: Functions(
        trained(nn.BatchNorm2d), bnlab.functional.batch_norm_add_relu, 0.5 * torch.ones(6, 4, 3, 3)
    ),
    "a fused block": lambda: bnlab.convert(Block(), fuse=True),
}
FX_TOOLS = {
    "symbolic_trace": (torch.fx.symbolic_trace, (True, False)),
    "optimization.fuse": (optimization.fuse, (False,)),
}


@pytest.mark.parametrize("model", TRACED.values(), ids=TRACED.keys())
@pytest.mark.parametrize("tool, modes", FX_TOOLS.values(), ids=FX_TOOLS.keys())
def test_fx_takes_them_for_leaves(model, tool, modes):
    for training in modes:
        model_ = model().train(training)
        x = torch.randn(6, 3 if hasattr(model_, "conv") else 4, 3, 3)
        graph = tool(copy.deepcopy(model_))
        for scale in (1, 2):  # what a trace has seen must not stay in the graph
            torch.testing.assert_close(graph(scale * x), model_(scale * x))
        norms = [module for module in model_.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
        calls = [node for node in graph.graph.nodes if "norm" in str(node.target) or "bn" in str(node.target)]
        assert len([node for node in calls if node.op.startswith("call")]) == len(norms)
        found, expected = (dict(each.named_buffers()) for each in (graph, model_))
        for name in set(found) & set(expected):
            torch.testing.assert_close(found[name], expected[name])


@each_kind
@pytest.mark.parametrize("training", (True, False))
def test_tools_that_keep_the_layer_keep_the_relu(kind, addend, training):
    x = torch.randn(6, 4, 3, 3)
    layer = trained(kind, eps=0.125).train(training)
    found = {
        "copied": copy.deepcopy(layer),
        "pickled": pickle.loads(pickle.dumps(layer)),
        "averaged": swa_utils.AveragedModel(layer).train(training),
        "scripted": torch.jit.script(copy.deepcopy(layer)),
        "traced": torch.jit.trace(copy.deepcopy(layer), (x, *addend)),
    }
    for other in (*found.values(), layer):
        torch.testing.assert_close(other(x, *addend), expected(layer, x, addend))
    prune.l1_unstructured(layer, "weight", 0.5)
    assert (layer.weight == 0).sum() == 2
    torch.testing.assert_close(layer(x, *addend), expected(layer, x, addend))


@each_kind
def test_update_bn_renews_the_statistics(kind, addend):
    batches = [torch.randn(6, 3, 3, 3) + i for i in range(4)]
    model = Model(trained(kind), addend)
    theirs = Model(nn.BatchNorm2d(4), ())
    theirs.load_state_dict(model.state_dict())
    for each in (model, theirs):
        swa_utils.update_bn(batches, each)
    torch.testing.assert_close(dict(model.norm.named_buffers()), dict(theirs.norm.named_buffers()))


@each_kind
def test_running_statistics_taken_away(kind, addend):
    layer = trained(kind)
    functorch.experimental.replace_all_batch_norm_modules_(layer)
    x = torch.randn(6, 4, 3, 3)
    z = nn.functional.batch_norm(x, None, None, layer.weight, layer.bias, True)
    for training in (True, False):
        torch.testing.assert_close(layer.train(training)(x, *addend), torch.relu(z + addend[0] if addend else z))


def test_eps_can_be_set_and_is_used():
    x, layer = torch.randn(6, 4, 3, 3), trained(bnlab.BatchNormReLU2d)
    layer.eps = 10.0
    assert bnlab.eps_of(layer) == 10 and "eps=10.0" in repr(layer) and not hasattr(layer, "eps")
    torch.testing.assert_close(layer(x), expected(layer, x, ()))
    assert bnlab.eps_of(nn.BatchNorm2d(4, eps=0.5)) == bnlab.eps_of(bnlab.BatchNorm2d(4, eps=0.5)) == 0.5
    with pytest.raises(AttributeError, match="no attribute 'epsilon'"):
        layer.epsilon
