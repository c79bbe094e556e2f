"""The table of scopes and roles holds together."""

import re

import pytest

from apps.accounts.scopes import ADMIN, DEVELOPER, OWNER, ROLES, SCOPES, VIEWER


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_names_an_area_and_a_verb(scope: str) -> None:
    assert re.fullmatch(r"[a-z_]+:(read|write)", scope)


@pytest.mark.parametrize("role", ROLES)
def test_roles_hold_known_scopes(role: str) -> None:
    assert ROLES[role] <= set(SCOPES)


def test_roles_are_a_ladder() -> None:
    assert ROLES[VIEWER] < ROLES[DEVELOPER] < ROLES[ADMIN] < ROLES[OWNER] == set(SCOPES)


def test_a_viewer_writes_nothing_and_a_developer_hands_out_nothing() -> None:
    assert {scope for scope in ROLES[VIEWER] if not scope.endswith(":read")} == set()
    assert not {"api_keys:write", "members:write", "project:write"} & ROLES[DEVELOPER]
