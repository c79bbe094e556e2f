"""`make bench`: plays the scenarios, prints a table, writes JSON. ARGS="--only calm --json FILE" narrows it."""

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path

import psycopg

from tests.bench.rig import POSTGRES, Bare, Rig, Sink, fresh_postgres, sink, trunkline
from tests.bench.scenarios import SCENARIOS, Figures, Size

SIZES = {
    "bare limit": Size(ingest=30_000, drain=0, both=20_000, calm=3_000, rate=500),
    "Trunkline on PostgreSQL": Size(ingest=4_000, drain=16_000, both=3_000, calm=1_000, rate=100),
    "Trunkline on SQLite": Size(ingest=2_000, drain=8_000, both=1_500, calm=1_000, rate=50),
}


def main() -> int:
    args = _arguments()
    table: dict[str, Figures] = {}
    for name in SIZES if _postgres_reachable() else ["Trunkline on SQLite"]:
        table[name] = {}
        for scenario in args.only or SCENARIOS:
            table[name] |= _play(name, scenario)
            print(f"{name}: {scenario} done", file=sys.stderr, flush=True)
    if args.json:
        Path(args.json).write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    print(as_markdown(table))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(SCENARIOS), help="this scenario; may be repeated")
    parser.add_argument("--json", help="write the figures to this file too")
    return parser.parse_args()


def _postgres_reachable() -> bool:
    try:
        psycopg.connect(POSTGRES, connect_timeout=3).close()
    except psycopg.OperationalError as error:
        print(f"PostgreSQL: not reachable ({error}); the bare limit needs it too, so SQLite only", file=sys.stderr)
        return False
    return True


def _play(name: str, scenario: str) -> Figures:
    """One scenario on a database of its own."""
    with ExitStack() as stack:
        receiver = stack.enter_context(sink())
        rig = _rig(name, receiver, stack)
        return SCENARIOS[scenario](rig, receiver, SIZES[name])


def _rig(name: str, receiver: Sink, stack: ExitStack) -> Rig:
    if name == "Trunkline on SQLite":
        return stack.enter_context(trunkline(None, receiver))
    url = stack.enter_context(fresh_postgres())
    return Bare(url, receiver) if name == "bare limit" else stack.enter_context(trunkline(url, receiver))


def as_markdown(table: dict[str, Figures]) -> str:
    """A row per figure, a column per system, and for each the ratio to the bare limit."""
    names, bare = list(table), table.get("bare limit", {})
    rows = ["| | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for figure in dict.fromkeys(figure for figures in table.values() for figure in figures):
        cells = [_cell(table[name].get(figure), bare.get(figure), name == "bare limit") for name in names]
        rows.append(f"| {figure} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _cell(value: float | None, bare: float | None, is_bare: bool) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if is_bare or not bare else f"{value:,.0f} ({value / bare:.2f} ×)"


if __name__ == "__main__":
    raise SystemExit(main())
