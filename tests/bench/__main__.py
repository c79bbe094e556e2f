"""`make bench`: plays the scenarios, prints a table, writes JSON. ARGS="--only calm --json FILE" narrows it."""

import argparse
import json
import signal
import sys
import time
from pathlib import Path

import psycopg

from tests.bench.bench import Bench
from tests.bench.rig import POSTGRES
from tests.bench.scenarios import SCENARIOS
from tests.bench.sizes import FULL, QUICK
from tests.bench.table import Row, as_markdown


def main() -> int:
    args = _arguments()
    if args.list:
        print("\n".join(SCENARIOS))
        return 0
    if not _postgres_reachable():
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that our databases and processes go, too
    rows: list[Row] = []
    failed = 0
    with Bench(QUICK if args.quick else FULL, args.engines) as bench:
        for name in args.only or SCENARIOS:
            failed += _play(bench, name, rows)
        rows += [Row("memory", f"peak MB of a {role} process", peak) for role, peak in bench.memory.peaks.items()]
    if args.json:
        Path(args.json).write_text(json.dumps([row.as_json() for row in rows], indent=2) + "\n", encoding="utf-8")
    print(as_markdown(rows))
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(SCENARIOS), help="this scenario; may be repeated")
    parser.add_argument("--list", action="store_true", help="name the scenarios and end")
    parser.add_argument("--quick", action="store_true", help="small counts, for a look or for CI")
    parser.add_argument("--engines", type=int, default=1, help="engines of Trunkline's in every scenario")
    parser.add_argument("--json", help="write the figures to this file too")
    return parser.parse_args()


def _postgres_reachable() -> bool:
    try:
        psycopg.connect(POSTGRES, connect_timeout=3).close()
    except psycopg.OperationalError as error:
        print(f"PostgreSQL: not reachable ({error}); the bare limit needs it, too", file=sys.stderr)
        return False
    return True


def _play(bench: Bench, name: str, rows: list[Row]) -> int:
    """1 if it broke: the others are played all the same."""
    began = time.monotonic()
    try:
        rows += SCENARIOS[name](bench)
    except Exception as error:
        print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return 1
    print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
