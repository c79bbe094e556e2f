"""What an Authorization header says (RFC 6750), and how it is refused; the same at every door."""

from apps.accounts.principal import Principal
from apps.kernel.errors import Forbidden, Unauthenticated

HOW = "send `Authorization: Bearer tl_…`"
CHALLENGE = 'Bearer realm="trunkline"'


def bearer_text(authorization: str) -> str:
    """The credentials in the header; raises Unauthenticated, saying what to send."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise unauthenticated(HOW)
    return credentials.strip()


def known(principal: Principal | None) -> Principal:
    """The principal that was looked up; raises Unauthenticated where there was none."""
    if principal is None:
        raise unauthenticated("this API key is unknown, expired or revoked")
    return principal


def require(principal: Principal, scope: str) -> None:
    """Raises Forbidden where the scope is missing."""
    if not principal.may(scope):
        raise Forbidden(f"this needs the scope {scope}", code="scope_missing")


def unauthenticated(detail: str) -> Unauthenticated:
    return Unauthenticated(detail, headers={"WWW-Authenticate": CHALLENGE})
