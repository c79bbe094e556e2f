"""The cast as fixtures: an owner, a viewer and one without scopes in a project, and a stranger in another."""

from collections.abc import Iterator
from ipaddress import ip_network

import pytest
from pytest_django import Settings

from apps.accounts.models import Project
from apps.accounts.scopes import ROLES, VIEWER
from tests.integration import cast
from tests.integration.cast import Caller
from tests.receiver import Receiver


@pytest.fixture(autouse=True)
def quick_passwords(settings: Settings) -> None:
    """A slow hash is what protects passwords, and nothing here is a password."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def loopback_allowed(settings: Settings) -> None:
    """Destinations of the tests are on this machine."""
    settings.TRUNKLINE_ALLOWED_NETWORKS = (ip_network("127.0.0.0/8"),)


@pytest.fixture
def project(db: None) -> Project:
    return cast.a_project("billing")


@pytest.fixture
def owner(project: Project) -> Caller:
    """May do everything in the project."""
    return cast.caller(project)


@pytest.fixture
def viewer(project: Project) -> Caller:
    """May look at everything in the project."""
    return cast.caller(project, ROLES[VIEWER])


@pytest.fixture
def powerless(project: Project) -> Caller:
    """A key of the project with no scope at all."""
    return cast.caller(project, ())


@pytest.fixture
def stranger(db: None) -> Caller:
    """May do everything, in another project."""
    return cast.caller(cast.a_project("somebody else's"))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Takes what is delivered, on a port of its own."""
    with Receiver() as running:
        yield running
