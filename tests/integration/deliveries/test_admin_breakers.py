"""The admin's page of a destination shows how its breaker stands, and closes it through the service."""

import pytest

from apps.accounts.models import Project
from apps.accounts.scopes import VIEWER
from apps.audit.models import AuditEntry
from apps.deliveries.breakers import breakers_judge
from apps.deliveries.models import Breaker
from apps.destinations.models import Destination
from apps.kernel.clock import now
from tests.integration.cast import a_destination
from tests.integration.staff import Person, staff, superuser, text_of

PAGE, CLOSE = "destinations_destination_change", "destinations_destination_close_breaker"


@pytest.fixture
def root(db: None) -> Person:
    return superuser()


@pytest.fixture
def broken(project: Project) -> Destination:
    destination = a_destination(project)
    breakers_judge({destination.pk: [False] * 20}, now=now())
    return destination


def test_it_shows_how_it_stands(root: Person, project: Project, broken: Destination) -> None:
    page = text_of(root.get(PAGE, broken.pk))
    assert "Circuit breaker" in page
    assert "open" in page.split("Circuit breaker")[1]
    assert "closed" in text_of(root.get(PAGE, a_destination(project).pk)).split("Circuit breaker")[1]


def test_it_is_closed_by_hand(root: Person, broken: Destination) -> None:
    root.act(CLOSE, broken)
    assert not Breaker.objects.exists()
    assert AuditEntry.objects.filter(action="destination.breaker_reset", target=broken.public_id).count() == 1


def test_who_only_looks_does_not_close_it(project: Project, broken: Destination) -> None:
    viewer = staff("member@example.com", project, role=VIEWER)
    viewer.act(CLOSE, broken)
    assert Breaker.objects.get().state == "open"
