"""A secret goes in wherever one can; all that comes out is searched for it.

To plant one of a new field: add it to PLANTS, and send it in one of the scenes. What may show it says `shown_in`.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest

from apps.kernel.ids import decode
from tests.acceptance.client import Answer, Client
from tests.acceptance.conftest import LOOPBACK, Installer
from tests.acceptance.installation import Installation
from tests.acceptance.plants import Plant, leaks
from tests.acceptance.project import API, Project
from tests.acceptance.server import Server, free_port
from tests.receiver import Receiver

pytestmark = pytest.mark.timeout(300)  # one play for all tests, of which the first waits for it

DESTINATION_ITSELF = ("api GET /destinations", "api POST /destinations", "admin destination form")
BROWSER = ("admin GET", "admin POST")

PLANTS = [
    Plant("signing secret brought along", "whsec_" + b64encode(b"PLANTED-hmac-secret-0123").decode(), ("once ",)),
    Plant("signing secret rotated to", "whsec_" + b64encode(b"PLANTED-rotated-secret-0").decode(), ("once ",)),
    Plant("private key", "whsk_" + b64encode(b"PLANTED-ed25519-seed-0123456789x").decode()),
    Plant("custom header", "Bearer PLANTED-header-value-1"),
    Plant("custom header changed to", "Bearer PLANTED-header-value-2"),
    Plant("custom header set in the admin", "Bearer PLANTED-header-value-3"),
    Plant("token in the URL", "PLANTED-query-token", DESTINATION_ITSELF),
    Plant("password in the URL", "PLANTED-userinfo-password"),
    Plant("header that is refused", "PLANTED-refused-header"),
    Plant("signing secret that is refused", "PLANTED-refused-secret"),
    Plant("secret in a body that is no JSON", "PLANTED-broken-body"),
    Plant("API key that is none", "tl_PLANTED-foreign-api-key-0123456789abcdef0123456789"),
    Plant("password", "PLANTED-password-of-a-person"),
    Plant("password that is wrong", "PLANTED-wrong-password"),
    Plant("SECRET_KEY", "PLANTED-SECRET_KEY-0123456789-abcdefghijklmnopqrstuvwxyz"),
    Plant("encryption key", b64encode(b"PLANTED-encryption-key-012345678").decode()),
    Plant("new encryption key", b64encode(b"PLANTED-new-encryption-key-01234").decode()),
    Plant("metrics token", "PLANTED-metrics-token"),
]
PLANTED = {plant.name: plant.text for plant in PLANTS}
EMAIL = "planted@example.com"
PAGES = (
    "destinations/destination", "destinations/consumer", "deliveries/delivery", "events/event", "events/eventtype",
    "accounts/project", "accounts/apikey", "accounts/user", "accounts/membership", "audit/auditentry",
)  # fmt: skip


@dataclass
class Scene:
    """Everything that came out so far, by where it did."""

    server: Server
    project: Project
    receiver: Receiver
    evidence: dict[str, bytes] = field(default_factory=dict)
    plants: list[Plant] = field(default_factory=lambda: list(PLANTS))
    made: list[str] = field(default_factory=list)  # destinations

    def keep(self, where: str, content: bytes) -> None:
        self.evidence[f"{where} #{len(self.evidence)}"] = content

    def call(self, method: str, path: str, body: object = None, *, once: bool = False, **headers: str) -> Answer:
        """A call of the API, whose answer is kept; `once`: it shows a secret because it is the one that may."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        answer = self.project.client.call(method, f"{API}{path}", raw, sent)
        head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items()).encode()
        self.keep(f"once {method} {path}" if once else f"api {method} {path}", head + answer.body)
        return answer

    def destination(self, **fields: Any) -> dict[str, Any]:
        made: dict[str, Any] = self.call("POST", "/destinations", fields, once="secret" in fields).json
        assert "id" in made, made
        self.made.append(made["id"])
        return made


class Browser:
    """A person at the admin."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self._jar = scene, CookieJar()
        self._opener = build_opener(HTTPCookieProcessor(self._jar))

    def get(self, page: str, kind: str = "GET") -> str:
        return self._open(Request(self.scene.server.address + page), f"admin {kind} {page}")

    def post(self, page: str, fields: Mapping[str, str], kind: str = "POST") -> str:
        token = next((cookie.value for cookie in self._jar if cookie.name == "csrftoken"), "") or ""
        body = urlencode({**fields, "csrfmiddlewaretoken": token}).encode()
        request = Request(self.scene.server.address + page, body, {"Referer": self.scene.server.address})
        return self._open(request, f"admin {kind} {page}")

    def log_in(self, password: str) -> None:
        self.get("/admin/login/")
        self.post("/admin/login/?next=/admin/", {"username": EMAIL, "password": password, "next": "/admin/"})

    def _open(self, request: Request, where: str) -> str:
        try:
            with self._opener.open(request, timeout=40) as answer:
                content: bytes = answer.read()
        except HTTPError as error:
            content = error.read()
        self.scene.keep(where, content)
        return content.decode()


@pytest.fixture(scope="module")
def installation(install: Installer) -> Installation:
    return install(
        **LOOPBACK,
        LOG_LEVEL="DEBUG",
        SECRET_KEY=PLANTED["SECRET_KEY"],
        TRUNKLINE_ENCRYPTION_KEYS=f"k1:{PLANTED['encryption key']}",
        TRUNKLINE_METRICS_TOKEN=PLANTED["metrics token"],
        DJANGO_SUPERUSER_PASSWORD=PLANTED["password"],
    )


@pytest.fixture(scope="module")
def scene(installation: Installation, receiver: Receiver) -> Iterator[Scene]:
    """Played once; the tests look at what it left."""
    keep_out: dict[str, bytes] = {}
    keep_out["command migrate"] = installation.manage("migrate", "--verbosity", "0").encode()
    keep_out["command createsuperuser"] = installation.manage("createsuperuser", "--noinput", "--email", EMAIL).encode()
    with Server(installation) as server:
        scene = Scene(server, Project.create(installation, "planted", server.port), receiver, keep_out)
        scene.plants.append(Plant("API key", scene.project.client.api_key, ("once ",)))
        for play in (destinations, refusals, deliveries, keys, admin, metrics):
            play(scene)
        commands(scene, installation)
        assert server.stop() == 0
        scene.keep("log", server.output().encode())
        database(scene, installation)
        yield scene


# The scenes


def destinations(scene: Scene) -> None:
    url = f"{scene.receiver.url('/hook')}?token={PLANTED['token in the URL']}"
    headers = {"authorization": PLANTED["custom header"]}
    secret = PLANTED["signing secret brought along"]
    first = scene.destination(url=url, headers=headers, secret=secret, event_types=["*"], consumer="acme")
    path = f"/destinations/{first['id']}"
    scene.call("GET", path)
    scene.call("GET", "/destinations")
    scene.call("PATCH", path, {"headers": {"authorization": PLANTED["custom header changed to"]}, "name": "first"})
    scene.call("POST", f"{path}/rotate-secret", {"secret": PLANTED["signing secret rotated to"]}, once=True)
    both = {"signing": {"schemes": ["v1a"]}}
    scene.destination(url=scene.receiver.url("/fail"), headers=headers, secret=PLANTED["private key"], policy=both)
    scene.destination(url=f"http://127.0.0.1:{free_port()}/x?token={PLANTED['token in the URL']}", headers=headers)
    tls = scene.receiver.url("/hook").replace("http:", "https:")
    scene.destination(url=tls, headers=headers, event_types=["*"])
    scene.destination(url=scene.receiver.url("/garbage"), headers=headers, event_types=["*"])


def refusals(scene: Scene) -> None:
    hook = scene.receiver.url("/hook")
    secret, header = PLANTED["signing secret that is refused"], PLANTED["header that is refused"]
    for body in (
        {"url": f"http://user:{PLANTED['password in the URL']}@example.com/"},
        {"url": f"http://10.0.0.1/?token={PLANTED['token in the URL']}", "headers": {"x-a": PLANTED["custom header"]}},
        {"url": hook, "headers": {"x-token": header + "\r\nx-other: 1"}},
        {"url": hook, "headers": {"webhook-id": header}},
        {"url": hook, "headers": header},
        {"url": hook, "headers": [header]},
        {"url": hook, "secret": f"whsec_{secret}"},
        {"url": hook, "secret": f"whsk_{secret}"},
        {"url": hook, "secret": secret},
        {"url": hook, "secret": PLANTED["private key"]},
        {"url": hook, "secrets": secret},
        {"url": hook, "policy": {"signing": {"schemes": [secret]}}},
        f'{{"url": "{hook}", "secret": "{PLANTED["secret in a body that is no JSON"]}'.encode(),
        f'{{"secret": "{PLANTED["secret in a body that is no JSON"]}", }}'.encode(),
    ):
        assert scene.call("POST", "/destinations", body).status in {400, 422}
    first = f"/destinations/{scene.made[0]}"
    scene.call("POST", f"{first}/rotate-secret", {"secret": f"whsec_{secret}"})
    scene.call("PATCH", first, {"secret": PLANTED["signing secret brought along"]})
    scene.call("GET", "/events", Authorization=f"Bearer {PLANTED['API key that is none']}")
    scene.call("POST", "/events", {"type": "a.b"}, Authorization=f"Bearer {PLANTED['API key that is none']}")
    scene.call("POST", "/events", {"type": "a.b"}, Authorization=f"Basic {PLANTED['API key that is none']}")


def deliveries(scene: Scene) -> None:
    event = scene.project.publish("invoice.paid", {"amount": 7}, consumer="acme")
    for made in scene.made:
        delivery = scene.project.tried(event, made)
        for path in (f"/deliveries/{delivery['id']}", f"/deliveries/{delivery['id']}/attempts"):
            scene.call("GET", path)
    scene.call("GET", f"/events/{event}/deliveries")
    scene.call("POST", f"/destinations/{scene.made[1]}/test", {})
    assert {request.headers["authorization"] for request in scene.receiver.requests} >= {PLANTED["custom header"]}


def keys(scene: Scene) -> None:
    made = scene.call("POST", "/api-keys", {"name": "second", "scopes": ["events:read"]}, once=True).json
    scene.plants.append(Plant("second API key", made["key"], ("once ",)))
    Client(scene.server.port, made["key"]).get(f"{API}/events")
    scene.call("GET", "/api-keys")
    scene.call("DELETE", f"/api-keys/{made['id']}")
    Client(scene.server.port, made["key"]).get(f"{API}/events")


def admin(scene: Scene) -> None:
    browser = Browser(scene)
    browser.log_in(PLANTED["password that is wrong"])
    browser.log_in(PLANTED["password"])
    assert "Log out" in browser.get("/admin/")
    for page in PAGES:
        listed = browser.get(f"/admin/{page}/")
        for row in sorted(set(re.findall(rf"/admin/{page}/([0-9a-f-]{{36}})/change/", listed)))[:4]:
            kind = "destination form" if page == "destinations/destination" else "GET"
            browser.get(f"/admin/{page}/{row}/change/", kind)
    browser.get(f"/admin/destinations/destination/?q={quote(scene.made[0])}")
    form = f"/admin/destinations/destination/{decode('dst', scene.made[2])}/change/"
    fields = {"name": "third", "event_types": "*", "url": "http://10.0.0.1/"}
    planted = {**fields, "headers": f"authorization: {PLANTED['custom header set in the admin']}"}
    inlines = {f"secrets-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    browser.post(form, {**planted, **inlines}, "form that comes back")
    browser.post(form, {**planted, **inlines, "url": scene.receiver.url("/hook")})
    browser.get(form, "destination form")


def metrics(scene: Scene) -> None:
    client = Client(scene.server.port)
    token = {"Authorization": f"Bearer {PLANTED['metrics token']}"}
    for path, headers in (
        ("/metrics", token),
        ("/metrics", {}),
        ("/healthz", {}),
        ("/readyz", {}),
        (f"{API}/schema", {}),
    ):
        answer = client.call("GET", path, headers=headers)
        scene.keep(f"page {path}", str(answer.headers).encode() + answer.body)


def commands(scene: Scene, installation: Installation) -> None:
    installation.environment["TRUNKLINE_ENCRYPTION_KEYS"] = (
        f"k2:{PLANTED['new encryption key']},k1:{PLANTED['encryption key']}"
    )
    for command in (["rotate_encryption_keys"], ["rotate_encryption_keys", "--json"], ["prune"], ["check"]):
        scene.keep(f"command {' '.join(command)}", installation.manage(*command).encode())


def database(scene: Scene, installation: Installation) -> None:
    """Every row of every table; and the files, where the database is files."""
    dump = installation.manage("dumpdata", "--all")
    tables = {row["model"] for row in json.loads(dump)}
    assert {"destinations.secret", "audit.auditentry", "deliveries.attempt", "accounts.apikey"} <= tables
    for row in json.loads(dump):
        scene.keep(f"table {row['model']}", json.dumps(row).encode())
    for file in installation.data.rglob("*.sqlite3*"):
        scene.keep(f"file {file.name}", file.read_bytes())


# What it left


def test_no_secret_is_anywhere_else(scene: Scene) -> None:
    assert leaks(scene.evidence, scene.plants) == []


def test_the_search_finds_what_is_shown_once(scene: Scene) -> None:
    """The very secrets are there where they may be, so the search can see them."""
    everywhere = [Plant(plant.name, plant.text) for plant in scene.plants]
    found = leaks(scene.evidence, everywhere)
    for name in ("signing secret brought along", "signing secret rotated to", "second API key", "token in the URL"):
        assert any(leak.endswith(f": {name}") for leak in found), name


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_the_search_finds_it_in_every_form(plant: Plant) -> None:
    text = plant.text.encode()
    for written in (
        text,
        text.hex().encode(),
        quote(plant.text, safe="").encode(),
        b64encode(text),
        b64encode(b"x" + text + b"y"),
        b64encode(b"xy" + text + b"z"),
        json.dumps({"a": [plant.text]}).encode(),
    ):
        assert leaks({"log": b"before " + written + b" after"}, [Plant(plant.name, plant.text)]) == [
            f"log: {plant.name}"
        ]


def test_there_was_something_to_search(scene: Scene) -> None:
    where = {name.split(" ")[0] for name in scene.evidence}
    assert where >= {"api", "once", "admin", "log", "page", "command", "table"}
    log = next(content for name, content in scene.evidence.items() if name.startswith("log"))
    for event in (b"delivery.attempted", b"request_finished", b"connect_failed", b"tls_failed"):
        assert event in log
