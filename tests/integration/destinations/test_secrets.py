"""Signing secrets: rotated with an overlap, limited in number, sealed anew when the encryption keys change."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command
from pytest_django import Settings

from apps.accounts.models import Project
from apps.destinations import sealing, secrets
from apps.destinations.kinds import SigningKey
from apps.destinations.kinds.webhook.signing import format_secret, parse_secret
from apps.destinations.models import Destination, Secret
from apps.destinations.sealing import unseal
from apps.destinations.secrets import secret_rotate
from apps.destinations.store import opened, sealed_targets
from tests.integration.cast import ACTOR, Caller, a_destination

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def destination(project: Project) -> Destination:
    with time_machine.travel(NOON, tick=False):
        return a_destination(project, secret=SigningKey("v1", bytes(24)))


def signing(destination: Destination) -> list[str]:
    """The secrets that sign now, newest first."""
    target = opened(destination.pk, sealed_targets([destination.pk])[destination.pk])
    return [format_secret(secret.key) for secret in target.secrets]


FIRST = format_secret(bytes(24))


def test_after_a_rotation_both_sign_until_the_overlap_is_over(destination: Destination) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        clock.shift(1)
        second = secret_rotate(destination=destination, actor=ACTOR, overlap=timedelta(hours=1)).secret
        assert signing(destination) == [second, FIRST]
        clock.shift(3_599)
        assert signing(destination) == [second, FIRST]
        clock.shift(1)
        assert signing(destination) == [second]


def test_the_default_overlap_is_a_day(destination: Destination) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        second = secret_rotate(destination=destination, actor=ACTOR).secret
        clock.shift(86_399)
        assert signing(destination) == [second, FIRST]
        clock.shift(1)
        assert signing(destination) == [second]


def test_without_overlap_the_old_one_ends_at_once(destination: Destination) -> None:
    with time_machine.travel(NOON, tick=False):
        second = secret_rotate(destination=destination, actor=ACTOR, overlap=timedelta(0)).secret
        assert signing(destination) == [second]


def test_a_later_rotation_never_prolongs_an_end(destination: Destination) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        second = secret_rotate(destination=destination, actor=ACTOR, overlap=timedelta(hours=1)).secret
        clock.shift(60)
        third = secret_rotate(destination=destination, actor=ACTOR, overlap=timedelta(hours=24)).secret
        assert signing(destination) == [third, second, FIRST]
        clock.move_to(NOON + timedelta(hours=1))
        assert signing(destination) == [third, second]


def test_no_more_than_five_live_and_the_oldest_go(destination: Destination) -> None:
    made = []
    with time_machine.travel(NOON, tick=False) as clock:
        for _ in range(7):
            clock.shift(1)
            made.append(secret_rotate(destination=destination, actor=ACTOR).secret)
        assert signing(destination) == made[:-6:-1]
    assert Secret.objects.count() == secrets.MOST_LIVE == 5


def test_one_destinations_rotation_leaves_the_others_alone(destination: Destination) -> None:
    other = a_destination(destination.project)
    before = signing(other)
    for _ in range(7):
        secret_rotate(destination=destination, actor=ACTOR, overlap=timedelta(0))
    assert signing(other) == before


# Over REST


@pytest.mark.parametrize("overlap", [0, 1, 604_800])
def test_overlaps_there_may_be(owner: Caller, destination: Destination, overlap: int) -> None:
    answer = owner.post(f"destinations/{destination.public_id}/rotate-secret", {"overlap_seconds": overlap})
    assert answer.status == 200
    assert set(answer.body) == {"secret"}
    assert len(parse_secret(answer.body["secret"])) == 32


WRONG = [
    ({"overlap_seconds": -1}, ("/overlap_seconds", "min_value")),
    ({"overlap_seconds": 604_801}, ("/overlap_seconds", "max_value")),
    ({"overlap_seconds": "a day"}, ("/overlap_seconds", "invalid")),
    ({"secret": "whsec_AAAA"}, ("/secret", "invalid")),
    ({"overlap": 5}, ("/overlap", "unknown_field")),
]


@pytest.mark.parametrize(("body", "fault"), WRONG)
def test_what_no_rotation_can_be(owner: Caller, destination: Destination, body: object, fault: tuple[str, str]) -> None:
    answer = owner.post(f"destinations/{destination.public_id}/rotate-secret", body)
    assert (answer.status, answer.faults) == (422, [fault])
    assert signing(destination) == [FIRST]


# `manage.py rotate_encryption_keys`

OLD, NEW = ("old", bytes(32)), ("new", bytes(range(32)))


def rotate_encryption_keys(*arguments: str) -> str:
    out = StringIO()
    call_command("rotate_encryption_keys", *arguments, stdout=out)
    return out.getvalue()


def test_everything_is_sealed_anew_and_older_keys_can_go(project: Project, settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = (OLD,)
    made = [a_destination(project) for _ in range(3)]
    secret_rotate(destination=made[0], actor=ACTOR)
    before = [signing(one) for one in made]
    settings.ENCRYPTION_KEYS = (NEW, OLD)
    assert json.loads(rotate_encryption_keys("--json")) == {"resealed": 7, "unreadable": []}  # 3 configs, 4 secrets
    assert json.loads(rotate_encryption_keys("--json")) == {"resealed": 0, "unreadable": []}
    settings.ENCRYPTION_KEYS = (NEW,)
    sealing.unseal.cache_clear()
    assert [signing(one) for one in Destination.objects.order_by("pk")] == before


def test_what_no_key_opens_is_told_and_stops_nothing_else(project: Project, settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = (OLD,)
    broken, sound = a_destination(project), a_destination(project)
    Secret.objects.filter(destination=broken).update(sealed="lost:AAAA")
    settings.ENCRYPTION_KEYS = (NEW, OLD)
    with pytest.raises(CommandError, match=broken.public_id):
        rotate_encryption_keys()
    settings.ENCRYPTION_KEYS = (NEW,)
    sealing.unseal.cache_clear()
    sound.refresh_from_db()
    assert len(signing(sound)) == 1
    secret = Secret.objects.get(destination=sound)
    assert unseal(secret.sealed, purpose="secret", row=secret.pk)


def test_a_long_run_tells_how_far_it_is_and_goes_on_where_it_was_stopped(
    project: Project, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ENCRYPTION_KEYS = (OLD,)
    both = {"signing": {"schemes": ["v1", "v1a"]}}
    before = signing(a_destination(project, policy=both))
    for _ in range(2):
        a_destination(project)
    settings.ENCRYPTION_KEYS = (NEW, OLD)
    monkeypatch.setattr(secrets, "TELL_EVERY", 3)

    class Stopped(Exception):
        pass

    def stop(seen: int, resealed: int) -> None:
        raise Stopped(seen, resealed)

    with pytest.raises(Stopped) as caught:
        secrets.reseal_all(stop)
    assert caught.value.args == (3, 2)
    told = StringIO()
    call_command("rotate_encryption_keys", stdout=StringIO(), stderr=told)
    assert told.getvalue().splitlines() == ["3 looked at, 0 sealed anew", "6 looked at, 3 sealed anew"]
    assert all(sealing.is_current(secret.sealed) for secret in Secret.objects.all())
    settings.ENCRYPTION_KEYS = (NEW,)
    sealing.unseal.cache_clear()
    assert sorted(signing(Destination.objects.earliest("pk"))) == sorted(before)  # `v1` and `v1a` alike
