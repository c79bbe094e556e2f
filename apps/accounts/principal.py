"""Who is asking, in which project, and what they may do."""

from dataclasses import dataclass
from datetime import datetime

from apps.accounts.models import Project
from apps.audit.services import Actor


@dataclass(frozen=True, slots=True)
class Principal:
    """What authentication hands to every door."""

    project: Project
    actor: Actor
    scopes: frozenset[str]
    expires_at: datetime | None = None  # when these credentials end

    is_authenticated = True  # what REST framework asks of a user
    is_active = True

    def may(self, scope: str) -> bool:
        return scope in self.scopes

    @property
    def pk(self) -> str:
        return self.actor.id
