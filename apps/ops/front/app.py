"""The ASGI application: the lane, and behind it whatever answers the other paths."""

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST

from apps.intake.lane import Lane
from apps.kernel.asgi import App, Receive, Scope, Send
from apps.kernel.errors import NotFound, Problem, Unauthenticated
from apps.kernel.rest import PROBLEM_JSON
from apps.ops.views import METRICS_REFUSED, may_see_metrics, metrics_text


class Front:
    """An ASGI application; `others` answers all that is not the lane's. None where the lane stands alone."""

    def __init__(self, others: App | None) -> None:
        self._lane, self._others, self._alone = Lane(), others or nothing_else, others is None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} is served here")
        elif self._is_for_lane(scope):
            await self._lane(scope, receive, send)
        else:
            await self._others(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self._lane:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    def _is_for_lane(self, scope: Scope) -> bool:
        """A browser's event is a rare one, and CORS the control plane's business where there is one."""
        mine = scope["method"] == "POST" and scope["path"] in Lane.paths
        return mine and (self._alone or not any(name == b"origin" for name, _ in scope["headers"]))


async def nothing_else(scope: Scope, receive: Receive, send: Send) -> None:
    """For a lane that stands alone: other paths are served elsewhere. It answers for its own health and metrics."""
    problem: Problem = NotFound("only POST /api/v1/events and /api/v1/events/batch are served here")
    if scope["path"] == "/healthz":
        await _send(send, 200, "application/json", msgspec.json.encode({"status": "ok"}))
    elif scope["path"] == "/metrics" and may_see_metrics(_authorization(scope)):
        await _send(send, 200, CONTENT_TYPE_LATEST, metrics_text())
    else:
        if scope["path"] == "/metrics":
            problem = Unauthenticated(METRICS_REFUSED)
        body = msgspec.json.encode(problem.as_dict(instance=scope["path"]))
        await _send(send, problem.status, PROBLEM_JSON, body)


def _authorization(scope: Scope) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"), "")


async def _send(send: Send, status: int, content_type: str, body: bytes) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
