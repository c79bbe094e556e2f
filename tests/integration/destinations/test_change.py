"""Changes that meet one another: none is written over unseen, and nothing brings a deleted destination back."""

import pytest
from pytest_django import Settings

from apps.accounts.models import Project
from apps.destinations.models import Destination
from apps.destinations.selectors import config_of
from apps.destinations.services import destination_change, destination_delete
from apps.kernel.errors import Conflict, Invalid, NotFound
from tests.integration.cast import ACTOR, a_destination, a_project

pytestmark = pytest.mark.django_db
OLD, NEW = "http://127.0.0.1:9/old", "http://127.0.0.1:9/new"


@pytest.fixture
def project() -> Project:
    return a_project()


def read(destination: Destination) -> Destination:
    """As another request holds it."""
    return Destination.objects.select_related("project").get(pk=destination.pk)


def test_a_change_of_the_name_leaves_the_url_that_was_just_changed(project: Project) -> None:
    first = a_destination(project, OLD)
    second = read(first)
    destination_change(destination=first, actor=ACTOR, config={"url": NEW})
    destination_change(destination=second, actor=ACTOR, name="Billing")
    now = read(first)
    assert (config_of(now)["url"], now.name) == (NEW, "Billing")


def test_two_changes_of_the_url_conflict(project: Project) -> None:
    first = a_destination(project, OLD)
    second = read(first)
    destination_change(destination=first, actor=ACTOR, config={"url": NEW})
    with pytest.raises(Conflict):
        destination_change(destination=second, actor=ACTOR, config={"url": OLD})
    assert config_of(read(first))["url"] == NEW


def test_a_deleted_one_stays_erased(project: Project) -> None:
    first = a_destination(project, OLD)
    second = read(first)
    destination_delete(destination=first, actor=ACTOR)
    with pytest.raises(NotFound):
        destination_change(destination=second, actor=ACTOR, config={"url": NEW})
    assert config_of(read(first)) == {}


def test_nothing_waits_for_a_poison_event_where_there_is_no_order(project: Project) -> None:
    poison = {"poison": {"action": "block"}}
    with pytest.raises(Invalid) as refused:
        a_destination(project, policy=poison)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [("/policy/poison", "not_ordered")]
    plain, ordered = a_destination(project), a_destination(project, ordering="per_key", policy=poison)
    assert ordered.policy == poison
    with pytest.raises(Invalid):
        destination_change(destination=plain, actor=ACTOR, policy=poison)
    assert read(plain).policy == {}


def test_a_proxy_stored_before_the_operator_had_one_hinders_no_change(project: Project, settings: Settings) -> None:
    here = a_destination(project, config={"url": OLD, "proxy": "http://127.0.0.1:9"})
    settings.TRUNKLINE_EGRESS_PROXY = "http://10.0.0.1:3128"
    changed = destination_change(destination=here, actor=ACTOR, config={"url": NEW, "headers": {"a": "b"}})
    assert config_of(changed)["proxy"] == "http://127.0.0.1:9"
    for config in ({"proxy": "http://127.0.0.1:8", "headers": {}}, {"proxy": "http://localhost:9", "headers": {}}):
        with pytest.raises(Invalid) as caught:
            destination_change(destination=changed, actor=ACTOR, config=config)
        assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [("/proxy", "proxy_refused")]
    with pytest.raises(Invalid) as caught:
        a_destination(project, config={"url": OLD, "proxy": "http://127.0.0.1:9"})
    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [("/proxy", "proxy_refused")]
    without = destination_change(destination=read(changed), actor=ACTOR, config={"proxy": None, "headers": {}})
    assert "proxy" not in config_of(without)
