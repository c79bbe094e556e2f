"""Lists are walked by cursor: whole, in order, and undisturbed by what is written meanwhile."""

import pytest

from tests.integration.cast import Caller, an_event

pytestmark = pytest.mark.django_db


def ids_of(rows: list[dict[str, str]]) -> list[str]:
    return [row["id"] for row in rows]


def made(owner: Caller, count: int) -> list[str]:
    """Events in the order they came."""
    return [an_event(owner.project).public_id for _ in range(count)]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 250])
@pytest.mark.parametrize("ordering", ["created_at", "-created_at"])
def test_every_row_once_and_in_order(owner: Caller, limit: int, ordering: str) -> None:
    expected = made(owner, 7)
    pages = owner.pages(f"events?limit={limit}&ordering={ordering}")
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert 0 < len(pages[-1]) <= limit
    found = [row_id for page in pages for row_id in ids_of(page)]
    assert found == (expected if ordering == "created_at" else expected[::-1])


def test_an_empty_list_is_one_empty_page(owner: Caller) -> None:
    assert owner.get("events").body == {"data": [], "next": None}


def test_newest_first_and_fifty_unless_asked_otherwise(owner: Caller) -> None:
    expected = made(owner, 51)
    assert ids_of(owner.get("events").body["data"]) == expected[:0:-1]


def test_rows_written_while_somebody_walks_move_nothing(owner: Caller) -> None:
    before = made(owner, 4)
    first = owner.get("events?limit=2").body
    made(owner, 3)
    second = owner.get(first["next"]).body
    assert ids_of(first["data"]) + ids_of(second["data"]) == before[::-1]
    assert second["next"] is None


def test_oldest_first_finds_what_is_written_meanwhile(owner: Caller) -> None:
    before = made(owner, 3)
    first = owner.get("events?limit=2&ordering=created_at").body
    later = made(owner, 2)
    rest = owner.all(first["next"])
    assert ids_of(first["data"]) + ids_of(rest) == before + later


def test_next_keeps_the_filters_and_is_a_whole_url(owner: Caller) -> None:
    an_event(owner.project, type="user.made")
    for _ in range(3):
        an_event(owner.project, type="invoice.paid")
    first = owner.get("events?type=invoice.paid&limit=2").body
    assert first["next"].startswith("http://testserver/api/v1/events?")
    assert [row["type"] for row in owner.get(first["next"]).body["data"]] == ["invoice.paid"]


@pytest.mark.parametrize("limit", ["0", "251", "-1", "1.5", "ten", "", "٣", "0000000009999999", "1" * 5_000])
def test_limits_beyond_the_bounds(owner: Caller, limit: str) -> None:
    answer = owner.get(f"events?limit={limit}")
    assert (answer.status, answer.faults) == (422, [("?limit", "invalid")])


@pytest.mark.parametrize("cursor", ["x", "AAAA", "%00", "ü", "evt_01h455vb4pex5vsknk084sn02q", "A" * 5_000])
def test_cursors_nobody_gave(owner: Caller, cursor: str) -> None:
    answer = owner.get(f"events?cursor={cursor}")
    assert (answer.status, answer.faults) == (422, [("?cursor", "invalid")])


@pytest.mark.parametrize("ordering", ["id", "data", "-received_at", "created_at,id", ""])
def test_orders_there_are_not(owner: Caller, ordering: str) -> None:
    answer = owner.get(f"events?ordering={ordering}")
    assert (answer.status, answer.faults) == (422, [("?ordering", "invalid")])


def test_a_cursor_of_another_project_opens_nothing(owner: Caller, stranger: Caller) -> None:
    made(stranger, 3)
    theirs = stranger.get("events?limit=1").body["next"]
    assert owner.get(theirs).body == {"data": [], "next": None}


@pytest.mark.parametrize("cursor", ["A" * 22, "_" * 21 + "w", "ASNFZ4mrze8BI0VniavN7w"])
def test_cursors_that_somebody_made_up_do_no_harm(owner: Caller, cursor: str) -> None:
    """They decode to UUIDs of no version, which MariaDB's type doesn't know how to place."""
    expected = made(owner, 2)
    for ordering in ("created_at", "-created_at"):
        answer = owner.get(f"events?cursor={cursor}&ordering={ordering}")
        assert answer.status == 200
        assert set(ids_of(answer.body["data"])) <= set(expected)
