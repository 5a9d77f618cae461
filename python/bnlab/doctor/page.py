"""The report as HTML: the findings, and for each layer the running statistics against the data's."""
import html
import math
from typing import Any, Dict, List, Optional

_STYLE = (
    ".bnlab-doctor{font:14px/1.45 system-ui,sans-serif;max-width:60em;color:#222;background:#fff;padding:.5em 1em}"
    ".bnlab-doctor li{margin:.6em 0}.bnlab-doctor .error{color:#b00020}.bnlab-doctor .warning{color:#8a5a00}"
    ".bnlab-doctor .note{color:#555}.bnlab-doctor figure{display:inline-block;margin:.3em;vertical-align:top}"
    ".bnlab-doctor figcaption{font-size:11px;max-width:120px;overflow-wrap:anywhere}"
    ".bnlab-doctor figure{padding:3px;border:2px solid transparent}.bnlab-doctor figure.first{border-color:#b00020}"
    ".bnlab-doctor .mean{color:#1565c0}.bnlab-doctor .deviation{color:#c62828}"
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
    parts.append(_figures(report, facts))
    skipped = "".join(f"<li>{each['id']} {html.escape(each['title'])}: {html.escape(each['why'])}</li>"
                      for each in report["not_checked"])  # fmt: skip
    return "".join(parts) + f"<details><summary>Not checked</summary><ul>{skipped}</ul></details></div>"


def _number(value: Any) -> str:
    return "not taken" if value is None else value if isinstance(value, str) else f"{value:.4g}"


def _short(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.2g}"


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


def _figures(report: Dict[str, Any], facts: Dict[str, Any]) -> str:
    departures = {layer["name"]: layer for layer in report["layers"]}
    first = report["first_departing"]
    drawn = [
        _figure(layer, departures[layer["name"]], layer["name"] == first)
        for layer in facts["layers"]
        if "inputs" in layer and "running_mean" in layer
    ]
    if not drawn:
        return ""
    data = "the data, with exact statistics in all layers before" if any("exact_mean" in layer for layer in facts["layers"]) \
        else "the data that reach it"  # fmt: skip
    begins = (
        "No layer departs by more than chance."
        if first is None
        else f"The trouble begins at <code>{html.escape(first)}</code>, in the red frame, the first whose running statistics are far "
        "from those of its inputs. Layers behind it get inputs that are wrong already."
    )
    return (
        f"<h3>Running statistics against the data</h3><p>A drawing a layer, in order of execution; a point a channel. Across: "
        f'{data}; up: the running statistics. <b class="mean">Circles</b> are means, in units of the layer\'s middle deviation; '
        '<b class="deviation">crosses</b> are logarithms of the deviation over that unit. Both axes are squeezed at their ends, '
        f"so that all points are in sight. On the diagonal the two agree. {begins}</p><div>{''.join(drawn)}</div>"
    )


def _figure(layer: Dict[str, Any], departure: Dict[str, Any], is_first: bool) -> str:
    exact = "exact_mean" in layer and "exact_var_biased" in layer
    data_mean = layer["exact_mean"] if exact else layer["inputs"]["mean"]
    data_var = layer["exact_var_biased"] if exact else layer["inputs"]["var_biased"]
    eps = layer["eps"]
    deviations = [_root(_float(each) + eps) for each in data_var]
    running = [_root(_float(each) + eps) for each in layer["running_var"]]
    known = sorted(each for each in deviations if 0 < each < math.inf)
    unit = known[len(known) // 2] if known else 1.0
    points = _points([_float(each) / unit for each in data_mean], [_float(each) / unit for each in layer["running_mean"]], "circle")
    points += _points([_log(each / unit) for each in deviations], [_log(each / unit) for each in running], "cross")
    name = html.escape(layer["name"])
    far = "" if departure["departure"] is None else f"<br>departs by {_short(departure['departure'])} deviations"
    frame = ' class="first"' if is_first else ""
    mark = "<b>first that departs</b><br>" if is_first else ""
    return (
        f'<figure{frame}><svg width="{_SIDE}" height="{_SIDE}" role="img" aria-label="{name}: running against data">'
        f'<rect width="{_SIDE}" height="{_SIDE}" fill="#f6f6f6"/><path d="M0 {_SIDE}L{_SIDE} 0" stroke="#bbb"/>{points}</svg>'
        f"<figcaption>{mark}<code>{name}</code>{far}</figcaption></figure>"
    )


def _float(value: Any) -> float:
    return float(value)  # "NaN" and "Infinity" too


def _root(value: float) -> float:
    return math.sqrt(value) if value >= 0 else math.nan


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
