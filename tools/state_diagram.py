"""Draws the delivery states in docs/reference/delivery-states.md from the table in apps/deliveries/states.py.

`python -m tools.state_diagram` after a change of the table; a test fails while the two differ.
"""

from collections import defaultdict
from pathlib import Path

from apps.deliveries.states import TRANSITIONS, State

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "delivery-states.md"
BEGIN, END = "<!-- begin: python -m tools.state_diagram -->\n", "<!-- end -->\n"


def diagram() -> str:
    """The table as a Mermaid state diagram; edges between the same two states share an arrow."""
    arrows: dict[tuple[State, State], list[str]] = defaultdict(list)
    for (state, edge), target in TRANSITIONS.items():
        arrows[state, target].append(edge.value)
    lines = [f"    {state} --> {target}: {' · '.join(edges)}" for (state, target), edges in arrows.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {State.READY}", *lines, "```", ""])


def redrawn(page: str) -> str:
    """The page with its diagram made anew; raises ValueError where it has no place for one."""
    before, _, rest = page.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"the page needs the lines {BEGIN.strip()!r} and {END.strip()!r}")
    return f"{before}{BEGIN}{diagram()}{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(redrawn(PAGE.read_text()))
