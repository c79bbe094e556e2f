"""What a fresh installation needs before it can serve: tables, a first login, a first project. Safe to repeat."""

from dataclasses import dataclass

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from apps.accounts.selectors import project_named
from apps.accounts.services import api_key_create, first_superuser_create, project_create
from apps.audit.services import Actor

FIRST_EMAIL, FIRST_PROJECT = "admin@localhost", "default"


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a newcomer must be told; secrets are here once, and nowhere else in plain."""

    password: str | None = None
    api_key: str | None = None


def prepare() -> Welcome:
    """Migrate where needed; on the very first run make the first login and the first project."""
    if pending_migrations():
        call_command("migrate", interactive=False, verbosity=0)
    password = first_superuser_create(email=FIRST_EMAIL)
    return Welcome(password, _first_key())


def pending_migrations() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _first_key() -> str | None:
    if project_named(FIRST_PROJECT):
        return None
    actor = Actor(kind="command", label="serve --setup")
    project = project_create(name=FIRST_PROJECT, actor=actor)
    return api_key_create(project=project, name="first key", actor=actor)[1]


def banner(address: str, welcome: Welcome) -> str:
    """The text `make run` greets with."""
    key = welcome.api_key or "$KEY"
    lost = "" if welcome.api_key else "\n  (a new key: .venv/bin/python manage.py create_project default)\n"
    return f"""
Trunkline runs at {address}

  Admin     {address}/admin/     {login_of(welcome)}
  API docs  {address}/api/v1/docs
  Health    {address}/readyz

Publish a first event:

  curl {address}/api/v1/events \\
    -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\
    -d '{{"type": "invoice.paid", "data": {{"id": "in_42", "amount": 1200}}}}'
{lost}
Stop with Ctrl-C. `make demo` shows deliveries and retries at work.
"""


def login_of(welcome: Welcome) -> str:
    """How to log in, as far as it can still be said."""
    return f"{FIRST_EMAIL} / {welcome.password}   (shown only now)" if welcome.password else "as before"
