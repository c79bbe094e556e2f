"""What wake-ups say fits, and comes back."""

import pytest

from apps.deliveries.wakeups.payload import MOST, pack, unpack
from apps.kernel.ids import new_uuid


@pytest.mark.parametrize("count", [1, 2, MOST])
def test_ids_come_back(count: int) -> None:
    ids = [new_uuid() for _ in range(count)]
    text = pack(ids)
    assert len(text) < 8_000
    assert unpack(text) == frozenset(ids)


def test_too_many_mean_any() -> None:
    assert unpack(pack([new_uuid()] * (MOST + 1))) is None


@pytest.mark.parametrize("text", ["*", "no base64!", "AAAA", "from a newer version"])
def test_what_is_not_understood_means_any(text: str) -> None:
    assert unpack(text) is None
