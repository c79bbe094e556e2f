"""`manage.py demo`: everything `serve` has, and something to look at."""

import logging
from ipaddress import ip_network
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from apps.ops.demo.project import prepare_demo
from apps.ops.demo.receiver import listen
from apps.ops.demo.stream import publish
from apps.ops.planes import Works, planes, refuse_taken
from apps.ops.processes import Supervisor
from apps.ops.setup import Welcome, login_of, prepare


class Command(BaseCommand):
    help = (
        "Serve a demo project: a receiver on this machine, a steady stream of events, and one destination that fails "
        "on purpose, so that retries show within a minute."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="port to listen on")
        parser.add_argument("--rate", type=float, default=1.0, help="events a second")

    def handle(self, *, port: int, rate: float, **_: Any) -> None:
        refuse_taken("127.0.0.1", port)
        settings.TRUNKLINE_ALLOWED_NETWORKS = (ip_network("127.0.0.0/8"),)  # the receiver is on this machine
        logging.getLogger().setLevel(logging.WARNING)  # the receiver's own lines tell more here
        welcome, address = prepare(), f"http://127.0.0.1:{port}"
        server = listen()
        api_key = prepare_demo(f"http://127.0.0.1:{server.server_port}")
        works: Works = {
            "receiver": server.serve_forever,
            "engine": lambda: call_command("run_engine"),
            "stream": lambda: publish(address, api_key, rate=rate),
        }
        with planes("127.0.0.1", port, when_ready=lambda: self._greet(address, welcome)) as web:
            Supervisor({**web, **works}).run()

    def _greet(self, address: str, welcome: Welcome) -> None:
        self.stdout.write(f"\nThe demo runs at {address}/admin/\n")
        self.stdout.write(f"  Login {login_of(welcome)}; Deliveries shows what happens to each event.\n")
        self.stdout.write(
            "  `Accounting, broken on purpose` refuses everything: watch its retries. Stop with Ctrl-C.\n\n"
        )
        self.stdout.flush()
