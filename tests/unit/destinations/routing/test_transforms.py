"""Transformations in their worker processes: what they make, what is refused, and that nothing they do does harm."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import pytest

from apps.destinations.routing.jobs import Facts, Transform
from apps.destinations.routing.transforms import LARGEST, TransformFailed, check_transform, transformed
from apps.destinations.routing.workers import ROOT, Unavailable, Worker, Workers
from apps.kernel.errors import Invalid

DATA = {"items": [{"p": 1}, {"p": 2}], "name": 'Ann "A" <b>', "big": 12345678901234567890123, "l": [1, 2, 3]}
EVENT = Facts("invoice.paid", datetime(2026, 3, 4, tzinfo=UTC), json.dumps(DATA).encode(), id="evt_1", consumer="acme")
BOUND = 10.0  # seconds, with the start of a worker on a busy machine; the job itself has 250 ms of CPU time


@pytest.fixture(scope="module")
def two() -> Iterator[Workers]:
    workers = Workers(2)
    yield workers
    workers.close()


def made(two: Workers, **fields: Any) -> Any:
    return json.loads(transformed(Transform(**fields), EVENT, by=two))


PATHS: list[tuple[str, object]] = [
    ("items[].p", [1, 2]),
    ("{n: name, b: big}", {"n": 'Ann "A" <b>', "b": 12345678901234567890123}),
    ("missing", None),
    ("sort_by(items, &p)[-1]", {"p": 2}),
]


@pytest.mark.parametrize(("path", "expected"), PATHS)
def test_paths(two: Workers, path: str, expected: object) -> None:
    assert made(two, jmespath=path) == expected


TEMPLATES: list[tuple[str, object]] = [
    ('{"text": {{ event.data.name | tojson }}}', {"text": 'Ann "A" <b>'}),
    ("{{ event.data | tojson }}", DATA),
    ("{{ event.data.items | length }}", 2),  # the event's own, and no method of ours
    ("[{% for i in event.data.l %}{{ i * 2 }}{% if not loop.last %},{% endif %}{% endfor %}]", [2, 4, 6]),
    ("{{ event.data.a.b.c | default(none) | tojson }}", None),
    ("{{ [event.id, event.type, event.time, event.consumer, event.source] | tojson }}",
     ["evt_1", "invoice.paid", "2026-03-04T00:00:00.000000Z", "acme", ""]),
]  # fmt: skip


@pytest.mark.parametrize(("template", "expected"), TEMPLATES)
def test_templates(two: Workers, template: str, expected: object) -> None:
    assert made(two, template=template) == expected


def test_a_raw_body_may_be_any_text(two: Workers) -> None:
    transform = Transform(template="Hi {{ event.data.name }}\n!", raw=True, content_type="text/plain")
    assert transformed(transform, EVENT, by=two) == b'Hi Ann "A" <b>\n!'


def test_the_same_event_gives_the_same_bytes_from_any_worker(two: Workers) -> None:
    transform = Transform(template="{{ event | tojson }}{# {{ range(3) }} #}")
    other = Workers(1)
    assert transformed(transform, EVENT, by=two) == transformed(transform, EVENT, by=other)
    other.close()


FAILING: list[tuple[dict[str, Any], str]] = [
    ({"jmespath": "sum(name)"}, "invalid type"),
    ({"template": "{{ event.data.missing }}"}, "no attribute 'missing'"),
    ({"template": "\n{{ 1 / 0 }}"}, "line 2: division by zero"),
    ({"template": "hello"}, "the result is no JSON: "),
    ({"template": '{"a": 1, "a": 2}'}, "twice"),
    ({"template": '{% include "x" %}'}, "no loader"),
    ({"template": "{{ lipsum() }}"}, "undefined"),
]
BOMBS: list[tuple[dict[str, Any], str]] = [
    ({"jmespath": " | ".join(["[@,@]"] * 60)}, "took more than 250 ms"),
    ({"jmespath": " | ".join(["[@,@][]"] * 60)}, "took more than 250 ms"),
    ({"jmespath": " | ".join(["[@,@]"] * 16)}, "at most 1000000 are taken"),
    ({"template": "{{ 'a' * 10 ** 9 }}"}, "too much memory"),
    ({"template": "{{ event.data.l[0] * 10 ** (10 ** 9) }}"}, "took more than 250 ms"),
    ({"template": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"}, "took more"),
    ({"template": "{{ range(10 ** 9) | list }}"}, "Range too big"),
    ({"template": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"}, "too much depth"),
    ({"template": "{% for x in event.data.l recursive %}{{ loop(event.data.l) }}{% endfor %}"}, "too much depth"),
    ({"template": "{{ 'a' | center(10 ** 9) }}"}, "too much memory"),
    ({"template": "{{ '%1000000000d' | format(1) }}"}, "too much memory"),
    ({"template": "{{ 'a' * 2000000 }}", "raw": True, "content_type": "text/plain"}, "at most 1000000 are taken"),
]
ESCAPES = [
    "{{ event.__class__.__mro__ }}",
    "{{ ''['__class__'] }}",
    "{{ ''|attr('__class__') }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ event.data.update({'a': 1}) }}",
    "{{ event.data.l.append(4) }}",
]


@pytest.mark.parametrize(("fields", "said"), FAILING + BOMBS, ids=range(len(FAILING + BOMBS)))
def test_failures_are_told_in_bounded_time(two: Workers, fields: dict[str, Any], said: str) -> None:
    began = time.monotonic()
    with pytest.raises(TransformFailed) as failure:
        transformed(Transform(**fields), EVENT, by=two)
    assert said in str(failure.value)
    assert time.monotonic() - began < BOUND
    assert made(two, jmespath="name") == DATA["name"], "the next one has a worker"


@pytest.mark.parametrize("template", ESCAPES)
def test_no_way_out_of_the_sandbox(two: Workers, template: str) -> None:
    with pytest.raises(TransformFailed, match=r"not allowed|undefined|no attribute"):
        transformed(Transform(template=template), EVENT, by=two)


def test_much_data_is_not_even_sent(two: Workers) -> None:
    large = Facts("a", EVENT.time, b'"' + b"a" * LARGEST + b'"')
    with pytest.raises(TransformFailed, match="at most"):
        transformed(Transform(jmespath="@"), large, by=two)


REFUSED: list[tuple[object, str, str]] = [
    ({"jmespath": "a..b"}, "/transform/jmespath", "column 3: "),
    ({"jmespath": "a | 'x"}, "/transform/jmespath", "column 5: "),
    ({"jmespath": "nope(@)"}, "/transform/jmespath", "no function nope"),
    ({"jmespath": "(" * 3_000}, "/transform/jmespath", "too much depth"),
    ({"jmespath": "a" * 4_001}, "/transform/jmespath", "longer than"),
    ({"template": "\n\n{{ a b }}"}, "/transform/template", "line 3: "),
    ({"template": "{{ 'a' | random }}"}, "/transform/template", "No filter named 'random'"),
    ({"template": "a" * 20_001}, "/transform/template", "longer than"),
    ({"template": "a", "jmespath": "a"}, "/transform", "one of"),
    ({"raw": True}, "/transform", "one of"),
    ([], "/transform", "object"),
]


@pytest.mark.parametrize(("value", "pointer", "said"), REFUSED, ids=range(len(REFUSED)))
def test_refused_at_save(two: Workers, value: object, pointer: str, said: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_transform(value, by=two)
    [fault] = refusal.value.faults
    assert fault.pointer == pointer
    assert said in fault.detail


def test_what_is_folded_when_it_is_compiled_is_bounded_too(two: Workers) -> None:
    """Jinja evaluates constants as it compiles; wherever that happens, it is in a worker."""
    began = time.monotonic()
    check_or_refuse(two, "{{ 10 ** (10 ** 9) }}")
    assert time.monotonic() - began < BOUND


def check_or_refuse(two: Workers, template: str) -> None:
    with pytest.raises(Invalid, match="not valid"):
        check_transform({"template": template}, by=two)


def test_a_bomb_does_not_hold_up_another_worker(two: Workers) -> None:
    bomb = Transform(template="{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}")
    failures: list[str] = []

    def burn() -> None:
        try:
            transformed(bomb, EVENT, by=two)
        except TransformFailed as failure:
            failures.append(str(failure))

    made(two, jmespath="name")
    burning = Thread(target=burn)
    burning.start()
    for _ in range(20):
        assert made(two, jmespath="name") == DATA["name"]
    burning.join()
    assert failures == ["took more than 250 ms"]


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_one_that_was_killed_is_replaced_and_the_job_not_blamed(by: signal.Signals) -> None:
    one = Workers(1)
    assert made(one, jmespath="name") == DATA["name"]
    worker = one._idle.get()
    assert worker
    one._idle.put(worker)
    os.kill(worker.pid, by)
    with pytest.raises(Unavailable, match="was ended"):
        made(one, jmespath="name")
    assert made(one, jmespath="name") == DATA["name"]
    one.close()


def test_a_worker_knows_nothing_of_ours() -> None:
    worker = Worker()
    with open(f"/proc/{worker.pid}/environ", "rb") as file:
        names = {entry.partition(b"=")[0] for entry in file.read().split(b"\x00") if entry}
    with open(f"/proc/{worker.pid}/maps") as file:
        loaded = file.read()
    worker.close()
    assert not {name for name in names if name.startswith((b"TRUNKLINE", b"DATABASE", b"DJANGO", b"SECRET"))}
    assert "psycopg" not in loaded
    assert "cel_expr" not in loaded, "is loaded for filters only"


def test_a_worker_ends_with_who_started_it() -> None:
    code = "from apps.destinations.routing.workers import Worker; w = Worker(); print(w.pid, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        with open(f"/proc/{pid}/stat") as _:
            parent.kill()
    until = time.monotonic() + BOUND
    while os.path.exists(f"/proc/{pid}/fd/0") and time.monotonic() < until:
        os.sched_yield()
    assert not os.path.exists(f"/proc/{pid}/fd/0")
