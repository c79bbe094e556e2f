"""`manage.py run_intake`: the data plane alone."""

from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandParser

from apps.ops.planes import bound, data_plane
from apps.ops.processes import Supervisor

log = structlog.get_logger("trunkline.processes")


class Command(BaseCommand):
    help = (
        "Serve POST /api/v1/events and /api/v1/events/batch, and nothing else, until SIGTERM or SIGINT. Run as many as "
        "you like, on as many machines; what else there is, `run_control` serves."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on")

    def handle(self, *, host: str, port: int, **_: Any) -> None:
        works = data_plane(bound(host, port), control=None)
        log.info("server.started", host=host, port=port, plane="data")
        Supervisor(works).run()
