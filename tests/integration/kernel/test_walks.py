"""Lists that no index serves: pages may be short, and following them to the end finds everything once."""

from urllib.parse import parse_qs, quote, urlsplit

import pytest

from apps.deliveries.models import Delivery
from apps.deliveries.states import State
from apps.events.store import KeyClaim, key_hash, keys_claim
from apps.kernel import walks
from apps.kernel.clock import isoformat
from tests.integration.cast import Caller, a_delivery, a_destination, a_project, an_event
from tests.integration.staff import Person, staff, superuser

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def short_walks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walks, "WALK", 3)


@pytest.fixture
def deliveries(owner: Caller) -> list[Delivery]:
    """Ten of ours, every other one ready; with a stranger's between them."""
    ours, theirs = a_destination(owner.project), a_destination(a_project())
    made = []
    for number in range(10):
        state = State.READY if number % 2 else State.DEAD
        made.append(a_delivery(an_event(owner.project, subject=f"{number % 2}"), ours, state))
        a_delivery(an_event(theirs.project), theirs)
    return made


@pytest.mark.parametrize("ordering", ["created_at", "-created_at"])
@pytest.mark.parametrize("limit", [1, 2, 5])
def test_every_page_is_short_and_none_is_left_out(
    owner: Caller, deliveries: list[Delivery], ordering: str, limit: int
) -> None:
    ready = [row.public_id for row in deliveries if row.state == State.READY]
    pages = owner.pages(f"deliveries?state=ready&limit={limit}&ordering={ordering}")
    assert len(pages) > 3
    found = [row["id"] for page in pages for row in page]
    assert found == (ready if ordering == "created_at" else ready[::-1])


def test_with_an_index_pages_are_full(owner: Caller, deliveries: list[Delivery]) -> None:
    destination = deliveries[0].destination.public_id
    for query, count in (("", 10), ("state=dead", 5), (f"destination={destination}", 10)):
        [page] = owner.pages(f"deliveries?{query}")
        assert len(page) == count, query


def test_times_are_exact_although_ids_lead_to_them(owner: Caller, deliveries: list[Delivery]) -> None:
    for row in deliveries:
        moment = quote(isoformat(row.created_at))
        after = {one["id"] for one in owner.all(f"deliveries?created_after={moment}")}
        before = {one["id"] for one in owner.all(f"deliveries?created_before={moment}")}
        assert after == {one.public_id for one in deliveries if one.created_at >= row.created_at}
        assert before == {one.public_id for one in deliveries if one.created_at < row.created_at}


@pytest.mark.parametrize("moment", ["0001-01-02T00:00:00Z", "1969-12-31T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_times_that_no_id_has(owner: Caller, deliveries: list[Delivery], moment: str) -> None:
    old = moment < "2000"
    assert bool(owner.all(f"deliveries?created_after={moment}")) == old
    assert bool(owner.all(f"deliveries?created_before={moment}")) != old


def test_a_remembered_key_leads_to_its_event_however_old(owner: Caller) -> None:
    keyed = an_event(owner.project, idempotency_key="order-42")
    for _ in range(10):
        an_event(owner.project)
    [*_, last] = owner.pages("events?idempotency_key=order-42")
    assert [row["id"] for row in last] == [keyed.public_id]  # forgotten: found by its column
    keys_claim([KeyClaim(key_hash(owner.project.pk, ("key", "order-42")), keyed.pk, b"x" * 32)])
    [[row]] = owner.pages("events?idempotency_key=order-42")
    assert row["id"] == keyed.public_id


def test_the_admin_says_that_there_may_be_more(deliveries: list[Delivery]) -> None:
    person, found = superuser(), []
    query = {"state": "ready"}
    for _ in range(20):
        answer = person.get("deliveries_delivery_changelist", **query)
        changes = answer.context["cl"]
        found += [row.pk for row in changes.result_list if row.project_id == deliveries[0].project_id]
        assert ("Further back there may be more" in answer.content.decode()) == changes.looked_short
        if not changes.older:
            break
        assert changes.looked_short
        query = {name: values[0] for name, values in parse_qs(urlsplit(changes.older).query).items()}
    assert found == [row.pk for row in deliveries[::-1] if row.state == State.READY]


@pytest.mark.parametrize("projects", [1, 2])
def test_staff_find_their_own(owner: Caller, deliveries: list[Delivery], projects: int) -> None:
    member: Person = staff("one@example.com", owner.project, *(a_project() for _ in range(projects - 1)))
    found, query = [], {"q": "invoice.paid"}
    while True:
        changes = member.get("deliveries_delivery_changelist", **query).context["cl"]
        found += [row.pk for row in changes.result_list]
        if not changes.older:
            break
        query = {name: values[0] for name, values in parse_qs(urlsplit(changes.older).query).items()}
    assert found == [row.pk for row in deliveries[::-1]]
