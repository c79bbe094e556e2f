"""`manage.py run_control`: the control plane alone."""

from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandParser

from apps.ops.planes import refuse_taken
from apps.ops.web import run_web

log = structlog.get_logger("trunkline.processes")


class Command(BaseCommand):
    help = (
        "Serve the API and the admin under gunicorn, until SIGTERM or SIGINT. It takes events too, at the pace of the "
        "REST framework; `run_intake` serves the fast lane."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8001, help="port to listen on")

    def handle(self, *, host: str, port: int, **_: Any) -> None:
        refuse_taken(host, port)
        run_web(f"{host}:{port}", when_ready=lambda: log.info("server.started", host=host, port=port, plane="control"))
