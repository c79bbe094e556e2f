"""`manage.py …` as a real process on the database under test."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.db import connection

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 30.0  # seconds


def database_url() -> str:
    """Of the test database, for a process that is to meet us there."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    parts = urlsplit(os.environ["DATABASE_URL"])
    return urlunsplit(parts._replace(path=f"/{name}"))


@contextmanager
def manage(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """`manage.py …`, in a session of its own; whatever the test leaves of it is killed."""
    ours = {"DATABASE_URL": database_url(), "TRUNKLINE_ALLOWED_NETWORKS": "127.0.0.0/8", "LOG_FORMAT": "json"}
    process = subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **ours, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
