"""What several tests of deliveries and operations begin with; one that needs another of the name makes its own."""

import pytest

from apps.accounts.models import Project
from apps.deliveries.operations import kinds
from apps.destinations.models import Destination
from tests.integration.cast import a_destination


@pytest.fixture
def destination(project: Project) -> Destination:
    return a_destination(project)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of operations: ten rows are three of them."""
    monkeypatch.setattr(kinds, "CHUNK", 4)
