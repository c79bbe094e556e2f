"""A webhook's `auth`: how it shows the receiver who is calling. Basic, bearer, or OAuth 2.0 client credentials."""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any, Literal
from urllib.parse import quote_plus

import msgspec

from apps.destinations.egress import EgressPolicy, vet_url
from apps.kernel.errors import Fault, Invalid

MASK = "********"
LONGEST = 8192  # characters of a token or a secret
MOST_SCOPES = 50

TOKEN = re.compile(rf"[!-~]{{1,{LONGEST}}}")  # RFC 6750's and a little more, but nothing that ends a header
SCOPE = re.compile(r"[!#-\[\]-~]{1,255}")  # RFC 6749 3.3
PLAIN = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]*")

SECRET = {"type": "string", "writeOnly": True}
FIELD: Mapping[str, Any] = {
    "type": ["object", "null"],
    "required": ["type"],
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string", "enum": ["basic", "bearer", "oauth2"]},
        "username": {"type": "string", "description": "of basic"},
        "password": {**SECRET, "description": "of basic"},
        "token": {**SECRET, "description": "of bearer"},
        "token_url": {"type": "string", "format": "uri", "description": "of oauth2: where tokens are asked for"},
        "client_id": {"type": "string", "description": "of oauth2"},
        "client_secret": {**SECRET, "description": "of oauth2"},
        "scopes": {"type": "array", "items": {"type": "string"}, "maxItems": MOST_SCOPES},
        "audience": {"type": "string"},
        "style": {
            "type": "string",
            "enum": ["basic", "post"],
            "default": "basic",
            "description": "of oauth2: whether the client names itself in a header or in the body",
        },
    },
    "description": "how to authenticate to the receiver; answers show no secret. null takes it out again",
}

REQUIRED = {
    "basic": ("username", "password"),
    "bearer": ("token",),
    "oauth2": ("token_url", "client_id", "client_secret"),
}
OPTIONAL = {"oauth2": ("scopes", "audience", "style")}
SECRETS = ("password", "token", "client_secret")


class OAuth2(msgspec.Struct, frozen=True):
    """The client credentials of RFC 6749 4.4; equal ones share a token."""

    token_url: str
    client_id: str
    client_secret: str
    scopes: tuple[str, ...] = ()
    audience: str = ""
    style: Literal["basic", "post"] = "basic"

    def __repr__(self) -> str:
        return f"OAuth2({self.token_url.partition('?')[0]!r}, {self.client_id!r})"

    def form(self) -> dict[str, str]:
        """What is posted to `token_url`."""
        own = {"client_id": self.client_id, "client_secret": self.client_secret} if self.style == "post" else {}
        asked = {"scope": " ".join(self.scopes), "audience": self.audience}
        return {"grant_type": "client_credentials", **own, **{name: text for name, text in asked.items() if text}}

    def headers(self) -> dict[str, str]:
        """RFC 6749 2.3.1: both are form-encoded before they are put together."""
        if self.style == "post":
            return {}
        return {"authorization": basic(quote_plus(self.client_id), quote_plus(self.client_secret))}


def clean_auth(auth: object, policy: EgressPolicy, faults: list[Fault]) -> dict[str, Any]:
    """As it is stored, or empty where there is none; what is wrong goes to `faults`, and is never quoted."""
    if auth is None:
        return {}
    if not isinstance(auth, Mapping) or auth.get("type") not in list(REQUIRED):
        where = "/auth/type" if isinstance(auth, Mapping) else "/auth"
        faults.append(Fault(where, f"must be an object with a type of {', '.join(REQUIRED)}"))
        return {}
    style = str(auth["type"])
    names = ("type", *REQUIRED[style], *OPTIONAL.get(style, ()))
    wrong = [Fault("/auth", f"has fields that {style} doesn't: {', '.join(names)} are its", "unknown_field")]
    faults += wrong if auth.keys() - set(names) else ()
    faults += [fault for name in names[1:] if (fault := _fault_in(name, auth.get(name), name in REQUIRED[style]))]
    if "token_url" in names and isinstance(url := auth.get("token_url"), str) and url:
        auth = {**auth, "token_url": _vetted(url, policy, faults)}
    return {name: auth[name] for name in names if auth.get(name) is not None}


def _vetted(url: str, policy: EgressPolicy, faults: list[Fault]) -> str:
    try:
        return vet_url(url, policy)
    except Invalid as problem:
        faults += [Fault("/auth/token_url", fault.detail, fault.code) for fault in problem.faults]
        return ""


def _fault_in(name: str, value: object, required: bool) -> Fault | None:
    pointer = f"/auth/{name}"
    if value is None or (value == "" and name != "password"):
        return Fault(pointer, "is required", "required") if required else None
    if value == MASK:
        return Fault(pointer, "is the mask that stands for a hidden value: send the value itself", "masked")
    detail = RULES.get(name, _text)(value)
    return Fault(pointer, detail) if detail else None


def _text(value: object) -> str:
    if isinstance(value, str) and len(value) <= LONGEST and PLAIN.fullmatch(value):
        return ""
    return f"must be a string of at most {LONGEST} characters, none of them a control character"


def _username(value: object) -> str:
    return "must not hold a colon" if isinstance(value, str) and ":" in value else _text(value)  # RFC 7617 2


def _token(value: object) -> str:
    fits = isinstance(value, str) and TOKEN.fullmatch(value)
    return "" if fits else f"must be a string of 1 to {LONGEST} printable ASCII characters without spaces"


def _scopes(value: object) -> str:
    fits = isinstance(value, list) and len(value) <= MOST_SCOPES
    if fits and all(isinstance(one, str) and SCOPE.fullmatch(one) for one in value):  # type: ignore[attr-defined]
        return ""
    return f"must be a list of at most {MOST_SCOPES} scopes"


def _style(value: object) -> str:
    return "" if value in ("basic", "post") else "must be basic or post"


RULES: Mapping[str, Callable[[object], str]] = {
    "username": _username,
    "token": _token,
    "scopes": _scopes,
    "style": _style,
}


def masked_auth(auth: Mapping[str, Any]) -> dict[str, Any]:
    """To show: who calls, not what proves it."""
    return {name: MASK if name in SECRETS else value for name, value in auth.items()}


def basic(username: str, password: str) -> str:
    """The value of an Authorization or Proxy-Authorization header (RFC 7617)."""
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode("ascii")


def authorization(auth: Mapping[str, Any]) -> str:
    """The header's value where it is always the same; empty where it isn't."""
    if auth.get("type") == "basic":
        return basic(auth["username"], auth["password"])
    return f"Bearer {auth['token']}" if auth.get("type") == "bearer" else ""


def oauth2_of(auth: Mapping[str, Any]) -> OAuth2 | None:
    """Where tokens are asked for, and how; None where they aren't."""
    if auth.get("type") != "oauth2":
        return None
    given = {name: value for name, value in auth.items() if name not in {"type", "scopes"}}
    return OAuth2(**given, scopes=tuple(auth.get("scopes") or ()))
