"""What people do to have a consumer erased: the operation that does it is made here, and held or called off as any."""

from apps.accounts.models import Project
from apps.accounts.services import project_touch
from apps.audit.services import Actor, audit_record
from apps.deliveries.models import ERASURE, Operation
from apps.deliveries.operations.erasure import counted, events_of
from apps.deliveries.operations.services import MOST_COUNTED, OPEN, refuse_too_many
from apps.deliveries.wakeups import announce_any
from apps.destinations.models import Consumer
from apps.destinations.selectors import consumer_named
from apps.destinations.services import consumer_create, consumer_mark
from apps.kernel.contention import in_transaction
from apps.kernel.errors import NotFound

SCOPES = ("consumers:write", "events:write", "deliveries:write", "destinations:write")  # whoever asks for one holds all
MOST_ERASURES = 1_000  # of a project that run or are paused
MOVE_SCOPE = "consumers:write"  # to hold, resume or call off, beside what that takes of any operation


def consumer_erase(*, consumer: Consumer, actor: Actor) -> Operation:
    """Have the engines erase it. Asked for again meanwhile, it is the same operation.

    The operation names the consumer by id only, and so does the audit trail. Raises NotFound where it is gone, and
    Conflict where too many are open.
    """
    found = counted(consumer, MOST_COUNTED + 1)  # before anything is locked
    return _made(consumer, found if found <= MOST_COUNTED else None, actor)


@in_transaction
def _made(consumer: Consumer, total: int | None, actor: Actor) -> Operation:
    project_touch(consumer.project)  # two who ask at the same moment follow one another, and who deletes it
    if not consumer_mark(consumer_id=consumer.pk, being_erased=True):
        raise NotFound("it was deleted")
    about = {"project_id": consumer.project_id, "kind": ERASURE, "parameters": {"consumer_id": consumer.public_id}}
    same = Operation.objects.filter(state__in=OPEN, parameters__consumer_id=consumer.public_id)
    if found := same.filter(project=consumer.project_id, kind=ERASURE).first():
        return found
    refuse_too_many(consumer.project, [ERASURE], MOST_ERASURES, "erasures")
    operation = Operation.objects.create(**about, total=total, actor_label=actor.label[:255])
    audit_record(
        actor=actor,
        action="consumer.erasure_started",
        target=consumer.public_id,
        project_id=consumer.project_id,
        changes={"operation": operation.public_id},
    )
    announce_any()
    return operation


def consumer_to_erase(project: Project, key: str, actor: Actor) -> Consumer:
    """By key or id. Where only events name it, a row is made that says what is to be erased.

    Raises NotFound where it looks like an id and is none of the project's: taken for a key, it would be erased with
    success, and whoever was meant would stay.
    """
    if found := consumer_named(project, key):
        return found
    if key.startswith("con_") and not events_of(Consumer(project=project, key=key)).exists():
        raise NotFound(f"{project.name} has no consumer {key}; it may have been erased already")
    return consumer_create(project=project, key=key, actor=actor)
