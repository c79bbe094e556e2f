"""The cast of the admin: a superuser, and staff with every Django permission, in a project or in another."""

from dataclasses import dataclass
from functools import cache
from html import unescape
from typing import Any

from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.client import ClientHandler
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.models import Project, User
from apps.accounts.scopes import OWNER
from apps.accounts.services import member_add
from tests.integration.cast import ACTOR

OURS = ("accounts", "audit", "deliveries", "destinations", "events", "auth")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at the admin, logged in."""

    user: User
    client: Client

    def get(self, page: str, *args: Any, **query: str) -> Any:
        """A page by its name without `admin:`; the answer's `text` is its HTML, unescaped as a browser would."""
        return self.client.get(reverse(f"admin:{page}", args=args), query)

    def post(self, page: str, *args: Any, **fields: Any) -> Any:
        return self.client.post(reverse(f"admin:{page}", args=args), fields)

    def act(self, page: str, row: Any, **fields: Any) -> list[str]:
        """Confirm the dialog of a row action; returns what the user is told."""
        answer = self.post(page, row.pk, _form_submitted="on", **fields)
        assert answer.status_code == 302, answer.content
        return said(answer)

    def act_on(self, page: str, action: str, *rows: Any) -> list[str]:
        """Run a list's action on ticked rows; returns what the user is told."""
        ticked = [str(row.pk) for row in rows]
        return said(self.post(page, action=action, _selected_action=ticked))

    def rows(self, page: str, **query: str) -> list[Any]:
        """The rows a list shows."""
        answer = self.get(page, **query)
        assert answer.status_code == 200, answer
        return list(answer.context["cl"].result_list)


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def text_of(answer: Any) -> str:
    return unescape(answer.content.decode())


def refused(answer: Any) -> str:
    """The errors of the form that came back."""
    assert answer.status_code == 200, answer
    return unescape(str(answer.context["adminform"].form.errors))


def superuser() -> Person:
    return _logged_in(User.objects.create_superuser("root@example.com", "irrelevant"))


def staff(email: str, *projects: Project, permissions: str = "", role: str = OWNER) -> Person:
    """Every permission on our models, or only those whose codename starts so; a member of these projects."""
    user = User.objects.create_user(email, "irrelevant", is_staff=True)
    held = Permission.objects.filter(content_type__app_label__in=OURS, codename__startswith=permissions)
    user.user_permissions.set(held)
    for project in projects:
        member_add(project=project, email=email, role=role, actor=ACTOR)
    return _logged_in(user)


@cache
def _handler() -> ClientHandler:
    """One for all: each loads the middleware anew, and that looks at every static file."""
    return ClientHandler(enforce_csrf_checks=False)


def _logged_in(user: User) -> Person:
    client = Client()
    client.handler = _handler()
    client.force_login(user)
    return Person(user, client)


def queries_of(person: Person, page: str, *args: Any) -> list[str]:
    """The SQL behind a page."""
    with CaptureQueriesContext(connection) as captured:
        answer = person.get(page, *args)
    assert answer.status_code == 200, answer
    return [query["sql"] for query in captured]
