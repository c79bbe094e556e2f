"""Filters and transformations in the admin: written in the form, tried in a dialog."""

import pytest

from apps.deliveries.models import Delivery
from apps.destinations.models import Destination
from tests.integration.cast import NOWHERE, Caller, a_destination, a_project, an_event
from tests.integration.staff import Person, staff, superuser, text_of

pytestmark = pytest.mark.django_db
PAGE, PREVIEW = "destinations_destination_change", "destinations_destination_preview"
FILTER, TRANSFORM = "event.data.total > 100", {"jmespath": "total"}
FORM = {"url": NOWHERE, "event_types": "*", "secrets-TOTAL_FORMS": "0", "secrets-INITIAL_FORMS": "0"}


@pytest.fixture
def root(db: None) -> Person:
    return superuser()


def previewed(person: Person, destination: Destination, **asked: str) -> str:
    answer = person.post(PREVIEW, destination.pk, _form_submitted="on", **asked)
    assert answer["HX-Retarget"] == "#dialog"
    assert "no-store" in answer["Cache-Control"]
    return " ".join(text_of(answer).split())


def test_both_are_written_kept_and_cleared(root: Person, owner: Caller) -> None:
    destination = a_destination(owner.project)
    written = {**FORM, "filter": f"{FILTER}\r\n  || false", "transform": '{"jmespath": "total"}'}
    assert root.post(PAGE, destination.pk, **written).status_code == 302
    destination.refresh_from_db()
    assert (destination.filter, destination.transform) == (f"{FILTER}\n  || false", TRANSFORM)
    assert root.post(PAGE, destination.pk, **written).status_code == 302
    assert root.post(PAGE, destination.pk, **FORM).status_code == 302
    destination.refresh_from_db()
    assert (destination.filter, destination.transform) == ("", {})


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("filter", "event.data.total >", "line 1, column 19"),
        ("transform", "{", "No JSON"),
        ("transform", '{"jmespath": "a..b"}', "jmespath column 3"),
    ],
)
def test_faults_stand_beside_their_field(root: Person, owner: Caller, field: str, text: str, said: str) -> None:
    answer = root.post(PAGE, a_destination(owner.project).pk, **{**FORM, field: text})
    assert said in str(answer.context["adminform"].form.errors[field])


def test_a_preview_takes_an_event_by_id_or_the_newest(root: Person, owner: Caller) -> None:
    destination = a_destination(owner.project, filter=FILTER, transform=TRANSFORM)
    dear, cheap = (an_event(owner.project, data=b'{"total": %d}' % total) for total in (250, 5))
    shown = previewed(root, destination, event=dear.public_id)
    assert f"The destination wants {dear.public_id}" in shown
    assert "data&quot;:250}" in shown or '"data":250}' in shown
    assert f"The destination does not get {cheap.public_id}" in previewed(root, destination)
    assert "wants" in previewed(root, destination, filter="event.data.total < 10")
    failed = previewed(root, destination, transform='{"template": "{{ event.data.x }}"}', filter="event.data.x == 1")
    assert "There is no body: line 1" in failed
    assert "The filter could not be evaluated" in failed
    assert not Delivery.objects.exists()


def test_an_event_of_another_project_is_not_found(root: Person, owner: Caller) -> None:
    theirs = an_event(a_project())
    assert root.act(PREVIEW, a_destination(owner.project), event=theirs.public_id)[-1:] == [
        "the project has no such event"
    ]
    assert root.act(PREVIEW, a_destination(owner.project), event="evt_x")[-1:] == ["the project has no such event"]


def test_strangers_see_nothing(owner: Caller) -> None:
    stranger = staff("stranger@example.com", a_project())
    assert stranger.post(PREVIEW, a_destination(owner.project).pk, _form_submitted="on").status_code == 404
