"""What the doctor says, to be read, stored and acted upon."""
import json
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Union

from bnlab.doctor import library, page, repair


class Finding(NamedTuple):
    id: str
    title: str
    severity: str  # "error", "warning" or "note"
    layer: str  # where it begins; "" for the whole model
    others: List[str]  # further layers that have it
    evidence: str
    remedy: str
    repair: str  # the report's method that does it, or ""
    damage: Optional[float]  # loss that the remedy recovers, measured; infinite if the loss is not finite


class NotChecked(NamedTuple):
    id: str
    title: str
    why: str


class Report(repair.Repairs):
    """findings, the worst first; not_checked; facts (what was measured, as JSON). print() shows it.

    recalibrate(), freeze(), fold() and set_momentum() mend the model; again() looks a second time.
    """

    def __init__(self, collected: Any, again: Callable[[], "Report"], baseline: Union[str, Path, None] = None) -> None:
        super().__init__(collected)
        self.facts: Dict[str, Any] = collected.facts
        self.again = again
        self._data = library.examine(self.facts)
        if baseline is not None:
            self._accept(baseline)

    @property
    def findings(self) -> List[Finding]:
        return [Finding(**{**each, "damage": _damage(each["damage"])}) for each in self._data["findings"]]

    @property
    def not_checked(self) -> List[NotChecked]:
        return [NotChecked(**each) for each in self._data["not_checked"]]

    @property
    def exit_code(self) -> int:
        """3 if there is an error or a warning, else 0; as python -m bnlab.doctor ends."""
        return 3 if any(finding.severity != "note" for finding in self.findings) else 0

    def __str__(self) -> str:
        return library.write(self._data, "text").rstrip("\n")

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return page.body(self._data, self.facts)

    def to_json(self) -> str:
        """The report, schema version 1: docs/doctor.md."""
        return json.dumps(self._data, indent=2, allow_nan=False)

    def to_sarif(self) -> str:
        return library.write(self._data, "sarif")

    def to_html(self) -> str:
        """A page that needs no other file."""
        return page.whole(self._data, self.facts)

    def to_baseline(self) -> str:
        """All findings of now, to be accepted: doctor(..., baseline=FILE) does not name them again."""
        return library.write(self._data, "baseline")

    def _accept(self, baseline: Union[str, Path]) -> None:
        try:
            self._data = library.accept(self._data, Path(baseline).read_text())
        except ValueError as error:
            why = str(error).replace("bnlab.doctor: ", "")
            raise ValueError(f"bnlab.doctor: {baseline} is no baseline: {why}. Report.to_baseline() makes one.") from error


def _damage(value: Any) -> Optional[float]:
    return value if value is None else float(value)  # "Infinity" too
