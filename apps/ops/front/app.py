"""The ASGI application: the lane, and behind it whatever answers the other paths."""

import msgspec

from apps.intake.lane import Lane
from apps.kernel.asgi import App, Receive, Scope, Send
from apps.kernel.errors import NotFound
from apps.kernel.rest import PROBLEM_JSON


class Front:
    """An ASGI application; `others` answers all that is not the lane's."""

    def __init__(self, others: App) -> None:
        self._lane, self._others = Lane(), others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} is served here")
        elif _is_for_lane(scope):
            await self._lane(scope, receive, send)
        else:
            await self._others(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self._lane:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


def _is_for_lane(scope: Scope) -> bool:
    """A browser's event is a rare one, and CORS the control plane's business."""
    mine = scope["method"] == "POST" and scope["path"] in Lane.paths
    return mine and not any(name == b"origin" for name, _ in scope["headers"])


async def nothing_else(scope: Scope, receive: Receive, send: Send) -> None:
    """For a lane that stands alone: other paths are served elsewhere. It answers for its own health."""
    problem = NotFound("only POST /api/v1/events and /api/v1/events/batch are served here")
    if scope["path"] == "/healthz":
        await _send(send, 200, "application/json", {"status": "ok"})
    else:
        await _send(send, problem.status, PROBLEM_JSON, problem.as_dict(instance=scope["path"]))


async def _send(send: Send, status: int, content_type: str, content: object) -> None:
    headers = [(b"content-type", content_type.encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": msgspec.json.encode(content)})
