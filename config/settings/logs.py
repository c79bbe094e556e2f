"""structlog for everything: ours and every library's, one line an event, JSON unless a person is looking."""

import json
import logging.config
import sys
from typing import Any

import msgspec
import structlog

from apps.kernel import wide
from config.environment import Environment

SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]


def configure(environment: Environment) -> None:
    """Set up logging for this process."""
    logging.config.dictConfig(_dict_config(environment))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _dict_config(environment: Environment) -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *_renderer(environment),
                ],
                "foreign_pre_chain": SHARED,
            }
        },
        "handlers": {"stdout": {"class": "logging.StreamHandler", "stream": sys.stdout, "formatter": "line"}},
        "root": {"handlers": ["stdout"], "level": environment.log_level},
        "loggers": {
            # One line a request and one an event is enough: `request_started` only repeats it.
            "django_structlog.middlewares.request": {"level": "WARNING"},
            "django.request": {"level": "ERROR"},
            "uvicorn": {"level": "WARNING"},  # its server and its application come and go with ours
        },
    }


def _renderer(environment: Environment) -> list[Any]:
    form = environment.log_format or ("json" if environment.production or not sys.stdout.isatty() else "console")
    if form == "console":
        return [wide.rendered(structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty()))]
    return [structlog.processors.format_exc_info, wide.rendered(_as_json)]


def _as_json(logger: Any, name: str, line: Any) -> str:
    try:
        return msgspec.json.encode(line, enc_hook=repr).decode()
    except (TypeError, ValueError):  # keys that are no text, half a surrogate pair: rare, and worth a line anyhow
        return json.dumps(line, default=repr, skipkeys=True)
