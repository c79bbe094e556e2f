"""Figures, what each is divided by, and the target; as a table for people and as JSON for programs."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. Without a `base` the target is for the value itself, otherwise for value / base."""

    scenario: str
    figure: str
    value: float
    base: float | None = None
    base_name: str = ""
    target: float | None = None
    at_most: bool = False  # the target is a ceiling: smaller is better

    @property
    def ratio(self) -> float | None:
        return self.value / self.base if self.base else None

    @property
    def passed(self) -> bool | None:
        """None where nothing is asked."""
        if self.target is None:
            return None
        reached = self.value if self.ratio is None else self.ratio
        return reached <= self.target if self.at_most else reached >= self.target

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "passed": self.passed}


def as_markdown(rows: Iterable[Row]) -> str:
    head = "| scenario | figure | Trunkline | beside it | ratio | target | |\n|---|---|---:|---:|---:|---:|---|"
    return "\n".join([head, *map(_line, rows)])


def _line(row: Row) -> str:
    base = f"{row.base:,.0f} ({row.base_name})" if row.base else "–"
    ratio = f"{row.ratio:.2f}" if row.ratio is not None else "–"
    target = f"{'≤' if row.at_most else '≥'} {row.target:g}" if row.target is not None else "–"
    mark = {None: "", True: "pass", False: "**fail**"}[row.passed]
    value = f"{row.value:,.1f}" if abs(row.value) < 100 else f"{row.value:,.0f}"
    return f"| {row.scenario} | {row.figure} | {value} | {base} | {ratio} | {target} | {mark} |"
