"""Small programs of our own after public reports of trouble with batch normalization: each makes the mistake, or not.

A program is a function (fixed) -> report. Only what the report is about is taken over; models and data are ours.
"""
import torch
import torch.nn.functional as F
from torch import nn

import bnlab
from yardstick.case import findings_of
from yardstick.data import CLASSES, Data, batches
from yardstick.score import ALARMS
from yardstick.training import generator_of

FAULTS = {}


def after(report, id, least="warning"):
    """Registers a program: the public report, the finding, and how loud it has to be."""

    def register(program):
        FAULTS[f"{report}, {program.__name__}"] = (program, id, least)
        return program

    return register


def data(size=64, count=640):
    return batches(tuple(part[:count] for part in Data(train=640, seen=640, held_out=1).train), size, generator_of("public"))


def net(momentum=0.1, bias=False, dropout=0.0):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, bias=bias), nn.BatchNorm2d(8, momentum=momentum), nn.ReLU(), nn.Dropout(dropout),
        nn.Conv2d(8, 16, 3, stride=2, bias=bias), nn.BatchNorm2d(16, momentum=momentum), nn.ReLU(),
        nn.Flatten(), nn.Linear(64, CLASSES),
    )  # fmt: skip


def fit(model, loader, epochs=6, lr=0.1, each=lambda: None):
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr, momentum=0.9)
    model.train()
    total = epochs * len(loader)
    for step in range(total):
        x, y = loader[step % len(loader)]
        optimizer.param_groups[0]["lr"] = lr * (1 - step / total)
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        each()
    return model


@after("Person_reID_baseline_pytorch#218", "N01")
def statistics_of_other_images(fixed):
    """Training ends on images that are prepared in another way than those that are evaluated."""
    model = fit(net(), data())
    with torch.no_grad():
        for x, _ in data():
            model.train()(x if fixed else 2 * x + 1)
    return bnlab.doctor(model.eval(), data())


@after("mean-teacher#9", "N02")
def teacher_without_buffers(fixed):
    """An average of the parameters alone."""
    student, teacher = net(), net()

    def average():
        for own, other in zip(teacher.parameters(), student.parameters()):
            own.data.lerp_(other.data, 0.1)
        if fixed:
            teacher.load_state_dict(dict(student.named_buffers()), strict=False)

    fit(student, data(), each=average)
    return bnlab.doctor(teacher.eval(), data())


@after("tch-rs#628", "N02")
def stored_without_buffers(fixed):
    """A file with the trainable variables alone."""
    model = fit(net(), data())
    stored = model.state_dict() if fixed else dict(model.named_parameters())
    loaded = net()
    loaded.load_state_dict(stored, strict=False)
    return bnlab.doctor(loaded.eval(), data())


@after("keras#3949", "N03")
def short_training(fixed):
    """Keras's momentum of 0.99 (here 0.01) and few batches."""
    return bnlab.doctor(fit(net(0.1 if fixed else 0.01), data()).eval(), data())


@after("crowdcount-mcnn#64", "N02")
def momentum_of_zero(fixed):
    """Statistics that never move."""
    return bnlab.doctor(fit(net(0.1 if fixed else 0.0), data()).eval(), data())


@after("PyTorch-YOLOv3#230", "N04")
def momentum_of_darknet(fixed):
    """0.9 as Darknet means it, and small batches."""
    return bnlab.doctor(fit(net(0.1 if fixed else 0.9), data(4), epochs=2, lr=0.02).eval(), data())


@after("vsepp#4", "N05")
def wrapper_without_eval(fixed):
    """A wrapper that switches itself, not the encoder inside."""

    class Wrapper(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = net()

        def forward(self, x):
            return self.encoder(x)

        def eval(self):
            self.training = False
            return super().eval() if fixed else self

    return bnlab.doctor(fit(Wrapper(), data()).eval(), data())


@after("pytorch-lightning#15063", "N06", "note")
def backbone_that_still_moves(fixed):
    """Parameters frozen for fine-tuning on other images, and train() each epoch."""
    model = fit(net(), data()).eval()
    for module in model[:6]:
        module.requires_grad_(False)
    if fixed:
        bnlab.doctor(model, data()).freeze()
    other = [(0.5 * x + 0.3, y) for x, y in data()]
    optimizer = torch.optim.SGD(model[8].parameters(), 0.01)
    model = fit(model, other, epochs=2).eval()
    return bnlab.doctor(model, other, optimizer=optimizer, steps=8)


@after("pytorch-deeplab-xception#143", "N08")
def pooled_branch_of_one_value(fixed):
    """Normalization behind global pooling, and a last batch of one image."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, 16, 1, bias=False),
        nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Linear(16, CLASSES),
    )  # fmt: skip
    fit(model, data(), epochs=20)
    loader = data(count=640 - 63)
    return bnlab.doctor(model.eval(), loader[:-1] if fixed else loader)


@after("yolov5#1630", "N09", "note")
def accumulated_gradients(fixed):
    """A nominal batch of 64 out of four."""
    model = fit(net(), data()).eval()
    optimizer = torch.optim.SGD(model.parameters(), 1e-4)
    with bnlab.doctor.watch(model.train(), optimizer) as watched:
        for index, (x, y) in enumerate(data(64 if fixed else 16)):
            F.cross_entropy(model(x), y).backward()
            if fixed or index % 4 == 3:
                optimizer.step()
                optimizer.zero_grad()
    return bnlab.doctor(model.eval(), data(), optimizer=optimizer, watched=watched)


@after("openpifpaf#308", "N13", "note")
def sorted_loader(fixed):
    """A data set in its own order, and no shuffle."""
    loader = data()
    if not fixed:
        x, y = (torch.cat(part) for part in zip(*loader))
        loader = batches((x, y), 64, order=y.argsort(stable=True))
    return bnlab.doctor(fit(net(), loader, lr=0.02).eval(), loader)


@after("pytorch#1206", "N15")
def one_bad_batch(fixed):
    """A batch that overflows, in mixed precision for example."""
    model = fit(net(), data())
    if fixed:
        model = bnlab.convert(model, skip_nonfinite=True)
    with torch.no_grad():
        model.train()(torch.full((64, 1, 14, 14), float("inf")))
    return bnlab.doctor(model.eval(), data())


@after("Mask_RCNN#753", "N16", "note")
def images_of_large_numbers(fixed):
    """Images of 0 to 65535, as 16-bit files have them, into a model that is to be float16."""
    scale = 1.0 if fixed else 2000.0
    loader = [(scale * x, y) for x, y in data()]
    return bnlab.doctor(fit(net(), loader).eval(), loader)


@after("nn-transfer#3", "N17")
def eps_of_keras(fixed):
    """Weights trained with eps 1e-3 on inputs of small variance, into layers that have 1e-5."""
    loader = [(0.05 * x, y) for x, y in data()]
    model = net()
    for layer in (model[1], model[5]):
        layer.eps = 1e-3
    fit(model, loader, epochs=20)
    ported = net()
    ported.load_state_dict(model.state_dict())
    for layer in (ported[1], ported[5]) if fixed else ():
        layer.eps = 1e-3
    return bnlab.doctor(ported.eval(), loader)


@after("pretrained-models.pytorch#99", "N18", "note")
def gain_of_hundreds(fixed):
    """A channel that never fires, whose variance is 0 and whose gamma is not."""
    model = net()
    if not fixed:
        with torch.no_grad():
            model[4].weight[3] = 0
        model[4].weight.register_hook(lambda gradient: gradient * (torch.arange(16) != 3).reshape(-1, 1, 1, 1))
    return bnlab.doctor(fit(model, data(), epochs=20).eval(), data())


@after("mlcolvar#205", "N19", "note")
def dropout_first(fixed):
    """Dropout directly in front, as some builders of multilayer perceptrons order it."""
    return bnlab.doctor(fit(net(dropout=0.0 if fixed else 0.6), data()).eval(), data())


@after("Pytorch-UNet#325", "N20", "note")
def biased_convolutions(fixed):
    return bnlab.doctor(fit(net(bias=not fixed), data()).eval(), data())


@after("fastai2#107", "N21", "note")
def normalized_output(fixed):
    """A regression's or classifier's last layer is a normalization."""
    model = net() if fixed else nn.Sequential(net(), nn.BatchNorm1d(CLASSES))
    return bnlab.doctor(fit(model, data()).eval(), data())


@after("solo-learn#289", "N22", "note")
def decay_of_everything(fixed):
    model = fit(net(), data()).eval()
    own = [parameter for parameter in model.parameters() if parameter.dim() == 1]
    rest = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    groups = [{"params": own, "weight_decay": 0.0 if fixed else 1e-4}, {"params": rest, "weight_decay": 1e-4}]
    return bnlab.doctor(model, data(), optimizer=torch.optim.SGD(groups, 0.1))


def judge(name):
    """Whether the program is flagged with the mistake, and neither it nor anything loud is said without."""
    program, id, least = FAULTS[name]
    found = {}
    for fixed in (False, True):
        found[fixed] = findings_of(program(fixed))
    own = [each for each in found[False] if each["id"] == id]
    flagged = bool(own) and (least == "note" or own[0]["severity"] in ALARMS)
    silent = not any(each["id"] == id or each["severity"] in ALARMS for each in found[True])
    said = {fixed: ", ".join(f"{each['severity']} {each['id']}" for each in found[fixed]) or "nothing" for fixed in found}
    return {"public": name, "id": id, "flagged": flagged, "silent": silent, "before": said[False], "after": said[True]}
