"""gunicorn, run from within: the control plane's server."""

from collections.abc import Callable
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver
from gunicorn.app.base import Application


class Server(Application):
    """gunicorn with config/gunicorn.py, at a given address, with an application that is loaded already."""

    def __init__(self, bind: str, when_ready: Callable[[], None]) -> None:
        self._bind, self._when_ready = bind, when_ready
        super().__init__()

    def load_config(self) -> None:
        self.load_config_from_module_name_or_filename("python:config.gunicorn")
        self.cfg.set("bind", self._bind)
        self.cfg.set("when_ready", lambda _: self._when_ready())

    def load(self) -> Any:
        return get_wsgi_application()


def run_web(bind: str, *, when_ready: Callable[[], None]) -> None:
    """Serve until told to stop; `when_ready` is called once the port is open."""
    get_resolver().url_patterns  # noqa: B018 (a fault in any view shows now, not at the first request)
    Server(bind, when_ready).run()
