"""convert() and convert_back(): nothing of the model is lost, and it computes the same."""
import copy
import warnings

import pytest
import torch
from layers import assert_same_state
from torch import nn

import bnlab


class Network(nn.Module):
    """Norms in a Sequential with a ReLU, in one without, as an attribute, in all dimensions, and one used twice."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            nn.Conv2d(4, 4, 1),
            nn.BatchNorm2d(4),
        )
        self.shared = nn.BatchNorm2d(4, momentum=None)
        self.also_shared = self.shared
        self.volume = nn.BatchNorm3d(4, affine=False)
        self.head = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6, track_running_stats=False), nn.ReLU())

    def forward(self, x):
        x = self.also_shared(torch.relu(self.shared(self.body(x))))
        x = self.volume(x.unsqueeze(2)).squeeze(2)
        return self.head(x.mean((2, 3)))


def network():
    torch.manual_seed(3)
    return Network().double()


def train(model, steps=3):
    torch.manual_seed(4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        model.train()(torch.randn(5, 3, 4, 4, dtype=torch.float64)).square().sum().backward()
        optimizer.step()
    return model.eval()(torch.randn(5, 3, 4, 4, dtype=torch.float64))


@pytest.mark.parametrize("fuse", (False, True))
def test_a_converted_model_trains_as_before(fuse):
    expected_model, model = network(), bnlab.convert(network(), fuse=fuse)
    torch.testing.assert_close(train(model), train(expected_model), rtol=1e-9, atol=1e-10)
    assert_same_state(model, expected_model, rtol=1e-9, atol=1e-10)
    there_and_back = bnlab.convert_back(model)
    torch.testing.assert_close(train(there_and_back), train(expected_model), rtol=1e-9, atol=1e-10)


def test_all_layers_become_bnlabs_and_keep_what_they_have():
    model = network()
    model.body[1].eval()
    model.body[1].mark = "kept"
    model.body[1].weight.requires_grad_(False)
    before = dict(model.named_modules())
    tensors = {name: (value, value.data_ptr()) for name, value in [*model.named_parameters(), *model.named_buffers()]}
    assert bnlab.convert(model) is model
    assert dict(model.named_modules()) == before
    for name, module in before.items():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            assert type(module).__module__.startswith("bnlab"), name
    for name, value in [*model.named_parameters(), *model.named_buffers()]:
        assert value is tensors[name][0] and value.data_ptr() == tensors[name][1]
    assert not model.body[1].training and model.body[4].training and model.body[1].mark == "kept"
    assert not model.body[1].weight.requires_grad
    assert model.shared is model.also_shared and model.shared.momentum is None


def test_there_and_back_is_the_model_before():
    model = network()
    before = {name: (module, type(module), set(vars(module))) for name, module in model.named_modules()}
    bnlab.convert(model, fuse=True, window=3, skip_nonfinite=True, once_per_step=True)
    assert type(model.body[1]) is bnlab.BatchNormReLU2d and type(model.body[2]) is bnlab.FusedReLU
    assert bnlab.convert_back(model) is model
    for name, module in model.named_modules():
        old, kind, attributes = before[name]
        assert type(module) is kind and set(vars(module)) == attributes
        assert module is old or kind is nn.ReLU
    assert model.body[2].inplace and not model.head[2].inplace
    assert repr(model) == repr(network())
    assert [name for name, _ in model.named_buffers()] == [name for name, _ in network().named_buffers()]


def test_a_layer_by_itself():
    layer = nn.BatchNorm1d(3)
    assert bnlab.convert(layer) is layer and type(layer) is bnlab.BatchNorm1d
    assert bnlab.convert_back(layer) is layer and type(layer) is nn.BatchNorm1d


def test_a_copy_leaves_the_model_alone():
    model = network()
    copied = bnlab.convert(model, inplace=False)
    assert type(model.body[1]) is nn.BatchNorm2d and type(copied.body[1]) is bnlab.BatchNorm2d
    back = bnlab.convert_back(copied, inplace=False)
    assert type(back.body[1]) is nn.BatchNorm2d and type(copied.body[1]) is bnlab.BatchNorm2d


def test_converting_twice_changes_nothing():
    model = bnlab.convert(network(), window=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bnlab.convert(model)
    assert model.body[1].window == 2


def test_options_go_where_statistics_are_tracked():
    model = bnlab.convert(network(), window=2, skip_nonfinite=True, once_per_step=True)
    assert (model.shared.window, model.shared.skip_nonfinite, model.shared.once_per_step) == (2, True, True)
    assert model.shared.window_mean.shape == (2, 4)
    assert (model.head[1].window, model.head[1].skip_nonfinite, model.head[1].once_per_step) == (0, False, False)
    train(model)


def test_hooks_stay():
    model, calls = network(), []
    model.body[1].register_forward_hook(lambda module, x, y: calls.append("forward"))
    model.body[4].register_forward_pre_hook(lambda module, x: calls.append("before"))
    model.shared.register_full_backward_hook(lambda module, dx, dy: calls.append("backward"))
    bnlab.convert(model)
    model(torch.randn(2, 3, 4, 4, dtype=torch.float64)).sum().backward()
    assert calls.count("forward") == 1 and calls.count("before") == 1 and "backward" in calls


@pytest.mark.parametrize("index", (1, 2))
def test_layers_whose_hooks_would_see_other_values_are_not_fused(index):
    model, seen = network(), []
    model.body[index].register_forward_hook(lambda module, x, y: seen.append(y.min().item()))
    with pytest.warns(UserWarning, match=r"body\.1 is not fused.*hooks"):
        bnlab.convert(model, fuse=True)
    assert type(model.body[1]) is bnlab.BatchNorm2d and type(model.body[2]) is nn.ReLU
    assert type(model.head[1]) is bnlab.BatchNormReLU1d
    model(torch.randn(2, 3, 4, 4, dtype=torch.float64))
    assert len(seen) == 1 and (seen[0] < 0) == (index == 1)


def test_a_layer_used_in_several_places_is_not_fused():
    norm, relu = nn.BatchNorm1d(3), nn.ReLU()
    model = nn.Sequential(nn.Sequential(norm, relu), nn.Linear(3, 3), norm, nn.Linear(3, 3), nn.BatchNorm1d(3), relu)
    expected = copy.deepcopy(model)
    with pytest.warns(UserWarning, match=r"0\.0 is not fused.*several places"):
        bnlab.convert(model, fuse=True)
    assert type(model[0][0]) is bnlab.BatchNorm1d and model[0][1] is relu
    assert type(model[4]) is bnlab.BatchNormReLU1d and type(model[5]) is bnlab.FusedReLU
    x = torch.randn(5, 3)
    torch.testing.assert_close(model(x), expected(x))


def test_a_sequential_with_a_forward_of_its_own_is_not_fused():
    class Odd(nn.Sequential):
        def forward(self, x):
            return self[1](x) - self[0](x)

    model = bnlab.convert(Odd(nn.BatchNorm1d(3), nn.ReLU()), fuse=True)
    assert type(model[0]) is bnlab.BatchNorm1d and type(model[1]) is nn.ReLU


def test_classes_of_their_own_stay_and_are_named():
    class Special(nn.BatchNorm2d):
        pass

    model = nn.Sequential(Special(3), nn.LazyBatchNorm2d(), nn.InstanceNorm2d(3))
    with pytest.warns(UserWarning) as warned:
        bnlab.convert(model)
    assert len(warned) == 2 and "0 stays as it is: Special" in str(warned[0].message)
    assert "1 stays as it is: LazyBatchNorm2d" in str(warned[1].message)
    assert "Run a batch through the model, then convert it" in str(warned[1].message)
    assert [type(module) for module in model] == [Special, nn.LazyBatchNorm2d, nn.InstanceNorm2d]
    model(torch.randn(4, 3, 2, 2))
    with pytest.warns(UserWarning, match="Special"):
        assert type(bnlab.convert(model)[1]) is bnlab.BatchNorm2d


def test_torchscript_is_refused():
    with pytest.raises(ValueError, match="before torch.jit.script"):
        bnlab.convert(torch.jit.script(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))))


@pytest.mark.parametrize("bad", ({"momentum": 1.5}, {"momentum": -1}))
def test_arguments_out_of_range_are_refused_and_nothing_is_changed(bad):
    model = nn.Sequential(nn.BatchNorm1d(3), nn.BatchNorm1d(3, **bad))
    with pytest.raises(ValueError, match="bnlab.convert: 1: .*momentum"):
        bnlab.convert(model)
    with pytest.raises(ValueError, match="window"):
        bnlab.convert(nn.Sequential(model[0]), window=-1)
    assert type(model[0]) is type(model[1]) is nn.BatchNorm1d


@pytest.mark.parametrize("kind", (bnlab.BatchNormReLU1d, bnlab.BatchNormAddReLU1d))
def test_fused_layers_without_counterpart_are_refused_on_the_way_back(kind):
    model = nn.ModuleDict({"plain": bnlab.BatchNorm1d(3), "fused": kind(3)})
    with pytest.raises(ValueError, match=f"fused: torch.nn has no {kind.__name__}"):
        bnlab.convert_back(model)
    assert type(model["plain"]) is bnlab.BatchNorm1d
