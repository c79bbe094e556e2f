"""`make chaos`: plays the cases, prints a table, writes JSON. ARGS="--only failover --events 5000" narrows it."""

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from tests.chaos.cases import CASES, SHORT, SHORT_EVENTS
from tests.chaos.play import Played, play
from tests.chaos.report import as_markdown, complaints
from tests.chaos.servers.own import Missing

EVENTS = 20_000


def main() -> int:
    args = _arguments()
    if args.list:
        print("\n".join(f"{name:22} {case.title}" for name, case in CASES.items()))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that our servers and processes go, too
    played: list[Played] = []
    failed, missing = [], []
    for name in args.only or (SHORT if args.short else CASES):
        try:
            played.append(_played(name, args))
        except Missing as error:
            missing.append(f"{name}: not played: {error}")
        except Exception as error:
            failed.append(f"{name}: {type(error).__name__}: {error}")
    failed += [complaints(one) for one in played if one.findings.faults]
    if args.json:
        Path(args.json).write_text(json.dumps([one.as_json() for one in played], indent=2) + "\n", encoding="utf-8")
    print("", as_markdown(played), "", *failed, *missing, sep="\n")
    required = os.environ.get("TRUNKLINE_REQUIRE_SERVICES") == "1"
    bad = len(failed) + (len(missing) if required else 0)
    print(f"{len(played) + len(failed) - bad} passed, {bad} failed, {0 if required else len(missing)} skipped")
    return 1 if bad else 0


def _played(name: str, args: argparse.Namespace) -> Played:
    events = args.events or (SHORT_EVENTS if args.short else EVENTS)
    case = CASES[name]
    times = case.times
    if times:  # else the receiver is the fault
        times = args.times or (SHORT.get(name, times) if args.short else times)
    print(f"{name}: {case.title} …", file=sys.stderr, flush=True)
    one = play(name, case, events=events, times=times, seed=args.seed)
    print(f"{as_markdown([one]).splitlines()[-1]} {one.seconds:.0f} s {one.answers}", file=sys.stderr, flush=True)
    return one


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(CASES), help="this case; may be repeated")
    parser.add_argument("--list", action="store_true", help="name the cases and end")
    parser.add_argument("--short", action="store_true", help="a few cases with few events, for CI")
    parser.add_argument("--events", type=int, help=f"of each case; {EVENTS} unless short")
    parser.add_argument("--times", type=int, help="how often each fault strikes")
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which faults strike")
    parser.add_argument("--json", help="write all that was found to this file too")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
