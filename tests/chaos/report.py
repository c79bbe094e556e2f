"""What was played, as a table for people."""

from collections.abc import Iterable

from tests.chaos.play import Played

HEAD = (
    "| fault | struck | events | lost | duplicated | flows again in | all delivered in | |\n"
    "|---|---:|---:|---:|---:|---:|---:|---|"
)


def as_markdown(played: Iterable[Played]) -> str:
    return "\n".join([HEAD, *map(_line, played)])


def _line(one: Played) -> str:
    found = one.findings
    flows = "–" if found.flows_again is None else f"{found.flows_again:.1f} s"
    mark = f"**{', '.join(found.faults)}**" if found.faults else "pass"
    return (
        f"| {one.title} | {one.struck:,} | {one.events:,} | {len(found.lost)} | {found.duplicated} | {flows} "
        f"| {one.settled_in:.1f} s | {mark} |"
    )


def complaints(one: Played) -> str:
    """What is wrong, by example."""
    return "\n".join(
        f"{one.name}: {name}: {len(examples)}: {'; '.join(examples[:5])}"
        for name, examples in one.findings.faults.items()
    )
