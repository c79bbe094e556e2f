"""The published lists' spellings of inner addresses: each is refused when a destination is made."""

from collections.abc import Sequence

import pytest

from apps.destinations.egress import EgressPolicy, vet_resolved, vet_url
from apps.kernel.errors import Invalid
from tests.spellings import PUBLIC, Spelling, spellings

CLOSED = EgressPolicy()


def test_the_list_was_read() -> None:
    assert len(spellings(80)) >= 250
    assert len([one for one in spellings(80) if one.addresses]) >= 20


@pytest.mark.parametrize("spelling", spellings(8000), ids=lambda spelling: spelling.url[:60])
def test_it_is_refused_when_a_destination_is_made(spelling: Spelling) -> None:
    def lookup(host: str) -> Sequence[str]:
        return spelling.addresses or PUBLIC

    with pytest.raises(Invalid) as caught:
        vet_resolved(vet_url(spelling.url, CLOSED), CLOSED, 5.0, lookup=lookup)
    assert [fault.pointer for fault in caught.value.faults] == ["/url"]
