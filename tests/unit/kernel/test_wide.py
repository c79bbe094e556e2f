"""Wide lines in sets: what comes out is what logging each alone would have given."""

import json
from typing import Any

from apps.kernel import wide
from config.settings.logs import _as_json


class Recorder:
    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def info(self, event: str, **fields: Any) -> None:
        self.records.append({"event": event, **fields})


def test_one_record_carries_a_line_for_each() -> None:
    log = Recorder()
    wide.tell(log, "delivery.attempted", [{"n": 1}, {"n": 2}])
    [record] = log.records
    lines = wide.rendered(_as_json)(None, "info", {**record, "level": "info"}).split("\n")
    assert [json.loads(line) for line in lines] == [
        {"event": "delivery.attempted", "level": "info", "n": 1},
        {"event": "delivery.attempted", "level": "info", "n": 2},
    ]


def test_an_empty_set_says_nothing() -> None:
    log = Recorder()
    wide.tell(log, "delivery.attempted", [])
    assert log.records == []


def test_a_single_line_stays_a_single_line() -> None:
    assert json.loads(wide.rendered(_as_json)(None, "info", {"event": "x", "text": "a\nb"})) == {
        "event": "x",
        "text": "a\nb",
    }


def test_what_json_can_not_hold_is_told_all_the_same() -> None:
    assert json.loads(_as_json(None, "info", {"event": "x", "half": "\ud800", "thing": {1, 2}})) is not None
