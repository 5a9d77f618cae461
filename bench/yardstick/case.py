"""A model with one fault, and what is true of it whatever the doctor says."""
import math

import bnlab
from yardstick import truth

NOTE, WARNING, NOTHING = "note", "warning", "nothing"


class Case:
    """
    model: what the doctor is given, with `loader` and `options`.
    layers: the layers that carry the fault, in order of execution; `first` are those of them that may be named first.
    faulty, sound: held-out losses with the fault and without it; None where the fault has no loss of its own.
    needs: what the doctor has to say at least: WARNING, NOTE, or None, which leaves it to the harm.
    may_warn: whether a warning is right though there is no harm.
    consequences: ids that are true too, since the fault causes them.
    mend: mend(report) applies by hand what the report's remedy says, where it has no method for it, and returns a new
        report.
    """

    def __init__(self, base, model, layers, what, *, faulty=None, sound=None, needs=None, may_warn=False, loader=None,
                 consequences=(), mend=None, first=None, statistics=False, **options):  # fmt: skip
        self.base, self.model, self.layers, self.what = base, model, list(layers), what
        self.first = list(first) if first is not None else self.layers[:1]
        self.harm = 0.0 if faulty is None else truth.harm_of(faulty, sound)
        self.sound = sound
        self.may_warn, self.consequences, self.mend = may_warn, set(consequences), mend
        self.statistics = statistics  # its repair is judged by the loss with exact statistics
        self.loader = base.loader if loader is None else loader
        self.options = options
        harms = not self.harm < truth.HARM
        self.needs = WARNING if harms or needs == WARNING else needs or NOTHING

    def examine(self, **options):
        return bnlab.doctor(self.model, self.loader, **{**self.options, **options})

    def facts(self):
        return {"what": self.what, "layers": self.layers, "first": self.first, "needs": self.needs, "may_warn": self.may_warn,
                "consequences": sorted(self.consequences), "harm": self.harm if math.isfinite(self.harm) else "Infinity"}  # fmt: skip


def findings_of(report):
    return [{"id": each.id, "severity": each.severity, "layer": each.layer, "others": each.others,
             "damage": each.damage if each.damage is None or math.isfinite(each.damage) else str(each.damage)}
            for each in report.findings]  # fmt: skip


def judge(id, case):
    """Asks the doctor, makes the repair that it prints, and asks again. A row, as JSON."""
    report = case.examine()
    row = {"id": id, "topology": case.base.topology, "seed": case.base.seed, **case.facts(), "findings": findings_of(report)}
    found = next((each for each in report.findings if each.id == id), None)
    row["gone"] = row["loss_above_exact"] = None
    if found is None or case.needs == NOTHING:
        return row
    if case.mend is not None:
        again = case.mend(report)
    elif found.repair:
        repair = getattr(report, found.repair)()
        row["repair"] = {"name": found.repair, "undone": repair.undone, "why": repair.why}
        again = report.again()
        if case.statistics:
            row["loss_above_exact"] = truth.loss_of(case.model.eval(), case.base.data.held_out) - case.sound
    else:
        return row
    still = [each.severity for each in again.findings if each.id == id]
    row["gone"] = not still if case.needs == NOTE else set(still) <= {"note"}
    row["after"] = findings_of(again)
    return row
