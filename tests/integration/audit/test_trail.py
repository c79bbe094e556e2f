"""The audit trail is written in the transaction of what it tells of."""

import pytest
from django.db import transaction

from apps.accounts.services import project_create
from apps.audit.models import AuditEntry
from apps.audit.services import Actor, audit_record

pytestmark = pytest.mark.django_db


def test_an_entry_says_who_did_what_to_which_id() -> None:
    actor = Actor(kind="user", id="usr_1", label="Ada")
    project = project_create(name="billing", actor=actor)
    entry = AuditEntry.objects.get()
    assert (entry.actor_kind, entry.actor_id, entry.actor_label) == ("user", "usr_1", "Ada")
    assert (entry.action, entry.target, entry.project_id) == ("project.created", project.public_id, project.pk)
    assert entry.changes == {}


def test_what_did_not_happen_leaves_no_entry() -> None:
    with transaction.atomic():
        project_create(name="billing", actor=Actor(kind="system"))
        transaction.set_rollback(True)
    assert not AuditEntry.objects.exists()


def test_long_labels_fit() -> None:
    audit_record(actor=Actor(kind="user", label="x" * 300), action="a", target="t")
    assert AuditEntry.objects.get().actor_label == "x" * 255
