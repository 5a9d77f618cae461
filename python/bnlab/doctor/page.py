"""The report as HTML: the findings, and for each layer the running statistics against the data's."""
import html
import math
from typing import Any, Dict, List, Optional

_STYLE = (
    ".bnlab-doctor{font:14px/1.45 system-ui,sans-serif;max-width:60em;color:#222;background:#fff;padding:.5em 1em}"
    ".bnlab-doctor li{margin:.6em 0}.bnlab-doctor .error{color:#b00020}.bnlab-doctor .warning{color:#8a5a00}"
    ".bnlab-doctor .note{color:#555}.bnlab-doctor figure{display:inline-block;margin:.3em;vertical-align:top}"
    ".bnlab-doctor figcaption{font-size:11px;max-width:120px;overflow-wrap:anywhere}"
)
_SIDE = 120


def whole(report: Dict[str, Any], facts: Dict[str, Any]) -> str:
    title = f"bnlab doctor: {html.escape(report['model'])}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>\n'
        f"<body>{body(report, facts)}</body></html>\n"
    )


def body(report: Dict[str, Any], facts: Dict[str, Any]) -> str:
    parts = [f'<style>{_STYLE}</style><div class="bnlab-doctor"><h2>bnlab doctor: {html.escape(report["model"])}</h2>']
    losses = report["losses"]
    if losses is not None:
        words = ", ".join(f"{_number(losses[key])} by {name}" for key, name in (
            ("running", "running statistics"), ("batch", "the batches' own"), ("exact", "exact ones")
        ))  # fmt: skip
        parts.append(f"<p>Loss ({html.escape(losses['kind'])}): {words}.</p>")
    parts.append("<ol>" + "".join(map(_finding, report["findings"])) + "</ol>")
    if not report["findings"]:
        parts.append("<p>Nothing found.</p>")
    parts.append(_figures(facts))
    skipped = "".join(f"<li>{each['id']} {html.escape(each['title'])}: {html.escape(each['why'])}</li>"
                      for each in report["not_checked"])  # fmt: skip
    return "".join(parts) + f"<details><summary>Not checked</summary><ul>{skipped}</ul></details></div>"


def _number(value: Any) -> str:
    return "not taken" if value is None else value if isinstance(value, str) else f"{value:.4g}"


def _finding(finding: Dict[str, Any]) -> str:
    places = [place for place in [finding["layer"], *finding["others"]] if place]
    where = f" in <code>{html.escape(', '.join(places))}</code>" if places else ""
    damage = finding["damage"]
    cost = "" if damage is None else f" (costs {_number(damage)} of loss)"
    repair = f" <code>report.{finding['repair']}()</code>" if finding["repair"] else ""
    return (
        f'<li><b class="{finding["severity"]}">{finding["severity"]} {finding["id"]} {html.escape(finding["title"])}</b>{cost}'
        f"{where}<br>{html.escape(finding['evidence'])}<br><i>{html.escape(finding['remedy'])}</i>{repair}</li>"
    )


def _figures(facts: Dict[str, Any]) -> str:
    drawn = []
    for layer in facts["layers"]:
        if "inputs" in layer and "running_mean" in layer:
            drawn.append(_figure(layer))
    if not drawn:
        return ""
    return (
        "<h3>Running statistics against the data</h3><p>A point a channel: across, the mean of the data (circle) and the "
        "logarithm of the deviation (cross); up, the running one, both relative to the layer's spread. On the diagonal they "
        f"agree.</p><div>{''.join(drawn)}</div>"
    )


def _figure(layer: Dict[str, Any]) -> str:
    values = {key: [_float(each) for each in layer[key]] for key in ("running_mean", "running_var")}
    eps = layer["eps"]
    deviations = [math.sqrt(max(0.0, each) + eps) if math.isfinite(each) else math.nan
                  for each in map(_float, layer["inputs"]["var_biased"])]  # fmt: skip
    running = [math.sqrt(each + eps) if each + eps > 0 else math.nan for each in values["running_var"]]
    unit = sorted(each for each in deviations if each == each)[len(deviations) // 2] if any(map(math.isfinite, deviations)) else 1
    means = [_float(each) / unit if unit else math.nan for each in layer["inputs"]["mean"]]
    points = _points(means, [each / unit if unit else math.nan for each in values["running_mean"]], "circle")
    logs = [_log(each / unit) if unit else math.nan for each in deviations]
    points += _points(logs, [_log(each / unit) if unit else math.nan for each in running], "cross")
    name = html.escape(layer["name"])
    return (
        f'<figure><svg width="{_SIDE}" height="{_SIDE}" role="img" aria-label="{name}: running against data">'
        f'<rect width="{_SIDE}" height="{_SIDE}" fill="#f6f6f6"/><path d="M0 {_SIDE}L{_SIDE} 0" stroke="#bbb"/>{points}</svg>'
        f"<figcaption>{name}</figcaption></figure>"
    )


def _float(value: Any) -> float:
    return float(value)  # "NaN" and "Infinity" too


def _log(value: float) -> float:
    return math.log(value) if value > 0 and math.isfinite(value) else math.nan


def _at(value: float) -> Optional[float]:
    """Between 0 and 1, 1/2 for 0."""
    return math.atan(value) / math.pi + 0.5 if value == value else None


def _points(across: List[float], up: List[float], shape: str) -> str:
    drawn = []
    for x, y in zip(map(_at, across), map(_at, up)):
        if x is None or y is None:
            continue
        left, top = round(_SIDE * x, 1), round(_SIDE * (1 - y), 1)
        drawn.append(f'<circle cx="{left}" cy="{top}" r="2" fill="#1565c0" fill-opacity=".5"/>' if shape == "circle"
                     else f'<path d="M{left - 2} {top}h4m-2 -2v4" stroke="#c62828"/>')  # fmt: skip
    return "".join(drawn)
