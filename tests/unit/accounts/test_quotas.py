"""Which quotas are in force, and that memory brings them to the intake."""

from uuid import UUID

import msgspec
import pytest
from pytest_django import Settings

from apps.accounts.key_records import QUOTAS, principal_from
from apps.accounts.models import Project
from apps.accounts.quotas import LARGEST_QUOTAS, Quotas, quotas_of
from tests.unit.accounts.test_credentials import RECORD


@pytest.mark.parametrize(
    ("own", "usual", "in_force"), [(None, 0, None), (None, 7, 7), (5, 7, 5), (9, 7, 9), (0, 7, None), (0, 0, None)]
)
@pytest.mark.parametrize("name", LARGEST_QUOTAS)
def test_its_own_else_the_installations(
    settings: Settings, name: str, own: int | None, usual: int, in_force: int | None
) -> None:
    settings.QUOTAS = {**dict.fromkeys(LARGEST_QUOTAS, 0), name: usual}
    found = quotas_of(Project(**{name: own})).as_dict()
    assert found.pop(name.removeprefix("quota_")) == in_force
    assert set(found.values()) == {None}


def test_the_key_brings_them(settings: Settings) -> None:
    numbers = {name: number for number, name in enumerate(QUOTAS, 1)}
    record = msgspec.structs.replace(RECORD, **numbers)
    project = principal_from(record).project
    assert quotas_of(project) == Quotas(1, 2, 3, 4, 5)
    assert (project.pk, project.name, project.catalog_version) == (UUID(int=2), "p", 1)
