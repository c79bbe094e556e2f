"""The demo's project: types with schemas, two consumers, three destinations. Safe to repeat."""

from collections.abc import Iterable

from apps.accounts.selectors import project_named
from apps.accounts.services import api_key_create, project_create
from apps.audit.services import Actor
from apps.destinations.selectors import destinations
from apps.destinations.services import destination_create, destination_delete
from apps.events.services import event_type_ensure

ACTOR = Actor(kind="command", label="demo")
CONSUMERS = ("acme", "globex")
INVOICE = {
    "type": "object",
    "required": ["id", "amount", "currency"],
    "properties": {
        "id": {"type": "string"},
        "amount": {"type": "integer", "minimum": 1},
        "currency": {"enum": ["eur", "usd"]},
    },
}
TYPES = {"invoice.created": "An invoice was made", "invoice.paid": "An invoice was paid in full"}


def prepare_demo(receiver: str) -> str:
    """Point the project at the receiver's address of this run; returns a fresh API key."""
    project = project_named("demo") or project_create(name="demo", actor=ACTOR)
    for name, description in TYPES.items():
        event_type_ensure(project=project, name=name, actor=ACTOR, description=description, schema=INVOICE)
    for earlier in destinations(project).filter(name__in=[name for name, *_ in _wanted()]):
        destination_delete(destination=earlier, actor=ACTOR)
    for name, path, patterns, consumer in _wanted():
        destination_create(
            project=project,
            kind="webhook",
            name=name,
            config={"url": receiver + path},
            event_types=patterns,
            consumer=consumer,
            actor=ACTOR,
        )
    return api_key_create(project=project, name="demo", actor=ACTOR)[1]


def _wanted() -> Iterable[tuple[str, str, list[str], str | None]]:
    return (
        ("Acme's invoices", "/ok", ["invoice.*"], "acme"),
        ("Globex, flaky", "/flaky", ["*"], "globex"),
        ("Accounting, broken on purpose", "/broken", ["invoice.paid"], None),
    )
