"""`manage.py serve`: everything in one process group, on one address: fast lane, API, admin and an engine."""

from typing import Any

import structlog
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from apps.ops.planes import Works, planes, refuse_taken
from apps.ops.processes import Supervisor
from apps.ops.setup import Welcome, banner, prepare

log = structlog.get_logger("trunkline.processes")


class Command(BaseCommand):
    help = (
        "Serve the fast lane, the API and the admin on one address, and run a delivery engine beside them, until "
        "SIGTERM or SIGINT."
    )
    requires_system_checks = ()  # `make check` and the tests run them; a start must be quick

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on")
        parser.add_argument("--no-engine", action="store_true", help="serve only; engines run elsewhere")
        parser.add_argument("--setup", action="store_true", help="first migrate, and make a first login and project")

    def handle(self, *, host: str, port: int, no_engine: bool, setup: bool, **_: Any) -> None:
        refuse_taken(host, port)
        welcome = prepare() if setup else None
        with planes(host, port, when_ready=lambda: self._greet(host, port, welcome)) as web:
            engine: Works = {} if no_engine else {"engine": lambda: call_command("run_engine")}
            Supervisor({**web, **engine}).run()

    def _greet(self, host: str, port: int, welcome: Welcome | None) -> None:
        """Whoever set it up here is told what to do next; in production a log line says enough."""
        log.info("server.started", host=host, port=port)
        if welcome is None:
            return
        shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104
        self.stdout.write(banner(f"http://{shown}:{port}", welcome))
        self.stdout.flush()
