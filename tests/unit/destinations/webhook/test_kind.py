"""The webhook as a kind: found by looking, guarded by the configured policy, shown without secrets."""

import tomllib
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from apps.destinations.egress import EgressPolicy
from apps.destinations.kinds import Kind, Message, Sender, Target, kind_named
from apps.destinations.kinds.webhook import KIND, WebhookKind
from apps.destinations.kinds.webhook.route import USER_AGENT
from apps.destinations.kinds.webhook.settings import get_policy
from apps.kernel.errors import Invalid

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings as SettingsWrapper

PYPROJECT = Path(__file__).parents[4] / "pyproject.toml"
CONFIG = {"url": "https://example.com/hook?token=secret", "headers": {"authorization": "Bearer secret"}}


def test_it_is_found_and_is_a_kind() -> None:
    kind: Kind = kind_named("webhook")
    assert kind is KIND
    assert kind.name == "webhook"
    assert kind.title


async def test_its_sender_applies_its_policy() -> None:
    async with WebhookKind(EgressPolicy).sender() as opened:
        sender: Sender = opened
        outcome = await sender.send(Target("dst_1", {"url": "http://127.0.0.1/"}), Message("evt_1", b"{}"))
    assert outcome.error == "address_refused"


def test_a_name_that_points_inside_is_refused_at_creation() -> None:
    with pytest.raises(Invalid) as caught:
        WebhookKind(EgressPolicy).clean({"url": "http://[::ffff:10.0.0.1]/"})
    assert [fault.pointer for fault in caught.value.faults] == ["/url"]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"url": "https://EXAMPLE.com:443/other"},
        {"url": "https://elsewhere.example/", "headers": {}},
        {"url": "https://elsewhere.example/", "headers": {"authorization": "Bearer new"}},
        {"url": "https://[nonsense"},  # for `clean` to refuse
        {"url": None},
    ],
)
def test_what_is_given_replaces_what_was(given: dict[str, Any]) -> None:
    assert KIND.change(CONFIG, given) == {**CONFIG, **given}


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/hook",
        "http://example.com/hook",
        "https://example.com:8443/hook",
        "https://example.com.elsewhere.example/hook",
        "https://example.com@elsewhere.example/hook",
        "https://elsewhere.example\\@example.com/hook",
    ],
)
def test_headers_do_not_follow_to_another_host(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        KIND.change(CONFIG, {"url": url})
    assert [fault.pointer for fault in caught.value.faults] == ["/headers"]
    assert KIND.change({"url": CONFIG["url"], "headers": {}}, {"url": url})["url"] == url


def test_neither_summary_nor_public_config_holds_a_secret() -> None:
    assert KIND.summary(CONFIG) == "https://example.com/hook"
    assert "Bearer" not in str(KIND.public(CONFIG))
    assert KIND.public(CONFIG)["url"] == CONFIG["url"]


def test_the_policy_is_the_operator_s(settings: "SettingsWrapper") -> None:
    settings.TRUNKLINE_ALLOWED_NETWORKS = (ip_network("10.0.0.0/8"),)
    assert get_policy().refusal("10.1.2.3") is None
    settings.TRUNKLINE_ALLOWED_NETWORKS = ()
    assert get_policy().refusal("10.1.2.3") == "private address (RFC 1918)"
    with pytest.raises(Invalid):
        KIND.clean({"url": "http://10.1.2.3/"})


def test_the_user_agent_names_the_version() -> None:
    version = tomllib.loads(PYPROJECT.read_text())["project"]["version"]
    assert f"Trunkline/{version}" == USER_AGENT
