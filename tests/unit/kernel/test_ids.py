"""Public ids are TypeIDs; the examples are the specification's own (spec/valid.yml and invalid.yml, version 0.3)."""

import itertools
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.kernel import ids

HOUR = 3_600.0
VALID = [
    ("00000000000000000000000000", "00000000-0000-0000-0000-000000000000"),
    ("00000000000000000000000001", "00000000-0000-0000-0000-000000000001"),
    ("0000000000000000000000000a", "00000000-0000-0000-0000-00000000000a"),
    ("0000000000000000000000000g", "00000000-0000-0000-0000-000000000010"),
    ("00000000000000000000000010", "00000000-0000-0000-0000-000000000020"),
    ("7zzzzzzzzzzzzzzzzzzzzzzzzz", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    ("0123456789abcdefghjkmnpqrs", "0110c853-1d09-52d8-d73e-1194e95b5f19"),
    ("01h455vb4pex5vsknk084sn02q", "01890a5d-ac96-774b-bcce-b302099a8057"),
]
INVALID = {
    "empty": "",
    "prefix alone": "prefix",
    "no suffix": "prefix_",
    "no prefix": "00000000000000000000000000",
    "separator without prefix": "_00000000000000000000000000",
    "another prefix": "another_00000000000000000000000000",
    "prefix in capitals": "PREFIX_00000000000000000000000000",
    "prefix and more": "prefix_prefix_00000000000000000000000000",
    "suffix too short": "prefix_1234567890123456789012345",
    "suffix too long": "prefix_123456789012345678901234567",
    "suffix with a space": "prefix_1234567890123456789012345 ",
    "suffix in capitals": "prefix_0123456789ABCDEFGHJKMNPQRS",
    "suffix with hyphens": "prefix_123456789-123456789-123456",
    "suffix of another alphabet": "prefix_ooooooiiiiiiuuuuuuulllllll",
    "ambiguous letters": "prefix_i23456789ol23456789oi23456",
    "beyond 128 bits": "prefix_8zzzzzzzzzzzzzzzzzzzzzzzzz",
    "digits of another script": "prefix_0000000000000000000000000٣",
}


@pytest.mark.parametrize(("suffix", "uuid"), VALID)
def test_specification_examples(suffix: str, uuid: str) -> None:
    assert ids.encode("prefix", UUID(uuid)) == f"prefix_{suffix}"
    assert ids.decode("prefix", f"prefix_{suffix}") == UUID(uuid)


@pytest.mark.parametrize("text", INVALID.values(), ids=INVALID.keys())
def test_refusals(text: str) -> None:
    with pytest.raises(ids.InvalidId, match="prefix_…"):
        ids.decode("prefix", text)


@given(st.uuids(), st.sampled_from(["evt", "dlv", "a_b"]))
def test_round_trip(uuid: UUID, prefix: str) -> None:
    assert ids.decode(prefix, ids.encode(prefix, uuid)) == uuid


@given(st.integers(0, 2**128 - 1))
def test_each_character_stands_for_five_bits(number: int) -> None:
    chars = (ids.ALPHABET[number >> 5 * place & 31] for place in reversed(range(ids.LENGTH)))
    assert ids.encode("evt", UUID(int=number)) == f"evt_{''.join(chars)}"


@given(st.uuids(), st.uuids())
def test_text_sorts_as_the_uuid_does(one: UUID, other: UUID) -> None:
    assert (ids.encode("evt", one) < ids.encode("evt", other)) == (one < other)


@given(st.text())
def test_whatever_decodes_is_spelled_as_encode_spells_it(suffix: str) -> None:
    try:
        uuid = ids.decode("evt", f"evt_{suffix}")
    except ids.InvalidId:
        return
    assert ids.encode("evt", uuid) == f"evt_{suffix}"


def test_new_uuids_are_version_7_and_ascend() -> None:
    made = [ids.new_uuid() for _ in range(1_000)]
    assert {(one.version, one.variant) for one in made} == {(7, "specified in RFC 4122")}
    assert made == sorted(set(made))


@pytest.fixture
def hour() -> Iterator[Callable[[int], None]]:
    """Puts our clock so many hours ahead of the machine's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("apps.kernel.ids._shift", ids.Shift())
        yield lambda hours: patch.setattr("apps.kernel.clock.clock.seconds", lambda: time.time() + hours * HOUR)


def test_ids_say_what_our_clock_says_whatever_the_library_remembers(hour: Callable[[int], None]) -> None:
    for hours in (1, -1, 0, 2):
        hour(hours)
        made = [ids.new_uuid() for _ in range(1_000)]
        assert made == sorted(made)
        found = datetime.fromtimestamp((made[0].int >> 80) / 1_000, UTC)
        assert abs(found - datetime.now(UTC) - timedelta(hours=hours)) < timedelta(seconds=2)


def test_ids_do_not_change_places_for_less_than_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    wandering = itertools.cycle([0.4, -0.4, 0.0])
    monkeypatch.setattr("apps.kernel.ids._shift", ids.Shift())
    monkeypatch.setattr("apps.kernel.clock.clock.seconds", lambda: time.time() + next(wandering))
    made = [ids.new_uuid() for _ in range(1_000)]
    assert made == sorted(made)


def test_a_library_that_never_goes_back_does_not_lead_ids_astray(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is after the machine's clock was an hour ahead: it counts on from there."""
    monkeypatch.setattr("apps.kernel.ids._shift", ids.Shift())
    ahead = ids.first_id(datetime.now(UTC) + timedelta(hours=1)).int
    counted = itertools.count(ahead)
    monkeypatch.setattr("uuid_utils.compat.uuid7", lambda: UUID(int=next(counted)))
    made = [ids.new_uuid() for _ in range(1_000)]
    assert made == sorted(made)
    assert ids.first_id(datetime.now(UTC) - timedelta(seconds=2)) < made[-1] < ids.first_id(datetime.now(UTC))
