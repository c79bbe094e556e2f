"""The webhook as a kind: found by looking, guarded by the configured policy, shown without secrets."""

import tomllib
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from apps.destinations.egress import EgressPolicy
from apps.destinations.egress.proxy import parse_proxy
from apps.destinations.kinds import Kind, Message, Sender, Target, kind_named
from apps.destinations.kinds.webhook import KIND, WebhookKind
from apps.destinations.kinds.webhook.proxy import OperatorsProxy
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


OWN, OTHER = "http://me:s3cret@127.0.0.1:9", "http://127.0.0.1:8"


@pytest.fixture
def behind() -> WebhookKind:
    """Where the operator's proxy is in between, but for one network."""
    proxy = OperatorsProxy(parse_proxy("http://10.0.0.1:3128"), ("127.0.0.0/8",))
    return WebhookKind(lambda: EgressPolicy((ip_network("127.0.0.0/8"),)), lambda: proxy)


def refused_at(kind: WebhookKind, config: dict[str, Any], before: dict[str, Any] | None = None) -> list[str]:
    try:
        kind.clean(config, before=before)
    except Invalid as problem:
        return [f"{fault.pointer} {fault.code}" for fault in problem.faults]
    return []


def test_no_other_proxy_is_taken_where_the_operator_s_is_in_between(behind: WebhookKind) -> None:
    there, around = "https://203.0.114.7/", "https://127.0.0.1/"
    assert refused_at(behind, {"url": there, "proxy": OWN}) == ["/proxy proxy_refused"]
    assert refused_at(behind, {"url": around, "proxy": OWN}) == []  # there it is used
    assert refused_at(behind, {"url": there}) == refused_at(behind, {"url": there, "proxy": None}) == []
    assert refused_at(WebhookKind(behind._policy), {"url": there, "proxy": OWN}) == []


def test_one_that_is_stored_may_stay(behind: WebhookKind) -> None:
    before = {"url": "https://203.0.114.7/", "headers": {}, "proxy": OWN}
    assert refused_at(behind, {**before, "headers": {"a": "b"}}, before) == []
    assert refused_at(behind, {**before, "url": "https://203.0.114.8/"}, before) == []
    assert refused_at(behind, {**before, "proxy": OTHER}, before) == ["/proxy proxy_refused"]
    assert refused_at(behind, {"url": before["url"]}, before) == []


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
