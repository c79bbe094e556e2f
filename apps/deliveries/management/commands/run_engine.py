"""`manage.py run_engine`: the delivery engine alone."""

import asyncio
import signal
from datetime import timedelta
from typing import Any

import uvloop
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from prometheus_client import start_http_server

from apps.deliveries.engine.loop import Engine
from apps.deliveries.engine.pace import Pace
from apps.kernel.collector import spare_the_collector


class Command(BaseCommand):
    help = (
        "Run a delivery engine until SIGTERM or SIGINT. Run as many as you like, on as many machines: "
        "they share the work, and no two hold the same delivery."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--concurrency", type=int, help="deliveries in flight at once")
        parser.add_argument("--grace", type=float, default=20.0, help="seconds for what is in flight at shutdown")
        parser.add_argument("--metrics-port", type=int, help="serve this engine's metrics on 127.0.0.1 at this port")

    def handle(self, *, concurrency: int | None, grace: float, metrics_port: int | None, **_: Any) -> None:
        if metrics_port:
            start_http_server(metrics_port, addr="127.0.0.1")
        pace = Pace(
            concurrency=concurrency or settings.ENGINE_CONCURRENCY,
            lease=timedelta(seconds=settings.LEASE_SECONDS),
            grace=grace,
        )
        spare_the_collector()
        uvloop.run(run_until_signalled(Engine(pace)))


async def run_until_signalled(engine: Engine) -> None:
    """Stop the engine at SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, engine.stop)
    await engine.run()
