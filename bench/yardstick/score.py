"""Recall, precision, right layer first and false alarms, from rows of judged cases. docs/doctor-yardstick.md defines them."""
import math

from yardstick.case import NOTE, NOTHING, WARNING

ALARMS = ("warning", "error")


def muted(rows, ids):
    """The rows as if the doctor had no rules of these ids."""
    def without(row):
        return {**row, "findings": [each for each in row["findings"] if each["id"] not in ids]}

    return [without(row) if "findings" in row else row for row in rows]


def own(row):
    return next((each for each in row["findings"] if each["id"] == row["id"]), None)


def is_hit(row):
    """Whether the injected id was named as loudly as it has to be."""
    found = own(row)
    return found is not None and (row["needs"] == NOTE or found["severity"] in ALARMS)


def alarms(row):
    """(right, false) warnings and errors of a seeded case. A consequence of the fault is neither."""
    right, false = [], []
    for each in row["findings"]:
        if each["severity"] not in ALARMS:
            continue
        if each["id"] == row["id"]:
            (right if row["needs"] == WARNING or row["may_warn"] else false).append(each)
        elif each["id"] not in row["consequences"]:
            false.append(each)
    return right, false


def names_layer(row):
    found = own(row)
    return found is not None and found["layer"] in row["first"]


def ratio(part, whole):
    return part / whole if whole else math.nan


def score(rows):
    """{"cases", "to_find", "found", "recall", "right", "false", "precision", "layer_first", "repaired", "gone"}"""
    to_find = [row for row in rows if row["needs"] != NOTHING]
    hits = [row for row in to_find if is_hit(row)]
    right = sum(len(alarms(row)[0]) for row in rows)
    false = sum(len(alarms(row)[1]) for row in rows)
    repaired = [row for row in hits if row["gone"] is not None]
    above = [row["loss_above_exact"] for row in hits if row["loss_above_exact"] is not None]
    return {
        "cases": len(rows), "to_find": len(to_find), "loud": sum(row["needs"] == WARNING for row in to_find),
        "found": len(hits), "recall": ratio(len(hits), len(to_find)), "right": right, "false": false,
        "precision": ratio(right, right + false), "layer_first": ratio(sum(map(names_layer, hits)), len(hits)),
        "repaired": len(repaired), "gone": sum(row["gone"] for row in repaired),
        "exact": len(above), "above_exact": None if not above else max(above, key=lambda x: math.inf if math.isnan(x) else x),
    }  # fmt: skip


def mistakes(rows):
    """[(row, what is wrong)]"""
    found = []
    for row in rows:
        if row["needs"] != NOTHING and not is_hit(row):
            said = own(row)
            found.append((row, "missed" if said is None else f"named as a {said['severity']} only"))
        elif row["needs"] != NOTHING and not names_layer(row):
            found.append((row, f"names {own(row)['layer'] or 'no layer'} first"))
        for each in alarms(row)[1]:
            found.append((row, f"false {each['severity']} {each['id']} at {each['layer']}"))
        if row["gone"] is False:
            found.append((row, "still there after the repair"))
        above = row["loss_above_exact"]
        if above is not None and not above <= 0.03:
            found.append((row, f"loss {above:.3g} above that by exact statistics after the repair"))
    return found


def number(value):
    return "-" if value is None or value != value else f"{value:.2f}"


def table(rows, ids):
    """Lines: one an id, then all."""
    lines = ["id    cases  to find  (loud)  found  recall  alarms right/false  layer first  gone after repair  above exact"]
    for id in [*ids, "all"]:
        of_id = [row for row in rows if id in ("all", row["id"])]
        if not of_id:
            continue
        s = score(of_id)
        above = "-" if s["above_exact"] is None else f"{s['above_exact']:+.3f}"
        lines.append(f"{id:5} {s['cases']:5}  {s['to_find']:7}  {s['loud']:6}  {s['found']:5}  {number(s['recall']):>6}  "
                     f"{s['right']:12}/{s['false']:<5}  {number(s['layer_first']):>11}  {s['gone']:8} of {s['repaired']:<5}  "
                     f"{above:>11}")  # fmt: skip
    return lines
