"""The lane itself: one request from its headers to its answer."""

import asyncio
from contextlib import AsyncExitStack
from typing import Self

from apps.accounts.bearer import HOW, bearer_text, known, require, unauthenticated
from apps.accounts.credentials import REFRESH, Credentials
from apps.accounts.models import Project
from apps.accounts.principal import Principal
from apps.intake.lane.admission import Admission, Bounds
from apps.intake.lane.answers import Answer, accepted, refusal, send_answer
from apps.intake.lane.background import background
from apps.intake.lane.door import Door
from apps.intake.lane.request import HungUp, Request, read_body
from apps.kernel.asgi import Receive, Scope, Send
from apps.kernel.database import DatabaseThread

SCOPE = "events:write"


class Lane:
    """An ASGI app for POST on its `paths`; to be entered in the event loop that serves it."""

    paths = ("/api/v1/events", "/api/v1/events/batch")

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._admission = Admission(bounds)
        self._credentials = Credentials()
        self._asking: dict[str, asyncio.Future[Principal | None]] = {}

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._lookups = await stack.enter_async_context(DatabaseThread("lookups"))
            self._refreshes = await stack.enter_async_context(DatabaseThread("refreshes"))
            self._door = await stack.enter_async_context(Door())
            stack.callback(background(self._refresh()).cancel)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *error: object) -> None:
        """What has begun to be committed is committed and answered; the server has stopped listening before."""
        await self._stack.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request.of(scope)
        try:
            answer = await self._answer(request, receive)
        except HungUp:
            return
        except Exception as error:
            answer = refusal(request, error)
        await send_answer(send, request.id, answer)

    async def _answer(self, request: Request, receive: Receive) -> Answer:
        length = request.length
        request.refuse_foreign_host()
        principal = await self._principal(request)
        require(principal, SCOPE)
        project = principal.project
        size = self._admission.enter(project.pk, length)
        try:
            return accepted(await self._accept(project, request, await read_body(receive, length)))
        finally:
            self._admission.leave(project.pk, size)

    async def _accept(self, project: Project, request: Request, body: bytes) -> object:
        if request.path == self.paths[0]:
            return await self._door.event(project, request, body)
        return await self._door.batch(project, request, body, atomic=request.flag("atomic"))

    async def _principal(self, request: Request) -> Principal:
        authorization = request.headers.get("authorization", "")
        if not authorization:
            raise unauthenticated(HOW)
        text = bearer_text(authorization)
        return self._credentials.known(text) or known(await self._looked_up(text))

    async def _looked_up(self, text: str) -> Principal | None:
        """Asked for once, however many requests with this key wait for it."""
        asking = self._asking.get(text)
        if asking is None:
            asking = asyncio.ensure_future(self._lookups.run(self._credentials.look_up, text))
            self._asking[text] = asking
            asking.add_done_callback(lambda _: self._asking.pop(text, None))
        return await asyncio.shield(asking)

    async def _refresh(self) -> None:
        """A database that is away shows when a request needs it; until it is back nobody is believed for long."""
        while True:
            await asyncio.sleep(REFRESH)
            await self._refreshes.attempted(self._credentials.refresh)
