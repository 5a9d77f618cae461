"""What stands in front of a layer: modules, functions between them, concatenations; and what the page draws of it."""
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import bnlab
from bnlab.doctor.graph import Graph


def place_of(model, layer, x):
    graph = Graph(model.eval())
    with torch.no_grad(), graph.watching():
        graph.see_output(model(x))
    return graph.place(layer)


class Made(nn.Module):
    """Two convolutions with bias, a dropout and a norm, put together by a function of the module."""

    def __init__(self, together, channels=8):
        super().__init__()
        self.a, self.b, self.dropout = nn.Conv2d(3, 8, 1), nn.Conv2d(3, 8, 1), nn.Dropout(0.5)
        self.bn = nn.BatchNorm2d(channels)
        self.together = together

    def forward(self, x):
        return F.relu(self.together(self, x))


def names(model, modules):
    of = {module: name for name, module in model.named_modules()}
    return [of[each] for each in modules]


def twice(m, x):
    y = m.a(x)
    return m.bn(y) + y


def in_place(m, x):
    return m.bn(m.a(x).relu_())


def added_in_place(m, x):
    y = m.a(x)
    y += 1
    return m.bn(y)


CASES = {
    "directly": (lambda m, x: m.bn(m.a(x)), 8, ["a"], ["a"]),
    "through what changes nothing": (lambda m, x: m.bn(m.a(x).contiguous().float()), 8, ["a"], ["a"]),
    "used elsewhere": (twice, 8, ["a"], []),
    "concatenated": (lambda m, x: m.bn(torch.cat([m.a(x), m.b(x)], 1)), 16, ["a", "b"], ["a", "b"]),
    "concatenated in two steps": (
        lambda m, x: m.bn(torch.cat([torch.cat((m.a(x), m.b(x)), 1), m.b(x)], 1)), 24, ["a", "b", "b"], ["a", "b", "b"],
    ),
    "concatenated with itself": (lambda m, x: m.bn(torch.cat([y := m.a(x), y], 1)), 16, ["a"], []),
    "with what no module made": (lambda m, x: m.bn(torch.cat([m.a(x), x], 1)), 11, [], []),
    "behind a function": (lambda m, x: m.bn(F.relu(m.a(x))), 8, [], []),
    "behind a function in place": (in_place, 8, [], []),
    "behind an operator in place": (added_in_place, 8, [], []),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_producers(case):
    together, channels, producers, redundant = CASES[case]
    model = Made(together, channels)
    place = place_of(model, model.bn, torch.randn(2, 3, 4, 4))
    assert names(model, [each.module for each in place.producers]) == producers
    assert names(model, [each.module for each in place.producers if each.only_here]) == redundant


@pytest.mark.parametrize(
    "together, found",
    [
        (lambda m, x: m.bn(F.relu(m.b(m.dropout(x)) + x.sum())), True),
        (lambda m, x: m.bn(torch.cat([x, F.relu(m.dropout(m.a(x)))], 1)[:, :8]), True),
        (lambda m, x: m.dropout(m.bn(m.a(x))), False),
    ],
    ids=["before functions", "in one branch", "behind"],
)
def test_a_dropout_is_seen_through_functions(together, found):
    model = Made(together)
    x = torch.randn(2, 3, 4, 4)
    model.b = nn.Conv2d(3, 8, 1)
    place = place_of(model, model.bn, x)
    assert (place.dropout is model.dropout) is found


def test_every_producer_of_a_densenet_is_known():
    models = pytest.importorskip("torchvision.models")
    model = models.densenet121().eval()
    graph = Graph(model)
    with torch.no_grad(), graph.watching():
        graph.see_output(model(torch.randn(1, 3, 64, 64)))
    places = [graph.place(layer) for layer in graph.order]
    assert len(places) == 121 and all(place.producers for place in places)
    assert sum(len(place.producers) > 1 for place in places) == 58  # 54 dense layers behind their first, 3 transitions, the end


def test_a_bias_that_something_else_reads_is_no_note_and_is_not_folded():
    model = Made(twice).eval()
    nn.init.normal_(model.bn.weight)
    nn.init.normal_(model.bn.running_mean)
    loader = [torch.randn(16, 3, 4, 4) for _ in range(3)]
    report = bnlab.doctor(model, loader)
    assert "N20" not in [finding.id for finding in report.findings]
    before = model(loader[0])
    repair = report.fold()
    assert repair.layers == [] and "No batch normalization stands directly" in str(repair)
    assert torch.equal(model(loader[0]), before)
    model.together = lambda m, x: m.bn(m.a(x))
    report = bnlab.doctor(model, loader)
    assert "N20" in [finding.id for finding in report.findings]
    report.fold()
    assert isinstance(model.bn, nn.Identity)


def test_the_page_marks_the_first_layer_that_departs():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1),
                          nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(64, 5))  # fmt: skip
    loader = [(torch.randn(64, 3, 4, 4), torch.randint(0, 5, (64,))) for _ in range(8)]
    for norm in (model[1], model[3], model[5]):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
    model.train()
    for _ in range(8):
        for x, _ in loader:
            model(x)
    model.eval()
    page = bnlab.doctor(model, loader).to_html()
    assert "No layer departs" in page and "first that departs" not in page
    model[3].running_mean += 3
    report = bnlab.doctor(model, loader)
    page = report.to_html()
    assert page.count('class="first"') == 1 and page.count("first that departs") == 1
    assert page.index("begins at <code>3</code>") < page.index('class="first"') < page.index("<code>5</code><br>departs")
    departs = {layer["name"]: layer["departs"] for layer in report._data["layers"]}
    assert departs == {"1": False, "3": True, "5": False}  # by exact statistics its own are right
