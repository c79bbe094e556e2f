"""The check at creation, with the system's own resolver."""

import pytest

from apps.destinations.egress import EgressPolicy, vet_resolved
from apps.kernel.errors import Invalid


def test_a_name_that_points_inside_now_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        vet_resolved("http://localhost:9000/", EgressPolicy(), 10.0)
    (fault,) = caught.value.faults
    assert (fault.pointer, fault.code) == ("/url", "address_refused")
    assert "loopback" in fault.detail


def test_a_name_that_does_not_exist_yet_is_not() -> None:
    vet_resolved("https://no-such-name.invalid/", EgressPolicy(), 10.0)
