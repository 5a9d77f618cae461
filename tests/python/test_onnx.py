"""torch.onnx.export: bnlab's layers and functions come out as ONNX's standard operators."""
import io
import re
import warnings

import pytest
import torch
from torch import nn

import bnlab

try:
    import onnxruntime
except ImportError:  # Debian 12 has none
    onnxruntime = None

LAYERS = {
    "plain": (bnlab.BatchNorm2d, ["BatchNormalization"]),
    "relu": (bnlab.BatchNormReLU2d, ["BatchNormalization", "Relu"]),
    "add_relu": (bnlab.BatchNormAddReLU2d, ["BatchNormalization", "Add", "Relu"]),
}
FUNCTIONS = {
    bnlab.BatchNorm2d: bnlab.functional.batch_norm,
    bnlab.BatchNormReLU2d: bnlab.functional.batch_norm_relu,
    bnlab.BatchNormAddReLU2d: bnlab.functional.batch_norm_add_relu,
}


class Function(nn.Module):
    """The layer's function of its parameters and buffers."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, *batches):
        by = self.layer
        function = FUNCTIONS[type(by)]
        return function(*batches, by.running_mean, by.running_var, by.weight, by.bias, eps=bnlab.eps_of(by))


def trained(kind, affine):
    layer = kind(3, eps=0.25, affine=affine)
    with torch.no_grad():
        for values in (layer.running_mean, layer.running_var, layer.weight, layer.bias):
            if values is not None:
                values.uniform_(0.5, 2)
    return layer.eval()


def operators_of(model):
    """The operators of an ONNX file: a NodeProto's field 4, op_type."""
    return {op.decode() for size, op in re.findall(rb'"([\x01-\x20])([A-Z]\w+)', model) if ord(size) == len(op)}


@pytest.mark.parametrize("form", (lambda layer: layer, Function), ids=("layer", "function"))
@pytest.mark.parametrize("affine", (True, False), ids=("affine", "bare"))
@pytest.mark.parametrize("name", LAYERS)
def test_export(name, affine, form):
    kind, operators = LAYERS[name]
    model = form(trained(kind, affine)).eval()
    batches = [torch.randn(4, 3, 5, 5) for _ in range(2 if name == "add_relu" else 1)]
    expected = model(*batches)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = io.BytesIO()
        torch.onnx.export(model, tuple(batches), file, input_names=["x", "addend"][: len(batches)], opset_version=14)
    assert operators_of(file.getvalue()) - {"Constant"} == set(operators)
    if onnxruntime is not None:
        session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
        feeds = {each.name: batch.numpy() for each, batch in zip(session.get_inputs(), batches)}
        torch.testing.assert_close(torch.from_numpy(session.run(None, feeds)[0]), expected)


def test_nothing_but_the_exporter_gets_torchs_operators():
    layer = trained(bnlab.BatchNormReLU2d, True)
    graph = str(torch.jit.trace(layer, torch.randn(4, 3, 5, 5)).inlined_graph)
    assert "bnlab::batch_norm_relu" in graph and "aten::batch_norm" not in graph
